#include <podium/autoscale.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <vector>

namespace autoscale = podium::autoscale;
using autoscale::basis;
using autoscale::source;
using autoscale::target;

namespace {

autoscale::policy const plain{.max_replicas = 1000};
autoscale::metric const players{.name = "players", .target_milli = 80'000};
autoscale::metric const cpu{
    .from = source::resource, .name = "cpu", .aim = target::utilization, .target_percent = 50};

autoscale::sizes of_size(std::int32_t n)
{
    return {.wanted = n, .existing = n, .pods = n, .ready_pods = n};
}

// n pods that all have `value`, and some that have none or are not ready; each requests 1000.
autoscale::tally fleet(std::int64_t n, std::int64_t value, std::int64_t missing = 0, std::int64_t unready = 0)
{
    return {.members = n + missing + unready,
        .ready_pods = n,
        .counted = n,
        .missing = missing,
        .unready = unready,
        .used_milli = n * value,
        .requested_milli = n * 1000,
        .missing_requested_milli = missing * 1000,
        .missing_fallback_milli = missing * 1000,
        .unready_requested_milli = unready * 1000};
}

autoscale::proposal ask(autoscale::metric const& m, autoscale::tally const& t, std::int32_t size)
{
    return autoscale::propose(plain, m, {.value_milli = {}, .pods = t}, of_size(size));
}

autoscale::proposal ask(autoscale::metric const& m, std::int64_t value, autoscale::sizes const& size)
{
    return autoscale::propose(plain, m, {.value_milli = value, .pods = {}}, size);
}

}  // namespace

TEST_CASE("autoscale: size times usage over target, and caution about what was not measured")
{
    struct row {
        char const* name;
        autoscale::metric of;
        autoscale::tally seen;
        std::int32_t size, to;
        basis why;
    };
    for (auto const& r : {row{"twice the target", players, fleet(4, 160'000), 4, 8, basis::ratio},
             row{"a little more rounds up", players, fleet(4, 100'001), 4, 6, basis::ratio},
             row{"half the target", players, fleet(4, 40'000), 4, 2, basis::ratio},
             row{"the band is closed above", players, fleet(4, 88'000), 4, 4, basis::within_tolerance},
             row{"and below", players, fleet(4, 72'000), 4, 4, basis::within_tolerance},
             row{"just outside", players, fleet(4, 88'001), 4, 5, basis::ratio},
             row{"the missing are idle when it grows", players, fleet(4, 160'000, 1), 5, 8, basis::ratio},
             row{"and at their target when it shrinks", players, fleet(4, 40'000, 1), 5, 3, basis::ratio},
             row{"the unready are idle when it grows", players, fleet(4, 160'000, 0, 2), 6, 8, basis::ratio},
             row{"and nobody asks them when it shrinks", players, fleet(4, 40'000, 0, 2), 6, 2, basis::ratio},
             row{"missing ones may turn it round", players, fleet(2, 100'000, 8), 10, 10, basis::would_turn},
             row{"or cover the change", players, fleet(9, 100'000, 1), 10, 12, basis::ratio},
             row{"half the request is the target", cpu, fleet(4, 500), 4, 4, basis::within_tolerance},
             row{"percents are cut off first", cpu, fleet(4, 559), 4, 4, basis::within_tolerance},
             row{"all of the request", cpu, fleet(4, 1000), 4, 8, basis::ratio},
             row{"missing ones use all they request", cpu, fleet(4, 100, 1), 5, 3, basis::ratio},
             row{"nobody", players, {}, 4, 4, basis::no_pods},
             row{"nobody ready", players, fleet(0, 0, 0, 3), 3, 3, basis::nothing_counted},
             row{"no load at all", players, fleet(4, 0), 4, 0, basis::ratio}}) {
        CAPTURE(r.name);
        auto const got = ask(r.of, r.seen, r.size);
        CHECK(got.why == r.why);
        CHECK(got.replicas == r.to);
    }
    auto without = fleet(4, 1000);
    without.without_request = 1;
    CHECK(ask(cpu, without, 4).why == basis::no_request);
    CHECK(ask(players, without, 4).why == basis::ratio);
}

TEST_CASE("autoscale: one number for the whole")
{
    autoscale::metric const queue{
        .from = source::external, .name = "queue", .aim = target::value, .target_milli = 1000};
    autoscale::metric const each{.from = source::object, .name = "rps", .target_milli = 1000};
    CHECK(ask(queue, 2500, of_size(4)).replicas == 10);
    CHECK(ask(queue, 1100, of_size(4)).why == basis::within_tolerance);
    CHECK(ask(queue, 2500, of_size(0)).replicas == 3);
    CHECK(ask(queue, 0, of_size(0)).replicas == 0);
    CHECK(ask(queue, 7500, {.wanted = 4, .existing = 4, .pods = 4, .ready_pods = 1}).replicas == 8);
    CHECK(ask(queue, 2500, {.wanted = 4}).why == basis::no_pods);
    CHECK(ask(each, 9500, of_size(4)).replicas == 10);
    CHECK(ask(each, 9500, of_size(4)).average_milli == 2375);
    CHECK(ask(each, 9500, of_size(9)).why == basis::within_tolerance);
    CHECK(ask(each, 9500, of_size(0)).replicas == 10);
    CHECK(autoscale::propose(plain, each, {}, of_size(1)).why == basis::unavailable);
    auto unset = queue;
    unset.target_milli = 0;
    CHECK(ask(unset, 1, of_size(1)).why == basis::invalid_target);
    std::array<std::int64_t, 3> const series{1, 2, std::numeric_limits<std::int64_t>::max()};
    CHECK(autoscale::sum_milli(series) == std::numeric_limits<std::int64_t>::max());
}

TEST_CASE("autoscale: what was started for a value stays until it is ready; Kubernetes sends it away")
{
    autoscale::metric const queue{
        .from = source::object, .name = "in_flight", .aim = target::value, .target_milli = 1000};
    auto as_kubernetes = plain;
    as_kubernetes.unready = autoscale::unready_pods::kubernetes;
    struct row {
        std::int64_t value_milli;
        std::int64_t ready;
        std::int32_t hold;
        std::int32_t kubernetes;
    };
    for (auto const& r : {row{2500, 1, 4, 3}, row{1500, 0, 4, 0}, row{1500, 4, 6, 6}, row{500, 4, 2, 2},
             row{500, 1, 2, 1}, row{500, 0, 2, 0}, row{0, 0, 0, 0}, row{1050, 1, 4, 4}}) {
        CAPTURE(r.value_milli);
        CAPTURE(r.ready);
        autoscale::sizes const size{.wanted = 4, .existing = 4, .pods = 4, .ready_pods = r.ready};
        autoscale::reading const seen{.value_milli = r.value_milli, .pods = {}};
        CHECK(autoscale::propose(plain, queue, seen, size).replicas == r.hold);
        CHECK(autoscale::propose(as_kubernetes, queue, seen, size).replicas == r.kubernetes);
    }
}

TEST_CASE("autoscale: a count beyond 32 bits is the largest; Kubernetes makes it the least")
{
    auto const seen = fleet(100, 30'000'000LL * 80'000);
    CHECK(ask(players, seen, 100).replicas == std::numeric_limits<std::int32_t>::max());
    auto as_kubernetes = plain;
    as_kubernetes.counts = autoscale::overflow::kubernetes;
    CHECK(autoscale::propose(as_kubernetes, players, {.value_milli = {}, .pods = seen}, of_size(100))
              .replicas == std::numeric_limits<std::int32_t>::min());
}

TEST_SUITE("property")
{
    TEST_CASE("autoscale: a proposal never falls when one pod's number rises, all pods known")
    {
        for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto p = plain;
            p.tolerance = static_cast<double>(random() % 30) / 100;
            auto m = random() % 2 ? players : cpu;
            m.target_milli = static_cast<std::int64_t>(1 + random() % 2000);
            m.target_percent = static_cast<std::int32_t>(1 + random() % 200);
            m.skip_starting = false;
            std::vector<autoscale::sample> pods(1 + random() % 12);
            for (auto& s : pods) {
                s.request_milli = static_cast<std::int64_t>(1 + random() % 1000);
                if (random() % 5)
                    s.value_milli = static_cast<std::int64_t>(random() % 3000);
                if (random() % 6 == 0)
                    s.phase = autoscale::phase::pending;
            }
            auto const same = [](autoscale::sample const& s) { return s; };
            auto const size = of_size(static_cast<std::int32_t>(pods.size()));
            auto const propose = [&] {
                return autoscale::propose(
                    p, m, {.value_milli = {}, .pods = autoscale::count(p, m, pods, same, {})}, size);
            };
            auto before = propose();
            for (int i = 0; i < 20 && !before.failed(); ++i) {
                auto& raised = pods[random() % pods.size()].value_milli;
                if (!raised)
                    continue;
                *raised += static_cast<std::int64_t>(random() % 1000);
                auto const after = propose();
                REQUIRE(after.replicas >= before.replicas);
                before = after;
            }
        }
    }

    TEST_CASE("autoscale: any numbers at all have an answer")
    {
        using limits = std::numeric_limits<std::int64_t>;
        std::array<std::int64_t, 12> const edge{limits::min(), limits::min() + 1, -3'000'000'000, -1, 0, 1,
            99, 100, 3'000'000'000, limits::max() / 100, limits::max() - 1, limits::max()};
        for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const any = [&] { return edge[random() % edge.size()]; };
            auto const any32 = [&] { return static_cast<std::int32_t>(any()); };
            autoscale::metric const m{.from = static_cast<source>(random() % 5),
                .name = "cpu",
                .aim = static_cast<target>(random() % 3),
                .target_percent = any32(),
                .target_milli = any()};
            autoscale::reading seen;
            if (random() % 8)
                seen.value_milli = any();
            seen.pods = autoscale::tally{any(), any(), any(), any(), any(), any(), any(), any() % 2, any(),
                any(), any(), any(), any(), any()};
            auto p = plain;
            p.counts = random() % 2 ? autoscale::overflow::saturate : autoscale::overflow::kubernetes;
            p.unready = random() % 2 ? autoscale::unready_pods::hold : autoscale::unready_pods::kubernetes;
            auto const got = autoscale::propose(p, m, seen, {any32(), any32(), any(), any()});
            REQUIRE(std::isfinite(got.ratio));
        }
    }
}
