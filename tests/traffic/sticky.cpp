#include <podium/traffic/sticky.hpp>

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using traffic::sticky_by;
using traffic::version_weight;
using traffic::visit;

std::string share_of(std::vector<version_weight> const& weights, std::string const& visitor)
{
    auto const at = traffic::assign(weights, visitor);
    return at ? weights[*at].version : "-";
}

}  // namespace

TEST_CASE("traffic: a cookie says the version and whether its visitor converted, and nothing else is one")
{
    struct row {
        std::string name;
        std::string text;
        std::optional<visit> expected;
    };
    for (auto const& r : std::vector<row>{
             {"a version", "v1.2", visit{"v1.2", false}},
             {"converted", "v1.2:c", visit{"v1.2", true}},
             {"a name that ends like the mark", "v.c", visit{"v.c", false}},
             {"escaped", "a%20b%2F:c", visit{"a b/", true}},
             {"empty", "", std::nullopt},
             {"a mark alone", ":c", std::nullopt},
             {"another mark", "v1:d", std::nullopt},
             {"two marks", "v1:c:c", std::nullopt},
             {"in quotes", "\"v1\"", std::nullopt},
             {"an escape cut off", "v%2", std::nullopt},
             {"an escape without digits", "v%zz", std::nullopt},
             {"lower case digits", "v%2f", std::nullopt},
             {"a letter that needed no escape", "%61", std::nullopt},
             {"a line break", "v1\r\nSet-Cookie: x", std::nullopt},
             {"longer than any of ours", std::string(1025, 'v'), std::nullopt},
         }) {
        CAPTURE(r.name);
        CHECK(traffic::parse_cookie_value(r.text) == r.expected);
        if (r.expected)
            CHECK(traffic::cookie_value(*r.expected) == r.text);
    }
}

TEST_CASE("traffic: a cookie is found by its whole name, the first of two")
{
    using traffic::find_cookie;
    CHECK(find_cookie("podium=v1", "podium") == "v1");
    CHECK(find_cookie("a=b; podium=v1;c=d", "podium") == "v1");
    CHECK(find_cookie("podium=v1; podium=v2", "podium") == "v1");
    CHECK(find_cookie(" ;; podium=", "podium") == "");
    CHECK(find_cookie("xpodium=v2; podium=v1", "podium") == "v1");
    CHECK_FALSE(find_cookie("podiumx=v1; a=podium=v1", "podium"));
    CHECK_FALSE(find_cookie("podium", "podium"));
    CHECK_FALSE(find_cookie("", "podium"));
}

TEST_CASE("traffic: an answer makes a visitor once and converts it once")
{
    traffic::sticky_policy const p{sticky_by::cookie, "podium", std::chrono::hours(1)};
    std::string const rest = "; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax";
    struct row {
        std::string name;
        std::optional<visit> came_with;
        bool converted;
        traffic::visit_answer expected;
    };
    for (auto const& r : std::vector<row>{
             {"new", std::nullopt, false, {true, false, "podium=v2" + rest}},
             {"new and converted at once", std::nullopt, true, {true, true, "podium=v2:c" + rest}},
             {"back", visit{"v2", false}, false, {}},
             {"converts", visit{"v2", false}, true, {false, true, "podium=v2:c" + rest}},
             {"converts again", visit{"v2", true}, true, {}},
             {"of another version", visit{"v1", true}, false, {true, false, "podium=v2" + rest}},
         }) {
        CAPTURE(r.name);
        CHECK(traffic::answer_visit(p, r.came_with, "v2", r.converted) == r.expected);
    }
    CHECK(traffic::answer_visit({}, std::nullopt, "v2", true) == traffic::visit_answer{});
    CHECK(
        traffic::answer_visit({sticky_by::header, "X"}, std::nullopt, "v2", true) == traffic::visit_answer{});
    CHECK(traffic::set_cookie({sticky_by::cookie, "p"}, {"v"}) == "p=v; Path=/; HttpOnly; SameSite=Lax");
}

TEST_CASE("traffic: a sticky policy that cannot work says why")
{
    CHECK(traffic::check(traffic::sticky_policy{}));
    CHECK(traffic::check({sticky_by::cookie, "podium"}));
    CHECK(traffic::check({sticky_by::cookie, ""}).error().path == "name");
    CHECK(traffic::check({sticky_by::header, "X User"}).error().path == "name");
    CHECK(traffic::check({sticky_by::cookie, "a", std::chrono::seconds(-1)}).error().path == "max_age");
}

