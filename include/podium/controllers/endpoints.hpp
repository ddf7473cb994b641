#pragma once
/// Endpoints controller: which pods stand behind a Service, as EndpointSlices.
///
/// One slice for each set of resolved ports (a named target port may differ from pod to pod); nearly
/// always that is one slice. A slice raises its own `metadata.generation` when it changes: routers
/// acknowledge generations. The first one is the revision that it was computed from, so the slice of a
/// service that was deleted and made again never goes back to a generation that was acknowledged for its
/// namesake. A draining pod is out of the slice; one that was deleted without a drain
/// stays as terminating, the last resort when nothing is ready.
///
/// A pod that joins a slice is required to be at the version that was read: so a pod that is marked for
/// draining at the same moment cannot slip in behind the drain controller's back.
///
/// A slice carries its service's split and each endpoint its version, so routers acknowledge both as one.
///
/// A pod whose `subdomain` is the service's name is in the slice with its `hostname`: pods of a StatefulSet
/// are.
///
/// Source: Kubernetes v1.35 pkg/controller/endpointslice; the drain is podium's own.

#include <podium/controllers/pods.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/service.hpp>
#include <podium/reconcile/plan.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

/// The number that a service's target port means on this pod; nothing when the pod has no such name.
[[nodiscard]] inline std::optional<std::int32_t> resolve_port(
    model::service_port const& port, model::pod const& pod)
{
    if (port.target_port.is_number())
        return port.target_port.number() == 0 ? port.port : port.target_port.number();
    for (auto const& c : pod.spec.containers)
        for (auto const& candidate : c.ports)
            if (candidate.name == port.target_port.name() && candidate.protocol == port.protocol)
                return candidate.container_port_;
    return {};
}

struct endpoints {
    static constexpr std::string_view name = "endpointslice-controller";
    using primary = model::service;
    using owns = reconcile::types<model::endpoint_slice>;
    using watches = reconcile::types<model::pod>;

    /// The services that select the pod as it was or as it is, unless nothing changed that a slice shows.
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (x.before && x.after && same_endpoint(*x.before, *x.after))
            return;
        for (auto const service : view.template all<model::service>(x.any()->metadata.namespace_))
            if ((x.before && selects(*service, *x.before)) || (x.after && selects(*service, *x.after)))
                add(service.which());
    }

    /// O(pods that the service selects).
    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point) const
    {
        reconcile::plan p;
        auto const service = view.template get<model::service>(which);
        if (!service || service->spec.selector.empty())
            return p;

        std::map<std::vector<std::int32_t>, std::vector<model::endpoint>> groups;
        if (auto const fixed = ports_without_pod(*service))
            groups.try_emplace(*fixed);  // known before the first pod is: an empty slice says so
        std::map<std::string, reconcile::handle<model::pod>, std::less<>> by_uid;
        auto const selector = labels::selector::make(
            labels::label_selector{service->spec.selector,
                {}}).value_or(labels::selector::nothing());
        for (auto const& pod : view.template select<model::pod>(which.namespace_, selector)) {
            if (!is_endpoint(*pod))
                continue;
            auto const ports = ports_on(*service, *pod);
            auto e = endpoint_of(pod, *service);
            by_uid.emplace(e.target_ref->uid, pod);
            groups[ports].push_back(std::move(e));
        }

        std::map<std::string, reconcile::handle<model::endpoint_slice>> old;
        for (auto slice : view.template owned_by<model::endpoint_slice>(service))
            old.emplace(slice->metadata.name, slice);
        for (auto& [ports, members] : groups) {
            auto slice = slice_for(service, ports, std::move(members));
            slice.split = service->spec.split;
            auto const it = old.find(slice.metadata.name);
            auto const before = it == old.end() ? reconcile::handle<model::endpoint_slice>{} : it->second;
            require_newcomers(p, before, slice, by_uid);
            if (before)
                old.erase(it);
            put(p, view.at(), before, std::move(slice));
        }
        for (auto const& [slice_name, slice] : old) {
            auto empty = *slice;  // its generation goes on, and a split is acknowledged of all slices
            empty.endpoints.clear();
            empty.split = service->spec.split;
            put(p, view.at(), slice, std::move(empty));
        }
        return p;
    }

    [[nodiscard]] static bool selects(model::service const& s, model::pod const& pod)
    {
        return !s.spec.selector.empty() && std::ranges::all_of(s.spec.selector, [&](auto const& wanted) {
            auto const it = pod.metadata.labels.find(wanted.first);
            return it != pod.metadata.labels.end() && it->second == wanted.second;
        });
    }

