#pragma once
/// History: what the router counted lately, as rates, and what it was in the last minutes, for plots.
///
/// Counters only grow, so a rate is a difference over the last seconds. All is bounded: a sample a second for
/// five minutes of each service port, and of each comparison of two versions so many looks that their ranges
/// can be seen shrinking. Pure: whoever samples brings the counts and the time.

#include <podium/core/time.hpp>
#include <podium/model/analysis.hpp>
#include <podium/model/json.hpp>
#include <podium/net/router.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::cluster {

/// What one service port did in the last seconds.
struct service_figures {
    struct version {
        double rate = 0;    ///< requests per second
        double errors = 0;  ///< of them
        friend bool operator==(version const&, version const&) = default;
    };
    double rate = 0;    ///< requests per second that ended
    double errors = 0;  ///< 5xx, no answer, or no endpoint, per second
    double p50 = 0;     ///< seconds; 0 without requests
    double p99 = 0;
    std::uint32_t in_flight = 0;                ///< now
    std::map<std::string, version> versions{};  ///< by its name; "" for pods that have none
    friend bool operator==(service_figures const&, service_figures const&) = default;
};

namespace detail {

/// Three digits are all that a person reads, and what stays the same is not sent again.
[[nodiscard]] inline double rounded(double value)
{
    if (value == 0 || !std::isfinite(value))
        return 0;
    auto const scale = std::pow(10.0, 2 - std::floor(std::log10(std::abs(value))));
    return std::round(value * scale) / scale;
}

}  // namespace detail

class history {
public:
    static constexpr std::size_t seconds = 300;  ///< samples of a service that are kept
    static constexpr std::size_t looks = 240;    ///< of a comparison; then every second one goes
    static constexpr duration window = std::chrono::seconds(3);  ///< that rates are taken over

    /// A sample; to be called once a second. What is not in `counts` any more is forgotten.
    void observe(net::router_status const& counts, time_point now)
    {
        ++samples_;
        std::erase_if(services_, [&](auto const& s) { return !counts.contains(s.first); });
        for (auto const& [name, status] : counts)
            observe(services_[name], sum_of(status), now);
    }
    /// What an autoscaler went by, and what came of it.
    struct scaling {
        double load = 0;  ///< of its target, by the metric that asks for most
        std::int32_t replicas = 0;
    };
    /// A sample of the autoscalers, by "namespace/name". What is not in it any more is forgotten.
    void observe(std::map<std::string, scaling> const& all)
    {
        std::erase_if(autoscalers_, [&](auto const& a) { return !all.contains(a.first); });
        for (auto const& [name, now] : all) {
            auto& a = autoscalers_[name];
            keep(a.load, now.load);
            keep(a.replicas, now.replicas);
        }
    }
    /// What the analyses know, to be called when it may have changed.
    template<class View>
    void observe_analyses(View const& view, time_point now)
    {
        std::map<std::string, std::deque<look>> kept;
        for (auto const run : view.template all<model::analysis_run>())
            for (auto const& m : run->status.metric_results) {
                if (!m.comparison)
                    continue;
                auto const key = run->metadata.namespace_ + '/' + run->metadata.name + '/' + m.name;
                auto& all = kept[key];
                if (auto const old = comparisons_.find(key); old != comparisons_.end())
                    all = std::move(old->second);
                if (!all.empty() && all.back().what == *m.comparison)
                    continue;
                all.push_back({now, *m.comparison});
                if (all.size() > looks)
                    thin(all);
            }
        comparisons_ = std::move(kept);
    }

