#include <podium/probe.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
namespace probe = podium::probe;
using podium::time_point;
using probe::kind;
using probe::outcome;
using probe::verdict;

namespace {

constexpr probe::policy quick{.period = 1s, .timeout = 100ms};

outcome outcome_of(char letter)
{
    return letter == 's' ? outcome::success : letter == 'f' ? outcome::failure : outcome::error;
}

// One letter a check: 's' success, 'f' failure, 'e' error, 't' no answer at all. Spells the verdict
// after each: '.' unknown, '+' passing, '-' failing; stops when there is no further check.
std::string verdicts(probe::policy const& policy, kind which, std::string_view letters)
{
    probe::policies p;
    (which == kind::startup ? p.startup : which == kind::readiness ? p.readiness : p.liveness) = policy;
    auto m = probe::start(p, 1, {});
    std::string spelled;
    time_point now{};
    for (char const letter : letters) {
        auto r = probe::step(p, m, {}, now);
        auto const& order = r.todo.checks[static_cast<std::size_t>(which)];
        if (!order)
            break;
        if (letter == 't')
            r = probe::step(p, r.next, {}, r.todo.wake_at);
        else
            r = probe::step(p, r.next, {.answer = {{*order, outcome_of(letter)}}}, now);
        m = r.next;
        auto const& c = which == kind::startup ? m.startup
            : which == kind::readiness         ? m.readiness
                                               : m.liveness;
        spelled += ".+-"[static_cast<int>(c.current)];
        now = r.todo.wake_at;
    }
    return spelled;
}

// A driver's whole memory: the monitor, the time, and what the last step asked for.
struct driven {
    probe::policies policies;
    probe::monitor state = probe::start(policies, 7, {});
    time_point now{};
    probe::actions todo{};

    void step(probe::observed const& seen = {})
    {
        auto const r = probe::step(policies, state, seen, now);
        state = r.next;
        todo = r.todo;
    }
    void answer(kind which, outcome seen)
    {
        auto const& c = which == kind::startup ? state.startup
            : which == kind::readiness         ? state.readiness
                                               : state.liveness;
        step({.answer = {{{state.instance, which, c.sequence}, seen}}});
    }
    bool asks(kind which) const { return todo.checks[static_cast<std::size_t>(which)].has_value(); }
    auto const& changed(kind which) const { return todo.changed[static_cast<std::size_t>(which)]; }
};

}  // namespace

TEST_CASE("probe: a verdict moves only on a full run of agreeing answers")
{
    struct row {
        char const* name;
        probe::policy policy;
        kind which;
        char const* letters;
        char const* expected;
    };
    for (auto const& r : {
             row{"ready after the first success", quick, kind::readiness, "s", "+"},
             row{"not ready until proven", quick, kind::readiness, "ff", "--"},
             row{"two failures are noise", quick, kind::readiness, "sffs", "++++"},
             row{"three failures in a row are news", quick, kind::readiness, "sfff", "+++-"},
             row{"a success restarts the count", quick, kind::readiness, "sffsff", "++++++"},
             row{"mixed answers prove nothing", {.success_threshold = 2}, kind::readiness, "sfsf", "----"},
             row{"recovery needs its own run", {.success_threshold = 2}, kind::readiness, "ssfffss",
                 "-+++--+"},
             row{"an error counts for nothing", quick, kind::readiness, "sfeefef", "++++++-"},
             row{"no answer is a failure", quick, kind::readiness, "sttt", "+++-"},
             row{"readiness goes on after failing", quick, kind::readiness, "sfffs", "+++-+"},
             row{"alive until proven dead", quick, kind::liveness, "ff", "++"},
             row{"liveness holds once it failed", quick, kind::liveness, "fffsss", "++-"},
             row{"startup is open until decided", quick, kind::startup, "ff", ".."},
             row{"startup never runs again once passed", quick, kind::startup, "fsfff", ".+"},
             row{"startup holds once it failed", quick, kind::startup, "fffsss", "..-"},
             row{"thresholds of zero count as one", {.success_threshold = 0, .failure_threshold = 0},
                 kind::readiness, "sfs", "+-+"},
         }) {
        CAPTURE(r.name);
        CHECK(verdicts(r.policy, r.which, r.letters) == r.expected);
    }
}

TEST_CASE("probe: without probes a container is started and ready at once")
{
    driven d{.policies = {}};
    d.step();
    CHECK(d.todo == probe::actions{.started = true, .ready = true});
    d.step();
    CHECK(d.todo == probe::actions{});
}

TEST_CASE("probe: startup gates readiness and liveness")
{
    driven d{.policies = {.startup = quick, .readiness = quick, .liveness = quick}};
    d.step();
    CHECK(d.asks(kind::startup));
    CHECK_FALSE(d.asks(kind::readiness));
    CHECK_FALSE(d.asks(kind::liveness));
    d.answer(kind::startup, outcome::success);
    CHECK(d.todo.started == true);
    CHECK_FALSE(d.todo.ready.has_value());
    CHECK_FALSE(d.asks(kind::startup));
    CHECK(d.asks(kind::readiness));
    CHECK(d.asks(kind::liveness));
    d.answer(kind::readiness, outcome::success);
    CHECK(d.todo.ready == true);
}