private:
    static bool is_endpoint(model::pod const& p) noexcept
    {
        return !p.status.pod_ip.empty() && !is_terminal(p.status.phase) && !p.status.drain;
    }
    static bool same_endpoint(model::pod const& a, model::pod const& b)
    {
        return is_endpoint(a) == is_endpoint(b) && is_ready(a) == is_ready(b) &&
            is_leaving(a) == is_leaving(b) && a.status.pod_ip == b.status.pod_ip &&
            a.metadata.labels == b.metadata.labels && a.spec.node_name == b.spec.node_name &&
            a.spec.containers == b.spec.containers;
    }
    static std::optional<std::vector<std::int32_t>> ports_without_pod(model::service const& s)
    {
        std::vector<std::int32_t> out;
        for (auto const& port : s.spec.ports) {
            if (!port.target_port.is_number())
                return {};
            out.push_back(*resolve_port(port, {}));
        }
        return out;
    }
    /// In the order of the service's ports; 0 for a name that the pod does not have.
    static std::vector<std::int32_t> ports_on(model::service const& s, model::pod const& pod)
    {
        std::vector<std::int32_t> out;
        for (auto const& port : s.spec.ports)
            out.push_back(resolve_port(port, pod).value_or(0));
        return out;
    }
    static model::endpoint endpoint_of(reconcile::handle<model::pod> const& pod, model::service const& of)
    {
        model::endpoint e;
        e.addresses = {pod->status.pod_ip};
        bool const serving = is_ready(*pod);
        bool const terminating = pod->metadata.deletion_timestamp.has_value();
        e.conditions.ready = of.spec.publish_not_ready_addresses || (serving && !terminating);
        e.conditions.serving = serving;
        e.conditions.terminating = terminating;
        e.node_name = pod->spec.node_name;
        if (pod->spec.subdomain == of.metadata.name)
            e.hostname = pod->spec.hostname;
        if (auto const& split = of.spec.split)
            if (auto const v = pod->metadata.labels.find(split->label); v != pod->metadata.labels.end())
                e.version = v->second;
        model::object_reference target;
        target.kind = model::pod::kind;
        target.namespace_ = pod->metadata.namespace_;
        target.name = pod->metadata.name;
        target.uid = pod.uid();
        e.target_ref = std::move(target);
        return e;
    }
    static model::endpoint_slice slice_for(reconcile::handle<model::service> const& service,
        std::vector<std::int32_t> const& ports, std::vector<model::endpoint> members)
    {
        model::endpoint_slice slice;
        std::string suffix;
        for (std::size_t i = 0; i < ports.size(); ++i) {
            auto const& declared = service->spec.ports[i];
            suffix += '-' + std::to_string(ports[i]);
            if (ports[i] == 0)
                continue;
            model::endpoint_port port;
            port.name = declared.name;
            port.protocol = declared.protocol;
            port.port = ports[i];
            port.app_protocol = declared.app_protocol;
            slice.ports.push_back(std::move(port));
        }
        slice.metadata.name = service->metadata.name + suffix;
        slice.metadata.namespace_ = service->metadata.namespace_;
        slice.metadata.labels.emplace(model::service_name_label, service->metadata.name);
        slice.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(service));
        slice.endpoints = std::move(members);
        return slice;
    }
    static void require_newcomers(reconcile::plan& p, reconcile::handle<model::endpoint_slice> const& before,
        model::endpoint_slice const& after,
        std::map<std::string, reconcile::handle<model::pod>, std::less<>> const& by_uid)
    {
        std::set<std::string_view> known;
        if (before)
            for (auto const& e : before->endpoints)
                if (e.target_ref)
                    known.insert(e.target_ref->uid);
        for (auto const& e : after.endpoints)
            if (!known.contains(e.target_ref->uid))
                p.require(by_uid.find(e.target_ref->uid)->second);
    }
    static void put(reconcile::plan& p, reconcile::revision seen,
        reconcile::handle<model::endpoint_slice> const& before, model::endpoint_slice after)
    {
        if (!before) {
            after.metadata.generation = static_cast<std::int64_t>(reconcile::number(seen));
            p.create(std::move(after));
            return;
        }
        if (before->endpoints == after.endpoints && before->ports == after.ports &&
            before->split == after.split)
            return;
        after.metadata.generation = before->metadata.generation + 1;
        after.metadata.creation_timestamp = before->metadata.creation_timestamp;
        p.update(before, std::move(after));
    }
};

}  // namespace podium::v0::controllers
