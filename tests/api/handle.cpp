#include <podium/api.hpp>
#include <podium/controllers.hpp>
#include <podium/reconcile/memory_store.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <string>

using namespace podium;
using api::json;
using api::method;

namespace {

struct cluster {
    reconcile::memory_store store{};
    reconcile::view<> view{};
    api::server server{model::default_scheme(), {api::service_addresses("127.9.255."), {}, 1 << 20}};
    time_point now{std::chrono::hours(1)};

    cluster()
    {
        model::namespace_ ns;
        ns.metadata.name = "default";
        reconcile::plan p;
        p.create(ns);
        (void)store.commit(p.whole());
        pull();
    }
    void pull()
    {
        auto const news = store.changes(view.at()).value();
        for (auto const& c : news)
            view.apply(c, now);
    }
    std::pair<int, json> call(method m, std::string target, json const& body = nullptr, std::string type = {})
    {
        api::request r{m, std::move(target), std::move(type), body.is_null() ? "" : body.dump()};
        auto a = server.handle(view, r, now);
        api::response out;
        if (auto* w = std::get_if<api::write>(&a)) {
            auto const c = store.commit(w->what.whole());
            out = server.finish(*w, c);
            pull();
        } else {
            out = std::get<api::response>(a);
        }
        return {out.code, json::parse(out.body)};
    }
};

json config_map(std::string const& name, std::string const& value = "1")
{
    return {{"apiVersion", "v1"}, {"kind", "ConfigMap"},
        {"metadata", {{"name", name}, {"labels", {{"app", name}}}}}, {"data", {{"key", value}}}};
}
std::string const maps = "/api/v1/namespaces/default/configmaps";

}  // namespace

