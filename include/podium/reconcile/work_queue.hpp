#pragma once
/// Work queue of keys: each key is handed out to one worker at a time, and never forgotten.
///
/// A key added while it waits is kept once. A key added while it is in process is handed out once more after
/// `done`. A delayed add of a key that waits for a time keeps the earlier one. The order is first in, first
/// out, exactly Kubernetes', unless another is asked for (queue_order.hpp): priorities with aging, groups
/// that take turns.
///
///     work_queue<std::string> q;                                       // as Kubernetes
///     work_queue<job, fair<by_tenant, by_priority>, counted> q{...};   // tenants take turns; with figures
///
/// Pure: no clock, no lock, no thread. The same calls give the same order, on every machine. `advance(now)`
/// is where time comes in: it makes ready what is due, and whatever is timed afterwards happened then, so
/// a queue with figures is advanced before a batch of calls, or told the time by `measure`.
///
/// A slot, 24 bytes beside the key, serves for a key however often and however it waits; the table that finds
/// it takes another 10 to 20, a delay 16. Memory is kept for the next keys, not given back.
///
/// Differs from Kubernetes in what nobody should rely on: `done` of a key that is not in process does nothing
/// (there, a waiting key is then in line twice).
///
/// Source: client-go util/workqueue (queue.go, delaying_queue.go, metrics.go) in v0.35.4.

#include <podium/core/assert.hpp>
#include <podium/core/time.hpp>
#include <podium/reconcile/key_slots.hpp>
#include <podium/reconcile/queue_delays.hpp>
#include <podium/reconcile/queue_figures.hpp>
#include <podium/reconcile/queue_order.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// What a queue that shuts down still hands out.
enum class drain : std::uint8_t {
    ready,       ///< all that is ready, and what is in process and was added again: Kubernetes' way
    in_process,  ///< nothing more: who waits is dropped, who is in process finishes
};

/// A queue's keys as values, to be stored and put back. What was in process needs work again: its worker is
/// gone. (A plane needs none of this: its keys follow from the objects that it starts from.)
template<class Key>
struct saved_queue {
    struct item {
        Key key;
        std::optional<time_point> due{};  ///< the key waits for this; nothing: it needs work
        std::int32_t priority = 0;
        std::int64_t age = 0;  ///< how many keys became ready since it did
        friend bool operator==(item const&, item const&) = default;
    };
    std::vector<item>
        items{};  ///< in process, then as they would be handed out, then by time; a key may be in twice
    friend bool operator==(saved_queue const&, saved_queue const&) = default;
};

/// Calls are O(1) on average, O(log n) where a time or a priority is kept. Unsynchronised; movable.
template<class Key, class Order = fifo, class Figures = uncounted, class Hash = key_hash<Key>>
requires WorkKey<Key, Hash>
class work_queue {
public:
    static constexpr bool has_priority = Order::has_priority;
    static constexpr bool has_figures = !std::same_as<Figures, uncounted>;
    static_assert(
        !has_figures || requires(Key const& k) { Figures::group_of(k); },
        "Figures is counted, counted_by<...> or uncounted");

    work_queue() = default;
    explicit work_queue(Order order, Hash hash = {}) : order_(std::move(order)), keys_(std::move(hash)) {}

    /// An order without priorities has no value to give here.
    struct no_priority {};
    using priority = std::conditional_t<has_priority, std::int32_t, no_priority>;

    /// The key needs work. False when that was known already, or the queue is shut down. Higher priorities go
    /// first; a key that waits already may be raised, never lowered.
    bool add(Key const& k, priority p = {}) { return !shut_ && need(keys_.obtain(k).first, p); }
    bool add(Key&& k, priority p = {}) { return !shut_ && need(keys_.obtain(std::move(k)).first, p); }

