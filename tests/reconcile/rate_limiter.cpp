#include <podium/reconcile/rate_limiter.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace reconcile = podium::reconcile;
using podium::duration;
using podium::time_point;

namespace {

// The least that a key must be: it moves, it can be told from others, it hashes. No copy, no default, no
// order.
struct least_key {
    explicit least_key(int n) : number(n) {}
    least_key(least_key&&) = default;
    least_key& operator=(least_key&&) = delete;
    bool operator==(least_key const& o) const { return number == o.number; }
    int number;
};
struct least_hash {
    std::size_t operator()(least_key const&) const { return 7; }
};
static_assert(reconcile::WorkKey<least_key, least_hash>);
static_assert(!reconcile::WorkKey<least_key>);  // no std::hash
struct not_equal {};
struct any_hash {
    std::size_t operator()(not_equal const&) const { return 0; }
};
static_assert(!reconcile::WorkKey<not_equal, any_hash>);

// The least that a limiter must be, and one that just misses.
struct least_limiter {
    duration when(int const&, time_point) { return 1s; }
    void forget(int const&) {}
    std::uint32_t failures(int const&) const { return 0; }
};
struct counts_nothing {
    duration when(int const&, time_point) { return 1s; }
    void forget(int const&) {}
};
static_assert(reconcile::RateLimiter<least_limiter, int>);
static_assert(!reconcile::RateLimiter<counts_nothing, int>);
static_assert(reconcile::RateLimiter<reconcile::exponential_limiter<std::string>, std::string>);
static_assert(reconcile::RateLimiter<reconcile::fast_slow_limiter<std::string>, std::string>);
static_assert(reconcile::RateLimiter<reconcile::token_bucket, std::string>);
static_assert(reconcile::RateLimiter<reconcile::default_limiter<std::string>, std::string>);

}  // namespace

TEST_CASE("rate_limiter: doubles from 5 ms to 1000 s, and a success forgets")
{
    reconcile::exponential_limiter<std::string> l;
    CHECK(l.when("a", {}) == 5ms);
    CHECK(l.when("a", {}) == 10ms);
    for (int i = 0; i < 100; ++i)
        (void)l.when("a", {});
    CHECK(l.when("a", {}) == 1000s);
    CHECK(l.failures("a") == 103);
    CHECK(l.failures("b") == 0);
    l.forget("a");
    l.forget("b");
    CHECK(l.failures("a") == 0);
    CHECK(l.when("a", {}) == 5ms);
}

TEST_CASE("rate_limiter: no delay is negative, whatever the policy")
{
    for (auto const base : {duration::min(), duration(-1), 0ns, 1ns, duration::max()})
        for (auto const cap : {duration::min(), duration(-1), 0ns, 1ns, duration::max()}) {
            reconcile::exponential_limiter<int> l(base, cap);
            reconcile::fast_slow_limiter<int> f(base, cap, 3);
            auto last = duration::zero();
            for (int i = 0; i < 70; ++i) {
                auto const d = l.when(1, {});
                CHECK(d >= last);
                CHECK(d <= std::max(cap, duration::zero()));
                last = d;
                CHECK(f.when(1, {}) >= 0ns);
            }
        }
}

TEST_CASE("rate_limiter: 2^63 ns is cut to the cap, or overflows where client-go's way is asked for")
{
    reconcile::exponential_limiter<int> right(1ns, duration::max());
    reconcile::exponential_limiter<int> as_there(1ns, duration::max(), reconcile::overflow::as_in_client_go);
    for (int i = 0; i < 63; ++i)
        CHECK(right.when(1, {}) == as_there.when(1, {}));
    CHECK(right.when(1, {}) == duration::max());
    CHECK(as_there.when(1, {}) == duration::min());
    CHECK(as_there.when(1, {}) == duration::max());
}

TEST_CASE("rate_limiter: a few fast tries, then slow ones")
{
    reconcile::fast_slow_limiter<std::string> l(5ms, 10s, 2);
    CHECK(l.when("a", {}) == 5ms);
    CHECK(l.when("a", {}) == 5ms);
    CHECK(l.when("a", {}) == 10s);
    CHECK(l.when("b", {}) == 5ms);
    l.forget("a");
    CHECK(l.when("a", {}) == 5ms);
}

TEST_CASE("rate_limiter: a bucket lets a burst through and then spreads")
{
    reconcile::token_bucket b(10, 2);
    time_point const now{1s};
    CHECK(b.when(0, now) == 0ms);
    CHECK(b.when(0, now) == 0ms);
    CHECK(b.when(0, now) == 100ms);
    CHECK(b.when(0, now + 100ms) == 100ms);
}

