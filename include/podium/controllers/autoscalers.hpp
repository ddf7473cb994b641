#pragma once
/// HorizontalPodAutoscaler controller: from what was measured to a target's size.
///
/// Each MetricReadings that arrives is decided on once, and nothing else is: the decision, its reasons and
/// what it remembers are one write of the autoscaler, in one transaction with the target's new size. Both are
/// guarded, so a size that somebody else writes at the same time is seen, never overwritten.
///
/// The pods are those that the target owns, through its ReplicaSets, whatever else its selector takes. While
/// a rollout replaces them the measured load counts over the size that is wanted (`autoscale::over`), so
/// constant load means constant replicas. Never is anything shrunk for what is not known: a number below
/// zero, from the future, or of a namesake that is gone, is no number, and a pod that is ready, but not yet
/// measured for a whole window since, counts as one without a number. (Kubernetes leaves that one out
/// when the others would shrink.) Readings that do not come any more are as if none could be taken.
///
/// Source: Kubernetes v1.35.4 pkg/controller/podautoscaler/horizontal.go and replica_calculator.go for
/// conditions, events, their reasons and their words.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/sample.hpp>
#include <podium/autoscale/scaler.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/controllers/scaling_decisions.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/horizontal_pod_autoscaler.hpp>
#include <podium/model/metric_readings.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/rollout.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/reconcile/plan.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

/// What is the controller's own, not the autoscaler's; the defaults are Kubernetes'.
struct autoscaler_settings {
    double tolerance = 0.1;
    duration downscale_stabilization = std::chrono::minutes(5);  ///< unless a behavior says another window
    duration initialization = std::chrono::minutes(5);           ///< cpu: a pod starts for so long
    duration readiness_delay = std::chrono::seconds(30);
    duration stale_after = std::chrono::minutes(1);  ///< readings older than this are none
    duration clock_skew = std::chrono::seconds(1);   ///< a number from further in the future is none
    std::shared_ptr<scaling_decisions> decisions{};  ///< where each is logged; null: nowhere
    friend bool operator==(autoscaler_settings const&, autoscaler_settings const&) = default;
};

namespace detail {

/// "apps" of "apps/v1".
[[nodiscard]] constexpr std::string_view group_of(std::string_view api_version) noexcept
{
    return api_version.substr(0, api_version.find('/'));
}

}  // namespace detail

/// Which autoscalers name a target. An index of the view.
class autoscaler_targets {
public:
    using folds = reconcile::types<model::horizontal_pod_autoscaler>;

    void apply(reconcile::handle<model::horizontal_pod_autoscaler> const& before,
        reconcile::handle<model::horizontal_pod_autoscaler> const& after)
    {
        if (before && after && before->spec.scale_target_ref == after->spec.scale_target_ref)
            return;
        if (before) {
            auto const it = all_.find(key(*before));
            it->second.erase(before->metadata.name);
            if (it->second.empty())
                all_.erase(it);
            of_sets_ -= is_of_set(*before);
        }
        if (after) {
            all_[key(*after)].insert(after->metadata.name);
            of_sets_ += is_of_set(*after);
        }
    }
    /// The names of those in that namespace, in order; of the API version only the group counts. O(1).
    [[nodiscard]] std::set<std::string> const& of(std::string_view namespace_, std::string_view api_version,
        std::string_view kind, std::string_view name) const
    {
        static std::set<std::string> const none;
        auto const it = all_.find(key(namespace_, api_version, kind, name));
        return it == all_.end() ? none : it->second;
    }

    /// How many name a ReplicaSet, in all namespaces.
    [[nodiscard]] std::size_t of_sets() const noexcept { return of_sets_; }

private:
    static bool is_of_set(model::horizontal_pod_autoscaler const& a)
    {
        return a.spec.scale_target_ref.kind == model::replica_set::kind;
    }
    static std::string key(std::string_view namespace_, std::string_view api_version, std::string_view kind,
        std::string_view name)
    {
        auto const group = detail::group_of(api_version);
        std::string out;
        out.reserve(namespace_.size() + group.size() + kind.size() + name.size() + 3);
        for (auto const part : {namespace_, group, kind})
            (out += part) += '/';
        return out += name;
    }
    static std::string key(model::horizontal_pod_autoscaler const& a)
    {
        auto const& ref = a.spec.scale_target_ref;
        return key(a.metadata.namespace_, ref.api_version, ref.kind, ref.name);
    }
    std::unordered_map<std::string, std::set<std::string>> all_{};
    std::size_t of_sets_ = 0;
};

