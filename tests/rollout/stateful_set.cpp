#include <podium/rollout/stateful_set.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace stateful = podium::rollout::stateful;
using podium::time_point;
using stateful::cause;
using stateful::verb;

namespace {

// A pod in one letter: "b" starts, "B" serves, "B!" serves and terminates, "b!" terminates, "b#" has ended,
// "-" is missing. The letter is its template.
std::vector<stateful::pod> pods_of(std::string const& text, std::int32_t first = 0)
{
    std::vector<stateful::pod> pods;
    auto ordinal = first;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        auto const marks = text.substr(i + 1, text.find_first_not_of("!#", i + 1) - (i + 1));
        if (c == ' ' || c == '!' || c == '#')
            continue;
        if (c != '-') {
            bool const serves = c < 'a';
            auto& p = pods.emplace_back();
            p.ordinal = ordinal;
            p.template_ = static_cast<stateful::template_id>(serves ? c : c - 'a' + 'A');
            p.phase = marks.find('#') != marks.npos ? stateful::phase::finished
                : serves                            ? stateful::phase::running
                                                    : stateful::phase::pending;
            if (serves)
                p.ready_since = time_point{1s};
            p.terminating = marks.find('!') != marks.npos;
        }
        ++ordinal;
    }
    return pods;
}

// "+3B" created, "-3" deleted, "^B2" remembered as revision 2, "vA" forgotten.
std::string spelled(std::span<stateful::action const> todo)
{
    std::string text;
    for (auto const& a : todo) {
        auto const letter = std::string(1, static_cast<char>(a.template_));
        text += text.empty() ? "" : " ";
        switch (a.what) {
        case verb::create_pod: text += '+' + std::to_string(a.ordinal) + letter; break;
        case verb::delete_pod: text += '-' + std::to_string(a.ordinal); break;
        case verb::create_revision:
        case verb::raise_revision: text += '^' + letter + std::to_string(a.number); break;
        case verb::delete_revision: text += 'v' + letter; break;
        }
    }
    return text;
}

constexpr auto ordered = stateful::management::ordered_ready;
constexpr auto parallel = stateful::management::parallel;

// A stateful set, its pods, and what its status last said: the world around a step.
struct world {
    stateful::set wanted{};
    stateful::status status{};
    std::vector<stateful::pod> pods{};
    std::vector<stateful::revision> history{};
    time_point now{1h};
    stateful::options how{};
    // Since the set last rested something went wrong, or other ordinals were wanted: then what is lost is
    // made good although another pod is still on its way out.
    bool faults = false;

    static bool serves(stateful::pod const& p)
    {
        return !p.terminating && p.phase == stateful::phase::running && p.ready_since;
    }
    bool is_wanted(stateful::pod const& p) const
    {
        return p.ordinal >= wanted.start_ordinal && p.ordinal < wanted.start_ordinal + wanted.replicas;
    }
    std::int64_t serving() const
    {
        return std::count_if(
            pods.begin(), pods.end(), [this](auto const& p) { return is_wanted(p) && serves(p); });
    }
    std::int64_t moving() const
    {
        return std::count_if(pods.begin(), pods.end(), [](auto const& p) { return !serves(p); });
    }
    bool is_outdated(stateful::pod const& p) const
    {
        return p.template_ != wanted.template_ && !p.terminating &&
            p.ordinal >= wanted.start_ordinal + wanted.partition;
    }

