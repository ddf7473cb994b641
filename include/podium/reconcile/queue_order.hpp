#pragma once
/// Whose turn it is: the orders in which a work queue hands out the keys that are ready.
///
/// - `fifo`: first in, first out, Kubernetes' own.
/// - `by_priority`: a higher priority goes first, but waiting counts. One step of priority is worth
///   `head_start` places in the line and no more, so a key is overtaken by at most (P - p) x head_start keys
///   that came after it, P being the highest priority in use and p its own. Aging by places instead of time
///   costs nothing while keys wait, needs no clock, and a bound in places is what a worker can promise.
/// - `fair`: groups of keys take turns, one key each, so who adds a thousand keys waits for himself. The
///   group is a projection of the key, as its namespace or its owner. Within a group either order holds. A
///   key with n before it in its group is handed out after at most (n + 1) x (G - 1) + n others, G being the
///   groups with ready keys.
///
/// An order is a value given to the queue's constructor. What is in here costs O(1), by priority O(log n).
///
/// Source: client-go util/workqueue/queue.go in v0.35.4 for `fifo`; the others are ours.

#include <podium/reconcile/key_slots.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

namespace detail {

/// First in, first out, of slot numbers.
class ring {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::uint32_t at(std::size_t i) const noexcept
    {
        return places_[(head_ + i) & (places_.size() - 1)];
    }
    void push(std::uint32_t id)
    {
        if (size_ == places_.size())
            grow();
        places_[(head_ + size_++) & (places_.size() - 1)] = id;
    }
    std::uint32_t pop() noexcept
    {
        auto const id = places_[head_];
        head_ = (head_ + 1) & (places_.size() - 1);
        --size_;
        return id;
    }
    void clear() noexcept { head_ = size_ = 0; }

private:
    void grow()
    {
        std::vector<std::uint32_t> wider(std::max<std::size_t>(8, places_.size() * 2));
        for (std::size_t i = 0; i < size_; ++i)
            wider[i] = at(i);
        places_.swap(wider);
        head_ = 0;
    }

    std::vector<std::uint32_t> places_{};  ///< a power of two of them
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

/// Slot numbers by rank, least first; equal ranks first in, first out. An entry that a later one of its slot
/// has replaced is left where it is and dropped when it comes up: the slot remembers the `since` that holds.
///
/// Four children a node: half the levels of two, and siblings share a cache line.
class ranks {
public:
    struct entry {
        std::int64_t rank = 0;
        std::uint32_t id = 0;
        std::uint32_t since =
            0;  ///< counts pushes, around its end: any two in a line are less than half of it apart

        [[nodiscard]] bool before(entry const& other) const noexcept
        {
            if (rank != other.rank)
                return rank < other.rank;
            return static_cast<std::int32_t>(since - other.since) < 0;
        }
    };
    static_assert(sizeof(entry) == 16);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
    [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
    [[nodiscard]] entry const& top() const noexcept { return entries_.front(); }
    [[nodiscard]] std::vector<entry> const& entries() const noexcept { return entries_; }

    /// The entry's `since`.
    std::uint32_t push(std::int64_t rank, std::uint32_t id)
    {
        push(entry{rank, id, since_});
        return since_++;
    }
    /// One that was numbered elsewhere.
    void push(entry const& e)
    {
        entries_.push_back(e);
        rise(entries_.size() - 1, e);
    }
    /// Takes the top off. The hole sinks to the bottom first and the last entry rises from there: it
    /// belongs near the bottom nearly always.
    void pop() noexcept
    {
        auto const e = entries_.back();
        entries_.pop_back();
        auto const n = entries_.size();
        if (n == 0)
            return;
        std::size_t i = 0;
        for (;;) {
            auto child = 4 * i + 1;
            if (child >= n)
                break;
            auto const end = std::min(child + 4, n);
            auto least = child;
            while (++child < end)
                if (entries_[child].before(entries_[least]))
                    least = child;
            entries_[i] = entries_[least];
            i = least;
        }
        rise(i, e);
    }
    /// Drops the entries that do not hold, when they are more than half of all: O(1) for each push in the
    /// end.
    template<class Holds>
    void tidy(std::size_t holding, Holds&& holds)
    {
        if (entries_.size() > 2 * holding + 64)
            sort(holds);
    }
    /// Leaves the entries that hold, in order.
    template<class Holds>
    void sort(Holds&& holds)
    {
        std::erase_if(entries_, [&](entry const& e) { return !holds(e); });
        std::sort(
            entries_.begin(), entries_.end(), [](entry const& a, entry const& b) { return a.before(b); });
    }
    void clear() noexcept { entries_.clear(); }

private:
    void rise(std::size_t i, entry const& e) noexcept
    {
        while (i > 0) {
            auto const parent = (i - 1) / 4;
            if (!e.before(entries_[parent]))
                break;
            entries_[i] = entries_[parent];
            i = parent;
        }
        entries_[i] = e;
    }

    std::vector<entry> entries_{};
    std::uint32_t since_ = 0;
};

}  // namespace detail

/// Kubernetes' order: first in, first out.
struct fifo {
    static constexpr bool has_priority = false;

