#pragma once
/// The agent of one node: all its pods as one value that takes in what happened and says what to do.
///
///     observe(change), observe(pod, observation) -> step(view, now): actions to carry out, plans to commit
///     the store's answers -> done(); what the actions came to -> observe(pod, observation)
///
/// It costs what changed, not what there is: a step looks at the pods that something happened to and at those
/// whose time has come. Status changes of many pods travel in one plan; when that is refused, each goes alone
/// and only the one that really met a newer version waits for it. A version that the agent has written over
/// is not written again: it waits until it has seen its successor.
///
/// The node itself is told by a Lease that is renewed, and by a Node object written when it differs.
///
/// Source: Kubernetes v1.35.4: pkg/kubelet/status/status_manager.go, pkg/kubelet/kubelet_node_status.go,
/// component-helpers/apimachinery/lease; one transaction for several pods is podium's own.

#include <podium/agent/environment.hpp>
#include <podium/agent/lifecycle.hpp>
#include <podium/agent/status.hpp>
#include <podium/core/assert.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/model/lease.hpp>
#include <podium/model/node.hpp>
#include <podium/model/pod.hpp>
#include <podium/probe/guard.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/reconcile/store.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::agent {

/// Where the leases of nodes are kept; each is named as its node.
inline constexpr std::string_view lease_namespace = "kube-node-lease";

/// Where pods get their addresses from. Several nodes may share one.
///
/// - `allocate()`: an address that is not in use, or `errc::exhausted`.
/// - `allocate(owner)`, if there is one: the address that this owner had before, as long as it can be had.
/// Asked
///   for pods that have a host name, as those of StatefulSets do.
/// - `release(address)`: gives it back.
template<class A>
concept AddressSource = requires(A& a, std::string_view address) {
    { a.allocate() } -> std::same_as<result<std::string>>;
    a.release(address);
};

/// What a node says of itself.
struct node_description {
    std::string name{};
    std::string host_ip{};
    std::map<std::string, std::string> labels{};  ///< given to the object when it is created
    std::vector<model::taint> taints{};           ///< likewise
    model::resource_list capacity{};
    model::resource_list allocatable{};  ///< what pods may request; empty: the capacity
    model::node_system_info info{};
    friend bool operator==(node_description const&, node_description const&) = default;
};

struct node_policy {
    policy pods{};
    duration lease_renewal = std::chrono::seconds(10);
    duration lease_duration = std::chrono::seconds(40);  ///< said in the lease, rounded up to seconds
    duration status_period = std::chrono::minutes(5);    ///< the Node is written then though nothing changed
    duration retry = std::chrono::seconds(1);            ///< after a commit failed or no address was free
    duration quiet{};  ///< a status with the phase and readiness of before may wait this long to be written
    std::size_t max_writes = 100;  ///< pods in one plan
    /// How many pods of one owner may be restarted by their liveness probes at a time; none: as many as fail.
    std::optional<probe::guard_policy> guard = probe::guard_policy{};
    friend bool operator==(node_policy const&, node_policy const&) = default;
};

/// A plan to commit. Its answer goes to `done` with this ticket.
struct commitment {
    std::uint64_t ticket = 0;
    reconcile::plan what{};
};

struct node_work {
    std::vector<action> actions{};  ///< in order for each container; different containers may go side by side
    std::vector<commitment> plans{};
    time_point wake_at = never;
};

/// Unsynchronised; stays where it was made. `addresses` must outlive it.
template<AddressSource Addresses>
class node {
public:
    node(node_description self, node_policy policy, Addresses& addresses)
        : self_(std::move(self)),
          policy_(policy),
          addresses_(&addresses)
    {
        policy_.pods.guarded = policy_.guard.has_value();
    }
    node(node const&) = delete;
    node& operator=(node const&) = delete;
    ~node()
    {
        for (auto& [number, e] : pods_)
            release(e);
    }

    [[nodiscard]] std::string const& name() const noexcept { return self_.name; }
    [[nodiscard]] node_description const& self() const noexcept { return self_; }
    [[nodiscard]] std::size_t size() const noexcept { return pods_.size(); }

