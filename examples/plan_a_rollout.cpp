// Ten game servers move from version 1 to version 2 with at most two more and one fewer than ten at any
// time. Nothing runs here: the rollout is printed before it starts, and the real one takes the same steps.
#include <podium/rollout.hpp>

#include <iostream>
#include <vector>

namespace rollout = podium::rollout;
using namespace std::chrono_literals;

int main()
{
    rollout::deployment const fleet{.replicas = 10, .bounds = {.surge = 2, .unavailable = 1}};
    std::vector<rollout::replica_set> sets{
        {.name = "v1", .revision = 1, .replicas = 10, .status_replicas = 10, .ready = 10, .available = 10}};
    rollout::status status;
    rollout::workspace room;

    podium::time_point now{1s};
    for (int step = 1;
        !status.progressing || status.progressing->why != rollout::reason::new_replica_set_available;
        ++step) {
        auto const [next, todo, wake_at] = rollout::step(fleet, status, sets, now += 1s, room);
        status = next;
        for (auto const& action : todo) {
            if (action.what == rollout::verb::create_set)
                sets.push_back({.name = "v2", .created_at = now, .matches_template = true});
            auto& set = action.set == rollout::no_set ? sets.back() : sets[action.set];
            std::cout << "step " << step << ": " << set.name << ' ' << action.from << " -> " << action.to
                      << "  (" << to_string(action.why) << ")\n";
            set.replicas = action.to;
            set.revision = action.after.revision;
        }
        for (auto& set : sets)  // the servers follow at once
            set.status_replicas = set.ready = set.available = set.replicas;
    }
    std::cout << "revision " << status.revision << " serves: " << to_string(status.progressing->why) << '\n';
}
