#pragma once
/// A deployment's sets as its history: which revision is the one before, and which set holds it.
///
/// Source: Kubernetes v1.35.4 controller/deployment/util (LastRevision) and rollback.go.

#include <podium/core/time.hpp>
#include <podium/rollout/status.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace podium::inline v0::rollout {

/// A replica set as the rollout sees it. The caller owns the name.
struct replica_set {
    std::string_view name{};  ///< breaks ties of age
    time_point created_at{};
    std::int64_t revision = 0;      ///< 0: none yet
    bool matches_template = false;  ///< its template is the one the deployment wants
    std::int32_t replicas = 0;      ///< wanted of it (spec)

    std::int32_t status_replicas = 0;  ///< it has, terminating ones not counted
    std::int32_t ready = 0;
    std::int32_t available = 0;
    bool observed = true;    ///< the counts above are of its latest generation
    bool pods_left = false;  ///< a pod of it exists that has not finished, terminating ones included

    /// The deployment's replicas, and replicas + surge, when this set was last scaled; tells scaling from
    /// rolling out, and the proportions when both happen at once.
    std::optional<std::int32_t> recorded_desired{};
    std::optional<std::int32_t> recorded_max{};
    duration min_ready{};

    struct failing {
        reason why = reason::failed_create;
        time_point since{};
        friend bool operator==(failing const&, failing const&) = default;
    };
    std::optional<failing> failure{};  ///< it cannot create or delete its pods
    friend bool operator==(replica_set const&, replica_set const&) = default;
};

/// No set: one that does not exist yet, or none at all.
inline constexpr std::size_t no_set = static_cast<std::size_t>(-1);

/// Older first, then by name.
[[nodiscard]] constexpr bool is_older(replica_set const& a, replica_set const& b) noexcept
{
    return a.created_at != b.created_at ? a.created_at < b.created_at : a.name < b.name;
}

/// The set that has the wanted template: the oldest if several do; `no_set` if none does.
[[nodiscard]] constexpr std::size_t find_new(std::span<replica_set const> sets) noexcept
{
    std::size_t found = no_set;
    for (std::size_t i = 0; i < sets.size(); ++i)
        if (sets[i].matches_template && (found == no_set || is_older(sets[i], sets[found])))
            found = i;
    return found;
}

/// The second highest revision, what "undo" means; 0 if there is none.
[[nodiscard]] constexpr std::int64_t previous_revision(std::span<replica_set const> sets) noexcept
{
    std::int64_t highest = 0;
    std::int64_t second = 0;
    for (auto const& s : sets) {
        if (s.revision >= highest) {
            second = highest;
            highest = s.revision;
        } else {
            second = std::max(second, s.revision);
        }
    }
    return second;
}

/// The set that holds a revision (0: the previous one), the oldest if several do; `no_set` if none does.
[[nodiscard]] constexpr std::size_t find_revision(
    std::span<replica_set const> sets, std::int64_t revision) noexcept
{
    if (revision == 0 && (revision = previous_revision(sets)) == 0)
        return no_set;
    std::size_t found = no_set;
    for (std::size_t i = 0; i < sets.size(); ++i)
        if (sets[i].revision == revision && (found == no_set || is_older(sets[i], sets[found])))
            found = i;
    return found;
}

}  // namespace podium::v0::rollout
