#pragma once
/// Kubernetes' REST API over HTTP: what `api::server` decides, on a socket.
///
///     net::api_server server(executor, [&](api::request r) { return cluster.serve(std::move(r)); });
///     auto const listening = server.listen(net::address::unix_socket("/run/podium/podium.sock"));
///
/// A watch goes on as a stream of JSON lines until the client hangs up, or reads so slowly that it had better
/// list again. There is no authentication: whoever may open the socket may do everything, so it is made with
/// mode 0600, in a folder that `private_folder` made with mode 0700.

#include <podium/api/handle.hpp>
#include <podium/api/status.hpp>
#include <podium/net/http_server.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <variant>

namespace podium::inline v0::net {

/// Lines on their way to one client. Both ends live on one strand.
class api_feed {
public:
    explicit api_feed(asio::any_io_executor const& executor, std::size_t limit_bytes = 16 * 1024 * 1024)
        : news_(executor, asio::steady_timer::time_point::max()),
          limit_bytes_(limit_bytes)
    {
    }
    /// False: nobody reads any more, or not fast enough.
    bool push(std::string_view lines)
    {
        if (lines.size() + waiting_.size() > limit_bytes_)
            ended_ = true;
        if (!ended_)
            waiting_ += lines;
        news_.cancel();
        return !ended_;
    }
    /// What was pushed before is still read.
    void end()
    {
        ended_ = true;
        news_.cancel();
    }
    /// All that waits; empty: it is over, or the caller was cancelled.
    asio::awaitable<std::string> next()
    {
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        while (waiting_.empty() && !ended_ && cancellation.cancelled() == asio::cancellation_type::none)
            co_await news_.async_wait(as_result);
        co_return std::exchange(waiting_, {});
    }

private:
    asio::steady_timer news_;
    std::size_t limit_bytes_;
    std::string waiting_{};
    bool ended_ = false;
};

/// The body of an answer out of a feed, until that ends or nobody reads any more; then the feed is over.
inline asio::awaitable<void> pour(std::shared_ptr<api_feed> feed, http_stream& out)
{
    co_await asio::this_coro::throw_if_cancelled(false);
    struct hang_up {
        api_feed& feed;
        ~hang_up() { feed.end(); }
    } const at_end{*feed};
    for (;;) {
        auto const lines = co_await feed->next();
        if (lines.empty() || !co_await out.write(lines))
            co_return;
    }
}

/// An answer, what becomes one line by line, or a stream that is read only as fast as its client reads it.
using api_answer = std::variant<api::response, std::shared_ptr<api_feed>, http_answer>;
using api_handler = std::function<asio::awaitable<api_answer>(api::request)>;

/// Where programs look for podium unless they are told: $XDG_RUNTIME_DIR/podium.sock, else
/// /run/podium/podium.sock.
[[nodiscard]] inline std::string default_socket()
{
    char const* const runtime = std::getenv("XDG_RUNTIME_DIR");
    return runtime && *runtime ? std::string(runtime) + "/podium.sock" : "/run/podium/podium.sock";
}

/// Makes the folder of `path` with mode 0700 unless it is there. One that others may write to, without being
/// sticky, is `forbidden`: they could put a socket of theirs in our place.
[[nodiscard]] inline result<void> private_folder(std::string const& path)
{
    auto const slash = path.rfind('/');
    auto const folder = slash == path.npos ? std::string(".") : slash == 0 ? "/" : path.substr(0, slash);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
        return error{errc::unavailable, "cannot make the folder " + folder + ": " + std::strerror(errno)};
    struct stat s{};
    if (::stat(folder.c_str(), &s) != 0 || !S_ISDIR(s.st_mode))
        return error{errc::unavailable, folder + " is no folder"};
    if ((s.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (s.st_mode & S_ISVTX) == 0)
        return error{errc::forbidden, folder + " must not be writable for others"};
    return {};
}

class api_server {
public:
    api_server(asio::any_io_executor executor, api_handler handler, http_server_options options = {})
        : server_(
              std::move(executor),
              [handler = std::move(handler)](http_request r) { return serve(handler, std::move(r)); },
              options)
    {
    }

    /// A socket that a dead podium left behind is replaced; of one that is in use, `unavailable`.
    [[nodiscard]] result<address> listen(address where)
    {
        if (!where.path.empty())
            if (auto made = private_folder(where.path); !made)
                return made.error();
        return server_.listen(std::move(where));
    }
    [[nodiscard]] asio::awaitable<void> stop(duration grace) { return server_.stop(grace); }

private:
    static asio::awaitable<http_answer> serve(api_handler const& handler, http_request r)
    {
        api::request request;
        switch (r.method()) {
        case http::verb::head:
        case http::verb::get: request.method = api::method::get; break;
        case http::verb::post: request.method = api::method::post; break;
        case http::verb::put: request.method = api::method::put; break;
        case http::verb::patch: request.method = api::method::patch; break;
        case http::verb::delete_: request.method = api::method::delete_; break;
        default: co_return whole(api::failure({errc::unsupported, "there is no such method here", {}, {}}));
        }
        request.target = wire::view(r.target());
        request.content_type = wire::view(r[http::field::content_type]);
        request.body = std::move(r.body());
        auto given = co_await handler(std::move(request));
        if (auto* const response = std::get_if<api::response>(&given))
            co_return whole(std::move(*response));
        if (auto* const stream = std::get_if<http_answer>(&given))
            co_return std::move(*stream);
        co_return http_answer(answer(200, {}, "application/json"),
            [feed = std::get<std::shared_ptr<api_feed>>(given)](
                http_stream& out) { return pour(feed, out); });
    }
    static http_response whole(api::response r)
    {
        return answer(static_cast<unsigned>(r.code), std::move(r.body), "application/json");
    }

    http_server server_;
};

}  // namespace podium::v0::net
