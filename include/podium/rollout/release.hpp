#pragma once
/// Release: what blue/green and canary have in common. Sets known by their template, a route that routers
/// acknowledge late, runs of an analysis, commands, and the words for a person.
///
/// Both machines say what should be, never what to do: the size of each set, the route, the runs in force. To
/// carry an answer out twice, or to ask again, changes nothing.
///
/// A route that is written is not a route in force: each router switches when it hears of it. So a route
/// remembers, for each template, the most traffic that some router may still be giving it; pods are kept for
/// that, until every router has acknowledged the latest generation.
///
/// Source: the words are Argo Rollouts' at 9f8d111 (pkg/apis/rollouts/v1alpha1/types.go); the machines are
/// ours.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/fenceposts.hpp>
#include <podium/rollout/verdict.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::rollout::release {

/// Stands for a template: equal templates have equal numbers, and 0 stands for none. The caller's choice, a
/// hash or a version number.
using template_id = std::uint64_t;

/// A set of pods as the machine sees it.
struct set {
    template_id which = 0;
    std::int64_t revision = 0;   ///< the higher the younger; decides which history is forgotten first
    std::int32_t wanted = 0;     ///< its size as last asked for
    std::int32_t existing = 0;   ///< pods it has, terminating ones not counted
    std::int32_t available = 0;  ///< of these, available; those above `wanted` do not count
    bool observed = true;  ///< the two counts are of its latest size; until then nothing counts as available
    friend bool operator==(set const&, set const&) = default;
};

/// What a set should be.
struct size {
    template_id which = 0;
    std::int32_t replicas = 0;
    bool forget = false;  ///< it has no pods and history is long enough: delete the set
    friend bool operator==(size const&, size const&) = default;
};

/// One template's part of the traffic, in percent.
struct share {
    template_id to = 0;
    std::int32_t weight = 0;   ///< as the route says
    std::int32_t at_most = 0;  ///< as some router may still have it, >= weight
    friend bool operator==(share const&, share const&) = default;
};

/// Where requests go. The caller writes it as one object; routers acknowledge its generation.
struct route {
    std::uint64_t generation = 0;    ///< of the weights; 0: nothing has been routed yet
    std::uint64_t acknowledged = 0;  ///< the latest generation that every router has in force, <= generation
    std::vector<share> shares{};     ///< by template; those that get nothing, and cannot, are left out
    friend bool operator==(route const&, route const&) = default;

    /// The percentage that the route gives to a template.
    [[nodiscard]] constexpr std::int32_t weight(template_id to) const noexcept
    {
        auto const* const s = find(to);
        return s == nullptr ? 0 : s->weight;
    }
    /// The most that a router may still give it.
    [[nodiscard]] constexpr std::int32_t at_most(template_id to) const noexcept
    {
        auto const* const s = find(to);
        return s == nullptr ? 0 : s->at_most;
    }
    /// Whether every router has this in force.
    [[nodiscard]] constexpr bool is_acknowledged() const noexcept { return acknowledged == generation; }
    /// Sends `weight` percent (0 to 100) to one template and the rest to another; nothing to any other. The
    /// generation rises if that is news. O(n log n) for n shares, of which there are three at most.
    constexpr void send(template_id rest, template_id to = 0, std::int32_t weight_ = 0)
    {
        auto const is_share = [](template_id t) { return t != 0; };
        auto const before = [&](template_id t) { return weight(t); };
        bool const news = (is_share(rest) && before(rest) != 100 - weight_) ||
            (is_share(to) && before(to) != weight_) ||
            std::any_of(shares.begin(), shares.end(),
                [&](share const& s) { return s.to != rest && s.to != to && s.weight != 0; });
        if (!news)
            return;
        ++generation;
        for (auto& s : shares)
            s.weight = 0;
        put(rest, 100 - weight_);
        put(to, weight_);
        tidy();
    }
    /// Takes note of what every router has in force. What is late or of the future does no harm. Says whether
    /// that ended the wait for the latest generation.
    constexpr bool note(std::uint64_t generation_seen)
    {
        bool const waited = !is_acknowledged();
        acknowledged = std::max(acknowledged, std::min(generation_seen, generation));
        if (!waited || !is_acknowledged())
            return false;
        for (auto& s : shares)
            s.at_most = s.weight;
        tidy();
        return true;
    }

private:
    [[nodiscard]] constexpr share const* find(template_id to) const noexcept
    {
        for (auto const& s : shares)
            if (s.to == to)
                return &s;
        return nullptr;
    }
    constexpr void put(template_id to, std::int32_t weight_)
    {
        if (to == 0 || weight_ == 0)
            return;
        for (auto& s : shares)
            if (s.to == to) {
                s.weight = weight_;
                s.at_most = std::max(s.at_most, weight_);
                return;
            }
        shares.push_back({.to = to, .weight = weight_, .at_most = weight_});
    }
    constexpr void tidy()
    {
        std::erase_if(shares, [](share const& s) { return s.at_most == 0; });
        std::sort(shares.begin(), shares.end(), [](share const& a, share const& b) { return a.to < b.to; });
    }
};

