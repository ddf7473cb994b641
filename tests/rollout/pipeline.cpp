#include <podium/rollout/pipeline.hpp>

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace line = podium::rollout::pipeline;
using line::outcome;
using line::reaction;
using line::undo;
using line::verb;
using line::way;
using podium::duration;
using podium::time_point;

namespace {

// A line in letters: "b" build, "t" test, "p" publish, "d" deploy, "v" verify; a digit gives it retries, "!"
// rolls back, "." does not.
line::spec line_of(std::string_view text)
{
    line::spec p;
    p.name = "shop";
    p.grace = 10s;
    p.rollback = {.timeout = 30s, .retries = 1};
    for (char const c : text) {
        if (c >= '0' && c <= '9') {
            p.stages.back().allowed.retries = static_cast<std::uint32_t>(c - '0');
        } else if (c == '!' || c == '.') {
            p.stages.back().on_failure = c == '!' ? reaction::roll_back : reaction::stop;
        } else {
            auto& s = p.stages.emplace_back();
            s.what = c == 'b' ? line::kind::build
                : c == 't'    ? line::kind::test
                : c == 'p'    ? line::kind::publish
                : c == 'd'    ? line::kind::deploy
                              : line::kind::verify;
            s.name = std::string(to_string(s.what)) + std::to_string(p.stages.size());
            s.allowed.timeout = 60s;
        }
    }
    return p;
}

// What each job does, in the order of their starts: "+" passes, "-" fails, "h" hangs and goes when told, "z"
// hangs and does not, "c" is cancelled at work, "w" fails and is cancelled before its next attempt, "x" is
// lost in a crash. The trace: "b1" build's first attempt, "<d1" its rollback, "#" told to end, at last the
// result and the stages.
struct played {
    std::string trace{};
    line::state end{};
    time_point now{};
};
played play(line::spec const& p, std::string_view script, line::event const& why = {"manual", "", 0})
{
    played out;
    auto& s = out.end;
    auto now = time_point{1000s};
    line::observed seen{.event = why};
    std::size_t starts = 0;
    for (int guard = 0; guard < 1000; ++guard) {
        auto const r = line::step(p, s, seen, now);
        s = r.next;
        seen = {};
        if (r.todo.what == verb::end)
            out.trace += '#';
        if (r.todo.what == verb::start) {
            auto const& j = r.todo.of;
            out.trace += out.trace.empty() ? "" : " ";
            out.trace += j.which == way::back ? "<" : "";
            out.trace += to_string(p.stages[j.stage].what)[0] + std::to_string(j.attempt);
            ++starts;
        }
        if (s.phase == line::phase::over)
            break;
        char const now_does = starts == 0 || starts > script.size() ? '+' : script[starts - 1];
        auto const current = line::job{s.run, s.at,
            s.phase == line::phase::running ? s.stages[s.at].attempts : s.stages[s.at].undo_attempts,
            s.phase == line::phase::running ? way::forward : way::back};
        if (s.doing == line::activity::waiting) {
            seen.cancel = now_does == 'w' && starts > 0 && s.failures > 0;
            now = seen.cancel ? now : r.wake_at;
        } else if (s.doing == line::activity::ending) {
            if (now_does == 'z')
                now = r.wake_at;
            else
                seen.end = line::ended{current, false, "killed\n"};
        } else {
            now += 1s;
            switch (now_does) {
            case 'h':
            case 'z': now = r.wake_at; break;
            case 'c': seen.cancel = true; break;
            case 'x': s = line::resume(p, s, now); break;
            case '+': seen.end = line::ended{current, true, "fine\n"}; break;
            default: seen.end = line::ended{current, false, "first\nexpected 200, got 500\n\n"};
            }
        }
    }
    out.trace += " = " + std::string(to_string(s.result)) + ':';
    for (auto const& g : s.stages)
        out.trace += ' ' + std::string(to_string(g.now)) + (g.undone == undo::none ? "" : "<") +
            (g.undone == undo::none ? "" : std::string(to_string(g.undone)));
    out.now = now;
    return out;
}

}  // namespace

