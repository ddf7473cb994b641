#include <podium/autoscale/scaler.hpp>
#include <podium/rollout/deployment.hpp>

#include <array>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;
namespace rollout = podium::rollout;
using podium::time_point;
using rollout::cause;
using rollout::reason;
using rollout::verb;

namespace {

constexpr std::array<char const*, 8> names{"a", "b", "c", "d", "e", "f", "g", "h"};

// A set of n pods that all serve and that was last scaled for `desired`.
rollout::replica_set settled(std::int32_t n, std::int64_t revision, std::int32_t desired, std::int32_t max)
{
    return {.name = names[static_cast<std::size_t>(revision)],
        .created_at = time_point{std::chrono::seconds(revision)},
        .revision = revision,
        .replicas = n,
        .status_replicas = n,
        .ready = n,
        .available = n,
        .pods_left = n > 0,
        .recorded_desired = desired,
        .recorded_max = max};
}

// "b 3>5" for a scaling, "+4" for a creation, "-a" for a deletion, "~a" for a record, "=a" for a rollback.
std::string spelled(std::span<rollout::action const> todo, std::span<rollout::replica_set const> sets)
{
    std::string text;
    for (auto const& a : todo) {
        auto const name = a.set == rollout::no_set ? std::string() : std::string(sets[a.set].name);
        text += text.empty() ? "" : ", ";
        switch (a.what) {
        case verb::create_set: text += '+' + std::to_string(a.to); break;
        case verb::scale_set: text += name + ' ' + std::to_string(a.from) + '>' + std::to_string(a.to); break;
        case verb::annotate_set: text += '~' + name; break;
        case verb::delete_set: text += '-' + name; break;
        case verb::update_deployment: text += '=' + name; break;
        }
    }
    return text;
}

// A deployment, its sets with their pods, and what their statuses last said: the world around a step.
// Pods only ever come up; nothing but a set that shrinks takes one away.
struct world {
    struct pods {
        std::int32_t ready = 0;
        std::int32_t starting = 0;
        auto operator<=>(pods const&) const = default;
    };
    rollout::deployment wanted{};
    rollout::status status{};
    std::vector<rollout::replica_set> sets{};
    std::vector<int> templates{};  // of each set
    std::vector<pods> has{};       // each set really
    int wanted_template = 0;
    time_point now{};
    rollout::options how{};

    std::int32_t all() const
    {
        std::int32_t n = 0;
        for (auto const& p : has)
            n += p.ready + p.starting;
        return n;
    }
    std::int32_t ready() const
    {
        std::int32_t n = 0;
        for (auto const& p : has)
            n += p.ready;
        return n;
    }

    // Available pods that nobody has decided to give up. Pods that came up unseen are not among them: one
    // that was known as not available may be cleaned up in the moment in which it gets ready.
    std::int32_t promised() const
    {
        std::int32_t n = 0;
        for (auto const& s : sets)
            n += std::min(s.available, s.replicas);
        return n;
    }
    rollout::fenceposts bounds() const { return rollout::limits(wanted.bounds, wanted.how, wanted.replicas); }

    void keeps_bounds() const
    {
        REQUIRE(all() <= wanted.replicas + bounds().surge);
        REQUIRE(ready() >= promised());
    }

    // One step of the deployment, carried out whole; whether anything changed.
    bool deploy(rollout::workspace& room)
    {
        auto const before = promised();
        now += 1s;
        for (std::size_t i = 0; i < sets.size(); ++i)
            sets[i].matches_template = templates[i] == wanted_template;
        auto const r = rollout::step(wanted, status, sets, now, room, how);
        bool const changed = !r.todo.empty() || r.next != status;
        status = r.next;
        auto const count = sets.size();
        std::vector<bool> gone(count, false);
        for (auto const& a : r.todo) {
            if (a.superseded)
                continue;
            if (a.what == verb::update_deployment) {
                wanted.rollback_to.reset();
                if (a.set != rollout::no_set)
                    wanted_template = templates[a.set];
                continue;
            }
            if (a.what == verb::delete_set) {
                gone[a.set] = true;
                continue;
            }
            if (a.what == verb::create_set) {
                sets.push_back({.name = "", .created_at = now});
                templates.push_back(wanted_template);
                has.push_back({});
            }
            auto& s = a.what == verb::create_set ? sets.back() : sets[a.set];
            s.observed = s.observed && a.to == s.replicas;
            s.replicas = a.to;
            s.revision = a.after.revision;
            s.recorded_desired = a.after.desired;
            s.recorded_max = a.after.max;
            s.min_ready = a.after.min_ready;
        }
        for (auto i = count; i-- > 0;)
            if (gone[i]) {
                auto const at = static_cast<std::ptrdiff_t>(i);
                sets.erase(sets.begin() + at);
                templates.erase(templates.begin() + at);
                has.erase(has.begin() + at);
            }
        REQUIRE(promised() >= std::min(before, wanted.replicas - bounds().unavailable));
        return changed;
    }

