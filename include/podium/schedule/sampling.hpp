#pragma once
/// How many nodes kube-scheduler stops at. podium looks at all of them; this is for comparing the two, and
/// for embedders whose own search is dear.

#include <algorithm>
#include <cstdint>

namespace podium::inline v0::schedule {

/// The number of nodes that fit after which the search may end: all of less than 100; else `percentage` of
/// them, at least 100. Without a percentage (0) it goes from 50 % down to 5 %, a percent for each 125 nodes.
///
/// Source: kube-scheduler v1.35, schedule_one.go: numFeasibleNodesToFind.
[[nodiscard]] constexpr std::int64_t nodes_to_find(std::int64_t nodes, std::int64_t percentage = 0) noexcept
{
    constexpr std::int64_t least = 100;
    if (nodes < least)
        return std::max<std::int64_t>(nodes, 0);
    if (percentage <= 0)
        percentage = std::max<std::int64_t>(50 - nodes / 125, 5);
    percentage = std::min<std::int64_t>(percentage, 100);
    return std::max(nodes / 100 * percentage + nodes % 100 * percentage / 100, least);
}

}  // namespace podium::v0::schedule