    template<class Key>
    class line {
    public:
        struct mark {};

        void push(fifo const&, std::uint32_t id, Key const&, mark&, std::int64_t) { ready_.push(id); }
        template<class MarkOf>
        std::uint32_t pop(fifo const&, MarkOf const&)
        {
            return ready_.pop();
        }
        [[nodiscard]] std::size_t size() const noexcept { return ready_.size(); }
        void clear() { ready_.clear(); }
        /// All of them, in the order in which they will be handed out.
        template<class MarkOf>
        [[nodiscard]] std::vector<std::uint32_t> list(fifo const&, MarkOf const&) const
        {
            std::vector<std::uint32_t> ids(size());
            for (std::size_t i = 0; i < ids.size(); ++i)
                ids[i] = ready_.at(i);
            return ids;
        }

    private:
        detail::ring ready_{};
    };
};

/// Higher priorities first, and nobody starves.
struct by_priority {
    static constexpr bool has_priority = true;
    static constexpr std::uint32_t most_head_start = 1u << 30;

    std::uint32_t head_start =
        100;  ///< places in the line that one step of priority is worth; 0: none, it is `fifo`

    template<class Key>
    class line {
    public:
        struct mark {
            std::int64_t arrival = 0;  ///< how many became ready before
            std::int32_t priority = 0;
            std::int32_t later_priority = 0;  ///< of the add that waits for its time
            std::uint32_t since = 0;
            bool waiting = false;
        };

        /// `age`: how many keys became ready since this one did; 0 but for keys that are put back.
        void push(by_priority const& how, std::uint32_t id, Key const&, mark& m, std::int64_t age)
        {
            m.arrival = age == 0 ? arrivals_++ : arrivals_ - std::clamp(age, std::int64_t{0}, oldest);
            m.waiting = true;
            ++size_;
            m.since = ranks_.push(rank(how, m), id);
        }
        template<class MarkOf>
        void raise(by_priority const& how, std::uint32_t id, mark& m, std::int32_t to, MarkOf const& mark_of)
        {
            m.priority = to;
            if (!m.waiting)
                return;
            m.since = ranks_.push(rank(how, m), id);
            ranks_.tidy(size_, [&](auto const& e) { return holds(how, e, mark_of(e.id)); });
        }
        template<class MarkOf>
        std::uint32_t pop(by_priority const& how, MarkOf const& mark_of)
        {
            for (;;) {
                auto const e = ranks_.top();
                ranks_.pop();
                if (auto& m = mark_of(e.id); holds(how, e, m)) {
                    m.waiting = false;
                    --size_;
                    return e.id;
                }
            }
        }
        [[nodiscard]] std::size_t size() const noexcept { return size_; }
        [[nodiscard]] std::int64_t age(mark const& m) const noexcept { return arrivals_ - m.arrival; }
        void clear()
        {
            ranks_.clear();
            size_ = 0;
        }
        template<class MarkOf>
        [[nodiscard]] std::vector<std::uint32_t> list(by_priority const& how, MarkOf const& mark_of) const
        {
            auto copy = ranks_;
            copy.sort([&](auto const& e) { return holds(how, e, mark_of(e.id)); });
            std::vector<std::uint32_t> ids;
            for (auto const& e : copy.entries())
                ids.push_back(e.id);
            return ids;
        }

