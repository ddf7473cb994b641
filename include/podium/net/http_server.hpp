#pragma once
/// An HTTP/1.1 server for a handler of the embedder's, on TCP and unix sockets.
///
///     net::http_server server(io.get_executor(), [](net::http_request request) ->
///     asio::awaitable<net::http_answer> {
///         co_return net::answer(200, "hello " + std::string(request.target()));
///     });
///     auto listening = server.listen(net::address::tcp("127.0.0.1", 8080));
///
/// The whole request is read before the handler sees it, within limits; requests of one connection come one
/// after the other, those of different ones side by side. An answer may go on as a stream (a watch).
/// Everything runs on the executor it was given: one thread, or a strand.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/net/address.hpp>
#include <podium/net/http_wire.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/un.h>
#include <utility>
#include <vector>

namespace podium::inline v0::net {

/// Writes the body of an answer piece by piece. Lives as long as the stream that was given it.
class http_stream {
public:
    virtual ~http_stream() = default;
    /// False: the client is gone or reads too slowly; the stream should end.
    [[nodiscard]] virtual asio::awaitable<bool> write(std::string_view bytes) = 0;
};

/// What a handler answers: a whole message, or its head and a stream that writes the rest. The stream is
/// cancelled when the client hangs up or the server stops, so it may wait as long as it likes. When it
/// returns, the body ends.
struct http_answer {
    http_response head{};
    std::function<asio::awaitable<void>(http_stream&)> stream{};
    bool patient = false;  ///< the stream's client may read as slowly as it likes: `write` waits for it

    http_answer() = default;
    http_answer(http_response whole) : head(std::move(whole)) {}
    http_answer(http_response h, std::function<asio::awaitable<void>(http_stream&)> s)
        : head(std::move(h)),
          stream(std::move(s))
    {
    }
};

/// A whole answer in one line.
[[nodiscard]] inline http_response answer(
    unsigned status, std::string body, std::string_view type = "text/plain")
{
    http_response made;
    made.result(status);
    made.set(http::field::content_type, beast::string_view(type.data(), type.size()));
    made.body() = std::move(body);
    return made;
}

using http_handler = std::function<asio::awaitable<http_answer>(http_request)>;

struct http_server_options {
    std::uint32_t header_limit_bytes = 32 * 1024;
    std::uint64_t body_limit_bytes = 4 * 1024 * 1024;
    std::size_t max_connections = 4096;                   ///< more wait in the listen queue
    duration header_deadline = std::chrono::seconds(10);  ///< from the first byte of a request to its header
    duration body_deadline = std::chrono::seconds(30);    ///< from there to the last byte of the body
    duration idle_deadline = std::chrono::seconds(60);    ///< without a request, the connection is closed
    duration write_deadline = std::chrono::seconds(30);   ///< for an answer, or one piece of a stream
};

/// Listens from `listen` on. Destroying it is abrupt; `stop` first lets the requests under way finish.
class http_server {
public:
    http_server(asio::any_io_executor executor, http_handler handler, http_server_options options = {})
        : core_(std::make_shared<core>(std::move(executor), std::move(handler), options))
    {
    }
    http_server(http_server&&) = default;
    http_server& operator=(http_server&&) = delete;
    ~http_server()
    {
        if (core_)
            core_->close_all();
    }

    /// Port 0 takes a free one; a unix socket gets mode 0600, and a stale file at its path is replaced. May
    /// be called for several addresses. Errors: `invalid` address, `unavailable` with the address in its
    /// words.
    [[nodiscard]] result<address> listen(address where)
    {
        return where.path.empty() ? listen_tcp(std::move(where)) : listen_unix(std::move(where));
    }