TEST_CASE("pipeline: what passes goes on, what fails stops the line, and a deploy is taken back")
{
    struct row {
        char const* name;
        char const* stages;
        char const* script;
        char const* expected;
    };
    for (auto const& r : {
             row{"all pass", "btpdv", "+++++", "b1 t1 p1 d1 v1 = passed: passed passed passed passed passed"},
             row{"a failing test stops before the deploy", "btdv", "+-",
                 "b1 t1 = failed: passed failed skipped skipped"},
             row{"a retry passes", "t2d", "-+", "t1 t2 d1 = passed: passed passed"},
             row{"no more attempts than allowed", "t2d", "---", "t1 t2 t3 = failed: failed skipped"},
             row{"each stage has retries of its own", "b1t1", "-+-+", "b1 b2 t1 t2 = passed: passed passed"},
             row{"a failing deploy is rolled back", "bdv", "+-",
                 "b1 d1 <d1 = failed: passed failed<done skipped"},
             row{"a failing verify rolls back the deploy", "dv", "+-",
                 "d1 v1 <d1 = failed: passed<done failed"},
             row{"unless it is told not to", "dv.", "+-", "d1 v1 = failed: passed failed"},
             row{"a deploy told not to", "d.v", "-", "d1 = failed: failed skipped"},
             row{"a test behind a deploy does not roll back by itself", "dt", "+-",
                 "d1 t1 = failed: passed failed"},
             row{"but when told to", "dt!", "+-", "d1 t1 <d1 = failed: passed<done failed"},
             row{"two deploys go back, the latest first", "ddv", "++-",
                 "d1 d1 v1 <d1 <d1 = failed: passed<done passed<done failed"},
             row{"a deploy that was not begun is not taken back", "dtd", "+-",
                 "d1 t1 = failed: passed failed skipped"},
             row{"a rollback is tried again", "dv", "+--+", "d1 v1 <d1 <d2 = failed: passed<done failed"},
             row{"a rollback that fails is told", "dv", "+---",
                 "d1 v1 <d1 <d2 = failed: passed<failed failed"},
             row{"and does not keep the other deploy where it is", "ddv", "++---+",
                 "d1 d1 v1 <d1 <d2 <d1 = failed: passed<done passed<failed failed"},
             row{"what hangs is ended", "bt", "h", "b1# = failed: timed out skipped"},
             row{"and tried again", "b1t", "h+", "b1# b2 t1 = passed: passed passed"},
             row{"what cannot be ended is not tried again", "b1t", "z", "b1# = failed: timed out skipped"},
             row{"a deploy that hangs is rolled back", "d", "h", "d1# <d1 = failed: timed out<done"},
             row{"a rollback that hangs", "dv", "+-hz", "d1 v1 <d1# <d2# = failed: passed<failed failed"},
             row{"cancelled at work", "b2t", "c", "b1# = cancelled: cancelled skipped"},
             row{"cancelled between attempts", "b2t", "w", "b1 = cancelled: cancelled skipped"},
             row{"a cancelled verify leaves nothing that nobody has verified", "dv", "+c",
                 "d1 v1# <d1 = cancelled: passed<done cancelled"},
             row{"a crash is not a failure", "bt", "x+", "b1 b2 t1 = passed: passed passed"},
             row{"nor does it use up a retry", "b1", "x-+", "b1 b2 b3 = passed: passed"},
             row{"a crash in a rollback", "dv", "+-x", "d1 v1 <d1 <d2 = failed: passed<done failed"},
         }) {
        CAPTURE(r.name);
        auto const p = line_of(r.stages);
        REQUIRE(line::check(p));
        CHECK(play(p, r.script).trace == r.expected);
    }
}

