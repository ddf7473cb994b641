#pragma once
/// The clock of the shells: monotonic, anchored to the wall clock once.
///
/// It reads like wall time when the process starts and never jumps afterwards, so leases, back-offs and
/// windows hold whatever is done to the wall clock.

#include <podium/core/time.hpp>

#include <chrono>

namespace podium::inline v0::store {

struct clock {
    using duration = podium::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = podium::time_point;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now()
    {
        static auto const anchor = std::chrono::system_clock::now().time_since_epoch() -
            std::chrono::steady_clock::now().time_since_epoch();
        return time_point(std::chrono::duration_cast<duration>(
            anchor + std::chrono::steady_clock::now().time_since_epoch()));
    }
    /// The same instant for an Asio timer.
    [[nodiscard]] static std::chrono::steady_clock::time_point steady(time_point t)
    {
        auto const ahead = t - now();
        auto const most = std::chrono::hours(24);  // far enough: whoever waits looks again then
        return std::chrono::steady_clock::now() +
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(ahead > most ? most : ahead);
    }
};

}  // namespace podium::v0::store
