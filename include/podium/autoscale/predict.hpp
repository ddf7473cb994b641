#pragma once
/// What size yesterday says will be needed in a moment.
///
/// A season (a day, a week) is cut into slots, and of each slot is remembered how many replicas the metrics
/// asked for at most, smoothed over the seasons. What the slots from now until `lead` from now had is
/// expected again, and that is the proposal: pods that take a while to start are there when the load comes.
///
/// It can only raise what the metrics ask for: never above `max_replicas`, never above `factor` times the
/// reactive answer, never lower. So a history that is wrong costs some pods for a slot, and the metrics hold
/// alone while there is no history. What is remembered is bounded by the slots. `step` asks for it where the
/// policy has a season.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/saturating.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace podium::inline v0::autoscale {

struct season_policy {
    duration length = std::chrono::hours(24);
    std::int32_t slots = 96;                  ///< from 1 to 1440
    duration lead = std::chrono::minutes(2);  ///< how long a new replica takes until it works
    double factor = 2;                        ///< at most so many times the reactive answer, >= 1
    std::int32_t weight_percent = 50;         ///< of the latest season, from 1 to 100
    friend bool operator==(season_policy const&, season_policy const&) = default;
};

/// Plain data: save it, restore it, compare it. A new one begins with `season{}`.
struct season {
    std::vector<std::int64_t> expected_milli{};  ///< replicas by slot; below zero: never seen
    std::int64_t slot = -1;                      ///< counted from the beginning of time: the one under way
    std::int32_t peak = 0;                       ///< of the slot under way
    friend bool operator==(season const&, season const&) = default;
};

/// All that is wrong with a policy, each error with the field as its path.
[[nodiscard]] inline result<void> validate(season_policy const& p)
{
    found_errors wrong;
    if (p.slots < 1 || p.slots > 1440)
        wrong.add({errc::invalid, "must be from 1 to 1440", "slots"});
    if (p.length < std::chrono::seconds(1) || (p.slots > 0 && p.length / p.slots <= duration::zero()))
        wrong.add({errc::invalid, "must be at least a second", "length"});
    if (p.lead < duration::zero() || p.lead > p.length)
        wrong.add({errc::invalid, "must be from 0 to the length of the season", "lead"});
    if (!(p.factor >= 1 && p.factor <= 1000))
        wrong.add({errc::invalid, "must be from 1 to 1000", "factor"});
    if (p.weight_percent < 1 || p.weight_percent > 100)
        wrong.add({errc::invalid, "must be from 1 to 100", "weight_percent"});
    if (wrong.all)
        return *std::move(wrong.all);
    return {};
}

struct foreseen {
    season next{};
    std::int32_t replicas = 0;  ///< the reactive answer, or more
};

/// Learns what the metrics ask for now, and says what that comes to with what is expected. A valid policy;
/// time that goes back is taken as now. O(slots in `lead`).
[[nodiscard]] inline foreseen foresee(
    season_policy const& p, season s, std::int32_t reactive, std::int32_t max_replicas, time_point now)
{
    auto const n = static_cast<std::int64_t>(std::clamp(p.slots, 1, 1440));
    auto const slot_length = std::max<std::int64_t>(p.length.count() / n, 1);
    if (s.expected_milli.size() != static_cast<std::size_t>(n))  // another policy than before
        s = {.expected_milli = std::vector<std::int64_t>(static_cast<std::size_t>(n), -1)};
    auto const at = [&](std::int64_t slot) -> std::int64_t& {
        auto const i = slot % n;
        return s.expected_milli[static_cast<std::size_t>(i < 0 ? i + n : i)];
    };
    auto const slot_of = [&](time_point t) {
        auto const ns = t.time_since_epoch().count();
        return ns / slot_length - (ns % slot_length < 0);
    };
    auto const slot = std::max(slot_of(now), s.slot);
    if (slot != s.slot) {
        if (s.slot >= 0 || s.peak > 0) {
            auto& old = at(s.slot);
            auto const peak = std::int64_t{s.peak} * 1000;
            old = old < 0 ? peak : old + (peak - old) * p.weight_percent / 100;
        }
        s.slot = slot;
        s.peak = 0;
    }
    s.peak = std::max(s.peak, reactive);

    std::int64_t expected = 0;
    auto const last = std::min(slot_of(later(now, p.lead)), slot + n - 1);
    for (auto i = slot; i <= last; ++i)
        expected = std::max(expected, at(i));
    auto const replicas = (expected + 999) / 1000;
    auto const most = std::min<double>(max_replicas, std::floor(p.factor * std::max(reactive, 1)));
    auto const bounded = std::min(static_cast<double>(replicas), most);
    return {std::move(s), std::max(reactive, static_cast<std::int32_t>(std::max(bounded, 0.0)))};
}

}  // namespace podium::v0::autoscale
