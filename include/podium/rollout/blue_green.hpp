#pragma once
/// Blue/green: the new version is brought up beside the old one, looked at, and switched to in one go.
///
/// The preview service leads to the new set at once, and the check begins when every router knows. The active
/// route is switched when the new set is fully available, its check has passed and somebody, or the clock,
/// says so. The old set stays at full size until
/// every router has acknowledged the switch, the check after it has passed and a delay is over; in all that
/// time an abort leads users back without starting a pod. An analysis that does not know stops the release
/// and never promotes it.
///
/// A further template in mid-way takes the preview's place. After the switch the now active set stays, as
/// stable if it has passed all its checks; otherwise an abort still goes back to the last that had.
///
/// Source: the fields and their meaning are Argo Rollouts' `blueGreen` at 9f8d111
/// (docs/features/bluegreen.md, rollout/bluegreen.go). What differs: nothing is scaled down before routers
/// have acknowledged the switch, and a check that is inconclusive waits for a person instead of ending with
/// the delay.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/release.hpp>
#include <podium/rollout/verdict.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace podium::inline v0::rollout::blue_green {

using release::template_id;

/// What is wanted.
struct spec {
    template_id template_ = 0;
    std::int32_t replicas = 1;
    bool auto_promotion = true;                      ///< switch without being told
    duration auto_promotion_delay{};                 ///< but not before the check has passed for so long
    std::optional<std::int32_t> preview_replicas{};  ///< size before the promotion, <= replicas; none: all
    std::optional<std::uint32_t> pre_promotion{};    ///< the analysis before the switch
    std::optional<std::uint32_t> post_promotion{};   ///< the analysis after it
    duration scale_down_delay = std::chrono::seconds(30);  ///< from the acknowledged switch on
    std::optional<duration> abort_scale_down_delay = std::chrono::seconds(30);  ///< none: it is kept
    std::optional<duration> progress_deadline = std::chrono::seconds(600);      ///< none: waits for ever
    bool abort_at_deadline = false;   ///< before the switch; later it is only shown
    bool fast_rollback = true;        ///< to a set that is still kept at full size: no checks, no waits
    std::size_t rollback_window = 0;  ///< so many templates that were stable before are released fast, too
    std::optional<std::int32_t> revision_history_limit = 10;  ///< sets without pods to keep; none: all

    [[nodiscard]] static constexpr bool has_router() noexcept { return true; }
};

/// How far the release is.
enum class stage : std::uint8_t {
    settled,    ///< no release is under way
    preparing,  ///< the new set grows to its preview size
    checking,   ///< the analysis before the switch
    waiting,    ///< for the delay, or until told
    filling,    ///< the new set grows to its full size
    switching,  ///< the route leads to the new set, but some router may not know yet
    verifying,  ///< the analysis after the switch
    keeping,    ///< it has passed; the old set is kept, and an abort still goes back
    restoring,  ///< the stable set is made ready to take the traffic back
    reverting,  ///< the route leads to it again, but some router may not know yet
    aborted,    ///< all traffic is on stable; the new set is kept for a while
};

/// All that is remembered between steps; the caller stores it.
struct state : release::memory {
    stage at = stage::settled;
    time_point switched{};  ///< when the switch was acknowledged
    friend bool operator==(state const&, state const&) = default;
};

/// A step: what to remember, and what should be.
struct stepped {
    state next{};
    release::goals todo{};
    friend bool operator==(stepped const&, stepped const&) = default;
};

/// Whether the spec makes sense: all that does not, each with its path. O(1).
[[nodiscard]] inline result<void> check(spec const& wanted);

/// Advances a release as far as what is seen allows. Total and deterministic, also for a spec that `check`
/// refuses; with nothing new, `next == before` and the goals are the same. O(n log n) for n sets. What does
/// not count as an error of the spec, but keeps the release where it is, is in `todo.why` and `next.refused`.
[[nodiscard]] inline stepped step(
    spec const& wanted, state const& before, release::observed const& seen, time_point now);

/// The release from another template, fully available, to this one: what the machine asks for when nothing
/// fails. As long as the release has steps.
[[nodiscard]] inline release::plan<stage> plan(spec const& wanted, release::pace const& how = {});

