// A whole cluster for real: the shop's web service as processes, requests through its Service.
#include "world.hpp"

#include <podium/cluster.hpp>
#include <podium/net/api_client.hpp>
#include <podium/net/http_client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace podium;
using namespace podium::tests::real;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using model::json;

/// A StatefulSet of the shop's database, and what is asked of it.
struct database {
    world& w;

    void create(int replicas) const
    {
        w.create("/api/v1/namespaces/default/services",
            json{{"metadata", {{"name", "db"}}},
                {"spec",
                    {{"selector", {{"app", "db"}}}, {"clusterIP", "None"},
                        {"ports", {{{"name", "http"}, {"port", 5432}}}}}}});
        json const container = {{"name", "db"}, {"image", "shop/db:1.0"},
            {"env", {{{"name", "DATA_DIR"}, {"value", "/data"}}}},
            {"volumeMounts", {{{"name", "data"}, {"mountPath", "/data"}}}},
            {"readinessProbe", {{"httpGet", {{"path", "/healthz"}, {"port", 5432}}}, {"periodSeconds", 1}}}};
        json const claim = {{"metadata", {{"name", "data"}}},
            {"spec",
                {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}};
        w.create("/apis/apps/v1/namespaces/default/statefulsets",
            json{{"metadata", {{"name", "db"}}},
                {"spec",
                    {{"replicas", replicas}, {"serviceName", "db"},
                        {"selector", {{"matchLabels", {{"app", "db"}}}}},
                        {"volumeClaimTemplates", json::array({claim})},
                        {"template",
                            {{"metadata", {{"labels", {{"app", "db"}}}}},
                                {"spec",
                                    {{"containers", json::array({container})},
                                        {"terminationGracePeriodSeconds", 5}}}}}}}});
    }
    [[nodiscard]] reconcile::handle<model::pod> pod(std::string const& name) const
    {
        return w.c.view().get<model::pod>("default", name);
    }
    /// The pod is ready, and another one than `before`.
    [[nodiscard]] bool serves(std::string const& name, std::string const& before = {}) const
    {
        return w.until([&] {
            auto const p = pod(name);
            return p && p.uid() != before && model::is_ready(*p) && controllers::is_active(*p);
        });
    }
    [[nodiscard]] std::string address(std::string const& name) const { return pod(name)->status.pod_ip; }
    [[nodiscard]] unsigned order(std::string const& name, std::string const& id) const
    {
        net::http_request r(http::verb::put, "/orders/" + id, 11);
        r.body() = "tea";
        auto const got = w.run(net::http_call(net::address::tcp(address(name), 5432), std::move(r)));
        REQUIRE_MESSAGE(got, got.error().text());
        return got->result_int();
    }
    [[nodiscard]] json ids(std::string const& name) const
    {
        net::http_request r(http::verb::get, "/orders", 11);
        auto const got = w.run(net::http_call(net::address::tcp(address(name), 5432), std::move(r)));
        REQUIRE_MESSAGE(got, got.error().text());
        return json::parse(got->body()).at("ids");
    }
};

/// Pods that run a script, and what they print.
struct printers {
    world& w;

    void create(std::string const& name, std::string const& script, char const* restarts = "Never") const
    {
        json const container = {
            {"name", "main"}, {"image", "shop/web:1.0"}, {"command", {"/bin/sh", "-c", script}}};
        w.create("/api/v1/namespaces/default/pods",
            json{{"metadata", {{"name", name}}},
                {"spec",
                    {{"containers", json::array({container})}, {"restartPolicy", restarts},
                        {"terminationGracePeriodSeconds", 1}}}});
    }
    [[nodiscard]] model::pod_status status(std::string const& name) const
    {
        auto const pod = w.c.view().get<model::pod>("default", name);  // none: the view has not come so far
        return pod ? pod->status : model::pod_status{};
    }
    [[nodiscard]] bool done(std::string const& name) const
    {
        return w.until([&] { return status(name).phase == model::pod_phase::succeeded; });
    }
    [[nodiscard]] std::string target(std::string const& name, std::string const& query = {}) const
    {
        return "/api/v1/namespaces/default/pods/" + name + "/log?" + query;
    }
    [[nodiscard]] api::response log(std::string const& name, std::string const& query = {}) const
    {
        return w.call(api::method::get, target(name, query));
    }
    [[nodiscard]] bool prints(std::string const& name, std::string const& text) const
    {
        return w.until([&] { return log(name).body == text; });
    }
};

}  // namespace

