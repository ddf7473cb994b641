#include "world.hpp"

#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <set>
#include <string>

using namespace std::chrono_literals;
using namespace podium;
using podium::tests::world;

namespace {

model::pod pod(std::string name, std::string cpu = "100m", std::int32_t priority = 0)
{
    model::pod p;
    p.metadata.name = name;
    p.metadata.namespace_ = "default";
    p.metadata.labels["app"] = std::move(name);
    p.spec.priority = priority;
    model::container c;
    c.name = "main";
    c.image = "web:1";
    c.resources.requests["cpu"] = quantity::parse(cpu).value();
    p.spec.containers.push_back(std::move(c));
    return p;
}

reconcile::handle<model::pod> get(world& w, std::string const& name)
{
    return w.store.get<model::pod>("default", name);
}
std::string node_of(world& w, std::string const& name)
{
    return get(w, name)->spec.node_name;
}
/// Reason and message of a pod that waits.
std::string why(world& w, std::string const& name)
{
    auto const p = get(w, name);
    auto const* const c = model::find_condition(p->status.conditions, "PodScheduled");
    return !c || c->status != model::condition_status::false_ ? "" : c->reason + ": " + c->message;
}
std::map<std::string, int> per_node(world& w)
{
    std::map<std::string, int> out;
    for (auto const& p : w.all<model::pod>())
        ++out[p->spec.node_name];
    return out;
}
std::set<std::string> told(world& w, std::string const& reason)
{
    std::set<std::string> out;
    for (auto const& e : w.all<model::event>())
        if (e->reason == reason)
            out.insert(e->involved_object.name);
    return out;
}

void add_node_in(world& w, std::string const& name, std::string const& zone, std::string cpu = "4")
{
    w.add_node(name, std::move(cpu));
    w.edit<model::node>(name, [&](auto& n) { n.metadata.labels["topology.kubernetes.io/zone"] = zone; });
}

model::pod_affinity_term near(std::string const& app, std::string const& key)
{
    model::pod_affinity_term t;
    t.label_selector = model::label_selector{{{"app", app}}, {}};
    t.topology_key = key;
    return t;
}

model::topology_spread_constraint evenly(std::string const& app, std::string const& key)
{
    model::topology_spread_constraint c;
    c.max_skew = 1;
    c.topology_key = key;
    c.label_selector = model::label_selector{{{"app", app}}, {}};
    return c;
}

/// A router that lives and acknowledges nothing, so that whoever drains stays for a while.
void hold_drains(world& w)
{
    w.put(world::service("low"));
    model::router_status router;
    router.metadata.name = "r1";
    router.status.instance = "one";
    router.status.renew_time = model::time{w.now};
    w.put(router);
}

}  // namespace

TEST_CASE("controllers: pods that are alike are kept apart without being asked to")
{
    SUBCASE("those of a set")
    {
        world w;
        for (auto const* const n : {"a", "b", "c"})
            w.add_node(n, "64");
        w.put(world::deployment("web", 6));
        w.run();
        CHECK(per_node(w) == std::map<std::string, int>{{"a", 2}, {"b", 2}, {"c", 2}});
    }
    SUBCASE("those of a service, whoever made them; zones count too")
    {
        world w;
        add_node_in(w, "a", "1", "64");
        add_node_in(w, "b", "1", "64");
        add_node_in(w, "c", "2", "64");
        w.put(world::service("web"));
        for (int i = 0; i < 2; ++i) {
            auto p = pod("web-" + std::to_string(i));
            p.metadata.labels["app"] = "web";
            w.put(p);
        }
        w.run();
        CHECK(node_of(w, "web-0") != node_of(w, "web-1"));
        CHECK((node_of(w, "web-0") == "c" || node_of(w, "web-1") == "c"));
    }
    SUBCASE("and strangers that tie are dealt out by lot")
    {
        world w;
        for (auto const* const n : {"a", "b", "c"})
            w.add_node(n, "640");
        for (int i = 0; i < 30; ++i)
            w.put(pod("p" + std::to_string(i), "1m"));
        w.run();
        for (auto const& [node, pods] : per_node(w))
            CHECK_MESSAGE(pods >= 5, node);
    }
}

