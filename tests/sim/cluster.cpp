#include <podium/sim.hpp>

#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using namespace podium;

namespace {

model::deployment deployment(std::string const& name, std::int32_t replicas, std::string image = "web:1")
{
    model::deployment d;
    d.metadata.name = name;
    d.metadata.namespace_ = "default";
    d.spec.replicas = replicas;
    d.spec.selector.match_labels["app"] = name;
    d.spec.template_.metadata.labels["app"] = name;
    model::rolling_update_deployment rolling;
    rolling.max_surge = int_or_percent(1);
    rolling.max_unavailable = int_or_percent(0);
    d.spec.strategy.rolling_update = rolling;
    model::container c;
    c.name = "main";
    c.image = std::move(image);
    c.resources.requests["cpu"] = quantity::parse("100m").value();
    d.spec.template_.spec.containers.push_back(std::move(c));
    return d;
}

std::map<std::string, int> ready_by_image(sim::cluster const& c)
{
    std::map<std::string, int> out;
    for (auto const pod : c.view().all<model::pod>())
        if (controllers::is_active(*pod) && model::is_ready(*pod))
            ++out[pod->spec.containers.front().image];
    return out;
}

sim::settings stormy(std::uint64_t seed)
{
    sim::settings s;
    s.seed = seed;
    s.start = {10ms, 3s};
    s.stop = {1ms, 2s};
    s.faults.refused_starts = 50;
    s.faults.crashes = 200;
    s.faults.refused_commits = 50;
    s.control.node_grace = 40s;
    s.control.default_toleration = 30s;
    return s;
}

/// A day in the life: declared, scaled, rolled, a node lost and found.
std::string story(std::uint64_t seed)
{
    std::string trace;
    sim::cluster c(stormy(seed));
    c.trace_to([&](std::string_view line) { (trace += line) += '\n'; });
    c.add_nodes(3);
    c.put(deployment("web", 4));
    c.run_for(1min);
    auto next = *c.get<model::deployment>("default", "web");
    next.spec.replicas = 6;
    next.spec.template_.spec.containers.edit()[0].image = "web:2";
    c.put(next);
    c.run_for(20s);
    c.fail_node("node-0001");
    c.run_for(5min);
    c.recover_node("node-0001");
    c.run_for(5min);
    return trace;
}

}  // namespace

TEST_CASE("sim: declared, running, rolled, gone, and then quiet")
{
    sim::cluster c({.start = {1s, 2s}});
    c.add_nodes(3);
    c.put(deployment("web", 5));
    c.run_for(30s);
    CHECK(ready_by_image(c) == std::map<std::string, int>{{"web:1", 5}});
    auto next = *c.get<model::deployment>("default", "web");
    next.spec.template_.spec.containers.edit()[0].image = "web:2";
    c.put(next);
    c.run_for(2min);
    CHECK(ready_by_image(c) == std::map<std::string, int>{{"web:2", 5}});
    auto const before = c.actions();
    c.run_for(24h);
    CHECK(c.actions() == before);
    c.remove<model::deployment>("default", "web");
    c.run_for(2min);
    CHECK(c.view().count<model::pod>() == 0);
    CHECK(c.view().count<model::replica_set>() == 0);
}

TEST_CASE("sim: the same seed gives the same trace, byte for byte; another seed another")
{
    auto const first = story(7);
    CHECK(first.size() > 5000);
    CHECK(first == story(7));
    CHECK(first != story(8));
}

TEST_CASE("sim: a lost node's pods run elsewhere, and the node is used again when it comes back")
{
    sim::settings s;
    s.control.node_grace = 40s;
    s.control.default_toleration = 30s;
    sim::cluster c(s);
    c.add_nodes(2);
    c.put(deployment("web", 4));
    c.run_for(30s);
    c.fail_node("node-0000");
    c.run_for(3min);
    CHECK(ready_by_image(c)["web:1"] == 4);
    for (auto const pod : c.view().all<model::pod>())
        if (controllers::is_active(*pod))
            CHECK(pod->spec.node_name == "node-0001");
    c.recover_node("node-0000");
    c.run_for(1min);
    CHECK(model::is_ready(*c.get<model::node>("", "node-0000")));
    CHECK(c.get<model::node>("", "node-0000")->spec.taints.empty());
    CHECK(c.view().count<model::pod>() == 4);  // those that were to be deleted are gone with its return
    auto more = *c.get<model::deployment>("default", "web");
    more.spec.replicas = 8;
    c.put(more);
    c.run_for(1min);
    std::map<std::string, int> per_node;
    for (auto const pod : c.view().all<model::pod>())
        ++per_node[pod->spec.node_name];
    CHECK(per_node == std::map<std::string, int>{{"node-0000", 4}, {"node-0001", 4}});
}

