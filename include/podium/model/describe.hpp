#pragma once
/// How a struct joins the model: one line that lists its members, and up to three small functions.
///
///     struct fleet_spec {
///         std::int32_t size = 1;
///         std::string map_name{};
///     };
///     BOOST_DESCRIBE_STRUCT(fleet_spec, (), (size, map_name))
///     constexpr bool required(fleet_spec const*, std::string_view field) { return field == "map_name"; }
///
/// In JSON a member `map_name` is "mapName"; a part that is an acronym of Kubernetes' is all capitals, unless
/// it comes first (`pod_ip` is "podIP", `api_version` is "apiVersion"); a trailing underscore, there to avoid
/// a C++ keyword, is dropped. Enumerators are capitalised: `on_failure` is "OnFailure". Found by
/// argument-dependent lookup, all optional:
///
/// - `constexpr std::string_view json_name(T const*, std::string_view member)`: another spelling ("" = the
/// rule's);
///   for an enum `json_name(E)`.
/// - `constexpr bool required(T const*, std::string_view member)`: its absence is an error, and it is always
/// written.
/// - `constexpr bool always(T const*, std::string_view member)`: written even when it has its default value.
/// - `bool from_text(std::string_view, T&)` and `std::string to_text(T const&)`: a value that is one JSON
/// string.

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <string_view>
