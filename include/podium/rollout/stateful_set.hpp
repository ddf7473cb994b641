#pragma once
/// One step of a stateful set: pods with numbers, each of them the only one of its number.
///
/// A stateful set has pods of consecutive ordinals that keep their names, addresses and storage, so a pod
/// can only be replaced when its namesake is gone. `step` looks at all of them and says what to do now:
/// which pods to create and of which revision, which to delete, which revisions to remember and to forget,
/// and what status to show. It is Kubernetes' stateful set controller, sync for sync.
///
/// The order of one step: missing ordinals are filled and finished pods cleared away, from the lowest up;
/// then ordinals beyond the wanted ones go, from the highest down; then outdated pods go, from the highest
/// down to the partition. Ordered management waits at each pod until it is available, so at most one pod
/// is on its way at any time; parallel management does all of it at once, and holds back in updates only.
/// All actions and the status of one step belong into one transaction.
///
/// Source: Kubernetes v1.35.4 controller/statefulset: stateful_set_control.go, stateful_set_utils.go;
/// controller/history. The differences are `options`.

#include <podium/core/time.hpp>
#include <podium/rollout/availability.hpp>
#include <podium/rollout/fenceposts.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <vector>

namespace podium::inline v0::rollout::stateful {

/// Stands for a template: equal templates have equal numbers, and 0 stands for none. The caller's choice,
/// a hash or a version number; it never changes, while the revision numbers below count up.
using template_id = std::uint64_t;

/// Whether pods wait for each other: `spec.podManagementPolicy`.
enum class management : std::uint8_t {
    ordered_ready,  ///< one pod at a time: up from the lowest, down from the highest
    parallel,       ///< scaling does not wait
};

/// What becomes of outdated pods: `spec.updateStrategy.type`.
enum class strategy : std::uint8_t {
    rolling_update,  ///< outdated pods are replaced, from the highest ordinal down to the partition
    on_delete,       ///< outdated pods stay until somebody deletes them
};

/// What is wanted.
struct set {
    std::int64_t generation = 0;
    template_id template_ = 1;
    std::int32_t replicas = 1;
    std::int32_t start_ordinal = 0;  ///< of the first pod; below 0 counts as 0
    management pods = management::ordered_ready;
    strategy how = strategy::rolling_update;
    std::int32_t partition = 0;        ///< this many pods, from the first on, keep the current revision
    std::int32_t max_unavailable = 1;  ///< as `stateful_max_unavailable` gives it, >= 1
    duration min_ready{};              ///< a pod counts as available when it has been ready this long
    std::optional<std::int32_t> revision_history_limit = 10;  ///< unused revisions to keep; none: all
    bool deleting = false;                                    ///< on its way out: status only
};

/// How far a pod is.
enum class phase : std::uint8_t {
    pending,
    running,
    finished,  ///< failed or succeeded: its ordinal needs another one
};

/// A pod as the rollout sees it.
struct pod {
    std::int32_t ordinal = 0;  ///< negative: not one of the set's, left alone
    template_id template_ = 0;
    stateful::phase phase = phase::pending;
    std::optional<time_point> ready_since{};
    bool terminating = false;  ///< somebody has decided that it goes; it exists until it is not listed
    friend bool operator==(pod const&, pod const&) = default;
};

/// A template that the set has or had.
struct revision {
    template_id template_ = 0;
    std::int64_t number = 0;  ///< highest: the latest wanted
    friend bool operator==(revision const&, revision const&) = default;
};

/// The set's status. Counts include pods on their way out, `current` and `updated` do not.
struct status {
    std::int64_t observed_generation = 0;
    std::int32_t replicas = 0;
    std::int32_t ready = 0;
    std::int32_t available = 0;
    std::int32_t current = 0;          ///< of the current template
    std::int32_t updated = 0;          ///< of the wanted template
    template_id current_template = 0;  ///< what pods below the partition are made from; follows when done
    template_id update_template = 0;   ///< the wanted one
    friend bool operator==(status const&, status const&) = default;
};

/// What becomes of pods that are in the way and serve nobody.
enum class broken : std::uint8_t {
    /// An outdated pod that is not available is replaced first: nobody misses it, and waiting for it may take
    /// for ever. Ordered management does so when no other pod is on its way. A pod beyond the wanted ones
    /// goes whether it is available or not.
    replace,
    /// They are waited for. After a template that never gets ready, somebody must delete its pod by hand.
    kubernetes,
};

/// Where podium and Kubernetes differ, and how much one step may create.
struct options {
    broken pods = broken::replace;
    /// `max_unavailable` bounds an update, and pods that are missing count. Off, as Kubernetes has it unless
    /// the gate MaxUnavailableStatefulSet is on: one pod at a time, and only those above it are looked at.
    bool max_unavailable = true;
    /// The most pods created in one step, so that a wish for two billion is met bit by bit.
    std::int32_t burst = 500;
};

/// What is to be done to a revision or a pod.
enum class verb : std::uint8_t {
    create_revision,  ///< remember the wanted template as `number`
    raise_revision,   ///< a template of before is wanted again: its number becomes `number`
    delete_revision,  ///< forget it
    create_pod,       ///< of `ordinal`, from `template_`; its storage and address are those of the ordinal
    delete_pod,       ///< gracefully
};

/// Why an action is taken.
enum class cause : std::uint8_t {
    new_template,     ///< no revision has the wanted template
    former_template,  ///< an earlier revision has it
    beyond_history,   ///< unused, and older than the history limit keeps
    missing,          ///< the ordinal has no pod
    finished,         ///< the pod has failed or succeeded: it makes room for another
    beyond_replicas,  ///< its ordinal is not among the wanted ones
    second_of_its_ordinal,
    outdated,         ///< not of the wanted template, and there is room to miss it
    outdated_broken,  ///< not of the wanted template, and not available anyway
};

/// One thing to do, and why.
struct action {
    verb what = verb::create_pod;
    cause why = cause::missing;
    std::int32_t ordinal = -1;
    template_id template_ = 0;
    std::int64_t number = 0;                         ///< of a revision
    std::size_t pod = static_cast<std::size_t>(-1);  ///< position in the caller's span, to delete
    friend bool operator==(action const&, action const&) = default;
};

/// What the step waits for before it goes on.
struct obstacle {
    enum class kind : std::uint8_t {
        not_there,      ///< just created, or held back by `burst`
        terminating,    ///< until it is gone
        not_available,  ///< until it serves
    };
    kind what = kind::not_available;
    std::int32_t ordinal = 0;
    friend bool operator==(obstacle const&, obstacle const&) = default;
};

/// Lists of one step, kept by the caller so that a step does not allocate once they have grown.
struct workspace {
    std::vector<pod> seen{};  ///< the caller's own pods as the step sees them
    std::vector<action> actions{};
    std::vector<std::size_t> replicas{};   ///< positions of the wanted pods by ordinal
    std::vector<std::size_t> condemned{};  ///< of those that must go, highest ordinal first
    std::vector<revision> history{};
    std::vector<template_id> in_use{};  ///< the pods' templates, sorted
};

/// A step: the status to keep, what to do, and what it waits for.
struct stepped {
    status next{};
    std::span<action const> todo{};       ///< in order; points into the workspace, valid until its next use
    std::optional<obstacle> waits_for{};  ///< the first pod that holds the step up
    time_point wake_at = never;           ///< step again then: a ready pod becomes available
};

/// Advances a stateful set by one sync. Total and deterministic: `pods` and `history` may be in any order.
/// With nothing to change, `todo` is empty and `next == before`. O(n log n) for n pods and revisions.
[[nodiscard]] constexpr stepped step(set const& wanted, status const& before, std::span<pod const> pods,
    std::span<revision const> history, time_point now, workspace& room, options const& how = {});

/// Anything that can be seen as a pod: `as_pod(p)`, found by argument-dependent lookup, says how.
template<class P>
concept Pod = requires(P const& p) {
    { as_pod(p) } -> std::same_as<pod>;
};

/// The same over pods of the caller's own type; an action's `pod` is a position in that range.
template<std::ranges::input_range Pods>
requires Pod<std::ranges::range_value_t<Pods>>
[[nodiscard]] constexpr stepped step(set const& wanted, status const& before, Pods const& pods,
    std::span<revision const> history, time_point now, workspace& room, options const& how = {})
{
    room.seen.clear();
    for (auto const& p : pods)
        room.seen.push_back(as_pod(p));
    return step(wanted, before, std::span<pod const>(room.seen), history, now, room, how);
}

/// Whether everything is as wanted: all pods there, available and of the wanted template as far as the
/// partition lets them, and this generation seen.
[[nodiscard]] constexpr bool is_complete(set const& s, status const& seen) noexcept
{
    auto const kept = std::clamp(s.partition, 0, std::max(s.replicas, 0));
    return seen.observed_generation >= s.generation && seen.replicas == s.replicas &&
        seen.available == s.replicas && seen.updated >= s.replicas - kept;
}

/// A short reason for logs and events: "outdated".
[[nodiscard]] constexpr std::string_view to_string(cause c) noexcept
{
    switch (c) {
    case cause::new_template: return "new template";
    case cause::former_template: return "back to an earlier template";
    case cause::beyond_history: return "beyond the revision history limit";
    case cause::missing: return "there is no pod of this ordinal";
    case cause::finished: return "the pod has ended";
    case cause::beyond_replicas: return "more pods than wanted";
    case cause::second_of_its_ordinal: return "a second pod of one ordinal";
    case cause::outdated: return "outdated";
    case cause::outdated_broken: return "outdated and not available";
    }
    return "unknown";
}

namespace detail {

/// One call of `step`: its inputs, the status as far as it has come, and the lists.
class sync {
public:
    constexpr sync(
        set const& wanted, std::span<pod const> pods, time_point now, workspace& room, options const& how)
        : s(wanted),
          pods_(pods),
          now_(now),
          w(room),
          how_(how),
          first_(std::max(s.start_ordinal, 0)),
          end_(first_ + std::max(s.replicas, 0)),
          ordered_(s.pods == management::ordered_ready)
    {
        w.actions.clear();
        sort_out();
    }

