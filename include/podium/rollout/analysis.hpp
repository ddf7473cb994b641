#pragma once
/// Analysis: several metrics of a release, measured again and again until they have a verdict together.
///
/// A `Judge` turns readings into a verdict; the run decides when each metric is measured, what a reading that
/// cannot be used means, and what the verdicts amount to. `step` takes the answers that came in and the time,
/// and says what to measure now; whoever calls it does the measuring. One metric that fails ends the run at
/// once. It passes when all have passed, and in no other way: what was not measured has not passed.
///
/// Source: AnalysisRun in Argo Rollouts v1.9.1 (analysis/analysis.go: generateMetricTasks,
/// assessMetricStatus, assessMetricFailureInconclusiveOrError; utils/evaluate: EvaluateResult): limits,
/// counts, delays, dry runs, retry after 10 s. What differs here: a failure wins over an inconclusive metric
/// and over errors; a metric that is inconclusive does not end the run, as another may fail yet; a run that
/// is ended early or has errors only is `inconclusive` or `no_data` where Argo's is successful or in error; a
/// measurement has a time-out, an age and a range; a threshold needs a condition.

#include <podium/core/assert.hpp>
#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/rollout/condition.hpp>
#include <podium/rollout/evidence.hpp>
#include <podium/rollout/proportion.hpp>
#include <podium/rollout/verdict.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::rollout::analysis {

/// Why a measurement counts as an error.
enum class unusable : std::uint8_t {
    source_failed,  ///< whoever measures could not
    timed_out,      ///< no answer in time
    stale,          ///< measured before the run began, or longer ago than `max_age`
    not_a_number,   ///< NaN or infinite
    out_of_range,   ///< a value that cannot be, as a negative latency
    gone_back,      ///< a counter has fewer than before
    wrong_kind,     ///< a reading for another judge
};

[[nodiscard]] constexpr std::string_view to_string(unusable u) noexcept
{
    switch (u) {
    case unusable::source_failed: return "the source failed";
    case unusable::timed_out: return "no answer in time";
    case unusable::stale: return "an old measurement";
    case unusable::not_a_number: return "not a number";
    case unusable::out_of_range: return "a value that cannot be";
    case unusable::gone_back: return "a counter went back";
    case unusable::wrong_kind: return "a reading of another kind";
    }
    return "unknown";
}

/// What a judge makes of one reading.
template<class State>
struct heard {
    State next{};
    std::optional<verdict> says{};    ///< final; none: measure again
    std::optional<unusable> error{};  ///< the reading is not used, and `next` is as before
    friend bool operator==(heard const&, heard const&) = default;
};

/// Turns the readings of one metric into a verdict. A judge is its policy; what it remembers is a value.
///
/// - `state`: default: nothing read yet. `reading`: one measurement.
/// - `read(state, reading)`: what is known with this reading.
/// - `finish(state)`: the verdict if there is to be no other reading; without any it is `no_data`.
///
/// Both are total, and take no time from anywhere.
template<class J>
concept Judge = std::copyable<J> && std::regular<typename J::state> && std::copyable<typename J::reading> &&
    requires(J const& judge, typename J::state const& s, typename J::reading const& r) {
        { judge.read(s, r) } -> std::same_as<heard<typename J::state>>;
        { judge.finish(s) } -> std::same_as<verdict>;
    };

/// Judges single values by a condition: good enough or not, each time anew. It knows nothing of chance: of a
/// rate measured from few requests it says what those few say. A job or command is a value too: 1 succeeded,
/// 0 failed.
struct threshold {
    std::vector<condition> success{};  ///< all hold: a success; none given: what is no failure
    std::vector<condition> failure{};  ///< all hold: a failure; none given: what is no success
    std::uint32_t count = 1;           ///< readings until the verdict; 0: until the run is ended
    std::optional<std::uint32_t> failure_limit = 0;  ///< failures that are forgiven; none: any number
    std::uint32_t inconclusive_limit = 0;            ///< readings that were neither, forgiven
    std::uint32_t consecutive_success_limit = 0;     ///< so many successes in a row pass; 0: does not matter
    double lowest = std::numeric_limits<double>::lowest();  ///< less cannot be: 0 for rates and latencies

    struct state {
        std::uint32_t successful = 0;
        std::uint32_t failed = 0;
        std::uint32_t inconclusive = 0;
        std::uint32_t consecutive_success = 0;
        friend bool operator==(state const&, state const&) = default;
    };
    using reading = double;

