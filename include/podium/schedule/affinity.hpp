#pragma once
/// Affinity between pods: near those, away from these, as far as a topology key reaches.
///
/// Symmetric: a pod also respects the required anti-affinity of the pods that are there, and is drawn to (or
/// pushed from) where their preferred terms want it.
///
/// Source: kube-scheduler v1.35, plugins/interpodaffinity.

#include <podium/schedule/ledger.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/topology.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::schedule {

/// `Labels(node)`; `Resident(pod)` gives a `resident`. As a filter it knows three refusals, as a score the
/// sum of the weights of all terms that hold in the node's domains. A decision costs O(nodes x (kinds of pods
/// on the node) x terms) in full; with its ledger what changed.
template<auto Labels, auto Resident>
struct inter_pod_affinity {
    static constexpr std::string_view name = "InterPodAffinity";
    using column = residents<Resident>;
    using domains = topology<Labels>;
    using facts = schedule::facts<column, domains>;

    int hard_weight = 1;  ///< what a required term of a pod that is there adds to the score, 0 to 100
    bool ignore_preferred_of_existing = false;  ///< for pods without preferred terms of their own
    std::map<std::string, label_map, std::less<>>
        namespaces{};  ///< and their labels, for namespace selectors

    struct overview {
        detail::topology_counts near{}, apart{}, existing{};
        bool first_of_its_kind = false;  ///< nobody matches its terms but itself: then it need not wait
    };
    struct contest {
        detail::topology_counts weights{};
    };

    [[nodiscard]] static resident prepare(auto const& pod) { return std::invoke(Resident, pod); }

    [[nodiscard]] overview survey(auto const& nodes, resident const& pod) const
    {
        overview out;
        auto const& wish = pod.affinity;
        std::map<std::uint32_t, relation> known;
        nodes.for_each([&](auto const& at) {
            auto&& node_labels = std::invoke(Labels, at.node);
            auto const add = [&](detail::topology_counts& to, affinity_term const& t, std::int64_t pods) {
                if (auto const d = detail::domain(node_labels, t.topology_key))
                    to[t.topology_key][std::string(*d)] += pods;
            };
            at.template get<column>().for_each(
                [&](std::uint32_t kind, resident const& other, std::int64_t pods) {
                    auto const [found, isnew] = known.try_emplace(kind);
                    auto& r = found->second;
                    if (isnew) {
                        r.near = meets_all(wish.required, pod.namespace_, other);
                        for (auto const& t : wish.required_anti)
                            if (wants(t, pod.namespace_, other))
                                r.apart.push_back(&t);
                        for (auto const& t : other.affinity.required_anti)
                            if (is_wanted(t, other.namespace_, pod))
                                r.existing.push_back(&t);
                    }
                    if (r.near)
                        for (auto const& t : wish.required)
                            add(out.near, t, pods);
                    for (auto const* t : r.apart)
                        add(out.apart, *t, pods);
                    for (auto const* t : r.existing)
                        add(out.existing, *t, pods);
                });
        });
        out.first_of_its_kind = out.near.empty() && meets_all(wish.required, pod.namespace_, pod);
        return out;
    }

    [[nodiscard]] static verdict filter(auto const& at, resident const& pod, overview const& all)
    {
        auto&& node_labels = std::invoke(Labels, at.node);
        verdict v;
        bool met = true;
        for (auto const& t : pod.affinity.required) {
            auto const d = detail::domain(node_labels, t.topology_key);
            if (!d) {
                v.refuse(0, true);
                return v;
            }
            met = met && taken(all.near, t.topology_key, *d);
        }
        if (!met && !all.first_of_its_kind) {
            v.refuse(0, true);
            return v;
        }
        for (auto const& t : pod.affinity.required_anti)
            if (auto const d = detail::domain(node_labels, t.topology_key);
                d && taken(all.apart, t.topology_key, *d)) {
                v.refuse(1, false);
                return v;
            }
        for (auto const& [key, domains] : all.existing)
            if (auto const d = detail::domain(node_labels, key); d && domains.contains(*d)) {
                v.refuse(2, false);
                return v;
            }
        return v;
    }