[[nodiscard]] constexpr std::string_view to_string(stage s) noexcept
{
    switch (s) {
    case stage::settled: return "settled";
    case stage::preparing: return "preparing";
    case stage::checking: return "checking";
    case stage::waiting: return "waiting";
    case stage::filling: return "filling";
    case stage::switching: return "switching";
    case stage::verifying: return "verifying";
    case stage::keeping: return "keeping";
    case stage::restoring: return "restoring";
    case stage::reverting: return "reverting";
    case stage::aborted: return "aborted";
    }
    return "unknown";
}

namespace detail {

/// One call of `step`: guards ask, `take` moves, `answer` tells what should be now.
class machine : public release::detail::machine<spec, state> {
public:
    using base = release::detail::machine<spec, state>;
    using order = release::order;
    using reason = release::reason;

    machine(spec const& wanted_, state const& before, release::observed const& seen, time_point now_)
        : base(wanted_, before, seen, now_)
    {
        if (is_releasing() && hears(order::promote_full)) {
            s.fast = true;
            told.reset();
        }
    }

    // --- guards -----------------------------------------------------------------------------------

    bool wants_stable() { return is_changed() && want.template_ == s.stable; }
    bool wants_active() { return is_changed() && want.template_ == active(); }
    bool wants_another() { return is_changed(); }
    bool gives_up()
    {
        if (s.stable == 0)
            return false;
        bool const late =
            want.abort_at_deadline && (s.at == stage::preparing || s.at == stage::filling) && is_stalled();
        bool const failed = s.analysis.is(verdict::fail);
        bool const asked = hears(order::abort);
        cause_ = asked ? reason::aborted_by_user : failed ? reason::analysis_failed : reason::aborted_late;
        return asked || failed || late;
    }
    bool is_wanted_again() { return s.why == reason::back_to_stable; }
    bool is_retried() { return hears(order::retry); }
    bool is_retried_undecided() { return s.analysis.is_undecided() && hears(order::retry); }
    bool previews() { return has(s.target, preview_size()); }
    /// A check looks at what users would see: not before routers lead there.
    bool is_to_be_checked() { return want.pre_promotion && !s.fast; }
    bool previews_to_be_checked() { return is_to_be_checked() && previews() && is_led_to(); }
    bool previews_unchecked() { return !is_to_be_checked() && previews(); }
    bool passes() { return s.fast || is_content(s.analysis); }
    bool is_promoted()
    {
        return s.fast || hears(order::promote) ||
            (want.auto_promotion && is_over(s.since, want.auto_promotion_delay));
    }
    bool is_full() { return is_acknowledged() && has(s.target, replicas()); }
    bool is_acknowledged() { return s.traffic.is_acknowledged(); }
    bool verifies() { return s.analysis.number == 0 || passes(); }
    bool has_kept() { return s.stable == 0 || is_over(s.switched, want.scale_down_delay); }
    /// Going back must not cost capacity that is there: the old set is complete, or has no fewer pods than
    /// the one that serves now.
    bool stable_serves()
    {
        return is_stable_active() ||
            has(s.stable, std::min(replicas(), std::max(most_available(active()), 1)));
    }

    // --- moves ------------------------------------------------------------------------------------

    void look()
    {
        base::look();
        note_progress(available(s.at == stage::restoring ? s.stable : s.target));
    }

    void take(stage to)
    {
        auto const from = std::exchange(s.at, to);
        s.analysis = {};
        switch (to) {
        case stage::settled:
            if (from == stage::keeping)
                establish(s.target);
            s.target = s.stable;
            s.fast = false;
            s.switched = {};
            s.why = reason::complete;
            break;
        case stage::preparing: begin(from); break;
        case stage::checking: s.analysis = new_run(*want.pre_promotion); break;
        case stage::switching:
            if (wants_active()) {  // again: only its check is due
                s.target = want.template_;
                s.fast = false;
            }
            s.traffic.send(s.target);
            break;
        case stage::verifying:
            s.switched = now;
            if (want.post_promotion && !s.fast)
                s.analysis = new_run(*want.post_promotion);
            break;
        case stage::restoring: s.why = wants_stable() ? reason::back_to_stable : cause_; break;
        case stage::reverting: s.traffic.send(s.stable); break;
        case stage::waiting:
        case stage::filling:
        case stage::keeping:
        case stage::aborted: break;
        }
    }

