// What a controller's bookkeeping costs: the work queue and the back-off of failing keys (queue/..., the
// workloads that client-go's are timed on, single thread, delays under virtual time). The keys are strings
// that the queue copies; queue/.../view has keys that it only refers to, as Go's strings are.
#include <podium/core/random.hpp>
#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/work_queue.hpp>

#include <benchmark/benchmark.h>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {
std::size_t allocated_bytes = 0;
}  // namespace

// Not inlined, or gcc 12 sees malloc beside delete and warns.
[[gnu::noinline]] void* operator new(std::size_t n)
{
    allocated_bytes += n;
    if (void* const p = std::malloc(n))
        return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept
{
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t n) noexcept
{
    allocated_bytes -= n;
    std::free(p);
}

namespace reconcile = podium::reconcile;
using namespace std::chrono_literals;
using podium::time_point;

namespace {

constexpr std::size_t million = 1'000'000;
constexpr std::size_t distinct = 100'000;

template<class Key>
std::vector<Key> const& keys()
{
    static std::vector<Key> const all = [] {
        std::vector<Key> v(million);
        for (std::size_t i = 0; i < million; ++i)
            if constexpr (std::is_same_v<Key, std::string>)
                v[i] = "ns-" + std::to_string(i % 100) + "/name-" + std::to_string(i);
            else
                v[i] = keys<std::string>()[i];
        return v;
    }();
    return all;
}

void per_operation(benchmark::State& bench)
{
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(million));
    bench.counters["per_op"] = benchmark::Counter(static_cast<double>(bench.iterations()) * double(million),
        benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// One key at a time through an empty queue: the common case of a controller that keeps up.
template<class Key, class... More>
void add_get_done(benchmark::State& bench)
{
    auto const& k = keys<Key>();
    for (auto _ : bench) {
        reconcile::work_queue<Key, More...> q;
        std::size_t handed_out = 0;
        for (std::size_t i = 0, j = 0; i < million; ++i, j = j + 1 == distinct ? 0 : j + 1) {
            q.add(k[j]);
            auto const* const got = q.get();
            handed_out += got != nullptr;
            q.done(*got);
        }
        bench.counters["processed"] = static_cast<double>(handed_out);
        if (handed_out != million || q.size() != 0)
            bench.SkipWithError("each add is handed out once");
    }
    per_operation(bench);
}
BENCHMARK(add_get_done<std::string>)->Name("queue/add_get_done_1thread")->Unit(benchmark::kMillisecond);
BENCHMARK(add_get_done<std::string_view>)
    ->Name("queue/add_get_done_1thread/view")
    ->Unit(benchmark::kMillisecond);

struct namespace_of {
    std::string_view operator()(std::string const& k) const
    {
        return std::string_view(k).substr(0, k.find('/'));
    }
};
// What the extras cost whoever asks for them.
BENCHMARK(add_get_done<std::string, reconcile::fifo, reconcile::counted>)
    ->Name("queue/add_get_done_1thread/counted")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_get_done<std::string, reconcile::by_priority>)
    ->Name("queue/add_get_done_1thread/by_priority")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_get_done<std::string, reconcile::fair<namespace_of>>)
    ->Name("queue/add_get_done_1thread/fair")
    ->Unit(benchmark::kMillisecond);

// A burst of events about the same objects, then the work.
template<class Key, class... More>
void add_dedupe(benchmark::State& bench)
{
    auto const& k = keys<Key>();
    for (auto _ : bench) {
        reconcile::work_queue<Key, More...> q;
        for (int round = 0; round < 10; ++round)
            for (std::size_t i = 0; i < distinct; ++i)
                q.add(k[i]);
        std::size_t handed_out = 0;
        while (auto const* const got = q.get()) {
            q.done(*got);
            ++handed_out;
        }
        bench.counters["processed"] = static_cast<double>(handed_out);
        if (handed_out != distinct)
            bench.SkipWithError("100,000 are handed out");
    }
    per_operation(bench);
}
BENCHMARK(add_dedupe<std::string>)->Name("queue/add_dedupe_10x_then_drain")->Unit(benchmark::kMillisecond);
BENCHMARK(add_dedupe<std::string_view>)
    ->Name("queue/add_dedupe_10x_then_drain/view")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_dedupe<std::string, reconcile::by_priority>)
    ->Name("queue/add_dedupe_10x_then_drain/by_priority")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(add_dedupe<std::string, reconcile::fair<namespace_of>>)
    ->Name("queue/add_dedupe_10x_then_drain/fair")
    ->Unit(benchmark::kMillisecond);

