#include <podium/schedule/affinity.hpp>
#include <podium/schedule/evictions.hpp>
#include <podium/schedule/ports.hpp>
#include <podium/schedule/resources.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;
using namespace std::chrono_literals;

struct machine {
    std::int64_t cores = 0;
    schedule::label_map labels{};
};
struct match {
    std::int64_t cores = 0;
    std::vector<schedule::host_port> ports{};
    schedule::resident self{};
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using fits = schedule::fit<cores>;
using ports = schedule::node_ports<&match::ports>;
using scored = schedule::scores<schedule::weighted<schedule::least_allocated<cores>>>;
using rules = schedule::pipeline<machine, match, schedule::filters<fits, ports>, scored>;
using neighbourly = schedule::pipeline<machine, match,
    schedule::filters<fits, ports, schedule::inter_pod_affinity<&machine::labels, &match::self>>, scored>;

/// A filter whose pods cannot be told alike: it reads the pod itself.
struct even_only {
    static constexpr std::string_view name = "even_only";
    static constexpr std::string_view reason = "odd";
    using facts = schedule::facts<schedule::usage<cores>>;
    static bool filter(auto const& at, match const& m)
    {
        return (at.template get<schedule::usage<cores>>().used + m.cores) % 2 == 0;
    }
};
using nameless = schedule::pipeline<machine, match, schedule::filters<even_only, fits>, scored>;
static_assert(!nameless::request::comparable);

constexpr auto least = std::numeric_limits<std::int32_t>::min();
constexpr auto most = std::numeric_limits<std::int32_t>::max();

/// A snapshot, an index and what `preempt` needs to say the same.
template<class Pipeline>
struct hall {
    using occupant = schedule::occupant<match>;
    struct promise {
        std::uint32_t node = 0;
        match pod{};
        std::int32_t priority = 0;
    };

    Pipeline rules{};
    schedule::snapshot<Pipeline> nodes{};
    schedule::evictions<Pipeline> index{{}, 3};
    std::map<std::uint32_t, occupant> occupants{};
    std::map<std::uint32_t, promise> promises{};
    std::vector<std::int64_t> budgets{};

    bool add(std::uint32_t id, occupant o)
    {
        nodes.bind(o.node, *o.pod);
        bool const added = index.add(id, o);
        occupants.emplace(id, std::move(o));
        return added;
    }
    bool remove(std::uint32_t id)
    {
        auto const& o = occupants.at(id);
        nodes.unbind(o.node, *o.pod);
        occupants.erase(id);
        return index.remove(id);
    }
    void allow(std::uint32_t budget, std::int64_t disruptions)
    {
        index.allow(budget, disruptions);
        if (budgets.size() <= budget)
            budgets.resize(budget + 1, std::numeric_limits<std::int64_t>::max());
        budgets[budget] = disruptions;
    }

    [[nodiscard]] schedule::preemption expected(
        match const& pod, schedule::preemptor const& who, std::optional<std::uint32_t> own) const
    {
        std::vector<std::uint32_t> ids;
        std::vector<occupant> all;
        for (auto const& [id, o] : occupants) {
            ids.push_back(id);
            all.push_back(o);
        }
        schedule::nominations<match> nominated;
        for (auto const& [number, p] : promises)
            if (own != number && p.priority >= who.priority)
                nominated.others.emplace_back(p.node, p.pod);
        auto out = schedule::preempt(rules, nodes, pod, who, all, budgets, nominated);
        for (auto& c : out.candidates)
            for (auto& i : c.pods)
                i = ids[i];
        return out;
    }

