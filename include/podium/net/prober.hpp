#pragma once
/// Probers: one probe of one container by TCP, HTTP or a command, within one deadline for everything.
///
/// A probe that hangs, drips a byte a second or floods us is a failure like any other, at the deadline. What
/// the prober itself cannot do (no descriptor left, a broken address) is an error and says nothing about the
/// container. When to probe and what it amounts to is the probe room's business.
///
/// Source: HTTP 200-399 passes, at most 10 redirects, 10 KiB of body: Kubernetes v1.35.4,
/// pkg/probe/http/http.go. Not followed: a redirect to another host, which there passes with a warning; here
/// the redirect itself is the answer, and passes too.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/net/address.hpp>
#include <podium/net/command.hpp>
#include <podium/net/http_wire.hpp>
#include <podium/probe/policy.hpp>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::net {

/// What one probe came to, and words for the event of a failure.
struct probe_answer {
    probe::outcome outcome = probe::outcome::error;
    std::string message{};

    friend bool operator==(probe_answer const&, probe_answer const&) = default;
};

/// Something that probes.
///
/// - `probe(timeout)`: runs one probe and answers within `timeout`, whatever the other side does. Several may
/// run at
///   once. Cancelling ends it soon; its answer is an error then.
template<class P>
concept Prober = requires(P const& p, duration timeout) {
    { p.probe(timeout) } -> std::same_as<asio::awaitable<probe_answer>>;
};

/// Passes when a connection is accepted.
struct tcp_prober {
    address target{};
    [[nodiscard]] asio::awaitable<probe_answer> probe(duration timeout) const;
};

/// Passes when GET answers with a status of 200 to 399.
struct http_prober {
    static constexpr std::size_t body_limit_bytes = 10 * 1024;
    static constexpr int max_redirects = 10;

    address target{};
    std::string path = "/";
    std::vector<std::pair<std::string, std::string>> headers{};  ///< a Host among them replaces ours
    [[nodiscard]] asio::awaitable<probe_answer> probe(duration timeout) const;
};

/// Passes when the command ends with 0. Its group is killed at the deadline.
struct exec_prober {
    command what{};
    [[nodiscard]] asio::awaitable<probe_answer> probe(duration timeout) const;
};

namespace detail {

using probe_socket = asio::generic::stream_protocol::socket;

/// Connecting failed: is that the target's fault or ours?
[[nodiscard]] inline probe_answer not_connected(error_code ec, bool expired, address const& target)
{
    if (expired)
        return {probe::outcome::failure, "dial " + target.text() + ": timed out"};
    bool const ours = ec == asio::error::operation_aborted || ec == asio::error::no_descriptors ||
        ec == asio::error::no_memory || ec == asio::error::no_buffer_space ||
        ec == boost::system::errc::address_not_available ||
        ec == boost::system::errc::too_many_files_open_in_system;
    return {ours ? probe::outcome::error : probe::outcome::failure,
        "dial " + target.text() + ": " + ec.message()};
}

/// One GET: its status and where it redirects to; or what the probe came to.
struct got {
    unsigned status = 0;
    std::string location{};
};

[[nodiscard]] inline asio::awaitable<std::optional<got>> get(http_prober const& p, std::string const& path,
    std::chrono::steady_clock::time_point deadline, probe_answer& failed)
{
    failed = {probe::outcome::error, {}};
    auto const endpoint = endpoint_of(p.target);
    if (!endpoint) {
        failed.message = endpoint.error().text();
        co_return std::nullopt;
    }
    probe_socket socket(co_await asio::this_coro::executor);
    deadline_guard guard(socket, deadline);
    auto [ec] = co_await socket.async_connect(*endpoint, as_result);
    if (ec) {
        failed = not_connected(ec, guard.expired(), p.target);
        co_return std::nullopt;
    }
    std::string text = "GET " + path + " HTTP/1.1\r\n";
    bool named = false, agent = false;
    for (auto const& [name, value] : p.headers) {
        named = named || beast::iequals(name, "Host");
        agent = agent || beast::iequals(name, "User-Agent");
        wire::append_field(text, name, value);
    }
    if (!named)
        wire::append_field(text, "Host", p.target.path.empty() ? p.target.text() : "localhost");
    if (!agent)
        wire::append_field(text, "User-Agent", "podium-probe");
    text += "Accept: */*\r\nConnection: close\r\n\r\n";

    http::response_parser<http::buffer_body> parser;
    parser.body_limit(boost::none);
    beast::flat_buffer buffer(64 * 1024);
    if (ec = co_await wire::write(socket, text); !ec)
        ec = co_await wire::read_header(socket, buffer, parser);
    char body[1024];
    for (std::size_t sum = 0; !ec && !parser.is_done() && sum < http_prober::body_limit_bytes;)
        sum += co_await wire::read_body(socket, buffer, parser, body, sizeof body, ec);
    if (ec && guard.expired())
        failed = {probe::outcome::failure, "no answer in time"};
    else if (ec == asio::error::operation_aborted)
        failed.message = "cancelled";
    else if (ec)
        failed = {probe::outcome::failure, "no proper answer: " + ec.message()};
    if (ec)
        co_return std::nullopt;
    co_return got{parser.get().result_int(), std::string(wire::view(parser.get()[http::field::location]))};
}

/// The path to go on with when `location` stays on this host; empty: it does not, or is not understood.
[[nodiscard]] inline std::string same_host(
    std::string_view location, std::string_view host, std::string_view path)
{
    if (location.starts_with("http://")) {
        location.remove_prefix(7);
        auto const end = location.find_first_of("/?#");
        if (!beast::iequals(beast::string_view(location.data(), std::min(end, location.size())),
                beast::string_view(host.data(), host.size())))
            return {};
        location = end == location.npos ? "/" : location.substr(end);
    } else if (location.empty() || location.starts_with("//") || location.find("://") != location.npos) {
        return {};
    }
    auto target = std::string(location.substr(0, location.find('#')));
    if (target.empty() || target.front() == '?')
        target = std::string(path.substr(0, path.find('?'))) + target;
    else if (target.front() != '/')
        target = std::string(path.substr(0, path.substr(0, path.find('?')).rfind('/') + 1)) + target;
    return target;
}

/// Whether it can stand in the first line of a request.
[[nodiscard]] inline bool is_target(std::string_view path)
{
    return path.starts_with('/') && path.find_first_of(" \t\r\n") == path.npos &&
        path.find('\0') == path.npos;
}

}  // namespace detail

