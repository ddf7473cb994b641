#include "world.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace podium;
using podium::tests::world;

namespace {

model::container container(std::string const& cpu, std::string const& memory = {})
{
    model::container c;
    c.name = "c";
    if (!cpu.empty())
        c.resources.requests["cpu"] = quantity::parse(cpu).value();
    if (!memory.empty())
        c.resources.requests["memory"] = quantity::parse(memory).value();
    return c;
}
model::container sidecar(std::string const& cpu)
{
    auto c = container(cpu);
    c.restart_policy = model::restart_policy::always;
    return c;
}
constexpr std::int64_t mib = 1024 * 1024;

}  // namespace

TEST_CASE("controllers: a pod takes what its containers and sidecars do, or its neediest start, and overhead")
{
    struct row {
        std::string name;
        std::vector<model::container> init;
        std::vector<model::container> main;
        std::int64_t cpu_milli;
        std::int64_t assumed_cpu_milli;
    };
    for (auto const& r :
        {
            row{"containers add up", {}, {container("100m"), container("200m")}, 300, 300},
            row{"who asks for nothing is assumed to take a little", {}, {container("1"), container("")}, 1000,
                1100},
            row{"who asks for zero takes nothing", {}, {container("0"), container("1")}, 1000, 1000},
            row{"the largest init container", {container("2"), container("3")}, {container("1")}, 3000, 3000},
            row{"sidecars stay", {sidecar("500m"), container("1")}, {container("1")}, 1500, 1500},
            row{"those that start later do not count yet", {container("2"), sidecar("500m")},
                {container("1")}, 2000, 2000},
            row{"more than can be counted", {}, {container("9e15"), container("9e15")},
                std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()},
        }) {
        CAPTURE(r.name);
        model::pod p;
        p.spec.init_containers = r.init;
        p.spec.containers = r.main;
        auto const s = controllers::schedulable(p);
        CHECK(s.requests.cpu_milli == r.cpu_milli);
        CHECK(s.assumed_cpu_milli == r.assumed_cpu_milli);
    }
    model::pod p;
    p.spec.containers = {container("1", "1Mi"), container("1")};
    p.spec.overhead = model::resource_list{
        {"cpu", quantity::parse("50m").value()}, {"example.com/gpu", quantity::parse("2").value()}};
    auto const s = controllers::schedulable(p);
    CHECK(s.requests.cpu_milli == 2050);
    CHECK(s.requests.memory_bytes == mib);
    CHECK(s.assumed_memory_bytes == 201 * mib);
    CHECK(s.requests.extended == std::vector<std::pair<std::string, std::int64_t>>{{"example.com/gpu", 2}});
}

TEST_CASE("controllers: ports of the host are those of what keeps running; every container has an image")
{
    model::container_port port;
    port.container_port_ = 80;
    port.host_port = 8080;
    port.protocol = model::protocol::udp;
    port.host_ip = "127.0.0.1";
    model::container_port inside;
    inside.container_port_ = 81;
    auto first = container("1"), beside = sidecar("1"), main = container("1");
    first.image = "first", beside.image = "beside", main.image = "main";
    first.ports = {port};
    beside.ports = {port, inside};
    model::pod p;
    p.spec.init_containers = {first, beside};
    p.spec.containers = {main};
    auto const s = controllers::schedulable(p);
    CHECK(s.ports == std::vector<schedule::host_port>{{"127.0.0.1", "UDP", 8080}});
    CHECK(s.images == std::vector<std::string>{"first", "beside", "main"});
}