TEST_CASE("controllers: hard spreading holds, and a key that no node has is a reason")
{
    world w;
    add_node_in(w, "a", "1");
    add_node_in(w, "b", "1");
    add_node_in(w, "c", "2");
    auto web = world::deployment("web", 4);
    web.spec.template_.spec.topology_spread_constraints = {evenly("web", "topology.kubernetes.io/zone")};
    w.put(web);
    auto lost = pod("lost");
    lost.spec.topology_spread_constraints = {evenly("lost", "rack")};
    w.put(lost);
    w.run();
    CHECK(per_node(w)["c"] == 2);
    CHECK(why(w, "lost") ==
        "Unschedulable: 0/3 nodes are available: 3 node(s) didn't match pod topology spread constraints "
        "(missing required label).");
    CHECK(told(w, "FailedScheduling") == std::set<std::string>{"lost"});
}

TEST_CASE("controllers: anti-affinity keeps pods on different nodes, and the one too many waits for a node")
{
    world w;
    w.add_node("a");
    w.add_node("b");
    auto web = world::deployment("web", 3);
    web.spec.template_.spec.affinity.edit()
        .pod_anti_affinity.edit()
        .required_during_scheduling_ignored_during_execution = {near("web", "kubernetes.io/hostname")};
    w.put(web);
    w.run();
    CHECK(per_node(w) == std::map<std::string, int>{{"a", 1}, {"b", 1}, {"", 1}});
    for (auto const& p : w.all<model::pod>())
        if (p->spec.node_name.empty())
            CHECK(why(w, p->metadata.name) ==
                "Unschedulable: 0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.");
    auto stranger = pod("web-too");  // symmetric: those that are there do not want it
    stranger.metadata.labels["app"] = "web";
    w.put(stranger);
    w.run();
    CHECK(why(w, "web-too") ==
        "Unschedulable: 0/2 nodes are available: 2 node(s) didn't satisfy existing pods anti-affinity "
        "rules.");
    w.add_node("c");
    w.run();
    CHECK(per_node(w)["c"] == 1);
}

TEST_CASE("controllers: versions are kept apart each for itself by matchLabelKeys")
{
    world w;
    w.add_node("a");
    w.add_node("b");
    auto web = world::deployment("web", 2);
    auto term = near("web", "kubernetes.io/hostname");
    term.match_label_keys = {std::string(controllers::template_hash_label)};
    web.spec.template_.spec.affinity.edit()
        .pod_anti_affinity.edit()
        .required_during_scheduling_ignored_during_execution = {term};
    w.put(web);
    w.run();
    w.edit<model::deployment>(
        "web", [](auto& d) { d.spec.template_.spec.containers.edit()[0].image = "web:2"; });
    w.run(1min);  // the next version would find no node, were it kept from the first
    CHECK(per_node(w) == std::map<std::string, int>{{"a", 1}, {"b", 1}});
    CHECK(w.all<model::pod>().front()->spec.containers[0].image == "web:2");
}

TEST_CASE("controllers: a pod waits for the neighbour that it needs, wherever that comes")
{
    world w;
    add_node_in(w, "a", "1");
    add_node_in(w, "b", "2");
    auto web = pod("web");
    auto term = near("cache", "topology.kubernetes.io/zone");
    SUBCASE("in its namespace")
    {
        web.spec.affinity.edit().pod_affinity.edit().required_during_scheduling_ignored_during_execution = {
            term};
        w.put(web);
        w.run();
        CHECK(why(w, "web") ==
            "Unschedulable: 0/2 nodes are available: 2 node(s) didn't match pod affinity rules.");
        auto cache = pod("cache");
        cache.spec.node_selector["kubernetes.io/hostname"] = "b";
        w.put(cache);
        w.run();
        CHECK(node_of(w, "web") == "b");
    }
    SUBCASE("in a namespace that its labels select")
    {
        term.namespace_selector = model::label_selector{{{"team", "shop"}}, {}};
        web.spec.affinity.edit().pod_affinity.edit().required_during_scheduling_ignored_during_execution = {
            term};
        model::namespace_ other;
        other.metadata.name = "other";
        w.put(other);
        auto cache = pod("cache");
        cache.metadata.namespace_ = "other";
        cache.spec.node_selector["kubernetes.io/hostname"] = "b";
        w.put(cache);
        w.put(web);
        w.run();
        CHECK(node_of(w, "web") == "");
        w.edit<model::namespace_>("other", [](auto& n) { n.metadata.labels["team"] = "shop"; });
        w.run();
        CHECK(node_of(w, "web") == "b");
    }
}

