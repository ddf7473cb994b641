#pragma once
/// StatefulSet controller: carries out what `rollout::stateful` decides, one transaction a step.
///
/// Pods are named by their ordinal, so there is at most one of each by the store's own rule: a create is
/// guarded by absence, and a pod's object is there until its node's agent has seen its containers end. Pods
/// of a node that fell silent are therefore not replaced until the node comes back or somebody who knows that
/// it is gone removes them.
///
/// Claims for storage, `<template>-<set>-<ordinal>`, are created before their pod when they are missing and
/// never deleted: they outlive their pod and their set. Each template the set has had is a
/// ControllerRevision; the annotation of `rollback_annotation` brings one back. Each plan that creates or
/// deletes pods raises `status.spent` in the set, which is written before them, and may be cut behind each
/// pod.
///
/// Source: Kubernetes v1.35.4 pkg/controller/statefulset; names of labels and events are its. No adoption of
/// orphans: a pod of that name that belongs to somebody else is waited for.

#include <podium/controllers/deployments.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/model/controller_revision.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/persistent_volume_claim.hpp>
#include <podium/model/stateful_set.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/rollout/stateful_set.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

namespace stateful = rollout::stateful;

inline constexpr std::string_view pod_name_label = "statefulset.kubernetes.io/pod-name";
inline constexpr std::string_view pod_index_label = "apps.kubernetes.io/pod-index";
inline constexpr std::string_view revision_label = "controller-revision-hash";

