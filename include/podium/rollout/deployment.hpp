#pragma once
/// One step of a deployment: from what its sets are to what they should become next.
///
/// A deployment owns one set of pods for each template it has had. `step` looks at all of them and says
/// what to change now: create the set of a new template, scale sets, forget old ones, go back to an
/// earlier template, and what status to show. It is Kubernetes' deployment controller, sync for sync:
/// calling it again after its actions have been carried out leads, step by step, to the wanted state, with
/// never more pods than `replicas + surge` and never fewer available than `replicas - unavailable` by a
/// voluntary change. All actions and the status of one step belong into one transaction.
///
/// The order of one rolling step: grow the new set as far as the surge allows and stop there; otherwise
/// shrink the old ones, pods that are not available first, oldest set first; otherwise, when the rollout
/// is complete, forget history beyond the limit. A change of `replicas` in mid-rollout is shared out
/// over the active sets in proportion to their sizes, before rolling goes on.
///
/// Source: Kubernetes v1.35.4 controller/deployment: deployment_controller.go (syncDeployment), sync.go,
/// rolling.go, recreate.go, progress.go, rollback.go, util/deployment_util.go. Proportions are computed
/// in 64 bits (Kubernetes: 32, which overflows at 40000 of 60000). The other difference is `counting`.

#include <podium/core/time.hpp>
#include <podium/rollout/fenceposts.hpp>
#include <podium/rollout/history.hpp>
#include <podium/rollout/status.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ranges>
#include <span>
#include <string_view>
#include <vector>

