// Four robots, one for each numbered dock, get new software: the highest dock first, one at a time, and dock
// 0 keeps the old version for now. Robot 2 hangs with the new version; the fixed one goes on without a hand.
#include <podium/rollout.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace stateful = podium::rollout::stateful;
using namespace std::chrono_literals;

namespace fleet {

struct robot {
    int dock = 0;
    unsigned software = 1;
    bool returning = false;
    bool works = false;
};

// All that the rollout asks of a robot.
stateful::pod as_pod(robot const& r)
{
    stateful::pod p{.ordinal = r.dock, .template_ = r.software, .terminating = r.returning};
    if (r.works) {
        p.phase = stateful::phase::running;
        p.ready_since = podium::time_point{};
    }
    return p;
}

}  // namespace fleet

int main()
{
    std::vector<fleet::robot> robots;
    for (int dock = 0; dock < 4; ++dock)
        robots.push_back({.dock = dock, .works = true});
    std::vector<stateful::revision> versions{{1, 1}};
    stateful::set wanted{.template_ = 2, .replicas = 4, .partition = 1};
    stateful::status status{.current_template = 1};
    stateful::workspace room;

    for (podium::time_point now{}; now < podium::time_point{40s}; now += 1s) {
        if (now == podium::time_point{20s})
            wanted.template_ = 3;
        auto const r = stateful::step(wanted, status, robots, versions, now, room);
        status = r.next;
        for (auto const& a : r.todo) {
            if (a.what == stateful::verb::create_revision)
                versions.push_back({a.template_, a.number});
            if (a.what == stateful::verb::delete_pod)
                robots[a.pod].returning = true;
            if (a.what == stateful::verb::create_pod)
                robots.push_back({.dock = a.ordinal, .software = static_cast<unsigned>(a.template_)});
            if (a.ordinal >= 0)
                std::cout << now.time_since_epoch() / 1s << " s: dock " << a.ordinal
                          << (a.what == stateful::verb::delete_pod
                                     ? " sends its robot home: "
                                     : " gets a robot with version " + std::to_string(a.template_) + ": ")
                          << to_string(a.why) << '\n';
        }
        // The world: a robot that was sent home is gone, a new one works unless it hangs.
        std::erase_if(robots, [](auto const& robot) { return robot.returning; });
        for (auto& robot : robots)
            robot.works = !(robot.dock == 2 && robot.software == 2);
    }
    std::cout << status.available << " of " << wanted.replicas << " work, " << status.updated
              << " with version " << status.update_template << '\n';
}