TEST_CASE("controllers: a pod's siblings are what its services and its set select")
{
    world w;
    w.put(world::service("web"));
    auto everything = world::service("everything");
    everything.spec.selector.clear();
    w.put(everything);
    auto all = world::service("all");
    all.spec.selector = {{"tier", "front"}};
    w.put(all);
    auto elsewhere = world::service("web");
    elsewhere.metadata.namespace_ = "elsewhere";
    w.put(elsewhere);
    model::replica_set set;
    set.metadata.name = "web-1";
    set.metadata.namespace_ = "default";
    set.spec.selector = {{{"hash", "1"}}, {{"app", model::label_selector_operator::exists, {}}}};
    w.put(set);
    w.run();

    auto const& view = w.plane.view();
    model::pod p;
    p.metadata.namespace_ = "default";
    CHECK(controllers::siblings_of(view, p).is_everything());
    CHECK(controllers::schedulable(view, p).spread.empty());
    p.metadata.labels = {{"app", "web"}, {"tier", "front"}};
    CHECK(to_string(controllers::siblings_of(view, p)) == "app=web,tier=front");
    model::owner_reference owner;
    owner.kind = "ReplicaSet";
    owner.name = "web-1";
    owner.controller = true;
    p.metadata.owner_references = {owner};
    CHECK(to_string(controllers::siblings_of(view, p)) == "app=web,app,hash=1,tier=front");

    auto const s = controllers::schedulable(view, p);
    REQUIRE(s.spread.size() == 2);
    CHECK(!s.spread_needs_all_keys);
    CHECK(s.spread[0].topology_key == "kubernetes.io/hostname");
    CHECK(s.spread[0].max_skew == 3);
    CHECK(!s.spread[0].hard);
    CHECK(s.spread[1].topology_key == "topology.kubernetes.io/zone");
    CHECK(s.spread[1].max_skew == 5);

    model::topology_spread_constraint own;
    own.max_skew = 1;
    own.topology_key = "rack";
    own.min_domains = 3;
    own.node_affinity_policy = model::node_inclusion_policy::ignore;
    own.node_taints_policy = model::node_inclusion_policy::honor;
    p.spec.topology_spread_constraints = {own};
    auto const asked = controllers::schedulable(view, p);
    REQUIRE(asked.spread.size() == 1);
    CHECK(asked.spread_needs_all_keys);
    CHECK(asked.spread[0] ==
        schedule::spread_constraint{.max_skew = 1,
            .topology_key = "rack",
            .selector = labels::selector::nothing(),
            .hard = true,
            .min_domains = 3,
            .honor_affinity = false,
            .honor_taints = true});
}

TEST_CASE("controllers: neighbours see a pod's namespace, labels and wishes, and whether it is leaving")
{
    model::pod p;
    p.metadata.namespace_ = "shop";
    p.metadata.labels = {{"app", "web"}};
    model::pod_affinity_term t;
    t.topology_key = "zone";
    t.label_selector = model::label_selector{{{"app", "db"}}, {}};
    t.namespaces = {"x"};
    t.namespace_selector = model::label_selector{};
    auto& wishes = p.spec.affinity.edit();
    wishes.pod_affinity.edit().required_during_scheduling_ignored_during_execution = {t};
    wishes.pod_anti_affinity.edit().preferred_during_scheduling_ignored_during_execution = {{7, t}};
    auto const self = controllers::schedulable(p).self;
    CHECK(self.namespace_ == "shop");
    CHECK(self.labels == schedule::label_map{{"app", "web"}});
    REQUIRE(self.affinity.required.size() == 1);
    CHECK(to_string(self.affinity.required[0].selector) == "app=db");
    CHECK(self.affinity.required[0].namespaces == std::vector<std::string>{"x"});
    CHECK(self.affinity.required[0].namespace_selector->is_everything());
    REQUIRE(self.affinity.preferred_anti.size() == 1);
    CHECK(self.affinity.preferred_anti[0].weight == 7);
    CHECK(self.affinity.required_anti.empty());
    CHECK(!self.terminating);
    p.status.drain = model::pod_drain{};
    CHECK(controllers::schedulable(p).self.terminating);
}

TEST_CASE("controllers: what was bound and is bound no more leaves nothing behind")
{
    world w;
    w.add_node("a", "1");
    auto p = world::deployment("web", 1);
    w.put(p);
    w.run();
    auto const& s = w.plane.view().index<controllers::placement>().scheduler();
    auto const slot = s.nodes().find("a").value();
    CHECK(s.nodes().pods(slot) == 1);
    auto const name = w.all<model::pod>().front()->metadata.name;
    w.edit<model::pod>(name, [](auto& x) { x.metadata.labels["more"] = "labels"; });
    w.run();
    CHECK(s.nodes().pods(slot) == 1);
    w.remove<model::deployment>("web");
    w.run();
    CHECK(s.nodes().pods(slot) == 0);
}
