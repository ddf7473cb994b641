#pragma once
/// Time is an argument: every decision takes `now`, none reads a clock.
///
/// `time_point` counts nanoseconds on a monotonic clock that was anchored to the wall clock once, when
/// the process started: it reads like wall time, yet a wall clock that is set back or forward moves no
/// window, lease or back-off. Shells make it with `core::clock`-like anchors of their own
/// (`store/clock.hpp` has the shipped one); simulations and tests just count.

#include <chrono>

namespace podium::inline v0 {

/// A time span, and a moment on whatever clock the caller has: both in whole nanoseconds of 64 bits.
using duration = std::chrono::nanoseconds;
using time_point = std::chrono::sys_time<duration>;

/// Later than every deadline: "never" as a value that still compares.
inline constexpr time_point never = time_point::max();

/// `from + wait`; where that is beyond the ends of time, the end.
[[nodiscard]] constexpr time_point later(time_point from, duration wait) noexcept
{
    duration::rep out = 0;
    if (__builtin_add_overflow(from.time_since_epoch().count(), wait.count(), &out))
        return wait < duration::zero() ? time_point::min() : never;
    return time_point(duration(out));
}

/// `now - from`; the longest duration of its sign where that does not fit.
[[nodiscard]] constexpr duration elapsed(time_point from, time_point now) noexcept
{
    duration::rep out = 0;
    if (__builtin_sub_overflow(now.time_since_epoch().count(), from.time_since_epoch().count(), &out))
        return now < from ? duration::min() : duration::max();
    return duration(out);
}

}  // namespace podium::v0
