// What the scheduler remembers is invisible: after any events, what it answers at once equals the full
// evaluation of the same nodes, for Kubernetes' default profile with all that its plugins look at.

#include <podium/schedule/kubernetes.hpp>
#include <podium/schedule/scheduler.hpp>

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;
namespace kubernetes = podium::schedule::kubernetes;
using random_bits = std::mt19937_64;
constexpr auto hostname = "kubernetes.io/hostname";
constexpr auto zone = "topology.kubernetes.io/zone";

struct world {
    explicit world(std::uint64_t seed) : random(seed), many_nodes(seed % 3 != 0) {}

    random_bits random;
    bool many_nodes;

    [[nodiscard]] std::size_t nodes() const { return many_nodes ? 150 : 20; }
    bool one_in(std::uint64_t n) { return random() % n == 0; }
    std::int64_t below(std::uint64_t n) { return static_cast<std::int64_t>(random() % n); }
    template<class T>
    T any(std::initializer_list<T> of)
    {
        return *(of.begin() + random() % of.size());
    }
    template<class T>
    T const& any(std::vector<T> const& of)
    {
        return of[random() % of.size()];
    }

    kubernetes::node node(std::size_t i)
    {
        kubernetes::node n{.name = "n" + std::to_string(i),
            .allocatable = {
                .cpu_milli = 1000 * (1 + below(8)), .memory_bytes = below(20) << 30, .pods = 1 + below(30)}};
        if (!one_in(9))
            n.labels[hostname] = n.name;
        if (!one_in(9))
            n.labels[zone] = "z" + std::to_string(below(3));
        if (!one_in(
                4))  // so that of 75 racks more have a node than a ledger's places name, and most have two
            n.labels["rack"] = one_in(20) ? "" : "r" + std::to_string(i / 2);
        if (one_in(4))
            n.labels["disk"] = any({"ssd", "hdd"});
        if (one_in(5))
            n.taints.push_back({"dedicated", any({"a", "b"}),
                any({schedule::taint_effect::no_schedule, schedule::taint_effect::prefer_no_schedule})});
        n.unschedulable = one_in(15);
        if (one_in(3))
            n.images.push_back({{"web:1"}, below(900) << 20});
        if (one_in(3))
            n.allocatable.extended = {{"example.com/gpu", below(4)}};
        return n;
    }

    podium::labels::selector selector()
    {
        auto const apps = [&] {
            std::vector<std::string> out{any({"a", "b", "c"})};
            if (one_in(2))
                out.emplace_back(any({"a", "b", "c"}));
            return out;
        };
        if (one_in(12))
            return {};
        return podium::labels::selector({podium::labels::requirement::make(
            {"app", one_in(5) ? podium::labels::op::not_in : podium::labels::op::in, apps()})
                .value()});
    }
    std::string key() { return any({hostname, zone, "rack", "rack", "nowhere"}); }
    std::vector<schedule::affinity_term> terms(std::uint64_t rarity)
    {
        std::vector<schedule::affinity_term> out;
        while (one_in(rarity) && out.size() < 3) {
            auto& t = out.emplace_back();
            t.selector = selector();
            t.topology_key = key();
            t.weight = static_cast<int>(1 + below(100));
            if (one_in(4))
                t.namespaces = {"x", "y"};
            if (one_in(6))
                t.namespace_selector = selector();
        }
        return out;
    }
    kubernetes::pod pod()
    {
        kubernetes::pod p{.requests = {.cpu_milli = 100 * below(9), .memory_bytes = below(3) << 28},
            .images = {any({"web:1", "db:2"})}};
        p.self.namespace_ = any({"x", "x", "y"});
        p.self.labels["app"] = any({"a", "b", "c"});
        p.self.terminating = one_in(12);
        if (one_in(3))
            p.self.affinity = {terms(5), terms(4), terms(3), terms(3)};
        if (one_in(4))
            p.tolerations.push_back({"dedicated", "Equal", any({"a", "b"}), ""});
        if (one_in(5))
            p.choice.labels = {{"disk", "ssd"}};
        if (one_in(5)) {
            podium::labels::node_selector_term const has_disk{{{"disk", podium::labels::op::exists, {}}}, {}};
            p.choice.preferred.push_back({10, podium::labels::node_selector(std::vector{has_disk})});
        }
        if (one_in(8))
            p.ports.push_back({"", "TCP", 8080});
        if (one_in(10))
            p.node_name = "n" + std::to_string(below(nodes()));
        if (one_in(6))
            p.requests.extended = {{"example.com/gpu", 1}};
        if (one_in(12))
            p.volumes.sole_claims = p.volumes.claims = {"x/data"};
        for (int i = 0; one_in(3) && i < 3; ++i)
            p.spread.push_back({.max_skew = static_cast<int>(1 + below(3)),
                .topology_key = key(),
                .selector = selector(),
                .hard = one_in(2),
                .min_domains = static_cast<int>(1 + below(5)),
                .honor_affinity = one_in(2),
                .honor_taints = one_in(2)});
        p.spread_needs_all_keys = !one_in(3);
        return p;
    }
};

