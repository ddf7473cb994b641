#pragma once
/// Canary: the new version gets a small part of the traffic first, and more only while it does well.
///
/// A list of steps says how much, for how long and what has to be found out: weights, pauses, analyses and
/// sizes. With a router the weights are exact. Pods come before traffic and traffic leaves before pods: the
/// weight is raised when the canary can take it, and a set shrinks only when every router has acknowledged
/// that it gets less. Without a router each pod gets the same, so the sizes of the sets make the weight:
/// `reachable` says beforehand which one that will be.
///
/// Giving up (an order, an analysis that fails, a deadline) makes the stable set whole first, then returns
/// the traffic, and only then lets the canary go. So does a third template in mid-way, whose own steps begin
/// after that, and the stable template, which ends the release. An analysis that does not know stops the
/// release and never promotes it; the background analysis, too, has to pass before the last step is left.
///
/// Source: the steps and fields are Argo Rollouts' `canary` at 9f8d111 (docs/features/canary,
/// utils/replicaset/canary.go, rollout/trafficrouting.go). What differs: see `set_scale`, `background`,
/// `reachable`; and the ways of argo-rollouts#3372 and #4900 are closed by the order above.

#include <podium/core/hash.hpp>
#include <podium/core/int_or_percent.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/fenceposts.hpp>
#include <podium/rollout/release.hpp>
#include <podium/rollout/verdict.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::rollout::canary {

using release::template_id;

/// From here on the canary gets `percent` of the traffic, 0 to 100. Done when it does.
struct set_weight {
    std::int32_t percent = 0;
    friend bool operator==(set_weight const&, set_weight const&) = default;
};

/// Wait.
struct pause {
    std::optional<duration> lasts{};  ///< > 0; none: until told
    friend bool operator==(pause const&, pause const&) = default;
};

/// Wait for an analysis to pass.
struct analyze {
    std::uint32_t which = 0;  ///< the caller's analysis
    friend bool operator==(analyze const&, analyze const&) = default;
};

/// From here on the canary has so many pods, or so much of `replicas`, whatever its weight; but never fewer
/// than its weight needs. (Argo Rollouts takes the number as it is, and sends 90 % to one pod if told so.)
/// Done when they are available.
struct set_scale {
    std::optional<int_or_percent> pods{};  ///< a percentage is rounded up; none: as the weight needs, again
    friend bool operator==(set_scale const&, set_scale const&) = default;
};

/// One step of a release.
using instruction = std::variant<set_weight, pause, analyze, set_scale>;

/// An analysis beside the steps. If it fails, the release is aborted; the last step is not left before it has
/// passed. (Argo Rollouts stops it there, whatever it knows.)
struct background {
    std::uint32_t which = 0;    ///< the caller's analysis
    std::size_t from_step = 0;  ///< begins with this step
    friend bool operator==(background const&, background const&) = default;
};

/// What is wanted.
struct spec {
    template_id template_ = 0;
    std::int32_t replicas = 1;
    std::vector<instruction> steps{};   ///< none: all at once, as soon as the new pods are available
    bool router = true;                 ///< traffic goes by weight; else each pod gets the same
    bool dynamic_stable_scale = false;  ///< with a router: stable has only the pods that its weight needs
    /// As `resolve_fenceposts` gives them for `replicas`. Without a router, how far the number of pods may
    /// leave `replicas` (if both are 0, `unavailable` is 1). With one, `unavailable` is how many stable pods
    /// may be missing when the traffic goes back to them; how many more there may be, weights and sizes say.
    fenceposts bounds{};
    std::optional<canary::background> background{};
    bool backwards = false;                                ///< steps may lower the weight
    duration scale_down_delay = std::chrono::seconds(30);  ///< with a router: of the old set, at the end
    std::optional<duration> abort_scale_down_delay = std::chrono::seconds(30);  ///< none: it is kept
    std::optional<duration> progress_deadline = std::chrono::seconds(600);      ///< none: waits for ever
    bool abort_at_deadline = false;                                             ///< else it is only shown
    std::size_t rollback_window = 0;  ///< so many templates that were stable before skip the steps
    std::optional<std::int32_t> revision_history_limit = 10;  ///< sets without pods to keep; none: all

