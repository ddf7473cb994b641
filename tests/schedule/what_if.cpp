#include <podium/schedule/ports.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/what_if.hpp>

#include <algorithm>
#include <deque>
#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct oven {
    std::int64_t trays = 0;
    bool closed = false;
};
struct batch {
    std::int64_t trays = 0;
    std::vector<schedule::host_port> doors{};
    friend bool operator==(batch const&, batch const&) = default;
};
struct open {
    static constexpr std::string_view name = "open";
    static constexpr std::string_view reason = "oven(s) closed";
    static bool filter(oven const& o, batch const&) { return !o.closed; }
};
using trays = schedule::resource<"trays", &oven::trays, &batch::trays>;
using rules = schedule::pipeline<oven, batch,
    schedule::filters<open, schedule::fit<trays>, schedule::node_ports<&batch::doors>>,
    schedule::scores<schedule::weighted<schedule::least_allocated<trays>>>>;
using nodes = schedule::snapshot<rules>;
using tenant = schedule::tenant<batch>;
using change = schedule::change<rules>;

batch const one{1}, two{2}, four{4};

/// Three ovens: a with 4 of 4 trays taken, b with 2 of 4, c empty.
struct bakery {
    nodes on{};
    std::vector<tenant> there{};
    bakery()
    {
        for (auto const* name : {"a", "b", "c"})
            on.set(name, {4});
        add("rye", two, 0, 1);
        add("rolls", two, 0, 5);
        add("cake", two, 1, 1);
    }
    void add(std::string id, batch const& b, std::optional<std::uint32_t> slot, std::int32_t priority = 0)
    {
        if (slot)
            on.bind(*slot, b);
        there.push_back({.id = std::move(id), .pod = &b, .node = slot, .priority = priority});
    }
    schedule::outlook ask(std::vector<change> const& changes) const
    {
        return schedule::what_if(rules{}, on, there, changes).value();
    }
    podium::error wrong(std::vector<change> const& changes) const
    {
        auto out = schedule::what_if(rules{}, on, there, changes);
        REQUIRE(!out);
        return out.error();
    }
};

std::vector<std::string> told(schedule::outlook const& o)
{
    std::vector<std::string> out;
    for (auto const& f : o.pods)
        out.push_back(f.id + ": " + f.from + " > " + f.to);
    return out;
}
using lines = std::vector<std::string>;

}  // namespace

TEST_CASE("schedule: what if nothing changes: nothing moves")
{
    bakery const b;
    auto const o = b.ask({});
    CHECK(o.pods.empty());
    CHECK(o.before == schedule::occupancy{.nodes = 3, .empty_nodes = 1, .placed = 3, .unplaced = 0});
    CHECK(o.after == o.before);
}

TEST_CASE("schedule: what if ovens are drained: their pods move by priority, and who fits nowhere says why")
{
    bakery const b;
    auto const one_less = b.ask({schedule::drain_nodes{{"a"}}});
    CHECK(told(one_less) == lines{"rolls: a > c", "rye: a > b"});
    CHECK(one_less.pods[0].why == schedule::displacement::drained);
    CHECK(one_less.after == schedule::occupancy{.nodes = 2, .empty_nodes = 0, .placed = 3});

    auto const two_less = b.ask({schedule::drain_nodes{{"a", "c"}}});
    CHECK(told(two_less) == lines{"rolls: a > b", "rye: a > "});
    CHECK(two_less.pods[1].summary == "0/1 nodes are available: 1 Insufficient trays.");
    CHECK(two_less.after == schedule::occupancy{.nodes = 1, .empty_nodes = 0, .placed = 2, .unplaced = 1});
    CHECK(b.ask({schedule::drain_nodes{{"a", "b", "c"}}}).pods[0].summary ==
        "no nodes available to schedule pods");
}

