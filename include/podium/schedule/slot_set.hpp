#pragma once
/// An ordered set of slots: few as a sorted list, many as bits in two levels.

#include <podium/core/assert.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace podium::inline v0::schedule::detail {

/// `add` and `drop` are O(1), `first` is O(slots / 4096). Takes 4 bytes a slot up to 32 of them, then a bit
/// for each that there could be. Sets of one scheduler have one capacity.
class slot_set {
public:
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

    void add(std::uint32_t slot, std::uint32_t capacity)
    {
        ++size_;
        if (words_.empty()) {
            if (size_ <= most_listed) {
                few_.insert(std::lower_bound(few_.begin(), few_.end(), slot), slot);
                return;
            }
            words_.resize((capacity + 63) / 64);
            groups_.resize((words_.size() + 63) / 64);
            for (auto const s : few_)
                mark(s);
            few_.clear();
        }
        mark(slot);
    }
    void drop(std::uint32_t slot)
    {
        PODIUM_ASSERT(size_ > 0);
        --size_;
        if (words_.empty())
            few_.erase(std::lower_bound(few_.begin(), few_.end(), slot));
        else if ((words_[slot >> 6] &= ~bit(slot)) == 0)
            groups_[slot >> 12] &= ~bit(slot >> 6);
    }
    /// The first at or after `from`, else the first of all. Not empty; `from` is below the capacity.
    [[nodiscard]] std::uint32_t first(std::uint32_t from) const
    {
        PODIUM_ASSERT(size_ > 0);
        if (words_.empty()) {
            auto const at = std::lower_bound(few_.begin(), few_.end(), from);
            return at == few_.end() ? few_.front() : *at;
        }
        if (auto const rest = words_[from >> 6] >> (from & 63); rest != 0)
            return from + static_cast<std::uint32_t>(std::countr_zero(rest));
        auto const next = (from >> 6) + 1;
        auto mask = ~std::uint64_t{0} << (next & 63);
        for (std::size_t g = next >> 6; g < groups_.size(); ++g, mask = ~std::uint64_t{0})
            if (auto const some = groups_[g] & mask; some != 0)
                return lowest(g, some);
        std::size_t g = 0;
        while (groups_[g] == 0)
            ++g;
        return lowest(g, groups_[g]);
    }

private:
    static constexpr std::uint32_t most_listed = 32;

    static constexpr std::uint64_t bit(std::uint32_t i) { return std::uint64_t{1} << (i & 63); }
    void mark(std::uint32_t slot)
    {
        words_[slot >> 6] |= bit(slot);
        groups_[slot >> 12] |= bit(slot >> 6);
    }
    [[nodiscard]] std::uint32_t lowest(std::size_t group, std::uint64_t some) const
    {
        auto const w = group * 64 + static_cast<std::size_t>(std::countr_zero(some));
        return static_cast<std::uint32_t>(w * 64 + static_cast<std::size_t>(std::countr_zero(words_[w])));
    }

    std::uint32_t size_ = 0;
    std::vector<std::uint32_t> few_{};
    std::vector<std::uint64_t> words_{};
    std::vector<std::uint64_t> groups_{};
};

}  // namespace podium::v0::schedule::detail
