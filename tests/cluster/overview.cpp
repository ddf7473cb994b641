// What a person is shown of a cluster: figures out of counters, reasons out of conditions, one document.
#include <podium/cluster/overview.hpp>
#include <podium/model/merge.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using cluster::waiting;
using model::json;

constexpr time_point zero{std::chrono::hours(1)};

/// A view that is written by hand.
struct board {
    controllers::control_plane::view view{};
    std::uint64_t revision = 0;

    template<class K>
    K& named(K& object, std::string name) const
    {
        object.metadata.name = std::move(name);
        object.metadata.namespace_ = K::namespaced ? "default" : "";
        object.metadata.creation_timestamp = model::time{zero};
        return object;
    }
    template<class K>
    reconcile::handle<K> put(K object)
    {
        auto const at = reconcile::revision{++revision};
        reconcile::handle<K> const h{std::make_shared<K const>(std::move(object)), at, at, zero};
        view.apply({at, reconcile::erase_type(h), false}, zero);
        return h;
    }
    [[nodiscard]] json shown(net::router_status const& counts = {}) const
    {
        return cluster::overview(view, {.traffic = counts}, zero);
    }
    [[nodiscard]] waiting only() const
    {
        auto const all = cluster::waiting_in(view);
        REQUIRE(all.size() == 1);
        return all[0];
    }
};

model::pod pod_of(board const& b, std::string name)
{
    model::pod p;
    b.named(p, std::move(name));
    model::container c;
    c.name = "web";
    c.image = "shop/web:1.2";
    p.spec.containers = {c};
    return p;
}

net::version_counters answered(std::uint64_t good, std::uint64_t bad, duration took)
{
    net::version_counters v;
    for (std::uint64_t i = 0; i < good + bad; ++i)
        v.count(i < good ? 200 : 500, took);
    return v;
}

}  // namespace

TEST_CASE("overview: rates are differences over the last seconds, and a service that begins again has none")
{
    cluster::history h;
    auto const at = [&](int second, std::uint64_t good, std::uint64_t bad) {
        net::router_status counts;
        auto& s = counts["default/web:http"];
        s.versions["1.0"] = answered(good, bad, 4ms);
        s.endpoints.push_back({.id = "a", .in_flight = 3});
        h.observe(counts, zero + std::chrono::seconds(second));
        return h.services().at("default/web:http");
    };
    CHECK(at(0, 100, 0).rate == 0);  // how long that took is not known
    CHECK(at(0, 100, 0).in_flight == 3);
    auto const one = at(1, 150, 10);
    CHECK(one.rate == 60);
    CHECK(one.errors == 10);
    CHECK(one.versions.at("1.0").rate == 60);
    CHECK(one.p50 > 0.0025);
    CHECK(one.p50 < 0.005);
    CHECK(at(2, 150, 10).rate == 30);
    CHECK(at(3, 150, 10).rate == 20);
    CHECK(at(4, 150, 10).rate == 0);  // what is older than three seconds is over
    CHECK(at(4, 150, 10).p99 == 0);
    CHECK(at(5, 20, 0).rate == 0);
    CHECK(at(6, 40, 0).rate == 20);

    auto const columns = h.to_json()["services"]["default/web:http"];
    REQUIRE(columns.size() == 5);
    for (auto const& c : columns)
        CHECK(c.size() == h.samples());
    for (int i = 0; i < 400; ++i)
        at(7 + i, 40, 0);
    CHECK(h.to_json()["services"]["default/web:http"][0].size() == cluster::history::seconds);
    h.observe({}, zero + 1h);
    CHECK(h.services().empty());
    CHECK(h.to_json()["services"].empty());
}

TEST_CASE("overview: a version that the router forgets takes nothing from the rates, and may come back")
{
    cluster::history h;
    net::router_status counts;
    auto& s = counts["default/web:http"];
    s.versions["old"] = answered(100, 50, 4ms);
    s.versions["new"] = answered(10, 0, 4ms);
    h.observe(counts, zero);
    s.forgotten = s.versions["old"].answered();
    s.versions["old"] = answered(2, 1, 4ms);  // forgotten, and there again
    s.versions["new"] = answered(30, 0, 4ms);
    h.observe(counts, zero + 1s);
    auto const now = h.services().at("default/web:http");
    CHECK(now.rate == 23);
    CHECK(now.errors == 1);
    CHECK(now.versions.at("old").rate == 3);
    CHECK(now.versions.at("old").errors == 1);
    CHECK(now.versions.at("new").rate == 20);
}

