#include <podium/probe.hpp>

#include <chrono>
#include <doctest/doctest.h>
#include <random>

using namespace std::chrono_literals;
namespace probe = podium::probe;
using probe::counting;
using probe::kind;
using probe::outcome;
using probe::verdict;

namespace {

probe::worker answered(
    probe::policy const& p, kind which, counting how, probe::worker w, probe::sight const& seen, outcome o)
{
    auto const t = probe::tick(p, which, how, w, seen);
    REQUIRE(t.ask);
    return probe::answer(p, which, t.next, o);
}

}  // namespace

TEST_CASE("probe: a run of failures ends with its container, unless Kubernetes' counting is asked for")
{
    probe::policy const p{.failure_threshold = 3};
    for (auto const how : {counting::per_instance, counting::kubernetes}) {
        probe::sight seen{.instance = 1, .running = true, .started = true, .running_for = 1s};
        probe::worker w;
        for (int i = 0; i < 2; ++i)
            w = answered(p, kind::liveness, how, w, seen, outcome::failure);
        CHECK(w.memory.current == verdict::passing);
        seen.instance = 2;
        w = answered(p, kind::liveness, how, w, seen, outcome::failure);
        CHECK(w.memory.current == (how == counting::kubernetes ? verdict::failing : verdict::passing));
        CHECK(probe::standing(p, w.memory).count == (how == counting::kubernetes ? 0 : 1));
    }
}

TEST_CASE("probe: a worker waits for its container, its startup and its delay, and ends with it")
{
    probe::policy const p{.initial_delay = 5s};
    auto const tick = [&](kind k, probe::worker w, probe::sight const& s) {
        return probe::tick(p, k, counting::per_instance, w, s);
    };
    CHECK_FALSE(tick(kind::liveness, {}, {}).ask);
    CHECK(tick(kind::liveness, {}, {}).next == probe::worker{});
    probe::sight seen{.instance = 1, .running = true, .started = true, .running_for = 4999ms};
    CHECK_FALSE(tick(kind::liveness, {}, seen).ask);
    seen.running_for = 5s;
    CHECK(tick(kind::liveness, {}, seen).ask);
    CHECK(tick(kind::readiness, {}, seen).ask);
    CHECK_FALSE(tick(kind::startup, {}, seen).ask);
    seen.started = false;
    CHECK_FALSE(tick(kind::liveness, {}, seen).ask);
    CHECK(tick(kind::startup, {}, seen).ask);

    seen.terminating = true;
    auto const last = tick(kind::startup, {}, seen).next;
    CHECK(last.over);
    CHECK(last.memory.current == verdict::passing);
    CHECK_FALSE(tick(kind::startup, last, seen).ask);

    auto const ended = tick(kind::readiness, {}, {.instance = 1, .running = false, .restarts = false});
    CHECK(ended.next.over);
    CHECK(ended.next.memory.current == verdict::failing);
    CHECK_FALSE(tick(kind::readiness, {}, {.instance = 1, .running = false}).next.over);
}

TEST_CASE("probe: an unreasonable policy asks a worker for nothing impossible")
{
    probe::policy const p{.initial_delay = -podium::duration::max(),
        .period = podium::duration::min(),
        .success_threshold = 0,
        .failure_threshold = 0};
    auto const w = answered(p, kind::liveness, counting::per_instance, {},
        {.instance = 1, .running = true, .started = true, .running_for = 0s}, outcome::failure);
    CHECK(w.memory.current == verdict::failing);
    CHECK(w.held);
}

TEST_SUITE("property")
{
    TEST_CASE("probe: worker and monitor make the same of the same answers")
    {
        for (std::uint64_t seed = 0; seed < 500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            probe::policies p;
            p.readiness = probe::policy{.period = 1s,
                .success_threshold = static_cast<std::uint32_t>(1 + random() % 3),
                .failure_threshold = static_cast<std::uint32_t>(1 + random() % 3)};
            auto m = probe::start(p, 1, {});
            probe::worker w;
            for (int i = 0; i < 40; ++i) {
                podium::time_point const now{std::chrono::seconds(i)};
                auto const asked = probe::step(p, m, {}, now);
                auto const& check = asked.todo.checks[static_cast<std::size_t>(kind::readiness)];
                REQUIRE(check);
                auto const o = static_cast<outcome>(random() % 3);
                m = probe::step(p, asked.next, {.answer = {{*check, o}}}, now).next;
                w = answered(*p.readiness, kind::readiness, counting::per_instance, w,
                    {.instance = 1, .running = true, .started = true, .running_for = 1s * i}, o);
                CHECK(w.memory.current == m.readiness.current);
                CHECK(probe::standing(*p.readiness, w.memory) == probe::standing(*p.readiness, m.readiness));
            }
        }
    }
}
