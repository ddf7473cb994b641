#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/volumes.hpp>

#include <doctest/doctest.h>
#include <map>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;
namespace labels = podium::labels;

struct rack {
    std::string name{};
    schedule::label_map labels{};
    std::map<std::string, std::int64_t> limits{};
};
struct robot {
    schedule::volume_wish volumes{};
};
using rules = schedule::pipeline<rack, robot,
    schedule::filters<schedule::volume_restrictions<&robot::volumes>,
        schedule::node_volume_limits<&rack::limits, &robot::volumes>,
        schedule::volume_binding<&rack::labels, &rack::name, &robot::volumes>,
        schedule::volume_zone<&rack::labels, &robot::volumes>>,
    schedule::scores<>>;

labels::node_selector on(char const* key, char const* value)
{
    labels::node_selector_term term;
    term.match_expressions.push_back({key, labels::op::in, {value}});
    return labels::node_selector(std::vector{term});
}
schedule::scheduler<rules> hall()
{
    schedule::scheduler<rules> s;
    for (auto const* n : {"a1", "b1"})
        s.set(n,
            {.name = n,
                .labels = {{"topology.kubernetes.io/zone", std::string(1, n[0])}},
                .limits = {{"csi", 2}}});
    return s;
}
std::string placed(schedule::scheduler<rules>& s, schedule::volume_wish wish)
{
    robot const r{std::move(wish)};
    auto const d = s.decide(r);
    return d.node ? std::string(s.name(d)) : s.summary(d, r);
}

}  // namespace

TEST_CASE("schedule: a bound volume decides by zone and by what reaches it")
{
    auto s = hall();
    schedule::storage in;
    in.claims["default/data"] = {.class_name = "fast", .volume_name = "v", .bound = true};
    in.volumes["v"] = {.name = "v", .labels = {{"topology.kubernetes.io/zone", "b"}}};
    CHECK(placed(s, resolve(in, "default", {"data"})) == "b1");
    in.volumes["v"].labels["topology.kubernetes.io/zone"] = "a__b";
    CHECK(placed(s, resolve(in, "default", {"data"})) == "a1");
    in.volumes["v"].affinity = on("topology.kubernetes.io/zone", "b");
    CHECK(placed(s, resolve(in, "default", {"data"})) == "b1");
    in.volumes.clear();
    CHECK(placed(s, resolve(in, "default", {"data"})) ==
        "0/2 nodes are available: 2 node(s) unavailable due to one or more pvc(s) bound to non-existent "
        "pv(s).");
}

TEST_CASE("schedule: a claim that waits takes the smallest volume within reach, or has one made")
{
    auto s = hall();
    schedule::storage in;
    in.claims["default/data"] = {.class_name = "late", .request = 10, .access_modes = {"ReadWriteOnce"}};
    in.classes["late"] = {.provisioner = "kubernetes.io/no-provisioner", .wait_for_first_consumer = true};
    CHECK(placed(s, resolve(in, "default", {"data"})) ==
        "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind.");
    schedule::volume v{
        .name = "small", .class_name = "late", .capacity = 9, .access_modes = {"ReadWriteOnce"}};
    in.volumes["small"] = v;
    CHECK(placed(s, resolve(in, "default", {"data"})).starts_with("0/2"));
    v.name = "large", v.capacity = 10, v.affinity = on("topology.kubernetes.io/zone", "b");
    in.volumes["large"] = v;
    CHECK(placed(s, resolve(in, "default", {"data"})) == "b1");
    in.volumes["large"].claimed_by = "default/other";
    CHECK(placed(s, resolve(in, "default", {"data"})).starts_with("0/2"));
    in.classes["late"].provisioner = "csi";
    CHECK(placed(s, resolve(in, "default", {"data"})) == "a1");
    in.classes["late"].topologies = {
        {labels::requirement::make({"topology.kubernetes.io/zone", labels::op::in, {"b"}}).value()}};
    CHECK(placed(s, resolve(in, "default", {"data"})) == "b1");
    in.claims["default/data"].selected_node = "a1";  // begun there; the class forbids it since
    CHECK(placed(s, resolve(in, "default", {"data"})).starts_with("0/2"));
}

TEST_CASE("schedule: what is wrong with a claim is the reason")
{
    auto s = hall();
    schedule::storage in;
    CHECK(placed(s, resolve(in, "default", {"data"})) ==
        "0/2 nodes are available: 2 persistentvolumeclaim \"data\" not found.");
    in.claims["default/data"] = {.class_name = "now"};
    in.classes["now"] = {.provisioner = "csi", .wait_for_first_consumer = false};
    CHECK(placed(s, resolve(in, "default", {"data"})) ==
        "0/2 nodes are available: 2 pod has unbound immediate PersistentVolumeClaims.");
    CHECK(placed(s, resolve(in, "elsewhere", {})) == "a1");
}

TEST_CASE("schedule: a node attaches no more volumes of a driver than it can, each once")
{
    auto s = hall();
    auto const wish = [](std::vector<std::string> handles) {
        schedule::volume_wish w;
        for (auto& h : handles)
            w.attachments.push_back({"csi", h});
        return w;
    };
    s.bind("a1", {wish({"x", "y"})});
    CHECK(placed(s, wish({"x"})) == "a1");
    CHECK(placed(s, wish({"z"})) == "b1");
    CHECK(placed(s, wish({"1", "2", "3"})) == "0/2 nodes are available: 2 node(s) exceed max volume count.");
    s.unbind("a1", {wish({"x", "y"})});
    CHECK(placed(s, wish({"z"})) == "a1");
}

TEST_CASE("schedule: disks are shared by readers only, a sole claim by nobody in the cluster")
{
    auto s = hall();
    schedule::volume_wish reader{.disks = {{.id = "gce/d", .read_only = true}}};
    schedule::volume_wish writer{.disks = {{.id = "gce/d"}}};
    s.bind("a1", {reader});
    CHECK(placed(s, reader) == "a1");
    CHECK(placed(s, writer) == "b1");
    schedule::volume_wish rbd{.disks = {{.id = "rbd/p/i", .monitors = {"m1", "m2"}}}};
    s.bind("a1", {rbd});
    CHECK(placed(s, rbd) == "b1");
    rbd.disks[0].monitors = {"m3"};  // another cluster's image of that name
    CHECK(placed(s, rbd) == "a1");

    schedule::storage in;
    in.claims["default/data"] = {.volume_name = "v", .bound = true, .access_modes = {"ReadWriteOncePod"}};
    in.volumes["v"] = {.name = "v"};
    auto const sole = resolve(in, "default", {"data"});
    CHECK(placed(s, sole) == "a1");
    s.bind("b1", {sole});
    CHECK(placed(s, sole).starts_with("0/2 nodes are available: 2 node(s) unavailable due to"));
}
