/// The shop's web service: many of it stand behind one Service, and it can be told to misbehave.
///
///     GET  /            {"version", "pod", "ip", "greeting", "served"}; headers X-Version, X-Conversion
///     POST /order       stores an order in the db; the same headers. `X-Order: ID` names it, and sending it
///     again
///                       stores it once; the body is its text
///     GET  /orders      what the db has
///     GET  /slow?ms=N   answers after N milliseconds
///     GET  /search?ms=N answers after N milliseconds of CPU time, which it uses
///     GET  /version, /healthz, /readyz
///     POST /control?fault=F   none; unready: /readyz says 503; orders: POST /order answers 500; burn: takes
///                       all CPU it gets; hang: answers nothing any more, not even SIGTERM; crash: exits with
///                       3
///
/// From the environment: POD_IP, PORT, POD_NAME, VERSION, GREETING, START_DELAY_MS, FAULT (from the start),
/// CONVERSION_RATE (the share of visitors who buy, 0 to 1; who does depends on `X-Visitor` alone, so each
/// visitor would buy from every version whose rate is high enough), DB_SERVICE_HOST, DB_SERVICE_PORT,
/// DB_PASSWORD.

#include "serve.hpp"

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

namespace {

using namespace shop;
using nlohmann::json;

struct settings {
    std::string ip = setting("POD_IP", "127.0.0.1");
    std::uint16_t port = setting<std::uint16_t>("PORT", 8080, 1, 65535);
    std::string pod = setting("POD_NAME", "web");
    std::string version = setting("VERSION", "dev");
    std::string greeting = setting("GREETING", "Hello");
    std::string fault = setting("FAULT", "none");
    unsigned start_delay_ms = setting<unsigned>("START_DELAY_MS", 0, 0, 3'600'000);
    double conversion_rate = setting<double>("CONVERSION_RATE", 0.05, 0, 1);
    std::string db_ip = setting("DB_SERVICE_HOST");
    std::uint16_t db_port = setting<std::uint16_t>("DB_SERVICE_PORT", 5432, 1, 65535);
    std::string db_password = setting("DB_PASSWORD");
};

/// Requests to the db over connections that are kept. What is sent must be safe to send twice: a kept
/// connection may turn out to be dead, and then a new one is tried.
class database {
public:
    database(asio::io_context& io, settings const& s) : io_(io), settings_(s) {}

    void close() { kept_.clear(); }

    /// Throws when there is no answer within 2 s.
    asio::awaitable<response> call(request asked)
    {
        if (settings_.db_ip.empty())
            throw std::runtime_error("DB_SERVICE_HOST is not set");
        asked.set(http::field::host, settings_.db_ip);
        asked.set(http::field::authorization, "Bearer " + settings_.db_password);
        asked.prepare_payload();
        for (;;) {
            bool const kept = !kept_.empty();
            auto stream = std::make_unique<beast::tcp_stream>(io_);
            if (kept) {
                stream = std::move(kept_.back());
                kept_.pop_back();
            }
            stream->expires_after(2s);
            response answer;
            auto const ec = co_await exchange(*stream, asked, answer, !kept);
            if (ec && kept)
                continue;
            if (ec)
                throw boost::system::system_error(ec, "the db");
            stream->expires_never();
            if (answer.keep_alive() && kept_.size() < 16)
                kept_.push_back(std::move(stream));
            co_return answer;
        }
    }

private:
    asio::awaitable<error_code> exchange(
        beast::tcp_stream& stream, request const& asked, response& answer, bool fresh)
    {
        error_code ec;
        if (fresh) {
            tcp::endpoint const where(asio::ip::make_address(settings_.db_ip), settings_.db_port);
            ec = std::get<0>(co_await stream.async_connect(where, as_result));
        }
        if (!ec)
            ec = std::get<0>(co_await http::async_write(stream, asked, as_result));
        beast::flat_buffer buffer;
        if (!ec)
            ec = std::get<0>(co_await http::async_read(stream, buffer, answer, as_result));
        co_return ec;
    }

