#include <podium/rollout/disruption_budget.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>

using namespace podium;
using rollout::allowance;
using rollout::disruption_budget;

namespace {

constexpr auto percent = int_or_percent::percent;
disruption_budget at_least(int_or_percent n)
{
    return {n, {}};
}
disruption_budget at_most(int_or_percent n)
{
    return {{}, n};
}

}  // namespace

TEST_CASE("rollout: what a budget allows is what is healthy beyond what has to stay")
{
    struct row {
        char const* name;
        disruption_budget budget;
        rollout::replicas_observed seen;
        allowance expected;
    };
    for (auto const& r : {
             row{"a number that must stay", at_least(2), {3, 3, 3}, {3, 2, 1}},
             row{"one failed by itself: none may go", at_least(2), {3, 3, 2}, {3, 2, 0}},
             row{"fewer than must stay are not a debt", at_least(2), {3, 3, 1}, {3, 2, 0}},
             row{"a number is not about the scale", at_least(2), {5, 3, 5}, {5, 2, 3}},
             row{"more must stay than there are", at_least(9), {3, 3, 3}, {3, 9, 0}},
             row{"none must stay", at_least(0), {3, 3, 3}, {3, 0, 3}},
             row{"half of 7 are 4", at_least(percent(50)), {7, 7, 7}, {7, 4, 3}},
             row{"half of what is wanted, not of what there is", at_least(percent(50)), {9, 7, 9}, {7, 4, 5}},
             row{"all must stay", at_least(percent(100)), {3, 3, 3}, {3, 3, 0}},
             row{"one per cent of 3 is 1", at_least(percent(1)), {3, 3, 3}, {3, 1, 2}},
             row{"one may be gone", at_most(1), {3, 3, 3}, {3, 2, 1}},
             row{"one is gone", at_most(1), {3, 3, 2}, {3, 2, 0}},
             row{"surge pods are more to give", at_most(1), {4, 3, 4}, {3, 2, 2}},
             row{"none may be gone", at_most(0), {3, 3, 3}, {3, 3, 0}},
             row{"a third of 4 may be gone: 2, it rounds up too", at_most(percent(30)), {4, 4, 4}, {4, 2, 2}},
             row{"all may be gone", at_most(percent(100)), {3, 3, 3}, {3, 0, 3}},
             row{"more may be gone than there are", at_most(9), {3, 3, 3}, {3, 0, 3}},
             row{"max_unavailable counts", {2, 3}, {3, 3, 3}, {3, 0, 3}},
             row{"neither: nothing may go", {}, {3, 3, 3}, {0, 0, 0}},
             row{"nobody is expected: nothing may go", at_most(1), {1, 0, 1}, {0, 0, 0}},
             row{"there are none", at_least(0), {0, 0, 0}, {0, 0, 0}},
             row{"negative is none", at_least(-3), {-1, -1, -1}, {0, 0, 0}},
             row{"the ends of the numbers", at_most(percent(std::numeric_limits<std::int64_t>::max())),
                 {1, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()},
                 {std::numeric_limits<std::int64_t>::max(), 0, std::numeric_limits<std::int64_t>::max()}},
         }) {
        CAPTURE(r.name);
        CHECK(rollout::allow(r.budget, r.seen) == r.expected);
    }
}

TEST_CASE("rollout: only shares and what may be gone rest on the scale")
{
    CHECK(!rollout::counts_scale({}));
    CHECK(!rollout::counts_scale(at_least(1)));
    CHECK(rollout::counts_scale(at_least(percent(1))));
    CHECK(rollout::counts_scale(at_most(1)));
    CHECK(rollout::counts_scale(at_most(percent(1))));
}

TEST_SUITE("property")
{
    TEST_CASE("rollout: who takes no more than is allowed leaves as many as must stay")
    {
        for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const some = [&](std::uint64_t n) { return static_cast<std::int64_t>(random() % n); };
            auto const bound = random() % 2 == 0 ? int_or_percent(some(12)) : percent(some(101));
            auto const budget = random() % 2 == 0 ? at_least(bound) : at_most(bound);
            auto const existing = some(20);
            rollout::replicas_observed const seen{existing, some(20), some(20) % (existing + 1)};
            auto const a = rollout::allow(budget, seen);
            REQUIRE(a.allowed >= 0);
            REQUIRE(a.allowed <= seen.healthy);
            if (a.allowed > 0)
                REQUIRE(seen.healthy - a.allowed >= a.desired_healthy);
            auto fewer = seen;
            fewer.healthy = seen.healthy > 0 ? seen.healthy - 1 : 0;  // each one less is one less allowed
            REQUIRE(rollout::allow(budget, fewer).allowed == std::max<std::int64_t>(a.allowed - 1, 0));
        }
    }
}
