#pragma once
/// MetricReadings: what was measured for one autoscaler at one time. podium's own kind.
///
/// Whatever an autoscaler decides on passes through the store, so that a decision can be told and taken
/// again: a collector (`cluster::autoscaling`, or one of the embedder's own) writes one of these each sync
/// period, named as the autoscaler and owned by it, and nobody else measures.

#include <podium/model/instant.hpp>
#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

/// What one pod used, on average over `window` before `measured_at`.
struct pod_reading {
    std::string pod{};
    quantity value{};
    std::optional<time> measured_at{};  ///< default: the time of the readings
    duration window{};                  ///< in nanoseconds
    friend bool operator==(pod_reading const&, pod_reading const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_reading, (), (pod, value, measured_at, window))
constexpr bool required(pod_reading const*, std::string_view member)
{
    return member == "pod" || member == "value";
}

/// One metric: a value for each pod that was measured, or one for the whole, or why there is none.
struct metric_reading {
    std::vector<pod_reading> pods{};  ///< in the order of names
    std::optional<quantity> value{};
    std::string error{};
    friend bool operator==(metric_reading const&, metric_reading const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_reading, (), (pods, value, error))

struct metric_readings {
    static constexpr std::string_view kind = "MetricReadings";
    static constexpr std::string_view api_version = "podium.dev/v1";
    static constexpr std::string_view plural = "metricreadings";
    static constexpr std::string_view short_name = "";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    std::optional<model::time> time{};
    std::int64_t observed_generation = 0;   ///< of the autoscaler whose metrics these are
    std::vector<metric_reading> metrics{};  ///< in the order of its spec
    friend bool operator==(metric_readings const&, metric_readings const&) = default;
};
BOOST_DESCRIBE_STRUCT(metric_readings, (), (metadata, time, observed_generation, metrics))

}  // namespace podium::v0::model
