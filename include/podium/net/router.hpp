#pragma once
/// Router: who sends requests to endpoints, and acknowledges which endpoints it goes by.
///
/// The drain handshake rests on it: a pod is stopped when every router has acknowledged a generation without
/// it and reports nothing in flight to it. Counters go by endpoint and by version, so a canary is judged by
/// them.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/traffic/endpoint.hpp>

#include <algorithm>
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
    /// Upper bounds of the latency buckets; a last bucket takes the rest.
    static constexpr std::array<std::chrono::microseconds, 15> bounds{std::chrono::microseconds(250),
        std::chrono::microseconds(500), std::chrono::microseconds(1000), std::chrono::microseconds(2500),
        std::chrono::microseconds(5000), std::chrono::microseconds(10'000), std::chrono::microseconds(25'000),
        std::chrono::microseconds(50'000), std::chrono::microseconds(100'000),
        std::chrono::microseconds(250'000), std::chrono::microseconds(500'000),
        std::chrono::microseconds(1'000'000), std::chrono::microseconds(2'500'000),
        std::chrono::microseconds(5'000'000), std::chrono::microseconds(10'000'000)};

    std::uint64_t requests = 0;               ///< forwarded and ended, one way or another
    std::array<std::uint64_t, 6> by_class{};  ///< [2]: answered 2xx; [0]: no answer came, or not all of it
    std::uint64_t retries = 0;                ///< attempts that another one made up for; not in `requests`
    std::uint64_t latency_sum_us = 0;
    std::array<std::uint64_t, bounds.size() + 1> latency{};

    /// One request more. `status` 0: without an answer.
    void count(unsigned status, duration took)
    {
        ++requests;
        ++by_class[status < 600 ? status / 100 : 0];
        auto const us = std::chrono::duration_cast<std::chrono::microseconds>(took);
        latency_sum_us += static_cast<std::uint64_t>(std::max<std::int64_t>(0, us.count()));
        ++latency[static_cast<std::size_t>(std::ranges::lower_bound(bounds, us) - bounds.begin())];
    }

    friend bool operator==(request_counters const&, request_counters const&) = default;
};

/// One endpoint as its router sees it. It stays in the status until nothing is in flight to it.
struct endpoint_status {
    std::string id{};
    std::string version{};
    std::uint32_t in_flight = 0;
    traffic::admission rule = traffic::admission::not_ready;
    request_counters counters{};

    friend bool operator==(endpoint_status const&, endpoint_status const&) = default;
};

/// One service port.
struct service_status {
    std::uint64_t generation = 0;  ///< in force: nothing new goes to what it left out
    std::vector<endpoint_status> endpoints{};
    std::map<std::string, request_counters, std::less<>> versions{};  ///< also of endpoints that are gone
    std::uint64_t refused = 0;                                        ///< answered 503: no endpoint
    std::uint64_t bad_requests = 0;                                   ///< answered 4xx by the router itself

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