// A key fails once and then succeeds.
template<class Key>
void forget_ratelimit_when(benchmark::State& bench)
{
    auto const& k = keys<Key>();
    for (auto _ : bench) {
        reconcile::exponential_limiter<Key> l(5ms, 1000s);
        podium::duration sum{};
        for (std::size_t i = 0, j = 0; i < million; ++i, j = j + 1 == distinct ? 0 : j + 1) {
            sum += l.when(k[j], time_point{});
            l.forget(k[j]);
        }
        bench.counters["waited_ms"] = static_cast<double>(sum / 1ms);
        if (sum != million * 5ms)
            bench.SkipWithError("each first failure waits for 5 ms");
    }
    per_operation(bench);
}
BENCHMARK(forget_ratelimit_when<std::string>)
    ->Name("queue/forget_ratelimit_when")
    ->Unit(benchmark::kMillisecond);
BENCHMARK(forget_ratelimit_when<std::string_view>)
    ->Name("queue/forget_ratelimit_when/view")
    ->Unit(benchmark::kMillisecond);

template<class Key>
void delay(reconcile::work_queue<Key>& q, time_point start, podium::duration least)
{
    auto const& k = keys<Key>();
    podium::splitmix64 random(2);
    for (std::size_t i = 0; i < million; ++i)
        q.add_at(k[i], start + least + std::chrono::milliseconds(random() % 1000));
}

// Every object of a large cluster waits for its resync.
template<class Key>
void delay_insert(benchmark::State& bench)
{
    (void)keys<Key>();
    std::size_t bytes = 0;
    for (auto _ : bench) {
        auto const before = allocated_bytes;
        reconcile::work_queue<Key> q;
        delay(q, time_point{}, 30s);
        bench.counters["inserted"] = static_cast<double>(q.delayed());
        if (q.delayed() != million || q.wake_at() != time_point{30s})
            bench.SkipWithError("a million keys wait, the first for 30 s");
        bytes = allocated_bytes - before;
        bench.PauseTiming();
        q = {};
        bench.ResumeTiming();
    }
    per_operation(bench);
    bench.counters["bytes_per_timer"] = static_cast<double>(bytes) / double(million);
}
BENCHMARK(delay_insert<std::string>)->Name("queue/delay_insert_1M")->Unit(benchmark::kMillisecond);
BENCHMARK(delay_insert<std::string_view>)->Name("queue/delay_insert_1M/view")->Unit(benchmark::kMillisecond);

// They come due within a second, which a virtual clock walks through in steps of a millisecond.
template<class Key>
void delay_fire(benchmark::State& bench)
{
    (void)keys<Key>();
    for (auto _ : bench) {
        bench.PauseTiming();
        reconcile::work_queue<Key> q;
        delay(q, time_point{}, 8s);
        bench.ResumeTiming();
        std::size_t handed_out = 0;
        for (time_point now{8s}; now <= time_point{8999ms}; now += 1ms) {
            q.advance(now);
            while (auto const* const got = q.get()) {
                q.done(*got);
                ++handed_out;
            }
        }
        bench.counters["processed"] = static_cast<double>(handed_out);
        if (handed_out != million || q.size() != 0)
            bench.SkipWithError("a million are handed out");
        bench.PauseTiming();
        q = {};
        bench.ResumeTiming();
    }
    per_operation(bench);
}
BENCHMARK(delay_fire<std::string>)->Name("queue/delay_fire_1M")->Unit(benchmark::kMillisecond);
BENCHMARK(delay_fire<std::string_view>)->Name("queue/delay_fire_1M/view")->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
