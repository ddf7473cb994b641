#include <podium/api/apply.hpp>
#include <podium/controllers.hpp>
#include <podium/sim.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>

using namespace podium;
using namespace std::chrono_literals;

namespace {

model::pod_spec pod_with(std::string config, std::string secret)
{
    model::pod_spec pod;
    model::container c;
    c.name = "main";
    c.image = "web:1";
    model::env_from_source all;
    all.config_map_ref = model::env_source{std::move(config), true};
    c.env_from.push_back(all);
    model::env_var one;
    one.name = "TOKEN";
    one.value_from.edit().secret_key_ref = model::key_selector{std::move(secret), "token", true};
    c.env.push_back(one);
    pod.containers.push_back(std::move(c));
    return pod;
}

template<class K>
K asking(std::string name)
{
    K w;
    w.metadata.name = name;
    w.metadata.namespace_ = "default";
    w.metadata.annotations[std::string(model::restart_on_config_change_annotation)] = "true";
    w.spec.replicas = 2;
    w.spec.selector.match_labels["app"] = name;
    w.spec.template_.metadata.labels["app"] = name;
    w.spec.template_.spec = pod_with("settings", "passwords");
    return w;
}

struct cluster : sim::cluster {
    explicit cluster(sim::settings s = {}) : sim::cluster(s)
    {
        add_nodes(1);
        config("blue");
        secret("one");
    }
    void config(std::string value)
    {
        model::config_map m;
        m.metadata.name = "settings";
        m.metadata.namespace_ = "default";
        m.data["COLOUR"] = std::move(value);
        put(m);
    }
    void secret(std::string value)
    {
        model::secret s;
        s.metadata.name = "passwords";
        s.metadata.namespace_ = "default";
        s.data["token"] = {std::move(value)};
        put(s);
    }
    template<class K>
    reconcile::handle<K> web()
    {
        return get<K>("default", "web");
    }
    template<class K, class F>
    void edit(F change)
    {
        auto next = *web<K>();
        change(next);
        put(next);
        run_for(1min);
    }
    /// Running pods, by the hash that their template had.
    std::map<std::string, int> pods()
    {
        std::map<std::string, int> out;
        for (auto const pod : view().all<model::pod>())
            if (controllers::is_active(*pod) && is_ready(*pod))
                ++out[model::config_hash_of(pod->metadata)];
        return out;
    }
    template<class K>
    std::size_t count()
    {
        std::size_t n = 0;
        for ([[maybe_unused]] auto const o : view().all<K>())
            ++n;
        return n;
    }
};

}  // namespace

TEST_CASE("config hashes: a pod's sources are all that it gets data from")
{
    auto pod = pod_with("a", "b");
    model::container init;
    model::env_from_source from;
    from.secret_ref = model::env_source{"c", {}};
    init.env_from.push_back(from);
    model::env_var one;
    one.value_from.edit().config_map_key_ref = model::key_selector{"d", "k", {}};
    init.env.push_back(one);
    pod.init_containers.push_back(init);
    model::volume files, certificates, scratch;
    files.config_map.edit().name = "e";
    certificates.secret.edit().secret_name = "f";
    scratch.empty_dir = model::empty_dir_volume_source{};
    pod.volumes.push_back(files);
    pod.volumes.push_back(certificates);
    pod.volumes.push_back(scratch);
    CHECK(
        controllers::config_sources_of(pod) == controllers::config_sources{{"a", "d", "e"}, {"b", "c", "f"}});
}

TEST_CASE("config hashes: other data, another hash; the same data, the same; and nothing without the key")
{
    cluster c;
    auto const hash = [&](hash_key key = {}) {
        c.run_for(1s);
        return controllers::config_hash(c.view(), "default", pod_with("settings", "passwords"), key);
    };
    auto const first = hash();
    CHECK(first.size() == 16);
    CHECK(hash({1, 2}) != first);
    c.config("red");
    auto const second = hash();
    CHECK(second != first);
    c.config("blue");
    CHECK(hash() == first);

    auto map = *c.get<model::config_map>("default", "settings");
    map.metadata.labels["who"] = "me";
    map.immutable = true;
    c.put(map);
    CHECK(hash() == first);
    map.data = {{"COLOU", "Rblue"}};  // the same letters, cut elsewhere
    c.put(map);
    CHECK(hash() != first);
    map.data.clear();
    map.binary_data = {{"COLOUR", "blue"}};
    c.put(map);
    CHECK(hash() != first);
    map.data.clear();
    map.binary_data.clear();
    c.put(map);
    auto const empty = hash();
    c.remove<model::config_map>("default", "settings");
    CHECK(hash() != empty);  // a missing one is not an empty one
    c.config("blue");
    CHECK(hash() == first);
    c.secret("two");
    CHECK(hash() != first);
    CHECK(controllers::config_hash(c.view(), "other", pod_with("settings", "passwords"), {}) != hash());
}

