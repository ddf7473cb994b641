#include "harness.hpp"

#include <podium/net/proxy.hpp>

#include <map>
#include <set>

namespace {

using namespace podium_net_tests;
using net::proxy;

traffic::endpoint endpoint(std::string id, std::uint16_t port, bool draining = false)
{
    return {.id = std::move(id),
        .address = "127.0.0.1",
        .port = port,
        .ready = true,
        .serving = true,
        .draining = draining,
        .version = "v1"};
}

/// A proxy with one service, "web".
struct fixture {
    asio::io_context io{1};
    std::unique_ptr<proxy> router;
    std::uint16_t port = 0;
    std::uint64_t generation = 0;

    explicit fixture(
        net::proxy_options options = {}, net::proxy_service::mode speaks = net::proxy_service::mode::http)
        : router(std::make_unique<proxy>(io.get_executor(), std::move(options)))
    {
        port = router->open({.name = "web", .address = "127.0.0.1", .port = 0, .speaks = speaks}).value();
    }
    void apply(std::vector<traffic::endpoint> endpoints)
    {
        REQUIRE(router->apply("web", {++generation, std::move(endpoints)}));
    }
    net::service_status status() const { return router->status().at("web"); }
    raw_client client() { return raw_client(io, port); }
};

net::http_handler echo(std::string name)
{
    return [name](net::http_request request) -> asio::awaitable<net::http_answer> {
        auto made = net::answer(
            200, request.body().empty() ? name + ' ' + std::string(request.target()) : request.body());
        made.set("X-Seen-For", request["X-Forwarded-For"]);
        made.set("X-Seen-Custom", request["X-Custom"]);
        co_return made;
    };
}

struct http_backend {
    net::http_server server;
    std::uint16_t port;
    http_backend(fixture& f, net::http_handler h)
        : server(f.io.get_executor(), std::move(h)),
          port(server.listen(net::address::tcp("127.0.0.1", 0)).value().port)
    {
    }
};

std::string const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("net: the proxy keeps connections alive on both sides and balances requests")
{
    fixture f;
    http_backend a(f, echo("a")), b(f, echo("b"));
    f.apply({endpoint("a", a.port), endpoint("b", b.port)});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        std::map<std::string, int> seen;
        for (int i = 0; i < 20; ++i) {
            auto const got = co_await client.call(get("/x"));
            CHECK(got.status == 200);
            CHECK(got.keep_alive);
            CHECK(got.message["X-Seen-For"] == "127.0.0.1");
            ++seen[got.body];
        }
        CHECK(seen == std::map<std::string, int>{{"a /x", 10}, {"b /x", 10}});
        CHECK(a.server.connections() == 1);
        CHECK(b.server.connections() == 1);
    }());
    auto const status = f.status();
    CHECK(status.generation == 1);
    CHECK(status.versions.at("v1").requests == 20);
    CHECK(status.versions.at("v1").by_class[2] == 20);
    REQUIRE(status.endpoints.size() == 2);
    CHECK(status.endpoints[0].counters.requests == 10);
    CHECK(status.in_flight("a") == 0);
}

TEST_CASE("net: the proxy passes on what it must and keeps what belongs to one hop")
{
    fixture f;
    std::string seen;
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        while (co_await scripted::header(s, &seen))
            (void)co_await net::wire::write(s,
                std::string_view(
                    "HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n"
                    "Keep-Alive: timeout=5\r\nX-End: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\nok"));
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        auto const got = co_await client.call(get("/p?q=1",
            "Connection: X-Mine, keep-alive\r\nX-Mine: 1\r\nTE: trailers\r\n"
            "Upgrade: h2c\r\nX-Custom: c\r\nX-Forwarded-For: 1.2.3.4\r\n"));
        CHECK(got.status == 200);
        CHECK(got.message.reason() == "Fine");
        CHECK(got.message["X-Hop"] == "");
        CHECK(got.message["Keep-Alive"] == "");
        CHECK(got.message["X-End"] == "1");
        CHECK(got.message.count("Set-Cookie") == 2);
    }());
    CHECK(seen ==
        "GET /p?q=1 HTTP/1.1\r\nHost: h\r\nX-Custom: c\r\nX-Forwarded-For: 1.2.3.4, 127.0.0.1\r\n\r\n");
}

