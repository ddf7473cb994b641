#pragma once
/// Whom a node that runs out of something lets go first.
///
/// Source: Kubernetes v1.35.4 pkg/kubelet/eviction/helpers.go (rankMemoryPressure, rankPIDPressure).

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

namespace podium::inline v0::agent {

enum class pressure : std::uint8_t { memory, pids };

/// A pod, as far as it matters here.
struct usage {
    std::int32_t priority = 0;
    std::int64_t memory_request_bytes = 0;
    std::optional<std::int64_t> memory_bytes{};  ///< its working set; none: nobody measured it
    std::optional<std::int64_t> processes{};
    friend bool operator==(usage const&, usage const&) = default;
};

/// The pods' places in the order of their eviction; equal ones keep theirs.
///
/// Memory: those that were not measured, then those that use more than they asked for, then by priority, then
/// by how much more they use. Processes: by priority, then those that were not measured, then by how many
/// they are. O(n log n).
[[nodiscard]] inline std::vector<std::size_t> eviction_order(pressure by, std::span<usage const> pods)
{
    __extension__ typedef __int128 wide;
    auto const rank = [&](std::size_t i) {
        auto const& u = pods[i];
        if (by == pressure::pids)
            return std::tuple(int{u.priority}, u.processes ? 1 : 0, 0, -wide{u.processes.value_or(0)}, i);
        auto const over = u.memory_bytes ? wide{*u.memory_bytes} - u.memory_request_bytes : wide{};
        return std::tuple(u.memory_bytes ? 1 : 0, over > 0 ? 0 : 1, int{u.priority}, -over, i);
    };
    std::vector<std::size_t> out(pods.size());
    std::iota(out.begin(), out.end(), std::size_t{0});
    std::ranges::sort(out, {}, rank);
    return out;
}

}  // namespace podium::v0::agent
