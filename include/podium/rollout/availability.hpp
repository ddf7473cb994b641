#pragma once
/// Available: ready, and for long enough to be believed.
///
/// `min_ready` is what keeps a rollout from being fooled by a pod that answers once and falls over.
///
/// Source: Kubernetes v1.35.4 api/v1/pod IsPodAvailable; the bound is closed: ready for exactly
/// `min_ready` is available.

#include <podium/core/time.hpp>

#include <optional>

namespace podium::inline v0::rollout {

/// When a pod that stays ready becomes available; `never` if it is not ready.
[[nodiscard]] constexpr time_point available_at(
    std::optional<time_point> ready_since, duration min_ready) noexcept
{
    if (!ready_since)
        return never;
    if (min_ready <= duration::zero())
        return *ready_since;
    return later(*ready_since, min_ready);
}

/// Whether a pod that is ready since `ready_since` counts. Without a minimum, ready is enough.
[[nodiscard]] constexpr bool is_available(
    std::optional<time_point> ready_since, duration min_ready, time_point now) noexcept
{
    return ready_since && (min_ready <= duration::zero() || now >= available_at(ready_since, min_ready));
}

}  // namespace podium::v0::rollout
