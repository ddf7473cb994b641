#include <podium/core/random.hpp>

#include <array>
#include <doctest/doctest.h>
#include <random>

TEST_CASE("core: splitmix64 gives the published numbers")
{
    podium::splitmix64 random(1234567);
    // The first outputs of the reference implementation for this seed.
    for (std::uint64_t const expected : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
             4593380528125082431u, 16408922859458223821u})
        CHECK(random() == expected);
}

TEST_CASE("core: numbers below a bound are below it, and all of them come")
{
    static_assert(std::uniform_random_bit_generator<podium::splitmix64>);
    podium::splitmix64 random(7);
    std::array<int, 5> seen{};
    for (int i = 0; i < 1000; ++i)
        ++seen.at(random.below(5));
    for (int const n : seen)
        CHECK(n > 100);
    for (int i = 0; i < 1000; ++i) {
        auto const u = random.unit();
        REQUIRE(u >= 0.0);
        REQUIRE(u < 1.0);
    }
}
