#pragma once
/// The proxy's place in the cluster: services and slices in, listeners and a RouterStatus out.
///
/// Each port of a Service with an address of its own gets a listener there. A change of a slice is put in
/// force first and acknowledged afterwards, in one write with what is still in flight to pods that are no
/// endpoints any more: the router's half of the drain handshake. It waits for events, never polls, so an idle
/// pod is let go as fast as the store commits.
///
/// A router joins by writing its status under a new instance, and serves from the moment that it sees a view
/// which is not older than that. One that cannot renew its status in time takes itself out, before others may
/// conclude that it is gone, and joins anew when it can.

#include <podium/controllers/events.hpp>
#include <podium/labels/selector.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/horizontal_pod_autoscaler.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/router_status.hpp>
#include <podium/model/service.hpp>
#include <podium/net/proxy.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::cluster {

namespace asio = boost::asio;

struct router_options {
    std::string name = "router";  ///< of its RouterStatus; each router has its own
    duration renewal = std::chrono::seconds(2);
    duration timeout = std::chrono::seconds(10);  ///< the drain controller's `router_timeout`
    /// How long a request may wait where an autoscaler may take its service to size zero and back.
    duration hold = std::chrono::seconds(30);
    net::proxy_options proxy{};
};

/// "http" is balanced request by request, all else connection by connection.
[[nodiscard]] inline net::proxy_service::mode mode_of(model::service_port const& port)
{
    bool const http = port.app_protocol == "http" ||
        (port.app_protocol.empty() && (port.name == "http" || port.name.starts_with("http-")));
    return http ? net::proxy_service::mode::http : net::proxy_service::mode::tcp;
}

/// What the proxy calls a service port: "default/web:http", "default/web:80" where it has no name.
[[nodiscard]] inline std::string route_name(
    std::string_view namespace_, std::string_view service, model::service_port const& port)
{
    return std::string(namespace_) + '/' + std::string(service) + ':' +
        (port.name.empty() ? std::to_string(port.port) : port.name);
}

/// One router. The view and the store must outlive it, and it must outlive `run`.
template<class View, reconcile::Store S>
class router {
public:
    router(asio::any_io_executor executor, View const& view, S& store, router_options options)
        : executor_(executor),
          view_(view),
          store_(store),
          how_(std::move(options)),
          alive_(std::make_shared<bool>(true)),
          wake_(executor)
    {
        auto proxy_options = how_.proxy;
        proxy_options.drained = [this, then = how_.proxy.drained](
                                    std::string_view service, std::string_view id) {
            if (then)
                then(service, id);
            changed_ = true;
            wake_.kick();
        };
        proxy_.emplace(executor, std::move(proxy_options));
    }
    router(router const&) = delete;
    router& operator=(router const&) = delete;
    ~router() { *alive_ = false; }

    /// Registers, serves and renews until it is cancelled.
    asio::awaitable<void> run()
    {
        co_await asio::this_coro::throw_if_cancelled(false);
        auto const cancellation = co_await asio::this_coro::cancellation_state;
        join();
        while (cancellation.cancelled() == asio::cancellation_type::none) {
            auto const now = store::clock::now();
            if (serving_ && now - renewed_ >= how_.timeout * 7 / 10)
                leave();
            if (!serving_ && !committing_ && registered_ && view_.at() >= *registered_)
                serve();
            if (serving_)
                sync();
            publish(now);
            co_await wake_.wait(committing_ ? std::optional<time_point>()
                    : retry_at_ > now       ? retry_at_
                                            : renewed_ + how_.renewal);
        }
    }

    /// The view shows these changes now.
    void absorb(std::span<reconcile::change const> changes)
    {
        bool any = false;
        for (auto const& c : changes) {
            if (auto const slice = c.object.as<model::endpoint_slice>()) {
                auto const service = slice->metadata.labels.find(std::string(model::service_name_label));
                if (service != slice->metadata.labels.end())
                    dirty_.emplace(slice->metadata.namespace_, service->second);
                slices_.insert(slice.which());
                any = true;
            } else if (c.object.kind == &reconcile::kind_of<model::service>) {
                dirty_.emplace(c.object.namespace_(), c.object.name());
                any = true;
            } else if (auto const a = c.object.template as<model::horizontal_pod_autoscaler>();
                a && (c.deleted || a->status.observed_generation != a->metadata.generation)) {
                for (auto const service : view_.template all<model::service>(a->metadata.namespace_))
                    dirty_.emplace(a->metadata.namespace_, service->metadata.name);
                any = true;
            }
        }
        if (any || !serving_)
            wake_.kick();
    }

