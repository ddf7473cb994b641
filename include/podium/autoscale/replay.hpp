#pragma once
/// What would a policy have done with this load?
///
/// A trace says how much there was in all (players, requests, jobs) and when; replay shares it out over the
/// replicas there would have been, and steps the policy at each entry. Nothing is simulated besides: the
/// load does not react, and new replicas take their share after `startup`.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/proposal.hpp>
#include <podium/autoscale/scaler.hpp>
#include <podium/autoscale/state.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace podium::inline v0::autoscale {

/// All the load at one time. Entries are in order of time.
struct load {
    time_point at{};
    std::vector<std::optional<std::int64_t>> total_milli{};  ///< by metric; none: it could not be read
    friend bool operator==(load const&, load const&) = default;
};

/// What a replay starts from.
struct replay_options {
    std::int32_t replicas = 1;       ///< at the start, all of them ready
    duration startup{};              ///< a new replica is pending for so long
    std::int64_t request_milli = 0;  ///< of each replica, for utilization targets
    state from{};                    ///< what the autoscaler remembers
};

/// One step of a replay.
struct moment {
    time_point at{};
    std::int32_t replicas = 0;  ///< when the load came
    std::int32_t ready = 0;     ///< of these, the ones that carried it
    decision decided{};         ///< without `proposals`: they pointed to what the next step used again
    proposal asked{};           ///< of the metric that decided, if one did
};

/// The series of decisions. O(entries x metrics).
[[nodiscard]] inline std::vector<moment> replay(
    policy const& p, std::span<load const> trace, replay_options const& how = {})
{
    struct batch {
        std::int32_t count;
        time_point ready_at;
    };
    std::vector<moment> out;
    out.reserve(trace.size());
    std::vector<batch> starting;
    workspace room;
    auto memory = how.from;
    auto replicas = std::max(how.replicas, 0);
    for (auto const& entry : trace) {
        std::erase_if(starting, [&](batch const& b) { return b.ready_at <= entry.at; });
        std::int32_t pending = 0;
        for (auto const& b : starting)
            pending += b.count;
        auto const ready = replicas - pending;

        room.readings.assign(p.metrics.size(), {});
        for (std::size_t i = 0; i < p.metrics.size() && i < entry.total_milli.size(); ++i) {
            if (!is_per_pod(p.metrics[i].from))
                room.readings[i].value_milli = entry.total_milli[i];
            else if (entry.total_milli[i])
                room.readings[i].pods = tally{.members = replicas,
                    .ready_pods = ready,
                    .counted = ready,
                    .unready = pending,
                    .used_milli = ready > 0 ? *entry.total_milli[i] : 0,
                    .requested_milli = detail::times(how.request_milli, ready),
                    .unready_requested_milli = detail::times(how.request_milli, pending)};
        }
        observed const seen{
            .size = {.wanted = replicas, .existing = replicas, .pods = replicas, .ready_pods = ready},
            .readings = room.readings};
        auto [next, todo] = step(p, std::move(memory), seen, entry.at, room);
        memory = std::move(next);
        auto const asked = todo.metric < todo.proposals.size() ? todo.proposals[todo.metric] : proposal{};
        todo.proposals = {};
        out.push_back(
            {.at = entry.at, .replicas = replicas, .ready = ready, .decided = todo, .asked = asked});

        if (todo.desired > replicas)
            starting.push_back({todo.desired - replicas, later(entry.at, how.startup)});
        for (auto gone = replicas - todo.desired; gone > 0 && !starting.empty();) {  // the newest go first
            auto const some = std::min(gone, starting.back().count);
            starting.back().count -= some;
            gone -= some;
            if (starting.back().count == 0)
                starting.pop_back();
        }
        replicas = todo.desired;
    }
    return out;
}

}  // namespace podium::v0::autoscale
