#include <podium/reconcile/lease.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/plane.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace podium;
using reconcile::election;
using reconcile::election_policy;
using reconcile::election_seen;
using reconcile::election_verdict;
using reconcile::lease;
using answer = reconcile::election_seen::answer;

namespace {

constexpr election_policy quick{.lease_duration = 15s, .renew_deadline = 10s, .retry_period = 2s};

/// One candidate, and a store that has only the lease.
struct candidate {
    std::string name;
    election state{};
    time_point now{100s};
    reconcile::election_todo todo{};

    void step(election_seen const& seen)
    {
        auto s = reconcile::step(quick, name, state, seen, now);
        state = std::move(s.next);
        todo = std::move(s.todo);
    }
    /// Looks at `record`, and writes what it wants there.
    void turn(std::optional<lease>& record)
    {
        step({.record = record});
        if (todo.write) {
            record = todo.write;
            step({.record = record, .wrote = answer::done});
        }
    }
};

}  // namespace

TEST_CASE(
    "reconcile: who finds no lease takes it, and renews it; the other waits until it is old on his own clock")
{
    std::optional<lease> record;
    candidate a{.name = "a"}, b{.name = "b", .now = time_point{9999999s}};  // clocks need not agree
    a.turn(record);
    REQUIRE(a.todo.leads == true);
    CHECK(record->holder == "a");
    CHECK(record->term == 1);
    b.turn(record);
    CHECK_FALSE(b.state.leads);
    CHECK(b.todo.why == election_verdict::held);
    CHECK(b.todo.wake_at == b.now + 15s);
    CHECK(reconcile::explain(quick, b.state, b.todo.why, b.now + 4s) ==
        "the lease is held: held by a in term 1, seen to change 4000 ms ago, believed for 15000 ms");

    for (int i = 0; i < 20; ++i) {
        a.now += 2s, b.now += 2s;
        a.turn(record);
        b.turn(record);
        CHECK(a.state.leads);
        CHECK_FALSE(a.todo.leads);
        CHECK_FALSE(b.state.leads);
    }
    CHECK(record->term == 1);  // renewals do not touch it

    b.now += 14999ms;
    b.turn(record);
    CHECK_FALSE(b.state.leads);
    b.now += 1ms;
    b.turn(record);
    CHECK(b.todo.leads == true);
    CHECK(record->term == 2);
    a.turn(record);
    CHECK(a.todo.leads == false);
    CHECK(a.todo.why == election_verdict::deposed);
}

TEST_CASE("reconcile: a leader that cannot renew gives up before another may take over")
{
    std::optional<lease> record;
    candidate a{.name = "a"};
    a.turn(record);
    a.now += 2s;
    a.step({.read = false});
    REQUIRE(a.todo.write);
    CHECK(a.todo.wake_at == time_point{110s});
    a.step({.read = false, .wrote = answer::failed});
    for (auto const t : {4s, 6s, 8s}) {
        a.now = time_point{100s + t};
        a.step({.read = false});
        CHECK(a.todo.write);
        a.step({.read = false, .wrote = answer::failed});
        CHECK(a.state.leads);
    }
    a.now = time_point{110s};
    a.step({.read = false});
    CHECK(a.todo.leads == false);
    CHECK(a.todo.why == election_verdict::cut_off);
    a.now = time_point{112s};
    a.turn(record);  // its own name in the lease is no title any more
    CHECK(a.todo.why == election_verdict::held);
    a.now += 15s;
    a.turn(record);
    CHECK(a.todo.leads == true);
    CHECK(record->term == 2);
}

TEST_CASE("reconcile: who resigns lets the next one in at once, and never leads again")
{
    std::optional<lease> record;
    candidate a{.name = "a"}, b{.name = "b"};
    a.turn(record);
    b.turn(record);
    a.step({.record = record, .resign = true});
    CHECK(a.todo.leads == false);
    REQUIRE(a.todo.write);
    record = a.todo.write;
    CHECK(record->holder.empty());
    a.step({.record = record, .wrote = answer::done});
    b.turn(record);
    CHECK(b.todo.leads == true);
    CHECK(record->term == 2);
    record.reset();
    a.now += 1h;
    a.turn(record);
    CHECK_FALSE(a.state.leads);
    CHECK_FALSE(record);

    // In the middle of a renewal: first its answer, then the release.
    candidate c{.name = "c"};
    c.turn(record);
    c.now += 2s;
    c.step({.record = record});
    REQUIRE(c.todo.write);
    record = c.todo.write;
    c.step({.read = false, .resign = true});
    CHECK(c.todo.leads == false);
    CHECK_FALSE(c.todo.write);
    c.step({.record = record, .wrote = answer::done});
    REQUIRE(c.todo.write);
    CHECK(c.todo.write->holder.empty());
    CHECK_FALSE(c.todo.leads);
}

