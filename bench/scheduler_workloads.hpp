#pragma once
// What schedulers are timed on: nodes, pods and workloads in the shapes of Kubernetes' scheduler_perf
// (v1.35), and a referee that knows the rules by itself, since a wrong scheduler is easily a fast one.
// peers/scheduler/workloads.go makes the same for kube-scheduler.

#include <podium/schedule.hpp>
#include <podium/schedule/kubernetes.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace scheduler_workloads {

namespace labels = podium::labels;
namespace schedule = podium::schedule;
using schedule::kubernetes::node;
using schedule::kubernetes::pod;
using schedule::kubernetes::rules;
using scheduler = schedule::scheduler<rules>;
using names = std::vector<std::string>;

inline constexpr char const* hostname = "kubernetes.io/hostname";
inline constexpr char const* zone = "topology.kubernetes.io/zone";
inline names const moon{"moon-1", "moon-2", "moon-3"};
inline names const zone1{"zone1"};

inline node node_of(std::size_t i, names const& zones)
{
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "node-%05zu", i);
    node n{.name = name.data()};
    n.labels[hostname] = n.name;
    if (!zones.empty())
        n.labels[zone] = zones[i % zones.size()];
    n.allocatable = {.cpu_milli = 4000, .memory_bytes = std::int64_t{32} << 30, .pods = 110};
    return n;
}

/// Pod i in that namespace.
using shape = pod (*)(std::size_t i, std::string const& space);

inline pod basic(std::size_t, std::string const& space)
{
    pod p{.requests = {.cpu_milli = 100, .memory_bytes = 500 << 20}};
    p.images = {"registry.k8s.io/pause:3.10.1"};
    p.self.namespace_ = space;
    return p;
}
inline labels::selector selects(std::string const& color)
{
    return labels::selector::parse("color=" + color).value();
}
inline pod colored(std::string const& color, std::string const& space)
{
    auto p = basic(0, space);
    p.self.labels["color"] = color;
    return p;
}
inline std::vector<schedule::affinity_term> terms(std::string const& color, std::string const& key)
{
    return {{.selector = selects(color), .topology_key = key, .namespaces = {"sched-1", "sched-0"}}};
}
inline pod anti(std::size_t, std::string const& space)
{
    auto p = colored("green", space);
    p.self.affinity.required_anti = terms("green", hostname);
    return p;
}
inline pod both_anti(std::size_t, std::string const& space)
{
    auto p = anti(0, space);
    p.self.labels["tier"] = "t";
    p.self.affinity.preferred_anti = terms("green", zone);
    return p;
}
inline pod prefer_anti(std::size_t, std::string const& space)
{
    auto p = colored("yellow", space);
    p.self.affinity.preferred_anti = terms("yellow", hostname);
    return p;
}
inline pod near(std::size_t, std::string const& space)
{
    auto p = colored("blue", space);
    p.self.affinity.required = terms("blue", zone);
    return p;
}
inline pod prefer_near(std::size_t, std::string const& space)
{
    auto p = colored("red", space);
    p.self.affinity.preferred = terms("red", hostname);
    return p;
}
template<bool Hard>
pod spread(std::size_t, std::string const& space)
{
    auto p = colored("blue", space);
    p.spread = {{.max_skew = 5, .topology_key = zone, .selector = selects("blue"), .hard = Hard}};
    return p;
}
inline pod in_zone(std::size_t, std::string const& space)
{
    auto p = basic(0, space);
    std::vector<labels::node_selector_term> const all{
        {.match_expressions = {{.key = zone, .values = {"zone1", "zone2"}}}}};
    p.choice.required.emplace(all);
    return p;
}
inline pod low(std::size_t, std::string const& space)
{
    auto p = basic(0, space);
    p.requests.cpu_milli = 900;
    return p;
}
inline pod high(std::size_t, std::string const& space)
{
    auto p = basic(0, space);
    p.requests.cpu_milli = 3000;
    return p;
}
inline pod mix(std::size_t i, std::string const& space)
{
    constexpr std::array<shape, 7> all{basic, basic, near, prefer_near, prefer_anti, spread<false>, in_zone};
    return all[i % 7](i, space);
}
/// The mix in five sizes, so that it matters for the last pods where the first went.
inline pod sized_mix(std::size_t i, std::string const& space)
{
    constexpr std::array<std::array<std::int64_t, 2>, 5> sizes{// thousandths of a core, MiB
        {{100, 500}, {250, 4096}, {500, 1024}, {900, 10240}, {1400, 2048}}};
    auto p = mix(i, space);
    p.requests.cpu_milli = sizes[i % 5][0];
    p.requests.memory_bytes = sizes[i % 5][1] << 20;
    return p;
}

