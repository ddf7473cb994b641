#pragma once
/// A disruption budget: how many replicas a voluntary change may take away now.
///
/// A budget names what must stay, not what may go: the allowance is what is healthy beyond that, so a
/// replica that failed by itself uses it up like one that was taken away.
///
/// Source: Kubernetes v1.35.4 pkg/controller/disruption, getExpectedPodCount and updatePdbStatus.

#include <podium/core/int_or_percent.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace podium::inline v0::rollout {

/// One of the two; `max_unavailable` counts when both are given, and without either nothing may go.
struct disruption_budget {
    std::optional<int_or_percent> min_available{};
    std::optional<int_or_percent> max_unavailable{};
    friend constexpr bool operator==(disruption_budget const&, disruption_budget const&) = default;
};

/// Does the budget rest on what the owners want, rather than on the replicas that there are?
[[nodiscard]] constexpr bool counts_scale(disruption_budget const& b) noexcept
{
    return b.max_unavailable || (b.min_available && b.min_available->is_percent());
}

struct replicas_observed {
    std::int64_t existing = 0;  ///< replicas that the budget is about, healthy or not
    std::int64_t scale = 0;     ///< the sum of what their owners want; read if `counts_scale`
    std::int64_t healthy = 0;   ///< of the existing: ready, and nobody sends them away
};

struct allowance {
    std::int64_t expected = 0;         ///< what percentages are of
    std::int64_t desired_healthy = 0;  ///< so many have to stay
    std::int64_t allowed = 0;          ///< so many healthy ones may go
    friend constexpr bool operator==(allowance const&, allowance const&) = default;
};

/// Percentages round up, of `max_unavailable` too. Where nothing is expected nothing is allowed: replicas
/// that have just come were not counted yet. Total: what is negative counts as 0.
[[nodiscard]] constexpr allowance allow(disruption_budget const& b, replicas_observed const& seen) noexcept
{
    constexpr auto natural = [](std::int64_t n) { return std::max<std::int64_t>(n, 0); };
    auto const scale = natural(seen.scale);
    allowance out;
    if (b.max_unavailable) {
        out.expected = scale;
        out.desired_healthy = natural(scale - natural(b.max_unavailable->scaled(scale, rounding::up)));
    } else if (b.min_available) {
        out.expected = b.min_available->is_percent() ? scale : natural(seen.existing);
        out.desired_healthy = natural(b.min_available->scaled(scale, rounding::up));
    }
    if (out.expected > 0)
        out.allowed = natural(natural(seen.healthy) - out.desired_healthy);
    return out;
}

}  // namespace podium::v0::rollout
