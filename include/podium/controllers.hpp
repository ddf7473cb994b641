#pragma once
/// The control plane's controllers: pure reconcilers over the model, and the plane that holds them all.
#include <podium/controllers/analyses.hpp>
#include <podium/controllers/claims.hpp>
#include <podium/controllers/control_plane.hpp>
#include <podium/controllers/deployments.hpp>
#include <podium/controllers/disruption_budgets.hpp>
#include <podium/controllers/drains.hpp>
#include <podium/controllers/endpoints.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/garbage_collector.hpp>
#include <podium/controllers/node_lifecycle.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/controllers/release_plan.hpp>
#include <podium/controllers/replica_sets.hpp>
#include <podium/controllers/rollouts.hpp>
#include <podium/controllers/scheduler.hpp>
#include <podium/controllers/stateful_sets.hpp>
