// What a scheduler costs its user: one decision and bind, by number of nodes. The nodes and pods are those of
// Kubernetes' scheduler_perf: 4 cores, 32 GiB, 110 pods; a pod asks for 100m and 500 MiB (a tenth of the cpu
// where many pods must fit). All nodes are looked at.

#include <podium/schedule.hpp>

#include <benchmark/benchmark.h>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct node {
    std::int64_t cpu_milli = 4000;
    std::int64_t memory_bytes = std::int64_t{32} << 30;
    std::int64_t pods = 110;
    bool cordoned = false;
    std::vector<schedule::taint> taints{};
};
struct pod {
    std::int64_t cpu_milli = 100;
    std::int64_t memory_bytes = 500 << 20;
};

using cpu = schedule::resource<"cpu", &node::cpu_milli, &pod::cpu_milli>;
using memory = schedule::resource<"memory", &node::memory_bytes, &pod::memory_bytes>;
using slots = schedule::pod_slots<&node::pods>;
using tolerated = schedule::taint_toleration<&node::taints>;
using rules = schedule::pipeline<node, pod,
    schedule::filters<schedule::node_unschedulable<&node::cordoned>, tolerated,
        schedule::fit<cpu, memory, slots>>,
    schedule::scores<schedule::weighted<tolerated, 3>,
        schedule::weighted<schedule::least_allocated<cpu, memory>>,
        schedule::weighted<schedule::balanced_allocation<cpu, memory>>>>;

schedule::snapshot<rules> cluster(std::int64_t nodes, node const& each = {})
{
    schedule::snapshot<rules> s;
    for (std::int64_t i = 0; i < nodes; ++i)
        s.set("node-" + std::to_string(i), each);
    return s;
}

/// A Deployment of 100,000 replicas onto an empty cluster, in one go.
void schedule_like_pods(benchmark::State& state)
{
    auto const empty = cluster(state.range(0));
    std::int64_t const count = 100'000;
    for (auto _ : state) {
        schedule::scheduler<rules> s(empty);
        auto out = s.place({.cpu_milli = 10, .memory_bytes = 50 << 20}, count);
        if (out.refused)
            state.SkipWithError("not all placed");
        benchmark::DoNotOptimize(out.nodes.data());
    }
    state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(schedule_like_pods)->Arg(1'000)->Arg(5'000)->Arg(50'000)->Unit(benchmark::kMillisecond);

/// One pod at a time, of so many templates in turn.
void schedule_templates_in_turn(benchmark::State& state)
{
    auto const empty = cluster(state.range(0));
    auto const templates = state.range(1);
    std::int64_t const count = 10'000;
    for (auto _ : state) {
        schedule::scheduler<rules> s(empty, {}, {.classes = 128});
        for (std::int64_t i = 0; i < count; ++i)
            benchmark::DoNotOptimize(
                s.place({.cpu_milli = 10 + i % templates, .memory_bytes = 50 << 20}).node);
    }
    state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(schedule_templates_in_turn)->Args({5'000, 1})->Args({5'000, 100})->Unit(benchmark::kMillisecond);

/// No two pods alike: every decision is a scan of all nodes.
void schedule_all_different(benchmark::State& state)
{
    schedule::scheduler<rules> s(cluster(state.range(0), {.cpu_milli = 1 << 30, .pods = 1 << 30}));
    std::int64_t i = 0;
    for (auto _ : state)
        benchmark::DoNotOptimize(s.place({.cpu_milli = 10 + ++i, .memory_bytes = 0}).node);
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(schedule_all_different)->Arg(1'000)->Arg(5'000)->Unit(benchmark::kMicrosecond);

/// Why not, for every node by every plugin.
void schedule_explain(benchmark::State& state)
{
    schedule::scheduler<rules> s(cluster(state.range(0)));
    for (auto _ : state)
        benchmark::DoNotOptimize(s.explain({}).decision.node);
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(schedule_explain)->Arg(1'000)->Unit(benchmark::kMicrosecond);

// Pods through the queue: half are refused once, an event helps them, and their back-off passes.
void schedule_pod_queue(benchmark::State& bench)
{
    auto const count = static_cast<std::uint32_t>(bench.range(0));
    for (auto _ : bench) {
        schedule::pod_queue<std::uint32_t> q;
        podium::time_point now{};
        for (std::uint32_t i = 0; i < count; ++i)
            q.add(i, {.priority = static_cast<std::int32_t>(i % 10)}, now);
        std::uint32_t placed = 0;
        for (int round = 0; round < 2; ++round) {
            while (auto const* pod = q.pop())
                if (round == 0 && *pod % 2 == 0)
                    q.refused(*pod, schedule::plugin_bit(0), now);
                else
                    placed += q.done(*pod);
            now += std::chrono::minutes(1);
            q.notify(schedule::plugin_bit(0), now);
        }
        if (placed != count || q.size() != 0)
            return bench.SkipWithError("not every pod was placed once");
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(schedule_pod_queue)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
