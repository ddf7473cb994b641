#pragma once
/// What may be a name: Kubernetes' rules for names, labels and keys, each with its own words.
///
/// Every rule takes the text and answers with nothing or with an `errc::invalid` error that says what
/// was expected; the caller adds the path. Lengths count bytes. No allocation unless there is an
/// error, one pass over the text.
///
/// Source: Kubernetes v1.35.4, apimachinery pkg/util/validation.

#include <podium/core/result.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace podium::inline v0::names {

inline constexpr std::size_t max_label = 63;       ///< DNS labels, label values, the name of a label key
inline constexpr std::size_t max_subdomain = 253;  ///< DNS subdomains, prefixes of label keys, config keys
inline constexpr std::size_t max_port_name = 15;

}  // namespace podium::v0::names

namespace podium::inline v0::names::detail {

constexpr bool is_lower(char c) noexcept
{
    return c >= 'a' && c <= 'z';
}
constexpr bool is_digit(char c) noexcept
{
    return c >= '0' && c <= '9';
}
constexpr bool is_alphanumeric(char c) noexcept
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}
constexpr bool is_lower_alphanumeric(char c) noexcept
{
    return is_lower(c) || is_digit(c);
}
constexpr bool is_key_char(char c) noexcept
{
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
}

constexpr bool is_token_char(char c) noexcept
{
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

constexpr bool all(std::string_view text, bool (*is)(char) noexcept) noexcept
{
    for (char const c : text)
        if (!is(c))
            return false;
    return true;
}

/// Lower case letters, digits and inner hyphens, not empty.
constexpr bool is_dns_label(std::string_view text) noexcept
{
    return !text.empty() && is_lower_alphanumeric(text.front()) && is_lower_alphanumeric(text.back()) &&
        all(text, [](char c) noexcept { return is_lower_alphanumeric(c) || c == '-'; });
}

/// DNS labels joined by dots.
constexpr bool is_dns_subdomain(std::string_view text) noexcept
{
    for (;;) {
        auto const dot = text.find('.');
        if (!is_dns_label(text.substr(0, dot)))
            return false;
        if (dot == text.npos)
            return true;
        text.remove_prefix(dot + 1);
    }
}

/// Letters, digits and inner -_., not empty: the name of a label key, a label value.
constexpr bool is_qualified(std::string_view text) noexcept
{
    return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
        all(text, is_key_char);
}

inline error invalid(char const* expected)
{
    return {errc::invalid, expected};
}
inline error too_long(std::size_t limit)
{
    return {errc::invalid, "must be no more than " + std::to_string(limit) + " characters"};
}

/// "." and "..", and whatever starts like the latter, would leave the directory that keys are mounted in.
inline result<void> path_safe(std::string_view text)
{
    if (text == ".")
        return invalid("must not be '.'");
    if (text.starts_with(".."))
        return invalid("must not start with '..'");
    return {};
}

}  // namespace podium::v0::names::detail

