// podlifecycle.json: how long a container that exits again and again waits.

#include "runner.hpp"

#include <podium/core/backoff.hpp>

namespace {

using namespace conformance;
using podium::time_point;
using std::chrono::seconds;

std::optional<mismatch> crash_loop_backoff(json const& c)
{
    auto const span = [](json const& j) { return seconds(j.get<std::int64_t>()); };
    podium::backoff_policy const policy{.base = span(c.at("initial_seconds")),
        .cap = span(c.at("max_seconds")),
        .reset_after = span(c.at("forgotten_after_seconds"))};
    podium::backoff_state s;
    json got = json::array();
    for (auto const& exit : c.at("exits")) {
        time_point const at{span(exit.at("exited_at"))};
        s = fail(policy, s, at);
        got.push_back({{"ran_seconds", exit.at("ran_seconds")}, {"exited_at", exit.at("exited_at")},
            {"delay_seconds", (s.retry_at - at) / seconds(1)},
            {"restarted_at", s.retry_at.time_since_epoch() / seconds(1)},
            {"backoff_after_seconds", s.next_wait / seconds(1)}});
    }
    return unlike(c.at("exits"), got);
}

area const podlifecycle{"podlifecycle", {{"crash_loop_backoff", crash_loop_backoff}}};

}  // namespace
