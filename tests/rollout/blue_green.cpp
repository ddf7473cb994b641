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
#include <iterator>
#include <optional>
#include <random>
#include <span>
#include <string>
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
using podium::tests::world;
namespace blue_green = rollout::blue_green;
namespace release = rollout::release;
using blue_green::stage;
using podium::tests::horizon;
using release::order;
using release::phase;
using release::reason;
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

    static std::int32_t least(spec const&, world const& w, template_id, std::int32_t weight)
    {
        return need(w.replicas, weight);
    }

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
        if (w.previewed && w.previewed != w.s.target && w.s.at == stage::checking && before.at != w.s.at)
            complain("checked before routers lead there");
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
    return {.template_ = 1,
        .preview_replicas = 1,
        .pre_promotion = 0,
        .post_promotion = 1,
        .progress_deadline = {},
        .revision_history_limit = {}};
}

using row = podium::tests::row<machine>;

struct rig : podium::tests::rig<blue_green::spec, blue_green::state> {
    using podium::tests::rig<blue_green::spec, blue_green::state>::rig;
};
blue_green::spec one()
{
    auto s = checked();
    s.template_ = 1;
    s.replicas = 3;
    s.progress_deadline = 600s;
    return s;
}

}  // namespace

TEST_CASE("blue/green: a release in order, and its plan is what happens")
{
    struct row {
        char const* name;
        blue_green::spec what;
        std::string expected;
    };
    auto const plain = [] { return blue_green::spec{.template_ = 2, .replicas = 3}; };
    auto manual = plain();
    manual.auto_promotion = false;
    manual.scale_down_delay = 0s;
    auto full = checked();
    full.template_ = 2;
    full.replicas = 3;
    full.auto_promotion_delay = 5s;
    full.scale_down_delay = 2min;
    auto none = plain();
    none.replicas = 0;
    none.scale_down_delay = 0s;
    for (auto const& r : std::vector<row>{
             {"nothing to check", plain(), R"(
preparing: 3 + 3, 0%
switching: 3 + 3, 100%
keeping: 3 + 3, 100%
settled: 0 + 3, 100%
)"},
             {"promoted by a person", manual, R"(
preparing: 3 + 3, 0%
waiting: 3 + 3, 0%
switching: 3 + 3, 100%
settled: 0 + 3, 100%
)"},
             {"a small preview, both checks, a delay", full, R"(
preparing: 3 + 1, 0%
checking: 3 + 1, 0%
waiting: 3 + 1, 0%
filling: 3 + 3, 0%
switching: 3 + 3, 100%
verifying: 3 + 3, 100%
keeping: 3 + 3, 100%
settled: 0 + 3, 100%
)"},
             {"no replicas", none, R"(
switching: 0 + 0, 100%
settled: 0 + 0, 100%
)"},
         }) {
        CAPTURE(r.name);
        REQUIRE(blue_green::check(r.what));
        auto const plan = blue_green::plan(r.what, {.analysis = 60s});
        CHECK(plan.finishes);
        CHECK(plan.needs_person == !r.what.auto_promotion);
        CHECK(plan.least_available == r.what.replicas);
        CHECK(plan.peak_pods == 2 * r.what.replicas);
        auto const lines = podium::tests::brief<blue_green::state>(plan);
        CHECK(lines == r.expected);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            scope const where{.replicas = r.what.replicas, .routers = 2, .verdicts = {verdict::pass}};
            CHECK(podium::tests::explorer<machine>({}, r.what, where).run_fair(random) == lines);
        }
    }
    auto const plan = blue_green::plan(full, {.pod_start = 20s, .router = 1s, .analysis = 60s});
    CHECK(plan.takes == 20s + 60s + 5s + 20s + 1s + 2min);  // the old set is kept from the switch on
}