    [[nodiscard]] constexpr bool has_router() const noexcept { return router; }
};

/// How far the release is.
enum class stage : std::uint8_t {
    settled,    ///< no release is under way
    stepping,   ///< at one of the steps
    promoting,  ///< all traffic goes to the new set
    restoring,  ///< the stable set is made ready to take all traffic back
    reverting,  ///< the traffic goes back, but some router may not know yet; without a router, pods go
    aborted,    ///< all traffic is on stable; the canary is kept for a while
};

/// All that is remembered between steps; the caller stores it.
struct state : release::memory {
    stage at = stage::settled;
    std::size_t step = 0;       ///< the step it is at; their number when all are done; 0 outside a release
    std::uint64_t list = 0;     ///< tells the list of steps from another, to which it would begin anew
    release::run background{};  ///< in force
    bool waived = false;        ///< a person goes on although it does not know
    friend bool operator==(state const&, state const&) = default;
};

/// A step: what to remember, and what should be.
struct stepped {
    state next{};
    release::goals todo{};
    friend bool operator==(stepped const&, stepped const&) = default;
};

/// Two sets that share the traffic by their pods.
struct mix {
    std::int32_t stable = 0;
    std::int32_t canary = 0;
    friend bool operator==(mix const&, mix const&) = default;

    /// The canary's part in percent, rounded to the nearest. 0 without pods.
    [[nodiscard]] constexpr std::int32_t percent() const noexcept
    {
        auto const all = std::int64_t{stable} + canary;
        return all <= 0 ? 0 : static_cast<std::int32_t>((std::int64_t{canary} * 200 + all) / (2 * all));
    }
};

/// The sizes whose mix comes nearest to `percent`, without a router: of `replicas` pods, or of one more where
/// `surge` allows it and that is strictly nearer. Of two that are as near, the one with more canaries. From 1
/// to 99 percent both sets have a pod if there may be two. Out of range is taken for the nearest end. O(1).
[[nodiscard]] constexpr mix reachable(
    std::int32_t percent, std::int32_t replicas, std::int32_t surge) noexcept;

/// Whether the spec makes sense: all that does not, each with its path ("steps[2].set_weight"). O(n).
[[nodiscard]] inline result<void> check(spec const& wanted);

/// Advances a release as far as what is seen allows. Total and deterministic, also for a spec that `check`
/// refuses; with nothing new, `next == before` and the goals are the same. `router` and
/// `dynamic_stable_scale` should change only between releases. What keeps the release where it is, is in
/// `todo.why` and `next.refused`. O(s) for s steps and each one that is done by the call, and O(n^2) for n
/// sets, a dozen.
[[nodiscard]] inline stepped step(
    spec const& wanted, state const& before, release::observed const& seen, time_point now);

/// The release from another template, fully available, to this one: what the machine asks for when nothing
/// fails.
[[nodiscard]] inline release::plan<stage> plan(spec const& wanted, release::pace const& how = {});

[[nodiscard]] constexpr std::string_view to_string(stage s) noexcept
{
    switch (s) {
    case stage::settled: return "settled";
    case stage::stepping: return "stepping";
    case stage::promoting: return "promoting";
    case stage::restoring: return "restoring";
    case stage::reverting: return "reverting";
    case stage::aborted: return "aborted";
    }
    return "unknown";
}

namespace detail {

using release::detail::share_of;

/// A number that lists of steps with a difference do not share (FNV-1a over what they say).
[[nodiscard]] inline std::uint64_t fingerprint(std::vector<instruction> const& steps) noexcept
{
    auto h = fnv1a({});
    auto const add = [&h](std::uint64_t word) {
        for (int i = 0; i < 8; ++i, word >>= 8) {
            auto const byte = static_cast<char>(word & 0xff);
            h = fnv1a({&byte, 1}, h);
        }
    };
    auto const add_signed = [&](std::int64_t n) { add(static_cast<std::uint64_t>(n)); };
    for (auto const& x : steps) {
        add(x.index());
        if (auto const* const w = std::get_if<set_weight>(&x))
            add_signed(w->percent);
        else if (auto const* const a = std::get_if<analyze>(&x))
            add(a->which);
        else if (auto const* const c = std::get_if<set_scale>(&x)) {
            add(c->pods ? 1 : 0);
            add_signed(c->pods ? c->pods->value : 0);
            add(c->pods && c->pods->is_percent() ? 1 : 0);
        }  // a pause may be made longer while it lasts
    }
    return h;
}

/// One call of `step`: guards ask, `take` moves, `steer` turns the route, `answer` tells what should be now.
class machine : public release::detail::machine<spec, state> {
public:
    using base = release::detail::machine<spec, state>;
    using order = release::order;
    using reason = release::reason;

