// The proxy beside nginx and haproxy: ./bench/compare proxy, which installs those two; without them, podium
// alone.
//
// Each proxy is a process of its own with one thread on core 0. Core 1 has one thread for the clients and for
// the three backends, which answer at once: 64 clients keep their connections alive and send the next request
// when the answer is there. All proxies do the same: round robin, connections to backends kept alive,
// X-Forwarded-For, no log. They take turns in rounds, so that what else the machine does meets all of them.
// `direct` is the same clients on the backends themselves. `cpu` is processor time of the proxy's process for
// each request. At the end stands what of podium's goes into counting the request.
#include "instructions.hpp"

#include <podium/net/proxy.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/tcp.h>
#include <sched.h>
#include <string>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace podium;
using clock_type = std::chrono::steady_clock;

[[noreturn]] void give_up(std::string const& why)
{
    std::fprintf(stderr, "bench/proxy: %s\n", why.c_str());
    std::exit(1);
}

void stay_on(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    (void)sched_setaffinity(0, sizeof set, &set);  // with one core only, all share it
}

sockaddr_in local(std::uint16_t port)
{
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(port);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

int listen_on_any(std::uint16_t& port)
{
    int const fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    auto at = local(0);
    socklen_t size = sizeof at;
    if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&at), size) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) != 0)
        give_up("cannot listen on 127.0.0.1");
    port = ntohs(at.sin_port);
    return fd;
}

std::uint16_t free_port()
{
    std::uint16_t port = 0;
    close(listen_on_any(port));
    return port;
}

