#pragma once
/// What a cluster says of itself, as figures for Prometheus: its objects, its traffic, its own work.
///
///     observe::exposition out;
///     cluster::expose(out, cluster);
///     out.text();
///
/// Names, labels and meanings are those that dashboards and alerts already know, where there is one:
/// kube-state-metrics' for objects, the kubelet's for containers, client-go's and controller-runtime's for
/// the controllers, kube-scheduler's for what waits, Prometheus' clients' for the process. What only podium
/// has begins with "podium_". One pass over the view in the order of names, so the same state gives the same
/// text. Nothing of Secrets or ConfigMaps is shown but how many there are.
///
/// Source: kube-state-metrics v2.17 docs/metrics; kubernetes/kubernetes v1.35 pkg/kubelet/metrics/collectors
/// and pkg/scheduler/metrics; client-go util/workqueue/metrics.go v0.35; controller-runtime
/// pkg/internal/controller/metrics. Durations are in buckets of podium's own: it needs microseconds where
/// those begin with milliseconds.

#include <podium/cluster/usage.hpp>
#include <podium/controllers/scheduling_figures.hpp>
#include <podium/model/kinds.hpp>
#include <podium/net/router.hpp>
#include <podium/observe/exposition.hpp>
#include <podium/reconcile/plane.hpp>
#include <podium/reconcile/view.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <initializer_list>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::inline v0::cluster {

namespace detail {

/// Series about one thing: all have its labels, and some of their own behind them.
class about {
public:
    about(observe::exposition& out, std::initializer_list<observe::label> which) : out_(out), labels_(which)
    {
    }
    template<class V>
    void gauge(std::string_view name, std::string_view help, V const& value,
        std::initializer_list<observe::label> more = {})
    {
        with(more, [&](auto const& labels) { out_.gauge(name, help, labels, value); });
    }
    template<class V>
    void counter(std::string_view name, std::string_view help, V const& value,
        std::initializer_list<observe::label> more = {})
    {
        with(more, [&](auto const& labels) { out_.counter(name, help, labels, value); });
    }
    template<std::size_t N>
    void histogram(std::string_view name, std::string_view help, observe::histogram<N> const& value)
    {
        out_.histogram(name, help, all(), value);
    }
    /// One series for each of the values that `label` may have: 1 for the one that it has, 0 for the others.
    void one_of(std::string_view name, std::string_view help, std::string_view label,
        std::initializer_list<std::string_view> values, std::string_view has)
    {
        for (auto const v : values)
            gauge(name, help, v == has, {{label, v}});
    }
    template<class Conditions>
    void conditions(std::string_view name, std::string_view help, Conditions const& list)
    {
        for (auto const& c : list)
            for (auto const s : {model::condition_status::true_, model::condition_status::false_,
                     model::condition_status::unknown})
                gauge(name, help, c.status == s, {{"condition", c.type}, {"status", text_of(s)}});
    }
    void time(std::string_view name, std::string_view help, std::optional<model::time> const& at)
    {
        if (at)
            gauge(name, help, std::chrono::duration<double>(at->at.time_since_epoch()).count());
    }
    /// Cores, bytes and numbers, each with its unit.
    void resources(std::string_view name, std::string_view help, model::resource_list const& list,
        std::initializer_list<observe::label> more = {})
    {
        std::set<std::string> taken;
        for (auto const& [resource, amount] : list) {
            bool const cores = resource == "cpu";
            bool const bytes = resource == "memory" || resource == "storage" ||
                resource == "ephemeral-storage" || resource.starts_with("hugepages-");
            std::string spelled = resource;
            for (auto& c : spelled)
                c = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
            if (!taken.insert(spelled).second)  // a.b/gpu beside a-b/gpu: no series may come twice
                spelled = resource;
            labels_.insert(labels_.end(), more);
            gauge(name, help,
                cores ? static_cast<double>(amount.milli_value()) / 1000
                      : static_cast<double>(amount.value()),
                {{"resource", spelled},
                    {"unit",
                        cores       ? "core"
                            : bytes ? "byte"
                                    : "integer"}});
            labels_.resize(labels_.size() - more.size());
        }
    }
    static std::string_view text_of(model::condition_status s)
    {
        return s == model::condition_status::true_ ? "true"
            : s == model::condition_status::false_ ? "false"
                                                   : "unknown";
    }

private:
    [[nodiscard]] observe::label_list all() const { return std::span<observe::label const>(labels_); }
    template<class F>
    void with(std::initializer_list<observe::label> more, F const& f)
    {
        labels_.insert(labels_.end(), more);
        f(all());
        labels_.resize(labels_.size() - more.size());
    }

