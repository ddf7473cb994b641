#pragma once
/// A probe as a kubelet runs it: a worker that ticks on a grid of its own and outlives the container it looks
/// at.
///
/// `monitor.hpp` is what to use unless the checks must fall where Kubernetes' would: a monitor belongs to
/// one container instance and looks as soon as that may be looked at. A worker is as old as its pod, so the
/// first look at a container comes up to a period after its initial delay. What both make of the answers is
/// `answer` of check.hpp.
///
/// Source: Kubernetes v1.35.4 kubelet, prober/worker.go (run, doProbe); the container is seen as its status
/// manager shows it.

#include <podium/core/time.hpp>
#include <podium/probe/check.hpp>
#include <podium/probe/policy.hpp>

#include <cstdint>

namespace podium::inline v0::probe {

/// Whose a run of equal answers is when a container is restarted.
enum class counting : std::uint8_t {
    per_instance,  ///< the new instance begins with none
    kubernetes     ///< Kubernetes 1.35.4's: the run goes on, so that one failure can condemn a new instance
};

/// What the worker knows; `memory.due` and `deadline` stay `never`, for its caller ticks it.
struct worker {
    std::uint64_t instance = 0;  ///< the container seen last; 0: none yet, and so no verdict
    check memory{};              ///< `current` is the verdict for that instance
    bool held = false;           ///< until there is another instance
    bool over = false;           ///< it is not to be ticked again
    friend bool operator==(worker const&, worker const&) = default;
};

/// The container at a tick.
struct sight {
    std::uint64_t instance = 0;  ///< 0: there is none yet
    bool running = false;
    bool restarts = true;  ///< if it ended: it will be started again
    bool started = false;  ///< past its startup probe, or it has none
    bool terminating = false;
    duration running_for{0};
    friend bool operator==(sight const&, sight const&) = default;
};

/// What a tick leads to.
struct ticked {
    worker next{};
    bool ask = false;  ///< probe it now and hand the outcome to `answer`
};

/// One tick, once each period. O(1), never throws.
[[nodiscard]] constexpr ticked tick(
    policy const& p, kind which, counting how, worker w, sight const& seen) noexcept
{
    if (w.over || seen.instance == 0)
        return {w, false};
    if (w.instance != seen.instance) {
        w.instance = seen.instance;
        w.held = false;
        if (how == counting::per_instance)
            w.memory = {};
        w.memory.current = initial(which);
    }
    if (w.held)
        return {w, false};
    if (!seen.running) {
        w.memory.current = verdict::failing;
        w.over = !seen.restarts;
        return {w, false};
    }
    if (seen.terminating && which != kind::readiness) {
        w.memory.current = verdict::passing;
        w.over = true;
        return {w, false};
    }
    bool const its_turn = (which == kind::startup) != seen.started;
    return {w, its_turn && seen.running_for >= p.initial_delay};
}

/// Takes the outcome of what the last tick asked for. O(1), never throws.
[[nodiscard]] constexpr worker answer(policy const& p, kind which, worker w, outcome seen) noexcept
{
    w.memory = answer(p, w.memory, seen);
    bool const decided = seen != outcome::error && w.memory.run >= standing(p, w.memory).needed;
    bool const condemned = which == kind::liveness && w.memory.current == verdict::failing;
    if (decided && (which == kind::startup || condemned)) {
        w.held = true;
        w.memory.run = 0;
        w.memory.leaning = verdict::unknown;
    }
    return w;
}

}  // namespace podium::v0::probe
