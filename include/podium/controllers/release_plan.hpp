#pragma once
/// Release plan: what a change of a Rollout will do, before it starts, and what about it cannot work.
///
/// The lines are the release machine itself, driven by a world where nothing fails, so the run cannot differ
/// from the plan but by what goes wrong. What an analysis needs is forecast at the traffic that is given.

#include <podium/controllers/analyses.hpp>
#include <podium/controllers/placement.hpp>
#include <podium/controllers/rollouts.hpp>
#include <podium/model/analysis.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/node.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/rollout.hpp>
#include <podium/rollout/blue_green.hpp>
#include <podium/rollout/canary.hpp>
#include <podium/rollout/sample_size.hpp>
#include <podium/schedule/kubernetes.hpp>
#include <podium/schedule/scheduler.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

struct release_circumstances {
    rollout::release::pace pace{};
    double units_per_second = 0;  ///< visitors of both versions; 0: not known
    std::optional<std::int64_t>
        room_for_pods{};               ///< that nodes have for pods of this template; none: not known
    std::vector<model::node> nodes{};  ///< where it will run, to find out; none: not known
    std::vector<model::pod> pods{};    ///< that are on them, those of the present version too
};

/// From a moment on.
struct release_line {
    duration at{};
    std::string_view stage{};
    std::size_t step = 0;        ///< canary: position in the steps
    std::int32_t stable = 0;     ///< pods of the present version
    std::int32_t target = 0;     ///< pods of the new one
    std::int32_t weight = 0;     ///< per cent of the traffic for the new one
    std::int64_t available = 0;  ///< pods that serve, at the worst moment until the next line
    std::int64_t pods = 0;       ///< the most there are until then
    std::string_view waits_for{};
    friend bool operator==(release_line const&, release_line const&) = default;
};

/// What one `podium` metric needs.
struct metric_forecast {
    std::string metric{};  ///< "template/metric"
    double share = 0;      ///< of the traffic that the canary has when it is measured
    rollout::analysis::forecast
        same{};  ///< if nothing has changed; of `better`: if it is better by the effect
    friend bool operator==(metric_forecast const&, metric_forecast const&) = default;
};

struct release_plan {
    std::vector<release_line> lines{};
    std::int64_t least_available = 0;
    std::int64_t peak_pods = 0;
    duration takes{};  ///< without the time that a person takes
    bool needs_person = false;
    bool finishes = false;
    std::vector<metric_forecast> forecasts{};
    std::vector<error> warnings{};  ///< what cannot work, or not as it is written, each with its path
};

namespace detail {

template<class Stage>
void take_lines(release_plan& to, rollout::release::plan<Stage> const& from)
{
    for (auto const& l : from.lines)
        to.lines.push_back({l.at, to_string(l.stage), l.step, l.stable, l.target, l.weight, l.available,
            l.pods, to_string(l.why)});
    to.least_available = from.least_available;
    to.peak_pods = from.peak_pods;
    to.takes = from.takes;
    to.needs_person = from.needs_person;
    to.finishes = from.finishes;
}

/// How long a pod's probes allow it to take until it must have started.
[[nodiscard]] inline duration start_budget(model::pod_spec const& spec)
{
    duration most{};
    for (auto const& c : spec.containers) {
        auto const& p = c.startup_probe ? c.startup_probe : c.readiness_probe;
        if (p)
            most = std::max<duration>(most,
                std::chrono::seconds(p->initial_delay_seconds) +
                    std::chrono::seconds(std::int64_t{p->period_seconds} * p->failure_threshold));
    }
    return most;
}

class planning {
public:
    planning(model::rollout const& r, std::span<model::analysis_template const> templates,
        release_circumstances const& how)
        : r_(r),
          templates_(templates),
          how_(how)
    {
    }

