#pragma once
/// Runs a command to its end or its deadline, in a process group of its own, and returns what it printed.
///
/// The whole group is killed at the deadline, on cancellation, and when the command has ended and left
/// something behind. Between fork and exec only async-signal-safe calls are made, so a host with threads is
/// fine; the end is seen through a pidfd, so the host's SIGCHLD handling is not touched.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/net/http_wire.hpp>

#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <signal.h>
#include <string>
#include <string_view>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::inline v0::net {

struct command {
    std::vector<std::string> argv{};         ///< argv[0] without a slash is looked up in `environment`'s PATH
    std::vector<std::string> environment{};  ///< "NAME=value"; nothing is inherited
    std::string directory = "/";
};

struct command_options {
    duration deadline = std::chrono::seconds(1);
    std::size_t output_limit_bytes =
        64 * 1024;  ///< what is printed beyond is dropped, and the command goes on
};

/// How it ended. `signal` is 0 unless a signal killed it.
struct command_end {
    int exit_code = 0;
    int signal = 0;
    std::string output{};  ///< stdout and stderr as they came
    bool truncated = false;

    friend bool operator==(command_end const&, command_end const&) = default;
};

namespace detail {

/// A descriptor that closes itself.
class owned_fd {
public:
    owned_fd() = default;
    explicit owned_fd(int fd) : fd_(fd) {}
    owned_fd(owned_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    owned_fd& operator=(owned_fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~owned_fd()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

private:
    int fd_ = -1;
};

/// Kills the group and takes its leader's status, so that neither processes nor a zombie stay.
class owned_group {
public:
    explicit owned_group(::pid_t leader) : leader_(leader) {}
    owned_group(owned_group const&) = delete;
    owned_group& operator=(owned_group const&) = delete;
    ~owned_group()
    {
        if (leader_ > 0)
            end();
    }
    /// The wait status, or -1 where the host has taken it. Short: after SIGKILL.
    int end() noexcept
    {
        ::kill(-leader_, SIGKILL);
        int status = -1;
        while (::waitpid(leader_, &status, 0) < 0)
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

/// The path to execute: argv[0] itself, or the first executable of that name in PATH.
[[nodiscard]] inline std::string executable(command const& c)
{
    auto const& name = c.argv.front();
    if (name.find('/') != name.npos)
        return name;
    std::string_view path = "/usr/local/bin:/usr/bin:/bin";
    for (auto const& e : c.environment)
        if (e.starts_with("PATH="))
            path = std::string_view(e).substr(5);
    while (true) {
        auto const end = path.find(':');
        auto const full = std::string(path.substr(0, end)) + '/' + name;
        if (::access(full.c_str(), X_OK) == 0)
            return full;
        if (end == path.npos)
            return {};
        path.remove_prefix(end + 1);
    }
}

}  // namespace detail

/// Runs `c`. Errors: `invalid` (nothing to run), `not_found` (no such executable), `exhausted` (no process or
/// descriptor left), `deadline`, `cancelled`; in the last two the group is dead when it returns.
[[nodiscard]] inline asio::awaitable<result<command_end>> run_command(command c, command_options options = {})
{
    if (c.argv.empty() || c.argv.front().empty())
        co_return error{errc::invalid, "must name a command", "argv"};
    auto const path = detail::executable(c);
    if (path.empty())
        co_return error{errc::not_found, "no such command in PATH: " + c.argv.front(), "argv[0]"};
    std::vector<char*> argv, environment;
    for (auto& a : c.argv)
        argv.push_back(a.data());
    argv.push_back(nullptr);
    for (auto& e : c.environment)
        environment.push_back(e.data());
    environment.push_back(nullptr);

    int output[2], trouble[2];
    if (::pipe2(output, O_CLOEXEC) != 0)
        co_return error{errc::exhausted, std::string("cannot make a pipe: ") + std::strerror(errno)};
    detail::owned_fd output_read(output[0]), output_write(output[1]);
    if (::pipe2(trouble, O_CLOEXEC) != 0)
        co_return error{errc::exhausted, std::string("cannot make a pipe: ") + std::strerror(errno)};
    detail::owned_fd trouble_read(trouble[0]), trouble_write(trouble[1]);

    ::sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, &before);  // no handler of the host's runs in the child
    ::pid_t const child = ::fork();
    if (child == 0) {
        ::setpgid(0, 0);
        for (int s = 1; s < NSIG; ++s)
            ::signal(s, SIG_DFL);
        ::sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        int const null = ::open("/dev/null", O_RDONLY);
        int failed = 0;
        if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(output[1], 1) < 0 || ::dup2(output[1], 2) < 0 ||
            ::chdir(c.directory.c_str()) != 0)
            failed = errno;
        // What the host opened without close-on-exec does not leak; old kernels do without.
        ::syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
        if (failed == 0) {
            ::execve(path.c_str(), argv.data(), environment.data());
            failed = errno;
        }
        [[maybe_unused]] auto const told = ::write(trouble[1], &failed, sizeof failed);
        ::_exit(127);
    }
    int const fork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child < 0)
        co_return error{errc::exhausted, std::string("cannot start a process: ") + std::strerror(fork_error)};
    ::setpgid(child, child);  // also here: whoever comes first, the group is there before it is killed
    detail::owned_group group(child);
    detail::owned_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    output_write = detail::owned_fd();
    trouble_write = detail::owned_fd();
    if (pidfd.get() < 0)
        co_return error{errc::exhausted, std::string("cannot watch a process: ") + std::strerror(errno)};
    int failed = 0;
    ::ssize_t got;
    do  // returns as soon as the child has executed or failed to
        got = ::read(trouble_read.get(), &failed, sizeof failed);
    while (got < 0 && errno == EINTR);
    if (got == sizeof failed)
        co_return error{
            errc::not_found, "cannot execute " + c.argv.front() + ": " + std::strerror(failed), "argv[0]"};

