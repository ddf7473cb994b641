#pragma once
/// The dashboard: a page that shows a cluster as it is and as it changes, on loopback, for looking only.
///
///     cluster::dashboard page(io.get_executor(), cluster);
///     auto const where = page.listen(net::address::tcp("127.0.0.1", 8001));
///     ...
///     co_await page.stop();   // before the cluster is destroyed
///
///     /           the page: one document, no other resource
///     /overview   what it shows, as JSON (see overview.hpp)
///     /events     the same as server-sent events: `state` once, then `patch`, a JSON merge patch of it
///     /logs/NAMESPACE/POD?container=NAME   the last lines of a log and what comes
///     /metrics    for Prometheus (see metrics.hpp)
///     /decisions  what the autoscalers decided and why, a line of JSON each (see decisions.hpp)
///     /healthz    200 while the executor turns
///     /readyz     200 while the cluster is up; 503 says what it is not; ?verbose says it in either case
///
/// Whoever may open a connection to the loopback address sees it, so: no Secret and no environment is in any
/// answer (a log is what its program printed), only GET and HEAD are answered, and only to a Host that names
/// this machine (a web site cannot point a name of its own at 127.0.0.1 and read along). Nothing is computed
/// while nobody looks, but a sample of the counters each second. A client that does not keep up is let go;
/// browsers come back by themselves.
///
/// Source: server-sent events: WHATWG HTML, 9.2; /readyz?verbose: Kubernetes' API health endpoints.

#include <podium/api/path.hpp>
#include <podium/api/status.hpp>
#include <podium/cluster/cluster.hpp>
#include <podium/cluster/dashboard_page.hpp>
#include <podium/cluster/decisions.hpp>
#include <podium/cluster/history.hpp>
#include <podium/cluster/metrics.hpp>
#include <podium/cluster/overview.hpp>
#include <podium/net/address.hpp>
#include <podium/net/api_server.hpp>
#include <podium/net/http_server.hpp>
#include <podium/observe/exposition.hpp>
#include <podium/store/clock.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/core/string.hpp>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace podium::inline v0::cluster {

/// Does a Host header name this machine, at this port? Only "localhost", addresses of 127.0.0.0/8 and
/// "[::1]"; a port that is left out is 80.
[[nodiscard]] inline bool is_local_host(std::string_view host, std::uint16_t port)
{
    auto const bracket = host.starts_with('[') ? host.find(']') : 0;
    if (bracket == host.npos)
        return false;
    auto const colon = host.find(':', bracket);
    auto const name = host.substr(0, colon);
    unsigned said = 80;
    if (colon != host.npos) {
        auto const digits = host.substr(colon + 1);
        auto const [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), said);
        if (failed != std::errc() || end != digits.data() + digits.size())
            return false;
    }
    if (said != port)
        return false;
    if (boost::beast::iequals(boost::beast::string_view(name.data(), name.size()), "localhost") ||
        name == "[::1]")
        return true;
    boost::system::error_code wrong;
    auto const ip = asio::ip::make_address_v4(name, wrong);
    return !wrong && ip.is_loopback();
}

struct dashboard_options {
    std::size_t clients = 16;                        ///< that follow at once; more are answered 503
    std::size_t backlog_bytes = 16 * 1024 * 1024;    ///< that one may be behind
    duration pace = std::chrono::milliseconds(250);  ///< from one message to the next, at least
    overview_limits shown{};
};

/// To be used on the strand of the cluster, which must outlive it.
template<class Local>
class basic_dashboard {
public:
    basic_dashboard(asio::any_io_executor executor, Local& cluster, dashboard_options how = {})
        : executor_(executor),
          cluster_(cluster),
          how_(how),
          server_(executor, [this](net::http_request r) { return serve(std::move(r)); },
              {.body_limit_bytes = 4096, .max_connections = 256})
    {
    }
    basic_dashboard(basic_dashboard const&) = delete;
    basic_dashboard& operator=(basic_dashboard const&) = delete;

