#pragma once
/// Hashes of 64 bits: FNV-1a, which spreads, and SipHash-2-4, which also tells nothing.
///
/// Both are the same on every machine and in every build, so that they may stand in stored objects. Whoever
/// sees an FNV-1a hash can compute short texts that have it; a SipHash says nothing about its text to whoever
/// does not have the key, not even when it may be one of a few.
///
/// Source: draft-eastlake-fnv for FNV-1a; Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace podium::inline v0 {

/// Goes on from `h`: `fnv1a(b, fnv1a(a))` is that of both texts in a row. O(n), a multiplication a byte.
[[nodiscard]] constexpr std::uint64_t fnv1a(
    std::string_view text, std::uint64_t h = 0xcbf29ce484222325u) noexcept
{
    for (char const c : text)
        h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return h;
}

/// Secret, and as random as it can be had.
struct hash_key {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend bool operator==(hash_key const&, hash_key const&) = default;
};

/// SipHash-2-4. O(n), some 1.5 bytes a cycle.
[[nodiscard]] constexpr std::uint64_t siphash(hash_key key, std::string_view text) noexcept
{
    std::array<std::uint64_t, 4> v{key.low ^ 0x736f6d6570736575u, key.high ^ 0x646f72616e646f6du,
        key.low ^ 0x6c7967656e657261u, key.high ^ 0x7465646279746573u};
    auto const round = [&v] {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = std::rotl(v[1], 13) ^ v[0];
        v[3] = std::rotl(v[3], 16) ^ v[2];
        v[0] = std::rotl(v[0], 32) + v[3];
        v[2] += v[1];
        v[3] = std::rotl(v[3], 21) ^ v[0];
        v[1] = std::rotl(v[1], 17) ^ v[2];
        v[2] = std::rotl(v[2], 32);
    };
    auto const take = [&](std::uint64_t word) {
        v[3] ^= word;
        round();
        round();
        v[0] ^= word;
    };
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        word |= std::uint64_t{static_cast<unsigned char>(text[i])} << (8 * (i % 8));
        if (i % 8 == 7) {
            take(word);
            word = 0;
        }
    }
    take(word | std::uint64_t{text.size()} << 56);
    v[2] ^= 0xff;
    for (int i = 0; i < 4; ++i)
        round();
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

}  // namespace podium::v0