/// The number behind the last dash of a pod's name, as a stateful set writes it; -1 when there is none.
[[nodiscard]] inline std::int32_t ordinal_of(std::string_view pod) noexcept
{
    auto const dash = pod.rfind('-');
    if (dash == std::string_view::npos || dash + 1 == pod.size())
        return -1;
    auto const digits = pod.substr(dash + 1);
    std::int32_t n = -1;
    auto const [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    bool const whole = failed == std::errc{} && end == digits.data() + digits.size();
    return whole && n >= 0 && (digits.front() != '0' || digits.size() == 1) ? n : -1;
}

/// The name of the claim that a set's template makes for an ordinal.
[[nodiscard]] inline std::string claim_name(
    std::string_view claim_template, std::string_view set, std::int32_t ordinal)
{
    std::string out(claim_template);
    ((out += '-') += set) += '-';
    return out += std::to_string(ordinal);
}

struct stateful_sets {
    static constexpr std::string_view name = "statefulset-controller";
    using primary = model::stateful_set;
    using owns = reconcile::types<model::pod, model::controller_revision>;
    using watches = reconcile::types<model::pod>;

    drain_policy drain{};
    rollout::stateful::options how{};

    /// A pod that is gone makes room for a set's pod of its name, whoever it belonged to.
    template<class View, class Add>
    void touched(View const&, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        auto const& meta = x.any()->metadata;
        if (!x.after && ordinal_of(meta.name) >= 0)
            add(reconcile::key_for<model::stateful_set>(
                meta.namespace_, meta.name.substr(0, meta.name.rfind('-'))));
    }

    /// O(n log n) in the set's pods and revisions.
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const set = view.template get<model::stateful_set>(which);
        if (!set || set->metadata.deletion_timestamp || awaits_config_hash(*set))
            return p;
        auto const known = revisions_of(view, set);
        if (set->metadata.annotations.contains(std::string(rollback_annotation))) {
            roll_back(p, view, set, known, now);
            return p;
        }

        std::vector<reconcile::handle<model::pod>> handles;
        std::vector<stateful::pod> pods;
        for (auto pod : view.template owned_by<model::pod>(set)) {
            pods.push_back(seen(*set, known, *pod));
            handles.push_back(std::move(pod));
        }
        stateful::workspace room;
        auto const answer =
            stateful::step(wanted(*set, known), status_of(*set, known), pods, known.history, now, room, how);

        auto next = *set;
        if (!remember(p, view, set, next, known, answer.todo)) {
            p.update(set, std::move(next));  // the revision's name is somebody else's: another one next time
            return p;
        }
        show(next, known, answer.next);
        for (auto const& a : answer.todo)
            next.status.spent += a.what == stateful::verb::delete_pod ||
                (a.what == stateful::verb::create_pod && !namesake(view, *set, a.ordinal));
        p.update(set, std::move(next));
        p.cut();
        for (auto const& a : answer.todo) {
            if (a.what == stateful::verb::create_pod)
                create(p, view, set, known, a, now);
            else if (a.what == stateful::verb::delete_pod)
                remove(p, view, set, handles[a.pod], a, now);
        }
        for (auto const& a : answer.todo)
            if (a.what == stateful::verb::delete_revision) {
                p.remove(known.handles[a.template_ - 1]);
                p.cut();
            }
        for (std::size_t i = 0; i < pods.size(); ++i)
            if (handles[i]->status.phase == model::pod_phase::pending && !pods[i].terminating &&
                pods[i].ordinal >= 0)
                claim(p, view, *set, pods[i].ordinal);
        if (answer.wake_at != never)
            p.wake_at(answer.wake_at);
        return p;
    }

private:
    using set_handle = reconcile::handle<model::stateful_set>;
    using revision_handle = reconcile::handle<model::controller_revision>;

    /// The set's revisions. A template's id is its place in `handles` plus 1; the one wanted may be new.
    struct revisions {
        std::vector<revision_handle> handles{};
        std::vector<stateful::revision> history{};
        stateful::template_id wanted = 0;
        std::string wanted_name{};

        [[nodiscard]] stateful::template_id id_of(std::string_view revision) const
        {
            for (std::size_t i = 0; i < handles.size(); ++i)
                if (handles[i]->metadata.name == revision)
                    return i + 1;
            return revision == wanted_name ? wanted : 0;
        }
        [[nodiscard]] std::string name_of(stateful::template_id id) const
        {
            return id == wanted                  ? wanted_name
                : id > 0 && id <= handles.size() ? handles[id - 1]->metadata.name
                                                 : std::string{};
        }
    };

    template<class View>
    static revisions revisions_of(View const& view, set_handle const& set)
    {
        revisions r;
        std::int64_t highest = 0;
        for (auto h : view.template owned_by<model::controller_revision>(set)) {
            r.handles.push_back(h);
            auto const id = static_cast<stateful::template_id>(r.handles.size());
            r.history.push_back({id, h->revision});
            if (h->data.spec.template_ == set->spec.template_ && h->revision >= highest) {
                r.wanted = id;
                highest = h->revision;
                r.wanted_name = h->metadata.name;
            }
        }
        if (r.wanted == 0) {
            r.wanted = r.handles.size() + 1;
            r.wanted_name = set->metadata.name + '-' +
                template_hash(set->spec.template_, set->status.collision_count.value_or(0));
        }
        return r;
    }

    static stateful::set wanted(model::stateful_set const& s, revisions const& known)
    {
        auto const& spec = s.spec;
        stateful::set w;
        w.generation = s.metadata.generation;
        w.template_ = known.wanted;
        w.replicas = spec.replicas;
        w.start_ordinal = spec.ordinals ? spec.ordinals->start : 0;
        w.pods = spec.pod_management_policy == model::pod_management_policy_type::parallel
            ? stateful::management::parallel
            : stateful::management::ordered_ready;
        w.how = spec.update_strategy.type == model::stateful_set_update_strategy_type::on_delete
            ? stateful::strategy::on_delete
            : stateful::strategy::rolling_update;
        if (auto const& rolling = spec.update_strategy.rolling_update) {
            w.partition = rolling->partition;
            w.max_unavailable = rollout::stateful_max_unavailable(rolling->max_unavailable, spec.replicas);
        }
        w.min_ready = std::chrono::seconds(spec.min_ready_seconds);
        w.revision_history_limit = spec.revision_history_limit;
        return w;
    }

    static stateful::pod seen(model::stateful_set const& s, revisions const& known, model::pod const& p)
    {
        stateful::pod out;
        auto const& pod_name = p.metadata.name;
        auto const& prefix = s.metadata.name;
        bool const ours = pod_name.size() > prefix.size() && pod_name.starts_with(prefix) &&
            pod_name.rfind('-') == prefix.size();
        out.ordinal = ours ? ordinal_of(pod_name) : -1;
        auto const label = p.metadata.labels.find(std::string(revision_label));
        out.template_ = label == p.metadata.labels.end() ? 0 : known.id_of(label->second);
        out.phase = is_terminal(p.status.phase)           ? stateful::phase::finished
            : p.status.phase == model::pod_phase::running ? stateful::phase::running
                                                          : stateful::phase::pending;
        out.ready_since = ready_since(p);
        out.terminating = is_leaving(p);
        return out;
    }

    // -- Revisions -------------------------------------------------------------------------------

    /// Creates or raises the wanted template's revision; false when its name is taken.
    template<class View>
    static bool remember(reconcile::plan& p, View const& view, set_handle const& set,
        model::stateful_set& next, revisions const& known, std::span<stateful::action const> todo)
    {
        for (auto const& a : todo) {
            if (a.what == stateful::verb::raise_revision) {
                auto const& from = known.handles[a.template_ - 1];
                auto raised = *from;
                raised.revision = a.number;
                p.update(from, std::move(raised));
                p.cut();
            } else if (a.what == stateful::verb::create_revision) {
                if (view.template get<model::controller_revision>(
                        set->metadata.namespace_, known.wanted_name)) {
                    next.status.collision_count = next.status.collision_count.value_or(0) + 1;
                    return false;
                }
                model::controller_revision r;
                r.metadata.name = known.wanted_name;
                r.metadata.namespace_ = set->metadata.namespace_;
                r.metadata.labels = set->spec.template_.metadata.labels;
                r.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(set));
                r.data.spec.template_ = set->spec.template_;
                r.revision = a.number;
                p.create(std::move(r));
                p.cut();
            }
        }
        return true;
    }

    /// Takes the template of the revision that the annotation names, 0 being the one before.
    template<class View>
    static void roll_back(
        reconcile::plan& p, View const& view, set_handle const& set, revisions const& known, time_point now)
    {
        auto const& text = set->metadata.annotations.at(std::string(rollback_annotation));
        std::int64_t to = -1;
        if (auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), to);
            failed != std::errc{} || end != text.data() + text.size())
            to = -1;
        model::controller_revision const* target = nullptr;
        if (to == 0) {
            std::int64_t highest = 0;
            for (auto const& h : known.history)
                highest = std::max(highest, h.number);
            for (auto const& h : known.handles)
                if (h->revision < highest && (!target || h->revision > target->revision))
                    target = &*h;
        }
        for (auto const& h : known.handles)
            if (to > 0 && h->revision == to)
                target = &*h;
        auto next = *set;
        next.metadata.annotations.erase(std::string(rollback_annotation));
        if (target)
            next.spec.template_ =
                model::with_config_hash_of(set->spec.template_, target->data.spec.template_);
        if (target)
            record(p, view, set, event_type::normal, "StatefulSetRollback",
                "Rolled back to " + target->metadata.name, name, now);
        else
            record(p, view, set, event_type::warning, "StatefulSetRollbackRevisionNotFound",
                to_string(rollout::cause::revision_not_found), name, now);
        p.update(set, std::move(next));
    }

    // -- Pods ------------------------------------------------------------------------------------

    /// The pod that has this ordinal's name.
    template<class View>
    static reconcile::handle<model::pod> namesake(
        View const& view, model::stateful_set const& set, std::int32_t ordinal)
    {
        return view.template get<model::pod>(
            set.metadata.namespace_, set.metadata.name + '-' + std::to_string(ordinal));
    }

    template<class View>
    static void create(reconcile::plan& p, View const& view, set_handle const& set, revisions const& known,
        stateful::action const& a, time_point now)
    {
        if (auto const other = namesake(view, *set, a.ordinal)) {
            record(p, view, set, event_type::warning, "FailedCreate",
                "Pod " + other->metadata.name + " is there and belongs to somebody else", name, now);
            p.cut();
            return;
        }
        auto pod = pod_for(set, known, a);
        claim(p, view, *set, a.ordinal);
        record(p, view, set, event_type::normal, "SuccessfulCreate",
            "Created pod " + pod.metadata.name + ": " + std::string(to_string(a.why)), name, now);
        p.create(std::move(pod));
        p.cut();
    }

    template<class View>
    void remove(reconcile::plan& p, View const& view, set_handle const& set,
        reconcile::handle<model::pod> const& pod, stateful::action const& a, time_point now) const
    {
        record(p, view, set, event_type::normal, "SuccessfulDelete",
            "Deleted pod " + pod->metadata.name + ": " + std::string(to_string(a.why)), name, now);
        if (a.why == stateful::cause::finished)
            begin_deletion(p, pod, now);  // nothing of it is left to drain
        else
            retire(p, pod, a.why == stateful::cause::beyond_replicas ? "ScaleDown" : "RollingUpdate", drain,
                now);
        p.cut();
    }

    static model::pod pod_for(set_handle const& set, revisions const& known, stateful::action const& a)
    {
        auto const& t = a.template_ == known.wanted ? set->spec.template_
                                                    : known.handles[a.template_ - 1]->data.spec.template_;
        auto const number = std::to_string(a.ordinal);
        model::pod pod;
        pod.metadata.name = set->metadata.name + '-' + number;
        pod.metadata.namespace_ = set->metadata.namespace_;
        pod.metadata.labels = t.metadata.labels;
        pod.metadata.labels[std::string(pod_name_label)] = pod.metadata.name;
        pod.metadata.labels[std::string(pod_index_label)] = number;
        pod.metadata.labels[std::string(revision_label)] = known.name_of(a.template_);
        pod.metadata.annotations = t.metadata.annotations;
        pod.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(set));
        pod.spec = t.spec;
        pod.spec.hostname = pod.metadata.name;
        pod.spec.subdomain = set->spec.service_name;
        for (auto const& c : set->spec.volume_claim_templates) {
            auto& volumes = pod.spec.volumes.edit();
            std::erase_if(volumes, [&](auto const& v) { return v.name == c.metadata.name; });
            model::volume v;
            v.name = c.metadata.name;
            v.persistent_volume_claim.edit().claim_name =
                claim_name(c.metadata.name, set->metadata.name, a.ordinal);
            volumes.push_back(std::move(v));
        }
        model::merge_label_keys(pod);
        return pod;
    }

    /// The claims of an ordinal, as far as they are missing.
    template<class View>
    static void claim(
        reconcile::plan& p, View const& view, model::stateful_set const& set, std::int32_t ordinal)
    {
        for (auto const& from : set.spec.volume_claim_templates) {
            auto claim_for = claim_name(from.metadata.name, set.metadata.name, ordinal);
            if (view.template get<model::persistent_volume_claim>(set.metadata.namespace_, claim_for))
                continue;
            model::persistent_volume_claim c;
            c.metadata.name = std::move(claim_for);
            c.metadata.namespace_ = set.metadata.namespace_;
            c.metadata.labels = from.metadata.labels;
            for (auto const& label : set.spec.selector.match_labels)
                c.metadata.labels.insert_or_assign(label.first, label.second);
            c.metadata.annotations = from.metadata.annotations;
            c.spec = from.spec;
            p.create(std::move(c));
            p.cut();
        }
    }

    // -- Status ----------------------------------------------------------------------------------

    static stateful::status status_of(model::stateful_set const& s, revisions const& known)
    {
        stateful::status out;
        out.current_template = known.id_of(s.status.current_revision);
        return out;
    }
    static void show(model::stateful_set& s, revisions const& known, stateful::status const& seen)
    {
        s.status.observed_generation = seen.observed_generation;
        s.status.replicas = seen.replicas;
        s.status.ready_replicas = seen.ready;
        s.status.available_replicas = seen.available;
        s.status.current_replicas = seen.current;
        s.status.updated_replicas = seen.updated;
        s.status.current_revision = known.name_of(seen.current_template);
        s.status.update_revision = known.name_of(seen.update_template);
    }
};

}  // namespace podium::v0::controllers
