#include <podium/autoscale.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;
using autoscale::cause;
using autoscale::limit;
using autoscale::reason;
using podium::time_point;

namespace {

constexpr time_point noon{12h};

// As many replicas as the queue is long: one for each.
autoscale::metric const queue{.from = autoscale::source::external, .name = "queue", .target_milli = 1000};

autoscale::policy queue_policy(std::int32_t min, std::int32_t max)
{
    autoscale::policy p;
    p.min_replicas = min;
    p.max_replicas = max;
    p.metrics = {queue};
    return p;
}

// At once in both directions.
autoscale::policy eager(std::int32_t min, std::int32_t max)
{
    auto p = queue_policy(min, max);
    autoscale::scaling_rules const at_once{.stabilization_window = 0s,
        .policies = {{.of = autoscale::scaling_policy::unit::pods, .value = 1'000'000}}};
    p.behavior = autoscale::behavior{.scale_up = at_once, .scale_down = at_once};
    return p;
}

autoscale::sizes of_size(std::int32_t n)
{
    return {.wanted = n, .existing = n, .pods = n, .ready_pods = n};
}

// A target that does at once as it is told.
struct driven {
    autoscale::policy policy;
    std::int32_t size;
    autoscale::state state{};
    autoscale::workspace room{};
    std::vector<autoscale::reading> readings{};
    autoscale::decision last{};

    // One reading a metric, in whole replicas asked for; none: it failed.
    std::int32_t at(time_point now, std::vector<std::optional<int>> const& asked)
    {
        readings.clear();
        for (auto const& a : asked) {
            readings.emplace_back();
            if (a)
                readings.back().value_milli = std::int64_t{*a} * 1000;
        }
        auto out = autoscale::step(policy, std::move(state), seen(), now, room);
        state = std::move(out.next);
        last = out.todo;
        return size = last.desired;
    }
    [[nodiscard]] autoscale::observed seen() const { return {.size = of_size(size), .readings = readings}; }
};

}  // namespace

TEST_CASE("autoscale: the metric that wants most decides, between the bounds")
{
    struct row {
        char const* name;
        std::int32_t size;
        std::vector<std::optional<int>> asked;
        std::int32_t to;
        cause why;
        limit by;
    };
    for (auto const& r : {row{"grows", 4, {7, 5}, 7, cause::metric, limit::none},
             row{"shrinks", 7, {3, 2}, 3, cause::metric, limit::none},
             row{"near enough", 10, {10, 3}, 10, cause::metric, limit::tolerance},
             row{"no more than max", 10, {90, 1}, 20, cause::metric, limit::max_replicas},
             row{"no less than min", 10, {1, 0}, 2, cause::metric, limit::min_replicas},
             row{"one fails, the other grows", 4, {{}, 8}, 8, cause::metric, limit::none},
             row{"one fails, the other would shrink", 8, {3, {}}, 8, cause::blind_shrink, limit::none},
             row{"both fail", 8, {{}, {}}, 8, cause::no_metrics, limit::none},
             row{"too few readings are failed ones", 8, {}, 8, cause::no_metrics, limit::none},
             row{"above max", 30, {{}, {}}, 20, cause::above_max, limit::max_replicas},
             row{"below min", 1, {{}, {}}, 2, cause::below_min, limit::min_replicas},
             row{"switched off", 0, {9, 9}, 0, cause::switched_off, limit::none}}) {
        CAPTURE(r.name);
        driven d{.policy = eager(2, 20), .size = r.size};
        d.policy.metrics.push_back(queue);
        CHECK(d.at(noon, r.asked) == r.to);
        CHECK(d.last.why == r.why);
        CHECK(d.last.limited_by == r.by);
        CHECK(d.last.scale_to == (r.to == r.size ? std::nullopt : std::optional(r.to)));
        CHECK(d.last.wake_at == noon + 15s);
    }
}

TEST_CASE("autoscale: to zero and back, if min says so")
{
    driven d{.policy = eager(0, 20), .size = 3};
    CHECK(d.at(noon, {0}) == 0);
    CHECK(d.at(noon + 15s, {0}) == 0);
    CHECK(d.last.why == cause::metric);
    CHECK(d.at(noon + 30s, {2}) == 2);
}

