#pragma once
/// An HTTP client for one request at a time, over TCP or a unix socket: `http_call`; and for an answer that
/// comes line by line and may never end, as a watch does: `http_lines`.
///
/// Each call has a connection of its own and one deadline for everything. For keep-alive and balancing there
/// is the proxy. Both run where the caller spawned them, are cancelled by his slot, and own nothing beyond
/// the call.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/net/address.hpp>
#include <podium/net/http_wire.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace podium::inline v0::net {

struct http_call_options {
    duration deadline = std::chrono::seconds(10);  ///< from connecting to the last byte
    std::uint32_t header_limit_bytes = 32 * 1024;
    std::uint64_t body_limit_bytes = 16 * 1024 * 1024;
};

namespace detail {

using stream_socket = asio::generic::stream_protocol::socket;

/// The request as text, or `invalid` where its parts would not stay what they are: a target with a blank, a
/// field with an end of line.
[[nodiscard]] inline result<std::string> serialized(http_request const& request, address const& where)
{
    auto const control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; };
    auto const target = wire::view(request.target());
    if (target.empty() || std::ranges::any_of(target, [&](char c) { return control(c) || c == ' '; }))
        return error{errc::invalid, "must not be empty or have blanks or control characters", "target"};
    std::string out(wire::view(request.method_string()));
    out.append(" ").append(target).append(" HTTP/1.1\r\n");
    if (request.find(http::field::host) == request.end())
        out.append("Host: ").append(where.path.empty() ? where.text() : "localhost").append("\r\n");
    for (auto const& f : request) {
        if (f.name() == http::field::content_length || f.name() == http::field::transfer_encoding ||
            f.name() == http::field::connection)
            continue;
        if (std::ranges::any_of(wire::view(f.value()), control))
            return error{
                errc::invalid, "must not have control characters", std::string(wire::view(f.name_string()))};
        wire::append_field(out, wire::view(f.name_string()), wire::view(f.value()));
    }
    if (!request.body().empty() || request.method() == http::verb::post ||
        request.method() == http::verb::put || request.method() == http::verb::patch)
        wire::append_field(out, "Content-Length", std::to_string(request.body().size()));
    out.append("Connection: close\r\n\r\n").append(request.body());
    return out;
}

[[nodiscard]] inline error call_error(error_code ec, bool expired, bool sent, address const& where)
{
    if (expired)
        return {errc::deadline, where.text() + " did not answer in time"};
    if (ec == asio::error::operation_aborted)
        return {errc::cancelled, "the call was cancelled"};
    if (ec == http::error::body_limit || ec == http::error::header_limit ||
        ec == http::error::buffer_overflow)
        return {errc::exhausted, "the answer of " + where.text() + " is too large"};
    if (sent)
        return {errc::unknown_outcome, where.text() + " did not answer properly: " + ec.message()};
    return {errc::unavailable, "cannot connect to " + where.text() + ": " + ec.message()};
}

}  // namespace detail

/// Sends `request` (Host, Content-Length and Connection are filled in) and returns the answer, whatever its
/// status. Errors: `invalid` address or request, `unavailable` (nothing was sent), `deadline`, `exhausted` (a
/// limit), `unknown_outcome` (sent, no proper answer), `cancelled`. Redirects are the caller's.
[[nodiscard]] inline asio::awaitable<result<http_response>> http_call(
    address where, http_request request, http_call_options options = {})
{
    auto const target = endpoint_of(where);
    if (!target)
        co_return target.error();
    auto const text = detail::serialized(request, where);
    if (!text)
        co_return text.error();
    detail::stream_socket socket(co_await asio::this_coro::executor);
    deadline_guard guard(socket, std::chrono::steady_clock::now() + options.deadline);

    auto [ec] = co_await socket.async_connect(*target, as_result);
    if (ec)
        co_return detail::call_error(ec, guard.expired(), false, where);
    // A server may answer, and close, before it has read everything: then its answer counts, not our write.
    auto const unsent = co_await wire::write(socket, *text);

    beast::flat_buffer buffer(options.header_limit_bytes + wire::read_size);
    std::optional<http::response_parser<http::string_body>> parser;
    do {  // 100 Continue and the like: the answer is yet to come
        parser.emplace();
        parser->header_limit(options.header_limit_bytes);
        parser->body_limit(options.body_limit_bytes);
        parser->skip(request.method() == http::verb::head);
        ec = co_await wire::read_header(socket, buffer, *parser);
    } while (!ec && parser->get().result_int() / 100 == 1);
    parser->eager(true);
    while (!ec && !parser->is_done()) {
        if (buffer.size() != 0 && (!wire::feed(buffer, *parser, ec) || parser->is_done()))
            continue;
        ec = co_await wire::fill(socket, buffer, *parser);
    }
    if (ec)
        co_return detail::call_error(
            unsent && ec == http::error::end_of_stream ? unsent : ec, guard.expired(), true, where);
    co_return parser->release();
}

