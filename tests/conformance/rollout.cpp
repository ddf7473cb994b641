// rollout.json: a deployment's syncs and lives, and who goes first when a set shrinks.

#include "runner.hpp"

#include <podium/rollout.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace conformance;
namespace rollout = podium::rollout;

way const counts_as_kubernetes(
    "rollout::counting::kubernetes (podium: what_exists, pods of a shrinking set count until they are gone)");
constexpr rollout::options kubernetes{.pods = rollout::counting::kubernetes};

podium::duration seconds(json const& v)
{
    return podium::duration(static_cast<std::int64_t>(std::llround(v.get<double>() * 1e9)));
}
podium::time_point at(json const& v)
{
    return podium::time_point(seconds(v));
}
json seconds_of(podium::time_point t)
{
    return t.time_since_epoch() / std::chrono::seconds(1);
}

std::optional<podium::int_or_percent> int_or_percent_of(json const& v)
{
    if (v.is_null())
        return std::nullopt;
    if (v.is_number())
        return podium::int_or_percent(v.get<std::int64_t>());
    return podium::int_or_percent::parse_percent(v.get<std::string>()).value();
}

rollout::deployment deployment_of(json const& v, bool observed)
{
    rollout::deployment d;
    d.generation = observed ? 1 : 2;
    d.replicas = v.at("replicas").get<std::int32_t>();
    d.how = v.at("strategy") == "Recreate" ? rollout::strategy::recreate : rollout::strategy::rolling_update;
    d.bounds = rollout::resolve_fenceposts(
        int_or_percent_of(v.at("max_surge")), int_or_percent_of(v.at("max_unavailable")), d.replicas);
    d.min_ready = seconds(v.at("min_ready_seconds"));
    if (v.at("progress_deadline_seconds") == std::numeric_limits<std::int32_t>::max())
        d.progress_deadline.reset();
    else
        d.progress_deadline = seconds(v.at("progress_deadline_seconds"));
    d.revision_history_limit = v.at("revision_history_limit").get<std::int32_t>();
    d.paused = v.at("paused").get<bool>();
    if (auto const& to = v.at("rollback_to_revision"); !to.is_null())
        d.rollback_to = to.get<std::int64_t>();
    return d;
}

std::vector<rollout::replica_set> sets_of(json const& v, json const& wanted_template)
{
    auto const count = [](json const& set, char const* field) { return set.at(field).get<std::int32_t>(); };
    std::vector<rollout::replica_set> sets;
    for (auto const& s : v) {
        auto& r = sets.emplace_back();
        r.name = s.at("name").get_ref<std::string const&>();
        r.created_at = at(s.at("created_at"));
        r.revision = s.at("revision").get<std::int64_t>();
        r.matches_template = s.at("template") == wanted_template;
        r.replicas = count(s, "replicas");
        r.status_replicas = count(s, "status_replicas");
        r.ready = count(s, "ready");
        r.available = count(s, "available");
        r.observed = s.at("observed").get<bool>();
        r.pods_left = r.status_replicas > 0 || count(s, "terminating_pods") > 0;
        r.recorded_desired = count(s, "desired_annotation");
        r.recorded_max = count(s, "max_annotation");
        r.min_ready = seconds(s.at("min_ready_seconds"));
        if (auto const& why = s.at("failure"); !why.is_null())
            r.failure = {.why = why == "FailedCreate" ? rollout::reason::failed_create
                                                      : rollout::reason::failed_delete,
                .since = {}};
    }
    return sets;
}

std::optional<rollout::condition>& condition_named(rollout::status& s, std::string const& type)
{
    return type == "Progressing" ? s.progressing
        : type == "Available"    ? s.available_condition
                                 : s.replica_failure;
}

rollout::status status_of(json const& v, std::int64_t generation)
{
    rollout::status s;
    s.observed_generation = v.at("observed_current_generation").get<bool>() ? generation : generation - 1;
    s.revision = v.at("revision").get<std::int64_t>();
    s.replicas = v.at("replicas").get<std::int32_t>();
    s.updated = v.at("updated").get<std::int32_t>();
    s.ready = v.at("ready").get<std::int32_t>();
    s.available = v.at("available").get<std::int32_t>();
    s.unavailable = v.at("unavailable").get<std::int32_t>();
    for (auto const& c : v.at("conditions")) {
        rollout::condition read{
            .last_update = at(c.at("last_update_at")), .last_transition = at(c.at("last_transition_at"))};
        read.value = c.at("status") == "True" ? rollout::condition_status::true_
            : c.at("status") == "False"       ? rollout::condition_status::false_
                                              : rollout::condition_status::unknown;
        for (int r = 0; r <= static_cast<int>(rollout::reason::failed_delete); ++r)
            if (to_string(static_cast<rollout::reason>(r)) == c.at("reason").get_ref<std::string const&>())
                read.why = static_cast<rollout::reason>(r);
        condition_named(s, c.at("type").get<std::string>()) = read;
    }
    return s;
}

json status_json(rollout::status s, std::int64_t generation)
{
    json conditions = json::array();
    for (std::string const type : {"Available", "Progressing", "ReplicaFailure"})
        if (auto const& c = condition_named(s, type))
            conditions.push_back({{"type", type}, {"status", to_string(c->value)},
                {"reason", to_string(c->why)}, {"last_update_at", seconds_of(c->last_update)},
                {"last_transition_at", seconds_of(c->last_transition)}});
    return {{"revision", s.revision}, {"replicas", s.replicas}, {"updated", s.updated}, {"ready", s.ready},
        {"available", s.available}, {"unavailable", s.unavailable},
        {"observed_current_generation", s.observed_generation >= generation},
        {"conditions", std::move(conditions)}};
}