    constexpr stepped run(status const& before, std::span<revision const> history)
    {
        find_revisions(before, history);
        count();
        if (s.deleting)
            return {.next = out_, .todo = w.actions};
        if (fill() && condemn() && s.how == strategy::rolling_update)
            update();
        complete();
        forget_history();
        return {.next = out_, .todo = w.actions, .waits_for = waits_for_, .wake_at = wake_at_};
    }

private:
    // --- the pods ---------------------------------------------------------------------------------

    constexpr pod const& at(std::size_t position) const { return pods_[position]; }
    constexpr bool is_ready(pod const& p) const { return p.phase == phase::running && p.ready_since; }
    constexpr bool serves(pod const& p) const
    {
        return is_ready(p) && is_available(p.ready_since, s.min_ready, now_);
    }
    constexpr bool is_available_here(pod const& p) const { return serves(p) && !p.terminating; }
    constexpr bool may_update(pod const& p) const
    {
        return p.template_ != s.template_ && !p.terminating && p.ordinal - first_ >= s.partition;
    }

    constexpr void sort_out()
    {
        w.replicas.clear();
        w.condemned.clear();
        for (std::size_t i = 0; i < pods_.size(); ++i)
            if (at(i).ordinal >= first_ && at(i).ordinal < end_ && at(i).ordinal >= 0)
                w.replicas.push_back(i);
            else if (at(i).ordinal >= 0)
                w.condemned.push_back(i);
        std::sort(w.replicas.begin(), w.replicas.end(), [this](std::size_t a, std::size_t b) {
            return at(a).ordinal != at(b).ordinal ? at(a).ordinal < at(b).ordinal : a < b;
        });
        // Two of one ordinal should not be; if they are, the one that is listed later has to go.
        std::size_t kept = 0;
        for (auto const i : w.replicas)
            if (kept > 0 && at(w.replicas[kept - 1]).ordinal == at(i).ordinal)
                w.condemned.push_back(i);
            else
                w.replicas[kept++] = i;
        w.replicas.resize(kept);
        std::sort(w.condemned.begin(), w.condemned.end(), [this](std::size_t a, std::size_t b) {
            return at(a).ordinal != at(b).ordinal ? at(a).ordinal > at(b).ordinal : a > b;
        });
    }

