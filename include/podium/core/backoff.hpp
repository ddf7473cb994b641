#pragma once
/// Exponential back-off that forgets: wait longer after each failure, start over after a quiet time.
///
/// A value and a pure function: the caller keeps one `backoff_state` for each thing that may fail and
/// passes `now` in. The defaults are a container's crash loop: the first restart at once, then 10 s
/// doubling to 5 min, forgotten when it has run for more than 10 min.
///
/// Source: Kubernetes v1.35.4, client-go util/flowcontrol/backoff.go and the kubelet's doBackOff.

#include <podium/core/time.hpp>

#include <algorithm>
#include <cstdint>

namespace podium::inline v0 {

/// How long to wait after each failure, and when failures are forgotten.
struct backoff_policy {
    duration base = std::chrono::seconds(10);         ///< the first wait, > 0
    std::uint32_t factor = 2;                         ///< each wait is this many times the one before, >= 1
    duration cap = std::chrono::minutes(5);           ///< no wait is longer
    duration reset_after = std::chrono::minutes(10);  ///< quiet for longer than this: start over
    bool first_at_once = true;                        ///< the first failure waits for nothing
    friend bool operator==(backoff_policy const&, backoff_policy const&) = default;
};

/// What is remembered of one thing that may fail; a default one has not failed.
struct backoff_state {
    duration next_wait{};   ///< what one more failure will wait; 0: no failure is remembered
    time_point retry_at{};  ///< when the next try is (or was) due after the latest failure
    friend bool operator==(backoff_state const&, backoff_state const&) = default;
};

/// One more failure at `now`; the next try is due at `retry_at` of what is returned. A failure more than
/// `reset_after` after the last try began counts as the first. Success is no call: it is the quiet
/// time that forgets. O(1), saturates at the cap and at the ends of time; a base or cap below zero is zero.
[[nodiscard]] constexpr backoff_state fail(
    backoff_policy const& p, backoff_state const& s, time_point now) noexcept
{
    auto const factor = static_cast<duration::rep>(std::max<std::uint32_t>(p.factor, 1));
    auto const cap = std::max(p.cap, duration::zero());
    auto const grown = [&](duration wait) { return wait > cap / factor ? cap : wait * factor; };
    auto const base = std::clamp(p.base, duration::zero(), cap);
    if (s.next_wait <= duration::zero() || (now > s.retry_at && elapsed(s.retry_at, now) > p.reset_after))
        return p.first_at_once ? backoff_state{base, now} : backoff_state{grown(base), later(now, base)};
    return {grown(s.next_wait), later(now, s.next_wait)};
}

}  // namespace podium::v0
