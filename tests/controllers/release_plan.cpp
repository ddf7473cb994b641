#include <podium/controllers/release_plan.hpp>
#include <podium/model/scheme.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace podium;
using namespace std::chrono_literals;

namespace {

model::rollout rollout_of(std::string const& strategy, std::string const& more_of_pod = "")
{
    auto const text = R"({"metadata":{"name":"web","namespace":"default"},"spec":{"replicas":4,
        "selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},
        "spec":{"containers":[{"name":"c","image":"web:2"}])" +
        more_of_pod + R"(}},"strategy":)" + strategy + "}}";
    auto r = model::decode_text<model::rollout>(text);
    REQUIRE_MESSAGE(r, r.error().text());
    return *std::move(r);
}
std::string warnings(controllers::release_plan const& p)
{
    std::string out;
    for (auto const& w : p.warnings)
        out += w.path + ": " + w.message + '\n';
    return out;
}

}  // namespace

TEST_CASE("release plan: a canary's lines, its worst moment and its end")
{
    auto const p = controllers::plan_of(rollout_of(
        R"({"canary":{"stableService":"web","trafficRouting":{"podium":{}},
            "steps":[{"setWeight":25},{"pause":{"duration":"1m"}},{"setWeight":50},{"pause":{}}]}})"));
    CHECK(warnings(p).empty());
    CHECK(p.finishes);
    CHECK(p.needs_person);
    CHECK(p.least_available == 4);
    CHECK(p.peak_pods == 8);
    CHECK(p.takes >= 1min);
    std::vector<std::int32_t> weights;
    for (auto const& l : p.lines)
        if (weights.empty() || weights.back() != l.weight)
            weights.push_back(l.weight);
    CHECK(weights == std::vector<std::int32_t>{0, 25, 50, 100});
}

TEST_CASE("release plan: it warns of what cannot work")
{
    struct row {
        std::string name;
        std::string strategy;
        std::string more;
        std::string expected;
    };
    auto const routed = [](std::string const& steps) {
        return R"({"canary":{"stableService":"web","trafficRouting":{"podium":{}},"steps":[)" + steps + "]}}";
    };
    for (auto const& r :
        {
            row{"a weight that pods cannot make", R"({"canary":{"steps":[{"setWeight":10}]}})", "",
                "spec.strategy.canary.steps[0].setWeight: without trafficRouting"},
            row{"a spread that counts both versions", R"({"blueGreen":{"activeService":"web"}})",
                R"(,"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"zone","whenUnsatisfiable":"DoNotSchedule",
                     "labelSelector":{"matchLabels":{"app":"web"}}}])",
                "spec.template.spec.topologySpreadConstraints[0]: counts"},
            row{"an analysis before there is traffic",
                routed(R"({"analysis":{"templates":[{"templateName":"t"}]}},{"setWeight":50})"), "",
                "spec.strategy.canary.steps[0].analysis: t/conversion compares"},
            row{"a template that is missing",
                routed(R"({"setWeight":50},{"analysis":{"templates":[{"templateName":"none"}]}})"), "",
                "spec.strategy.canary.steps[1].analysis: there is no AnalysisTemplate none"},
            row{"a time too short for the traffic",
                routed(R"({"setWeight":50},{"analysis":{"templates":[{"templateName":"t"}]}})"), "",
                "spec.strategy.canary.steps[1].analysis: t/conversion: its timeLimit is too short"},
            row{"more pods than there is room for", R"({"blueGreen":{"activeService":"web"}})", "",
                "spec.strategy: needs 4 pods more than there are, and nodes have room for 3"},
        }) {
        CAPTURE(r.name);
        auto t =
            model::decode_text<model::analysis_template>(R"({"metadata":{"name":"t"},"spec":{"timeLimit":"5s",
            "metrics":[{"name":"conversion","provider":{"podium":{"measure":"conversions","question":"better",
                "effect":0.05,"expected":0.25}}}]}})");
        REQUIRE(t);
        std::vector const templates{*t};
        controllers::release_circumstances how;
        how.units_per_second = 10;
        how.room_for_pods = 3;
        auto const p = controllers::plan_of(rollout_of(r.strategy, r.more), templates, how);
        CAPTURE(warnings(p));
        CHECK(std::ranges::any_of(
            p.warnings, [&](error const& w) { return (w.path + ": " + w.message).starts_with(r.expected); }));
    }
}

TEST_CASE("release plan: what a metric needs is forecast at the traffic there is")
{
    auto t = model::decode_text<model::analysis_template>(R"({"metadata":{"name":"t"},"spec":{
        "metrics":[{"name":"conversion","provider":{"podium":{"measure":"conversions","question":"better",
            "effect":0.05,"expected":0.25}}}]}})");
    REQUIRE(t);
    std::vector const templates{*t};
    controllers::release_circumstances how;
    how.units_per_second = 1000;
    auto const p =
        controllers::plan_of(rollout_of(
                                 R"({"canary":{"stableService":"web","trafficRouting":{"podium":{}},
            "steps":[{"setWeight":50},{"analysis":{"templates":[{"templateName":"t"}]}}]}})"),
            templates, how);
    REQUIRE(p.forecasts.size() == 1);
    auto const& f = p.forecasts[0].same;
    REQUIRE(f.median);
    CHECK(f.median->canary_units > 500);
    CHECK(f.median->canary_units < 1500);
    REQUIRE(f.median->after);
    CHECK(*f.median->after > 1s);
    CHECK(*f.median->after < 3s);
    CHECK(warnings(p).empty());
}
