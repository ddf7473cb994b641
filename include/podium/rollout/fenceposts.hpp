#pragma once
/// Surge and unavailable: how many pods a rollout may add, and how many it may miss.
///
/// Surge rounds up and unavailable down, so that a percentage of a small set errs on the side of serving.
/// If both come to nothing the rollout could never move: then one may be missing.
///
/// Source: Kubernetes v1.35.4 controller/deployment/util: ResolveFenceposts, MaxSurge, MaxUnavailable,
/// MinAvailable; controller/statefulset: getStatefulSetMaxUnavailable.

#include <podium/core/int_or_percent.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

namespace podium::inline v0::rollout {

namespace detail {

[[nodiscard]] constexpr std::int32_t narrow(std::int64_t n) noexcept
{
    using limits = std::numeric_limits<std::int32_t>;
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(n, limits::min(), limits::max()));
}

}  // namespace detail

/// How pods of an old template give way to those of a new one: `spec.strategy.type`.
enum class strategy : std::uint8_t {
    rolling_update,  ///< old and new side by side, within the fenceposts
    recreate,        ///< all of the old first, then the new: downtime, and never two versions at once
};

/// How far a rolling update may leave the wanted size, in pods: maxSurge and maxUnavailable, resolved.
struct fenceposts {
    std::int32_t surge = 1;        ///< pods above the wanted number, >= 0
    std::int32_t unavailable = 0;  ///< pods below it that need not be available, >= 0
    friend bool operator==(fenceposts const&, fenceposts const&) = default;
};

/// The two bounds as pods, for `desired` replicas; what is not set is 0. If both are 0, `unavailable` is 1.
/// `unavailable` may still exceed `desired`: see `limits`.
[[nodiscard]] constexpr fenceposts resolve_fenceposts(std::optional<int_or_percent> const& max_surge,
    std::optional<int_or_percent> const& max_unavailable, std::int32_t desired) noexcept
{
    auto const pods = [desired](std::optional<int_or_percent> const& bound, rounding toward) {
        return detail::narrow(bound ? bound->scaled(desired, toward) : 0);
    };
    fenceposts f{
        .surge = pods(max_surge, rounding::up), .unavailable = pods(max_unavailable, rounding::down)};
    if (f.surge == 0 && f.unavailable == 0)
        f.unavailable = 1;
    return f;
}

/// What a rollout effectively uses: never negative, `unavailable` at most `desired`, and neither for
/// recreate. With no replicas wanted nothing can be unavailable.
[[nodiscard]] constexpr fenceposts limits(fenceposts f, strategy how, std::int32_t desired) noexcept
{
    if (how != strategy::rolling_update)
        return {.surge = 0, .unavailable = 0};
    f.surge = std::max(f.surge, 0);
    f.unavailable = std::max(f.unavailable, 0);
    if (f.surge == 0 && f.unavailable == 0)
        f.unavailable = 1;
    f.unavailable = std::min(f.unavailable, std::max(desired, 0));
    return f;
}

/// How many must stay available; recreate promises none.
[[nodiscard]] constexpr std::int32_t min_available(fenceposts f, strategy how, std::int32_t desired) noexcept
{
    return how == strategy::rolling_update ? desired - limits(f, how, desired).unavailable : 0;
}

/// How many pods of a stateful set may be missing at once: rounded down, at least 1; not set is 1.
[[nodiscard]] constexpr std::int32_t stateful_max_unavailable(
    std::optional<int_or_percent> const& max_unavailable, std::int32_t replicas) noexcept
{
    return max_unavailable ? std::max(detail::narrow(max_unavailable->scaled(replicas, rounding::down)), 1)
                           : 1;
}

}  // namespace podium::v0::rollout
