#pragma once
/// A whole cluster in one object: a store in memory, the control plane, nodes that run processes, the router
/// of the services and the API, on one strand of the embedder's.
///
///     cluster::local c(io.get_executor(), {.images = "images", .nodes = {{.name = "node-1"}}});
///     asio::co_spawn(io, [&]() -> asio::awaitable<void> {
///         if (auto started = co_await c.start(); !started) co_return;
///         api::request r{.method = api::method::post, .target = "...", .body = manifest};
///         auto const answer = co_await c.call(std::move(r));
///         ...
///         co_await c.stop(10s);
///     }, asio::detached);
///
/// Nothing here decides. Every pod has an address of its own out of a /16 of 127.0.0.0/8 that this object
/// claims, so several clusters run side by side. Kinds, indices and controllers of the embedder's own join as
/// template arguments and in `kinds`.

#include <podium/api/handle.hpp>
#include <podium/api/watch.hpp>
#include <podium/cluster/analyses.hpp>
#include <podium/cluster/autoscaling.hpp>
#include <podium/cluster/node.hpp>
#include <podium/cluster/router.hpp>
#include <podium/cluster/volumes.hpp>
#include <podium/controllers/control_plane.hpp>
#include <podium/core/hash.hpp>
#include <podium/core/quantity.hpp>
#include <podium/model/scheme.hpp>
#include <podium/net/api_server.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/runtime/address_pool.hpp>
#include <podium/runtime/process_runtime.hpp>
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::cluster {

struct node_options {
    std::string name{};
    std::string cpu = "4";
    std::string memory = "8Gi";
    std::string pods = "110";
    std::map<std::string, std::string> labels{};
    std::vector<model::taint> taints{};
};

struct options {
    std::string images{};     ///< the image directory, see runtime/image_directory.hpp
    std::string state_dir{};  ///< for logs, a folder for each node; empty: temporary ones
    std::string
        data_dir{};  ///< for volumes, see cluster/volumes.hpp; empty: a temporary one, gone at the end
    std::vector<node_options> nodes{{.name = "node-1"}};
    controllers::settings
        control{};  ///< what of it is missing is made: a `config_key` that nobody knows, logs
    agent::node_policy agent{};
    router_options router{};  ///< its timeout is `control`'s
    autoscaling_options autoscaling{};
    std::string socket{};         ///< of the API; empty: none
    std::string address_locks{};  ///< see runtime::address_pool; empty: the machine's
    runtime::isolation keep_together = runtime::isolation::automatic;
};

/// Where a cluster is in its life.
enum class stage : std::uint8_t { starting, up, stopping };

[[nodiscard]] constexpr std::string_view to_string(stage s) noexcept
{
    return s == stage::up ? "up" : s == stage::starting ? "starting" : "stopping";
}

/// `start`, and `co_await stop(...)` before it is destroyed. To be used on the strand that it was made for.
template<class Indices, class... Controllers>
class basic_local {
public:
    using assembly = controllers::basic_control_plane<Indices, Controllers...>;
    using plane_type = typename assembly::plane;
    using view_type = typename assembly::view;
    using store_type = reconcile::memory_store;
    using runtime_type = runtime::process_runtime;
    using node_type = cluster::node<runtime_type, store_type, view_type, runtime::address_range>;
    using router_type = cluster::router<view_type, store_type>;
    using analyses_type = cluster::analyses<view_type, store_type>;
    using autoscaling_type = cluster::autoscaling<view_type, store_type>;

    basic_local(asio::any_io_executor executor, options how, model::scheme kinds = model::default_scheme(),
        Controllers... own);
    ~basic_local();
    basic_local(basic_local const&) = delete;
    basic_local& operator=(basic_local const&) = delete;

    /// Everything is up and its namespaces exist when it completes; the nodes register by themselves. Errors:
    /// `exhausted` addresses, `unavailable` socket, `invalid` options, with their path.
    asio::awaitable<result<void>> start();

    /// Ends all: every pod is drained as in any voluntary change, for at most `deadline`; what runs then is
    /// stopped in its grace, at most for `deadline` again; `hurry` shortens both. Nothing is left behind.
    asio::awaitable<void> stop(duration deadline);
    /// Cuts a `stop` under way short: no more waiting for pods to end by themselves.
    void hurry();

    /// What the API answers. Sees everything that was written before, by whomever. Writes that name no
    /// revision are computed again when they meet another one.
    asio::awaitable<api::response> call(api::request r);
    /// The same, where a watch is a feed of lines, and a log a stream.
    asio::awaitable<net::api_answer> serve(api::request r);
    /// What a container of a pod printed, oldest first; no name is enough where there is one only.
    /// `previous`: its run before the latest. Errors: `not_found`, `invalid` in the API's words,
    /// `unavailable` node.
    asio::awaitable<result<std::vector<runtime::log_line>>> logs(std::string namespace_, std::string pod,
        std::string container = {}, runtime::log_query query = {}, bool previous = false);

    /// Sees every change after the view shows it; one observer, an empty one ends it.
    void on_change(std::function<void(std::span<reconcile::change const>)> observer)
    {
        observer_ = std::move(observer);
    }
    /// Completes when the view has changed, or after `most`.
    asio::awaitable<void> changed(duration most = std::chrono::seconds(1));

    [[nodiscard]] view_type const& view() const noexcept { return plane_.view(); }
    [[nodiscard]] plane_type& plane() noexcept { return plane_; }
    [[nodiscard]] plane_type const& plane() const noexcept { return plane_; }
    [[nodiscard]] store_type& store() noexcept { return store_; }
    [[nodiscard]] model::scheme const& kinds() const noexcept { return kinds_; }
    [[nodiscard]] options const& how() const noexcept { return how_; }
    [[nodiscard]] cluster::stage stage() const noexcept
    {
        return stopping_ ? cluster::stage::stopping
            : started_   ? cluster::stage::up
                         : cluster::stage::starting;
    }
    /// Are requests to services answered?
    [[nodiscard]] bool routing() const noexcept { return router_ && router_->serving(); }
    /// The counts of the proxy, see `route_name`.
    [[nodiscard]] net::router_status traffic() const
    {
        return router_ ? router_->status() : net::router_status{};
    }
    /// What pods and nodes used when it was last measured (`options::autoscaling.period`); null: never.
    [[nodiscard]] usage_meter const* usage() const noexcept
    {
        return autoscaling_ ? &autoscaling_->usage() : nullptr;
    }
    /// The latest decisions of the autoscalers: 1,000, or what `options::control` says.
    [[nodiscard]] controllers::scaling_decisions const& decisions() const noexcept
    {
        return *how_.control.autoscaler.decisions;
    }
    /// What the scheduler counted.
    [[nodiscard]] controllers::scheduling_figures const& scheduling() const noexcept
    {
        return *how_.control.scheduling;
    }
    [[nodiscard]] std::string cidr() const { return addresses_ ? addresses_->cidr() : std::string{}; }

    /// Null when there is none of that name.
    [[nodiscard]] node_type* node(std::string_view name)
    {
        for (auto& n : nodes_)
            if (n->shell.name() == name)
                return &n->shell;
        return nullptr;
    }
    /// The machine is lost: silent, and its processes are dead. False: no such node.
    bool fail_node(std::string_view name);
    bool recover_node(std::string_view name);

private:
    struct machine {
        machine(asio::any_io_executor e, runtime::process_runtime_options r, store_type& s,
            view_type const& v, runtime::address_range& a, cluster::volumes& disks,
            podium::agent::node_description d, podium::agent::node_policy p)
            : containers(e, std::move(r)),
              shell(e, {containers, s, v, a, &disks}, std::move(d), p)
        {
        }
        runtime_type containers;
        node_type shell;
    };
    struct task {
        asio::cancellation_signal signal{};
    };
    /// A log is still to be read.
    using answered = std::variant<api::response, std::shared_ptr<net::api_feed>, api::logs>;
    struct watching {
        api::watcher what;
        std::shared_ptr<net::api_feed> feed;
    };

    /// Readings are stale only when several in a row did not come.
    static options patient(options how)
    {
        auto& most = how.control.autoscaler.stale_after;
        most = std::max(most, 4 * how.autoscaling.period);
        return how;
    }
    static constexpr std::size_t kept_decisions = 1000;

    /// What this cluster is to be asked about.
    static options observed(options how)
    {
        auto& c = how.control;
        if (!c.autoscaler.decisions)
            c.autoscaler.decisions = std::make_shared<controllers::scaling_decisions>(kept_decisions);
        if (!c.scheduling)
            c.scheduling = std::make_shared<controllers::scheduling_figures>();
        if (!c.scheduling->clock)
            c.scheduling->clock = &store::clock::now;
        return how;
    }
    /// The store ends with this object, so the key need not be known to the next.
    static options keyed(options how)
    {
        std::random_device random;
        auto const draw = [&] { return std::uint64_t{random()} << 32 | random(); };
        if (how.control.config_key == hash_key{})
            how.control.config_key = {draw(), draw()};
        return how;
    }
    static result<void> check(node_options const& n)
    {
        for (auto const& [text, field] : {std::pair(&n.cpu, "cpu"), {&n.memory, "memory"}, {&n.pods, "pods"}})
            if (auto q = quantity::parse(*text); !q)
                return std::move(q).error().inside(field).inside("nodes." + n.name);
        return {};
    }
    void add_node(node_options const& n, std::string ip)
    {
        podium::agent::node_description d;
        d.name = n.name;
        d.host_ip = std::move(ip);
        d.labels = n.labels;
        d.taints = n.taints;
        d.capacity = {{"cpu", quantity::parse(n.cpu).value()}, {"memory", quantity::parse(n.memory).value()},
            {"pods", quantity::parse(n.pods).value()}};
        runtime::process_runtime_options r;
        r.images = how_.images;
        r.state_dir = how_.state_dir.empty() ? std::string{} : how_.state_dir + '/' + n.name;
        r.keep_together = how_.keep_together;
        r.clock = &store::clock::now;
        nodes_.push_back(std::make_unique<machine>(executor_, std::move(r), store_, plane_.view(),
            addresses_->pods, volumes_, std::move(d), how_.agent));
        nodes_.back()->shell.start();
    }

    void spawn(asio::awaitable<void> what)
    {
        auto& t = tasks_.emplace_back();
        ++running_;
        asio::co_spawn(executor_, std::move(what),
            asio::bind_cancellation_slot(t.signal.slot(), [this](std::exception_ptr failed) {
                --running_;
                wake();
                if (failed)
                    std::rethrow_exception(
                        failed);  // an embedder's controller threw: the context gets to know
            }));
    }
    void wake()
    {
        for (auto const& t : std::exchange(waiting_, {}))
            t->cancel();
    }
    /// The counters of every container that runs.
    asio::awaitable<std::vector<container_reading>> read_containers()
    {
        std::vector<container_reading> out;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            auto& n = *nodes_[i];
            for (auto const& row : n.containers.list()) {
                if (row.state != runtime::container_state::running)
                    continue;
                auto const at = store::clock::now();
                if (auto const stats = co_await n.containers.stats(row.id))
                    out.push_back({row.id, row.name, row.pod_uid, row.pod_name, row.namespace_,
                        n.shell.name(), row.started_at, at, stats->cpu_nanos, stats->memory_bytes});
            }
        }
        co_return out;
    }
    /// The view shows all that is in the store.
    asio::awaitable<void> caught_up()
    {
        auto const wanted = store_.at();
        while (plane_.view().at() < wanted && running_ > 0)
            co_await changed();
    }
    void absorb(std::span<reconcile::change const> changes)
    {
        if (router_)
            router_->absorb(changes);
        if (analyses_)
            analyses_->absorb(changes);
        if (autoscaling_)
            autoscaling_->absorb(changes);
        for (auto& n : nodes_)
            n->shell.absorb(changes);
        std::erase_if(watches_, [&](watching& w) { return !w.feed->push(w.what.events(changes)); });
        std::erase_if(feeds_, [](auto const& f) { return f.use_count() == 1; });
        for (auto const& c : changes)
            if (auto const pod = c.object.as<model::pod>())
                report(pod, c.deleted);
        if (observer_)
            observer_(changes);
        wake();
    }
    /// Why a container does not run is told as an event of its pod, once for each reason.
    void report(reconcile::handle<model::pod> const& pod, bool deleted)
    {
        auto const uid = pod.uid();
        if (deleted) {
            reported_.erase(uid);
            return;
        }
        for (auto const* const list : {&pod->status.init_container_statuses, &pod->status.container_statuses})
            for (auto const& c : *list) {
                if (!c.state.waiting || c.state.waiting->message.empty())
                    continue;
                auto const message = c.name + ": " + c.state.waiting->message;
                if (!reported_[uid].insert(c.state.waiting->reason + message).second)
                    continue;
                reconcile::plan p;
                controllers::record(p, plane_.view(), pod, controllers::event_type::warning,
                    c.state.waiting->reason, message, "agent", store::clock::now());
                if (!p.empty())
                    (void)store_.commit(p.whole());
            }
    }
    asio::awaitable<answered> handle(api::request r);
    answered watch(api::watch what)
    {
        auto const from = what.from;
        if (from && *from > plane_.view().at())
            return api::failure({errc::invalid, "this revision has not been reached", "resourceVersion", {}},
                {}, 400, "BadRequest");
        api::watcher w(*api_, std::move(what));
        auto feed = std::make_shared<net::api_feed>(executor_);
        auto lines = w.begin(plane_.view());
        if (from) {
            auto const missed = store_.changes(*from, static_cast<std::size_t>(-1));
            if (!missed)
                return api::failure(missed.error());
            auto const seen = std::ranges::upper_bound(
                *missed, plane_.view().at(), {}, [](reconcile::change const& c) { return c.at; });
            lines += w.events({missed->begin(), seen});
        }
        feed->push(lines);
        feeds_.push_back(feed);
        watches_.push_back({std::move(w), feed});
        return feed;
    }
    /// Whether there is such a log, before anything of it is sent.
    asio::awaitable<result<void>> has_log(api::logs const& what)
    {
        if (what.node.empty())
            co_return result<void>{};
        auto* const n = node(what.node);
        if (!n)
            co_return error{errc::unavailable, "node " + what.node + " does not answer", {}, {}};
        auto const none = [](std::vector<runtime::log_line>) -> asio::awaitable<bool> { co_return false; };
        runtime::log_query nothing;
        nothing.tail = 0;
        auto found = co_await n->logs(what.container_id, nothing, none);
        if (!found && found.error().code == errc::not_found)
            co_return error{
                errc::not_found, "unable to retrieve container logs for " + what.container_id, {}, {}};
        co_return found;
    }
    /// The log as text. Ends before its time when the node does.
    asio::awaitable<void> pour(api::logs what, net::http_stream& to)
    {
        auto* const n = what.node.empty() ? nullptr : node(what.node);
        if (!n)
            co_return;
        runtime::log_query query;
        query.tail = static_cast<std::size_t>(what.tail);
        query.since = what.since;
        query.follow = what.follow;
        runtime::log_sink const sink = [&what, &to](
                                           std::vector<runtime::log_line> lines) -> asio::awaitable<bool> {
            std::string text;
            for (auto const& l : lines) {
                if (what.timestamps)
                    (text += runtime::timestamp(l.time)) += ' ';
                (text += l.text) += '\n';
            }
            text.resize(std::min<std::uint64_t>(text.size(), what.limit_bytes));
            what.limit_bytes -= text.size();
            bool const taken = co_await to.write(text);
            bool const more = taken && what.limit_bytes > 0;
            co_return more;
        };
        (void)co_await n->logs(what.container_id, query, sink);
    }

    /// Workloads first, so that nobody makes pods again; then the pods, each with its drain.
    asio::awaitable<void> end_pods(time_point until)
    {
        while (!hurried_ && store::clock::now() < until) {
            co_await caught_up();
            auto const now = store::clock::now();
            reconcile::plan p;
            for (auto const h : plane_.view().template all<model::horizontal_pod_autoscaler>())
                p.remove(h);
            for (auto const d : plane_.view().template all<model::deployment>())
                p.remove(d);
            for (auto const r : plane_.view().template all<model::rollout>())
                p.remove(r);
            for (auto const a : plane_.view().template all<model::analysis_run>())
                p.remove(a);
            for (auto const r : plane_.view().template all<model::replica_set>())
                p.remove(r);
            for (auto const s : plane_.view().template all<model::stateful_set>())
                p.remove(s);
            bool any = false;
            for (auto const pod : plane_.view().template all<model::pod>()) {
                any = true;
                if (model::is_terminal(pod->status.phase) || pod->spec.node_name.empty())
                    p.remove(pod);
                else
                    controllers::retire(p, pod, "Shutdown", how_.control.drain, now);
            }
            if (!any && p.empty())
                co_return;
            if (!p.empty() && store_.commit(p.whole()).outcome)
                continue;
            co_await changed(std::min<duration>(until - now, std::chrono::milliseconds(200)));
        }
    }

    asio::any_io_executor executor_;
    options how_;
    cluster::volumes volumes_;
    store_type store_{};
    plane_type plane_;
    model::scheme kinds_;
    std::optional<api::server> api_{};
    std::optional<runtime::address_pool> addresses_{};
    std::optional<router_type> router_{};
    std::optional<analyses_type> analyses_{};
    std::optional<autoscaling_type> autoscaling_{};
    std::vector<std::unique_ptr<machine>> nodes_{};
    std::optional<net::api_server> server_{};
    std::list<task> tasks_{};
    std::size_t running_ = 0;
    std::list<watching> watches_{};
    std::list<std::shared_ptr<net::api_feed>> feeds_{};  ///< of all watches, to be ended with the cluster
    std::function<void(std::span<reconcile::change const>)> observer_{};
    std::vector<std::shared_ptr<asio::steady_timer>> waiting_{};  ///< of whoever awaits `changed`
    std::map<std::string, std::set<std::string>> reported_{};     ///< by the pod's uid
    bool started_ = false;
    bool stopping_ = false;
    bool hurried_ = false;
};

