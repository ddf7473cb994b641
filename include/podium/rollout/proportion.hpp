#pragma once
/// Proportion: is the canary's conversion rate, or its error rate, better than the stable's, or at least not
/// worse by more than a margin?
///
/// Look as often as you like, after every visitor if need be, and stop when there is an answer: the chance of
/// ever concluding `pass` where the claim is false is at most alpha, and so is that of ever concluding `fail`
/// where that is false. A test of fixed size allows one look; a judge that compares two rates every minute
/// cries wolf sooner or later with certainty. An answer is final when it is given; who goes on to look may
/// see evidence fall again, which takes nothing back.
///
/// What is taken for granted: units are like independent draws, and the difference is the same throughout.
/// The same visitor is one unit: where visitors stay with one version, count them and not their requests.
/// Whether one converted is settled in the same way for both arms, as by what it did within half an hour.
///
/// Rates may change when the weight does: each weight is a `stretch` of its own, and arms are only ever
/// compared within one, so that a busy afternoon with more canary cannot pass for a better canary. Evidence
/// of one stretch begins with 1 whatever came before, so that of several multiplies.
///
/// Source: evidence.hpp has the statistics and the proof.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/rollout/evidence.hpp>
#include <podium/rollout/verdict.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::rollout::analysis {

/// What is to be proven for `pass`. `fail` is the proof of the contrary.
enum class question : std::uint8_t {
    not_worse,  ///< canary - stable > -margin: what changes nothing passes
    better,     ///< canary - stable > 0
};

/// What one judge goes by; rates are shares in [0, 1], so a point is 0.01. `check` says what is allowed.
struct proportion {
    question ask = question::not_worse;
    bool higher_is_better = true;  ///< conversions; false: errors
    double margin = 0;             ///< not_worse: what may be lost, in (0, 1); better: 0
    /// Worth detecting, in (0, 1): how far the truth is from the claim's bound in the case that matters most.
    /// None, for not_worse only: the margin, which is the case that nothing changed.
    std::optional<double> effect{};
    /// Rate of the stable as known beforehand, in [0, 1]. None: evidence takes half as long again.
    std::optional<double> expected{};
    double alpha = 0.05;              ///< chance of each of the two wrong answers, in (0, 0.5]
    std::uint64_t minimum = 100;      ///< units of each arm before any verdict, >= 1
    std::uint64_t horizon = 100'000;  ///< units of each arm at which to give up, >= minimum
    friend bool operator==(proportion const&, proportion const&) = default;
};

/// All that is wrong with a policy; paths name the field. O(1).
[[nodiscard]] inline result<void> check(proportion const& p)
{
    found_errors wrong;
    auto const expect = [&wrong](bool fine, char const* field, char const* expected) {
        if (!fine)
            wrong.add({.code = errc::invalid, .message = expected, .path = field, .further = {}});
    };
    expect(p.ask == question::not_worse || p.ask == question::better, "ask", "must be not_worse or better");
    expect(p.alpha > 0 && p.alpha <= 0.5, "alpha", "must be above 0 and at most 0.5");
    if (p.ask == question::better) {
        expect(p.margin == 0, "margin", "must be 0 when the question is better");
        expect(p.effect.has_value(), "effect", "must be given when the question is better");
    } else {
        expect(p.margin > 0 && p.margin < 1, "margin", "must be above 0 and below 1");
    }
    expect(!p.effect || (*p.effect >= 1e-9 && *p.effect < 1), "effect", "must be above 0 and below 1");
    expect(!p.expected || (*p.expected >= 0 && *p.expected <= 1), "expected", "must be from 0 to 1");
    expect(p.minimum >= 1, "minimum", "must be at least 1");
    expect(p.horizon >= p.minimum, "horizon", "must be at least the minimum");
    if (wrong.all)
        return std::move(*wrong.all);
    return {};
}

