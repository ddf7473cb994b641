#pragma once
/// The load-balancing proxy: a listener for each service port, every request to an endpoint that may take it.
///
/// Its promise is that no request is lost because endpoints change:
/// - Once `apply` has returned, nothing new goes to an endpoint that the set left out or marked draining.
///   Idle connections to it are closed, requests under way finish, and `status` counts them down. So
///   `apply`'s return is the acknowledgement of the drain handshake.
/// - A request whose endpoint could not be connected to was provably never sent: it goes to another one.
/// - A kept-alive connection that the endpoint closed while it was idle is found out before it is used. One
///   closed in the very moment of sending shows as an end before any byte of the answer. Then the request is
///   sent again, on a fresh connection, if it is idempotent (RFC 9110, 9.2.2) or if not one byte of it was
///   taken. Others are sent only on connections that were used a moment ago, which no sensible endpoint times
///   out, or on fresh ones.
/// - Never sent again: a request that a fresh connection took, one of whose answer a byte was seen, or one
///   whose body we have passed on and no longer hold. Repeats of what may have been processed are at most a
///   fifth of the requests, so that they cannot make an overload worse; those of what was never sent do not
///   count.
///
/// Which version a request goes to is decided for each anew, by the rules and weights of its service
/// (traffic/route.hpp): a connection belongs to no version. Where the rules say so, an answer sets the
/// visitor's cookie, copies go to a mirror, and endpoints that fail are left out for a while. TCP services go
/// by weights and ejections alone.
///
/// Most messages are plain (net/http_plain.hpp) and cost a scan; all others are parsed. Bodies are passed on
/// as they come, both ways at once, in buffers of 16 KiB. Hop-by-hop fields end here (RFC 9110, 7.6.1),
/// `Upgrade` among them, so there are no WebSockets in HTTP mode; trailers are dropped. What RFC 9112 calls
/// ambiguous is refused with 400. A plain TCP service passes bytes, and a connection is in flight until it
/// closes.
///
/// Runs on one executor: a single-threaded io_context, or a strand. The proxy is destroyed before its
/// io_context. Deadlines are kept by one timer for all connections, on a grid of `sweep_period`: the hot path
/// pays a store.

#include <podium/core/assert.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/net/http_plain.hpp>
#include <podium/net/http_wire.hpp>
#include <podium/net/router.hpp>
#include <podium/traffic/balance.hpp>
#include <podium/traffic/pool.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::net {

/// One service port.
struct proxy_service {
    enum class mode : std::uint8_t { http, tcp };

    std::string name{};      ///< what `apply` and `status` call it: "default/web:http", say
    std::string address{};   ///< an IP literal to listen on
    std::uint16_t port = 0;  ///< 0: any free one
    mode speaks = mode::http;
    traffic::any_balancer balancer{};
};

struct proxy_options {
    std::uint32_t header_limit_bytes = 32 * 1024;
    std::uint64_t body_limit_bytes = std::uint64_t{1} << 30;
    std::size_t max_connections = 10'000;  ///< of one service; more wait in the listen queue
    std::size_t max_idle_per_endpoint = 256;
    duration header_deadline =
        std::chrono::seconds(10);  ///< from a request's first byte to its header's last
    duration client_idle =
        std::chrono::seconds(60);  ///< a kept-alive client says nothing; or sends or reads nothing
    duration connect_deadline = std::chrono::seconds(2);
    duration response_deadline =
        std::chrono::seconds(60);                      ///< for the header, then for each piece of the body
    duration backend_idle = std::chrono::seconds(30);  ///< an unused connection to an endpoint is closed
    duration reuse_unsafe =
        std::chrono::seconds(1);     ///< a request that must not be repeated uses none idle for longer
    duration wait_for_endpoint{0};   ///< before 503, when there is none; see `proxy::hold`
    std::size_t max_waiting = 1000;  ///< of one service; more are answered at once
    duration retry_after = std::chrono::seconds(1);  ///< what the 503 tells the client
    duration sweep_period = std::chrono::milliseconds(20);
    /// Called when an endpoint that takes nothing new has nothing in flight any more; not from within
    /// `apply`.
    std::function<void(std::string_view service, std::string_view id)> drained{};
    /// Called when a request begins to wait for an endpoint and none did before.
    std::function<void(std::string_view service)> waiting{};
};

/// A Router over sockets.
class proxy {
public:
    explicit proxy(asio::any_io_executor executor, proxy_options options = {});
    proxy(proxy const&) = delete;
    proxy& operator=(proxy const&) = delete;
    ~proxy();

    /// Listens for a service, which has no endpoints yet. Returns the port. Errors: `invalid` address,
    /// `already_exists` name, `unavailable` ("cannot listen on 127.1.2.3:80: Address already in use").
    [[nodiscard]] result<std::uint16_t> open(proxy_service const& service);

    /// Stops listening for a service; what is under way finishes. `not_found`.
    result<void> close(std::string_view name);

    /// See Router. In force when it returns; O(endpoints log endpoints).
    [[nodiscard]] result<void> apply(std::string_view name, traffic::endpoint_set const& set);

    /// How long its requests may wait for an endpoint when there is none: one that sleeps at size zero is
    /// woken by them. `not_found`.
    result<void> hold(std::string_view name, duration most);

    /// Counts and acknowledged generations of the open services.
    [[nodiscard]] router_status status() const;

    /// Client connections, idle ones among them.
    [[nodiscard]] std::size_t connections() const noexcept;

    /// Stops listening, ends idle connections, lets requests under way finish for at most `grace`, then cuts
    /// them.
    [[nodiscard]] asio::awaitable<void> stop(duration grace);

private:
    struct core;
    struct listener;
    struct connection;
    struct backend;
    struct lease;
    struct http_session;
    struct tcp_session;
    std::shared_ptr<core> core_;
};

// What is below is the machinery.

namespace detail {

using proxy_clock = std::chrono::steady_clock;

/// The same clock as the pool sees it: only differences matter.
[[nodiscard]] inline time_point traffic_now()
{
    return time_point(std::chrono::duration_cast<duration>(proxy_clock::now().time_since_epoch()));
}

/// Sockets with a deadline each, looked over from time to time. An expired socket's operations are cancelled.
class deadline_sweep {
public:
    struct entry {
        asio::ip::tcp::socket socket;
        proxy_clock::time_point at = proxy_clock::time_point::max();
        bool expired = false;
        deadline_sweep& home;
        std::size_t position;