    [[nodiscard]] heard<state> read(state s, double value) const
    {
        if (!std::isfinite(value))
            return {.next = s, .error = unusable::not_a_number};
        if (value < lowest)
            return {.next = s, .error = unusable::out_of_range};
        auto const all_hold = [value](std::vector<condition> const& of) {
            return std::all_of(of.begin(), of.end(), [value](condition const& c) { return c.holds(value); });
        };
        bool const failed = failure.empty() ? !all_hold(success) : all_hold(failure);
        bool const succeeded = !failed && (success.empty() || all_hold(success));
        auto& counter = failed ? s.failed : succeeded ? s.successful : s.inconclusive;
        if (counter != std::numeric_limits<std::uint32_t>::max())
            ++counter;
        s.consecutive_success = succeeded ? std::min(s.consecutive_success, ~1u) + 1 : 0;
        return {.next = s, .says = verdict_of(s)};
    }
    [[nodiscard]] verdict finish(state const& s) const
    {
        if (auto const v = verdict_of(s))
            return *v;
        if (readings(s) == 0)
            return verdict::no_data;
        return count == 0 && consecutive_success_limit == 0 && s.successful > 0 ? verdict::pass
                                                                                : verdict::inconclusive;
    }
    friend bool operator==(threshold const&, threshold const&) = default;

private:
    [[nodiscard]] static std::uint64_t readings(state const& s) noexcept
    {
        return std::uint64_t{s.successful} + s.failed + s.inconclusive;
    }
    [[nodiscard]] std::optional<verdict> verdict_of(state const& s) const noexcept
    {
        if (failure_limit && s.failed > *failure_limit)
            return verdict::fail;
        if (s.inconclusive > inconclusive_limit)
            return verdict::inconclusive;
        if (consecutive_success_limit > 0 && s.consecutive_success >= consecutive_success_limit)
            return verdict::pass;
        if (count == 0 || readings(s) < count)
            return std::nullopt;
        if (consecutive_success_limit > 0)
            return failure_limit ? verdict::inconclusive : verdict::fail;
        return verdict::pass;
    }
};

/// All that is wrong with a threshold. O(conditions).
[[nodiscard]] inline result<void> check(threshold const& t)
{
    found_errors wrong;
    auto const expect = [&wrong](bool fine, char const* field, char const* expected) {
        if (!fine)
            wrong.add({.code = errc::invalid, .message = expected, .path = field, .further = {}});
    };
    auto const numbers = [](std::vector<condition> const& of) {
        return std::all_of(of.begin(), of.end(), [](condition const& c) { return std::isfinite(c.value); });
    };
    expect(!t.success.empty() || !t.failure.empty(), "success",
        "a condition of success or of failure must be given");
    expect(numbers(t.success), "success", "must compare with numbers");
    expect(numbers(t.failure), "failure", "must compare with numbers");
    expect(t.failure_limit || t.consecutive_success_limit > 0, "failure_limit",
        "must be given unless consecutive_success_limit is");
    expect(t.count == 0 || t.consecutive_success_limit <= t.count, "consecutive_success_limit",
        "must be at most the count");
    expect(
        t.count == 0 || t.inconclusive_limit <= t.count, "inconclusive_limit", "must be at most the count");
    expect(!std::isnan(t.lowest), "lowest", "must be a number");
    if (wrong.all)
        return std::move(*wrong.all);
    return {};
}

/// Judges the counts of both arms, each reading being all stretches since the run began.
struct comparison {
    proportion policy{};

    struct state {
        std::vector<stretch> seen{};
        basis why = basis::too_few;
        friend bool operator==(state const&, state const&) = default;
    };
    using reading = std::vector<stretch>;

    /// Counts that went back are an error; the last stretch may grow, and others may follow. O(stretches).
    [[nodiscard]] heard<state> read(state const& s, reading const& now) const
    {
        if (!std::all_of(now.begin(), now.end(), detail::is_possible))
            return {.next = s, .error = unusable::out_of_range};
        auto const grown = [](sample const& before, sample const& after) {
            return after.units >= before.units && after.successes >= before.successes &&
                after.units - before.units >= after.successes - before.successes;
        };
        for (std::size_t i = 0; i < s.seen.size(); ++i)
            if (i >= now.size() || !grown(s.seen[i].canary, now[i].canary) ||
                !grown(s.seen[i].stable, now[i].stable))
                return {.next = s, .error = unusable::gone_back};
        auto const j = judge(policy, now);
        return {.next = {now, j.why}, .says = j.says};
    }
    [[nodiscard]] verdict finish(state const& s) const
    {
        return judge(policy, s.seen, look::last).says.value_or(verdict::inconclusive);
    }
    friend bool operator==(comparison const&, comparison const&) = default;
};

