#pragma once
/// Events: what happened to an object, for people. The same thing again raises a count, not a list.
///
/// The name of an event is derived from what it says, so the second telling finds the first and updates
/// it: `count` and `lastTimestamp` move. Repeats within `quiet` are not written at all, or a crash loop
/// would be a write loop.
///
/// What Kubernetes' clients keep in caches beside that is read from the events that there are, so no
/// controller remembers anything: from the tenth message of one reason within ten minutes on they become one
/// event, "(combined from similar events): ...", until nothing of the kind was said for ten minutes; and one
/// component says 25 things of an object, and one more for each five minutes since the first of those that
/// are still there. What is too much is neither written nor counted.
///
/// Source: the fields and the words are Kubernetes' core/v1 Event; the rules are those of client-go
/// tools/record/events_cache.go, see observe/events.hpp, without the source's host.

#include <podium/core/hash.hpp>
#include <podium/core/time.hpp>
#include <podium/model/event.hpp>
#include <podium/observe/events.hpp>
#include <podium/reconcile/plan.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

enum class event_type : std::uint8_t { normal, warning };

namespace detail {

inline constexpr duration quiet = std::chrono::seconds(1);

/// How the names of all events about an object begin.
inline std::string event_prefix(std::string_view about)
{
    return std::string(about.substr(0, 200)) + '.';
}

inline std::string event_name(model::event const& e)
{
    auto h = fnv1a(e.involved_object.uid);
    for (std::string_view const text : {std::string_view(e.source.component), std::string_view(e.type),
             std::string_view(e.reason), std::string_view(e.message)})
        h = fnv1a(text, fnv1a("\n", h));
    auto out = event_prefix(e.involved_object.name);
    for (int i = 60; i >= 0; i -= 4)
        out += "0123456789abcdef"[(h >> i) & 15u];
    return out;
}

/// What has been said of an object by one component, as far as anybody knows.
struct said_before {
    model::event const& now;      ///< what is to be said, with its own message
    std::string const& alone;     ///< its name as an event of its own
    std::string const& together;  ///< its name as one of many
    time_point at;
    std::size_t similar = 0;  ///< other messages of this reason within the window
    bool known = false;       ///< so was this one
    bool storm = false;       ///< the similar ones have become one, within the window
    double written = 0;
    time_point first = at;

    void look(model::event const& e, observe::event_limits const& limits)
    {
        if (e.involved_object.uid != now.involved_object.uid || e.source.component != now.source.component)
            return;
        written += std::max(e.count, 1);
        if (e.first_timestamp)
            first = std::min(first, e.first_timestamp->at);
        if (e.type != now.type || e.reason != now.reason || !e.last_timestamp ||
            elapsed(e.last_timestamp->at, at) > limits.window)
            return;
        if (e.metadata.name == together)
            storm = true;
        else if (e.metadata.name == alone)
            known = true;
        else
            ++similar;
    }
    [[nodiscard]] bool combined(observe::event_limits const& limits) const
    {
        return !known && (storm || similar + 1 >= limits.similar);
    }
    [[nodiscard]] bool too_much(observe::event_limits const& limits) const
    {
        return written + 1 > limits.burst +
            std::chrono::duration<double>(elapsed(first, at)) /
                std::chrono::duration<double>(limits.one_more_each);
    }
};

}  // namespace detail

/// Adds the event to a plan: one write, or none. `component` is who says it ("deployment-controller").
/// O(log n) in the events that there are, and the number of those about the object.
template<class View, reconcile::Kind K>
void record(reconcile::plan& p, View const& view, reconcile::handle<K> const& about, event_type type,
    std::string_view reason, std::string_view message, std::string_view component, time_point now)
{
    auto const& meta = about->metadata;
    model::event e;
    e.metadata.namespace_ = meta.namespace_.empty() ? "default" : meta.namespace_;
    e.involved_object.kind = K::kind;
    e.involved_object.api_version = K::api_version;
    e.involved_object.namespace_ = meta.namespace_;
    e.involved_object.name = meta.name;
    e.involved_object.uid = about.uid();
    e.reason = reason;
    e.message = observe::combined;
    e.source.component = component;
    e.reporting_component = component;
    e.first_timestamp = e.last_timestamp = model::time{now};
    e.count = 1;
    e.type = type == event_type::normal ? "Normal" : "Warning";
    auto const together = detail::event_name(e);
    e.message = message;
    auto const alone = detail::event_name(e);

    observe::event_limits const limits;
    detail::said_before before{e, alone, together, now};
    auto const in_plan = [&](std::string_view name) {
        return std::ranges::find_if(p.writes, [&](reconcile::operation const& w) {
            return w.which.kind == &reconcile::kind_of<model::event> && w.which.name == name &&
                w.which.namespace_ == e.metadata.namespace_;
        }) != p.writes.end();
    };
    for (auto const& w : p.writes)
        if (w.which.kind == &reconcile::kind_of<model::event> && w.data)
            before.look(*static_cast<model::event const*>(w.data.get()), limits);
    for (auto const old :
        view.template all<model::event>(e.metadata.namespace_, detail::event_prefix(meta.name)))
        if (!in_plan(old->metadata.name))
            before.look(*old, limits);

    bool const combined = before.combined(limits);
    e.metadata.name = combined ? together : alone;
    if (before.too_much(limits) || in_plan(e.metadata.name))  // a plan writes an object once
        return;
    if (combined)
        e.message = std::string(observe::combined).append(message);
    if (auto const old = view.template get<model::event>(e.metadata.namespace_, e.metadata.name)) {
        if (old->last_timestamp && now - old->last_timestamp->at < detail::quiet)
            return;
        auto next = *old;
        ++next.count;
        next.last_timestamp = model::time{now};
        next.message = std::move(e.message);
        p.update(old, std::move(next));
        return;
    }
    p.create(std::move(e));
}

/// Removes events that nobody has repeated for `keep`. A controller of its own.
struct event_cleaner {
    static constexpr std::string_view name = "event-cleaner";
    using primary = model::event;

    duration keep = std::chrono::hours(1);

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const& which, time_point now) const
    {
        reconcile::plan p;
        auto const e = view.template get<model::event>(which);
        if (!e)
            return p;
        auto const end = (e->last_timestamp ? e->last_timestamp->at : e.seen) + keep;
        if (now >= end)
            p.remove(e);
        else
            p.wake_at(end);
        return p;
    }
};

}  // namespace podium::v0::controllers
