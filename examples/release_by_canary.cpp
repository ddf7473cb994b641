// A shop's release 2 gets a tenth of the traffic, then half, and all of it when an analysis has passed. First
// the plan; then the same machine meets a worse world: the analysis fails, and every user is back on release
// 1 before a pod of release 2 goes. Nothing runs here: the world is the loop at the end.
#include <podium/rollout.hpp>

#include <chrono>
#include <cstdint>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace canary = podium::rollout::canary;
namespace release = podium::rollout::release;
using namespace std::chrono_literals;

int main()
{
    canary::spec shop{.template_ = 2,
        .replicas = 10,
        .steps = {canary::set_weight{10}, canary::pause{5min}, canary::set_weight{50}, canary::analyze{}},
        .dynamic_stable_scale = true};
    if (auto const fine = canary::check(shop); !fine) {
        std::cerr << fine.error().text() << '\n';
        return 1;
    }

    auto const plan = canary::plan(shop, {.pod_start = 20s, .router = 1s, .analysis = 30min});
    std::cout << "plan: " << plan.takes / 1s << " s, at most " << plan.peak_pods << " pods, never fewer than "
              << plan.least_available << " that serve\n";
    for (auto const& line : plan.lines)
        std::cout << std::setw(6) << line.at / 1s << " s  " << line.stable << " + " << line.target
                  << " pods, " << line.weight << "% for release 2: " << to_string(line.why) << '\n';

    canary::state state;  // release 1 serves
    state.stable = state.target = 1;
    state.traffic = {
        .generation = 1, .acknowledged = 1, .shares = {{.to = 1, .weight = 100, .at_most = 100}}};
    std::vector<release::set> sets{{.which = 1, .wanted = 10, .existing = 10, .available = 10}};
    std::vector<release::answer> answers;
    podium::time_point now{};
    std::cout << "what happens:\n";
    std::string last;
    for (std::uint64_t acknowledged = 1; state.at != canary::stage::aborted; now += 1min) {
        auto const [next, todo] =
            canary::step(shop, state, {.sets = sets, .acknowledged = acknowledged, .answers = answers}, now);
        state = next;
        std::ostringstream line;
        line << "  " << to_string(state.at) << ", " << state.traffic.weight(2) << "%, pods:";
        for (auto const& goal : todo.sets)
            line << ' ' << goal.replicas;
        line << ": " << to_string(todo.why) << '\n';
        if (line.str() != last)
            std::cout << (last = line.str());

        for (auto const& goal :
            todo.sets) {  // within the minute pods start, routers switch, the analysis ends
            if (goal.which > sets.size())
                sets.push_back({.which = goal.which});
            auto& set = sets[goal.which - 1];
            set.wanted = set.existing = set.available = goal.replicas;
        }
        acknowledged = state.traffic.generation;
        if (todo.analysis)
            answers.push_back({.run = todo.analysis->number, .said = podium::rollout::verdict::fail});
    }
    std::cout << "release 1 has " << state.traffic.weight(1) << "% again\n";
}