    /// Where it listens; port 0 takes a free one. Errors: `forbidden` for any address but loopback, those of
    /// `http_server::listen`.
    [[nodiscard]] result<net::address> listen(net::address where);

    /// Ends all streams and waits for requests under way, at most for `grace`. Harmless when called again.
    asio::awaitable<void> stop(duration grace = std::chrono::seconds(1));

    /// How many follow.
    [[nodiscard]] std::size_t clients()
    {
        std::erase_if(feeds_, [](auto const& f) { return f.use_count() == 1; });
        return feeds_.size();
    }

private:
    asio::awaitable<net::http_answer> serve(net::http_request r);
    asio::awaitable<void> run();
    void publish(time_point now);
    net::http_answer follow();
    asio::awaitable<net::http_answer> log(std::string pod, std::string query);
    net::http_response page() const;
    net::http_response ready(std::string_view query) const;
    [[nodiscard]] model::json look(time_point now) const;

    static std::string message(std::string_view event, model::json const& data)
    {
        // What is no UTF-8 (a container may print anything) is replaced, so this never throws.
        return "event: " + std::string(event) +
            "\ndata: " + data.dump(-1, ' ', false, model::json::error_handler_t::replace) + "\n\n";
    }
    static net::http_response refusal(unsigned status, std::string text)
    {
        return net::answer(status, std::move(text) + '\n', "text/plain; charset=utf-8");
    }
    static net::http_response guarded(net::http_response r)
    {
        r.set("X-Content-Type-Options", "nosniff");
        r.set("Referrer-Policy", "no-referrer");
        r.set("Cross-Origin-Resource-Policy", "same-origin");
        r.set(net::http::field::cache_control, "no-store");
        if (r.count("Content-Security-Policy") == 0)
            r.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
        return r;
    }

    asio::any_io_executor executor_;
    Local& cluster_;
    dashboard_options how_;
    net::http_server server_;
    std::optional<net::address> where_{};
    history history_{};
    reconcile::revision seen_{};  ///< of the view, when it was published
    model::json shown_{};         ///< what every client has
    std::list<std::shared_ptr<net::api_feed>> feeds_{};
    asio::cancellation_signal stop_{};
    bool running_ = false;
};

// Not inline: another unit may have these (see <podium/cluster/src.hpp>).

template<class Local>
result<net::address> basic_dashboard<Local>::listen(net::address where)
{
    boost::system::error_code wrong;
    auto const ip = asio::ip::make_address(where.ip, wrong);
    if (!where.path.empty() || wrong)
        return error{errc::invalid,
            "the dashboard listens on an IP address, not on \"" +
                (where.path.empty() ? where.ip : where.path) + '"',
            "dashboard"};
    if (!ip.is_loopback())
        return error{errc::forbidden,
            "the dashboard has no passwords, so it listens on loopback only (127.0.0.1 or ::1), not on " +
                where.ip,
            "dashboard"};
    auto listening = server_.listen(std::move(where));
    if (!listening)
        return listening;
    where_ = *listening;
    if (!std::exchange(running_, true))
        asio::co_spawn(
            executor_, run(), asio::bind_cancellation_slot(stop_.slot(), [this](std::exception_ptr failed) {
                running_ = false;
                if (failed)
                    std::rethrow_exception(failed);
            }));
    return listening;
}

template<class Local>
asio::awaitable<void> basic_dashboard<Local>::stop(duration grace)
{
    for (auto const& feed : feeds_)
        feed->end();
    stop_.emit(asio::cancellation_type::terminal);
    co_await server_.stop(grace);
    asio::steady_timer timer(executor_);
    while (running_) {
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(net::as_result);
    }
    feeds_.clear();
}

