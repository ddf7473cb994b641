#pragma once
/// A digest names content by its hash: "sha256:" and 64 hexadecimal digits in lower case.
///
/// Three algorithms are known; the length of each is fixed, so a digest that parses can be compared with a
/// computed one. Nothing here computes hashes.
///
/// Source: the OCI image specification v1.1 (descriptor.md, Digests) and go-digest v1.0.0.

#include <podium/core/result.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace podium::inline v0::image {

enum class algorithm : std::uint8_t { sha256, sha384, sha512 };

/// "sha256"
[[nodiscard]] constexpr std::string_view to_string(algorithm a) noexcept
{
    switch (a) {
    case algorithm::sha256: return "sha256";
    case algorithm::sha384: return "sha384";
    case algorithm::sha512: return "sha512";
    }
    return "";
}

/// How many hexadecimal digits its hashes have.
[[nodiscard]] constexpr std::size_t hex_length(algorithm a) noexcept
{
    switch (a) {
    case algorithm::sha256: return 64;
    case algorithm::sha384: return 96;
    case algorithm::sha512: return 128;
    }
    return 0;
}

/// The name of a content: an algorithm and what it makes of the bytes.
struct digest {
    image::algorithm algorithm = image::algorithm::sha256;
    std::string hex{};  ///< lower case, `hex_length(algorithm)` digits

    friend bool operator==(digest const&, digest const&) = default;
    friend auto operator<=>(digest const&, digest const&) = default;

    /// "sha256:..." Errors: `invalid`, with the offset in the text. O(1): a text too long is not read.
    [[nodiscard]] static result<digest> parse(std::string_view text);
};

[[nodiscard]] inline std::string to_string(digest const& d)
{
    std::string out(to_string(d.algorithm));
    out += ':';
    return out += d.hex;
}

namespace detail {

inline constexpr std::array known_algorithms{algorithm::sha256, algorithm::sha384, algorithm::sha512};

/// Positions count bytes from 0.
[[nodiscard]] inline error refused(std::size_t position, std::string_view expected)
{
    return {errc::invalid, "at " + std::to_string(position) + ": expected " + std::string(expected), {}, {}};
}

/// Where `text` begins within the whole is `offset`: errors speak of the whole.
[[nodiscard]] inline result<digest> parse_digest(std::string_view text, std::size_t offset)
{
    for (auto const a : known_algorithms) {
        auto const name = to_string(a);
        if (!text.starts_with(name) || text.size() == name.size() || text[name.size()] != ':')
            continue;
        auto const hex = text.substr(name.size() + 1);
        auto const begin = offset + name.size() + 1;
        if (hex.size() != hex_length(a))
            return refused(begin, std::to_string(hex_length(a)) + " hexadecimal digits");
        for (std::size_t i = 0; i < hex.size(); ++i)
            if (!((hex[i] >= '0' && hex[i] <= '9') || (hex[i] >= 'a' && hex[i] <= 'f')))
                return refused(begin + i, "a hexadecimal digit in lower case");
        return digest{a, std::string(hex)};
    }
    return refused(offset, "sha256:, sha384: or sha512:");
}

}  // namespace detail

inline result<digest> digest::parse(std::string_view text)
{
    return detail::parse_digest(text, 0);
}

}  // namespace podium::v0::image
