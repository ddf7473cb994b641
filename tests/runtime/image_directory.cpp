#include "room.hpp"

#include <podium/runtime/image_directory.hpp>

#include <doctest/doctest.h>
#include <string>

using namespace podium;
using namespace podium::runtime;

TEST_CASE("runtime: an image's name leads to its entry and never out of the directory")
{
    tests::temporary_directory const images;
    images.write("shop/web/1.2/web", "#!/bin/sh\n", 0755);
    images.write("web/latest/web", "#!/bin/sh\n", 0755);
    images.write("localhost:5000/web/2/web", "#!/bin/sh\n", 0755);
    for (auto const* good : {"shop/web:1.2", "web", "web:latest", "localhost:5000/web:2"}) {
        CAPTURE(good);
        auto const entry = open_image(images.path, good);
        REQUIRE(entry);
        CHECK(entry->entrypoint == std::vector<std::string>{"./web"});
    }
    for (auto const* absent : {"shop/web", "shop/web:1.3", "shop:1.2", "shop/web/1.2:web"}) {
        CAPTURE(absent);
        CHECK(open_image(images.path, absent).error().code == errc::not_found);
    }
    for (auto const* bad : {"", ":", "/", "a/", "/a", "a//b", "a:", "../a", "a/../b", "a:..", ".", "a b",
             "a@sha256:00", "a\n"}) {
        CAPTURE(bad);
        auto const entry = open_image(images.path, bad);
        REQUIRE(!entry);
        CHECK(entry.error().code == errc::invalid);
        CHECK(entry.error().path == "image");
    }
    CHECK(open_image(images.path, std::string(5000, 'a')).error().code == errc::invalid);
}

TEST_CASE("runtime: an image's configuration is read whole or refused")
{
    tests::temporary_directory const images;
    images.write("web/1/config.json",
        R"({"config": {"Entrypoint": ["a"], "Cmd": ["b", "c"], "Env": ["X=1=2", "Y="], "WorkingDir": "d", "User": "0"}, "os": "linux"})");
    auto const entry = open_image(images.path, "web:1").value();
    CHECK(entry.entrypoint == std::vector<std::string>{"a"});
    CHECK(entry.cmd == std::vector<std::string>{"b", "c"});
    CHECK(entry.env == std::vector<env_var>{{"X", "1=2"}, {"Y", ""}});
    CHECK(entry.working_dir == "d");
    std::string deep = R"({"config": {"Labels": )";
    deep += std::string(200'000, '[') + std::string(200'000, ']') + "}}";
    struct {
        char const* name;
        std::string text;
        bool good;
    } const rows[] = {
        {"empty members", R"({"config": {"Entrypoint": null}})", true},
        {"deep nesting beside what is read", deep, true},
        {"empty", "", false},
        {"not JSON", "config", false},
        {"cut off", R"({"config": {)", false},
        {"no object", "[]", false},
        {"no config", "{}", false},
        {"config is a list", R"({"config": []})", false},
        {"entrypoint is a string", R"({"config": {"Entrypoint": "web"}})", false},
        {"a number in a command", R"({"config": {"Cmd": [1]}})", false},
        {"a variable without a value", R"({"config": {"Env": ["X"]}})", false},
        {"a variable without a name", R"({"config": {"Env": ["=x"]}})", false},
        {"a directory that is a number", R"({"config": {"WorkingDir": 1}})", false},
        {"too large", std::string(2 * 1024 * 1024, ' '), false},
    };
    for (auto const& row : rows) {
        CAPTURE(row.name);
        images.write("web/2/config.json", row.text);
        auto const got = open_image(images.path, "web:2");
        CHECK(got.has_value() == row.good);
        if (!got)
            CHECK(got.error().path == "image");
    }
}
