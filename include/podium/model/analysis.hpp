#pragma once
/// AnalysisTemplate and AnalysisRun: what is measured of a release, when it is good enough, and what came
/// out.
///
///     metrics:
///       - name: conversion
///         provider: {podium: {service: web, measure: conversions, margin: 0.01, horizon: 20000}}
///
/// A test gate is a metric too: a job that must run to its end, a command, a page that must answer.
///
/// Source: AnalysisTemplate and AnalysisRun in argoproj/argo-rollouts pkg/apis/rollouts/v1alpha1/
/// analysis_types.go at v1.8: names, defaults, meanings. The providers `podium` and `command` are podium's
/// own. A field that podium does not have is refused as unknown.

#include <podium/model/rollout.hpp>

namespace podium::inline v0::model {

// -- Where a number comes from ---------------------------------------------------------------------

enum class traffic_measure : std::uint8_t { conversions, errors, latency };
BOOST_DESCRIBE_ENUM(traffic_measure, conversions, errors, latency)
constexpr std::string_view json_name(traffic_measure m)
{
    return m == traffic_measure::conversions ? "conversions"
        : m == traffic_measure::errors       ? "errors"
                                             : "latency";
}

enum class release_question : std::uint8_t { not_worse, better };
BOOST_DESCRIBE_ENUM(release_question, not_worse, better)
constexpr std::string_view json_name(release_question q)
{
    return q == release_question::better ? "better" : "notWorse";
}

/// What podium's router counted of the canary, compared with the stable by a test that holds at any number of
/// looks.
struct podium_metric {
    std::string service{};  ///< default: the one whose traffic the rollout divides
    traffic_measure measure = traffic_measure::conversions;
    release_question question = release_question::not_worse;
    double margin = 0.01;            ///< of the proportion: how much worse is not worse
    double alpha = 0.05;             ///< how often a wrong answer is allowed
    std::optional<double> effect{};  ///< the difference worth detecting; of notWorse: the margin unless given
    std::optional<double> expected{};     ///< the proportion that is usual
    std::int64_t minimum = 100;           ///< units of each version before any verdict
    std::int64_t horizon = 20'000;        ///< units of each version after which there is one
    std::optional<double> slower_than{};  ///< seconds; of `latency`: the proportion above it is compared
    friend bool operator==(podium_metric const&, podium_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(podium_metric, (),
    (service, measure, question, margin, alpha, effect, expected, minimum, horizon, slower_than))
constexpr bool required(podium_metric const*, std::string_view member)
{
    return member == "measure";
}

struct prometheus_metric {
    std::string address{};  ///< "http://127.0.0.1:9090"
    std::string query{};
    friend bool operator==(prometheus_metric const&, prometheus_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(prometheus_metric, (), (address, query))
constexpr bool required(prometheus_metric const*, std::string_view member)
{
    return member == "address" || member == "query";
}

struct web_header {
    std::string key{};
    std::string value{};
    friend bool operator==(web_header const&, web_header const&) = default;
};
BOOST_DESCRIBE_STRUCT(web_header, (), (key, value))
constexpr bool required(web_header const*, std::string_view member)
{
    return member == "key";
}

/// A web hook: 2xx is a success unless a condition says otherwise.
struct web_metric {
    std::string url{};
    std::string method = "GET";
    std::vector<web_header> headers{};
    std::string body{};
    std::int32_t timeout_seconds = 10;
    std::string json_path{};  ///< "{$.data.rate}": what is the result; default: the whole answer
    friend bool operator==(web_metric const&, web_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(web_metric, (), (url, method, headers, body, timeout_seconds, json_path))
constexpr bool required(web_metric const*, std::string_view member)
{
    return member == "url";
}

struct job_spec {
    pod_template_spec template_{};
    std::int32_t backoff_limit = 0;  ///< how often a failed pod is tried again
    std::optional<std::int64_t> active_deadline_seconds{};
    friend bool operator==(job_spec const&, job_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(job_spec, (), (template_, backoff_limit, active_deadline_seconds))
constexpr bool required(job_spec const*, std::string_view member)
{
    return member == "template_";
}

/// A pod that runs to its end: exit code 0 is a success.
struct job_metric {
    boxed<job_spec> spec{};  ///< must be given, which validation sees to
    friend bool operator==(job_metric const&, job_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(job_metric, (), (spec))

/// A command on the machine of the control plane: exit code 0 is a success.
struct command_metric {
    std::vector<std::string> command{};
    std::int32_t timeout_seconds = 60;
    friend bool operator==(command_metric const&, command_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(command_metric, (), (command, timeout_seconds))
constexpr bool required(command_metric const*, std::string_view member)
{
    return member == "command";
}

/// One of them.
struct metric_provider {
    std::optional<podium_metric> podium{};
    std::optional<prometheus_metric> prometheus{};
    std::optional<web_metric> web{};
    std::optional<job_metric> job{};
    std::optional<command_metric> command{};
    friend bool operator==(metric_provider const&, metric_provider const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_provider, (), (podium, prometheus, web, job, command))

// -- What is measured ------------------------------------------------------------------------------

struct analysis_metric {
    std::string name{};
    std::string interval{};       ///< "30s", "5m"; none: once
    std::string initial_delay{};  ///< the same
    std::int32_t count = 0;       ///< measurements; 0: one, or with an interval until the run is ended
    std::int32_t failure_limit = 0;
    std::int32_t inconclusive_limit = 0;
    std::int32_t consecutive_error_limit = 4;
    std::string success_condition{};  ///< "result >= 0.95", several joined by "&&"
    std::string failure_condition{};
    metric_provider provider{};
    friend bool operator==(analysis_metric const&, analysis_metric const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_metric, (),
    (name, interval, initial_delay, count, failure_limit, inconclusive_limit, consecutive_error_limit,
        success_condition, failure_condition, provider))
constexpr bool required(analysis_metric const*, std::string_view member)
{
    return member == "name" || member == "provider";
}

/// A metric that is measured and shown, and decides nothing.
struct dry_run {
    std::string metric_name{};
    friend bool operator==(dry_run const&, dry_run const&) = default;
};
BOOST_DESCRIBE_STRUCT(dry_run, (), (metric_name))
constexpr bool required(dry_run const*, std::string_view member)
{
    return member == "metric_name";
}

struct analysis_template_spec {
    std::vector<analysis_metric> metrics{};
    std::vector<model::dry_run> dry_run{};
    std::vector<analysis_argument> args{};
    std::string time_limit{};  ///< "10m": of the whole run; podium's own. None: until its metrics end it
    friend bool operator==(analysis_template_spec const&, analysis_template_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_template_spec, (), (metrics, dry_run, args, time_limit))
constexpr bool required(analysis_template_spec const*, std::string_view member)
{
    return member == "metrics";
}

struct analysis_template {
    static constexpr std::string_view kind = "AnalysisTemplate";
    static constexpr std::string_view api_version = "argoproj.io/v1alpha1";
    static constexpr std::string_view plural = "analysistemplates";
    static constexpr std::string_view short_name = "at";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    analysis_template_spec spec{};
    friend bool operator==(analysis_template const&, analysis_template const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_template, (), (metadata, spec))
constexpr bool required(analysis_template const*, std::string_view member)
{
    return member == "spec";
}

// -- What came out ---------------------------------------------------------------------------------

enum class analysis_phase : std::uint8_t { pending, running, successful, failed, error, inconclusive };
BOOST_DESCRIBE_ENUM(analysis_phase, pending, running, successful, failed, error, inconclusive)

struct analysis_measurement {
    analysis_phase phase = analysis_phase::pending;
    std::string value{};
    std::string message{};
    std::optional<time> started_at{};
    std::optional<time> finished_at{};
    friend bool operator==(analysis_measurement const&, analysis_measurement const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_measurement, (), (phase, value, message, started_at, finished_at))
constexpr bool always(analysis_measurement const*, std::string_view member)
{
    return member == "phase";
}

struct rate_range {
    double low = 0;
    double high = 1;
    friend bool operator==(rate_range const&, rate_range const&) = default;
};
BOOST_DESCRIBE_STRUCT(rate_range, (), (low, high))

/// The comparison of a `podium` metric at one look, with what is not refuted at its alpha; podium's own.
struct analysis_comparison {
    std::int64_t canary_units = 0;
    std::int64_t canary_hits = 0;
    std::int64_t stable_units = 0;
    std::int64_t stable_hits = 0;
    double low = -1;  ///< of canary - stable
    double high = 1;
    rate_range canary{};
    rate_range stable{};
    friend bool operator==(analysis_comparison const&, analysis_comparison const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_comparison, (),
    (canary_units, canary_hits, stable_units, stable_hits, low, high, canary, stable))

struct metric_result {
    std::string name{};
    analysis_phase phase = analysis_phase::pending;
    std::string message{};
    std::int32_t count = 0;
    std::int32_t successful = 0;
    std::int32_t failed = 0;
    std::int32_t inconclusive = 0;
    std::int32_t error = 0;
    std::int32_t consecutive_error = 0;
    std::vector<analysis_measurement> measurements{};  ///< the latest ten
    std::optional<analysis_comparison> comparison{};
    friend bool operator==(metric_result const&, metric_result const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_result, (),
    (name, phase, message, count, successful, failed, inconclusive, error, consecutive_error, measurements,
        comparison))
constexpr bool required(metric_result const*, std::string_view member)
{
    return member == "name";
}
constexpr bool always(metric_result const*, std::string_view member)
{
    return member == "phase";
}

struct analysis_run_spec {
    std::vector<analysis_metric> metrics{};
    std::vector<model::dry_run> dry_run{};
    std::vector<analysis_argument> args{};
    std::string time_limit{};
    std::string service{};         ///< podium's own: whose traffic is divided
    std::string canary_version{};  ///< and whom of it the counts are compared of
    std::string stable_version{};
    bool terminate = false;  ///< the rollout has no use for it any more
    friend bool operator==(analysis_run_spec const&, analysis_run_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_run_spec, (),
    (metrics, dry_run, args, time_limit, service, canary_version, stable_version, terminate))
constexpr bool required(analysis_run_spec const*, std::string_view member)
{
    return member == "metrics";
}

struct analysis_run_status {
    analysis_phase phase = analysis_phase::pending;
    std::string message{};
    bool no_data = false;  ///< podium's own: inconclusive because nothing was measured
    std::optional<time> started_at{};
    std::optional<time> completed_at{};
    std::vector<metric_result> metric_results{};
    friend bool operator==(analysis_run_status const&, analysis_run_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    analysis_run_status, (), (phase, message, no_data, started_at, completed_at, metric_results))
constexpr bool always(analysis_run_status const*, std::string_view member)
{
    return member == "phase";
}

struct analysis_run {
    static constexpr std::string_view kind = "AnalysisRun";
    static constexpr std::string_view api_version = "argoproj.io/v1alpha1";
    static constexpr std::string_view plural = "analysisruns";
    static constexpr std::string_view short_name = "ar";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    analysis_run_spec spec{};
    analysis_run_status status{};
    friend bool operator==(analysis_run const&, analysis_run const&) = default;
};
BOOST_DESCRIBE_STRUCT(analysis_run, (), (metadata, spec, status))
constexpr bool required(analysis_run const*, std::string_view member)
{
    return member == "spec";
}

/// Has it come to its end?
[[nodiscard]] constexpr bool is_over(analysis_phase p) noexcept
{
    return p != analysis_phase::pending && p != analysis_phase::running;
}

}  // namespace podium::v0::model