    asio::io_context& io_;
    settings const& settings_;
    std::vector<std::unique_ptr<beast::tcp_stream>> kept_{};
};

/// Whether this visitor buys at this rate: the same answer from every pod, whatever was asked before.
bool buys(std::string_view visitor, double rate)
{
    std::uint64_t h = 0xcbf29ce484222325U;  // FNV-1a, then mixed, for its high bits alone are too regular
    for (char const c : visitor)
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdU;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53U;
    return static_cast<double>((h ^ (h >> 33)) >> 11) * 0x1p-53 < rate;
}

class web {
public:
    web(asio::io_context& io, settings const& s)
        : io_(io),
          settings_(s),
          database_(io, s),
          serving_(io, [this](request const& asked) { return answer(asked); }),
          delay_(io)
    {
        serving_.on_stop = [this] {
            delay_.cancel();
            database_.close();
        };
        delay_.expires_after(std::chrono::milliseconds(s.start_delay_ms));
        delay_.async_wait([this](error_code ec) {
            if (ec || serving_.stopping())
                return;
            serving_.listen(settings_.ip, settings_.port);
            std::cout << "web " << settings_.version << ": " << settings_.pod << " listens on "
                      << settings_.ip << ':' << settings_.port << std::endl;
        });
        if (!control(s.fault, std::chrono::milliseconds(s.start_delay_ms)))
            throw std::invalid_argument("FAULT must be none, unready, orders, burn, hang or crash");
    }

    [[nodiscard]] std::uint64_t served() const { return served_; }

private:
    asio::awaitable<response> answer(request const& asked)
    {
        auto const where = path(asked);
        if (where == "/healthz")
            co_return reply(http::status::ok, "ok\n");
        if (where == "/readyz")
            co_return unready_ ? reply(http::status::service_unavailable, "not ready\n")
                               : reply(http::status::ok, "ok\n");
        if (where == "/control" && asked.method() == http::verb::post)
            co_return control(query(asked, "fault"))
                ? reply(http::status::ok, "as you wish\n")
                : reply(http::status::bad_request,
                      "fault must be none, unready, orders, burn, hang or crash\n");
        ++served_;
        response out =
            reply(http::status::not_found, "there is /, /order, /orders, /search, /slow and /version\n");
        if (where == "/")
            out = reply(http::status::ok, about(), "application/json");
        else if (where == "/version")
            out = reply(http::status::ok, settings_.version + '\n');
        else if (where == "/slow")
            out = co_await slow(query(asked, "ms"));
        else if (where == "/search")
            out = search(query(asked, "ms"));
        else if (where == "/orders")
            out = co_await from_db(request(http::verb::get, "/orders", 11));
        else if (where == "/order" && asked.method() == http::verb::post)
            out = co_await order(asked);
        else if (where == "/order")
            out = reply(http::status::method_not_allowed, "orders are POSTed\n");
        auto visitor = std::string(view(asked["X-Visitor"]));
        if (visitor.empty())
            visitor = unique();
        out.set("X-Version", settings_.version);
        out.set("X-Pod", settings_.pod);
        out.set("X-Conversion", buys(visitor, settings_.conversion_rate) ? "1" : "0");
        co_return out;
    }

    std::string about() const
    {
        return json{{"version", settings_.version}, {"pod", settings_.pod}, {"ip", settings_.ip},
                   {"greeting", settings_.greeting}, {"served", served_}}
                   .dump() +
            '\n';
    }

    /// A number of milliseconds, at most `most`; none: it is something else.
    static std::optional<unsigned> milliseconds(std::string_view text, unsigned most)
    {
        unsigned n = 0;
        auto const [end, problem] = std::from_chars(text.data(), text.data() + text.size(), n);
        if (problem != std::errc{} || end != text.data() + text.size() || n > most)
            return {};
        return n;
    }

    /// Uses as much on a busy machine as on an idle one: CPU time is counted, not the time that passes.
    static response search(std::string_view text)
    {
        auto const ms = milliseconds(text, 1000);
        if (!ms)
            return reply(http::status::bad_request, "ms must be a number up to 1000\n");
        auto const used = [] {
            timespec t{};
            ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
            return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
        };
        for (auto const end = used() + std::chrono::milliseconds(*ms); used() < end;) {
        }
        return reply(http::status::ok, "found\n");
    }

