#pragma once
/// Node: a machine (or a part of one) that runs pods.
///
/// Heartbeats are Leases, so they do not disturb this object.
///
/// Source: Node in kubernetes/api core/v1/types.go at v1.35.

#include <podium/model/pod.hpp>

namespace podium::inline v0::model {

struct taint {
    std::string key{};
    std::string value{};
    taint_effect effect = taint_effect::no_schedule;
    std::optional<time> time_added{};  ///< for `no_execute`: when tolerated seconds begin to count
    friend bool operator==(taint const&, taint const&) = default;
};
BOOST_DESCRIBE_STRUCT(taint, (), (key, value, effect, time_added))
constexpr bool required(taint const*, std::string_view member)
{
    return member == "key" || member == "effect";
}
constexpr bool always(taint const*, std::string_view member)
{
    return member == "effect";
}

struct node_spec {
    std::string pod_cidr{};
    std::vector<std::string> pod_cidrs{};
    std::string provider_id{};
    bool unschedulable = false;  ///< cordoned
    std::vector<taint> taints{};
    friend bool operator==(node_spec const&, node_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_spec, (), (pod_cidr, pod_cidrs, provider_id, unschedulable, taints))

struct node_condition {
    std::string type{};  ///< "Ready", "MemoryPressure", ...
    condition_status status = condition_status::unknown;
    std::optional<time> last_heartbeat_time{};
    std::optional<time> last_transition_time{};
    std::string reason{};
    std::string message{};
    friend bool operator==(node_condition const&, node_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    node_condition, (), (type, status, last_heartbeat_time, last_transition_time, reason, message))
constexpr bool required(node_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}

struct node_address {
    std::string type{};  ///< "InternalIP", "Hostname", ...
    std::string address{};
    friend bool operator==(node_address const&, node_address const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_address, (), (type, address))
constexpr bool required(node_address const*, std::string_view)
{
    return true;
}

struct node_system_info {
    std::string machine_id{};
    std::string system_uuid{};
    std::string boot_id{};
    std::string kernel_version{};
    std::string os_image{};
    std::string container_runtime_version{};
    std::string kubelet_version{};
    std::string kube_proxy_version{};
    std::string operating_system{};
    std::string architecture{};
    friend bool operator==(node_system_info const&, node_system_info const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_system_info, (),
    (machine_id, system_uuid, boot_id, kernel_version, os_image, container_runtime_version, kubelet_version,
        kube_proxy_version, operating_system, architecture))

/// An image that is on the node already.
struct container_image {
    std::vector<std::string> names{};
    std::int64_t size_bytes = 0;
    friend bool operator==(container_image const&, container_image const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_image, (), (names, size_bytes))

struct node_status {
    resource_list capacity{};
    resource_list allocatable{};  ///< what pods may request of it
    std::vector<node_condition> conditions{};
    std::vector<node_address> addresses{};
    node_system_info node_info{};
    std::vector<container_image> images{};
    friend bool operator==(node_status const&, node_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_status, (), (capacity, allocatable, conditions, addresses, node_info, images))

struct node {
    static constexpr std::string_view kind = "Node";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "nodes";
    static constexpr std::string_view short_name = "no";
    static constexpr bool namespaced = false;

    object_meta metadata{};
    node_spec spec{};
    node_status status{};
    friend bool operator==(node const&, node const&) = default;
};
BOOST_DESCRIBE_STRUCT(node, (), (metadata, spec, status))

/// The condition "Ready" is true: its agent is alive and well.
[[nodiscard]] inline bool is_ready(node const& n) noexcept
{
    auto const* ready = find_condition(n.status.conditions, "Ready");
    return ready && ready->status == condition_status::true_;
}

}  // namespace podium::v0::model
