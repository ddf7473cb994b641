#include <podium/observe/series.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <vector>

namespace observe = podium::observe;
using namespace std::chrono_literals;
using podium::time_point;

namespace {

constexpr time_point t(std::int64_t seconds)
{
    return time_point(std::chrono::seconds(seconds));
}

std::vector<observe::sample> samples(std::vector<double> const& values)
{
    std::vector<observe::sample> out;
    for (std::int64_t i = 0; double const v : values)
        out.push_back({t(i++ * 10), v});
    return out;
}

}  // namespace

TEST_CASE("series: keeps the latest, in the order of time")
{
    observe::series s(3);
    CHECK(s.capacity() == 3);
    CHECK_FALSE(s.latest());
    CHECK(s.all().empty());
    for (int i = 0; i < 5; ++i)
        CHECK(s.push(t(i), i * 10));
    CHECK(s.size() == 3);
    REQUIRE(s.all().size() == 3);
    CHECK(s.all()[0] == observe::sample{t(2), 20});
    CHECK(s.latest() == observe::sample{t(4), 40});
    CHECK(s.since(t(3)).size() == 2);
    CHECK(s.since(t(3))[0].value == 30);
    CHECK(s.since(t(0)).size() == 3);
    CHECK(s.since(t(5)).empty());
}

TEST_CASE("series: takes nothing from the past and nothing that is not a finite number")
{
    observe::series s(3);
    REQUIRE(s.push(t(10), 1));
    auto const before = s;
    CHECK_FALSE(s.push(t(9), 2));
    CHECK_FALSE(s.push(t(11), std::nan("")));
    CHECK_FALSE(s.push(t(11), std::numeric_limits<double>::infinity()));
    CHECK(s == before);
    CHECK(s.push(t(10), 3));  // the same moment: corrected
    CHECK(s.size() == 1);
    CHECK(s.latest() == observe::sample{t(10), 3});
    observe::series none;
    CHECK_FALSE(none.push(t(1), 1));
    CHECK(none.all().empty());
}

TEST_CASE("series: extremes and mean")
{
    CHECK_FALSE(observe::summarize({}));
    auto const of = samples({4, 1, 7});
    CHECK(observe::summarize(of) == observe::summary{t(0), 1, 7, 4, 3});
    auto const largest = std::numeric_limits<double>::max();
    auto const huge = samples({largest, largest, largest});
    CHECK(observe::summarize(huge)->mean == doctest::Approx(largest));
}

TEST_CASE("series: a counter's increase goes on after it has begun again")
{
    struct row {
        char const* name;
        std::vector<double> values;
        std::optional<double> increase;
    };
    for (auto const& r : {
             row{"one sample says nothing", {5}, {}},
             row{"it stands still", {5, 5, 5}, 0},
             row{"it grows", {5, 7, 10}, 5},
             row{"it has begun again, and is at 2", {5, 7, 2}, 4},
             row{"it has begun again twice", {5, 1, 3, 0, 4}, 7},
         }) {
        CAPTURE(r.name);
        auto const of = samples(r.values);
        CHECK(observe::increase(of) == r.increase);
        auto const seconds = 10.0 * static_cast<double>(r.values.size() - 1);
        CHECK(observe::rate(of) == (r.increase ? std::optional(*r.increase / seconds) : std::nullopt));
    }
    std::vector<observe::sample> const at_once{{t(0), 1}, {t(0), 2}};
    CHECK(observe::increase(at_once) == 1);
    CHECK_FALSE(observe::rate(at_once));
}

TEST_CASE("series: for a plot, gaps stay gaps and peaks stay in sight")
{
    std::vector<observe::sample> const of{
        {t(-1), 9}, {t(0), 1}, {t(3), 50}, {t(4), 3}, {t(20), 2}, {t(39), 6}, {t(40), 9}};
    auto const parts = observe::downsample(of, t(0), t(40), 4);
    REQUIRE(parts.size() == 3);
    CHECK(parts[0] == observe::summary{t(0), 1, 50, 18, 3});
    CHECK(parts[1] == observe::summary{t(20), 2, 2, 2, 1});
    CHECK(parts[2] == observe::summary{t(39), 6, 6, 6, 1});
    CHECK(observe::downsample(of, t(0), t(40), 0).empty());
    CHECK(observe::downsample(of, t(40), t(0), 4).empty());
    CHECK(observe::downsample(of, t(5), t(5), 4).empty());
    CHECK(observe::downsample(of, time_point::min(), time_point::max(), 1).size() == 1);
}

TEST_SUITE("property")
{
    TEST_CASE("series: the same as a list without bounds, cut")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const capacity = 1 + random() % 7;
            observe::series s(capacity);
            std::deque<observe::sample> naive;
            for (int i = 0; i < 60; ++i) {
                auto const at = t(i + static_cast<std::int64_t>(random() % 4));
                auto const value = static_cast<double>(random() % 100);
                bool const taken = naive.empty() || at >= naive.back().at;
                CHECK(s.push(at, value) == taken);
                if (taken) {
                    if (!naive.empty() && at == naive.back().at)
                        naive.pop_back();
                    naive.push_back({at, value});
                    if (naive.size() > capacity)
                        naive.pop_front();
                }
                REQUIRE(std::ranges::equal(s.all(), naive));
                auto const from = t(static_cast<std::int64_t>(random() % 64));
                auto const younger =
                    std::ranges::count_if(naive, [&](auto const& x) { return x.at >= from; });
                CHECK(s.since(from).size() == static_cast<std::size_t>(younger));
            }
            // Whatever the parts, each sample is in one of them, and none is below or above all samples.
            auto const all = observe::summarize(s.all());
            std::size_t seen = 0;
            for (auto const& part : observe::downsample(s.all(), t(0), t(64), 1 + random() % 9)) {
                seen += part.samples;
                CHECK(part.min >= all->min);
                CHECK(part.max <= all->max);
            }
            CHECK(seen == s.size());
        }
    }
}
