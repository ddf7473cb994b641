// Game servers on a few machines: what an upgrade of one machine would do, whether a spare one is enough, and
// which moves are worth making when it has come. Nothing is moved before the answers are known.
#include <podium/schedule.hpp>

#include <deque>
#include <iostream>
#include <string>
#include <vector>

namespace schedule = podium::schedule;

struct machine {
    int cores = 0;
};
struct match {
    int players = 0;
    int cores() const { return (players + 9) / 10; }
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using rules = schedule::pipeline<machine, match, schedule::filters<schedule::fit<cores>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores>>>>;

void print(std::string const& question, schedule::outlook const& o)
{
    std::cout << question << ": " << o.after.placed << " placed, " << o.after.unplaced << " not, "
              << o.after.empty_nodes << " of " << o.after.nodes << " empty\n";
    for (auto const& f : o.pods)
        std::cout << "  " << f.id << ' ' << to_string(f.why) << ", " << f.from
                  << (f.to.empty() ? ": " + f.summary : " to " + f.to) << '\n';
}

int main()
{
    schedule::scheduler<rules> fleet;
    for (auto const* name : {"oslo", "rome", "lima"})
        fleet.set(name, {.cores = 8});

    std::deque<match> matches;
    std::vector<schedule::tenant<match>> there;
    for (int players : {60, 40, 40, 30, 20}) {
        auto const& m = matches.emplace_back(match{players});
        there.push_back({.id = "match-" + std::to_string(there.size() + 1),
            .pod = &m,
            .node = fleet.place(m).node,
            .priority = players});
    }

    schedule::drain_nodes const upgrade{{"oslo"}};
    schedule::add_nodes<machine> const spare{.name = "spare", .node = {.cores = 16}};
    print("upgrade oslo", schedule::what_if(fleet, there, {upgrade}).value());
    print("with a spare", schedule::what_if(fleet, there, {spare, upgrade}).value());
    schedule::change_pods<match> const more{{"match-5"}, {.players = 70}};
    print("match-5 grows", schedule::what_if(fleet, there, {more}).value());

    fleet.set("spare", {.cores = 16});
    auto const plan = schedule::rebalance(fleet, there, {.max_moves = 2, .least_gain = 10}).value();
    std::cout << "with the spare: score " << plan.total_before << " -> " << plan.total_after << '\n';
    for (auto const& m : plan.moves)
        std::cout << "  " << m.id << " to " << fleet.nodes().name(m.to) << ": +" << m.gain << '\n';
}
