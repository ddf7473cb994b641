#include <podium/schedule/resources.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/taints.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct machine {
    std::int64_t cores = 0, ram_mb = 0, slots = 0;
    int zone = 0;
    std::vector<schedule::taint> taints{};
};
struct match {
    std::int64_t cores = 0, ram_mb = 0;
    int zone = 0;
    std::vector<schedule::toleration> tolerations{};
    friend bool operator==(match const&, match const&) = default;
};

using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using ram = schedule::resource<"ram", &machine::ram_mb, &match::ram_mb>;
using slots = schedule::pod_slots<&machine::slots>;
using fit = schedule::fit<cores, ram, slots>;
using least = schedule::least_allocated<cores, ram>;
using balanced = schedule::balanced_allocation<cores, ram>;
using tolerated = schedule::taint_toleration<&machine::taints, &match::tolerations>;

/// An embedder's own: reads the node alone, has no `prepare`.
struct near {
    static constexpr std::string_view name = "near";
    static constexpr std::string_view reason = "too far";
    static bool filter(machine const& m, match const& p) { return std::abs(m.zone - p.zone) < 3; }
    static int score(machine const& m, match const& p) { return 100 - 30 * std::abs(m.zone - p.zone); }
};
/// Normalised and moving: prefers the node with the most free cores, wherever that is.
struct roomiest {
    static constexpr std::string_view name = "roomiest";
    using facts = schedule::facts<schedule::usage<cores>>;
    static std::int64_t score(auto const& at, match const&)
    {
        return at.template get<schedule::usage<cores>>().free();
    }
    static int normalize(std::int64_t raw, schedule::range r)
    {
        return r.most == r.least ? 100 : static_cast<int>(100 * (raw - r.least) / (r.most - r.least));
    }
};

template<class P, int W = 1>
using weighted = schedule::weighted<P, W>;
using plain = schedule::pipeline<machine, match, schedule::filters<fit>,
    schedule::scores<weighted<least>, weighted<balanced>>>;
using full = schedule::pipeline<machine, match, schedule::filters<tolerated, fit, near>,
    schedule::scores<weighted<least>, weighted<tolerated, 3>, weighted<balanced>, weighted<near, 2>,
        weighted<roomiest, 2>>>;
using nothing = schedule::pipeline<machine, match, schedule::filters<>, schedule::scores<>>;

machine const host{.cores = 8, .ram_mb = 16'000, .slots = 10};

}  // namespace

