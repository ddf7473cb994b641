#pragma once
/// One pod on its node, from the first container to the last: what to run, probe, stop, and when.
///
/// `step` takes what was seen since the last one (containers that started or ended, answers of probes) and
/// lists what to do in order. It never asks for a thing twice while the first asking is unanswered, and each
/// `run` gets exactly one `started` or `refused`, each `started` exactly one `exited`: that is the contract
/// of whoever carries actions out. Each container counts its instances; what is said of an earlier one is
/// ignored.
///
/// - Init containers run one after another, sidecars (init containers that are always restarted) stay, then
///   all main containers run at once.
/// - What ends is started again as the restart policy says: at once, then after 10 s, doubling to 5 min,
///   forgotten when it has run for more than 10 min. The instance before the latest is kept with its logs.
/// - A pod that leaves starts nothing any more. preStop hooks run inside the grace period, all containers but
///   the sidecars get SIGTERM at once, sidecars go when those after them have gone, SIGKILL comes at the end.
///
/// Source: Kubernetes v1.35.4: pkg/kubelet/kuberuntime/kuberuntime_manager.go (computePodActions, doBackOff),
/// kuberuntime_container.go (killContainer), kuberuntime_termination_order.go.

#include <podium/agent/restart.hpp>
#include <podium/core/assert.hpp>
#include <podium/core/backoff.hpp>
#include <podium/core/time.hpp>
#include <podium/model/pod.hpp>
#include <podium/probe/monitor.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::agent {

/// How long to wait for what.
struct policy {
    backoff_policy restart{};                        ///< between a container's end and its next start
    backoff_policy create{.first_at_once = false};   ///< between tries to make one: image, configuration
    duration least_grace = std::chrono::seconds(2);  ///< between SIGTERM and SIGKILL after a preStop hook
    duration stop_retry = std::chrono::seconds(1);   ///< after the runtime could not stop one
    bool guarded = false;  ///< a failed liveness probe asks (`stepped::asks`) and waits for `permitted`
    friend bool operator==(policy const&, policy const&) = default;
};

// -- What was seen ---------------------------------------------------------------------------------

/// The container's command was executed.
struct started {
    std::string id{};  ///< the runtime's name for this run
    time_point at{};
    friend bool operator==(started const&, started const&) = default;
};
/// It does not run, and will not: what stood in the way.
struct refused {
    enum class part : std::uint8_t {
        configuration,  ///< its environment names what is not there
        image,          ///< there is no such image
        creation,       ///< the runtime could not make it
        start,          ///< made, but its command cannot be executed
    };
    part by = part::creation;
    std::string message{};
    friend bool operator==(refused const&, refused const&) = default;
};
struct exited {
    std::int32_t exit_code = 0;  ///< 128 + signal when a signal ended it
    std::int32_t signal = 0;
    std::string message{};
    time_point finished_at{};
    friend bool operator==(exited const&, exited const&) = default;
};
/// The runtime could not be asked to stop it.
struct stop_failed {
    friend bool operator==(stop_failed const&, stop_failed const&) = default;
};
struct probed {
    probe::ticket of{};
    probe::outcome seen = probe::outcome::success;
    friend bool operator==(probed const&, probed const&) = default;
};
enum class hook : std::uint8_t { post_start, pre_stop };
struct hooked {
    hook which = hook::post_start;
    bool ok = true;
    friend bool operator==(hooked const&, hooked const&) = default;
};
/// The answer to a container that asks: may it be restarted now? If not, its liveness is looked at again.
struct permitted {
    bool granted = true;
    friend bool operator==(permitted const&, permitted const&) = default;
};

/// Something about one instance of one container of the pod (init containers are counted first).
struct observation {
    std::uint32_t container = 0;
    std::uint32_t instance = 0;
    std::variant<started, refused, exited, stop_failed, probed, hooked, permitted> what{};
    friend bool operator==(observation const&, observation const&) = default;
};

// -- What to do ------------------------------------------------------------------------------------

