#include <podium/rollout/latency.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <span>
#include <string>

namespace analysis = podium::rollout::analysis;
using analysis::latency;
using analysis::question;
using podium::errc;
using podium::rollout::verdict;

namespace {

using milliseconds = podium::observe::histogram<10>;

milliseconds empty()
{
    return {.bounds = podium::observe::exponential_bounds<10>(1, 2)};  // 1, 2, 4, ... 512
}

// Answers of a service that takes `typical` ms, sometimes much longer.
void answer(std::mt19937_64& random, milliseconds& h, int requests, double typical)
{
    for (int i = 0; i < requests; ++i) {
        double const u = (static_cast<double>(random() >> 11) + 1) * 0x1p-53;
        h.observe(typical * (1 - std::log(u)));
    }
}

}  // namespace

TEST_CASE("latency: the bound is the edge nearest to the stable's quantile")
{
    auto h = empty();
    for (int i = 0; i < 100; ++i)
        h.observe(i < 50 ? 3 : i < 94 ? 6 : i < 99 ? 20 : 3000);
    auto const s = analysis::slower_than({.margin = 0.01}, h);
    REQUIRE(s);
    CHECK(s->bucket == 3);  // 6 % are above 8 ms, 1 % above 32 ms
    CHECK(s->bound == 8);
    CHECK(*s->judge.expected == doctest::Approx(0.06));
    CHECK_FALSE(s->judge.higher_is_better);
    CHECK(s->judge.margin == 0.01);
    CHECK(analysis::slower_than({.quantile = 0.5, .margin = 0.01}, h)->bound == 4);
    CHECK(analysis::slower_than({.quantile = 0.99, .margin = 0.01}, h)->bound == 32);
    CHECK(analysis::slower_than({.bound = 40, .margin = 0.01}, h)->bound == 32);
    CHECK(analysis::slower_than({.bound = 50, .margin = 0.01}, h)->bound == 64);
    CHECK(analysis::slower_than({.bound = 1e9, .margin = 0.01}, h)->bound == 512);
    CHECK(*analysis::slower_than({.bound = 1e9, .margin = 0.01}, h)->judge.expected == doctest::Approx(0.01));
}

TEST_CASE("latency: what it cannot go by is said")
{
    auto const wrong = [](latency const& l, milliseconds const& h) {
        auto const r = analysis::slower_than(l, h);
        return r ? std::string() : r.error().text();
    };
    auto h = empty();
    CHECK(wrong({.margin = 0.01}, h) == "quantile: the stable has not answered yet");
    CHECK(analysis::slower_than({.margin = 0.01}, h).error().code == errc::unavailable);
    auto const given = analysis::slower_than({.bound = 8, .margin = 0.01}, h);
    REQUIRE(given);
    CHECK_FALSE(given->judge.expected.has_value());
    for (int i = 0; i < 100; ++i)
        h.observe(i < 90 ? 5 : 5000);
    CHECK(wrong({.margin = 0.01}, h) == "quantile: lies above the histogram's last bound; give a bound");
    CHECK(wrong({.quantile = 0.9, .margin = 0.01}, h).empty());
    double const nan = std::numeric_limits<double>::quiet_NaN();
    for (double const quantile : {0.0, 1.0, -1.0, nan})
        CHECK(wrong({.quantile = quantile, .margin = 0.01}, h) == "quantile: must be above 0 and below 1");
    for (double const bound : {0.0, -1.0, nan, std::numeric_limits<double>::infinity()})
        CHECK(wrong({.bound = bound, .margin = 0.01}, h) == "bound: must be a number above 0");
    CHECK(wrong({.quantile = 2, .margin = 2}, h) ==
        "quantile: must be above 0 and below 1\nmargin: must be above 0 and below 1");
    auto torn = h;
    torn.count += 1;
    CHECK(wrong({.margin = 0.01}, torn) == "the histogram's buckets must add up to its count");
    milliseconds const unset{};
    CHECK(wrong({.bound = 8, .margin = 0.01}, unset) == "the histogram's bounds must be numbers above 0");
}

TEST_CASE("latency: only what was answered since counts, and counters that go back are noticed")
{
    auto begin = empty();
    for (double const ms : {3.0, 9.0, 9.0})
        begin.observe(ms);
    auto const s = analysis::slower_than({.bound = 8, .margin = 0.01}, begin);
    REQUIRE(s);
    CHECK(*analysis::slow_since(*s, begin, begin) == analysis::sample{});
    auto now = begin;
    for (double const ms : {1.0, 8.0, 8.1, 7000.0, 2.0})
        now.observe(ms);
    CHECK(*analysis::slow_since(*s, begin, now) == analysis::sample{.units = 5, .successes = 2});
    CHECK(analysis::slow_since(*s, now, begin).error().message == "the histogram has gone back");
    auto restarted = empty();  // more in all, and fewer slow ones: still not the same counters
    for (int i = 0; i < 100; ++i)
        restarted.observe(1);
    CHECK(analysis::slow_since(*s, begin, restarted).error().code == errc::invalid);
    auto other = now;
    other.bounds[3] = 9;
    CHECK(analysis::slow_since(*s, begin, other).error().message ==
        "the histogram has other bounds than before");
}

TEST_CASE("latency: a slower canary fails, the same one passes")
{
    std::mt19937_64 random(1);
    auto stable = empty();
    answer(random, stable, 5000, 10);
    auto const s = analysis::slower_than({.margin = 0.02}, stable);
    REQUIRE(s);
    for (auto const& [typical, says] : {std::pair{10.0, verdict::pass}, std::pair{13.0, verdict::fail}}) {
        auto now = stable;
        auto canary = empty();
        answer(random, now, 8000, 10);
        answer(random, canary, 8000, typical);
        analysis::stretch const seen{
            *analysis::slow_since(*s, empty(), canary), *analysis::slow_since(*s, stable, now)};
        CHECK(seen.canary.units == 8000);
        CHECK(analysis::judge(s->judge, std::span(&seen, 1)).says == says);
    }
}
