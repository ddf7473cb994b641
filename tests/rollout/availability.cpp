#include <podium/rollout/availability.hpp>

#include <doctest/doctest.h>

using namespace std::chrono_literals;
namespace rollout = podium::rollout;
using podium::time_point;

TEST_CASE("rollout: a pod is available once it has been ready long enough")
{
    constexpr time_point since{100s};
    CHECK_FALSE(rollout::is_available({}, 0s, since));
    CHECK(rollout::is_available(since, 0s, since));
    CHECK_FALSE(rollout::is_available(since, 10s, since + 10s - 1ns));
    CHECK(rollout::is_available(since, 10s, since + 10s));
    CHECK(rollout::available_at(since, 10s) == since + 10s);
    CHECK(rollout::available_at({}, 10s) == podium::never);
    CHECK(rollout::available_at(since, podium::duration::max()) == podium::never);
}
