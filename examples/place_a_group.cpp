// Training jobs on racks of GPU hosts: a job starts with all its workers in one rack or not at all, and is
// told why; one that can do with less starts smaller.
#include <podium/schedule.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace schedule = podium::schedule;

struct host {
    std::string rack{};
    int gpus = 8, memory_gb = 512;
};
struct worker {
    int gpus = 0, memory_gb = 0;
};
struct job {
    std::string name{};
    std::vector<worker> workers{};
    schedule::group_policy policy{};
};
using gpus = schedule::resource<"gpus", &host::gpus, &worker::gpus>;
using memory = schedule::resource<"memory", &host::memory_gb, &worker::memory_gb>;
using rules = schedule::pipeline<host, worker, schedule::filters<schedule::fit<gpus, memory>>,
    schedule::scores<schedule::weighted<schedule::most_allocated<gpus>>>>;  // fill hosts before opening
                                                                            // others

int main()
{
    schedule::scheduler<rules> hall;
    for (std::string const rack : {"north", "south"})
        for (auto const* number : {"-1", "-2"})
            hall.set(rack + number, {.rack = rack});

    worker const trainer{.gpus = 4, .memory_gb = 200};
    worker const loader{.gpus = 0, .memory_gb = 100};
    for (job const& j :
        {job{"vision", {trainer, trainer, trainer, loader}}, job{"speech", {trainer, trainer, trainer}},  //
            job{"words", {trainer, trainer}}, job{"search", {trainer, trainer, trainer}, {.min_member = 1}},
            job{"weather", {loader, loader}, {.packing = schedule::packing::preferred}}}) {
        auto const group = schedule::place_group(hall, j.workers, j.policy, &host::rack);
        if (!group) {
            std::cout << j.name << ": " << group.error().text() << '\n';
            continue;
        }
        std::cout << j.name << ": " << group->placed << " of " << j.workers.size();
        if (!group->domain.empty())
            std::cout << " in " << group->domain << ':';
        for (auto const& slot : group->nodes)
            if (slot)
                std::cout << ' ' << hall.nodes().name(*slot);
        std::cout << '\n';
        for (auto const& why : group->refused)
            std::cout << "  " << (why.domain.empty() ? "anywhere" : why.domain) << ", worker "
                      << why.member + 1 << ": " << why.summary << '\n';
    }
}
