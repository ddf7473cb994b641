#include "room.hpp"

#include <podium/runtime/image_directory.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

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

TEST_CASE("runtime: a mount's path leads to its source wherever it stands as a path")
{
    std::vector<mount> const mounts{{"/v/a", "/data"}, {"/v/b", "/data/sub"}, {"/v/c", "/var/lib/x"}};
    struct {
        char const* text;
        char const* expected;
    } const rows[] = {
        {"", ""},
        {"data", "data"},
        {"/", "/"},
        {"/data", "/v/a"},
        {"/data/", "/v/a/"},
        {"/data/orders", "/v/a/orders"},
        {"/data/sub", "/v/b"},
        {"/data/sub/x", "/v/b/x"},
        {"/data/submarine", "/v/a/submarine"},
        {"/database", "/database"},
        {"/data.bak", "/data.bak"},
        {"/old/data", "/old/data"},
        {"./data", "./data"},
        {"$HOME/data", "$HOME/data"},
        {"${HOME}/data", "${HOME}/data"},
        {"http://host/data", "http://host/data"},
        {"--dir=/data", "--dir=/v/a"},
        {"-I/data", "-I/data"},
        {"/bin:/data/bin:/data", "/bin:/v/a/bin:/v/a"},
        {"cat '/data/a' \"/data/b\" >/data/c; ls (/data)", "cat '/v/a/a' \"/v/a/b\" >/v/a/c; ls (/v/a)"},
        {"{\"dir\":\"/var/lib/x\"}", "{\"dir\":\"/v/c\"}"},
        {"${DIR:-/data}", "${DIR:-/data}"},
        {"/data\n/data", "/v/a\n/v/a"},
        {"\xc3\xa9/data", "\xc3\xa9/data"},
    };
    for (auto const& row : rows) {
        CAPTURE(row.text);
        CHECK(redirected(row.text, mounts) == row.expected);
        CHECK(redirected(row.text, {}) == row.text);
    }
    std::string const hostile(1'000'000, '/');
    CHECK(redirected(hostile, mounts) == hostile);
}

TEST_CASE("runtime: command, variables and directory of a container lead to what is mounted")
{
    tests::temporary_directory const images;
    images.write("db/1/config.json",
        R"({"config": {"Entrypoint": ["./db"], "Cmd": ["--dir", "/data"], "Env": ["DATA=/data/db"], "WorkingDir": "/data"}})");
    images.write("db/1/db", "#!/bin/sh\n", 0755);
    images.write("disk/run", "#!/bin/sh\n", 0755);
    auto const image = open_image(images.path, "db:1").value();
    auto const disk = images.path + "/disk";
    container_config config{.env = {{"MORE", "x:/data"}}, .mounts = {{disk, "/data"}}};
    auto const what = resolve(image, config).value();
    CHECK(what.argv == std::vector<std::string>{"./db", "--dir", disk});
    CHECK(what.working_dir == disk);
    CHECK(std::ranges::find(what.env, "DATA=" + disk + "/db") != what.env.end());
    CHECK(std::ranges::find(what.env, "MORE=x:" + disk) != what.env.end());
    auto const exec = resolve(image, config, {"/data/run", "/data"}).value();
    CHECK(exec.path == disk + "/run");
    CHECK(exec.argv == std::vector<std::string>{disk + "/run", disk});
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
