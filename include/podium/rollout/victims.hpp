#pragma once
/// Which pods go first when a set of equals shrinks: those that would be missed least.
///
/// In this order: not assigned to a node; pending, unknown, running; not ready; lower deletion cost;
/// more siblings on the same node; ready for less time; more restarts; younger. Times compare by the power
/// of two of their nanoseconds, and pods of one bucket by uid: as good as drawn by lot, so that a
/// shrinking set does not empty the zone that was filled last, and yet the same at each try.
///
/// Source: Kubernetes v1.35.4 controller_utils.go, ActivePodsWithRanks.Less. There, two pods that became
/// ready in the very same instant go on to restarts and age, while all others of their bucket stop at the
/// uid, which makes a circle of three possible; here a bucket of ready pods always stops at the uid.

#include <podium/core/assert.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

namespace podium::inline v0::rollout {

enum class pod_phase : std::uint8_t { pending, unknown, running };

/// A pod that may be deleted. The caller owns the texts.
struct candidate {
    std::string_view uid{};   ///< breaks ties
    std::string_view node{};  ///< empty: not assigned
    pod_phase phase = pod_phase::running;
    std::optional<time_point> ready_since{};
    std::int32_t deletion_cost = 0;  ///< see `deletion_cost`
    std::uint32_t pods_on_node = 0;  ///< active pods of this and sibling sets there; see `count_neighbours`
    std::int32_t restarts = 0;       ///< the most of any container
    std::int32_t sidecar_restarts = 0;  ///< the most of any sidecar; breaks a tie of `restarts`
    time_point created_at{};
};

/// The number in a `pod-deletion-cost` annotation. What is not a plain 32-bit integer ("+1", "007", "x")
/// counts as 0.
[[nodiscard]] constexpr std::int32_t deletion_cost(std::string_view text) noexcept
{
    bool const negative = text.starts_with('-');
    if (negative)
        text.remove_prefix(1);
    if (text.empty() || (text.front() == '0' && !negative && text.size() > 1))
        return 0;
    std::int64_t value = 0;
    for (char const c : text) {
        if (c < '0' || c > '9' || value > std::numeric_limits<std::int32_t>::max())
            return 0;
        value = value * 10 + (c - '0');
    }
    if (negative)
        value = -value;
    using limits = std::numeric_limits<std::int32_t>;
    return value < limits::min() || value > limits::max() ? 0 : static_cast<std::int32_t>(value);
}

/// Fills `pods_on_node` from the nodes of all active pods (the candidates' own included), which it
/// sorts. O(m log m + n log m), no allocation.
constexpr void count_neighbours(std::span<candidate> pods, std::span<std::string_view> nodes_of_active)
{
    std::sort(nodes_of_active.begin(), nodes_of_active.end());
    for (auto& pod : pods) {
        auto const there = std::equal_range(nodes_of_active.begin(), nodes_of_active.end(), pod.node);
        pod.pods_on_node = static_cast<std::uint32_t>(there.second - there.first);
    }
}

/// Whether `a` is to be deleted before `b`: a strict total order of pods with different uids.
[[nodiscard]] constexpr bool goes_before(candidate const& a, candidate const& b, time_point now) noexcept
{
    auto const bucket = [now](time_point since) {  // floor(log2(age)), -1 for no age
        auto const age = now > since ? elapsed(since, now).count() : 0;
        return std::bit_width(static_cast<std::uint64_t>(age));
    };
    if (a.node.empty() != b.node.empty())
        return a.node.empty();
    if (a.phase != b.phase)
        return a.phase < b.phase;
    if (a.ready_since.has_value() != b.ready_since.has_value())
        return b.ready_since.has_value();
    if (a.deletion_cost != b.deletion_cost)
        return a.deletion_cost < b.deletion_cost;
    if (a.pods_on_node != b.pods_on_node)
        return a.pods_on_node > b.pods_on_node;
    if (a.ready_since) {
        auto const at = bucket(*a.ready_since);
        auto const bt = bucket(*b.ready_since);
        return at != bt ? at < bt : a.uid < b.uid;
    }
    if (a.restarts != b.restarts)
        return a.restarts > b.restarts;
    if (a.sidecar_restarts != b.sidecar_restarts)
        return a.sidecar_restarts > b.sidecar_restarts;
    auto const at = bucket(a.created_at);
    auto const bt = bucket(b.created_at);
    return at != bt ? at < bt : a.uid < b.uid;
}

/// Sorts pods so that the first n are those to delete when n must go. O(n log n).
constexpr void rank_victims(std::span<candidate> pods, time_point now)
{
    std::sort(pods.begin(), pods.end(),
        [now](candidate const& a, candidate const& b) { return goes_before(a, b, now); });
}

}  // namespace podium::v0::rollout
