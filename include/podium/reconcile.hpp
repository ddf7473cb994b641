#pragma once
/// Reconciliation: kinds and objects, guarded plans, the view, the work queue and the plane; the Store seam.
#include <podium/reconcile/contract.hpp>
#include <podium/reconcile/key_slots.hpp>
#include <podium/reconcile/kind.hpp>
#include <podium/reconcile/lease.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/object.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/reconcile/plane.hpp>
#include <podium/reconcile/queue_delays.hpp>
#include <podium/reconcile/queue_figures.hpp>
#include <podium/reconcile/queue_order.hpp>
#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/reconcile/work_queue.hpp>