    /// All that the index says of this pod is what `preempt` says. How many candidates there are.
    std::size_t agree(match const& pod, schedule::preemptor const& who, std::optional<std::uint32_t> own = {})
    {
        auto const right = expected(pod, who, own);
        REQUIRE(index.explain(nodes, pod, who, own) == right);
        auto const found = index.find(nodes, pod, who, own);
        REQUIRE(found.ineligible == right.ineligible);
        REQUIRE(found.candidates == right.candidates.size());
        REQUIRE(found.equals == right.best.size());
        REQUIRE(found.best.has_value() == !right.best.empty());
        if (found.best) {
            REQUIRE(found.best->node == right.best.front());
            REQUIRE(std::count(right.candidates.begin(), right.candidates.end(), *found.best) == 1);
        }
        REQUIRE(index.find(nodes, pod, who, own) == found);  // asking changes nothing
        return right.candidates.size();
    }
};

template<class Pipeline>
void run_side_by_side(unsigned seed, int steps)
{
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    auto const draw = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    auto const some = [&](auto& from) {
        return std::next(from.begin(), draw(static_cast<int>(from.size())));
    };
    auto const pod = [&] {
        match m{.cores = draw(5),
            .ports = {},
            .self = {.namespace_ = "n", .labels = {{"game", std::to_string(draw(2))}}}};
        if (draw(4) == 0)
            m.ports = {{.port = 1 + draw(3)}};
        if (draw(12) == 0)
            (draw(3) == 0 ? m.self.affinity.required : m.self.affinity.required_anti)
                .push_back({.selector = *podium::labels::selector::parse("game=" + std::to_string(draw(2))),
                    .topology_key = "room"});
        return m;
    };
    std::vector<match> wishes;
    for (int i = 0; i < 4; ++i) {
        wishes.push_back(pod());
        wishes.back().cores += 2;
    }
    std::vector<std::int32_t> const priorities{least, -1, 0, 1, 2, 3, most};
    std::vector<std::unique_ptr<match>> pods;
    std::map<std::uint32_t, std::pair<std::string, match const*>> strangers;  // bound, and not occupants
    hall<Pipeline> h;
    std::uint32_t next = 1000;
    auto const node = [&] { return "node" + std::to_string(draw(6)); };
    auto const somewhere = [&]() -> std::optional<std::uint32_t> { return h.nodes.find(node()); };
    std::size_t found = 0;
    for (int step = 0; step < steps; ++step) {
        CAPTURE(step);
        switch (draw(12)) {
        case 0:
            h.nodes.set(node(), {.cores = draw(12), .labels = {{"room", std::to_string(draw(3))}}});
            break;
        case 1:
            if (draw(6) == 0)
                h.nodes.remove(node());
            break;
        case 2: h.allow(static_cast<std::uint32_t>(draw(3)), draw(6) - 1); break;
        case 3:
            if (!h.occupants.empty()) {
                auto const at = some(h.occupants);
                at->second.making_room = true;
                REQUIRE(h.index.make_room(at->first));
            }
            break;
        case 4:
            if (auto const slot = somewhere(); slot && draw(2) == 0) {
                auto const p = pod();
                auto const priority = *some(priorities);
                h.promises[next] = {*slot, p, priority};
                REQUIRE(h.index.keep(next++, *slot, p, priority));
            } else if (!h.promises.empty()) {
                auto const at = some(h.promises);
                REQUIRE(h.index.release(at->first));
                h.promises.erase(at);
            }
            break;
        case 5:
            if (auto const name = node(); draw(4) == 0 && h.nodes.find(name)) {
                pods.push_back(std::make_unique<match>(pod()));
                h.nodes.bind(name, *pods.back());
                strangers[next++] = {name, pods.back().get()};
            } else if (!strangers.empty()) {
                auto const at = some(strangers);
                h.nodes.unbind(at->second.first, *at->second.second);
                strangers.erase(at);
            }
            break;
        case 6:
        case 7:
            if (!h.occupants.empty())
                REQUIRE(h.remove(some(h.occupants)->first));
            break;
        default:
            if (auto const slot = somewhere()) {
                pods.push_back(std::make_unique<match>(pod()));
                std::vector<std::uint32_t> budgets;
                for (int b = draw(3); b > 0; --b)
                    budgets.push_back(static_cast<std::uint32_t>(draw(4)));
                auto const id = draw(2) == 0 ? next++ : 999 - static_cast<std::uint32_t>(step);
                REQUIRE(h.add(id,
                    {.node = *slot,
                        .pod = pods.back().get(),
                        .priority = *some(priorities),
                        .started = podium::time_point(std::chrono::seconds(draw(3))),
                        .budgets = budgets}));
            }
        }
        if (draw(8) == 0)  // a class that has missed some
            continue;
        schedule::preemptor who{.priority = *some(priorities)};
        if (draw(4) == 0)
            who.nominated = static_cast<std::uint32_t>(draw(7));
        auto own = h.promises.empty() || draw(2) == 0 ? std::nullopt : std::optional(some(h.promises)->first);
        found += h.agree(*some(wishes), who, own);
    }
    REQUIRE(found > 0);
}

}  // namespace

