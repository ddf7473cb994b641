#include <podium/agent/environment.hpp>
#include <podium/reconcile/view.hpp>

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace podium;

/// A pod with one container in a namespace with a database and some settings.
struct scene {
    reconcile::view<> view;
    model::pod pod;
    model::resource_list allocatable{{"memory", quantity::parse("8Gi").value()}};

    scene()
    {
        pod.metadata.name = "web-1";
        pod.metadata.namespace_ = "shop";
        pod.metadata.labels["app"] = "web";
        pod.spec.node_name = "a";
        model::container c;
        c.name = "main";
        c.resources.requests["cpu"] = quantity::parse("1500m").value();
        pod.spec.containers.push_back(c);

        model::service db;
        db.metadata = {.name = "my-db", .namespace_ = "shop"};
        db.spec.cluster_ip = "127.1.240.1";
        db.spec.ports = {{.name = "sql", .port = 5432}, {.name = "admin-ui", .port = 80}};
        put(db);
        db.metadata.name = "headless";
        db.spec.cluster_ip = "None";
        put(db);
        db.metadata = {.name = "elsewhere", .namespace_ = "other"};
        db.spec.cluster_ip = "127.1.240.2";
        put(db);
        model::config_map map;
        map.metadata = {.name = "settings", .namespace_ = "shop"};
        map.data = {{"LEVEL", "info"}, {"not a name", "x"}, {"SHOUT", "no"}};
        put(map);
        model::secret key;
        key.metadata = {.name = "key", .namespace_ = "shop"};
        key.data = {{"TOKEN", {"s3cret"}}};
        put(key);
    }
    template<class K>
    void put(K object)
    {
        reconcile::handle<K> const h{
            std::make_shared<K const>(std::move(object)), reconcile::revision{1}, reconcile::revision{1}};
        view.apply({reconcile::revision{1}, reconcile::erase_type(h), false}, {});
    }
    model::container& main() { return pod.spec.containers.edit()[0]; }
    result<agent::container_config> configure() const
    {
        reconcile::handle<model::pod> const h{
            std::make_shared<model::pod const>(pod), reconcile::revision{7}, reconcile::revision{5}};
        return agent::configure(
            view, h, 0, {.pod_ip = "127.1.0.9", .host_ip = "10.0.0.1", .allocatable = &allocatable});
    }
    /// The value of a variable, "(none)" when it is not there.
    std::string value(std::string_view name) const
    {
        auto const c = configure();
        REQUIRE(c);
        std::string out = "(none)";
        int found = 0;
        for (auto const& v : c->env)
            if (v.name == name) {
                out = v.value;
                ++found;
            }
        CHECK(found <= 1);
        return out;
    }
    void env(std::string name, std::string text)
    {
        main().env.push_back({.name = std::move(name), .value = std::move(text)});
    }
    void env(std::string name, model::env_var_source from)
    {
        model::env_var v{.name = std::move(name)};
        v.value_from = std::move(from);
        main().env.push_back(std::move(v));
    }
};

TEST_CASE("agent: services with an address and the pod's own are in the environment")
{
    scene s;
    CHECK(s.value("POD_IP") == "127.1.0.9");
    CHECK(s.value("HOSTNAME") == "web-1");
    s.pod.spec.hostname = "first";
    CHECK(s.value("HOSTNAME") == "first");
    CHECK(s.value("MY_DB_SERVICE_HOST") == "127.1.240.1");
    CHECK(s.value("MY_DB_SERVICE_PORT") == "5432");
    CHECK(s.value("MY_DB_SERVICE_PORT_SQL") == "5432");
    CHECK(s.value("MY_DB_SERVICE_PORT_ADMIN_UI") == "80");
    CHECK(s.value("HEADLESS_SERVICE_HOST") == "(none)");
    CHECK(s.value("ELSEWHERE_SERVICE_HOST") == "(none)");
    s.pod.spec.enable_service_links = false;
    CHECK(s.value("MY_DB_SERVICE_HOST") == "(none)");
    CHECK(s.value("POD_IP") == "127.1.0.9");
}

TEST_CASE("agent: pods with a name in a service are in the environment, as they have no DNS to be in")
{
    scene s;
    model::endpoint_slice slice;
    slice.metadata = {.name = "headless", .namespace_ = "shop"};
    slice.metadata.labels[std::string(model::service_name_label)] = "headless";
    slice.endpoints = {{.addresses = {"127.1.0.4"}, .hostname = "db-0"}, {.addresses = {"127.1.0.5"}}};
    s.put(slice);
    CHECK(s.value("DB_0_HEADLESS_HOST") == "127.1.0.4");
    CHECK(s.value("_HEADLESS_HOST") == "(none)");
    s.pod.spec.enable_service_links = false;
    CHECK(s.value("DB_0_HEADLESS_HOST") == "(none)");
}