        entry(asio::ip::tcp::socket s, deadline_sweep& h)
            : socket(std::move(s)),
              home(h),
              position(h.entries_.size())
        {
            h.entries_.push_back(this);
        }
        entry(entry const&) = delete;
        entry& operator=(entry const&) = delete;
        ~entry()
        {
            home.entries_.back()->position = position;
            home.entries_[position] = home.entries_.back();
            home.entries_.pop_back();
        }
        /// From now on; the last look at the clock is near enough.
        void expect_within(duration d) noexcept
        {
            at = home.now_ + std::chrono::duration_cast<proxy_clock::duration>(d);
            expired = false;
        }
        void close() noexcept
        {
            error_code ignored;
            socket.close(ignored);
        }
    };

    void look(proxy_clock::time_point now)
    {
        now_ = now;
        for (auto* e : entries_)
            if (e->at <= now) {
                e->at = proxy_clock::time_point::max();
                e->expired = true;
                error_code ignored;
                e->socket.cancel(ignored);
            }
    }
    [[nodiscard]] proxy_clock::time_point now() const noexcept { return now_; }
    void close_all()
    {
        for (auto* e : entries_)
            e->close();
    }

private:
    std::vector<entry*> entries_{};
    proxy_clock::time_point now_ = proxy_clock::now();
};

/// Fields that belong to one connection and are not passed on; those that we write ourselves among them.
[[nodiscard]] inline bool hop_by_hop(http::field name) noexcept
{
    switch (name) {
    case http::field::connection:
    case http::field::keep_alive:
    case http::field::proxy_connection:
    case http::field::te:
    case http::field::trailer:
    case http::field::transfer_encoding:
    case http::field::content_length:
    case http::field::upgrade: return true;
    default: return false;
    }
}

/// Passes on all other fields, except those that Connection names (never Host).
inline void append_end_to_end(std::string& out, http::fields const& fields, bool leave_out_forwarded_for)
{
    auto const connection = fields[http::field::connection];
    bool const names_some = !connection.empty() && !beast::iequals(connection, "keep-alive") &&
        !beast::iequals(connection, "close");
    for (auto const& f : fields) {
        if (hop_by_hop(f.name()))
            continue;
        if (leave_out_forwarded_for && f.name() == http::field::unknown &&
            beast::iequals(f.name_string(), "X-Forwarded-For"))
            continue;
        if (names_some && f.name() != http::field::host &&
            http::token_list(connection).exists(f.name_string()))
            continue;
        wire::append_field(out, wire::view(f.name_string()), wire::view(f.value()));
    }
}

[[nodiscard]] inline bool idempotent(http::verb v) noexcept
{
    switch (v) {
    case http::verb::get:
    case http::verb::head:
    case http::verb::options:
    case http::verb::trace:
    case http::verb::put:
    case http::verb::delete_: return true;
    default: return false;
    }
}

}  // namespace detail

/// A connection to an endpoint.
struct proxy::backend : detail::deadline_sweep::entry {
    using entry::entry;
    beast::flat_buffer buffer{128 * 1024};
    detail::proxy_clock::time_point idle_since{};

    /// Nothing was said since it fell idle: neither an end nor bytes that nobody asked for.
    [[nodiscard]] bool quiet()
    {
        char byte;
        auto const n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
};

struct proxy::listener {
    struct version : version_counters {
        std::uint32_t in_flight = 0;
    };
    struct counted {
        std::string id{};
        std::vector<std::unique_ptr<backend>> idle{};  ///< the one used last is at the back
        request_counters counters{};
        listener::version* version = nullptr;
    };

    listener(core& c, proxy_service const& s);

    core& home;
    std::string name;
    proxy_service::mode speaks;
    asio::ip::tcp::acceptor acceptor;
    traffic::pool<traffic::any_balancer> pool;
    std::vector<counted> slots{};  ///< beside the pool's
    std::map<std::string, version, std::less<>> versions{};
    std::vector<std::string> gone{};  ///< of them; see `forget`
    request_counters forgotten{};
    std::uint64_t refused = 0;
    std::uint64_t bad_requests = 0;
    std::uint64_t copies_dropped = 0;
    std::uint64_t unread_conversions = 0;
    std::uint32_t copies = 0;  ///< under way to the mirror
    std::size_t connections = 0;
    double repeats = 10;  ///< how many requests may be sent again now
    bool closed = false;
    duration patience;                           ///< of requests without an endpoint
    std::vector<asio::steady_timer*> waiting{};  ///< those

    void close()
    {
        closed = true;
        error_code ignored;
        acceptor.close(ignored);
        for (auto& s : slots)
            s.idle.clear();
        wake();
    }
    void wake()
    {
        for (auto* t : waiting)
            t->cancel();
    }
    /// After the pool has changed: what belongs to which slot.
    void settle(traffic::endpoint_set const& set)
    {
        for (std::uint32_t i = 0; i < slots.size(); ++i)
            if (!pool.takes_new(i))
                slots[i].idle.clear();
        for (auto const& l : pool.loads()) {
            if (slots.size() <= l.slot)
                slots.resize(l.slot + 1);
            auto& s = slots[l.slot];
            if (s.id != l.id)
                s = {.id = l.id};
            s.version = &versions[l.version];
        }
        forget(set);
    }
    /// Versions come with every release, and each has some hundred numbers. Those that have no endpoint, no
    /// request and no place in the set are gone; of them only the last are kept, which somebody may still
    /// look at.
    void forget(traffic::endpoint_set const& set)
    {
        constexpr std::size_t most_gone = 16;
        std::set<std::string> here{set.rules.mirror.version};
        for (auto const& l : pool.loads())
            here.insert(l.version);
        for (auto const& w : set.weights)
            here.insert(w.version);
        for (auto const& m : set.rules.matches)
            here.insert(m.version);
        std::erase_if(gone, [&](auto const& one) { return here.contains(one); });
        for (auto const& [one, v] : versions)
            if (v.in_flight == 0 && !here.contains(one) && !std::ranges::count(gone, one))
                gone.push_back(one);
        while (gone.size() > most_gone) {
            auto const longest = versions.find(gone.front());
            forgotten.add(longest->second.answered());
            versions.erase(longest);
            gone.erase(gone.begin());
        }
    }
};

struct proxy::core : std::enable_shared_from_this<proxy::core> {
    core(asio::any_io_executor e, proxy_options o)
        : executor(std::move(e)),
          options(std::move(o)),
          sweeper(executor)
    {
    }

    asio::any_io_executor executor;
    proxy_options options;
    detail::deadline_sweep deadlines{};
    asio::steady_timer sweeper;
    std::map<std::string, std::shared_ptr<listener>, std::less<>> services{};
    std::vector<connection*> connections{};
    bool stopping = false;