TEST_CASE("schedule: the index of evictions follows what comes and goes")
{
    hall<rules> h;
    match const two{2}, four{4};
    for (auto const* name : {"a", "b", "c"})
        h.nodes.set(name, {.cores = 4});
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        CHECK(h.add(2 * slot, {.node = slot, .pod = &two, .priority = 1}));
        CHECK(h.add(2 * slot + 1, {.node = slot, .pod = &two, .priority = 2}));
    }
    auto const find = [&](match const& m, std::int32_t priority) {
        h.agree(m, {.priority = priority});
        return h.index.find(h.nodes, m, {.priority = priority});
    };
    CHECK(find(two, 9) ==
        schedule::eviction{
            .ineligible = {}, .best = schedule::victims{0, {0}, 0}, .equals = 3, .candidates = 3});
    CHECK(find(four, 9).best == schedule::victims{0, {1, 0}, 0});
    CHECK(find(two, 1) == schedule::eviction{});
    CHECK(h.remove(0));
    CHECK(find(two, 9).candidates == 2);  // fits on a as it is
    CHECK(find(four, 9).best == schedule::victims{0, {1}, 0});
    h.nodes.remove("a");
    CHECK(find(four, 9).best == schedule::victims{1, {3, 2}, 0});
    CHECK(h.index.keep(7, 1, four, 9));
    h.promises[7] = {1, four, 9};
    CHECK(find(four, 9).best == schedule::victims{2, {5, 4}, 0});
    CHECK(find(four, 10).best == schedule::victims{1, {3, 2}, 0});  // more important than who was promised it
    CHECK(h.index.find(h.nodes, four, {.priority = 9, .nominated = 1}, 7).best->node == 1);
    CHECK(h.index.make_room(2));
    h.occupants[2].making_room = true;
    CHECK(h.index.find(h.nodes, four, {.priority = 9, .nominated = 1}, 7).ineligible ==
        "not eligible due to a terminating pod on the nominated node.");
    h.agree(four, {.priority = 9, .nominated = 1}, 7);
    CHECK(h.index.find(h.nodes, four, {.priority = 9, .never = true}).ineligible ==
        "not eligible due to preemptionPolicy=Never.");
}

TEST_CASE("schedule: a budget that is used up moves the choice")
{
    hall<rules> h;
    match const two{2};
    for (std::uint32_t slot = 0; slot < 3; ++slot) {
        h.nodes.set(std::to_string(slot), {.cores = 2});
        h.add(slot, {.node = slot, .pod = &two, .priority = 1, .budgets = {slot == 0 ? 5u : 6u}});
    }
    auto const best = [&] {
        h.agree(two, {.priority = 9});
        auto const found = h.index.find(h.nodes, two, {.priority = 9});
        return std::pair(found.best->node, found.best->violations);
    };
    CHECK(best() == std::pair(0u, 0u));
    h.allow(5, 0);
    CHECK(best() == std::pair(1u, 0u));
    h.allow(6, -3);
    CHECK(best() == std::pair(0u, 1u));
    h.allow(6, std::numeric_limits<std::int64_t>::min());
    CHECK(best() == std::pair(0u, 1u));
    h.allow(5, std::numeric_limits<std::int64_t>::max());
    CHECK(best() == std::pair(0u, 0u));
}

