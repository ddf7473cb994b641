#pragma once
/// Sticky assignment: one visitor sees one version, and more weight for a version never takes a visitor from
/// it.
///
/// By a cookie: a new visitor is dealt a version by the weighted split, so that the share of new visitors is
/// exact, and the cookie remembers it. The router keeps nothing. The cookie names the version and says
/// whether its visitor has converted, so that a visitor converts once; a client that throws it away is a new
/// visitor, and one that forges it chooses its version and what it claims. It is for experiments, not for
/// access.
///
/// By a header that identifies the visitor: weighted rendezvous hashing. Each version draws a number from the
/// visitor and its own name, divided by its weight; the least wins. Who gains weight only gains visitors, who
/// loses weight only loses some, in proportion. The shares are exact in the long run only.
///
/// Source: RFC 6265, 4.1.1 (cookie-octet), 5.4 (the order of cookies); D. Thaler, C. Ravishankar, Using
/// Name-Based Mappings to Increase Hit Rates (IEEE/ACM ToN 6(1), 1998), with weights as exponential draws.

#include <podium/core/error.hpp>
#include <podium/core/hash.hpp>
#include <podium/core/names.hpp>
#include <podium/core/result.hpp>
#include <podium/traffic/split.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace podium::inline v0::traffic {

/// What a visitor is known by.
enum class sticky_by : std::uint8_t {
    nothing,  ///< each request is dealt anew
    cookie,   ///< `name` is a cookie that the router sets
    header,   ///< `name` is a request header that says who it is: "X-User-Id"
};

struct sticky_policy {
    sticky_by by = sticky_by::nothing;
    std::string name{};               ///< a token of RFC 9110
    std::chrono::seconds max_age{0};  ///< of the cookie, >= 0; 0: until the browser is closed

    friend bool operator==(sticky_policy const&, sticky_policy const&) = default;
};

/// What a cookie remembers.
struct visit {
    std::string version{};
    bool converted = false;

    friend bool operator==(visit const&, visit const&) = default;
};

/// What an answer means for the visitor that it goes to.
struct visit_answer {
    bool new_visitor = false;      ///< assigned to the version by this answer
    bool newly_converted = false;  ///< this visitor's first conversion
    std::string set_cookie{};      ///< the value of a Set-Cookie field; empty: the visitor's cookie is right
    friend bool operator==(visit_answer const&, visit_answer const&) = default;
};

}  // namespace podium::v0::traffic

namespace podium::inline v0::traffic::detail {

[[nodiscard]] constexpr bool stays_plain(char c) noexcept
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
        c == '_' || c == '-';
}

[[nodiscard]] constexpr int digit_of(char c) noexcept
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

inline constexpr std::string_view converted_mark = ":c";  // no version's encoding holds a colon
inline constexpr std::size_t max_cookie_value = 1024;

/// The end of splitmix64: every bit depends on every other.
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t x) noexcept
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/// -log2(x / 2^64) in units of 2^-32, rounded down; < 2^38 + 1. In integers, so that all routers agree.
[[nodiscard]] constexpr std::uint64_t surprise(std::uint64_t x) noexcept
{
    __extension__ typedef unsigned __int128 wide;
    x |= 1;
    auto const whole = 63u - static_cast<unsigned>(std::countl_zero(x));
    std::uint64_t m = x << (63u - whole);  // in [1, 2), with 63 bits behind the point
    std::uint64_t log = whole;
    for (int bit = 0; bit < 32; ++bit) {
        wide const square = wide{m} * m;  // in [1, 4), 126 bits behind the point
        bool const two = (square >> 127) != 0;
        log = log << 1 | (two ? 1u : 0u);
        m = static_cast<std::uint64_t>(square >> (two ? 64 : 63));
    }
    return (std::uint64_t{64} << 32) - log;
}

}  // namespace podium::v0::traffic::detail

