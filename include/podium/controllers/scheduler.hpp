#pragma once
/// Scheduler: binds pods that have no node, by kube-scheduler's rules, and tells each that fits nowhere why.
///
/// `placement` is an index of the view: the nodes with what is bound to them, and the pods that wait. The
/// controller places a batch of waiting pods in one plan: highest priority first, then the oldest. A bind
/// guards the pod and the node as they were read; usage needs no guard, since every bind goes through here.
///
/// Source: kube-scheduler v1.35; the plugins are those of the `schedule` room.

#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/labels/node_selector.hpp>
#include <podium/model/node.hpp>
#include <podium/model/pod.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/schedule/node.hpp>
#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/taints.hpp>

#include <algorithm>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

// -- The model's nodes and pods as the schedule room sees them -----------------------------------

using amounts_by_name = std::vector<std::pair<std::string, std::int64_t>>;

/// Resources in the scheduler's units: milli-cores, bytes, pieces.
struct resource_amounts {
    std::int64_t cpu_milli = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t storage_bytes = 0;
    std::int64_t pods = 0;
    amounts_by_name extended{};
    friend bool operator==(resource_amounts const&, resource_amounts const&) = default;

    static resource_amounts of(model::resource_list const& list)
    {
        resource_amounts r;
        for (auto const& [resource, amount] : list) {
            if (resource == "cpu")
                r.cpu_milli = amount.milli_value();
            else if (resource == "memory")
                r.memory_bytes = amount.value();
            else if (resource == "ephemeral-storage")
                r.storage_bytes = amount.value();
            else if (resource == "pods")
                r.pods = amount.value();
            else
                r.extended.emplace_back(resource, amount.value());
        }
        return r;
    }
    void add(resource_amounts const& o)
    {
        combine(o, [](std::int64_t a, std::int64_t b) { return a + b; });
    }
    void raise_to(resource_amounts const& o)
    {
        combine(o, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
    }

private:
    template<class F>
    void combine(resource_amounts const& o, F f)
    {
        cpu_milli = f(cpu_milli, o.cpu_milli);
        memory_bytes = f(memory_bytes, o.memory_bytes);
        storage_bytes = f(storage_bytes, o.storage_bytes);
        for (auto const& [resource, amount] : o.extended) {
            auto const it = std::ranges::find(extended, resource, &amounts_by_name::value_type::first);
            if (it == extended.end())
                extended.emplace_back(resource, f(0, amount));
            else
                it->second = f(it->second, amount);
        }
    }
};

struct schedulable_node {
    std::string name{};
    resource_amounts allocatable{};
    std::map<std::string, std::string> labels{};
    std::vector<schedule::taint> taints{};
    bool unschedulable = false;

    static schedulable_node of(model::node const& n)
    {
        schedulable_node s;
        s.name = n.metadata.name;
        s.allocatable = resource_amounts::of(n.status.allocatable);
        s.labels = n.metadata.labels;
        s.unschedulable = n.spec.unschedulable;
        for (auto const& t : n.spec.taints)
            s.taints.push_back({t.key, t.value,
                t.effect == model::taint_effect::no_schedule ? schedule::taint_effect::no_schedule
                    : t.effect == model::taint_effect::no_execute
                    ? schedule::taint_effect::no_execute
                    : schedule::taint_effect::prefer_no_schedule});
        return s;
    }
};

[[nodiscard]] constexpr labels::op operator_of(model::node_selector_operator o) noexcept
{
    switch (o) {
    case model::node_selector_operator::in: return labels::op::in;
    case model::node_selector_operator::not_in: return labels::op::not_in;
    case model::node_selector_operator::exists: return labels::op::exists;
    case model::node_selector_operator::does_not_exist: return labels::op::does_not_exist;
    case model::node_selector_operator::gt: return labels::op::gt;
    case model::node_selector_operator::lt: return labels::op::lt;
    }
    return labels::op::unknown;
}

/// A pod's wishes about nodes: its `nodeSelector` and its node affinity.
[[nodiscard]] inline schedule::node_choice node_choice_of(model::pod_spec const& spec)
{
    auto const term = [](model::node_selector_term const& t) {
        auto const list = [](auto const& from) {
            std::vector<labels::expression> out;
            for (auto const& e : from)
                out.push_back({e.key, operator_of(e.operator_), e.values});
            return out;
        };
        return labels::node_selector_term{list(t.match_expressions), list(t.match_fields)};
    };
    schedule::node_choice out;
    out.labels = {spec.node_selector.begin(), spec.node_selector.end()};
    if (!spec.affinity || !spec.affinity->node_affinity)
        return out;
    auto const& affinity = *spec.affinity->node_affinity;
    if (auto const& required = affinity.required_during_scheduling_ignored_during_execution) {
        std::vector<labels::node_selector_term> terms;
        for (auto const& t : required->node_selector_terms)
            terms.push_back(term(t));
        out.required = labels::node_selector(terms);
    }
    for (auto const& p : affinity.preferred_during_scheduling_ignored_during_execution) {
        std::vector const terms{term(p.preference)};
        out.preferred.push_back({p.weight, labels::node_selector(terms)});
    }
    return out;
}

/// What a pod takes. Init containers run one after the other before the rest, so the largest of them counts;
/// those that keep running (sidecars) add up. Source: Kubernetes v1.35 component-helpers
/// resource.PodRequests.
struct schedulable_pod {
    resource_amounts requests{};
    std::int64_t assumed_cpu_milli = 0;
    std::int64_t assumed_memory_bytes = 0;
    model::pod_spec const* spec = nullptr;  ///< of the pod that it was made from, which outlives it

