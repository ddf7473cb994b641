#pragma once
/// Latency: does the canary answer slowly more often than the stable?
///
/// A tail of a latency has no nice distribution, but "slower than this bound, yes or no" has one, whatever
/// the latency's: it is a proportion, and proportion.hpp judges it, exactly, at any number of looks. The
/// bound must not depend on what is judged, so it is a number, or a quantile of the stable from before the
/// start. It is moved to an edge of the histogram's buckets: then counts are counts, and nothing is
/// interpolated.
///
/// "Not worse by a margin of 0.01" then reads: at most one request in a hundred more is slow.
///
/// Source: ours; that a fixed bound turns quantiles into proportions is the sign test's idea.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/observe/histogram.hpp>
#include <podium/rollout/evidence.hpp>
#include <podium/rollout/proportion.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace podium::inline v0::rollout::analysis {

/// What is asked of latencies; rates and margin are of slow requests. `check` says what is allowed.
struct latency {
    question ask = question::not_worse;
    double quantile = 0.95;         ///< of the stable, before the start: the bound, in (0, 1)
    std::optional<double> bound{};  ///< in the histogram's unit, > 0; instead of the quantile
    double margin = 0;              ///< as the rest: see `proportion`
    std::optional<double> effect{};
    double alpha = 0.05;
    std::uint64_t minimum = 100;
    std::uint64_t horizon = 100'000;
    friend bool operator==(latency const&, latency const&) = default;
};

/// An edge between fast and slow, and the judge of what lies beyond it.
struct slowness {
    std::size_t bucket = 0;  ///< the last fast one
    double bound = 0;        ///< its bound: what is above is slow
    proportion judge{};
    friend bool operator==(slowness const&, slowness const&) = default;
};

namespace detail {

[[nodiscard]] inline proportion judge_of(latency const& l, std::optional<double> expected) noexcept
{
    return {.ask = l.ask,
        .higher_is_better = false,
        .margin = l.margin,
        .effect = l.effect,
        .expected = expected,
        .alpha = l.alpha,
        .minimum = l.minimum,
        .horizon = l.horizon};
}

[[nodiscard]] inline error unfit(errc code, char const* path, char const* message)
{
    return {.code = code, .message = message, .path = path, .further = {}};
}

}  // namespace detail

/// All that is wrong with a policy. O(1).
[[nodiscard]] inline result<void> check(latency const& l)
{
    found_errors wrong;
    if (!(l.quantile > 0 && l.quantile < 1))
        wrong.add(detail::unfit(errc::invalid, "quantile", "must be above 0 and below 1"));
    if (l.bound && !(*l.bound > 0 && std::isfinite(*l.bound)))
        wrong.add(detail::unfit(errc::invalid, "bound", "must be a number above 0"));
    if (auto const rest = check(detail::judge_of(l, {})); !rest)
        wrong.add(rest.error());
    if (wrong.all)
        return std::move(*wrong.all);
    return {};
}

/// Chooses the edge before the start: the one whose share of the stable's requests is nearest to the
/// quantile, or the one nearest to the given bound as a ratio (the lower of two). `before` is the stable's
/// until now; its share of slow requests is what the judge expects. Errors: what `check` finds; `unavailable`
/// when the stable has answered nothing yet (with a given bound that is fine), `invalid` when its quantile is
/// beyond the last edge. O(N).
template<std::size_t N>
requires(N > 0)
[[nodiscard]] result<slowness> slower_than(latency const& l, observe::histogram<N> const& before)
{
    if (auto const fine = check(l); !fine)
        return fine.error();
    auto const share = [&](std::size_t i) {  // of slow ones
        return static_cast<double>(before.count - before.at_most(i)) / static_cast<double>(before.count);
    };
    if (before.at_most(N) != before.count)
        return detail::unfit(errc::invalid, "", "the histogram's buckets must add up to its count");
    // As ratios: of two edges that leave 11 % and 0.4 % beyond, the first is nearer to 5 %, and shows more.
    auto const distance = [&](std::size_t i) {
        return l.bound ? std::abs(std::log(before.bounds[i] / *l.bound))
                       : std::abs(std::log(
                             std::max(share(i), 0.5 / static_cast<double>(before.count)) / (1 - l.quantile)));
    };
    for (double const edge : before.bounds)
        if (!(edge > 0 && std::isfinite(edge)))
            return detail::unfit(errc::invalid, "", "the histogram's bounds must be numbers above 0");
    if (!l.bound && before.count == 0)
        return detail::unfit(errc::unavailable, "quantile", "the stable has not answered yet");
    if (!l.bound && share(N - 1) > 1 - l.quantile + 1e-9)
        return detail::unfit(
            errc::invalid, "quantile", "lies above the histogram's last bound; give a bound");
    std::size_t best = 0;
    for (std::size_t i = 1; i < N; ++i)
        if (distance(i) < distance(best))
            best = i;
    std::optional<double> const expected =
        before.count == 0 ? std::nullopt : std::optional<double>(share(best));
    return slowness{.bucket = best, .bound = before.bounds[best], .judge = detail::judge_of(l, expected)};
}

/// Requests between two readings of one histogram, and those of them that were slow. Errors: `invalid` when
/// it went back or has other bounds, as after a restart of whoever counts: begin another stretch. O(N).
template<std::size_t N>
[[nodiscard]] result<sample> slow_since(
    slowness const& s, observe::histogram<N> const& begin, observe::histogram<N> const& now)
{
    if (begin.bounds != now.bounds || s.bucket >= N || now.bounds[s.bucket] != s.bound)
        return detail::unfit(errc::invalid, "", "the histogram has other bounds than before");
    auto const fast = [&](observe::histogram<N> const& h) { return h.at_most(s.bucket); };
    auto const all = [](observe::histogram<N> const& h) { return h.at_most(N); };
    if (fast(now) < fast(begin) || all(now) - fast(now) < all(begin) - fast(begin))
        return detail::unfit(errc::invalid, "", "the histogram has gone back");
    std::uint64_t const units = all(now) - all(begin);
    return sample{.units = units, .successes = units - (fast(now) - fast(begin))};
}

}  // namespace podium::v0::rollout::analysis
