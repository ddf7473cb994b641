// What a cluster says of itself, from a view that was made by hand, and what Prometheus' tool thinks of it.
#include <podium/cluster/metrics.hpp>
#include <podium/reconcile/memory_store.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using namespace podium;
using namespace std::chrono_literals;

quantity q(char const* text)
{
    return quantity::parse(text).value();
}

/// A small world: a node, a deployment with a pod, a pod that waits, a canary under way, an event, a Secret.
struct world {
    reconcile::view<> view{};
    observe::exposition out{};

    world()
    {
        reconcile::plan p;
        model::node n;
        n.metadata.name = "node-1";
        n.spec.unschedulable = true;
        n.status.capacity = {{"cpu", q("4")}, {"memory", q("8Gi")}, {"pods", q("110")}};
        n.status.allocatable = {{"cpu", q("3500m")}, {"memory", q("1Gi")}, {"nvidia.com/gpu", q("2")}};
        n.status.conditions.push_back({.type = "Ready", .status = model::condition_status::true_});
        p.create(n);
        model::deployment d;
        d.metadata.namespace_ = "default";
        d.metadata.name = "web";
        d.spec.replicas = 3;
        d.status.available_replicas = 2;
        d.status.unavailable_replicas = 1;
        p.create(d);
        model::pod pod;
        pod.metadata.namespace_ = "default";
        pod.metadata.name = "web-1";
        pod.metadata.creation_timestamp = model::time{time_point(1500ms)};
        pod.spec.node_name = "node-1";
        pod.spec.containers = {{.name = "app",
            .resources = {.limits = {{"memory", q("64Mi")}}, .requests = {{"cpu", q("250m")}}}}};
        pod.status.phase = model::pod_phase::running;
        pod.status.conditions = {{.type = "Ready", .status = model::condition_status::false_}};
        model::container_status c{.name = "app", .restart_count = 4};
        c.state.waiting = model::container_state_waiting{.reason = "CrashLoopBackOff"};
        pod.status.container_statuses = {c};
        p.create(pod);
        model::pod waits;
        waits.metadata.namespace_ = "default";
        waits.metadata.name = "web-2";
        waits.spec.containers = {{.name = "app"}};
        waits.status.conditions = {
            {.type = "PodScheduled", .status = model::condition_status::false_, .reason = "Unschedulable"}};
        p.create(waits);
        model::rollout r;
        r.metadata.namespace_ = "default";
        r.metadata.name = "shop";
        r.spec.strategy.canary = model::canary_strategy{};
        r.status.phase = "Progressing";
        r.status.canary = model::canary_status{};
        r.status.canary->weights = model::canary_weights{{"c2", 20}, {"c1", 80}};
        p.create(r);
        model::pod_disruption_budget b;
        b.metadata.namespace_ = "default";
        b.metadata.name = "web";
        b.status = {.disruptions_allowed = 1, .current_healthy = 3, .desired_healthy = 2, .expected_pods = 3};
        p.create(b);
        model::horizontal_pod_autoscaler a;
        a.metadata.namespace_ = "default";
        a.metadata.name = "web";
        a.spec.scale_target_ref = {"apps/v1", "Deployment", "web"};
        a.spec.min_replicas = 2;
        a.status.desired_replicas = 5;
        a.status.conditions.push_back({.type = "ScalingLimited", .status = model::condition_status::unknown});
        p.create(a);
        model::event e;
        e.metadata.namespace_ = "default";
        e.metadata.name = "web-1.1";
        e.type = "Warning";
        e.reason = "BackOff";
        e.count = 7;
        p.create(e);
        model::secret s;
        s.metadata.namespace_ = "default";
        s.metadata.name = "unspoken";
        s.string_data = {{"word", "xyzzy"}};
        p.create(s);
        reconcile::memory_store store;
        REQUIRE(store.commit(p.whole()).outcome);
        auto const changes = store.changes({}, 1000);
        for (auto const& change : *changes)
            view.apply(change, time_point{});
    }

    [[nodiscard]] bool has(std::string const& line) const
    {
        return ('\n' + out.text()).find('\n' + line + '\n') != std::string::npos;
    }
};

net::router_status routed()
{
    net::router_status all;
    auto& s = all["default/web:http"];
    s.generation = 3;
    s.refused = 2;
    auto& v = s.versions["c1"];
    v.count(200, 2ms);
    v.count(200, 2ms);
    v.count(503, 20ms);
    v.count(0, 3s);
    v.count(net::request_counters::client_gone, 3s);
    v.conversions = 1;
    v.matched.count(200, 1ms);
    s.endpoints.push_back({.id = "uid-1", .version = "c1", .in_flight = 5});
    return all;
}

}  // namespace

