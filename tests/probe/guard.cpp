#include <podium/probe.hpp>

#include <algorithm>
#include <chrono>
#include <compare>
#include <deque>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace probe = podium::probe;
using podium::int_or_percent;
using podium::time_point;

namespace {

// The least that can be restarted, in no order; and what falls short of it.
struct robot {
    explicit robot(int n) : number(n) {}
    int number;
    friend bool operator==(robot const&, robot const&) = default;
};
struct only_moves {
    only_moves() = default;
    only_moves(only_moves&&) = default;
    only_moves& operator=(only_moves&&) = default;
    bool operator==(only_moves const&) const = default;
};
struct not_comparable {};
// Counts how often two are compared.
struct counted_robot {
    int number = 0;
    static inline std::int64_t comparisons = 0;
    friend bool operator==(counted_robot const& a, counted_robot const& b)
    {
        ++comparisons;
        return a.number == b.number;
    }
    friend auto operator<=>(counted_robot const& a, counted_robot const& b)
    {
        ++comparisons;
        return a.number <=> b.number;
    }
};
static_assert(probe::Member<robot>);
static_assert(!probe::Member<only_moves>);
static_assert(!probe::Member<not_comparable>);

}  // namespace

TEST_CASE("probe: members need no order, and each counts once")
{
    std::vector<robot> down{robot(1), robot(2), robot(1)};
    probe::guard<robot> of;
    CHECK(probe::ask({.budget = 3}, of, robot(3), 9, down, time_point{}) == probe::permission{true, 2, 3});
    CHECK(probe::ask({.budget = 3}, of, robot(4), 9, down, time_point{}) == probe::permission{false, 3, 3});
}

TEST_CASE("probe: ordered members are counted in n log n, however many are down")
{
    constexpr int n = 4096;
    std::vector<counted_robot> down;
    for (int i = 0; i < n; ++i)
        down.push_back({i * 1237 % n});
    probe::guard<counted_robot> g;
    counted_robot::comparisons = 0;
    auto const answer = probe::ask({}, g, counted_robot{-1}, n, down, time_point{});
    CHECK(answer.down == n);
    CHECK(counted_robot::comparisons < 40 * n);  // n * n / 2 is 2048 * n
}

TEST_CASE("probe: a clock that was a year ahead holds a guard for two windows at most")
{
    probe::guard_policy const p{.budget = 1, .window = 60s};
    probe::guard<> g;
    REQUIRE(probe::ask(p, g, std::uint64_t{1}, 9, {}, time_point{8760h}).granted);
    CHECK_FALSE(probe::ask(p, g, std::uint64_t{2}, 9, {}, time_point{10s}).granted);
    CHECK_FALSE(probe::ask(p, g, std::uint64_t{2}, 9, {}, time_point{69s}).granted);
    CHECK(probe::ask(p, g, std::uint64_t{2}, 9, {}, time_point{70s}).granted);
    for (auto const at : {time_point::min(), podium::never, time_point{}})
        (void)probe::ask({.budget = 1, .window = podium::duration::max()}, g, std::uint64_t{3}, -1, {}, at);
}

TEST_CASE("probe: within a window no more than the budget's share of the fleet is restarted")
{
    probe::guard_policy const p{.budget = int_or_percent::percent(25), .window = 60s};
    probe::guard<> g;
    auto const ask = [&](std::uint64_t who, time_point now) { return probe::ask(p, g, who, 8, {}, now); };
    CHECK(ask(1, time_point{0s}) == probe::permission{true, 0, 2});
    CHECK(ask(2, time_point{1s}) == probe::permission{true, 1, 2});
    CHECK(ask(3, time_point{2s}) == probe::permission{false, 2, 2});
    CHECK(ask(3, time_point{2s}).text() == "2 of 2 restarts are under way or less than a window ago");
    CHECK(ask(1, time_point{3s}).granted);  // it hangs again: no further member is down for that
    CHECK_FALSE(ask(3, time_point{60s}).granted);
    CHECK(ask(3, time_point{61s}).granted);  // the second's window is over
}

TEST_CASE("probe: members that are down anyway count, each once, and nobody counts against himself")
{
    probe::guard_policy const p{.budget = 2};
    using names = std::vector<std::string>;
    struct row {
        names granted, down;
        bool answer;
    };
    for (auto const& r : {row{{}, {}, true}, row{{}, {"a"}, true}, row{{}, {"a", "b"}, false},
             row{{"a"}, {"a"}, true}, row{{"a"}, {"b"}, false}, row{{}, {"a", "a"}, true},
             row{{}, {"me", "a"}, true}, row{{"me", "a"}, {"me"}, true}}) {
        CAPTURE(r.granted);
        CAPTURE(r.down);
        probe::guard<std::string> g;
        for (auto const& who : r.granted)
            g.recent.push_back({who, time_point{}});
        CHECK(probe::ask(p, g, std::string("me"), 100, r.down, time_point{1s}).granted == r.answer);
    }
}