    auto const executor = co_await asio::this_coro::executor;
    asio::posix::stream_descriptor ended(executor, pidfd.release());
    asio::posix::stream_descriptor printed(executor, output_read.release());
    printed.non_blocking(true);
    deadline_guard guard(ended, std::chrono::steady_clock::now() + options.deadline);

    command_end result;
    auto const keep = [&](char const* bytes, std::size_t n) {
        auto const room =
            options.output_limit_bytes - std::min(options.output_limit_bytes, result.output.size());
        result.output.append(bytes, std::min(n, room));
        result.truncated = result.truncated || n > room;
    };
    // Output is read while the end is waited for, so that a full pipe never blocks the command. A grandchild
    // may hold the pipe open for ever: it is the end of the command that counts.
    bool over = false;
    auto const watch = [&]() -> asio::awaitable<error_code> {
        auto [ec] = co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, as_result);
        over = true;
        error_code ignored;
        printed.cancel(ignored);
        co_return ec;
    };
    auto const read = [&]() -> asio::awaitable<void> {
        std::array<char, 4096> bytes;
        while (!over) {
            auto [ec, n] = co_await printed.async_read_some(asio::buffer(bytes), as_result);
            keep(bytes.data(), n);
            if (ec)
                break;
        }
    };
    using namespace asio::experimental::awaitable_operators;
    error_code const ec = co_await (watch() && read());
    auto const status = group.end();
    if (guard.expired())
        co_return error{errc::deadline, "did not end in time: " + c.argv.front()};
    if (ec)
        co_return error{errc::cancelled, "the command was cancelled"};
    for (std::array<char, 4096> bytes;;) {  // what it printed last; nobody writes any more, so this ends
        auto const n = ::read(printed.native_handle(), bytes.data(), bytes.size());
        if (n <= 0)
            break;
        keep(bytes.data(), static_cast<std::size_t>(n));
    }
    if (status < 0)
        co_return error{errc::internal, "somebody else took the status of " + c.argv.front()};
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    else
        result.exit_code = WEXITSTATUS(status);
    co_return result;
}

}  // namespace podium::v0::net