    /// The key needs work at `when`, or at the earlier time that it already waits for; of several priorities
    /// the highest counts. `advance` makes it so, even where `when` is past.
    void add_at(Key const& k, time_point when, priority p = {})
    {
        if (!shut_)
            need_at(keys_.obtain(k).first, when, p);
    }
    void add_at(Key&& k, time_point when, priority p = {})
    {
        if (!shut_)
            need_at(keys_.obtain(std::move(k)).first, when, p);
    }

    /// As `add_at(now + delay)`, and `add` where the delay is zero or negative. A delay beyond the end of
    /// time ends there.
    void add_after(Key const& k, duration delay, time_point now, priority p = {})
    {
        if (!shut_)
            need_after(keys_.obtain(k).first, delay, now, p);
    }
    void add_after(Key&& k, duration delay, time_point now, priority p = {})
    {
        if (!shut_)
            need_after(keys_.obtain(std::move(k)).first, delay, now, p);
    }

    /// Makes ready what is due by `now`, earliest first. A clock that goes back makes nothing ready, and
    /// undoes nothing.
    void advance(time_point now)
    {
        if constexpr (has_figures)
            figures_.now = now;
        auto const near = [this](std::uint32_t id) { keys_.prefetch(id); };
        while (auto const e = delays_.pop(now.time_since_epoch().count(), near)) {
            if (!holds(*e))
                continue;
            auto& s = keys_[e->id].data;
            s.delayed = false;
            --delayed_;
            if constexpr (has_priority)
                need(e->id, s.mark.later_priority);
            else
                need(e->id, {});
        }
        if (delayed_ == 0 && delays_.size() > 0)
            delays_.clear();
    }

    /// The next ready key, now in process; it stays where it is until `done`. Null when none is ready.
    [[nodiscard]] Key const* get()
    {
        if (line_.size() == 0)
            return nullptr;
        auto const id = line_.pop(order_, marks());
        auto& s = keys_[id];
        s.data.dirty = false;
        s.data.processing = true;
        ++processing_;
        last_ = &s;
        last_id_ = id;
        if constexpr (has_figures) {
            auto& t = figures_.of(s.key);
            --t.depth;
            t.counts.queue_duration.observe(detail::seconds_between(s.data.times.added, figures_.now));
            s.data.times.started = figures_.now;
        }
        return &s.key;
    }

    /// The worker is through with a key that `get` gave it; it is handed out again if it was added meanwhile.
    /// False, and nothing happens, when the key is not in process. Cheapest for the key that was handed out
    /// last, by the reference that `get` gave.
    bool done(Key const& k)
    {
        bool const is_last = last_ != nullptr && &last_->key == &k;
        auto const id = is_last ? last_id_ : keys_.find(k);
        if (id == none)
            return false;
        auto& s = is_last ? *last_ : keys_[id];
        if (!s.data.processing)
            return false;
        s.data.processing = false;
        --processing_;
        if constexpr (has_figures)
            figures_.of(s.key).counts.work_duration.observe(
                detail::seconds_between(s.data.times.started, figures_.now));
        if (s.data.dirty)
            line_.push(order_, id, s.key, s.data.mark, 0);
        else if (!s.data.delayed)
            keys_.release(id);
        return true;
    }

    /// Takes no more keys: adds are ignored from now on, delays are forgotten. Workers go on until `drained`,
    /// or, as Kubernetes' do, until they are given nothing. A second call may only drop more.
    void shut_down(drain what = drain::ready)
    {
        shut_ = true;
        delays_.clear();
        delayed_ = 0;
        if (what == drain::in_process)
            line_.clear();
        for (std::uint32_t id = 0; id < keys_.slots(); ++id) {
            auto& s = keys_[id].data;
            if (!s.delayed && !s.dirty)
                continue;
            s.delayed = false;
            if (what == drain::in_process && s.dirty) {
                s.dirty = false;
                if constexpr (has_figures)
                    --figures_.of(keys_[id].key).depth;
            }
            if (!s.dirty && !s.processing)
                keys_.release(id);
        }
    }
    [[nodiscard]] bool shutting_down() const noexcept { return shut_; }
    /// Shut down, and nothing is ready or in process any more. (Kubernetes' ShutDownWithDrain returns as soon
    /// as nothing is in process, whatever is ready: `shutting_down() && processing() == 0`.)
    [[nodiscard]] bool drained() const noexcept { return shut_ && ready() == 0 && processing_ == 0; }

