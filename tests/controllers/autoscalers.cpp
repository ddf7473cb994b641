// Autoscalers in a world whose load the test says: what was measured goes in as MetricReadings, sizes and
// words come out.
#include "world.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace podium;
using namespace std::chrono_literals;

namespace {

model::metric_spec cpu(std::int32_t percent)
{
    model::metric_spec m;
    m.resource =
        model::resource_metric_source{"cpu", {model::metric_target_type::utilization, {}, {}, percent}};
    return m;
}
model::metric_spec queue_length(char const* target)
{
    model::metric_spec m;
    m.type = model::metric_source_type::external;
    m.external = model::external_metric_source{
        {"queue", {}}, {model::metric_target_type::value, quantity::parse(target).value(), {}, {}}, {}};
    return m;
}

/// A deployment "web" whose pods request 100m, and an autoscaler of it.
struct scaled : podium::tests::world {
    duration window = 15s;

    explicit scaled(std::int32_t replicas = 2, std::vector<model::metric_spec> metrics = {cpu(60)},
        controllers::settings how = patient())
        : world(std::move(how))
    {
        add_node("n1", "1000");
        put(deployment("web", replicas));
        run(10min);  // all of its pods have started long ago
        put(autoscaler("web", std::move(metrics)));
        run();
    }
    static model::horizontal_pod_autoscaler autoscaler(
        std::string name, std::vector<model::metric_spec> metrics = {cpu(60)})
    {
        model::horizontal_pod_autoscaler a;
        a.metadata.name = std::move(name);
        a.metadata.namespace_ = "default";
        a.spec.scale_target_ref = {"apps/v1", "Deployment", "web"};
        a.spec.min_replicas = 2;
        a.spec.max_replicas = 10;
        a.spec.metrics = std::move(metrics);
        return a;
    }

    /// A collector's word at this moment. Pods that are ready and stay share the load, in milli-cores.
    model::metric_readings measured(std::int64_t load_milli)
    {
        model::metric_readings r;
        model::metric_reading m;
        std::vector<reconcile::handle<model::pod>> serving;
        for (auto const& pod : all<model::pod>())
            if (controllers::is_active(*pod) && controllers::ready_since(*pod))
                serving.push_back(pod);
        auto const n = static_cast<std::int64_t>(serving.size());
        for (std::int64_t i = 0; i < n; ++i)  // to the last thousandth
            m.pods.push_back({serving[static_cast<std::size_t>(i)]->metadata.name,
                quantity::from_milli(load_milli * (i + 1) / n - load_milli * i / n), {}, window});
        r.metrics.push_back(std::move(m));
        return r;
    }
    void put_readings(model::metric_readings r, std::string const& name = "web")
    {
        auto const a = store.get<model::horizontal_pod_autoscaler>("default", name);
        r.metadata.name = name;
        r.metadata.namespace_ = "default";
        r.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(a)};
        if (!r.time)
            r.time = model::time{now};
        r.observed_generation = a->metadata.generation;
        put(std::move(r));
        run();
    }
    void measure(std::int64_t load_milli) { put_readings(measured(load_milli)); }
    /// Measures at the end of each of `n` windows.
    void go_on(std::int64_t load_milli, int n)
    {
        for (int i = 0; i < n; ++i) {
            run(window);
            measure(load_milli);
        }
    }

    std::int32_t size() { return store.get<model::deployment>("default", "web")->spec.replicas; }
    model::horizontal_pod_autoscaler const& hpa(std::string const& name = "web")
    {
        return *store.get<model::horizontal_pod_autoscaler>("default", name);
    }
    /// "AbleToScale True ReadyForNewScale"
    std::string condition(char const* type, std::string const& of = "web")
    {
        auto const* const c = model::find_condition(hpa(of).status.conditions, type);
        if (!c)
            return "none";
        return std::string(c->status == model::condition_status::true_ ? "True " : "False ") + c->reason;
    }
    std::string message(char const* type)
    {
        auto const* const c = model::find_condition(hpa().status.conditions, type);
        return c ? c->message : "none";
    }
    /// How often an event of that reason came, and the last one's words.
    std::pair<int, std::string> events(std::string const& reason)
    {
        std::pair<int, std::string> out;
        for (auto const& e : all<model::event>())
            if (e->reason == reason) {
                out.first += e->count;
                out.second = e->message;
            }
        return out;
    }
    std::int32_t utilization()
    {
        auto const& all = hpa().status.current_metrics;
        return all.empty() || !all[0].resource ? -1
                                               : all[0].resource->current.average_utilization.value_or(-1);
    }
};

}  // namespace

