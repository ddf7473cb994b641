// What the proxy costs a request: the same load through it and straight to one endpoint, in one run.
//
// Three endpoints on loopback answer 200 with 128 bytes; 64 or 1 clients keep their connections alive and
// send the next request when the answer is there. Clients and endpoints have a thread of their own, the proxy
// another, so on two cores `proxy_cpu_us` is what the proxy's thread took for each request.
#include <podium/net/proxy.hpp>

#include <atomic>
#include <benchmark/benchmark.h>
#include <boost/asio/io_context.hpp>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace asio = boost::asio;
using namespace podium;
using tcp = asio::ip::tcp;

std::string const answer_text = "HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n" + std::string(128, 'x');
std::string const request_text = "GET /bench HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n";

asio::awaitable<void> answer_all(tcp::socket s)
{
    // Requests come one at a time here, so each read that ends a header is one.
    std::string text;
    char bytes[4096];
    for (;;) {
        auto [ec, n] = co_await s.async_read_some(asio::buffer(bytes), net::as_result);
        if (ec)
            co_return;
        text.append(bytes, n);
        if (!text.ends_with("\r\n\r\n"))
            continue;
        text.clear();
        if (co_await net::wire::write(s, answer_text))
            co_return;
    }
}

asio::awaitable<void> accept_all(tcp::acceptor& acceptor)
{
    for (;;) {
        auto [ec, s] = co_await acceptor.async_accept(net::as_result);
        if (ec)
            co_return;
        s.set_option(tcp::no_delay(true), ec);
        asio::co_spawn(acceptor.get_executor(), answer_all(std::move(s)), asio::detached);
    }
}

// `left` requests are shared out among the clients; whoever finishes the last stops the context.
asio::awaitable<void> client(
    asio::io_context& io, std::uint16_t port, std::int64_t& left, std::int64_t& open, bool& failed)
{
    tcp::socket s(io);
    auto [ec] = co_await s.async_connect({asio::ip::make_address("127.0.0.1"), port}, net::as_result);
    failed = failed || ec;
    s.set_option(tcp::no_delay(true), ec);
    char bytes[4096];
    while (!failed && left-- > 0) {
        if (co_await net::wire::write(s, request_text))
            failed = true;
        for (std::string text; !failed && !text.ends_with("xxxxxxxx");) {
            auto [read_ec, n] = co_await s.async_read_some(asio::buffer(bytes), net::as_result);
            failed = failed || read_ec;
            text.append(bytes, n);
        }
    }
    if (--open == 0)
        io.stop();
}

double thread_seconds(std::thread& t)
{
    clockid_t clock{};
    timespec spent{};
    if (pthread_getcpuclockid(t.native_handle(), &clock) != 0 || clock_gettime(clock, &spent) != 0)
        return 0;
    return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

void load(benchmark::State& state, bool proxied)
{
    asio::io_context outside{1}, inside{1};
    std::vector<tcp::acceptor> backends;
    for (int i = 0; i < 3; ++i)
        backends.emplace_back(outside, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    for (auto& b : backends)
        asio::co_spawn(outside, accept_all(b), asio::detached);

    net::proxy proxy(inside.get_executor());
    auto port = proxy.open({.name = "web", .address = "127.0.0.1"}).value();
    traffic::endpoint_set set{.generation = 1};
    for (auto const& b : backends)
        set.endpoints.push_back({.id = std::to_string(b.local_endpoint().port()),
            .address = "127.0.0.1",
            .port = b.local_endpoint().port(),
            .ready = true,
            .serving = true});
    (void)proxy.apply("web", set);
    if (!proxied)
        port = backends[0].local_endpoint().port();
    std::thread proxy_thread([&] { inside.run(); });

    double proxy_seconds = 0;
    for (auto _ : state) {
        std::int64_t left = 20'000, open = state.range(0);
        bool failed = false;
        double const before = thread_seconds(proxy_thread);
        for (std::int64_t i = 0; i < state.range(0); ++i)
            asio::co_spawn(outside, client(outside, port, left, open, failed), asio::detached);
        outside.restart();
        outside.run();
        proxy_seconds += thread_seconds(proxy_thread) - before;
        if (failed)
            state.SkipWithError("a request failed");
    }
    state.SetItemsProcessed(state.iterations() * 20'000);
    state.counters["proxy_cpu_us"] = proxy_seconds * 1e6 / static_cast<double>(state.iterations() * 20'000);
    inside.stop();
    proxy_thread.join();
}

void direct(benchmark::State& state)
{
    load(state, false);
}
void through_proxy(benchmark::State& state)
{
    load(state, true);
}
BENCHMARK(direct)->Name("net_http_direct")->Arg(64)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(through_proxy)
    ->Name("net_http_proxied")
    ->Arg(64)
    ->Arg(1)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