TEST_CASE("net: every way to frame an answer arrives whole")
{
    struct row {
        std::string name;
        char const* request;
        std::string answer;
        unsigned status;
        std::string body;
        bool keep_alive;
        bool head = false;
    };
    for (auto const& r :
        std::vector<row>{
            {"length", "GET", ok, 200, "ok", true},
            {"chunked", "GET",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: "
                "1\r\n\r\n",
                200, "abcde", true},
            {"until the end", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it", 200,
                "all of it", true},
            {"HTTP/1.0 backend", "GET", "HTTP/1.0 200 OK\r\n\r\nold", 200, "old", true},
            {"empty", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
            {"no content", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
            {"not modified", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
            {"head", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 200, "", true, true},
            {"early hints first", "GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, 200, "ok", true},
            {"cut off", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", 0, "", false},
            {"cut off in a chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 0,
                "", false},
            {"not HTTP", "GET", "SSH-2.0-OpenSSH\r\n\r\n", 502, "the endpoint did not answer properly\n",
                true},
            {"two lengths", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 502,
                "the endpoint did not answer properly\n", true},
            {"switching protocols", "GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 502,
                "the endpoint did not answer properly\n", true},
        }) {
        CAPTURE(r.name);
        fixture f;
        scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
            co_await scripted::header(s);
            (void)co_await net::wire::write(s, r.answer);
        });
        f.apply({endpoint("a", backend.port())});
        run(f.io, [&]() -> asio::awaitable<void> {
            auto client = f.client();
            auto const got =
                co_await client.call(std::string(r.request) + " / HTTP/1.1\r\nHost: h\r\n\r\n", r.head);
            CHECK(got.status == r.status);
            CHECK(got.body == r.body);
            CHECK(got.keep_alive == r.keep_alive);
            if (r.head)
                CHECK(got.message["Content-Length"] == "500");
            if (r.name == "early hints first")
                CHECK(got.informational == 1);
        }());
    }
}

TEST_CASE("net: an HTTP/1.0 client gets no chunks, and Connection: close is kept")
{
    fixture f;
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        while (co_await scripted::header(s))
            (void)co_await net::wire::write(s,
                std::string_view(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"));
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto old = f.client();
        auto const got = co_await old.call("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        CHECK(got.body == "abc");
        CHECK(got.message.count("Transfer-Encoding") == 0);
        CHECK(co_await old.closed());
        auto closing = f.client();
        CHECK_FALSE((co_await closing.call(get("/", "Connection: close\r\n"))).keep_alive);
        CHECK(co_await closing.closed());
    }());
}

TEST_CASE("net: large bodies stream both ways at once, chunked or with a length")
{
    fixture f;
    std::size_t most = 0;
    // Answers each piece as it comes, so a proxy that sends all before it reads would stand still.
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        net::beast::flat_buffer buffer(1 << 20);
        http::request_parser<http::buffer_body> parser;
        parser.body_limit(boost::none);
        if (co_await net::wire::read_header(s, buffer, parser))
            co_return;
        (void)co_await net::wire::write(
            s, std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        std::vector<char> part(60'000);
        net::error_code ec;
        while (!parser.is_done()) {
            auto const n = co_await net::wire::read_body(s, buffer, parser, part.data(), part.size(), ec);
            if (ec)
                co_return;
            most += n;
            std::string chunk;
            if (n != 0)
                net::wire::append_chunk(chunk, {part.data(), n});
            if (co_await net::wire::write(s, chunk))
                co_return;
        }
        (void)co_await net::wire::write(s, net::wire::last_chunk);
    });
    f.apply({endpoint("a", backend.port())});
    for (bool const chunked : {false, true}) {
        CAPTURE(chunked);
        std::string body(8 << 20, 'x');
        for (std::size_t i = 0; i < body.size(); i += 4099)
            body[i] = static_cast<char>('a' + i % 23);
        most = 0;
        run(f.io, [&]() -> asio::awaitable<void> {
            using namespace asio::experimental::awaitable_operators;
            auto client = f.client();
            std::string text = "POST / HTTP/1.1\r\nHost: h\r\n";
            if (chunked) {
                text += "Transfer-Encoding: chunked\r\n\r\n";
                for (std::size_t at = 0; at < body.size(); at += 100'000)
                    net::wire::append_chunk(text, std::string_view(body).substr(at, 100'000));
                text += net::wire::last_chunk;
            } else {
                text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
            }
            auto const got = co_await (client.receive() && client.send(std::move(text)));
            CHECK(got.status == 200);
            CHECK(got.body == body);
            CHECK(most == body.size());
        }());
    }
}

TEST_CASE("net: Expect: 100-continue goes through, to a yes and to a no")
{
    fixture f;
    scripted backend(f.io, [&](tcp::socket& s, int number) -> asio::awaitable<void> {
        co_await scripted::header(s);
        if (number == 2) {
            (void)co_await net::wire::write(
                s, std::string_view("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"));
            co_return;
        }
        (void)co_await net::wire::write(s, std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
        char body[5];
        co_await asio::async_read(s, asio::buffer(body), net::as_result);
        (void)co_await net::wire::write(
            s, std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") + std::string(body, 5));
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        std::string const head =
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
        auto yes = f.client();
        co_await yes.send(head);
        std::string interim;
        CHECK(co_await scripted::header(yes.socket, &interim));
        CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
        auto const got = co_await yes.call("hello");
        CHECK(got.status == 200);
        CHECK(got.body == "hello");

        auto no = f.client();
        auto const refused = co_await no.call(head);
        CHECK(refused.status == 413);
        CHECK_FALSE(refused.keep_alive);
        CHECK(co_await no.closed());
    }());
}

TEST_CASE("net: requests sent in a row without waiting are answered in order")
{
    fixture f;
    http_backend a(f, echo("a"));
    f.apply({endpoint("a", a.port)});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        co_await client.send(get("/1") + get("/2") + get("/3"));
        for (auto const* expected : {"a /1", "a /2", "a /3"})
            CHECK((co_await client.receive()).body == expected);
    }());
}

TEST_CASE("net: ambiguous or oversized requests are refused and the connection ends")
{
    fixture f({.header_limit_bytes = 4096, .body_limit_bytes = 1000});
    http_backend a(f, echo("a"));
    f.apply({endpoint("a", a.port)});
    struct row {
        std::string name;
        std::string text;
        unsigned status;
    };
    for (auto const& r : std::vector<row>{
             {"bare LF", "GET / HTTP/1.1\nHost: h\n\n", 400},
             {"bare LF in a header", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
             {"bare CR", "GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400},
             {"two different lengths",
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
             {"the same length twice",
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
             {"length and chunked",
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: "
                 "chunked\r\n\r\n0\r\n\r\n",
                 400},
             {"chunked and length",
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: "
                 "1\r\n\r\n0\r\n\r\n",
                 400},
             {"an encoding we do not know",
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
             {"chunked twice",
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
             {"a length with a sign", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\na", 400},
             {"a list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 1\r\n\r\na", 400},
             {"a length over 64 bits",
                 "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
             {"blank before the colon", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
             {"NUL in a header", std::string("GET / HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", 35), 400},
             {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
             {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
             {"another version", "GET / HTTP/3.7\r\nHost: h\r\n\r\n", 400},
             {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
             {"a bad chunk size", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
                 400},
             {"huge header", get("/", "X: " + std::string(10'000, 'x') + "\r\n"), 431},
             {"huge target", get('/' + std::string(10'000, 'x')), 431},
             {"body over the limit", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", 413},
             {"CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 405},
         }) {
        CAPTURE(r.name);
        run(f.io, [&]() -> asio::awaitable<void> {
            auto client = f.client();
            auto const got = co_await client.call(r.text);
            CHECK(got.status == r.status);
            CHECK_FALSE(got.keep_alive);
            CHECK(co_await client.closed());
        }());
    }
    CHECK(f.status().bad_requests == 23);
    CHECK(f.status().versions["v1"].requests <= 1);
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        CHECK((co_await client.call(get())).status == 200);
    }());
}

TEST_CASE("net: a client that drips its header is cut off, and one that says nothing")
{
    fixture f({.header_deadline = 50ms, .client_idle = 100ms});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto slow = f.client(), silent = f.client();
        co_await slow.send("GET / HT");
        CHECK((co_await slow.receive()).status == 408);
        CHECK((co_await silent.receive()).status == 0);
        CHECK(co_await soon([&] { return f.router->connections() == 0; }));
    }());
}

TEST_CASE("net: an endpoint that cannot be reached costs no request, of any method")
{
    fixture f;
    std::uint16_t dead = 0;
    {
        tcp::acceptor gone(f.io, {asio::ip::make_address("127.0.0.1"), 0});
        dead = gone.local_endpoint().port();
    }
    http_backend a(f, echo("a"));
    f.apply({endpoint("dead", dead), endpoint("a", a.port)});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 10; ++i)
            CHECK((co_await client.call("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi")).body ==
                "hi");
        f.apply({endpoint("dead", dead)});
        CHECK((co_await client.call(get())).status == 502);
    }());
    CHECK(f.status().in_flight("dead") == 0);
}

TEST_CASE("net: a kept-alive connection that the endpoint closed loses no request")
{
    fixture f;
    std::map<std::string, int> seen;
    int answers = 1;  // then the connection is closed: before, or in the moment the next request comes
    bool silently = false;
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        std::string text;
        for (int i = 0; i < answers; ++i) {
            if (bool const more = co_await scripted::header(s, &text); !more)
                co_return;
            ++seen[text.substr(0, text.find(' '))];
            (void)co_await net::wire::write(s, ok);
        }
        if (silently)
            co_await scripted::header(s);  // takes the next request and goes away
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 20; ++i) {
            CHECK((co_await client.call(get())).status == 200);
            CHECK((co_await client.call("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")).status ==
                200);
        }
        CHECK(seen == std::map<std::string, int>{{"GET", 20}, {"POST", 20}});

        silently = true;
        f.apply({});
        f.apply({endpoint("a", backend.port())});
        CHECK((co_await client.call(get())).status == 200);
        CHECK((co_await client.call(get())).status == 200);  // GET is repeated on a fresh connection
        // Nobody can know whether this one was processed, so it is not.
        CHECK(
            (co_await client.call("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")).status == 502);
    }());
}

TEST_CASE("net: repeats of what may have been processed stop at their budget")
{
    fixture f;
    int requests = 0;
    // Answers one request on each connection and takes a second one with it when it goes.
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        if (bool const more = co_await scripted::header(s); !more)
            co_return;
        ++requests;
        (void)co_await net::wire::write(s, ok);
        if (co_await scripted::header(s))
            ++requests;
    });
    f.apply({endpoint("a", backend.port())});
    int failed = 0;
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 100; ++i)
            failed += (co_await client.call(get())).status == 502 ? 1 : 0;
    }());
    CHECK(failed > 20);
    CHECK(requests >= 100);
    CHECK(requests <= 100 + 10 + 100 / 5);
}

TEST_CASE("net: a request that failed on a fresh connection is not repeated")
{
    fixture f;
    int requests = 0;
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        if (co_await scripted::header(s))
            ++requests;
    });
    f.apply({endpoint("a", backend.port()), endpoint("b", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        for (int i = 0; i < 10; ++i)
            CHECK((co_await client.call(get())).status == 502);
    }());
    CHECK(requests == 10);
}

TEST_CASE("net: without an endpoint a request waits as long as allowed, then gets 503")
{
    SUBCASE("not at all")
    {
        fixture f({.retry_after = 1500ms});
        run(f.io, [&]() -> asio::awaitable<void> {
            auto client = f.client();
            auto const got = co_await client.call(get());
            CHECK(got.status == 503);
            CHECK(got.keep_alive);
            CHECK(got.message["Retry-After"] == "2");
        }());
        CHECK(f.status().refused == 1);
    }
    SUBCASE("until one comes")
    {
        fixture f({.wait_for_endpoint = 50s});
        http_backend a(f, echo("a"));
        run(f.io, [&]() -> asio::awaitable<void> {
            auto client = f.client();
            co_await client.send(get());
            CHECK(co_await soon([&] { return f.router->connections() == 1; }));
            co_await pause_for(10ms);
            f.apply({endpoint("a", a.port)});
            CHECK((co_await client.receive()).status == 200);
        }());
    }
    SUBCASE("for its time")
    {
        fixture f({.wait_for_endpoint = 20ms});
        run(f.io, [&]() -> asio::awaitable<void> {
            auto client = f.client();
            CHECK((co_await client.call(get())).status == 503);
        }());
    }
}

TEST_CASE("net: an endpoint that hangs is given up at the deadline")
{
    fixture f({.response_deadline = 50ms});
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        co_await scripted::header(s);  // waits until we hang up
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        CHECK((co_await client.call(get())).status == 504);
        CHECK(f.status().in_flight("a") == 0);
        CHECK(f.status().endpoints[0].counters.by_class[0] == 1);
    }());
}

TEST_CASE("net: draining waits for the request under way and gives the endpoint nothing new")
{
    std::string drained;
    fixture f({.drained = [&](std::string_view service, std::string_view id) {
        drained += std::string(service) + '/' + std::string(id);
    }});
    int got_by_a = 0;
    asio::steady_timer gate(f.io, std::chrono::steady_clock::time_point::max());
    http_backend a(f, [&](net::http_request request) -> asio::awaitable<net::http_answer> {
        ++got_by_a;
        if (request.target() == "/slow")
            co_await gate.async_wait(net::as_result);
        co_return net::answer(200, "a");
    });
    http_backend b(f, echo("b"));
    f.apply({endpoint("a", a.port)});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto slow = f.client(), other = f.client(), idle = f.client();
        co_await slow.send(get("/slow"));
        CHECK((co_await other.call(get())).body == "a");
        CHECK(co_await soon([&] { return got_by_a == 2; }));
        f.apply({endpoint("a", a.port, true), endpoint("b", b.port)});
        CHECK(f.status().in_flight("a") == 1);
        CHECK(co_await soon([&] { return a.server.connections() == 1; }));  // the idle one was closed
        for (int i = 0; i < 10; ++i)
            CHECK((co_await other.call(get())).body == "b /");
        CHECK(got_by_a == 2);
        CHECK(drained.empty());
        gate.cancel();
        CHECK((co_await slow.receive()).body == "a");
        CHECK(drained == "web/a");
        CHECK(f.status().in_flight("a") == 0);
        CHECK(co_await soon([&] { return a.server.connections() == 0; }));  // not kept for next time
        CHECK((co_await slow.call(get())).body == "b /");  // the client's connection lives on
    }());
}

TEST_CASE("net: no request is lost while endpoints come and go under load, by the ledgers of both sides")
{
    fixture f;
    std::map<std::string, int> processed;  // by request number
    struct pod {
        std::string id;
        std::unique_ptr<http_backend> backend;
        bool stopped = false;
        int violations = 0;
    };
    std::vector<std::shared_ptr<pod>> pods;
    auto const add = [&](int n) {
        auto p = std::make_shared<pod>();
        p->id = "pod" + std::to_string(n);
        auto* raw = p.get();
        p->backend = std::make_unique<http_backend>(
            f, [&, raw](net::http_request request) -> asio::awaitable<net::http_answer> {
                if (raw->stopped)
                    ++raw->violations;
                ++processed[std::string(request.target())];
                co_await pause_for(std::chrono::microseconds(300));
                co_return net::answer(200, std::string(request.target()));
            });
        pods.push_back(p);
        return p;
    };
    std::set<std::string> sent;
    int failed = 0, under_way = 0;
    bool stop = false;
    auto const load = [&](int number) -> asio::awaitable<void> {
        ++under_way;
        auto client = f.client();
        int i = 0;
        while (!stop) {
            auto const target = '/' + std::to_string(number) + '-' + std::to_string(++i);
            sent.insert(target);
            auto const text = i % 2 == 0
                ? get(target)
                : "POST " + target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
            auto const got = co_await client.call(text);
            if (got.status != 200 || got.body != target)
                ++failed;
        }
        --under_way;
    };
    std::vector<std::shared_ptr<pod>> serving{add(0), add(1)};
    auto const publish = [&](pod const* leaving) {
        std::vector<traffic::endpoint> all;
        for (auto const& p : serving)
            all.push_back(endpoint(p->id, p->backend->port, p.get() == leaving));
        f.apply(std::move(all));
    };
    publish(nullptr);
    run(f.io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 8; ++i)
            asio::co_spawn(f.io, load(i), asio::detached);
        for (int round = 2; round < 22; ++round) {
            auto const before = sent.size();
            CHECK(co_await soon([&] { return sent.size() > before + 50; }));
            serving.push_back(add(round));
            publish(nullptr);
            auto const old = serving.front();
            publish(old.get());  // acknowledged when it returns
            CHECK(co_await soon([&] { return f.status().in_flight(old->id) == 0; }));
            old->stopped = true;  // SIGTERM, and at once
            co_await old->backend->server.stop(0ms);
            serving.erase(serving.begin());
            publish(nullptr);
        }
        stop = true;
        CHECK(co_await soon([&] { return under_way == 0; }));
    }());
    CHECK(failed == 0);
    CHECK(sent.size() >= 1000);
    CHECK(processed.size() == sent.size());
    for (auto const& [target, times] : processed)
        REQUIRE(times == 1);  // nothing was done twice either
    for (auto const& p : pods)
        CHECK(p->violations == 0);
    auto const status = f.status();
    CHECK(status.versions.at("v1").requests == sent.size());
    CHECK(status.endpoints.size() == 2);  // the others are forgotten
}

TEST_CASE("net: a client that hangs up in the middle of an answer leaves nothing behind")
{
    fixture f;
    bool cut = false;
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        (void)co_await net::wire::write(
            s, std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"));
        std::string const piece(64 * 1024, 'x');
        while (!co_await net::wire::write(s, piece)) {
        }
        cut = true;
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        {
            auto client = f.client();
            co_await client.send(get());
            CHECK(co_await scripted::header(client.socket));
            CHECK(f.status().in_flight("a") == 1);
        }
        CHECK(co_await soon([&] { return cut && f.router->connections() == 0; }));
        CHECK(f.status().in_flight("a") == 0);
    }());
}

TEST_CASE("net: a TCP service passes bytes both ways, and is in flight until it closes")
{
    fixture f({}, net::proxy_service::mode::tcp);
    scripted backend(f.io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
        char bytes[1024];
        for (;;) {
            auto [ec, n] = co_await s.async_read_some(asio::buffer(bytes), net::as_result);
            if (ec)  // the client has said all: our last word
                break;
            (void)co_await net::wire::write(s, std::string_view(bytes, n));
        }
        (void)co_await net::wire::write(s, std::string_view("bye"));
    });
    f.apply({endpoint("a", backend.port())});
    run(f.io, [&]() -> asio::awaitable<void> {
        auto client = f.client();
        co_await client.send("hello");
        char bytes[8];
        co_await asio::async_read(client.socket, asio::buffer(bytes, 5), net::as_result);
        CHECK(std::string(bytes, 5) == "hello");
        f.apply({endpoint("a", backend.port(), true)});
        CHECK(f.status().in_flight("a") == 1);
        client.socket.shutdown(tcp::socket::shutdown_send);
        auto [ec, n] = co_await asio::async_read(client.socket, asio::buffer(bytes), net::as_result);
        CHECK(ec == asio::error::eof);
        CHECK(std::string(bytes, n) == "bye");
        CHECK(co_await soon([&] { return f.status().in_flight("a") == 0; }));
        auto refused = f.client();
        CHECK(co_await refused.closed());
    }());
}

TEST_CASE("net: a proxy that stops lets the request under way finish")
{
    fixture f;
    asio::steady_timer gate(f.io, std::chrono::steady_clock::time_point::max());
    bool begun = false;
    http_backend a(f, [&](net::http_request) -> asio::awaitable<net::http_answer> {
        begun = true;
        co_await gate.async_wait(net::as_result);
        co_return net::answer(200, "done");
    });
    f.apply({endpoint("a", a.port)});
    run(f.io, [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto slow = f.client(), idle = f.client();
        co_await slow.send(get());
        CHECK(co_await soon([&] { return begun && f.router->connections() == 2; }));
        auto const later = [&]() -> asio::awaitable<void> {
            CHECK(co_await idle.closed());
            gate.cancel();
        };
        co_await (f.router->stop(50s) && later());
        auto const got = co_await slow.receive();
        CHECK(got.body == "done");
        CHECK_FALSE(got.keep_alive);
        CHECK(f.router->connections() == 0);
    }());
}

TEST_CASE("net: what cannot be opened or applied says why")
{
    fixture f;
    auto const taken = f.router->open({.name = "other", .address = "127.0.0.1", .port = f.port});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == errc::unavailable);
    CHECK(taken.error().message ==
        "cannot listen on 127.0.0.1:" + std::to_string(f.port) + ": Address already in use");
    CHECK(f.router->open({.name = "bad", .address = "localhost"}).error().code == errc::invalid);
    CHECK(f.router->open({.name = "web", .address = "127.0.0.1"}).error().code == errc::already_exists);
    CHECK(f.router->apply("nobody", {}).error().code == errc::not_found);
    f.apply({});
    CHECK(f.router->apply("web", {0, {}}).error().code == errc::conflict);
    CHECK(f.router->close("web"));
    CHECK_FALSE(f.router->close("web"));
    CHECK(f.router->status().empty());
}

TEST_CASE("net: each service has an address of its own in 127.0.0.0/8, on the same port")
{
    fixture f;
    http_backend a(f, echo("a")), b(f, echo("b"));
    auto const port = f.router->open({.name = "one", .address = "127.77.0.1"}).value();
    REQUIRE(f.router->open({.name = "two", .address = "127.77.0.2", .port = port}));
    REQUIRE(f.router->apply("one", {1, {endpoint("a", a.port)}}));
    REQUIRE(f.router->apply("two", {1, {endpoint("b", b.port)}}));
    run(f.io, [&]() -> asio::awaitable<void> {
        raw_client one(f.io, port, "127.77.0.1"), two(f.io, port, "127.77.0.2");
        CHECK((co_await one.call(get())).body == "a /");
        CHECK((co_await two.call(get())).body == "b /");
    }());
}
