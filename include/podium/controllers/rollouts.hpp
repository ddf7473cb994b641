#pragma once
/// Rollout controller: carries out what the `rollout` room's blue/green and canary machines ask for.
///
/// A set of pods is made for each template, named by its hash. The route is a split in the service whose
/// requests are divided: one write moves the traffic, the endpoints controller puts it into the slices, and
/// what every live router has acknowledged of them is what the machine is told. An analysis is an
/// AnalysisRun, whose end is its answer. An order is an annotation, taken off in the plan that follows it.
///
/// A service that is divided is annotated with its rollout's name, so that whoever finds it after the rollout
/// is gone, or names it no more, knows that the split must go, too.
///
/// Source: Argo Rollouts v1.8 for the names of labels, annotations, fields and phases.

#include <podium/controllers/deployments.hpp>
#include <podium/controllers/drains.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/core/duration.hpp>
#include <podium/model/analysis.hpp>
#include <podium/model/codec.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/rollout.hpp>
#include <podium/model/router_status.hpp>
#include <podium/model/service.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/rollout/blue_green.hpp>
#include <podium/rollout/canary.hpp>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

inline constexpr std::string_view rollout_hash_label = "rollouts-pod-template-hash";
inline constexpr std::string_view rollout_revision_annotation = "rollout.argoproj.io/revision";
/// Set by whoever tells a rollout to do something: "promote", "promote-full", "abort", "retry", "pause",
/// "resume".
inline constexpr std::string_view order_annotation = "podium.dev/order";
/// Of a service: the rollout that divides it.
inline constexpr std::string_view managed_by_annotation = "argo-rollouts.argoproj.io/managed-by-rollouts";
/// Of an AnalysisRun: which of its rollout's analyses it is.
inline constexpr std::string_view run_label = "podium.dev/run";

[[nodiscard]] inline std::optional<rollout::release::order> order_of(std::string_view text)
{
    using rollout::release::order;
    for (auto const o :
        {order::promote, order::promote_full, order::abort, order::retry, order::pause, order::resume}) {
        std::string spelled(to_string(o));
        std::ranges::replace(spelled, ' ', '-');
        if (spelled == text)
            return o;
    }
    return {};
}

// -- The model's words in the machines' ------------------------------------------------------------

/// A template's number, from its hash, and back.
[[nodiscard]] inline rollout::release::template_id template_id_of(std::string_view hash)
{
    auto const digits = detail::hash_digits;
    rollout::release::template_id id = 0;
    for (auto const c : std::views::reverse(hash)) {
        auto const at = digits.find(c);
        if (at == std::string_view::npos || id > (std::uint64_t{1} << 58))
            return 0;
        id = id * digits.size() + at;
    }
    return hash.size() == 10 ? id + 1 : 0;
}
[[nodiscard]] inline std::string hash_of(rollout::release::template_id id)
{
    return detail::hash_text(id - 1);
}

/// Which analysis the machine means; of a canary's steps, the position.
inline constexpr std::uint32_t background_analysis = 0xffff'ffff;
inline constexpr std::uint32_t pre_promotion_analysis = 0;
inline constexpr std::uint32_t post_promotion_analysis = 1;

namespace detail {

inline void set_common(auto& to, model::rollout const& r)
{
    to.template_ = template_id_of(template_hash(r.spec.template_, 0));
    to.replicas = r.spec.replicas;
    to.progress_deadline = std::chrono::seconds(r.spec.progress_deadline_seconds);
    to.abort_at_deadline = r.spec.progress_deadline_abort;
    to.rollback_window =
        r.spec.rollback_window ? static_cast<std::size_t>(std::max(r.spec.rollback_window->revisions, 0)) : 0;
    to.revision_history_limit = r.spec.revision_history_limit;
}
/// 0 keeps it for ever, as Argo Rollouts has it.
inline std::optional<duration> delay_of(std::int32_t seconds)
{
    return seconds == 0 ? std::nullopt : std::optional<duration>(std::chrono::seconds(seconds));
}

}  // namespace detail

