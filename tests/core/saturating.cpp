#include <podium/core/saturating.hpp>

#include <doctest/doctest.h>
#include <limits>

TEST_CASE("saturating: a sum ends where the numbers do")
{
    using limits = std::numeric_limits<std::int64_t>;
    using podium::saturating_add;
    CHECK(saturating_add(2, -3) == -1);
    CHECK(saturating_add(limits::max(), 1) == limits::max());
    CHECK(saturating_add(1, limits::max()) == limits::max());
    CHECK(saturating_add(limits::min(), -1) == limits::min());
    CHECK(saturating_add(limits::min(), limits::min()) == limits::min());
    CHECK(saturating_add(limits::max(), limits::min()) == -1);
    CHECK(saturating_add(limits::max() - 1, 1) == limits::max());
}