TEST_CASE("schedule: what if more ovens come: who waits is placed")
{
    bakery b;
    b.add("feast", four, {}, 9);
    b.add("feast-2", four, {}, 9);
    b.add("feast-3", four, {}, 9);
    CHECK(told(b.ask({})) == lines{"feast:  > c", "feast-2:  > ", "feast-3:  > "});
    auto const o = b.ask({schedule::add_nodes<oven>{.name = "spare", .count = 2, .node = {4}}});
    CHECK(told(o) == lines{"feast:  > c", "feast-2:  > spare-1", "feast-3:  > spare-2"});
    CHECK(o.before.unplaced == 3);
    CHECK(o.after == schedule::occupancy{.nodes = 5, .empty_nodes = 0, .placed = 6});
    CHECK(told(b.ask({schedule::add_nodes{.name = "big", .node = oven{16}}})).back() == "feast-3:  > big");
}

TEST_CASE("schedule: what if an oven is another: it keeps what fits, the most important first")
{
    bakery const b;
    auto const smaller = b.ask({schedule::change_node<oven>{"a", {3}}});
    CHECK(told(smaller) == lines{"rye: a > c"});
    CHECK(smaller.pods[0].why == schedule::displacement::no_longer_fits);
    CHECK(smaller.pods[0].refusal == "0/1 nodes are available: 1 Insufficient trays.");
    CHECK(told(b.ask({schedule::change_node<oven>{"a", {8}}})).empty());
    CHECK(told(b.ask({schedule::change_node<oven>{"b", {4, true}}})) == lines{"cake: b > c"});
}

TEST_CASE("schedule: what if pods ask for more: they stay where they can")
{
    bakery const b;
    CHECK(told(b.ask({schedule::change_pods<batch>{{"cake"}, four}})).empty());
    auto const both = b.ask({schedule::change_pods<batch>{{"rye", "rolls", "cake"}, four}});
    CHECK(told(both) == lines{"rye: a > c"});  // rolls is more important, and has a for itself
    CHECK(told(b.ask({schedule::change_pods<batch>{{"rye"}, four}})) == lines{"rye: a > c"});
    for (auto const& [trays, pod] : {std::pair(6, four), std::pair(3, one)})
        CHECK(b.ask({schedule::change_pods<batch>{{"rye"}, pod}, schedule::change_node<oven>{"a", {trays}}})
                .pods.empty());
}

TEST_CASE("schedule: what if pods come and go")
{
    bakery const b;
    auto const o = b.ask({schedule::add_pods<batch>{.id = "loaf", .count = 3, .pod = two, .priority = 3},
        schedule::remove_pods{{"rye"}}, schedule::drain_nodes{{"c"}}});
    CHECK(told(o) == lines{"loaf-1:  > a", "loaf-2:  > b", "loaf-3:  > "});
    CHECK(o.pods[0].why == schedule::displacement::added);
    CHECK(o.after == schedule::occupancy{.nodes = 2, .empty_nodes = 0, .placed = 4, .unplaced = 1});
    auto const nobody =
        b.ask({schedule::add_pods<batch>{.id = "x", .pod = one}, schedule::remove_pods{{"x", "cake"}}});
    CHECK(nobody.pods.empty());
    CHECK(nobody.after.placed == 2);
    using some = schedule::add_pods<batch>;
    auto const many =
        b.ask({some{.id = "bun", .count = 300, .pod = one}, schedule::remove_pods{{"bun-7", "rye"}},
            some{.id = "bun-7", .pod = two}, some{.id = "rye", .pod = four, .priority = 9}});
    REQUIRE(many.pods.size() == 301);
    CHECK(told(many).front() == "rye:  > c");
    CHECK(told(many).back() == "bun-7:  > ");
    CHECK(many.after.placed + many.after.unplaced == 303);
    // A name is free again, and a slot too.
    CHECK(told(b.ask({schedule::drain_nodes{{"c"}}, schedule::add_nodes<oven>{.name = "c", .node = {4}},
              schedule::drain_nodes{{"a"}}})) == lines{"rolls: a > c", "rye: a > b"});
    CHECK(told(b.ask({schedule::change_node<oven>{"a", {1}}, schedule::drain_nodes{{"a"}},
              schedule::add_nodes<oven>{.name = "a", .node = {4}}})) == lines{"rolls: a > a", "rye: a > c"});
}

