#pragma once
/// Node lifecycle: a node whose agent falls silent is tainted, its pods leave the balancers, and after the
/// time that they tolerate they are deleted, so that their sets replace them elsewhere.
///
/// The age of a lease is measured on the observer's own clock since it last saw the lease change, never
/// by the time that is written in it.
///
/// Source: Kubernetes v1.35 pkg/controller/nodelifecycle and tainteviction: names of conditions, taints and
/// reasons. A pod that names no tolerance of its own gets `default_toleration` (Kubernetes adds the same
/// 300 s at admission).

#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/model/lease.hpp>
#include <podium/model/node.hpp>
#include <podium/reconcile/plan.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

inline constexpr std::string_view unreachable_taint = "node.kubernetes.io/unreachable";
inline constexpr std::string_view not_ready_taint = "node.kubernetes.io/not-ready";
inline constexpr std::string_view node_lease_namespace = "kube-node-lease";

/// Which pods are bound to which node: an index of the view.
struct pods_by_node {
    using folds = reconcile::types<model::pod>;
    std::map<std::string, std::set<reconcile::key>, std::less<>> nodes{};

    void apply(reconcile::handle<model::pod> const& before, reconcile::handle<model::pod> const& after)
    {
        std::string_view const was = before ? std::string_view(before->spec.node_name) : std::string_view{};
        std::string_view const is = after ? std::string_view(after->spec.node_name) : std::string_view{};
        if (was == is)
            return;
        if (auto const it = nodes.find(was); !was.empty() && it != nodes.end()) {
            it->second.erase(before.which());
            if (it->second.empty())
                nodes.erase(it);
        }
        if (!is.empty())
            nodes[std::string(is)].insert(after.which());
    }
    [[nodiscard]] std::set<reconcile::key> const& on(std::string_view node) const
    {
        static std::set<reconcile::key> const none;
        auto const it = nodes.find(node);
        return it == nodes.end() ? none : it->second;
    }
};

