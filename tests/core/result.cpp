#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <doctest/doctest.h>
#include <memory>
#include <string>

using podium::errc;
using podium::error;
using podium::result;

namespace {

result<int> half(int n)
{
    if (n % 2)
        return error{errc::invalid, "must be even", "n"};
    return n / 2;
}

}  // namespace

TEST_CASE("core: a result carries its value or its error through a chain")
{
    CHECK(half(8).and_then(half).and_then(half) == 1);
    CHECK(half(6).and_then(half).error().path == "n");
    CHECK(half(6).transform([](int n) { return std::to_string(n); }) == std::string("3"));
    CHECK(half(1).or_else([](error const&) { return result<int>(0); }) == 0);
    CHECK(half(1).value_or(-1) == -1);
    CHECK(half(2).transform([](int) {}).has_value());
    CHECK_THROWS_AS((void)half(1).value(), podium::bad_result);
}

TEST_CASE("core: a result holds what can only be moved")
{
    result<std::unique_ptr<int>> r = std::make_unique<int>(7);
    auto const p = *std::move(r);
    CHECK(*p == 7);
}

TEST_CASE("core: errors are reported together, each with the path of its field")
{
    error e{errc::invalid, "must not be empty", "name"};
    error other{errc::invalid, "must be at least 0", "[2]"};
    other.add({errc::invalid, "is unknown", "colour"});
    e.add(std::move(other));
    CHECK(e.further.size() == 2);
    CHECK(std::move(e).inside("ports").text() ==
        "ports.name: must not be empty\nports[2]: must be at least 0\nports.colour: is unknown");
}