TEST_CASE("cluster: what a container printed is there byte for byte, with times, by lines and by bytes")
{
    world w;
    printers const p{w};
    p.create("one", R"(echo first; printf '\001\377\033[31m\r\n\n'; printf 'no end')");
    REQUIRE(p.done("one"));
    CHECK(p.log("one").body == "first\n\001\377\033[31m\r\n\nno end\n");
    CHECK(p.log("one", "tailLines=2").body == "\nno end\n");
    CHECK(p.log("one", "tailLines=0").body.empty());
    CHECK(p.log("one", "limitBytes=3").body == "fir");
    CHECK(p.log("one", "sinceTime=2200-01-01T00:00:00Z").body.empty());
    CHECK(p.log("one", "sinceSeconds=86400&tailLines=1").body == "no end\n");
    auto const stamped = p.log("one", "timestamps=true&tailLines=1").body;
    REQUIRE(stamped.size() == 38);
    model::time at;
    CHECK(model::from_text(stamped.substr(0, 30), at));
    CHECK(stamped.substr(30) == " no end\n");
    auto const lines = w.run(w.c.logs("default", "one", "main", {.tail = 1}));
    REQUIRE(lines);
    CHECK(*lines == std::vector<runtime::log_line>{{at.at, runtime::log_stream::out, "no end"}});
    CHECK(w.run(w.c.logs("default", "none")).error().code == errc::not_found);
    CHECK(w.run(w.c.logs("default", "one", "other")).error().code == errc::invalid);
    w.stop();
}

TEST_CASE("cluster: the run before the latest is kept with its log, and no other")
{
    world w;
    printers const p{w};
    auto const file = w.folder + "/runs";
    p.create("again",
        "echo x >> " + file + "; n=$(wc -l < " + file +
            "); echo run $n; [ $n = 4 ] && exec sleep 1000; exit 1",
        "Always");
    REQUIRE(p.prints("again", "run 4\n"));
    REQUIRE(w.until([&] { return p.log("again", "previous=true").body == "run 3\n"; }));
    std::size_t kept = 0;
    for (auto const* const name : {"node-1", "node-2"})
        kept += w.c.node(name)->runtime().list().size();
    CHECK(kept == 2);
    // A log whose node is gone cannot be read.
    auto const on = w.c.view().get<model::pod>("default", "again")->spec.node_name;
    w.c.node(on)->silence(true);
    CHECK(p.log("again").code == 503);
    w.c.node(on)->silence(false);
    CHECK(p.log("again").code == 200);
    w.stop();
}

