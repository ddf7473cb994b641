// What a scheduler costs its user: Kubernetes' default profile, with all nodes looked at for each pod.
//
//   schedule/WORKLOAD/NODES      pods wait in a queue; until the last is bound (see scheduler_workloads.hpp)
//   cycle/WORKLOAD/NODES         one decision, over and over with nothing bound in between
//   one_template/SHAPE/NODES     a Deployment onto an empty cluster, 20 pods a node (one, where they keep
//   apart) templates_in_turn/100/NODES  one pod at a time, of so many templates all_different/NODES no two
//   pods ask for the same, else they are alike preempt, explain, pod_queue  who must go for one pod; why not,
//   for every node; the queue alone fill/NODES                   the mix in five sizes until nothing fits:
//   how many, and how even the nodes are memory/NODES/PODS            what a large cluster takes
//
// --pods=N places at most N pods of each workload. Each case checks what was decided; when that is wrong, it
// and the program fail.

#include "scheduler_workloads.hpp"

#include <benchmark/benchmark.h>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <malloc.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace scheduler_workloads;

bool failed = false;

void fail(benchmark::State& bench, std::string_view why)
{
    failed = true;
    std::fprintf(stderr, "bench_schedule: %s\n", std::string(why).c_str());
    bench.SkipWithError(std::string(why).c_str());
}
void set_items(benchmark::State& bench, std::size_t each)
{
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(each));
}

using occupants = std::vector<schedule::occupant<pod>>;

using evictions = schedule::evictions<rules>;

/// Ends those that are in the way, and places the pod there. The pods' ids are their places in `by_id`.
schedule::decision make_room(scheduler& s, evictions& index, std::vector<pod const*> const& by_id,
    pod const& p, std::int32_t priority, std::vector<move>& moves)
{
    auto const found = index.find(s.nodes(), p, {.priority = priority});
    if (!found.best)
        return {};
    auto const node = found.best->node;
    for (auto const id : found.best->pods) {
        s.unbind(s.nodes().name(node), *by_id[id]);
        moves.push_back({.who = by_id[id], .node = node, .leaves = true});
        index.remove(id);
    }
    return s.place(p);
}

void drain(benchmark::State& bench, workload const& w, std::size_t nodes, std::size_t most)
{
    auto const before = cluster_of(w, nodes);
    auto const witness = referee_of(before, w.zones);
    std::vector<pod> pods;
    for (std::size_t i = 0; i < std::min(most, w.at(nodes).measured); ++i)
        pods.push_back(w.measured_pod(i));
    bool const preempts = w.priority > 0;
    std::vector<pod const*> by_id;
    for (auto const* const all : {&before.init, &std::as_const(pods)})
        for (auto const& p : *all)
            by_id.push_back(&p);

    std::optional<scheduler> s;
    std::optional<schedule::pod_queue<std::uint32_t>> q;
    std::optional<evictions> index;
    std::vector<move> moves;
    for (auto _ : bench) {
        bench.PauseTiming();
        s.emplace(before.nodes);
        q.emplace();
        index.emplace();
        for (std::uint32_t i = 0; preempts && i < before.init.size(); ++i)
            index->add(i, {.node = before.on[i], .pod = &before.init[i]});
        moves.clear();
        moves.reserve(4 * pods.size());
        podium::time_point const now{};
        for (std::uint32_t i = 0; i < pods.size(); ++i)
            q->add(i, {.priority = w.priority}, now);
        bench.ResumeTiming();

        while (auto const* const next = q->pop()) {
            auto const i = *next;
            auto d = s->place(pods[i]);
            if (!d.node && preempts)
                d = make_room(*s, *index, by_id, pods[i], w.priority, moves);
            if (!d.node)
                break;
            if (preempts)
                index->add(static_cast<std::uint32_t>(before.init.size()) + i,
                    {.node = *d.node, .pod = &pods[i], .priority = w.priority});
            moves.push_back({.who = &pods[i], .node = *d.node});
            q->done(i);
        }

        bench.PauseTiming();
        if (q->size() != 0)
            return fail(bench, "not all pods were placed");
        if (preempts && moves.size() != 4 * pods.size())
            return fail(bench, "not three pods had to go for each");
        if (auto const wrong = judge(witness, moves); !wrong.empty())
            return fail(bench, wrong);
        bench.ResumeTiming();
    }
    set_items(bench, pods.size());
    bench.counters["pods"] = static_cast<double>(pods.size());
}

