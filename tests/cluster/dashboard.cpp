// The dashboard for real: whom it answers, what it tells, and what it keeps to itself.
#include "browser.hpp"
#include "world.hpp"

#include <podium/cluster/dashboard.hpp>
#include <podium/model/merge.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

namespace {

using namespace podium;
using namespace podium::tests::real;
using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using model::json;

struct shown : world {
    cluster::dashboard page;
    net::address where;

    explicit shown(cluster::dashboard_options how = {}, duration autoscale_period = 15s)
        : world(2, {}, {}, {.period = autoscale_period}),
          page(io.get_executor(), c, how)
    {
        auto const listening = page.listen(net::address::tcp("127.0.0.1", 0));
        REQUIRE_MESSAGE(listening, listening.error().text());
        where = *listening;
    }
    ~shown() { close(); }
    void close()
    {
        bool closed = false;
        asio::co_spawn(io, page.stop(), [&](std::exception_ptr e) {
            CHECK_FALSE(e);
            closed = true;
        });
        REQUIRE(until([&] { return closed; }));
    }
    net::http_response ask(std::string target, http::verb method = http::verb::get,
        std::vector<std::pair<std::string, std::string>> const& fields = {})
    {
        net::http_request r(method, target, 11);
        for (auto const& [name, value] : fields)
            r.set(name, value);
        auto const answer = run(net::http_call(where, std::move(r)));
        REQUIRE_MESSAGE(answer, answer.error().text());
        return *answer;
    }
    json overview() { return json::parse(ask("/overview").body()); }
    void event(std::string name, std::string message)
    {
        model::event e;
        e.metadata.name = std::move(name);
        e.metadata.namespace_ = "default";
        e.involved_object.kind = "Pod";
        e.involved_object.name = "x";
        e.message = std::move(message);
        e.last_timestamp = model::time{store::clock::now()};
        reconcile::plan p;
        p.create(std::move(e));
        REQUIRE(c.store().commit(p.whole()).outcome);
    }
    /// A rollout whose analysis has looked twenty times, and is done.
    void judge()
    {
        create("/apis/argoproj.io/v1alpha1/namespaces/default/rollouts",
            json{{"metadata", {{"name", "shop"}}},
                {"spec",
                    {{"replicas", 0}, {"selector", {{"matchLabels", {{"app", "shop"}}}}},
                        {"strategy", {{"canary", {{"steps", {{{"setWeight", 50}}}}}}}},
                        {"template",
                            {{"metadata", {{"labels", {{"app", "shop"}}}}},
                                {"spec",
                                    {{"containers", {{{"name", "web"}, {"image", "shop/web:1.0"}}}}}}}}}}});
        auto const rollout = c.view().get<model::rollout>("default", "shop");
        model::analysis_run run;
        run.metadata.name = "shop-1";
        run.metadata.namespace_ = "default";
        run.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(rollout)};
        model::analysis_metric m;
        m.name = "conversion";
        run.spec.metrics = {m};
        run.status.phase = model::analysis_phase::successful;
        run.status.completed_at = model::time{store::clock::now()};
        for (int i = 1; i <= 20; ++i) {
            auto const wide = 0.2 / i;
            model::metric_result r;
            r.name = m.name;
            r.phase = run.status.phase;
            r.comparison = model::analysis_comparison{.canary_units = 100 * i,
                .canary_hits = 30 * i,
                .stable_units = 100 * i,
                .stable_hits = 25 * i,
                .canary = {0.3 - wide, 0.3 + wide},
                .stable = {0.25 - wide, 0.25 + wide}};
            run.status.metric_results = {r};
            auto const seen = c.view().get<model::analysis_run>("default", "shop-1");
            reconcile::plan p;
            if (seen)
                p.update(seen, run);
            else
                p.create(run);
            REQUIRE(c.store().commit(p.whole()).outcome);
            // Each look is one of its own for whoever follows.
            REQUIRE(until([&] { return !overview()["analyses"]["default/shop-1"].is_null(); }));
        }
    }
};

/// What a browser makes of /events.
struct follower {
    json state{};
    int messages = 0;
    bool over = false;
    std::string refused{};

