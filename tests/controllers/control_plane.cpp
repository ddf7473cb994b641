#include "world.hpp"

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>

using namespace std::chrono_literals;
using namespace podium;
using podium::tests::world;

namespace {
std::map<std::string, int> by_image(world& w)
{
    std::map<std::string, int> out;
    for (auto const& pod : w.all<model::pod>())
        if (controllers::is_active(*pod))
            ++out[pod->spec.containers.front().image];
    return out;
}
}  // namespace

TEST_CASE("controllers: a declared deployment becomes pods on nodes behind a service")
{
    world w;
    w.add_node("a");
    w.add_node("b");
    w.put(world::service("web"));
    w.put(world::deployment("web", 4));
    w.run();
    auto const pods = w.all<model::pod>();
    REQUIRE(pods.size() == 4);
    std::map<std::string, int> per_node;
    for (auto const& p : pods)
        ++per_node[p->spec.node_name];
    CHECK(per_node == std::map<std::string, int>{{"a", 2}, {"b", 2}});
    auto const slices = w.all<model::endpoint_slice>();
    REQUIRE(slices.size() == 1);
    CHECK(slices[0]->endpoints.size() == 4);
    CHECK(slices[0]->endpoints[0].conditions.ready == true);
    auto const d = w.store.get<model::deployment>("default", "web");
    CHECK(d->status.available_replicas == 4);
    CHECK(d->status.observed_generation == d->metadata.generation);
    CHECK(model::find_condition(d->status.conditions, "Available")->status == model::condition_status::true_);
    CHECK(model::find_condition(d->status.conditions, "Progressing")->reason == "NewReplicaSetAvailable");

    auto const at = w.store.at();
    w.run(30min);
    CHECK(w.store.at() == at);  // quiet: nothing is written when nothing changes
}

TEST_CASE("controllers: a rolling update replaces one by one, a broken version stops, a rollback returns")
{
    world w;
    w.add_node("a");
    w.put(world::deployment("web", 3));
    w.run();
    w.edit<model::deployment>(
        "web", [](auto& d) { d.spec.template_.spec.containers.edit()[0].image = "web:2"; });
    w.run(1min);
    CHECK(by_image(w) == std::map<std::string, int>{{"web:2", 3}});

    w.edit<model::deployment>("web", [](auto& d) {
        d.spec.template_.spec.containers.edit()[0].image = "web:broken";
        d.spec.progress_deadline_seconds = 60;
    });
    w.run(2min);
    CHECK(by_image(w) == std::map<std::string, int>{{"web:2", 3}, {"web:broken", 1}});
    auto const stuck = w.store.get<model::deployment>("default", "web");
    CHECK(
        model::find_condition(stuck->status.conditions, "Progressing")->reason == "ProgressDeadlineExceeded");
    CHECK(stuck->status.available_replicas == 3);

    w.edit<model::deployment>(
        "web", [](auto& d) { d.metadata.annotations[std::string(controllers::rollback_annotation)] = "0"; });
    w.run(1min);
    CHECK(by_image(w) == std::map<std::string, int>{{"web:2", 3}});
    CHECK(w.store.get<model::deployment>("default", "web")
              ->metadata.annotations.at(std::string(controllers::revision_annotation)) == "4");
}

TEST_CASE("controllers: recreate never runs two versions at once")
{
    world w;
    w.add_node("a");
    auto d = world::deployment("web", 3);
    d.spec.strategy = {model::deployment_strategy_type::recreate, {}};
    w.put(d);
    w.run();
    w.edit<model::deployment>(
        "web", [](auto& x) { x.spec.template_.spec.containers.edit()[0].image = "web:2"; });
    for (int i = 0; i < 100; ++i) {
        reconcile::catch_up(w.plane, w.store, w.now);
        CHECK(by_image(w).size() <= 1);
        if (auto r = w.plane.next(w.now))
            w.store.commit(r->what, [&](reconcile::committed c) { w.plane.done(r->ticket, c, w.now); });
    }
    CHECK(by_image(w) == std::map<std::string, int>{{"web:2", 3}});
}

TEST_CASE("controllers: what nobody can place says why, and is placed when a node comes")
{
    world w;
    w.add_node("small", "100m");
    w.put(world::deployment("web", 2));
    w.run();
    reconcile::handle<model::pod> waiting;
    for (auto const& p : w.all<model::pod>())
        if (p->spec.node_name.empty())
            waiting = p;
    REQUIRE(waiting);
    auto const* const c = model::find_condition(waiting->status.conditions, "PodScheduled");
    REQUIRE(c);
    CHECK(c->status == model::condition_status::false_);
    CHECK(c->message == "0/1 nodes are available: 1 Insufficient cpu.");
    bool told = false;
    for (auto const& e : w.all<model::event>())
        told = told || (e->reason == "FailedScheduling" && e->involved_object.name == waiting->metadata.name);
    CHECK(told);
    w.add_node("big");
    w.run();
    CHECK(w.store.get<model::pod>("default", waiting->metadata.name)->spec.node_name == "big");
}

