#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/taints.hpp>

#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;
using schedule::taint;
using schedule::toleration;
using enum schedule::taint_effect;

struct node {
    std::vector<taint> taints{};
    bool cordoned = false;
};
struct pod {
    std::vector<toleration> tolerations{};
};
using tolerated = schedule::taint_toleration<&node::taints, &pod::tolerations>;
using open = schedule::node_unschedulable<&node::cordoned, &pod::tolerations>;
using rules = schedule::pipeline<node, pod, schedule::filters<open, tolerated>,
    schedule::scores<schedule::weighted<tolerated, 3>>>;

}  // namespace

TEST_CASE("schedule: what a toleration bears")
{
    struct row {
        char const* name;
        toleration t;
        taint of;
        bool bears;
    };
    taint const gpu{"dedicated", "gpu", no_schedule};
    for (auto const& r : {
             row{"an empty key that exists bears all", {.operator_ = "Exists"}, gpu, true},
             row{"an empty toleration bears empty values only", {}, gpu, false},
             row{"an empty key with the value bears any key", {.value = "gpu"}, gpu, true},
             row{"the same value", {"dedicated", "Equal", "gpu"}, gpu, true},
             row{"Equal is what nothing means", {"dedicated", "", "gpu"}, gpu, true},
             row{"another value", {"dedicated", "Equal", "web"}, gpu, false},
             row{"another key", {"other", "Exists"}, gpu, false},
             row{"exists asks for no value", {"dedicated", "Exists", "web"}, gpu, true},
             row{"the same effect", {"dedicated", "Exists", "", "NoSchedule"}, gpu, true},
             row{"another effect", {"dedicated", "Exists", "", "NoExecute"}, gpu, false},
             row{"an unknown operator bears nothing", {"dedicated", "Gt", "gpu"}, gpu, false},
         }) {
        CAPTURE(r.name);
        CHECK(schedule::tolerates(r.t, r.of) == r.bears);
    }
}

TEST_CASE("schedule: taints with strings, optional strings and enums are one")
{
    struct string_taint {
        std::string key{}, value{}, effect{};
    };
    struct string_toleration {
        std::optional<std::string> key{}, operator_{}, value{}, effect{};
    };
    CHECK(schedule::tolerates(string_toleration{.operator_ = "Exists"}, string_taint{"a", "b", "NoExecute"}));
    CHECK_FALSE(schedule::tolerates(string_toleration{.key = "a"}, string_taint{"a", "b", "NoExecute"}));
    CHECK(schedule::tolerates(
        string_toleration{.key = "a", .effect = "NoExecute"}, taint{"a", "", no_execute}));
}

TEST_CASE("schedule: taints keep pods off, or make a node less liked")
{
    rules const r;
    schedule::snapshot<rules> on;
    on.set("clean", {});
    on.set("hard", {.taints = {{"a", "b", prefer_no_schedule}, {"dedicated", "gpu", no_execute}}});
    on.set("soft", {.taints = {{"a", "", prefer_no_schedule}}});
    on.set("softer", {.taints = {{"a", "", prefer_no_schedule}, {"b", "", prefer_no_schedule}}});
    on.set("cordoned", {.cordoned = true});

    auto const table = r.explain(on, {});
    auto const scores = [&](std::size_t i) { return table.nodes.at(i).score; };
    CHECK(table.decision.feasible == 3);
    CHECK(table.decision.node == on.find("clean"));
    CHECK(scores(0) == 300);
    CHECK(scores(2) == 150);
    CHECK(scores(3) == 0);
    CHECK(r.text(on, 1, table.nodes.at(1).reasons.at(0), {}) ==
        "node(s) had untolerated taint(s) {dedicated: gpu}");
    CHECK(table.nodes.at(1).reasons.at(0).unresolvable);

    on.remove("clean");
    on.remove("soft");
    on.remove("softer");
    CHECK(r.summary(r.decide(on, {}), {}) ==
        "0/2 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable.");
    pod const daemon{{{"node.kubernetes.io/unschedulable", "Exists"}}};
    CHECK(r.decide(on, daemon).node == on.find("cordoned"));
    pod const anything{{{.operator_ = "Exists"}}};
    auto const d = r.decide(on, anything);
    CHECK(d.feasible == 2);
    CHECK(d.score == 300);
    CHECK(d.best == 2);
}
