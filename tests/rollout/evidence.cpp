#include <podium/rollout/evidence.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>
#include <vector>
#if __has_include(<boost/math/special_functions/gamma.hpp>)
#define PODIUM_TEST_ORACLE
#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/gamma.hpp>
#endif

namespace analysis = podium::rollout::analysis;
using analysis::roles;
using analysis::tally;

namespace {

double unit(std::mt19937_64& random)
{
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

// Any counts from nothing to 10^most of each arm, rates near 0 and 1 as often as others.
tally any_counts(std::mt19937_64& random, double most)
{
    auto const arm = [&](double& units, double& successes) {
        units = std::floor(std::pow(10, unit(random) * most)) - 1;
        double rate = std::pow(unit(random), 3);
        if (random() % 2 == 0)
            rate = 1 - rate;
        successes = std::min(units, std::floor(units * rate + 0.5));
    };
    tally t;
    arm(t.canary_units, t.canary_successes);
    arm(t.stable_units, t.stable_successes);
    if (random() % 3 == 0)  // alike, which is where decisions are made
        t.stable_successes =
            std::min(t.stable_units, std::floor(t.stable_units * t.canary_successes / (t.canary_units + 1)));
    return t;
}

analysis::guess any_guess(std::mt19937_64& random)
{
    analysis::guess g{
        .effect = 0.001 + 0.3 * unit(random) * unit(random), .share = 0.02 + 0.96 * unit(random)};
    if (random() % 2 == 0)
        g.rate = random() % 8 == 0 ? static_cast<double>(random() % 2) : unit(random);
    g.rare_is_failure = random() % 2 == 0;
    return g;
}

roles any_roles(std::mt19937_64& random)
{
    return random() % 2 == 0 ? roles::as_named : roles::swapped;
}

double log_beta_of(double a, double b)
{
    return std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
}

// The head of evidence.hpp, word for word: M at one p0.
double naive(tally const& t, double d, analysis::stakes const& s, double p)
{
    auto const times_log = [](double x, double y) { return x > 0 ? x * std::log(y) : 0; };
    double const q = std::min(p + d, 1.0);
    double const f1 = t.canary_units - t.canary_successes;
    double const f0 = t.stable_units - t.stable_successes;
    double const best = t.canary_units > 0 ? std::min(q, t.canary_successes / t.canary_units) : q;
    double const likelihood = times_log(t.canary_successes, best) + times_log(f1, 1 - best) +
        times_log(t.stable_successes, p) + times_log(f0, 1 - p);
    std::vector<double> logs;
    for (auto const& prior : s.priors)
        logs.push_back(std::log(s.hedge / 2) + log_beta_of(prior.a + t.canary_successes, prior.b + f1) +
            log_beta_of(prior.a + t.stable_successes, prior.b + f0) - 2 * log_beta_of(prior.a, prior.b) -
            likelihood);
    for (std::size_t i = 0; i < s.count; ++i) {
        auto const& b = s.bets[i];
        logs.push_back(std::log(b.weight) + b.canary_tilt * t.canary_successes -
            t.canary_units * std::log(1 + q * (std::exp(b.canary_tilt) - 1)) -
            b.stable_tilt * t.stable_successes -
            t.stable_units * std::log(1 + p * (std::exp(-b.stable_tilt) - 1)));
    }
    double const top = *std::max_element(logs.begin(), logs.end());
    double sum = 0;
    for (double const l : logs)
        sum += std::exp(l - top);
    return top + std::log(sum);
}

// The least of it, by a fine grid and then by ever finer ones around the best point.
double least(tally const& t, double d, analysis::stakes const& s)
{
    double low = std::max(0.0, -d);
    double high = 1;
    double best = 1e300;
    double at = low;
    for (int round = 0; round < 12; ++round) {
        constexpr int points = 40;
        double const step = (high - low) / points;
        for (int i = 0; i < points; ++i) {
            double const p = low + (i + 0.5) * step;
            if (double const m = naive(t, d, s, p); m < best) {
                best = m;
                at = p;
            }
        }
        double const bottom = std::max(0.0, -d);
        low = std::max(bottom, at - 1.5 * step);
        high = std::min(1.0, at + 1.5 * step);
    }
    return best;
}

}  // namespace

#ifdef PODIUM_TEST_ORACLE
TEST_CASE("evidence: log gamma and log beta are Boost.Math's")
{
    for (double z = 1e-3; z < 1e13; z *= 1.7) {
        CAPTURE(z);
        double const expected = boost::math::lgamma(z);
        CHECK(std::abs(analysis::log_gamma(z) - expected) <= 4e-15 * std::max(1.0, std::abs(expected)));
        if (z < 100)
            for (double b = 1e-3; b < 100; b *= 3.1) {
                double const beta = std::log(boost::math::beta(z, b));
                CHECK(std::abs(analysis::log_beta(z, b) - beta) <= 1e-12 * std::max(1.0, std::abs(beta)));
            }
    }
}

TEST_CASE("evidence: a beta-binomial likelihood against the best rate's is Boost.Math's")
{
    for (double const n : {1.0, 2.0, 10.0, 1000.0, 100'000.0})
        for (double const share : {0.0, 0.01, 0.3, 1.0})
            for (auto const& prior : {analysis::beta{}, analysis::beta{20, 60}}) {
                double const x = std::floor(n * share);
                CAPTURE(n);
                CAPTURE(x);
                double expected = boost::math::lgamma(prior.a + x) + boost::math::lgamma(prior.b + n - x) -
                    boost::math::lgamma(prior.a + prior.b + n) -
                    std::log(boost::math::beta(prior.a, prior.b));
                if (x > 0 && x < n)
                    expected -= x * std::log(x / n) + (n - x) * std::log1p(-x / n);
                CHECK(analysis::detail::regret(n, x, prior) == doctest::Approx(expected).epsilon(1e-9));
            }
}
#endif

TEST_CASE("evidence: nothing seen proves nothing, and one bet's worth of luck can be told by hand")
{
    analysis::stakes s{.bets = {{{.canary_tilt = std::log(2.0), .weight = 0.5}}}, .count = 1, .hedge = 0.5};
    CHECK(analysis::log_evidence({}, 0, s) == doctest::Approx(0));
    // One success of the canary: the claim's best defence is p0 = 1, where the bet is 2 / 2, and the hedge
    // 1/2.
    CHECK(analysis::log_evidence({1, 1, 0, 0}, 0, s) == doctest::Approx(std::log(0.5 + 0.25)).epsilon(1e-5));
    // And one failure of the stable, which denies that.
    CHECK(analysis::log_evidence({1, 1, 1, 0}, 0, s) > std::log(0.75));
}

TEST_CASE("evidence: the constrained rate is where the likelihood is greatest")
{
    CHECK(analysis::constrained_rate({100, 30, 100, 10}, 0) == doctest::Approx(0.2));
    CHECK(analysis::constrained_rate({100, 30, 300, 30}, 0) == doctest::Approx(0.15));
    CHECK(
        analysis::constrained_rate({100, 30, 100, 10}, 0.2) == doctest::Approx(0.1));  // as it happens to be
    for (tally const t :
        {tally{100, 30, 100, 10}, {40, 0, 60, 3}, {40, 40, 60, 60}, {7, 0, 9, 0}, {1, 1, 9, 0}})
        for (double const d : {-0.99, -0.3, -0.01, 0.0, 0.2, 0.97}) {
            auto const likelihood = [&](double p) {
                auto const times_log = [](double x, double y) { return x > 0 ? x * std::log(y) : 0; };
                return times_log(t.canary_successes, p + d) +
                    times_log(t.canary_units - t.canary_successes, 1 - p - d) +
                    times_log(t.stable_successes, p) + times_log(t.stable_units - t.stable_successes, 1 - p);
            };
            double const low = std::max(0.0, -d);
            double const high = std::min(1.0, 1 - d);
            double const best = likelihood(analysis::constrained_rate(t, d));
            for (int i = 1; i < 500; ++i)
                REQUIRE(likelihood(low + (high - low) * i / 500) <= best + 1e-9);
        }
}

TEST_CASE("evidence: an interval of a rate keeps what is likely, at the ends too")
{
    CHECK(analysis::rate_interval({}, 0.05) == analysis::interval{0, 1});
    CHECK(analysis::rate_interval({.units = 1, .successes = 2}, 0.05) == analysis::interval{0, 1});
    auto const none = analysis::rate_interval({.units = 100, .successes = 0}, 0.05);
    CHECK(none.low == 0);
    CHECK(none.high == doctest::Approx(0.053).epsilon(0.05));
    auto const all = analysis::rate_interval({.units = 100, .successes = 100}, 0.05);
    CHECK(all.high == 1);
    CHECK(all.low == doctest::Approx(1 - none.high));
    auto const some = analysis::rate_interval({.units = 10'000, .successes = 2500}, 0.05);
    CHECK(some.low == doctest::Approx(0.2343).epsilon(0.002));  // a look at a fixed size has 0.2415
    CHECK(some.high == doctest::Approx(0.2661).epsilon(0.002));
}

TEST_SUITE("property")
{
    TEST_CASE("evidence: it is the least over all rates of the stable, found by brute force")
    {
        std::mt19937_64 random(1);
        for (int round = 0; round < 150; ++round) {
            CAPTURE(round);
            auto const t = any_counts(random, 5);
            double const d = round % 2 == 0 ? 0.02 * (unit(random) - 0.5) : 1.9 * (unit(random) - 0.5);
            auto const s =
                analysis::lay_out(any_guess(random), d, random() % 2 == 0 ? roles::as_named : roles::swapped);
            double const expected = least(t, d, s);
            double const got = analysis::log_evidence(t, d, s);
            REQUIRE(got <= expected + 1e-7);
            REQUIRE(got >= expected - 1e-5 * std::max(1.0, std::abs(expected) / 100));
        }
    }

    TEST_CASE("evidence: weights add up to one stake, and tilts never favour the claim")
    {
        std::mt19937_64 random(2);
        for (int round = 0; round < 300; ++round) {
            CAPTURE(round);
            auto const g = any_guess(random);
            double const d = 1.9 * (unit(random) - 0.5);
            auto const s = analysis::lay_out(g, d, any_roles(random));
            double sum = s.hedge;
            for (std::size_t i = 0; i < s.count; ++i) {
                sum += s.bets[i].weight;
                REQUIRE(s.bets[i].canary_tilt >= 0);
                REQUIRE(s.bets[i].stable_tilt >= 0);
                REQUIRE(std::isfinite(s.bets[i].canary_tilt + s.bets[i].stable_tilt));
            }
            REQUIRE(sum == doctest::Approx(1));
            REQUIRE(s.count == (g.rate ? 2 : 8));
        }
    }

    // All 2^n outcomes of n units in some order of the arms, all true pairs of rates that the claim allows:
    // the chance that E ever was 1/alpha or more, without any statistics.
    TEST_CASE("evidence: Ville's inequality holds outcome by outcome")
    {
        std::mt19937_64 random(3);
        double closest = 0;
        for (int round = 0; round < 24; ++round) {
            CAPTURE(round);
            constexpr unsigned n = 9;
            unsigned const canary = round == 0 ? 0b0'1010'1010u : static_cast<unsigned>(random() % (1u << n));
            double const d = round % 3 == 0 ? 0 : 1.2 * (unit(random) - 0.5);
            analysis::guess g{.effect = 0.2 + 0.5 * unit(random), .share = 0.2 + 0.6 * unit(random)};
            if (round % 4 != 3)
                g.rate = unit(random);
            auto const s = analysis::lay_out(g, d, round % 2 == 0 ? roles::as_named : roles::swapped);
            std::vector<double> greatest(1u << n, 0.0);  // of log E on the way to an outcome
            for (unsigned steps = 1; steps <= n; ++steps)
                for (unsigned outcome = 0; outcome < 1u << steps; ++outcome) {
                    tally t;
                    for (unsigned i = 0; i < steps; ++i) {
                        bool const won = (outcome >> i & 1) != 0;
                        ((canary >> i & 1) != 0 ? t.canary_units : t.stable_units) += 1;
                        ((canary >> i & 1) != 0 ? t.canary_successes : t.stable_successes) += won ? 1 : 0;
                    }
                    double const e = analysis::log_evidence(t, d, s);
                    for (unsigned rest = 0; rest < 1u << (n - steps); ++rest) {
                        auto& most = greatest[outcome | rest << steps];
                        most = std::max(most, e);
                    }
                }
            for (int i = 0; i <= 20; ++i)
                for (double const below : {0.0, 0.0, 0.1}) {  // on the edge of the claim, and within
                    double const p0 = i / 20.0;
                    double const p1 = p0 + d - below;
                    if (p1 < 0 || p1 > 1)
                        continue;
                    for (double const alpha : {0.8, 0.6, 0.4, 0.2, 0.1, 0.05}) {
                        double chance = 0;
                        for (unsigned outcome = 0; outcome < 1u << n; ++outcome) {
                            if (greatest[outcome] < -std::log(alpha))
                                continue;
                            double p = 1;
                            for (unsigned k = 0; k < n; ++k) {
                                double const rate = (canary >> k & 1) != 0 ? p1 : p0;
                                p *= (outcome >> k & 1) != 0 ? rate : 1 - rate;
                            }
                            chance += p;
                        }
                        REQUIRE(chance <= alpha + 1e-9);
                        closest = std::max(closest, chance / alpha);
                    }
                }
        }
        CHECK(closest > 0.5);  // or it would hold whatever evidence was
    }

    TEST_CASE("evidence: it falls as the claim allows more")
    {
        std::mt19937_64 random(4);
        for (int round = 0; round < 200; ++round) {
            CAPTURE(round);
            auto const t = any_counts(random, 6);
            auto const g = any_guess(random);
            auto const s = analysis::lay_out(g, 0.1 * (unit(random) - 0.5));
            double before = std::numeric_limits<double>::infinity();
            for (int i = -9; i <= 9; ++i) {
                double const now = analysis::log_evidence(t, i / 10.0, s);
                REQUIRE(now <= before + 1e-5 + 1e-9 * std::abs(before));
                before = now;
            }
        }
    }

    TEST_CASE("evidence: always a number, up to 10^12 units of each arm")
    {
        std::mt19937_64 random(5);
        for (int round = 0; round < 600; ++round) {
            CAPTURE(round);
            auto const t = any_counts(random, 12);
            double const d = round % 3 == 0 ? 0 : 1.999 * (unit(random) - 0.5);
            auto const s =
                analysis::lay_out(any_guess(random), d, random() % 2 == 0 ? roles::as_named : roles::swapped);
            double const e = analysis::log_evidence(t, d, s);
            REQUIRE(std::isfinite(e));
            auto const units = static_cast<std::uint64_t>(t.canary_units);
            auto const successes = static_cast<std::uint64_t>(t.canary_successes);
            auto const range = analysis::rate_interval({units, successes}, 0.05);
            REQUIRE(range.low <= range.high);
            REQUIRE(range.low >= 0);
            REQUIRE(range.high <= 1);
            if (units > 0) {
                double const rate = t.canary_successes / t.canary_units;
                REQUIRE(range.low <= rate);
                REQUIRE(range.high >= rate);
            }
        }
    }
}
