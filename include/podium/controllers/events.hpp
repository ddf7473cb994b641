#pragma once
/// Events: what happened to an object, for people. The same thing again raises a count, not a list.
///
/// The name of an event is derived from what it says, so the second telling finds the first and updates
/// it: `count` and `lastTimestamp` move. Repeats within `quiet` are not written at all, or a crash loop
/// would be a write loop.
///
/// Source: the fields and the words are Kubernetes' core/v1 Event; the aggregation key is that of client-go
/// tools/record without the source's host.

#include <podium/core/time.hpp>
#include <podium/model/event.hpp>
#include <podium/reconcile/plan.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::controllers {

enum class event_type : std::uint8_t { normal, warning };

namespace detail {

inline constexpr duration quiet = std::chrono::seconds(1);

inline std::string event_name(
    std::string_view about, std::string_view uid, std::string_view reason, std::string_view message)
{
    auto h = reconcile::detail::fnv1a(uid);
    h = reconcile::detail::fnv1a(reason, reconcile::detail::fnv1a("\n", h));
    h = reconcile::detail::fnv1a(message, reconcile::detail::fnv1a("\n", h));
    std::string out(about.substr(0, 200));
    out += '.';
    for (int i = 60; i >= 0; i -= 4)
        out += "0123456789abcdef"[(h >> i) & 15u];
    return out;
}

}  // namespace detail

/// Adds the event to a plan: one write. `component` is who says it ("deployment-controller").
template<class View, reconcile::Kind K>
void record(reconcile::plan& p, View const& view, reconcile::handle<K> const& about, event_type type,
    std::string_view reason, std::string_view message, std::string_view component, time_point now)
{
    auto const uid = about.uid();
    auto const& meta = about->metadata;
    std::string const namespace_ = meta.namespace_.empty() ? "default" : meta.namespace_;
    auto const name = detail::event_name(meta.name, uid, reason, message);
    if (auto const old = view.template get<model::event>(namespace_, name)) {
        if (old->last_timestamp && now - old->last_timestamp->at < detail::quiet)
            return;
        auto next = *old;
        ++next.count;
        next.last_timestamp = model::time{now};
        p.update(old, std::move(next));
        return;
    }
    model::event e;
    e.metadata.name = name;
    e.metadata.namespace_ = namespace_;
    e.involved_object.kind = K::kind;
    e.involved_object.api_version = K::api_version;
    e.involved_object.namespace_ = meta.namespace_;
    e.involved_object.name = meta.name;
    e.involved_object.uid = uid;
    e.reason = reason;
    e.message = message;
    e.source.component = component;
    e.reporting_component = component;
    e.first_timestamp = e.last_timestamp = model::time{now};
    e.count = 1;
    e.type = type == event_type::normal ? "Normal" : "Warning";
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