TEST_CASE("metrics: objects, under the names that kube-state-metrics gives them")
{
    world w;
    cluster::expose_objects(w.out, w.view);
    CHECK_FALSE(w.out.wrong());
    auto const uid = w.view.get<model::pod>("default", "web-1").uid();
    auto const pod = "{namespace=\"default\",pod=\"web-1\",uid=\"" + uid + "\"";
    for (auto const& line : std::vector<std::string>{
             "kube_node_spec_unschedulable{node=\"node-1\"} 1",
             "kube_node_status_condition{node=\"node-1\",condition=\"Ready\",status=\"true\"} 1",
             "kube_node_status_condition{node=\"node-1\",condition=\"Ready\",status=\"false\"} 0",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"cpu\",unit=\"core\"} 3.5",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"memory\",unit=\"byte\"} 1073741824",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"nvidia_com_gpu\",unit=\"integer\"} 2",
             "kube_deployment_spec_replicas{namespace=\"default\",deployment=\"web\"} 3",
             "kube_deployment_status_replicas_available{namespace=\"default\",deployment=\"web\"} 2",
             "kube_poddisruptionbudget_status_pod_disruptions_allowed{namespace=\"default\","
             "poddisruptionbudget=\"web\"} 1",
             "kube_horizontalpodautoscaler_spec_min_replicas{namespace=\"default\","
             "horizontalpodautoscaler=\"web\"} 2",
             "kube_horizontalpodautoscaler_status_desired_replicas{namespace=\"default\","
             "horizontalpodautoscaler=\"web\"} 5",
             "kube_horizontalpodautoscaler_status_condition{namespace=\"default\","
             "horizontalpodautoscaler=\"web\",condition=\"ScalingLimited\",status=\"unknown\"} 1",
             "kube_pod_created" + pod + "} 1.5",
             "kube_pod_status_phase" + pod + ",phase=\"Running\"} 1",
             "kube_pod_status_phase" + pod + ",phase=\"Pending\"} 0",
             "kube_pod_status_ready" + pod + ",condition=\"true\"} 0",
             "kube_pod_status_ready" + pod + ",condition=\"false\"} 1",
             "kube_pod_container_status_restarts_total" + pod + ",container=\"app\"} 4",
             "kube_pod_container_status_waiting_reason" + pod +
                 ",container=\"app\",reason=\"CrashLoopBackOff\"} 1",
             "kube_pod_container_resource_requests" + pod +
                 ",container=\"app\",node=\"node-1\",resource=\"cpu\",unit=\"core\"} 0.25",
             "kube_pod_container_resource_limits" + pod +
                 ",container=\"app\",node=\"node-1\",resource=\"memory\",unit=\"byte\"} 67108864",
             "scheduler_pending_pods{queue=\"unschedulable\"} 1",
             "scheduler_pending_pods{queue=\"active\"} 0",
             "podium_rollout_phase{namespace=\"default\",rollout=\"shop\",phase=\"Progressing\"} 1",
             "podium_rollout_phase{namespace=\"default\",rollout=\"shop\",phase=\"Healthy\"} 0",
             "podium_rollout_weight{namespace=\"default\",rollout=\"shop\",role=\"canary\","
             "pod_template_hash=\"c2\"} 20",
             "podium_events{namespace=\"default\",type=\"Warning\",reason=\"BackOff\"} 7",
             "apiserver_storage_objects{resource=\"secrets\"} 1",
             "apiserver_storage_objects{resource=\"pods\"} 2",
         }) {
        CAPTURE(line);
        CHECK(w.has(line));
    }
    CHECK(w.out.text().find("unspoken") == std::string::npos);
    CHECK(w.out.text().find("xyzzy") == std::string::npos);
    observe::exposition again;
    cluster::expose_objects(again, world().view);
    // The same but for uids, which tell one store from another.
    CHECK(again.text().size() == w.out.text().size());
}