    static schedulable_pod of(model::pod const& p)
    {
        schedulable_pod s;
        s.spec = &p.spec;
        resource_amounts before{};  // the peak while init containers run
        resource_amounts sidecars{};
        std::int64_t sidecar_cpu = 0, sidecar_memory = 0, peak_cpu = 0, peak_memory = 0;
        for (auto const& c : p.spec.init_containers) {
            auto r = resource_amounts::of(c.resources.requests);
            auto const cpu = assumed(r.cpu_milli, cpu_without_request_milli);
            auto const memory = assumed(r.memory_bytes, memory_without_request_bytes);
            if (c.restart_policy == model::restart_policy::always) {
                sidecars.add(r);
                sidecar_cpu += cpu, sidecar_memory += memory;
                before.raise_to(sidecars);
                peak_cpu = std::max(peak_cpu, sidecar_cpu),
                peak_memory = std::max(peak_memory, sidecar_memory);
            } else {
                r.add(sidecars);
                before.raise_to(r);
                peak_cpu = std::max(peak_cpu, cpu + sidecar_cpu);
                peak_memory = std::max(peak_memory, memory + sidecar_memory);
            }
        }
        s.requests = sidecars;
        s.assumed_cpu_milli = sidecar_cpu, s.assumed_memory_bytes = sidecar_memory;
        for (auto const& c : p.spec.containers) {
            auto const r = resource_amounts::of(c.resources.requests);
            s.requests.add(r);
            s.assumed_cpu_milli += assumed(r.cpu_milli, cpu_without_request_milli);
            s.assumed_memory_bytes += assumed(r.memory_bytes, memory_without_request_bytes);
        }
        s.requests.raise_to(before);
        s.assumed_cpu_milli = std::max(s.assumed_cpu_milli, peak_cpu);
        s.assumed_memory_bytes = std::max(s.assumed_memory_bytes, peak_memory);
        return s;
    }

    [[nodiscard]] schedule::node_choice choice() const { return node_choice_of(*spec); }
    [[nodiscard]] std::vector<schedule::toleration> tolerations() const
    {
        std::vector<schedule::toleration> out;
        for (auto const& t : spec->tolerations) {
            schedule::toleration s;
            s.key = t.key;
            s.value = t.value;
            s.operator_ = t.operator_ == model::toleration_operator::exists ? "Exists" : "Equal";
            if (t.effect)
                s.effect = *t.effect == model::taint_effect::no_schedule ? "NoSchedule"
                    : *t.effect == model::taint_effect::no_execute       ? "NoExecute"
                                                                         : "PreferNoSchedule";
            out.push_back(std::move(s));
        }
        return out;
    }

private:
    static constexpr std::int64_t cpu_without_request_milli = 100;
    static constexpr std::int64_t memory_without_request_bytes = 200 * 1024 * 1024;
    static std::int64_t assumed(std::int64_t asked, std::int64_t otherwise)
    {
        return asked == 0 ? otherwise : asked;
    }
};

namespace placement_rules {

inline auto cpu_of(schedulable_node const& n)
{
    return n.allocatable.cpu_milli;
}
inline auto memory_of(schedulable_node const& n)
{
    return n.allocatable.memory_bytes;
}
inline auto storage_of(schedulable_node const& n)
{
    return n.allocatable.storage_bytes;
}
inline auto pods_of(schedulable_node const& n)
{
    return n.allocatable.pods;
}
inline amounts_by_name const& extended_of(schedulable_node const& n)
{
    return n.allocatable.extended;
}
inline auto asked_cpu(schedulable_pod const& p)
{
    return p.requests.cpu_milli;
}
inline auto asked_memory(schedulable_pod const& p)
{
    return p.requests.memory_bytes;
}
inline auto asked_storage(schedulable_pod const& p)
{
    return p.requests.storage_bytes;
}
inline amounts_by_name const& asked_extended(schedulable_pod const& p)
{
    return p.requests.extended;
}

using cpu = schedule::resource<"cpu", &cpu_of, &asked_cpu, &schedulable_pod::assumed_cpu_milli>;
using memory =
    schedule::resource<"memory", &memory_of, &asked_memory, &schedulable_pod::assumed_memory_bytes>;
using storage = schedule::resource<"ephemeral-storage", &storage_of, &asked_storage>;
using pods = schedule::pod_slots<&pods_of>;
using extended = schedule::extended_resources<&extended_of, &asked_extended>;
using taints = schedule::taint_toleration<&schedulable_node::taints, &schedulable_pod::tolerations>;
using affinity =
    schedule::node_affinity<&schedulable_node::labels, &schedulable_node::name, &schedulable_pod::choice>;

/// Prefers nodes with fewer pods. The other scores are whole percents of a node, so small pods on a big node
/// would all tie and pile up on the first; kube-scheduler has topology spread (and a lot) against that.
struct fewest_pods {
    static constexpr std::string_view name = "FewestPods";
    using facts = schedule::facts<schedule::usage<pods>>;

