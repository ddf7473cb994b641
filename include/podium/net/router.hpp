#pragma once
/// Router: who sends requests to endpoints, and acknowledges which endpoints it goes by.
///
/// The drain handshake rests on it: a pod is stopped when every router has acknowledged a generation without
/// it and reports nothing in flight to it. Counters go by endpoint and by version, so a canary is judged by
/// them.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/observe/histogram.hpp>
#include <podium/traffic/endpoint.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::net {

/// Requests that ended, as numbers that only grow.
struct request_counters {
    /// Seconds from 250 us to 10 s; a last bucket takes the rest.
    static constexpr std::array<double, 15> bounds{
        0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};

    std::uint64_t requests = 0;               ///< forwarded and ended, one way or another
    std::array<std::uint64_t, 6> by_class{};  ///< [2]: answered 2xx; [0]: no answer came, or not all of it
    std::uint64_t abandoned =
        0;  ///< of `requests`, in no class: the client went, or its body could not be read
    std::uint64_t retries = 0;      ///< attempts that another one made up for; not in `requests`
    std::uint64_t conversions = 0;  ///< of `requests`, by the answer's header
    observe::histogram<15> latency{
        bounds};  ///< seconds until the endpoint had done its part; all of `requests`

    /// What is held against the version: 5xx, and no whole answer from the endpoint.
    [[nodiscard]] std::uint64_t errors() const noexcept { return by_class[0] + by_class[5]; }

    /// `status` of a request that its client abandoned.
    static constexpr unsigned client_gone = 1000;

    /// One request more. `status` 0: without an answer.
    void count(unsigned status, duration took)
    {
        ++requests;
        if (status == client_gone)
            ++abandoned;
        else
            ++by_class[status < 600 ? status / 100 : 0];
        latency.observe(std::chrono::duration<double>(took).count());
    }
    void add(request_counters const& other)
    {
        requests += other.requests;
        for (std::size_t i = 0; i < by_class.size(); ++i)
            by_class[i] += other.by_class[i];
        abandoned += other.abandoned;
        retries += other.retries;
        conversions += other.conversions;
        (void)latency.add(other.latency);  // all have the same bounds
    }

    friend bool operator==(request_counters const&, request_counters const&) = default;
};

/// One version since the service was opened, or since it came back after it was forgotten: take differences
/// of two of these to judge what was in between.
/// What is counted here itself is what was dealt, or kept by stickiness, so that versions can be compared.
struct version_counters : request_counters {
    std::uint64_t visitors = 0;            ///< assigned to it by a cookie
    std::uint64_t converted_visitors = 0;  ///< of them; each at most once
    request_counters matched{};            ///< sent there by a header: by testers, not by chance
    request_counters mirrored{};           ///< copies, of which nobody saw the answers

    /// Of what visitors got: what was dealt and what was matched.
    [[nodiscard]] request_counters answered() const
    {
        request_counters sum = *this;
        sum.add(matched);
        return sum;
    }

    friend bool operator==(version_counters const&, version_counters const&) = default;
};

/// One endpoint as its router sees it. It stays in the status until nothing is in flight to it.
struct endpoint_status {
    std::string id{};
    std::string version{};
    std::uint32_t in_flight = 0;
    traffic::admission rule = traffic::admission::not_ready;
    request_counters counters{};  ///< all that went there, copies among them
    bool ejected = false;         ///< as an outlier, for a while

    friend bool operator==(endpoint_status const&, endpoint_status const&) = default;
};

/// One service port.
struct service_status {
    std::uint64_t generation = 0;  ///< in force: nothing new goes to what it left out
    std::vector<endpoint_status> endpoints{};
    std::map<std::string, version_counters, std::less<>>
        versions{};                        ///< also of endpoints that are gone, until they are forgotten
    request_counters forgotten{};          ///< `answered` of all versions that were: what sums still need
    std::uint32_t waiting = 0;             ///< for an endpoint, now
    std::uint64_t refused = 0;             ///< answered 503: no endpoint
    std::uint64_t bad_requests = 0;        ///< answered 4xx by the router itself
    std::uint64_t copies_dropped = 0;      ///< not mirrored: too many at once, too large, or nowhere to go
    std::uint64_t unread_conversions = 0;  ///< conversion headers that say neither 1 nor 0: no conversion

    /// `answered` of all versions there ever were: it only grows. O(versions).
    [[nodiscard]] request_counters answered() const
    {
        auto sum = forgotten;
        for (auto const& [name, v] : versions)
            sum.add(v.answered());
        return sum;
    }
    /// 0 for one that is not known.
    [[nodiscard]] std::uint32_t in_flight(std::string_view id) const
    {
        std::uint32_t sum = 0;
        for (auto const& e : endpoints)
            if (e.id == id)
                sum += e.in_flight;
        return sum;
    }

    friend bool operator==(service_status const&, service_status const&) = default;
};

/// By the service's name.
using router_status = std::map<std::string, service_status, std::less<>>;

/// Something that routes requests.
///
/// - `apply(service, set)`: asks for a set of endpoints; `not_found` for a service that is not open here,
/// `conflict` for a
///   generation older than the one in force. Harmless when called again.
/// - `status()`: a service's `generation` is acknowledged: from that moment on no new request goes to an
/// endpoint
///   that the set marks draining or left out; `in_flight` of such a one can only fall.
template<class R>
concept Router = requires(R& r, R const& c, std::string_view service, traffic::endpoint_set const& set) {
    { r.apply(service, set) } -> std::same_as<result<void>>;
    { c.status() } -> std::same_as<router_status>;
};

}  // namespace podium::v0::net
