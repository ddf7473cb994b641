#pragma once
/// A client of podium's API: one request, or a watch whose events come one by one.
///
/// Each call has a connection of its own. What a failed answer says is `api::error_of(response)`.

#include <podium/api/handle.hpp>
#include <podium/api/status.hpp>
#include <podium/net/http_client.hpp>

#include <boost/asio/awaitable.hpp>
#include <string>
#include <utility>

namespace podium::inline v0::net {

class api_client {
public:
    explicit api_client(address where,
        http_call_options options = {.deadline = std::chrono::seconds(30),
            .header_limit_bytes = 32 * 1024,
            .body_limit_bytes = 256 * 1024 * 1024})
        : where_(std::move(where)),
          options_(options)
    {
    }

    /// The answer, whatever its code. Errors: those of `http_call`.
    [[nodiscard]] asio::awaitable<result<api::response>> call(api::request r) const
    {
        auto answered = co_await http_call(where_, message(std::move(r)), options_);
        if (!answered)
            co_return answered.error();
        co_return api::response{static_cast<int>(answered->result_int()), std::move(answered->body())};
    }

    /// `event(line)` for each line of JSON, until it returns false, the server ends the watch, or the caller
    /// is cancelled. `target` has watch=1. Errors: those of `http_call`, and what the server said instead.
    template<class Event>
    [[nodiscard]] asio::awaitable<result<void>> watch(std::string target, Event event) const
    {
        api::request asked;  // a variable: gcc 12 destroys twice what is braced within a co_await
        asked.target = std::move(target);
        auto lines = co_await http_lines::open(where_, message(std::move(asked)), options_);
        if (!lines)
            co_return lines.error();
        api::response refused{static_cast<int>(lines->status()), {}};
        for (;;) {
            auto line = co_await lines->next();
            if (!line)
                co_return line.error();
            if (!*line)
                break;
            if (refused.code != 200)
                refused.body += **line;
            else if (!event(**line))
                co_return result<void>{};
        }
        if (refused.code != 200)
            co_return api::error_of(refused);
        co_return result<void>{};
    }

private:
    static http_request message(api::request r)
    {
        http_request out;
        out.version(11);
        switch (r.method) {
        case api::method::get: out.method(http::verb::get); break;
        case api::method::post: out.method(http::verb::post); break;
        case api::method::put: out.method(http::verb::put); break;
        case api::method::patch: out.method(http::verb::patch); break;
        case api::method::delete_: out.method(http::verb::delete_); break;
        }
        out.target(r.target);
        if (!r.body.empty())
            out.set(http::field::content_type, r.content_type.empty() ? "application/json" : r.content_type);
        out.body() = std::move(r.body);
        return out;
    }

    address where_;
    http_call_options options_;
};

}  // namespace podium::v0::net
