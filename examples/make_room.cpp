// Robots at the docks of a warehouse: one picker for each aisle, near its charger; and who has to make room
// when an urgent one comes.
#include <podium/schedule.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace schedule = podium::schedule;
namespace labels = podium::labels;

struct dock {
    schedule::label_map labels{};
    std::int64_t places = 1;
};
struct robot {
    std::string name{};
    schedule::resident neighbour{};  // what it is to others, and what they are to it
};
std::int64_t one(robot const&)
{
    return 1;
}
using places = schedule::resource<"places", &dock::places, &one>;
using neighbours = schedule::inter_pod_affinity<&dock::labels, &robot::neighbour>;
using rules = schedule::pipeline<dock, robot, schedule::filters<schedule::fit<places>, neighbours>,
    schedule::scores<schedule::weighted<neighbours>>>;

robot make(std::string name, std::string kind, schedule::pod_affinity wish = {})
{
    return {name, {.labels = {{"kind", kind}}, .affinity = wish}};
}
schedule::affinity_term any(char const* selector, char const* reach)
{
    return {.selector = labels::selector::parse(selector).value(), .topology_key = reach};
}

int main()
{
    schedule::scheduler<rules> hall;
    for (std::string const name : {"a1", "a2", "b1", "b2"})
        hall.set(name, {.labels = {{"dock", name}, {"aisle", name.substr(0, 1)}}});

    schedule::pod_affinity const picks{
        .required = {any("kind=charger", "aisle")}, .required_anti = {any("kind=picker", "aisle")}};
    std::vector<robot> const robots{make("charger-1", "charger"), make("picker-1", "picker", picks),
        make("picker-2", "picker", picks), make("charger-2", "charger"), make("picker-3", "picker", picks)};
    std::vector<schedule::occupant<robot>> there;
    for (auto const& r : robots) {
        auto const d = hall.place(r);
        std::cout << r.name << ": " << (d.node ? hall.name(d) : hall.summary(d, r)) << '\n';
        if (d.node)
            there.push_back({.node = *d.node, .pod = &r, .priority = r.name.starts_with("picker") ? 1 : 9});
    }

    auto const fire = make("fire-watch", "watch", {.required = {any("kind=charger", "aisle")}});
    std::cout << "fire-watch: " << hall.summary(hall.decide(fire), fire) << '\n';
    auto const room = schedule::preempt(hall.rules(), hall.nodes(), fire, {.priority = 5}, there);
    for (auto const& v : room.candidates)
        for (auto const i : v.pods)
            std::cout << "  at " << hall.nodes().name(v.node) << " without " << there[i].pod->name << '\n';
}
