#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/snapshot.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct node {
    int cores = 0;
    std::map<std::string, int> devices{};
};
struct pod {
    int cores = 0;
    std::map<std::string, int> devices{};
};
using cores = schedule::resource<"cores", &node::cores, &pod::cores>;
using devices = schedule::extended_resources<&node::devices, &pod::devices>;
using rules =
    schedule::pipeline<node, pod, schedule::filters<schedule::fit<cores, devices>>, schedule::scores<>>;
using snapshot = schedule::snapshot<rules>;

auto used(snapshot const& s, std::string_view name)
{
    return s.at(s.find(name).value()).get<schedule::usage<cores>>().used;
}

}  // namespace

TEST_CASE("schedule: pods of a node that is not there are counted until it comes")
{
    snapshot s;
    s.bind("a", {3});
    CHECK(s.size() == 0);
    CHECK_FALSE(s.find("a"));
    s.set("a", {8});
    CHECK(used(s, "a") == 3);
    s.remove("a");
    s.bind("a", {1});
    s.set("a", {4});
    CHECK(used(s, "a") == 4);
    s.unbind("a", {3});
    CHECK(used(s, "a") == 1);
}

TEST_CASE("schedule: a slot is free again when the node and its pods are gone")
{
    snapshot s;
    s.set("a", {8, {{"gpu", 1}}});
    s.set("b", {8});
    s.bind("a", {1, {{"gpu", 1}}});
    s.remove("a");
    CHECK(s.set("c", {}) == 2);
    s.unbind("a", {1, {{"gpu", 1}}});
    CHECK(s.set("d", {}) == 0);
    CHECK(s.at(0).get<schedule::usage<devices>>().empty());
    CHECK(s.at(0).get<schedule::usage<cores>>() == schedule::usage<cores>::row{});
    CHECK(s.name(0) == "d");
    CHECK(s.size() == 3);
}

TEST_CASE("schedule: what cannot be undone is left alone")
{
    snapshot s;
    s.remove("nobody");
    s.unbind("nobody", {1});
    s.set("a", {8});
    s.unbind("a", {1});
    CHECK(used(s, "a") == 0);
}

TEST_CASE("schedule: what was touched is told, until it is too long ago")
{
    snapshot s;
    auto const start = s.version();
    s.set("a", {8});
    s.bind("a", {1});
    std::vector<bool> nodes;
    CHECK(s.touched_since(start, [&](auto t) { nodes.push_back(t.node); }));
    CHECK(nodes == std::vector{true, false});
    for (int i = 0; i < 5'000; ++i)
        s.bind("a", {0});
    CHECK_FALSE(s.touched_since(start, [](auto) {}));
    CHECK(s.touched_since(s.version() - 1, [](auto) {}));
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: the order of changes leaves no trace in what nodes use")
    {
        for (std::uint64_t seed = 1; seed <= 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::vector<std::pair<std::string, pod>> pods;
            for (int i = 0; i < 40; ++i)
                pods.push_back({std::string(1, static_cast<char>('a' + random() % 5)),
                    {static_cast<int>(random() % 5),
                        {{random() % 2 ? "gpu" : "nic", static_cast<int>(random() % 3)}}}});
            auto const fold = [&](bool detour) {
                snapshot s;
                std::shuffle(pods.begin(), pods.end(), random);
                for (char c : {'a', 'b', 'c', 'd', 'e'})
                    if (random() % 2)
                        s.set(std::string(1, c), {1});
                for (auto const& [on, p] : pods) {
                    s.bind(on, p);
                    if (detour && random() % 2) {
                        s.remove(on);
                        s.unbind(on, p);
                        s.bind(on, p);
                    }
                }
                for (char c : {'e', 'd', 'c', 'b', 'a'})
                    s.set(std::string(1, c), {8, {{"gpu", 2}}});
                return s;
            };
            auto const a = fold(false);
            auto const b = fold(true);
            for (auto const* name : {"a", "b", "c", "d", "e"}) {
                auto const x = a.at(a.find(name).value());
                auto const y = b.at(b.find(name).value());
                REQUIRE(x.get<schedule::usage<cores>>() == y.get<schedule::usage<cores>>());
                REQUIRE(x.get<schedule::usage<devices>>() == y.get<schedule::usage<devices>>());
            }
        }
    }
}