    machine(spec const& wanted_, state const& before, release::observed const& seen, time_point now_)
        : base(wanted_, before, seen, now_),
          bounds_(bounds_of(wanted_))
    {
        listen(s.background);
        if (s.at == stage::stepping)
            list_ = fingerprint(want.steps);
        heed();
    }

    // --- guards -----------------------------------------------------------------------------------

    bool wants_stable() { return is_changed() && want.template_ == s.stable; }
    bool wants_another() { return is_changed(); }
    bool wants_another_fast() { return is_changed() && is_fast(want.template_); }
    bool leaves_for_another() { return is_changed() && s.stable != 0; }
    /// The first release of all has nothing to go back to: the other template takes its place.
    bool starts_over() { return is_changed() && s.stable == 0; }
    bool is_wanted_again() { return s.why == reason::another_template || s.why == reason::back_to_stable; }
    bool gives_up()
    {
        if (s.stable == 0)
            return false;
        bool const late = want.abort_at_deadline && waits_for_the_world() && is_stalled();
        bool const failed = s.analysis.is(verdict::fail) || s.background.is(verdict::fail);
        bool const asked = hears(order::abort);
        cause_ = asked ? reason::aborted_by_user : failed ? reason::analysis_failed : reason::aborted_late;
        return asked || failed || late;
    }
    /// The stable set can take all traffic; or the canary can take none.
    bool stable_serves() { return s.traffic.at_most(s.target) == 0 || can_return(100) || is_last_resort(); }
    bool has_left() { return want.router ? s.traffic.is_acknowledged() : has_left_by_pods(); }
    bool is_retried() { return hears(order::retry); }
    bool is_promoted_full() { return hears(order::promote_full); }
    bool has_other_steps() { return s.list != list_; }
    bool is_through()
    {
        return s.step >= want.steps.size() &&
            (s.background.number == 0 || s.background.is(verdict::pass) || s.waived);
    }
    bool is_step_done()
    {
        auto const* const here = instruction_at(s.step);
        if (here == nullptr || is_halted())
            return false;
        if (std::holds_alternative<set_weight>(*here))
            return has_weight();
        if (std::holds_alternative<set_scale>(*here))
            return want.router ? has(s.target, canary_size()) : has_weight();
        if (auto const* const p = std::get_if<pause>(here))
            return hears(order::promote) || (p->lasts && is_over(s.since, *p->lasts));
        return is_content(s.analysis);
    }
    bool is_complete()
    {
        return has_weight() && (!want.router || s.stable == 0 || has(s.target, replicas()));
    }

    // --- moves ------------------------------------------------------------------------------------

    void look()
    {
        base::look();
        bool const goes_back = s.at == stage::restoring || s.at == stage::reverting;
        auto const growing = goes_back ? s.stable : s.target;
        auto const shrinking = goes_back ? s.target : s.stable;
        note_progress(rollout::detail::narrow(
            std::int64_t{available(growing)} + std::max(replicas() - wanted(shrinking), 0)));
    }

    void take(stage to)
    {
        auto const from = std::exchange(s.at, to);
        s.analysis = {};
        switch (to) {
        case stage::settled:
            if (from == stage::promoting) {
                if (want.router)
                    keep(s.stable, later(now, want.scale_down_delay));
                establish(s.target);
            }
            s.target = s.stable;
            s.fast = false;
            s.why = reason::complete;
            break;
        case stage::stepping: enter_step(from); break;
        case stage::promoting:
            if (from != stage::stepping)
                begin();
            s.step = want.steps.size();
            break;
        case stage::restoring:
            s.why = !is_changed() ? cause_
                : wants_stable()  ? reason::back_to_stable
                                  : reason::another_template;
            break;
        case stage::reverting:
            if (want.router)
                s.traffic.send(s.stable);
            break;
        case stage::aborted: break;
        }
        if (to != stage::stepping) {
            s.list = 0;
            drop_background();
            if (to != stage::promoting)
                s.step = 0;
        }
    }