    /// Stops listening, ends idle connections and streams, waits for the requests under way, at most for
    /// `grace`.
    [[nodiscard]] asio::awaitable<void> stop(duration grace)
    {
        auto const c = core_;
        c->stop_listening();
        auto const deadline = std::chrono::steady_clock::now() + grace;
        for (auto* s : c->connections)
            if (!s->busy || s->streaming)
                s->close();
        asio::steady_timer timer(c->executor);
        while (!c->connections.empty() && std::chrono::steady_clock::now() < deadline) {
            timer.expires_after(std::chrono::milliseconds(5));
            if (auto [ec] = co_await timer.async_wait(as_result); ec)
                break;
        }
        c->close_all();
    }

    [[nodiscard]] std::size_t connections() const noexcept { return core_->connections.size(); }

private:
    using socket_type = asio::generic::stream_protocol::socket;

    struct connection {
        explicit connection(socket_type s) : socket(std::move(s)) {}
        socket_type socket;
        bool busy = false;  ///< between the first byte of a request and the last of its answer
        bool streaming = false;
        void close()
        {
            error_code ignored;
            socket.close(ignored);
        }
    };

    struct core {
        core(asio::any_io_executor e, http_handler h, http_server_options o)
            : executor(std::move(e)),
              handler(std::move(h)),
              options(o)
        {
        }
        asio::any_io_executor executor;
        http_handler handler;
        http_server_options options;
        std::list<connection*> connections{};
        std::list<std::function<void()>> listeners{};  ///< each closes one
        std::vector<std::string> paths{};
        bool stopped = false;

        void stop_listening()
        {
            stopped = true;
            for (auto& close : std::exchange(listeners, {}))
                close();
            for (auto const& path : std::exchange(paths, {}))
                ::unlink(path.c_str());
        }
        void close_all()
        {
            stop_listening();
            for (auto* c : connections)
                c->close();
        }
    };

    class chunks final : public http_stream {
    public:
        chunks(socket_type& socket, bool chunked, duration deadline)
            : socket_(&socket),
              chunked_(chunked),
              deadline_(deadline)
        {
        }
        asio::awaitable<bool> write(std::string_view bytes) override
        {
            if (bytes.empty())
                co_return socket_->is_open();
            text_.clear();
            chunked_ ? wire::append_chunk(text_, bytes) : void(text_.append(bytes));
            deadline_guard guard(*socket_, std::chrono::steady_clock::now() + deadline_);
            co_return !co_await wire::write(*socket_, text_);
        }

    private:
        socket_type* socket_;
        bool chunked_;
        duration deadline_;
        std::string text_{};
    };

    result<address> listen_tcp(address where)
    {
        error_code ec;
        auto const ip = asio::ip::make_address(where.ip, ec);
        if (ec)
            return error{errc::invalid, "must be an IP address", "ip"};
        auto acceptor = std::make_shared<asio::ip::tcp::acceptor>(core_->executor);
        asio::ip::tcp::endpoint const at(ip, where.port);
        acceptor->open(at.protocol(), ec);
        acceptor->set_option(asio::socket_base::reuse_address(true), ec);
        if (!ec)
            acceptor->bind(at, ec);
        if (!ec)
            acceptor->listen(asio::socket_base::max_listen_connections, ec);
        if (ec)
            return error{errc::unavailable, "cannot listen on " + where.text() + ": " + ec.message()};
        where.port = acceptor->local_endpoint(ec).port();
        start(std::move(acceptor));
        return where;
    }

    result<address> listen_unix(address where)
    {
        if (auto const valid = endpoint_of(where); !valid)
            return valid.error();
        error_code ec;
        // A file that nobody listens on is left over from a crash.
        asio::local::stream_protocol::socket probe(core_->executor);
        probe.connect(asio::local::stream_protocol::endpoint(where.path), ec);
        if (!ec)
            return error{
                errc::unavailable, "cannot listen on " + where.path + ": somebody else listens there"};
        if (ec == asio::error::connection_refused)
            ::unlink(where.path.c_str());
        auto acceptor = std::make_shared<asio::local::stream_protocol::acceptor>(core_->executor);
        acceptor->open(asio::local::stream_protocol(), ec);
        // The mode of the file comes from the socket's before bind (Linux), so nobody gets in between.
        ::fchmod(acceptor->native_handle(), 0600);
        acceptor->bind(asio::local::stream_protocol::endpoint(where.path), ec);
        if (!ec && ::chmod(where.path.c_str(), 0600) != 0)
            ec.assign(errno, boost::system::system_category());
        if (!ec)
            acceptor->listen(asio::socket_base::max_listen_connections, ec);
        if (ec)
            return error{errc::unavailable, "cannot listen on " + where.path + ": " + ec.message()};
        core_->paths.push_back(where.path);
        start(std::move(acceptor));
        return where;
    }

