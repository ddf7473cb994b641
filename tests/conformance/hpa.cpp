// hpa.json: the horizontal autoscaler's arithmetic (decision) and its limits over time (series).

#include "runner.hpp"

#include <podium/autoscale.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace conformance;
namespace autoscale = podium::autoscale;

way const counts_as_kubernetes("autoscale::overflow::kubernetes (podium: saturate, a count beyond 32 bits is "
                               "the largest, not the least)");
way const unready_as_kubernetes(
    "autoscale::unready_pods::kubernetes (podium: hold, a size does not shrink under "
    "load because its pods start)");

podium::duration seconds(json const& v)
{
    return podium::duration(static_cast<std::int64_t>(std::llround(v.get<double>() * 1e9)));
}
podium::time_point at(json const& v)
{
    return podium::time_point(seconds(v));
}

std::optional<double> tolerance_of(json const& v)
{
    if (v.is_null())
        return std::nullopt;
    auto const text = v.get<std::string>();
    std::size_t read = 0;
    auto const number = std::stod(text, &read);
    return text.substr(read) == "m" ? number * 0.001 : number;
}

void read_rules(json const& v, autoscale::scaling_rules& r)
{
    if (v.is_null())
        return;
    if (auto const& w = v.at("stabilization_window_seconds"); !w.is_null())
        r.stabilization_window = seconds(w);
    if (auto const& s = v.at("select_policy"); !s.is_null())
        r.select_policy = s == "Max" ? autoscale::select::max_change
            : s == "Min"             ? autoscale::select::min_change
                                     : autoscale::select::disabled;
    if (auto const& policies = v.at("policies"); !policies.is_null()) {
        r.policies.clear();
        for (auto const& p : policies)
            r.policies.push_back({.of = p.at("type") == "Pods" ? autoscale::scaling_policy::unit::pods
                                                               : autoscale::scaling_policy::unit::percent,
                .value = p.at("value").get<std::int32_t>(),
                .period = seconds(p.at("period_seconds"))});
    }
    r.tolerance = tolerance_of(v.at("tolerance"));
}

autoscale::metric metric_of(json const& v)
{
    autoscale::metric m;
    auto const type = v.at("type").get<std::string>();
    m.from = type == "Resource"       ? autoscale::source::resource
        : type == "ContainerResource" ? autoscale::source::container_resource
        : type == "Pods"              ? autoscale::source::pods
        : type == "Object"            ? autoscale::source::object
                                      : autoscale::source::external;
    m.name = v.contains("resource") ? v.at("resource") : v.at("metric");
    m.container = v.value("container", "");
    if (v.contains("target_utilization_percent")) {
        m.aim = autoscale::target::utilization;
        m.target_percent = v.at("target_utilization_percent").get<std::int32_t>();
    } else if (v.contains("target_average_milli")) {
        m.target_milli = v.at("target_average_milli").get<std::int64_t>();
    } else {
        m.aim = autoscale::target::value;
        m.target_milli = v.at("target_value_milli").get<std::int64_t>();
    }
    return m;
}

// The controller's settings in the file are podium's defaults.
autoscale::policy policy_of(json const& v)
{
    autoscale::policy p;
    p.min_replicas = v.at("min_replicas").get<std::int32_t>();
    p.max_replicas = v.at("max_replicas").get<std::int32_t>();
    for (auto const& m : v.at("metrics"))
        p.metrics.push_back(metric_of(m));
    if (auto const& b = v.at("behavior"); !b.is_null()) {
        p.behavior.emplace();
        read_rules(b.at("scale_up"), p.behavior->scale_up);
        read_rules(b.at("scale_down"), p.behavior->scale_down);
    }
    p.counts = autoscale::overflow::kubernetes;
    p.unready = autoscale::unready_pods::kubernetes;
    return p;
}

// What a metric sees of a pod, but for its number.
autoscale::sample pod_of(json const& v, autoscale::metric const& m)
{
    autoscale::sample s;
    auto const phase = v.at("phase").get<std::string>();
    s.phase = phase == "Pending" ? autoscale::phase::pending
        : phase == "Running"     ? autoscale::phase::running
        : phase == "Succeeded"   ? autoscale::phase::succeeded
                                 : autoscale::phase::failed;
    auto const& ready = v.at("ready");
    s.readiness = ready.is_null() ? autoscale::readiness::none
        : ready.get<bool>()       ? autoscale::readiness::ready
                                  : autoscale::readiness::not_ready;
    if (auto const& since = v.at("ready_changed_at"); !since.is_null())
        s.readiness_since = at(since);
    s.started_at.reset();
    if (auto const& started = v.at("started_at"); !started.is_null())
        s.started_at = at(started);
    s.deleting = v.at("deleting").get<bool>();
    auto const* const field = m.name == "memory" ? "memory_request_milli" : "cpu_request_milli";
    bool found = false, complete = true;
    std::int64_t sum = 0;
    for (auto const& c : v.at("containers")) {
        if (!m.container.empty() && c.at("name") != m.container)
            continue;
        found = true;
        if (c.at(field).is_null())
            complete = false;
        else
            sum += c.at(field).get<std::int64_t>();
    }
    if (complete && (found || m.container.empty()))
        s.request_milli = sum;
    return s;
}

