/// Canary: the order of a release, every interleaving at small sizes, and what breaks when a rule is wrong.

#include "release_world.hpp"

#include <podium/rollout/canary.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using podium::tests::all_orders;
using podium::tests::budget;
using podium::tests::scope;
using podium::tests::wish;
using podium::tests::with_first;
using podium::tests::without;
namespace canary = rollout::canary;
namespace release = rollout::release;
using canary::analyze;
using canary::pause;
using canary::set_scale;
using canary::set_weight;
using canary::stage;
using podium::tests::horizon;
using release::order;
using release::phase;
using release::reason;
using release::template_id;
using rollout::verdict;

/// The machine in the explored world; `rows` and `spoil` make it a wrong one.
struct machine {
    using spec = canary::spec;
    using state = canary::state;
    using stage = canary::stage;
    using world = podium::tests::world<machine>;

    std::vector<canary::detail::row> rows{std::begin(canary::detail::table), std::end(canary::detail::table)};
    std::function<void(spec const&, canary::stepped&)> spoil{};
    std::function<spec(spec)> misread{};
    bool trusts = false;  ///< takes no data for a pass
    bool hopes = false;   ///< takes a pod for available as soon as it is wanted

    canary::stepped step(
        spec const& s, state const& before, release::observed const& seen, time_point now) const
    {
        auto const answers = podium::tests::heard(seen.answers, trusts);
        auto const sets = podium::tests::hoped(seen.sets, hopes);
        auto heard = seen;
        heard.answers = answers;
        heard.sets = sets;
        auto out = canary::detail::step_by(rows, misread ? misread(s) : s, before, heard, now);
        if (spoil)
            spoil(s, out);
        return out;
    }

    static bool is_at_rest(state const& s) { return s.at == stage::settled || s.at == stage::aborted; }
    static bool begins(state const& before, state const& next)
    {
        return !is_at_rest(next) && (before.target != next.target || is_at_rest(before));
    }
    static void renumber(state& s)
    {
        if (s.analysis.number != 0)
            s.analysis.number = 1;
        if (s.background.number != 0)
            s.background.number = 2;
    }
    static std::int32_t need(std::int32_t replicas, std::int32_t weight)
    {
        return (replicas * weight + 99) / 100;
    }
    /// Of stable, so many may be missing as the bounds say.
    static std::int32_t least(spec const& s, world const& w, template_id t, std::int32_t weight)
    {
        auto const needs = need(w.replicas, weight);
        return t == w.s.stable ? std::min(needs, std::max(needs - s.bounds.unavailable, 1)) : needs;
    }
    /// The weight that a step says, told from the list alone.
    static std::int32_t allowed(spec const& s, state const& at)
    {
        if (at.at == stage::promoting)
            return 100;
        std::int32_t weight = 0;
        for (std::size_t i = 0; at.at == stage::stepping && i < std::min(at.step + 1, s.steps.size()); ++i)
            if (auto const* const w = std::get_if<set_weight>(&s.steps[i]))
                weight = w->percent;
        return weight;
    }
    static bool may_raise(
        spec const& s, world const& w, state const& before, template_id t, std::int32_t weight)
    {
        auto const needs = need(w.replicas, weight);
        if (w.available(t) >= needs)
            return true;
        bool const goes_back = t == before.stable;
        return goes_back && w.available(t) > 0 &&
            (w.available(t) >= needs - s.bounds.unavailable || w.available(before.target) == 0);
    }
    static bool may_promote(spec const& s, world const& w, state const& before)
    {
        auto const t = w.s.stable;
        std::uint32_t all = 0;
        for (auto const& x : s.steps)
            if (auto const* const a = std::get_if<analyze>(&x))
                all |= 1U << a->which;
        if (s.background)
            all |= 1U << s.background->which;
        bool const is_proven = std::ranges::find(before.proven, t) != before.proven.end();
        return before.fast || w.s.fast || is_proven || w.waived[t] ||
            (all & ~std::uint32_t{w.passed[t]}) == 0;
    }
    template<class Complain>
    static void check_step(spec const& s, world const& w, state const& before, Complain const& complain)
    {
        auto const t = w.s.target;
        if (t != w.s.stable && w.s.traffic.weight(t) > before.traffic.weight(t) &&
            w.s.traffic.weight(t) > allowed(s, w.s))
            complain("the weight exceeds what the step says");
        if (before.paused && w.s.paused && w.s.at == before.at && w.s.step > before.step)
            complain("went on while paused");
    }
    template<class Complain>
    static void check_sets(world const& w, Complain const& complain)
    {
        if (is_at_rest(w.s) && w.sets[w.s.stable].wanted < w.replicas && !w.routers.empty())
            complain("at rest, and stable is not whole");
    }
    template<class Complain>
    static void check_pods(spec const& s, world const& w, Complain const& complain)
    {
        auto const bounds = rollout::limits(s.bounds, rollout::strategy::rolling_update, w.replicas);
        std::int32_t up = 0;
        std::int32_t all = 0;
        for (auto const& x : w.sets) {
            up += x.available;
            all += x.wanted;
        }
        if (up < w.replicas - bounds.unavailable && w.s.stable != 0)
            complain("fewer pods are available than the bounds promise");
        if (all > w.replicas + bounds.surge)
            complain("more pods than the bounds allow");
    }
};