    /// How many samples there were: the number of the one that `services` shows.
    [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
    /// By `route_name`.
    [[nodiscard]] std::map<std::string, service_figures, std::less<>> services() const
    {
        std::map<std::string, service_figures, std::less<>> out;
        for (auto const& [name, s] : services_)
            out.emplace(name, s.now);
        return out;
    }
    /// Columns of numbers, oldest first:
    /// {services: {name: [rate, errors, p50, p99, in flight]}, autoscalers: {name: [load, replicas]},
    /// comparisons: {run/metric: [[at, ...]]}}.
    [[nodiscard]] model::json to_json() const
    {
        auto out = model::json{{"services", model::json::object()}, {"autoscalers", model::json::object()},
            {"comparisons", model::json::object()}};
        for (auto const& [name, s] : services_)
            out["services"][name] = {s.rate, s.errors, s.p50, s.p99, s.in_flight};
        for (auto const& [name, a] : autoscalers_)
            out["autoscalers"][name] = {a.load, a.replicas};
        for (auto const& [name, all] : comparisons_) {
            auto& list = out["comparisons"][name] = model::json::array();
            for (auto const& l : all)
                list.push_back(row_of(l.at, l.what));
        }
        return out;
    }
    /// [at, canary units, hits, low, high, stable units, hits, low, high]: one look as the page keeps it.
    [[nodiscard]] static model::json row_of(time_point at, model::analysis_comparison const& c)
    {
        auto const ms = std::chrono::floor<std::chrono::milliseconds>(at.time_since_epoch()).count();
        return {ms, c.canary_units, c.canary_hits, c.canary.low, c.canary.high, c.stable_units, c.stable_hits,
            c.stable.low, c.stable.high};
    }

private:
    using latency = decltype(net::request_counters::latency);
    struct totals {
        time_point at{};
        std::uint64_t requests = 0;
        std::uint64_t errors = 0;
        std::uint32_t in_flight = 0;
        latency took{net::request_counters::bounds};
        std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> versions{};  ///< requests, errors
    };
    struct service {
        std::deque<totals> recent{};  ///< as far back as `window`
        service_figures now{};
        std::deque<double> rate{}, errors{}, p50{}, p99{};
        std::deque<std::uint32_t> in_flight{};
    };
    struct autoscaler {
        std::deque<double> load{};
        std::deque<std::int32_t> replicas{};
    };
    struct look {
        time_point at{};
        model::analysis_comparison what{};
    };

    /// What users got; copies are nobody's.
    static totals sum_of(net::service_status const& s)
    {
        totals t;
        auto const all = s.answered();
        t.requests = all.requests + s.refused;
        t.errors = all.errors() + s.refused;
        t.took = all.latency;
        for (auto const& [name, v] : s.versions)
            t.versions[name] = {v.requests + v.matched.requests, v.errors() + v.matched.errors()};
        for (auto const& e : s.endpoints)
            t.in_flight += e.in_flight;
        return t;
    }
    static void observe(service& s, totals now, time_point at)
    {
        now.at = at;
        // A service that was opened again counts from 0: what was before it says nothing.
        if (!s.recent.empty() && now.requests < s.recent.back().requests)
            s.recent.clear();
        while (s.recent.size() > 1 && at - s.recent[1].at >= window)
            s.recent.pop_front();
        auto& out = s.now = {};
        out.in_flight = now.in_flight;
        if (!s.recent.empty()) {
            auto const& before = s.recent.front();
            auto const took = std::chrono::duration<double>(at - before.at).count();
            auto const per_second = [&](std::uint64_t then, std::uint64_t later) {
                return took > 0 ? detail::rounded(static_cast<double>(later - then) / took) : 0.0;
            };
            out.rate = per_second(before.requests, now.requests);
            out.errors = per_second(before.errors, now.errors);
            auto const took_lately = now.took.since(before.took).value_or(latency{});
            out.p50 = detail::rounded(took_lately.quantile(0.5));
            out.p99 = detail::rounded(took_lately.quantile(0.99));
            for (auto const& [name, v] : now.versions) {
                auto const old = before.versions.find(name);
                // One that was forgotten meanwhile and came back counts from 0, too.
                bool const anew = old == before.versions.end() || v.first < old->second.first ||
                    v.second < old->second.second;
                auto const [requests, errors] =
                    anew ? std::pair<std::uint64_t, std::uint64_t>() : old->second;
                out.versions[name] = {per_second(requests, v.first), per_second(errors, v.second)};
            }
        }
        s.recent.push_back(std::move(now));
        keep(s.rate, out.rate);
        keep(s.errors, out.errors);
        keep(s.p50, out.p50);
        keep(s.p99, out.p99);
        keep(s.in_flight, out.in_flight);
    }
    template<class T>
    static void keep(std::deque<T>& all, T value)
    {
        all.push_back(value);
        if (all.size() > seconds)
            all.pop_front();
    }
    /// The first and the last stay.
    static void thin(std::deque<look>& all)
    {
        std::size_t to = 1;
        for (std::size_t from = 2; from < all.size(); from += 2)
            all[to++] = all[from];
        if (all.size() % 2 == 0)
            all[to++] = all.back();
        all.resize(to);
    }

    std::uint64_t samples_ = 0;
    std::map<std::string, service, std::less<>> services_{};
    std::map<std::string, autoscaler> autoscalers_{};
    std::map<std::string, std::deque<look>> comparisons_{};
};

}  // namespace podium::v0::cluster