    void start(shown& w)
    {
        asio::co_spawn(w.io, follow(w.where), [this](std::exception_ptr) { over = true; });
    }
    asio::awaitable<void> follow(net::address where)
    {
        net::http_request r(http::verb::get, "/events", 11);
        auto lines = co_await net::http_lines::open(where, std::move(r));
        if (!lines) {
            refused = lines.error().text();
            co_return;
        }
        std::string kind;
        for (;;) {
            auto line = co_await lines->next();
            if (!line || !*line)
                co_return;
            auto const& text = **line;
            if (text.starts_with("event: "))
                kind = text.substr(7);
            else if (text.starts_with("data: ")) {
                auto const data = json::parse(text.substr(6));
                state = kind == "state" ? data : model::merge_patch(std::move(state), data);
                ++messages;
            } else if (!text.empty())
                refused = text;
        }
    }
};

}  // namespace

TEST_CASE("dashboard: which Host names this machine")
{
    for (auto const* const good :
        {"localhost:8001", "LocalHost:8001", "127.0.0.1:8001", "127.3.2.1:8001", "[::1]:8001"})
        CHECK_MESSAGE(cluster::is_local_host(good, 8001), good);
    for (auto const* const bad : {"", "localhost", "127.0.0.1", "localhost:80", "localhost:8001x",
             "localhost:", "localhost:-1", "localhost:73537", "evil.example:8001",
             "localhost.evil.example:8001", "127.0.0.1.evil.example:8001", "evil.localhost:8001",
             "128.0.0.1:8001", "127.0.0.1.:8001", "127.1:8001", "0.0.0.0:8001", "[::]:8001", "[::1:8001",
             "[::1]8001", "::1:8001", "[::ffff:127.0.0.1]:8001", "localhost:8001:8001", " localhost:8001"})
        CHECK_MESSAGE(!cluster::is_local_host(bad, 8001), bad);
    CHECK(cluster::is_local_host("localhost", 80));
    CHECK(cluster::is_local_host("127.0.0.1:80", 80));
}

TEST_CASE("dashboard: it listens on loopback only, answers this machine only, and changes nothing")
{
    shown w;
    for (auto const* const open : {"0.0.0.0", "192.168.1.1", "::", "8.8.8.8"}) {
        auto const refused = w.page.listen(net::address::tcp(open, 0));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::forbidden);
        CHECK(refused.error().message.find("loopback") != std::string::npos);
    }
    CHECK(w.page.listen(net::address::tcp("nowhere", 0)).error().code == errc::invalid);
    CHECK(w.page.listen(net::address::unix_socket("/tmp/x")).error().code == errc::invalid);

    auto const port = ':' + std::to_string(w.where.port);
    for (auto const* const path : {"/", "/overview", "/events", "/logs/default/web", "/healthz", "/readyz",
             "/metrics", "/decisions", "/none"}) {
        CAPTURE(path);
        CHECK(w.ask(path, http::verb::get, {{"Host", "evil.example" + port}}).result_int() == 421);
        CHECK(w.ask(path, http::verb::get, {{"Host", "127.0.0.1"}}).result_int() == 421);
        for (auto const method : {http::verb::post, http::verb::put, http::verb::patch, http::verb::delete_,
                 http::verb::options}) {
            auto const refused = w.ask(path, method);
            CHECK(refused.result_int() == 405);
            CHECK(refused[http::field::allow] == "GET, HEAD");
        }
    }
    auto const page = w.ask("/");
    CHECK(page.result_int() == 200);
    auto const policy = std::string(page["Content-Security-Policy"]);
    CHECK(policy.starts_with("default-src 'none'; script-src 'nonce-"));
    CHECK(policy.find("unsafe") == policy.npos);
    CHECK(policy != w.ask("/")["Content-Security-Policy"]);
    for (std::string const part :
        {"https:", "@import", "url(", "innerHTML", "outerHTML", "insertAdjacent", "eval("})
        CHECK_MESSAGE(page.body().find(part) == std::string::npos, part);
    auto const space = page.body().find("http://www.w3.org/2000/svg");  // a name, not a place
    CHECK(page.body().find("http:") == space);
    CHECK(page.body().find("http:", space + 1) == std::string::npos);
    CHECK(w.ask("/", http::verb::get, {{"Host", "localhost" + port}, {"Sec-Fetch-Site", "cross-site"}})
              .result_int() == 200);
    CHECK(w.ask("/overview", http::verb::get, {{"Sec-Fetch-Site", "same-origin"}}).result_int() == 200);
    CHECK(w.ask("/overview", http::verb::get, {{"Sec-Fetch-Site", "cross-site"}}).result_int() == 403);
    CHECK(w.ask("/events", http::verb::get, {{"Sec-Fetch-Site", "same-site"}}).result_int() == 403);
    for (auto const* const none : {"/none", "/logs/", "/logs/default", "/logs/default/none",
             "/logs/default/../x", "/logs/default/x/y", "/logs/default/x?container=a%26b", "/logs/default/X"})
        CHECK_MESSAGE(w.ask(none).result_int() == 404, none);
    auto const head = w.ask("/overview", http::verb::head);
    CHECK(head.result_int() == 200);
    CHECK(head.body().empty());
    CHECK(head["X-Content-Type-Options"] == "nosniff");
    w.stop();
}

