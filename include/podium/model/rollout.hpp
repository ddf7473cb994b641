#pragma once
/// Rollout: replicas of a template, released by blue/green or canary.
///
/// It stands where a Deployment would. A field of Argo Rollouts that podium does not have is refused as
/// unknown.
///
///     strategy:
///       canary:
///         stableService: web
///         trafficRouting: {podium: {sticky: {cookie: seen}}}
///         steps: [{setWeight: 50}, {analysis: {templates: [{templateName: conversion}]}}]
///
/// Source: Rollout in argoproj/argo-rollouts pkg/apis/rollouts/v1alpha1/types.go at v1.8: names, defaults,
/// meanings; `trafficRouting.podium` and
/// `status.machine` are podium's own.

#include <podium/core/int_or_percent.hpp>
#include <podium/model/deployment.hpp>
#include <podium/model/release_state.hpp>
#include <podium/model/traffic_split.hpp>

namespace podium::inline v0::model {

// -- Analyses --------------------------------------------------------------------------------------

struct analysis_argument {
    std::string name{};
    std::string value{};
    friend bool operator==(analysis_argument const&, analysis_argument const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_argument, (), (name, value))
constexpr bool required(analysis_argument const*, std::string_view member)
{
    return member == "name";
}

struct analysis_template_ref {
    std::string template_name{};
    friend bool operator==(analysis_template_ref const&, analysis_template_ref const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_template_ref, (), (template_name))
constexpr bool required(analysis_template_ref const*, std::string_view member)
{
    return member == "template_name";
}

/// Which templates are run, with which arguments.
struct rollout_analysis {
    std::vector<analysis_template_ref> templates{};
    std::vector<analysis_argument> args{};
    friend bool operator==(rollout_analysis const&, rollout_analysis const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout_analysis, (), (templates, args))
constexpr bool required(rollout_analysis const*, std::string_view member)
{
    return member == "templates";
}

struct background_analysis {
    std::vector<analysis_template_ref> templates{};
    std::vector<analysis_argument> args{};
    std::optional<std::int32_t> starting_step{};  ///< runs from this step on; the first by default
    friend bool operator==(background_analysis const&, background_analysis const&) = default;
};
BOOST_DESCRIBE_STRUCT(background_analysis, (), (templates, args, starting_step))
constexpr bool required(background_analysis const*, std::string_view member)
{
    return member == "templates";
}

// -- Blue/green ------------------------------------------------------------------------------------

struct blue_green_strategy {
    std::string active_service{};
    std::string preview_service{};
    std::optional<std::int32_t> preview_replica_count{};  ///< until promotion; default: all
    bool auto_promotion_enabled = true;
    std::int32_t auto_promotion_seconds = 0;  ///< waits this long before it promotes by itself
    std::int32_t scale_down_delay_seconds = 30;
    std::int32_t abort_scale_down_delay_seconds = 30;
    boxed<rollout_analysis> pre_promotion_analysis{};
    boxed<rollout_analysis> post_promotion_analysis{};
    friend bool operator==(blue_green_strategy const&, blue_green_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(blue_green_strategy, (),
    (active_service, preview_service, preview_replica_count, auto_promotion_enabled, auto_promotion_seconds,
        scale_down_delay_seconds, abort_scale_down_delay_seconds, pre_promotion_analysis,
        post_promotion_analysis))
constexpr bool required(blue_green_strategy const*, std::string_view member)
{
    return member == "active_service";
}
constexpr bool always(blue_green_strategy const*, std::string_view member)
{
    return member == "auto_promotion_enabled" || member == "scale_down_delay_seconds" ||
        member == "abort_scale_down_delay_seconds";
}

// -- Canary ----------------------------------------------------------------------------------------

struct rollout_pause {
    int_or_string duration{};  ///< seconds, or "90s", "5m", "1h"; none: until told
    friend bool operator==(rollout_pause const&, rollout_pause const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout_pause, (), (duration))

/// One of the three.
struct set_canary_scale {
    std::optional<std::int32_t> replicas{};
    std::optional<std::int32_t> weight{};  ///< per cent of the replicas
    bool match_traffic_weight = false;
    friend bool operator==(set_canary_scale const&, set_canary_scale const&) = default;
};
BOOST_DESCRIBE_STRUCT(set_canary_scale, (), (replicas, weight, match_traffic_weight))

/// One of the four.
struct canary_step {
    std::optional<std::int32_t> set_weight{};
    std::optional<rollout_pause> pause{};
    std::optional<model::set_canary_scale> set_canary_scale{};
    boxed<rollout_analysis> analysis{};
    friend bool operator==(canary_step const&, canary_step const&) = default;
};
BOOST_DESCRIBE_STRUCT(canary_step, (), (set_weight, pause, set_canary_scale, analysis))

/// podium's router divides the requests to `stableService`.
struct podium_routing {
    std::optional<sticky_sessions> sticky{};
    std::string conversion_header{};  ///< an answer with it tells of a conversion
    friend bool operator==(podium_routing const&, podium_routing const&) = default;
};
BOOST_DESCRIBE_STRUCT(podium_routing, (), (sticky, conversion_header))

struct traffic_routing {
    std::optional<podium_routing> podium{};
    friend bool operator==(traffic_routing const&, traffic_routing const&) = default;
};
BOOST_DESCRIBE_STRUCT(traffic_routing, (), (podium))
constexpr bool required(traffic_routing const*, std::string_view member)
{
    return member == "podium";
}

struct canary_strategy {
    std::string stable_service{};  ///< whose requests are divided; with `trafficRouting`
    std::string canary_service{};  ///< reaches the canary only
    std::optional<int_or_percent> max_surge{};
    std::optional<int_or_percent> max_unavailable{};
    std::vector<canary_step> steps{};
    boxed<background_analysis> analysis{};
    boxed<model::traffic_routing> traffic_routing{};
    bool dynamic_stable_scale = false;
    std::int32_t scale_down_delay_seconds = 30;
    std::int32_t abort_scale_down_delay_seconds = 30;
    friend bool operator==(canary_strategy const&, canary_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(canary_strategy, (),
    (stable_service, canary_service, max_surge, max_unavailable, steps, analysis, traffic_routing,
        dynamic_stable_scale, scale_down_delay_seconds, abort_scale_down_delay_seconds))
constexpr bool always(canary_strategy const*, std::string_view member)
{
    return member == "scale_down_delay_seconds" || member == "abort_scale_down_delay_seconds";
}

// -- The kind --------------------------------------------------------------------------------------

/// One of the two.
struct rollout_strategy {
    boxed<blue_green_strategy> blue_green{};
    boxed<canary_strategy> canary{};
    friend bool operator==(rollout_strategy const&, rollout_strategy const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout_strategy, (), (blue_green, canary))

/// A template that was stable within the last `revisions` skips the steps.
struct rollback_window {
    std::int32_t revisions = 0;
    friend bool operator==(rollback_window const&, rollback_window const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollback_window, (), (revisions))

struct rollout_spec {
    std::int32_t replicas = 1;
    label_selector selector{};
    pod_template_spec template_{};
    rollout_strategy strategy{};
    std::int32_t min_ready_seconds = 0;
    std::int32_t revision_history_limit = 10;
    bool paused = false;
    std::int32_t progress_deadline_seconds = 600;
    bool progress_deadline_abort = false;
    std::optional<model::rollback_window> rollback_window{};
    friend bool operator==(rollout_spec const&, rollout_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout_spec, (),
    (replicas, selector, template_, strategy, min_ready_seconds, revision_history_limit, paused,
        progress_deadline_seconds, progress_deadline_abort, rollback_window))
constexpr bool required(rollout_spec const*, std::string_view member)
{
    return member == "selector" || member == "template_" || member == "strategy";
}
constexpr bool always(rollout_spec const*, std::string_view member)
{
    return member == "replicas" || member == "revision_history_limit" ||
        member == "progress_deadline_seconds";
}

// -- Status ----------------------------------------------------------------------------------------

struct version_traffic {
    std::string pod_template_hash{};
    std::int32_t weight = 0;  ///< per cent
    friend bool operator==(version_traffic const&, version_traffic const&) = default;
};
BOOST_DESCRIBE_STRUCT(version_traffic, (), (pod_template_hash, weight))

struct canary_weights {
    version_traffic canary{};
    version_traffic stable{};
    friend bool operator==(canary_weights const&, canary_weights const&) = default;
};
BOOST_DESCRIBE_STRUCT(canary_weights, (), (canary, stable))

struct canary_status {
    std::optional<canary_weights> weights{};  ///< with `trafficRouting`
    std::string current_step_analysis_run{};
    std::string current_background_analysis_run{};
    friend bool operator==(canary_status const&, canary_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    canary_status, (), (weights, current_step_analysis_run, current_background_analysis_run))

struct blue_green_status {
    std::string active_selector{};  ///< the hash of the template that users see
    std::string preview_selector{};
    std::string current_analysis_run{};
    friend bool operator==(blue_green_status const&, blue_green_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(blue_green_status, (), (active_selector, preview_selector, current_analysis_run))

/// What the release machine remembers, as it is.
struct release_memory {
    boxed<podium::rollout::canary::state> canary{};
    boxed<podium::rollout::blue_green::state> blue_green{};
    friend bool operator==(release_memory const&, release_memory const&) = default;
};
BOOST_DESCRIBE_STRUCT(release_memory, (), (canary, blue_green))

struct rollout_status {
    std::int64_t observed_generation = 0;
    std::string phase{};  ///< "Healthy", "Progressing", "Paused", "Degraded"
    std::string message{};
    std::string current_pod_hash{};
    std::string stable_rs{};  ///< the hash of the template that an abort goes back to
    std::optional<std::int32_t> current_step_index{};
    std::int32_t replicas = 0;
    std::int32_t updated_replicas = 0;
    std::int32_t ready_replicas = 0;
    std::int32_t available_replicas = 0;
    std::optional<canary_status> canary{};
    std::optional<blue_green_status> blue_green{};
    std::vector<deployment_condition> conditions{};
    release_memory machine{};  ///< podium's own
    std::int64_t spent = 0;    ///< podium's own, see `replica_set_status::spent`
    friend bool operator==(rollout_status const&, rollout_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout_status, (),
    (observed_generation, phase, message, current_pod_hash, stable_rs, current_step_index, replicas,
        updated_replicas, ready_replicas, available_replicas, canary, blue_green, conditions, machine, spent))

struct rollout {
    static constexpr std::string_view kind = "Rollout";
    static constexpr std::string_view api_version = "argoproj.io/v1alpha1";
    static constexpr std::string_view plural = "rollouts";
    static constexpr std::string_view short_name = "ro";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    rollout_spec spec{};
    rollout_status status{};
    friend bool operator==(rollout const&, rollout const&) = default;
};
BOOST_DESCRIBE_STRUCT(rollout, (), (metadata, spec, status))
constexpr bool required(rollout const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
