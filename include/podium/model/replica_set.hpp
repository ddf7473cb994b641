#pragma once
/// ReplicaSet: so many pods of one template.
///
/// Source: ReplicaSet in kubernetes/api apps/v1/types.go at v1.35; `status.spent` is podium's own.

#include <podium/model/pod.hpp>

namespace podium::inline v0::model {

struct replica_set_spec {
    std::int32_t replicas = 1;
    std::int32_t min_ready_seconds = 0;
    label_selector selector{};
    pod_template_spec template_{};
    friend bool operator==(replica_set_spec const&, replica_set_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(replica_set_spec, (), (replicas, min_ready_seconds, selector, template_))
constexpr bool required(replica_set_spec const*, std::string_view member)
{
    return member == "selector" || member == "template_";
}
constexpr bool always(replica_set_spec const*, std::string_view member)
{
    return member == "replicas";
}

struct replica_set_condition {
    std::string type{};
    condition_status status = condition_status::unknown;
    std::optional<time> last_transition_time{};
    std::string reason{};
    std::string message{};
    friend bool operator==(replica_set_condition const&, replica_set_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(replica_set_condition, (), (type, status, last_transition_time, reason, message))
constexpr bool required(replica_set_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}

struct replica_set_status {
    std::int32_t replicas = 0;
    std::int32_t fully_labeled_replicas = 0;
    std::int32_t ready_replicas = 0;
    std::int32_t available_replicas = 0;
    std::optional<std::int32_t> terminating_replicas{};
    std::int64_t observed_generation = 0;
    std::vector<replica_set_condition> conditions{};
    /// podium's own: how often dependents were created or deleted. Each plan that does so raises it, so that
    /// two plans computed from the same state cannot both be committed, and names of pods are never used
    /// twice.
    std::int64_t spent = 0;
    friend bool operator==(replica_set_status const&, replica_set_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(replica_set_status, (),
    (replicas, fully_labeled_replicas, ready_replicas, available_replicas, terminating_replicas,
        observed_generation, conditions, spent))
constexpr bool always(replica_set_status const*, std::string_view member)
{
    return member == "replicas";
}

struct replica_set {
    static constexpr std::string_view kind = "ReplicaSet";
    static constexpr std::string_view api_version = "apps/v1";
    static constexpr std::string_view plural = "replicasets";
    static constexpr std::string_view short_name = "rs";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    replica_set_spec spec{};
    replica_set_status status{};
    friend bool operator==(replica_set const&, replica_set const&) = default;
};
BOOST_DESCRIBE_STRUCT(replica_set, (), (metadata, spec, status))
constexpr bool required(replica_set const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