    /// Keys that `get` would hand out.
    [[nodiscard]] std::size_t ready() const noexcept { return line_.size(); }
    /// Keys that wait for a time.
    [[nodiscard]] std::size_t delayed() const noexcept { return delayed_; }
    /// Keys that are with a worker.
    [[nodiscard]] std::size_t processing() const noexcept { return processing_; }
    /// Keys that are ready, delayed or in process.
    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    /// When `advance` has something to do, if ever. Never too late; too early, once, where a later delay of a
    /// key was replaced by an earlier one that has passed.
    [[nodiscard]] std::optional<time_point> wake_at() const
    {
        if (auto const least = delays_.least())
            return time_point(duration(*least));
        return std::nullopt;
    }

    /// What is timed from now on happens then, until the next `advance`, which alone makes ready what is due.
    void measure(time_point now)
    requires has_figures
    {
        figures_.now = now;
    }

    /// As of the latest `advance` or `measure`. O(slots), for the keys in process are looked for.
    [[nodiscard]] queue_figures figures() const
    requires std::same_as<Figures, counted>
    {
        auto const all = figures_by_group();
        return all.empty() ? queue_figures{} : all.front();
    }
    /// The same for each group, up to the last that had a key.
    [[nodiscard]] std::vector<queue_figures> figures_by_group() const
    requires has_figures
    {
        std::vector<queue_figures> all;
        all.reserve(figures_.groups.size());
        for (auto const& t : figures_.groups)
            all.emplace_back(t.counts).depth.value = static_cast<double>(t.depth);
        for (std::uint32_t id = 0; id < keys_.slots(); ++id)
            if (auto const& s = keys_[id]; s.data.processing) {
                auto const age = detail::seconds_between(s.data.times.started, figures_.now);
                auto& of = all[Figures::group_of(s.key)];
                of.unfinished_work.value += age;
                of.longest_running_processor.value = std::max(of.longest_running_processor.value, age);
            }
        return all;
    }

    /// All keys, as values; the queue goes on. O(n log n).
    [[nodiscard]] saved_queue<Key> save() const
    requires std::copy_constructible<Key>
    {
        saved_queue<Key> out;
        auto const add = [&](std::uint32_t id) -> auto& { return out.items.emplace_back(item_of(id)); };
        for (std::uint32_t id = 0; id < keys_.slots(); ++id)
            if (keys_[id].data.processing)
                add(id);
        for (auto const id : line_.list(order_, marks())) {
            [[maybe_unused]] auto& item = add(id);
            if constexpr (has_priority)
                item.age = line_.age(keys_[id].data.mark);
        }
        for (auto const& e : delays_.list([&](auto const& d) { return holds(d); })) {
            auto& item = add(e.id);
            item.due = keys_[e.id].data.due;
            if constexpr (has_priority)
                item.priority = keys_[e.id].data.mark.later_priority;
        }
        return out;
    }
    /// Puts saved keys into an empty queue, which goes on as the saved one would have.
    void restore(saved_queue<Key> from)
    {
        PODIUM_ASSERT(size() == 0);
        if (shut_)
            return;
        for (auto& item : from.items) {
            auto const id = keys_.obtain(std::move(item.key)).first;
            priority p{};
            if constexpr (has_priority)
                p = item.priority;
            if (item.due)
                need_at(id, *item.due, p);
            else
                need(id, p, item.age);
        }
    }

    /// A key's slot, the key included, what it holds on the heap not; a delay takes another 16 bytes.
    [[nodiscard]] static constexpr std::size_t slot_bytes() noexcept { return slots::slot_bytes(); }

private:
    using line = typename Order::template line<Key>;

