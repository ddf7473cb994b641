#pragma once
/// Endpoints: where requests can go, and which of them may take new ones.
///
/// A pod that is being taken away passes through three states that Kubernetes keeps apart: `ready` (its
/// probes say so and nobody wants it gone), `serving` (its probes say so, whatever is wanted of it) and
/// `terminating` (it has been told to stop). podium adds `draining`: it is to be told soon, and is told only
/// after every router has promised to send it nothing new. That promise has no exception, hence rule 2 leaves
/// it out.
///
/// Source: ready = ready and not terminating: endpointslice/utils.go; the fall-back to serving and
/// terminating ones when none is ready: pkg/proxy/topology.go (Kubernetes v1.35.4).

#include <podium/traffic/route.hpp>
#include <podium/traffic/split.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace podium::inline v0::traffic {

/// One pod behind one port of a service.
struct endpoint {
    std::string id{};       ///< the pod's uid: a name may be used again, a uid never is
    std::string address{};  ///< an IP literal
    std::uint16_t port = 0;
    bool ready = false;
    bool serving = false;      ///< probes pass, even while terminating
    bool terminating = false;  ///< has been told to stop
    bool draining = false;     ///< will be told to stop once nothing is in flight: takes nothing new
    std::string version{};     ///< what weights and counters go by ("v1.2"); empty: no versions

    friend bool operator==(endpoint const&, endpoint const&) = default;
};

/// All endpoints of one service port at one moment. `generation` grows with every change of it.
struct endpoint_set {
    std::uint64_t generation = 0;
    std::vector<endpoint> endpoints{};
    std::vector<version_weight>
        weights{};  ///< empty: versions do not matter; else unnamed versions get nothing
    route_rules rules{};

    friend bool operator==(endpoint_set const&, endpoint_set const&) = default;
};

/// Which rule lets an endpoint take new requests, or why none does.
enum class admission : std::uint8_t {
    ready,        ///< rule 1: ready, not terminating, not draining
    last_resort,  ///< rule 2: nobody is ready; it serves still although it terminates
    not_ready,    ///< its probes say no, or others are ready and it is on its way out
    draining,     ///< promised to get nothing new
};

[[nodiscard]] constexpr char const* to_string(admission a) noexcept
{
    switch (a) {
    case admission::ready: return "ready";
    case admission::last_resort: return "terminating, but nobody is ready";
    case admission::not_ready: return "not ready";
    case admission::draining: return "draining";
    }
    return "unknown";
}

/// Whether rule 1 holds for `e`.
[[nodiscard]] constexpr bool takes_new(endpoint const& e) noexcept
{
    return e.ready && !e.terminating && !e.draining;
}

/// The rule that holds for `e`, once it is known whether rule 1 holds for any endpoint of its set.
[[nodiscard]] constexpr admission admit(endpoint const& e, bool anyone_ready) noexcept
{
    if (e.draining)
        return admission::draining;
    if (takes_new(e))
        return admission::ready;
    if (!anyone_ready && e.serving && e.terminating)
        return admission::last_resort;
    return admission::not_ready;
}

/// The rule that holds for each of `all`, in their order.
[[nodiscard]] inline std::vector<admission> admit(std::span<endpoint const> all)
{
    bool const anyone_ready = std::ranges::any_of(all, takes_new);
    std::vector<admission> out;
    out.reserve(all.size());
    for (auto const& e : all)
        out.push_back(admit(e, anyone_ready));
    return out;
}

}  // namespace podium::v0::traffic