namespace podium::inline v0::rollout {

/// What is wanted.
struct deployment {
    std::int64_t generation = 0;
    std::int32_t replicas = 1;
    strategy how = strategy::rolling_update;
    fenceposts bounds{};   ///< as `resolve_fenceposts` gives them for `replicas`
    duration min_ready{};  ///< a pod counts as available when it has been ready this long
    std::optional<duration> progress_deadline = std::chrono::seconds(600);  ///< none: never gives up
    std::optional<std::int32_t> revision_history_limit = 10;                ///< old sets to keep; none: all
    bool paused = false;                                                    ///< scale, but do not roll
    bool deleting = false;                                                  ///< on its way out: status only
    std::optional<std::int64_t> rollback_to{};  ///< go back to this revision; 0: the previous one
};

/// Which pods count while a set's status lags behind its wanted size (it is shrinking right now).
enum class counting : std::uint8_t {
    /// A pod takes room until its set says it is gone, and is available only as far as its set still wants
    /// it: the bounds hold for the pods that exist, not only for the numbers asked for.
    what_exists,
    /// Room is counted in wanted sizes alone, available pods as reported. A set that reports more
    /// available than wanted ends the clean-up of unhealthy pods, and with it this step's scaling down.
    kubernetes,
};

/// Where podium and Kubernetes differ.
struct options {
    counting pods = counting::what_exists;
};

/// What is to be done to a set or to the deployment.
enum class verb : std::uint8_t {
    create_set,         ///< a set for the wanted template, with `to` replicas
    scale_set,          ///< change its replicas `from` -> `to`, and its record
    annotate_set,       ///< only its record changes
    delete_set,         ///< forget it: it has no pods, and history is long enough
    update_deployment,  ///< take the template of `set` (no_set: keep the present one), and clear
                        ///< `rollback_to`
};

/// Why an action is taken.
enum class cause : std::uint8_t {
    new_template,        ///< no set has the wanted template
    room_for_new,        ///< the new set grows into the room the bounds leave
    above_desired,       ///< the new set has more than the deployment wants
    unhealthy_old,       ///< old pods that are not available go first: nobody misses them
    replaced_old,        ///< enough pods are available without them
    recreate_old,        ///< recreate: the old must be gone before the new may come
    recreate_new,        ///< recreate: the old are gone
    only_active,         ///< scaling: there is one set to scale
    new_saturated,       ///< scaling: the new set serves alone, the old are left over
    proportional,        ///< scaling in mid-rollout: this set's share
    record_behind,       ///< the set's revision, minimum ready or record of sizes is out of date
    beyond_history,      ///< older than the history limit keeps
    rollback,            ///< back to that set's template
    template_unchanged,  ///< the revision asked for has the present template
    revision_not_found,  ///< no set has the revision asked for
};

/// What a set carries besides its replicas; the caller stores it with the set.
struct record {
    std::int64_t revision = 0;
    std::optional<std::int32_t> desired{};  ///< becomes `recorded_desired`
    std::optional<std::int32_t> max{};      ///< becomes `recorded_max`
    duration min_ready{};
    friend bool operator==(record const&, record const&) = default;
};

/// One thing to do, and why.
struct action {
    verb what = verb::scale_set;
    cause why = cause::room_for_new;
    std::size_t set = no_set;  ///< position in the caller's span; `no_set`: the one being created
    std::int32_t from = 0;
    std::int32_t to = 0;
    record after{};           ///< of the set, complete
    bool superseded = false;  ///< a later action on the same set says all that this one does
    friend bool operator==(action const&, action const&) = default;
};

/// Lists of one step, kept by the caller so that a step does not allocate once they have grown.
struct workspace {
    std::vector<replica_set> seen{};  ///< the caller's own sets as the step sees them
    std::vector<action> actions{};
    std::vector<replica_set> sets{};      ///< old ones by age, then the new one
    std::vector<std::size_t> position{};  ///< of each in the caller's span
    std::vector<std::int32_t> size{};     ///< of each, as the actions so far leave it
    std::vector<std::size_t> order{};
    std::vector<std::size_t> latest{};  ///< of each, its latest action; `no_set`: none
};

/// A step: the status to keep, and what to do.
struct stepped {
    status next{};
    std::span<action const> todo{};  ///< in order; points into the workspace, valid until its next use
    time_point wake_at = never;      ///< step again then: the progress deadline
};

/// Advances a deployment by one sync. Total and deterministic: `sets` may be in any order. With nothing
/// to change, `todo` is empty and `next == before`. O(n log n) for n sets.
[[nodiscard]] constexpr stepped step(deployment const& wanted, status const& before,
    std::span<replica_set const> sets, time_point now, workspace& room, options const& how = {});

/// Anything that can be seen as one of a deployment's sets: `as_replica_set(s)`, found by argument-dependent
/// lookup, says how. The name in the answer must live as long as `s`.
template<class S>
concept ReplicaSet = requires(S const& s) {
    { as_replica_set(s) } -> std::same_as<replica_set>;
};

/// The same over sets of the caller's own type; an action's `set` is a position in that range.
template<std::ranges::input_range Sets>
requires ReplicaSet<std::ranges::range_value_t<Sets>>
[[nodiscard]] constexpr stepped step(deployment const& wanted, status const& before, Sets const& sets,
    time_point now, workspace& room, options const& how = {})
{
    room.seen.clear();
    for (auto const& s : sets)
        room.seen.push_back(as_replica_set(s));
    return step(wanted, before, std::span<replica_set const>(room.seen), now, room, how);
}

/// The size that set `which` (`no_set`: one to be created), the one of the wanted template, may have now: as
/// much of what is wanted as the pods of all sets leave room for; never less than it has. O(n).
[[nodiscard]] constexpr std::int32_t size_for_new(deployment const& wanted, std::span<replica_set const> sets,
    std::size_t which, options const& how = {}) noexcept;

/// Whether everything is as wanted: all pods updated, none besides, all available, and this generation seen.
[[nodiscard]] constexpr bool is_complete(deployment const& d, status const& s) noexcept
{
    return s.updated == d.replicas && s.replicas == d.replicas && s.available == d.replicas &&
        s.observed_generation >= d.generation;
}

/// A short reason for logs and events: "room for new pods within the surge".
[[nodiscard]] constexpr std::string_view to_string(cause c) noexcept
{
    switch (c) {
    case cause::new_template: return "new template";
    case cause::room_for_new: return "room for new pods within the surge";
    case cause::above_desired: return "more new pods than wanted";
    case cause::unhealthy_old: return "old pods that are not available";
    case cause::replaced_old: return "enough pods are available without these old ones";
    case cause::recreate_old: return "recreate: the old pods go first";
    case cause::recreate_new: return "recreate: the old pods are gone";
    case cause::only_active: return "scaled";
    case cause::new_saturated: return "the new set serves alone";
    case cause::proportional: return "scaled in proportion during a rollout";
    case cause::record_behind: return "bookkeeping";
    case cause::beyond_history: return "beyond the revision history limit";
    case cause::rollback: return "rolled back";
    case cause::template_unchanged: return "the revision to roll back to has the present template";
    case cause::revision_not_found: return "the revision to roll back to is not there";
    }
    return "unknown";
}

namespace detail {

/// a * b / c rounded half up, for a, b >= 0 and c > 0 that are each below 2^33.
[[nodiscard]] constexpr std::int64_t scaled(std::int64_t a, std::int64_t b, std::int64_t c) noexcept
{
    auto const product = a * b;
    auto const rest = product % c;
    return product / c + (rest >= c - rest ? 1 : 0);
}

/// `size` with as much of `free` as brings it to `wanted`.
[[nodiscard]] constexpr std::int32_t grown(std::int32_t size, std::int32_t wanted, std::int64_t free) noexcept
{
    return free <= 0 ? size : narrow(size + std::min<std::int64_t>(free, std::int64_t{wanted} - size));
}

/// One call of `step`: its inputs, the status as far as it has come, and the lists.
class sync {
public:
    constexpr sync(deployment const& wanted, status const& before, std::span<replica_set const> sets,
        time_point now, workspace& room, options const& how)
        : d(wanted),
          st(before),
          now_(now),
          w(room),
          exact_(how.pods == counting::what_exists),
          bounds_(limits(wanted.bounds, wanted.how, wanted.replicas))
    {
        auto const newest = find_new(sets);
        w.actions.clear();
        w.sets.clear();
        w.position.clear();
        w.size.clear();
        w.latest.assign(sets.size(), no_set);
        for (std::size_t i = 0; i < sets.size(); ++i)
            w.position.push_back(i);
        std::sort(w.position.begin(), w.position.end(), [&](std::size_t a, std::size_t b) {
            if ((a == newest) != (b == newest))
                return b == newest;
            return is_older(sets[a], sets[b]) || (!is_older(sets[b], sets[a]) && a < b);
        });
        for (auto const i : w.position) {
            w.sets.push_back(sets[i]);
            w.size.push_back(sets[i].replicas);
        }
        if (newest != no_set)
            new_ = sets.size() - 1;
    }

