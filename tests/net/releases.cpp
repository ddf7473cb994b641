#include "harness.hpp"

#include <podium/net/proxy.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

namespace {

using namespace podium_net_tests;
using net::proxy;
using traffic::sticky_by;

/// What an endpoint was asked, by itself: the ledger that the proxy's counters are compared with.
struct pod {
    std::string id;
    std::string version;
    net::http_server server;
    std::uint16_t port;
    std::vector<net::http_request> seen{};
    unsigned status = 200;
    std::string conversion{};  ///< X-Conversion of its answers

    pod(asio::io_context& io, std::string name, std::string v)
        : id(std::move(name)),
          version(std::move(v)),
          server(io.get_executor(),
              [this](net::http_request request) -> asio::awaitable<net::http_answer> {
                  seen.push_back(request);
                  auto made = net::answer(status, version);
                  if (!conversion.empty())
                      made.set("X-Conversion", conversion);
                  co_return made;
              }),
          port(server.listen(net::address::tcp("127.0.0.1", 0)).value().port)
    {
    }
};

struct fixture {
    asio::io_context io{1};
    std::unique_ptr<proxy> router;
    std::uint16_t port = 0;
    std::vector<std::unique_ptr<pod>> pods{};
    traffic::endpoint_set set{};

    /// Pods as "name=version name=version".
    explicit fixture(std::string const& all) : router(std::make_unique<proxy>(io.get_executor()))
    {
        port = router->open({.name = "web", .address = "127.0.0.1"}).value();
        std::istringstream words(all);
        for (std::string word; words >> word;) {
            auto const at = word.find('=');
            pods.push_back(std::make_unique<pod>(io, word.substr(0, at), word.substr(at + 1)));
            list(pods.back()->id, pods.back()->version, pods.back()->port);
        }
    }
    void list(std::string id, std::string version, std::uint16_t at)
    {
        set.endpoints.push_back({.id = std::move(id),
            .address = "127.0.0.1",
            .port = at,
            .ready = true,
            .serving = true,
            .version = std::move(version)});
    }
    void apply(std::vector<traffic::version_weight> weights)
    {
        ++set.generation;
        set.weights = std::move(weights);
        REQUIRE(router->apply("web", set));
    }
    net::service_status status() const { return router->status().at("web"); }
    raw_client client() { return raw_client(io, port); }
    std::map<std::string, std::uint64_t> ledger() const
    {
        std::map<std::string, std::uint64_t> out;
        for (auto const& p : pods)
            out[p->version] += p->seen.size();
        return out;
    }
};

/// The name=value of an answer's Set-Cookie; empty: it has none.
std::string cookie_of(raw_client::answer const& got)
{
    std::string const all(got.message["Set-Cookie"]);
    return all.substr(0, all.find(';'));
}

asio::awaitable<raw_client::answer> visit(raw_client& client, std::string cookie)
{
    std::string more;  // temporaries in a co_await are not safe with gcc 12
    if (!cookie.empty())
        more = "Cookie: a=b; " + cookie + "\r\n";
    auto text = get("/", more);
    co_return co_await client.call(std::move(text));
}

/// A pod that answers its requests when the gate opens.
struct held_pod {
    explicit held_pod(asio::io_context& io)
        : gate(io, std::chrono::steady_clock::time_point::max()),
          pod(io, [this](tcp::socket& s, int) -> asio::awaitable<void> {
              if (!co_await scripted::header(s))
                  co_return;
              held = true;
              co_await gate.async_wait(net::as_result);
              (void)co_await net::wire::write(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
          })
    {
    }
    held_pod(held_pod const&) = delete;
    held_pod& operator=(held_pod const&) = delete;

    asio::steady_timer gate;
    bool held = false;
    scripted pod;
};

}  // namespace

TEST_CASE(
    "net: a canary gets exactly its share of any hundred requests, on connections that outlive the weights")
{
    fixture f("a=v1 b=v1 c=v2");
    std::map<std::string, std::uint64_t> sent;
    run(f.io, [&]() -> asio::awaitable<void> {
        std::vector<raw_client> clients;
        for (int i = 0; i < 4; ++i)
            clients.push_back(f.client());
        for (std::uint32_t const weight : {5u, 1u, 50u, 0u, 100u}) {
            f.apply({{"v1", 100 - weight}, {"v2", weight}});
            std::vector<bool> canary;
            for (std::size_t i = 0; i < 300; ++i) {
                auto const got = co_await clients[i % clients.size()].call(get());
                REQUIRE(got.status == 200);
                REQUIRE(got.keep_alive);
                REQUIRE(got.message.count("Set-Cookie") == 0);
                canary.push_back(got.body == "v2");
                ++sent[got.body];
            }
            for (std::ptrdiff_t at = 0; at + 100 <= 300; ++at)
                REQUIRE(std::count(canary.begin() + at, canary.begin() + at + 100, true) ==
                    static_cast<std::ptrdiff_t>(weight));
        }
    }());
    CHECK(sent == f.ledger());
    auto const s = f.status();
    for (auto const& [version, n] : sent) {
        CHECK(s.versions.at(version).requests == n);
        CHECK(s.versions.at(version).by_class[2] == n);
        CHECK(s.versions.at(version).errors() == 0);
        CHECK(s.versions.at(version).visitors == 0);
        CHECK(s.versions.at(version).latency.count == n);
    }
    CHECK(f.router->connections() == 4);
}

TEST_CASE("net: a request on its second way takes nobody's turn, so the split stays exact")
{
    fixture f("a=v1 b=v2");
    std::uint16_t dead = 0;
    {
        tcp::acceptor gone(f.io, {asio::ip::make_address("127.0.0.1"), 0});
        dead = gone.local_endpoint().port();
    }
    f.list("dead", "v2", dead);
    f.apply({{"v1", 90}, {"v2", 10}});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        std::map<std::string, int> seen;
        for (int i = 0; i < 300; ++i)
            ++seen[(co_await client.call(get())).body];
        CHECK(seen == std::map<std::string, int>{{"v1", 270}, {"v2", 30}});
    }());
    auto const s = f.status();
    CHECK(s.versions.at("v2").requests == 30);
    CHECK(s.versions.at("v2").retries > 0);
    CHECK(s.versions.at("v2").errors() == 0);
}