    /// The node that a change is for; empty: for none. To hand changes to the right one of many nodes.
    [[nodiscard]] static std::string_view destination(reconcile::change const& c) noexcept
    {
        if (c.object.kind == &reconcile::kind_of<model::pod>)
            return static_cast<model::pod const*>(c.object.data.get())->spec.node_name;
        if (c.object.kind == &reconcile::kind_of<model::node>)
            return c.object.name();
        return {};
    }

    /// Takes in what concerns this node; false: nothing did. Changes of an object come in order; one that was
    /// seen already is skipped. O(log pods of the node).
    bool observe(reconcile::change const& c, time_point now)
    {
        if (destination(c) != self_.name)
            return false;
        if (c.object.kind == &reconcile::kind_of<model::node>)
            own_node_.due = true;
        else
            observe(c.object.as<model::pod>(), c.deleted, now);
        return true;
    }

    /// Takes on what the view already shows. O(pods of the view).
    template<class View>
    void adopt(View const& view, time_point now)
    {
        for (auto const& h : view.template all<model::pod>())
            if (h->spec.node_name == self_.name)
                observe(h, false, now);
    }

    /// What an action came to, or what a container did. Of a pod that is no longer here: ignored.
    void observe(std::uint64_t pod, observation seen)
    {
        auto const it = pods_.find(pod);
        if (it == pods_.end())
            return;
        it->second.seen.push_back(std::move(seen));
        touch(pod, it->second);
    }

    /// From now on nothing is started or written: all containers are stopped in their pods' grace, at most in
    /// `grace`. Done when `size()` is 0.
    void close(duration grace)
    {
        closing_ = std::min(grace, closing_.value_or(grace));
        for (auto& [number, e] : pods_)
            touch(number, e);
    }

    /// What to do now. Extra calls are harmless: with nothing observed and nothing due they list nothing.
    template<class View>
    [[nodiscard]] node_work step(View const& view, time_point now)
    {
        node_work out;
        while (!wakes_.empty() && wakes_.top().first <= now) {
            auto const [at, number] = wakes_.top();
            wakes_.pop();
            if (auto const it = pods_.find(number); it != pods_.end() && it->second.wake == at) {
                it->second.wake = never;
                touch(number, it->second);
            }
        }
        auto const dirty = std::exchange(dirty_, {});
        for (auto const number : dirty)
            advance(view, number, now, out);
        if (!closing_) {
            publish(dirty, now, out);
            publish_self(view, now, out);
        }
        drop_stale_wakes();
        if (!wakes_.empty())
            out.wake_at = std::min(out.wake_at, wakes_.top().first);
        return out;
    }

    /// The store's answer to a plan.
    void done(std::uint64_t ticket, reconcile::committed const& answer, time_point now)
    {
        auto const it = flights_.find(ticket);
        PODIUM_ASSERT(it != flights_.end());
        auto const flight = std::move(it->second);
        flights_.erase(it);
        bool const ok = answer.outcome.has_value();
        bool const conflict = !ok && answer.outcome.error().code == errc::conflict;
        for (auto* own : {&own_node_, &own_lease_})
            if (own->ticket == ticket) {
                own->ticket = 0;
                own->stale = ok || conflict;
                if (!ok) {
                    own->due = true;
                    own->at = conflict ? now : now + policy_.retry;
                }
            }
        for (auto const& [number, guard] : flight) {
            auto const found = pods_.find(number);
            if (found == pods_.end())
                continue;
            auto& e = found->second;
            e.in_flight = 0;
            if (ok) {
                e.alone = false;
                e.stale = guard;
                e.written = *answer.outcome;
                if (e.unpublished)
                    touch(number, e);
            } else {
                e.unpublished = true;
                if (conflict) {
                    if (flight.size() == 1)
                        e.stale = guard;  // it alone was guarded: there is a newer one
                    e.alone = true;
                    touch(number, e);
                } else {
                    wake(number, e, now + policy_.retry);
                }
            }
        }
    }

