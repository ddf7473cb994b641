// statefulset.json: the lives of stateful sets.

#include "runner.hpp"

#include <podium/rollout.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace conformance;
namespace stateful = podium::rollout::stateful;

way const waits_for_broken(
    "rollout::stateful::broken::kubernetes (podium: replace, an outdated pod that serves nobody goes first)");
way const one_at_a_time("rollout::stateful::options::max_unavailable off unless the case has the gate on "
                        "(podium: the bound counts)");

podium::duration seconds(json const& v)
{
    return podium::duration(static_cast<std::int64_t>(std::llround(v.get<double>() * 1e9)));
}

stateful::template_id id_of(json const& letter)
{
    return letter.is_null() ? 0 : static_cast<stateful::template_id>(letter.get<std::string>().at(0));
}
json letter_of(stateful::template_id id)
{
    return id == 0 ? json() : json(std::string(1, static_cast<char>(id)));
}

stateful::set set_of(json const& v)
{
    stateful::set s;
    s.generation = 1;
    s.template_ = id_of(v.at("template"));
    s.replicas = v.at("replicas").get<std::int32_t>();
    s.pods = v.at("pod_management") == "Parallel" ? stateful::management::parallel
                                                  : stateful::management::ordered_ready;
    s.how = v.at("update_strategy") == "OnDelete" ? stateful::strategy::on_delete
                                                  : stateful::strategy::rolling_update;
    if (auto const& p = v.at("partition"); !p.is_null())
        s.partition = p.get<std::int32_t>();
    if (auto const& o = v.at("start_ordinal"); !o.is_null())
        s.start_ordinal = o.get<std::int32_t>();
    std::optional<podium::int_or_percent> most;
    if (auto const& m = v.at("max_unavailable"); m.is_number())
        most = podium::int_or_percent(m.get<std::int64_t>());
    else if (m.is_string())
        most = podium::int_or_percent::parse_percent(m.get<std::string>()).value();
    s.max_unavailable = podium::rollout::stateful_max_unavailable(most, s.replicas);
    s.min_ready = seconds(v.at("min_ready_seconds"));
    s.revision_history_limit = v.at("revision_history_limit").get<std::int32_t>();
    return s;
}

std::vector<stateful::pod> pods_of(json const& v, podium::time_point now)
{
    std::vector<stateful::pod> pods;
    for (auto const& p : v) {
        auto const& phase = p.at("phase");
        auto& out = pods.emplace_back();
        out.ordinal = p.at("ordinal").get<std::int32_t>();
        out.template_ = id_of(p.at("template"));
        out.phase = phase == "Running" ? stateful::phase::running
            : phase == "Pending"       ? stateful::phase::pending
                                       : stateful::phase::finished;
        if (auto const& since = p.at("ready_for_seconds"); !since.is_null())
            out.ready_since = now - seconds(since);
        out.terminating = p.at("terminating").get<bool>();
    }
    return pods;
}

json status_json(stateful::status const& s)
{
    return {{"replicas", s.replicas}, {"ready", s.ready}, {"available", s.available}, {"current", s.current},
        {"updated", s.updated}, {"current_template", letter_of(s.current_template)},
        {"update_template", letter_of(s.update_template)}};
}

void sort_writes(json& writes)
{
    std::sort(writes.begin(), writes.end(), [](json const& a, json const& b) {
        return std::tuple(a.at("op"), a.at("ordinal")) < std::tuple(b.at("op"), b.at("ordinal"));
    });
}

// Each step from the state that Kubernetes had reached; stops at the first difference.
std::optional<mismatch> timeline(json const& v)
{
    stateful::options const how{
        .pods = stateful::broken::kubernetes, .max_unavailable = v.at("max_unavailable_gate").get<bool>()};
    stateful::status status;
    std::vector<stateful::revision> history;
    stateful::set wanted;
    stateful::workspace room;
    for (auto const& in : v.at("steps")) {
        if (!in.at("set").is_null())
            wanted = set_of(in.at("set"));
        podium::time_point const now{seconds(in.at("at"))};
        auto const pods = pods_of(in.at("pods"), now);
        auto const r = stateful::step(wanted, status, pods, history, now, room, how);

        json writes = json::array();
        std::map<std::int64_t, stateful::template_id> kept;
        for (auto const& h : history)
            kept[h.number] = h.template_;
        for (auto const& a : r.todo) {
            switch (a.what) {
            case stateful::verb::create_pod:
                writes.push_back(
                    {{"op", "create_pod"}, {"ordinal", a.ordinal}, {"template", letter_of(a.template_)}});
                break;
            case stateful::verb::delete_pod:
                writes.push_back({{"op", "delete_pod"}, {"ordinal", a.ordinal}});
                break;
            case stateful::verb::raise_revision:
                std::erase_if(kept, [&](auto const& one) { return one.second == a.template_; });
                kept[a.number] = a.template_;
                break;
            case stateful::verb::create_revision: kept[a.number] = a.template_; break;
            case stateful::verb::delete_revision: kept.erase(a.number); break;
            }
        }
        auto expected = in.at("writes");
        if (wanted.pods == stateful::management::parallel) {
            sort_writes(writes);
            sort_writes(expected);
        }
        json revisions = json::array();
        history.clear();
        for (auto const& [number, id] : kept) {
            revisions.push_back({{"template", letter_of(id)}, {"revision", number}});
            history.push_back({id, number});
        }
        status = r.next;
        if (auto wrong =
                unlike({{"writes", expected}, {"status", in.at("status")}, {"history", in.at("history")}},
                    {{"writes", writes}, {"status", status_json(status)}, {"history", revisions}})) {
            wrong->expected["at"] = in.at("at");
            return wrong;
        }
    }
    return std::nullopt;
}

area const stateful_sets{"statefulset", {{"timeline", timeline}}};

}  // namespace
