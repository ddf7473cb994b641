#pragma once
/// Carries out AnalysisRuns: measures what their metrics say, has it judged, and writes down how far they
/// are.
///
/// The router's own counts are read here, so the loop from a request to a verdict is closed in one process. A
/// change of the weights begins another stretch at once: the units before and after it are never mixed. A
/// conversion counts in the stretch in which it comes in, which need not be that of its visit: where people
/// take long to convert, a raise of the weight makes the canary look a little worse than it is, as stable has
/// more of the late ones. Jobs are pods that the run owns, ended with what they were started for; commands
/// and calls have deadlines. What is under way is remembered here alone: a run that is interrupted begins
/// anew.

#include <podium/cluster/router.hpp>
#include <podium/cluster/url.hpp>
#include <podium/controllers/analyses.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/model/analysis.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/pod.hpp>
#include <podium/net/command.hpp>
#include <podium/net/http_client.hpp>
#include <podium/net/metric_source.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::cluster {

/// One of these carries out all runs of a cluster. View and store must outlive it, and it must outlive `run`.
template<class View, reconcile::Store S>
class analyses {
public:
    /// `counts` tells what the router has counted so far.
    analyses(asio::any_io_executor executor, View const& view, S& store,
        std::function<net::router_status()> counts)
        : executor_(executor),
          view_(view),
          store_(store),
          counts_(std::move(counts)),
          alive_(std::make_shared<bool>(true)),
          wake_(executor)
    {
    }
    analyses(analyses const&) = delete;
    analyses& operator=(analyses const&) = delete;
    ~analyses() { *alive_ = false; }

    /// Until it is cancelled; then what is being measured has ended, too.
    asio::awaitable<void> run()
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        while (cancellation.cancelled() == asio::cancellation_type::none)
            co_await wake_.wait(look(store::clock::now()));
        for (auto& [uid, one] : active_)
            end_calls(one);
        co_await asio::this_coro::reset_cancellation_state();
        while (calls_ > 0)
            co_await wake_.wait({});
    }

    /// The view shows these changes now.
    void absorb(std::span<reconcile::change const> changes)
    {
        auto const is_of_a_run = [](reconcile::object const& o) {
            auto const pod = o.as<model::pod>();
            auto const* const owner = pod ? model::controller_of(pod->metadata) : nullptr;
            return owner && owner->kind == model::analysis_run::kind;
        };
        for (auto const& c : changes)
            if (c.object.kind == &reconcile::kind_of<model::analysis_run> ||
                c.object.kind == &reconcile::kind_of<model::service> || is_of_a_run(c.object))
                return wake_.kick();
    }

