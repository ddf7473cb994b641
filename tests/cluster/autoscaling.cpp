// Autoscalers for real, by what the proxy counts and by what Prometheus says; cpu is in cluster.cpp.
#include "prometheus.hpp"
#include "world.hpp"

namespace {

using namespace podium;
using namespace podium::tests::real;

struct scaled : world {
    explicit scaled(std::string api_version, std::string kind, std::string collection, json spec)
        : world(1, {}, {}, 200ms),
          target{{"apiVersion", api_version}, {"kind", kind}, {"name", "web"}}
    {
        serve("web");
        json const container = {{"name", "web"}, {"image", "shop/web:1.0"},
            {"readinessProbe", {{"httpGet", {{"path", "/readyz"}, {"port", 8080}}}, {"periodSeconds", 1}}}};
        spec["selector"] = {{"matchLabels", {{"app", "web"}}}};
        spec["template"] = {{"metadata", {{"labels", {{"app", "web"}}}}},
            {"spec", {{"containers", json::array({container})}}}};
        create("/apis/" + api_version + "/namespaces/default/" + collection,
            json{{"metadata", {{"name", "web"}}}, {"spec", std::move(spec)}});
        REQUIRE(until([&] { return ready() == 1; }));
    }
    void scale_by(json const& metric)
    {
        create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
            json{{"metadata", {{"name", "web"}}},
                {"spec",
                    {{"scaleTargetRef", target}, {"maxReplicas", 3}, {"metrics", json::array({metric})},
                        {"behavior", {{"scaleDown", {{"stabilizationWindowSeconds", 0}}}}}}}});
    }
    bool comes_to(int replicas)
    {
        return until(
            [&] { return ready() == replicas && pods().size() == static_cast<std::size_t>(replicas); });
    }
    [[nodiscard]] std::string active() const
    {
        auto const a = c.view().get<model::horizontal_pod_autoscaler>("default", "web");
        auto const* const is = a ? model::find_condition(a->status.conditions, "ScalingActive") : nullptr;
        return is ? is->reason : "";
    }
    json target;
};

}  // namespace

TEST_CASE("autoscaling: a stateful set grows with its requests a second, and shrinks without them")
{
    scaled w("apps/v1", "StatefulSet", "statefulsets", {{"serviceName", "web"}});
    w.scale_by({{"type", "Pods"},
        {"pods",
            {{"metric", {{"name", "requests_per_second"}}},
                {"target", {{"type", "AverageValue"}, {"averageValue", "1"}}}}}});
    REQUIRE(w.until([&] { return w.active() == "ValidMetricFound"; }));
    CHECK(w.ready() == 1);
    load l;
    l.start(w, 2);
    CHECK(w.comes_to(3));
    l.stop(w);
    CHECK(l.lost == std::vector<std::string>{});
    CHECK(w.comes_to(1));
    CHECK(w.c.view().get<model::pod>("default", "web-0"));  // the last to go
    w.stop();
}

TEST_CASE("autoscaling: a rollout grows while its service answers late")
{
    scaled w("argoproj.io/v1alpha1", "Rollout", "rollouts", {{"strategy", {{"canary", json::object()}}}});
    w.scale_by({{"type", "Object"},
        {"object",
            {{"describedObject", {{"apiVersion", "v1"}, {"kind", "Service"}, {"name", "web"}}},
                {"metric", {{"name", "latency_p99_seconds"}}},
                {"target", {{"type", "Value"}, {"value", "100m"}}}}}});
    load l{.target = "/slow?ms=400"};
    l.start(w, 2);
    CHECK(w.comes_to(3));
    CHECK(w.active() == "ValidMetricFound");
    l.stop(w);
    CHECK(l.lost == std::vector<std::string>{});
    CHECK(w.comes_to(1));
    w.stop();
}

TEST_CASE(
    "autoscaling: a deployment follows what Prometheus says, and stays as it is where that says nothing")
{
    if (!prometheus::is_here())
        return;
    scaled w("apps/v1", "Deployment", "deployments", json::object());
    prometheus const source(w.folder);
    REQUIRE(source.is_ready(w));
    auto const asking = [&](std::string const& query) {
        return json{{"type", "External"},
            {"external",
                {{"metric", {{"name", "queue"}}},
                    {"prometheus", {{"address", source.url()}, {"query", query}}},
                    {"target", {{"type", "AverageValue"}, {"averageValue", "10"}}}}}};
    };
    auto const ask = [&](std::string const& query) {
        w.patch("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web",
            {{"spec", {{"metrics", json::array({asking(query)})}}}});
    };
    w.scale_by(asking("vector(25)"));
    CHECK(w.comes_to(3));
    for (std::string const query : {"not a query", "no_such_series", "vector(0)/0", "vector(-1)"}) {
        CAPTURE(query);
        ask(query);
        CHECK(w.until([&] { return w.active() == "FailedGetExternalMetric"; }));
        ask("vector(30)");
        CHECK(w.until([&] { return w.active() == "ValidMetricFound"; }));
        CHECK(w.pods().size() == 3);
    }
    ask("vector(5)");
    CHECK(w.comes_to(1));
    w.stop();
}