    [[nodiscard]] static int prepare(schedulable_pod const&) { return 0; }  // all pods alike
    [[nodiscard]] static std::int64_t score(auto const& at, int)
    {
        return at.template get<schedule::usage<pods>>().used;
    }
    [[nodiscard]] static constexpr int normalize(std::int64_t raw, schedule::range feasible)
    {
        auto const width = feasible.most - feasible.least;
        return width == 0 ? schedule::max_score
                          : static_cast<int>(schedule::max_score * (feasible.most - raw) / width);
    }
};

/// kube-scheduler's default plugins, as far as they are here, with its weights.
using defaults = schedule::pipeline<schedulable_node, schedulable_pod,
    schedule::filters<
        schedule::node_unschedulable<&schedulable_node::unschedulable, &schedulable_pod::tolerations>, taints,
        affinity, schedule::fit<cpu, memory, pods, storage, extended>>,
    schedule::scores<schedule::weighted<taints, 3>, schedule::weighted<affinity, 2>,
        schedule::weighted<schedule::least_allocated<cpu, memory>, 1>,
        schedule::weighted<schedule::balanced_allocation<cpu, memory>, 1>,
        schedule::weighted<fewest_pods, 1>>>;

}  // namespace placement_rules

// -- The index and the controller ----------------------------------------------------------------

/// Nodes, what is bound to them, and who waits: an index of the view.
class placement {
public:
    using folds = reconcile::types<model::node, model::pod>;
    using scheduler_type = schedule::scheduler<placement_rules::defaults>;

    void apply(reconcile::handle<model::node> const& before, reconcile::handle<model::node> const& after)
    {
        if (!after)
            scheduler_.remove(before->metadata.name);
        else if (!before || before->spec != after->spec ||
            before->status.allocatable != after->status.allocatable ||
            before->metadata.labels != after->metadata.labels)
            scheduler_.set(after->metadata.name, schedulable_node::of(*after));
    }
    void apply(reconcile::handle<model::pod> const& before, reconcile::handle<model::pod> const& after)
    {
        bool const was_bound = before && takes_room(*before), is_bound = after && takes_room(*after);
        if (was_bound != is_bound || (was_bound && before->spec.containers != after->spec.containers)) {
            if (was_bound)
                scheduler_.unbind(before->spec.node_name, schedulable_pod::of(*before));
            if (is_bound)
                scheduler_.bind(after->spec.node_name, schedulable_pod::of(*after));
        }
        if (before && waits(*before))
            waiting_.erase(turn_of(before));
        if (after && waits(*after))
            waiting_.insert(turn_of(after));
    }

    /// A place in the queue: highest priority first, then the oldest, then by name.
    struct turn {
        std::int32_t priority = 0;
        reconcile::revision created{};
        reconcile::key which{};
        friend bool operator==(turn const&, turn const&) = default;
        friend std::strong_ordering operator<=>(turn const& a, turn const& b)
        {
            if (auto const c = b.priority <=> a.priority; c != 0)
                return c;
            if (auto const c = a.created <=> b.created; c != 0)
                return c;
            return a.which <=> b.which;
        }
    };
    [[nodiscard]] std::set<turn> const& waiting() const noexcept { return waiting_; }