/// A time in which the weight did not change. A change of the weight begins another, with counts from 0.
struct stretch {
    sample canary{};
    sample stable{};
    double share = 0.5;  ///< of the units that are sent to the canary, in (0, 1); a wrong one costs time
    friend bool operator==(stretch const&, stretch const&) = default;
};

/// Whether there will be another look.
enum class look : std::uint8_t {
    interim,  ///< there may be; no verdict is an answer
    last,     ///< time is up: what is not proven is inconclusive
};

/// Why the answer is what it is.
enum class basis : std::uint8_t {
    undecided,       ///< no proof yet
    too_few,         ///< an arm has fewer units than the minimum
    proven_good,     ///< what was asked is proven
    proven_bad,      ///< the contrary is
    horizon,         ///< enough was seen of both arms, and nothing is proven
    time_is_up,      ///< the last look, and nothing is proven
    invalid_counts,  ///< more successes than units, or a share outside of (0, 1)
    invalid_policy,  ///< what `check` refuses
};

[[nodiscard]] constexpr std::string_view to_string(basis b) noexcept
{
    switch (b) {
    case basis::undecided: return "not yet decided";
    case basis::too_few: return "too few units";
    case basis::proven_good: return "proven";
    case basis::proven_bad: return "the contrary is proven";
    case basis::horizon: return "not decided within the horizon";
    case basis::time_is_up: return "not decided in time";
    case basis::invalid_counts: return "counts that cannot be";
    case basis::invalid_policy: return "a policy that cannot be";
    }
    return "unknown";
}

/// A decision and what it rests on.
struct judged {
    std::optional<verdict> says{};  ///< none: look again
    basis why = basis::undecided;
    double log_pass = 0;  ///< natural logarithm of the evidence; log(1/alpha) is a proof
    double log_fail = 0;
    sample canary{};  ///< of all stretches
    sample stable{};
    friend bool operator==(judged const&, judged const&) = default;
};

namespace detail {

/// Both directions of a policy's claim. Success is what is good.
class claim {
public:
    explicit claim(proportion const& p) noexcept
        : bound(p.ask == question::better ? 0 : -p.margin),
          higher_is_better_(p.higher_is_better),
          effect_(p.effect.value_or(p.margin)),
          rate_is_known_(p.expected.has_value()),
          rate_(p.higher_is_better ? p.expected.value_or(0) : 1 - p.expected.value_or(1))
    {
    }
    double bound;  ///< of canary - stable, in question

    /// What there is to expect, of one split. (Made anew: gcc 12 warns of the copy of an empty optional.)
    [[nodiscard]] guess at(double share) const noexcept
    {
        guess g{.rare_is_failure = !higher_is_better_, .effect = effect_, .share = share};
        if (rate_is_known_)
            g.rate = rate_;
        return g;
    }
    /// Against canary - stable <= d.
    [[nodiscard]] double more(stretch const& s, double d) const noexcept
    {
        return log_evidence(counts(s), d, lay_out(at(s.share), bound));
    }
    /// Against canary - stable >= d.
    [[nodiscard]] double less(stretch const& s, double d) const noexcept
    {
        return log_evidence(counts(s).swapped(), -d, lay_out(at(s.share), -bound, roles::swapped));
    }

private:
    [[nodiscard]] tally counts(stretch const& s) const noexcept
    {
        auto const good = [this](sample const& arm) {
            return static_cast<double>(higher_is_better_ ? arm.successes : arm.units - arm.successes);
        };
        return {static_cast<double>(s.canary.units), good(s.canary), static_cast<double>(s.stable.units),
            good(s.stable)};
    }

