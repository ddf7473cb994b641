#pragma once
/// RouterStatus: what one router has put in force, and what it still has in flight. podium's own kind.
///
/// `acknowledged` and `in_flight` are written together, after the router's last worker has switched, and
/// renewed like a lease; a pod that drains is stopped when no live router needs it (design: the drain
/// handshake).

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

struct router_status_status {
    std::string instance{};  ///< one run of one router: a restart is another instance
    std::map<std::string, std::int64_t> acknowledged{};  ///< "namespace/slice" to the generation in force
    std::map<std::string, std::int64_t> in_flight{};     ///< pod uid to requests and connections
    std::optional<time> renew_time{};
    friend bool operator==(router_status_status const&, router_status_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(router_status_status, (), (instance, acknowledged, in_flight, renew_time))

struct router_status {
    static constexpr std::string_view kind = "RouterStatus";
    static constexpr std::string_view api_version = "podium.dev/v1";
    static constexpr std::string_view plural = "routerstatuses";
    static constexpr std::string_view short_name = "";
    static constexpr bool namespaced = false;

    object_meta metadata{};
    router_status_status status{};
    friend bool operator==(router_status const&, router_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(router_status, (), (metadata, status))

}  // namespace podium::v0::model
