// Game servers are scaled on players per server: what to do now, and what the policy would have done last
// night.
#include <podium/autoscale.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

namespace autoscale = podium::autoscale;
using namespace std::chrono_literals;

struct server {
    int players = 0;
    bool reports = true;
};

int main()
{
    autoscale::policy policy;
    policy.min_replicas = 2;
    policy.max_replicas = 40;
    policy.metrics = {{.name = "players", .target_milli = 80'000}};  // 80 on each server
    policy.behavior.emplace();  // the double within 15 s at most; five minutes before it shrinks

    // Now: your servers, as they are.
    std::vector<server> const fleet{{150}, {130}, {0, false}, {170}};
    autoscale::state state;  // keep it, save it
    autoscale::workspace room;
    podium::time_point const now{18h};
    auto const look = [](server const& s) {
        return s.reports ? autoscale::sample{.value_milli = autoscale::milli(s.players)}
                         : autoscale::sample{};
    };
    auto const seen = autoscale::observe(policy, fleet, look, now, room);
    auto const [next, todo] = autoscale::step(policy, state, seen, now, room);
    std::cout << text(policy, todo) << "\n\n";

    // Last night: players in all, minute by minute, with a streamer's crowd from 20:00 to 20:20.
    std::vector<autoscale::load> night;
    for (int minute = 0; minute <= 300; ++minute) {
        int const evening = 300 + (minute < 180 ? minute * 8 : (360 - minute) * 8);
        int const crowd = minute >= 120 && minute < 140 ? 1200 : 0;
        night.push_back({.at = now + minute * 1min, .total_milli = {(evening + crowd) * 1000LL}});
    }
    std::cout << "time  servers: = filled by players, . to spare; what held the answer back\n";
    auto const series = autoscale::replay(policy, night, {.replicas = 4, .startup = 2min});
    for (std::size_t i = 0; i < series.size(); i += 10) {
        auto const& m = series[i];
        auto const hour = m.at.time_since_epoch() / 1h, minute = m.at.time_since_epoch() / 1min % 60;
        auto const needed = static_cast<std::size_t>((*night[i].total_milli[0] + 79'999) / 80'000);
        auto row = std::string(needed, '=');
        row.resize(std::max<std::size_t>(needed, static_cast<std::size_t>(m.decided.desired)), '.');
        std::cout << hour << ':' << std::setw(2) << std::setfill('0') << minute << ' ' << std::setw(2)
                  << std::setfill(' ') << m.decided.desired << ' ' << row;
        if (m.decided.limited_by != autoscale::limit::none)
            std::cout << "  " << to_string(m.decided.limited_by);
        std::cout << '\n';
    }
}