TEST_CASE("reconcile: a write of unknown outcome is found in the store, or is tried again")
{
    for (bool const happened : {true, false}) {
        CAPTURE(happened);
        std::optional<lease> record;
        candidate a{.name = "a"};
        a.step({.record = record});
        REQUIRE(a.todo.write);
        if (happened)
            record = a.todo.write;
        a.step({.read = false, .wrote = answer::unknown});
        CHECK_FALSE(a.state.leads);
        a.turn(record);
        CHECK(a.state.leads == happened);
        a.now += 2s;
        a.turn(record);
        CHECK(a.state.leads);
        CHECK(record->term == 1);
    }
}

TEST_CASE("reconcile: a new term is taken with the next write when the leader asks for one")
{
    std::optional<lease> record;
    candidate a{.name = "a"};
    a.turn(record);
    a.now += 2s;
    a.step({.record = record, .new_term = true});
    REQUIRE(a.todo.write);
    CHECK(a.todo.takes_term);
    CHECK(a.todo.write->term == 2);
    record = a.todo.write;
    a.step({.record = record, .wrote = answer::done, .new_term = true});
    CHECK(a.todo.leads == true);  // said again: another term
}

TEST_CASE("reconcile: an extra call changes nothing, clocks jump, policies are checked")
{
    std::optional<lease> record;
    candidate a{.name = "a"};
    a.turn(record);
    auto const before = a.state;
    a.step({.record = record});
    CHECK(a.state == before);
    CHECK_FALSE(a.todo.write);
    a.now = time_point::min();
    a.turn(record);
    a.now = time_point::max();
    a.turn(record);
    a.now = time_point{0s};
    a.turn(record);
    candidate b{.name = "b", .now = time_point::min()};
    b.turn(record);
    b.now = time_point::max();
    b.turn(record);
    CHECK(b.state.leads);
    record->lasts = duration::max();
    candidate c{.name = "c", .now = time_point{1s}};
    c.turn(record);
    CHECK(c.todo.wake_at == podium::never);
    record->lasts = duration::min();  // nonsense: the observer's own counts
    c.turn(record);
    CHECK(c.todo.wake_at == c.now + 15s);

    // A year ahead and back: the leader notices again when it cannot renew, the candidate when it may lead.
    record.reset();
    candidate leader{.name = "leader"}, other{.name = "other"};
    for (auto const now : {time_point{0s}, time_point{8760h}, time_point{5s}}) {
        leader.now = other.now = now;
        leader.turn(record);
        other.turn(record);
        record.reset();  // somebody deletes it
        leader.turn(record);
        other.turn(record);
        CHECK(leader.todo.wake_at <= now + 15s);
        CHECK(other.todo.wake_at <= now + 15s);
    }

    CHECK(validate(election_policy{}));
    auto const wrong =
        validate(election_policy{.lease_duration = 1s, .renew_deadline = 1s, .retry_period = -1s}).error();
    CHECK(wrong.path == "retry_period");
    REQUIRE(wrong.further.size() == 1);
    CHECK(wrong.further[0].path == "lease_duration");
    CHECK(validate(election_policy{.lease_duration = 20s, .renew_deadline = 12s, .retry_period = 10s})
              .error()
              .path == "renew_deadline");
}

// -- Several planes over one store, and all that can go wrong --------------------------------------------

