#pragma once
/// A node at work: the agent's decisions carried out by a container runtime and by probes, on one strand.
///
/// One loop steps the agent when something has happened (a change was absorbed, a container moved, an answer
/// came) or its time has come; each action runs as a coroutine of its own and ends in an observation. The
/// node does not poll: whoever drives the control plane hands the changes to `absorb`, the runtime tells of
/// its own.
///
/// For tests and demonstrations a machine can be lost: `fail` ends its containers at once and the agent says
/// nothing more, `silence` cuts it off while its containers go on, `revive` brings it back.

#include <podium/agent/node.hpp>
#include <podium/cluster/volumes.hpp>
#include <podium/net/prober.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/runtime/runtime.hpp>
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace podium::inline v0::cluster {

namespace asio = boost::asio;

/// What a node works with. All of it must outlive the node, and be used on the node's strand only.
template<class Runtime, class Store, class View, class Addresses>
struct node_parts {
    Runtime& runtime;      ///< this node's alone: it listens to it, and `fail` ends all that is in it
    Store& store;          ///< where its plans are committed
    View const& view;      ///< what the control plane sees
    Addresses& addresses;  ///< for its pods
    cluster::volumes* volumes = nullptr;  ///< null: this node has none, and runs no container that wants one
};

/// Construct, `start`, and `co_await stop(grace)` before it is destroyed, else what still runs goes on until
/// the runtime ends. The executor must be a strand, or of a context that one thread runs.
template<runtime::ContainerRuntime Runtime, reconcile::Store Store, class View,
    agent::AddressSource Addresses>
class node {
public:
    using parts = node_parts<Runtime, Store, View, Addresses>;

    node(asio::any_io_executor executor, parts with, agent::node_description self,
        agent::node_policy policy = {})
        : core_(std::make_shared<core>(std::move(executor), with, std::move(self), policy))
    {
    }
    node(node const&) = delete;
    node& operator=(node const&) = delete;
    ~node()
    {
        core_->ended = true;
        ++core_->boot;
        core_->agent.reset();  // frames of coroutines may keep the core, but nothing of what it works with
        core_->with.runtime.on_change({});
        core_->wake.kick();
    }

    /// Registers the node and takes on the pods that the view shows on it.
    void start()
    {
        std::weak_ptr<core> const weak = core_;
        core_->with.runtime.on_change([weak] {
            if (auto const c = weak.lock()) {
                c->moved = true;
                c->wake.kick();
            }
        });
        revive();
        asio::co_spawn(core_->executor, loop(core_), asio::detached);
    }

    /// News of the store, in order; each may be handed in more than once.
    void absorb(std::span<reconcile::change const> changes)
    {
        auto& c = *core_;
        if (!c.agent)
            return;
        bool any = false;
        auto const now = store::clock::now();
        for (auto const& change : changes)
            any = c.agent->observe(change, now) || any;
        if (any)
            c.wake.kick();
    }

    /// The machine is lost: its containers die at once, and nothing is heard of it until `revive`.
    void fail()
    {
        auto& c = *core_;
        ++c.boot;
        c.agent.reset();
        c.running.clear();
        c.ids.clear();
        for (auto const& row : c.with.runtime.list())
            spawn(core_, discard(core_, row.id));
        c.wake.kick();
    }
    /// Cut off from the control plane, and back again; its containers go on.
    void silence(bool silent)
    {
        core_->silent = silent;
        core_->wake.kick();
    }
    /// A machine that was lost is switched on again, empty.
    void revive()
    {
        auto& c = *core_;
        if (c.agent)
            return;
        c.agent.emplace(c.self, c.policy, c.with.addresses);
        c.agent->adopt(c.with.view, store::clock::now());
        c.wake.kick();
    }

    /// Stops every container, each in its pod's grace, at most in `grace`, without touching any object.
    /// Completes when nothing runs any more; call it once, on the node's strand.
    asio::awaitable<void> stop(duration grace)
    {
        auto const c = core_;
        c->silent = false;
        if (c->agent)
            c->agent->close(grace);
        c->wake.kick();
        while ((c->agent && c->agent->size() > 0) || c->tasks > 0)
            co_await c->idle.wait(std::nullopt);
        c->ended = true;
        c->wake.kick();
        while (c->looping)
            co_await c->idle.wait(std::nullopt);
        c->with.runtime.on_change({});
    }

    /// See ContainerRuntime; `unavailable` while the machine is lost or cut off.
    asio::awaitable<result<void>> logs(std::string id, runtime::log_query query, runtime::log_sink sink)
    {
        auto const c = core_;
        if (!c->agent || c->silent)
            co_return error{errc::unavailable, "node " + c->self.name + " does not answer", {}, {}};
        co_return co_await c->with.runtime.logs(std::move(id), query, std::move(sink));
    }

    [[nodiscard]] std::string const& name() const noexcept { return core_->self.name; }
    [[nodiscard]] Runtime& runtime() const noexcept { return core_->with.runtime; }
    /// Null while the machine is lost.
    [[nodiscard]] agent::node<Addresses> const* agent() const noexcept
    {
        return core_->agent ? &*core_->agent : nullptr;
    }
    /// The runtime's id of a container's latest run (init containers are counted first); empty: none.
    [[nodiscard]] std::string container_id(
        std::string_view namespace_, std::string_view pod, std::size_t container) const
    {
        auto const& c = *core_;
        auto const number = c.agent ? c.agent->find(namespace_, pod) : 0;
        auto const* const life = number != 0 ? c.agent->life(number) : nullptr;
        if (!life || container >= life->containers.size())
            return {};
        auto const it = c.ids.find(
            {c.boot, number, static_cast<std::uint32_t>(container), life->containers[container].instance});
        return it == c.ids.end() ? std::string{} : it->second;
    }

private:
    /// One run of a container. What belongs to an earlier boot is nobody's business any more.
    struct run {
        std::uint64_t boot = 0;
        std::uint64_t pod = 0;
        std::uint32_t container = 0;
        std::uint32_t instance = 0;
        friend auto operator<=>(run const&, run const&) = default;
    };

    struct core {
        core(
            asio::any_io_executor e, parts w, podium::agent::node_description s, podium::agent::node_policy p)
            : executor(e),
              with(w),
              self(std::move(s)),
              policy(p),
              wake(e),
              idle(e)
        {
        }
        asio::any_io_executor executor;
        parts with;
        podium::agent::node_description self;
        podium::agent::node_policy policy;
        std::optional<podium::agent::node<Addresses>> agent{};
        podium::store::alarm wake;  ///< ends the loop's sleep
        podium::store::alarm idle;  ///< ends that of `stop`
        std::uint64_t boot = 0;     ///< counts losses: what was begun before one is nobody's business
        std::map<std::string, run> running{};
        std::map<run, std::string> ids{};
        std::map<run, std::string> scratch{};  ///< pods (a run without a container) that have files, by uid
        std::map<std::uint64_t, reconcile::plan> commits{};  ///< under way, by a number of its own
        std::uint64_t last_commit = 0;
        std::size_t tasks = 0;
        bool moved = false;  ///< the runtime's list may differ from what was seen
        bool silent = false;
        bool ended = false;
        bool looping = false;
    };
    using core_ptr = std::shared_ptr<core>;

    static void spawn(core_ptr const& c, asio::awaitable<void> task)
    {
        ++c->tasks;
        asio::co_spawn(c->executor, std::move(task), [c](std::exception_ptr failed) {
            --c->tasks;
            c->idle.kick();
            if (failed)
                std::rethrow_exception(failed);  // a plug-in threw: the host's context gets to know
        });
    }

    static asio::awaitable<void> loop(core_ptr c)
    {
        c->looping = true;
        while (!c->ended) {
            std::optional<time_point> next;
            if (c->agent && !c->silent) {
                look(*c);
                auto const now = store::clock::now();
                auto work = c->agent->step(c->with.view, now);
                for (auto& p : work.plans)
                    commit(c, std::move(p));
                for (auto const& a : work.actions)
                    carry_out(c, a);
                next = work.wake_at;
            }
            tidy(*c);
            c->idle.kick();
            co_await c->wake.wait(next);
        }
        c->looping = false;
        c->idle.kick();
    }

    /// The files of pods that are over go.
    static void tidy(core& c)
    {
        std::erase_if(c.scratch, [&](auto const& pod) {
            if (c.agent && pod.first.boot == c.boot && c.agent->life(pod.first.pod))
                return false;
            c.with.volumes->forget(pod.second);
            return true;
        });
    }

    /// What ended since the last look.
    static void look(core& c)
    {
        if (!std::exchange(c.moved, false) || c.running.empty())
            return;
        std::map<std::string, runtime::container_status> rows;
        for (auto& row : c.with.runtime.list())
            if (c.running.contains(row.id))
                rows.emplace(row.id, std::move(row));
        for (auto it = c.running.begin(); it != c.running.end();) {
            auto const row = rows.find(it->first);
            if (row != rows.end() && row->second.state != runtime::container_state::exited) {
                ++it;
                continue;
            }
            podium::agent::exited how{137, 9, "the runtime does not know it any more", store::clock::now()};
            if (row != rows.end())
                how = {
                    row->second.exit_code, row->second.signal, row->second.message, row->second.finished_at};
            tell(c, it->second, std::move(how));
            it = c.running.erase(it);
        }
    }

    template<class Seen>
    static void tell(core& c, run const& which, Seen seen)
    {
        if (c.boot != which.boot || !c.agent)
            return;
        c.agent->observe(which.pod, {which.container, which.instance, std::move(seen)});
        c.wake.kick();
    }

    static void commit(core_ptr const& c, podium::agent::commitment p)
    {
        auto const number = ++c->last_commit;
        for (auto& w : p.what.writes)
            if (w.what == reconcile::verb::create)
                w.which.kind->stamp(w.data.get(), store::clock::now());
        auto const& plan = c->commits.emplace(number, std::move(p.what)).first->second;
        c->with.store.commit(
            plan.whole(), [c, number, ticket = p.ticket, boot = c->boot](reconcile::committed answer) {
                if (c->boot == boot && c->agent) {
                    c->agent->done(ticket, answer, store::clock::now());
                    c->wake.kick();
                }
                c->commits.erase(number);
            });
    }

    static void carry_out(core_ptr const& c, podium::agent::action const& a)
    {
        using podium::agent::verb;
        run const which{c->boot, a.pod, a.container, a.instance};
        switch (a.what) {
        case verb::run: return begin(c, which, a);
        case verb::stop: return spawn(c, end(c, which, a.grace));
        case verb::check: return check(c, which, a);
        case verb::call: return call(c, which, a);
        case verb::remove:
            if (auto const it = c->ids.find(which); it != c->ids.end()) {
                spawn(c, forget(c, it->second));
                c->ids.erase(it);
            }
            return;
        }
    }

    static void begin(core_ptr const& c, run const& which, podium::agent::action const& a)
    {
        auto made = c->agent->configure(c->with.view, a);
        if (!made)
            return tell(*c, which,
                podium::agent::refused{podium::agent::refused::part::configuration, made.error().text()});
        auto const pod = c->agent->object(a.pod);
        runtime::container_config config{.pod_uid = pod.uid(),
            .pod_name = pod->metadata.name,
            .namespace_ = pod->metadata.namespace_,
            .name = std::move(made->name),
            .image = std::move(made->image),
            .command = std::move(made->command),
            .args = std::move(made->args),
            .working_dir = std::move(made->working_dir),
            .ip = c->agent->life(a.pod)->address};
        for (auto& v : made->env)
            config.env.push_back({std::move(v.name), std::move(v.value)});
        config.limits.memory_bytes = static_cast<std::uint64_t>(made->memory_bytes);
        for (auto const& m : made->mounts) {
            auto source = source_of(*c, which, pod, m);
            if (!source)
                return tell(*c, which,
                    podium::agent::refused{
                        podium::agent::refused::part::configuration, source.error().text()});
            config.mounts.push_back({*std::move(source), m.target, m.read_only});
        }
        spawn(c, launch(c, which, std::move(config)));
    }
    /// The directory that is meant, as it is on this machine.
    static result<std::string> source_of(
        core& c, run const& which, reconcile::handle<model::pod> const& pod, podium::agent::mount const& m)
    {
        using from = podium::agent::mount::source;
        auto const inside = [&](std::string directory) {
            return volumes::folder(std::move(directory), m.sub_path);
        };
        if (m.from == from::host || m.from == from::new_host) {
            std::error_code failed;
            if (m.from == from::new_host)
                std::filesystem::create_directories(m.name, failed);
            if (!std::filesystem::is_directory(m.name, failed))
                return error{errc::not_found, "there is no directory " + m.name + " on this machine",
                    "volume.hostPath", {}};
            return inside(m.name);
        }
        if (!c.with.volumes)
            return error{errc::unsupported, "this node has no volumes", "volume", {}};
        if (m.from == from::claim)
            return c.with.volumes->claim(pod->metadata.namespace_, m.name).and_then(inside);
        c.scratch.emplace(run{.boot = which.boot, .pod = which.pod}, pod.uid());
        return c.with.volumes->scratch(pod.uid(), m.name).and_then(inside);
    }
    static asio::awaitable<void> launch(core_ptr c, run which, runtime::container_config config)
    {
        using podium::agent::refused;
        if (c->boot != which.boot)
            co_return;
        auto const id = co_await c->with.runtime.create(std::move(config));
        if (c->boot != which.boot) {
            if (id)
                co_await discard(c, *id);
            co_return;
        }
        if (!id) {
            bool const image = id.error().code == errc::not_found && id.error().path == "image";
            tell(*c, which,
                refused{image ? refused::part::image : refused::part::creation, id.error().text()});
            co_return;
        }
        c->ids[which] = *id;
        auto const ok = co_await c->with.runtime.start(*id);
        if (c->boot != which.boot) {
            co_await discard(c, *id);
            co_return;
        }
        if (!ok) {
            tell(*c, which, refused{refused::part::start, ok.error().text()});
            co_return;
        }
        c->running.emplace(*id, which);
        c->moved = true;  // it may have ended already
        tell(*c, which, podium::agent::started{*id, store::clock::now()});
    }

    static asio::awaitable<void> end(core_ptr c, run which, duration grace)
    {
        auto const it = c->ids.find(which);
        if (c->boot != which.boot || it == c->ids.end())
            co_return;
        auto const ok = co_await c->with.runtime.stop(it->second, grace);
        if (c->boot != which.boot)
            co_return;
        c->moved = true;
        if (!ok && ok.error().code != errc::not_found)
            tell(*c, which, podium::agent::stop_failed{});
        c->wake.kick();
    }
    static asio::awaitable<void> forget(core_ptr c, std::string id)
    {
        if (!c->ended)
            (void)co_await c->with.runtime.remove(std::move(id));
    }
    static asio::awaitable<void> discard(core_ptr c, std::string id)
    {
        if (!c->ended)
            (void)co_await c->with.runtime.stop(id, duration::zero());
        if (!c->ended)
            (void)co_await c->with.runtime.remove(id);
    }

    /// The port that a probe or hook means; 0: there is none of that name.
    static std::uint16_t port_of(model::container const& in, model::int_or_string const& port)
    {
        auto number = port.number();
        if (!port.is_number())
            for (auto const& p : in.ports)
                if (p.name == port.name())
                    number = p.container_port_;
        return number > 0 && number <= 0xffff ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
    }
    static net::http_prober prober_of(
        model::container const& in, model::http_get_action const& get, std::string const& pod_ip)
    {
        net::http_prober p{
            .target = net::address::tcp(get.host.empty() ? pod_ip : get.host, port_of(in, get.port)),
            .path = get.path.empty() ? "/" : get.path};
        for (auto const& h : get.http_headers)
            p.headers.emplace_back(h.name, h.value);
        return p;
    }

    static void check(core_ptr const& c, run const& which, podium::agent::action const& a)
    {
        auto const pod = c->agent->object(a.pod);
        auto const& in = podium::agent::container_at(pod->spec, a.container);
        auto const& spec = a.check.which == probe::kind::startup ? in.startup_probe
            : a.check.which == probe::kind::readiness            ? in.readiness_probe
                                                                 : in.liveness_probe;
        auto const& ip = c->agent->life(a.pod)->address;
        duration const timeout = std::chrono::seconds(std::max(spec->timeout_seconds, 1));
        if (spec->http_get)
            spawn(c, ask(c, which, a.check, prober_of(in, *spec->http_get, ip), timeout));
        else if (spec->tcp_socket)
            spawn(c,
                ask(c, which, a.check,
                    net::tcp_prober{
                        net::address::tcp(spec->tcp_socket->host.empty() ? ip : spec->tcp_socket->host,
                            port_of(in, spec->tcp_socket->port))},
                    timeout));
        else if (spec->exec)
            spawn(c,
                ask(c, which, a.check,
                    runtime::exec_request{.command = spec->exec->command, .timeout = timeout}));
        else
            tell(*c, which, podium::agent::probed{a.check, probe::outcome::error});
    }
    template<net::Prober P>
    static asio::awaitable<void> ask(core_ptr c, run which, probe::ticket ticket, P prober, duration timeout)
    {
        auto const answer = co_await prober.probe(timeout);
        tell(*c, which, podium::agent::probed{ticket, answer.outcome});
    }
    static asio::awaitable<void> ask(
        core_ptr c, run which, probe::ticket ticket, runtime::exec_request request)
    {
        auto const it = c->ids.find(which);
        if (c->boot != which.boot || it == c->ids.end())
            co_return;
        auto const r = co_await c->with.runtime.exec(it->second, std::move(request));
        bool const failed =
            r ? r->exit_code != 0 : r.error().code == errc::deadline || r.error().code == errc::invalid;
        auto const seen = r && !failed ? probe::outcome::success
            : failed                   ? probe::outcome::failure
                                       : probe::outcome::error;
        tell(*c, which, podium::agent::probed{ticket, seen});
    }

    static void call(core_ptr const& c, run const& which, podium::agent::action const& a)
    {
        auto const pod = c->agent->object(a.pod);
        auto const& in = podium::agent::container_at(pod->spec, a.container);
        auto const& handler =
            a.hook == podium::agent::hook::pre_stop ? in.lifecycle->pre_stop : in.lifecycle->post_start;
        std::optional<net::http_prober> get;
        if (handler->http_get)
            get = prober_of(in, *handler->http_get, c->agent->life(a.pod)->address);
        // The machine goes on without it when the grace period is over; no hook may outlive that by much.
        duration const limit = std::chrono::seconds(
            std::clamp<std::int64_t>(pod->spec.termination_grace_period_seconds, 1, 3600));
        spawn(c, call(c, which, a.hook, *handler, std::move(get), limit));
    }
    static asio::awaitable<void> call(core_ptr c, run which, podium::agent::hook what,
        model::lifecycle_handler handler, std::optional<net::http_prober> get, duration limit)
    {
        bool ok = true;
        if (auto const it = c->ids.find(which); c->boot != which.boot || it == c->ids.end()) {
            ok = false;
        } else if (handler.exec) {
            runtime::exec_request request{.command = handler.exec->command, .timeout = limit};
            auto const r = co_await c->with.runtime.exec(it->second, std::move(request));
            ok = r && r->exit_code == 0;
        } else if (get) {
            auto const answer = co_await get->probe(limit);
            ok = answer.outcome == probe::outcome::success;
        } else if (handler.sleep) {
            asio::steady_timer timer(c->executor);
            timer.expires_after(std::min<duration>(
                std::chrono::seconds(std::clamp<std::int64_t>(handler.sleep->seconds, 0, 3600)), limit));
            co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        tell(*c, which, podium::agent::hooked{what, ok});
    }

    core_ptr core_;
};

}  // namespace podium::v0::cluster