private:
    using judge = controllers::analysis_judge;
    using measurement = rollout::analysis::measurement<judge>;
    using reading = typename judge::reading;
    using sample = rollout::analysis::sample;
    using stretch = rollout::analysis::stretch;
    using ticket = rollout::analysis::ticket;

    /// One `podium` metric: its stretches, and the counts when the last of them began.
    struct comparison {
        std::vector<stretch> seen{};
        stretch begun{};
    };
    /// A pod that runs for a metric.
    struct job {
        ticket of{};
        std::int32_t attempt = 0;
    };
    struct active {
        reconcile::handle<model::analysis_run> object{};
        std::vector<model::analysis_metric> metrics{};  ///< with their arguments
        controllers::analysis_policy policy{};
        controllers::analysis_state state{};
        std::map<std::size_t, comparison> comparisons{};  ///< by metric
        std::map<std::size_t, job> jobs{};
        std::vector<measurement> answers{};  ///< not judged yet
        std::list<asio::cancellation_signal> calls{};
        model::analysis_run_status written{};
        time_point write_next{};           ///< not before, unless the phase changes
        reconcile::revision written_at{};  ///< no older view is gone by
        bool committing = false;
        std::optional<error> refused{};  ///< why it cannot be begun
    };

    /// One look at all runs; answers when to look again.
    std::optional<time_point> look(time_point now)
    {
        time_point next = never;
        std::set<std::string> present;
        for (auto const run : view_.template all<model::analysis_run>()) {
            if (is_over(run->status.phase)) {
                tidy(run, {});
                continue;
            }
            present.insert(run.uid());
            auto& one = find(run, now);
            one.object = run;
            if (one.committing || is_over(one.written.phase))
                continue;
            if (view_.at() < one.written_at)
                next = std::min(next, now + std::chrono::milliseconds(20));
            else if (one.refused)
                refuse(one, now);
            else
                next = std::min(next, advance(one, now));
        }
        for (auto it = active_.begin(); it != active_.end();) {
            auto& one = it->second;
            if (!present.contains(it->first))
                end_calls(one);
            bool const gone = !present.contains(it->first) && !one.committing && one.calls.empty();
            it = gone ? active_.erase(it) : std::next(it);
        }
        return next == never ? std::optional<time_point>() : next;
    }
    active& find(reconcile::handle<model::analysis_run> const& run, time_point now)
    {
        auto const [it, added] = active_.try_emplace(run.uid());
        auto& one = it->second;
        one.object = run;
        if (added)
            if (auto const begun = begin(one, now); !begun)
                one.refused = begun.error();
        return one;
    }
    void refuse(active& one, time_point now)
    {
        model::analysis_run_status s;
        s.phase = model::analysis_phase::error;
        s.message = one.refused->text();
        s.started_at = s.completed_at = model::time{now};
        write(one, std::move(s));
    }
    result<void> begin(active& one, time_point now) const
    {
        auto const& spec = one.object->spec;
        for (std::size_t i = 0; i < spec.metrics.size(); ++i) {
            auto m = controllers::resolved(spec.metrics[i], spec);
            if (!m)
                return error(m.error()).inside("spec.metrics[" + std::to_string(i) + "]");
            one.metrics.push_back(*std::move(m));
            auto const& compared = one.metrics.back().provider.podium;
            if (!compared)
                continue;
            if (auto countable = check(*one.object, *compared); !countable)
                return error(countable.error())
                    .inside("spec.metrics[" + std::to_string(i) + "].provider.podium");
            one.comparisons.try_emplace(i);
        }
        auto policy = controllers::policy_of(spec, one.metrics);
        if (!policy)
            return policy.error();
        one.policy = *std::move(policy);
        one.state = rollout::analysis::begin(one.policy, now);
        return {};
    }
    /// Conversions are read from answers, so somebody must read them. A service may still come.
    result<void> check(model::analysis_run const& run, model::podium_metric const& m) const
    {
        auto const service = view_.template get<model::service>(run.metadata.namespace_, service_of(run, m));
        if (m.measure != model::traffic_measure::conversions || !service ||
            std::ranges::any_of(service->spec.ports,
                [](auto const& port) { return mode_of(port) == net::proxy_service::mode::http; }))
            return {};
        return error{errc::invalid,
            "Service " + service->metadata.name +
                " has no HTTP port, and only HTTP answers tell of conversions: name a port \"http\", or give "
                "it appProtocol: http",
            "service", {}};
    }
    static std::string const& service_of(model::analysis_run const& run, model::podium_metric const& m)
    {
        return m.service.empty() ? run.spec.service : m.service;
    }
    /// Answers when to look again.
    time_point advance(active& one, time_point now)
    {
        count(one);
        follow_jobs(one);
        auto const that =
            one.object->spec.terminate ? rollout::analysis::wish::stop : rollout::analysis::wish::go_on;
        time_point wake = never;
        do {  // until no answer comes at once
            auto const answers = std::exchange(one.answers, {});
            auto stepped = rollout::analysis::step(one.policy, std::move(one.state), answers, now, that);
            one.state = std::move(stepped.next);
            wake = stepped.todo.wake_at;
            for (auto const& t : stepped.todo.measure)
                measure(one, t, now);
        } while (!one.answers.empty());
        std::erase_if(one.jobs, [&](auto const& j) {  // nobody waits for it: it took too long, or all is said
            auto const& at = one.state.metrics[j.first];
            return at.said || !at.asked_at || at.sequence != j.second.of.sequence;
        });
        tidy(one.object, one.jobs);

        auto shown = *one.object;
        controllers::show(shown, one.policy, one.state, now);
        if (shown.status == one.written)
            return wake;
        if (shown.status.phase == one.written.phase && now < one.write_next)
            return std::min(wake, one.write_next);
        if (is_over(shown.status.phase))
            end_calls(one);
        one.write_next = now + std::chrono::milliseconds(250);
        write(one, std::move(shown.status));
        return wake;
    }
    void write(active& one, model::analysis_run_status status)
    {
        auto next = *one.object;
        one.written = status;
        next.status = std::move(status);
        reconcile::plan p;
        p.update(one.object, std::move(next));
        commit(one, std::move(p));
    }
    void commit(active& one, reconcile::plan p)
    {
        if (p.empty())
            return;
        auto const kept = std::make_shared<reconcile::plan>(std::move(p));
        one.committing = true;
        auto done = [this, kept, uid = one.object.uid(), alive = alive_](reconcile::committed answer) {
            if (!*alive)
                return;
            auto& it = active_.at(uid);
            it.committing = false;
            it.written_at = answer.at;
            if (!answer.outcome)
                it.written = {};  // somebody else wrote it: once more, from what is there now
            wake_.kick();
        };
        store_.commit(kept->whole(), std::move(done));
    }

    // -- The router's counts -----------------------------------------------------------------------

    /// Brings the stretches of all comparisons up to date.
    void count(active& one)
    {
        if (one.comparisons.empty())
            return;
        auto const counts = counts_();
        for (auto& [i, c] : one.comparisons) {
            auto const& m = *one.metrics[i].provider.podium;
            auto const& service = service_of(*one.object, m);
            auto const split = view_.template get<model::service>(one.object->metadata.namespace_, service);
            if (!split || !split->spec.split)
                continue;
            auto now = tally(counts, service, *split->spec.split, m, *one.object);
            now.share = share_of(*split->spec.split, one.object->spec);
            if (!(now.share > 0 && now.share < 1))
                continue;  // one of the two gets nothing: there is nothing to compare
            auto const fewer = [](sample const& before, sample const& after) {
                return after.units < before.units || after.successes < before.successes;
            };
            bool const restarted = fewer(c.begun.canary, now.canary) || fewer(c.begun.stable, now.stable);
            if (c.seen.empty() || restarted || c.begun.share < now.share || c.begun.share > now.share) {
                c.begun = restarted ? stretch{} : now;
                c.begun.share = now.share;
                c.seen.push_back({.canary = {}, .stable = {}, .share = now.share});
            }
            auto const since = [](sample const& before, sample const& after) {
                auto const units = after.units - before.units;
                return sample{units, std::min(units, after.successes - before.successes)};
            };
            c.seen.back().canary = since(c.begun.canary, now.canary);
            c.seen.back().stable = since(c.begun.stable, now.stable);
        }
    }
    static double share_of(model::traffic_split const& split, model::analysis_run_spec const& run)
    {
        auto const weight = [&](std::string const& version) {
            auto const it = split.weights.find(version);
            return it == split.weights.end() ? 0.0 : static_cast<double>(it->second);
        };
        auto const canary = weight(run.canary_version), both = canary + weight(run.stable_version);
        return both > 0 ? canary / both : 0;
    }
    /// What was counted of both versions so far. Of conversions the unit is the visitor, where the router
    /// knows one from another.
    static stretch tally(net::router_status const& counts, std::string const& service,
        model::traffic_split const& split, model::podium_metric const& m, model::analysis_run const& run)
    {
        bool const visitors = split.sticky && !split.sticky->cookie.empty();
        stretch out;
        auto const prefix = run.metadata.namespace_ + '/' + service + ':';
        for (auto it = counts.lower_bound(prefix); it != counts.end() && it->first.starts_with(prefix); ++it)
            for (auto const& [version, v] : it->second.versions) {
                if (version != run.spec.canary_version && version != run.spec.stable_version)
                    continue;
                auto& to = version == run.spec.canary_version ? out.canary : out.stable;
                switch (m.measure) {
                case model::traffic_measure::conversions:
                    to.units += visitors ? v.visitors : v.requests;
                    to.successes += visitors ? v.converted_visitors : v.conversions;
                    break;
                case model::traffic_measure::errors:
                    to.units += v.requests;
                    to.successes += v.errors();
                    break;
                case model::traffic_measure::latency:
                    to.units += v.latency.count;
                    to.successes += v.latency.count - v.latency.at_most(edge_of(*m.slower_than));
                    break;
                }
            }
        return out;
    }
    /// The bucket whose bound is nearest: counts on both sides of it are exact.
    static std::size_t edge_of(double seconds)
    {
        auto const& bounds = net::request_counters::bounds;
        return static_cast<std::size_t>(std::ranges::min_element(bounds, {}, [&](double b) {
            return std::abs(std::log(b / seconds));
        }) - bounds.begin());
    }

    // -- Measuring ---------------------------------------------------------------------------------

    void measure(active& one, ticket const& t, time_point now)
    {
        auto const& provider = one.metrics[t.metric].provider;
        if (provider.podium) {
            one.answers.push_back({t, reading(std::in_place_index<1>, one.comparisons[t.metric].seen), now});
        } else if (provider.job) {
            one.jobs[t.metric] = {t, 0};
            start_job(one, t.metric);
        } else {
            auto& signal = one.calls.emplace_back();
            ++calls_;
            auto const at = std::prev(one.calls.end());
            asio::co_spawn(executor_, value_of(one.metrics[t.metric], one.object),
                asio::bind_cancellation_slot(signal.slot(),
                    [this, t, at, uid = one.object.uid(), alive = alive_](
                        std::exception_ptr failed, result<double> value) {
                        if (!*alive)
                            return;
                        auto& run = active_.at(uid);
                        run.calls.erase(at);
                        --calls_;
                        measurement m{t, {}, store::clock::now()};
                        if (!failed && value)
                            m.value = reading(std::in_place_index<0>, *value);
                        run.answers.push_back(m);
                        wake_.kick();
                    }));
        }
    }
    /// Nobody waits for what is being measured any more.
    void end_calls(active& one)
    {
        for (auto& call : one.calls)
            call.emit(asio::cancellation_type::terminal);
        one.jobs.clear();
    }

    /// The number that a call or a command gives. By value: it outlives what asked for it.
    asio::awaitable<result<double>> value_of(
        model::analysis_metric metric, reconcile::handle<model::analysis_run> run)
    {
        auto const& provider = metric.provider;
        if (provider.command) {
            net::command c;
            c.argv = provider.command->command;
            auto const* const path = std::getenv("PATH");
            c.environment = {std::string("PATH=") + (path ? path : "/usr/local/bin:/usr/bin:/bin"),
                "CANARY_HASH=" + run->spec.canary_version, "STABLE_HASH=" + run->spec.stable_version};
            auto const end = co_await net::run_command(
                std::move(c), {.deadline = std::chrono::seconds(provider.command->timeout_seconds)});
            if (!end)
                co_return end.error();
            co_return end->signal == 0 && end->exit_code == 0 ? 1.0 : 0.0;
        }
        model::web_metric call;
        if (provider.prometheus) {
            call.url = provider.prometheus->address + net::prometheus_path(provider.prometheus->query);
            call.json_path = "{$.data.result[0].value[1]}";
        } else {
            call = *provider.web;
        }
        auto const where = url_address(view_, call.url, run->metadata.namespace_);
        if (!where)
            co_return where.error();
        net::http_request request(boost::beast::http::string_to_verb(call.method), where->second, 11);
        if (request.method() == boost::beast::http::verb::unknown)
            co_return error{errc::invalid, "there is no method " + call.method, "web.method", {}};
        for (auto const& h : call.headers)
            request.set(h.key, h.value);
        request.body() = call.body;
        auto const answer = co_await net::http_call(where->first, std::move(request),
            {.deadline = std::chrono::seconds(call.timeout_seconds), .body_limit_bytes = 1024 * 1024});
        if (!answer)
            co_return answer.error();
        bool const good = answer->result_int() / 100 == 2;
        if (call.json_path.empty() && metric.success_condition.empty() && metric.failure_condition.empty())
            co_return good ? 1.0 : 0.0;
        if (!good)
            co_return error{errc::unavailable, "answered " + std::to_string(answer->result_int()), {}, {}};
        co_return net::number_at(answer->body(), call.json_path);
    }

    // -- Jobs --------------------------------------------------------------------------------------

    static std::string pod_name(
        reconcile::handle<model::analysis_run> const& run, std::size_t metric, job const& j)
    {
        return run->metadata.name + '-' + std::to_string(metric) + '-' + std::to_string(j.of.sequence) + '-' +
            std::to_string(j.attempt);
    }
    void start_job(active& one, std::size_t metric)
    {
        auto const& from = one.metrics[metric].provider.job->spec->template_;
        model::pod pod;
        pod.metadata.name = pod_name(one.object, metric, one.jobs.at(metric));
        pod.metadata.namespace_ = one.object->metadata.namespace_;
        pod.metadata.labels = from.metadata.labels;
        pod.metadata.annotations = from.metadata.annotations;
        pod.metadata.creation_timestamp = model::time{store::clock::now()};
        pod.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(one.object));
        pod.spec = from.spec;
        model::set_defaults(pod);
        reconcile::plan p;
        p.create(std::move(pod));
        auto const kept = std::make_shared<reconcile::plan>(std::move(p));
        store_.commit(kept->whole(), [kept](reconcile::committed) {});
    }
    /// Ends the pods of a run that are not those of these jobs, also such as this process did not start.
    void tidy(reconcile::handle<model::analysis_run> const& run, std::map<std::size_t, job> const& jobs)
    {
        reconcile::plan p;
        for (auto const pod : view_.template owned_by<model::pod>(run))
            if (!is_terminal(pod->status.phase) && !pod->metadata.deletion_timestamp &&
                std::ranges::none_of(jobs,
                    [&](auto const& j) { return pod->metadata.name == pod_name(run, j.first, j.second); }))
                controllers::begin_deletion(p, pod, store::clock::now());
        if (p.empty())
            return;
        auto const kept = std::make_shared<reconcile::plan>(std::move(p));
        store_.commit(kept->whole(), [kept](reconcile::committed) {});
    }
    void follow_jobs(active& one)
    {
        for (auto it = one.jobs.begin(); it != one.jobs.end();) {
            auto& [metric, j] = *it;
            auto const& spec = *one.metrics[metric].provider.job->spec;
            auto const pod = view_.template get<model::pod>(
                one.object->metadata.namespace_, pod_name(one.object, metric, j));
            bool const ended = pod && is_terminal(pod->status.phase);
            if (!ended) {
                ++it;
                continue;
            }
            bool const good = pod->status.phase == model::pod_phase::succeeded;
            if (!good && j.attempt < spec.backoff_limit) {
                ++j.attempt;
                start_job(one, metric);
                ++it;
                continue;
            }
            one.answers.push_back(
                {j.of, reading(std::in_place_index<0>, good ? 1.0 : 0.0), store::clock::now()});
            it = one.jobs.erase(it);
        }
    }

    asio::any_io_executor executor_;
    View const& view_;
    S& store_;
    std::function<net::router_status()> counts_;
    std::shared_ptr<bool> alive_;
    store::alarm wake_;
    std::map<std::string, active> active_{};  ///< by uid
    std::size_t calls_ = 0;                   ///< under way
};

}  // namespace podium::v0::cluster