TEST_CASE("api: create, get, list, update, patch, delete, as Kubernetes answers")
{
    cluster c;
    auto [code, made] = c.call(method::post, maps, config_map("a"));
    CHECK(code == 201);
    CHECK(made["kind"] == "ConfigMap");
    CHECK(made["metadata"]["uid"].get<std::string>().size() == 36);
    CHECK(made["metadata"]["creationTimestamp"] == "1970-01-01T01:00:00Z");
    CHECK(c.call(method::post, maps, config_map("a")).second["reason"] == "AlreadyExists");
    CHECK(c.call(method::get, maps + "/a").second == made);
    CHECK(c.call(method::post, maps, config_map("b")).first == 201);
    auto const list = c.call(method::get, maps).second;
    CHECK(list["kind"] == "ConfigMapList");
    CHECK(list["items"].size() == 2);
    CHECK(c.call(method::get, "/api/v1/configmaps?labelSelector=app%3Db").second["items"].size() == 1);
    CHECK(c.call(method::get, maps + "?fieldSelector=metadata.name%3Da").second["items"].size() == 1);

    auto next = made;
    next["data"]["key"] = "2";
    auto const [ok, updated] = c.call(method::put, maps + "/a", next);
    INFO(updated.dump());
    REQUIRE(ok == 200);
    CHECK(updated["metadata"]["uid"] == made["metadata"]["uid"]);
    CHECK(updated["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]);
    CHECK(c.call(method::put, maps + "/a", next).second["reason"] == "Conflict");
    auto const patched =
        c.call(method::patch, maps + "/a", {{"data", {{"more", "x"}}}}, "application/merge-patch+json");
    INFO(patched.second.dump());
    REQUIRE(patched.first == 200);
    CHECK(patched.second["data"] == json{{"key", "2"}, {"more", "x"}});
    CHECK(c.call(method::delete_, maps + "/a").first == 200);
    CHECK(c.call(method::get, maps + "/a").first == 404);
}

TEST_CASE("api: what is wrong is answered with a Status that names the field")
{
    struct row {
        char const* name;
        method m;
        std::string target;
        json body;
        int code;
        char const* reason;
        char const* field;
    };
    auto bad_replicas = json::parse(
        R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"replicas":-1,
        "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})");
    auto unknown = config_map("a");
    unknown["dat"] = json::object();
    auto elsewhere = config_map("a");
    elsewhere["metadata"]["namespace"] = "nowhere";
    auto upper = config_map("A");
    for (auto const& r : {
             row{"no such path", method::get, "/nowhere", nullptr, 404, "NotFound", nullptr},
             row{"no such kind", method::get, "/api/v1/gadgets", nullptr, 404, "NotFound", nullptr},
             row{"no such object", method::get, maps + "/x", nullptr, 404, "NotFound", nullptr},
             row{"bad escape", method::get, "/api/v1/%zz", nullptr, 400, "Invalid", "path"},
             row{"escape at the end", method::get, "/api/v1/a%2", nullptr, 400, "Invalid", "path"},
             row{"bad selector", method::get, maps + "?labelSelector=a+in", nullptr, 400, "BadRequest",
                 "labelSelector"},
             row{"bad revision", method::get, maps + "?watch=1&resourceVersion=x", nullptr, 400, "BadRequest",
                 "resourceVersion"},
             row{"unknown field", method::post, maps, unknown, 422, "Invalid", "dat"},
             row{"bad name", method::post, maps, upper, 422, "Invalid", "metadata.name"},
             row{"out of range", method::post, "/apis/apps/v1/namespaces/default/deployments", bad_replicas,
                 422, "Invalid", "spec.replicas"},
             row{"the wrong kind", method::post, maps, bad_replicas, 400, "BadRequest", "kind"},
             row{"no such namespace", method::post, "/api/v1/configmaps", elsewhere, 404, "NotFound",
                 "metadata.namespace"},
             row{"not JSON", method::post, maps, "text", 400, "BadRequest", nullptr},
         }) {
        CAPTURE(r.name);
        cluster c;
        auto const before = c.store.at();
        auto const [code, status] = c.call(r.m, r.target, r.body);
        CHECK(code == r.code);
        CHECK(status["kind"] == "Status");
        CHECK(status["reason"] == r.reason);
        if (r.field) {
            REQUIRE(status["details"].contains("causes"));
            CHECK(status["details"]["causes"][0]["field"] == r.field);
        }
        CHECK(c.store.at() == before);
    }
}

TEST_CASE("api: a pod's log is that of one run of one container, and why there is none is said in "
          "Kubernetes' words")
{
    cluster c;
    auto const create = [&](std::string const& name, std::string const& inits, std::string const& statuses) {
        auto pod = model::decode_text<model::pod>(R"({"metadata":{"name":")" + name +
            R"(","namespace":"default"},"spec":{"nodeName":"n1",)" + inits +
            R"("containers":[{"name":"a","image":"i"}]},"status":{"containerStatuses":[)" + statuses + "]}}");
        REQUIRE_MESSAGE(pod, pod.error().text());
        if (name == "many")
            pod->spec.containers.edit().push_back({.name = "b", .image = "i"});
        if (name == "nowhere")
            pod->spec.node_name.clear();
        reconcile::plan p;
        p.create(*pod);
        REQUIRE(c.store.commit(p.whole()).outcome);
        c.pull();
    };
    auto const status = [](std::string const& state, std::string const& last = "{}",
                            std::string const& id = "") {
        return R"({"name":"a","image":"i","ready":false,"restartCount":0,"containerID":")" + id +
            R"(","state":)" + state + R"(,"lastState":)" + last + "}";
    };
    std::string const ended1 = R"({"terminated":{"exitCode":1,"containerID":"a_1"}})";
    std::string const running = R"({"running":{}})";
    create("runs", "", status(running, ended1, "a_2"));
    create("crashed", "", status(R"({"waiting":{"reason":"CrashLoopBackOff"}})", ended1));
    create("done", "", status(R"({"terminated":{"exitCode":0,"containerID":"a_1"}})"));
    create("unstarted", "", status(R"({"terminated":{"exitCode":128}})"));
    create("creating", "", status(R"({"waiting":{"reason":"ContainerCreating"}})"));
    create("imageless", "", status(R"({"waiting":{"reason":"ImagePullBackOff"}})"));
    create("unseen", "", "");
    create("nowhere", "", "");
    create("many", R"("initContainers":[{"name":"i","image":"i"}],)", status(running, "{}", "a_1"));
    struct row {
        std::string target;
        std::string expected;  // the run's id, or the code and the words
    };
    for (auto const& r :
        {
            row{"runs/log", "a_2"},
            row{"runs/log?container=a&previous=true", "a_1"},
            row{"crashed/log", "a_1"},
            row{"crashed/log?previous=1", "a_1"},
            row{"done/log?previous=false", "a_1"},
            row{"done/log?previous=true", R"(400 previous terminated container "a" in pod "done" not found)"},
            row{"unstarted/log", R"(400 container "a" in pod "unstarted" is terminated)"},
            row{"creating/log",
                R"(400 container "a" in pod "creating" is waiting to start: ContainerCreating)"},
            row{"imageless/log",
                R"(400 container "a" in pod "imageless" is waiting to start: trying and failing to pull image)"},
            row{"unseen/log", R"(400 container "a" in pod "unseen" is not available)"},
            row{"nowhere/log", ""},
            row{"many/log",
                "400 a container name must be specified for pod many, choose one of: [a b] or one of the "
                "init "
                "containers: [i]"},
            row{"many/log?container=a", "a_1"},
            row{"many/log?container=c", "400 container c is not valid for pod many"},
            row{"none/log", "404 pods \"none\" not found"},
            row{"runs/log?tailLines=-1", "422 tailLines: must be greater than or equal to 0"},
            row{"runs/log?tailLines=1e3", "422 tailLines: expected a whole number"},
            row{"runs/log?limitBytes=0", "422 limitBytes: must be greater than 0"},
            row{"runs/log?sinceSeconds=0", "422 sinceSeconds: must be greater than 0"},
            row{"runs/log?sinceTime=yesterday",
                "422 sinceTime: expected a time such as 2026-01-31T09:30:00Z"},
            row{"runs/log?sinceTime=2026-01-31T09:30:00Z&sinceSeconds=1",
                "422 sinceTime: at most one of `sinceTime` or `sinceSeconds` may be specified"},
            row{"runs/log?stream=Stderr", "422 stream: only All is supported"},
        }) {
        CAPTURE(r.target);
        auto const a = c.server.handle(
            c.view, {method::get, "/api/v1/namespaces/default/pods/" + r.target, {}, {}}, c.now);
        if (auto const* const found = std::get_if<api::logs>(&a)) {
            CHECK(found->container_id == r.expected);
            continue;
        }
        REQUIRE(std::holds_alternative<api::response>(a));
        auto const& refused = std::get<api::response>(a);
        CHECK(std::to_string(refused.code) + ' ' + json::parse(refused.body)["message"].get<std::string>() ==
            r.expected);
    }
    auto const a = c.server.handle(c.view,
        {method::get,
            "/api/v1/namespaces/default/pods/runs/"
            "log?follow=true&timestamps&tailLines=0&limitBytes=9&sinceSeconds=60",
            {}, {}},
        c.now);
    api::logs const all{"n1", "a_2", true, true, c.now - std::chrono::minutes(1), 0, 9};
    CHECK(std::get<api::logs>(a) == all);
    CHECK(c.call(method::delete_, "/api/v1/namespaces/default/pods/runs/log").first == 405);
    CHECK(c.call(method::get, maps + "/a/log").first == 404);
}

