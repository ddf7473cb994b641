#include <podium/rollout/history.hpp>

#include <doctest/doctest.h>
#include <vector>

using namespace std::chrono_literals;
namespace rollout = podium::rollout;
using podium::time_point;

TEST_CASE("rollout: history knows the new set, the previous revision and who holds it")
{
    std::vector<rollout::replica_set> const sets{
        {.name = "c", .created_at = time_point{3s}, .revision = 4, .matches_template = true},
        {.name = "a", .created_at = time_point{1s}, .revision = 2},
        {.name = "b", .created_at = time_point{2s}, .revision = 5, .matches_template = true},
        {.name = "d", .created_at = time_point{4s}},
    };
    CHECK(rollout::find_new(sets) == 2);
    CHECK(rollout::previous_revision(sets) == 4);
    CHECK(rollout::find_revision(sets, 0) == 0);
    CHECK(rollout::find_revision(sets, 2) == 1);
    CHECK(rollout::find_revision(sets, 3) == rollout::no_set);
    CHECK(rollout::find_new({}) == rollout::no_set);
    CHECK(rollout::find_revision({}, 0) == rollout::no_set);
}