    [[nodiscard]] contest survey_fitting(
        auto const& nodes, std::vector<std::uint32_t> const&, resident const& pod) const
    {
        contest out;
        auto const& wish = pod.affinity;
        if (!scores_existing(pod))
            return out;
        struct weight {
            affinity_term const* term;
            std::int64_t amount;
        };
        std::map<std::uint32_t, std::vector<weight>> known;
        nodes.for_each([&](auto const& at) {
            auto&& node_labels = std::invoke(Labels, at.node);
            at.template get<column>().for_each([&](std::uint32_t kind, resident const& other,
                                                   std::int64_t pods) {
                auto const [found, isnew] = known.try_emplace(kind);
                auto& held = found->second;
                if (isnew) {
                    auto const mine = [&](std::vector<affinity_term> const& terms, int sign) {
                        for (auto const& t : terms)
                            if (wants(t, pod.namespace_, other))
                                held.push_back({&t, sign * std::int64_t{t.weight}});
                    };
                    auto const theirs = [&](std::vector<affinity_term> const& terms, int sign, int fixed) {
                        for (auto const& t : terms)
                            if (is_wanted(t, other.namespace_, pod))
                                held.push_back({&t, sign * std::int64_t{fixed > 0 ? fixed : t.weight}});
                    };
                    mine(wish.preferred, 1);
                    mine(wish.preferred_anti, -1);
                    if (hard_weight > 0)
                        theirs(other.affinity.required, 1, hard_weight);
                    theirs(other.affinity.preferred, 1, 0);
                    theirs(other.affinity.preferred_anti, -1, 0);
                }
                for (auto const& w : held)
                    if (auto const d = detail::domain(node_labels, w.term->topology_key))
                        out.weights[w.term->topology_key][std::string(*d)] += w.amount * pods;
            });
        });
        return out;
    }
    [[nodiscard]] static std::int64_t score(auto const& at, resident const&, contest const& all)
    {
        auto&& node_labels = std::invoke(Labels, at.node);
        std::int64_t sum = 0;
        for (auto const& [key, domains] : all.weights)
            if (auto const d = detail::domain(node_labels, key))
                if (auto const found = domains.find(*d); found != domains.end())
                    sum += found->second;
        return sum;
    }
    [[nodiscard]] static int normalize(std::int64_t raw, range feasible)
    {
        auto const width = feasible.most - feasible.least;
        return width <= 0 ? 0
                          : static_cast<int>(max_score *
                                (static_cast<double>(raw - feasible.least) / static_cast<double>(width)));
    }

    /// Whether the filter's answers about nodes do not depend on each other for this pod now.
    [[nodiscard]] bool alone(auto const& nodes, resident const& pod) const
    {
        auto const matters = [&](auto const& w) {
            return w.role == affinity_role::required_anti && is_wanted(w.term, w.namespace_, pod);
        };
        return pod.affinity.required.empty() && pod.affinity.required_anti.empty() &&
            std::ranges::none_of(nodes.template column<column>().wishes(), matters);
    }
    /// Keeps for each topology key what its domains hold for a pod.
    template<class Nodes>
    class ledger {
    public:
        struct key {
            struct theirs {  ///< a wish of pods that are there, which the pod meets
                std::uint64_t birth = 0;
                std::string topology_key{};
                affinity_role role = affinity_role::required;
                std::int64_t weight = 0;
                friend bool operator==(theirs const&, theirs const&) = default;
            };
            pod_affinity wish{};
            std::string namespace_{};  ///< empty for a pod without wishes, which is alike in all of them
            bool meets_own = false;    ///< the pod's own required terms
            std::vector<theirs> others{};
            friend bool operator==(key const&, key const&) = default;
        };