    void stop_listening();
    void cut();
    static asio::awaitable<void> sweep(std::shared_ptr<core> self);
    static asio::awaitable<void> accept(std::shared_ptr<core> self, std::shared_ptr<listener> l);
};

/// A client.
struct proxy::connection : detail::deadline_sweep::entry {
    connection(std::shared_ptr<core> c, std::shared_ptr<listener> l, asio::ip::tcp::socket s)
        : entry(std::move(s), c->deadlines),
          home_core(std::move(c)),
          service(std::move(l)),
          at_list(home_core->connections.size())
    {
        home_core->connections.push_back(this);
        ++service->connections;
    }
    ~connection()
    {
        --service->connections;
        auto& all = home_core->connections;
        all.back()->at_list = at_list;
        all[at_list] = all.back();
        all.pop_back();
    }
    std::shared_ptr<core> home_core;
    std::shared_ptr<listener> service;
    std::size_t at_list;
    bool busy = false;  ///< a request has begun and its answer has not ended
};

/// A request in flight to an endpoint: begun and counted, to be ended once.
struct proxy::lease {
    lease(core& c, listener& l, traffic::ticket t, request_counters version_counters::* among = nullptr)
        : home(&c),
          service(&l),
          ticket(t),
          version(l.slots[t.slot].version),
          counts(among ? &(version->*among) : version)
    {
        ++version->in_flight;
    }
    lease(lease const&) = delete;
    lease& operator=(lease const&) = delete;
    ~lease() { end(); }

    void end()
    {
        if (!service)
            return;
        auto& l = *std::exchange(service, nullptr);
        --version->in_flight;
        bool const leaving = l.pool.leaving(ticket.slot);
        std::string const id = leaving ? l.pool.at(ticket.slot).id : std::string{};
        l.pool.release(ticket);
        if (leaving && home->options.drained && !home->stopping && l.pool.drained(id))
            home->options.drained(l.name, id);
    }
    /// Ends it and counts it.
    void end(unsigned status, duration took)
    {
        if (!service)
            return;
        service->slots[ticket.slot].counters.count(status, took);
        counts->count(status, took);
        end();
    }
    /// Before another attempt.
    void retried()
    {
        ++service->slots[ticket.slot].counters.retries;
        ++counts->retries;
    }
    /// Tells the pool what it says of the endpoint.
    void observe(traffic::outcome seen)
    {
        if (service && service->pool.rules().ejection)
            service->pool.observe(ticket, seen, detail::traffic_now());
    }
    core* home;
    listener* service;
    traffic::ticket ticket;
    listener::version* version;  ///< of the endpoint when the request began
    request_counters* counts;
};

/// The requests of one client, one after the other.
struct proxy::http_session {
    using clock = detail::proxy_clock;
    using request_parser = http::request_parser<http::buffer_body>;
    using response_parser = http::response_parser<http::buffer_body>;

    /// How an attempt ended.
    enum class attempt : std::uint8_t {
        answered,    ///< the client has its answer, whole
        broken,      ///< the answer began and did not end: the client must be cut off
        unsent,      ///< the endpoint has not seen a byte
        unanswered,  ///< it may have seen it, and no byte came back
        timed_out,   ///< no answer in time
        nonsense,    ///< what came back is not HTTP
    };

    explicit http_session(connection& c) : client(c), home(*c.home_core), service(*c.service)
    {
        error_code ec;
        peer = c.socket.remote_endpoint(ec).address().to_string(ec);
    }

    connection& client;
    core& home;
    listener& service;
    std::string peer{};
    beast::flat_buffer buffer{128 * 1024};
    std::string request_text{};  ///< head and the first of the body, kept until an answer begins
    std::string answer_text{};
    std::string body_text{};         ///< later parts of the body
    std::vector<char> up{}, down{};  ///< of read_size while a body is on its way through
    std::vector<std::uint32_t> tried{};
    plain::message asked{};  ///< its fields are those of any request, plain or not
    plain::message said{};
    traffic::aim aim{};
    std::optional<std::string> copy{};  ///< what the mirror gets once all of the request is here
    std::size_t copy_limit = 0;
    std::string matched_version{};
    std::string own_fields{};  ///< ours, in the answer: Set-Cookie
    bool keep_client = false;
    bool modern = false;  ///< the client speaks HTTP/1.1
    bool head_only = false;
    bool safe = false;     ///< to be sent twice
    bool expects = false;  ///< waits for 100 Continue
    bool chunked_up = false;
    bool uploaded = false;       ///< the whole request has been passed on, or is in request_text
    unsigned upload_status = 0;  ///< why the body could not be read from the client; 0: it could
    static constexpr unsigned client_gone = 499;
    static constexpr std::size_t first_read = 4096;

    asio::awaitable<void> run()
    {
        // No co_await within && or ?: here and below: gcc 12 makes wrong code of it.
        for (bool more = true; more && !home.stopping && !service.closed;) {
            more = co_await one();
            client.busy = false;
            trim();
        }
        client.close();
    }

    /// An idle client is cheap, whatever it sent before.
    void trim()
    {
        constexpr std::size_t kept = 4096;
        up = {};
        down = {};
        for (auto* text : {&request_text, &answer_text, &body_text})
            if (text->capacity() > kept)
                *text = {};
        if (buffer.size() == 0 && buffer.capacity() > kept)
            buffer.shrink_to_fit();
    }

    /// One request; true: the connection may go on.
    asio::awaitable<bool> one()
    {
        if (buffer.size() == 0) {
            client.expect_within(home.options.client_idle);
            auto const [ec, n] =
                co_await client.socket.async_read_some(buffer.prepare(first_read), as_result);
            if (ec)
                co_return false;
            buffer.commit(n);
        }
        client.busy = true;
        if (!take_plain())
            co_return co_await parse();
        client.at = clock::time_point::max();
        co_return co_await forward(nullptr, true);
    }

    /// A plain request that is here, body and all, needs no more than a scan.
    bool take_plain()
    {
        std::string_view const text(static_cast<char const*>(buffer.data().data()), buffer.size());
        if (!plain::scan_request(text, asked) || asked.head_bytes > home.options.header_limit_bytes ||
            asked.body_bytes > text.size() - asked.head_bytes ||
            asked.body_bytes > home.options.body_limit_bytes)
            return false;
        request_text.clear();
        plain::append_request(request_text, asked, text.substr(asked.head_bytes, asked.body_bytes), peer);
        buffer.consume(asked.head_bytes + asked.body_bytes);  // the views hold until the next request is read
        modern = true;
        keep_client = asked.keep_alive;
        head_only = asked.method == "HEAD";
        safe = plain::idempotent(asked.method);
        expects = chunked_up = false;
        uploaded = true;
        upload_status = 0;
        return true;
    }