/// How long a pod stays on a node with this taint: for ever (`never`), not at all, or so long. Several
/// tolerations: the shortest counts. Nothing that names the taint: `otherwise`.
[[nodiscard]] inline duration tolerated_for(
    model::pod const& pod, model::taint const& taint, duration otherwise)
{
    std::optional<duration> least;
    for (auto const& t : pod.spec.tolerations) {
        if (t.effect && *t.effect != taint.effect)
            continue;
        bool const key =
            t.key.empty() ? t.operator_ == model::toleration_operator::exists : t.key == taint.key;
        if (!key || (t.operator_ == model::toleration_operator::equal && t.value != taint.value))
            continue;
        auto const lasts = t.toleration_seconds
            ? duration(
                  std::chrono::seconds(std::clamp<std::int64_t>(*t.toleration_seconds, 0, 1'000'000'000)))
            : duration::max();
        least = std::min(least.value_or(duration::max()), lasts);
    }
    return least.value_or(otherwise);
}

struct node_lifecycle {
    static constexpr std::string_view name = "node-controller";
    using primary = model::node;
    using watches = reconcile::types<model::lease, model::pod>;

    duration grace = std::chrono::seconds(50);                ///< silence after which a node is unreachable
    duration default_toleration = std::chrono::seconds(300);  ///< of its taints, for pods that name none

    template<class View, class Add>
    void touched(View const&, reconcile::transition<model::lease> const& x, Add const& add) const
    {
        if (x.any()->metadata.namespace_ == node_lease_namespace)
            add(reconcile::key_for<model::node>("", x.any()->metadata.name));
    }
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (!x.after || x.after->spec.node_name.empty())
            return;
        if (auto const n = view.template get<model::node>("", x.after->spec.node_name); n && evicts(*n))
            add(n.which());
    }

    /// O(1) for a node that is well, O(its pods) for one that is not.
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const node = view.template get<model::node>(which);
        if (!node)
            return p;
        auto const lease = view.template get<model::lease>(node_lease_namespace, which.name);
        auto const heard = lease ? lease.seen : node.seen;
        bool const silent = now - heard >= grace;
        if (!silent)
            p.wake_at(heard + grace);
        mark(p, view, node, silent, now);
        evict(p, view, node, now);
        return p;
    }

private:
    static bool evicts(model::node const& n)
    {
        return std::ranges::any_of(
            n.spec.taints, [](auto const& t) { return t.effect == model::taint_effect::no_execute; });
    }
    static bool is_ours(model::taint const& t)
    {
        return t.key == unreachable_taint || t.key == not_ready_taint;
    }

    /// Condition and taints.
    template<class View>
    void mark(reconcile::plan& p, View const& view, reconcile::handle<model::node> const& node, bool silent,
        time_point now) const
    {
        auto next = *node;
        if (silent) {
            model::node_condition c;
            c.type = "Ready";
            c.status = model::condition_status::unknown;
            c.reason = "NodeStatusUnknown";
            c.message = "the node's agent stopped renewing its lease";
            if (set_condition(next.status.conditions, std::move(c), now))
                record(p, view, node, event_type::normal, "NodeNotReady",
                    "Node " + node->metadata.name + " is silent", name, now);
        }
        auto const* const ready = model::find_condition(next.status.conditions, "Ready");
        std::string_view const wanted = !ready || ready->status == model::condition_status::unknown
            ? (silent ? unreachable_taint : not_ready_taint)
            : ready->status == model::condition_status::true_ ? std::string_view{}
                                                              : not_ready_taint;
        std::erase_if(next.spec.taints, [&](auto const& t) { return is_ours(t) && t.key != wanted; });
        if (!wanted.empty())
            for (auto const effect : {model::taint_effect::no_schedule, model::taint_effect::no_execute})
                if (std::ranges::none_of(next.spec.taints,
                        [&](auto const& t) { return t.key == wanted && t.effect == effect; })) {
                    model::taint t;
                    t.key = wanted;
                    t.effect = effect;
                    t.time_added = model::time{now};
                    next.spec.taints.push_back(std::move(t));
                }
        p.update(node, std::move(next));
    }

    template<class View>
    void evict(reconcile::plan& p, View const& view, reconcile::handle<model::node> const& node,
        time_point now) const
    {
        if (!evicts(*node))
            return;
        bool const gone =
            std::ranges::any_of(node->spec.taints, [](auto const& t) { return t.key == unreachable_taint; });
        for (auto const& k : view.template index<pods_by_node>().on(node->metadata.name)) {
            auto const pod = view.template get<model::pod>(k);
            if (!pod || pod->metadata.deletion_timestamp || is_terminal(pod->status.phase))
                continue;
            auto const until = leaves_at(*pod, *node);
            if (now >= until) {
                begin_deletion(p, pod, now);
                p.cut();
                continue;
            }
            if (until != never)
                p.wake_at(until);
            if (gone && is_ready(*pod)) {
                auto next = *pod;
                model::pod_condition c;
                c.type = "Ready";
                c.status = model::condition_status::false_;
                c.reason = "NodeNotReady";
                c.message = "the node is unreachable";
                set_condition(next.status.conditions, std::move(c), now);
                p.update(pod, std::move(next));
                p.cut();
            }
        }
    }
    time_point leaves_at(model::pod const& pod, model::node const& node) const
    {
        auto earliest = never;
        for (auto const& t : node.spec.taints) {
            if (t.effect != model::taint_effect::no_execute)
                continue;
            auto const lasts = tolerated_for(pod, t, is_ours(t) ? default_toleration : duration::zero());
            auto const since = t.time_added ? t.time_added->at : time_point{};
            if (lasts < never - since)
                earliest = std::min(earliest, since + lasts);
        }
        return earliest;
    }
};

}  // namespace podium::v0::controllers
