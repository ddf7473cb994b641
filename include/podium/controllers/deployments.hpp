#pragma once
/// Deployment controller: carries out what the `rollout` room decides, one transaction a step.
///
/// A set is made for each pod template, named by the template's hash; revisions and recorded sizes are
/// Kubernetes' annotations, so that `kubectl rollout` reads them. Each plan that changes a set also raises
/// `status.spent` in the deployment.
///
/// Source: Kubernetes v1.35 pkg/controller/deployment; names of labels, annotations and events are its.

#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/model/shipped_codecs.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/rollout/deployment.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

inline constexpr std::string_view template_hash_label = "pod-template-hash";
inline constexpr std::string_view revision_annotation = "deployment.kubernetes.io/revision";
inline constexpr std::string_view desired_annotation = "deployment.kubernetes.io/desired-replicas";
inline constexpr std::string_view max_annotation = "deployment.kubernetes.io/max-replicas";
/// Set by whoever wants to go back: a revision, or "0" for the one before.
inline constexpr std::string_view rollback_annotation = "deprecated.deployment.rollback.to";

namespace detail {

inline constexpr std::string_view hash_digits = "bcdfghjklmnpqrstvwxz2456789";

/// The ten lowest digits of a number, the lowest first.
[[nodiscard]] inline std::string hash_text(std::uint64_t h)
{
    std::string out;
    for (int i = 0; i < 10; ++i, h /= hash_digits.size())
        out += hash_digits[h % hash_digits.size()];
    return out;
}

}  // namespace detail

/// Ten letters and digits that stand for a template. Deterministic across builds and machines.
[[nodiscard]] inline std::string template_hash(model::pod_template_spec const& t, std::int32_t collisions)
{
    auto h = fnv1a(model::encode(t));
    if (collisions != 0)
        h = fnv1a(std::to_string(collisions), h);
    return detail::hash_text(h);
}

struct deployments {
    static constexpr std::string_view name = "deployment-controller";
    using primary = model::deployment;
    using owns = reconcile::types<model::replica_set>;
    using watches = reconcile::types<model::pod>;

    rollout::options how{};

    /// Recreate waits for pods, not for counters: a pod that is gone concerns its set's deployment.
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (x.after && !is_terminal(x.after->status.phase))
            return;
        auto const* const owner = model::controller_of(x.any()->metadata);
        if (!owner || owner->kind != model::replica_set::kind)
            return;
        auto const set = view.template get<model::replica_set>(x.any()->metadata.namespace_, owner->name);
        if (!set)
            return;
        if (auto const* const above = model::controller_of(set->metadata);
            above && above->kind == model::deployment::kind)
            add(reconcile::key_for<model::deployment>(set->metadata.namespace_, above->name));
    }

    /// O(n log n) in the deployment's sets.
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const d = view.template get<model::deployment>(which);
        if (!d || awaits_config_hash(*d))
            return p;
        std::vector<reconcile::handle<model::replica_set>> handles;
        for (auto set : view.template owned_by<model::replica_set>(d))
            handles.push_back(std::move(set));
        std::vector<rollout::replica_set> sets;
        for (auto const& h : handles)
            sets.push_back(seen(view, *d, h));

        rollout::workspace room;
        auto const answer = rollout::step(wanted(*d), status_of(*d), sets, now, room, how);

        auto next = *d;
        bool spends = false;
        for (auto const& a : answer.todo) {
            if (a.superseded)
                continue;
            carry_out(p, view, d, next, handles, a, now, spends);
        }
        show(next, answer.next);
        next.status.spent += spends;
        p.update(d, std::move(next));
        if (answer.wake_at != never)
            p.wake_at(answer.wake_at);
        return p;
    }

