/// Blue/green: the order of a release, every interleaving at small sizes, and what breaks when a row is
/// wrong.

#include "release_world.hpp"

#include <podium/rollout/blue_green.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <doctest/doctest.h>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using podium::tests::budget;
using podium::tests::scope;
using podium::tests::world;
namespace blue_green = rollout::blue_green;
namespace release = rollout::release;
using blue_green::stage;
using release::order;
using release::template_id;
using rollout::verdict;

/// The machine in the explored world; `rows` and `spoil` make it a wrong one.
struct machine {
    using spec = blue_green::spec;
    using state = blue_green::state;
    using stage = blue_green::stage;
    using world = podium::tests::world<machine>;

    std::vector<blue_green::detail::row> rows{
        std::begin(blue_green::detail::table), std::end(blue_green::detail::table)};
    std::function<void(spec const&, blue_green::stepped&)> spoil{};
    bool trusts = false;  ///< takes no data for a pass
    bool hopes = false;   ///< takes a pod for available as soon as it is wanted

    blue_green::stepped step(
        spec const& s, state const& before, release::observed const& seen, time_point now) const
    {
        auto const answers = podium::tests::heard(seen.answers, trusts);
        auto const sets = podium::tests::hoped(seen.sets, hopes);
        auto heard = seen;
        heard.answers = answers;
        heard.sets = sets;
        auto out = blue_green::detail::step_by(rows, s, before, heard, now);
        if (spoil)
            spoil(s, out);
        return out;
    }

    static bool is_at_rest(state const& s) { return s.at == stage::settled || s.at == stage::aborted; }
    static bool begins(state const& before, state const& next)
    {
        bool const releases = next.at == stage::preparing || next.at == stage::checking ||
            next.at == stage::waiting || next.at == stage::filling;
        return releases && (before.target != next.target || is_at_rest(before));
    }
    static void renumber(state& s)
    {
        if (s.analysis.number != 0)
            s.analysis.number = 1;
    }
    static std::int32_t need(std::int32_t replicas, std::int32_t weight) { return weight > 0 ? replicas : 0; }

    static template_id active(state const& s)
    {
        for (auto const& x : s.traffic.shares)
            if (x.weight == 100)
                return x.to;
        return 0;
    }
    static bool may_raise(
        spec const&, world const& w, state const& before, template_id t, std::int32_t weight)
    {
        if (weight != 100)
            return false;
        if (w.available(t) >= w.replicas)
            return true;
        return t == before.stable && w.available(t) >= std::max(1, w.available(active(before)));
    }
    static bool has_passed(
        world const& w, state const& before, template_id t, std::optional<std::uint32_t> which)
    {
        return !which || before.fast || w.s.fast || w.waived[t] || ((w.passed[t] & (1U << *which)) != 0);
    }
    static bool may_promote(spec const& s, world const& w, state const& before)
    {
        return has_passed(w, before, w.s.stable, s.pre_promotion) &&
            has_passed(w, before, w.s.stable, s.post_promotion);
    }
    template<class Complain>
    static void check_step(spec const& s, world const& w, state const& before, Complain const& complain)
    {
        auto const was = active(before);
        auto const is = active(w.s);
        if (is != was && was != 0 && is != w.s.stable && !has_passed(w, before, is, s.pre_promotion))
            complain("switched without a pass");
        if (is != was && before.paused && w.s.paused && is != w.s.stable)
            complain("switched while paused");
    }
    template<class Complain>
    static void check_sets(world const& w, Complain const& complain)
    {
        if (w.s.stable != 0 && w.sets[w.s.stable].wanted < w.replicas)
            complain("there is no way back");
    }
    template<class Complain>
    static void check_pods(spec const&, world const&, Complain const&)
    {
    }
};

blue_green::spec checked()
{
    return {.preview_replicas = 1,
        .pre_promotion = 0,
        .post_promotion = 1,
        .progress_deadline = {},
        .revision_history_limit = {}};
}

podium::tests::found explore(blue_green::spec const& s, scope const& what, machine m = {})
{
    return podium::tests::explorer<machine>(std::move(m), s, what).run();
}

/// The size that the machine asks for.
std::int32_t& wish(blue_green::stepped& out, template_id which)
{
    static std::int32_t none = 0;
    for (auto& x : out.todo.sets)
        if (x.which == which)
            return x.replicas;
    return none;
}

machine with_row_first(blue_green::detail::row r)
{
    machine m;
    m.rows.insert(m.rows.begin(), r);
    return m;
}
machine without_row(std::size_t i)
{
    machine m;
    m.rows.erase(m.rows.begin() + static_cast<std::ptrdiff_t>(i));
    return m;
}

}  // namespace

