#pragma once
/// What happened, for whoever keeps answers and comes back: the last changes in order, older ones forgotten.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::detail {

template<class T>
class change_log {
public:
    /// Counts up with each change.
    [[nodiscard]] std::uint64_t version() const noexcept { return forgotten_ + kept_.size(); }
    /// Of `most` changes or more the older half goes first. O(1) amortised.
    void add(T change, std::size_t most)
    {
        if (kept_.size() >= most) {
            auto const half = kept_.size() / 2;
            kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(half));
            forgotten_ += half;
        }
        kept_.push_back(std::move(change));
    }
    /// Anything may have changed: no earlier version is known any more.
    void forget() noexcept
    {
        forgotten_ += kept_.size() + 1;
        kept_.clear();
    }
    /// seen(change) for those since a version, oldest first; false, and none is seen: too long ago to know.
    template<class Seen>
    bool since(std::uint64_t version, Seen&& seen) const
    {
        if (version < forgotten_)
            return false;
        for (auto i = static_cast<std::size_t>(version - forgotten_); i < kept_.size(); ++i)
            seen(kept_[i]);
        return true;
    }

private:
    std::vector<T> kept_{};
    std::uint64_t forgotten_ = 0;
};

}  // namespace podium::v0::schedule::detail