    bool higher_is_better_;
    double effect_;
    bool rate_is_known_;
    double rate_;
};

[[nodiscard]] inline bool is_possible(stretch const& s) noexcept
{
    return s.canary.successes <= s.canary.units && s.stable.successes <= s.stable.units && s.share > 0 &&
        s.share < 1;
}

constexpr void add(sample& to, sample const& more) noexcept
{
    auto const sum = [](std::uint64_t a, std::uint64_t b) {
        return b > std::numeric_limits<std::uint64_t>::max() - a ? std::numeric_limits<std::uint64_t>::max()
                                                                 : a + b;
    };
    to = {sum(to.units, more.units), sum(to.successes, more.successes)};
}

}  // namespace detail

/// What is known now. Total: a policy or counts that cannot be are `inconclusive`, and say so. O(stretches),
/// some 20 us each; allocates only where a policy is refused.
[[nodiscard]] inline judged judge(
    proportion const& p, std::span<stretch const> seen, look which = look::interim)
{
    judged j;
    bool possible = true;
    for (auto const& s : seen) {
        possible = possible && detail::is_possible(s);
        detail::add(j.canary, s.canary);
        detail::add(j.stable, s.stable);
    }
    if (bool const fine = check(p).has_value(); !fine || !possible) {
        j.why = fine ? basis::invalid_counts : basis::invalid_policy;
        j.says = verdict::inconclusive;
        return j;
    }
    detail::claim const claim(p);
    for (auto const& s : seen) {
        j.log_pass += claim.more(s, claim.bound);
        j.log_fail += claim.less(s, claim.bound);
    }
    auto const units = std::min(j.canary.units, j.stable.units);
    double const proof = -std::log(p.alpha);
    if (units < p.minimum) {
        j.why = basis::too_few;
        if (which == look::last)
            j.says = verdict::no_data;
    } else if (j.log_pass >= proof && j.log_pass >= j.log_fail) {
        j.why = basis::proven_good;
        j.says = verdict::pass;
    } else if (j.log_fail >= proof) {
        j.why = basis::proven_bad;
        j.says = verdict::fail;
    } else if (units >= p.horizon) {
        j.why = basis::horizon;
        j.says = verdict::inconclusive;
    } else if (which == look::last) {
        j.why = basis::time_is_up;
        j.says = verdict::inconclusive;
    }
    return j;
}

/// A decision with the figures a person wants to see.
struct answer {
    judged is{};
    double canary_rate = 0;  ///< of all stretches; 0 without units
    double stable_rate = 0;
    interval canary_range{};  ///< see `rate_interval`
    interval stable_range{};
    double difference = 0;  ///< canary - stable, within stretches, weighted by what each can tell
    /// Differences that are not refuted: each of the two ends is ever on the wrong side of the truth in at
    /// most alpha of all releases. `pass` and `fail` are when it leaves the bound behind.
    interval difference_range{.low = -1, .high = 1};
    friend bool operator==(answer const&, answer const&) = default;
};

/// `judge`, and the estimates with their intervals: for plots and reports. O(stretches), about a millisecond
/// each.
[[nodiscard]] inline answer explain(
    proportion const& p, std::span<stretch const> seen, look which = look::interim)
{
    answer a;
    a.is = judge(p, seen, which);
    if (a.is.why == basis::invalid_policy || a.is.why == basis::invalid_counts)
        return a;
    auto const rate = [](sample const& s) {
        return s.units == 0 ? 0 : static_cast<double>(s.successes) / static_cast<double>(s.units);
    };
    a.canary_rate = rate(a.is.canary);
    a.stable_rate = rate(a.is.stable);
    a.canary_range = rate_interval(a.is.canary, p.alpha);
    a.stable_range = rate_interval(a.is.stable, p.alpha);
    double weights = 0;
    for (auto const& s : seen) {
        auto const n1 = static_cast<double>(s.canary.units);
        auto const n0 = static_cast<double>(s.stable.units);
        if (n1 > 0 && n0 > 0) {
            double const w = n1 / (n1 + n0) * n0;
            a.difference += w * (rate(s.canary) - rate(s.stable));
            weights += w;
        }
    }
    if (weights > 0)
        a.difference /= weights;
    detail::claim const claim(p);
    double const proof = -std::log(p.alpha);
    auto const edge = [&](double out, double in, auto evidence) {
        for (int i = 0; i < 40; ++i) {
            double const d = out + (in - out) / 2;
            double sum = 0;
            for (auto const& s : seen)
                sum += evidence(s, d);
            (sum >= proof ? out : in) = d;
        }
        return out;
    };
    double const low = edge(-1, 1, [&](stretch const& s, double d) { return claim.more(s, d); });
    double const high = edge(1, -1, [&](stretch const& s, double d) { return claim.less(s, d); });
    a.difference_range = p.higher_is_better ? interval{low, high} : interval{-high, -low};
    return a;
}