// Not inline: another unit may have these (see <podium/cluster/src.hpp>).

template<class Indices, class... Controllers>
basic_local<Indices, Controllers...>::basic_local(
    asio::any_io_executor executor, options how, model::scheme kinds, Controllers... own)
    : executor_(executor),
      how_(observed(keyed(patient(std::move(how))))),
      volumes_(how_.data_dir),
      plane_(assembly::make(how_.control, std::move(own)...)),
      kinds_(std::move(kinds))
{
    plane_.measure_with(&store::clock::now);
}

template<class Indices, class... Controllers>
basic_local<Indices, Controllers...>::~basic_local() = default;

template<class Indices, class... Controllers>
asio::awaitable<result<void>> basic_local<Indices, Controllers...>::start()
{
    for (auto const& n : how_.nodes)
        if (auto fine = check(n); !fine)
            co_return fine;
    auto pool = runtime::address_pool::claim(how_.address_locks);
    if (!pool)
        co_return pool.error();
    addresses_.emplace(*std::move(pool));
    auto const prefix = addresses_->cidr().substr(0, addresses_->cidr().find('.', 4));  // "127.N"
    api::settings served;
    served.addresses = api::service_addresses(prefix + ".240.");
    served.drain = how_.control.drain;
    api_.emplace(kinds_, std::move(served));
    if (!how_.socket.empty()) {
        server_.emplace(executor_, [this](api::request r) { return serve(std::move(r)); });
        if (auto listening = server_->listen(net::address::unix_socket(how_.socket)); !listening) {
            server_.reset();
            co_return std::move(listening).error();
        }
    }
    spawn(store::drive(plane_, store_, [this](std::span<reconcile::change const> c) { absorb(c); }));
    for (auto const* const name : {"default", "kube-system", "kube-node-lease"}) {
        model::namespace_ ns;
        ns.metadata.name = name;
        ns.metadata.creation_timestamp = model::time{store::clock::now()};
        reconcile::plan p;
        p.create(std::move(ns));
        (void)store_.commit(p.whole());
    }
    co_await caught_up();

    how_.router.timeout = how_.control.router_timeout;
    how_.router.proxy.waiting = [this, then = how_.router.proxy.waiting](std::string_view route) {
        if (then)
            then(route);
        if (autoscaling_)
            autoscaling_->waiting(route);
    };
    router_.emplace(executor_, plane_.view(), store_, how_.router);
    spawn(router_->run());
    analyses_.emplace(executor_, plane_.view(), store_, [this] { return traffic(); });
    spawn(analyses_->run());
    autoscaling_.emplace(
        executor_, plane_.view(), store_, how_.autoscaling, [this] { return read_containers(); },
        [this] { return traffic(); });
    spawn(autoscaling_->run());
    for (std::size_t i = 0; i < how_.nodes.size(); ++i)
        add_node(how_.nodes[i], prefix + ".255." + std::to_string(i + 1));
    started_ = true;
    co_return result<void>{};
}

