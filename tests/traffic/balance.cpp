#include <podium/traffic/balance.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using traffic::candidate;
using traffic::reason;

std::vector<candidate> with_loads(std::vector<std::uint32_t> const& loads)
{
    std::vector<candidate> out;
    for (std::uint32_t i = 0; i < loads.size(); ++i)
        out.push_back({i, loads[i]});
    return out;
}

template<class B>
std::string picks(B policy, std::vector<std::uint32_t> const& loads, int n)
{
    auto const candidates = with_loads(loads);
    std::string out;
    while (n-- > 0)
        out += static_cast<char>('a' + static_cast<char>(policy.pick(candidates).index));
    return out;
}

/// Two operations are all that a policy needs: copying, and pick.
struct always_first {
    traffic::choice pick(std::span<candidate const>) { return {}; }
};
struct picks_nothing {
    void pick(std::span<candidate const>) {}
};
static_assert(traffic::Balancer<always_first>);
static_assert(!traffic::Balancer<picks_nothing>);

}  // namespace

TEST_CASE("traffic: each policy picks what its name says")
{
    CHECK(picks(traffic::round_robin{}, {9, 0, 5}, 7) == "abcabca");
    CHECK(picks(traffic::round_robin{.turn = 7}, {0, 0}, 3) == "bab");  // the set has shrunk since
    CHECK(picks(traffic::least_in_flight{}, {3, 1, 2}, 3) == "bbb");
    CHECK(picks(traffic::least_in_flight{}, {0, 7, 0, 0}, 6) == "acdacd");  // equals take turns
    CHECK(picks(traffic::power_of_two{1}, {5}, 2) == "aa");
    CHECK(picks(traffic::power_of_two{1}, {5, 1}, 4) == "bbbb");  // two candidates: both are always drawn
    CHECK(picks(traffic::any_balancer{traffic::least_in_flight{}}, {3, 1, 2}, 2) == "bb");
}

TEST_CASE("traffic: a choice says why")
{
    auto const three = with_loads({4, 2, 3});
    auto const one = with_loads({4});
    CHECK(traffic::least_in_flight{}.pick(three) == traffic::choice{1, 2, 3, reason::least_in_flight});
    CHECK(traffic::round_robin{}.pick(one).why == reason::only_one);
    CHECK(text(traffic::least_in_flight{}.pick(three)) == "least in flight, 2 in flight, of 3");
}

TEST_SUITE("property")
{
    TEST_CASE("traffic: round robin gives each candidate one of any n picks")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const n = static_cast<std::uint32_t>(1 + random() % 20);
            traffic::round_robin policy{static_cast<std::uint32_t>(random())};
            auto const candidates = with_loads(std::vector<std::uint32_t>(n));
            std::vector<std::uint32_t> seen;
            for (std::uint32_t i = 0; i < 5 * n; ++i)
                seen.push_back(policy.pick(candidates).index);
            for (std::size_t from = 0; from + n <= seen.size(); ++from) {
                auto window = std::vector(seen.begin() + static_cast<std::ptrdiff_t>(from),
                    seen.begin() + static_cast<std::ptrdiff_t>(from + n));
                std::ranges::sort(window);
                REQUIRE(std::ranges::adjacent_find(window) == window.end());
            }
        }
    }

    TEST_CASE("traffic: when every request lasts, least in flight keeps all within one and two choices close")
    {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::size_t const n = 2 + random() % 30;
            auto least = with_loads(std::vector<std::uint32_t>(n));
            auto two = least;
            traffic::least_in_flight least_policy;
            traffic::power_of_two two_policy{seed};
            for (std::size_t i = 0; i < 50 * n; ++i) {
                ++least[least_policy.pick(least).index].in_flight;
                ++two[two_policy.pick(two).index].in_flight;
                auto const [low, high] = std::ranges::minmax(least, {}, &candidate::in_flight);
                REQUIRE(high.in_flight - low.in_flight <= 1);
            }
            // The gap over the mean is about log2(log2(n)) whatever the number of requests; chance alone:
            // about 25 here.
            REQUIRE(std::ranges::max(two, {}, &candidate::in_flight).in_flight <= 50 + 6);
        }
    }

    TEST_CASE("traffic: every policy stays in range, and equal ones choose equally")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const check = [&](auto policy) {
                for (int i = 0; i < 50; ++i) {
                    std::vector<std::uint32_t> loads(1 + random() % 9);
                    for (auto& l : loads)
                        l = static_cast<std::uint32_t>(random() % 4);
                    auto const candidates = with_loads(loads);
                    auto copy = policy;
                    auto const chosen = policy.pick(candidates);
                    REQUIRE(chosen == copy.pick(candidates));
                    REQUIRE(policy == copy);
                    REQUIRE(chosen.index < candidates.size());
                    REQUIRE(chosen.candidates == candidates.size());
                    REQUIRE(chosen.in_flight == loads[chosen.index]);
                }
            };
            check(traffic::round_robin{static_cast<std::uint32_t>(random())});
            check(traffic::least_in_flight{static_cast<std::uint32_t>(random())});
            check(traffic::power_of_two{random()});
        }
    }
}
