#pragma once
/// Preemption: which pods would have to go so that a more important one fits.
///
/// A pure question: nothing is removed. The caller ends the victims, promises the node to the pod
/// (`nominations`) and places it when they are gone.
///
/// Source: kube-scheduler v1.35, plugins/defaultpreemption and framework/preemption, with every node tried
/// that could help. Pods of equal importance keep the order in which they are given.

#include <podium/core/time.hpp>
#include <podium/schedule/pipeline.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// A pod on a node, as preemption sees it.
template<class Pod>
struct occupant {
    std::uint32_t node = 0;    ///< slot
    Pod const* pod = nullptr;  ///< equal to what was bound
    std::int32_t priority = 0;
    time_point started{};
    std::vector<std::uint32_t> budgets{};  ///< positions of the disruption budgets that it counts for
    bool making_room = false;              ///< it is already being ended by a preemption
};

/// The pod that wants in.
struct preemptor {
    std::int32_t priority = 0;
    bool never = false;                        ///< preemptionPolicy: Never
    std::optional<std::uint32_t> nominated{};  ///< the node that it was promised
};

/// A node that would fit without these.
struct victims {
    std::uint32_t node = 0;
    std::vector<std::uint32_t> pods{};  ///< positions in the occupants, the most important first
    std::uint32_t violations = 0;       ///< of them break a budget
    friend bool operator==(victims const&, victims const&) = default;
};

/// Why the pod would not fit there even without all less important ones.
struct beyond_help {
    std::uint32_t node = 0;
    std::uint8_t plugin = 0;  ///< position in filters<>
    std::uint64_t codes = 0;  ///< of the plugin; 0: there is nobody less important on the node
    bool unresolvable = false;
    friend bool operator==(beyond_help const&, beyond_help const&) = default;
};

struct preemption {
    std::string_view ineligible{};        ///< why the pod may not preempt; then the rest is empty
    std::vector<victims> candidates{};    ///< by node
    std::vector<beyond_help> hopeless{};  ///< the other nodes where fewer pods could have helped
    std::vector<std::uint32_t> best{};    ///< nodes of the best candidates: equally good
};

/// Victims are as few and as unimportant as can be: from all less important pods of a node, those that can
/// stay do, the ones whose budget would be broken first, the important ones before the others. Among nodes:
/// least violations, least important first victim, least sum of priorities, fewest, and the latest start of
/// the most important.
/// `budgets` are the disruptions that each still allows. O(nodes + occupants x plugins); with a plugin that
/// spans nodes, times the nodes.
template<class Pipeline>
[[nodiscard]] preemption preempt(Pipeline const& rules, snapshot<Pipeline> nodes,
    typename Pipeline::pod_type const& pod, preemptor const& who,
    std::vector<occupant<typename Pipeline::pod_type>> const& occupants,
    std::vector<std::int64_t> const& budgets = {},
    nominations<typename Pipeline::pod_type> const& nominated = {})
{
    preemption out;
    if (who.never) {
        out.ineligible = "not eligible due to preemptionPolicy=Never.";
        return out;
    }
    auto const wanted = rules.prepare(pod);
    auto const less_important = [&](auto const& o) { return o.priority < who.priority; };

    std::vector<std::vector<std::uint32_t>> on_node(nodes.slots());
    for (std::uint32_t i = 0; i < occupants.size(); ++i)
        if (auto const& o = occupants[i]; less_important(o) && o.node < nodes.slots())
            on_node[o.node].push_back(i);

    auto const known = rules.survey(nodes, wanted);
    std::vector<std::uint32_t> potential;
    for (std::uint32_t slot = 0; slot < nodes.slots(); ++slot) {
        if (!nodes.has(slot))
            continue;
        auto const no = rules.refused(nodes, wanted, slot, nominated, known);
        bool const promised = who.nominated == slot && !no.unresolvable;
        if (promised && std::any_of(on_node[slot].begin(), on_node[slot].end(), [&](std::uint32_t i) {
                return occupants[i].making_room;
            })) {
            out.ineligible = "not eligible due to a terminating pod on the nominated node.";
            return out;
        }
        if (no.plugin != Pipeline::nobody && !no.unresolvable)
            potential.push_back(slot);
    }

    auto const more_important = [&](std::uint32_t a, std::uint32_t b) {
        auto const& x = occupants[a];
        auto const& y = occupants[b];
        return x.priority != y.priority ? x.priority > y.priority
            : x.started != y.started    ? x.started < y.started
                                        : a < b;
    };
    for (auto const slot : potential) {
        auto& all = on_node[slot];
        if (all.empty()) {
            out.hopeless.push_back({.node = slot, .unresolvable = true});
            continue;
        }
        std::sort(all.begin(), all.end(), more_important);
        auto const leave = [&](std::uint32_t i) { nodes.unbind(slot, *occupants[i].pod); };
        auto const stay = [&](std::uint32_t i) { nodes.bind(slot, *occupants[i].pod); };
        std::for_each(all.begin(), all.end(), leave);

        if (auto const no = rules.refused(nodes, wanted, slot, nominated); no.plugin != Pipeline::nobody) {
            out.hopeless.push_back({slot, no.plugin, no.codes, no.unresolvable});
            std::for_each(all.begin(), all.end(), stay);
            continue;
        }
        auto left = budgets;
        std::vector<std::uint32_t> breaking;
        std::vector<std::uint32_t> others;
        for (auto const i : all) {
            bool breaks = false;
            for (auto const b : occupants[i].budgets)
                breaks = (b < left.size() && --left[b] < 0) || breaks;
            (breaks ? breaking : others).push_back(i);
        }
        victims found{.node = slot};
        auto const reprieve = [&](std::uint32_t i) {
            stay(i);
            if (rules.refused(nodes, wanted, slot, nominated).plugin == Pipeline::nobody)
                return true;
            leave(i);
            found.pods.push_back(i);
            return false;
        };
        for (auto const i : breaking)
            found.violations += reprieve(i) ? 0u : 1u;
        std::for_each(others.begin(), others.end(), reprieve);
        std::sort(found.pods.begin(), found.pods.end(), more_important);
        std::for_each(found.pods.begin(), found.pods.end(), stay);  // the next node sees all as it was
        if (!found.pods.empty())
            out.candidates.push_back(std::move(found));
    }

    auto const rank = [&](victims const& v) {
        auto const& first = occupants[v.pods.front()];
        std::int64_t sum = 0;
        auto earliest = first.started;
        for (auto const i : v.pods) {
            sum += std::int64_t{occupants[i].priority} + (std::int64_t{1} << 31);
            if (occupants[i].priority == first.priority)
                earliest = std::min(earliest, occupants[i].started);
        }
        return std::tuple(v.violations, first.priority, sum, v.pods.size(), -earliest.time_since_epoch());
    };
    for (auto const& c : out.candidates) {
        if (!out.best.empty()) {
            auto const& so_far = *std::find_if(out.candidates.begin(), out.candidates.end(),
                [&](victims const& v) { return v.node == out.best.front(); });
            if (rank(c) > rank(so_far))
                continue;
            if (rank(c) < rank(so_far))
                out.best.clear();
        }
        out.best.push_back(c.node);
    }
    return out;
}

}  // namespace podium::v0::schedule
