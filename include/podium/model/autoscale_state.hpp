#pragma once
/// What an autoscaler remembers, as JSON: a HorizontalPodAutoscaler keeps it in its status.

#include <podium/autoscale/state.hpp>
#include <podium/model/instant.hpp>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

namespace podium::inline v0::autoscale {

BOOST_DESCRIBE_ENUM(reason, succeeded_get_scale, ready_for_new_scale, scale_up_stabilized,
    scale_down_stabilized, succeeded_rescale, failed_update_scale, valid_metric_found, scaling_disabled,
    failed_get_resource_metric, failed_get_container_resource_metric, failed_get_pods_metric,
    failed_get_object_metric, failed_get_external_metric, desired_within_range, scale_up_limit,
    scale_down_limit, too_many_replicas, too_few_replicas)
BOOST_DESCRIBE_STRUCT(recommendation, (), (replicas, at))
BOOST_DESCRIBE_STRUCT(scale_event, (), (change, at))
BOOST_DESCRIBE_STRUCT(rescale, (), (from, to, at))
BOOST_DESCRIBE_STRUCT(condition, (), (value, why, since))
BOOST_DESCRIBE_STRUCT(season, (), (expected_milli, slot, peak))
BOOST_DESCRIBE_STRUCT(state, (),
    (recommendations, scale_ups, scale_downs, last, season, able_to_scale, scaling_active, scaling_limited))

}  // namespace podium::v0::autoscale
