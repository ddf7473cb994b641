#include <podium/autoscale.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <string>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;

namespace {

autoscale::policy valid()
{
    autoscale::policy p;
    p.max_replicas = 10;
    p.metrics = {{.name = "players", .target_milli = 80'000}};
    return p;
}

}  // namespace

TEST_CASE("autoscale: a policy that says only what it scales on, and how far, is valid")
{
    CHECK(autoscale::validate(valid()).has_value());
    auto p = valid();
    p.behavior.emplace();
    CHECK(autoscale::validate(p).has_value());
}

TEST_CASE("autoscale: everything that is wrong with a policy is said at once, by field")
{
    autoscale::policy p;
    p.min_replicas = -1;
    p.max_replicas = -2;
    p.metrics = {{.from = autoscale::source::container_resource, .aim = autoscale::target::utilization},
        {.name = "queue", .container = "app", .aim = autoscale::target::value, .target_milli = -1}};
    p.behavior =
        autoscale::behavior{.scale_up = {.stabilization_window = 2h, .policies = {}, .tolerance = -0.5},
            .scale_down = {.policies = {{.value = 0, .period = 31min}}}};
    p.season = autoscale::season_policy{.slots = 0, .factor = 0};
    p.tolerance = std::numeric_limits<double>::quiet_NaN();
    p.downscale_stabilization = p.initialization = p.readiness_delay = p.period = -1ns;
    auto const r = autoscale::validate(p);
    REQUIRE(!r.has_value());
    auto const text = r.error().text();
    for (std::string const field : {"min_replicas", "max_replicas", "metrics[0].name", "metrics[0].container",
             "metrics[0].target_percent", "metrics[1].container", "metrics[1].aim", "metrics[1].target_milli",
             "behavior.scale_up.stabilization_window", "behavior.scale_up.tolerance",
             "behavior.scale_up.policies", "behavior.scale_down.policies[0].value",
             "behavior.scale_down.policies[0].period", "season.slots", "season.factor", "tolerance",
             "downscale_stabilization", "initialization", "readiness_delay", "period"}) {
        CAPTURE(field);
        CHECK(('\n' + text).find('\n' + field + ": ") != std::string::npos);
    }
}

TEST_CASE("autoscale: scaling to zero asks for a metric that could wake it")
{
    auto p = valid();
    p.min_replicas = 0;
    CHECK(!autoscale::validate(p).has_value());
    p.metrics.push_back({.from = autoscale::source::external, .name = "queue", .target_milli = 1000});
    CHECK(autoscale::validate(p).has_value());
}

TEST_CASE("autoscale: a number becomes thousandths; no number is no reading")
{
    struct row {
        double in;
        std::optional<std::int64_t> out;
    };
    constexpr auto inf = std::numeric_limits<double>::infinity();
    using limits = std::numeric_limits<std::int64_t>;
    for (auto const& r : {row{80, 80'000}, row{0.0004, 0}, row{0.0005, 1}, row{-0.0005, -1}, row{-1.5, -1500},
             row{inf, limits::max()}, row{-inf, limits::min()}, row{1e300, limits::max()},
             row{std::numeric_limits<double>::quiet_NaN(), std::nullopt}}) {
        CAPTURE(r.in);
        CHECK(autoscale::milli(r.in) == r.out);
    }
}
