#include <podium/schedule/affinity.hpp>
#include <podium/schedule/rebalance.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/spread.hpp>

#include <algorithm>
#include <deque>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct shelf {
    std::int64_t metres = 0;
    int warmth = 0;
};
struct crate {
    std::int64_t metres = 0;
    int warmth = 0;
    friend bool operator==(crate const&, crate const&) = default;
};
using metres = schedule::resource<"metres", &shelf::metres, &crate::metres>;
struct near_warmth {
    static constexpr std::string_view name = "near_warmth";
    static constexpr std::string_view reason = "shelf(s) too warm";
    static bool filter(shelf const& s, crate const& c) { return s.warmth <= c.warmth + 9; }
    static int score(shelf const& s, crate const& c) { return 100 - 10 * std::abs(s.warmth - c.warmth); }
};
/// Whoever leaves takes something from those who stay.
struct popular {
    static constexpr std::string_view name = "popular";
    using facts = schedule::facts<schedule::usage<metres>>;
    static std::int64_t score(auto const& at, crate const&)
    {
        return at.template get<schedule::usage<metres>>().used;
    }
    static int normalize(std::int64_t raw, schedule::range r) { return schedule::by_most(raw, r); }
};

template<class P, int W = 1>
using weighted = schedule::weighted<P, W>;
using warm = schedule::pipeline<shelf, crate, schedule::filters<schedule::fit<metres>, near_warmth>,
    schedule::scores<weighted<near_warmth>>>;
using even = schedule::pipeline<shelf, crate, schedule::filters<schedule::fit<metres>>,
    schedule::scores<weighted<schedule::least_allocated<metres>>>>;
using mixed = schedule::pipeline<shelf, crate, schedule::filters<schedule::fit<metres>, near_warmth>,
    schedule::scores<weighted<schedule::least_allocated<metres>>, weighted<near_warmth, 2>,
        weighted<popular>>>;

/// Neighbours: who must be near whom, and spread over what.
struct dock {
    std::string name{};
    schedule::label_map labels{};
    std::int64_t places = 0;
    std::vector<schedule::taint> taints{};
};
struct robot {
    std::int64_t places = 0;
    schedule::resident self{};
    std::vector<schedule::spread_constraint> spread{};
    friend bool operator==(robot const&, robot const&) = default;
};
schedule::spread_wish spread_of(robot const& r)
{
    return {.labels = r.self.labels, .constraints = r.spread};
}
using places = schedule::resource<"places", &dock::places, &robot::places>;
using beside = schedule::inter_pod_affinity<&dock::labels, &robot::self>;
using apart = schedule::topology_spread<&dock::labels, &dock::name, &dock::taints, &robot::self, &spread_of>;
using hall = schedule::pipeline<dock, robot, schedule::filters<schedule::fit<places>, beside, apart>,
    schedule::scores<weighted<schedule::least_allocated<places>>, weighted<apart>>>;

podium::labels::selector selects(char const* text)
{
    return podium::labels::selector::parse(text).value();
}

template<class Rules>
struct store {
    schedule::snapshot<Rules> on{};
    std::deque<typename Rules::pod_type> pods{};
    std::vector<schedule::tenant<typename Rules::pod_type>> there{};
    void add(std::string id, typename Rules::pod_type p, std::uint32_t slot, std::string owner = {})
    {
        on.bind(slot, pods.emplace_back(std::move(p)));
        there.push_back({.id = std::move(id), .pod = &pods.back(), .node = slot, .owner = std::move(owner)});
    }
    schedule::rebalance_plan plan(schedule::rebalance_policy const& p = {}) const
    {
        return schedule::rebalance(Rules{}, on, there, p).value();
    }
};

/// Each tenant's score with itself taken out, and whether it fits: the definition, by the longest way.
template<class Rules>
std::pair<std::int64_t, std::vector<bool>> judged(store<Rules> const& s)
{
    std::pair<std::int64_t, std::vector<bool>> out;
    for (auto const& t : s.there) {
        auto without = s.on;
        without.unbind(*t.node, *t.pod);
        out.second.push_back(false);
        for (auto const& row : Rules{}.explain(without, *t.pod).nodes)
            if (row.node == *t.node && row.reasons.empty()) {
                out.first += row.score;
                out.second.back() = true;
            }
    }
    return out;
}