canary::spec plain()
{
    return {.template_ = 1,
        .replicas = 2,
        .steps = {set_weight{50}, analyze{0}, pause{}},
        .progress_deadline = {},
        .revision_history_limit = {}};
}
canary::spec dynamic()
{
    auto s = plain();
    s.dynamic_stable_scale = true;
    return s;
}
canary::spec by_pods()
{
    auto s = plain();
    s.router = false;
    return s;
}
canary::spec beside()
{
    auto s = dynamic();
    s.steps = {set_weight{50}, pause{1min}, set_weight{100}};
    s.background = canary::background{.which = 1, .from_step = 1};
    return s;
}
canary::spec scaled()
{
    auto s = dynamic();
    s.steps = {set_scale{2}, set_weight{20}, set_scale{}, set_weight{0}, set_weight{60}};
    s.backwards = true;
    return s;
}
canary::spec hasty()
{
    auto s = dynamic();
    s.progress_deadline = 5min;
    s.abort_at_deadline = true;
    s.abort_scale_down_delay = {};
    s.scale_down_delay = 0s;
    s.rollback_window = 1;
    return s;
}
using row = podium::tests::row<machine>;

struct rig : podium::tests::rig<canary::spec, canary::state> {
    using podium::tests::rig<canary::spec, canary::state>::rig;
};

bool is_going_back(canary::state const& s)
{
    return s.at == stage::restoring || s.at == stage::reverting;
}

}  // namespace

TEST_CASE("canary: a release in order, and its plan is what happens")
{
    struct example {
        char const* name;
        canary::spec what;
        std::string expected;
    };
    auto fixed = plain();
    fixed.replicas = 4;
    fixed.steps = {set_weight{25}, pause{10s}, analyze{1}, set_weight{50}, pause{}};
    auto shrinking = fixed;
    shrinking.dynamic_stable_scale = true;
    auto wide = scaled();
    wide.replicas = 5;
    wide.steps.push_back(set_scale{int_or_percent::percent(70)});
    auto all_at_once = plain();
    all_at_once.steps = {};
    for (auto const& r : std::vector<example>{
             {"stable stays whole", fixed, R"(
stepping 0: 4 + 1, 0%
stepping 0: 4 + 1, 25%
stepping 1: 4 + 1, 25%
stepping 2: 4 + 1, 25%
stepping 3: 4 + 2, 25%
stepping 3: 4 + 2, 50%
stepping 4: 4 + 2, 50%
promoting 5: 4 + 4, 50%
promoting 5: 4 + 4, 100%
settled 0: 4 + 4, 100%
settled 0: 0 + 4, 100%
)"},
             {"stable has what its weight needs", shrinking, R"(
stepping 0: 4 + 1, 0%
stepping 0: 4 + 1, 25%
stepping 1: 3 + 1, 25%
stepping 2: 3 + 1, 25%
stepping 3: 3 + 2, 25%
stepping 3: 3 + 2, 50%
stepping 4: 2 + 2, 50%
promoting 5: 2 + 4, 50%
promoting 5: 2 + 4, 100%
settled 0: 2 + 4, 100%
settled 0: 0 + 4, 100%
)"},
             {"sizes apart from weights, and weights that go down", wide, R"(
stepping 0: 5 + 2, 0%
stepping 1: 5 + 2, 20%
stepping 3: 5 + 1, 0%
stepping 4: 5 + 3, 0%
stepping 4: 5 + 3, 60%
stepping 5: 2 + 4, 60%
promoting 6: 2 + 5, 60%
promoting 6: 2 + 5, 100%
settled 0: 2 + 5, 100%
settled 0: 0 + 5, 100%
)"},
             {"no steps", all_at_once, R"(
promoting 0: 2 + 2, 0%
promoting 0: 2 + 2, 100%
settled 0: 2 + 2, 100%
settled 0: 0 + 2, 100%
)"},
         }) {
        CAPTURE(r.name);
        auto s = r.what;
        s.template_ = 2;
        REQUIRE(canary::check(s));
        auto const plan = canary::plan(s);
        CHECK(plan.finishes);
        CHECK(plan.least_available >= s.replicas);
        auto const lines = podium::tests::brief<canary::state>(plan);
        CHECK(lines == r.expected);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            scope const where{.replicas = s.replicas, .routers = 2, .verdicts = {verdict::pass}};
            CHECK(podium::tests::explorer<machine>({}, s, where).run_fair(random) == lines);
        }
    }
    fixed.template_ = 2;
    auto const plan = canary::plan(fixed, {.pod_start = 20s, .router = 1s, .analysis = 60s});
    CHECK(plan.takes == 20s + 1s + 10s + 60s + 20s + 1s + 20s + 1s + 30s);
    CHECK(plan.peak_pods == 8);
    CHECK(plan.needs_person);
}