/// Nodes in zones, init pods that lie on them (pod i of each group on node i mod nodes), and pods to place.
struct workload {
    struct count {
        std::size_t init = 0;  ///< of each group
        std::size_t measured = 0;
    };
    std::string name{};
    names zones{};
    std::string init_namespace{};
    std::vector<shape> init{};
    shape measured = nullptr;
    count at_1000{};
    count at_5000{};
    std::int32_t priority = 0;  ///< of the measured pods; above 0 they may preempt the others

    [[nodiscard]] count at(std::size_t nodes) const
    {
        if (nodes > 1000)
            return at_5000;
        return {at_1000.init * nodes / 1000, at_1000.measured * nodes / 1000};
    }
    [[nodiscard]] pod init_pod(std::size_t group, std::size_t i) const
    {
        return init[group](i, init_namespace);
    }
    [[nodiscard]] pod measured_pod(std::size_t i) const
    {
        return measured(i, init_namespace == "sched-0" ? "sched-1" : "default");
    }
};

inline std::vector<workload> const& workloads()
{
    static std::vector<workload> const all{
        {"SchedulingBasic", {}, "default", {basic}, basic, {1000, 4000}, {1000, 4000}},
        {"SchedulingPodAntiAffinity", zone1, "sched-0", {anti}, anti, {200, 800}, {1000, 2000}},
        {"RequiredAndPreferredPodAntiAffinity", moon, "sched-0", {both_anti}, both_anti, {200, 800},
            {1000, 2000}},
        {"SchedulingPreferredPodAntiAffinity", zone1, "sched-0", {prefer_anti}, prefer_anti, {1000, 2000},
            {5000, 2000}},
        {"SchedulingPodAffinity", zone1, "sched-0", {near}, near, {1000, 2000}, {5000, 2000}},
        {"SchedulingPreferredPodAffinity", zone1, "sched-0", {prefer_near}, prefer_near, {1000, 2000},
            {5000, 2000}},
        {"TopologySpreading", moon, "default", {basic}, spread<true>, {1000, 2000}, {5000, 2000}},
        {"PreferredTopologySpreading", moon, "default", {basic}, spread<false>, {1000, 2000}, {5000, 2000}},
        {"SchedulingNodeAffinity", zone1, "default", {basic}, in_zone, {1000, 4000}, {5000, 4000}},
        {"MixedSchedulingBasePod", zone1, "sched-0", {basic, near, anti, prefer_near, prefer_anti}, basic,
            {400, 2000}, {2000, 2000}},
        {"Mix", zone1, "sched-0", {mix}, mix, {1000, 2100}, {5000, 2100}},
        {"PreemptionBasic", {}, "default", {low}, high, {4000, 1000}, {20000, 1000}, 10},
    };
    return all;
}

/// Nodes with the init pods on them, before the clock starts.
struct cluster {
    schedule::snapshot<rules> nodes{};
    std::vector<pod> init{};
    std::vector<std::uint32_t> on{};  ///< the slot of each
};

inline cluster bare_cluster(std::size_t nodes, names const& zones)
{
    cluster c;
    for (std::size_t i = 0; i < nodes; ++i)
        c.nodes.set(node_of(i, zones).name, node_of(i, zones));
    return c;
}
inline cluster cluster_of(workload const& w, std::size_t nodes)
{
    auto c = bare_cluster(nodes, w.zones);
    for (std::size_t group = 0; group < w.init.size(); ++group)
        for (std::size_t i = 0; i < w.at(nodes).init; ++i) {
            c.init.push_back(w.init_pod(group, i));
            c.on.push_back(static_cast<std::uint32_t>(i % nodes));
            c.nodes.bind(c.on.back(), c.init.back());
        }
    return c;
}

