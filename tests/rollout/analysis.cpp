#include <podium/rollout/analysis.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace analysis = podium::rollout::analysis;
using analysis::any_judge;
using analysis::comparison;
using analysis::condition;
using analysis::threshold;
using analysis::unusable;
using podium::time_point;
using podium::rollout::verdict;
using is = condition::is;

namespace {

constexpr time_point start{1000s};
constexpr double no_number = std::numeric_limits<double>::quiet_NaN();

// The least that is a judge.
struct coin {
    struct state {
        bool operator==(state const&) const = default;
    };
    using reading = bool;
    analysis::heard<state> read(state const&, bool heads) const
    {
        return {.next = {}, .says = heads ? verdict::pass : verdict::fail};
    }
    verdict finish(state const&) const { return verdict::no_data; }
};
static_assert(analysis::Judge<coin>);

// All but the end.
struct endless {
    using state = int;
    using reading = bool;
    analysis::heard<int> read(int s, bool) const { return {.next = s}; }
};
static_assert(!analysis::Judge<endless>);

threshold at_least(double value)
{
    return {.success = {{is::at_least, value}}};
}

// One letter a reading: 's' 0.99, 'f' 0.1, 'i' 0.5, 'n' NaN, '-' -1. Spells what is said: '.' nothing, 'P'
// 'F' 'I'.
std::string judged(threshold const& t, std::string_view letters)
{
    threshold::state s;
    std::string spelled;
    for (char const letter : letters) {
        auto const h = t.read(s,
            letter == 's'       ? 0.99
                : letter == 'f' ? 0.1
                : letter == 'i' ? 0.5
                : letter == 'n' ? no_number
                                : -1);
        s = h.next;
        spelled += h.error ? 'e' : !h.says ? '.' : "PFIN"[static_cast<int>(*h.says)];
    }
    return spelled + "/" + "PFIN"[static_cast<int>(t.finish(s))];
}

using policy = analysis::policy<any_judge>;
using metric = analysis::metric<any_judge>;
using measurement = analysis::measurement<any_judge>;

metric every(podium::duration interval, std::string name, threshold t)
{
    return {.name = std::move(name), .judge = {t}, .interval = interval};
}

// A run whose metrics answer a second after they were asked, each with the next of its letters ('x': the
// source fails, 't': never, 'o': with something old); what has no letters left never answers. Says the
// verdict, and when.
std::string run(policy const& p, std::vector<std::string> letters, podium::duration give_up = 1h)
{
    auto s = analysis::begin(p, start);
    std::vector<std::pair<time_point, measurement>> coming;
    time_point now = start;
    while (now < start + give_up) {
        std::vector<measurement> due;
        std::erase_if(coming, [&](auto const& c) {
            bool const here = c.first <= now;
            if (here)
                due.push_back(c.second);
            return here;
        });
        auto r = analysis::step(p, s, due, now);
        s = r.next;
        auto const again = analysis::step(p, s, {}, now);
        REQUIRE(again.next == s);
        REQUIRE(again.todo.measure.empty());
        if (r.todo.announce) {
            REQUIRE(again.todo == analysis::actions{});
            REQUIRE(r.todo.announce == s.said);
            return std::string(to_string(*s.said)) + " after " + std::to_string((now - start) / 1s) + " s";
        }
        REQUIRE(again.todo.wake_at == r.todo.wake_at);
        for (auto const& t : r.todo.measure) {
            REQUIRE(t.metric < letters.size());
            auto& mine = letters[t.metric];
            if (mine.empty() || mine.front() == 't') {
                mine.erase(0, 1);
                continue;
            }
            char const letter = mine.front();
            mine.erase(0, 1);
            auto& m = coming.emplace_back(now + 1s, measurement{.of = t}).second;
            m.measured_at = letter == 'o' ? start - 1ns : now;
            if (letter != 'x')
                m.value = letter == 's' || letter == 'o' ? 0.99
                    : letter == 'f'                      ? 0.1
                    : letter == 'i'                      ? 0.5
                                                         : no_number;
        }
        REQUIRE(r.todo.wake_at > now);
        now = r.todo.wake_at;
        for (auto const& c : coming)
            now = std::min(now, c.first);
    }
    return "open";
}

}  // namespace