[[nodiscard]] inline result<void> check(comparison const& c)
{
    return check(c.policy);
}

/// One of several kinds of judge. A reading for another kind is an error.
template<Judge... Js>
struct either {
    std::variant<Js...> which{};

    using state = std::variant<std::monostate, typename Js::state...>;
    using reading = std::variant<typename Js::reading...>;

    [[nodiscard]] heard<state> read(state const& s, reading const& r) const
    {
        return with(
            [&]<std::size_t I>(auto const& judge, std::integral_constant<std::size_t, I>) -> heard<state> {
                auto const* const value = std::get_if<I>(&r);
                if (value == nullptr)
                    return {.next = s, .error = unusable::wrong_kind};
                auto h = judge.read(own<I>(s), *value);
                return {.next = state(std::in_place_index<I + 1>, std::move(h.next)),
                    .says = h.says,
                    .error = h.error};
            });
    }
    [[nodiscard]] verdict finish(state const& s) const
    {
        return with([&]<std::size_t I>(auto const& judge, std::integral_constant<std::size_t, I>) -> verdict {
            return judge.finish(own<I>(s));
        });
    }
    friend bool operator==(either const&, either const&) = default;

private:
    template<std::size_t I>
    [[nodiscard]] static auto own(state const& s)
    {
        auto const* const mine = std::get_if<I + 1>(&s);
        return mine == nullptr ? std::variant_alternative_t<I + 1, state>{} : *mine;
    }
    template<class F, std::size_t I = 0>
    [[nodiscard]] auto with(F const& f) const
    {
        if constexpr (I + 1 < sizeof...(Js)) {
            if (which.index() != I)
                return with<F, I + 1>(f);
        }
        return f(*std::get_if<I>(&which), std::integral_constant<std::size_t, I>{});
    }
};

template<Judge... Js>
[[nodiscard]] result<void> check(either<Js...> const& e)
{
    return std::visit([](auto const& judge) { return check(judge); }, e.which);
}

/// The judges that podium ships.
using any_judge = either<threshold, comparison>;

static_assert(Judge<threshold> && Judge<comparison> && Judge<any_judge>);

/// One metric of a run: how it is judged and when it is measured.
template<Judge J>
struct metric {
    std::string name{};
    J judge{};
    std::optional<duration>
        interval{};  ///< from an answer to the next question, > 0; none: 10 s, should more be needed
    duration initial_delay{};                     ///< from the start of the run to the first question, >= 0
    duration timeout = std::chrono::seconds(30);  ///< for one answer, > 0
    std::optional<duration> max_age{};  ///< of a measurement when it comes in, > 0; none: since the start
    std::uint32_t consecutive_error_limit = 4;  ///< errors in a row that are forgiven
    bool dry_run = false;                       ///< measured and shown; decides nothing
    friend bool operator==(metric const&, metric const&) = default;
};

/// What a run goes by.
template<Judge J>
struct policy {
    std::vector<metric<J>> metrics{};
    std::optional<duration> time_limit{};  ///< of the whole run, > 0; none: judges end it, or `stop`
    friend bool operator==(policy const&, policy const&) = default;
};

/// All that is wrong with a run's policy: paths are "metrics[1].judge.alpha". O(metrics).
template<Judge J>
[[nodiscard]] result<void> check(policy<J> const& p)
{
    found_errors wrong;
    auto const expect = [&wrong](bool fine, std::string path, char const* expected) {
        if (!fine)
            wrong.add({.code = errc::invalid, .message = expected, .path = std::move(path), .further = {}});
    };
    constexpr auto zero = duration::zero();
    expect(std::any_of(p.metrics.begin(), p.metrics.end(), [](metric<J> const& m) { return !m.dry_run; }),
        "metrics", "one at least must count");
    expect(!p.time_limit || *p.time_limit > zero, "time_limit", "must be above 0");
    for (std::size_t i = 0; i < p.metrics.size(); ++i) {
        auto const& m = p.metrics[i];
        auto const at = "metrics[" + std::to_string(i) + "]";
        expect(!m.name.empty(), at + ".name", "must be given");
        for (std::size_t k = 0; k < i; ++k)
            expect(p.metrics[k].name != m.name || m.name.empty(), at + ".name", "must not be another's");
        expect(!m.interval || *m.interval > zero, at + ".interval", "must be above 0");
        expect(m.initial_delay >= zero, at + ".initial_delay", "must be at least 0");
        expect(m.timeout > zero, at + ".timeout", "must be above 0");
        expect(!m.max_age || *m.max_age > zero, at + ".max_age", "must be above 0");
        if constexpr (requires { check(m.judge); })
            if (auto const fine = check(m.judge); !fine)
                wrong.add(error(fine.error()).inside(at + ".judge"));
    }
    if (wrong.all)
        return std::move(*wrong.all);
    return {};
}

