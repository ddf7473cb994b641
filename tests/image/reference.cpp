#include <podium/image/platform.hpp>
#include <podium/image/reference.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>

using podium::errc;
using podium::image::reference;

TEST_CASE("image::reference: what people leave out is filled in, and left out again")
{
    struct row {
        char const* written;
        char const* whole;
        char const* familiar;
        char const* asked_for;
    };
    for (auto const& r : {
             row{"redis", "docker.io/library/redis", "redis", "docker.io/library/redis:latest"},
             row{"redis:7", "docker.io/library/redis:7", "redis:7", "docker.io/library/redis:7"},
             row{"shop/web:1.0", "docker.io/shop/web:1.0", "shop/web:1.0", "docker.io/shop/web:1.0"},
             row{"localhost:5000/a/b", "localhost:5000/a/b", "localhost:5000/a/b",
                 "localhost:5000/a/b:latest"},
             row{"[::1]:80/x:y", "[::1]:80/x:y", "[::1]:80/x:y", "[::1]:80/x:y"},
         }) {
        CAPTURE(r.written);
        auto const read = reference::parse_normalized(r.written);
        REQUIRE(read);
        CHECK(to_string(*read) == r.whole);
        CHECK(familiar(*read) == r.familiar);
        CHECK(to_string(docker_reference(*read)) == r.asked_for);
    }
}

TEST_CASE("image::reference: a refusal says where and what was expected")
{
    struct row {
        std::string written;
        char const* says;
    };
    for (auto const& r : {
             row{"", "at 0: expected the name of an image"},
             row{"shop/Web", "at 5: expected a path in lower case"},
             row{"web:", "at 4: expected a tag after ':'"},
             row{"web:-1", "at 4: expected a tag of letters, digits, '_', '.' and '-'"},
             row{"web@md5:00", "at 4: expected sha256:, sha384: or sha512:"},
             row{"web@sha256:00", "at 11: expected 64 hexadecimal digits"},
             row{std::string("web\0", 4), "at 3: expected"},
             row{"w\xff", "at 1: expected"},
             row{std::string(10'000'000, 'a'), "expected the end of the reference"},
             row{std::string(300, 'a'), "expected a path of at most 255 characters"},
             row{std::string(64, 'a'), "taken for an image's id"},
         }) {
        CAPTURE(r.written.substr(0, 20));
        auto const read = reference::parse_normalized(r.written);
        REQUIRE(!read);
        CHECK(read.error().code == errc::invalid);
        CHECK(read.error().message.find(r.says) != std::string::npos);
        CHECK(read.error().message.size() < 200);
    }
}

TEST_CASE("image::reference: hostile text is an error that says where, whatever it is and however long")
{
    namespace image = podium::image;
    using image::reference;
    std::string const ten_mb(10'000'000, 'a');
    for (auto const& text :
        {ten_mb, std::string(10'000'000, '/'), std::string(10'000'000, ':'), "a:" + ten_mb,
            "a@sha256:" + ten_mb, ten_mb + "/a", std::string("a\0b", 3), std::string("\xff\xfe"),
            std::string("a/\xc3\x28"), std::string("[[[[[[::1]/a"), std::string(1, '\0')}) {
        CHECK(reference::parse(text).error().code == errc::invalid);
        CHECK(reference::parse_normalized(text).error().code == errc::invalid);
        CHECK_FALSE(image::digest::parse(text));
        CHECK_FALSE(image::platform::parse(text));
    }
    auto const told = reference::parse(std::string("a\0b", 3)).error().text();
    CHECK(told.find('\0') == std::string::npos);
}

TEST_SUITE("property")
{
    TEST_CASE("image::reference: what parses prints, and parses again to the same")
    {
        constexpr std::string_view
            alphabet = "ab0.-_/:@[]AZ\xff",
            digest = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        std::size_t valid = 0;
        for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::string text;
            for (auto n = random() % 12; n > 0; --n)
                text += alphabet[random() % alphabet.size()];
            if (random() % 4 == 0)
                text += digest;
            for (auto const& read : {reference::parse(text), reference::parse_normalized(text)}) {
                if (!read)
                    continue;
                ++valid;
                auto const again = reference::parse(to_string(*read));
                REQUIRE(again);
                CHECK(to_string(*again) == to_string(*read));
            }
            if (auto const whole = reference::parse_normalized(text)) {
                auto const from_short = reference::parse_normalized(familiar(*whole));
                REQUIRE(from_short);
                CHECK(*from_short == *whole);
            }
        }
        CHECK(valid > 1000);
    }
}
