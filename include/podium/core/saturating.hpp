#pragma once
/// Sums that end where the numbers do.

#include <cstdint>
#include <limits>

namespace podium::inline v0 {

/// a + b, or the end of the numbers that it lies beyond.
[[nodiscard]] constexpr std::int64_t saturating_add(std::int64_t a, std::int64_t b) noexcept
{
    using limits = std::numeric_limits<std::int64_t>;
    if (b > 0 && a > limits::max() - b)
        return limits::max();
    if (b < 0 && a < limits::min() - b)
        return limits::min();
    return a + b;
}

}  // namespace podium::v0