    /// What to run for a `run` action; an error is answered as `refused` by configuration.
    template<class View>
    [[nodiscard]] result<container_config> configure(View const& view, action const& a) const
    {
        auto const it = pods_.find(a.pod);
        if (it == pods_.end())
            return error{errc::not_found, "the pod is gone", {}, {}};
        auto const& e = it->second;
        return agent::configure(view, e.object, a.container,
            {.pod_ip = e.life.address,
                .host_ip = self_.host_ip,
                .allocatable = self_.allocatable.empty() ? &self_.capacity : &self_.allocatable});
    }
    /// The newest version of a pod that is here, and what the agent remembers of it; empty or null when it
    /// is not.
    [[nodiscard]] reconcile::handle<model::pod> object(std::uint64_t pod) const
    {
        auto const it = pods_.find(pod);
        return it == pods_.end() ? reconcile::handle<model::pod>{} : it->second.object;
    }
    [[nodiscard]] lifecycle const* life(std::uint64_t pod) const
    {
        auto const it = pods_.find(pod);
        return it == pods_.end() ? nullptr : &it->second.life;
    }
    /// The number of the pod of that name, 0 when it is not here.
    [[nodiscard]] std::uint64_t find(std::string_view namespace_, std::string_view pod) const
    {
        auto const it = numbers_.find(name_of(namespace_, pod));
        return it == numbers_.end() ? 0 : it->second;
    }

private:
    struct entry {
        reconcile::handle<model::pod> object{};
        lifecycle life{};
        std::vector<observation> seen{};
        time_point wake = never;        ///< its valid place in `wakes_`
        time_point publish_by = never;  ///< a quiet status waits until then
        reconcile::revision stale{};    ///< the version that was written over
        reconcile::revision written{};  ///< the version that is our own writing
        std::uint64_t in_flight = 0;
        bool dirty = false;
        bool gone = false;
        bool unpublished = true;
        bool alone = false;  ///< was in a plan that was refused: travels by itself
        bool has_address = false;
    };
    /// An object about the node itself.
    struct own_object {
        bool due = true;
        time_point at{};           ///< not before
        time_point refresh{};      ///< written then though nothing changed
        std::uint64_t ticket = 0;  ///< in flight
        bool stale = false;        ///< `guard` was written over: wait until the view shows another
        reconcile::revision guard{};
    };

    [[nodiscard]] static std::string name_of(std::string_view namespace_, std::string_view name)
    {
        std::string out;
        out.reserve(namespace_.size() + name.size() + 1);
        return ((out += namespace_) += '/') += name;
    }

    void touch(std::uint64_t number, entry& e)
    {
        if (!std::exchange(e.dirty, true))
            dirty_.push_back(number);
    }
    void wake(std::uint64_t number, entry& e, time_point at)
    {
        if (at >= e.wake)
            return;
        e.wake = at;
        wakes_.emplace(at, number);
    }
    void drop_stale_wakes()
    {
        while (!wakes_.empty()) {
            auto const it = pods_.find(wakes_.top().second);
            if (it != pods_.end() && it->second.wake == wakes_.top().first)
                return;
            wakes_.pop();
        }
    }

    void observe(reconcile::handle<model::pod> const& h, bool deleted, time_point now)
    {
        auto name = name_of(h->metadata.namespace_, h->metadata.name);
        if (auto const known = numbers_.find(name); known != numbers_.end()) {
            auto const number = known->second;
            auto& e = pods_.at(number);
            bool const same =
                e.object.created == h.created && e.life.containers.size() == container_count(h->spec);
            if (same && !deleted) {
                if (h.modified <= e.object.modified)
                    return;
                e.object = h;
                if (h.modified == e.written && !e.unpublished)
                    return;  // our own words
                e.unpublished = true;
                return touch(number, e);
            }
            if (h.created < e.object.created)
                return;  // late news of a namesake before it
            e.gone = true;
            touch(number, e);
            numbers_.erase(known);
        }
        if (deleted)
            return;
        auto const number = ++last_pod_;
        auto& e = pods_[number];
        e.object = h;
        e.life = take_on(*h, now);
        numbers_.emplace(std::move(name), number);
        touch(number, e);
    }