TEST_CASE("probe: a failing startup or liveness asks for one restart")
{
    for (auto const which : {kind::startup, kind::liveness}) {
        CAPTURE(to_string(which));
        driven d{.policies = {}};
        (which == kind::startup ? d.policies.startup : d.policies.liveness) =
            probe::policy{.period = 1s, .failure_threshold = 2};
        d.state = probe::start(d.policies, 7, {});
        d.step();
        d.answer(which, outcome::failure);
        CHECK_FALSE(d.todo.restart.has_value());
        d.now = d.todo.wake_at;
        d.step();
        d.answer(which, outcome::failure);
        CHECK(d.todo.restart == which);
        REQUIRE(d.changed(which).has_value());
        CHECK(d.changed(which)->because == probe::tally{verdict::failing, 2, 2});
        CHECK(probe::condemned(d.state) == which);
        d.now += 1h;
        d.step();
        CHECK(d.todo == probe::actions{});
    }
}

TEST_CASE("probe: the run so far can be told")
{
    driven d{.policies = {.readiness = quick}};
    d.step();
    d.answer(kind::readiness, outcome::success);
    for (int i = 0; i < 2; ++i) {
        d.now = d.todo.wake_at;
        d.step();
        d.answer(kind::readiness, outcome::failure);
    }
    CHECK(probe::standing(quick, d.state.readiness) == probe::tally{verdict::failing, 2, 3});
    CHECK(d.state.ready);
}

TEST_CASE("probe: the first check waits for the initial delay, also below a second")
{
    driven d{.policies = {.readiness = probe::policy{.initial_delay = 250ms, .period = 50ms}}};
    d.step();
    CHECK_FALSE(d.asks(kind::readiness));
    CHECK(d.todo.wake_at == time_point{250ms});
    d.now = time_point{250ms};
    d.step();
    CHECK(d.asks(kind::readiness));
    d.answer(kind::readiness, outcome::success);
    CHECK(d.todo.wake_at == time_point{300ms});
}

TEST_CASE("probe: a slow check delays the next one and never overlaps it")
{
    driven d{.policies = {.readiness = probe::policy{.period = 1s, .timeout = 5s}}};
    d.step();
    d.now = time_point{3s};
    d.step();
    CHECK_FALSE(d.asks(kind::readiness));
    d.answer(kind::readiness, outcome::success);
    CHECK(d.asks(kind::readiness));
}

TEST_CASE("probe: late answers are ignored")
{
    driven d{.policies = {.readiness = quick}};
    d.step();
    auto const first = *d.todo.checks[1];
    SUBCASE("of another instance")
    {
        auto other = first;
        other.instance = 6;
        d.step({.answer = {{other, outcome::success}}});
        CHECK_FALSE(d.state.ready);
    }
    SUBCASE("of a check that timed out")
    {
        d.now = time_point{1s};
        d.step();
        CHECK(d.asks(kind::readiness));
        d.step({.answer = {{first, outcome::success}}});
        CHECK_FALSE(d.state.ready);
    }
    SUBCASE("told twice")
    {
        d.step({.answer = {{first, outcome::success}}});
        auto const once = d.state;
        d.step({.answer = {{first, outcome::failure}}});
        CHECK(d.state == once);
    }
}

TEST_CASE("probe: while terminating only readiness goes on, and nobody is restarted")
{
    driven d{
        .policies = {.readiness = quick, .liveness = probe::policy{.period = 1s, .failure_threshold = 1}}};
    d.step();
    d.answer(kind::readiness, outcome::success);
    auto const running = probe::ticket{7, kind::liveness, d.state.liveness.sequence};
    d.step({.answer = {{running, outcome::failure}}, .terminating = true});
    CHECK_FALSE(d.todo.restart.has_value());
    d.now += 1h;
    d.step({.terminating = true});
    CHECK(d.asks(kind::readiness));
    CHECK_FALSE(d.asks(kind::liveness));
}

TEST_CASE("probe: a new instance starts with clean counters")
{
    probe::policies const p{.liveness = quick};
    auto m = probe::step(p, probe::start(p, 1, {}), {}, {}).next;
    m = probe::step(p, m, {.answer = {{{1, kind::liveness, 1}, outcome::failure}}}, {}).next;
    CHECK(m.liveness.run == 1);
    CHECK(probe::start(p, 2, {}).liveness.run == 0);
}

