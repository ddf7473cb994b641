#pragma once
/// Taints and tolerations: a node pushes pods away unless they say that they can bear it; a cordoned node
/// takes none.
///
/// Works on any types with the fields `key`, `value`, `effect` (taint) and `key`, `operator_`, `value`,
/// `effect` (toleration), each a string, an optional string, or an enum with `to_string` that gives
/// Kubernetes' words. The types here are for embedders who have none.
///
/// Source: kube-scheduler v1.35, plugins/tainttoleration and plugins/nodeunschedulable; api
/// core/v1/toleration.go
/// (`ToleratesTaint`, without the gated operators Lt and Gt).

#include <podium/schedule/plugin.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::schedule {

enum class taint_effect : std::uint8_t { no_schedule, prefer_no_schedule, no_execute };

[[nodiscard]] constexpr std::string_view to_string(taint_effect effect) noexcept
{
    switch (effect) {
    case taint_effect::no_schedule: return "NoSchedule";
    case taint_effect::prefer_no_schedule: return "PreferNoSchedule";
    case taint_effect::no_execute: return "NoExecute";
    }
    return {};
}

struct taint {
    std::string key{};
    std::string value{};
    taint_effect effect = taint_effect::no_schedule;
    friend bool operator==(taint const&, taint const&) = default;
};

struct toleration {
    std::string key{};  ///< empty: every key
    std::string
        operator_{};  ///< "Equal" (also when empty): the value must be the taint's; "Exists": any value
    std::string value{};
    std::string effect{};  ///< empty: every effect
    friend bool operator==(toleration const&, toleration const&) = default;
};

[[nodiscard]] constexpr bool tolerates(auto const& toleration, auto const& taint)
{
    using detail::view_of;
    auto const wanted = [](std::string_view asked, std::string_view have) {
        return asked.empty() || asked == have;
    };
    if (!wanted(view_of(toleration.effect), view_of(taint.effect)) ||
        !wanted(view_of(toleration.key), view_of(taint.key)))
        return false;
    auto const op = view_of(toleration.operator_);
    return op == "Exists" ||
        ((op.empty() || op == "Equal") && view_of(toleration.value) == view_of(taint.value));
}

/// Whether any of them does. O(tolerations).
[[nodiscard]] constexpr bool any_tolerates(auto const& tolerations, auto const& taint)
{
    for (auto const& t : tolerations)
        if (tolerates(t, taint))
            return true;
    return false;
}

namespace detail {

/// A property's value kept for a class of pods; nothing where the embedder's type has none.
template<auto Property>
auto held(auto const& pod)
{
    if constexpr (std::same_as<std::remove_cv_t<decltype(Property)>, absent>)
        return std::vector<toleration>{};
    else
        return std::invoke(Property, pod);
}

}  // namespace detail

/// Filters by the effects NoSchedule and NoExecute; as a score, prefers nodes with fewer untolerated
/// PreferNoSchedule.
template<auto Taints, auto Tolerations = none>
struct taint_toleration {
    static constexpr std::string_view name = "TaintToleration";
    static constexpr std::string_view reason = "node(s) had untolerated taint(s)";

    [[nodiscard]] static auto prepare(auto const& pod) { return detail::held<Tolerations>(pod); }

    [[nodiscard]] static bool filter(auto const& at, auto const& tolerations)
    {
        return first_untolerated(std::invoke(Taints, at.node), tolerations) == nullptr;
    }
    [[nodiscard]] static std::int64_t score(auto const& at, auto const& tolerations)
    {
        std::int64_t count = 0;
        for (auto const& t : std::invoke(Taints, at.node))
            count +=
                detail::view_of(t.effect) == "PreferNoSchedule" && !any_tolerates(tolerations, t) ? 1 : 0;
        return count;
    }
    [[nodiscard]] static constexpr int normalize(std::int64_t raw, range feasible)
    {
        return by_most_reversed(raw, feasible);
    }

    /// Which one: "{dedicated: gpu}".
    [[nodiscard]] static std::string which(auto const& at, auto const& tolerations)
    {
        auto&& taints = std::invoke(Taints, at.node);
        auto const* t = first_untolerated(taints, tolerations);
        return t == nullptr ? std::string{}
                            : "{" + std::string(detail::view_of(t->key)) + ": " +
                std::string(detail::view_of(t->value)) + "}";
    }

private:
    static auto const* first_untolerated(auto const& taints, auto const& tolerations)
    {
        using element = std::remove_cvref_t<decltype(*std::begin(taints))>;
        for (element const& t : taints)
            if (detail::view_of(t.effect) != "PreferNoSchedule" && !any_tolerates(tolerations, t))
                return &t;
        return static_cast<element const*>(nullptr);
    }
};

/// Keeps pods off a cordoned node unless they tolerate `node.kubernetes.io/unschedulable:NoSchedule`.
template<auto Unschedulable, auto Tolerations = none>
struct node_unschedulable {
    static constexpr std::string_view name = "NodeUnschedulable";
    static constexpr std::string_view reason = "node(s) were unschedulable";

    /// The request: whether the pod bears it.
    [[nodiscard]] static bool prepare(auto const& pod)
    {
        return any_tolerates(
            detail::held<Tolerations>(pod), taint{.key = "node.kubernetes.io/unschedulable"});
    }
    [[nodiscard]] static bool filter(auto const& at, bool tolerated)
    {
        return tolerated || !static_cast<bool>(std::invoke(Unschedulable, at.node));
    }
};

}  // namespace podium::v0::schedule