TEST_CASE("canary: without a router a plan keeps the bounds and says the weight that can be had")
{
    auto s = by_pods();
    s.template_ = 2;
    for (std::int32_t n = 0; n <= 12; ++n)
        for (std::int32_t surge = 0; surge <= 3; ++surge)
            for (std::int32_t unavailable = surge == 0 ? 1 : 0; unavailable <= 3; ++unavailable) {
                CAPTURE(n);
                CAPTURE(surge);
                CAPTURE(unavailable);
                s.replicas = n;
                s.bounds = {.surge = surge, .unavailable = unavailable};
                s.steps = {set_weight{30}, pause{1min}, set_weight{60}, pause{1min}};
                auto const plan = canary::plan(s);
                CHECK(plan.finishes);
                CHECK(plan.least_available >= n - unavailable);
                CHECK(plan.peak_pods <= n + surge);
                for (auto const& line : plan.lines)
                    if (line.stage == stage::stepping && line.step % 2 == 1) {
                        auto const mix = canary::reachable(line.step == 1 ? 30 : 60, n, surge);
                        CHECK(line.stable == mix.stable);
                        CHECK(line.target == mix.canary);
                    }
            }
}

TEST_CASE("canary: a huge release is planned at once, and an endless one is not planned for ever")
{
    auto s = plain();
    s.template_ = 2;
    s.replicas = 2'000'000'000;
    auto const plan = canary::plan(s, {.pod_start = -1s});
    CHECK(plan.finishes);
    CHECK(plan.least_available == s.replicas);
    CHECK(plan.takes == 60s + 30s);
    s.router = false;
    CHECK(!canary::plan(s).finishes);
}