/// An answer that comes line by line.
class http_lines {
public:
    /// Sends the request and waits for the header; `options.deadline` bounds that, not the lines. Errors as
    /// `http_call`; `options.body_limit_bytes` bounds one line.
    [[nodiscard]] static asio::awaitable<result<http_lines>> open(
        address where, http_request request, http_call_options options = {})
    {
        auto const target = endpoint_of(where);
        if (!target)
            co_return target.error();
        auto const text = detail::serialized(request, where);
        if (!text)
            co_return text.error();
        http_lines made(std::make_unique<state>(co_await asio::this_coro::executor, where, options));
        auto& s = *made.state_;
        deadline_guard guard(s.socket, std::chrono::steady_clock::now() + options.deadline);
        auto [ec] = co_await s.socket.async_connect(*target, as_result);
        if (ec)
            co_return detail::call_error(ec, guard.expired(), false, where);
        if (ec = co_await wire::write(s.socket, *text); !ec)
            ec = co_await wire::read_header(s.socket, s.buffer, s.parser);
        if (ec)
            co_return detail::call_error(ec, guard.expired(), true, where);
        co_return made;
    }

    [[nodiscard]] unsigned status() const { return state_->parser.get().result_int(); }

    /// The next line without its '\n'; nothing when the answer is complete (a last line without an end
    /// counts). Waits as long as it takes: cancel through the caller's slot. Not to be called again after an
    /// error.
    [[nodiscard]] asio::awaitable<result<std::optional<std::string>>> next()
    {
        auto& s = *state_;
        for (;;) {
            if (auto const end = s.text.find('\n', s.searched); end != s.text.npos) {
                std::string line = s.text.substr(0, end);
                s.text.erase(0, end + 1);
                s.searched = 0;
                co_return std::optional(std::move(line));
            }
            s.searched = s.text.size();
            if (s.text.size() > s.line_limit)
                co_return error{errc::exhausted, "a line of " + s.where.text() + " is too long"};
            if (s.parser.is_done()) {
                s.searched = 0;
                if (s.text.empty())
                    co_return std::optional<std::string>{};
                co_return std::optional(std::exchange(s.text, {}));
            }
            char part[4096];
            error_code ec;
            auto const n = co_await wire::read_body(s.socket, s.buffer, s.parser, part, sizeof part, ec);
            if (ec)
                co_return detail::call_error(ec, false, true, s.where);
            s.text.append(part, n);
        }
    }

private:
    struct state {
        state(asio::any_io_executor ex, address w, http_call_options const& options)
            : socket(std::move(ex)),
              where(std::move(w)),
              line_limit(options.body_limit_bytes),
              buffer(options.header_limit_bytes + wire::read_size)
        {
            parser.header_limit(options.header_limit_bytes);
            parser.body_limit(boost::none);
        }
        detail::stream_socket socket;
        address where;
        std::uint64_t line_limit;
        beast::flat_buffer buffer;
        http::response_parser<http::buffer_body> parser;
        std::string text{};
        std::size_t searched = 0;
    };
    explicit http_lines(std::unique_ptr<state> s) : state_(std::move(s)) {}
    std::unique_ptr<state> state_;
};

}  // namespace podium::v0::net