TEST_CASE("schedule: what an index of evictions is told wrongly changes nothing")
{
    hall<rules> h;
    match const two{2};
    CHECK(h.index.find(h.nodes, two, {.priority = 9}) == schedule::eviction{});
    h.nodes.set("a", {.cores = 2});
    CHECK(h.add(1, {.node = 0, .pod = &two, .priority = 1}));
    auto const before = h.index.find(h.nodes, two, {.priority = 9});
    CHECK(before.best == schedule::victims{0, {1}, 0});
    CHECK_FALSE(h.index.add(1, {.node = 0, .pod = &two, .priority = 2}));
    CHECK_FALSE(h.index.add(1, {.node = 8, .pod = &two, .priority = 2}));
    CHECK_FALSE(h.index.add(2, {.node = 0, .pod = nullptr}));
    CHECK_FALSE(h.index.remove(2));
    CHECK_FALSE(h.index.make_room(2));
    CHECK_FALSE(h.index.release(2));
    CHECK(h.index.size() == 1);
    CHECK(h.index.find(h.nodes, two, {.priority = 9}) == before);

    // A node that is not there, now or ever.
    CHECK(h.index.add(2, {.node = 1, .pod = &two, .priority = 1}));
    CHECK(h.index.add(3, {.node = std::numeric_limits<std::uint32_t>::max(), .pod = &two, .priority = 1}));
    CHECK(h.index.keep(4, std::numeric_limits<std::uint32_t>::max(), two, most));
    CHECK_FALSE(h.index.keep(4, 0, two, most));
    CHECK(h.index.find(h.nodes, two, {.priority = 9, .nominated = 77}, 4) == before);
    h.nodes.set("b", {.cores = 1});  // slot 1 has an occupant, and nothing bound
    CHECK(h.index.find(h.nodes, two, {.priority = 9}) == before);
    CHECK(h.index.remove(2));
    CHECK(h.index.remove(3));
    CHECK(h.index.release(4));
    h.agree(two, {.priority = 9});

    // The ends of what there is.
    CHECK(h.remove(1));
    CHECK(h.add(5, {.node = 0, .pod = &two, .priority = least, .started = podium::time_point::min()}));
    CHECK(h.agree(two, {.priority = least}) == 0);
    CHECK(h.agree(two, {.priority = least + 1}) == 1);
    CHECK(h.remove(5));
    CHECK(h.add(5, {.node = 0, .pod = &two, .priority = most, .started = podium::time_point::max()}));
    CHECK(h.agree(two, {.priority = most}) == 0);
}

TEST_CASE(
    "schedule: an index of evictions that is asked about another snapshot starts afresh or stays in bounds")
{
    hall<rules> h;
    match const two{2};
    for (std::uint32_t slot = 0; slot < 100; ++slot) {
        h.nodes.set(std::to_string(slot), {.cores = 2});
        h.add(slot, {.node = slot, .pod = &two, .priority = 1});
    }
    CHECK(h.agree(two, {.priority = 9}) == 100);
    schedule::snapshot<rules> other;
    CHECK(h.index.find(other, two, {.priority = 9}) == schedule::eviction{});
    other.set("0", {.cores = 2});
    other.bind("0", two);
    CHECK(h.index.find(other, two, {.priority = 9}).candidates == 1);
    auto copy = h.index;
    CHECK(h.agree(two, {.priority = 9}) == 100);
    CHECK(copy.find(h.nodes, two, {.priority = 9}) == h.index.find(h.nodes, two, {.priority = 9}));
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: the index of evictions and preempt agree at each step")
    {
        for (unsigned seed = 1; seed <= 10; ++seed)
            run_side_by_side<rules>(seed, 400);
    }
    TEST_CASE("schedule: the index of evictions and preempt agree where pods look at other nodes")
    {
        for (unsigned seed = 1; seed <= 10; ++seed)
            run_side_by_side<neighbourly>(seed, 300);
    }
    TEST_CASE("schedule: the index of evictions and preempt agree where pods cannot be told alike")
    {
        for (unsigned seed = 1; seed <= 5; ++seed)
            run_side_by_side<nameless>(seed, 200);
    }
}
