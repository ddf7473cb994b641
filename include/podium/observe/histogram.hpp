#pragma once
/// Histogram: how many observations were at most this large, for each of a fixed list of bounds.
///
/// Bounds are fixed when it is made, so two of them can be added up, and an observation costs no
/// allocation. As everywhere in the field, a bound belongs to its own bucket, and what is above the last one
/// is in a bucket without a bound.
///
/// Source: Prometheus exposition formats (histograms): `le`, `_sum`, `_count`.

#include <array>
#include <cstddef>
#include <cstdint>

namespace podium::inline v0::observe {

/// `first`, `first` x `factor`, `first` x `factor`^2, ...
template<std::size_t N>
[[nodiscard]] constexpr std::array<double, N> exponential_bounds(double first, double factor) noexcept
{
    std::array<double, N> bounds{};
    for (auto& b : bounds) {
        b = first;
        first *= factor;
    }
    return bounds;
}

template<std::size_t N>
struct histogram {
    std::array<double, N> bounds{};  ///< ascending, in the unit of what is observed
    std::array<std::uint64_t, N + 1>
        in_bucket{};  ///< observations of that bucket alone; the last has no bound
    std::uint64_t count = 0;
    double sum = 0;

    /// O(N). What is not a number is not counted.
    constexpr void observe(double value) noexcept
    {
        if (value != value)
            return;
        std::size_t i = 0;
        while (i < N && value > bounds[i])
            ++i;
        ++in_bucket[i];
        ++count;
        sum += value;
    }
    /// Observations of at most `bounds[i]`, as `_bucket{le="..."}` counts them; `i == N`: all.
    [[nodiscard]] constexpr std::uint64_t at_most(std::size_t i) const noexcept
    {
        std::uint64_t n = 0;
        for (std::size_t b = 0; b <= i && b <= N; ++b)
            n += in_bucket[b];
        return n;
    }
    friend constexpr bool operator==(histogram const&, histogram const&) = default;
};

}  // namespace podium::v0::observe
