#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/plane.hpp>

#include <doctest/doctest.h>
#include <random>
#include <stdexcept>
#include <string>

namespace reconcile = podium::reconcile;
using podium::time_point;
using reconcile::handle;
using reconcile::key;
using reconcile::plan;

namespace {

struct task {
    static constexpr std::string_view kind = "Task";
    reconcile::metadata metadata{};
    bool done = false;
    friend bool operator==(task const&, task const&) = default;
};
struct crew {
    static constexpr std::string_view kind = "Crew";
    reconcile::metadata metadata{};
    int size = 0;
    int made = 0;
    int done = 0;
    friend bool operator==(crew const&, crew const&) = default;
};

struct done_index {
    using folds = reconcile::types<task>;
    int done = 0;
    int total = 0;
    void apply(handle<task> const& before, handle<task> const& after)
    {
        done += int(after && after->done) - int(before && before->done);
        total += int(bool(after)) - int(bool(before));
    }
};
using view = reconcile::view<done_index>;

// The least that a store keeps, and the least that a plane drives; and what lacks a part of that.
struct least_metadata {
    std::string name{}, namespace_{};
    [[maybe_unused]] friend bool operator==(least_metadata const&, least_metadata const&) = default;
};
struct least_kind {
    static constexpr char const* kind = "Least";
    least_metadata metadata{};
    [[maybe_unused]] friend bool operator==(least_kind const&, least_kind const&) = default;
};
struct without_kind {
    least_metadata metadata{};
    [[maybe_unused]] friend bool operator==(without_kind const&, without_kind const&) = default;
};
struct without_equality {
    [[maybe_unused]] static constexpr char const* kind = "Least";
    least_metadata metadata{};
};
static_assert(reconcile::Kind<least_kind>);
static_assert(!reconcile::Kind<without_kind>);
static_assert(!reconcile::Kind<without_equality>);

struct least_controller {
    plan reconcile(view const&, key const&, time_point) const { return {}; }
};
struct changes_itself {
    plan reconcile(view const&, key const&, time_point) { return {}; }
};
struct plans_nothing {
    void reconcile(view const&, key const&, time_point) const {}
};
static_assert(reconcile::Controller<least_controller, view>);
static_assert(!reconcile::Controller<changes_itself, view>);
static_assert(!reconcile::Controller<plans_nothing, view>);

/// Keeps as many tasks as the crew's size, in steps that may be cut anywhere.
struct crews {
    using primary = crew;
    using owns = reconcile::types<task>;
    template<class View>
    plan reconcile(View const& v, key const& which, time_point) const
    {
        plan p;
        auto const c = v.template get<crew>(which);
        if (!c) {
            for (auto t : v.template all<task>(which.namespace_))
                p.remove(t), p.cut();
            return p;
        }
        auto next = *c;
        int have = 0;
        next.done = 0;
        for (auto t : v.template owned_by<task>(c)) {
            next.done += t->done;
            if (++have > c->size)
                p.remove(t), p.cut();
        }
        for (; have < c->size; ++have) {
            auto const name = which.name + '-' + std::to_string(++next.made);
            p.create(task{{name, which.namespace_, {{"crew", which.name}}, {reconcile::owned_by(c)}}});
        }
        p.update(c, next);
        return p;
    }
};
struct worker {
    using primary = task;
    template<class View>
    plan reconcile(View const& v, key const& which, time_point) const
    {
        plan p;
        if (auto const t = v.template get<task>(which); t && !t->done) {
            auto next = *t;
            next.done = true;
            p.update(t, next);
        }
        return p;
    }
};
using plane = reconcile::plane<view, crews, worker>;

void put(reconcile::memory_store& s, crew c)
{
    plan p;
    if (auto const old = s.get<crew>(c.metadata.namespace_, c.metadata.name))
        p.update(old, c);
    else
        p.create(c);
    REQUIRE(s.commit(p.whole()).outcome);
}

}  // namespace

TEST_CASE("plane: declared becomes real, and stays")
{
    reconcile::memory_store s;
    plane p({}, {});
    put(s, {{"a", "x", {}, {}}, 3});
    CHECK(reconcile::settle(p, s, {}) == std::nullopt);
    auto const c = s.get<crew>("x", "a");
    CHECK(c->done == 3);
    CHECK(p.view().index<done_index>().total == 3);
    auto const settled = s.at();
    (void)reconcile::settle(p, s, {});
    CHECK(s.at() == settled);

    auto smaller = *c;
    smaller.size = 1;
    put(s, smaller);
    (void)reconcile::settle(p, s, {});
    CHECK(p.view().index<done_index>().total == 1);
    CHECK(s.get<crew>("x", "a")->done == 1);
    CHECK(p.idle());
}

