// What selectors cost: read, matched one by one, and asked of an index both ways. The workloads selector/...
// are those that Kubernetes' own code is timed on. A match allocates nothing, nor does a look-up: counted
// here.
#include <podium/labels.hpp>

#include <array>
#include <benchmark/benchmark.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <malloc.h>
#include <map>
#include <new>
#include <string>
#include <vector>

namespace {
std::size_t allocations = 0, bytes_held = 0;
}  // namespace

// Not inlined, or gcc 12 sees malloc beside delete and warns.
[[gnu::noinline]] void* operator new(std::size_t n)
{
    ++allocations;
    if (void* const p = std::malloc(n)) {
        bytes_held += malloc_usable_size(p);
        return p;
    }
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept
{
    if (p)
        bytes_held -= malloc_usable_size(p);
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept
{
    operator delete(p);
}

namespace labels = podium::labels;
using podium::labels::selector;

namespace {

using label_list = std::vector<std::pair<std::string, std::string>>;
using label_map = std::map<std::string, std::string>;

// -- The workload's labels and selectors ----------------------------------------------------------------

constexpr std::array<char const*, 5> selectors{"app=app-7", "app=app-7,tier=tier-1,env=env-2",
    "env in (env-1,env-2),tier notin (tier-0),track,!owner", "app!=app-7",
    "app in (app-0,app-1,app-2,app-3,app-4,app-5,app-6,app-7,app-8,app-9,app-10,app-11,app-12,app-13,app-14,"
    "app-15,app-16,app-17,app-18,app-19)"};

struct splitmix {
    std::uint64_t s;
    std::uint64_t below(std::uint64_t n)
    {
        s += 0x9e3779b97f4a7c15;
        auto z = s;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return (z ^ (z >> 31)) % n;
    }
};
label_list draw(splitmix& random)
{
    struct kind {
        char const* key;
        char const* prefix;
        std::uint64_t count;
    };
    static constexpr std::array<kind, 10> kinds{
        {{"app", "app-", 1000}, {"tier", "tier-", 5}, {"env", "env-", 4}, {"version", "v", 50},
            {"team", "team-", 100}, {"region", "region-", 8}, {"zone", "zone-", 24}, {"track", "track-", 3},
            {"component", "component-", 200}, {"owner", "owner-", 500}}};
    label_list out;
    auto const n = 5 + random.below(6);
    for (std::size_t i = 0; i < n; ++i)
        out.emplace_back(kinds[i].key, kinds[i].prefix + std::to_string(random.below(kinds[i].count)));
    return out;
}
label_map map_of(label_list const& l)
{
    return {l.begin(), l.end()};
}

void check(benchmark::State& bench, std::size_t got, std::size_t expected)
{
    bench.counters["hits"] = static_cast<double>(got);
    if (got != expected)
        bench.SkipWithError(("hits " + std::to_string(got) + ", not " + std::to_string(expected)).c_str());
}

// -- One by one -----------------------------------------------------------------------------------------

void parse(benchmark::State& bench)
{
    std::string const text = selectors[static_cast<std::size_t>(bench.range(0)) - 1];
    for (auto _ : bench)
        benchmark::DoNotOptimize(selector::parse(text));
    bench.SetItemsProcessed(bench.iterations());
    bench.counters["requirements"] = static_cast<double>(selector::parse(text)->requirements().size());
}
BENCHMARK(parse)->Name("selector/parse/S")->DenseRange(1, 5);

constexpr std::size_t million = 1'000'000;
constexpr std::array<std::size_t, 5> hits_of_a_million{1012, 49, 133473, 998988, 19974};

struct packed_million {
    labels::label_pool pool{};
    std::vector<labels::label_set> sets{};
    double bytes = 0;
    packed_million()
    {
        auto const before = bytes_held;
        sets.reserve(million);
        splitmix random{1};
        for (std::size_t i = 0; i < million; ++i)
            sets.push_back(pool.pack(draw(random)));
        bytes = static_cast<double>(bytes_held - before) / million;
    }
};
packed_million const& packed()
{
    static packed_million const all;
    return all;
}

void match_1m(benchmark::State& bench)
{
    auto const& all = packed();
    auto const which = static_cast<std::size_t>(bench.range(0)) - 1;
    auto const before = allocations;
    labels::label_filter const filter(all.pool, selector::parse(selectors[which]).value());
    auto const made = allocations;
    std::size_t hits = 0;
    for (auto _ : bench) {
        hits = 0;
        for (auto const& set : all.sets)
            hits += filter.matches(set);
        benchmark::DoNotOptimize(hits);
    }
    if (allocations != made)
        return bench.SkipWithError("it allocates");
    bench.counters["to make a filter"] = static_cast<double>(made - before);
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(million));
    check(bench, hits, hits_of_a_million[which]);
}
BENCHMARK(match_1m)->Name("selector/match_1M/S")->DenseRange(1, 5)->Unit(benchmark::kMillisecond);

// One set at a time out of the same million, for the bytes that a set takes.
void labelset_memory(benchmark::State& bench)
{
    auto const& all = packed();
    for (auto _ : bench)
        benchmark::DoNotOptimize(all.sets.data());
    bench.counters["bytes per set"] = all.bytes;
}
BENCHMARK(labelset_memory)->Name("selector/labelset_memory")->Iterations(1);

// The same on objects' own std::map, a hundred thousand of them: what needs no pool.
void match_maps(benchmark::State& bench)
{
    static auto const all = [] {
        std::vector<label_map> out;
        splitmix random{1};
        for (std::size_t i = 0; i < 100'000; ++i)
            out.push_back(map_of(draw(random)));
        return out;
    }();
    auto const s = selector::parse(selectors[static_cast<std::size_t>(bench.range(0)) - 1]).value();
    auto const before = allocations;
    for (auto _ : bench) {
        std::size_t hits = 0;
        for (auto const& set : all)
            hits += s.matches(set);
        benchmark::DoNotOptimize(hits);
    }
    if (allocations != before)
        return bench.SkipWithError("it allocates");
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(all.size()));
}
BENCHMARK(match_maps)->Name("selector/match_maps/S")->DenseRange(1, 5)->Unit(benchmark::kMillisecond);

// -- By index -------------------------------------------------------------------------------------------

constexpr std::uint32_t objects = 100'000;
std::string namespace_of(std::uint32_t i)
{
    return "ns-" + std::to_string(i % 10);
}
struct indexed {
    std::vector<label_map> sets{};
    labels::object_index<std::uint32_t> index{};
    double bytes = 0, build_ns = 0;
    indexed()
    {
        splitmix random{1};
        for (std::uint32_t i = 0; i < objects; ++i)
            sets.push_back(map_of(draw(random)));
        auto const before = bytes_held;
        auto const start = std::chrono::steady_clock::now();
        for (std::uint32_t i = 0; i < objects; ++i)
            index.put(i, sets[i], namespace_of(i));
        build_ns =
            std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() /
            objects;
        bytes = static_cast<double>(bytes_held - before) / objects;
    }
};
indexed& fleet()
{
    static indexed all;
    return all;
}

void list(benchmark::State& bench, bool one_namespace, std::size_t expected)
{
    auto const& all = fleet();
    auto const s = selector::parse(selectors[static_cast<std::size_t>(bench.range(0)) - 1]).value();
    std::vector<std::uint32_t> found;
    found.reserve(objects);
    auto const take = [&](std::uint32_t id) { found.push_back(id); };
    auto const before = allocations;
    for (auto _ : bench) {
        found.clear();
        one_namespace ? all.index.select("ns-3", s, take) : all.index.select(s, take);
        benchmark::DoNotOptimize(found.data());
    }
    if (allocations != before)
        return bench.SkipWithError("it allocates");
    bench.counters["bytes per object"] = all.bytes;
    bench.counters["ns to add one"] = all.build_ns;
    check(bench, found.size(), expected);
}
void list_all(benchmark::State& bench)
{
    list(bench, false,
        std::array<std::size_t, 3>{103, 5, 13411}[static_cast<std::size_t>(bench.range(0)) - 1]);
}
void list_namespace(benchmark::State& bench)
{
    list(bench, true, std::array<std::size_t, 3>{12, 0, 1373}[static_cast<std::size_t>(bench.range(0)) - 1]);
}
BENCHMARK(list_all)->Name("selector/list_100k_all/S")->DenseRange(1, 3);
BENCHMARK(list_namespace)->Name("selector/list_ns_10k/S")->DenseRange(1, 3);

// A pod's labels change: one of them (it is promoted), or all.
void change_one_label(benchmark::State& bench)
{
    auto& all = fleet();
    std::array<label_map, 2> versions{all.sets[17], all.sets[17]};
    versions[1]["env"] = "promoted";
    std::size_t i = 0;
    for (auto _ : bench)
        all.index.put(17, versions[++i % 2], namespace_of(17));
    all.index.put(17, all.sets[17], namespace_of(17));
    bench.SetItemsProcessed(bench.iterations());
}
void change_all_labels(benchmark::State& bench)
{
    auto& all = fleet();
    std::uint32_t i = 0;
    for (auto _ : bench) {
        auto const id = i++ * 7919 % objects;
        all.index.put(id, all.sets[(id + 1) % objects], namespace_of(id));
    }
    for (std::uint32_t id = 0; id < objects; ++id)
        all.index.put(id, all.sets[id], namespace_of(id));
    bench.SetItemsProcessed(bench.iterations());
}
void erase_and_add(benchmark::State& bench)
{
    auto& all = fleet();
    std::uint32_t i = 0;
    for (auto _ : bench) {
        auto const id = i++ * 7919 % objects;
        all.index.erase(id);
        all.index.put(id, all.sets[id], namespace_of(id));
    }
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(change_one_label)->Name("selector_index/change_one_label");
BENCHMARK(change_all_labels)->Name("selector_index/change_all_labels");
BENCHMARK(erase_and_add)->Name("selector_index/erase_and_add");

// The services that select a pod.
void reverse_10k(benchmark::State& bench)
{
    labels::selector_index<std::uint32_t> index;
    auto const held = bytes_held;
    auto const start = std::chrono::steady_clock::now();
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        auto text = "app=app-" + std::to_string(i % 1000) + ",env=env-" + std::to_string(i / 1000 % 4);
        if (i % 2 == 1)
            text += ",tier=tier-" + std::to_string(i % 5);
        index.put(i, selector::parse(text).value(), "ns");
    }
    bench.counters["ns to add one"] =
        std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / 10'000;
    bench.counters["bytes per selector"] = static_cast<double>(bytes_held - held) / 10'000;
    auto const& sets = fleet().sets;
    std::size_t hits = 0;
    auto const before = allocations;
    for (auto _ : bench) {
        hits = 0;
        for (std::size_t j = 0; j < 1000; ++j)
            index.match("ns", sets[j], [&](std::uint32_t) { ++hits; });
        benchmark::DoNotOptimize(hits);
    }
    if (allocations != before)
        return bench.SkipWithError("it allocates");
    bench.SetItemsProcessed(bench.iterations() * 1000);
    check(bench, hits, 1505);
}
BENCHMARK(reverse_10k)->Name("selector/reverse_10k")->Unit(benchmark::kMicrosecond);

// -- Without objects ------------------------------------------------------------------------------------

void overlap(benchmark::State& bench)
{
    auto const a = selector::parse(selectors[1]).value(), b = selector::parse(selectors[2]).value();
    for (auto _ : bench)
        benchmark::DoNotOptimize(labels::overlap(a, b));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(overlap)->Name("selector/overlap");

// A scheduler asking one node.
void node_selector_matches(benchmark::State& bench)
{
    label_map const node{
        {"app.kubernetes.io/name", "web"}, {"tier", "front"}, {"version", "v1.2"}, {"zone", "a"}};
    labels::node_selector const s(
        std::vector<labels::node_selector_term>{{.match_expressions = {{"zone", labels::op::in, {"b", "c"}}}},
            {.match_expressions = {{"tier", labels::op::exists, {}}}}});
    for (auto _ : bench)
        benchmark::DoNotOptimize(s.matches_node(node, "node-1"));
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(node_selector_matches);

}  // namespace

BENCHMARK_MAIN();