void cycle(benchmark::State& bench, workload const& w, std::size_t nodes)
{
    auto const before = cluster_of(w, nodes);
    scheduler s(before.nodes);
    bool const full =
        w.priority > 0 && before.init.size() >= 4 * nodes;  // those that must preempt fit nowhere
    std::vector<pod> pods;
    for (std::size_t i = 0; i < 64; ++i)
        pods.push_back(w.measured_pod(i));
    std::size_t i = 0;
    for (auto _ : bench) {
        auto const& p = pods[i++ % pods.size()];
        auto const d = s.decide(p);
        if (d.node.has_value() == full)
            return fail(bench, "a pod was not decided");
        benchmark::DoNotOptimize(d.node);
    }
    set_items(bench, 1);
}

void one_template(benchmark::State& bench, shape make, std::size_t nodes)
{
    auto const count = make == &anti ? nodes : 20 * nodes;
    auto const empty = bare_cluster(nodes, moon);
    auto const p = make(0, "sched-1");
    std::optional<scheduler> s;
    schedule::placed out;
    for (auto _ : bench) {
        bench.PauseTiming();
        s.emplace(empty.nodes);
        bench.ResumeTiming();
        out = s->place(p, count);
        bench.PauseTiming();
        if (out.refused || out.nodes.size() != count)
            return fail(bench, "not all pods were placed");
        std::vector<move> moves;
        for (auto const node : out.nodes)
            moves.push_back({.who = &p, .node = node});
        if (auto const wrong = judge(referee(nodes, moon), moves); !wrong.empty())
            return fail(bench, wrong);
        bench.ResumeTiming();
    }
    set_items(bench, count);
}

void templates_in_turn(benchmark::State& bench)
{
    auto const templates = static_cast<std::size_t>(bench.range(0));
    auto const empty = bare_cluster(static_cast<std::size_t>(bench.range(1)), zone1);
    std::vector<pod> pods;
    for (std::size_t i = 0; i < 10'000; ++i) {
        pods.push_back(basic(i, "default"));
        pods.back().requests.cpu_milli = 10 + static_cast<std::int64_t>(i % templates);
    }
    std::optional<scheduler> s;
    for (auto _ : bench) {
        bench.PauseTiming();
        s.emplace(empty.nodes, rules{}, schedule::options{.classes = 128});
        std::vector<move> moves;
        moves.reserve(pods.size());
        bench.ResumeTiming();
        for (auto const& p : pods)
            if (auto const d = s->place(p); d.node)
                moves.push_back({.who = &p, .node = *d.node});
        bench.PauseTiming();
        if (moves.size() != pods.size())
            return fail(bench, "not all pods were placed");
        if (auto const wrong = judge(referee(empty.nodes.size(), zone1), moves); !wrong.empty())
            return fail(bench, wrong);
        bench.ResumeTiming();
    }
    set_items(bench, pods.size());
}
BENCHMARK(templates_in_turn)->Args({100, 1'000})->Args({100, 5'000})->Unit(benchmark::kMillisecond);

void all_different(benchmark::State& bench)
{
    schedule::snapshot<rules> nodes;
    for (std::size_t i = 0; i < static_cast<std::size_t>(bench.range(0)); ++i) {
        auto n = node_of(i, zone1);
        n.allocatable = {.cpu_milli = 1 << 30, .memory_bytes = std::int64_t{1} << 43, .pods = 1 << 30};
        nodes.set(n.name, n);
    }
    scheduler s(std::move(nodes));
    auto p = basic(0, "default");
    for (auto _ : bench) {
        ++p.requests.cpu_milli;
        if (!s.place(p).node)
            return fail(bench, "a pod was not placed");
    }
    set_items(bench, 1);
}
BENCHMARK(all_different)->Arg(1'000)->Arg(5'000)->Unit(benchmark::kMicrosecond);