    // The set's own controller: creates and deletes pods, starting ones first, and reports.
    void settle(std::size_t i)
    {
        auto& s = sets[i];
        auto& p = has[i];
        p.starting = std::max(p.starting, s.replicas - p.ready);
        p.starting = std::max(std::min(p.starting, s.replicas - p.ready), 0);
        p.ready = std::min(p.ready, s.replicas);
        s.status_replicas = p.ready + p.starting;
        s.ready = s.available = p.ready;
        s.pods_left = s.status_replicas > 0;
        s.observed = true;
    }

    bool come_up(std::size_t i)
    {
        if (has[i].starting == 0)
            return false;
        --has[i].starting;
        ++has[i].ready;
        return true;
    }
};

}  // namespace

TEST_CASE("rollout: the first step creates the set of the template")
{
    rollout::workspace room;
    auto const r = rollout::step({.replicas = 3}, {}, {}, time_point{1s}, room);
    REQUIRE(r.todo.size() == 1);
    CHECK(r.todo[0].what == verb::create_set);
    CHECK(r.todo[0].why == cause::new_template);
    CHECK(r.todo[0].to == 3);
    CHECK(r.todo[0].after == rollout::record{.revision = 1, .desired = 3, .max = 4});
    CHECK(r.next.revision == 1);
    CHECK(r.next.progressing->why == reason::new_replica_set_created);
    CHECK(r.next.available_condition->why == reason::minimum_replicas_unavailable);
    CHECK(r.wake_at == time_point{601s} + 1ns);
}

