#pragma once
/// Affinity between pods: near those, away from these, as far as a topology key reaches.
///
/// Symmetric: a pod also respects the required anti-affinity of the pods that are there, and is drawn to (or
/// pushed from) where their preferred terms want it.
///
/// Source: kube-scheduler v1.35, plugins/interpodaffinity.

#include <podium/schedule/residents.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::schedule {

/// `Labels(node)`; `Resident(pod)` gives a `resident`. As a filter it knows three refusals, as a score the
/// sum of the weights of all terms that hold in the node's domains. A decision costs O(nodes x (kinds of pods
/// on the node) x terms).
template<auto Labels, auto Resident>
struct inter_pod_affinity {
    static constexpr std::string_view name = "InterPodAffinity";
    using column = residents<Resident>;
    using facts = schedule::facts<column>;

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
                        r.near = meets_all(wish.required, pod, other);
                        for (auto const& t : wish.required_anti)
                            if (wants(t, pod, other))
                                r.apart.push_back(&t);
                        for (auto const& t : other.affinity.required_anti)
                            if (is_wanted(t, other, pod))
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
        out.first_of_its_kind = out.near.empty() && meets_all(wish.required, pod, pod);
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
        if (ignore_preferred_of_existing && wish.preferred.empty() && wish.preferred_anti.empty())
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
                            if (wants(t, pod, other))
                                held.push_back({&t, sign * std::int64_t{t.weight}});
                    };
                    auto const theirs = [&](std::vector<affinity_term> const& terms, int sign, int fixed) {
                        for (auto const& t : terms)
                            if (is_wanted(t, other, pod))
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

    static bool taken(detail::topology_counts const& all, std::string_view key, std::string_view domain)
    {
        auto const found = all.find(key);
        return found != all.end() && found->second.contains(domain);
    }
    static bool names(affinity_term const& t, resident const& owner, resident const& other)
    {
        if (t.namespaces.empty() && !t.namespace_selector)
            return other.namespace_ == owner.namespace_;
        return std::find(t.namespaces.begin(), t.namespaces.end(), other.namespace_) != t.namespaces.end();
    }
    /// A term of the pod that is placed: a selector takes in the namespaces there are.
    bool wants(affinity_term const& t, resident const& owner, resident const& other) const
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
    bool is_wanted(affinity_term const& t, resident const& owner, resident const& other) const
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
        std::vector<affinity_term> const& terms, resident const& owner, resident const& other) const
    {
        return !terms.empty() && std::all_of(terms.begin(), terms.end(), [&](affinity_term const& t) {
            return wants(t, owner, other);
        });
    }
};

}  // namespace podium::v0::schedule