TEST_CASE("net: a visitor's cookie keeps it on its version from 5 to 50 to 0, and new ones are dealt exactly")
{
    fixture f("a=v1 b=v2");
    f.set.rules.sticky = {sticky_by::cookie, "podium"};
    f.set.rules.conversion_header = "X-Conversion";
    f.apply({{"v1", 95}, {"v2", 5}});
    std::map<std::string, std::uint64_t> visitors;
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();  // one connection, many visitors: it is not the connection that sticks
        std::vector<std::pair<std::string, std::string>> known;
        auto const come = [&](int n, int expected) -> asio::awaitable<void> {
            int on_canary = 0;
            for (int i = 0; i < n; ++i) {
                auto const got = co_await visit(client, "");
                auto cookie = cookie_of(got);
                REQUIRE(cookie == "podium=" + got.body);
                on_canary += got.body == "v2" ? 1 : 0;
                ++visitors[got.body];
                known.emplace_back(std::move(cookie), got.body);
                for (int k = 0; k < 2; ++k) {
                    auto const back = co_await visit(client, known.back().first);
                    REQUIRE(back.body == got.body);
                    REQUIRE(back.message.count("Set-Cookie") == 0);
                }
            }
            CHECK(on_canary == expected);
        };
        co_await come(200, 10);
        f.apply({{"v1", 50}, {"v2", 50}});
        for (auto const& [cookie, version] : known)
            REQUIRE((co_await visit(client, cookie)).body == version);
        co_await come(100, 50);
        // Not ours to read: a new visitor.
        for (auto const* cookie : {"podium=", "podium=v2:x", "podium=<v2>", "podium=v9", "xpodium=v2"}) {
            auto const got = co_await visit(client, cookie);
            CHECK(cookie_of(got) == "podium=" + got.body);
            ++visitors[got.body];
        }
        CHECK(f.status().versions.at("v1").visitors == visitors["v1"]);
        CHECK(f.status().versions.at("v2").visitors == visitors["v2"]);

        f.apply({{"v1", 100}, {"v2", 0}});  // taken back: its visitors are new ones of v1
        std::uint64_t moved = 0;
        for (auto const& [cookie, version] : known) {
            auto const got = co_await visit(client, cookie);
            REQUIRE(got.body == "v1");
            REQUIRE(cookie_of(got) == (version == "v2" ? "podium=v1" : ""));
            moved += version == "v2" ? 1u : 0u;
        }
        CHECK(f.status().versions.at("v1").visitors == visitors["v1"] + moved);
    }());
    auto const s = f.status();
    CHECK(s.versions.at("v1").requests == f.ledger()["v1"]);
    CHECK(s.versions.at("v2").requests == f.ledger()["v2"]);
}

