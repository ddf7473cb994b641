#include <podium/rollout/condition.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace podium::rollout::analysis;

TEST_CASE("condition: compares the result with numbers")
{
    struct row {
        std::string text;
        std::vector<condition> expected;
    };
    using is = condition::is;
    for (auto const& r : {row{"", {}}, row{"result >= 0.95", {{is::at_least, 0.95}}},
             row{"result[0]>0.5&&result[0] <= 1", {{is::above, 0.5}, {is::at_most, 1}}},
             row{" result == -2 ", {{is::equal, -2}}}, row{"result != 1e3", {{is::not_equal, 1000}}}}) {
        CAPTURE(r.text);
        auto const got = parse_conditions(r.text);
        REQUIRE(got);
        CHECK(*got == r.expected);
    }
    for (std::string const text : {"result", "result >=", "0.95 <= result", "result >= 0.95 || result < 0",
             "result[1] > 0", "all(result, {# > 1})", "result > x", "result > 1 &&", "result > 1 2",
             "result > nan", "result < inf", "result > 1e999"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_conditions(text));
    }
}
