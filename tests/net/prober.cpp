#include "harness.hpp"

#include <podium/net/prober.hpp>

namespace {

using namespace podium_net_tests;
using probe::outcome;

struct always_fine {
    asio::awaitable<net::probe_answer> probe(duration) const
    {
        co_return net::probe_answer{outcome::success, {}};
    }
};
struct forgets_the_timeout {
    asio::awaitable<net::probe_answer> probe() const;
};
static_assert(net::Prober<always_fine>);
static_assert(!net::Prober<forgets_the_timeout>);

net::command shell(std::string script)
{
    return {.argv = {"sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin", "COLOUR=green"}};
}

}  // namespace

TEST_CASE("net: an HTTP probe passes from 200 to 399, and nothing that the other side does makes it last")
{
    struct row {
        std::string name, answer;  // | at the end: and then hangs; * at the end: for ever
        outcome expected;
    };
    for (auto const& r : std::vector<row>{
             {"200", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", outcome::success},
             {"204", "HTTP/1.1 204 No Content\r\n\r\n", outcome::success},
             {"304", "HTTP/1.1 304 Not Modified\r\n\r\n", outcome::success},
             {"399", "HTTP/1.1 399 Odd\r\nContent-Length: 0\r\n\r\n", outcome::success},
             {"400", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", outcome::failure},
             {"503", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", outcome::failure},
             {"a body until the end", "HTTP/1.1 200 OK\r\n\r\nok", outcome::success},
             {"an endless body", "HTTP/1.1 200 OK\r\n\r\n*", outcome::success},
             {"redirect to another host",
                 "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n",
                 outcome::success},
             {"redirect to another scheme",
                 "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
                 outcome::success},
             {"redirect in a circle", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
                 outcome::failure},
             {"says nothing", "|", outcome::failure},
             {"stops in the header", "HTTP/1.1 200 OK\r\n|", outcome::failure},
             {"stops in the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc|", outcome::failure},
             {"hangs up", "", outcome::failure},
             {"not HTTP", "SSH-2.0-x\r\n\r\n", outcome::failure},
             {"an endless header", "HTTP/1.1 200 OK\r\nX: *", outcome::failure},
         }) {
        CAPTURE(r.name);
        asio::io_context io;
        scripted server(io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
            co_await scripted::header(s);
            char const last = r.answer.empty() ? ' ' : r.answer.back();
            bool const special = last == '|' || last == '*';
            (void)co_await net::wire::write(
                s, std::string_view(r.answer).substr(0, r.answer.size() - (special ? 1 : 0)));
            std::string const flood(4096, 'x');
            while (last == '*')
                if (co_await net::wire::write(s, flood))
                    co_return;
            if (last == '|')
                co_await scripted::header(s);
        });
        run(io, [&]() -> asio::awaitable<void> {
            net::http_prober const prober{
                .target = net::address::tcp("127.0.0.1", server.port()), .path = "/healthz"};
            auto const got = co_await prober.probe(r.answer.ends_with('|') ? duration(50ms) : duration(50s));
            CHECK(got.outcome == r.expected);
            CHECK(got.message.empty() ==
                (r.expected == outcome::success && r.name[0] != '3' && r.name[0] != 'r'));
            if (r.name == "redirect in a circle")
                CHECK(server.accepted == 11);
        }());
    }
}

TEST_CASE("net: an HTTP probe follows redirects on its host, with its headers")
{
    asio::io_context io;
    std::string seen;
    scripted server(io, [&](tcp::socket& s, int number) -> asio::awaitable<void> {
        co_await scripted::header(s, &seen);
        std::string const to = number == 1 ? "b?x=1#y" : number == 2 ? "http://my.host/c" : "";
        std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if (number < 3)
            text = "HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: " + to + "\r\n\r\n";
        (void)co_await net::wire::write(s, text);
    });
    run(io, [&]() -> asio::awaitable<void> {
        net::http_prober const prober{.target = net::address::tcp("127.0.0.1", server.port()),
            .path = "/a/a",
            .headers = {{"Host", "my.host"}, {"X-Key", "v"}}};
        CHECK((co_await prober.probe(50s)).outcome == outcome::success);
        CHECK(server.accepted == 3);
        CHECK(seen ==
            "GET /c HTTP/1.1\r\nHost: my.host\r\nX-Key: v\r\nUser-Agent: podium-probe\r\nAccept: "
            "*/*\r\nConnection: close\r\n\r\n");
        net::http_prober bad = prober;
        bad.headers = {{"X", "a\r\nY: b"}};
        CHECK((co_await bad.probe(50s)).outcome == outcome::error);
    }());
}

TEST_CASE("net: a TCP probe passes when somebody listens; an address that is none is our error")
{
    asio::io_context io;
    auto listening =
        std::make_unique<tcp::acceptor>(io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    auto const where = net::address::tcp("127.0.0.1", listening->local_endpoint().port());
    run(io, [&]() -> asio::awaitable<void> {
        net::tcp_prober const prober{where}, lost{net::address::tcp("nowhere", 1)};
        CHECK((co_await prober.probe(50s)).outcome == outcome::success);
        listening.reset();
        auto const refused = co_await prober.probe(50s);
        CHECK(refused.outcome == outcome::failure);
        CHECK(refused.message == "dial " + where.text() + ": Connection refused");
        CHECK((co_await lost.probe(50s)).outcome == outcome::error);
    }());
}

TEST_CASE("net: an exec probe goes by the exit code, and its group does not outlive it")
{
    struct row {
        std::string name;
        net::command what;
        outcome expected;
        std::string message;
    };
    for (auto const& r : std::vector<row>{
             {"true", shell("echo fine"), outcome::success, "fine\n"},
             {"false", shell("echo no >&2; exit 3"), outcome::failure, "no\n"},
             {"killed", shell("kill -SEGV $$"), outcome::failure, "command was killed by signal 11"},
             {"environment and folder", shell("echo $COLOUR; pwd"), outcome::success, "green\n/\n"},
             {"no such command", {.argv = {"/no/such"}}, outcome::failure,
                 "argv[0]: cannot execute /no/such: No such file or directory"},
             {"a descendant holds the output", shell("sleep 1000 & echo done"), outcome::success, "done\n"},
             {"nothing to run", {}, outcome::error, "argv: must name a command"},
         }) {
        CAPTURE(r.name);
        asio::io_context io;
        auto const got = run(io, net::exec_prober{r.what}.probe(50s));
        CHECK(got.outcome == r.expected);
        CHECK(got.message == r.message);
    }
}
