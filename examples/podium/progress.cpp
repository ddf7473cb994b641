#include "progress.hpp"

#include "columns.hpp"

#include <podium/model/time.hpp>

#include <algorithm>
#include <cstdio>

using podium::model::json;

namespace {

json part(json const& of, char const* field)
{
    auto const it = of.find(field);
    return it != of.end() && it->is_object() ? *it : json::object();
}
json list(json const& of, char const* field)
{
    auto const it = of.find(field);
    return it != of.end() && it->is_array() ? *it : json::array();
}
long number(json const& of, char const* field, long otherwise = 0)
{
    auto const it = of.find(field);
    return it != of.end() && it->is_number() ? it->get<long>() : otherwise;
}
double real(json const& of, char const* field)
{
    auto const it = of.find(field);
    return it != of.end() && it->is_number() ? it->get<double>() : 0.0;
}
std::string text(json const& of, char const* field)
{
    auto const it = of.find(field);
    return it == of.end() ? std::string()
        : it->is_string() ? harmless(it->get<std::string>())
        : it->is_number() ? std::to_string(it->get<long>()) + 's'
                          : std::string();
}
std::string percent(double x, bool with_sign = false)
{
    char out[32];
    std::snprintf(out, sizeof out, with_sign ? "%+.1f %%" : "%.1f %%", x * 100);
    return out;
}

// "  updated    ########............  2 of 5"
std::string bar(std::string name, long value, long whole, std::string const& says)
{
    constexpr long width = 40;
    auto const filled = whole <= 0 ? 0L : std::clamp(value * width / whole, value > 0 ? 1L : 0L, width);
    name.resize(std::max<std::size_t>(name.size(), 11), ' ');
    return "  " + name + std::string(static_cast<std::size_t>(filled), '#') +
        std::string(static_cast<std::size_t>(width - filled), '.') + "  " + says;
}

std::string step_text(json const& step)
{
    if (step.contains("setWeight"))
        return "weight " + std::to_string(number(step, "setWeight")) + " %";
    if (step.contains("pause")) {
        auto const d = text(part(step, "pause"), "duration");
        return d.empty() ? "pause until it is told to go on" : "pause " + d;
    }
    if (step.contains("setCanaryScale")) {
        auto const scale = part(step, "setCanaryScale");
        return scale.contains("replicas") ? "scale to " + std::to_string(number(scale, "replicas"))
            : scale.contains("weight")
            ? "scale to " + std::to_string(number(scale, "weight")) + " % of the replicas"
            : "scale with the weight";
    }
    std::string out = "analysis";
    for (auto const& t : list(part(step, "analysis"), "templates"))
        out += ' ' + text(t, "templateName");
    return out;
}

void add_run(std::vector<std::string>& out, json const& run)
{
    auto const status = part(run, "status");
    auto const why = text(status, "message");
    out.push_back("  analysis   " + text(part(run, "metadata"), "name") + ": " + text(status, "phase") +
        (why.empty() ? "" : ", " + why));
    for (auto const& m : list(status, "metricResults")) {
        std::string line = "    " + text(m, "name") + ": ";
        auto const c = part(m, "comparison");
        if (!c.empty()) {
            auto const arm = [&](char const* units, char const* hits) {
                auto const n = number(c, units);
                return std::to_string(number(c, hits)) + " of " + std::to_string(n) +
                    (n > 0 ? " (" + percent(real(c, hits) / static_cast<double>(n)) + ')' : "");
            };
            line += "new " + arm("canaryUnits", "canaryHits") + ", stable " +
                arm("stableUnits", "stableHits") + "; difference within " + percent(real(c, "low"), true) +
                " and " + percent(real(c, "high"), true);
        } else {
            auto const all = list(m, "measurements");
            line += std::to_string(number(m, "successful")) + " good, " +
                std::to_string(number(m, "failed")) + " bad" +
                (all.empty() ? "" : ", the latest " + text(all.back(), "value"));
        }
        auto const says = text(m, "message");
        out.push_back(line + (says.empty() ? "" : " - " + says));
    }
}

}  // namespace

std::vector<std::string> progress_of(std::string_view plural, json const& object,
    std::map<std::string, json> const& runs, podium::time_point now)
{
    auto const spec = part(object, "spec"), status = part(object, "status"), meta = part(object, "metadata");
    auto const wanted = number(spec, "replicas", 1), all = number(status, "replicas"),
               updated = number(status, "updatedReplicas"), available = number(status, "availableReplicas");
    auto const old = std::max(0L, all - updated), most = std::max({wanted, all, 1L});
    auto const of = [&](long n) { return std::to_string(n) + " of " + std::to_string(wanted); };
    auto const kind = std::string(plural.substr(0, plural.size() - 1));

    std::vector<std::string> out;
    bool const is_rollout = plural == "rollouts";
    auto const canary = part(part(spec, "strategy"), "canary");
    auto const machine = part(part(status, "machine"), canary.empty() ? "blueGreen" : "canary");
    std::string head = kind + '/' + text(meta, "name");
    if (is_rollout)
        head += ": " + text(status, "phase");
    podium::model::time since{};
    if (podium::model::from_text(text(machine, "since"), since) && since.at <= now)
        head += ", for " + age(now - since.at);
    else if (!is_rollout)  // the latest thing that moved it
        for (auto const& c : list(status, "conditions"))
            if (text(c, "type") == "Progressing" &&
                podium::model::from_text(text(c, "lastUpdateTime"), since) && since.at <= now)
                head += ": moved " + age(now - since.at) + " ago";
    out.push_back(head);
    out.push_back(bar("updated", updated, most, of(updated)));
    out.push_back(bar("available", available, most, of(available)));
    out.push_back(bar("old", old, most, std::to_string(old)));
    if (!is_rollout)
        return out;

    auto const traffic = part(machine, "traffic");
    bool const heard = number(traffic, "acknowledged") >= number(traffic, "generation");
    auto const weights = part(part(status, "canary"), "weights");
    if (!weights.empty()) {
        auto const w = number(part(weights, "canary"), "weight");
        out.push_back(bar("traffic", w, 100,
            std::to_string(w) + " % to the new version, " +
                (heard ? "acknowledged by all routers" : "not yet acknowledged by all routers")));
    }
    if (auto const blue = part(status, "blueGreen"); !blue.empty()) {
        auto const active = text(blue, "activeSelector");
        bool const is_new = active == text(status, "currentPodHash");
        out.push_back("  traffic    to the " + std::string(is_new ? "new" : "stable") + " version, " +
            (heard ? "acknowledged by all routers" : "not yet acknowledged by all routers"));
    }
    auto const steps = list(canary, "steps");
    auto const at = number(status, "currentStepIndex");
    for (std::size_t i = 0; i < steps.size(); ++i) {
        auto const n = static_cast<long>(i);
        out.push_back(std::string(i == 0 ? "  steps      " : "             ") +
            (n < at           ? "+ "
                    : n == at ? "> "
                              : "  ") +
            step_text(steps[i]));
    }
    for (auto const* const field :
        {"currentStepAnalysisRun", "currentBackgroundAnalysisRun", "currentAnalysisRun"})
        for (auto const* const strategy : {"canary", "blueGreen"})
            if (auto const run = runs.find(text(part(status, strategy), field)); run != runs.end())
                add_run(out, run->second);
    if (auto const why = text(status, "message"); !why.empty())
        out.push_back("  waits      " + why);
    return out;
}