TEST_CASE("metrics: traffic by service port and version")
{
    world w;
    auto status = routed();
    status["no route"].refused = 1;
    cluster::expose_traffic(w.out, status);
    CHECK_FALSE(w.out.wrong());
    std::string const version = "{namespace=\"default\",service=\"web\",port=\"http\",version=\"c1\"";
    for (auto const& line : std::vector<std::string>{
             "podium_proxy_requests_total" + version + ",code=\"2xx\",sent=\"dealt\"} 2",
             "podium_proxy_requests_total" + version + ",code=\"5xx\",sent=\"dealt\"} 1",
             "podium_proxy_requests_total" + version + ",code=\"none\",sent=\"dealt\"} 1",
             "podium_proxy_requests_total" + version + ",code=\"abandoned\",sent=\"dealt\"} 1",
             "podium_proxy_requests_total" + version + ",code=\"4xx\",sent=\"dealt\"} 0",
             "podium_proxy_requests_total" + version + ",code=\"2xx\",sent=\"matched\"} 1",
             "podium_proxy_request_duration_seconds_bucket" + version + ",le=\"0.0025\"} 2",
             "podium_proxy_request_duration_seconds_bucket" + version + ",le=\"+Inf\"} 5",
             "podium_proxy_request_duration_seconds_count" + version + "} 5",
             "podium_proxy_conversions_total" + version + "} 1",
             "podium_proxy_in_flight" + version + ",endpoint=\"uid-1\"} 5",
             "podium_proxy_refused_total{namespace=\"default\",service=\"web\",port=\"http\"} 2",
             "podium_proxy_refused_total{namespace=\"\",service=\"no route\",port=\"\"} 1",
         }) {
        CAPTURE(line);
        CHECK(w.has(line));
    }
    CHECK(w.out.text().find("sent=\"mirrored\"") == std::string::npos);
}

TEST_CASE("metrics: the control plane's own work, its process, and what containers used")
{
    world w;
    reconcile::queue_figures queue;
    queue.depth.value = 2;
    queue.adds.add(9);
    queue.queue_duration.observe(0.5);
    cluster::expose_plane(w.out, {.reconciles = 12, .conflicts = 1}, queue);
    cluster::expose_process(w.out);
    cluster::usage_meter usage;
    usage.absorb({{.id = "1",
        .name = "app",
        .pod_uid = "uid-1",
        .pod_name = "web-1",
        .namespace_ = "default",
        .node = "node-1",
        .started_at = time_point(1s),
        .read_at = time_point(3s),
        .cpu_nanos = 1'500'000'000,
        .memory_bytes = 4096}});
    cluster::expose_usage(w.out, usage);
    CHECK_FALSE(w.out.wrong());
    for (auto const* const line : {
             "workqueue_depth{name=\"plane\"} 2",
             "workqueue_adds_total{name=\"plane\"} 9",
             "workqueue_queue_duration_seconds_bucket{name=\"plane\",le=\"0.1\"} 0",
             "workqueue_queue_duration_seconds_count{name=\"plane\"} 1",
             "podium_plane_reconciles_total 12",
             "podium_plane_conflicts_total 1",
             "container_cpu_usage_seconds_total{namespace=\"default\",pod=\"web-1\",container=\"app\","
             "node=\"node-1\"} 1.5",
             "container_memory_working_set_bytes{namespace=\"default\",pod=\"web-1\",container=\"app\","
             "node=\"node-1\"} 4096",
         }) {
        CAPTURE(line);
        CHECK(w.has(line));
    }
    CHECK(w.out.text().find("\nprocess_resident_memory_bytes ") != std::string::npos);
}

TEST_CASE("metrics: Prometheus reads the whole page")
{
    if (::access("/usr/bin/promtool", X_OK) != 0) {
        MESSAGE("skipped: there is no promtool on this machine");
        CHECK_FALSE(std::getenv("CI"));
        return;
    }
    world w;
    cluster::expose_objects(w.out, w.view);
    cluster::expose_traffic(w.out, routed());
    cluster::expose_plane(w.out, {}, {});
    cluster::expose_process(w.out);
    char name[] = "/tmp/podium-metrics-XXXXXX";
    int const fd = ::mkstemp(name);
    REQUIRE(fd >= 0);
    auto const text = w.out.text();
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
    auto* const pipe = ::popen((std::string("/usr/bin/promtool check metrics 2>&1 < ") + name).c_str(), "r");
    REQUIRE(pipe);
    std::string said;
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
        said += static_cast<char>(c);
    int const ended = ::pclose(pipe);
    ::unlink(name);
    CHECK(said == "");
    CHECK(WIFEXITED(ended));
    CHECK(WEXITSTATUS(ended) == 0);
}
