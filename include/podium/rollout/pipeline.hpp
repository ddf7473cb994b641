#pragma once
/// A release line: build, test, publish, deploy, verify, one after the other, and back again when it must be.
///
/// A stage begins when the one before it has passed. One that fails, its retries included, stops the line:
/// what comes after it is skipped, and where it says so all that this run deployed is rolled back, the latest
/// first. A deploy that failed is rolled back too, for it may have got half way. A stage that hangs is ended
/// at its time-out, and one that does not even end then is given up and not tried again, so every run ends.
///
/// One run at a time. While it goes on the newest event waits and those before it are forgotten: it asks for
/// all that they did. It does not cut the run off: that would leave users on a version that nobody has
/// verified, or cost a rollback for nothing, and a run is bounded by its time-outs.
///
///     doing    | what is seen               | then
///     ---------+----------------------------+---------------------------------------------------------
///     waiting  | its time has come          | working: start
///              | cancel                     | cancelled: stop the line
///     working  | ended, passed              | the next stage; after the last one the run has passed
///              | ended, failed              | retries left: waiting; else failed: stop the line
///              | its time is up, or cancel  | ending: end it
///     ending   | ended                      | cancelled: stop the line; else as a failure
///              | the grace is over          | stop the line, no retry
///
/// A rollback is a job as a stage is, with retries of its own; only it cannot be cancelled, and the end of
/// the last one is the end of the run. Pure: no clock, no I/O; the caller brings `now` and runs the jobs.
///
/// Source: podium's own. Retries wait as core/backoff.hpp says; that what a failed upgrade touched is put
/// back without being asked is Helm's `upgrade --atomic`.

#include <podium/core/backoff.hpp>
#include <podium/core/names.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::rollout::pipeline {

inline constexpr std::size_t max_stages = 100;
inline constexpr std::uint32_t max_retries = 100;
inline constexpr std::size_t max_tail_bytes = 1024 * 1024;

/// What a stage does. Only a deploy can be rolled back; the others differ in their `default_reaction`.
enum class kind : std::uint8_t { build, test, publish, deploy, verify };

/// What happens when a stage has failed, besides that the line stops.
enum class reaction : std::uint8_t {
    stop,       ///< what was deployed stays
    roll_back,  ///< all deploys of this run that were begun are taken back
};

/// A deploy or verify that fails takes the new version away from users; what comes before a deploy has
/// touched nobody.
[[nodiscard]] constexpr reaction default_reaction(kind k) noexcept
{
    return k == kind::deploy || k == kind::verify ? reaction::roll_back : reaction::stop;
}

/// How long, and how often.
struct patience {
    duration timeout = std::chrono::minutes(10);  ///< of one attempt, > 0
    std::uint32_t retries = 0;                    ///< further attempts after failures, at most `max_retries`
    backoff_policy backoff{.base = std::chrono::seconds(1),
        .factor = 2,
        .cap = std::chrono::minutes(1),
        .reset_after = duration::max(),
        .first_at_once = false};  ///< between attempts
    friend bool operator==(patience const&, patience const&) = default;
};

struct stage {
    std::string name{};  ///< a DNS label, as logs are named by it; unique in its line
    kind what = kind::build;
    patience allowed{};
    std::optional<reaction> on_failure{};  ///< none: `default_reaction(what)`
    friend bool operator==(stage const&, stage const&) = default;
};

[[nodiscard]] constexpr reaction reaction_of(stage const& s) noexcept
{
    return s.on_failure.value_or(default_reaction(s.what));
}

/// The line.
struct spec {
    std::string name{};           ///< a DNS label
    std::vector<stage> stages{};  ///< in their order, 1 to `max_stages`
    patience rollback{.timeout = std::chrono::minutes(5), .retries = 2};  ///< of each deploy
    duration grace = std::chrono::seconds(10);  ///< for what is ended to be gone, >= 0
    std::size_t tail_bytes = 4096;              ///< of output kept of each stage, at most `max_tail_bytes`
    friend bool operator==(spec const&, spec const&) = default;
};

/// Why a run is asked for.
struct event {
    std::string source{};   ///< "manual", "file", "webhook", ...
    std::string what{};     ///< for people: the path that changed, the request
    std::size_t first = 0;  ///< the stage to begin with; those before it are skipped
    friend bool operator==(event const&, event const&) = default;
};

