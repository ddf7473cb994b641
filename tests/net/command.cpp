#include "harness.hpp"

#include <podium/net/command.hpp>

#include <csignal>

namespace {

using namespace podium_net_tests;

net::command shell(std::string script)
{
    return {.argv = {"sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

}  // namespace

TEST_CASE("net: at the deadline the whole group is killed")
{
    asio::io_context io;
    // The grandchild would write into the pipe for as long as it lives; its pid comes out first.
    int leader_pipe[2];
    REQUIRE(::pipe(leader_pipe) == 0);
    net::detail::owned_fd const reads(leader_pipe[0]);
    net::detail::owned_fd writes(leader_pipe[1]);
    auto const path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(leader_pipe[1]);
    auto const ended = run(io,
        net::run_command(
            shell("exec 3>" + path + "; (trap '' TERM; sleep 1000) & sleep 1000"), {.deadline = 300ms}));
    REQUIRE_FALSE(ended);
    CHECK(ended.error().code == errc::deadline);
    // Each of the group held the pipe open; its end comes when all of them are gone.
    writes = net::detail::owned_fd();
    asio::posix::stream_descriptor pipe(io, ::dup(reads.get()));
    run(io, [&]() -> asio::awaitable<void> {
        char byte;
        auto [ec, n] = co_await pipe.async_read_some(asio::buffer(&byte, 1), net::as_result);
        CHECK(ec == asio::error::eof);
    }());
}

TEST_CASE("net: a flood of output is cut and does not block the command")
{
    asio::io_context io;
    auto const ended = run(io,
        net::run_command(shell("head -c 5000000 /dev/zero | tr '\\0' x; exit 4"),
            {.deadline = 50s, .output_limit_bytes = 1000}));
    REQUIRE(ended);
    CHECK(ended->output == std::string(1000, 'x'));
    CHECK(ended->truncated);
    CHECK(ended->exit_code == 4);
    auto const endless = run(io, net::run_command(shell("yes"), {.deadline = 100ms}));
    REQUIRE_FALSE(endless);
    CHECK(endless.error().code == errc::deadline);
}

TEST_CASE("net: a cancelled command is killed")
{
    asio::io_context io;
    run(io, [&]() -> asio::awaitable<void> {
        using namespace asio::experimental::awaitable_operators;
        auto const won =
            co_await (net::run_command(shell("sleep 1000"), {.deadline = 1000s}) || pause_for(50ms));
        CHECK(won.index() == 1);
    }());
}

TEST_CASE("net: hundreds of commands leave neither descriptors nor zombies")
{
    asio::io_context io;
    auto const first = ::dup(0);
    run(io, [&]() -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i) {
            auto const ended = co_await net::run_command(shell("exit 0"), {.deadline = 50s});
            REQUIRE(ended);
            REQUIRE(*ended == net::command_end{});
        }
    }());
    auto const last = ::dup(0);
    CHECK(last == first + 1);
    ::close(first);
    ::close(last);
    CHECK(::waitpid(-1, nullptr, WNOHANG) < 0);  // no child is left at all
}