TEST_CASE("net: a visitor converts once, a request each time, and what a header says is read strictly")
{
    fixture f("a=v1 b=v2");
    f.set.rules.sticky = {sticky_by::cookie, "podium"};
    f.set.rules.conversion_header = "X-Conversion";
    f.apply({{"v1", 1}, {"v2", 1}});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        auto const first = co_await visit(client, "");
        auto const second = co_await visit(client, "");
        REQUIRE(first.body != second.body);
        auto const cookie = cookie_of(first.body == "v2" ? first : second);
        f.pods[1]->conversion = "1";
        auto const converted = co_await visit(client, cookie);
        CHECK(cookie_of(converted) == "podium=v2:c");
        CHECK(converted.message["X-Conversion"] == "1");  // passed on
        auto const again = co_await visit(client, "podium=v2:c");
        CHECK(again.message.count("Set-Cookie") == 0);
        CHECK(f.status().versions.at("v2").converted_visitors == 1);
        CHECK(f.status().versions.at("v2").conversions == 2);
        f.pods[1]->conversion = "0";
        co_await visit(client, cookie);
        CHECK(f.status().unread_conversions == 0);
        for (auto const* odd : {"yes", "1.0", "-1", "2", "1, 1"}) {
            f.pods[1]->conversion = odd;
            co_await visit(client, cookie);
        }
        CHECK(f.status().unread_conversions == 5);
        CHECK(f.status().versions.at("v2").conversions == 2);
        CHECK(f.status().versions.at("v1").conversions == 0);
        // At once with the first visit.
        f.pods[0]->conversion = f.pods[1]->conversion = "1";
        auto const at_once = co_await visit(client, "");
        CHECK(cookie_of(at_once) == "podium=" + at_once.body + ":c");
    }());
}

TEST_CASE("net: by a header's hash a visitor keeps its version while the canary grows, without any cookie")
{
    fixture f("a=v1 b=v2");
    f.set.rules.sticky = {sticky_by::header, "X-User"};
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        std::set<std::string> on_canary;
        for (std::uint32_t const weight : {5u, 20u, 50u, 100u}) {
            f.apply({{"v1", 100 - weight}, {"v2", weight}});
            std::set<std::string> now;
            for (int i = 0; i < 200; ++i) {
                auto const user = std::to_string(i);
                auto const got = co_await client.call(get("/", "x-user: " + user + "\r\n"));
                REQUIRE(got.message.count("Set-Cookie") == 0);
                if (got.body == "v2")
                    now.insert(user);
            }
            CHECK(std::ranges::includes(now, on_canary));
            CHECK(now.size() > on_canary.size());
            on_canary = now;
        }
        CHECK(on_canary.size() == 200);
    }());
}

