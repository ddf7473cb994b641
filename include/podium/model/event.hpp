#pragma once
/// Event: something that happened to an object, for people to read.
///
/// Source: Event in kubernetes/api core/v1/types.go at v1.35.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

struct event_source {
    std::string component{};
    std::string host{};
    friend bool operator==(event_source const&, event_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(event_source, (), (component, host))

struct event {
    static constexpr std::string_view kind = "Event";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "events";
    static constexpr std::string_view short_name = "ev";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    object_reference involved_object{};
    std::string reason{};   ///< one CamelCase word for machines
    std::string message{};  ///< a sentence for people
    event_source source{};
    std::optional<time> first_timestamp{};
    std::optional<time> last_timestamp{};
    std::int32_t count = 0;
    std::string type{};  ///< "Normal" or "Warning"
    std::optional<time> event_time{};
    std::string action{};
    std::string reporting_component{};
    std::string reporting_instance{};
    friend bool operator==(event const&, event const&) = default;
};
BOOST_DESCRIBE_STRUCT(event, (),
    (metadata, involved_object, reason, message, source, first_timestamp, last_timestamp, count, type,
        event_time, action, reporting_component, reporting_instance))
constexpr bool required(event const*, std::string_view member)
{
    return member == "involved_object";
}

}  // namespace podium::v0::model
