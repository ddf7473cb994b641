#pragma once
/// The status that a pod's node publishes for it.
///
/// Only what the agent knows is written; what others wrote (the drain, conditions of other types) stays.
/// A terminal phase is never taken back.
///
/// Source: Kubernetes v1.35.4: pkg/kubelet/kubelet_pods.go (generateAPIPodStatus,
/// convertToAPIContainerStatuses) and pkg/kubelet/status/generate.go.

#include <podium/agent/lifecycle.hpp>
#include <podium/agent/restart.hpp>
#include <podium/model/pod.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::agent {

/// What to publish, from the newest object and the machine's memory. O(containers).
[[nodiscard]] inline model::pod_status status_of(
    model::pod const& pod, lifecycle const& s, std::string_view host_ip, time_point now);

namespace detail {

[[nodiscard]] inline model::container_state terminated_state(model::boxed<termination> const& how)
{
    model::container_state state;
    if (how)
        state.terminated = model::container_state_terminated{.exit_code = how->exit_code,
            .signal = how->signal,
            .reason = how->reason,
            .message = how->message,
            .started_at = how->started_at,
            .finished_at = how->finished_at,
            .container_id = how->id};
    return state;
}

[[nodiscard]] inline model::container_state waiting_state(std::string reason, std::string message = {})
{
    model::container_state state;
    state.waiting =
        model::container_state_waiting{.reason = std::move(reason), .message = std::move(message)};
    return state;
}

[[nodiscard]] inline std::string_view reason_of(refused::part by, bool again) noexcept
{
    switch (by) {
    case refused::part::configuration: return "CreateContainerConfigError";
    case refused::part::image: return again ? "ImagePullBackOff" : "ErrImagePull";
    case refused::part::creation: return "CreateContainerError";
    case refused::part::start: return "RunContainerError";
    }
    return "CreateContainerError";
}

[[nodiscard]] inline model::container_status status_of(
    model::pod const& pod, lifecycle const& s, std::size_t i, time_point now)
{
    auto const& c = s.containers[i];
    auto const& spec = container_at(pod.spec, i);
    model::container_status out{.name = spec.name,
        .ready = c.ready ||
            (c.at == container::stage::ended && role_of(pod.spec, i) == role::init && c.end->exit_code == 0),
        .restart_count = c.restarts,
        .image = spec.image,
        .container_id = c.id,
        .started = c.started};
    auto const refusal = [&] { return reason_of(*c.why, c.refusals > 1); };
    switch (c.at) {
    case container::stage::waiting:
    case container::stage::starting:
        out.last_state = terminated_state(c.end_before);
        if (c.why)
            out.state = waiting_state(std::string(refusal()), c.message);
        else if (role_of(pod.spec, i) != role::sidecar && !s.initialized &&
            !pod.spec.init_containers.empty() && c.at == container::stage::waiting)
            out.state = waiting_state("PodInitializing");
        else
            out.state = waiting_state("ContainerCreating");
        break;
    case container::stage::running:
        out.last_state = terminated_state(c.end_before);
        out.state.running = model::container_state_running{.started_at = model::time{c.started_at}};
        break;
    case container::stage::ended:
        if (s.why == leaving::no && c.after_end.retry_at > now &&
            !(role_of(pod.spec, i) == role::init && c.end->exit_code == 0) &&
            restarts({.pod = pod.spec.restart_policy, .own = spec.restart_policy, .rules = {}},
                c.end->exit_code)) {
            out.last_state = terminated_state(c.end);
            out.state = c.why ? waiting_state(std::string(refusal()), c.message)
                              : waiting_state("CrashLoopBackOff", "waits before it is started again");
        } else {
            out.last_state = terminated_state(c.end_before);
            out.state = terminated_state(c.end);
        }
        break;
    }
    return out;
}

[[nodiscard]] inline standing standing_of(
    model::pod_spec const& spec, std::size_t i, model::container_status const& status)
{
    using state = standing::state;
    auto const& own = container_at(spec, i);
    standing out{.role = role_of(spec, i), .started = status.started.value_or(false)};
    auto const ended = [&](model::container_state_terminated const& how, state now) {
        out.now = now;
        out.exit_code = how.exit_code;
        out.restarts =
            restarts({.pod = spec.restart_policy, .own = own.restart_policy, .rules = {}}, how.exit_code);
    };
    if (status.state.running)
        out.now = state::running;
    else if (status.state.terminated)
        ended(*status.state.terminated, state::ended);
    else if (status.last_state.terminated)
        ended(*status.last_state.terminated, state::ended_waiting);
    else
        out.now = state::waiting;
    return out;
}

inline void set_condition(model::pod_status& status, std::string_view type, bool holds,
    std::string_view reason, std::string message, std::int64_t generation, time_point now)
{
    auto* c = model::find_condition(status.conditions, type);
    if (!c) {
        status.conditions.push_back({.type = std::string(type)});
        c = &status.conditions.back();
    }
    auto const value = holds ? model::condition_status::true_ : model::condition_status::false_;
    if (c->status != value || !c->last_transition_time)
        c->last_transition_time = now;
    c->status = value;
    c->reason = holds ? std::string_view{} : reason;
    c->message = holds ? std::string{} : std::move(message);
    c->observed_generation = generation;
}

}  // namespace detail