TEST_CASE("schedule: placing binds, so the next pod sees it")
{
    schedule::scheduler<plain> s;
    s.set("a", host);
    s.set("b", host);
    CHECK(s.name(s.place({4, 8'000})) == "a");
    CHECK(s.name(s.place({4, 8'000})) == "b");
    CHECK(s.decide({4, 8'000}) == s.decide({4, 8'000}));
    CHECK(s.name(s.place({8, 0})) == "");
}

TEST_CASE("schedule: a batch stops at the first that fits nowhere, and says why")
{
    schedule::scheduler<plain> s;
    s.set("a", host);
    s.set("b", host);
    match const game{2, 1'000};
    auto const out = s.place(game, 10);
    CHECK(out.nodes == std::vector<std::uint32_t>{0, 1, 0, 1, 0, 1, 0, 1});
    REQUIRE(out.refused);
    CHECK(s.summary(*out.refused, game) == "0/2 nodes are available: 2 Insufficient cores.");
    CHECK(out.refused->refused == std::vector{schedule::refused{.plugin = 0, .code = 0, .nodes = 2}});
}

TEST_CASE("schedule: no nodes, no plugins")
{
    schedule::scheduler<nothing> s;
    CHECK(s.summary(s.place({}), {}) == "no nodes available to schedule pods");
    CHECK(s.place({}, 3).nodes.empty());
    s.set("a", {});
    CHECK(s.place({}, 3).nodes == std::vector<std::uint32_t>{0, 0, 0});
    CHECK(s.place({}).score == 0);
}

TEST_CASE("schedule: a score outside of 0 to 100 is brought to the nearer end")
{
    schedule::scheduler<
        schedule::pipeline<machine, match, schedule::filters<>, schedule::scores<weighted<near, 2>>>>
        s;
    s.set("far", {.zone = 90});
    CHECK(s.place({}).score == 0);
    CHECK(s.place({}).score == 0);
}

TEST_CASE("schedule: ties go to the first node, or to one that the seed draws")
{
    auto const run = [](std::optional<std::uint64_t> seed) {
        schedule::scheduler<nothing> s({}, {.ties_seed = seed});
        for (int i = 0; i < 100; ++i)
            s.set("node-" + std::to_string(i), {});
        return s.place({}, 50).nodes;
    };
    CHECK(run({}) == std::vector<std::uint32_t>(50, 0));
    CHECK(run(7) == run(7));
    CHECK(run(7) != run(8));
    auto drawn = run(7);
    std::sort(drawn.begin(), drawn.end());
    CHECK(std::unique(drawn.begin(), drawn.end()) - drawn.begin() > 25);
}

TEST_SUITE("property")
{
    TEST_CASE_TEMPLATE("schedule: what is remembered never changes an answer", Rules, plain, full, nothing)
    {
        for (std::uint64_t seed = 1; seed <= 12; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            auto const any_machine = [&] {
                machine m{
                    .cores = below(12), .ram_mb = 1'000 * below(12), .slots = below(12), .zone = below(5)};
                for (int n = below(3); n > 0; --n)
                    m.taints.push_back({.key = below(2) ? "a" : "b",
                        .effect = below(4) ? schedule::taint_effect::prefer_no_schedule
                                           : schedule::taint_effect::no_schedule});
                return m;
            };
            std::vector<match> shapes;
            for (int i = 0; i < 6; ++i)
                shapes.push_back({below(4), 1'000 * below(4), below(5),
                    below(2) ? std::vector<schedule::toleration>{{.key = "a", .operator_ = "Exists"}}
                             : std::vector<schedule::toleration>{}});
            auto const name = [&] { return "node-" + std::to_string(below(90)); };

            schedule::scheduler<Rules> s({},
                {.ties_seed = seed % 2 ? std::optional(seed) : std::nullopt,
                    .classes = seed % 3 == 0 ? 2u : 64u});
            std::vector<std::pair<std::string, match>> bound;
            int placed = 0;
            int refused = 0;
            for (int step = 0; step < 500; ++step) {
                auto const& pod = shapes[random() % shapes.size()];
                switch (below(8)) {
                case 0: s.set(name(), any_machine()); break;
                case 1: below(4) ? (void)s.set(name(), any_machine()) : s.remove(name()); break;
                case 2:
                    if (!bound.empty()) {
                        auto const at = random() % bound.size();
                        s.unbind(bound[at].first, bound[at].second);
                        bound.erase(bound.begin() + static_cast<std::ptrdiff_t>(at));
                    }
                    break;
                case 3:
                    bound.emplace_back(name(), pod);
                    s.bind(bound.back().first, pod);
                    break;
                case 4: {
                    auto const before = s.nodes();
                    auto const out = s.place(pod, random() % 20);
                    auto replay = before;
                    for (auto slot : out.nodes) {
                        if (seed % 2 == 0)
                            REQUIRE(s.rules().decide(replay, pod).node == slot);
                        replay.bind(slot, pod);
                        bound.emplace_back(replay.name(slot), pod);
                    }
                    if (out.refused) {
                        REQUIRE(s.rules().decide(replay, pod, out.refused->from) == *out.refused);
                        ++refused;
                    }
                    break;
                }
                default: {
                    auto const d = s.decide(pod);
                    auto const table = s.explain(pod, d.from);
                    REQUIRE(d == s.rules().decide(s.nodes(), pod, d.from));
                    REQUIRE(d == table.decision);
                    REQUIRE(table.nodes.size() == s.nodes().size());
                    for (auto const& row : table.nodes)
                        if (row.reasons.empty())
                            REQUIRE(row.score <= d.score);
                    refused += d.node ? 0 : 1;
                    if (d.node) {
                        s.bind(s.name(d), pod);
                        bound.emplace_back(s.name(d), pod);
                        ++placed;
                    }
                }
                }
            }
            CHECK(placed + refused > 20);
        }
    }
}
