#pragma once
/// ReplicaSet controller: as many pods as the set wants, made from its template, and their counts.
///
/// What is missing is created, what is too many is retired in Kubernetes' order of victims. Each plan that
/// does either raises `status.spent` in the set itself: two plans computed from one state cannot both be
/// committed, and a pod's name (the set's and that counter) is never used twice. The set is the first
/// write and a cut may follow any pod, so every prefix of the plan is a state to go on from.
///
/// Differences from Kubernetes: no adoption of orphans; no bursts and expectations, since a plan is one
/// transaction; a pod that is draining counts as gone.
///
/// Source: Kubernetes v1.35 pkg/controller/replicaset.

#include <podium/controllers/pods.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/replica_set.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/rollout/availability.hpp>
#include <podium/rollout/victims.hpp>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

struct replica_sets {
    static constexpr std::string_view name = "replicaset-controller";
    using primary = model::replica_set;
    using owns = reconcile::types<model::pod>;

    drain_policy drain{};

    /// O(pods of the set); with victims to choose, O(n log n) in the pods of its deployment.
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const set = view.template get<model::replica_set>(which);
        if (!set || set->metadata.deletion_timestamp)
            return p;
        auto const min_ready = std::chrono::seconds(set->spec.min_ready_seconds);

        model::replica_set next = *set;
        next.status = counted(*set);
        std::vector<reconcile::handle<model::pod>> active;
        std::int32_t leaving = 0;
        for (auto pod : view.template owned_by<model::pod>(set)) {
            if (is_leaving(*pod))
                ++leaving;
            if (!is_active(*pod))
                continue;
            auto const ready = ready_since(*pod);
            next.status.ready_replicas += ready.has_value();
            if (rollout::is_available(ready, min_ready, now))
                ++next.status.available_replicas;
            else if (ready)
                p.wake_at(rollout::available_at(ready, min_ready));
            active.push_back(std::move(pod));
        }
        next.status.replicas = next.status.fully_labeled_replicas = static_cast<std::int32_t>(active.size());
        if (leaving > 0)
            next.status.terminating_replicas = leaving;

        auto const wanted = std::max(set->spec.replicas, 0);
        auto const have = static_cast<std::int32_t>(active.size());
        auto const spent = set->status.spent;
        next.status.spent = spent + std::max(wanted - have, 0) + std::max(have - wanted, 0);
        p.update(set, std::move(next));
        p.cut();
        for (std::int32_t i = have; i < wanted; ++i) {
            p.create(from_template(set, spent + 1 + (i - have)));
            p.cut();
        }
        if (have > wanted) {
            for (auto const& victim : victims(view, set, active, now)) {
                if (static_cast<std::int32_t>(active.size()) == wanted)
                    break;
                auto const it = std::ranges::find(active, victim, [](auto const& h) { return h.uid(); });
                retire(p, *it, "ScaleDown", drain, now);
                p.cut();
                active.erase(it);
            }
        }
        return p;
    }

private:
    /// The status with its counts at zero and the rest as it was.
    static model::replica_set_status counted(model::replica_set const& set)
    {
        model::replica_set_status s;
        s.conditions = set.status.conditions;
        s.observed_generation = set.metadata.generation;
        return s;
    }

    static model::pod from_template(reconcile::handle<model::replica_set> const& set, std::int64_t number)
    {
        model::pod pod;
        auto const& t = set->spec.template_;
        pod.metadata.name = set->metadata.name + '-' + std::to_string(number);
        pod.metadata.namespace_ = set->metadata.namespace_;
        pod.metadata.labels = t.metadata.labels;
        pod.metadata.annotations = t.metadata.annotations;
        pod.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(set));
        pod.spec = t.spec;
        model::merge_label_keys(pod);
        return pod;
    }

    /// The uids of the active pods, those to go first in front.
    template<class View>
    static std::vector<std::string> victims(View const& view,
        reconcile::handle<model::replica_set> const& set,
        std::vector<reconcile::handle<model::pod>> const& active, time_point now)
    {
        std::deque<std::string> texts;  // what the candidates' string views look at
        std::vector<rollout::candidate> ranked;
        for (auto const& pod : active) {
            rollout::candidate c;
            c.uid = texts.emplace_back(pod.uid());
            c.node = pod->spec.node_name;
            c.phase = pod->status.phase == model::pod_phase::running ? rollout::pod_phase::running
                : pod->status.phase == model::pod_phase::unknown     ? rollout::pod_phase::unknown
                                                                     : rollout::pod_phase::pending;
            c.ready_since = ready_since(*pod);
            if (auto const it = pod->metadata.annotations.find("controller.kubernetes.io/pod-deletion-cost");
                it != pod->metadata.annotations.end())
                c.deletion_cost = rollout::deletion_cost(it->second);
            for (auto const& s : pod->status.container_statuses)
                c.restarts = std::max(c.restarts, s.restart_count);
            if (pod->metadata.creation_timestamp)
                c.created_at = *pod->metadata.creation_timestamp;
            ranked.push_back(c);
        }
        // Siblings are the other sets of the same deployment: their pods crowd a node as much.
        std::vector<reconcile::handle<model::pod>> others;
        if (auto const* const owner = model::controller_of(set->metadata))
            for (auto const sibling : view.template owned_by<model::replica_set>(owner->uid))
                for (auto pod : view.template owned_by<model::pod>(sibling))
                    if (sibling.created != set.created || sibling->metadata.name != set->metadata.name)
                        others.push_back(std::move(pod));
        std::vector<std::string_view> nodes;
        for (auto const& c : ranked)
            nodes.push_back(c.node);
        for (auto const& pod : others)
            if (is_active(*pod))
                nodes.push_back(pod->spec.node_name);
        rollout::count_neighbours(ranked, nodes);
        rollout::rank_victims(ranked, now);
        std::vector<std::string> out;
        for (auto const& c : ranked)
            out.emplace_back(c.uid);
        return out;
    }
};

}  // namespace podium::v0::controllers
