#pragma once
/// Overview: all that a person wants to see of a cluster, as one JSON document, and why what waits is
/// waiting.
///
/// A pure function of the view and of what was measured, so the same cluster gives the same document, and two
/// of them can be compared (`merge_difference`). Nothing of Secrets or of environments is in it; texts of
/// strangers are cut to a bounded length, and of kinds without bound (pods, events) only so many are shown,
/// with the number of those left out.
///
///     {now, sample, nodes: {name: ...}, pods: {"ns/name": ...}, workloads: {"Kind/ns/name": ...},
///      analyses, services: {"ns/name:port": ...}, autoscalers, budgets, events, waiting: {"Kind/ns/name":
///      {reason, message}}}

#include <podium/cluster/history.hpp>
#include <podium/cluster/router.hpp>
#include <podium/cluster/usage.hpp>
#include <podium/controllers/control_plane.hpp>
#include <podium/core/time.hpp>
#include <podium/model/json.hpp>
#include <podium/model/kinds.hpp>
#include <podium/net/router.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::cluster {

/// Something that is not yet what it should be, and what keeps it.
struct waiting {
    enum class outlook : std::uint8_t {
        stuck,   ///< somebody has to do something
        moving,  ///< it goes on by itself
    };
    std::string kind{};
    std::string namespace_{};
    std::string name{};
    std::string reason{};   ///< one word: "Unschedulable", "CrashLoopBackOff", "Paused"
    std::string message{};  ///< a sentence of whoever decided
    outlook how = outlook::stuck;
    std::optional<time_point> since{};
    friend bool operator==(waiting const&, waiting const&) = default;
};

/// What is shown at most.
struct overview_limits {
    std::size_t pods = 5000;
    std::size_t events = 100;  ///< the newest
    std::size_t text_bytes = 1000;
};

namespace detail {

using model::json;

[[nodiscard]] inline std::int64_t milliseconds(time_point t)
{
    return std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch()).count();
}

/// At most so many bytes of a text, whole characters.
[[nodiscard]] inline std::string cut(std::string_view text, std::size_t most)
{
    if (text.size() <= most)
        return std::string(text);
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0u) == 0x80u)
        --most;
    return std::string(text.substr(0, most)) + "…";
}

[[nodiscard]] inline std::string full_name(model::object_meta const& m)
{
    return m.namespace_.empty() ? m.name : m.namespace_ + '/' + m.name;
}

inline void put(json& to, char const* name, std::string_view text, std::size_t most = 1000)
{
    if (!text.empty())
        to[name] = cut(text, most);
}
inline void put(json& to, char const* name, std::optional<model::time> const& at)
{
    if (at)
        to[name] = milliseconds(at->at);
}

/// "1.2" of "shop/web:1.2"; the digest's first digits where there is no tag.
[[nodiscard]] inline std::string tag_of(std::string_view image)
{
    if (auto const at = image.find('@'); at != image.npos)
        return std::string(image.substr(image.find(':', at) + 1, 12));
    auto const colon = image.rfind(':');
    auto const slash = image.rfind('/');
    return colon == image.npos || (slash != image.npos && colon < slash)
        ? "latest"
        : std::string(image.substr(colon + 1));
}

// -- Pods ------------------------------------------------------------------------------------------

/// How a pod is doing, in kubectl's words, and what keeps it.
struct pod_sight {
    std::string word{};
    std::string_view state{};  ///< ready, running, starting, pending, leaving, failed, done
    int ready = 0;
    int restarts = 0;
    std::optional<waiting> waits{};
};

/// The container that keeps the pod, init containers first.
[[nodiscard]] inline model::container_status const* held_by(model::pod_status const& s)
{
    for (auto const* const list : {&s.init_container_statuses, &s.container_statuses})
        for (auto const& c : *list)
            if (c.state.waiting && !c.state.waiting->reason.empty())
                return &c;
    return nullptr;
}

[[nodiscard]] inline std::string ended_text(model::container_status const& c)
{
    auto const& t = c.state.terminated ? c.state.terminated : c.last_state.terminated;
    if (!t)
        return {};
    auto out = c.name + " ended with " +
        (t->signal != 0 ? "signal " + std::to_string(t->signal)
                        : "exit code " + std::to_string(t->exit_code));
    return t->message.empty() ? out : out + ": " + t->message;
}

