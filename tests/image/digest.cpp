#include <podium/image/digest.hpp>

#include <doctest/doctest.h>
#include <string>

using podium::image::digest;

TEST_CASE("image::digest: an algorithm that is known and as many digits as it has")
{
    for (auto const& [name, digits] : {std::pair{"sha256", 64}, {"sha384", 96}, {"sha512", 128}}) {
        CAPTURE(name);
        auto const text = std::string(name) + ':' + std::string(static_cast<std::size_t>(digits), 'a');
        auto const read = digest::parse(text);
        REQUIRE(read);
        CHECK(to_string(*read) == text);
        CHECK(!digest::parse(text + 'a'));
        CHECK(!digest::parse(text.substr(0, text.size() - 1)));
        auto upper = text;
        upper.back() = 'A';
        CHECK(!digest::parse(upper));
    }
    for (auto const* wrong : {"", ":", "sha256", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"})
        CHECK(!digest::parse(wrong));
}
