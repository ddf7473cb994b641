// podlifecycle.json: when containers are started again and how long they wait, what they make of a pod's
// phase and class of service, when a pod is available, and what it tolerates.

#include "runner.hpp"

#include <podium/agent/eviction.hpp>
#include <podium/agent/restart.hpp>
#include <podium/core/backoff.hpp>
#include <podium/core/quantity.hpp>
#include <podium/rollout/availability.hpp>
#include <podium/schedule/taints.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace conformance;
using namespace podium;
using std::chrono::seconds;

std::optional<mismatch> crash_loop_backoff(json const& c)
{
    auto const span = [](json const& j) { return seconds(j.get<std::int64_t>()); };
    backoff_policy const policy{.base = span(c.at("initial_seconds")),
        .cap = span(c.at("max_seconds")),
        .reset_after = span(c.at("forgotten_after_seconds"))};
    backoff_state s;
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

model::restart_policy policy_of(json const& j)
{
    auto const& text = j.get_ref<std::string const&>();
    return text == "Always" ? model::restart_policy::always
        : text == "Never"   ? model::restart_policy::never
                            : model::restart_policy::on_failure;
}

/// The terms of a container, with the rules they refer to.
struct terms {
    terms(json const& pod, json const& own, json const& list)
    {
        for (auto const& r : list)
            rules.push_back({.in = r.at("exit_codes_operator") == "In",
                .exit_codes = r.at("exit_codes").get<std::vector<std::int32_t>>()});
        all.pod = policy_of(pod);
        if (!own.is_null())
            all.own = policy_of(own);
        all.rules = rules;
    }
    terms(terms const&) = delete;
    std::vector<agent::restart_rule> rules{};
    agent::restart_terms all{};
};

std::optional<mismatch> should_restart(json const& c)
{
    terms const t(
        c.at("pod_restart_policy"), c.at("container_restart_policy"), c.at("container_restart_rules"));
    auto const& state = c.at("container_state").get_ref<std::string const&>();
    bool got = state != "running" && !c.at("pod_deleting").get<bool>();
    if (got && state == "exited")
        got = agent::restarts(t.all, c.at("exit_code").get<std::int32_t>());
    return unlike(c.at("start_container"), got);
}

std::optional<mismatch> phase(json const& c)
{
    using state = agent::standing::state;
    std::vector<agent::standing> all;
    for (auto const& j : c.at("containers")) {
        auto const& type = j.at("type").get_ref<std::string const&>();
        auto const& now = j.at("state").get_ref<std::string const&>();
        agent::standing s{.role = type == "init" ? agent::role::init
                : type == "sidecar"              ? agent::role::sidecar
                                                 : agent::role::main};
        s.now = now == "waiting"          ? state::waiting
            : now == "running"            ? state::running
            : now == "terminated"         ? state::ended
            : now == "waiting_after_exit" ? state::ended_waiting
                                          : state::unknown;
        s.started = j.at("started").is_boolean() && j.at("started").get<bool>();
        if (j.at("exit_code").is_number()) {
            terms const t(c.at("pod_restart_policy"), j.at("restart_policy"), j.at("restart_rules"));
            s.exit_code = j.at("exit_code").get<std::int32_t>();
            s.restarts = agent::restarts(t.all, s.exit_code);
        }
        all.push_back(s);
    }
    auto const got =
        agent::phase_of(all, c.at("pod_is_terminal").get<bool>(), c.at("pod_has_initialized").get<bool>());
    constexpr std::array<char const*, 5> names{"Pending", "Running", "Succeeded", "Failed", "Unknown"};
    return unlike(c.at("phase"), names[static_cast<std::size_t>(got)]);
}

std::optional<mismatch> qos(json const& c)
{
    model::pod_spec spec;
    for (auto const& j : c.at("containers")) {
        model::container in;
        auto const read = [](json const& from, model::resource_list& to) {
            for (auto const& [name, text] : from.items())
                to.emplace(name, quantity::parse(text.get_ref<std::string const&>()).value());
        };
        read(j.at("requests"), in.resources.requests);
        read(j.at("limits"), in.resources.limits);
        (j.at("init").get<bool>() ? spec.init_containers : spec.containers).push_back(std::move(in));
    }
    return unlike(c.at("qos_class"), std::string(agent::qos_class(spec)));
}

std::optional<mismatch> available(json const& c)
{
    time_point const now{seconds(1'000'000)};
    std::optional<time_point> since;
    if (c.at("ready").is_boolean() && c.at("ready").get<bool>())
        since = c.at("ready_changed_seconds_ago").is_null()
            ? now
            : now - seconds(c.at("ready_changed_seconds_ago").get<std::int64_t>());
    bool const got =
        rollout::is_available(since, seconds(c.at("min_ready_seconds").get<std::int64_t>()), now);
    return unlike(c.at("available"), got);
}

/// As the scheduler's plugins read them.
struct toleration {
    std::string key{}, operator_{}, value{}, effect{};
};
struct taint {
    std::string key{}, value{}, effect{};
};

toleration toleration_of(json const& t)
{
    return {t.at("key"), t.at("operator"), t.at("value"), t.at("effect")};
}
taint taint_of(json const& t)
{
    return {t.at("key"), t.at("value"), t.at("effect")};
}

std::optional<mismatch> tolerates(json const& c)
{
    return unlike(
        c.at("tolerates"), schedule::tolerates(toleration_of(c.at("toleration")), taint_of(c.at("taint"))));
}

std::optional<mismatch> untolerated_taint(json const& c)
{
    std::vector<toleration> tolerations;
    for (auto const& t : c.at("tolerations"))
        tolerations.push_back(toleration_of(t));
    json first;
    for (auto const& t : c.at("taints"))
        if (first.is_null() && t.at("effect") != "PreferNoSchedule" &&
            !schedule::any_tolerates(tolerations, taint_of(t)))
            first = t;
    json const expected{
        {"schedulable", c.at("schedulable")}, {"first_untolerated", c.at("first_untolerated")}};
    return unlike(expected, {{"schedulable", first.is_null()}, {"first_untolerated", first}});
}

std::optional<mismatch> eviction_order(json const& c)
{
    auto const number = [](json const& j) {
        return j.is_null() ? std::optional<std::int64_t>{} : j.get<std::int64_t>();
    };
    std::vector<agent::usage> pods;
    for (auto const& j : c.at("pods"))
        pods.push_back({.priority = static_cast<std::int32_t>(number(j.at("priority")).value_or(0)),
            .memory_request_bytes = j.at("memory_request_bytes"),
            .memory_bytes = number(j.at("memory_working_set_bytes")),
            .processes = number(j.at("processes"))});
    auto const by = c.at("pressure") == "memory" ? agent::pressure::memory : agent::pressure::pids;
    auto got = json::array();
    for (auto const i : agent::eviction_order(by, pods))
        got.push_back(c.at("pods").at(i).at("name"));
    return unlike(c.at("order"), std::move(got));
}

area const podlifecycle{"podlifecycle",
    {{"crash_loop_backoff", crash_loop_backoff}, {"should_restart", should_restart}, {"phase", phase},
        {"qos", qos}, {"available", available}, {"tolerates", tolerates},
        {"untolerated_taint", untolerated_taint}, {"eviction_order", eviction_order}}};

}  // namespace
