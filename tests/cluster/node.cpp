#include <podium/cluster/node.hpp>
#include <podium/model/kinds.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/runtime/address_pool.hpp>
#include <podium/runtime/process_runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
namespace asio = boost::asio;

/// Images of shell scripts, in a directory that goes away.
struct images {
    std::string path = [] {
        auto name = (std::filesystem::temp_directory_path() / "podium-node-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        return name;
    }();
    images()
    {
        write("stay", "trap 'exit 0' TERM; while :; do sleep 0.02; done");
        write("stubborn", "trap '' TERM; while :; do sleep 0.02; done");
        write("once", "exit 0");
        write("fail", "exit 3");
    }
    images(images const&) = delete;
    ~images() { std::filesystem::remove_all(path); }
    void write(std::string const& name, std::string const& script) const
    {
        auto const dir = path + "/test/" + name + "/1";
        std::filesystem::create_directories(dir);
        auto const file = dir + '/' + name;
        std::ofstream(file) << "#!/bin/sh\n" << script << '\n';
        REQUIRE(::chmod(file.c_str(), 0755) == 0);
    }
};

/// One node on real processes, with a store and a view but no controllers.
struct world {
    using node_type = cluster::node<runtime::process_runtime, reconcile::memory_store, reconcile::view<>,
        runtime::address_range>;

    images disk;
    asio::io_context io;
    runtime::address_pool pool = runtime::address_pool::claim().value();
    reconcile::memory_store store;
    reconcile::view<> view;
    runtime::process_runtime containers{io.get_executor(), {.images = disk.path}};
    node_type node{io.get_executor(), {containers, store, view, pool.pods},
        {.name = "a", .host_ip = "127.0.0.1", .capacity = {{"cpu", quantity::from_integer(4)}}}, fast()};

    static agent::node_policy fast()
    {
        agent::node_policy p;
        p.pods.restart.base = 20ms;
        p.pods.create.base = 20ms;
        p.lease_renewal = 50ms;
        return p;
    }

