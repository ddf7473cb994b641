#pragma once
/// What controllers ask of pods: does it count, since when is it ready, and how it is sent away.
///
/// A pod that must go in a voluntary change is not deleted but marked: `retire` writes `status.drain`, and
/// the drain controller deletes it once no router sends it anything (see `drains.hpp`). Whoever counts
/// pods counts a leaving pod as gone, so its replacement does not wait for it.

#include <podium/core/time.hpp>
#include <podium/model/pod.hpp>
#include <podium/reconcile/plan.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

/// Marked to go, by a drain or by a deletion.
[[nodiscard]] inline bool is_leaving(model::pod const& p) noexcept
{
    return p.metadata.deletion_timestamp.has_value() || p.status.drain.has_value();
}

/// Counts as one of its set's replicas.
[[nodiscard]] inline bool is_active(model::pod const& p) noexcept
{
    return !is_terminal(p.status.phase) && !is_leaving(p);
}

/// Since when it is ready; nothing when it is not.
[[nodiscard]] inline std::optional<time_point> ready_since(model::pod const& p) noexcept
{
    auto const* const c = model::find_condition(p.status.conditions, "Ready");
    if (!c || c->status != model::condition_status::true_)
        return {};
    return c->last_transition_time ? c->last_transition_time->at : time_point{};
}

/// Sets a condition; its transition time moves only when the status does. True when anything changed.
template<class Condition>
bool set_condition(std::vector<Condition>& conditions, Condition wanted, time_point now)
{
    auto* const old = model::find_condition(conditions, wanted.type);
    if (old && old->status == wanted.status && old->reason == wanted.reason && old->message == wanted.message)
        return false;
    wanted.last_transition_time =
        old && old->status == wanted.status ? old->last_transition_time : model::time{now};
    if (old)
        *old = std::move(wanted);
    else
        conditions.push_back(std::move(wanted));
    return true;
}

/// How long a retired pod may take to finish the requests that it has.
struct drain_policy {
    duration deadline = std::chrono::seconds(30);
    friend bool operator==(drain_policy const&, drain_policy const&) = default;
};

/// Marks a pod that is to go in a voluntary change, unless it is on its way already.
inline void begin_drain(model::pod& p, std::string_view reason, drain_policy const& policy, time_point now)
{
    if (!is_leaving(p))
        p.status.drain = model::pod_drain{{now}, {now + policy.deadline}, std::string(reason)};
}

/// Sends a pod away in a voluntary change. One that no node has taken yet, or that has ended, is removed at
/// once; a second call changes nothing.
inline void retire(reconcile::plan& p, reconcile::handle<model::pod> const& pod, std::string_view reason,
    drain_policy const& policy, time_point now)
{
    if (pod->spec.node_name.empty()) {
        p.remove(pod);
    } else {
        auto next = *pod;
        begin_drain(next, reason, policy, now);
        p.update(pod, std::move(next));
    }
}

/// Asks the node's agent to end it: SIGTERM now, SIGKILL when the grace has passed.
inline void begin_deletion(reconcile::plan& p, reconcile::handle<model::pod> const& pod, time_point now)
{
    if (pod->spec.node_name.empty()) {
        p.remove(pod);
    } else if (!pod->metadata.deletion_timestamp) {
        auto next = *pod;
        next.metadata.deletion_timestamp = model::time{now};
        next.metadata.deletion_grace_period_seconds = pod->spec.termination_grace_period_seconds;
        p.update(pod, std::move(next));
    }
}

}  // namespace podium::v0::controllers