template<class Indices, class... Controllers>
asio::awaitable<void> basic_local<Indices, Controllers...>::stop(duration deadline)
{
    stopping_ = true;
    auto const until = store::clock::now() + deadline;
    if (router_)
        co_await end_pods(until);
    for (auto& feed : feeds_)
        feed->end();
    if (server_)
        co_await server_->stop(std::chrono::seconds(1));
    if (router_)
        co_await router_->stop(hurried_ ? duration::zero() : duration(std::chrono::seconds(1)));
    std::size_t left = nodes_.size();
    for (auto& n : nodes_)
        asio::co_spawn(executor_, n->shell.stop(hurried_ ? duration::zero() : deadline),
            [this, &left](std::exception_ptr failed) {
                --left;
                wake();
                if (failed)
                    std::rethrow_exception(failed);
            });
    while (left > 0)
        co_await changed();
    for (auto& t : tasks_)
        t.signal.emit(asio::cancellation_type::terminal);
    while (running_ > 0)
        co_await changed();
    nodes_.clear();
    analyses_.reset();
    autoscaling_.reset();
    router_.reset();
    server_.reset();
    addresses_.reset();
}

template<class Indices, class... Controllers>
void basic_local<Indices, Controllers...>::hurry()
{
    hurried_ = true;
    wake();
}