TEST_CASE("blue/green: what does not know waits for a person, before the switch and after it")
{
    for (auto const v : {verdict::inconclusive, verdict::no_data}) {
        auto const why = v == verdict::no_data ? reason::no_data : reason::inconclusive;
        rig r(one());
        r.want(2);
        r.up();
        r.say(v);
        CHECK(r.s.at == stage::checking);
        CHECK(r.todo.phase == phase::paused);
        CHECK(r.todo.why == why);
        r.pass(24h);
        CHECK(r.s.at == stage::checking);
        auto const first = r.todo.analysis->number;
        r.tell(order::retry);
        CHECK(r.todo.analysis->number > first);
        CHECK(r.todo.why == reason::analysis_running);
        r.say(v);
        r.tell(order::promote);
        CHECK(r.s.at == stage::filling);
        r.up();
        r.acknowledge();
        CHECK(r.s.at == stage::verifying);
        r.say(v);
        r.pass(24h);
        CHECK(r.s.at == stage::verifying);
        CHECK(r.todo.why == why);
        CHECK(r.size(1) == 3);
        r.tell(order::promote);
        CHECK(r.s.at == stage::settled);
        CHECK(r.s.stable == 2);
        CHECK(r.size(1) == 0);
    }
}

TEST_CASE("blue/green: a failed check leads back, and not a pod has to start for it")
{
    rig r(one());
    r.want(2);
    CHECK(r.todo.preview == 2);
    r.up();
    r.say(verdict::fail);
    CHECK(r.s.at == stage::aborted);
    CHECK(r.s.traffic.weight(1) == 100);
    CHECK(r.todo.why == reason::analysis_failed);
    CHECK(r.todo.phase == phase::degraded);
    CHECK(r.size(2) == 1);
    r.pass(30s);
    CHECK(r.size(2) == 0);
    CHECK(r.todo.preview == 1);
    r.pass(24h);
    CHECK(r.s.at == stage::aborted);  // not tried again by itself
    r.tell(order::retry);
    r.up();
    r.say(verdict::pass);
    r.up();
    r.acknowledge();
    CHECK(r.s.at == stage::verifying);
    r.say(verdict::fail);
    CHECK(r.s.traffic.weight(1) == 100);
    CHECK(r.s.at == stage::reverting);
    CHECK(r.size(2) == 3);  // some router may not know yet
    r.acknowledge();
    CHECK(r.s.at == stage::aborted);
}

TEST_CASE(
    "blue/green: the way back waits for the pods of stable if they are gone, unless the new ones are, too")
{
    rig r(one());
    r.want(2);
    r.up();
    r.say(verdict::pass);
    r.up();
    r.acknowledge();
    r.fail(1);
    r.tell(order::abort);
    CHECK(r.s.at == stage::restoring);
    CHECK(r.todo.why == reason::stable_starting);
    CHECK(r.s.traffic.weight(2) == 100);
    r.find(1)->available = 1;
    r.ask();
    CHECK(r.s.at == stage::restoring);
    r.find(2)->available = 1;
    r.ask();
    CHECK(r.s.traffic.weight(1) == 100);
}

TEST_CASE("blue/green: a router that does not acknowledge is waited for, and seen")
{
    rig r(one());
    r.want(2);
    r.up();
    r.say(verdict::pass);
    r.up();
    CHECK(r.s.at == stage::switching);
    CHECK(r.todo.why == reason::router_behind);
    r.acknowledged = r.s.traffic.generation - 1;
    r.pass(600s);
    CHECK(r.s.at == stage::switching);
    CHECK(r.todo.phase == phase::degraded);
    CHECK(r.todo.why == reason::no_progress);
    CHECK(r.size(1) == 3);
    CHECK(r.size(2) == 3);
    r.tell(order::abort);
    r.acknowledged = r.s.traffic.generation + 5;  // of the future: counts for what there is
    r.ask();
    CHECK(r.s.at == stage::aborted);
    CHECK(r.s.traffic.acknowledged == r.s.traffic.generation);
    r.acknowledged = 0;  // late
    r.ask();
    CHECK(r.s.traffic.is_acknowledged());
}

