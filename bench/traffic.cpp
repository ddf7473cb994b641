// What choosing an endpoint costs a router, for each request.
#include <podium/traffic.hpp>

#include <benchmark/benchmark.h>
#include <string>

namespace {

using namespace podium;

traffic::endpoint_set endpoints(std::size_t n)
{
    traffic::endpoint_set set{.generation = 1};
    for (std::size_t i = 0; i < n; ++i)
        set.endpoints.push_back({.id = "pod-" + std::to_string(i),
            .address = "10.0.0.1",
            .port = 80,
            .ready = true,
            .serving = true,
            .version = i % 10 == 0 ? "v2" : "v1"});
    return set;
}

template<class B>
void acquire_release(benchmark::State& state)
{
    traffic::pool<B> pool;
    (void)pool.apply(endpoints(static_cast<std::size_t>(state.range(0))));
    for (auto _ : state)
        pool.release(*pool.acquire());
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(acquire_release<traffic::round_robin>)->Name("traffic_round_robin")->Arg(3)->Arg(1000);
BENCHMARK(acquire_release<traffic::least_in_flight>)->Name("traffic_least_in_flight")->Arg(3)->Arg(1000);
BENCHMARK(acquire_release<traffic::power_of_two>)->Name("traffic_power_of_two")->Arg(3)->Arg(1000);

// With a canary at 5 %: the split comes on top.
void canary(benchmark::State& state)
{
    auto set = endpoints(100);
    set.weights = {{"v1", 95}, {"v2", 5}};
    traffic::pool<traffic::round_robin> pool;
    (void)pool.apply(set);
    for (auto _ : state)
        pool.release(*pool.acquire());
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(canary)->Name("traffic_canary_split");

// A new set of endpoints: once for each change of a service, in every router.
void apply(benchmark::State& state)
{
    auto set = endpoints(static_cast<std::size_t>(state.range(0)));
    traffic::pool<traffic::round_robin> pool;
    for (auto _ : state) {
        ++set.generation;
        benchmark::DoNotOptimize(pool.apply(set));
    }
}
BENCHMARK(apply)->Name("traffic_apply")->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