TEST_CASE("controllers: a port of the host is given once on a node")
{
    world w;
    w.add_node("a");
    for (auto const* const name : {"one", "two"}) {
        auto p = pod(name);
        model::container_port port;
        port.container_port_ = port.host_port = 80;
        p.spec.containers.edit()[0].ports = {port};
        w.put(p);
    }
    w.run();
    CHECK(node_of(w, "one") == "a");
    CHECK(why(w, "two") ==
        "Unschedulable: 0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod "
        "ports.");
    w.remove<model::pod>("one");
    w.run();
    CHECK(node_of(w, "two") == "a");
}

TEST_CASE("controllers: a pod behind gates waits for them, and tells so")
{
    world w;
    w.add_node("a");
    auto p = pod("p");
    p.spec.scheduling_gates = {{"example.com/quota"}, {"example.com/licence"}};
    w.put(p);
    w.run();
    CHECK(node_of(w, "p") == "");
    CHECK(why(w, "p") == "SchedulingGated: Scheduling is blocked due to non-empty scheduling gates");
    CHECK(told(w, "FailedScheduling").empty());
    auto const at = w.store.at();
    w.run(10min);
    CHECK(w.store.at() == at);
    w.edit<model::pod>("p", [](auto& x) { x.spec.scheduling_gates = {{"example.com/quota"}}; });
    w.run();
    CHECK(node_of(w, "p") == "");
    w.edit<model::pod>("p", [](auto& x) { x.spec.scheduling_gates = {}; });
    w.run();
    CHECK(node_of(w, "p") == "a");
}

TEST_CASE("controllers: the most important pod goes first, whenever it came")
{
    world w;
    w.put(pod("low", "800m", 1));
    w.put(pod("high", "800m", 5));
    w.run();
    CHECK(why(w, "high") == "Unschedulable: no nodes available to schedule pods");
    w.add_node("a", "1");
    w.run();
    CHECK(node_of(w, "high") == "a");
    CHECK(why(w, "low") == "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.");
}

TEST_CASE("controllers: many pods that fit nowhere do not keep those behind them from being placed")
{
    auto s = world::patient();
    s.scheduler_batch = 4;
    world w(s);
    w.add_node("a");
    for (int i = 0; i < 50; ++i)
        w.put(pod("big-" + std::to_string(i), "100", 10));
    for (int i = 0; i < 3; ++i)
        w.put(pod("small-" + std::to_string(i)));
    w.run();
    CHECK(per_node(w) == std::map<std::string, int>{{"a", 3}, {"", 50}});
}

TEST_CASE("controllers: what a pod says wrongly harms nobody else")
{
    world w;
    w.add_node("a");
    auto odd = pod("odd");  // not through validation: nothing is in no values
    model::pod_affinity_term term;
    term.label_selector = model::label_selector{{}, {{"app", model::label_selector_operator::in, {}}}};
    odd.spec.affinity.edit().pod_affinity.edit().required_during_scheduling_ignored_during_execution = {term};
    w.put(odd);
    w.put(pod("sound"));
    w.run();
    CHECK(why(w, "odd") ==
        "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match pod affinity rules.");
    CHECK(node_of(w, "sound") == "a");
}

// -- Preemption ------------------------------------------------------------------------------------

