#pragma once
/// Placement: the cluster as the scheduler sees it, an index of the view.
///
/// Nodes with what is bound to them, the pods that wait (the most important first, then the oldest), what was
/// promised to whom, and the labels of namespaces. `schedulable` turns objects of the model into the
/// scheduler's.
///
/// Claims are directories that every node reaches, so no pod has a wish about volumes.
///
/// Source: kube-scheduler v1.35; what a pod asks for is component-helpers resource.PodRequests, its default
/// spreading is plugins/podtopologyspread with the system's constraints and helper.DefaultSelector.

#include <podium/controllers/pods.hpp>
#include <podium/core/saturating.hpp>
#include <podium/labels/node_selector.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/namespace.hpp>
#include <podium/model/node.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/service.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/schedule/kubernetes.hpp>
#include <podium/schedule/scheduler.hpp>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

// -- The model's words in the scheduler's ----------------------------------------------------------

namespace detail {

/// `f` on each amount of both; extended resources stay sorted by name, so that equal pods are equal.
template<class F>
void combine(schedule::kubernetes::resources& to, schedule::kubernetes::resources const& from, F f)
{
    to.cpu_milli = f(to.cpu_milli, from.cpu_milli);
    to.memory_bytes = f(to.memory_bytes, from.memory_bytes);
    to.storage_bytes = f(to.storage_bytes, from.storage_bytes);
    for (auto const& [name, amount] : from.extended) {
        auto it = std::ranges::lower_bound(to.extended, name, {}, [](auto const& e) { return e.first; });
        if (it == to.extended.end() || it->first != name)
            it = to.extended.insert(it, {name, 0});
        it->second = f(it->second, amount);
    }
}
inline void add(schedule::kubernetes::resources& to, schedule::kubernetes::resources const& more)
{
    combine(to, more, saturating_add);
}
inline void raise(schedule::kubernetes::resources& to, schedule::kubernetes::resources const& least)
{
    combine(to, least, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
}

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

[[nodiscard]] constexpr schedule::taint_effect effect_of(model::taint_effect e) noexcept
{
    switch (e) {
    case model::taint_effect::no_schedule: return schedule::taint_effect::no_schedule;
    case model::taint_effect::prefer_no_schedule: return schedule::taint_effect::prefer_no_schedule;
    case model::taint_effect::no_execute: return schedule::taint_effect::no_execute;
    }
    return schedule::taint_effect::no_schedule;
}

}  // namespace detail

[[nodiscard]] inline schedule::kubernetes::resources schedulable(model::resource_list const& list)
{
    schedule::kubernetes::resources r;
    for (auto const& [name, amount] : list) {  // by name, so the extended ones are sorted
        if (name == "cpu")
            r.cpu_milli = amount.milli_value();
        else if (name == "memory")
            r.memory_bytes = amount.value();
        else if (name == "ephemeral-storage")
            r.storage_bytes = amount.value();
        else if (name == "pods")
            r.pods = amount.value();
        else
            r.extended.emplace_back(name, amount.value());
    }
    return r;
}

[[nodiscard]] inline labels::selector schedulable(model::boxed<model::label_selector> const& from)
{
    return from ? selector_of(*from) : labels::selector::nothing();
}

[[nodiscard]] inline schedule::kubernetes::node schedulable(model::node const& n)
{
    schedule::kubernetes::node s;
    s.name = n.metadata.name;
    s.labels.insert(n.metadata.labels.begin(), n.metadata.labels.end());
    for (auto const& t : n.spec.taints)
        s.taints.push_back({t.key, t.value, detail::effect_of(t.effect)});
    s.unschedulable = n.spec.unschedulable;
    s.allocatable = schedulable(n.status.allocatable);
    for (auto const& i : n.status.images)
        s.images.push_back({i.names, i.size_bytes});
    return s;
}

namespace detail {

/// `nodeSelector` and node affinity.
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

inline void add_terms(std::vector<schedule::affinity_term>& required,
    std::vector<schedule::affinity_term>& preferred, model::boxed<model::pod_affinity> const& from)
{
    if (!from)
        return;
    auto const term = [](model::pod_affinity_term const& t, std::int32_t weight) {
        schedule::affinity_term s;
        s.selector = schedulable(t.label_selector);
        s.topology_key = t.topology_key;
        s.namespaces = t.namespaces;
        if (t.namespace_selector)
            s.namespace_selector = selector_of(*t.namespace_selector);
        s.weight = weight;
        return s;
    };
    for (auto const& t : from->required_during_scheduling_ignored_during_execution)
        required.push_back(term(t, 1));
    for (auto const& w : from->preferred_during_scheduling_ignored_during_execution)
        preferred.push_back(term(w.pod_affinity_term, w.weight));
}

/// A pod as its neighbours see it. One that is on its way out does not count in spreading.
[[nodiscard]] inline schedule::resident resident_of(model::pod const& p)
{
    schedule::resident r;
    r.namespace_ = p.metadata.namespace_;
    r.labels.insert(p.metadata.labels.begin(), p.metadata.labels.end());
    if (auto const& affinity = p.spec.affinity) {
        add_terms(r.affinity.required, r.affinity.preferred, affinity->pod_affinity);
        add_terms(r.affinity.required_anti, r.affinity.preferred_anti, affinity->pod_anti_affinity);
    }
    r.terminating = is_leaving(p);
    return r;
}

/// What the pod takes, as it says and as scores assume it. Init containers run one after the other before the
/// rest, so the largest of them counts; those that keep running (sidecars) add up.
inline void set_requests(schedule::kubernetes::pod& s, model::pod_spec const& spec)
{
    struct sums {
        schedule::kubernetes::resources requests{};
        std::int64_t cpu = 0, memory = 0;  ///< assumed
        void add(sums const& o)
        {
            detail::add(requests, o.requests);
            cpu = saturating_add(cpu, o.cpu), memory = saturating_add(memory, o.memory);
        }
        void raise(sums const& o)
        {
            detail::raise(requests, o.requests);
            cpu = std::max(cpu, o.cpu), memory = std::max(memory, o.memory);
        }
    };
    auto const of = [](model::container const& c) {
        auto const& asked = c.resources.requests;
        sums out{schedulable(asked)};
        out.cpu = asked.contains("cpu") ? out.requests.cpu_milli : 100;
        out.memory = asked.contains("memory") ? out.requests.memory_bytes : 200 * 1024 * 1024;
        return out;
    };
    sums sidecars, peak, all;
    for (auto const& c : spec.init_containers) {
        auto one = of(c);
        if (c.restart_policy == model::restart_policy::always) {
            sidecars.add(one);
            peak.raise(sidecars);
        } else {
            one.add(sidecars);
            peak.raise(one);
        }
    }
    all = sidecars;
    for (auto const& c : spec.containers)
        all.add(of(c));
    all.raise(peak);
    if (spec.overhead) {
        auto const extra = schedulable(*spec.overhead);
        all.add({extra, extra.cpu_milli, extra.memory_bytes});
    }
    s.requests = std::move(all.requests);
    s.assumed_cpu_milli = all.cpu;
    s.assumed_memory_bytes = all.memory;
}

inline void set_ports(schedule::kubernetes::pod& s, model::container const& c)
{
    for (auto const& p : c.ports)
        if (p.host_port > 0)
            s.ports.push_back({p.host_ip, std::string(json_name(p.protocol)), p.host_port});
}

}  // namespace detail

/// A pod as it counts where it is, whatever node that is; with its own spreading only.
[[nodiscard]] inline schedule::kubernetes::pod schedulable(model::pod const& p)
{
    schedule::kubernetes::pod s;
    detail::set_requests(s, p.spec);
    s.choice = detail::node_choice_of(p.spec);
    for (auto const& t : p.spec.tolerations) {
        schedule::toleration one;
        one.key = t.key;
        one.operator_ = t.operator_ == model::toleration_operator::exists ? "Exists" : "Equal";
        one.value = t.value;
        if (t.effect)
            one.effect = to_string(detail::effect_of(*t.effect));
        s.tolerations.push_back(std::move(one));
    }
    for (auto const& c : p.spec.containers)
        detail::set_ports(s, c);
    for (auto const& c : p.spec.init_containers)
        if (c.restart_policy == model::restart_policy::always)
            detail::set_ports(s, c);
    for (auto const* const list : {&p.spec.init_containers, &p.spec.containers})
        for (auto const& c : *list)
            s.images.push_back(c.image);
    s.self = detail::resident_of(p);
    for (auto const& c : p.spec.topology_spread_constraints) {
        schedule::spread_constraint one;
        one.max_skew = c.max_skew;
        one.topology_key = c.topology_key;
        one.selector = schedulable(c.label_selector);
        one.hard = c.when_unsatisfiable == model::unsatisfiable_action::do_not_schedule;
        one.min_domains = c.min_domains.value_or(1);
        one.honor_affinity = c.node_affinity_policy == model::node_inclusion_policy::honor;
        one.honor_taints = c.node_taints_policy == model::node_inclusion_policy::honor;
        s.spread.push_back(std::move(one));
    }
    return s;
}

/// What finds pods like this one: the selectors of its services and of the set that manages it. Everything
/// when there are none. O(services of the namespace).
template<class View>
[[nodiscard]] labels::selector siblings_of(View const& view, model::pod const& p)
{
    std::map<std::string, std::string> of_services;
    for (auto const service : view.template all<model::service>(p.metadata.namespace_)) {
        auto const& wanted = service->spec.selector;
        bool const selects = !wanted.empty() && std::ranges::all_of(wanted, [&](auto const& l) {
            auto const found = p.metadata.labels.find(l.first);
            return found != p.metadata.labels.end() && found->second == l.second;
        });
        if (selects)
            of_services.insert(wanted.begin(), wanted.end());
    }
    std::vector<labels::requirement> all;
    auto const take = [&](labels::selector const& s) {
        all.insert(all.end(), s.requirements().begin(), s.requirements().end());
    };
    take(selector_of(model::label_selector{std::move(of_services), {}}));
    if (auto const* const owner = model::controller_of(p.metadata)) {
        if (owner->kind == model::replica_set::kind) {
            if (auto const set = view.template get<model::replica_set>(p.metadata.namespace_, owner->name))
                take(selector_of(set->spec.selector));
        } else if (owner->kind == model::stateful_set::kind) {
            if (auto const set = view.template get<model::stateful_set>(p.metadata.namespace_, owner->name))
                take(selector_of(set->spec.selector));
        }
    }
    return labels::selector(std::move(all));
}

/// A pod that is to be placed: one without spreading of its own, but with siblings, is kept apart from them,
/// by node and by zone, as well as can be.
template<class View>
[[nodiscard]] schedule::kubernetes::pod schedulable(View const& view, model::pod const& p)
{
    auto s = schedulable(p);
    if (!s.spread.empty())
        return s;
    auto const like = siblings_of(view, p);
    if (like.is_everything())
        return s;
    s.spread_needs_all_keys = false;
    for (auto const& [skew, key] : {std::pair<std::int32_t, char const*>{3, "kubernetes.io/hostname"},
             {5, "topology.kubernetes.io/zone"}}) {
        schedule::spread_constraint one;
        one.max_skew = skew;
        one.topology_key = key;
        one.selector = like;
        one.hard = false;
        s.spread.push_back(std::move(one));
    }
    return s;
}

// -- The index -------------------------------------------------------------------------------------

/// What a pod is told by that has to go for a more important one.
inline constexpr std::string_view preempted_reason = "PreemptionByScheduler";

/// On its way out to make room for a more important pod.
[[nodiscard]] inline bool is_making_room(model::pod const& p) noexcept
{
    if (!is_leaving(p))
        return false;
    auto const* const c = model::find_condition(p.status.conditions, disruption_target);
    return c && c->status == model::condition_status::true_ && c->reason == preempted_reason;
}

class placement {
public:
    using folds = reconcile::types<model::node, model::pod, model::namespace_>;
    using rules_type = schedule::kubernetes::rules;
    using scheduler_type = schedule::scheduler<rules_type>;