/// One measurement to take; hand it back with the answer.
struct ticket {
    std::size_t metric = 0;      ///< index in the policy
    std::uint32_t sequence = 0;  ///< from 1
    friend bool operator==(ticket const&, ticket const&) = default;
};

/// What came of a measurement.
template<Judge J>
struct measurement {
    ticket of{};
    std::optional<typename J::reading> value{};  ///< none: whoever measures could not
    time_point measured_at{};                    ///< when what it shows was so
    friend bool operator==(measurement const&, measurement const&) = default;
};

/// How far one metric is.
template<Judge J>
struct progress {
    typename J::state judged{};
    std::optional<verdict> said{};         ///< final
    std::uint32_t sequence = 0;            ///< of the latest question
    std::optional<time_point> asked_at{};  ///< it is not answered yet
    time_point due{};                      ///< when the next is asked
    std::uint32_t readings = 0;            ///< answers that could be used
    std::uint32_t errors = 0;              ///< those that could not
    std::uint32_t consecutive_errors = 0;
    std::optional<unusable> latest_error{};
    friend bool operator==(progress const&, progress const&) = default;
};

/// A run. Plain data: store it, compare it, print it.
template<Judge J>
struct state {
    time_point started_at{};
    std::vector<progress<J>> metrics{};
    std::optional<verdict> said{};  ///< the run is over
    friend bool operator==(state const&, state const&) = default;
};

/// What the caller must do, in field order.
struct actions {
    std::optional<verdict> announce{};  ///< said once, when the run is over
    std::vector<ticket> measure{};      ///< now, each within its metric's time-out
    time_point wake_at = never;         ///< step again then, answer or not
    friend bool operator==(actions const&, actions const&) = default;
};

template<Judge J>
struct stepped {
    state<J> next{};
    actions todo{};
};

/// Whether the run may go on.
enum class wish : std::uint8_t {
    go_on,
    stop,  ///< nobody needs it any longer: judge by what there is
};

/// A run that starts now. The first step asks for measurements.
template<Judge J>
[[nodiscard]] state<J> begin(policy<J> const& p, time_point now)
{
    state<J> s{.started_at = now};
    s.metrics.resize(p.metrics.size());
    for (std::size_t i = 0; i < p.metrics.size(); ++i)
        s.metrics[i].due = later(now, std::max(p.metrics[i].initial_delay, duration::zero()));
    return s;
}

