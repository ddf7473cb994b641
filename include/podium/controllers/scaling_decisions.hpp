#pragma once
/// What the autoscalers decided: on which inputs, what, and why, to be decided again.
///
///     settings.autoscaler.decisions = std::make_shared<scaling_decisions>(1000);
///     ...
///     auto const differs = log.replay([&](scaling_inputs const& in, time_point at) {
///         return decide(in.policy, in, at);  // the same, or by another policy what that would have done
///     });
///
/// A decision is in it when it was taken. Where its write meets another one it is taken again, on what is
/// there then, and is in it twice.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/proposal.hpp>
#include <podium/autoscale/scaler.hpp>
#include <podium/autoscale/state.hpp>
#include <podium/core/time.hpp>
#include <podium/observe/decisions.hpp>

#include <vector>

namespace podium::inline v0::controllers {

/// All that one step of an autoscaler follows from, but the time.
struct scaling_inputs {
    autoscale::policy policy{};
    autoscale::state state{};
    autoscale::sizes size{};
    std::vector<autoscale::reading> readings{};  ///< one for each of the policy's metrics
    friend bool operator==(scaling_inputs const&, scaling_inputs const&) = default;
};

/// Verdicts are without their proposals, which the reason tells of.
using scaling_decisions = observe::decision_log<scaling_inputs, autoscale::decision>;

/// What a policy makes of the same inputs at that time. It need not be theirs, but has their metrics.
[[nodiscard]] inline autoscale::decision decide(
    autoscale::policy const& policy, scaling_inputs const& in, time_point at)
{
    autoscale::workspace room;
    auto out = autoscale::step(policy, in.state, {.size = in.size, .readings = in.readings}, at, room).todo;
    out.proposals = {};
    return out;
}

}  // namespace podium::v0::controllers
