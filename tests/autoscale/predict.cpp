#include <podium/autoscale/predict.hpp>

#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <utility>

using namespace std::chrono_literals;
using namespace podium;

namespace {

/// Quarter hours of a day; at noon the load jumps to ten, for two hours.
std::int32_t needed(time_point t)
{
    auto const of_day = t.time_since_epoch() % std::chrono::hours(24);
    return of_day >= 12h && of_day < 14h ? 10 : 2;
}

}  // namespace

TEST_CASE("autoscale: what was needed yesterday is there before it is needed today")
{
    autoscale::season_policy const p{.lead = 10min, .factor = 10};
    REQUIRE(autoscale::validate(p));
    autoscale::season s;
    time_point t{std::chrono::hours(24 * 365 * 30)};
    auto const run_to = [&](time_point end) {
        std::int32_t answer = 0;
        for (; t < end; t += 15s) {
            auto f = autoscale::foresee(p, std::move(s), needed(t), 20, t);
            s = std::move(f.next);
            answer = f.replicas;
        }
        return answer;
    };
    auto const noon = t + 12h;
    CHECK(run_to(noon - 1s) == 2);  // nobody knows yet
    CHECK(run_to(noon + 1h) == 10);
    CHECK(run_to(noon + 24h - 20min) == 2);
    CHECK(run_to(noon + 24h - 9min) == 10);
    CHECK(run_to(noon + 26h + 5min) == 2);  // and it is over as soon as it is over
    // A season without that load halves what is expected.
    autoscale::season quiet = s;
    for (auto u = t; u < noon + 48h - 5min; u += 15s)
        quiet = autoscale::foresee(p, std::move(quiet), 2, 20, u).next;
    CHECK(autoscale::foresee(p, quiet, 2, 20, noon + 48h - 5min).replicas == 10);
    for (auto u = noon + 48h - 5min; u < noon + 72h - 5min; u += 15s)
        quiet = autoscale::foresee(p, std::move(quiet), 2, 20, u).next;
    CHECK(autoscale::foresee(p, quiet, 2, 20, noon + 72h - 5min).replicas == 6);
}

TEST_CASE("autoscale: a prediction is bounded by the size that is allowed and by the reactive answer")
{
    autoscale::season s{.expected_milli = {100'000}, .slot = 0};
    time_point const t{1s};
    autoscale::season_policy p{.length = 1h, .slots = 1, .lead = 0s, .factor = 3};
    CHECK(autoscale::foresee(p, s, 4, 1000, t).replicas == 12);
    CHECK(autoscale::foresee(p, s, 4, 8, t).replicas == 8);
    CHECK(autoscale::foresee(p, s, 0, 1000, t).replicas == 3);  // from zero as from one
    CHECK(autoscale::foresee(p, s, 200, 1000, t).replicas == 200);
    CHECK(autoscale::foresee(p, s, 20, 10, t).replicas == 20);  // the limits are others' to keep
}

TEST_CASE("autoscale: what is wrong with a season is told by field")
{
    autoscale::season_policy p;
    CHECK(autoscale::validate(p));
    for (auto const& [broken, path] : {
             std::pair{autoscale::season_policy{.slots = 0}, "slots"},
             {autoscale::season_policy{.slots = 1441}, "slots"},
             {autoscale::season_policy{.length = 0s, .lead = 0s}, "length"},
             {autoscale::season_policy{.lead = 25h}, "lead"},
             {autoscale::season_policy{.factor = 0.5}, "factor"},
             {autoscale::season_policy{.factor = std::numeric_limits<double>::quiet_NaN()}, "factor"},
             {autoscale::season_policy{.weight_percent = 0}, "weight_percent"},
         }) {
        auto const verdict = autoscale::validate(broken);
        REQUIRE_FALSE(verdict);
        CHECK(verdict.error().path == path);
    }
}

TEST_SUITE("property")
{
    TEST_CASE("autoscale: a prediction never lowers, is bounded, and again at the same time is the same")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            autoscale::season_policy const p{.length = 1s * (1 + random() % 100000),
                .slots = static_cast<std::int32_t>(1 + random() % 100),
                .lead = 1ms * (random() % 1000),
                .factor = 1 + static_cast<double>(random() % 30) / 10,
                .weight_percent = static_cast<std::int32_t>(1 + random() % 100)};
            auto const most = static_cast<std::int32_t>(1 + random() % 100);
            autoscale::season s;
            time_point t{1h};
            for (int i = 0; i < 300; ++i) {
                auto const back = random() % 50 == 0;
                t += (back ? -1 : 1) * 1s * (random() % 5000);
                auto const reactive = static_cast<std::int32_t>(random() % 120);
                auto const f = autoscale::foresee(p, s, reactive, most, t);
                REQUIRE(f.replicas >= reactive);
                REQUIRE(f.replicas <= std::max(reactive, most));
                REQUIRE(f.replicas <= std::max(1, reactive) * p.factor);
                REQUIRE(f.next.expected_milli.size() == static_cast<std::size_t>(p.slots));
                auto const again = autoscale::foresee(p, f.next, reactive, most, t);
                REQUIRE(again.next == f.next);
                REQUIRE(again.replicas == f.replicas);
                s = f.next;
            }
        }
    }
}