TEST_CASE("analysis: a threshold forgives up to its limits, and needs what was measured")
{
    auto const with = [](auto change) {
        threshold t{.success = {{is::at_least, 0.95}}, .failure = {{is::below, 0.3}}, .count = 3};
        change(t);
        return t;
    };
    auto const plain = [](threshold&) {};
    struct row {
        std::string name;
        threshold policy;
        std::string_view readings;
        std::string expected;
    };
    for (auto const& r :
        {
            row{"count readings pass", with(plain), "sss", "..P/P"},
            row{"fewer do not", with(plain), "ss", "../I"},
            row{"none are no data", with(plain), "", "/N"},
            row{"one failure is one too many", with(plain), "sf", ".F/F"},
            row{"neither success nor failure", with(plain), "i", "I/I"},
            row{"failures up to the limit", with([](threshold& t) { t.failure_limit = 1; }), "fss", "..P/P"},
            row{"and no more", with([](threshold& t) { t.failure_limit = 1; }), "fsf", "..F/F"},
            row{"inconclusive ones up to the limit", with([](threshold& t) { t.inconclusive_limit = 1; }),
                "isi", "..I/I"},
            row{"what is no number is not counted", with(plain), "nsnss", "e.e.P/P"},
            row{"nor what cannot be", with([](threshold& t) { t.lowest = 0; }), "-sss", "e..P/P"},
            row{"which is for the policy to say", with(plain), "-", "F/F"},
            row{"without a count until the end", with([](threshold& t) { t.count = 0; }), "ssss", "..../P"},
            row{"of which there must be something", with([](threshold& t) { t.count = 0; }), "nn", "ee/N"},
            row{"and something good", with([](threshold& t) {
                    t.count = 0;
                    t.failure_limit = 3;
                }),
                "ff", "../I"},
            row{"a run of successes", with([](threshold& t) { t.consecutive_success_limit = 2; }), "ss",
                ".P/P"},
            row{"an interrupted one", with([](threshold& t) {
                    t.consecutive_success_limit = 2;
                    t.failure_limit = 1;
                }),
                "sfs", "..I/I"},
            row{"a run is all that counts", with([](threshold& t) {
                    t.consecutive_success_limit = 2;
                    t.failure_limit.reset();
                }),
                "sff", "..F/F"},
            row{"a condition of success alone", at_least(0.95), "f", "F/F"},
            row{"a condition of failure alone", {.failure = {{is::below, 0.3}}}, "i", "P/P"},
            row{"both of two", {.success = {{is::above, 0.2}, {is::at_most, 0.5}}, .count = 2}, "is", ".F/F"},
        }) {
        CAPTURE(r.name);
        CHECK(judged(r.policy, r.readings) == r.expected);
    }
    for (auto const& [c, below, same, above] :
        {std::tuple{is::below, true, false, false}, {is::at_most, true, true, false},
            {is::equal, false, true, false}, {is::not_equal, true, false, true},
            {is::at_least, false, true, true}, {is::above, false, false, true}}) {
        CHECK(condition{c, 2}.holds(1) == below);
        CHECK(condition{c, 2}.holds(2) == same);
        CHECK(condition{c, 2}.holds(3) == above);
        CHECK_FALSE(condition{c, 2}.holds(no_number));
    }
}

