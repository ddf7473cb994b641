// podium plan: what a change of a rollout will do, before it starts. Needs nothing that is up.
#include "arguments.hpp"
#include "commands.hpp"
#include "manifests.hpp"

#include <podium/controllers/release_plan.hpp>
#include <podium/core/duration.hpp>
#include <podium/model/scheme.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

namespace controllers = podium::controllers;
namespace model = podium::model;
using podium::duration;

constexpr char const usage[] = R"(usage: podium plan -f PATH... [OPTION...]

Tells what releasing the rollouts in these manifests will do, step for step: pods of both versions, the weight, the
least that serves at any moment, the most pods at once, and how long it takes; what its analyses need to know enough;
and what cannot work as it is written. Nothing is changed, and nothing needs to be up.

  -f PATH            a manifest, a folder of them, or - (any number)
  --pod-start D      from the wish for a pod until it is available (10s)
  --analysis D       until an analysis passes (60s)
  --traffic N        visitors a second, of both versions: then analyses are given times
  --room N           pods more than there are that nodes have room for
  --help
)";

std::string clock_of(duration d)
{
    auto const s = std::chrono::duration_cast<std::chrono::seconds>(d).count();
    char text[64];
    std::snprintf(
        text, sizeof text, "%lld:%02lld", static_cast<long long>(s / 60), static_cast<long long>(s % 60));
    return text;
}
std::string after(std::optional<podium::rollout::analysis::moment> const& m)
{
    if (!m)
        return "not within its horizon";
    auto out = std::to_string(m->canary_units) + " of the canary";
    if (m->after)
        out += ", " + clock_of(*m->after);
    return out;
}

void print(model::rollout const& r, controllers::release_plan const& plan)
{
    std::printf("rollout %s: %zu lines, %s%s\n\n", r.metadata.name.c_str(), plan.lines.size(),
        clock_of(plan.takes).c_str(), plan.needs_person ? ", and the time until somebody promotes it" : "");
    std::printf("%8s  %-10s %4s  %6s  %4s  %7s  %9s  %5s  %s\n", "AT", "STAGE", "STEP", "STABLE", "NEW",
        "TRAFFIC", "AVAILABLE", "PODS", "WAITS FOR");
    for (auto const& l : plan.lines)
        std::printf("%8s  %-10s %4zu  %6d  %4d  %5d %%  %9lld  %5lld  %s\n", clock_of(l.at).c_str(),
            std::string(l.stage).c_str(), l.step, l.stable, l.target, l.weight,
            static_cast<long long>(l.available), static_cast<long long>(l.pods),
            std::string(l.waits_for).c_str());
    std::printf("\nat the worst moment %lld pods serve; at most %lld exist\n",
        static_cast<long long>(plan.least_available), static_cast<long long>(plan.peak_pods));
    for (auto const& f : plan.forecasts)
        std::printf(
            "%s, with %.0f %% of the traffic: knows after %s (half of all releases), %s (nine of ten)\n",
            f.metric.c_str(), f.share * 100, after(f.same.median).c_str(), after(f.same.late).c_str());
    if (!plan.finishes)
        std::printf("warning: it does not come to an end by itself\n");
    for (auto const& w : plan.warnings)
        std::printf("warning: %s\n", w.text().c_str());
    std::printf("\n");
}

}  // namespace

int plan(std::vector<std::string> const& args)
{
    auto const parsed = parse(args,
        {{"-f --filename", true}, {"--pod-start", true}, {"--analysis", true}, {"--traffic", true},
            {"--room", true}, {"--help -h"}});
    if (!parsed)
        return failed(parsed.error(), 2);
    if (parsed->has("--help"))
        return std::fputs(usage, stdout) < 0;
    auto const wrong = [](std::string message) {
        return failed({podium::errc::invalid, std::move(message), {}, {}}, 2);
    };
    if (!parsed->words.empty() || !parsed->has("-f"))
        return wrong("expected -f PATH; podium plan --help tells the rest");
    controllers::release_circumstances how;
    for (auto const& [name, into] :
        {std::pair{"--pod-start", &how.pace.pod_start}, {"--analysis", &how.pace.analysis}})
        if (parsed->has(name)) {
            auto const d = podium::parse_duration(parsed->value(name));
            if (!d)
                return wrong(std::string(name) + ": " + d.error().message);
            *into = *d;
        }
    auto const number = [&](char const* name) -> std::optional<double> {
        char* end = nullptr;
        auto const text = parsed->value(name);
        double const value = std::strtod(text.c_str(), &end);
        return text.empty() || *end != 0 || !(value >= 0 && value < 1e12) ? std::nullopt
                                                                          : std::optional(value);
    };
    if (parsed->has("--traffic")) {
        if (auto const n = number("--traffic"))
            how.units_per_second = *n;
        else
            return wrong("--traffic: expected a number, visitors a second");
    }
    if (parsed->has("--room")) {
        if (auto const n = number("--room"))
            how.room_for_pods = static_cast<std::int64_t>(*n);
        else
            return wrong("--room: expected a number of pods");
    }

    auto const kinds = model::default_scheme();
    auto const files = manifest_files(parsed->values("-f"));
    if (!files)
        return failed(files.error());
    std::vector<model::rollout> rollouts;
    std::vector<model::analysis_template> templates;
    int bad = 0;
    for (auto const& file : *files) {
        auto const read = read_file(file, kinds, "default");
        if (!read) {
            bad = failed(read.error());
            continue;
        }
        for (auto const& m : *read) {
            if (auto const r = m.object.as<model::rollout>())
                rollouts.push_back(*r);
            else if (auto const t = m.object.as<model::analysis_template>())
                templates.push_back(*t);
        }
    }
    if (bad != 0)
        return bad;
    if (rollouts.empty())
        return failed({podium::errc::not_found, "there is no Rollout in these manifests", {}, {}});
    for (auto const& r : rollouts)
        print(r, controllers::plan_of(r, templates, how));
    return 0;
}