TEST_CASE("canary: the nearest mix of pods, by trying all")
{
    for (std::int32_t n = 0; n <= 25; ++n)
        for (std::int32_t surge = 0; surge <= 2; ++surge)
            for (std::int32_t percent = -5; percent <= 105; ++percent) {
                auto const weight = std::clamp(percent, 0, 100);
                CAPTURE(n);
                CAPTURE(surge);
                CAPTURE(percent);
                auto const got = canary::reachable(percent, n, surge);
                auto const all = got.stable + got.canary;
                CHECK(got.stable >= 0);
                CHECK(got.canary >= 0);
                CHECK(all >= n);
                CHECK(all <= n + std::min(surge, 1));
                bool const both = weight > 0 && weight < 100 && n + std::min(surge, 1) >= 2 && n > 0;
                CHECK((!both || (got.stable > 0 && got.canary > 0)));
                if (n == 0 || weight == 0 || weight == 100) {
                    CHECK(got == canary::mix{weight == 100 ? 0 : n, weight == 100 ? n : 0});
                    continue;
                }
                auto const off = [&](std::int32_t canary, std::int32_t total) {
                    return std::abs(100.0 * canary / total - weight);
                };
                for (auto total = n; total <= n + std::min(surge, 1); ++total)
                    for (std::int32_t c = both ? 1 : 0; c <= total - (both ? 1 : 0); ++c) {
                        CHECK(off(got.canary, all) <= off(c, total) + 1e-9);
                        if (off(got.canary, all) > off(c, total) - 1e-9 && total == all)
                            CHECK(got.canary >= c);
                    }
            }
    CHECK(canary::reachable(10, 10, 1) == canary::mix{9, 1});
    CHECK(canary::reachable(50, 1, 1) == canary::mix{1, 1});
    CHECK(canary::reachable(50, 1, 0) == canary::mix{0, 1});
    CHECK(canary::reachable(33, 2, 1) == canary::mix{2, 1});
    CHECK(canary::reachable(50, 2147483647, 1) == canary::mix{1073741823, 1073741824});
    CHECK(canary::mix{2, 1}.percent() == 33);
    CHECK(canary::mix{1, 2}.percent() == 67);
    CHECK(canary::mix{}.percent() == 0);
}

TEST_CASE("canary: an abort makes stable whole, then moves the traffic, then lets the canary go")
{
    auto s = dynamic();
    s.replicas = 4;
    rig r(s);
    r.want(2);
    r.up();
    r.acknowledge();
    CHECK(r.size(1) == 2);
    CHECK(r.s.step == 1);
    r.say(verdict::fail);
    CHECK(r.s.at == stage::restoring);
    CHECK(r.size(1) == 4);
    CHECK(r.s.traffic.weight(2) == 50);
    r.find(1)->available = 3;
    r.ask();
    CHECK(r.s.traffic.weight(2) == 50);
    r.up();
    CHECK(r.s.traffic.weight(2) == 0);
    CHECK(r.s.at == stage::reverting);
    CHECK(r.size(2) == 2);
    r.pass(24h);
    CHECK(r.size(2) == 2);  // not acknowledged
    r.acknowledge();
    CHECK(r.s.at == stage::aborted);
    CHECK(r.todo.why == reason::analysis_failed);
    CHECK(r.size(2) == 2);
    r.what.replicas = 8;  // argo-rollouts#4973: more replicas are no reason for more of the aborted canary
    r.ask();
    CHECK(r.size(1) == 8);
    CHECK(r.size(2) == 2);
    r.pass(30s);
    CHECK(r.size(2) == 0);
}

TEST_CASE("canary: another template in mid-way begins with its first step, after the traffic has gone back")
{
    rig r(dynamic());
    r.want(2);
    r.up();
    r.acknowledge();
    r.say(verdict::pass);
    CHECK(r.s.step == 2);
    r.want(3);
    CHECK(r.s.target == 2);
    CHECK(r.size(3) == 0);
    r.up();
    CHECK(r.s.at == stage::reverting);
    CHECK(r.size(2) == 1);
    r.acknowledge();
    CHECK(r.s.target == 3);
    CHECK(r.s.step == 0);
    CHECK(r.size(2) == 0);
    CHECK(r.size(3) == 1);
    r.want(1);  // and back
    CHECK(r.s.at == stage::settled);
    CHECK(r.todo.phase == phase::healthy);
    CHECK(r.size(3) == 0);
}

TEST_CASE("canary: a template that was stable lately skips the steps, but not the wait for its pods")
{
    auto s = plain();
    s.rollback_window = 1;
    s.steps = {set_weight{50}};
    rig r(s);
    auto const release = [&](template_id t) {
        r.want(t);
        for (int i = 0; i < 3; ++i) {
            r.up();
            r.acknowledge();
        }
        r.pass(horizon);
        CHECK(r.s.stable == t);
    };
    release(2);
    release(3);
    r.want(2);
    CHECK(r.s.at == stage::promoting);
    CHECK(r.s.traffic.weight(2) == 0);
    r.up();
    CHECK(r.s.traffic.weight(2) == 100);
    r.acknowledge();
    CHECK(r.s.stable == 2);
    r.want(1);  // out of the window
    CHECK(r.s.at == stage::stepping);
}

