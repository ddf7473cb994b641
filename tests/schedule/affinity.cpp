#include <podium/schedule/affinity.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;
namespace labels = podium::labels;
using schedule::affinity_term;
using schedule::resident;

struct rack {
    schedule::label_map labels{};
};
struct robot {
    schedule::resident who{};
};
using plugin = schedule::inter_pod_affinity<&rack::labels, &robot::who>;
using rules =
    schedule::pipeline<rack, robot, schedule::filters<plugin>, schedule::scores<schedule::weighted<plugin>>>;

affinity_term near(char const* selector, char const* key)
{
    return {.selector = labels::selector::parse(selector).value(), .topology_key = key};
}
robot of_app(char const* app, schedule::pod_affinity wish = {}, char const* ns = "default")
{
    return {{.namespace_ = ns, .labels = {{"app", app}}, .affinity = std::move(wish)}};
}
/// Two zones of two nodes.
schedule::scheduler<rules> hall(plugin with = {})
{
    schedule::scheduler<rules> s{rules(with)};
    for (auto const* n : {"a1", "a2", "b1", "b2"})
        s.set(n, {{{"zone", std::string(1, n[0])}, {"host", n}}});
    return s;
}

}  // namespace

TEST_CASE("schedule: a pod goes to the zone of those that it needs, and the first of its kind anywhere")
{
    auto s = hall();
    auto const web = of_app("web", {.required = {near("app=db", "zone")}});
    CHECK(!s.decide(web).node);
    CHECK(s.summary(s.decide(web), web) ==
        "0/4 nodes are available: 4 node(s) didn't match pod affinity rules.");
    s.bind("b1", of_app("db"));
    CHECK(s.name(s.decide(web)) == "b1");

    auto const herd = of_app("herd", {.required = {near("app=herd", "zone")}});
    CHECK(s.name(s.place(herd)) == "a1");
    CHECK(s.decide(herd).feasible == 2);
}

TEST_CASE("schedule: anti-affinity holds both ways")
{
    auto s = hall();
    auto const alone = of_app("alone", {.required_anti = {near("app", "host")}});
    CHECK(s.name(s.place(alone)) == "a1");
    auto const other = of_app("other");
    auto const d = s.decide(other);
    CHECK(s.name(d) == "a2");
    CHECK(d.refused == std::vector<schedule::refused>{{.plugin = 0, .code = 2, .nodes = 1}});
    s.bind("a2", other);
    CHECK(s.decide(alone).feasible == 2);
    s.unbind("a1", alone);
    CHECK(s.decide(other).feasible == 4);
}

TEST_CASE("schedule: preferred terms draw and push, of both sides, scaled to 0 and 100")
{
    auto s = hall();
    auto wish = near("app=db", "zone");
    wish.weight = 10;
    s.bind("b1", of_app("db"));
    CHECK(s.name(s.decide(of_app("web", {.preferred = {wish}}))) == "b1");
    CHECK(s.name(s.decide(of_app("web", {.preferred_anti = {wish}}))) == "a1");
    CHECK(s.name(s.decide(of_app("web"))) == "a1");
    wish.selector = labels::selector::parse("app=web").value();
    s.bind("b2", of_app("cache", {.preferred = {wish}}));
    CHECK(s.name(s.decide(of_app("web"))) == "b1");
}

TEST_CASE("schedule: terms hold in their pod's namespace unless they name others")
{
    auto s = hall({.namespaces = {{"prod", {{"stage", "prod"}}}, {"test", {{"stage", "test"}}}}});
    s.bind("b1", of_app("db", {}, "prod"));
    auto term = near("app=db", "zone");
    CHECK(!s.decide(of_app("web", {.required = {term}})).node);
    term.namespaces = {"prod"};
    CHECK(s.decide(of_app("web", {.required = {term}})).node);
    term.namespaces.clear();
    term.namespace_selector = labels::selector::parse("stage=prod").value();
    CHECK(s.decide(of_app("web", {.required = {term}})).node);
    term.namespace_selector = labels::selector::parse("stage=test").value();
    CHECK(!s.decide(of_app("web", {.required = {term}})).node);
}

