#include <podium/labels.hpp>

#include <benchmark/benchmark.h>
#include <map>
#include <string>
#include <vector>

using podium::labels::selector;

namespace {

constexpr auto text = "app.kubernetes.io/name in (web, api), tier=front, !canary";
std::map<std::string, std::string> const labels{
    {"app.kubernetes.io/name", "web"}, {"tier", "front"}, {"version", "v1.2"}, {"zone", "a"}};

// A query parameter of a list or watch.
void selector_parse(benchmark::State& bench)
{
    for (auto _ : bench)
        benchmark::DoNotOptimize(selector::parse(text));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(selector_parse);

// A service looking through n pods.
void selector_matches(benchmark::State& bench)
{
    auto const s = selector::parse(text).value();
    std::vector const pods(static_cast<std::size_t>(bench.range(0)), labels);
    for (auto _ : bench) {
        std::size_t n = 0;
        for (auto const& pod : pods)
            n += s.matches(pod);
        benchmark::DoNotOptimize(n);
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
    bench.SetComplexityN(bench.range(0));
}
BENCHMARK(selector_matches)->RangeMultiplier(10)->Range(10, 10'000)->Complexity(benchmark::oN);

// The same on a vector of pairs, without lookup.
void selector_matches_pairs(benchmark::State& bench)
{
    auto const s = selector::parse(text).value();
    std::vector<std::pair<std::string, std::string>> const pairs(labels.begin(), labels.end());
    for (auto _ : bench)
        benchmark::DoNotOptimize(s.matches(pairs));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(selector_matches_pairs);

// A scheduler asking one node.
void node_selector_matches(benchmark::State& bench)
{
    using namespace podium::labels;
    node_selector const s(
        std::vector<node_selector_term>{{.match_expressions = {{"zone", op::in, {"b", "c"}}}},
            {.match_expressions = {{"tier", op::exists, {}}}}});
    for (auto _ : bench)
        benchmark::DoNotOptimize(s.matches_node(labels, "node-1"));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(node_selector_matches);

}  // namespace

BENCHMARK_MAIN();