    /// Any request, of which something is here.
    asio::awaitable<bool> parse()
    {
        request_parser parser;
        parser.header_limit(home.options.header_limit_bytes);
        parser.body_limit(home.options.body_limit_bytes);
        client.expect_within(home.options.header_deadline);
        auto ec = co_await wire::read_header(client.socket, buffer, parser);
        if (!client.socket.is_open())
            co_return false;
        if (client.expired)
            co_return co_await refuse(408, "the header took too long");
        if (ec && malformed(ec))
            co_return co_await refuse(wire::status_of(ec), ec.message());
        if (ec)
            co_return false;
        auto const& head = parser.get();
        if (auto const* const why = wire::hostile(head, head.version()))
            co_return co_await refuse(400, why);
        if (head.method() == http::verb::connect)
            co_return co_await refuse(405, "CONNECT is not served");

        modern = head.version() >= 11;
        keep_client = head.keep_alive();
        head_only = head.method() == http::verb::head;
        safe = detail::idempotent(head.method());
        chunked_up = parser.chunked();
        compose_request(parser);
        expects = head.count(http::field::expect) != 0;
        if (!parser.is_done()) {
            up.resize(wire::read_size);
            auto const n = wire::take_body(buffer, parser, up.data(), up.size(), ec);
            if (ec)
                co_return co_await refuse(wire::status_of(ec), ec.message());
            append_body(request_text, {up.data(), n}, parser.is_done());
        }
        uploaded = parser.is_done();
        upload_status = 0;
        client.at = clock::time_point::max();
        asked.fields.clear();
        for (auto const& f : head)
            asked.fields.push_back({wire::view(f.name_string()), wire::view(f.value())});
        co_return co_await forward(&parser, uploaded && !expects);
    }

    /// The client's bytes are wrong, rather than its connection gone.
    static bool malformed(error_code ec)
    {
        return ec.category() == http::make_error_code(http::error::bad_method).category() &&
            ec != http::error::partial_message && ec != http::error::end_of_stream;
    }

    void compose_request(request_parser const& parser)
    {
        auto const& head = parser.get();
        request_text.assign(wire::view(head.method_string())).append(" ").append(wire::view(head.target()));
        request_text.append(" HTTP/1.1\r\n");
        if (!modern && head.count(http::field::host) == 0)
            request_text.append("Host: \r\n");
        detail::append_end_to_end(request_text, head, true);
        request_text.append("X-Forwarded-For: ");
        for (auto const& f : head)
            if (f.name() == http::field::unknown && beast::iequals(f.name_string(), "X-Forwarded-For"))
                request_text.append(wire::view(f.value())).append(", ");
        request_text.append(peer).append("\r\n");
        if (chunked_up)
            request_text.append("Transfer-Encoding: chunked\r\n");
        else if (auto const length = parser.content_length())
            wire::append_field(request_text, "Content-Length", std::to_string(*length));
        request_text.append("\r\n");
    }

    void append_body(std::string& out, std::string_view bytes, bool last) const
    {
        if (!chunked_up) {
            out.append(bytes);
            return;
        }
        if (!bytes.empty())
            wire::append_chunk(out, bytes);
        if (last)
            out.append(wire::last_chunk);
    }

    /// Finds an endpoint that answers.
    asio::awaitable<bool> forward(request_parser* parser, bool replayable)
    {
        bool fresh_only = false;
        tried.clear();
        own_fields.clear();
        struct copy_guard {
            http_session& self;
            explicit copy_guard(http_session& s) : self(s) {}
            copy_guard(copy_guard const&) = delete;
            copy_guard& operator=(copy_guard const&) = delete;
            ~copy_guard() { self.drop_copy(); }
        } const not_sent(*this);
        service.repeats = std::min(service.repeats + 0.2, 100.0);
        take_aim();
        bool const matched = aim.how == traffic::way::matched;
        std::string first_version;  // so that a second attempt takes nobody's turn
        auto ticket = service.pool.acquire(aim);
        if (!ticket)
            ticket = co_await wait_for_endpoint();
        if (!ticket) {
            ++service.refused;
            co_return co_await fail(503, parser);
        }
        for (int attempts = 0;; ++attempts) {
            lease in_flight(home, service, *ticket, matched ? &version_counters::matched : nullptr);
            if (attempts == 0 && service.pool.deal_copy(*ticket))
                begin_copy();
            auto const began = clock::now();
            std::unique_ptr<backend> conn;
            if (!fresh_only)
                conn = take_idle(home, service, ticket->slot, safe);
            bool const reused = conn != nullptr;
            if (!conn)
                conn = co_await dial(home, service.pool.at(ticket->slot));
            bool const reached = conn != nullptr;
            auto how = attempt::unsent;
            if (reached)
                how = co_await exchange(conn, parser, in_flight, began);
            if (how == attempt::answered)
                co_return keep_client;
            if (how == attempt::broken) {
                in_flight.observe(traffic::outcome::failure);
                in_flight.end(0, clock::now() - began);
                co_return false;
            }
            if (how == attempt::timed_out || how == attempt::nonsense) {
                settle_visit(in_flight, false);
                in_flight.observe(traffic::outcome::failure);
                in_flight.end(0, clock::now() - began);
                co_return co_await fail(how == attempt::timed_out ? 504 : 502, parser);
            }
            if (upload_status != 0) {
                in_flight.end(request_counters::client_gone, clock::now() - began);
                if (upload_status == client_gone)
                    co_return false;
                co_return co_await refuse(upload_status, "the body could not be read");
            }
            // A connection that was idle may just have been closed; a fresh one that fails says something of
            // the endpoint.
            if (!reused) {
                tried.push_back(ticket->slot);
                in_flight.observe(traffic::outcome::failure);
            }
            fresh_only = true;
            bool again = how == attempt::unsent && (replayable || !reached);
            if (how == attempt::unanswered && replayable && safe && reused && service.repeats >= 1) {
                service.repeats -= 1;
                again = true;
            }
            if (!matched && attempts == 0) {
                first_version = service.pool.version_of(ticket->slot);
                aim.how = traffic::way::remembered;
                aim.name = first_version;
            }
            auto const next =
                again && attempts < 16 ? service.pool.acquire(aim, tried) : std::optional<traffic::ticket>();
            if (!next) {
                settle_visit(in_flight, false);
                in_flight.end(0, clock::now() - began);
                co_return co_await fail(502, parser);
            }
            in_flight.retried();
            in_flight.end();
            ticket = next;
        }
    }

