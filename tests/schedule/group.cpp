#include <podium/schedule/group.hpp>
#include <podium/schedule/resources.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct host {
    std::int64_t gpus = 0;
    std::string rack{};
    int power = 0;
};
struct worker {
    std::int64_t gpus = 0;
    std::vector<std::string> not_in{};  ///< racks
    friend bool operator==(worker const&, worker const&) = default;
};
using gpus = schedule::resource<"gpus", &host::gpus, &worker::gpus>;

struct allowed_rack {
    static constexpr std::string_view name = "allowed_rack";
    static constexpr std::string_view reason = "host(s) in a rack that is not allowed";
    static bool filter(host const& h, worker const& w)
    {
        return std::find(w.not_in.begin(), w.not_in.end(), h.rack) == w.not_in.end();
    }
};
struct power {
    static constexpr std::string_view name = "power";
    static std::int64_t score(host const& h, worker const&) { return h.power; }
    static int normalize(std::int64_t raw, schedule::range r) { return schedule::by_most(raw, r); }
};
/// Looks at all nodes, so nothing is remembered: prefers those with less than the mean in use.
struct below_mean {
    static constexpr std::string_view name = "below_mean";
    using facts = schedule::facts<schedule::usage<gpus>>;
    using overview = std::int64_t;
    template<class Nodes>
    static std::int64_t survey(Nodes const& nodes, worker const&)
    {
        std::int64_t sum = 0;
        nodes.for_each([&](auto const& at) { sum += at.template get<schedule::usage<gpus>>().used; });
        return nodes.size() == 0 ? 0 : sum / static_cast<std::int64_t>(nodes.size());
    }
    static int score(auto const& at, worker const&, std::int64_t mean)
    {
        return at.template get<schedule::usage<gpus>>().used <= mean ? 50 : 0;
    }
};

struct moody {
    static constexpr std::string_view name = "moody";
    static int score(host const&, worker const& w) { return w.gpus == 3 ? throw 1 : 1; }
};

using rules = schedule::pipeline<host, worker, schedule::filters<schedule::fit<gpus>, allowed_rack>,
    schedule::scores<schedule::weighted<schedule::least_allocated<gpus>>, schedule::weighted<power, 2>>>;
using spanning = schedule::pipeline<host, worker, schedule::filters<schedule::fit<gpus>, allowed_rack>,
    schedule::scores<schedule::weighted<power>, schedule::weighted<below_mean>>>;

using slots = std::vector<std::optional<std::uint32_t>>;

/// Two racks of two hosts with four GPUs each.
schedule::scheduler<rules> two_racks()
{
    schedule::scheduler<rules> s;
    s.set("a1", {4, "a"});
    s.set("b1", {4, "b"});
    s.set("a2", {4, "a"});
    s.set("b2", {4, "b"});
    return s;
}
std::int64_t used(schedule::scheduler<rules> const& s)
{
    std::int64_t sum = 0;
    s.nodes().for_each([&](auto const& at) { sum += at.template get<schedule::usage<gpus>>().used; });
    return sum;
}
std::optional<std::string_view> rack_of(host const& h)
{
    return h.rack.empty() ? std::nullopt : std::optional<std::string_view>(h.rack);
}
std::optional<std::string> row_of(host const& h)
{
    return h.rack.empty() ? std::nullopt : std::optional(h.rack.substr(0, 1));
}
constexpr auto number_of = [](host const&) { return 1; };

static_assert(schedule::Topology<decltype(&host::rack), host>);
static_assert(schedule::Topology<decltype(&rack_of), host>);
static_assert(schedule::Topology<decltype(&row_of), host>);
static_assert(!schedule::Topology<decltype(&host::power), host>);
static_assert(!schedule::Topology<decltype(number_of), host>);
static_assert(!schedule::Topology<decltype(&rack_of), worker>);

}  // namespace

TEST_CASE("schedule: a group has all its nodes or binds nothing")
{
    auto s = two_racks();
    auto const all = schedule::place_group(s, {{4}, {4}, {4}, {2}, {2}}).value();
    CHECK(all.nodes == slots{0, 1, 2, 3, 3});
    CHECK(all.placed == 5);
    CHECK(all.domain.empty());
    CHECK(all.refused.empty());
    CHECK(used(s) == 16);

    auto t = two_racks();
    auto const none = schedule::place_group(t, {{4}, {4}, {3}, {3}, {2}}).value();
    CHECK(none.nodes == slots(5));
    CHECK(none.placed == 0);
    CHECK(none.score == 0);
    REQUIRE(none.refused.size() == 1);
    CHECK(none.refused[0].member == 4);
    CHECK(none.refused[0].placed_before == 4);
    CHECK(none.refused[0].summary == "0/4 nodes are available: 4 Insufficient gpus.");
    CHECK(used(t) == 0);
    CHECK(t.place({4}).node == 0);
}

