#pragma once
/// The assembled cluster: control plane, nodes, router and API, ready to run in an io_context of the
/// embedder's.

#include <podium/cluster/analyses.hpp>
#include <podium/cluster/autoscaling.hpp>
#include <podium/cluster/cluster.hpp>
#include <podium/cluster/dashboard.hpp>
#include <podium/cluster/dashboard_page.hpp>
#include <podium/cluster/decisions.hpp>
#include <podium/cluster/history.hpp>
#include <podium/cluster/metrics.hpp>
#include <podium/cluster/node.hpp>
#include <podium/cluster/overview.hpp>
#include <podium/cluster/router.hpp>
#include <podium/cluster/url.hpp>
#include <podium/cluster/usage.hpp>
#include <podium/cluster/volumes.hpp>