    constexpr stepped run()
    {
        if (d.deleting) {
            sync_revision(false);
            return finish(false);
        }
        note_pause();
        if (d.paused) {
            sync_revision(false);
            scale();
            if (!d.rollback_to)
                forget_history();
            return finish(false);
        }
        if (d.rollback_to) {
            sync_revision(true);
            roll_back();
            return answer();
        }
        sync_revision(false);
        if (is_scaling()) {
            scale();
            return finish(false);
        }
        return d.how == strategy::recreate ? recreate() : roll();
    }

private:
    // --- the sets ---------------------------------------------------------------------------------

    constexpr std::size_t count_old() const { return w.sets.size() - (new_ == no_set ? 0 : 1); }
    constexpr std::int32_t max_replicas() const { return narrow(std::int64_t{d.replicas} + bounds_.surge); }

    /// Sums something over all sets.
    template<class F>
    constexpr std::int64_t sum(F&& of) const
    {
        std::int64_t total = 0;
        for (std::size_t i = 0; i < w.sets.size(); ++i)
            total += of(i);
        return total;
    }
    constexpr std::int64_t total() const
    {
        return sum([&](std::size_t i) { return std::int64_t{w.size[i]}; });
    }
    /// Pods that take room.
    constexpr std::int64_t total_taking_room() const
    {
        return sum([&](std::size_t i) {
            return std::int64_t{exact_ ? std::max(w.size[i], w.sets[i].status_replicas) : w.size[i]};
        });
    }
    /// How many more pods there may be; negative if there are too many.
    constexpr std::int64_t free_room() const
    {
        return std::int64_t{d.replicas} + bounds_.surge - total_taking_room();
    }
    /// Available pods of a set that it is not about to lose.
    constexpr std::int64_t available(std::size_t i) const
    {
        return exact_ ? std::min(w.sets[i].available, w.size[i]) : w.sets[i].available;
    }

    // --- actions ----------------------------------------------------------------------------------

