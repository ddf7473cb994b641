#include <podium/observe.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <thread>
#include <vector>

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

TEST_CASE("histogram: two with the same bounds add up, others do not")
{
    observe::histogram<3> a{.bounds = observe::exponential_bounds<3>(1, 10)}, b = a;
    a.observe(5);
    b.observe(50);
    b.observe(500);
    REQUIRE(a.add(b).has_value());
    CHECK(a.in_bucket == std::array<std::uint64_t, 4>{0, 1, 1, 1});
    CHECK(a.count == 3);
    CHECK(a.sum == 555);
    auto const before = a;
    auto const refused = a.add({.bounds = observe::exponential_bounds<3>(1, 2)});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == podium::errc::invalid);
    CHECK(a == before);
}

TEST_CASE("histogram: what was observed between two readings")
{
    observe::histogram<3> h{.bounds = observe::exponential_bounds<3>(1, 10)};
    h.observe(5);
    auto const before = h;
    h.observe(50);
    h.observe(50);
    auto const between = h.since(before).value();
    CHECK(between.in_bucket == std::array<std::uint64_t, 4>{0, 0, 2, 0});
    CHECK(between.count == 2);
    CHECK(between.sum == 100);
    // The later reading is of one that has begun again: all of it is new.
    CHECK(before.since(h).value() == before);
    CHECK_FALSE(h.since({.bounds = observe::exponential_bounds<3>(1, 2)}).has_value());
}

TEST_CASE("histogram: quantiles, as histogram_quantile has them")
{
    observe::histogram<3> h{.bounds = {1, 2, 4}};
    auto const infinity = std::numeric_limits<double>::infinity();
    CHECK(std::isnan(h.quantile(0.5)));
    for (int i = 0; i < 4; ++i)
        h.observe(1.5);  // evenly spread over (1, 2], as far as anyone knows
    CHECK(h.quantile(0.5) == 1.5);
    CHECK(h.quantile(1) == 2);
    CHECK(std::isnan(h.quantile(0)));  // 0 / 0: nothing is in the first bucket
    CHECK(h.quantile(-0.1) == -infinity);
    CHECK(h.quantile(1.1) == infinity);
    CHECK(std::isnan(h.quantile(std::nan(""))));
    h.observe(0.5);
    CHECK(h.quantile(0.1) == 0.5);
    for (int i = 0; i < 5; ++i)
        h.observe(100);
    CHECK(h.quantile(0.9) == 4);  // nothing is known above the last bound
    observe::histogram<2> negative{.bounds = {-1, 1}};
    negative.observe(-5);
    CHECK(negative.quantile(0.5) == -1);
    observe::histogram<0> none{};
    none.observe(1);
    CHECK(std::isnan(none.quantile(0.5)));
}

TEST_CASE("cells: what one thread counts another reads, and it never goes back")
{
    struct alignas(64) worker {
        observe::cell<observe::counter> counted{};
        observe::cell<observe::gauge> level{};
        observe::cell<observe::histogram<3>> sizes{{1, 2, 4}};
    };
    constexpr std::uint64_t each = 20'000;
    std::vector<worker> workers(3);
    std::atomic<std::size_t> left = workers.size();
    std::vector<std::thread> threads;
    for (auto& w : workers)
        threads.emplace_back([&] {
            for (std::uint64_t i = 0; i < each; ++i) {
                w.counted.add();
                w.level.add(i % 2 == 0 ? 1 : -1);
                w.sizes.observe(static_cast<double>(i % 6));
            }
            w.level.set(7);
            --left;
        });
    std::uint64_t before = 0;
    bool back = false, torn = false;
    do {
        observe::counter all;
        for (auto const& w : workers)
            all.add(w.counted.read());
        back = back || all.total < before;
        before = all.total;
        auto const h = workers[0].sizes.read();
        torn = torn || h.count != h.at_most(3);
    } while (left > 0);
    for (auto& t : threads)
        t.join();
    CHECK_FALSE(back);
    CHECK_FALSE(torn);
    observe::counter all;
    observe::gauge level;
    observe::histogram<3> sizes{.bounds = {1, 2, 4}};
    for (auto const& w : workers) {
        all.add(w.counted.read());
        level.add(w.level.read());
        REQUIRE(sizes.add(w.sizes.read()).has_value());
    }
    CHECK(all.total == 3 * each);
    CHECK(level.value == 21);
    CHECK(sizes.count == 3 * each);
    CHECK(sizes.at_most(0) == 3 * (each / 6 * 2 + 2));  // 20,000 is 3,333 times 0 to 5, then 0 and 1
    worker w;
    w.sizes.observe(std::nan(""));
    CHECK(w.sizes.read() == observe::histogram<3>{.bounds = {1, 2, 4}});
}

TEST_SUITE("property")
{
    TEST_CASE("histogram: the bucket is the one that a scan finds, at every number of bounds")
    {
        std::mt19937_64 random(1);
        auto const check = [&]<std::size_t N>(std::array<double, N> bounds) {
            for (std::size_t i = 0; i < N; ++i)
                bounds[i] = static_cast<double>(i * 2 + random() % 2);
            for (double v = -1; v < static_cast<double>(2 * N + 2); v += 0.5) {
                std::size_t i = 0;
                while (i < N && v > bounds[i])
                    ++i;
                CAPTURE(N);
                CAPTURE(v);
                CHECK(observe::bucket_of(bounds, v) == i);
            }
        };
        check(std::array<double, 0>{});
        check(std::array<double, 1>{});
        check(std::array<double, 2>{});
        check(std::array<double, 3>{});
        check(std::array<double, 6>{});
        check(std::array<double, 15>{});
        check(std::array<double, 16>{});
        check(std::array<double, 17>{});
    }

    TEST_CASE("histogram: added up in any order, with quantiles that rise and lie in their bucket")
    {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            using h6 = observe::histogram<6>;
            std::vector<double> seen;
            h6 const none{.bounds = observe::exponential_bounds<6>(1, 2)};
            h6 parts[3] = {none, none, none}, whole = none;
            for (std::uint64_t n = 1 + random() % 40; n > 0; --n) {
                auto const v = static_cast<double>(random() % 80) / 2;
                parts[random() % 3].observe(v);
                whole.observe(v);
                seen.push_back(v);
            }
            auto forth = parts[0], back = parts[2];
            REQUIRE((forth.add(parts[1]) && forth.add(parts[2]) && back.add(parts[1]) && back.add(parts[0])));
            CHECK(forth == whole);
            CHECK(back == whole);
            std::sort(seen.begin(), seen.end());
            double before = 0;
            for (int percent = 1; percent <= 100; ++percent) {
                auto const q = percent / 100.0;
                auto const estimated = whole.quantile(q);
                CHECK(estimated >= before);
                before = estimated;
                auto const rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(seen.size())));
                auto const exact = seen[rank - 1];
                if (exact <= whole.bounds[5])
                    CHECK(observe::bucket_of(whole.bounds, estimated) ==
                        observe::bucket_of(whole.bounds, exact));
                else
                    CHECK(estimated == whole.bounds[5]);
            }
        }
    }

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
