#include <podium/image/platform.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

namespace image = podium::image;
using image::platform;

namespace {

platform of(std::string_view text)
{
    return platform::parse(text).value();
}

/// A build of a game, which is not an image.
struct build {
    std::string file{};
    platform runs_on{};
};
struct unplaced {
    std::string file{};
};
static_assert(image::PlatformOf<platform build::*, build>);
static_assert(!image::PlatformOf<std::string unplaced::*, unplaced>);

}  // namespace

TEST_CASE("image::platform: aliases become one spelling")
{
    CHECK(to_string(of("linux/x86_64")) == "linux/amd64");
    CHECK(to_string(of("Linux/aarch64")) == "linux/arm64");
    CHECK(to_string(of("linux/arm64/v8")) == "linux/arm64");
    CHECK(to_string(of("linux/arm")) == "linux/arm/v7");
    CHECK(to_string(of("linux/armhf")) == "linux/arm/v7");
    for (auto const* wrong : {"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/a b"}) {
        CAPTURE(wrong);
        CHECK(!platform::parse(wrong));
    }
    CHECK(!platform::parse(std::string(10'000'000, 'a')));
}

TEST_CASE("image::platform: the nearest build that runs is chosen, or it is said why none is")
{
    std::vector<build> const builds{{"a", of("linux/arm/v6")}, {"b", of("linux/amd64")},
        {"c", of("linux/arm/v7")}, {"d", of("windows/amd64")}, {"e", of("linux/amd64")}};
    auto const chosen = [&](std::string_view machine) {
        auto const i = image::choose(of(machine), builds, &build::runs_on);
        return i ? builds[*i].file : i.error().message;
    };
    CHECK(chosen("linux/amd64") == "b");
    CHECK(chosen("linux/amd64/v3") == "b");
    CHECK(chosen("linux/arm/v7") == "c");
    CHECK(chosen("linux/arm/v6") == "a");
    CHECK(chosen("linux/arm64") == "c");
    auto const none = image::choose(of("linux/riscv64"), builds, &build::runs_on);
    REQUIRE(!none);
    CHECK(none.error().code == podium::errc::not_found);
    CHECK(none.error().message.find("linux/riscv64") != std::string::npos);
    CHECK(!image::choose(of("linux/amd64"), std::vector<platform>{}));
}

TEST_SUITE("property")
{
    TEST_CASE("image::platform: normalizing twice is normalizing once; its own platform is nearest")
    {
        std::vector<std::string> const os{"linux", "macOS", "windows"},
            variant{"", "v5", "6", "v7", "8", "v9.2", "v1"},
            architecture{"amd64", "x86-64", "i386", "arm", "armel", "aarch64", "s390x"};
        for (std::uint64_t seed = 0; seed < 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const any = [&] {
                return image::normalize({os[random() % os.size()],
                    architecture[random() % architecture.size()], variant[random() % variant.size()]});
            };
            auto const a = any(), b = any();
            CHECK(image::normalize(a) == a);
            CHECK(image::distance(a, a) == 0u);
            auto const d = image::distance(a, b);
            CHECK((d == 0u) == (a == b));
        }
    }
}
