#pragma once
/// Events: what happened, for people to read, and how much of it is worth telling.
///
/// Three things keep a crash loop from being a write loop. The same event again raises a count. Events that
/// differ in their message only become one, "(combined from similar events): ...", once ten different ones
/// came without ten minutes of silence between them. And one source may tell 25 things of one object at once,
/// after that one in five minutes.
///
/// A value: it remembers what it needs for a bounded number of objects and forgets who was heard longest ago,
/// who then begins anew. Time that goes backwards refills nothing and ends no storm.
///
/// Source: EventCorrelator in client-go tools/record/events_cache.go, v0.35. Differs in one thing: of the ten
/// messages of a storm one, chosen at random, is forgotten there; here it is the last.

#include <podium/core/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::observe {

/// Something that happened. `source` and `about` are opaque: whatever tells them apart from others.
struct event {
    std::string source{};   ///< who says it: component and host
    std::string about{};    ///< the object: kind, namespace, name and uid
    std::string part{};     ///< of the object: its field path; does not tell similar events apart
    std::string type{};     ///< "Normal" or "Warning"
    std::string reason{};   ///< one word for machines
    std::string message{};  ///< a sentence for people
    friend bool operator==(event const&, event const&) = default;
};

struct event_limits {
    std::size_t similar = 10;                          ///< that many different messages become one
    duration window = std::chrono::minutes(10);        ///< of silence ends a storm
    double burst = 25;                                 ///< of one source about one object
    duration one_more_each = std::chrono::minutes(5);  ///< after the burst; > 0
    std::size_t remembered = 4096;  ///< of each: events, groups, sources with objects; >= 1
    friend bool operator==(event_limits const&, event_limits const&) = default;
};

inline constexpr std::string_view combined = "(combined from similar events): ";

/// What to do with an event.
struct correlated {
    enum class action : std::uint8_t {
        create,  ///< it is new
        update,  ///< the one written under the same `key` before has this count, message and last time now
        drop,    ///< its source says too much; it is counted all the same
    };
    action what = action::create;
    std::string key{};  ///< the same for what is one event to a reader
    std::string message{};
    std::uint64_t count = 1;
    time_point first{};
    friend bool operator==(correlated const&, correlated const&) = default;
};

namespace detail {

/// A map that forgets what was used longest ago. A value; O(log n).
template<class V>
class recent {
public:
    /// What is kept under the key, made now where there is nothing. Valid until the next call.
    V& use(std::string const& key, std::size_t most)
    {
        auto const [it, made] = all_.try_emplace(key);
        if (!made)
            by_use_.erase(it->second.used);
        else if (all_.size() > std::max<std::size_t>(most, 1)) {
            all_.erase(by_use_.begin()->second);
            by_use_.erase(by_use_.begin());
        }
        it->second.used = ++clock_;
        by_use_.emplace(clock_, key);
        return it->second.value;
    }
    [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
    friend bool operator==(recent const&, recent const&) = default;

private:
    struct entry {
        V value{};
        std::uint64_t used = 0;
        friend bool operator==(entry const&, entry const&) = default;
    };
    std::map<std::string, entry> all_{};
    std::map<std::uint64_t, std::string> by_use_{};
    std::uint64_t clock_ = 0;
};

struct storm {
    std::set<std::string> messages{};
    time_point last{};
    friend bool operator==(storm const&, storm const&) = default;
};

struct telling {
    std::uint64_t count = 0;
    time_point first{};
    bool written = false;
    friend bool operator==(telling const&, telling const&) = default;
};

/// A token bucket, full at first.
struct allowance {
    double spent = 0;
    time_point at{};
    bool take(event_limits const& limits, time_point now)
    {
        if (now > at) {
            auto const refilled = std::chrono::duration<double>(elapsed(at, now)) /
                std::chrono::duration<double>(limits.one_more_each);
            spent = std::max(0.0, spent - refilled);
            at = now;
        }
        if (spent + 1 > limits.burst)
            return false;
        spent += 1;
        return true;
    }
    friend bool operator==(allowance const&, allowance const&) = default;
};

/// Texts as one that no other texts make.
template<class... Text>
std::string joined(Text const&... text)
{
    std::string out;
    ((out += std::to_string(text.size()), out += ':', out += text), ...);
    return out;
}

}  // namespace detail

/// Decides on one event after the other. At most `limits.similar` messages are kept for each group.
class event_correlator {
public:
    explicit event_correlator(event_limits limits = {}) : limits_(limits) {}

    /// O(log remembered). A drop is counted, so that the next write tells how many there were.
    correlated correlate(event const& e, time_point now)
    {
        correlated out;
        auto const group = detail::joined(e.source, e.about, e.type, e.reason);
        auto& similar = storms_.use(group, limits_.remembered);
        if (elapsed(similar.last, now) > limits_.window)
            similar.messages.clear();
        similar.last = std::max(similar.last, now);
        auto const it = similar.messages.insert(e.message).first;
        if (similar.messages.size() < limits_.similar) {
            out.key = detail::joined(e.source, e.about, e.type, e.reason, e.part, e.message);
            out.message = e.message;
        } else {
            similar.messages.erase(it);
            out.key = group;
            out.message.append(combined).append(e.message);
        }

        auto& told = told_.use(out.key, limits_.remembered);
        if (told.count == 0)
            told.first = now;
        out.count = ++told.count;
        out.first = told.first;

        auto& tokens = allowances_.use(detail::joined(e.source, e.about), limits_.remembered);
        if (!tokens.take(limits_, now))
            out.what = correlated::action::drop;
        else if (std::exchange(told.written, true))
            out.what = correlated::action::update;
        return out;
    }

    [[nodiscard]] event_limits const& limits() const noexcept { return limits_; }
    friend bool operator==(event_correlator const&, event_correlator const&) = default;

private:
    event_limits limits_;
    detail::recent<detail::storm> storms_{};
    detail::recent<detail::telling> told_{};
    detail::recent<detail::allowance> allowances_{};
};

}  // namespace podium::v0::observe