inline asio::awaitable<probe_answer> tcp_prober::probe(duration timeout) const
{
    auto const endpoint = endpoint_of(target);
    if (!endpoint)
        co_return probe_answer{probe::outcome::error, endpoint.error().text()};
    detail::probe_socket socket(co_await asio::this_coro::executor);
    deadline_guard guard(socket, std::chrono::steady_clock::now() + timeout);
    auto const [ec] = co_await socket.async_connect(*endpoint, as_result);
    if (ec)
        co_return detail::not_connected(ec, guard.expired(), target);
    co_return probe_answer{probe::outcome::success, {}};
}

inline asio::awaitable<probe_answer> http_prober::probe(duration timeout) const
{
    auto const deadline = std::chrono::steady_clock::now() + timeout;
    std::string host = target.text();
    for (auto const& [name, value] : headers) {
        if (name.empty() || name.find_first_of(" :\r\n") != name.npos ||
            value.find_first_of("\r\n") != value.npos)
            co_return probe_answer{probe::outcome::error, "a header of the probe is not valid"};
        if (beast::iequals(name, "Host"))
            host = value;
    }
    std::string at = path.starts_with('/') ? path : '/' + path;
    for (int redirects = 0;; ++redirects) {
        if (!detail::is_target(at))
            co_return probe_answer{redirects == 0 ? probe::outcome::error : probe::outcome::failure,
                "the path of the probe is not valid"};
        probe_answer failed;
        auto const got = co_await detail::get(*this, at, deadline, failed);
        if (!got)
            co_return failed;
        auto const words = "HTTP probe answered with status " + std::to_string(got->status);
        if (got->status < 200 || got->status > 399)
            co_return probe_answer{probe::outcome::failure, words};
        auto next = got->status >= 300 ? detail::same_host(got->location, host, at) : std::string{};
        if (next.empty())
            co_return probe_answer{probe::outcome::success, got->status < 300 ? std::string{} : words};
        if (redirects == max_redirects)
            co_return probe_answer{probe::outcome::failure, "stopped after 10 redirects"};
        at = std::move(next);
    }
}

inline asio::awaitable<probe_answer> exec_prober::probe(duration timeout) const
{
    auto const ended = co_await run_command(
        what, {.deadline = timeout, .output_limit_bytes = http_prober::body_limit_bytes});
    if (!ended && ended.error().code == errc::deadline)
        co_return probe_answer{probe::outcome::failure, "command timed out"};
    if (!ended)  // Kubernetes agrees: a command that cannot be executed is a failure of the container's
        co_return probe_answer{
            ended.error().code == errc::not_found ? probe::outcome::failure : probe::outcome::error,
            ended.error().text()};
    if (ended->signal != 0)
        co_return probe_answer{
            probe::outcome::failure, "command was killed by signal " + std::to_string(ended->signal)};
    co_return probe_answer{
        ended->exit_code == 0 ? probe::outcome::success : probe::outcome::failure, ended->output};
}

static_assert(Prober<tcp_prober> && Prober<http_prober> && Prober<exec_prober>);

}  // namespace podium::v0::net