    [[nodiscard]] static bool steer() { return false; }  // the table turns the route

    [[nodiscard]] reason why_not(order o) const
    {
        if (o == order::abort && s.stable == 0)
            return reason::no_stable;
        if (!is_releasing() && s.at != stage::keeping)
            return reason::not_releasing;
        return s.paused ? reason::user_paused : reason::not_waiting;
    }

    // --- the answer -------------------------------------------------------------------------------

    [[nodiscard]] stepped answer()
    {
        release::goals out;
        bool const drops = s.at == stage::aborted && want.abort_scale_down_delay &&
            is_over(s.since, *want.abort_scale_down_delay);
        say_sizes(out, [&](release::set const& x) { return size_of(x, drops); });
        out.traffic = s.traffic;
        out.preview = s.at == stage::aborted && wanted(s.target) == 0 ? s.stable : s.target;
        if (s.analysis.number != 0)
            out.analysis = s.analysis;
        explain(out);
        out.wake_at = wake;
        return {.next = std::move(s), .todo = std::move(out)};
    }

private:
    friend base;

    void begin(stage from)
    {
        if (from == stage::keeping) {  // what is active has passed everything
            keep(s.stable, later(s.switched, want.scale_down_delay));
            establish(s.target);
        }
        s.target = want.template_;
        bool const is_kept = s.kept == s.target;
        s.fast = s.stable == 0 || is_proven(s.target) || (want.fast_rollback && is_kept);
        if (is_kept)
            forget_kept();
        s.why = reason::complete;
    }

    [[nodiscard]] bool is_releasing() const
    {
        switch (s.at) {
        case stage::preparing:
        case stage::checking:
        case stage::waiting:
        case stage::filling:
        case stage::switching:
        case stage::verifying: return true;
        case stage::settled:
        case stage::keeping:
        case stage::restoring:
        case stage::reverting:
        case stage::aborted: return false;
        }
        return false;
    }
    [[nodiscard]] template_id active() const
    {
        for (auto const& x : s.traffic.shares)
            if (x.weight > 0)
                return x.to;
        return 0;
    }
    [[nodiscard]] bool is_stable_active() const { return active() == s.stable; }
    [[nodiscard]] bool is_led_to() const { return !see.previewed || see.previewed == s.target; }

    [[nodiscard]] std::int32_t preview_size() const
    {
        return s.fast || !want.preview_replicas ? replicas()
                                                : std::clamp(*want.preview_replicas, 0, replicas());
    }

    /// The wish for one set. What serves, or may serve still, is whole; so is what an abort goes back to.
    [[nodiscard]] std::int32_t size_of(release::set const& x, bool drops) const
    {
        if (s.traffic.at_most(x.which) > 0 || x.which == s.stable || x.which == s.kept)
            return replicas();
        if (x.which != s.target)
            return 0;
        switch (s.at) {
        case stage::preparing:
        case stage::checking:
        case stage::waiting: return preview_size();
        case stage::restoring:
        case stage::reverting:
        case stage::aborted: return drops ? 0 : std::clamp(x.wanted, 0, replicas());
        case stage::settled:
        case stage::filling:
        case stage::switching:
        case stage::verifying:
        case stage::keeping: return replicas();
        }
        return replicas();
    }

    void explain(release::goals& out)
    {
        using release::phase;
        auto const wait = [&](reason why) {
            bool const late = is_stalled();
            say(out, late ? phase::degraded : phase::progressing, late ? reason::no_progress : why);
        };
        auto const analyse = [&] {
            say(out, s.analysis.is_undecided() ? phase::paused : phase::progressing, reason_of(s.analysis));
        };
        switch (s.at) {
        case stage::settled:
            if (s.stable == 0)
                say(out, phase::progressing, reason::nothing_wanted);
            else if (!has(s.stable, replicas()))
                say(out, phase::progressing, reason::pods_starting);
            break;
        case stage::preparing:
            wait(previews() && !is_led_to() ? reason::router_behind : reason::pods_starting);
            break;
        case stage::filling: wait(is_acknowledged() ? reason::pods_starting : reason::router_behind); break;
        case stage::switching: wait(reason::router_behind); break;
        case stage::checking:
        case stage::verifying: analyse(); break;
        case stage::waiting:
            if (want.auto_promotion)
                say(out, phase::progressing, reason::timed_pause);
            else
                say(out, phase::paused, reason::wants_promotion);
            break;
        case stage::keeping: say(out, phase::healthy, reason::old_kept); break;
        case stage::restoring: wait(reason::stable_starting); break;
        case stage::reverting: wait(reason::router_behind); break;
        case stage::aborted: say(out, phase::degraded, s.why); break;
        }
        bool const waits = is_releasing() || s.at == stage::keeping || is_changed() ||
            (s.at == stage::aborted && is_wanted_again());
        if (s.paused && waits)
            say(out, phase::paused, reason::user_paused);
    }