    // One step, carried out whole and checked against what it promises; whether anything changed.
    bool step(stateful::workspace& room)
    {
        now += 1s;
        if (moving() == 0)
            faults = false;
        auto const r = stateful::step(wanted, status, pods, history, now, room, how);
        bool const changed = !r.todo.empty() || r.next != status;
        auto const before = pods;
        auto const served = serving();
        std::int64_t taken = 0;
        int on_pods = 0;
        std::int32_t last = std::numeric_limits<std::int32_t>::max();
        for (auto const& a : r.todo) {
            switch (a.what) {
            case verb::create_revision: history.push_back({a.template_, a.number}); break;
            case verb::raise_revision:
                for (auto& h : history)
                    if (h.template_ == a.template_)
                        h.number = a.number;
                break;
            case verb::delete_revision:
                REQUIRE(a.template_ != wanted.template_);
                for (auto const& p : before)
                    REQUIRE(p.template_ != a.template_);
                std::erase_if(history, [&](auto const& h) { return h.template_ == a.template_; });
                break;
            case verb::create_pod:
                ++on_pods;
                // At most one pod of an ordinal, whatever state the other one is in.
                for (auto const& p : pods)
                    REQUIRE(p.ordinal != a.ordinal);
                REQUIRE(a.template_ ==
                    (wanted.how == stateful::strategy::rolling_update &&
                                a.ordinal < wanted.start_ordinal + wanted.partition
                            ? status.current_template != 0 ? status.current_template : wanted.template_
                            : wanted.template_));
                pods.push_back({.ordinal = a.ordinal, .template_ = a.template_});
                REQUIRE(is_wanted(pods.back()));
                break;
            case verb::delete_pod: {
                ++on_pods;
                auto& p = pods[a.pod];
                REQUIRE(p.ordinal == a.ordinal);
                REQUIRE_FALSE(p.terminating);
                if (a.why == cause::finished)
                    REQUIRE(p.phase == stateful::phase::finished);
                else if (a.why == cause::beyond_replicas)
                    REQUIRE_FALSE(is_wanted(p));
                else
                    REQUIRE(is_outdated(p));
                if (a.why == cause::outdated_broken)
                    REQUIRE_FALSE(serves(p));
                taken += a.why == cause::outdated && serves(before[a.pod]);
                // A voluntary change of an ordered set: every other pod rests, or at least none is going or
                // on its way up with the wanted template.
                if (wanted.pods == ordered && a.why != cause::finished && wanted.max_unavailable == 1) {
                    for (auto const& other : before)
                        if (other.ordinal != p.ordinal) {
                            REQUIRE_FALSE(other.terminating);
                            if (a.why == cause::outdated)
                                REQUIRE(serves(other));
                        }
                }
                if (a.why == cause::outdated) {
                    REQUIRE(a.ordinal < last);  // from the highest down
                    last = a.ordinal;
                    for (auto const& other : before)
                        if (is_wanted(other) && other.ordinal > a.ordinal && is_outdated(other))
                            REQUIRE(pods[static_cast<std::size_t>(&other - before.data())].terminating);
                }
                p.terminating = true;
                break;
            }
            }
        }
        if (taken > 0)
            REQUIRE(served - taken >= wanted.replicas - wanted.max_unavailable);
        if (wanted.pods == ordered && wanted.max_unavailable == 1) {
            REQUIRE(on_pods <= 1);
            if (!faults)
                REQUIRE(moving() <= 1);
        }
        status = r.next;
        return changed;
    }

    bool come_up(std::size_t i)
    {
        auto& p = pods[i];
        if (p.terminating || p.phase == stateful::phase::finished || p.ready_since)
            return false;
        p.phase = stateful::phase::running;
        p.ready_since = now;
        return true;
    }
    bool vanish(std::size_t i)
    {
        if (!pods[i].terminating)
            return false;
        pods.erase(pods.begin() + static_cast<std::ptrdiff_t>(i));
        return true;
    }
    bool fail(std::size_t i)
    {
        if (pods[i].phase == stateful::phase::finished)
            return false;
        pods[i].phase = stateful::phase::finished;
        pods[i].ready_since.reset();
        return faults = true;
    }
    bool get_unready(std::size_t i)
    {
        if (!pods[i].ready_since)
            return false;
        pods[i].ready_since.reset();
        return faults = true;
    }