TEST_CASE("schedule: a group with fewer members than all goes on without those that fit nowhere")
{
    auto s = two_racks();
    std::vector<worker> const five{{4}, {9}, {4}, {4}, {9}};
    auto const out = schedule::place_group(s, five, {.min_member = 3}).value();
    CHECK(out.nodes == slots{0, std::nullopt, 1, 2, std::nullopt});
    CHECK(out.placed == 3);
    REQUIRE(out.refused.size() == 2);
    CHECK(out.refused[1].member == 4);
    CHECK(out.refused[1].placed_before == 3);

    auto t = two_racks();
    auto const none = schedule::place_group(t, five, {.min_member = 4}).value();
    CHECK(none.placed == 0);
    CHECK(none.refused.size() == 2);
    CHECK(used(t) == 0);
}

TEST_CASE("schedule: what a group asks for wrongly is named")
{
    auto s = two_racks();
    auto const path = [&](std::vector<worker> const& pods, std::optional<std::size_t> least) {
        auto const out = schedule::place_group(s, pods, {.min_member = least});
        REQUIRE(!out);
        CHECK(out.error().code == podium::errc::invalid);
        return out.error().path;
    };
    CHECK(path({}, {}) == "pods");
    CHECK(path({{1}}, 0) == "policy.min_member");
    CHECK(path({{1}}, 2) == "policy.min_member");
    CHECK(schedule::place_group(s, {}, {.min_member = 1}).error().further.size() == 1);
    CHECK(used(s) == 0);
}

TEST_CASE("schedule: deciding about a group binds nothing")
{
    auto s = two_racks();
    auto const told = schedule::decide_group(s, {{4}, {4}}, {}, &host::rack).value();
    CHECK(used(s) == 0);
    CHECK(schedule::place_group(s, {{4}, {4}}, {}, &host::rack).value() == told);
    CHECK(used(s) == 8);
}

TEST_CASE(
    "schedule: a group is packed into the domain that takes most of it, then scores highest, then is first")
{
    std::vector<worker> const pair{{4}, {4}};
    auto s = two_racks();
    auto const first = schedule::place_group(s, pair, {}, &host::rack).value();
    CHECK(first.domain == "a");
    CHECK(first.nodes == slots{0, 2});

    auto fast = two_racks();
    fast.set("b2", {4, "b", 7});
    auto const highest = schedule::place_group(fast, pair, {}, &host::rack).value();
    CHECK(highest.domain == "b");
    CHECK(highest.nodes == slots{3, 1});
    CHECK(highest.score == 200);  // the second member's three nodes have no power at all

    fast.bind("b1", {4});
    auto const most = schedule::decide_group(fast, {{2}, {4}}, {.min_member = 1}, &host::rack).value();
    CHECK(most.domain == "a");
    CHECK(most.placed == 2);
}

TEST_CASE("schedule: a group that no domain takes says why for each")
{
    auto s = two_racks();
    s.set("c1", {8, "c"});
    s.set("lone", {64, ""});  // in no domain
    s.bind("a1", {1});
    std::vector<worker> const three{{.gpus = 4, .not_in = {"c"}}, {4}, {4}};
    auto const out = schedule::place_group(s, three, {}, &rack_of).value();
    CHECK(out.placed == 0);
    CHECK(out.domain.empty());
    REQUIRE(out.refused.size() == 3);
    CHECK(out.refused[0].domain == "a");
    CHECK(out.refused[0].member == 1);
    CHECK(out.refused[0].summary == "0/2 nodes are available: 2 Insufficient gpus.");
    CHECK(out.refused[1].domain == "b");
    CHECK(out.refused[1].member == 2);
    CHECK(out.refused[2].domain == "c");
    CHECK(out.refused[2].member == 0);
    CHECK(out.refused[2].summary == "0/1 nodes are available: 1 host(s) in a rack that is not allowed.");
    CHECK(used(s) == 1);

    auto const in_a_row = schedule::decide_group(s, {{4}, {4}}, {}, &row_of).value();
    CHECK(in_a_row.domain == "c");
    CHECK(in_a_row.nodes == slots{4, 4});

    auto const spilled =
        schedule::decide_group(s, three, {.packing = schedule::packing::preferred}, &rack_of);
    CHECK(spilled->placed == 3);
    CHECK(spilled->domain.empty());

    schedule::scheduler<rules> nowhere;
    nowhere.set("x", {4, ""});
    CHECK(schedule::place_group(nowhere, {{1}}, {}, &host::rack)->refused.at(0).summary ==
        "0/1 nodes are in a domain.");
    nowhere.remove("x");
    CHECK(schedule::place_group(nowhere, {{1}}, {}, &host::rack)->placed == 0);
    CHECK(schedule::place_group(nowhere, {{1}})->refused.at(0).summary ==
        "no nodes available to schedule pods");
}

