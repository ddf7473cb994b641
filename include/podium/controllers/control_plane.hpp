#pragma once
/// The whole control plane as one value: every shipped controller over one view.
///
///     auto plane = controllers::control_plane::make({});
///     reconcile::settle(plane, store, now);
///
/// An embedder's own controllers and indices join at the end: `basic_control_plane<types<my_index>,
/// my_controller>`.

#include <podium/controllers/autoscalers.hpp>
#include <podium/controllers/claims.hpp>
#include <podium/controllers/config_hashes.hpp>
#include <podium/controllers/deployments.hpp>
#include <podium/controllers/disruption_budgets.hpp>
#include <podium/controllers/drains.hpp>
#include <podium/controllers/endpoints.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/garbage_collector.hpp>
#include <podium/controllers/node_lifecycle.hpp>
#include <podium/controllers/replica_sets.hpp>
#include <podium/controllers/rollouts.hpp>
#include <podium/controllers/scheduler.hpp>
#include <podium/controllers/stateful_sets.hpp>
#include <podium/core/separate.hpp>
#include <podium/reconcile/plane.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace podium::inline v0::controllers {

/// What an operator may want to change; the defaults are Kubernetes'.
struct settings {
    drain_policy drain{};
    duration router_timeout = std::chrono::seconds(10);
    duration node_grace = std::chrono::seconds(50);
    duration default_toleration = std::chrono::seconds(300);
    duration keep_events = std::chrono::hours(1);
    autoscaler_settings autoscaler{};
    hash_key config_key{};  ///< of `config_hashes`: secret, and another one restarts those that ask
    std::size_t scheduler_batch = 1024;
    std::shared_ptr<scheduling_figures> scheduling{};       ///< what the scheduler counts; null: nothing
    std::size_t max_writes = static_cast<std::size_t>(-1);  ///< the most that the store takes at once
};

template<class Indices, class... More>
struct basic_control_plane;

template<class... Index, class... More>
struct basic_control_plane<reconcile::types<Index...>, More...> {
    using view = reconcile::view<pods_by_node, draining_pods, placement, autoscaler_targets, Index...>;
    using plane = reconcile::plane<view, config_hashes, deployments, rollouts, replica_sets, stateful_sets,
        claims, autoscalers, scheduler, endpoints, drains, disruption_budgets, node_lifecycle,
        garbage_collector, event_cleaner, More...>;

    [[nodiscard]] static plane make(settings const& s, More... more)
    {
        config_hashes c;
        c.key = s.config_key;
        deployments d;
        rollouts ro;
        ro.router_timeout = s.router_timeout;
        replica_sets r;
        r.drain = s.drain;
        stateful_sets st;
        st.drain = s.drain;
        autoscalers a;
        a.how = s.autoscaler;
        scheduler sched;
        sched.batch = s.scheduler_batch;
        sched.drain = s.drain;
        sched.figures = s.scheduling;
        drains dr;
        dr.router_timeout = s.router_timeout;
        node_lifecycle n;
        n.grace = s.node_grace;
        n.default_toleration = s.default_toleration;
        garbage_collector g;
        g.drain = s.drain;
        event_cleaner e;
        e.keep = s.keep_events;
        return plane(c, d, ro, r, st, claims{}, a, sched, endpoints{}, dr, disruption_budgets{}, n, g, e,
            std::move(more)..., s.max_writes);
    }
};

using control_plane = basic_control_plane<reconcile::types<>>;

}  // namespace podium::v0::controllers

// With these a unit compiles no shipped controller, in whatever plane over the default view it stands.
#ifdef PODIUM_TEMPLATE
namespace podium::inline v0::reconcile {
PODIUM_TEMPLATE class view<controllers::pods_by_node, controllers::draining_pods, controllers::placement,
    controllers::autoscaler_targets>;
namespace detail {
#define PODIUM_CONTROLLER(type_name)                                                                         \
    PODIUM_TEMPLATE plan reconcile_one(                                                                      \
        controllers::type_name const&, controllers::control_plane::view const&, key const&, time_point);     \
    PODIUM_TEMPLATE void touch_one(controllers::type_name const&, controllers::control_plane::view const&,   \
        object_transition const&, add_for const&);
PODIUM_CONTROLLER(autoscalers)
PODIUM_CONTROLLER(claims)
PODIUM_CONTROLLER(config_hashes)
PODIUM_CONTROLLER(deployments)
PODIUM_CONTROLLER(disruption_budgets)
PODIUM_CONTROLLER(drains)
PODIUM_CONTROLLER(endpoints)
PODIUM_CONTROLLER(event_cleaner)
PODIUM_CONTROLLER(garbage_collector)
PODIUM_CONTROLLER(node_lifecycle)
PODIUM_CONTROLLER(replica_sets)
PODIUM_CONTROLLER(rollouts)
PODIUM_CONTROLLER(scheduler)
PODIUM_CONTROLLER(stateful_sets)
#undef PODIUM_CONTROLLER
}  // namespace detail
}  // namespace podium::v0::reconcile
#endif