TEST_CASE("analysis: a run passes when all have passed, and in no other way")
{
    auto const one =
        every(60s, "one", {.success = {{is::at_least, 0.95}}, .failure = {{is::below, 0.3}}, .count = 2});
    auto const two = [&](auto change) {
        policy p{.metrics = {one, one}};
        p.metrics[1].name = "two";
        change(p);
        return p;
    };
    auto const plain = [](policy&) {};
    struct row {
        std::string name;
        policy by;
        std::vector<std::string> answers;
        std::string expected;
    };
    for (auto const& r :
        {
            row{"all pass", two(plain), {"ss", "ss"}, "pass after 62 s"},
            row{"one fails, at once", two(plain), {"s", "f"}, "fail after 1 s"},
            row{"one is inconclusive, the other may fail yet", two(plain), {"i", "sf"}, "fail after 62 s"},
            row{"or not", two(plain), {"i", "ss"}, "inconclusive after 62 s"},
            row{"four errors are forgiven", two(plain), {"xxxxss", "ss"}, "pass after 306 s"},
            row{"in a row, not in all", two(plain), {"xxxxsxxxxs", "ss"}, "pass after 550 s"},
            row{"five are not, and nothing was measured", two(plain), {"xxxxx", "ss"}, "no data after 245 s"},
            row{"five are not, though something was", two(plain), {"sxxxxx", "ss"},
                "inconclusive after 306 s"},
            row{"not even where one runs until the end and was fine so far",
                two([](policy& p) { std::get<threshold>(p.metrics[0].judge.which).count = 0; }),
                {"sxxxxx", "ss"}, "inconclusive after 306 s"},
            row{"what is no number is an error", two(plain), {"nnnnn", "ss"}, "no data after 245 s"},
            row{"what is old is one", two(plain), {"ooooo", "ss"}, "no data after 245 s"},
            row{"no answer is one, after 30 s", two(plain), {"ttttt", "ss"}, "no data after 390 s"},
            row{"a failure counts, and dry runs do not", two([](policy& p) { p.metrics[1].dry_run = true; }),
                {"ss", "f"}, "pass after 62 s"},
            row{"nor do they hold it up", two([](policy& p) { p.metrics[1].dry_run = true; }), {"ss", "t"},
                "pass after 62 s"},
            row{"a delayed start", two([](policy& p) { p.metrics[1].initial_delay = 5min; }), {"ss", "ss"},
                "pass after 362 s"},
            row{"an error without an interval is retried in 10 s", two([](policy& p) {
                    p.metrics.pop_back();
                    p.metrics[0].interval.reset();
                    std::get<threshold>(p.metrics[0].judge.which).count = 1;
                }),
                {"xs"}, "pass after 12 s"},
            row{"time is up: some readings, not enough", two([](policy& p) { p.time_limit = 90s; }),
                {"ss", "s"}, "inconclusive after 90 s"},
            row{"time is up: no readings", two([](policy& p) { p.time_limit = 90s; }), {"ss", ""},
                "no data after 90 s"},
            row{"time is up: none at all", two([](policy& p) { p.time_limit = 20s; }), {"", ""},
                "no data after 20 s"},
        }) {
        CAPTURE(r.name);
        REQUIRE(check(r.by));
        CHECK(run(r.by, r.answers) == r.expected);
    }
}

TEST_CASE("analysis: a run that nobody needs any longer is judged by what there is")
{
    policy const p{.metrics = {every(60s, "rate", {.success = {{is::at_least, 0.95}}, .count = 0})}};
    auto const begun = analysis::step(p, analysis::begin(p, start), {}, start);
    REQUIRE(begun.todo.measure == std::vector{analysis::ticket{0, 1}});
    CHECK(analysis::step(p, begun.next, {}, start + 1s, analysis::wish::stop).todo.announce ==
        verdict::no_data);
    measurement const good{.of = {0, 1}, .value = 0.99, .measured_at = start};
    auto const once = analysis::step(p, begun.next, std::span(&good, 1), start + 1s);
    CHECK_FALSE(once.todo.announce.has_value());
    CHECK(once.todo.wake_at == start + 61s);
    auto const over = analysis::step(p, once.next, {}, start + 2s, analysis::wish::stop);
    CHECK(over.todo.announce == verdict::pass);
    auto const still = analysis::step(p, over.next, {}, start + 3s, analysis::wish::stop);
    CHECK(still.next == over.next);
    CHECK(still.todo == analysis::actions{});
}

TEST_CASE("analysis: answers that nobody waits for are ignored, and old ones refused")
{
    policy p{.metrics = {every(60s, "rate", {.success = {{is::at_least, 0.95}}, .count = 2})}};
    p.metrics[0].max_age = 5s;
    auto const s = analysis::step(p, analysis::begin(p, start), {}, start).next;
    auto const after = [&](measurement const& m, time_point now) {
        return analysis::step(p, s, std::span(&m, 1), now).next.metrics[0];
    };
    CHECK(after({.of = {1, 1}, .value = 0.1, .measured_at = start}, start + 1s) == s.metrics[0]);
    CHECK(after({.of = {0, 2}, .value = 0.1, .measured_at = start}, start + 1s) == s.metrics[0]);
    CHECK(after({.of = {0, 0}, .value = 0.1, .measured_at = start}, start + 1s) == s.metrics[0]);
    CHECK(after({.of = {0, 1}, .value = 0.1, .measured_at = start}, start + 1s).said == verdict::fail);
    CHECK(after({.of = {0, 1}, .value = 0.1, .measured_at = start}, start + 6s).latest_error ==
        unusable::stale);
    CHECK(after({.of = {0, 1}, .value = 0.1, .measured_at = start - 1ns}, start).latest_error ==
        unusable::stale);
    CHECK(after({.of = {0, 1}, .value = 0.1, .measured_at = start + 30s}, start + 30s).latest_error ==
        unusable::timed_out);
    CHECK(after({.of = {0, 1}, .measured_at = start}, start).latest_error == unusable::source_failed);
    CHECK(after({.of = {0, 1}, .value = no_number, .measured_at = start}, start).latest_error ==
        unusable::not_a_number);
    CHECK(after({.of = {0, 1}, .value = comparison::reading{}, .measured_at = start}, start).latest_error ==
        unusable::wrong_kind);
    std::vector<measurement> const twice(2, {.of = {0, 1}, .value = 0.99, .measured_at = start});
    auto const once = analysis::step(p, s, twice, start).next.metrics[0];
    CHECK(once.readings == 1);
    CHECK(once.errors == 0);
}