TEST_CASE("net: a header leads testers to the preview, which is counted apart, and fails where there is none")
{
    fixture f("a=v1 b=v2");
    f.set.rules.matches = {{"X-Preview", traffic::header_match::kind::exact, "yes", "v2"}};
    f.set.rules.sticky = {sticky_by::cookie, "podium"};
    f.apply({{"v1", 100}});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 10; ++i) {
            auto const tester = co_await client.call(get("/", "Cookie: podium=v1\r\nx-preview: yes\r\n"));
            CHECK(tester.body == "v2");
            CHECK(tester.message.count("Set-Cookie") == 0);
            CHECK((co_await client.call(get("/", "X-Preview: no\r\n"))).body == "v1");
        }
        f.set.endpoints.pop_back();
        f.apply({{"v1", 100}});
        CHECK((co_await client.call(get("/", "X-Preview: yes\r\n"))).status == 503);
        CHECK((co_await client.call(get())).body == "v1");
    }());
    auto const s = f.status();
    CHECK(s.versions.at("v2").requests == 0);
    CHECK(s.versions.at("v2").matched.requests == 10);
    CHECK(s.versions.at("v1").requests == 11);
    CHECK(s.refused == 1);
}

TEST_CASE("net: a mirror gets copies with their bodies, and users notice nothing of it")
{
    fixture f("a=v1 b=v2");
    f.set.rules.mirror = {.version = "v2", .percent = 50, .body_limit_bytes = 60'000};
    f.apply({{"v1", 1}});
    f.pods[1]->status = 500;
    std::string const large(50'000, 'x'), too_large(60'001, 'x');
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 20; ++i) {
            auto const body = i < 10 ? std::string("small") : large;
            auto const got = co_await client.call("POST /" + std::to_string(i) +
                " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
            CHECK(got.status == 200);
            CHECK(got.body == "v1");
        }
        CHECK(co_await soon([&] { return f.status().versions.at("v2").mirrored.requests == 10; }));
        for (int i = 0; i < 4; ++i)
            CHECK((co_await client.call("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " +
                       std::to_string(too_large.size()) + "\r\n\r\n" + too_large))
                      .status == 200);
    }());
    auto const& copies = f.pods[1]->seen;
    REQUIRE(copies.size() == 10);
    std::map<std::string, std::string> originals;
    for (auto const& request : f.pods[0]->seen) {
        CHECK(request.count("X-Podium-Mirror") == 0);
        originals[std::string(request.target())] = request.body();
    }
    for (auto const& request : copies) {
        CHECK(request["X-Podium-Mirror"] == "1");
        CHECK(request.method() == http::verb::post);
        CHECK(request.body() == originals.at(std::string(request.target())));
    }
    auto const s = f.status();
    CHECK(f.pods[0]->seen.size() == 24);
    CHECK(s.versions.at("v1").requests == 24);
    CHECK(s.versions.at("v2").requests == 0);
    CHECK(s.versions.at("v2").mirrored.by_class[5] == 10);
    CHECK(s.copies_dropped == 2);
    CHECK(s.in_flight("b") == 0);
}