TEST_CASE("rollout: one step of a rolling update")
{
    struct row {
        char const* name;
        rollout::deployment wanted;
        std::vector<rollout::replica_set> sets;
        char const* expected;
    };
    auto const as_new = [](rollout::replica_set s) {
        s.matches_template = true;
        return s;
    };
    auto const with = [](rollout::replica_set s, auto change) {
        change(s);
        return s;
    };
    rollout::deployment const four{.replicas = 4, .bounds = {1, 1}};
    for (auto const& r : {
             row{"a new template gets what the surge allows", four, {settled(4, 1, 4, 5)}, "+1, b 4>3"},
             row{"growing comes first and ends the step", four,
                 {settled(3, 1, 4, 5), as_new(settled(1, 2, 4, 5))}, "c 1>2"},
             row{"then the old shrink", four, {settled(3, 1, 4, 5), as_new(settled(2, 2, 4, 5))}, "b 3>1"},
             row{"old pods that do not serve go first", four,
                 {settled(2, 1, 4, 5), with(settled(1, 2, 4, 5), [](auto& s) { s.available = 0; }),
                     as_new(settled(2, 3, 4, 5))},
                 "c 1>0, b 2>1"},
             row{"new pods that do not serve hold the old", four,
                 {settled(3, 1, 4, 5), with(as_new(settled(2, 2, 4, 5)), [](auto& s) { s.available = 0; })},
                 ""},
             row{"the surge counts the pods of all sets", four, {settled(2, 1, 4, 5), settled(3, 2, 4, 5)},
                 "+0, b 2>0"},
             row{"a new set above the wanted size comes down", four, {as_new(settled(5, 1, 4, 5))}, "b 5>4"},
             row{"a pod takes room until it is gone", four,
                 {with(settled(2, 1, 4, 5), [](auto& s) { s.status_replicas = 3; }),
                     as_new(settled(2, 2, 4, 5))},
                 "b 2>1"},
             row{"scaling in mid-rollout is shared out", {.replicas = 10, .bounds = {3, 2}},
                 {settled(3, 1, 4, 5), as_new(settled(2, 2, 4, 5))}, "b 3>8, c 2>5"},
             row{"scaling one set alone", {.replicas = 2, .bounds = {1, 0}}, {as_new(settled(4, 1, 4, 5))},
                 "b 4>2"},
             row{"paused: no rolling", {.replicas = 4, .bounds = {1, 1}, .paused = true},
                 {settled(4, 1, 4, 5)}, ""},
             row{"paused: scaling goes on", {.replicas = 6, .bounds = {1, 1}, .paused = true},
                 {settled(4, 1, 4, 5)}, "b 4>6"},
             row{"deleting: nothing at all", {.replicas = 6, .deleting = true}, {settled(4, 1, 4, 5)}, ""},
             row{"rollback to a revision", {.replicas = 4, .bounds = {1, 1}, .rollback_to = 1},
                 {settled(0, 1, 4, 5), as_new(settled(4, 2, 4, 5))}, "=b"},
             row{"rollback to the one before", {.replicas = 4, .bounds = {1, 1}, .rollback_to = 0},
                 {settled(0, 1, 4, 5), settled(0, 2, 4, 5), as_new(settled(4, 3, 4, 5))}, "=c"},
             row{"rollback to what is not there", {.replicas = 4, .bounds = {1, 1}, .rollback_to = 9},
                 {settled(0, 1, 4, 5), as_new(settled(4, 2, 4, 5))}, "="},
             row{"an older template comes back above all revisions", four,
                 {as_new(settled(0, 1, 4, 5)), settled(4, 2, 4, 5)}, "~b, b 0>1"},
             row{"recreate: the old go first", {.replicas = 4, .how = rollout::strategy::recreate},
                 {settled(4, 1, 4, 4)}, "b 4>0"},
             row{"recreate: as long as a pod is left nothing new comes",
                 {.replicas = 4, .how = rollout::strategy::recreate},
                 {with(settled(0, 1, 4, 4), [](auto& s) { s.pods_left = true; })}, ""},
             row{"recreate: then the new", {.replicas = 4, .how = rollout::strategy::recreate},
                 {settled(0, 1, 4, 4)}, "+4"},
             row{"a record that missed a scaling is caught up", {.replicas = 4, .bounds = {1, 1}},
                 {settled(4, 1, 3, 4)}, "~b"},
         }) {
        CAPTURE(r.name);
        rollout::workspace room;
        auto const got = rollout::step(r.wanted, {}, r.sets, time_point{100s}, room);
        CHECK(spelled(got.todo, r.sets) == r.expected);
    }
}

TEST_CASE("rollout: of two actions on one set the earlier says that it is superseded")
{
    auto fresh = settled(0, 1, 4, 5);
    fresh.matches_template = true;
    std::vector const sets{fresh, settled(4, 2, 4, 5)};
    rollout::workspace room;
    auto const r = rollout::step({.replicas = 4, .bounds = {1, 1}}, {}, sets, time_point{9s}, room);
    REQUIRE(r.todo.size() == 2);
    CHECK(r.todo[0].superseded);
    CHECK_FALSE(r.todo[1].superseded);
    CHECK(r.todo[1].after.revision == 3);
}

TEST_CASE("rollout: proportions do not overflow where 32 bits would")
{
    auto fresh = settled(20000, 2, 60000, 60001);
    fresh.matches_template = true;
    std::vector const sets{settled(40000, 1, 60000, 60001), fresh};
    rollout::workspace room;
    auto const r = rollout::step({.replicas = 120000, .bounds = {1, 0}}, {}, sets, time_point{9s}, room);
    CHECK(spelled(r.todo, sets) == "b 40000>80001, c 20000>40000");
}

TEST_CASE("rollout: only a rollout that makes no progress runs into its deadline")
{
    world w{.wanted = {.replicas = 2, .bounds = {1, 0}, .progress_deadline = 10s}};
    rollout::workspace room;
    w.deploy(room);
    w.settle(0);
    w.deploy(room);
    auto const quiet = w.now;
    w.now = quiet + 9s;
    w.deploy(room);  // at the deadline, not past it
    CHECK(w.status.progressing->why == reason::replica_set_updated);
    w.deploy(room);
    CHECK(w.status.progressing->value == rollout::condition_status::false_);
    CHECK(w.status.progressing->why == reason::progress_deadline_exceeded);

    w.come_up(0);
    w.come_up(0);
    w.settle(0);
    w.deploy(room);
    CHECK(w.status.progressing->why == reason::new_replica_set_available);
    w.has[0] = {.ready = 0, .starting = 2};
    w.settle(0);
    w.now += 1h;
    w.deploy(room);
    CHECK(w.status.progressing->why == reason::new_replica_set_available);
    CHECK(w.status.available_condition->value == rollout::condition_status::false_);
}

