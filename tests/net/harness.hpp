#pragma once
/// What the tests of this room share: running a coroutine to its end, a raw client, and scripted endpoints.

#include <podium/net.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/beast/http/parser.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium_net_tests {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using namespace podium;
using namespace std::chrono_literals;
using tcp = asio::ip::tcp;

/// Runs until `work` has ended; everything else on the context runs along.
template<class T>
T run(asio::io_context& io, asio::awaitable<T> work)
{
    using held = std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>>;
    held value{};
    bool done = false;
    std::exception_ptr thrown;
    auto const wrap = [&](asio::awaitable<T> inner) -> asio::awaitable<void> {
        if constexpr (std::is_void_v<T>)
            co_await std::move(inner);
        else
            value = co_await std::move(inner);
    };
    asio::co_spawn(io, wrap(std::move(work)), [&](std::exception_ptr e) {
        thrown = e;
        done = true;
    });
    io.restart();
    auto const until = std::chrono::steady_clock::now() + 60s;
    while (!done && std::chrono::steady_clock::now() < until)
        io.run_one_for(100ms);
    REQUIRE_MESSAGE(done, "still not done after 60 s");
    if (thrown)
        std::rethrow_exception(thrown);
    if constexpr (!std::is_void_v<T>)
        return std::move(*value);
}

inline asio::awaitable<void> pause_for(duration d)
{
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::steady_clock::now() + d);
    co_await timer.async_wait(net::as_result);
}

/// Waits for something that will be true soon.
inline asio::awaitable<bool> soon(std::function<bool()> claim, duration within = 30s)
{
    auto const until = std::chrono::steady_clock::now() + within;
    while (!claim()) {
        if (std::chrono::steady_clock::now() > until)
            co_return false;
        co_await pause_for(2ms);
    }
    co_return true;
}

/// A client that sends exactly what it is told.
struct raw_client {
    tcp::socket socket;
    boost::beast::flat_buffer buffer{1 << 20};
    bool ended = false;

    explicit raw_client(asio::io_context& io, std::uint16_t port, char const* ip = "127.0.0.1") : socket(io)
    {
        socket.connect({asio::ip::make_address(ip), port});
    }
    asio::awaitable<void> send(std::string text) { (void)co_await net::wire::write(socket, text); }

    /// The next final answer with its body; status 0 when the connection ended instead or the answer was cut
    /// off.
    struct answer {
        unsigned status = 0;
        std::string body{};
        bool keep_alive = false;
        http::response<http::string_body> message{};
        int informational = 0;
    };
    asio::awaitable<answer> receive(bool head_only = false)
    {
        answer out;
        for (;;) {
            http::response_parser<http::string_body> parser;
            parser.body_limit(boost::none);
            parser.skip(head_only);
            parser.eager(true);
            net::error_code ec;
            while (!parser.is_done()) {
                if (buffer.size() != 0 && (!net::wire::feed(buffer, parser, ec) || parser.is_done()) && !ec)
                    continue;
                if (!ec)
                    ec = co_await net::wire::fill(socket, buffer, parser);
                ended = static_cast<bool>(ec);
                if (ended)
                    co_return answer{};
            }
            if (parser.get().result_int() / 100 == 1) {
                ++out.informational;
                continue;
            }
            out.status = parser.get().result_int();
            out.keep_alive = parser.keep_alive();
            out.message = parser.release();
            out.body = out.message.body();
            co_return out;
        }
    }
    asio::awaitable<answer> call(std::string text, bool head_only = false)
    {
        co_await send(std::move(text));
        co_return co_await receive(head_only);
    }
    /// Whether the other side has closed; what it still says is dropped.
    asio::awaitable<bool> closed()
    {
        char dropped[4096];
        while (!ended) {  // a second read after the end would wait for ever

            auto [ec, n] = co_await socket.async_read_some(asio::buffer(dropped), net::as_result);
            ended = static_cast<bool>(ec);
        }
        co_return true;
    }
};

inline std::string get(std::string const& target = "/", std::string const& more = {})
{
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + more + "\r\n";
}

/// Listens, and lets a script speak on each connection.
struct scripted {
    using script = std::function<asio::awaitable<void>(tcp::socket&, int)>;
    tcp::acceptor acceptor;
    int accepted = 0;

    scripted(asio::io_context& io, script speak) : acceptor(io, {asio::ip::make_address("127.0.0.1"), 0})
    {
        asio::co_spawn(io, loop(*this, std::move(speak)), asio::detached);
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor.local_endpoint().port(); }

    static asio::awaitable<void> loop(scripted& self, script speak)
    {
        auto const executor = co_await asio::this_coro::executor;
        for (;;) {
            auto [ec, s] = co_await self.acceptor.async_accept(net::as_result);
            if (ec)
                co_return;
            asio::co_spawn(executor, one(std::move(s), speak, ++self.accepted), asio::detached);
        }
    }
    static asio::awaitable<void> one(tcp::socket s, script speak, int number) { co_await speak(s, number); }

    /// Reads until the end of a header; false: the connection ended.
    static asio::awaitable<bool> header(tcp::socket& s, std::string* text = nullptr)
    {
        std::string all;
        char c;
        while (!all.ends_with("\r\n\r\n")) {
            auto [ec, n] = co_await s.async_read_some(asio::buffer(&c, 1), net::as_result);
            if (ec)
                co_return false;
            all += c;
        }
        if (text)
            *text = all;
        co_return true;
    }
};

}  // namespace podium_net_tests
