#include <podium/core.hpp>

#include <benchmark/benchmark.h>
#include <vector>

using podium::quantity;

namespace {

// Decoding a manifest: one amount from text.
void quantity_parse(benchmark::State& bench, char const* text)
{
    for (auto _ : bench)
        benchmark::DoNotOptimize(quantity::parse(text));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK_CAPTURE(quantity_parse, milli, "500m");
BENCHMARK_CAPTURE(quantity_parse, binary, "1.5Gi");
BENCHMARK_CAPTURE(quantity_parse, thirty_one_digits, "4759439939654272228.441572150948e-6");

// Encoding one.
void quantity_to_string(benchmark::State& bench)
{
    auto const q = quantity::parse("1.5Gi").value();
    for (auto _ : bench)
        benchmark::DoNotOptimize(to_string(q));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(quantity_to_string);

// A quota: the sum of what n pods ask for.
void quantity_sum(benchmark::State& bench)
{
    std::vector<quantity> const asked(static_cast<std::size_t>(bench.range(0)), quantity::from_milli(250));
    for (auto _ : bench) {
        quantity sum;
        for (auto const& a : asked)
            sum = sum.plus(a).value();
        benchmark::DoNotOptimize(sum);
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
    bench.SetComplexityN(bench.range(0));
}
BENCHMARK(quantity_sum)->RangeMultiplier(10)->Range(10, 10'000)->Complexity(benchmark::oN);

// What a scheduler's column is filled from.
void quantity_milli_value(benchmark::State& bench)
{
    auto q = quantity::parse("1.5").value();
    for (auto _ : bench) {
        benchmark::DoNotOptimize(q);
        benchmark::DoNotOptimize(q.milli_value());
    }
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(quantity_milli_value);

// Validation of one label key.
void label_key(benchmark::State& bench)
{
    for (auto _ : bench)
        benchmark::DoNotOptimize(podium::names::label_key("app.kubernetes.io/name").has_value());
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(label_key);

}  // namespace

BENCHMARK_MAIN();
