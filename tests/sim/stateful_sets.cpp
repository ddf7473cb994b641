#include <podium/sim.hpp>

#include <doctest/doctest.h>
#include <map>
#include <set>
#include <string>

using namespace std::chrono_literals;
using namespace podium;

namespace {

model::stateful_set stateful_set(std::int32_t replicas, std::string image = "db:1")
{
    model::stateful_set s;
    s.metadata.name = "db";
    s.metadata.namespace_ = "default";
    s.spec.replicas = replicas;
    s.spec.service_name = "db";
    s.spec.selector.match_labels["app"] = "db";
    s.spec.template_.metadata.labels["app"] = "db";
    model::container c;
    c.name = "main";
    c.image = std::move(image);
    s.spec.template_.spec.containers.push_back(std::move(c));
    s.spec.update_strategy.rolling_update = model::rolling_update_stateful_set_strategy{};
    model::persistent_volume_claim data;
    data.metadata.name = "data";
    s.spec.volume_claim_templates.push_back(std::move(data));
    return s;
}

template<class F>
void edit(sim::cluster& c, F change)
{
    auto next = *c.get<model::stateful_set>("default", "db");
    change(next);
    c.put(std::move(next));
}

int ready(sim::cluster const& c, std::string_view image = {})
{
    int n = 0;
    for (auto const pod : c.view().all<model::pod>())
        n += controllers::is_active(*pod) && model::is_ready(*pod) &&
            (image.empty() || pod->spec.containers.front().image == image);
    return n;
}

}  // namespace

TEST_CASE("sim: a stateful set rolls with at most one pod away at any moment")
{
    sim::settings s;
    s.start = {100ms, 3s};
    s.stop = {1s, 5s};
    sim::cluster c(s);
    c.add_nodes(3);
    c.put(stateful_set(5));
    REQUIRE(c.run_while_waiting_for([&] { return ready(c) == 5; }, 5min));
    edit(c, [](auto& set) { set.spec.template_.spec.containers.edit()[0].image = "db:2"; });
    int least = 5;
    REQUIRE(c.run_while_waiting_for(
        [&] {
            least = std::min(least, ready(c));
            return ready(c, "db:2") == 5;
        },
        5min));
    CHECK(least == 4);
    c.run_for(1min);
    auto const status = c.get<model::stateful_set>("default", "db")->status;
    CHECK(status.updated_replicas == 5);
    CHECK(status.current_revision == status.update_revision);
}

TEST_CASE("sim: the pods of a node that is lost come back with it, each under its own name")
{
    sim::settings s;
    s.control.node_grace = 40s;
    s.control.default_toleration = 30s;
    sim::cluster c(s);
    c.add_nodes(2);
    c.put(stateful_set(4));
    REQUIRE(c.run_while_waiting_for([&] { return ready(c) == 4; }, 5min));
    std::map<std::string, reconcile::revision> lost;
    for (auto const pod : c.view().all<model::pod>())
        if (pod->spec.node_name == "node-0000")
            lost.emplace(pod->metadata.name, pod.created);
    REQUIRE(lost.size() == 2);
    c.fail_node("node-0000");
    c.run_for(20min);
    for (auto const& [name, created] : lost) {
        auto const pod = c.get<model::pod>("default", name);
        REQUIRE(pod);
        CHECK(pod.created == created);  // it may still run there: nobody takes its name
        CHECK_FALSE(model::is_ready(*pod));
    }
    c.recover_node("node-0000");
    REQUIRE(c.run_while_waiting_for([&] { return ready(c) == 4; }, 5min));
    for (auto const& [name, created] : lost)
        CHECK(c.get<model::pod>("default", name).created != created);
}

TEST_SUITE("property")
{
    TEST_CASE("sim: whatever goes wrong on the way, a stateful set gets whole, and keeps every claim")
    {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            CAPTURE(seed);
            sim::settings s;
            s.seed = seed;
            s.start = {10ms, 3s};
            s.stop = {1ms, 2s};
            s.faults.refused_starts = 50;
            s.faults.crashes = 200;
            s.faults.refused_commits = 50;
            s.faults.lifetime = {1s, 20s};
            s.control.node_grace = 40s;
            s.control.default_toleration = 30s;
            sim::cluster c(s);
            c.add_nodes(3);
            splitmix64 random(seed);
            c.put([&] {
                auto set = stateful_set(0);
                if (random.below(2) == 0)
                    set.spec.pod_management_policy = model::pod_management_policy_type::parallel;
                return set;
            }());
            std::int32_t replicas = 0;
            std::set<std::string> claims;
            for (int i = 0; i < 8; ++i) {
                replicas = static_cast<std::int32_t>(random.below(6));
                auto const image = "db:" + std::to_string(random.below(3));
                edit(c, [&](auto& set) {
                    set.spec.replicas = replicas;
                    set.spec.template_.spec.containers.edit()[0].image = image;
                });
                if (random.below(3) == 0)
                    c.fail_node("node-000" + std::to_string(random.below(3)));
                c.run_for(std::chrono::milliseconds(random.below(60'000)));
                for (int n = 0; n < 3; ++n)
                    if (random.below(2) == 0)
                        c.recover_node("node-000" + std::to_string(n));
                for (auto const& claim : claims)
                    CHECK(c.get<model::persistent_volume_claim>("default", claim));
                for (auto const claim : c.view().all<model::persistent_volume_claim>())
                    claims.insert(claim->metadata.name);
            }
            for (int n = 0; n < 3; ++n)
                c.recover_node("node-000" + std::to_string(n));
            CHECK(c.run_while_waiting_for(
                [&] {
                    auto const set = c.get<model::stateful_set>("default", "db");
                    return ready(c) == replicas && set->status.replicas == replicas &&
                        set->status.updated_replicas == replicas &&
                        c.view().count<model::pod>() == static_cast<std::size_t>(replicas);
                },
                6h));
            for (std::int32_t i = 0; i < replicas; ++i)
                CHECK(c.get<model::pod>("default", "db-" + std::to_string(i)));
        }
    }
}