/// One pod came to a node, or left it.
struct move {
    pod const* who = nullptr;
    std::uint32_t node = 0;
    bool leaves = false;
};

/// Replays moves and knows what pods of the shapes above may do. All colors are counted in all namespaces,
/// since in each workload those of one color see each other.
class referee {
public:
    referee(std::size_t nodes, names const& zones)
        : zones_(std::max<std::size_t>(1, zones.size())),
          in_zone_1_(!zones.empty() && zones[0] == "zone1"),
          used_(nodes)
    {
    }

    /// Empty, or what was broken.
    [[nodiscard]] std::string_view judge(move const& m)
    {
        auto const& p = *m.who;
        auto& u = used_[m.node];
        std::int64_t const sign = m.leaves ? -1 : 1;
        auto const color = p.self.labels.find("color");
        auto* const alike = color == p.self.labels.end() ? nullptr : &colors_[color->second];
        if (alike && alike->on_node.empty())
            *alike = {std::vector<std::int64_t>(used_.size()), std::vector<std::int64_t>(zones_)};
        auto const around = m.node % zones_;
        if (!m.leaves) {
            auto const& wish = p.self.affinity;
            if (alike && !wish.required_anti.empty() && alike->on_node[m.node] != 0)
                return "two pods that keep apart are on one node";
            if (alike && !wish.required.empty() && alike->all != 0 && alike->in_zone[around] == 0)
                return "a pod is not in the zone of its like";
            if (p.choice.required && !in_zone_1_)
                return "a pod is in another zone than it asked for";
        }
        u.cpu_milli += sign * p.requests.cpu_milli;
        u.memory_bytes += sign * p.requests.memory_bytes;
        u.pods += sign;
        if (u.cpu_milli > 4000 || u.memory_bytes > std::int64_t{32} << 30 || u.pods > 110)
            return "a node is overfull";
        if (u.pods < 0)
            return "a pod left a node where it was not";
        if (alike) {
            alike->on_node[m.node] += sign;
            alike->in_zone[around] += sign;
            alike->all += sign;
            auto const least = *std::ranges::min_element(alike->in_zone);
            if (!m.leaves && std::ranges::any_of(p.spread, [&](auto const& c) {
                    return c.hard && alike->in_zone[around] - least > c.max_skew;
                }))
                return "a zone is too far ahead of another";
        }
        return {};
    }

    /// The standard deviation of the nodes' use of cpu, in percent of a node.
    [[nodiscard]] double deviation() const
    {
        double sum = 0;
        double squares = 0;
        for (auto const& u : used_) {
            auto const percent = static_cast<double>(u.cpu_milli) / 40;
            sum += percent;
            squares += percent * percent;
        }
        auto const n = static_cast<double>(used_.size());
        return std::sqrt(std::max(0.0, squares / n - sum / n * (sum / n)));
    }

private:
    struct counts {
        std::vector<std::int64_t> on_node{}, in_zone{};
        std::int64_t all = 0;
    };
    std::size_t zones_;
    bool in_zone_1_;
    std::vector<schedule::kubernetes::resources> used_;
    std::map<std::string, counts, std::less<>> colors_{};
};

/// Who has seen the init pods come.
inline referee referee_of(cluster const& c, names const& zones)
{
    referee out(c.nodes.size(), zones);
    for (std::size_t i = 0; i < c.init.size(); ++i)
        static_cast<void>(out.judge({&c.init[i], c.on[i]}));
    return out;
}
/// Empty, or what the moves broke.
[[nodiscard]] inline std::string_view judge(referee all, std::vector<move> const& moves)
{
    for (auto const& m : moves)
        if (auto const wrong = all.judge(m); !wrong.empty())
            return wrong;
    return {};
}

}  // namespace scheduler_workloads