enum class outcome : std::uint8_t {
    pending,  ///< not begun
    running,  ///< begun and not decided: at work, being ended, or waiting for its next attempt
    passed,
    failed,
    timed_out,  ///< of a stage only; its run has failed
    cancelled,
    skipped,
};

/// What became of taking back a deploy.
enum class undo : std::uint8_t { none, pending, running, done, failed };

/// One stage of a run. A duration is `took`.
struct progress {
    outcome now = outcome::pending;
    std::uint32_t attempts = 0;  ///< begun, those that a crash cut off included
    time_point began_at{};       ///< the first attempt
    time_point ended_at{};       ///< the latest attempt
    std::string tail{};          ///< the end of what the latest attempt to end has printed
    undo undone = undo::none;
    std::uint32_t undo_attempts = 0;
    std::string undo_tail{};  ///< the same of the rollback
    friend bool operator==(progress const&, progress const&) = default;
};

enum class phase : std::uint8_t {
    idle,          ///< there was no run yet
    running,       ///< forward
    rolling_back,  ///< the result is known, and what was deployed is being taken back
    over,
};

/// What the job of stage `at` is at.
enum class activity : std::uint8_t { waiting, working, ending };

/// All that is remembered; a default one has not run. The caller may store it after each step, and go on
/// from there with `resume`.
struct state {
    std::uint64_t run = 0;  ///< counts the runs, from 1
    pipeline::phase phase = pipeline::phase::idle;
    outcome result = outcome::pending;  ///< of the run: passed, failed or cancelled once it is known
    event cause{};
    std::optional<event> next{};  ///< asked for meanwhile: runs when this one is over
    time_point began_at{};
    time_point ended_at{};
    std::vector<progress> stages{};

    std::size_t at = 0;  ///< the stage being run or taken back
    activity doing = activity::waiting;
    outcome ending_as = outcome::pending;  ///< while ending: timed_out or cancelled
    time_point until = never;              ///< waiting: to begin; working: its time-out; ending: the grace
    std::uint32_t failures = 0;            ///< of this job, those that count against its retries
    backoff_state backoff{};
    friend bool operator==(state const&, state const&) = default;
};

enum class way : std::uint8_t { forward, back };

/// One attempt of one stage, or of its rollback. No two of a line are equal, so a late answer harms nobody.
struct job {
    std::uint64_t run = 0;
    std::size_t stage = 0;
    std::uint32_t attempt = 0;  ///< from 1
    way which = way::forward;
    friend bool operator==(job const&, job const&) = default;
};

/// A job's process or calls are over, whether by themselves or because they were ended.
struct ended {
    job of{};
    bool passed = false;
    std::string tail{};  ///< its last output; the machine keeps `tail_bytes` of it
    friend bool operator==(ended const&, ended const&) = default;
};

/// What happened since the last step, taken in field order. What is not expected is ignored.
struct observed {
    std::optional<ended> end{};
    bool cancel = false;  ///< end the run, and forget who waits
    std::optional<pipeline::event> event{};
    friend bool operator==(observed const&, observed const&) = default;
};

enum class verb : std::uint8_t {
    nothing,
    start,  ///< begin this job; step with its end
    end,    ///< stop it for good; step with its end when it is gone
};

struct action {
    verb what = verb::nothing;
    job of{};
    friend bool operator==(action const&, action const&) = default;
};

struct stepped {
    state next{};
    action todo{};               ///< at most one thing: one job is under way at a time
    time_point wake_at = never;  ///< step again then, whatever is seen
};

[[nodiscard]] constexpr bool is_under_way(state const& s) noexcept
{
    return s.phase == phase::running || s.phase == phase::rolling_back;
}

/// What is wrong with a line, all of it: `invalid` with the path of each field. O(n^2) in the stages.
[[nodiscard]] inline result<void> check(spec const& p);

/// Whether a stored state is of this line: `conflict` when a run is under way that is not.
[[nodiscard]] inline result<void> check(spec const& p, state const& s);

/// Advances by what was seen. Total and deterministic; a run that does not fit `p` (see `check`) is over and
/// has failed. Extra calls are harmless: with nothing seen and nothing due, `next == s` and `todo` is
/// nothing. A run that is over stays to be looked at until the next step, even if an event waits. O(stages).
[[nodiscard]] inline stepped step(spec const& p, state s, observed const& seen, time_point now);

