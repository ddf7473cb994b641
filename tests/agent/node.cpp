#include <podium/agent/node.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/view.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using agent::verb;

struct pool {
    std::size_t limit = 1000;
    std::uint32_t next = 0;
    std::set<std::string, std::less<>> used{};

    result<std::string> allocate()
    {
        if (used.size() >= limit)
            return error{errc::exhausted, "all addresses are in use", {}, {}};
        auto const n = next++;
        return *used.insert("10.1." + std::to_string(n / 250) + '.' + std::to_string(n % 250 + 1)).first;
    }
    void release(std::string_view address) { REQUIRE(used.erase(std::string(address)) == 1); }
};
static_assert(agent::AddressSource<pool>);

/// What falls short of one.
struct no_release {
    result<std::string> allocate();
};
static_assert(!agent::AddressSource<no_release>);

/// One node, a store and a runtime that obeys; time stands still unless it is moved.
struct world {
    pool addresses{};
    reconcile::memory_store store{};
    reconcile::view<> view{};
    time_point now{1h};
    agent::node<pool> node;
    std::vector<agent::action> todo{};  ///< not carried out yet
    std::size_t plans = 0;
    std::size_t conflicts = 0;
    std::size_t stops = 0;
    bool spike = false;  ///< probes fail

    explicit world(agent::node_policy policy = {})
        : node({.name = "a", .host_ip = "10.0.0.1", .capacity = {{"cpu", quantity::from_integer(4)}}}, policy,
              addresses)
    {
    }

    static model::pod pod(std::string name)
    {
        model::pod p;
        p.metadata.name = std::move(name);
        p.metadata.namespace_ = "shop";
        p.spec.node_name = "a";
        model::container c;
        c.name = "main";
        p.spec.containers.push_back(c);
        return p;
    }
    void commit(reconcile::plan const& p) { REQUIRE(store.commit(p.whole()).outcome); }
    void create(model::pod p)
    {
        reconcile::plan plan;
        plan.create(std::move(p));
        commit(plan);
    }
    template<class F>
    void change(std::string const& name, F f)
    {
        auto const h = get(name);
        auto to = *h;
        f(to);
        reconcile::plan plan;
        plan.update(h, to);
        commit(plan);
    }
    void remove(std::string const& name)
    {
        change(name, [&](model::pod& p) { p.metadata.deletion_timestamp = now; });
    }
    reconcile::handle<model::pod> get(std::string const& name) const
    {
        return store.get<model::pod>("shop", name);
    }
    bool ready(std::string const& name) const { return get(name) && model::is_ready(*get(name)); }

    void catch_up()
    {
        auto const news = store.changes(view.at());
        REQUIRE(news);
        for (auto const& c : *news) {
            view.apply(c, now);
            node.observe(c, now);
        }
    }
    /// One step; its plans are committed, its actions kept.
    agent::node_work step()
    {
        auto work = node.step(view, now);
        todo.insert(todo.end(), work.actions.begin(), work.actions.end());
        for (auto const& p : work.plans) {
            ++plans;
            auto const answer = store.commit(p.what.whole());
            conflicts += !answer.outcome;
            node.done(p.ticket, answer, now);
        }
        return work;
    }
    void obey()
    {
        for (auto const& a : std::exchange(todo, {}))
            if (a.what == verb::run)
                node.observe(a.pod, {a.container, a.instance, agent::started{"id", now}});
            else if (a.what == verb::stop && ++stops != 0)
                node.observe(a.pod, {a.container, a.instance, agent::exited{0, 0, {}, now}});
            else if (a.what == verb::check)
                node.observe(a.pod,
                    {a.container, a.instance,
                        agent::probed{a.check, spike ? probe::outcome::failure : probe::outcome::success}});
            else if (a.what == verb::call)
                node.observe(a.pod, {a.container, a.instance, agent::hooked{a.hook, true}});
    }
    /// Until nothing more happens at `now`. Answers when to come back.
    time_point settle()
    {
        for (int i = 0; i < 1000; ++i) {
            catch_up();
            auto const work = step();
            if (todo.empty() && work.plans.empty() && store.at() == view.at())
                return work.wake_at;
            obey();
        }
        FAIL("does not come to rest");
        return never;
    }
};