namespace {

struct ledger_line {  // what the leaders write: one line for each of an order's units
    static constexpr std::string_view kind = "Line";
    reconcile::metadata metadata{};
    std::string writer{};
    friend bool operator==(ledger_line const&, ledger_line const&) = default;
};
struct order {
    static constexpr std::string_view kind = "Order";
    reconcile::metadata metadata{};
    int wanted = 0;
    int made = 0;
    friend bool operator==(order const&, order const&) = default;
};
struct lease_object {
    static constexpr std::string_view kind = "Lease";
    reconcile::metadata metadata{};
    lease says{};
    friend bool operator==(lease_object const&, lease_object const&) = default;
};
struct term_object {
    static constexpr std::string_view kind = "Term";
    reconcile::metadata metadata{};
    std::string holder{};
    std::uint64_t number = 0;
    friend bool operator==(term_object const&, term_object const&) = default;
};

using view = reconcile::view<>;

struct orders {
    using primary = order;
    std::string me{};
    template<class View>
    reconcile::plan reconcile(View const& v, reconcile::key const& which, time_point) const
    {
        reconcile::plan p;
        auto const o = v.template get<order>(which);
        if (!o || o->made >= o->wanted)
            return p;
        auto next = *o;
        ++next.made;
        p.create(ledger_line{{which.name + '-' + std::to_string(next.made), which.namespace_, {}, {}}, me});
        p.update(o, next);
        return p;
    }
};

struct cell;

/// One control plane: its election, its plane, its clock, its wire to the store.
struct replica {
    std::string name{};
    reconcile::plane<view, orders> plane{orders{}};
    election state{};
    double rate = 1;  ///< its clock's
    time_point now{};
    int paused = 0;        ///< turns
    bool cut_off = false;  ///< from the store
    std::optional<answer> wrote{};
    reconcile::revision wrote_at{};
    bool fenced = true;
};

struct late {  // a commit on its way
    std::size_t from = 0;
    reconcile::plan what{};
    std::uint64_t ticket = 0;  ///< 0: the election's
    int turns = 0;
    bool forgotten = false;  ///< its sender was told "unknown"
};

struct cell {
    std::mt19937_64 random;
    reconcile::memory_store store{};
    std::vector<std::unique_ptr<replica>> all{};
    std::deque<late> wire{};
    int foreign = 0;  ///< commits of a plane while another had the term
    int commits = 0;
    int renewal_conflicts = 0;
    bool faults = true;