/// What a person may tell a release to do.
enum class order : std::uint8_t {
    promote,       ///< go on from a pause, or in spite of an analysis that does not know
    promote_full,  ///< skip what is left of steps, waits and analyses; never the wait for pods and routers
    abort,         ///< all traffic back to stable
    retry,         ///< once more: the release that was aborted, or the analysis that does not know
    pause,         ///< go no further; going back is still done
    resume,
};

/// An order and its number. Numbers rise, from 1 on; one that was heard before does nothing, so an order may
/// be shown to the machine any number of times.
struct command {
    std::uint64_t number = 0;
    order what = order::promote;
    template_id about = 0;  ///< the template it was given for; when another is released by now, it is refused
    friend bool operator==(command const&, command const&) = default;
};

/// An analysis that should be under way, or be over with what it said. Runs that are not asked for any more
/// are to be stopped.
struct run {
    std::uint64_t number = 0;       ///< of this run, never used before; 0: none
    std::uint32_t which = 0;        ///< the caller's analysis
    std::optional<verdict> said{};  ///< none: not yet
    friend bool operator==(run const&, run const&) = default;

    [[nodiscard]] constexpr bool is(verdict v) const noexcept { return said == v; }
    /// It has ended and does not know.
    [[nodiscard]] constexpr bool is_undecided() const noexcept
    {
        return is(verdict::inconclusive) || is(verdict::no_data);
    }
};

/// What an analysis has said. To be shown for as long as the run is asked for; `fail` is final.
struct answer {
    std::uint64_t run = 0;
    verdict said = verdict::no_data;
    friend bool operator==(answer const&, answer const&) = default;
};

/// What a machine looks at besides its spec.
struct observed {
    std::span<set const> sets{};  ///< in any order; of each template one
    /// The route's generation that every live router has in force, or a later one. It may be late and seem to
    /// go back; a router that joins has the latest one in force before it serves, so it takes nothing back.
    std::uint64_t acknowledged = 0;
    std::span<answer const> answers{};
    std::optional<command> told{};  ///< the latest command
    /// Blue/green: the template whose pods every live router has behind the preview service, 0 as long as
    /// they differ; none: there is no such service, and nobody waits for it.
    std::optional<template_id> previewed{};
};

/// In one word, for a column of a table.
enum class phase : std::uint8_t {
    healthy,      ///< all traffic is on the wanted template, fully available
    progressing,  ///< something is under way that needs nobody
    paused,       ///< waits for a person
    degraded,     ///< given up, or no progress for too long
};

/// Why a release is where it is.
enum class reason : std::uint8_t {
    complete,
    nothing_wanted,   ///< there is no template yet
    pods_starting,    ///< the new set is not as available as it has to be
    stable_starting,  ///< traffic is to go back, and the stable set cannot take it yet
    router_behind,    ///< not every router has acknowledged the route
    analysis_running,
    inconclusive,     ///< the analysis has data and does not know
    no_data,          ///< the analysis has no data: never a success
    wants_promotion,  ///< waits until told
    timed_pause,      ///< waits for a time
    old_kept,         ///< done; the old set is kept a little longer
    user_paused,
    no_progress,  ///< the progress deadline has passed
    aborted_by_user,
    analysis_failed,
    aborted_late,      ///< aborted because the progress deadline has passed
    another_template,  ///< traffic goes back first, because yet another template is wanted
    back_to_stable,    ///< the stable template is wanted again
    // of a refusal
    not_releasing,  ///< there is no release under way that this could apply to
    no_stable,      ///< there is nothing to go back to
    not_waiting,    ///< the release does not wait for that
};

/// An order that was not followed, and why.
struct refusal {
    order what = order::promote;
    reason why = reason::not_waiting;
    friend bool operator==(refusal const&, refusal const&) = default;
};

