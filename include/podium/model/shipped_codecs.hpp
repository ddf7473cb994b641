#pragma once
/// The codec of every shipped kind, and of the parts of pods that are encoded alone. Whoever encodes or
/// decodes one of them includes this: with PODIUM_SEPARATE_COMPILATION the unit then compiles none of them.

#include <podium/core/separate.hpp>
#include <podium/model/codec.hpp>
#include <podium/model/kinds.hpp>

#ifdef PODIUM_TEMPLATE
namespace podium::inline v0::model::detail {
#define PODIUM_CODEC(type_name) PODIUM_TEMPLATE struct_codec const& table_of<type_name>();
PODIUM_CODEC(analysis_run)
PODIUM_CODEC(analysis_template)
PODIUM_CODEC(config_map)
PODIUM_CODEC(container)
PODIUM_CODEC(controller_revision)
PODIUM_CODEC(deployment)
PODIUM_CODEC(endpoint_slice)
PODIUM_CODEC(event)
PODIUM_CODEC(horizontal_pod_autoscaler)
PODIUM_CODEC(lease)
PODIUM_CODEC(metric_readings)
PODIUM_CODEC(namespace_)
PODIUM_CODEC(node)
PODIUM_CODEC(object_meta)
PODIUM_CODEC(persistent_volume_claim)
PODIUM_CODEC(pod)
PODIUM_CODEC(pod_disruption_budget)
PODIUM_CODEC(pod_spec)
PODIUM_CODEC(pod_template_spec)
PODIUM_CODEC(replica_set)
PODIUM_CODEC(rollout)
PODIUM_CODEC(router_status)
PODIUM_CODEC(secret)
PODIUM_CODEC(service)
PODIUM_CODEC(stateful_set)
#undef PODIUM_CODEC
}  // namespace podium::v0::model::detail
#endif
