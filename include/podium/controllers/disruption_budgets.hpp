#pragma once
/// Disruption budgets: what each allows now, and the eviction of a pod as far as they allow it.
///
/// `assess` counts on the view, for the controller that keeps the statuses and for `evict` alike: an
/// eviction is decided on the pods as they are and not on a status that may come late. It writes the drain
/// into the pod and takes from the budget in one plan, so of two evictions at once that want the last
/// allowance one is refused by the store, and decided again.
///
/// Source: Kubernetes v1.35.4 pkg/controller/disruption and pkg/registry/core/pod/storage/eviction.go.
/// Differences: a pod that drains is no longer healthy, so an entry of `disruptedPods` only tells that an
/// eviction was the reason, and goes with the pod or its deletion, not after two minutes; pods of a Rollout
/// count as those of a Deployment; a budget is also looked at when what the owners want changes.

#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/pod_disruption_budget.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/rollout.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/model/validate.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/rollout/disruption_budget.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

/// Counts for its budgets: ready, and nobody sends it away.
[[nodiscard]] inline bool is_healthy(model::pod const& p) noexcept
{
    return ready_since(p).has_value() && !is_leaving(p);
}

/// Is the budget about this pod?
[[nodiscard]] inline bool guards(model::pod_disruption_budget const& b, model::pod const& p)
{
    return b.metadata.namespace_ == p.metadata.namespace_ && b.spec.selector &&
        matches(*b.spec.selector, p.metadata.labels);
}

/// The budgets of a pod, in the order of their names. O(budgets of the namespace).
template<class View>
[[nodiscard]] std::vector<reconcile::handle<model::pod_disruption_budget>> budgets_of(
    View const& view, model::pod const& p)
{
    std::vector<reconcile::handle<model::pod_disruption_budget>> out;
    for (auto const b : view.template all<model::pod_disruption_budget>(p.metadata.namespace_))
        if (guards(*b, p))
            out.push_back(b);
    return out;
}

namespace detail {

[[nodiscard]] inline rollout::disruption_budget bounds_of(model::pod_disruption_budget const& b)
{
    return {b.spec.min_available, b.spec.max_unavailable};
}

struct scaled {
    std::string uid{};
    std::int32_t replicas = 0;
};

template<class K, class View>
[[nodiscard]] std::optional<scaled> scale_of(
    View const& view, std::string_view namespace_, model::owner_reference const& owner)
{
    if (owner.kind != K::kind)
        return {};
    auto const o = view.template get<K>(namespace_, owner.name);
    if (!o || o.uid() != owner.uid)
        return {};
    return scaled{owner.uid, o->spec.replicas};
}

/// Who decides how many pods of this owner there are, and how many that is: the deployment or rollout of a
/// replica set, else the owner itself. Nothing for an owner that is gone, or that has no scale.
template<class View>
[[nodiscard]] std::optional<scaled> scale_behind(
    View const& view, std::string_view namespace_, model::owner_reference const& owner)
{
    if (owner.kind != model::replica_set::kind)
        return scale_of<model::stateful_set>(view, namespace_, owner);
    auto const set = view.template get<model::replica_set>(namespace_, owner.name);
    if (!set || set.uid() != owner.uid)
        return {};
    auto const* const above = model::controller_of(set->metadata);
    if (above && above->kind == model::deployment::kind)
        return scale_of<model::deployment>(view, namespace_, *above);
    if (above && above->kind == model::rollout::kind)
        return scale_of<model::rollout>(view, namespace_, *above);
    return scaled{owner.uid, set->spec.replicas};
}

[[nodiscard]] inline std::int32_t narrowed(std::int64_t n)
{
    return static_cast<std::int32_t>(std::min<std::int64_t>(n, std::numeric_limits<std::int32_t>::max()));
}

/// The condition that follows from the status's other fields.
inline void set_allowed(model::pod_disruption_budget_status& s, std::string_view failed, time_point now)
{
    model::disruption_condition c;
    c.type = "DisruptionAllowed";
    c.status = s.disruptions_allowed > 0 ? model::condition_status::true_ : model::condition_status::false_;
    c.reason = !failed.empty()      ? "SyncFailed"
        : s.disruptions_allowed > 0 ? "SufficientPods"
                                    : "InsufficientPods";
    c.message = failed;
    auto const type = c.type;
    set_condition(s.conditions, std::move(c), now);
    model::find_condition(s.conditions, type)->observed_generation = s.observed_generation;
}

}  // namespace detail