TEST_CASE(
    "agent: a mount leads to a claim, to the pod's own or to the machine's files, or says what is in the way")
{
    scene s;
    model::persistent_volume_claim claim;
    claim.metadata = {.name = "data-db-0", .namespace_ = "shop"};
    s.put(claim);
    auto const volume = [&](std::string name) -> model::volume& {
        auto& all = s.pod.spec.volumes.edit();
        all.push_back({.name = std::move(name)});
        return all.back();
    };
    volume("data").persistent_volume_claim.edit().claim_name = "data-db-0";
    volume("lost").persistent_volume_claim.edit().claim_name = "data-db-1";
    volume("scratch").empty_dir = model::empty_dir_volume_source{};
    volume("memory").empty_dir.edit().medium = "Memory";
    volume("small").empty_dir.edit().size_limit = quantity::parse("1Mi").value();
    volume("machine").host_path.edit() = {.path = "/srv", .type = "DirectoryOrCreate"};
    volume("socket").host_path.edit() = {.path = "/run/x", .type = "Socket"};
    volume("settings").config_map.edit().name = "settings";
    using from = agent::mount::source;
    struct row {
        model::volume_mount asked;
        agent::mount expected;
        std::string wrong{};
    };
    for (auto const& r : {
             row{{"data", "/data", "a/b", true}, {from::claim, "data-db-0", "/data", "a/b", true}},
             row{{"data", "data//"}, {from::claim, "data-db-0", "/data"}},
             row{{"scratch", "/tmp/x"}, {from::scratch, "scratch", "/tmp/x"}},
             row{{"machine", "/srv"}, {from::new_host, "/srv", "/srv"}},
             row{{"lost", "/data"}, {},
                 "spec.containers[0].volumeMounts[0].volume.persistentVolumeClaim.claimName: there is no "
                 "PersistentVolumeClaim named data-db-1"},
             row{{"data", "/"}, {},
                 "spec.containers[0].volumeMounts[0].mountPath: nothing can be mounted over everything"},
             row{{"none", "/data"}, {},
                 "spec.containers[0].volumeMounts[0].name: no such volume in spec.volumes"},
             row{{"memory", "/m"}, {},
                 "spec.containers[0].volumeMounts[0].volume.emptyDir.medium: only the default medium, a "
                 "directory on disk"},
             row{{"small", "/m"}, {},
                 "spec.containers[0].volumeMounts[0].volume.emptyDir.sizeLimit: no limit can be kept: leave "
                 "it out"},
             row{{"socket", "/m"}, {},
                 "spec.containers[0].volumeMounts[0].volume.hostPath.type: expected Directory, "
                 "DirectoryOrCreate or nothing"},
             row{{"settings", "/m"}, {},
                 "spec.containers[0].volumeMounts[0].volume.configMap: files of ConfigMaps, Secrets and the "
                 "downward API are not made yet: use env or envFrom"},
         }) {
        CAPTURE(r.asked.name);
        CAPTURE(r.asked.mount_path);
        s.main().volume_mounts = {r.asked};
        auto const c = s.configure();
        CHECK((c ? "" : c.error().text()) == r.wrong);
        if (c)
            CHECK(c->mounts == std::vector<agent::mount>{r.expected});
    }
}

TEST_CASE("agent: downward fields say what the pod is and where it runs")
{
    struct row {
        char const* path;
        char const* value;
    };
    for (auto const& r : {row{"metadata.name", "web-1"}, row{"metadata.namespace", "shop"},
             row{"metadata.labels['app']", "web"}, row{"metadata.labels['none']", ""},
             row{"metadata.annotations['a']", ""}, row{"spec.nodeName", "a"},
             row{"status.podIP", "127.1.0.9"}, row{"status.hostIP", "10.0.0.1"}}) {
        CAPTURE(r.path);
        scene s;
        s.env("X", {.field_ref = model::object_field_selector{.field_path = r.path}});
        CHECK(s.value("X") == r.value);
    }
    scene s;
    s.env("UID", {.field_ref = model::object_field_selector{.field_path = "metadata.uid"}});
    CHECK(s.value("UID").size() == 36);
    for (auto const* const wrong : {"spec.replicas", "metadata.labels", "metadata.labels['", ""}) {
        CAPTURE(wrong);
        scene bad;
        bad.env("X", {.field_ref = model::object_field_selector{.field_path = wrong}});
        auto const c = bad.configure();
        REQUIRE_FALSE(c);
        CHECK(c.error().code == errc::invalid);
        CHECK(c.error().path == "spec.containers[0].env[0].valueFrom.fieldRef.fieldPath");
    }
}

