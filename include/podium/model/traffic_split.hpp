#pragma once
/// Traffic split: how the requests to a service are divided among versions of its pods. podium's own.
///
///     split: {label: version, weights: {"1.2": 95, "1.3": 5}, sticky: {cookie: seen}}
///
/// A version is the value of one label of the pods. Pods of a version that is not named get nothing, so all
/// of the traffic moves from one version to another by one write.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

/// One visitor sees one version, known by the cookie (which the router sets) or by a header of the caller's.
struct sticky_sessions {
    std::string cookie{};
    std::string header{};
    friend bool operator==(sticky_sessions const&, sticky_sessions const&) = default;
};
BOOST_DESCRIBE_STRUCT(sticky_sessions, (), (cookie, header))

/// Requests with this header see this version, whatever the weights say.
struct header_match {
    std::string header{};
    std::string value{};
    std::string version{};
    friend bool operator==(header_match const&, header_match const&) = default;
};
BOOST_DESCRIBE_STRUCT(header_match, (), (header, value, version))
constexpr bool required(header_match const*, std::string_view member)
{
    return member == "header" || member == "version";
}

/// A share of the requests is sent to this version as well, and its answers are thrown away.
struct traffic_mirror {
    std::string version{};
    std::int32_t percent = 100;
    friend bool operator==(traffic_mirror const&, traffic_mirror const&) = default;
};
BOOST_DESCRIBE_STRUCT(traffic_mirror, (), (version, percent))
constexpr bool required(traffic_mirror const*, std::string_view member)
{
    return member == "version";
}

struct traffic_split {
    std::string label{};                            ///< of the pods: its value is their version
    std::map<std::string, std::int32_t> weights{};  ///< by version, relative to their sum
    std::optional<sticky_sessions> sticky{};
    std::vector<header_match> matches{};
    std::optional<traffic_mirror> mirror{};
    std::string conversion_header{};  ///< an answer with it tells of a conversion
    std::int64_t generation = 0;      ///< a number of whoever writes it, to tell its writes apart
    friend bool operator==(traffic_split const&, traffic_split const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    traffic_split, (), (label, weights, sticky, matches, mirror, conversion_header, generation))
constexpr bool required(traffic_split const*, std::string_view member)
{
    return member == "label" || member == "weights";
}

}  // namespace podium::v0::model
