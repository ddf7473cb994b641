#pragma once
/// What the scheduler has done, under kube-scheduler's names and meanings.
///
/// Who wants to know gives the scheduler one (`scheduler::figures`) and reads it whenever nothing is being
/// reconciled; without one nothing is counted. An attempt is one look at one pod. It ends with the pod's bind
/// in a plan: where the commit is refused, as something had changed meanwhile, the next attempt counts again.
/// None ends in an error: what the scheduler may meet is a plan of its controller that fails.
///
/// Source: kubernetes/kubernetes v1.35 pkg/scheduler/metrics/metrics.go; the bounds of durations are
/// podium's, which needs microseconds.

#include <podium/core/time.hpp>
#include <podium/observe/counter.hpp>
#include <podium/observe/histogram.hpp>

#include <string_view>

namespace podium::inline v0::controllers {

struct scheduling_figures {
    static constexpr std::string_view profile = "default-scheduler";  ///< the one there is
    /// 1 us, 4 us, ... 268 s.
    static constexpr auto bounds = observe::exponential_bounds<15>(1e-6, 4);

    observe::histogram<15> scheduled{.bounds = bounds};      ///< seconds, of attempts that found a node
    observe::histogram<15> unschedulable{.bounds = bounds};  ///< of those that found none
    observe::counter preemption_attempts{};  ///< looks for room that others would have to give
    observe::histogram<7> preemption_victims{
        .bounds = observe::exponential_bounds<7>(1, 2)};  ///< pods, of each that found some
    time_point (*clock)() = nullptr;                      ///< without one all attempts take no time

    [[nodiscard]] time_point now() const { return clock ? clock() : time_point{}; }
};

}  // namespace podium::v0::controllers