TEST_CASE("plane: a dependent of a namesake's is not taken for its own")
{
    reconcile::memory_store s;
    plane p({}, {});
    put(s, {{"a", "x", {}, {}}, 1});
    (void)reconcile::settle(p, s, {});
    plan replace;
    replace.remove(s.get<crew>("x", "a"));
    REQUIRE(s.commit(replace.whole()).outcome);
    put(s, {{"a", "x", {}, {}}, 1, 10});
    (void)reconcile::settle(p, s, {});
    auto const c = s.get<crew>("x", "a");
    CHECK(p.view().count_owned_by<task>(c) == 1);
    CHECK(p.view().index<done_index>().total == 2);
}

namespace {
/// Holds each commit's answer back, or loses it, as the test says.
struct scripted_store : reconcile::memory_store {
    podium::errc refuse_with{};
    int refusals = 0;
    template<class H>
    void commit(reconcile::transaction const& t, H&& h)
    {
        if (refusals > 0) {
            --refusals;
            h(reconcile::committed{podium::error{refuse_with, "scripted", {}, {}}, at()});
            return;
        }
        reconcile::memory_store::commit(t, std::forward<H>(h));
    }
};
}  // namespace

TEST_CASE("plane: a store that fails is tried again with back-off, and the key is not lost")
{
    scripted_store s;
    s.refuse_with = podium::errc::unavailable;
    s.refusals = 3;
    plane p({}, {});
    put(s, {{"a", "x", {}, {}}, 1});
    time_point now{};
    int rounds = 0;
    for (auto wake = reconcile::settle(p, s, now); wake; wake = reconcile::settle(p, s, now)) {
        REQUIRE(++rounds < 10);
        CHECK(*wake > now);
        now = *wake;
    }
    CHECK(rounds == 3);
    CHECK(now - time_point{} == std::chrono::milliseconds(5 + 10 + 20));
    CHECK(s.get<crew>("x", "a")->done == 1);
    CHECK(p.take_failures().size() == 3);
    CHECK(p.take_failures().empty());
}

TEST_CASE("plane: at both ends of time a failure waits, and overflows nothing")
{
    for (auto const now : {time_point::min(), podium::never}) {
        scripted_store s;
        s.refuse_with = podium::errc::unavailable;
        s.refusals = 1;
        plane p({}, {});
        put(s, {{"a", "x", {}, {}}, 1});
        auto const wake = reconcile::settle(p, s, now);
        CHECK(wake.value_or(podium::never) == podium::later(now, std::chrono::milliseconds(5)));
        (void)reconcile::settle(p, s, podium::never);
        CHECK(s.get<crew>("x", "a")->done == 1);
    }
}

TEST_CASE("plane: a plan too big for the store goes in cut groups, each a state to go on from")
{
    reconcile::memory_store s;
    plane p({}, {}, 4);
    put(s, {{"a", "x", {}, {}}, 3});
    (void)reconcile::settle(p, s, {});
    CHECK(s.get<crew>("x", "a")->done == 3);
    plan gone;
    gone.remove(s.get<crew>("x", "a"));
    REQUIRE(s.commit(gone.whole()).outcome);
    (void)reconcile::settle(p, s, {});
    CHECK(p.view().index<done_index>().total == 0);

    put(s, {{"b", "x", {}, {}}, 9});  // nine creates and the owner: no cut within four
    CHECK(reconcile::settle(p, s, {}) != std::nullopt);
    auto const failures = p.take_failures();
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].why.code == podium::errc::exhausted);
}

namespace {
struct thrower {
    using primary = crew;
    template<class View>
    plan reconcile(View const&, key const& which, time_point) const
    {
        if (which.name == "bad")
            throw std::runtime_error("no");
        return {};
    }
};
}  // namespace

TEST_CASE("plane: an exception of one key is a failure of that key alone")
{
    reconcile::memory_store s;
    reconcile::plane<view, crews, worker, thrower> p({}, {}, {});
    put(s, {{"bad", "x", {}, {}}, 1});
    put(s, {{"good", "x", {}, {}}, 1});
    (void)reconcile::settle(p, s, {});
    auto const failures = p.take_failures();
    REQUIRE(!failures.empty());
    for (auto const& f : failures) {
        CHECK(f.which.name == "bad");
        CHECK(f.why.message == "reconcile threw: no");
    }
    CHECK(s.get<crew>("x", "good")->done == 1);
}

