#pragma once
/// Outlier ejection: an endpoint that fails several times in a row gets nothing for a while.
///
/// Probes look from time to time and at one path; requests see a broken endpoint at once. So failures in a
/// row put it out, for longer each time that it happens again, and time alone brings it back. Not so many at
/// once that the others could not carry the load, and never all that serve a version: a version of which all
/// fail fails visibly, and keeps its share, so that its judge sees it.
///
/// Pure: `now` comes in, `wake_at` goes out.
///
/// Source: Envoy's outlier detection (consecutive 5xx and gateway failures, base time x times ejected). There
/// at least one may always be ejected; here never the last.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace podium::inline v0::traffic {

struct outlier_policy {
    std::uint32_t consecutive_failures = 5;      ///< that put one out; >= 1
    duration base = std::chrono::seconds(30);    ///< out for base x times ejected, > 0
    duration longest = std::chrono::minutes(5);  ///< and for at most this, >= base
    std::uint32_t max_ejected_percent = 50;      ///< of those that could serve the same, rounded down; <= 100

    friend bool operator==(outlier_policy const&, outlier_policy const&) = default;
};

/// How a request to an endpoint ended, as far as the endpoint is to blame.
enum class outcome : std::uint8_t {
    success,  ///< any answer below 500
    failure,  ///< no connection, no answer, half an answer, or 5xx
};

/// One endpoint, so far.
struct outlier_state {
    std::uint32_t failures = 0;   ///< in a row
    std::uint32_t ejections = 0;  ///< less one for each `base` that it has been back
    bool ejected = false;
    time_point until{};  ///< while ejected: when it comes back
    time_point back{};   ///< when it came back last

    friend bool operator==(outlier_state const&, outlier_state const&) = default;
};

/// Those that could serve the same requests, this one among them.
struct crowd {
    std::uint32_t endpoints = 0;
    std::uint32_t ejected = 0;

    friend bool operator==(crowd const&, crowd const&) = default;
};

/// What to do with this endpoint, in field order.
struct outlier_actions {
    bool readmit = false;  ///< it may have requests again
    bool eject = false;    ///< it may have no more
    time_point wake_at = never;

    friend bool operator==(outlier_actions const&, outlier_actions const&) = default;
};

struct outlier_stepped {
    outlier_state next{};
    outlier_actions todo{};

    friend bool operator==(outlier_stepped const&, outlier_stepped const&) = default;
};

/// `invalid`, with the path of the field, where `p` cannot be put in force.
[[nodiscard]] inline result<void> check(outlier_policy const& p)
{
    if (p.consecutive_failures == 0)
        return error{errc::invalid, "must be at least 1", "consecutive_failures"};
    if (p.base <= duration::zero())
        return error{errc::invalid, "must be more than 0", "base"};
    if (p.longest < p.base)
        return error{errc::invalid, "must be at least base", "longest"};
    if (p.max_ejected_percent > 100)
        return error{errc::invalid, "must be at most 100", "max_ejected_percent"};
    return {};
}

/// How many of `endpoints` may be out at once: never the last one.
[[nodiscard]] constexpr std::uint32_t most_ejected(outlier_policy const& p, std::uint32_t endpoints) noexcept
{
    auto const share = static_cast<std::uint32_t>(std::uint64_t{endpoints} * p.max_ejected_percent / 100);
    return endpoints == 0 ? 0 : std::min(share, endpoints - 1);
}

/// Advances by one outcome, or by time alone. What was under way when it was ejected says nothing new and
/// counts no more. Extra calls are harmless. O(1), never throws.
[[nodiscard]] constexpr outlier_stepped step(outlier_policy const& p, outlier_state s,
    std::optional<outcome> seen, crowd among, time_point now) noexcept
{
    outlier_actions todo;
    if (s.ejected && now >= s.until) {
        s.ejected = false;
        s.failures = 0;
        s.back = s.until;
        todo.readmit = true;
        among.ejected -= among.ejected == 0 ? 0 : 1;
        seen.reset();  // of a request that began before
    }
    if (s.ejected)
        return {s, {.wake_at = s.until}};
    if (seen == outcome::success)
        s.failures = 0;
    if (seen == outcome::failure && s.failures < p.consecutive_failures)
        ++s.failures;
    if (seen != outcome::failure || s.failures < p.consecutive_failures ||
        among.ejected >= most_ejected(p, among.endpoints))
        return {s, todo};

    auto const forgiven = s.ejections == 0 ? 0 : std::max<duration::rep>(0, elapsed(s.back, now) / p.base);
    s.ejections -= static_cast<std::uint32_t>(std::min<duration::rep>(forgiven, s.ejections));
    if (s.ejections < 0xffffffff)
        ++s.ejections;
    auto const times = std::min<duration::rep>(s.ejections, p.longest / p.base + 1);
    s.until = later(now, std::min(p.longest, times > p.longest / p.base ? p.longest : p.base * times));
    s.ejected = true;
    s.failures = 0;
    todo.eject = true;
    todo.wake_at = s.until;
    return {s, todo};
}

}  // namespace podium::v0::traffic