    /// Requests under way finish, for at most `grace`; then `run` may be cancelled.
    asio::awaitable<void> stop(duration grace) { return proxy_->stop(grace); }

    /// Counts by service port, see `route_name`.
    [[nodiscard]] net::router_status status() const { return proxy_->status(); }
    [[nodiscard]] bool serving() const noexcept { return serving_; }

private:
    struct route {
        net::proxy_service what{};
        traffic::endpoint_set in_force{};
        bool open = false;
        bool closing = false;  ///< its service port is gone, requests are not
    };
    using name = std::pair<std::string, std::string>;

    void join()
    {
        instance_ = how_.name + '-' + std::to_string(store::clock::now().time_since_epoch().count());
        acknowledged_.clear();
        in_flight_.clear();
        registered_.reset();
        changed_ = true;
    }
    void leave()
    {
        serving_ = false;
        for (auto& [route_key, r] : routes_)
            if (r.open)
                put(route_key, r, {});
        join();
    }
    void serve()
    {
        serving_ = true;
        for (auto const service : view_.template all<model::service>())
            dirty_.emplace(service->metadata.namespace_, service->metadata.name);
        for (auto const& [route_key, r] : routes_)
            dirty_.insert(r_service(route_key));
        for (auto const slice : view_.template all<model::endpoint_slice>())
            slices_.insert(slice.which());
    }
    static name r_service(std::string_view route_key)
    {
        auto const slash = route_key.find('/');
        auto const colon = route_key.rfind(':');
        return {std::string(route_key.substr(0, slash)),
            std::string(route_key.substr(slash + 1, colon - slash - 1))};
    }