[[nodiscard]] inline pod_sight look_at(reconcile::handle<model::pod> const& pod)
{
    using outlook = waiting::outlook;
    auto const& s = pod->status;
    pod_sight out;
    for (auto const& c : s.container_statuses) {
        out.ready += c.ready;
        out.restarts += c.restart_count;
    }
    auto const waits = [&](std::string_view state, std::string word, std::string message, outlook how,
                           std::optional<model::time> const& since) {
        out.state = state;
        out.word = word;
        auto& w = out.waits.emplace();
        w.kind = "Pod";
        w.namespace_ = pod->metadata.namespace_;
        w.name = pod->metadata.name;
        w.reason = std::move(word);
        w.message = std::move(message);
        w.how = how;
        if (since)
            w.since = since->at;
    };
    auto const born = pod->metadata.creation_timestamp;
    if (s.phase == model::pod_phase::succeeded) {
        out.state = "done";
        out.word = "Completed";
        return out;
    }
    if (s.phase == model::pod_phase::failed) {
        std::string why = s.message;
        for (auto const* const list : {&s.init_container_statuses, &s.container_statuses})
            for (auto const& c : *list)
                if (why.empty() && c.state.terminated && c.state.terminated->exit_code != 0)
                    why = ended_text(c);
        waits("failed", s.reason.empty() ? "Failed" : s.reason, why, outlook::stuck, born);
        return out;
    }
    if (pod->metadata.deletion_timestamp) {
        waits("leaving", "Terminating", "its containers have their grace period to end", outlook::moving,
            pod->metadata.deletion_timestamp);
        return out;
    }
    if (s.drain) {
        waits("leaving", "Draining",
            (s.drain->reason.empty() ? std::string() : s.drain->reason + ": ") +
                "gets no new requests, and is stopped when those under way are done",
            outlook::moving, s.drain->since);
        return out;
    }
    if (pod->spec.node_name.empty()) {
        auto const* const c = model::find_condition(s.conditions, "PodScheduled");
        if (!c || c->status != model::condition_status::false_) {
            waits("pending", "Pending", "the scheduler has not looked at it yet", outlook::moving, born);
            return out;
        }
        auto message = c->message;
        if (c->reason == "SchedulingGated") {
            message = "held by";
            for (auto const& gate : pod->spec.scheduling_gates)
                message += ' ' + gate.name;
        }
        bool const promised = !s.nominated_node_name.empty();
        if (promised)
            message = "waits for room on " + s.nominated_node_name + ": " + message;
        waits("pending", c->reason.empty() ? "Unschedulable" : c->reason, message,
            promised ? outlook::moving : outlook::stuck, c->last_transition_time);
        return out;
    }
    if (auto const* const c = held_by(s)) {
        auto const& why = c->state.waiting;
        bool const begins = why->reason == "ContainerCreating" || why->reason == "PodInitializing";
        auto message = why->message;
        if (auto const ended = ended_text(*c); !begins && !ended.empty())
            message += (message.empty() ? "" : "; ") + ended;
        waits(begins ? "starting" : "failed", why->reason,
            message.empty() ? c->name : c->name + ": " + message, begins ? outlook::moving : outlook::stuck,
            born);
        return out;
    }
    if (model::is_ready(*pod)) {
        out.state = "ready";
        out.word = "Running";
        return out;
    }
    std::string unready;
    for (auto const& c : s.container_statuses)
        if (!c.ready)
            unready += (unready.empty() ? "" : ", ") + c.name;
    auto const* const c = model::find_condition(s.conditions, "Ready");
    bool const runs = s.phase == model::pod_phase::running;
    waits(runs ? "running" : "starting", runs ? "NotReady" : "Starting",
        unready.empty() ? (c ? c->message : "") : "not ready yet: " + unready, outlook::moving,
        c && c->last_transition_time ? c->last_transition_time : born);
    return out;
}

/// "Deployment/shop/web": who made the pods of this owner reference.
template<class View>
[[nodiscard]] std::string workload_of(View const& view, model::object_meta const& meta)
{
    auto const* owner = model::controller_of(meta);
    if (owner && owner->kind == model::replica_set::kind)
        if (auto const set = view.template get<model::replica_set>(meta.namespace_, owner->name))
            if (auto const* const above = model::controller_of(set->metadata))
                return above->kind + '/' + meta.namespace_ + '/' + above->name;
    return owner ? owner->kind + '/' + meta.namespace_ + '/' + owner->name : std::string();
}

struct amounts {
    std::int64_t cpu_milli = 0, memory_bytes = 0, pods = 0;
    [[nodiscard]] json to_json() const
    {
        return {{"cpu_milli", cpu_milli}, {"memory_bytes", memory_bytes}, {"pods", pods}};
    }
};

