#pragma once
/// Histogram: how many observations were at most this large, for each of a fixed list of bounds.
///
/// Bounds are fixed when it is made, so two of them can be added up, and an observation costs no
/// allocation. As everywhere in the field, a bound belongs to its own bucket, and what is above the last one
/// is in a bucket without a bound.
///
/// Source: Prometheus exposition formats (histograms): `le`, `_sum`, `_count`; the quantile is that of
/// `histogram_quantile`, promql/quantile.go (bucketQuantile) in v2.42.

#include <podium/core/result.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

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

/// The first of the ascending bounds that is not below `value`; N: all are. O(log N), without a branch that
/// depends on the value where N is 2^k - 1.
template<std::size_t N>
[[nodiscard]] constexpr std::size_t bucket_of(std::array<double, N> const& bounds, double value) noexcept
{
    std::size_t below = 0;
    for (auto step = std::bit_floor(N); step > 0; step /= 2)
        if (below + step <= N && bounds[below + step - 1] < value)
            below += step;
    return below;
}

template<std::size_t N>
struct histogram {
    std::array<double, N> bounds{};  ///< ascending, in the unit of what is observed
    std::array<std::uint64_t, N + 1>
        in_bucket{};  ///< observations of that bucket alone; the last has no bound
    std::uint64_t count = 0;
    double sum = 0;

    /// O(log N). What is not a number is not counted.
    constexpr void observe(double value) noexcept
    {
        if (value != value)
            return;
        ++in_bucket[bucket_of(bounds, value)];
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

    /// All that `other` has observed too. `invalid`, and nothing changes, where the bounds differ.
    result<void> add(histogram const& other)
    {
        if (bounds != other.bounds)
            return error{errc::invalid, "expected a histogram with the same bounds", "bounds", {}};
        for (std::size_t b = 0; b <= N; ++b)
            in_bucket[b] += other.in_bucket[b];
        count += other.count;
        sum += other.sum;
        return {};
    }
    /// What was observed after `before`, an earlier reading of the same histogram. One that has begun again
    /// since then has observed all of it. `invalid` where the bounds differ.
    [[nodiscard]] result<histogram> since(histogram const& before) const
    {
        if (bounds != before.bounds)
            return error{errc::invalid, "expected a histogram with the same bounds", "bounds", {}};
        histogram out{.bounds = bounds};
        for (std::size_t b = 0; b <= N; ++b) {
            if (in_bucket[b] < before.in_bucket[b])
                return *this;
            out.in_bucket[b] = in_bucket[b] - before.in_bucket[b];
            out.count += out.in_bucket[b];
        }
        out.sum = sum - before.sum;
        return out;
    }

    /// The value that a share `q` of the observations does not exceed, as if those of a bucket were spread
    /// evenly over it. The last bound where it is above all bounds; not a number for an empty histogram or
    /// where `q` is none; -infinity below 0, +infinity above 1. O(N).
    [[nodiscard]] constexpr double quantile(double q) const noexcept
    {
        constexpr auto infinity = std::numeric_limits<double>::infinity();
        constexpr auto nan = std::numeric_limits<double>::quiet_NaN();
        if (q != q)
            return nan;
        if (q < 0)
            return -infinity;
        if (q > 1)
            return infinity;
        if constexpr (N == 0) {
            return nan;
        } else {
            auto const all = at_most(N);
            if (all == 0)
                return nan;
            auto const rank = q * static_cast<double>(all);
            std::uint64_t below = 0;
            std::size_t b = 0;
            while (b < N && static_cast<double>(below + in_bucket[b]) < rank)
                below += in_bucket[b++];
            if (b == N)
                return bounds[N - 1];
            if (b == 0 && bounds[0] <= 0)
                return bounds[0];
            if (in_bucket[b] == 0)
                return nan;  // `q` is 0 and nothing is in the first bucket: 0 / 0 there as here
            auto const begin = b == 0 ? 0.0 : bounds[b - 1];
            return begin +
                (bounds[b] - begin) *
                ((rank - static_cast<double>(below)) / static_cast<double>(in_bucket[b]));
        }
    }

    friend constexpr bool operator==(histogram const&, histogram const&) = default;
};

}  // namespace podium::v0::observe
