#pragma once
/// A cluster under a virtual clock: the shipped control plane and node agents, a simulated runtime, no I/O.
///
///     sim::cluster c({.seed = 7});
///     c.add_nodes(3);
///     c.put(deployment);
///     c.run_for(std::chrono::minutes(10));      // some milliseconds later
///
/// Nothing here decides: it carries out what `controllers` and `agent` ask for, with delays and faults that
/// are drawn from the seed. The same seed and the same calls give the same trace, byte for byte. Time moves
/// only from event to event.

#include <podium/agent/node.hpp>
#include <podium/controllers/control_plane.hpp>
#include <podium/core/random.hpp>
#include <podium/core/separate.hpp>
#include <podium/model/codec.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/plane.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::sim {

/// Between two durations, drawn anew each time.
struct delay {
    duration least{};
    duration most{};
};

/// What goes wrong, in thousandths of all times that it could.
struct faults {
    std::uint32_t refused_starts = 0;  ///< the runtime cannot start a container
    std::uint32_t crashes = 0;         ///< a container that started exits with code 1, within `lifetime`
    std::uint32_t failed_probes = 0;
    std::uint32_t refused_commits = 0;  ///< the store is unavailable for one commit
    delay lifetime{std::chrono::seconds(1), std::chrono::minutes(5)};
};

struct settings {
    std::uint64_t seed = 1;
    delay start{};  ///< from the request to start a container until it runs
    delay stop{};   ///< from SIGTERM to the exit; the grace period is its bound
    delay probe{};
    sim::faults faults{};
    controllers::settings control{};
    agent::node_policy agent{};
    std::string cpu = "32";  ///< of each node
    std::string memory = "256Gi";
    std::string pods = "110";
};

/// `Controllers...` and `Indices` of the embedder's own join the shipped ones.
template<class Indices, class... Controllers>
class basic_cluster {
public:
    using assembly = controllers::basic_control_plane<Indices, Controllers...>;
    using plane_type = typename assembly::plane;

    explicit basic_cluster(settings s = {}, Controllers... own);
    ~basic_cluster();
    basic_cluster(basic_cluster const&) = delete;
    basic_cluster& operator=(basic_cluster const&) = delete;

    [[nodiscard]] time_point now() const noexcept { return now_; }
    [[nodiscard]] reconcile::memory_store& store() noexcept { return store_; }
    [[nodiscard]] plane_type& plane() noexcept { return plane_; }
    [[nodiscard]] auto const& view() const noexcept { return plane_.view(); }
    [[nodiscard]] std::uint64_t actions() const noexcept { return actions_; }

    /// Called with a line for each change that was committed and each action that was carried out.
    void trace_to(std::function<void(std::string_view)> sink) { trace_ = std::move(sink); }

    void add_nodes(std::size_t count);
    /// The machine dies: its agent says nothing more and its containers are gone.
    void fail_node(std::string const& name);
    /// It comes back, with nothing running.
    void recover_node(std::string const& name);

    template<class K>
    [[nodiscard]] reconcile::handle<K> get(std::string_view namespace_, std::string_view name) const
    {
        return store_.template get<K>(namespace_, name);
    }
    /// Creates it, or replaces what is there.
    template<class K>
    void put(K object)
    {
        reconcile::plan p;
        if (auto const old = store_.template get<K>(object.metadata.namespace_, object.metadata.name)) {
            p.update(old, std::move(object));
        } else {
            if constexpr (requires { object.metadata.creation_timestamp = model::time{now_}; })
                object.metadata.creation_timestamp = model::time{now_};
            p.create(std::move(object));
        }
        if (!p.empty())
            (void)store_.commit(p.whole()).outcome.value();
    }
    template<class K>
    void remove(std::string_view namespace_, std::string_view name)
    {
        reconcile::plan p;
        p.remove(store_.template get<K>(namespace_, name));
        (void)store_.commit(p.whole()).outcome.value();
    }

