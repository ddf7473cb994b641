#include "harness.hpp"

#include <podium/net/http_client.hpp>

namespace {

using namespace podium_net_tests;

net::http_request get_request(std::string const& target = "/")
{
    return {http::verb::get, target, 11};
}

}  // namespace

TEST_CASE("net: what goes wrong with a call tells the caller what to do")
{
    struct row {
        std::string name, answer;
        errc code;
    };
    for (auto const& r : std::vector<row>{
             {"says nothing and hangs up", "", errc::unknown_outcome},
             {"is cut off", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", errc::unknown_outcome},
             {"is not HTTP", "hello there\r\n\r\n", errc::unknown_outcome},
             {"is too large", "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + std::string(2000, 'x'),
                 errc::exhausted},
             {"has a huge header", "HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x'), errc::exhausted},
             {"hangs", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc|", errc::deadline},
         }) {
        CAPTURE(r.name);
        asio::io_context io;
        scripted server(io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
            co_await scripted::header(s);
            bool const hang = r.answer.ends_with('|');
            (void)co_await net::wire::write(
                s, std::string_view(r.answer).substr(0, r.answer.size() - (hang ? 1 : 0)));
            if (hang)
                co_await scripted::header(s);
        });
        run(io, [&]() -> asio::awaitable<void> {
            auto const got =
                co_await net::http_call(net::address::tcp("127.0.0.1", server.port()), get_request(),
                    {.deadline = r.code == errc::deadline ? duration(50ms) : duration(50s),
                        .body_limit_bytes = 1000});
            REQUIRE_FALSE(got);
            CHECK(got.error().code == r.code);
        }());
    }
}

TEST_CASE("net: a call that cannot begin says so")
{
    asio::io_context io;
    std::uint16_t free_port = 0;
    {
        tcp::acceptor a(io, {asio::ip::make_address("127.0.0.1"), 0});
        free_port = a.local_endpoint().port();
    }
    run(io, [&]() -> asio::awaitable<void> {
        auto const where = net::address::tcp("127.0.0.1", free_port);
        auto const refused = co_await net::http_call(where, get_request());
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == errc::unavailable);
        CHECK(refused.error().message == "cannot connect to " + where.text() + ": Connection refused");
        CHECK((co_await net::http_call(net::address::tcp("localhost", 1), get_request())).error().code ==
            errc::invalid);
        CHECK((co_await net::http_call(net::address::unix_socket(std::string(200, 'x')), get_request()))
                  .error()
                  .code == errc::invalid);
        CHECK((co_await net::http_call(where, get_request("/a b"))).error().path == "target");
        auto injected = get_request();
        injected.set("X-A", "b\r\nX-C: d");
        CHECK((co_await net::http_call(where, injected)).error().code == errc::invalid);
        CHECK_FALSE(co_await net::http_lines::open(where, get_request()));
    }());
}

TEST_CASE("net: interim answers are skipped, and an early answer counts though the body was not read")
{
    asio::io_context io;
    scripted server(io, [](tcp::socket& s, int number) -> asio::awaitable<void> {
        co_await scripted::header(s);
        if (number == 1)
            (void)co_await net::wire::write(
                s, std::string_view("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end"));
        else
            (void)co_await net::wire::write(
                s, std::string_view("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"));
        if (number == 2) {
            s.shutdown(tcp::socket::shutdown_send);
            char dropped[4096];
            for (std::size_t sum = 0; sum < 4u << 20;) {
                auto [ec, n] = co_await s.async_read_some(asio::buffer(dropped), net::as_result);
                if (ec)
                    break;
                sum += n;
            }
        }
    });
    run(io, [&]() -> asio::awaitable<void> {
        auto const where = net::address::tcp("127.0.0.1", server.port());
        CHECK((co_await net::http_call(where, get_request())).value().body() == "until the end");
        net::http_request big(http::verb::post, "/", 11);
        big.body().assign(4 << 20, 'x');
        CHECK((co_await net::http_call(where, big)).value().result_int() == 413);
    }());
}

TEST_CASE("net: a line that never ends is an error, not all of memory")
{
    asio::io_context io;
    scripted server(io, [](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        (void)co_await net::wire::write(s, std::string_view("HTTP/1.1 200 OK\r\n\r\n"));
        std::string const piece(4096, 'x');
        while (!co_await net::wire::write(s, piece)) {
        }
    });
    run(io, [&]() -> asio::awaitable<void> {
        auto lines = co_await net::http_lines::open(
            net::address::tcp("127.0.0.1", server.port()), get_request(), {.body_limit_bytes = 10'000});
        REQUIRE(lines);
        CHECK((co_await lines->next()).error().code == errc::exhausted);
    }());
}