    template<class View>
    void advance(View const& view, std::uint64_t number, time_point now, node_work& out)
    {
        auto const it = pods_.find(number);
        if (it == pods_.end())
            return;
        auto& e = it->second;
        e.dirty = false;
        auto const& pod = *e.object;
        bool const leaves = e.gone || closing_ || pod.metadata.deletion_timestamp ||
            e.life.why != leaving::no || model::is_terminal(pod.status.phase);
        if (e.life.address.empty() && !leaves)
            get_address(number, e, now);
        auto const from = out.actions.size();
        auto r = closing_ ? leave(e, now, out)
                          : agent::step(policy_.pods, pod, e.gone, e.life, e.seen, now, out.actions);
        e.seen.clear();
        if (r.asks) {
            auto const answers = permit(view, e, now);
            auto const then = agent::step(policy_.pods, pod, e.gone, e.life, answers, now, out.actions);
            r = {.wake_at = then.wake_at, .news = r.news || then.news};
        }
        for (auto i = from; i < out.actions.size(); ++i)
            out.actions[i].pod = number;
        e.unpublished = e.unpublished || r.news;
        wake(number, e, r.wake_at);
        if (e.life.over()) {
            release(e);
            if (e.gone || closing_) {
                if (auto const known = numbers_.find(name_of(pod.metadata.namespace_, pod.metadata.name));
                    known != numbers_.end() && known->second == number)
                    numbers_.erase(known);
                pods_.erase(it);
            }
        }
    }
    /// Whether the containers that ask may be restarted, as far as this node can see its pod's fellows.
    template<class View>
    std::vector<observation> permit(View const& view, entry const& e, time_point now)
    {
        auto const owner_of = [](model::pod const& pod) {
            auto const* const owner = model::controller_of(pod.metadata);
            return owner == nullptr ? std::string{} : owner->uid;
        };
        auto const& policy = *policy_.guard;
        auto const owner = owner_of(*e.object);
        std::int64_t fleet = 1;
        std::vector<std::string> down;
        if (!owner.empty()) {
            fleet = 0;
            for (auto const& h : view.template all<model::pod>(e.object->metadata.namespace_)) {
                if (owner_of(*h) != owner)
                    continue;
                fleet += !h->metadata.deletion_timestamp;
                for (auto const& c : h->status.container_statuses)
                    for (auto const* const end : {&c.state.terminated, &c.last_state.terminated})
                        if (*end && (*end)->message == failed_message(probe::kind::liveness) &&
                            elapsed((*end)->finished_at.value_or(model::time{}).at, now) < policy.window)
                            down.push_back(h.uid());
            }
        }
        std::erase_if(guards_, [&](auto const& g) {
            return std::ranges::all_of(
                g.second.recent, [&](auto const& x) { return elapsed(x.at, now) >= policy.window; });
        });
        auto& guard = guards_[owner.empty() ? e.object.uid() : owner];
        std::vector<observation> out;
        auto const& all = e.life.containers;
        for (std::uint32_t i = 0; i < all.size(); ++i)
            if (all[i].asks)
                out.push_back({i, all[i].instance,
                    permitted{probe::ask(policy, guard, e.object.uid(), fleet, down, now).granted}});
        return out;
    }
    /// A step of a pod on a node that closes: as if it had been deleted with no more than that grace.
    stepped leave(entry& e, time_point now, node_work& out)
    {
        auto pod = *e.object;
        auto const whole = [](duration d) { return std::chrono::ceil<std::chrono::seconds>(d).count(); };
        auto const own =
            pod.metadata.deletion_grace_period_seconds.value_or(pod.spec.termination_grace_period_seconds);
        pod.metadata.deletion_grace_period_seconds = std::min<std::int64_t>(own, whole(*closing_));
        return agent::step(policy_.pods, pod, true, e.life, e.seen, now, out.actions);
    }
    void get_address(std::uint64_t number, entry& e, time_point now)
    {
        if (e.object->spec.host_network) {
            e.life.address = self_.host_ip;
            return;
        }
        if (auto address = allocate(*e.object)) {
            e.life.address = *std::move(address);
            e.has_address = true;
        } else {
            wake(number, e, now + policy_.retry);
        }
    }
    result<std::string> allocate(model::pod const& pod)
    {
        if constexpr (requires(std::string_view owner) {
                          { addresses_->allocate(owner) } -> std::same_as<result<std::string>>;
                      })
            if (!pod.spec.hostname.empty())
                return addresses_->allocate(name_of(pod.metadata.namespace_, pod.metadata.name));
        return addresses_->allocate();
    }
    void release(entry& e)
    {
        if (std::exchange(e.has_address, false))
            addresses_->release(e.life.address);
    }
    void publish(std::vector<std::uint64_t> const& numbers, time_point now, node_work& out)
    {
        reconcile::plan batch;
        std::vector<std::pair<std::uint64_t, reconcile::revision>> members;
        auto const send = [&](reconcile::plan p,
                              std::vector<std::pair<std::uint64_t, reconcile::revision>> who) {
            auto const ticket = ++last_ticket_;
            for (auto const& [number, guard] : who)
                pods_.at(number).in_flight = ticket;
            flights_.emplace(ticket, std::move(who));
            out.plans.push_back({ticket, std::move(p)});
        };
        for (auto const number : numbers) {
            auto const it = pods_.find(number);
            if (it == pods_.end())
                continue;
            auto& e = it->second;
            if (!e.unpublished || e.in_flight != 0 || e.gone || e.object.modified == e.stale)
                continue;
            reconcile::plan own;
            auto& p = e.alone ? own : batch;
            auto const writes = p.writes.size();
            if (!write(number, e, now, p))
                continue;
            e.unpublished = false;
            e.publish_by = never;
            if (p.writes.size() == writes)
                continue;
            p.cut();
            if (e.alone) {
                send(std::move(own), {{number, e.object.modified}});
                continue;
            }
            members.emplace_back(number, e.object.modified);
            if (members.size() >= std::max<std::size_t>(policy_.max_writes, 1)) {
                send(std::exchange(batch, {}), std::exchange(members, {}));
            }
        }
        if (!members.empty())
            send(std::move(batch), std::move(members));
    }
    /// False: it may wait, and will.
    bool write(std::uint64_t number, entry& e, time_point now, reconcile::plan& p)
    {
        auto const& pod = *e.object;
        if (e.life.over() && pod.metadata.deletion_timestamp && pod.metadata.finalizers.empty()) {
            p.remove(e.object);
            return true;
        }
        auto status = status_of(pod, e.life, self_.host_ip, now);
        if (status == pod.status)
            return true;
        if (policy_.quiet > duration::zero()) {
            auto const ready = [](model::pod_status const& s) {
                auto const* c = model::find_condition(s.conditions, "Ready");
                return c && c->status == model::condition_status::true_;
            };
            bool const urgent = status.phase != pod.status.phase || ready(status) != ready(pod.status);
            if (!urgent && e.publish_by == never)
                e.publish_by = now + policy_.quiet;
            if (!urgent && now < e.publish_by) {
                wake(number, e, e.publish_by);
                return false;
            }
        }
        auto to = pod;
        to.status = std::move(status);
        p.update(e.object, std::move(to));
        return true;
    }

