#pragma once
/// Apply: bring an object to what a manifest says, keeping what others have written.
///
/// A pure function of three things: the manifest as it was applied last (kept in an annotation of the
/// object), the live object, and the manifest now. What the author dropped is removed, what the author says
/// is set, the rest stays. Applying twice changes nothing.
///
/// Source: kubectl apply (client side), the annotation included. One difference: who drops `spec.replicas`
/// leaves the size to others, an autoscaler say; Kubernetes makes it 1 at that moment.

#include <podium/core/result.hpp>
#include <podium/model/json.hpp>
#include <podium/model/merge.hpp>

#include <string>
#include <utility>

namespace podium::inline v0::api {

using model::json;

/// What a manifest came to.
enum class applied : std::uint8_t { created, configured, unchanged };

[[nodiscard]] constexpr std::string_view to_string(applied a) noexcept
{
    return a == applied::created ? "created" : a == applied::configured ? "configured" : "unchanged";
}

struct apply_result {
    applied outcome = applied::unchanged;
    json object{};  ///< to create, or to put in the place of the live one
};

/// `live` is null when there is no such object. `manifest` is complete (kind, apiVersion, metadata.name).
[[nodiscard]] inline apply_result apply(json const& live, json const& manifest)
{
    auto const key = std::string(model::last_applied_annotation);
    auto remembered = manifest;
    if (remembered.contains("metadata") && remembered["metadata"].is_object() &&
        remembered["metadata"].contains("annotations") && remembered["metadata"]["annotations"].is_object())
        remembered["metadata"]["annotations"].erase(key);
    auto now = remembered;
    now["metadata"]["annotations"][key] = remembered.dump();
    if (live.is_null())
        return {applied::created, std::move(now)};
    json last = json::object();
    if (auto const& meta = live.at("metadata");
        meta.contains("annotations") && meta["annotations"].contains(key))
        if (auto parsed = model::parse_json(meta["annotations"][key].get<std::string>()))
            last = *std::move(parsed);
    auto const has_size = [](json const& o) {
        return o.contains("spec") && o["spec"].is_object() && o["spec"].contains("replicas");
    };
    if (has_size(last) && !has_size(now))
        last["spec"].erase("replicas");
    auto next = model::three_way_merge(last, live, now);
    return {next == live ? applied::unchanged : applied::configured, std::move(next)};
}

}  // namespace podium::v0::api
