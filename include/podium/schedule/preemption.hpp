#pragma once
/// Preemption: which pods would have to go so that a more important one fits.
///
/// A pure question: nothing is removed. The caller ends the victims, promises the node to the pod
/// (`nominations`) and places it when they are gone. `preempt` tries every node: it says what is right.
/// `evictions` says the same, faster.
///
/// Source: kube-scheduler v1.35, plugins/defaultpreemption and framework/preemption, with every node tried
/// that could help. Pods of equal importance keep the order in which they are given.

#include <podium/core/time.hpp>
#include <podium/schedule/pipeline.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
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
    friend bool operator==(preemption const&, preemption const&) = default;
};

namespace detail {

inline constexpr std::string_view never_preempts = "not eligible due to preemptionPolicy=Never.";
inline constexpr std::string_view waits_for_room =
    "not eligible due to a terminating pod on the nominated node.";

template<class Pod>
[[nodiscard]] bool more_important(occupant<Pod> const& a, occupant<Pod> const& b)
{
    return a.priority != b.priority ? a.priority > b.priority : a.started < b.started;
}

/// How much it costs to end the pods of a candidate: the least is best.
struct harm {
    std::uint32_t violations = 0;
    std::int32_t highest = 0;  ///< priority
    std::int64_t sum = 0;      ///< of priorities, each counted from the lowest there is
    std::size_t pods = 0;
    duration::rep begun_last = -1;  ///< the start of the most important, turned round: later is less
    friend auto operator<=>(harm const&, harm const&) = default;

    /// Those of the most important come first.
    template<class Pod>
    void add(occupant<Pod> const& o)
    {
        if (pods++ == 0) {
            highest = o.priority;
            begun_last = ~o.started.time_since_epoch().count();
        }
        sum += std::int64_t{o.priority} + (std::int64_t{1} << 31);
    }
};

/// Finds the pods of one node that must go: of `count`, the most important first, all of them gone already.
/// `occupant(k)`; `left(budget)` points to what it allows, null for everything, and is as before afterwards;
/// `stay(k)` puts one back and says whether the newcomer fits still, else `leave(k)` takes it away again.
/// `gone(k)` are those, the most important first; the answer is how many of them break a budget.
std::uint32_t choose_victims(
    std::uint32_t count, auto&& occupant, auto&& left, auto&& stay, auto&& leave, auto&& gone)
{
    std::vector<std::int64_t*> taken;
    std::vector<bool> breaks(count), goes(count);
    for (std::uint32_t k = 0; k < count; ++k)
        for (auto const b : occupant(k).budgets) {
            std::int64_t* const allowed = left(b);
            if (allowed == nullptr)
                continue;
            if (*allowed <= 0) {
                breaks[k] = true;
            } else {
                --*allowed;
                taken.push_back(allowed);
            }
        }
    for (auto* const allowed : taken)
        ++*allowed;

    std::uint32_t violations = 0;
    for (bool const breaking : {true, false})
        for (std::uint32_t k = 0; k < count; ++k)
            if (breaks[k] == breaking && !stay(k)) {
                leave(k);
                goes[k] = true;
                violations += breaking ? 1 : 0;
            }
    for (std::uint32_t k = 0; k < count; ++k)
        if (goes[k])
            gone(k);
    return violations;
}

}  // namespace detail