TEST_CASE("overview: the looks of an analysis are kept from the first to the last, within a bound")
{
    board b;
    cluster::history h;
    for (int i = 1; i <= 1000; ++i) {
        model::analysis_run run;
        b.named(run, "web-1");
        model::metric_result m;
        m.name = "conversion";
        m.comparison.emplace();
        m.comparison->canary_units = i;
        run.status.metric_results = {m};
        b.put(run);
        h.observe_analyses(b.view, zero + i * 1s);
        h.observe_analyses(b.view, zero + i * 1s + 1ms);  // the same again is no look
    }
    auto const rows = h.to_json()["comparisons"]["default/web-1/conversion"];
    CHECK(rows.size() <= cluster::history::looks);
    CHECK(rows.size() > cluster::history::looks / 3);
    CHECK(rows.front()[1] == 1);
    CHECK(rows.back()[1] == 1000);
    for (std::size_t i = 1; i < rows.size(); ++i)
        CHECK(rows[i - 1][0] < rows[i][0]);
}

TEST_CASE("overview: whatever keeps a pod is said in the words of whoever decided")
{
    board b;
    auto p = pod_of(b, "web-a");
    b.put(p);
    CHECK(b.only().message == "the scheduler has not looked at it yet");

    model::pod_condition c;
    c.type = "PodScheduled";
    c.status = model::condition_status::false_;
    c.reason = "Unschedulable";
    c.message = "0/3 nodes are available: 3 Insufficient cpu.";
    c.last_transition_time = model::time{zero + 5s};
    p.status.conditions = {c};
    b.put(p);
    CHECK(b.only() ==
        waiting{"Pod", "default", "web-a", "Unschedulable", c.message, waiting::outlook::stuck, zero + 5s});
    CHECK(b.shown()["pods"]["default/web-a"]["state"] == "pending");
    CHECK(b.shown()["waiting"]["Pod/default/web-a"] ==
        json{{"reason", "Unschedulable"}, {"message", c.message}, {"stuck", true},
            {"since", (zero + 5s).time_since_epoch() / 1ms}});

    p.status.nominated_node_name = "node-2";
    b.put(p);
    CHECK(b.only().message == "waits for room on node-2: " + c.message);
    CHECK(b.only().how == waiting::outlook::moving);

    p.status.conditions.clear();
    p.spec.node_name = "node-1";
    model::container_status s;
    s.name = "web";
    s.state.waiting = model::container_state_waiting{.reason = "ContainerCreating"};
    p.status.container_statuses = {s};
    b.put(p);
    CHECK(b.only().how == waiting::outlook::moving);
    CHECK(b.shown()["pods"]["default/web-a"]["state"] == "starting");

    s.state.waiting = model::container_state_waiting{"CrashLoopBackOff", "back-off 20s"};
    s.last_state.terminated = model::container_state_terminated{.exit_code = 3};
    s.restart_count = 4;
    p.status.container_statuses = {s};
    b.put(p);
    CHECK(b.only().message == "web: back-off 20s; web ended with exit code 3");
    CHECK(b.only().how == waiting::outlook::stuck);
    CHECK(b.shown()["pods"]["default/web-a"]["state"] == "failed");
    CHECK(b.shown()["pods"]["default/web-a"]["restarts"] == 4);

    s.state.waiting = {};
    s.state.running = model::container_state_running{};
    p.status.phase = model::pod_phase::running;
    p.status.container_statuses = {s};
    b.put(p);
    CHECK(b.only().reason == "NotReady");
    CHECK(b.only().message == "not ready yet: web");

    c.type = "Ready";
    c.status = model::condition_status::true_;
    p.status.conditions = {c};
    b.put(p);
    CHECK(cluster::waiting_in(b.view).empty());
    CHECK(b.shown()["waiting"].empty());
    CHECK(b.shown()["totals"] == json{{"pods", 1}, {"ready", 1}, {"left_out", 0}});

    p.status.drain = model::pod_drain{
        .since = model::time{zero}, .deadline = model::time{zero + 1min}, .reason = "RollingUpdate"};
    b.put(p);
    CHECK(b.only().reason == "Draining");
    CHECK(b.only().message.starts_with("RollingUpdate: "));
}