    /// Turns the route as far as the sets can take it, once no row fits. Says whether that is news.
    bool steer()
    {
        auto const weight = s.traffic.weight(s.target);
        auto const asked = s.traffic.generation;
        auto const aim = stage_weight();
        if (!want.router || s.at == stage::restoring || s.at == stage::reverting) {
            // nothing to turn, or the table does
        } else if (s.at == stage::settled || s.at == stage::aborted) {
            s.traffic.send(s.stable);  // news only if there was no router before
        } else if (s.stable == 0) {
            if (aim == 100 && !s.paused && has(s.target, replicas()))
                s.traffic.send(s.target);
        } else if (weight > 0 && is_last_resort()) {
            s.traffic.send(s.stable);
        } else if (aim > weight) {
            if (!s.paused && s.traffic.is_acknowledged() && has(s.target, share_of(replicas(), aim)))
                s.traffic.send(s.stable, s.target, aim);
        } else if (aim < weight && can_return(100 - aim)) {
            s.traffic.send(s.stable, s.target, aim);
        }
        return s.traffic.generation != asked;
    }

    [[nodiscard]] reason why_not(order o) const
    {
        if (o == order::abort && s.stable == 0)
            return reason::no_stable;
        if (s.at != stage::stepping && s.at != stage::promoting)
            return reason::not_releasing;
        return s.paused ? reason::user_paused : reason::not_waiting;
    }

    // --- the answer -------------------------------------------------------------------------------

    [[nodiscard]] stepped answer()
    {
        release::goals out;
        if (want.router) {
            bool const drops = s.at == stage::aborted && want.abort_scale_down_delay &&
                is_over(s.since, *want.abort_scale_down_delay);
            say_sizes(out, [&](release::set const& x) { return size_by_weight(x, drops); });
            out.traffic = s.traffic;
        } else {
            size_by_pods();
            say_sizes(out, [&](release::set const& x) { return find_crowd(x.which).size; });
        }
        if (s.analysis.number != 0)
            out.analysis = s.analysis;
        if (s.background.number != 0)
            out.background = s.background;
        explain(out);
        out.wake_at = wake;
        return {.next = std::move(s), .todo = std::move(out)};
    }

private:
    friend base;

    /// With a router both bounds may be 0: then nothing may be missing.
    [[nodiscard]] static fenceposts bounds_of(spec const& w)
    {
        auto const n = std::max(w.replicas, 0);
        if (!w.router)
            return limits(w.bounds, strategy::rolling_update, n);
        return {.surge = std::max(w.bounds.surge, 0), .unavailable = std::clamp(w.bounds.unavailable, 0, n)};
    }

    // --- steps ------------------------------------------------------------------------------------