private:
    using set_handle = reconcile::handle<model::replica_set>;
    using annotations = std::map<std::string, std::string>;

    static std::optional<std::int64_t> number_in(annotations const& all, std::string_view key)
    {
        auto const it = std::ranges::find_if(all, [&](auto const& one) { return one.first == key; });
        std::int64_t value = 0;
        if (it == all.end())
            return {};
        auto const& text = it->second;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (failed != std::errc{} || end != text.data() + text.size())
            return {};
        return value;
    }
    static std::optional<std::int32_t> small(std::optional<std::int64_t> n)
    {
        if (!n || *n < 0 || *n > std::numeric_limits<std::int32_t>::max())
            return {};
        return static_cast<std::int32_t>(*n);
    }

    static rollout::deployment wanted(model::deployment const& d)
    {
        rollout::deployment w;
        w.generation = d.metadata.generation;
        w.replicas = d.spec.replicas;
        w.how = d.spec.strategy.type == model::deployment_strategy_type::recreate
            ? rollout::strategy::recreate
            : rollout::strategy::rolling_update;
        auto const& rolling = d.spec.strategy.rolling_update;
        w.bounds = rollout::resolve_fenceposts(rolling ? rolling->max_surge : std::nullopt,
            rolling ? rolling->max_unavailable : std::nullopt, d.spec.replicas);
        w.min_ready = std::chrono::seconds(d.spec.min_ready_seconds);
        if (d.spec.progress_deadline_seconds == std::numeric_limits<std::int32_t>::max())
            w.progress_deadline.reset();
        else
            w.progress_deadline = std::chrono::seconds(d.spec.progress_deadline_seconds);
        w.revision_history_limit = d.spec.revision_history_limit;
        w.paused = d.spec.paused;
        w.deleting = d.metadata.deletion_timestamp.has_value();
        w.rollback_to = number_in(d.metadata.annotations, rollback_annotation);
        return w;
    }

    template<class View>
    static rollout::replica_set seen(View const& view, model::deployment const& d, set_handle const& h)
    {
        auto const& s = *h;
        rollout::replica_set r;
        r.name = s.metadata.name;
        if (s.metadata.creation_timestamp)
            r.created_at = *s.metadata.creation_timestamp;
        r.revision = number_in(s.metadata.annotations, revision_annotation).value_or(0);
        r.matches_template = s.spec.template_.spec == d.spec.template_.spec &&
            without_hash(s.spec.template_) == d.spec.template_;
        r.replicas = s.spec.replicas;
        r.status_replicas = s.status.replicas;
        r.ready = s.status.ready_replicas;
        r.available = s.status.available_replicas;
        r.observed = s.status.observed_generation >= s.metadata.generation;
        for (auto const pod : view.template owned_by<model::pod>(h))
            if (!is_terminal(pod->status.phase)) {
                r.pods_left = true;
                break;
            }
        r.recorded_desired = small(number_in(s.metadata.annotations, desired_annotation));
        r.recorded_max = small(number_in(s.metadata.annotations, max_annotation));
        r.min_ready = std::chrono::seconds(s.spec.min_ready_seconds);
        return r;
    }

    static model::pod_template_spec without_hash(model::pod_template_spec t)
    {
        t.metadata.labels.erase(std::string(template_hash_label));
        return t;
    }
    static void put_record(model::replica_set& set, rollout::record const& r)
    {
        auto& a = set.metadata.annotations;
        a[std::string(revision_annotation)] = std::to_string(r.revision);
        if (r.desired)
            a[std::string(desired_annotation)] = std::to_string(*r.desired);
        if (r.max)
            a[std::string(max_annotation)] = std::to_string(*r.max);
        set.spec.min_ready_seconds =
            static_cast<std::int32_t>(std::chrono::duration_cast<std::chrono::seconds>(r.min_ready).count());
    }

    template<class View>
    static void carry_out(reconcile::plan& p, View const& view, reconcile::handle<model::deployment> const& d,
        model::deployment& next, std::vector<set_handle> const& sets, rollout::action const& a,
        time_point now, bool& spends)
    {
        auto const scaled = [&](std::string_view set_name, std::int32_t from, std::int32_t to) {
            spends = true;
            record(p, view, d, event_type::normal, "ScalingReplicaSet",
                (to > from ? "Scaled up replica set " : "Scaled down replica set ") + std::string(set_name) +
                    " from " + std::to_string(from) + " to " + std::to_string(to) + ": " +
                    std::string(to_string(a.why)),
                name, now);
        };
        switch (a.what) {
        case rollout::verb::create_set: {
            auto set = new_set(d, next.status.collision_count);
            if (view.template get<model::replica_set>(set.metadata.namespace_, set.metadata.name)) {
                ++next.status.collision_count;  // somebody else's: take another name next time
                return;
            }
            set.spec.replicas = a.to;
            put_record(set, a.after);
            auto const set_name = set.metadata.name;
            p.create(std::move(set));
            scaled(set_name, 0, a.to);
            return;
        }
        case rollout::verb::scale_set:
        case rollout::verb::annotate_set: {
            if (a.set == rollout::no_set)
                return;  // of the set that this very step creates: said there
            auto set = *sets[a.set];
            set.spec.replicas = a.to;
            put_record(set, a.after);
            p.update(sets[a.set], std::move(set));
            if (a.what == rollout::verb::scale_set)
                scaled(sets[a.set]->metadata.name, a.from, a.to);
            return;
        }
        case rollout::verb::delete_set:
            p.remove(sets[a.set]);
            spends = true;
            return;
        case rollout::verb::update_deployment:
            next.metadata.annotations.erase(std::string(rollback_annotation));
            if (a.set != rollout::no_set)
                next.spec.template_ = model::with_config_hash_of(
                    next.spec.template_, without_hash(sets[a.set]->spec.template_));
            record(p, view, d,
                a.why == rollout::cause::revision_not_found ? event_type::warning : event_type::normal,
                a.why == rollout::cause::rollback                 ? "DeploymentRollback"
                    : a.why == rollout::cause::revision_not_found ? "DeploymentRollbackRevisionNotFound"
                                                                  : "DeploymentRollbackTemplateUnchanged",
                to_string(a.why), name, now);
            return;
        }
    }

    static model::replica_set new_set(reconcile::handle<model::deployment> const& d, std::int32_t collisions)
    {
        auto const hash = template_hash(d->spec.template_, collisions);
        model::replica_set set;
        set.metadata.name = d->metadata.name + '-' + hash;
        set.metadata.namespace_ = d->metadata.namespace_;
        set.metadata.labels = d->spec.template_.metadata.labels;
        set.metadata.labels[std::string(template_hash_label)] = hash;
        set.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(d));
        set.spec.selector = d->spec.selector;
        set.spec.selector.match_labels[std::string(template_hash_label)] = hash;
        set.spec.template_ = d->spec.template_;
        set.spec.template_.metadata.labels[std::string(template_hash_label)] = hash;
        return set;
    }

    // -- Status ----------------------------------------------------------------------------------

    static std::optional<rollout::condition> condition_of(model::deployment const& d, std::string_view type)
    {
        auto const* const c = model::find_condition(d.status.conditions, type);
        if (!c)
            return {};
        rollout::condition out;
        out.value = c->status == model::condition_status::true_ ? rollout::condition_status::true_
            : c->status == model::condition_status::false_      ? rollout::condition_status::false_
                                                                : rollout::condition_status::unknown;
        for (auto r = rollout::reason::new_replica_set_created; r <= rollout::reason::failed_delete;
            r = static_cast<rollout::reason>(static_cast<int>(r) + 1))
            if (to_string(r) == c->reason)
                out.why = r;
        if (c->last_update_time)
            out.last_update = *c->last_update_time;
        if (c->last_transition_time)
            out.last_transition = *c->last_transition_time;
        return out;
    }
    static rollout::status status_of(model::deployment const& d)
    {
        rollout::status s;
        s.observed_generation = d.status.observed_generation;
        s.revision = number_in(d.metadata.annotations, revision_annotation).value_or(0);
        s.replicas = d.status.replicas;
        s.updated = d.status.updated_replicas;
        s.ready = d.status.ready_replicas;
        s.available = d.status.available_replicas;
        s.unavailable = d.status.unavailable_replicas;
        s.progressing = condition_of(d, "Progressing");
        s.available_condition = condition_of(d, "Available");
        s.replica_failure = condition_of(d, "ReplicaFailure");
        return s;
    }
    static void show(model::deployment& d, rollout::status const& s)
    {
        d.status.observed_generation = s.observed_generation;
        if (s.revision > 0)
            d.metadata.annotations[std::string(revision_annotation)] = std::to_string(s.revision);
        d.status.replicas = s.replicas;
        d.status.updated_replicas = s.updated;
        d.status.ready_replicas = s.ready;
        d.status.available_replicas = s.available;
        d.status.unavailable_replicas = s.unavailable;
        put_condition(d, "Available", s.available_condition);
        put_condition(d, "Progressing", s.progressing);
        put_condition(d, "ReplicaFailure", s.replica_failure);
    }
    static void put_condition(
        model::deployment& d, std::string_view type, std::optional<rollout::condition> const& c)
    {
        auto& all = d.status.conditions;
        if (!c) {
            std::erase_if(all, [&](auto const& old) { return old.type == type; });
            return;
        }
        auto* into = model::find_condition(all, type);
        if (!into) {
            into = &all.emplace_back();
            into->type = type;
        }
        into->status = c->value == rollout::condition_status::true_ ? model::condition_status::true_
            : c->value == rollout::condition_status::false_         ? model::condition_status::false_
                                                                    : model::condition_status::unknown;
        into->reason = to_string(c->why);
        into->message = words(c->why);
        into->last_update_time = model::time{c->last_update};
        into->last_transition_time = model::time{c->last_transition};
    }
    static std::string_view words(rollout::reason r)
    {
        switch (r) {
        case rollout::reason::new_replica_set_created: return "a new replica set was created";
        case rollout::reason::found_new_replica_set: return "a replica set with this template was found";
        case rollout::reason::replica_set_updated: return "the rollout is under way";
        case rollout::reason::new_replica_set_available:
            return "the rollout has finished: all pods are available";
        case rollout::reason::progress_deadline_exceeded: return "no progress within progressDeadlineSeconds";
        case rollout::reason::deployment_paused: return "the deployment is paused";
        case rollout::reason::deployment_resumed: return "the deployment was resumed";
        case rollout::reason::minimum_replicas_available: return "enough pods are available";
        case rollout::reason::minimum_replicas_unavailable: return "fewer pods are available than must be";
        case rollout::reason::failed_create: return "pods could not be created";
        case rollout::reason::failed_delete: return "pods could not be deleted";
        }
        return {};
    }
};

}  // namespace podium::v0::controllers
