#pragma once
/// The caller's own pods, counted for one metric.
///
/// A fleet is any range of anything; a projection says what one member looks like to a metric, and `count`
/// folds them, in one pass and without storing any, into a `tally`: all that the decision needs to know. Pods
/// without a number (`missing`) and pods that are still starting (`unready`) are kept apart, because what
/// they are taken to use depends on which way the rest points.
///
/// Source: Kubernetes v1.35.4 podautoscaler/replica_calculator.go (groupPods, calculateRequests). Sums
/// saturate; there they wrap.

#include <podium/autoscale/policy.hpp>
#include <podium/core/saturating.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>

namespace podium::inline v0::autoscale {

enum class phase : std::uint8_t { pending, running, succeeded, failed };

/// What the pod says of itself.
enum class readiness : std::uint8_t { none, not_ready, ready, unknown };

/// One pod as one metric sees it. The defaults are those of a pod that has been ready for long.
struct sample {
    std::optional<std::int64_t> value_milli{};    ///< none: nothing was measured
    std::optional<std::int64_t> request_milli{};  ///< for utilization; none there: the metric fails
    autoscale::phase phase = autoscale::phase::running;
    autoscale::readiness readiness = autoscale::readiness::ready;
    bool deleting = false;
    bool member = true;                                   ///< false: measured, though not among the pods
    std::optional<time_point> started_at{std::in_place};  ///< `skip_starting` asks for these four
    time_point readiness_since{};                         ///< last transition of `readiness`
    time_point measured_at = never;
    duration window{};  ///< the number is an average over this time before `measured_at`
    friend bool operator==(sample const&, sample const&) = default;
};

/// A fleet in numbers, for one metric.
struct tally {
    std::int64_t members = 0;     ///< pods in all
    std::int64_t ready_pods = 0;  ///< running and ready: what a target of kind `value` multiplies
    std::int64_t counted = 0;     ///< members whose number counts
    std::int64_t missing = 0;     ///< without a number
    std::int64_t unready = 0;     ///< pending, or left out because they are starting
    std::int64_t ignored = 0;     ///< failed or being deleted
    std::int64_t outside = 0;     ///< numbers of pods that are no members
    std::int64_t without_request = 0;
    std::int64_t used_milli = 0;               ///< by the counted
    std::int64_t outside_milli = 0;            ///< by those that are no members
    std::int64_t requested_milli = 0;          ///< by the counted
    std::int64_t missing_requested_milli = 0;  ///< by the missing
    std::int64_t missing_fallback_milli = 0;   ///< what they are taken to use when the fleet would shrink
    std::int64_t unready_requested_milli = 0;  ///< by the unready
    friend bool operator==(tally const&, tally const&) = default;
};

/// What one pod is to one metric.
enum class group : std::uint8_t {
    counted,  ///< its number counts
    missing,  ///< without a number
    unready,  ///< pending, or left out because it is starting
    ignored,  ///< failed or being deleted
    outside,  ///< measured, though no member
    unseen,   ///< neither measured nor a member
};

/// How a pod of the caller's type looks to a metric: `sample(P const&)` or `sample(P const&, metric const&)`.
template<class F, class P>
concept Projection =
    std::is_invocable_r_v<sample, F&, P const&> || std::is_invocable_r_v<sample, F&, P const&, metric const&>;

/// What a pod is to a metric that does (`skips_starting`) or does not leave out starting pods. O(1).
[[nodiscard]] constexpr group classify(
    policy const& p, bool skip_starting, sample const& s, time_point now) noexcept;

/// Counts one more pod. O(1).
constexpr void add(
    tally& t, metric const& m, bool skip_starting, policy const& p, sample const& s, time_point now) noexcept;

/// The same load on `wanted` pods, so that a rollout's surge and gaps do not feed back into the size.
///
/// While a rollout replaces pods there are more than were asked for, or fewer, and some of them cannot be
/// counted yet. All that was measured is taken to rest on `wanted` pods of the mean request; as many of them
/// as have no number that counts, starting ones among these, are taken to be idle when the rest calls for
/// more and busy when it calls for fewer. So the answer depends on the load, not on how far the rollout is,
/// and nothing shrinks for what is not known. Without pods to count, or with `wanted` below one: `t` itself.
[[nodiscard]] constexpr tally over(tally t, metric const& m, std::int64_t wanted) noexcept;

namespace detail {

template<class P, Projection<P> F>
[[nodiscard]] constexpr sample project(F& projection, P const& pod, metric const& m)
{
    if constexpr (std::is_invocable_r_v<sample, F&, P const&, metric const&>)
        return std::invoke(projection, pod, m);
    else
        return std::invoke(projection, pod);
}

}  // namespace detail

/// Counts a fleet for one metric. O(n), allocates nothing.
template<std::ranges::input_range Pods, Projection<std::ranges::range_value_t<Pods>> F>
[[nodiscard]] constexpr tally count(
    policy const& p, metric const& m, Pods const& pods, F&& projection, time_point now)
{
    tally t;
    bool const skip = skips_starting(m);
    for (auto const& pod : pods)
        add(t, m, skip, p, detail::project(projection, pod, m), now);
    return t;
}

[[nodiscard]] constexpr std::string_view to_string(group g) noexcept
{
    switch (g) {
    case group::counted: return "counted";
    case group::missing: return "missing";
    case group::unready: return "unready";
    case group::ignored: return "ignored";
    case group::outside: return "outside";
    case group::unseen: return "unseen";
    }
    return "unknown";
}

namespace detail {

/// a * b for b >= 0; 0 for less.
[[nodiscard]] constexpr std::int64_t times(std::int64_t a, std::int64_t b) noexcept
{
    using limits = std::numeric_limits<std::int64_t>;
    if (b <= 0)
        return 0;
    if (a > limits::max() / b)
        return limits::max();
    if (a < limits::min() / b)
        return limits::min();
    return a * b;
}

[[nodiscard]] constexpr time_point earlier(time_point t, duration d) noexcept
{
    auto const back = d == duration::min() ? duration::max() : -d;
    return later(t, back);
}

/// Still starting, so that what it uses says nothing about the load.
[[nodiscard]] constexpr bool is_starting(policy const& p, sample const& s, time_point now) noexcept
{
    if (s.readiness == readiness::none || !s.started_at)
        return true;
    bool const not_ready = s.readiness == readiness::not_ready;
    if (later(*s.started_at, p.initialization) > now)  // needs a whole window since the transition, too
        return not_ready || s.measured_at < later(s.readiness_since, s.window);
    return not_ready && later(*s.started_at, p.readiness_delay) > s.readiness_since;  // never was ready
}

}  // namespace detail

// gcc 12 leaves this a call in `add`, which makes counting a fleet a third slower.
[[gnu::always_inline]] constexpr group classify(
    policy const& p, bool skip_starting, sample const& s, time_point now) noexcept
{
    if (!s.member)
        return s.value_milli ? group::outside : group::unseen;
    if (s.deleting || s.phase == phase::failed)
        return group::ignored;
    if (s.phase == phase::pending)
        return group::unready;
    if (!s.value_milli)
        return group::missing;
    return skip_starting && detail::is_starting(p, s, now) ? group::unready : group::counted;
}

constexpr void add(
    tally& t, metric const& m, bool skip_starting, policy const& p, sample const& s, time_point now) noexcept
{
    if (s.member) {
        ++t.members;
        // On its own: gcc would read both bytes, just written, as one word, and wait for them.
        bool const ready = s.readiness == readiness::ready;
        t.ready_pods += s.phase == phase::running && ready;
        if (!s.request_milli)
            ++t.without_request;
    }
    auto const request = s.request_milli.value_or(0);
    switch (classify(p, skip_starting, s, now)) {
    case group::counted:
        ++t.counted;
        t.used_milli = saturating_add(t.used_milli, *s.value_milli);
        t.requested_milli = saturating_add(t.requested_milli, request);
        break;
    case group::missing: {
        ++t.missing;
        t.missing_requested_milli = saturating_add(t.missing_requested_milli, request);
        auto const percent = std::max<std::int64_t>(100, m.target_percent);
        t.missing_fallback_milli =
            saturating_add(t.missing_fallback_milli, detail::times(request, percent) / 100);
        break;
    }
    case group::unready:
        ++t.unready;
        t.unready_requested_milli = saturating_add(t.unready_requested_milli, request);
        break;
    case group::ignored: ++t.ignored; break;
    case group::outside:
        ++t.outside;
        t.outside_milli = saturating_add(t.outside_milli, *s.value_milli);
        break;
    case group::unseen: break;
    }
}

constexpr tally over(tally t, metric const& m, std::int64_t wanted) noexcept
{
    auto const unknown = t.missing + t.unready, all = t.counted + unknown;
    if (t.counted <= 0 || unknown < 0 || wanted < 1)
        return t;
    auto const request = saturating_add(
        t.requested_milli, saturating_add(t.missing_requested_milli, t.unready_requested_milli));
    auto const percent = std::max<std::int64_t>(100, m.target_percent);
    t.missing_fallback_milli =
        saturating_add(t.missing_fallback_milli, detail::times(t.unready_requested_milli, percent) / 100);
    t.missing = std::min(unknown, wanted - 1);
    t.counted = wanted - t.missing;
    t.unready = 0;
    t.unready_requested_milli = 0;
    t.missing_requested_milli = detail::times(request, t.missing) / all;
    t.requested_milli = detail::times(request, wanted) / all - t.missing_requested_milli;
    t.members = wanted + t.ignored;
    t.ready_pods = wanted;
    return t;
}

}  // namespace podium::v0::autoscale
