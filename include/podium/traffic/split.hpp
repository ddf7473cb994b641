#pragma once
/// Weighted split: deals requests out to a few versions in exact proportion, and smoothly.
///
/// A draw by chance gives a 1 % canary its 1 % only in the long run. This deals instead: after any number k
/// of requests since the weights were set, a version with weight w of W has had k*w/W of them, rounded up or
/// down. So every window of W requests, wherever it begins, holds each version exactly w times.
///
/// Why so: each version's next request has an earliest place (where it would not yet be ahead by one) and a
/// latest place (where it would fall behind by one), and taking the earliest latest place first always works
/// out for one dealer. The usual smooth weighted round robin keeps no such bound.
///
/// Source: S. Baruah et al., Proportionate Progress (Algorithmica 15, 1996); R. Tijdeman, The chairman
/// assignment problem (Discrete Mathematics 32, 1980).

#include <podium/core/assert.hpp>
#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace podium::inline v0::traffic {

/// How much of the traffic one version gets, relative to the sum of all weights.
struct version_weight {
    std::string version{};
    std::uint32_t weight = 0;  ///< <= weighted_split::max_weight; 0: nothing at all

    friend bool operator==(version_weight const&, version_weight const&) = default;
};

/// Deals out positions 0..n-1 by weight. A value; `pick` is O(n).
class weighted_split {
public:
    static constexpr std::uint32_t max_weight = 1'000'000;
    static constexpr std::size_t max_parts = 1'000;

    weighted_split() = default;

    /// Fails with `invalid` on more than `max_parts` weights or one above `max_weight`.
    [[nodiscard]] static result<weighted_split> make(std::span<std::uint32_t const> weights)
    {
        weighted_split made;
        if (auto done = made.reweight(weights); !done)
            return done.error();
        return made;
    }

    /// New weights for the same parts; parts beyond the former ones begin afresh, parts beyond the new ones
    /// are forgotten. Who was owed part of a request still is, so weights that change all the time still add
    /// up to what they say; a window of W that begins after such a change is exact to within one.
    [[nodiscard]] result<void> reweight(std::span<std::uint32_t const> weights)
    {
        if (weights.size() > max_parts)
            return error{errc::invalid, "must be at most 1000 weights", "weights"};
        std::int64_t total = 0;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            if (weights[i] > max_weight)
                return error{errc::invalid, "must be at most 1000000", "weights[" + std::to_string(i) + "]"};
            total += weights[i];
        }
        std::int64_t owed = 0;
        std::size_t heaviest = 0;
        parts_.resize(weights.size());
        for (std::size_t i = 0; i < weights.size(); ++i) {
            auto& p = parts_[i];
            p.owed = total_ == 0 || weights[i] == 0 ? 0 : scaled(p.owed, total_, total);
            p.weight = weights[i];
            owed += p.owed;
            if (weights[i] > weights[heaviest])
                heaviest = i;
        }
        if (!parts_.empty())
            parts_[heaviest].owed -= owed;  // what is owed adds up to nothing; the heaviest feels it least
        total_ = total;
        return {};
    }

    /// Who gets the next request: a position in the weights, or nothing where all are 0.
    [[nodiscard]] std::optional<std::size_t> pick()
    {
        if (total_ == 0)
            return std::nullopt;
        std::optional<std::size_t> best;
        std::int64_t best_latest = 0;
        for (std::size_t i = 0; i < parts_.size(); ++i) {
            auto& p = parts_[i];
            if (p.weight == 0)
                continue;
            p.owed += p.weight;
            if (p.owed <= 0)
                continue;  // it would be ahead by one
            // How many more requests it can stand aside before it is behind by one.
            std::int64_t const room = total_ - p.owed;
            std::int64_t const latest = room <= 0 ? 0 : (room + p.weight - 1) / p.weight;
            if (!best || latest < best_latest) {
                best = i;
                best_latest = latest;
            }
        }
        PODIUM_ASSERT(best.has_value());  // what is owed adds up to total_ > 0 here
        parts_[*best].owed -= total_;
        return best;
    }

    friend bool operator==(weighted_split const&, weighted_split const&) = default;

private:
    /// value * to / from, rounded: |value| < from <= 10^9, so a double holds it exactly enough.
    static constexpr std::int64_t scaled(std::int64_t value, std::int64_t from, std::int64_t to) noexcept
    {
        double const exact = static_cast<double>(value) / static_cast<double>(from) * static_cast<double>(to);
        return static_cast<std::int64_t>(exact < 0 ? exact - 0.5 : exact + 0.5);
    }

    struct part {
        std::int64_t weight = 0;
        std::int64_t owed = 0;  ///< requests due and not given, in units of 1/total_; in (-total_, total_)
        friend bool operator==(part const&, part const&) = default;
    };
    std::vector<part> parts_{};
    std::int64_t total_ = 0;
};

}  // namespace podium::v0::traffic