TEST_CASE("probe: who is refused was restarted all the same, if that was within the window")
{
    probe::guard<> g;
    auto const ask = [&](std::uint64_t who, std::int64_t budget, std::vector<std::uint64_t> const& down) {
        return probe::ask({.budget = budget}, g, who, 9, down, time_point{1s}).granted;
    };
    CHECK(ask(1, 2, {}));
    CHECK_FALSE(ask(1, 2, {7, 8}));  // two others are down by now
    CHECK(ask(2, 2, {}));
    CHECK_FALSE(ask(3, 2, {}));  // 1 and 2
}

TEST_CASE("probe: a guard answers for any budget, fleet and clock")
{
    using limits = std::numeric_limits<std::int64_t>;
    for (auto const budget :
        {int_or_percent(0), int_or_percent(-5), int_or_percent::percent(-100), int_or_percent(limits::min())})
        for (auto const size : {limits::min(), std::int64_t{0}, std::int64_t{7}, limits::max()}) {
            probe::guard<> g;
            CHECK(probe::ask({.budget = budget}, g, std::uint64_t{1}, size, {}, time_point{}).granted);
            CHECK_FALSE(probe::ask({.budget = budget}, g, std::uint64_t{2}, size, {}, time_point{}).granted);
        }
    probe::guard<> g;
    CHECK(probe::ask({.budget = int_or_percent::percent(limits::max())}, g, std::uint64_t{1}, limits::max(),
              {}, time_point{})
              .limit == limits::max());
    probe::guard_policy const one{.budget = 1, .window = 10s};
    CHECK(probe::ask(one, g, std::uint64_t{1}, 9, {}, time_point{1000s}).granted);
    CHECK_FALSE(
        probe::ask(one, g, std::uint64_t{2}, 9, {}, time_point{-1000s}).granted);  // the clock went back
    CHECK(probe::ask(one, g, std::uint64_t{2}, 9, {}, podium::never).granted);
}

TEST_CASE("probe: who is pardoned is looked at again, and needs a whole run of failures to fail")
{
    probe::policies p;
    p.liveness = probe::policy{.period = 1s, .failure_threshold = 2};
    auto m = probe::start(p, 1, {});
    time_point now{};
    auto const fails = [&] {
        auto const asked = probe::step(p, m, {}, now);
        auto const& check = asked.todo.checks[static_cast<std::size_t>(probe::kind::liveness)];
        REQUIRE(check);
        auto const r = probe::step(p, asked.next, {.answer = {{*check, probe::outcome::failure}}}, now);
        m = r.next;
        now += 1s;
        return r.todo.restart.has_value();
    };
    CHECK_FALSE(fails());
    CHECK(fails());
    CHECK(probe::condemned(m));
    m = probe::pardon(p, m, now - 1s);
    CHECK_FALSE(probe::condemned(m));
    CHECK(probe::pardon(p, m, now) == m);
    CHECK(m.ready);
    CHECK_FALSE(fails());
    CHECK(fails());
}

TEST_CASE("probe: first checks of monitors that start together are spread over a period")
{
    probe::policies p;
    p.readiness = probe::policy{.initial_delay = 2s, .period = 10s};
    auto const first = [&](std::uint32_t spread) {
        return probe::step(p, probe::start(p, 1, time_point{5s}, spread), {}, time_point{5s}).todo.wake_at;
    };
    CHECK(first(0) == time_point{7s});
    CHECK(first(1u << 31) == time_point{12s});
    CHECK(first(0xffff'ffff) > time_point{16s});
    CHECK(first(0xffff'ffff) < time_point{17s});
    p.readiness->period = podium::duration::max();
    CHECK(first(0xffff'ffff) > time_point{1000s});
}

TEST_SUITE("property")
{
    TEST_CASE("probe: however a spike goes, no window sees more members restarted than the budget allows")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const size = static_cast<std::int64_t>(1 + random() % 40);
            probe::guard_policy const p{.budget = random() % 2
                    ? int_or_percent::percent(static_cast<std::int64_t>(random() % 60))
                    : int_or_percent(static_cast<std::int64_t>(random() % 5)),
                .window = std::chrono::seconds(1 + random() % 30)};
            probe::guard<> g;
            std::deque<std::pair<time_point, std::uint64_t>> granted;
            time_point now{};
            int grants = 0;
            for (int i = 0; i < 400; ++i) {
                now += std::chrono::milliseconds(random() % 1000);
                auto const who = random() % static_cast<std::uint64_t>(size);
                auto const answer = probe::ask(p, g, who, size, {}, now);
                while (!granted.empty() && now - granted.front().first >= p.window)
                    granted.pop_front();
                std::vector<std::uint64_t> members;
                for (auto const& [at, m] : granted)
                    if (m != who && std::ranges::find(members, m) == members.end())
                        members.push_back(m);
                CHECK(answer.granted == (std::ssize(members) < answer.limit));
                if (answer.granted) {
                    granted.emplace_back(now, who);
                    ++grants;
                }
            }
            CHECK(grants > 0);
        }
    }
}