    constexpr void act(verb what, cause why, std::size_t i, std::int32_t from, std::int32_t to)
    {
        auto const& s = w.sets[i];
        auto const position = w.position[i];
        if (auto const earlier = std::exchange(w.latest[i], w.actions.size()); earlier != no_set)
            w.actions[earlier].superseded = true;
        w.actions.push_back({.what = what,
            .why = why,
            .set = position,
            .from = from,
            .to = to,
            .after = {.revision = s.revision,
                .desired = s.recorded_desired,
                .max = s.recorded_max,
                .min_ready = s.min_ready}});
    }

    constexpr bool resize(std::size_t i, std::int64_t to, cause why)
    {
        auto const from = w.size[i];
        auto const size = narrow(to);
        if (size == from)
            return false;
        w.size[i] = size;
        w.sets[i].recorded_desired = d.replicas;
        w.sets[i].recorded_max = max_replicas();
        act(verb::scale_set, why, i, from, size);
        return true;
    }

    constexpr void record_sizes(std::size_t i)
    {
        auto& s = w.sets[i];
        if (s.recorded_desired == d.replicas && s.recorded_max == max_replicas())
            return;
        s.recorded_desired = d.replicas;
        s.recorded_max = max_replicas();
        act(verb::annotate_set, cause::record_behind, i, w.size[i], w.size[i]);
    }

    // --- revisions --------------------------------------------------------------------------------

    /// Keeps the new set's revision above all others and shows it; creates the set if asked to.
    constexpr void sync_revision(bool create)
    {
        std::int64_t highest = 0;
        for (std::size_t i = 0; i < count_old(); ++i)
            highest = std::max(highest, w.sets[i].revision);
        auto const newest = highest < std::numeric_limits<std::int64_t>::max() ? highest + 1 : highest;
        if (new_ != no_set) {
            auto& s = w.sets[new_];
            if (s.revision < newest || s.min_ready != d.min_ready) {
                s.revision = std::max(s.revision, newest);
                s.min_ready = d.min_ready;
                act(verb::annotate_set, cause::record_behind, new_, w.size[new_], w.size[new_]);
                annotated_ = true;
            }
            if (annotated_)
                return;  // the set's change brings the next step, and that one shows the revision
            st.revision = s.revision;
            if (d.progress_deadline && !st.progressing)
                set_condition(st.progressing, condition_status::true_, reason::found_new_replica_set, now_);
            return;
        }
        if (!create)
            return;
        auto const size = d.how == strategy::recreate ? d.replicas : size_for_new(0);
        new_ = w.sets.size();
        w.position.push_back(no_set);
        w.latest.push_back(no_set);
        w.size.push_back(size);
        w.sets.push_back({.created_at = now_,
            .revision = newest,
            .matches_template = true,
            .replicas = size,
            .observed = false,
            .recorded_desired = d.replicas,
            .recorded_max = max_replicas(),
            .min_ready = d.min_ready});
        act(verb::create_set, cause::new_template, new_, 0, size);
        st.revision = newest;
        if (d.progress_deadline)
            set_condition(st.progressing, condition_status::true_, reason::new_replica_set_created, now_);
    }

    constexpr void roll_back()
    {
        auto const target = find_revision(w.sets, *d.rollback_to);
        auto const why = target == no_set     ? cause::revision_not_found
            : w.sets[target].matches_template ? cause::template_unchanged
                                              : cause::rollback;
        w.actions.push_back({.what = verb::update_deployment,
            .why = why,
            .set = why == cause::rollback ? w.position[target] : no_set});
    }

    /// Deletes the lowest revisions beyond the limit, of those that have no pods and have settled.
    constexpr void forget_history()
    {
        if (!d.revision_history_limit)
            return;
        auto const keep = static_cast<std::size_t>(std::max(*d.revision_history_limit, 0));
        if (count_old() <= keep)
            return;
        order_of([](std::size_t) { return true; }, count_old(),
            [&](std::size_t a, std::size_t b) {
                return w.sets[a].revision != w.sets[b].revision ? w.sets[a].revision < w.sets[b].revision
                                                                : a < b;
            });
        w.order.resize(count_old() - keep);
        for (auto const i : w.order)
            if (w.sets[i].status_replicas == 0 && w.sets[i].replicas == 0 && w.sets[i].observed)
                act(verb::delete_set, cause::beyond_history, i, 0, 0);
    }

