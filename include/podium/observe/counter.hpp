#pragma once
/// Counter: how often something has happened. It only grows, so whoever reads it twice knows the rate.
///
/// A value: whoever counts owns it, whoever shows it reads it. Nothing is registered anywhere. Where one
/// thread counts and another reads it is a `cell<counter>` (cell.hpp).

#include <cstdint>
#include <limits>

namespace podium::inline v0::observe {

struct counter {
    std::uint64_t total = 0;

    /// Stays at the largest number rather than begin again at 0, which would read as a restart.
    constexpr void add(std::uint64_t n = 1) noexcept
    {
        auto const room = std::numeric_limits<std::uint64_t>::max() - total;
        total += n < room ? n : room;
    }
    constexpr void add(counter const& other) noexcept { add(other.total); }

    friend constexpr bool operator==(counter const&, counter const&) = default;
};

}  // namespace podium::v0::observe
