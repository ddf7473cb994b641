#pragma once
/// ConfigMap: settings as text, for environments and files of pods.
///
/// Source: ConfigMap in kubernetes/api core/v1/types.go at v1.35.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

struct config_map {
    static constexpr std::string_view kind = "ConfigMap";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "configmaps";
    static constexpr std::string_view short_name = "cm";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    std::optional<bool> immutable{};
    std::map<std::string, std::string> data{};
    std::map<std::string, std::string> binary_data{};  ///< base64
    friend bool operator==(config_map const&, config_map const&) = default;
};
BOOST_DESCRIBE_STRUCT(config_map, (), (metadata, immutable, data, binary_data))

}  // namespace podium::v0::model