TEST_CASE("controllers: a more important pod takes the room of the least important, through their drain")
{
    world w;
    w.add_node("a", "1");
    hold_drains(w);
    w.put(pod("low", "500m", 0));
    w.put(pod("middle", "500m", 5));
    w.run();
    REQUIRE(per_node(w)["a"] == 2);
    w.put(pod("high", "400m", 10));
    w.run();

    auto const high = get(w, "high");
    CHECK(high->spec.node_name == "");
    CHECK(high->status.nominated_node_name == "a");
    CHECK(why(w, "high") ==
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a "
        "terminating pod on the nominated node.");  // looked at again when the drain began
    auto const low = get(w, "low");
    REQUIRE(low->status.drain);
    CHECK(low->status.drain->reason == "Preempted");
    CHECK(!low->metadata.deletion_timestamp);  // the router has not let go
    auto const* const c = model::find_condition(low->status.conditions, "DisruptionTarget");
    REQUIRE(c);
    CHECK(c->reason == "PreemptionByScheduler");
    CHECK(!controllers::is_leaving(*get(w, "middle")));
    CHECK(told(w, "Preempted") == std::set<std::string>{"low"});
    for (auto const& e : w.all<model::event>())
        if (e->reason == "Preempted")
            CHECK(e->message == "Preempted by pod " + high.uid() + " on node a");

    // Whatever happens meanwhile: nobody else has to go for it.
    for (int i = 0; i < 5; ++i) {
        w.edit<model::pod>("middle", [&](auto& p) { p.metadata.labels["round"] = std::to_string(i); });
        w.run(100ms);
    }
    CHECK(!controllers::is_leaving(*get(w, "middle")));
    CHECK(get(w, "high")->status.nominated_node_name == "a");

    w.run(1min);
    CHECK(!get(w, "low"));
    CHECK(node_of(w, "high") == "a");
    CHECK(get(w, "high")->status.nominated_node_name == "");
    CHECK(node_of(w, "middle") == "a");
}

TEST_CASE("controllers: what the scheduler looked at, what it found, how long that took, and who had to go")
{
    static time_point clock;
    clock = {};
    auto how = world::patient();
    how.scheduling = std::make_shared<controllers::scheduling_figures>();
    how.scheduling->clock = [] { return clock += 1s; };
    auto const& done = *how.scheduling;
    world w(how);
    w.add_node("n1", "1");
    w.put(pod("a", "400m"));
    w.put(pod("b", "400m"));
    w.run();
    CHECK(done.scheduled.count == 2);
    CHECK(done.scheduled.sum == doctest::Approx(2));
    CHECK(done.unschedulable.count == 0);
    CHECK(done.preemption_attempts.total == 0);
    w.put(pod("c", "400m"));
    w.run();
    CHECK(done.unschedulable.count >= 1);
    CHECK(done.unschedulable.sum == doctest::Approx(static_cast<double>(done.unschedulable.count)));
    CHECK(done.preemption_attempts.total == done.unschedulable.count);
    CHECK(done.preemption_victims.count == 0);
    w.put(pod("boss", "1", 10));
    w.run();
    CHECK(done.preemption_victims.count == 1);
    CHECK(done.preemption_victims.sum == 2);
    w.run(1min);
    CHECK(node_of(w, "boss") == "n1");
    CHECK(done.scheduled.count == 3);
}

TEST_CASE("controllers: room that was promised is not given to those who come later")
{
    world w;
    w.add_node("a", "1");
    hold_drains(w);
    w.put(pod("low-1", "500m", 1));
    w.put(pod("low-2", "500m", 2));
    w.run();
    w.put(pod("high", "1", 10));
    w.run();
    REQUIRE(controllers::is_leaving(*get(w, "low-1")));
    REQUIRE(controllers::is_leaving(*get(w, "low-2")));
    w.remove<model::pod>("low-1");
    w.put(pod("late", "200m", 3));
    w.put(pod("equal", "200m", 10));
    w.run();
    CHECK(node_of(w, "late") == "");
    CHECK(node_of(w, "equal") == "");
    CHECK(node_of(w, "high") == "");
    w.put(pod("highest", "200m", 20));  // more important than the promise
    w.run();
    CHECK(node_of(w, "highest") == "a");
    w.run(1min);
    CHECK(node_of(w, "highest") == "a");
    CHECK(node_of(w, "high") == "");  // what is left is too little now
    CHECK(get(w, "high")->status.nominated_node_name == "");
    CHECK(node_of(w, "equal") == "a");
}

TEST_CASE("controllers: nobody goes for an equal, for a pod that never preempts, or in vain")
{
    world w;
    w.add_node("a", "1");
    w.put(pod("there", "800m", 5));
    w.run();
    w.put(pod("equal", "800m", 5));
    w.run();
    CHECK(why(w, "equal") == "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.");
    auto polite = pod("polite", "800m", 10);
    polite.spec.preemption_policy = model::preemption_policy::never;
    w.put(polite);
    w.run();
    CHECK(why(w, "polite") ==
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to "
        "preemptionPolicy=Never.");
    w.put(pod("huge", "8", 10));
    w.run();
    CHECK(why(w, "huge") ==
        "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 "
        "Preemption is not helpful for scheduling.");
    CHECK(!controllers::is_leaving(*get(w, "there")));
    auto elsewhere = pod("elsewhere", "800m", 10);
    elsewhere.spec.node_selector["disk"] = "ssd";
    w.put(elsewhere);
    w.run();
    CHECK(why(w, "elsewhere") ==
        "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.");
    CHECK(told(w, "Preempted").empty());
}

