#pragma once
/// Binds PersistentVolumeClaims: here every claim can be met, by a directory of its name.
///
/// The capacity that the status shows is what was asked for; nobody measures or limits it.
///
/// Source: Kubernetes v1.35 pkg/controller/volume/persistentvolume, cut to one kind of volume that is always
/// there; so there are neither PersistentVolumes nor StorageClasses.

#include <podium/model/persistent_volume_claim.hpp>
#include <podium/reconcile/plan.hpp>

#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

struct claims {
    static constexpr std::string_view name = "persistentvolumeclaim-binder";
    using primary = model::persistent_volume_claim;

    /// O(1).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point) const
    {
        reconcile::plan p;
        auto const claim = view.template get<model::persistent_volume_claim>(which);
        if (!claim || claim->metadata.deletion_timestamp)
            return p;
        auto next = *claim;
        next.status.phase = model::claim_phase::bound;
        next.status.access_modes = claim->spec.access_modes;
        next.status.capacity = claim->spec.resources.requests;
        p.update(claim, std::move(next));
        return p;
    }
};

}  // namespace podium::v0::controllers