TEST_CASE("rollout: a pause stops the clock and is said so")
{
    world w{.wanted = {.replicas = 1, .progress_deadline = 10s}};
    rollout::workspace room;
    w.deploy(room);
    w.wanted.paused = true;
    w.deploy(room);
    CHECK(w.status.progressing->why == reason::deployment_paused);
    w.now += 1h;
    w.deploy(room);
    CHECK(w.status.progressing->why == reason::deployment_paused);
    w.wanted.paused = false;
    w.deploy(room);
    CHECK(w.status.progressing->why == reason::deployment_resumed);
}

TEST_CASE("rollout: history keeps its limit, and never forgets a set with pods")
{
    rollout::status done{.replicas = 4, .updated = 4, .ready = 4, .available = 4};
    auto fresh = settled(4, 5, 4, 5);
    fresh.matches_template = true;
    auto lingering = settled(0, 1, 4, 5);
    lingering.status_replicas = 1;
    std::vector const sets{lingering, settled(0, 2, 4, 5), settled(0, 3, 4, 5), settled(0, 4, 4, 5), fresh};
    rollout::workspace room;
    auto const r =
        rollout::step({.replicas = 4, .revision_history_limit = 1}, done, sets, time_point{9s}, room);
    CHECK(spelled(r.todo, sets) == "-c, -d");
}

TEST_CASE("rollout: a set that cannot create its pods is told, the new set's reason first")
{
    auto old = settled(1, 1, 1, 2);
    old.failure = {.why = reason::failed_delete};
    auto fresh = settled(1, 2, 1, 2);
    fresh.matches_template = true;
    rollout::workspace room;
    std::vector sets{old, fresh};
    CHECK(
        rollout::step({}, {}, sets, time_point{9s}, room).next.replica_failure->why == reason::failed_delete);
    sets[1].failure = {.why = reason::failed_create};
    CHECK(
        rollout::step({}, {}, sets, time_point{9s}, room).next.replica_failure->why == reason::failed_create);
}

TEST_CASE("rollout: a third template in mid-rollout takes over from both others")
{
    world w{.wanted = {.replicas = 4, .bounds = {1, 1}}};
    rollout::workspace room;
    auto const settle = [&](int rounds, int never_ready) {
        for (int i = 0; i < rounds; ++i) {
            w.deploy(room);
            for (std::size_t s = 0; s < w.sets.size(); ++s) {
                w.settle(s);
                while (w.templates[s] != never_ready && w.come_up(s)) {
                }
                w.settle(s);
                w.keeps_bounds();
            }
        }
    };
    settle(6, -1);
    w.wanted_template = 1;
    settle(6, 1);  // the second template does not get ready
    REQUIRE(w.sets.size() == 2);
    CHECK(w.sets[0].replicas == 3);
    CHECK(w.sets[1].replicas == 2);

    w.wanted_template = 2;
    w.now += 1s;
    for (auto& set : w.sets)
        set.matches_template = false;
    auto const next = rollout::step(w.wanted, w.status, w.sets, w.now, room);
    REQUIRE(next.todo.size() == 2);  // no room yet, and the pods that serve nobody make it
    CHECK(next.todo[0].what == verb::create_set);
    CHECK(next.todo[0].to == 0);
    CHECK(next.todo[1].set == 1);
    CHECK(next.todo[1].why == cause::unhealthy_old);
    CHECK(next.todo[1].to == 0);
    settle(12, -1);
    CHECK(w.sets.back().replicas == 4);
    CHECK(w.status.revision == 3);
    CHECK(rollout::is_complete(w.wanted, w.status));
}