TEST_CASE("overview: what is stuck comes first, and workloads, nodes and claims have their reasons")
{
    board b;
    model::deployment d;
    b.named(d, "web");
    d.spec.replicas = 3;
    d.status.replicas = 4;
    d.status.updated_replicas = 1;
    d.status.available_replicas = 3;
    b.put(d);
    CHECK(b.only().message == "1 of 3 updated, 3 available, 3 old");
    CHECK(b.only().how == waiting::outlook::moving);

    model::rollout r;
    b.named(r, "shop");
    r.status.phase = "Degraded";
    r.status.message = "the analysis shop-1 failed";
    b.put(r);
    model::node n;
    b.named(n, "node-1");
    n.spec.unschedulable = true;
    n.status.conditions = {{.type = "Ready", .status = model::condition_status::true_}};
    b.put(n);
    model::persistent_volume_claim claim;
    b.named(claim, "data");
    b.put(claim);

    std::vector<std::string> order;
    for (auto const& w : cluster::waiting_in(b.view))
        order.push_back(w.kind + ' ' + w.reason);
    CHECK(order ==
        std::vector<std::string>{"Rollout Degraded", "Deployment Progressing", "Node SchedulingDisabled",
            "PersistentVolumeClaim Pending"});

    d.status = {.replicas = 3, .updated_replicas = 3, .available_replicas = 3};
    model::deployment_condition failed;
    failed.type = "Progressing";
    failed.status = model::condition_status::false_;
    failed.reason = "ProgressDeadlineExceeded";
    failed.message = "it took too long";
    d.status.conditions = {failed};
    b.put(d);
    CHECK(cluster::waiting_in(b.view)[0].reason == "ProgressDeadlineExceeded");
    CHECK(cluster::waiting_in(b.view)[0].how == waiting::outlook::stuck);
}

TEST_CASE("overview: nodes add up what their pods request, services what the router counted")
{
    board b;
    model::node n;
    b.named(n, "node-1");
    n.status.allocatable = {{"cpu", quantity::parse("4").value()}, {"memory", quantity::parse("8Gi").value()},
        {"pods", quantity::parse("110").value()}};
    b.put(n);
    for (auto const* const name : {"a", "b", "c"}) {
        auto p = pod_of(b, name);
        auto web = p.spec.containers[0];
        web.resources.requests = {{"cpu", quantity::parse("250m").value()}};
        web.env = {{.name = "PASSWORD", .value = "hunter2"}};
        p.spec.containers = {web};
        p.spec.node_name = "node-1";
        p.status.phase = *name == 'c' ? model::pod_phase::succeeded : model::pod_phase::running;
        b.put(p);
    }
    model::service s;
    b.named(s, "web");
    s.spec.ports = {{.name = "http", .port = 80}};
    b.put(s);
    net::router_status counts;
    auto& web = counts["default/web:http"];
    web.versions["1.0"] = answered(10, 2, 1ms);
    web.refused = 1;
    web.endpoints = {
        {.id = "a", .rule = traffic::admission::ready}, {.id = "b", .rule = traffic::admission::draining}};
    auto const shown = b.shown(counts);
    CHECK(
        shown["nodes"]["node-1"]["requested"] == json{{"cpu_milli", 500}, {"memory_bytes", 0}, {"pods", 2}});
    CHECK(shown["nodes"]["node-1"]["allocatable"]["cpu_milli"] == 4000);
    auto const& service = shown["services"]["default/web:http"];
    CHECK(service["requests"] == 13);
    CHECK(service["failed"] == 3);
    CHECK(service["ready"] == 1);
    CHECK(service["draining"] == 1);
    CHECK(shown.dump().find("hunter2") == std::string::npos);
    CHECK(shown == b.shown(counts));

    for (auto const* const hash : {"aaa", "bbb", "ccc"}) {  // a rollout divides by hashes, people by versions
        model::replica_set set;
        b.named(set, std::string("web-") + hash);
        set.metadata.labels[std::string(controllers::rollout_hash_label)] = hash;
        set.spec.template_.metadata.labels["version"] = *hash == 'a' ? "1.1" : "1.2";
        b.put(set);
    }
    cluster::measurements measured;
    measured.services["default/web:http"].versions = {
        {"aaa", {1, 0}}, {"bbb", {2, 0}}, {"ccc", {3, 0}}, {"x", {4, 0}}, {"y", {}}};
    auto const named = cluster::overview(b.view, measured, zero)["services"]["default/web:http"]["versions"];
    CHECK(named.size() == 4);
    CHECK(named["1.1"]["rate"] == 1);
    CHECK(named["1.2"]["rate"] == 2);
    CHECK(named["1.2 ccc"]["rate"] == 3);
    CHECK(named["x"]["rate"] == 4);
}