TEST_CASE(
    "net: a mirror that hangs holds up nobody and has its bound; its pod is not drained before it has ended")
{
    fixture f("a=v1");
    int asked = 0;
    asio::steady_timer gate(f.io, std::chrono::steady_clock::time_point::max());
    scripted hanging(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        asked += co_await scripted::header(s) ? 1 : 0;
        co_await gate.async_wait(net::as_result);
    });
    f.list("b", "v2", hanging.port());
    f.set.rules.mirror = {.version = "v2", .max_in_flight = 3, .deadline = 50s};
    f.apply({{"v1", 1}});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 10; ++i)
            CHECK((co_await client.call(get())).status == 200);
        CHECK(f.status().copies_dropped == 7);
        CHECK(co_await soon([&] { return asked == 3; }));
        f.set.endpoints[1].draining = true;
        f.apply({{"v1", 1}});
        CHECK(f.status().in_flight("b") == 3);
        CHECK((co_await client.call(get())).status == 200);
        CHECK(f.status().copies_dropped == 8);  // nothing new goes there, copies neither
        gate.cancel();
        CHECK(co_await soon([&] { return f.status().versions.at("v2").mirrored.requests == 3; }));
        CHECK(f.status().in_flight("b") == 0);
    }());
    CHECK(asked == 3);  // a copy is not repeated
    CHECK(f.status().versions.at("v2").mirrored.by_class[0] == 3);
}

TEST_CASE("net: a copy is given up at its deadline")
{
    fixture f("a=v1");
    scripted hanging(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        co_await scripted::header(s);  // until the proxy hangs up
    });
    f.list("b", "v2", hanging.port());
    f.set.rules.mirror = {.version = "v2", .deadline = 50ms};
    f.apply({{"v1", 1}});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        CHECK((co_await client.call(get())).status == 200);
        CHECK(co_await soon([&] { return f.status().versions.at("v2").mirrored.by_class[0] == 1; }));
        CHECK(f.status().in_flight("b") == 0);
    }());
}

TEST_CASE("net: an endpoint that fails in a row is ejected and comes back; its version keeps its share")
{
    fixture f("a=v1 b=v1 c=v2");
    f.set.rules.ejection = traffic::outlier_policy{.consecutive_failures = 3, .base = 2s};
    f.apply({{"v1", 50}, {"v2", 50}});
    f.pods[0]->status = 500;
    f.pods[2]->status = 503;  // the only one of its version: fails visibly, and goes on
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        std::map<std::string, int> seen;
        for (int i = 0; i < 40 && !f.status().endpoints[0].ejected; ++i)
            (void)co_await client.call(get());
        CHECK(f.pods[0]->seen.size() == 3);
        CHECK(f.status().endpoints[0].ejected);
        auto const before = f.ledger()["v2"];
        for (int i = 0; i < 20; ++i)
            ++seen[(co_await client.call(get())).body];
        CHECK(seen == std::map<std::string, int>{{"v1", 10}, {"v2", 10}});
        CHECK(f.ledger()["v2"] == before + 10);
        CHECK_FALSE(f.status().endpoints[2].ejected);
        f.pods[0]->status = 200;
        CHECK(co_await soon([&] { return !f.status().endpoints[0].ejected; }));
        auto const had = f.pods[0]->seen.size();
        for (int i = 0; i < 8; ++i)
            (void)co_await client.call(get());
        CHECK(f.pods[0]->seen.size() == had + 2);
    }());
    auto const s = f.status();
    CHECK(s.versions.at("v1").by_class[5] == 3);
    CHECK(s.versions.at("v2").errors() == f.ledger()["v2"]);
}

TEST_CASE("net: an endpoint that cannot be connected to is ejected, and no request sees it")
{
    fixture f("a=v1");
    std::uint16_t dead = 0;
    {
        tcp::acceptor gone(f.io, {asio::ip::make_address("127.0.0.1"), 0});
        dead = gone.local_endpoint().port();
    }
    f.list("dead", "v1", dead);
    f.set.rules.ejection = traffic::outlier_policy{.consecutive_failures = 4, .base = 60s, .longest = 60s};
    f.apply({});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 30; ++i)
            CHECK((co_await client.call(get())).status == 200);
    }());
    auto const s = f.status();
    CHECK(s.endpoints[1].ejected);
    CHECK(s.endpoints[1].counters.retries == 4);
    CHECK(s.versions.at("v1").requests == 30);
}

