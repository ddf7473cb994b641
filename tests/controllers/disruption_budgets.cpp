#include "world.hpp"

#include <doctest/doctest.h>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace podium;
using podium::tests::world;

namespace {

model::pod_disruption_budget budget(std::string name, std::string const& app)
{
    model::pod_disruption_budget b;
    b.metadata.name = std::move(name);
    b.metadata.namespace_ = "default";
    b.spec.selector.emplace().match_labels["app"] = app;
    return b;
}
model::pod_disruption_budget at_least(int_or_percent n, std::string const& app = "web")
{
    auto b = budget("b", app);
    b.spec.min_available = n;
    return b;
}
model::pod_disruption_budget at_most(int_or_percent n, std::string const& app = "web")
{
    auto b = budget("b", app);
    b.spec.max_unavailable = n;
    return b;
}

model::pod_disruption_budget_status status(world& w)
{
    return w.store.get<model::pod_disruption_budget>("default", "b")->status;
}
struct figures {
    std::int32_t expected, desired, healthy, allowed;
    friend bool operator==(figures const&, figures const&) = default;
};
figures seen(world& w)
{
    auto const s = status(w);
    return {s.expected_pods, s.desired_healthy, s.current_healthy, s.disruptions_allowed};
}
std::string reason(world& w)
{
    auto const s = status(w);
    auto const* const c = model::find_condition(s.conditions, "DisruptionAllowed");
    return c ? c->reason : "";
}
std::set<std::string> told(world& w)
{
    std::set<std::string> out;
    for (auto const& e : w.all<model::event>())
        if (e->involved_object.kind == "PodDisruptionBudget")
            out.insert(e->reason);
    return out;
}

/// The pods of the app that a budget counts as healthy.
std::vector<reconcile::handle<model::pod>> healthy(world& w, std::string const& app = "web")
{
    std::vector<reconcile::handle<model::pod>> out;
    for (auto const& p : w.all<model::pod>())
        if (p->metadata.labels.at("app") == app && controllers::is_healthy(*p))
            out.push_back(p);
    return out;
}

void break_pod(world& w, std::string const& name)
{
    w.edit<model::pod>(name, [&](model::pod& p) {
        model::pod_condition c;
        c.type = "Ready";
        c.status = model::condition_status::false_;
        controllers::set_condition(p.status.conditions, std::move(c), w.now);
    });
}

/// Decides on the plane's view; nothing is written when the budget says no.
bool evict(world& w, reconcile::handle<model::pod> const& pod)
{
    reconcile::plan p;
    auto const done = controllers::evict(p, w.plane.view(), pod, {}, w.now);
    return done && w.store.commit(p.whole()).outcome;
}

/// Three pods of a deployment are up.
struct three : world {
    explicit three(model::pod_disruption_budget b)
    {
        add_node("n", "16");
        put(deployment("web", 3));
        run();
        put(std::move(b));
        run();
    }
};

}  // namespace

TEST_CASE("controllers: a budget's status counts pods, and the scale behind them")
{
    struct row {
        char const* name;
        model::pod_disruption_budget budget;
        figures expected;
        char const* reason;
    };
    auto nobody = at_least(1);
    nobody.spec.selector.reset();
    auto everybody = at_least(1);
    everybody.spec.selector.emplace();
    for (auto const& r : {
             row{"two must stay", at_least(2), {3, 2, 3, 1}, "SufficientPods"},
             row{"all must stay", at_least(3), {3, 3, 3, 0}, "InsufficientPods"},
             row{"a share of what the deployment wants", at_least(int_or_percent::percent(34)), {3, 2, 3, 1},
                 "SufficientPods"},
             row{"one may be gone", at_most(1), {3, 2, 3, 1}, "SufficientPods"},
             row{"pods of nobody", at_least(1, "none"), {0, 1, 0, 0}, "InsufficientPods"},
             row{"no selector is no pod", nobody, {0, 1, 0, 0}, "InsufficientPods"},
             row{"an empty selector is every pod", everybody, {3, 1, 3, 2}, "SufficientPods"},
         }) {
        CAPTURE(r.name);
        three w(r.budget);
        CHECK(seen(w) == r.expected);
        CHECK(reason(w) == r.reason);
        CHECK(status(w).observed_generation == 1);
        CHECK(told(w).contains("NoPods") == (r.expected.expected == 0));
    }
}

