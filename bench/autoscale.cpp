#include "allocations.hpp"

// What a decision of the autoscaler costs: from pods and an answer of metrics in memory to a size, reasons
// and the next state (hpa/..., the workloads that Kubernetes' own controller is timed on). It allocates
// nothing, which is counted here.
#include <podium/autoscale.hpp>

#include <array>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace autoscale = podium::autoscale;
using namespace std::chrono_literals;

namespace {

constexpr podium::time_point start{std::chrono::hours(24 * 365 * 30)};
constexpr podium::time_point now = start + 1h;

// A cached pod, of a type that the library knows nothing about.
struct pod {
    std::string name{};
    std::string app{};
    std::array<std::int64_t, 2> cpu_requests_milli{100, 25};
    bool ready = true;
    podium::time_point started{};
};

// The answer of a metrics server: by name, in order.
struct measured {
    std::string name{};
    std::int64_t cpu_milli = 0;
    podium::time_point at{};
    podium::duration window{};
};

struct target {
    std::vector<pod> pods{};
    std::vector<measured> metrics{};
    autoscale::state state{};
};

target make_target(int app, int size)
{
    target t;
    for (int p = 0; p < size; ++p) {
        auto digits = std::to_string(p);
        digits.insert(0, 5 - digits.size(), '0');
        auto const name = "app-" + std::to_string(app) + '-' + digits;
        t.pods.push_back(
            {.name = name, .app = "app-" + std::to_string(app), .ready = p % 50 != 1, .started = start});
        if (p % 50 != 0)
            t.metrics.push_back({.name = name, .cpu_milli = 100 + p * 37 % 51, .at = now, .window = 30s});
    }
    return t;
}

autoscale::policy policy_for(std::int32_t max)
{
    using unit = autoscale::scaling_policy::unit;
    autoscale::policy p;
    p.max_replicas = max;
    p.metrics = {{.from = autoscale::source::resource,
        .name = "cpu",
        .aim = autoscale::target::utilization,
        .target_percent = 80}};
    p.behavior = autoscale::behavior{
        .scale_up = {.stabilization_window = 0s,
            .policies = {{.of = unit::percent, .value = 100}, {.of = unit::pods, .value = 4}}},
        .scale_down = {.stabilization_window = 300s, .policies = {{.of = unit::percent, .value = 100}}}};
    return p;
}

// Joins pods with their metrics by name as it goes.
auto joined(std::vector<measured> const& metrics)
{
    return [next = metrics.begin(), end = metrics.end()](pod const& p) mutable {
        autoscale::sample s{
            .readiness = p.ready ? autoscale::readiness::ready : autoscale::readiness::not_ready,
            .started_at = p.started,
            .readiness_since = p.started};
        std::int64_t request = 0;
        for (auto const milli : p.cpu_requests_milli)
            request += milli;
        s.request_milli = request;
        if (next != end && next->name == p.name) {
            s.value_milli = next->cpu_milli;
            s.measured_at = next->at;
            s.window = next->window;
            ++next;
        }
        return s;
    };
}

autoscale::decision reconcile(autoscale::policy const& p, target& t, autoscale::workspace& room)
{
    auto const seen = autoscale::observe(p, t.pods, joined(t.metrics), now, room);
    auto out = autoscale::step(p, std::move(t.state), seen, now, room);
    t.state = std::move(out.next);
    return out.todo;
}

void reconcile_1hpa(benchmark::State& bench)
{
    auto const p = policy_for(1000);
    auto t = make_target(0, 1000);
    autoscale::workspace room;
    autoscale::decision done;
    for (int i = 0; i < 3; ++i)  // until the lists have grown
        done = reconcile(p, t, room);
    if (done.desired != 1000 || done.scale_to || done.proposals[0].replicas <= 1000)
        return bench.SkipWithError("another decision than Kubernetes'");
    auto const before = allocations;
    for (auto _ : bench) {
        done = reconcile(p, t, room);
        benchmark::DoNotOptimize(done);
    }
    if (allocations != before)
        bench.SkipWithError("a decision allocated");
    bench.counters["desired"] = done.desired;
    bench.counters["writes"] = done.scale_to.has_value();
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(reconcile_1hpa)->Name("hpa/reconcile_1hpa_1000pods");

// Without tolerance, as the workload says.
void replica_calculator(benchmark::State& bench)
{
    auto p = policy_for(1000);
    p.tolerance = 0;
    auto const t = make_target(0, 1000);
    autoscale::sizes const size{.wanted = 1000, .existing = 1000};
    autoscale::proposal asked;
    for (auto _ : bench) {
        autoscale::reading const seen{
            .value_milli = {}, .pods = autoscale::count(p, p.metrics[0], t.pods, joined(t.metrics), now)};
        asked = autoscale::propose(p, p.metrics[0], seen, size);
        benchmark::DoNotOptimize(asked);
    }
    if (asked.replicas != 1200)
        bench.SkipWithError("another proposal than Kubernetes'");
    bench.counters["proposal"] = static_cast<double>(asked.replicas);
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(replica_calculator)->Name("hpa/replica_calculator_1000pods");

// 100 namespaces with 100 autoscalers each; a target's pods are found by the value of their label.
void sync_10000hpas(benchmark::State& bench)
{
    auto const p = policy_for(10);
    std::vector<std::map<std::string, target, std::less<>>> namespaces(100);
    std::vector<std::string> apps;
    for (int app = 0; app < 100; ++app)
        apps.push_back("app-" + std::to_string(app));
    for (auto& ns : namespaces)
        for (int app = 0; app < 100; ++app)
            ns.emplace(apps[static_cast<std::size_t>(app)], make_target(app, 10));
    autoscale::workspace room;
    std::size_t writes = 0;
    auto const sync = [&] {
        for (auto& ns : namespaces)
            for (auto const& app : apps)
                writes += reconcile(p, ns.find(app)->second, room).scale_to.has_value();
    };
    for (int i = 0; i < 3; ++i)  // until the lists have grown
        sync();
    auto const before = allocations;
    for (auto _ : bench)
        sync();
    if (allocations != before)
        bench.SkipWithError("a decision allocated");
    if (writes != 0)
        bench.SkipWithError("there was something to write");
    bench.counters["writes"] = static_cast<double>(writes);
    bench.SetItemsProcessed(bench.iterations() * 10'000);
}
BENCHMARK(sync_10000hpas)->Name("hpa/sync_10000hpas_10pods")->Unit(benchmark::kMicrosecond);

// The limits alone, after an hour of load that goes up and down.
void step_in_a_storm(benchmark::State& bench)
{
    autoscale::policy p;
    p.max_replicas = 100;
    p.metrics = {{.from = autoscale::source::external, .name = "queue", .target_milli = 1000}};
    p.behavior.emplace();
    autoscale::workspace room;
    room.readings.resize(1);
    autoscale::state s;
    std::int32_t size = 10;
    podium::time_point t = start;
    std::size_t before = 0;
    std::int64_t i = 0;
    auto const step = [&] {
        room.readings[0].value_milli = (10 + 7 * i % 60) * 1000;
        autoscale::observed const seen{
            .size = {.wanted = size, .existing = size, .pods = size, .ready_pods = size},
            .readings = room.readings};
        auto out = autoscale::step(p, std::move(s), seen, t, room);
        s = std::move(out.next);
        size = out.todo.desired;
        t += 15s;
        ++i;
    };
    while (i < 240)
        step();
    before = allocations;
    for (auto _ : bench)
        step();
    if (allocations != before)
        bench.SkipWithError("a decision allocated");
    benchmark::DoNotOptimize(size);
}
BENCHMARK(step_in_a_storm)->Name("autoscale_step");

}  // namespace

BENCHMARK_MAIN();