    template<class Acceptor>
    void start(std::shared_ptr<Acceptor> acceptor)
    {
        core_->listeners.push_back([acceptor] {
            error_code ignored;
            acceptor->close(ignored);
        });
        asio::co_spawn(core_->executor, accept(core_, std::move(acceptor)), asio::detached);
    }

    template<class Acceptor>
    static asio::awaitable<void> accept(std::shared_ptr<core> c, std::shared_ptr<Acceptor> acceptor)
    {
        asio::steady_timer pause(c->executor);
        while (!c->stopped) {
            if (c->connections.size() >= c->options.max_connections) {
                pause.expires_after(std::chrono::milliseconds(5));
                co_await pause.async_wait(as_result);
                continue;
            }
            auto [ec, socket] = co_await acceptor->async_accept(as_result);
            if (c->stopped)
                break;
            if (ec) {  // out of descriptors or memory, say: it will not get better by asking at once
                pause.expires_after(
                    std::chrono::milliseconds(ec == asio::error::connection_aborted ? 0 : 50));
                co_await pause.async_wait(as_result);
                continue;
            }
            if constexpr (std::is_same_v<Acceptor, asio::ip::tcp::acceptor>)
                socket.set_option(asio::ip::tcp::no_delay(true), ec);
            asio::co_spawn(c->executor, serve(c, socket_type(std::move(socket))), asio::detached);
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<core> c, socket_type accepted)
    {
        connection self(std::move(accepted));
        auto const at = c->connections.insert(c->connections.end(), &self);
        struct leave {
            core& from;
            std::list<connection*>::iterator at;
            ~leave() { from.connections.erase(at); }
        } const leave_at_end{*c, at};
        beast::flat_buffer buffer(c->options.header_limit_bytes + 2 * wire::read_size);
        // No co_await within && or ?: here and below: gcc 12 makes wrong code of it.
        for (bool more = true; more && !c->stopped;)
            more = co_await one_request(*c, self, buffer);
        self.close();
    }

    /// False: the connection ends.
    static asio::awaitable<bool> one_request(core& c, connection& self, beast::flat_buffer& buffer)
    {
        using clock = std::chrono::steady_clock;
        auto& socket = self.socket;
        http::request_parser<http::string_body> parser;
        parser.header_limit(c.options.header_limit_bytes);
        parser.body_limit(c.options.body_limit_bytes);

        deadline_guard guard(socket, clock::now() + c.options.idle_deadline);
        self.busy = false;
        auto ec = co_await wire::read_header(socket, buffer, parser, [&] {
            self.busy = true;
            guard.move_to(clock::now() + c.options.header_deadline);
        });
        if (ec == http::error::end_of_stream || !socket.is_open())
            co_return false;
        char const* const refused = ec ? nullptr : wire::hostile(parser.get(), parser.get().version());
        guard.move_to(clock::now() + c.options.body_deadline);
        if (!ec && !refused && !parser.is_done() &&
            beast::iequals(parser.get()[http::field::expect], "100-continue"))
            ec = co_await wire::write(socket, "HTTP/1.1 100 Continue\r\n\r\n");
        parser.eager(true);
        while (!ec && !refused && !parser.is_done()) {
            if (buffer.size() != 0 && (!wire::feed(buffer, parser, ec) || parser.is_done()))
                continue;
            ec = co_await wire::fill(socket, buffer, parser);
        }
        if (ec || refused) {
            bool const readable =
                refused || ec.category() == http::make_error_code(http::error::bad_method).category();
            if (!readable || ec == http::error::partial_message)
                co_return false;
            auto const status = refused ? 400 : wire::status_of(ec);
            auto const refusal = answer(status, std::string(refused ? refused : ec.message()) + '\n');
            auto const text = head_of(refusal, length::known, false) + refusal.body();
            ec = co_await wire::write(socket, text);
            if (!ec)
                co_await wire::linger(socket);
            co_return false;
        }

        bool const head_only = parser.get().method() == http::verb::head;
        bool const modern = parser.get().version() >= 11;
        bool keep = parser.keep_alive() && !c.stopped;
        guard.move_to(clock::time_point::max());
        http_answer given;
        try {
            given = co_await c.handler(parser.release());
        } catch (std::exception const&) {  // a handler's own trouble; its words are not for the client
            given = answer(500, "internal error\n");
        }
        keep = keep && !c.stopped;
        auto const bodiless = given.head.result_int() / 100 == 1 || given.head.result_int() == 204 ||
            given.head.result_int() == 304;
        if (!given.stream || head_only || bodiless) {
            guard.move_to(clock::now() + c.options.write_deadline);
            auto text = head_of(given.head,
                bodiless           ? length::none
                    : given.stream ? length::chunked
                                   : length::known,
                keep);
            if (!head_only && !bodiless)
                text += given.head.body();
            ec = co_await wire::write(socket, text);
            co_return !ec && keep;
        }
        co_return co_await stream(c, self, given, modern, modern && keep);
    }

    static asio::awaitable<bool> stream(core& c, connection& self, http_answer& given, bool modern, bool keep)
    {
        using namespace asio::experimental::awaitable_operators;
        self.streaming = true;
        chunks out(self.socket, modern,
            given.patient ? duration(std::chrono::hours(24 * 365)) : c.options.write_deadline);
        if (co_await wire::write(
                self.socket, head_of(given.head, modern ? length::chunked : length::none, keep)))
            co_return false;
        bool finished = false;
        // Either the stream ends, or the client hangs up (bytes of a next request end it as well: they are
        // lost).
        auto const body = [](http_answer& g, chunks& to, bool& done) -> asio::awaitable<void> {
            if (bool const alive = co_await to.write(g.head.body()); !alive)
                co_return;
            co_await g.stream(to);
            done = true;
        };
        auto const hang_up = [](socket_type& socket) -> asio::awaitable<void> {
            char byte;
            co_await socket.async_receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, as_result);
        };
        try {
            co_await (body(given, out, finished) || hang_up(self.socket));
        } catch (std::exception const&) {  // cut off: the client sees a body without its end
            finished = false;
        }
        self.streaming = false;
        if (!finished)
            co_return false;
        deadline_guard guard(self.socket, std::chrono::steady_clock::now() + c.options.write_deadline);
        auto const ec = co_await wire::write(self.socket, modern ? wire::last_chunk : std::string_view{});
        co_return !ec && keep;
    }

    enum class length : std::uint8_t { known, chunked, none };

    static std::string head_of(http_response const& r, length how, bool keep)
    {
        std::string out = "HTTP/1.1 " + std::to_string(r.result_int()) + ' ';
        out.append(wire::view(r.reason())).append("\r\n");
        for (auto const& f : r)
            if (f.name() != http::field::content_length && f.name() != http::field::transfer_encoding &&
                f.name() != http::field::connection)
                wire::append_field(out, wire::view(f.name_string()), wire::view(f.value()));
        if (how == length::known)
            wire::append_field(out, "Content-Length", std::to_string(r.body().size()));
        if (how == length::chunked)
            wire::append_field(out, "Transfer-Encoding", "chunked");
        wire::append_field(out, "Connection", keep ? "keep-alive" : "close");
        return out += "\r\n";
    }

    std::shared_ptr<core> core_;
};

}  // namespace podium::v0::net