TEST_CASE("controllers: a deleted deployment takes its sets, pods and nothing else")
{
    world w;
    w.add_node("a");
    w.put(world::deployment("web", 2));
    w.put(world::deployment("db", 1));
    w.put(world::service("web"));
    w.run();
    w.remove<model::deployment>("web");
    w.run(1min);
    CHECK(w.all<model::pod>().size() == 1);
    CHECK(w.all<model::replica_set>().size() == 1);
    w.remove<model::service>("web");
    w.run();
    CHECK(w.all<model::endpoint_slice>().empty());
}

TEST_CASE("controllers: a draining pod waits for every live router, and no longer than its deadline")
{
    auto s = world::patient();
    s.router_timeout = 5s;
    world w(s);
    w.add_node("a");
    w.put(world::service("web"));
    w.put(world::deployment("web", 2));
    w.run();
    auto const slice = w.all<model::endpoint_slice>().at(0);
    auto const key = "default/" + slice->metadata.name;
    model::router_status router;
    router.metadata.name = "r1";
    router.status.instance = "one";
    router.status.acknowledged[key] = slice->metadata.generation;
    w.put(router);
    w.run();

    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 1; });
    w.run(1s);
    reconcile::handle<model::pod> draining;
    for (auto const& p : w.all<model::pod>())
        if (p->status.drain)
            draining = p;
    REQUIRE(draining);
    CHECK(!draining->metadata.deletion_timestamp);
    auto const after = w.all<model::endpoint_slice>().at(0);
    CHECK(after->metadata.generation > slice->metadata.generation);
    CHECK(after->endpoints.size() == 1);

    w.edit<model::router_status>("r1", [&](auto& r) {  // switched, one request still in flight
        r.status.acknowledged[key] = after->metadata.generation;
        r.status.in_flight[draining.uid()] = 1;
    });
    w.run(1s);
    CHECK(w.store.get<model::pod>("default", draining->metadata.name));
    w.edit<model::router_status>("r1", [&](auto& r) { r.status.in_flight.clear(); });
    w.run();
    CHECK(!w.store.get<model::pod>("default", draining->metadata.name));

    SUBCASE("a router that fell silent holds nothing")
    {
        w.run(10s);
        w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 0; });
        w.run();
        CHECK(w.all<model::pod>().empty());
    }
    SUBCASE("the deadline ends every wait")
    {
        w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 0; });
        for (int i = 0; i < 29; ++i) {
            w.edit<model::router_status>("r1", [&](auto& r) { r.status.renew_time = model::time{w.now}; });
            w.run(1s);
        }
        CHECK(w.all<model::pod>().size() == 1);
        w.run(2s);
        CHECK(w.all<model::pod>().empty());
    }
}

TEST_CASE("controllers: a silent node is tainted, its pods leave the balancer, then move")
{
    controllers::settings s;
    s.node_grace = 4s;
    s.default_toleration = 10s;
    world w(s);
    w.add_node("a");
    w.add_node("b");
    w.put(world::service("web"));
    w.put(world::deployment("web", 2));
    w.run();
    auto const renew = [&](std::string const& node) {
        model::lease l;
        l.metadata.name = node;
        l.metadata.namespace_ = controllers::node_lease_namespace;
        l.spec.renew_time = model::time{w.now};
        w.put(l);
    };
    for (int i = 0; i < 3; ++i) {
        renew("a");
        renew("b");
        w.run(1s);
    }
    for (int i = 0; i < 6; ++i) {
        renew("b");
        w.run(1s);
    }
    auto const a = w.store.get<model::node>("", "a");
    CHECK(!model::is_ready(*a));
    CHECK(a->spec.taints.size() == 2);
    int ready = 0;
    for (auto const& e : w.all<model::endpoint_slice>().at(0)->endpoints)
        ready += *e.conditions.ready;
    CHECK(ready == 1);
    for (int i = 0; i < 12; ++i) {
        renew("b");
        w.run(1s);
    }
    int on_b = 0;
    for (auto const& p : w.all<model::pod>())
        on_b += controllers::is_active(*p) && p->spec.node_name == "b";
    CHECK(on_b == 2);
}

TEST_SUITE("property")
{
    TEST_CASE("controllers: whatever is declared, the end is what was declared last")
    {
        for (std::uint64_t seed = 0; seed < 15; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            world w;
            w.add_node("a");
            w.add_node("b");
            w.put(world::deployment("web", 1));
            std::string image;
            std::int32_t replicas = 1;
            for (int i = 0; i < 15; ++i) {
                replicas = static_cast<std::int32_t>(random() % 6);
                image = "web:" + std::to_string(random() % 4);
                w.edit<model::deployment>("web", [&](auto& d) {
                    d.spec.replicas = replicas;
                    d.spec.template_.spec.containers.edit()[0].image = image;
                });
                // Cut off in the middle of things.
                for (auto steps = random() % 20; steps > 0; --steps) {
                    reconcile::catch_up(w.plane, w.store, w.now);
                    if (auto r = w.plane.next(w.now))
                        w.store.commit(
                            r->what, [&](reconcile::committed c) { w.plane.done(r->ticket, c, w.now); });
                }
            }
            w.run(2min);
            auto const end = by_image(w);
            CHECK(end ==
                (replicas == 0 ? std::map<std::string, int>{}
                               : std::map<std::string, int>{{image, replicas}}));
            auto const at = w.store.at();
            w.run(10min);
            CHECK(w.store.at() == at);
        }
    }
}
