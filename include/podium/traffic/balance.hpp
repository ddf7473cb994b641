#pragma once
/// Balancing policies: which of several candidates gets the next request.
///
/// Round robin is even when requests cost the same. Least in flight follows the work that is really there, at
/// a look at every candidate. Power of two choices draws two and takes the less loaded one: nearly as good,
/// at constant cost, and many routers that do not know of each other do not all rush to the same idle
/// endpoint.
///
/// Each is a small value: copy it, compare it, store it. The random draws come from the seed alone.
///
/// Source: M. Mitzenmacher, The Power of Two Choices in Randomized Load Balancing (IEEE TPDS 12(10), 2001).

#include <podium/core/assert.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>

namespace podium::inline v0::traffic {

/// One that may be chosen. `slot` means something to the caller only.
struct candidate {
    std::uint32_t slot = 0;
    std::uint32_t in_flight = 0;

    friend bool operator==(candidate const&, candidate const&) = default;
};

/// Why this one.
enum class reason : std::uint8_t {
    only_one,         ///< there was no choice
    in_turn,          ///< round robin
    least_in_flight,  ///< nobody had less in flight; among equals, in turn
    less_of_two,      ///< the less loaded of two drawn ones
    next_untried,     ///< the policy's choice had been tried for this request already
};

[[nodiscard]] constexpr char const* to_string(reason r) noexcept
{
    switch (r) {
    case reason::only_one: return "the only one";
    case reason::in_turn: return "in turn";
    case reason::least_in_flight: return "least in flight";
    case reason::less_of_two: return "the less loaded of two drawn";
    case reason::next_untried: return "next that was not tried yet";
    }
    return "unknown";
}

/// A position in the candidates, with the numbers that it was chosen by.
struct choice {
    std::uint32_t index = 0;
    std::uint32_t in_flight = 0;   ///< of the chosen one, before this request
    std::uint32_t candidates = 0;  ///< how many there were
    reason why = reason::only_one;

    friend bool operator==(choice const&, choice const&) = default;
};

/// "least in flight, 2 there, of 5"
[[nodiscard]] inline std::string text(choice const& c)
{
    return std::string(to_string(c.why)) + ", " + std::to_string(c.in_flight) + " in flight, of " +
        std::to_string(c.candidates);
}

/// A balancing policy.
///
/// - `pick(candidates)`: a position in `candidates`, which are not empty. May change the policy (whose turn
/// it
///   is), never more than that: equal policies with equal candidates choose equally.
template<class B>
concept Balancer = std::copyable<B> && requires(B& b, std::span<candidate const> candidates) {
    { b.pick(candidates) } -> std::same_as<choice>;
};

/// One after the other: in any n picks of n unchanged candidates each comes exactly once. O(1).
struct round_robin {
    std::uint32_t turn = 0;  ///< position of the next pick

    [[nodiscard]] constexpr choice pick(std::span<candidate const> candidates)
    {
        PODIUM_ASSERT(!candidates.empty());
        auto const n = static_cast<std::uint32_t>(candidates.size());
        std::uint32_t const index = turn % n;
        turn = (index + 1) % n;
        return {index, candidates[index].in_flight, n, n == 1 ? reason::only_one : reason::in_turn};
    }
    friend bool operator==(round_robin const&, round_robin const&) = default;
};

/// Fewest in flight; equals take turns, so that idle endpoints share alike. O(n).
struct least_in_flight {
    std::uint32_t turn = 0;  ///< the search starts here

    [[nodiscard]] constexpr choice pick(std::span<candidate const> candidates)
    {
        PODIUM_ASSERT(!candidates.empty());
        auto const n = static_cast<std::uint32_t>(candidates.size());
        std::uint32_t const first = turn % n;
        std::uint32_t best = first;
        for (std::uint32_t at = first + 1; at < n; ++at)
            if (candidates[at].in_flight < candidates[best].in_flight)
                best = at;
        for (std::uint32_t at = 0; at < first; ++at)
            if (candidates[at].in_flight < candidates[best].in_flight)
                best = at;
        turn = (best + 1) % n;
        return {best, candidates[best].in_flight, n, n == 1 ? reason::only_one : reason::least_in_flight};
    }
    friend bool operator==(least_in_flight const&, least_in_flight const&) = default;
};

/// The less loaded of two different ones drawn at random. O(1).
struct power_of_two {
    std::uint64_t state = 0;  ///< the seed, then where the sequence stands

    [[nodiscard]] constexpr choice pick(std::span<candidate const> candidates)
    {
        PODIUM_ASSERT(!candidates.empty());
        auto const n = static_cast<std::uint32_t>(candidates.size());
        if (n == 1)
            return {0, candidates[0].in_flight, n, reason::only_one};
        std::uint32_t const first = draw(n);
        std::uint32_t const other = draw(n - 1);
        std::uint32_t const second = other < first ? other : other + 1;
        std::uint32_t const best =
            candidates[second].in_flight < candidates[first].in_flight ? second : first;
        return {best, candidates[best].in_flight, n, reason::less_of_two};
    }
    friend bool operator==(power_of_two const&, power_of_two const&) = default;

private:
    /// SplitMix64 (Steele, Lea, Flood 2014), then a multiplication to get below n.
    [[nodiscard]] constexpr std::uint32_t draw(std::uint32_t n) noexcept
    {
        state += 0x9e3779b97f4a7c15u;
        std::uint64_t x = state;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        x ^= x >> 31;
        return static_cast<std::uint32_t>(((x >> 32) * n) >> 32);
    }
};

/// The shipped policies as one type, for those who choose at run time.
struct any_balancer {
    std::variant<round_robin, least_in_flight, power_of_two> policy{};

    [[nodiscard]] choice pick(std::span<candidate const> candidates)
    {
        return std::visit([&](auto& p) { return p.pick(candidates); }, policy);
    }
    friend bool operator==(any_balancer const&, any_balancer const&) = default;
};

static_assert(
    Balancer<round_robin> && Balancer<least_in_flight> && Balancer<power_of_two> && Balancer<any_balancer>);

}  // namespace podium::v0::traffic
