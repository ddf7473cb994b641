#include <podium/model/json.hpp>

#include <doctest/doctest.h>
#include <string>
#include <string_view>

namespace model = podium::model;
using podium::errc;

namespace {

std::string repeated(std::string_view part, std::size_t bytes)
{
    std::string out;
    while (out.size() < bytes)
        out += part;
    return out;
}

}  // namespace

TEST_CASE("model: JSON is refused where it would mislead, with the place")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"a member given twice", R"({"a":{"b":1,"b":2}})", "a.b: given twice in one object"},
             row{"twice, with an object", R"({"a":1,"a":{"x":1}})", "a: given twice in one object"},
             row{"more than 64 bits", R"([1,99999999999999999999])", "[1]: number out of range"},
             row{"less than 64 bits", R"({"a":-99999999999999999999})", "a: number out of range"},
             row{"both at once", R"({"a":99999999999999999999,"a":1})",
                 "a: number out of range\na: given twice in one object"},
             row{"not JSON", "{\"a\":\n  tru}", "a: not JSON: line 2, column 6"},
             row{"something behind", "{} {}", "not JSON: line 1, column 4"},
             row{"nothing", "", "not JSON: line 1, column 1"},
             row{"a number of no size", "[1e999]", "[0]: not JSON: line 1, column 6"},
             row{"half a surrogate pair", R"(["\ud800"])", "[0]: not JSON: line 1, column 9"},
             row{"bytes that are not UTF-8", "[\"\xff\"]", "[0]: not JSON: line 1, column 3"},
             row{"a comment", "[1] // one", "not JSON: line 1, column 5"},
             row{"NaN", "[NaN]", "[0]: not JSON: line 1, column 2"},
         }) {
        CAPTURE(r.name);
        auto const parsed = model::parse_json(r.text);
        REQUIRE(!parsed);
        CHECK(parsed.error().text() == r.expected);
        CHECK(parsed.error().code == errc::invalid);
    }
}

TEST_CASE("model: 64 bits fit, either sign")
{
    auto const parsed = model::parse_json("[18446744073709551615,-9223372036854775808]");
    REQUIRE(parsed);
    CHECK((*parsed)[0].get<std::uint64_t>() == 18446744073709551615u);
    CHECK((*parsed)[1].get<std::int64_t>() == INT64_MIN);
}

TEST_CASE("model: limits hold before anything is built")
{
    std::size_t const big = 10'000'000;
    model::limits const wide{.size_bytes = 2 * big};
    for (std::string_view const part : {"[", "{\"a\":", "[{\"a\":[", "[[],"}) {
        CAPTURE(part);
        auto const parsed = model::parse_json(repeated(part, big), wide);
        REQUIRE(!parsed);
        CHECK(parsed.error().code == errc::exhausted);
    }
    CHECK(model::parse_json(repeated("[", big)).error().code == errc::exhausted);
    CHECK(model::parse_json("[" + repeated("1,", big) + "1]", wide).error().code == errc::exhausted);

    auto const nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    CHECK(model::parse_json(nested(64)).has_value());
    CHECK(!model::parse_json(nested(65)));
    CHECK(model::parse_json("[1,2]", {.nodes = 3}).has_value());
    CHECK(!model::parse_json("[1,2]", {.nodes = 2}));
}

TEST_CASE("model: errors do not repeat the text, which may be secret")
{
    for (std::string_view const text :
        {R"({"password":"hunter2)", R"({"password": hunter2})", R"(["hunter2" "hunter2"])"})
        CHECK(model::parse_json(text).error().text().find("hunter") == std::string::npos);
}
