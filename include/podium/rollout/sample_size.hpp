#pragma once
/// Sample size: how many units, and how long, until the judge of a proportion knows, if things are so and so.
///
/// The answer to "is this step of the rollout long enough?" before it starts. Nothing is drawn: the number of
/// successes is taken for a Brownian motion with the true drift, what is enough for a proof at each time is
/// asked of the judge itself, and the time at which the one meets the other follows from an integral
/// equation.
///
/// Good to a few percent where both arms see some tens of successes and failures until the answer; rougher
/// for rarer events.
///
/// Source: the integral equation is Fortet's (1943), as in Peskir, "On integral equations arising in the
/// first-passage problem for Brownian motion", 2002; checked against simulated releases in the tests.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/evidence.hpp>
#include <podium/rollout/proportion.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>
#include <utility>

namespace podium::inline v0::rollout::analysis {

/// What one supposes.
struct supposed {
    double stable = 0;  ///< its true rate, in (0, 1)
    double difference =
        0;               ///< canary - stable, in truth; not at the policy's bound, where there is no answer
    double share = 0.5;  ///< of the units that go to the canary, in (0, 1)
    double units_per_second = 0;  ///< of both arms; 0: not known
    friend bool operator==(supposed const&, supposed const&) = default;
};

/// When there is an answer.
struct moment {
    std::uint64_t canary_units = 0;
    std::uint64_t stable_units = 0;
    std::optional<duration> after{};  ///< none: the traffic is not known, or it is beyond the ends of time
    friend bool operator==(moment const&, moment const&) = default;
};

struct forecast {
    bool of_pass = true;             ///< whether the right answer is pass; else it is fail
    double chance = 0;               ///< that it is given within the horizon
    std::optional<moment> median{};  ///< half of all releases have it by then; none: not within the horizon
    std::optional<moment> late{};    ///< nine of ten
    moment horizon{};                ///< when the judge gives up
    friend bool operator==(forecast const&, forecast const&) = default;
};

namespace detail {

[[nodiscard]] inline double normal_below(double z) noexcept
{
    return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

/// The first meeting of a Brownian motion with what a proof takes.
class passage {
public:
    static constexpr std::size_t steps = 128;

    passage(proportion const& p, supposed const& s) noexcept
        : p_(p),
          claim_(p),
          share_(s.share),
          up_(p.higher_is_better ? s.difference > claim_.bound : -s.difference > claim_.bound)
    {
        double const stable = p.higher_is_better ? s.stable : 1 - s.stable;
        double const canary = stable + (p.higher_is_better ? s.difference : -s.difference);
        canary_ = canary;
        stable_ = stable;
        double const of_canary = canary * (1 - canary) / share_;
        double const of_stable = stable * (1 - stable) / (1 - share_);
        spread_ = std::sqrt(of_canary + of_stable);
        canary_moves_ = of_canary / (of_canary + of_stable);
        double const least_arm = std::min(share_, 1 - share_);
        double const first = static_cast<double>(p.minimum) / least_arm;
        double const last = static_cast<double>(p.horizon) / least_arm;
        for (std::size_t i = 0; i < steps; ++i)
            time_[i] = first * std::pow(last / first, static_cast<double>(i) / (steps - 1));
        for (std::size_t i = 0; i < steps; ++i)
            bar_[i] = needed(time_[i]) * time_[i];
        solve();
    }

    [[nodiscard]] bool up() const noexcept { return up_; }
    [[nodiscard]] double chance() const noexcept { return done_.back(); }
    [[nodiscard]] double last() const noexcept { return time_.back(); }
    /// Units until this part of all releases have the answer.
    [[nodiscard]] std::optional<double> until(double part) const noexcept
    {
        if (done_[0] >= part)
            return time_[0];
        for (std::size_t i = 1; i < steps; ++i)
            if (done_[i] >= part)
                return time_[i - 1] +
                    (time_[i] - time_[i - 1]) * (part - done_[i - 1]) / (done_[i] - done_[i - 1]);
        return std::nullopt;
    }

private:
    /// The estimated difference that is a proof after so many units, towards the right answer; 2: none is.
    [[nodiscard]] double needed(double units) const noexcept
    {
        double const truth = canary_ - stable_;
        double const n1 = units * share_;
        double const n0 = units - n1;
        double const proof = -std::log(p_.alpha);
        auto const as = claim_.at(share_);
        auto const stakes = up_ ? lay_out(as, claim_.bound) : lay_out(as, -claim_.bound, roles::swapped);
        auto const proven =
            [&](double estimate) {  // moved from the truth the way that chance moves both rates
                double const moved = estimate - truth;
                tally const t{n1, n1 * std::clamp(canary_ + canary_moves_ * moved, 0.0, 1.0), n0,
                    n0 * std::clamp(stable_ - (1 - canary_moves_) * moved, 0.0, 1.0)};
                return (up_ ? log_evidence(t, claim_.bound, stakes)
                            : log_evidence(t.swapped(), -claim_.bound, stakes)) >= proof;
            };
        double const sign = up_ ? 1 : -1;
        double in = 0;   // of the distance beyond the bound: not proven
        double out = 2;  // proven, if anything is
        for (int i = 0; i < 24; ++i) {
            double const middle = in + (out - in) / 2;
            (proven(claim_.bound + sign * middle) ? out : in) = middle;
        }
        return sign * claim_.bound + out;
    }

    /// P(beyond the bar at t) = sum of P(first there at s) P(beyond at t | at the bar at s).
    void solve() noexcept
    {
        double const drift = (up_ ? 1 : -1) * (canary_ - stable_);
        auto const beyond = [&](double way, double time) {
            return normal_below((drift * time - way) / (spread_ * std::sqrt(time)));
        };
        std::array<double, steps> first{};
        double sum = 0;
        for (std::size_t i = 0; i < steps; ++i) {
            double left = beyond(bar_[i], time_[i]);
            for (std::size_t j = 0; j < i; ++j) {
                auto const [s, bar] = between(j);
                left -= first[j] * beyond(bar_[i] - bar, time_[i] - s);
            }
            if (i == 0) {
                first[i] = left;
            } else {
                auto const [s, bar] = between(i);
                first[i] = std::clamp(left / beyond(bar_[i] - bar, time_[i] - s), 0.0, 1 - sum);
            }
            sum = std::min(1.0, sum + first[i]);
            done_[i] = sum;
        }
    }
    /// Time and bar in the middle of a step: where its mass is taken to be.
    [[nodiscard]] std::pair<double, double> between(std::size_t i) const noexcept
    {
        if (i == 0)
            return {time_[0], bar_[0]};
        return {(time_[i - 1] + time_[i]) / 2, (bar_[i - 1] + bar_[i]) / 2};
    }

    proportion p_;
    claim claim_;
    double share_;
    bool up_;
    double canary_ = 0;
    double stable_ = 0;
    double spread_ = 0;        // of the difference, for one unit
    double canary_moves_ = 0;  // of a chance difference, the canary's part
    std::array<double, steps> time_{};
    std::array<double, steps> bar_{};
    std::array<double, steps> done_{};
};

}  // namespace detail

/// What to expect of a judge before the start. Errors: what `check` finds, and what cannot be supposed. No
/// allocation; some 20 ms.
[[nodiscard]] inline result<forecast> expect(proportion const& p, supposed const& s)
{
    found_errors wrong;
    auto const demand = [&wrong](bool fine, char const* field, char const* expected) {
        if (!fine)
            wrong.add({.code = errc::invalid, .message = expected, .path = field, .further = {}});
    };
    if (auto const fine = check(p); !fine)
        wrong.add(fine.error());
    double const bound = p.ask == question::better ? 0 : p.higher_is_better ? -p.margin : p.margin;
    demand(s.stable > 0 && s.stable < 1, "stable", "must be above 0 and below 1");
    demand(s.stable + s.difference > 0 && s.stable + s.difference < 1, "difference",
        "must leave the canary a rate above 0 and below 1");
    demand(
        std::abs(s.difference - bound) >= 1e-9, "difference", "must not be the very bound of the question");
    demand(s.share > 0 && s.share < 1, "share", "must be above 0 and below 1");
    demand(s.units_per_second >= 0 && std::isfinite(s.units_per_second), "units_per_second",
        "must be a number of at least 0");
    if (wrong.all)
        return std::move(*wrong.all);
    detail::passage const passage(p, s);
    auto const at = [&](double units) {
        moment m;
        auto const whole = [](double n) {
            return n < 1.8e19 ? static_cast<std::uint64_t>(std::ceil(n)) : ~0ull;
        };
        m.canary_units = whole(units * s.share);
        m.stable_units = whole(units - units * s.share);
        double const seconds = units / s.units_per_second;
        if (s.units_per_second > 0 && seconds < 9e9)
            m.after = std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
        return m;
    };
    forecast f{.of_pass = passage.up(), .chance = passage.chance(), .horizon = at(passage.last())};
    if (auto const units = passage.until(0.5))
        f.median = at(*units);
    if (auto const units = passage.until(0.9))
        f.late = at(*units);
    return f;
}

}  // namespace podium::v0::rollout::analysis
