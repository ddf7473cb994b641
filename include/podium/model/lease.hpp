#pragma once
/// Lease: a small object that its holder renews to say "still here".
///
/// Source: Lease in kubernetes/api coordination/v1/types.go at v1.35.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

struct lease_spec {
    std::string holder_identity{};
    std::int32_t lease_duration_seconds = 0;
    std::optional<time> acquire_time{};
    std::optional<time> renew_time{};
    std::int32_t lease_transitions = 0;
    friend bool operator==(lease_spec const&, lease_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    lease_spec, (), (holder_identity, lease_duration_seconds, acquire_time, renew_time, lease_transitions))

struct lease {
    static constexpr std::string_view kind = "Lease";
    static constexpr std::string_view api_version = "coordination.k8s.io/v1";
    static constexpr std::string_view plural = "leases";
    static constexpr std::string_view short_name = "";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    lease_spec spec{};
    friend bool operator==(lease const&, lease const&) = default;
};
BOOST_DESCRIBE_STRUCT(lease, (), (metadata, spec))

}  // namespace podium::v0::model