    // --- revisions --------------------------------------------------------------------------------

    constexpr void find_revisions(status const& before, std::span<revision const> history)
    {
        w.history.assign(history.begin(), history.end());
        std::sort(w.history.begin(), w.history.end(), [](revision const& a, revision const& b) {
            return a.number != b.number ? a.number < b.number : a.template_ < b.template_;
        });
        revision const* same = nullptr;
        bool current_is_there = false;
        for (auto const& r : w.history) {
            if (r.template_ == s.template_)
                same = &r;
            current_is_there = current_is_there || r.template_ == before.current_template;
        }
        out_.observed_generation = s.generation;
        out_.update_template = s.template_;
        out_.current_template =
            current_is_there && before.current_template != 0 ? before.current_template : s.template_;
        current_ = out_.current_template;
        constexpr auto last = std::numeric_limits<std::int64_t>::max();  // where counting ends
        if (s.deleting || (same && (same == &w.history.back() || same->number == last)))
            return;
        auto const highest = w.history.empty() ? 0 : w.history.back().number;
        auto const next = highest < last ? highest + 1 : last;
        w.actions.push_back({.what = same ? verb::raise_revision : verb::create_revision,
            .why = same ? cause::former_template : cause::new_template,
            .template_ = s.template_,
            .number = next});
    }

