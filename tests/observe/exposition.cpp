#include <podium/observe/exposition.hpp>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace observe = podium::observe;

TEST_CASE("exposition: one HELP and one TYPE for each name, whatever the order")
{
    observe::exposition out;
    out.counter("hits_total", "Hits", {{"service", "web"}}, 3);
    out.gauge("load", "Load", {}, 0.25);
    out.counter("hits_total", "another help", {{"service", "db"}, {"code", "2xx"}},
        std::uint64_t{18446744073709551615u});
    out.gauge("ready", "Whether", {}, true);
    CHECK_FALSE(out.wrong());
    CHECK(out.text() ==
        "# HELP hits_total Hits\n"
        "# TYPE hits_total counter\n"
        "hits_total{service=\"web\"} 3\n"
        "hits_total{service=\"db\",code=\"2xx\"} 18446744073709551615\n"
        "# HELP load Load\n"
        "# TYPE load gauge\n"
        "load 0.25\n"
        "# HELP ready Whether\n"
        "# TYPE ready gauge\n"
        "ready 1\n");
}

TEST_CASE("exposition: a histogram is its buckets, added up, its sum and its count")
{
    observe::histogram<2> h{.bounds = {0.005, 1}};
    for (double const v : {0.001, 0.5, 0.5, 7.0})
        h.observe(v);
    observe::exposition out;
    out.histogram("took_seconds", "Time", {{"service", "web"}}, h);
    out.histogram("took_seconds", "Time", {}, observe::histogram<0>{});
    CHECK_FALSE(out.wrong());
    CHECK(out.text() ==
        "# HELP took_seconds Time\n"
        "# TYPE took_seconds histogram\n"
        "took_seconds_bucket{service=\"web\",le=\"0.005\"} 1\n"
        "took_seconds_bucket{service=\"web\",le=\"1\"} 3\n"
        "took_seconds_bucket{service=\"web\",le=\"+Inf\"} 4\n"
        "took_seconds_sum{service=\"web\"} 8.001\n"
        "took_seconds_count{service=\"web\"} 4\n"
        "took_seconds_bucket{le=\"+Inf\"} 0\n"
        "took_seconds_sum 0\n"
        "took_seconds_count 0\n");
}

TEST_CASE("exposition: what is not a number, or without end, has a name")
{
    auto const infinity = std::numeric_limits<double>::infinity();
    observe::exposition out;
    for (double const v : {infinity, -infinity, std::nan(""), -0.0, 1e300, 5e-324, 0.1})
        out.gauge("x", "", {}, v);
    CHECK(
        out.text() == "# HELP x \n# TYPE x gauge\nx +Inf\nx -Inf\nx NaN\nx -0\nx 1e+300\nx 5e-324\nx 0.1\n");
}

TEST_CASE("exposition: texts are escaped, and what is no UTF-8 is replaced")
{
    struct row {
        char const* name;
        std::string value, written;
    };
    for (auto const& r : {
             row{"plain", "web-1", "web-1"},
             row{"escaped", "a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
             row{"UTF-8", "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x98\x80",
                 "Gr\xc3\xbc\xc3\x9f\x65 \xe2\x82\xac \xf0\x9f\x98\x80"},
             row{"a lone byte",
                 "a\xff"
                 "b",
                 "a\xef\xbf\xbd"
                 "b"},
             row{"a cut one", "a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"},
             row{"longer than needed", "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd"},
             row{"a surrogate", "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
         }) {
        CAPTURE(r.name);
        observe::exposition out;
        out.gauge("x", "h", {{"l", r.value}}, 1);
        CHECK(out.text() == "# HELP x h\n# TYPE x gauge\nx{l=\"" + r.written + "\"} 1\n");
    }
    observe::exposition out;
    out.gauge("x", "a \"b\" \\ \n c", {}, 1);
    CHECK(out.text() == "# HELP x a \"b\" \\\\ \\n c\n# TYPE x gauge\nx 1\n");
}

TEST_CASE("exposition: what would spoil the page is left out and remembered")
{
    observe::exposition out;
    for (auto const* const name : {"", "1x", "a-b", "a b", "\xc3\xbc", "x\n"})
        out.counter(name, "h", {}, 1);
    for (auto const* const name : {"", "1x", "a-b", "a:b", "__name__"})
        out.counter("fine_total", "h", {{name, "v"}}, 1);
    out.counter("fine_total", "h", {{"a", "1"}, {"b", "2"}, {"a", "3"}}, 1);
    out.histogram("h", "h", {{"le", "1"}}, observe::histogram<1>{});
    CHECK(out.text().empty());
    REQUIRE(out.wrong());
    CHECK(out.wrong()->code == podium::errc::invalid);
    CHECK(out.wrong()->further.size() == 12);

    observe::exposition again;
    again.counter("a:b_total", "h", {{"le", "1"}}, 1);  // both are fine here
    again.gauge("a:b_total", "h", {}, 1);
    REQUIRE(again.wrong());
    CHECK(again.wrong()->path == "a:b_total");
    CHECK(again.text() == "# HELP a:b_total h\n# TYPE a:b_total counter\na:b_total{le=\"1\"} 1\n");
    for (int i = 0; i < 1000; ++i)
        again.gauge("?", "h", {}, 1);
    CHECK(again.wrong()->further.size() == 99);
}

TEST_SUITE("property")
{
    TEST_CASE("exposition: each number reads back as itself")
    {
        std::mt19937_64 random(1);
        observe::exposition out;
        std::vector<double> wrote;
        while (wrote.size() < 2000) {
            auto const bits = random();
            double value = 0;
            static_assert(sizeof value == sizeof bits);
            std::memcpy(&value, &bits, sizeof value);
            if (!std::isfinite(value))
                continue;
            wrote.push_back(value);
            out.gauge("x", "h", {}, value);
        }
        auto const text = out.text();
        auto at = text.find("\nx ");
        for (double const v : wrote) {
            REQUIRE(at != std::string::npos);
            double read = 0;
            auto const end = std::from_chars(text.data() + at + 3, text.data() + text.size(), read).ptr;
            CHECK(read == v);
            CHECK(*end == '\n');
            at = text.find("\nx ", at + 1);
        }
    }
}
