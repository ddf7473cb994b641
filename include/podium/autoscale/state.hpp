#pragma once
/// What an autoscaler remembers between two steps: enough to damp, little enough to store.
///
/// Source: Kubernetes v1.35.4 podautoscaler/horizontal.go keeps recommendations and scale events in the
/// controller's memory and loses them when it restarts; here they are a value that the caller can save.

#include <podium/autoscale/predict.hpp>
#include <podium/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace podium::inline v0::autoscale {

/// A size that the metrics asked for, before any limit.
struct recommendation {
    std::int32_t replicas = 0;
    time_point at{};
    friend bool operator==(recommendation const&, recommendation const&) = default;
};

/// A change of size, for the policies that limit change within a period.
struct scale_event {
    std::int32_t change = 0;  ///< >= 0, whichever the direction
    time_point at{};
    friend bool operator==(scale_event const&, scale_event const&) = default;
};

/// The size asked for last.
struct rescale {
    std::int32_t from = 0;
    std::int32_t to = 0;
    time_point at{};
    friend bool operator==(rescale const&, rescale const&) = default;
};

/// Kubernetes' reasons; `to_string` spells them as it does.
enum class reason : std::uint8_t {
    succeeded_get_scale,
    ready_for_new_scale,
    scale_up_stabilized,
    scale_down_stabilized,
    succeeded_rescale,
    failed_update_scale,
    valid_metric_found,
    scaling_disabled,
    failed_get_resource_metric,
    failed_get_container_resource_metric,
    failed_get_pods_metric,
    failed_get_object_metric,
    failed_get_external_metric,
    desired_within_range,
    scale_up_limit,
    scale_down_limit,
    too_many_replicas,
    too_few_replicas,
};

/// What the autoscaler says of itself, as a Kubernetes condition: whether, why, and since when.
struct condition {
    bool value = false;
    reason why = reason::succeeded_get_scale;
    time_point since{};  ///< when `value` last changed
    friend bool operator==(condition const&, condition const&) = default;
};

/// Plain data: save it, restore it, compare it. A new autoscaler begins with `state{}`.
struct state {
    /// Oldest first, and only those that can still decide: one under constant load, at most the distinct ones
    /// of the longest window.
    std::vector<recommendation> recommendations{};
    std::vector<scale_event> scale_ups{};
    std::vector<scale_event> scale_downs{};
    std::optional<rescale> last{};
    autoscale::season season{};  ///< where the policy has one
    std::optional<condition> able_to_scale{};
    std::optional<condition> scaling_active{};
    std::optional<condition> scaling_limited{};
    friend bool operator==(state const&, state const&) = default;
};

[[nodiscard]] constexpr std::string_view to_string(reason r) noexcept
{
    switch (r) {
    case reason::succeeded_get_scale: return "SucceededGetScale";
    case reason::ready_for_new_scale: return "ReadyForNewScale";
    case reason::scale_up_stabilized: return "ScaleUpStabilized";
    case reason::scale_down_stabilized: return "ScaleDownStabilized";
    case reason::succeeded_rescale: return "SucceededRescale";
    case reason::failed_update_scale: return "FailedUpdateScale";
    case reason::valid_metric_found: return "ValidMetricFound";
    case reason::scaling_disabled: return "ScalingDisabled";
    case reason::failed_get_resource_metric: return "FailedGetResourceMetric";
    case reason::failed_get_container_resource_metric: return "FailedGetContainerResourceMetric";
    case reason::failed_get_pods_metric: return "FailedGetPodsMetric";
    case reason::failed_get_object_metric: return "FailedGetObjectMetric";
    case reason::failed_get_external_metric: return "FailedGetExternalMetric";
    case reason::desired_within_range: return "DesiredWithinRange";
    case reason::scale_up_limit: return "ScaleUpLimit";
    case reason::scale_down_limit: return "ScaleDownLimit";
    case reason::too_many_replicas: return "TooManyReplicas";
    case reason::too_few_replicas: return "TooFewReplicas";
    }
    return "unknown";
}

}  // namespace podium::v0::autoscale
