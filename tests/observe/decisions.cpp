#include <podium/observe/decisions.hpp>

#include <chrono>
#include <doctest/doctest.h>
#include <string>

namespace observe = podium::observe;
using podium::time_point;

namespace {

using decisions = observe::decision_log<int, std::string>;

std::string size_of(int load, time_point)
{
    return load > 80 ? "more" : load < 20 ? "fewer" : "as many";
}

}  // namespace

TEST_CASE("decision log: keeps the latest under their numbers")
{
    decisions log(2);
    CHECK(log.at(0) == nullptr);
    for (int const load : {10, 50, 90})
        log.push({.who = "autoscaler", .about = "default/web", .inputs = load, .verdict = size_of(load, {})});
    CHECK(log.first() == 1);
    CHECK(log.end() == 3);
    CHECK(log.at(0) == nullptr);
    REQUIRE(log.at(1));
    CHECK(log.at(1)->inputs == 50);
    CHECK(*log.at(2) == decisions::record{{}, "autoscaler", "default/web", 90, "more", {}});
    CHECK(log.at(3) == nullptr);
    decisions smallest(0);
    smallest.push({.inputs = 1});
    CHECK(smallest.at(0)->inputs == 1);
}

TEST_CASE("decision log: decided again it comes out the same, or the first difference is told")
{
    decisions log(10);
    CHECK_FALSE(log.replay(size_of));
    for (int const load : {10, 50, 85, 95})
        log.push({.inputs = load, .verdict = size_of(load, {})});
    CHECK_FALSE(log.replay(size_of));
    auto const differs = log.replay([](int load, time_point) { return load > 90 ? "more" : "as many"; });
    CHECK(differs == decisions::difference{0, "as many"});
    auto const later =
        log.replay([](int load, time_point at) { return load == 85 ? "as many" : size_of(load, at); });
    CHECK(later == decisions::difference{2, "as many"});
}

TEST_CASE("decision log: the time of a decision is one of its inputs")
{
    observe::decision_log<int, bool> log(10);
    auto const late = [](int, time_point at) { return at > time_point(std::chrono::seconds(5)); };
    for (int s = 0; s < 10; ++s) {
        time_point const at{std::chrono::seconds(s)};
        log.push({.when = at, .inputs = s, .verdict = late(s, at)});
    }
    CHECK_FALSE(log.replay(late));
}