    world()
    {
        store.notify([this] { asio::post(io, [this] { catch_up(); }); });
        node.start();
    }
    void catch_up()
    {
        auto const news = store.changes(view.at());
        REQUIRE(news);
        for (auto const& c : *news)
            view.apply(c, store::clock::now());
        node.absorb(*news);
    }
    template<class F>
    bool until(F const& is_so)
    {
        auto const deadline = std::chrono::steady_clock::now() + 2min;
        while (!is_so()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            io.restart();
            io.run_one_for(20ms);
        }
        return true;
    }
    void stop(duration grace)
    {
        bool done = false;
        asio::co_spawn(io, node.stop(grace), [&](std::exception_ptr e) {
            CHECK_FALSE(e);
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
    static model::pod pod(std::string name, std::string image)
    {
        model::pod p;
        p.metadata.name = std::move(name);
        p.metadata.namespace_ = "shop";
        p.spec.node_name = "a";
        model::container c;
        c.name = "main";
        c.image = "test/" + image + ":1";
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
    reconcile::handle<model::pod> get(std::string const& name) const
    {
        return store.get<model::pod>("shop", name);
    }
    bool ready(std::string const& name) const
    {
        auto const h = get(name);
        return h && model::is_ready(*h);
    }
    void remove(std::string const& name, std::int64_t grace)
    {
        // A status may be written in between: guards make the loser read again.
        for (bool done = false; !done;) {
            auto const h = get(name);
            auto to = *h;
            to.metadata.deletion_timestamp = store::clock::now();
            to.metadata.deletion_grace_period_seconds = grace;
            reconcile::plan plan;
            plan.update(h, to);
            done = store.commit(plan.whole()).outcome.has_value();
        }
    }
    [[nodiscard]] std::size_t running() const
    {
        std::size_t n = 0;
        for (auto const& row : containers.list())
            n += row.state == runtime::container_state::running;
        return n;
    }
};

}  // namespace

TEST_CASE("cluster: a node registers, renews its lease, and runs a pod until it is deleted")
{
    world w;
    w.create(world::pod("web", "stay"));
    REQUIRE(w.until([&] { return w.ready("web"); }));
    auto const n = w.store.get<model::node>("", "a");
    REQUIRE(n);
    CHECK(model::is_ready(*n));
    CHECK(n->status.allocatable.at("cpu") == quantity::from_integer(4));
    auto const p = w.get("web");
    CHECK(p->status.phase == model::pod_phase::running);
    CHECK(p->status.pod_ip.starts_with("127."));
    CHECK(p->status.container_statuses.at(0).container_id == w.node.container_id("shop", "web", 0));
    auto const lease = [&] { return w.store.get<model::lease>("kube-node-lease", "a"); };
    REQUIRE(w.until([&] { return bool(lease()); }));
    auto const renewed = lease()->spec.renew_time;
    CHECK(w.until([&] { return lease()->spec.renew_time != renewed; }));

    w.remove("web", 30);
    CHECK(w.until([&] { return !w.get("web") && w.containers.list().empty(); }));
    CHECK(w.until([&] { return w.pool.pods.in_use() == 0; }));
    w.stop(5s);
}

TEST_CASE("cluster: what is killed is started again, what will not go is killed")
{
    world w;
    w.create(world::pod("web", "stubborn"));
    REQUIRE(w.until([&] { return w.ready("web"); }));
    auto const pid = [&]() -> std::int32_t {
        for (auto const& row : w.containers.list())
            if (row.state == runtime::container_state::running)
                return row.pid;
        return 0;
    };
    auto const first = pid();
    REQUIRE(first > 0);
    REQUIRE(::kill(first, SIGKILL) == 0);
    CHECK(w.until([&] {
        auto const& s = w.get("web")->status.container_statuses;
        return s.size() == 1 && s[0].restart_count == 1 && s[0].ready;
    }));
    auto const last = w.get("web")->status.container_statuses[0].last_state;
    REQUIRE(last.terminated);
    CHECK(last.terminated->exit_code == 137);
    CHECK(last.terminated->signal == 9);
    w.remove("web", 1);
    CHECK(w.until([&] { return !w.get("web") && w.running() == 0; }));
    w.stop(5s);
}

TEST_CASE("cluster: ends and errors are told in the pod's status")
{
    world w;
    auto once = world::pod("once", "once");
    once.spec.restart_policy = model::restart_policy::never;
    auto fails = world::pod("fails", "fail");
    fails.spec.restart_policy = model::restart_policy::never;
    w.create(once);
    w.create(fails);
    w.create(world::pod("crash", "fail"));
    w.create(world::pod("lost", "missing"));
    auto no_command = world::pod("nocommand", "stay");
    no_command.spec.containers.edit()[0].command = {"/no/such/command"};
    w.create(no_command);
    auto no_config = world::pod("noconfig", "stay");
    model::env_var v{.name = "LEVEL"};
    v.value_from = model::env_var_source{.config_map_key_ref = model::key_selector{"settings", "level", {}}};
    no_config.spec.containers.edit()[0].env = {v};
    w.create(no_config);

    auto const phase = [&](char const* name) { return w.get(name)->status.phase; };
    auto const waiting = [&](char const* name) {
        auto const& s = w.get(name)->status.container_statuses;
        return s.size() == 1 && s[0].state.waiting ? s[0].state.waiting->reason : std::string{};
    };
    CHECK(w.until([&] { return phase("once") == model::pod_phase::succeeded; }));
    CHECK(w.until([&] { return phase("fails") == model::pod_phase::failed; }));
    CHECK(w.get("fails")->status.container_statuses[0].state.terminated->exit_code == 3);
    CHECK(w.until([&] { return waiting("crash") == "CrashLoopBackOff"; }));
    CHECK(w.until([&] { return waiting("lost") == "ImagePullBackOff"; }));
    CHECK(w.until([&] { return waiting("nocommand") == "RunContainerError"; }));
    CHECK(w.until([&] { return waiting("noconfig") == "CreateContainerConfigError"; }));

    model::config_map settings;
    settings.metadata.name = "settings";
    settings.metadata.namespace_ = "shop";
    settings.data["level"] = "info";
    reconcile::plan plan;
    plan.create(settings);
    w.commit(plan);
    CHECK(w.until([&] { return w.ready("noconfig"); }));
    w.stop(5s);
    CHECK(w.running() == 0);
}

TEST_CASE("cluster: an exec probe decides over readiness, a preStop hook runs before the end")
{
    world w;
    auto const flag = w.disk.path + "/ready", hooked = w.disk.path + "/hooked";
    auto p = world::pod("web", "stay");
    auto& c = p.spec.containers.edit()[0];
    model::probe probe;
    probe.exec = model::exec_action{{"/bin/sh", "-c", "test -e " + flag}};
    probe.period_seconds = 1;
    probe.timeout_seconds = 30;
    c.readiness_probe = probe;
    model::lifecycle l;
    l.pre_stop = model::lifecycle_handler{.exec = model::exec_action{{"/bin/sh", "-c", "touch " + hooked}}};
    c.lifecycle = l;
    w.create(p);
    REQUIRE(w.until([&] { return w.get("web")->status.phase == model::pod_phase::running; }));
    CHECK_FALSE(w.ready("web"));
    std::ofstream(flag) << "yes";
    CHECK(w.until([&] { return w.ready("web"); }));
    w.remove("web", 60);
    CHECK(w.until([&] { return !w.get("web"); }));
    CHECK(std::filesystem::exists(hooked));
    w.stop(5s);
}

TEST_CASE("cluster: a node that fails is silent and empty; switched on again, it takes up its pods")
{
    world w;
    w.create(world::pod("web", "stubborn"));
    REQUIRE(w.until([&] { return w.ready("web"); }));
    w.node.fail();
    CHECK(w.node.agent() == nullptr);
    CHECK(w.until([&] { return w.containers.list().empty(); }));
    CHECK(w.ready("web"));  // nobody has said otherwise
    CHECK(w.pool.pods.in_use() == 0);
    auto const lease = w.store.get<model::lease>("kube-node-lease", "a").modified;
    w.create(world::pod("late", "stay"));
    for (auto const end = std::chrono::steady_clock::now() + 200ms; std::chrono::steady_clock::now() < end;) {
        w.io.restart();
        w.io.run_for(20ms);
    }
    CHECK(w.store.get<model::lease>("kube-node-lease", "a").modified == lease);
    CHECK(w.running() == 0);

    w.node.revive();
    CHECK(w.until([&] {
        auto const& s = w.get("web")->status.container_statuses;
        return s.size() == 1 && s[0].restart_count == 1 && s[0].ready;
    }));
    CHECK(w.until([&] { return w.ready("late"); }));
    w.stop(1s);
    CHECK(w.running() == 0);
}

TEST_CASE("cluster: stopping a node ends all containers within the grace and touches no object")
{
    world w;
    w.create(world::pod("good", "stay"));
    w.create(world::pod("stubborn", "stubborn"));
    REQUIRE(w.until([&] { return w.ready("good") && w.ready("stubborn"); }));
    w.stop(1s);
    CHECK(w.running() == 0);
    CHECK(w.ready("good"));
    CHECK(w.pool.pods.in_use() == 0);
}

TEST_CASE("cluster: a node that is destroyed without being stopped leaves nothing that touches it")
{
    auto w = std::make_unique<world>();
    w->create(world::pod("web", "stay"));
    REQUIRE(w->until([&] { return w->running() == 1; }));
    auto const pid = w->containers.list().at(0).pid;
    REQUIRE(pid > 0);
    w->remove("web", 30);
    w.reset();
    CHECK(::kill(pid, 0) == -1);
}