/// Victims are as few and as unimportant as can be: from all less important pods of a node, those that can
/// stay do, the ones whose budget would be broken first, the important ones before the others. Among nodes:
/// least violations, least important first victim, least sum of priorities, fewest, and the latest start of
/// the most important.
/// `budgets` are the disruptions that each still allows. O(nodes + occupants x plugins), with one copy of the
/// snapshot; where a filter's answer about a node depends on the others, times the nodes.
template<class Pipeline>
[[nodiscard]] preemption preempt(Pipeline const& rules, snapshot<Pipeline> const& on,
    typename Pipeline::pod_type const& pod, preemptor const& who,
    std::vector<occupant<typename Pipeline::pod_type>> const& occupants,
    std::vector<std::int64_t> const& budgets = {},
    nominations<typename Pipeline::pod_type> const& nominated = {})
{
    preemption out;
    if (who.never) {
        out.ineligible = detail::never_preempts;
        return out;
    }
    auto const wanted = rules.prepare(pod);

    std::vector<std::vector<std::uint32_t>> on_node(on.slots());
    for (std::uint32_t i = 0; i < occupants.size(); ++i)
        if (auto const& o = occupants[i];
            o.pod != nullptr && o.priority < who.priority && o.node < on.slots())
            on_node[o.node].push_back(i);
    std::vector<bool> kept(on.slots());  // for others: such a node is looked at with them and without
    for (auto const& n : nominated.others)
        if (n.first < on.slots())
            kept[n.first] = true;

    bool const alone = rules.filters_alone(on, wanted);
    nominations<typename Pipeline::pod_type> const none_kept{};
    using overviews = typename Pipeline::overviews;
    auto const known = alone ? overviews{} : rules.survey(on, wanted);
    std::vector<std::uint32_t> potential;
    for (std::uint32_t slot = 0; slot < on.slots(); ++slot) {
        if (!on.has(slot))
            continue;
        auto const no = rules.refused(on, wanted, slot, kept[slot] ? nominated : none_kept, known);
        bool const promised = who.nominated == slot && !no.unresolvable;
        if (promised && std::any_of(on_node[slot].begin(), on_node[slot].end(), [&](std::uint32_t i) {
                return occupants[i].making_room;
            })) {
            out.ineligible = detail::waits_for_room;
            return out;
        }
        if (no.plugin != Pipeline::nobody && !no.unresolvable)
            potential.push_back(slot);
    }

    std::optional<snapshot<Pipeline>> without;  // made when there is somebody to take away
    std::vector<std::int64_t> left = budgets;
    std::vector<detail::harm> harms;
    for (auto const slot : potential) {
        auto& all = on_node[slot];
        if (all.empty()) {
            out.hopeless.push_back({.node = slot, .unresolvable = true});
            continue;
        }
        std::sort(all.begin(), all.end(), [&](std::uint32_t a, std::uint32_t b) {
            auto const& x = occupants[a];
            auto const& y = occupants[b];
            return detail::more_important(x, y) || (a < b && !detail::more_important(y, x));
        });
        if (!without)
            without = on;
        auto const refused = [&] {
            if (alone && !kept[slot])
                return rules.template first_refusal<Pipeline::part::all>(without->at(slot), wanted);
            return rules.refused(*without, wanted, slot, kept[slot] ? nominated : none_kept,
                alone ? overviews{} : rules.survey(*without, wanted));
        };
        auto const at = [&](std::uint32_t k) -> auto const& { return occupants[all[k]]; };
        auto const count = static_cast<std::uint32_t>(all.size());
        for (std::uint32_t k = 0; k < count; ++k)
            without->unbind(slot, *at(k).pod);
        if (auto const no = refused(); no.plugin != Pipeline::nobody) {
            out.hopeless.push_back({slot, no.plugin, no.codes, no.unresolvable});
            for (std::uint32_t k = 0; k < count; ++k)
                without->bind(slot, *at(k).pod);
            continue;
        }
        victims found{.node = slot};
        detail::harm harm;
        found.violations = detail::choose_victims(
            count, at, [&](std::uint32_t b) { return b < left.size() ? &left[b] : nullptr; },
            [&](std::uint32_t k) {
                without->bind(slot, *at(k).pod);
                return refused().plugin == Pipeline::nobody;
            },
            [&](std::uint32_t k) { without->unbind(slot, *at(k).pod); },
            [&](std::uint32_t k) {
                found.pods.push_back(all[k]);
                harm.add(at(k));
                without->bind(slot, *at(k).pod);  // the next node sees all as it was
            });
        harm.violations = found.violations;
        if (found.pods.empty())
            continue;
        out.candidates.push_back(std::move(found));
        harms.push_back(harm);
    }
    if (auto const least = std::min_element(harms.begin(), harms.end()); least != harms.end())
        for (std::size_t i = 0; i < harms.size(); ++i)
            if (harms[i] == *least)
                out.best.push_back(out.candidates[i].node);
    return out;
}

}  // namespace podium::v0::schedule