TEST_CASE("pipeline: a run may begin in the middle, and one that has nothing to do has not passed")
{
    auto const p = line_of("btdv");
    CHECK(play(p, "++", {"manual", "", 2}).trace == "d1 v1 = passed: skipped skipped passed passed");
    CHECK(play(p, "-", {"manual", "", 3}).trace == "v1 = failed: skipped skipped skipped failed");
    CHECK(play(p, "", {"manual", "", 4}).trace == " = failed: skipped skipped skipped skipped");
    CHECK(play(line::spec{}, "").trace == " = failed:");
}

TEST_CASE("pipeline: retries wait longer and longer, and a time-out is to the moment")
{
    auto p = line_of("b3");
    p.stages[0].allowed.backoff = {
        .base = 2s, .factor = 3, .cap = 10s, .reset_after = duration::max(), .first_at_once = false};
    auto now = time_point{100s};
    auto r = line::step(p, {}, {.event = line::event{"manual", "", 0}}, now);
    REQUIRE(r.todo == line::action{verb::start, {1, 0, 1, way::forward}});
    CHECK(r.wake_at == now + 60s);
    std::uint32_t attempt = 1;
    for (auto const wait : {2s, 6s, 10s}) {
        r = line::step(p, r.next, {.end = line::ended{{1, 0, attempt, way::forward}, false, ""}}, now);
        CHECK(r.todo == line::action{});
        CHECK(r.wake_at == now + wait);
        CHECK(line::step(p, r.next, {}, now + wait - 1ns).todo == line::action{});
        now += wait;
        r = line::step(p, r.next, {}, now);
        CHECK(r.todo == line::action{verb::start, {1, 0, ++attempt, way::forward}});
    }
    CHECK(line::step(p, r.next, {}, now + 60s - 1ns).todo == line::action{});
    r = line::step(p, r.next, {}, now + 60s);
    CHECK(r.todo == line::action{verb::end, {1, 0, 4, way::forward}});
    CHECK(r.wake_at == now + 70s);
    // Gone by itself in the same moment: what it says of itself counts no more.
    auto const late =
        line::step(p, r.next, {.end = line::ended{{1, 0, 4, way::forward}, true, ""}}, now + 61s);
    CHECK(late.next.stages[0].now == outcome::timed_out);
    r = line::step(p, r.next, {}, now + 70s);
    CHECK(r.next.stages[0].now == outcome::timed_out);
    CHECK(r.next.phase == line::phase::over);
    CHECK(r.wake_at == podium::never);
}

TEST_CASE("pipeline: the newest event waits for the run, and cancel forgets it")
{
    auto const p = line_of("b");
    auto const asked = [&](line::state s, std::string what) {
        return line::step(
            p, std::move(s), {.event = line::event{"file", std::move(what), 0}}, time_point{1s});
    };
    auto r = asked({}, "a");
    r = asked(r.next, "b");
    r = asked(r.next, "c");
    CHECK(r.todo == line::action{});
    CHECK(r.next.cause.what == "a");
    REQUIRE(r.next.next);
    CHECK(r.next.next->what == "c");
    auto const cancelled = line::step(p, r.next, {.cancel = true}, time_point{2s});
    CHECK(cancelled.todo.what == verb::end);
    CHECK_FALSE(cancelled.next.next);

    r = line::step(p, r.next, {.end = line::ended{{1, 0, 1, way::forward}, true, ""}}, time_point{2s});
    CHECK(r.next.phase == line::phase::over);  // to be looked at
    CHECK(r.todo == line::action{});
    CHECK(r.wake_at == time_point{2s});
    r = line::step(p, r.next, {}, time_point{2s});
    CHECK(r.todo == line::action{verb::start, {2, 0, 1, way::forward}});
    CHECK(r.next.cause.what == "c");
    // The run before it had a job of the same stage and attempt.
    auto const late =
        line::step(p, r.next, {.end = line::ended{{1, 0, 1, way::forward}, false, ""}}, time_point{3s});
    CHECK(late.next == r.next);
}

