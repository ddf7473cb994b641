#pragma once
/// The pods that wait to be placed: who is next, who has to wait for how long, and whom an event can help.
///
///     pod_queue<std::string> q;
///     q.add("web-1", {.priority = 10}, now);
///     while (auto const* pod = q.pop())                  // now with the caller, until one of these:
///         if (auto const d = fleet.place(...); d.node) q.done(*pod);
///         else                                 q.refused(*pod, rejectors(d), now);
///     q.notify(plugin_bit(0), now);                      // something happened that helps whom plugin 0
///     refused q.advance(now);                                    // at q.wake_at(), and whenever the caller
///     likes
///
/// A pod is ready, backs off, waits for an event, or is with the caller. The order of the ready is priority,
/// then who came (or was refused) first, then who was added first. A pod that was refused waits until an
/// event helps one of the plugins that refused it, or until it has waited for `max_wait`; then it is ready,
/// unless its back-off lasts longer: 1 s doubling to 10 s, in steps of whole seconds, so that pods whose
/// back-offs end in one second go by priority. An event that comes while a pod is with the caller counts when
/// it is refused. When nothing is ready, `pop` gives the pod whose back-off ends first: a scheduler does not
/// idle beside work. (Not one that failed by an error: what is broken needs the rest.)
///
/// Pure: no clock, no lock, and deterministic.
///
/// Source: kube-scheduler v1.35, backend/queue (scheduling_queue.go, backoff_queue.go, active_queue.go) and
/// plugins/queuesort, with queueing hints and popping from the back-off queue on, as by default.

#include <podium/core/time.hpp>
#include <podium/schedule/decision.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// Several of a pipeline's filters: bit i is the one at place i; those above 63 share the last bit.
using plugin_set = std::uint64_t;
inline constexpr plugin_set all_plugins = ~plugin_set{};

/// The set of one filter, by its place in filters<>.
[[nodiscard]] constexpr plugin_set plugin_bit(std::size_t place) noexcept
{
    return plugin_set{1} << std::min<std::size_t>(place, 63);
}
/// The filters that refused any node.
[[nodiscard]] inline plugin_set rejectors(decision const& d) noexcept
{
    plugin_set out = 0;
    for (auto const& r : d.refused)
        out |= plugin_bit(r.plugin);
    return out;
}

/// What the queue wants to know of a pod.
struct queued_pod {
    std::int32_t priority = 0;  ///< higher goes first
    bool gated = false;         ///< has scheduling gates: waits until `open`
    friend bool operator==(queued_pod const&, queued_pod const&) = default;
};

/// Who goes first of two pods of equal priority that came at the same moment.
enum class equals : std::uint8_t {
    first_added,  ///< the one that was added first
    kubernetes,   ///< whichever its heap gives, which depends on all that came and went before
};

/// How long pods wait. Defaults are kube-scheduler's.
struct queue_policy {
    duration first_backoff = std::chrono::seconds(1);
    duration max_backoff = std::chrono::seconds(10);  ///< 0: no back-off
    duration max_wait = std::chrono::minutes(5);      ///< for an event; longer, and the pod is tried anyway
    schedule::equals equals = schedule::equals::first_added;
    friend bool operator==(queue_policy const&, queue_policy const&) = default;
};

/// The wait after so many failures in a row: the first, doubling, never above the maximum. O(1).
[[nodiscard]] constexpr duration backoff_after(queue_policy const& p, std::uint32_t failures) noexcept
{
    auto const most = std::max(p.max_backoff, duration::zero());
    if (failures == 0)
        return duration::zero();
    auto const shift = failures - 1;
    if (shift >= 63 || p.first_backoff > duration(most.count() >> shift))
        return most;
    return std::max(p.first_backoff, duration::zero()) * (std::int64_t{1} << shift);
}

/// Where a pod is.
enum class pod_place : std::uint8_t {
    absent,         ///< not in the queue
    ready,          ///< `pop` gives it
    backing_off,    ///< for a time
    unschedulable,  ///< until an event helps it, or its gates open
    in_flight,      ///< with the caller
};

[[nodiscard]] constexpr std::string_view to_string(pod_place p) noexcept
{
    switch (p) {
    case pod_place::absent: return "absent";
    case pod_place::ready: return "ready";
    case pod_place::backing_off: return "backing off";
    case pod_place::unschedulable: return "unschedulable";
    case pod_place::in_flight: return "in flight";
    }
    return {};
}