/// What should be.
struct goals {
    std::vector<size> sets{};         ///< of the sets seen, as they were given, then of those to be created
    std::optional<route> traffic{};   ///< none: pods share the traffic, there is no router
    template_id preview = 0;          ///< blue/green: where the preview service leads; 0: nowhere
    std::optional<run> analysis{};    ///< to be run; others are to be stopped
    std::optional<run> background{};  ///< the same, beside the steps
    release::phase phase = release::phase::healthy;
    reason why = reason::complete;
    time_point wake_at = never;  ///< step again then, whether anything happened or not
    friend bool operator==(goals const&, goals const&) = default;
};

/// What both machines remember.
struct memory {
    template_id stable = 0;  ///< the last template that passed everything; an abort goes back to it; 0: none
    template_id target = 0;  ///< the one being released; `stable` when there is no release
    route traffic{};
    time_point since{};                ///< when this stage, or this step, began
    time_point progressed{};           ///< the last sign of progress, if there is a deadline for it
    std::int32_t best = 0;             ///< the most pods that were available in this wait
    reason why = reason::complete;     ///< why the last release was given up
    bool fast = false;                 ///< this release skips steps, waits and analyses
    bool paused = false;               ///< by a person
    run analysis{};                    ///< in force
    std::uint64_t runs = 0;            ///< asked for so far
    std::uint64_t heard = 0;           ///< the number of the latest command
    std::optional<refusal> refused{};  ///< what became of it, if nothing
    template_id kept = 0;              ///< a set that serves nobody any more and is kept for a while
    time_point kept_until{};
    std::vector<template_id> proven{};  ///< were stable before, the latest first; as many as the window holds
    friend bool operator==(memory const&, memory const&) = default;
};

/// How fast the world is in a plan.
struct pace {
    duration pod_start = std::chrono::seconds(10);  ///< from the wish for a pod until it is available
    duration router{};                              ///< until a route is acknowledged
    duration analysis = std::chrono::seconds(60);   ///< until an analysis passes
};

/// One line of a plan: what is asked for from a moment on.
template<class Stage>
struct planned {
    duration at{};  ///< since the start
    Stage stage{};
    std::size_t step = 0;           ///< canary: the position in the steps; their number at the end
    std::int32_t stable = 0;        ///< pods wanted of the old template
    std::int32_t target = 0;        ///< pods wanted of the new one
    std::int32_t weight = 0;        ///< percent of the traffic for the new one; without a router: of the pods
    std::int64_t available = 0;     ///< the least that serve until the next line
    std::int64_t pods = 0;          ///< the most that exist until the next line
    reason why = reason::complete;  ///< what it waits for
    friend bool operator==(planned const&, planned const&) = default;
};

/// A release before it starts: the machine itself, driven by a world where nothing fails. One that takes the
/// machine more than 100,000 answers (50,000 pods, one at a time) ends there, unfinished.
template<class Stage>
struct plan {
    std::vector<planned<Stage>> lines{};
    std::int64_t least_available = 0;  ///< pods that serve, at the worst moment
    std::int64_t peak_pods = 0;
    duration takes{};           ///< without the time that a person takes
    bool needs_person = false;  ///< somebody has to promote; the plan does so at once
    bool finishes = false;
    friend bool operator==(plan const&, plan const&) = default;
};