    void apply(reconcile::handle<model::node> const& before, reconcile::handle<model::node> const& after)
    {
        if (!after)
            scheduler_.remove(before->metadata.name);
        else if (!before || differ(*before, *after) || before->status.images != after->status.images)
            scheduler_.set(after->metadata.name, schedulable(*after));
    }
    void apply(reconcile::handle<model::pod> const& before, reconcile::handle<model::pod> const& after)
    {
        bool const was_bound = before && takes_room(*before), is_bound = after && takes_room(*after);
        if (was_bound != is_bound || (was_bound && differ(*before, *after))) {
            if (was_bound)
                scheduler_.unbind(before->spec.node_name, schedulable(*before));
            if (is_bound)
                scheduler_.bind(after->spec.node_name, schedulable(*after));
        }
        if (was_bound)
            count(*before, -1);
        if (is_bound)
            count(*after, 1);
        if (before && is_pending(*before)) {
            gated_.erase(before.which());
            waiting_.erase(turn_of(before));
            promised_.erase(turn_of(before));
        }
        if (!after || !is_pending(*after))
            return;
        if (!waits(*after)) {
            if (!knows_its_gates(*after))
                gated_.insert(after.which());
            return;
        }
        waiting_.insert(turn_of(after));
        if (!after->status.nominated_node_name.empty())
            promised_.emplace(turn_of(after), after->status.nominated_node_name);
    }
    void apply(
        reconcile::handle<model::namespace_> const& before, reconcile::handle<model::namespace_> const& after)
    {
        if (before && after && before->metadata.labels == after->metadata.labels)
            return;
        if (before)
            namespaces_.erase(before->metadata.name);
        if (after)
            namespaces_[after->metadata.name] =
                schedule::label_map(after->metadata.labels.begin(), after->metadata.labels.end());
        stale_ = true;
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
    /// Those of them that were promised a node, and which.
    [[nodiscard]] std::map<turn, std::string> const& promised() const noexcept { return promised_; }
    /// Pods with scheduling gates that have not been told yet that they wait for these.
    [[nodiscard]] std::set<reconcile::key> const& gated() const noexcept { return gated_; }

    /// Whether any bound pod is less important.
    [[nodiscard]] bool anybody_below(std::int32_t priority) const
    {
        return !bound_.empty() && bound_.begin()->first < priority;
    }
    /// Whether a less important pod on that node is on its way out to make room.
    [[nodiscard]] bool makes_room(std::string_view node, std::int32_t priority) const
    {
        auto const found = making_room_.find(node);
        return found != making_room_.end() && found->second.begin()->first < priority;
    }

    /// The scheduler remembers classes of like pods as it is asked, and draws lots between nodes that are
    /// equally good; nothing else depends on what it was asked before. What is bound through it for a plan
    /// must be unbound again: the commit comes back as a change.
    [[nodiscard]] scheduler_type& scheduler() const
    {
        if (std::exchange(stale_, false)) {  // a setting of one of its plugins has changed
            schedule::kubernetes::affinity_to_pods with;
            with.namespaces = namespaces_;
            scheduler_ = scheduler_type(scheduler_.nodes(), rules_type(std::move(with)), how);
        }
        return scheduler_;
    }

    /// Has no node yet, and it is ours to find one.
    [[nodiscard]] static bool is_pending(model::pod const& p) noexcept
    {
        return p.spec.node_name.empty() && !is_leaving(p) && !is_terminal(p.status.phase) &&
            (p.spec.scheduler_name.empty() || p.spec.scheduler_name == "default-scheduler");
    }
    [[nodiscard]] static bool waits(model::pod const& p) noexcept
    {
        return is_pending(p) && p.spec.scheduling_gates.empty();
    }
    [[nodiscard]] static bool takes_room(model::pod const& p) noexcept
    {
        return !p.spec.node_name.empty() && !is_terminal(p.status.phase);
    }
    /// Whether these count differently for any pod: what its neighbours see, and what it takes.
    [[nodiscard]] static bool differ(model::pod const& a, model::pod const& b)
    {
        return is_leaving(a) != is_leaving(b) || a.metadata.labels != b.metadata.labels || a.spec != b.spec;
    }
    /// Whether a pod may fit on one and not on the other.
    [[nodiscard]] static bool differ(model::node const& a, model::node const& b)
    {
        return a.spec != b.spec || a.status.allocatable != b.status.allocatable ||
            a.metadata.labels != b.metadata.labels;
    }

private:
    using by_priority = std::map<std::int32_t, std::size_t>;

    static constexpr schedule::options how{.ties_seed = 1};

    static turn turn_of(reconcile::handle<model::pod> const& p)
    {
        return {p->spec.priority.value_or(0), p.created, p.which()};
    }
    static bool knows_its_gates(model::pod const& p)
    {
        auto const* const c = model::find_condition(p.status.conditions, "PodScheduled");
        return c && c->status == model::condition_status::false_ && c->reason == "SchedulingGated";
    }
    static void count(by_priority& in, std::int32_t priority, int sign)
    {
        auto const at = in.try_emplace(priority).first;
        at->second += static_cast<std::size_t>(sign);
        if (at->second == 0)
            in.erase(at);
    }
    void count(model::pod const& p, int sign)
    {
        auto const priority = p.spec.priority.value_or(0);
        count(bound_, priority, sign);
        if (!is_making_room(p))
            return;
        auto const at = making_room_.try_emplace(p.spec.node_name).first;
        count(at->second, priority, sign);
        if (at->second.empty())
            making_room_.erase(at);
    }

    mutable scheduler_type scheduler_{rules_type{}, how};
    mutable bool stale_ = false;
    std::map<std::string, schedule::label_map, std::less<>> namespaces_{};
    std::set<turn> waiting_{};
    std::map<turn, std::string> promised_{};
    std::set<reconcile::key> gated_{};
    by_priority bound_{};
    std::map<std::string, by_priority, std::less<>> making_room_{};
};

}  // namespace podium::v0::controllers