    release_plan run()
    {
        auto const& s = r_.spec.strategy;
        if (s.canary) {
            auto const spec = canary_of(r_);
            take_lines(out_, rollout::canary::plan(spec, how_.pace));
            look_at_steps(spec, *s.canary);
        } else if (s.blue_green) {
            take_lines(out_, rollout::blue_green::plan(blue_green_of(r_), how_.pace));
            look_at("spec.strategy.blueGreen.prePromotionAnalysis", s.blue_green->pre_promotion_analysis, 0);
            look_at(
                "spec.strategy.blueGreen.postPromotionAnalysis", s.blue_green->post_promotion_analysis, 1);
        }
        look_at_pods();
        return std::move(out_);
    }

private:
    void warn(std::string path, std::string message)
    {
        out_.warnings.push_back({errc::invalid, std::move(message), std::move(path), {}});
    }
    void look_at_steps(rollout::canary::spec const& spec, model::canary_strategy const& c)
    {
        std::int32_t weight = 0;
        for (std::size_t i = 0; i < c.steps.size(); ++i) {
            auto const at = "spec.strategy.canary.steps[" + std::to_string(i) + "]";
            if (c.steps[i].set_weight) {
                weight = *c.steps[i].set_weight;
                auto const mix = rollout::canary::reachable(weight, spec.replicas, spec.bounds.surge);
                if (!spec.router && mix.percent() != weight)
                    warn(at + ".setWeight",
                        "without trafficRouting the pods make the weight: " + std::to_string(mix.canary) +
                            " of " + std::to_string(mix.stable + mix.canary) + " is " +
                            std::to_string(mix.percent()) + " %");
            }
            look_at(at + ".analysis", c.steps[i].analysis, weight / 100.0);
        }
        if (c.analysis) {
            model::boxed<model::rollout_analysis> const beside(
                model::rollout_analysis{c.analysis->templates, c.analysis->args});
            look_at("spec.strategy.canary.analysis", beside, weight / 100.0,
                time_from(static_cast<std::size_t>(std::max(c.analysis->starting_step.value_or(0), 0))));
        }
    }
    /// How long the steps from this one on take by themselves; none: as long as a person likes.
    [[nodiscard]] std::optional<duration> time_from(std::size_t step) const
    {
        if (out_.needs_person)
            return std::nullopt;
        for (auto const& l : out_.lines)
            if (l.stage == to_string(rollout::canary::stage::stepping) && l.step >= step)
                return out_.takes - l.at;
        return duration::zero();
    }
    /// A pod of this rollout; `version` is all that tells the two templates apart.
    [[nodiscard]] model::pod pod_of(std::string version) const
    {
        model::pod p;
        p.metadata.namespace_ = r_.metadata.namespace_;
        p.metadata.labels = r_.spec.template_.metadata.labels;
        p.metadata.labels[std::string(rollout_hash_label)] = std::move(version);
        p.spec = r_.spec.template_.spec;
        model::merge_label_keys(p);
        return p;
    }
    /// Whether nodes have room for the most pods there are, asked of the scheduler itself. O(pods x nodes).
    void look_at_room(std::int64_t extra)
    {
        using schedule::kubernetes::rules;
        schedule::scheduler<rules> fleet;
        for (auto const& n : how_.nodes)
            fleet.set(n.metadata.name, controllers::schedulable(n));
        auto const own = schedulable(r_.spec.selector);
        std::int64_t there = 0;
        for (auto const& p : how_.pods) {
            if (!placement::takes_room(p))
                continue;
            fleet.bind(p.spec.node_name, controllers::schedulable(p));
            there += !is_leaving(p) && p.metadata.namespace_ == r_.metadata.namespace_ &&
                own.matches(p.metadata.labels);
        }
        auto const missing = [&](std::string version, std::int64_t count, std::string& why) {
            auto const pod = controllers::schedulable(pod_of(std::move(version)));
            auto const got = fleet.place(pod, static_cast<std::size_t>(std::max<std::int64_t>(count, 0)));
            if (got.refused)
                why = fleet.summary(*got.refused, pod);
            return count - static_cast<std::int64_t>(got.nodes.size());
        };
        std::string why;
        // The present version, where it does not run yet; then what is new.
        if (auto const lacking = r_.spec.replicas - there;
            lacking > 0 && missing("present", lacking, why) > 0)
            return warn("spec.replicas", "the nodes have no room for the present version: " + why);
        auto const left = missing("new", extra, why);
        if (left <= 0)
            return;
        if (left == extra && nothing_may_be_missing())
            return warn("spec.strategy",
                "no node takes one pod more while the old ones stay, and they stay until it is available: "
                "the "
                "release would wait for itself: " +
                    why);
        warn("spec.strategy",
            "needs " + std::to_string(extra) + " pods more than there are, and nodes have room for " +
                std::to_string(extra - left) + ": " + why);
    }
    [[nodiscard]] bool nothing_may_be_missing() const { return out_.least_available >= r_.spec.replicas; }
    /// Old pods that keep new ones away: how many places it takes is all that can be said without nodes.
    void look_at_neighbours(model::pod_spec const& pod, std::int64_t extra)
    {
        if (extra <= 0 || !how_.nodes.empty() || !pod.affinity || !pod.affinity->pod_anti_affinity)
            return;
        auto const& terms =
            pod.affinity->pod_anti_affinity->required_during_scheduling_ignored_during_execution;
        for (std::size_t i = 0; i < terms.size(); ++i) {
            auto const& t = terms[i];
            bool const apart =
                std::ranges::find(t.match_label_keys, rollout_hash_label) != t.match_label_keys.end();
            if (apart || !schedulable(t.label_selector).matches(r_.spec.template_.metadata.labels))
                continue;
            warn("spec.template.spec.affinity.podAntiAffinity."
                 "requiredDuringSchedulingIgnoredDuringExecution[" +
                    std::to_string(i) + "]",
                "keeps new pods away from old ones: it takes " + std::to_string(out_.peak_pods) +
                    " different " + t.topology_key + ", and with fewer " +
                    (nothing_may_be_missing() ? "the release waits for itself"
                                              : "not all of them find a place"));
        }
    }
    void look_at_pods()
    {
        auto const extra = out_.peak_pods - r_.spec.replicas;
        if (how_.room_for_pods && extra > *how_.room_for_pods)
            warn("spec.strategy",
                "needs " + std::to_string(extra) + " pods more than there are, and nodes have room for " +
                    std::to_string(*how_.room_for_pods));
        auto const& pod = r_.spec.template_.spec;
        if (!how_.nodes.empty())
            look_at_room(extra);
        look_at_neighbours(pod, extra);
        if (auto const budget = start_budget(pod);
            budget > std::chrono::seconds(r_.spec.progress_deadline_seconds))
            warn("spec.progressDeadlineSeconds",
                "probes give a pod " +
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(budget).count()) +
                    " s to start, which is longer: a slow start would count as no progress");
        for (std::size_t i = 0; i < pod.topology_spread_constraints.size(); ++i) {
            auto const& c = pod.topology_spread_constraints[i];
            bool const hard = c.when_unsatisfiable == model::unsatisfiable_action::do_not_schedule;
            bool const apart =
                std::ranges::find(c.match_label_keys, rollout_hash_label) != c.match_label_keys.end();
            if (hard && !apart)
                warn("spec.template.spec.topologySpreadConstraints[" + std::to_string(i) + "]",
                    "counts the pods of both versions, so new pods may find no place beside old ones; "
                    "matchLabelKeys: [" +
                        std::string(rollout_hash_label) + "] would keep them apart");
        }
    }
    void look_at(std::string const& path, model::boxed<model::rollout_analysis> const& asked, double share,
        std::optional<duration> window = {})
    {
        if (!asked)
            return;
        for (auto const& ref : asked->templates) {
            auto const t = std::ranges::find(templates_, ref.template_name,
                [](model::analysis_template const& one) { return one.metadata.name; });
            if (t == templates_.end()) {
                warn(path, "there is no AnalysisTemplate " + ref.template_name + " here");
                continue;
            }
            for (auto const& m : t->spec.metrics)
                if (m.provider.podium)
                    forecast(path, *t, m, share, window);
            model::analysis_run_spec run;
            run.args = asked->args;
            run.args.insert(run.args.end(), t->spec.args.begin(), t->spec.args.end());
            run.dry_run = t->spec.dry_run;
            run.time_limit = t->spec.time_limit;
            std::vector<model::analysis_metric> metrics;
            for (auto const& m : t->spec.metrics)
                if (auto one = resolved(m, run))
                    metrics.push_back(*std::move(one));
                else
                    warn(path, ref.template_name + ": " + one.error().text());
            if (metrics.size() != t->spec.metrics.size())
                continue;
            if (auto const fine = policy_of(run, metrics); !fine)
                warn(path, ref.template_name + ": " + fine.error().text());
        }
    }
    void forecast(std::string const& path, model::analysis_template const& t, model::analysis_metric const& m,
        double share, std::optional<duration> window)
    {
        auto const name = t.metadata.name + '/' + m.name;
        if (!(share > 0 && share < 1))
            return warn(path, name + " compares two versions, and one of them gets no traffic then: no data");
        auto const policy = detail::comparison_of(*m.provider.podium);
        if (!policy.expected)
            return;  // nothing to go by
        bool const better = policy.ask == rollout::analysis::question::better;
        double const gain = better ? policy.effect.value_or(0) : 0;
        auto const seen = rollout::analysis::expect(policy,
            {.stable = *policy.expected,
                .difference = policy.higher_is_better ? gain : -gain,
                .share = share,
                .units_per_second = how_.units_per_second});
        if (!seen)
            return warn(path, name + ": " + seen.error().text());
        out_.forecasts.push_back({name, share, *seen});
        auto const limit = parse_duration(t.spec.time_limit);
        if (!seen->median)
            warn(path,
                name + ": its horizon is too near to know in half of all releases; most would end undecided");
        else if (limit && seen->median->after && *seen->median->after > *limit)
            warn(path,
                name + ": its timeLimit is too short for this traffic: half of all releases take longer");
        else if (window && seen->median->after && *seen->median->after > *window)
            warn(path,
                name + ": the steps beside it are over before it knows, in half of all releases: they take " +
                    std::to_string(std::chrono::duration_cast<std::chrono::seconds>(*window).count()) +
                    " s, and at this traffic it needs " +
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(*seen->median->after).count()) +
                    " s");
    }

    model::rollout const& r_;
    std::span<model::analysis_template const> templates_;
    release_circumstances const& how_;
    release_plan out_{};
};

}  // namespace detail

/// The release of this rollout's template in place of another one that is fully available. Total, as long as
/// validation has let the rollout in. Some 25 ms for each `podium` metric with an expected rate.
[[nodiscard]] inline release_plan plan_of(model::rollout const& r,
    std::span<model::analysis_template const> templates = {}, release_circumstances const& how = {})
{
    return detail::planning(r, templates, how).run();
}

}  // namespace podium::v0::controllers