    // --- scaling ----------------------------------------------------------------------------------

    /// Fills `order` with those of the first `count` sets that `wanted` takes, sorted.
    template<class Take, class Less>
    constexpr void order_of(Take&& take, std::size_t count, Less&& less)
    {
        w.order.clear();
        for (std::size_t i = 0; i < count; ++i)
            if (take(i))
                w.order.push_back(i);
        std::sort(w.order.begin(), w.order.end(), less);
    }

    constexpr bool is_scaling() const
    {
        for (auto const& s : w.sets)
            if (s.replicas > 0 && s.recorded_desired && *s.recorded_desired != d.replicas)
                return true;
        return false;
    }

    constexpr void scale()
    {
        if (w.sets.empty())
            return;
        std::size_t active = 0;
        std::size_t only = w.sets.size() - 1;  // none active: the new one, or else the youngest
        for (std::size_t i = 0; i < w.sets.size(); ++i)
            if (w.size[i] > 0) {
                ++active;
                only = i;
            }
        if (active > 1) {
            scale_several();
            return;
        }
        std::int64_t to = d.replicas;
        if (exact_ && to > w.size[only]) {  // others may have pods that are not gone yet
            auto const has = std::max(w.size[only], w.sets[only].status_replicas);
            to = std::min(to, std::max<std::int64_t>(w.size[only], has + free_room()));
        }
        if (!resize(only, to, cause::only_active) && active == 1)
            record_sizes(only);  // scaled behind our back: without the record this would be scaling for ever
    }

    constexpr void scale_several()
    {
        auto const is_active = [&](std::size_t i) { return w.size[i] > 0; };
        bool const saturated = new_ != no_set && w.size[new_] == d.replicas &&
            w.sets[new_].recorded_desired == d.replicas && w.sets[new_].available == d.replicas;
        if (saturated) {
            for (std::size_t i = 0; i < count_old(); ++i)
                if (is_active(i))
                    resize(i, 0, cause::new_saturated);
            return;
        }
        if (d.how != strategy::rolling_update) {  // nothing to share out; the record alone ends the scaling
            for (std::size_t i = 0; i < w.sets.size(); ++i)
                if (is_active(i))
                    record_sizes(i);
            return;
        }
        auto to_add = (d.replicas > 0 ? std::int64_t{max_replicas()} : 0) - total();
        if (exact_ && to_add > 0)
            to_add = std::clamp<std::int64_t>(free_room(), 0, to_add);
        auto const younger = [&](std::size_t a, std::size_t b) { return is_older(w.sets[b], w.sets[a]); };
        order_of(is_active, w.sets.size(), [&](std::size_t a, std::size_t b) {
            if (to_add != 0 && w.size[a] != w.size[b])
                return w.size[a] > w.size[b];
            if (to_add > 0 && (younger(a, b) || younger(b, a)))
                return younger(a, b);
            if (to_add < 0 && (younger(a, b) || younger(b, a)))
                return younger(b, a);
            return a < b;
        });
        std::int64_t added = 0;
        for (auto const i : w.order)
            added += share(i, to_add, added);
        auto leftover = to_add - added;
        added = 0;
        for (auto const i : w.order) {
            auto const mine = share(i, to_add, added);
            added += mine;
            if (!resize(i, std::max<std::int64_t>(w.size[i] + mine + leftover, 0), cause::proportional))
                record_sizes(i);
            leftover = 0;  // the first, the largest, takes what rounding left
        }
    }

    /// How many of `to_add` pods (negative: to remove) fall to set i when `added` are dealt out already.
    constexpr std::int64_t share(std::size_t i, std::int64_t to_add, std::int64_t added) const
    {
        if (to_add == 0 || to_add == added)
            return 0;
        auto const allowed = to_add - added;
        auto const size = w.size[i];
        std::int64_t fraction = 0;
        if (d.replicas == 0) {
            fraction = -std::int64_t{size};
        } else {
            auto base = w.sets[i].recorded_max.value_or(0);
            if (base <= 0)
                base = st.replicas;
            if (base <= 0)
                return 0;
            fraction = std::int64_t{narrow(scaled(size, max_replicas(), base))} - size;
        }
        return to_add > 0 ? std::min(fraction, allowed) : std::max(fraction, allowed);
    }

