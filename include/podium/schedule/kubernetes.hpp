#pragma once
/// Kubernetes' default profile: all of its default plugins with its weights, on a plain node and pod.
///
///     schedule::scheduler<schedule::kubernetes::rules> s;
///     s.set("oslo", {.name = "oslo", .allocatable = {.cpu_milli = 4000, .memory_bytes = 8'000'000'000, .pods
///     = 110}}); auto const d = s.place({.requests = {.cpu_milli = 500, .memory_bytes = 1'000'000'000}});
///
/// Whoever has objects of Kubernetes' shape turns them into these; whoever has other ones writes a `pipeline`
/// on them and takes of the plugins what applies.
///
/// Source: kube-scheduler v1.35, apis/config/v1/default_plugins.go, without dynamic resources and gates (see
/// `pod_queue`).

#include <podium/schedule/affinity.hpp>
#include <podium/schedule/images.hpp>
#include <podium/schedule/node.hpp>
#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/ports.hpp>
#include <podium/schedule/residents.hpp>
#include <podium/schedule/resources.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/spread.hpp>
#include <podium/schedule/taints.hpp>
#include <podium/schedule/volumes.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::kubernetes {

/// Amounts in the scheduler's units: thousandths of a core, bytes, pieces.
struct resources {
    std::int64_t cpu_milli = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t storage_bytes = 0;                                ///< ephemeral-storage
    std::int64_t pods = 0;                                         ///< of a node; a pod always takes one
    std::vector<std::pair<std::string, std::int64_t>> extended{};  ///< by name, as "example.com/gpu"
    friend bool operator==(resources const&, resources const&) = default;
};

struct image {
    std::vector<std::string> names{};
    std::int64_t size_bytes = 0;
    friend bool operator==(image const&, image const&) = default;
};

struct node {
    std::string name{};
    label_map labels{};
    std::vector<taint> taints{};
    bool unschedulable = false;
    resources allocatable{};
    std::vector<image> images{};
    std::vector<std::pair<std::string, std::int64_t>> volume_limits{};  ///< {driver, most}
    friend bool operator==(node const&, node const&) = default;
};

/// What the scheduler reads of a pod: pods of one template are equal.
struct pod {
    std::string node_name{};  ///< the only node that will do; empty: any
    /// Of all containers together, or of the neediest init container, with overhead.
    resources requests{};
    /// The same with 100m and 200 MiB for each container that does not say: what scores assume that it takes.
    /// None: `requests`.
    std::optional<std::int64_t> assumed_cpu_milli{};
    std::optional<std::int64_t> assumed_memory_bytes{};
    node_choice choice{};
    std::vector<toleration> tolerations{};
    std::vector<host_port> ports{};
    std::vector<std::string> images{};  ///< of its containers, initial ones too, one for each
    resident self{};                    ///< namespace, labels, affinity
    std::vector<spread_constraint> spread{};
    bool spread_needs_all_keys = true;  ///< false for the cluster's default constraints
    volume_wish volumes{};
    friend bool operator==(pod const&, pod const&) = default;
};

namespace detail {

[[nodiscard]] inline std::int64_t assumed_cpu(pod const& p)
{
    return p.assumed_cpu_milli.value_or(p.requests.cpu_milli);
}
[[nodiscard]] inline std::int64_t assumed_memory(pod const& p)
{
    return p.assumed_memory_bytes.value_or(p.requests.memory_bytes);
}
/// Pods without constraints are alike to spreading, whatever else they are.
[[nodiscard]] inline spread_wish spread_of(pod const& p)
{
    if (p.spread.empty())
        return {};
    return {.namespace_ = p.self.namespace_,
        .labels = p.self.labels,
        .constraints = p.spread,
        .require_all_keys = p.spread_needs_all_keys,
        .choice = p.choice,
        .tolerations = p.tolerations};
}

template<auto Part>
[[nodiscard]] std::int64_t allocatable(node const& n)
{
    return n.allocatable.*Part;
}
template<auto Part>
[[nodiscard]] std::int64_t requested(pod const& p)
{
    return p.requests.*Part;
}
[[nodiscard]] inline auto const& extended_allocatable(node const& n)
{
    return n.allocatable.extended;
}
[[nodiscard]] inline auto const& extended_requested(pod const& p)
{
    return p.requests.extended;
}

}  // namespace detail

