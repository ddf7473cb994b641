// podium plan: what a change of a rollout will do, before it starts. Asks the nodes for room if a podium is
// up, and needs none.
#include "arguments.hpp"
#include "commands.hpp"
#include "manifests.hpp"
#include "session.hpp"

#include <podium/controllers/release_plan.hpp>
#include <podium/core/duration.hpp>
#include <podium/core/quantity.hpp>
#include <podium/model/scheme.hpp>

#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace {

namespace asio = boost::asio;
namespace controllers = podium::controllers;
namespace model = podium::model;
using podium::duration;

constexpr char const usage[] = R"(usage: podium plan -f PATH... [OPTION...]

Tells what releasing the rollouts in these manifests will do, step for step: pods of both versions, the weight, the
least that serves at any moment, the most pods at once, and how long it takes; what its analyses need to know enough;
and what cannot work as it is written. Nothing is changed. Whether there is room for the pods is asked of the nodes of the
podium that is up, if one is.

  -f PATH            a manifest, a folder of them, or - (any number)
  --pod-start D      from the wish for a pod until it is available (10s)
  --analysis D       until an analysis passes (60s)
  --traffic N        visitors a second, of both versions: then analyses are given times
  --nodes N          as if N empty nodes were up, each with:
  --cpu Q, --memory Q, --pods N    (4, 8Gi, 110)
  --room N           pods more than there are that nodes have room for, when that is known otherwise
  --socket PATH      of the podium that is up
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

// All objects of a kind of the podium that is up.
template<class K>
asio::awaitable<podium::result<std::vector<K>>> all_of(session const& s)
{
    auto const answer = co_await s.ask(request(podium::api::path_of(K::api_version, K::plural, {})));
    if (!answer)
        co_return answer.error();
    std::vector<K> out;
    for (auto const& item : (*answer)["items"]) {
        auto one = s.kinds.read(item, "default");
        if (!one)
            co_return one.error();
        out.push_back(*one->template as<K>());
    }
    co_return out;
}
// The nodes that are up and what is on them. Without a podium there are none.
asio::awaitable<podium::result<void>> ask_cluster(session const& s, controllers::release_circumstances& how)
{
    auto nodes = co_await all_of<model::node>(s);
    if (!nodes && nodes.error().code == podium::errc::unavailable && !s.args.has("--socket")) {
        std::fputs("no podium is up, so whether nodes have room is not known; --nodes N says it\n", stderr);
        co_return podium::result<void>{};
    }
    if (!nodes)
        co_return nodes.error();
    auto pods = co_await all_of<model::pod>(s);
    if (!pods)
        co_return pods.error();
    how.nodes = *std::move(nodes);
    how.pods = *std::move(pods);
    co_return podium::result<void>{};
}

// What --nodes and its like say.
podium::result<std::vector<model::node>> imagined(arguments const& args, std::size_t count)
{
    model::node n;
    for (auto const& [option, otherwise] :
        {std::pair("--cpu", "4"), {"--memory", "8Gi"}, {"--pods", "110"}}) {
        auto const q = podium::quantity::parse(args.value(option, otherwise));
        if (!q)
            return podium::error{podium::errc::invalid, q.error().message, option, {}};
        n.status.allocatable[option + 2] = *q;
    }
    std::vector<model::node> out;
    for (std::size_t i = 1; i <= count; ++i) {
        n.metadata.name = "node-" + std::to_string(i);
        n.metadata.labels["kubernetes.io/hostname"] = n.metadata.name;
        out.push_back(n);
    }
    return out;
}

asio::awaitable<int> do_plan(session const& s)
{
    auto const* const parsed = &s.args;
    auto const wrong = [](std::string message) {
        return failed({podium::errc::invalid, std::move(message), {}, {}}, 2);
    };
    if (!parsed->words.empty() || !parsed->has("-f"))
        co_return wrong("expected -f PATH; podium plan --help tells the rest");
    controllers::release_circumstances how;
    for (auto const& [name, into] :
        {std::pair{"--pod-start", &how.pace.pod_start}, {"--analysis", &how.pace.analysis}})
        if (parsed->has(name)) {
            auto const d = podium::parse_duration(parsed->value(name));
            if (!d)
                co_return wrong(std::string(name) + ": " + d.error().message);
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
            co_return wrong("--traffic: expected a number, visitors a second");
    }
    if (parsed->has("--room")) {
        if (auto const n = number("--room"))
            how.room_for_pods = static_cast<std::int64_t>(*n);
        else
            co_return wrong("--room: expected a number of pods");
    }

    if (parsed->has("--nodes")) {
        auto const n = number("--nodes");
        if (!n || *n < 1 || *n > 10'000)
            co_return wrong("--nodes: expected a number from 1 to 10000");
        auto nodes = imagined(*parsed, static_cast<std::size_t>(*n));
        if (!nodes)
            co_return failed(nodes.error(), 2);
        how.nodes = *std::move(nodes);
    } else if (parsed->has("--cpu") || parsed->has("--memory") || parsed->has("--pods")) {
        co_return wrong("--cpu, --memory and --pods are those of --nodes N");
    }

    auto const& kinds = s.kinds;
    auto const files = manifest_files(parsed->values("-f"));
    if (!files)
        co_return failed(files.error());
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
        co_return bad;
    if (rollouts.empty())
        co_return failed({podium::errc::not_found, "there is no Rollout in these manifests", {}, {}});
    if (how.nodes.empty() && !how.room_for_pods) {
        auto const asked = co_await ask_cluster(s, how);
        if (!asked)
            co_return failed(asked.error());
    }
    for (auto const& r : rollouts)
        print(r, controllers::plan_of(r, templates, how));
    co_return 0;
}

}  // namespace

int plan(std::vector<std::string> const& args)
{
    return command(args, usage, do_plan,
        {{"-f --filename", true}, {"--pod-start", true}, {"--analysis", true}, {"--traffic", true},
            {"--room", true}, {"--nodes", true}, {"--cpu", true}, {"--memory", true}, {"--pods", true},
            {"--socket", true}, {"--help -h"}});
}