namespace podium::inline v0::names {

/// Names of namespaces, containers, parts of host names: "web-1".
[[nodiscard]] inline result<void> dns1123_label(std::string_view text)
{
    if (text.size() > max_label)
        return detail::too_long(max_label);
    if (!detail::is_dns_label(text))
        return detail::invalid(
            "must be lower case letters, digits and '-', and begin and end with a letter or digit (web-1)");
    return {};
}

/// Names of most objects: "web.example.com".
[[nodiscard]] inline result<void> dns1123_subdomain(std::string_view text)
{
    if (text.size() > max_subdomain)
        return detail::too_long(max_subdomain);
    if (!detail::is_dns_subdomain(text))
        return detail::invalid(
            "must be lower case letters, digits, '-' and '.', and each part between dots must "
            "begin and end with a letter or digit (web.example.com)");
    return {};
}

/// Names of services: a DNS label that begins with a letter.
[[nodiscard]] inline result<void> dns1035_label(std::string_view text)
{
    if (text.size() > max_label)
        return detail::too_long(max_label);
    if (!detail::is_dns_label(text) || !detail::is_lower(text.front()))
        return detail::invalid(
            "must be lower case letters, digits and '-', begin with a letter and end with a "
            "letter or digit (web-1)");
    return {};
}

/// "*." and a subdomain.
[[nodiscard]] inline result<void> wildcard_dns1123_subdomain(std::string_view text)
{
    if (text.size() > max_subdomain)
        return detail::too_long(max_subdomain);
    if (!text.starts_with("*.") || !detail::is_dns_subdomain(text.substr(2)))
        return detail::invalid("must be '*.' and a DNS subdomain (*.example.com)");
    return {};
}

/// Keys of labels, annotations, taints; names of resources: "app", "example.com/role".
[[nodiscard]] inline result<void> qualified_name(std::string_view text)
{
    auto name = text;
    if (auto const slash = text.find('/'); slash != text.npos) {
        auto const prefix = text.substr(0, slash);
        name.remove_prefix(slash + 1);
        if (prefix.empty())
            return detail::invalid("the prefix before '/' must not be empty");
        if (auto ok = dns1123_subdomain(prefix); !ok)
            return error{errc::invalid, "the prefix before '/' " + ok.error().message};
    }
    if (name.empty())
        return detail::invalid("the name must not be empty");
    if (name.size() > max_label)
        return error{errc::invalid, "the name " + detail::too_long(max_label).message};
    if (!detail::is_qualified(name))
        return detail::invalid(
            "must be letters, digits, '-', '_' and '.', begin and end with a letter or digit, and "
            "may have a DNS subdomain and '/' before it (example.com/my-name)");
    return {};
}
[[nodiscard]] inline result<void> label_key(std::string_view text)
{
    return qualified_name(text);
}

[[nodiscard]] inline result<void> label_value(std::string_view text)
{
    if (text.size() > max_label)
        return detail::too_long(max_label);
    if (!text.empty() && !detail::is_qualified(text))
        return detail::invalid(
            "must be empty, or letters, digits, '-', '_' and '.' that begin and end with a letter "
            "or digit (my-value)");
    return {};
}

/// Keys of config maps and secrets: file names that stay in their directory.
[[nodiscard]] inline result<void> config_map_key(std::string_view text)
{
    if (text.size() > max_subdomain)
        return detail::too_long(max_subdomain);
    if (text.empty() || !detail::all(text, detail::is_key_char))
        return detail::invalid("must be letters, digits, '-', '_' and '.' (app.conf)");
    return detail::path_safe(text);
}

[[nodiscard]] inline result<void> env_var_name(std::string_view text)
{
    if (text.empty() || detail::is_digit(text.front()) || !detail::all(text, detail::is_key_char))
        return detail::invalid(
            "must be letters, digits, '-', '_' and '.', not beginning with a digit (MY_NAME)");
    return detail::path_safe(text);
}

/// Names of HTTP fields and cookies. Source: RFC 9110, 5.6.2; the length is ours.
[[nodiscard]] inline result<void> http_token(std::string_view text)
{
    if (text.size() > max_subdomain)
        return detail::too_long(max_subdomain);
    if (text.empty() || !detail::all(text, detail::is_token_char))
        return detail::invalid("must be letters, digits and !#$%&'*+-.^_`|~ (X-Visitor)");
    return {};
}

/// Digits and '%': what fields that take only a percentage accept.
[[nodiscard]] inline result<void> percent(std::string_view text)
{
    if (text.size() < 2 || text.back() != '%' ||
        !detail::all(text.substr(0, text.size() - 1), detail::is_digit))
        return detail::invalid("must be digits and '%' (25%)");
    return {};
}

/// Names of ports: at most 15 of lower case letters, digits and single inner hyphens, with a letter.
[[nodiscard]] inline result<void> port_name(std::string_view text)
{
    if (text.size() > max_port_name)
        return detail::too_long(max_port_name);
    if (!detail::is_dns_label(text))
        return detail::invalid(
            "must be lower case letters, digits and '-', and begin and end with a letter or digit");
    if (text.find("--") != text.npos)
        return detail::invalid("must not contain two hyphens in a row");
    if (detail::all(text, [](char c) noexcept { return !detail::is_lower(c); }))
        return detail::invalid("must contain a letter");
    return {};
}

}  // namespace podium::v0::names