    /// How much there is to do in all for a metric of an autoscaler, in thousandths; none: it cannot be read.
    using load = std::function<std::optional<std::int64_t>(
        model::horizontal_pod_autoscaler const&, std::size_t metric, time_point now)>;
    /// From now on a collector writes MetricReadings for every autoscaler each `period`. Pods that are ready
    /// and stay share the load evenly.
    void measure(load what, duration period = std::chrono::seconds(15))
    {
        load_ = std::move(what);
        load_period_ = period;
        measure_at_ = load_ ? now_ + period : never;
    }

    void run_for(duration d) { run_until(now_ + d); }
    void run_until(time_point end);
    /// Until `done()` or `patience` has passed; answers whether it came.
    template<class Done>
    bool run_while_waiting_for(Done const& done, duration patience)
    {
        auto const end = now_ + patience;
        for (;;) {
            settle();
            if (done())
                return true;
            auto const at = next_event();
            if (at > end)
                return false;
            now_ = std::max(now_, at);
            deliver();
        }
    }

private:
    struct addresses {
        std::uint32_t last = 0;
        result<std::string> allocate()
        {
            ++last;
            return "127." + std::to_string(last >> 16 & 255) + '.' + std::to_string(last >> 8 & 255) + '.' +
                std::to_string(last & 255);
        }
        void release(std::string_view) const noexcept {}
    };
    using agent_type = agent::node<addresses>;

    struct machine {
        agent::node_description self{};
        addresses pool{};
        std::optional<agent_type> agent{};
        std::uint64_t boot = 0;
        time_point wake = never;
        bool dirty = false;
    };
    struct event {
        time_point at{};
        std::uint64_t sequence = 0;
        std::size_t node = 0;
        std::uint64_t boot = 0;
        std::uint64_t pod = 0;
        std::optional<agent::observation> seen{};  ///< none: the node wished to be woken
        friend bool operator>(event const& a, event const& b)
        {
            return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
        }
    };

    static std::string padded(std::size_t n)
    {
        auto text = std::to_string(n);
        return std::string(text.size() < 4 ? 4 - text.size() : 0, '0') + text;
    }
    duration draw(delay const& d)
    {
        if (d.most <= d.least)
            return d.least;
        return d.least +
            duration(static_cast<std::int64_t>(
                random_.below(static_cast<std::uint64_t>((d.most - d.least).count()))));
    }
    bool unlucky(std::uint32_t per_mille) { return per_mille != 0 && random_.below(1000) < per_mille; }

    void start(std::size_t i)
    {
        auto& m = *machines_[i];
        m.agent.emplace(m.self, how_.agent, m.pool);
        ++m.boot;
        m.agent->adopt(plane_.view(), now_);
        touch(i);
    }
    void touch(std::size_t i)
    {
        if (!std::exchange(machines_[i]->dirty, true))
            dirty_.push_back(i);
    }
    void schedule(duration after, std::size_t node, std::uint64_t pod, std::optional<agent::observation> seen)
    {
        events_.push({now_ + after, ++sequence_, node, machines_[node]->boot, pod, std::move(seen)});
    }

    /// Everything that happens at this instant.
    void settle();
    reconcile::committed commit(reconcile::transaction const& t)
    {
        if (unlucky(how_.faults.refused_commits))
            return {error{errc::unavailable, "simulated", {}, {}}, store_.at()};
        written_ += t.writes.size();
        return store_.commit(t);
    }
    void step(std::size_t i)
    {
        auto& m = *machines_[i];
        auto work = m.agent->step(plane_.view(), now_);
        for (auto const& a : work.actions)
            carry_out(i, a);
        for (auto const& p : work.plans)
            m.agent->done(p.ticket, commit(p.what.whole()), now_);
        if (!work.plans.empty())
            touch(i);
        if (work.wake_at != never && (work.wake_at < m.wake || m.wake <= now_)) {
            m.wake = work.wake_at;
            schedule(std::max(work.wake_at - now_, duration::zero()), i, 0, {});
        }
    }