TEST_CASE("schedule: a preference for one domain costs no member")
{
    auto s = two_racks();
    schedule::group_policy const wish{.min_member = 2, .packing = schedule::packing::preferred};
    auto const all = schedule::decide_group(s, {{4}, {4}, {4}}, wish, &host::rack).value();
    CHECK(all.domain.empty());
    CHECK(all.placed == 3);
    s.bind("b1", {4});
    s.bind("b2", {4});
    auto const same = schedule::decide_group(s, {{4}, {4}, {4}}, wish, &host::rack).value();
    CHECK(same.domain == "a");
    CHECK(same.placed == 2);
    auto const none =
        schedule::decide_group(s, {{4}, {4}, {9}}, {.packing = wish.packing}, &host::rack).value();
    CHECK(none.placed == 0);
    CHECK(none.refused.size() == 3);
    CHECK(none.refused.back().domain.empty());
}

TEST_CASE("schedule: a plugin that throws leaves no member of a group behind")
{
    schedule::scheduler<schedule::pipeline<host, worker, schedule::filters<schedule::fit<gpus>>,
        schedule::scores<schedule::weighted<moody>>>>
        s;
    s.set("a", {8, "a"});
    CHECK_THROWS((void)schedule::place_group(s, {{1}, {3}}));
    CHECK_THROWS((void)schedule::place_group(s, {{1}, {3}}, {}, &host::rack));
    CHECK(s.nodes().pods(0) == 0);
}

TEST_SUITE("property")
{
    TEST_CASE_TEMPLATE("schedule: a group goes where its members would go one by one", Rules, rules, spanning)
    {
        int placed = 0;
        int refused = 0;
        for (std::uint64_t seed = 1; seed <= 150; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            schedule::scheduler<Rules> s;
            auto const racks = static_cast<std::uint64_t>(1 + below(4));
            for (int i = 0, n = 1 + below(10); i < n; ++i)
                s.set("n" + std::to_string(i),
                    {below(9), below(6) ? "rack-" + std::to_string(random() % racks) : "", below(5)});
            for (int i = below(6); i > 0; --i)
                (void)s.place({1 + below(4)});
            std::vector<worker> pods;
            for (int i = 1 + below(7); i > 0; --i)
                pods.push_back({.gpus = 1 + below(4)});
            for (auto& p : pods)
                if (below(4) == 0)
                    p.not_in = {"rack-0"};
            auto const least = 1 + random() % pods.size();
            auto const before = s.nodes();

            auto const check_unchanged = [&] {
                for (auto const& p : pods)
                    REQUIRE(s.rules().decide(s.nodes(), p) == s.rules().decide(before, p));
            };
            // One after the other on a copy, with the nodes of `here` only.
            auto const one_by_one = [&](auto const& here) {
                auto copy = before;
                schedule::group_decision out;
                for (auto const& p : pods) {
                    auto const table = s.rules().explain(copy, p);
                    auto& to = out.nodes.emplace_back();
                    int best = -1;
                    for (auto const& row : table.nodes)
                        if (row.reasons.empty() && here(row.node) && row.score > best) {
                            best = row.score;
                            to = row.node;
                        }
                    if (to) {
                        copy.bind(*to, p);
                        out.score += best;
                        ++out.placed;
                    }
                }
                return out;
            };
            auto const matches = [&](schedule::group_decision const& got,
                                     schedule::group_decision const& want) {
                if (want.placed < least) {
                    ++refused;
                    REQUIRE(got.placed == 0);
                    REQUIRE(!got.refused.empty());
                    return;
                }
                ++placed;
                REQUIRE(got.nodes == want.nodes);
                REQUIRE(got.placed == want.placed);
                REQUIRE(got.score == want.score);
            };

            auto const anywhere = one_by_one([](std::uint32_t) { return true; });
            matches(schedule::decide_group(s, pods, {.min_member = least}).value(), anywhere);
            check_unchanged();

            schedule::group_decision best;
            std::set<std::string> seen;
            before.for_each([&](auto const& at) {
                std::string const rack = at.node.rack;
                if (rack.empty() || !seen.insert(rack).second)
                    return;
                auto const here =
                    one_by_one([&](std::uint32_t slot) { return before.node(slot).rack == rack; });
                if (here.placed >= least &&
                    (best.placed == 0 ||
                        std::pair(here.placed, here.score) > std::pair(best.placed, best.score)))
                    best = here;
            });
            auto const packed = schedule::decide_group(s, pods, {.min_member = least}, &host::rack).value();
            matches(packed, best);
            check_unchanged();

            auto const wish = schedule::place_group(
                s, pods, {.min_member = least, .packing = schedule::packing::preferred}, &host::rack)
                                  .value();
            matches(wish, best.placed >= anywhere.placed ? best : anywhere);
            auto bound = before;
            for (std::size_t i = 0; i < pods.size(); ++i)
                if (wish.nodes[i])
                    bound.bind(*wish.nodes[i], pods[i]);
            for (auto const& p : pods)
                REQUIRE(s.rules().decide(s.nodes(), p) == s.rules().decide(bound, p));
        }
        CHECK(placed > 100);
        CHECK(refused > 50);
    }
}
