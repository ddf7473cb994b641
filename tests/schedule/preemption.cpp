#include <podium/schedule/ports.hpp>
#include <podium/schedule/preemption.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/sampling.hpp>
#include <podium/schedule/scheduler.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;
using namespace std::chrono_literals;

struct machine {
    std::int64_t cores = 0;
};
struct match {
    std::int64_t cores = 0;
    std::vector<schedule::host_port> ports{};
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using rules = schedule::pipeline<machine, match,
    schedule::filters<schedule::fit<cores>, schedule::node_ports<&match::ports>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores>>>>;
using nodes = schedule::snapshot<rules>;
using occupant = schedule::occupant<match>;

}  // namespace

TEST_CASE("schedule: the least important pods make room, and no more of them than needed")
{
    nodes on;
    on.set("n", {8});
    match const two{2}, four{4};
    for (auto const* m : {&two, &two, &four})
        on.bind("n", *m);
    std::vector<occupant> const there{{0, &two, 1}, {0, &two, 5}, {0, &four, 3}};
    auto const p = schedule::preempt(rules{}, on, match{2}, {.priority = 9}, there);
    REQUIRE(p.candidates.size() == 1);
    CHECK(p.candidates[0].pods == std::vector<std::uint32_t>{0});
    CHECK(schedule::preempt(rules{}, on, match{4}, {.priority = 9}, there).candidates.at(0).pods ==
        std::vector<std::uint32_t>{2});
    CHECK(schedule::preempt(rules{}, on, match{8}, {.priority = 9}, there).candidates.at(0).pods ==
        std::vector<std::uint32_t>{1, 2, 0});
    CHECK(schedule::preempt(rules{}, on, match{8}, {.priority = 5}, there).hopeless.at(0).node == 0);
    CHECK(schedule::preempt(rules{}, on, match{9}, {.priority = 9}, there).candidates.empty());
}

TEST_CASE("schedule: a budget is broken only where nothing else helps")
{
    nodes on;
    on.set("a", {2});
    on.set("b", {2});
    match const two{2};
    on.bind("a", two);
    on.bind("b", two);
    std::vector<occupant> there{{0, &two, 1, {}, {0}}, {1, &two, 5, {}, {1}}};
    auto const best = [&](std::vector<std::int64_t> const& budgets) {
        return schedule::preempt(rules{}, on, two, {.priority = 9}, there, budgets).best;
    };
    CHECK(best({1, 1}) == std::vector<std::uint32_t>{0});
    CHECK(best({0, 1}) == std::vector<std::uint32_t>{1});
    CHECK(best({0, 0}) == std::vector<std::uint32_t>{0});
    CHECK(best({}) == std::vector<std::uint32_t>{0});  // budgets that nobody gave allow all
}

TEST_CASE("schedule: among equals the node whose pods began last, then all of them")
{
    nodes on;
    match const two{2};
    std::vector<occupant> there;
    for (std::uint32_t i = 0; i < 3; ++i) {
        on.set(std::to_string(i), {2});
        on.bind(i, two);
        there.push_back({i, &two, 1, podium::time_point(i == 1 ? 2s : 1s)});
    }
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 2}, there).best == std::vector<std::uint32_t>{1});
    there[1].started = podium::time_point(1s);
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 2}, there).best ==
        std::vector<std::uint32_t>{0, 1, 2});
}

TEST_CASE("schedule: who may not preempt is told why")
{
    nodes on;
    on.set("n", {2});
    match const two{2};
    on.bind("n", two);
    std::vector<occupant> there{{.node = 0, .pod = &two, .priority = 1}};
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 9, .never = true}, there).ineligible ==
        "not eligible due to preemptionPolicy=Never.");
    there[0].making_room = true;
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 9, .nominated = 0}, there).ineligible ==
        "not eligible due to a terminating pod on the nominated node.");
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 9}, there).best.size() == 1);
    CHECK(schedule::preempt(rules{}, on, two, {.priority = 9}, {}).hopeless.size() == 1);
}

