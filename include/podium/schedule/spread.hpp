#pragma once
/// Spreading: like pods evenly over zones, racks or nodes.
///
/// Source: kube-scheduler v1.35, plugins/podtopologyspread.

#include <podium/schedule/node.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/taints.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::schedule {

struct spread_constraint {
    std::int32_t max_skew = 1;  ///< hard: most pods that a domain may be ahead of the emptiest
    std::string topology_key{};
    labels::selector selector{};   ///< of pods in the same namespace (keys of matchLabelKeys merged in)
    bool hard = true;              ///< DoNotSchedule; else ScheduleAnyway: a score
    std::int32_t min_domains = 1;  ///< with fewer, the emptiest counts as having none
    bool honor_affinity = true;    ///< only nodes that the pod's node affinity allows
    bool honor_taints = false;     ///< only nodes whose taints the pod tolerates
    friend bool operator==(spread_constraint const&, spread_constraint const&) = default;
};

/// What spreading wants to know of a pod.
struct spread_wish {
    std::string namespace_{};
    label_map labels{};
    std::vector<spread_constraint> constraints{};
    bool require_all_keys = true;  ///< a node without one of the soft keys gets no score; false for defaults
    node_choice choice{};
    std::vector<toleration> tolerations{};
    friend bool operator==(spread_wish const&, spread_wish const&) = default;
};

/// `Labels(node)`, `Name(node)`, `Taints(node)`; `Resident(pod)` gives a `resident`, `Wish(pod)` a
/// `spread_wish`. A decision costs O(nodes x (kinds of pods on the node) x constraints).
template<auto Labels, auto Name, auto Taints, auto Resident, auto Wish>
struct topology_spread {
    static constexpr std::string_view name = "PodTopologySpread";
    using column = residents<Resident>;
    using facts = schedule::facts<column>;
    using domains = std::map<std::string, std::int64_t, std::less<>>;

    /// Of each hard constraint, in order.
    struct overview {
        struct one {
            domains matching{};
            std::int64_t least = 0;
            bool itself = false;  ///< the pod matches its own selector
        };
        std::vector<one> hard{};
    };
    /// Of each soft constraint, in order.
    struct contest {
        struct one {
            spread_constraint const* what = nullptr;
            domains matching{};
            double weight = 0;
            bool by_node = false;  ///< each node is a domain, counted where it is scored
            detail::memo selects{0};
        };
        std::vector<one> soft{};
    };

    [[nodiscard]] static spread_wish prepare(auto const& pod) { return std::invoke(Wish, pod); }