[[nodiscard]] constexpr std::string_view to_string(order o) noexcept
{
    switch (o) {
    case order::promote: return "promote";
    case order::promote_full: return "promote full";
    case order::abort: return "abort";
    case order::retry: return "retry";
    case order::pause: return "pause";
    case order::resume: return "resume";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(phase p) noexcept
{
    switch (p) {
    case phase::healthy: return "Healthy";
    case phase::progressing: return "Progressing";
    case phase::paused: return "Paused";
    case phase::degraded: return "Degraded";
    }
    return "Unknown";
}

/// A reason for a person: "the analysis has no data".
[[nodiscard]] constexpr std::string_view to_string(reason r) noexcept
{
    switch (r) {
    case reason::complete: return "complete";
    case reason::nothing_wanted: return "no template is wanted yet";
    case reason::pods_starting: return "new pods are not available yet";
    case reason::stable_starting: return "stable pods are not available yet";
    case reason::router_behind: return "a router has not acknowledged the route yet";
    case reason::analysis_running: return "the analysis is running";
    case reason::inconclusive: return "the analysis is inconclusive";
    case reason::no_data: return "the analysis has no data";
    case reason::wants_promotion: return "waits to be promoted";
    case reason::timed_pause: return "pauses for a time";
    case reason::old_kept: return "done; the old pods are kept for a while";
    case reason::user_paused: return "paused";
    case reason::no_progress: return "no progress within the deadline";
    case reason::aborted_by_user: return "aborted";
    case reason::analysis_failed: return "aborted: the analysis failed";
    case reason::aborted_late: return "aborted: no progress within the deadline";
    case reason::another_template: return "another template is wanted; traffic goes back first";
    case reason::back_to_stable: return "the stable template is wanted again";
    case reason::not_releasing: return "no release is under way";
    case reason::no_stable: return "there is no stable version to go back to";
    case reason::not_waiting: return "the release does not wait for that";
    }
    return "unknown";
}

namespace detail {

/// The pods that `percent` of the traffic needs, rounded up. Out of range is taken for the nearest end.
[[nodiscard]] constexpr std::int32_t share_of(std::int32_t replicas, std::int32_t percent) noexcept
{
    auto const p = std::clamp(percent, 0, 100);
    return static_cast<std::int32_t>((std::int64_t{std::max(replicas, 0)} * p + 99) / 100);
}

/// A set of stages.
template<class Stage, class... Stages>
[[nodiscard]] constexpr std::uint32_t any_of(Stage first, Stages... rest) noexcept
{
    return ((1U << static_cast<unsigned>(first)) | ... | (1U << static_cast<unsigned>(rest)));
}

/// Whether a row is also taken while a person has paused the release.
enum class when_paused : std::uint8_t { never_then, always };

/// A row of a transition table: in one of the stages `from`, when the guard holds, the machine goes `to`.
template<class Machine, class Stage>
struct row {
    std::uint32_t from = 0;
    bool (Machine::*when)() = nullptr;
    Stage to{};
    when_paused pause = when_paused::never_then;
};

/// What both machines do alike: hear, remember, find sets, measure progress.
template<class Spec, class State>
class machine {
public:
    machine(Spec const& spec, State const& before, observed const& seen, time_point now_)
        : s(before),
          want(spec),
          see(seen),
          now(now_)
    {
        if (s.traffic.note(see.acknowledged))
            s.progressed = mark();
        if (see.told && see.told->number > s.heard)
            hear(*see.told);
        listen(s.analysis);
    }

    /// Goes through the table until no row fits any more, nor the route can be turned further.
    template<class Derived, class Row>
    static void follow(Derived& m, std::span<Row const> table, std::size_t most)
    {
        for (; most > 0; --most) {
            m.look();
            auto const fits = [&](Row const& r) {
                m.used = false;
                return (r.from >> static_cast<unsigned>(m.s.at) & 1U) != 0 &&
                    (r.pause == when_paused::always || !m.s.paused) && (m.*r.when)();
            };
            auto const it = std::find_if(table.begin(), table.end(), fits);
            if (it == table.end()) {
                if (!m.steer())
                    break;
                continue;
            }
            if (std::exchange(m.used, false))
                m.told.reset();
            m.s.since = m.now;
            m.restart_progress();
            m.take(it->to);
        }
        if (m.told) {
            bool const is_late = m.told->about != 0 && m.told->about != m.s.target;
            m.s.refused = refusal{m.told->what, is_late ? reason::another_template : m.why_not(m.told->what)};
        }
    }

    State s;

protected:
    void look()
    {
        wake = never;
        if (s.kept != 0 && now >= s.kept_until)
            forget_kept();
        if (s.kept != 0)
            wake = s.kept_until;
    }

    // --- what is seen -----------------------------------------------------------------------------

    [[nodiscard]] std::int32_t replicas() const { return std::max(want.replicas, 0); }
    [[nodiscard]] set const* find(template_id which) const
    {
        for (auto const& x : see.sets)
            if (x.which == which)
                return &x;
        return nullptr;
    }
    [[nodiscard]] std::int32_t wanted(template_id which) const
    {
        auto const* const x = find(which);
        return x == nullptr ? 0 : std::max(x->wanted, 0);
    }
    /// Pods that serve and that their set is not about to lose.
    [[nodiscard]] std::int32_t available(template_id which) const
    {
        auto const* const x = find(which);
        return x == nullptr || !x->observed ? 0 : std::max(std::min(x->available, x->wanted), 0);
    }
    /// The most pods of it that may serve, for all that is known.
    [[nodiscard]] std::int32_t most_available(template_id which) const
    {
        auto const* const x = find(which);
        return x == nullptr || x->observed ? available(which) : std::max(x->wanted, 0);
    }
    [[nodiscard]] bool has(template_id which, std::int32_t pods) const
    {
        return pods <= 0 || available(which) >= pods;
    }
    /// Whether it surely has no pod that serves. Not the same as having none for all that is known.
    [[nodiscard]] bool is_dead(template_id which) const
    {
        auto const* const x = find(which);
        return x == nullptr || (x->observed && available(which) == 0);
    }

    // --- what is told -----------------------------------------------------------------------------

    void hear(command const& c)
    {
        s.heard = c.number;
        s.refused.reset();
        if (c.what == order::pause) {
            s.paused = true;
        } else if (c.what == order::resume) {
            s.paused = false;
            s.progressed = mark();
        } else {
            told = c;
        }
    }
    /// Whether the order is there and meant for this release; a row that is taken because of it uses it up.
    [[nodiscard]] bool hears(order o)
    {
        bool const is = told && told->what == o && (told->about == 0 || told->about == s.target);
        used = used || is;
        return is;
    }
    void listen(run& r) const
    {
        for (auto const& a : see.answers)
            if (a.run == r.number && r.number != 0 && !r.is(verdict::fail))
                r.said = a.said;
    }
    /// An analysis that lets the release go on: it passed, or does not know and a person says so.
    [[nodiscard]] bool is_content(run const& r)
    {
        return r.is(verdict::pass) || (r.is_undecided() && hears(order::promote));
    }
    [[nodiscard]] run new_run(std::uint32_t which)
    {
        return {.number = ++s.runs, .which = which, .said = {}};
    }

    // --- what time it is --------------------------------------------------------------------------

    /// Whether `wait` has passed since `from`; if not, when it will have.
    [[nodiscard]] bool is_over(time_point from, duration wait)
    {
        auto const end = later(from, std::max(wait, duration::zero()));
        if (now < end)
            wake = std::min(wake, end);
        return now >= end;
    }
    [[nodiscard]] bool is_stalled()
    {
        return want.progress_deadline && !s.paused && is_over(s.progressed, *want.progress_deadline);
    }
    /// Now, if anyone wants to know.
    [[nodiscard]] time_point mark() const { return want.progress_deadline ? now : time_point{}; }
    void restart_progress()
    {
        s.progressed = mark();
        s.best = 0;
    }
    void note_progress(std::int32_t pods)
    {
        if (!want.progress_deadline || pods <= s.best)
            return;
        s.best = pods;
        s.progressed = now;
    }

    // --- what is remembered -----------------------------------------------------------------------

    [[nodiscard]] bool is_changed() const { return want.template_ != 0 && want.template_ != s.target; }
    [[nodiscard]] bool is_proven(template_id which) const
    {
        auto const in_window = std::min<std::size_t>(want.rollback_window, s.proven.size());
        auto const end = s.proven.begin() + static_cast<std::ptrdiff_t>(in_window);
        return std::find(s.proven.begin(), end, which) != end;
    }
    /// `which` is stable from now on.
    void establish(template_id which)
    {
        std::erase(s.proven, which);
        std::erase(s.proven, s.stable);
        if (s.stable != 0 && s.stable != which)
            s.proven.insert(s.proven.begin(), s.stable);
        if (s.proven.size() > want.rollback_window)
            s.proven.resize(want.rollback_window);
        s.stable = which;
    }
    void keep(template_id which, time_point until)
    {
        if (which == 0 || until <= now)
            return;
        s.kept = which;
        s.kept_until = until;
    }
    void forget_kept()
    {
        s.kept = 0;
        s.kept_until = {};
    }

    // --- what is said -----------------------------------------------------------------------------

    /// Sizes of all sets, and which of the oldest may be forgotten.
    template<class Size>
    void say_sizes(goals& out, Size&& size_of) const
    {
        std::vector<std::pair<std::int64_t, std::size_t>> idle;
        for (auto const& x : see.sets) {
            auto const n = size_of(x);
            bool const is_idle = n == 0 && x.wanted == 0 && x.existing == 0 && x.which != s.stable &&
                x.which != s.target && x.which != s.kept && x.which != want.template_;
            if (is_idle)
                idle.emplace_back(x.revision, out.sets.size());
            out.sets.push_back({.which = x.which, .replicas = n});
        }
        auto const add = [&](template_id which) {
            if (which != 0 && std::none_of(out.sets.begin(), out.sets.end(), [&](size const& x) {
                    return x.which == which;
                }))
                out.sets.push_back({.which = which, .replicas = size_of(set{.which = which})});
        };
        add(s.stable);
        add(s.target);
        for (auto const& x : s.traffic.shares)
            add(x.to);
        if (!want.revision_history_limit)
            return;
        std::sort(idle.begin(), idle.end());
        auto const limit = static_cast<std::size_t>(std::max(*want.revision_history_limit, 0));
        for (std::size_t i = 0; i + limit < idle.size(); ++i)
            out.sets[idle[i].second].forget = true;
    }
    static void say(goals& out, release::phase p, reason why)
    {
        out.phase = p;
        out.why = why;
    }
    static reason reason_of(run const& r)
    {
        return r.is(verdict::inconclusive) ? reason::inconclusive
            : r.is(verdict::no_data)       ? reason::no_data
                                           : reason::analysis_running;
    }

    Spec const& want;
    observed const& see;
    time_point now;
    time_point wake = never;
    std::optional<command> told{};  ///< not used up yet
    bool used = false;              ///< the guard that was asked last is true because of it
};

/// A world where nothing fails: what a plan is made with. The old template gives way to the one of the spec.
template<class Spec, class State, class Stage>
class rehearsal {
public:
    rehearsal(Spec const& spec, pace const& how) : spec_(spec), pace_(how)
    {
        auto const n = std::max(spec.replicas, 0);
        s_.stable = s_.target = old_;
        sets_ = {{.which = old_, .revision = 1, .wanted = n, .existing = n, .available = n}};
        acknowledged_ = 1;
        if (spec.has_router())
            s_.traffic = {
                .generation = 1, .acknowledged = 1, .shares = {{.to = old_, .weight = 100, .at_most = 100}}};
    }

    /// `step` is the machine's.
    template<class Step>
    [[nodiscard]] plan<Stage> run(Step const& step)
    {
        for (int i = 0; i < 100'000; ++i) {
            observed const seen{
                .sets = sets_, .acknowledged = acknowledged_, .answers = answers_, .told = told_};
            auto answered = step(spec_, s_, seen, now_);
            s_ = std::move(answered.next);
            bool const changed = apply(answered.todo);
            write(answered.todo);
            if (changed)
                continue;  // the new sizes are news to the machine
            if (s_.at == Stage::settled && s_.stable == spec_.template_ && s_.kept == 0) {
                out_.finishes = true;
                break;
            }
            auto next = answered.todo.wake_at;
            for (auto const& e : due_)
                next = std::min(next, e.at);
            if (next == never) {
                if (answered.todo.why != reason::wants_promotion)
                    break;
                out_.needs_person = true;
                told_ = command{.number = s_.heard + 1, .what = order::promote};
            } else {
                now_ = std::max(now_, next);
                happen();
            }
        }
        out_.takes = now_ - time_point{};
        return std::move(out_);
    }

private:
    struct event {
        time_point at{};
        enum class kind : std::uint8_t { pod, route, analysis } what = kind::pod;
        std::uint64_t number = 0;  ///< the set's template, the generation, the run
        std::int32_t pods = 0;
    };

    bool apply(goals const& todo)
    {
        bool changed = false;
        for (auto const& goal : todo.sets) {
            auto it =
                std::find_if(sets_.begin(), sets_.end(), [&](set const& x) { return x.which == goal.which; });
            if (it == sets_.end())
                it = sets_.insert(it, {.which = goal.which, .revision = 2});
            changed = changed || it->wanted != goal.replicas;
            auto const more = goal.replicas - it->existing;
            if (more > 0)
                due_.push_back({later(now_, pace_.pod_start), event::kind::pod, goal.which, more});
            else
                remove_pods(*it, -more);
            it->existing = goal.replicas;
            it->wanted = goal.replicas;
        }
        if (todo.traffic && todo.traffic->generation > asked_) {
            asked_ = todo.traffic->generation;
            due_.push_back({later(now_, pace_.router), event::kind::route, asked_, 0});
        }
        for (auto const& r : {todo.analysis, todo.background})
            if (r && r->number > run_) {
                run_ = r->number;
                due_.push_back({later(now_, pace_.analysis), event::kind::analysis, run_, 0});
            }
        return changed;
    }
    /// Those that are not available go first, the youngest of them before others.
    void remove_pods(set& from, std::int32_t pods)
    {
        for (auto it = due_.rbegin(); it != due_.rend() && pods > 0; ++it)
            if (it->what == event::kind::pod && it->number == from.which) {
                auto const some = std::min(pods, it->pods);
                it->pods -= some;
                pods -= some;
            }
        from.available -= pods;
        std::erase_if(due_, [](event const& e) { return e.what == event::kind::pod && e.pods == 0; });
    }
    void happen()
    {
        for (auto const& e : due_)
            if (e.at <= now_)
                switch (e.what) {
                case event::kind::pod:
                    for (auto& x : sets_)
                        x.available += x.which == e.number ? e.pods : 0;
                    break;
                case event::kind::route: acknowledged_ = std::max(acknowledged_, e.number); break;
                case event::kind::analysis:
                    answers_.push_back({.run = e.number, .said = verdict::pass});
                    break;
                }
        std::erase_if(due_, [&](event const& e) { return e.at <= now_; });
    }

    void write(goals const& todo)
    {
        planned<Stage> line{.at = now_ - time_point{}, .stage = s_.at, .step = step_of(s_), .why = todo.why};
        std::int64_t serving = 0;
        std::int64_t pods = 0;
        for (auto const& x : sets_) {
            (x.which == old_ ? line.stable : line.target) += x.wanted;
            pods += x.existing;
            if (!todo.traffic || todo.traffic->at_most(x.which) > 0)
                serving += x.available;
        }
        line.weight = todo.traffic           ? todo.traffic->weight(spec_.template_)
            : line.stable + line.target == 0 ? 0
                                             : static_cast<std::int32_t>(std::int64_t{line.target} * 100 /
                                                   (std::int64_t{line.stable} + line.target));
        line.available = serving;
        line.pods = pods;
        out_.least_available = out_.lines.empty() ? serving : std::min(out_.least_available, serving);
        out_.peak_pods = std::max(out_.peak_pods, pods);
        if (!out_.lines.empty()) {
            auto& last = out_.lines.back();
            if (last.stage == line.stage && last.step == line.step && last.stable == line.stable &&
                last.target == line.target && last.weight == line.weight) {
                last.available = std::min(last.available, serving);
                last.pods = std::max(last.pods, pods);
                return;
            }
        }
        out_.lines.push_back(line);
    }
    static std::size_t step_of(State const& s)
    {
        if constexpr (requires { s.step; })
            return s.step;
        else
            return 0;
    }

    Spec const& spec_;
    pace const& pace_;
    template_id const old_ = spec_.template_ == 1 ? 2 : 1;
    State s_{};
    time_point now_{};
    std::vector<set> sets_{};
    std::uint64_t acknowledged_ = 0;
    std::vector<answer> answers_{};
    std::optional<command> told_{};
    std::vector<event> due_{};
    std::uint64_t asked_ = 1;  ///< the latest generation on its way to the routers
    std::uint64_t run_ = 0;    ///< the latest run begun
    plan<Stage> out_{};
};

/// Notes what is wrong with the fields that both specs have.
template<class Spec>
void check_common(Spec const& spec, found_errors& wrong)
{
    auto const refuse = [&](bool is_wrong, char const* path, char const* message) {
        if (is_wrong)
            wrong.add({errc::invalid, message, path, {}});
    };
    auto const is_negative = [](std::optional<duration> const& d) { return d && *d < duration::zero(); };
    refuse(spec.template_ == 0, "template", "must not be 0, which stands for none");
    refuse(spec.replicas < 0, "replicas", "must be at least 0");
    refuse(spec.scale_down_delay < duration::zero(), "scale_down_delay", "must be at least 0");
    refuse(is_negative(spec.abort_scale_down_delay), "abort_scale_down_delay", "must be at least 0");
    refuse(spec.progress_deadline && *spec.progress_deadline <= duration::zero(), "progress_deadline",
        "must be longer than 0");
    refuse(
        spec.abort_at_deadline && !spec.progress_deadline, "abort_at_deadline", "needs a progress_deadline");
    refuse(spec.revision_history_limit && *spec.revision_history_limit < 0, "revision_history_limit",
        "must be at least 0");
}

}  // namespace detail

}  // namespace podium::v0::rollout::release
