#pragma once
/// The store in memory: revisioned, transactional, watchable from a revision, with bounded history.
///
/// What it costs: a commit is O(writes), a read of changes O(changes read); an object is held once, shared
/// with every view and watcher. Nothing survives the process: this is the store of simulations, tests and
/// `podium up`.

#include <podium/core/result.hpp>
#include <podium/reconcile/store.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <iterator>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// A `Store` in memory: what tests, simulations and one process need.
class memory_store {
public:
    /// `history`: how many changes are kept for watchers; the newest revision is always kept whole.
    explicit memory_store(std::size_t history = 100'000) : history_(history) {}

    memory_store(memory_store const&) = delete;
    memory_store& operator=(memory_store const&) = delete;

    [[nodiscard]] revision at() const noexcept { return now_; }
    [[nodiscard]] std::size_t size() const noexcept { return objects_.size(); }

    /// Whoever would rather call than be called.
    [[nodiscard]] committed commit(transaction const& t)
    {
        if (auto refused = check(t))
            return {std::move(*refused), now_};
        if (t.writes.empty())
            return {now_, now_};
        now_ = next(now_);
        for (auto const& w : t.writes) {
            auto const it = objects_.find(w.which);
            if (w.what == verb::remove) {
                log_.push_back({now_, it->second, true});
                log_.back().object.modified = now_;
                objects_.erase(it);
                continue;
            }
            it->second.data = w.data;
            it->second.modified = now_;
            if (w.what == verb::create)
                it->second.created = now_;
            log_.push_back({now_, it->second, false});
        }
        trim();
        if (on_change_)
            on_change_();
        return {now_, now_};
    }
    template<class Handler>
    requires std::invocable<Handler, committed>
    void commit(transaction const& t, Handler&& handler)
    {
        std::forward<Handler>(handler)(commit(t));
    }

    template<class Handler>
    requires std::invocable<Handler, result<state>>
    void snapshot(Handler&& handler) const
    {
        std::forward<Handler>(handler)(result<state>(snapshot()));
    }
    /// O(n log n): ordered by key, so that whoever starts from it starts the same way each time.
    [[nodiscard]] state snapshot() const
    {
        state s{now_, {}};
        s.objects.reserve(objects_.size());
        std::vector<std::pair<key const*, object const*>> all;
        all.reserve(objects_.size());
        for (auto const& [which, o] : objects_)
            all.emplace_back(&which, &o);
        std::ranges::sort(all, [](auto const& a, auto const& b) { return *a.first < *b.first; });
        for (auto const& named : all)
            s.objects.push_back(*named.second);
        return s;
    }

    [[nodiscard]] result<std::vector<change>> changes(revision from, std::size_t limit = 10'000) const
    {
        if (from > now_)
            return error{errc::invalid, "expected a revision that this store has reached", "from", {}};
        if (from < compacted_)
            return error{
                errc::compacted, "the changes since then are no longer kept: take a snapshot", "from", {}};
        auto const first = std::ranges::upper_bound(log_, from, {}, [](change const& c) { return c.at; });
        auto last = first;
        if (static_cast<std::size_t>(std::distance(first, log_.end())) <= limit) {
            last = log_.end();
        } else {
            last = first + static_cast<std::ptrdiff_t>(limit);
            while (last != first && last != log_.end() && last->at == std::prev(last)->at)
                ++last;  // whole revisions only
        }
        return std::vector<change>(first, last);
    }

    void notify(std::function<void()> handler) { on_change_ = std::move(handler); }

    /// The object of that name, empty when there is none.
    [[nodiscard]] object get(key const& which) const
    {
        auto const it = objects_.find(which);
        return it == objects_.end() ? object{} : static_cast<object const&>(it->second);
    }
    template<Kind K>
    [[nodiscard]] handle<K> get(std::string_view namespace_, std::string_view name) const
    {
        return get(key_for<K>(namespace_, name)).template as<K>();
    }

    /// Forgets the changes up to and including `upto`; a watcher that is behind is told `compacted`.
    void compact(revision upto)
    {
        auto const end = std::ranges::upper_bound(log_, upto, {}, [](change const& c) { return c.at; });
        log_.erase(log_.begin(), end);
        compacted_ = std::max(compacted_, std::min(upto, now_));
    }

private:
    /// Reserves the places of the created objects as it goes; takes them back when it refuses.
    [[nodiscard]] std::optional<error> check(transaction const& t)
    {
        for (auto const& g : t.guards)
            if (auto const found = get(g.which); found.modified != g.guard)
                return conflict(g.which);
        std::size_t done = 0;
        std::optional<error> refused;
        ++round_;
        for (auto const& w : t.writes) {
            auto const [it, fresh] = objects_.try_emplace(w.which);
            if (fresh)
                it->second.kind = w.which.kind;
            if (std::exchange(it->second.round, round_) == round_)
                refused = error{errc::invalid, "expected one write for each object of a transaction",
                    to_string(w.which), {}};
            if (!refused && it->second.modified != w.guard)
                refused = conflict(w.which);
            if (!refused && (w.what == verb::create) != (w.guard == revision{}))
                refused =
                    error{errc::invalid, "expected a guard for all but creations", to_string(w.which), {}};
            ++done;
            if (refused) {
                for (auto const& undo : t.writes.first(done))
                    if (auto const place = objects_.find(undo.which);
                        place != objects_.end() && !place->second.data)
                        objects_.erase(place);
                return refused;
            }
        }
        return {};
    }
    static error conflict(key const& which)
    {
        return {errc::conflict, "the object is not at the revision that the decision was computed from",
            to_string(which), {}};
    }
    void trim()
    {
        while (log_.size() > history_ && log_.front().at != now_) {
            auto const gone = log_.front().at;
            while (!log_.empty() && log_.front().at == gone)
                log_.pop_front();
            compacted_ = gone;
        }
    }

    struct entry : object {
        std::uint64_t round = 0;  ///< the last transaction that named it: finds a second write
    };

    std::unordered_map<key, entry> objects_;
    std::uint64_t round_ = 0;
    std::deque<change> log_;
    std::size_t history_;
    revision now_{};
    revision compacted_{};
    std::function<void()> on_change_;
};

static_assert(Store<memory_store>);

}  // namespace podium::v0::reconcile
