// A robot's self test decides whether it gets orders: three bad answers take it out, one good answer
// brings it back; when its heartbeat fails twice, it is to be restarted.
#include <podium/probe.hpp>

#include <iostream>

namespace probe = podium::probe;
using namespace std::chrono_literals;

int main()
{
    probe::policies const robot{
        .readiness = probe::policy{.period = 200ms},                                              // self test
        .liveness = probe::policy{.initial_delay = 1s, .period = 500ms, .failure_threshold = 2},  // heartbeat
    };
    auto ask = [](probe::kind which, podium::time_point t) {
        bool const ill = which == probe::kind::readiness
            ? t >= podium::time_point{400ms} && t < podium::time_point{1s}
            : t >= podium::time_point{1500ms};
        return ill ? probe::outcome::failure : probe::outcome::success;
    };

    podium::time_point now{};
    auto state = probe::start(robot, 1, now);
    auto step = [&](probe::observed const& seen) {
        auto const [next, todo] = probe::step(robot, state, seen, now);
        state = next;
        for (auto const& change : todo.changed)
            if (change)
                std::cout << now.time_since_epoch() / 1ms << " ms: " << to_string(change->which) << " is "
                          << to_string(change->to) << " after " << change->because.count << " of "
                          << change->because.needed << '\n';
        if (todo.restart)
            std::cout << "restart it\n";
        return todo;
    };
    while (!probe::condemned(state)) {
        auto todo = step({});
        for (auto const& check : todo.checks)
            if (check)
                todo.wake_at = step({.answer = {{*check, ask(check->which, now)}}}).wake_at;
        now = todo.wake_at;
    }
}