TEST_CASE("controllers: a promise ends with its node")
{
    world w;
    w.add_node("a", "1");
    hold_drains(w);
    w.put(pod("low", "800m", 0));
    w.run();
    w.put(pod("high", "800m", 10));
    w.run();
    REQUIRE(get(w, "high")->status.nominated_node_name == "a");
    w.remove<model::node>("a");
    w.run();
    CHECK(get(w, "high")->status.nominated_node_name == "");
    CHECK(why(w, "high").starts_with("Unschedulable: no nodes available to schedule pods"));
    w.add_node("b", "1");
    w.run();
    CHECK(node_of(w, "high") == "b");
}

TEST_CASE("controllers: a pod that was promised a node takes another one that comes sooner")
{
    world w;
    w.add_node("a", "1");
    hold_drains(w);
    w.put(pod("low", "800m", 0));
    w.run();
    w.put(pod("high", "800m", 10));
    w.run();
    w.add_node("b", "1");
    w.run();
    CHECK(node_of(w, "high") == "b");
    CHECK(get(w, "high")->status.nominated_node_name == "");
}

TEST_CASE("controllers: several in one plan each find their own room")
{
    world w;
    for (auto const* const n : {"a", "b", "c"})
        w.add_node(n, "1");
    w.put(world::deployment("low", 3));
    w.edit<model::deployment>("low", [](auto& d) {
        auto& requests = d.spec.template_.spec.containers.edit()[0].resources.requests;
        requests["cpu"] = quantity::parse("800m").value();
    });
    w.run();
    REQUIRE(per_node(w) == std::map<std::string, int>{{"a", 1}, {"b", 1}, {"c", 1}});
    reconcile::plan p;
    for (auto const* const name : {"high-1", "high-2"})
        p.create(pod(name, "800m", 10));
    (void)w.store.commit(p.whole()).outcome.value();
    w.run(1min);
    CHECK(node_of(w, "high-1") != "");
    CHECK(node_of(w, "high-2") != "");
    CHECK(node_of(w, "high-1") != node_of(w, "high-2"));
    CHECK(told(w, "Preempted").size() == 2);
    CHECK(per_node(w) == std::map<std::string, int>{{"a", 1}, {"b", 1}, {"c", 1}, {"", 2}});
}

TEST_CASE("controllers: who has a budget that allows it goes first, and what that takes is in the budget")
{
    world w;
    for (auto const* const node : {"a", "b", "c"})
        w.add_node(node, "1");
    hold_drains(w);
    model::pod_disruption_budget budget;
    budget.metadata.name = "guarded";
    budget.metadata.namespace_ = "default";
    budget.spec.min_available = 1;
    budget.spec.selector.emplace().match_labels["app"] = "guarded";
    w.put(budget);
    for (auto const* const name : {"guarded-1", "guarded-2"}) {
        auto p = pod(name, "800m");
        p.metadata.labels["app"] = "guarded";
        w.put(p);
    }
    w.put(pod("free", "800m", 5));
    w.run();
    auto const left = [&] {
        int n = 0;
        for (auto const* const name : {"guarded-1", "guarded-2"})
            n += !controllers::is_leaving(*get(w, name));
        return n;
    };
    auto const status = [&] {
        return w.store.get<model::pod_disruption_budget>("default", "guarded")->status;
    };
    REQUIRE(status().disruptions_allowed == 1);

    w.put(pod("high-1", "800m", 10));
    w.put(pod("high-2", "800m", 10));
    w.run();  // both in one plan: the second sees what the first took
    CHECK(left() == 1);
    CHECK(controllers::is_leaving(*get(w, "free")));  // more important, but nobody forbids it
    CHECK(status().disruptions_allowed == 0);
    CHECK(status().disrupted_pods.size() == 1);

    w.put(pod("high-3", "800m", 10));
    w.run();
    CHECK(left() == 0);  // importance is stronger than a budget
    CHECK(status().disrupted_pods.size() == 2);
}
