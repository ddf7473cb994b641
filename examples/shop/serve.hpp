#pragma once
/// What the shop's two services share: settings from the environment, and an HTTP server on one thread.
///
/// The server ends the way a service behind a balancer should. On SIGTERM it takes no new connections, but
/// those that the kernel has already taken are served; a request that has begun to arrive is answered, with
/// `Connection: close`; idle connections are closed. When nothing is left to do `io.run()` returns.

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shop {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

using request = http::request<http::string_body>;
using response = http::response<http::string_body>;

/// Completion token: a coroutine gets {error_code, ...} and no exception.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

/// The variable's value, or `otherwise` when it is not set or empty.
inline std::string setting(char const* name, std::string otherwise = {})
{
    char const* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : otherwise;
}

/// A decimal number in [least, most]; anything else throws and names the variable.
template<class Number>
Number setting(char const* name, Number otherwise, Number least, Number most)
{
    auto const text = setting(name);
    if (text.empty())
        return otherwise;
    Number value{};
    auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size() || !(value >= least && value <= most))
        throw std::invalid_argument(std::string(name) + " must be a number from " + std::to_string(least) +
            " to " + std::to_string(most) + ", not \"" + text + '"');
    return value;
}

inline std::string_view view(beast::string_view s)
{
    return {s.data(), s.size()};
}

/// The path of a request, without its query.
inline std::string_view path(request const& r)
{
    auto const target = view(r.target());
    return target.substr(0, target.find('?'));
}

/// The value of `name` in the query, as it was sent; empty when there is none.
inline std::string_view query(request const& r, std::string_view name)
{
    auto rest = view(r.target());
    for (auto at = rest.find('?'); at != rest.npos; at = rest.find('&')) {
        rest.remove_prefix(at + 1);
        auto const pair = rest.substr(0, rest.find('&'));
        if (pair.starts_with(name) && pair.substr(name.size()).starts_with('='))
            return pair.substr(name.size() + 1);
    }
    return {};
}

inline response reply(http::status status, std::string body, char const* type = "text/plain")
{
    response r(status, 11);
    r.set(http::field::content_type, type);
    r.body() = std::move(body);
    return r;
}

class server {
public:
    /// Answers one request; may take its time. What it throws becomes a 500.
    using handler = std::function<asio::awaitable<response>(request const&)>;

    server(asio::io_context& io, handler answer)
        : io_(io),
          acceptor_(io),
          signals_(io),
          answer_(std::move(answer))
    {
        signals_.add(SIGTERM);
        signals_.add(SIGINT);
        signals_.async_wait([this](error_code ec, int) {
            if (!ec)
                stop();
        });
    }

    /// Throws when the address cannot be had.
    void listen(std::string const& ip, std::uint16_t port)
    {
        try {
            tcp::endpoint const where(asio::ip::make_address(ip), port);
            acceptor_.open(where.protocol());
            acceptor_.set_option(tcp::acceptor::reuse_address(true));
            acceptor_.bind(where);
            acceptor_.listen();
        } catch (boost::system::system_error const& e) {
            throw std::runtime_error(
                "cannot listen on " + ip + ':' + std::to_string(port) + ": " + e.code().message());
        }
        acceptor_.non_blocking(true);
        asio::co_spawn(io_, accept(), asio::detached);
    }

    [[nodiscard]] bool stopping() const { return stopping_; }

    /// Called once, when the end begins.
    std::function<void()> on_stop = [] {};

    void stop()
    {
        if (std::exchange(stopping_, true))
            return;
        error_code ec;
        signals_.cancel(ec);
        while (acceptor_.is_open()) {  // what the kernel has taken for us would be reset otherwise
            auto taken = acceptor_.accept(ec);
            if (ec)
                acceptor_.close(ec);
            else
                asio::co_spawn(io_, session(beast::tcp_stream(std::move(taken))), asio::detached);
        }
        for (auto* stream : std::vector(reading_.begin(), reading_.end()))
            stream->cancel();
        on_stop();
    }

private:
    asio::awaitable<void> accept()
    {
        while (!stopping_) {
            auto [ec, socket] = co_await acceptor_.async_accept(as_result);
            if (!ec)
                asio::co_spawn(io_, session(beast::tcp_stream(std::move(socket))), asio::detached);
            else if (!stopping_)  // out of descriptors, most likely: others may end
                co_await asio::steady_timer(io_, 10ms).async_wait(as_result);
        }
    }

    asio::awaitable<void> session(beast::tcp_stream stream)
    {
        error_code ec, ignored;
        stream.socket().set_option(tcp::no_delay(true), ignored);
        beast::flat_buffer buffer;
        for (bool open = true; open;) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(64 * 1024);
            if (stopping_)
                stream.expires_after(250ms);
            reading_.insert(&stream);
            ec = std::get<0>(co_await http::async_read(stream, buffer, parser, as_result));
            if (ec == asio::error::operation_aborted && stopping_ &&
                (parser.got_some() || stream.socket().available(ignored) > 0)) {
                stream.expires_after(1s);
                ec = std::get<0>(co_await http::async_read(stream, buffer, parser, as_result));
            }
            reading_.erase(&stream);
            if (ec)
                break;
            stream.expires_never();

            auto asked = parser.release();
            auto answer = co_await answered(asked);
            answer.version(asked.version());
            answer.keep_alive(open = asked.keep_alive() && !stopping_);
            answer.content_length(answer.body().size());
            if (asked.method() == http::verb::head)
                answer.body().clear();
            stream.expires_after(30s);
            ec = std::get<0>(co_await http::async_write(stream, answer, as_result));
            open = open && !ec;
            stream.expires_never();
        }
        stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    }

    asio::awaitable<response> answered(request const& asked)
    {
        try {
            co_return co_await answer_(asked);
        } catch (std::exception const& e) {
            co_return reply(http::status::internal_server_error, std::string(e.what()) + '\n');
        }
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    asio::signal_set signals_;
    handler answer_;
    std::set<beast::tcp_stream*> reading_{};
    bool stopping_ = false;
};

}  // namespace shop