TEST_CASE("probe: a clock that was a day ahead blinds nobody")
{
    probe::policies const p{.readiness = quick, .liveness = quick};
    auto m = probe::start(p, 1, time_point{});
    for (auto const now : {time_point{0s}, time_point{24h}, time_point{1s}}) {
        auto const r = probe::step(p, m, {}, now);
        CHECK(r.todo.wake_at <= now + 1s);
        CHECK(r.todo.wake_at > now);
        m = r.next;
    }
    // Every second a check again, which nobody answers, until it is condemned.
    int checks = 0;
    for (auto now = time_point{1s}; now < time_point{10s}; now += 100ms) {
        auto const r = probe::step(p, m, {}, now);
        checks += r.todo.checks[static_cast<std::size_t>(kind::liveness)].has_value();
        m = r.next;
    }
    CHECK(checks >= 1);
    CHECK(probe::condemned(m) == kind::liveness);
}

TEST_CASE("probe: at the end of time an extra call is harmless still")
{
    probe::policies const p{.liveness = quick};
    auto m = probe::start(p, 1, podium::never - 10s);
    int begun = 0;
    for (auto const before_the_end : {10s, 1s, 0s, 0s, 0s})
        for (auto const less : {2ns, 1ns, 1ns, 1ns}) {
            auto const now = podium::never - before_the_end - less;
            auto const r = probe::step(p, m, {}, now);
            begun += r.todo.checks[static_cast<std::size_t>(kind::liveness)].has_value();
            m = r.next;
            auto const again = probe::step(p, m, {}, now);
            CHECK(again.next == m);
            CHECK_FALSE(again.todo.checks[static_cast<std::size_t>(kind::liveness)]);
        }
    CHECK(begun > 0);
    CHECK(begun <= 10);
}

TEST_CASE("probe: outcomes have names")
{
    CHECK(to_string(outcome::success) == "success");
    CHECK(to_string(outcome::failure) == "failure");
    CHECK(to_string(outcome::error) == "error");
}

TEST_CASE("probe: a policy's errors name their fields, all of them")
{
    CHECK(probe::validate({}, kind::liveness).has_value());
    CHECK(probe::validate({.success_threshold = 2}, kind::readiness).has_value());
    auto const r = probe::validate(
        {.initial_delay = -1s, .period = 0s, .timeout = 0s, .success_threshold = 2, .failure_threshold = 0},
        kind::liveness);
    REQUIRE_FALSE(r.has_value());
    CHECK(r.error().code == podium::errc::invalid);
    CHECK(r.error().path == "initial_delay");
    CHECK(r.error().further.size() == 4);
}

// The default policy, decided by the compiler.
static_assert(
    probe::step({.readiness = probe::policy{}}, probe::start({.readiness = probe::policy{}}, 0, {}), {}, {})
        .todo.checks[1]
        .has_value());

TEST_SUITE("property")
{
    TEST_CASE("probe: whatever is seen, a monitor keeps its promises")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return random() % n; };
            auto const any = [&]() -> std::optional<probe::policy> {
                if (below(3) == 0)
                    return std::nullopt;
                return probe::policy{.initial_delay = 100ms * below(5),
                    .period = 100ms * below(10),
                    .timeout = 100ms * below(10),
                    .success_threshold = static_cast<std::uint32_t>(below(3)),
                    .failure_threshold = static_cast<std::uint32_t>(below(4))};
            };
            probe::policies const p{any(), any(), any()};
            auto m = probe::start(p, seed, {});
            time_point now{};
            int restarts = 0;
            for (int i = 0; i < 200; ++i) {
                probe::observed seen{.terminating = i > 150};
                if (below(2) != 0) {
                    auto const which = static_cast<kind>(below(3));
                    seen.answer = {
                        {seed + below(10) / 9, which,
                            static_cast<std::uint32_t>(below(8) + below(2) * m.readiness.sequence)},
                        static_cast<outcome>(below(3))};
                }
                auto const r = probe::step(p, m, seen, now);
                // what is asked for is running, and only that which may run
                for (auto const& t : r.todo.checks)
                    if (t)
                        REQUIRE(t->instance == m.instance);
                if (r.todo.checks[0])
                    REQUIRE_FALSE(r.next.started);
                if (r.todo.checks[1] || r.todo.checks[2])
                    REQUIRE(r.next.started);
                REQUIRE((!m.started || r.next.started));
                REQUIRE((!r.next.ready || r.next.started));
                REQUIRE(r.todo.wake_at > now);
                restarts += r.todo.restart.has_value();
                REQUIRE(restarts <= 1 + (p.startup && p.liveness));
                // an extra step changes nothing
                auto const again = probe::step(p, r.next, {.terminating = seen.terminating}, now);
                REQUIRE(again.next == r.next);
                REQUIRE(again.todo == probe::actions{.wake_at = r.todo.wake_at});
                m = r.next;
                if (below(3) == 0)
                    now = std::max(now, r.todo.wake_at == podium::never ? now : r.todo.wake_at);
                else
                    now += 50ms * below(4);
            }
        }
    }
}
