#pragma once
/// Garbage collection: what belonged to an object that is gone goes too.
///
/// An object with owners of which none is left is removed; one solid owner keeps it. An owner is told by
/// its uid: a namesake that was made later does not own what the first one did. Pods are retired, so that
/// even the deletion of a whole Deployment loses no request. Works for every kind, the embedder's too.
///
/// Source: Kubernetes v1.35 pkg/controller/garbagecollector, background propagation. A dependent is always
/// created later than its owner, so a whole view in which the owner is missing proves that it is gone:
/// there is no live read to be made.

#include <podium/controllers/pods.hpp>
#include <podium/reconcile/plan.hpp>

#include <string_view>

namespace podium::inline v0::controllers {

struct garbage_collector {
    static constexpr std::string_view name = "garbage-collector";

    drain_policy drain{};

    template<class View, class Add>
    void touched(View const& view, reconcile::object_transition const& x, Add const& add) const
    {
        if (x.after && x.before && x.kind()->same_links(x.before.data.get(), x.after.data.get()))
            return;
        if (x.after && has_owners(x.after))
            add(x.after.which());
        if (!x.after || (x.before && x.before.created != x.after.created))
            for (auto const& dependent : view.dependents_of(x.before.uid()))
                add(dependent.which());
    }

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const dependent = view.get(which);
        if (!dependent || !is_orphan(view, dependent))
            return p;
        if (auto const pod = dependent.template as<model::pod>())
            retire(p, pod, "OwnerGone", drain, now);
        else
            p.remove(dependent);
        return p;
    }

private:
    static bool has_owners(reconcile::object const& o)
    {
        bool any = false;
        o.kind->each_owner(
            o.data.get(), &any, [](void* found, std::string_view, std::string_view, std::string_view) {
                *static_cast<bool*>(found) = true;
            });
        return any;
    }
    template<class View>
    static bool is_orphan(View const& view, reconcile::object const& o)
    {
        struct context {
            View const& view;
            std::string_view namespace_;
            bool owned = false;
            bool solid = false;
        } c{view, o.namespace_()};
        o.kind->each_owner(o.data.get(), &c,
            [](void* v, std::string_view kind, std::string_view owner_name, std::string_view uid) {
                auto& x = *static_cast<context*>(v);
                x.owned = true;
                auto const owner = x.view.get_named(kind, x.namespace_, owner_name);
                x.solid = x.solid || (owner && owner.uid() == uid);
            });
        return c.owned && !c.solid;
    }
};

}  // namespace podium::v0::controllers
