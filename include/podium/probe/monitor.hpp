#pragma once
/// The three probes of one container instance as one machine: is it started, ready, alive?
///
/// Startup gates the other two and, once passed, never runs again. Readiness is out until proven in,
/// liveness is alive until proven dead; a container without a readiness probe is ready when it has
/// started. A failing startup or liveness asks for one restart and then holds: the next word belongs to
/// the next instance. While the pod terminates nobody is restarted any more, so startup and liveness
/// are off, and readiness goes on to say who may still be asked.
///
/// A monitor belongs to one container instance, counters and all: after a restart `start` makes a new
/// one. Kubernetes 1.35.4 carries the run of equal answers over a restart, so that one failure can kill a
/// fresh container; podium does not (worker.hpp can).
///
/// Source: Kubernetes v1.35.4 kubelet, prober/worker.go (newWorker, doProbe) and
/// prober/prober_manager.go (UpdatePodStatus).

#include <podium/core/time.hpp>
#include <podium/probe/check.hpp>
#include <podium/probe/policy.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace podium::inline v0::probe {

/// The probes a container has; none is fine.
struct policies {
    std::optional<policy> startup{};
    std::optional<policy> readiness{};
    std::optional<policy> liveness{};
    friend bool operator==(policies const&, policies const&) = default;
};

/// One check to run, and the ticket to hand back with its outcome.
struct ticket {
    std::uint64_t instance = 0;  ///< of the container that is asked
    kind which = kind::startup;
    std::uint32_t sequence = 0;
    friend bool operator==(ticket const&, ticket const&) = default;
};

/// The state of one container instance's probes. Plain data: store it, compare it, print it.
struct monitor {
    std::uint64_t instance = 0;  ///< the caller's number for this container instance, as the restart count
    time_point running_since{};
    std::uint32_t spread = 0;  ///< first checks come later by this share of their period, in 2^-32
    bool started = false;
    bool ready = false;
    check startup{};
    check readiness{};
    check liveness{};
    friend bool operator==(monitor const&, monitor const&) = default;
};

/// What happened since the last step; nothing is fine too.
struct observed {
    struct reply {
        ticket of{};
        outcome seen = outcome::success;
        friend bool operator==(reply const&, reply const&) = default;
    };
    std::optional<reply> answer{};
    bool terminating = false;  ///< the pod is on its way out; stays true once it was
};

/// A probe that changed its mind, and the run of answers that made it.
struct change {
    kind which = kind::startup;
    verdict to = verdict::unknown;
    tally because{};
    friend bool operator==(change const&, change const&) = default;
};

/// What the caller must do, in field order.
struct actions {
    std::array<std::optional<change>, 3> changed{};  ///< verdicts to tell the world, by kind
    std::optional<bool> started{};                   ///< only when it changed
    std::optional<bool> ready{};                     ///< only when it changed
    std::optional<kind> restart{};  ///< stop this instance: startup or liveness failed; said once
    std::array<std::optional<ticket>, 3> checks{};  ///< run these now, by kind, each within its timeout
    time_point wake_at = never;                     ///< step again then, answer or not
    friend bool operator==(actions const&, actions const&) = default;
};

