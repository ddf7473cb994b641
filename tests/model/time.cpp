#include <podium/model/time.hpp>

#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>

namespace model = podium::model;

TEST_CASE("model: stamps are read and written as RFC 3339")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;  ///< empty: refused
    };
    for (auto const& r : {
             row{"whole seconds", "2026-01-31T09:30:05Z", "2026-01-31T09:30:05Z"},
             row{"an offset becomes UTC", "2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00Z"},
             row{"microseconds", "2026-01-31T09:30:05.250000Z", "2026-01-31T09:30:05.25Z"},
             row{"nanoseconds", "2026-01-31T09:30:05.000000001Z", "2026-01-31T09:30:05.000000001Z"},
             row{"before the epoch", "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"},
             row{"a leap day", "2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
             row{"small letters", "2024-02-29t00:00:00z", "2024-02-29T00:00:00Z"},
             row{"no leap day", "2023-02-29T00:00:00Z", ""},
             row{"no zone", "2026-01-31T09:30:05", ""},
             row{"a blank", "2026-01-31 09:30:05Z", ""},
             row{"ten digits of a second", "2026-01-31T09:30:05.0000000001Z", ""},
             row{"a point alone", "2026-01-31T09:30:05.Z", ""},
             row{"hour 24", "2026-01-31T24:00:00Z", ""},
             row{"month 13", "2026-13-01T00:00:00Z", ""},
             row{"more than nanoseconds reach", "9999-01-01T00:00:00Z", ""},
             row{"something behind", "2026-01-31T09:30:05Z ", ""},
             row{"a date alone", "2026-01-31", ""},
             row{"nothing", "", ""},
         }) {
        CAPTURE(r.name);
        model::time t;
        bool const ok = from_text(r.text, t);
        CHECK((ok ? to_text(t) : "") == r.expected);
    }
}

TEST_CASE("model: an empty stamp is made from a time point")
{
    std::optional<model::time> stamp;
    CHECK(!stamp);
    stamp = std::optional<model::time>{podium::time_point{std::chrono::seconds{1}}};
    CHECK(to_text(*stamp) == "1970-01-01T00:00:01Z");
}

TEST_SUITE("property")
{
    TEST_CASE("model: every stamp comes back from its text")
    {
        for (std::uint64_t seed = 1; seed <= 500; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const ns = static_cast<std::int64_t>(random() % 7'000'000'000'000'000'000u) + 0;
            model::time const t{podium::time_point{podium::duration{random() % 2 ? ns : -ns}}};
            model::time back;
            REQUIRE(from_text(to_text(t), back));
            REQUIRE(back == t);
        }
    }
}
