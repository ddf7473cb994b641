#pragma once
/// What to scale on, how far, and how fast.
///
/// Numbers are thousandths of a metric's unit, as in Kubernetes: a target of 80 players is
/// `target_milli = 80'000`, one of 250 milli-cores is 250. `milli(x)` turns other numbers into them.
///
/// Source: Kubernetes v1.35.4 autoscaling/v2 types.go and apis/autoscaling/v2/defaults.go; the settings
/// that are the controller's own there (tolerance, the three periods) are fields of the policy here.

#include <podium/autoscale/predict.hpp>
#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::autoscale {

/// Where a metric's numbers come from.
enum class source : std::uint8_t {
    resource,            ///< a resource that pods use and request: one number for each pod
    container_resource,  ///< the same of one of their containers
    pods,                ///< anything else that is measured for each pod
    object,              ///< one number of some object, as the requests/s of a router
    external,            ///< one number from elsewhere, as the length of a queue
};

/// What the number is compared with.
enum class target : std::uint8_t {
    utilization,    ///< percent of what the pods request
    average_value,  ///< for each pod
    value,          ///< the whole, whatever the number of pods: replicas follow its ratio to the target
};

/// One metric and where it should be. Which targets go with which source is what `validate` says.
struct metric {
    source from = source::pods;
    std::string name{};       ///< of the resource or metric: "cpu", "players"
    std::string container{};  ///< container_resource only
    target aim = target::average_value;
    std::int32_t target_percent = 0;  ///< utilization only, > 0
    std::int64_t target_milli = 0;    ///< average_value and value, > 0
    /// Leave out what pods use while they start up. None: as Kubernetes, only for the resource "cpu".
    std::optional<bool> skip_starting{};
    friend bool operator==(metric const&, metric const&) = default;
};

/// Which of several policies holds.
enum class select : std::uint8_t {
    max_change,  ///< the one that allows most
    min_change,  ///< the one that allows least
    disabled,    ///< no change in this direction
};

/// At most this much change within any period.
struct scaling_policy {
    enum class unit : std::uint8_t { pods, percent };
    unit of = unit::pods;
    std::int32_t value = 0;                      ///< > 0
    duration period = std::chrono::seconds(15);  ///< > 0, at most 30 min
    friend bool operator==(scaling_policy const&, scaling_policy const&) = default;
};

/// How one direction behaves.
struct scaling_rules {
    /// Up: the lowest recommendation of this window holds, down: the highest. None: the policy's
    /// `downscale_stabilization` for down, zero for up.
    std::optional<duration> stabilization_window{};
    select select_policy = select::max_change;
    std::vector<scaling_policy> policies{};
    std::optional<double> tolerance{};  ///< none: the policy's
    friend bool operator==(scaling_rules const&, scaling_rules const&) = default;
};

/// At once, by 4 pods or to the double in 15 s, whichever is more.
[[nodiscard]] inline scaling_rules default_scale_up()
{
    return {.stabilization_window = duration::zero(),
        .select_policy = select::max_change,
        .policies = {{.of = scaling_policy::unit::pods, .value = 4},
            {.of = scaling_policy::unit::percent, .value = 100}},
        .tolerance = {}};
}

/// To the highest of the last five minutes, then as far as need be.
[[nodiscard]] inline scaling_rules default_scale_down()
{
    return {.stabilization_window = {},
        .select_policy = select::max_change,
        .policies = {{.of = scaling_policy::unit::percent, .value = 100}},
        .tolerance = {}};
}

/// What is not said is Kubernetes' default.
struct behavior {
    scaling_rules scale_up = default_scale_up();
    scaling_rules scale_down = default_scale_down();
    friend bool operator==(behavior const&, behavior const&) = default;
};

/// What to do where a count leaves 32 bits.
enum class overflow : std::uint8_t {
    saturate,  ///< the count is as large as can be, so max_replicas holds
    /// As Kubernetes 1.35.4 on amd64: -2147483648 for resource and pods metrics and for averages of an
    /// object, so that 100 pods at 3e7 times their target are asked to shrink.
    kubernetes,
};

