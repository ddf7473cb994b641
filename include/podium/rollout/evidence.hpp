#pragma once
/// Evidence: how strongly counts speak against "the canary's rate is at most the stable's plus d".
///
/// The number E is a bet against that claim: were the claim true, nobody could expect to win, however often
/// he looks and whenever he stops, so the chance that E is ever 1/alpha or more is at most alpha. That is
/// what lets one watch a release and stop as soon as one knows. It depends on counts alone: the order of
/// the visitors does not matter, and they may be split between the arms in any way.
///
/// How it is made. Let the canary have n1 visitors and x1 successes, the stable n0 and x0, with true rates p1
/// and p0. For each p0 that the stable could have, with q = min(p0 + d, 1), the most that the claim allows to
/// the canary, M(p0) is a mixture, with fixed weights, of
///
///     e^(s x1) / (1 + q (e^s - 1))^n1  x  e^(-t x0) / (1 + p0 (e^-t - 1))^n0       a bet, s, t >= 0
///     m(x1, n1) m(x0, n0) / max { likelihood of (p1, p0) : p1 <= q }               the hedge
///
/// where m is a beta-binomial likelihood. If p1 <= q, each is at most a martingale that begins with 1: each
/// factor of a bet has mean (1 + p1 (e^s - 1)) / (1 + q (e^s - 1)) <= 1 for a visitor of the canary and 1 for
/// one of the stable; the hedge is at most m m / likelihood of the true pair, a ratio of likelihoods. So M of
/// the true p0 is such a thing too, and E, the least of M over all p0, is never more; Ville's inequality does
/// the rest. Each term is log-convex in p0 (1 + q (e^s - 1) and the like are concave in p0; the likelihood is
/// log-concave and stays so when its best p1 is taken), so M is: it has one valley, a tangent bounds it from
/// below, and what is returned is such a bound, never more than E. M falls as d grows, so the d that are not
/// refuted are an interval.
///
/// A bet is chosen for one effect, one rate and one split of the visitors between the arms. With the split it
/// was made for, the factors in p0 nearly cancel, so that not knowing p0 costs next to nothing, and that is
/// where the speed comes from; a wrong rate costs little. The hedge wins slowly, whatever the truth is.
///
/// Source: Ville 1939; Wasserman, Ramdas, Balakrishnan, "Universal inference", PNAS 2020 (the hedge);
/// Gruenwald, de Heide, Koolen, "Safe testing", JRSS B 2024, and Turner, Ly, Gruenwald, "Generic E-variables
/// for exact sequential k-sample tests that allow for optional stopping", 2024 (bets: the closest point of
/// the null); the least over p0 of both at once is podium's own, its proof is above.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <optional>

namespace podium::inline v0::rollout::analysis {

/// What one arm has shown.
struct sample {
    std::uint64_t units = 0;      ///< visitors, or requests
    std::uint64_t successes = 0;  ///< those that did what is counted, <= units
    friend bool operator==(sample const&, sample const&) = default;
};

/// log Gamma(z) less Stirling's (z - 1/2) log z - z + log(2 pi) / 2, for z > 0. Absolute error below 1e-13.
[[nodiscard]] inline double stirling_rest(double z) noexcept
{
    double shifted = 0;
    for (; z < 16; ++z)  // the recurrence of Gamma, to where the series is exact
        shifted += (z + 0.5) * std::log1p(1 / z) - 1;
    double const r = 1 / z;
    double const r2 = r * r;
    return shifted +
        r * (1.0 / 12 - r2 * (1.0 / 360 - r2 * (1.0 / 1260 - r2 * (1.0 / 1680 - r2 * (1.0 / 1188)))));
}

/// log Gamma(z), z > 0. std::lgamma writes a global on the way.
[[nodiscard]] inline double log_gamma(double z) noexcept
{
    return (z - 0.5) * std::log(z) - z + 0.5 * std::log(2 * std::numbers::pi) + stirling_rest(z);
}

/// log Beta(a, b), a and b > 0.
[[nodiscard]] inline double log_beta(double a, double b) noexcept
{
    double const n = a + b;
    return a * std::log(a / n) + b * std::log(b / n) + 0.5 * std::log(2 * std::numbers::pi * n / a / b) +
        stirling_rest(a) + stirling_rest(b) - stirling_rest(n);
}

/// Both arms' counts as numbers: success is what is better. Fractions are for the planner.
struct tally {
    double canary_units = 0;
    double canary_successes = 0;
    double stable_units = 0;
    double stable_successes = 0;

