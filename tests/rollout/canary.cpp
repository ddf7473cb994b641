/// Canary: the order of a release, every interleaving at small sizes, and what breaks when a rule is wrong.

#include "release_world.hpp"

#include <podium/rollout/canary.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using podium::tests::budget;
using podium::tests::scope;
namespace canary = rollout::canary;
namespace release = rollout::release;
using canary::analyze;
using canary::pause;
using canary::set_scale;
using canary::set_weight;
using canary::stage;
using release::order;
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
        return before.fast || w.s.fast || w.waived[t] || (all & ~std::uint32_t{w.passed[t]}) == 0;
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
        std::int32_t up = 0;
        std::int32_t all = 0;
        for (auto const& x : w.sets) {
            up += x.available;
            all += x.wanted;
        }
        if (up < w.replicas - s.bounds.unavailable && w.s.stable != 0)
            complain("fewer pods are available than the bounds promise");
        if (all > w.replicas + s.bounds.surge)
            complain("more pods than the bounds allow");
    }
};

canary::spec stepped_release()
{
    return {.steps = {set_weight{50}, analyze{0}, pause{}},
        .progress_deadline = {},
        .revision_history_limit = {}};
}

podium::tests::found explore(canary::spec const& s, scope const& what, machine m = {})
{
    return podium::tests::explorer<machine>(std::move(m), s, what).run();
}

/// The size that the machine asks for.
std::int32_t& wish(canary::stepped& out, template_id which)
{
    static std::int32_t none = 0;
    for (auto& x : out.todo.sets)
        if (x.which == which)
            return x.replicas;
    return none;
}

machine with_row_first(canary::detail::row r)
{
    machine m;
    m.rows.insert(m.rows.begin(), r);
    return m;
}

bool is_going_back(canary::state const& s)
{
    return s.at == stage::restoring || s.at == stage::reverting;
}

}  // namespace

TEST_CASE("canary: no interleaving leaves users unserved, and every release ends")
{
    struct row {
        char const* name;
        canary::spec what;
        scope where;
    };
    std::vector<order> const all{
        order::promote, order::promote_full, order::abort, order::retry, order::pause, order::resume};
    auto const plain = stepped_release();
    auto dynamic = plain;
    dynamic.dynamic_stable_scale = true;
    auto pods = plain;
    pods.router = false;
    auto beside = dynamic;
    beside.steps = {set_weight{50}, pause{1min}, set_weight{100}};
    beside.background = canary::background{.which = 1, .from_step = 1};
    auto scaled = dynamic;
    scaled.steps = {set_scale{2}, set_weight{20}, set_scale{}, set_weight{0}, set_weight{60}};
    scaled.backwards = true;
    for (auto const& r :
        {
            row{"changes of mind", plain, {.what = {.templates = 3}, .routers = 2}},
            row{"orders", dynamic, {.what = {.templates = 2, .orders = 2}, .orders = all}},
            row{"failing pods", dynamic, {.what = {.templates = 2, .orders = 1, .failures = 1}}},
            row{"replicas", dynamic,
                {.what = {.templates = 2, .replicas = 1, .orders = 1}, .most_replicas = 3}},
            row{"background", beside, {.what = {.templates = 2, .orders = 1}, .routers = 2}},
            row{"scales", scaled, {.what = {.templates = 2, .orders = 1}}},
            row{"by pods", pods, {.what = {.templates = 3, .orders = 2}}},
            row{"by pods that fail", pods, {.what = {.templates = 2, .orders = 1, .failures = 2}}},
            row{"by pods, other replicas", pods,
                {.what = {.templates = 2, .replicas = 2}, .most_replicas = 3}},
            row{"first", plain, {.what = {.templates = 2, .orders = 2, .failures = 1}, .from_nothing = true}},
            row{"late", dynamic, {.what = {.templates = 2, .orders = 1, .failures = 1}, .late = true}},
        }) {
        CAPTURE(r.name);
        REQUIRE(canary::check([&] {
            auto s = r.what;
            s.template_ = 1;
            return s;
        }()));
        auto const found = explore(r.what, r.where);
        MESSAGE(std::string(r.name), ": ", found.states, " states, ", found.edges, " edges, longest ",
            found.longest);
        CHECK(found.violation == "");
        CHECK(found.stuck == 0);
        CHECK(found.stuck_after == "");
    }
}

