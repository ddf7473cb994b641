#include "harness.hpp"

#include <podium/net/api_client.hpp>
#include <podium/net/api_server.hpp>

#include <cstdio>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace {

using namespace podium_net_tests;

/// A folder that goes with the test.
struct folder {
    std::string path;
    folder()
    {
        char name[] = "/tmp/podium-test-XXXXXX";
        REQUIRE(::mkdtemp(name));
        path = name;
    }
    ~folder()
    {
        for (auto const* const one : {"/a/podium.sock", "/a", ""})
            (void)std::remove((path + one).c_str());
    }
    [[nodiscard]] net::address socket() const { return net::address::unix_socket(path + "/a/podium.sock"); }
};

asio::awaitable<net::api_answer> echo(api::request r)
{
    co_return api::response{r.method == api::method::put ? 200 : 404, r.target + '|' + r.body};
}

int mode_of(std::string const& path)
{
    struct stat s{};
    REQUIRE(::stat(path.c_str(), &s) == 0);
    return static_cast<int>(s.st_mode & 0777);
}

}  // namespace

TEST_CASE("api server: a request arrives as it was sent, and so does its answer")
{
    folder where;
    asio::io_context io;
    net::api_server server(io.get_executor(), echo);
    REQUIRE(server.listen(where.socket()));
    net::api_client client(where.socket());
    api::request put{.method = api::method::put, .target = "/api/v1/pods?a=b", .body = R"({"x":1})"};
    auto const answer = run(io, client.call(put));
    REQUIRE(answer);
    CHECK(answer->code == 200);
    CHECK(answer->body == R"(/api/v1/pods?a=b|{"x":1})");
    api::request get{.target = "/x"};
    CHECK(run(io, client.call(get)).value().code == 404);
    run(io, server.stop(1s));
}

TEST_CASE("api server: only its owner may open the socket")
{
    folder where;
    asio::io_context io;
    net::api_server server(io.get_executor(), echo);
    REQUIRE(server.listen(where.socket()));
    CHECK(mode_of(where.socket().path) == 0600);
    CHECK(mode_of(where.path + "/a") == 0700);
}

TEST_CASE("api server: a folder in which others could put a socket of theirs is refused")
{
    folder where;
    REQUIRE(::mkdir((where.path + "/a").c_str(), 0700) == 0);
    REQUIRE(::chmod((where.path + "/a").c_str(), 0777) == 0);
    asio::io_context io;
    net::api_server server(io.get_executor(), echo);
    auto const refused = server.listen(where.socket());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::forbidden);
}

TEST_CASE("api server: a socket left by the dead is replaced, one in use is not")
{
    folder where;
    REQUIRE(::mkdir((where.path + "/a").c_str(), 0700) == 0);
    {
        int const left = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        where.socket().path.copy(at.sun_path, sizeof at.sun_path - 1);
        REQUIRE(::bind(left, reinterpret_cast<sockaddr const*>(&at), sizeof at) == 0);
        ::close(left);
    }
    asio::io_context io;
    net::api_server first(io.get_executor(), echo);
    REQUIRE(first.listen(where.socket()));
    net::api_server second(io.get_executor(), echo);
    auto const refused = second.listen(where.socket());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::unavailable);
    net::api_client client(where.socket());
    api::request get{.target = "/x"};
    CHECK(run(io, client.call(get)));
    run(io, first.stop(1s));
    CHECK(::access(where.socket().path.c_str(), F_OK) != 0);
}

TEST_CASE("api server: a watch comes line by line, and ends with its feed")
{
    folder where;
    asio::io_context io;
    auto const feed = std::make_shared<net::api_feed>(io.get_executor());
    net::api_server server(
        io.get_executor(), [&](api::request) -> asio::awaitable<net::api_answer> { co_return feed; });
    REQUIRE(server.listen(where.socket()));
    net::api_client client(where.socket());
    std::vector<std::string> lines;
    feed->push("one\ntw");
    auto const seen = [&](std::string const& line) {
        lines.push_back(line);
        if (line == "one")
            asio::post(io, [&] {
                feed->push("o\n");
                feed->end();
            });
        return true;
    };
    CHECK(run(io, client.watch("/w?watch=1", seen)));
    CHECK(lines == std::vector<std::string>{"one", "two"});
    CHECK_FALSE(feed->push("late\n"));
}

TEST_CASE("api server: a client that hangs up ends its feed")
{
    folder where;
    asio::io_context io;
    auto const feed = std::make_shared<net::api_feed>(io.get_executor());
    net::api_server server(
        io.get_executor(), [&](api::request) -> asio::awaitable<net::api_answer> { co_return feed; });
    REQUIRE(server.listen(where.socket()));
    net::api_client client(where.socket());
    feed->push("one\n");
    CHECK(run(io, client.watch("/w?watch=1", [](std::string const&) { return false; })));
    for (int i = 0; i < 1000 && feed->push("."); ++i)
        run(io, pause_for(10ms));
    CHECK_FALSE(feed->push("."));
}

TEST_CASE("api server: who reads too slowly is cut off, and what is refused is told")
{
    asio::io_context io;
    net::api_feed feed(io.get_executor(), 10);
    CHECK(feed.push("12345"));
    CHECK_FALSE(feed.push("678901"));
    CHECK(run(io, feed.next()) == "12345");
    CHECK(run(io, feed.next()).empty());

    folder where;
    net::api_server server(io.get_executor(), [](api::request) -> asio::awaitable<net::api_answer> {
        co_return api::failure({errc::compacted, "too old", {}, {}});
    });
    REQUIRE(server.listen(where.socket()));
    net::api_client client(where.socket());
    auto const refused = run(io, client.watch("/w?watch=1", [](std::string const&) { return true; }));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::compacted);
}