TEST_CASE("blue/green: no interleaving leaves users unserved, and every release ends")
{
    struct row {
        char const* name;
        blue_green::spec what;
        scope where;
    };
    std::vector<order> const all{
        order::promote, order::promote_full, order::abort, order::retry, order::pause, order::resume};
    auto const manual = [] {
        auto s = checked();
        s.auto_promotion = false;
        return s;
    };
    for (auto const& r : {
             row{"changes of mind", checked(), {.what = {.templates = 3}, .routers = 2}},
             row{"orders", checked(), {.what = {.templates = 2, .orders = 2}, .orders = all}},
             row{"failing pods", checked(), {.what = {.templates = 2, .orders = 1, .failures = 2}}},
             row{"replicas", checked(),
                 {.what = {.templates = 2, .replicas = 2, .orders = 1}, .most_replicas = 3}},
             row{"manual", manual(), {.what = {.templates = 2, .orders = 2}, .routers = 2}},
             row{"first", manual(),
                 {.what = {.templates = 2, .orders = 2, .failures = 1}, .from_nothing = true}},
             row{"late", manual(), {.what = {.templates = 2, .orders = 1, .failures = 1}, .late = true}},
         }) {
        CAPTURE(r.name);
        auto const found = explore(r.what, r.where);
        MESSAGE(std::string(r.name), ": ", found.states, " states, ", found.edges, " edges, longest ",
            found.longest);
        CHECK(found.violation == "");
        CHECK(found.stuck == 0);
        CHECK(found.stuck_after == "");
    }
}

TEST_CASE("blue/green: the exploration finds what a wrong machine does")
{
    using guards = blue_green::detail::machine;
    using blue_green::detail::any_of;
    using release::detail::when_paused;
    struct row {
        char const* name;
        machine wrong;
        bool is_stuck = false;  ///< else something is violated
    };
    std::vector<row> rows{
        {"switches before the new set is full",
            with_row_first({any_of(stage::filling), &guards::is_acknowledged, stage::switching})},
        {"does not wait for routers to acknowledge the switch",
            with_row_first({any_of(stage::switching), &guards::previews, stage::verifying})},
        {"does not wait for the check after the switch",
            with_row_first({any_of(stage::verifying), &guards::is_acknowledged, stage::keeping})},
        {"does not wait for the check before the switch",
            with_row_first({any_of(stage::checking), &guards::is_acknowledged, stage::waiting})},
        {"goes back before routers can have heard of it",
            with_row_first(
                {any_of(stage::reverting), &guards::stable_serves, stage::aborted, when_paused::always})},
        {"no data is a success", {.trusts = true}},
        {"a pod that is wanted is taken for available", {.hopes = true}},
        {"lets the old set go when the route is written",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        for (template_id t = 1; t < 4; ++t)
                            if (out.next.at == stage::switching && out.next.traffic.weight(t) == 0)
                                wish(out, t) = 0;
                    }}},
        {"lets the old set go before the check after the switch",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        if (out.next.at == stage::verifying)
                            wish(out, out.next.stable) = 0;
                    }}},
        {"never fills the new set",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        auto& n = wish(out, out.next.target);
                        n = out.next.at == stage::filling ? std::min(n, 1) : n;
                    }},
            true},
    };
    for (auto const& r : rows) {
        CAPTURE(r.name);
        auto s = checked();
        scope const where{.what = {.templates = 2, .orders = 1}};
        auto const wrong = explore(s, where, r.wrong);
        CHECK((wrong.violation == "") == r.is_stuck);
        CHECK((wrong.stuck > 0) == r.is_stuck);
        MESSAGE(std::string(r.name), ": ", wrong.states, " states; ", wrong.violation, wrong.stuck_after);
    }
}

TEST_CASE("blue/green: no row of the table is there for nothing")
{
    auto s = checked();
    s.auto_promotion_delay = 1min;
    scope const where{.what = {.templates = 3, .orders = 1, .failures = 1},
        .replicas = 1,
        .orders = {order::promote, order::abort, order::retry, order::pause},
        .verdicts = {verdict::pass, verdict::fail, verdict::no_data}};
    auto const all = explore(s, where);
    CHECK(all.violation == "");
    CHECK(all.stuck_after == "");
    CHECK(all.stages == (1U << 11) - 1);
    MESSAGE(all.states, " states");
    for (std::size_t i = 0; i < std::size(blue_green::detail::table); ++i) {
        CAPTURE(i);
        auto const found = explore(s, where, without_row(i));
        CHECK((found.violation != "" || found.stuck > 0 || found.moves != all.moves));
    }
}
