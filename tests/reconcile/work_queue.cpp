#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/work_queue.hpp>

#include <doctest/doctest.h>
#include <random>
#include <set>
#include <string>

using namespace std::chrono_literals;
namespace reconcile = podium::reconcile;
using podium::time_point;

TEST_CASE("work_queue: a key is handed out to one worker at a time")
{
    reconcile::work_queue<std::string> q;
    CHECK(q.add("a"));
    CHECK(!q.add("a"));
    auto const* a = q.get();
    REQUIRE(a);
    CHECK(*a == "a");
    CHECK(!q.get());
    CHECK(q.add("a"));  // while it is processed: once more afterwards
    CHECK(q.ready() == 0);
    q.done("a");
    CHECK(q.ready() == 1);
    REQUIRE(q.get());
    q.done("a");
    CHECK(q.size() == 0);
}

TEST_CASE("work_queue: the earlier of two delays wins")
{
    reconcile::work_queue<std::string> q;
    time_point const start{};
    q.add_at("a", start + 10s);
    q.add_at("a", start + 20s);
    q.add_at("b", start + 20s);
    q.add_at("b", start + 5s);
    CHECK(q.wake_at() == start + 5s);
    q.advance(start + 5s);
    CHECK(q.ready() == 1);
    q.advance(start + 10s);
    CHECK(q.ready() == 2);
    CHECK(q.wake_at() == std::nullopt);
}

TEST_CASE("rate_limiter: doubles from 5 ms to 1000 s, and a success forgets")
{
    reconcile::exponential_limiter<std::string> l;
    CHECK(l.when("a", {}) == 5ms);
    CHECK(l.when("a", {}) == 10ms);
    for (int i = 0; i < 100; ++i)
        (void)l.when("a", {});
    CHECK(l.when("a", {}) == 1000s);
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

TEST_SUITE("property")
{
    TEST_CASE("work_queue: against a naive model, step by step")
    {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            reconcile::work_queue<int> q;
            std::set<int> dirty, processing;
            for (int i = 0; i < 500; ++i) {
                int const k = int(random() % 6);
                switch (random() % 3) {
                case 0: CHECK(q.add(k) == dirty.insert(k).second); break;
                case 1:
                    if (auto const* got = q.get()) {
                        CHECK(dirty.erase(*got) == 1);
                        CHECK(processing.insert(*got).second);
                    } else {
                        for (int d : dirty)
                            CHECK(processing.contains(d));
                    }
                    break;
                default:
                    if (processing.erase(k))
                        q.done(k);
                }
            }
        }
    }
}