TEST_CASE(
    "cluster: a log is followed as it grows and ends with its container; who reads slowly holds nothing up")
{
    world w;
    printers const p{w};
    auto const file = w.folder + "/go";
    p.create("slow", "echo one; while [ ! -e " + file + " ]; do sleep 0.02; done; echo two; printf three");
    REQUIRE(p.prints("slow", "one\n"));
    CHECK(p.log("slow", "follow=true").code == 405);  // no one answer
    net::api_client const client(net::address::unix_socket(w.c.how().socket));
    std::string seen;
    auto const followed = w.run(client.watch(p.target("slow", "follow=true"), [&](std::string const& line) {
        seen += line + '|';
        if (line == "one")
            std::ofstream(file) << "go";
        return true;
    }));
    CHECK(followed);
    CHECK(seen == "one|two|three|");

    // It prints more than is kept and more than a socket takes, to somebody who reads after its end.
    p.create("flood",
        "echo begin; i=0; while [ $i -lt 15 ]; do head -c 1000000 /dev/zero | tr '\\0' x | fold -w 999; "
        "echo; i=$((i+1)); done; echo end");
    REQUIRE(w.until([&] { return p.log("flood", "limitBytes=5").code == 200; }));
    auto const read = [&]() -> asio::awaitable<std::size_t> {
        net::http_request r(http::verb::get, p.target("flood", "follow=true"), 11);
        auto lines =
            co_await net::http_lines::open(net::address::unix_socket(w.c.how().socket), std::move(r));
        REQUIRE(lines);
        while (p.status("flood").phase != model::pod_phase::succeeded)
            co_await w.c.changed();
        std::size_t n = 0;
        std::string last;
        for (;; ++n) {
            auto line = co_await lines->next();
            REQUIRE(line);
            if (!*line)
                break;
            last = **std::move(line);
        }
        CHECK(last == "end");
        co_return n;
    };
    auto const got = w.run(read());
    CHECK(got > 1000);
    CHECK(got < 15'000);
    w.stop();
}

TEST_CASE("cluster: a deployment's pods run, answer through their service, and are gone after the stop")
{
    world w;
    w.web(2);
    auto const first = w.processes();
    CHECK(first.size() == 2);
    CHECK(w.pods()[0]->status.pod_ip != w.pods()[1]->status.pod_ip);
    CHECK(w.pods()[0]->spec.node_name != w.pods()[1]->spec.node_name);

    std::set<std::string> who;
    for (int i = 0; i < 6; ++i) {
        net::http_request r(http::verb::get, "/", 11);
        auto const answer = w.run(net::http_call(w.service(), std::move(r)));
        REQUIRE_MESSAGE(answer, answer.error().text());
        who.insert(json::parse(answer->body()).at("ip").get<std::string>());
    }
    CHECK(who.size() == 2);

    w.stop();
    for (auto const pid : first)
        CHECK(::kill(pid, 0) != 0);
    CHECK(::access((w.folder + "/a/podium.sock").c_str(), F_OK) != 0);
}

TEST_CASE("cluster: scaling down and up under requests loses none")
{
    world w;
    w.web(3);
    load l;
    l.start(w, 4);
    for (int const size : {1, 3, 1}) {
        auto const before = l.answered;
        w.scale(size);
        REQUIRE(
            w.until([&] { return w.pods().size() == static_cast<std::size_t>(size) && w.ready() == size; }));
        REQUIRE(w.until([&] { return l.answered > before + 20; }));
    }
    l.stop(w);
    CHECK(l.lost == std::vector<std::string>{});
    w.stop();
}

TEST_CASE("cluster: a node that is drained under requests loses none, and the budget holds")
{
    world w;
    w.web(4);
    w.create("/apis/policy/v1/namespaces/default/poddisruptionbudgets",
        json{{"metadata", {{"name", "web"}}},
            {"spec", {{"minAvailable", 3}, {"selector", {{"matchLabels", {{"app", "web"}}}}}}}});
    REQUIRE(w.until([&] {
        auto const b = w.c.view().get<model::pod_disruption_budget>("default", "web");
        return b && b->status.disruptions_allowed == 1;
    }));
    load l;
    l.start(w, 4);
    for (std::string const node : {"node-1", "node-2"}) {
        auto const unschedulable = [&](bool is) {
            w.patch("/api/v1/nodes/" + node, {{"spec", {{"unschedulable", is}}}});
        };
        auto const here = [&] {
            std::vector<std::string> names;
            for (auto const& p : w.pods())
                if (p->spec.node_name == node)
                    names.push_back(p->metadata.name);
            return names;
        };
        unschedulable(true);
        REQUIRE(!here().empty());
        auto const before = l.answered;
        int held = 0;
        REQUIRE(w.until([&] {
            for (auto const& name : here())
                held += w.call(api::method::post, "/api/v1/namespaces/default/pods/" + name + "/eviction",
                             json::object())
                            .code == 429;
            CHECK(w.ready() >= 3);
            return here().empty();
        }));
        CHECK(held > 0);
        REQUIRE(w.until([&] { return w.ready() == 4 && l.answered > before + 20; }));
        unschedulable(false);
    }
    l.stop(w);
    CHECK(l.lost == std::vector<std::string>{});
    w.stop();
}

TEST_CASE("cluster: a service grows while a process of it burns, and shrinks when it rests")
{
    world w(1, {}, {}, {.period = 200ms});
    w.web(1);
    REQUIRE(w.until([&] { return w.ready() == 1; }));
    auto const resource = [](char const* target) {
        return json{{"type", "Resource"},
            {"resource",
                {{"name", "cpu"}, {"target", {{"type", "AverageValue"}, {"averageValue", target}}}}}};
    };
    w.create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        json{{"metadata", {{"name", "web"}}},
            {"spec",
                {{"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}},
                    {"maxReplicas", 3}, {"metrics", json::array({resource("50m")})},
                    {"behavior", {{"scaleDown", {{"stabilizationWindowSeconds", 0}}}}}}}});
    auto const size = [&] { return w.c.view().get<model::deployment>("default", "web")->spec.replicas; };
    auto const hpa = [&] { return w.c.view().get<model::horizontal_pod_autoscaler>("default", "web"); };
    auto const burning = w.c.view().all<model::pod>("default").front()->status.pod_ip;
    auto const order = [&](char const* fault) {
        net::http_request r(http::verb::post, std::string("/control?fault=") + fault, 11);
        auto const got = w.run(net::http_call(net::address::tcp(burning, 8080), std::move(r)));
        REQUIRE(got);
        REQUIRE(got->result_int() / 100 == 2);
    };
    REQUIRE(w.until([&] { return hpa() && !hpa()->status.current_metrics.empty(); }));
    CHECK(size() == 1);
    order("burn");
    REQUIRE(w.until([&] { return size() == 3 && w.ready() == 3; }));
    auto const told = w.call(api::method::get, "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods");
    CHECK(told.code == 200);
    CHECK(json::parse(told.body)["items"].size() >= 1);
    CHECK(w.c.usage()->nodes().at("node-1").cpu_nano_cores > 0);
    CHECK(w.call(api::method::get, "/apis/metrics.k8s.io/v1beta1/nodes/node-1").code == 200);
    CHECK(w.call(api::method::get, "/apis/metrics.k8s.io/v1beta1/nodes/none").code == 404);
    order("none");
    REQUIRE(w.until([&] { return size() == 1; }));
    w.stop();
}

TEST_CASE("cluster: a service that sleeps at size zero is woken by its first request, which is answered")
{
    world w(1, {}, {}, {.period = 200ms});
    w.web(1);
    w.create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        json{{"metadata", {{"name", "web"}}},
            {"spec",
                {{"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}},
                    {"minReplicas", 0}, {"maxReplicas", 2},
                    {"metrics",
                        {{{"type", "Object"},
                            {"object",
                                {{"describedObject",
                                     {{"apiVersion", "v1"}, {"kind", "Service"}, {"name", "web"}}},
                                    {"metric", {{"name", "in_flight"}}},
                                    {"target", {{"type", "AverageValue"}, {"averageValue", "10"}}}}}}}},
                    {"behavior", {{"scaleDown", {{"stabilizationWindowSeconds", 0}}}}}}}});
    for (int i = 0; i < 2; ++i) {
        REQUIRE(w.until([&] {
            return w.c.view().get<model::deployment>("default", "web")->spec.replicas == 0 &&
                w.pods().empty();
        }));
        auto const got = w.run(net::http_call(
            w.service(), net::http_request(http::verb::get, "/version", 11), {.deadline = 1min}));
        REQUIRE_MESSAGE(got, got.error().text());
        CHECK(got->result_int() == 200);
    }
    w.stop();
}

TEST_CASE("cluster: an idle pod is let go as soon as its router has switched, not at a deadline")
{
    controllers::settings control;
    control.drain.deadline = 10min;  // longer than this test waits for anything
    world w(2, control);
    w.web(2);
    w.scale(1);
    CHECK(w.until([&] { return w.pods().size() == 1; }));
    w.stop();
}

TEST_CASE("cluster: a pod that has a request under way is ended after it")
{
    world w;
    w.web(1);
    std::optional<result<net::http_response>> slow;
    auto const ask = [](net::address where) -> asio::awaitable<result<net::http_response>> {
        net::http_request r(http::verb::get, "/slow?ms=3000", 11);
        co_return co_await net::http_call(where, std::move(r));
    };
    asio::co_spawn(w.io, ask(w.service()),
        [&](std::exception_ptr, result<net::http_response> answer) { slow.emplace(std::move(answer)); });
    auto const busy = [&] {
        for (auto const& [name, s] : w.c.traffic())
            for (auto const& e : s.endpoints)
                if (e.in_flight > 0)
                    return true;
        return false;
    };
    REQUIRE(w.until(busy));
    w.scale(0);
    bool told = false;  // the router said so before the answer was there
    REQUIRE(w.until([&] {
        auto const r = w.c.view().get<model::router_status>("", "router");
        told = told || (!slow && r && !r->status.in_flight.empty());
        if (!slow)
            CHECK(w.pods().size() == 1);
        return slow.has_value();
    }));
    CHECK(told);
    REQUIRE_MESSAGE(*slow, slow->error().text());
    CHECK((*slow)->result_int() == 200);
    CHECK(w.until([&] { return w.pods().empty(); }));
    w.stop();
}

TEST_CASE("cluster: a killed process is started again; the pods of a lost node move")
{
    controllers::settings control;
    control.node_grace = 2s;
    world w(2, control);
    w.web(2);
    auto const victim = w.processes().at(0);
    REQUIRE(::kill(victim, SIGKILL) == 0);
    auto const restarted = [&] {
        std::int32_t restarts = 0;
        for (auto const& p : w.pods())
            for (auto const& s : p->status.container_statuses)
                restarts += s.restart_count;
        return restarts == 1 && w.ready() == 2;
    };
    REQUIRE(w.until(restarted));

    REQUIRE(w.c.fail_node("node-1"));
    REQUIRE(w.until([&] {
        int elsewhere = 0;
        for (auto const& p : w.pods())
            elsewhere +=
                p->spec.node_name == "node-2" && model::is_ready(*p) && !p->metadata.deletion_timestamp;
        return elsewhere == 2;
    }));
    REQUIRE(w.c.recover_node("node-1"));
    auto const node_ready = [&] {
        auto const n = w.c.view().get<model::node>("", "node-1");
        auto const* const r = model::find_condition(n->status.conditions, "Ready");
        return r && r->status == model::condition_status::true_;
    };
    CHECK(w.until(node_ready));
    CHECK_FALSE(w.c.fail_node("node-9"));
    w.stop();
}

TEST_CASE("cluster: a stateful set's data outlives its process, its pod, its node and the cluster")
{
    auto const data = temporary();
    controllers::settings control;
    control.node_grace = 2s;
    {
        world w(2, control, data);
        database const db{w};
        db.create(2);
        REQUIRE(db.serves("db-0"));
        REQUIRE(db.serves("db-1"));
        auto const home = db.address("db-0");
        CHECK(db.address("db-1") != home);
        CHECK(db.order("db-0", "a1") == 201);
        CHECK(db.order("db-1", "b1") == 201);
        CHECK(db.ids("db-0") == json{"a1"});
        CHECK(db.ids("db-1") == json{"b1"});  // a directory for each
        auto const slice = w.c.view().get<model::endpoint_slice>("default", "db-5432");
        REQUIRE(slice);
        std::map<std::string, std::string> named;
        for (auto const& e : slice->endpoints)
            named[e.hostname] = e.addresses.front();
        CHECK(named == std::map<std::string, std::string>{{"db-0", home}, {"db-1", db.address("db-1")}});
        auto const claim = w.c.view().get<model::persistent_volume_claim>("default", "data-db-0");
        REQUIRE(claim);
        CHECK(claim->status.phase == model::claim_phase::bound);

        // Its process is killed.
        auto* const node = w.c.node(db.pod("db-0")->spec.node_name);
        auto const id = node->container_id("default", "db-0", 0);
        for (auto const& row : node->runtime().list())
            if (row.id == id)
                REQUIRE(::kill(row.pid, SIGKILL) == 0);
        REQUIRE(w.until([&] {
            auto const p = db.pod("db-0");
            return p->status.container_statuses.at(0).restart_count == 1 && model::is_ready(*p);
        }));
        CHECK(db.ids("db-0") == json{"a1"});
        CHECK(db.address("db-0") == home);

        // Its pod is deleted.
        auto before = db.pod("db-0").uid();
        CHECK(w.call(api::method::delete_, "/api/v1/namespaces/default/pods/db-0").code == 200);
        REQUIRE(db.serves("db-0", before));
        CHECK(db.ids("db-0") == json{"a1"});
        CHECK(db.address("db-0") == home);
        CHECK(db.order("db-0", "a2") == 201);

        // Its node is lost. Nobody knows but the operator, who says so.
        auto const lost = db.pod("db-0")->spec.node_name;
        before = db.pod("db-0").uid();
        REQUIRE(w.c.fail_node(lost));
        REQUIRE(w.until([&] { return !model::is_ready(*db.pod("db-0")); }));
        CHECK(db.pod("db-0").uid() == before);
        CHECK(
            w.call(api::method::delete_, "/api/v1/namespaces/default/pods/db-0?gracePeriodSeconds=0").code ==
            200);
        REQUIRE(db.serves("db-0", before));
        CHECK(db.pod("db-0")->spec.node_name != lost);
        CHECK(db.ids("db-0") == json{"a1", "a2"});
        CHECK(db.address("db-0") == home);
        w.stop();
        CHECK(w.processes().empty());
    }
    CHECK(std::filesystem::exists(data + "/claims/default/data-db-0/orders"));
    {
        world w(1, control, data);
        database const db{w};
        db.create(1);
        REQUIRE(db.serves("db-0"));
        CHECK(db.ids("db-0") == json{"a1", "a2"});

        // Without its set and its claim the files are still there, and found again.
        CHECK(w.call(api::method::delete_, "/apis/apps/v1/namespaces/default/statefulsets/db").code == 200);
        REQUIRE(w.until([&] { return w.pods().empty(); }));
        CHECK(w.call(api::method::delete_, "/api/v1/namespaces/default/persistentvolumeclaims/data-db-0")
                  .code == 200);
        CHECK(w.call(api::method::delete_, "/api/v1/namespaces/default/services/db").code == 200);
        db.create(1);
        REQUIRE(db.serves("db-0"));
        CHECK(db.ids("db-0") == json{"a1", "a2"});
        w.stop();
    }
    std::filesystem::remove_all(data);
}

TEST_CASE(
    "cluster: containers of a pod share its own files, which go with it; what cannot be mounted says so")
{
    auto const data = temporary();
    {
        world w(1, {}, data);
        auto const pod = [&](std::string const& name, json const& mount) {
            json const writes = {{"name", "writes"}, {"image", "shop/web:1.0"},
                {"command", {"/bin/sh", "-c", "echo x > /work/file; exec sleep 1000"}},
                {"volumeMounts", json::array({mount})}};
            json const reads = {{"name", "reads"}, {"image", "shop/web:1.0"},
                {"command", {"/bin/sh", "-c", "exec sleep 1000"}}, {"volumeMounts", json::array({mount})},
                {"readinessProbe",
                    {{"exec", {{"command", {"test", "-e", "/work/file"}}}}, {"periodSeconds", 1}}}};
            w.create("/api/v1/namespaces/default/pods",
                json{{"metadata", {{"name", name}}},
                    {"spec",
                        {{"containers", {writes, reads}}, {"terminationGracePeriodSeconds", 0},
                            {"volumes", {{{"name", "work"}, {"emptyDir", json::object()}}}}}}});
        };
        auto const waits = [&](std::string const& name, std::string const& part) {
            return w.until([&] {
                auto const p = w.c.view().get<model::pod>("default", name);
                if (!p)
                    return false;
                for (auto const& s : p->status.container_statuses)
                    if (s.state.waiting && s.state.waiting->message.find(part) != std::string::npos)
                        return true;
                return false;
            });
        };
        pod("one", {{"name", "work"}, {"mountPath", "/work"}});
        REQUIRE(w.until([&] { return w.ready() == 1; }));
        CHECK(std::filesystem::directory_iterator(data + "/pods") != std::filesystem::directory_iterator());
        CHECK(w.call(api::method::delete_, "/api/v1/namespaces/default/pods/one").code == 200);
        CHECK(w.until([&] {
            return std::filesystem::directory_iterator(data + "/pods") ==
                std::filesystem::directory_iterator();
        }));

        pod("two", {{"name", "work"}, {"mountPath", "/work"}, {"readOnly", true}});
        CHECK(waits("two", "cannot keep /work from being written"));
        w.create("/api/v1/namespaces/default/pods",
            json{{"metadata", {{"name", "three"}}},
                {"spec",
                    {{"containers",
                         {{{"name", "c"}, {"image", "shop/web:1.0"},
                             {"volumeMounts", {{{"name", "v"}, {"mountPath", "/v"}}}}}}},
                        {"volumes",
                            {{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "later"}}}}}}}}});
        CHECK(waits("three", "there is no PersistentVolumeClaim named later"));
        w.create("/api/v1/namespaces/default/persistentvolumeclaims",
            json{{"metadata", {{"name", "later"}}},
                {"spec",
                    {{"accessModes", {"ReadWriteOnce"}},
                        {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}});
        CHECK(w.until([&] { return model::is_ready(*w.c.view().get<model::pod>("default", "three")); }));
        w.stop();
    }
    std::filesystem::remove_all(data);
}