/// Carries the plan out, looking at every promise on the way.
template<class Rules>
void check(store<Rules>& s, schedule::rebalance_policy const& policy, schedule::rebalance_plan const& plan)
{
    Rules const rules;
    auto [total, fits] = judged(s);
    REQUIRE(plan.total_before == total);
    REQUIRE(plan.misplaced == static_cast<std::size_t>(std::count(fits.begin(), fits.end(), false)));
    REQUIRE(plan.moves.size() <= policy.max_moves);
    REQUIRE(plan.tried <= policy.max_tries);
    std::map<std::string, std::size_t> ids;
    std::map<std::string, std::size_t> owners;
    for (auto const& m : plan.moves) {
        auto const t =
            std::find_if(s.there.begin(), s.there.end(), [&](auto const& x) { return x.id == m.id; });
        REQUIRE(t != s.there.end());
        REQUIRE(!t->pinned);
        REQUIRE(t->node == m.from);
        REQUIRE(++ids[m.id] == 1);
        if (!t->owner.empty() && policy.max_per_owner)
            REQUIRE(++owners[t->owner] <= *policy.max_per_owner);

        s.on.unbind(m.from, *t->pod);
        REQUIRE(rules.refused(s.on, rules.prepare(*t->pod), m.to).plugin == Rules::nobody);
        int gain = 0;
        for (auto const& row : rules.explain(s.on, *t->pod).nodes)
            if (row.reasons.empty())
                gain += row.node == m.to ? row.score : row.node == m.from ? -row.score : 0;
        REQUIRE(m.gain == gain);
        REQUIRE(m.gain >= policy.least_gain);
        s.on.bind(m.to, *t->pod);
        t->node = m.to;

        auto const [then, still] = judged(s);
        REQUIRE(then > total);
        REQUIRE(m.total == then);
        for (std::size_t i = 0; i < still.size(); ++i)
            REQUIRE((still[i] || !fits[i]));
        total = then;
        fits = still;
    }
    REQUIRE(plan.total_after == total);
}

}  // namespace

TEST_CASE("schedule: the moves that gain most go first, while they gain enough")
{
    store<warm> s;
    s.on.set("cold", {9, 0});
    s.on.set("mild", {3, 5});
    s.on.set("hot", {9, 9});
    s.add("ice", {3, 0}, 1);
    s.add("bread", {3, 6}, 2);
    s.add("soup", {3, 9}, 0);
    auto const plan = s.plan();
    REQUIRE(plan.moves.size() == 3);
    CHECK(plan.moves[0] == schedule::pod_move{.id = "soup", .from = 0, .to = 2, .gain = 90, .total = 220});
    CHECK(plan.moves[1].id == "ice");
    CHECK(plan.moves[2] == schedule::pod_move{.id = "bread", .from = 2, .to = 1, .gain = 20, .total = 290});
    CHECK(plan.total_before == 130);
    CHECK(plan.total_after == 290);
    CHECK(plan.end == schedule::rebalance_end::balanced);

    CHECK(s.plan({.least_gain = 90}).moves.size() == 1);
    CHECK(s.plan({.max_moves = 1}).moves == std::vector{plan.moves[0]});
    CHECK(s.plan({.max_moves = 1}).end == schedule::rebalance_end::max_moves);
    CHECK(s.plan({.max_moves = 3}).end == schedule::rebalance_end::balanced);
    CHECK(s.plan({.max_moves = 0}).total_after == 130);
    s.there[2].pinned = true;
    CHECK(s.plan().moves.size() == 2);
}

TEST_CASE("schedule: a new node takes its share, and no owner is disturbed beyond the budget")
{
    store<even> s;
    s.on.set("a", {8});
    for (auto const* id : {"1", "2", "3", "4"})
        s.add(id, {2}, 0, "bakery");
    s.on.set("b", {8});
    CHECK(s.plan().moves.size() == 2);
    CHECK(s.plan({.max_per_owner = 1}).moves.size() == 1);
    CHECK(s.plan({.max_per_owner = 0}).moves.empty());
    s.there[3].owner = "florist";
    CHECK(s.plan({.max_per_owner = 1}).moves.size() == 2);
    CHECK(s.plan({.max_per_owner = 1}).moves[1].id == "4");
    s.there[0].owner = "";
    s.there[1].owner = "";
    CHECK(s.plan({.max_per_owner = 0}).moves.size() == 2);
}

TEST_CASE("schedule: a pod on a node that refuses it goes first")
{
    store<warm> s;
    s.on.set("oven", {9, 30});
    s.on.set("cold", {9, 0});
    s.add("ice", {3, 0}, 0);
    s.add("wide", {12, 30}, 0);  // nothing takes it
    auto const plan = s.plan();
    CHECK(plan.misplaced == 2);
    CHECK(plan.total_before == 0);
    CHECK(plan.total_after == 100);
    CHECK(plan.moves.size() == 1);
}

