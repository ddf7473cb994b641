#pragma once
/// What draining nodes will do, told before it begins: which pods go, which wait for their budget, which
/// need to be forced, and where there is room for what replaces them.
///
/// Source: kubectl v1.35 pkg/drain: who is evicted and who needs which option. Where room is, is the
/// scheduler's answer to the nodes being gone, with everything else as it is now.

#include <podium/controllers/disruption_budgets.hpp>
#include <podium/controllers/placement.hpp>
#include <podium/schedule/what_if.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

enum class drain_part : std::uint8_t {
    goes,   ///< at once
    waits,  ///< until its budget allows it
    needs,  ///< an option, or a person: the drain does not begin
    stays,  ///< it is the node's own
};

struct drain_step {
    reconcile::handle<model::pod> pod{};
    drain_part part = drain_part::goes;
    std::string why{};      ///< of a part that is not `goes`
    std::string to{};       ///< the node for its replacement
    std::string nowhere{};  ///< why there is none; empty also where nobody replaces the pod
};

struct drain_options {
    bool force = false;                  ///< pods that nobody would replace go too
    bool delete_empty_dir_data = false;  ///< and those that lose what they keep in an emptyDir
};

namespace detail {

/// Why a pod cannot simply be evicted, or is not to be.
[[nodiscard]] inline std::pair<drain_part, std::string> objection(
    model::pod const& p, drain_options const& how)
{
    auto const* const owner = model::controller_of(p.metadata);
    if (p.metadata.annotations.contains("kubernetes.io/config.mirror") ||
        (owner && owner->kind == model::node::kind))
        return {drain_part::stays, "it is the node's own"};
    if (is_terminal(p.status.phase))
        return {};
    if (!owner && !how.force)
        return {drain_part::needs, "nobody would replace it (use --force to override)"};
    bool const keeps =
        std::ranges::any_of(p.spec.volumes, [](auto const& v) { return v.empty_dir.has_value(); });
    if (keeps && !how.delete_empty_dir_data)
        return {drain_part::needs,
            "what it keeps in an emptyDir would be lost (use --delete-emptydir-data to override)"};
    return {};
}

}  // namespace detail

/// One step for each pod of these nodes, by name; budgets are taken at the word of their status, and given to
/// the first. The view needs the index `placement`. O(pods), and one placement for each that goes.
template<class View>
[[nodiscard]] std::vector<drain_step> plan_drain(
    View const& view, std::vector<std::string> const& nodes, drain_options const& how = {})
{
    std::vector<drain_step> out;
    std::map<std::string, std::int32_t> taken;  // by budget
    for (auto const pod : view.template all<model::pod>()) {
        if (std::ranges::find(nodes, pod->spec.node_name) == nodes.end())
            continue;
        drain_step step{.pod = pod};
        std::tie(step.part, step.why) = detail::objection(*pod, how);
        bool const asks = step.part == drain_part::goes && !is_leaving(*pod) &&
            !is_terminal(pod->status.phase) && pod->status.phase != model::pod_phase::pending;
        auto const budgets = asks ? budgets_of(view, *pod) : decltype(budgets_of(view, *pod)){};
        if (budgets.size() > 1) {
            step.part = drain_part::needs;
            step.why = "it has more than one PodDisruptionBudget, which evictions do not support";
        } else if (budgets.size() == 1 && !is_spared(*budgets[0], *pod, budgets[0]->status)) {
            auto const& b = *budgets[0];
            auto const& s = b.status;
            if (taken[b.metadata.namespace_ + '/' + b.metadata.name]++ >= s.disruptions_allowed) {
                step.part = drain_part::waits;
                step.why = "the disruption budget " + b.metadata.name + " needs " +
                    std::to_string(s.desired_healthy) + " healthy pods of " +
                    std::to_string(s.expected_pods) + " and has " + std::to_string(s.current_healthy);
                if (s.desired_healthy >= s.expected_pods)
                    step.why += ": it never allows one";
            }
        }
        out.push_back(std::move(step));
    }

    std::deque<schedule::kubernetes::pod> wanted;
    std::vector<schedule::tenant<schedule::kubernetes::pod>> tenants;
    auto& scheduler = view.template index<placement>().scheduler();
    for (std::size_t i = 0; i < out.size(); ++i) {
        auto const& pod = *out[i].pod;
        bool const moves = out[i].part == drain_part::goes || out[i].part == drain_part::waits;
        if (moves && placement::takes_room(pod) && !is_leaving(pod) && model::controller_of(pod.metadata))
            tenants.push_back({.id = std::to_string(i),
                .pod = &wanted.emplace_back(schedulable(view, pod)),
                .node = scheduler.nodes().find(pod.spec.node_name),
                .priority = pod.spec.priority.value_or(0)});
    }
    schedule::drain_nodes gone;
    for (auto const& n : nodes)
        if (scheduler.nodes().find(n))
            gone.names.push_back(n);
    if (auto const then = schedule::what_if(scheduler, tenants, {gone}))
        for (auto const& f : then->pods) {
            auto& step = out[static_cast<std::size_t>(std::stoul(f.id))];
            step.to = f.to;
            step.nowhere = f.summary;
        }
    return out;
}

}  // namespace podium::v0::controllers