    /// The same seen from the other arm.
    [[nodiscard]] constexpr tally swapped() const noexcept
    {
        return {stable_units, stable_successes, canary_units, canary_successes};
    }
    friend bool operator==(tally const&, tally const&) = default;
};

/// One bet of the mixture: that successes come more from the canary than the claim allows.
struct bet {
    double canary_tilt = 0;  ///< s: what a success of the canary adds to the logarithm, >= 0
    double stable_tilt = 0;  ///< t: what a success of the stable takes from it, >= 0
    double weight = 0;       ///< share of the stake
    friend bool operator==(bet const&, bet const&) = default;
};

/// A beta distribution of the rate.
struct beta {
    double a = 0.5;
    double b = 0.5;
    friend bool operator==(beta const&, beta const&) = default;
};

/// All of the mixture. Weights add up to 1.
struct stakes {
    std::array<bet, 8> bets{};
    std::size_t count = 0;         ///< of bets
    std::array<beta, 2> priors{};  ///< of both rates, in the hedge, of equal weight
    double hedge = 1;              ///< what is not on bets
    friend bool operator==(stakes const&, stakes const&) = default;
};

/// The stable's most likely rate p, if the canary's is p + d: Miettinen and Nurminen's constrained estimate.
/// d in (-1, 1). The root of a monotone function by halving: about 60 rounds.
[[nodiscard]] inline double constrained_rate(tally const& t, double d) noexcept
{
    double low = std::max(0.0, -d);
    double high = std::min(1.0, 1 - d);
    double const fails1 = t.canary_units - t.canary_successes;
    double const fails0 = t.stable_units - t.stable_successes;
    for (int i = 0; i < 200; ++i) {
        double const p = low + (high - low) / 2;
        if (p <= low || p >= high)
            break;
        double const slope =
            t.canary_successes / (p + d) - fails1 / (1 - p - d) + t.stable_successes / p - fails0 / (1 - p);
        (slope > 0 ? low : high) = p;
    }
    return low + (high - low) / 2;
}

/// What one expects and cares for: chooses how the stake is laid out. A wrong guess makes evidence slower,
/// never false.
struct guess {
    std::optional<double> rate{};  ///< of the stable; none: four bets between them cover 0.4 % to 50 %
    bool rare_is_failure = false;  ///< without a rate: they cover 50 % to 99.6 %
    double effect = 0.05;          ///< worth detecting, beyond d, > 0
    double share = 0.5;            ///< of the units that go to the canary, in (0, 1)
    friend bool operator==(guess const&, guess const&) = default;
};

/// Which arm is which in "canary - stable <= d".
enum class roles : std::uint8_t {
    as_named,
    swapped,  ///< the canary's counts stand as the stable's: "stable - canary <= d"
};

/// Against "canary - stable <= d". Half of the stake on the effect, three tenths on half of it (which also
/// makes later intervals narrow), a fifth hedged. O(1): a few microseconds.
///
/// Each bet is the one of fastest growth if the stable has the rate and the canary d + effect more: the ratio
/// of the likelihoods of that pair and of the closest pair (q + d, q) that the claim allows.
/// With swapped roles the stable is the one with more, and the rate is still the stable's.
[[nodiscard]] inline stakes lay_out(guess const& g, double d, roles who = roles::as_named) noexcept
{
    bool const mirrored = who == roles::swapped;
    stakes s;
    s.hedge = 0.2;
    std::array<double, 4> rates{0.5, 0.1, 0.02, 0.004};
    std::size_t n = rates.size();
    if (g.rate) {
        rates[0] = *g.rate;
        n = 1;
        double const strength = *g.rate * (1 - *g.rate) / (g.effect * g.effect);
        s.priors[1] = {std::max(0.5, strength * *g.rate), std::max(0.5, strength * (1 - *g.rate))};
    } else if (g.rare_is_failure) {
        for (double& r : rates)
            r = 1 - r;
    }
    double const share = mirrored ? 1 - g.share : g.share;
    double const least = g.effect / 20;  // a rate of 0 would stake all on never seeing a success
    auto const inside = [least](double p) {
        return std::clamp(p, std::min(least, 0.01), std::max(1 - least, 0.99));
    };
    auto const odds = [](double p) { return std::log(p) - std::log1p(-p); };
    for (std::size_t i = 0; i < n; ++i) {
        for (auto const& [part, weight] : {std::array{1.0, 0.5}, std::array{0.5, 0.3}}) {
            double const change = d + part * g.effect;
            double const upper = inside(mirrored ? rates[i] : rates[i] + change);
            double const lower = inside(mirrored ? rates[i] - change : rates[i]);
            bet b{.weight = weight / static_cast<double>(n)};
            if (upper - lower > d + 1e-9) {  // else there is nothing to bet on: it stays 1
                double const q = constrained_rate({share, share * upper, 1 - share, (1 - share) * lower}, d);
                b.canary_tilt =
                    std::clamp(odds(upper) - odds(q + d), 0.0, 30.0);  // any is fair: e^30 is enough
                b.stable_tilt = std::clamp(odds(q) - odds(lower), 0.0, 30.0);
            }
            s.bets[s.count++] = b;
        }
    }
    return s;
}

namespace detail {

/// x log(y), where nothing of something impossible is fine.
[[nodiscard]] inline double times_log(double x, double y) noexcept
{
    return x > 0 ? x * std::log(y) : 0;
}

/// log of the beta-binomial likelihood of one arm, less the greatest likelihood that any rate gives it.
/// Kept as one difference: each alone is as large as the counts.
[[nodiscard]] inline double regret(double units, double successes, beta prior) noexcept
{
    if (!(units > 0))
        return 0;
    double const fails = units - successes;
    double const a = prior.a + successes;
    double const b = prior.b + fails;
    double const n = a + b;
    auto const part = [&](double x, double own) {  // x log((x + own) / n) - x log(x / units)
        return x > 0 ? x * std::log1p((own * units - (prior.a + prior.b) * x) / (n * x)) : 0;
    };
    return part(successes, prior.a) + part(fails, prior.b) + prior.a * std::log(a / n) +
        prior.b * std::log(b / n) + 0.5 * std::log(2 * std::numbers::pi * n / a / b) + stirling_rest(a) +
        stirling_rest(b) - stirling_rest(n) - log_beta(prior.a, prior.b);
}

[[nodiscard]] inline double log_sum(double a, double b) noexcept
{
    double const top = std::max(a, b);
    return top + std::log(std::exp(a - top) + std::exp(b - top));
}

/// log M as a function of p0: see the head of this file.
class mixture {
public:
    struct point {
        double value = 0;
        double slope = 0;
    };