        static key key_of(inter_pod_affinity const& p, Nodes const& nodes, resident const& pod)
        {
            key out{.wish = pod.affinity};
            if (pod.affinity != pod_affinity{}) {
                out.namespace_ = pod.namespace_;
                out.meets_own = p.meets_all(pod.affinity.required, pod.namespace_, pod);
            }
            for (auto const& w : nodes.template column<column>().wishes()) {
                std::int64_t const weight = w.role == affinity_role::required ? std::max(p.hard_weight, 0)
                    : w.role == affinity_role::preferred                      ? std::int64_t{w.term.weight}
                                                                              : -std::int64_t{w.term.weight};
                bool const scores = w.role != affinity_role::required_anti;
                if ((!scores || (weight != 0 && p.scores_existing(pod))) &&
                    p.is_wanted(w.term, w.namespace_, pod))
                    out.others.push_back({w.birth, w.term.topology_key, w.role, scores ? weight : 0});
            }
            std::ranges::sort(out.others, {}, &key::theirs::birth);
            return out;
        }
        static std::uint64_t stamp(Nodes const& nodes)
        {
            return nodes.template column<column>().wish_births();
        }

        ledger(inter_pod_affinity const&, Nodes& nodes, key k)
            : key_(std::move(k)),
              axes_(axes_of(key_, nodes)),
              places_(2 * axes_.size())
        {
            for (auto const& t : key_.wish.required)
                required_.push_back(axis_of(t.topology_key));
        }

        [[nodiscard]] bool stale(Nodes const& nodes) const
        {
            return places_.crowded(nodes.slots()) || std::ranges::any_of(axes_, [&](axis const& a) {
                return a.fine != nodes.template column<domains>().is_fine(a.number);
            });
        }
        void touch(inter_pod_affinity const& p, Nodes const& nodes, std::uint32_t slot, bool,
            std::vector<std::uint32_t>& also)
        {
            if (axes_.empty())
                return;
            auto const& all = nodes.template column<column>();
            auto const& where = nodes.template column<domains>();
            bool const there = nodes.has(slot);
            fresh_.assign(axes_.size(), {});
            if (there)
                for (auto const& c : all.counts(slot)) {
                    auto const& r = relation_of(p, all, c.kind);
                    for (std::size_t a = 0; a < r.size(); ++a)
                        fresh_[a].add(r[a], c.pods);
                }
            if (held_.size() < (std::size_t{slot} + 1) * axes_.size())
                held_.resize((std::size_t{slot} + 1) * axes_.size());
            for (std::size_t a = 0; a < axes_.size(); ++a) {
                auto& ax = axes_[a];
                auto& h = held_[slot * axes_.size() + a];
                auto const domain = there ? where.domain(ax.number, slot) : domains::none;
                if (h.domain == domain && h.what == fresh_[a])
                    continue;
                auto const moved = [&](std::uint32_t d, sums const& by, int sign) {
                    if (d == domains::none)
                        return;
                    if (d >= ax.in.size())
                        ax.in.resize(where.numbers(ax.number));
                    near_ -= ax.in[d].near > 0 ? 1u : 0u;
                    ax.in[d].add(by, sign);
                    near_ += ax.in[d].near > 0 ? 1u : 0u;
                    if (ax.fine && by != sums{})
                        where.for_each(ax.number, d, [&](std::uint32_t s) {
                            if (s != slot)
                                also_.push_back(s);
                        });
                };
                moved(h.domain, h.what, -1);
                moved(domain, fresh_[a], 1);
                h = {domain, fresh_[a]};
            }
            if (there)
                settle(where, slot);
            for (auto const s : also_)
                if (nodes.has(s) && settle(where, s))
                    also.push_back(s);
            also_.clear();
        }
        [[nodiscard]] std::uint32_t place(std::uint32_t slot) const { return places_.at(slot); }
        [[nodiscard]] std::size_t places() const { return places_.size(); }

        [[nodiscard]] verdict filter(inter_pod_affinity const&, std::uint32_t place) const
        {
            verdict v;
            auto const at = places_.values(place);
            bool met = true;
            for (auto const a : required_) {
                auto const d = seen(at, a);
                if (!d.present) {
                    v.refuse(0, true);
                    return v;
                }
                met = met && d.near;
            }
            if (!met && (near_ != 0 || !key_.meets_own)) {
                v.refuse(0, true);
                return v;
            }
            bool apart = false, existing = false;
            for (std::size_t a = 0; a < axes_.size(); ++a) {
                auto const d = seen(at, a);
                apart = apart || d.apart;
                existing = existing || d.existing;
            }
            if (apart)
                v.refuse(1, false);
            else if (existing)
                v.refuse(2, false);
            return v;
        }
        void open() {}
        void admit(std::uint32_t, std::uint32_t) {}
        void close() {}
        [[nodiscard]] std::int64_t score(inter_pod_affinity const&, std::uint32_t place) const
        {
            auto const at = places_.values(place);
            std::int64_t sum = 0;
            for (std::size_t a = 0; a < axes_.size(); ++a)
                sum += seen(at, a).weight;
            return sum;
        }

