#include "allocations.hpp"

// What a rollout costs: the whole controller over a view (deployment/..., the workloads that Kubernetes' own
// controller is timed on), and its decisions alone. A step allocates nothing, which is counted here.
#include <podium/controllers/deployments.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/rollout.hpp>

#include <benchmark/benchmark.h>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace rollout = podium::rollout;
namespace reconcile = podium::reconcile;
namespace controllers = podium::controllers;
namespace model = podium::model;

namespace {

// -- The controller ----------------------------------------------------------------------------------

model::pod_template_spec pod_template(std::string const& app, std::string const& image)
{
    model::pod_template_spec t;
    t.metadata.labels["app"] = app;
    model::container c;
    c.name = "c";
    c.image = image;
    model::container_port port;
    port.container_port_ = 80;
    c.ports.push_back(port);
    c.resources.requests["cpu"] = podium::quantity::parse("100m").value();
    c.resources.requests["memory"] = podium::quantity::parse("64Mi").value();
    t.spec.containers.push_back(std::move(c));
    return t;
}

// Deployments with their sets and pods, the store they are in, and the view that follows it.
struct fleet {
    reconcile::memory_store store{};
    reconcile::view<> view{};
    controllers::deployments controller{};
    std::vector<reconcile::key> keys{};
    podium::time_point now{std::chrono::hours(24 * 365 * 30)};
    std::int64_t writes = 0;  // besides events, which Kubernetes' controller sends off without counting

    void follow()
    {
        auto const news = store.changes(view.at(), 1'000'000).value();
        for (auto const& c : news)
            view.apply(c, now);
    }
    void commit(reconcile::plan const& p)
    {
        if (p.empty())
            return;
        (void)store.commit(p.whole()).outcome.value();
        follow();
    }
    // One sync, carried out; whether it wrote anything.
    bool sync(reconcile::key const& which)
    {
        auto const p = controller.reconcile(view, which, now);
        for (auto const& w : p.writes)
            writes += w.which.kind != &reconcile::kind_of<model::event>;
        commit(p);
        return !p.empty();
    }

    fleet(int namespaces, int each, int old_sets, std::int32_t replicas, int pods)
    {
        controller.how.pods = rollout::counting::kubernetes;
        for (int n = 0; n < namespaces; ++n) {
            auto const ns = "ns-" + std::to_string(n);
            for (int k = 0; k < each; ++k) {
                auto const app = "d-" + std::to_string(k);
                auto const image = [](int revision) { return "example/app:" + std::to_string(revision); };
                model::deployment d;
                d.metadata.name = app;
                d.metadata.namespace_ = ns;
                d.spec.replicas = replicas;
                d.spec.selector.match_labels["app"] = app;
                d.spec.template_ = pod_template(app, image(old_sets));
                d.spec.strategy.rolling_update = model::rolling_update_deployment{
                    podium::int_or_percent::percent(25), podium::int_or_percent::percent(25)};
                put(std::move(d));
                auto const owner = view.get<model::deployment>(ns, app);
                keys.push_back(owner.which());
                for (int o = 0; o <= old_sets; ++o)
                    put(set_of(owner, o, image(o), o == old_sets ? replicas : 0));
                auto const serving = view.get<model::replica_set>(ns, app + "-h" + std::to_string(old_sets));
                for (int i = 0; i < pods; ++i) {
                    model::pod pod;
                    pod.metadata.name = serving->metadata.name + '-' + std::to_string(i);
                    pod.metadata.namespace_ = ns;
                    pod.metadata.labels = serving->spec.template_.metadata.labels;
                    pod.metadata.owner_references.push_back(
                        reconcile::owned_by<model::owner_reference>(serving));
                    put(std::move(pod));
                }
            }
        }
        for (int i = 0; i < 4; ++i)
            for (auto const& k : keys)
                sync(k);
        writes = 0;
    }