TEST_CASE("config hashes: a deployment is rolled out once for each change of data, and for nothing else")
{
    cluster c;
    c.put(asking<model::deployment>("web"));
    c.run_for(1min);
    auto const first = model::config_hash_of(c.web<model::deployment>()->spec.template_.metadata);
    CHECK(c.pods() == std::map<std::string, int>{{first, 2}});
    CHECK(c.count<model::replica_set>() == 1);  // none was made of a template without a hash
    auto const generation = c.web<model::deployment>()->metadata.generation;

    c.config("red");
    c.run_for(1min);
    auto const second = model::config_hash_of(c.web<model::deployment>()->spec.template_.metadata);
    CHECK(second != first);
    CHECK(c.pods() == std::map<std::string, int>{{second, 2}});
    CHECK(c.web<model::deployment>()->metadata.generation == generation + 1);  // one write
    bool said = false;
    for (auto const e : c.view().all<model::event>())
        said = said || e->reason == "ConfigChanged";
    CHECK(said);

    auto const at = c.store().at();
    auto map = *c.get<model::config_map>("default", "settings");
    map.metadata.labels["who"] = "me";
    c.put(map);
    c.run_for(1min);
    CHECK(c.web<model::deployment>()->spec.template_.metadata.annotations.size() == 1);
    CHECK(c.web<model::deployment>().modified < at);  // not written at all

    c.secret("two");
    c.run_for(1min);
    CHECK(c.count<model::replica_set>() == 3);
    c.secret("one");
    c.run_for(1min);  // the data of before are the template of before
    CHECK(c.count<model::replica_set>() == 3);
    CHECK(c.pods() == std::map<std::string, int>{{second, 2}});

    // Another image and another source in one write: still one rollout.
    c.edit<model::deployment>([](model::deployment& d) {
        d.spec.template_.spec = pod_with("others", "passwords");
        d.spec.template_.spec.containers.edit()[0].image = "web:2";
    });
    CHECK(c.count<model::replica_set>() == 4);
    CHECK(c.pods().size() == 1);
    model::config_map others;
    others.metadata.name = "others";
    others.metadata.namespace_ = "default";
    c.put(others);  // it was missing, and is there
    c.run_for(1min);
    CHECK(c.count<model::replica_set>() == 5);
    CHECK(c.pods().size() == 1);
}

TEST_CASE("config hashes: who does not ask, or asks no more, is left alone")
{
    cluster c;
    auto d = asking<model::deployment>("web");
    d.metadata.annotations.clear();
    c.put(d);
    c.run_for(1min);
    CHECK(c.pods() == std::map<std::string, int>{{"", 2}});
    c.config("red");
    c.run_for(1min);
    CHECK(c.count<model::replica_set>() == 1);
    c.edit<model::deployment>([](model::deployment& w) {
        w.metadata.annotations[std::string(model::restart_on_config_change_annotation)] = "true";
    });
    CHECK(c.count<model::replica_set>() == 2);
    CHECK(c.pods().begin()->first.size() == 16);
    c.edit<model::deployment>([](model::deployment& w) {
        w.metadata.annotations.erase(std::string(model::restart_on_config_change_annotation));
    });
    c.config("green");
    c.run_for(1min);
    CHECK(c.count<model::replica_set>() == 2);
}

TEST_CASE("config hashes: apply leaves the hash alone, a replace gets it back, and neither is a rollout")
{
    cluster c;
    auto const manifest = model::to_json(asking<model::deployment>("web"));
    auto const apply = [&] {
        auto const live = c.web<model::deployment>();
        auto answer = api::apply(live ? model::to_json(*live) : model::json(), manifest);
        auto next = model::decode<model::deployment>(answer.object).value();
        if (answer.outcome != api::applied::unchanged)
            c.put(next);
        c.run_for(1min);
        return answer.outcome;
    };
    CHECK(apply() == api::applied::created);
    auto const hash = model::config_hash_of(c.web<model::deployment>()->spec.template_.metadata);
    CHECK(hash.size() == 16);
    CHECK(apply() == api::applied::unchanged);
    c.edit<model::deployment>([](model::deployment& d) { d.spec.template_.metadata.annotations.clear(); });
    CHECK(model::config_hash_of(c.web<model::deployment>()->spec.template_.metadata) == hash);
    CHECK(c.count<model::replica_set>() == 1);
}

