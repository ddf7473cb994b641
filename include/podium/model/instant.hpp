#pragma once
/// Durations and time points of the primitives as JSON: whole nanoseconds, exact. `model::time` is the one
/// that people read.

#include <podium/core/time.hpp>
#include <podium/model/codec.hpp>

#include <cstdint>

namespace podium::inline v0::model::detail {

template<>
struct codec_for<duration> : codec_base<duration, codec_for<duration>> {
    static void read(json const& j, duration& out, place const& at, findings& d)
    {
        std::int64_t ns = out.count();
        codec_for<std::int64_t>::read(j, ns, at, d);
        out = duration(ns);
    }
    static void write(duration v, sink& to) { to.integer(v.count()); }
};

template<>
struct codec_for<time_point> : codec_base<time_point, codec_for<time_point>> {
    static void read(json const& j, time_point& out, place const& at, findings& d)
    {
        auto since = out.time_since_epoch();
        codec_for<duration>::read(j, since, at, d);
        out = time_point(since);
    }
    static void write(time_point v, sink& to) { to.integer(v.time_since_epoch().count()); }
};

}  // namespace podium::v0::model::detail