TEST_CASE("agent: resource fields count in the divisor's units, rounded up")
{
    struct row {
        char const* resource;
        char const* divisor;
        char const* value;
    };
    for (auto const& r : {row{"requests.cpu", nullptr, "2"}, row{"requests.cpu", "1m", "1500"},
             row{"requests.memory", nullptr, "0"}, row{"limits.memory", "1Mi", "8192"},
             row{"limits.memory", "0", "8589934592"}}) {
        CAPTURE(r.resource);
        scene s;
        model::resource_field_selector ref{.resource = r.resource};
        if (r.divisor)
            ref.divisor = quantity::parse(r.divisor).value();
        s.env("X", {.resource_field_ref = ref});
        CHECK(s.value("X") == r.value);
    }
    scene s;
    s.env("X",
        {.resource_field_ref =
                model::resource_field_selector{.container_name = "nobody", .resource = "limits.cpu"}});
    CHECK_FALSE(s.configure());
    scene t;
    t.env("X", {.resource_field_ref = model::resource_field_selector{.resource = "cpu"}});
    CHECK_FALSE(t.configure());
}

TEST_CASE("agent: ConfigMaps and Secrets are looked up; what is missing is named, never shown")
{
    scene s;
    s.env("LEVEL", {.config_map_key_ref = model::key_selector{"settings", "LEVEL", {}}});
    s.env("TOKEN", {.secret_key_ref = model::key_selector{"key", "TOKEN", {}}});
    s.env("MAYBE", {.config_map_key_ref = model::key_selector{"nothing", "x", true}});
    CHECK(s.value("LEVEL") == "info");
    CHECK(s.value("TOKEN") == "s3cret");
    CHECK(s.value("MAYBE") == "(none)");

    struct row {
        char const* name;
        model::env_var_source from;
        char const* path;
    };
    for (auto const& r : {row{"no ConfigMap", {.config_map_key_ref = model::key_selector{"none", "x", {}}},
                              "spec.containers[0].env[0].valueFrom.configMapKeyRef.name"},
             row{"no key", {.config_map_key_ref = model::key_selector{"settings", "x", {}}},
                 "spec.containers[0].env[0].valueFrom.configMapKeyRef.key"},
             row{"no key in the Secret", {.secret_key_ref = model::key_selector{"key", "x", false}},
                 "spec.containers[0].env[0].valueFrom.secretKeyRef.key"},
             row{"nothing named", {}, "spec.containers[0].env[0].valueFrom"}}) {
        CAPTURE(r.name);
        scene bad;
        bad.env("X", r.from);
        auto const c = bad.configure();
        REQUIRE_FALSE(c);
        CHECK(c.error().path == r.path);
        CHECK(c.error().text().find("s3cret") == std::string::npos);
    }
}

TEST_CASE("agent: envFrom takes whole objects with a prefix, and env wins over them")
{
    scene s;
    s.main().env_from = {{.prefix = "S_", .config_map_ref = model::env_source{"settings", {}}},
        {.secret_ref = model::env_source{"key", {}}}, {.secret_ref = model::env_source{"none", true}}};
    s.env("S_SHOUT", "yes");
    CHECK(s.value("S_LEVEL") == "info");
    CHECK(s.value("S_SHOUT") == "yes");
    CHECK(s.value("TOKEN") == "s3cret");
    CHECK(s.value("S_not a name") == "(none)");
    s.main().env_from.push_back({.config_map_ref = model::env_source{"none", {}}});
    auto const c = s.configure();
    REQUIRE_FALSE(c);
    CHECK(c.error().path == "spec.containers[0].envFrom[3].configMapRef.name");
}

TEST_CASE("agent: $(NAME) stands for what came before, $$ for a dollar sign, anything else for itself")
{
    struct row {
        char const* text;
        char const* value;
    };
    for (auto const& r : {row{"$(A)/x", "one/x"}, row{"$(LATER)", "$(LATER)"}, row{"$$(A)", "$(A)"},
             row{"$$$(A)", "$one"}, row{"$A", "$A"}, row{"$(A", "$(A"}, row{"$", "$"}, row{"$()", "$()"},
             row{"$(MY_DB_SERVICE_HOST):$(POD_IP)", "127.1.240.1:127.1.0.9"}, row{"$($(A))", "$($(A))"},
             row{"$(A)$$($(A)$($(A", "one$(one$($(A"}, row{"$()$(A)", "$()one"}}) {
        CAPTURE(r.text);
        scene s;
        s.env("A", "one");
        s.env("X", r.text);
        s.env("LATER", "two");
        CHECK(s.value("X") == r.value);
    }
    std::string unclosed;
    for (int i = 0; i < 1'000'000; ++i)
        unclosed += "$(";
    scene hostile;
    hostile.env("X", unclosed);
    CHECK(hostile.value("X") == unclosed);
    scene s;
    s.env("PORT", "80");
    s.main().command = {"/bin/web", "--listen=$(POD_IP):$(PORT)"};
    s.main().args = {"$(NONE)", "$$(PORT)"};
    auto const c = s.configure();
    REQUIRE(c);
    CHECK(c->command == std::vector<std::string>{"/bin/web", "--listen=127.1.0.9:80"});
    CHECK(c->args == std::vector<std::string>{"$(NONE)", "$(PORT)"});
}

}  // namespace