TEST_CASE(
    "autoscalers: at 80 % two become three and settle at 53 %; without the load it is two after the window")
{
    scaled w;
    w.measure(160);
    CHECK(w.size() == 3);
    CHECK(w.utilization() == 80);
    CHECK(w.condition("AbleToScale") == "True SucceededRescale");
    CHECK(w.message("AbleToScale") == "the HPA controller was able to update the target scale to 3");
    CHECK(w.condition("ScalingActive") == "True ValidMetricFound");
    CHECK(w.message("ScalingActive") ==
        "the HPA was able to successfully calculate a replica count from cpu resource utilization "
        "(percentage of request)");
    CHECK(w.condition("ScalingLimited") == "False DesiredWithinRange");
    CHECK(w.events("SuccessfulRescale") ==
        std::pair(1,
            std::string(
                "New size: 3; reason: cpu resource utilization (percentage of request) above target")));
    CHECK(w.hpa().status.last_scale_time == model::time{w.now});

    w.go_on(160, 30);
    CHECK(w.size() == 3);
    CHECK(w.utilization() == 53);
    CHECK(w.hpa().status.current_replicas == 3);
    CHECK(w.hpa().status.desired_replicas == 3);

    w.go_on(10, 1);
    auto const quiet_since = w.now;
    CHECK(w.size() == 3);
    CHECK(w.condition("AbleToScale") == "True ScaleDownStabilized");
    while (w.size() == 3 && w.now < quiet_since + 10min)
        w.go_on(10, 1);
    CHECK(w.size() == 2);
    CHECK(w.now - quiet_since >= 5min - 15s);
    CHECK(w.now - quiet_since <= 5min + 15s);
    CHECK(w.events("SuccessfulRescale").first == 2);
    w.go_on(10, 1);
    CHECK(w.condition("ScalingLimited") == "True TooFewReplicas");
    CHECK(w.message("ScalingLimited") == "the desired replica count is less than the minimum replica count");
}

TEST_CASE("autoscalers: readings are decided on once, and a restart changes nothing")
{
    scaled w;
    w.measure(160);
    auto const before = w.store.snapshot();
    auto fresh = podium::tests::world::assembly::make(podium::tests::world::patient(), {});
    fresh.resync(before, w.now);
    (void)reconcile::settle(fresh, w.store, w.now);
    CHECK(w.store.at() == before.at);
    CHECK(w.size() == 3);

    // Once again, beside a twin that goes on: its memory is all in the object, through JSON and back.
    auto const text = model::encode(w.hpa());
    CHECK(*model::decode_text<model::horizontal_pod_autoscaler>(text) == w.hpa());
}

TEST_CASE("autoscalers: decisions are logged with what they follow from, and can be taken again")
{
    auto how = podium::tests::world::patient();
    auto const log = std::make_shared<controllers::scaling_decisions>(1000);
    how.autoscaler.decisions = log;
    scaled w(2, {cpu(60)}, how);
    CHECK(log->end() == 0);  // nothing was measured, so nothing was decided
    w.measure(160);
    REQUIRE(log->end() == 1);
    auto const& r = *log->at(0);
    CHECK(r.when == w.now);
    CHECK(r.who == "horizontal-pod-autoscaler");
    CHECK(r.about == "default/web");
    CHECK(r.inputs.policy == controllers::policy_of(w.hpa().spec, how.autoscaler));
    CHECK(r.inputs.state == autoscale::state{});
    CHECK(r.inputs.size == autoscale::sizes{2, 2, 2, 2});
    REQUIRE(r.inputs.readings.size() == 1);
    CHECK(r.inputs.readings[0].pods->used_milli == 160);
    CHECK(r.verdict.scale_to == 3);
    CHECK(r.verdict.proposals.empty());
    CHECK(r.reason == "2 -> 3: cpu asks for 3 (load off its target, ratio 1.33, 2 counted)");

    w.go_on(160, 3);
    w.go_on(10, 30);
    w.run(5min);  // nothing is measured any more, and that is decided on as well
    CHECK(log->end() > 35);
    CHECK(log->at(log->end() - 1)->verdict.why == autoscale::cause::no_metrics);
    CHECK_FALSE(log->replay([](controllers::scaling_inputs const& in, time_point at) {
        return controllers::decide(in.policy, in, at);
    }));
    // With less patience the same load would have made it small again sooner.
    auto const hasty = log->replay([](controllers::scaling_inputs const& in, time_point at) {
        auto policy = in.policy;
        policy.downscale_stabilization = 1min;
        return controllers::decide(policy, in, at);
    });
    REQUIRE(hasty);
    CHECK(hasty->now.scale_to == 2);
    auto const& patience = *log->at(hasty->number);
    CHECK(patience.verdict.desired == 3);
    CHECK(patience.verdict.limited_by == autoscale::limit::stabilization);
}