/// The machine's spec. A pause that cannot be read, which validation refuses, lasts until told.
[[nodiscard]] inline rollout::canary::spec canary_of(model::rollout const& r)
{
    namespace canary = rollout::canary;
    auto const& from = *r.spec.strategy.canary;
    canary::spec to;
    detail::set_common(to, r);
    to.router = from.traffic_routing.has_value();
    to.dynamic_stable_scale = from.dynamic_stable_scale;
    to.bounds = rollout::resolve_fenceposts(from.max_surge ? from.max_surge : int_or_percent::percent(25),
        from.max_unavailable ? from.max_unavailable : int_or_percent::percent(25), r.spec.replicas);
    to.scale_down_delay = std::chrono::seconds(from.scale_down_delay_seconds);
    to.abort_scale_down_delay = detail::delay_of(from.abort_scale_down_delay_seconds);
    for (std::size_t i = 0; i < from.steps.size(); ++i) {
        auto const& s = from.steps[i];
        if (s.set_weight) {
            to.steps.push_back(canary::set_weight{*s.set_weight});
        } else if (s.pause) {
            canary::pause one;
            if (auto const& d = s.pause->duration; d.is_number() && d.number() > 0)
                one.lasts = std::chrono::seconds(d.number());
            else if (auto const parsed = parse_duration(d.name()); parsed && *parsed > duration::zero())
                one.lasts = *parsed;
            to.steps.push_back(one);
        } else if (s.analysis) {
            to.steps.push_back(canary::analyze{static_cast<std::uint32_t>(i)});
        } else {
            canary::set_scale one;
            if (s.set_canary_scale && s.set_canary_scale->replicas)
                one.pods = int_or_percent(*s.set_canary_scale->replicas);
            else if (s.set_canary_scale && s.set_canary_scale->weight)
                one.pods = int_or_percent::percent(*s.set_canary_scale->weight);
            to.steps.push_back(one);
        }
    }
    if (from.analysis)
        to.background = canary::background{background_analysis,
            static_cast<std::size_t>(std::max(from.analysis->starting_step.value_or(0), 0))};
    return to;
}

[[nodiscard]] inline rollout::blue_green::spec blue_green_of(model::rollout const& r)
{
    auto const& from = *r.spec.strategy.blue_green;
    rollout::blue_green::spec to;
    detail::set_common(to, r);
    to.auto_promotion = from.auto_promotion_enabled;
    to.auto_promotion_delay = std::chrono::seconds(from.auto_promotion_seconds);
    to.preview_replicas = from.preview_replica_count;
    if (from.pre_promotion_analysis)
        to.pre_promotion = pre_promotion_analysis;
    if (from.post_promotion_analysis)
        to.post_promotion = post_promotion_analysis;
    to.scale_down_delay = std::chrono::seconds(from.scale_down_delay_seconds);
    to.abort_scale_down_delay = detail::delay_of(from.abort_scale_down_delay_seconds);
    return to;
}

// -- The controller --------------------------------------------------------------------------------

struct rollouts {
    static constexpr std::string_view name = "rollout-controller";
    using primary = model::rollout;
    using owns = reconcile::types<model::replica_set, model::analysis_run>;
    using watches = reconcile::types<model::endpoint_slice, model::router_status, model::analysis_template,
        model::service>;

    /// Of the analyses that have ended, so many of the latest are kept.
    static constexpr std::uint64_t kept_runs = 10;

    /// A router that was not heard of for this long holds up no route.
    duration router_timeout = std::chrono::seconds(10);