TEST_CASE("agent: a node announces itself, renews its lease and corrects who calls it not ready")
{
    world w;
    auto const wake = w.settle();
    auto const n = w.store.get<model::node>("", "a");
    REQUIRE(n);
    CHECK(model::is_ready(*n));
    CHECK(n->status.allocatable.at("cpu") == quantity::from_integer(4));
    CHECK(n->metadata.labels.at("kubernetes.io/hostname") == "a");
    auto const lease = [&] { return w.store.get<model::lease>("kube-node-lease", "a"); };
    REQUIRE(lease());
    CHECK(lease()->spec.lease_duration_seconds == 40);
    CHECK(wake == w.now + 10s);
    auto const before = w.store.at();
    w.now += 9s;
    w.settle();
    CHECK(w.store.at() == before);
    w.now += 1s;
    w.settle();
    CHECK(lease()->spec.renew_time == model::time{w.now});
    CHECK(w.store.get<model::node>("", "a").modified == n.modified);

    auto to = *n;
    to.status.conditions[0].status = model::condition_status::unknown;
    to.spec.unschedulable = true;
    reconcile::plan p;
    p.update(n, to);
    w.commit(p);
    w.settle();
    auto const again = w.store.get<model::node>("", "a");
    CHECK(model::is_ready(*again));
    CHECK(again->spec.unschedulable);
    w.now += 5min;
    w.settle();
    CHECK(w.store.get<model::node>("", "a")->status.conditions[0].last_heartbeat_time == model::time{w.now});
}

TEST_CASE("agent: many pods share a plan, and each is told once what there is to tell")
{
    world w;
    w.settle();
    for (int i = 0; i < 50; ++i)
        w.create(world::pod("web-" + std::to_string(i)));
    w.plans = 0;
    w.settle();
    CHECK(w.plans == 2);  // all creating; all running
    for (int i = 0; i < 50; ++i)
        CHECK(w.ready("web-" + std::to_string(i)));
    CHECK(w.addresses.used.size() == 50);
    for (int i = 0; i < 50; ++i)
        w.remove("web-" + std::to_string(i));
    w.settle();
    CHECK(w.node.size() == 0);
    CHECK(w.addresses.used.empty());
    CHECK_FALSE(w.get("web-0"));
}

TEST_CASE("agent: a quiet status waits to be written with the next")
{
    world w({.quiet = 1s});
    w.settle();
    w.create(world::pod("web"));
    w.plans = 0;
    w.settle();
    CHECK(w.ready("web"));
    CHECK(w.plans == 1);

    w.create(world::pod("slow"));
    w.catch_up();
    CHECK(w.step().wake_at == w.now + 1s);
    CHECK(w.plans == 1);
    w.now += 1s;
    w.step();
    CHECK(w.plans == 2);
    CHECK(w.get("slow")->status.container_statuses.at(0).state.waiting->reason == "ContainerCreating");
}

TEST_CASE("agent: one pod's conflict holds up nobody else, and it is written from the newer version")
{
    world w;
    w.settle();
    w.create(world::pod("a"));
    w.create(world::pod("b"));
    w.catch_up();
    w.change("b", [](model::pod& p) { p.metadata.labels["x"] = "y"; });  // not seen yet
    w.step();
    CHECK(w.conflicts == 1);
    w.step();
    CHECK(w.conflicts == 2);  // b alone
    CHECK(w.get("a")->status.pod_ip == "10.1.0.1");
    CHECK(w.step().plans.empty());  // b waits
    w.settle();
    CHECK(w.conflicts == 2);
    CHECK(w.ready("a"));
    CHECK(w.ready("b"));
    CHECK(w.get("b")->metadata.labels.at("x") == "y");
}

