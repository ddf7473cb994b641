#include <podium/traffic/outlier.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using traffic::crowd;
using traffic::outcome;
using traffic::outlier_policy;
using traffic::outlier_state;

constexpr time_point start{1000s};

/// One outcome each second: s, f, or . for none. Out: + in, - ejected, after each.
std::string seen(outlier_policy const& p, std::string_view outcomes, crowd others = {10, 0})
{
    std::string out;
    outlier_state s;
    auto now = start;
    for (char const c : outcomes) {
        auto among = others;
        among.ejected += s.ejected ? 1 : 0;
        auto const o = c == 's' ? std::optional(outcome::success)
            : c == 'f'          ? std::optional(outcome::failure)
                                : std::nullopt;
        s = traffic::step(p, s, o, among, now).next;
        out += s.ejected ? '-' : '+';
        now += 1s;
    }
    return out;
}

}  // namespace

TEST_CASE("traffic: failures in a row eject, for longer each time, and time brings back")
{
    outlier_policy const p{.consecutive_failures = 3, .base = 4s, .longest = 10s, .max_ejected_percent = 50};
    struct row {
        std::string name;
        std::string outcomes;
        std::string expected;
        crowd others{10, 0};
    };
    for (auto const& r : std::vector<row>{
             {"two are not enough", "ffsffs", "++++++"},
             {"three are", "fff....s", "++----++"},
             {"what was under way says nothing new", "fffffffsf.", "++----++++"},
             {"a late success does not shorten it", "fffs...", "++----+"},
             {"after it the count begins anew", "fff....ff.s", "++----+++++"},
             {"4, 8, then 10 is the limit", "fff....fff........fff..........s",
                 "++----+++--------+++----------++"},
             {"a long time without makes it forget", "fff....sssssssfff....s", "++----++++++++++----++"},
             {"others are out already: half is the limit", "fffff", "+++++", {10, 5}},
             {"the fifth may", "fffff", "++---", {10, 4}},
             {"the last never", "ffffff", "++++++", {1, 0}},
             {"one of two may", "fff", "++-", {2, 0}},
             {"one of three may", "fff", "++-", {3, 0}},
             {"two of three may not", "fff", "+++", {3, 1}},
         }) {
        CAPTURE(r.name);
        CHECK(seen(p, r.outcomes, r.others) == r.expected);
    }
    auto all = p;
    all.max_ejected_percent = 100;
    CHECK(seen(all, "fff", {2, 0}) == "++-");
    CHECK(seen(all, "fff", {2, 1}) == "+++");  // never all, whatever the share
    all.max_ejected_percent = 0;
    CHECK(seen(all, "ffffff", {10, 0}) == "++++++");
}

TEST_CASE("traffic: an ejection says when it ends, and ends then")
{
    outlier_policy const p{.consecutive_failures = 1, .base = 10s, .longest = 60s};
    auto const out = traffic::step(p, {}, outcome::failure, {4, 0}, start);
    CHECK(out.todo == traffic::outlier_actions{.eject = true, .wake_at = start + 10s});
    auto const early = traffic::step(p, out.next, std::nullopt, {4, 1}, start + 10s - 1ns);
    CHECK(early.next == out.next);
    CHECK(early.todo == traffic::outlier_actions{.wake_at = start + 10s});
    auto const back = traffic::step(p, out.next, std::nullopt, {4, 1}, start + 10s);
    CHECK(back.todo == traffic::outlier_actions{.readmit = true});
    // A failure that comes in together with the end is of a request from before.
    CHECK(traffic::step(p, out.next, outcome::failure, {4, 1}, start + 10s) == back);
}

TEST_CASE("traffic: an outlier policy that cannot work says why")
{
    CHECK(traffic::check(outlier_policy{}));
    CHECK(traffic::check(outlier_policy{.consecutive_failures = 0}).error().path == "consecutive_failures");
    CHECK(traffic::check(outlier_policy{.base = 0s}).error().path == "base");
    CHECK(traffic::check(outlier_policy{.base = 2s, .longest = 1s}).error().path == "longest");
    CHECK(traffic::check(outlier_policy{.max_ejected_percent = 101}).error().path == "max_ejected_percent");
}

TEST_SUITE("property")
{
    TEST_CASE("traffic: ejections keep their bounds whatever comes, and an extra step changes nothing")
    {
        for (std::uint64_t seed = 0; seed < 500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            outlier_policy const p{.consecutive_failures = static_cast<std::uint32_t>(1 + random() % 4),
                .base = 1ns * static_cast<std::int64_t>(1 + random() % 1'000'000),
                .longest = random() % 8 == 0
                    ? duration::max()
                    : duration(static_cast<std::int64_t>(1'000'000 + random() % 9'000'000)),
                .max_ejected_percent = static_cast<std::uint32_t>(random() % 101)};
            REQUIRE(traffic::check(p));
            std::vector<outlier_state> all(1 + random() % 6);
            auto const n = static_cast<std::uint32_t>(all.size());
            auto const out = [&] {
                std::uint32_t sum = 0;
                for (auto const& s : all)
                    sum += s.ejected ? 1 : 0;
                return sum;
            };
            auto now = start;
            std::vector<std::uint32_t> row(n);  // failures since the last success or return: a ledger
            for (int i = 0; i < 200; ++i) {
                now += duration(static_cast<std::int64_t>(random() % 1'000'000));
                auto const who = random() % n;
                auto const o = random() % 3 == 0 ? outcome::success : outcome::failure;
                auto const before = all[who];
                auto const was_out = out();
                auto const s = traffic::step(p, before, o, {n, was_out}, now);
                all[who] = s.next;
                REQUIRE(out() <= std::max(traffic::most_ejected(p, n), was_out));
                REQUIRE(out() < n);
                REQUIRE((s.todo.wake_at == never) == !s.next.ejected);
                REQUIRE(s.todo.eject == (!before.ejected && s.next.ejected));
                if (before.ejected)
                    REQUIRE(s.todo.readmit == (now >= before.until));
                if (!before.ejected)
                    row[who] = o == outcome::failure ? row[who] + 1 : 0;
                if (s.todo.readmit)
                    row[who] = 0;
                if (s.todo.eject) {
                    REQUIRE(row[who] >= p.consecutive_failures);
                    REQUIRE(s.next.until > now);
                    REQUIRE(s.next.until - now <= p.longest);
                    REQUIRE(s.next.until - now >= p.base);
                    row[who] = 0;
                }
                auto const again = traffic::step(p, s.next, std::nullopt, {n, out()}, now);
                REQUIRE(again.next == s.next);
                REQUIRE(again.todo == traffic::outlier_actions{.wake_at = s.todo.wake_at});
            }
        }
    }
}