    /// Puts in force what changed, then takes it as acknowledged.
    void sync()
    {
        for (auto const& service : std::exchange(dirty_, {}))
            sync(service);
        for (auto const& which : std::exchange(slices_, {})) {
            auto const key = which.namespace_ + '/' + which.name;
            if (auto const slice = view_.template get<model::endpoint_slice>(which))
                acknowledged_[key] = slice->metadata.generation;
            else
                acknowledged_.erase(key);
            changed_ = true;
        }
    }
    void sync(name const& which)
    {
        auto const service = view_.template get<model::service>(which.first, which.second);
        std::map<std::string, net::proxy_service> wanted;
        if (service && !service->spec.cluster_ip.empty() && service->spec.cluster_ip != "None")
            for (auto const& port : service->spec.ports)
                if (port.protocol == model::protocol::tcp) {
                    auto key = route_name(which.first, which.second, port);
                    wanted.emplace(key,
                        net::proxy_service{.name = key,
                            .address = service->spec.cluster_ip,
                            .port = static_cast<std::uint16_t>(port.port),
                            .speaks = mode_of(port)});
                }
        auto const prefix = which.first + '/' + which.second + ':';
        for (auto it = routes_.lower_bound(prefix); it != routes_.end() && it->first.starts_with(prefix);) {
            auto const w = wanted.find(it->first);
            bool const keeps = w != wanted.end() && w->second.address == it->second.what.address &&
                w->second.port == it->second.what.port && w->second.speaks == it->second.what.speaks;
            it = keeps ? std::next(it) : close(it, w == wanted.end());
        }
        for (auto& [key, what] : wanted) {
            auto& r = routes_[key];
            r.what = what;
            r.closing = false;
            if (!r.open)
                open(service, r);
            if (r.open) {
                put(key, r, endpoints_of(service, key));
                (void)proxy_->hold(key, sleeps(which) ? how_.hold : how_.proxy.wait_for_endpoint);
            }
        }
    }
    /// May its target be at size zero until a request comes?
    [[nodiscard]] bool sleeps(name const& which) const
    {
        for (auto const a : view_.template all<model::horizontal_pod_autoscaler>(which.first))
            if (a->spec.min_replicas == 0)
                for (auto const& m : a->spec.metrics)
                    if (m.object && m.object->described_object.kind == model::service::kind &&
                        m.object->described_object.name == which.second)
                        return true;
        return false;
    }
    void open(reconcile::handle<model::service> const& service, route& r)
    {
        if (auto const port = proxy_->open(r.what)) {
            r.open = true;
            return;
        } else {
            reconcile::plan p;
            controllers::record(p, view_, service, controllers::event_type::warning, "FailedListen",
                port.error().text(), how_.name, store::clock::now());
            commit(std::move(p));
            unopened_.emplace(service->metadata.namespace_, service->metadata.name);
        }
    }
    using routes = std::map<std::string, route>;
    typename routes::iterator close(typename routes::iterator it, bool may_wait)
    {
        auto& r = it->second;
        if (r.open && may_wait && in_flight(it->first) > 0) {  // counted until they have ended
            r.closing = true;
            put(it->first, r, {});
            return std::next(it);
        }
        if (r.open)
            (void)proxy_->close(it->first);
        return routes_.erase(it);
    }
    [[nodiscard]] std::uint64_t in_flight(std::string const& key) const
    {
        std::uint64_t sum = 0;
        auto const all = proxy_->status();
        if (auto const s = all.find(key); s != all.end())
            for (auto const& e : s->second.endpoints)
                sum += e.in_flight;
        return sum;
    }
    void put(std::string const& key, route& r, traffic::endpoint_set next)
    {
        next.generation = r.in_force.generation;
        if (next.generation != 0 && next == r.in_force)
            return;
        ++next.generation;
        r.in_force = std::move(next);
        (void)proxy_->apply(key, r.in_force);
    }
    /// What is to be in force; the generation is `put`'s.
    [[nodiscard]] traffic::endpoint_set endpoints_of(
        reconcile::handle<model::service> const& service, std::string const& key) const
    {
        traffic::endpoint_set out;
        auto const selector = labels::selector::make(
            labels::label_selector{{{std::string(model::service_name_label), service->metadata.name}},
                {}}).value_or(labels::selector::nothing());
        auto const& ns = service->metadata.namespace_;
        for (auto const& slice : view_.template select<model::endpoint_slice>(ns, selector))
            for (auto const& declared : service->spec.ports)
                if (route_name(ns, service->metadata.name, declared) == key)
                    for (auto const& port : slice->ports)
                        if (port.name == declared.name && port.port) {
                            for (auto const& e : slice->endpoints)
                                for (auto const& address : e.addresses)
                                    out.endpoints.push_back(endpoint_of(*slice, e, address, *port.port));
                            divide(out, slice->split);  // one write gave it to all slices of the service
                        }
        return out;
    }
    static void divide(traffic::endpoint_set& out, model::boxed<model::traffic_split> const& split)
    {
        out.weights.clear();
        if (split)
            for (auto const& [version, weight] : split->weights)
                out.weights.push_back({version, static_cast<std::uint32_t>(std::max(weight, 0))});
        auto rules = split ? rules_of(*split) : traffic::route_rules{};
        // What cannot be gone by must not hold up endpoints and weights, which are acknowledged.
        out.rules = traffic::check(rules, !out.weights.empty()) ? std::move(rules) : traffic::route_rules{};
    }
    static traffic::route_rules rules_of(model::traffic_split const& split)
    {
        traffic::route_rules out;
        for (auto const& m : split.matches)
            out.matches.push_back({.header = m.header,
                .how = traffic::header_match::kind::exact,
                .value = m.value,
                .version = m.version});
        if (split.sticky && !split.sticky->cookie.empty())
            out.sticky = {.by = traffic::sticky_by::cookie, .name = split.sticky->cookie};
        else if (split.sticky && !split.sticky->header.empty())
            out.sticky = {.by = traffic::sticky_by::header, .name = split.sticky->header};
        if (split.mirror) {
            out.mirror.version = split.mirror->version;
            out.mirror.percent = static_cast<std::uint32_t>(std::clamp(split.mirror->percent, 0, 100));
        }
        out.conversion_header = split.conversion_header;
        return out;
    }
    [[nodiscard]] traffic::endpoint endpoint_of(model::endpoint_slice const& slice, model::endpoint const& e,
        std::string const& address, std::int32_t port) const
    {
        traffic::endpoint out;
        out.id = e.target_ref ? e.target_ref->uid : address;
        out.address = address;
        out.port = static_cast<std::uint16_t>(port);
        out.ready = e.conditions.ready.value_or(true);
        out.serving = e.conditions.serving.value_or(out.ready);
        out.terminating = e.conditions.terminating.value_or(false);
        out.version = e.version;
        if (!slice.split && e.target_ref)  // whom the counters are told apart by all the same
            if (auto const pod = view_.template get<model::pod>(e.target_ref->namespace_, e.target_ref->name))
                if (auto const v = pod->metadata.labels.find("version"); v != pod->metadata.labels.end())
                    out.version = v->second;
        return out;
    }

