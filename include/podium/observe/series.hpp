#pragma once
/// Series: the last so many values of a figure, and what they say: the latest, the extremes, the rate.
///
/// A ring that remembers a fixed number of samples and allocates once, when it is made. Each sample is kept
/// twice, a capacity apart, so what is kept is always one span in the order of time and everything below
/// works on spans, whoever holds them.
///
/// Time only goes forward: what is older than the latest sample is not taken, what is of the same moment
/// replaces it. Neither is what is not a finite number: it has no place on a plot and would poison a mean.
///
/// Source: a counter that is smaller than before has begun again at 0, as in Prometheus' `increase` and
/// `rate` (promql/functions.go). Unlike there nothing is extrapolated to the ends of a window: only what was
/// seen counts.

#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace podium::inline v0::observe {

struct sample {
    time_point at{};
    double value = 0;
    friend constexpr bool operator==(sample const&, sample const&) = default;
};

class series {
public:
    /// Keeps `capacity` samples; 0 keeps none.
    explicit series(std::size_t capacity = 0) : ring_(2 * capacity) {}

    [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size() / 2; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// False, and nothing changes: older than the latest, no finite number, or no room at all. The oldest
    /// sample makes room. O(1).
    bool push(time_point at, double value) noexcept
    {
        if (capacity() == 0 || !std::isfinite(value))
            return false;
        auto const last = latest();
        if (last && at < last->at)
            return false;
        if (!last || at > last->at) {
            if (size_ == capacity())
                first_ = (first_ + 1) % capacity();
            else
                ++size_;
        }
        auto const place = (first_ + size_ - 1) % capacity();
        ring_[place] = ring_[place + capacity()] = {at, value};
        return true;
    }

    /// What is kept, the oldest first; valid until the next push.
    [[nodiscard]] std::span<sample const> all() const noexcept
    {
        return std::span(ring_).subspan(first_, size_);
    }
    /// Of that, what is not older than `from`. O(log size).
    [[nodiscard]] std::span<sample const> since(time_point from) const noexcept
    {
        auto const kept = all();
        auto const first = std::ranges::lower_bound(kept, from, {}, &sample::at);
        return kept.subspan(static_cast<std::size_t>(first - kept.begin()));
    }
    [[nodiscard]] std::optional<sample> latest() const noexcept
    {
        return size_ == 0 ? std::nullopt : std::optional(all().back());
    }

    friend bool operator==(series const& a, series const& b)
    {
        return a.capacity() == b.capacity() && std::ranges::equal(a.all(), b.all());
    }

private:
    std::vector<sample> ring_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

/// The extremes and the mean over a stretch of samples; of one sample all three are its value.
struct summary {
    time_point from{};  ///< of its first sample
    double min = 0;
    double max = 0;
    double mean = 0;
    std::size_t samples = 0;
    friend constexpr bool operator==(summary const&, summary const&) = default;
};

/// Nothing for no samples. O(samples).
[[nodiscard]] inline std::optional<summary> summarize(std::span<sample const> of) noexcept
{
    if (of.empty())
        return {};
    summary out{of[0].at, of[0].value, of[0].value, 0, of.size()};
    for (double n = 0; auto const& s : of) {
        out.min = std::min(out.min, s.value);
        out.max = std::max(out.max, s.value);
        ++n;
        out.mean = out.mean * ((n - 1) / n) + s.value / n;  // no sum that could overflow
    }
    return out;
}

/// By how much a counter has grown from the first sample to the last, resets taken as beginnings at 0.
/// Nothing for fewer than two samples. O(samples).
[[nodiscard]] inline std::optional<double> increase(std::span<sample const> of) noexcept
{
    if (of.size() < 2)
        return {};
    double grown = 0;
    for (std::size_t i = 1; i < of.size(); ++i)
        grown += of[i].value < of[i - 1].value ? of[i].value : of[i].value - of[i - 1].value;
    return grown;
}

/// The increase for each second between the first sample and the last. Nothing where no time lies between.
[[nodiscard]] inline std::optional<double> rate(std::span<sample const> of) noexcept
{
    auto const grown = increase(of);
    if (!grown || of.back().at <= of.front().at)
        return {};
    return *grown / std::chrono::duration<double>(elapsed(of.front().at, of.back().at)).count();
}

/// For plots: [from, until) in `parts` of equal length, each with what its samples say; a part without
/// samples is left out, so a gap stays a gap, and a peak of one sample stays in sight. O(samples).
[[nodiscard]] inline std::vector<summary> downsample(
    std::span<sample const> of, time_point from, time_point until, std::size_t parts)
{
    std::vector<summary> out;
    auto const whole = elapsed(from, until).count();
    if (whole <= 0 || parts == 0)
        return out;
    auto const part_of = [&](sample const& s) {
        auto const share = static_cast<double>(elapsed(from, s.at).count()) / static_cast<double>(whole);
        return std::min(static_cast<std::size_t>(share * static_cast<double>(parts)), parts - 1);
    };
    auto first = std::ranges::lower_bound(of, from, {}, &sample::at);
    auto const last = std::ranges::lower_bound(of, until, {}, &sample::at);
    while (first < last) {
        auto const part = part_of(*first);
        auto const next = std::find_if(first, last, [&](sample const& s) { return part_of(s) != part; });
        out.push_back(*summarize({first, next}));
        first = next;
    }
    return out;
}

}  // namespace podium::v0::observe
