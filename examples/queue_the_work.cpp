// A workshop with two robots: three customers take turns though one of them sends everything at once, urgent
// jobs go first within a customer, a job that fails stays away longer each time, and the evening's shutdown
// loses none.
#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/work_queue.hpp>

#include <iostream>
#include <string>

namespace reconcile = podium::reconcile;
using namespace std::chrono_literals;

struct job {
    std::string customer;
    int number = 0;
    bool operator==(job const&) const = default;
};
template<>
struct std::hash<job> {
    std::size_t operator()(job const& j) const
    {
        return std::hash<std::string>{}(j.customer) + std::size_t(j.number);
    }
};
struct customer_of {
    std::string const& operator()(job const& j) const { return j.customer; }
};

int main()
{
    reconcile::work_queue<job, reconcile::fair<customer_of, reconcile::by_priority>, reconcile::counted>
        queue;
    reconcile::exponential_limiter<job> limiter(1s, 1min);
    podium::time_point now{};
    queue.advance(now);

    for (int n = 1; n <= 4; ++n)
        queue.add({"mill", n});
    queue.add({"mill", 4});  // known already
    queue.add({"farm", 1});
    queue.add({"farm", 2}, 5);  // urgent
    queue.add({"farm", 3});
    queue.add({"school", 1});

    for (int shift = 0; shift < 6; ++shift, now += 1s) {
        queue.advance(now);
        std::cout << now.time_since_epoch() / 1s << " s:";
        if (shift == 4)
            queue.shut_down();
        for (int robot = 0; robot < 2; ++robot) {
            auto const* const j = queue.get();
            if (!j)
                break;
            bool const jammed = *j == job{"mill", 1} && limiter.failures(*j) < 1;
            std::cout << "  " << j->customer << ' ' << j->number << (jammed ? " (jammed)" : "");
            if (jammed)
                queue.add_after(*j, limiter.when(*j, now), now);
            else
                limiter.forget(*j);
            queue.done(*j);
        }
        std::cout << (queue.drained() ? "  closed\n" : "\n");
    }
    auto const figures = queue.figures();
    std::cout << figures.adds.total << " adds, " << figures.retries.total << " retry, longest wait under "
              << (figures.queue_duration.at_most(9) == figures.queue_duration.count ? "10 s\n" : "100 s\n");
}
