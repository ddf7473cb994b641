#pragma once
/// PersistentVolumeClaim: storage that outlives the pods that use it.
///
/// Source: PersistentVolumeClaim in kubernetes/api core/v1/types.go at v1.35. Here a claim is met by a
/// directory, so classes and sizes are kept as written and decide nothing.

#include <podium/model/pod.hpp>

namespace podium::inline v0::model {

enum class access_mode : std::uint8_t {
    read_write_once,
    read_only_many,
    read_write_many,
    read_write_once_pod
};
BOOST_DESCRIBE_ENUM(access_mode, read_write_once, read_only_many, read_write_many, read_write_once_pod)

enum class volume_mode : std::uint8_t { filesystem, block };
BOOST_DESCRIBE_ENUM(volume_mode, filesystem, block)

struct persistent_volume_claim_spec {
    std::vector<access_mode> access_modes{};
    resource_requirements resources{};
    std::optional<std::string> storage_class_name{};
    std::string volume_name{};
    std::optional<model::volume_mode> volume_mode{};
    friend bool operator==(
        persistent_volume_claim_spec const&, persistent_volume_claim_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    persistent_volume_claim_spec, (), (access_modes, resources, storage_class_name, volume_name, volume_mode))

enum class claim_phase : std::uint8_t { pending, bound, lost };
BOOST_DESCRIBE_ENUM(claim_phase, pending, bound, lost)

struct persistent_volume_claim_status {
    claim_phase phase = claim_phase::pending;
    std::vector<access_mode> access_modes{};
    resource_list capacity{};
    friend bool operator==(
        persistent_volume_claim_status const&, persistent_volume_claim_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(persistent_volume_claim_status, (), (phase, access_modes, capacity))

struct persistent_volume_claim {
    static constexpr std::string_view kind = "PersistentVolumeClaim";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "persistentvolumeclaims";
    static constexpr std::string_view short_name = "pvc";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    persistent_volume_claim_spec spec{};
    persistent_volume_claim_status status{};
    friend bool operator==(persistent_volume_claim const&, persistent_volume_claim const&) = default;
};
BOOST_DESCRIBE_STRUCT(persistent_volume_claim, (), (metadata, spec, status))

}  // namespace podium::v0::model
