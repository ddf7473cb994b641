// What the autoscaler's controller costs for each of its decisions (hpa/..., the workloads that Kubernetes'
// own controller is timed on): pods found by their owners and joined with what was measured, the decision,
// conditions and status, until there is a plan to commit. hpa/committed/... is a whole sync: what was
// measured is committed, each autoscaler is decided on, and its status committed.
#include <podium/controllers/autoscalers.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/plane.hpp>

#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

using namespace podium;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{std::chrono::hours(24 * 365 * 30)};
constexpr time_point now = start + 1h;

std::string five(int n)
{
    auto digits = std::to_string(n);
    return std::string(5 - digits.size(), '0') + digits;
}

struct fleet {
    using plane_type =
        reconcile::plane<reconcile::view<controllers::autoscaler_targets>, controllers::autoscalers>;
    reconcile::memory_store store{};
    plane_type plane{controllers::autoscalers{}};
    std::vector<reconcile::key> keys{};
    int pods = 0;
    time_point at = now;

    // Each app is a deployment with one replica set, as in the peers' workload: 2 % of its pods are not
    // ready, 2 % were not measured.
    fleet(int namespaces, int apps, int pods_each) : pods(pods_each)
    {
        model::container c;
        c.name = "main";
        c.resources.requests["cpu"] = quantity::from_milli(100);
        auto sidecar = c;
        sidecar.name = "sidecar";
        sidecar.resources.requests["cpu"] = quantity::from_milli(25);
        for (int n = 0; n < namespaces; ++n) {
            auto const ns = "ns-" + std::to_string(n);
            for (int a = 0; a < apps; ++a) {
                auto const app = "app-" + std::to_string(a);
                model::deployment d;
                d.metadata.name = app;
                d.metadata.namespace_ = ns;
                d.spec.replicas = d.status.replicas = pods_each;
                auto const deployed = put(d);
                model::replica_set set;
                set.metadata.name = app;
                set.metadata.namespace_ = ns;
                set.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(deployed)};
                set.spec.replicas = pods_each;
                set.spec.template_.spec.containers = {c, sidecar};
                auto const owner = put(set);
                for (int i = 0; i < pods_each; ++i) {
                    model::pod pod;
                    pod.metadata.name = app + '-' + five(i);
                    pod.metadata.namespace_ = ns;
                    pod.metadata.labels["app"] = app;
                    pod.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(owner)};
                    pod.spec = set.spec.template_.spec;
                    pod.status.phase = model::pod_phase::running;
                    pod.status.start_time = model::time{start};
                    for (auto const* const type :
                        {"PodScheduled", "Initialized", "ContainersReady", "Ready"}) {
                        auto& condition = pod.status.conditions.emplace_back();
                        condition.type = type;
                        condition.status =
                            i % 50 != 1 ? model::condition_status::true_ : model::condition_status::false_;
                        condition.last_transition_time = model::time{start};
                    }
                    put(pod);
                }
                model::horizontal_pod_autoscaler h;
                h.metadata.name = app;
                h.metadata.namespace_ = ns;
                h.spec.scale_target_ref = {"apps/v1", "Deployment", app};
                h.spec.max_replicas = pods_each;
                h.spec.metrics.emplace_back().resource = model::resource_metric_source{
                    "cpu", {model::metric_target_type::utilization, {}, {}, 80}};
                h.spec.behavior.edit().scale_down.emplace().stabilization_window_seconds = 300;
                set_defaults(h);
                put(h);
                keys.push_back(reconcile::key_for<model::horizontal_pod_autoscaler>(ns, app));
            }
        }
        measure();
        settle();
    }
    template<class K>
    reconcile::handle<K> put(K object)
    {
        auto const ns = object.metadata.namespace_, name = object.metadata.name;
        reconcile::plan p;
        if (auto const old = store.get<K>(ns, name))
            p.update(old, std::move(object));
        else
            p.create(std::move(object));
        (void)store.commit(p.whole()).outcome.value();
        return store.get<K>(ns, name);
    }
    void measure()
    {
        at += 15s;
        for (auto const& k : keys) {
            auto const h = store.get<model::horizontal_pod_autoscaler>(k.namespace_, k.name);
            model::metric_readings r;
            r.metadata.name = k.name;
            r.metadata.namespace_ = k.namespace_;
            r.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(h)};
            r.time = model::time{at};
            r.observed_generation = h->metadata.generation;
            auto& all = r.metrics.emplace_back().pods;
            all.reserve(static_cast<std::size_t>(pods));
            for (int i = 0; i < pods; ++i)
                if (i % 50 != 0)
                    all.push_back({k.name + '-' + five(i), quantity::from_milli(100 + i * 37 % 51),
                        model::time{at}, 30s});
            put(std::move(r));
        }
    }
    // Takes in what is in the store, and decides nothing.
    void look()
    {
        for (;;) {
            auto const news = store.changes(plane.view().at(), 10'000);
            if (!news)
                plane.resync(store.snapshot(), at);
            else if (news->empty())
                return;
            else
                plane.absorb(*news, at);
        }
    }
    void settle() { (void)reconcile::settle(plane, store, at); }
};

void decide(benchmark::State& bench, fleet& f)
{
    f.measure();
    f.look();
    controllers::autoscalers const controller;
    double writes = 0;
    std::size_t decided = 0;
    for (auto _ : bench)
        for (auto const& k : f.keys) {
            auto const p = controller.reconcile(f.plane.view(), k, f.at);
            for (auto const& w : p.writes)
                writes += w.which.kind == &reconcile::kind_of<model::deployment>;
            decided += p.writes.size();
        }
    auto const of = f.store.get<model::horizontal_pod_autoscaler>(f.keys[0].namespace_, f.keys[0].name);
    if (decided != static_cast<std::size_t>(bench.iterations()) * f.keys.size())
        bench.SkipWithError("not every autoscaler was decided on");
    bench.counters["writes"] = writes;
    if (f.keys.size() == 1)
        bench.counters["desired"] = of->status.desired_replicas;
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(f.keys.size()));
}
void sync(benchmark::State& bench, fleet& f)
{
    for (auto _ : bench) {
        f.measure();
        f.settle();
    }
    bench.SetItemsProcessed(bench.iterations() * static_cast<std::int64_t>(f.keys.size()));
}

void reconcile_1hpa(benchmark::State& bench)
{
    fleet f(1, 1, 1000);
    decide(bench, f);
}
BENCHMARK(reconcile_1hpa)->Name("hpa/reconcile_1hpa_1000pods");

void decide_10000hpas(benchmark::State& bench)
{
    fleet f(100, 100, 10);
    decide(bench, f);
}
BENCHMARK(decide_10000hpas)->Name("hpa/sync_10000hpas_10pods")->Unit(benchmark::kMicrosecond);

void sync_1hpa(benchmark::State& bench)
{
    fleet f(1, 1, 1000);
    sync(bench, f);
}
BENCHMARK(sync_1hpa)->Name("hpa/committed/reconcile_1hpa_1000pods");

void sync_10000hpas(benchmark::State& bench)
{
    fleet f(100, 100, 10);
    sync(bench, f);
}
BENCHMARK(sync_10000hpas)->Name("hpa/committed/sync_10000hpas_10pods")->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