enum class verb : std::uint8_t {
    run,   ///< create and start it; answer `started` or `refused`
    stop,  ///< SIGTERM, SIGKILL after `grace`; `exited` follows, or `stop_failed`. May be repeated with less
    remove,  ///< forget an ended instance and its logs; no answer
    check,   ///< run the probe; answer `probed` with this ticket
    call,    ///< run the hook; answer `hooked`
};

struct action {
    std::uint64_t pod = 0;  ///< the node's number for it; 0 from a lone machine
    std::uint32_t container = 0;
    std::uint32_t instance = 0;
    verb what = verb::run;
    agent::hook hook = agent::hook::post_start;
    duration grace{};
    probe::ticket check{};
    friend bool operator==(action const&, action const&) = default;
};

// -- What is remembered ----------------------------------------------------------------------------

struct termination {
    std::int32_t exit_code = 0;
    std::int32_t signal = 0;
    std::string reason{};
    std::string message{};
    std::string id{};
    time_point started_at{};
    time_point finished_at{};
    friend bool operator==(termination const&, termination const&) = default;
};

/// One container of the pod: the instance that runs, or the one that ran last.
struct container {
    enum class stage : std::uint8_t { waiting, starting, running, ended };
    enum class stopping : std::uint8_t { no, pre_stop, asked, refused };
    stage at = stage::waiting;
    stopping stop = stopping::no;
    bool started = false;  ///< past its startup probe
    bool ready = false;
    bool asks = false;                   ///< condemned by its liveness probe: may it be restarted?
    std::optional<refused::part> why{};  ///< of the latest try to make it
    std::uint16_t refusals = 0;          ///< in a row, saturating
    std::uint32_t instance = 0;          ///< number of the latest one; 0: none yet
    std::uint32_t kept = 0;              ///< an ended one before it whose logs are kept; 0: none
    std::uint32_t spread = 0;            ///< of its first checks, see probe::start
    std::int32_t restarts = 0;
    time_point started_at{};
    time_point stop_by{};       ///< end of its own grace period
    time_point ask_at{};        ///< when to ask the runtime again that could not stop it
    backoff_state after_end{};  ///< when it may run again
    backoff_state after_refusal{};
    std::string id{};
    std::string message{};                   ///< of the latest refusal
    model::boxed<termination> end{};         ///< how the latest instance ended
    model::boxed<termination> end_before{};  ///< and the one before it
    model::boxed<probe::monitor> probes{};   ///< none: no probes, or not running
    friend bool operator==(container const&, container const&) = default;

    [[nodiscard]] bool alive() const noexcept { return at == stage::starting || at == stage::running; }
};

/// Why nothing is started any more, weakest first.
enum class leaving : std::uint8_t { no, completed, evicted, deadline_exceeded, deleted };

struct lifecycle {
    std::vector<agent::container> containers{};  ///< init containers first
    std::string address{};                       ///< of the pod; nothing runs before it has one
    time_point since{};                          ///< when the node took the pod on
    bool initialized = false;                    ///< its init containers were through
    bool cleared = false;                        ///< the ended containers were removed
    leaving why = leaving::no;
    duration grace = duration::max();
    time_point leave_by = never;  ///< end of the grace period
    friend bool operator==(lifecycle const&, lifecycle const&) = default;

    [[nodiscard]] bool alive() const noexcept
    {
        return std::ranges::any_of(containers, [](auto const& c) { return c.alive(); });
    }
    /// It left, and nothing of it runs any more: the pod's end.
    [[nodiscard]] bool over() const noexcept { return why != leaving::no && !alive(); }
};

struct stepped {
    time_point wake_at = never;
    bool news = false;  ///< the pod's status may have changed
    bool asks = false;  ///< a container does: answer it with `permitted`
    friend bool operator==(stepped const&, stepped const&) = default;
};

[[nodiscard]] inline std::size_t container_count(model::pod_spec const& spec) noexcept
{
    return spec.init_containers.size() + spec.containers.size();
}
/// The i-th container, init containers counted first.
[[nodiscard]] inline model::container const& container_at(model::pod_spec const& spec, std::size_t i) noexcept
{
    auto const inits = spec.init_containers.size();
    return i < inits ? spec.init_containers[i] : spec.containers[i - inits];
}