    template<class K>
    void put(K object)
    {
        reconcile::plan p;
        p.create(std::move(object));
        commit(p);
    }
    static model::replica_set set_of(reconcile::handle<model::deployment> const& owner, int number,
        std::string const& image, std::int32_t replicas)
    {
        auto const tag = "h" + std::to_string(number);
        model::replica_set s;
        s.metadata.name = owner->metadata.name + '-' + tag;
        s.metadata.namespace_ = owner->metadata.namespace_;
        s.metadata.creation_timestamp =
            model::time{podium::time_point(std::chrono::seconds(1'700'000'000 + number))};
        s.metadata.annotations[std::string(controllers::revision_annotation)] = std::to_string(number + 1);
        s.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(owner));
        s.spec.replicas = replicas;
        s.spec.template_ = pod_template(owner->metadata.name, image);
        s.spec.template_.metadata.labels[std::string(controllers::template_hash_label)] = tag;
        s.metadata.labels = s.spec.template_.metadata.labels;
        s.spec.selector.match_labels = s.metadata.labels;
        s.status.replicas = s.status.ready_replicas = s.status.available_replicas =
            s.status.fully_labeled_replicas = replicas;
        s.status.observed_generation = 1;
        return s;
    }
    // The sets' own controller, at once; whether anything was behind.
    bool sets_follow(reconcile::key const& which)
    {
        reconcile::plan p;
        for (auto const set : view.owned_by<model::replica_set>(view.get<model::deployment>(which))) {
            auto next = *set;
            auto const n = set->spec.replicas;
            next.status.replicas = next.status.ready_replicas = next.status.available_replicas =
                next.status.fully_labeled_replicas = n;
            next.status.observed_generation = set->metadata.generation;
            p.update(set, std::move(next));
        }
        commit(p);
        return !p.empty();
    }
};

// A sync that finds nothing to do, of one of 1000 deployments: what most of them are.
void sync_steady(benchmark::State& bench)
{
    fleet f(100, 10, 10, 10, 10);
    std::size_t i = 0;
    for (auto _ : bench)
        if (f.sync(f.keys[i++ % f.keys.size()])) {
            bench.SkipWithError("a steady deployment was written to");
            break;
        }
    bench.counters["writes"] = static_cast<double>(f.writes);
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(sync_steady)->Name("deployment/sync_steady_1000x(10old+1rs,10pods)");

// 100 deployments of 100 replicas get a new image, one after the other; the time inside the syncs, the store
// and the view included. The 6 syncs are those of Kubernetes. It makes 13 writes in them: the deployment's
// revision and status go one by one; here a sync is one transaction and writes an object once, which is 12.
void rolling_100_replicas(benchmark::State& bench)
{
    constexpr std::int64_t syncs_expected = 6;
    std::int64_t syncs_in_all = 0;
    std::int64_t writes = 0;
    for (auto _ : bench) {
        fleet f(1, 100, 0, 100, 0);
        std::chrono::nanoseconds spent{};
        std::int64_t syncs = 0;
        for (auto const& k : f.keys) {
            auto const d = f.view.get<model::deployment>(k);
            auto next = *d;
            next.spec.template_.spec.containers.edit()[0].image = "example/app:next";
            reconcile::plan p;
            p.update(d, std::move(next));
            f.commit(p);
            for (bool done = false; !done && syncs < 100'000;) {
                f.now += std::chrono::milliseconds(1);
                auto const begin = std::chrono::steady_clock::now();
                f.sync(k);
                spent += std::chrono::steady_clock::now() - begin;
                ++syncs;
                auto const behind = f.sets_follow(k);
                auto const seen = f.view.get<model::deployment>(k);
                auto const& s = seen->status;
                done = !behind && s.updated_replicas == 100 && s.replicas == 100 &&
                    s.available_replicas == 100 && s.observed_generation == seen->metadata.generation;
            }
        }
        bench.SetIterationTime(std::chrono::duration<double>(spent).count() / static_cast<double>(syncs));
        if (syncs != syncs_expected * 100 || f.writes != 1200) {
            bench.SkipWithError("a rollout takes 6 syncs and 12 writes");
            break;
        }
        syncs_in_all += syncs;
        writes += f.writes;
    }
    auto const rollouts = static_cast<double>(bench.iterations()) * 100;
    bench.SetItemsProcessed(bench.iterations());
    bench.counters["syncs_per_rollout"] = static_cast<double>(syncs_in_all) / rollouts;
    bench.counters["writes_per_rollout"] = static_cast<double>(writes) / rollouts;
}
BENCHMARK(rolling_100_replicas)
    ->Name("deployment/rolling_100replicas_fake_client")
    ->UseManualTime()
    ->Iterations(20);

// -- The decisions -----------------------------------------------------------------------------------

void size_for_new(benchmark::State& bench)
{
    std::vector<rollout::replica_set> sets(2);
    sets[1].replicas = 750;
    std::int32_t i = 0, size = 0;
    auto quarter = podium::int_or_percent::percent(25);  // as the model has it once the manifest is read
    for (auto _ : bench) {
        sets[0].replicas = i++ % 500;
        benchmark::DoNotOptimize(quarter);
        rollout::deployment const d{
            .replicas = 1000, .bounds = rollout::resolve_fenceposts(quarter, quarter, 1000)};
        size = rollout::size_for_new(d, sets, 0, {.pods = rollout::counting::kubernetes});
        if (size != 500) {  // 1250 less the old 750
            bench.SkipWithError("the new set may have 500");
            break;
        }
    }
    bench.counters["size"] = size;
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(size_for_new)->Name("deployment/NewRSNewReplicas");

void resolve_fenceposts(benchmark::State& bench)
{
    std::string quarter = "25%";
    std::int64_t pods = 0;
    for (auto _ : bench) {
        benchmark::DoNotOptimize(quarter);
        auto const surge = podium::int_or_percent::parse_percent(quarter).value();
        auto const unavailable = podium::int_or_percent::parse_percent(quarter).value();
        auto const f = rollout::resolve_fenceposts(surge, unavailable, 1000);
        if (f.surge + f.unavailable != 500) {
            bench.SkipWithError("25% of 1000 is 250");
            break;
        }
        pods = f.surge + f.unavailable;
    }
    bench.counters["pods"] = static_cast<double>(pods);
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(resolve_fenceposts)->Name("deployment/MaxUnavailable+MaxSurge");

// A whole rolling update of 100 replicas by step alone: the sets' status follows their size at once.
void rolling_steps(benchmark::State& bench)
{
    rollout::deployment const wanted{.replicas = 100, .bounds = {.surge = 25, .unavailable = 25}};
    rollout::replica_set const serving{
        .name = "a", .revision = 1, .replicas = 100, .status_replicas = 100, .ready = 100, .available = 100};
    rollout::workspace room;
    std::vector<rollout::replica_set> sets;
    std::int64_t steps = 0;
    std::size_t allocated = 0;
    bool warm = false;
    for (auto _ : bench) {
        sets.assign(1, serving);
        rollout::status status;
        podium::time_point now{};
        for (bool changed = true; changed; ++steps) {
            now += std::chrono::seconds(1);
            auto const before = allocations;
            auto const r = rollout::step(wanted, status, sets, now, room);
            allocated += warm ? allocations - before : 0;
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
        warm = true;
        benchmark::DoNotOptimize(status);
    }
    if (allocated != 0)
        bench.SkipWithError("a step allocated");
    bench.SetItemsProcessed(steps);
}
BENCHMARK(rolling_steps);

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
    auto const before = allocations;
    for (auto _ : bench)
        benchmark::DoNotOptimize(rollout::step(wanted, status, sets, {}, room));
    if (allocations != before)
        bench.SkipWithError("a step allocated");
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(quiet_step)->Arg(1)->Arg(11)->Arg(100);

// A stateful set of n pods with nothing to do.
void quiet_stateful_step(benchmark::State& bench)
{
    namespace stateful = rollout::stateful;
    auto const n = static_cast<std::int32_t>(bench.range(0));
    stateful::set const wanted{.replicas = n};
    std::vector<stateful::pod> pods;
    for (std::int32_t i = 0; i < n; ++i)
        pods.push_back({.ordinal = i,
            .template_ = 1,
            .phase = stateful::phase::running,
            .ready_since = podium::time_point{}});
    std::vector<stateful::revision> const history{{1, 1}};
    stateful::workspace room;
    auto const status = stateful::step(wanted, {}, pods, history, {}, room).next;
    auto const before = allocations;
    for (auto _ : bench)
        benchmark::DoNotOptimize(stateful::step(wanted, status, pods, history, {}, room));
    if (allocations != before)
        bench.SkipWithError("a step allocated");
    bench.SetItemsProcessed(bench.iterations());
}
BENCHMARK(quiet_stateful_step)->Arg(3)->Arg(100)->Arg(1000);

// All pods of a stateful set replaced one by one by step alone: each is gone and back at once.
void rolling_stateful_steps(benchmark::State& bench)
{
    namespace stateful = rollout::stateful;
    auto const n = static_cast<std::int32_t>(bench.range(0));
    stateful::set const wanted{.template_ = 2, .replicas = n};
    std::vector<stateful::revision> const history{{1, 1}, {2, 2}};
    stateful::workspace room;
    std::vector<stateful::pod> pods;
    std::int64_t steps = 0;
    std::size_t allocated = 0;
    bool warm = false;
    for (auto _ : bench) {
        pods.clear();
        for (std::int32_t i = 0; i < n; ++i)
            pods.push_back({.ordinal = i,
                .template_ = 1,
                .phase = stateful::phase::running,
                .ready_since = podium::time_point{}});
        stateful::status status{.current_template = 1};
        for (bool changed = true; changed; ++steps) {
            auto const before = allocations;
            auto const r = stateful::step(wanted, status, pods, history, {}, room);
            allocated += warm ? allocations - before : 0;
            changed = !r.todo.empty() || r.next != status;
            status = r.next;
            for (auto const& a : r.todo)
                if (a.what == stateful::verb::delete_pod)
                    pods[a.pod].template_ = 2;
        }
        warm = true;
        if (!stateful::is_complete(wanted, status) || status.updated != n) {
            bench.SkipWithError("not all pods are updated");
            break;
        }
    }
    if (allocated != 0)
        bench.SkipWithError("a step allocated");
    bench.SetItemsProcessed(steps);
}
BENCHMARK(rolling_stateful_steps)->Arg(3)->Arg(100);

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