namespace podium::inline v0::traffic {

/// `invalid`, with the path of the field, where `p` cannot be put in force.
[[nodiscard]] inline result<void> check(sticky_policy const& p)
{
    if (p.by == sticky_by::nothing)
        return {};
    if (!names::http_token(p.name))
        return error{errc::invalid, "must be the name of a cookie or header", "name"};
    if (p.max_age < std::chrono::seconds(0))
        return error{errc::invalid, "must not be negative", "max_age"};
    return {};
}

/// "v2", or "v2:c" once its visitor has converted. Other bytes than letters, digits and "._-" become %XX.
[[nodiscard]] inline std::string cookie_value(visit const& v)
{
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char const c : v.version) {
        if (detail::stays_plain(c)) {
            out += c;
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        out += '%';
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
    if (v.converted)
        out += detail::converted_mark;
    return out;
}

/// Reads what `cookie_value` wrote; nothing for all else, such as other spellings of the same. O(length).
[[nodiscard]] inline std::optional<visit> parse_cookie_value(std::string_view text)
{
    visit out;
    if (text.ends_with(detail::converted_mark)) {
        out.converted = true;
        text.remove_suffix(detail::converted_mark.size());
    }
    if (text.empty() || text.size() > detail::max_cookie_value)
        return std::nullopt;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%' && i + 2 < text.size()) {
            int const high = detail::digit_of(text[i + 1]), low = detail::digit_of(text[i + 2]);
            if (high < 0 || low < 0)
                return std::nullopt;
            c = static_cast<char>(high * 16 + low);
            i += 2;
            if (detail::stays_plain(c))
                return std::nullopt;
        } else if (!detail::stays_plain(c)) {
            return std::nullopt;
        }
        out.version += c;
    }
    return out;
}

/// The value of cookie `name` in the value of a Cookie field, the first where there are more: browsers put
/// the most specific one there. O(length).
[[nodiscard]] constexpr std::optional<std::string_view> find_cookie(
    std::string_view field, std::string_view name) noexcept
{
    while (!field.empty()) {
        auto const end = std::min(field.find(';'), field.size());
        auto pair = field.substr(0, end);
        field.remove_prefix(std::min(end + 1, field.size()));
        auto const first = pair.find_first_not_of(" \t");
        if (first == std::string_view::npos)
            continue;
        pair = pair.substr(first, pair.find_last_not_of(" \t") - first + 1);
        if (pair.size() > name.size() && pair[name.size()] == '=' && pair.starts_with(name))
            return pair.substr(name.size() + 1);
    }
    return std::nullopt;
}

/// "name=v2; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax". Scripts need not see it, other sites need not
/// send it. Not `Secure`: a router speaks to whoever ends TLS before it.
[[nodiscard]] inline std::string set_cookie(sticky_policy const& p, visit const& v)
{
    auto out = p.name + '=' + cookie_value(v) + "; Path=/";
    if (p.max_age > std::chrono::seconds(0))
        out += "; Max-Age=" + std::to_string(p.max_age.count());
    return out + "; HttpOnly; SameSite=Lax";
}

/// What an answer of `version` tells the visitor who came with `remembered`, and what to count. A visitor
/// whose version is another one now is a new visitor of that: assignments are counted, and convert once each.
[[nodiscard]] inline visit_answer answer_visit(
    sticky_policy const& p, std::optional<visit> const& remembered, std::string_view version, bool converted)
{
    visit_answer out;
    if (p.by != sticky_by::cookie || version.empty())
        return out;
    out.new_visitor = !remembered || remembered->version != version;
    out.newly_converted = converted && (out.new_visitor || !remembered->converted);
    if (out.new_visitor || out.newly_converted)
        out.set_cookie = set_cookie(p, {std::string(version), converted});
    return out;
}

/// Which version `visitor` belongs to: a position in the weights, nothing where all are 0. The order of the
/// weights does not matter. O(versions), some 100 ns each.
[[nodiscard]] inline std::optional<std::size_t> assign(
    std::span<version_weight const> weights, std::string_view visitor) noexcept
{
    auto const who = detail::mixed(fnv1a(visitor));
    std::optional<std::size_t> best;
    std::uint64_t best_draw = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        auto const& w = weights[i];
        if (w.weight == 0)
            continue;
        auto const draw = detail::surprise(detail::mixed(who ^ fnv1a(w.version)));
        // draw / weight, without dividing: both products are below 2^60.
        auto const mine = best ? draw * weights[*best].weight : 0, theirs = best_draw * w.weight;
        if (!best || mine < theirs || (mine == theirs && w.version < weights[*best].version)) {
            best = i;
            best_draw = draw;
        }
    }
    return best;
}

}  // namespace podium::v0::traffic
