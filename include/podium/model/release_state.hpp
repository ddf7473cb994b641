#pragma once
/// The states of the release machines as JSON: a Rollout keeps them in its status.

#include <podium/model/instant.hpp>
#include <podium/rollout/blue_green.hpp>
#include <podium/rollout/canary.hpp>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

namespace podium::inline v0::rollout {

BOOST_DESCRIBE_ENUM(verdict, pass, fail, inconclusive, no_data)

}  // namespace podium::v0::rollout

namespace podium::inline v0::rollout::release {

BOOST_DESCRIBE_STRUCT(share, (), (to, weight, at_most))
BOOST_DESCRIBE_STRUCT(route, (), (generation, acknowledged, shares))
BOOST_DESCRIBE_STRUCT(run, (), (number, which, said))
BOOST_DESCRIBE_ENUM(order, promote, promote_full, abort, retry, pause, resume)
BOOST_DESCRIBE_ENUM(reason, complete, nothing_wanted, pods_starting, stable_starting, router_behind,
    analysis_running, inconclusive, no_data, wants_promotion, timed_pause, old_kept, user_paused, no_progress,
    aborted_by_user, analysis_failed, aborted_late, another_template, back_to_stable, not_releasing,
    no_stable, not_waiting)
BOOST_DESCRIBE_STRUCT(refusal, (), (what, why))

}  // namespace podium::v0::rollout::release

// What the two remember in common comes first.

namespace podium::inline v0::rollout::canary {

BOOST_DESCRIBE_ENUM(stage, settled, stepping, promoting, restoring, reverting, aborted)
BOOST_DESCRIBE_STRUCT(state, (),
    (stable, target, traffic, since, progressed, best, why, fast, paused, analysis, runs, heard, refused,
        kept, kept_until, proven, at, step, list, background, waived))

}  // namespace podium::v0::rollout::canary

namespace podium::inline v0::rollout::blue_green {

BOOST_DESCRIBE_ENUM(stage, settled, preparing, checking, waiting, filling, switching, verifying, keeping,
    restoring, reverting, aborted)
BOOST_DESCRIBE_STRUCT(state, (),
    (stable, target, traffic, since, progressed, best, why, fast, paused, analysis, runs, heard, refused,
        kept, kept_until, proven, at, switched))

}  // namespace podium::v0::rollout::blue_green
