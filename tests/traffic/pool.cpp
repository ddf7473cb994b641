#include <podium/traffic.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using traffic::endpoint;
using traffic::ticket;

endpoint up(std::string id, std::string version = {})
{
    return {.id = std::move(id),
        .address = "10.0.0.1",
        .port = 80,
        .ready = true,
        .serving = true,
        .version = std::move(version)};
}
endpoint leaving(std::string id)
{
    auto e = up(std::move(id));
    e.draining = true;
    return e;
}

using pool = traffic::pool<traffic::round_robin>;

std::string next(pool& p, std::vector<ticket>* keep = nullptr)
{
    auto const t = p.acquire();
    if (!t)
        return "-";
    auto const id = p.at(t->slot).id;
    keep ? keep->push_back(*t) : p.release(*t);
    return id;
}

}  // namespace

TEST_CASE("traffic: a draining endpoint gets nothing new and is drained when its last request ends")
{
    pool p;
    REQUIRE(p.apply({1, {up("a"), up("b")}}));
    std::vector<ticket> under_way;
    CHECK(next(p, &under_way) == "a");
    CHECK(next(p, &under_way) == "b");
    CHECK_FALSE(p.drained("a"));

    REQUIRE(p.apply({2, {leaving("a"), up("b")}}));
    for (int i = 0; i < 5; ++i)
        CHECK(next(p) == "b");
    CHECK(p.in_flight("a") == 1);
    CHECK_FALSE(p.drained("a"));
    p.release(under_way[0]);
    CHECK(p.drained("a"));
    CHECK_FALSE(p.drained("b"));  // busy, and may get more
    CHECK(p.drained("unheard of"));
}

TEST_CASE("traffic: an endpoint out of the set is remembered until its requests have ended")
{
    pool p;
    std::vector<ticket> under_way;
    REQUIRE(p.apply({1, {up("a")}}));
    next(p, &under_way);
    REQUIRE(p.apply({2, {up("b")}}));
    CHECK(p.loads() ==
        std::vector<traffic::load>{
            {"a", "", 1, false, traffic::admission::not_ready, 0},
            {"b", "", 0, true, traffic::admission::ready, 1},
        });
    CHECK_FALSE(p.drained("a"));
    p.release(under_way[0]);
    CHECK(p.drained("a"));
    CHECK(p.loads().size() == 1);

    SUBCASE("its slot goes to the next one")
    {
        REQUIRE(p.apply({3, {up("b"), up("c")}}));
        CHECK(p.at(under_way[0].slot).id == "c");
        CHECK(p.in_flight("c") == 0);
    }
}

TEST_CASE("traffic: one that comes back keeps its count")
{
    pool p;
    std::vector<ticket> under_way;
    REQUIRE(p.apply({1, {up("a")}}));
    next(p, &under_way);
    REQUIRE(p.apply({2, {}}));
    CHECK(next(p) == "-");
    CHECK_FALSE(p.available());
    REQUIRE(p.apply({3, {up("a")}}));
    CHECK(p.available());
    CHECK(p.in_flight("a") == 1);
    p.release(under_way[0]);
    CHECK(p.in_flight("a") == 0);
}

TEST_CASE("traffic: a pod with another address is another endpoint, and is drained when both are")
{
    pool p;
    std::vector<ticket> under_way;
    REQUIRE(p.apply({1, {up("a")}}));
    next(p, &under_way);
    auto moved = up("a");
    moved.address = "10.0.0.2";
    moved.draining = true;
    REQUIRE(p.apply({2, {moved}}));
    CHECK(p.in_flight("a") == 1);
    CHECK_FALSE(p.drained("a"));
    p.release(under_way[0]);
    CHECK(p.drained("a"));
}