    void is_done() const
    {
        REQUIRE(pods.size() == static_cast<std::size_t>(wanted.replicas));
        REQUIRE(serving() == wanted.replicas);
        if (wanted.how == stateful::strategy::rolling_update) {
            for (auto const& p : pods)
                REQUIRE_FALSE(is_outdated(p));
            REQUIRE(stateful::is_complete(wanted, status));
        }
    }
};

}  // namespace

TEST_CASE("rollout: one step of a stateful set")
{
    struct row {
        char const* name;
        stateful::set wanted;
        char const* pods;
        char const* expected;
    };
    stateful::set const three{.template_ = 'A', .replicas = 3};
    auto const with = [&](auto change) {
        auto s = three;
        change(s);
        return s;
    };
    auto const to_b = with([](auto& s) { s.template_ = 'B'; });
    auto const side_by_side = with([](auto& s) { s.pods = parallel; });
    auto const side_by_side_to_b = with([](auto& s) { s.template_ = 'B', s.pods = parallel; });
    for (auto const& r : {
             row{"the first comes first", three, "", "+0A"},
             row{"the next waits for it", three, "a", ""},
             row{"and then comes", three, "A", "+1A"},
             row{"a gap is filled before anything else", to_b, "A-A", "+1B"},
             row{"below the partition a gap is filled as it was",
                 with([](auto& s) { s.template_ = 'B', s.partition = 2; }), "A-A", "+1A"},
             row{"in parallel all come at once", side_by_side, "-A", "+0A +2A"},
             row{"a finished pod makes room", three, "AA#A", "-1"},
             row{"and comes back when it is gone", three, "AA#!A", ""},
             row{"ordinals beyond go from the highest", three, "AAAAA", "-4"},
             row{"one at a time", three, "AAAAA!", ""},
             row{"in parallel all at once", side_by_side, "AAAAA", "-4 -3"},
             row{"a broken one beyond is not waited for", three, "AAAaa", "-4"},
             row{"scaling goes before updating", to_b, "AAAA", "-3"},
             row{"an update begins at the highest", to_b, "AAA", "-2"},
             row{"waits while it is gone", to_b, "AA", "+2B"},
             row{"and while it starts", to_b, "AAb", ""},
             row{"and goes on", to_b, "AAB", "-1"},
             row{"down to the partition", with([](auto& s) { s.template_ = 'B', s.partition = 2; }), "AAB",
                 ""},
             row{"a partition above all holds everything",
                 with([](auto& s) { s.template_ = 'B', s.partition = 9; }), "AAA", ""},
             row{"more may be missing at once",
                 with([](auto& s) { s.template_ = 'B', s.max_unavailable = 2; }), "AAA", "-2 -1"},
             row{"what is missing counts",
                 with([](auto& s) { s.template_ = 'B', s.max_unavailable = 2, s.pods = parallel; }), "AAb",
                 "-1"},
             row{"on delete nothing goes by itself",
                 with([](auto& s) { s.template_ = 'B', s.how = stateful::strategy::on_delete; }), "AAA", ""},
             row{"but what was deleted comes back new",
                 with([](auto& s) { s.template_ = 'B', s.how = stateful::strategy::on_delete; }), "A-A",
                 "+1B"},
             row{"an outdated pod that never gets ready is replaced", to_b, "AAc", "-2"},
             row{"even if others were never made", to_b, "c", "-0"},
             row{"but not while another one is on its way", to_b, "cAb", ""},
             row{"nor while one is going", to_b, "cAA!", ""},
             row{"nor below the partition", with([](auto& s) { s.template_ = 'B', s.partition = 3; }), "AAc",
                 ""},
             row{"in parallel the broken go first, without a cost", side_by_side_to_b, "cAc", "-2 -0"},
             row{"ordinals may start elsewhere", with([](auto& s) { s.start_ordinal = 2; }), "AAA", "+3A"},
             row{"and those below must go, when the wanted are there",
                 with([](auto& s) { s.start_ordinal = 2; }), "AAAAA", "-1"},
             row{"a set that is deleted does nothing", with([](auto& s) { s.deleting = true; }), "A", ""},
             row{"none wanted, none there", with([](auto& s) { s.replicas = 0; }), "", ""},
             row{"less than none is none", with([](auto& s) { s.replicas = -5; }), "A", "-0"},
         }) {
        CAPTURE(r.name);
        stateful::workspace room;
        std::array<stateful::revision, 3> const history{{{'A', 1}, {'C', 2}, {r.wanted.template_, 3}}};
        auto const all = std::span(history);
        stateful::status const before{.current_template = 'A'};
        auto const got = stateful::step(r.wanted, before, pods_of(r.pods),
            r.wanted.template_ == 'A' ? all.first(1) : all, time_point{1h}, room);
        CHECK(spelled(got.todo) == r.expected);
    }
}