/// The memory of a pod that the node takes on at `now`. Its status tells what an earlier agent of the node
/// saw: restarts are counted on, and what ran then counts as ended, since nothing of it runs now.
[[nodiscard]] inline lifecycle take_on(model::pod const& pod, time_point now);

/// Advances by what was seen. With nothing seen and nothing due, an extra call changes nothing and lists
/// nothing. `gone`: the object was deleted. O(containers), never throws but for want of memory.
inline stepped step(policy const& p, model::pod const& pod, bool gone, lifecycle& s,
    std::span<observation const> seen, time_point now, std::vector<action>& todo);

/// What the status says of a container that was ended for its startup or liveness.
[[nodiscard]] inline std::string failed_message(probe::kind which)
{
    return "failed its " + std::string(to_string(which)) + " probe";
}

namespace detail {

[[nodiscard]] inline std::optional<probe::policy> policy_of(model::boxed<model::probe> const& p)
{
    using std::chrono::seconds;
    if (!p)
        return std::nullopt;
    auto const count = [](std::int32_t n) { return static_cast<std::uint32_t>(std::max(n, 1)); };
    return probe::policy{.initial_delay = seconds(p->initial_delay_seconds),
        .period = seconds(std::max(p->period_seconds, 1)),
        .timeout = seconds(std::max(p->timeout_seconds, 1)),
        .success_threshold = count(p->success_threshold),
        .failure_threshold = count(p->failure_threshold)};
}

[[nodiscard]] inline probe::policies policies_of(model::container const& c)
{
    return {.startup = policy_of(c.startup_probe),
        .readiness = policy_of(c.readiness_probe),
        .liveness = policy_of(c.liveness_probe)};
}

[[nodiscard]] inline bool has_hook(model::container const& c, hook which) noexcept
{
    return c.lifecycle && (which == hook::pre_stop ? c.lifecycle->pre_stop : c.lifecycle->post_start);
}

[[nodiscard]] inline duration seconds_of(std::int64_t s) noexcept
{
    constexpr std::int64_t most = 100LL * 365 * 24 * 3600;  // keeps nanoseconds in range
    return std::chrono::seconds(std::clamp<std::int64_t>(s, 0, most));
}

/// The step of one pod, while it takes place.
struct stepping {
    policy const& p;
    model::pod const& pod;
    lifecycle& s;
    time_point now;
    std::vector<action>& todo;
    stepped out{};

    [[nodiscard]] model::container const& spec(std::size_t i) const { return container_at(pod.spec, i); }
    [[nodiscard]] restart_terms terms(std::size_t i) const
    {
        return {.pod = pod.spec.restart_policy, .own = spec(i).restart_policy, .rules = {}};
    }
    [[nodiscard]] bool runs_again(std::size_t i) const
    {
        auto const& c = s.containers[i];
        if (role_of(pod.spec, i) == role::init && c.end->exit_code == 0)
            return false;
        return restarts(terms(i), c.end->exit_code);
    }
    void wake(time_point t) { out.wake_at = std::min(out.wake_at, t); }
    action& push(std::size_t i, verb what)
    {
        auto const at = static_cast<std::uint32_t>(i);
        todo.push_back({.pod = 0, .container = at, .instance = s.containers[i].instance, .what = what});
        return todo.back();
    }
    /// 0: an earlier agent's, or none, is nothing that could be removed.
    void remove(std::size_t i, std::uint32_t instance)
    {
        if (instance > 0)
            push(i, verb::remove).instance = instance;
    }