    template<class View>
    void publish_self(View const& view, time_point now, node_work& out)
    {
        if (auto const h =
                begin(own_node_, now, [&] { return view.template get<model::node>("", self_.name); })) {
            reconcile::plan p;
            auto to = *h ? **h : fresh_node();
            bool const refresh = now >= own_node_.refresh;
            describe(to, refresh, now);
            if (*h)
                p.update(*h, std::move(to));
            else
                p.create(std::move(to));
            own_node_.due = false;
            if (refresh)
                own_node_.refresh = now + policy_.status_period;
            send(own_node_, std::move(p), out);
        }
        if (auto const h = begin(own_lease_, now,
                [&] { return view.template get<model::lease>(lease_namespace, self_.name); })) {
            reconcile::plan p;
            auto to = *h ? **h : model::lease{};
            to.metadata.name = self_.name;
            to.metadata.namespace_ = lease_namespace;
            if (to.spec.holder_identity != self_.name)
                to.spec.acquire_time = now;
            to.spec.holder_identity = self_.name;
            to.spec.lease_duration_seconds = static_cast<std::int32_t>(
                std::chrono::ceil<std::chrono::seconds>(policy_.lease_duration).count());
            to.spec.renew_time = now;
            if (*h)
                p.update(*h, std::move(to));
            else
                p.create(std::move(to));
            own_lease_.due = false;
            own_lease_.refresh = now + policy_.lease_renewal;
            send(own_lease_, std::move(p), out);
        }
        for (auto const* own : {&own_node_, &own_lease_})
            if (own->ticket == 0)
                out.wake_at = std::min(out.wake_at, std::max(own->at, own->due ? own->at : own->refresh));
    }
    /// The object's newest version when it is time to write it.
    template<class Read>
    auto begin(own_object& own, time_point now, Read read) -> std::optional<decltype(read())>
    {
        if (own.ticket != 0 || now < own.at || (!own.due && now < own.refresh))
            return std::nullopt;
        auto h = read();
        if (own.stale && h.modified == own.guard) {
            own.at = now + policy_.retry;  // the view has not come that far
            own.due = true;
            return std::nullopt;
        }
        own.stale = false;
        own.guard = h.modified;
        return h;
    }
    void send(own_object& own, reconcile::plan p, node_work& out)
    {
        if (p.empty())
            return;
        own.ticket = ++last_ticket_;
        flights_.emplace(own.ticket, std::vector<std::pair<std::uint64_t, reconcile::revision>>{});
        out.plans.push_back({own.ticket, std::move(p)});
    }
    [[nodiscard]] model::node fresh_node() const
    {
        model::node n;
        n.metadata.name = self_.name;
        n.metadata.labels = self_.labels;
        n.metadata.labels.try_emplace("kubernetes.io/hostname", self_.name);
        n.spec.taints = self_.taints;
        return n;
    }
    void describe(model::node& n, bool refresh, time_point now) const
    {
        n.status.capacity = self_.capacity;
        n.status.allocatable = self_.allocatable.empty() ? self_.capacity : self_.allocatable;
        n.status.node_info = self_.info;
        n.status.addresses = {{"InternalIP", self_.host_ip}, {"Hostname", self_.name}};
        auto* ready = model::find_condition(n.status.conditions, "Ready");
        if (!ready) {
            n.status.conditions.push_back({.type = "Ready"});
            ready = &n.status.conditions.back();
        }
        bool const was = ready->status == model::condition_status::true_;
        if (!was)
            ready->last_transition_time = now;
        if (!was || refresh)
            ready->last_heartbeat_time = now;
        ready->status = model::condition_status::true_;
        ready->reason = "AgentReady";
        ready->message = "the node's agent is posting ready status";
    }

    node_description self_;
    node_policy policy_;
    Addresses* addresses_;
    std::map<std::uint64_t, entry> pods_;
    std::unordered_map<std::string, std::uint64_t> numbers_;  ///< of those whose object exists
    std::vector<std::uint64_t> dirty_;
    using timed = std::pair<time_point, std::uint64_t>;
    std::priority_queue<timed, std::vector<timed>, std::greater<>> wakes_;
    /// Pods in each plan that is under way, with the revision that guards them; none: the node's own.
    std::unordered_map<std::uint64_t, std::vector<std::pair<std::uint64_t, reconcile::revision>>> flights_;
    own_object own_node_;
    own_object own_lease_;
    std::uint64_t last_pod_ = 0;
    std::uint64_t last_ticket_ = 0;
    std::optional<duration> closing_;
    std::map<std::string, probe::guard<std::string>> guards_;  ///< of pods' uids, by their owner's
};

}  // namespace podium::v0::agent
