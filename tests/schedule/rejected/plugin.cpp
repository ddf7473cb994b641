// Does not compile with any of the macros WRONG_..., and says which member is wrong; without, it does.

#include <podium/schedule/scheduler.hpp>

#include <cstdint>
#include <string_view>

namespace schedule = podium::schedule;

struct seats {
    int free = 0;
};
struct guests {
    int count = 0;
    friend bool operator==(guests const&, guests const&) = default;
};

struct roomy {
    static constexpr std::string_view name = "roomy";
#if !defined(WRONG_REASON)
    static constexpr std::string_view reason = "too few seats";
#endif
#if defined(WRONG_PREPARE)
    static int prepare(seats const& s) { return s.free; }
#endif
#if defined(WRONG_FILTER)
    static bool filter(guests const& g) { return g.count > 0; }
#else
    static bool filter(seats const& s, guests const& g) { return g.count <= s.free; }
#endif
#if defined(WRONG_SCORE)
    static double score(seats const& s, guests const&) { return s.free; }
#else
    static int score(seats const& s, guests const&) { return s.free; }
#endif
#if defined(WRONG_NORMALIZE)
    static int normalize(std::int64_t raw) { return static_cast<int>(raw); }
#endif
#if defined(WRONG_LEDGER)
    template<class Nodes>
    class ledger {};
#endif
};

struct many {
    static constexpr std::string_view name = "many", reason = "too many";
    using overview = int;
    static int survey(auto const& nodes, guests const&) { return static_cast<int>(nodes.size()); }
    static bool filter(seats const&, guests const& g, int nodes) { return g.count <= nodes; }
#if defined(WRONG_ALONE)
    static int alone(auto const&, guests const&) { return 1; }
#endif
#if defined(WRONG_KEPT)
    template<class Nodes>
    class ledger {
    public:
        using key = int;
    };
#endif
};

using rules = schedule::pipeline<seats, guests, schedule::filters<roomy, many>,
    schedule::scores<schedule::weighted<roomy>>>;

int main()
{
    schedule::scheduler<rules> s;
    return s.place({}).node ? 1 : 0;
}
