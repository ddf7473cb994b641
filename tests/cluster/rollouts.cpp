// Releases for real: the shop's web as processes, visitors through its service, their conversions counted by
// the router and judged in the same process.
#include "prometheus.hpp"
#include "world.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <map>

namespace {

using namespace podium;
using namespace podium::tests::real;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using model::json;

/// Visitors, each a new one, over connections that are kept alive; what became of each is written down.
struct visitors {
    std::map<std::string, int> by_version{};
    std::vector<std::string> lost{};
    int running = 0;
    bool over = false;
    int next = 0;

    void start(world& w, int clients)
    {
        for (int i = 0; i < clients; ++i, ++running)
            asio::co_spawn(w.io, client(w.service()), [this](std::exception_ptr) { --running; });
    }
    asio::awaitable<void> client(net::address where)
    {
        boost::beast::tcp_stream stream(co_await asio::this_coro::executor);
        bool open = false;
        boost::beast::flat_buffer buffer;
        while (!over) {
            boost::system::error_code ec;
            if (!open)
                co_await stream.async_connect(
                    asio::ip::tcp::endpoint(asio::ip::make_address(where.ip), where.port),
                    asio::redirect_error(asio::use_awaitable, ec));
            http::request<http::empty_body> r(http::verb::get, "/", 11);
            r.set(http::field::host, "web");
            r.set("X-Visitor", std::to_string(++next));
            http::response<http::string_body> answer;
            if (!ec)
                co_await http::async_write(stream, r, asio::redirect_error(asio::use_awaitable, ec));
            if (!ec)
                co_await http::async_read(
                    stream, buffer, answer, asio::redirect_error(asio::use_awaitable, ec));
            open = !ec && answer.keep_alive();
            if (ec)
                lost.push_back(ec.message());
            else if (answer.result_int() != 200)
                lost.push_back(std::to_string(answer.result_int()));
            else
                ++by_version[std::string(answer["X-Version"])];
        }
    }
    void stop(world& w)
    {
        over = true;
        REQUIRE(w.until([&] { return running == 0; }));
    }
};

struct released : world {
    explicit released(json const& strategy, int replicas = 2)
    {
        for (auto const* const name : {"web", "preview"})
            serve(name);
        create("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts",
            json{{"metadata", {{"name", "web"}}},
                {"spec",
                    {{"replicas", replicas}, {"selector", {{"matchLabels", {{"app", "web"}}}}},
                        {"strategy", strategy}, {"template", pods_of("1.0", "0.25")}}}});
        REQUIRE_MESSAGE(
            until([&] { return status().phase == "Healthy" && ready() == replicas; }), status().message);
    }
    static json pods_of(std::string version, std::string rate)
    {
        json const container = {{"name", "web"}, {"image", "shop/web:" + version},
            {"env", {{{"name", "CONVERSION_RATE"}, {"value", rate}}}},
            {"readinessProbe", {{"httpGet", {{"path", "/readyz"}, {"port", 8080}}}, {"periodSeconds", 1}}}};
        return json{{"metadata", {{"labels", {{"app", "web"}, {"version", version}}}}},
            {"spec", {{"containers", json::array({container})}}}};
    }
    void measure(std::string name, json metric, json more = json::object())
    {
        more["metrics"] = json::array({std::move(metric)});
        create("/apis/argoproj.io/v1alpha1/namespaces/default/analysistemplates",
            json{{"metadata", {{"name", name}}}, {"spec", more}});
    }
    void patch(json const& change)
    {
        world::patch("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web", change);
    }
    void release(std::string version, std::string rate)
    {
        patch({{"spec", {{"template", pods_of(version, rate)}}}});
    }
    void order(std::string what) { patch({{"metadata", {{"annotations", {{"podium.dev/order", what}}}}}}); }
    [[nodiscard]] model::rollout_status status() const
    {
        auto const r = c.view().get<model::rollout>("default", "web");
        return r ? r->status : model::rollout_status{};
    }
    bool comes_to(std::string phase, std::string message = {})
    {
        auto const is = [&] {
            auto const s = status();
            return s.phase == phase && (message.empty() || s.message == message);
        };
        bool const came = until(is);
        std::string const found = status().phase + ": " + status().message + why();
        CHECK_MESSAGE(came, found);
        return came;
    }
    [[nodiscard]] std::string why() const
    {
        std::string out;
        for (auto const run : c.view().all<model::analysis_run>())
            out += "; " + run->metadata.name + ": " + run->status.message;
        return out;
    }
    /// The weight of the template that is released now.
    [[nodiscard]] int weight() const
    {
        auto const s = status();
        return s.canary && s.canary->weights && s.stable_rs != s.current_pod_hash
            ? s.canary->weights->canary.weight
            : 0;
    }
};

json canary(json steps)
{
    return {{"canary",
        {{"stableService", "web"}, {"canaryService", "preview"}, {"scaleDownDelaySeconds", 1},
            {"abortScaleDownDelaySeconds", 1},
            {"trafficRouting", {{"podium", {{"conversionHeader", "X-Conversion"}}}}},
            {"steps", std::move(steps)}}}};
}
json blue_green(json more)
{
    more["activeService"] = "web";
    more["previewService"] = "preview";
    return {{"blueGreen", std::move(more)}};
}
json const analysis = {{"templates", {{{"templateName", "check"}}}}};
json conversion(json how)
{
    how["measure"] = "conversions";
    return {{"name", "conversion"}, {"interval", "100ms"}, {"provider", {{"podium", std::move(how)}}}};
}

}  // namespace

