#pragma once
/// StatefulSet: numbered pods of one template, each with a name and storage of its own.
///
/// Source: StatefulSet in kubernetes/api apps/v1/types.go at v1.35; `status.spent` is podium's own.

#include <podium/core/int_or_percent.hpp>
#include <podium/model/persistent_volume_claim.hpp>

namespace podium::inline v0::model {

enum class pod_management_policy_type : std::uint8_t { ordered_ready, parallel };
BOOST_DESCRIBE_ENUM(pod_management_policy_type, ordered_ready, parallel)

enum class stateful_set_update_strategy_type : std::uint8_t { rolling_update, on_delete };
BOOST_DESCRIBE_ENUM(stateful_set_update_strategy_type, rolling_update, on_delete)

struct rolling_update_stateful_set_strategy {
    std::int32_t partition = 0;                       ///< so many pods, from the first, stay as they are
    std::optional<int_or_percent> max_unavailable{};  ///< default 1
    friend bool operator==(
        rolling_update_stateful_set_strategy const&, rolling_update_stateful_set_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(rolling_update_stateful_set_strategy, (), (partition, max_unavailable))

struct stateful_set_update_strategy {
    stateful_set_update_strategy_type type = stateful_set_update_strategy_type::rolling_update;
    std::optional<rolling_update_stateful_set_strategy> rolling_update{};  ///< only for that type
    friend bool operator==(
        stateful_set_update_strategy const&, stateful_set_update_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(stateful_set_update_strategy, (), (type, rolling_update))
constexpr bool always(stateful_set_update_strategy const*, std::string_view member)
{
    return member == "type";
}

struct stateful_set_ordinals {
    std::int32_t start = 0;
    friend bool operator==(stateful_set_ordinals const&, stateful_set_ordinals const&) = default;
};
BOOST_DESCRIBE_STRUCT(stateful_set_ordinals, (), (start))

enum class claim_retention : std::uint8_t { retain, delete_ };
BOOST_DESCRIBE_ENUM(claim_retention, retain, delete_)

/// What becomes of claims that the templates made, when the set is deleted and when it gets smaller.
struct claim_retention_policy {
    claim_retention when_deleted = claim_retention::retain;
    claim_retention when_scaled = claim_retention::retain;
    friend bool operator==(claim_retention_policy const&, claim_retention_policy const&) = default;
};
BOOST_DESCRIBE_STRUCT(claim_retention_policy, (), (when_deleted, when_scaled))

struct stateful_set_spec {
    std::int32_t replicas = 1;
    label_selector selector{};
    pod_template_spec template_{};
    std::vector<persistent_volume_claim> volume_claim_templates{};
    std::optional<claim_retention_policy> persistent_volume_claim_retention_policy{};
    std::string service_name{};
    pod_management_policy_type pod_management_policy = pod_management_policy_type::ordered_ready;
    stateful_set_update_strategy update_strategy{};
    std::int32_t revision_history_limit = 10;
    std::int32_t min_ready_seconds = 0;
    std::optional<stateful_set_ordinals> ordinals{};
    friend bool operator==(stateful_set_spec const&, stateful_set_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(stateful_set_spec, (),
    (replicas, selector, template_, volume_claim_templates, persistent_volume_claim_retention_policy,
        service_name, pod_management_policy, update_strategy, revision_history_limit, min_ready_seconds,
        ordinals))
constexpr bool required(stateful_set_spec const*, std::string_view member)
{
    return member == "selector" || member == "template_";
}
constexpr bool always(stateful_set_spec const*, std::string_view member)
{
    return member == "replicas" || member == "revision_history_limit" || member == "pod_management_policy";
}

struct stateful_set_status {
    std::int64_t observed_generation = 0;
    std::int32_t replicas = 0;
    std::int32_t ready_replicas = 0;
    std::int32_t available_replicas = 0;
    std::int32_t current_replicas = 0;  ///< of `current_revision`
    std::int32_t updated_replicas = 0;  ///< of `update_revision`
    std::string current_revision{};
    std::string update_revision{};
    std::optional<std::int32_t> collision_count{};  ///< mixed into a revision's hash when a name was taken
    std::int64_t spent = 0;                         ///< podium's own, see `replica_set_status::spent`
    friend bool operator==(stateful_set_status const&, stateful_set_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(stateful_set_status, (),
    (observed_generation, replicas, ready_replicas, available_replicas, current_replicas, updated_replicas,
        current_revision, update_revision, collision_count, spent))
constexpr bool always(stateful_set_status const*, std::string_view member)
{
    return member == "replicas" || member == "available_replicas";
}

struct stateful_set {
    static constexpr std::string_view kind = "StatefulSet";
    static constexpr std::string_view api_version = "apps/v1";
    static constexpr std::string_view plural = "statefulsets";
    static constexpr std::string_view short_name = "sts";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    stateful_set_spec spec{};
    stateful_set_status status{};
    friend bool operator==(stateful_set const&, stateful_set const&) = default;
};
BOOST_DESCRIBE_STRUCT(stateful_set, (), (metadata, spec, status))
constexpr bool required(stateful_set const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