TEST_CASE("canary: what runs beside the steps has to pass before the last one is left")
{
    auto s = beside();
    rig r(s);
    r.want(2);
    CHECK(!r.todo.background);
    r.up();
    r.acknowledge();
    CHECK(r.s.step == 1);
    REQUIRE(r.todo.background);
    auto const say = [&](verdict v) {
        r.answers.push_back({.run = r.todo.background->number, .said = v});
        r.ask();
    };
    r.pass(1min);
    r.up();
    r.acknowledge();
    CHECK(r.s.step == 3);
    CHECK(r.s.at == stage::stepping);
    CHECK(r.todo.why == reason::analysis_running);
    SUBCASE("it passes")
    {
        say(verdict::pass);
        CHECK(r.s.stable == 2);
    }
    SUBCASE("it fails")
    {
        say(verdict::fail);
        CHECK(r.s.at == stage::restoring);
    }
    SUBCASE("it does not know, and somebody promotes")
    {
        say(verdict::inconclusive);
        CHECK(r.todo.phase == phase::paused);
        CHECK(r.todo.why == reason::inconclusive);
        r.pass(24h);
        CHECK(r.s.stable == 1);
        r.tell(order::promote);
        CHECK(r.s.stable == 2);
    }
    SUBCASE("it has no data, and is tried again")
    {
        say(verdict::no_data);
        CHECK(r.todo.why == reason::no_data);
        auto const before = r.todo.background->number;
        r.tell(order::retry);
        CHECK(r.todo.background->number > before);
        say(verdict::pass);
        CHECK(r.s.stable == 2);
    }
}

TEST_CASE("canary: a canary without pods gets no traffic, and gets it again when it is back")
{
    rig r(dynamic());
    r.want(2);
    r.up();
    r.acknowledge();
    CHECK(r.s.traffic.weight(2) == 50);
    r.fail(2);
    CHECK(r.s.traffic.weight(2) == 0);
    CHECK(r.size(1) == 2);
    r.acknowledge();
    r.up();
    CHECK(r.s.traffic.weight(2) == 50);
    r.find(2)->observed = false;  // not knowing is not the same
    r.fail(2);
    CHECK(r.s.traffic.weight(2) == 50);
}

TEST_CASE("canary: other steps in mid-way begin anew; a longer pause just lasts longer")
{
    auto s = plain();
    s.steps = {set_weight{50}, pause{1min}, set_weight{100}};
    rig r(s);
    r.want(2);
    r.up();
    r.acknowledge();
    CHECK(r.s.step == 1);
    r.what.steps[1] = pause{2min};
    r.pass(1min);
    CHECK(r.s.step == 1);
    r.what.steps = {set_weight{10}};
    r.ask();
    CHECK(r.s.step == 0);
    CHECK(r.s.traffic.weight(2) == 10);
    r.what.steps = {};
    r.acknowledge();
    r.up();
    CHECK(r.s.at == stage::promoting);
}

TEST_CASE("canary: an order that cannot be followed is refused, with a reason")
{
    rig r(plain());
    auto const refused = [&](order o, reason why) {
        auto const before = r.s;
        r.tell(o);
        CHECK(r.s.at == before.at);
        CHECK(r.s.step == before.step);
        CHECK(r.s.refused == release::refusal{o, why});
    };
    refused(order::abort, reason::not_releasing);
    r.want(2);
    refused(order::promote, reason::not_waiting);  // its pods are not available
    r.up();
    r.acknowledge();
    refused(order::promote, reason::not_waiting);  // an analysis is running
    refused(order::retry, reason::not_waiting);
    r.tell(order::pause);
    CHECK(r.todo.why == reason::user_paused);
    r.say(verdict::pass);
    CHECK(r.s.step == 1);
    refused(order::promote, reason::user_paused);
    r.tell(order::resume);
    CHECK(r.s.step == 2);
    CHECK(r.todo.why == reason::wants_promotion);
    r.tell(order::promote_full);
    CHECK(r.s.at == stage::promoting);
}

