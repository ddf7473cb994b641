#pragma once
/// Paths and queries of Kubernetes' REST API.
///
///     /api/v1/namespaces/shop/pods/web-1/status?fieldManager=x
///     /apis/apps/v1/namespaces/shop/deployments?labelSelector=app%3Dweb&watch=1
///
/// Source: the API conventions of Kubernetes (resource paths).

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::api {

struct path {
    std::string api_version{};  ///< "v1", "apps/v1"
    std::string namespace_{};   ///< empty: all of them, or a cluster-wide kind
    std::string plural{};       ///< empty: the version itself
    std::string name{};         ///< empty: the collection
    std::string subresource{};
    std::map<std::string, std::string> query{};
    friend bool operator==(path const&, path const&) = default;

    [[nodiscard]] std::string parameter(std::string const& key) const
    {
        auto const it = query.find(key);
        return it == query.end() ? std::string{} : it->second;
    }
    [[nodiscard]] bool flag(std::string const& key) const
    {
        auto const value = parameter(key);
        return value == "1" || value == "true";
    }
};

/// As a part of a request's target: what RFC 3986 does not call unreserved is escaped.
[[nodiscard]] inline std::string percent_encoded(std::string_view text)
{
    std::string out;
    for (char const c : text) {
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
            out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
        }
    }
    return out;
}

namespace detail {

[[nodiscard]] inline result<std::string> percent_decoded(std::string_view text, bool plus_is_space)
{
    auto const digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0'
            : c >= 'a' && c <= 'f'  ? c - 'a' + 10
            : c >= 'A' && c <= 'F'  ? c - 'A' + 10
                                    : -1;
    };
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            if (text.size() - i < 3)
                return error{errc::invalid, "expected two hexadecimal digits behind '%'", "path", {}};
            int const a = digit(text[i + 1]), b = digit(text[i + 2]);
            if (a < 0 || b < 0 || a * 16 + b == 0)
                return error{
                    errc::invalid, "expected two hexadecimal digits behind '%', and not 00", "path", {}};
            out += static_cast<char>(a * 16 + b);
            i += 2;
        }
    }
    return out;
}

}  // namespace detail

/// Errors: `not_found` for a path that is none of the API's, `invalid` for bad escapes.
[[nodiscard]] inline result<path> parse_path(std::string_view target)
{
    path p;
    auto const question = target.find('?');
    std::string_view query =
        question == std::string_view::npos ? std::string_view{} : target.substr(question + 1);
    while (!query.empty()) {
        auto const one = query.substr(0, query.find('&'));
        query.remove_prefix(one.size() == query.size() ? one.size() : one.size() + 1);
        auto const equals = one.find('=');
        auto key = detail::percent_decoded(one.substr(0, equals), true);
        auto value = detail::percent_decoded(
            equals == std::string_view::npos ? std::string_view{} : one.substr(equals + 1), true);
        if (!key || !value)
            return !key ? key.error() : value.error();
        p.query.emplace(*std::move(key), *std::move(value));
    }
    std::vector<std::string> parts;
    for (auto rest = target.substr(0, question); !rest.empty();) {
        rest.remove_prefix(rest.front() == '/' ? 1 : 0);
        auto const one = rest.substr(0, rest.find('/'));
        rest.remove_prefix(one.size());
        auto text = detail::percent_decoded(one, false);
        if (!text)
            return text.error();
        if (!text->empty())
            parts.push_back(*std::move(text));
    }
    error const unknown{errc::not_found, "the server could not find the requested resource", {}, {}};
    std::size_t at = 0;
    if (parts.size() >= 2 && parts[0] == "api")
        p.api_version = parts[1], at = 2;
    else if (parts.size() >= 3 && parts[0] == "apis")
        p.api_version = parts[1] + '/' + parts[2], at = 3;
    else
        return unknown;
    auto const left = [&] { return parts.size() - at; };
    // "namespaces" is a kind of its own, and the place where the others live.
    if (left() >= 3 && parts[at] == "namespaces" && parts[at + 2] != "status" && parts[at + 2] != "finalize")
        p.namespace_ = parts[at + 1], at += 2;
    if (left() >= 1)
        p.plural = parts[at++];
    if (left() >= 1)
        p.name = parts[at++];
    if (left() >= 1)
        p.subresource = parts[at++];
    if (left() != 0)
        return unknown;
    return p;
}

/// The path of an object, or of its collection when `name` is empty.
[[nodiscard]] inline std::string path_of(std::string_view api_version, std::string_view plural,
    std::string_view namespace_, std::string_view name = {})
{
    std::string out(api_version.find('/') == std::string_view::npos ? "/api/" : "/apis/");
    out += api_version;
    if (!namespace_.empty())
        (out += "/namespaces/") += namespace_;
    (out += '/') += plural;
    if (!name.empty())
        (out += '/') += name;
    return out;
}

}  // namespace podium::v0::api