    void see(observation const& o)
    {
        if (o.container >= s.containers.size() || o.instance != s.containers[o.container].instance ||
            o.instance == 0)
            return;
        std::visit([&](auto const& what) { saw(o.container, s.containers[o.container], what); }, o.what);
    }
    void saw(std::size_t i, container& c, started const& e)
    {
        if (c.at != container::stage::starting)
            return;
        out.news = true;
        c.at = container::stage::running;
        c.started_at = e.at;
        c.id = e.id;
        c.why.reset();
        c.refusals = 0;
        c.message.clear();
        auto const probes = policies_of(spec(i));
        if (probes.startup || probes.readiness || probes.liveness)
            c.probes = probe::start(probes, c.instance, now, c.spread);
        c.started = c.ready = !c.probes;
        if (has_hook(spec(i), hook::post_start))
            push(i, verb::call).hook = hook::post_start;
    }
    void saw(std::size_t, container& c, refused const& e)
    {
        if (c.at != container::stage::starting)
            return;
        out.news = true;
        c.why = e.by;
        c.message = e.message;
        c.refusals = static_cast<std::uint16_t>(std::min(c.refusals + 1, 0xffff));
        if (e.by == refused::part::start) {
            c.started_at = now;
            end(c, {128, 0, "StartError", e.message, {}, now, now});
            return;
        }
        c.at = container::stage::waiting;
        c.after_refusal = fail(p.create, c.after_refusal, now);
    }
    void saw(std::size_t, container& c, exited const& e)
    {
        if (!c.alive())
            return;
        out.news = true;
        if (c.at == container::stage::starting)  // gone before anybody could say that it ran
            c.started_at = e.finished_at;
        c.why.reset();
        c.refusals = 0;
        auto message = e.message;
        if (auto const by = c.probes ? probe::condemned(*c.probes) : std::nullopt; by && message.empty())
            message = failed_message(*by);
        end(c,
            {e.exit_code, e.signal, e.exit_code == 0 ? "Completed" : "Error", std::move(message), c.id,
                c.started_at, e.finished_at});
    }
    void end(container& c, termination how)
    {
        c.at = container::stage::ended;
        c.stop = container::stopping::no;
        c.started = c.ready = c.asks = false;
        c.spread = 0;
        c.end = std::move(how);
        c.probes.reset();
        c.after_end = fail(p.restart, c.after_end, now);
    }
    void saw(std::size_t, container& c, stop_failed const&)
    {
        if (c.at != container::stage::running || c.stop != container::stopping::asked)
            return;
        c.stop = container::stopping::refused;
        c.ask_at = now + p.stop_retry;
    }
    void saw(std::size_t i, container& c, probed const& e)
    {
        if (c.probes)
            watch(i, c, probe::observed::reply{e.of, e.seen});
    }
    void saw(std::size_t i, container& c, hooked const& e)
    {
        if (c.at != container::stage::running)
            return;
        if (e.which == hook::pre_stop && c.stop == container::stopping::pre_stop)
            signal(i, c);
        if (e.which == hook::post_start && !e.ok)
            stop(i, c, seconds_of(pod.spec.termination_grace_period_seconds));
    }

    /// Answers when to look again.
    time_point watch(std::size_t i, container& c, std::optional<probe::observed::reply> answer)
    {
        auto const rules = policies_of(spec(i));
        auto const r = probe::step(rules, *c.probes, {answer, s.why != leaving::no}, now);
        if (r.next != *c.probes)
            c.probes.edit() = r.next;
        out.news = out.news || c.started != r.next.started || c.ready != r.next.ready;
        c.started = r.next.started;
        c.ready = r.next.ready;
        for (auto const& check : r.todo.checks)
            if (check)
                push(i, verb::check).check = *check;
        if (auto const by = probe::condemned(r.next); by && s.why == leaving::no) {
            if (p.guarded && *by == probe::kind::liveness && c.stop == container::stopping::no)
                c.asks = out.asks = true;
            else
                restart(i, c, *by);
        }
        return r.todo.wake_at;
    }
    void restart(std::size_t i, container& c, probe::kind by)
    {
        auto const& rule = by == probe::kind::startup ? spec(i).startup_probe : spec(i).liveness_probe;
        stop(i, c,
            seconds_of(
                rule->termination_grace_period_seconds.value_or(pod.spec.termination_grace_period_seconds)));
    }
    void saw(std::size_t i, container& c, permitted const& e)
    {
        if (!std::exchange(c.asks, false) || !c.probes)
            return;
        auto const by = probe::condemned(*c.probes);
        if (!by)
            return;
        if (e.granted)
            restart(i, c, *by);
        else
            c.probes.edit() = probe::pardon(policies_of(spec(i)), *c.probes, now);
    }