TEST_CASE("autoscalers: nothing shrinks on ignorance")
{
    struct row {
        char const* name;
        std::function<void(scaled&, model::metric_readings&)> spoil;
        std::int32_t size;
        char const* active;
    };
    auto const value = [](model::metric_readings& r, std::size_t i) -> model::pod_reading& {
        return r.metrics[0].pods[i];
    };
    for (auto const &r : {
             row{"all is well: idle pods are too many", [](auto&, auto&) {}, 2, "True ValidMetricFound"},
             row{"one pod is missing, and might be busy",
                 [](auto&, auto& m) { m.metrics[0].pods.pop_back(); }, 3, "True ValidMetricFound"},
             row{"most are missing", [](auto&, auto& m) { m.metrics[0].pods.resize(1); }, 6,
                 "True ValidMetricFound"},
             row{"all are missing", [](auto&, auto& m) { m.metrics[0].pods.clear(); }, 6,
                 "False FailedGetResourceMetric"},
             row{"no metric at all", [](auto&, auto& m) { m.metrics.clear(); }, 6,
                 "False FailedGetResourceMetric"},
             row{"an error", [](auto&, auto& m) { m.metrics[0].error = "the runtime is gone"; }, 6,
                 "False FailedGetResourceMetric"},
             row{"below zero",
                 [&](auto&, auto& m) {
                     for (auto& p : m.metrics[0].pods)
                         p.value = quantity::from_milli(-1);
                 },
                 6, "False FailedGetResourceMetric"},
             row{"from the future",
                 [&](auto& w, auto& m) {
                     for (auto& p : m.metrics[0].pods)
                         p.measured_at = model::time{w.now + 1h};
                 },
                 6, "False FailedGetResourceMetric"},
             row{"before these pods were there",
                 [&](auto& w, auto& m) {
                     for (auto& p : m.metrics[0].pods)
                         p.measured_at = model::time{w.now - 1h};
                 },
                 6, "False FailedGetResourceMetric"},
             row{"of pods that are gone",
                 [&](auto&, auto& m) {
                     for (auto& p : m.metrics[0].pods)
                         p.pod += "-gone";
                 },
                 6, "False FailedGetResourceMetric"},
             row{"the same pod many times is one pod",
                 [&](auto&, auto& m) { m.metrics[0].pods.assign(6, value(m, 0)); }, 6,
                 "True ValidMetricFound"},
         }) {
        CAPTURE(r.name);
        scaled w(6);
        w.edit<model::horizontal_pod_autoscaler>("web",
            [](auto& a) { a.spec.behavior.edit().scale_down.emplace().stabilization_window_seconds = 0; });
        w.run();
        auto m = w.measured(60);
        r.spoil(w, m);
        w.put_readings(m);
        CHECK(w.size() == r.size);
        CHECK(w.condition("ScalingActive") == r.active);
    }
}

TEST_CASE("autoscalers: what failed is told in Kubernetes' words")
{
    scaled w(6);
    auto m = w.measured(60);
    m.metrics[0] = {{}, {}, "no such thing"};
    w.put_readings(m);
    CHECK(w.events("FailedGetResourceMetric") ==
        std::pair(1, std::string("unable to get metrics for resource cpu: no such thing")));
    CHECK(w.events("FailedComputeMetricsReplicas").second ==
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: "
        "failed to get cpu utilization: unable to get metrics for resource cpu: no such thing");
    CHECK(w.message("ScalingActive") ==
        "the HPA was unable to compute the replica count: unable to get metrics for resource cpu: no such "
        "thing");
    CHECK(w.hpa().status.current_replicas == 6);

    w.edit<model::deployment>(
        "web", [](auto& d) { d.spec.template_.spec.containers.edit()[0].resources.requests.clear(); });
    w.run(10min);
    w.measure(60);
    CHECK(w.size() == 6);
    CHECK(w.message("ScalingActive").find("missing request for cpu in container main of Pod web-") !=
        std::string::npos);
}