TEST_CASE("canary: the exploration finds what a wrong machine does")
{
    using guards = canary::detail::machine;
    using canary::detail::any_of;
    auto const restoring = any_of(stage::restoring);
    auto const stepping = any_of(stage::stepping);
    auto const promoting = any_of(stage::promoting);
    auto const plain = stepped_release();
    auto dynamic = plain;
    dynamic.dynamic_stable_scale = true;
    auto pods = plain;
    pods.router = false;

    struct row {
        char const* name;
        canary::spec what;
        machine wrong;
        bool is_stuck = false;  ///< else something is violated
    };
    std::vector<row> rows{
        {"argo-rollouts#3372: a third template sends all traffic to a stable set that was shrunk", dynamic,
            with_row_first({restoring, &guards::wants_another, stage::reverting})},
        {"an analysis is not waited for", dynamic,
            with_row_first({stepping, &guards::has_left, stage::promoting})},
        {"the release ends before routers have acknowledged", plain,
            with_row_first({promoting, &guards::stable_serves, stage::settled})},
        {"no data is a success", dynamic, {.trusts = true}},
    };
    auto const spoilt = [&](char const* name, canary::spec const& what, auto spoil) -> row& {
        return rows.emplace_back(row{name, what, {.spoil = spoil}});
    };
    spoilt(
        "argo-rollouts#4900: stable has the pods of its weight during an abort, the weight waits for stable",
        dynamic,
        [](canary::spec const& s, canary::stepped& out) {
            auto const serves = out.next.traffic.at_most(out.next.stable);
            if (out.next.at == stage::restoring)
                wish(out, out.next.stable) = machine::need(s.replicas, serves);
        })
        .is_stuck = true;
    spoilt("argo-rollouts#4390: the old canary goes before routers have acknowledged", dynamic,
        [](canary::spec const&, canary::stepped& out) {
            if (is_going_back(out.next) && out.next.traffic.weight(out.next.target) == 0)
                wish(out, out.next.target) = 0;
        });
    spoilt("stable shrinks with the weight that is written, not the one acknowledged", dynamic,
        [](canary::spec const& s, canary::stepped& out) {
            if (out.next.at == stage::stepping)
                wish(out, out.next.stable) =
                    machine::need(s.replicas, out.next.traffic.weight(out.next.stable));
        });
    spoilt("pods share the traffic, and the bounds are forgotten", pods,
        [](canary::spec const&, canary::stepped& out) {
            if (out.next.at == stage::stepping)
                wish(out, out.next.stable) = 0;
        });
    rows.push_back({"the weight is raised before the pods are there", dynamic, {.hopes = true}});
    rows.push_back({"the weight runs ahead of the step", plain, {.misread = [](canary::spec x) {
                        x.steps[0] = set_weight{60};
                        return x;
                    }}});
    for (auto const& r : rows) {
        CAPTURE(r.name);
        scope const where{.what = {.templates = 2, .orders = 1}};
        auto const right = explore(r.what, where);
        CHECK(right.violation == "");
        CHECK(right.stuck == 0);
        auto const wrong = explore(r.what, where, r.wrong);
        CHECK((wrong.violation == "") == r.is_stuck);
        CHECK((wrong.stuck > 0) == r.is_stuck);
        MESSAGE(std::string(r.name), ": ", wrong.states, " states; ", wrong.violation, wrong.stuck_after);
    }
}

TEST_CASE("canary: no row of the table is there for nothing")
{
    auto s = stepped_release();
    s.steps = {set_weight{50}, analyze{0}};
    s.dynamic_stable_scale = true;
    s.rollback_window = 1;
    scope const where{.what = {.templates = 3, .orders = 1},
        .orders = {order::promote_full, order::abort, order::retry, order::pause}};
    auto const all = explore(s, where);
    CHECK(all.violation == "");
    CHECK(all.stuck == 0);
    CHECK(all.stuck_after == "");
    CHECK(all.stages == (1U << 6) - 1);
    MESSAGE(all.states, " states");
    for (std::size_t i = 0; i < std::size(canary::detail::table); ++i) {
        if (canary::detail::table[i].when == &canary::detail::machine::has_other_steps)
            continue;  // the list does not change in that world; a test of its own
        CAPTURE(i);
        machine m;
        m.rows.erase(m.rows.begin() + static_cast<std::ptrdiff_t>(i));
        auto const found = explore(s, where, m);
        CHECK((found.violation != "" || found.stuck > 0 || found.moves != all.moves));
    }
}
