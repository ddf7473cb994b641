#pragma once
/// Plugins about which node it is: by its name, and by what selects it.
///
/// Source: kube-scheduler v1.35, plugins/nodename and plugins/nodeaffinity.

#include <podium/schedule/plugin.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

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

/// What a pod says about its nodes. `Selector(pod)` gives any copyable value with `matches(node) -> bool`,
/// and, to be used as a score, `preference(node)`: the weights of the preferred terms that the node matches,
/// added up. The value is made once for a class of pods (compile selectors in its constructor); with `==`,
/// like pods share a class.
template<auto Selector>
struct node_affinity {
    static constexpr std::string_view name = "NodeAffinity";
    static constexpr std::string_view reason = "node(s) didn't match Pod's node affinity/selector";

    [[nodiscard]] static auto prepare(auto const& pod) { return std::invoke(Selector, pod); }

    template<class At, class S>
    requires requires(S const& s, At const& at) {
        { s.matches(at.node) } -> std::convertible_to<bool>;
    }
    [[nodiscard]] static bool filter(At const& at, S const& selector)
    {
        return selector.matches(at.node);
    }
    template<class At, class S>
    requires requires(S const& s, At const& at) {
        { s.preference(at.node) } -> std::convertible_to<std::int64_t>;
    }
    [[nodiscard]] static std::int64_t score(At const& at, S const& selector)
    {
        return selector.preference(at.node);
    }
    [[nodiscard]] static constexpr int normalize(std::int64_t raw, range feasible)
    {
        return by_most(raw, feasible);
    }
};

}  // namespace podium::v0::schedule
