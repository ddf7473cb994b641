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

struct guard_policy {
    int_or_percent budget = int_or_percent::percent(25);  ///< of the fleet, rounded up; never less than one
    duration window = std::chrono::seconds(60);           ///< so long a restart counts against it
    friend bool operator==(guard_policy const&, guard_policy const&) = default;
};

/// What was granted of late. `Member` says who: a number, a name.
template<std::equality_comparable Member = std::uint64_t>
struct guard {
    struct grant {
        Member who{};
        time_point at{};
        friend bool operator==(grant const&, grant const&) = default;
    };
    std::vector<grant> recent{};  ///< each member once
    friend bool operator==(guard const&, guard const&) = default;
};

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
/// O(grants x down). A clock that goes back keeps grants for longer, never for less than the window.
template<class Member>
[[nodiscard]] permission ask(guard_policy const& p, guard<Member>& g, Member const& who, std::int64_t size,
    std::type_identity_t<std::span<Member const>> down, time_point now)
{
    std::erase_if(g.recent, [&](auto const& x) { return now >= x.at && elapsed(x.at, now) >= p.window; });
    auto const elsewhere = [&](Member const& m) { return std::ranges::find(down, m) != down.end(); };
    permission out;
    out.limit = std::max<std::int64_t>(1, p.budget.scaled(std::max<std::int64_t>(size, 0), rounding::up));
    for (auto const& x : g.recent)
        out.down += x.who != who && !elsewhere(x.who);
    for (auto const& m : down)
        out.down += m != who && &*std::ranges::find(down, m) == &m;  // the first of its like
    out.granted = out.down < out.limit;
    if (!out.granted)
        return out;
    std::erase_if(g.recent, [&](auto const& x) { return x.who == who; });
    g.recent.push_back({who, now});
    return out;
}

}  // namespace podium::v0::probe
