// What a cluster says of itself, from a view that was made by hand, and what Prometheus' tool thinks of it.
#include <podium/cluster/metrics.hpp>
#include <podium/reconcile/memory_store.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <set>
#include <sstream>
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
        n.status.allocatable = {{"cpu", q("3500m")}, {"memory", q("1Gi")}, {"nvidia.com/gpu", q("2")},
            {"a.b/gpu", q("3")}, {"a-b/gpu", q("4")}};
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
        b.metadata.creation_timestamp = model::time{time_point(2500ms)};
        b.status = {.disruptions_allowed = 1, .current_healthy = 3, .desired_healthy = 2, .expected_pods = 3};
        p.create(b);
        model::horizontal_pod_autoscaler a;
        a.metadata.namespace_ = "default";
        a.metadata.name = "web";
        a.spec.scale_target_ref = {"apps/v1", "Deployment", "web"};
        a.spec.min_replicas = 2;
        a.status.desired_replicas = 5;
        model::metric_spec cpu, queue;
        cpu.resource = model::resource_metric_source{"cpu", {.average_utilization = 60}};
        queue.type = model::metric_source_type::external;
        queue.external = model::external_metric_source{
            {"queue", {}}, {.type = model::metric_target_type::value, .value = q("1500m")}, {}};
        a.spec.metrics = {cpu, queue, queue};
        model::metric_status used;
        used.resource = model::resource_metric_status{"cpu", {{}, q("250m"), 80}};
        a.status.current_metrics = {used, {}};
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

    void whole();

    [[nodiscard]] bool has(std::string const& line) const
    {
        return ('\n' + out.text()).find('\n' + line + '\n') != std::string::npos;
    }
};

/// What one container used; a pod that was removed by force ends beside the next one of its name.
cluster::usage_meter used()
{
    cluster::usage_meter usage;
    cluster::container_reading one{.id = "1",
        .name = "app",
        .pod_uid = "uid-1",
        .pod_name = "web-1",
        .namespace_ = "default",
        .node = "node-1",
        .started_at = time_point(1s),
        .read_at = time_point(3s),
        .cpu_nanos = 1'500'000'000,
        .memory_bytes = 4096};
    auto next = one;
    next.id = "2";
    next.pod_uid = "uid-2";
    next.cpu_nanos = 250'000'000;
    usage.absorb({one, next});
    return usage;
}

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
    s.endpoints.push_back({.id = "uid-1", .version = "c1", .in_flight = 3});
    s.endpoints.push_back({.id = "uid-0", .version = "c1", .in_flight = 1, .ejected = true});
    s.endpoints.push_back({.id = "uid-1", .version = "c1", .in_flight = 2});  // its port has changed
    return all;
}

void world::whole()
{
    cluster::expose_objects(out, view);
    cluster::expose_traffic(out, routed());
    cluster::expose_usage(out, used());
    cluster::expose_plane(out, {}, std::vector<reconcile::controller_figures>(1));
    cluster::expose_scheduling(out, {});
    cluster::expose_process(out);
    cluster::expose_left_out(out);
}

}  // namespace

TEST_CASE("metrics: objects, under the names that kube-state-metrics gives them")
{
    world w;
    cluster::expose_objects(w.out, w.view);
    CHECK_FALSE(w.out.wrong());
    auto const uid = w.view.get<model::pod>("default", "web-1").uid();
    auto const pod = "{namespace=\"default\",pod=\"web-1\",uid=\"" + uid + "\"";
    std::string const scaler = "{namespace=\"default\",horizontalpodautoscaler=\"web\"";
    for (auto const& line : std::vector<std::string>{
             "kube_node_spec_unschedulable{node=\"node-1\"} 1",
             "kube_node_status_condition{node=\"node-1\",condition=\"Ready\",status=\"true\"} 1",
             "kube_node_status_condition{node=\"node-1\",condition=\"Ready\",status=\"false\"} 0",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"cpu\",unit=\"core\"} 3.5",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"memory\",unit=\"byte\"} 1073741824",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"nvidia_com_gpu\",unit=\"integer\"} 2",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"a_b_gpu\",unit=\"integer\"} 4",
             "kube_node_status_allocatable{node=\"node-1\",resource=\"a.b/gpu\",unit=\"integer\"} 3",
             "kube_deployment_spec_replicas{namespace=\"default\",deployment=\"web\"} 3",
             "kube_deployment_status_replicas_available{namespace=\"default\",deployment=\"web\"} 2",
             "kube_poddisruptionbudget_status_pod_disruptions_allowed{namespace=\"default\","
             "poddisruptionbudget=\"web\"} 1",
             "kube_poddisruptionbudget_created{namespace=\"default\",poddisruptionbudget=\"web\"} 2.5",
             "kube_horizontalpodautoscaler_info{namespace=\"default\",horizontalpodautoscaler=\"web\","
             "scaletargetref_api_version=\"apps/v1\",scaletargetref_kind=\"Deployment\","
             "scaletargetref_name=\"web\"} 1",
             "kube_horizontalpodautoscaler_spec_target_metric" + scaler +
                 ",metric_name=\"cpu\",metric_target_type=\"utilization\"} 60",
             "kube_horizontalpodautoscaler_spec_target_metric" + scaler +
                 ",metric_name=\"queue\",metric_target_type=\"value\"} 1.5",
             "kube_horizontalpodautoscaler_status_target_metric" + scaler +
                 ",metric_name=\"cpu\",metric_target_type=\"utilization\"} 80",
             "kube_horizontalpodautoscaler_status_target_metric" + scaler +
                 ",metric_name=\"cpu\",metric_target_type=\"average\"} 0.25",
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
    auto const once = "spec_target_metric" + scaler + ",metric_name=\"queue\"";
    CHECK(w.out.text().find(once) == w.out.text().rfind(once));
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
             "podium_proxy_endpoint_ejected" + version + ",endpoint=\"uid-0\"} 1",
             "podium_proxy_endpoint_ejected" + version + ",endpoint=\"uid-1\"} 0",
             "podium_proxy_refused_total{namespace=\"default\",service=\"web\",port=\"http\"} 2",
             "podium_proxy_refused_total{namespace=\"\",service=\"no route\",port=\"\"} 1",
         }) {
        CAPTURE(line);
        CHECK(w.has(line));
    }
    CHECK(w.out.text().find("sent=\"mirrored\"") == std::string::npos);
}

