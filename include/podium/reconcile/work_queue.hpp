#pragma once
/// Work queue of keys: each key is handed out to one worker at a time, and never forgotten.
///
/// A key added while it waits is kept once. A key added while it is being processed is handed out once
/// more after `done`. A delayed add of a waiting key keeps the earlier time. Pure: the caller brings
/// `now`; first in, first out, so the same calls give the same order.
///
/// Source: client-go util/workqueue (queue.go, delaying_queue.go) in v0.35.4.

#include <podium/core/assert.hpp>
#include <podium/core/time.hpp>

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace podium::inline v0::reconcile {

/// Every call is O(1) on average, the delayed ones O(log n) in the keys that wait for a time.
template<class Key, class Hash = std::hash<Key>>
class work_queue {
public:
    /// The key needs work. True when it was not waiting already.
    bool add(Key const& k)
    {
        auto const [it, fresh] = states_.try_emplace(k);
        auto& s = it->second;
        if (s.dirty)
            return false;
        s.dirty = true;
        if (!s.processing)
            ready_.push_back(&*it);
        return true;
    }

    /// The key needs work at `when`, or at the earlier time that it already waits for.
    void add_at(Key const& k, time_point when)
    {
        auto const it = states_.try_emplace(k).first;
        auto& due = it->second.due;
        if (due && *due <= when)
            return;
        if (due)
            drop_delay(*it);
        due = when;
        delayed_.emplace(when, &*it);
    }

    /// Moves what is due by `now` to the ready keys.
    void advance(time_point now)
    {
        while (!delayed_.empty() && delayed_.begin()->first <= now) {
            auto* const e = delayed_.begin()->second;
            delayed_.erase(delayed_.begin());
            e->second.due.reset();
            add(e->first);
        }
    }

    /// The next ready key, now processing; it stays valid until `done`. Null when none is ready.
    [[nodiscard]] Key const* get()
    {
        if (ready_.empty())
            return nullptr;
        auto* const e = ready_.front();
        ready_.pop_front();
        e->second.dirty = false;
        e->second.processing = true;
        return &e->first;
    }

    /// The worker is through with a key that `get` gave it. Handed out again if it was added meanwhile.
    void done(Key const& k)
    {
        auto const it = states_.find(k);
        PODIUM_ASSERT(it != states_.end() && it->second.processing);
        it->second.processing = false;
        if (it->second.dirty)
            ready_.push_back(&*it);
        else if (!it->second.due)
            states_.erase(it);
    }

    [[nodiscard]] std::size_t ready() const noexcept { return ready_.size(); }
    [[nodiscard]] std::size_t delayed() const noexcept { return delayed_.size(); }
    /// Keys that are waiting, delayed or in process.
    [[nodiscard]] std::size_t size() const noexcept { return states_.size(); }
    /// When `advance` has something to do, if ever.
    [[nodiscard]] std::optional<time_point> wake_at() const
    {
        return delayed_.empty() ? std::nullopt : std::optional(delayed_.begin()->first);
    }

private:
    struct state {
        bool dirty = false;
        bool processing = false;
        std::optional<time_point> due{};
    };
    using item = std::pair<Key const, state>;

    void drop_delay(item& e)
    {
        for (auto [it, end] = delayed_.equal_range(*e.second.due); it != end; ++it)
            if (it->second == &e) {
                delayed_.erase(it);
                return;
            }
    }

    std::unordered_map<Key, state, Hash> states_;
    std::deque<item*> ready_;
    std::multimap<time_point, item*> delayed_;
};

}  // namespace podium::v0::reconcile
