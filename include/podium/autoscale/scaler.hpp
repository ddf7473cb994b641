#pragma once
/// One decision of a horizontal autoscaler: metrics, then stabilization, then rates, then bounds.
///
/// Each metric makes a proposal and the largest one is the recommendation; what recent recommendations say
/// holds it back (the window), what recent changes of size leave over caps it (the policies), and it never
/// leaves [min_replicas, max_replicas]. If some metrics fail, the rest may make it grow, never shrink; if
/// all fail, nothing happens. A target of size zero is switched off, unless min_replicas is zero, too.
///
/// For a valid policy the answer lies within [min_replicas, max_replicas] or the target is switched off or
/// its metrics failed; it is the current size while every metric is within its tolerance and no window holds.
/// With one and the same state, it never falls when a proposal rises.
///
/// A policy that was never validated gets an answer, too: never a size below zero or a `wake_at` that is not
/// ahead (but at the end of time).
///
/// Time: what a state says of the future (a clock went back) is taken as of now, so a jump in either
/// direction costs at most one window.
///
/// Source: Kubernetes v1.35.4 podautoscaler/horizontal.go (reconcileAutoscaler, computeReplicasForMetrics,
/// normalizeDesiredReplicas*, stabilizeRecommendation*, convertDesiredReplicas*, calculateScale*Limit*,
/// storeScaleEvent). Replica counts saturate unless `overflow::kubernetes`.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/predict.hpp>
#include <podium/autoscale/proposal.hpp>
#include <podium/autoscale/sample.hpp>
#include <podium/autoscale/state.hpp>
#include <podium/core/saturating.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::autoscale {

/// What the world looks like to one step.
struct observed {
    sizes size{};
    std::span<reading const> readings{};  ///< one for each of the policy's metrics, in their order
    bool rescale_failed = false;          ///< what the step before asked for could not be carried out
};

inline constexpr std::size_t no_metric = static_cast<std::size_t>(-1);

/// What came before the limits.
enum class cause : std::uint8_t {
    metric,        ///< a metric's proposal
    above_max,     ///< larger than max_replicas: shrinks without asking the metrics
    below_min,     ///< smaller than min_replicas: grows without asking the metrics
    switched_off,  ///< size zero, and min_replicas is not
    no_metrics,    ///< none could be read
    blind_shrink,  ///< some could not be read, and the others would shrink it
};

/// What last held the answer back.
enum class limit : std::uint8_t {
    none,
    tolerance,      ///< the metric that decides is near enough to its target
    stabilization,  ///< a recommendation within the window
    up_policy,      ///< the policies for growing; without a behavior max(2 x size, 4)
    down_policy,    ///< the policies for shrinking
    max_replicas,
    min_replicas,
};

/// What to do, and why.
struct decision {
    std::optional<std::int32_t> scale_to{};  ///< write this size; none: leave it as it is
    time_point wake_at = never;              ///< step again then
    std::int32_t from = 0;                   ///< the size so far
    std::int32_t desired = 0;                ///< the size from now on
    std::int32_t reactive = 0;               ///< by the metrics alone, before any limit
    std::int32_t recommended = 0;            ///< the same, or more where the season expects more
    std::int32_t stabilized = 0;             ///< after the windows, before rates and bounds
    cause why = cause::metric;
    limit limited_by = limit::none;
    std::size_t metric = no_metric;         ///< the one that decided
    std::size_t failed_metrics = 0;         ///< that could not be read
    std::span<proposal const> proposals{};  ///< by metric; empty if they were not asked; see `workspace`

    friend bool operator==(decision const& a, decision const& b)
    {
        auto const all = [](decision const& d) {
            return std::tie(d.scale_to, d.wake_at, d.from, d.desired, d.reactive, d.recommended, d.stabilized,
                d.why, d.limited_by, d.metric, d.failed_metrics);
        };
        return all(a) == all(b) && std::ranges::equal(a.proposals, b.proposals);
    }
};

/// Lists of one step, kept by the caller so that a step does not allocate once they have grown.
struct workspace {
    std::vector<reading> readings{};
    std::vector<proposal> proposals{};  ///< what `decision::proposals` points to, until the next use
};

/// The state after a step, and what to do.
struct stepped {
    state next{};
    decision todo{};
};

/// Advances by one observation. Total and deterministic; move the state in, and nothing is allocated once
/// the lists have grown. Called again with the same `seen` and `now`, it answers the same and the state
/// stays. O(metrics + recommendations + scale events).
[[nodiscard]] inline stepped step(
    policy const& p, state s, observed const& seen, time_point now, workspace& room);