namespace detail {

[[nodiscard]] inline autoscale::metric metric_of(model::metric_spec const& m)
{
    autoscale::metric out;
    model::metric_target const* target = nullptr;
    switch (m.type) {
    case model::metric_source_type::resource:
        if (!m.resource)
            break;
        out.from = autoscale::source::resource;
        out.name = m.resource->name;
        target = &m.resource->target;
        break;
    case model::metric_source_type::container_resource:
        if (!m.container_resource)
            break;
        out.from = autoscale::source::container_resource;
        out.name = m.container_resource->name;
        out.container = m.container_resource->container;
        target = &m.container_resource->target;
        break;
    case model::metric_source_type::pods:
        if (!m.pods)
            break;
        out.from = autoscale::source::pods;
        out.name = m.pods->metric.name;
        target = &m.pods->target;
        break;
    case model::metric_source_type::object:
        if (!m.object)
            break;
        out.from = autoscale::source::object;
        out.name = m.object->metric.name;
        target = &m.object->target;
        break;
    case model::metric_source_type::external:
        if (!m.external)
            break;
        out.from = autoscale::source::external;
        out.name = m.external->metric.name;
        target = &m.external->target;
        break;
    }
    if (!target)
        return out;  // its target of zero makes it a metric that fails
    switch (target->type) {
    case model::metric_target_type::utilization:
        out.aim = autoscale::target::utilization;
        out.target_percent = target->average_utilization.value_or(0);
        break;
    case model::metric_target_type::value:
        out.aim = autoscale::target::value;
        out.target_milli = target->value.value_or(quantity{}).milli_value();
        break;
    case model::metric_target_type::average_value:
        out.aim = autoscale::target::average_value;
        out.target_milli = target->average_value.value_or(quantity{}).milli_value();
        break;
    }
    return out;
}

[[nodiscard]] inline autoscale::scaling_rules rules_of(
    model::hpa_scaling_rules const& r, autoscale::scaling_rules out)
{
    using unit = autoscale::scaling_policy::unit;
    if (r.stabilization_window_seconds)
        out.stabilization_window = std::chrono::seconds(*r.stabilization_window_seconds);
    if (r.select_policy)
        out.select_policy = *r.select_policy == model::scaling_policy_select::max
            ? autoscale::select::max_change
            : *r.select_policy == model::scaling_policy_select::min ? autoscale::select::min_change
                                                                    : autoscale::select::disabled;
    if (!r.policies.empty()) {
        out.policies.clear();
        for (auto const& p : r.policies)
            out.policies.push_back(
                {.of = p.type == model::hpa_scaling_policy_type::pods ? unit::pods : unit::percent,
                    .value = p.value,
                    .period = std::chrono::seconds(p.period_seconds)});
    }
    if (r.tolerance)
        out.tolerance = static_cast<double>(r.tolerance->scaled_value(-9)) / 1e9;
    return out;
}

}  // namespace detail

/// What an autoscaler goes by.
[[nodiscard]] inline autoscale::policy policy_of(
    model::horizontal_pod_autoscaler_spec const& spec, autoscaler_settings const& s)
{
    autoscale::policy p;
    p.min_replicas = spec.min_replicas;
    p.max_replicas = spec.max_replicas;
    p.metrics.reserve(spec.metrics.size());
    for (auto const& m : spec.metrics)
        p.metrics.push_back(detail::metric_of(m));
    if (spec.behavior) {
        auto& b = p.behavior.emplace();
        if (spec.behavior->scale_up)
            b.scale_up = detail::rules_of(*spec.behavior->scale_up, std::move(b.scale_up));
        if (spec.behavior->scale_down)
            b.scale_down = detail::rules_of(*spec.behavior->scale_down, std::move(b.scale_down));
    }
    if (auto const& season = spec.season)
        p.season = {.length = std::chrono::seconds(season->length_seconds),
            .slots = season->slots,
            .lead = std::chrono::seconds(season->lead_seconds),
            .factor = season->max_percent / 100.0,
            .weight_percent = season->weight_percent};
    p.tolerance = s.tolerance;
    p.downscale_stabilization = s.downscale_stabilization;
    p.initialization = s.initialization;
    p.readiness_delay = s.readiness_delay;
    return p;
}

