#include <podium/observe.hpp>

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>

namespace observe = podium::observe;

TEST_CASE("counter: it only grows, and stays at the largest number")
{
    observe::counter c;
    c.add();
    c.add(2);
    CHECK(c.total == 3);
    c.add(std::numeric_limits<std::uint64_t>::max());
    CHECK(c.total == std::numeric_limits<std::uint64_t>::max());
    c.add();
    CHECK(c.total == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("histogram: a bound belongs to its own bucket, and what is above the last one has no bound")
{
    observe::histogram<3> h{.bounds = observe::exponential_bounds<3>(1, 10)};
    CHECK(h.bounds == std::array<double, 3>{1, 10, 100});
    for (double const v : {-1.0, 0.0, 1.0, 1.5, 10.0, 100.0, 101.0, std::numeric_limits<double>::infinity()})
        h.observe(v);
    CHECK(h.in_bucket == std::array<std::uint64_t, 4>{3, 2, 1, 2});
    CHECK(h.at_most(0) == 3);
    CHECK(h.at_most(2) == 6);
    CHECK(h.at_most(3) == h.count);
    CHECK(h.at_most(1'000'000) == h.count);
}

TEST_CASE("histogram: what is not a number is not counted")
{
    observe::histogram<3> h{.bounds = observe::exponential_bounds<3>(1, 10)};
    h.observe(2);
    auto const before = h;
    h.observe(std::nan(""));
    CHECK(h == before);
}

TEST_SUITE("property")
{
    TEST_CASE("histogram: as many at most a bound as a naive count finds")
    {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            observe::histogram<12> h{.bounds = observe::exponential_bounds<12>(1e-8, 10)};
            std::vector<double> seen;
            for (int i = 0; i < 200; ++i) {
                seen.push_back(
                    std::ldexp(static_cast<double>(random() % 1000), -static_cast<int>(random() % 40)));
                h.observe(seen.back());
            }
            for (std::size_t b = 0; b < 12; ++b) {
                std::uint64_t n = 0;
                for (double const v : seen)
                    n += v <= h.bounds[b];
                CHECK(h.at_most(b) == n);
            }
            CHECK(h.count == seen.size());
        }
    }
}