    /// Where the request goes by the rules in force.
    void take_aim()
    {
        aim = {};
        auto const& rules = service.pool.rules();
        if (!traffic::looks_at_fields(rules))
            return;
        aim = traffic::aim_of(rules, asked.fields);
        if (aim.how == traffic::way::matched)  // the rules may be others while we wait
            aim.name = matched_version.assign(aim.name);
    }

    /// Whose visitor the answer makes, and whether it converts: counted, and told by a cookie.
    void settle_visit(lease const& in_flight, bool converted)
    {
        auto const& sticky = service.pool.rules().sticky;
        if (sticky.by != traffic::sticky_by::cookie || aim.how == traffic::way::matched || !in_flight.service)
            return;
        auto const told = traffic::answer_visit(
            sticky, aim.came_with, service.pool.at(in_flight.ticket.slot).version, converted);
        in_flight.version->visitors += told.new_visitor ? 1 : 0;
        in_flight.version->converted_visitors += told.newly_converted ? 1 : 0;
        if (!told.set_cookie.empty())
            wire::append_field(own_fields, "Set-Cookie", told.set_cookie);
    }

    /// Counts what the conversion header of an answer says, which goes to the client as it is, and appends
    /// the fields that are ours.
    template<class Find>
    void append_own_fields(lease const& in_flight, Find field)
    {
        auto const& rules = service.pool.rules();
        bool converted = false;
        if (!rules.conversion_header.empty()) {
            auto const value = std::optional<std::string_view>(field(rules.conversion_header));
            converted = value == "1";
            if (value && value != "0" && !converted)
                ++service.unread_conversions;
            in_flight.counts->conversions += converted ? 1 : 0;
        }
        settle_visit(in_flight, converted);
        answer_text.append(own_fields);
    }

    /// Sent at once where all of the request is here, else copied as it comes.
    void begin_copy()
    {
        auto const& mirror = service.pool.rules().mirror;
        if (service.copies >= mirror.max_in_flight || expects) {
            ++service.copies_dropped;
            return;
        }
        ++service.copies;
        copy = request_text;
        copy->insert(copy->find("\r\n") + 2, "X-Podium-Mirror: 1\r\n");
        copy_limit = copy->find("\r\n\r\n") + 4 + mirror.body_limit_bytes;
        if (uploaded)
            send_copy();
    }
    void drop_copy()
    {
        if (!copy)
            return;
        --service.copies;
        ++service.copies_dropped;
        copy.reset();
    }
    void send_copy()
    {
        if (!copy)
            return;
        auto const& mirror = service.pool.rules().mirror;
        auto const ticket = copy->size() > copy_limit
            ? std::nullopt
            : service.pool.acquire(traffic::aim{traffic::way::matched, mirror.version, {}});
        if (!ticket || home.stopping) {
            if (ticket)
                service.pool.release(*ticket);
            drop_copy();
            return;
        }
        asio::co_spawn(home.executor,
            mirror_one(
                client.home_core, client.service, *ticket, *std::move(copy), head_only, mirror.deadline),
            asio::detached);
        copy.reset();
    }

    /// One copy and its answer, which nobody reads.
    static asio::awaitable<void> mirror_one(std::shared_ptr<core> home, std::shared_ptr<listener> service,
        traffic::ticket ticket, std::string text, bool head_only, duration deadline)
    {
        struct ended {
            listener& l;
            ~ended() { --l.copies; }
        } const at_end{*service};
        lease in_flight(*home, *service, ticket, &version_counters::mirrored);
        auto const began = clock::now();
        auto conn = take_idle(*home, *service, ticket.slot, true);
        if (!conn)
            conn = co_await dial(*home, service->pool.at(ticket.slot));
        if (!conn) {
            in_flight.end(0, clock::now() - began);
            co_return;
        }
        conn->expect_within(deadline);  // for all of it
        unsigned status = 0;
        response_parser parser;
        parser.header_limit(home->options.header_limit_bytes);
        parser.body_limit(boost::none);
        parser.skip(head_only);
        auto ec = co_await wire::write(conn->socket, text);
        if (!ec)
            ec = co_await wire::read_header(conn->socket, conn->buffer, parser);
        std::vector<char> dropped(wire::read_size);
        while (!ec && !parser.is_done())
            (void)co_await wire::read_body(
                conn->socket, conn->buffer, parser, dropped.data(), dropped.size(), ec);
        if (!ec)
            status = parser.get().result_int();
        if (!ec && status / 100 != 1 && parser.keep_alive())
            put_back(*home, *service, ticket.slot, conn);
        in_flight.end(status, clock::now() - began);
    }

    /// An idle connection to the endpoint that can be trusted; nullptr: there is none.
    static std::unique_ptr<backend> take_idle(core& home, listener& service, std::uint32_t slot, bool safe)
    {
        auto& idle = service.slots[slot].idle;
        while (!idle.empty()) {
            auto used = std::move(idle.back());
            idle.pop_back();
            if (!safe && home.deadlines.now() - used->idle_since > home.options.reuse_unsafe) {
                idle.clear();  // the others are older
                break;
            }
            if (used->quiet())
                return used;
        }
        return nullptr;
    }

    /// A new connection to the endpoint; nullptr: it cannot be reached.
    static asio::awaitable<std::unique_ptr<backend>> dial(core& home, traffic::endpoint const& to)
    {
        error_code ec;
        asio::ip::tcp::endpoint const where(asio::ip::make_address(to.address, ec), to.port);
        if (ec)
            co_return nullptr;
        auto made = std::make_unique<backend>(asio::ip::tcp::socket(home.executor), home.deadlines);
        made->expect_within(home.options.connect_deadline);
        std::tie(ec) = co_await made->socket.async_connect(where, as_result);
        if (ec)
            co_return nullptr;
        made->socket.set_option(asio::ip::tcp::no_delay(true), ec);
        co_return made;
    }