void preempt(benchmark::State& bench)
{
    auto const& w = workloads().back();
    auto const before = cluster_of(w, static_cast<std::size_t>(bench.range(0)));
    scheduler const s(before.nodes);
    occupants living;
    for (std::size_t i = 0; i < before.init.size(); ++i)
        living.push_back({.node = before.on[i], .pod = &before.init[i]});
    auto const p = w.measured_pod(0);
    for (auto _ : bench) {
        auto const found = schedule::preempt(s.rules(), s.nodes(), p, {.priority = w.priority}, living);
        bool const right = found.candidates.size() == before.nodes.size() &&
            std::ranges::all_of(found.candidates, [](auto const& c) { return c.pods.size() == 3; });
        if (!right)
            return fail(bench, "not three pods of each node would have to go");
    }
    set_items(bench, 1);
}
BENCHMARK(preempt)->Arg(5'000)->Unit(benchmark::kMillisecond);

/// Each node refuses by two plugins.
void explain(benchmark::State& bench)
{
    auto const c = bare_cluster(static_cast<std::size_t>(bench.range(0)), moon);
    scheduler const s(c.nodes);
    auto p = in_zone(0, "default");
    p.requests.cpu_milli = 5000;
    for (auto _ : bench) {
        auto const why = s.explain(p);
        bool const right = !why.decision.node && why.nodes.size() == c.nodes.size() &&
            std::ranges::all_of(why.nodes, [](auto const& n) { return n.reasons.size() == 2; });
        if (!right)
            return fail(bench, "not each node says both why not");
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(explain)->Arg(1'000)->Unit(benchmark::kMicrosecond);

/// Half are refused once, an event helps them, and their back-off passes.
void pod_queue(benchmark::State& bench)
{
    auto const count = static_cast<std::uint32_t>(bench.range(0));
    for (auto _ : bench) {
        schedule::pod_queue<std::uint32_t> q;
        podium::time_point now{};
        for (std::uint32_t i = 0; i < count; ++i)
            q.add(i, {.priority = static_cast<std::int32_t>(i % 10)}, now);
        std::uint32_t placed = 0;
        for (int round = 0; round < 2; ++round) {
            while (auto const* const next = q.pop())
                if (round == 0 && *next % 2 == 0)
                    q.refused(*next, schedule::plugin_bit(0), now);
                else
                    placed += q.done(*next);
            now += std::chrono::minutes(1);
            q.notify(schedule::plugin_bit(0), now);
        }
        if (placed != count || q.size() != 0)
            return fail(bench, "not every pod was placed once");
    }
    bench.SetItemsProcessed(bench.iterations() * bench.range(0));
}
BENCHMARK(pod_queue)->Arg(1'000)->Arg(100'000)->Unit(benchmark::kMillisecond);

/// A pod that fits nowhere counts out all like it (of that shape and size), since nothing leaves; until all
/// 35 are out.
void fill(benchmark::State& bench)
{
    auto const nodes = static_cast<std::size_t>(bench.range(0));
    for (auto _ : bench) {
        scheduler s(bare_cluster(nodes, zone1).nodes);
        referee all(nodes, zone1);
        std::size_t placed = 0;
        double half = 0;
        std::array<bool, 35> out{};
        for (std::size_t i = 0; std::ranges::count(out, false) != 0; ++i) {
            if (out[i % out.size()])
                continue;
            auto const p = sized_mix(i, "sched-1");
            auto const d = s.place(p);
            if (!d.node) {
                out[i % out.size()] = true;
                continue;
            }
            if (auto const wrong = all.judge({.who = &p, .node = *d.node}); !wrong.empty())
                return fail(bench, wrong);
            if (++placed == 3 * nodes)
                half = all.deviation();
        }
        bench.counters["placed"] = static_cast<double>(placed);
        bench.counters["deviation_half"] =
            half;  // of the nodes' use of cpu, in percent; with three pods a node
        bench.counters["deviation_full"] = all.deviation();
    }
}
BENCHMARK(fill)->Arg(1'000)->Iterations(1)->Unit(benchmark::kMillisecond);

/// What the system has given this process, after what can be given back is.
double resident_bytes()
{
    malloc_trim(0);
    std::ifstream statm("/proc/self/statm");
    double all = 0;
    double pages = 0;
    statm >> all >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// The mix, a seventh of the pods of each shape at a time.
void memory(benchmark::State& bench)
{
    auto const nodes = static_cast<std::size_t>(bench.range(0));
    auto const pods = static_cast<std::size_t>(bench.range(1));
    for (auto _ : bench) {
        auto const start = resident_bytes();
        scheduler s;
        for (std::size_t i = 0; i < nodes; ++i)
            s.set(node_of(i, zone1).name, node_of(i, zone1));
        auto const with_nodes = resident_bytes();
        std::size_t placed = 0;
        for (std::size_t shape = 0; shape < 7; ++shape)
            placed += s.place(mix(shape, "sched-1"), pods * (shape + 1) / 7 - pods * shape / 7).nodes.size();
        auto const with_pods = resident_bytes();
        if (placed != pods)
            return fail(bench, "not all pods were placed");
        if (with_pods - start > double(1 << 30))
            fail(bench, "it takes more than 1 GiB");
        bench.counters["MiB"] = (with_pods - start) / double(1 << 20);
        bench.counters["bytes_per_node"] = (with_nodes - start) / static_cast<double>(nodes);
        bench.counters["bytes_per_pod"] = (with_pods - with_nodes) / static_cast<double>(pods);
    }
}

void add_cases(std::size_t most)
{
    auto const add = [](std::string const& name, std::size_t nodes, auto run) {
        return benchmark::RegisterBenchmark((name + '/' + std::to_string(nodes)).c_str(), run)
            ->Unit(benchmark::kMicrosecond)
            ->MeasureProcessCPUTime();
    };
    for (auto const& w : workloads()) {
        for (std::size_t const nodes : {1'000u, 5'000u})
            add("schedule/" + w.name, nodes,
                [&w, nodes, most](auto& bench) { drain(bench, w, nodes, most); });
        for (std::size_t const nodes : {100u, 1'000u, 5'000u, 15'000u})
            add("cycle/" + w.name, nodes, [&w, nodes](auto& bench) { cycle(bench, w, nodes); });
    }
    constexpr std::array<std::pair<char const*, shape>, 5> shapes{{{"basic", basic}, {"anti_affinity", anti},
        {"affinity", near}, {"spread_hard", spread<true>}, {"spread_soft", spread<false>}}};
    for (auto const& one : shapes)
        for (std::size_t const nodes : {1'000u, 5'000u, 50'000u})
            add(std::string("one_template/") + one.first, nodes,
                [make = one.second, nodes](auto& bench) { one_template(bench, make, nodes); });
}

}  // namespace

int main(int count, char** arguments)
{
    std::size_t most = SIZE_MAX;
    std::vector<char*> rest;
    for (int i = 0; i < count; ++i)
        if (std::string_view const a = arguments[i]; a.starts_with("--pods=")) {
            auto const wanted = std::strtoull(arguments[i] + 7, nullptr, 10);
            most = wanted != 0 ? static_cast<std::size_t>(wanted) : SIZE_MAX;
        } else {
            rest.push_back(arguments[i]);
        }
    count = static_cast<int>(rest.size());
    benchmark::Initialize(&count, rest.data());
    if (benchmark::ReportUnrecognizedArguments(count, rest.data()))
        return 1;
    benchmark::RegisterBenchmark("memory", memory)
        ->Args({50'000, 1'000'000})
        ->Iterations(1)
        ->Unit(benchmark::kSecond);
    add_cases(most);
    benchmark::RunSpecifiedBenchmarks();
    return failed ? 1 : 0;
}