/// What a pod requests of a resource, in thousandths, or one of its containers; nothing where a container
/// does not say, and then `missing` is its name.
[[nodiscard]] inline std::optional<std::int64_t> request_milli(model::pod_spec const& spec,
    std::string_view resource, std::string_view container, std::string* missing = nullptr)
{
    std::int64_t sum = 0;
    bool found = container.empty();
    auto const add = [&](model::container const& c) {
        if (!container.empty() && c.name != container)
            return true;
        found = true;
        for (auto const& [name, amount] : c.resources.requests)
            if (name == resource) {
                sum = saturating_add(sum, amount.milli_value());
                return true;
            }
        if (missing)
            *missing = c.name;
        return false;
    };
    for (auto const& c : spec.containers)
        if (!add(c))
            return {};
    for (auto const& c : spec.init_containers)
        if (c.restart_policy == model::restart_policy::always && !add(c))
            return {};
    if (!found) {
        if (missing)
            *missing = container;
        return {};
    }
    return sum;
}

/// f(handle<K>) for what an autoscaler names. Errors: `not_found`; `unsupported` for a kind that has no size.
template<class View, class F>
[[nodiscard]] result<void> with_target(
    View const& view, model::horizontal_pod_autoscaler const& a, F const& f)
{
    auto const& ref = a.spec.scale_target_ref;
    using detail::group_of;
    result<void> out;
    auto const try_kind = [&]<class K>(std::type_identity<K>) {
        if (ref.kind != K::kind || group_of(ref.api_version) != group_of(K::api_version))
            return false;
        auto const target = view.template get<K>(a.metadata.namespace_, ref.name);
        if (target && !target->metadata.deletion_timestamp)
            f(target);
        else
            out = error{errc::not_found,
                std::string(K::plural) + '.' + std::string(group_of(K::api_version)) + " \"" + ref.name +
                    "\" not found",
                "spec.scaleTargetRef", {}};
        return true;
    };
    if (!try_kind(std::type_identity<model::deployment>{}) &&
        !try_kind(std::type_identity<model::rollout>{}) &&
        !try_kind(std::type_identity<model::replica_set>{}) &&
        !try_kind(std::type_identity<model::stateful_set>{}))
        out = error{errc::unsupported,
            "no matches for kind \"" + ref.kind + "\" in group \"" + std::string(group_of(ref.api_version)) +
                '"',
            "spec.scaleTargetRef", {}};
    return out;
}