    /// What is in flight to pods that are no endpoints any more.
    [[nodiscard]] std::map<std::string, std::int64_t> leftovers()
    {
        std::map<std::string, std::int64_t> out;
        for (auto const& [key, s] : proxy_->status()) {
            auto const r = routes_.find(key);
            bool busy = false;
            for (auto const& e : s.endpoints) {
                busy = busy || e.in_flight > 0;
                bool const listed = r != routes_.end() &&
                    std::ranges::any_of(r->second.in_force.endpoints,
                        [&](traffic::endpoint const& one) { return one.id == e.id && !one.draining; });
                if (!listed && e.in_flight > 0)
                    out[e.id] += e.in_flight;
            }
            if (r != routes_.end() && r->second.closing && !busy)
                close(r, false);
        }
        return out;
    }

    void publish(time_point now)
    {
        if (committing_ || now < retry_at_)
            return;
        bool const due = now >= renewed_ + how_.renewal;
        if (due)
            for (auto const& which : std::exchange(unopened_, {}))
                sync(which);
        if (!due && !changed_)
            return;
        changed_ = false;
        auto in_flight = leftovers();
        bool const same = registered_ && published_ == acknowledged_ && in_flight == in_flight_;
        if (!due && same)
            return;
        model::router_status next;
        if (auto const old = view_.template get<model::router_status>("", how_.name))
            next = *old;
        bool const fresh = own_ == reconcile::revision{};
        if (fresh)
            next.metadata.creation_timestamp = model::time{now};
        next.metadata.name = how_.name;
        next.status.instance = instance_;
        next.status.acknowledged = acknowledged_;
        next.status.in_flight = in_flight;
        next.status.renew_time = model::time{now};

        auto p = std::make_shared<reconcile::plan>();
        auto data = std::make_shared<model::router_status>(std::move(next));
        auto const which = reconcile::key_for<model::router_status>("", how_.name);
        p->writes.push_back(
            {which, fresh ? reconcile::verb::create : reconcile::verb::update, false, own_, data});
        committing_ = true;
        published_ = acknowledged_;
        in_flight_ = std::move(in_flight);
        store_.commit(p->whole(), [this, p, now, alive = alive_](reconcile::committed answer) {
            if (*alive)
                answered(answer, now);
        });
    }
    void answered(reconcile::committed const& answer, time_point sent)
    {
        committing_ = false;
        if (answer.outcome) {
            own_ = *answer.outcome;
            renewed_ = sent;
            if (!registered_)
                registered_ = own_;
        } else {
            changed_ = true;
            published_.clear();
            retry_at_ = store::clock::now() + std::chrono::milliseconds(50);
            // Somebody else wrote it, or took it away, or it is left from a run before: from there on.
            if (answer.outcome.error().code == errc::conflict) {
                auto const old = view_.template get<model::router_status>("", how_.name);
                own_ = old ? old.modified : reconcile::revision{};
            }
        }
        wake_.kick();
    }
    void commit(reconcile::plan p)
    {
        auto const kept = std::make_shared<reconcile::plan>(std::move(p));
        if (!kept->empty())
            store_.commit(kept->whole(), [kept](reconcile::committed) {});
    }

    asio::any_io_executor executor_;
    View const& view_;
    S& store_;
    router_options how_;
    std::shared_ptr<bool> alive_;
    store::alarm wake_;
    std::optional<net::proxy> proxy_{};
    routes routes_{};
    std::set<name> dirty_{};             ///< services to look at again
    std::set<name> unopened_{};          ///< services whose address could not be listened on
    std::set<reconcile::key> slices_{};  ///< to be acknowledged
    std::string instance_{};
    std::map<std::string, std::int64_t> acknowledged_{};
    std::map<std::string, std::int64_t> published_{};
    std::map<std::string, std::int64_t> in_flight_{};  ///< as published
    reconcile::revision own_{};                        ///< of the status as we wrote it last
    std::optional<reconcile::revision> registered_{};  ///< when this instance was first written
    time_point renewed_{};
    time_point retry_at_{};  ///< after a write failed
    bool serving_ = false;
    bool changed_ = true;
    bool committing_ = false;
};

}  // namespace podium::v0::cluster
