#pragma once
/// Answers: a code and JSON; for a failure Kubernetes' `Status` object, with a cause for each wrong field.
///
/// Source: Status in kubernetes/apimachinery meta/v1; the codes and reasons are its StatusReason table.

#include <podium/core/error.hpp>
#include <podium/model/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::api {

using model::json;

struct response {
    int code = 200;      ///< HTTP's
    std::string body{};  ///< application/json
    friend bool operator==(response const&, response const&) = default;
};

/// What a failure is about.
struct subject {
    std::string_view kind{};  ///< the plural, as Kubernetes puts it into `details.kind`
    std::string_view name{};
};

namespace detail {

struct reason {
    int code;
    std::string_view word;
};
[[nodiscard]] constexpr reason reason_of(errc code) noexcept
{
    switch (code) {
    case errc::invalid: return {422, "Invalid"};
    case errc::not_found: return {404, "NotFound"};
    case errc::already_exists: return {409, "AlreadyExists"};
    case errc::conflict: return {409, "Conflict"};
    case errc::compacted: return {410, "Expired"};
    case errc::exhausted: return {507, "InsufficientStorage"};
    case errc::unavailable: return {503, "ServiceUnavailable"};
    case errc::deadline: return {504, "Timeout"};
    case errc::forbidden: return {403, "Forbidden"};
    case errc::unsupported: return {405, "MethodNotAllowed"};
    case errc::cancelled:
    case errc::unknown_outcome:
    case errc::internal: break;
    }
    return {500, "InternalError"};
}

}  // namespace detail

/// The Status object of a failure. `code` and `word` replace what follows from the error's own code.
[[nodiscard]] inline json status_of(
    error const& e, subject about = {}, int code = 0, std::string_view word = {})
{
    auto const r = detail::reason_of(e.code);
    json causes = json::array();
    auto const add = [&](error const& one) {
        if (!one.path.empty())
            causes.push_back(
                {{"reason", one.message == "required" ? "FieldValueRequired" : "FieldValueInvalid"},
                    {"message", one.message}, {"field", one.path}});
    };
    add(e);
    for (auto const& further : e.further)
        add(further);
    json out = {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Failure"},
        {"message", e.text()}, {"reason", word.empty() ? r.word : word}, {"code", code == 0 ? r.code : code}};
    json details = json::object();
    if (!about.name.empty())
        details["name"] = about.name;
    if (!about.kind.empty())
        details["kind"] = about.kind;
    if (!causes.empty())
        details["causes"] = std::move(causes);
    if (!details.empty())
        out["details"] = std::move(details);
    return out;
}

[[nodiscard]] inline response failure(
    error const& e, subject about = {}, int code = 0, std::string_view word = {})
{
    auto const status = status_of(e, about, code, word);
    return {status.at("code").get<int>(), status.dump(-1, ' ', false, json::error_handler_t::replace)};
}

/// The error that a failed answer carries, for clients: the inverse of `failure`.
[[nodiscard]] inline error error_of(response const& r)
{
    error e{errc::internal, "the server answered " + std::to_string(r.code), {}, {}};
    switch (r.code) {
    case 404: e.code = errc::not_found; break;
    case 409: e.code = errc::conflict; break;
    case 410: e.code = errc::compacted; break;
    case 400:
    case 415:
    case 422: e.code = errc::invalid; break;
    case 403: e.code = errc::forbidden; break;
    case 405: e.code = errc::unsupported; break;
    case 429: e.code = errc::exhausted; break;
    case 503: e.code = errc::unavailable; break;
    default: break;
    }
    auto const status = json::parse(r.body, nullptr, false);
    if (status.is_object() && status.value("kind", "") == "Status") {
        e.message = status.value("message", e.message);
        if (status.value("reason", "") == "AlreadyExists")
            e.code = errc::already_exists;
        if (r.code == 429 && status.contains("details") && status["details"].is_object())
            for (auto const& cause : status["details"].value("causes", json::array()))
                if (cause.is_object() && cause.value("message", json()).is_string())
                    e.further.push_back({e.code, cause["message"].get<std::string>(), {}, {}});
    }
    return e;
}

}  // namespace podium::v0::api
