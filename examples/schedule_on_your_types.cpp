// Places matches of a game on a fleet of machines, on the game's own types, and says why one does not fit.

#include <podium/schedule.hpp>

#include <cstdlib>
#include <iostream>
#include <string_view>

namespace schedule = podium::schedule;

struct machine {
    int cores = 0, ram_mb = 0, region = 0;
};
struct match {
    int cores = 0, ram_mb = 0, region = 0;
};

using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using ram = schedule::resource<"ram", &machine::ram_mb, &match::ram_mb>;

struct near_players {
    static constexpr std::string_view name = "near_players";
    static int score(machine const& m, match const& p) { return 100 - 20 * std::abs(m.region - p.region); }
};

using rules = schedule::pipeline<machine, match,  //
    schedule::filters<schedule::fit<cores, ram>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores, ram>, 1>,
        schedule::weighted<near_players, 2>>>;

int main()
{
    schedule::scheduler<rules> fleet;
    fleet.set("oslo", {.cores = 8, .ram_mb = 16'000, .region = 1});
    fleet.set("rome", {.cores = 8, .ram_mb = 32'000, .region = 2});

    for (auto const& game : {match{4, 8'000, 1}, match{4, 8'000, 1}, match{4, 8'000, 1}, match{6, 4'000, 2}})
        if (auto const d = fleet.place(game); d.node)
            std::cout << fleet.name(d) << ", score " << d.score << ", " << d.feasible << " fit\n";
        else
            std::cout << fleet.summary(d, game) << '\n';
}