TEST_CASE(
    "autoscale: without a behavior it grows to the double or four at a time and shrinks after five minutes")
{
    driven d{.policy = queue_policy(1, 100), .size = 1};
    CHECK(d.at(noon, {50}) == 4);
    CHECK(d.last.limited_by == limit::up_policy);
    CHECK(d.at(noon + 15s, {50}) == 8);
    CHECK(d.at(noon + 30s, {50}) == 16);
    CHECK(d.at(noon + 45s, {16}) == 32);  // five minutes see 50
    CHECK(d.at(noon + 60s, {16}) == 50);
    CHECK(d.last.limited_by == limit::stabilization);
    CHECK(d.at(noon + 5min + 30s, {16}) == 50);
    CHECK(d.at(noon + 5min + 31s, {16}) == 16);
    CHECK(d.state.able_to_scale->why == reason::succeeded_rescale);
}

TEST_CASE("autoscale: policies allow so much within a period, whatever happened in it")
{
    using unit = autoscale::scaling_policy::unit;
    driven d{.policy = eager(1, 1000), .size = 10};
    auto& up = d.policy.behavior->scale_up;
    up.policies = {
        {.of = unit::pods, .value = 4, .period = 60s}, {.of = unit::percent, .value = 50, .period = 60s}};
    CHECK(d.at(noon, {500}) == 15);
    CHECK(d.last.limited_by == limit::up_policy);
    CHECK(d.state.scaling_limited->why == reason::scale_up_limit);
    CHECK(d.at(noon + 30s, {500}) == 15);
    CHECK(d.at(noon + 60s, {500}) == 23);  // exactly one period old is outside
    up.select_policy = autoscale::select::min_change;
    CHECK(d.at(noon + 120s, {500}) == 27);
    up.select_policy = autoscale::select::disabled;
    CHECK(d.at(noon + 240s, {500}) == 27);
    auto& down = d.policy.behavior->scale_down;
    down.policies = {{.of = unit::percent, .value = 10, .period = 60s}};
    CHECK(d.at(noon + 360s, {1}) == 24);  // 24.3 cut off
    CHECK(d.last.limited_by == limit::down_policy);
}

TEST_CASE("autoscale: a window up takes the lowest, a window down the highest")
{
    driven d{.policy = eager(1, 100), .size = 5};
    d.policy.behavior->scale_up.stabilization_window = 60s;
    d.policy.behavior->scale_down.stabilization_window = 120s;
    CHECK(d.at(noon, {9}) == 5);  // the size it began with is a recommendation, too
    CHECK(d.state.able_to_scale->why == reason::scale_up_stabilized);
    CHECK(d.at(noon + 30s, {20}) == 5);
    CHECK(d.at(noon + 61s, {20}) == 20);
    CHECK(d.at(noon + 90s, {3}) == 20);
    CHECK(d.state.able_to_scale->why == reason::scale_down_stabilized);
    CHECK(d.at(noon + 180s, {3}) == 20);
    CHECK(d.at(noon + 182s, {3}) == 3);
}

TEST_CASE("autoscale: what could not be carried out is not counted as done")
{
    driven d{.policy = eager(1, 100), .size = 10};
    d.policy.behavior->scale_up.policies = {{.value = 5, .period = 60s}};
    CHECK(d.at(noon, {50}) == 15);
    auto const failed = autoscale::step(d.policy, d.state,
        {.size = of_size(10), .readings = d.readings, .rescale_failed = true}, noon + 15s, d.room);
    CHECK(failed.todo.scale_to == 15);  // the allowance is still there

    d.readings[0].value_milli = 10'000;
    auto const idle = autoscale::step(d.policy, d.state,
        {.size = of_size(10), .readings = d.readings, .rescale_failed = true}, noon + 15s, d.room);
    CHECK(!idle.todo.scale_to);
    CHECK(idle.next.able_to_scale ==
        autoscale::condition{.value = false, .why = reason::failed_update_scale, .since = noon + 15s});
}

