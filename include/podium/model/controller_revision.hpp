#pragma once
/// ControllerRevision: a template that a stateful set has or had, kept so that it can be gone back to.
///
/// `data` never changes once it is made; `revision` rises when a former template is wanted again.
///
/// Source: ControllerRevision in kubernetes/api apps/v1/types.go at v1.35. There `data` is anything; here it
/// is what Kubernetes' own stateful sets put into it: `{"spec": {"template": ...}}`.

#include <podium/model/pod.hpp>

namespace podium::inline v0::model {

struct controller_revision_spec {
    pod_template_spec template_{};
    friend bool operator==(controller_revision_spec const&, controller_revision_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(controller_revision_spec, (), (template_))
constexpr bool required(controller_revision_spec const*, std::string_view member)
{
    return member == "template_";
}

struct controller_revision_data {
    controller_revision_spec spec{};
    friend bool operator==(controller_revision_data const&, controller_revision_data const&) = default;
};
BOOST_DESCRIBE_STRUCT(controller_revision_data, (), (spec))
constexpr bool required(controller_revision_data const*, std::string_view member)
{
    return member == "spec";
}

struct controller_revision {
    static constexpr std::string_view kind = "ControllerRevision";
    static constexpr std::string_view api_version = "apps/v1";
    static constexpr std::string_view plural = "controllerrevisions";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    controller_revision_data data{};
    std::int64_t revision = 0;  ///< the highest of a set is the latest wanted
    friend bool operator==(controller_revision const&, controller_revision const&) = default;
};
BOOST_DESCRIBE_STRUCT(controller_revision, (), (metadata, data, revision))
constexpr bool always(controller_revision const*, std::string_view member)
{
    return member == "revision";
}

}  // namespace podium::v0::model