TEST_CASE("autoscalers: readings that do not come any more are no readings")
{
    scaled w(6);
    w.measure(360);
    CHECK(w.condition("ScalingActive") == "True ValidMetricFound");
    w.run(59s);
    CHECK(w.condition("ScalingActive") == "True ValidMetricFound");
    w.run(2s);
    CHECK(w.condition("ScalingActive") == "False FailedGetResourceMetric");
    CHECK(w.message("ScalingActive").ends_with("nothing was measured for too long"));
    w.run(1h);
    CHECK(w.size() == 6);
    w.measure(360);
    CHECK(w.condition("ScalingActive") == "True ValidMetricFound");

    // Those of metrics that it has no more, or of a namesake, are none either.
    for (bool const of_namesake : {false, true}) {
        w.run(1s);
        model::metric_readings r = w.measured(1000);
        r.metadata.name = "web";
        r.metadata.namespace_ = "default";
        r.metadata.owner_references = {
            reconcile::owned_by<model::owner_reference>(w.all<model::horizontal_pod_autoscaler>()[0])};
        r.observed_generation = w.hpa().metadata.generation;
        r.time = model::time{w.now};
        if (of_namesake)
            r.metadata.owner_references[0].uid += "1";
        else
            ++r.observed_generation;
        w.put(r);
        w.run();
        CHECK(w.size() == 6);
    }
    w.go_on(1000, 1);
    CHECK(w.size() == 10);
}

TEST_CASE("autoscalers: a target that cannot be scaled is told, and found when it comes")
{
    struct row {
        model::cross_version_object_reference target;
        char const* why;
    };
    for (auto const& r : {
             row{{"apps/v1", "Deployment", "absent"}, "deployments.apps \"absent\" not found"},
             row{{"argoproj.io/v1alpha1", "Rollout", "web"}, "rollouts.argoproj.io \"web\" not found"},
             row{{"v1", "Pod", "web"}, "no matches for kind \"Pod\" in group \"v1\""},
             row{{"extensions/v1beta1", "Deployment", "web"},
                 "no matches for kind \"Deployment\" in group \"extensions\""},
         }) {
        CAPTURE(r.why);
        scaled w;
        w.edit<model::horizontal_pod_autoscaler>("web", [&](auto& a) { a.spec.scale_target_ref = r.target; });
        w.run();
        CHECK(w.condition("AbleToScale") == "False FailedGetScale");
        CHECK(w.message("AbleToScale") ==
            std::string("the HPA controller was unable to get the target's current scale: ") + r.why);
        CHECK(w.events("FailedGetScale").second == r.why);
        w.measure(1000);
        CHECK(w.size() == 2);
        w.run(1s);
        w.edit<model::horizontal_pod_autoscaler>(
            "web", [&](auto& a) { a.spec.scale_target_ref = {"apps/v1", "Deployment", "web"}; });
        w.run();
        CHECK(w.condition("AbleToScale") == "True SucceededGetScale");
        w.measure(160);
        CHECK(w.size() == 3);
    }
}

TEST_CASE("autoscalers: of two on one target none scales")
{
    scaled w;
    w.put(w.autoscaler("other"));
    w.run();
    w.measure(1000);
    w.put_readings(w.measured(1000), "other");
    CHECK(w.size() == 2);
    for (auto const* const name : {"web", "other"})
        CHECK(w.condition("ScalingActive", name) == "False AmbiguousSelector");
    CHECK(w.message("ScalingActive") ==
        "pods of Deployment web are controlled by multiple HPAs: [default/other default/web]");

    w.remove<model::horizontal_pod_autoscaler>("other");
    w.run(15s);
    w.measure(160);
    CHECK(w.size() == 3);

    // One on the deployment and one on a set of it are on the same pods.
    auto of_set = w.autoscaler("set");
    of_set.spec.scale_target_ref = {"apps/v1", "ReplicaSet", w.all<model::replica_set>()[0]->metadata.name};
    w.put(of_set);
    w.run(15s);
    w.measure(1000);
    w.put_readings(w.measured(1000), "set");
    CHECK(w.size() == 3);
    CHECK(w.condition("ScalingActive", "set") == "False AmbiguousSelector");
}