TEST_CASE("schedule: what if: what is asked wrongly is named, all of it")
{
    bakery b;
    auto const e = b.wrong({schedule::drain_nodes{{"a", "nobody"}}, schedule::change_node<oven>{"a", {}},
        schedule::change_pods<batch>{{"nothing"}, one}, schedule::add_pods<batch>{.id = "", .count = 0}});
    CHECK(e.code == podium::errc::not_found);
    CHECK(e.text() ==
        "changes[0].names[1]: there is no node of this name then\n"
        "changes[1].name: there is no node of this name then\n"
        "changes[2].ids[0]: there is no pod of this id then\n"
        "changes[3].id: must not be empty\n"
        "changes[3].count: must be 1 to 1000000");
    CHECK(b.wrong({schedule::add_nodes<oven>{.name = "a"}}).code == podium::errc::already_exists);
    CHECK(b.wrong({schedule::add_pods<batch>{.id = "rye"}}).path == "changes[0].id");
    CHECK(b.wrong({schedule::remove_pods{{"rye", "rye"}}}).path == "changes[0].ids[1]");

    b.there.push_back({.id = "rye", .pod = nullptr, .node = 7});
    b.there.push_back({.id = "", .pod = &one, .node = 2});
    CHECK(b.wrong({}).text() ==
        "tenants[3].id: another tenant has this id\n"
        "tenants[3].pod: must point to a pod\n"
        "tenants[3].node: the snapshot has no node in this slot\n"
        "tenants[4].id: must not be empty\n"
        "tenants[4].node: must be a node that it is bound to: fewer pods are bound there");
    b.there.resize(3);
    b.on.remove("b");
    CHECK(b.wrong({}).path == "tenants[2].node");
}