TEST_CASE(
    "rollouts: a canary that converts better is promoted, one that converts worse goes back, nobody is lost")
{
    released w(canary({{{"setWeight", 50}}, {{"analysis", analysis}}}));
    w.measure("check",
        conversion({{"question", "better"}, {"effect", 0.2}, {"expected", 0.3}, {"horizon", 100000}}));
    visitors v;
    v.start(w, 8);
    w.release("1.2", "0.60");
    REQUIRE(w.until([&] { return w.weight() == 50; }));
    REQUIRE(w.until([&] { return v.by_version["1.2"] > 20; }));
    auto const better = w.status().current_pod_hash;
    CHECK(w.comes_to("Healthy"));
    CHECK(w.status().stable_rs == better);

    w.release("1.0", "0.20");
    REQUIRE(w.until([&] { return w.weight() == 50; }));
    CHECK(w.comes_to("Degraded", "aborted: the analysis failed"));
    CHECK(w.status().stable_rs == better);
    REQUIRE(w.until([&] { return w.weight() == 0; }));
    v.stop(w);
    CHECK(v.lost == std::vector<std::string>{});
    w.stop();
}

TEST_CASE(
    "rollouts: conversions of a service that is not HTTP cannot be counted, which is told and goes back")
{
    released w(canary({{{"setWeight", 50}}, {{"analysis", analysis}}}));
    w.create("/api/v1/namespaces/default/services",
        json{{"metadata", {{"name", "raw"}}},
            {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"port", 81}, {"targetPort", 8080}}}}}}});
    w.measure("check",
        conversion({{"service", "raw"}, {"question", "better"}, {"effect", 0.2}, {"expected", 0.3}}));
    w.release("1.2", "0.60");
    CHECK(w.comes_to("Degraded", "aborted: the analysis failed"));
    std::string told;
    for (auto const run : w.c.view().all<model::analysis_run>())
        told += run->status.message;
    CHECK_MESSAGE(told.find("service: Service raw has no HTTP port") != std::string::npos, told);
    w.stop();
}

TEST_CASE("rollouts: an analysis without visitors knows nothing, and promotes nothing")
{
    released w(canary({{{"setWeight", 50}}, {{"analysis", analysis}}}));
    w.measure("check", conversion({{"margin", 0.05}}), {{"timeLimit", "300ms"}});
    w.release("1.2", "0.25");
    CHECK(w.comes_to("Paused", "the analysis has no data"));
    CHECK(w.weight() == 50);
    w.order("abort");
    CHECK(w.comes_to("Degraded", "aborted"));
    w.stop();
}

TEST_CASE("rollouts: a gate that fails stops a release before any user sees it, whatever it is")
{
    json const pod = {{"restartPolicy", "Never"},
        {"containers",
            {{{"name", "test"}, {"image", "shop/web:1.2"},
                {"env", {{{"name", "FAULT"}, {"value", "crash"}}}}}}}};
    for (auto const& [what, provider] : std::map<std::string, json>{
             {"command", {{"command", {{"command", {"false"}}}}}},
             {"call", {{"web", {{"url", "http://preview/nothing-here"}}}}},
             {"job", {{"job", {{"spec", {{"template", {{"spec", pod}}}}}}}}},
         }) {
        CAPTURE(what);
        released w(blue_green({{"prePromotionAnalysis", analysis}}));
        w.measure("check", {{"name", "gate"}, {"provider", provider}});
        visitors v;
        v.start(w, 2);
        w.release("1.2", "0.25");
        CHECK(w.comes_to("Degraded", "aborted: the analysis failed"));
        v.stop(w);
        CHECK(v.lost == std::vector<std::string>{});
        CHECK(v.by_version.size() == 1);
        CHECK(v.by_version.contains("1.0"));
        w.stop();
    }
}