TEST_CASE("autoscalers: bounds that contradict each other, and one of another group on a target's name")
{
    scaled w;
    w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {
        a.spec.min_replicas = 5;
        a.spec.max_replicas = 3;
    });
    for (int i = 0; i < 5; ++i) {
        w.run(15s);
        w.measure(160);
        CHECK(w.size() == 2);
    }
    CHECK(w.condition("ScalingActive") == "False InvalidBounds");
    CHECK(w.events("InvalidBounds").second == "maxReplicas must be at least 1 and not less than minReplicas");
    w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {
        a.spec.min_replicas = 2;
        a.spec.max_replicas = 10;
    });
    auto other = scaled::autoscaler("old");
    other.spec.scale_target_ref.api_version = "extensions/v1beta1";
    w.put(other);
    w.run(15s);
    CHECK(w.condition("AbleToScale", "old") == "False FailedGetScale");
    w.measure(160);
    CHECK(w.condition("ScalingActive") == "True ValidMetricFound");
    CHECK(w.size() == 3);
}

TEST_CASE("autoscalers: bounds, a size that somebody else wrote, and zero")
{
    scaled w(4);
    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 15; });
    w.run(15s);
    w.measure(240);
    CHECK(w.size() == 10);
    CHECK(w.events("SuccessfulRescale").second ==
        "New size: 10; reason: Current number of replicas above Spec.MaxReplicas");
    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 1; });
    w.run(15s);
    w.measure(240);
    CHECK(w.size() == 2);
    w.edit<model::deployment>("web", [](auto& d) { d.spec.replicas = 0; });
    w.run(15s);
    w.measure(0);
    CHECK(w.size() == 0);
    CHECK(w.condition("ScalingActive") == "False ScalingDisabled");
}

TEST_CASE("autoscalers: an external metric wakes a target of size zero and sends it to sleep")
{
    scaled w(1, {queue_length("10")});
    w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {
        a.spec.min_replicas = 0;
        a.spec.behavior.edit().scale_down.emplace().stabilization_window_seconds = 30;
    });
    w.run();
    auto const length = [&](std::int64_t n) {
        model::metric_readings r;
        r.metrics = {{{}, quantity::from_integer(n), {}}};
        w.put_readings(r);
        w.run(15s);
        return w.size();
    };
    CHECK(length(0) == 1);
    CHECK(length(0) == 1);
    CHECK(length(0) == 0);
    CHECK(length(0) == 0);
    CHECK(length(1) == 1);
    CHECK(w.hpa().status.current_metrics[0].external->current.value == quantity::from_integer(1));
    CHECK(length(25) == 3);
    CHECK(length(-5) == 3);
    CHECK(w.condition("ScalingActive") == "False FailedGetExternalMetric");
}

TEST_CASE("autoscalers: replica sets, stateful sets and rollouts are scaled as deployments are")
{
    auto const grows = [](auto workload) {
        using K = decltype(workload);
        CAPTURE(K::kind);
        auto const like = podium::tests::world::deployment("db", 2);
        workload.metadata = like.metadata;
        workload.spec.replicas = 2;
        workload.spec.selector = like.spec.selector;
        workload.spec.template_ = like.spec.template_;
        scaled w;
        w.remove<model::deployment>("web");
        w.put(std::move(workload));
        w.run(10min);
        w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {
            a.spec.scale_target_ref = {std::string(K::api_version), std::string(K::kind), "db"};
        });
        w.run();
        CHECK(w.condition("AbleToScale") == "True SucceededGetScale");
        w.measure(160);
        CHECK(w.store.get<K>("default", "db")->spec.replicas == 3);
        w.run(10min);
        CHECK(w.all<model::pod>().size() == 3);
        w.measure(240);
        CHECK(w.utilization() == 80);
        CHECK(w.store.get<K>("default", "db")->spec.replicas == 4);
        CHECK(w.hpa().status.current_replicas == 3);
    };
    grows(model::replica_set{});
    grows(model::stateful_set{});
    model::rollout canary;
    canary.spec.strategy.canary = model::canary_strategy{};
    grows(canary);
}

