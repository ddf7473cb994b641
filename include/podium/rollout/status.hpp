#pragma once
/// What a deployment says of itself: counts, conditions, and the words for them.
///
/// Source: Kubernetes v1.35.4 apps/v1 DeploymentStatus and controller/deployment/util; the words are theirs.

#include <podium/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace podium::inline v0::rollout {

enum class condition_status : std::uint8_t { true_, false_, unknown };

/// Why a condition is as it is, in the words of Kubernetes' conditions.
enum class reason : std::uint8_t {
    // of progressing
    new_replica_set_created,
    found_new_replica_set,
    replica_set_updated,
    new_replica_set_available,
    progress_deadline_exceeded,
    deployment_paused,
    deployment_resumed,
    // of available
    minimum_replicas_available,
    minimum_replicas_unavailable,
    // of replica_failure
    failed_create,
    failed_delete,
};

/// One of a deployment's conditions.
struct condition {
    condition_status value = condition_status::unknown;
    reason why = reason::replica_set_updated;
    time_point last_update{};      ///< last sign of progress, for `progressing`
    time_point last_transition{};  ///< when `value` last changed
    friend bool operator==(condition const&, condition const&) = default;
};

/// The deployment's status. Counts are pods of all its sets unless said otherwise.
struct status {
    std::int64_t observed_generation = 0;
    std::int64_t revision = 0;  ///< of the set that has the wanted template
    std::int32_t replicas = 0;
    std::int32_t updated = 0;  ///< of the set that has the wanted template
    std::int32_t ready = 0;
    std::int32_t available = 0;
    std::int32_t unavailable = 0;  ///< wanted in all sets together, and not available
    std::optional<condition> progressing{};
    std::optional<condition> available_condition{};
    std::optional<condition> replica_failure{};
    friend bool operator==(status const&, status const&) = default;
};

/// Kubernetes' words: "NewReplicaSetAvailable".
[[nodiscard]] constexpr std::string_view to_string(reason r) noexcept
{
    switch (r) {
    case reason::new_replica_set_created: return "NewReplicaSetCreated";
    case reason::found_new_replica_set: return "FoundNewReplicaSet";
    case reason::replica_set_updated: return "ReplicaSetUpdated";
    case reason::new_replica_set_available: return "NewReplicaSetAvailable";
    case reason::progress_deadline_exceeded: return "ProgressDeadlineExceeded";
    case reason::deployment_paused: return "DeploymentPaused";
    case reason::deployment_resumed: return "DeploymentResumed";
    case reason::minimum_replicas_available: return "MinimumReplicasAvailable";
    case reason::minimum_replicas_unavailable: return "MinimumReplicasUnavailable";
    case reason::failed_create: return "FailedCreate";
    case reason::failed_delete: return "FailedDelete";
    }
    return "Unknown";
}

[[nodiscard]] constexpr std::string_view to_string(condition_status s) noexcept
{
    switch (s) {
    case condition_status::true_: return "True";
    case condition_status::false_: return "False";
    case condition_status::unknown: return "Unknown";
    }
    return "Unknown";
}

/// Sets a condition: nothing if status and reason are as before; else the update is now, and the
/// transition too unless the status stayed.
constexpr void set_condition(
    std::optional<condition>& c, condition_status value, reason why, time_point now) noexcept
{
    if (c && c->value == value && c->why == why)
        return;
    auto const since = c && c->value == value ? c->last_transition : now;
    c = condition{.value = value, .why = why, .last_update = now, .last_transition = since};
}

}  // namespace podium::v0::rollout
