#include <podium/core/time.hpp>

#include <chrono>
#include <doctest/doctest.h>

using namespace std::chrono_literals;
using namespace podium;

TEST_CASE("core: time ends where its numbers do")
{
    CHECK(later(time_point{1s}, 2s) == time_point{3s});
    CHECK(later(never, 1ns) == never);
    CHECK(later(time_point{1s}, duration::max()) == never);
    CHECK(later(time_point{-1s}, duration::min()) == time_point::min());
    CHECK(later(time_point::min(), duration::max()) == time_point{-1ns});
    CHECK(elapsed(time_point{1s}, time_point{3s}) == 2s);
    CHECK(elapsed(time_point{3s}, time_point{1s}) == -2s);
    CHECK(elapsed(time_point::min(), never) == duration::max());
    CHECK(elapsed(never, time_point::min()) == duration::min());
}