TEST_CASE("rollouts: a job that hangs ends with its time, or with what it was started for")
{
    json const pod = {{"restartPolicy", "Never"},
        {"containers", {{{"name", "test"}, {"image", "shop/web:1.2"}}}}};  // serves for ever
    for (bool const limited : {true, false}) {
        CAPTURE(limited);
        released w(blue_green({{"prePromotionAnalysis", analysis}}));
        json spec = {{"template", {{"spec", pod}}}};
        if (limited)
            spec["activeDeadlineSeconds"] = 1;
        w.measure("check",
            {{"name", "gate"}, {"consecutiveErrorLimit", 0}, {"provider", {{"job", {{"spec", spec}}}}}});
        auto const jobs = [&] {
            std::size_t n = 0;
            for (auto const& p : w.pods())
                if (auto const* const of = model::controller_of(p->metadata))
                    n += of->kind == model::analysis_run::kind;
            return n;
        };
        w.release("1.2", "0.25");
        REQUIRE(w.until([&] { return jobs() == 1; }));
        if (!limited)
            w.order("abort");
        CHECK((limited ? w.comes_to("Paused", "the analysis has no data") : w.comes_to("Degraded", "aborted")));
        CHECK(w.until([&] { return jobs() == 0; }));
        CHECK(w.until([&] { return w.processes().size() <= 4; }));
        w.stop();
    }
}

TEST_CASE("rollouts: other settings are rolled out like another version, and nobody is lost")
{
    world w;
    w.create("/api/v1/namespaces/default/configmaps",
        json{{"metadata", {{"name", "settings"}}}, {"data", {{"CONVERSION_RATE", "0.25"}}}});
    w.web(2);
    auto const change = [&](std::string const& target, json const& body) {
        api::request r{.method = api::method::patch,
            .target = target,
            .content_type = "application/merge-patch+json",
            .body = body.dump()};
        auto const patched = w.run(w.c.call(std::move(r)));
        REQUIRE_MESSAGE(patched.code == 200, patched.body);
    };
    auto const deployment = [&] { return w.c.view().get<model::deployment>("default", "web"); };
    auto const hash = [&] { return model::config_hash_of(deployment()->spec.template_.metadata); };
    auto const is_rolled_out = [&] {
        int n = 0;
        for (auto const& p : w.pods())
            if (model::config_hash_of(p->metadata) != hash())
                return false;
            else
                n += model::is_ready(*p);
        return n == 2 && deployment()->status.updated_replicas == 2;
    };
    json container = model::to_json(deployment()->spec.template_.spec.containers[0]);
    container["envFrom"] = {{{"configMapRef", {{"name", "settings"}}}}};
    visitors v;
    v.start(w, 4);
    change("/apis/apps/v1/namespaces/default/deployments/web",
        {{"metadata", {{"annotations", {{"podium.dev/restart-on-config-change", "true"}}}}},
            {"spec", {{"template", {{"spec", {{"containers", json::array({container})}}}}}}}});
    REQUIRE(w.until([&] { return !hash().empty() && is_rolled_out(); }));
    auto const before = hash();
    change("/api/v1/namespaces/default/configmaps/settings", {{"data", {{"CONVERSION_RATE", "0.5"}}}});
    REQUIRE(w.until([&] { return hash() != before && is_rolled_out(); }));
    v.stop(w);
    CHECK(v.lost == std::vector<std::string>{});
    w.stop();
}

TEST_CASE("rollouts: blue/green switches and goes back under load, and nobody is lost")
{
    released w(blue_green({{"prePromotionAnalysis", analysis}, {"scaleDownDelaySeconds", 2}}));
    w.measure("check", {{"name", "preview"}, {"provider", {{"web", {{"url", "http://preview/version"}}}}}});
    visitors v;
    v.start(w, 8);
    for (std::string const version : {"1.2", "1.0", "1.2"}) {
        w.release(version, "0.25");
        auto const seen = v.by_version[version];
        REQUIRE(w.until([&] { return v.by_version[version] > seen + 50; }));
        REQUIRE(w.comes_to("Healthy"));
    }
    v.stop(w);
    CHECK(v.lost == std::vector<std::string>{});
    w.stop();
}

TEST_CASE("rollouts: what Prometheus says decides, and a series that it does not have is no data")
{
    if (!prometheus::is_here())
        return;
    struct row {
        std::string query;
        std::string phase;
        std::string message;
    };
    for (auto const& r :
        {row{"vector(0.97)", "Healthy", ""}, row{"vector(0.93)", "Degraded", "aborted: the analysis failed"},
            row{"no_such_series", "Paused", "the analysis has no data"},
            row{"vector(0)/0", "Paused", "the analysis has no data"},
            row{"not a query", "Paused", "the analysis has no data"}}) {
        CAPTURE(r.query);
        released w(canary({{{"setWeight", 50}}, {{"analysis", analysis}}}));
        prometheus const source(w.folder);
        REQUIRE(source.is_ready(w));
        w.measure("check",
            {{"name", "success-rate"}, {"successCondition", "result[0] >= 0.95"},
                {"consecutiveErrorLimit", 0},
                {"provider", {{"prometheus", {{"address", source.url()}, {"query", r.query}}}}}});
        w.release("1.2", "0.25");
        REQUIRE(w.until([&] { return w.weight() == 50; }));
        CHECK(w.comes_to(r.phase, r.message));
        w.stop();
    }
}