TEST_CASE("autoscalers: what the last season asked for is there in time")
{
    scaled w(2, {queue_length("10")});
    w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {
        a.spec.metrics[0].external.edit().target = {
            model::metric_target_type::average_value, {}, quantity::from_integer(10), {}};
        a.spec.behavior.edit().scale_down.emplace().stabilization_window_seconds = 0;
        a.spec.season =
            model::season_spec{.length_seconds = 3600, .slots = 60, .lead_seconds = 120, .max_percent = 300};
    });
    w.run();
    auto const begun = w.now;
    auto const go_on =
        [&](duration until) {  // a queue of 75 in the minutes 30 to 40 of each hour, else of 15
            while (w.now < begun + until) {
                w.run(std::min(duration(15s), begun + until - w.now));
                model::metric_readings r;
                auto const of_hour = (w.now - begun) % 1h;
                r.metrics = {{{}, quantity::from_integer(of_hour >= 30min && of_hour < 40min ? 75 : 15), {}}};
                w.put_readings(r);
            }
            return w.size();
        };
    CHECK(go_on(29min) == 2);
    CHECK(go_on(35min) == 8);
    CHECK(go_on(87min) == 2);
    CHECK(go_on(89min) == 6);  // a minute ahead, but never more than three times what the queue asks for
    bool told = false;
    for (auto const& e : w.all<model::event>())
        told = told || e->message == "New size: 6; reason: earlier seasons asked for 6 at this time";
    CHECK(told);
    CHECK(go_on(95min) == 8);
    CHECK(go_on(105min) == 2);

    auto const text = model::encode(w.hpa());
    CHECK(*model::decode_text<model::horizontal_pod_autoscaler>(text) == w.hpa());
    CHECK(w.hpa().status.machine.season.expected_milli.size() == 60);
    w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) { a.spec.season.reset(); });
    w.run();
    CHECK(go_on(110min) == 2);
    CHECK(w.hpa().status.machine.season.expected_milli.empty());
}

TEST_CASE("autoscalers: pods are chosen by their owner")
{
    scaled w;
    // A pod of somebody's own with the deployment's labels.
    model::pod stray;
    stray.metadata.name = "stray";
    stray.metadata.namespace_ = "default";
    stray.metadata.labels["app"] = "web";
    stray.spec = w.all<model::pod>()[0]->spec;
    stray.spec.node_name.clear();
    w.put(stray);
    w.run(10min);
    auto m = w.measured(0);
    for (auto& p : m.metrics[0].pods)
        p.value = quantity::from_milli(p.pod == "stray" ? 5000 : 60);
    w.put_readings(m);
    CHECK(w.size() == 2);
    CHECK(w.utilization() == 60);
}

TEST_SUITE("property")
{
    TEST_CASE("autoscalers: constant load means constant replicas during any rollout")
    {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const wanted = static_cast<std::int32_t>(2 + random() % 7);
            // Within the tolerance or just not: what a surge pod more or less would tip.
            auto const load = wanted * (55 + static_cast<std::int64_t>(random() % 10));
            scaled w(wanted);
            w.edit<model::horizontal_pod_autoscaler>("web", [](auto& a) {  // nothing is smoothed over
                a.spec.behavior.edit().scale_down.emplace().stabilization_window_seconds = 0;
            });
            w.edit<model::deployment>("web", [&](model::deployment& d) {
                d.spec.min_ready_seconds = static_cast<std::int32_t>(random() % 30);
                auto& rolling = *d.spec.strategy.rolling_update;
                rolling.max_surge = int_or_percent(static_cast<std::int32_t>(random() % 4));
                rolling.max_unavailable =
                    int_or_percent(static_cast<std::int32_t>((rolling.max_surge->value == 0) + random() % 3));
                // One in five replaces all at once, without a moment of both.
                if (random() % 5 == 0) {
                    d.spec.strategy.type = model::deployment_strategy_type::recreate;
                    d.spec.strategy.rolling_update.reset();
                }
            });
            w.run(10min);
            w.go_on(load, 2);
            auto const settled = w.size();
            w.go_on(load, 2);
            REQUIRE(w.size() == settled);
            w.edit<model::deployment>(
                "web", [](auto& d) { d.spec.template_.spec.containers.edit()[0].image = "web:2"; });
            for (int i = 0; i < 60; ++i) {
                w.run(std::chrono::milliseconds(random() % 8000));
                w.measure(load);
                CAPTURE(i);
                REQUIRE(w.size() == settled);
            }
            CHECK(w.events("SuccessfulRescale").first <= 1);
        }
    }
}