/// Counts the caller's pods for each per-pod metric, for `step`. The target's size is that of the range
/// unless `wanted` says what was asked for. Numbers of object and external metrics are the caller's to fill
/// in: `room.readings[i].value_milli`. O(pods x metrics); allocates only to grow `room`.
template<std::ranges::forward_range Pods, Projection<std::ranges::range_value_t<Pods>> F>
[[nodiscard]] observed observe(policy const& p, Pods const& pods, F&& projection, time_point now,
    workspace& room, std::optional<std::int32_t> wanted = {})
{
    room.readings.assign(p.metrics.size(), {});
    observed seen;
    tally first;
    for (std::size_t i = 0; i < p.metrics.size(); ++i) {
        if (i == 0 || is_per_pod(p.metrics[i].from)) {
            auto const fleet = count(p, p.metrics[i], pods, projection, now);
            if (i == 0)
                first = fleet;
            if (is_per_pod(p.metrics[i].from))
                room.readings[i].pods = fleet;
        }
    }
    seen.size = {.wanted = wanted.value_or(detail::narrow(first.members)),
        .existing = detail::narrow(first.members),
        .pods = first.members,
        .ready_pods = first.ready_pods};
    seen.readings = room.readings;
    return seen;
}

[[nodiscard]] constexpr std::string_view to_string(cause c) noexcept
{
    switch (c) {
    case cause::metric: return "the metrics";
    case cause::above_max: return "larger than max_replicas";
    case cause::below_min: return "smaller than min_replicas";
    case cause::switched_off: return "switched off: its size is zero";
    case cause::no_metrics: return "no metric could be read";
    case cause::blind_shrink: return "not shrunk, as some metrics could not be read";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(limit l) noexcept
{
    switch (l) {
    case limit::none: return "none";
    case limit::tolerance: return "tolerance";
    case limit::stabilization: return "stabilization window";
    case limit::up_policy: return "scale-up policy";
    case limit::down_policy: return "scale-down policy";
    case limit::max_replicas: return "max_replicas";
    case limit::min_replicas: return "min_replicas";
    }
    return "unknown";
}

/// A decision in words: "4 -> 8: players asks for 9 (ratio 2.25; 4 pods counted), held by scale-up policy".
[[nodiscard]] inline std::string text(policy const& p, decision const& d);

namespace detail {

/// A policy that was never validated may ask for no pause at all; it gets this one instead of a busy loop.
inline constexpr duration least_wait = std::chrono::milliseconds(1);

inline void set(std::optional<condition>& c, bool value, reason why, time_point now)
{
    auto const since = c && c->value == value ? c->since : now;
    c = condition{.value = value, .why = why, .since = since};
}

[[nodiscard]] constexpr reason failure_of(source s) noexcept
{
    switch (s) {
    case source::resource: return reason::failed_get_resource_metric;
    case source::container_resource: return reason::failed_get_container_resource_metric;
    case source::pods: return reason::failed_get_pods_metric;
    case source::object: return reason::failed_get_object_metric;
    case source::external: return reason::failed_get_external_metric;
    }
    return reason::failed_get_external_metric;
}

/// The change within the period before `now`; an event exactly one period old is outside.
[[nodiscard]] inline std::int64_t changed_within(
    std::vector<scale_event> const& events, duration period, time_point now) noexcept
{
    auto const cutoff = earlier(now, period);
    std::int64_t sum = 0;
    for (auto const& e : events)
        if (e.at > cutoff)
            sum = saturating_add(sum, e.change);
    return sum;
}

[[nodiscard]] inline duration longest_period(scaling_rules const& r) noexcept
{
    duration longest{};
    for (auto const& p : r.policies)
        longest = std::max(longest, p.period);
    return longest;
}

/// One step; the state is advanced in place.
class scaling {
public:
    scaling(policy const& p, state& s, observed const& seen, time_point now, workspace& room) noexcept
        : p_(p),
          s_(s),
          seen_(seen),
          now_(now),
          room_(room),
          current_(std::max(seen.size.wanted, 0))
    {
    }

    [[nodiscard]] decision run()
    {
        heal();
        d_.from = d_.desired = d_.reactive = d_.recommended = d_.stabilized = current_;
        d_.wake_at = later(now_, std::max(p_.period, least_wait));
        set(s_.able_to_scale, true, reason::succeeded_get_scale, now_);
        if (s_.recommendations.empty())
            s_.recommendations.push_back({current_, now_});

        if (current_ == 0 && p_.min_replicas != 0) {
            d_.why = cause::switched_off;
            set(s_.scaling_active, false, reason::scaling_disabled, now_);
            return d_;
        }
        if (current_ > p_.max_replicas) {
            bound(cause::above_max, limit::max_replicas, p_.max_replicas);
        } else if (current_ < p_.min_replicas) {
            bound(cause::below_min, limit::min_replicas, p_.min_replicas);
        } else {
            if (!ask_metrics())
                return d_;
            d_.desired = std::max(p_.behavior ? with_behavior(*p_.behavior) : without_behavior(), 0);
            if (d_.desired != d_.stabilized)
                set(s_.scaling_limited, true, limiting_, now_);
            else
                set(s_.scaling_limited, false, reason::desired_within_range, now_);
            explain_limit();
        }
        if (d_.desired == current_)
            return d_;
        d_.scale_to = d_.desired;
        set(s_.able_to_scale, true, reason::succeeded_rescale, now_);
        remember_change();
        return d_;
    }

private:
    /// Time that went back, and a change that did not happen.
    void heal()
    {
        for (auto& r : s_.recommendations)
            r.at = std::min(r.at, now_);
        for (auto* events : {&s_.scale_ups, &s_.scale_downs})
            for (auto& e : *events)
                e.at = std::min(e.at, now_);
        if (!s_.last)
            return;
        s_.last->at = std::min(s_.last->at, now_);
        bool const asked_again = s_.last->at == now_ && s_.last->from == current_;
        if (!seen_.rescale_failed && !asked_again)
            return;
        auto& events = s_.last->to > s_.last->from ? s_.scale_ups : s_.scale_downs;
        scale_event const undone{.change = change(*s_.last), .at = s_.last->at};
        if (auto const at = std::find(events.begin(), events.end(), undone); at != events.end())
            at->change = 0;  // its place is kept for the same step again
        s_.last.reset();
    }

    [[nodiscard]] static std::int32_t change(rescale const& r) noexcept
    {
        auto const difference = std::int64_t{r.to} - r.from;
        return narrow(difference < 0 ? -difference : difference);
    }

    void bound(cause why, limit by, std::int32_t to) noexcept
    {
        d_.why = why;
        d_.limited_by = by;
        d_.desired = d_.stabilized = d_.recommended = d_.reactive = std::max(to, 0);
    }

    /// The largest proposal; false if there is nothing to act on.
    [[nodiscard]] bool ask_metrics()
    {
        room_.proposals.clear();
        std::int32_t replicas = 0;
        std::size_t first_failed = no_metric;
        for (std::size_t i = 0; i < p_.metrics.size(); ++i) {
            auto const asked = propose(
                p_, p_.metrics[i], i < seen_.readings.size() ? seen_.readings[i] : reading{}, seen_.size);
            room_.proposals.push_back(asked);
            if (asked.failed()) {
                if (d_.failed_metrics++ == 0)
                    first_failed = i;
            } else if (replicas == 0 || asked.replicas > replicas) {
                replicas = asked.replicas;
                d_.metric = i;
            }
        }
        d_.proposals = room_.proposals;
        bool const all_failed = d_.failed_metrics >= p_.metrics.size();
        if (all_failed || (d_.failed_metrics > 0 && replicas < current_)) {
            d_.why = all_failed ? cause::no_metrics : cause::blind_shrink;
            auto const from = first_failed == no_metric ? source::resource : p_.metrics[first_failed].from;
            set(s_.scaling_active, false, failure_of(from), now_);
            return false;
        }
        set(s_.scaling_active, true, reason::valid_metric_found, now_);
        d_.reactive = d_.recommended = std::max(replicas, 0);
        foresee();
        return true;
    }

    void foresee()
    {
        if (!p_.season) {
            s_.season = {};
            return;
        }
        auto seen = autoscale::foresee(*p_.season, std::move(s_.season), d_.reactive, p_.max_replicas, now_);
        s_.season = std::move(seen.next);
        d_.recommended = seen.replicas;
    }

    [[nodiscard]] std::int32_t without_behavior()
    {
        auto const cutoff = earlier(now_, p_.downscale_stabilization);
        d_.stabilized = d_.recommended;
        for (auto const& r : s_.recommendations)
            if (r.at >= cutoff)
                d_.stabilized = std::max(d_.stabilized, r.replicas);
        record(cutoff, cutoff);
        set(s_.able_to_scale, true,
            d_.stabilized != d_.recommended ? reason::scale_down_stabilized : reason::ready_for_new_scale,
            now_);

        auto const at_once = narrow(std::max<std::int64_t>(2 * std::int64_t{current_}, 4));
        auto most = p_.max_replicas;
        limiting_ = reason::too_many_replicas;
        if (p_.max_replicas > at_once) {
            most = at_once;
            limiting_ = reason::scale_up_limit;
        }
        if (d_.stabilized < p_.min_replicas) {
            limiting_ = reason::too_few_replicas;
            return p_.min_replicas;
        }
        return std::min(d_.stabilized, most);
    }

    [[nodiscard]] std::int32_t with_behavior(behavior const& b)
    {
        auto const up_cutoff = earlier(now_, b.scale_up.stabilization_window.value_or(duration::zero()));
        auto const down_cutoff =
            earlier(now_, b.scale_down.stabilization_window.value_or(p_.downscale_stabilization));
        auto up = d_.recommended;
        auto down = d_.recommended;
        for (auto const& r : s_.recommendations) {
            if (r.at > up_cutoff)
                up = std::min(up, r.replicas);
            if (r.at > down_cutoff)
                down = std::max(down, r.replicas);
        }
        d_.stabilized = std::min(std::max(current_, up), down);
        record(up_cutoff, down_cutoff);
        if (d_.stabilized == d_.recommended)
            set(s_.able_to_scale, true, reason::ready_for_new_scale, now_);
        else
            set(s_.able_to_scale, true,
                d_.recommended >= current_ ? reason::scale_up_stabilized : reason::scale_down_stabilized,
                now_);

        if (d_.stabilized > current_) {
            auto const allowed = std::max(limit_up(b.scale_up), current_);
            limiting_ = p_.max_replicas > allowed ? reason::scale_up_limit : reason::too_many_replicas;
            return std::min({d_.stabilized, p_.max_replicas, allowed});
        }
        if (d_.stabilized < current_) {
            auto const allowed = std::min(limit_down(b.scale_down), current_);
            limiting_ = p_.min_replicas < allowed ? reason::scale_down_limit : reason::too_few_replicas;
            return std::max({d_.stabilized, p_.min_replicas, allowed});
        }
        return d_.stabilized;
    }

    [[nodiscard]] std::int64_t at_start_of(duration period) const noexcept
    {
        return saturating_add(current_,
            saturating_add(
                changed_within(s_.scale_downs, period, now_), -changed_within(s_.scale_ups, period, now_)));
    }

    [[nodiscard]] std::int32_t limit_up(scaling_rules const& r) const noexcept
    {
        if (r.select_policy == select::disabled)
            return current_;
        bool const least = r.select_policy == select::min_change;
        using limits = std::numeric_limits<std::int32_t>;
        auto result = least ? limits::max() : limits::min();
        for (auto const& policy : r.policies) {
            auto const start = at_start_of(policy.period);
            auto const proposed = policy.of == scaling_policy::unit::pods
                ? narrow(saturating_add(start, policy.value))
                : replicas_of(
                      std::ceil(static_cast<double>(start) * (1 + policy.value / 100.0)), overflow::saturate);
            result = least ? std::min(result, proposed) : std::max(result, proposed);
        }
        return result;
    }

    [[nodiscard]] std::int32_t limit_down(scaling_rules const& r) const noexcept
    {
        if (r.select_policy == select::disabled)
            return current_;
        bool const least = r.select_policy == select::min_change;
        using limits = std::numeric_limits<std::int32_t>;
        auto result = least ? limits::min() : limits::max();
        for (auto const& policy : r.policies) {
            auto const start = at_start_of(policy.period);
            auto const proposed = policy.of == scaling_policy::unit::pods
                ? narrow(saturating_add(start, -std::int64_t{policy.value}))
                : replicas_of(static_cast<double>(start) * (1 - policy.value / 100.0), overflow::saturate);
            result = least ? std::max(result, proposed) : std::min(result, proposed);
        }
        return result;
    }

    /// Adds the recommendation, and forgets those that cannot decide any more: out of both windows, or with
    /// newer ones that are at least as high and at least as low. Kubernetes keeps them; no answer differs.
    void record(time_point up_cutoff, time_point down_cutoff)
    {
        auto& all = s_.recommendations;
        all.push_back({d_.recommended, now_});
        auto const cutoff = std::min(up_cutoff, down_cutoff);
        auto low = d_.recommended, high = d_.recommended;
        auto kept = all.size() - 1;
        for (auto i = kept; i-- > 0;) {
            auto const r = all[i];
            if (r.at < cutoff || (r.replicas >= low && r.replicas <= high))
                continue;
            low = std::min(low, r.replicas);
            high = std::max(high, r.replicas);
            all[--kept] = r;
        }
        all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept));
    }

    void explain_limit() noexcept
    {
        if (d_.desired != d_.stabilized)
            d_.limited_by = limiting_ == reason::scale_up_limit ? limit::up_policy
                : limiting_ == reason::scale_down_limit         ? limit::down_policy
                : limiting_ == reason::too_many_replicas        ? limit::max_replicas
                                                                : limit::min_replicas;
        else if (d_.stabilized != d_.recommended)
            d_.limited_by = limit::stabilization;
        else if (d_.recommended == d_.reactive && d_.metric < d_.proposals.size() &&
            d_.proposals[d_.metric].why == basis::within_tolerance)
            d_.limited_by = limit::tolerance;
    }

    void remember_change()
    {
        s_.last = rescale{.from = current_, .to = d_.desired, .at = now_};
        if (!p_.behavior)
            return;
        bool const grows = d_.desired > current_;
        auto& events = grows ? s_.scale_ups : s_.scale_downs;
        auto const cutoff =
            earlier(now_, longest_period(grows ? p_.behavior->scale_up : p_.behavior->scale_down));
        scale_event const fresh{.change = change(*s_.last), .at = now_};
        // The last one that is out of date makes room; others stay, as the other direction may look back
        // further.
        auto place = events.end();
        for (auto i = events.begin(); i != events.end(); ++i)
            if (i->at < cutoff || (i->at == now_ && i->change == 0))
                place = i;
        if (place == events.end())
            events.push_back(fresh);
        else
            *place = fresh;
    }

    policy const& p_;
    state& s_;
    observed const& seen_;
    time_point now_;
    workspace& room_;
    std::int32_t current_;
    decision d_{};
    reason limiting_ = reason::desired_within_range;
};

}  // namespace detail