TEST_CASE("config hashes: the way back leads to the template of before with the data of now, in one rollout")
{
    auto const back = std::string(controllers::rollback_annotation);
    {
        cluster c;
        c.put(asking<model::deployment>("web"));
        c.run_for(1min);
        c.edit<model::deployment>(
            [](model::deployment& d) { d.spec.template_.spec.containers.edit()[0].image = "web:2"; });
        c.config("red");
        c.run_for(1min);
        REQUIRE(c.count<model::replica_set>() == 3);
        auto const now = model::config_hash_of(c.web<model::deployment>()->spec.template_.metadata);
        c.edit<model::deployment>([&](model::deployment& d) { d.metadata.annotations[back] = "1"; });
        auto const web = c.web<model::deployment>();
        CHECK(web->spec.template_.spec.containers[0].image == "web:1");
        CHECK(c.pods() == std::map<std::string, int>{{now, 2}});
        CHECK(c.count<model::replica_set>() == 4);
        // What only the data made: there is nothing to go back to.
        c.edit<model::deployment>([&](model::deployment& d) { d.metadata.annotations[back] = "2"; });
        c.edit<model::deployment>([&](model::deployment& d) { d.metadata.annotations[back] = "3"; });
        CHECK(c.pods() == std::map<std::string, int>{{now, 2}});
        CHECK(c.count<model::replica_set>() == 4);
    }
    {
        cluster c;
        c.put(asking<model::stateful_set>("web"));
        c.run_for(1min);
        c.edit<model::stateful_set>(
            [](model::stateful_set& s) { s.spec.template_.spec.containers.edit()[0].image = "web:2"; });
        c.config("red");
        c.run_for(1min);
        auto const now = model::config_hash_of(c.web<model::stateful_set>()->spec.template_.metadata);
        CHECK(c.pods() == std::map<std::string, int>{{now, 2}});
        CHECK(c.count<model::controller_revision>() == 3);
        c.edit<model::stateful_set>([&](model::stateful_set& s) { s.metadata.annotations[back] = "1"; });
        CHECK(c.web<model::stateful_set>()->spec.template_.spec.containers[0].image == "web:1");
        CHECK(c.pods() == std::map<std::string, int>{{now, 2}});
        CHECK(c.count<model::controller_revision>() == 4);
    }
}

TEST_CASE("config hashes: for a Rollout other data are a release, by its steps")
{
    cluster c;
    auto r = asking<model::rollout>("web");
    auto& how = r.spec.strategy.canary.edit();
    how.steps.resize(2);
    how.steps[0].set_weight = 50;
    how.steps[1].pause = model::rollout_pause{};
    c.put(r);
    c.run_for(1min);
    auto const first = model::config_hash_of(c.web<model::rollout>()->spec.template_.metadata);
    CHECK(c.pods() == std::map<std::string, int>{{first, 2}});
    CHECK(c.web<model::rollout>()->status.phase == "Healthy");
    c.secret("two");
    c.run_for(1min);
    auto const second = model::config_hash_of(c.web<model::rollout>()->spec.template_.metadata);
    CHECK(c.web<model::rollout>()->status.phase == "Paused");
    CHECK(c.pods() == std::map<std::string, int>{{first, 1}, {second, 1}});
    CHECK(c.count<model::replica_set>() == 2);
}

TEST_SUITE("property")
{
    TEST_CASE("config hashes: in a storm of changes and faults all pods end with the hash of the data")
    {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            CAPTURE(seed);
            sim::settings s;
            s.seed = seed;
            s.start = {10ms, 3s};
            s.stop = {1ms, 2s};
            s.faults.refused_commits = 50;
            cluster c(s);
            c.put(asking<model::deployment>("web"));
            c.put(asking<model::stateful_set>("db"));
            std::mt19937_64 random(seed);
            for (int i = 0; i < 20; ++i) {
                auto const value = std::to_string(random() % 3);
                if (random() % 2 == 0)
                    c.config(value);
                else
                    c.secret(value);
                c.run_for(std::chrono::seconds(random() % 10));
            }
            c.run_for(10min);
            auto const hash =
                controllers::config_hash(c.view(), "default", pod_with("settings", "passwords"), {});
            REQUIRE(c.pods() == std::map<std::string, int>{{hash, 4}});
            auto const at = c.store().at();
            c.run_for(1min);
            for (auto const d : c.view().all<model::deployment>())
                REQUIRE(d.modified < at);
        }
    }
}