TEST_CASE("blue/green: the check begins when every router leads to the preview")
{
    rig r(one());
    r.previewed = 1;
    r.want(2);
    r.up();
    CHECK(r.s.at == stage::preparing);
    CHECK(r.todo.why == reason::router_behind);
    r.pass(600s);
    CHECK(r.todo.phase == phase::degraded);  // it is seen
    CHECK(!r.todo.analysis);
    r.previewed = 2;
    r.ask();
    CHECK(r.s.at == stage::checking);
    r.previewed = 0;  // a router joins: what has begun goes on
    r.say(verdict::pass);
    r.up();
    CHECK(r.s.at == stage::switching);

    auto s = one();
    s.pre_promotion = {};
    rig unchecked(s);
    unchecked.previewed = 1;
    unchecked.want(2);
    unchecked.up();
    unchecked.up();
    CHECK(unchecked.s.at == stage::switching);  // there is no check to wait for
}

TEST_CASE("blue/green: an order that cannot be followed is refused, with a reason")
{
    rig r(one());
    auto const refused = [&](order o, reason why) {
        auto const at = r.s.at;
        r.tell(o);
        CHECK(r.s.at == at);
        CHECK(r.s.refused == release::refusal{o, why});
    };
    refused(order::promote, reason::not_releasing);
    refused(order::abort, reason::not_releasing);
    refused(order::retry, reason::not_releasing);
    r.want(2);
    refused(order::promote, reason::not_waiting);  // its pods are not available
    r.up();
    refused(order::promote, reason::not_waiting);  // its check is not done
    r.tell(order::pause);
    r.say(verdict::no_data);
    refused(order::promote, reason::user_paused);
    r.tell(order::resume);
    CHECK(!r.s.refused);
    auto const again = blue_green::step(r.what, r.s, {r.sets, r.acknowledged, r.answers, r.told, {}}, r.now);
    CHECK(again.next == r.s);
    rig first(one(), true);
    CHECK(first.s.at == stage::preparing);
    first.tell(order::abort);
    CHECK(first.s.at == stage::preparing);
    CHECK(first.s.refused == release::refusal{order::abort, reason::no_stable});
}

TEST_CASE("blue/green: a template that is still kept, or was stable lately, is switched to without checks")
{
    auto s = one();
    s.scale_down_delay = 10min;
    rig r(s);
    auto const release_2 = [&] {
        r.want(2);
        r.up();
        r.say(verdict::pass);
        r.up();
        r.acknowledge();
        r.say(verdict::pass);
        CHECK(r.s.at == stage::keeping);
    };
    release_2();
    r.want(3);
    CHECK(r.s.stable == 2);
    CHECK(r.size(1) == 3);  // kept
    r.what.replicas = 4;
    r.ask();
    CHECK(r.size(1) == 4);
    CHECK(r.size(2) == 4);
    r.up();
    r.want(1);
    CHECK(r.s.at == stage::switching);
    r.acknowledge();
    CHECK(r.s.at == stage::keeping);
    r.pass(10min);
    CHECK(r.s.stable == 1);
    CHECK(r.size(2) == 0);

    r.what.rollback_window = 1;
    release_2();
    r.pass(10min);
    CHECK(r.s.stable == 2);
    CHECK(r.size(1) == 0);
    r.want(1);
    CHECK(r.size(1) == 4);  // whole, and no preview
    r.up();
    CHECK(r.s.at == stage::switching);
    r.acknowledge();
    CHECK(r.s.at == stage::keeping);
}

TEST_CASE("blue/green: history that is long enough is forgotten, from the oldest on")
{
    auto s = one();
    s.revision_history_limit = 1;
    s.pre_promotion = s.post_promotion = {};
    rig r(s);
    for (template_id t = 2; t <= 5; ++t) {
        r.want(t);
        r.up();
        r.up();
        r.acknowledge();
        r.pass(horizon);
        CHECK(r.s.stable == t);
    }
    std::vector<template_id> forgotten;
    for (auto const& x : r.todo.sets)
        if (x.forget)
            forgotten.push_back(x.which);
    CHECK(forgotten == std::vector<template_id>{1, 2, 3});
}