    [[nodiscard]] bool is_fast(template_id which) const { return s.stable == 0 || is_proven(which); }
    void begin()
    {
        s.target = want.template_;
        s.fast = is_fast(s.target);
        s.why = reason::complete;
        if (s.kept == s.target)
            forget_kept();
    }
    void enter_step(stage from)
    {
        if (from != stage::stepping) {
            begin();
            s.fast = false;
            list_ = fingerprint(want.steps);
        }
        if (s.list != list_ || from != stage::stepping) {
            s.list = list_;
            s.step = 0;
            drop_background();
        } else {
            ++s.step;
        }
        auto const* const here = instruction_at(s.step);
        if (auto const* const a = here == nullptr ? nullptr : std::get_if<analyze>(here))
            s.analysis = new_run(a->which);
        if (want.background && s.background.number == 0 && s.step >= want.background->from_step)
            s.background = new_run(want.background->which);
    }
    void drop_background()
    {
        s.background = {};
        s.waived = false;
    }
    /// Orders about analyses that do not know are followed wherever the release is.
    void heed()
    {
        if (s.at != stage::stepping)
            return;
        bool const beside = is_halted();
        bool const here = s.analysis.is_undecided();
        if (beside && hears(order::promote)) {
            s.waived = true;
            told.reset();
        } else if ((beside || here) && hears(order::retry)) {
            if (beside)
                s.background = new_run(s.background.which);
            if (here)
                s.analysis = new_run(s.analysis.which);
            told.reset();
        }
    }
    [[nodiscard]] bool is_halted() const { return s.background.is_undecided() && !s.waived; }
    [[nodiscard]] instruction const* instruction_at(std::size_t i) const
    {
        return i < want.steps.size() ? &want.steps[i] : nullptr;
    }
    /// Whether what is waited for is pods and routers, not a person, an analysis or a time.
    [[nodiscard]] bool waits_for_the_world() const
    {
        auto const* const here = instruction_at(s.step);
        return s.at == stage::promoting ||
            (s.at == stage::stepping && here != nullptr &&
                (std::holds_alternative<set_weight>(*here) || std::holds_alternative<set_scale>(*here)));
    }

    // --- weights ----------------------------------------------------------------------------------

    /// What the canary's weight is to be at this stage.
    [[nodiscard]] std::int32_t stage_weight() const
    {
        if (s.at == stage::promoting)
            return 100;
        if (s.at != stage::stepping)
            return 0;
        std::int32_t weight = 0;
        for (std::size_t i = 0; i <= s.step && i < want.steps.size(); ++i)
            if (auto const* const w = std::get_if<set_weight>(&want.steps[i]))
                weight = std::clamp(w->percent, 0, 100);
        return weight;
    }
    /// The stable set has the pods that a weight needs, but for those that may be missing.
    [[nodiscard]] bool can_return(std::int32_t percent) const
    {
        auto const needs = share_of(replicas(), percent);
        return has(s.stable, std::min(needs, std::max(needs - bounds_.unavailable, 1)));
    }
    /// Nobody can serve what the canary gets but stable, and be it with too few pods.
    [[nodiscard]] bool is_last_resort() const { return is_dead(s.target) && available(s.stable) > 0; }
    [[nodiscard]] bool has_weight() const
    {
        auto const aim = stage_weight();
        if (want.router)
            return s.traffic.is_acknowledged() && s.traffic.weight(s.target) == aim &&
                (s.stable == 0 || has(s.target, share_of(replicas(), aim)));
        auto const goal = wanted_mix();
        return has(s.target, goal.canary) && wanted(s.target) == goal.canary &&
            wanted(s.stable) == goal.stable && !has_leftovers();
    }

    // --- sizes with a router ----------------------------------------------------------------------

    [[nodiscard]] std::int32_t canary_size() const
    {
        std::int32_t scale = 0;
        for (std::size_t i = 0; s.at == stage::stepping && i <= s.step && i < want.steps.size(); ++i)
            if (auto const* const c = std::get_if<set_scale>(&want.steps[i]))
                scale = c->pods ? rollout::detail::narrow(c->pods->scaled(replicas(), rounding::up)) : 0;
        return std::max(scale, share_of(replicas(), std::max(stage_weight(), s.traffic.at_most(s.target))));
    }
    /// The wish for one set: what its weight needs, as it is to be or as some router may still have it.
    [[nodiscard]] std::int32_t size_by_weight(release::set const& x, bool drops) const
    {
        auto const exposed = share_of(replicas(), s.traffic.at_most(x.which));
        auto const held = std::max(exposed, std::clamp(x.wanted, 0, replicas()));
        if (x.which == s.stable) {
            bool const shrinks = want.dynamic_stable_scale && s.traffic.weight(s.target) > 0;
            if (shrinks && s.at == stage::stepping)
                return std::max(exposed, share_of(replicas(), 100 - stage_weight()));
            return shrinks && s.at == stage::promoting ? held : replicas();
        }
        if (x.which == s.target) {
            if (s.at == stage::stepping || s.at == stage::promoting)
                return canary_size();
            return drops ? exposed : held;
        }
        return x.which == s.kept ? held : exposed;
    }