TEST_CASE("schedule: preemption at the ends of what there is")
{
    constexpr auto least = std::numeric_limits<std::int32_t>::min();
    constexpr auto most = std::numeric_limits<std::int32_t>::max();
    nodes on;
    match const two{2};
    for (auto const* name : {"a", "b"}) {
        on.set(name, {2});
        on.bind(name, two);
    }
    std::vector<occupant> there{{0, &two, least, podium::time_point::min(), {0, 0, 9}},
        {1, &two, least, podium::time_point::max(), {1}}, {0, nullptr, least}, {77, &two, least}};
    auto const best = [&](std::int32_t priority, std::vector<std::int64_t> const& budgets) {
        return schedule::preempt(rules{}, on, two, {.priority = priority, .nominated = 78}, there, budgets)
            .best;
    };
    CHECK(best(least, {}).empty());
    CHECK(best(most, {}) == std::vector<std::uint32_t>{1});  // it began last
    CHECK(best(most, {2, 1}) == std::vector<std::uint32_t>{1});
    CHECK(best(most, {2, INT64_MIN}) == std::vector<std::uint32_t>{0});
    CHECK(best(most, {1, INT64_MIN}) == std::vector<std::uint32_t>{1});  // the one on a counts twice
    CHECK(best(most, {INT64_MAX, -1}) == std::vector<std::uint32_t>{0});
}

TEST_CASE("schedule: a node is kept for the pod that it was promised to")
{
    nodes on;
    on.set("a", {4});
    on.set("b", {4});
    rules const r;
    match const three{3};
    schedule::nominations<match> n{.own = 1, .others = {}};
    CHECK(r.decide(on, three, 0, n).node == 1);
    CHECK(r.decide(on, three, 0, n).feasible == 1);
    n = {.own = {}, .others = {{0, three}}};
    CHECK(r.decide(on, three, 0, n).node == 1);
    CHECK(r.explain(on, three, 0, n).decision == r.decide(on, three, 0, n));
    CHECK(r.decide(on, match{1}, 0, n).feasible == 2);
    n.own = 0;  // no longer fits there: anywhere will do
    CHECK(r.decide(on, three, 0, n).node == 1);
    n = {.own = 7, .others = {{9, three}}};  // nodes that there are not
    CHECK(r.decide(on, three, 0, n).feasible == 2);
}

TEST_CASE("schedule: kube-scheduler looks at all of a hundred nodes and at a twentieth of very many")
{
    static_assert(schedule::nodes_to_find(99) == 99);
    static_assert(schedule::nodes_to_find(1000) == 420);
    static_assert(schedule::nodes_to_find(100'000) == 5000);
    static_assert(schedule::nodes_to_find(1000, 100) == 1000);
    static_assert(schedule::nodes_to_find(1000, 5) == 100);
    static_assert(schedule::nodes_to_find(-1) == 0);
    static_assert(schedule::nodes_to_find(INT64_MAX, 100) == INT64_MAX);
    CHECK(schedule::nodes_to_find(INT64_MAX, INT64_MAX) == INT64_MAX);
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: victims are less important, suffice, and not one of them could stay")
    {
        std::mt19937 random(3);
        auto const draw = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
        int found = 0;
        for (int run = 0; run < 300; ++run) {
            nodes on;
            std::vector<match> pods(static_cast<std::size_t>(draw(20)));
            std::vector<occupant> there;
            for (std::uint32_t i = 0; i < 4; ++i)
                on.set(std::to_string(i), {draw(16)});
            for (auto& p : pods) {
                p.cores = draw(5);
                if (draw(3) == 0)
                    p.ports = {{.port = 1 + draw(3)}};
                there.push_back({static_cast<std::uint32_t>(draw(4)), &p, draw(4),
                    podium::time_point(std::chrono::seconds(draw(3))),
                    {static_cast<std::uint32_t>(draw(2))}});
                on.bind(there.back().node, p);
            }
            match const wanted{draw(8), {{.port = 1 + draw(3)}}};
            rules const r;
            std::vector<std::int64_t> const budgets{draw(3), draw(3)};
            auto const p = schedule::preempt(r, on, wanted, {.priority = 3}, there, budgets);
            for (auto const& v : p.candidates) {
                ++found;
                auto without = on;
                for (auto const i : v.pods) {
                    REQUIRE(there[i].node == v.node);
                    REQUIRE(there[i].priority < 3);
                    without.unbind(v.node, *there[i].pod);
                }
                auto const fits = [&] {
                    return r.refused(without, r.prepare(wanted), v.node).plugin == rules::nobody;
                };
                REQUIRE(fits());
                for (auto const i : v.pods) {
                    without.bind(v.node, *there[i].pod);
                    REQUIRE(!fits());
                    without.unbind(v.node, *there[i].pod);
                }
            }
        }
        REQUIRE(found > 100);
    }
}
