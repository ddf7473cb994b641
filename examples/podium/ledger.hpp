#pragma once
/// What became of each request: a ledger, and the figures and series that are made of it.
///
/// A request is entered when it is sent (or should have been: see `load.hpp`) and settled once. So "no
/// request was lost" is a count, not an impression. Pure: whoever measures brings the time.

#include <podium/core/assert.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tour {

using podium::duration;
using podium::time_point;

enum class outcome : std::uint8_t {
    open,      ///< not settled yet
    answered,  ///< a status below 400
    refused,   ///< another status
    lost,      ///< no answer: refused connection, reset, timeout
};

struct entry {
    time_point sent{};
    time_point settled{};  ///< zero while open
    std::uint16_t status = 0;
    std::uint16_t version = 0;  ///< index into `ledger::versions()`; 0 is ""
    tour::outcome outcome = tour::outcome::open;
};

/// Counts of a span of time. Requests belong to the time when they were sent.
struct figures {
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
    std::uint64_t refused = 0;
    std::uint64_t lost = 0;
    std::uint64_t open = 0;
    duration p50{};  ///< of answered requests
    duration p99{};
    duration worst{};
    duration longest_gap{};  ///< without any answer, between the first and last request of the span
    std::map<std::string, std::uint64_t> by_version{};  ///< of answered requests

    [[nodiscard]] std::uint64_t errors() const { return refused + lost; }
    friend bool operator==(figures const&, figures const&) = default;
};

/// What was settled between `at` and `at` + the series' step.
struct bucket {
    time_point at{};
    std::vector<std::uint32_t> answered{};  ///< by version, as `series::versions`
    std::uint32_t errors = 0;
    duration p50{};  ///< zero when nothing was answered
    duration p99{};
    friend bool operator==(bucket const&, bucket const&) = default;
};

struct series {
    duration step{};
    std::vector<std::string> versions{};  ///< sorted
    std::vector<bucket> buckets{};        ///< without holes, from the first to the last settled request
    friend bool operator==(series const&, series const&) = default;
};

class ledger {
public:
    /// Enters a request; its number.
    std::uint64_t send(time_point now)
    {
        entries_.push_back({.sent = now});
        ++open_;
        return entries_.size() - 1;
    }

    /// Each request is settled once.
    void answer(std::uint64_t number, unsigned status, std::string_view version, time_point now)
    {
        auto& e = settle(number, status < 400 ? outcome::answered : outcome::refused, now);
        e.status = static_cast<std::uint16_t>(status);
        e.version = index_of(version);
    }
    void lose(std::uint64_t number, std::string_view why, time_point now)
    {
        settle(number, outcome::lost, now);
        ++reasons_[std::string(why)];
    }

    [[nodiscard]] std::vector<entry> const& entries() const { return entries_; }
    /// Requests that are not settled yet.
    [[nodiscard]] std::uint64_t open() const { return open_; }
    [[nodiscard]] std::vector<std::string> const& versions() const { return versions_; }
    [[nodiscard]] std::map<std::string, std::uint64_t> const& reasons() const
    {
        return reasons_;
    }  ///< of losses

private:
    entry& settle(std::uint64_t number, outcome how, time_point now)
    {
        PODIUM_ASSERT(number < entries_.size() && entries_[number].outcome == outcome::open);
        auto& e = entries_[number];
        --open_;
        e.outcome = how;
        e.settled = now;
        return e;
    }
    std::uint16_t index_of(std::string_view version)
    {
        auto at = std::find(versions_.begin(), versions_.end(), version);
        if (at == versions_.end())
            at = versions_.emplace(versions_.end(), version);
        return static_cast<std::uint16_t>(at - versions_.begin());
    }

    std::vector<entry> entries_{};
    std::vector<std::string> versions_{""};
    std::map<std::string, std::uint64_t> reasons_{};
    std::uint64_t open_ = 0;
};