TEST_CASE("analysis: a comparison reads counts that grow, and says why it knows")
{
    comparison const judge{{.ask = analysis::question::better, .effect = 0.05, .expected = 0.25}};
    comparison::state s;
    CHECK(judge.finish(s) == verdict::no_data);
    auto h = judge.read(s, {{{500, 150}, {500, 125}}});
    CHECK_FALSE(h.says.has_value());
    CHECK(h.next.why == analysis::basis::undecided);
    s = h.next;
    CHECK(judge.finish(s) == verdict::inconclusive);
    for (comparison::reading const& bad : {comparison::reading{{{499, 150}, {500, 125}}},
             {{{500, 149}, {500, 125}}}, {{{500, 150}, {500, 124}}}, {}, {{{500, 150}, {501, 127}}}}) {
        h = judge.read(s, bad);
        CHECK(h.error == unusable::gone_back);
        CHECK(h.next == s);
    }
    CHECK(judge.read(s, {{{500, 501}, {500, 125}}}).error == unusable::out_of_range);
    h = judge.read(s, {{{500, 150}, {500, 125}}, {{9000, 2700}, {1000, 250}, 0.9}});
    CHECK_FALSE(h.error.has_value());
    CHECK(h.says == verdict::pass);
    CHECK(h.next.why == analysis::basis::proven_good);

    policy p{.metrics = {{.name = "conversion", .judge = {judge}, .interval = 10s}}};
    REQUIRE(check(p));
    auto r = analysis::step(p, analysis::begin(p, start), {}, start);
    measurement const m{.of = r.todo.measure.at(0),
        .value = comparison::reading{{{4000, 1200}, {4000, 1000}}},
        .measured_at = start};
    CHECK(analysis::step(p, r.next, std::span(&m, 1), start + 1s).todo.announce == verdict::pass);
}

TEST_CASE("analysis: what is wrong with a policy is said, all at once and where")
{
    auto const wrong = [](policy const& p) {
        auto const r = check(p);
        return r ? std::string() : r.error().text();
    };
    CHECK(wrong({}) == "metrics: one at least must count");
    policy p{.metrics = {every(60s, "a", at_least(0.9))}};
    CHECK(wrong(p).empty());
    p.metrics[0].dry_run = true;
    CHECK(wrong(p) == "metrics: one at least must count");
    p = {
        .metrics =
            {{.judge = {threshold{}}, .interval = 0s, .initial_delay = -1s, .timeout = 0s, .max_age = 0s},
                every(1s, "b", {.success = {{is::at_least, no_number}}, .count = 2, .inconclusive_limit = 3}),
                {.name = "b", .judge = {comparison{{.margin = 0.1, .alpha = 2}}}}},
        .time_limit = 0s};
    CHECK(wrong(p) ==
        "time_limit: must be above 0\n"
        "metrics[0].name: must be given\n"
        "metrics[0].interval: must be above 0\n"
        "metrics[0].initial_delay: must be at least 0\n"
        "metrics[0].timeout: must be above 0\n"
        "metrics[0].max_age: must be above 0\n"
        "metrics[0].judge.success: a condition of success or of failure must be given\n"
        "metrics[1].judge.success: must compare with numbers\n"
        "metrics[1].judge.inconclusive_limit: must be at most the count\n"
        "metrics[2].name: must not be another's\n"
        "metrics[2].judge.alpha: must be above 0 and at most 0.5");
    threshold t = at_least(1);
    t.failure_limit.reset();
    CHECK(check(t).error().path == "failure_limit");
    t.consecutive_success_limit = 2;
    CHECK(check(t).error().path == "consecutive_success_limit");
    t.count = 2;
    CHECK(check(t));
    t.lowest = no_number;
    CHECK(check(t).error().path == "lowest");
}

