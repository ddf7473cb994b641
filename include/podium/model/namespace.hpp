#pragma once
/// Namespace: a room for names.
///
/// Source: Namespace in kubernetes/api core/v1/types.go at v1.35.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

enum class namespace_phase : std::uint8_t { active, terminating };
BOOST_DESCRIBE_ENUM(namespace_phase, active, terminating)

struct namespace_spec {
    std::vector<std::string> finalizers{};
    friend bool operator==(namespace_spec const&, namespace_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(namespace_spec, (), (finalizers))

struct namespace_status {
    namespace_phase phase = namespace_phase::active;
    friend bool operator==(namespace_status const&, namespace_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(namespace_status, (), (phase))
constexpr bool always(namespace_status const*, std::string_view)
{
    return true;
}

struct namespace_ {
    static constexpr std::string_view kind = "Namespace";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "namespaces";
    static constexpr std::string_view short_name = "ns";
    static constexpr bool namespaced = false;

    object_meta metadata{};
    namespace_spec spec{};
    namespace_status status{};
    friend bool operator==(namespace_ const&, namespace_ const&) = default;
};
BOOST_DESCRIBE_STRUCT(namespace_, (), (metadata, spec, status))

}  // namespace podium::v0::model