/// The best of these nodes, picked from the table of all.
schedule::decision picked(schedule::explanation const& all, std::vector<std::uint32_t> const& slots)
{
    schedule::decision d;
    schedule::detail::refusal_counts counts;
    for (auto const& row : all.nodes) {
        if (!std::binary_search(slots.begin(), slots.end(), row.node))
            continue;
        ++d.nodes;
        kubernetes::rules::refusal first;
        for (auto const& why : row.reasons)
            if (why.plugin == row.reasons.front().plugin) {
                first.plugin = why.plugin;
                first.codes |= std::uint64_t{1} << why.code;
            }
        counts.add(first, 1);
        if (!row.reasons.empty())
            continue;
        ++d.feasible;
        if (d.node && row.score == d.score)
            ++d.best;
        if (!d.node || row.score > d.score) {
            d.node = row.node;
            d.score = row.score;
            d.scores = row.scores;
            d.best = 1;
        }
    }
    d.refused = counts.all();
    return d;
}

}  // namespace

TEST_SUITE_BEGIN("property");

TEST_CASE("schedule: what is remembered equals the full evaluation, after any events")
{
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        world w(seed);
        kubernetes::affinity_to_pods near;
        near.hard_weight = static_cast<int>(w.below(3));
        near.ignore_preferred_of_existing = w.one_in(3);
        near.namespaces = {{"x", {{"app", "a"}}}};
        kubernetes::images_there images;
        images.sizes = w.one_in(2) ? schedule::image_size::own : schedule::image_size::kubernetes;
        kubernetes::rules const rules{near, images};
        schedule::options how{.classes = 1 + random_bits::result_type(w.below(12))};
        if (w.one_in(2))
            how.ties_seed = seed;
        schedule::scheduler<kubernetes::rules> s(rules, how);
        std::vector<std::pair<std::string, kubernetes::pod>> bound;
        std::vector<kubernetes::pod> templates;
        for (std::size_t i = 0; i < w.nodes(); ++i)
            s.set("n" + std::to_string(i), w.node(i));
        for (int i = 0; i < 10; ++i)
            templates.push_back(w.pod());

        int const events = 250;
        for (int event = 0; event < events; ++event) {
            CAPTURE(event);
            auto const which = static_cast<std::size_t>(w.below(w.nodes()));
            auto const name = "n" + std::to_string(which);
            switch (w.below(12)) {
            case 0: s.set(name, w.node(which)); break;
            case 1:
                if (w.one_in(3))
                    s.remove(name);
                break;
            case 2:
                w.any(templates);
                templates[w.random() % templates.size()] = w.pod();
                break;
            case 3:
            case 4:
                if (!bound.empty()) {
                    auto& gone = bound[w.random() % bound.size()];
                    s.unbind(gone.first, gone.second);
                    std::swap(gone, bound.back());
                    bound.pop_back();
                }
                break;
            case 5:  // bound by somebody else, also to where there is no node
                bound.emplace_back(name, w.any(templates));
                s.bind(name, bound.back().second);
                break;
            default: break;
            }
            auto pod = w.any(templates);
            if (w.one_in(8))
                pod.self.labels["statefulset.kubernetes.io/pod-name"] = std::to_string(event);
            if (w.one_in(4)) {
                std::vector<std::uint32_t> some;  // also where there is no node, and beyond
                auto const rarity = 1 + random_bits::result_type(w.below(6));
                for (std::uint32_t slot = 0; slot < s.nodes().slots() + 3; ++slot)
                    if (w.one_in(rarity))
                        some.push_back(slot);
                REQUIRE(s.decide_among(pod, some) == picked(rules.explain(s.nodes(), pod), some));
            }
            auto const at_once = s.decide(pod);
            auto const full = rules.decide(s.nodes(), pod, at_once.from);
            REQUIRE(at_once == full);
            if (event % 5 == 0) {
                auto shadow = s.nodes();
                auto const many = s.place(pod, 1 + w.random() % 4);
                REQUIRE(many.nodes.empty() == !full.node.has_value());
                for (auto const slot : many.nodes) {
                    if (!how.ties_seed)
                        REQUIRE(rules.decide(shadow, pod).node == slot);
                    shadow.bind(slot, pod);
                    bound.emplace_back(s.nodes().name(slot), pod);
                }
                if (many.refused)
                    REQUIRE(*many.refused == rules.decide(s.nodes(), pod, many.refused->from));
                auto const& other = w.any(templates);  // the batch left behind what single binds do
                REQUIRE(rules.decide(s.nodes(), other) == rules.decide(shadow, other));
            } else if (full.node && w.one_in(2)) {
                s.bind(s.nodes().name(*full.node), pod);
                bound.emplace_back(s.nodes().name(*full.node), pod);
            }
        }
    }
}

