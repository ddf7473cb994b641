#include "allocations.hpp"

#include <podium/core.hpp>

#include <algorithm>
#include <array>
#include <benchmark/benchmark.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using podium::quantity;

namespace {

// -- The workload that Kubernetes' own code is timed on: 20 amounts, round robin ----------------------

constexpr std::array texts{"100m", "1", "2500m", "1Gi", "512Mi", "1.5Gi", "4Ki", "100k", "0.1", "12e6",
    "1500000000", "0.5", "128974848", "129e6", "129M", "123Mi", "3.14159", "1E", "250u", "7n"};
std::vector<quantity> amounts()
{
    std::vector<quantity> out;
    for (auto const* text : texts)
        out.push_back(quantity::parse(text).value());
    return out;
}
// What the 20 are in thousandths, rounded up, and as canonical text.
constexpr std::array<std::int64_t, 20> thousandths{100, 1000, 2500, 1073741824000, 536870912000,
    1610612736000, 4096000, 100000000, 100, 12000000000, 1500000000000, 500, 128974848000, 129000000000,
    129000000000, 128974848000, 3142, 0, 1, 1};
constexpr std::array canonical{"100m", "1", "2500m", "1Gi", "512Mi", "1536Mi", "4Ki", "100k", "100m", "12e6",
    "1500M", "500m", "128974848", "129e6", "129M", "123Mi", "3141590u", "1E", "250u", "7n"};

// What the 20 answers are as one text, as a number that the peers' program prints too (FNV-1a).
template<class Text>
void check(benchmark::State& bench, Text const& of)
{
    std::uint32_t h = 2166136261U;
    for (std::size_t i = 0; i < texts.size(); ++i)
        for (char const c : of(i) + ' ')
            h = (h ^ static_cast<unsigned char>(c)) * 16777619U;
    bench.counters["check"] = h;
}

void workload_parse(benchmark::State& bench)
{
    for (std::size_t i = 0; i < texts.size(); ++i) {
        auto const v = quantity::parse(texts[i])->milli_value();
        if (v !=
            (std::string_view(texts[i]) == "1E" ? std::numeric_limits<std::int64_t>::max() : thousandths[i]))
            return bench.SkipWithError(texts[i]);
    }
    std::array<std::string, texts.size()> const in = [] {
        std::array<std::string, texts.size()> out;
        std::copy(texts.begin(), texts.end(), out.begin());
        return out;
    }();
    auto const before = allocations;
    std::size_t i = 0;
    for (auto _ : bench) {
        benchmark::DoNotOptimize(quantity::parse(in[i])->milli_value());
        i = i + 1 == in.size() ? 0 : i + 1;
    }
    bench.SetItemsProcessed(bench.iterations());
    auto const allocated = allocations - before;
    bench.counters["allocations"] = static_cast<double>(allocated);
    check(bench, [&](std::size_t n) { return std::to_string(quantity::parse(in[n])->milli_value()); });
}
BENCHMARK(workload_parse)->Name("quantity/parse");

void workload_format(benchmark::State& bench)
{
    auto const in = amounts();
    for (std::size_t i = 0; i < in.size(); ++i)
        if (to_string(in[i]) != canonical[i])
            return bench.SkipWithError(texts[i]);
    std::size_t i = 0;
    for (auto _ : bench) {
        benchmark::DoNotOptimize(to_string(in[i]));
        i = i + 1 == in.size() ? 0 : i + 1;
    }
    bench.SetItemsProcessed(bench.iterations());
    check(bench, [&](std::size_t n) { return to_string(in[n]); });
}
BENCHMARK(workload_format)->Name("quantity/format");

void workload_roundtrip(benchmark::State& bench)
{
    std::vector<std::string> const in(texts.begin(), texts.end());
    std::size_t i = 0;
    for (auto _ : bench) {
        benchmark::DoNotOptimize(to_string(*quantity::parse(in[i])));
        i = i + 1 == in.size() ? 0 : i + 1;
    }
    bench.SetItemsProcessed(bench.iterations());
    check(bench, [&](std::size_t n) { return to_string(*quantity::parse(in[n])); });
}
BENCHMARK(workload_roundtrip)->Name("quantity/parse_format_roundtrip");

// Ten million additions at a time, whose sum is known.
void workload_add_cpu(benchmark::State& bench)
{
    std::array const in{quantity::parse("100m").value(), quantity::parse("2500m").value(),
        quantity::parse("1").value(), quantity::parse("250m").value()};
    constexpr std::size_t n = 10'000'000;
    for (auto _ : bench) {
        quantity sum;
        for (std::size_t i = 0; i < n; ++i)
            if (!sum.add(in[i % in.size()]))
                return bench.SkipWithError("the sum does not fit");
        if (sum.milli_value() != 9'625'000'000)
            return bench.SkipWithError("the sum is not 9625000000m");
        bench.counters["milli"] = static_cast<double>(sum.milli_value());
    }
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(n));
}
BENCHMARK(workload_add_cpu)->Name("quantity/add_cpu")->Unit(benchmark::kMillisecond);

void workload_cmp(benchmark::State& bench)
{
    auto const in = amounts();
    std::size_t i = 0;
    for (auto _ : bench) {
        benchmark::DoNotOptimize(in[i] <=> in[i + 7 < in.size() ? i + 7 : i + 7 - in.size()]);
        i = i + 1 == in.size() ? 0 : i + 1;
    }
    bench.SetItemsProcessed(bench.iterations());
    check(bench, [&](std::size_t n) {
        auto const order = in[n] <=> in[(n + 7) % in.size()];
        return std::string(order < 0 ? "-1" : order > 0 ? "1" : "0");
    });
}
BENCHMARK(workload_cmp)->Name("quantity/cmp");

// -- Other costs ----------------------------------------------------------------------------------------

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
