#pragma once
/// Measures for autoscalers: once each period, what pods use and what the proxy counted; and writes for each
/// of them one MetricReadings, which its controller decides on.
///
/// Nothing here decides. cpu and memory come from the nodes' runtimes; of pods and of Services the proxy
/// knows `requests_per_second`, `latency_p99_seconds` (unknown while requests are open and none has ended)
/// and `in_flight` (open now or, where that is more, on average since the last look: a service that answers
/// fast is not idle because nothing is open at that moment). External numbers come from Prometheus, where the
/// autoscaler names one, or from the embedder's source. Whoever answers late, too much or nonsense is an
/// error text in that one metric, and holds up no other.

#include <podium/cluster/router.hpp>
#include <podium/cluster/url.hpp>
#include <podium/cluster/usage.hpp>
#include <podium/controllers/autoscalers.hpp>
#include <podium/model/horizontal_pod_autoscaler.hpp>
#include <podium/model/metric_readings.hpp>
#include <podium/net/metric_source.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
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
#include <vector>

namespace podium::inline v0::cluster {

struct autoscaling_options {
    duration period = std::chrono::seconds(15);    ///< between two measurements
    duration deadline = std::chrono::seconds(10);  ///< of one external number
    net::any_metric_source external{};  ///< of external metrics that name no Prometheus; ends when cancelled
};

/// The pods' share of what the proxy counted between two looks.
class traffic_meter {
public:
    void absorb(net::router_status now, time_point at)
    {
        before_ = std::exchange(after_, std::move(now));
        before_at_ = std::exchange(after_at_, at);
    }
    /// Requests wait now: that alone is news, the rest is as it was.
    void waiting(net::router_status const& now)
    {
        for (auto const& [name, s] : now)
            after_[name].waiting = s.waiting;
    }
    [[nodiscard]] time_point at() const noexcept { return after_at_; }
    [[nodiscard]] duration window() const noexcept
    {
        return before_at_ == time_point{} ? duration::zero() : after_at_ - before_at_;
    }

    /// By the pod's uid. Nothing where the proxy knows no such pod, or was not looked at twice. Errors:
    /// `not_found` for a metric that there is not.
    [[nodiscard]] result<std::map<std::string, double>> of_pods(std::string_view metric) const
    {
        std::map<std::string, look> all;
        for (auto const& [name, s] : after_) {
            auto const old = before_.find(name);
            for (auto const& e : s.endpoints) {
                auto& to = all[e.id];
                to.in_flight += e.in_flight;
                net::request_counters from;
                if (old != before_.end())
                    for (auto const& o : old->second.endpoints)
                        if (o.id == e.id)
                            from = o.counters;
                to.add(e.counters, from);
            }
        }
        std::map<std::string, double> out;
        for (auto const& [id, l] : all) {
            auto const value = l.value(metric, window());
            if (!value && value.error().code == errc::not_found)
                return value.error();
            if (value)
                out.emplace(id, *value);
        }
        if (auto const known = look{}.value(metric, window());
            !known && known.error().code == errc::not_found)
            return known.error();
        return out;
    }
    /// All ports of a service. Errors: `not_found` for a metric or a service that is not known,
    /// `unavailable` before the second look.
    [[nodiscard]] result<double> of_service(
        std::string_view namespace_, std::string_view service, std::string_view metric) const
    {
        auto const prefix = std::string(namespace_) + '/' + std::string(service) + ':';
        look all;
        bool found = false;
        for (auto it = after_.lower_bound(prefix); it != after_.end() && it->first.starts_with(prefix);
            ++it) {
            found = true;
            for (auto const& e : it->second.endpoints)
                all.in_flight += e.in_flight;
            all.waiting += it->second.waiting;
            auto const old = before_.find(it->first);
            all.add(it->second.answered(),
                old == before_.end() ? net::request_counters{} : old->second.answered());
        }
        if (!found)
            return error{errc::not_found, "the proxy has no Service " + std::string(service), {}, {}};
        return all.value(metric, window());
    }

private:
    struct look {
        std::uint64_t in_flight = 0;
        std::uint64_t waiting = 0;  ///< for an endpoint: in flight, and requests, as others are
        std::uint64_t requests = 0;
        observe::histogram<15> latency{net::request_counters::bounds};

