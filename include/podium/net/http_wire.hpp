#pragma once
/// HTTP/1.1 on the wire: Beast's parsers driven by hand, and heads and chunks written by hand.
///
/// Driven by hand because then a read that finds its bytes in the buffer costs no turn of the event loop, and
/// because every wait is one plain Asio operation that can be cancelled. Beast's strictness stays.
///
/// `hostile` names what Beast lets through and RFC 9112 calls ambiguous (6.3, 3.2, 11.2).

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace podium::inline v0::net {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

using http_request = http::request<http::string_body>;
using http_response = http::response<http::string_body>;

/// Completion token: a coroutine gets {error_code, ...} and no exception.
inline constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

namespace wire {

inline constexpr std::size_t read_size = 16 * 1024;

[[nodiscard]] inline std::string_view view(beast::string_view s) noexcept
{
    return {s.data(), s.size()};
}

/// What has arrived of the message's header and, with `eager`, of its body is taken from the buffer. True
/// when no more can be done without reading.
template<class Parser>
[[nodiscard]] bool feed(beast::flat_buffer& buffer, Parser& parser, error_code& ec)
{
    ec = {};
    buffer.consume(parser.put(buffer.data(), ec));
    if (ec != http::error::need_more)
        return false;
    ec = {};
    return true;
}

/// Reads more bytes into the buffer. The end of the stream becomes an answer of the parser's: none for a body
/// that ends there, `end_of_stream` before the first byte, `partial_message` after it.
template<class Socket, class Parser>
[[nodiscard]] asio::awaitable<error_code> fill(Socket& socket, beast::flat_buffer& buffer, Parser& parser)
{
    auto const room = buffer.max_size() - buffer.size();
    if (room == 0)
        co_return error_code(http::error::buffer_overflow);
    auto [ec, n] = co_await socket.async_read_some(buffer.prepare(std::min(room, read_size)), as_result);
    if (ec == asio::error::eof) {
        if (!parser.got_some())
            co_return error_code(http::error::end_of_stream);
        parser.put_eof(ec);
        co_return ec;
    }
    buffer.commit(n);
    co_return ec;
}

/// Reads until the header is complete; the rest stays in the buffer. `begun()` is called once, when the first
/// byte is there.
template<class Socket, class Parser, class Begun>
[[nodiscard]] asio::awaitable<error_code> read_header(
    Socket& socket, beast::flat_buffer& buffer, Parser& parser, Begun begun)
{
    bool told = false;
    for (error_code ec;;) {
        if (buffer.size() != 0) {
            if (!std::exchange(told, true))
                begun();
            bool const starved = feed(buffer, parser, ec);
            if (parser.is_header_done() || ec)
                co_return ec;
            if (!starved)
                continue;
        }
        if (ec = co_await fill(socket, buffer, parser); ec)
            co_return ec;
        if (parser.is_done())
            co_return error_code{};
    }
}

template<class Socket, class Parser>
[[nodiscard]] asio::awaitable<error_code> read_header(
    Socket& socket, beast::flat_buffer& buffer, Parser& parser)
{
    return read_header(socket, buffer, parser, [] {});
}

/// Decodes body bytes that are in the buffer already; returns how many of `out` were filled.
template<bool IsRequest>
[[nodiscard]] std::size_t take_body(beast::flat_buffer& buffer,
    http::parser<IsRequest, http::buffer_body>& parser, char* out, std::size_t size, error_code& ec)
{
    ec = {};
    parser.eager(true);
    auto& body = parser.get().body();
    body.data = out;
    body.size = size;
    body.more = true;
    while (!parser.is_done() && buffer.size() != 0 && body.size != 0)
        if (feed(buffer, parser, ec) || ec)
            break;
    if (ec == http::error::need_buffer)
        ec = {};
    return size - body.size;
}

/// Waits for body bytes: at least one, or the end (`parser.is_done()`), or an error. Bytes that came before
/// an error are given first.
template<class Socket, bool IsRequest>
[[nodiscard]] asio::awaitable<std::size_t> read_body(Socket& socket, beast::flat_buffer& buffer,
    http::parser<IsRequest, http::buffer_body>& parser, char* out, std::size_t size, error_code& ec)
{
    for (;;) {
        auto const n = take_body(buffer, parser, out, size, ec);
        if (n != 0 || ec || parser.is_done())
            co_return n;
        if (ec = co_await fill(socket, buffer, parser); ec)
            co_return 0;
    }
}

/// What of `bytes` the system takes at once. An error shows as 0, and to whoever then writes on.
template<class Socket>
[[nodiscard]] std::size_t write_now(Socket& socket, std::string_view bytes) noexcept
{
    auto const n = ::send(socket.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? 0 : static_cast<std::size_t>(n);
}

/// Writes all of `bytes`; `written` counts what the system took.
template<class Socket>
[[nodiscard]] asio::awaitable<error_code> write(Socket& socket, std::string_view bytes, std::size_t& written)
{
    written = 0;
    while (written < bytes.size()) {
        auto [ec, n] = co_await socket.async_write_some(
            asio::buffer(bytes.data() + written, bytes.size() - written), as_result);
        written += n;
        if (ec)
            co_return ec;
    }
    co_return error_code{};
}

template<class Socket>
[[nodiscard]] asio::awaitable<error_code> write(Socket& socket, std::string_view bytes)
{
    std::size_t written = 0;
    co_return co_await write(socket, bytes, written);
}

inline void append_field(std::string& out, std::string_view name, std::string_view value)
{
    out.append(name).append(": ").append(value).append("\r\n");
}

/// Appends `bytes`, not empty, as one chunk.
inline void append_chunk(std::string& out, std::string_view bytes)
{
    constexpr std::string_view digits = "0123456789abcdef";
    char hex[16];
    std::size_t at = sizeof hex;
    for (auto n = bytes.size(); n != 0; n >>= 4)
        hex[--at] = digits[n & 15];
    out.append(hex + at, sizeof hex - at).append("\r\n").append(bytes).append("\r\n");
}
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

/// Why a request that Beast parsed must be refused all the same; nullptr: it is fine.
[[nodiscard]] inline char const* hostile(http::fields const& fields, unsigned version)
{
    if (version >= 11 && fields.count(http::field::host) != 1)
        return "exactly one Host is needed";
    if (fields.count(http::field::host) > 1)
        return "more than one Host";
    if (fields.count(http::field::content_length) > 1)
        return "more than one Content-Length";
    if (view(fields[http::field::content_length]).find_first_not_of("0123456789") != std::string_view::npos)
        return "Content-Length must be one number";
    auto const encodings = fields.count(http::field::transfer_encoding);
    if (encodings > 1 || (encodings == 1 && fields.count(http::field::content_length) != 0))
        return "ambiguous length";
    if (encodings == 1 &&
        (version < 11 || !beast::iequals(fields[http::field::transfer_encoding], "chunked")))
        return "Transfer-Encoding must be chunked";
    return nullptr;
}

/// The status that answers a request that could not be read.
[[nodiscard]] inline unsigned status_of(error_code ec) noexcept
{
    if (ec == http::error::header_limit || ec == http::error::buffer_overflow)
        return 431;
    if (ec == http::error::body_limit)
        return 413;
    return 400;
}

/// Says goodbye so that a client that is still sending can read the answer: our end is closed, what comes is
/// dropped for a moment. The caller bounds the time.
template<class Socket>
[[nodiscard]] asio::awaitable<void> linger(Socket& socket, std::size_t drop_bytes = 1 << 20)
{
    error_code ignored;
    socket.shutdown(asio::socket_base::shutdown_send, ignored);
    char dropped[4096];
    for (std::size_t sum = 0; sum < drop_bytes;) {
        auto const [ec, n] = co_await socket.async_read_some(asio::buffer(dropped), as_result);
        if (ec)
            break;
        sum += n;
    }
    socket.close(ignored);
}

}  // namespace wire

/// Closes a socket at a time, unless it is destroyed before. One timer for any number of operations.
template<class Socket>
class deadline_guard {
public:
    deadline_guard(Socket& socket, std::chrono::steady_clock::time_point at)
        : timer_(socket.get_executor(), at),
          socket_(&socket)
    {
        arm();
    }
    deadline_guard(deadline_guard const&) = delete;
    deadline_guard& operator=(deadline_guard const&) = delete;
    ~deadline_guard() { *alive_ = false; }

    [[nodiscard]] bool expired() const noexcept { return expired_; }

    /// Another time instead.
    void move_to(std::chrono::steady_clock::time_point at)
    {
        timer_.expires_at(at);
        arm();
    }

private:
    void arm()
    {
        timer_.async_wait([this, alive = alive_](error_code ec) {
            if (!*alive || ec || timer_.expiry() > std::chrono::steady_clock::now())
                return;
            expired_ = true;
            socket_->close(ec);
        });
    }

    asio::steady_timer timer_;
    Socket* socket_;
    bool expired_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace podium::v0::net