    reason cause_ = reason::complete;  ///< of giving up, for the guard that was asked last
};

using row = release::detail::row<machine, stage>;
using release::detail::any_of;
using enum release::detail::when_paused;

inline constexpr auto idle = any_of(stage::settled, stage::aborted);
inline constexpr auto unswitched = any_of(stage::preparing, stage::checking, stage::waiting, stage::filling);
inline constexpr auto switched = any_of(stage::switching, stage::verifying, stage::keeping);

/// The machine: the first row that fits is taken, then the table is asked again.
// clang-format off
inline constexpr row table[] = {
    // from                        when                                     to                 if paused
    // back to where users are safe, also while paused
    {any_of(stage::aborted),        &machine::wants_stable,                  stage::settled,    always},
    {unswitched | switched,         &machine::wants_stable,                  stage::restoring,  always},
    {unswitched | switched,         &machine::gives_up,                      stage::restoring,  always},
    {any_of(stage::restoring),      &machine::stable_serves,                 stage::reverting,  always},
    {any_of(stage::reverting),      &machine::is_acknowledged,               stage::aborted,    always},
    // what users are on is judged before anything else is begun
    {any_of(stage::verifying),      &machine::is_retried_undecided,          stage::verifying},
    {any_of(stage::verifying),      &machine::verifies,                      stage::keeping},
    // to another template; from a switch only when all routers have made it
    {unswitched,                    &machine::wants_active,                  stage::switching},
    {idle | unswitched,             &machine::wants_another,                 stage::preparing},
    {any_of(stage::verifying),      &machine::wants_another,                 stage::preparing},
    {any_of(stage::keeping),        &machine::wants_another,                 stage::preparing},
    {any_of(stage::aborted),        &machine::is_wanted_again,               stage::preparing},
    {any_of(stage::aborted),        &machine::is_retried,                    stage::preparing},
    // forward
    {any_of(stage::preparing),      &machine::previews_to_be_checked,        stage::checking},
    {any_of(stage::preparing),      &machine::previews_unchecked,            stage::waiting},
    {any_of(stage::checking),       &machine::is_retried_undecided,          stage::checking},
    {any_of(stage::checking),       &machine::passes,                        stage::waiting},
    {any_of(stage::waiting),        &machine::is_promoted,                   stage::filling},
    {any_of(stage::filling),        &machine::is_full,                       stage::switching},
    {any_of(stage::switching),      &machine::is_acknowledged,               stage::verifying},
    {any_of(stage::keeping),        &machine::has_kept,                      stage::settled},
};
// clang-format on

/// `step` by a table of the caller's: tests break rows to see that it is noticed.
[[nodiscard]] inline stepped step_by(std::span<row const> rows, spec const& wanted, state const& before,
    release::observed const& seen, time_point now)
{
    machine m(wanted, before, seen, now);
    machine::follow(m, rows, 32);
    return m.answer();
}

}  // namespace detail

inline result<void> check(spec const& wanted)
{
    found_errors wrong;
    release::detail::check_common(wanted, wrong);
    if (wanted.auto_promotion_delay < duration::zero())
        wrong.add({errc::invalid, "must be at least 0", "auto_promotion_delay", {}});
    if (!wanted.auto_promotion && wanted.auto_promotion_delay != duration::zero())
        wrong.add({errc::invalid, "means nothing without auto_promotion", "auto_promotion_delay", {}});
    if (wanted.preview_replicas && *wanted.preview_replicas < 0)
        wrong.add({errc::invalid, "must be at least 0", "preview_replicas", {}});
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

}  // namespace podium::v0::rollout::blue_green