    cell(std::uint64_t seed, int replicas, bool fenced) : random(seed)
    {
        for (int i = 0; i < replicas; ++i) {
            auto r = std::make_unique<replica>();
            r->name = "cp-" + std::to_string(i);
            r->plane.controller<orders>().me = r->name;
            r->rate = 0.7 + static_cast<double>(random() % 70) / 100;
            r->now = time_point(std::chrono::seconds(random() % 100'000));
            r->fenced = fenced;
            r->plane.follow();
            all.push_back(std::move(r));
        }
        reconcile::plan p;
        for (int i = 0; i < 6; ++i)
            p.create(order{{"o" + std::to_string(i), "shop", {}, {}}, 12, 0});
        (void)store.commit(p.whole());
    }
    bool chance(unsigned in) { return faults && random() % in == 0; }

    void send(std::size_t from, reconcile::plan what, std::uint64_t ticket)
    {
        wire.push_back({from, std::move(what), ticket, faults ? static_cast<int>(random() % 3) : 0, false});
    }
    void tell(late const& l, reconcile::committed const& c)
    {
        auto& r = *all[l.from];
        if (l.ticket != 0)
            return r.plane.done(l.ticket, c, r.now);
        auto const code = c.outcome ? errc{} : c.outcome.error().code;
        r.wrote = c.outcome                 ? answer::done
            : code == errc::conflict        ? answer::refused
            : code == errc::unknown_outcome ? answer::unknown
                                            : answer::failed;
        if (c.outcome)
            r.wrote_at = *c.outcome;
    }
    void deliver()
    {
        for (auto left = wire.size(); left > 0; --left) {
            auto l = std::move(wire.front());
            wire.pop_front();
            if (l.turns-- > 0) {
                wire.push_back(std::move(l));
                continue;
            }
            auto& r = *all[l.from];
            if (!l.forgotten && r.cut_off) {
                tell(l, {error{errc::unavailable, "cut off", {}, {}}, store.at()});
                continue;
            }
            if (!l.forgotten && chance(15)) {  // it may take place, later; nobody knows
                tell(l, {error{errc::unknown_outcome, "no answer", {}, {}}, store.at()});
                if (random() % 3 == 0)
                    continue;
                l.forgotten = true;
                l.turns = static_cast<int>(random() % 40);
                wire.push_back(std::move(l));
                continue;
            }
            auto const term = store.get<term_object>("shop", "term");
            auto const answer = store.commit(l.what.whole());
            if (answer.outcome && (l.ticket != 0 || l.forgotten)) {
                bool const plans = std::ranges::any_of(
                    l.what.writes, [](auto const& w) { return w.which.kind == &reconcile::kind_of<order>; });
                if (plans) {
                    ++commits;
                    foreign += !term || term->holder != r.name;
                }
            }
            if (!l.forgotten)
                tell(l, answer);
        }
    }
    void elect(std::size_t i)
    {
        auto& r = *all[i];
        auto const& v = r.plane.view();
        auto const held = v.get<lease_object>("shop", "lease");
        election_seen seen;
        if (held)
            seen.record = held->says;
        seen.wrote = std::exchange(r.wrote, std::nullopt);
        seen.new_term = r.plane.needs_term();
        auto s = reconcile::step(quick, r.name, r.state, seen, r.now);
        r.state = std::move(s.next);
        if (s.todo.leads == false)
            r.plane.follow();
        if (s.todo.leads == true) {
            auto const which = reconcile::key_for<term_object>("shop", "term");
            auto at = r.wrote_at;
            if (seen.wrote != answer::done)
                at = v.get<term_object>("shop", "term").modified;
            if (r.fenced)
                r.plane.lead({which, reconcile::verb::require, false, at, {}});
            else  // what a plane without a fence would do
                r.plane.lead({reconcile::key_for<term_object>("shop", "no such"), reconcile::verb::require,
                    false, {}, {}});
        }
        if (!s.todo.write)
            return;
        reconcile::plan p;
        auto next = held ? *held : lease_object{{"lease", "shop", {}, {}}, {}};
        next.says = *s.todo.write;
        held ? p.update(held, next) : p.create(next);
        if (s.todo.takes_term) {
            auto const term = v.get<term_object>("shop", "term");
            auto begun = term ? *term : term_object{{"term", "shop", {}, {}}, {}, 0};
            begun.holder = r.name;
            begun.number = s.todo.write->term;
            term ? p.update(term, begun) : p.create(begun);
        }
        send(i, std::move(p), 0);
    }
    void turn()
    {
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto& r = *all[i];
            r.now += std::chrono::duration_cast<duration>(500ms * r.rate);
            if (r.paused > 0) {
                --r.paused;
                continue;
            }
            if (chance(60))
                r.paused = static_cast<int>(random() % 120);  // up to a minute: four leases
            if (chance(80))
                r.cut_off = !r.cut_off;
            if (!r.cut_off && !chance(3))
                reconcile::catch_up(r.plane, store, r.now);
            elect(i);
            while (auto request = r.plane.next(r.now)) {
                reconcile::plan p;
                p.guards.assign(request->what.guards.begin(), request->what.guards.end());
                p.writes.assign(request->what.writes.begin(), request->what.writes.end());
                send(i, std::move(p), request->ticket);
            }
        }
        deliver();
    }
    bool finished()
    {
        int made = 0;
        for (int i = 0; i < 6; ++i)
            made += store.get<order>("shop", "o" + std::to_string(i))->made;
        return made == 72;
    }
    void calm()
    {
        faults = false;
        for (auto& r : all)
            r->cut_off = false, r->paused = 0;
    }
};

}  // namespace

TEST_SUITE("property")
{
    TEST_CASE(
        "reconcile: whatever fails, only the leader of the present term writes, and there is one again soon")
    {
        int terms = 0;
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            cell c(seed, 2 + static_cast<int>(seed % 2), true);
            for (int i = 0; i < 600; ++i)
                c.turn();
            CHECK(c.foreign == 0);
            c.calm();
            int turns = 0;
            while (!c.finished() && ++turns < 400)  // 140 s on the slowest clock
                c.turn();
            CHECK(c.finished());
            CHECK(c.foreign == 0);
            auto const lines = c.store.get<term_object>("shop", "term");
            REQUIRE(lines);
            terms += static_cast<int>(lines->number);
            int leaders = 0;
            for (int i = 0; i < 60; ++i)
                c.turn();
            for (auto const& r : c.all)
                leaders += r->plane.acts();
            CHECK(leaders == 1);
        }
        CHECK(terms > 400);  // there was something to survive
    }
    TEST_CASE("reconcile: without the fence a deposed leader's plan does get through")
    {
        int foreign = 0;
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            cell c(seed, 3, false);
            for (int i = 0; i < 600; ++i)
                c.turn();
            foreign += c.foreign;
        }
        CHECK(foreign > 0);
    }
}