TEST_CASE("canary: without progress a release is shown as degraded, or aborted if so asked")
{
    for (bool const aborts : {false, true}) {
        auto s = plain();
        s.progress_deadline = 600s;
        s.abort_at_deadline = aborts;
        rig r(s);
        r.want(2);
        r.pass(599s);
        CHECK(r.todo.phase == phase::progressing);
        r.pass(1s);
        CHECK(r.todo.phase == phase::degraded);
        CHECK(r.todo.why == (aborts ? reason::aborted_late : reason::no_progress));
        CHECK((r.s.at == stage::aborted) == aborts);
        r.up();
        CHECK((r.s.traffic.weight(2) == 50) == !aborts);
    }
}

TEST_CASE("canary: what makes no sense is refused by name, all at once")
{
    CHECK(canary::check(plain()));
    auto s = plain();
    s.template_ = 0;
    s.bounds = {.surge = -1, .unavailable = -1};
    s.steps = {set_weight{101}, set_weight{-1}, set_weight{30}, set_weight{20}, pause{0s}, pause{-1s},
        set_scale{-1}, set_scale{int_or_percent::percent(101)}};
    s.background = canary::background{.which = 0, .from_step = 8};
    CHECK(canary::check(s).error().text() == R"(template: must not be 0, which stands for none
bounds.surge: must be at least 0
bounds.unavailable: must be at least 0
background.from_step: must be the position of a step
steps[0].set_weight: must be from 0 to 100
steps[1].set_weight: must be from 0 to 100
steps[3].set_weight: must not be below the weight before it, unless `backwards` says so
steps[4].pause: must be longer than 0, or left out to wait until told
steps[5].pause: must be longer than 0, or left out to wait until told
steps[6].set_scale: must be at least 0
steps[7].set_scale: must be at most 100%)");
    s = by_pods();
    s.dynamic_stable_scale = true;
    s.steps.push_back(set_scale{1});
    CHECK(canary::check(s).error().text() == R"(dynamic_stable_scale: needs a router
steps[3].set_scale: needs a router)");
    s = plain();
    s.steps.resize(1001);
    CHECK(canary::check(s).error().path == "steps");
    s = scaled();
    CHECK(canary::check(s));
    s.backwards = false;
    CHECK(canary::check(s).error().path == "steps[3].set_weight");
}