json in_order_of_type(json status)
{
    auto& conditions = status.at("conditions");
    std::sort(conditions.begin(), conditions.end(),
        [](json const& a, json const& b) { return a.at("type") < b.at("type"); });
    return status;
}

// The writes that an implementation has to match, in the words of the vectors.
json writes_json(std::span<rollout::action const> todo, json const& sets, json const& wanted_template)
{
    json writes = json::array();
    for (auto const& a : todo) {
        auto const& set = a.set == rollout::no_set ? json() : sets.at(a.set);
        switch (a.what) {
        case rollout::verb::create_set:
            writes.push_back({{"op", "create_replica_set"}, {"template", wanted_template}, {"replicas", a.to},
                {"revision", a.after.revision}});
            break;
        case rollout::verb::scale_set:
            writes.push_back(
                {{"op", "scale_replica_set"}, {"name", set.at("name")}, {"from", a.from}, {"to", a.to}});
            break;
        case rollout::verb::delete_set:
            writes.push_back({{"op", "delete_replica_set"}, {"name", set.at("name")}});
            break;
        case rollout::verb::update_deployment:
            writes.push_back({{"op", "update_deployment"},
                {"template", set.is_null() ? wanted_template : set.at("template")},
                {"rollback_to_revision", nullptr}});
            break;
        case rollout::verb::annotate_set: break;
        }
    }
    return writes;
}

json writes_expected(json const& all)
{
    json writes = json::array();
    for (auto w : all) {
        if (w.at("op") == "update_status" || w.at("op") == "annotate_replica_set")
            continue;
        if (w.at("op") == "create_replica_set")
            w.erase("name");
        else if (w.at("op") != "update_deployment")
            w.erase("template");
        writes.push_back(std::move(w));
    }
    return writes;
}

std::optional<mismatch> sync(json const& in, json const& deployment, json const& status_before, bool observed)
{
    auto const d = deployment_of(deployment, observed);
    auto const sets = sets_of(in.at("replica_sets"), deployment.at("template"));
    rollout::workspace room;
    auto const r =
        rollout::step(d, status_of(status_before, d.generation), sets, at(in.at("at")), room, kubernetes);
    return unlike(
        {{"writes", writes_expected(in.at("writes"))}, {"status", in_order_of_type(in.at("status"))}},
        {{"writes", writes_json(r.todo, in.at("replica_sets"), deployment.at("template"))},
            {"status", status_json(r.next, d.generation)}});
}

std::optional<mismatch> one_sync(json const& v)
{
    return sync(v, v.at("deployment"), v.at("status_before"),
        v.at("status_before").at("observed_current_generation").get<bool>());
}

// A deployment's life, each step from the state that Kubernetes had reached; stops at the first difference.
std::optional<mismatch> timeline(json const& v)
{
    json status = {{"revision", 0}, {"replicas", 0}, {"updated", 0}, {"ready", 0}, {"available", 0},
        {"unavailable", 0}, {"observed_current_generation", false}, {"conditions", json::array()}};
    json deployment;
    for (auto const& step : v.at("steps")) {
        if (!step.at("deployment").is_null())
            deployment = step.at("deployment");
        bool const observed = step.at("generation_observed_before").get<bool>();
        status["observed_current_generation"] = observed;
        if (auto wrong = sync(step, deployment, status, observed)) {
            wrong->expected["at"] = step.at("at");
            return wrong;
        }
        status = step.at("status");
    }
    return std::nullopt;
}

std::optional<mismatch> victims(json const& v)
{
    constexpr podium::time_point now{std::chrono::hours(24 * 365)};
    std::vector<rollout::candidate> pods;
    std::vector<std::string_view> nodes;
    std::map<std::string_view, json> names;
    auto const text = [](json const& t) {
        return t.is_null() ? std::string_view() : t.get_ref<std::string const&>();
    };
    auto const is_active = [](json const& p) {
        return p.at("phase") != "Failed" && p.at("phase") != "Succeeded";
    };
    for (auto const& p : v.at("pods")) {
        auto& c = pods.emplace_back();
        c.uid = text(p.at("uid"));
        c.node = text(p.at("node"));
        c.phase = p.at("phase") == "Pending" ? rollout::pod_phase::pending
            : p.at("phase") == "Unknown"     ? rollout::pod_phase::unknown
                                             : rollout::pod_phase::running;
        if (auto const& since = p.at("ready_for_seconds"); !since.is_null())
            c.ready_since = now - seconds(since);
        c.deletion_cost = rollout::deletion_cost(text(p.at("deletion_cost")));
        c.restarts = p.at("max_restarts").get<std::int32_t>();
        c.created_at = now - seconds(p.at("age_seconds"));
        names[c.uid] = p.at("name");
        nodes.push_back(c.node);
    }
    for (auto const& p : v.at("related_pods"))
        if (is_active(p))
            nodes.push_back(text(p.at("node")));
    rollout::count_neighbours(pods, nodes);
    rollout::rank_victims(pods, now);
    json order = json::array();
    for (std::size_t i = 0; i + 1 < pods.size(); ++i)
        order.push_back(names[pods[i].uid]);
    return unlike(v.at("delete_all_but_one_in_order"), std::move(order));
}

area const rollouts{"rollout", {{"sync", one_sync}, {"timeline", timeline}, {"victims", victims}}};

}  // namespace