TEST_CASE("rollout: what a stateful set waits for is said")
{
    using kind = stateful::obstacle::kind;
    struct row {
        char const* pods;
        std::optional<stateful::obstacle> expected;
    };
    for (auto const& r : {
             row{"AAA", {}},
             row{"AaA", stateful::obstacle{kind::not_available, 1}},
             row{"AAA!", stateful::obstacle{kind::terminating, 2}},
             row{"AAA#", stateful::obstacle{kind::terminating, 2}},
             row{"AA", stateful::obstacle{kind::not_there, 2}},
             row{"AAAA!", stateful::obstacle{kind::terminating, 3}},
         }) {
        CAPTURE(r.pods);
        stateful::workspace room;
        std::array<stateful::revision, 1> const history{{{'A', 1}}};
        CHECK(stateful::step(
                  {.template_ = 'A', .replicas = 3}, {}, pods_of(r.pods), history, time_point{1h}, room)
                  .waits_for == r.expected);
    }
}

TEST_CASE("rollout: a stateful set's pod is available when it has been ready for long enough")
{
    stateful::workspace room;
    std::array<stateful::revision, 1> const history{{{'A', 1}}};
    stateful::set const wanted{.template_ = 'A', .replicas = 2, .min_ready = 10s};
    auto const pods = pods_of("A");
    auto const early = stateful::step(wanted, {}, pods, history, time_point{5s}, room);
    CHECK(early.todo.empty());
    CHECK(early.next.ready == 1);
    CHECK(early.next.available == 0);
    CHECK(early.wake_at == time_point{11s});
    auto const late = stateful::step(wanted, {}, pods, history, early.wake_at, room);
    CHECK(spelled(late.todo) == "+1A");
    CHECK(late.next.available == 1);
}

TEST_CASE("rollout: a stateful set remembers templates up to its limit, and raises one that returns")
{
    world w{.wanted = {.template_ = 'A', .replicas = 1, .revision_history_limit = 1}};
    stateful::workspace room;
    auto const settle = [&](char template_) {
        w.wanted.template_ = static_cast<stateful::template_id>(template_);
        ++w.wanted.generation;
        for (int i = 0; i < 8; ++i) {
            w.step(room);
            for (std::size_t p = w.pods.size(); p-- > 0;)
                if (!w.vanish(p))
                    w.come_up(p);
        }
        std::string text;
        std::sort(w.history.begin(), w.history.end(),
            [](auto const& a, auto const& b) { return a.number < b.number; });
        for (auto const& h : w.history)
            text += static_cast<char>(h.template_) + std::to_string(h.number);
        return text;
    };
    CHECK(settle('A') == "A1");
    CHECK(settle('B') == "A1B2");
    CHECK(settle('A') == "B2A3");
    CHECK(settle('C') == "A3C4");
    CHECK(w.status.current_template == 'C');
    CHECK(w.status.update_template == 'C');
    CHECK(stateful::is_complete(w.wanted, w.status));
    w.wanted.revision_history_limit = 0;
    CHECK(settle('C') == "C4");
}