template<class Indices, class... Controllers>
asio::awaitable<api::response> basic_local<Indices, Controllers...>::call(api::request r)
{
    auto answer = co_await handle(std::move(r));
    if (auto* const response = std::get_if<api::response>(&answer))
        co_return std::move(*response);
    auto* const log = std::get_if<api::logs>(&answer);
    if (!log || log->follow) {
        if (auto* const feed = std::get_if<std::shared_ptr<net::api_feed>>(&answer))
            (*feed)->end();
        co_return api::failure({errc::unsupported, "a watch is not one answer", {}, {}});
    }
    struct collected final : net::http_stream {
        std::string text{};
        asio::awaitable<bool> write(std::string_view bytes) override
        {
            text += bytes;
            co_return true;
        }
    } all;
    co_await pour(std::move(*log), all);
    co_return api::response{200, std::move(all.text)};
}

template<class Indices, class... Controllers>
asio::awaitable<net::api_answer> basic_local<Indices, Controllers...>::serve(api::request r)
{
    auto given = co_await handle(std::move(r));
    if (auto* const response = std::get_if<api::response>(&given))
        co_return std::move(*response);
    if (auto* const feed = std::get_if<std::shared_ptr<net::api_feed>>(&given))
        co_return std::move(*feed);
    net::http_answer stream(net::answer(200, {}),
        [this, what = std::get<api::logs>(given)](net::http_stream& to) { return pour(what, to); });
    stream.patient = true;  // nothing grows meanwhile
    co_return stream;
}

