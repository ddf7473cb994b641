// Autoscalers for real, by what the proxy counts and by what Prometheus says; cpu is in cluster.cpp.
#include "prometheus.hpp"
#include "world.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>
#include <optional>
#include <stdexcept>

namespace {

using namespace podium;
using namespace podium::tests::real;

struct scaled : world {
    explicit scaled(std::string api_version, std::string kind, std::string collection, json spec,
        net::any_metric_source external = {})
        : world(1, {}, {}, {.period = 200ms, .deadline = 1s, .external = std::move(external)}),
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
    void go_by(json const& metric)
    {
        patch("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web",
            {{"spec", {{"metrics", json::array({metric})}}}});
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

net::router_status counted(std::uint64_t requests, duration each, std::uint32_t open)
{
    net::service_status s;
    net::endpoint_status e{.id = "uid", .version = "v", .in_flight = open};
    for (std::uint64_t i = 0; i < requests; ++i) {
        e.counters.count(200, each);
        s.versions["v"].count(200, each);
    }
    s.endpoints.push_back(e);
    return {{"default/web:http", s}};
}

}  // namespace

TEST_CASE(
    "autoscaling: requests to versions that are gone count, also to those that the router has forgotten")
{
    cluster::traffic_meter meter;
    auto const count = [](net::request_counters& c, int n) {
        for (int i = 0; i < n; ++i)
            c.count(200, 20ms);
    };
    net::router_status all;
    auto& s = all["default/web:http"];
    count(s.versions["old"], 100);
    count(s.versions["old"].matched, 5);
    count(s.versions["new"], 50);
    meter.absorb(all, time_point(1s));
    CHECK(meter.of_service("default", "web", "requests_per_second").error().code == errc::unavailable);
    count(s.versions["old"], 10);
    count(s.versions["new"], 20);
    s.forgotten = s.versions["old"].answered();
    s.versions.erase("old");
    meter.absorb(all, time_point(11s));
    CHECK(meter.of_service("default", "web", "requests_per_second").value() == 3.0);
    CHECK(meter.of_service("default", "web", "latency_p99_seconds").value() > 0.01);

    all.erase("default/web:http");  // closed and opened again
    count(all["default/web:http"].versions["new"], 40);
    meter.absorb(all, time_point(21s));
    CHECK(meter.of_service("default", "web", "requests_per_second").value() == 4.0);
}

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
    CHECK(w.until([&] { return w.active() == "ValidMetricFound"; }));  // in some looks no request has ended
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
    auto const ask = [&](std::string const& query) { w.go_by(asking(query)); };
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

TEST_CASE("autoscaling: what is open and does not end is neither fast nor little")
{
    time_point const begun{1h};
    struct row {
        std::uint64_t ended;
        duration each;
        std::uint32_t open;
        double in_flight;
        std::optional<double> p99;
    };
    for (auto const& r : {row{0, 0s, 0, 0, 0.0}, row{0, 0s, 3, 3, {}}, row{100, 100ms, 0, 1, 0.1},
             row{100, 100ms, 4, 4, 0.1}, row{1, 10ms, 0, 0.001, 0.01}}) {
        CAPTURE(r.ended);
        CAPTURE(r.open);
        cluster::traffic_meter m;
        m.absorb(counted(7, 1ms, 0), begun);
        CHECK(m.of_service("default", "web", "latency_p99_seconds").error().code == errc::unavailable);
        auto later = counted(7, 1ms, r.open);
        for (std::uint64_t i = 0; i < r.ended; ++i) {
            later.at("default/web:http").endpoints[0].counters.count(200, r.each);
            later.at("default/web:http").versions.at("v").count(200, r.each);
        }
        m.absorb(later, begun + 10s);
        CHECK(m.of_service("default", "web", "in_flight").value() == doctest::Approx(r.in_flight));
        CHECK(m.of_pods("in_flight").value().at("uid") == doctest::Approx(r.in_flight));
        auto const p99 = m.of_service("default", "web", "latency_p99_seconds");
        CHECK(p99.has_value() == r.p99.has_value());
        CHECK(m.of_pods("latency_p99_seconds").value().contains("uid") == r.p99.has_value());
        if (r.p99)
            CHECK(p99.value() == doctest::Approx(*r.p99).epsilon(0.02));
        CHECK(m.of_service("default", "web", "requests_per_second").value() ==
            doctest::Approx(static_cast<double>(r.ended) / 10));
        CHECK(m.of_service("default", "other", "in_flight").error().code == errc::not_found);
        CHECK(m.of_pods("nonsense").error().code == errc::not_found);
    }
}

TEST_CASE("autoscaling: an embedder's source may be late, wrong or throw; so long nothing shrinks")
{
    scaled w("apps/v1", "Deployment", "deployments", json::object(),
        [](net::metric_query q) -> asio::awaitable<result<double>> {
            if (q.name == "hangs") {
                asio::steady_timer never(
                    co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
                co_await never.async_wait(asio::use_awaitable);
            }
            if (q.name == "throws")
                throw std::runtime_error("no");
            if (q.name == "fails")
                co_return error{errc::unavailable, "no", {}, {}};
            co_return q.name == "nan" ? std::numeric_limits<double>::quiet_NaN() : 25.0;
        });
    auto const by = [](std::string const& name) {
        return json{{"type", "External"},
            {"external",
                {{"metric", {{"name", name}}},
                    {"target", {{"type", "AverageValue"}, {"averageValue", "10"}}}}}};
    };
    w.scale_by(by("queue"));
    CHECK(w.comes_to(3));
    for (std::string const name : {"hangs", "throws", "fails", "nan"}) {
        CAPTURE(name);
        w.go_by(by(name));
        CHECK(w.until([&] { return w.active() == "FailedGetExternalMetric"; }));
        CHECK(w.ready() == 3);
        w.go_by(by("queue"));
        CHECK(w.until([&] { return w.active() == "ValidMetricFound"; }));
    }
    json const none{{"type", "ContainerResource"},
        {"containerResource",
            {{"name", "cpu"}, {"container", "wbe"},
                {"target", {{"type", "AverageValue"}, {"averageValue", "100m"}}}}}};
    w.go_by(none);
    CHECK(w.until([&] { return w.active() == "FailedGetContainerResourceMetric"; }));
    CHECK(w.ready() == 3);
    auto some = none;
    some["containerResource"]["container"] = "web";
    w.go_by(some);
    CHECK(w.comes_to(1));
    w.stop();  // with a call under way or not
}