TEST_CASE("metrics: what the scheduler looked at, found, and took")
{
    observe::exposition out;
    controllers::scheduling_figures done;
    done.scheduled.observe(5e-6);
    done.scheduled.observe(5e-6);
    done.unschedulable.observe(0.5);
    done.preemption_attempts.add();
    done.preemption_victims.observe(3);
    cluster::expose_scheduling(out, done);
    CHECK_FALSE(out.wrong());
    auto const text = out.text();
    for (std::string const line : {
             "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"} 2",
             "scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"unschedulable\"} 1",
             "scheduler_scheduling_attempt_duration_seconds_count{profile=\"default-scheduler\","
             "result=\"scheduled\"} 2",
             "scheduler_scheduling_attempt_duration_seconds_bucket{profile=\"default-scheduler\","
             "result=\"scheduled\",le=\"1.6e-05\"} 2",
             "scheduler_preemption_attempts_total 1",
             "scheduler_preemption_victims_bucket{le=\"2\"} 0",
             "scheduler_preemption_victims_bucket{le=\"4\"} 1",
         })
        CHECK_MESSAGE(text.find('\n' + line + '\n') != std::string::npos, line);
}

TEST_CASE("metrics: the control plane's own work, its process, and what containers used")
{
    world w;
    std::vector<reconcile::controller_figures> controllers(2);
    controllers[0].name = "deployment-controller";
    controllers[1].name = "garbage-collector";
    auto& c = controllers[0];
    c.success.add(4);
    c.requeue.add(1);
    c.error.add(2);
    c.time.observe(3e-6);
    c.queue.depth.value = 2;
    c.queue.adds.add(9);
    c.queue.queue_duration.observe(0.5);
    cluster::expose_plane(w.out, {.reconciles = 12, .conflicts = 1}, controllers);
    cluster::expose_process(w.out);
    cluster::expose_usage(w.out, used());
    CHECK_FALSE(w.out.wrong());
    for (auto const* const line : {
             "workqueue_depth{name=\"deployment-controller\"} 2",
             "workqueue_depth{name=\"garbage-collector\"} 0",
             "workqueue_adds_total{name=\"deployment-controller\"} 9",
             "workqueue_queue_duration_seconds_bucket{name=\"deployment-controller\",le=\"0.1\"} 0",
             "workqueue_queue_duration_seconds_count{name=\"deployment-controller\"} 1",
             "controller_runtime_reconcile_total{controller=\"deployment-controller\",result=\"success\"} 4",
             "controller_runtime_reconcile_total{controller=\"deployment-controller\",result=\"requeue\"} 1",
             "controller_runtime_reconcile_total{controller=\"garbage-collector\",result=\"error\"} 0",
             "controller_runtime_reconcile_errors_total{controller=\"deployment-controller\"} 2",
             "controller_runtime_reconcile_time_seconds_bucket{controller=\"deployment-controller\","
             "le=\"1e-06\"} 0",
             "controller_runtime_reconcile_time_seconds_bucket{controller=\"deployment-controller\","
             "le=\"4e-06\"} 1",
             "podium_plane_reconciles_total 12",
             "podium_plane_conflicts_total 1",
             "container_cpu_usage_seconds_total{namespace=\"default\",pod=\"web-1\",container=\"app\","
             "node=\"node-1\"} 1.75",
             "container_memory_working_set_bytes{namespace=\"default\",pod=\"web-1\",container=\"app\","
             "node=\"node-1\"} 8192",
         }) {
        CAPTURE(line);
        CHECK(w.has(line));
    }
    CHECK(w.out.text().find("\nprocess_resident_memory_bytes ") != std::string::npos);
}

TEST_CASE("metrics: each series stands once in the whole page, which says how many were left out")
{
    world w;
    w.whole();
    CHECK_FALSE(w.out.wrong());
    std::set<std::string> seen;
    std::istringstream lines(w.out.text());
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with('#')) {
            CAPTURE(line);
            CHECK(seen.insert(line.substr(0, line.rfind(' '))).second);
        }
    CHECK(seen.size() > 150);
    CHECK(w.has("podium_metrics_left_out 0"));

    observe::exposition out;
    out.gauge("no name", "", {}, 1);
    out.gauge("fine", "", {{"no label", "a"}}, 1);
    cluster::expose_left_out(out);
    CHECK(out.text().find("\npodium_metrics_left_out 2\n") != std::string::npos);
}

TEST_CASE("metrics: Prometheus reads the whole page")
{
    if (::access("/usr/bin/promtool", X_OK) != 0) {
        MESSAGE("skipped: there is no promtool on this machine");
        CHECK_FALSE(std::getenv("CI"));
        return;
    }
    world w;
    w.whole();
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