template<class Local>
asio::awaitable<void> basic_dashboard<Local>::run()
{
    co_await asio::this_coro::throw_if_cancelled(false);
    auto const cancellation = co_await asio::this_coro::cancellation_state;
    auto const stopped = [&] { return cancellation.cancelled() != asio::cancellation_type::none; };
    asio::steady_timer timer(executor_);
    auto next_sample = store::clock::now();
    while (!stopped()) {
        auto const now = store::clock::now();
        bool const due = now >= next_sample;
        if (due) {
            history_.observe(cluster_.traffic(), now);
            std::map<std::string, history::scaling> scaled;
            for (auto const a : cluster_.view().template all<model::horizontal_pod_autoscaler>())
                scaled[detail::full_name(a->metadata)] = {detail::load_of(*a), a->status.current_replicas};
            history_.observe(scaled);
            next_sample = later(now, std::chrono::seconds(1));
        }
        if (due || cluster_.view().at() != seen_) {
            seen_ = cluster_.view().at();
            history_.observe_analyses(cluster_.view(), now);
            publish(now);
        }
        timer.expires_after(how_.pace);
        co_await timer.async_wait(net::as_result);
        if (!stopped() && cluster_.view().at() == seen_)
            co_await cluster_.changed(elapsed(store::clock::now(), next_sample));
    }
}

template<class Local>
model::json basic_dashboard<Local>::look(time_point now) const
{
    auto out = overview(
        cluster_.view(), {cluster_.traffic(), history_.services(), cluster_.usage()}, now, how_.shown);
    out["sample"] = history_.samples();
    out["stage"] = to_string(cluster_.stage());
    return out;
}

template<class Local>
void basic_dashboard<Local>::publish(time_point now)
{
    if (clients() == 0)
        return;
    auto next = look(now);
    auto const text = message("patch", merge_difference(shown_, next));
    shown_ = std::move(next);
    std::erase_if(feeds_, [&](auto const& feed) { return !feed->push(text); });
}

template<class Local>
net::http_answer basic_dashboard<Local>::follow()
{
    if (clients() >= how_.clients) {
        auto full = refusal(503, "too many pages are open");
        full.set(net::http::field::retry_after, "5");
        return guarded(std::move(full));
    }
    if (feeds_.empty())
        shown_ = look(store::clock::now());
    auto feed = std::make_shared<net::api_feed>(executor_, how_.backlog_bytes);
    auto state = shown_;
    state["history"] = history_.to_json();
    feed->push(message("state", state));
    feeds_.push_back(feed);
    return {guarded(net::answer(200, {}, "text/event-stream")),
        [feed](net::http_stream& out) { return net::pour(feed, out); }};
}

template<class Local>
net::http_response basic_dashboard<Local>::page() const
{
    // A script or style without the number of this very answer is not run, whatever got into the page.
    std::random_device random;
    std::string nonce;
    for (int i = 0; i < 4; ++i)
        for (auto bits = random(), digits = 0u; digits < 8; ++digits, bits >>= 4)
            nonce += "0123456789abcdef"[bits & 15u];
    auto made = net::answer(200, dashboard_page(nonce), "text/html; charset=utf-8");
    made.set("Content-Security-Policy",
        "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
            "'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors "
            "'none'");
    return made;
}

template<class Local>
net::http_response basic_dashboard<Local>::ready(std::string_view query) const
{
    auto const stage = cluster_.stage();
    std::string checks, reason;
    auto const check = [&](std::string_view name, std::string wrong) {
        ((checks += wrong.empty() ? "[+]" : "[-]") += name) +=
            wrong.empty() ? " ok\n" : " failed: " + wrong + '\n';
        if (reason.empty())
            reason = wrong;
    };
    check("ping", {});
    check("cluster",
        stage == cluster::stage::up ? std::string() : "the cluster is " + std::string(to_string(stage)));
    check("router", cluster_.routing() ? std::string() : "the router does not serve");
    if (query == "verbose" || query.starts_with("verbose=") || query.starts_with("verbose&"))
        return refusal(reason.empty() ? 200 : 503,
            checks + (reason.empty() ? "readyz check passed" : "readyz check failed"));
    return refusal(reason.empty() ? 200 : 503, reason.empty() ? "ok" : reason);
}