TEST_CASE("blue/green: what makes no sense is refused by name, all at once")
{
    auto s = one();
    CHECK(blue_green::check(s));
    s.template_ = 0;
    s.replicas = -1;
    s.preview_replicas = -1;
    s.auto_promotion = false;
    s.auto_promotion_delay = -1s;
    s.scale_down_delay = -1s;
    s.abort_scale_down_delay = -1s;
    s.progress_deadline = 0s;
    s.revision_history_limit = -1;
    auto const e = blue_green::check(s).error();
    CHECK(e.code == errc::invalid);
    CHECK(e.text() == R"(template: must not be 0, which stands for none
replicas: must be at least 0
scale_down_delay: must be at least 0
abort_scale_down_delay: must be at least 0
progress_deadline: must be longer than 0
revision_history_limit: must be at least 0
auto_promotion_delay: must be at least 0
auto_promotion_delay: means nothing without auto_promotion
preview_replicas: must be at least 0)");
    s = one();
    s.progress_deadline = {};
    s.abort_at_deadline = true;
    CHECK(blue_green::check(s).error().path == "abort_at_deadline");
}

TEST_CASE("blue/green: no interleaving leaves users unserved, and every release ends")
{
    auto manual = checked();
    manual.auto_promotion = false;
    auto hasty = checked();
    hasty.progress_deadline = 5min;
    hasty.abort_at_deadline = true;
    hasty.abort_scale_down_delay = {};
    hasty.scale_down_delay = 0s;
    hasty.rollback_window = 1;
    std::size_t states = 0;
    std::uint32_t stages = 0;
    for (auto const& r : {
             row{"changes of mind", checked(), {.what = {.templates = 3}, .routers = 2}},
             row{"a preview that comes late", checked(),
                 {.what = {.templates = 3, .orders = 1}, .previews = true}},
             row{"orders", checked(), {.what = {.templates = 2, .orders = 2}, .orders = all_orders}},
             row{"failing pods", checked(), {.what = {.templates = 2, .orders = 1, .failures = 2}}},
             row{"replicas", checked(),
                 {.what = {.templates = 2, .replicas = 1, .orders = 1}, .most_replicas = 3}},
             row{"promoted by a person", manual, {.what = {.templates = 2, .orders = 2}, .routers = 2}},
             row{"deadlines, and a window", hasty, {.what = {.templates = 3, .failures = 1}}},
             row{"the first release of all", manual,
                 {.what = {.templates = 2, .orders = 2, .failures = 1}, .from_nothing = true}},
             row{"counts that lag", checked(), {.what = {.templates = 2, .orders = 1}, .lags = true}},
             row{"a machine that is late", manual,
                 {.what = {.templates = 2, .orders = 1, .failures = 1}, .late = true}},
         }) {
        auto const found = explore(r);
        states += found.states;
        stages |= found.stages;
    }
    CHECK(stages == (1U << 11) - 1);
    CHECK(states > 60'000);
}

TEST_CASE("blue/green: the exploration finds what a wrong machine does")
{
    using guards = blue_green::detail::machine;
    using blue_green::detail::any_of;
    using release::detail::when_paused;
    struct broken {
        char const* name;
        machine wrong;
        std::string violation;  ///< how it begins; empty: releases are stuck instead
    };
    std::vector<broken> const rows{
        {"switches before the new set is full",
            with_first<machine>({any_of(stage::filling), &guards::is_acknowledged, stage::switching}),
            "traffic is raised"},
        {"does not wait for routers to acknowledge the switch",
            with_first<machine>({any_of(stage::switching), &guards::previews, stage::verifying}),
            "at rest, and traffic"},
        {"does not wait for the check after the switch",
            with_first<machine>({any_of(stage::verifying), &guards::is_acknowledged, stage::keeping}),
            "promoted without"},
        {"does not wait for the check before the switch",
            with_first<machine>({any_of(stage::checking), &guards::is_acknowledged, stage::waiting}),
            "switched without"},
        {"begins the check before routers lead to the preview",
            with_first<machine>({any_of(stage::preparing), &guards::previews, stage::checking}),
            "checked before"},
        {"goes back before routers can have heard of it",
            with_first<machine>(
                {any_of(stage::reverting), &guards::stable_serves, stage::aborted, when_paused::always}),
            "at rest, and traffic"},
        {"no data is a success", {.trusts = true}, "switched without"},
        {"a pod that is wanted is taken for available", {.hopes = true}, "traffic is raised"},
        {"lets the old set go when the route is written",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        for (template_id t = 1; t < 4; ++t)
                            if (out.next.at == stage::switching && out.next.traffic.weight(t) == 0)
                                wish(out, t) = 0;
                    }},
            "a set shrinks"},
        {"lets the old set go before the check after the switch",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        if (out.next.at == stage::verifying)
                            wish(out, out.next.stable) = 0;
                    }},
            "there is no way back"},
        {"never fills the new set",
            {.spoil =
                    [](blue_green::spec const&, blue_green::stepped& out) {
                        auto& n = wish(out, out.next.target);
                        n = out.next.at == stage::filling ? std::min(n, 1) : n;
                    }},
            ""},
    };
    for (auto const& r : rows) {
        CAPTURE(r.name);
        auto const wrong = podium::tests::explore<machine>(
            checked(), {.what = {.templates = 2, .orders = 1}, .previews = true}, r.wrong);
        CHECK(wrong.violation.substr(0, r.violation.size()) == r.violation);
        CHECK((wrong.violation == "") == (r.violation == ""));
        CHECK((wrong.stuck > 0) == (r.violation == ""));
    }
}

