#pragma once
/// A directory with an image that is a shell, and a way to wait for a coroutine.

#include <podium/runtime/process_runtime.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <doctest/doctest.h>
#include <exception>
#include <filesystem>
#include <fstream>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace podium::tests {

/// A fresh directory, deleted at the end.
struct temporary_directory {
    temporary_directory()
    {
        std::string name = (std::filesystem::temp_directory_path() / "podium-test-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    temporary_directory(temporary_directory const&) = delete;
    ~temporary_directory() { std::filesystem::remove_all(path); }

    void write(std::string const& name, std::string const& text, unsigned mode = 0644) const
    {
        auto const file = path + '/' + name;
        std::filesystem::create_directories(std::filesystem::path(file).parent_path());
        std::ofstream(file) << text;
        REQUIRE(::chmod(file.c_str(), mode) == 0);
    }
    std::string path{};
};

/// Runs the io_context until `work` is done. Generous: only a hang takes so long.
template<class T>
T wait_for(boost::asio::io_context& io, boost::asio::awaitable<T> work)
{
    std::optional<T> answer;
    std::exception_ptr failed;
    bool done = false;
    boost::asio::co_spawn(io, std::move(work), [&](std::exception_ptr e, T value) {
        failed = e;
        answer = std::move(value);
        done = true;
    });
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    io.restart();
    while (!done && std::chrono::steady_clock::now() < deadline) {
        io.run_one_for(std::chrono::milliseconds(100));
        io.restart();
    }
    REQUIRE(done);
    if (failed)
        std::rethrow_exception(failed);
    return std::move(*answer);
}

/// Runs the io_context until `is_so()`; false after two minutes.
template<class F>
bool until(boost::asio::io_context& io, F const& is_so)
{
    auto const deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        io.restart();
        io.run_one_for(std::chrono::milliseconds(20));
    }
    return true;
}

/// A named pipe that a container opens for writing: its end says that no process holds it any more, without
/// knowing any pid.
struct witness {
    explicit witness(std::string const& path)
    {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        fd = runtime::detail::unique_fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
        REQUIRE(fd);
    }
    /// What was written up to a newline; empty after two minutes.
    [[nodiscard]] std::string line() const
    {
        std::string text;
        for (char c = 0; ready();) {
            auto const n = ::read(fd.get(), &c, 1);
            if (n == 1 && c == '\n')
                return text;
            if (n == 1)
                text += c;
            else
                ::poll(nullptr, 0, 5);  // no writer yet
        }
        return {};
    }
    /// True once no process holds it.
    [[nodiscard]] bool ended() const
    {
        char c = 0;
        while (ready())
            if (::read(fd.get(), &c, 1) == 0)
                return true;
        return false;
    }
    [[nodiscard]] bool ready() const
    {
        pollfd p{fd.get(), POLLIN, 0};
        auto const deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
        while (::poll(&p, 1, 100) <= 0)
            if (std::chrono::steady_clock::now() > deadline)
                return false;
        return true;
    }
    runtime::detail::unique_fd fd{};
};

/// A process runtime over an image directory of its own. box:1 is a shell that runs its first argument.
struct room {
    explicit room(runtime::isolation kept = runtime::isolation::automatic, runtime::log_limits logs = {})
    {
        directory.write("images/box/1/config.json",
            R"({"config": {"Entrypoint": ["/bin/sh", "-c"], "Cmd": ["exit 7"], "Env": ["FROM=image", "LEVEL=info"]}})");
        runtime.emplace(io.get_executor(),
            runtime::process_runtime_options{.images = directory.path + "/images",
                .state_dir = directory.path + "/state",
                .logs = logs,
                .keep_together = kept});
    }
    runtime::container_config script(std::string text) const
    {
        return {.pod_uid = "u-1",
            .pod_name = "pod",
            .namespace_ = "default",
            .name = "main",
            .image = "box:1",
            .args = {std::move(text)}};
    }
    /// Created and started.
    std::string run(runtime::container_config config)
    {
        auto const id = wait_for(io, runtime->create(std::move(config)));
        REQUIRE_MESSAGE(id, id.error().text());
        auto const started = wait_for(io, runtime->start(*id));
        REQUIRE_MESSAGE(started, started.error().text());
        return *id;
    }
    runtime::container_status row(std::string const& id) const
    {
        for (auto& r : runtime->list())
            if (r.id == id)
                return r;
        return {};
    }
    runtime::container_status ended(std::string const& id)
    {
        REQUIRE(until(io, [&] { return row(id).state == runtime::container_state::exited; }));
        return row(id);
    }
    std::string output(std::string const& id, runtime::log_query query = {})
    {
        std::string text;
        auto const lines = wait_for(io, runtime::read_logs(*runtime, id, query)).value();
        for (auto const& line : lines)
            text += line.text + '\n';
        return text;
    }
    /// Runs the io_context until the container has printed `line`: it is as far as that.
    bool printed(std::string const& id, std::string const& line)
    {
        return until(io, [&] { return output(id).find(line + '\n') != std::string::npos; });
    }
    temporary_directory directory{};
    boost::asio::io_context io{};
    std::optional<runtime::process_runtime> runtime{};
};

}  // namespace podium::tests