TEST_CASE("rollout: a deployment's step stands any numbers")
{
    constexpr auto most = std::numeric_limits<std::int32_t>::max();
    constexpr auto least = std::numeric_limits<std::int32_t>::min();
    constexpr std::array numbers{least, -1, 0, 1, 3, most};
    std::mt19937_64 random(1);
    auto const any = [&] { return numbers[random() % numbers.size()]; };
    auto const any_revision = [&]() -> std::int64_t {
        using wide = std::numeric_limits<std::int64_t>;
        return random() % 3 != 0 ? any() : random() % 2 ? wide::max() : wide::min();
    };
    auto const any_time = [&] {
        constexpr std::array times{time_point::min(), time_point{}, time_point{1h}, time_point::max()};
        return times[random() % times.size()];
    };
    rollout::workspace room;
    for (int i = 0; i < 20'000; ++i) {
        std::vector<rollout::replica_set> sets(random() % 4);
        for (auto& s : sets)
            s = {.name = names[random() % names.size()],
                .created_at = any_time(),
                .revision = any_revision(),
                .matches_template = random() % 2 == 0,
                .replicas = any(),
                .status_replicas = any(),
                .ready = any(),
                .available = any(),
                .recorded_desired = random() % 2 ? std::optional(any()) : std::nullopt,
                .recorded_max = random() % 2 ? std::optional(any()) : std::nullopt,
                .min_ready = podium::duration::max()};
        rollout::deployment const wanted{.generation = any(),
            .replicas = any(),
            .how = random() % 4 ? rollout::strategy::rolling_update : rollout::strategy::recreate,
            .bounds = {.surge = any(), .unavailable = any()},
            .progress_deadline = random() % 2 ? podium::duration::max() : podium::duration::min(),
            .revision_history_limit = any(),
            .paused = random() % 5 == 0,
            .rollback_to = random() % 9 ? std::nullopt : std::optional<std::int64_t>(any())};
        rollout::status before{.revision = any(), .replicas = any()};
        if (random() % 2)
            before.progressing = rollout::condition{.last_update = any_time(), .last_transition = any_time()};
        auto const r = rollout::step(wanted, before, std::span<rollout::replica_set const>(sets), any_time(),
            room, {.pods = random() % 2 ? rollout::counting::kubernetes : rollout::counting::what_exists});
        for (auto const& a : r.todo) {
            bool const named = a.set == rollout::no_set || a.set < sets.size();
            CHECK(named);
            if (a.what == verb::create_set)
                CHECK(a.after.revision > 0);
        }
    }
}

TEST_CASE("rollout: where counting revisions ends, nothing turns round and it comes to rest")
{
    constexpr auto last = std::numeric_limits<std::int64_t>::max();
    std::vector<rollout::replica_set> sets{{.name = "old", .revision = last},
        {.name = "new", .revision = 3, .matches_template = true, .replicas = 1, .recorded_desired = 1}};
    rollout::workspace room;
    rollout::deployment const wanted{.replicas = 1, .bounds = {1, 0}};
    auto const first =
        rollout::step(wanted, {}, std::span<rollout::replica_set const>(sets), time_point{1h}, room);
    REQUIRE(first.todo.size() == 1);
    CHECK(first.todo[0].what == verb::annotate_set);
    CHECK(first.todo[0].after.revision == last);
    sets[1].revision = last;
    sets[1].recorded_max = 2;
    auto const second =
        rollout::step(wanted, first.next, std::span<rollout::replica_set const>(sets), time_point{1h}, room);
    CHECK(second.todo.empty());
    CHECK(second.next.revision == last);
}

TEST_CASE("rollout: how large the new set may be is a function on its own")
{
    std::vector<rollout::replica_set> sets(2);
    sets[0].replicas = 400;
    sets[1].replicas = 750;
    rollout::deployment const d{.replicas = 1000, .bounds = {250, 250}};
    CHECK(rollout::size_for_new(d, sets, 0) == 500);
    sets[1].status_replicas = 800;  // some of them are not gone yet
    CHECK(rollout::size_for_new(d, sets, 0) == 450);
    CHECK(rollout::size_for_new(d, sets, 0, {.pods = rollout::counting::kubernetes}) == 500);
    sets[1].replicas = 1250;
    CHECK(rollout::size_for_new(d, sets, 0) == 400);
    CHECK(rollout::size_for_new(d, {}, rollout::no_set) == 1000);
    CHECK(rollout::size_for_new({.replicas = 7, .how = rollout::strategy::recreate}, sets, 0) == 7);
}

namespace {

// The least that can be a set, and one that just misses: its answer is not a set.
struct least_set {
    explicit least_set(std::int32_t n) : size(n) {}
    least_set(least_set const&) = delete;
    least_set& operator=(least_set const&) = delete;
    std::int32_t size;
};
rollout::replica_set as_replica_set(least_set const& s)
{
    return {.name = "least", .replicas = s.size, .status_replicas = s.size, .available = s.size};
}
struct no_replica_set {};
[[maybe_unused]] int as_replica_set(no_replica_set const&)
{
    return 0;
}
static_assert(rollout::ReplicaSet<least_set>);
static_assert(!rollout::ReplicaSet<no_replica_set>);
static_assert(!rollout::ReplicaSet<int>);

}  // namespace

