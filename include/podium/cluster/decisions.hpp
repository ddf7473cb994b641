#pragma once
/// What the autoscalers decided, as lines of JSON: one for each decision, the oldest first.
///
/// For people and for jq: inputs, verdict and reason as they are in the log, but for the policy, which is the
/// autoscaler's own spec, and for what it remembers, which is in its status. In C++ the whole is
/// `cluster::local::decisions()`, and can be decided again (controllers/scaling_decisions.hpp).

#include <podium/controllers/scaling_decisions.hpp>
#include <podium/model/json.hpp>
#include <podium/model/time.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace podium::inline v0::cluster {

namespace detail {

[[nodiscard]] inline model::json json_of(controllers::scaling_inputs const& in)
{
    model::json out{{"size",
        {{"wanted", in.size.wanted}, {"existing", in.size.existing}, {"pods", in.size.pods},
            {"ready", in.size.ready_pods}}}};
    auto& metrics = out["metrics"] = model::json::array();
    for (std::size_t i = 0; i < in.policy.metrics.size(); ++i) {
        auto const& m = in.policy.metrics[i];
        model::json one{{"name", m.name}};
        if (m.aim == autoscale::target::utilization)
            one["targetPercent"] = m.target_percent;
        else
            one["targetMilli"] = m.target_milli;
        auto const reading = i < in.readings.size() ? in.readings[i] : autoscale::reading{};
        if (reading.value_milli)
            one["valueMilli"] = *reading.value_milli;
        if (auto const& t = reading.pods) {
            one["usedMilli"] = t->used_milli;
            if (m.aim == autoscale::target::utilization)
                one["requestedMilli"] = t->requested_milli;
            for (auto const& [what, n] : {std::pair("counted", t->counted), {"missing", t->missing},
                     {"unready", t->unready}, {"ignored", t->ignored}})
                one[what] = n;
        }
        metrics.push_back(std::move(one));
    }
    return out;
}

[[nodiscard]] inline model::json json_of(autoscale::decision const& d)
{
    return {{"from", d.from}, {"desired", d.desired}, {"scales", d.scale_to.has_value()},
        {"reactive", d.reactive}, {"recommended", d.recommended}, {"stabilized", d.stabilized},
        {"why", to_string(d.why)}, {"limitedBy", to_string(d.limited_by)},
        {"failedMetrics", d.failed_metrics}};
}

}  // namespace detail

/// All that is kept. O(its length).
[[nodiscard]] inline std::string decision_lines(controllers::scaling_decisions const& log)
{
    std::string out;
    for (auto n = log.first(); n < log.end(); ++n) {
        auto const& r = *log.at(n);
        model::json const line{{"number", n}, {"time", to_text(model::time{r.when})}, {"who", r.who},
            {"about", r.about}, {"inputs", detail::json_of(r.inputs)},
            {"verdict", detail::json_of(r.verdict)}, {"reason", r.reason}};
        // What is no UTF-8 is replaced, so this never throws.
        (out += line.dump(-1, ' ', false, model::json::error_handler_t::replace)) += '\n';
    }
    return out;
}

}  // namespace podium::v0::cluster
