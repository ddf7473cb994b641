#include <podium/traffic/split.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;

std::string dealt(std::vector<std::uint32_t> const& weights, int n)
{
    auto split = traffic::weighted_split::make(weights).value();
    std::string out;
    while (n-- > 0) {
        auto const at = split.pick();
        out += at ? static_cast<char>('a' + static_cast<char>(*at)) : '-';
    }
    return out;
}

}  // namespace

TEST_CASE("traffic: a split deals evenly in between, not in runs")
{
    CHECK(dealt({1, 1}, 6) == "ababab");
    CHECK(dealt({3, 1}, 8) == "aaabaaab");
    CHECK(dealt({2, 1, 0}, 6) == "aabaab");
    CHECK(dealt({0, 0}, 2) == "--");
    CHECK(dealt({}, 1) == "-");
    CHECK(std::ranges::count(dealt({99, 1}, 100), 'b') == 1);
}

TEST_CASE("traffic: weights out of bounds are refused and change nothing")
{
    auto split = traffic::weighted_split::make(std::vector<std::uint32_t>{1, 2}).value();
    auto const before = split;
    auto const refused = split.reweight(std::vector<std::uint32_t>{1, 1'000'001});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::invalid);
    CHECK(refused.error().path == "weights[1]");
    CHECK_FALSE(split.reweight(std::vector<std::uint32_t>(1001, 1)));
    CHECK(split == before);
}

TEST_SUITE("property")
{
    TEST_CASE("traffic: every prefix of a split is the exact share rounded up or down, every window of a "
              "round exact")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::vector<std::uint32_t> weights(1 + random() % 6);
            for (auto& w : weights)
                w = static_cast<std::uint32_t>(random() % (random() % 3 == 0 ? 100 : 5));
            weights[0] += 1;
            auto const total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
            auto split = traffic::weighted_split::make(weights).value();
            std::vector<std::vector<std::uint64_t>> counts{std::vector<std::uint64_t>(weights.size())};
            for (std::uint64_t k = 1; k <= 3 * total; ++k) {
                counts.push_back(counts.back());
                ++counts.back()[split.pick().value()];
                for (std::size_t i = 0; i < weights.size(); ++i) {
                    REQUIRE(counts[k][i] >= k * weights[i] / total);
                    REQUIRE(counts[k][i] <= (k * weights[i] + total - 1) / total);
                    if (k >= total)
                        REQUIRE(counts[k][i] - counts[k - total][i] == weights[i]);
                }
            }
        }
    }

    TEST_CASE("traffic: weights that change all the time still add up to what they say")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            traffic::weighted_split split;
            std::vector<double> due(3), had(3);
            std::vector<std::uint32_t> weights(3);
            for (int k = 0; k < 5000; ++k) {
                if (k % 3 == 0) {
                    weights = {1 + static_cast<std::uint32_t>(random() % 3),
                        10 + static_cast<std::uint32_t>(random() % 90), 100};
                    REQUIRE(split.reweight(weights));
                }
                auto const total = std::accumulate(weights.begin(), weights.end(), 0u);
                for (std::size_t i = 0; i < 3; ++i)
                    due[i] += static_cast<double>(weights[i]) / total;
                had[split.pick().value()] += 1;
                for (std::size_t i = 0; i < 3; ++i)
                    REQUIRE(std::abs(due[i] - had[i]) < 3);
            }
        }
    }

    TEST_CASE("traffic: the largest weights do not overflow")
    {
        std::vector<std::uint32_t> const weights(
            traffic::weighted_split::max_parts, traffic::weighted_split::max_weight);
        auto split = traffic::weighted_split::make(weights).value();
        std::vector<int> had(weights.size());
        for (std::size_t k = 0; k < weights.size(); ++k)
            ++had[split.pick().value()];
        CHECK(std::ranges::count(had, 1) == static_cast<std::ptrdiff_t>(weights.size()));
    }
}