    /// The scheduler remembers classes of like pods as it is asked; its answers do not depend on that. What
    /// is bound through it for a plan must be unbound again: the commit comes back as a change.
    [[nodiscard]] scheduler_type& scheduler() const noexcept { return scheduler_; }

    [[nodiscard]] static bool waits(model::pod const& p) noexcept
    {
        return p.spec.node_name.empty() && !is_leaving(p) && !is_terminal(p.status.phase) &&
            (p.spec.scheduler_name.empty() || p.spec.scheduler_name == "default-scheduler");
    }
    [[nodiscard]] static bool takes_room(model::pod const& p) noexcept
    {
        return !p.spec.node_name.empty() && !is_terminal(p.status.phase);
    }

private:
    static turn turn_of(reconcile::handle<model::pod> const& p)
    {
        return {p->spec.priority.value_or(0), p.created, p.which()};
    }

    mutable scheduler_type scheduler_{};
    std::set<turn> waiting_{};
};

struct scheduler {
    static constexpr std::string_view name = "default-scheduler";
    using watches = reconcile::types<model::node, model::pod>;

    std::size_t batch = 1024;  ///< the most pods that one plan binds

    /// All waiting pods are one key: whatever changes, the queue is looked at from its head.
    [[nodiscard]] static reconcile::key queue() { return {&reconcile::kind_of<model::pod>, "", "*"}; }

    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::node> const& x, Add const& add) const
    {
        if (view.template index<placement>().waiting().empty())
            return;
        if (!x.before || !x.after || x.before->spec != x.after->spec ||
            x.before->status.allocatable != x.after->status.allocatable ||
            x.before->metadata.labels != x.after->metadata.labels)
            add(queue());
    }
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (view.template index<placement>().waiting().empty())
            return;
        bool const comes =
            x.after && placement::waits(*x.after) && !(x.before && placement::waits(*x.before));
        bool const frees =
            x.before && placement::takes_room(*x.before) && !(x.after && placement::takes_room(*x.after));
        bool const follows =
            x.before && placement::waits(*x.before) && !(x.after && placement::waits(*x.after));
        if (comes || frees || follows)
            add(queue());
    }

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const&, time_point now) const
    {
        reconcile::plan p;
        auto const& index = view.template index<placement>();
        auto& s = index.scheduler();
        std::vector<std::pair<std::uint32_t, reconcile::handle<model::pod>>> bound;
        std::set<std::uint32_t> guarded;
        std::size_t looked_at = 0;
        for (auto const& turn : index.waiting()) {
            if (p.writes.size() >= batch || ++looked_at > 4 * batch) {
                p.wake_at(now);
                break;
            }
            auto const pod = view.template get<model::pod>(turn.which);
            auto const wanted = schedulable_pod::of(*pod);
            auto const d = s.place(wanted);
            if (!d.node) {
                refuse(p, view, pod, s.summary(d, wanted), now);
                continue;
            }
            auto const& node = s.nodes().name(*d.node);
            bound.emplace_back(*d.node, pod);
            if (guarded.insert(*d.node).second)
                p.require(view.template get<model::node>("", node));
            bind(p, pod, node, now);
        }
        for (auto const& [slot, pod] : bound)
            s.unbind(s.nodes().name(slot), schedulable_pod::of(*pod));
        return p;
    }

private:
    static model::pod_condition scheduled(model::condition_status status)
    {
        model::pod_condition c;
        c.type = "PodScheduled";
        c.status = status;
        return c;
    }
    static void bind(
        reconcile::plan& p, reconcile::handle<model::pod> const& pod, std::string const& node, time_point now)
    {
        auto next = *pod;
        next.spec.node_name = node;
        set_condition(next.status.conditions, scheduled(model::condition_status::true_), now);
        p.update(pod, std::move(next));
        p.cut();
    }
    template<class View>
    static void refuse(reconcile::plan& p, View const& view, reconcile::handle<model::pod> const& pod,
        std::string const& why, time_point now)
    {
        auto next = *pod;
        auto c = scheduled(model::condition_status::false_);
        c.reason = "Unschedulable";
        c.message = why;
        if (!set_condition(next.status.conditions, std::move(c), now))
            return;
        p.update(pod, std::move(next));
        p.cut();
        record(p, view, pod, event_type::warning, "FailedScheduling", why, name, now);
        p.cut();
    }
};

}  // namespace podium::v0::controllers
