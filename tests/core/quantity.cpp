#include <podium/core/quantity.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <compare>
#include <cstdint>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

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

// An integer of any length: the exact side of the comparison. Little-endian digits of base 10^9.
struct big {
    std::vector<std::uint32_t> digits{};
    bool negative = false;

    static constexpr std::uint64_t base = 1'000'000'000;
    void trim()
    {
        while (!digits.empty() && digits.back() == 0)
            digits.pop_back();
        negative = negative && !digits.empty();
    }
    void times(std::uint64_t factor, std::uint64_t plus = 0)
    {
        for (auto& d : digits) {
            auto const v = d * factor + plus;
            d = static_cast<std::uint32_t>(v % base);
            plus = v / base;
        }
        for (; plus != 0; plus /= base)
            digits.push_back(static_cast<std::uint32_t>(plus % base));
        trim();
    }
    // By 10^n, away from zero.
    void divided_by_tens(std::size_t n)
    {
        bool lost = false;
        for (; n > 0; --n) {
            std::uint64_t rest = 0;
            for (auto i = digits.size(); i-- > 0;) {
                auto const v = rest * base + digits[i];
                digits[i] = static_cast<std::uint32_t>(v / 10);
                rest = v % 10;
            }
            lost = lost || rest != 0;
        }
        if (lost)
            times(1, 1);
        trim();
    }
    static std::strong_ordering compare_magnitudes(big const& a, big const& b)
    {
        if (a.digits.size() != b.digits.size())
            return a.digits.size() <=> b.digits.size();
        return std::lexicographical_compare_three_way(
            a.digits.rbegin(), a.digits.rend(), b.digits.rbegin(), b.digits.rend());
    }
    friend std::strong_ordering operator<=>(big const& a, big const& b)
    {
        if (a.negative != b.negative)
            return a.negative ? std::strong_ordering::less : std::strong_ordering::greater;
        return a.negative ? compare_magnitudes(b, a) : compare_magnitudes(a, b);
    }
    friend bool operator==(big const&, big const&) = default;
    friend big operator+(big a, big b)
    {
        if (a.negative == b.negative) {
            std::uint64_t carry = 0;
            a.digits.resize(std::max(a.digits.size(), b.digits.size()) + 1);
            b.digits.resize(a.digits.size());
            for (std::size_t i = 0; i < a.digits.size(); ++i) {
                auto const v = carry + a.digits[i] + b.digits[i];
                a.digits[i] = static_cast<std::uint32_t>(v % base);
                carry = v / base;
            }
        } else {
            if (compare_magnitudes(a, b) < 0)
                std::swap(a, b);
            std::int64_t borrow = 0;
            b.digits.resize(a.digits.size());
            for (std::size_t i = 0; i < a.digits.size(); ++i) {
                auto v = std::int64_t{a.digits[i]} - b.digits[i] - borrow;
                borrow = v < 0;
                a.digits[i] = static_cast<std::uint32_t>(v + borrow * static_cast<std::int64_t>(base));
            }
        }
        a.trim();
        return a;
    }
};

