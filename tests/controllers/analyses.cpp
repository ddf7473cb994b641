#include <podium/controllers/analyses.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

using namespace podium;
using namespace std::chrono_literals;

TEST_CASE("analyses: arguments stand for themselves, and one that is not given is an error")
{
    model::analysis_run_spec run;
    run.service = "web";
    run.canary_version = "c2";
    run.args = {{"limit", "0.9"}, {"quote", "say \"hi\"\\"}};
    model::analysis_metric m;
    m.name = "rate";
    m.success_condition = "result >= {{args.limit}}";
    m.provider.prometheus = model::prometheus_metric{"http://127.0.0.1:9090",
        R"(rate(hits{v="{{ args.canary-hash }}",s="{{args.service}}",q="{{args.quote}}"}[1m]))"};
    auto const got = controllers::resolved(m, run);
    REQUIRE(got);
    CHECK(got->success_condition == "result >= 0.9");
    CHECK(got->provider.prometheus->query == R"(rate(hits{v="c2",s="web",q="say "hi"\"}[1m]))");
    m.failure_condition = "result < {{args.none}}";
    auto const wrong = controllers::resolved(m, run);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().text().find("{{args.none}}") != std::string::npos);
}

TEST_CASE("analyses: what is wrong with a metric has its path")
{
    auto const problem = [](auto change) {
        model::analysis_run_spec run;
        model::analysis_metric m;
        m.name = "rate";
        m.provider.web = model::web_metric{};
        change(m);
        run.metrics = {m};
        auto const got = controllers::policy_of(run, run.metrics);
        return got ? std::string{} : got.error().text();
    };
    CHECK(problem([](model::analysis_metric&) {}).empty());
    CHECK(problem([](model::analysis_metric& m) {
        m.interval = "soon";
    }).starts_with("spec.metrics[0].interval:"));
    CHECK(problem([](model::analysis_metric& m) {
        m.success_condition = "good";
    }).starts_with("spec.metrics[0].successCondition:"));
    CHECK(problem([](model::analysis_metric& m) {
        m.provider = {};
        m.provider.prometheus = model::prometheus_metric{};
    }).starts_with("spec.metrics[0].successCondition:"));
    CHECK(problem([](model::analysis_metric& m) {
        m.provider = {};
        m.provider.podium = model::podium_metric{};
        m.provider.podium->alpha = std::numeric_limits<double>::quiet_NaN();
    }).find("alpha") != std::string::npos);
}

TEST_CASE("analyses: a run is written down as it goes, and says whose verdict it has")
{
    model::analysis_run run;
    model::analysis_metric m;
    m.name = "conversion";
    m.provider.podium = model::podium_metric{};
    m.provider.podium->horizon = 2000;
    run.spec.metrics = {m};
    auto const policy = controllers::policy_of(run.spec, run.spec.metrics).value();
    time_point now{1h};
    auto state = rollout::analysis::begin(policy, now);
    auto const read = [&](rollout::analysis::sample canary, rollout::analysis::sample stable) {
        now += 1s;
        auto asked = rollout::analysis::step(policy, state, {}, now);
        REQUIRE(asked.todo.measure.size() == 1);
        rollout::analysis::measurement<controllers::analysis_judge> answer{asked.todo.measure[0], {}, now};
        answer.value = decltype(answer.value)::value_type(
            std::in_place_index<1>, std::vector<rollout::analysis::stretch>{{canary, stable, 0.5}});
        state = rollout::analysis::step(policy, asked.next, std::vector{answer}, now).next;
        controllers::show(run, policy, state, now);
    };
    read({50, 15}, {50, 12});
    CHECK(run.status.phase == model::analysis_phase::running);
    CHECK(run.status.metric_results[0].comparison->canary_units == 50);
    CHECK(run.status.metric_results[0].message.find("too few") != std::string::npos);
    read({1000, 100}, {1000, 300});
    CHECK(run.status.phase == model::analysis_phase::failed);
    CHECK(run.status.message.starts_with("conversion: 10.0 % of 1,000"));
    CHECK(run.status.metric_results[0].comparison->high < 0);
    CHECK(run.status.completed_at);

    // Ended before anything was measured: nobody knows.
    model::analysis_run other;
    auto const ended = rollout::analysis::step(
        policy, rollout::analysis::begin(policy, now), {}, now, rollout::analysis::wish::stop);
    controllers::show(other, policy, ended.next, now);
    CHECK(other.status.phase == model::analysis_phase::inconclusive);
    CHECK(other.status.no_data);
}