inline stepped step(policy const& p, state s, observed const& seen, time_point now, workspace& room)
{
    auto able = s.able_to_scale;
    stepped out{.next = std::move(s), .todo = {}};
    out.todo = detail::scaling(p, out.next, seen, now, room).run();
    if (seen.rescale_failed && !out.todo.scale_to) {
        detail::set(able, false, reason::failed_update_scale, now);
        out.next.able_to_scale = able;
    }
    return out;
}

inline std::string text(policy const& p, decision const& d)
{
    auto const decimal = [](double x) {
        auto const hundredths = milli(x / 10).value_or(0);
        auto const rest = hundredths % 100 < 0 ? -(hundredths % 100) : hundredths % 100;
        return std::string(hundredths < 0 && hundredths > -100 ? "-" : "") +
            std::to_string(hundredths / 100) + '.' + (rest < 10 ? "0" : "") + std::to_string(rest);
    };
    std::string out = d.scale_to ? std::to_string(d.from) + " -> " + std::to_string(d.desired)
                                 : std::to_string(d.desired) + " as before";
    if (d.why == cause::metric && d.metric < p.metrics.size() && d.metric < d.proposals.size()) {
        auto const& asked = d.proposals[d.metric];
        out += ": " + p.metrics[d.metric].name + " asks for " + std::to_string(d.reactive);
        out += " (" + std::string(to_string(asked.why)) + ", ratio " + decimal(asked.ratio);
        for (auto const& [n, what] : {std::pair{asked.counted, " counted"}, {asked.missing, " missing"},
                 {asked.unready, " unready"}, {asked.ignored, " ignored"}})
            if (n > 0)
                out += ", " + std::to_string(n) + what;
        out += ')';
        if (d.recommended > d.reactive)
            out += ", the season for " + std::to_string(d.recommended);
    } else {
        out += ": " + std::string(to_string(d.why));
    }
    if (d.limited_by != limit::none)
        out += ", held by " + std::string(to_string(d.limited_by));
    if (d.failed_metrics > 0)
        out += ", " + std::to_string(d.failed_metrics) + " of " + std::to_string(p.metrics.size()) +
            " metrics not read";
    return out;
}

}  // namespace podium::v0::autoscale
