// workqueue.json: rate limiters and queues, call by call.

#include "runner.hpp"

#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/work_queue.hpp>

#include <cstdlib>

namespace {

using namespace conformance;
using podium::duration;
using podium::time_point;
namespace reconcile = podium::reconcile;
using namespace std::chrono_literals;

using exponential = reconcile::exponential_limiter<std::string>;
using fast_slow = reconcile::fast_slow_limiter<std::string>;
using max_of = reconcile::later_of<exponential, reconcile::token_bucket>;

template<class L>
L make(json const& l);
template<>
exponential make(json const& l)
{
    return exponential(duration(l.at("base_delay_ns").get<std::int64_t>()),
        duration(l.at("max_delay_ns").get<std::int64_t>()), reconcile::overflow::as_in_client_go);
}
template<>
fast_slow make(json const& l)
{
    return {duration(l.at("fast_delay_ns").get<std::int64_t>()),
        duration(l.at("slow_delay_ns").get<std::int64_t>()), l.at("max_fast_attempts").get<std::uint32_t>()};
}
template<>
reconcile::token_bucket make(json const& l)
{
    return {l.at("tokens_per_second").get<double>(), l.at("burst").get<std::uint32_t>()};
}
template<>
max_of make(json const& l)
{
    return {make<exponential>(l.at("limiters").at(0)), make<reconcile::token_bucket>(l.at("limiters").at(1))};
}

/// `tolerance`: floating-point token arithmetic may round elsewhere.
template<class L>
std::optional<mismatch> limiter(json const& c, duration tolerance)
{
    auto l = make<L>(c.at("limiter"));
    static_assert(reconcile::RateLimiter<L, std::string>);
    time_point now{};
    auto expected = json::array(), got = json::array();
    for (auto const& o : c.at("ops")) {
        auto const op = o.at("op").get<std::string>();
        auto const item = o.value("item", std::string());
        if (op == "advance") {
            now += std::chrono::milliseconds(o.at("ms").get<std::int64_t>());
        } else if (op == "forget") {
            l.forget(item);
        } else if (op == "num_requeues") {
            expected.push_back(o.at("result"));
            got.push_back(l.failures(item));
        } else {
            auto const wanted = o.at("delay_ns").get<std::int64_t>(), is = l.when(item, now).count();
            expected.push_back(wanted);
            got.push_back(std::abs(wanted - is) <= tolerance.count() ? wanted : is);
        }
    }
    return unlike(std::move(expected), std::move(got));
}
std::optional<mismatch> exponential_case(json const& c)
{
    return limiter<exponential>(c, 0ns);
}
std::optional<mismatch> fast_slow_case(json const& c)
{
    return limiter<fast_slow>(c, 0ns);
}
std::optional<mismatch> bucket_case(json const& c)
{
    return limiter<reconcile::token_bucket>(c, 1us);
}
std::optional<mismatch> max_of_case(json const& c)
{
    return limiter<max_of>(c, 1us);
}

std::optional<mismatch> queue(json const& c)
{
    reconcile::work_queue<std::string> q;
    auto l = make<exponential>(c.at("rate_limiter"));
    time_point now{};
    bool drains = false, drain_returned = false;
    auto expected = json::array(), got = json::array();
    for (auto const& o : c.at("ops")) {
        auto const op = o.at("op").get<std::string>();
        auto const item =
            o.contains("item") && o["item"].is_string() ? o["item"].get<std::string>() : std::string();
        json answer = o;  // inputs stay, answers are replaced
        if (op == "add") {
            q.add(item);
        } else if (op == "get") {
            auto const* const k = q.get();
            answer["item"] = k ? json(*k) : json();
            answer["blocks"] = !k && !q.shutting_down();
            answer["shut_down"] = !k && q.shutting_down();
        } else if (op == "done") {
            q.done(item);
        } else if (op == "forget") {
            l.forget(item);
        } else if (op == "add_after") {
            q.add_after(item, std::chrono::milliseconds(o.at("delay_ms").get<std::int64_t>()), now);
        } else if (op == "add_rate_limited") {
            auto const delay = l.when(item, now);
            answer["delay_ms"] = delay / 1ms;
            q.add_after(item, delay, now);
        } else if (op == "advance") {
            now += std::chrono::milliseconds(o.at("ms").get<std::int64_t>());
            q.advance(now);
        } else {
            q.shut_down();
            drains = drains || op == "shut_down_with_drain";
        }
        drain_returned = drain_returned || (drains && q.processing() == 0);
        answer["length"] = q.ready();
        if (o.contains("drain_returned"))
            answer["drain_returned"] = drain_returned;
        expected.push_back(o);
        got.push_back(std::move(answer));
    }
    return unlike(std::move(expected), std::move(got));
}

way const as_client_go{"a back-off of exactly 2^63 ns overflows (reconcile::overflow::as_in_client_go)"};

area const workqueue{"workqueue",
    {{"exponential", exponential_case}, {"fast_slow", fast_slow_case}, {"bucket", bucket_case},
        {"max_of", max_of_case}, {"queue", queue}, {"delaying_queue", queue}}};

}  // namespace
