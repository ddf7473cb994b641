#pragma once
/// Which pods made a recommendation: the pods behind the counts of a proposal, one by one.
///
/// A decision carries counts, so that it costs nothing; who wants to know which pods they are asks for the
/// same fleet, metric and time again. `classify` decides here and there, so the two cannot disagree.

#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/sample.hpp>
#include <podium/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <vector>

namespace podium::inline v0::autoscale {

/// One pod's part in a metric.
struct part {
    std::size_t index = 0;  ///< of the pod, in the range
    group is = group::unseen;
    std::optional<std::int64_t> value_milli{};    ///< what was measured, whether it counts or not
    std::optional<std::int64_t> request_milli{};  ///< for utilization
    friend bool operator==(part const&, part const&) = default;
};

/// What each pod is to one metric, in the order of the range: given what `count` or `observe` was given, the
/// pods that its tally counts. O(n), allocates the answer.
template<std::ranges::input_range Pods, Projection<std::ranges::range_value_t<Pods>> F>
[[nodiscard]] std::vector<part> explain(
    policy const& p, metric const& m, Pods const& pods, F&& projection, time_point now)
{
    std::vector<part> out;
    bool const skip = skips_starting(m);
    for (auto const& pod : pods) {
        auto const s = detail::project(projection, pod, m);
        out.push_back({.index = out.size(),
            .is = classify(p, skip, s, now),
            .value_milli = s.value_milli,
            .request_milli = s.request_milli});
    }
    return out;
}

}  // namespace podium::v0::autoscale