    /// Deletes the lowest revisions beyond the limit, of those that neither pods nor the set use.
    constexpr void forget_history()
    {
        if (!s.revision_history_limit)
            return;
        auto unused = std::int64_t{0};
        auto const keep = std::max(*s.revision_history_limit, 0);
        if (static_cast<std::int64_t>(w.history.size()) <= keep)
            return;
        w.in_use.assign({s.template_, current_});
        for (auto const& p : pods_)
            w.in_use.push_back(p.template_);
        std::sort(w.in_use.begin(), w.in_use.end());
        auto const is_used = [this](revision const& r) {
            return std::binary_search(w.in_use.begin(), w.in_use.end(), r.template_);
        };
        for (auto const& r : w.history)
            unused += !is_used(r);
        for (auto const& r : w.history) {
            if (unused <= keep)
                return;
            if (is_used(r))
                continue;
            --unused;
            w.actions.push_back({.what = verb::delete_revision,
                .why = cause::beyond_history,
                .template_ = r.template_,
                .number = r.number});
        }
    }

    // --- pods: up, down, anew ---------------------------------------------------------------------

    constexpr void remove(std::size_t position, cause why)
    {
        w.actions.push_back({.what = verb::delete_pod,
            .why = why,
            .ordinal = at(position).ordinal,
            .template_ = at(position).template_,
            .pod = position});
    }
    constexpr void create(std::int64_t ordinal)
    {
        bool const keeps = s.how == strategy::rolling_update && ordinal - first_ < s.partition;
        w.actions.push_back({.what = verb::create_pod,
            .why = cause::missing,
            .ordinal = static_cast<std::int32_t>(ordinal),
            .template_ = keeps ? out_.current_template : s.template_});
    }
    constexpr void wait_for(obstacle::kind what, std::int64_t ordinal)
    {
        if (!waits_for_)
            waits_for_ = obstacle{what, static_cast<std::int32_t>(ordinal)};
    }
    constexpr void wait_for(pod const& p)
    {
        wait_for(p.terminating ? obstacle::kind::terminating : obstacle::kind::not_available, p.ordinal);
    }

    /// The pods of the wanted ordinals; false: wait here.
    constexpr bool fill()
    {
        auto next = first_;
        auto room = std::int64_t{std::max(how_.burst, 1)};
        auto const create_up_to = [&](std::int64_t end) {  // false: wait here
            // Beyond 32 bits there are no ordinals.
            end = std::min(end, std::int64_t{std::numeric_limits<std::int32_t>::max()} + 1);
            for (; next < end; ++next) {
                wait_for(obstacle::kind::not_there, next);
                if (room == 0)
                    return true;
                create(next);
                --room;
                if (ordered_)
                    return false;
            }
            return true;
        };
        for (auto const i : w.replicas) {
            auto const& p = at(i);
            if (!create_up_to(p.ordinal))
                return false;
            next = std::int64_t{p.ordinal} + 1;
            if (p.phase == phase::finished) {
                if (!p.terminating)
                    remove(i, cause::finished);
                wait_for(obstacle::kind::terminating, p.ordinal);
                if (ordered_)
                    return false;
                continue;
            }
            if (is_available_here(p))
                continue;
            wait_for(p);
            if (ordered_) {
                if (how_.pods == broken::replace && s.how == strategy::rolling_update && may_update(p) &&
                    !anything_moves())
                    remove_outdated(i, cause::outdated_broken);
                return false;
            }
        }
        return create_up_to(end_);
    }

