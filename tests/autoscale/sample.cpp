#include <podium/autoscale.hpp>

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <forward_list>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;
using podium::time_point;

namespace {

// The least that fits: a pod that cannot be copied or made, and a projection of nothing but the call.
struct least_pod {
    least_pod() = delete;
    explicit least_pod(int n) : load(n) {}
    least_pod(least_pod const&) = delete;
    least_pod& operator=(least_pod const&) = delete;
    int load;
};
struct least_projection {
    least_projection() = delete;
    explicit least_projection(int) {}
    least_projection(least_projection const&) = delete;
    least_projection& operator=(least_projection const&) = delete;
    autoscale::sample operator()(least_pod const& p) { return {.value_milli = p.load * 1000}; }
};
struct per_metric {
    autoscale::sample operator()(least_pod const& p, autoscale::metric const& m) const
    {
        return {.value_milli = m.name == "load" ? p.load : 0};
    }
};
// Near misses: changes the pod; answers something else.
struct wants_to_change {
    autoscale::sample operator()(least_pod&) const { return {}; }
};
struct says_a_number {
    std::string operator()(least_pod const&) const { return {}; }
};
static_assert(autoscale::Projection<least_projection, least_pod>);
static_assert(autoscale::Projection<per_metric, least_pod>);
static_assert(!autoscale::Projection<wants_to_change, least_pod>);
static_assert(!autoscale::Projection<says_a_number, least_pod>);

autoscale::tally count_one(autoscale::sample const& s, autoscale::metric const& m, time_point now)
{
    return autoscale::count({}, m, std::vector{s}, [](autoscale::sample const& x) { return x; }, now);
}

}  // namespace

TEST_CASE("autoscale: any range of any type is counted through a projection")
{
    std::forward_list<least_pod> pods;
    pods.emplace_front(3);
    pods.emplace_front(4);
    autoscale::metric const m{.name = "load", .target_milli = 1};
    least_projection by_load{0};
    CHECK(autoscale::count({}, m, pods, by_load, {}).used_milli == 7000);
    CHECK(autoscale::count({}, m, pods, per_metric{}, {}).used_milli == 7);
    autoscale::policy const p{.metrics = {m}};
    autoscale::workspace room;
    auto const seen = autoscale::observe(p, pods, by_load, {}, room);
    CHECK(seen.size == autoscale::sizes{.wanted = 2, .existing = 2, .pods = 2, .ready_pods = 2});
    REQUIRE(seen.readings.size() == 1);
    CHECK(seen.readings[0].pods->counted == 2);
}

TEST_CASE("autoscale: a pod is counted, missing, unready or ignored")
{
    using autoscale::phase;
    using autoscale::readiness;
    time_point const now{1h};
    autoscale::metric const cpu{.from = autoscale::source::resource, .name = "cpu", .target_milli = 1000};
    autoscale::metric const other{.name = "players", .target_milli = 1000};
    struct row {
        char const* name;
        autoscale::metric of;
        autoscale::sample pod;
        char is;  // c m u i
    };
    auto const started = now - 1min;  // within the initialization period
    for (auto const& r :
        {row{"it runs", other, {.value_milli = 1}, 'c'}, row{"nothing measured", other, {}, 'm'},
            row{"pending", other, {.value_milli = 1, .phase = phase::pending}, 'u'},
            row{"failed", other, {.value_milli = 1, .phase = phase::failed}, 'i'},
            row{"on its way out", other, {.value_milli = 1, .deleting = true}, 'i'},
            row{"succeeded", other, {.value_milli = 1, .phase = phase::succeeded}, 'c'},
            row{"not ready, but the metric does not mind", other,
                {.value_milli = 1, .readiness = readiness::not_ready}, 'c'},
            row{"ready for long", cpu, {.value_milli = 1}, 'c'},
            row{"no condition", cpu, {.value_milli = 1, .readiness = readiness::none}, 'u'},
            row{"never started", cpu, {.value_milli = 1, .started_at = std::nullopt}, 'u'},
            row{"starting, not ready", cpu,
                {.value_milli = 1, .readiness = readiness::not_ready, .started_at = started}, 'u'},
            row{"starting, ready, less than one window since", cpu,
                {.value_milli = 1,
                    .started_at = started,
                    .readiness_since = now - 20s,
                    .measured_at = now,
                    .window = 30s},
                'u'},
            row{"starting, ready, one window since", cpu,
                {.value_milli = 1,
                    .started_at = started,
                    .readiness_since = now - 30s,
                    .measured_at = now,
                    .window = 30s},
                'c'},
            row{"long since started, never ready", cpu,
                {.value_milli = 1,
                    .readiness = readiness::not_ready,
                    .started_at = now - 30min,
                    .readiness_since = now - 30min + 29s},
                'u'},
            row{"long since started, was ready once", cpu,
                {.value_milli = 1,
                    .readiness = readiness::not_ready,
                    .started_at = now - 30min,
                    .readiness_since = now - 30min + 30s},
                'c'}}) {
        CAPTURE(r.name);
        auto const t = count_one(r.pod, r.of, now);
        CHECK(t.members == 1);
        CHECK(t.counted == (r.is == 'c'));
        CHECK(t.missing == (r.is == 'm'));
        CHECK(t.unready == (r.is == 'u'));
        CHECK(t.ignored == (r.is == 'i'));
    }
}