TEST_CASE("rollout: after a template that never got ready the next one is rolled out without a hand")
{
    for (auto const how : {stateful::broken::replace, stateful::broken::kubernetes}) {
        world w{.wanted = {.template_ = 'A', .replicas = 3}, .how = {.pods = how}};
        stateful::workspace room;
        auto const run = [&](char template_) {
            w.wanted.template_ = static_cast<stateful::template_id>(template_);
            for (int i = 0; i < 40; ++i) {
                w.step(room);
                for (std::size_t p = w.pods.size(); p-- > 0;)
                    if (!w.vanish(p) && w.pods[p].template_ != 'B')
                        w.come_up(p);
            }
        };
        run('A');
        w.is_done();
        run('B');
        CHECK(w.serving() == 2);  // the bad one stops at the first pod
        run('C');
        if (how == stateful::broken::replace)
            w.is_done();
        else
            CHECK(w.serving() == 2);  // Kubernetes waits until somebody deletes that pod
    }
}

TEST_CASE("rollout: a stateful set's step stands any numbers")
{
    constexpr auto most = std::numeric_limits<std::int32_t>::max();
    constexpr auto least = std::numeric_limits<std::int32_t>::min();
    std::vector<stateful::pod> pods = pods_of("AAA");
    pods.push_back({.ordinal = most, .template_ = 'A', .phase = stateful::phase::running});
    pods.push_back({.ordinal = least, .template_ = 'A', .phase = stateful::phase::running});
    pods.push_back(pods[1]);  // a second one of an ordinal
    std::vector<stateful::revision> const history{{'A', 1}, {'A', 2}, {'B', 2}};
    stateful::workspace room;
    for (auto const replicas : {least, -1, 0, 2, 3, most})
        for (auto const start : {least, -1, 0, 1, most})
            for (auto const partition : {least, -1, 0, 2, most})
                for (auto const unavailable : {least, 0, 1, most})
                    for (auto const pods_how : {ordered, parallel})
                        for (auto const broken : {stateful::broken::replace, stateful::broken::kubernetes})
                            for (bool const bounded : {true, false}) {
                                auto const r = stateful::step({.template_ = 'B',
                                                                  .replicas = replicas,
                                                                  .start_ordinal = start,
                                                                  .pods = pods_how,
                                                                  .partition = partition,
                                                                  .max_unavailable = unavailable,
                                                                  .min_ready = podium::duration::max(),
                                                                  .revision_history_limit = partition},
                                    {}, pods, history, time_point::max(), room,
                                    {.pods = broken, .max_unavailable = bounded, .burst = 7});
                                REQUIRE(r.todo.size() <= pods.size() + history.size() + 7);
                                for (auto const& a : r.todo)
                                    if (a.what == verb::create_pod)
                                        REQUIRE(a.ordinal >= std::max(start, 0));
                            }
    // A set whose ordinals would begin below zero begins at zero, and comes to rest there.
    std::vector<stateful::pod> few;
    stateful::set const below{.template_ = 'A', .replicas = 1, .start_ordinal = -3};
    auto const born =
        stateful::step(below, {}, few, std::array{stateful::revision{'A', 1}}, time_point{1h}, room);
    REQUIRE(spelled(born.todo) == "+0A");
    few.push_back(
        {.ordinal = 0, .template_ = 'A', .phase = stateful::phase::running, .ready_since = time_point{1h}});
    CHECK(stateful::step(below, born.next, few, std::array{stateful::revision{'A', 1}}, time_point{1h}, room)
            .todo.empty());
    // Where counting revisions ends, nothing turns round, and it comes to rest too.
    constexpr auto last = std::numeric_limits<std::int64_t>::max();
    auto const end = stateful::step({.template_ = 'B', .replicas = 0}, {}, {},
        std::array{stateful::revision{'A', last}}, time_point{1h}, room);
    REQUIRE(end.todo.size() == 1);
    CHECK(end.todo[0].what == verb::create_revision);
    CHECK(end.todo[0].number == last);
    CHECK(stateful::step({.template_ = 'B', .replicas = 0}, end.next, {},
        std::array{stateful::revision{'A', last}, stateful::revision{'B', last}}, time_point{1h}, room)
            .todo.empty());

    auto const second = stateful::step(
        {.template_ = 'A', .replicas = 3}, {}, std::span(pods).first(3), history, time_point{1h}, room);
    CHECK(second.next.replicas == 3);
    pods.erase(pods.begin() + 3, pods.begin() + 5);
    auto const twice =
        stateful::step({.template_ = 'B', .replicas = 3}, {}, pods, history, time_point{1h}, room);
    REQUIRE(spelled(twice.todo) == "-1");
    CHECK(twice.todo[0].why == cause::second_of_its_ordinal);
    CHECK(twice.todo[0].pod == 3);
}