int connect_to(std::uint16_t port)
{
    int const fd = socket(AF_INET, SOCK_STREAM, 0);
    auto const at = local(port);
    if (fd < 0 || connect(fd, reinterpret_cast<sockaddr const*>(&at), sizeof at) != 0) {
        close(fd);
        return -1;
    }
    int const on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

// One thread of clients and backends over epoll, as little as can be: it must not be what is measured.
class load {
public:
    struct measured {
        double per_second = 0;
        double p50_ms = 0;
        double p99_ms = 0;
        std::size_t requests = 0;
    };

    load() : poll_(epoll_create1(0))
    {
        for (auto& port : backends) {
            auto const fd = listen_on_any(port);
            watch(fd, kind::listener);
        }
    }

    std::uint16_t backends[3] = {};

    void answer_with(std::size_t bytes)
    {
        body_ = bytes;
        answer_ = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n" +
            std::string(bytes, 'x');
    }

    /// `requests` of them over `connections` connections, for at most `longest`.
    measured run(
        std::uint16_t port, std::size_t connections, std::size_t requests, clock_type::duration longest)
    {
        took_.clear();
        took_.reserve(requests);
        left_ = requests;
        std::vector<int> mine;
        for (std::size_t i = 0; i < connections; ++i) {
            int const fd = connect_to(port);
            if (fd < 0)
                give_up("cannot connect to port " + std::to_string(port));
            watch(fd, kind::client);
            mine.push_back(fd);
        }
        auto const began = clock_type::now();
        for (int const fd : mine)
            ask(fd);
        while (took_.size() < requests && clock_type::now() - began < longest)
            look(100);
        auto const spent = std::chrono::duration<double>(clock_type::now() - began).count();
        left_ = 0;
        for (int const fd : mine)
            end(fd);
        while (look(20)) {  // the backends see the ends
        }
        measured out;
        out.requests = took_.size();
        if (took_.empty())
            give_up("no answer came from port " + std::to_string(port));
        std::sort(took_.begin(), took_.end());
        out.per_second = static_cast<double>(out.requests) / spent;
        out.p50_ms = took_[out.requests / 2] * 1e3;
        out.p99_ms = took_[out.requests * 99 / 100] * 1e3;
        return out;
    }

    /// One request on each of `connections`, which then stay as they are.
    std::vector<int> hold(std::uint16_t port, std::size_t connections)
    {
        std::vector<int> mine;
        for (std::size_t i = 0; i < connections; ++i) {
            int const fd = connect_to(port);
            if (fd < 0)
                give_up("cannot connect to port " + std::to_string(port));
            watch(fd, kind::client);
            mine.push_back(fd);
            took_.clear();
            left_ = 1;
            ask(fd);
            auto const began = clock_type::now();
            while (took_.empty() && clock_type::now() - began < std::chrono::seconds(10))
                look(100);
        }
        return mine;
    }
    void let_go(std::vector<int> const& held)
    {
        for (int const fd : held)
            end(fd);
        while (look(20)) {
        }
    }

private:
    enum class kind : std::uint8_t { none, listener, client, backend };
    struct connection {
        kind what = kind::none;
        std::string in{};
        clock_type::time_point asked{};
    };

    void watch(int fd, kind what)
    {
        if (all_.size() <= static_cast<std::size_t>(fd))
            all_.resize(static_cast<std::size_t>(fd) + 1);
        all_[static_cast<std::size_t>(fd)] = {what};
        epoll_event e{};
        e.events = EPOLLIN;
        e.data.fd = fd;
        epoll_ctl(poll_, EPOLL_CTL_ADD, fd, &e);
    }
    void end(int fd)
    {
        all_[static_cast<std::size_t>(fd)].what = kind::none;
        close(fd);
    }
    void ask(int fd)
    {
        if (left_ == 0)
            return;
        --left_;
        all_[static_cast<std::size_t>(fd)].asked = clock_type::now();
        send_all(fd, request_);
    }
    static void send_all(int fd, std::string const& text)
    {
        auto const n = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (n >= 0 && static_cast<std::size_t>(n) != text.size())
            give_up("a send buffer is full with " + std::to_string(text.size()) + " bytes");
    }
    bool look(int wait_ms)
    {
        epoll_event events[128];
        int const n = epoll_wait(poll_, events, 128, wait_ms);
        for (int i = 0; i < n; ++i)
            serve(events[i].data.fd);
        return n > 0;
    }
    void serve(int fd)
    {
        auto const what = all_[static_cast<std::size_t>(fd)].what;
        if (what == kind::listener) {
            int const made = accept4(fd, nullptr, nullptr, SOCK_NONBLOCK);
            if (made < 0)
                return;
            int const on = 1;
            setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            watch(made, kind::backend);
            return;
        }
        if (what == kind::none)
            return;
        char bytes[8192];
        auto const n = recv(fd, bytes, sizeof bytes, 0);
        if (n <= 0) {
            if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            if (what == kind::client)
                give_up("a proxy closed a connection in the middle");
            end(fd);
            return;
        }
        auto& c = all_[static_cast<std::size_t>(fd)];
        c.in.append(bytes, static_cast<std::size_t>(n));
        auto const head = c.in.find("\r\n\r\n");
        if (head == std::string::npos)
            return;
        if (what == kind::backend) {
            c.in.clear();
            send_all(fd, answer_);
            return;
        }
        if (c.in.size() < head + 4 + body_)
            return;
        if (c.in.compare(0, 12, "HTTP/1.1 200") != 0 || c.in.size() != head + 4 + body_)
            give_up("a wrong answer: " + c.in.substr(0, head));
        c.in.clear();
        took_.push_back(std::chrono::duration<double>(clock_type::now() - c.asked).count());
        ask(fd);
    }

    int poll_;
    std::vector<connection> all_{};
    std::string answer_{};
    std::string const request_ =
        "GET /bench HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
    std::size_t body_ = 0;
    std::size_t left_ = 0;
    std::vector<double> took_{};
};

int serve(int count, char** arguments)
{
    stay_on(0);
    boost::asio::io_context io{1};
    net::proxy proxy(io.get_executor());
    auto const number = [&](int i) { return static_cast<std::uint16_t>(std::atoi(arguments[i])); };
    if (auto port = proxy.open({.name = "web", .address = "127.0.0.1", .port = number(0)}); !port)
        give_up(port.error().text());
    traffic::endpoint_set set{.generation = 1};
    for (int i = 1; i < count; ++i)
        set.endpoints.push_back(
            {.id = arguments[i], .address = "127.0.0.1", .port = number(i), .ready = true, .serving = true});
    if (auto applied = proxy.apply("web", set); !applied)
        give_up(applied.error().text());
    io.run();
    return 0;
}

struct target {
    std::string name;
    std::uint16_t port = 0;
    pid_t process = 0;
    std::vector<double> per_second{}, p50{}, p99{}, cpu_us{};
};

pid_t start(std::vector<std::string> const& command)
{
    pid_t const child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    stay_on(0);
    std::vector<char*> argv;
    for (auto const& word : command)
        argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
}

void await(target const& t)
{
    for (int i = 0; i < 200; ++i) {
        if (int const fd = connect_to(t.port); fd >= 0) {
            close(fd);
            return;
        }
        if (waitpid(t.process, nullptr, WNOHANG) != 0)
            give_up(t.name + " did not start");
        usleep(50'000);
    }
    give_up(t.name + " does not listen");
}

double cpu_seconds(pid_t process)
{
    std::ifstream in("/proc/" + std::to_string(process) + "/stat");
    std::string text((std::istreambuf_iterator<char>(in)), {});
    auto const after = text.rfind(')');
    if (after == std::string::npos)
        return 0;
    unsigned long user = 0, system = 0;
    std::sscanf(
        text.c_str() + after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double resident_mib(pid_t process)
{
    std::ifstream in("/proc/" + std::to_string(process) + "/statm");
    double all = 0, resident = 0;
    in >> all >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

double median(std::vector<double> v)
{
    std::sort(v.begin(), v.end());
    return v.empty() ? 0 : v[v.size() / 2];
}

std::vector<std::string> files(
    std::filesystem::path const& folder, load const& l, std::uint16_t nginx_port, std::uint16_t haproxy_port)
{
    std::filesystem::create_directories(folder);
    std::string servers, upstream;
    for (auto const port : l.backends) {
        auto const at = "127.0.0.1:" + std::to_string(port);
        servers += "  server s" + std::to_string(port) + ' ' + at + '\n';
        upstream += "    server " + at + ";\n";
    }
    auto const nginx = folder / "nginx.conf", haproxy = folder / "haproxy.cfg";
    std::ofstream(nginx) << "master_process off;\ndaemon off;\nerror_log stderr error;\npid "
                         << (folder / "nginx.pid").string()
                         << ";\nevents { worker_connections 4096; }\nhttp {\n  access_log off;\n";
    std::ofstream more(nginx, std::ios::app);
    for (auto const* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
        more << "  " << kind << "_temp_path " << (folder / kind).string() << ";\n";
    more << "  upstream b {\n"
         << upstream
         << "    keepalive 64;\n    keepalive_requests 100000000;\n  }\n"
            "  server {\n    listen 127.0.0.1:"
         << nginx_port
         << ";\n    keepalive_requests 100000000;\n    location / {\n      proxy_pass http://b;\n"
            "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n"
            "      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    }\n  }\n}\n";
    std::ofstream(haproxy)
        << "global\n  nbthread 1\n  maxconn 4096\ndefaults\n  mode http\n  timeout connect 5s\n"
           "  timeout client 60s\n  timeout server 60s\n  http-reuse always\n  option forwardfor\n"
           "frontend f\n  bind 127.0.0.1:"
        << haproxy_port << "\n  default_backend b\nbackend b\n  balance roundrobin\n"
        << servers;
    return {nginx.string(), haproxy.string()};
}

// In each round beside the better of the others in that round.
std::vector<double> ratios(
    std::vector<target> const& all, std::vector<double> target::* what, bool more_is_better)
{
    std::vector<double> out;
    auto const own = std::find_if(all.begin(), all.end(), [](auto const& t) { return t.name == "podium"; });
    for (std::size_t r = 0; own != all.end() && r < ((*own).*what).size(); ++r) {
        double best = 0;
        for (auto const& t : all)
            if (t.process != 0 && t.name != "podium" &&
                (best == 0 || ((t.*what)[r] > best) == more_is_better))
                best = (t.*what)[r];
        if (best != 0)
            out.push_back(((*own).*what)[r] / best);
    }
    return out;
}

}  // namespace

// What the proxy counts for each request (see lease::end), beside the whole of one, `cpu_us` of processor
// time.
void print_counting(load& l, target const& podium, double cpu_us)
{
    constexpr int times = 5'000'000;
    net::request_counters endpoint;
    net::version_counters version;
    std::clock_t const from = std::clock();
    bench::instructions mine;
    for (unsigned i = 0; i < times; ++i) {
        auto const began = clock_type::now();
        auto const took = clock_type::now() - began + std::chrono::microseconds(i * 37 % 40'000);
        endpoint.count(200, took);
        version.count(200, took);
        asm volatile("" ::"r"(&endpoint), "r"(&version) : "memory");
    }
    auto const counting_instructions = mine.read();
    auto const ns = static_cast<double>(std::clock() - from) / CLOCKS_PER_SEC * 1e9 / times;
    std::printf("counting is %.0f ns of a request's %.0f: %.2f %%\n", ns, cpu_us * 1e3, ns / cpu_us / 10);

    bench::instructions const theirs(podium.process);
    auto const before = theirs.read();
    auto const m = l.run(podium.port, 64, 50'000, std::chrono::seconds(4));
    auto const after = theirs.read();
    if (!counting_instructions || !before || !after) {
        std::printf("in instructions: not permitted here\n");
        return;
    }
    auto const few = static_cast<double>(*counting_instructions) / times;
    auto const all = static_cast<double>(*after - *before) / static_cast<double>(m.requests);
    std::printf(
        "and %.0f of its %.0f instructions outside of the kernel: %.2f %%\n", few, all, few / all * 100);
}

int main(int count, char** arguments)
{
    if (count > 2 && std::string(arguments[1]) == "--serve")
        return serve(count - 2, arguments + 2);
    int runs = 5;
    std::string only;
    for (int i = 1; i < count; ++i) {
        std::string const option = arguments[i], value = i + 1 < count ? arguments[i + 1] : "";
        if (option.starts_with("--benchmark"))
            continue;  // meant for the other benchmarks
        ++i;
        if (option == "--runs" && std::atoi(value.c_str()) > 0)
            runs = std::atoi(value.c_str());
        else if (option == "--only" && !value.empty())
            only = value;
        else
            give_up("usage: bench_proxy [--runs N] [--only podium|nginx|haproxy]");
    }
    std::signal(SIGPIPE, SIG_IGN);
    stay_on(1);
    load l;
    l.answer_with(128);
    std::vector<target> all{{"direct", l.backends[0]}};
    auto const nginx_port = free_port(), haproxy_port = free_port(), own_port = free_port();
    auto const folder = std::filesystem::absolute("build/proxy");
    auto const config = files(folder, l, nginx_port, haproxy_port);
    auto const add = [&](std::string name, std::uint16_t port, std::vector<std::string> const& command) {
        if (!std::filesystem::exists(command[0])) {
            std::printf("%s is not installed, and is left out\n", name.c_str());
            return;
        }
        if (!only.empty() && only != name)
            return;
        all.push_back({std::move(name), port, start(command)});
        await(all.back());
    };
    std::vector<std::string> own{
        std::filesystem::read_symlink("/proc/self/exe").string(), "--serve", std::to_string(own_port)};
    for (auto const port : l.backends)
        own.push_back(std::to_string(port));
    add("podium", own_port, own);
    add("nginx", nginx_port, {"/usr/sbin/nginx", "-p", folder.string(), "-c", config[0], "-e", "stderr"});
    add("haproxy", haproxy_port, {"/usr/sbin/haproxy", "-f", config[1], "-db"});

    using std::chrono::seconds;
    std::printf("%-6s %-8s %10s %21s %8s %8s %9s\n", "bytes", "", "requests/s", "least..most", "p50 ms",
        "p99 ms", "cpu us");
    for (std::size_t const bytes : {std::size_t{128}, std::size_t{1024}}) {
        l.answer_with(bytes);
        for (auto& t : all) {
            t.per_second = t.p50 = t.p99 = t.cpu_us = {};
            (void)l.run(t.port, 64, 5'000, seconds(5));  // connections to the backends, caches
        }
        for (int r = 0; r < runs; ++r)
            for (std::size_t k = 0; k < all.size(); ++k) {
                auto& t = all[(k + static_cast<std::size_t>(r)) % all.size()];
                auto const before = cpu_seconds(t.process);
                auto const m = l.run(t.port, 64, 50'000, seconds(4));
                auto const spent = cpu_seconds(t.process) - before;
                t.per_second.push_back(m.per_second);
                t.p50.push_back(m.p50_ms);
                t.p99.push_back(m.p99_ms);
                t.cpu_us.push_back(t.process == 0 ? 0 : spent * 1e6 / static_cast<double>(m.requests));
            }
        for (auto const& t : all) {
            auto const [least, most] = std::minmax_element(t.per_second.begin(), t.per_second.end());
            std::printf("%-6zu %-8s %10.0f %10.0f..%9.0f %8.2f %8.2f %9.2f\n", bytes, t.name.c_str(),
                median(t.per_second), *least, *most, median(t.p50), median(t.p99), median(t.cpu_us));
        }
        auto const print = [&](char const* what, std::vector<double> const& v) {
            if (v.empty())
                return;
            auto const [least, most] = std::minmax_element(v.begin(), v.end());
            std::printf("%-6zu podium's %s is %.2f of the better one's (%.2f..%.2f)\n", bytes, what,
                median(v), *least, *most);
        };
        print("rate", ratios(all, &target::per_second, true));
        print("p99", ratios(all, &target::p99, false));
        print("processor time", ratios(all, &target::cpu_us, false));
        if (bytes == 128)
            for (auto const& t : all)
                if (t.name == "podium")
                    print_counting(l, t, median(t.cpu_us));
        std::fflush(stdout);
    }
    l.answer_with(128);
    for (auto const& t : all)
        if (t.process != 0) {
            auto const before = resident_mib(t.process);
            auto const held = l.hold(t.port, 1000);
            std::printf("%s: %.1f MiB with 1000 idle connections, %.1f before\n", t.name.c_str(),
                resident_mib(t.process), before);
            l.let_go(held);
        }
    for (auto const& t : all)
        if (t.process != 0) {
            kill(t.process, SIGTERM);
            for (int i = 0; i < 100 && waitpid(t.process, nullptr, WNOHANG) == 0; ++i)
                usleep(20'000);
            kill(t.process, SIGKILL);
            waitpid(t.process, nullptr, 0);
        }
}