    /// Sends the request and passes the answer on. `conn` is given back to the idle ones as soon as it can
    /// be.
    asio::awaitable<attempt> exchange(
        std::unique_ptr<backend>& conn, request_parser* request, lease& in_flight, clock::time_point began)
    {
        conn->expect_within(home.options.response_deadline);
        if (auto written = wire::write_now(conn->socket, request_text); written != request_text.size()) {
            std::size_t more = 0;
            auto const ec =
                co_await wire::write(conn->socket, std::string_view(request_text).substr(written), more);
            if (ec && conn->expired)
                co_return attempt::timed_out;
            if (ec && written + more == 0)
                co_return attempt::unsent;
        }
        if (uploaded) {  // also after a failed write: an early answer may be waiting
            auto const [ec, n] =
                co_await conn->socket.async_read_some(conn->buffer.prepare(wire::read_size), as_result);
            if (ec)
                co_return conn->expired ? attempt::timed_out : attempt::unanswered;
            conn->buffer.commit(n);
            if (!take_plain_answer(conn, in_flight, began))
                co_return co_await answer(conn, in_flight, began);
            auto const written = wire::write_now(client.socket, answer_text);
            if (written != answer_text.size()) {
                answer_text.erase(0, written);
                if (co_await to_client())
                    co_return attempt::broken;
            }
            co_return attempt::answered;
        }

        using namespace asio::experimental::awaitable_operators;
        auto const upload = [&]() -> asio::awaitable<void> { co_await send_body(*conn, *request); };
        auto const download = [&]() -> asio::awaitable<attempt> {
            auto const how = co_await answer(conn, in_flight, began);
            if (!uploaded && conn) {  // answered before all was sent: nobody wants the rest
                keep_client = false;
                conn->close();
                error_code ignored;
                client.socket.cancel(ignored);
            }
            co_return how;
        };
        co_return co_await (download() && upload());
    }

    /// A plain answer that is here, body and all, needs no more than a scan. It ends the lease and gives back
    /// the connection; the answer is in `answer_text`.
    bool take_plain_answer(std::unique_ptr<backend>& conn, lease& in_flight, clock::time_point began)
    {
        auto& from = conn->buffer;
        std::string_view const text(static_cast<char const*>(from.data().data()), from.size());
        if (!modern || head_only || !plain::scan_answer(text, said) ||
            said.head_bytes > home.options.header_limit_bytes ||
            said.body_bytes > text.size() - said.head_bytes)
            return false;
        keep_client = keep_client && !home.stopping && !service.closed;
        answer_text.clear();
        plain::append_answer(answer_text, said);
        append_own_fields(in_flight, [&](std::string_view name) -> std::optional<std::string_view> {
            for (auto const& f : said.fields)
                if (traffic::detail::same_name(f.name, name))
                    return f.value;
            return std::nullopt;
        });
        answer_text.append(keep_client ? "\r\n" : "Connection: close\r\n\r\n");
        answer_text.append(text.substr(said.head_bytes, said.body_bytes));
        from.consume(said.head_bytes + said.body_bytes);
        in_flight.observe(said.status >= 500 ? traffic::outcome::failure : traffic::outcome::success);
        if (said.keep_alive)
            put_back(home, service, in_flight.ticket.slot, conn);
        in_flight.end(said.status, clock::now() - began);
        return true;
    }

    asio::awaitable<void> send_body(backend& conn, request_parser& request)
    {
        up.resize(wire::read_size);
        while (!request.is_done()) {
            client.expect_within(home.options.client_idle);
            error_code ec;
            auto const n = co_await wire::read_body(client.socket, buffer, request, up.data(), up.size(), ec);
            client.at = clock::time_point::max();
            if (ec) {
                upload_status = client.expired ? 408 : malformed(ec) ? wire::status_of(ec) : client_gone;
                conn.close();
                co_return;
            }
            body_text.clear();
            append_body(body_text, {up.data(), n}, request.is_done());
            if (copy && copy->size() + body_text.size() > copy_limit)
                drop_copy();
            if (copy)
                copy->append(body_text);
            conn.expect_within(home.options.response_deadline);
            if (co_await wire::write(conn.socket, body_text))
                co_return;  // an early answer may say why
        }
        uploaded = true;
        send_copy();
    }

    asio::awaitable<attempt> answer(std::unique_ptr<backend>& conn, lease& in_flight, clock::time_point began)
    {
        std::optional<response_parser> parser;
        bool seen = false;
        for (;;) {
            parser.emplace();
            parser->header_limit(home.options.header_limit_bytes);
            parser->body_limit(boost::none);
            parser->skip(head_only);
            conn->expect_within(home.options.response_deadline);
            auto const ec = co_await wire::read_header(conn->socket, conn->buffer, *parser);
            if (ec && conn->expired)
                co_return attempt::timed_out;
            if (ec)
                co_return seen || parser->got_some() ? attempt::nonsense : attempt::unanswered;
            auto const status = parser->get().result_int();
            if (status / 100 != 1)
                break;
            if (status == 101)
                co_return attempt::nonsense;
            seen = true;
            if (!modern)
                continue;
            begin_answer(*parser);
            answer_text.append("\r\n");
            if (co_await to_client()) {
                in_flight.end(request_counters::client_gone, clock::now() - began);
                co_return attempt::broken;
            }
        }
        auto const& head = parser->get();
        auto const status = head.result_int();
        if (head.count(http::field::content_length) > 1 || head.count(http::field::transfer_encoding) > 1 ||
            (head.count(http::field::transfer_encoding) == 1 && !parser->chunked()))
            co_return attempt::nonsense;

        bool const bodiless = head_only || status == 204 || status == 304;
        bool const measured = head.count(http::field::content_length) == 1;
        bool const chunked = modern && !measured && !bodiless;
        keep_client =
            keep_client && uploaded && !home.stopping && !service.closed && (modern || measured || bodiless);
        begin_answer(*parser);
        append_own_fields(in_flight, [&](std::string_view name) -> std::optional<std::string_view> {
            auto const at = head.find(name);
            return at == head.end() ? std::nullopt : std::optional(wire::view(at->value()));
        });
        if (measured && status != 204)
            wire::append_field(answer_text, "Content-Length", wire::view(head[http::field::content_length]));
        if (chunked)
            answer_text.append("Transfer-Encoding: chunked\r\n");
        if (keep_client != modern)
            answer_text.append(modern ? "Connection: close\r\n" : "Connection: keep-alive\r\n");
        answer_text.append("\r\n");

        error_code ec;
        down.resize(wire::read_size);
        auto n = parser->is_done() ? 0 : wire::take_body(conn->buffer, *parser, down.data(), down.size(), ec);
        for (;;) {
            bool const done = parser->is_done();
            if (chunked && n != 0)
                wire::append_chunk(answer_text, {down.data(), n});
            else
                answer_text.append(down.data(), n);
            if (chunked && done)
                answer_text.append(wire::last_chunk);
            if (done) {  // the endpoint has done its part, however slowly the client reads
                in_flight.observe(status >= 500 ? traffic::outcome::failure : traffic::outcome::success);
                if (uploaded && parser->keep_alive())
                    put_back(home, service, in_flight.ticket.slot, conn);
                in_flight.end(status, clock::now() - began);
            }
            error_code gone;
            if (!ec && !answer_text.empty())
                gone = co_await to_client();
            if (gone) {
                in_flight.end(status, clock::now() - began);  // the client hung up: not the endpoint's fault
                co_return attempt::broken;
            }
            if (done)
                co_return attempt::answered;
            if (ec)
                co_return attempt::broken;
            answer_text.clear();
            conn->expect_within(home.options.response_deadline);
            n = co_await wire::read_body(conn->socket, conn->buffer, *parser, down.data(), down.size(), ec);
        }
    }