    private:
        /// Pods that matter on a node or in a domain.
        struct sums {
            std::int64_t near = 0;      ///< meet the pod's required terms
            std::int64_t apart = 0;     ///< meet one of its required anti-terms
            std::int64_t existing = 0;  ///< have a required anti-term that it meets
            std::int64_t weight = 0;    ///< of preferences, theirs and its own
            friend bool operator==(sums const&, sums const&) = default;

            void add(sums const& o, std::int64_t times)
            {
                near += o.near * times;
                apart += o.apart * times;
                existing += o.existing * times;
                weight += o.weight * times;
            }
        };
        struct axis {
            std::string topology_key{};
            std::size_t number = 0;  ///< in `topology`
            bool fine = false;
            std::vector<sums> in{};  ///< by domain
        };
        struct holding {
            std::uint32_t domain = domains::none;
            sums what{};
        };
        /// One axis as a place has it.
        struct view {
            bool present = false, near = false, apart = false, existing = false;
            std::int64_t weight = 0;
        };

        static std::vector<axis> axes_of(key const& k, Nodes& nodes)
        {
            std::vector<axis> out;
            auto const add = [&](std::string const& topology_key) {
                if (std::ranges::find(out, topology_key, &axis::topology_key) != out.end())
                    return;
                auto& where = nodes.template column<domains>();
                auto const number = where.track(topology_key, nodes);
                out.push_back({topology_key, number, where.is_fine(number)});
            };
            for (auto const* terms :
                {&k.wish.required, &k.wish.required_anti, &k.wish.preferred, &k.wish.preferred_anti})
                for (auto const& t : *terms)
                    add(t.topology_key);
            for (auto const& t : k.others)
                add(t.topology_key);
            return out;
        }
        [[nodiscard]] std::size_t axis_of(std::string_view topology_key) const
        {
            return static_cast<std::size_t>(
                std::ranges::find(axes_, topology_key, &axis::topology_key) - axes_.begin());
        }
        /// By axis; empty when the kind does not matter.
        std::vector<sums> const& relation_of(
            inter_pod_affinity const& p, column const& all, std::uint32_t kind)
        {
            return relations_(kind, all.birth(kind), [&] {
                std::vector<sums> out(axes_.size());
                auto const& other = all.what(kind);
                auto const& mine = key_.wish;
                if (p.meets_all(mine.required, key_.namespace_, other))
                    for (auto const& t : mine.required)
                        ++out[axis_of(t.topology_key)].near;
                auto const each = [&](std::vector<affinity_term> const& terms, auto what) {
                    for (auto const& t : terms)
                        if (p.wants(t, key_.namespace_, other))
                            what(out[axis_of(t.topology_key)], t.weight);
                };
                each(mine.required_anti, [](sums& s, int) { ++s.apart; });
                each(mine.preferred, [](sums& s, int w) { s.weight += w; });
                each(mine.preferred_anti, [](sums& s, int w) { s.weight -= w; });
                all.for_each_wish(kind, [&](std::uint64_t birth) {
                    auto const t = std::ranges::lower_bound(key_.others, birth, {}, &key::theirs::birth);
                    if (t == key_.others.end() || t->birth != birth)
                        return;
                    auto& s = out[axis_of(t->topology_key)];
                    s.existing += t->role == affinity_role::required_anti ? 1 : 0;
                    s.weight += t->weight;
                });
                if (std::ranges::all_of(out, [](sums const& s) { return s == sums{}; }))
                    out.clear();
                return out;
            });
        }
        bool settle(domains const& where, std::uint32_t slot)
        {
            values_.clear();
            for (auto const& a : axes_) {
                auto const d = where.domain(a.number, slot);
                if (!a.fine) {
                    values_.insert(values_.end(), {std::int64_t{d}, 0});
                } else if (d == domains::none) {
                    values_.insert(values_.end(), {0, 0});
                } else {
                    auto const in = d < a.in.size() ? a.in[d] : sums{};
                    values_.insert(values_.end(),
                        {1 + (in.near > 0 ? 2 : 0) + (in.apart > 0 ? 4 : 0) + (in.existing > 0 ? 8 : 0),
                            in.weight});
                }
            }
            return places_.set(slot, values_);
        }
        [[nodiscard]] view seen(std::span<std::int64_t const> at, std::size_t a) const
        {
            auto const what = at[2 * a];
            if (axes_[a].fine)
                return {(what & 1) != 0, (what & 2) != 0, (what & 4) != 0, (what & 8) != 0, at[2 * a + 1]};
            if (what == std::int64_t{domains::none})
                return {};
            auto const d = static_cast<std::size_t>(what);
            auto const in = d < axes_[a].in.size() ? axes_[a].in[d] : sums{};
            return {true, in.near > 0, in.apart > 0, in.existing > 0, in.weight};
        }