    /// Those whose route may have been acknowledged, or whose service or template is there at last.
    template<class View, class K, class Add>
    void touched(View const& view, reconcile::transition<K> const& x, Add const& add) const
    {
        if constexpr (std::same_as<K, model::router_status>) {
            if (x.before && x.after && x.before->status.acknowledged == x.after->status.acknowledged)
                return;  // a renewal; one that falls silent is looked at in its time
            for (auto const r : view.template all<model::rollout>())
                add(r.which());
        } else {
            auto const& meta = x.any()->metadata;
            for (auto const r : view.template all<model::rollout>(meta.namespace_))
                add(r.which());
            if constexpr (std::same_as<K, model::service>)  // its rollout may be gone
                if (auto const by = managed_by(*x.any()); !by.empty())
                    add(reconcile::key_for<model::rollout>(meta.namespace_, by));
        }
    }

    /// O(n log n) in the rollout's sets, and O(slices of the namespace x routers).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const r = view.template get<model::rollout>(which);
        if (!r)
            let_go(p, view, which);
        if (!r || r->metadata.deletion_timestamp || awaits_config_hash(*r))
            return p;
        auto const& strategy = r->spec.strategy;
        if (strategy.canary.has_value() == strategy.blue_green.has_value())
            return p;  // validation lets none in

        pass now_here{view, *this, p, r, *r, now};
        now_here.look();
        if (strategy.canary) {
            auto before = memory_of(r->status.machine.canary, r->status.machine.blue_green);
            before.paused = now_here.next.spec.paused;
            auto const answer = rollout::canary::step(canary_of(*r), before, now_here.seen(), now);
            now_here.next.status.machine = {answer.next, {}};
            now_here.show(answer.next, answer.todo);
            now_here.carry_out(answer.todo, answer.next);
        } else {
            auto before = memory_of(r->status.machine.blue_green, r->status.machine.canary);
            before.paused = now_here.next.spec.paused;
            auto const answer = rollout::blue_green::step(blue_green_of(*r), before, now_here.seen(), now);
            now_here.next.status.machine = {{}, answer.next};
            now_here.show(answer.next, answer.todo);
            now_here.carry_out(answer.todo, answer.next);
        }
        return p;
    }

