#pragma once
/// HorizontalPodAutoscaler: how many replicas a target is to have, by what was measured.
///
///     spec:
///       scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
///       minReplicas: 2
///       maxReplicas: 10
///       metrics:
///         - type: Resource
///           resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}
///
/// Targets are Deployments, ReplicaSets, StatefulSets and Rollouts.
///
/// Source: HorizontalPodAutoscaler in kubernetes/api autoscaling/v2/types.go at v1.35: names, meanings.
/// podium's own are `prometheus` of an external metric, `spec.season`, `status.machine` and
/// `status.readingsTime`.

#include <podium/model/analysis.hpp>
#include <podium/model/autoscale_state.hpp>
#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

struct cross_version_object_reference {
    std::string api_version{};
    std::string kind{};
    std::string name{};
    friend bool operator==(
        cross_version_object_reference const&, cross_version_object_reference const&) = default;
};
BOOST_DESCRIBE_STRUCT(cross_version_object_reference, (), (api_version, kind, name))
constexpr bool required(cross_version_object_reference const*, std::string_view member)
{
    return member == "kind" || member == "name";
}

// -- What is measured ------------------------------------------------------------------------------

struct metric_identifier {
    std::string name{};
    boxed<label_selector> selector{};
    friend bool operator==(metric_identifier const&, metric_identifier const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_identifier, (), (name, selector))
constexpr bool required(metric_identifier const*, std::string_view member)
{
    return member == "name";
}

enum class metric_target_type : std::uint8_t { utilization, value, average_value };
BOOST_DESCRIBE_ENUM(metric_target_type, utilization, value, average_value)

/// One of the three, which `type` names.
struct metric_target {
    metric_target_type type = metric_target_type::utilization;
    std::optional<quantity> value{};
    std::optional<quantity> average_value{};            ///< for each pod
    std::optional<std::int32_t> average_utilization{};  ///< per cent of what the pods request
    friend bool operator==(metric_target const&, metric_target const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_target, (), (type, value, average_value, average_utilization))
constexpr bool required(metric_target const*, std::string_view member)
{
    return member == "type";
}

struct resource_metric_source {
    std::string name{};  ///< "cpu", "memory"
    metric_target target{};
    friend bool operator==(resource_metric_source const&, resource_metric_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(resource_metric_source, (), (name, target))
constexpr bool required(resource_metric_source const*, std::string_view)
{
    return true;
}

struct container_resource_metric_source {
    std::string name{};
    std::string container{};
    metric_target target{};
    friend bool operator==(
        container_resource_metric_source const&, container_resource_metric_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_resource_metric_source, (), (name, container, target))
constexpr bool required(container_resource_metric_source const*, std::string_view)
{
    return true;
}

struct pods_metric_source {
    metric_identifier metric{};
    metric_target target{};
    friend bool operator==(pods_metric_source const&, pods_metric_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(pods_metric_source, (), (metric, target))
constexpr bool required(pods_metric_source const*, std::string_view)
{
    return true;
}

struct object_metric_source {
    cross_version_object_reference described_object{};
    metric_target target{};
    metric_identifier metric{};
    friend bool operator==(object_metric_source const&, object_metric_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(object_metric_source, (), (described_object, target, metric))
constexpr bool required(object_metric_source const*, std::string_view)
{
    return true;
}

struct external_metric_source {
    metric_identifier metric{};
    metric_target target{};
    std::optional<prometheus_metric> prometheus{};  ///< podium's own: who knows it
    friend bool operator==(external_metric_source const&, external_metric_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(external_metric_source, (), (metric, target, prometheus))
constexpr bool required(external_metric_source const*, std::string_view member)
{
    return member != "prometheus";
}

enum class metric_source_type : std::uint8_t { resource, container_resource, pods, object, external };
BOOST_DESCRIBE_ENUM(metric_source_type, resource, container_resource, pods, object, external)

/// One of the five, which `type` names.
struct metric_spec {
    metric_source_type type = metric_source_type::resource;
    boxed<resource_metric_source> resource{};
    boxed<container_resource_metric_source> container_resource{};
    boxed<pods_metric_source> pods{};
    boxed<object_metric_source> object{};
    boxed<external_metric_source> external{};
    friend bool operator==(metric_spec const&, metric_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_spec, (), (type, resource, container_resource, pods, object, external))
constexpr bool required(metric_spec const*, std::string_view member)
{
    return member == "type";
}

// -- How fast --------------------------------------------------------------------------------------

enum class scaling_policy_select : std::uint8_t { max, min, disabled };
BOOST_DESCRIBE_ENUM(scaling_policy_select, max, min, disabled)

enum class hpa_scaling_policy_type : std::uint8_t { pods, percent };
BOOST_DESCRIBE_ENUM(hpa_scaling_policy_type, pods, percent)

struct hpa_scaling_policy {
    hpa_scaling_policy_type type = hpa_scaling_policy_type::pods;
    std::int32_t value = 0;
    std::int32_t period_seconds = 0;
    friend bool operator==(hpa_scaling_policy const&, hpa_scaling_policy const&) = default;
};
BOOST_DESCRIBE_STRUCT(hpa_scaling_policy, (), (type, value, period_seconds))
constexpr bool required(hpa_scaling_policy const*, std::string_view)
{
    return true;
}

struct hpa_scaling_rules {
    std::optional<std::int32_t> stabilization_window_seconds{};
    std::optional<scaling_policy_select> select_policy{};
    std::vector<hpa_scaling_policy> policies{};
    std::optional<quantity> tolerance{};  ///< "0.05"; default: 0.1
    friend bool operator==(hpa_scaling_rules const&, hpa_scaling_rules const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    hpa_scaling_rules, (), (stabilization_window_seconds, select_policy, policies, tolerance))

struct horizontal_pod_autoscaler_behavior {
    std::optional<hpa_scaling_rules> scale_up{};
    std::optional<hpa_scaling_rules> scale_down{};
    friend bool operator==(
        horizontal_pod_autoscaler_behavior const&, horizontal_pod_autoscaler_behavior const&) = default;
};
BOOST_DESCRIBE_STRUCT(horizontal_pod_autoscaler_behavior, (), (scale_up, scale_down))

/// podium's own: what earlier days asked for is there before it is asked for again. It only ever raises what
/// the metrics ask for; see `autoscale::season_policy`.
struct season_spec {
    std::int32_t length_seconds = 86'400;
    std::int32_t slots = 96;           ///< that the length is cut into
    std::int32_t lead_seconds = 120;   ///< how long a new replica takes until it works
    std::int32_t max_percent = 200;    ///< of what the metrics ask for now, at least 100
    std::int32_t weight_percent = 50;  ///< of the latest season
    friend bool operator==(season_spec const&, season_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(season_spec, (), (length_seconds, slots, lead_seconds, max_percent, weight_percent))

struct horizontal_pod_autoscaler_spec {
    cross_version_object_reference scale_target_ref{};
    std::int32_t min_replicas = 1;  ///< 0 with an object or external metric: to zero and back
    std::int32_t max_replicas = 0;
    std::vector<metric_spec> metrics{};  ///< default: 80 % of the cpu that is requested
    boxed<horizontal_pod_autoscaler_behavior> behavior{};
    boxed<season_spec> season{};  ///< podium's own
    friend bool operator==(
        horizontal_pod_autoscaler_spec const&, horizontal_pod_autoscaler_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(horizontal_pod_autoscaler_spec, (),
    (scale_target_ref, min_replicas, max_replicas, metrics, behavior, season))
constexpr bool required(horizontal_pod_autoscaler_spec const*, std::string_view member)
{
    return member == "scale_target_ref" || member == "max_replicas";
}
constexpr bool always(horizontal_pod_autoscaler_spec const*, std::string_view member)
{
    return member == "min_replicas";
}

// -- Status ----------------------------------------------------------------------------------------

struct metric_value_status {
    std::optional<quantity> value{};
    std::optional<quantity> average_value{};
    std::optional<std::int32_t> average_utilization{};
    friend bool operator==(metric_value_status const&, metric_value_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_value_status, (), (value, average_value, average_utilization))

struct resource_metric_status {
    std::string name{};
    metric_value_status current{};
    friend bool operator==(resource_metric_status const&, resource_metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(resource_metric_status, (), (name, current))

struct container_resource_metric_status {
    std::string name{};
    std::string container{};
    metric_value_status current{};
    friend bool operator==(
        container_resource_metric_status const&, container_resource_metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_resource_metric_status, (), (name, container, current))

struct pods_metric_status {
    metric_identifier metric{};
    metric_value_status current{};
    friend bool operator==(pods_metric_status const&, pods_metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(pods_metric_status, (), (metric, current))

struct object_metric_status {
    metric_identifier metric{};
    metric_value_status current{};
    cross_version_object_reference described_object{};
    friend bool operator==(object_metric_status const&, object_metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(object_metric_status, (), (metric, current, described_object))

struct external_metric_status {
    metric_identifier metric{};
    metric_value_status current{};
    friend bool operator==(external_metric_status const&, external_metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(external_metric_status, (), (metric, current))

/// What one metric came to; of one that failed its type alone.
struct metric_status {
    metric_source_type type = metric_source_type::resource;
    boxed<resource_metric_status> resource{};
    boxed<container_resource_metric_status> container_resource{};
    boxed<pods_metric_status> pods{};
    boxed<object_metric_status> object{};
    boxed<external_metric_status> external{};
    friend bool operator==(metric_status const&, metric_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_status, (), (type, resource, container_resource, pods, object, external))
constexpr bool always(metric_status const*, std::string_view member)
{
    return member == "type";
}

struct horizontal_pod_autoscaler_condition {
    std::string type{};  ///< "AbleToScale", "ScalingActive", "ScalingLimited"
    condition_status status = condition_status::unknown;
    std::optional<time> last_transition_time{};
    std::string reason{};
    std::string message{};
    friend bool operator==(
        horizontal_pod_autoscaler_condition const&, horizontal_pod_autoscaler_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    horizontal_pod_autoscaler_condition, (), (type, status, last_transition_time, reason, message))
constexpr bool required(horizontal_pod_autoscaler_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}

struct horizontal_pod_autoscaler_status {
    std::int64_t observed_generation = 0;
    std::optional<time> last_scale_time{};
    std::int32_t current_replicas = 0;
    std::int32_t desired_replicas = 0;
    std::vector<metric_status> current_metrics{};
    std::vector<horizontal_pod_autoscaler_condition> conditions{};
    std::optional<time> readings_time{};  ///< podium's own: the readings that the last decision went by
    autoscale::state machine{};           ///< podium's own: what damps the next decisions
    friend bool operator==(
        horizontal_pod_autoscaler_status const&, horizontal_pod_autoscaler_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(horizontal_pod_autoscaler_status, (),
    (observed_generation, last_scale_time, current_replicas, desired_replicas, current_metrics, conditions,
        readings_time, machine))
constexpr bool always(horizontal_pod_autoscaler_status const*, std::string_view member)
{
    return member == "current_replicas" || member == "desired_replicas";
}

struct horizontal_pod_autoscaler {
    static constexpr std::string_view kind = "HorizontalPodAutoscaler";
    static constexpr std::string_view api_version = "autoscaling/v2";
    static constexpr std::string_view plural = "horizontalpodautoscalers";
    static constexpr std::string_view short_name = "hpa";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    horizontal_pod_autoscaler_spec spec{};
    horizontal_pod_autoscaler_status status{};
    friend bool operator==(horizontal_pod_autoscaler const&, horizontal_pod_autoscaler const&) = default;
};
BOOST_DESCRIBE_STRUCT(horizontal_pod_autoscaler, (), (metadata, spec, status))
constexpr bool required(horizontal_pod_autoscaler const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
