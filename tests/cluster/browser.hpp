#pragma once
/// A real browser without a screen: Chromium, driven over two pipes, in the io_context of the test.
///
/// Source: Chrome DevTools Protocol, `--remote-debugging-pipe`: JSON messages, each ended by a zero byte,
/// come on file descriptor 3 and go out on 4.

#include <podium/model/json.hpp>
#include <podium/net/http_wire.hpp>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <signal.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::tests {

using model::json;
namespace asio = boost::asio;

[[nodiscard]] inline std::optional<std::string> chromium()
{
    for (auto const* const name :
        {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
        if (::access(name, X_OK) == 0)
            return name;
    return {};
}

/// One page of one browser. `World` has `io` and `until(condition)`, as real::world.
template<class World>
class browser {
public:
    browser(World& world, std::string folder) : world_(world), in_(world.io), out_(world.io)
    {
        int to[2], from[2];
        REQUIRE(::pipe2(to, O_CLOEXEC) == 0);
        REQUIRE(::pipe2(from, O_CLOEXEC) == 0);
        // Not 3 and 4 themselves, which dup2 would leave closed on exec.
        int const child_in = ::fcntl(to[0], F_DUPFD_CLOEXEC, 10),
                  child_out = ::fcntl(from[1], F_DUPFD_CLOEXEC, 10);
        ::close(to[0]);
        ::close(from[1]);
        out_.assign(to[1]);
        in_.assign(from[0]);
        posix_spawn_file_actions_t files;
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawn_file_actions_adddup2(&files, child_in, 3);
        ::posix_spawn_file_actions_adddup2(&files, child_out, 4);
        ::posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
        std::vector<std::string> words{*chromium(), "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
            "--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir=" + folder,
            "about:blank"};
        std::vector<char*> argv;
        for (auto& w : words)
            argv.push_back(w.data());
        argv.push_back(nullptr);
        REQUIRE(::posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ) == 0);
        ::posix_spawn_file_actions_destroy(&files);
        ::close(child_in);
        ::close(child_out);
        asio::co_spawn(world.io, read(), [this](std::exception_ptr thrown) {
            gone_ = true;
            if (thrown)
                std::rethrow_exception(thrown);
        });
        auto const target = call("Target.createTarget", {{"url", "about:blank"}})["targetId"];
        session_ = call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}})["sessionId"];
        call("Page.enable");
        call("Runtime.enable");
        call("Log.enable");
    }
    browser(browser const&) = delete;
    browser& operator=(browser const&) = delete;
    ~browser()
    {
        out_.close();  // it ends when nobody can tell it anything any more
        in_.cancel();
        world_.until([&] { return gone_; });
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    json call(std::string method, json parameters = json::object())
    {
        auto const id = ++last_;
        json m = {{"id", id}, {"method", std::move(method)}, {"params", std::move(parameters)}};
        if (!session_.empty())
            m["sessionId"] = session_;
        auto const text = m.dump() + '\0';
        asio::write(out_, asio::buffer(text));
        REQUIRE(world_.until([&] { return gone_ || answers_.contains(id); }));
        REQUIRE_MESSAGE(!gone_, "the browser has ended");
        auto answer = std::move(answers_[id]);
        answers_.erase(id);
        REQUIRE_MESSAGE(answer.contains("result"), answer.dump());
        return answer["result"];
    }
    /// What an expression comes to on the page.
    json evaluate(std::string expression)
    {
        auto const r = call("Runtime.evaluate",
            {{"expression", std::move(expression)}, {"returnByValue", true}, {"awaitPromise", true}});
        REQUIRE_MESSAGE(!r.contains("exceptionDetails"), r.dump());
        return r["result"].value("value", json());
    }
    bool comes_true(std::string const& expression)
    {
        return world_.until([&] { return evaluate(expression) == true; });
    }
    void show(std::string url, int width, int height, std::string scheme)
    {
        call("Emulation.setDeviceMetricsOverride",
            {{"width", width}, {"height", height}, {"deviceScaleFactor", 1}, {"mobile", false}});
        call("Emulation.setEmulatedMedia",
            {{"features", json::array({{{"name", "prefers-color-scheme"}, {"value", std::move(scheme)}}})}});
        if (!url.empty())
            call("Page.navigate", {{"url", std::move(url)}});
    }
    void key(std::string name, int code)
    {
        for (auto const* const type : {"keyDown", "keyUp"}) {
            json k = {{"type", type}, {"key", name}, {"code", name}, {"windowsVirtualKeyCode", code}};
            if (name == "Enter" && type == std::string("keyDown"))
                k["text"] = "\r";
            call("Input.dispatchKeyEvent", std::move(k));
        }
    }
    void screenshot(std::string const& file)
    {
        auto const data =
            call("Page.captureScreenshot", {{"format", "png"}})["data"].template get<std::string>();
        std::ofstream out(file, std::ios::binary);
        std::uint32_t bits = 0;
        int have = 0;
        for (char const c : data) {
            static constexpr std::string_view digits =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            auto const d = digits.find(c);
            if (d == digits.npos)
                break;
            bits = bits << 6 | static_cast<std::uint32_t>(d);
            if ((have += 6) >= 8)
                out.put(static_cast<char>(bits >> (have -= 8) & 255u));
        }
        CHECK(out.good());
    }
    /// What the page complained about: exceptions, and what its policy refused.
    [[nodiscard]] std::vector<std::string> const& complaints() const { return complaints_; }

private:
    asio::awaitable<void> read()
    {
        std::string text;
        std::vector<char> part(64 * 1024);
        for (;;) {
            auto [ec, n] = co_await in_.async_read_some(asio::buffer(part), net::as_result);
            if (ec)
                co_return;
            text.append(part.data(), n);
            std::size_t from = 0;
            for (auto end = text.find('\0'); end != text.npos; end = text.find('\0', from)) {
                take(json::parse(text.begin() + static_cast<std::ptrdiff_t>(from),
                    text.begin() + static_cast<std::ptrdiff_t>(end)));
                from = end + 1;
            }
            text.erase(0, from);
        }
    }
    void take(json m)
    {
        if (auto const id = m.value("id", 0); id != 0)
            answers_[id] = std::move(m);
        else if (m["method"] == "Runtime.exceptionThrown" ||
            (m["method"] == "Log.entryAdded" && m["params"]["entry"]["level"] == "error"))
            complaints_.push_back(m["params"].dump());
    }

    World& world_;
    asio::posix::stream_descriptor in_, out_;
    ::pid_t pid_ = -1;
    std::string session_{};
    int last_ = 0;
    std::map<int, json> answers_{};
    std::vector<std::string> complaints_{};
    bool gone_ = false;
};

}  // namespace podium::tests
