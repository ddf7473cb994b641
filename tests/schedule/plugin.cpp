#include <podium/schedule/plugin.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <string>

namespace {

namespace schedule = podium::schedule;

/// Nodes and pods with nothing but what the plugin reads: no default constructor, no comparison.
struct seats {
    explicit seats(int n) : free(n) {}
    int free;
};
struct guests {
    explicit guests(int n) : count(n) {}
    int count;
};

/// The least filter, the least score.
struct enough {
    static constexpr std::string_view name = "enough";
    static constexpr std::string_view reason = "too few seats";
    static bool filter(seats const& s, guests const& g) { return g.count <= s.free; }
};
struct snug {
    static constexpr std::string_view name = "snug";
    static int score(seats const& s, guests const& g) { return 100 - (s.free - g.count); }
};

using at = schedule::candidate<seats, std::tuple<>>;
static_assert(schedule::detail::HasFilter<enough, at, guests>);
static_assert(schedule::detail::HasScore<snug, at, guests>);

// Near misses: a filter for other pods, a score that is no number.
struct for_others {
    static bool filter(seats const& s, std::string const& g);
};
struct wordy {
    static std::string score(seats const& s, guests const& g);
};
static_assert(!schedule::detail::HasFilter<for_others, at, guests>);
static_assert(!schedule::detail::HasScore<wordy, at, guests>);
static_assert(!schedule::detail::HasFilter<snug, at, guests>);
static_assert(!schedule::detail::HasName<wordy>);

using rules = schedule::pipeline<seats, guests, schedule::filters<enough>,
    schedule::scores<schedule::weighted<snug, 3>>>;

// A plugin that is not named costs nothing, and neither do those without settings.
static_assert(std::is_empty_v<schedule::pipeline<seats, guests, schedule::filters<enough>,
        schedule::scores<schedule::weighted<snug>>>>);
static_assert(std::tuple_size_v<rules::columns> == 0);

}  // namespace

TEST_CASE("schedule: the least plugins on the least types place pods")
{
    schedule::scheduler<rules> s;
    s.set("table for six", seats(6));
    s.set("table for two", seats(2));
    auto const d = s.place(guests(2));
    CHECK(s.name(d) == "table for two");
    CHECK(d.scores == std::vector{300});
    CHECK(s.summary(s.place(guests(7)), guests(7)) == "0/2 nodes are available: 2 too few seats.");
    CHECK(s.place(guests(3), 4).nodes == std::vector<std::uint32_t>(4, 0));
}

TEST_CASE("schedule: codes of a verdict are bounded")
{
    schedule::verdict v;
    v.refuse(1'000, false);
    v.refuse(3, true);
    v.refuse(4, false);
    CHECK(v == schedule::verdict{.codes = 1ull << 63 | 1 << 3 | 1 << 4, .unresolvable = true});
}

TEST_CASE("schedule: scores scale by the largest")
{
    CHECK(schedule::by_most(3, {0, 7}) == 42);
    CHECK(schedule::by_most(0, {0, 0}) == 0);
    CHECK(schedule::by_most_reversed(3, {0, 7}) == 58);
    CHECK(schedule::by_most_reversed(0, {0, 0}) == 100);
}
