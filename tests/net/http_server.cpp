#include "harness.hpp"

#include <podium/net/http_server.hpp>

#include <cstdlib>
#include <sys/stat.h>

namespace {

using namespace podium_net_tests;

struct temporary_folder {
    std::string path;
    temporary_folder()
    {
        char name[] = "/tmp/podium-net-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~temporary_folder() { ::rmdir(path.c_str()); }
};

asio::awaitable<net::http_answer> hello(net::http_request request)
{
    if (request.target() == "/throw")
        throw std::runtime_error("secret");
    if (request.target() == "/empty") {
        net::http_response none;
        none.result(204);
        co_return none;
    }
    co_return net::answer(200,
        std::string(request.method_string()) + ' ' + std::string(request.target()) + ' ' + request.body());
}

net::http_request request(http::verb method, char const* target, std::string body = {})
{
    net::http_request made(method, target, 11);
    made.body() = std::move(body);
    return made;
}

}  // namespace

TEST_CASE("net: a handler serves TCP and unix sockets, and the client calls both")
{
    asio::io_context io;
    temporary_folder folder;
    net::http_server server(io.get_executor(), hello);
    auto const tcp_at = server.listen(net::address::tcp("127.0.0.1", 0)).value();
    auto const unix_at = server.listen(net::address::unix_socket(folder.path + "/s")).value();
    struct stat seen{};
    REQUIRE(::stat(unix_at.path.c_str(), &seen) == 0);
    CHECK((seen.st_mode & 0777) == 0600);
    run(io, [&]() -> asio::awaitable<void> {
        for (auto const& where : {tcp_at, unix_at}) {
            CAPTURE(where.text());
            auto const got = co_await net::http_call(where, request(http::verb::put, "/a?b", "body"));
            REQUIRE(got);
            CHECK(got->result_int() == 200);
            CHECK(got->body() == "PUT /a?b body");
            auto const head = co_await net::http_call(where, request(http::verb::head, "/"));
            REQUIRE(head);
            CHECK((*head)[http::field::content_length] == "7");
            CHECK(head->body().empty());
            auto const thrown = co_await net::http_call(where, request(http::verb::get, "/throw"));
            REQUIRE(thrown);
            CHECK(thrown->result_int() == 500);
            CHECK(thrown->body() == "internal error\n");
            auto const none = co_await net::http_call(where, request(http::verb::get, "/empty"));
            REQUIRE(none);
            CHECK(none->result_int() == 204);
        }
        co_await server.stop(1s);
    }());
    CHECK(::stat(unix_at.path.c_str(), &seen) != 0);
}

TEST_CASE("net: a socket file left over from a crash is replaced, one in use is not")
{
    asio::io_context io;
    temporary_folder folder;
    auto const where = net::address::unix_socket(folder.path + "/s");
    {
        asio::local::stream_protocol::acceptor crashed(
            io, asio::local::stream_protocol::endpoint(where.path));
    }
    net::http_server server(io.get_executor(), hello);
    REQUIRE(server.listen(where));
    net::http_server second(io.get_executor(), hello);
    auto const refused = second.listen(where);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "cannot listen on " + where.path + ": somebody else listens there");
    auto const tcp_at = server.listen(net::address::tcp("127.0.0.1", 0)).value();
    auto const in_use = second.listen(tcp_at);
    REQUIRE_FALSE(in_use);
    CHECK(in_use.error().message == "cannot listen on " + tcp_at.text() + ": Address already in use");
}

TEST_CASE("net: the server keeps its limits")
{
    asio::io_context io;
    net::http_server server(io.get_executor(), hello,
        {.header_limit_bytes = 2048,
            .body_limit_bytes = 100,
            .header_deadline = 50ms,
            .idle_deadline = 100ms});
    auto const port = server.listen(net::address::tcp("127.0.0.1", 0)).value().port;
    struct row {
        std::string name, text;
        unsigned status;
    };
    for (auto const& r : std::vector<row>{
             {"fine", get(), 200},
             {"huge header", get("/", "X: " + std::string(5000, 'x') + "\r\n"), 431},
             {"huge body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 101\r\n\r\n", 413},
             {"huge chunked body",
                 "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n80\r\n" +
                     std::string(128, 'x') + "\r\n0\r\n\r\n",
                 413},
             {"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
                 400},
             {"not HTTP", "hello\r\n\r\n", 400},
             {"a header that never ends", "GET / HT", 0},
             {"nothing at all", "", 0},
         }) {
        CAPTURE(r.name);
        run(io, [&]() -> asio::awaitable<void> {
            raw_client client(io, port);
            CHECK((co_await client.call(r.text)).status == r.status);
            CHECK(co_await client.closed());
        }());
    }
}

