#pragma once
/// An image reference: [domain/]path[:tag][@digest], as text and as parts.
///
///     auto r = image::reference::parse_normalized("redis:7");   // docker.io/library/redis:7
///
/// `parse` is the grammar alone; `parse_normalized` first expands what people leave out when they mean Docker
/// Hub. The grammar cannot tell a domain from a first path component ("a/b" has the domain "a"); the
/// expansion does, by a dot, a colon, an upper-case letter or "localhost".
///
/// Source: distribution/reference v0.6.0 (regexp.go, reference.go, normalize.go, helpers.go) and
/// Kubernetes v1.35.4 pkg/util/parsers.

#include <podium/core/result.hpp>
#include <podium/image/digest.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::image {

/// Where an image is and which one, normalised.
struct reference {
    std::string domain{};  ///< "ghcr.io", "localhost:5000", "[::1]:80"; empty when the text has none
    std::string path{};    ///< "library/redis", at most 255 characters
    std::string tag{};     ///< empty: none
    std::optional<image::digest> digest{};

    friend bool operator==(reference const&, reference const&) = default;

    /// domain/path
    [[nodiscard]] std::string name() const { return domain.empty() ? path : domain + '/' + path; }

    /// The grammar alone: nothing is filled in. Errors: `invalid`, with the offset of what was not expected.
    /// Linear in the text; one that is too long to be a reference is not read.
    [[nodiscard]] static result<reference> parse(std::string_view text);

    /// As Docker and the kubelet read what a person wrote: "redis" is "docker.io/library/redis". The domain
    /// is never empty. Offsets in errors are those of the given text.
    [[nodiscard]] static result<reference> parse_normalized(std::string_view text);
};

/// domain/path:tag@digest; `parse` of it gives the same reference again.
[[nodiscard]] inline std::string to_string(reference const& r)
{
    auto out = r.name();
    if (!r.tag.empty())
        (out += ':') += r.tag;
    if (r.digest)
        (out += '@') += to_string(*r.digest);
    return out;
}

/// The short form for people: of a normalized reference without what normalizing fills in.
[[nodiscard]] inline std::string familiar(reference r)
{
    if (r.domain == "docker.io") {
        r.domain.clear();
        constexpr std::string_view official = "library/";
        if (r.path.starts_with(official) && r.path.find('/', official.size()) == std::string::npos)
            r.path.erase(0, official.size());
    }
    return to_string(r);
}

/// What the kubelet pulls: the tag is "latest" when there is neither tag nor digest.
[[nodiscard]] inline reference with_default_tag(reference r)
{
    if (r.tag.empty() && !r.digest)
        r.tag = "latest";
    return r;
}

/// What a container runtime is asked for: one of tag and digest, "latest" when there was neither. The digest
/// says all, so a tag beside it is dropped.
[[nodiscard]] inline reference docker_reference(reference r)
{
    if (r.digest)
        r.tag.clear();
    return with_default_tag(std::move(r));
}

namespace detail {

inline constexpr std::size_t longest_path = 255;
inline constexpr std::size_t longest_tag = 128;
/// No domain that can be resolved is longer; here it only bounds the work for absurd input.
inline constexpr std::size_t longest_reference = 64 * 1024;

[[nodiscard]] constexpr bool digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}
[[nodiscard]] constexpr bool lower(char c) noexcept
{
    return c >= 'a' && c <= 'z';
}
[[nodiscard]] constexpr bool upper(char c) noexcept
{
    return c >= 'A' && c <= 'Z';
}
[[nodiscard]] constexpr bool alphanumeric(char c) noexcept
{
    return digit(c) || lower(c) || upper(c);
}

/// Where a host with an optional port goes wrong; npos: it is one.
[[nodiscard]] constexpr std::size_t wrong_domain(std::string_view text) noexcept
{
    std::size_t at = 0;
    if (text.starts_with('[')) {
        for (at = 1; at < text.size() && text[at] != ']'; ++at) {
            char const c = text[at];
            if (!digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != ':')
                return at;
        }
        if (at == 1 || at == text.size())
            return at;
        ++at;
    } else {
        bool begun = false;  // a component: no hyphen at either end
        for (; at < text.size() && text[at] != ':'; ++at) {
            char const c = text[at];
            if (alphanumeric(c))
                begun = true;
            else if (c == '.' && begun && text[at - 1] != '-')
                begun = false;
            else if (c != '-' || !begun)
                return at;
        }
        if (!begun || text[at - 1] == '-')
            return at;
    }
    if (at == text.size())
        return std::string_view::npos;
    if (text[at] != ':' || ++at == text.size())
        return at;
    for (; at < text.size(); ++at)
        if (!digit(text[at]))
            return at;
    return std::string_view::npos;
}

