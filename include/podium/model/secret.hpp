#pragma once
/// Secret: like a ConfigMap, for values that must not be shown.
///
/// `data` holds the decoded bytes; JSON has them in base64. `stringData` of a manifest is folded into
/// `data` by the defaults and never written.
///
/// Source: Secret in kubernetes/api core/v1/types.go at v1.35.

#include <podium/model/meta.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace podium::inline v0::model {

/// Bytes that JSON carries as base64 (RFC 4648, with padding).
struct bytes {
    std::string value{};
    friend bool operator==(bytes const&, bytes const&) = default;
};

namespace detail {
inline constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

/// Strict: whole groups of four, padding only at the end, no stray bits, no spaces.
inline bool from_text(std::string_view text, bytes& out)
{
    if (text.size() % 4 != 0)
        return false;
    std::string value;
    value.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        bool const last = i + 4 == text.size();
        std::size_t const padding = !last ? 0 : text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            std::size_t const digit = k < 4 - padding ? detail::base64_digits.find(text[i + k]) : 0;
            if (digit == std::string_view::npos)
                return false;
            group = group << 6 | static_cast<std::uint32_t>(digit);
        }
        if (padding != 0 && (group & ((1U << (8 * padding)) - 1)) != 0)
            return false;
        for (std::size_t k = 0; k < 3 - padding; ++k)
            value += static_cast<char>(static_cast<unsigned char>(group >> (16 - 8 * k)));
    }
    out.value = std::move(value);
    return true;
}

inline std::string to_text(bytes const& b)
{
    std::string out;
    out.reserve((b.value.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < b.value.size(); i += 3) {
        std::size_t const have = std::min<std::size_t>(3, b.value.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < have ? static_cast<unsigned char>(b.value[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            out += k <= have ? detail::base64_digits[group >> (18 - 6 * k) & 63U] : '=';
    }
    return out;
}

struct secret {
    static constexpr std::string_view kind = "Secret";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "secrets";
    static constexpr std::string_view short_name = "";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    std::optional<bool> immutable{};
    std::map<std::string, bytes> data{};
    std::map<std::string, std::string> string_data{};
    std::string type = "Opaque";
    friend bool operator==(secret const&, secret const&) = default;
};
BOOST_DESCRIBE_STRUCT(secret, (), (metadata, immutable, data, string_data, type))
constexpr bool always(secret const*, std::string_view member)
{
    return member == "type";
}

}  // namespace podium::v0::model
