#pragma once
/// Leader election: of several candidates one leads, and who no longer leads can write nothing.
///
/// Candidates share an object, the lease, which its holder renews. How old it is everybody measures on his
/// own clock, from when he saw it change last: clocks need not agree. That only decides when somebody *tries*
/// to take over. What makes it safe is the term: a second object, written in the transaction that takes the
/// lease and never by a renewal. A leader requires the term's revision in all that it commits
/// (`plane::lead`), so the store itself refuses whoever was deposed, however late his write comes and
/// whatever his clock says.
///
///     auto const s = step(policy, "me", election, {.record = lease_as_read}, now);
///     if (s.todo.write) commit(*s.todo.write, guarded by what was read; and the term's object if
///     takes_term); if (s.todo.leads) *s.todo.leads ? plane.lead(term) : plane.follow();
///
/// Source: Kubernetes client-go v0.35.4 tools/leaderelection (LeaseDuration, RenewDeadline, RetryPeriod,
/// ReleaseOnCancel, transitions); there nothing fences a deposed leader, and terms are podium's own. A
/// candidate that finds its own name in a lease that it did not take waits as for anybody else's.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::reconcile {

/// Defaults are client-go's.
struct election_policy {
    duration lease_duration = std::chrono::seconds(15);  ///< a lease that did not change for so long is free
    duration renew_deadline = std::chrono::seconds(10);  ///< a leader that cannot renew for so long gives up
    duration retry_period = std::chrono::seconds(2);     ///< between tries to take or renew it
    friend bool operator==(election_policy const&, election_policy const&) = default;
};

/// All that is wrong with a policy, each error with the field as its path.
[[nodiscard]] inline result<void> validate(election_policy const& p);

/// What a lease says. An embedder keeps it in whatever object he likes; it must come back as it was written.
struct lease {
    std::string holder{};    ///< empty: nobody, it may be taken
    std::uint64_t term = 0;  ///< rises whenever it is taken
    std::uint64_t beat = 0;  ///< rises with every write, so that a renewal can be seen
    duration lasts{};        ///< for how long a holder is believed without a renewal; not above 0: the
                             ///< observer's own policy
    friend bool operator==(lease const&, lease const&) = default;
};

/// What one candidate remembers. Plain data; a process that starts begins with an empty one.
struct election {
    std::optional<lease> seen{};  ///< as it was last seen or written; none: not read yet, or there is none
    bool read = false;            ///< it was looked at, at least once
    bool leads = false;
    bool resigned = false;           ///< for good
    bool releases = false;           ///< resigned, and the lease is still to be let go
    time_point changed_at{};         ///< when it was seen to change, on this candidate's clock
    time_point renewed_at{};         ///< when the latest write that succeeded was begun
    time_point try_at{};             ///< no further write before
    std::optional<lease> writing{};  ///< the latest write, which may have taken place
    time_point asked_at{};
    bool waits = false;  ///< `writing` has no answer yet
    friend bool operator==(election const&, election const&) = default;
};

/// What a candidate was told since its last step.
struct election_seen {
    enum class answer : std::uint8_t {
        done,     ///< the write took place
        refused,  ///< a guard did not hold
        failed,   ///< it did not take place
        unknown,  ///< it may have
    };
    bool read = true;  ///< `record` is how the lease is now, news or not; false: it was not looked at
    std::optional<lease> record{};  ///< none: there is no such object
    std::optional<answer> wrote{};  ///< to the write that was asked for
    bool new_term = false;          ///< the leader wants a new term with its next write (`plane::needs_term`)
    bool resign = false;            ///< stop leading, and let the next one in at once
    friend bool operator==(election_seen const&, election_seen const&) = default;
};

/// Why a candidate leads or does not.
enum class election_verdict : std::uint8_t {
    not_read,  ///< nobody looked at the lease yet
    held,      ///< somebody else's, and young enough
    taking,    ///< free: being taken
    leads,
    deposed,  ///< somebody else took it
    cut_off,  ///< could not renew within the deadline
    resigned,
};

/// What a candidate is to do now, and why.
struct election_todo {
    std::optional<lease> write{};  ///< in the place of what was seen, guarded by that; answer it
    bool takes_term = false;  ///< the write begins a term: write the term's object in the same transaction
    std::optional<bool> leads{};  ///< true: a term has begun; false: it is over, stop before anything else
    election_verdict why = election_verdict::not_read;
    time_point wake_at = never;
    friend bool operator==(election_todo const&, election_todo const&) = default;
};

/// A step: the state to keep, and what to do.
struct election_stepped {
    election next{};
    election_todo todo{};
};

/// Advances by what was seen. At most one write is under way. Extra calls are harmless: with nothing seen and
/// nothing due, `next` is as before and `todo` only repeats why and when. `self` must not be empty, and be
/// another one for each process. Clocks may drift and jump; that costs time, never safety. O(1).
[[nodiscard]] election_stepped step(election_policy const& p, std::string_view self, election const& before,
    election_seen const& seen, time_point now);

[[nodiscard]] constexpr std::string_view to_string(election_verdict v) noexcept
{
    switch (v) {
    case election_verdict::not_read: return "the lease was not read yet";
    case election_verdict::held: return "the lease is held";
    case election_verdict::taking: return "the lease is free";
    case election_verdict::leads: return "leads";
    case election_verdict::deposed: return "the lease was taken by another";
    case election_verdict::cut_off: return "the lease could not be renewed in time";
    case election_verdict::resigned: return "resigned";
    }
    return "unknown";
}