// Each has a name of its own: what is built from them has short ones, in errors and in object files.

struct cpu : resource<"cpu", &detail::allocatable<&resources::cpu_milli>,
                 &detail::requested<&resources::cpu_milli>, &detail::assumed_cpu> {};
struct memory : resource<"memory", &detail::allocatable<&resources::memory_bytes>,
                    &detail::requested<&resources::memory_bytes>, &detail::assumed_memory> {};
struct storage : resource<"ephemeral-storage", &detail::allocatable<&resources::storage_bytes>,
                     &detail::requested<&resources::storage_bytes>> {};
struct pod_count : pod_slots<&detail::allocatable<&resources::pods>> {};
using extended = extended_resources<&detail::extended_allocatable, &detail::extended_requested>;

struct unschedulable_nodes : node_unschedulable<&node::unschedulable, &pod::tolerations> {};
struct named_node : schedule::node_name<&node::name, &pod::node_name> {};
struct taints : taint_toleration<&node::taints, &pod::tolerations> {};
struct affinity_to_nodes : node_affinity<&node::labels, &node::name, &pod::choice> {};
struct host_ports : node_ports<&pod::ports> {};
struct enough_resources : fit<cpu, memory, storage, pod_count, extended> {};
struct disks : volume_restrictions<&pod::volumes> {};
struct disk_limits : node_volume_limits<&node::volume_limits, &pod::volumes> {};
struct claims : volume_binding<&node::labels, &node::name, &pod::volumes> {};
struct disk_zones : volume_zone<&node::labels, &pod::volumes> {};
struct spreading
    : topology_spread<&node::labels, &node::name, &node::taints, &pod::self, &detail::spread_of> {};
struct affinity_to_pods : inter_pod_affinity<&node::labels, &pod::self> {};
struct most_left : least_allocated<cpu, memory> {};
struct most_even : balanced_allocation<cpu, memory> {};
struct images_there : image_locality<&node::images, &pod::images> {};

/// The default profile.
using default_filters = filters<unschedulable_nodes, named_node, taints, affinity_to_nodes, host_ports,
    enough_resources, disks, disk_limits, claims, disk_zones, spreading, affinity_to_pods>;
using default_scores = scores<weighted<taints, 3>, weighted<affinity_to_nodes, 2>, weighted<spreading, 2>,
    weighted<affinity_to_pods, 2>, weighted<most_left, 1>, weighted<most_even, 1>, weighted<images_there, 1>>;
using rules = pipeline<node, pod, default_filters, default_scores>;

}  // namespace podium::schedule::kubernetes

// Many seconds of compiling: with PODIUM_SEPARATE_COMPILATION in one translation unit only (see
// <podium/src.hpp>).
#if defined(PODIUM_SOURCE)
#define PODIUM_KUBERNETES_RULES template
#elif defined(PODIUM_SEPARATE_COMPILATION)
#define PODIUM_KUBERNETES_RULES extern template
#endif
#if defined(PODIUM_KUBERNETES_RULES)
namespace podium::inline v0::schedule {
PODIUM_KUBERNETES_RULES class snapshot<kubernetes::rules>;
PODIUM_KUBERNETES_RULES class pipeline<kubernetes::node, kubernetes::pod, kubernetes::default_filters,
    kubernetes::default_scores>;
PODIUM_KUBERNETES_RULES class scheduler<kubernetes::rules>;
}  // namespace podium::v0::schedule
#undef PODIUM_KUBERNETES_RULES
#endif
