#include <podium/core/hash.hpp>

#include <doctest/doctest.h>
#include <string>

using namespace podium;

TEST_CASE("hash: FNV-1a has the published values, and goes on where it stopped")
{
    static_assert(fnv1a("") == 0xcbf29ce484222325u);
    static_assert(fnv1a("a") == 0xaf63dc4c8601ec8cu);
    static_assert(fnv1a("foobar") == 0x85944171f73967e8u);
    CHECK(fnv1a("bar", fnv1a("foo")) == fnv1a("foobar"));
}

TEST_CASE("hash: SipHash-2-4 has its authors' values")
{
    // vectors_sip64 of the reference implementation (github.com/veorq/SipHash): key 00..0f, texts 00, 01, ..
    constexpr hash_key key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    static_assert(siphash(key, "") == 0x726fdb47dd0e0e31u);
    std::string text;
    for (char c = 0; c < 15; ++c)
        text += c;
    CHECK(siphash(key, text.substr(0, 1)) == 0x74f839c593dc67fdu);
    CHECK(siphash(key, text.substr(0, 7)) == 0xab0200f58b01d137u);
    CHECK(siphash(key, text.substr(0, 8)) == 0x93f5f5799a932462u);
    CHECK(siphash(key, text) == 0xa129ca6149be45e5u);  // the paper's own, too
    CHECK(siphash({}, text) != siphash(key, text));
}
