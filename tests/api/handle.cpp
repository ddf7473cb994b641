#include <podium/api.hpp>
#include <podium/controllers.hpp>
#include <podium/reconcile/memory_store.hpp>

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