    // --- rolling ----------------------------------------------------------------------------------

    /// The size the new set, now `size`, may grow to.
    constexpr std::int32_t size_for_new(std::int32_t size) const
    {
        return grown(size, d.replicas, free_room());
    }

    constexpr stepped roll()
    {
        sync_revision(true);
        auto const size = w.size[new_];
        bool scaled = false;
        if (size > d.replicas)
            scaled = resize(new_, d.replicas, cause::above_desired);
        else if (size < d.replicas)
            scaled = resize(new_, size_for_new(size), cause::room_for_new);
        scaled = scaled || shrink_old();
        if (!scaled && is_complete(d, st))
            forget_history();
        return finish(true);
    }

    constexpr bool shrink_old()
    {
        auto const min_available = std::int64_t{d.replicas} - bounds_.unavailable;
        std::int64_t old_pods = 0;
        for (std::size_t i = 0; i < count_old(); ++i)
            old_pods += w.size[i];
        auto const unavailable_new = w.size[new_] - available(new_);
        auto most = total() - min_available - unavailable_new;
        if (old_pods == 0 || most <= 0)
            return false;

        bool scaled = false;
        for (std::size_t i = 0; i < count_old() && most > 0; ++i) {
            auto const unhealthy = w.size[i] - available(i);
            if (w.size[i] == 0 || unhealthy == 0)
                continue;
            if (unhealthy < 0)
                return false;  // only as Kubernetes counts: it gives up here, and forgets that it has scaled
            auto const less = std::min(most, unhealthy);
            scaled = resize(i, w.size[i] - less, cause::unhealthy_old) || scaled;
            most -= less;
        }

        auto spare = available(new_) - min_available;
        for (std::size_t i = 0; i < count_old(); ++i)
            if (w.sets[i].replicas > 0)
                spare += available(i);
        for (std::size_t i = 0; i < count_old() && spare > 0; ++i) {
            auto const less = std::min<std::int64_t>(w.size[i], spare);
            scaled = resize(i, w.size[i] - less, cause::replaced_old) || scaled;
            spare -= less;
        }
        return scaled;
    }

    // --- recreate ---------------------------------------------------------------------------------

    constexpr stepped recreate()
    {
        bool scaled = false;
        bool running = false;
        for (std::size_t i = 0; i < count_old(); ++i) {
            scaled = resize(i, 0, cause::recreate_old) || scaled;
            running = running || w.sets[i].status_replicas > 0 || w.sets[i].pods_left;
        }
        if (scaled || running)
            return finish(true);
        sync_revision(true);
        resize(new_, d.replicas, cause::recreate_new);
        if (is_complete(d, st))
            forget_history();
        return finish(true);
    }

    // --- status -----------------------------------------------------------------------------------

    constexpr void note_pause()
    {
        if (!d.progress_deadline)
            return;
        auto const why = st.progressing ? std::optional(st.progressing->why) : std::nullopt;
        if (why == reason::progress_deadline_exceeded)
            return;
        bool const noted = why == reason::deployment_paused;
        if (d.paused && !noted)
            set_condition(st.progressing, condition_status::unknown, reason::deployment_paused, now_);
        else if (!d.paused && noted)
            set_condition(st.progressing, condition_status::unknown, reason::deployment_resumed, now_);
    }

    constexpr status counted() const
    {
        auto next = st;
        next.observed_generation = d.generation;
        next.replicas = narrow(sum([&](std::size_t i) { return std::int64_t{w.sets[i].status_replicas}; }));
        next.updated = new_ == no_set ? 0 : w.sets[new_].status_replicas;
        next.ready = narrow(sum([&](std::size_t i) { return std::int64_t{w.sets[i].ready}; }));
        auto const available = sum([&](std::size_t i) { return std::int64_t{w.sets[i].available}; });
        auto const wanted = sum([&](std::size_t i) { return std::int64_t{w.sets[i].replicas}; });
        next.available = narrow(available);
        next.unavailable = narrow(std::max<std::int64_t>(wanted - available, 0));
        bool const enough = available >= std::int64_t{d.replicas} - bounds_.unavailable;
        set_condition(next.available_condition, enough ? condition_status::true_ : condition_status::false_,
            enough ? reason::minimum_replicas_available : reason::minimum_replicas_unavailable, now_);
        return next;
    }