TEST_CASE("api: a service gets an address before anything needs it, and keeps it")
{
    cluster c;
    auto const service =
        json::parse(R"({"metadata":{"name":"db"},"spec":{"selector":{"app":"db"},"ports":[{"port":5432}]}})");
    auto const made = c.call(method::post, "/api/v1/namespaces/default/services", service).second;
    CHECK(made["spec"]["clusterIP"] == "127.9.255.1");
    auto next = service;
    next["spec"]["ports"][0]["port"] = 5433;
    auto const changed = c.call(method::put, "/api/v1/namespaces/default/services/db", next).second;
    CHECK(changed["spec"]["clusterIP"] == "127.9.255.1");
    auto other = service;
    other["metadata"]["name"] = "web";
    CHECK(c.call(method::post, "/api/v1/namespaces/default/services", other).second["spec"]["clusterIP"] ==
        "127.9.255.2");
}

TEST_CASE("api: deleting a namespace takes what is in it, in one transaction")
{
    cluster c;
    CHECK(c.call(method::post, "/api/v1/namespaces", {{"metadata", {{"name", "shop"}}}}).first == 201);
    CHECK(c.call(method::post, "/api/v1/namespaces/shop/configmaps", config_map("a")).first == 201);
    auto const before = number(c.store.at());
    CHECK(c.call(method::delete_, "/api/v1/namespaces/shop").first == 200);
    CHECK(number(c.store.at()) == before + 1);
    CHECK(c.call(method::get, "/api/v1/configmaps").second["items"].empty());
}