    private:
        static std::int64_t rank(by_priority const& how, mark const& m) noexcept
        {
            return m.arrival - std::int64_t{m.priority} * std::min(how.head_start, most_head_start);
        }
        static bool holds(by_priority const& how, detail::ranks::entry const& e, mark const& m) noexcept
        {
            return m.waiting && m.since == e.since && rank(how, m) == e.rank;
        }
        static constexpr std::int64_t oldest = std::int64_t{1} << 60;

        detail::ranks ranks_{};
        std::size_t size_ = 0;
        std::int64_t arrivals_ = 0;
    };
};

/// Groups of keys take turns. `group_of(key)` names the group by a value that is equality comparable and
/// hashable; what reads as a string is kept as a `std::string`. A group exists while it has ready keys.
template<class GroupOf, class Within = fifo>
struct fair {
    static constexpr bool has_priority = Within::has_priority;

    [[no_unique_address]] GroupOf group_of{};
    [[no_unique_address]] Within within{};

    template<class Key>
    class line {
        using line_within = typename Within::template line<Key>;
        using asked = std::remove_cvref_t<std::invoke_result_t<GroupOf const&, Key const&>>;
        using name =
            std::conditional_t<std::convertible_to<asked const&, std::string_view>, std::string, asked>;
        static_assert(WorkKey<name>, "group_of must return something equality comparable and hashable");

        struct group {
            std::uint32_t place = 0;
            line_within ready{};
            [[nodiscard]] bool in_use() const noexcept { return ready.size() > 0; }
        };

    public:
        struct mark : line_within::mark {
            std::uint32_t group = 0;
        };

        void push(fair const& how, std::uint32_t id, Key const& k, mark& m, std::int64_t age)
        {
            m.group = groups_.obtain(how.group_of(k)).first;
            auto& ready = groups_[m.group].data.ready;
            if (ready.size() == 0)
                turns_.push(m.group);
            ready.push(how.within, id, k, m, age);
            ++size_;
        }
        template<class MarkOf>
        void raise(fair const& how, std::uint32_t id, mark& m, std::int32_t to, MarkOf const& mark_of)
        requires has_priority
        {
            if (m.waiting)
                groups_[m.group].data.ready.raise(how.within, id, m, to, mark_of);
            else
                m.priority = to;
        }
        template<class MarkOf>
        std::uint32_t pop(fair const& how, MarkOf const& mark_of)
        {
            auto const g = turns_.pop();
            auto& ready = groups_[g].data.ready;
            auto const id = ready.pop(how.within, mark_of);
            --size_;
            if (ready.size() > 0)
                turns_.push(g);
            else
                groups_.release(g);
            return id;
        }
        [[nodiscard]] std::size_t size() const noexcept { return size_; }
        [[nodiscard]] std::int64_t age(mark const& m) const noexcept
        requires has_priority
        {
            return groups_[m.group].data.ready.age(m);
        }
        void clear() { *this = {}; }
        template<class MarkOf>
        [[nodiscard]] std::vector<std::uint32_t> list(fair const& how, MarkOf const& mark_of) const
        {
            std::vector<std::vector<std::uint32_t>> groups;
            for (std::size_t i = 0; i < turns_.size(); ++i)
                groups.push_back(groups_[turns_.at(i)].data.ready.list(how.within, mark_of));
            std::vector<std::uint32_t> ids;
            for (std::size_t round = 0; ids.size() < size_; ++round)
                for (auto const& g : groups)
                    if (round < g.size())
                        ids.push_back(g[round]);
            return ids;
        }

    private:
        detail::key_slots<name, group, key_hash<name>> groups_{};
        detail::ring turns_{};
        std::size_t size_ = 0;
    };
};

}  // namespace podium::v0::reconcile
