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

namespace {

using traffic::aim;
using traffic::outcome;
using traffic::way;
constexpr time_point start{std::chrono::seconds(1000)};

aim remembered(std::string version)
{
    aim out{.how = way::remembered};
    out.came_with = traffic::visit{std::move(version)};
    return out;
}

std::string next(pool& p, aim const& wish, std::vector<std::uint32_t> const& tried = {})
{
    auto const t = p.acquire(wish, tried);
    if (!t)
        return "-";
    auto const id = p.at(t->slot).id;
    p.release(*t);
    return id;
}

}  // namespace

TEST_CASE("traffic: a matched request goes to its version or nowhere, and takes nobody's turn")
{
    pool p;
    traffic::endpoint_set set{1, {up("old", "v1"), up("new", "v2"), up("other", "v9")}, {{"v1", 1}}};
    set.rules.matches = {{"X-Preview", traffic::header_match::kind::exact, "1", "v2"}};
    REQUIRE(p.apply(set));
    aim const preview{way::matched, "v2", {}};
    CHECK(next(p, preview) == "new");
    CHECK(next(p, preview, {1}) == "-");                 // tried, and no other version will do
    CHECK(next(p, aim{way::matched, "v9", {}}) == "-");  // neither weighted nor named by a rule
    for (int i = 0; i < 10; ++i)
        CHECK(next(p) == "old");
    set.generation = 2;
    set.endpoints[1].ready = false;
    REQUIRE(p.apply(set));
    CHECK(next(p, preview) == "-");
    CHECK(next(p) == "old");
}

TEST_CASE(
    "traffic: visitors who are back take no turn of the new ones, and where their version is gone are new")
{
    pool p;
    traffic::endpoint_set set{1, {up("old", "v1"), up("new", "v2")}, {{"v1", 95}, {"v2", 5}}};
    REQUIRE(p.apply(set));
    std::map<std::string, int> seen;
    for (int i = 0; i < 300; ++i) {
        CHECK(next(p, remembered("v2")) == "new");
        CHECK(next(p, remembered("v1")) == "old");
        ++seen[next(p, i % 2 ? aim{} : remembered("gone"))];
    }
    CHECK(seen == std::map<std::string, int>{{"old", 285}, {"new", 15}});
    CHECK(next(p, remembered("v2"), {1}) == "old");  // its only endpoint cannot be reached

    set.generation = 2;
    set.weights = {{"v1", 100}, {"v2", 0}};
    REQUIRE(p.apply(set));
    CHECK(next(p, remembered("v2")) == "old");
    set.generation = 3;
    set.weights = {{"v1", 50}, {"v2", 50}};
    set.endpoints[1].ready = false;
    REQUIRE(p.apply(set));
    CHECK(next(p, remembered("v2")) == "old");
}

TEST_CASE("traffic: a hashed visitor goes where the shares say, and back when its version is back")
{
    pool p;
    traffic::endpoint_set set{1, {up("old", "v1"), up("new", "v2")}, {{"v1", 50}, {"v2", 50}}};
    REQUIRE(p.apply(set));
    std::vector<std::string> who;
    for (int i = 0; who.size() < 10; ++i)
        if (auto v = std::to_string(i); next(p, {way::hashed, v, {}}) == "new")
            who.push_back(std::move(v));
    for (bool const ready : {false, true}) {
        ++set.generation;
        set.endpoints[1].ready = ready;
        REQUIRE(p.apply(set));
        for (auto const& v : who)
            CHECK(next(p, {way::hashed, v, {}}) == (ready ? "new" : "old"));
    }
}

TEST_CASE("traffic: a mirror gets its share of what the others serve, exactly")
{
    pool p;
    traffic::endpoint_set set{
        1, {up("old", "v1"), up("new", "v2"), up("third", "v3")}, {{"v1", 50}, {"v2", 50}}};
    set.rules.mirror = {.version = "v2", .percent = 20};
    REQUIRE(p.apply(set));
    int copied = 0;
    for (int i = 0; i < 200; ++i) {
        auto const t = p.acquire();
        REQUIRE(t);
        if (p.deal_copy(*t)) {
            ++copied;
            CHECK(p.at(t->slot).id == "old");
        }
        p.release(*t);
    }
    CHECK(copied == 20);
    set.generation = 2;
    set.rules.mirror.percent = 101;
    auto const refused = p.apply(set);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().path == "rules.mirror.percent");
    CHECK(p.generation() == 1);
}

