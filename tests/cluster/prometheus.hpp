#pragma once
#include "world.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace podium::tests::real {

/// A real Prometheus, without anything to scrape: expressions have values all the same.
class prometheus {
public:
    static constexpr char const* program = "/usr/bin/prometheus";

    /// Says so where it is not.
    static bool is_here()
    {
        if (::access(program, X_OK) == 0)
            return true;
        MESSAGE("skipped: there is no Prometheus on this machine");
        CHECK_FALSE(std::getenv("CI"));
        return false;
    }

    explicit prometheus(std::string const& folder)
    {
        asio::io_context io;
        asio::ip::tcp::acceptor free(io, {asio::ip::make_address("127.0.0.1"), 0});
        where_ = "127.0.0.1:" + std::to_string(free.local_endpoint().port());
        free.close();
        std::ofstream(folder + "/prometheus.yml") << "global: {}\n";
        std::vector<std::string> const words{program, "--config.file=" + folder + "/prometheus.yml",
            "--storage.tsdb.path=" + folder + "/data", "--web.listen-address=" + where_, "--log.level=error"};
        std::vector<char*> argv;
        for (auto const& w : words)
            argv.push_back(const_cast<char*>(w.c_str()));
        argv.push_back(nullptr);
        REQUIRE(::posix_spawn(&pid_, program, nullptr, nullptr, argv.data(), environ) == 0);
    }
    prometheus(prometheus const&) = delete;
    prometheus& operator=(prometheus const&) = delete;
    ~prometheus()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] std::string url() const { return "http://" + where_; }
    [[nodiscard]] bool is_ready(world& w) const
    {
        auto const port = static_cast<std::uint16_t>(std::stoi(where_.substr(where_.find(':') + 1)));
        return w.until([&] {
            net::http_request r(http::verb::get, "/-/ready", 11);
            auto const answer = w.run(net::http_call(net::address::tcp("127.0.0.1", port), std::move(r)));
            return answer && answer->result_int() == 200;
        });
    }

private:
    std::string where_{};
    ::pid_t pid_ = -1;
};

}  // namespace podium::tests::real
