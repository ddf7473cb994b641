#include <podium/agent/eviction.hpp>

#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <string>
#include <vector>

using namespace podium;

namespace {

/// The first is called a, the next b, and so on.
std::string order(agent::pressure by, std::vector<agent::usage> const& all)
{
    std::string out;
    for (auto const i : agent::eviction_order(by, all))
        out += static_cast<char>('a' + i);
    return out;
}

}  // namespace

TEST_CASE("agent: who uses more memory than was asked for goes first, the unmeasured before all")
{
    using agent::pressure;
    CHECK(order(pressure::memory,
              {{.priority = 5, .memory_request_bytes = 10, .memory_bytes = 9},
                  {.priority = 9, .memory_request_bytes = 10, .memory_bytes = 11},
                  {.priority = 9, .memory_request_bytes = 10, .memory_bytes = 30},
                  {.priority = 7, .memory_bytes = 1}, {.priority = 99}}) == "edcba");
    CHECK(order(pressure::pids,
              {{.processes = 3}, {.processes = 9}, {}, {.priority = -1, .processes = 0}, {.processes = 3}}) ==
        "dcbae");
    CHECK(order(pressure::memory, {}) == "");
}

TEST_CASE("agent: the order of eviction is right at the ends of its numbers")
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    CHECK(order(agent::pressure::memory,
              {{.memory_request_bytes = most, .memory_bytes = least},
                  {.memory_request_bytes = least, .memory_bytes = most},
                  {.memory_request_bytes = 0, .memory_bytes = most}}) == "bca");
    CHECK(order(agent::pressure::pids, {{.processes = least}, {.processes = most}}) == "ba");
}