TEST_CASE("traffic: an ejected endpoint gets nothing until its time is over, and is not drained by that")
{
    pool p;
    traffic::endpoint_set set{1, {up("a", "v1"), up("b", "v1"), up("c", "v2")}, {{"v1", 1}, {"v2", 1}}};
    set.rules.ejection = traffic::outlier_policy{.consecutive_failures = 2, .base = std::chrono::seconds(10)};
    REQUIRE(p.apply(set));
    auto const fail = [&](std::string const& id, time_point now) {
        for (;;) {
            auto const t = p.acquire();
            REQUIRE(t);
            bool const hit = p.at(t->slot).id == id;
            bool const ejected = hit && p.observe(*t, outcome::failure, now);
            p.release(*t);
            if (hit)
                return ejected;
        }
    };
    CHECK(p.wake_at() == never);
    CHECK_FALSE(fail("a", start));
    CHECK(fail("a", start));
    CHECK(p.wake_at() == start + std::chrono::seconds(10));
    CHECK_FALSE(p.drained("a"));
    CHECK_FALSE(p.leaving(0));
    CHECK_FALSE(p.takes_new(0));
    std::map<std::string, int> seen;
    for (int i = 0; i < 100; ++i)
        ++seen[next(p)];
    CHECK(seen == std::map<std::string, int>{{"b", 50}, {"c", 50}});  // the split is as it was
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(fail("b", start));  // the last of their versions
        CHECK_FALSE(fail("c", start));
    }
    CHECK(p.loads()[0].ejected_until == start + std::chrono::seconds(10));

    SUBCASE("time brings it back")
    {
        p.advance(start + std::chrono::seconds(10) - duration(1));
        CHECK_FALSE(p.takes_new(0));
        p.advance(start + std::chrono::seconds(10));
        CHECK(p.takes_new(0));
        CHECK(p.wake_at() == never);
        seen.clear();
        for (int i = 0; i < 100; ++i)
            ++seen[next(p)];
        CHECK(seen == std::map<std::string, int>{{"a", 25}, {"b", 25}, {"c", 50}});
    }
    SUBCASE("a new set keeps it out")
    {
        ++set.generation;
        set.endpoints.push_back(up("d", "v1"));
        REQUIRE(p.apply(set));
        CHECK_FALSE(p.takes_new(0));
        CHECK(p.wake_at() == start + std::chrono::seconds(10));
    }
    SUBCASE("it is back when it is the last")
    {
        ++set.generation;
        set.endpoints[1].ready = false;
        REQUIRE(p.apply(set));
        CHECK(p.takes_new(0));
        CHECK(p.wake_at() == never);
    }
    SUBCASE("it is back when nobody wants ejections any more")
    {
        ++set.generation;
        set.rules.ejection.reset();
        REQUIRE(p.apply(set));
        CHECK(p.takes_new(0));
        CHECK(p.wake_at() == never);
    }
    SUBCASE("it can leave, and is drained then")
    {
        ++set.generation;
        set.endpoints[0].draining = true;
        REQUIRE(p.apply(set));
        CHECK(p.drained("a"));
        CHECK(p.wake_at() == never);
    }
}

TEST_SUITE("property")
{
    TEST_CASE("traffic: ejections empty no version, keep the split, and end")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            pool p;
            traffic::endpoint_set set{0, {}, {{"v1", 3}, {"v2", 1}}};
            auto now = start;
            int dealt = 0, to_canary = 0;
            for (int i = 0; i < 400; ++i) {
                now += std::chrono::milliseconds(random() % 400);
                if (i % 50 == 0) {
                    ++set.generation;
                    set.endpoints = {up("a", "v1"), up("b", "v2")};
                    for (auto const* id : {"c", "d", "e", "f", "g"})
                        if (random() % 2)
                            set.endpoints.push_back(up(id, random() % 2 ? "v1" : "v2"));
                    set.rules.ejection.reset();
                    if (random() % 4)
                        set.rules.ejection = traffic::outlier_policy{
                            .consecutive_failures = static_cast<std::uint32_t>(1 + random() % 3),
                            .base = std::chrono::seconds(1 + random() % 5),
                            .max_ejected_percent = static_cast<std::uint32_t>(random() % 101)};
                    REQUIRE(p.apply(set));
                }
                auto const t = p.acquire();
                REQUIRE(t);
                ++dealt;
                to_canary += p.at(t->slot).version == "v2" ? 1 : 0;
                REQUIRE(std::abs(4 * to_canary - dealt) <= 4);
                p.observe(*t, random() % 3 ? outcome::failure : outcome::success, now);
                p.release(*t);
                p.advance(now);
                auto const loads = p.loads();
                time_point first = never;
                for (auto const& l : loads) {
                    REQUIRE(p.takes_new(l.slot) == !l.ejected_until);
                    if (l.ejected_until) {
                        REQUIRE(*l.ejected_until > now);
                        first = std::min(first, *l.ejected_until);
                    }
                }
                REQUIRE(p.wake_at() <= first);  // it may be too early, never too late
                if (first == never)
                    REQUIRE((p.wake_at() == never || p.wake_at() > now));
            }
            p.advance(now + std::chrono::hours(1));
            for (auto const& l : p.loads())
                REQUIRE_FALSE(l.ejected_until);
        }
    }
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
