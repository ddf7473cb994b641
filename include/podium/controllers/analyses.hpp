#pragma once
/// Analyses: AnalysisRuns in the words of the `rollout` room's analysis machine, and back.
///
/// Nothing here measures: `cluster::analyses` does, and asks this what to measure and what to write down.
///
/// Source: Argo Rollouts v1.8 for arguments ("{{args.name}}").

#include <podium/core/duration.hpp>
#include <podium/model/analysis.hpp>
#include <podium/model/codec.hpp>
#include <podium/rollout/analysis.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

using analysis_judge = rollout::analysis::any_judge;
using analysis_policy = rollout::analysis::policy<analysis_judge>;
using analysis_state = rollout::analysis::state<analysis_judge>;

/// A metric with the run's arguments in place of "{{args.name}}". The run's own are `service`, `canary-hash`
/// and `stable-hash`. Errors: `invalid` for an argument that is not given.
[[nodiscard]] inline result<model::analysis_metric> resolved(
    model::analysis_metric const& m, model::analysis_run_spec const& run)
{
    auto const value_of = [&](std::string_view name) -> std::optional<std::string> {
        for (auto const& a : run.args)
            if (a.name == name)
                return a.value;
        if (name == "service")
            return run.service;
        if (name == "canary-hash")
            return run.canary_version;
        if (name == "stable-hash")
            return run.stable_version;
        return {};
    };
    auto const text = model::encode(m);
    std::string out;
    std::size_t at = 0;
    for (auto open = text.find("{{"); open != std::string::npos; open = text.find("{{", at)) {
        auto const close = text.find("}}", open);
        if (close == std::string::npos)
            break;
        std::string_view inside = std::string_view(text).substr(open + 2, close - open - 2);
        while (inside.starts_with(' '))
            inside.remove_prefix(1);
        while (inside.ends_with(' '))
            inside.remove_suffix(1);
        auto const value = inside.starts_with("args.") ? value_of(inside.substr(5)) : std::nullopt;
        if (!value)
            return error{errc::invalid, "there is no argument {{" + std::string(inside) + "}}", {}, {}};
        auto const quoted = model::json(*value).dump();  // what stays inside of quotes
        out.append(text, at, open - at).append(quoted, 1, quoted.size() - 2);
        at = close + 2;
    }
    out.append(text, at);
    return model::decode_text<model::analysis_metric>(out);
}

namespace detail {

[[nodiscard]] inline rollout::analysis::proportion comparison_of(model::podium_metric const& m)
{
    rollout::analysis::proportion p;
    bool const better = m.question == model::release_question::better;
    p.ask = better ? rollout::analysis::question::better : rollout::analysis::question::not_worse;
    p.higher_is_better = m.measure == model::traffic_measure::conversions;
    p.margin = better ? 0 : m.margin;
    p.effect = m.effect;
    p.expected = m.expected;
    p.alpha = m.alpha;
    p.minimum = static_cast<std::uint64_t>(std::max<std::int64_t>(m.minimum, 1));
    p.horizon = static_cast<std::uint64_t>(std::max<std::int64_t>(m.horizon, 1));
    return p;
}

/// How long one answer may take.
[[nodiscard]] inline duration patience_of(model::metric_provider const& p)
{
    if (p.web)
        return std::chrono::seconds(p.web->timeout_seconds);
    if (p.command)
        return std::chrono::seconds(p.command->timeout_seconds);
    if (p.job && p.job->spec)
        return std::chrono::seconds(p.job->spec->active_deadline_seconds.value_or(600));
    return std::chrono::seconds(30);
}

[[nodiscard]] inline result<rollout::analysis::metric<analysis_judge>> metric_of(
    model::analysis_metric const& m, bool dry_run)
{
    rollout::analysis::metric<analysis_judge> out;
    out.name = m.name;
    out.dry_run = dry_run;
    if (auto const every = parse_duration(m.interval); every)
        out.interval = *every;
    else if (!m.interval.empty())
        return error(every.error()).inside("interval");
    else if (m.provider.podium)
        out.interval = std::chrono::seconds(1);
    if (auto const after = parse_duration(m.initial_delay); after)
        out.initial_delay = *after;
    else if (!m.initial_delay.empty())
        return error(after.error()).inside("initialDelay");
    out.timeout = patience_of(m.provider);
    out.consecutive_error_limit = static_cast<std::uint32_t>(std::max(m.consecutive_error_limit, 0));
    if (m.provider.podium) {
        out.judge.which = rollout::analysis::comparison{comparison_of(*m.provider.podium)};
        return out;
    }
    rollout::analysis::threshold t;
    auto good = rollout::analysis::parse_conditions(m.success_condition);
    if (!good)
        return error(good.error()).inside("successCondition");
    auto bad = rollout::analysis::parse_conditions(m.failure_condition);
    if (!bad)
        return error(bad.error()).inside("failureCondition");
    t.success = *std::move(good);
    t.failure = *std::move(bad);
    if (t.success.empty() && t.failure.empty()) {  // done or not done; a number alone says neither
        if (m.provider.prometheus)
            return error{errc::invalid, "required, or a failureCondition", "successCondition", {}};
        t.success = {{rollout::analysis::condition::is::equal, 1}};
    }
    t.count = m.count > 0 ? static_cast<std::uint32_t>(m.count) : m.interval.empty() ? 1u : 0u;
    t.failure_limit = static_cast<std::uint32_t>(std::max(m.failure_limit, 0));
    t.inconclusive_limit = static_cast<std::uint32_t>(std::max(m.inconclusive_limit, 0));
    out.judge.which = t;
    return out;
}

}  // namespace detail

