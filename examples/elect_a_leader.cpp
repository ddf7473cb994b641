// Two dispatchers of a robot fleet, one lease: the first leads until it freezes, the second takes over, and
// the first finds out when it wakes. What each writes would carry the term, so that the store refuses what
// comes too late.
#include <podium/reconcile/lease.hpp>

#include <iostream>
#include <optional>
#include <string>

namespace reconcile = podium::reconcile;
using namespace std::chrono_literals;

struct dispatcher {
    std::string name;
    reconcile::election mine{};

    void turn(std::optional<reconcile::lease>& shared, podium::time_point now)
    {
        reconcile::election_seen seen{.record = shared};
        for (bool again = true; again;) {
            auto const [next, todo] = step(reconcile::election_policy{}, name, mine, seen, now);
            mine = next;
            if (todo.leads)
                std::cout << now.time_since_epoch() / 1s << " s: " << name
                          << (*todo.leads ? " leads, term " + std::to_string(mine.seen->term)
                                          : " stops: " + std::string(to_string(todo.why)))
                          << '\n';
            again = todo.write.has_value();
            if (again)  // here the store always takes it
                shared = todo.write,
                seen = {.record = shared, .wrote = reconcile::election_seen::answer::done};
        }
    }
};

int main()
{
    std::optional<reconcile::lease> shared;
    dispatcher a{"aisle-a"}, b{"aisle-b"};
    for (auto t = 0s; t <= 60s; t += 1s) {
        bool const frozen = t > 20s && t < 50s;
        if (!frozen)
            a.turn(shared, podium::time_point(t));
        b.turn(shared, podium::time_point(t));
    }
}
