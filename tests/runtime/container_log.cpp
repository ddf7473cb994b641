#include "room.hpp"

#include <podium/runtime/container_log.hpp>

#include <doctest/doctest.h>
#include <fstream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace podium;
using namespace podium::runtime;
using namespace std::chrono_literals;

namespace {

time_point at(std::int64_t nanos)
{
    return time_point(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31)) + duration(nanos);
}

std::string content(std::string const& path)
{
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

std::vector<log_line> lines(container_log const& log, log_query query = {})
{
    std::vector<log_line> out;
    auto at = log.start(query);
    while (log.read(at, out)) {
    }
    return out;
}

std::string joined(container_log const& log, log_query query = {})
{
    std::string text;
    for (auto const& line : lines(log, query))
        text += line.text + '|';
    return text;
}

}  // namespace

TEST_CASE("runtime: a log is written as Kubernetes' nodes write it")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {});
    log.append(log_stream::out, "hel", at(1));
    log.append(log_stream::err, "oops\n", at(2));
    log.append(log_stream::out, "lo\n\nrest", at(3));
    log.finish(at(86'400'000'000'004));
    CHECK(content(dir.path + "/log") ==
        "2026-01-31T00:00:00.000000002Z stderr F oops\n"
        "2026-01-31T00:00:00.000000003Z stdout F hello\n"
        "2026-01-31T00:00:00.000000003Z stdout F \n"
        "2026-02-01T00:00:00.000000004Z stdout F rest\n");
    CHECK(lines(log) ==
        std::vector<log_line>{{at(2), log_stream::err, "oops"}, {at(3), log_stream::out, "hello"},
            {at(3), log_stream::out, ""}, {at(86'400'000'000'004), log_stream::out, "rest"}});
    CHECK(joined(log, {.tail = 2}) == "|rest|");
    CHECK(joined(log, {.since = at(4)}) == "rest|");
    CHECK(joined(log, {.tail = 0}) == "");
}

TEST_CASE("runtime: a long line is kept in parts and read as one")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {});
    auto const line = std::string(40'000, 'x');
    log.append(log_stream::out, line + "\nnext\n", at(1));
    log.finish(at(2));
    CHECK(joined(log) == line + "|next|");
    CHECK(content(dir.path + "/log").find(" stdout P xxx") != std::string::npos);
}

TEST_CASE("runtime: a flood costs a fixed space, the newest lines are kept")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {.file_bytes = 1000, .files = 2});
    for (int i = 0; i < 1000; ++i)
        log.append(log_stream::out, std::to_string(i) + '\n', at(i));
    log.finish(at(1000));
    CHECK(content(dir.path + "/log").size() <= 1000);
    CHECK(content(dir.path + "/log.1").size() <= 1000);
    CHECK(content(dir.path + "/log.2").empty());
    CHECK(joined(log, {.tail = 3}) == "997|998|999|");
    log.erase();
    CHECK(std::filesystem::is_empty(dir.path));

    container_log nowhere(dir.path + "/none/log", {});
    nowhere.append(log_stream::out, "lost\n", at(1));
    CHECK(lines(nowhere).empty());
}

TEST_CASE("runtime: a tail is found in whatever file it begins, and parts of a line count as one")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {.file_bytes = 100'000, .files = 3});
    std::vector<std::string> said;
    for (int i = 0; i < 400; ++i) {
        said.push_back(
            std::string(static_cast<std::size_t>(i % 7 == 0 ? 20'000 : i % 90), 'x') + std::to_string(i));
        log.append(log_stream::out, said.back() + '\n', at(i));
    }
    auto const kept = lines(log).size();
    CHECK(kept > 10);
    CHECK(kept < 100);
    for (std::size_t tail = 0; tail < kept + 5; ++tail) {
        CAPTURE(tail);
        auto const got = lines(log, {.tail = tail});
        REQUIRE(got.size() == std::min(tail, kept));
        for (std::size_t i = 0; i < got.size(); ++i)
            REQUIRE(got[i].text == said[said.size() - got.size() + i]);
    }
}

TEST_CASE("runtime: a reader goes on where it was, and skips what was dropped before it came")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {.file_bytes = 1000, .files = 2});
    std::vector<log_line> got;
    auto here = log.start({});
    CHECK_FALSE(log.read(here, got));
    auto const say = [&](int from, int to) {
        for (int i = from; i < to; ++i)
            log.append(log_stream::out, std::to_string(i) + '\n', at(i));
    };
    say(0, 30);  // turned over once
    while (log.read(here, got)) {
    }
    CHECK(got.size() == 30);
    say(30, 1000);
    while (log.read(here, got)) {
    }
    CHECK(got.size() < 100);
    CHECK(got[30].time > at(900));
    for (std::size_t i = 31; i < got.size(); ++i)
        REQUIRE(got[i].time == got[i - 1].time + 1ns);
    CHECK(got.back().text == "999");
    log.append(log_stream::err, "no end yet", at(1000));
    CHECK_FALSE(log.read(here, got));
    log.finish(at(1001));
    CHECK(log.read(here, got));
    CHECK(got.back() == log_line{at(1001), log_stream::err, "no end yet"});
}

TEST_CASE("runtime: a line without an end is read in pieces, and files that are not ours are read over")
{
    tests::temporary_directory const dir;
    container_log log(dir.path + "/log", {});
    for (int i = 0; i < 100; ++i)
        log.append(log_stream::out, std::string(32 * 1024, 'x'), at(i));
    auto const pieces = lines(log);
    REQUIRE(pieces.size() == 3);
    CHECK(pieces[0].text.size() == 1024 * 1024);

    for (auto const* const junk :
        {"", "\n\n", "no stamp at all, but a line\n", "2026-01-31T00:00:00.000000002Z\n",
            "2026-01-31T00:00:00.000000002Z stdout\n", "2026-99-31T00:00:00.000000002Z stdout F x\n"}) {
        CAPTURE(junk);
        std::ofstream(dir.path + "/log") << junk;
        CHECK(lines(log).empty());
        CHECK(lines(log, {.tail = 3}).empty());
    }
    std::ofstream(dir.path + "/log") << std::string(200'000, '\1');
    CHECK(lines(log).empty());
    CHECK(lines(log, {.tail = 3}).empty());
}

TEST_SUITE("property")
{
    TEST_CASE("runtime: lines come back however their bytes were cut")
    {
        tests::temporary_directory const dir;
        for (unsigned seed = 1; seed <= 30; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            container_log log(dir.path + "/log", {.file_bytes = 10'000'000});
            std::string said[2], got[2];
            for (int i = 0; i < 60; ++i) {
                std::string bytes;
                for (auto n = random() % (random() % 5 == 0 ? 40'000 : 30); n > 0; --n)
                    bytes += random() % 20 == 0 ? '\n' : static_cast<char>('a' + random() % 26);
                auto const stream = random() % 2;
                said[stream] += bytes;
                log.append(stream == 0 ? log_stream::out : log_stream::err, bytes, at(i));
            }
            log.finish(at(60));
            for (auto const& line : lines(log))
                got[line.stream == log_stream::out ? 0 : 1] += line.text + '\n';
            for (int s = 0; s < 2; ++s) {
                if (!said[s].empty() && said[s].back() != '\n')
                    said[s] += '\n';
                CHECK(got[s] == said[s]);
            }
            log.erase();
        }
    }
}
