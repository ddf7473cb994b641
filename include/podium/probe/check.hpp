#pragma once
/// One probe of one container instance: when to look, and a verdict that does not flap.
///
/// One bad answer is noise, three in a row are news: the verdict moves only when the latest answers have
/// agreed with each other often enough; until then it stays as it was. A check that the shell never
/// answers is a failure once its timeout has passed, and whatever it says later is ignored by its number.
///
/// Source: Kubernetes v1.35.4 kubelet, prober/worker.go (doProbe); its worker ticks on a grid of its own,
/// here each check is timed from the start of the one before.

#include <podium/core/time.hpp>
#include <podium/probe/policy.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace podium::inline v0::probe {

namespace detail {

/// A policy that was never validated may ask for no pause at all; it gets this one instead of a busy loop.
inline constexpr duration least_wait = std::chrono::milliseconds(1);

/// The latest moment that something can be due at: `never` says that nothing is.
inline constexpr time_point last = never - duration(1);

[[nodiscard]] constexpr time_point after(time_point now, duration wait) noexcept
{
    return std::min(later(now, std::max(wait, least_wait)), last);
}

}  // namespace detail

/// The memory of one probe. `due` and `deadline` are `never` while there is nothing to wait for.
struct check {
    time_point due = never;              ///< the next check starts then
    time_point deadline = never;         ///< the running check must have answered by then
    std::uint32_t sequence = 0;          ///< number of the running or latest check; 0: none yet
    verdict current = verdict::unknown;  ///< what the world was told
    verdict leaning = verdict::unknown;  ///< where the latest answers point
    std::uint32_t run = 0;               ///< how many of them in a row, at most the threshold
    friend bool operator==(check const&, check const&) = default;

    [[nodiscard]] constexpr bool running() const noexcept { return deadline != never; }
};

/// What the world is told of a container before any answer: alive until proven dead, not ready until proven
/// ready.
[[nodiscard]] constexpr verdict initial(kind which) noexcept
{
    return which == kind::readiness ? verdict::failing
        : which == kind::liveness   ? verdict::passing
                                    : verdict::unknown;
}

/// "2 of 3": how far the latest answers are on the way to a verdict.
struct tally {
    verdict toward = verdict::unknown;
    std::uint32_t count = 0;
    std::uint32_t needed = 0;
    friend bool operator==(tally const&, tally const&) = default;
};

/// Where a probe stands: {failing, 2, 3} says that two failures in a row of the three needed were seen.
[[nodiscard]] constexpr tally standing(policy const& p, check const& c) noexcept
{
    auto const needed = std::max<std::uint32_t>(1,
        c.leaning == verdict::passing       ? p.success_threshold
            : c.leaning == verdict::failing ? p.failure_threshold
                                            : 1);
    return {.toward = c.leaning, .count = c.run, .needed = c.leaning == verdict::unknown ? 0 : needed};
}

/// Starts the check that is due. The caller has seen that `now >= c.due`.
[[nodiscard]] constexpr check begin(policy const& p, check c, time_point now) noexcept
{
    c.sequence = c.sequence + 1 == 0 ? 1 : c.sequence + 1;
    c.deadline = detail::after(now, p.timeout);
    c.due = detail::after(now, p.period);
    return c;
}

/// Takes the running check's answer. An error leaves verdict and run as they were. O(1).
[[nodiscard]] constexpr check answer(policy const& p, check c, outcome seen) noexcept
{
    c.deadline = never;
    if (seen == outcome::error)
        return c;
    auto const toward = seen == outcome::success ? verdict::passing : verdict::failing;
    auto const needed =
        std::max<std::uint32_t>(1, seen == outcome::success ? p.success_threshold : p.failure_threshold);
    c.run = toward == c.leaning ? std::min(c.run + 1, needed) : 1;
    c.leaning = toward;
    if (c.run >= needed)
        c.current = toward;
    return c;
}

/// Stops looking: nothing is due, and an answer still under way is ignored.
[[nodiscard]] constexpr check hold(check c) noexcept
{
    c.due = c.deadline = never;
    return c;
}

}  // namespace podium::v0::probe
