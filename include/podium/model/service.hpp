#pragma once
/// Service: one address for the pods that a selector finds.
///
/// Source: Service in kubernetes/api core/v1/types.go at v1.35, cut to what a proxy of our own serves.

#include <podium/model/meta.hpp>
#include <podium/model/traffic_split.hpp>

namespace podium::inline v0::model {

enum class service_type : std::uint8_t { cluster_ip, node_port, load_balancer, external_name };
BOOST_DESCRIBE_ENUM(service_type, cluster_ip, node_port, load_balancer, external_name)
constexpr std::string_view json_name(service_type t)
{
    return t == service_type::cluster_ip ? "ClusterIP" : "";
}

enum class session_affinity : std::uint8_t { none, client_ip };
BOOST_DESCRIBE_ENUM(session_affinity, none, client_ip)
constexpr std::string_view json_name(session_affinity a)
{
    return a == session_affinity::client_ip ? "ClientIP" : "";
}

struct service_port {
    std::string name{};
    model::protocol protocol = model::protocol::tcp;
    std::string app_protocol{};
    std::int32_t port = 0;
    int_or_string target_port{};  ///< default: `port`
    std::int32_t node_port = 0;
    friend bool operator==(service_port const&, service_port const&) = default;
};
BOOST_DESCRIBE_STRUCT(service_port, (), (name, protocol, app_protocol, port, target_port, node_port))
constexpr bool required(service_port const*, std::string_view member)
{
    return member == "port";
}
constexpr bool always(service_port const*, std::string_view member)
{
    return member == "protocol";
}

struct client_ip_config {
    std::int32_t timeout_seconds = 10800;
    friend bool operator==(client_ip_config const&, client_ip_config const&) = default;
};
BOOST_DESCRIBE_STRUCT(client_ip_config, (), (timeout_seconds))

struct session_affinity_config {
    std::optional<client_ip_config> client_ip{};
    friend bool operator==(session_affinity_config const&, session_affinity_config const&) = default;
};
BOOST_DESCRIBE_STRUCT(session_affinity_config, (), (client_ip))

struct service_spec {
    std::vector<service_port> ports{};
    std::map<std::string, std::string> selector{};  ///< empty: its endpoints are somebody else's business
    std::string cluster_ip{};                       ///< given by podium when empty; "None": headless
    std::vector<std::string> cluster_ips{};
    service_type type = service_type::cluster_ip;
    model::session_affinity session_affinity = model::session_affinity::none;
    std::optional<model::session_affinity_config> session_affinity_config{};
    bool publish_not_ready_addresses = false;
    std::string external_name{};
    std::optional<std::string> traffic_distribution{};
    boxed<traffic_split> split{};  ///< podium's own; none: all pods alike
    friend bool operator==(service_spec const&, service_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(service_spec, (),
    (ports, selector, cluster_ip, cluster_ips, type, session_affinity, session_affinity_config,
        publish_not_ready_addresses, external_name, traffic_distribution, split))
constexpr bool always(service_spec const*, std::string_view member)
{
    return member == "type";
}

struct service_status {
    friend bool operator==(service_status const&, service_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(service_status, (), ())

struct service {
    static constexpr std::string_view kind = "Service";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "services";
    static constexpr std::string_view short_name = "svc";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    service_spec spec{};
    service_status status{};
    friend bool operator==(service const&, service const&) = default;
};
BOOST_DESCRIBE_STRUCT(service, (), (metadata, spec, status))
constexpr bool required(service const*, std::string_view member)
{
    return member == "spec";
}

}  // namespace podium::v0::model