namespace detail {

/// When the first check of an instance starts.
[[nodiscard]] constexpr time_point first(monitor const& m, policy const& p) noexcept
{
    auto const period = static_cast<std::uint64_t>(std::max(p.period, duration::zero()).count());
    auto const share = (period >> 32) * m.spread + ((period & 0xffff'ffff) * m.spread >> 32);
    auto const from = std::max(later(m.running_since, p.initial_delay), m.running_since);
    return later(from, duration(static_cast<duration::rep>(share)));
}

/// The check with nothing further ahead than it could have been set now: the clock may have gone back.
[[nodiscard]] constexpr check heal(monitor const& m, policy const& p, check c, time_point now) noexcept
{
    if (c.due != never)
        c.due = std::min(c.due, c.sequence == 0 ? first(m, p) : after(now, p.period));
    if (c.running())
        c.deadline = std::min(c.deadline, after(now, p.timeout));
    return c;
}

}  // namespace detail

/// The monitor after a step, and what the caller must do.
struct stepped {
    monitor next{};
    actions todo{};
};

/// The monitor of a container instance that runs since `now`. The first step begins its work. Where many
/// begin at once, as when a node comes back, give each another `spread`, so that their checks do not fall
/// together: the first of each probe then waits for up to a period more (Kubernetes: newly started kubelets
/// do so).
[[nodiscard]] constexpr monitor start(
    policies const& p, std::uint64_t instance, time_point now, std::uint32_t spread = 0) noexcept
{
    monitor m{.instance = instance, .running_since = now, .spread = spread};
    if (p.readiness)
        m.readiness.current = initial(kind::readiness);
    if (p.liveness)
        m.liveness.current = initial(kind::liveness);
    return m;
}

/// Which probe, if any, has condemned this instance; what `restart` said once, for who comes late.
[[nodiscard]] constexpr std::optional<kind> condemned(monitor const& m) noexcept
{
    if (m.startup.current == verdict::failing)
        return kind::startup;
    if (m.liveness.current == verdict::failing)
        return kind::liveness;
    return std::nullopt;
}

/// The monitor of an instance that was condemned and is not restarted after all (guard.hpp): its liveness is
/// looked at again a period from now, and takes a whole run of failures to fail again. Nothing else changes.
[[nodiscard]] constexpr monitor pardon(policies const& p, monitor m, time_point now) noexcept
{
    if (!p.liveness || m.liveness.current != verdict::failing)
        return m;
    m.liveness.current = initial(kind::liveness);
    m.liveness.leaning = verdict::unknown;
    m.liveness.run = 0;
    m.liveness.due = detail::after(now, p.liveness->period);
    return m;
}

/// Advances by what was seen. An answer to an earlier instance, or to another check than the running
/// one, is ignored. Extra calls are harmless: with nothing seen and nothing due, `next == m` and `todo`
/// only repeats `wake_at`. A clock that goes back, however far, delays the next check by at most a period and
/// the first one by at most its initial delay. O(1), no allocation, never throws.
[[nodiscard]] constexpr stepped step(
    policies const& p, monitor m, observed const& seen, time_point now) noexcept
{
    monitor next = m;
    actions todo;
    next.running_since = std::min(next.running_since, now);

    auto const settle = [&](kind which, policy const& rule, check& c, outcome came) {
        auto const before = c.current;
        c = answer(rule, c, came);
        if (c.current == before)
            return;
        todo.changed[static_cast<std::size_t>(which)] =
            change{.which = which, .to = c.current, .because = standing(rule, c)};
        if (which == kind::readiness)
            return;
        if (c.current == verdict::failing)
            todo.restart = which;
        if (c.current == verdict::failing || which == kind::startup)
            c = hold(c);
    };
    auto const advance = [&](kind which, std::optional<policy> const& rule, check& c) {
        if (!rule)
            return;
        c = detail::heal(next, *rule, c, now);
        if (seen.terminating && which != kind::readiness)
            c = hold(c);
        auto const& a = seen.answer;
        if (a && c.running() && a->of == ticket{next.instance, which, c.sequence})
            settle(which, *rule, c, a->seen);
        else if (c.running() && now >= c.deadline)
            settle(which, *rule, c, outcome::failure);
    };
    auto const look = [&](kind which, std::optional<policy> const& rule, check& c) {
        if (!rule)
            return;
        bool const off = (seen.terminating || c.current == verdict::failing) && which != kind::readiness;
        bool const waits = which == kind::startup ? next.started : !next.started;
        if (!off && !waits && c.due == never && !c.running())  // the first check of this instance
            c.due = detail::first(next, *rule);
        bool const can_end = now < detail::last;  // a deadline still fits before the end of time
        if (!c.running() && c.due != never && now >= c.due && can_end) {
            c = begin(*rule, c, now);
            todo.checks[static_cast<std::size_t>(which)] = ticket{next.instance, which, c.sequence};
        }
        if (auto const at = c.running() ? c.deadline : c.due; at > now)
            todo.wake_at = std::min(todo.wake_at, at);
    };

    advance(kind::startup, p.startup, next.startup);
    advance(kind::readiness, p.readiness, next.readiness);
    advance(kind::liveness, p.liveness, next.liveness);

    if (!next.started && (!p.startup || next.startup.current == verdict::passing))
        todo.started = next.started = true;
    bool const ready = next.started && (!p.readiness || next.readiness.current == verdict::passing);
    if (ready != next.ready)
        todo.ready = next.ready = ready;

    look(kind::startup, p.startup, next.startup);
    look(kind::readiness, p.readiness, next.readiness);
    look(kind::liveness, p.liveness, next.liveness);
    return {.next = next, .todo = todo};
}

}  // namespace podium::v0::probe
