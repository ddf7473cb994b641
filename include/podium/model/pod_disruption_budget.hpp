#pragma once
/// PodDisruptionBudget: how many of some pods a voluntary change may take away at a time.
///
/// Source: PodDisruptionBudget in kubernetes/api policy/v1/types.go at v1.35.

#include <podium/core/int_or_percent.hpp>
#include <podium/model/describe.hpp>
#include <podium/model/meta.hpp>
#include <podium/model/time.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::model {

/// When a pod that is not ready may be evicted.
enum class unhealthy_pod_eviction_policy : std::uint8_t {
    if_healthy_budget,  ///< while there are as many healthy ones as the budget wants
    always_allow,
};
BOOST_DESCRIBE_ENUM(unhealthy_pod_eviction_policy, if_healthy_budget, always_allow)

/// One of `min_available` and `max_unavailable`. Percentages are of what the pods' owners want, rounded up.
struct pod_disruption_budget_spec {
    std::optional<int_or_percent> min_available{};
    std::optional<int_or_percent> max_unavailable{};
    std::optional<label_selector> selector{};  ///< none: no pod; an empty one: all of the namespace
    std::optional<model::unhealthy_pod_eviction_policy> unhealthy_pod_eviction_policy{};
    friend bool operator==(pod_disruption_budget_spec const&, pod_disruption_budget_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    pod_disruption_budget_spec, (), (min_available, max_unavailable, selector, unhealthy_pod_eviction_policy))

struct disruption_condition {
    std::string type{};  ///< "DisruptionAllowed"
    condition_status status = condition_status::unknown;
    std::int64_t observed_generation = 0;
    std::optional<time> last_transition_time{};
    std::string reason{};  ///< "SufficientPods", "InsufficientPods", "SyncFailed"
    std::string message{};
    friend bool operator==(disruption_condition const&, disruption_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    disruption_condition, (), (type, status, observed_generation, last_transition_time, reason, message))
constexpr bool required(disruption_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}
constexpr bool always(disruption_condition const*, std::string_view member)
{
    return member == "reason" || member == "message";
}

struct pod_disruption_budget_status {
    std::int64_t observed_generation = 0;
    std::map<std::string, time> disrupted_pods{};  ///< sent away and still there, since when
    std::int32_t disruptions_allowed = 0;
    std::int32_t current_healthy = 0;
    std::int32_t desired_healthy = 0;
    std::int32_t expected_pods = 0;
    std::vector<disruption_condition> conditions{};
    friend bool operator==(
        pod_disruption_budget_status const&, pod_disruption_budget_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_disruption_budget_status, (),
    (observed_generation, disrupted_pods, disruptions_allowed, current_healthy, desired_healthy,
        expected_pods, conditions))
constexpr bool always(pod_disruption_budget_status const*, std::string_view member)
{
    return member == "disruptions_allowed" || member == "current_healthy" || member == "desired_healthy" ||
        member == "expected_pods";
}

struct pod_disruption_budget {
    static constexpr std::string_view kind = "PodDisruptionBudget";
    static constexpr std::string_view api_version = "policy/v1";
    static constexpr std::string_view plural = "poddisruptionbudgets";
    static constexpr std::string_view short_name = "pdb";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    pod_disruption_budget_spec spec{};
    pod_disruption_budget_status status{};
    friend bool operator==(pod_disruption_budget const&, pod_disruption_budget const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_disruption_budget, (), (metadata, spec, status))

}  // namespace podium::v0::model
