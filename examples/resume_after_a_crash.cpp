// An autoscaler of game servers dies after each decision and goes on from the text that it left: the window
// that keeps it from shrinking too soon is still the same one.
#include <podium/autoscale.hpp>
#include <podium/model/state.hpp>

#include <iostream>
#include <string>

namespace autoscale = podium::autoscale;
using namespace std::chrono_literals;

int main()
{
    autoscale::policy p;
    p.max_replicas = 50;
    p.metrics = {{.from = autoscale::source::external, .name = "players", .target_milli = 100'000}};

    std::string file = "{}";
    std::int32_t servers = 4;
    podium::time_point now{1h};
    for (auto const players : {900, 300, 300, 300, 300, 300}) {
        auto remembered = podium::model::decode_text<autoscale::state>(file);  // a new process, an old memory
        if (!remembered)
            return std::cerr << remembered.error().text() << '\n', 1;
        autoscale::reading const seen{.value_milli = players * 1000};
        autoscale::workspace room;
        auto const [next, todo] = autoscale::step(p, *remembered,
            {.size = {.wanted = servers, .existing = servers, .pods = servers, .ready_pods = servers},
                .readings = {&seen, 1}},
            now, room);
        servers = todo.scale_to.value_or(servers);
        file = podium::model::encode(next);
        std::cout << players << " players: " << servers << " servers\n";
        now += 2min;
    }
    std::cout << file.substr(0, 52) << "...\n";
}