TEST_CASE("agent: a plan that could not be committed is tried again")
{
    for (auto const code : {errc::unavailable, errc::unknown_outcome, errc::deadline}) {
        CAPTURE(to_string(code));
        world w;
        w.settle();
        w.create(world::pod("web"));
        w.catch_up();
        auto work = w.node.step(w.view, w.now);
        REQUIRE(work.plans.size() == 1);
        w.todo = work.actions;
        if (code == errc::unknown_outcome)  // it did happen
            CHECK(w.store.commit(work.plans[0].what.whole()).outcome);
        w.node.done(work.plans[0].ticket, {error{code, "no", {}, {}}, {}}, w.now);
        CHECK(w.node.step(w.view, w.now).plans.empty());
        w.now += 1s;
        w.settle();
        CHECK(w.ready("web"));
    }
}

TEST_CASE("agent: a namesake made later is another pod, and lives beside the one that goes")
{
    world w;
    w.create(world::pod("web"));
    w.settle();
    auto const first = w.node.find("shop", "web");
    reconcile::plan p;
    p.remove(w.get("web"));
    w.commit(p);
    w.create(world::pod("web"));
    w.catch_up();
    CHECK(w.node.size() == 2);
    CHECK(w.node.find("shop", "web") != first);
    auto const work = w.step();
    REQUIRE(work.actions.size() == 2);
    CHECK(work.actions[0].what == verb::stop);
    CHECK(work.actions[0].pod == first);
    CHECK(work.actions[1].what == verb::run);
    w.obey();
    w.settle();
    CHECK(w.node.size() == 1);
    CHECK(w.ready("web"));
    CHECK(w.addresses.used.size() == 1);
}

TEST_CASE("agent: without a free address a pod waits for one")
{
    world w;
    w.addresses.limit = 1;
    w.create(world::pod("a"));
    w.create(world::pod("b"));
    w.settle();
    CHECK(w.ready("a"));
    CHECK_FALSE(w.ready("b"));
    w.remove("a");
    w.settle();
    w.now += 1s;
    w.settle();
    CHECK(w.ready("b"));
}

TEST_CASE("agent: who set a pod's readiness aside is put right, its finalizers are respected")
{
    world w;
    auto p = world::pod("web");
    p.metadata.finalizers = {"shop/keep"};
    w.create(p);
    w.settle();
    w.change("web", [](model::pod& x) {
        model::find_condition(x.status.conditions, "Ready")->status = model::condition_status::false_;
    });
    w.settle();
    CHECK(w.ready("web"));
    w.remove("web");
    w.settle();
    REQUIRE(w.get("web"));
    CHECK(w.get("web")->status.phase == model::pod_phase::succeeded);
    CHECK(w.addresses.used.empty());
    w.change("web", [](model::pod& x) { x.metadata.finalizers.clear(); });
    w.settle();
    CHECK_FALSE(w.get("web"));
    CHECK(w.node.size() == 0);
}

TEST_CASE("agent: a node that closes stops everything and writes nothing")
{
    world w;
    w.create(world::pod("a"));
    w.create(world::pod("b"));
    w.settle();
    auto const before = w.store.at();
    w.node.close(2s);
    auto const work = w.step();
    REQUIRE(work.actions.size() == 2);
    CHECK(work.actions[0].what == verb::stop);
    CHECK(work.actions[0].grace == 2s);
    w.obey();
    w.step();
    CHECK(w.node.size() == 0);
    CHECK(w.store.at() == before);
    CHECK(w.addresses.used.empty());
}

