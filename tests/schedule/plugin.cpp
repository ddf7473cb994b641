#include <podium/schedule/plugin.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

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

// A score that rounds on its own, members that are optional and wrong: told from those that are not there.
struct exact {
    static double score(seats const& s, guests const& g);
    static int normalize(std::int64_t raw);
    static int prepare(std::string const& pod);
    static int indifferent(guests const& g);
};
struct sealed final : snug {};
static_assert(!schedule::detail::HasScore<exact, at, guests>);
static_assert(!schedule::detail::HasNormalize<exact> && schedule::detail::NamesNormalize<exact>);
static_assert(!schedule::detail::HasNormalize<snug> && !schedule::detail::NamesNormalize<snug>);
static_assert(!schedule::detail::NamesNormalize<sealed>);
static_assert(!schedule::detail::HasPrepare<exact, guests> && schedule::detail::NamesPrepare<exact>);
static_assert(!schedule::detail::HasIndifferent<exact, guests> && schedule::detail::NamesIndifferent<exact>);

using rules = schedule::pipeline<seats, guests, schedule::filters<enough>,
    schedule::scores<schedule::weighted<snug, 3>>>;

/// The least ledger, for a plugin that looks at many nodes; and near misses.
struct counted {
    using overview = int;
    static int survey(auto const& nodes, guests const& g);
    static bool filter(seats const& s, guests const& g, int known);
    static bool alone(auto const& nodes, guests const& g);

    template<class Nodes>
    struct ledger {
        using key = int;
        static key key_of(counted const&, Nodes const&, guests const&);
        static std::uint64_t stamp(Nodes const&);
        ledger(counted const&, Nodes&, key);
        void touch(counted const&, Nodes const&, std::uint32_t, bool, std::vector<std::uint32_t>&);
        bool stale(Nodes const&) const;
        std::uint32_t place(std::uint32_t) const;
        std::size_t places() const;
        schedule::verdict filter(counted const&, std::uint32_t) const;
        void open();
        void admit(std::uint32_t, std::uint32_t);
        void close();
    };
};
using nodes = schedule::snapshot<rules>;
using least = counted::ledger<nodes>;
struct tells_no_moves : least {
    using least::least;
    void touch(counted const&, nodes const&, std::uint32_t, bool);
};
struct forgets_places : least {
    using least::least;
    void places() const;
};
struct incomparable : least {
    struct key {};
    static key key_of(counted const&, nodes const&, guests const&);
    incomparable(counted const&, nodes&, key);
};
struct from_nothing : least {};
template<class L>
inline constexpr bool fits = schedule::Ledger<L, counted, nodes, guests>;
static_assert(fits<least>);
static_assert(!fits<tells_no_moves>);
static_assert(!fits<forgets_places>);
static_assert(!fits<incomparable>);
static_assert(!fits<from_nothing>);
static_assert(schedule::detail::HasLedger<counted, nodes> && schedule::detail::NamesLedger<counted>);
struct no_template : snug {
    struct ledger {};
};
static_assert(!schedule::detail::HasLedger<no_template, nodes> && schedule::detail::NamesLedger<no_template>);
static_assert(schedule::detail::HasAlone<counted, nodes, guests> && schedule::detail::NamesAlone<counted>);
static_assert(!schedule::detail::NamesAlone<snug> && !schedule::detail::NamesLedger<snug>);

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
    CHECK(schedule::by_most(-3, {-5, 7}) == 0);
    CHECK(schedule::by_most_reversed(3, {0, 7}) == 58);
    CHECK(schedule::by_most_reversed(0, {0, 0}) == 100);
}