TEST_CASE("controllers: a budget follows its pods, its deployment and its own spec")
{
    three w(at_most(1));
    break_pod(w, healthy(w).front()->metadata.name);
    w.run();
    CHECK(seen(w) == figures{3, 2, 2, 0});
    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 6; });
    w.run();
    CHECK(seen(w) == figures{6, 5, 5, 0});
    w.edit<model::pod_disruption_budget>("b", [](auto& b) {
        b.spec.max_unavailable = int_or_percent::percent(50);
        b.metadata.generation = 2;
    });
    w.run();
    CHECK(seen(w) == figures{6, 3, 5, 2});
    CHECK(status(w).observed_generation == 2);
    CHECK(status(w).conditions.at(0).observed_generation == 2);
    w.edit<model::deployment>(
        "web", [](auto& d) { d.spec.template_.spec.containers.edit()[0].image = "web:2"; });
    w.run(1min);
    CHECK(seen(w) == figures{6, 3, 6, 3});  // two replica sets are one deployment
    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 0; });
    w.run(1min);
    CHECK(seen(w) == figures{0, 0, 0, 0});
}

TEST_CASE("controllers: pods that nobody controls are no scale, and an owner that is unknown is none either")
{
    world w;
    w.add_node("n");
    auto of = world::deployment("web", 1);
    model::pod alone;
    alone.metadata = of.spec.template_.metadata;
    alone.metadata.name = "alone";
    alone.metadata.namespace_ = "default";
    alone.spec = of.spec.template_.spec;
    w.put(alone);
    w.put(at_most(1));
    w.run();
    CHECK(seen(w) == figures{0, 0, 1, 0});
    CHECK(told(w) == std::set<std::string>{"UnmanagedPods"});
    CHECK(reason(w) == "InsufficientPods");

    w.edit<model::pod_disruption_budget>("b", [](auto& b) {
        b.spec.max_unavailable.reset();
        b.spec.min_available = 0;
    });
    w.run();
    CHECK(seen(w) == figures{1, 0, 1, 1});

    w.put(at_most(int_or_percent::percent(50)));
    w.put(of);
    w.run();
    CHECK(seen(w) == figures{1, 0, 2, 2});
    w.put(world::service("web"));
    auto const owner = w.store.get<model::service>("default", "web");
    w.edit<model::pod>("alone", [&](auto& p) {
        p.metadata.owner_references.push_back({"v1", "Service", "web", owner.uid(), true, {}});
    });
    w.run();
    CHECK(reason(w) == "SyncFailed");
    CHECK(status(w).disruptions_allowed == 0);
    CHECK(status(w).conditions.at(0).message == "found no controllers for pod \"alone\"");
    CHECK(told(w).contains("CalculateExpectedPodCountFailed"));
}

TEST_CASE("controllers: of two evictions that want the last allowance one is refused, and then both ask anew")
{
    three w(at_least(2));
    auto const pods = healthy(w);
    reconcile::plan one, other;
    REQUIRE(controllers::evict(one, w.plane.view(), pods[0], {}, w.now));
    REQUIRE(controllers::evict(other, w.plane.view(), pods[1], {}, w.now));
    CHECK(w.store.commit(one.whole()).outcome);
    auto const late = w.store.commit(other.whole());
    REQUIRE(!late.outcome);
    CHECK(late.outcome.error().code == errc::conflict);
    CHECK(status(w).disrupted_pods.size() == 1);
    w.run(1min);  // the replacement is up, the evicted is gone
    CHECK(seen(w) == figures{3, 2, 3, 1});
    CHECK(status(w).disrupted_pods.empty());
    CHECK(!w.store.get<model::pod>("default", pods[0]->metadata.name));
    CHECK(evict(w, pods[1]));
}