TEST_CASE("canary: no interleaving leaves users unserved, and every release ends")
{
    std::size_t states = 0;
    std::uint32_t stages = 0;
    for (auto const& r :
        {
            row{"changes of mind", plain(), {.what = {.templates = 3}, .routers = 2}},
            row{"orders", dynamic(), {.what = {.templates = 2, .orders = 2}, .orders = all_orders}},
            row{"failing pods", dynamic(), {.what = {.templates = 2, .orders = 1, .failures = 2}}},
            row{"replicas", dynamic(),
                {.what = {.templates = 2, .replicas = 1, .orders = 1}, .most_replicas = 3}},
            row{"an analysis beside the steps", beside(), {.what = {.templates = 2, .orders = 1}}},
            row{"sizes, and weights that go down", scaled(), {.what = {.templates = 2, .orders = 1}}},
            row{"deadlines, and a window", hasty(), {.what = {.templates = 3, .failures = 1}}},
            row{"by pods", by_pods(), {.what = {.templates = 3, .orders = 2}}},
            row{"by pods that fail", by_pods(), {.what = {.templates = 2, .orders = 1, .failures = 2}}},
            row{"by pods, other replicas", by_pods(),
                {.what = {.templates = 2, .replicas = 2}, .most_replicas = 3}},
            row{"the first release of all", plain(),
                {.what = {.templates = 2, .orders = 2, .failures = 1}, .from_nothing = true}},
            row{"counts that lag", dynamic(), {.what = {.templates = 2, .orders = 1}, .lags = true}},
            row{"counts that lag, by pods", by_pods(), {.what = {.templates = 2, .orders = 1}, .lags = true}},
            row{"a machine that is late", dynamic(),
                {.what = {.templates = 2, .orders = 1, .failures = 1}, .late = true}},
        }) {
        auto const found = explore(r);
        states += found.states;
        stages |= found.stages;
    }
    CHECK(stages == (1U << 6) - 1);
    CHECK(states > 60'000);
}

TEST_CASE("canary: the exploration finds what a wrong machine does")
{
    using guards = canary::detail::machine;
    using canary::detail::any_of;
    auto const restoring = any_of(stage::restoring);
    auto const stepping = any_of(stage::stepping);
    auto const promoting = any_of(stage::promoting);
    struct broken {
        char const* name;
        canary::spec what;
        machine wrong;
        std::string violation;  ///< how it begins; empty: releases are stuck instead
    };
    std::vector<broken> rows{
        {"argo-rollouts#3372: a third template sends all traffic to a stable set that was shrunk", dynamic(),
            with_first<machine>({restoring, &guards::wants_another, stage::reverting}), "traffic is raised"},
        {"an analysis is not waited for", dynamic(),
            with_first<machine>({stepping, &guards::has_left, stage::promoting}), "promoted without"},
        {"the release ends before routers have acknowledged", plain(),
            with_first<machine>({promoting, &guards::stable_serves, stage::settled}), "traffic is raised"},
        {"no data is a success", dynamic(), {.trusts = true}, "promoted without"},
        {"the weight is raised before the pods are there", dynamic(), {.hopes = true}, "traffic is raised"},
        {"the weight runs ahead of the step", plain(),
            {.misread =
                    [](canary::spec x) {
                        x.steps[0] = set_weight{60};
                        return x;
                    }},
            "the weight exceeds"},
        {"one replica too many", by_pods(),
            {.misread =
                    [](canary::spec x) {
                        ++x.replicas;
                        return x;
                    }},
            "more pods than"},
    };
    auto const spoilt = [&](char const* name, canary::spec const& what, char const* violation, auto spoil) {
        rows.push_back({name, what, {.spoil = spoil}, violation});
    };
    spoilt(
        "argo-rollouts#4900: stable has the pods of its weight during an abort, the weight waits for stable",
        dynamic(), "", [](canary::spec const& s, canary::stepped& out) {
            auto const serves = out.next.traffic.at_most(out.next.stable);
            if (out.next.at == stage::restoring)
                wish(out, out.next.stable) = machine::need(s.replicas, serves);
        });
    spoilt("argo-rollouts#4390: the old canary goes before routers have acknowledged", dynamic(),
        "a set shrinks", [](canary::spec const&, canary::stepped& out) {
            if (is_going_back(out.next) && out.next.traffic.weight(out.next.target) == 0)
                wish(out, out.next.target) = 0;
        });
    spoilt("stable shrinks with the weight that is written, not the one acknowledged", dynamic(),
        "a set shrinks", [](canary::spec const& s, canary::stepped& out) {
            if (out.next.at == stage::stepping)
                wish(out, out.next.stable) =
                    machine::need(s.replicas, out.next.traffic.weight(out.next.stable));
        });
    spoilt("something else every time", plain(), "an extra step",
        [](canary::spec const&, canary::stepped& out) { ++out.next.runs; });
    spoilt("pods share the traffic, and the bounds are forgotten", by_pods(), "fewer pods are available",
        [](canary::spec const&, canary::stepped& out) {
            if (out.next.at == stage::stepping)
                wish(out, out.next.stable) = 0;
        });
    for (auto const& r : rows) {
        CAPTURE(r.name);
        scope const where{.what = {.templates = 2, .orders = 1}};
        auto const wrong = podium::tests::explore<machine>(r.what, where, r.wrong);
        CHECK(wrong.violation.substr(0, r.violation.size()) == r.violation);
        CHECK((wrong.violation == "") == (r.violation == ""));
        CHECK((wrong.stuck > 0) == (r.violation == ""));
    }
}

TEST_CASE("canary: no row of the table is there for nothing")
{
    auto s = dynamic();
    s.steps = {set_weight{50}, analyze{0}};
    s.rollback_window = 1;
    scope const where{.what = {.templates = 3, .orders = 1},
        .orders = {order::promote_full, order::abort, order::retry, order::pause}};
    auto const all = podium::tests::explore<machine>(s, where);
    CHECK(all.violation == "");
    CHECK(all.stuck == 0);
    CHECK(all.stuck_after == "");
    CHECK(all.stages == (1U << 6) - 1);
    for (std::size_t i = 0; i < std::size(canary::detail::table); ++i) {
        using guards = canary::detail::machine;
        auto const when = canary::detail::table[i].when;
        if (when == &guards::has_other_steps || when == &guards::starts_over)
            continue;  // not in that world; they have tests of their own
        CAPTURE(i);
        auto const found = podium::tests::explore<machine>(s, where, without<machine>(i));
        CHECK((found.violation != "" || found.stuck > 0 || found.moves != all.moves));
    }
}

TEST_SUITE("property")
{
    TEST_CASE("canary: whatever happens, users are served, and a world that calms down brings rest")
    {
        std::size_t moves = 0;
        std::uint32_t stages = 0;
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const maybe = [&] { return random() % 2 == 0; };
            canary::spec s{.template_ = 1, .router = random() % 4 != 0, .progress_deadline = {}};
            std::int32_t weight = 0;
            for (auto n = random() % 6; n > 0; --n)
                switch (random() % (s.router ? 4 : 3)) {
                case 0:
                    weight += static_cast<std::int32_t>(random() % static_cast<std::uint64_t>(101 - weight));
                    s.steps.emplace_back(set_weight{weight});
                    break;
                case 1: s.steps.emplace_back(maybe() ? pause{} : pause{1min}); break;
                case 2: s.steps.emplace_back(analyze{static_cast<std::uint32_t>(random() % 3)}); break;
                default:
                    s.steps.emplace_back(
                        maybe() ? set_scale{} : set_scale{static_cast<std::int64_t>(random() % 7)});
                }
            s.backwards = true;
            s.dynamic_stable_scale = s.router && maybe();
            s.bounds = {.surge = static_cast<std::int32_t>(random() % 3),
                .unavailable = static_cast<std::int32_t>(random() % 2)};
            if (!s.steps.empty() && maybe())
                s.background = canary::background{.which = 3, .from_step = random() % s.steps.size()};
            s.scale_down_delay = random() % 3 * 1min;
            if (maybe())
                s.abort_scale_down_delay = {};
            if (maybe())
                s.progress_deadline = 3min;
            s.abort_at_deadline = s.progress_deadline && maybe();
            s.rollback_window = random() % 3;
            REQUIRE(canary::check(s));
            scope const where{.what = {.templates = 20, .replicas = 20, .orders = 20, .failures = 20},
                .replicas = static_cast<std::int32_t>(random() % 7),
                .most_replicas = 6,
                .routers = 1 + random() % 3,
                .orders = all_orders,
                .from_nothing = maybe(),
                .lags = maybe(),
                .late = maybe()};
            auto const found = podium::tests::explorer<machine>({}, s, where).walk(random, 300, 2'000);
            CHECK(found.violation == "");
            CHECK(found.stuck == 0);
            moves += found.states;
            stages |= found.stages;
        }
        CHECK(moves > 10'000);
        CHECK(stages == (1U << 6) - 1);
    }
}

TEST_SUITE("long")
{
    TEST_CASE("canary: no interleaving of more, either")
    {
        auto three = dynamic();
        three.steps = {set_weight{34}, analyze{0}, set_weight{67}, pause{1min}};
        auto one_short = by_pods();
        one_short.bounds = {.surge = 0, .unavailable = 1};
        std::size_t states = 0;
        for (auto const& r :
            {
                row{"everything", dynamic(),
                    {.what = {.templates = 3, .replicas = 1, .orders = 1, .failures = 1},
                        .most_replicas = 3,
                        .routers = 2}},
                row{"three pods", three,
                    {.what = {.templates = 3, .orders = 2, .failures = 1},
                        .replicas = 3,
                        .most_replicas = 3}},
                row{"beside", beside(), {.what = {.templates = 3, .orders = 2, .failures = 1}}},
                row{"sizes", scaled(), {.what = {.templates = 3, .replicas = 1, .orders = 2, .failures = 1}}},
                row{"deadlines", hasty(), {.what = {.templates = 3, .orders = 2, .failures = 1}}},
                row{"by pods", one_short,
                    {.what = {.templates = 3, .replicas = 1, .orders = 2, .failures = 1},
                        .replicas = 3,
                        .most_replicas = 3}},
                row{"late", dynamic(),
                    {.what = {.templates = 2, .replicas = 1, .orders = 2, .failures = 1}, .late = true}},
            })
            states += explore(r).states;
        MESSAGE(states, " states");
        CHECK(states > 500'000);
    }
}