        void add(net::request_counters const& now, net::request_counters const& before)
        {
            requests += now.requests < before.requests ? now.requests : now.requests - before.requests;
            (void)latency.add(now.latency.since(before.latency).value());
        }
        [[nodiscard]] result<double> value(std::string_view metric, duration window) const
        {
            auto const open = in_flight + waiting;
            if (metric == "in_flight")
                return std::max(static_cast<double>(open),
                    window <= duration::zero() ? 0.0
                                               : latency.sum / std::chrono::duration<double>(window).count());
            if (metric != "requests_per_second" && metric != "latency_p99_seconds")
                return error{errc::not_found,
                    "the proxy counts requests_per_second, in_flight and latency_p99_seconds", {}, {}};
            if (window <= duration::zero())
                return error{errc::unavailable, "it was not looked at twice", {}, {}};
            if (metric == "requests_per_second")
                return static_cast<double>(requests + waiting) /
                    std::chrono::duration<double>(window).count();
            if (latency.count == 0 && open > 0)
                return error{errc::unavailable, "no request has ended since the last look", {}, {}};
            return latency.count == 0 ? 0.0 : latency.quantile(0.99);
        }
    };

    net::router_status before_{}, after_{};
    time_point before_at_{}, after_at_{};
};

/// One of these measures for all autoscalers of a cluster. View and store must outlive it, and it must
/// outlive `run`.
template<class View, reconcile::Store S>
class autoscaling {
public:
    /// `containers` reads the counters of all that run, `counts` those of the proxy.
    autoscaling(asio::any_io_executor executor, View const& view, S& store, autoscaling_options how,
        std::function<asio::awaitable<std::vector<container_reading>>()> containers,
        std::function<net::router_status()> counts)
        : executor_(executor),
          view_(view),
          store_(store),
          how_(std::move(how)),
          containers_(std::move(containers)),
          counts_(std::move(counts)),
          alive_(std::make_shared<bool>(true)),
          wake_(executor)
    {
    }
    autoscaling(autoscaling const&) = delete;
    autoscaling& operator=(autoscaling const&) = delete;
    ~autoscaling() { *alive_ = false; }

    /// Until it is cancelled; then nothing that it asked for is under way.
    asio::awaitable<void> run()
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        auto next = store::clock::now() + how_.period;
        while (cancellation.cancelled() == asio::cancellation_type::none) {
            auto const now = store::clock::now();
            bool const due = now >= next;
            if (due) {
                usage_.absorb(co_await containers_());
                traffic_.absorb(counts_(), store::clock::now());
                next = std::max(next + how_.period, now);
            }
            auto const fresh = std::exchange(fresh_, {});
            for (auto const a : view_.template all<model::horizontal_pod_autoscaler>())
                if (due || fresh.contains(a.which()))
                    collect(a);
            co_await wake_.wait(next);
        }
        ended_ = true;
        for (auto& call : calls_)
            call.emit(asio::cancellation_type::terminal);
        co_await asio::this_coro::reset_cancellation_state();
        while (!calls_.empty())
            co_await wake_.wait({});
    }

    /// The view shows these changes now. An autoscaler that is new, or has other metrics, gets what is known
    /// at once.
    void absorb(std::span<reconcile::change const> changes)
    {
        for (auto const& c : changes) {
            auto const a = c.object.template as<model::horizontal_pod_autoscaler>();
            if (!a || c.deleted || a->status.observed_generation == a->metadata.generation)
                continue;
            fresh_.insert(a.which());
            wake_.kick();
        }
    }

    /// A request to this service port waits for an endpoint: whoever goes by that service is measured for at
    /// once. May be called from anywhere on the strand.
    void waiting(std::string_view route)
    {
        traffic_.waiting(counts_());
        auto const slash = route.find('/'), colon = route.rfind(':');
        auto const service = route.substr(slash + 1, colon - slash - 1);
        for (auto const a : view_.template all<model::horizontal_pod_autoscaler>(route.substr(0, slash)))
            for (auto const& m : a->spec.metrics)
                if (m.object && m.object->described_object.kind == model::service::kind &&
                    m.object->described_object.name == service)
                    fresh_.insert(a.which());
        wake_.kick();
    }