TEST_CASE("controllers: an eviction counts the pods as they are, whatever the status says still")
{
    three w(at_least(2));
    auto const pods = healthy(w);
    break_pod(w, pods[2]->metadata.name);
    w.plane.absorb(*w.store.changes(w.plane.view().at()), w.now);  // seen, but not reconciled yet
    CHECK(status(w).disruptions_allowed == 1);
    CHECK(!evict(w, pods[0]));
}

TEST_CASE("controllers: an eviction may say how long the pod has to end, once nothing is in flight")
{
    three w(at_least(2));
    auto const pod = healthy(w)[0];
    CHECK(pod->spec.termination_grace_period_seconds == 30);
    reconcile::plan p, then;
    REQUIRE(controllers::evict(p, w.plane.view(), pod, {.grace_period_seconds = 7}, w.now));
    REQUIRE(w.store.commit(p.whole()).outcome);
    controllers::begin_deletion(then, w.store.get<model::pod>("default", pod->metadata.name), w.now);
    REQUIRE(w.store.commit(then.whole()).outcome);
    CHECK(
        w.store.get<model::pod>("default", pod->metadata.name)->metadata.deletion_grace_period_seconds == 7);
}

TEST_CASE("controllers: what was written into a status by others is put right")
{
    three w(at_least(2));
    w.edit<model::pod_disruption_budget>("b", [&](auto& b) {
        b.status.disruptions_allowed = 7;
        b.status.disrupted_pods["nobody"] = model::time{w.now};
        b.status.disrupted_pods[healthy(w).front()->metadata.name] = model::time{w.now};
    });
    w.run();
    CHECK(seen(w) == figures{3, 2, 3, 1});
    CHECK(status(w).disrupted_pods.empty());
}

TEST_CASE(
    "controllers: a drain is told before it begins: who goes, who waits, who needs more, and where room is")
{
    world w;
    w.add_node("a", "1");
    auto web = world::deployment("web", 3);  // 100m each
    web.spec.template_.spec.node_selector["kubernetes.io/hostname"] = "a";
    w.put(web);
    w.put(world::deployment("big", 1));
    w.edit<model::deployment>("big", [](auto& d) {
        d.spec.template_.spec.containers.edit()[0].resources.requests["cpu"] =
            quantity::parse("600m").value();
    });
    auto b = at_most(1);
    w.put(b);
    model::pod alone;
    alone.metadata.name = "alone";
    alone.metadata.namespace_ = "default";
    alone.metadata.labels["app"] = "alone";
    alone.spec = web.spec.template_.spec;
    alone.spec.containers.edit()[0].resources = {};
    alone.spec.volumes.edit().emplace_back().empty_dir = model::empty_dir_volume_source{};
    w.put(alone);
    auto own = alone;
    own.metadata.name = "own";
    own.metadata.annotations["kubernetes.io/config.mirror"] = "x";
    w.put(own);
    w.run();
    REQUIRE(healthy(w).size() == 3);
    w.add_node("b", "500m");
    w.run();

    auto const told_of = [&](controllers::drain_options how) {
        std::vector<std::string> out;
        for (auto const& step : controllers::plan_drain(w.plane.view(), {"a"}, how)) {
            auto const part = step.part == controllers::drain_part::goes ? "goes"
                : step.part == controllers::drain_part::waits            ? "waits: "
                : step.part == controllers::drain_part::needs            ? "needs: "
                                                                         : "stays: ";
            auto const& name = step.pod->metadata.labels.at("app");
            out.push_back((name == "alone" ? step.pod->metadata.name : name) + ' ' + part + step.why +
                (step.to.empty() ? "" : " to " + step.to) +
                (step.nowhere.empty() ? "" : " nowhere: " + step.nowhere));
        }
        return out;
    };
    std::string const nowhere =
        " nowhere: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
    std::string const waits =
        "web waits: the disruption budget b needs 2 healthy pods of 3 and has 3" + nowhere;
    CHECK(told_of({}) ==
        std::vector<std::string>{"alone needs: nobody would replace it (use --force to override)",
            "big goes nowhere: 0/1 nodes are available: 1 Insufficient cpu.",
            "own stays: it is the node's own", "web goes" + nowhere, waits, waits});
    CHECK(told_of({.force = true}).at(0) ==
        "alone needs: what it keeps in an emptyDir would be lost (use --delete-emptydir-data to override)");
    CHECK(told_of({.force = true, .delete_empty_dir_data = true}).at(0) == "alone goes");

    w.edit<model::pod_disruption_budget>("b", [](auto& x) { x.spec.max_unavailable = 0; });
    w.add_node("c", "1");
    w.run();
    CHECK(told_of({}).at(1) == "big goes to c");
    CHECK(told_of({}).at(3) ==
        "web waits: the disruption budget b needs 3 healthy pods of 3 and has 3: it never allows one "
        "nowhere: 0/2 "
        "nodes are available: 2 node(s) didn't match Pod's node affinity/selector.");
    CHECK(controllers::plan_drain(w.plane.view(), {"none"}).empty());
}