    constexpr bool made_progress(status const& next) const
    {
        return next.updated > st.updated ||
            std::int64_t{next.replicas} - next.updated < std::int64_t{st.replicas} - st.updated ||
            next.ready > st.ready || next.available > st.available;
    }

    constexpr bool is_overdue(condition const& c) const
    {
        if (c.why == reason::new_replica_set_available)
            return false;  // a rollout that has finished does not fail later
        return c.why == reason::progress_deadline_exceeded || now_ > deadline(c);
    }

    constexpr time_point deadline(condition const& c) const
    {
        return later(c.last_update, *d.progress_deadline);
    }

    constexpr void judge_progress(status& next) const
    {
        if (!d.progress_deadline) {
            next.progressing.reset();
            return;
        }
        auto const& current = st.progressing;
        if (current && current->why == reason::new_replica_set_available && next.replicas == next.updated)
            return;
        if (is_complete(d, next)) {
            set_condition(next.progressing, condition_status::true_, reason::new_replica_set_available, now_);
        } else if (made_progress(next)) {
            auto const since =
                current && current->value == condition_status::true_ ? current->last_transition : now_;
            next.progressing = condition{.value = condition_status::true_,
                .why = reason::replica_set_updated,
                .last_update = now_,
                .last_transition = since};
        } else if (next.progressing && is_overdue(*next.progressing)) {
            set_condition(
                next.progressing, condition_status::false_, reason::progress_deadline_exceeded, now_);
        }
    }

    constexpr void show_failure(status& next) const
    {
        replica_set const* failing = nullptr;
        if (new_ != no_set && w.sets[new_].failure)
            failing = &w.sets[new_];
        for (std::size_t i = 0; i < count_old() && failing == nullptr; ++i)
            if (w.sets[i].failure)
                failing = &w.sets[i];
        if (failing == nullptr) {
            next.replica_failure.reset();
            return;
        }
        auto const& f = *failing->failure;
        auto const& c = next.replica_failure;
        if (!c || c->value != condition_status::true_ || c->why != f.why)
            next.replica_failure = condition{.value = condition_status::true_,
                .why = f.why,
                .last_update = f.since,
                .last_transition = c && c->value == condition_status::true_ ? c->last_transition : f.since};
    }

    constexpr stepped finish(bool rolling)
    {
        auto next = counted();
        if (rolling) {
            judge_progress(next);
            show_failure(next);
        }
        st = next;
        return answer();
    }

    constexpr stepped answer() const
    {
        time_point wake = never;
        bool const waits = d.progress_deadline && st.progressing && !d.paused && !d.deleting &&
            st.progressing->why != reason::new_replica_set_available &&
            st.progressing->why != reason::progress_deadline_exceeded;
        if (waits && deadline(*st.progressing) != never)
            wake = std::max(now_, deadline(*st.progressing) + duration(1));
        return {.next = st, .todo = w.actions, .wake_at = wake};
    }

    deployment const& d;
    status st;
    time_point now_;
    workspace& w;
    bool exact_;
    fenceposts bounds_;
    std::size_t new_ = no_set;  ///< always the last of `w.sets`
    bool annotated_ = false;
};

}  // namespace detail

constexpr stepped step(deployment const& wanted, status const& before, std::span<replica_set const> sets,
    time_point now, workspace& room, options const& how)
{
    return detail::sync(wanted, before, sets, now, room, how).run();
}

constexpr std::int32_t size_for_new(deployment const& wanted, std::span<replica_set const> sets,
    std::size_t which, options const& how) noexcept
{
    if (wanted.how == strategy::recreate)
        return wanted.replicas;
    auto free = std::int64_t{wanted.replicas} + limits(wanted.bounds, wanted.how, wanted.replicas).surge;
    for (auto const& s : sets)
        free -= how.pods == counting::what_exists ? std::max(s.replicas, s.status_replicas) : s.replicas;
    return detail::grown(which < sets.size() ? sets[which].replicas : 0, wanted.replicas, free);
}

}  // namespace podium::v0::rollout