namespace detail {

[[nodiscard]] inline std::string number(double x, int digits)
{
    std::array<char, 64> room{};
    auto const [end, error] =
        std::to_chars(room.data(), room.data() + room.size(), x, std::chars_format::fixed, digits);
    return error == std::errc{} ? std::string(room.data(), end) : std::string("?");
}

/// 1234567 -> "1,234,567"
[[nodiscard]] inline std::string grouped(std::uint64_t n)
{
    std::string s = std::to_string(n);
    for (std::size_t i = s.size(); i > 3; i -= 3)
        s.insert(i - 3, 1, ',');
    return s;
}

/// Decimals of a percentage that still show `fine`, a difference of shares.
[[nodiscard]] inline int decimals(double fine) noexcept
{
    int digits = 1;
    for (double points = std::abs(fine) * 100; points < 0.5 && digits < 6; points *= 10)
        ++digits;
    return digits;
}

}  // namespace detail

/// An answer as one would say it: "30.1 % of 4,120 visitors against 25.2 % of 4,131: better by at least 2.9
/// points and at most 6.9, each bound wrong in at most 5 of 100 such releases".
[[nodiscard]] inline std::string text(
    proportion const& p, answer const& a, std::string_view units = "visitors")
{
    using detail::grouped;
    using detail::number;
    auto const& [says, why, log_pass, log_fail, canary, stable] = a.is;
    if (why == basis::invalid_policy || why == basis::invalid_counts)
        return std::string(to_string(why));
    auto const noun = std::string(units);
    if (why == basis::too_few)
        return "too few " + noun + ": " + grouped(canary.units) + " and " + grouped(stable.units) +
            " where " + grouped(p.minimum) + " of each are needed";
    auto const [low, high] = a.difference_range;
    int const digits = detail::decimals(std::min(high - low, p.effect.value_or(p.margin)));
    auto const percent = [&](double share) { return number(share * 100, digits) + " %"; };
    std::string out = percent(a.canary_rate) + " of " + grouped(canary.units) + ' ' + noun + " against " +
        percent(a.stable_rate) + " of " + grouped(stable.units) + ": ";
    auto const points = [&](double share) { return number(share * 100, digits); };
    auto const at_least_and_most = [&](double least, double most) {
        return "by at least " + points(least) + " points and at most " + points(most);
    };
    double const gain = p.higher_is_better ? low : -high;  // the least that the canary is better
    double const hope = p.higher_is_better ? high : -low;  // the most
    if (says == verdict::fail)
        out += hope <= 0 ? "worse " + at_least_and_most(-hope, -gain) : "worse";
    else if (says == verdict::pass && gain >= 0)
        out += "better " + at_least_and_most(gain, hope);
    else
        out += (says == verdict::pass ? "not worse by more than " + points(p.margin) + " points, "
                                      : std::string(to_string(why)) + ", ") +
            "the difference is from " + points(low) + " to " + points(high) + " points";
    return out + ", each bound wrong in at most " + number(p.alpha * 100, p.alpha < 0.01 ? 2 : 0) +
        " of 100 such releases";
}

}  // namespace podium::v0::rollout::analysis
