#pragma once
/// Time is an argument: every decision takes `now`, none reads a clock.
///
/// `time_point` counts nanoseconds on a monotonic clock that was anchored to the wall clock once, when
/// the process started: it reads like wall time, yet a wall clock that is set back or forward moves no
/// window, lease or back-off. Shells make it with `core::clock`-like anchors of their own
/// (`store/clock.hpp` has the shipped one); simulations and tests just count.

#include <chrono>

namespace podium::inline v0 {

using duration = std::chrono::nanoseconds;
using time_point = std::chrono::sys_time<duration>;

/// Later than every deadline: "never" as a value that still compares.
inline constexpr time_point never = time_point::max();

}  // namespace podium::v0
