#pragma once
/// EndpointSlice: the addresses behind a Service and whether each may be used.
///
/// `metadata.generation` rises with each change of the endpoints: it is what routers acknowledge.
///
/// Source: EndpointSlice in kubernetes/api discovery/v1/types.go at v1.35.

#include <podium/model/meta.hpp>
#include <podium/model/traffic_split.hpp>

namespace podium::inline v0::model {

/// The label that names the Service a slice belongs to.
inline constexpr std::string_view service_name_label = "kubernetes.io/service-name";

enum class address_type : std::uint8_t { ipv4, ipv6, fqdn };
BOOST_DESCRIBE_ENUM(address_type, ipv4, ipv6, fqdn)
constexpr std::string_view json_name(address_type t)
{
    return t == address_type::ipv4 ? "IPv4" : t == address_type::ipv6 ? "IPv6" : "FQDN";
}

/// Absent reads as: ready and serving unknown, so usable; not terminating.
struct endpoint_conditions {
    std::optional<bool> ready{};        ///< may get new requests
    std::optional<bool> serving{};      ///< would answer, even if it is about to go
    std::optional<bool> terminating{};  ///< about to go
    friend bool operator==(endpoint_conditions const&, endpoint_conditions const&) = default;
};
BOOST_DESCRIBE_STRUCT(endpoint_conditions, (), (ready, serving, terminating))

struct endpoint {
    std::vector<std::string> addresses{};
    endpoint_conditions conditions{};
    std::string hostname{};
    std::optional<object_reference> target_ref{};  ///< the pod
    std::string node_name{};
    std::string zone{};
    std::string version{};  ///< podium's own: what the service's split goes by
    friend bool operator==(endpoint const&, endpoint const&) = default;
};
BOOST_DESCRIBE_STRUCT(endpoint, (), (addresses, conditions, hostname, target_ref, node_name, zone, version))
constexpr bool required(endpoint const*, std::string_view member)
{
    return member == "addresses";
}

struct endpoint_port {
    std::string name{};  ///< the ServicePort's
    model::protocol protocol = model::protocol::tcp;
    std::optional<std::int32_t> port{};
    std::string app_protocol{};
    friend bool operator==(endpoint_port const&, endpoint_port const&) = default;
};
BOOST_DESCRIBE_STRUCT(endpoint_port, (), (name, protocol, port, app_protocol))

struct endpoint_slice {
    static constexpr std::string_view kind = "EndpointSlice";
    static constexpr std::string_view api_version = "discovery.k8s.io/v1";
    static constexpr std::string_view plural = "endpointslices";
    static constexpr std::string_view short_name = "slices";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    model::address_type address_type = model::address_type::ipv4;
    std::vector<endpoint> endpoints{};
    std::vector<endpoint_port> ports{};
    boxed<traffic_split> split{};  ///< podium's own: the service's, in force with these endpoints
    friend bool operator==(endpoint_slice const&, endpoint_slice const&) = default;
};
BOOST_DESCRIBE_STRUCT(endpoint_slice, (), (metadata, address_type, endpoints, ports, split))
constexpr bool required(endpoint_slice const*, std::string_view member)
{
    return member == "address_type";
}
constexpr bool always(endpoint_slice const*, std::string_view member)
{
    return member == "address_type";
}

}  // namespace podium::v0::model
