#pragma once
/// How many replicas one metric asks for, and how it came to that.
///
/// The rule is one line: size x (usage / target), rounded up, and nothing while the ratio is within the
/// tolerance. The rest is caution about what was not measured: pods without a number are taken to be idle
/// when the others call for more and busy when they call for fewer, pods that are starting are idle
/// when the others call for more, and if that turns the direction round, nothing changes.
///
/// Within one size, a proposal never falls when a number rises, provided that all pods of the target are
/// known (counted, missing or unready: `tally::members` less ignored is the size) and none is `outside`.
/// Otherwise Kubernetes' rule is not monotone: it multiplies by the pods it counts, but keeps the size
/// within the tolerance.
///
/// Source: Kubernetes v1.35.4 podautoscaler/replica_calculator.go, metrics/utilization.go.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/sample.hpp>
#include <podium/core/saturating.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace podium::inline v0::autoscale {

/// What was seen of one metric. An empty one: the metric could not be read.
struct reading {
    std::optional<std::int64_t> value_milli{};  ///< object and external metrics
    std::optional<tally> pods{};                ///< metrics with a number for each pod
    friend bool operator==(reading const&, reading const&) = default;
};

/// The sizes a proposal starts from.
struct sizes {
    std::int32_t wanted = 0;      ///< what the target is asked to have (Kubernetes: spec.replicas)
    std::int32_t existing = 0;    ///< what it has (status.replicas); averages of a whole divide by this
    std::int64_t pods = 0;        ///< known to the caller, in whatever state
    std::int64_t ready_pods = 0;  ///< of these, running and ready
    friend bool operator==(sizes const&, sizes const&) = default;
};

/// Why a metric asks for what it asks.
enum class basis : std::uint8_t {
    ratio,             ///< the load is off its target by more than the tolerance
    within_tolerance,  ///< near enough: keep the size
    would_turn,        ///< with missing and unready pods the direction would turn round: keep the size
    from_zero,         ///< there are no replicas, so the ratio itself
    unavailable,       ///< failed: the metric could not be read
    no_pods,           ///< failed: there are no pods
    nothing_counted,   ///< failed: no pod's number counts
    no_request,        ///< failed: utilization, and a pod does not say what it requests, or requests are zero
    invalid_target,    ///< failed: the target is not positive, or of a kind that this source has not
};

/// What one metric asks for. The counts say what it is based on, `explain` which pods they are.
struct proposal {
    basis why = basis::unavailable;
    std::int32_t replicas = 0;  ///< no meaning if failed
    double ratio = 0;           ///< usage / target, as far as it was measured
    std::optional<std::int32_t> utilization_percent{};
    std::optional<std::int64_t> average_milli{};
    std::optional<std::int64_t> value_milli{};
    std::int64_t counted = 0;
    std::int64_t missing = 0;
    std::int64_t unready = 0;
    std::int64_t ignored = 0;
    [[nodiscard]] constexpr bool failed() const noexcept { return why >= basis::unavailable; }
    friend bool operator==(proposal const&, proposal const&) = default;
};

/// The sum of an external metric's series; saturates.
[[nodiscard]] constexpr std::int64_t sum_milli(std::span<std::int64_t const> values_milli) noexcept
{
    std::int64_t sum = 0;
    for (auto const v : values_milli)
        sum = saturating_add(sum, v);
    return sum;
}

/// What `m`, one of `p`'s metrics, asks for. O(1), total, no allocation.
[[nodiscard]] inline proposal propose(
    policy const& p, metric const& m, reading const& seen, sizes const& now) noexcept;

[[nodiscard]] constexpr std::string_view to_string(basis b) noexcept
{
    switch (b) {
    case basis::ratio: return "load off its target";
    case basis::within_tolerance: return "within the tolerance";
    case basis::would_turn: return "pods without a reading would turn the direction";
    case basis::from_zero: return "load while there are no replicas";
    case basis::unavailable: return "no reading";
    case basis::no_pods: return "no pods";
    case basis::nothing_counted: return "no pod's reading counts";
    case basis::no_request: return "a pod requests none of the resource";
    case basis::invalid_target: return "the target is invalid";
    }
    return "unknown";
}