    [[nodiscard]] static overview survey(auto const& nodes, spread_wish const& pod)
    {
        overview out;
        auto const wanted = of(pod, true);
        for (auto const* c : wanted)
            out.hard.push_back({.itself = c->selector.matches(pod.labels)});
        if (wanted.empty())
            return out;
        auto memos = memos_for(wanted, nodes);
        nodes.for_each([&](auto const& at) {
            auto&& node_labels = std::invoke(Labels, at.node);
            if (!has_all(node_labels, wanted))
                return;
            for (std::size_t i = 0; i < wanted.size(); ++i)
                if (counts(at, pod, *wanted[i]))
                    out.hard[i]
                        .matching[std::string(*detail::domain(node_labels, wanted[i]->topology_key))] +=
                        matching(at, pod, wanted[i]->selector, memos[i]);
        });
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            auto& one = out.hard[i];
            bool const enough = static_cast<std::int64_t>(one.matching.size()) >= wanted[i]->min_domains &&
                !one.matching.empty();
            if (enough)
                one.least = std::min_element(one.matching.begin(), one.matching.end(), by_count)->second;
        }
        return out;
    }

    [[nodiscard]] static verdict filter(auto const& at, spread_wish const& pod, overview const& all)
    {
        auto&& node_labels = std::invoke(Labels, at.node);
        verdict v;
        std::size_t i = 0;
        for (auto const& c : pod.constraints) {
            if (!c.hard)
                continue;
            auto const& one = all.hard[i++];
            auto const d = detail::domain(node_labels, c.topology_key);
            if (!d) {
                v.refuse(1, true);
                return v;
            }
            auto const found = one.matching.find(*d);
            auto const there = found == one.matching.end() ? 0 : found->second;
            if (there + (one.itself ? 1 : 0) - one.least > c.max_skew) {
                v.refuse(0, false);
                return v;
            }
        }
        return v;
    }

    [[nodiscard]] static contest survey_fitting(
        auto const& nodes, std::vector<std::uint32_t> const& fitting, spread_wish const& pod)
    {
        contest out;
        auto const wanted = of(pod, false);
        if (wanted.empty())
            return out;
        auto memos = memos_for(wanted, nodes);
        for (auto const* c : wanted)
            out.soft.push_back({.what = c, .by_node = c->topology_key == "kubernetes.io/hostname"});
        std::size_t taking_part = 0;
        for (auto const slot : fitting) {
            auto const at = nodes.at(slot);
            auto&& node_labels = std::invoke(Labels, at.node);
            if (pod.require_all_keys && !has_all(node_labels, wanted))
                continue;
            ++taking_part;
            for (auto& one : out.soft)
                if (!one.by_node)
                    one.matching.try_emplace(
                        std::string(detail::domain(node_labels, one.what->topology_key).value_or("")));
        }
        for (std::size_t i = 0; i < out.soft.size(); ++i) {
            auto& one = out.soft[i];
            auto const size = one.by_node ? taking_part : one.matching.size();
            one.weight = std::log(static_cast<double>(size + 2));
        }
        nodes.for_each([&](auto const& at) {
            auto&& node_labels = std::invoke(Labels, at.node);
            if (pod.require_all_keys && !has_all(node_labels, wanted))
                return;
            for (std::size_t i = 0; i < out.soft.size(); ++i) {
                auto& one = out.soft[i];
                if (one.by_node || !counts(at, pod, *one.what))
                    continue;
                auto const found =
                    one.matching.find(detail::domain(node_labels, one.what->topology_key).value_or(""));
                if (found != one.matching.end())
                    found->second += matching(at, pod, one.what->selector, memos[i]);
            }
        });
        for (std::size_t i = 0; i < out.soft.size(); ++i)
            out.soft[i].selects = std::move(memos[i]);
        return out;
    }

    [[nodiscard]] static std::int64_t score(auto const& at, spread_wish const& pod, contest const& all)
    {
        if (all.soft.empty())
            return not_scored;
        auto&& node_labels = std::invoke(Labels, at.node);
        double sum = 0;
        for (auto const& one : all.soft) {
            auto const d = detail::domain(node_labels, one.what->topology_key);
            if (!d && pod.require_all_keys)
                return not_scored;
            if (!d)
                continue;
            auto const pods = one.by_node ? matching(at, pod, one.what->selector, one.selects)
                                          : one.matching.find(*d)->second;
            sum += static_cast<double>(pods) * one.weight + static_cast<double>(one.what->max_skew - 1);
        }
        return static_cast<std::int64_t>(std::round(sum));
    }
    [[nodiscard]] static int normalize(std::int64_t raw, range feasible)
    {
        return feasible.most <= 0
            ? max_score
            : static_cast<int>(max_score * (feasible.most + feasible.least - raw) / feasible.most);
    }

    [[nodiscard]] static std::string text(std::size_t code, spread_wish const&)
    {
        return std::string("node(s) didn't match pod topology spread constraints") +
            (code == 1 ? " (missing required label)" : "");
    }

private:
    using constraints = std::vector<spread_constraint const*>;

    static bool by_count(typename domains::value_type const& a, typename domains::value_type const& b)
    {
        return a.second < b.second;
    }
    static constraints of(spread_wish const& pod, bool hard)
    {
        constraints out;
        for (auto const& c : pod.constraints)
            if (c.hard == hard)
                out.push_back(&c);
        return out;
    }
    static std::vector<detail::memo> memos_for(constraints const& wanted, auto const& nodes)
    {
        return std::vector<detail::memo>(
            wanted.size(), detail::memo(nodes.template column<column>().kinds()));
    }
    static bool has_all(auto const& node_labels, constraints const& wanted)
    {
        return std::all_of(wanted.begin(), wanted.end(),
            [&](auto const* c) { return detail::domain(node_labels, c->topology_key).has_value(); });
    }
    /// Whether the node's pods count for this constraint.
    static bool counts(auto const& at, spread_wish const& pod, spread_constraint const& c)
    {
        if (c.honor_affinity &&
            !pod.choice.matches(std::invoke(Labels, at.node), detail::view_of(std::invoke(Name, at.node))))
            return false;
        if (c.honor_taints)
            for (auto const& t : std::invoke(Taints, at.node))
                if (detail::view_of(t.effect) != "PreferNoSchedule" && !any_tolerates(pod.tolerations, t))
                    return false;
        return true;
    }
    /// How many pods on the node the selector counts. One that selects everything counts nothing.
    static std::int64_t matching(
        auto const& at, spread_wish const& pod, labels::selector const& selector, auto&& selects)
    {
        std::int64_t sum = 0;
        if (selector.is_everything())
            return sum;
        at.template get<column>().for_each([&](std::uint32_t kind, resident const& r, std::int64_t pods) {
            if (selects(kind, [&] {
                    return !r.terminating && r.namespace_ == pod.namespace_ && selector.matches(r.labels);
                }))
                sum += pods;
        });
        return sum;
    }
};

}  // namespace podium::v0::schedule