    mixture(tally const& t, double d, stakes const& s) noexcept
        : t_(t),
          s_(s),
          d_(d),
          fails1_(t.canary_units - t.canary_successes),
          fails0_(t.stable_units - t.stable_successes),
          best1_(t.canary_units > 0 ? t.canary_successes / t.canary_units : 0),
          best0_(t.stable_units > 0 ? t.stable_successes / t.stable_units : 0)
    {
        auto const one = [&](beta p) {
            return regret(t.canary_units, t.canary_successes, p) +
                regret(t.stable_units, t.stable_successes, p);
        };
        hedge_ = std::log(s.hedge / 2) +
            (s.priors[0] == s.priors[1] ? one(s.priors[0]) + std::log(2.0)
                                        : log_sum(one(s.priors[0]), one(s.priors[1])));
        for (std::size_t i = 0; i < s.count; ++i) {
            rise_[i] = std::expm1(s.bets[i].canary_tilt);
            fall_[i] = std::expm1(-s.bets[i].stable_tilt);
            won_[i] = std::log(s.bets[i].weight) + s.bets[i].canary_tilt * t.canary_successes -
                s.bets[i].stable_tilt * t.stable_successes;
        }
    }

    [[nodiscard]] double lowest() const noexcept { return std::max(0.0, -d_); }

    /// A first guess of where the valley is, and how wide.
    [[nodiscard]] std::array<double, 2> start() const noexcept
    {
        double const units = t_.canary_units + t_.stable_units;
        if (!(units > 0))
            return {0.5, 0.25};
        double const p = (t_.canary_successes - t_.canary_units * d_ + t_.stable_successes) / units;
        double const inside = std::clamp(p, 0.5 / (units + 1), 1 - 0.5 / (units + 1));
        return {p, 3 * std::sqrt(inside * (1 - inside) / units)};
    }