namespace {

// The least that can be a pod, and one that just misses: its answer is not a pod.
struct least_pod {
    explicit least_pod(std::int32_t n) : number(n) {}
    least_pod(least_pod const&) = delete;
    least_pod& operator=(least_pod const&) = delete;
    std::int32_t number;
};
stateful::pod as_pod(least_pod const& p)
{
    return {.ordinal = p.number,
        .template_ = 'A',
        .phase = stateful::phase::running,
        .ready_since = time_point{}};
}
struct no_pod {};
[[maybe_unused]] int as_pod(no_pod const&)
{
    return 0;
}
static_assert(stateful::Pod<least_pod>);
static_assert(!stateful::Pod<no_pod>);
static_assert(!stateful::Pod<int>);

}  // namespace

TEST_CASE("rollout: a stateful set of pods of one's own type")
{
    std::array<least_pod, 2> const pods{least_pod(0), least_pod(3)};
    std::array<stateful::revision, 1> const history{{{'A', 1}}};
    stateful::workspace room;
    auto const r = stateful::step({.template_ = 'A', .replicas = 1}, {}, pods, history, time_point{1h}, room);
    REQUIRE(r.todo.size() == 1);
    CHECK(r.todo[0].why == cause::beyond_replicas);
    CHECK(r.todo[0].pod == 1);
}