TEST_CASE("dashboard: health is the loop's, readiness the cluster's")
{
    shown w;
    REQUIRE(w.until([&] { return w.c.routing(); }));
    CHECK(w.ask("/healthz").body() == "ok\n");
    CHECK(w.ask("/readyz").result_int() == 200);
    CHECK(w.ask("/readyz").body() == "ok\n");
    CHECK(
        w.ask("/readyz?verbose").body() == "[+]ping ok\n[+]cluster ok\n[+]router ok\nreadyz check passed\n");
    w.stop();
    CHECK(w.ask("/healthz").result_int() == 200);
    CHECK(w.ask("/readyz").result_int() == 503);
    CHECK(w.ask("/readyz").body() == "the cluster is stopping\n");
    CHECK(w.ask("/readyz?verbose")
            .body()
            .starts_with("[+]ping ok\n[-]cluster failed: the cluster is stopping\n"));
}

TEST_CASE("dashboard: whoever follows has what the overview has, and Secrets are nobody's business")
{
    shown w;
    std::string const secret = "hunter2-and-then-some", encoded = "aHVudGVyMi1hbmQtdGhlbi1zb21l";
    w.create("/api/v1/namespaces/default/secrets",
        json{{"metadata", {{"name", "db"}}}, {"stringData", {{"password", secret}}}});
    follower f;
    f.start(w);
    REQUIRE(w.until([&] { return f.messages > 0; }));
    CHECK(f.state["history"].is_object());
    CHECK(w.page.clients() == 1);

    w.web(2);
    json const container = {{"name", "hog"}, {"image", "shop/web:1.0"},
        {"env",
            {{{"name", "P"}, {"valueFrom", {{"secretKeyRef", {{"name", "db"}, {"key", "password"}}}}}},
                {{"name", "Q"}, {"value", secret}}}},
        {"resources", {{"requests", {{"cpu", "64"}}}}}};
    w.create("/api/v1/namespaces/default/pods",
        json{{"metadata", {{"name", "hog"}}}, {"spec", {{"containers", json::array({container})}}}});
    std::string const hostile = "<script>alert(1)</script>\n\ndata: {}\r\nevent: state \xff";
    w.event("hostile", hostile);
    auto const waits = [&] { return f.state["waiting"].contains("Pod/default/hog"); };
    REQUIRE(w.until([&] {
        return waits() && f.state["events"].contains("default/hostile") && f.state["totals"]["ready"] == 2;
    }));
    CHECK(f.state["waiting"]["Pod/default/hog"]["reason"] == "Unschedulable");
    CHECK(f.state["waiting"]["Pod/default/hog"]["message"].get<std::string>().find("Insufficient cpu") !=
        std::string::npos);
    CHECK(f.state["workloads"]["Deployment/default/web"]["ready"] == 2);
    CHECK(f.state["services"]["default/web:http"]["port"] == 80);
    CHECK(f.state["events"]["default/hostile"]["message"].get<std::string>().starts_with(
        "<script>alert(1)</script>\n\ndata: {}\r\n"));
    CHECK(f.refused == "");
    auto const figures = w.ask("/metrics");
    CHECK(figures[http::field::content_type] == "text/plain; version=0.0.4; charset=utf-8");
    CHECK(figures.body().find("\nkube_pod_status_phase{") != std::string::npos);
    auto const view = w.overview();
    for (auto const* const section : {"nodes", "workloads", "waiting"})
        CHECK_MESSAGE(f.state[section] == view[section], section);
    for (auto const& text :
        {f.state.dump(), view.dump(), w.ask("/").body(), w.ask("/readyz?verbose").body(), figures.body()})
        for (auto const& word : {secret, encoded})
            CHECK(text.find(word) == std::string::npos);

    w.close();
    REQUIRE(w.until([&] { return f.over; }));
    CHECK(w.page.clients() == 0);
    w.stop();
}