TEST_CASE("rollout: a deployment of sets of one's own type")
{
    std::array<least_set, 1> const sets{least_set(4)};
    rollout::workspace room;
    auto const r = rollout::step({.replicas = 4, .bounds = {1, 1}}, {}, sets, time_point{9s}, room);
    REQUIRE(r.todo.size() == 2);
    CHECK(r.todo[0].what == verb::create_set);
    CHECK(r.todo[1].set == 0);
    CHECK(r.todo[1].to == 3);
}

TEST_SUITE("property")
{
    // The autoscaler beside the rollout: the pods that serve share the load out among them, each up to what
    // it requested, and half of that is the target; pods that start say nothing of the load yet, and now and
    // then one that serves is not measured. A rollout that let too many pods go would saturate the rest and
    // hide load.
    TEST_CASE("rollout: constant load means constant replicas during any rollout")
    {
        std::size_t asked = 0;  // steps in which the metric was outside of its tolerance
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<std::int32_t>(random() % n); };
            std::int32_t const replicas = 1 + below(12);
            std::int64_t const load_milli = replicas * 500 - 250;
            world w;
            w.wanted.replicas = replicas;
            w.wanted.bounds = {
                .surge = below(7), .unavailable = below(static_cast<std::uint64_t>(replicas / 2 + 1))};
            rollout::workspace room;
            bool serving = false;
            autoscale::policy const policy{.min_replicas = 1,
                .max_replicas = 100,
                .metrics = {{.from = autoscale::source::resource,
                    .name = "cpu",
                    .aim = autoscale::target::utilization,
                    .target_percent = 50}},
                .behavior = autoscale::behavior{}};
            autoscale::state memory;
            autoscale::workspace scaling;
            std::vector<autoscale::sample> fleet;
            time_point now{1h};
            auto const scale = [&] {
                auto const serve = std::int64_t{w.ready()};
                REQUIRE((serve > 0 || !serving));
                fleet.clear();
                for (auto const& pods : w.has) {
                    for (int n = 0; n < pods.ready; ++n) {
                        fleet.push_back({.request_milli = 1000});
                        if (below(8) != 0)
                            fleet.back().value_milli = std::min<std::int64_t>(load_milli / serve, 1000);
                    }
                    for (int n = 0; n < pods.starting; ++n)
                        fleet.push_back({.request_milli = 1000,
                            .readiness = autoscale::readiness::not_ready,
                            .started_at = now,
                            .readiness_since = now});
                }
                auto const seen = autoscale::observe(
                    policy, fleet, [](autoscale::sample const& s) { return s; }, now, scaling,
                    w.wanted.replicas);
                auto [next, todo] = autoscale::step(policy, std::move(memory), seen, now, scaling);
                memory = std::move(next);
                if (todo.scale_to)
                    w.wanted.replicas = *todo.scale_to;
                asked +=
                    todo.why == autoscale::cause::metric && todo.limited_by != autoscale::limit::tolerance;
                now += 5s;
            };
            for (int i = 0; i < 12; ++i) {
                w.deploy(room);
                for (std::size_t s = 0; s < w.sets.size(); ++s)
                    while (w.settle(s), w.come_up(s)) {
                    }
            }
            serving = replicas > w.wanted.bounds.unavailable + (w.wanted.bounds == rollout::fenceposts{0, 0});
            w.wanted_template = 1;
            for (int i = 0; i < 600; ++i) {
                if (i == 60)
                    w.wanted_template = below(3);
                if (below(2) == 0)
                    w.deploy(room);
                auto const set = random() % w.sets.size();
                if (below(2) == 0)
                    w.settle(set);
                if (below(2) == 0)
                    w.come_up(random() % w.sets.size());
                scale();
                REQUIRE(w.wanted.replicas == replicas);
                w.keeps_bounds();
            }
        }
        REQUIRE(asked > 10'000);
    }

    TEST_CASE("rollout: whatever comes in between, the bounds hold for the pods that exist, and it ends")
    {
        for (std::uint64_t seed = 0; seed < 400; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<std::int32_t>(random() % n); };
            world w;
            w.wanted.replicas = 1 + below(12);
            w.wanted.bounds = {.surge = below(5), .unavailable = below(5)};
            w.wanted.revision_history_limit = below(4);
            rollout::workspace room;
            int const changes = 3;
            int actions = 0;
            for (int i = 0; i < 2000 && (i < 400 || w.deploy(room) || actions != 0); ++i) {
                auto const set = w.sets.empty() ? 0 : random() % w.sets.size();
                if (i < 400 && below(400 / changes) == 0)
                    w.wanted_template = below(4);
                else if (i < 400 && below(60) == 0)
                    w.wanted.paused = !w.wanted.paused;
                if (i >= 399)
                    w.wanted.paused = false;
                if (below(3) == 0)
                    w.deploy(room);
                if (!w.sets.empty() && below(2) == 0)
                    w.settle(set % w.sets.size());
                if (!w.sets.empty() && below(2) == 0)
                    w.come_up(random() % w.sets.size());
                w.keeps_bounds();
                actions = i < 400 ? 1 : 0;
                if (i >= 400)  // fair from here on: every set gets its turn
                    for (std::size_t s = 0; s < w.sets.size(); ++s) {
                        actions += w.come_up(s);
                        auto const before = w.sets[s];
                        w.settle(s);
                        w.keeps_bounds();
                        actions += !(w.sets[s] == before);
                    }
                REQUIRE(i < 1999);
            }
            REQUIRE(w.all() == w.wanted.replicas);
            REQUIRE(rollout::is_complete(w.wanted, w.status));
            // an extra step changes nothing
            REQUIRE_FALSE(w.deploy(room));
        }
    }

    TEST_CASE("rollout: every interleaving of a small rolling update keeps the bounds and can finish")
    {
        using compact = std::vector<std::int32_t>;
        auto const remember = [](world const& w) {
            compact c{w.wanted_template};
            for (std::size_t i = 0; i < w.sets.size(); ++i) {
                auto const& s = w.sets[i];
                c.insert(c.end(),
                    {w.templates[i], static_cast<std::int32_t>(s.revision), s.replicas, s.status_replicas,
                        s.available, s.observed, w.has[i].ready, w.has[i].starting});
            }
            return c;
        };
        std::size_t seen_in_all = 0;
        for (std::int32_t replicas = 1; replicas <= 3; ++replicas)
            for (std::int32_t surge = 0; surge <= 2; ++surge)
                for (std::int32_t unavailable = 0; unavailable <= 2; ++unavailable) {
                    CAPTURE(replicas);
                    CAPTURE(surge);
                    CAPTURE(unavailable);
                    world start{
                        .wanted = {
                            .replicas = replicas, .bounds = {surge, unavailable}, .progress_deadline = {}}};
                    rollout::workspace room;
                    start.deploy(room);
                    start.settle(0);
                    while (start.come_up(0)) {
                    }
                    start.settle(0);
                    start.deploy(room);
                    start.wanted_template = 1;
                    std::set<compact> seen{remember(start)};
                    std::vector<world> open{start};
                    while (!open.empty()) {
                        auto const w = open.back();
                        open.pop_back();
                        bool moved = false;
                        auto const visit = [&](world next) {
                            next.keeps_bounds();
                            auto const key = remember(next);
                            moved = moved || key != remember(w);
                            if (seen.insert(key).second)
                                open.push_back(std::move(next));
                        };
                        auto next = w;
                        next.deploy(room);
                        visit(std::move(next));
                        for (std::size_t i = 0; i < w.sets.size(); ++i) {
                            next = w;
                            next.settle(i);
                            visit(std::move(next));
                            next = w;
                            next.come_up(i);
                            visit(std::move(next));
                        }
                        if (w.wanted_template == 1 && w.sets.size() == 2) {  // a third template in mid-way
                            next = w;
                            next.wanted_template = 2;
                            visit(std::move(next));
                            if (!moved)
                                continue;
                        }
                        if (!moved) {  // nothing can happen any more: then it must be done
                            REQUIRE(w.all() == replicas);
                            REQUIRE(w.ready() == replicas);
                            REQUIRE(w.templates.back() == w.wanted_template);
                            REQUIRE(w.sets.back().replicas == replicas);
                        }
                    }
                    seen_in_all += seen.size();
                }
        CHECK(seen_in_all > 1000);
    }
}
