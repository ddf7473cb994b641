#include "../runtime/room.hpp"

#include <podium/cluster/volumes.hpp>

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <sys/stat.h>

using namespace podium;
using cluster::volumes;
namespace fs = std::filesystem;

TEST_CASE("cluster: a claim's files are found again under its name, by whoever comes later")
{
    tests::temporary_directory const at;
    {
        volumes v(at.path + "/not/there/yet");
        CHECK_FALSE(fs::exists(at.path + "/not"));  // nothing was mounted
        auto const first = v.claim("default", "data-db-0");
        REQUIRE(first);
        CHECK(*first == fs::canonical(at.path).string() + "/not/there/yet/claims/default/data-db-0");
        struct stat s{};
        REQUIRE(::stat(first->c_str(), &s) == 0);
        CHECK((s.st_mode & 0777) == 0700);
        std::ofstream(*first + "/orders") << "a1 tea\n";
        CHECK(v.claim("default", "data-db-1").value() != *first);
        CHECK(v.claim("other", "data-db-0").value() != *first);
        CHECK(v.claim("default", "data-db-0").value() == *first);
    }
    volumes later(at.path + "/not/there/yet");
    CHECK(fs::exists(later.claim("default", "data-db-0").value() + "/orders"));
}

TEST_CASE("cluster: what a pod has of its own goes with it, and what a killed podium left goes too")
{
    tests::temporary_directory const at;
    fs::create_directories(at.path + "/pods/left_over/v");
    volumes v(at.path);
    auto const one = v.scratch("Pod/default/web-1/7", "cache");
    auto const two = v.scratch("Pod/default/web-2/7", "cache");
    REQUIRE(one);
    REQUIRE(two);
    CHECK_FALSE(fs::exists(at.path + "/pods/left_over"));
    CHECK(*one != *two);
    v.forget("Pod/default/web-1/7");
    v.forget("Pod/default/web-1/7");
    v.forget("never was");
    CHECK_FALSE(fs::exists(*one));
    CHECK(fs::exists(*two));
}

TEST_CASE("cluster: two podiums never have the same volumes at a time")
{
    tests::temporary_directory const at;
    std::optional<volumes> first(std::in_place, at.path);
    volumes second(at.path);
    REQUIRE(first->claim("default", "a"));
    CHECK(second.claim("default", "a").error().code == errc::conflict);
    CHECK(second.scratch("p", "v").error().code == errc::conflict);
    first.reset();
    CHECK(second.claim("default", "a"));
}

TEST_CASE("cluster: volumes without a directory are gone at the end")
{
    std::string where;
    {
        volumes v("");
        where = v.claim("default", "a").value();
        CHECK(fs::exists(where));
    }
    CHECK_FALSE(fs::exists(where));
}

TEST_CASE("cluster: no name leads out of the volumes")
{
    tests::temporary_directory const at;
    volumes v(at.path);
    for (auto const* bad : {"", ".", "..", "a/b", "/etc"}) {
        CAPTURE(bad);
        CHECK(v.claim("default", bad).error().code == errc::invalid);
        CHECK(v.claim(bad, "a").error().code == errc::invalid);
        CHECK(v.scratch("p", bad).error().code == errc::invalid);
    }
    CHECK(v.scratch("../..", "v").value() == fs::canonical(at.path).string() + "/pods/_.._../v");
    auto const claim = v.claim("default", "a").value();
    CHECK(volumes::folder(claim, "").value() == claim);
    CHECK(volumes::folder(claim, "x/./y//").value() == claim + "/x/y");
    CHECK(fs::is_directory(claim + "/x/y"));
    CHECK(volumes::folder(claim, "x/../../b").error().path == "subPath");
    std::ofstream(claim + "/file") << "x";
    CHECK(volumes::folder(claim, "file/y").error().code == errc::unavailable);

    std::ofstream(at.path + "/in-the-way") << "x";
    volumes none(at.path + "/in-the-way");
    CHECK(none.claim("default", "a").error().code == errc::unavailable);
}