template<class Indices, class... Controllers>
asio::awaitable<result<std::vector<runtime::log_line>>> basic_local<Indices, Controllers...>::logs(
    std::string namespace_, std::string pod, std::string container, runtime::log_query query, bool previous)
{
    co_await caught_up();
    auto const of = plane_.view().template get<model::pod>(namespace_, pod);
    if (!of)
        co_return error{errc::not_found, "pods \"" + pod + "\" not found", {}, {}};
    auto const what = api::logs_of(*of, std::move(container), previous);
    if (!what)
        co_return what.error();
    if (what->node.empty())
        co_return std::vector<runtime::log_line>{};
    auto* const n = node(what->node);
    if (!n)
        co_return error{errc::unavailable, "node " + what->node + " does not answer", {}, {}};
    query.follow = false;
    co_return co_await runtime::read_logs(*n, what->container_id, query);
}

template<class Indices, class... Controllers>
auto basic_local<Indices, Controllers...>::handle(api::request r) -> asio::awaitable<answered>
{
    if (autoscaling_ && r.method == api::method::get && r.target.starts_with(metrics_api))
        co_return metrics_answer(autoscaling_->usage(), r.target);
    for (int tries = 0;; ++tries) {
        co_await caught_up();
        auto answer = api_->handle(plane_.view(), r, store::clock::now());
        if (auto* const response = std::get_if<api::response>(&answer))
            co_return std::move(*response);
        if (auto* const what = std::get_if<api::watch>(&answer))
            co_return watch(std::move(*what));
        if (auto* const what = std::get_if<api::logs>(&answer)) {
            auto const found = co_await has_log(*what);
            if (!found)
                co_return api::failure(found.error(), {"pods", {}});
            co_return std::move(*what);
        }
        auto& write = std::get<api::write>(answer);
        if (stopping_)
            co_return api::failure({errc::unavailable, "this cluster is shutting down", {}, {}});
        auto const committed = store_.commit(write.what.whole());
        bool const again = !committed.outcome && committed.outcome.error().code == errc::conflict &&
            write.repeatable && tries < 100;
        if (!again)
            co_return api_->finish(write, committed);
    }
}

template<class Indices, class... Controllers>
asio::awaitable<void> basic_local<Indices, Controllers...>::changed(duration most)
{
    auto timer = std::make_shared<asio::steady_timer>(executor_);
    timer->expires_after(most);
    waiting_.push_back(timer);
    co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
}

template<class Indices, class... Controllers>
bool basic_local<Indices, Controllers...>::fail_node(std::string_view name)
{
    auto* const n = node(name);
    if (n)
        n->fail();
    return n != nullptr;
}

template<class Indices, class... Controllers>
bool basic_local<Indices, Controllers...>::recover_node(std::string_view name)
{
    auto* const n = node(name);
    if (n)
        n->revive();
    return n != nullptr;
}

using local = basic_local<reconcile::types<>>;

// Compiled once by <podium/cluster/src.hpp>.
#if defined(PODIUM_CLUSTER_SOURCE)
template class basic_local<reconcile::types<>>;
#elif defined(PODIUM_SEPARATE_COMPILATION)
extern template class basic_local<reconcile::types<>>;
#endif

}  // namespace podium::v0::cluster
