#pragma once
/// Deployment: replicas of a template, and how to get from one template to the next.
///
/// Source: Deployment in kubernetes/api apps/v1/types.go at v1.35; `status.spent` is podium's own.

#include <podium/core/int_or_percent.hpp>
#include <podium/model/pod.hpp>

namespace podium::inline v0::model {

enum class deployment_strategy_type : std::uint8_t { rolling_update, recreate };
BOOST_DESCRIBE_ENUM(deployment_strategy_type, rolling_update, recreate)

struct rolling_update_deployment {
    std::optional<int_or_percent> max_unavailable{};  ///< default 25%, rounded down
    std::optional<int_or_percent> max_surge{};        ///< default 25%, rounded up
    friend bool operator==(rolling_update_deployment const&, rolling_update_deployment const&) = default;
};
BOOST_DESCRIBE_STRUCT(rolling_update_deployment, (), (max_unavailable, max_surge))

struct deployment_strategy {
    deployment_strategy_type type = deployment_strategy_type::rolling_update;
    std::optional<rolling_update_deployment> rolling_update{};  ///< only for that type
    friend bool operator==(deployment_strategy const&, deployment_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(deployment_strategy, (), (type, rolling_update))
constexpr bool always(deployment_strategy const*, std::string_view member)
{
    return member == "type";
}

struct deployment_spec {
    std::int32_t replicas = 1;
    label_selector selector{};
    pod_template_spec template_{};
    deployment_strategy strategy{};
    std::int32_t min_ready_seconds = 0;
    std::int32_t revision_history_limit = 10;  ///< old ReplicaSets kept for rollback
    bool paused = false;
    std::int32_t progress_deadline_seconds = 600;
    friend bool operator==(deployment_spec const&, deployment_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(deployment_spec, (),
    (replicas, selector, template_, strategy, min_ready_seconds, revision_history_limit, paused,
        progress_deadline_seconds))
constexpr bool required(deployment_spec const*, std::string_view member)
{
    return member == "selector" || member == "template_";
}
constexpr bool always(deployment_spec const*, std::string_view member)
{
    return member == "replicas" || member == "revision_history_limit" ||
        member == "progress_deadline_seconds";
}

struct deployment_condition {
    std::string type{};  ///< "Available", "Progressing", "ReplicaFailure"
    condition_status status = condition_status::unknown;
    std::optional<time> last_update_time{};
    std::optional<time> last_transition_time{};
    std::string reason{};
    std::string message{};
    friend bool operator==(deployment_condition const&, deployment_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    deployment_condition, (), (type, status, last_update_time, last_transition_time, reason, message))
constexpr bool required(deployment_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}

struct deployment_status {
    std::int64_t observed_generation = 0;
    std::int32_t replicas = 0;
    std::int32_t updated_replicas = 0;
    std::int32_t ready_replicas = 0;
    std::int32_t available_replicas = 0;
    std::int32_t unavailable_replicas = 0;
    std::optional<std::int32_t> terminating_replicas{};
    std::vector<deployment_condition> conditions{};
    std::int32_t collision_count = 0;  ///< mixed into the template's hash when a name was taken
    std::int64_t spent = 0;            ///< podium's own, see `replica_set_status::spent`
    friend bool operator==(deployment_status const&, deployment_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(deployment_status, (),
    (observed_generation, replicas, updated_replicas, ready_replicas, available_replicas,
        unavailable_replicas, terminating_replicas, conditions, collision_count, spent))

struct deployment {
    static constexpr std::string_view kind = "Deployment";
    static constexpr std::string_view api_version = "apps/v1";
    static constexpr std::string_view plural = "deployments";
    static constexpr std::string_view short_name = "deploy";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    deployment_spec spec{};
    deployment_status status{};
    friend bool operator==(deployment const&, deployment const&) = default;
};
BOOST_DESCRIBE_STRUCT(deployment, (), (metadata, spec, status))
constexpr bool required(deployment const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