/// In steps that a person sees, so that what hardly moves is not sent again: 1 milli-core, 1 MiB.
[[nodiscard]] inline json json_of_use(std::int64_t cpu_nano_cores, std::uint64_t memory_bytes)
{
    return {{"cpu_milli", (cpu_nano_cores + 500'000) / 1'000'000},
        {"memory_bytes", memory_bytes & ~std::uint64_t{0xfffff}}};
}

[[nodiscard]] inline amounts requests_of(model::pod const& p)
{
    schedule::kubernetes::pod s;
    controllers::detail::set_requests(s, p.spec);
    return {s.requests.cpu_milli, s.requests.memory_bytes, 1};
}

[[nodiscard]] inline json json_of(reconcile::handle<model::pod> const& pod, pod_sight const& s,
    amounts const& asked, std::string_view owner)
{
    json out = {{"state", s.state}, {"word", s.word}, {"ready", s.ready}, {"containers", json::array()},
        {"cpu_milli", asked.cpu_milli}, {"memory_bytes", asked.memory_bytes}};
    for (auto const& c : pod->spec.containers)
        out["containers"].push_back({{"name", c.name}, {"image", cut(c.image, 300)}});
    put(out, "node", pod->spec.node_name);
    put(out, "owner", owner);
    put(out, "ip", pod->status.pod_ip);
    put(out, "since", pod->metadata.creation_timestamp);
    if (s.restarts > 0)
        out["restarts"] = s.restarts;
    if (auto const v = pod->metadata.labels.find("version"); v != pod->metadata.labels.end())
        put(out, "version", v->second, 63);
    return out;
}

// -- Nodes -----------------------------------------------------------------------------------------

[[nodiscard]] inline amounts allocatable_of(model::node const& n)
{
    amounts out;
    auto const& from = n.status.allocatable.empty() ? n.status.capacity : n.status.allocatable;
    if (auto const it = from.find("cpu"); it != from.end())
        out.cpu_milli = it->second.milli_value();
    if (auto const it = from.find("memory"); it != from.end())
        out.memory_bytes = it->second.value();
    if (auto const it = from.find("pods"); it != from.end())
        out.pods = it->second.value();
    return out;
}

[[nodiscard]] inline json json_of(model::node const& n, amounts const& requested)
{
    json out = {{"ready", model::is_ready(n)}, {"allocatable", allocatable_of(n).to_json()},
        {"requested", requested.to_json()}};
    if (n.spec.unschedulable)
        out["cordoned"] = true;
    put(out, "since", n.metadata.creation_timestamp);
    for (auto const& t : n.spec.taints)
        out["taints"].push_back(t.value.empty() ? t.key : t.key + '=' + t.value);
    if (auto const z = n.metadata.labels.find("topology.kubernetes.io/zone"); z != n.metadata.labels.end())
        out["zone"] = z->second;
    return out;
}

// -- Workloads -------------------------------------------------------------------------------------

[[nodiscard]] inline std::string image_of(model::pod_spec const& s)
{
    return s.containers.empty() ? std::string() : cut(s.containers[0].image, 300);
}
[[nodiscard]] inline std::string version_of(model::pod_template_spec const& t)
{
    auto const v = t.metadata.labels.find("version");
    if (v != t.metadata.labels.end() && !v->second.empty())
        return v->second;
    return t.spec.containers.empty() ? std::string() : tag_of(t.spec.containers[0].image);
}
[[nodiscard]] inline std::string label_of(model::object_meta const& m, std::string_view name)
{
    auto const it = m.labels.find(std::string(name));
    return it == m.labels.end() ? std::string() : it->second;
}

[[nodiscard]] inline std::string step_text(model::canary_step const& s)
{
    if (s.set_weight)
        return "weight " + std::to_string(*s.set_weight) + " %";
    if (s.pause)
        return s.pause->duration.empty()    ? "pause"
            : s.pause->duration.is_number() ? "pause " + std::to_string(s.pause->duration.number()) + "s"
                                            : "pause " + s.pause->duration.name();
    if (s.set_canary_scale) {
        if (s.set_canary_scale->replicas)
            return "scale to " + std::to_string(*s.set_canary_scale->replicas);
        return s.set_canary_scale->weight ? "scale to " + std::to_string(*s.set_canary_scale->weight) + " %"
                                          : "scale with the weight";
    }
    std::string out = "analysis";
    if (s.analysis)
        for (auto const& t : s.analysis->templates)
            out += ' ' + t.template_name;
    return out;
}

/// The sets of one workload, newest first; those without pods only where they have a role.
template<class View, class K>
[[nodiscard]] json versions_of(View const& view, reconcile::handle<K> const& of)
{
    using place = std::pair<std::int64_t, std::size_t>;  // newest first, else by name
    std::vector<std::pair<place, json>> all;
    std::int64_t newest = -1;
    for (auto const set : view.template owned_by<model::replica_set>(of)) {
        json one = {{"version", cut(version_of(set->spec.template_), 63)}, {"replicas", set->status.replicas},
            {"ready", set->status.ready_replicas}, {"wanted", set->spec.replicas}};
        put(one, "image", image_of(set->spec.template_.spec));
        std::int64_t revision = 0;
        auto const& notes = set->metadata.annotations;
        for (auto const name : {controllers::revision_annotation, controllers::rollout_revision_annotation})
            if (auto const it = notes.find(std::string(name)); it != notes.end())
                revision = std::max(std::strtoll(it->second.c_str(), nullptr, 10), 0LL);
        if constexpr (std::is_same_v<K, model::rollout>) {
            auto const hash = label_of(set->metadata, controllers::rollout_hash_label);
            bool const stable = hash == of->status.stable_rs, current = hash == of->status.current_pod_hash;
            one["role"] = stable ? "stable"
                : current        ? (of->spec.strategy.canary ? "canary" : "preview")
                                 : "old";
            if (of->status.canary && of->status.canary->weights)
                for (auto const* const w :
                    {&of->status.canary->weights->canary, &of->status.canary->weights->stable})
                    if (w->pod_template_hash == hash)
                        one["weight"] = w->weight;
        }
        newest = std::max(newest, revision);
        all.emplace_back(place(-revision, all.size()), std::move(one));
    }
    std::ranges::sort(all, {}, [](auto const& a) { return a.first; });
    json out = json::array();
    for (auto& [at, one] : all) {
        if constexpr (!std::is_same_v<K, model::rollout>)
            one["role"] = -at.first == newest ? "new" : "old";
        if (one["role"] != "old" || one["replicas"] != 0)
            out.push_back(std::move(one));
    }
    return out;
}

template<class K>
[[nodiscard]] json json_of_workload(reconcile::handle<K> const& w)
{
    json out = {{"kind", K::kind}, {"wanted", w->spec.replicas}, {"replicas", w->status.replicas},
        {"ready", w->status.ready_replicas}, {"updated", w->status.updated_replicas},
        {"available", w->status.available_replicas}};
    put(out, "image", image_of(w->spec.template_.spec));
    put(out, "version", version_of(w->spec.template_), 63);
    put(out, "since", w->metadata.creation_timestamp);
    return out;
}

template<class K>
[[nodiscard]] waiting waits_for(reconcile::handle<K> const& o, std::string reason, std::string message,
    waiting::outlook how, std::optional<model::time> const& since = {})
{
    return {std::string(K::kind), o->metadata.namespace_, o->metadata.name, std::move(reason),
        std::move(message), how, since ? std::optional(since->at) : std::nullopt};
}

/// "1 of 3 updated, 2 available, 1 old", empty when all is as it should be.
template<class Spec, class Status>
[[nodiscard]] std::string progress_of(Spec const& spec, Status const& status, std::int32_t partition = 0)
{
    auto const to_update = std::max(0, spec.replicas - partition);
    if (status.updated_replicas >= to_update && status.replicas == spec.replicas &&
        status.available_replicas == spec.replicas)
        return {};
    return std::to_string(status.updated_replicas) + " of " + std::to_string(to_update) + " updated, " +
        std::to_string(status.available_replicas) + " available, " +
        std::to_string(std::max(0, status.replicas - status.updated_replicas)) + " old";
}

[[nodiscard]] inline std::optional<waiting> waits(reconcile::handle<model::deployment> const& d)
{
    using outlook = waiting::outlook;
    for (auto const* const type : {"ReplicaFailure", "Progressing"})
        if (auto const* const c = model::find_condition(d->status.conditions, type))
            if ((c->type == "ReplicaFailure") == (c->status == model::condition_status::true_) &&
                c->status != model::condition_status::unknown)
                return waits_for(d, c->reason, c->message, outlook::stuck, c->last_transition_time);
    auto const line = d->status.observed_generation < d->metadata.generation
        ? "not seen yet by its controller"
        : progress_of(d->spec, d->status);
    if (line.empty())
        return {};
    auto const* const c = model::find_condition(d->status.conditions, "Progressing");
    return waits_for(d, d->spec.paused ? "Paused" : "Progressing", line, outlook::moving,
        c ? c->last_transition_time : std::nullopt);
}
[[nodiscard]] inline std::optional<waiting> waits(reconcile::handle<model::stateful_set> const& s)
{
    auto const& update = s->spec.update_strategy.rolling_update;
    auto const line = s->status.observed_generation < s->metadata.generation
        ? "not seen yet by its controller"
        : progress_of(s->spec, s->status, update ? update->partition : 0);
    if (line.empty())
        return {};
    return waits_for(s, "Progressing", line, waiting::outlook::moving);
}
[[nodiscard]] inline std::optional<waiting> waits(reconcile::handle<model::rollout> const& r)
{
    if (r->status.phase == "Healthy")
        return {};
    auto const* const c = model::find_condition(r->status.conditions, "Progressing");
    return waits_for(r, r->status.phase.empty() ? "Progressing" : r->status.phase,
        r->status.phase.empty() ? "not seen yet by its controller" : r->status.message,
        r->status.phase == "Degraded" ? waiting::outlook::stuck : waiting::outlook::moving,
        c ? c->last_transition_time : std::nullopt);
}
[[nodiscard]] inline std::optional<waiting> waits(reconcile::handle<model::node> const& n)
{
    if (!model::is_ready(*n)) {
        auto const* const c = model::find_condition(n->status.conditions, "Ready");
        return c ? waits_for(n, c->reason.empty() ? "NotReady" : c->reason, c->message,
                       waiting::outlook::stuck, c->last_transition_time)
                 : waits_for(n, "NotReady", "it has not reported yet", waiting::outlook::moving);
    }
    if (n->spec.unschedulable)
        return waits_for(n, "SchedulingDisabled", "cordoned: it gets no new pods", waiting::outlook::moving);
    return {};
}
[[nodiscard]] inline std::optional<waiting> waits(
    reconcile::handle<model::persistent_volume_claim> const& claim)
{
    if (claim->status.phase == model::claim_phase::bound)
        return {};
    bool const lost = claim->status.phase == model::claim_phase::lost;
    return waits_for(claim, lost ? "Lost" : "Pending", lost ? "its volume is gone" : "it has no volume yet",
        lost ? waiting::outlook::stuck : waiting::outlook::moving);
}

[[nodiscard]] inline std::optional<waiting> waits(reconcile::handle<model::pod_disruption_budget> const& b)
{
    auto const* const c = model::find_condition(b->status.conditions, "DisruptionAllowed");
    bool const short_of_pods = b->status.current_healthy < b->status.desired_healthy;
    if (!c || c->status == model::condition_status::true_ || (c->reason != "SyncFailed" && !short_of_pods))
        return {};
    return waits_for(b, c->reason,
        !short_of_pods || !c->message.empty() ? c->message
                                              : std::to_string(b->status.current_healthy) +
                " healthy pods of " + std::to_string(b->status.desired_healthy) + " that there must be",
        short_of_pods ? waiting::outlook::moving : waiting::outlook::stuck, c->last_transition_time);
}

[[nodiscard]] constexpr std::string_view name_of(model::analysis_phase p)
{
    switch (p) {
    case model::analysis_phase::pending: return "Pending";
    case model::analysis_phase::running: return "Running";
    case model::analysis_phase::successful: return "Successful";
    case model::analysis_phase::failed: return "Failed";
    case model::analysis_phase::error: return "Error";
    case model::analysis_phase::inconclusive: break;
    }
    return "Inconclusive";
}

[[nodiscard]] inline json json_of(model::analysis_run const& run)
{
    json out = {{"phase", name_of(run.status.phase)}, {"metrics", json::array()}};
    put(out, "message", run.status.message);
    put(out, "started", run.status.started_at);
    put(out, "ended", run.status.completed_at);
    if (auto const* const owner = model::controller_of(run.metadata))
        out["owner"] = owner->kind + '/' + run.metadata.namespace_ + '/' + owner->name;
    for (auto const& m : run.spec.metrics) {
        json one = {{"name", m.name}};
        if (auto const& p = m.provider.podium) {
            one["measure"] = json_name(p->measure);
            one["question"] = json_name(p->question);
            one["margin"] = p->margin;
            one["horizon"] = p->horizon;
        }
        for (auto const& r : run.status.metric_results) {
            if (r.name != m.name)
                continue;
            one["phase"] = name_of(r.phase);
            put(one, "message", r.message);
            if (r.comparison) {
                auto const& c = *r.comparison;
                one["comparison"] = {{"canary",
                                         {{"units", c.canary_units}, {"hits", c.canary_hits},
                                             {"low", c.canary.low}, {"high", c.canary.high}}},
                    {"stable",
                        {{"units", c.stable_units}, {"hits", c.stable_hits}, {"low", c.stable.low},
                            {"high", c.stable.high}}},
                    {"low", c.low}, {"high", c.high}};
            }
        }
        out["metrics"].push_back(std::move(one));
    }
    return out;
}

// -- Autoscalers -----------------------------------------------------------------------------------

/// One metric of an autoscaler, for people, and how much of its target it is (1: just right).
struct goal_sight {
    std::string name{};
    std::string current{};  ///< empty: not known
    std::string target{};
    double load = 0;
};

template<class Source>
[[nodiscard]] goal_sight goal_of(
    std::string name, Source const& wanted, model::metric_value_status const& seen)
{
    goal_sight out;
    out.name = std::move(name);
    auto const set = [&](auto const& target, auto const& current, auto const& text, auto const& number) {
        if (target)
            out.target = text(*target);
        if (current)
            out.current = text(*current);
        if (target && current && number(*target) > 0)
            out.load = rounded(number(*current) / number(*target));
    };
    auto const text = [](quantity const& q) { return to_string(q); };
    auto const number = [](quantity const& q) { return static_cast<double>(q.milli_value()); };
    auto const& t = wanted.target;
    if (t.average_utilization)
        set(
            t.average_utilization, seen.average_utilization,
            [](std::int32_t n) { return std::to_string(n) + " %"; },
            [](std::int32_t n) { return static_cast<double>(n); });
    else if (t.average_value)
        set(t.average_value, seen.average_value, text, number);
    else
        set(t.value, seen.value, text, number);
    return out;
}

[[nodiscard]] inline std::vector<goal_sight> goals_of(model::horizontal_pod_autoscaler const& a)
{
    std::vector<goal_sight> out;
    auto const& seen = a.status.current_metrics;  // in the order of the spec
    model::metric_value_status const none;
    for (std::size_t i = 0; i < a.spec.metrics.size(); ++i) {
        auto const& m = a.spec.metrics[i];
        model::metric_status const nothing;
        auto const& s = seen.size() == a.spec.metrics.size() ? seen[i] : nothing;
        auto const add = [&](std::string name, auto const& wanted, auto const& came_to) {
            out.push_back(goal_of(std::move(name), *wanted, came_to ? came_to->current : none));
        };
        if (m.resource)
            add(m.resource->name, m.resource, s.resource);
        else if (m.container_resource)
            add(m.container_resource->name + " of " + m.container_resource->container, m.container_resource,
                s.container_resource);
        else if (m.pods)
            add(m.pods->metric.name + " per pod", m.pods, s.pods);
        else if (m.object)
            add(m.object->metric.name + " of " + m.object->described_object.name, m.object, s.object);
        else if (m.external)
            add(m.external->metric.name, m.external, s.external);
    }
    return out;
}

/// How much of its target the metric is that asks for most.
[[nodiscard]] inline double load_of(model::horizontal_pod_autoscaler const& a)
{
    double most = 0;
    for (auto const& g : goals_of(a))
        most = std::max(most, g.load);
    return most;
}

[[nodiscard]] inline std::optional<waiting> waits(
    reconcile::handle<model::horizontal_pod_autoscaler> const& a)
{
    for (auto const* const type : {"AbleToScale", "ScalingActive"})
        if (auto const* const c = model::find_condition(a->status.conditions, type))
            if (c->status == model::condition_status::false_)
                return waits_for(a, c->reason, c->message, waiting::outlook::stuck, c->last_transition_time);
    if (auto const* const c = model::find_condition(a->status.conditions, "ScalingLimited"))
        if (c->status == model::condition_status::true_ && load_of(*a) > 1.1)
            return waits_for(a, c->reason, c->message, waiting::outlook::moving, c->last_transition_time);
    return {};
}

[[nodiscard]] inline json json_of(model::horizontal_pod_autoscaler const& a)
{
    auto const& target = a.spec.scale_target_ref;
    json out = {{"target", target.kind + '/' + a.metadata.namespace_ + '/' + target.name},
        {"min", a.spec.min_replicas}, {"max", a.spec.max_replicas}, {"current", a.status.current_replicas},
        {"desired", a.status.desired_replicas}, {"load", load_of(a)}, {"metrics", json::array()}};
    put(out, "scaled", a.status.last_scale_time);
    for (auto const& g : goals_of(a)) {
        json one = {{"name", cut(g.name, 200)}, {"target", g.target}};
        put(one, "current", g.current);
        out["metrics"].push_back(std::move(one));
    }
    if (auto const* const c = model::find_condition(a.status.conditions, "AbleToScale"))
        put(out, "message", c->message);
    return out;
}

// -- Services --------------------------------------------------------------------------------------

/// A service's figures; `versions` are the names of the hashes that rollouts divide by.
[[nodiscard]] inline json json_of(model::service const& s, model::service_port const& port,
    net::service_status const* counted, service_figures const* lately,
    std::map<std::string, std::string, std::less<>> const& versions)
{
    json out = {{"service", full_name(s.metadata)}, {"port", port.port},
        {"mode", mode_of(port) == net::proxy_service::mode::http ? "http" : "tcp"}, {"ready", 0},
        {"draining", 0}};
    put(out, "address", s.spec.cluster_ip);
    if (counted) {
        int ready = 0, draining = 0, ejected = 0;
        std::uint64_t requests = counted->refused, errors = counted->refused;
        for (auto const& e : counted->endpoints) {
            ready += e.rule == traffic::admission::ready;
            draining += e.rule == traffic::admission::draining;
            ejected += e.ejected;
        }
        for (auto const& [name, v] : counted->versions) {
            requests += v.requests + v.matched.requests;
            errors += v.errors() + v.matched.errors();
        }
        out["ready"] = ready;
        out["draining"] = draining;
        if (ejected > 0)
            out["ejected"] = ejected;
        out["requests"] = requests;
        out["failed"] = errors;
    }
    if (lately) {
        out["rate"] = lately->rate;
        out["errors"] = lately->errors;
        out["p50"] = lately->p50;
        out["p99"] = lately->p99;
        out["in_flight"] = lately->in_flight;
        for (auto const& [hash, v] : lately->versions) {
            if (v.rate <= 0)
                continue;
            auto const known = versions.find(hash);
            auto name = known == versions.end() ? cut(hash, 63) : known->second;
            if (out.contains("versions") && out["versions"].contains(name))  // the same, set up otherwise
                name += ' ' + hash;
            out["versions"][name] = {{"rate", v.rate}, {"errors", v.errors}};
        }
    }
    return out;
}

}  // namespace detail

/// Everything that is not as it should be: what is stuck first, then by kind, namespace and name. O(objects).
template<class View>
[[nodiscard]] std::vector<waiting> waiting_in(View const& view)
{
    std::vector<waiting> out;
    auto const add = [&](std::optional<waiting> w) {
        if (w)
            out.push_back(*std::move(w));
    };
    for (auto const n : view.template all<model::node>())
        add(detail::waits(n));
    for (auto const p : view.template all<model::pod>())
        add(detail::look_at(p).waits);
    for (auto const d : view.template all<model::deployment>())
        add(detail::waits(d));
    for (auto const s : view.template all<model::stateful_set>())
        add(detail::waits(s));
    for (auto const r : view.template all<model::rollout>())
        add(detail::waits(r));
    for (auto const c : view.template all<model::persistent_volume_claim>())
        add(detail::waits(c));
    for (auto const b : view.template all<model::pod_disruption_budget>())
        add(detail::waits(b));
    for (auto const a : view.template all<model::horizontal_pod_autoscaler>())
        add(detail::waits(a));
    std::ranges::sort(out, {}, [](waiting const& w) {
        return std::tuple(
            w.how, std::string_view(w.kind), std::string_view(w.namespace_), std::string_view(w.name));
    });
    return out;
}

/// What was measured, beside what the view says. Empty: not measured.
struct measurements {
    net::router_status traffic{};
    std::map<std::string, service_figures, std::less<>> services{};  ///< by `route_name`
    usage_meter const* usage = nullptr;
};

/// The whole document. O(objects).
template<class View>
[[nodiscard]] model::json overview(
    View const& view, measurements const& measured, time_point now, overview_limits const& most = {})
{
    using model::json;
    json out = {{"now", detail::milliseconds(now)}};
    for (auto const* const section :
        {"nodes", "pods", "workloads", "analyses", "services", "autoscalers", "budgets", "events", "waiting"})
        out[section] = json::object();

    std::map<std::string, detail::amounts, std::less<>> requested;
    std::size_t shown = 0, ready = 0, all = 0;
    for (auto const pod : view.template all<model::pod>()) {
        auto const sight = detail::look_at(pod);
        auto const asked = detail::requests_of(*pod);
        ++all;
        ready += sight.state == "ready";
        if (!pod->spec.node_name.empty() && !model::is_terminal(pod->status.phase)) {
            auto& on = requested[pod->spec.node_name];
            on.cpu_milli = saturating_add(on.cpu_milli, asked.cpu_milli);
            on.memory_bytes = saturating_add(on.memory_bytes, asked.memory_bytes);
            ++on.pods;
        }
        if (++shown > most.pods)
            continue;
        auto& one = out["pods"][detail::full_name(pod->metadata)] =
            detail::json_of(pod, sight, asked, detail::workload_of(view, pod->metadata));
        if (measured.usage)
            if (auto const u = measured.usage->pods().find(pod.uid()); u != measured.usage->pods().end())
                one["used"] = detail::json_of_use(u->second.cpu_nano_cores(), u->second.memory_bytes());
    }
    out["totals"] = {{"pods", all}, {"ready", ready}, {"left_out", all - std::min(all, most.pods)}};
    for (auto const n : view.template all<model::node>()) {
        auto const& name = n->metadata.name;
        auto& one = out["nodes"][name] = detail::json_of(*n, requested[name]);
        if (measured.usage)
            if (auto const u = measured.usage->nodes().find(name); u != measured.usage->nodes().end())
                one["used"] = detail::json_of_use(u->second.cpu_nano_cores, u->second.memory_bytes);
    }

    auto& workloads = out["workloads"];
    auto const add = [&]<class K>(reconcile::handle<K> const& w) -> json& {
        return workloads[std::string(K::kind) + '/' + detail::full_name(w->metadata)] =
                   detail::json_of_workload(w);
    };
    for (auto const d : view.template all<model::deployment>())
        add(d)["versions"] = detail::versions_of(view, d);
    for (auto const s : view.template all<model::stateful_set>())
        add(s);
    for (auto const r : view.template all<model::rollout>()) {
        auto& w = add(r);
        w["versions"] = detail::versions_of(view, r);
        w["strategy"] = r->spec.strategy.canary ? "canary" : "blueGreen";
        w["phase"] = r->status.phase;
        if (auto const& canary = r->spec.strategy.canary) {
            auto& steps = w["steps"] = json::array();
            for (auto const& s : canary->steps)
                steps.push_back(detail::step_text(s));
            w["step"] = r->status.current_step_index.value_or(0);
            if (r->status.canary && r->status.canary->weights)
                w["weight"] = r->status.canary->weights->canary.weight;
        }
    }
    std::map<std::string, std::string, std::less<>> versions;  // of rollouts' pods, by hash
    for (auto const set : view.template all<model::replica_set>())
        if (auto const hash = detail::label_of(set->metadata, controllers::rollout_hash_label); !hash.empty())
            versions[hash] = detail::cut(detail::version_of(set->spec.template_), 63);
    for (auto const run : view.template all<model::analysis_run>()) {
        auto& one = out["analyses"][detail::full_name(run->metadata)] = detail::json_of(*run);
        for (auto const& [hash, name] :
            {std::pair(&run->spec.canary_version, "canary"), {&run->spec.stable_version, "stable"}})
            if (auto const v = versions.find(*hash); v != versions.end())
                one[name] = v->second;
    }

    for (auto const s : view.template all<model::service>())
        for (auto const& port : s->spec.ports) {
            auto const name = route_name(s->metadata.namespace_, s->metadata.name, port);
            auto const counted = measured.traffic.find(name);
            auto const rates = measured.services.find(name);
            out["services"][name] =
                detail::json_of(*s, port, counted == measured.traffic.end() ? nullptr : &counted->second,
                    rates == measured.services.end() ? nullptr : &rates->second, versions);
        }

    for (auto const a : view.template all<model::horizontal_pod_autoscaler>())
        out["autoscalers"][detail::full_name(a->metadata)] = detail::json_of(*a);
    for (auto const b : view.template all<model::pod_disruption_budget>())
        out["budgets"][detail::full_name(b->metadata)] = {{"allowed", b->status.disruptions_allowed},
            {"healthy", b->status.current_healthy}, {"desired", b->status.desired_healthy},
            {"pods", b->status.expected_pods}};

    std::vector<std::pair<std::int64_t, reconcile::handle<model::event>>> newest;
    for (auto const e : view.template all<model::event>())
        newest.emplace_back(
            detail::milliseconds(e->last_timestamp ? e->last_timestamp->at : time_point{}), e);
    auto const kept = std::min(newest.size(), most.events);
    std::ranges::partial_sort(
        newest, newest.begin() + static_cast<std::ptrdiff_t>(kept), {}, [](auto const& e) {
            return std::tuple(-e.first, std::string_view(e.second->metadata.namespace_),
                std::string_view(e.second->metadata.name));
        });
    newest.resize(kept);
    for (auto const& [at, e] : newest) {
        json one = {{"at", at}, {"type", e->type}, {"count", e->count}};
        detail::put(one, "reason", e->reason, 200);
        detail::put(one, "message", e->message, most.text_bytes);
        auto const& about = e->involved_object;
        one["object"] =
            about.kind + '/' + (about.namespace_.empty() ? about.name : about.namespace_ + '/' + about.name);
        out["events"][detail::full_name(e->metadata)] = std::move(one);
    }

    for (auto const& w : waiting_in(view)) {
        json one = {{"reason", detail::cut(w.reason, 200)}, {"stuck", w.how == waiting::outlook::stuck}};
        detail::put(one, "message", w.message, most.text_bytes);
        if (w.since)
            one["since"] = detail::milliseconds(*w.since);
        out["waiting"][w.kind + '/' + (w.namespace_.empty() ? w.name : w.namespace_ + '/' + w.name)] =
            std::move(one);
    }
    return out;
}

/// The JSON merge patch that makes `to` of `from` (RFC 7396): `merge_patch(from, it) == to`. Neither may have
/// a null in an object, which such a patch cannot say. O(size).
[[nodiscard]] inline model::json merge_difference(model::json const& from, model::json const& to)
{
    if (!from.is_object() || !to.is_object())
        return to;
    auto out = model::json::object();
    for (auto const& [name, value] : to.get_ref<model::json::object_t const&>()) {
        auto const old = from.find(name);
        if (old == from.end())
            out[name] = value;
        else if (*old != value)
            out[name] = merge_difference(*old, value);
    }
    for (auto const& [name, value] : from.get_ref<model::json::object_t const&>())
        if (!to.contains(name))
            out[name] = nullptr;
    return out;
}

}  // namespace podium::v0::cluster