    struct moments {
        time_point added{};
        time_point started{};
    };
    struct no_moments {};
    struct state {
        time_point due{};
        std::uint32_t place = 0;
        std::uint32_t since = 0;  ///< which entry of the delays holds
        bool dirty = false;
        bool processing = false;
        bool delayed = false;
        [[nodiscard]] bool in_use() const noexcept { return dirty || processing || delayed; }
        [[no_unique_address]] typename line::mark mark{};
        [[no_unique_address]] std::conditional_t<has_figures, moments, no_moments> times{};
    };
    struct tally {
        queue_figures counts{};
        std::size_t depth = 0;
    };
    struct measured {
        std::vector<tally> groups{};
        time_point now{};

        tally& of(Key const& k)
        {
            auto const group = Figures::group_of(k);
            if (group >= groups.size())
                groups.resize(group + 1);
            return groups[group];
        }
    };
    struct not_measured {};
    using slots = detail::key_slots<Key, state, Hash>;
    static constexpr auto none = slots::none;

    [[nodiscard]] auto marks()
    {
        return [this](std::uint32_t id) -> auto& { return keys_[id].data.mark; };
    }
    [[nodiscard]] auto marks() const
    {
        return [this](std::uint32_t id) -> auto const& { return keys_[id].data.mark; };
    }

    /// `age`: how many keys became ready since this one did, for one that is put back.
    bool need(std::uint32_t id, [[maybe_unused]] priority p, std::int64_t age = 0)
    {
        auto& s = keys_[id];
        if (s.data.dirty) {
            if constexpr (has_priority)
                if (p > s.data.mark.priority)
                    line_.raise(order_, id, s.data.mark, p, marks());
            return false;
        }
        s.data.dirty = true;
        if constexpr (has_priority)
            s.data.mark.priority = p;
        if constexpr (has_figures) {
            auto& t = figures_.of(s.key);
            ++t.depth;
            t.counts.adds.add();
            s.data.times.added = figures_.now;
        }
        if (!s.data.processing)
            line_.push(order_, id, s.key, s.data.mark, age);
        return true;
    }
    void need_at(std::uint32_t id, time_point when, [[maybe_unused]] priority p)
    {
        if constexpr (has_figures)
            figures_.of(keys_[id].key).counts.retries.add();
        auto& s = keys_[id].data;
        if constexpr (has_priority)
            s.mark.later_priority = s.delayed ? std::max(s.mark.later_priority, p) : p;
        if (s.delayed && s.due <= when)
            return;
        if (!s.delayed) {
            s.delayed = true;
            ++delayed_;
        }
        s.due = when;
        s.since = delays_.push(when.time_since_epoch().count(), id);
        delays_.tidy(delayed_, [this](auto const& e) { return holds(e); });
    }
    void need_after(std::uint32_t id, duration delay, time_point now, priority p)
    {
        if (delay <= duration::zero()) {
            if constexpr (has_figures)
                figures_.of(keys_[id].key).counts.retries.add();
            need(id, p);
            return;
        }
        need_at(id, later(now, delay), p);
    }

    [[nodiscard]] bool holds(detail::ranks::entry const& e) const
    {
        auto const& s = keys_[e.id].data;
        return s.delayed && s.since == e.since && s.due.time_since_epoch().count() == e.rank;
    }

    [[nodiscard]] auto item_of(std::uint32_t id) const
    {
        typename saved_queue<Key>::item out{.key = keys_[id].key};
        if constexpr (has_priority)
            out.priority = keys_[id].data.mark.priority;
        return out;
    }

    [[no_unique_address]] Order order_{};
    slots keys_{};
    line line_{};
    detail::delays delays_{};  ///< in nanoseconds
    std::size_t delayed_ = 0;
    std::size_t processing_ = 0;
    typename slots::slot* last_ = nullptr;
    std::uint32_t last_id_ = none;  ///< the slot handed out last
    bool shut_ = false;
    [[no_unique_address]] std::conditional_t<has_figures, measured, not_measured> figures_{};
};

}  // namespace podium::v0::reconcile