TEST_CASE("traffic: the logarithm that visitors are shared out by is that of mathematics")
{
    for (std::uint64_t const x : {std::uint64_t{1}, std::uint64_t{3}, std::uint64_t{1} << 32 | 1,
             std::uint64_t{0x9e3779b97f4a7c15u}, ~std::uint64_t{0}}) {
        CAPTURE(x);
        double const exact = 64 - std::log2(static_cast<double>(x));
        CHECK(static_cast<double>(traffic::detail::surprise(x)) * 0x1p-32 ==
            doctest::Approx(exact).epsilon(1e-9).scale(1));
    }
    CHECK(traffic::detail::surprise(0) <= std::uint64_t{64} << 32);
    CHECK(traffic::detail::surprise(~std::uint64_t{0}) >= 1);
}

TEST_CASE("traffic: which version an identity gets does not change between releases of podium")
{
    // Routers of different builds stand beside each other: a change of these is a change for visitors.
    std::vector<version_weight> const weights{{"v1", 50}, {"v2", 50}};
    std::string seen;
    for (int i = 0; i < 16; ++i)
        seen += share_of(weights, "user-" + std::to_string(i)) == "v2" ? '2' : '1';
    CHECK(seen == "2221121222122121");
}

TEST_SUITE("property")
{
    TEST_CASE("traffic: every version's name survives its cookie")
    {
        for (std::uint64_t seed = 0; seed < 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            visit v{{}, random() % 2 == 0};
            for (auto n = 1 + random() % 20; n != 0; --n)
                v.version += static_cast<char>(random() % 256);
            auto const value = traffic::cookie_value(v);
            REQUIRE(traffic::parse_cookie_value(value) == v);
            REQUIRE(value.find_first_of("; \t\r\n,\"\\") == std::string::npos);
            auto const field = "a=b; " + traffic::set_cookie({sticky_by::cookie, "p"}, v);
            REQUIRE(traffic::find_cookie(field, "p") == value);
        }
    }
    TEST_CASE("traffic: hostile cookies are read or refused, and what is read is written the same")
    {
        constexpr std::string_view alphabet = "v1.%2Ff:c;= \"\\\r\n";
        int read = 0;
        for (std::uint64_t seed = 0; seed < 5000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::string text;
            for (auto n = random() % 12; n != 0; --n)
                text += alphabet[random() % alphabet.size()];
            (void)traffic::find_cookie(text, "v");
            if (auto const v = traffic::parse_cookie_value(text)) {
                ++read;
                REQUIRE(traffic::cookie_value(*v) == text);
            }
        }
        CHECK(read > 100);
        CHECK(read < 4000);
    }
    TEST_CASE("traffic: who gains weight loses no visitor, and who loses weight gains none")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::vector<version_weight> before, after;
            for (auto const* v : {"v1", "v2", "v3"})
                before.push_back({v, static_cast<std::uint32_t>(random() % 100)});
            after = before;
            // Only ratios count, so that v1's fall is v2's and v3's gain.
            after[0].weight /= 2;
            auto shuffled = after;
            std::shuffle(shuffled.begin(), shuffled.end(), random);
            for (int i = 0; i < 100; ++i) {
                auto const visitor = std::to_string(random());
                auto const was = share_of(before, visitor), is = share_of(after, visitor);
                REQUIRE((was == is || was == "v1"));
                REQUIRE(share_of(shuffled, visitor) == is);
                if (is != "-")
                    REQUIRE(after[*traffic::assign(after, visitor)].weight > 0);
            }
        }
    }
    TEST_CASE(
        "traffic: a canary that grows from 5 to 50 to 100 keeps its visitors, and has its share of them")
    {
        std::vector<std::string> on_canary;
        std::map<std::uint32_t, int> had;
        constexpr int visitors = 20'000;
        for (std::uint32_t const weight : {1u, 5u, 20u, 50u, 100u}) {
            std::vector<version_weight> const weights{{"stable", 100 - weight}, {"canary", weight}};
            for (auto const& v : on_canary)
                REQUIRE(share_of(weights, v) == "canary");
            on_canary.clear();
            for (int i = 0; i < visitors; ++i)
                if (auto v = "user" + std::to_string(i); share_of(weights, v) == "canary")
                    on_canary.push_back(std::move(v));
            double const p = weight / 100.0, n = visitors;
            CHECK(std::abs(static_cast<double>(on_canary.size()) - n * p) <= 5 * std::sqrt(n * p * (1 - p)));
        }
    }
}
