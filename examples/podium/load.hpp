#pragma once
/// A load of HTTP requests, and a ledger of what became of each.
///
/// It keeps a number of connections to one address and never asks twice, so whatever is lost is seen. With a
/// rate it is an open loop: requests are due at a steady pace whether answers come or not, and latency counts
/// from when a request was due, as it does for those who wait; without, each connection asks again when it
/// has its answer.

#include "ledger.hpp"

#include <podium/store/clock.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tour {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

using load_request = http::request<http::string_body>;

struct load_options {
    std::string ip{};
    std::uint16_t port = 0;
    std::string target = "/";
    std::size_t connections = 16;
    double per_second = 0;                       ///< 0: as fast as the answers come
    duration timeout = std::chrono::seconds(5);  ///< of one request; then it is lost
    duration patience =
        std::chrono::seconds(1);  ///< what is due for longer than that is skipped, not sent in a burst
    std::function<void(load_request&, std::uint64_t)>
        prepare{};  ///< changes a request before it is sent, by its number
};

/// Runs on the executor given, from `start` to the end of `stop`; not thread-safe, one thread at a time.
/// It must live until `stop` has returned.
class load_generator {
public:
    load_generator(asio::any_io_executor on, load_options options)
        : executor_(std::move(on)),
          options_(std::move(options)),
          ended_(executor_),
          resumed_(executor_)
    {
        ended_.expires_at(asio::steady_timer::time_point::max());
        resumed_.expires_at(asio::steady_timer::time_point::max());
    }
    load_generator(load_generator const&) = delete;
    load_generator& operator=(load_generator const&) = delete;
    ~load_generator() { PODIUM_ASSERT(running_ == 0); }

    /// May be called again after `stop`; the ledger goes on.
    void start()
    {
        PODIUM_ASSERT(running_ == 0);
        stopping_ = false;
        next_due_ = podium::store::clock::now();
        for (; running_ < options_.connections; ++running_)
            asio::co_spawn(executor_, ask(), asio::detached);
    }

    /// Asks no more, and returns when the last open request is settled.
    asio::awaitable<void> stop()
    {
        stopping_ = true;
        for (auto* timer : waiting_)
            timer->cancel();
        resume();
        while (running_ != 0)
            co_await ended_.async_wait(asio::as_tuple(asio::use_awaitable));
    }

    /// From the next request on. 0: as fast as the answers come.
    void set_rate(double per_second)
    {
        options_.per_second = per_second;
        next_due_ = podium::store::clock::now();
    }

    /// Asks no more until `resume`; what was asked is answered, and connections are kept.
    void hold() { held_ = true; }
    void resume()
    {
        held_ = false;
        next_due_ = podium::store::clock::now();
        resumed_.cancel();
    }

    /// Where requests go from the next one on, over connections of their own.
    void aim(std::string ip, std::uint16_t port)
    {
        options_.ip = std::move(ip);
        options_.port = port;
        ++aimed_;
    }

    /// Connections opened so far.
    [[nodiscard]] std::uint64_t opened() const { return opened_; }
    [[nodiscard]] ledger const& book() const { return ledger_; }
    [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

private:
    using clock = podium::store::clock;

    struct answer {
        unsigned status = 0;  ///< 0: none
        std::string version{};
        bool keep = false;
        std::string problem{};
    };

    asio::awaitable<void> ask()
    {
        std::optional<beast::tcp_stream> stream;
        auto aimed = aimed_;
        asio::steady_timer timer(executor_);
        waiting_.push_back(&timer);
        while (!stopping_) {
            auto due = clock::now();
            if (options_.per_second > 0) {
                due = claim(due);
                timer.expires_at(clock::steady(due));
                co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
            }
            while (held_) {
                co_await resumed_.async_wait(asio::as_tuple(asio::use_awaitable));
                due = clock::now();
            }
            if (stopping_)
                break;
            if (std::exchange(aimed, aimed_) != aimed_)
                stream.reset();
            auto const number = ledger_.send(due);
            auto const got = co_await exchange(stream, number);
            if (got.status != 0)
                ledger_.answer(number, got.status, got.version, clock::now());
            else
                ledger_.lose(number, got.problem, clock::now());
            if (!got.keep)
                stream.reset();
            if (got.status == 0 && !stopping_) {
                timer.expires_after(std::chrono::milliseconds(10));  // who is refused at once must not spin
                co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
            }
        }
        std::erase(waiting_, &timer);
        if (--running_ == 0)
            ended_.cancel();
    }

    /// The time of the next request that nobody has taken.
    time_point claim(time_point now)
    {
        auto const step =
            std::max(duration(1), duration(static_cast<duration::rep>(1e9 / options_.per_second)));
        if (auto const late = now - next_due_; late > options_.patience) {
            auto const missed = late / step;
            skipped_ += static_cast<std::uint64_t>(missed);
            next_due_ += missed * step;
        }
        return std::exchange(next_due_, next_due_ + step);
    }

    asio::awaitable<answer> exchange(std::optional<beast::tcp_stream>& stream, std::uint64_t number)
    {
        auto const token = asio::as_tuple(asio::use_awaitable);
        bool const fresh = !stream;
        beast::error_code ec;
        if (fresh) {
            stream.emplace(executor_);
            ++opened_;
        }
        stream->expires_after(
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(options_.timeout));
        if (fresh) {
            asio::ip::tcp::endpoint const where(asio::ip::make_address(options_.ip, ec), options_.port);
            if (!ec)
                ec = std::get<0>(co_await stream->async_connect(where, token));
            if (!ec)
                stream->socket().set_option(asio::ip::tcp::no_delay(true), ec);
            if (ec)
                co_return answer{.problem = "connect: " + ec.message()};
        }
        load_request asked(http::verb::get, options_.target, 11);
        asked.set(http::field::host, options_.ip);
        if (options_.prepare)
            options_.prepare(asked, number);
        asked.prepare_payload();
        ec = std::get<0>(co_await http::async_write(*stream, asked, token));
        if (ec)
            co_return answer{.problem = (fresh ? "write: " : "write on a kept connection: ") + ec.message()};
        http::response<http::string_body> got;
        beast::flat_buffer buffer;
        ec = std::get<0>(co_await http::async_read(*stream, buffer, got, token));
        if (ec)
            co_return answer{.problem = (fresh ? "read: " : "read on a kept connection: ") + ec.message()};
        auto const version = got["X-Version"];
        co_return answer{got.result_int(), std::string(version.data(), version.size()), got.keep_alive(), {}};
    }

    asio::any_io_executor executor_;
    load_options options_;
    asio::steady_timer ended_;
    asio::steady_timer resumed_;
    std::vector<asio::steady_timer*> waiting_{};
    ledger ledger_{};
    time_point next_due_{};
    std::uint64_t skipped_ = 0;
    std::uint64_t aimed_ = 0;  ///< how often
    std::uint64_t opened_ = 0;
    std::size_t running_ = 0;
    bool stopping_ = false;
    bool held_ = false;
};

}  // namespace tour