TEST_SUITE("property")
{
    TEST_CASE("rollout: whatever happens to a stateful set, its steps keep their promises, and it ends")
    {
        for (std::uint64_t seed = 0; seed < 600; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<std::int32_t>(random() % n); };
            world w;
            w.wanted.template_ = 'A';
            w.wanted.replicas = below(6);
            w.wanted.pods = below(2) == 0 ? ordered : parallel;
            w.wanted.max_unavailable = 1 + below(3);
            w.wanted.revision_history_limit = below(3);
            w.how.burst = 1 + below(4);
            bool const faulty = below(2) == 0;
            stateful::workspace room;
            for (int i = 0; i < 300; ++i) {
                if (below(40) == 0)
                    w.wanted.template_ = static_cast<stateful::template_id>('A' + below(4));
                if (below(50) == 0) {
                    w.wanted.replicas = below(7);
                    w.faults = true;
                }
                if (below(70) == 0)
                    w.wanted.partition = below(4);
                if (below(90) == 0) {
                    w.wanted.start_ordinal = below(3);
                    w.faults = true;
                }
                if (below(2) == 0)
                    w.step(room);
                if (w.pods.empty())
                    continue;
                auto const one = random() % w.pods.size();
                switch (below(faulty ? 9 : 6)) {
                case 0:
                case 1:
                case 2: w.come_up(one); break;
                case 3:
                case 4: w.vanish(one); break;
                case 6: w.fail(one); break;
                case 7: w.get_unready(one); break;
                default: break;
                }
            }
            bool quiet = false;
            for (int i = 0; i < 500 && !quiet; ++i) {
                quiet = !w.step(room);
                for (std::size_t p = w.pods.size(); p-- > 0;)
                    if (w.vanish(p) || w.come_up(p))
                        quiet = false;
            }
            REQUIRE(quiet);
            w.is_done();
            REQUIRE_FALSE(w.step(room));  // an extra step changes nothing
        }
    }

    TEST_CASE(
        "rollout: every interleaving of a small stateful set's update keeps the promises and can finish")
    {
        using compact = std::vector<std::int64_t>;
        auto const remember = [](world const& w, int faults) {
            compact c{static_cast<std::int64_t>(w.wanted.template_),
                static_cast<std::int64_t>(w.status.current_template), w.wanted.replicas, faults};
            auto pods = w.pods;
            std::sort(
                pods.begin(), pods.end(), [](auto const& a, auto const& b) { return a.ordinal < b.ordinal; });
            for (auto const& p : pods)
                c.insert(c.end(),
                    {p.ordinal, static_cast<std::int64_t>(p.template_), static_cast<std::int64_t>(p.phase),
                        p.ready_since.has_value(), p.terminating});
            return c;
        };
        struct node {
            world w;
            int faults = 0;
        };
        std::size_t seen_in_all = 0;
        for (auto const pods : {ordered, parallel})
            for (std::int32_t replicas = 1; replicas <= 3; ++replicas)
                for (std::int32_t partition = 0; partition <= 1; ++partition)
                    for (std::int32_t unavailable = 1; unavailable <= 2; ++unavailable) {
                        CAPTURE(replicas);
                        CAPTURE(partition);
                        CAPTURE(unavailable);
                        world start{.wanted = {.template_ = 'A',
                                        .replicas = replicas,
                                        .pods = pods,
                                        .partition = partition,
                                        .max_unavailable = unavailable,
                                        .revision_history_limit = {}}};
                        stateful::workspace room;
                        for (int i = 0; i < 9; ++i) {
                            start.step(room);
                            for (std::size_t p = 0; p < start.pods.size(); ++p)
                                start.come_up(p);
                        }
                        start.is_done();
                        start.wanted.template_ = 'B';
                        std::set<compact> seen{remember(start, 0)};
                        std::vector<node> open{{start, 0}};
                        while (!open.empty()) {
                            auto const n = open.back();
                            open.pop_back();
                            bool moved = false;
                            auto const visit = [&](node next, bool counts = true) {
                                auto key = remember(next.w, next.faults);
                                moved = moved || (counts && key != remember(n.w, n.faults));
                                if (seen.insert(std::move(key)).second)
                                    open.push_back(std::move(next));
                            };
                            auto next = n;
                            next.w.step(room);
                            visit(std::move(next));
                            for (std::size_t i = 0; i < n.w.pods.size(); ++i) {
                                next = n;
                                next.w.come_up(i);
                                visit(std::move(next));
                                next = n;
                                next.w.vanish(i);
                                visit(std::move(next));
                                if (n.faults < 1) {
                                    next = n;
                                    next.faults += next.w.fail(i);
                                    visit(std::move(next), false);
                                    next = n;
                                    next.faults += next.w.get_unready(i);
                                    visit(std::move(next), false);
                                }
                            }
                            if (n.w.wanted.template_ == 'B') {  // a third template in mid-way
                                next = n;
                                next.w.wanted.template_ = 'C';
                                visit(std::move(next), false);
                            }
                            if (n.w.wanted.replicas == replicas && replicas > 1) {  // and a smaller size
                                next = n;
                                --next.w.wanted.replicas;
                                visit(std::move(next), false);
                            }
                            if (!moved) {
                                auto last = n.w;
                                last.step(room);
                                last.is_done();
                            }
                        }
                        seen_in_all += seen.size();
                    }
        CHECK(seen_in_all > 10'000);
    }
}