TEST_CASE("blue/green: no row of the table is there for nothing")
{
    auto s = checked();
    s.auto_promotion_delay = 1min;
    scope const where{.what = {.templates = 3, .orders = 1},
        .replicas = 1,
        .orders = {order::promote, order::abort, order::retry, order::pause},
        .verdicts = {verdict::pass, verdict::fail, verdict::no_data}};
    auto const all = podium::tests::explore<machine>(s, where);
    CHECK(all.violation == "");
    CHECK(all.stuck_after == "");
    for (std::size_t i = 0; i < std::size(blue_green::detail::table); ++i) {
        CAPTURE(i);
        auto const found = podium::tests::explore<machine>(s, where, without<machine>(i));
        CHECK((found.violation != "" || found.stuck > 0 || found.moves != all.moves));
    }
}

TEST_SUITE("property")
{
    TEST_CASE("blue/green: whatever happens, users are served, and a world that calms down brings rest")
    {
        std::size_t moves = 0;
        std::uint32_t stages = 0;
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const maybe = [&] { return random() % 2 == 0; };
            blue_green::spec s{.auto_promotion = maybe(), .progress_deadline = {}};
            if (s.auto_promotion && maybe())
                s.auto_promotion_delay = 1min;
            if (maybe())
                s.preview_replicas = static_cast<std::int32_t>(random() % 4);
            if (maybe())
                s.pre_promotion = 0;
            if (maybe())
                s.post_promotion = 1;
            s.scale_down_delay = random() % 3 * 1min;
            if (maybe())
                s.abort_scale_down_delay = {};
            if (maybe())
                s.progress_deadline = 3min;
            s.abort_at_deadline = s.progress_deadline && maybe();
            s.fast_rollback = maybe();
            s.rollback_window = random() % 3;
            scope const where{.what = {.templates = 30, .replicas = 30, .orders = 30, .failures = 30},
                .replicas = static_cast<std::int32_t>(random() % 6),
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
        CHECK(stages == (1U << 11) - 1);
    }
}

TEST_SUITE("long")
{
    TEST_CASE("blue/green: no interleaving of more, either")
    {
        auto manual = checked();
        manual.auto_promotion = false;
        auto hasty = checked();
        hasty.progress_deadline = 5min;
        hasty.abort_at_deadline = true;
        std::size_t states = 0;
        for (auto const& r : {
                 row{"replicas", checked(),
                     {.what = {.templates = 2, .replicas = 2, .orders = 1}, .most_replicas = 3}},
                 row{"everything", manual,
                     {.what = {.templates = 3, .replicas = 1, .orders = 2, .failures = 1}, .routers = 2}},
                 row{"orders", manual, {.what = {.templates = 3, .orders = 3}, .orders = all_orders}},
                 row{"deadlines", hasty,
                     {.what = {.templates = 2, .orders = 2, .failures = 2},
                         .replicas = 3,
                         .most_replicas = 3}},
                 row{"late", manual,
                     {.what = {.templates = 3, .replicas = 1, .orders = 2, .failures = 1}, .late = true}},
             })
            states += explore(r).states;
        MESSAGE(states, " states");
        CHECK(states > 500'000);
    }
}
