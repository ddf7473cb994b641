#include <podium/autoscale.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <vector>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;
using podium::time_point;

namespace {

autoscale::policy players_policy()
{
    autoscale::policy p;
    p.max_replicas = 50;
    p.metrics = {{.name = "players", .target_milli = 100'000}};
    p.behavior.emplace();
    return p;
}

std::vector<autoscale::load> trace_of(std::vector<std::int64_t> const& players)
{
    std::vector<autoscale::load> trace;
    for (auto const n : players)
        trace.push_back({.at = time_point(trace.size() * 1min), .total_milli = {n * 1000}});
    return trace;
}

std::vector<std::int32_t> sizes(std::vector<autoscale::moment> const& all)
{
    std::vector<std::int32_t> out;
    for (auto const& m : all)
        out.push_back(m.decided.desired);
    return out;
}

}  // namespace

TEST_CASE("autoscale: a trace replayed gives the series of sizes")
{
    auto const trace = trace_of({100, 800, 800, 800, 800, 200, 200, 200, 200, 200, 200, 200});
    auto const all = autoscale::replay(players_policy(), trace);
    CHECK(sizes(all) == std::vector<std::int32_t>{1, 5, 8, 8, 8, 8, 8, 8, 8, 2, 2, 2});
    CHECK(all[1].decided.limited_by == autoscale::limit::up_policy);
    CHECK(all[5].decided.limited_by == autoscale::limit::stabilization);
    CHECK(all[2].replicas == 5);
    CHECK(all[2].asked.ratio == 1.6);
}

TEST_CASE("autoscale: replicas that start up carry nothing and are not taken for idle capacity")
{
    auto const trace = trace_of({300, 300, 300, 300, 300});
    auto const all = autoscale::replay(players_policy(), trace, {.startup = 150s});
    CHECK(sizes(all) == std::vector<std::int32_t>{3, 3, 3, 3, 3});
    CHECK(all[1].ready == 1);
    CHECK(all[2].ready == 1);
    CHECK(all[3].ready == 3);
}

TEST_CASE("autoscale: a gap in the trace changes nothing, an empty one has no moments")
{
    CHECK(autoscale::replay(players_policy(), {}).empty());
    auto trace = trace_of({300, 300, 900, 300});
    trace[2].total_milli = {std::nullopt};
    trace[3].total_milli.clear();
    auto const all = autoscale::replay(players_policy(), trace, {.replicas = 3});
    CHECK(sizes(all) == std::vector<std::int32_t>{3, 3, 3, 3});
    CHECK(all[2].decided.why == autoscale::cause::no_metrics);
}

TEST_CASE("autoscale: absurd traces are replayed all the same")
{
    using limits = std::numeric_limits<std::int64_t>;
    std::vector<autoscale::load> trace;
    for (auto const at : {time_point::max(), time_point::min(), time_point{}, time_point{1h}})
        for (auto const n : {limits::max(), limits::min(), std::int64_t{0}})
            trace.push_back({.at = at, .total_milli = {n, n}});
    auto p = players_policy();
    p.metrics.push_back({.from = autoscale::source::resource,
        .name = "cpu",
        .aim = autoscale::target::utilization,
        .target_percent = 80});
    for (auto const& m : autoscale::replay(p, trace,
             {.replicas = -5, .startup = podium::duration::max(), .request_milli = limits::max()})) {
        CHECK(m.decided.desired >= 0);
        CHECK(m.decided.desired <= p.max_replicas);
    }
    // So are absurd policies, which `validate` would have refused.
    constexpr auto least = std::numeric_limits<std::int32_t>::min(),
                   most = std::numeric_limits<std::int32_t>::max();
    for (auto const min : {least, -3, 0, most})
        for (auto const max : {least, -3, 0, most})
            for (auto const replicas : {least, 5, most}) {
                p.min_replicas = min;
                p.max_replicas = max;
                for (auto const& m : autoscale::replay(p, trace, {.replicas = replicas, .startup = 1h})) {
                    CHECK(m.decided.desired >= 0);
                    CHECK(m.decided.scale_to.value_or(0) >= 0);
                    CHECK(m.replicas >= 0);
                }
            }
}

TEST_SUITE("property")
{
    TEST_CASE("autoscale: constant load comes to rest and stays there")
    {
        for (std::int64_t players = 50; players < 4000; players += 37) {
            CAPTURE(players);
            auto const all = autoscale::replay(
                players_policy(), trace_of(std::vector<std::int64_t>(40, players)), {.startup = 90s});
            for (std::size_t i = 20; i < all.size(); ++i)
                REQUIRE(!all[i].decided.scale_to);
            CHECK(all.back().decided.desired * 110 >= players);
        }
    }
}