    /// For p0 in (lowest, 1).
    [[nodiscard]] point at(double p) const noexcept
    {
        bool const free = p + d_ < 1;
        double const q = free ? p + d_ : 1;
        std::array<double, 9> logs{};
        std::array<double, 9> slopes{};
        for (std::size_t i = 0; i < s_.count; ++i) {
            logs[i] = won_[i] - t_.canary_units * std::log1p(q * rise_[i]) -
                t_.stable_units * std::log1p(p * fall_[i]);
            slopes[i] = -(free ? t_.canary_units * rise_[i] / (1 + q * rise_[i]) : 0) -
                t_.stable_units * fall_[i] / (1 + p * fall_[i]);
        }
        auto& hedge = logs[s_.count];
        auto& slope = slopes[s_.count];
        hedge = hedge_;
        if (t_.stable_units > 0) {
            hedge -= times_log(t_.stable_successes, p / best0_) + times_log(fails0_, (1 - p) / (1 - best0_));
            slope -= t_.stable_successes / p - fails0_ / (1 - p);
        }
        if (t_.canary_units > 0 && q < best1_) {
            hedge -= times_log(t_.canary_successes, q / best1_) + times_log(fails1_, (1 - q) / (1 - best1_));
            slope -= t_.canary_successes / q - fails1_ / (1 - q);
        }
        double const top = *std::max_element(logs.begin(), logs.begin() + s_.count + 1);
        double sum = 0;
        double steep = 0;
        for (std::size_t i = 0; i <= s_.count; ++i) {
            double const w = std::exp(logs[i] - top);
            sum += w;
            steep += w > 0 ? w * slopes[i] : 0;
        }
        return {top + std::log(sum), steep / sum};
    }

private:
    tally t_;
    stakes s_;
    double d_;
    double fails1_;
    double fails0_;
    double best1_;
    double best0_;
    double hedge_ = 0;
    std::array<double, 8> rise_{};
    std::array<double, 8> fall_{};
    std::array<double, 8> won_{};
};

/// The least value of a mixture, from below, and where it is or nearly is.
struct valley {
    double floor = 0;
    double at = 0;
};

/// Halving and secants on the slope, until a tangent shows that the valley is at most 1e-6 deeper.
[[nodiscard]] inline valley find_valley(mixture const& m) noexcept
{
    double low = m.lowest();
    double high = 1;
    double slope_low = 0;  // unknown: 0
    double slope_high = 0;
    auto const [middle, width] = m.start();
    double p = middle;
    valley found{-std::numeric_limits<double>::infinity(), low + (high - low) / 2};
    for (int i = 0; i < 200; ++i) {
        if (!(p > low && p < high) || i % 4 == 3)
            p = low + (high - low) / 2;
        if (p <= low || p >= high)
            break;
        auto const here = m.at(p);
        // Convex: nowhere below its tangent, and the valley lies downhill of here, within what is left.
        double const rest = here.slope > 0 ? p - low : high - p;
        if (double const floor = here.value - std::abs(here.slope) * rest; floor > found.floor)
            found = {floor, p};
        if (here.value - found.floor <= 1e-6) {
            found.at = p;
            break;
        }
        if (here.slope > 0) {
            high = p;
            slope_high = here.slope;
        } else {
            low = p;
            slope_low = here.slope;
        }
        if (slope_low < 0 && slope_high > 0)
            p = low + (high - low) * (slope_low / (slope_low - slope_high));
        else
            p = slope_high > 0 ? high - width : low + width;
    }
    return found;
}

}  // namespace detail

/// log E against "canary - stable <= d", d in (-1, 1), from below: short of it by at most 1e-6, and by what
/// 64-bit floating point loses (1e-3 at 10^12 units). Some 7 us.
[[nodiscard]] inline double log_evidence(tally const& t, double d, stakes const& s) noexcept
{
    return detail::find_valley(detail::mixture(t, d, s)).floor;
}

/// An interval; what is certain: [0, 1] for rates, [-1, 1] for differences.
struct interval {
    double low = 0;
    double high = 1;
    friend bool operator==(interval const&, interval const&) = default;
};

/// The rates of one arm that its counts do not refute at alpha: at any number of looks, the true rate is
/// ever outside in at most alpha of all runs. By halving, 100 rounds.
[[nodiscard]] inline interval rate_interval(sample const& s, double alpha) noexcept
{
    if (s.units == 0 || s.successes > s.units)
        return {};
    auto const n = static_cast<double>(s.units);
    auto const x = static_cast<double>(s.successes);
    double const best = x / n;
    double const hedge = detail::regret(n, x, {});
    double const needed = -std::log(alpha);
    auto const refuted = [&](double q) {
        return hedge - detail::times_log(x, q / best) - detail::times_log(n - x, (1 - q) / (1 - best)) >=
            needed;
    };
    auto const edge = [&](double out, double in) {
        if (!refuted(out))
            return out;
        for (int i = 0; i < 100; ++i) {
            double const q = out + (in - out) / 2;
            (refuted(q) ? out : in) = q;
        }
        return out;
    };
    return {edge(0, best), edge(1, best)};
}

}  // namespace podium::v0::rollout::analysis