template<class Local>
asio::awaitable<net::http_answer> basic_dashboard<Local>::serve(net::http_request r)
{
    using net::http::field;
    using net::http::verb;
    if (!where_ || !is_local_host(net::wire::view(r[field::host]), where_->port))
        co_return guarded(
            refusal(421, "this page answers to localhost, 127.0.0.1 and [::1] with its own port only"));
    if (r.method() != verb::get && r.method() != verb::head) {
        auto no = refusal(405, "this page is for looking only");
        no.set(field::allow, "GET, HEAD");
        co_return guarded(std::move(no));
    }
    auto const target = net::wire::view(r.target());
    auto const mark = target.find('?');
    auto const path = target.substr(0, mark);
    auto const query = mark == target.npos ? std::string_view{} : target.substr(mark + 1);
    if (path == "/healthz")
        co_return guarded(refusal(200, "ok"));
    if (path == "/readyz")
        co_return guarded(ready(query));
    if (path == "/")
        co_return guarded(page());
    // Browsers say who asks; only the page itself has to, and people.
    if (auto const from = net::wire::view(r["Sec-Fetch-Site"]); from == "cross-site" || from == "same-site")
        co_return guarded(refusal(403, "another site has no business here"));
    if (path == "/overview")
        co_return guarded(net::answer(200,
            look(store::clock::now()).dump(-1, ' ', false, model::json::error_handler_t::replace) + '\n',
            "application/json"));
    if (path == "/metrics") {
        observe::exposition figures;
        expose(figures, std::as_const(cluster_));
        co_return guarded(net::answer(200, figures.text(), observe::exposition::content_type));
    }
    if (path == "/decisions")
        co_return guarded(
            net::answer(200, decision_lines(cluster_.decisions()), "text/plain; charset=utf-8"));
    if (path == "/events" && r.method() == verb::get)
        co_return follow();
    if (path.starts_with("/logs/"))
        co_return co_await log(std::string(path.substr(6)), std::string(query));
    co_return guarded(refusal(404, "there is no such page"));
}

template<class Local>
asio::awaitable<net::http_answer> basic_dashboard<Local>::log(std::string pod, std::string query)
{
    auto const slash = pod.find('/');
    auto const is_name = [](std::string_view text) {
        return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == text.npos;
    };
    auto const container = query.starts_with("container=") ? query.substr(10) : query;
    if (slash == pod.npos || !is_name(pod.substr(0, slash)) || !is_name(pod.substr(slash + 1)) ||
        (!container.empty() && !is_name(container)))
        co_return guarded(refusal(404, "expected /logs/NAMESPACE/POD?container=NAME"));
    api::request r;
    r.target = api::path_of("v1", "pods", pod.substr(0, slash), pod.substr(slash + 1)) +
        "/log?follow=true&timestamps=true&tailLines=500" +
        (container.empty() ? std::string() : "&container=" + container);
    auto given = co_await cluster_.serve(std::move(r));
    auto* const stream = std::get_if<net::http_answer>(&given);
    if (!stream) {
        auto* const refused = std::get_if<api::response>(&given);
        co_return guarded(refused
                ? refusal(static_cast<unsigned>(refused->code), api::error_of(*refused).message)
                : refusal(500, "this is no log"));
    }
    stream->head = guarded(net::answer(200, {}, "text/plain; charset=utf-8"));
    stream->patient = false;  // nobody is waited for here
    co_return std::move(*stream);
}

using dashboard = basic_dashboard<local>;

// Compiled once by <podium/cluster/src.hpp>.
#if defined(PODIUM_CLUSTER_SOURCE)
template class basic_dashboard<local>;
#elif defined(PODIUM_SEPARATE_COMPILATION)
extern template class basic_dashboard<local>;
#endif

}  // namespace podium::v0::cluster
