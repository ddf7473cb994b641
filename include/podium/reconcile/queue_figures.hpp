#pragma once
/// What a work queue tells of itself, under the names that client-go's queues have everywhere.
///
/// A queue counts only when it was made with `counted` or `counted_by`; one that is not pays nothing, neither
/// time nor memory.
///
/// Source: client-go util/workqueue/metrics.go in v0.35.4 (names, meaning); the bounds, decades of seconds,
/// are those in use in the field.

#include <podium/core/time.hpp>
#include <podium/observe/counter.hpp>
#include <podium/observe/gauge.hpp>
#include <podium/observe/histogram.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace podium::inline v0::reconcile {

/// The queue keeps no figures.
struct uncounted {};
/// It keeps figures: 16 bytes more for each key.
struct counted {
    template<class Key>
    [[nodiscard]] static constexpr std::size_t group_of(Key const&) noexcept
    {
        return 0;
    }
};
/// It keeps them for each group of keys. `Group`, a member of the key or a function of it, is the number of
/// its group: numbers from 0, as there is a place for each up to the largest.
template<auto Group>
struct counted_by {
    template<class Key>
    [[nodiscard]] static constexpr std::size_t group_of(Key const& k)
    {
        return std::invoke(Group, k);
    }
};

/// 10 ns, 100 ns, ... 1000 s, in seconds.
inline constexpr auto latency_bounds = observe::exponential_bounds<12>(1e-8, 10);

/// All durations in seconds.
struct queue_figures {
    observe::gauge depth{};   ///< keys that need work, those in process and added again included
    observe::counter adds{};  ///< adds of keys that did not need work already
    observe::histogram<12> queue_duration{.bounds = latency_bounds};  ///< from the add to the hand-out
    observe::histogram<12> work_duration{.bounds = latency_bounds};   ///< from the hand-out to `done`
    observe::gauge unfinished_work{};                                 ///< sum over what is in process
    observe::gauge longest_running_processor{};
    observe::counter retries{};  ///< delayed adds, those due at once included

    friend bool operator==(queue_figures const&, queue_figures const&) = default;

    /// `f(name, help, figure)` for each, a figure being a counter, a gauge or a histogram.
    template<class F>
    void each(F&& f) const
    {
        f(std::string_view("workqueue_depth"), std::string_view("Keys that need work"), depth);
        f(std::string_view("workqueue_adds_total"),
            std::string_view("Adds of keys that did not need work already"), adds);
        f(std::string_view("workqueue_queue_duration_seconds"),
            std::string_view("From the add of a key to its hand-out"), queue_duration);
        f(std::string_view("workqueue_work_duration_seconds"),
            std::string_view("From the hand-out of a key until it is done"), work_duration);
        f(std::string_view("workqueue_unfinished_work_seconds"),
            std::string_view("For how long the keys in process have been so, added up"), unfinished_work);
        f(std::string_view("workqueue_longest_running_processor_seconds"),
            std::string_view("For how long the oldest key in process has been so"),
            longest_running_processor);
        f(std::string_view("workqueue_retries_total"), std::string_view("Adds for a later time"), retries);
    }
};

namespace detail {

/// A clock that was set back makes no negative durations.
[[nodiscard]] inline double seconds_between(time_point from, time_point to) noexcept
{
    if (to <= from)
        return 0;
    auto const ns = [](time_point t) { return static_cast<std::uint64_t>(t.time_since_epoch().count()); };
    return static_cast<double>(ns(to) - ns(from)) / 1e9;  // unsigned: the ends of time may be 2^64 ns apart
}

}  // namespace detail

}  // namespace podium::v0::reconcile