    /// Begins to stop a running container: its preStop hook first.
    void stop(std::size_t i, container& c, duration grace)
    {
        if (c.stop != container::stopping::no)
            return;
        c.stop_by = now + grace;
        if (grace > duration::zero() && has_hook(spec(i), hook::pre_stop)) {
            c.stop = container::stopping::pre_stop;
            push(i, verb::call).hook = hook::pre_stop;
        } else {
            c.stop = container::stopping::asked;
            push(i, verb::stop).grace = grace;
        }
    }
    /// Its hook is through, or the time for it is.
    void signal(std::size_t i, container& c)
    {
        auto const grace = std::max(c.stop_by - now, p.least_grace);
        c.stop = container::stopping::asked;
        c.stop_by = now + grace;
        push(i, verb::stop).grace = grace;
    }
    void go_on_stopping(std::size_t i, container& c)
    {
        if (c.stop == container::stopping::pre_stop) {
            if (now >= c.stop_by)
                signal(i, c);
            else
                wake(c.stop_by);
        } else if (c.stop == container::stopping::refused) {
            if (now >= c.ask_at) {
                c.stop = container::stopping::asked;
                push(i, verb::stop).grace = std::max(c.stop_by - now, duration::zero());
            } else {
                wake(c.ask_at);
            }
        }
    }

    // -- Staying ---------------------------------------------------------------------------------

    /// Runs it as soon as it may.
    void start(std::size_t i)
    {
        auto& c = s.containers[i];
        if (c.alive() || (c.at == container::stage::ended && !runs_again(i)))
            return;
        auto const due = c.at == container::stage::ended ? c.after_end.retry_at
            : c.why                                      ? c.after_refusal.retry_at
                                                         : now;
        if (now < due)
            return wake(due);
        if (c.at == container::stage::ended) {
            ++c.restarts;
            remove(i, c.kept);
            c.kept = c.instance;
            c.end_before = std::exchange(c.end, {});
        }
        c.at = container::stage::starting;
        ++c.instance;
        out.news = true;
        push(i, verb::run);
    }
    void start_all()
    {
        auto const inits = pod.spec.init_containers.size();
        for (std::size_t i = 0; i < inits; ++i) {
            auto& c = s.containers[i];
            if (role_of(pod.spec, i) == role::sidecar) {
                start(i);
                if (!s.initialized && !(c.at == container::stage::running && c.started))
                    return;
            } else if (!s.initialized && !(c.at == container::stage::ended && c.end->exit_code == 0)) {
                return start(i);
            }
        }
        if (!s.initialized)
            out.news = s.initialized = true;
        for (auto i = inits; i < s.containers.size(); ++i)
            start(i);
    }
    /// All that it was made for has been done, or cannot be.
    [[nodiscard]] bool complete() const
    {
        auto const final = [&](std::size_t i) {
            return s.containers[i].at == container::stage::ended && !runs_again(i);
        };
        bool all = !pod.spec.containers.empty();
        for (std::size_t i = 0; i < s.containers.size(); ++i) {
            auto const what = role_of(pod.spec, i);
            if (what == role::init && final(i) && s.containers[i].end->exit_code != 0)
                return true;
            all = all && (what != role::main || final(i));
        }
        return all;
    }

    // -- Leaving ---------------------------------------------------------------------------------

