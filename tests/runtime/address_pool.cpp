#include "room.hpp"

#include <podium/runtime/address_pool.hpp>

#include <doctest/doctest.h>
#include <random>
#include <set>
#include <string>

using namespace podium;
using namespace podium::runtime;

TEST_CASE("runtime: each address pool claims a /16 of its own, and gives it back")
{
    tests::temporary_directory const locks;
    auto first = address_pool::claim(locks.path);
    auto second = address_pool::claim(locks.path);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->cidr() == "127.1.0.0/16");
    CHECK(second->cidr() == "127.2.0.0/16");
    CHECK(second->pods.allocate() == "127.2.0.1");
    CHECK(second->services.allocate() == "127.2.240.1");
    first = error{};
    CHECK(address_pool::claim(locks.path)->cidr() == "127.1.0.0/16");
    {
        std::vector<address_pool> all;
        for (int i = 0; i < 253; ++i)
            all.push_back(std::move(address_pool::claim(locks.path).value()));
        CHECK(address_pool::claim(locks.path).error().code == errc::exhausted);
    }
    CHECK(address_pool::claim(locks.path)->cidr() == "127.1.0.0/16");
    CHECK(address_pool::claim(locks.path + "/none").error().code == errc::unavailable);
    CHECK(address_pool::claim());
}

TEST_CASE("runtime: fresh addresses come in order, released ones last")
{
    address_range range((127U << 24) + 253, (127U << 24) + (1 << 8) + 2);  // 127.0.0.253 to 127.0.1.2
    CHECK(range.allocate() == "127.0.0.253");
    CHECK(range.allocate() == "127.0.0.254");
    range.release("127.0.0.254");
    range.release("127.0.0.253");
    range.release("127.0.0.253");  // not in use: nothing
    range.release("127.0.1.1");    // never given out: nothing
    range.release("nonsense");
    CHECK(range.in_use() == 0);
    CHECK(range.allocate() == "127.0.1.1");  // .255 and .0 are left out
    CHECK(range.allocate() == "127.0.1.2");
    CHECK(range.allocate() == "127.0.0.254");
    CHECK(range.allocate() == "127.0.0.253");
    CHECK(range.allocate().error().code == errc::exhausted);
    CHECK(range.in_use() == 4);
}

TEST_CASE("runtime: an address asked for by name is given once")
{
    address_range range((127U << 24) + 1, (127U << 24) + 4);
    CHECK(range.claim("127.0.0.2"));
    CHECK(range.claim("127.0.0.2").error().code == errc::conflict);
    CHECK(range.allocate() == "127.0.0.1");
    CHECK(range.allocate() == "127.0.0.3");
    range.release("127.0.0.1");
    CHECK(range.claim("127.0.0.1"));
    range.release("127.0.0.2");
    CHECK(range.allocate() == "127.0.0.4");
    CHECK(range.allocate() == "127.0.0.2");
    CHECK(range.allocate().error().code == errc::exhausted);
    for (auto const* bad : {"", "127.0.0", "127.0.0.0", "127.0.0.5", "127.0.0.02", "127.0.0.1 ",
             "127.0.0.256", "127..0.1", "a.b.c.d", "127.0.0.1.1", "10.0.0.1"}) {
        CAPTURE(bad);
        CHECK(range.claim(bad).error().code == errc::invalid);
    }
}

TEST_CASE("runtime: who has a name gets its address again, as long as there are others to give")
{
    address_range range((127U << 24) + 1, (127U << 24) + 4);
    CHECK(range.allocate("default/db-0") == "127.0.0.1");
    CHECK(range.allocate() == "127.0.0.2");
    CHECK(range.allocate("default/db-0") == "127.0.0.3");  // in use: another one, and that is its from now on
    range.release("127.0.0.1");
    range.release("127.0.0.3");
    CHECK(range.allocate("default/db-1") == "127.0.0.4");
    CHECK(range.allocate("default/db-0") == "127.0.0.3");
    CHECK(range.in_use() == 3);
    range.release("127.0.0.3");
    CHECK(range.allocate() == "127.0.0.1");  // released before
    CHECK(range.allocate() == "127.0.0.3");  // the last one: its name has lost it
    CHECK(range.allocate("default/db-0").error().code == errc::exhausted);
    range.release("127.0.0.2");
    CHECK(range.allocate("default/db-0") == "127.0.0.2");
}

TEST_SUITE("property")
{
    TEST_CASE("runtime: no address is given to two at a time")
    {
        for (unsigned seed = 1; seed <= 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            address_range range((127U << 24) + 250, (127U << 24) + (1 << 8) + 20);
            std::set<std::string> used;
            for (int step = 0; step < 300; ++step) {
                auto const pick = used.empty()
                    ? std::string()
                    : *std::next(used.begin(), static_cast<long>(random() % used.size()));
                if (random() % 3 != 0) {
                    auto const a = range.allocate();
                    REQUIRE(a.has_value() == (used.size() < 5 + 20));
                    if (a)
                        REQUIRE(used.insert(*a).second);
                } else if (random() % 4 == 0) {
                    auto const name = "127.0.1." + std::to_string(random() % 24);
                    bool const inside = name != "127.0.1.0" && name.size() < 10
                        ? true
                        : std::stoi(name.substr(8)) <= 20 && name != "127.0.1.0";
                    REQUIRE(range.claim(name).has_value() == (inside && !used.contains(name)));
                    if (inside)
                        used.insert(name);
                } else if (!pick.empty()) {
                    range.release(pick);
                    used.erase(pick);
                }
                REQUIRE(range.in_use() == used.size());
            }
        }
    }
}
