#pragma once
/// How often to look and how many agreeing answers make a verdict.
///
/// Source: `Probe` in Kubernetes v1.35 core/v1: names, defaults and minimums; durations replace whole
/// seconds, so a period of 50 ms is fine.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace podium::inline v0::probe {

/// What a probe is for; it decides what a failing verdict leads to.
enum class kind : std::uint8_t {
    startup,    ///< has it come up? The other two wait for this one; failing: restart
    readiness,  ///< may it get requests? Failing: out of the balancer, never a restart
    liveness,   ///< does it still work? Failing: restart
};

/// What one check came to.
enum class outcome : std::uint8_t {
    success,
    failure,  ///< it said no, or nothing within the timeout
    error,    ///< the prober itself could not ask: says nothing about the container
};

/// What the answers so far amount to.
enum class verdict : std::uint8_t { unknown, passing, failing };

/// How one probe looks, and what it takes to convince it. `validate` says what is allowed.
struct policy {
    duration initial_delay{0};                   ///< first check this long after the container runs, >= 0
    duration period = std::chrono::seconds(10);  ///< from the start of one check to that of the next, > 0
    duration timeout = std::chrono::seconds(1);  ///< no answer after this is a failure, > 0
    std::uint32_t success_threshold = 1;         ///< successes in a row to become passing; 1 unless readiness
    std::uint32_t failure_threshold = 3;         ///< failures in a row to become failing, >= 1
    friend bool operator==(policy const&, policy const&) = default;
};

[[nodiscard]] constexpr std::string_view to_string(kind k) noexcept
{
    switch (k) {
    case kind::startup: return "startup";
    case kind::readiness: return "readiness";
    case kind::liveness: return "liveness";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(outcome o) noexcept
{
    switch (o) {
    case outcome::success: return "success";
    case outcome::failure: return "failure";
    case outcome::error: return "error";
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(verdict v) noexcept
{
    switch (v) {
    case verdict::unknown: return "unknown";
    case verdict::passing: return "passing";
    case verdict::failing: return "failing";
    }
    return "unknown";
}

/// All that is wrong with a policy, each error with the field as its path.
[[nodiscard]] inline result<void> validate(policy const& p, kind which)
{
    error found{.code = errc::invalid, .message = {}, .path = {}, .further = {}};
    auto const complain = [&](char const* path, char const* expected) {
        error e{.code = errc::invalid, .message = expected, .path = path, .further = {}};
        if (found.message.empty())
            found = std::move(e);
        else
            found.add(std::move(e));
    };
    if (p.initial_delay < duration::zero())
        complain("initial_delay", "must not be negative");
    if (p.period <= duration::zero())
        complain("period", "must be more than zero");
    if (p.timeout <= duration::zero())
        complain("timeout", "must be more than zero");
    if (p.success_threshold < 1)
        complain("success_threshold", "must be at least 1");
    if (p.success_threshold > 1 && which != kind::readiness)
        complain("success_threshold", "must be 1 for startup and liveness");
    if (p.failure_threshold < 1)
        complain("failure_threshold", "must be at least 1");
    if (!found.message.empty())
        return found;
    return {};
}

}  // namespace podium::v0::probe