    // --- sizes without ----------------------------------------------------------------------------

    /// A set among those that share the traffic by their pods.
    struct crowd {
        template_id which = 0;
        std::int32_t size = 0;
        std::int32_t available = 0;
        std::int32_t unavailable = 0;  ///< for all that is known
        std::int32_t goal = 0;
    };

    [[nodiscard]] mix wanted_mix() const
    {
        if (s.stable == 0 || s.at == stage::promoting)
            return {.stable = 0, .canary = replicas()};
        return s.at == stage::stepping ? reachable(stage_weight(), replicas(), bounds_.surge)
                                       : mix{.stable = replicas(), .canary = 0};
    }
    [[nodiscard]] bool has_leftovers() const
    {
        return std::any_of(see.sets.begin(), see.sets.end(), [&](release::set const& x) {
            return x.which != s.stable && x.which != s.target && (x.wanted > 0 || x.existing > 0);
        });
    }
    [[nodiscard]] bool has_left_by_pods() const
    {
        auto const* const x = find(s.target);
        return (x == nullptr || (x->wanted == 0 && x->existing == 0)) && !has_leftovers() && can_return(100);
    }
    crowd& find_crowd(template_id which)
    {
        auto const it =
            std::find_if(crowds_.begin(), crowds_.end(), [&](crowd const& c) { return c.which == which; });
        return it != crowds_.end() ? *it : crowds_.emplace_back(crowd{.which = which});
    }
    /// As far towards the mix as the bounds allow: stable grows first, leftovers shrink first, and pods that
    /// are not available before those that are.
    void size_by_pods()
    {
        auto room = std::int64_t{replicas()} + bounds_.surge;
        auto spare = std::int64_t{bounds_.unavailable} - replicas();
        for (auto const& x : see.sets) {
            auto const size = std::max(x.wanted, 0);
            auto const up = available(x.which);
            crowds_.push_back({x.which, size, up, x.observed ? size - up : 0, 0});
            room -= std::max(size, x.existing);
            spare += up;
        }
        auto const goal = wanted_mix();
        if (s.stable != 0)
            find_crowd(s.stable).goal = goal.stable;
        if (s.target != 0 && s.target != s.stable)
            find_crowd(s.target).goal = goal.canary;
        std::sort(crowds_.begin(), crowds_.end(), [&](crowd const& a, crowd const& b) {
            auto const rank = [&](crowd const& c) {
                return c.which == s.stable ? 2 : c.which == s.target ? 1 : 0;
            };
            return rank(a) != rank(b) ? rank(a) < rank(b) : a.which < b.which;
        });
        auto const resize = [](crowd& c, std::int64_t by, std::int64_t& budget) {
            c.size = static_cast<std::int32_t>(c.size + by);
            budget -= by < 0 ? -by : by;
        };
        for (auto it = crowds_.rbegin(); it != crowds_.rend(); ++it)
            if (auto const more = std::min<std::int64_t>(std::int64_t{it->goal} - it->size, room); more > 0)
                resize(*it, more, room);
        std::int64_t free = std::numeric_limits<std::int32_t>::max();
        for (auto& c : crowds_)
            if (auto const less = std::min(c.size - c.goal, c.unavailable); less > 0)
                resize(c, -less, free);
        for (auto& c : crowds_)
            if (auto const less = std::min<std::int64_t>(std::int64_t{c.size} - c.goal, spare); less > 0)
                resize(c, -less, spare);
    }

    // --- words ------------------------------------------------------------------------------------