TEST_CASE("dashboard: why an autoscaler wants what it wants, and what the control plane did, told by those "
          "who did it")
{
    shown w({}, 100ms);
    CHECK(w.ask("/decisions").body() == "");
    CHECK(w.ask("/decisions", http::verb::get, {{"Sec-Fetch-Site", "cross-site"}}).result_int() == 403);
    w.web(1);
    w.create("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers",
        json{{"metadata", {{"name", "web"}}},
            {"spec",
                {{"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}},
                    {"minReplicas", 2}, {"maxReplicas", 3}}}});
    REQUIRE(w.until([&] { return w.c.decisions().end() > 0; }));
    auto const answer = w.ask("/decisions");
    CHECK(answer[http::field::content_type] == "text/plain; charset=utf-8");
    auto const first = json::parse(answer.body().substr(0, answer.body().find('\n')));
    CHECK(first["number"] == 0);
    CHECK(first["who"] == "horizontal-pod-autoscaler");
    CHECK(first["about"] == "default/web");
    CHECK(first["reason"] == "1 -> 2: smaller than min_replicas, held by min_replicas");
    CHECK(first["inputs"]["size"]["wanted"] == 1);
    CHECK(first["inputs"]["metrics"][0]["name"] == "cpu");
    CHECK(first["inputs"]["metrics"][0]["targetPercent"] == 80);
    CHECK(first["verdict"]["desired"] == 2);
    CHECK(first["verdict"]["scales"] == true);
    CHECK_FALSE(w.c.decisions().replay([](controllers::scaling_inputs const& in, time_point at) {
        return controllers::decide(in.policy, in, at);
    }));

    REQUIRE(w.until([&] { return w.ready() == 2; }));
    auto const figures = w.ask("/metrics").body();
    auto const value = [&](std::string const& series) {
        auto const at = figures.find('\n' + series + ' ');
        return at == figures.npos ? -1.0 : std::stod(figures.substr(at + series.size() + 2));
    };
    CHECK(
        value("scheduler_schedule_attempts_total{profile=\"default-scheduler\",result=\"scheduled\"}") >= 2);
    CHECK(value("scheduler_scheduling_attempt_duration_seconds_sum{profile=\"default-scheduler\",result="
                "\"scheduled\"}") > 0);
    CHECK(value("controller_runtime_reconcile_total{controller=\"horizontal-pod-autoscaler\",result="
                "\"requeue_after\"}") >= 1);
    CHECK(value("controller_runtime_reconcile_time_seconds_sum{controller=\"deployment-controller\"}") > 0);
    CHECK(value("workqueue_work_duration_seconds_count{name=\"replicaset-controller\"}") > 0);
    w.stop();
}

TEST_CASE("dashboard: so many follow and no more, and who does not read is let go")
{
    shown w({.clients = 2, .backlog_bytes = 512 * 1024, .pace = 0ms});
    follower f;
    f.start(w);
    asio::ip::tcp::socket lazy(w.io);
    lazy.open(asio::ip::tcp::v4());
    lazy.set_option(asio::socket_base::receive_buffer_size(4096));
    lazy.connect({asio::ip::make_address(w.where.ip), w.where.port});
    asio::write(lazy, asio::buffer("GET /events HTTP/1.1\r\nHost: " + w.where.text() + "\r\n\r\n"));
    REQUIRE(w.until([&] { return f.messages > 0 && w.page.clients() == 2; }));
    auto const full = w.ask("/events");
    CHECK(full.result_int() == 503);
    CHECK(full[http::field::retry_after] == "5");
    int n = 0, told = 0;
    REQUIRE(w.until([&] {  // as fast as the other one reads
        if (f.messages == std::exchange(told, f.messages))
            return false;
        for (int i = 0; i < 50; ++i, ++n)
            w.event("e" + std::to_string(n), std::string(900, 'x'));
        return w.page.clients() == 1;
    }));
    CHECK(!f.over);
    auto const seen = f.messages;
    w.event("last", "still told");
    REQUIRE(w.until([&] { return f.messages > seen && f.state["events"].contains("default/last"); }));
    w.stop();
}

TEST_CASE("dashboard: a real browser shows pods, reasons, a verdict and what changes, and runs nothing of "
          "strangers")
{
    if (!tests::chromium()) {
        MESSAGE("skipped: there is no Chromium on this machine");
        CHECK_FALSE(std::getenv("CI"));
        return;
    }
    shown w({.pace = 0ms});
    w.web(2);
    load visitors;
    visitors.start(w, 2);
    json const container = {
        {"name", "hog"}, {"image", "shop/web:1.0"}, {"resources", {{"requests", {{"cpu", "64"}}}}}};
    w.create("/api/v1/namespaces/default/pods",
        json{{"metadata", {{"name", "hog"}}}, {"spec", {{"containers", json::array({container})}}}});
    std::string const hostile = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>";
    w.event("hostile", hostile);
    w.judge();

    tests::browser browser(w, w.folder + "/chromium");
    auto const url = "http://" + w.where.text() + '/';
    browser.show(url, 1440, 1300, "light");
    REQUIRE(browser.comes_true("document.getElementById('live')?.className === 'on'"));
    auto const text_of = [](std::string const& id) {
        return "document.getElementById('" + id + "').textContent";
    };
    auto const has = [&](std::string const& id, std::string const& text) {
        return browser.comes_true(text_of(id) + ".includes(" + json(text).dump() + ")");
    };
    for (auto const& p : w.pods())
        CHECK_MESSAGE(has("nodes", p->metadata.name), p->metadata.name);
    CHECK(has("nodes", "node-2"));
    CHECK(has("waiting", "Unschedulable"));
    CHECK(has("waiting", "Insufficient cpu"));
    CHECK(has("workloads", "Deployment"));
    CHECK(has("events", hostile));
    CHECK(browser.comes_true("parseFloat(document.querySelector('#services .figure b').textContent) > 0"));
    CHECK(browser.comes_true(
        "[...document.querySelectorAll('.plot .range')].filter(p => /^M[0-9.]+ [0-9.]+L/.test("
        "p.getAttribute('d')) && !/NaN|Infinity/.test(p.getAttribute('d'))).length === 2"));
    CHECK(has("workloads", "conversion"));
    browser.screenshot("dashboard-light.png");

    w.scale(3);  // what changes is seen without asking again
    REQUIRE(w.until([&] { return w.ready() == 3; }));
    for (auto const& p : w.pods())
        CHECK_MESSAGE(has("nodes", p->metadata.name), p->metadata.name);
    CHECK(browser.comes_true("document.querySelectorAll('#nodes .pod.ready').length === 3"));

    browser.evaluate(
        "[...document.querySelectorAll('#nodes .pod')].find(p => p.textContent.includes('hog')).focus()");
    browser.key("Enter", 13);
    CHECK(browser.comes_true("document.getElementById('drawer').open"));
    CHECK(has("drawer", "Insufficient cpu"));
    browser.key("Escape", 27);
    CHECK(browser.comes_true("!document.getElementById('drawer').open"));
    browser.evaluate(
        "[...document.querySelectorAll('#nodes .pod')].find(p => p.textContent.includes('web')).click()");
    CHECK(has("log-note", "follows"));
    CHECK(browser.comes_true(
        "/^[0-9:.]{12}  web .* listens on/m.test(document.getElementById('pod-log').textContent)"));
    browser.key("Escape", 27);
    CHECK(browser.comes_true("!document.getElementById('drawer').open"));

    browser.show({}, 1440, 1300, "dark");
    browser.screenshot("dashboard-dark.png");
    browser.show({}, 380, 1300, "light");
    CHECK(browser.comes_true("document.documentElement.scrollWidth <= 380"));
    browser.screenshot("dashboard-narrow.png");

    CHECK(
        browser.evaluate(
            "window.hacked === undefined && document.images.length === 0 && document.scripts.length === 1") ==
        true);
    CHECK(browser.complaints() == std::vector<std::string>{});
    visitors.stop(w);
    w.close();
    CHECK(browser.comes_true("document.getElementById('live').className === 'off'"));
    w.stop();
}
