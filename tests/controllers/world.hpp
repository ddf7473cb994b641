#pragma once
/// A control plane over the memory store, and a stand-in for the agents that answers at once.

#include <podium/controllers.hpp>
#include <podium/reconcile/memory_store.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace podium::tests {

/// Marks bound pods running and ready, and removes those that are to be deleted.
struct instant_agent {
    using primary = model::pod;
    bool never_ready = false;

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const pod = view.template get<model::pod>(which);
        if (!pod || pod->spec.node_name.empty() || is_terminal(pod->status.phase))
            return p;
        if (pod->metadata.deletion_timestamp) {
            p.remove(pod);
            return p;
        }
        bool const broken = never_ready || pod->spec.containers.front().image.ends_with(":broken");
        if (pod->status.phase == model::pod_phase::running)
            return p;
        auto next = *pod;
        next.status.phase = model::pod_phase::running;
        next.status.pod_ip = "127.1.0.1";
        next.status.start_time = model::time{now};
        model::pod_condition ready;
        ready.type = "Ready";
        ready.status = broken ? model::condition_status::false_ : model::condition_status::true_;
        controllers::set_condition(next.status.conditions, std::move(ready), now);
        p.update(pod, std::move(next));
        return p;
    }
};

struct world {
    using assembly = controllers::basic_control_plane<reconcile::types<>, instant_agent>;
    reconcile::memory_store store{};
    assembly::plane plane;
    time_point now{std::chrono::hours(1)};

    /// Its nodes renew no leases, so by default nobody minds their silence.
    static controllers::settings patient()
    {
        controllers::settings s;
        s.node_grace = std::chrono::years(1);
        return s;
    }
    explicit world(controllers::settings s = patient()) : plane(assembly::make(s, instant_agent{})) {}

    /// Until nothing happens before `until`.
    void run(duration forward = {})
    {
        auto const until = now + forward;
        for (;;) {
            auto const wake = reconcile::settle(plane, store, now);
            if (!wake || *wake > until)
                break;
            now = std::max(now, *wake);
        }
        now = until;
        (void)reconcile::settle(plane, store, now);
    }

    template<class K>
    void put(K object)
    {
        reconcile::plan p;
        if (auto const old = store.get<K>(object.metadata.namespace_, object.metadata.name))
            p.update(old, std::move(object));
        else
            p.create(std::move(object));
        (void)store.commit(p.whole()).outcome.value();
    }
    template<class K, class F>
    void edit(std::string const& name, F change)
    {
        auto const old = store.get<K>(K::namespaced ? "default" : "", name);
        auto next = *old;
        change(next);
        reconcile::plan p;
        p.update(old, std::move(next));
        if (!p.empty())
            (void)store.commit(p.whole()).outcome.value();
    }
    template<class K>
    void remove(std::string const& name)
    {
        reconcile::plan p;
        p.remove(store.get<K>(K::namespaced ? "default" : "", name));
        (void)store.commit(p.whole()).outcome.value();
    }

    void add_node(std::string name, std::string cpu = "4")
    {
        model::node n;
        n.metadata.labels["kubernetes.io/hostname"] = name;
        n.metadata.name = std::move(name);
        n.status.allocatable["cpu"] = quantity::parse(cpu).value();
        n.status.allocatable["memory"] = quantity::parse("16Gi").value();
        n.status.allocatable["pods"] = quantity::parse("110").value();
        model::node_condition ready;
        ready.type = "Ready";
        ready.status = model::condition_status::true_;
        n.status.conditions.push_back(ready);
        put(std::move(n));
    }
    static model::deployment deployment(std::string name, std::int32_t replicas, std::string image = "web:1")
    {
        model::deployment d;
        d.metadata.name = name;
        d.metadata.namespace_ = "default";
        d.spec.replicas = replicas;
        d.spec.selector.match_labels["app"] = name;
        d.spec.template_.metadata.labels["app"] = name;
        model::rolling_update_deployment rolling;
        rolling.max_surge = int_or_percent(1);
        rolling.max_unavailable = int_or_percent(0);
        d.spec.strategy.rolling_update = rolling;
        model::container c;
        c.name = "main";
        c.image = std::move(image);
        c.resources.requests["cpu"] = quantity::parse("100m").value();
        d.spec.template_.spec.containers.push_back(std::move(c));
        return d;
    }
    static model::service service(std::string name, std::int32_t port = 80)
    {
        model::service s;
        s.metadata.name = name;
        s.metadata.namespace_ = "default";
        s.spec.selector["app"] = name;
        model::service_port p;
        p.port = port;
        s.spec.ports.push_back(p);
        return s;
    }
    template<class K>
    std::vector<reconcile::handle<K>> all()
    {
        std::vector<reconcile::handle<K>> out;
        for (auto h : plane.view().all<K>())
            out.push_back(h);
        return out;
    }
};

}  // namespace podium::tests
