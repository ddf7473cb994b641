#include <podium/schedule/assumed.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace {

namespace schedule = podium::schedule;

struct machine {
    int cores = 0;
};
struct match {
    int cores = 0;
    friend bool operator==(match const&, match const&) = default;
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using rules = schedule::pipeline<machine, match, schedule::filters<schedule::fit<cores>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores>>>>;

static_assert(schedule::Binds<schedule::scheduler<rules>, match>);
static_assert(schedule::Binds<schedule::snapshot<rules>, match>);
static_assert(!schedule::Binds<schedule::scheduler<rules>, std::string>);

/// Two machines of four cores, and what is used of them.
struct fleet {
    fleet()
    {
        for (auto const* name : {"a", "b"})
            s.set(name, {4});
    }
    std::int64_t used(std::string_view node) const
    {
        auto const slot = s.nodes().find(node);
        return slot ? s.nodes().at(*slot).get<schedule::usage<cores>>().used : -1;
    }

    schedule::scheduler<rules> s;
    schedule::assumed<match> pods;
};

}  // namespace

TEST_CASE("schedule: what is assumed is seen by the next decision")
{
    fleet f;
    for (auto const* expected : {"a", "b", ""}) {
        auto const d = f.s.decide({3});
        CHECK(f.s.name(d) == expected);
        if (d.node)
            CHECK(f.pods.assume(f.s, expected, f.s.name(d), {3}));
    }
    CHECK(f.pods.forget(f.s, "a"));
    CHECK(f.s.name(f.s.decide({3})) == "a");
}

TEST_CASE("schedule: assumed binds, each way they can end")
{
    fleet f;
    REQUIRE(f.pods.assume(f.s, "p", "a", {3}));
    REQUIRE(f.used("a") == 3);

    SUBCASE("confirmed where it was assumed, as often as it likes")
    {
        auto const version = f.s.nodes().version();
        f.pods.confirm(f.s, "p", "a", {3});
        f.pods.confirm(f.s, "p", "a", {3});
        CHECK(f.used("a") == 3);
        CHECK(f.s.nodes().version() == version);
        CHECK(f.pods.find("p")->confirmed);
    }
    SUBCASE("confirmed on another node: it moves there")
    {
        f.pods.confirm(f.s, "p", "b", {3});
        CHECK(f.used("a") == 0);
        CHECK(f.used("b") == 3);
        CHECK(f.pods.find("p")->node == "b");
    }
    SUBCASE("confirmed as another pod: that one is bound")
    {
        f.pods.confirm(f.s, "p", "a", {1});
        CHECK(f.used("a") == 1);
        CHECK(f.pods.remove(f.s, "p"));
        CHECK(f.used("a") == 0);
    }
    SUBCASE("the write failed")
    {
        CHECK(f.pods.forget(f.s, "p"));
        CHECK(f.used("a") == 0);
        CHECK_FALSE(f.pods.forget(f.s, "p"));
        CHECK(f.pods.size() == 0);
    }
    SUBCASE("the write failed, it is said, and yet it was seen: what was seen wins")
    {
        f.pods.confirm(f.s, "p", "a", {3});
        CHECK_FALSE(f.pods.forget(f.s, "p"));
        CHECK(f.used("a") == 3);
    }
    SUBCASE("assumed twice: the first stays")
    {
        CHECK_FALSE(f.pods.assume(f.s, "p", "b", {2}));
        f.pods.confirm(f.s, "p", "a", {3});
        CHECK_FALSE(f.pods.assume(f.s, "p", "b", {2}));
        CHECK(f.used("a") == 3);
        CHECK(f.used("b") == 0);
    }
    SUBCASE("bound by somebody else")
    {
        f.pods.confirm(f.s, "q", "b", {2});
        CHECK(f.used("b") == 2);
        CHECK_FALSE(f.pods.forget(f.s, "q"));
        CHECK(f.pods.remove(f.s, "q"));
        CHECK(f.used("b") == 0);
    }
    SUBCASE("deleted while it is assumed; what the write says later is nothing")
    {
        CHECK(f.pods.remove(f.s, "p"));
        CHECK(f.used("a") == 0);
        CHECK_FALSE(f.pods.forget(f.s, "p"));
        CHECK_FALSE(f.pods.remove(f.s, "p"));
        CHECK(f.used("a") == 0);
    }
    SUBCASE("the node vanishes and comes back: the pod counts there")
    {
        f.s.remove("a");
        CHECK(f.s.decide({3}).nodes == 1);
        f.s.set("a", {4});
        CHECK(f.used("a") == 3);
        CHECK(f.pods.forget(f.s, "p"));
        CHECK(f.used("a") == 0);
    }
    SUBCASE("the node vanishes and the pod is forgotten: no trace is left")
    {
        f.s.remove("a");
        CHECK(f.pods.forget(f.s, "p"));
        CHECK(f.s.set("c", {4}) == 0);  // the slot that "a" had
        CHECK(f.used("c") == 0);
    }
    SUBCASE("the node vanishes and the pod is seen on another")
    {
        f.s.remove("a");
        f.pods.confirm(f.s, "p", "b", {3});
        CHECK(f.used("b") == 3);
        f.s.set("a", {4});
        CHECK(f.used("a") == 0);
    }
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: after any calls, in any order, nodes hold what is written down")
    {
        for (std::uint64_t seed = 1; seed <= 30; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            fleet f;
            std::map<std::string, std::pair<std::string, int>> model;
            for (int step = 0; step < 300; ++step) {
                auto const key = std::to_string(random() % 6);
                std::string const node = random() % 2 ? "a" : "b";
                int const size = static_cast<int>(random() % 4);
                bool const confirmed = f.pods.find(key) != nullptr && f.pods.find(key)->confirmed;
                switch (random() % 6) {
                case 0:
                    REQUIRE(
                        f.pods.assume(f.s, key, node, {size}) == model.try_emplace(key, node, size).second);
                    break;
                case 1:
                    f.pods.confirm(f.s, key, node, {size});
                    model[key] = {node, size};
                    break;
                case 2: REQUIRE(f.pods.forget(f.s, key) == (!confirmed && model.erase(key) != 0)); break;
                case 3: REQUIRE(f.pods.remove(f.s, key) == (model.erase(key) != 0)); break;
                case 4: f.s.remove(node); break;
                default: f.s.set(node, {4}); break;
                }
                REQUIRE(f.pods.size() == model.size());
                std::map<std::string, std::int64_t> sums{{"a", 0}, {"b", 0}};
                for (auto const& [k, at] : model)
                    sums[at.first] += at.second;
                for (auto const& [name, sum] : sums)
                    REQUIRE((f.used(name) == sum || !f.s.nodes().find(name)));
            }
        }
    }
}