TEST_CASE("autoscale: a unit mistake of 3e7 asks for the maximum, not for the minimum")
{
    autoscale::policy p;
    p.max_replicas = 200;
    p.metrics = {{.name = "players", .target_milli = 80'000}};
    std::vector<int> const servers(100, 1);
    for (auto const way : {autoscale::overflow::saturate, autoscale::overflow::kubernetes}) {
        p.counts = way;
        autoscale::workspace room;
        auto const seen = autoscale::observe(
            p, servers, [](int) { return autoscale::sample{.value_milli = 30'000'000LL * 80'000}; }, noon,
            room);
        auto const out = autoscale::step(p, {}, seen, noon, room);
        CHECK(out.todo.recommended == (way == autoscale::overflow::saturate ? 2147483647 : 0));
        if (way == autoscale::overflow::saturate)
            CHECK(out.todo.desired == 200);
    }
}

TEST_CASE("autoscale: a clock that jumps costs at most one window")
{
    for (auto const jump : {podium::duration(-24h), podium::duration(24h)}) {
        driven d{.policy = queue_policy(1, 100), .size = 10};
        d.at(noon, {10});
        auto const after = noon + jump;
        d.at(after, {2});
        CHECK(d.at(after + 5min + 1s, {2}) == 2);
    }
    driven d{.policy = eager(1, 100), .size = 10};
    for (auto const now : {time_point::max(), time_point::min(), time_point{}, time_point::max()})
        CHECK(d.at(now, {20}) <= 100);
}

TEST_CASE("autoscale: an object's conditions keep the time at which they changed")
{
    driven d{.policy = queue_policy(1, 100), .size = 10};
    d.at(noon, {10});
    d.at(noon + 15s, {10});
    CHECK(d.state.scaling_active ==
        autoscale::condition{.value = true, .why = reason::valid_metric_found, .since = noon});
    d.at(noon + 30s, {std::nullopt});
    CHECK(d.state.scaling_active ==
        autoscale::condition{.value = false, .why = reason::failed_get_external_metric, .since = noon + 30s});
    CHECK(to_string(d.state.scaling_active->why) == "FailedGetExternalMetric");
}

TEST_CASE("autoscale: a decision says in words what made it")
{
    autoscale::policy p;
    p.max_replicas = 100;
    p.metrics = {{.name = "players", .target_milli = 80'000}, queue};
    std::vector<int> const players{180, 180, -1, 180};
    autoscale::workspace room;
    auto const look = [](int n) {
        return n < 0 ? autoscale::sample{} : autoscale::sample{.value_milli = autoscale::milli(n)};
    };
    auto const seen = autoscale::observe(p, players, look, noon, room);
    auto const out = autoscale::step(p, {}, seen, noon, room);
    CHECK(autoscale::text(p, out.todo) ==
        "4 -> 7: players asks for 7 (load off its target, ratio 2.25, 3 counted, 1 missing), 1 of 2 metrics "
        "not read");
    auto const none = autoscale::step(p, {}, {.size = of_size(4), .readings = {}}, noon, room);
    CHECK(autoscale::text(p, none.todo) == "4 as before: no metric could be read, 2 of 2 metrics not read");
}

TEST_SUITE("property")
{
    autoscale::policy any_policy(std::mt19937_64 & random)
    {
        autoscale::policy p;
        p.min_replicas = static_cast<std::int32_t>(random() % 4);
        p.max_replicas = std::max(1, p.min_replicas) + static_cast<std::int32_t>(random() % 60);
        for (std::size_t i = 0; i <= random() % 3; ++i)
            p.metrics.push_back(queue);
        p.tolerance = static_cast<double>(random() % 30) / 100;
        p.downscale_stabilization = (random() % 300) * 1s;
        if (random() % 3) {
            p.behavior.emplace();
            for (auto* r : {&p.behavior->scale_up, &p.behavior->scale_down}) {
                if (random() % 2)
                    r->stabilization_window = (random() % 200) * 1s;
                r->select_policy = static_cast<autoscale::select>(random() % 7 ? random() % 2 : 2);
                r->policies.clear();
                for (std::size_t i = 0; i <= random() % 3; ++i)
                    r->policies.push_back({.of = static_cast<autoscale::scaling_policy::unit>(random() % 2),
                        .value = static_cast<std::int32_t>(1 + random() % 120),
                        .period = (1 + random() % 100) * 1s});
                if (random() % 4 == 0)
                    r->tolerance = static_cast<double>(random() % 50) / 100;
            }
        }
        return p;
    }

    TEST_CASE("autoscale: within the bounds; an extra call changes nothing; a saved state goes on alike")
    {
        for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const p = any_policy(random);
            REQUIRE(autoscale::validate(p).has_value());
            driven d{.policy = p, .size = static_cast<std::int32_t>(random() % 70)};
            auto now = noon;
            std::vector<autoscale::recommendation> all;  // every one there was
            for (int i = 0; i < 40; ++i) {
                CAPTURE(i);
                now += (random() % 60) * 1s;
                auto const before = d.size;
                if (i == 0)
                    all.push_back({before, now});
                auto const saved = d.state;
                std::vector<std::optional<int>> asked;
                for (std::size_t m = 0; m < p.metrics.size(); ++m)
                    asked.emplace_back(
                        random() % 9 ? std::optional(static_cast<int>(random() % 80)) : std::nullopt);
                d.at(now, asked);
                auto const decided = d.last;
                auto const after = d.state;
                auto const same = [&](autoscale::decision const& other) {
                    return other.scale_to == decided.scale_to && other.desired == decided.desired &&
                        other.stabilized == decided.stabilized && other.limited_by == decided.limited_by &&
                        other.why == decided.why;
                };

                if (decided.why == cause::metric || decided.scale_to) {
                    REQUIRE(d.size >= p.min_replicas);
                    REQUIRE(d.size <= p.max_replicas);
                } else {
                    REQUIRE(d.size == before);
                }

                d.size = before;  // not carried out yet
                auto const again = autoscale::step(p, after, d.seen(), now, d.room);
                REQUIRE(again.next == after);
                REQUIRE(same(again.todo));

                auto const restored = autoscale::step(p, autoscale::state(saved), d.seen(), now, d.room);
                REQUIRE(restored.next == after);
                REQUIRE(same(restored.todo));

                // What was forgotten could not have decided.
                if (decided.why == cause::metric) {
                    auto const up = p.behavior ? p.behavior->scale_up.stabilization_window.value_or(0s) : 0s;
                    auto const down = p.behavior
                        ? p.behavior->scale_down.stabilization_window.value_or(p.downscale_stabilization)
                        : p.downscale_stabilization;
                    auto low = decided.recommended, high = decided.recommended;
                    for (auto const& r : all) {
                        if (r.at > now - up)
                            low = std::min(low, r.replicas);
                        if (p.behavior ? r.at > now - down : r.at >= now - down)
                            high = std::max(high, r.replicas);
                    }
                    REQUIRE(
                        decided.stabilized == (p.behavior ? std::min(std::max(before, low), high) : high));
                    all.push_back({decided.recommended, now});
                }
                d.size = random() % 10 ? decided.desired : static_cast<std::int32_t>(random() % 70);
            }
        }
    }

    TEST_CASE("autoscale: a state under constant load stays small")
    {
        driven d{.policy = queue_policy(1, 100), .size = 10};
        for (int i = 0; i < 10'000; ++i)
            d.at(noon + i * 1ms, {10});
        CHECK(d.state.recommendations.size() == 1);
    }

    TEST_CASE(
        "autoscale: with one state, more load never means fewer replicas; within the tolerance none change")
    {
        for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto p = any_policy(random);
            p.metrics = {queue};
            driven d{.policy = p, .size = 1 + static_cast<std::int32_t>(random() % 60)};
            auto now = noon;
            for (std::size_t i = random() % 20; i-- > 0;) {
                now += (random() % 60) * 1s;
                d.at(now, {static_cast<int>(random() % 80)});
            }
            now += 1s;
            std::optional<std::int32_t> before;
            for (std::int64_t load = 0; load < 90'000; load += 250) {
                d.readings = {{.value_milli = load, .pods = {}}};
                auto const out = autoscale::step(p, d.state, d.seen(), now, d.room);
                REQUIRE(out.todo.desired >= before.value_or(out.todo.desired));
                before = out.todo.desired;
                auto const fresh = autoscale::step(p, {}, d.seen(), now, d.room);
                if (fresh.todo.why == cause::metric && d.size > 0 &&
                    d.room.proposals[0].why == autoscale::basis::within_tolerance) {
                    REQUIRE(fresh.todo.desired == d.size);
                    REQUIRE(!fresh.todo.scale_to);
                }
            }
        }
    }

    TEST_CASE("autoscale: any policy, state and size have an answer")
    {
        using limits = std::numeric_limits<std::int32_t>;
        auto const inf = std::numeric_limits<double>::infinity();
        std::vector<double> const numbers{0, -1, 1e308, inf, -inf, std::numeric_limits<double>::quiet_NaN()};
        std::vector<std::int32_t> const counts{limits::min(), -1, 0, 1, 7, limits::max()};
        std::vector<podium::duration> const times{
            podium::duration::min(), -1ns, 0ns, 1h, podium::duration::max()};
        for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const pick = [&](auto const& from) { return from[random() % from.size()]; };
            auto const when = [&] { return time_point(pick(times)); };
            auto p = any_policy(random);
            p.min_replicas = pick(counts);
            p.max_replicas = pick(counts);
            p.tolerance = pick(numbers);
            p.downscale_stabilization = pick(times);
            p.period = pick(times);
            if (p.behavior) {
                for (auto* r : {&p.behavior->scale_up, &p.behavior->scale_down}) {
                    r->stabilization_window = pick(times);
                    if (random() % 4 == 0)
                        r->policies.clear();
                    for (auto& policy : r->policies)
                        policy = {.of = policy.of, .value = pick(counts), .period = pick(times)};
                }
            }
            autoscale::state s;
            for (std::size_t i = random() % 3; i-- > 0;) {
                s.recommendations.push_back({pick(counts), when()});
                s.scale_ups.push_back({pick(counts), when()});
                s.scale_downs.push_back({pick(counts), when()});
            }
            if (random() % 2)
                s.last = autoscale::rescale{pick(counts), pick(counts), when()};
            autoscale::reading const one{.value_milli = autoscale::milli(pick(numbers)), .pods = {}};
            std::vector<autoscale::reading> const readings(random() % 4, one);
            autoscale::workspace room;
            autoscale::observed const seen{.size = {pick(counts), pick(counts), pick(counts), pick(counts)},
                .readings = readings,
                .rescale_failed = random() % 3 == 0};
            auto const now = when();
            auto const out = autoscale::step(p, s, seen, now, room);
            REQUIRE((out.todo.wake_at > now || now == time_point::max()));
            REQUIRE(out.todo.desired >= 0);
            REQUIRE(out.todo.scale_to.value_or(0) >= 0);
            REQUIRE(!autoscale::text(p, out.todo).empty());
        }
    }
}

TEST_CASE("autoscale: what a season had is there before the metrics ask for it, and only then more than they "
          "ask for")
{
    auto p = eager(1, 20);
    p.season = autoscale::season_policy{.length = 1h, .slots = 60, .lead = 2min, .factor = 3};
    REQUIRE(autoscale::validate(p));
    driven d{.policy = p, .size = 2};
    auto const asked = [](podium::duration of_hour) { return of_hour >= 30min && of_hour < 40min ? 12 : 2; };
    auto const run_to = [&](time_point from, time_point end) {
        for (auto t = from; t < end; t += 15s)
            d.at(t, {asked((t - noon) % 1h)});
        return d.size;
    };
    CHECK(run_to(noon, noon + 30min) == 2);  // nobody knows yet
    CHECK(run_to(noon + 30min, noon + 35min) == 12);
    CHECK(run_to(noon + 35min, noon + 87min) == 2);
    CHECK(run_to(noon + 87min, noon + 89min) == 6);  // three times what is asked for, at most
    CHECK(d.last.reactive == 2);
    CHECK(d.last.recommended == 6);
    CHECK(autoscale::text(p, d.last) ==
        "6 as before: queue asks for 2 (load off its target, ratio 0.33), the season for 6");
    auto const again = d.state;
    d.at(noon + 89min, {2});
    auto const once = d.state;
    d.at(noon + 89min, {2});
    CHECK(d.state == once);
    CHECK(again.season.expected_milli == once.season.expected_milli);
    // Blind, it keeps what it has; without the season it forgets.
    CHECK(d.at(noon + 89min + 15s, {std::nullopt}) == 6);
    CHECK(d.last.why == cause::no_metrics);
    d.policy.season.reset();
    CHECK(d.at(noon + 89min + 30s, {2}) == 2);
    CHECK(d.state.season == autoscale::season{});

    p.season->slots = 0;
    auto const wrong = autoscale::validate(p);
    REQUIRE(!wrong);
    CHECK(wrong.error().path == "season.slots");
}
