#pragma once
/// Decision log: what was decided, on which inputs, and why; it can be decided again.
///
///     decision_log<load, int> log(1000);
///     log.push({.when = now, .who = "autoscaler", .about = "default/web", .inputs = seen, .verdict = 3,
///         .reason = "cpu above target"});
///     auto const differs = log.replay([&](load const& l, time_point at) { return decide(policy, l, at); });
///
/// So a change of a policy is tried on yesterday's inputs, and a decision that cannot be reproduced is found.
/// The log is a ring: it allocates nothing after it was made but what the records hold themselves.

#include <podium/core/time.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::observe {

template<class Inputs, std::equality_comparable Verdict>
class decision_log {
public:
    struct record {
        time_point when{};
        std::string who{};    ///< decided
        std::string about{};  ///< which object
        Inputs inputs{};      ///< everything that the verdict follows from, but `when`
        Verdict verdict{};
        std::string reason{};  ///< for a person
        friend bool operator==(record const&, record const&)
        requires std::equality_comparable<Inputs>
        = default;
    };
    /// A record that is decided otherwise today.
    struct difference {
        std::uint64_t number = 0;  ///< of the record, counted from the first ever
        Verdict now{};
        friend bool operator==(difference const&, difference const&) = default;
    };

    /// Keeps `capacity` records, 1 at least.
    explicit decision_log(std::size_t capacity) : ring_(std::max<std::size_t>(capacity, 1)) {}

    /// In the order of decisions; the oldest makes room. O(1).
    void push(record r) { ring_[static_cast<std::size_t>(next_++ % ring_.size())] = std::move(r); }

    /// Records are numbered from 0, and those in [first, end) are kept.
    [[nodiscard]] std::uint64_t first() const noexcept
    {
        return next_ - std::min<std::uint64_t>(next_, ring_.size());
    }
    [[nodiscard]] std::uint64_t end() const noexcept { return next_; }
    /// Null for one that is not kept.
    [[nodiscard]] record const* at(std::uint64_t number) const noexcept
    {
        return number >= first() && number < next_ ? &ring_[static_cast<std::size_t>(number % ring_.size())]
                                                   : nullptr;
    }

    /// Decides everything that is kept again, the oldest first, and tells the first that comes out otherwise.
    template<class Decide>
    requires std::convertible_to<std::invoke_result_t<Decide&, Inputs const&, time_point>, Verdict>
    [[nodiscard]] std::optional<difference> replay(Decide decide) const
    {
        for (auto n = first(); n < next_; ++n) {
            auto const& r = *at(n);
            if (Verdict now = decide(r.inputs, r.when); !(now == r.verdict))
                return difference{n, std::move(now)};
        }
        return {};
    }

private:
    std::vector<record> ring_;
    std::uint64_t next_ = 0;
};

}  // namespace podium::v0::observe