TEST_CASE("schedule: nobody's company is moved away")
{
    // The charger would be better elsewhere, but the picker needs it in its aisle.
    store<hall> s;
    for (auto const* name : {"a", "b"})
        s.on.set(name, {.name = name, .labels = {{"aisle", name}}, .places = 10});
    s.add("charger", {.places = 1, .self = {.labels = {{"kind", "charger"}}}}, 0);
    s.add("picker",
        {.places = 8,
            .self = {.affinity = {.required = {{.selector = selects("kind=charger"),
                                      .topology_key = "aisle"}}}}},
        0);
    auto const plan = s.plan();
    CHECK(plan.moves.empty());
    CHECK(plan.tried == 1);
    CHECK(plan.end == schedule::rebalance_end::balanced);
    CHECK(s.plan({.max_tries = 0}).end == schedule::rebalance_end::max_tries);
    s.there.pop_back();  // unless nobody speaks for the picker
    CHECK(s.plan().moves.size() == 1);
}

TEST_CASE("schedule: rebalance: nothing to do, and what is asked wrongly")
{
    store<even> s;
    CHECK(s.plan() == schedule::rebalance_plan{});
    s.on.set("a", {8});
    s.there.push_back({.id = "waits", .pod = &s.pods.emplace_back()});
    CHECK(s.plan() == schedule::rebalance_plan{});
    s.there.push_back({.id = "waits", .pod = nullptr, .node = 3});
    auto const e = schedule::rebalance(even{}, s.on, s.there, {.least_gain = 0});
    REQUIRE(!e);
    CHECK(e.error().code == podium::errc::already_exists);
    CHECK(e.error().further.back().path == "policy.least_gain");
    CHECK(e.error().further.size() == 3);
    CHECK(schedule::to_string(schedule::rebalance_end::max_tries) == "max_tries");
    schedule::scheduler<even> const fleet(s.on);
    s.there.clear();
    CHECK(schedule::rebalance(fleet, s.there).value() == schedule::rebalance_plan{});
}

TEST_SUITE("property")
{
    TEST_CASE_TEMPLATE(
        "schedule: a plan breaks no filter and raises the total with every move", Rules, warm, even, mixed)
    {
        std::size_t moves = 0;
        for (std::uint64_t seed = 1; seed <= 150; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            store<Rules> s;
            auto const count = 1 + random() % 6;
            for (std::uint64_t i = 0; i < count; ++i)
                s.on.set("shelf-" + std::to_string(i), {4 + below(20), below(15)});
            auto const kinds = 1 + random() % 4;
            for (int i = below(14); i > 0; --i) {  // wherever, fitting or not
                crate const c{1 + below(kinds), below(2) * 9};
                auto const owner = below(2) ? std::to_string(below(3)) : "";
                s.add(std::to_string(i), c, static_cast<std::uint32_t>(random() % count), owner);
            }
            for (auto& t : s.there)
                t.pinned = below(6) == 0;
            schedule::rebalance_policy const policy{.max_moves = random() % 8,
                .max_per_owner = below(2) ? std::optional(random() % 3) : std::nullopt,
                .least_gain = 1 + below(20),
                .max_tries = random() % 20};
            auto const before = s.there;
            auto const plan = s.plan(policy);
            REQUIRE(plan == s.plan(policy));
            REQUIRE(s.there == before);
            check(s, policy, plan);
            moves += plan.moves.size();
        }
        CHECK(moves > 50);
    }

    TEST_CASE("schedule: a plan keeps neighbours together, apart and spread")
    {
        std::size_t moves = 0;
        std::size_t tried = 0;
        for (std::uint64_t seed = 1; seed <= 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            store<hall> s;
            auto const count = 2 + random() % 4;
            for (std::uint64_t i = 0; i < count; ++i) {
                auto const name = "dock-" + std::to_string(i);
                s.on.set(name,
                    {.name = name,
                        .labels = {{"aisle", std::to_string(random() % 2)}},
                        .places = 4 + below(9)});
            }
            for (int i = below(12); i > 0; --i) {
                robot r{.places = below(5), .self = {.labels = {{"kind", below(2) ? "picker" : "charger"}}}};
                schedule::affinity_term const term{
                    .selector = selects(below(2) ? "kind=picker" : "kind=charger"), .topology_key = "aisle"};
                if (below(4) == 0)
                    r.self.affinity.required = {term};
                else if (below(4) == 0)
                    r.self.affinity.required_anti = {term};
                if (below(3) == 0)
                    r.spread = {
                        {.topology_key = "aisle", .selector = selects("kind=picker"), .hard = below(2) == 0}};
                s.add(std::to_string(i), r, static_cast<std::uint32_t>(random() % count));
            }
            auto const plan = s.plan();
            check(s, {}, plan);
            moves += plan.moves.size();
            tried += plan.tried;
        }
        CHECK(moves > 100);
        CHECK(tried > 10);
    }
}