    /// A pod is going, or has the wanted template and is on its way up.
    constexpr bool anything_moves() const
    {
        return std::any_of(pods_.begin(), pods_.end(), [this](pod const& p) {
            return p.terminating ||
                (p.template_ == s.template_ && p.phase != phase::finished && p.ordinal >= 0 && !serves(p));
        });
    }

    /// The pods that are too many; false: wait here.
    constexpr bool condemn()
    {
        if (ordered_ && how_.pods == broken::replace)
            for (auto const i : w.condemned)
                if (at(i).terminating) {  // perhaps one below the highest, which ended by itself
                    wait_for(at(i));
                    return false;
                }
        for (auto const i : w.condemned) {
            auto const& p = at(i);
            if (p.terminating) {
                wait_for(p);
                if (ordered_)
                    return false;
                continue;
            }
            if (ordered_ && how_.pods == broken::kubernetes && !serves(p) && !is_lowest_broken(p)) {
                wait_for(p);
                return false;
            }
            remove(i,
                p.ordinal >= first_ && p.ordinal < end_ ? cause::second_of_its_ordinal
                                                        : cause::beyond_replicas);
            if (ordered_)
                return false;
        }
        return true;
    }
    constexpr bool is_lowest_broken(pod const& p) const
    {
        return std::none_of(w.condemned.begin(), w.condemned.end(),
            [&](std::size_t i) { return at(i).ordinal < p.ordinal && !is_available_here(at(i)); });
    }

    constexpr void remove_outdated(std::size_t i, cause why)
    {
        remove(i, why);
        if (how_.pods == broken::kubernetes || at(i).template_ == out_.current_template)
            --out_.current;
    }

    constexpr void update()
    {
        if (!how_.max_unavailable)
            return update_one();
        std::int64_t budget = s.max_unavailable;
        budget -= end_ - first_;
        for (auto const i : w.replicas)
            budget += is_available_here(at(i));
        bool const exact = how_.pods == broken::replace;
        for (auto it = w.replicas.rbegin(); it != w.replicas.rend(); ++it) {
            auto const& p = at(*it);
            if (!may_update(p) || p.phase == phase::finished)
                continue;
            if (exact && !is_available_here(p)) {
                remove_outdated(*it, cause::outdated_broken);
            } else if (budget > 0) {
                remove_outdated(*it, cause::outdated);
                --budget;
            }
        }
    }

    /// Without a bound: the highest outdated pod, if all above it serve.
    constexpr void update_one()
    {
        auto top = end_ - 1;
        for (auto it = w.replicas.rbegin(); it != w.replicas.rend(); ++it, --top) {
            auto const& p = at(*it);
            if (p.ordinal != top && top - first_ >= s.partition)
                return;
            if (p.ordinal - first_ < s.partition)
                return;
            if (may_update(p))
                return remove_outdated(*it, cause::outdated);
            if (!is_available_here(p))
                return;
        }
    }

    // --- status -----------------------------------------------------------------------------------

    constexpr void count()
    {
        for (auto const* list : {&w.replicas, &w.condemned})
            for (auto const i : *list) {
                auto const& p = at(i);
                ++out_.replicas;
                out_.ready += is_ready(p);
                if (serves(p))
                    ++out_.available;
                else if (is_ready(p) && !p.terminating)
                    wake_at_ = std::min(wake_at_, available_at(p.ready_since, s.min_ready));
                out_.current += !p.terminating && p.template_ == out_.current_template;
                out_.updated += !p.terminating && p.template_ == s.template_;
            }
    }

    constexpr void complete()
    {
        if (s.how == strategy::rolling_update && out_.updated == s.replicas && out_.ready == s.replicas &&
            out_.replicas == s.replicas) {
            out_.current = out_.updated;
            out_.current_template = s.template_;
        }
    }

    set const& s;
    std::span<pod const> pods_;
    time_point now_;
    workspace& w;
    options const& how_;
    std::int64_t first_;
    std::int64_t end_;
    bool ordered_;
    status out_{};
    template_id current_ = 0;  ///< as it was before this step
    std::optional<obstacle> waits_for_{};
    time_point wake_at_ = never;
};

}  // namespace detail

constexpr stepped step(set const& wanted, status const& before, std::span<pod const> pods,
    std::span<revision const> history, time_point now, workspace& room, options const& how)
{
    return detail::sync(wanted, pods, now, room, how).run(before, history);
}

}  // namespace podium::v0::rollout::stateful
