#pragma once
/// schedule: which node a pod goes to, and why not the others. Pure, on the embedder's own node and pod
/// types.

#include <podium/schedule/affinity.hpp>
#include <podium/schedule/decision.hpp>
#include <podium/schedule/evictions.hpp>
#include <podium/schedule/group.hpp>
#include <podium/schedule/images.hpp>
#include <podium/schedule/kubernetes.hpp>
#include <podium/schedule/node.hpp>
#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/plugin.hpp>
#include <podium/schedule/pod_queue.hpp>
#include <podium/schedule/ports.hpp>
#include <podium/schedule/preemption.hpp>
#include <podium/schedule/rebalance.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/sampling.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/snapshot.hpp>
#include <podium/schedule/spread.hpp>
#include <podium/schedule/taints.hpp>
#include <podium/schedule/tenant.hpp>
#include <podium/schedule/volumes.hpp>
#include <podium/schedule/what_if.hpp>
