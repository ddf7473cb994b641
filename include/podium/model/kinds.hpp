#pragma once
/// Every kind that podium ships, and the list of them.

#include <podium/model/analysis.hpp>
#include <podium/model/config_map.hpp>
#include <podium/model/controller_revision.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/event.hpp>
#include <podium/model/horizontal_pod_autoscaler.hpp>
#include <podium/model/lease.hpp>
#include <podium/model/metric_readings.hpp>
#include <podium/model/namespace.hpp>
#include <podium/model/node.hpp>
#include <podium/model/persistent_volume_claim.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/pod_disruption_budget.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/rollout.hpp>
#include <podium/model/router_status.hpp>
#include <podium/model/secret.hpp>
#include <podium/model/service.hpp>
#include <podium/model/stateful_set.hpp>

namespace podium::inline v0::model {

/// A list of kinds, for code that does something for each.
template<class... K>
struct kind_list {};

using shipped_kinds =
    kind_list<pod, node, deployment, replica_set, service, endpoint_slice, config_map, secret, namespace_,
        event, lease, router_status, stateful_set, persistent_volume_claim, controller_revision, rollout,
        analysis_template, analysis_run, pod_disruption_budget, horizontal_pod_autoscaler, metric_readings>;

}  // namespace podium::v0::model