    [[nodiscard]] usage_meter const& usage() const noexcept { return usage_; }

private:
    using autoscaler = reconcile::handle<model::horizontal_pod_autoscaler>;

    void collect(autoscaler const& a)
    {
        model::metric_readings out;
        auto pods = controllers::pods_of(view_, *a);
        std::ranges::sort(pods, {}, [](auto const& pod) { return std::string_view(pod->metadata.name); });
        std::vector<std::size_t> asked;
        for (auto const& m : a->spec.metrics) {
            if (m.type == model::metric_source_type::external && m.external)
                asked.push_back(out.metrics.size());
            out.metrics.push_back(known(*a, m, pods));
        }
        if (asked.empty())
            return write(a, std::move(out));
        if (asking_.contains(a.uid())) {  // the last time is not over yet: once more, then
            fresh_.insert(a.which());
            return;
        }
        asking_.emplace(a.uid(), asked.size());
        auto const answers = std::make_shared<model::metric_readings>(std::move(out));
        for (auto const i : asked)
            ask(a, answers, i);
    }

    /// All of an autoscaler's at the same time; the last answer writes them.
    void ask(autoscaler const& a, std::shared_ptr<model::metric_readings> const& answers, std::size_t metric)
    {
        auto& signal = calls_.emplace_back();
        auto const at = std::prev(calls_.end());
        auto answered = [this, at, a, answers, metric, alive = alive_](
                            std::exception_ptr failed, result<double> value) {
            if (!*alive)
                return;
            auto& to = answers->metrics[metric];
            if (failed || !value)
                to.error = failed ? "the source failed" : value.error().text();
            else if (!std::isfinite(*value))
                to.error = "the value is not a number";
            else
                to.value = amount(*value);
            calls_.erase(at);
            if (auto const left = asking_.find(a.uid()); --left->second == 0) {
                asking_.erase(left);
                if (!ended_)
                    write(a, std::move(*answers));
            }
            wake_.kick();
        };
        asio::co_spawn(executor_, external(*a->spec.metrics[metric].external, a->metadata.namespace_),
            asio::bind_cancellation_slot(signal.slot(), std::move(answered)));
    }

    asio::awaitable<result<double>> external(model::external_metric_source m, std::string namespace_)
    {
        if (m.prometheus) {
            auto const where = url_address(view_, m.prometheus->address, namespace_);
            if (!where)
                co_return where.error();
            auto path = where->second == "/" ? std::string{} : where->second;
            co_return co_await net::ask_prometheus(
                where->first, path + net::prometheus_path(m.prometheus->query), how_.deadline);
        }
        if (!how_.external)
            co_return error{errc::not_found, "nobody here knows it", {}, {}};
        net::metric_query q{namespace_, m.metric.name, {}};
        if (m.metric.selector)
            q.labels = m.metric.selector->match_labels;
        using namespace asio::experimental::awaitable_operators;
        asio::steady_timer late(executor_, how_.deadline);
        try {
            auto source = how_.external(std::move(q));
            auto first = co_await (std::move(source) || late.async_wait(asio::use_awaitable));
            if (first.index() == 0)
                co_return std::get<0>(std::move(first));
            co_return error{errc::deadline, "the source did not answer in time", {}, {}};
        } catch (std::exception const& e) {
            co_return error{errc::unavailable, e.what(), {}, {}};
        }
    }