TEST_CASE("net: what the client broke off is held against nobody; what the endpoint broke off is an error")
{
    fixture f("a=v1");
    scripted cutting(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        (void)co_await net::wire::write(
            s, std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    });
    f.set.rules.sticky = {sticky_by::cookie, "podium"};
    f.apply({{"v1", 1}});
    run(f.io, [&]() -> asio::awaitable<void> {
        {
            auto leaving = f.client();
            co_await leaving.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\npart");
            CHECK(co_await soon([&] { return f.status().in_flight("a") == 1; }));
        }
        CHECK(co_await soon([&] { return f.status().versions.at("v1").abandoned == 1; }));
        CHECK(f.status().versions.at("v1").requests == 1);
        CHECK(f.status().versions.at("v1").errors() == 0);
        f.set.endpoints.clear();
        f.list("cutting", "v1", cutting.port());
        f.apply({{"v1", 1}});
        auto client = f.client();
        CHECK((co_await client.call(get())).status == 0);
        CHECK(f.status().versions.at("v1").errors() == 1);
        CHECK(f.status().versions.at("v1").visitors == 1);  // it had its cookie in the head
        f.set.endpoints.clear();
        f.list("dead", "v1", 1);
        f.apply({{"v1", 1}});
        auto other = f.client();
        auto const got = co_await visit(other, "");
        CHECK(got.status == 502);
        CHECK(cookie_of(got) == "podium=v1");
        CHECK(f.status().versions.at("v1").visitors == 2);
        CHECK(f.status().versions.at("v1").errors() == 2);
    }());
}

TEST_CASE("net: rules that cannot be put in force change nothing, and say why")
{
    fixture f("a=v1 b=v2");
    f.apply({{"v1", 1}});
    auto bad = f.set;
    ++bad.generation;
    bad.rules.mirror.version = "v2";
    bad.rules.mirror.percent = 200;
    auto const refused = f.router->apply("web", bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text() == "rules.mirror.percent: must be at most 100");
    CHECK(f.status().generation == 1);
}

TEST_CASE(
    "net: counters equal both ledgers while weights move under load, and every visitor keeps its version")
{
    fixture f("a=v1 b=v1 c=v2 d=v2");
    f.set.rules.sticky = {sticky_by::cookie, "podium"};
    f.set.rules.conversion_header = "X-Conversion";
    f.set.rules.ejection = traffic::outlier_policy{};
    f.pods[0]->conversion = f.pods[3]->conversion = "1";
    f.apply({{"v1", 99}, {"v2", 1}});
    struct tally {
        std::uint64_t requests = 0, conversions = 0, visitors = 0, converted = 0;
    };
    std::map<std::string, tally> seen;
    int failed = 0, moved = 0, under_way = 0, done = 0;
    bool stop = false;
    auto const browse = [&](std::uint64_t seed) -> asio::awaitable<void> {
        ++under_way;
        auto client = f.client();
        int v = 0;
        while (!stop) {  // one visitor after the other on this connection
            ++v;
            std::string cookie, version;
            for (std::uint64_t n = 0; n < 1 + (seed + static_cast<std::uint64_t>(v)) % 5; ++n) {
                auto const got = co_await visit(client, cookie);
                failed += got.status == 200 ? 0 : 1;
                moved += version.empty() || version == got.body ? 0 : 1;
                version = got.body;
                auto& t = seen[version];
                ++t.requests;
                t.visitors += n == 0 ? 1u : 0u;
                if (auto set = cookie_of(got); !set.empty())
                    cookie = set;
                if (got.message["X-Conversion"] == "1") {
                    ++t.conversions;
                    CHECK(cookie == "podium=" + version + ":c");
                }
                ++done;
            }
            seen[version].converted += cookie.ends_with(":c") ? 1u : 0u;
        }
        --under_way;
    };
    run(f.io, [&]() -> asio::awaitable<void> {
        for (std::uint64_t i = 0; i < 8; ++i)
            asio::co_spawn(f.io, browse(i), asio::detached);
        for (std::uint32_t weight = 10; weight < 100; weight += 10) {
            auto const before = done;
            CHECK(co_await soon([&] { return done > before + 100; }));
            f.apply({{"v1", 100 - weight}, {"v2", weight}});
        }
        stop = true;
        CHECK(co_await soon([&] { return under_way == 0; }));
    }());
    CHECK(failed == 0);
    CHECK(moved == 0);
    auto const s = f.status();
    for (auto const& [version, t] : seen) {
        CAPTURE(version);
        auto const& c = s.versions.at(version);
        CHECK(c.requests == t.requests);
        CHECK(c.requests == f.ledger()[version]);
        CHECK(c.conversions == t.conversions);
        CHECK(c.visitors == t.visitors);
        CHECK(c.converted_visitors == t.converted);
        CHECK(t.converted > 0);
        CHECK(t.converted < t.visitors);
    }
    CHECK(f.router->connections() <= 8);
}

