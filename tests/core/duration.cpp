#include <podium/core/duration.hpp>

#include <doctest/doctest.h>
#include <string>

using namespace podium;
using namespace std::chrono_literals;

TEST_CASE("duration: what manifests spell")
{
    struct row {
        std::string text;
        duration expected;
    };
    for (auto const& r : {row{"30", 30s}, row{"0", 0s}, row{"90s", 90s}, row{"5m", 5min}, row{"1h30m", 90min},
             row{"500ms", 500ms}, row{"1.5s", 1500ms}, row{".25s", 250ms},
             row{"2h45m0.5s", 2h + 45min + 500ms}, row{"7ns", 7ns}, row{"7us", 7us}, row{"0.0001h", 360ms},
             row{"1.5", 1500ms}, row{"2562047h", 2562047h}}) {
        CAPTURE(r.text);
        auto const got = parse_duration(r.text);
        REQUIRE(got);
        CHECK(*got == r.expected);
    }
}

TEST_CASE("duration: anything else is refused")
{
    for (std::string const text : {"", "s", "-1s", "+1s", "1x", "1 s", " 1s", "1s ", "1sm", "5m3", ".", ".s",
             "1..5s", "1e3s", "9223372037s", "99999999999999999999s", "2562048h", "1h2562047h"}) {
        CAPTURE(text);
        auto const got = parse_duration(text);
        REQUIRE_FALSE(got);
        CHECK(got.error().code == errc::invalid);
    }
}