TEST_CASE("api: a watch tells what begins and ceases to match, from any revision")
{
    cluster c;
    (void)c.call(method::post, maps, config_map("a"));
    auto const a = c.server.handle(
        c.view, {method::get, "/api/v1/configmaps?watch=true&labelSelector=app%3Da", {}, {}}, c.now);
    api::watcher w(c.server, std::get<api::watch>(a));
    auto const types = [](std::string const& lines) {
        std::string out;
        for (std::size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
            out += json::parse(lines.substr(at, lines.find('\n', at) - at))["type"].get<std::string>() + ' ';
        return out;
    };
    CHECK(types(w.begin(c.view)) == "ADDED ");
    auto from = c.view.at();
    auto const news = [&] {
        auto out = types(w.events(c.store.changes(from).value()));
        from = c.view.at();
        return out;
    };
    (void)c.call(method::post, maps, config_map("b"));
    CHECK(news().empty());
    (void)c.call(method::patch, maps + "/a", {{"data", {{"key", "9"}}}}, "application/merge-patch+json");
    CHECK(news() == "MODIFIED ");
    (void)c.call(method::patch, maps + "/a", {{"metadata", {{"labels", {{"app", "z"}}}}}},
        "application/merge-patch+json");
    CHECK(news() == "DELETED ");
    (void)c.call(method::patch, maps + "/b", {{"metadata", {{"labels", {{"app", "a"}}}}}},
        "application/merge-patch+json");
    (void)c.call(method::delete_, maps + "/b");
    CHECK(news() == "ADDED DELETED ");
}

TEST_CASE("api: apply keeps what others wrote, removes what its author dropped, and twice is once")
{
    cluster c;
    auto const put = [&](json const& manifest) {
        auto const live = c.call(method::get, maps + "/a");
        auto const r = api::apply(live.first == 200 ? live.second : json(), manifest);
        if (r.outcome == api::applied::created)
            CHECK(c.call(method::post, maps, r.object).first == 201);
        else if (r.outcome == api::applied::configured)
            CHECK(c.call(method::put, maps + "/a", r.object).first == 200);
        return r.outcome;
    };
    auto manifest = config_map("a");
    manifest["data"]["drop"] = "x";
    CHECK(put(manifest) == api::applied::created);
    CHECK(put(manifest) == api::applied::unchanged);
    (void)c.call(
        method::patch, maps + "/a", {{"data", {{"other", "theirs"}}}}, "application/merge-patch+json");
    manifest["data"].erase("drop");
    CHECK(put(manifest) == api::applied::configured);
    CHECK(c.call(method::get, maps + "/a").second["data"] == json{{"key", "1"}, {"other", "theirs"}});
    CHECK(put(manifest) == api::applied::unchanged);
}

namespace {

/// A pod of the budget's, as an agent reports it.
model::pod web(std::string name, model::pod_phase phase, bool ready)
{
    model::pod p;
    p.metadata.name = std::move(name);
    p.metadata.namespace_ = "default";
    p.metadata.labels["app"] = "web";
    p.spec.node_name = "n";
    p.status.phase = phase;
    model::pod_condition c;
    c.type = "Ready";
    c.status = ready ? model::condition_status::true_ : model::condition_status::false_;
    p.status.conditions.push_back(std::move(c));
    return p;
}

struct budgeted : cluster {
    explicit budgeted(std::int32_t ready, std::int32_t must_stay = 2, json more = json::object())
    {
        for (std::int32_t i = 0; i < ready; ++i)
            put(web("web-" + std::to_string(i), model::pod_phase::running, true));
        more["minAvailable"] = must_stay;
        more["selector"] = {{"matchLabels", {{"app", "web"}}}};
        budget("web", more);
    }
    void put(model::pod p)
    {
        reconcile::plan what;
        what.create(std::move(p));
        (void)store.commit(what.whole()).outcome.value();
        pull();
    }
    void budget(std::string const& name, json const& spec)
    {
        CHECK(call(method::post, "/apis/policy/v1/namespaces/default/poddisruptionbudgets",
                  {{"metadata", {{"name", name}}}, {"spec", spec}})
                  .first == 201);
    }
    std::pair<int, json> evict(
        std::string const& name, json const& options = nullptr, std::string const& query = {})
    {
        json body = {{"apiVersion", "policy/v1"}, {"kind", "Eviction"}, {"metadata", {{"name", name}}}};
        if (!options.is_null())
            body["deleteOptions"] = options;
        return call(method::post, "/api/v1/namespaces/default/pods/" + name + "/eviction" + query, body);
    }
    reconcile::handle<model::pod> pod(std::string const& name) const
    {
        return view.get<model::pod>("default", name);
    }
    model::pod_disruption_budget_status status() const
    {
        return view.get<model::pod_disruption_budget>("default", "web")->status;
    }
};

}  // namespace

TEST_CASE("api: an eviction takes from the budget and drains the pod, in one transaction")
{
    budgeted c(3);
    auto const before = number(c.store.at());
    auto const [code, answer] = c.evict("web-0", {{"gracePeriodSeconds", 7}});
    CHECK(code == 201);
    CHECK(answer["status"] == "Success");
    CHECK(number(c.store.at()) == before + 1);
    auto const pod = c.pod("web-0");
    REQUIRE(pod->status.drain);
    CHECK(pod->status.drain->reason == "Evicted");
    CHECK(pod->status.drain->grace_period_seconds == 7);
    auto const* const told = model::find_condition(pod->status.conditions, "DisruptionTarget");
    REQUIRE(told);
    CHECK(told->reason == "EvictionByEvictionAPI");
    CHECK(c.status().disruptions_allowed == 0);
    CHECK(c.status().disrupted_pods.contains("web-0"));
    CHECK(c.status().conditions.at(0).reason == "InsufficientPods");

    CHECK(c.evict("web-0").first == 201);  // it is on its way
    CHECK(number(c.store.at()) == before + 1);

    auto const [refused, why] = c.evict("web-1");
    CHECK(refused == 429);
    CHECK(why["reason"] == "TooManyRequests");
    CHECK(why["message"] == "Cannot evict pod as it would violate the pod's disruption budget.");
    CHECK(why["details"]["causes"] ==
        json::array({{{"reason", "DisruptionBudget"},
            {"message", "The disruption budget web needs 2 healthy pods and has 2 currently"}}}));
    CHECK(number(c.store.at()) == before + 1);
    auto const read = api::error_of({refused, why.dump()});
    CHECK(read.code == errc::exhausted);
    CHECK(read.text() ==
        "Cannot evict pod as it would violate the pod's disruption budget.\n"
        "The disruption budget web needs 2 healthy pods and has 2 currently");
}

TEST_CASE("api: two evictions at once cannot both take the last allowance")
{
    budgeted c(3);
    auto const ask = [&](std::string const& name) {
        return std::get<api::write>(c.server.handle(
            c.view, {method::post, "/api/v1/namespaces/default/pods/" + name + "/eviction", {}, {}}, c.now));
    };
    auto const one = ask("web-0"), other = ask("web-1");
    CHECK(c.server.finish(one, c.store.commit(one.what.whole())).code == 201);
    REQUIRE(other.repeatable);
    auto const late = c.server.finish(other, c.store.commit(other.what.whole()));
    CHECK(late.code == 409);
    CHECK(json::parse(late.body)["reason"] == "Conflict");
    c.pull();
    CHECK(c.evict("web-1").first == 429);
    CHECK(!c.pod("web-1")->status.drain);
}

TEST_CASE("api: who is evicted without asking a budget, and who never")
{
    using phase = model::pod_phase;
    auto const always = json{{"unhealthyPodEvictionPolicy", "AlwaysAllow"}};
    struct row {
        char const* name;
        std::int32_t healthy;
        std::int32_t must_stay;
        json more;
        model::pod_phase phase;
        int code;
        bool gone;  ///< at once
        bool drains;
    };
    for (auto const& r : {
             row{"a pod that has not begun", 0, 2, json::object(), phase::pending, 201, false, true},
             row{"a pod that has ended", 0, 2, json::object(), phase::failed, 201, true, false},
             row{"a broken one while enough are healthy", 2, 2, json::object(), phase::running, 201, false,
                 true},
             row{"a broken one while too few are healthy", 1, 2, json::object(), phase::running, 429, false,
                 false},
             row{"a broken one when nobody must stay", 0, 0, json::object(), phase::running, 429, false,
                 false},
             row{"a broken one, always allowed", 0, 2, always, phase::running, 201, false, true},
         }) {
        CAPTURE(r.name);
        budgeted c(r.healthy, r.must_stay, r.more);
        c.put(web("odd", r.phase, false));
        CHECK(c.evict("odd").first == r.code);
        auto const pod = c.pod("odd");
        REQUIRE(!pod == r.gone);
        if (pod)
            CHECK(pod->status.drain.has_value() == r.drains);
        CHECK(c.status().disrupted_pods.empty());
    }

    budgeted two(3);
    two.budget("second", {{"maxUnavailable", 1}, {"selector", json::object()}});
    auto const [code, answer] = two.evict("web-0");
    CHECK(code == 500);
    CHECK(answer["message"] ==
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");

    budgeted orphans(3);
    auto other = web("other", phase::running, true);
    other.metadata.labels["app"] = "other";
    orphans.put(other);
    CHECK(orphans.evict("other").first == 201);  // no budget is about it
    orphans.budget("scaled", {{"maxUnavailable", 1}, {"selector", {{"matchLabels", {{"app", "late"}}}}}});
    auto late = web("late", phase::running, true);
    late.metadata.labels["app"] = "late";
    late.metadata.owner_references.push_back({"apps/v1", "ReplicaSet", "gone", "1", true, {}});
    orphans.put(late);
    CHECK(orphans.evict("late").second["details"]["causes"][0]["message"] ==
        "The disruption budget scaled does not allow evicting pods currently because it failed sync: found "
        "no "
        "controllers for pod \"late\"");
}

TEST_CASE("api: what an eviction may say, and what it may not")
{
    budgeted c(3);
    auto const uid = c.pod("web-0").uid();
    auto const before = c.store.at();
    CHECK(c.evict("web-0", nullptr, "?dryRun=All").first == 201);
    CHECK(c.evict("web-0", {{"dryRun", {"All"}}}).first == 201);
    CHECK(c.evict("nobody").first == 404);
    CHECK(c.evict("web-0", nullptr, "?dryRun=Some").first == 400);
    CHECK(c.evict("web-0", {{"dryRun", 1}}).first == 400);
    CHECK(c.evict("web-0", {{"gracePeriodSeconds", "7"}}).first == 400);
    CHECK(c.evict("web-0", 5).first == 400);
    CHECK(c.evict("web-0", {{"preconditions", {{"uid", "x"}}}}).second["reason"] == "Conflict");
    CHECK(c.evict("web-0", {{"preconditions", 7}}).first == 409);
    auto const path = "/api/v1/namespaces/default/pods/web-0/eviction";
    CHECK(c.call(method::post, path, {{"kind", "Pod"}}).first == 400);
    CHECK(c.call(method::post, path, {{"metadata", {{"name", "web-1"}}}}).first == 400);
    CHECK(c.call(method::post, path, {{"metadata", 5}}).first == 400);
    CHECK(c.call(method::post, path, "text").first == 400);
    CHECK(c.call(method::get, path).first == 405);
    CHECK(c.call(method::post, "/api/v1/nodes/n/eviction").first == 404);
    CHECK(c.store.at() == before);

    CHECK(c.evict("web-0", {{"preconditions", {{"uid", uid}}}, {"gracePeriodSeconds", 0}}).first == 201);
    CHECK(!c.pod("web-0"));
    CHECK(c.status().disruptions_allowed == 0);
    auto const resources = c.call(method::get, "/api/v1").second["resources"];
    CHECK(std::ranges::any_of(resources, [](json const& r) {
        return r["name"] == "pods/eviction" && r["kind"] == "Eviction" && r["group"] == "policy";
    }));
}

TEST_CASE("api: a deletion may say how long a pod has to end")
{
    budgeted c(2);
    std::string const pods = "/api/v1/namespaces/default/pods/";
    CHECK(c.call(method::delete_, pods + "web-0?gracePeriodSeconds=9").first == 200);
    CHECK(c.pod("web-0")->status.drain->grace_period_seconds == 9);
    CHECK(c.call(method::delete_, pods + "web-1?gracePeriodSeconds=soon").first == 400);
    CHECK(!c.pod("web-1")->status.drain);
    CHECK(c.call(method::delete_, pods + "web-1", {{"gracePeriodSeconds", 0}}).first == 200);
    CHECK(!c.pod("web-1"));
}

TEST_CASE("api: a size that a manifest does not name, or names no more, is left as it is")
{
    json manifest{{"kind", "Deployment"}, {"apiVersion", "apps/v1"}, {"metadata", {{"name", "web"}}},
        {"spec", {{"replicas", 2}, {"paused", true}}}};
    auto live = api::apply({}, manifest).object;
    live["spec"]["replicas"] = 5;  // an autoscaler's
    manifest["spec"].erase("replicas");
    manifest["spec"].erase("paused");
    live = api::apply(live, manifest).object;
    CHECK(live["spec"] == json{{"replicas", 5}});
    live["spec"]["replicas"] = 7;
    CHECK(api::apply(live, manifest).outcome == api::applied::unchanged);
    manifest["spec"]["replicas"] = 3;
    CHECK(api::apply(live, manifest).object["spec"]["replicas"] == 3);
}