TEST_CASE("sim: a day's load moves a deployment's size, and a rollout at its height does not")
{
    sim::settings how;
    how.start = {1s, 3s};
    sim::cluster c(how);
    c.add_nodes(2);
    c.put(deployment("web", 2));
    model::horizontal_pod_autoscaler a;
    a.metadata.name = "web";
    a.metadata.namespace_ = "default";
    a.spec.scale_target_ref = {"apps/v1", "Deployment", "web"};
    a.spec.min_replicas = 2;
    a.spec.max_replicas = 10;
    a.spec.metrics.emplace_back().resource =
        model::resource_metric_source{"cpu", {model::metric_target_type::utilization, {}, {}, 60}};
    c.put(a);
    std::optional<std::int64_t> load = 40;
    c.measure([&](auto const&, std::size_t, time_point) { return load; });
    auto const size = [&] { return c.get<model::deployment>("default", "web")->spec.replicas; };
    auto const utilization = [&] {
        auto const& all = c.get<model::horizontal_pod_autoscaler>("default", "web")->status.current_metrics;
        return all.empty() || !all[0].resource ? std::nullopt : all[0].resource->current.average_utilization;
    };
    c.run_for(10min);
    CHECK(size() == 2);
    CHECK(utilization() == 20);

    load = 160;
    c.run_for(15s);
    CHECK(size() == 3);
    c.run_for(2min);
    CHECK(size() == 3);
    CHECK(utilization() == 53);

    auto next = *c.get<model::deployment>("default", "web");
    next.spec.template_.spec.containers.edit()[0].image = "web:2";
    next.spec.min_ready_seconds = 40;
    c.put(next);
    for (int i = 0; i < 60; ++i) {
        c.run_for(5s);
        CHECK(size() == 3);
    }
    CHECK(ready_by_image(c) == std::map<std::string, int>{{"web:2", 3}});

    load.reset();  // nobody can tell
    c.run_for(20min);
    CHECK(size() == 3);
    load = 160;
    c.run_for(1min);
    CHECK(size() == 3);
    load = 40;
    c.run_for(4min);
    CHECK(size() == 3);
    c.run_for(90s);
    CHECK(size() == 2);
    c.remove<model::horizontal_pod_autoscaler>("default", "web");
    c.run_for(1min);
    CHECK(c.view().count<model::metric_readings>() == 0);
}

TEST_SUITE("property")
{
    TEST_CASE("sim: whatever goes wrong on the way, the wanted state is reached when it stops")
    {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            CAPTURE(seed);
            auto s = stormy(seed);
            s.faults.lifetime = {1s, 20s};
            sim::cluster c(s);
            c.add_nodes(3);
            splitmix64 random(seed);
            std::int32_t replicas = 0;
            for (int i = 0; i < 8; ++i) {
                replicas = static_cast<std::int32_t>(random.below(7));
                c.put([&] {
                    auto d = deployment("web", replicas, "web:" + std::to_string(random.below(3)));
                    if (auto const old = c.get<model::deployment>("default", "web")) {
                        auto next = *old;
                        next.spec = d.spec;
                        return next;
                    }
                    return d;
                }());
                if (random.below(3) == 0)
                    c.fail_node("node-000" + std::to_string(random.below(3)));
                c.run_for(std::chrono::milliseconds(random.below(60'000)));
                for (int n = 0; n < 3; ++n)
                    if (random.below(2) == 0)
                        c.recover_node("node-000" + std::to_string(n));
                // Bounds that hold at every moment: nothing is bound twice, no node is overfull.
                std::map<std::string, int> per_node;
                for (auto const pod : c.view().all<model::pod>())
                    if (!is_terminal(pod->status.phase))
                        ++per_node[pod->spec.node_name];
                for (auto const& [node, count] : per_node)
                    CHECK(count <= 110);
            }
            for (int n = 0; n < 3; ++n)
                c.recover_node("node-000" + std::to_string(n));
            int ready = -1;
            CHECK(c.run_while_waiting_for(
                [&] {
                    ready = 0;
                    int all = 0;
                    for (auto const pod : c.view().all<model::pod>()) {
                        ++all;
                        ready += controllers::is_active(*pod) && model::is_ready(*pod);
                    }
                    return ready == replicas && all == replicas;
                },
                6h));
            CAPTURE(ready);
        }
    }
}
