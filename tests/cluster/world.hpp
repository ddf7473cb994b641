#pragma once
/// A whole cluster for real: the shop's images as processes. They are expected where the build puts them:
/// ../examples/images beside the folder of this test program.

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
#include <optional>
#include <set>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::tests::real {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
using model::json;

inline std::string images()
{
    char self[PATH_MAX];
    auto const n = ::readlink("/proc/self/exe", self, sizeof self);
    std::string const path(self, n > 0 ? static_cast<std::size_t>(n) : 0);
    return path.substr(0, path.rfind('/')) + "/../examples/images";
}

inline std::string temporary()
{
    char name[] = "/tmp/podium-test-XXXXXX";
    REQUIRE(::mkdtemp(name));
    return name;
}

struct world {
    std::string folder = temporary();
    asio::io_context io;
    cluster::local c;

    explicit world(std::size_t nodes = 2, controllers::settings control = {}, std::string data = {},
        cluster::autoscaling_options scaling = {})
        : c(io.get_executor(), options(nodes, std::move(control), std::move(data), std::move(scaling)))
    {
        auto const started = run(c.start());
        REQUIRE_MESSAGE(started, started.error().text());
    }
    ~world() { std::filesystem::remove_all(folder); }
    cluster::options options(std::size_t nodes, controllers::settings control, std::string data,
        cluster::autoscaling_options scaling) const
    {
        cluster::options o;
        o.autoscaling = std::move(scaling);
        o.data_dir = std::move(data);
        o.images = images();
        o.socket = folder + "/a/podium.sock";
        o.control = std::move(control);
        o.agent.lease_renewal = 200ms;
        o.agent.pods.restart.base = 100ms;
        o.nodes.clear();
        for (std::size_t i = 0; i < nodes; ++i)
            o.nodes.push_back({.name = "node-" + std::to_string(i + 1)});
        return o;
    }

    template<class T>
    T run(asio::awaitable<T> work)
    {
        std::optional<T> out;
        std::exception_ptr thrown;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr e, T value) {
            thrown = e;
            out.emplace(std::move(value));
        });
        REQUIRE(until([&] { return out.has_value(); }));
        if (thrown)
            std::rethrow_exception(thrown);
        return *std::move(out);
    }
    void run(asio::awaitable<void> work)
    {
        bool done = false;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr e) {
            CHECK_FALSE(e);
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
    template<class F>
    bool until(F const& is_so)
    {
        auto const deadline = std::chrono::steady_clock::now() + 2min;
        while (!is_so()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            io.restart();
            io.run_one_for(20ms);
        }
        return true;
    }
    void stop() { run(c.stop(20s)); }
    api::response call(api::method what, std::string target, json const& body = {})
    {
        api::request r{
            .method = what, .target = std::move(target), .body = body.is_null() ? "" : body.dump()};
        return run(c.call(std::move(r)));
    }
    void create(std::string const& collection, json const& body)
    {
        auto const made = call(api::method::post, collection, body);
        REQUIRE_MESSAGE(made.code == 201, made.body);
    }
    /// What it is now.
    json patch(std::string target, json const& change)
    {
        api::request r{.method = api::method::patch,
            .target = std::move(target),
            .content_type = "application/merge-patch+json",
            .body = change.dump()};
        auto const patched = run(c.call(std::move(r)));
        REQUIRE_MESSAGE(patched.code == 200, patched.body);
        return json::parse(patched.body);
    }
    /// A service of the pods "app: web".
    void serve(std::string const& name)
    {
        create("/api/v1/namespaces/default/services",
            json{{"metadata", {{"name", name}}},
                {"spec",
                    {{"selector", {{"app", "web"}}},
                        {"ports", {{{"name", "http"}, {"port", 80}, {"targetPort", 8080}}}}}}});
    }
    void web(int replicas)
    {
        serve("web");
        auto const toleration = [](char const* key) {
            return json{
                {"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 0}};
        };
        json const container = {{"name", "web"}, {"image", "shop/web:1.0"},
            {"readinessProbe", {{"httpGet", {{"path", "/readyz"}, {"port", 8080}}}, {"periodSeconds", 1}}}};
        create("/apis/apps/v1/namespaces/default/deployments",
            json{{"metadata", {{"name", "web"}}},
                {"spec",
                    {{"replicas", replicas}, {"selector", {{"matchLabels", {{"app", "web"}}}}},
                        {"template",
                            {{"metadata", {{"labels", {{"app", "web"}}}}},
                                {"spec",
                                    {{"containers", json::array({container})},
                                        {"tolerations",
                                            json::array({toleration("node.kubernetes.io/not-ready"),
                                                toleration("node.kubernetes.io/unreachable")})}}}}}}}});
        REQUIRE(until([&] { return ready() == replicas; }));
    }
    void scale(int replicas)
    {
        patch("/apis/apps/v1/namespaces/default/deployments/web", {{"spec", {{"replicas", replicas}}}});
    }
    [[nodiscard]] std::vector<reconcile::handle<model::pod>> pods() const
    {
        std::vector<reconcile::handle<model::pod>> out;
        for (auto const p : c.view().all<model::pod>())
            out.push_back(p);
        return out;
    }
    [[nodiscard]] int ready() const
    {
        int n = 0;
        for (auto const& p : pods())
            n += model::is_ready(*p) && !p->metadata.deletion_timestamp && !p->status.drain;
        return n;
    }
    [[nodiscard]] std::vector<std::int32_t> processes()
    {
        std::vector<std::int32_t> out;
        for (auto const& n : c.how().nodes)
            if (auto* const at = c.node(n.name))
                for (auto const& row : at->runtime().list())
                    if (row.state == runtime::container_state::running)
                        out.push_back(row.pid);
        return out;
    }
    [[nodiscard]] net::address service() const
    {
        return net::address::tcp(c.view().get<model::service>("default", "web")->spec.cluster_ip, 80);
    }
};

/// Requests one after another until it is told to stop.
struct load {
    std::string target = "/";
    int answered = 0;
    std::vector<std::string> lost{};
    int running = 0;
    bool over = false;

    void start(world& w, int clients)
    {
        for (int i = 0; i < clients; ++i, ++running)
            asio::co_spawn(w.io, client(w.service()), [this](std::exception_ptr) { --running; });
    }
    asio::awaitable<void> client(net::address where)
    {
        while (!over) {
            net::http_request r(http::verb::get, target, 11);
            auto const answer = co_await net::http_call(where, std::move(r));
            if (answer && answer->result_int() == 200)
                ++answered;
            else
                lost.push_back(answer ? std::to_string(answer->result_int()) : answer.error().text());
        }
    }
    void stop(world& w)
    {
        over = true;
        REQUIRE(w.until([&] { return running == 0; }));
    }
};

}  // namespace podium::tests::real