/// The smallest value that at least `share` of all do not exceed; zero of none. Reorders. O(n).
[[nodiscard]] inline duration percentile(std::vector<duration>& all, double share)
{
    if (all.empty())
        return {};
    auto const n = static_cast<double>(all.size());
    auto const rank = std::clamp(share * n, 1.0, n);
    auto const at = static_cast<std::size_t>(rank - 1e-9);
    auto const it = all.begin() + static_cast<std::ptrdiff_t>(std::min(at, all.size() - 1));
    std::nth_element(all.begin(), it, all.end());
    return *it;
}

/// Of the requests sent in [from, to).
[[nodiscard]] inline figures summarize(
    ledger const& of, time_point from = time_point::min(), time_point to = podium::never)
{
    figures out;
    std::vector<duration> latencies;
    std::vector<time_point> answers;
    time_point first = podium::never, last = time_point::min();
    for (auto const& e : of.entries()) {
        if (e.sent < from || e.sent >= to)
            continue;
        ++out.sent;
        first = std::min(first, e.sent);
        last = std::max(last, e.sent);
        switch (e.outcome) {
        case outcome::open: ++out.open; break;
        case outcome::refused: ++out.refused; break;
        case outcome::lost: ++out.lost; break;
        case outcome::answered:
            ++out.answered;
            ++out.by_version[of.versions()[e.version]];
            latencies.push_back(e.settled - e.sent);
            answers.push_back(e.settled);
            break;
        }
    }
    if (out.sent == 0)
        return out;
    out.p50 = percentile(latencies, 0.50);
    out.p99 = percentile(latencies, 0.99);
    out.worst = percentile(latencies, 1.0);
    std::sort(answers.begin(), answers.end());
    for (auto before = first; auto const at : answers) {
        out.longest_gap = std::max(out.longest_gap, at - before);
        before = at;
    }
    if (last > (answers.empty() ? first : answers.back()))
        out.longest_gap = std::max(out.longest_gap, last - (answers.empty() ? first : answers.back()));
    return out;
}

/// When users came from one version to another: of the requests sent since `from`.
struct crossing {
    std::optional<time_point> first_of_new{};  ///< answered
    std::optional<time_point> last_of_old{};
    friend bool operator==(crossing const&, crossing const&) = default;
};
[[nodiscard]] inline crossing crossing_of(
    ledger const& of, std::string_view old_version, std::string_view new_version, time_point from)
{
    crossing out;
    for (auto const& e : of.entries()) {
        if (e.outcome != outcome::answered || e.sent < from)
            continue;
        auto const& version = of.versions()[e.version];
        if (version == new_version)
            out.first_of_new = std::min(out.first_of_new.value_or(e.settled), e.settled);
        else if (version == old_version)
            out.last_of_old = std::max(out.last_of_old.value_or(e.settled), e.settled);
    }
    return out;
}

/// Settled requests by time. O(n log n). `step` > 0.
[[nodiscard]] inline series series_of(ledger const& of, duration step = std::chrono::milliseconds(100))
{
    PODIUM_ASSERT(step.count() > 0);
    series out{.step = step};
    std::map<std::string, std::size_t> place;  // sorted, whatever came first
    std::map<duration::rep, std::vector<entry const*>> found;
    for (auto const& e : of.entries()) {
        if (e.outcome == outcome::open)
            continue;
        found[e.settled.time_since_epoch() / step].push_back(&e);
        if (e.outcome == outcome::answered)
            place.try_emplace(of.versions()[e.version], 0);
    }
    for (auto& [version, at] : place) {
        at = out.versions.size();
        out.versions.push_back(version);
    }
    if (found.empty())
        return out;
    for (auto n = found.begin()->first; n <= found.rbegin()->first; ++n) {
        bucket b{.at = time_point(n * step), .answered = std::vector<std::uint32_t>(out.versions.size())};
        std::vector<duration> latencies;
        if (auto const in = found.find(n); in != found.end())
            for (auto const* e : in->second) {
                if (e->outcome != outcome::answered) {
                    ++b.errors;
                    continue;
                }
                ++b.answered[place[of.versions()[e->version]]];
                latencies.push_back(e->settled - e->sent);
            }
        b.p50 = percentile(latencies, 0.50);
        b.p99 = percentile(latencies, 0.99);
        out.buckets.push_back(std::move(b));
    }
    return out;
}

}  // namespace tour
