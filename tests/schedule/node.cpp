#include <podium/schedule/node.hpp>
#include <podium/schedule/pipeline.hpp>

#include <doctest/doctest.h>
#include <string>

namespace {

namespace schedule = podium::schedule;

struct node {
    std::string name{};
    int zone = 0;
};
/// Stands for a compiled selector: one zone required (0: any), one preferred.
struct zones {
    int required = 0, preferred = 0;
    [[nodiscard]] bool matches(node const& n) const { return required == 0 || n.zone == required; }
    [[nodiscard]] int preference(node const& n) const { return n.zone == preferred ? 7 : 0; }
    friend bool operator==(zones const&, zones const&) = default;
};
struct pod {
    std::string node_name{};
    zones affinity{};
};
using named = schedule::node_name<&node::name, &pod::node_name>;
using affinity = schedule::node_affinity<&pod::affinity>;
using rules = schedule::pipeline<node, pod, schedule::filters<named, affinity>,
    schedule::scores<schedule::weighted<affinity, 2>>>;

}  // namespace

TEST_CASE("schedule: a pod goes to the node it names and selects")
{
    rules const r;
    schedule::snapshot<rules> on;
    for (auto const& n : {node{"a", 1}, node{"b", 2}, node{"c", 2}})
        on.set(n.name, n);

    CHECK(r.decide(on, {}).feasible == 3);
    CHECK(r.decide(on, {"b"}).node == on.find("b"));
    CHECK(r.decide(on, {"", {2, 0}}).feasible == 2);
    CHECK(r.decide(on, {"", {0, 2}}).node == on.find("b"));
    CHECK(r.decide(on, {"", {0, 2}}).score == 200);
    CHECK(r.decide(on, {"", {0, 9}}).score == 0);

    pod const lost{"a", {2, 0}};
    CHECK(r.summary(r.decide(on, lost), lost) ==
        "0/3 nodes are available: 1 node(s) didn't match Pod's node "
        "affinity/selector, 2 node(s) didn't match the requested node name.");
}