namespace detail {

/// A rounded number of replicas in 32 bits. NaN: 0.
[[nodiscard]] inline std::int32_t replicas_of(double x, overflow how) noexcept
{
    constexpr double low = -2147483648.0, high = 2147483647.0;
    if (x >= low && x <= high)
        return static_cast<std::int32_t>(x);
    if (how == overflow::kubernetes)
        return std::numeric_limits<std::int32_t>::min();
    return x > high ? std::numeric_limits<std::int32_t>::max()
        : x < low   ? std::numeric_limits<std::int32_t>::min()
                    : 0;
}

/// A rounded number in 64 bits.
[[nodiscard]] constexpr std::int64_t whole(double x) noexcept
{
    using limits = std::numeric_limits<std::int64_t>;
    return x >= 9223372036854775807.0 ? limits::max()
        : x > -9223372036854775808.0  ? static_cast<std::int64_t>(x)
                                      : limits::min();
}

struct band {
    double down = 0.1;
    double up = 0.1;
    [[nodiscard]] constexpr bool holds(double ratio) const noexcept
    {
        return 1.0 - down <= ratio && ratio <= 1.0 + up;
    }
};

[[nodiscard]] inline band tolerances(policy const& p) noexcept
{
    band b{p.tolerance, p.tolerance};
    if (p.behavior) {
        b.down = p.behavior->scale_down.tolerance.value_or(p.tolerance);
        b.up = p.behavior->scale_up.tolerance.value_or(p.tolerance);
    }
    return b;
}

[[nodiscard]] constexpr std::int64_t percent_of(std::int64_t used, std::int64_t requested) noexcept
{
    return times(used, 100) / requested;
}

[[nodiscard]] constexpr std::int32_t narrow(std::int64_t n) noexcept
{
    using limits = std::numeric_limits<std::int32_t>;
    return n > limits::max() ? limits::max()
        : n < limits::min()  ? limits::min()
                             : static_cast<std::int32_t>(n);
}

/// A fleet's usage against a target, with what missing and unready pods are taken to use.
struct usage {
    std::int64_t used = 0;
    std::int64_t requested = 0;  ///< utilization only
    std::int64_t pods = 0;       ///< that the average is over
    std::int64_t readings = 0;   ///< that the size is computed from

