#pragma once
/// When a container that is not running is started again, and what a pod's containers make of its phase.
///
/// Source: Kubernetes v1.35.4: pkg/kubelet/container/helpers.go (ShouldContainerBeRestarted) and
/// pkg/kubelet/kubelet_pods.go (getPhase).

#include <podium/model/pod.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::agent {

/// Exit codes that call for another start, whatever the policy says. The first rule that matches counts.
struct restart_rule {
    bool in = true;  ///< matches the codes that are listed; false: those that are not
    std::vector<std::int32_t> exit_codes{};
    friend bool operator==(restart_rule const&, restart_rule const&) = default;
};

/// What decides over a container's restart: its own policy, else its pod's.
struct restart_terms {
    model::restart_policy pod = model::restart_policy::always;
    std::optional<model::restart_policy> own{};
    std::span<restart_rule const> rules{};  ///< looked at only beside a policy of its own
};

/// A container that ended with this code is to run again. The pod is not on its way out.
[[nodiscard]] inline bool restarts(restart_terms const& t, std::int32_t exit_code) noexcept
{
    if (t.own)
        for (auto const& rule : t.rules)
            if ((std::ranges::find(rule.exit_codes, exit_code) != rule.exit_codes.end()) == rule.in)
                return true;
    switch (t.own.value_or(t.pod)) {
    case model::restart_policy::always: return true;
    case model::restart_policy::on_failure: return exit_code != 0;
    case model::restart_policy::never: return false;
    }
    return false;
}

enum class role : std::uint8_t {
    init,     ///< runs to its end before the next one starts
    sidecar,  ///< an init container that is always restarted: stays beside the main ones
    main,
};

[[nodiscard]] inline role role_of(model::pod_spec const& spec, std::size_t container) noexcept
{
    if (container >= spec.init_containers.size())
        return role::main;
    auto const& own = spec.init_containers[container].restart_policy;
    return own == model::restart_policy::always ? role::sidecar : role::init;
}

/// One container, as far as the phase depends on it.
struct standing {
    enum class state : std::uint8_t {
        unknown,       ///< nothing has been seen of it
        waiting,       ///< never ran
        running,       ///< its command runs
        ended,         ///< ran, and stays so for now
        ended_waiting  ///< ran, and is waiting to run again
    };
    agent::role role = agent::role::main;
    state now = state::unknown;
    std::int32_t exit_code = 0;  ///< of its latest end
    bool started = false;        ///< past its startup probe
    bool restarts = true;        ///< would be run again after that end
};

/// The phase that Kubernetes reports. `terminal`: nothing of this pod is started any more; `initialized`:
/// its init containers were through once. O(containers).
[[nodiscard]] inline model::pod_phase phase_of(
    std::span<standing const> containers, bool terminal, bool initialized) noexcept
{
    using state = standing::state;
    int pending = 0, pending_sidecars = 0, unknown = 0, waiting = 0, running = 0;
    int ended = 0, succeeded = 0, restarting = 0;
    bool failed_init = false;
    for (auto const& c : containers) {
        bool const over = c.now == state::ended || c.now == state::ended_waiting;
        if (c.role == role::init) {
            failed_init = failed_init || (over && c.exit_code != 0 && !c.restarts);
            pending += !over;
            continue;
        }
        running += c.now == state::running;
        waiting += c.now == state::waiting;
        unknown += c.now == state::unknown;
        if (c.role == role::sidecar) {
            pending_sidecars += !over && !(c.now == state::running && c.started);
            continue;
        }
        ended += over;
        succeeded += c.now == state::ended && c.exit_code == 0;
        restarting += over && c.restarts;
    }
    if (failed_init)
        return model::pod_phase::failed;
    if (pending > 0 || (pending_sidecars > 0 && !initialized) || waiting > 0)
        return model::pod_phase::pending;
    if (unknown > 0)
        return model::pod_phase::pending;
    if (running > 0)
        return model::pod_phase::running;
    if (ended == 0)
        return model::pod_phase::pending;
    if (!terminal && restarting > 0)
        return model::pod_phase::running;
    return ended == succeeded ? model::pod_phase::succeeded : model::pod_phase::failed;
}

/// How much of what it asks for is promised to it: "Guaranteed" when every container has limits for CPU and
/// memory and all of them together ask for just these, "BestEffort" when none asks for anything, else
/// "Burstable". Source: pkg/apis/core/v1/helper/qos (ComputePodQOS).
[[nodiscard]] inline std::string_view qos_class(model::pod_spec const& spec)
{
    constexpr std::array<std::string_view, 2> names{"cpu", "memory"};
    std::array<quantity, 2> requests{}, limits{};
    bool guaranteed = true;
    auto const look = [&](model::container const& c) {
        for (std::size_t i = 0; i < names.size(); ++i) {
            auto const of = [&](model::resource_list const& list) {
                auto const it = list.find(std::string(names[i]));
                return it != list.end() && it->second.sign() > 0 ? it->second : quantity{};
            };
            auto const limit = of(c.resources.limits);
            requests[i] = requests[i].plus(of(c.resources.requests)).value_or(requests[i]);
            limits[i] = limits[i].plus(limit).value_or(limits[i]);
            guaranteed = guaranteed && !limit.is_zero();
        }
    };
    std::ranges::for_each(spec.init_containers, look);
    std::ranges::for_each(spec.containers, look);
    bool any = false;
    for (std::size_t i = 0; i < names.size(); ++i) {
        any = any || !requests[i].is_zero() || !limits[i].is_zero();
        guaranteed = guaranteed && requests[i] == limits[i];
    }
    return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

}  // namespace podium::v0::agent
