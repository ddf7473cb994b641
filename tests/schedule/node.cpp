#include <podium/schedule/node.hpp>
#include <podium/schedule/pipeline.hpp>

#include <doctest/doctest.h>
#include <map>
#include <span>
#include <string>

namespace {

namespace schedule = podium::schedule;
namespace labels = podium::labels;

struct node {
    std::string name{};
    std::string zone{};
};
struct pod {
    std::string node_name{};
    std::string zone{};
    std::string liked_zone{};
};
std::map<std::string, std::string> labels_of(node const& n)
{
    return {{"zone", n.zone}};
}
labels::node_selector in_zone(std::string const& zone)
{
    labels::node_selector_term const term{{{"zone", labels::op::in, {zone}}}, {}};
    return labels::node_selector(std::span(&term, 1));
}
schedule::node_choice choice_of(pod const& p)
{
    schedule::node_choice c;
    if (p.zone == "none")
        c.required.emplace();
    else if (!p.zone.empty())
        c.required = in_zone(p.zone);
    if (!p.liked_zone.empty())
        c.preferred.push_back({7, in_zone(p.liked_zone)});
    return c;
}
using named = schedule::node_name<&node::name, &pod::node_name>;
using affinity = schedule::node_affinity<&labels_of, &node::name, &choice_of>;
using rules = schedule::pipeline<node, pod, schedule::filters<named, affinity>,
    schedule::scores<schedule::weighted<affinity, 2>>>;

}  // namespace

TEST_CASE("schedule: a pod goes to the node it names and selects")
{
    rules const r;
    schedule::snapshot<rules> on;
    for (auto const& n : {node{"a", "x"}, node{"b", "y"}, node{"c", "y"}})
        on.set(n.name, n);

    CHECK(r.decide(on, {}).feasible == 3);
    CHECK(r.decide(on, {"b"}).node == on.find("b"));
    CHECK(r.decide(on, {"", "y"}).feasible == 2);
    CHECK(r.decide(on, {"", "", "y"}).node == on.find("b"));
    CHECK(r.decide(on, {"", "", "y"}).score == 200);
    CHECK(r.decide(on, {"", "", "z"}).score == 0);

    pod const lost{"a", "y"};
    CHECK(r.summary(r.decide(on, lost), lost) ==
        "0/3 nodes are available: 1 node(s) didn't match Pod's node "
        "affinity/selector, 2 node(s) didn't match the requested node name.");
    CHECK(r.decide(on, {"", "none"}).feasible == 0);
}

TEST_CASE("schedule: the scheduler may have a wish of its own for all pods")
{
    rules const r{affinity{.added = {.labels = {{"zone", "y"}}}}};
    schedule::snapshot<rules> on;
    on.set("a", {"a", "x"});
    CHECK(r.summary(r.decide(on, {}), {}) ==
        "0/1 nodes are available: 1 node(s) didn't match scheduler-enforced node affinity.");
    on.set("b", {"b", "y"});
    CHECK(r.decide(on, {}).node == on.find("b"));
}
