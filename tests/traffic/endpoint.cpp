#include <podium/traffic/endpoint.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

using namespace podium;

traffic::endpoint of(char const* flags)
{
    std::string const f = flags;
    auto const has = [&](char c) { return f.find(c) != f.npos; };
    return {.ready = has('r'), .serving = has('s'), .terminating = has('t'), .draining = has('d')};
}

}  // namespace

TEST_CASE("traffic: ready endpoints get new requests; if there is none, those that serve while terminating")
{
    struct row {
        char const* name;
        std::vector<char const*> endpoints;
        std::string expected;  // R ready, L last resort, - not ready, D draining
    };
    for (auto const& r : {
             row{"nothing there", {}, ""},
             row{"all ready", {"rs", "rs"}, "RR"},
             row{"an unready one is left out", {"rs", ""}, "R-"},
             row{"ready but terminating is not ready", {"rst", "rs"}, "-R"},
             row{"nobody ready: whoever serves and terminates", {"st", "", "t"}, "L--"},
             row{"one ready one is enough against the last resort", {"st", "rs", "st"}, "-R-"},
             row{"a draining one gets nothing while others are ready", {"rsd", "rs"}, "DR"},
             row{"and nothing when nobody else is left", {"rsd", "std", ""}, "DD-"},
             row{"a draining one does not hold up the last resort", {"rsd", "st"}, "DL"},
             row{"serving alone, not terminating, is not ready", {"s"}, "-"},
         }) {
        CAPTURE(r.name);
        std::vector<traffic::endpoint> all;
        for (auto const* flags : r.endpoints)
            all.push_back(of(flags));
        std::string got;
        for (auto const rule : admit(all))
            got += "RL-D"[static_cast<std::size_t>(rule)];
        CHECK(got == r.expected);
    }
}