TEST_CASE("agent: a load spike restarts a part of the fleet, one after the other, and the dead in the end")
{
    for (bool const guarded : {true, false}) {
        CAPTURE(guarded);
        agent::node_policy policy;
        if (!guarded)
            policy.guard.reset();
        world w(policy);
        for (int i = 0; i < 8; ++i) {
            auto p = world::pod("web-" + std::to_string(i));
            p.metadata.owner_references.push_back({.api_version = "apps/v1",
                .kind = "ReplicaSet",
                .name = "web",
                .uid = "u",
                .controller = true});
            model::probe liveness;
            liveness.period_seconds = 1;
            liveness.failure_threshold = 3;
            p.spec.containers.edit().front().liveness_probe = liveness;
            w.create(std::move(p));
        }
        auto next = w.settle();
        w.spike = true;
        auto const until = [&](time_point end) {
            while (w.now < end) {
                w.now = std::min(std::max(next, w.now + 1ms), end);
                next = w.settle();
            }
        };
        until(time_point{1h + 30s});
        if (!guarded) {
            CHECK(w.stops >= 8);
            continue;
        }
        // Two of eight, which may be restarted as often as they hang.
        auto const restarted = [&] {
            int n = 0;
            for (int i = 0; i < 8; ++i)
                n += w.get("web-" + std::to_string(i))->status.container_statuses.at(0).restart_count > 0;
            return n;
        };
        CHECK(restarted() == 2);
        w.spike = false;
        until(time_point{1h + 2min});
        auto const before = w.stops;
        CHECK(restarted() == 2);
        until(time_point{1h + 4min});
        CHECK(w.stops == before);  // who was spared serves again, and nobody remembers
        w.spike = true;
        until(time_point{1h + 30min});
        CHECK(restarted() == 8);
        int told = 0;
        for (int i = 0; i < 8; ++i)
            told += w.get("web-" + std::to_string(i))
                        ->status.container_statuses.at(0)
                        .last_state.terminated->message == "failed its liveness probe";
        CHECK(told == 8);
        w.node.close(0s);
        w.settle();
    }
}

TEST_CASE("agent: changes for other nodes are none of its business")
{
    world w;
    auto p = world::pod("web");
    p.spec.node_name = "b";
    w.create(p);
    auto const news = w.store.changes({});
    REQUIRE(news);
    CHECK(agent::node<pool>::destination(news->at(0)) == "b");
    CHECK_FALSE(w.node.observe(news->at(0), w.now));
    CHECK(w.node.size() == 0);
}

TEST_SUITE("property")
{
    TEST_CASE("agent: whatever users, faults and time do, the node comes to rest with the store's pods")
    {
        for (std::uint64_t seed = 1; seed <= 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const pick = [&](std::uint64_t n) { return random() % n; };
            world w({.max_writes = 3});
            int names = 0;
            std::vector<std::string> pods;
            for (int round = 0; round < 120; ++round) {
                std::erase_if(pods, [&](auto const& name) { return !w.get(name); });
                switch (pick(8)) {
                case 0:
                    pods.push_back("p" + std::to_string(names++));
                    w.create(world::pod(pods.back()));
                    break;
                case 1:
                    if (!pods.empty())
                        w.remove(pods[pick(pods.size())]);
                    break;
                case 2:
                    if (!pods.empty())
                        w.change(pods[pick(pods.size())],
                            [&](model::pod& p) { p.metadata.labels["x"] = std::to_string(round); });
                    break;
                case 3:
                    if (!pods.empty()) {
                        reconcile::plan p;
                        p.remove(w.get(pods[pick(pods.size())]));
                        w.commit(p);
                    }
                    break;
                case 4: w.catch_up(); break;
                case 5: w.obey(); break;
                case 6: {  // a commit fails, or its answer is lost
                    auto work = w.node.step(w.view, w.now);
                    w.todo.insert(w.todo.end(), work.actions.begin(), work.actions.end());
                    for (auto const& p : work.plans) {
                        if (pick(2) == 0)
                            (void)w.store.commit(p.what.whole());
                        w.node.done(p.ticket, {error{errc::unknown_outcome, "?", {}, {}}, {}}, w.now);
                    }
                    break;
                }
                default: w.step(); break;
                }
                w.now += std::chrono::milliseconds(pick(500));
            }
            w.settle();
            w.now += 2s;
            w.settle();
            w.now += 2s;
            w.settle();
            std::size_t there = 0;
            for (auto const& name : pods)
                if (auto const h = w.get(name)) {
                    ++there;
                    REQUIRE(model::is_ready(*h));
                    REQUIRE_FALSE(h->metadata.deletion_timestamp);
                }
            REQUIRE(w.node.size() == there);
            REQUIRE(w.addresses.used.size() == there);
        }
    }
}

}  // namespace
