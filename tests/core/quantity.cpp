#include <podium/core/quantity.hpp>

#include <array>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>

namespace {

using podium::quantity;
using podium::quantity_format;

quantity q(std::string_view text)
{
    return quantity::parse(text).value();
}

// A text that the parser takes: sign, digits, maybe a dot, a suffix of any family.
std::string random_text(std::mt19937_64& random)
{
    // At most 10 + 18 + 9 digits, so that sums stay exact.
    static constexpr std::array suffixes{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi",
        "Ti", "Pi", "Ei", "e3", "e-6", "E+12", "e1"};
    auto digits = [&](std::size_t n) {
        std::string out;
        for (; n > 0; --n)
            out += static_cast<char>('0' + random() % 10);
        return out;
    };
    std::string out = random() % 3 == 0 ? "-" : "";
    out += digits(1 + random() % 10);
    if (random() % 2)
        out += '.' + digits(random() % 8);
    return out + suffixes[random() % suffixes.size()];
}

}  // namespace

TEST_CASE("core: a quantity prints canonically, in the family it was written in")
{
    struct row {
        char const* name;
        char const* text;
        char const* canonical;
    };
    for (auto const& r : {
             row{"nothing to do", "500m", "500m"},
             row{"no fractions", "1.5Gi", "1536Mi"},
             row{"no fractions, decimal", "0.1", "100m"},
             row{"the largest suffix", "1000000", "1M"},
             row{"exponents by threes", "1e20", "100e18"},
             row{"far exponents", "1e99999", "1e99999"},
             row{"small binary amounts are decimal", "0.5Ki", "512"},
             row{"what is finer than nano rounds away from zero", "0.1n", "1n"},
             row{"below zero too", "-0.1n", "-1n"},
             row{"binary amounts end at 2^63-1", "9999Ei", "9223372036854775807"},
             row{"decimal ones do not", "1000E", "1000E"},
             row{"no suffix is larger than Ei", "7Ei", "7Ei"},
             row{"zeros count for nothing", "000.000k", "0"},
             row{"zeros behind the dot either", "1.00000000000000000000000000000000000000000000", "1"},
             row{"no digit is zero", "Mi", "0"},
             row{"31 digits", "-1532814764303425999999999999298", "-1532814764303425999999999999298"},
         }) {
        CAPTURE(r.name);
        CHECK(to_string(q(r.text)) == r.canonical);
    }
}

TEST_CASE("core: what is not a quantity is an error, not a guess")
{
    for (auto const* text : {"", " 1", "1 ", "1K", "1ki", "1Zi", "1e", "1e1.5", "1.2.3", "--1", "+-1",
             "1e+-1", "0x10", "NaN", "1,000", "1e9999999999", "123456789012345678901234567890123456789"}) {
        CAPTURE(text);
        auto const r = quantity::parse(text);
        REQUIRE_FALSE(r);
        CHECK(r.error().code == podium::errc::invalid);
        CHECK_FALSE(r.error().message.empty());
    }
    CHECK_FALSE(quantity::parse(std::string(quantity::max_text + 1, '1')));
}

TEST_CASE("core: quantities compare as numbers, whatever their suffixes")
{
    CHECK(q("1Ki") == q("1024"));
    CHECK(q("1000m") == q("1"));
    CHECK(q("1e3") == q("1k"));
    CHECK(q("999m") < q("1"));
    CHECK(q("-2") < q("-1"));
    CHECK(q("-1e30") < q("0"));
    CHECK(q("1e99999") > q("9e99998"));
    CHECK(quantity{} == q("0Gi"));
}

TEST_CASE("core: values round away from zero, and saturate visibly")
{
    CHECK(q("1500m").value() == 2);
    CHECK(q("-1500m").value() == -2);
    CHECK(q("1.0001").milli_value() == 1001);
    CHECK(q("-0.1n").milli_value() == -1);
    CHECK(q("3").scaled_value(3) == 1);
    CHECK(q("3").scaled_value(100) == 1);
    CHECK(q("0").scaled_value(100) == 0);
    CHECK(q("10E").value() == std::numeric_limits<std::int64_t>::max());
    CHECK_FALSE(q("10E").fits(0));
    CHECK(q("9223372036854775807").value() == std::numeric_limits<std::int64_t>::max());
    CHECK(q("9223372036854775807").fits(0));
    CHECK(q("-9223372036854775808").checked_scaled_value(0) == std::numeric_limits<std::int64_t>::min());
    CHECK_FALSE(q("1e99999").fits(-9));
}