    void write(autoscaler const& a, model::metric_readings next)
    {
        reconcile::plan p;
        auto const old = view_.template get<model::metric_readings>(a.which());
        next.metadata = old ? old->metadata : model::object_meta{};
        next.metadata.name = a->metadata.name;
        next.metadata.namespace_ = a->metadata.namespace_;
        next.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(a)};
        next.time = model::time{store::clock::now()};
        next.observed_generation = a->metadata.generation;
        if (old)
            p.update(old, std::move(next));
        else
            p.create(std::move(next));
        auto const kept = std::make_shared<reconcile::plan>(std::move(p));
        store_.commit(kept->whole(), [kept](reconcile::committed) {});
    }

    // -- What is known here ------------------------------------------------------------------------

    using pod_handles = std::vector<reconcile::handle<model::pod>>;

    model::metric_reading known(
        model::horizontal_pod_autoscaler const& a, model::metric_spec const& m, pod_handles const& pods) const
    {
        if (m.resource && m.type == model::metric_source_type::resource)
            return resource(m.resource->name, {}, pods);
        if (m.container_resource && m.type == model::metric_source_type::container_resource)
            return resource(m.container_resource->name, m.container_resource->container, pods);
        if (m.pods && m.type == model::metric_source_type::pods)
            return counted(m.pods->metric, pods);
        if (m.object && m.type == model::metric_source_type::object)
            return counted(a, *m.object);
        return {};
    }
    static model::metric_reading none(std::string why)
    {
        model::metric_reading out;
        out.error = std::move(why);
        return out;
    }
    static quantity amount(double x) { return quantity::from_milli(autoscale::milli(x).value_or(0)); }

    model::metric_reading resource(
        std::string const& name, std::string_view container, pod_handles const& pods) const
    {
        bool const cpu = name == "cpu";
        if (!cpu && name != "memory")
            return none("only cpu and memory are measured");
        model::metric_reading out;
        for (auto const& pod : pods) {
            auto const it = usage_.pods().find(pod.uid());
            if (it == usage_.pods().end())
                continue;
            std::int64_t sum = 0;
            bool whole = true, any = false;
            auto const add = [&](model::container const& c) {
                if (!container.empty() && c.name != container)
                    return;
                any = true;
                auto const used = std::ranges::find(it->second.containers, c.name, &container_load::name);
                whole = whole && used != it->second.containers.end();
                if (whole)
                    sum += cpu ? used->cpu_nano_cores : static_cast<std::int64_t>(used->memory_bytes);
            };
            for (auto const& c : pod->spec.containers)
                add(c);
            for (auto const& c : pod->spec.init_containers)
                if (c.restart_policy == model::restart_policy::always)
                    add(c);
            if (whole && any)  // else a crash, or a container that there is not, would look like an idle pod
                out.pods.push_back({pod->metadata.name,
                    cpu ? amount(static_cast<double>(sum) / 1e9)
                        : quantity::from_integer(sum, 0, quantity_format::binary_si),
                    model::time{it->second.measured_at}, it->second.window});
        }
        return out;
    }
    model::metric_reading counted(model::metric_identifier const& m, pod_handles const& pods) const
    {
        auto const all = traffic_.of_pods(m.name);
        if (!all)
            return none(all.error().message);
        model::metric_reading out;
        for (auto const& pod : pods)
            if (auto const it = all->find(pod.uid()); it != all->end())
                out.pods.push_back(
                    {pod->metadata.name, amount(it->second), model::time{traffic_.at()}, traffic_.window()});
        return out;
    }
    model::metric_reading counted(
        model::horizontal_pod_autoscaler const& a, model::object_metric_source const& m) const
    {
        if (m.described_object.kind != model::service::kind)
            return none("only Services are measured");
        auto const value = traffic_.of_service(a.metadata.namespace_, m.described_object.name, m.metric.name);
        if (!value)
            return none(value.error().message);
        model::metric_reading out;
        out.value = amount(*value);
        return out;
    }

    asio::any_io_executor executor_;
    View const& view_;
    S& store_;
    autoscaling_options how_;
    std::function<asio::awaitable<std::vector<container_reading>>()> containers_;
    std::function<net::router_status()> counts_;
    std::shared_ptr<bool> alive_;
    store::alarm wake_;
    usage_meter usage_{};
    traffic_meter traffic_{};
    std::set<reconcile::key> fresh_{};             ///< to be measured for at once
    std::map<std::string, std::size_t> asking_{};  ///< external numbers that are under way, by uid
    bool ended_ = false;
    std::list<asio::cancellation_signal> calls_{};
};

}  // namespace podium::v0::cluster