inline model::pod_status status_of(
    model::pod const& pod, lifecycle const& s, std::string_view host_ip, time_point now)
{
    auto out = pod.status;
    auto const inits = pod.spec.init_containers.size();
    out.init_container_statuses.clear();
    out.container_statuses.clear();
    out.init_container_statuses.reserve(inits);
    out.container_statuses.reserve(pod.spec.containers.size());
    std::vector<standing> standings;
    standings.reserve(s.containers.size());
    std::string unready, uninitialized;
    auto const name = [](std::string& list, std::string const& which) {
        list += list.empty() ? "" : " ";
        list += which;
    };
    for (std::size_t i = 0; i < s.containers.size(); ++i) {
        auto status = detail::status_of(pod, s, i, now);
        auto const what = role_of(pod.spec, i);
        standings.push_back(detail::standing_of(pod.spec, i, status));
        if (what != role::init && !status.ready)
            name(unready, status.name);
        if (what == role::sidecar ? !status.started.value_or(false) : what == role::init && !status.ready)
            name(uninitialized, status.name);
        (i < inits ? out.init_container_statuses : out.container_statuses).push_back(std::move(status));
    }

    if (!model::is_terminal(pod.status.phase)) {
        out.phase = phase_of(standings, s.over(), s.initialized);
        if (s.why == leaving::deadline_exceeded) {
            out.reason = "DeadlineExceeded";
            out.message = "the pod ran longer than its activeDeadlineSeconds";
            if (s.over())
                out.phase = model::pod_phase::failed;
        }
    }

    auto const generation = pod.metadata.generation;
    auto const condition = [&](std::string_view type, bool holds, std::string_view reason,
                               std::string message) {
        detail::set_condition(out, type, holds, reason, std::move(message), generation, now);
    };
    bool const terminal = model::is_terminal(out.phase);
    auto const ended = out.phase == model::pod_phase::succeeded ? std::string_view("PodCompleted")
                                                                : std::string_view("PodFailed");
    auto const reason = [&](std::string_view otherwise) { return terminal ? ended : otherwise; };
    condition("PodScheduled", true, {}, {});
    condition("Initialized", s.initialized, reason("ContainersNotInitialized"),
        terminal || uninitialized.empty() ? std::string{}
                                          : "containers with incomplete status: [" + uninitialized + "]");
    bool const ready = s.initialized && !terminal && unready.empty();
    auto const why = unready.empty() ? std::string{} : "containers with unready status: [" + unready + "]";
    condition("ContainersReady", ready, reason("ContainersNotReady"), terminal ? std::string{} : why);
    condition("Ready", ready, reason("ContainersNotReady"), terminal ? std::string{} : why);

    out.host_ip = host_ip;
    if (!s.address.empty() && out.pod_ip != s.address) {
        out.pod_ip = s.address;
        out.pod_ips.assign(1, {s.address});
    }
    if (!out.start_time)
        out.start_time = s.since;
    if (out.qos_class.empty())
        out.qos_class = qos_class(pod.spec);
    out.observed_generation = generation;
    return out;
}

}  // namespace podium::v0::agent
