#pragma once
/// Random numbers that are the same everywhere: splitmix64, 8 bytes of state, any seed is good.
///
/// The standard's engines are portable but large, its distributions are neither the same between
/// libraries nor seeded in a stable way. Models `std::uniform_random_bit_generator`. Not for secrets.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; constants
/// of Vigna's splitmix64.c (public domain).

#include <cstdint>
#include <limits>

namespace podium::inline v0 {

/// The generator; equal seeds give equal numbers.
class splitmix64 {
public:
    using result_type = std::uint64_t;

    constexpr explicit splitmix64(std::uint64_t seed = 0) noexcept : state_(seed) {}

    constexpr std::uint64_t operator()() noexcept
    {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// In [0, n), n > 0; off from uniform by less than n / 2^64.
    constexpr std::uint64_t below(std::uint64_t n) noexcept
    {
        __extension__ typedef unsigned __int128 wide;
        return static_cast<std::uint64_t>((wide{(*this)()} * n) >> 64);
    }
    /// In [0, 1), 53 bits.
    constexpr double unit() noexcept { return static_cast<double>((*this)() >> 11) * 0x1p-53; }

    [[nodiscard]] static constexpr std::uint64_t min() noexcept { return 0; }
    [[nodiscard]] static constexpr std::uint64_t max() noexcept
    {
        return std::numeric_limits<std::uint64_t>::max();
    }

    friend constexpr bool operator==(splitmix64 const&, splitmix64 const&) = default;

private:
    std::uint64_t state_;
};

}  // namespace podium::v0