    void begin_answer(response_parser const& parser)
    {
        auto const& head = parser.get();
        answer_text.assign("HTTP/1.1 ").append(std::to_string(head.result_int())).append(" ");
        answer_text.append(wire::view(head.reason())).append("\r\n");
        detail::append_end_to_end(answer_text, head, false);
    }

    asio::awaitable<error_code> to_client()
    {
        client.expect_within(home.options.client_idle);
        auto const ec = co_await wire::write(client.socket, answer_text);
        client.at = clock::time_point::max();
        co_return ec;
    }

    /// To the idle ones, unless nobody may use it again.
    static void put_back(core& home, listener& service, std::uint32_t slot, std::unique_ptr<backend>& conn)
    {
        auto& idle = service.slots[slot].idle;
        if (conn->buffer.size() != 0 || !service.pool.takes_new(slot) || service.closed || home.stopping ||
            idle.size() >= home.options.max_idle_per_endpoint)
            return;
        conn->at = clock::time_point::max();
        conn->idle_since = home.deadlines.now();
        idle.push_back(std::move(conn));
    }

    /// An endpoint as soon as there is one, within the time allowed.
    asio::awaitable<std::optional<traffic::ticket>> wait_for_endpoint()
    {
        if (service.patience <= duration::zero() || service.waiting.size() >= home.options.max_waiting)
            co_return std::nullopt;
        auto const until = clock::now() + service.patience;
        asio::steady_timer timer(home.executor);
        struct queued {
            std::vector<asio::steady_timer*>& queue;
            asio::steady_timer* self;
            queued(std::vector<asio::steady_timer*>& q, asio::steady_timer* s) : queue(q), self(s)
            {
                queue.push_back(s);
            }
            queued(queued const&) = delete;
            queued& operator=(queued const&) = delete;
            ~queued() { std::erase(queue, self); }
        } const in_queue(service.waiting, &timer);
        if (service.waiting.size() == 1 && home.options.waiting)
            home.options.waiting(service.name);
        while (!service.closed && !home.stopping && clock::now() < until) {
            timer.expires_at(until);
            co_await timer.async_wait(as_result);
            if (auto ticket = service.pool.acquire(aim))
                co_return ticket;
        }
        co_return std::nullopt;
    }

    /// Our own answer to a request that is understood and cannot be served; true: the connection may go on.
    asio::awaitable<bool> fail(unsigned status, request_parser const* parser)
    {
        keep_client = keep_client && (!parser || parser->is_done()) && !home.stopping;
        co_return co_await say(status,
            status == 503       ? "no endpoint is ready"
                : status == 504 ? "the endpoint did not answer in time"
                                : "the endpoint did not answer properly");
    }

    /// Our own answer to a request that is not understood. The connection ends.
    asio::awaitable<bool> refuse(unsigned status, std::string why)
    {
        ++service.bad_requests;
        keep_client = false;
        head_only = false;
        co_return co_await say(status, std::move(why));
    }

    asio::awaitable<bool> say(unsigned status, std::string words)
    {
        words += '\n';
        answer_text.assign("HTTP/1.1 ").append(std::to_string(status)).append(" ");
        answer_text.append(wire::view(http::obsolete_reason(static_cast<http::status>(status))))
            .append("\r\n");
        if (status == 503) {
            auto const seconds = std::chrono::ceil<std::chrono::seconds>(home.options.retry_after).count();
            wire::append_field(answer_text, "Retry-After", std::to_string(seconds));
        }
        answer_text.append(own_fields).append("Content-Type: text/plain\r\n");
        wire::append_field(answer_text, "Content-Length", std::to_string(words.size()));
        wire::append_field(answer_text, "Connection", keep_client ? "keep-alive" : "close");
        answer_text.append("\r\n");
        if (!head_only)
            answer_text.append(words);
        if (co_await to_client())
            co_return false;
        if (!keep_client) {
            client.expect_within(std::chrono::seconds(1));
            co_await wire::linger(client.socket);
        }
        co_return keep_client;
    }
};

/// One client's connection, passed on byte by byte.
struct proxy::tcp_session {
    connection& client;

    asio::awaitable<void> run()
    {
        auto& home = *client.home_core;
        auto& service = *client.service;
        client.busy = true;
        http_session waiter(client);
        std::vector<std::uint32_t> tried;
        for (;;) {
            auto ticket = service.pool.acquire(tried);
            if (!ticket && tried.empty())
                ticket = co_await waiter.wait_for_endpoint();
            if (!ticket) {
                ++service.refused;
                client.close();
                co_return;
            }
            lease in_flight(home, service, *ticket);
            auto const began = detail::proxy_clock::now();
            auto const conn = co_await http_session::dial(home, service.pool.at(ticket->slot));
            if (!conn) {
                in_flight.retried();
                in_flight.observe(traffic::outcome::failure);
                tried.push_back(ticket->slot);
                continue;
            }
            conn->at = detail::proxy_clock::time_point::max();
            using namespace asio::experimental::awaitable_operators;
            auto const [sent, received] = co_await (pump(client, *conn) && pump(*conn, client));
            bool const whole = sent && received;
            if (whole)  // who of the two broke it off is not known
                in_flight.observe(traffic::outcome::success);
            in_flight.end(whole ? 200 : 0, detail::proxy_clock::now() - began);
            client.close();
            co_return;
        }
    }

    using end = detail::deadline_sweep::entry;