/// What a budget allows, counted on the view.
struct assessment {
    model::pod_disruption_budget_status status{};
    std::int64_t pods = 0;       ///< that it is about
    std::int64_t unmanaged = 0;  ///< of them, where the scale counts: nobody says how many there should be
    std::string failed{};        ///< why it cannot be known; then nothing is allowed
};

/// O(pods of the budget).
template<class View>
[[nodiscard]] assessment assess(
    View const& view, reconcile::handle<model::pod_disruption_budget> const& b, time_point now)
{
    assessment out;
    auto& s = out.status;
    s = b->status;
    auto const bounds = detail::bounds_of(*b);
    rollout::replicas_observed seen;
    std::set<std::string> owners;                // that were looked at
    std::map<std::string, std::int32_t> scales;  // by whose it is
    std::map<std::string, model::time> disrupted;
    auto const count = [&](reconcile::handle<model::pod> const& pod) {
        ++seen.existing;
        seen.healthy += is_healthy(*pod);
        if (auto const it = s.disrupted_pods.find(pod->metadata.name);
            it != s.disrupted_pods.end() && pod->status.drain && !pod->metadata.deletion_timestamp)
            disrupted.insert(*it);
        if (!rollout::counts_scale(bounds))
            return;
        auto const* const owner = model::controller_of(pod->metadata);
        if (!owner)
            ++out.unmanaged;
        else if (!owners.insert(owner->uid).second)
            return;
        else if (auto const scale = detail::scale_behind(view, pod->metadata.namespace_, *owner))
            scales.insert_or_assign(scale->uid, scale->replicas);
        else if (out.failed.empty())
            out.failed = "found no controllers for pod \"" + pod->metadata.name + '"';
    };
    if (b->spec.selector)
        for (auto const& pod :
            view.template select<model::pod>(b->metadata.namespace_, selector_of(*b->spec.selector)))
            count(pod);
    out.pods = seen.existing;
    if (!out.failed.empty()) {
        s.disruptions_allowed = 0;
        detail::set_allowed(s, out.failed, now);
        return out;
    }
    for (auto const& [uid, replicas] : scales)
        seen.scale += replicas;
    auto const allowance = rollout::allow(bounds, seen);
    s.observed_generation = b->metadata.generation;
    s.disrupted_pods = std::move(disrupted);
    s.disruptions_allowed = detail::narrowed(allowance.allowed);
    s.current_healthy = detail::narrowed(seen.healthy);
    s.desired_healthy = detail::narrowed(allowance.desired_healthy);
    s.expected_pods = detail::narrowed(allowance.expected);
    detail::set_allowed(s, {}, now);
    return out;
}

namespace detail {

/// Which budget says no, and what it wants.
[[nodiscard]] inline std::string refusal_of(std::string const& name, assessment const& a)
{
    auto const it = "The disruption budget " + name;
    if (!a.failed.empty())
        return it + " does not allow evicting pods currently because it failed sync: " + a.failed;
    if (a.status.current_healthy <= a.status.desired_healthy)
        return it + " needs " + std::to_string(a.status.desired_healthy) + " healthy pods and has " +
            std::to_string(a.status.current_healthy) + " currently";
    return it + " does not allow evicting pods currently";
}

}  // namespace detail

/// The budget as it is when this pod of it has been evicted.
[[nodiscard]] inline model::pod_disruption_budget without(
    model::pod_disruption_budget b, std::string const& pod, time_point now)
{
    b.status.disruptions_allowed = std::max(b.status.disruptions_allowed - 1, 0);
    b.status.disrupted_pods.insert_or_assign(pod, model::time{now});
    detail::set_allowed(b.status, {}, now);
    return b;
}

/// A pod that is not ready takes nothing from its budget: it may go while enough others are healthy, or
/// always if the budget says so.
[[nodiscard]] inline bool is_spared(model::pod_disruption_budget const& b, model::pod const& p,
    model::pod_disruption_budget_status const& s) noexcept
{
    return !ready_since(p) &&
        (b.spec.unhealthy_pod_eviction_policy == model::unhealthy_pod_eviction_policy::always_allow ||
            (s.current_healthy >= s.desired_healthy && s.desired_healthy > 0));
}