/// Where a path goes wrong; npos: it is one. Components are lower-case letters and digits, with ".", "_",
/// "__" or any number of "-" between them.
[[nodiscard]] constexpr std::size_t wrong_path(std::string_view text) noexcept
{
    auto const plain = [](char c) { return digit(c) || lower(c); };
    for (std::size_t at = 0;;) {
        if (at == text.size() || !plain(text[at]))
            return at;
        while (at < text.size() && plain(text[at]))
            ++at;
        if (at == text.size())
            return std::string_view::npos;
        switch (text[at]) {
        case '/':
        case '.': ++at; break;
        case '_': at += text.substr(at).starts_with("__") ? std::size_t{2} : std::size_t{1}; break;
        case '-':
            while (at < text.size() && text[at] == '-')
                ++at;
            break;
        default: return at;
        }
    }
}

/// `offset_of` maps a position in `text` to one in what the user wrote.
template<class OffsetOf>
[[nodiscard]] result<reference> parse_reference(std::string_view text, OffsetOf const& offset_of)
{
    if (text.empty())
        return refused(0, "the name of an image");
    if (text.size() > longest_reference)
        return refused(offset_of(longest_reference), "the end of the reference");
    auto const at_sign = text.find('@');
    auto const head = text.substr(0, at_sign);
    auto const slash = head.find('/');
    auto const last = head.rfind('/');
    auto const colon = head.find(':', last == std::string_view::npos ? 0 : last);
    auto const name = head.substr(0, colon);

    reference r;
    std::size_t path_begin = 0;
    if (slash != std::string_view::npos && wrong_domain(name.substr(0, slash)) == std::string_view::npos) {
        r.domain = name.substr(0, slash);
        path_begin = slash + 1;
    }
    auto const path = name.substr(path_begin);
    if (auto const wrong = wrong_path(path); wrong != std::string_view::npos) {
        auto const at = path_begin + wrong;
        return refused(offset_of(at),
            wrong < path.size() && upper(path[wrong]) ? "a path in lower case"
                : wrong == path.size() || path[wrong] == '/'
                ? "a lower-case letter or a digit"
                : "a path of lower-case letters and digits, separated by '.', '_', '__', '-' or '/'");
    }
    if (path.size() > longest_path)
        return refused(offset_of(path_begin + longest_path), "a path of at most 255 characters");
    r.path = path;

    if (colon != std::string_view::npos) {
        auto const tag = head.substr(colon + 1);
        auto const tag_begin = colon + 1;
        for (std::size_t i = 0; i < tag.size(); ++i) {
            if (i == longest_tag)
                return refused(offset_of(tag_begin + i), "a tag of at most 128 characters");
            if (!alphanumeric(tag[i]) && tag[i] != '_' && (i == 0 || (tag[i] != '.' && tag[i] != '-')))
                return refused(offset_of(tag_begin + i), "a tag of letters, digits, '_', '.' and '-'");
        }
        if (tag.empty())
            return refused(offset_of(tag_begin), "a tag after ':'");
        r.tag = tag;
    }
    if (at_sign != std::string_view::npos) {
        auto digest = parse_digest(text.substr(at_sign + 1), offset_of(at_sign + 1));
        if (!digest)
            return std::move(digest).error();
        r.digest = *std::move(digest);
    }
    return r;
}

}  // namespace detail

inline result<reference> reference::parse(std::string_view text)
{
    return detail::parse_reference(text, [](std::size_t at) { return at; });
}

inline result<reference> reference::parse_normalized(std::string_view text)
{
    if (text.size() > detail::longest_reference)
        return detail::refused(detail::longest_reference, "the end of the reference");
    if (text.empty())
        return detail::refused(0, "the name of an image");
    if (text.size() == 64 &&
        std::ranges::all_of(text, [](char c) { return detail::digit(c) || (c >= 'a' && c <= 'f'); }))
        return detail::refused(0, "a name: 64 hexadecimal digits are taken for an image's id");

    std::string_view domain = "docker.io", rest = text;
    if (auto const slash = text.find('/'); slash != std::string_view::npos) {
        auto const first = text.substr(0, slash);
        bool const host = first == "localhost" || first == "index.docker.io" ||
            first.find_first_of(".:") != std::string_view::npos || std::ranges::any_of(first, detail::upper);
        if (host) {
            rest = text.substr(slash + 1);
            if (first != "index.docker.io")
                domain = first;
        }
    }
    std::string whole(domain);
    whole += '/';
    if (domain == "docker.io" && rest.find('/') == std::string_view::npos)
        whole += "library/";
    auto const added = whole.size();
    whole += rest;
    auto const skipped = text.size() - rest.size();
    return detail::parse_reference(
        whole, [&](std::size_t at) { return at < added ? std::min(at, skipped) : at - added + skipped; });
}

}  // namespace podium::v0::image
