#pragma once
// A command whose output is read as it comes, and that is asked to end before it is killed.
//
// net::run_command is for checks: it keeps the output until the end, and kills at once. A build or a test
// should be seen at work, and be let to put away what it has open.
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

struct child_command {
    std::vector<std::string> argv{};         // argv[0] without a slash is looked up in our PATH
    std::vector<std::string> environment{};  // "NAME=value"; nothing is inherited
    std::string directory = ".";
    podium::duration grace = std::chrono::seconds(5);  // from SIGTERM to SIGKILL
};

// Ends a child: SIGTERM to its process group, and SIGKILL after the grace; asked again, SIGKILL at once.
using child_stop = std::function<void()>;

// Kills the group and takes its leader's status, so that neither processes nor a zombie stay.
class child_group {
public:
    explicit child_group(::pid_t leader) : leader_(leader) {}
    child_group(child_group const&) = delete;
    child_group& operator=(child_group const&) = delete;
    ~child_group() { end(); }

    // Until `end` has returned the leader is at most a zombie, so no other group can have its number.
    void send(int signal) const noexcept
    {
        if (leader_ > 0)
            ::kill(-leader_, signal);
    }
    // The wait status, -1 where somebody else has taken it.
    int end() noexcept
    {
        int status = -1;
        send(SIGKILL);
        while (leader_ > 0 && ::waitpid(leader_, &status, 0) < 0)
            if (errno != EINTR) {
                status = -1;
                break;
            }
        leader_ = -1;
        return status;
    }

private:
    ::pid_t leader_;
};

// Runs a command to its end: its exit code, or 128 and the signal that killed it. What it left behind in its
// group is killed. `stop` may be called until this returns, and does nothing afterwards. Errors: `invalid`
// (nothing to run), `not_found` (cannot be executed), `exhausted` (no process or descriptor left).
inline boost::asio::awaitable<podium::result<int>> run_child(
    child_command c, std::function<void(std::string_view)> printed, child_stop& stop)
{
    namespace asio = boost::asio;
    using podium::errc;
    using podium::error;
    if (c.argv.empty() || c.argv.front().empty())
        co_return error{errc::invalid, "must name a command", "command", {}};
    std::vector<char*> argv, environment;
    for (auto& a : c.argv)
        argv.push_back(a.data());
    argv.push_back(nullptr);
    for (auto& e : c.environment)
        environment.push_back(e.data());
    environment.push_back(nullptr);

    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0)
        co_return error{errc::exhausted, std::string("cannot make a pipe: ") + std::strerror(errno), {}, {}};
    auto const executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor output(executor, pipe[0]);

    ::posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, pipe[1], 1);
    ::posix_spawn_file_actions_adddup2(&files, pipe[1], 2);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);
    ::posix_spawn_file_actions_addchdir_np(&files, c.directory.c_str());
    ::posix_spawnattr_t how;
    ::posix_spawnattr_init(&how);
    ::sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigdefault(&how, &all);
    ::posix_spawnattr_setsigmask(&how, &none);
    ::posix_spawnattr_setpgroup(&how, 0);
    ::posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    ::pid_t pid = -1;
    int const failed = ::posix_spawnp(&pid, argv[0], &files, &how, argv.data(), environment.data());
    ::posix_spawnattr_destroy(&how);
    ::posix_spawn_file_actions_destroy(&files);
    ::close(pipe[1]);
    if (failed != 0)
        co_return error{failed == EAGAIN || failed == ENOMEM ? errc::exhausted : errc::not_found,
            "cannot execute " + c.argv.front() + ": " + std::strerror(failed), "command", {}};
    auto const group = std::make_shared<child_group>(pid);
    int const pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (pidfd < 0)
        co_return error{
            errc::exhausted, std::string("cannot watch a process: ") + std::strerror(errno), {}, {}};
    asio::posix::stream_descriptor ended(executor, pidfd);
    output.non_blocking(true);

    auto const killer = std::make_shared<asio::steady_timer>(executor);
    stop = [weak = std::weak_ptr(group), killer, grace = c.grace, asked = false]() mutable {
        auto const g = weak.lock();
        if (!g)
            return;
        g->send(std::exchange(asked, true) ? SIGKILL : SIGTERM);
        killer->expires_after(grace);
        killer->async_wait([weak](boost::system::error_code ec) {
            if (auto const still = weak.lock(); still && !ec)
                still->send(SIGKILL);
        });
    };

    // Output is read while the end is waited for, so that a full pipe never blocks the command. A grandchild
    // may hold the pipe open for ever: it is the end of the command that counts.
    bool over = false;
    auto const watch = [&]() -> asio::awaitable<void> {
        co_await ended.async_wait(
            asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
        over = true;
        boost::system::error_code ignored;
        output.cancel(ignored);
    };
    auto const read = [&]() -> asio::awaitable<void> {
        std::array<char, 4096> bytes;
        while (!over) {
            auto const [ec, n] =
                co_await output.async_read_some(asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
            printed(std::string_view(bytes.data(), n));
            if (ec)
                break;
        }
    };
    using namespace asio::experimental::awaitable_operators;
    co_await (watch() && read());
    killer->cancel();
    auto const status = group->end();
    // What it printed last: as much as a pipe holds, for one that left the group may go on for ever.
    std::array<char, 64 * 1024> last;
    if (auto const n = ::read(output.native_handle(), last.data(), last.size()); n > 0)
        printed(std::string_view(last.data(), static_cast<std::size_t>(n)));
    if (status < 0)
        co_return error{errc::internal, "somebody else took the status of " + c.argv.front(), {}, {}};
    co_return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