TEST_CASE("overview: an autoscaler shows what it goes by, and why it cannot")
{
    board b;
    model::horizontal_pod_autoscaler a;
    b.named(a, "web");
    a.spec.scale_target_ref = {.api_version = "apps/v1", .kind = "Deployment", .name = "web"};
    a.spec.min_replicas = 2;
    a.spec.max_replicas = 5;
    model::resource_metric_source cpu{.name = "cpu"};
    cpu.target.average_utilization = 60;
    model::pods_metric_source requests;
    requests.metric.name = "requests";
    requests.target.type = model::metric_target_type::average_value;
    requests.target.average_value = quantity::parse("100").value();
    a.spec.metrics = {{.resource = cpu}, {.type = model::metric_source_type::pods, .pods = requests}};
    b.put(a);
    auto shown = b.shown()["autoscalers"]["default/web"];
    CHECK(shown["target"] == "Deployment/default/web");
    CHECK(shown["metrics"] ==
        json::array(
            {{{"name", "cpu"}, {"target", "60 %"}}, {{"name", "requests per pod"}, {"target", "100"}}}));
    CHECK(shown["load"] == 0);

    model::resource_metric_status used{.name = "cpu"};
    used.current.average_utilization = 90;
    model::pods_metric_status came;
    came.current.average_value = quantity::parse("20").value();
    a.status.current_metrics = {{.resource = used}, {.type = model::metric_source_type::pods, .pods = came}};
    a.status.current_replicas = 2;
    a.status.desired_replicas = 3;
    b.put(a);
    shown = b.shown()["autoscalers"]["default/web"];
    CHECK(shown["load"] == 1.5);
    CHECK(shown["metrics"][0]["current"] == "90 %");
    CHECK(shown["metrics"][1]["current"] == "20");
    CHECK(cluster::waiting_in(b.view).empty());

    model::horizontal_pod_autoscaler_condition c;
    c.type = "ScalingActive";
    c.status = model::condition_status::false_;
    c.reason = "FailedGetResourceMetric";
    c.message = "no metrics known for pods";
    a.status.conditions = {c};
    b.put(a);
    CHECK(b.only().reason == "FailedGetResourceMetric");
    CHECK(b.only().how == waiting::outlook::stuck);

    cluster::history h;
    for (int i = 0; i < 400; ++i)
        h.observe({{"default/web", {1.5, i}}});
    auto const columns = h.to_json()["autoscalers"]["default/web"];
    CHECK(columns[0].size() == cluster::history::seconds);
    CHECK(columns[1].back() == 399);
    h.observe(std::map<std::string, cluster::history::scaling>{});
    CHECK(h.to_json()["autoscalers"].empty());
}

TEST_CASE("overview: long texts are cut between characters, and of very many things the newest are shown")
{
    CHECK(cluster::detail::cut("äöü", 3) == "ä…");
    CHECK(cluster::detail::cut("äöü", 6) == "äöü");
    CHECK(cluster::detail::tag_of("shop/web:1.2") == "1.2");
    CHECK(cluster::detail::tag_of("host:5000/web") == "latest");
    board b;
    for (int i = 0; i < 300; ++i) {
        model::event e;
        b.named(e, "e" + std::to_string(i));
        e.message = std::string(5000, 'x');
        e.last_timestamp = model::time{zero + i * 1s};
        b.put(e);
        b.put(pod_of(b, "p" + std::to_string(i)));
    }
    auto const shown = cluster::overview(b.view, {}, zero, {.pods = 10, .events = 20, .text_bytes = 100});
    CHECK(shown["events"].size() == 20);
    CHECK(shown["events"].contains("default/e299"));
    CHECK(shown["events"]["default/e299"]["message"].get<std::string>().size() == 103);
    CHECK(shown["pods"].size() == 10);
    CHECK(shown["totals"] == json{{"pods", 300}, {"ready", 0}, {"left_out", 290}});
}

TEST_CASE("overview: a patch is the difference between two documents")
{
    CHECK(cluster::merge_difference({{"a", 1}, {"b", {{"c", 2}, {"d", 3}}}}, {{"b", {{"c", 2}, {"d", 4}}}}) ==
        json{{"a", nullptr}, {"b", {{"d", 4}}}});
    struct grower {
        std::mt19937_64 random;
        json value(int depth)
        {
            auto const n = random() % (depth > 3 ? 3 : 5);
            if (n == 0)
                return random() % 3;
            if (n == 1)
                return std::string(random() % 3, 'x');
            if (n == 2)
                return json::array({random() % 2, random() % 2});
            json out = json::object();
            for (auto left = random() % 4; left != 0; --left)
                out[std::string(1, static_cast<char>('a' + random() % 4))] = value(depth + 1);
            return out;
        }
    };
    for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
        CAPTURE(seed);
        grower g{std::mt19937_64(seed)};
        json from = json::object(), to = json::object();
        from["x"] = g.value(0);
        to["x"] = g.value(0);
        to["y"] = g.value(0);
        auto const patch = cluster::merge_difference(from, to);
        REQUIRE(model::merge_patch(from, patch) == to);
        REQUIRE(cluster::merge_difference(to, to) == json::object());
    }
}