TEST_CASE("pipeline: a rollback is not cancelled")
{
    auto const p = line_of("d");
    auto r = line::step(p, {}, {.event = line::event{}}, time_point{1s});
    r = line::step(p, r.next, {.end = line::ended{{1, 0, 1, way::forward}, false, ""}}, time_point{2s});
    REQUIRE(r.todo == line::action{verb::start, {1, 0, 1, way::back}});
    auto const asked = line::step(p, r.next, {.cancel = true}, time_point{3s});
    CHECK(asked.todo == line::action{});
    CHECK(asked.next == r.next);
}

TEST_CASE("pipeline: what is kept of the output is its end, whole characters of it")
{
    std::string tail;
    line::append_tail(tail, "abc", 4);
    CHECK(tail == "abc");
    line::append_tail(tail, "def", 4);
    CHECK(tail == "cdef");
    line::append_tail(tail, "0123456789", 4);
    CHECK(tail == "6789");
    tail = "x";
    line::append_tail(tail, "\xC3\xA9\xC3\xA9", 3);
    CHECK(tail == "\xC3\xA9");
    line::append_tail(tail, "abc", 0);
    CHECK(tail.empty());

    auto p = line_of("b");
    p.tail_bytes = 8;
    auto r = line::step(p, {}, {.event = line::event{}}, time_point{1s});
    r = line::step(p, r.next, {.end = line::ended{{1, 0, 1, way::forward}, false, std::string(100, 'x')}},
        time_point{2s});
    CHECK(r.next.stages[0].tail == "xxxxxxxx");
}

TEST_CASE("pipeline: a run is told in words")
{
    CHECK(line::spelled(0s) == "0 ms");
    CHECK(line::spelled(-1s) == "0 ms");
    CHECK(line::spelled(999ms) == "999 ms");
    CHECK(line::spelled(1299ms) == "1.2 s");
    CHECK(line::spelled(125s) == "2 min 5 s");
    CHECK(line::spelled(3h + 7min) == "3 h 7 min");

    auto const p = line_of("bt2dv");
    CHECK(line::summary(p, {}, {}) == "shop: not run yet");
    auto const failed = play(p, "+---");
    CHECK(line::table(p, failed.end, failed.now) ==
        "build1   passed, 1.0 s\n"
        "test2    failed after 3 attempts, 6.0 s: expected 200, got 500\n"
        "deploy3  skipped\n"
        "verify4  skipped\n");
    CHECK(line::summary(p, failed.end, failed.now) == "shop, run 1 (manual): failed at test2 after 7.0 s");
    auto const back = play(p, "+++-", {"webhook", "POST /", 0});
    CHECK(line::summary(p, back.end, back.now) ==
        "shop, run 1 (webhook: POST /): failed at verify4 after 5.0 s; deploy3 rolled back");
    CHECK(line::line(back.end, 2, back.now) == "passed, 1.0 s; rolled back");
    auto const gone = play(p, "++-");
    CHECK(line::line(gone.end, 2, gone.now) == "failed, 1.0 s: expected 200, got 500; rolled back");
    auto const stays = play(p, "+++---");
    CHECK(line::line(stays.end, 2, stays.now) == "passed, 1.0 s; NOT rolled back: expected 200, got 500");
    auto const begun = line::step(p, {}, {.event = line::event{"manual", "", 0}}, time_point{1s});
    CHECK(line::line(begun.next, 0, time_point{3s}) == "running, 2.0 s");
    CHECK(line::line(begun.next, 9, time_point{3s}) == "pending");
    CHECK(line::summary(p, begun.next, time_point{3s}) == "shop, run 1 (manual): at build1, 2.0 s");
}