    void explain(release::goals& out)
    {
        using release::phase;
        auto const wait = [&](reason why) {
            bool const late = is_stalled();
            say(out, late ? phase::degraded : phase::progressing, late ? reason::no_progress : why);
        };
        auto const analyse = [&](release::run const& r) {
            say(out, r.is_undecided() ? phase::paused : phase::progressing, reason_of(r));
        };
        auto const move = [&] {
            auto const weight = s.traffic.weight(s.target);
            if (!want.router || weight < stage_weight())
                wait(want.router && !s.traffic.is_acknowledged() ? reason::router_behind
                                                                 : reason::pods_starting);
            else
                wait(weight > stage_weight()          ? reason::stable_starting
                        : s.traffic.is_acknowledged() ? reason::pods_starting
                                                      : reason::router_behind);
        };
        switch (s.at) {
        case stage::settled:
            if (s.stable == 0)
                say(out, phase::progressing, reason::nothing_wanted);
            else if (!has(s.stable, replicas()))
                say(out, phase::progressing, reason::pods_starting);
            else if (s.kept != 0)
                say(out, phase::healthy, reason::old_kept);
            break;
        case stage::stepping:
            if (auto const* const here = instruction_at(s.step); here == nullptr || is_halted())
                analyse(s.background);
            else if (auto const* const p = std::get_if<pause>(here))
                say(out, p->lasts ? phase::progressing : phase::paused,
                    p->lasts ? reason::timed_pause : reason::wants_promotion);
            else if (std::holds_alternative<analyze>(*here))
                analyse(s.analysis);
            else if (std::holds_alternative<set_scale>(*here))
                wait(reason::pods_starting);
            else
                move();
            break;
        case stage::promoting: move(); break;
        case stage::restoring: wait(reason::stable_starting); break;
        case stage::reverting: wait(want.router ? reason::router_behind : reason::stable_starting); break;
        case stage::aborted: say(out, phase::degraded, s.why); break;
        }
        bool const waits = s.at == stage::stepping || s.at == stage::promoting || is_changed() ||
            (s.at == stage::aborted && is_wanted_again());
        if (s.paused && waits)
            say(out, phase::paused, reason::user_paused);
    }

    fenceposts bounds_;
    std::uint64_t list_ = 0;           ///< of the steps as they are now
    reason cause_ = reason::complete;  ///< of giving up, for the guard that was asked last
    std::vector<crowd> crowds_{};
};

using row = release::detail::row<machine, stage>;
using release::detail::any_of;
using enum release::detail::when_paused;

inline constexpr auto idle = any_of(stage::settled, stage::aborted);
inline constexpr auto under_way = any_of(stage::stepping, stage::promoting);

/// The machine: the first row that fits is taken, then the table is asked again. Between rows `steer` turns
/// the route towards the stage's weight.
// clang-format off
inline constexpr row table[] = {
    // from                       when                             to                if paused
    // back to where users are safe, also while paused
    {any_of(stage::aborted),      &machine::wants_stable,          stage::settled,   always},
    {under_way,                   &machine::wants_stable,          stage::restoring, always},
    {under_way,                   &machine::gives_up,              stage::restoring, always},
    {any_of(stage::restoring),    &machine::stable_serves,         stage::reverting, always},
    {any_of(stage::reverting),    &machine::has_left,              stage::aborted,   always},
    // to another template, from stable alone
    {under_way,                   &machine::leaves_for_another,    stage::restoring},
    {any_of(stage::promoting),    &machine::starts_over,           stage::promoting},
    {idle,                        &machine::wants_another_fast,    stage::promoting},
    {idle,                        &machine::wants_another,         stage::stepping},
    {any_of(stage::aborted),      &machine::is_wanted_again,       stage::stepping},
    {any_of(stage::aborted),      &machine::is_retried,            stage::stepping},
    // forward
    {any_of(stage::stepping),     &machine::is_promoted_full,      stage::promoting},
    {any_of(stage::stepping),     &machine::has_other_steps,       stage::stepping},
    {any_of(stage::stepping),     &machine::is_step_done,          stage::stepping},
    {any_of(stage::stepping),     &machine::is_through,            stage::promoting},
    {any_of(stage::promoting),    &machine::is_complete,           stage::settled},
};
// clang-format on

/// `step` by a table of the caller's: tests break rows to see that it is noticed.
[[nodiscard]] inline stepped step_by(std::span<row const> rows, spec const& wanted, state const& before,
    release::observed const& seen, time_point now)
{
    machine m(wanted, before, seen, now);
    machine::follow(m, rows, wanted.steps.size() + 32);
    return m.answer();
}

}  // namespace detail

