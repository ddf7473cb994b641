#include <podium/schedule/change_log.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <vector>

TEST_CASE("schedule: a log of changes knows the last ones, and says when it has forgotten")
{
    podium::schedule::detail::change_log<int> log;
    auto const since = [&](std::uint64_t version) {
        std::vector<int> out;
        bool const known = log.since(version, [&](int change) { out.push_back(change); });
        return known ? out : std::vector{-1};
    };
    CHECK(since(0).empty());
    for (int i = 0; i < 4; ++i)
        log.add(i, 4);
    CHECK(log.version() == 4);
    CHECK(since(0) == std::vector{0, 1, 2, 3});
    CHECK(since(3) == std::vector{3});

    log.add(4, 4);  // the older half goes
    CHECK(log.version() == 5);
    CHECK(since(1) == std::vector{-1});
    CHECK(since(2) == std::vector{2, 3, 4});

    log.forget();
    CHECK(since(5) == std::vector{-1});
    CHECK(since(log.version()).empty());
    log.add(5, 4);
    CHECK(since(log.version() - 1) == std::vector{5});
}