TEST_CASE("pipeline: a wrong line is told by its fields")
{
    struct row {
        char const* name;
        void (*spoil)(line::spec&);
        char const* path;
    };
    REQUIRE(line::check(line_of("btpdv")));
    for (auto const& r :
        {
            row{"no name", [](line::spec& p) { p.name.clear(); }, "name"},
            row{"a path for a name", [](line::spec& p) { p.stages[1].name = "../x"; }, "stages[1].name"},
            row{"a name twice", [](line::spec& p) { p.stages[2].name = p.stages[0].name; }, "stages[2].name"},
            row{"no stages", [](line::spec& p) { p.stages.clear(); }, "stages"},
            row{"no time", [](line::spec& p) { p.stages[3].allowed.timeout = 0s; }, "stages[3].timeout"},
            row{"many retries", [](line::spec& p) { p.stages[0].allowed.retries = 101; },
                "stages[0].retries"},
            row{"a wait below 0", [](line::spec& p) { p.stages[0].allowed.backoff.base = -1s; },
                "stages[0].backoff.base"},
            row{"no factor", [](line::spec& p) { p.stages[0].allowed.backoff.factor = 0; },
                "stages[0].backoff.factor"},
            row{"a cap below the base", [](line::spec& p) { p.stages[0].allowed.backoff.cap = 1ms; },
                "stages[0].backoff.cap"},
            row{"nothing to roll back", [](line::spec& p) { p.stages[1].on_failure = reaction::roll_back; },
                "stages[1].on_failure"},
            row{"a rollback without time", [](line::spec& p) { p.rollback.timeout = 0s; },
                "rollback.timeout"},
            row{"grace below 0", [](line::spec& p) { p.grace = -1s; }, "grace"},
            row{"a long tail", [](line::spec& p) { p.tail_bytes = 1 << 21; }, "tail_bytes"},
        }) {
        CAPTURE(r.name);
        auto p = line_of("btpdv");
        r.spoil(p);
        auto const c = line::check(p);
        REQUIRE_FALSE(c);
        CHECK(c.error().path == r.path);
        CHECK(c.error().further.empty());
    }
    line::spec all;
    all.grace = -1s;
    REQUIRE_FALSE(line::check(all));
    CHECK(line::check(all).error().further.size() == 2);  // name, stages and grace
}

TEST_CASE("pipeline: a run of another line is over and has failed, and is not resumed")
{
    auto const p = line_of("bd");
    auto const r = line::step(p, {}, {.event = line::event{}}, time_point{1s});
    REQUIRE(line::check(p, r.next));
    auto const other = line_of("b");
    CHECK(line::check(other, r.next).error().code == podium::errc::conflict);
    CHECK(line::resume(other, r.next, time_point{2s}) == r.next);
    auto const after = line::step(other, r.next, {}, time_point{2s});
    CHECK(after.todo == line::action{verb::end, {1, 0, 1, way::forward}});
    CHECK(after.next.phase == line::phase::over);
    CHECK(after.next.result == outcome::failed);
    CHECK(after.next.stages[0].now == outcome::failed);
    CHECK(after.next.stages[1].now == outcome::skipped);
}

namespace {

// A line and the world around it: what the jobs really did, kept apart from the machine's own state.
struct world {
    line::spec const& p;
    line::state s{};
    time_point now{100s};
    std::optional<line::job> alive{};              // one job at most, besides those that could not be ended
    bool told = false;                             // to end
    bool due_action = false;                       // a crash may come between a step and what it asked for
    std::vector<int> passed{}, begun{}, undone{};  // of each stage, in this run: 0 or 1; starts of each
    std::optional<std::size_t> broken{};           // the stage that stopped the line
    int crashes = 0, cancels = 0, events = 0, lates = 0;

    void fresh()
    {
        passed.assign(p.stages.size(), 0);
        begun = undone = passed;
        broken.reset();
    }

