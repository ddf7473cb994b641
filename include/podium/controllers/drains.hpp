#pragma once
/// Drain controller: the handshake that loses no request in a voluntary change.
///
///     retire(pod)              the decision: `status.drain` in the pod
///     endpoints                the pod is out of every slice, whose generation goes up
///     routers                  each acknowledges the generation, with what is still in flight
///     here                     deletion, once all live routers have let go, or at the deadline
///     agent                    SIGTERM, grace, SIGKILL
///
/// The deletion requires the slices at the versions that were read, so a pod that came back into one in
/// the meantime is seen. An acknowledgement belongs to one instance of a router and to no later one; a
/// router that has not renewed for `router_timeout`, on this observer's clock, no longer holds a drain (it
/// has stopped taking requests by itself before that: see `net`). The deletion requires the status of such
/// a router too: a view that comes late looks like a router that fell silent, and only the store knows
/// better. A router that joins serves from a snapshot that is not older than its registration, hence
/// without the pod.

#include <podium/controllers/pods.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/router_status.hpp>
#include <podium/reconcile/plan.hpp>

#include <set>
#include <string>
#include <string_view>

namespace podium::inline v0::controllers {

/// The pods that drain: an index of the view.
struct draining_pods {
    using folds = reconcile::types<model::pod>;
    std::set<reconcile::key> keys{};

    void apply(reconcile::handle<model::pod> const& before, reconcile::handle<model::pod> const& after)
    {
        bool const was = before && drains(*before);
        bool const is = after && drains(*after);
        if (was && !is)
            keys.erase(before.which());
        else if (is && !was)
            keys.insert(after.which());
    }
    [[nodiscard]] static bool drains(model::pod const& p) noexcept
    {
        return p.status.drain.has_value() && !p.metadata.deletion_timestamp;
    }
};

/// Has the router put the slice in force as it is now?
[[nodiscard]] inline bool has_acknowledged(model::router_status const& r, model::endpoint_slice const& slice)
{
    auto const it = r.status.acknowledged.find(slice.metadata.namespace_ + '/' + slice.metadata.name);
    return it != r.status.acknowledged.end() && it->second >= slice.metadata.generation;
}

struct drains {
    static constexpr std::string_view name = "drain-controller";
    using primary = model::pod;
    using watches = reconcile::types<model::endpoint_slice, model::router_status>;

    /// A router that was not heard of for this long holds no drain.
    duration router_timeout = std::chrono::seconds(10);

    template<class View, class K, class Add>
    void touched(View const& view, reconcile::transition<K> const&, Add const& add) const
    {
        for (auto const& k : view.template index<draining_pods>().keys)
            add(k);
    }

    /// O(slices of the namespace x routers).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const pod = view.template get<model::pod>(which);
        if (!pod || !draining_pods::drains(*pod))
            return p;
        time_point const deadline = pod->status.drain->deadline;
        if (now < deadline && is_held(p, view, pod, now)) {
            p.wake_at(deadline);
            return p;
        }
        begin_deletion(p, pod, now);
        return p;
    }

private:
    template<class View>
    bool is_held(
        reconcile::plan& p, View const& view, reconcile::handle<model::pod> const& pod, time_point now) const
    {
        auto const uid = pod.uid();
        auto const slices = view.template all<model::endpoint_slice>(pod->metadata.namespace_);
        for (auto const slice : slices) {
            for (auto const& e : slice->endpoints)
                if (e.target_ref && e.target_ref->uid == uid)
                    return true;
            p.require(slice);
        }
        for (auto const router : view.template all<model::router_status>()) {
            if (now - router.seen >= router_timeout) {
                p.require(router);  // if it renewed after all, it was this view that was late
                continue;
            }
            p.wake_at(router.seen + router_timeout);
            if (auto const it = router->status.in_flight.find(uid);
                it != router->status.in_flight.end() && it->second > 0)
                return true;
            for (auto const slice : slices)
                if (!has_acknowledged(*router, *slice))
                    return true;
        }
        return false;
    }
};

}  // namespace podium::v0::controllers