    /// True: it ended as `from` wished, and `to` was told.
    static asio::awaitable<bool> pump(end& from, end& to)
    {
        std::vector<char> bytes(wire::read_size);
        error_code ignored;
        for (;;) {
            auto [ec, n] = co_await from.socket.async_read_some(asio::buffer(bytes), as_result);
            if (ec == asio::error::eof) {
                to.socket.shutdown(asio::socket_base::shutdown_send, ignored);
                co_return true;
            }
            if (!ec)
                ec = co_await wire::write(to.socket, {bytes.data(), n});
            if (ec) {
                from.close();
                to.close();
                co_return false;
            }
        }
    }
};

inline proxy::listener::listener(core& c, proxy_service const& s)
    : home(c),
      name(s.name),
      speaks(s.speaks),
      acceptor(c.executor),
      pool(s.balancer),
      patience(c.options.wait_for_endpoint)
{
}

inline void proxy::core::stop_listening()
{
    stopping = true;
    for (auto& [name, l] : services)
        l->close();
}

inline void proxy::core::cut()
{
    stop_listening();
    sweeper.cancel();
    deadlines.close_all();
}

inline asio::awaitable<void> proxy::core::sweep(std::shared_ptr<core> self)
{
    while (!self->stopping || !self->connections.empty()) {
        self->sweeper.expires_after(self->options.sweep_period);
        co_await self->sweeper.async_wait(as_result);
        auto const now = detail::proxy_clock::now();
        self->deadlines.look(now);
        for (auto& [name, l] : self->services) {
            if (l->pool.wake_at() != never)
                l->pool.advance(detail::traffic_now());
            for (auto& s : l->slots)
                std::erase_if(
                    s.idle, [&](auto const& b) { return now - b->idle_since > self->options.backend_idle; });
        }
    }
}

inline asio::awaitable<void> proxy::core::accept(std::shared_ptr<core> self, std::shared_ptr<listener> l)
{
    struct serve {
        // The arguments live longer than what is made of them here, which needs the core to its end.
        static asio::awaitable<void> client(
            std::shared_ptr<core> c, std::shared_ptr<listener> of, asio::ip::tcp::socket s)
        {
            connection made(c, of, std::move(s));
            if (of->speaks == proxy_service::mode::tcp) {
                co_await tcp_session{made}.run();
            } else {
                http_session session(made);
                co_await session.run();
            }
        }
    };
    asio::steady_timer pause(self->executor);
    while (!l->closed) {
        if (l->connections >= self->options.max_connections) {
            pause.expires_after(std::chrono::milliseconds(5));
            co_await pause.async_wait(as_result);
            continue;
        }
        auto [ec, socket] = co_await l->acceptor.async_accept(as_result);
        if (l->closed)
            break;
        if (ec) {  // out of descriptors or memory, say: asking again at once would only burn the processor
            if (ec != asio::error::connection_aborted) {
                pause.expires_after(std::chrono::milliseconds(50));
                co_await pause.async_wait(as_result);
            }
            continue;
        }
        socket.set_option(asio::ip::tcp::no_delay(true), ec);
        asio::co_spawn(self->executor, serve::client(self, l, std::move(socket)), asio::detached);
    }
}

inline proxy::proxy(asio::any_io_executor executor, proxy_options options)
    : core_(std::make_shared<core>(std::move(executor), std::move(options)))
{
    asio::co_spawn(core_->executor, core::sweep(core_), asio::detached);
}

inline proxy::~proxy()
{
    core_->cut();
}

inline result<std::uint16_t> proxy::open(proxy_service const& service)
{
    error_code ec;
    auto const ip = asio::ip::make_address(service.address, ec);
    if (ec)
        return error{errc::invalid, "must be an IP address", "address"};
    if (core_->services.contains(service.name))
        return error{errc::already_exists, "a service of this name is open: " + service.name, "name"};
    auto l = std::make_shared<listener>(*core_, service);
    asio::ip::tcp::endpoint const at(ip, service.port);
    l->acceptor.open(at.protocol(), ec);
    if (!ec)
        l->acceptor.set_option(asio::socket_base::reuse_address(true), ec);
    if (!ec)
        l->acceptor.bind(at, ec);
    if (!ec)
        l->acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec)
        return error{errc::unavailable,
            "cannot listen on " + service.address + ':' + std::to_string(service.port) + ": " + ec.message()};
    auto const port = l->acceptor.local_endpoint(ec).port();
    core_->services.emplace(service.name, l);
    asio::co_spawn(core_->executor, core::accept(core_, l), asio::detached);
    return port;
}

inline result<void> proxy::close(std::string_view name)
{
    auto const at = core_->services.find(name);
    if (at == core_->services.end())
        return error{errc::not_found, "no such service is open: " + std::string(name), "service"};
    auto const l = at->second;
    core_->services.erase(at);
    l->close();
    for (auto* c : core_->connections)
        if (c->service == l && !c->busy)
            c->close();
    return {};
}

inline result<void> proxy::apply(std::string_view name, traffic::endpoint_set const& set)
{
    auto const at = core_->services.find(name);
    if (at == core_->services.end())
        return error{errc::not_found, "no such service is open: " + std::string(name), "service"};
    auto& l = *at->second;
    auto applied = l.pool.apply(set);
    if (applied) {
        l.settle(set);
        l.wake();
    }
    return applied;
}

inline result<void> proxy::hold(std::string_view name, duration most)
{
    auto const at = core_->services.find(name);
    if (at == core_->services.end())
        return error{errc::not_found, "no such service is open: " + std::string(name), "service"};
    at->second->patience = most;
    return {};
}

inline router_status proxy::status() const
{
    router_status out;
    for (auto const& [name, l] : core_->services) {
        auto& s = out[name];
        s.generation = l->pool.generation();
        for (auto const& e : l->pool.loads())
            s.endpoints.push_back({e.id, e.version, e.in_flight, e.rule, l->slots[e.slot].counters,
                e.ejected_until.has_value()});
        for (auto const& [version, counters] : l->versions)
            s.versions.emplace_hint(s.versions.end(), version, counters);
        s.forgotten = l->forgotten;
        s.waiting = static_cast<std::uint32_t>(l->waiting.size());
        s.refused = l->refused;
        s.bad_requests = l->bad_requests;
        s.copies_dropped = l->copies_dropped;
        s.unread_conversions = l->unread_conversions;
    }
    return out;
}

inline std::size_t proxy::connections() const noexcept
{
    return core_->connections.size();
}

inline asio::awaitable<void> proxy::stop(duration grace)
{
    auto const c = core_;
    c->stop_listening();
    for (auto* client : c->connections)
        if (!client->busy)
            client->close();
    auto const until = detail::proxy_clock::now() + grace;
    asio::steady_timer timer(c->executor);
    while (!c->connections.empty() && detail::proxy_clock::now() < until) {
        timer.expires_after(std::chrono::milliseconds(5));
        if (auto [ec] = co_await timer.async_wait(as_result); ec)
            break;
    }
    c->cut();
}

static_assert(Router<proxy>);

}  // namespace podium::v0::net
