#pragma once
/// A workload that is rolled out again when its ConfigMaps or Secrets change: how it asks, and what it gets.
///
///     metadata: {annotations: {podium.dev/restart-on-config-change: "true"}}
///
/// A Deployment, StatefulSet or Rollout asks; then its pod template carries a hash of all data that it refers
/// to, written by `controllers::config_hashes`. So other data are another template, and the rollout, its
/// history and the way back are those of any other change.
///
/// Source: the idea is pusher/wave's (`wave.pusher.com/update-on-config-change`, `.../config-hash`) and
/// stakater/Reloader's (`reloader.stakater.com/auto`); "restart" is the word of `kubectl rollout restart`,
/// which works by an annotation of the template, too.

#include <podium/model/pod.hpp>

#include <string>
#include <string_view>

namespace podium::inline v0::model {

/// Of the workload: "true" or "false".
inline constexpr std::string_view restart_on_config_change_annotation = "podium.dev/restart-on-config-change";
/// Of its pod template: the hash.
inline constexpr std::string_view config_hash_annotation = "podium.dev/config-hash";

[[nodiscard]] inline bool restarts_on_config_change(object_meta const& workload)
{
    auto const it = workload.annotations.find(std::string(restart_on_config_change_annotation));
    return it != workload.annotations.end() && it->second == "true";
}

/// Empty: there is none.
[[nodiscard]] inline std::string config_hash_of(object_meta const& pod_template)
{
    auto const it = pod_template.annotations.find(std::string(config_hash_annotation));
    return it == pod_template.annotations.end() ? std::string{} : it->second;
}

/// It asks for a hash and has none yet. Nothing is made of its template until then: it would be replaced at
/// once.
template<class Workload>
[[nodiscard]] bool awaits_config_hash(Workload const& w)
{
    return restarts_on_config_change(w.metadata) && config_hash_of(w.spec.template_.metadata).empty();
}

/// A template of before that is wanted again, with the hash of the present one: the data did not go back.
[[nodiscard]] inline pod_template_spec with_config_hash_of(
    pod_template_spec const& present, pod_template_spec before)
{
    std::string const key(config_hash_annotation);
    if (auto hash = config_hash_of(present.metadata); hash.empty())
        before.metadata.annotations.erase(key);
    else
        before.metadata.annotations[key] = std::move(hash);
    return before;
}

}  // namespace podium::v0::model