TEST_CASE("cluster: a second client on the socket sees what happens, and a broken pod says why")
{
    world w;
    net::api_client client(net::address::unix_socket(w.folder + "/a/podium.sock"));
    w.create("/api/v1/namespaces/default/pods",
        json{{"metadata", {{"name", "broken"}}},
            {"spec",
                {{"containers",
                    {{{"name", "main"}, {"image", "shop/web:1.0"}, {"command", {"/no/such"}}}}}}}});
    json seen;
    auto const event = [&](std::string const& line) {
        seen = json::parse(line);
        return seen["object"]["type"] != "Warning";
    };
    REQUIRE(w.run(client.watch("/api/v1/namespaces/default/events?watch=1", event)));
    CHECK(seen["object"]["involvedObject"]["name"] == "broken");
    CHECK(seen["object"]["reason"] == "RunContainerError");
    CHECK(w.call(api::method::delete_, "/api/v1/namespaces/default/pods/broken").code == 200);
    CHECK(w.until([&] { return w.pods().empty(); }));
    w.stop();
}

TEST_CASE("cluster: a service whose address is taken says so, and serves when it is free")
{
    world w(1);
    auto const prefix = w.c.cidr().substr(0, w.c.cidr().find('.', 4));
    auto const address = prefix + ".240.77";
    net::http_server other(w.io.get_executor(),
        [](net::http_request) -> asio::awaitable<net::http_answer> { co_return net::answer(200, "other"); });
    REQUIRE(other.listen(net::address::tcp(address, 80)));
    w.create("/api/v1/namespaces/default/services",
        json{{"metadata", {{"name", "taken"}}},
            {"spec", {{"clusterIP", address}, {"ports", {{{"name", "http"}, {"port", 80}}}}}}});
    auto const told = [&] {
        for (auto const e : w.c.view().all<model::event>())
            if (e->reason == "FailedListen")
                return true;
        return false;
    };
    CHECK(w.until(told));
    {
        bool done = false;
        asio::co_spawn(w.io, other.stop(1s), [&](std::exception_ptr) { done = true; });
        REQUIRE(w.until([&] { return done; }));
    }
    CHECK(w.until([&] { return w.c.traffic().contains("default/taken:http"); }));
    w.stop();
}

TEST_CASE("cluster: options that make no sense are refused by field, and a socket in use by name")
{
    asio::io_context io;
    cluster::options o;
    o.nodes = {{.name = "a", .cpu = "many"}};
    cluster::local bad(io.get_executor(), o);
    std::optional<result<void>> started;
    auto const keep = [&](std::exception_ptr, result<void> r) { started.emplace(std::move(r)); };
    asio::co_spawn(io, bad.start(), keep);
    io.run();
    REQUIRE(started);
    REQUIRE_FALSE(*started);
    CHECK(started->error().path == "nodes.a.cpu");

    world w(1);
    cluster::options second;
    second.socket = w.folder + "/a/podium.sock";
    cluster::local late(w.io.get_executor(), second);
    auto const refused = w.run(late.start());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::unavailable);
    w.stop();
}
