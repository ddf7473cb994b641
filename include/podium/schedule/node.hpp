#pragma once
/// Plugins about which node it is: by its name, and by what selects it.
///
/// Source: kube-scheduler v1.35, plugins/nodename and plugins/nodeaffinity.

#include <podium/labels/node_selector.hpp>
#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// A pod that names its node goes there or nowhere. An empty name is any node.
template<auto Name, auto Wanted>
struct node_name {
    static constexpr std::string_view name = "NodeName";
    static constexpr std::string_view reason = "node(s) didn't match the requested node name";

    [[nodiscard]] static std::string prepare(auto const& pod)
    {
        return std::string(detail::view_of(std::invoke(Wanted, pod)));
    }
    [[nodiscard]] static bool filter(auto const& at, std::string const& wanted)
    {
        return wanted.empty() || detail::view_of(std::invoke(Name, at.node)) == wanted;
    }
};

/// What a pod says about its nodes; compiled once for a class of pods.
struct node_choice {
    struct preferred_term {
        std::int64_t weight = 1;
        labels::node_selector term{};
        friend bool operator==(preferred_term const&, preferred_term const&) = default;
    };

    std::vector<std::pair<std::string, std::string>>
        labels{};                                             ///< `nodeSelector`: the node must have them all
    std::optional<podium::labels::node_selector> required{};  ///< none: any node; one without terms: no node
    std::vector<preferred_term> preferred{};

    /// A term that cannot be understood matches no node.
    [[nodiscard]] bool matches(auto const& node_labels, std::string_view node) const
    {
        for (auto const& [key, value] : labels)
            if (std::none_of(node_labels.begin(), node_labels.end(),
                    [&](auto const& l) { return l.first == key && l.second == value; }))
                return false;
        return !required || required->matches_node(node_labels, node).value_or(false);
    }
    /// The weights of the preferred terms that match, added up; those beyond 2^31 count as that.
    [[nodiscard]] std::int64_t preference(auto const& node_labels, std::string_view node) const
    {
        constexpr auto most = std::int64_t{1} << 31;
        std::int64_t sum = 0;
        for (auto const& p : preferred)
            if (p.term.matches_node(node_labels, node).value_or(false))
                sum += std::clamp(p.weight, -most, most);
        return sum;
    }
    friend bool operator==(node_choice const&, node_choice const&) = default;
};

/// Node selector and node affinity: `Choice(pod)` gives a `node_choice`, the first two the node's labels and
/// name. As a score: the preferred terms, normalised by the node that matches most.
template<auto Labels, auto Name, auto Choice>
struct node_affinity {
    static constexpr std::string_view name = "NodeAffinity";

    node_choice added{};  ///< the scheduler's own wish for all pods (Kubernetes' addedAffinity)

    [[nodiscard]] static node_choice prepare(auto const& pod) { return std::invoke(Choice, pod); }

    [[nodiscard]] verdict filter(auto const& at, node_choice const& wanted) const
    {
        verdict v;
        auto&& labels = std::invoke(Labels, at.node);
        auto&& node = std::invoke(Name, at.node);
        if (!added.matches(labels, detail::view_of(node)))
            v.refuse(1, true);
        else if (!wanted.matches(labels, detail::view_of(node)))
            v.refuse(0, true);
        return v;
    }
    [[nodiscard]] std::int64_t score(auto const& at, node_choice const& wanted) const
    {
        auto&& labels = std::invoke(Labels, at.node);
        auto&& node = std::invoke(Name, at.node);
        return added.preference(labels, detail::view_of(node)) +
            wanted.preference(labels, detail::view_of(node));
    }
    [[nodiscard]] static constexpr int normalize(std::int64_t raw, range feasible)
    {
        return by_most(raw, feasible);
    }

    [[nodiscard]] static std::string text(std::size_t code, node_choice const&)
    {
        return code == 1 ? "node(s) didn't match scheduler-enforced node affinity"
                         : "node(s) didn't match Pod's node affinity/selector";
    }
};

}  // namespace podium::v0::schedule