TEST_CASE("autoscale: numbers of pods that are no members are kept apart; sums saturate")
{
    autoscale::metric const m{.name = "x", .target_milli = 1};
    auto const t = count_one({.value_milli = 5, .member = false}, m, {});
    CHECK(t.members == 0);
    CHECK(t.outside == 1);
    CHECK(t.outside_milli == 5);

    using limits = std::numeric_limits<std::int64_t>;
    std::vector<autoscale::sample> const huge(
        3, {.value_milli = limits::max(), .request_milli = limits::min()});
    auto const sum = autoscale::count({}, m, huge, [](autoscale::sample const& s) { return s; }, {});
    CHECK(sum.used_milli == limits::max());
    CHECK(sum.requested_milli == limits::min());
}

TEST_SUITE("property")
{
    TEST_CASE("autoscale: one load asks for one size, over whatever number of pods a rollout has")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::int64_t n) {
                return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(n));
            };
            auto const wanted = 1 + below(20);
            auto const load = wanted * below(1500), request = 100 + below(900);
            bool const of_request = below(2) == 0;
            autoscale::metric const m{.from = autoscale::source::resource,
                .name = "cpu",
                .aim = of_request ? autoscale::target::utilization : autoscale::target::average_value,
                .target_percent = of_request ? 60 : 0,
                .target_milli = of_request ? 0 : 300};
            auto const narrow = static_cast<std::int32_t>(wanted);
            autoscale::sizes const size{narrow, narrow, wanted, wanted};
            auto const asks = [&](autoscale::tally const& t) {
                return autoscale::propose({}, m, {.value_milli = {}, .pods = t}, size);
            };
            auto const steady = asks({.members = wanted,
                .ready_pods = wanted,
                .counted = wanted,
                .used_milli = load,
                .requested_milli = request * wanted});
            for (std::int64_t pods = 1; pods <= 3 * wanted; ++pods) {
                autoscale::tally t{.members = pods,
                    .ready_pods = pods,
                    .counted = pods,
                    .used_milli = load,
                    .requested_milli = request * pods};
                auto const during = asks(over(t, m, wanted));
                REQUIRE(during.replicas == steady.replicas);
                REQUIRE(during.why == steady.why);

                // Some that cannot be counted make it neither larger nor smaller than it is, but by what is
                // certain.
                auto const unknown = below(pods);
                t.counted -= unknown;
                t.requested_milli -= request * unknown;
                (below(2) == 0 ? t.missing : t.unready) = unknown;
                (t.missing > 0 ? t.missing_requested_milli : t.unready_requested_milli) = request * unknown;
                t.missing_fallback_milli = request * t.missing;
                auto const guess = asks(over(t, m, wanted));
                REQUIRE((guess.failed() || guess.replicas >= std::min(steady.replicas, narrow)));
                REQUIRE((guess.failed() || guess.replicas <= std::max(steady.replicas, narrow)));
            }
        }
    }
}
