#include <podium/core/int_or_percent.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>

using podium::int_or_percent;
using podium::rounding;

TEST_CASE("core: a share of a total rounds the way the caller names")
{
    struct row {
        char const* name;
        int_or_percent value;
        std::int64_t total, up, down;
    };
    for (auto const& r : {
             row{"a number is itself", 3, 10, 3, 3},
             row{"even a negative one", -3, 10, -3, -3},
             row{"a quarter of ten", int_or_percent::percent(25), 10, 3, 2},
             row{"exact", int_or_percent::percent(50), 10, 5, 5},
             row{"more than all", int_or_percent::percent(150), 3, 5, 4},
             row{"of nothing", int_or_percent::percent(50), 0, 0, 0},
             row{"up is towards the larger", int_or_percent::percent(-25), 10, -2, -3},
             row{"saturates", int_or_percent::percent(200), std::numeric_limits<std::int64_t>::max(),
                 std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::max()},
         }) {
        CAPTURE(r.name);
        CHECK(r.value.scaled(r.total, rounding::up) == r.up);
        CHECK(r.value.scaled(r.total, rounding::down) == r.down);
    }
}

TEST_CASE("core: only percentages are text")
{
    CHECK(int_or_percent::parse_percent("25%") == int_or_percent::percent(25));
    CHECK(int_or_percent::parse_percent("+5%") == int_or_percent::percent(5));
    CHECK(int_or_percent::parse_percent("-5%") == int_or_percent::percent(-5));
    for (auto const* text :
        {"", "%", "5", "5%%", "5 %", " 5%", "5.5%", "-%", "+-5%", "abc%", "9223372036854775808%"}) {
        CAPTURE(text);
        CHECK_FALSE(int_or_percent::parse_percent(text));
    }
    for (auto const& text : {std::string(10'000'000, '9') + '%', std::string(10'000'000, '%'),
             std::string("5%\0", 3), std::string("5\0%", 3), std::string("\xc3\x28%")}) {
        auto const r = int_or_percent::parse_percent(text);
        REQUIRE_FALSE(r);
        CHECK(r.error().text().size() < 200);
    }
    CHECK(to_string(int_or_percent::percent(25)) == "25%");
    CHECK(to_string(int_or_percent(3)) == "3");
}

TEST_SUITE("property")
{
    TEST_CASE("core: up and down differ by one exactly where the share is not whole")
    {
        std::mt19937_64 random(1);
        for (int i = 0; i < 10'000; ++i) {
            auto const hundredths = static_cast<std::int64_t>(random() % 1000) - 500;
            auto const total = static_cast<std::int64_t>(random() % 2'000'000'000);
            CAPTURE(hundredths);
            CAPTURE(total);
            auto const p = int_or_percent::percent(hundredths);
            auto const whole = hundredths * total % 100 == 0;
            REQUIRE(p.scaled(total, rounding::up) - p.scaled(total, rounding::down) == (whole ? 0 : 1));
            REQUIRE(int_or_percent::parse_percent(to_string(p)) == p);
        }
    }
}