    /// The simulated runtime.
    void carry_out(std::size_t i, agent::action const& a)
    {
        ++actions_;
        if (trace_)
            trace_action(i, a);
        auto const answer = [&](duration after, auto what) {
            schedule(after, i, a.pod, agent::observation{a.container, a.instance, std::move(what)});
        };
        switch (a.what) {
        case agent::verb::run: {
            auto const after = draw(how_.start);
            if (unlucky(how_.faults.refused_starts))
                return answer(after, agent::refused{agent::refused::part::start, "simulated"});
            answer(after, agent::started{"sim-" + std::to_string(sequence_), now_ + after});
            if (unlucky(how_.faults.crashes)) {
                auto const life = after + draw(how_.faults.lifetime);
                answer(life, agent::exited{1, 0, "simulated crash", now_ + life});
            }
            return;
        }
        case agent::verb::stop: {
            auto const after = std::min(draw(how_.stop), a.grace);
            return answer(after,
                agent::exited{after < a.grace || a.grace == duration::zero() ? 0 : 137, 0, {}, now_ + after});
        }
        case agent::verb::check:
            return answer(draw(how_.probe),
                agent::probed{a.check,
                    unlucky(how_.faults.failed_probes) ? probe::outcome::failure : probe::outcome::success});
        case agent::verb::call: return answer({}, agent::hooked{a.hook, true});
        case agent::verb::remove: return;
        }
    }

    [[nodiscard]] time_point next_event() const;
    void deliver();
    void measure();

    void trace_change(reconcile::change const& c)
    {
        trace_(std::to_string(now_.time_since_epoch().count()) + ' ' + std::to_string(number(c.at)) +
            (c.deleted ? " - " : " + ") + to_string(c.object.which()));
    }
    void trace_action(std::size_t i, agent::action const& a)
    {
        static constexpr std::string_view words[] = {"run", "stop", "remove", "check", "call"};
        trace_(std::to_string(now_.time_since_epoch().count()) + ' ' + machines_[i]->self.name + ' ' +
            std::string(words[static_cast<std::size_t>(a.what)]) + " pod " + std::to_string(a.pod) +
            " container " + std::to_string(a.container) + '.' + std::to_string(a.instance));
    }

    settings how_;
    splitmix64 random_;
    reconcile::memory_store store_{};
    plane_type plane_;
    std::vector<std::unique_ptr<machine>> machines_{};
    std::map<std::string, std::size_t, std::less<>> by_name_{};
    std::vector<std::size_t> dirty_{};
    std::priority_queue<event, std::vector<event>, std::greater<>> events_{};
    std::uint64_t sequence_ = 0;
    std::uint64_t actions_ = 0;
    std::uint64_t written_ = 0;
    time_point now_{std::chrono::hours(24 * 365 * 30)};  ///< some day in 1999: nothing starts at zero
    std::function<void(std::string_view)> trace_{};
    load load_{};
    duration load_period_{};
    time_point measure_at_ = never;
};

// Not inline: another unit may have these (see <podium/src.hpp>).

template<class Indices, class... Controllers>
basic_cluster<Indices, Controllers...>::basic_cluster(settings s, Controllers... own)
    : how_(std::move(s)),
      random_(how_.seed),
      plane_(assembly::make(how_.control, std::move(own)...))
{
}