    observe::exposition& out_;
    std::vector<observe::label> labels_;
};

inline void expose_container(about& pod, model::container const& spec, std::string_view node)
{
    pod.resources("kube_pod_container_resource_requests", "What a container asks for",
        spec.resources.requests, {{"container", spec.name}, {"node", node}});
    pod.resources("kube_pod_container_resource_limits", "What a container may take at most",
        spec.resources.limits, {{"container", spec.name}, {"node", node}});
}

inline void expose_container(about& pod, model::container_status const& c, bool init)
{
    observe::label const who{"container", c.name};
    auto const name = [&](char const* usual, char const* of_init) {
        return std::string_view(init ? of_init : usual);
    };
    pod.counter(
        name("kube_pod_container_status_restarts_total", "kube_pod_init_container_status_restarts_total"),
        "How often a container was started again", c.restart_count, {who});
    pod.gauge(name("kube_pod_container_status_ready", "kube_pod_init_container_status_ready"),
        "Whether a container is ready", c.ready, {who});
    pod.gauge(name("kube_pod_container_status_running", "kube_pod_init_container_status_running"),
        "Whether a container runs", c.state.running.has_value(), {who});
    pod.gauge(name("kube_pod_container_status_waiting", "kube_pod_init_container_status_waiting"),
        "Whether a container waits", c.state.waiting.has_value(), {who});
    pod.gauge(name("kube_pod_container_status_terminated", "kube_pod_init_container_status_terminated"),
        "Whether a container has ended", c.state.terminated.has_value(), {who});
    if (c.state.waiting && !c.state.waiting->reason.empty())
        pod.gauge(
            name("kube_pod_container_status_waiting_reason", "kube_pod_init_container_status_waiting_reason"),
            "Why a container waits", 1, {who, {"reason", c.state.waiting->reason}});
    if (c.state.terminated && !c.state.terminated->reason.empty())
        pod.gauge(name("kube_pod_container_status_terminated_reason",
                      "kube_pod_init_container_status_terminated_reason"),
            "Why a container has ended", 1, {who, {"reason", c.state.terminated->reason}});
    if (c.last_state.terminated && !c.last_state.terminated->reason.empty())
        pod.gauge(name("kube_pod_container_status_last_terminated_reason",
                      "kube_pod_init_container_status_last_terminated_reason"),
            "Why the container before this one ended", 1, {who, {"reason", c.last_state.terminated->reason}});
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::pod> const& h)
{
    auto const& p = *h;
    auto const uid = h.uid();
    about pod(out, {{"namespace", p.metadata.namespace_}, {"pod", p.metadata.name}, {"uid", uid}});
    std::string_view created_by, creator;
    for (auto const& o : p.metadata.owner_references)
        if (o.controller.value_or(false)) {
            created_by = o.kind;
            creator = o.name;
        }
    pod.gauge("kube_pod_info", "A pod and where it is", 1,
        {{"host_ip", p.status.host_ip}, {"pod_ip", p.status.pod_ip}, {"node", p.spec.node_name},
            {"created_by_kind", created_by}, {"created_by_name", creator},
            {"priority_class", p.spec.priority_class_name}});
    pod.time("kube_pod_created", "When a pod was made, in seconds since 1970", p.metadata.creation_timestamp);
    pod.time("kube_pod_start_time", "When a node took a pod on, in seconds since 1970", p.status.start_time);
    pod.time("kube_pod_deletion_timestamp", "When a pod is to be gone, in seconds since 1970",
        p.metadata.deletion_timestamp);
    constexpr std::array<std::string_view, 5> phases{"Pending", "Running", "Succeeded", "Failed", "Unknown"};
    pod.one_of("kube_pod_status_phase", "Where a pod is in its life", "phase",
        {"Pending", "Succeeded", "Failed", "Unknown", "Running"},
        phases[static_cast<std::size_t>(p.status.phase)]);
    if (!p.status.reason.empty())
        pod.gauge("kube_pod_status_reason", "Why a pod is as it is", 1, {{"reason", p.status.reason}});
    for (auto const& c : p.status.conditions)
        if (c.type == "Ready")
            pod.one_of("kube_pod_status_ready", "Whether a pod serves", "condition",
                {"true", "false", "unknown"}, about::text_of(c.status));
        else if (c.type == "PodScheduled")
            pod.one_of("kube_pod_status_scheduled", "Whether a pod has a node", "condition",
                {"true", "false", "unknown"}, about::text_of(c.status));
    pod.gauge(
        "podium_pod_draining", "Whether a pod is to go once no request needs it", p.status.drain.has_value());
    for (auto const& c : p.spec.containers)
        expose_container(pod, c, p.spec.node_name);
    for (auto const& c : p.status.init_container_statuses)
        expose_container(pod, c, true);
    for (auto const& c : p.status.container_statuses)
        expose_container(pod, c, false);
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::node> const& h)
{
    auto const& n = *h;
    about node(out, {{"node", n.metadata.name}});
    node.gauge("kube_node_info", "A node and what it runs", 1,
        {{"kernel_version", n.status.node_info.kernel_version}, {"os_image", n.status.node_info.os_image},
            {"container_runtime_version", n.status.node_info.container_runtime_version},
            {"kubelet_version", n.status.node_info.kubelet_version}});
    node.time("kube_node_created", "When a node was registered, in seconds since 1970",
        n.metadata.creation_timestamp);
    node.gauge("kube_node_spec_unschedulable", "Whether a node is cordoned", n.spec.unschedulable);
    constexpr std::array<std::string_view, 3> effects{"NoSchedule", "PreferNoSchedule", "NoExecute"};
    for (auto const& t : n.spec.taints)
        node.gauge("kube_node_spec_taint", "What keeps pods away from a node", 1,
            {{"key", t.key}, {"value", t.value}, {"effect", effects[static_cast<std::size_t>(t.effect)]}});
    node.conditions("kube_node_status_condition", "How a node is", n.status.conditions);
    node.resources("kube_node_status_capacity", "What a node has", n.status.capacity);
    node.resources("kube_node_status_allocatable", "What pods may ask of a node", n.status.allocatable);
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::deployment> const& h)
{
    auto const& d = *h;
    about deployment(out, {{"namespace", d.metadata.namespace_}, {"deployment", d.metadata.name}});
    deployment.time("kube_deployment_created", "When a deployment was made, in seconds since 1970",
        d.metadata.creation_timestamp);
    deployment.gauge("kube_deployment_spec_replicas", "How many pods are wanted", d.spec.replicas);
    deployment.gauge("kube_deployment_spec_paused", "Whether a deployment is paused", d.spec.paused);
    deployment.gauge(
        "kube_deployment_metadata_generation", "The generation that is wanted", d.metadata.generation);
    deployment.gauge("kube_deployment_status_observed_generation", "The generation that was seen",
        d.status.observed_generation);
    deployment.gauge("kube_deployment_status_replicas", "How many pods there are", d.status.replicas);
    deployment.gauge("kube_deployment_status_replicas_ready", "How many are ready", d.status.ready_replicas);
    deployment.gauge("kube_deployment_status_replicas_available", "How many have been ready for long enough",
        d.status.available_replicas);
    deployment.gauge(
        "kube_deployment_status_replicas_unavailable", "How many are missing", d.status.unavailable_replicas);
    deployment.gauge("kube_deployment_status_replicas_updated", "How many are of the newest template",
        d.status.updated_replicas);
    deployment.conditions("kube_deployment_status_condition", "How a deployment is", d.status.conditions);
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::replica_set> const& h)
{
    auto const& r = *h;
    about set(out, {{"namespace", r.metadata.namespace_}, {"replicaset", r.metadata.name}});
    set.gauge("kube_replicaset_spec_replicas", "How many pods are wanted", r.spec.replicas);
    set.gauge("kube_replicaset_status_replicas", "How many pods there are", r.status.replicas);
    set.gauge("kube_replicaset_status_ready_replicas", "How many are ready", r.status.ready_replicas);
    set.gauge("kube_replicaset_metadata_generation", "The generation that is wanted", r.metadata.generation);
    set.gauge("kube_replicaset_status_observed_generation", "The generation that was seen",
        r.status.observed_generation);
    for (auto const& o : r.metadata.owner_references)
        set.gauge("kube_replicaset_owner", "Whose a replica set is", 1,
            {{"owner_kind", o.kind}, {"owner_name", o.name},
                {"owner_is_controller", o.controller.value_or(false) ? "true" : "false"}});
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::stateful_set> const& h)
{
    auto const& s = *h;
    about set(out, {{"namespace", s.metadata.namespace_}, {"statefulset", s.metadata.name}});
    set.gauge("kube_statefulset_replicas", "How many pods are wanted", s.spec.replicas);
    set.gauge("kube_statefulset_status_replicas", "How many pods there are", s.status.replicas);
    set.gauge("kube_statefulset_status_replicas_ready", "How many are ready", s.status.ready_replicas);
    set.gauge("kube_statefulset_status_replicas_available", "How many have been ready for long enough",
        s.status.available_replicas);
    set.gauge("kube_statefulset_status_replicas_current", "How many are of the current revision",
        s.status.current_replicas);
    set.gauge("kube_statefulset_status_replicas_updated", "How many are of the newest revision",
        s.status.updated_replicas);
    set.gauge("kube_statefulset_metadata_generation", "The generation that is wanted", s.metadata.generation);
    set.gauge("kube_statefulset_status_observed_generation", "The generation that was seen",
        s.status.observed_generation);
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::rollout> const& h)
{
    auto const& r = *h;
    about rollout(out, {{"namespace", r.metadata.namespace_}, {"rollout", r.metadata.name}});
    rollout.one_of("podium_rollout_phase", "How far a release is", "phase",
        {"Healthy", "Progressing", "Paused", "Degraded"}, r.status.phase);
    rollout.gauge("podium_rollout_spec_replicas", "How many pods are wanted", r.spec.replicas);
    rollout.gauge("podium_rollout_status_replicas", "How many pods there are", r.status.replicas);
    rollout.gauge("podium_rollout_status_replicas_ready", "How many are ready", r.status.ready_replicas);
    rollout.gauge("podium_rollout_status_replicas_available", "How many have been ready for long enough",
        r.status.available_replicas);
    rollout.gauge("podium_rollout_status_replicas_updated", "How many are of the newest template",
        r.status.updated_replicas);
    if (r.spec.strategy.canary)
        rollout.gauge(
            "podium_rollout_steps", "How many steps a canary has", r.spec.strategy.canary->steps.size());
    if (r.status.current_step_index)
        rollout.gauge(
            "podium_rollout_step", "How many of its steps a canary has done", *r.status.current_step_index);
    if (r.status.canary && r.status.canary->weights) {
        auto const& w = *r.status.canary->weights;
        for (auto const& [role, v] : {std::pair("canary", &w.canary), {"stable", &w.stable}})
            rollout.gauge("podium_rollout_weight", "How many of a hundred requests a version gets", v->weight,
                {{"role", role}, {"pod_template_hash", v->pod_template_hash}});
    }
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::analysis_run> const& h)
{
    auto const& r = *h;
    constexpr std::array<std::string_view, 6> phases{
        "Pending", "Running", "Successful", "Failed", "Error", "Inconclusive"};
    about(out, {{"namespace", r.metadata.namespace_}, {"analysisrun", r.metadata.name}})
        .one_of("podium_analysis_run_phase", "What an analysis has come to", "phase",
            {"Pending", "Running", "Successful", "Failed", "Error", "Inconclusive"},
            phases[static_cast<std::size_t>(r.status.phase)]);
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::service> const& h)
{
    auto const& s = *h;
    about(out, {{"namespace", s.metadata.namespace_}, {"service", s.metadata.name}})
        .gauge("kube_service_info", "A service and its address", 1, {{"cluster_ip", s.spec.cluster_ip}});
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::namespace_> const& h)
{
    about(out, {{"namespace", h->metadata.name}})
        .one_of("kube_namespace_status_phase", "Whether a namespace is in use or going", "phase",
            {"Active", "Terminating"},
            h->status.phase == model::namespace_phase::active ? "Active" : "Terminating");
}

inline void expose_object(
    observe::exposition& out, reconcile::handle<model::persistent_volume_claim> const& h)
{
    constexpr std::array<std::string_view, 3> phases{"Pending", "Bound", "Lost"};
    auto const& c = *h;
    about claim(out, {{"namespace", c.metadata.namespace_}, {"persistentvolumeclaim", c.metadata.name}});
    claim.one_of("kube_persistentvolumeclaim_status_phase", "Whether a claim has its volume", "phase",
        {"Lost", "Bound", "Pending"}, phases[static_cast<std::size_t>(c.status.phase)]);
    if (auto const size = c.spec.resources.requests.find("storage"); size != c.spec.resources.requests.end())
        claim.gauge("kube_persistentvolumeclaim_resource_requests_storage_bytes", "What a claim asks for",
            size->second.value());
}

inline void expose_object(observe::exposition& out, reconcile::handle<model::pod_disruption_budget> const& h)
{
    auto const& b = *h;
    about budget(out, {{"namespace", b.metadata.namespace_}, {"poddisruptionbudget", b.metadata.name}});
    budget.time("kube_poddisruptionbudget_created", "When a budget was made, in seconds since 1970",
        b.metadata.creation_timestamp);
    budget.gauge("kube_poddisruptionbudget_status_current_healthy", "How many pods are healthy",
        b.status.current_healthy);
    budget.gauge("kube_poddisruptionbudget_status_desired_healthy", "How many must stay healthy",
        b.status.desired_healthy);
    budget.gauge("kube_poddisruptionbudget_status_pod_disruptions_allowed", "How many may be evicted now",
        b.status.disruptions_allowed);
    budget.gauge("kube_poddisruptionbudget_status_expected_pods", "How many pods a budget is about",
        b.status.expected_pods);
    budget.gauge("kube_poddisruptionbudget_status_observed_generation", "The generation that was seen",
        b.status.observed_generation);
}

/// f(name, amounts) for what a metric's spec or status says, if it says anything.
template<class Metric, class F>
void with_amounts(Metric const& m, F const& f)
{
    auto const say = [&](std::string_view name, auto const& source) {
        if constexpr (requires { source.target; })
            f(name, source.target);
        else
            f(name, source.current);
    };
    if (m.resource)
        say(m.resource->name, *m.resource);
    else if (m.container_resource)
        say(m.container_resource->name, *m.container_resource);
    else if (m.pods)
        say(m.pods->metric.name, *m.pods);
    else if (m.object)
        say(m.object->metric.name, *m.object);
    else if (m.external)
        say(m.external->metric.name, *m.external);
}

/// Two metrics of one name and unit would be one series twice: the first is shown.
template<class Metrics>
void expose_metrics(about& scaler, std::string_view series, std::string_view help, Metrics const& metrics)
{
    std::set<std::pair<std::string_view, std::string_view>> told;
    for (auto const& m : metrics)
        with_amounts(m, [&](std::string_view name, auto const& is) {
            auto const tell = [&](std::string_view unit, double amount) {
                if (told.emplace(name, unit).second)
                    scaler.gauge(series, help, amount, {{"metric_name", name}, {"metric_target_type", unit}});
            };
            if (is.value)
                tell("value", static_cast<double>(is.value->milli_value()) / 1000);
            if (is.average_value)
                tell("average", static_cast<double>(is.average_value->milli_value()) / 1000);
            if (is.average_utilization)
                tell("utilization", *is.average_utilization);
        });
}

inline void expose_object(
    observe::exposition& out, reconcile::handle<model::horizontal_pod_autoscaler> const& h)
{
    auto const& a = *h;
    about scaler(out, {{"namespace", a.metadata.namespace_}, {"horizontalpodautoscaler", a.metadata.name}});
    scaler.gauge("kube_horizontalpodautoscaler_info", "Whose size an autoscaler decides", 1,
        {{"scaletargetref_api_version", a.spec.scale_target_ref.api_version},
            {"scaletargetref_kind", a.spec.scale_target_ref.kind},
            {"scaletargetref_name", a.spec.scale_target_ref.name}});
    scaler.gauge("kube_horizontalpodautoscaler_spec_min_replicas", "The fewest that it may ask for",
        a.spec.min_replicas);
    scaler.gauge("kube_horizontalpodautoscaler_spec_max_replicas", "The most that it may ask for",
        a.spec.max_replicas);
    scaler.gauge(
        "kube_horizontalpodautoscaler_status_current_replicas", "How many it saw", a.status.current_replicas);
    scaler.gauge("kube_horizontalpodautoscaler_status_desired_replicas", "How many it wants",
        a.status.desired_replicas);
    expose_metrics(
        scaler, "kube_horizontalpodautoscaler_spec_target_metric", "What a metric is to be", a.spec.metrics);
    expose_metrics(scaler, "kube_horizontalpodautoscaler_status_target_metric",
        "What a metric was when it was last decided on", a.status.current_metrics);
    scaler.gauge("kube_horizontalpodautoscaler_metadata_generation", "The generation that is wanted",
        a.metadata.generation);
    scaler.time("podium_horizontalpodautoscaler_last_scale_time",
        "When it last changed a size, in seconds since 1970", a.status.last_scale_time);
    scaler.conditions(
        "kube_horizontalpodautoscaler_status_condition", "How an autoscaler is", a.status.conditions);
}

template<class K, class View>
void expose_all(observe::exposition& out, View const& view)
{
    for (auto const h : view.template all<K>())
        expose_object(out, h);
}

template<class View, class... K>
void expose_counts(observe::exposition& out, View const& view, model::kind_list<K...>)
{
    (out.gauge("apiserver_storage_objects", "How many objects of a kind are stored",
         {{"resource", K::plural}}, view.template count<K>()),
        ...);
}

/// "default/web:http" as what it says; of another shape: no namespace, no port.
struct route_parts {
    std::string_view namespace_{}, service{}, port{};