namespace detail {

inline constexpr duration retry = std::chrono::seconds(10);

template<Judge J>
[[nodiscard]] duration pause(metric<J> const& m) noexcept
{
    return std::max(m.interval.value_or(retry), duration(1));
}

/// A judge that has to do without further readings because of errors: never a pass.
template<Judge J>
[[nodiscard]] verdict give_up(metric<J> const& m, progress<J> const& at)
{
    auto const v = m.judge.finish(at.judged);
    return v == verdict::pass ? verdict::inconclusive : v;
}

template<Judge J>
void take_error(metric<J> const& m, progress<J>& at, unusable why, time_point now)
{
    at.asked_at.reset();
    at.latest_error = why;
    at.errors += at.errors != std::numeric_limits<std::uint32_t>::max() ? 1u : 0u;
    at.consecutive_errors += at.consecutive_errors != std::numeric_limits<std::uint32_t>::max() ? 1u : 0u;
    at.due = later(now, pause(m));
    if (at.consecutive_errors > m.consecutive_error_limit)
        at.said = give_up(m, at);
}

template<Judge J>
void take_answer(
    metric<J> const& m, progress<J>& at, time_point started_at, measurement<J> const& a, time_point now)
{
    if (now >= later(*at.asked_at, m.timeout))
        return take_error(m, at, unusable::timed_out, now);
    if (!a.value)
        return take_error(m, at, unusable::source_failed, now);
    if (a.measured_at < started_at || (m.max_age && elapsed(a.measured_at, now) > *m.max_age))
        return take_error(m, at, unusable::stale, now);
    auto h = m.judge.read(at.judged, *a.value);
    if (h.error)
        return take_error(m, at, *h.error, now);
    at.asked_at.reset();
    at.consecutive_errors = 0;
    at.readings += at.readings != std::numeric_limits<std::uint32_t>::max() ? 1u : 0u;
    at.due = later(now, pause(m));
    at.judged = std::move(h.next);
    at.said = h.says;
}

/// What the metrics that count amount to; none while it is open.
template<Judge J>
[[nodiscard]] std::optional<verdict> together(policy<J> const& p, state<J> const& s)
{
    bool open = false;
    bool counted = false;
    bool unclear = false;
    bool unmeasured = false;
    for (std::size_t i = 0; i < p.metrics.size(); ++i) {
        if (p.metrics[i].dry_run)
            continue;
        counted = true;
        auto const& said = s.metrics[i].said;
        if (said == verdict::fail)
            return verdict::fail;
        open = open || !said;
        unclear = unclear || said == verdict::inconclusive;
        unmeasured = unmeasured || said == verdict::no_data;
    }
    if (open)
        return std::nullopt;
    return unclear ? verdict::inconclusive : unmeasured || !counted ? verdict::no_data : verdict::pass;
}

}  // namespace detail

/// Advances by the answers that came in. Extra calls are harmless: with no answer and nothing due, `next ==
/// s`. Answers nobody waits for are ignored: late, doubled, or of no metric. A run that is over stays as it
/// is. O(metrics + answers) and what the judges cost.
template<Judge J>
[[nodiscard]] stepped<J> step(policy<J> const& p, state<J> s,
    std::span<std::type_identity_t<measurement<J>> const> answers, time_point now, wish that = wish::go_on)
{
    PODIUM_ASSERT(s.metrics.size() == p.metrics.size());
    if (s.said)
        return {std::move(s), {}};
    s.started_at = std::min(s.started_at, now);  // a clock that went back makes nothing older than the run
    for (std::size_t i = 0; i < s.metrics.size(); ++i) {
        auto& at = s.metrics[i];
        if (at.asked_at)
            at.asked_at = std::min(*at.asked_at, now);
        at.due = std::min(at.due,
            later(now,
                at.sequence == 0 ? std::max(p.metrics[i].initial_delay, duration::zero())
                                 : detail::pause(p.metrics[i])));
    }
    for (auto const& a : answers) {
        if (a.of.metric >= s.metrics.size())
            continue;
        auto& at = s.metrics[a.of.metric];
        if (at.asked_at && !at.said && at.sequence == a.of.sequence)
            detail::take_answer(p.metrics[a.of.metric], at, s.started_at, a, now);
    }
    for (std::size_t i = 0; i < s.metrics.size(); ++i) {
        auto& at = s.metrics[i];
        if (at.asked_at && !at.said && now >= later(*at.asked_at, p.metrics[i].timeout))
            detail::take_error(p.metrics[i], at, unusable::timed_out, now);
    }
    actions todo;
    bool const over = that == wish::stop || (p.time_limit && now >= later(s.started_at, *p.time_limit));
    s.said = detail::together(p, s);
    if (over || s.said) {
        for (std::size_t i = 0; i < s.metrics.size(); ++i) {
            auto& at = s.metrics[i];
            if (!at.said)  // of one that is only shown, or when time is up
                at.said = p.metrics[i].judge.finish(at.judged);
            at.asked_at.reset();
        }
        if (!s.said)
            s.said = detail::together(p, s);
        todo.announce = s.said;
        return {std::move(s), std::move(todo)};
    }
    if (p.time_limit)
        todo.wake_at = later(s.started_at, *p.time_limit);
    for (std::size_t i = 0; i < s.metrics.size(); ++i) {
        auto& at = s.metrics[i];
        if (at.said)
            continue;
        if (!at.asked_at && now >= at.due) {
            ++at.sequence;
            at.asked_at = now;
            todo.measure.push_back({i, at.sequence});
        }
        todo.wake_at =
            std::min(todo.wake_at, at.asked_at ? later(*at.asked_at, p.metrics[i].timeout) : at.due);
    }
    return {std::move(s), std::move(todo)};
}

}  // namespace podium::v0::rollout::analysis
