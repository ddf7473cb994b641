#pragma once
/// What every object carries: its metadata, and the small types that several kinds share.
///
/// Fields, names and meaning are Kubernetes'. `uid` and `resource_version` are text, since they are opaque to
/// clients; a store that numbers its revisions fills them in when an object leaves it.
///
/// Source: ObjectMeta, OwnerReference, LabelSelector in kubernetes/apimachinery meta/v1 and ObjectReference
/// in kubernetes/api core/v1, at v1.35.

#include <podium/core/quantity.hpp>
#include <podium/model/boxed.hpp>
#include <podium/model/describe.hpp>
#include <podium/model/int_or_string.hpp>
#include <podium/model/time.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::model {

/// Resource name ("cpu", "memory", ...) to amount.
using resource_list = std::map<std::string, quantity>;

struct owner_reference {
    std::string api_version{};
    std::string kind{};
    std::string name{};
    std::string uid{};
    std::optional<bool> controller{};  ///< at most one owner manages the object
    std::optional<bool> block_owner_deletion{};
    friend bool operator==(owner_reference const&, owner_reference const&) = default;
};
BOOST_DESCRIBE_STRUCT(owner_reference, (), (api_version, kind, name, uid, controller, block_owner_deletion))
constexpr bool required(owner_reference const*, std::string_view member)
{
    return member == "api_version" || member == "kind" || member == "name" || member == "uid";
}

struct object_meta {
    std::string name{};
    std::string generate_name{};  ///< prefix of a name to be made up
    std::string namespace_{};     ///< empty for kinds that are cluster-wide
    std::string uid{};
    std::string resource_version{};
    std::int64_t generation = 0;  ///< raised when the spec changes
    std::optional<time> creation_timestamp{};
    std::optional<time> deletion_timestamp{};  ///< set: going, as soon as finalizers and grace allow
    std::optional<std::int64_t> deletion_grace_period_seconds{};
    std::map<std::string, std::string> labels{};
    std::map<std::string, std::string> annotations{};
    std::vector<owner_reference> owner_references{};
    std::vector<std::string> finalizers{};
    friend bool operator==(object_meta const&, object_meta const&) = default;
};
BOOST_DESCRIBE_STRUCT(object_meta, (),
    (name, generate_name, namespace_, uid, resource_version, generation, creation_timestamp,
        deletion_timestamp, deletion_grace_period_seconds, labels, annotations, owner_references, finalizers))

/// The owner that manages an object: the reference with `controller: true`; null when there is none.
[[nodiscard]] inline owner_reference const* controller_of(object_meta const& meta) noexcept
{
    for (auto const& owner : meta.owner_references)
        if (owner.controller.value_or(false))
            return &owner;
    return nullptr;
}

enum class condition_status : std::uint8_t { unknown, true_, false_ };
BOOST_DESCRIBE_ENUM(condition_status, unknown, true_, false_)

/// The condition of that type in a list of a kind's conditions; null when there is none. O(size).
template<class Conditions>
[[nodiscard]] auto find_condition(Conditions& conditions, std::string_view type) noexcept
    -> decltype(conditions.data())
{
    for (auto& condition : conditions)
        if (condition.type == type)
            return &condition;
    return nullptr;
}

enum class label_selector_operator : std::uint8_t { in, not_in, exists, does_not_exist };
BOOST_DESCRIBE_ENUM(label_selector_operator, in, not_in, exists, does_not_exist)

struct label_selector_requirement {
    std::string key{};
    label_selector_operator operator_ = label_selector_operator::in;
    std::vector<std::string> values{};
    friend bool operator==(label_selector_requirement const&, label_selector_requirement const&) = default;
};
BOOST_DESCRIBE_STRUCT(label_selector_requirement, (), (key, operator_, values))
constexpr bool required(label_selector_requirement const*, std::string_view member)
{
    return member == "key" || member == "operator_";
}

/// All of `match_labels` and all of `match_expressions`; an empty one matches everything.
struct label_selector {
    std::map<std::string, std::string> match_labels{};
    std::vector<label_selector_requirement> match_expressions{};
    friend bool operator==(label_selector const&, label_selector const&) = default;
};
BOOST_DESCRIBE_STRUCT(label_selector, (), (match_labels, match_expressions))

/// Another object, named from a distance.
struct object_reference {
    std::string kind{};
    std::string namespace_{};
    std::string name{};
    std::string uid{};
    std::string api_version{};
    std::string resource_version{};
    std::string field_path{};
    friend bool operator==(object_reference const&, object_reference const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    object_reference, (), (kind, namespace_, name, uid, api_version, resource_version, field_path))

enum class protocol : std::uint8_t { tcp, udp, sctp };
BOOST_DESCRIBE_ENUM(protocol, tcp, udp, sctp)
constexpr std::string_view json_name(protocol p)
{
    return p == protocol::tcp ? "TCP" : p == protocol::udp ? "UDP" : "SCTP";
}

}  // namespace podium::v0::model