json pods_of(json const& v)
{
    if (!v.is_number())
        return v;
    json pods = json::array();
    for (int i = 0; i < v.get<int>(); ++i)
        pods.push_back({{"name", "p" + std::to_string(i)}, {"phase", "Running"}, {"ready", true},
            {"ready_changed_at", 0}, {"started_at", 0}, {"deleting", false},
            {"containers",
                json::array({{{"name", "app"}, {"sidecar", false}, {"cpu_request_milli", 1000},
                    {"memory_request_milli", (std::int64_t{1} << 30) * 1000}}})}});
    return pods;
}

void read_number(json const& v, autoscale::sample& s, podium::time_point now)
{
    s.value_milli = v.is_number() ? v.get<std::int64_t>() : v.at("value_milli").get<std::int64_t>();
    s.measured_at = v.is_number() ? now : at(v.at("measured_at"));
    s.window = v.is_number() ? podium::duration(std::chrono::seconds(60)) : seconds(v.at("window_seconds"));
}

autoscale::reading reading_of(autoscale::policy const& p, autoscale::metric const& m, json const& pods,
    json const& seen, podium::time_point now)
{
    autoscale::reading r;
    if (seen.contains("values_milli")) {
        r.value_milli = autoscale::sum_milli(seen.at("values_milli").get<std::vector<std::int64_t>>());
    } else if (seen.contains("pods_milli")) {
        auto numbers = seen.at("pods_milli");
        std::vector<autoscale::sample> samples;
        for (auto const& pod : pods) {
            samples.push_back(pod_of(pod, m));
            if (auto const n = numbers.find(pod.at("name").get<std::string>()); n != numbers.end()) {
                read_number(*n, samples.back(), now);
                numbers.erase(n);
            }
        }
        for (auto const& n : numbers) {
            read_number(n, samples.emplace_back(), now);
            samples.back().member = false;
        }
        r.pods = autoscale::count(p, m, samples, [](autoscale::sample const& s) { return s; }, now);
    }
    return r;
}

json condition_json(std::optional<autoscale::condition> const& c)
{
    if (!c)
        return nullptr;
    return {{"status", c->value}, {"reason", to_string(c->why)}};
}

template<class T>
json number(std::optional<T> const& n)
{
    return n ? json(*n) : json(nullptr);
}

json metrics_json(autoscale::decision const& todo)
{
    json all = json::array();
    for (std::size_t i = 0; i < todo.proposals.size(); ++i) {
        auto const& m = todo.proposals[i];
        if (m.failed())
            all.push_back(nullptr);
        else
            all.push_back({{"utilization_percent", number(m.utilization_percent)},
                {"average_milli", number(m.average_milli)}, {"value_milli", number(m.value_milli)}});
    }
    return all;
}

autoscale::stepped advance(autoscale::policy const& p, autoscale::state s, json const& in,
    autoscale::workspace& room, std::vector<autoscale::reading>& readings)
{
    auto const now = at(in.at("at"));
    auto const pods = pods_of(in.at("pods"));
    autoscale::observed seen;
    seen.size.wanted = in.at("spec_replicas").get<std::int32_t>();
    seen.size.existing = in.at("status_replicas").get<std::int32_t>();
    for (auto const& pod : pods) {
        ++seen.size.pods;
        seen.size.ready_pods += pod.at("phase") == "Running" && pod.at("ready") == true;
    }
    readings.clear();
    for (std::size_t i = 0; i < p.metrics.size(); ++i)
        readings.push_back(reading_of(p, p.metrics[i], pods, in.at("observed").at(i), now));
    seen.readings = readings;
    return autoscale::step(p, std::move(s), seen, now, room);
}

json answer(autoscale::stepped const& out, bool metrics)
{
    json a{{"desired_replicas", out.todo.desired}, {"scaled", out.todo.scale_to.has_value()},
        {"failed", out.todo.failed_metrics > 0},
        {"conditions",
            {{"able_to_scale", condition_json(out.next.able_to_scale)},
                {"scaling_active", condition_json(out.next.scaling_active)},
                {"scaling_limited", condition_json(out.next.scaling_limited)}}}};
    if (metrics)
        a["current_metrics"] = metrics_json(out.todo);
    return a;
}

json expected(json const& c, bool metrics)
{
    json e{{"desired_replicas", c.at("desired_replicas")}, {"scaled", c.at("scaled")},
        {"failed", !c.at("error").is_null()}, {"conditions", c.at("conditions")}};
    if (metrics)
        e["current_metrics"] = c.at("current_metrics");
    return e;
}

// Where a case has no current_metrics at all (targets of size zero), there is nothing to compare them with.
std::optional<mismatch> decision(json const& c)
{
    bool const metrics = !c.at("current_metrics").is_null();
    auto const p = policy_of(c.at("hpa"));
    autoscale::workspace room;
    std::vector<autoscale::reading> readings;
    return unlike(expected(c, metrics), answer(advance(p, {}, c, room, readings), metrics));
}

std::optional<mismatch> series(json const& c)
{
    auto const p = policy_of(c.at("hpa"));
    autoscale::workspace room;
    std::vector<autoscale::reading> readings;
    autoscale::state s;
    for (auto const& in : c.at("steps")) {
        auto out = advance(p, std::move(s), in, room, readings);
        if (auto wrong = unlike(expected(in, false), answer(out, false))) {
            wrong->expected["at"] = wrong->got["at"] = in.at("at");
            return wrong;
        }
        s = std::move(out.next);
    }
    return std::nullopt;
}

area const hpa{"hpa", {{"decision", decision}, {"series", series}}};

}  // namespace