namespace {
/// Looks again a minute later, for ever; it needs a second by a clock that the test owns.
struct watchman {
    static constexpr std::string_view name = "watchman";
    using primary = crew;
    static inline time_point clock{};
    static time_point read() { return clock; }

    template<class View>
    plan reconcile(View const&, key const&, time_point now) const
    {
        clock += std::chrono::seconds(1);
        plan p;
        p.wake_at(now + std::chrono::minutes(1));
        return p;
    }
};
}  // namespace

TEST_CASE("plane: what each controller did, how that ended, and how long it took")
{
    scripted_store s;
    s.refuse_with = podium::errc::unavailable;
    reconcile::plane<view, crews, watchman, thrower> p({}, {}, {});
    watchman::clock = {};
    p.measure_with(&watchman::read);
    put(s, {{"a", "x", {}, {}}, 2});
    put(s, {{"bad", "x", {}, {}}, 0});
    s.refusals = 1;
    (void)reconcile::settle(p, s, time_point{});
    auto all = p.figures();
    REQUIRE(all.size() == 3);
    CHECK(all[0].name == "0");  // it has no name
    CHECK(all[1].name == "watchman");
    CHECK(all[2].name == "2");
    CHECK(all[0].error.total == 1);
    CHECK(all[1].requeue_after.total > 1);
    CHECK(all[1].requeue_after.total == all[1].time.count);
    CHECK(all[1].time.sum == doctest::Approx(static_cast<double>(all[1].time.count)));
    CHECK(all[0].time.sum == 0);
    CHECK(all[1].queue.retries.total == all[1].time.count);
    CHECK(all[2].success.total > 0);
    CHECK(all[2].error.total == 1);
    for (auto const& f : all) {
        CAPTURE(f.name);
        CHECK(f.time.count == f.success.total + f.requeue_after.total + f.requeue.total + f.error.total);
        CHECK(f.queue.queue_duration.count == f.time.count);
        CHECK(f.queue.depth.value == 0);
    }

    s.refuse_with = podium::errc::conflict;
    s.refusals = 1;
    (void)reconcile::settle(p, s, time_point(std::chrono::milliseconds(5)));
    all = p.figures();
    CHECK(all[0].requeue.total == 1);
    CHECK(p.view().count_owned_by<task>(s.get<crew>("x", "a")) == 2);
    std::uint64_t reconciles = 0;
    for (auto const& f : all)
        reconciles += f.time.count;
    CHECK(reconciles == p.stats().reconciles);
}

TEST_CASE("plane: after compaction it starts over from a snapshot and misses nothing")
{
    reconcile::memory_store s;
    plane p({}, {});
    put(s, {{"a", "x", {}, {}}, 2});
    (void)reconcile::settle(p, s, {});
    plan gone;
    gone.remove(s.get<crew>("x", "a"));
    REQUIRE(s.commit(gone.whole()).outcome);
    put(s, {{"b", "x", {}, {}}, 1});
    s.compact(s.at());
    CHECK(s.changes(p.view().at()).error().code == podium::errc::compacted);
    (void)reconcile::settle(p, s, {});
    CHECK(p.view().at() == s.at());
    CHECK(s.get<crew>("x", "b")->done == 1);
    CHECK(!p.view().get<crew>("x", "a"));
}

TEST_SUITE("property")
{
    TEST_CASE("plane: whatever fails along the way, the end is what was declared")
    {
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            scripted_store s;
            plane p({}, {}, 4 + random() % 20);
            time_point now{};
            int size = 0;
            for (int round = 0; round < 12; ++round) {
                size = int(random() % 4);
                auto c = s.get<crew>("x", "a") ? *s.get<crew>("x", "a") : crew{{"a", "x", {}, {}}};
                c.size = size;
                put(s, c);
                s.refusals = int(random() % 4);
                s.refuse_with = random() % 2 ? podium::errc::unavailable : podium::errc::conflict;
                if (random() % 3 == 0)
                    s.compact(s.at());
                now += std::chrono::seconds(2000);
                (void)reconcile::settle(p, s, now);
            }
            for (auto wake = reconcile::settle(p, s, now); wake; wake = reconcile::settle(p, s, now))
                now = *wake;
            CHECK(p.view().index<done_index>().total == size);
            CHECK(s.get<crew>("x", "a")->done == size);
            CHECK(p.idle());
        }
    }
}
