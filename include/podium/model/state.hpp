#pragma once
/// The states of the primitives' machines as JSON: `encode(state)`, `decode_text<probe::monitor>(text)`.
///
/// The primitives know nothing of JSON; their states are described here, from outside, as an embedder
/// describes his own types. A state that was written after any step and read by another process goes on as if
/// nothing had happened: time points are written as whole nanoseconds since 1970, exactly, which a process
/// that anchors its clock to the wall (as `store::clock` does) reads as the same moments. Not here:
/// agent::lifecycle, for containers end with their agent and it is made anew from the pod's status, and the
/// traffic room's pools, which a router fills from the endpoints that it finds.

#include <podium/core/backoff.hpp>
#include <podium/core/time.hpp>
#include <podium/model/autoscale_state.hpp>
#include <podium/model/codec.hpp>
#include <podium/model/instant.hpp>
#include <podium/model/release_state.hpp>
#include <podium/probe/guard.hpp>
#include <podium/probe/monitor.hpp>
#include <podium/probe/worker.hpp>
#include <podium/reconcile/lease.hpp>
#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/work_queue.hpp>
#include <podium/rollout/stateful_set.hpp>
#include <podium/rollout/status.hpp>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <cstdint>
#include <string>

namespace podium::inline v0 {

BOOST_DESCRIBE_STRUCT(backoff_state, (), (next_wait, retry_at))

}  // namespace podium::v0

namespace podium::inline v0::probe {

BOOST_DESCRIBE_ENUM(verdict, unknown, passing, failing)
BOOST_DESCRIBE_STRUCT(check, (), (due, deadline, sequence, current, leaning, run))
BOOST_DESCRIBE_STRUCT(
    monitor, (), (instance, running_since, spread, started, ready, startup, readiness, liveness))
BOOST_DESCRIBE_STRUCT(worker, (), (instance, memory, held, over))
BOOST_DESCRIBE_STRUCT(guard<std::uint64_t>::grant, (), (who, at))
BOOST_DESCRIBE_STRUCT(guard<std::uint64_t>, (), (recent))
BOOST_DESCRIBE_STRUCT(guard<std::string>::grant, (), (who, at))
BOOST_DESCRIBE_STRUCT(guard<std::string>, (), (recent))

}  // namespace podium::v0::probe

namespace podium::inline v0::rollout {

BOOST_DESCRIBE_ENUM(condition_status, true_, false_, unknown)
BOOST_DESCRIBE_ENUM(reason, new_replica_set_created, found_new_replica_set, replica_set_updated,
    new_replica_set_available, progress_deadline_exceeded, deployment_paused, deployment_resumed,
    minimum_replicas_available, minimum_replicas_unavailable, failed_create, failed_delete)
BOOST_DESCRIBE_STRUCT(condition, (), (value, why, last_update, last_transition))
BOOST_DESCRIBE_STRUCT(status, (),
    (observed_generation, revision, replicas, updated, ready, available, unavailable, progressing,
        available_condition, replica_failure))

}  // namespace podium::v0::rollout

namespace podium::inline v0::rollout::stateful {

BOOST_DESCRIBE_STRUCT(status, (),
    (observed_generation, replicas, ready, available, current, updated, current_template, update_template))

}  // namespace podium::v0::rollout::stateful

namespace podium::inline v0::reconcile {

BOOST_DESCRIBE_STRUCT(lease, (), (holder, term, beat, lasts))
BOOST_DESCRIBE_STRUCT(election, (),
    (seen, read, leads, resigned, releases, changed_at, renewed_at, try_at, writing, asked_at, waits))
BOOST_DESCRIBE_STRUCT(saved_queue<std::string>::item, (), (key, due, priority, age))
BOOST_DESCRIBE_STRUCT(saved_queue<std::string>, (), (items))
BOOST_DESCRIBE_STRUCT(token_bucket::saved, (), (used, at))
BOOST_DESCRIBE_STRUCT(failed<std::string>, (), (key, failures))

}  // namespace podium::v0::reconcile
