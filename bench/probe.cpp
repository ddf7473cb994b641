#include "allocations.hpp"

#include <podium/probe.hpp>

#include <benchmark/benchmark.h>
#include <cstddef>
#include <vector>

namespace probe = podium::probe;

namespace {

// A node agent's tick: n containers with all three probes, each answers one check and begins the next.
void probe_step(benchmark::State& bench)
{
    probe::policies const policies{
        .startup = probe::policy{}, .readiness = probe::policy{}, .liveness = probe::policy{}};
    podium::time_point now{};
    std::vector<probe::monitor> monitors(
        static_cast<std::size_t>(bench.range(0)), probe::start(policies, 1, now));
    for (auto& m : monitors) {
        m = probe::step(policies, m, {}, now).next;
        m = probe::step(
            policies, m, {.answer = {{{1, probe::kind::startup, 1}, probe::outcome::success}}}, now)
                .next;
    }
    auto const before = allocations;
    for (auto _ : bench) {
        for (auto& m : monitors) {
            probe::ticket const asked{1, probe::kind::readiness, m.readiness.sequence};
            m = probe::step(policies, m, {.answer = {{asked, probe::outcome::success}}}, now).next;
        }
        now += policies.readiness->period;
        benchmark::DoNotOptimize(monitors.data());
    }
    if (allocations != before)
        bench.SkipWithError("an observation allocated");
    bench.counters["allocations"] = static_cast<double>(allocations - before);
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(probe_step)->Arg(100)->Arg(10'000);

}  // namespace

BENCHMARK_MAIN();
