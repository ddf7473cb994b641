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
            row{"an analysis beside steps that are over before it knows",
                R"({"canary":{"stableService":"web","trafficRouting":{"podium":{}},
                    "steps":[{"setWeight":50},{"pause":{"duration":"30s"}}],"analysis":{"templates":[{"templateName":"open"}]}}})",
                "", "spec.strategy.canary.analysis: open/conversion: the steps beside it"},
            row{"anti-affinity between the versions", R"({"blueGreen":{"activeService":"web"}})",
                R"(,"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
                     {"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"web"}}}]}})",
                "spec.template.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution["
                "0]: "
                "keeps new pods away from old ones: it takes 8 different kubernetes.io/hostname"},
            row{"more pods than there is room for", R"({"blueGreen":{"activeService":"web"}})", "",
                "spec.strategy: needs 4 pods more than there are, and nodes have room for 3"},
        }) {
        CAPTURE(r.name);
        auto t =
            model::decode_text<model::analysis_template>(R"({"metadata":{"name":"t"},"spec":{"timeLimit":"5s",
            "metrics":[{"name":"conversion","provider":{"podium":{"measure":"conversions","question":"better",
                "effect":0.05,"expected":0.25}}}]}})");
        REQUIRE(t);
        auto open = *t;
        open.metadata.name = "open";
        open.spec.time_limit.clear();
        std::vector const templates{*t, open};
        controllers::release_circumstances how;
        how.units_per_second = 10;
        how.room_for_pods = 3;
        auto const p = controllers::plan_of(rollout_of(r.strategy, r.more), templates, how);
        CAPTURE(warnings(p));
        CHECK(std::ranges::any_of(
            p.warnings, [&](error const& w) { return (w.path + ": " + w.message).starts_with(r.expected); }));
    }
}

TEST_CASE("release plan: probes that may take longer than progress are told")
{
    auto r = rollout_of(R"({"blueGreen":{"activeService":"web"}})");
    model::probe slow;
    slow.tcp_socket = model::tcp_socket_action{.port = 80};
    slow.period_seconds = 10;
    slow.failure_threshold = 61;
    r.spec.template_.spec.containers.edit()[0].startup_probe = slow;
    CHECK(warnings(controllers::plan_of(r))
            .starts_with("spec.progressDeadlineSeconds: probes give a pod 610 s"));
    r.spec.progress_deadline_seconds = 610;
    CHECK(warnings(controllers::plan_of(r)).empty());
}

TEST_CASE("release plan: room is looked for node by node, by the scheduler's own rules")
{
    auto const node = [](std::string const& name, std::string const& cpu) {
        auto n = model::decode_text<model::node>(R"({"metadata":{"name":")" + name +
            R"(","labels":{"zone":")" + name + R"("}},"status":{"allocatable":{"cpu":")" + cpu +
            R"(","memory":"8Gi","pods":"10"}}})");
        REQUIRE_MESSAGE(n, n.error().text());
        return *std::move(n);
    };
    auto const asks = [](model::rollout r, std::string const& cpu) {
        r.spec.template_.spec.containers.edit()[0].resources.requests["cpu"] = quantity::parse(cpu).value();
        return r;
    };
    auto const bound = [](std::string const& version, std::string const& to, std::string const& cpu) {
        auto p = model::decode_text<model::pod>(
            R"({"metadata":{"name":"p","namespace":"default","labels":{"app":"web","v":")" + version +
            R"("}},"spec":{"nodeName":")" + to +
            R"(","containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":")" + cpu +
            R"("}}}]}})");
        REQUIRE_MESSAGE(p, p.error().text());
        return *std::move(p);
    };
    auto const told = [](model::rollout const& r, controllers::release_circumstances const& how) {
        return warnings(controllers::plan_of(r, {}, how));
    };
    std::string const blue_green = R"({"blueGreen":{"activeService":"web"}})";
    std::string const one_more = R"({"canary":{"maxSurge":1,"maxUnavailable":0,"steps":[{"setWeight":25}]}})";
    controllers::release_circumstances how;

    // 8 pods of a core fit on three nodes of three; eight of two cores do not, though the sum of cores would
    // do.
    how.nodes = {node("a", "3"), node("b", "3"), node("c", "3")};
    CHECK(told(asks(rollout_of(blue_green), "1"), how).empty());
    how.nodes = {node("a", "5"), node("b", "5"), node("c", "6")};
    CHECK(told(asks(rollout_of(blue_green), "2"), how) ==
        "spec.strategy: needs 4 pods more than there are, and nodes have room for 3: 0/3 nodes are "
        "available: 3 "
        "Insufficient cpu.\n");
    how.nodes = {node("a", "5")};
    CHECK(told(asks(rollout_of(blue_green), "2"), how).starts_with("spec.replicas: the nodes have no room"));

    // What runs already is there once, and others' pods take room too.
    how.nodes = {node("a", "4"), node("b", "4")};
    for (int i = 0; i < 4; ++i)
        how.pods.push_back(bound("1", i < 2 ? "a" : "b", "1"));
    CHECK(told(asks(rollout_of(blue_green), "1"), how).empty());
    how.pods.push_back(bound("1", "b", "1"));
    how.pods.back().metadata.labels["app"] = "other";
    CHECK(told(asks(rollout_of(blue_green), "1"), how)
            .starts_with("spec.strategy: needs 4 pods more than there are, and nodes have room for 3"));

    // As many nodes as pods that keep apart, and nothing may be missing: the new one waits for an old one to
    // go.
    auto const apart = [](std::string const& keys) {
        return R"(,"affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
            {"topologyKey":"zone",)" +
            keys + R"("labelSelector":{"matchLabels":{"app":"web"}}}]}})";
    };
    how.pods.clear();
    how.nodes = {node("a", "4"), node("b", "4"), node("c", "4"), node("d", "4")};
    auto const deadlock = told(rollout_of(one_more, apart("")), how);
    CHECK(deadlock.starts_with("spec.strategy: no node takes one pod more while the old ones stay"));
    CHECK(deadlock.find("anti-affinity rules") != std::string::npos);
    CHECK(told(rollout_of(one_more, apart(R"("matchLabelKeys":["rollouts-pod-template-hash"],)")), how)
            .empty());
    how.nodes.push_back(node("e", "4"));
    CHECK(told(rollout_of(one_more, apart("")), how).empty());
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