/// What a run goes by. Errors: `invalid`, with the path of the field.
[[nodiscard]] inline result<analysis_policy> policy_of(
    model::analysis_run_spec const& run, std::vector<model::analysis_metric> const& metrics)
{
    analysis_policy out;
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        bool const dry =
            std::ranges::any_of(run.dry_run, [&](auto const& d) { return d.metric_name == metrics[i].name; });
        auto m = detail::metric_of(metrics[i], dry);
        if (!m)
            return error(m.error()).inside("spec.metrics[" + std::to_string(i) + "]");
        out.metrics.push_back(*std::move(m));
    }
    if (auto const most = parse_duration(run.time_limit); most)
        out.time_limit = *most;
    else if (!run.time_limit.empty())
        return error(most.error()).inside("spec.timeLimit");
    if (auto const fine = check(out); !fine)
        return fine.error();
    return out;
}

[[nodiscard]] constexpr model::analysis_phase phase_of(rollout::verdict v) noexcept
{
    switch (v) {
    case rollout::verdict::pass: return model::analysis_phase::successful;
    case rollout::verdict::fail: return model::analysis_phase::failed;
    case rollout::verdict::inconclusive:
    case rollout::verdict::no_data: break;
    }
    return model::analysis_phase::inconclusive;
}

namespace detail {

inline void show(model::metric_result& to, rollout::analysis::metric<analysis_judge> const& m,
    rollout::analysis::progress<analysis_judge> const& at)
{
    using namespace rollout::analysis;
    to.name = m.name;
    to.phase = at.said     ? phase_of(*at.said)
        : at.sequence == 0 ? model::analysis_phase::pending
                           : model::analysis_phase::running;
    auto const small = [](std::uint32_t n) { return static_cast<std::int32_t>(std::min(n, 0x7fff'ffffu)); };
    to.count = small(at.readings);
    to.error = small(at.errors);
    to.consecutive_error = small(at.consecutive_errors);
    to.message = at.said == rollout::verdict::no_data ? "no data" : std::string{};
    if (at.latest_error && at.consecutive_errors > 0)
        to.message += (to.message.empty() ? "" : ": ") + std::string(to_string(*at.latest_error));
    if (auto const* const t = std::get_if<1>(&at.judged)) {
        to.successful = small(t->successful);
        to.failed = small(t->failed);
        to.inconclusive = small(t->inconclusive);
    } else if (auto const* const c = std::get_if<2>(&at.judged)) {
        auto const& policy = std::get<comparison>(m.judge.which).policy;
        auto const a = explain(policy, c->seen, at.said ? look::last : look::interim);
        auto& shown = to.comparison.emplace();
        auto const whole = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
        shown = {whole(a.is.canary.units), whole(a.is.canary.successes), whole(a.is.stable.units),
            whole(a.is.stable.successes), a.difference_range.low, a.difference_range.high,
            {a.canary_range.low, a.canary_range.high}, {a.stable_range.low, a.stable_range.high}};
        if (to.message.empty())
            to.message = text(policy, a);
    }
}

}  // namespace detail

/// Writes down how far a run is.
inline void show(
    model::analysis_run& run, analysis_policy const& policy, analysis_state const& state, time_point now)
{
    auto& s = run.status;
    s.started_at = model::time{state.started_at};
    s.metric_results.resize(policy.metrics.size());
    for (std::size_t i = 0; i < policy.metrics.size(); ++i)
        detail::show(s.metric_results[i], policy.metrics[i], state.metrics[i]);
    s.phase = state.said ? phase_of(*state.said) : model::analysis_phase::running;
    s.no_data = state.said == rollout::verdict::no_data;
    if (!state.said)
        return;
    s.completed_at = model::time{now};
    s.message = to_string(*state.said);
    for (auto const& m : s.metric_results)  // whose it is
        if (m.phase == s.phase && !m.message.empty()) {
            s.message = m.name + ": " + m.message;
            break;
        }
}

}  // namespace podium::v0::controllers