TEST_CASE("schedule: what affinity cannot be met says so and harms nobody")
{
    auto s = hall();
    CHECK(!s.decide(of_app("a", {.required = {near("app=a", "planet")}})).node);  // a key that no node has
    CHECK(s.decide(of_app("a", {.required_anti = {near("app=a", "planet")}})).feasible == 4);
    CHECK(!s.decide(of_app("a", {.required = {{.topology_key = "zone"}}})).node);  // selects nothing
    // Each waits for the other.
    CHECK(!s.place(of_app("hen", {.required = {near("app=egg", "zone")}})).node);
    CHECK(!s.place(of_app("egg", {.required = {near("app=hen", "zone")}})).node);
    CHECK(s.place(of_app("fox")).node);

    for (int i = 0; i < 10'000; ++i)  // as many domains as nodes
        s.set("n" + std::to_string(i), {{{"host", "n" + std::to_string(i)}}});
    auto const alone = of_app("alone", {.required_anti = {near("app=alone", "host")}});
    CHECK(s.place(alone, 3).nodes.size() == 3);
    CHECK(s.decide(alone).feasible == 10'001);
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: affinity refuses what a look at every pair of pods refuses")
    {
        std::mt19937 random(11);
        auto const draw = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
        for (int run = 0; run < 200; ++run) {
            schedule::scheduler<rules> s;
            std::vector<rack> racks;
            for (int i = 0; i < 6; ++i) {
                rack r{{{"host", std::to_string(i)}}};
                if (draw(4))
                    r.labels["zone"] = std::to_string(draw(3));
                s.set("n" + std::to_string(i), r);
                racks.push_back(r);
            }
            auto const term = [&] {
                return near(draw(2) ? "app=a" : "app in (a, b)", draw(2) ? "zone" : "host");
            };
            auto const any = [&] {
                schedule::pod_affinity wish;
                if (!draw(3))
                    wish.required = {term()};
                if (!draw(3))
                    wish.required_anti = {term()};
                return of_app(draw(2) ? "a" : draw(2) ? "b" : "c", wish, draw(4) ? "default" : "other");
            };
            std::vector<std::pair<std::size_t, robot>> bound;
            for (int i = draw(8); i > 0; --i) {
                bound.emplace_back(static_cast<std::size_t>(draw(6)), any());
                s.bind("n" + std::to_string(bound.back().first), bound.back().second);
            }
            if (!bound.empty() && draw(2)) {
                s.unbind("n" + std::to_string(bound.back().first), bound.back().second);
                bound.pop_back();
            }
            auto const pod = any();
            auto const meets = [](affinity_term const& t, resident const& owner, resident const& other) {
                return owner.namespace_ == other.namespace_ && t.selector.matches(other.labels);
            };
            auto const same = [&](std::string const& key, std::size_t x, std::size_t y) {
                return racks[x].labels.contains(key) && racks[y].labels.contains(key) &&
                    racks[x].labels.at(key) == racks[y].labels.at(key);
            };
            std::uint32_t feasible = 0;
            for (std::size_t at = 0; at < 6; ++at) {
                bool fits = true;
                for (auto const& t : pod.who.affinity.required) {
                    bool found = false, somewhere = false;
                    for (auto const& [where, other] : bound)
                        if (meets(t, pod.who, other.who)) {
                            found = found || same(t.topology_key, at, where);
                            somewhere = somewhere || racks[where].labels.contains(t.topology_key);
                        }
                    fits = fits && racks[at].labels.contains(t.topology_key) &&
                        (found || (!somewhere && meets(t, pod.who, pod.who)));
                }
                for (auto const& [where, other] : bound) {
                    for (auto const& t : pod.who.affinity.required_anti)
                        fits = fits && !(meets(t, pod.who, other.who) && same(t.topology_key, at, where));
                    for (auto const& t : other.who.affinity.required_anti)
                        fits = fits && !(meets(t, other.who, pod.who) && same(t.topology_key, at, where));
                }
                feasible += fits;
            }
            REQUIRE(s.decide(pod).feasible == feasible);
            REQUIRE(s.explain(pod).decision == s.decide(pod));
        }
    }
}
