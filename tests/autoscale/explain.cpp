#include <podium/autoscale.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <vector>

using namespace std::chrono_literals;
namespace autoscale = podium::autoscale;
using autoscale::group;
using autoscale::sample;
using podium::time_point;

TEST_CASE("autoscale: which pods made a recommendation can be told, one by one")
{
    std::vector<sample> const fleet{{.value_milli = 900}, {},
        {.value_milli = 5, .phase = autoscale::phase::pending}, {.value_milli = 7, .deleting = true},
        {.value_milli = 8, .member = false}, {.member = false}};
    autoscale::metric const m{.name = "load", .target_milli = 1};
    auto const told = autoscale::explain({}, m, fleet, [](sample const& s) { return s; }, time_point{1h});
    REQUIRE(told.size() == fleet.size());
    std::vector const expected{
        group::counted, group::missing, group::unready, group::ignored, group::outside, group::unseen};
    for (std::size_t i = 0; i < told.size(); ++i) {
        CAPTURE(to_string(told[i].is));
        CHECK(told[i].is == expected[i]);
        CHECK(told[i].index == i);
        CHECK(told[i].value_milli == fleet[i].value_milli);
    }
}

TEST_SUITE("property")
{
    TEST_CASE("autoscale: what is told of the pods adds up to the tally")
    {
        for (std::uint64_t seed = 0; seed < 500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const maybe = [&]() -> std::optional<std::int64_t> {
                if (random() % 3 == 0)
                    return std::nullopt;
                return static_cast<std::int64_t>(random() % 2000);
            };
            time_point const now{1h};
            std::vector<sample> fleet(random() % 30);
            for (auto& s : fleet)
                s = {.value_milli = maybe(),
                    .request_milli = maybe(),
                    .phase = static_cast<autoscale::phase>(random() % 4),
                    .readiness = static_cast<autoscale::readiness>(random() % 4),
                    .deleting = random() % 5 == 0,
                    .member = random() % 6 != 0,
                    .started_at = now - std::chrono::minutes(random() % 10),
                    .readiness_since = now - std::chrono::minutes(random() % 10),
                    .measured_at = now};
            autoscale::metric const m{.from = autoscale::source::resource,
                .name = random() % 2 ? "cpu" : "memory",
                .aim = autoscale::target::utilization,
                .target_percent = 50};
            auto const as_it_is = [](sample const& s) { return s; };
            auto const t = autoscale::count({}, m, fleet, as_it_is, now);
            autoscale::tally sum{.members = t.members,
                .ready_pods = t.ready_pods,
                .without_request = t.without_request,
                .missing_fallback_milli = t.missing_fallback_milli};
            for (auto const& part : autoscale::explain({}, m, fleet, as_it_is, now)) {
                auto const value = part.value_milli.value_or(0), request = part.request_milli.value_or(0);
                switch (part.is) {
                case group::counted:
                    ++sum.counted, sum.used_milli += value, sum.requested_milli += request;
                    break;
                case group::missing: ++sum.missing, sum.missing_requested_milli += request; break;
                case group::unready: ++sum.unready, sum.unready_requested_milli += request; break;
                case group::ignored: ++sum.ignored; break;
                case group::outside: ++sum.outside, sum.outside_milli += value; break;
                case group::unseen: break;
                }
            }
            REQUIRE(sum == t);
            REQUIRE(t.counted + t.missing + t.unready + t.ignored == t.members);
        }
    }
}