TEST_CASE("net: of versions that are gone the last are remembered, the sum of all of them, and whoever is "
          "still used")
{
    fixture f("a=v");
    held_pod slow(f.io);
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client(), waits = f.client();
        f.set.endpoints.clear();
        f.list("slow", "busy", slow.pod.port());
        f.apply({});
        co_await waits.send(get());
        CHECK(co_await soon([&] { return slow.held; }));
        std::uint64_t sent = 0, before = 0;
        for (int i = 100; i < 150; ++i) {
            f.set.endpoints.clear();
            f.list("a", "v" + std::to_string(i), f.pods[0]->port);
            f.set.endpoints.back().id += std::to_string(i);
            f.apply({{"v" + std::to_string(i), 99}, {"v103", 1}});
            CHECK((co_await client.call(get())).status == 200);
            auto const s = f.status();
            CHECK(s.answered().requests == ++sent);
            CHECK(s.answered().requests > before);  // no sum falls when a version is forgotten
            before = s.answered().requests;
            CHECK(
                s.versions.size() <= 1 + 1 + 1 + 16);  // the newest, who has a weight, who is busy, the gone
        }
        auto s = f.status();
        CHECK(s.versions.size() == 19);
        CHECK(s.versions.contains("v133"));
        CHECK_FALSE(s.versions.contains("v132"));
        CHECK(s.versions.at("v103").requests == 1);
        CHECK(s.forgotten.requests == 32);
        CHECK(s.forgotten.latency.count == 32);
        CHECK(s.versions.at("busy").requests == 0);
        slow.gate.cancel();
        CHECK((co_await waits.receive()).status == 200);
        CHECK(f.status().versions.at("busy").requests == 1);

        // One that comes back is not gone any more, and counts from where it was.
        f.set.endpoints.back().version = "v133";
        f.apply({{"v133", 1}});
        CHECK((co_await client.call(get())).body == "v");
        s = f.status();
        CHECK(s.versions.at("v133").requests == 2);
        CHECK(s.versions.size() == 1 + 16);
        CHECK(s.answered().requests == sent + 2);
    }());
}

TEST_CASE("net: a pod that becomes another version keeps what it was counted as while requests are under way")
{
    fixture f("a=v");
    held_pod slow(f.io);
    run(f.io, [&]() -> asio::awaitable<void> {
        auto waits = f.client();
        f.set.endpoints.clear();
        f.list("slow", "first", slow.pod.port());
        f.apply({});
        co_await waits.send(get());
        CHECK(co_await soon([&] { return slow.held; }));
        for (int i = 0; i < 40; ++i) {
            f.set.endpoints[0].version = "v" + std::to_string(i);
            f.apply({});
        }
        slow.gate.cancel();
        CHECK((co_await waits.receive()).status == 200);
        CHECK(f.status().versions.at("first").requests == 1);
        CHECK(f.status().answered().requests == 1);
    }());
}