/// What a target of kind `value` comes to while some of the pods are not ready.
enum class unready_pods : std::uint8_t {
    /// What they would change is not known: above the target the size never shrinks, below it they count as
    /// the others do. So what was started for a load is not sent away again before it could take any.
    hold,
    /// As Kubernetes 1.35.4: the ratio times the ready pods alone, at any ratio 0 while none is ready.
    kubernetes,
};

/// What one autoscaler goes by. `validate` says what is allowed.
struct policy {
    std::int32_t min_replicas = 1;  ///< 0 with an object or external metric: scales to zero and back
    std::int32_t max_replicas = 1;  ///< >= max(1, min_replicas)
    std::vector<metric> metrics{};  ///< the one that wants most replicas decides
    /// None: Kubernetes' older rules, at most max(2 x size, 4) in one step up, no limit down but the window.
    std::optional<autoscale::behavior> behavior{};
    /// What earlier seasons asked for is there before it is asked for again. None: the metrics alone.
    std::optional<season_policy> season{};
    double tolerance = 0.1;  ///< no change while usage / target is within 1 +- this
    duration downscale_stabilization = std::chrono::minutes(5);  ///< window down, unless behavior has one
    duration initialization = std::chrono::minutes(5);           ///< `skip_starting`: a pod starts this long
    duration readiness_delay = std::chrono::seconds(30);  ///< `skip_starting`: not ready since then is never
    duration period = std::chrono::seconds(15);           ///< how often to step, for `wake_at`
    overflow counts = overflow::saturate;
    unready_pods unready = unready_pods::hold;
    friend bool operator==(policy const&, policy const&) = default;
};

[[nodiscard]] constexpr std::string_view to_string(source s) noexcept
{
    switch (s) {
    case source::resource: return "resource";
    case source::container_resource: return "container resource";
    case source::pods: return "pods";
    case source::object: return "object";
    case source::external: return "external";
    }
    return "unknown";
}

/// `x` in thousandths, rounded to the nearest; huge numbers saturate, and what is no number is no reading.
[[nodiscard]] constexpr std::optional<std::int64_t> milli(double x) noexcept
{
    if (x != x)
        return std::nullopt;
    double const scaled = x * 1000;
    if (scaled >= 9223372036854775807.0)
        return std::numeric_limits<std::int64_t>::max();
    if (scaled <= -9223372036854775808.0)
        return std::numeric_limits<std::int64_t>::min();
    auto const whole = static_cast<std::int64_t>(scaled);
    double const rest = scaled - static_cast<double>(whole);
    return whole + (rest >= 0.5 ? 1 : rest <= -0.5 ? -1 : 0);
}

/// Whether this metric leaves out pods that are still starting.
[[nodiscard]] inline bool skips_starting(metric const& m) noexcept
{
    bool const of_resource = m.from == source::resource || m.from == source::container_resource;
    return m.skip_starting.value_or(of_resource && m.name == "cpu");
}

/// Whether this metric has a number for each pod.
[[nodiscard]] constexpr bool is_per_pod(source s) noexcept
{
    return s != source::object && s != source::external;
}