/// Calls are O(log n); `notify` is O(pods that wait for an event or are in flight). Unsynchronised; movable.
template<class Key, class Hash = std::hash<Key>>
requires std::copyable<Key> && std::equality_comparable<Key> && requires(Hash const& h, Key const& k) {
    { h(k) } -> std::convertible_to<std::size_t>;
}
class pod_queue {
public:
    explicit pod_queue(queue_policy p = {}, Hash hash = {}) : policy_(p), pods_(16, std::move(hash)) {}

    pod_queue(pod_queue&&) noexcept = default;
    pod_queue& operator=(pod_queue&&) noexcept = default;

    /// A pod that waits to be placed. False, and nothing changes, when it is known already.
    bool add(Key const& k, queued_pod const& p, time_point now)
    {
        auto const [it, is_new] = pods_.try_emplace(k);
        if (!is_new)
            return false;
        it->second = {.what = p, .number = numbers_++, .since = now};
        enter(*it, p.gated ? pod_place::unschedulable : pod_place::ready);
        return true;
    }
    /// The pod is gone, wherever it was. False when it was not known.
    bool remove(Key const& k)
    {
        auto const it = pods_.find(k);
        if (it == pods_.end())
            return false;
        leave(*it);
        pods_.erase(it);
        return true;
    }
    /// Another priority, where the pod stands. False when it is not known.
    bool set_priority(Key const& k, std::int32_t priority)
    {
        auto const it = pods_.find(k);
        if (it == pods_.end())
            return false;
        auto const place = it->second.place;
        leave(*it);
        it->second.what.priority = priority;
        enter(*it, place);
        return true;
    }
    /// The last of its gates was removed. False when it had none.
    bool open(Key const& k, time_point now)
    {
        auto const it = pods_.find(k);
        if (it == pods_.end() || !it->second.what.gated)
            return false;
        it->second.what.gated = false;
        if (it->second.place == pod_place::unschedulable)
            requeue(*it, now);
        return true;
    }

    /// The next pod, now with the caller; it stays where it is until it is removed. Null when there is none.
    [[nodiscard]] Key const* pop()
    {
        auto& from = ready_.empty() ? backing_off_ : ready_;
        if (from.empty())
            return nullptr;
        auto& pod = from.first();
        leave(pod);
        ++pod.second.attempts;
        pod.second.rejected_by = 0;
        pod.second.helped = false;
        pod.second.events = 0;
        enter(pod, pod_place::in_flight);
        return &pod.first;
    }
    /// The pod has its node, and leaves. False when the caller does not have it.
    bool done(Key const& k)
    {
        auto const it = flying(k);
        return it != pods_.end() && remove(k);
    }
    /// No node took it: it waits for an event that helps one of `by`. False when the caller does not have it.
    bool refused(Key const& k, plugin_set by, time_point now)
    {
        auto const it = flying(k);
        if (it == pods_.end())
            return false;
        if (by == 0)
            return failed(k, now);
        auto& p = it->second;
        ++p.refusals;
        p.errors = 0;
        p.rejected_by = by;
        p.since = now;
        p.backoff_until = {};
        if (p.helped || (p.events & by) != 0)
            requeue(*it, now);
        else
            move(*it, pod_place::unschedulable);
        return true;
    }
    /// Trying it went wrong, by no plugin's word: it is tried again after its back-off. False when the caller
    /// does not have it.
    bool failed(Key const& k, time_point now)
    {
        auto const it = flying(k);
        if (it == pods_.end())
            return false;
        ++it->second.errors;
        it->second.since = now;
        it->second.backoff_until = {};
        requeue(*it, now);
        return true;
    }

    /// Something happened that may help pods that these plugins refused; `helps(key)` may say no for one.
    template<std::predicate<Key const&> Helps>
    void notify(plugin_set plugins, time_point now, Helps&& helps)
    {
        std::vector<typename pods::value_type*> woken;
        for (auto* pod : waiting_)
            if (!pod->second.what.gated && (pod->second.rejected_by & plugins) != 0 && helps(pod->first))
                woken.push_back(pod);
        for (auto* pod : woken)
            requeue(*pod, now);
        for (auto* pod : flying_)
            if ((pod->second.events & plugins) != plugins && helps(pod->first))
                pod->second.events |= plugins;
    }
    void notify(plugin_set plugins, time_point now)
    {
        notify(plugins, now, [](Key const&) { return true; });
    }

