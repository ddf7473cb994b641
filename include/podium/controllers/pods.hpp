#pragma once
/// What controllers ask of pods: does it count, since when is it ready, and how it is sent away.
///
/// A pod that must go in a voluntary change is not deleted but marked: `retire` writes `status.drain`, and
/// the drain controller deletes it once no router sends it anything (see `drains.hpp`). Whoever counts
/// pods counts a leaving pod as gone, so its replacement does not wait for it.

#include <podium/core/time.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/pod.hpp>
#include <podium/reconcile/plan.hpp>

#include <cstdint>
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

/// One that does not hold what validation demands selects nothing.
[[nodiscard]] inline labels::selector selector_of(model::label_selector const& from)
{
    auto const operator_of = [](model::label_selector_operator o) {
        switch (o) {
        case model::label_selector_operator::in: return labels::op::in;
        case model::label_selector_operator::not_in: return labels::op::not_in;
        case model::label_selector_operator::exists: return labels::op::exists;
        case model::label_selector_operator::does_not_exist: return labels::op::does_not_exist;
        }
        return labels::op::unknown;
    };
    labels::label_selector s{from.match_labels, {}};
    for (auto const& e : from.match_expressions)
        s.match_expressions.push_back({e.key, operator_of(e.operator_), e.values});
    return labels::selector::make(s).value_or(labels::selector::nothing());
}

/// The condition of a pod that is disrupted by somebody.
inline constexpr std::string_view disruption_target = "DisruptionTarget";
inline void add_disruption(model::pod& p, std::string_view reason, std::string message, time_point now)
{
    model::pod_condition c;
    c.type = disruption_target;
    c.status = model::condition_status::true_;
    c.reason = reason;
    c.message = std::move(message);
    set_condition(p.status.conditions, std::move(c), now);
}

/// How a retired pod is ended.
struct drain_policy {
    duration deadline = std::chrono::seconds(30);        ///< for the requests that it has
    std::optional<std::int64_t> grace_period_seconds{};  ///< from SIGTERM to SIGKILL; else the pod's own
    friend bool operator==(drain_policy const&, drain_policy const&) = default;
};

/// Marks a pod that is to go in a voluntary change, unless it is on its way already.
inline void begin_drain(model::pod& p, std::string_view reason, drain_policy const& policy, time_point now)
{
    if (!is_leaving(p))
        p.status.drain = model::pod_drain{
            {now}, {now + policy.deadline}, std::string(reason), policy.grace_period_seconds};
}

/// Sends a pod away in a voluntary change; `next` is the pod with what else is to be written into it. One
/// that no node has taken yet is removed at once; a second call changes nothing.
inline void retire(reconcile::plan& p, reconcile::handle<model::pod> const& pod, model::pod next,
    std::string_view reason, drain_policy const& policy, time_point now)
{
    if (pod->spec.node_name.empty()) {
        p.remove(pod);
    } else {
        begin_drain(next, reason, policy, now);
        p.update(pod, std::move(next));
    }
}
inline void retire(reconcile::plan& p, reconcile::handle<model::pod> const& pod, std::string_view reason,
    drain_policy const& policy, time_point now)
{
    retire(p, pod, *pod, reason, policy, now);
}

/// Asks the node's agent to end it: SIGTERM now, SIGKILL when the grace has passed.
inline void begin_deletion(reconcile::plan& p, reconcile::handle<model::pod> const& pod, time_point now)
{
    if (pod->spec.node_name.empty()) {
        p.remove(pod);
    } else if (!pod->metadata.deletion_timestamp) {
        auto next = *pod;
        next.metadata.deletion_timestamp = model::time{now};
        auto const& drain = pod->status.drain;
        next.metadata.deletion_grace_period_seconds =
            (drain ? drain->grace_period_seconds : std::nullopt)
                .value_or(pod->spec.termination_grace_period_seconds);
        p.update(pod, std::move(next));
    }
}

}  // namespace podium::v0::controllers
