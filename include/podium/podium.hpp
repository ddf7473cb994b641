#pragma once
/// Every primitive: includes only. What is in here needs nothing but std.
///
/// The system (`podium/model.hpp` and on) and the adapters (`podium/store.hpp` and on) are included by name,
/// since they need libraries and cost more to compile.

#include <podium/autoscale.hpp>
#include <podium/core.hpp>
#include <podium/image.hpp>
#include <podium/labels.hpp>
#include <podium/observe.hpp>
#include <podium/probe.hpp>
#include <podium/reconcile.hpp>
#include <podium/rollout.hpp>
#include <podium/schedule.hpp>
#include <podium/traffic.hpp>
#include <podium/version.hpp>