/// "held by b in term 3, seen to change 4 s ago, believed for 15 s".
[[nodiscard]] inline std::string explain(
    election_policy const& p, election const& e, election_verdict v, time_point now)
{
    std::string out(to_string(v));
    if (!e.seen)
        return out;
    auto const whole = [](duration d) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
    };
    auto const believed = e.seen->lasts > duration::zero() ? e.seen->lasts : p.lease_duration;
    out += ": " + (e.seen->holder.empty() ? "held by nobody" : "held by " + e.seen->holder) + " in term " +
        std::to_string(e.seen->term) + ", seen to change " + whole(elapsed(e.changed_at, now)) +
        " ago, believed for " + whole(believed);
    return out;
}

inline result<void> validate(election_policy const& p)
{
    found_errors found;
    auto const complain = [&](bool wrong, char const* path, char const* expected) {
        if (wrong)
            found.add({errc::invalid, expected, path});
    };
    complain(p.retry_period <= duration::zero(), "retry_period", "must be more than zero");
    // client-go's factor for the jitter of its retries
    complain(
        p.renew_deadline / 6 <= p.retry_period / 5, "renew_deadline", "must be more than 1.2 x retry_period");
    complain(p.lease_duration <= p.renew_deadline, "lease_duration", "must be more than renew_deadline");
    if (found.all)
        return *std::move(found.all);
    return {};
}

inline election_stepped step(election_policy const& p, std::string_view self, election const& before,
    election_seen const& seen, time_point now)
{
    using answer = election_seen::answer;
    election e = before;
    election_todo todo;
    // A clock that went ahead and came back must not keep anybody waiting for as long as it was wrong.
    auto const retry = std::max(p.retry_period, duration(std::chrono::milliseconds(1)));
    for (auto* const seen_at : {&e.changed_at, &e.renewed_at, &e.asked_at})
        *seen_at = std::min(*seen_at, now);
    e.try_at = std::min(e.try_at, later(now, retry));
    auto const lead = [&](bool leads) {
        if (e.leads == leads)
            return;
        e.leads = leads;
        todo.leads = leads;
    };
    auto const won = [&] {  // our own write is what the store has
        bool const begun = !e.leads || !e.seen || e.seen->term != e.writing->term;
        e.seen = e.writing;
        e.read = true;
        e.changed_at = now;
        if (e.seen->holder != self || e.resigned)
            return;
        e.renewed_at = e.asked_at;
        e.leads = true;
        if (begun)
            todo.leads = true;
    };

    if (seen.wrote && e.waits) {
        e.waits = false;
        if (*seen.wrote == answer::done)
            won();
    }
    if (seen.read && !e.waits) {
        // A leader's own view may lag behind what it wrote.
        bool const late = e.leads && e.seen && seen.record && seen.record->beat < e.seen->beat;
        if (e.writing && seen.record == e.writing && e.seen != e.writing) {
            won();  // nobody told, but there it is
        } else if (!late && (!e.read || seen.record != e.seen)) {
            bool const mine =
                seen.record && e.seen && seen.record->holder == self && seen.record->term == e.seen->term;
            e.read = true;
            e.seen = seen.record;
            e.changed_at = now;
            if (e.leads && !mine) {
                lead(false);
                todo.why = election_verdict::deposed;
            }
        }
    }
    if (e.leads && elapsed(e.renewed_at, now) >= p.renew_deadline) {
        lead(false);
        todo.why = election_verdict::cut_off;
    }

    auto const write = [&](std::string holder, bool takes) {
        lease l{
            std::move(holder), e.seen ? e.seen->term : 0, e.seen ? e.seen->beat + 1 : 1, p.lease_duration};
        l.term += takes;
        e.writing = l;
        e.waits = true;
        e.asked_at = now;
        e.try_at = later(now, retry);
        todo.write = std::move(l);
        todo.takes_term = takes;
    };
    if (seen.resign && !e.resigned) {
        e.resigned = true;
        e.releases = e.leads;
        lead(false);
    }
    if (e.resigned) {
        todo.why = election_verdict::resigned;
        if (!e.waits && std::exchange(e.releases, false))
            write({}, false);
        return {std::move(e), std::move(todo)};
    }
    if (e.leads) {
        todo.why = election_verdict::leads;
        if (!e.waits && now >= e.try_at)
            write(std::string(self), seen.new_term);
        todo.wake_at = std::min(later(e.renewed_at, p.renew_deadline), e.waits ? never : e.try_at);
        return {std::move(e), std::move(todo)};
    }
    if (!e.read || e.waits)
        return {std::move(e), std::move(todo)};
    auto const believed = e.seen && e.seen->lasts > duration::zero() ? e.seen->lasts : p.lease_duration;
    bool const free = !e.seen || e.seen->holder.empty() || elapsed(e.changed_at, now) >= believed;
    if (todo.why == election_verdict::not_read)
        todo.why = free ? election_verdict::taking : election_verdict::held;
    if (free && now >= e.try_at)
        write(std::string(self), true);
    else
        todo.wake_at = free ? e.try_at : std::max(e.try_at, later(e.changed_at, believed));
    return {std::move(e), std::move(todo)};
}

}  // namespace podium::v0::reconcile
