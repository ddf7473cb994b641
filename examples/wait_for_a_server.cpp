// Matches wait for a game server: the final goes first, who was refused waits until a server that could take
// it is there, and a match that was refused a moment ago is not tried at once.
#include <podium/schedule.hpp>

#include <iostream>
#include <map>
#include <string>

namespace schedule = podium::schedule;
using namespace std::chrono_literals;

struct machine {
    std::int64_t cores = 0;
    bool has_gpu = false;
};
struct match {
    std::int64_t cores = 0;
    bool needs_gpu = false;
    friend bool operator==(match const&, match const&) = default;
};
struct gpu {
    static constexpr std::string_view name = "gpu", reason = "server(s) had no GPU";
    static bool filter(machine const& m, match const& wanted) { return m.has_gpu || !wanted.needs_gpu; }
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using rules = schedule::pipeline<machine, match, schedule::filters<gpu, schedule::fit<cores>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores>>>>;
constexpr auto no_gpu = schedule::plugin_bit(0), too_small = schedule::plugin_bit(1);

int main()
{
    schedule::scheduler<rules> fleet;
    fleet.set("oslo", {.cores = 4});
    std::map<std::string, match> const matches{
        {"friendly", {.cores = 3}}, {"final", {.cores = 4, .needs_gpu = true}}, {"training", {.cores = 3}}};
    schedule::pod_queue<std::string> waiting;
    podium::time_point now{};
    for (auto const& [name, m] : matches)
        waiting.add(name, {.priority = name == "final" ? 100 : 0}, now);

    auto const place_all = [&] {
        std::cout << now.time_since_epoch() / 1s << " s\n";
        while (auto const* name = waiting.pop()) {
            auto const d = fleet.place(matches.at(*name));
            std::cout << "  " << *name << ": "
                      << (d.node ? fleet.name(d) : fleet.summary(d, matches.at(*name))) << '\n';
            d.node ? waiting.done(*name) : waiting.refused(*name, schedule::rejectors(d), now);
        }
    };
    place_all();
    now += 30s;
    fleet.set("bergen", {.cores = 16});  // more cores, no GPU: helps who found too few
    waiting.notify(too_small, now);
    place_all();
    now += 30s;
    fleet.set("rome", {.cores = 16, .has_gpu = true});
    waiting.notify(no_gpu | too_small, now);
    place_all();
    std::cout << waiting.size() << " wait\n";
}
