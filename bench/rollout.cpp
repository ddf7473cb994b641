#include <podium/rollout.hpp>

#include <benchmark/benchmark.h>
#include <cstddef>
#include <string>
#include <vector>

namespace rollout = podium::rollout;

namespace {

// A whole rolling update of 100 replicas by step alone: the sets' status follows their size at once.
void rolling_100_replicas(benchmark::State& bench)
{
    rollout::deployment const wanted{.replicas = 100, .bounds = {.surge = 25, .unavailable = 25}};
    rollout::replica_set const serving{
        .name = "a", .revision = 1, .replicas = 100, .status_replicas = 100, .ready = 100, .available = 100};
    rollout::workspace room;
    std::vector<rollout::replica_set> sets;
    std::int64_t steps = 0;
    for (auto _ : bench) {
        sets.assign(1, serving);
        rollout::status status;
        podium::time_point now{};
        for (bool changed = true; changed; ++steps) {
            now += std::chrono::seconds(1);
            auto const r = rollout::step(wanted, status, sets, now, room);
            changed = !r.todo.empty() || r.next != status;
            status = r.next;
            for (auto const& a : r.todo) {
                if (a.what == rollout::verb::create_set)
                    sets.push_back({.name = "b", .created_at = now, .matches_template = true});
                auto& set = a.set == rollout::no_set ? sets.back() : sets[a.set];
                set.replicas = a.to;
                set.revision = a.after.revision;
            }
            for (auto& set : sets)
                set.status_replicas = set.ready = set.available = set.replicas;
        }
        benchmark::DoNotOptimize(status);
    }
    bench.SetItemsProcessed(steps);
}
BENCHMARK(rolling_100_replicas);

// A step with nothing to do, over a history of n sets: what most syncs of a quiet cluster are.
void quiet_step(benchmark::State& bench)
{
    auto const n = bench.range(0);
    rollout::deployment const wanted{.replicas = 100, .revision_history_limit = {}};
    std::vector<rollout::replica_set> sets;
    for (std::int64_t i = 1; i <= n; ++i)
        sets.push_back({.name = "set", .created_at = podium::time_point(podium::duration(i)), .revision = i});
    auto& serving = sets.back();
    serving.matches_template = true;
    serving.replicas = serving.status_replicas = serving.ready = serving.available = 100;
    rollout::workspace room;
    auto status = rollout::step(wanted, {}, sets, {}, room).next;
    for (auto _ : bench)
        benchmark::DoNotOptimize(rollout::step(wanted, status, sets, {}, room));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(quiet_step)->Arg(1)->Arg(11)->Arg(100);

// Which of n pods go first when a set shrinks.
void rank_victims(benchmark::State& bench)
{
    auto const n = static_cast<std::size_t>(bench.range(0));
    std::vector<std::string> uids;
    for (std::size_t i = 0; i < n; ++i)
        uids.push_back(std::to_string(i * 7919 % 1000003));
    std::vector<rollout::candidate> pods;
    podium::time_point const now{std::chrono::hours(1000)};
    for (std::size_t i = 0; i < n; ++i)
        pods.push_back({.uid = uids[i],
            .node = "n",
            .ready_since = now - std::chrono::seconds(i * 31 % 997),
            .pods_on_node = static_cast<std::uint32_t>(i % 3)});
    for (auto _ : bench) {
        auto ranked = pods;
        rollout::rank_victims(ranked, now);
        benchmark::DoNotOptimize(ranked.data());
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(rank_victims)->Arg(100)->Arg(10'000);

}  // namespace

BENCHMARK_MAIN();