// How many billionths a text says, read another way than podium reads it.
big nano(std::string text)
{
    big out;
    bool const negative = text.starts_with('-');
    std::size_t at = negative, fraction = 0;
    for (bool dot = false; at < text.size() && (std::isdigit(text[at]) || text[at] == '.'); ++at) {
        if (text[at] == '.') {
            dot = true;
            continue;
        }
        out.times(10, static_cast<std::uint64_t>(text[at] - '0'));
        fraction += dot;
    }
    auto const suffix = text.substr(at);
    int tens = 9 - static_cast<int>(fraction);
    bool const binary = suffix.ends_with('i');
    if (binary)
        for (auto n = std::string("KMGTPE").find(suffix[0]) + 1; n > 0; --n)
            out.times(1024);
    else if (suffix.size() > 1)
        tens += std::stoi(suffix.substr(1));
    else if (suffix.size() == 1)
        tens += static_cast<int>(std::string("num kMGTPE").find(suffix[0])) * 3 - 9;
    for (int n = 0; n < tens; ++n)
        out.times(10);
    if (tens < 0)
        out.divided_by_tens(static_cast<std::size_t>(-tens));
    if (big cap; binary) {
        cap.times(1, static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
        for (int n = 0; n < 9; ++n)
            cap.times(10);
        if (out > cap)
            out = cap;
    }
    out.negative = negative && !out.digits.empty();
    return out;
}
big nano(quantity const& v)
{
    return nano(to_string(v.in(quantity_format::decimal_exponent)));
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

TEST_CASE("core: a hostile quantity is an error that does not repeat it")
{
    for (auto const& text :
        {std::string(10'000'000, '9'), std::string(10'000'000, '0'), std::string("1\0", 2),
            std::string("\xc3\x28"), "1e" + std::string(200, '9'), "1e-" + std::string(200, '9'),
            "0." + std::string(10'000'000, '1'), std::string(10'000'000, '-')}) {
        auto const r = quantity::parse(text);
        REQUIRE_FALSE(r);
        CHECK(r.error().code == podium::errc::invalid);
        CHECK(r.error().text().size() < 200);
    }
    CHECK(q("0." + std::string(250, '0') + '1') == q("1n"));
    CHECK(q(std::string(250, '0') + "1Ki") == q("1024"));
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
    auto sum = q("100m");
    CHECK(sum.add(q("900m")));
    CHECK(sum == q("1"));
    CHECK(to_string(sum) == "1");
    CHECK(sum.add(q("1e100")).error().code == podium::errc::exhausted);
    CHECK(sum == q("1"));
    CHECK(most.times(std::numeric_limits<std::int64_t>::min()).error().code == podium::errc::exhausted);
}

TEST_CASE("core: rounding up goes to the next multiple, away from zero")
{
    CHECK(q("4").round_up(6) == q("1M"));
    CHECK(q("-4").round_up(3) == q("-1k"));
    CHECK(q("1234").round_up(-3) == q("1234"));
    CHECK(q("1776.5681e6").round_up(3) == q("1776569e3"));
    // A binary amount stays one, however many digits that takes.
    CHECK(to_string(q("+537Ti").round_up(6)) == "590437745000000");
    CHECK(to_string(q("-123.06Gi").round_up(9)) == "-133000000000");
    CHECK(to_string(q("6Pi").round_up(9)) == "6597070312500Ki");
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

    TEST_CASE("core: what quantities compute is what exact integers compute")
    {
        for (std::uint64_t seed = 0; seed < 4000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const x = random_text(random), y = random_text(random);
            CAPTURE(x);
            CAPTURE(y);
            auto const a = q(x), b = q(y);
            auto const m = nano(x), n = nano(y);
            REQUIRE(nano(a) == m);
            REQUIRE(nano(to_string(a)) == m);
            REQUIRE((a <=> b) == (m <=> n));
            REQUIRE((a == b) == (m == n));
            REQUIRE(nano(a.plus(b).value()) == m + n);
            auto in_place = a;
            REQUIRE(in_place.add(b).has_value());
            REQUIRE(in_place == a.plus(b));
            REQUIRE(to_string(in_place) == to_string(*a.plus(b)));
            auto minus_n = n;
            minus_n.negative = !n.negative && !n.digits.empty();
            REQUIRE(nano(a.minus(b).value()) == m + minus_n);
            // A sum is the same number as the sum read from its text, however either is held.
            auto const sum = a.plus(b)->in(quantity_format::decimal_exponent);  // binary text ends at 2^63-1
            REQUIRE(q(to_string(sum)) == sum);
            auto const factor = static_cast<std::int64_t>(random() % 2001) - 1000;
            if (auto const product = a.times(factor)) {
                auto p = m;
                p.times(static_cast<std::uint64_t>(factor < 0 ? -factor : factor));
                p.negative = (m.negative != (factor < 0)) && !p.digits.empty();
                REQUIRE(nano(*product) == p);
            }
            auto const scale = static_cast<std::int32_t>(random() % 20) - 9;
            auto rounded = m;
            rounded.divided_by_tens(static_cast<std::size_t>(scale + 9));
            auto const whole = a.checked_scaled_value(scale);
            big expected;
            auto const magnitude = whole
                ? (*whole < 0 ? 0 - static_cast<std::uint64_t>(*whole) : static_cast<std::uint64_t>(*whole))
                : std::numeric_limits<std::uint64_t>::max() / 2 + 1;
            expected.times(1, magnitude);
            expected.negative = whole ? *whole < 0 : m.negative;
            if (whole)
                REQUIRE(rounded == expected);
            else
                REQUIRE(big::compare_magnitudes(rounded, expected) >= 0);
            REQUIRE(a.scaled_value(scale) ==
                (whole               ? *whole
                        : m.negative ? std::numeric_limits<std::int64_t>::min()
                                     : std::numeric_limits<std::int64_t>::max()));
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