    /// Makes ready whose back-off has ended, then tries again who waited for too long.
    void advance(time_point now)
    {
        auto const window = second_of(now);
        for (auto* const from : {&backing_off_, &after_error_})
            while (!from->empty() && *from->first().second.backoff_until < window)
                move(from->first(), pod_place::ready);
        std::vector<typename pods::value_type*> old;
        for (auto* pod : waiting_)
            if (elapsed(pod->second.since, now) > policy_.max_wait)
                old.push_back(pod);
        if (old.empty())
            return;
        for (auto* pod : old)
            if (!pod->second.what.gated)
                requeue(*pod, now);
        for (auto* pod : flying_)
            pod->second.helped = true;
    }
    /// When `advance` has something to do, if ever. O(pods that wait for an event).
    [[nodiscard]] std::optional<time_point> wake_at() const
    {
        std::optional<time_point> out;
        auto const at = [&](time_point t) { out = out ? std::min(*out, t) : t; };
        for (auto const* from : {&backing_off_, &after_error_})
            if (!from->empty())
                at(later(*from->first().second.backoff_until, std::chrono::seconds(1)));
        for (auto const* pod : waiting_)
            if (!pod->second.what.gated)
                at(later(later(pod->second.since, policy_.max_wait), duration(1)));
        return out;
    }

    [[nodiscard]] pod_place where(Key const& k) const
    {
        auto const it = pods_.find(k);
        return it == pods_.end() ? pod_place::absent : it->second.place;
    }
    /// How often the caller had it.
    [[nodiscard]] std::uint32_t attempts(Key const& k) const
    {
        auto const it = pods_.find(k);
        return it == pods_.end() ? 0 : it->second.attempts;
    }
    [[nodiscard]] std::size_t ready() const noexcept { return ready_.size(); }
    [[nodiscard]] std::size_t backing_off() const noexcept
    {
        return backing_off_.size() + after_error_.size();
    }
    [[nodiscard]] std::size_t unschedulable() const noexcept { return waiting_.size(); }
    [[nodiscard]] std::size_t in_flight() const noexcept { return flying_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return pods_.size(); }

private:
    struct state {
        queued_pod what{};
        std::uint64_t number = 0;  ///< of the adding
        time_point since{};        ///< added, or last refused
        std::uint32_t attempts = 0;
        std::uint32_t refusals = 0;
        std::uint32_t errors = 0;  ///< in a row
        plugin_set rejected_by = 0;
        plugin_set events = 0;  ///< came while it was in flight
        bool helped = false;    ///< so did one that helps whomever
        std::optional<time_point> backoff_until{};
        pod_place place = pod_place::absent;
        std::size_t at = 0;  ///< in its line
    };
    using pods = std::unordered_map<Key, state, Hash>;
    using value = typename pods::value_type;