TEST_SUITE_END();

TEST_CASE("schedule: a batch binds the pods that it is given, not those that are alike to the plugins")
{
    // No plugin reads the labels of a pod without constraints, so web and db are one class.
    using rules = schedule::pipeline<kubernetes::node, kubernetes::pod,
        schedule::filters<kubernetes::enough_resources, kubernetes::spreading>, schedule::scores<>>;
    schedule::scheduler<rules> s;
    for (auto const* const name : {"a", "b"})
        s.set(name,
            {.name = name, .labels = {{hostname, name}}, .allocatable = {.cpu_milli = 1000, .pods = 10}});
    kubernetes::pod web, db;
    web.self.labels["app"] = "web";
    db.self.labels["app"] = "db";
    CHECK(s.place(web, 2).nodes == std::vector<std::uint32_t>{0, 0});
    CHECK(s.place(db, 2).nodes == std::vector<std::uint32_t>{0, 0});
    auto apart = web;  // at most two more webs than on b, where there is none: there are two on a, not four
    apart.spread.push_back({.max_skew = 3,
        .topology_key = hostname,
        .selector = podium::labels::selector(
            {podium::labels::requirement::make({"app", podium::labels::op::in, {"web"}}).value()})});
    CHECK(s.decide(apart).feasible == 2);
    s.unbind("a", db);
    s.unbind("a", db);
    CHECK(s.nodes().pods(0) == 2);
}

TEST_CASE("schedule: whose word on an image's size counts is found when its node has just gone")
{
    kubernetes::images_there images;
    images.sizes = schedule::image_size::kubernetes;
    schedule::scheduler<kubernetes::rules> s(kubernetes::rules{images});
    kubernetes::pod const p{.images = {"web:1"}};
    auto const node = [](char const* name, std::int64_t size) {
        return kubernetes::node{
            .name = name, .allocatable = {.pods = 10}, .images = {{{"web:1"}, size << 20}}};
    };
    for (auto const* const name : {"a", "b", "c"})
        s.set(name, node(name, 500));
    for (int i = 0; i < 3; ++i)
        CHECK(s.decide(p) == s.rules().decide(s.nodes(), p));
    s.set("b", node("b", 900));
    s.remove("a");
    CHECK(s.decide(p) == s.rules().decide(s.nodes(), p));
}

namespace {

/// Refuses whoever comes after the first; it need not look as long as nobody is there.
struct only_one {
    static constexpr std::string_view name = "only_one";
    static constexpr std::string_view reason = "somebody is there";
    using facts = schedule::facts<schedule::usage<kubernetes::pod_count>>;
    using overview = bool;  ///< whether somebody is there
    static int prepare(kubernetes::pod const&) { return 0; }
    static bool survey(auto const& nodes, int)
    {
        bool any = false;
        nodes.for_each([&](auto const& at) {
            any = any || at.template get<schedule::usage<kubernetes::pod_count>>().used > 0;
        });
        return any;
    }
    static bool alone(auto const& nodes, int r) { return !survey(nodes, r); }
    static bool filter(auto const&, int, bool taken) { return !taken; }
};

}  // namespace

TEST_CASE("schedule: a batch whose first pod makes the next one look at all nodes")
{
    using rules = schedule::pipeline<kubernetes::node, kubernetes::pod, schedule::filters<only_one>,
        schedule::scores<>>;
    schedule::scheduler<rules> s;
    s.set("a", {.name = "a"});
    s.set("b", {.name = "b"});
    auto const out = s.place({}, 3);
    CHECK(out.nodes == std::vector<std::uint32_t>{0});
    REQUIRE(out.refused);
    CHECK(s.summary(*out.refused, {}) == "0/2 nodes are available: 2 somebody is there.");
}
