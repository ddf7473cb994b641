#pragma once
/// The delays of a work queue: slot numbers by time, earliest first; equal times first in, first out.
///
/// What is due soon is in a small heap. The rest lies unsorted in buckets, by the highest bit in which a time
/// differs from the latest time taken out, and moves down a few times before it is due: a sorted pass over
/// memory instead of a walk through a heap of millions (a radix heap, see R. Ahuja et al., Faster algorithms
/// for the shortest path problem, JACM 37, 1990). The order is that of the heap alone; times before the
/// latest one go there too, so a clock that goes back changes nothing.

#include <podium/reconcile/queue_order.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace podium::inline v0::reconcile::detail {

/// As with `ranks`, an entry that a later one of its slot has replaced is dropped when it comes up.
class delays {
public:
    using entry = ranks::entry;

    /// Entries, replaced ones included.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// The entry's `since`. O(1), O(log n) among what is due soon.
    std::uint32_t push(std::int64_t when, std::uint32_t id)
    {
        place({when, id, since_});
        ++size_;
        return since_++;
    }
    /// Takes the earliest entry out if it is due by `now`. O(1) amortised over the buckets, O(log n) in the
    /// heap; `near(id)` is told of each slot that is due soon.
    template<class Near>
    [[nodiscard]] std::optional<entry> pop(std::int64_t now, Near const& near)
    {
        while (near_.empty()) {
            if (filled_ == 0)
                return std::nullopt;
            auto const b = static_cast<std::size_t>(std::countr_zero(filled_));
            if (least_[b] > now)
                return std::nullopt;
            sink(b, near);
        }
        if (near_.top().rank > now)
            return std::nullopt;
        auto const e = near_.top();
        near_.pop();
        --size_;
        return e;
    }
    /// No entry is earlier. Nothing where there is none.
    [[nodiscard]] std::optional<std::int64_t> least() const noexcept
    {
        if (!near_.empty())
            return near_.top().rank;
        if (filled_ != 0)
            return least_[static_cast<std::size_t>(std::countr_zero(filled_))];
        return std::nullopt;
    }
    /// Drops the entries that do not hold, when they are more than half of all: O(1) for each push in the
    /// end.
    template<class Holds>
    void tidy(std::size_t holding, Holds&& holds)
    {
        if (size_ <= 2 * holding + 64)
            return;
        auto const left = list(holds);
        clear();
        for (auto const& e : left)
            place(e);
        size_ = left.size();
    }
    /// The entries that hold, in order.
    template<class Holds>
    [[nodiscard]] std::vector<entry> list(Holds&& holds) const
    {
        std::vector<entry> all;
        auto const take = [&](std::vector<entry> const& from) {
            std::copy_if(from.begin(), from.end(), std::back_inserter(all), holds);
        };
        take(near_.entries());
        for (auto const& b : buckets_)
            take(b);
        std::sort(all.begin(), all.end(), [](entry const& a, entry const& b) { return a.before(b); });
        return all;
    }
    void clear()
    {
        near_.clear();
        for (auto& b : buckets_)
            b.clear();
        filled_ = 0;
        size_ = 0;
    }

private:
    /// Times that differ in their last 22 bits, 4 ms, are the heap's.
    static constexpr int soon = 22;
    static constexpr std::size_t kept = 1024;  ///< a larger bucket gives its memory back when it is emptied

    void place(entry const& e)
    {
        auto const differs = static_cast<std::uint64_t>(e.rank) ^ static_cast<std::uint64_t>(latest_);
        auto const bits = static_cast<int>(std::bit_width(differs));
        if (bits <= soon || e.rank < latest_) {
            near_.push(e);
            return;
        }
        auto const b = static_cast<std::size_t>(bits - soon - 1);
        auto const bit = std::uint64_t{1} << b;
        least_[b] = filled_ & bit ? std::min(least_[b], e.rank) : e.rank;
        filled_ |= bit;
        buckets_[b].push_back(e);
    }
    template<class Near>
    void sink(std::size_t b, Near const& near)
    {
        auto from = std::move(buckets_[b]);
        buckets_[b].clear();
        filled_ &= ~(std::uint64_t{1} << b);
        latest_ = least_[b];
        for (auto const& e : from) {
            place(e);
            if (((static_cast<std::uint64_t>(e.rank) ^ static_cast<std::uint64_t>(latest_)) >> soon) == 0)
                near(e.id);
        }
        if (from.size() <= kept) {
            from.clear();
            buckets_[b] = std::move(from);
        }
    }

    ranks near_{};
    std::array<std::vector<entry>, 64 - soon> buckets_{};
    std::array<std::int64_t, 64 - soon> least_{};
    std::uint64_t filled_ = 0;  ///< which buckets have entries
    std::int64_t latest_ = std::numeric_limits<std::int64_t>::min();
    std::size_t size_ = 0;
    std::uint32_t since_ = 0;
};

}  // namespace podium::v0::reconcile::detail