/// The state to go on from when whoever ran the jobs has died and come back: a job that was under way is done
/// again, which does not count as a failure. So a job must bear to be done twice. A repeated call changes
/// nothing more.
[[nodiscard]] inline state resume(spec const& p, state s, time_point now);

/// From the begin of the first attempt to the end of the latest, or to `now` while undecided; 0 if not begun.
[[nodiscard]] constexpr duration took(progress const& g, time_point now) noexcept
{
    if (g.attempts == 0)
        return {};
    return std::max(duration::zero(), elapsed(g.began_at, g.now == outcome::running ? now : g.ended_at));
}

/// Appends, and keeps the last `limit` bytes, not cutting a UTF-8 sequence in two.
inline void append_tail(std::string& tail, std::string_view more, std::size_t limit)
{
    tail.append(more.substr(more.size() - std::min(more.size(), limit)));
    auto cut = tail.size() - std::min(tail.size(), limit);
    if (cut > 0)
        while (cut < tail.size() && (static_cast<unsigned char>(tail[cut]) & 0xC0) == 0x80)
            ++cut;
    tail.erase(0, cut);
}

[[nodiscard]] constexpr std::string_view to_string(kind k) noexcept
{
    switch (k) {
    case kind::build: return "build";
    case kind::test: return "test";
    case kind::publish: return "publish";
    case kind::deploy: return "deploy";
    case kind::verify: return "verify";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(outcome o) noexcept
{
    switch (o) {
    case outcome::pending: return "pending";
    case outcome::running: return "running";
    case outcome::passed: return "passed";
    case outcome::failed: return "failed";
    case outcome::timed_out: return "timed out";
    case outcome::cancelled: return "cancelled";
    case outcome::skipped: return "skipped";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(undo u) noexcept
{
    switch (u) {
    case undo::none: return "none";
    case undo::pending: return "pending";
    case undo::running: return "running";
    case undo::done: return "done";
    case undo::failed: return "failed";
    }
    return "unknown";
}

/// A duration for people: "850 ms", "1.2 s", "2 min 5 s", "3 h 0 min".
[[nodiscard]] inline std::string spelled(duration d);

/// What became of one stage: "passed, 1.2 s", "failed after 3 attempts, 2.4 s: expected 200, got 500" (the
/// last line it printed), "timed out, 2 min 0 s; rolled back".
[[nodiscard]] inline std::string line(state const& s, std::size_t stage, time_point now);

/// The run in one line: "shop, run 3 (file: src/web.cpp): failed at verify after 4.2 s; deploy rolled back".
[[nodiscard]] inline std::string summary(spec const& p, state const& s, time_point now);

/// A line for each stage, names first, in a column.
[[nodiscard]] inline std::string table(spec const& p, state const& s, time_point now);

}  // namespace podium::v0::rollout::pipeline

namespace podium::inline v0::rollout::pipeline::detail {

[[nodiscard]] inline bool fits(spec const& p, state const& s) noexcept
{
    return s.stages.size() == p.stages.size() && s.at < s.stages.size() &&
        (s.phase != phase::rolling_back || p.stages[s.at].what == kind::deploy);
}

/// One call of `step`.
class machine {
public:
    machine(spec const& line, state& s, time_point now) : p(line), s_(s), now_(now) {}

    action run(observed const& seen)
    {
        bool const was_under_way = is_under_way(s_);
        if (was_under_way && !fits(p, s_))
            abandon();
        if (seen.end)
            take(*seen.end);
        if (seen.cancel)
            cancel();
        if (seen.event)
            s_.next = seen.event;
        if (!was_under_way && s_.next)
            begin();
        while (todo_.what == verb::nothing && is_under_way(s_) && now_ >= s_.until)
            come_due();
        return todo_;
    }

    /// A job's end, if it is the one under way.
    void take(ended const& e)
    {
        if (!is_under_way(s_) || s_.doing == activity::waiting || e.of != current())
            return;
        auto& tail = s_.phase == phase::running ? stage().tail : stage().undo_tail;
        tail.clear();
        append_tail(tail, e.tail, std::min(p.tail_bytes, max_tail_bytes));
        if (s_.doing == activity::ending)
            finish(s_.ending_as, s_.ending_as == outcome::timed_out);
        else
            finish(e.passed ? outcome::passed : outcome::failed, true);
    }

    [[nodiscard]] job current() const
    {
        bool const forward = s_.phase == phase::running;
        auto const attempt = s_.at >= s_.stages.size() ? 0
            : forward                                  ? s_.stages[s_.at].attempts
                                                       : s_.stages[s_.at].undo_attempts;
        return {s_.run, s_.at, attempt, forward ? way::forward : way::back};
    }

private:
    progress& stage() { return s_.stages[s_.at]; }
    patience const& allowed() const
    {
        return s_.phase == phase::running ? p.stages[s_.at].allowed : p.rollback;
    }

    void begin()
    {
        state fresh;
        fresh.run = s_.run + 1;
        fresh.cause = *std::exchange(s_.next, std::nullopt);
        fresh.began_at = now_;
        fresh.stages.resize(p.stages.size());
        s_ = std::move(fresh);
        for (std::size_t i = 0; i < std::min(s_.cause.first, s_.stages.size()); ++i)
            s_.stages[i].now = outcome::skipped;
        if (s_.cause.first >= s_.stages.size()) {  // nothing to do is nothing that passed
            s_.result = outcome::failed;
            return end_run();
        }
        s_.phase = phase::running;
        s_.at = s_.cause.first;
        next_job();
    }

    void next_job()
    {
        s_.doing = activity::waiting;
        s_.ending_as = outcome::pending;
        s_.until = now_;
        s_.failures = 0;
        s_.backoff = {};
    }

    void come_due()
    {
        switch (s_.doing) {
        case activity::waiting: start(); break;
        case activity::working: end_job(outcome::timed_out); break;
        case activity::ending: finish(s_.ending_as, false); break;
        }
    }

    void start()
    {
        auto& g = stage();
        if (s_.phase == phase::running) {
            if (g.attempts++ == 0)
                g.began_at = now_;
            g.now = outcome::running;
        } else {
            ++g.undo_attempts;
            g.undone = undo::running;
        }
        s_.doing = activity::working;
        s_.until = later(now_, allowed().timeout);
        todo_ = {verb::start, current()};
    }

    void end_job(outcome why)
    {
        s_.doing = activity::ending;
        s_.ending_as = why;
        s_.until = later(now_, p.grace);
        todo_ = {verb::end, current()};
    }

    void cancel()
    {
        s_.next.reset();
        if (s_.phase != phase::running)
            return;
        switch (s_.doing) {
        case activity::waiting: finish(outcome::cancelled, false); break;
        case activity::working: end_job(outcome::cancelled); break;
        case activity::ending: s_.ending_as = outcome::cancelled; break;
        }
    }

    /// The job is decided, unless it may be tried again.
    void finish(outcome how, bool may_retry)
    {
        auto& g = stage();
        if (s_.phase == phase::running)
            g.ended_at = now_;
        if (how != outcome::passed && may_retry && s_.failures < allowed().retries) {
            ++s_.failures;
            s_.backoff = fail(allowed().backoff, s_.backoff, now_);
            s_.doing = activity::waiting;
            s_.ending_as = outcome::pending;
            s_.until = s_.backoff.retry_at;
            return;
        }
        if (s_.phase == phase::rolling_back) {
            g.undone = how == outcome::passed ? undo::done : undo::failed;
            return roll_back_next();
        }
        g.now = how;
        if (how != outcome::passed)
            return stop(how);
        if (++s_.at < s_.stages.size())
            return next_job();
        s_.result = outcome::passed;
        end_run();
    }

    void stop(outcome how)
    {
        s_.result = how == outcome::cancelled ? outcome::cancelled : outcome::failed;
        for (auto i = s_.at + 1; i < s_.stages.size(); ++i)
            s_.stages[i].now = outcome::skipped;
        if (reaction_of(p.stages[s_.at]) == reaction::roll_back)
            for (std::size_t i = 0; i <= s_.at; ++i)
                if (p.stages[i].what == kind::deploy && s_.stages[i].attempts > 0)
                    s_.stages[i].undone = undo::pending;
        roll_back_next();
    }

    /// One that could not be taken back does not keep the others where they are.
    void roll_back_next()
    {
        for (auto i = s_.stages.size(); i-- > 0;)
            if (s_.stages[i].undone == undo::pending) {
                s_.phase = phase::rolling_back;
                s_.at = i;
                return next_job();
            }
        end_run();
    }

    void end_run()
    {
        s_.phase = phase::over;
        s_.ended_at = now_;
        s_.doing = activity::waiting;
        s_.ending_as = outcome::pending;
        s_.until = never;
    }

    /// The line is another one than this run was begun with: nobody knows what to do next.
    void abandon()
    {
        if (s_.doing != activity::waiting)
            todo_ = {verb::end, current()};
        for (auto& g : s_.stages) {
            if (g.now == outcome::running) {
                g.now = outcome::failed;
                g.ended_at = now_;
            }
            if (g.now == outcome::pending)
                g.now = outcome::skipped;
            if (g.undone == undo::pending || g.undone == undo::running)
                g.undone = undo::failed;
        }
        s_.result = outcome::failed;
        end_run();
    }

    spec const& p;
    state& s_;
    time_point now_;
    action todo_{};
};

/// The last line that says something.
[[nodiscard]] inline std::string_view last_line(std::string_view text) noexcept
{
    auto const end = text.find_last_not_of(" \t\r\n");
    if (end == text.npos)
        return {};
    text = text.substr(0, end + 1);
    auto const begin = text.find_last_of("\r\n");
    return begin == text.npos ? text : text.substr(begin + 1);
}

}  // namespace podium::v0::rollout::pipeline::detail

namespace podium::inline v0::rollout::pipeline {

inline result<void> check(spec const& p)
{
    found_errors wrong;
    auto const add = [&](std::string path, char const* message) {
        wrong.add({errc::invalid, message, std::move(path), {}});
    };
    auto const check_name = [&](std::string const& name, std::string const& path) {
        if (auto const valid = names::dns1123_label(name); !valid) {
            auto e = valid.error();
            e.path = path;
            wrong.add(std::move(e));
        }
    };
    auto const check_patience = [&](patience const& a, std::string const& path) {
        if (a.timeout <= duration::zero())
            add(path + "timeout", "must be above 0");
        if (a.retries > max_retries)
            add(path + "retries", "must be at most 100");
        if (a.backoff.base < duration::zero())
            add(path + "backoff.base", "must not be negative");
        if (a.backoff.factor < 1)
            add(path + "backoff.factor", "must be at least 1");
        if (a.backoff.cap < a.backoff.base)
            add(path + "backoff.cap", "must not be below base");
    };
    check_name(p.name, "name");
    if (p.stages.empty() || p.stages.size() > max_stages)
        add("stages", "must have 1 to 100 stages");
    bool deploys = false;
    for (std::size_t i = 0; i < p.stages.size(); ++i) {
        auto const& s = p.stages[i];
        auto const path = "stages[" + std::to_string(i) + "].";
        check_name(s.name, path + "name");
        for (std::size_t j = 0; j < i; ++j)
            if (p.stages[j].name == s.name) {
                add(path + "name", "must not be the name of an earlier stage");
                break;
            }
        check_patience(s.allowed, path);
        deploys = deploys || s.what == kind::deploy;
        if (s.on_failure == reaction::roll_back && !deploys)
            add(path + "on_failure",
                "nothing is deployed before or by this stage, so nothing can be rolled back");
    }
    check_patience(p.rollback, "rollback.");
    if (p.grace < duration::zero())
        add("grace", "must not be negative");
    if (p.tail_bytes > max_tail_bytes)
        add("tail_bytes", "must be at most 1048576");
    if (wrong.all)
        return *std::move(wrong.all);
    return {};
}

inline result<void> check(spec const& p, state const& s)
{
    if (is_under_way(s) && !detail::fits(p, s))
        return error{errc::conflict, "the run under way is of a line with other stages", "stages", {}};
    return {};
}

inline stepped step(spec const& p, state s, observed const& seen, time_point now)
{
    stepped out;
    out.todo = detail::machine(p, s, now).run(seen);
    out.wake_at = is_under_way(s) ? s.until : s.next ? now : never;
    out.next = std::move(s);
    return out;
}

inline state resume(spec const& p, state s, time_point now)
{
    if (!is_under_way(s) || !detail::fits(p, s))
        return s;
    switch (s.doing) {
    case activity::working:
        s.doing = activity::waiting;
        s.until = now;
        break;
    case activity::ending: {
        detail::machine m(p, s, now);
        auto gone = ended{m.current(), false, {}};
        gone.tail = s.phase == phase::running ? s.stages[s.at].tail : s.stages[s.at].undo_tail;
        m.take(gone);
        break;
    }
    case activity::waiting: {  // its clock may be another one now: no wait is longer than the longest
        auto const& a = s.phase == phase::running ? p.stages[s.at].allowed : p.rollback;
        s.until = std::min(s.until, later(now, std::max(a.backoff.cap, duration::zero())));
        break;
    }
    }
    return s;
}

inline std::string spelled(duration d)
{
    using namespace std::chrono;
    d = std::max(d, duration::zero());
    if (d < seconds(1))
        return std::to_string(duration_cast<milliseconds>(d).count()) + " ms";
    if (d < minutes(1)) {
        auto const tenths = d / milliseconds(100);
        return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " s";
    }
    if (d < hours(1))
        return std::to_string(d / minutes(1)) + " min " + std::to_string(d % minutes(1) / seconds(1)) + " s";
    return std::to_string(d / hours(1)) + " h " + std::to_string(d % hours(1) / minutes(1)) + " min";
}

inline std::string line(state const& s, std::size_t stage, time_point now)
{
    if (stage >= s.stages.size())
        return std::string(to_string(outcome::pending));
    auto const& g = s.stages[stage];
    std::string out(to_string(g.now));
    bool const here = s.at == stage && is_under_way(s);
    if (g.now == outcome::running && here && s.doing == activity::ending)
        out = s.ending_as == outcome::cancelled ? "being cancelled" : "out of time, being ended";
    if (g.now == outcome::running && here && s.doing == activity::waiting)
        out = "waiting to try again";
    if (g.attempts > 1)
        out += (g.now == outcome::running ? ", attempt " : " after ") + std::to_string(g.attempts) +
            (g.now == outcome::running ? "" : " attempts");
    if (g.attempts > 0)
        out += ", " + spelled(took(g, now));
    if (g.now == outcome::failed || g.now == outcome::timed_out)
        if (auto const why = detail::last_line(g.tail); !why.empty())
            out += ": " + std::string(why);
    switch (g.undone) {
    case undo::none: break;
    case undo::pending: out += "; to be rolled back"; break;
    case undo::running: out += "; being rolled back"; break;
    case undo::done: out += "; rolled back"; break;
    case undo::failed:
        out += "; NOT rolled back";
        if (auto const why = detail::last_line(g.undo_tail); !why.empty())
            out += ": " + std::string(why);
        break;
    }
    return out;
}

inline std::string summary(spec const& p, state const& s, time_point now)
{
    if (s.phase == phase::idle)
        return p.name + ": not run yet";
    auto out = p.name + ", run " + std::to_string(s.run) + " (" + s.cause.source +
        (s.cause.what.empty() ? "" : ": " + s.cause.what) + "): ";
    bool const over = s.phase == phase::over;
    auto const name = [&](std::size_t i) {
        return i < p.stages.size() ? p.stages[i].name : "stage " + std::to_string(i);
    };
    if (s.phase == phase::running) {
        out += "at " + name(s.at);
    } else {
        out += to_string(s.result);
        for (std::size_t i = 0; i < s.stages.size(); ++i)
            if (auto const o = s.stages[i].now;
                o == outcome::failed || o == outcome::timed_out || o == outcome::cancelled)
                out += (s.result == outcome::cancelled ? " in " : " at ") + name(i);
    }
    out += (over ? " after " : ", ") + spelled(elapsed(s.began_at, over ? s.ended_at : now));
    for (std::size_t i = 0; i < s.stages.size(); ++i)
        switch (s.stages[i].undone) {
        case undo::none: break;
        case undo::pending: out += "; " + name(i) + " to be rolled back"; break;
        case undo::running: out += "; " + name(i) + " being rolled back"; break;
        case undo::done: out += "; " + name(i) + " rolled back"; break;
        case undo::failed: out += "; " + name(i) + " NOT rolled back"; break;
        }
    return out;
}

inline std::string table(spec const& p, state const& s, time_point now)
{
    std::size_t width = 0;
    for (auto const& st : p.stages)
        width = std::max(width, st.name.size());
    std::string out;
    for (std::size_t i = 0; i < p.stages.size(); ++i)
        out +=
            p.stages[i].name + std::string(width - p.stages[i].name.size() + 2, ' ') + line(s, i, now) + '\n';
    return out;
}

}  // namespace podium::v0::rollout::pipeline
