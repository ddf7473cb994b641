#include <podium/image.hpp>

#include <benchmark/benchmark.h>
#include <string>

namespace image = podium::image;

namespace {

// What a node agent reads for each container.
void parse_normalized(benchmark::State& bench, char const* text)
{
    std::string const in = text;
    for (auto _ : bench)
        benchmark::DoNotOptimize(image::reference::parse_normalized(in));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK_CAPTURE(parse_normalized, short_name, "redis:7");
BENCHMARK_CAPTURE(parse_normalized, full_name, "registry.example.com:5000/team/app/web:v1.2.3-rc1");
BENCHMARK_CAPTURE(parse_normalized, with_digest,
    "ghcr.io/team/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

}  // namespace

BENCHMARK_MAIN();