        key key_;
        std::vector<axis> axes_;
        std::vector<std::size_t> required_{};  ///< the axis of each required term
        std::uint64_t near_ = 0;               ///< domains with pods that meet the required terms
        std::vector<holding> held_{};          ///< by slot, then axis: what it adds to its domains
        detail::by_kind<std::vector<sums>> relations_{};
        detail::places places_;
        std::vector<sums> fresh_{};  // scratch
        std::vector<std::int64_t> values_{};
        std::vector<std::uint32_t> also_{};
    };

    [[nodiscard]] static std::string text(std::size_t code, resident const&)
    {
        return code == 0 ? "node(s) didn't match pod affinity rules"
            : code == 1  ? "node(s) didn't match pod anti-affinity rules"
                         : "node(s) didn't satisfy existing pods anti-affinity rules";
    }

private:
    /// What a kind of pods is to the pod that is placed.
    struct relation {
        bool near = false;
        std::vector<affinity_term const*> apart{}, existing{};
    };

    /// Whether the preferences of pods that are there count.
    [[nodiscard]] bool scores_existing(resident const& pod) const
    {
        return !ignore_preferred_of_existing || !pod.affinity.preferred.empty() ||
            !pod.affinity.preferred_anti.empty();
    }
    static bool taken(detail::topology_counts const& all, std::string_view key, std::string_view domain)
    {
        auto const found = all.find(key);
        return found != all.end() && found->second.contains(domain);
    }
    static bool names(affinity_term const& t, std::string_view owner, resident const& other)
    {
        if (t.namespaces.empty() && !t.namespace_selector)
            return other.namespace_ == owner;
        return std::find(t.namespaces.begin(), t.namespaces.end(), other.namespace_) != t.namespaces.end();
    }
    /// A term of the pod that is placed: a selector takes in the namespaces there are.
    bool wants(affinity_term const& t, std::string_view owner, resident const& other) const
    {
        auto const in = [&] {
            if (names(t, owner, other))
                return true;
            if (!t.namespace_selector)
                return false;
            auto const found = namespaces.find(other.namespace_);
            return t.namespace_selector->is_everything() ||
                (found != namespaces.end() && t.namespace_selector->matches(found->second));
        };
        return in() && t.selector.matches(other.labels);
    }
    /// A term of a pod that is there: a namespace that is not known has no labels.
    bool is_wanted(affinity_term const& t, std::string_view owner, resident const& other) const
    {
        auto const in = [&] {
            if (names(t, owner, other))
                return true;
            auto const found = namespaces.find(other.namespace_);
            return t.namespace_selector &&
                t.namespace_selector->matches(found == namespaces.end() ? label_map{} : found->second);
        };
        return in() && t.selector.matches(other.labels);
    }
    bool meets_all(
        std::vector<affinity_term> const& terms, std::string_view owner, resident const& other) const
    {
        return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](affinity_term const& t) {
            return wants(t, owner, other);
        });
    }
};

}  // namespace podium::v0::schedule