    explicit route_parts(std::string_view route)
    {
        auto const slash = route.find('/');
        auto const colon = route.rfind(':');
        if (slash == std::string_view::npos || colon == std::string_view::npos || colon < slash) {
            service = route;
            return;
        }
        namespace_ = route.substr(0, slash);
        service = route.substr(slash + 1, colon - slash - 1);
        port = route.substr(colon + 1);
    }
};

inline void expose_requests(about& who, net::request_counters const& c, std::string_view sent)
{
    constexpr std::array<std::string_view, 6> classes{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    constexpr std::string_view name = "podium_proxy_requests_total";
    constexpr std::string_view help =
        "Requests that ended, by the class of their answer (none: there was none), and by why the version "
        "got them";
    for (std::size_t i = 0; i < classes.size(); ++i)
        if (i != 1 || c.by_class[i] > 0)
            who.counter(name, help, c.by_class[i], {{"code", classes[i]}, {"sent", sent}});
    who.counter(name, help, c.abandoned, {{"code", "abandoned"}, {"sent", sent}});
}

}  // namespace detail

/// What the objects are: kube-state-metrics' part, and podium's own kinds. O(objects).
template<class View>
void expose_objects(observe::exposition& out, View const& view)
{
    detail::expose_all<model::node>(out, view);
    detail::expose_all<model::namespace_>(out, view);
    detail::expose_all<model::deployment>(out, view);
    detail::expose_all<model::rollout>(out, view);
    detail::expose_all<model::analysis_run>(out, view);
    detail::expose_all<model::stateful_set>(out, view);
    detail::expose_all<model::replica_set>(out, view);
    detail::expose_all<model::horizontal_pod_autoscaler>(out, view);
    detail::expose_all<model::pod_disruption_budget>(out, view);
    detail::expose_all<model::service>(out, view);
    detail::expose_all<model::persistent_volume_claim>(out, view);
    detail::expose_all<model::pod>(out, view);

    std::size_t active = 0, unschedulable = 0, gated = 0;
    for (auto const p : view.template all<model::pod>()) {
        if (!p->spec.node_name.empty() || p->metadata.deletion_timestamp ||
            model::is_terminal(p->status.phase))
            continue;
        auto const* const scheduled = model::find_condition(p->status.conditions, "PodScheduled");
        ++(!p->spec.scheduling_gates.empty()                                        ? gated
                : scheduled && scheduled->status == model::condition_status::false_ ? unschedulable
                                                                                    : active);
    }
    for (auto const& [queue, n] :
        {std::pair("active", active), {"unschedulable", unschedulable}, {"gated", gated}})
        out.gauge(
            "scheduler_pending_pods", "Pods without a node, by what they wait for", {{"queue", queue}}, n);

    std::map<std::tuple<std::string_view, std::string_view, std::string_view>, std::uint64_t> events;
    for (auto const e : view.template all<model::event>())
        events[{e->metadata.namespace_, e->type, e->reason}] +=
            static_cast<std::uint64_t>(std::max(e->count, 0));
    for (auto const& [which, n] : events)
        out.gauge("podium_events", "What happened lately, how often; events are forgotten after a while",
            {{"namespace", std::get<0>(which)}, {"type", std::get<1>(which)}, {"reason", std::get<2>(which)}},
            n);

    detail::expose_counts(out, view, model::shipped_kinds{});
    out.gauge("podium_store_revision", "The revision that all of this is of", {},
        static_cast<std::uint64_t>(view.at()));
}

/// What a router counted, by service port and version. O(versions + endpoints).
inline void expose_traffic(observe::exposition& out, net::router_status const& status)
{
    for (auto const& [route, s] : status) {
        detail::route_parts const name(route);
        observe::label const namespace_{"namespace", name.namespace_}, service{"service", name.service},
            port{"port", name.port};
        detail::about of_service(out, {namespace_, service, port});
        of_service.counter(
            "podium_proxy_refused_total", "Requests answered 503: there was no endpoint", s.refused);
        of_service.counter(
            "podium_proxy_bad_requests_total", "Requests answered 4xx by the router itself", s.bad_requests);
        of_service.counter("podium_proxy_copies_dropped_total",
            "Requests that were not mirrored though they should", s.copies_dropped);
        of_service.counter("podium_proxy_unread_conversions_total",
            "Conversion headers that say neither 1 nor 0", s.unread_conversions);
        of_service.gauge("podium_proxy_waiting", "Requests that wait for an endpoint", s.waiting);
        of_service.gauge(
            "podium_proxy_generation", "The generation of endpoints that is in force", s.generation);
        for (auto const& [version, c] : s.versions) {
            detail::about who(out, {namespace_, service, port, {"version", version}});
            expose_requests(who, c, "dealt");
            if (c.matched.requests > 0)
                expose_requests(who, c.matched, "matched");
            if (c.mirrored.requests > 0)
                expose_requests(who, c.mirrored, "mirrored");
            who.histogram("podium_proxy_request_duration_seconds",
                "Until the endpoint had done its part, of requests that were dealt", c.latency);
            who.counter("podium_proxy_retries_total", "Attempts that another one made up for", c.retries);
            who.counter("podium_proxy_conversions_total", "Answers that told of a conversion", c.conversions);
            who.counter(
                "podium_proxy_visitors_total", "Visitors that a cookie gave to a version", c.visitors);
            who.counter("podium_proxy_converted_visitors_total", "Of these, the ones that converted",
                c.converted_visitors);
        }
        struct load {
            std::uint64_t in_flight = 0;
            bool ejected = false;
        };
        // A pod whose port has just changed is there twice while requests to the old one are under way.
        std::map<std::pair<std::string_view, std::string_view>, load> endpoints;
        for (auto const& e : s.endpoints) {
            auto& sum = endpoints[{e.version, e.id}];
            sum.in_flight += e.in_flight;
            sum.ejected = sum.ejected || e.ejected;
        }
        for (auto const& [which, sum] : endpoints) {
            detail::about who(
                out, {namespace_, service, port, {"version", which.first}, {"endpoint", which.second}});
            who.gauge("podium_proxy_in_flight", "Requests under way", sum.in_flight);
            who.gauge("podium_proxy_endpoint_ejected", "Whether an endpoint is left out as an outlier",
                sum.ejected);
        }
    }
}

/// What the containers that run have used, when it was last measured, under the names of the kubelet's
/// resource metrics.
inline void expose_usage(observe::exposition& out, usage_meter const& usage)
{
    // A pod that was removed by force still ends while the next one of its name runs already.
    std::map<std::array<std::string_view, 4>, std::pair<std::uint64_t, std::uint64_t>> containers;
    for (auto const& [uid, p] : usage.pods())
        for (auto const& c : p.containers) {
            auto& sum = containers[{p.namespace_, p.name, c.name, p.node}];
            sum.first += c.cpu_nanos;
            sum.second += c.memory_bytes;
        }
    for (auto const& [which, sum] : containers) {
        detail::about container(
            out, {{"namespace", which[0]}, {"pod", which[1]}, {"container", which[2]}, {"node", which[3]}});
        container.counter("container_cpu_usage_seconds_total", "Processor time that a container has used",
            static_cast<double>(sum.first) / 1e9);
        container.gauge("container_memory_working_set_bytes", "Memory that a container holds", sum.second);
    }
}

/// What the control plane has done, and what waits for it; by controller what each did.
inline void expose_plane(observe::exposition& out, reconcile::plane_stats const& done,
    std::span<reconcile::controller_figures const> controllers)
{
    for (auto const& c : controllers) {
        c.queue.each([&](std::string_view name, std::string_view help, auto const& figure) {
            observe::label const which{"name", c.name};
            if constexpr (requires { figure.total; })
                out.counter(name, help, {which}, figure);
            else if constexpr (requires { figure.bounds; })
                out.histogram(name, help, {which}, figure);
            else
                out.gauge(name, help, {which}, figure);
        });
        detail::about controller(out, {{"controller", c.name}});
        for (auto const& [result, n] : {std::pair("success", c.success), {"requeue_after", c.requeue_after},
                 {"requeue", c.requeue}, {"error", c.error}})
            controller.counter("controller_runtime_reconcile_total",
                "Keys that were reconciled, by how it ended", n, {{"result", result}});
        controller.counter(
            "controller_runtime_reconcile_errors_total", "Reconciles and commits that failed", c.error);
        controller.histogram("controller_runtime_reconcile_time_seconds",
            "What finding out takes that something is to be written, without the commit", c.time);
    }
    out.counter("podium_plane_reconciles_total", "Keys that were reconciled", {}, done.reconciles);
    out.counter("podium_plane_plans_total", "Reconciles that wanted something written", {}, done.plans);
    out.counter("podium_plane_transactions_total", "What was handed to the store", {}, done.transactions);
    out.counter("podium_plane_writes_total", "Objects in these", {}, done.writes);
    out.counter(
        "podium_plane_conflicts_total", "Refused: something had changed meanwhile", {}, done.conflicts);
    out.counter("podium_plane_failures_total", "Reconciles and commits that failed", {}, done.failures);
    out.counter("podium_plane_waits_total", "Keys held back until the view caught up", {}, done.waits);
}

/// What the scheduler has done.
inline void expose_scheduling(observe::exposition& out, controllers::scheduling_figures const& done)
{
    for (auto const& [result, f] :
        {std::pair("scheduled", &done.scheduled), {"unschedulable", &done.unschedulable}}) {
        detail::about attempts(
            out, {{"profile", controllers::scheduling_figures::profile}, {"result", result}});
        attempts.counter(
            "scheduler_schedule_attempts_total", "Looks for a node for a pod, by what they found", f->count);
        attempts.histogram("scheduler_scheduling_attempt_duration_seconds",
            "What such a look takes, without the commit", *f);
    }
    out.counter("scheduler_preemption_attempts_total", "Looks for room that less important pods would give",
        {}, done.preemption_attempts);
    out.histogram("scheduler_preemption_victims", "Pods that had to go for one that is more important", {},
        done.preemption_victims);
}

/// What this process takes of the machine.
inline void expose_process(observe::exposition& out)
{
    std::timespec cpu{};
    if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        out.counter("process_cpu_seconds_total", "Processor time of this process", {},
            static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9);
    if (auto* const file = std::fopen("/proc/self/statm", "r")) {
        unsigned long all = 0, resident = 0;
        auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
        if (std::fscanf(file, "%lu %lu", &all, &resident) == 2) {
            out.gauge("process_virtual_memory_bytes", "Address space of this process", {}, all * page);
            out.gauge("process_resident_memory_bytes", "Memory of this process", {}, resident * page);
        }
        std::fclose(file);
    }
}

/// How much of this page so far had to be left out, since it is no proper series: 0, or there is a mistake.
inline void expose_left_out(observe::exposition& out)
{
    out.gauge("podium_metrics_left_out", "Series that this page lacks: their names or labels are none", {},
        out.wrong() ? 1 + out.wrong()->further.size() : 0);
}

/// All of a `cluster::local`, or of whatever has a view, traffic and a plane. On its strand.
template<class Cluster>
void expose(observe::exposition& out, Cluster const& c)
{
    expose_objects(out, c.view());
    expose_traffic(out, c.traffic());
    if (auto const* const usage = c.usage())
        expose_usage(out, *usage);
    expose_plane(out, c.plane().stats(), c.plane().figures());
    expose_scheduling(out, c.scheduling());
    expose_process(out);
    expose_left_out(out);
}

}  // namespace podium::v0::cluster
