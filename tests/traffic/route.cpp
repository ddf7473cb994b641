#include <podium/traffic/route.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using traffic::header_field;
using traffic::header_match;
using traffic::sticky_by;
using traffic::way;

}  // namespace

TEST_CASE("traffic: a header's match comes before the cookie, and the cookie before the weights")
{
    traffic::route_rules rules;
    rules.matches = {{"X-Preview", header_match::kind::exact, "yes", "v3"},
        {"User-Agent", header_match::kind::prefix, "smoke/", "v2"},
        {"X-Empty", header_match::kind::exact, "", "v4"}};
    rules.sticky = {sticky_by::cookie, "podium"};
    struct row {
        std::string name;
        std::vector<header_field> fields;
        way how;
        std::string version;
    };
    for (auto const& r : std::vector<row>{
             {"nothing", {}, way::dealt, ""},
             {"matched, in any case", {{"x-preview", "yes"}}, way::matched, "v3"},
             {"the value is exact", {{"X-Preview", "yes!"}}, way::dealt, ""},
             {"and its case counts", {{"X-Preview", "Yes"}}, way::dealt, ""},
             {"a prefix", {{"User-Agent", "smoke/1"}}, way::matched, "v2"},
             {"not in the middle", {{"User-Agent", "a smoke/1"}}, way::dealt, ""},
             {"present and empty", {{"X-Empty", ""}}, way::matched, "v4"},
             {"any of several", {{"X-Preview", "no"}, {"X-Preview", "yes"}}, way::matched, "v3"},
             {"the first rule counts", {{"User-Agent", "smoke/1"}, {"X-Preview", "yes"}}, way::matched, "v3"},
             {"a cookie", {{"Cookie", "a=b; podium=v1"}}, way::remembered, "v1"},
             {"in a second field", {{"Cookie", "a=b"}, {"cookie", "podium=v1"}}, way::remembered, "v1"},
             {"a cookie that is not ours to read", {{"Cookie", "podium=<v1>"}}, way::dealt, ""},
             {"a match before a cookie", {{"Cookie", "podium=v1"}, {"X-Preview", "yes"}}, way::matched, "v3"},
         }) {
        CAPTURE(r.name);
        auto const got = traffic::aim_of(rules, r.fields);
        CHECK(got.how == r.how);
        CHECK(got.version() == r.version);
        CHECK(got.came_with.has_value() == (r.how == way::remembered));
    }
    rules.sticky = {sticky_by::header, "X-User"};
    std::vector<header_field> const known{{"Cookie", "podium=v1"}, {"x-user", "ann"}},
        unknown{{"X-User", ""}};
    CHECK(traffic::aim_of(rules, known) == traffic::aim{way::hashed, "ann", {}});
    CHECK(traffic::aim_of(rules, unknown) == traffic::aim{});
}

TEST_CASE("traffic: rules that cannot be put in force say all that is wrong")
{
    traffic::route_rules rules;
    CHECK(traffic::check(rules, false));
    CHECK_FALSE(traffic::looks_at_fields(rules));
    rules.matches = {{"X Y", header_match::kind::prefix, "", ""}};
    rules.sticky = {sticky_by::cookie, "a=b"};
    rules.mirror = {.version = "v2",
        .percent = 101,
        .max_in_flight = 0,
        .body_limit_bytes = 1u << 30,
        .deadline = duration(0)};
    rules.conversion_header = "X:";
    rules.ejection = traffic::outlier_policy{.consecutive_failures = 0};
    CHECK(traffic::looks_at_fields(rules));
    auto const wrong = traffic::check(rules, false);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == errc::invalid);
    CHECK(wrong.error().text() ==
        "matches[0].header: must be the name of a header\n"
        "matches[0].value: must not be empty: it would match any value\n"
        "matches[0].version: must name a version\n"
        "matches[0]: needs weights in its set: who gets the rest?\n"
        "sticky.name: must be the name of a cookie or header\n"
        "sticky: needs weights in its set: who gets the rest?\n"
        "mirror.percent: must be at most 100\n"
        "mirror.max_in_flight: must be at least 1\n"
        "mirror.body_limit_bytes: must be at most 16 MiB\n"
        "mirror.deadline: must be more than 0\n"
        "mirror: needs weights in its set: who gets the rest?\n"
        "conversion_header: must be the name of a header\n"
        "ejection.consecutive_failures: must be at least 1");
}