TEST_CASE("analysis: a judge of one's own needs two functions")
{
    analysis::policy<coin> const p{.metrics = {{.name = "coin"}}};
    REQUIRE(check(p));
    auto const asked = analysis::step(p, analysis::begin(p, start), {}, start);
    analysis::measurement<coin> const heads{
        .of = asked.todo.measure.at(0), .value = true, .measured_at = start};
    CHECK(analysis::step(p, asked.next, std::span(&heads, 1), start).todo.announce == verdict::pass);
    CHECK(analysis::step(p, asked.next, {}, start, analysis::wish::stop).todo.announce == verdict::no_data);
}

TEST_SUITE("property")
{
    // Any answers at any times, clocks that go back, answers to questions of long ago.
    TEST_CASE(
        "analysis: whatever happens, one question at a time, no pass without readings, and an end in time")
    {
        int passed = 0;
        int failed = 0;
        int unknown = 0;
        for (std::uint64_t seed = 0; seed < 400; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            policy p{.time_limit = 10min};
            for (std::uint64_t i = 0, n = 1 + random() % 3; i < n; ++i) {
                threshold t{.success = {{is::at_least, 0.5}}};
                t.count = static_cast<std::uint32_t>(random() % 4);
                t.failure_limit = static_cast<std::uint32_t>(random() % 3);
                if (random() % 2 == 0)
                    t.failure = {{is::below, 0.2}};
                auto m = every(std::chrono::seconds(1 + random() % 100), std::to_string(i), t);
                m.consecutive_error_limit = static_cast<std::uint32_t>(random() % 6);
                m.initial_delay = std::chrono::seconds(random() % 3 * 50);
                m.dry_run = i > 0 && random() % 3 == 0;
                p.metrics.push_back(m);
            }
            REQUIRE(check(p));
            auto s = analysis::begin(p, start);
            std::vector<analysis::ticket> asked;
            time_point now = start;
            int announced = 0;
            for (int i = 0; i < 400; ++i) {
                std::vector<measurement> answers;
                while (!asked.empty() && random() % 3 != 0) {
                    auto const back =
                        random() % 3 == 0 ? random() % asked.size() : random() % s.metrics.size();
                    auto& m = answers.emplace_back(measurement{
                        .of = asked[asked.size() - 1 - std::min<std::size_t>(back, asked.size() - 1)]});
                    m.measured_at = now;
                    auto const what = random() % 16;
                    if (what > 1)
                        m.value = what == 2 ? no_number : static_cast<double>(2 + random() % 14) / 16;
                    if (what == 3)
                        m.measured_at = start - 1s;
                }
                auto const before = s;
                auto r = analysis::step(p, s, answers, now);
                s = r.next;
                announced += r.todo.announce.has_value() ? 1 : 0;
                for (auto const& t : r.todo.measure) {
                    REQUIRE_FALSE(before.said.has_value());
                    auto const& at = s.metrics[t.metric];
                    REQUIRE(at.asked_at == now);
                    REQUIRE(at.sequence == t.sequence);
                    REQUIRE(t.sequence == before.metrics[t.metric].sequence + 1);
                    asked.push_back(t);
                }
                if (before.said)
                    REQUIRE(s == before);
                for (std::size_t k = 0; k < s.metrics.size(); ++k) {
                    REQUIRE((!before.metrics[k].said || s.metrics[k].said == before.metrics[k].said));
                    if (s.metrics[k].said == verdict::pass)
                        REQUIRE(s.metrics[k].readings > 0);
                }
                REQUIRE((s.said || r.todo.wake_at <= s.started_at + 10min));
                if (random() % 20 == 0)
                    now -= std::chrono::seconds(random() % 20);
                else if (random() % 2 == 0 && r.todo.wake_at != podium::never)
                    now = r.todo.wake_at;
                else
                    now += std::chrono::milliseconds(random() % 20'000);
            }
            REQUIRE(s.said.has_value());
            REQUIRE(announced == 1);
            bool all = true;
            bool any_failed = false;
            for (std::size_t k = 0; k < s.metrics.size(); ++k)
                if (!p.metrics[k].dry_run) {
                    all = all && s.metrics[k].said == verdict::pass;
                    any_failed = any_failed || s.metrics[k].said == verdict::fail;
                }
            REQUIRE((s.said == verdict::pass) == all);
            REQUIRE((s.said == verdict::fail) == any_failed);
            passed += all ? 1 : 0;
            failed += any_failed ? 1 : 0;
            unknown += !all && !any_failed ? 1 : 0;
        }
        CHECK(passed > 20);
        CHECK(failed > 20);
        CHECK(unknown > 20);
    }
}