TEST_CASE("rate_limiter: rates that are none fill nothing, and without a burst nothing is let through")
{
    for (double const rate : {0.0, -1.0, std::nan(""), -std::numeric_limits<double>::infinity()}) {
        reconcile::token_bucket b(rate, 1);
        CHECK(b.when(0, time_point{}) == 0ns);
        CHECK(b.when(0, time_point{1000h}) == duration::max());
    }
    reconcile::token_bucket none(10, 0);
    CHECK(none.when(0, time_point{1h}) == duration::max());
    reconcile::token_bucket endless(std::numeric_limits<double>::infinity(), 1);
    for (int i = 0; i < 100; ++i)
        CHECK(endless.when(0, time_point{1s}) == 0ns);
    reconcile::token_bucket slow(1e-300, 1);
    (void)slow.when(0, time_point{});
    CHECK(slow.when(0, time_point{}) == duration::max());
}

TEST_CASE("rate_limiter: a bucket's clock at both ends of time")
{
    reconcile::token_bucket b(10, 1);
    CHECK(b.when(0, time_point::min()) == 0ns);
    CHECK(b.when(0, time_point::min()) == 100ms);
    CHECK(b.when(0, time_point::max()) == 0ns);
    CHECK(b.when(0, time_point::min()) == 100ms);  // it goes on from where it is
    CHECK(b.when(0, time_point::max()) == 0ns);
}

TEST_CASE("rate_limiter: a clock that was a day ahead costs nobody a day")
{
    reconcile::token_bucket b(10, 1);
    (void)b.when(0, time_point{24h});
    for (int i = 1; i < 1000; ++i)
        CHECK(b.when(0, time_point{i * 1s}) <= 100ms);
}

TEST_CASE("rate_limiter: the later of two answers counts")
{
    auto l = reconcile::make_default_limiter<std::string>();
    for (int i = 0; i < 100; ++i)
        CHECK(l.when(std::to_string(i), time_point{1s}) == 5ms);
    CHECK(l.when("x", time_point{1s}) == 100ms);
    CHECK(l.failures("x") == 1);
    l.forget("x");
    CHECK(l.failures("x") == 0);
}

TEST_SUITE("property")
{
    TEST_CASE("rate_limiter: counts against a map, saved and put back at any time")
    {
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const keys = 1 + random() % 60;
            reconcile::exponential_limiter<std::string> l(1ns, duration::max());
            std::map<std::string, std::uint32_t> naive;
            for (int i = 0; i < 600; ++i) {
                auto const k = "key-" + std::to_string(random() % keys);
                switch (random() % 5) {
                case 0: l.forget(k), naive.erase(k); break;
                case 1: {
                    auto const saved = l.save();
                    CHECK(saved.size() == naive.size());
                    reconcile::exponential_limiter<std::string> again(1ns, duration::max());
                    again.restore(saved);
                    l = std::move(again);
                    break;
                }
                default: {
                    auto const n = naive[k]++;
                    CHECK(l.when(k, {}) == (n < 63 ? duration(std::int64_t{1} << n) : duration::max()));
                }
                }
                CHECK(l.failures(k) == (naive.contains(k) ? naive[k] : 0));
            }
        }
    }

    TEST_CASE("rate_limiter: a bucket never gives more than its burst and its rate, though the clock jumps")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const rate = static_cast<double>(1 + random() % 100) / static_cast<double>(1 + random() % 7);
            auto const burst = static_cast<std::uint32_t>(1 + random() % 20);
            reconcile::token_bucket b(rate, burst);
            time_point now{1h}, passed{};  // passed: how far the clock went ahead
            std::vector<double> due;       // seconds
            for (int i = 0; i < 300; ++i) {
                if (random() % 3 == 0) {
                    std::chrono::milliseconds const by(static_cast<int>(random() % 2000) - 700);
                    now += by;
                    passed += std::max(by, 0ms);
                }
                auto const d = b.when(i, now);
                REQUIRE(d >= 0ns);
                due.push_back(std::chrono::duration<double>((passed + d).time_since_epoch()).count());
                if (random() % 20 == 0) {
                    reconcile::token_bucket again(rate, burst);
                    again.restore(b.save());
                    b = again;
                }
            }
            std::sort(due.begin(), due.end());
            for (std::size_t i = 0; i < due.size(); ++i)
                for (std::size_t j = i + burst; j < due.size(); j += 7) {
                    auto const n = static_cast<double>(j - i + 1);
                    REQUIRE(n <= burst + (due[j] - due[i]) * rate + 1e-3);
                }
        }
    }
}
