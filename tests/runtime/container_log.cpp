#include "room.hpp"

#include <podium/runtime/container_log.hpp>

#include <doctest/doctest.h>
#include <fstream>
#include <random>
#include <sstream>
#include <string>

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

std::string joined(container_log const& log, log_query query = {})
{
    std::string text;
    for (auto const& line : log.read(query))
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
    CHECK(log.read({}) ==
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
    CHECK(nowhere.read({}).empty());
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
            for (auto const& line : log.read({}))
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
