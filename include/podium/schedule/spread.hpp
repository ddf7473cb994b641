#pragma once
/// Spreading: like pods evenly over zones, racks or nodes.
///
/// Source: kube-scheduler v1.35, plugins/podtopologyspread.

#include <podium/schedule/ledger.hpp>
#include <podium/schedule/node.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/taints.hpp>
#include <podium/schedule/topology.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
/// `spread_wish`. A decision costs O(nodes x (kinds of pods on the node) x constraints) in full; with its
/// ledger what changed, and O(domains with nodes that fit) for a soft constraint.
template<auto Labels, auto Name, auto Taints, auto Resident, auto Wish>
struct topology_spread {
    static constexpr std::string_view name = "PodTopologySpread";
    using column = residents<Resident>;
    using topology = schedule::topology<Labels>;
    using facts = schedule::facts<column, topology>;
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
            out.soft.push_back({.what = c, .by_node = is_by_node(*c)});
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
            sum += static_cast<double>(pods) * one.weight + (static_cast<double>(one.what->max_skew) - 1);
        }
        return static_cast<std::int64_t>(std::round(sum));
    }
    [[nodiscard]] static int normalize(std::int64_t raw, range feasible)
    {
        return feasible.most <= 0
            ? max_score
            : static_cast<int>(max_score * (feasible.most + feasible.least - raw) / feasible.most);
    }

    /// Whether the filter's answers about nodes do not depend on each other for this pod.
    [[nodiscard]] static bool alone(auto const&, spread_wish const& pod)
    {
        return std::ranges::none_of(pod.constraints, &spread_constraint::hard);
    }
    /// Keeps for each constraint how many pods its domains have that count.
    template<class Nodes>
    class ledger {
    public:
        struct key {
            spread_wish wish{};          ///< without labels
            std::vector<bool> itself{};  ///< for each constraint: the pod matches its own selector
            friend bool operator==(key const&, key const&) = default;
        };

        static key key_of(topology_spread const&, Nodes const&, spread_wish const& pod)
        {
            key out;
            if (pod.constraints.empty())
                return out;
            out.wish = pod;
            out.wish.labels.clear();
            auto const none_honors = [&](auto member) {
                return std::ranges::none_of(pod.constraints, member);
            };
            if (none_honors(&spread_constraint::honor_affinity))
                out.wish.choice = {};
            if (none_honors(&spread_constraint::honor_taints))
                out.wish.tolerations.clear();
            for (auto const& c : pod.constraints)
                out.itself.push_back(c.selector.matches(pod.labels));
            return out;
        }
        static std::uint64_t stamp(Nodes const&) { return 0; }

        ledger(topology_spread const&, Nodes& nodes, key k)
            : key_(std::move(k)),
              places_(key_.wish.constraints.empty() ? 0 : key_.wish.constraints.size() + 1)
        {
            for (std::size_t i = 0; i < key_.wish.constraints.size(); ++i) {
                auto const& c = key_.wish.constraints[i];
                auto& where = nodes.template column<topology>();
                auto const number = where.track(c.topology_key, nodes);
                axes_.push_back({.what = i,
                    .number = number,
                    .hard = c.hard,
                    .by_node = !c.hard && is_by_node(c),
                    .fine = c.hard && where.is_fine(number),
                    .itself = key_.itself[i]});
                has_soft_ = has_soft_ || !c.hard;
            }
        }

        [[nodiscard]] bool stale(Nodes const& nodes) const
        {
            return places_.crowded(nodes.slots()) || std::ranges::any_of(axes_, [&](axis const& a) {
                return a.hard && a.fine != nodes.template column<topology>().is_fine(a.number);
            });
        }
        void touch(topology_spread const&, Nodes const& nodes, std::uint32_t slot, bool node,
            std::vector<std::uint32_t>& also)
        {
            auto const n = axes_.size();
            if (n == 0)
                return;
            auto const& all = nodes.template column<column>();
            auto const& where = nodes.template column<topology>();
            bool const there = nodes.has(slot);
            if (held_.size() < (std::size_t{slot} + 1) * n) {
                held_.resize((std::size_t{slot} + 1) * n);
                flags_.resize(slot + 1);
            }
            auto& flags = flags_[slot];
            if (node) {
                flags = {.soft = true};
                bool hard = true;
                for (auto const& a : axes_)
                    if (!there || where.domain(a.number, slot) == topology::none)
                        (a.hard ? hard : flags.soft) = false;
                for (std::size_t i = 0; i < n; ++i) {
                    auto const& a = axes_[i];
                    bool const takes_part =
                        there && (a.hard ? hard : flags.soft || !key_.wish.require_all_keys);
                    held_[slot * n + i].counted =
                        takes_part && counts(nodes.at(slot), key_.wish, key_.wish.constraints[a.what]);
                }
            }
            fresh_.assign(n, 0);
            if (there)
                for (auto const& c : all.counts(slot)) {
                    auto const selected =
                        selects_(c.kind, all.birth(c.kind), [&] { return selection(all.what(c.kind)); });
                    for (std::size_t i = 0; i < n; ++i)
                        fresh_[i] +=
                            (i < 64 ? selected >> i & 1 : selects(i, all.what(c.kind))) != 0 ? c.pods : 0;
                }
            for (std::size_t i = 0; i < n; ++i) {
                auto& a = axes_[i];
                auto& h = held_[slot * n + i];
                h.here = fresh_[i];
                auto domain = there ? where.domain(a.number, slot) : topology::none;
                if (!a.hard && domain == topology::none)
                    domain = 0;
                if (!h.counted)
                    domain = topology::none;
                if (h.domain == domain && h.pods == fresh_[i])
                    continue;
                auto const moved = [&](std::uint32_t d, std::int64_t by, int nodes_by) {
                    if (d == topology::none)
                        return;
                    if (d >= a.in.size())
                        a.in.resize(where.numbers(a.number));
                    auto& in = a.in[d];
                    if (a.hard && in.nodes > 0)
                        if (auto const at = a.sizes.find(in.pods); --at->second == 0)
                            a.sizes.erase(at);
                    in.nodes += nodes_by;
                    in.pods += by;
                    if (a.hard && in.nodes > 0)
                        ++a.sizes[in.pods];
                    a.counted +=
                        (in.nodes == 1 && nodes_by > 0 ? 1 : 0) - (in.nodes == 0 && nodes_by < 0 ? 1 : 0);
                    if (a.fine && by != 0)
                        where.for_each(a.number, d, [&](std::uint32_t s) {
                            if (s != slot)
                                also_.push_back(s);
                        });
                };
                if (h.domain == domain) {
                    moved(domain, fresh_[i] - h.pods, 0);
                } else {
                    moved(h.domain, -h.pods, -1);
                    moved(domain, fresh_[i], 1);
                }
                h.domain = domain;
                h.pods = fresh_[i];
            }
            if (there)
                settle(where, slot);
            for (auto const s : also_)
                if (nodes.has(s) && s < flags_.size() && settle(where, s))
                    also.push_back(s);
            also_.clear();
        }
        [[nodiscard]] std::uint32_t place(std::uint32_t slot) const { return places_.at(slot); }
        [[nodiscard]] std::size_t places() const { return places_.size(); }

        [[nodiscard]] verdict filter(topology_spread const&, std::uint32_t place) const
        {
            verdict v;
            auto const at = places_.values(place);
            for (std::size_t i = 0; i < axes_.size(); ++i) {
                auto const& a = axes_[i];
                if (!a.hard)
                    continue;
                if (at[i] == missing) {
                    v.refuse(1, true);
                    return v;
                }
                auto const& c = key_.wish.constraints[a.what];
                bool const enough = a.counted >= c.min_domains && a.counted > 0;
                auto const least = enough ? a.sizes.begin()->first : 0;
                if ((a.fine ? at[i] : a.pods(at[i])) + (a.itself ? 1 : 0) - least > c.max_skew) {
                    v.refuse(0, false);
                    return v;
                }
            }
            return v;
        }

        void open()
        {
            ++decision_;
            taking_part_ = 0;
            for (auto& a : axes_)
                a.fitting = 0;
        }
        void admit(std::uint32_t place, std::uint32_t nodes)
        {
            if (!has_soft_)
                return;
            auto const at = places_.values(place);
            if (key_.wish.require_all_keys && at[axes_.size()] == 0)
                return;
            taking_part_ += nodes;
            for (std::size_t i = 0; i < axes_.size(); ++i) {
                auto& a = axes_[i];
                if (a.hard || a.by_node)
                    continue;
                auto const d = static_cast<std::size_t>(at[i] == missing ? 0 : at[i]);
                if (d >= a.seen.size())
                    a.seen.resize(d + 1);
                a.fitting += a.seen[d] == decision_ ? 0u : 1u;
                a.seen[d] = decision_;
            }
        }
        void close()
        {
            for (auto& a : axes_)
                if (!a.hard)
                    a.weight = std::log(static_cast<double>((a.by_node ? taking_part_ : a.fitting) + 2));
        }
        [[nodiscard]] std::int64_t score(topology_spread const&, std::uint32_t place) const
        {
            if (!has_soft_)
                return not_scored;
            auto const at = places_.values(place);
            if (key_.wish.require_all_keys && at[axes_.size()] == 0)
                return not_scored;
            double sum = 0;
            for (std::size_t i = 0; i < axes_.size(); ++i) {
                auto const& a = axes_[i];
                if (a.hard || at[i] == missing)
                    continue;
                sum += static_cast<double>(a.by_node ? at[i] : a.pods(at[i])) * a.weight +
                    (static_cast<double>(key_.wish.constraints[a.what].max_skew) - 1);
            }
            return static_cast<std::int64_t>(std::round(sum));
        }

    private:
        static constexpr std::int64_t missing = -1;
        struct inside {
            std::int64_t nodes = 0;  ///< that count
            std::int64_t pods = 0;   ///< of those
        };
        struct axis {
            std::size_t what = 0;    ///< which constraint
            std::size_t number = 0;  ///< in `topology`
            bool hard = false, by_node = false, fine = false, itself = false;
            std::vector<inside> in{};                      ///< by domain
            std::map<std::int64_t, std::int64_t> sizes{};  ///< hard: how many domains have so many pods
            std::int64_t counted = 0;                      ///< domains that have nodes that count
            std::vector<std::uint64_t> seen{};  ///< by domain: the last decision with a node there that fits
            std::uint64_t fitting = 0;          ///< domains of nodes that fit
            double weight = 0;

            [[nodiscard]] std::int64_t pods(std::int64_t domain) const
            {
                auto const d = static_cast<std::size_t>(domain);
                return d < in.size() ? in[d].pods : 0;
            }
        };
        struct holding {
            std::uint32_t domain = topology::none;  ///< that it is counted in
            bool counted = false;
            std::int64_t pods = 0;  ///< as counted there
            std::int64_t here = 0;  ///< on the node
        };
        struct node_flags {
            bool soft = false;  ///< has the keys of all soft constraints
        };

        [[nodiscard]] std::uint64_t selects(std::size_t i, resident const& r) const
        {
            auto const& s = key_.wish.constraints[i].selector;
            return !s.is_everything() && !r.terminating && r.namespace_ == key_.wish.namespace_ &&
                s.matches(r.labels);
        }
        /// A bit for each of the first 64 constraints that count such a pod.
        [[nodiscard]] std::uint64_t selection(resident const& r) const
        {
            std::uint64_t out = 0;
            for (std::size_t i = 0; i < std::min<std::size_t>(64, axes_.size()); ++i)
                out |= selects(i, r) << i;
            return out;
        }
        bool settle(topology const& where, std::uint32_t slot)
        {
            values_.clear();
            for (std::size_t i = 0; i < axes_.size(); ++i) {
                auto const& a = axes_[i];
                auto const d = where.domain(a.number, slot);
                values_.push_back(d == topology::none ? missing
                        : a.by_node                   ? held_[slot * axes_.size() + i].here
                        : a.fine                      ? a.pods(d)
                                                      : std::int64_t{d});
            }
            values_.push_back(flags_[slot].soft ? 1 : 0);
            return places_.set(slot, values_);
        }

        key key_;
        std::vector<axis> axes_{};
        bool has_soft_ = false;
        std::vector<holding> held_{};  ///< by slot, then axis
        std::vector<node_flags> flags_{};
        detail::by_kind<std::uint64_t> selects_{};
        detail::places places_;
        std::uint64_t decision_ = 0;
        std::uint64_t taking_part_ = 0;
        std::vector<std::int64_t> fresh_{};  // scratch
        std::vector<std::int64_t> values_{};
        std::vector<std::uint32_t> also_{};
    };

    [[nodiscard]] static std::string text(std::size_t code, spread_wish const&)
    {
        return std::string("node(s) didn't match pod topology spread constraints") +
            (code == 1 ? " (missing required label)" : "");
    }

private:
    static bool is_by_node(spread_constraint const& c) { return c.topology_key == "kubernetes.io/hostname"; }
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
