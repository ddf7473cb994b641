#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/spread.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;
namespace labels = podium::labels;
using schedule::spread_constraint;

struct rack {
    std::string name{};
    schedule::label_map labels{};
    std::vector<schedule::taint> taints{};
};
struct robot {
    schedule::resident who{};
    schedule::spread_wish wish{};
};
using plugin =
    schedule::topology_spread<&rack::labels, &rack::name, &rack::taints, &robot::who, &robot::wish>;
using rules =
    schedule::pipeline<rack, robot, schedule::filters<plugin>, schedule::scores<schedule::weighted<plugin>>>;

spread_constraint over(char const* key, bool hard = true)
{
    return {.topology_key = key, .selector = labels::selector::parse("app=web").value(), .hard = hard};
}
robot web(std::vector<spread_constraint> constraints)
{
    schedule::label_map const own{{"app", "web"}};
    return {.who = {.namespace_ = "default", .labels = own},
        .wish = {.namespace_ = "default", .labels = own, .constraints = std::move(constraints)}};
}
rack in_zone(std::string name, std::string zone)
{
    return {.name = name, .labels = {{"zone", zone}, {"kubernetes.io/hostname", name}}};
}
schedule::scheduler<rules> hall()
{
    schedule::scheduler<rules> s;
    for (auto const* n : {"a1", "a2", "b1", "b2"})
        s.set(n, in_zone(n, std::string(1, n[0])));
    return s;
}

}  // namespace

TEST_CASE("schedule: a hard constraint keeps zones within its skew")
{
    auto s = hall();
    auto const pod = web({over("zone")});
    std::map<char, int> zones;
    for (int i = 0; i < 7; ++i) {
        ++zones[s.name(s.place(pod))[0]];
        CHECK(std::abs(zones['a'] - zones['b']) <= 1);
    }
    CHECK(zones['a'] + zones['b'] == 7);
}

TEST_CASE("schedule: a node without the key is refused for good; too few domains count as an empty one")
{
    auto s = hall();
    s.set("c1", {.name = "c1"});
    auto pod = web({over("zone")});
    CHECK(s.decide(pod).feasible == 4);
    CHECK(s.explain(pod).nodes.back().reasons.at(0).unresolvable);
    pod.wish.constraints[0].min_domains = 3;
    CHECK(s.place(pod).node);
    CHECK(s.place(pod).node);
    CHECK(!s.place(pod).node);  // both zones are one ahead of the third, which there is not
    CHECK(s.summary(s.decide(pod), pod) ==
        "0/5 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required "
        "label), 4 node(s) didn't match pod topology spread constraints.");
}

TEST_CASE("schedule: nodes that the pod could not use count, or not, as the policies say")
{
    auto s = hall();
    auto bad = in_zone("c1", "c");
    bad.taints = {{.key = "broken"}};
    s.set("c1", bad);
    auto pod = web({over("zone")});
    s.bind("a1", pod);
    s.bind("b1", pod);
    CHECK(s.decide(pod).feasible == 1);  // c is empty, so only c will do
    pod.wish.constraints[0].honor_taints = true;
    CHECK(s.decide(pod).feasible == 5);
    pod.wish.constraints[0].honor_taints = false;
    pod.wish.choice.labels = {{"zone", "a"}};
    CHECK(s.decide(pod).feasible == 5);  // only a counts; what else the choice rules out is its own plugin's
    pod.wish.constraints[0].honor_affinity = false;
    CHECK(s.decide(pod).feasible == 1);
}

TEST_CASE("schedule: a soft constraint prefers the emptier domain, and leaves out who has none")
{
    auto s = hall();
    s.set("x", {.name = "x"});
    auto const pod = web({over("zone", false), over("kubernetes.io/hostname", false)});
    std::map<std::string, int> nodes;
    for (int i = 0; i < 8; ++i)
        ++nodes[std::string(s.name(s.place(pod)))];
    CHECK(nodes == std::map<std::string, int>{{"a1", 2}, {"a2", 2}, {"b1", 2}, {"b2", 2}});
    CHECK(s.explain(pod).nodes.back().raw == std::vector<std::int64_t>{schedule::not_scored});
    CHECK(s.explain(pod).nodes.back().score == 0);
}

TEST_CASE("schedule: pods that are on their way out, elsewhere, or selected by nothing do not count")
{
    auto s = hall();
    auto pod = web({over("zone")});
    auto leaving = pod;
    leaving.who.terminating = true;
    s.bind("a1", leaving);
    auto foreign = pod;
    foreign.who.namespace_ = "other";
    s.bind("a1", foreign);
    CHECK(s.decide(pod).feasible == 4);
    pod.wish.constraints[0].selector = {};
    s.bind("a1", web({}));
    CHECK(s.decide(pod).feasible == 4);
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: spreading refuses what counting pod by pod refuses")
    {
        std::mt19937 random(5);
        auto const draw = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
        for (int run = 0; run < 300; ++run) {
            schedule::scheduler<rules> s;
            std::vector<std::string> zone(6);
            for (std::size_t i = 0; i < 6; ++i) {
                auto r = in_zone("n" + std::to_string(i), zone[i] = std::to_string(draw(3)));
                if (!draw(5))
                    r.labels.erase("zone"), zone[i].clear();
                s.set(r.name, r);
            }
            auto pod = web({over("zone")});
            auto& c = pod.wish.constraints[0];
            c.max_skew = 1 + draw(3);
            c.min_domains = 1 + draw(4);
            std::map<std::string, int> count;
            for (auto const& z : zone)
                if (!z.empty())
                    count[z];
            for (int i = draw(10); i > 0; --i) {
                auto const at = static_cast<std::size_t>(draw(6));
                s.bind("n" + std::to_string(at), pod);
                if (!zone[at].empty())
                    ++count[zone[at]];
            }
            int least = 0;
            if (static_cast<int>(count.size()) >= c.min_domains && !count.empty())
                least = std::min_element(count.begin(), count.end(), [](auto const& a, auto const& b) {
                    return a.second < b.second;
                })->second;
            std::uint32_t feasible = 0;
            for (auto const& z : zone)
                feasible += !z.empty() && count[z] + 1 - least <= c.max_skew;
            REQUIRE(s.decide(pod).feasible == feasible);
        }
    }
}