TEST_CASE("schedule: what if is asked of a scheduler, and changes none of its nodes")
{
    bakery const b;
    schedule::scheduler<rules> s(b.on);
    auto const version = s.nodes().version();
    auto const o = schedule::what_if(s, b.there, {schedule::drain_nodes{{"a"}}});
    CHECK(o.value() == b.ask({schedule::drain_nodes{{"a"}}}));
    CHECK(s.nodes().version() == version);
    CHECK(s.nodes().size() == 3);
    CHECK(schedule::to_string(o->pods[0].why) == "drained");
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: what if nodes are drained equals draining them")
    {
        std::size_t moved = 0;
        std::size_t stranded = 0;
        for (std::uint64_t seed = 1; seed <= 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            schedule::scheduler<rules> s;
            auto const count = 2 + random() % 8;
            for (std::uint64_t i = 0; i < count; ++i)
                s.set("oven-" + std::to_string(i), {2 + below(8)});
            std::deque<batch> pods;
            std::vector<tenant> there;
            for (int i = below(24); i > 0; --i) {
                auto const& b = pods.emplace_back(batch{1 + below(4)});
                if (below(3) == 0)
                    pods.back().doors = {{.port = 1 + below(2)}};
                there.push_back({.id = "batch-" + std::to_string(i),
                    .pod = &b,
                    .node = s.place(b).node,
                    .priority = below(3)});
            }
            auto const nothing = schedule::what_if(s, there, {}).value();
            for (auto const& f : nothing.pods)
                REQUIRE(f.to.empty());
            REQUIRE(nothing.after == nothing.before);

            schedule::drain_nodes drained;
            for (std::uint64_t i = 0; i < count; ++i)
                if (below(3) == 0)
                    drained.names.push_back("oven-" + std::to_string(i));
            auto const o = schedule::what_if(s, there, {drained}).value();
            REQUIRE(o == schedule::what_if(s, there, {drained}).value());

            // The same by hand.
            std::vector<tenant> out;
            for (auto const& name : drained.names) {
                auto const slot = s.nodes().find(name);
                for (auto const& t : there)
                    if (t.node && t.node == slot)
                        s.unbind(name, *t.pod);
            }
            auto const goes = [&](std::uint32_t slot) {
                return std::count(drained.names.begin(), drained.names.end(), s.nodes().name(slot)) != 0;
            };
            for (auto const& t : there)
                if (!t.node || goes(*t.node))
                    out.push_back(t);
            for (auto const& name : drained.names)
                s.remove(name);
            std::vector<tenant> in_order;
            for (int priority = 2; priority >= 0; --priority)
                for (auto const& t : out)
                    if (t.priority == priority)
                        in_order.push_back(t);
            out = in_order;
            REQUIRE(o.pods.size() == out.size());
            for (std::size_t i = 0; i < out.size(); ++i) {
                auto const d = s.place(*out[i].pod);
                REQUIRE(o.pods[i].id == out[i].id);
                REQUIRE(o.pods[i].decision == d);
                REQUIRE(o.pods[i].to == s.name(d));
                REQUIRE(o.pods[i].summary == (d.node ? "" : s.summary(d, *out[i].pod)));
                ++(d.node ? moved : stranded);
            }
            REQUIRE(o.after.nodes == s.nodes().size());
            REQUIRE(o.after.placed + o.after.unplaced == there.size());
        }
        CHECK(moved > 100);
        CHECK(stranded > 100);
    }

    TEST_CASE("schedule: what if: nobody is lost, and whoever has a changed node fits it")
    {
        for (std::uint64_t seed = 1; seed <= 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            schedule::scheduler<rules> s;
            for (int i = 0; i < 6; ++i)
                s.set("oven-" + std::to_string(i), {2 + below(8)});
            std::deque<batch> pods;
            std::vector<tenant> there;
            for (int i = below(20); i > 0; --i) {
                auto const& b = pods.emplace_back(batch{1 + below(4)});
                there.push_back({.id = std::to_string(i), .pod = &b, .node = s.place(b).node});
            }
            std::vector<change> changes;
            std::vector<std::string> gone;
            auto const some_oven = [&] { return "oven-" + std::to_string(below(6)); };
            for (int i = below(5); i > 0; --i)
                switch (below(3)) {
                case 0:
                    if (auto const name = some_oven(); std::count(gone.begin(), gone.end(), name) == 0) {
                        changes.push_back(schedule::drain_nodes{{name}});
                        gone.push_back(name);
                    }
                    break;
                case 1:
                    if (auto const name = some_oven(); std::count(gone.begin(), gone.end(), name) == 0)
                        changes.push_back(schedule::change_node<oven>{name, {below(10), below(5) == 0}});
                    break;
                default:
                    if (!there.empty())
                        changes.push_back(schedule::change_pods<batch>{
                            {there[random() % there.size()].id}, batch{1 + below(6)}});
                }
            auto const o = schedule::what_if(s, there, changes).value();
            REQUIRE(o.after.placed + o.after.unplaced == there.size());
            REQUIRE(o.before.placed + o.before.unplaced == there.size());

            // No node that there is at the end has more on it than it takes.
            for (auto const& c : changes) {
                if (auto const* d = std::get_if<schedule::drain_nodes>(&c))
                    s.remove(d->names[0]);
                else if (auto const* n = std::get_if<schedule::change_node<oven>>(&c))
                    s.set(n->name, n->node);
                else if (auto const* p = std::get_if<schedule::change_pods<batch>>(&c))
                    for (auto& t : there)
                        if (t.id == p->ids[0]) {
                            if (t.node) {
                                s.unbind(s.nodes().name(*t.node), *t.pod);
                                s.bind(s.nodes().name(*t.node), p->pod);
                            }
                            t.pod = &p->pod;
                        }
            }
            for (auto const& f : o.pods)
                for (auto const& t : there)
                    if (t.id == f.id) {
                        if (!f.from.empty())
                            s.unbind(f.from, *t.pod);
                        if (!f.to.empty())
                            s.bind(f.to, *t.pod);
                    }
            s.nodes().for_each([&](auto const& at) {
                REQUIRE(at.template get<schedule::usage<trays>>().free() >= 0);
                REQUIRE((!at.node.closed || s.nodes().pods(at.slot) == 0));
            });
        }
    }
}