    [[nodiscard]] constexpr std::int32_t utilization() const noexcept
    {
        return narrow(percent_of(used, requested));
    }
    [[nodiscard]] constexpr double ratio(metric const& m) const noexcept
    {
        if (m.aim == target::utilization)
            return static_cast<double>(utilization()) / m.target_percent;
        return static_cast<double>(used / pods) / static_cast<double>(m.target_milli);
    }
};

[[nodiscard]] inline proposal propose_per_pod(
    policy const& p, metric const& m, tally t, sizes const& now) noexcept
{
    for (auto* n : {&t.counted, &t.missing, &t.unready, &t.outside})  // a tally may come from anywhere
        *n = std::clamp<std::int64_t>(*n, 0, std::numeric_limits<std::int32_t>::max());
    proposal out{.why = basis::ratio,
        .replicas = now.wanted,
        .counted = t.counted,
        .missing = t.missing,
        .unready = t.unready,
        .ignored = t.ignored};
    bool const of_request = m.aim == target::utilization;
    auto const fail = [&](basis why) {
        out.why = why;
        return out;
    };
    if (t.members <= 0)
        return fail(basis::no_pods);
    if (t.counted + t.outside <= 0)
        return fail(basis::nothing_counted);
    if (of_request && (t.without_request > 0 || t.requested_milli <= 0 || t.counted <= 0))
        return fail(basis::no_request);

    usage u{.used = of_request ? t.used_milli : saturating_add(t.used_milli, t.outside_milli),
        .requested = t.requested_milli,
        .pods = of_request ? t.counted : t.counted + t.outside,
        .readings = t.counted + t.outside};
    out.ratio = u.ratio(m);
    out.average_milli = u.used / u.pods;
    if (of_request)
        out.utilization_percent = u.utilization();

    auto const tolerance = tolerances(p);
    bool const grow_with_unready = t.unready > 0 && out.ratio > 1.0;
    if (!grow_with_unready && t.missing == 0) {
        if (tolerance.holds(out.ratio))
            return fail(basis::within_tolerance);
        out.replicas = replicas_of(std::ceil(out.ratio * static_cast<double>(t.counted)), p.counts);
        return out;
    }

    if (t.missing > 0 && out.ratio != 1.0) {
        if (out.ratio < 1.0)
            u.used = saturating_add(
                u.used, of_request ? t.missing_fallback_milli : times(m.target_milli, t.missing));
        u.requested = saturating_add(u.requested, t.missing_requested_milli);
        u.pods += t.missing;
        u.readings += t.missing;
    }
    if (grow_with_unready) {
        u.requested = saturating_add(u.requested, t.unready_requested_milli);
        u.pods += t.unready;
        u.readings += t.unready;
    }
    if (of_request && u.requested <= 0)
        return fail(basis::no_request);
    double const ratio = u.ratio(m);
    if (tolerance.holds(ratio))
        return fail(basis::within_tolerance);
    if ((out.ratio < 1.0 && ratio > 1.0) || (out.ratio > 1.0 && ratio < 1.0))
        return fail(basis::would_turn);
    auto const replicas = replicas_of(std::ceil(ratio * static_cast<double>(u.readings)), p.counts);
    if ((ratio < 1.0 && replicas > now.wanted) || (ratio > 1.0 && replicas < now.wanted))
        return fail(basis::would_turn);
    out.replicas = replicas;
    return out;
}

[[nodiscard]] inline proposal propose_whole(
    policy const& p, metric const& m, std::int64_t value_milli, sizes const& now) noexcept
{
    proposal out{.why = basis::ratio, .replicas = now.wanted};
    auto const value = static_cast<double>(value_milli);
    auto const aim = static_cast<double>(m.target_milli);
    auto const tolerance = tolerances(p);
    // Kubernetes forgot only the average of an object, and only the size zero.
    auto const counts = m.from == source::external ? overflow::saturate : p.counts;

    if (m.aim == target::average_value) {
        out.replicas = now.existing;
        out.ratio = now.existing == 0 ? value / aim : value / (aim * now.existing);
        out.average_milli = value_milli;
        if (now.existing != 0 && value_milli != std::numeric_limits<std::int64_t>::max())
            out.average_milli = whole(std::ceil(value / now.existing));
        if (now.existing != 0 && tolerance.holds(out.ratio))
            out.why = basis::within_tolerance;
        else
            out.replicas = replicas_of(std::ceil(value / aim), counts);
        return out;
    }

    out.value_milli = value_milli;
    out.ratio = value / aim;
    if (now.wanted == 0) {
        out.why = basis::from_zero;
        out.replicas = replicas_of(std::ceil(out.ratio), p.counts);
        return out;
    }
    if (tolerance.holds(out.ratio)) {
        out.why = basis::within_tolerance;
        return out;
    }
    out.counted = now.ready_pods;
    if (now.pods <= 0) {
        out.why = basis::no_pods;
        return out;
    }
    bool const hold = p.unready == unready_pods::hold;
    if (hold && out.ratio < 1)
        out.counted = std::max<std::int64_t>(now.ready_pods, now.wanted);
    out.replicas = replicas_of(std::ceil(out.ratio * static_cast<double>(out.counted)), overflow::saturate);
    if (hold && out.ratio > 1)
        out.replicas = std::max(out.replicas, now.wanted);
    return out;
}

}  // namespace detail

inline proposal propose(policy const& p, metric const& m, reading const& seen, sizes const& now) noexcept
{
    bool const percent = m.aim == target::utilization;
    bool const per_pod = is_per_pod(m.from);
    if ((percent ? m.target_percent : m.target_milli) <= 0 || (percent && !per_pod) ||
        (m.aim == target::value && per_pod))
        return {.why = basis::invalid_target};
    if (per_pod)
        return seen.pods ? detail::propose_per_pod(p, m, *seen.pods, now) : proposal{};
    return seen.value_milli ? detail::propose_whole(p, m, *seen.value_milli, now) : proposal{};
}

}  // namespace podium::v0::autoscale