    void step(line::observed const& seen)
    {
        auto const before = s;
        auto const r = line::step(p, s, seen, now);
        s = r.next;
        auto const& j = r.todo.of;
        if (s.run != before.run)
            fresh();
        if (r.todo.what == verb::start) {
            REQUIRE_FALSE(alive);
            REQUIRE(j.run == s.run);
            if (j.which == way::forward) {
                REQUIRE_FALSE(broken);
                for (std::size_t i = s.cause.first; i < j.stage; ++i)
                    REQUIRE(passed[i] == 1);
                REQUIRE(passed[j.stage] == 0);
                ++begun[j.stage];
                REQUIRE(begun[j.stage] <= 1 + static_cast<int>(p.stages[j.stage].allowed.retries) + crashes);
            } else {
                REQUIRE(broken);
                REQUIRE(line::reaction_of(p.stages[*broken]) == reaction::roll_back);
                REQUIRE(p.stages[j.stage].what == line::kind::deploy);
                REQUIRE(begun[j.stage] > 0);
                for (auto i = j.stage + 1; i < p.stages.size(); ++i)  // the latest first
                    REQUIRE((begun[i] == 0 || p.stages[i].what != line::kind::deploy || undone[i] > 0));
                ++undone[j.stage];
                REQUIRE(undone[j.stage] <= 1 + static_cast<int>(p.rollback.retries) + crashes);
            }
            alive = j;
            told = false;
        } else if (r.todo.what == verb::end) {
            REQUIRE(alive == j);
            REQUIRE_FALSE(told);
            told = true;
        }
        if (before.phase != line::phase::over && s.phase == line::phase::over)
            look();
        // An extra call is harmless.
        if (r.wake_at > now) {
            auto const again = line::step(p, s, {}, now);
            REQUIRE(again.next == s);
            REQUIRE(again.todo == line::action{});
            REQUIRE(again.wake_at == r.wake_at);
        }
    }

    // A run is over: what it says of itself is what happened.
    void look() const
    {
        bool const all = std::all_of(passed.begin() + static_cast<std::ptrdiff_t>(s.cause.first),
            passed.end(), [](int n) { return n == 1; });
        REQUIRE((s.result == outcome::passed) == all);
        REQUIRE(broken.has_value() == !all);
        for (std::size_t i = 0; i < p.stages.size(); ++i) {
            auto const& g = s.stages[i];
            REQUIRE((g.now == outcome::passed) == (passed[i] == 1));
            REQUIRE(g.attempts == static_cast<std::uint32_t>(begun[i]));
            bool const taken_back = broken && i <= *broken && p.stages[i].what == line::kind::deploy &&
                begun[i] > 0 && line::reaction_of(p.stages[*broken]) == reaction::roll_back;
            REQUIRE((g.undone == undo::done || g.undone == undo::failed) == taken_back);
            REQUIRE((g.undone == undo::none) == !taken_back);
            REQUIRE((undone[i] > 0) == taken_back);
            if (broken && i > *broken)
                REQUIRE(g.now == outcome::skipped);
        }
    }

    // Which stage stopped the line.
    void note_end(line::state const& after)
    {
        if (broken || after.phase == line::phase::idle)
            return;
        for (std::size_t i = 0; i < after.stages.size(); ++i)
            if (auto const o = after.stages[i].now;
                o == outcome::failed || o == outcome::timed_out || o == outcome::cancelled)
                broken = i;
    }
    void end(bool well)
    {
        auto const j = *std::exchange(alive, std::nullopt);
        // The verdict counts unless it was told to end; the machine must see it as we do.
        if (well && !told && j.which == way::forward)
            passed[j.stage] = 1;
        act({.end = line::ended{j, well, "x"}});
    }
    void act(line::observed const& seen)
    {
        if (alive && told && now >= s.until)
            alive.reset();  // it could not be ended: whatever it does, the line goes on without it
        // `broken` is needed within the step, so it is found by a dry run of the same step.
        if (auto const r = line::step(p, s, seen, now); r.next.run == s.run)
            note_end(r.next);
        step(seen);
    }
    void pass_time()
    {
        auto const wake = line::step(p, s, {}, now).wake_at;
        if (wake == podium::never)
            return;
        now = std::max(now, s.phase == line::phase::over ? now : s.until);
        act({});
    }
    void crash()
    {
        ++crashes;
        alive.reset();
        s = line::resume(p, s, now);
        REQUIRE(line::resume(p, s, now) == s);
        note_end(s);
        act({});
    }
    bool rests() const { return s.phase == line::phase::over && !s.next && !alive; }