constexpr mix reachable(std::int32_t percent, std::int32_t replicas, std::int32_t surge) noexcept
{
    auto const weight = std::clamp(percent, 0, 100);
    auto const n = std::max(replicas, 0);
    mix best{.stable = n - (weight == 100 ? n : 0), .canary = weight == 100 ? n : 0};
    if (n == 0 || weight == 0 || weight == 100)
        return best;
    bool const may_surge = surge > 0 && n < std::numeric_limits<std::int32_t>::max();
    // |canary / all - weight / 100|, times 100 * all
    auto const error = [weight](std::int64_t canary, std::int64_t all) {
        auto const e = 100 * canary - weight * all;
        return e < 0 ? -e : e;
    };
    std::int64_t best_all = 0;  // nothing yet
    auto const consider = [&](std::int64_t canary, std::int64_t all) {
        bool const both = all < 2 || (canary >= 1 && canary <= all - 1);
        if (!both)
            return;
        auto const mine = error(canary, all) * best_all;
        auto const its = error(best.canary, best_all) * all;
        if (best_all != 0 && (mine > its || (mine == its && (all > best_all || canary < best.canary))))
            return;
        best = {
            .stable = static_cast<std::int32_t>(all - canary), .canary = static_cast<std::int32_t>(canary)};
        best_all = all;
    };
    for (std::int64_t all = n; all <= std::int64_t{n} + (may_surge ? 1 : 0); ++all) {
        if (all < 2 && may_surge)
            continue;  // with one more pod both sets have one
        auto const down = weight * all / 100;
        for (auto const canary : {down, down + 1})
            consider(all < 2 ? canary : std::clamp<std::int64_t>(canary, 1, all - 1), all);
    }
    return best;
}

inline result<void> check(spec const& wanted)
{
    found_errors wrong;
    release::detail::check_common(wanted, wrong);
    auto const refuse = [&](std::string path, char const* message) {
        wrong.add({errc::invalid, message, std::move(path), {}});
    };
    if (wanted.dynamic_stable_scale && !wanted.router)
        refuse("dynamic_stable_scale", "needs a router");
    if (wanted.bounds.surge < 0)
        refuse("bounds.surge", "must be at least 0");
    if (wanted.bounds.unavailable < 0)
        refuse("bounds.unavailable", "must be at least 0");
    if (wanted.background && wanted.background->from_step >= wanted.steps.size())
        refuse("background.from_step", "must be the position of a step");
    if (wanted.steps.size() > 1000) {
        refuse("steps", "must be at most 1000");
        return std::move(*wrong.all);
    }
    std::int32_t weight = 0;
    for (std::size_t i = 0; i < wanted.steps.size(); ++i) {
        auto const at = "steps[" + std::to_string(i) + "].";
        auto const& step = wanted.steps[i];
        if (auto const* const w = std::get_if<set_weight>(&step)) {
            if (w->percent < 0 || w->percent > 100)
                refuse(at + "set_weight", "must be from 0 to 100");
            else if (w->percent < weight && !wanted.backwards)
                refuse(
                    at + "set_weight", "must not be below the weight before it, unless `backwards` says so");
            weight = w->percent;
        } else if (auto const* const p = std::get_if<pause>(&step)) {
            if (p->lasts && *p->lasts <= duration::zero())
                refuse(at + "pause", "must be longer than 0, or left out to wait until told");
        } else if (auto const* const c = std::get_if<set_scale>(&step)) {
            if (!wanted.router)
                refuse(at + "set_scale", "needs a router");
            else if (c->pods && c->pods->value < 0)
                refuse(at + "set_scale", "must be at least 0");
            else if (c->pods && c->pods->is_percent() && c->pods->value > 100)
                refuse(at + "set_scale", "must be at most 100%");
        }
    }
    if (wrong.all)
        return std::move(*wrong.all);
    return {};
}

inline stepped step(spec const& wanted, state const& before, release::observed const& seen, time_point now)
{
    return detail::step_by(detail::table, wanted, before, seen, now);
}

inline release::plan<stage> plan(spec const& wanted, release::pace const& how)
{
    return release::detail::rehearsal<spec, state, stage>(wanted, how).run([](auto const&... all) {
        return step(all...);
    });
}

}  // namespace podium::v0::rollout::canary
