#pragma once
/// Platforms: what an image was built for, and which of several images runs best on a machine.
///
///     auto const i = image::choose(machine, manifests, &manifest::platform);
///
/// A newer processor runs what was built for an older one of its line: arm/v7 runs v6 and v5, arm64/v9 runs
/// v8 and 32-bit arm, amd64/v3 runs v2, plain amd64 and 386. The nearest one wins, and among equals the
/// first.
///
/// Source: containerd/platforms v1.0 (platforms.go, database.go, compare.go) and the OCI image index
/// specification v1.1. Features and versions of the operating system (Windows') are not looked at. A bare
/// "arm64" or "linux" is refused, where containerd asks the machine it runs on for the rest.

#include <podium/core/result.hpp>
#include <podium/image/digest.hpp>

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::image {

/// What an image runs on, as an index lists it.
struct platform {
    std::string os{};            ///< "linux"
    std::string architecture{};  ///< "amd64", "arm64", "arm"
    std::string variant{};       ///< "v7"; empty: the architecture's usual one

    friend bool operator==(platform const&, platform const&) = default;
    friend auto operator<=>(platform const&, platform const&) = default;

    /// "linux/arm64" or "linux/arm/v7", aliases resolved. Errors: `invalid`, with the offset.
    [[nodiscard]] static result<platform> parse(std::string_view text);
};

/// "linux/arm/v7"
[[nodiscard]] inline std::string to_string(platform const& p)
{
    auto out = p.os + '/' + p.architecture;
    return p.variant.empty() ? out : out + '/' + p.variant;
}

/// One spelling for each platform: lower case, "x86_64" is amd64, "aarch64" arm64, "armhf" arm/v7, a plain
/// arm v7; the usual variant of amd64 (v1) and of arm64 (v8) is left out. Idempotent.
[[nodiscard]] inline platform normalize(platform p)
{
    auto const to_lower = [](std::string& text) {
        for (char& c : text)
            if (c >= 'A' && c <= 'Z')
                c = static_cast<char>(c - 'A' + 'a');
    };
    to_lower(p.os);
    to_lower(p.architecture);
    to_lower(p.variant);
    if (p.os == "macos")
        p.os = "darwin";

    auto& arch = p.architecture;
    auto& variant = p.variant;
    if (arch == "i386") {
        arch = "386";
        variant.clear();
    } else if (arch == "x86_64" || arch == "x86-64" || arch == "amd64") {
        arch = "amd64";
        if (variant == "v1")
            variant.clear();
    } else if (arch == "aarch64" || arch == "arm64") {
        arch = "arm64";
        if (variant == "8" || variant == "v8" || variant == "v8.0")
            variant.clear();
        else if (variant == "9" || variant == "9.0" || variant == "v9.0")
            variant = "v9";
    } else if (arch == "armhf") {
        arch = "arm";
        variant = "v7";
    } else if (arch == "armel") {
        arch = "arm";
        variant = "v6";
    } else if (arch == "arm") {
        if (variant.empty() || variant == "7")
            variant = "v7";
        else if (variant == "5" || variant == "6" || variant == "8")
            variant.insert(0, 1, 'v');
    }
    return p;
}

/// Something with a platform that can be chosen: `Project` gives it as a `platform`.
template<class Project, class Candidate>
concept PlatformOf = std::regular_invocable<Project const&, Candidate const&> &&
    std::convertible_to<std::invoke_result_t<Project const&, Candidate const&>, platform const&>;

/// How far an image for `offered` is from the best one on a `machine`: 0 is its own platform, each step
/// down is one more; nothing when the machine cannot run it.
[[nodiscard]] inline std::optional<std::uint32_t> distance(platform const& machine, platform const& offered);

/// The index of the image that suits `machine` best, the first of equals. Errors: `not_found`, whose text
/// says what was wanted and (up to eight of) what there was. O(n).
template<std::ranges::input_range Candidates, class Project = std::identity>
requires PlatformOf<Project, std::ranges::range_value_t<Candidates>>
[[nodiscard]] result<std::size_t> choose(
    platform const& machine, Candidates const& candidates, Project project = {})
{
    std::optional<std::uint32_t> best;
    std::size_t chosen = 0, count = 0;
    std::string offered;
    for (auto const& c : candidates) {
        platform const& p = std::invoke(project, c);
        auto const far = distance(machine, p);
        if (far && (!best || *far < *best)) {
            best = far;
            chosen = count;
        }
        if (!best && count < 8)
            (offered += count == 0 ? "" : ", ") += to_string(p);
        ++count;
    }
    if (best)
        return chosen;
    if (count > 8)
        offered += " and " + std::to_string(count - 8) + " more";
    return error{errc::not_found,
        "expected an image for " + to_string(normalize(machine)) + "; " +
            (count == 0 ? std::string("there is none at all") : "there are images for " + offered),
        {}, {}};
}

namespace detail {

struct version {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
};

/// "v8", "v8.5"; nothing for any other text.
[[nodiscard]] constexpr std::optional<version> variant_version(std::string_view text) noexcept
{
    if (!text.starts_with('v') || text.size() > 6)
        return std::nullopt;
    version v;
    bool minor = false, digits = false;
    for (char const c : text.substr(1)) {
        if (c == '.' && digits && !minor) {
            minor = true;
            digits = false;
            continue;
        }
        if (c < '0' || c > '9')
            return std::nullopt;
        auto& n = minor ? v.minor : v.major;
        n = n * 10 + static_cast<std::uint32_t>(c - '0');
        digits = true;
    }
    return digits ? std::optional(v) : std::nullopt;
}

/// Steps down from `from` to `to` within arm, whose versions go down to 5.
[[nodiscard]] constexpr std::optional<std::uint32_t> arm_steps(
    std::uint32_t from, std::string_view to) noexcept
{
    auto const v = variant_version(to);
    if (!v || v->minor != 0 || v->major > from || v->major < 5)
        return std::nullopt;
    return from - v->major;
}

}  // namespace detail

inline std::optional<std::uint32_t> distance(platform const& machine, platform const& offered)
{
    auto const m = normalize(machine), o = normalize(offered);
    if (m.os != o.os)
        return std::nullopt;
    if (m == o)
        return 0;
    using detail::variant_version;
    using detail::version;
    if (m.architecture == "amd64") {
        auto const mine = m.variant.empty() ? std::optional(version{1, 0}) : variant_version(m.variant);
        auto const its = o.variant.empty() ? std::optional(version{1, 0}) : variant_version(o.variant);
        if (o.architecture == "386" && o.variant.empty())
            return mine ? mine->major : 1;
        if (o.architecture != "amd64" || !mine || !its || its->major < 1 || its->major > mine->major)
            return std::nullopt;
        return mine->major - its->major;
    }
    if (m.architecture == "arm" && o.architecture == "arm") {
        auto const mine = variant_version(m.variant);
        return mine ? detail::arm_steps(mine->major, o.variant) : std::nullopt;
    }
    if (m.architecture == "arm64") {
        // v9.n is v8.(n + 5) and more; below v8.0 comes 32-bit arm.
        auto const mine = m.variant.empty() ? std::optional(version{8, 0}) : variant_version(m.variant);
        if (!mine || mine->major < 8 || mine->major > 9 || mine->minor > 99)
            return std::nullopt;
        auto const own_8 = mine->major == 9 ? mine->minor + 5 : mine->minor;
        auto const above_8 = mine->major == 9 ? mine->minor + 1 : 0;  // steps from mine to v8.own_8
        if (o.architecture == "arm64") {
            auto const its = o.variant.empty() ? std::optional(version{8, 0}) : variant_version(o.variant);
            if (!its)
                return std::nullopt;
            if (its->major == 9 && mine->major == 9 && its->minor <= mine->minor)
                return mine->minor - its->minor;
            if (its->major == 8 && its->minor <= own_8)
                return above_8 + (own_8 - its->minor);
            return std::nullopt;
        }
        if (o.architecture != "arm")
            return std::nullopt;
        auto const below = detail::arm_steps(8, o.variant);
        return below ? std::optional(above_8 + own_8 + 1 + *below) : std::nullopt;
    }
    return std::nullopt;
}

inline result<platform> platform::parse(std::string_view text)
{
    constexpr std::size_t longest = 255;
    platform p;
    std::string* const parts[] = {&p.os, &p.architecture, &p.variant};
    std::size_t part = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        char const c = text[at];
        if (at == longest)
            return detail::refused(at, "the end of the platform");
        if (c == '/') {
            if (parts[part]->empty() || part == 2)
                return detail::refused(
                    at, part == 2 ? "the end of the platform" : "os/architecture[/variant]");
            ++part;
            continue;
        }
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '_' && c != '.' && c != '-')
            return detail::refused(at, "a letter, a digit, '_', '.' or '-'");
        *parts[part] += c;
    }
    if (part == 0 || parts[part]->empty())
        return detail::refused(text.size(), "os/architecture[/variant]");
    return normalize(std::move(p));
}

}  // namespace podium::v0::image
