#pragma once
/// A budget for restarts, so that one load spike does not restart every replica.
///
/// Liveness probes share a weakness: under a load that makes answers late, all replicas fail at once, are
/// restarted at once, and those still up get the load of the others. Here only a share of the fleet is down
/// for a restart within a window; who is refused is looked at again (`pardon` of monitor.hpp), and is asked
/// about again if it still fails.
///
/// Source: podium's own; Kubernetes restarts each container without a look at the others.

#include <podium/core/int_or_percent.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace podium::inline v0::probe {

/// How many may be down at once for a restart.
struct guard_policy {
    int_or_percent budget = int_or_percent::percent(25);  ///< of the fleet, rounded up; never less than one
    duration window = std::chrono::seconds(60);           ///< so long a restart counts against it
    friend bool operator==(guard_policy const&, guard_policy const&) = default;
};

/// Who is restarted: a number, a name. One that is ordered too (`std::totally_ordered`) makes `ask` fast.
template<class T>
concept Member = std::copyable<T> && std::equality_comparable<T>;

/// What was granted of late.
template<Member Who = std::uint64_t>
struct guard {
    struct grant {
        Who who{};
        time_point at{};
        friend bool operator==(grant const&, grant const&) = default;
    };
    std::vector<grant> recent{};  ///< each member once
    friend bool operator==(guard const&, guard const&) = default;
};

/// The answer, and the count that made it.
struct permission {
    bool granted = false;
    std::int64_t down = 0;   ///< others that are down or were restarted within the window
    std::int64_t limit = 0;  ///< how many may be
    friend bool operator==(permission const&, permission const&) = default;

    /// "2 of 2 restarts are under way or less than a window ago".
    [[nodiscard]] std::string text() const
    {
        return std::to_string(down) + " of " + std::to_string(limit) +
            " restarts are under way or less than a window ago";
    }
};

/// May `who` of a fleet of `size` be restarted now? Granted means that it is: it counts from here on. `down`
/// are members that are known to be down, whoever restarted them; who is also in `g` counts once, and nobody
/// counts against himself, so the budget is one of members: one that hangs again may be restarted again.
/// O(n log n) for n grants and members down if members are ordered, else O(n^2). A grant holds for the window
/// and, if the clock goes back, however far, for at most two.
template<Member Who>
[[nodiscard]] permission ask(guard_policy const& p, guard<Who>& g, Who const& who, std::int64_t size,
    std::type_identity_t<std::span<Who const>> down, time_point now);

namespace detail {

/// How many different members there are.
template<Member Who>
[[nodiscard]] std::int64_t distinct(std::vector<Who const*>& all)
{
    if constexpr (std::totally_ordered<Who>) {
        std::ranges::sort(all, [](Who const* a, Who const* b) { return *a < *b; });
        auto const repeated = std::ranges::unique(all, [](Who const* a, Who const* b) { return *a == *b; });
        return std::ssize(all) - std::ssize(repeated);
    } else {
        std::int64_t n = 0;
        for (auto i = all.begin(); i != all.end(); ++i)
            n += std::none_of(all.begin(), i, [&](Who const* earlier) { return *earlier == **i; });
        return n;
    }
}

}  // namespace detail

template<Member Who>
permission ask(guard_policy const& p, guard<Who>& g, Who const& who, std::int64_t size,
    std::type_identity_t<std::span<Who const>> down, time_point now)
{
    for (auto& x : g.recent)
        if (x.at > later(now, p.window))  // the clock went back
            x.at = now;
    std::erase_if(g.recent, [&](auto const& x) { return now >= x.at && elapsed(x.at, now) >= p.window; });
    std::vector<Who const*> others;
    others.reserve(g.recent.size() + down.size());
    for (auto const& x : g.recent)
        if (!(x.who == who))
            others.push_back(&x.who);
    for (auto const& m : down)
        if (!(m == who))
            others.push_back(&m);
    permission out;
    out.down = detail::distinct(others);
    out.limit = std::max<std::int64_t>(1, p.budget.scaled(std::max<std::int64_t>(size, 0), rounding::up));
    out.granted = out.down < out.limit;
    if (!out.granted)
        return out;
    std::erase_if(g.recent, [&](auto const& x) { return x.who == who; });
    g.recent.push_back({who, now});
    return out;
}

}  // namespace podium::v0::probe
