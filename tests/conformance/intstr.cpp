// intstr.json: integers and percentages, and what rollouts make of them.

#include "runner.hpp"

#include <podium/core/int_or_percent.hpp>
#include <podium/rollout/fenceposts.hpp>

namespace {

using namespace conformance;
using podium::int_or_percent;
using podium::result;
namespace rollout = podium::rollout;

result<std::optional<int_or_percent>> bound(json const& j)
{
    if (j.is_null())
        return std::optional<int_or_percent>{};
    if (j.is_number())
        return std::optional<int_or_percent>(j.get<std::int64_t>());
    return int_or_percent::parse_percent(j.get<std::string>()).transform([](auto v) {
        return std::optional(v);
    });
}

std::optional<mismatch> scaled(json const& c)
{
    auto const v = bound(c.at("value"));
    auto const toward = c.at("round_up").get<bool>() ? podium::rounding::up : podium::rounding::down;
    return unlike({{"ok", c.at("ok")}, {"result", c.at("result")}},
        {{"ok", v.has_value()},
            {"result", v ? json((*v)->scaled(c.at("total").get<std::int64_t>(), toward)) : json()}});
}

result<rollout::fenceposts> resolved(json const& c)
{
    auto const surge = bound(c.at("max_surge")), unavailable = bound(c.at("max_unavailable"));
    if (!surge || !unavailable)
        return (surge ? unavailable : surge).error();
    return rollout::resolve_fenceposts(*surge, *unavailable, c.at("desired").get<std::int32_t>());
}

std::optional<mismatch> fenceposts(json const& c)
{
    auto const f = resolved(c);
    return unlike({{"ok", c.at("ok")}, {"surge", c.at("surge")}, {"unavailable", c.at("unavailable")}},
        {{"ok", f.has_value()}, {"surge", f ? json(f->surge) : json()},
            {"unavailable", f ? json(f->unavailable) : json()}});
}

std::optional<mismatch> deployment_limits(json const& c)
{
    auto const how =
        c.at("strategy") == "Recreate" ? rollout::strategy::recreate : rollout::strategy::rolling_update;
    auto const desired = c.at("desired").get<std::int32_t>();
    rollout::fenceposts limits{.surge = 0, .unavailable = 0};
    std::int32_t available = how == rollout::strategy::recreate ? 0 : desired;
    // Bounds that cannot be read never get here in podium; Kubernetes goes on with none.
    if (auto const f = resolved(c)) {
        limits = rollout::limits(*f, how, desired);
        available = rollout::min_available(*f, how, desired);
    }
    return unlike({{"surge", c.at("surge")}, {"unavailable", c.at("unavailable")},
                      {"min_available", c.at("min_available")}},
        {{"surge", limits.surge}, {"unavailable", limits.unavailable}, {"min_available", available}});
}

std::optional<mismatch> statefulset_max_unavailable(json const& c)
{
    auto const b = bound(c.at("max_unavailable"));
    auto const replicas = c.at("replicas").get<std::int32_t>();
    return unlike({{"ok", c.at("ok")}, {"result", c.at("result")}},
        {{"ok", b.has_value()},
            {"result", b ? json(rollout::stateful_max_unavailable(*b, replicas)) : json()}});
}

area const intstr{"intstr",
    {{"scaled", scaled}, {"fenceposts", fenceposts}, {"deployment_limits", deployment_limits},
        {"statefulset_max_unavailable", statefulset_max_unavailable}}};

}  // namespace