template<class Indices, class... Controllers>
basic_cluster<Indices, Controllers...>::~basic_cluster() = default;

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::add_nodes(std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i) {
        machines_.push_back(std::make_unique<machine>());
        auto& m = *machines_.back();
        m.self.name = "node-" + padded(machines_.size() - 1);
        m.self.host_ip = "127.0.0.1";
        m.self.capacity = {{"cpu", quantity::parse(how_.cpu).value()},
            {"memory", quantity::parse(how_.memory).value()}, {"pods", quantity::parse(how_.pods).value()}};
        by_name_.emplace(m.self.name, machines_.size() - 1);
        start(machines_.size() - 1);
    }
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::fail_node(std::string const& name)
{
    auto& m = *machines_.at(by_name_.at(name));
    m.agent.reset();
    ++m.boot;  // what was on its way from it never arrives
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::recover_node(std::string const& name)
{
    auto const i = by_name_.at(name);
    if (!machines_.at(i)->agent)
        start(i);
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::run_until(time_point end)
{
    for (;;) {
        settle();
        auto const at = next_event();
        if (at > end)
            break;
        now_ = std::max(now_, at);
        deliver();
    }
    now_ = std::max(now_, end);
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::settle()
{
    for (bool busy = true; busy;) {
        busy = false;
        for (;;) {
            auto const news = store_.changes(plane_.view().at(), 10'000);
            if (news && news->empty())
                break;
            if (!news) {  // whoever put more than the history holds
                plane_.resync(store_.snapshot(), now_);
                for (std::size_t i = 0; i < machines_.size(); ++i)
                    if (machines_[i]->agent)
                        machines_[i]->agent->adopt(plane_.view(), now_), touch(i);
                continue;
            }
            plane_.absorb(*news, now_);
            for (auto const& c : *news) {
                if (trace_)
                    trace_change(c);
                auto const to = by_name_.find(agent_type::destination(c));
                if (to != by_name_.end() && machines_[to->second]->agent &&
                    machines_[to->second]->agent->observe(c, now_))
                    touch(to->second);
            }
        }
        // Few enough writes at a time that the store's history still holds them when they are read.
        auto const most = written_ + 20'000;
        while (auto r = plane_.next(now_)) {
            busy = true;
            plane_.done(r->ticket, commit(r->what), now_);
            if (written_ >= most)
                break;
        }
        std::size_t stepped = 0;
        for (; stepped < dirty_.size() && written_ < most; ++stepped) {
            busy = true;
            auto const i = dirty_[stepped];
            machines_[i]->dirty = false;
            if (machines_[i]->agent)
                step(i);
        }
        dirty_.erase(dirty_.begin(), dirty_.begin() + static_cast<std::ptrdiff_t>(stepped));
    }
}

template<class Indices, class... Controllers>
time_point basic_cluster<Indices, Controllers...>::next_event() const
{
    auto at = plane_.wake_at().value_or(never);
    if (!events_.empty())
        at = std::min(at, events_.top().at);
    return std::min(at, measure_at_);
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::measure()
{
    measure_at_ = now_ + load_period_;
    for (auto const a : view().template all<model::horizontal_pod_autoscaler>()) {
        auto const old =
            store_.template get<model::metric_readings>(a->metadata.namespace_, a->metadata.name);
        model::metric_readings next = old ? *old : model::metric_readings{};
        next.metadata.name = a->metadata.name;
        next.metadata.namespace_ = a->metadata.namespace_;
        next.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(a)};
        next.time = model::time{now_};
        next.observed_generation = a->metadata.generation;
        next.metrics.assign(a->spec.metrics.size(), {});
        std::vector<std::string> serving;
        for (auto const& pod : controllers::pods_of(view(), *a))
            if (controllers::is_active(*pod) && controllers::ready_since(*pod))
                serving.push_back(pod->metadata.name);
        std::ranges::sort(serving);
        auto const n = static_cast<std::int64_t>(serving.size());
        for (std::size_t i = 0; i < next.metrics.size(); ++i) {
            auto& m = next.metrics[i];
            auto const type = a->spec.metrics[i].type;
            auto const total = load_(*a, i, now_);
            if (!total)
                m.error = "simulated";
            else if (type == model::metric_source_type::object || type == model::metric_source_type::external)
                m.value = quantity::from_milli(*total);
            else
                for (std::int64_t k = 0; k < n; ++k)  // to the last thousandth
                    m.pods.push_back({serving[static_cast<std::size_t>(k)],
                        quantity::from_milli(*total * (k + 1) / n - *total * k / n), {}, load_period_});
        }
        reconcile::plan p;
        if (old)
            p.update(old, std::move(next));
        else
            p.create(std::move(next));
        (void)commit(p.whole());
    }
}

template<class Indices, class... Controllers>
void basic_cluster<Indices, Controllers...>::deliver()
{
    if (now_ >= measure_at_)
        measure();
    while (!events_.empty() && events_.top().at <= now_) {
        auto const e = events_.top();
        events_.pop();
        auto& m = *machines_[e.node];
        if (!m.agent || e.boot != m.boot)
            continue;
        if (e.seen)
            m.agent->observe(e.pod, *e.seen);
        touch(e.node);
    }
}

using cluster = basic_cluster<reconcile::types<>>;

#ifdef PODIUM_TEMPLATE
PODIUM_TEMPLATE class basic_cluster<reconcile::types<>>;
#endif

}  // namespace podium::v0::sim
