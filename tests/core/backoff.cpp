#include <podium/core/backoff.hpp>

#include <doctest/doctest.h>
#include <random>
#include <vector>

using namespace std::chrono_literals;
using podium::backoff_policy;
using podium::backoff_state;
using podium::time_point;

TEST_CASE("core: a crash loop restarts at once, then after 10 s, doubling to 5 min")
{
    backoff_policy const policy;
    backoff_state s;
    time_point now{};
    for (auto const wait : std::vector<podium::duration>{0s, 10s, 20s, 40s, 80s, 160s, 300s, 300s}) {
        s = fail(policy, s, now);
        CHECK(s.retry_at - now == wait);
        now = s.retry_at + 1s;
    }
}

TEST_CASE("core: a quiet time longer than the limit forgets, one just as long does not")
{
    backoff_policy const policy;
    auto const twice = fail(policy, fail(policy, {}, time_point{}), time_point{});
    REQUIRE(twice.retry_at == time_point{10s});
    CHECK(fail(policy, twice, twice.retry_at + 10min).retry_at == twice.retry_at + 10min + 20s);
    CHECK(fail(policy, twice, twice.retry_at + 10min + 1ns).retry_at == twice.retry_at + 10min + 1ns);
}

TEST_CASE("core: where the first failure waits too, it waits the base")
{
    backoff_policy const policy{.base = 1s, .factor = 3, .cap = 10s, .first_at_once = false};
    auto s = fail(policy, {}, time_point{});
    CHECK(s.retry_at == time_point{1s});
    s = fail(policy, s, s.retry_at);
    CHECK(s.retry_at == time_point{4s});
    s = fail(policy, s, s.retry_at);
    CHECK(s.retry_at == time_point{13s});
    s = fail(policy, s, s.retry_at);
    CHECK(s.retry_at == time_point{23s});
}

TEST_CASE("core: a back-off stands clocks at both ends of time, and nonsense")
{
    using podium::duration;
    auto const first = time_point::min(), last = podium::never;
    backoff_policy const policy;
    // Failed at the beginning of time, and again now: forgotten long ago.
    CHECK(fail(policy, {10s, first}, time_point{100s}) == backoff_state{10s, time_point{100s}});
    CHECK(fail(policy, {10s, first}, last) == backoff_state{10s, last});
    CHECK(fail(policy, {10s, last}, first) == backoff_state{20s, first + 10s});
    CHECK(fail(policy, {10s, last}, last) == backoff_state{20s, last});
    CHECK(fail(policy, {duration::min(), last}, time_point{}) == backoff_state{10s, time_point{}});
    backoff_policy const absurd{.base = duration::max(),
        .factor = ~std::uint32_t{},
        .cap = duration::max(),
        .reset_after = duration::min(),
        .first_at_once = false};
    CHECK(fail(absurd, {}, time_point{1ns}) == backoff_state{duration::max(), last});
    backoff_policy const negative{.base = duration::min(), .cap = duration::min(), .first_at_once = false};
    CHECK(fail(negative, {}, last) == backoff_state{0s, last});
    // A clock that goes back does not count as quiet time.
    auto const twice = fail(policy, fail(policy, {}, time_point{1h}), time_point{1h});
    CHECK(fail(policy, twice, time_point{}) == backoff_state{40s, time_point{20s}});
}

TEST_SUITE("property")
{
    TEST_CASE(
        "core: a wait is never longer than the cap and, until forgotten, never shorter than the one before")
    {
        for (std::uint64_t seed = 0; seed < 500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            backoff_policy const policy{.base = std::chrono::milliseconds(1 + random() % 5000),
                .factor = static_cast<std::uint32_t>(random() % 5),
                .cap = std::chrono::milliseconds(1 + random() % 60'000),
                .reset_after = 10s,
                .first_at_once = random() % 2 == 0};
            backoff_state s;
            time_point now{};
            podium::duration before{};
            for (int i = 0; i < 50; ++i) {
                auto const quiet = std::chrono::milliseconds(random() % 12'000);
                now += quiet;
                s = fail(policy, s, now);
                auto const wait = s.retry_at - now;
                REQUIRE(wait <= policy.cap);
                if (i > 0 && quiet <= policy.reset_after)
                    REQUIRE(wait >= before);
                before = wait;
                now = s.retry_at;
            }
        }
    }
}