    // Without the clock: only how far away things are.
    std::string key() const
    {
        std::string out;
        auto const put = [&](auto n) { out += std::to_string(n) + ','; };
        put(static_cast<int>(s.phase));
        put(static_cast<int>(s.result));
        put(s.next.has_value());
        put(s.at);
        put(static_cast<int>(s.doing));
        put(static_cast<int>(s.ending_as));
        put(s.failures);
        put(s.until == podium::never ? -1 : (s.until - now).count());
        for (std::size_t i = 0; i < s.stages.size(); ++i) {
            put(static_cast<int>(s.stages[i].now));
            put(static_cast<int>(s.stages[i].undone));
            put(s.stages[i].attempts);
            put(s.stages[i].undo_attempts);
            put(passed[i]);
        }
        put(alive.has_value());
        put(told);
        put(crashes);
        put(cancels);
        put(events);
        put(lates);
        return out;
    }
};

}  // namespace

TEST_SUITE("property")
{
    TEST_CASE("pipeline: every outcome, hang, cancel, crash and late answer at every stage of a small line")
    {
        std::size_t states = 0, ends = 0;
        std::set<std::string> results;
        for (auto const* const stages :
            {"b", "d", "bd", "dv", "d1v", "dv1", "btdv", "dv.", "d.v", "dt!d", "ddv"}) {
            CAPTURE(stages);
            auto const p = line_of(stages);
            world start{.p = p};
            start.fresh();
            start.act({.event = line::event{"manual", "", 0}});
            std::set<std::string> seen{start.key()};
            std::set<std::string> ending;  // from where that was seen already
            std::vector<world> open{start};
            while (!open.empty()) {
                auto const w = std::move(open.back());
                open.pop_back();
                auto const visit = [&](world next) {
                    if (seen.insert(next.key()).second)
                        open.push_back(std::move(next));
                };
                if (w.rests()) {
                    ++ends;
                    results.insert(line::summary(w.p, w.s, w.now).substr(0, 40));
                }
                if (w.alive)
                    for (bool const well : {true, false}) {
                        auto next = w;
                        next.end(well);
                        visit(std::move(next));
                    }
                {
                    auto next = w;
                    next.pass_time();
                    visit(std::move(next));
                }
                bool const calm = w.cancels + w.crashes + w.events + w.lates < 2;  // two troubles in a run
                if (calm && w.cancels < 1) {
                    auto next = w;
                    ++next.cancels;
                    next.act({.cancel = true});
                    visit(std::move(next));
                }
                if (calm && w.crashes < 2) {
                    auto next = w;
                    next.crash();
                    visit(std::move(next));
                }
                if (calm && w.events < 1) {
                    auto next = w;
                    ++next.events;
                    next.act({.event = line::event{"file", "", 0}});
                    visit(std::move(next));
                }
                if (calm &&
                    w.lates < 1) {  // an answer of an attempt, a stage or a run that is not the one under way
                    for (auto j : {line::job{w.s.run, w.s.at, 0, way::forward},
                             line::job{w.s.run, w.s.at + 1, 1, way::forward},
                             line::job{w.s.run - 1, w.s.at, 1, way::forward},
                             line::job{w.s.run, w.s.at, 9, way::back}}) {
                        auto next = w;
                        ++next.lates;
                        auto const before = next.s;
                        if (line::step(w.p, w.s, {}, w.now).next == w.s)
                            REQUIRE(line::step(w.p, w.s, {.end = line::ended{j, true, ""}}, w.now).next ==
                                before);
                        next.act({.end = line::ended{j, true, ""}});
                        visit(std::move(next));
                    }
                }
                // Wherever it stands, time alone ends it.
                auto last = w;
                std::vector<std::string> way_there{last.key()};
                while (!last.rests() && !ending.contains(way_there.back())) {
                    REQUIRE(way_there.size() < 200);
                    last.pass_time();
                    way_there.push_back(last.key());
                }
                ending.insert(way_there.begin(), way_there.end());
            }
            states += seen.size();
        }
        CHECK(states > 20'000);
        CHECK(ends > 5'000);
        CHECK(results.size() > 8);
        MESSAGE(states << " states, " << ends << " of them ends");
    }

    TEST_CASE("pipeline: long lines of any shape under random events keep the promises and end")
    {
        std::map<outcome, int> results;
        for (std::uint64_t seed = 0; seed < 600; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::string stages;
            for (auto n = 1 + random() % 8; n > 0; --n) {
                stages += "btpdv"[random() % 5];
                if (random() % 3 == 0)
                    stages += static_cast<char>('0' + random() % 4);
                if (random() % 4 == 0)
                    stages += stages.find('d') != std::string::npos && random() % 2 == 0 ? '!' : '.';
            }
            auto const p = line_of(stages);
            REQUIRE(line::check(p));
            world w{.p = p};
            w.fresh();
            w.act({.event = line::event{"manual", "", random() % w.p.stages.size()}});
            for (int i = 0; i < 60; ++i) {
                w.now += std::chrono::seconds(random() % 20);
                switch (random() % 16) {
                case 0: w.crash(); break;
                case 1: w.act({.cancel = random() % 4 == 0}); break;
                case 2: w.act({.event = line::event{"file", "", random() % w.p.stages.size()}}); break;
                case 3: w.pass_time(); break;
                case 4:
                case 5:
                    if (w.alive) {
                        w.end(false);
                        break;
                    }
                    [[fallthrough]];
                default:
                    if (w.alive)
                        w.end(true);
                    else
                        w.act({});
                }
            }
            for (int i = 0; i < 1000 && !w.rests(); ++i)
                w.pass_time();
            REQUIRE(w.rests());
            ++results[w.s.result];
        }
        CHECK(results[outcome::passed] > 50);
        CHECK(results[outcome::failed] > 50);
        CHECK(results[outcome::cancelled] > 5);
    }

    TEST_CASE("pipeline: any state, even one that no run leads to, is stepped to an end")
    {
        for (std::uint64_t seed = 0; seed < 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const any_time = [&] {
                auto const n = random() % 5;
                return n == 0 ? podium::never
                    : n == 1  ? time_point::min()
                              : time_point{std::chrono::seconds(random() % 2000)};
            };
            auto p = line_of("b1dtd2v");
            p.rollback.retries = 1;
            if (random() % 4 == 0)
                p.stages[random() % 5].allowed.timeout = duration::max();
            line::state s;
            s.run = random() % 3;
            s.phase = static_cast<line::phase>(random() % 4);
            s.result = static_cast<outcome>(random() % 7);
            s.at = random() % 7;
            s.doing = static_cast<line::activity>(random() % 3);
            s.ending_as = random() % 2 == 0 ? outcome::timed_out : outcome::cancelled;
            s.until = any_time();
            s.failures = static_cast<std::uint32_t>(random() % 4);
            s.began_at = any_time();
            s.backoff = {duration(random() % 1000), any_time()};
            if (random() % 2 == 0)
                s.next = line::event{"x", "", random() % 8};
            s.stages.resize(random() % 4 == 0 ? random() % 8 : 5);
            for (auto& g : s.stages) {
                g.now = static_cast<outcome>(random() % 7);
                g.undone = static_cast<undo>(random() % 5);
                g.attempts = static_cast<std::uint32_t>(random() % 3);
                g.began_at = any_time();
                g.ended_at = any_time();
            }
            auto now = any_time();
            if (random() % 3 == 0)
                s = line::resume(p, s, now);
            for (int i = 0; i < 300; ++i) {
                auto const r = line::step(p, s, {}, now);
                s = r.next;
                REQUIRE_FALSE(line::table(p, s, now).empty());
                REQUIRE_FALSE(line::summary(p, s, now).empty());
                if (r.wake_at == podium::never)
                    break;
                now = std::max(now, r.wake_at);
            }
            // One that waits until the end of time was stored so, or allowed to.
            REQUIRE((!line::is_under_way(s) || s.until == podium::never));
        }
    }
}