/// Sends a pod away as far as its budget allows, in one plan with what that takes from the budget. A pod
/// that has ended is removed, and one that is on its way out is left alone. Pods that have not begun to run
/// need no budget's leave, nor do those that are not ready, as `unhealthyPodEvictionPolicy` says.
/// Errors: `exhausted` when the budget allows none now, with the budget's words as a further error;
/// `unsupported` for a pod of several budgets. O(pods of the budget).
template<class View>
[[nodiscard]] result<void> evict(reconcile::plan& p, View const& view,
    reconcile::handle<model::pod> const& pod, drain_policy const& policy, time_point now)
{
    if (is_leaving(*pod))
        return {};
    if (is_terminal(pod->status.phase)) {
        p.remove(pod);
        return {};
    }
    if (pod->status.phase != model::pod_phase::pending) {
        auto const budgets = budgets_of(view, *pod);
        if (budgets.size() > 1)
            return error{errc::unsupported,
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                "support.",
                {}, {}};
        for (auto const& b : budgets) {
            auto const a = assess(view, b, now);
            auto const& s = a.status;
            if (is_spared(*b, *pod, s)) {
                p.require(b);
            } else if (s.disruptions_allowed <= 0) {
                return error{errc::exhausted,
                    "Cannot evict pod as it would violate the pod's disruption budget.", {},
                    {{errc::exhausted, detail::refusal_of(b->metadata.name, a), {}, {}}}};
            } else {
                auto next = *b;
                next.status = s;
                p.update(b, without(std::move(next), pod->metadata.name, now));
            }
        }
    }
    if (policy.grace_period_seconds == 0) {
        p.remove(pod);
        return {};
    }
    auto next = *pod;
    add_disruption(next, "EvictionByEvictionAPI", "Eviction API: evicting", now);
    retire(p, pod, std::move(next), "Evicted", policy, now);
    return {};
}

/// Keeps the status of budgets.
struct disruption_budgets {
    static constexpr std::string_view name = "disruption-controller";
    using primary = model::pod_disruption_budget;
    using watches = reconcile::types<model::pod, model::replica_set, model::deployment, model::stateful_set,
        model::rollout>;

    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (x.before && x.after && counts_alike(*x.before, *x.after))
            return;
        auto const& any = x.after ? *x.after : *x.before;
        for (auto const b : view.template all<model::pod_disruption_budget>(any.metadata.namespace_))
            if ((x.before && guards(*b, *x.before)) || (x.after && guards(*b, *x.after)))
                add(b.which());
    }
    /// Whose pods they are is not asked: owners change their scale seldom.
    template<class View, class K, class Add>
    void touched(View const& view, reconcile::transition<K> const& x, Add const& add) const
    {
        if (x.before && x.after && x.before->spec.replicas == x.after->spec.replicas &&
            x.before.created == x.after.created)
            return;
        auto const& any = x.after ? *x.after : *x.before;
        for (auto const b : view.template all<model::pod_disruption_budget>(any.metadata.namespace_))
            if (rollout::counts_scale(detail::bounds_of(*b)))
                add(b.which());
    }

    /// O(pods of the budget).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const b = view.template get<model::pod_disruption_budget>(which);
        if (!b)
            return p;
        auto a = assess(view, b, now);
        if (a.status == b->status)
            return p;
        auto next = *b;
        next.status = std::move(a.status);
        p.update(b, std::move(next));
        p.cut();
        auto const tell = [&](event_type type, std::string_view reason, std::string const& message) {
            record(p, view, b, type, reason, message, name, now);
            p.cut();
        };
        if (a.pods == 0)
            tell(event_type::normal, "NoPods", "No matching pods found");
        if (!a.failed.empty())
            tell(event_type::warning, "CalculateExpectedPodCountFailed",
                "Failed to calculate the number of expected pods: " + a.failed);
        if (a.unmanaged > 0)
            tell(event_type::warning, "UnmanagedPods",
                "Pods selected by this PodDisruptionBudget (selector: " +
                    to_string(selector_of(*b->spec.selector)) +
                    ") were found to be unmanaged. As a result, the status of the PDB cannot be calculated "
                    "correctly, which may result in undefined behavior. To account for these pods please set "
                    "\".spec.minAvailable\" field of the PDB to an integer value.");
        return p;
    }

private:
    /// Nothing that a budget looks at is different.
    static bool counts_alike(model::pod const& a, model::pod const& b)
    {
        return is_healthy(a) == is_healthy(b) && is_leaving(a) == is_leaving(b) &&
            a.metadata.deletion_timestamp.has_value() == b.metadata.deletion_timestamp.has_value() &&
            a.metadata.labels == b.metadata.labels &&
            a.metadata.owner_references == b.metadata.owner_references;
    }
};

}  // namespace podium::v0::controllers
