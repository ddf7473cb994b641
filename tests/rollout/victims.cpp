#include <podium/rollout/victims.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;
namespace rollout = podium::rollout;
using podium::time_point;
using rollout::candidate;
using rollout::pod_phase;

namespace {
constexpr time_point now{std::chrono::hours(1000)};
}

TEST_CASE("rollout: the pod that would be missed least goes first")
{
    candidate const settled{.uid = "m", .node = "n1", .ready_since = now - 1h, .created_at = now - 2h};
    struct row {
        char const* name;
        candidate first;
    };
    auto const changed = [&](auto change) {
        auto c = settled;
        change(c);
        return c;
    };
    auto const not_ready = changed([](candidate& c) { c.ready_since.reset(); });
    for (auto const& r : {
             row{"not assigned", changed([](candidate& c) { c.node = ""; })},
             row{"pending", changed([](candidate& c) { c.phase = pod_phase::pending; })},
             row{"unknown", changed([](candidate& c) { c.phase = pod_phase::unknown; })},
             row{"not ready", not_ready},
             row{"cheaper to delete", changed([](candidate& c) { c.deletion_cost = -1; })},
             row{"doubled up on its node", changed([](candidate& c) { c.pods_on_node = 2; })},
             row{"ready for less time", changed([](candidate& c) { c.ready_since = now - 1min; })},
             row{"the smaller uid", changed([](candidate& c) { c.uid = "a"; })},
         }) {
        CAPTURE(r.name);
        CHECK(rollout::goes_before(r.first, settled, now));
        CHECK_FALSE(rollout::goes_before(settled, r.first, now));
    }
    for (auto const& r : {
             row{"more restarts", changed([](candidate& c) { c.ready_since.reset(), c.restarts = 1; })},
             row{"more sidecar restarts",
                 changed([](candidate& c) { c.ready_since.reset(), c.sidecar_restarts = 1; })},
             row{"younger", changed([](candidate& c) { c.ready_since.reset(), c.created_at = now - 1min; })},
         }) {
        CAPTURE(r.name);
        CHECK(rollout::goes_before(r.first, not_ready, now));
        CHECK_FALSE(rollout::goes_before(not_ready, r.first, now));
    }
}

TEST_CASE("rollout: a deletion cost is a plain 32-bit integer or nothing")
{
    struct row {
        char const* text;
        std::int32_t expected;
    };
    for (auto const& r : {row{"", 0}, row{"0", 0}, row{"-", 0}, row{"100", 100}, row{"-10", -10},
             row{"+1", 0}, row{"007", 0}, row{"1x", 0}, row{"2147483647", 2147483647}, row{"2147483648", 0},
             row{"-2147483648", -2147483647 - 1}, row{"-2147483649", 0}, row{"99999999999999999999", 0}}) {
        CAPTURE(r.text);
        CHECK(rollout::deletion_cost(r.text) == r.expected);
    }
}

TEST_CASE("rollout: neighbours are the active pods of one node")
{
    std::array<candidate, 3> pods{
        {{.uid = "a", .node = "n1"}, {.uid = "b", .node = "n2"}, {.uid = "c", .node = "n1"}}};
    std::array<std::string_view, 5> nodes{"n1", "n2", "n1", "n3", "n1"};
    rollout::count_neighbours(pods, nodes);
    CHECK(pods[0].pods_on_node == 3);
    CHECK(pods[1].pods_on_node == 1);
    CHECK(pods[2].pods_on_node == 3);
}

TEST_CASE("rollout: victims are ranked at both ends of time, by hostile texts too")
{
    std::string const long_uid(10'000'000, 'u'), nul(1, '\0');
    for (auto const at : {time_point::min(), time_point{}, time_point::max()}) {
        std::vector<candidate> pods;
        for (auto const uid : {std::string_view(long_uid), std::string_view(nul), std::string_view("\xff")})
            for (auto const since : {time_point::min(), time_point{}, time_point::max()})
                for (bool const ready : {true, false})
                    pods.push_back({.uid = uid,
                        .node = nul,
                        .ready_since = ready ? std::optional(since) : std::nullopt,
                        .restarts = ready ? 0 : std::numeric_limits<std::int32_t>::min(),
                        .created_at = since});
        rollout::rank_victims(pods, at);
        CHECK_FALSE(pods.front().ready_since.has_value());
        CHECK(pods.back().ready_since.has_value());
        for (std::size_t i = 1; i < pods.size(); ++i)
            CHECK_FALSE(rollout::goes_before(pods[i], pods[i - 1], at));
    }
    CHECK(rollout::deletion_cost(std::string(10'000'000, '9')) == 0);
    CHECK(rollout::deletion_cost(std::string("1\0", 2)) == 0);
}

TEST_SUITE("property")
{
    TEST_CASE("rollout: the order of victims is total, whatever order they come in")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::vector<std::string> uids;
            for (int i = 0; i < 12; ++i)
                uids.push_back(std::to_string(random()));
            std::vector<candidate> pods;
            for (auto const& uid : uids) {
                auto& c = pods.emplace_back(candidate{.uid = uid});
                c.node = random() % 4 == 0 ? "" : "n";
                c.phase = static_cast<pod_phase>(random() % 3);
                if (random() % 4 != 0)
                    c.ready_since = now - std::chrono::seconds(random() % 4);
                c.restarts = static_cast<std::int32_t>(random() % 3);
                c.created_at = now - std::chrono::seconds(random() % 4);
            }
            auto const before = [](candidate const& a, candidate const& b) {
                return rollout::goes_before(a, b, now);
            };
            for (auto const& a : pods)
                for (auto const& b : pods) {
                    REQUIRE(before(a, b) + before(b, a) == (a.uid == b.uid ? 0 : 1));
                    for (auto const& c : pods)
                        if (before(a, b) && before(b, c))
                            REQUIRE(before(a, c));
                }
            auto shuffled = pods;
            for (auto i = shuffled.size(); i > 1; --i)
                std::swap(shuffled[i - 1], shuffled[random() % i]);
            rollout::rank_victims(pods, now);
            rollout::rank_victims(shuffled, now);
            for (std::size_t i = 0; i < pods.size(); ++i)
                REQUIRE(pods[i].uid == shuffled[i].uid);
        }
    }
}