    void decide(bool gone)
    {
        auto why = s.why;
        auto grace = pod.spec.termination_grace_period_seconds;
        if (gone || pod.metadata.deletion_timestamp) {
            why = leaving::deleted;
            grace = pod.metadata.deletion_grace_period_seconds.value_or(grace);
        } else if (why == leaving::no) {
            if (model::is_terminal(pod.status.phase))
                why = leaving::evicted;
            else if (auto const limit = pod.spec.active_deadline_seconds) {
                if (now >= s.since + seconds_of(*limit))
                    why = leaving::deadline_exceeded;
            }
            if (why == leaving::no && complete())
                why = leaving::completed;
            if (why == leaving::no && pod.spec.active_deadline_seconds)
                wake(s.since + seconds_of(*pod.spec.active_deadline_seconds));
        }
        bool const sooner = why != leaving::no && seconds_of(grace) < s.grace;
        if (why == s.why && !sooner)
            return;
        out.news = true;
        s.why = why;
        if (!sooner)
            return;
        s.grace = seconds_of(grace);
        s.leave_by = std::min(s.leave_by, now + s.grace);
        for (std::size_t i = 0; i < s.containers.size(); ++i) {
            auto& c = s.containers[i];
            if (c.at != container::stage::running || c.stop == container::stopping::no ||
                c.stop_by <= s.leave_by)
                continue;
            c.stop_by = s.leave_by;
            if (c.stop == container::stopping::asked)
                push(i, verb::stop).grace = std::max(c.stop_by - now, duration::zero());
        }
    }
    void stop_all()
    {
        bool later = false;  // a container after this one is alive
        for (auto i = s.containers.size(); i-- > 0;) {
            auto& c = s.containers[i];
            bool const waits = later && role_of(pod.spec, i) == role::sidecar && now < s.leave_by;
            if (c.at == container::stage::running && c.stop == container::stopping::no) {
                if (waits)
                    wake(s.leave_by);
                else
                    stop(i, c, std::max(s.leave_by - now, duration::zero()));
            }
            later = later || c.alive();
        }
        if (s.why == leaving::deleted && !later && !s.cleared) {
            s.cleared = true;
            for (std::size_t i = 0; i < s.containers.size(); ++i) {
                auto const& c = s.containers[i];
                remove(i, c.kept);
                remove(i, c.at == container::stage::ended ? c.instance : 0);
            }
        }
    }
};

}  // namespace detail

/// A number that differs between pods and is the same for a pod each time (FNV-1a).
[[nodiscard]] inline std::uint32_t spread_of(model::object_meta const& pod) noexcept
{
    std::uint32_t h = 2166136261U;
    for (auto const* const text : {&pod.namespace_, &pod.name})
        for (char const c : *text)
            h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
    return h;
}

inline lifecycle take_on(model::pod const& pod, time_point now)
{
    lifecycle s{.since = now};
    s.containers.resize(container_count(pod.spec));
    auto const spread = spread_of(pod.metadata);
    auto const recall = [&](std::size_t from, std::size_t end, auto const& all) {
        for (auto const& was : all) {
            auto i = from;
            while (i < end && container_at(pod.spec, i).name != was.name)
                ++i;
            if (i == end)
                continue;
            auto& c = s.containers[i];
            c.restarts = was.restart_count;
            c.spread = spread;  // all that ran here starts at once
            auto const& done = was.state.terminated ? was.state.terminated : was.last_state.terminated;
            if (was.state.running) {
                auto const since = was.state.running->started_at.value_or(model::time{now});
                c.end = termination{137, 9, "ContainerStatusUnknown",
                    "the agent that ran it is gone, and so is the container", was.container_id, since, now};
            } else if (done) {
                c.end = termination{done->exit_code, done->signal, done->reason, done->message,
                    done->container_id, done->started_at.value_or(model::time{}),
                    done->finished_at.value_or(model::time{})};
            } else {
                continue;
            }
            c.at = container::stage::ended;
            c.after_end.retry_at = now;
        }
    };
    auto const inits = pod.spec.init_containers.size();
    recall(0, inits, pod.status.init_container_statuses);
    recall(inits, s.containers.size(), pod.status.container_statuses);
    return s;
}

inline stepped step(policy const& p, model::pod const& pod, bool gone, lifecycle& s,
    std::span<observation const> seen, time_point now, std::vector<action>& todo)
{
    PODIUM_ASSERT(s.containers.size() == container_count(pod.spec));
    detail::stepping x{p, pod, s, now, todo};
    for (auto const& o : seen)
        x.see(o);
    x.decide(gone);
    for (std::size_t i = 0; i < s.containers.size(); ++i)
        if (s.containers[i].probes)
            x.wake(x.watch(i, s.containers[i], std::nullopt));
    if (s.why == leaving::no) {
        if (!s.address.empty())
            x.start_all();
    } else {
        x.stop_all();
    }
    for (std::size_t i = 0; i < s.containers.size(); ++i)
        if (s.containers[i].at == container::stage::running)
            x.go_on_stopping(i, s.containers[i]);
    return x.out;
}

}  // namespace podium::v0::agent