    asio::awaitable<response> slow(std::string_view text)
    {
        auto const ms = milliseconds(text, 600'000);
        if (!ms)
            co_return reply(http::status::bad_request, "ms must be a number up to 600000\n");
        asio::steady_timer timer(io_, std::chrono::milliseconds(*ms));
        co_await timer.async_wait(as_result);
        co_return reply(http::status::ok, "at last\n");
    }

    asio::awaitable<response> order(request const& asked)
    {
        if (refuses_orders_)
            co_return reply(http::status::internal_server_error, "orders are refused, as told\n");
        auto id = std::string(view(asked["X-Order"]));
        if (id.empty())
            id = unique();
        request put(http::verb::put, "/orders/" + id, 11);
        put.body() = asked.body();
        auto stored = co_await from_db(std::move(put));
        if (stored.result() == http::status::created || stored.result() == http::status::ok)
            stored = reply(stored.result(), json{{"order", id}, {"version", settings_.version}}.dump() + '\n',
                "application/json");
        co_return stored;
    }

    /// The db's answer; a 503 when there is none, or it has troubles of its own.
    asio::awaitable<response> from_db(request asked)
    {
        std::string why;
        try {
            auto const got = co_await database_.call(std::move(asked));
            if (got.result_int() < 500 && got.result() != http::status::unauthorized)
                co_return reply(got.result(), got.body());
            why = "the db answered " + std::to_string(got.result_int());
        } catch (std::exception const& e) {
            why = e.what();
        }
        co_return reply(http::status::service_unavailable, why + '\n');
    }

    /// The fault begins after `delay` and a moment, to leave time to answer. False when there is no such
    /// fault.
    bool control(std::string_view fault, std::chrono::milliseconds delay = 0ms)
    {
        if (fault == "none") {
            unready_ = false;
            refuses_orders_ = false;
            burning_ = false;
        } else if (fault == "unready") {
            unready_ = true;
        } else if (fault == "orders") {
            refuses_orders_ = true;
        } else if (fault == "burn") {
            if (!std::exchange(burning_, true))
                burn();
        } else if (fault == "hang") {
            soon(delay, [] {
                std::cout << "web: hanging, as told" << std::endl;
                for (;;)
                    ::pause();
            });
        } else if (fault == "crash") {
            soon(delay, [] {
                std::cout << "web: crashing, as told" << std::endl;
                std::_Exit(3);
            });
        } else {
            return false;
        }
        return true;
    }

    void soon(std::chrono::milliseconds delay, void (*what)())
    {
        auto timer = std::make_shared<asio::steady_timer>(io_, delay + 20ms);
        timer->async_wait([timer, what](error_code) { what(); });
    }

    void burn()
    {
        for (auto const end = std::chrono::steady_clock::now() + 5ms;
            std::chrono::steady_clock::now() < end;) {
        }
        if (burning_ && !serving_.stopping())
            asio::post(io_, [this] { burn(); });
    }

    std::string unique()
    {
        return settings_.pod + '-' + std::to_string(born_.time_since_epoch().count()) + '-' +
            std::to_string(++given_);
    }

    asio::io_context& io_;
    settings const& settings_;
    database database_;
    server serving_;
    asio::steady_timer delay_;
    std::chrono::system_clock::time_point born_ = std::chrono::system_clock::now();
    std::uint64_t served_ = 0;
    std::uint64_t given_ = 0;
    bool unready_ = false;
    bool refuses_orders_ = false;
    bool burning_ = false;
};

}  // namespace

int main()
try {
    settings const from_environment;
    asio::io_context io(1);
    web service(io, from_environment);
    io.run();
    std::cout << "web " << from_environment.version << ": " << from_environment.pod << " served "
              << service.served() << " requests, bye" << std::endl;
} catch (std::exception const& e) {
    std::cerr << "web: " << e.what() << std::endl;
    return 1;
}
