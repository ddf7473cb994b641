// Every machine is killed after every step: its state goes through JSON text, and the one that reads it must
// go on exactly as a twin does that was never touched.
#include <podium/autoscale.hpp>
#include <podium/model/state.hpp>
#include <podium/probe.hpp>
#include <podium/reconcile/lease.hpp>
#include <podium/reconcile/work_queue.hpp>
#include <podium/rollout.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using namespace podium;

namespace {

using generator = std::mt19937_64;

/// What another process has of it.
template<class State>
State revived(State const& state)
{
    auto const text = model::encode(state);
    auto back = model::decode_text<State>(text);
    REQUIRE_MESSAGE(back, text << '\n' << back.error().text());
    CHECK(*back == state);
    return *std::move(back);
}

time_point some_time(generator& random)
{
    return time_point(std::chrono::nanoseconds(static_cast<std::int64_t>(random() >> 1)));
}

}  // namespace

TEST_SUITE("property")
{
    TEST_CASE("model: a monitor that is killed after each step goes on as if nothing had happened")
    {
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            auto const policy = [&]() -> std::optional<probe::policy> {
                if (random() % 4 == 0)
                    return std::nullopt;
                return probe::policy{.initial_delay = 1s * (random() % 3),
                    .period = 300ms * (1 + random() % 5),
                    .timeout = 200ms,
                    .success_threshold = static_cast<std::uint32_t>(1 + random() % 3),
                    .failure_threshold = static_cast<std::uint32_t>(1 + random() % 3)};
            };
            probe::policies const p{policy(), policy(), policy()};
            auto now = some_time(random);
            auto twin = probe::start(p, 3, now, static_cast<std::uint32_t>(random()));
            auto mine = revived(twin);
            std::vector<probe::ticket> open;
            for (int i = 0; i < 300; ++i) {
                probe::observed seen;
                if (!open.empty() && random() % 2 == 0) {
                    seen.answer = {open.back(), static_cast<probe::outcome>(random() % 3)};
                    open.pop_back();
                }
                auto const a = probe::step(p, twin, seen, now), b = probe::step(p, mine, seen, now);
                CHECK(a.todo == b.todo);
                for (auto const& c : a.todo.checks)
                    if (c)
                        open.push_back(*c);
                twin = a.next;
                mine = revived(b.next);
                if (a.todo.restart && random() % 2 == 0)
                    twin = mine = probe::pardon(p, mine, now);
                now += std::chrono::milliseconds(random() % 700);
            }
            CHECK(mine == twin);
        }
    }

    TEST_CASE("model: a worker and a guard that are killed after each step go on")
    {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            probe::policy const p{.failure_threshold = 2};
            probe::guard_policy const budget{.budget = 2, .window = 5s};
            probe::worker twin, mine;
            probe::guard<std::string> spared, kept;
            auto now = some_time(random);
            probe::sight seen{.instance = 1, .running = true, .started = true};
            for (int i = 0; i < 200; ++i) {
                seen.instance += random() % 9 == 0;
                seen.running = random() % 9 != 0;
                auto const a = probe::tick(p, probe::kind::liveness, probe::counting::kubernetes, twin, seen);
                auto const b = probe::tick(p, probe::kind::liveness, probe::counting::kubernetes, mine, seen);
                CHECK(a.ask == b.ask);
                auto const o = static_cast<probe::outcome>(random() % 3);
                twin = a.ask ? probe::answer(p, probe::kind::liveness, a.next, o) : a.next;
                mine = revived(b.ask ? probe::answer(p, probe::kind::liveness, b.next, o) : b.next);
                std::string const who(1, static_cast<char>('a' + random() % 5));
                CHECK(
                    probe::ask(budget, spared, who, 9, {}, now) == probe::ask(budget, kept, who, 9, {}, now));
                kept = revived(kept);
                now += std::chrono::milliseconds(random() % 2000);
            }
        }
        CHECK(revived(probe::guard<>{.recent = {{7, time_point{9ns}}}}).recent.size() == 1);
    }

    TEST_CASE("model: an autoscaler that is killed after each step goes on")
    {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            autoscale::policy p;
            p.min_replicas = static_cast<std::int32_t>(random() % 3);
            p.max_replicas = 40;
            p.metrics = {{.from = autoscale::source::external, .name = "queue", .target_milli = 1000}};
            if (random() % 2)
                p.behavior = autoscale::behavior{};
            autoscale::state twin, mine;
            autoscale::workspace room, other;
            auto now = time_point(std::chrono::hours(random() % 100'000));
            std::int32_t size = 5;
            for (int i = 0; i < 200; ++i) {
                autoscale::reading reading;
                if (random() % 8 != 0)
                    reading.value_milli = static_cast<std::int64_t>(random() % 60'000);
                autoscale::observed const seen{
                    .size = {.wanted = size, .existing = size, .pods = size, .ready_pods = size},
                    .readings = {&reading, 1},
                    .rescale_failed = random() % 16 == 0};
                auto a = autoscale::step(p, twin, seen, now, room);
                auto b = autoscale::step(p, mine, seen, now, other);
                CHECK(a.todo.scale_to == b.todo.scale_to);
                CHECK(a.todo.desired == b.todo.desired);
                CHECK(a.todo.limited_by == b.todo.limited_by);
                CHECK(a.todo.wake_at == b.todo.wake_at);
                size = a.todo.scale_to.value_or(size);
                twin = std::move(a.next);
                mine = revived(b.next);
                now += std::chrono::seconds(random() % 60);
            }
            CHECK(mine == twin);
        }
    }

    TEST_CASE("model: a rollout that is killed after each step goes on")
    {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            auto const few = [&](unsigned n) { return static_cast<std::int32_t>(random() % n); };
            rollout::status twin, mine;
            rollout::workspace room, other;
            auto now = time_point(std::chrono::hours(random() % 100'000));
            rollout::deployment wanted{.replicas = 6, .bounds = {.surge = 2, .unavailable = 1}};
            for (int i = 0; i < 200; ++i) {
                wanted.replicas = few(9);
                wanted.paused = random() % 6 == 0;
                wanted.generation += random() % 2 == 0;
                wanted.progress_deadline = std::chrono::seconds(30);
                std::array<rollout::replica_set, 2> sets;
                for (std::size_t s = 0; s < sets.size(); ++s) {
                    sets[s].name = s == 0 ? "a" : "b";
                    sets[s].created_at = time_point{std::chrono::seconds(s)};
                    sets[s].revision = static_cast<std::int64_t>(s) + 1;
                    sets[s].matches_template = s == 1;
                    sets[s].replicas = sets[s].status_replicas = few(7);
                    sets[s].ready = sets[s].available = few(7);
                    if (random() % 9 == 0)
                        sets[s].failure = {rollout::reason::failed_create, now};
                }
                auto const a =
                    rollout::step(wanted, twin, std::span<rollout::replica_set const>(sets), now, room);
                auto const b =
                    rollout::step(wanted, mine, std::span<rollout::replica_set const>(sets), now, other);
                CHECK(std::ranges::equal(a.todo, b.todo));
                CHECK(a.wake_at == b.wake_at);
                twin = a.next;
                mine = revived(b.next);
                now += std::chrono::seconds(random() % 20);
            }
            CHECK(mine == twin);
        }
    }

    TEST_CASE("model: a stateful set's rollout that is killed after each step goes on")
    {
        namespace stateful = rollout::stateful;
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            stateful::status twin, mine;
            stateful::workspace room, other;
            time_point now{1h};
            std::vector<stateful::revision> const history{{1, 1}, {2, 2}};
            for (int i = 0; i < 200; ++i) {
                stateful::set const wanted{.generation = i,
                    .template_ = 1 + random() % 2,
                    .replicas = static_cast<std::int32_t>(random() % 4),
                    .partition = static_cast<std::int32_t>(random() % 2)};
                std::vector<stateful::pod> pods;
                for (std::int32_t ordinal = 0; ordinal < 4; ++ordinal)
                    if (random() % 3)
                        pods.push_back({.ordinal = ordinal,
                            .template_ = 1 + random() % 2,
                            .phase = stateful::phase::running,
                            .ready_since = random() % 2 ? std::optional(now - 5s) : std::nullopt,
                            .terminating = random() % 5 == 0});
                auto const seen = std::span<stateful::pod const>(pods);
                auto const a = stateful::step(wanted, twin, seen, history, now, room);
                auto const b = stateful::step(wanted, mine, seen, history, now, other);
                CHECK(std::ranges::equal(a.todo, b.todo));
                twin = a.next;
                mine = revived(b.next);
                now += 1s;
            }
            CHECK(mine == twin);
        }
    }

    TEST_CASE("model: a queue, its limiters and a back-off that are killed after each step go on")
    {
        using queue = reconcile::work_queue<std::string, reconcile::by_priority>;
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            queue twin, mine;
            reconcile::token_bucket spared(3, 5), kept(3, 5);
            reconcile::exponential_limiter<std::string> counted, again;
            reconcile::fast_slow_limiter<std::string> twice(1s, 1min, 2), slow(1s, 1min, 2);
            backoff_state waits, also;
            time_point now{1h};
            for (int i = 0; i < 200; ++i) {
                std::string const key = "ns/" + std::to_string(random() % 12);
                auto const priority = static_cast<std::int32_t>(random() % 3);
                auto const delay = std::chrono::milliseconds(random() % 3000);
                bool const at_once = random() % 2 == 0;
                for (auto* q : {&twin, &mine}) {
                    if (at_once)
                        q->add(key, priority);
                    q->add_after("later-" + key, delay, now, priority);
                }
                now += std::chrono::milliseconds(random() % 900);
                CHECK(spared.when(key, now) == kept.when(key, now));
                reconcile::token_bucket fresh(3, 5);
                fresh.restore(revived(kept.save()));
                kept = fresh;
                CHECK(counted.when(key, now) == again.when(key, now));
                reconcile::exponential_limiter<std::string> anew;
                std::vector<reconcile::failed<std::string>> failures;
                for (auto const& f : again.save())
                    failures.push_back(revived(f));
                anew.restore(failures);
                again = std::move(anew);
                CHECK(twice.when(key, now) == slow.when(key, now));
                reconcile::fast_slow_limiter<std::string> later(1s, 1min, 2);
                failures.clear();
                for (auto const& f : slow.save())
                    failures.push_back(revived(f));
                later.restore(failures);
                slow = std::move(later);
                waits = fail(backoff_policy{}, waits, now);
                also = revived(fail(backoff_policy{}, also, now));
                CHECK(waits == also);

                queue next;
                next.restore(revived(mine.save()));
                mine = std::move(next);
                twin.advance(now);
                mine.advance(now);
                for (int n = 0; n < 2; ++n) {
                    auto const* const a = twin.get();
                    auto const* const b = mine.get();
                    REQUIRE((a == nullptr) == (b == nullptr));
                    if (a == nullptr)
                        break;
                    CHECK(*a == *b);
                    twin.done(*a);
                    mine.done(*b);
                }
            }
            CHECK(mine.save() == twin.save());
        }
    }

    TEST_CASE("model: a candidate's election goes on, and leads no longer than it did")
    {
        for (std::uint64_t seed = 0; seed < 40; ++seed) {
            CAPTURE(seed);
            generator random(seed);
            reconcile::election_policy const p{};
            reconcile::election twin, mine;
            std::optional<reconcile::lease> record;
            time_point now{1h};
            std::optional<reconcile::election_seen::answer> wrote;
            for (int i = 0; i < 300; ++i) {
                if (random() % 20 == 0)
                    record = reconcile::lease{
                        "b", (record ? record->term : 0) + 1, (record ? record->beat : 0) + 1, 5s};
                reconcile::election_seen const seen{.read = random() % 3 != 0,
                    .record = record,
                    .wrote = std::exchange(wrote, std::nullopt),
                    .new_term = random() % 40 == 0};
                auto const a = step(p, "a", twin, seen, now), b = step(p, "a", mine, seen, now);
                CHECK(a.todo == b.todo);
                if (a.todo.write) {
                    wrote = static_cast<reconcile::election_seen::answer>(random() % 4);
                    if (wrote == reconcile::election_seen::answer::done)
                        record = a.todo.write;
                }
                twin = a.next;
                mine = revived(b.next);
                now += std::chrono::milliseconds(random() % 4000);
            }
            CHECK(mine == twin);
        }
    }

    TEST_CASE("model: no text of a state is read wrongly: what is cut or spoilt is an error")
    {
        probe::policies p;
        p.liveness = probe::policy{};
        auto m = probe::step(p, probe::start(p, 1, time_point{1h}), {}, time_point{1h}).next;
        auto const text = model::encode(m);
        for (std::size_t n = 0; n < text.size(); ++n)
            CHECK_FALSE(model::decode_text<probe::monitor>(text.substr(0, n)));
        generator random(1);
        for (int i = 0; i < 5000; ++i) {
            auto spoilt = text;
            spoilt[random() % spoilt.size()] = static_cast<char>(random());
            if (auto const back = model::decode_text<probe::monitor>(spoilt))
                CHECK(model::decode_text<probe::monitor>(model::encode(*back)) == *back);
        }
        struct row {
            char const* text;
            char const* path;
        };
        for (auto const& r : {row{R"({"instanec": 1})", "instanec"}, row{R"({"instance": -1})", "instance"},
                 row{R"({"runningSince": "noon"})", "runningSince"},
                 row{R"({"runningSince": 9223372036854775808})", "runningSince"},
                 row{R"({"startup": {"current": "Maybe"}})", "startup.current"},
                 row{R"({"startup": []})", "startup"}}) {
            CAPTURE(r.text);
            auto const wrong = model::decode_text<probe::monitor>(r.text);
            REQUIRE_FALSE(wrong);
            CHECK(wrong.error().path == r.path);
        }
    }
}

TEST_CASE("model: every moment keeps its nanosecond")
{
    using limits = std::numeric_limits<std::int64_t>;
    for (auto const ns : {limits::min(), limits::min() + 1, std::int64_t{-1}, std::int64_t{0},
             std::int64_t{1}, std::int64_t{1'700'000'000'123'456'789}, limits::max()}) {
        backoff_state const s{.next_wait = duration(ns), .retry_at = time_point(duration(ns))};
        CHECK(revived(s) == s);
    }
    CHECK(revived(probe::check{}).due == podium::never);
}
