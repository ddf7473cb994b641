// scheduler/{queue,backoff,PrioritySort}.json: the pods that wait to be placed.

#include "runner.hpp"

#include <podium/schedule/pod_queue.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace {

using namespace conformance;
using namespace std::chrono_literals;
using podium::time_point;
namespace schedule = podium::schedule;
using schedule::pod_place;

way const heap{
    "scheduler: pods of equal priority and age go as a heap gives them (podium: in the order of adding)"};

/// The two plugins that refuse there.
schedule::plugin_set plugin(std::string const& name)
{
    return schedule::plugin_bit(name == "NodeResourcesFit" ? 0 : 1);
}

json state_of(schedule::pod_queue<std::string> const& q, std::vector<std::string> const& pods)
{
    json out{{"active", json::array()}, {"backoff", json::array()}, {"unschedulable", json::array()}};
    for (auto const& p : pods)
        switch (q.where(p)) {
        case pod_place::ready: out["active"].push_back(p); break;
        case pod_place::backing_off: out["backoff"].push_back(p); break;
        case pod_place::unschedulable: out["unschedulable"].push_back(p); break;
        default: break;
        }
    return out;
}

std::optional<mismatch> queue(json const& c)
{
    schedule::pod_queue<std::string> q({.equals = schedule::equals::kubernetes});
    std::vector<std::string> pods;
    time_point now{1'700'000'000s};
    int step = 0;
    for (auto const& o : c.at("ops")) {
        auto const op = o.at("op").get<std::string>();
        auto const pod = o.value("pod", std::string());
        json got = o;
        if (op == "add") {
            q.add(pod, {.priority = o.at("priority"), .gated = o.contains("schedulingGates")}, now);
            pods.push_back(pod);
            std::sort(pods.begin(), pods.end(),
                [](auto const& a, auto const& b) { return std::pair(a.size(), a) < std::pair(b.size(), b); });
        } else if (op == "pop") {
            bool const from_backoff = q.ready() == 0;
            auto const* next = q.pop();
            got["popped"] = next ? *next : "";
            got["attempts"] = next ? q.attempts(*next) : 0;
            if (from_backoff)
                got["fromBackoff"] = true;
            else
                got.erase("fromBackoff");
        } else if (op == "bound") {
            q.done(pod);
        } else if (op == "unschedulable") {
            q.refused(pod, plugin(o.at("plugin")), now);
        } else if (op == "error") {
            q.failed(pod, now);
        } else if (op == "event") {
            q.notify(o.at("event") == "NodeAdd" ? plugin("NodeResourcesFit") | plugin("NodeAffinity")
                                                : plugin("NodeResourcesFit"),
                now);
        } else if (op == "removeGates") {
            q.open(pod, now);
        } else if (op == "advance") {
            now += std::chrono::milliseconds(o.at("ms").get<int>());
            q.advance(now);
        } else {
            return mismatch{"an operation that is known here", op};
        }
        got["state"] = state_of(q, pods);
        if (auto wrong = unlike(o, got)) {
            wrong->got["step"] = step;
            return wrong;
        }
        ++step;
    }
    return std::nullopt;
}

std::optional<mismatch> backoff(json const& c)
{
    schedule::queue_policy const p{.first_backoff = std::chrono::seconds(c.at("initialSeconds").get<int>()),
        .max_backoff = std::chrono::seconds(c.at("maxSeconds").get<int>())};
    auto const wait = schedule::backoff_after(p, c.at("failures"));
    return unlike(
        c.at("expect").at("backoffSeconds"), std::chrono::duration_cast<std::chrono::seconds>(wait).count());
}

/// Who of two goes first, whichever was added first: equal ones go in the order in which they came.
std::optional<mismatch> priority_sort(json const& c)
{
    auto const& pods = c.at("pods");
    auto const first_of = [&](std::size_t i, std::size_t j) {
        schedule::pod_queue<std::size_t> q;
        for (auto const k : {i, j})
            q.add(k, {.priority = pods[k].value("priority", 0)},
                time_point{std::chrono::milliseconds(pods[k].at("timestampMs").get<int>())});
        return *q.pop();
    };
    auto less = json::array();
    for (std::size_t i = 0; i < pods.size(); ++i) {
        std::string row;
        for (std::size_t j = 0; j < pods.size(); ++j)
            row += i != j && first_of(i, j) == i && first_of(j, i) == i ? '1' : '0';
        less.push_back(row);
    }
    return unlike(c.at("expect").at("less"), less);
}

area const scheduling_queue{
    "scheduler", {{"queue", queue}, {"backoff", backoff}, {"PrioritySort", priority_sort}}};

}  // namespace