TEST_CASE("core: sums are exact, and an error where they cannot be")
{
    CHECK(q("702").minus(q("1532814764303426P")) == q("-1532814764303425999999999999298"));
    CHECK(to_string(*q("0").plus(q("1Gi"))) == "1Gi");
    CHECK(to_string(*q("4").plus(q("1Ki"))) == "1028");
    CHECK(q("100m").times(10) == q("1"));
    CHECK(q("5E").times(35439) == q("177195E"));
    CHECK(q("1e100").plus(q("1n")).error().code == podium::errc::exhausted);
    auto const most = q("99999999999999999999999999999999999999");
    CHECK(most.plus(most).error().code == podium::errc::exhausted);
    CHECK(most.minus(most) == quantity{});
    CHECK(most.times(std::numeric_limits<std::int64_t>::min()).error().code == podium::errc::exhausted);
}

TEST_CASE("core: rounding up goes to the next multiple, away from zero")
{
    CHECK(q("4").round_up(6) == q("1M"));
    CHECK(q("-4").round_up(3) == q("-1k"));
    CHECK(q("1234").round_up(-3) == q("1234"));
    CHECK(q("1776.5681e6").round_up(3) == q("1776569e3"));
}

TEST_CASE("core: a quantity is a constant where one is needed")
{
    constexpr auto half = quantity::from_milli(500);
    static_assert(half.milli_value() == 500 && half.value() == 1);
    static_assert(quantity::from_integer(1, 3) == quantity::from_integer(1000));
    static_assert(
        -half < half && half < quantity::from_integer(std::numeric_limits<std::int64_t>::max(), 1'000'000));
    static_assert(std::is_trivially_copyable_v<quantity>);
    CHECK(to_string(quantity::from_integer(1, 3, quantity_format::decimal_exponent)) == "1e3");
}

TEST_SUITE("property")
{
    TEST_CASE("core: the canonical text of a quantity parses to an equal one and is its own canonical text")
    {
        for (std::uint64_t seed = 0; seed < 5000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const text = random_text(random);
            CAPTURE(text);
            auto const a = q(text);
            auto const canonical = to_string(a);
            REQUIRE(q(canonical) == a);
            REQUIRE(to_string(q(canonical)) == canonical);
        }
    }

    TEST_CASE("core: quantities are ordered as their differences say, and sums undo differences")
    {
        for (std::uint64_t seed = 0; seed < 5000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const a = q(random_text(random)), b = q(random_text(random)), c = q(random_text(random));
            auto const difference = a.minus(b);
            REQUIRE(difference.has_value());
            REQUIRE((difference->sign() <=> 0) == (a <=> b));
            REQUIRE(difference->plus(b) == a);
            REQUIRE(a.plus(b) == *b.plus(a));
            REQUIRE((-a <=> -b) == (b <=> a));
            REQUIRE((a == b) == ((a <=> b) == 0));
            if (a <= b && b <= c)
                REQUIRE(a <= c);
        }
    }

    TEST_CASE("core: rounding up moves away from zero by less than one step")
    {
        for (std::uint64_t seed = 0; seed < 5000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const a = q(random_text(random));
            auto const scale = static_cast<std::int32_t>(random() % 20) - 9;
            auto const up = a.round_up(scale);
            auto const moved = up.minus(a).value();
            auto const step = quantity::from_integer(1, scale);
            REQUIRE((a.sign() >= 0 ? moved : -moved) >= quantity{});
            REQUIRE((a.sign() >= 0 ? moved : -moved) < step);
            REQUIRE(up.round_up(scale) == up);
            if (a.fits(scale))
                REQUIRE(quantity::from_integer(a.scaled_value(scale), scale) == up);
        }
    }

    TEST_CASE("core: any bytes are a quantity or an error")
    {
        std::mt19937_64 random(20180417);
        constexpr std::string_view alphabet = "0123456789+-.eEinumkKMGTP \0x";
        for (int i = 0; i < 50'000; ++i) {
            std::string text;
            for (auto n = random() % 14; n > 0; --n)
                text += alphabet[random() % alphabet.size()];
            CAPTURE(text);
            if (auto const a = quantity::parse(text))
                REQUIRE(q(to_string(*a)) == *a);
            else
                REQUIRE(a.error().code == podium::errc::invalid);
        }
    }
}