TEST_CASE("traffic: an older generation is refused, the same one may come again")
{
    pool p;
    REQUIRE(p.apply({5, {up("a")}}));
    auto const refused = p.apply({4, {up("b")}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::conflict);
    CHECK(next(p) == "a");
    CHECK(p.apply({5, {up("a")}}));
    CHECK(p.generation() == 5);
}

TEST_CASE("traffic: a request on its second way goes where it has not been")
{
    pool p;
    REQUIRE(p.apply({1, {up("a"), up("b"), up("c")}}));
    std::vector<std::uint32_t> tried;
    std::string seen;
    while (auto const t = p.acquire(tried)) {
        seen += p.at(t->slot).id;
        tried.push_back(t->slot);
        p.release(*t);
    }
    std::ranges::sort(seen);
    CHECK(seen == "abc");
}

TEST_CASE(
    "traffic: weights say how versions share; a version with nobody ready leaves its share to the others")
{
    pool p;
    traffic::endpoint_set set{
        1, {up("old1", "v1"), up("old2", "v1"), up("new", "v2"), up("other", "v3")}, {{"v1", 3}, {"v2", 1}}};
    REQUIRE(p.apply(set));
    std::map<std::string, int> seen;
    for (int i = 0; i < 80; ++i)
        ++seen[next(p)];
    CHECK(seen == std::map<std::string, int>{{"old1", 30}, {"old2", 30}, {"new", 20}});

    set.generation = 2;
    set.endpoints[2].ready = false;
    REQUIRE(p.apply(set));
    seen.clear();
    for (int i = 0; i < 80; ++i)
        ++seen[next(p)];
    CHECK(seen == std::map<std::string, int>{{"old1", 40}, {"old2", 40}});

    set.generation = 3;
    set.weights = {{"v1", 0}, {"v2", 1}};
    REQUIRE(p.apply(set));
    CHECK(next(p) == "-");  // weight 0 means nothing at all, also when nobody else is there

    set.generation = 4;
    set.weights = {{"v1", 2'000'000}};
    CHECK_FALSE(p.apply(set));
    CHECK(p.generation() == 3);
}

TEST_CASE("traffic: a choice explains itself")
{
    pool p;
    REQUIRE(p.apply({1, {up("a", "v1"), up("b", "v1")}}));
    auto const t = p.acquire();
    REQUIRE(t);
    CHECK(p.explain(*t) == "10.0.0.1:80 (v1): in turn, 0 in flight, of 2");
    p.release(*t);
}

TEST_SUITE("property")
{
    TEST_CASE(
        "traffic: what is acquired may take new requests, and counts agree with a ledger whatever is applied")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            traffic::pool<traffic::any_balancer> p{random() % 2
                    ? traffic::any_balancer{traffic::power_of_two{seed}}
                    : traffic::any_balancer{traffic::least_in_flight{}}};
            traffic::endpoint_set set;
            std::vector<std::pair<ticket, std::string>> open;
            std::map<std::string, std::uint32_t> ledger;
            for (int step = 0; step < 300; ++step) {
                switch (random() % 4) {
                case 0: {
                    ++set.generation;
                    set.endpoints.clear();
                    set.weights.clear();
                    for (auto const* id : {"a", "b", "c", "d", "e"}) {
                        if (random() % 3 == 0)
                            continue;
                        auto e = up(id, random() % 2 ? "v1" : "v2");
                        e.ready = random() % 4 != 0;
                        e.terminating = random() % 4 == 0;
                        e.draining = random() % 4 == 0;
                        set.endpoints.push_back(e);
                    }
                    if (random() % 2)
                        set.weights = {{"v1", static_cast<std::uint32_t>(random() % 3)},
                            {"v2", static_cast<std::uint32_t>(random() % 3)}};
                    REQUIRE(p.apply(set));
                    break;
                }
                case 1:
                    if (!open.empty()) {
                        auto const i = random() % open.size();
                        p.release(open[i].first);
                        --ledger[open[i].second];
                        open.erase(open.begin() + static_cast<std::ptrdiff_t>(i));
                    }
                    break;
                default: {
                    bool const available = p.available();
                    auto const t = p.acquire();
                    REQUIRE(available == t.has_value());
                    if (!t)
                        break;
                    auto const& e = p.at(t->slot);
                    auto const rules = admit(set.endpoints);
                    auto const at = std::ranges::find(set.endpoints, e);
                    REQUIRE(at != set.endpoints.end());
                    auto const rule = rules[static_cast<std::size_t>(at - set.endpoints.begin())];
                    REQUIRE((rule == traffic::admission::ready || rule == traffic::admission::last_resort));
                    open.emplace_back(*t, e.id);
                    ++ledger[e.id];
                }
                }
                for (auto const& [id, n] : ledger) {
                    REQUIRE(p.in_flight(id) == n);
                    if (p.drained(id))
                        REQUIRE(n == 0);
                }
            }
            REQUIRE(p.apply({set.generation + 1, {}}));
            for (auto const& [t, id] : open)
                p.release(t);
            REQUIRE(p.loads().empty());
        }
    }
}