TEST_CASE("net: a watch streams lines as they come, ends, or is cancelled when the client goes")
{
    asio::io_context io;
    bool open = false;
    int streams = 0;
    net::http_server server(
        io.get_executor(), [&](net::http_request request) -> asio::awaitable<net::http_answer> {
            bool const forever = request.target() == "/forever";
            co_return net::http_answer(
                net::answer(200, ""), [&, forever](net::http_stream& out) -> asio::awaitable<void> {
                    ++streams;
                    struct leave {
                        int& n;
                        ~leave() { --n; }
                    } const leave_at_end{streams};
                    (void)co_await out.write("one\ntw");
                    co_await soon([&] { return open; });
                    (void)co_await out.write("o\r\n\nlast");
                    if (forever) {
                        asio::steady_timer endless(
                            co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max());
                        co_await endless.async_wait(asio::use_awaitable);
                    }
                });
        });
    auto const where = server.listen(net::address::tcp("127.0.0.1", 0)).value();
    run(io, [&]() -> asio::awaitable<void> {
        auto lines = co_await net::http_lines::open(where, request(http::verb::get, "/"));
        REQUIRE(lines);
        CHECK(lines->status() == 200);
        CHECK((co_await lines->next()).value() == "one");
        open = true;
        CHECK((co_await lines->next()).value() == "two\r");  // bytes are kept: logs are such lines
        CHECK((co_await lines->next()).value() == "");
        CHECK((co_await lines->next()).value() == "last");
        CHECK_FALSE((co_await lines->next()).value().has_value());

        {
            auto gone = co_await net::http_lines::open(where, request(http::verb::get, "/forever"));
            REQUIRE(gone);
            CHECK((co_await gone->next()).value() == "one");
            CHECK(streams == 1);
        }
        CHECK(co_await soon([&] { return streams == 0; }));

        auto cut = co_await net::http_lines::open(where, request(http::verb::get, "/forever"));
        REQUIRE(cut);
        CHECK((co_await cut->next()).value() == "one");
        co_await server.stop(30s);  // does not wait for streams
        CHECK_FALSE(co_await cut->next());
    }());
    CHECK(streams == 0);
}

TEST_CASE("net: a waiting watch is cancelled through the caller's slot")
{
    asio::io_context io;
    scripted silent(io, [](tcp::socket& s, int) -> asio::awaitable<void> {
        co_await scripted::header(s);
        (void)co_await net::wire::write(
            s, std::string_view("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
        co_await scripted::header(s);
    });
    run(io, [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto lines = co_await net::http_lines::open(
            net::address::tcp("127.0.0.1", silent.port()), request(http::verb::get, "/"));
        REQUIRE(lines);
        auto const won = co_await (lines->next() || pause_for(10ms));
        CHECK(won.index() == 1);
    }());
}

TEST_CASE("net: stopping lets a request under way finish")
{
    asio::io_context io;
    bool begun = false;
    net::http_server server(io.get_executor(), [&](net::http_request) -> asio::awaitable<net::http_answer> {
        begun = true;
        co_await pause_for(30ms);
        co_return net::answer(200, "done");
    });
    auto const port = server.listen(net::address::tcp("127.0.0.1", 0)).value().port;
    run(io, [&]() -> asio::awaitable<void> {
        raw_client busy(io, port), idle(io, port);
        co_await busy.send(get());
        CHECK(co_await soon([&] { return begun; }));
        co_await server.stop(30s);
        auto const got = co_await busy.receive();
        CHECK(got.body == "done");
        CHECK_FALSE(got.keep_alive);
        CHECK(co_await idle.closed());
    }());
}
