#pragma once
/// Route rules: what a router does with requests besides dealing them out by weight.
///
/// In this order: a header sends a tester to the preview whatever the weights say; a visitor who has a
/// version keeps it; all others are dealt out by weight. A mirror copies a share of the requests to another
/// version and throws the answers away. Rules are in force together with the endpoints and weights of their
/// set, so a router never goes by half of a change.

#include <podium/core/error.hpp>
#include <podium/core/names.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/traffic/outlier.hpp>
#include <podium/traffic/sticky.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::traffic {

/// One field of a request, as it came.
struct header_field {
    std::string_view name{};
    std::string_view value{};

    friend bool operator==(header_field const&, header_field const&) = default;
};

/// Requests with such a field go to `version`, and nowhere else: where it has no endpoint they fail, for a
/// test that quietly got the stable version would prove nothing.
struct header_match {
    enum class kind : std::uint8_t { exact, prefix };

    std::string header{};  ///< a token; case does not matter
    kind how = kind::exact;
    std::string value{};  ///< case matters; exact and empty: present and empty
    std::string version{};

    friend bool operator==(header_match const&, header_match const&) = default;
};

/// Copies of requests that other versions serve. No copy is repeated; one that would be too many or too large
/// is dropped, and counted as such.
struct mirror_policy {
    std::string version{};                       ///< gets the copies; empty: no mirror
    std::uint32_t percent = 100;                 ///< of the requests that other versions serve, <= 100; exact
    std::uint32_t max_in_flight = 64;            ///< copies under way at once, >= 1
    std::uint32_t body_limit_bytes = 64 * 1024;  ///< of a copy's body, <= 16 MiB
    duration deadline = std::chrono::seconds(10);  ///< for a copy and its answer, once connected; > 0

    friend bool operator==(mirror_policy const&, mirror_policy const&) = default;
};

/// All rules of one service port. Rules that name versions need weights in their set.
struct route_rules {
    std::vector<header_match> matches{};  ///< the first that fits counts
    sticky_policy sticky{};
    mirror_policy mirror{};
    std::string conversion_header{};  ///< an answer with this field at "1" is a conversion; empty: none are
    std::optional<outlier_policy> ejection{};

    friend bool operator==(route_rules const&, route_rules const&) = default;
};

/// How a request's version is found.
enum class way : std::uint8_t {
    dealt,       ///< by weight
    remembered,  ///< by its cookie, or because it was dealt there before; by weight where that has no share
                 ///< now
    hashed,      ///< by who sent it
    matched,     ///< by a header; that version or none
};

[[nodiscard]] constexpr char const* to_string(way w) noexcept
{
    switch (w) {
    case way::dealt: return "dealt by weight";
    case way::remembered: return "remembered";
    case way::hashed: return "hashed";
    case way::matched: return "matched by a header";
    }
    return "unknown";
}

/// Where a request wants to go.
struct aim {
    way how = way::dealt;
    std::string_view name{};  ///< the version, the visitor if `hashed`; lives as long as rules and request
    std::optional<visit> came_with{};  ///< what its cookie says: names the version where `name` is empty

    /// The version that it wants, if any.
    [[nodiscard]] std::string_view version() const noexcept
    {
        return name.empty() && came_with ? std::string_view(came_with->version) : name;
    }

    friend bool operator==(aim const&, aim const&) = default;
};

}  // namespace podium::v0::traffic

namespace podium::inline v0::traffic::detail {

[[nodiscard]] constexpr bool same_name(std::string_view a, std::string_view b) noexcept
{
    return std::ranges::equal(a, b, [](char x, char y) {
        auto const lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
        };
        return lower(x) == lower(y);
    });
}

}  // namespace podium::v0::traffic::detail

namespace podium::inline v0::traffic {

/// All that is wrong with `r`, as `invalid` with the paths of the fields. `weighted`: the set has weights.
[[nodiscard]] inline result<void> check(route_rules const& r, bool weighted)
{
    found_errors wrong;
    auto const needs_weights = [&](std::string const& path) {
        if (!weighted)
            wrong.add({errc::invalid, "needs weights in its set: who gets the rest?", path});
    };
    for (std::size_t i = 0; i < r.matches.size(); ++i) {
        auto const path = "matches[" + std::to_string(i) + ']';
        auto const& m = r.matches[i];
        if (!names::http_token(m.header))
            wrong.add({errc::invalid, "must be the name of a header", path + ".header"});
        if (m.how == header_match::kind::prefix && m.value.empty())
            wrong.add({errc::invalid, "must not be empty: it would match any value", path + ".value"});
        if (m.version.empty())
            wrong.add({errc::invalid, "must name a version", path + ".version"});
        needs_weights(path);
    }
    if (auto ok = check(r.sticky); !ok)
        wrong.add(error(ok.error()).inside("sticky"));
    if (r.sticky.by != sticky_by::nothing)
        needs_weights("sticky");
    if (!r.mirror.version.empty()) {
        if (r.mirror.percent > 100)
            wrong.add({errc::invalid, "must be at most 100", "mirror.percent"});
        if (r.mirror.max_in_flight == 0)
            wrong.add({errc::invalid, "must be at least 1", "mirror.max_in_flight"});
        if (r.mirror.body_limit_bytes > 16u << 20)
            wrong.add({errc::invalid, "must be at most 16 MiB", "mirror.body_limit_bytes"});
        if (r.mirror.deadline <= duration::zero())
            wrong.add({errc::invalid, "must be more than 0", "mirror.deadline"});
        needs_weights("mirror");
    }
    if (!r.conversion_header.empty() && !names::http_token(r.conversion_header))
        wrong.add({errc::invalid, "must be the name of a header", "conversion_header"});
    if (r.ejection)
        if (auto ok = check(*r.ejection); !ok)
            wrong.add(error(ok.error()).inside("ejection"));
    if (wrong.all)
        return *std::move(wrong.all);
    return {};
}

/// Whether a request's fields matter for where it goes.
[[nodiscard]] inline bool looks_at_fields(route_rules const& r) noexcept
{
    return !r.matches.empty() || r.sticky.by != sticky_by::nothing;
}

/// Where a request with these fields goes. What cannot be read is as if it were not there: such a visitor is
/// new. O(matches x fields).
[[nodiscard]] inline aim aim_of(route_rules const& r, std::span<header_field const> fields)
{
    for (auto const& m : r.matches)
        for (auto const& f : fields)
            if (detail::same_name(f.name, m.header) &&
                (m.how == header_match::kind::exact ? f.value == m.value : f.value.starts_with(m.value)))
                return {way::matched, m.version, {}};
    for (auto const& f : fields) {
        if (r.sticky.by == sticky_by::header && detail::same_name(f.name, r.sticky.name) && !f.value.empty())
            return {way::hashed, f.value, {}};
        if (r.sticky.by != sticky_by::cookie || !detail::same_name(f.name, "Cookie"))
            continue;
        if (auto const value = find_cookie(f.value, r.sticky.name)) {
            aim out;
            out.came_with = parse_cookie_value(*value);
            out.how = out.came_with ? way::remembered : way::dealt;
            return out;
        }
    }
    return {};
}

}  // namespace podium::v0::traffic