private:
    /// What the machine remembers. Of another strategy's machine what both know is taken over: who is stable,
    /// where the traffic goes, and numbers that must not be used again.
    template<class Own, class Other>
    static Own memory_of(model::boxed<Own> const& own, model::boxed<Other> const& other)
    {
        if (own)
            return *own;
        Own s;
        if (other) {
            static_cast<rollout::release::memory&>(s) = *other;
            s.target = s.stable;
            s.analysis = {};
            s.fast = false;
            s.why = rollout::release::reason::complete;
        }
        return s;
    }

    /// The services that a rollout writes.
    static std::set<std::string> names_of(model::rollout const& of)
    {
        std::set<std::string> out;
        if (auto const& b = of.spec.strategy.blue_green)
            out = {b->active_service, b->preview_service};
        else if (auto const& c = of.spec.strategy.canary; c && c->traffic_routing)
            out = {c->stable_service, c->canary_service};
        else if (c)
            out = {c->canary_service};
        return out;
    }
    static std::string managed_by(model::service const& s)
    {
        auto const it = s.metadata.annotations.find(std::string(managed_by_annotation));
        return it == s.metadata.annotations.end() ? std::string{} : it->second;
    }
    /// Services that it wrote, and that neither it nor another rollout names, treat all pods alike again.
    template<class View>
    static void let_go(reconcile::plan& p, View const& view, reconcile::key const& which)
    {
        std::set<std::string> used;
        for (auto const r : view.template all<model::rollout>(which.namespace_))
            used.merge(names_of(*r));
        for (auto const service : view.template all<model::service>(which.namespace_)) {
            if (managed_by(*service) != which.name || used.contains(service->metadata.name))
                continue;
            auto changed = *service;
            changed.metadata.annotations.erase(std::string(managed_by_annotation));
            if (changed.spec.split && changed.spec.split->label == rollout_hash_label)
                changed.spec.split.reset();
            p.update(service, std::move(changed));
        }
    }

    using set_handle = reconcile::handle<model::replica_set>;
    using run_handle = reconcile::handle<model::analysis_run>;
    using template_id = rollout::release::template_id;

    /// One call of `reconcile`.
    template<class View>
    struct pass {
        View const& view;
        rollouts const& self;
        reconcile::plan& p;
        reconcile::handle<model::rollout> const& r;
        model::rollout next;
        time_point now;

        template_id wanted = template_id_of(template_hash(r->spec.template_, 0));
        std::vector<set_handle> handles{};
        std::vector<rollout::release::set> sets{};
        std::vector<run_handle> runs{};
        std::vector<rollout::release::answer> answers{};
        std::optional<rollout::release::command> told{};
        std::uint64_t acknowledged = 0;
        std::optional<template_id> previewed{};
        std::int64_t last_revision = 0;
        bool spends = false;
        std::string trouble{};  ///< what keeps it from being carried out

        [[nodiscard]] rollout::release::observed seen() const
        {
            return {.sets = sets,
                .acknowledged = acknowledged,
                .answers = answers,
                .told = told,
                .previewed = previewed};
        }

        // --- what is seen -------------------------------------------------------------------------

        void look()
        {
            for (auto set : view.template owned_by<model::replica_set>(r)) {
                auto const id = id_of(*set);
                if (id == 0)
                    continue;
                auto const revision = revision_of(*set);
                last_revision = std::max(last_revision, revision);
                sets.push_back({.which = id,
                    .revision = revision,
                    .wanted = set->spec.replicas,
                    .existing = set->status.replicas,
                    .available = set->status.available_replicas,
                    .observed = set->status.observed_generation >= set->metadata.generation});
                handles.push_back(std::move(set));
            }
            for (auto run : view.template owned_by<model::analysis_run>(r)) {
                auto const number = number_of(*run);
                if (number && is_over(run->status.phase))
                    answers.push_back({*number, verdict_of(run->status)});
                runs.push_back(std::move(run));
            }
            if (auto const it = r->metadata.annotations.find(std::string(order_annotation));
                it != r->metadata.annotations.end()) {
                next.metadata.annotations.erase(it->first);
                using rollout::release::order;
                auto const o = order_of(it->second);
                if (o == order::pause || o == order::resume)
                    next.spec.paused = o == order::pause;  // the one place where it is said
                else if (o)
                    told = rollout::release::command{.number = heard() + 1, .what = *o};
                else
                    record(p, view, r, event_type::warning, "UnknownOrder",
                        "there is no order \"" + it->second + "\"", name, now);
            }
            if (auto const service = routed(); !service.empty())
                acknowledged = acknowledged_of(service);
            if (auto const& b = r->spec.strategy.blue_green; b && !b->preview_service.empty())
                previewed = led_to(b->preview_service);
        }
        [[nodiscard]] std::uint64_t heard() const
        {
            auto const& m = r->status.machine;
            return m.canary ? m.canary->heard : m.blue_green ? m.blue_green->heard : 0;
        }
        /// The service whose requests are divided.
        [[nodiscard]] std::string routed() const
        {
            auto const& s = r->spec.strategy;
            return s.blue_green             ? s.blue_green->active_service
                : s.canary->traffic_routing ? s.canary->stable_service
                                            : std::string{};
        }
        /// Whether every live router has acknowledged it; if not, when one is not waited for any more.
        [[nodiscard]] bool is_in_force(model::endpoint_slice const& slice)
        {
            bool all = true;
            for (auto const router : view.template all<model::router_status>())
                if (now - router.seen < self.router_timeout && !has_acknowledged(*router, slice)) {
                    all = false;
                    p.wake_at(router.seen + self.router_timeout);
                }
            return all;
        }
        [[nodiscard]] std::vector<reconcile::handle<model::endpoint_slice>> slices_of(
            std::string const& service) const
        {
            std::vector<reconcile::handle<model::endpoint_slice>> out;
            for (auto slice : view.template all<model::endpoint_slice>(r->metadata.namespace_)) {
                auto const of = slice->metadata.labels.find(std::string(model::service_name_label));
                if (of != slice->metadata.labels.end() && of->second == service)
                    out.push_back(std::move(slice));
            }
            return out;
        }
        /// The generation of the route that every live router has in force.
        [[nodiscard]] std::uint64_t acknowledged_of(std::string const& service)
        {
            std::optional<std::uint64_t> least;
            for (auto const& slice : slices_of(service)) {
                bool const there = is_in_force(*slice) && slice->split;
                auto const one = there
                    ? static_cast<std::uint64_t>(std::max(slice->split->generation, std::int64_t{0}))
                    : 0;
                least = std::min(least.value_or(one), one);
            }
            return least.value_or(0);
        }
        /// The template whose available pods every live router has behind a service that leads to one
        /// template; else 0.
        [[nodiscard]] template_id led_to(std::string const& service)
        {
            std::optional<std::string> version;
            std::int32_t ready = 0;
            for (auto const& slice : slices_of(service)) {
                if (!is_in_force(*slice) || !slice->split || slice->split->weights.size() != 1)
                    return 0;
                auto const& to = slice->split->weights.begin()->first;
                if (version.value_or(to) != to)
                    return 0;
                version = to;
                for (auto const& e : slice->endpoints)
                    ready += e.version == to && e.conditions.ready.value_or(true);
            }
            auto const id = template_id_of(version.value_or(std::string{}));
            auto const set = std::ranges::find(sets, id, &rollout::release::set::which);
            return set != sets.end() && ready >= set->available ? id : 0;
        }
        [[nodiscard]] static template_id id_of(model::replica_set const& set)
        {
            auto const it = set.metadata.labels.find(std::string(rollout_hash_label));
            return it == set.metadata.labels.end() ? 0 : template_id_of(it->second);
        }
        [[nodiscard]] static std::int64_t revision_of(model::replica_set const& set)
        {
            auto const it = set.metadata.annotations.find(std::string(rollout_revision_annotation));
            std::int64_t n = 0;
            if (it != set.metadata.annotations.end())
                (void)std::from_chars(it->second.data(), it->second.data() + it->second.size(), n);
            return n;
        }
        [[nodiscard]] static std::optional<std::uint64_t> number_of(model::analysis_run const& run)
        {
            auto const it = run.metadata.labels.find(std::string(run_label));
            std::uint64_t n = 0;
            if (it == run.metadata.labels.end() ||
                std::from_chars(it->second.data(), it->second.data() + it->second.size(), n).ec !=
                    std::errc{})
                return {};
            return n;
        }
        [[nodiscard]] static rollout::verdict verdict_of(model::analysis_run_status const& s)
        {
            switch (s.phase) {
            case model::analysis_phase::successful: return rollout::verdict::pass;
            case model::analysis_phase::failed:
            case model::analysis_phase::error: return rollout::verdict::fail;
            case model::analysis_phase::inconclusive:
            case model::analysis_phase::pending:
            case model::analysis_phase::running: break;
            }
            return s.no_data ? rollout::verdict::no_data : rollout::verdict::inconclusive;
        }

        // --- what is done -------------------------------------------------------------------------

        template<class State>
        void carry_out(rollout::release::goals const& todo, State const& state)
        {
            resize(todo);
            if (todo.traffic && todo.traffic->generation != 0)
                route(routed(), weights_of(*todo.traffic),
                    static_cast<std::int64_t>(todo.traffic->generation), true);
            if (auto const& s = r->spec.strategy; s.blue_green && todo.preview != 0)
                route(s.blue_green->preview_service, {{hash_of(todo.preview), 1}}, 0, false);
            else if (s.canary && state.target != 0)
                route(s.canary->canary_service, {{hash_of(state.target), 1}}, 0, false);
            let_go(p, view, r.which());
            analyse(todo, state);
            if (state.refused && told && state.heard == told->number)
                record(p, view, r, event_type::warning, "OrderRefused",
                    std::string(to_string(state.refused->what)) + ": " +
                        std::string(to_string(state.refused->why)),
                    name, now);
            if (next.status.phase != r->status.phase || next.status.message != r->status.message)
                record(p, view, r,
                    todo.phase == rollout::release::phase::degraded ? event_type::warning
                                                                    : event_type::normal,
                    "Rollout" + next.status.phase, next.status.message, name, now);
            if (!trouble.empty())
                record(p, view, r, event_type::warning, "RolloutWaits", trouble, name, now);
            next.status.spent += spends;
            p.update(r, std::move(next));
            if (todo.wake_at != never)
                p.wake_at(todo.wake_at);
        }
        void resize(rollout::release::goals const& todo)
        {
            for (auto const& g : todo.sets) {
                auto const it = std::ranges::find(handles, g.which, [](auto const& h) { return id_of(*h); });
                if (it == handles.end()) {
                    if (!g.forget)
                        create(g);
                    continue;
                }
                auto const& old = *it;
                if (g.forget) {
                    p.remove(old);
                    spends = true;
                    continue;
                }
                auto set = *old;
                set.spec.replicas = g.replicas;
                set.spec.min_ready_seconds = r->spec.min_ready_seconds;
                if (g.which == wanted &&
                    revision_of(set) < last_revision)  // an older template is wanted again
                    set.metadata.annotations[std::string(rollout_revision_annotation)] =
                        std::to_string(last_revision + 1);
                if (set.spec.replicas != old->spec.replicas)
                    scaled(set.metadata.name, old->spec.replicas, g.replicas);
                p.update(old, std::move(set));
            }
        }
        void create(rollout::release::size const& g)
        {
            if (g.which != wanted)
                return;  // its set is gone, and so is its template
            auto const hash = hash_of(g.which);
            model::replica_set set;
            set.metadata.name = r->metadata.name + '-' + hash;
            set.metadata.namespace_ = r->metadata.namespace_;
            set.metadata.labels = r->spec.template_.metadata.labels;
            set.metadata.labels[std::string(rollout_hash_label)] = hash;
            set.metadata.annotations[std::string(rollout_revision_annotation)] =
                std::to_string(last_revision + 1);
            set.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(r));
            set.spec.replicas = g.replicas;
            set.spec.min_ready_seconds = r->spec.min_ready_seconds;
            set.spec.selector = r->spec.selector;
            set.spec.selector.match_labels[std::string(rollout_hash_label)] = hash;
            set.spec.template_ = r->spec.template_;
            set.spec.template_.metadata.labels[std::string(rollout_hash_label)] = hash;
            if (view.template get<model::replica_set>(set.metadata.namespace_, set.metadata.name)) {
                trouble = "the name " + set.metadata.name + " is taken by a set that is not this rollout's";
                return;
            }
            scaled(set.metadata.name, 0, g.replicas);
            p.create(std::move(set));
        }
        void scaled(std::string const& set_name, std::int32_t from, std::int32_t to)
        {
            spends = true;
            record(p, view, r, event_type::normal, "ScalingReplicaSet",
                (to > from ? "Scaled up replica set " : "Scaled down replica set ") + set_name + " from " +
                    std::to_string(from) + " to " + std::to_string(to),
                name, now);
        }
        static std::map<std::string, std::int32_t> weights_of(rollout::release::route const& route)
        {
            std::map<std::string, std::int32_t> out;
            for (auto const& s : route.shares)
                if (s.weight > 0)
                    out.emplace(hash_of(s.to), s.weight);
            return out;
        }
        void route(std::string const& to, std::map<std::string, std::int32_t> weights,
            std::int64_t generation, bool divides)
        {
            if (to.empty() || weights.empty())
                return;
            auto const service = view.template get<model::service>(r->metadata.namespace_, to);
            if (!service) {
                trouble = "there is no service " + to;
                return;
            }
            for (auto const other : view.template all<model::rollout>(r->metadata.namespace_))
                if (names_of(*other).contains(to) &&
                    std::pair(other.created, other->metadata.name) < std::pair(r.created, r->metadata.name)) {
                    trouble = "the service " + to + " is the rollout " + other->metadata.name + "'s";
                    return;
                }
            if (!std::ranges::all_of(service->spec.selector, [&](auto const& label) {
                    auto const& labels = r->spec.template_.metadata.labels;
                    auto const it = labels.find(label.first);
                    return it != labels.end() && it->second == label.second;
                }))
                trouble = "the service " + to + " does not select the pods of this template";
            auto changed = *service;
            changed.metadata.annotations[std::string(managed_by_annotation)] = r->metadata.name;
            model::traffic_split split;
            if (changed.spec.split && changed.spec.split->label == rollout_hash_label)
                split = *changed.spec.split;  // matches and a mirror are the operator's
            split.label = rollout_hash_label;
            split.weights = std::move(weights);
            split.generation = generation;
            if (auto const& c = r->spec.strategy.canary; divides && c && c->traffic_routing->podium) {
                split.sticky = c->traffic_routing->podium->sticky;
                split.conversion_header = c->traffic_routing->podium->conversion_header;
            }
            changed.spec.split = std::move(split);
            p.update(service, std::move(changed));
        }

        // --- analyses -----------------------------------------------------------------------------

        template<class State>
        void analyse(rollout::release::goals const& todo, State const& state)
        {
            for (auto const& run : runs) {
                auto const number = number_of(*run);
                bool const asked = (todo.analysis && number == todo.analysis->number) ||
                    (todo.background && number == todo.background->number);
                if (!asked && is_over(run->status.phase) && number && *number + kept_runs <= state.runs)
                    p.remove(run);
                else if ((!asked || may_end(*run, todo, state)) && !run->spec.terminate &&
                    !is_over(run->status.phase)) {
                    auto ended = *run;
                    ended.spec.terminate = true;
                    p.update(run, std::move(ended));
                }
            }
            for (auto const* const asked : {&todo.analysis, &todo.background})
                if (*asked && !(*asked)->said && std::ranges::none_of(runs, [&](auto const& run) {
                        return number_of(*run) == (*asked)->number;
                    }))
                    begin(**asked, state.stable, state.target);
        }
        /// One that is measured again and again, for as long as it is wanted.
        static bool is_endless(model::analysis_metric const& m)
        {
            return !m.provider.podium && m.count == 0 && !m.interval.empty();
        }
        /// The background analysis, when the steps are done and what is left of it has no end of its own.
        template<class State>
        bool may_end(
            model::analysis_run const& run, rollout::release::goals const& todo, State const& state) const
        {
            if constexpr (requires { state.step; }) {
                auto const& results = run.status.metric_results;
                return todo.background && number_of(run) == todo.background->number &&
                    state.at == rollout::canary::stage::stepping &&
                    state.step >= r->spec.strategy.canary->steps.size() && !results.empty() &&
                    std::ranges::all_of(run.spec.metrics, [&](auto const& m) {
                        auto const it = std::ranges::find(results, m.name, &model::metric_result::name);
                        return it != results.end() &&
                            (is_over(it->phase) || (is_endless(m) && it->count > 0));
                    });
            } else {
                return false;
            }
        }
        void begin(rollout::release::run const& asked, template_id stable, template_id target)
        {
            std::vector<model::analysis_template_ref> templates;
            std::vector<model::analysis_argument> args;
            auto const take = [&](auto const& from) {
                if (from) {
                    templates = from->templates;
                    args = from->args;
                }
            };
            auto const& s = r->spec.strategy;
            if (s.blue_green)
                take(asked.which == pre_promotion_analysis ? s.blue_green->pre_promotion_analysis
                                                           : s.blue_green->post_promotion_analysis);
            else if (asked.which == background_analysis)
                take(s.canary->analysis);
            else if (asked.which < s.canary->steps.size())
                take(s.canary->steps[asked.which].analysis);

            model::analysis_run run;
            run.metadata.name = run_name(asked.number, target);
            run.metadata.namespace_ = r->metadata.namespace_;
            run.metadata.labels[std::string(run_label)] = std::to_string(asked.number);
            run.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(r));
            run.spec.args = std::move(args);
            run.spec.service = routed();
            run.spec.stable_version = stable == 0 ? std::string{} : hash_of(stable);
            run.spec.canary_version = hash_of(target);
            for (auto const& ref : templates) {
                auto const t =
                    view.template get<model::analysis_template>(r->metadata.namespace_, ref.template_name);
                if (!t) {
                    trouble = "there is no AnalysisTemplate " + ref.template_name;
                    return;
                }
                for (auto const& m : t->spec.metrics)
                    run.spec.metrics.push_back(m);
                run.spec.time_limit = longer(run.spec.time_limit, t->spec.time_limit);
                for (auto const& d : t->spec.dry_run)
                    run.spec.dry_run.push_back(d);
                for (auto const& a : t->spec.args)
                    if (std::ranges::none_of(
                            run.spec.args, [&](auto const& have) { return have.name == a.name; }))
                        run.spec.args.push_back(a);
            }
            bool const beside = s.canary && asked.which == background_analysis;
            for (auto const& m : run.spec.metrics)
                if (!beside && is_endless(m) && run.spec.time_limit.empty()) {
                    trouble = "the metric " + m.name + " has an interval and no count: it would never end";
                    return;
                }
            p.create(std::move(run));
        }
        /// Of several templates the longest limit that is given counts.
        static std::string longer(std::string const& a, std::string const& b)
        {
            auto const x = parse_duration(a), y = parse_duration(b);
            return !x || (y && *y > *x) ? b : a;
        }
        [[nodiscard]] std::string run_name(std::uint64_t number, template_id target) const
        {
            return r->metadata.name + '-' + hash_of(target) + '-' + std::to_string(number);
        }

        // --- what is shown ------------------------------------------------------------------------

        template<class State>
        void show(State const& state, rollout::release::goals const& todo)
        {
            auto& s = next.status;
            s.observed_generation = r->metadata.generation;
            s.phase = to_string(todo.phase);
            s.message = to_string(todo.why);
            s.current_pod_hash = hash_of(wanted);
            s.stable_rs = state.stable == 0 ? std::string{} : hash_of(state.stable);
            s.replicas = s.updated_replicas = s.ready_replicas = s.available_replicas = 0;
            for (auto const& set : handles) {
                s.replicas += set->status.replicas;
                s.ready_replicas += set->status.ready_replicas;
                s.available_replicas += set->status.available_replicas;
                if (id_of(*set) == wanted)
                    s.updated_replicas = set->status.replicas;
            }
            auto const run_of = [&](std::optional<rollout::release::run> const& run) {
                return run ? run_name(run->number, state.target) : std::string{};
            };
            s.canary.reset();
            s.blue_green.reset();
            s.current_step_index.reset();
            if constexpr (requires { state.step; }) {
                s.current_step_index = static_cast<std::int32_t>(state.step);
                auto& c = s.canary.emplace();
                if (todo.traffic) {
                    auto const weight = state.target == state.stable ? 0 : todo.traffic->weight(state.target);
                    c.weights =
                        model::canary_weights{{state.target == 0 ? "" : hash_of(state.target), weight},
                            {s.stable_rs, state.stable == 0 ? 0 : todo.traffic->weight(state.stable)}};
                }
                c.current_step_analysis_run = run_of(todo.analysis);
                c.current_background_analysis_run = run_of(todo.background);
            } else {
                auto& b = s.blue_green.emplace();
                for (auto const& share : state.traffic.shares)
                    if (share.weight > 0)
                        b.active_selector = hash_of(share.to);
                b.preview_selector = todo.preview == 0 ? std::string{} : hash_of(todo.preview);
                b.current_analysis_run = run_of(todo.analysis);
            }
        }
    };
};

}  // namespace podium::v0::controllers