namespace detail {

/// This will be looked at soon. A thousand pods are all over memory, and waiting for one after the other
/// takes longer than to count them.
template<class T>
void prefetch([[maybe_unused]] T const& soon) noexcept
{
#if defined(__GNUC__)
    __builtin_prefetch(&soon);
#endif
}

/// f(handle) for each owner of a target's pods: its ReplicaSets, or itself where it has none.
template<class View, class K, class F>
void each_owner(View const& view, reconcile::handle<K> const& target, F const& f)
{
    if constexpr (std::is_same_v<K, model::deployment> || std::is_same_v<K, model::rollout>)
        for (auto const set : view.template owned_by<model::replica_set>(target))
            f(set);
    else
        f(target);
}

/// What is scaled: its size, its pods, and whether they are being replaced.
struct scale_target {
    std::int32_t wanted = 0;
    std::int32_t existing = 0;
    bool replacing = false;
    std::vector<model::pod const*> pods{};  ///< the view's
};

template<class View, class K>
[[nodiscard]] scale_target scaled_by(View const& view, reconcile::handle<K> const& target)
{
    scale_target out{.wanted = std::max(target->spec.replicas, 0), .existing = target->status.replicas};
    out.pods.reserve(static_cast<std::size_t>(std::clamp(target->status.replicas, 0, 10'000)));
    auto const take = [&](auto const& owner) {
        bool any = false;
        for (auto const& pod : view.template peek_owned_by<model::pod>(owner)) {
            any = any || is_active(pod);
            prefetch(pod.status);
            out.pods.push_back(&pod);
        }
        return any;
    };
    int versions = 0;
    each_owner(view, target, [&](auto const& owner) {
        bool const any = take(owner);
        versions += any || owner->spec.replicas > 0;
    });
    out.replacing = versions > 1;
    if constexpr (std::is_same_v<K, model::stateful_set>)
        out.replacing = target->status.current_revision != target->status.update_revision;
    return out;
}

/// One metric's readings, which are in the order of names, to be looked up pod by pod: in that order each
/// costs one comparison.
class values_by_pod {
public:
    explicit values_by_pod(std::span<model::pod_reading const> all) : all_(all) {}
    [[nodiscard]] model::pod_reading const* find(std::string const& pod)
    {
        if (is_next(pod))
            return &all_[next_++];
        next_ = static_cast<std::size_t>(
            std::lower_bound(all_.begin(), all_.end(), pod,
                [](model::pod_reading const& r, std::string const& name) { return r.pod < name; }) -
            all_.begin());
        return is_next(pod) ? &all_[next_++] : nullptr;
    }

private:
    [[nodiscard]] bool is_next(std::string const& pod) const
    {
        return next_ < all_.size() && all_[next_].pod == pod;
    }
    std::span<model::pod_reading const> all_;
    std::size_t next_ = 0;
};

/// A metric as people call it: "cpu resource utilization (percentage of request)".
[[nodiscard]] inline std::string words(model::metric_spec const& m, autoscale::metric const& as)
{
    std::string_view const of_request =
        as.aim == autoscale::target::utilization ? " utilization (percentage of request)" : "";
    switch (as.from) {
    case autoscale::source::resource: return (as.name + " resource").append(of_request);
    case autoscale::source::container_resource: return (as.name + " container resource").append(of_request);
    case autoscale::source::pods: return "pods metric " + as.name;
    case autoscale::source::object: return m.object->described_object.kind + " metric " + as.name;
    case autoscale::source::external: return "external metric " + as.name;
    }
    return as.name;
}

/// "failed to get cpu utilization: ", as the answer of a whole computation begins.
[[nodiscard]] inline std::string failure_prefix(model::metric_spec const& m, autoscale::metric const& as)
{
    switch (as.from) {
    case autoscale::source::resource:
        return "failed to get " + as.name + " resource metric value: failed to get " + as.name +
            " utilization: ";
    case autoscale::source::container_resource:
        return "failed to get " + m.container_resource->container +
            " container metric value: failed to get " + as.name + " utilization: ";
    case autoscale::source::pods: return "failed to get pods metric value: ";
    case autoscale::source::object:
        return "failed to get object metric value: failed to get " + as.name + " object metric: ";
    case autoscale::source::external:
        return "failed to get " + as.name + " external metric value: failed to get " + as.name +
            " external metric: ";
    }
    return {};
}

[[nodiscard]] constexpr std::string_view failure_reason(autoscale::source s) noexcept
{
    return to_string(autoscale::detail::failure_of(s));
}

[[nodiscard]] constexpr std::string_view words(autoscale::reason r) noexcept
{
    using enum autoscale::reason;
    switch (r) {
    case succeeded_get_scale: return "the HPA controller was able to get the target's current scale";
    case ready_for_new_scale: return "recommended size matches current size";
    case scale_up_stabilized:
        return "recent recommendations were lower than current one, applying the lowest recent "
               "recommendation";
    case scale_down_stabilized:
        return "recent recommendations were higher than current one, applying the highest recent "
               "recommendation";
    case scaling_disabled: return "scaling is disabled since the replica count of the target is zero";
    case desired_within_range: return "the desired count is within the acceptable range";
    case scale_up_limit: return "the desired replica count is increasing faster than the maximum scale rate";
    case scale_down_limit:
        return "the desired replica count is decreasing faster than the maximum scale rate";
    case too_many_replicas: return "the desired replica count is more than the maximum replica count";
    case too_few_replicas: return "the desired replica count is less than the minimum replica count";
    default: return {};
    }
}

}  // namespace detail

/// The pods of what an autoscaler names, whose numbers it wants; none where it names nothing.
template<class View>
[[nodiscard]] std::vector<reconcile::handle<model::pod>> pods_of(
    View const& view, model::horizontal_pod_autoscaler const& a)
{
    std::vector<reconcile::handle<model::pod>> out;
    (void)with_target(view, a, [&](auto const& target) {
        detail::each_owner(view, target, [&](auto const& owner) {
            for (auto pod : view.template owned_by<model::pod>(owner))
                out.push_back(std::move(pod));
        });
    });
    return out;
}

struct autoscalers {
    static constexpr std::string_view name = "horizontal-pod-autoscaler";
    using primary = model::horizontal_pod_autoscaler;
    using owns = reconcile::types<model::metric_readings>;

    autoscaler_settings how{};

    /// O(metrics x pods of the target).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const a = view.template get<model::horizontal_pod_autoscaler>(which);
        if (!a || a->metadata.deletion_timestamp)
            return p;
        auto readings = view.template get<model::metric_readings>(which);
        if (readings && !is_of(*readings, a.uid()))
            readings = {};
        bool const news = readings && readings->time && readings->time != a->status.readings_time &&
            readings->observed_generation == a->metadata.generation;
        auto const last = readings && readings->time ? readings->time->at
            : a->metadata.creation_timestamp         ? a->metadata.creation_timestamp->at
                                                     : a.seen;
        auto const stale_at = later(last, how.stale_after);
        bool const blind = now >= stale_at;
        if (!blind)
            p.wake_at(stale_at);
        else
            p.wake_at(now + how.stale_after);
        if (!news && !blind && a->status.observed_generation == a->metadata.generation)
            return p;
        decision d{.now = now, .readings = blind ? nullptr : readings.object.get(), .decides = news || blind};
        decide(p, view, a, d);
        return p;
    }

private:
    using autoscaler = reconcile::handle<model::horizontal_pod_autoscaler>;

    struct decision {
        time_point now{};
        model::metric_readings const* readings = nullptr;  ///< null: there are none
        bool decides = false;  ///< else there is nothing new to decide on, and only the target is looked up
    };

    static bool is_of(model::metric_readings const& r, std::string const& uid)
    {
        return std::ranges::any_of(r.metadata.owner_references, [&](auto const& o) { return o.uid == uid; });
    }

    // -- The target ------------------------------------------------------------------------------

    template<class View>
    void decide(reconcile::plan& p, View const& view, autoscaler const& a, decision const& d) const
    {
        auto const found = with_target(view, *a, [&](auto const& target) { scale(p, view, a, target, d); });
        if (!found)
            lost(p, view, a, d, found.error().message);
    }

    template<class View, class K>
    void scale(reconcile::plan& p, View const& view, autoscaler const& a, reconcile::handle<K> const& target,
        decision const& d) const
    {
        auto next = *a;
        next.status.observed_generation = a->metadata.generation;
        next.status.current_replicas = target->spec.replicas;
        if (!d.decides) {
            show(next.status, "AbleToScale", true, "SucceededGetScale",
                detail::words(autoscale::reason::succeeded_get_scale), d.now);
            p.update(a, std::move(next));
            return;
        }
        if (d.readings)
            next.status.readings_time = d.readings->time;
        auto const refuse = [&](std::string_view reason, std::string const& text) {
            show(next.status, "AbleToScale", true, "SucceededGetScale",
                detail::words(autoscale::reason::succeeded_get_scale), d.now);
            show(next.status, "ScalingActive", false, reason, text, d.now);
            p.update(a, std::move(next));
            record(p, view, a, event_type::warning, reason, text, name, d.now);
        };
        if (auto const others = rivals(view, a, target); !others.empty())
            return refuse("AmbiguousSelector",
                "pods of " + std::string(K::kind) + ' ' + target->metadata.name +
                    " are controlled by multiple HPAs: " + others);
        // The API lets none in, but it is not the only one that writes; between such bounds a size has no
        // rest.
        if (a->spec.max_replicas < std::max(a->spec.min_replicas, 1))
            return refuse("InvalidBounds", "maxReplicas must be at least 1 and not less than minReplicas");

        auto const seen = detail::scaled_by(view, target);
        auto const policy = policy_of(a->spec, how);
        autoscale::workspace room;
        auto const sizes = observe(policy, d, seen, room);
        std::optional<scaling_inputs> inputs;
        if (how.decisions)
            inputs = scaling_inputs{policy, next.status.machine, sizes, room.readings};
        auto stepped = autoscale::step(policy, std::move(next.status.machine),
            {.size = sizes, .readings = room.readings, .rescale_failed = false}, d.now, room);
        next.status.machine = std::move(stepped.next);
        auto const& todo = stepped.todo;
        if (inputs)
            log(a, *std::move(inputs), todo, d.now);
        tell(p, view, a, next.status, policy, todo, seen, d);
        next.status.desired_replicas = todo.desired;
        if (todo.scale_to) {
            next.status.last_scale_time = model::time{d.now};
            auto scaled = *target;
            scaled.spec.replicas = *todo.scale_to;
            p.update(target, std::move(scaled));
        }
        p.update(a, std::move(next));
    }

    void log(
        autoscaler const& a, scaling_inputs inputs, autoscale::decision const& todo, time_point now) const
    {
        auto reason = text(inputs.policy, todo);
        auto verdict = todo;
        verdict.proposals = {};  // they point to what the next step uses again
        how.decisions->push({.when = now,
            .who = std::string(name),
            .about = a->metadata.namespace_ + '/' + a->metadata.name,
            .inputs = std::move(inputs),
            .verdict = verdict,
            .reason = std::move(reason)});
    }

    /// It cannot be scaled, and why.
    template<class View>
    void lost(reconcile::plan& p, View const& view, autoscaler const& a, decision const& d,
        std::string const& why) const
    {
        auto next = *a;
        next.status.observed_generation = a->metadata.generation;
        if (d.readings)
            next.status.readings_time = d.readings->time;
        show(next.status, "AbleToScale", false, "FailedGetScale",
            "the HPA controller was unable to get the target's current scale: " + why, d.now);
        p.update(a, std::move(next));
        record(p, view, a, event_type::warning, "FailedGetScale", why, name, d.now);
    }

    /// All autoscalers that name the target, what it belongs to, or what belongs to it, when there are more
    /// than this one: "[default/a default/b]".
    template<class View, class K>
    static std::string rivals(View const& view, autoscaler const& a, reconcile::handle<K> const& target)
    {
        auto const& index = view.template index<autoscaler_targets>();
        auto const& ns = a->metadata.namespace_;
        auto const* all = &index.of(ns, K::api_version, K::kind, target->metadata.name);
        std::set<std::string> more;
        auto const add = [&](std::string_view version, std::string_view kind, std::string_view target_name) {
            auto const& found = index.of(ns, version, kind, target_name);
            more.insert(found.begin(), found.end());
        };
        if (auto const* const owner = model::controller_of(target->metadata))
            add(owner->api_version, owner->kind, owner->name);
        if constexpr (std::is_same_v<K, model::deployment> || std::is_same_v<K, model::rollout>)
            if (index.of_sets() > 0)
                for (auto const set : view.template owned_by<model::replica_set>(target))
                    add(model::replica_set::api_version, model::replica_set::kind, set->metadata.name);
        if (!more.empty()) {
            more.insert(all->begin(), all->end());
            all = &more;
        }
        if (all->size() < 2)
            return {};
        std::string out;
        for (auto const& one : *all)
            out += (out.empty() ? "[" : " ") + ns + '/' + one;
        return out + ']';
    }

    // -- What was measured -----------------------------------------------------------------------

    /// The sizes; the readings are in `room`.
    autoscale::sizes observe(autoscale::policy const& policy, decision const& d,
        detail::scale_target const& seen, autoscale::workspace& room) const
    {
        bool const replacing = seen.replacing && seen.wanted > 0;
        autoscale::sizes size{.wanted = seen.wanted, .existing = seen.existing};
        room.readings.assign(policy.metrics.size(), {});
        for (std::size_t i = 0; i < policy.metrics.size(); ++i) {
            auto const& m = policy.metrics[i];
            auto const* const from = reading_of(d, i);
            bool const good = from && from->error.empty();
            if (i == 0 || (good && is_per_pod(m.from))) {
                auto const counted = count(policy, m, d, good ? from : nullptr, seen);
                if (i == 0) {
                    size.pods = counted.members;
                    size.ready_pods = counted.ready_pods;
                }
                if (good && is_per_pod(m.from) && !from->pods.empty())
                    room.readings[i].pods = replacing ? over(counted, m, seen.wanted) : counted;
            }
            if (good && !is_per_pod(m.from) && from->value && from->value->sign() >= 0)
                room.readings[i].value_milli = from->value->milli_value();
        }
        if (replacing)
            size = {seen.wanted, seen.wanted, seen.wanted, seen.wanted};
        return size;
    }

    static model::metric_reading const* reading_of(decision const& d, std::size_t metric)
    {
        return d.readings && metric < d.readings->metrics.size() ? &d.readings->metrics[metric] : nullptr;
    }

    autoscale::tally count(autoscale::policy const& policy, autoscale::metric const& m, decision const& d,
        model::metric_reading const* from, detail::scale_target const& seen) const
    {
        bool const of_resource =
            m.from == autoscale::source::resource || m.from == autoscale::source::container_resource;
        bool const skip = skips_starting(m);
        detail::values_by_pod values(
            from ? std::span<model::pod_reading const>(from->pods) : std::span<model::pod_reading const>());
        autoscale::tally t;
        // Pods of one template share its containers, so one look serves them all.
        model::pod_spec const* known = nullptr;
        std::optional<std::int64_t> request;
        constexpr std::size_t ahead = 4;  // as many as are counted while one arrives
        for (std::size_t i = 0; i < seen.pods.size(); ++i) {
            if (i + ahead < seen.pods.size())
                for (auto const& condition : seen.pods[i + ahead]->status.conditions)
                    detail::prefetch(condition);
            auto const* const pod = seen.pods[i];
            auto s = sample_of(*pod);
            auto const* const value = values.find(pod->metadata.name);
            if (of_resource) {
                if (!known || !known->containers.same_as(pod->spec.containers) ||
                    !known->init_containers.same_as(pod->spec.init_containers))
                    request = request_milli(pod->spec, m.name, m.container);
                known = &pod->spec;
                s.request_milli = request;
            }
            if (value)
                read(s, *value, skip, policy, d);
            if (seen.replacing && s.deleting && s.value_milli)
                s.deleting = false;  // what it did is part of the load that the others take over
            if (s.deleting)
                s.readiness = autoscale::readiness::none;  // it takes none of what is to come
            add(t, m, skip, policy, s, d.now);
        }
        return t;
    }

    static autoscale::sample sample_of(model::pod const& pod)
    {
        autoscale::sample s{.readiness = autoscale::readiness::none, .started_at = {}};
        switch (pod.status.phase) {
        case model::pod_phase::pending: s.phase = autoscale::phase::pending; break;
        case model::pod_phase::succeeded: s.phase = autoscale::phase::succeeded; break;
        case model::pod_phase::failed: s.phase = autoscale::phase::failed; break;
        case model::pod_phase::running:
        case model::pod_phase::unknown: s.phase = autoscale::phase::running; break;
        }
        s.deleting = is_leaving(pod);
        if (auto const* const c = model::find_condition(pod.status.conditions, "Ready")) {
            s.readiness = c->status == model::condition_status::true_ ? autoscale::readiness::ready
                : c->status == model::condition_status::false_        ? autoscale::readiness::not_ready
                                                                      : autoscale::readiness::unknown;
            if (c->last_transition_time)
                s.readiness_since = *c->last_transition_time;
        }
        if (pod.status.start_time)
            s.started_at = *pod.status.start_time;
        return s;
    }

    /// Takes a number, if it is one of this pod and of now.
    void read(autoscale::sample& s, model::pod_reading const& value, bool skip,
        autoscale::policy const& policy, decision const& d) const
    {
        auto const at = value.measured_at.value_or(*d.readings->time).at;
        if (value.value.sign() < 0 || at > later(d.now, how.clock_skew) ||
            (s.started_at && at < *s.started_at))
            return;
        s.measured_at = at;
        s.window = value.window;
        bool const fresh = skip && s.readiness == autoscale::readiness::ready && s.started_at &&
            later(*s.started_at, policy.initialization) > d.now && at < later(s.readiness_since, s.window);
        if (!fresh)
            s.value_milli = value.value.milli_value();
    }

    // -- What is said of it ----------------------------------------------------------------------

    template<class View>
    void tell(reconcile::plan& p, View const& view, autoscaler const& a,
        model::horizontal_pod_autoscaler_status& status, autoscale::policy const& policy,
        autoscale::decision const& todo, detail::scale_target const& seen, decision const& d) const
    {
        status.current_metrics.resize(todo.proposals.size());
        std::string first_failure, first_reason;
        std::set<std::string> told;  // two metrics may fail alike, and an event is written once
        for (std::size_t i = 0; i < todo.proposals.size(); ++i) {
            auto const& spec = a->spec.metrics[i];
            auto const& m = policy.metrics[i];
            put(status.current_metrics[i], spec, todo.proposals[i]);
            if (!todo.proposals[i].failed())
                continue;
            auto const why = failure(m, spec, todo.proposals[i].why, seen, d, i);
            auto const reason = detail::failure_reason(m.from);
            if (told.insert(std::string(reason) + why).second)
                record(p, view, a, event_type::warning, reason, why, name, d.now);
            if (first_failure.empty()) {
                first_reason = why;
                first_failure = "invalid metrics (" + std::to_string(todo.failed_metrics) +
                    " invalid out of " + std::to_string(policy.metrics.size()) +
                    "), first error is: " + detail::failure_prefix(spec, m) + why;
            }
        }
        bool const stopped =
            todo.why == autoscale::cause::no_metrics || todo.why == autoscale::cause::blind_shrink;
        if (stopped)
            record(
                p, view, a, event_type::warning, "FailedComputeMetricsReplicas", first_failure, name, d.now);

        auto const& state = status.machine;
        if (state.able_to_scale && todo.scale_to)
            show(status, "AbleToScale", state.able_to_scale->value, to_string(state.able_to_scale->why),
                "the HPA controller was able to update the target scale to " + std::to_string(*todo.scale_to),
                d.now);
        else if (state.able_to_scale)
            show(status, "AbleToScale", state.able_to_scale->value, to_string(state.able_to_scale->why),
                detail::words(state.able_to_scale->why), d.now);
        // What was not looked at this time is not told again: it stays as it was.
        if (todo.why == autoscale::cause::switched_off)
            show(status, "ScalingActive", false, "ScalingDisabled",
                detail::words(autoscale::reason::scaling_disabled), d.now);
        else if (stopped)
            show(status, "ScalingActive", false, to_string(state.scaling_active->why),
                "the HPA was unable to compute the replica count: " + first_reason, d.now);
        else if (todo.why == autoscale::cause::metric && todo.metric < policy.metrics.size())
            show(status, "ScalingActive", true, "ValidMetricFound",
                "the HPA was able to successfully calculate a replica count from " +
                    detail::words(a->spec.metrics[todo.metric], policy.metrics[todo.metric]),
                d.now);
        if (todo.why == autoscale::cause::metric && state.scaling_limited)
            show(status, "ScalingLimited", state.scaling_limited->value,
                to_string(state.scaling_limited->why), detail::words(state.scaling_limited->why), d.now);

        if (!todo.scale_to)
            return;
        auto const because = todo.why == autoscale::cause::above_max
            ? std::string("Current number of replicas above Spec.MaxReplicas")
            : todo.why == autoscale::cause::below_min
            ? std::string("Current number of replicas below Spec.MinReplicas")
            : todo.recommended > todo.reactive
            ? "earlier seasons asked for " + std::to_string(todo.recommended) + " at this time"
            : todo.recommended < todo.from || todo.metric >= policy.metrics.size()
            ? std::string("All metrics below target")
            : detail::words(a->spec.metrics[todo.metric], policy.metrics[todo.metric]) + " above target";
        record(p, view, a, event_type::normal, "SuccessfulRescale",
            "New size: " + std::to_string(*todo.scale_to) + "; reason: " + because, name, d.now);
    }

    /// Why a metric could not be gone by.
    static std::string failure(autoscale::metric const& m, model::metric_spec const& spec,
        autoscale::basis why, detail::scale_target const& seen, decision const& d, std::size_t metric)
    {
        switch (why) {
        case autoscale::basis::no_pods: return "no pods returned by selector while calculating replica count";
        case autoscale::basis::nothing_counted:
            return "did not receive metrics for targeted pods (pods might be unready)";
        case autoscale::basis::no_request:
            for (auto const* const pod : seen.pods) {
                std::string container;
                if (!request_milli(pod->spec, m.name, m.container, &container))
                    return "missing request for " + m.name + " in container " + container + " of Pod " +
                        pod->metadata.name;
            }
            return "no metrics returned matched known pods";
        case autoscale::basis::invalid_target: return "its target is not valid";
        default: break;
        }
        auto const* const from = reading_of(d, metric);
        std::string text = !d.readings     ? "nothing was measured for too long"
            : from && !from->error.empty() ? from->error
            : from && from->value          ? "the value is below zero"
                                           : "no metrics returned";
        switch (m.from) {
        case autoscale::source::resource:
        case autoscale::source::container_resource:
            return "unable to get metrics for resource " + m.name + ": " + text;
        case autoscale::source::pods: return "unable to get metric " + m.name + ": " + text;
        case autoscale::source::object:
            return "unable to get metric " + m.name + ": " + text + " on " +
                spec.object->described_object.kind + ' ' + spec.object->described_object.name;
        case autoscale::source::external: return "unable to get external metric " + m.name + ": " + text;
        }
        return text;
    }

    /// Writes down what a metric came to; writes nothing that is there already.
    static void put(model::metric_status& to, model::metric_spec const& m, autoscale::proposal const& came_to)
    {
        model::metric_status out;
        out.type = m.type;
        if (!came_to.failed()) {
            auto const amount = [](std::optional<std::int64_t> n) {
                return n ? std::optional(quantity::from_milli(*n)) : std::nullopt;
            };
            model::metric_value_status const is{
                amount(came_to.value_milli), amount(came_to.average_milli), came_to.utilization_percent};
            switch (m.type) {
            case model::metric_source_type::resource:
                out.resource = model::resource_metric_status{m.resource->name, is};
                break;
            case model::metric_source_type::container_resource:
                out.container_resource = model::container_resource_metric_status{
                    m.container_resource->name, m.container_resource->container, is};
                break;
            case model::metric_source_type::pods:
                out.pods = model::pods_metric_status{m.pods->metric, is};
                break;
            case model::metric_source_type::object:
                out.object = model::object_metric_status{m.object->metric, is, m.object->described_object};
                break;
            case model::metric_source_type::external:
                out.external = model::external_metric_status{m.external->metric, is};
                break;
            }
        }
        if (!(out == to))
            to = std::move(out);
    }

    static void show(model::horizontal_pod_autoscaler_status& status, std::string_view type, bool value,
        std::string_view reason, std::string_view message, time_point now)
    {
        auto const as = value ? model::condition_status::true_ : model::condition_status::false_;
        auto const* const old = model::find_condition(status.conditions, type);
        if (old && old->status == as && old->reason == reason && old->message == message)
            return;
        set_condition(status.conditions,
            model::horizontal_pod_autoscaler_condition{
                std::string(type), as, {}, std::string(reason), std::string(message)},
            now);
    }
};

}  // namespace podium::v0::controllers
