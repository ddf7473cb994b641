#include <podium/rollout/fenceposts.hpp>

#include <doctest/doctest.h>

namespace rollout = podium::rollout;
using podium::int_or_percent;
using rollout::fenceposts;
using rollout::strategy;

TEST_CASE("rollout: surge rounds up, unavailable down, and one of them can always move")
{
    struct row {
        char const* name;
        std::optional<int_or_percent> surge;
        std::optional<int_or_percent> unavailable;
        std::int32_t desired;
        fenceposts expected;
    };
    auto const percent = [](std::int64_t n) { return int_or_percent::percent(n); };
    for (auto const& r : {
             row{"a quarter of four", percent(25), percent(25), 4, {1, 1}},
             row{"a quarter of one", percent(25), percent(25), 1, {1, 0}},
             row{"a third of ten", percent(33), percent(33), 10, {4, 3}},
             row{"numbers are taken as they are", 3, 2, 10, {3, 2}},
             row{"both zero", 0, 0, 10, {0, 1}},
             row{"nothing set", {}, {}, 10, {0, 1}},
             row{"a percentage that rounds to nothing", 0, percent(5), 10, {0, 1}},
             row{"no replicas", percent(25), percent(25), 0, {0, 1}},
             row{"more than there are", 0, percent(200), 3, {0, 6}},
             row{"beyond 32 bits", percent(1'000'000'000'000), 0, 1'000'000, {2147483647, 0}},
         }) {
        CAPTURE(r.name);
        CHECK(rollout::resolve_fenceposts(r.surge, r.unavailable, r.desired) == r.expected);
    }
}

TEST_CASE("rollout: the limits in force never exceed the replicas, and recreate has none")
{
    CHECK(rollout::limits({0, 6}, strategy::rolling_update, 3) == fenceposts{0, 3});
    CHECK(rollout::limits({0, 1}, strategy::rolling_update, 0) == fenceposts{0, 0});
    CHECK(rollout::limits({-2, -3}, strategy::rolling_update, 4) == fenceposts{0, 1});
    CHECK(rollout::limits({2, 3}, strategy::recreate, 4) == fenceposts{0, 0});
    CHECK(rollout::min_available({1, 1}, strategy::rolling_update, 4) == 3);
    CHECK(rollout::min_available({1, 1}, strategy::recreate, 4) == 0);
}

TEST_CASE("rollout: a stateful set misses at least one pod, or nothing would ever be updated")
{
    CHECK(rollout::stateful_max_unavailable({}, 5) == 1);
    CHECK(rollout::stateful_max_unavailable(int_or_percent::percent(33), 2) == 1);
    CHECK(rollout::stateful_max_unavailable(int_or_percent::percent(33), 37) == 12);
    CHECK(rollout::stateful_max_unavailable(3, 2) == 3);
}