    /// A binary heap whose pods know their place, so that any can leave. O(log n). Its steps are the usual
    /// ones, which Kubernetes' order of equal pods follows from.
    class line {
    public:
        [[nodiscard]] bool empty() const noexcept { return all_.empty(); }
        [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
        [[nodiscard]] value& first() const noexcept { return *all_.front(); }
        template<class Before>
        void insert(value& pod, Before const& before)
        {
            all_.push_back(&pod);
            pod.second.at = all_.size() - 1;
            rise(all_.size() - 1, before);
        }
        template<class Before>
        void erase(value& pod, Before const& before)
        {
            auto const at = pod.second.at;
            trade(at, all_.size() - 1);
            all_.pop_back();
            if (at < all_.size() && !sink(at, before))
                rise(at, before);
        }

    private:
        void trade(std::size_t a, std::size_t b) noexcept
        {
            std::swap(all_[a], all_[b]);
            all_[a]->second.at = a;
            all_[b]->second.at = b;
        }
        void rise(std::size_t at, auto const& before)
        {
            for (; at > 0 && before(*all_[at], *all_[(at - 1) / 2]); at = (at - 1) / 2)
                trade(at, (at - 1) / 2);
        }
        bool sink(std::size_t at, auto const& before)
        {
            auto const from = at;
            for (auto child = 2 * at + 1; child < all_.size(); child = 2 * at + 1) {
                if (child + 1 < all_.size() && before(*all_[child + 1], *all_[child]))
                    ++child;
                if (!before(*all_[child], *all_[at]))
                    break;
                trade(at, child);
                at = child;
            }
            return at > from;
        }

        std::vector<value*> all_{};
    };
    /// The order of a line: by the end of the back-off where there is one, then, unless only that counts
    /// (after an error), by priority and age.
    [[nodiscard]] auto order_of(line const& l) const
    {
        return
            [this, backs_off = &l != &ready_, by_rank = &l != &after_error_](value const& a, value const& b) {
                auto const &x = a.second, &y = b.second;
                if (backs_off && x.backoff_until != y.backoff_until)
                    return x.backoff_until < y.backoff_until;
                if (by_rank && x.what.priority != y.what.priority)
                    return x.what.priority > y.what.priority;
                if (by_rank && x.since != y.since)
                    return x.since < y.since;
                return policy_.equals == equals::first_added && x.number < y.number;
            };
    }

    struct by_number {
        bool operator()(value const* a, value const* b) const noexcept
        {
            return a->second.number < b->second.number;
        }
    };
    using group = std::set<value*, by_number>;

    /// The second that it lies in, from the epoch on.
    [[nodiscard]] static time_point second_of(time_point t) noexcept
    {
        constexpr duration second = std::chrono::seconds(1);
        if (t < time_point::min() + second)
            return time_point::min();
        return t - (t.time_since_epoch() % second + second) % second;
    }
    [[nodiscard]] auto flying(Key const& k)
    {
        auto const it = pods_.find(k);
        return it != pods_.end() && it->second.place == pod_place::in_flight ? it : pods_.end();
    }
    /// Nothing when it need not back off. Reckoned once after each failure.
    [[nodiscard]] std::optional<time_point> backoff_end(state& s) const
    {
        auto const failures = s.errors > 0 ? s.errors : s.refusals;
        if (failures == 0 || policy_.max_backoff <= duration::zero())
            return std::nullopt;
        if (!s.backoff_until)
            s.backoff_until = second_of(later(s.since, backoff_after(policy_, failures)));
        return s.backoff_until;
    }
    /// Ready, or first its back-off.
    void requeue(value& pod, time_point now)
    {
        auto const end = backoff_end(pod.second);
        move(pod,
            pod.second.what.gated               ? pod_place::unschedulable
                : end && *end >= second_of(now) ? pod_place::backing_off
                                                : pod_place::ready);
    }
    void move(value& pod, pod_place to)
    {
        leave(pod);
        enter(pod, to);
    }
    [[nodiscard]] line& backoff_line(state const& s)
    {
        return s.rejected_by == 0 ? after_error_ : backing_off_;
    }
    void enter(value& pod, pod_place to)
    {
        pod.second.place = to;
        switch (to) {
        case pod_place::ready: ready_.insert(pod, order_of(ready_)); break;
        case pod_place::backing_off: {
            auto& l = backoff_line(pod.second);
            l.insert(pod, order_of(l));
            break;
        }
        case pod_place::unschedulable: waiting_.insert(&pod); break;
        case pod_place::in_flight: flying_.insert(&pod); break;
        case pod_place::absent: break;
        }
    }
    void leave(value& pod)
    {
        switch (pod.second.place) {
        case pod_place::ready: ready_.erase(pod, order_of(ready_)); break;
        case pod_place::backing_off: {
            auto& l = backoff_line(pod.second);
            l.erase(pod, order_of(l));
            break;
        }
        case pod_place::unschedulable: waiting_.erase(&pod); break;
        case pod_place::in_flight: flying_.erase(&pod); break;
        case pod_place::absent: break;
        }
        pod.second.place = pod_place::absent;
    }

    queue_policy policy_;
    pods pods_;
    line ready_{};
    line backing_off_{};
    line after_error_{};
    group waiting_{};
    group flying_{};
    std::uint64_t numbers_ = 0;
};

}  // namespace podium::v0::schedule
