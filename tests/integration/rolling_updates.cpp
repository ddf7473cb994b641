// Twenty rolling updates in a row while orders come in, with a ledger on both sides: what the customer was
// told, and what the db has on its disk. The images and manifests are where the build puts them, beside this
// program.
#include "../../examples/podium/load.hpp"

#include <podium/cluster.hpp>
#include <podium/yaml.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <unistd.h>
#include <utility>

namespace {

using namespace podium;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using model::json;

struct shop {
    std::filesystem::path folder{"/tmp/podium-test-" + std::to_string(::getpid()) + "-rolls"};
    std::filesystem::path built =
        std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "examples";
    asio::io_context io;
    cluster::local c;

    shop() : c(io.get_executor(), options())
    {
        auto const started = run(c.start());
        REQUIRE_MESSAGE(started, started.error().text());
    }
    ~shop() { std::filesystem::remove_all(folder); }

    cluster::options options() const
    {
        cluster::options o;
        o.images = (built / "images").string();
        o.data_dir = (folder / "data").string();
        o.nodes = {{.name = "node-1"}, {.name = "node-2"}, {.name = "node-3"}};
        return o;
    }

    template<class Done>
    bool until(Done const& done)
    {
        auto const deadline = std::chrono::steady_clock::now() + 2min;
        while (!done()) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            io.restart();
            io.run_one_for(20ms);
        }
        return true;
    }
    template<class T>
    T run(asio::awaitable<T> work)
    {
        std::optional<T> out;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown, T value) {
            REQUIRE_FALSE(thrown);
            out.emplace(std::move(value));
        });
        REQUIRE(until([&] { return out.has_value(); }));
        return *std::move(out);
    }
    void run(asio::awaitable<void> work)
    {
        bool done = false;
        asio::co_spawn(io, std::move(work), [&](std::exception_ptr thrown) {
            REQUIRE_FALSE(thrown);
            done = true;
        });
        REQUIRE(until([&] { return done; }));
    }
    api::response call(api::method what, std::string target, json const& body = {})
    {
        api::request r{
            .method = what, .target = std::move(target), .body = body.is_null() ? "" : body.dump()};
        return run(c.call(std::move(r)));
    }

    void declare()
    {
        auto const& kinds = c.kinds();
        for (auto const* const file : {"10-db.yaml", "20-web.yaml"}) {
            std::ostringstream text;
            text << std::ifstream(built / "manifests" / file).rdbuf();
            auto const read = yaml::read_manifests(text.str(), file, kinds);
            REQUIRE_MESSAGE(read, read.error().text());
            for (auto const& m : *read) {
                auto const& kind = *kinds.find(m.object.kind);
                auto const made = call(
                    api::method::post, api::path_of(kind.api_version, kind.plural, "default", ""), m.written);
                REQUIRE_MESSAGE(made.code == 201, made.body);
            }
        }
    }
    void release(std::string const& version)
    {
        auto const path = api::path_of("apps/v1", "deployments", "default", "web");
        for (;;) {
            auto d = json::parse(call(api::method::get, path).body);
            auto& t = d["spec"]["template"];
            t["metadata"]["labels"]["version"] = version;
            t["spec"]["containers"][0]["image"] = "shop/web:" + version;
            auto const put = call(api::method::put, path, d);
            if (put.code == 409)
                continue;
            REQUIRE_MESSAGE(put.code == 200, put.body);
            return;
        }
    }
    /// How many of the web's pods are ready and of this version; nothing while there are others.
    std::optional<int> only(std::string const& version) const
    {
        int n = 0;
        for (auto const p : c.view().all<model::pod>("default")) {
            if (p->metadata.labels.at("app") != "web")
                continue;
            if (p->metadata.labels.at("version") != version)
                return {};
            n += model::is_ready(*p);
        }
        return n;
    }
    int ready(std::string const& app) const
    {
        int n = 0;
        for (auto const p : c.view().all<model::pod>("default"))
            n += p->metadata.labels.at("app") == app && model::is_ready(*p) && controllers::is_active(*p);
        return n;
    }
    std::string address_of(std::string const& service) const
    {
        return c.view().get<model::service>("default", service)->spec.cluster_ip;
    }
    /// The ids on the db's disk, as often as they are there.
    std::multiset<std::string> stored() const
    {
        std::multiset<std::string> out;
        std::ifstream file(folder / "data/claims/default/data-db-0/orders");
        for (std::string line; std::getline(file, line);)
            out.insert(line.substr(0, line.find(' ')));
        return out;
    }
};

}  // namespace

TEST_CASE("rolling updates: twenty in a row under load lose no order and store none twice")
{
    shop s;
    s.declare();
    REQUIRE(s.until([&] { return s.ready("web") == 2 && s.ready("db") == 1; }));

    tour::load_options how;
    how.ip = s.address_of("web");
    how.port = 8080;
    how.target = "/order";
    how.per_second = 300;
    how.prepare = [](tour::load_request& r, std::uint64_t number) {
        r.method(tour::http::verb::post);
        r.set("X-Order", "o-" + std::to_string(number));
        r.body() = "a lamp";
    };
    tour::load_generator load(s.io.get_executor(), how);
    load.start();

    int fewest = 2;
    for (int i = 0; i < 20; ++i) {
        std::string const version = i % 2 == 0 ? "1.2" : "1.0";
        s.release(version);
        REQUIRE(s.until([&] {
            fewest = std::min(fewest, s.ready("web"));
            return s.only(version) == 2;
        }));
    }
    s.run(load.stop());

    auto const told = tour::summarize(load.book());
    CHECK(told.sent > 20 * 300);  // an update takes a second at the least: two pods, one by one, each probed
    CHECK(told.errors() == 0);
    CHECK(load.book().reasons() == std::map<std::string, std::uint64_t>{});
    CHECK(fewest == 2);
    CHECK(told.by_version.contains("1.0"));
    CHECK(told.by_version.contains("1.2"));
    std::multiset<std::string> acknowledged;
    for (std::size_t n = 0; n < load.book().entries().size(); ++n) {
        auto const& e = load.book().entries()[n];
        if (e.outcome == tour::outcome::answered)
            acknowledged.insert("o-" + std::to_string(n));
        CHECK(e.status == 201);  // 200 would be an order that arrived twice
    }
    CHECK(s.stored() == acknowledged);
    s.run(s.c.stop(20s));
}