TEST_SUITE("property")
{
    TEST_CASE("controllers: no eviction brings the healthy ones below what must stay, whatever else fails")
    {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            world w;
            w.add_node("n", "64");
            auto const replicas = static_cast<std::int32_t>(2 + random() % 6);
            w.put(world::deployment("web", replicas));
            auto const bound = random() % 2 == 0
                ? int_or_percent(static_cast<std::int64_t>(random() % 5))
                : int_or_percent::percent(static_cast<std::int64_t>(random() % 101));
            w.put(random() % 2 == 0 ? at_least(bound) : at_most(bound));
            w.run();
            int evicted = 0;
            for (int step = 0; step < 60; ++step) {
                auto const pods = healthy(w);
                auto const draw = random() % 8;
                if (draw < 4 && !pods.empty()) {
                    auto const desired = controllers::assess(
                        w.plane.view(), w.store.get<model::pod_disruption_budget>("default", "b"), w.now)
                                             .status.desired_healthy;
                    bool const gone = evict(w, pods[random() % pods.size()]);
                    evicted += gone;
                    if (gone)
                        REQUIRE(static_cast<std::int32_t>(pods.size()) - 1 >= desired);
                } else if (draw == 4 && !pods.empty()) {
                    break_pod(w, pods[random() % pods.size()]->metadata.name);
                } else if (draw == 5 && !pods.empty()) {
                    w.remove<model::pod>(pods[random() % pods.size()]->metadata.name);
                } else if (draw == 6) {
                    w.edit<model::deployment>("web",
                        [&](auto& d) { d.spec.replicas = static_cast<std::int32_t>(1 + random() % 8); });
                } else {
                    for (auto const& p : w.all<model::pod>())  // whoever is broken is replaced by its author
                        if (!controllers::is_healthy(*p) && !controllers::is_leaving(*p) &&
                            !p->spec.node_name.empty() && random() % 2 == 0)
                            w.remove<model::pod>(p->metadata.name);
                }
                // Between two steps the plane may get far, a little, or not even see what happened.
                if (random() % 3 == 0)
                    w.run(std::chrono::seconds(random() % 40));
                else if (auto const news = w.store.changes(w.plane.view().at()); news)
                    w.plane.absorb(*news, w.now);
            }
            w.run(2min);
            if (evicted > 0)
                CHECK(status(w).disrupted_pods.empty());
        }
    }
}
