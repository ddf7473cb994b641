// What observation costs: who counts, who scrapes, and what of it a proxied request pays.
//
// `request_counting` is what the proxy does at the end of a request: its endpoint's and its version's
// counters and latencies, of one request. bench/proxy and bench/net print the whole request's processor time
// beside it.
#include "allocations.hpp"
#include "instructions.hpp"

#include <podium/net/router.hpp>
#include <podium/observe.hpp>

#include <array>
#include <atomic>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace podium;

constexpr auto bounds = net::request_counters::bounds;

void finish(benchmark::State& state, std::size_t allocated, bench::instructions const& counted)
{
    auto const n = static_cast<double>(state.iterations());
    state.counters["allocations"] = static_cast<double>(allocated) / n;
    if (auto const i = counted.read())
        state.counters["instructions"] = static_cast<double>(*i) / n;
    else
        state.SetLabel("instructions: not permitted here");
}

/// One worker's cells, on cache lines of their own.
struct alignas(64) worker {
    observe::cell<observe::counter> requests{};
    observe::cell<observe::histogram<15>> latency{bounds};
};
std::array<worker, 8> workers;

// Several threads, one cell each; `->Threads(1)` is a cell's cost alone. One shared atomic is the rival.
void cell_add(benchmark::State& state)
{
    auto& mine = workers[static_cast<std::size_t>(state.thread_index())].requests;
    for (auto _ : state) {
        mine.add();
        benchmark::ClobberMemory();
    }
}
BENCHMARK(cell_add)->Threads(1)->Threads(2)->Threads(4);

std::atomic<std::uint64_t> shared{0};
void shared_atomic_add(benchmark::State& state)
{
    for (auto _ : state)
        shared.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(shared_atomic_add)->Threads(1)->Threads(2)->Threads(4);

std::vector<double> latencies()
{
    std::vector<double> out;
    std::uint64_t x = 1;
    for (int i = 0; i < 4096; ++i) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        out.push_back(bounds[(x >> 33) % bounds.size()] * (0.6 + static_cast<double>((x >> 40) % 100) / 200));
    }
    return out;
}

void cell_observe(benchmark::State& state)
{
    auto const values = latencies();
    auto& mine = workers[static_cast<std::size_t>(state.thread_index())].latency;
    for (std::size_t i = 0; auto _ : state) {
        mine.observe(values[i++ % 4096]);
        benchmark::ClobberMemory();
    }
}
BENCHMARK(cell_observe)->Threads(1)->Threads(2);

void histogram_observe(benchmark::State& state)
{
    auto const values = latencies();
    observe::histogram<15> h{.bounds = bounds};
    auto const before = allocations;
    bench::instructions counted;
    for (std::size_t i = 0; auto _ : state) {
        h.observe(values[i++ % 4096]);
        benchmark::ClobberMemory();
    }
    benchmark::DoNotOptimize(h);
    finish(state, allocations - before, counted);
}
BENCHMARK(histogram_observe);

void request_counting(benchmark::State& state)
{
    using clock = std::chrono::steady_clock;
    auto const values = latencies();
    net::request_counters endpoint;
    net::version_counters version;
    auto const before = allocations;
    bench::instructions counted;
    for (std::size_t i = 0; auto _ : state) {
        auto const began = clock::now();
        auto const took = clock::now() - began +
            std::chrono::duration_cast<duration>(std::chrono::duration<double>(values[i++ % 4096]));
        endpoint.count(200, took);
        version.count(200, took);
        benchmark::ClobberMemory();
    }
    benchmark::DoNotOptimize(endpoint);
    benchmark::DoNotOptimize(version);
    finish(state, allocations - before, counted);
}
BENCHMARK(request_counting);

// A page of series as the cluster writes them: with five labels, and a family at a time or all mixed.
void exposition(benchmark::State& state)
{
    constexpr std::size_t series = 10'000;
    auto const families = static_cast<std::size_t>(state.range(0));
    std::vector<std::string> names, pods, uids;
    for (std::size_t i = 0; i < families; ++i)
        names.push_back("kube_pod_status_" + std::to_string(i));
    for (std::size_t i = 0; i < series; ++i) {
        pods.push_back("web-5d78c9869d-" + std::to_string(10'000 + i));
        uids.push_back("8f14e45f-ceea-467f-a9b4-" + std::to_string(100'000'000'000 + i));
    }
    std::size_t bytes = 0;
    for (auto _ : state) {
        observe::exposition out;
        for (std::size_t i = 0; i < series; ++i)
            out.gauge(names[i % families], "How it is",
                {{"namespace", "default"}, {"pod", pods[i]}, {"uid", uids[i]}, {"node", "node-1"},
                    {"condition", "true"}},
                static_cast<double>(i) / 8);
        bytes = out.text().size();
        benchmark::DoNotOptimize(bytes);
    }
    auto const n = static_cast<std::int64_t>(state.iterations());
    state.SetItemsProcessed(n * static_cast<std::int64_t>(series));
    state.SetBytesProcessed(n * static_cast<std::int64_t>(bytes));
}
BENCHMARK(exposition)->Arg(1)->Arg(100);

void exposition_of_histograms(benchmark::State& state)
{
    observe::histogram<15> h{.bounds = bounds};
    for (double const v : latencies())
        h.observe(v);
    for (auto _ : state) {
        observe::exposition out;
        for (int i = 0; i < 100; ++i)
            out.histogram("took_seconds", "How long it took", {{"service", "web"}, {"version", "v1"}}, h);
        benchmark::DoNotOptimize(out.text().size());
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * 100 * 18);
}
BENCHMARK(exposition_of_histograms);

void series_push(benchmark::State& state)
{
    observe::series s(600);
    auto const before = allocations;
    bench::instructions counted;
    for (time_point now{}; auto _ : state)
        benchmark::DoNotOptimize(s.push(now += std::chrono::seconds(1), 1));
    finish(state, allocations - before, counted);
}
BENCHMARK(series_push);

void series_rate(benchmark::State& state)
{
    observe::series s(600);
    for (int i = 0; i < 600; ++i)
        s.push(time_point(std::chrono::seconds(i)), i % 500);
    for (auto _ : state)
        benchmark::DoNotOptimize(observe::rate(s.all()));
}
BENCHMARK(series_rate);

// A storm over 10,000 objects, of which 4096 are remembered.
void event_correlate(benchmark::State& state)
{
    observe::event_correlator c;
    observe::event e{.source = "agent", .type = "Warning", .reason = "BackOff"};
    std::uint64_t x = 1;
    for (time_point now{}; auto _ : state) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        e.about = "Pod/default/web-" + std::to_string((x >> 33) % 10'000);
        e.message = "back-off " + std::to_string((x >> 50) % 20);
        benchmark::DoNotOptimize(c.correlate(e, now += std::chrono::milliseconds(10)));
    }
}
BENCHMARK(event_correlate);

}  // namespace

BENCHMARK_MAIN();