namespace detail {

[[nodiscard]] constexpr bool is_tolerance(double t) noexcept
{
    return t >= 0 && t <= std::numeric_limits<double>::max();
}

inline void validate_metric(metric const& m, std::string const& at, found_errors& wrong)
{
    if (m.name.empty())
        wrong.add({errc::invalid, "must not be empty", at + ".name"});
    if ((m.from == source::container_resource) == m.container.empty())
        wrong.add(
            {errc::invalid, "must be given for a container resource, and only there", at + ".container"});
    bool const of_resource = m.from == source::resource || m.from == source::container_resource;
    bool const fits = m.aim == target::average_value || (m.aim == target::utilization && of_resource) ||
        (m.aim == target::value && !is_per_pod(m.from));
    if (!fits)
        wrong.add({errc::invalid,
            of_resource                  ? "must be utilization or average_value for a resource"
                : m.from == source::pods ? "must be average_value for pods"
                                         : "must be value or average_value for an object or external metric",
            at + ".aim"});
    if (m.aim == target::utilization && m.target_percent <= 0)
        wrong.add({errc::invalid, "must be more than zero", at + ".target_percent"});
    if (m.aim != target::utilization && m.target_milli <= 0)
        wrong.add({errc::invalid, "must be more than zero", at + ".target_milli"});
}

inline void validate_rules(scaling_rules const& r, std::string const& at, found_errors& wrong)
{
    if (auto const w = r.stabilization_window; w && (*w < duration::zero() || *w > std::chrono::hours(1)))
        wrong.add({errc::invalid, "must be from 0 to 1 h", at + ".stabilization_window"});
    if (r.tolerance && !is_tolerance(*r.tolerance))
        wrong.add({errc::invalid, "must be a number that is not negative", at + ".tolerance"});
    if (r.policies.empty())
        wrong.add({errc::invalid, "must have at least one policy", at + ".policies"});
    for (std::size_t i = 0; i < r.policies.size(); ++i) {
        auto const& p = r.policies[i];
        auto const here = at + ".policies[" + std::to_string(i) + ']';
        if (p.value <= 0)
            wrong.add({errc::invalid, "must be more than zero", here + ".value"});
        if (p.period <= duration::zero() || p.period > std::chrono::minutes(30))
            wrong.add({errc::invalid, "must be more than zero and at most 30 min", here + ".period"});
    }
}

}  // namespace detail

/// All that is wrong with a policy, each error with the field as its path: "metrics[1].target_milli".
[[nodiscard]] inline result<void> validate(policy const& p)
{
    found_errors wrong;
    if (p.min_replicas < 0)
        wrong.add({errc::invalid, "must not be negative", "min_replicas"});
    if (p.max_replicas < 1)
        wrong.add({errc::invalid, "must be at least 1", "max_replicas"});
    if (p.max_replicas < p.min_replicas)
        wrong.add({errc::invalid, "must not be less than min_replicas", "max_replicas"});
    if (p.metrics.empty())
        wrong.add({errc::invalid, "must have at least one metric", "metrics"});
    bool wakes = false;
    for (std::size_t i = 0; i < p.metrics.size(); ++i) {
        detail::validate_metric(p.metrics[i], "metrics[" + std::to_string(i) + ']', wrong);
        wakes = wakes || !is_per_pod(p.metrics[i].from);
    }
    if (p.min_replicas == 0 && !wakes && !p.metrics.empty())
        wrong.add({errc::invalid,
            "must be at least 1 without an object or external metric: nothing would wake it from zero",
            "min_replicas"});
    if (p.behavior) {
        detail::validate_rules(p.behavior->scale_up, "behavior.scale_up", wrong);
        detail::validate_rules(p.behavior->scale_down, "behavior.scale_down", wrong);
    }
    if (p.season)
        if (auto const ok = validate(*p.season); !ok)
            wrong.add(error(ok.error()).inside("season"));
    if (!detail::is_tolerance(p.tolerance))
        wrong.add({errc::invalid, "must be a number that is not negative", "tolerance"});
    if (p.downscale_stabilization < duration::zero())
        wrong.add({errc::invalid, "must not be negative", "downscale_stabilization"});
    if (p.initialization < duration::zero())
        wrong.add({errc::invalid, "must not be negative", "initialization"});
    if (p.readiness_delay < duration::zero())
        wrong.add({errc::invalid, "must not be negative", "readiness_delay"});
    if (p.period <= duration::zero())
        wrong.add({errc::invalid, "must be more than zero", "period"});
    if (wrong.all)
        return *std::move(wrong.all);
    return {};
}

}  // namespace podium::v0::autoscale
