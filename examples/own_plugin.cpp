// Three plugins of one's own on a game studio's types: players get the nearest GPU host whose generation runs
// the game and that has a licence seat left; whoever gets none is told what the hosts lack.
#include <podium/schedule.hpp>

#include <iostream>
#include <map>
#include <string>

namespace schedule = podium::schedule;

struct host {
    std::map<std::string, int> latency_ms{};  // to the users of each region
    int gpu_generation = 0, licences = 0;
};
struct session {
    std::string region{};
    int least_generation = 0, seats = 1;
};

struct latency {  // a score: 100 at no latency, 0 at 200 ms and for regions that were never measured
    static constexpr std::string_view name = "latency";
    static int score(host const& h, session const& s)
    {
        auto const known = h.latency_ms.find(s.region);
        return known == h.latency_ms.end() ? 0 : 100 - known->second / 2;
    }
};

struct generation {  // a filter that reads the host alone, and its reason
    static constexpr std::string_view name = "generation";
    static constexpr std::string_view reason = "GPU too old";
    static bool filter(host const& h, session const& s) { return h.gpu_generation >= s.least_generation; }
};

using seats = schedule::resource<"seats", &host::licences, &session::seats>;
struct licences {  // a filter over a column: what the sessions that are placed there use
    static constexpr std::string_view name = "licences";
    static constexpr std::string_view reason = "no licence seat left";
    using facts = schedule::facts<schedule::usage<seats>>;
    static bool filter(auto const& at, session const& s)
    {
        return s.seats <= at.template get<schedule::usage<seats>>().free();
    }
};

using rules = schedule::pipeline<host, session, schedule::filters<generation, licences>,
    schedule::scores<schedule::weighted<latency>>>;

int main()
{
    schedule::scheduler<rules> studio;
    studio.set("oslo", {{{"north", 10}, {"south", 60}}, 5, 2});
    studio.set("rome", {{{"north", 60}, {"south", 10}}, 3, 1});
    for (session const& s :
        {session{"north"}, session{"south"}, session{"south"}, session{"north", 4}, session{"west"}})
        if (auto const d = studio.place(s); d.node)
            std::cout << s.region << ": " << studio.name(d) << ", score " << d.score << '\n';
        else
            std::cout << s.region << ": " << studio.summary(d, s) << '\n';
}
