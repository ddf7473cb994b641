// The README's ten lines: Kubernetes' scheduler on two structs of your own.
#include <podium/schedule.hpp>

#include <iostream>

namespace schedule = podium::schedule;

struct machine {
    int cores = 0, ram_mb = 0;
};
struct match {
    int cores = 0, ram_mb = 0;
};

using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using ram = schedule::resource<"ram", &machine::ram_mb, &match::ram_mb>;
using rules = schedule::pipeline<machine, match, schedule::filters<schedule::fit<cores, ram>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores, ram>>>>;

int main()
{
    schedule::scheduler<rules> fleet;
    fleet.set("oslo", {.cores = 8, .ram_mb = 16'000});
    fleet.set("rome", {.cores = 8, .ram_mb = 32'000});
    for (match const& game : {match{6, 8'000}, match{6, 8'000}, match{6, 8'000}})
        if (auto const d = fleet.place(game); d.node)
            std::cout << fleet.name(d) << '\n';
        else
            std::cout << fleet.summary(d, game) << '\n';
}
