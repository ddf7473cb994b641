// The whole plane on the simulated runtime: what a control plane costs when nothing but it takes time.
//
// replica_sets: that many ReplicaSets of 1,000 pods on 1,000 nodes, from declared to all Ready.
// deployment: one Deployment of 1,000 replicas on 100 nodes: declared to Available, a rolling update,
// deletion. Real time is the benchmark's; `virtual_s` is the time that passed in the simulation.
#include <podium/sim.hpp>

#include <benchmark/benchmark.h>
#include <malloc.h>
#include <memory>
#include <string>

using namespace std::chrono_literals;
using namespace podium;

namespace {

model::pod_template_spec pod_template(std::string const& app, std::string image)
{
    model::pod_template_spec t;
    t.metadata.labels["app"] = app;
    model::container c;
    c.name = "main";
    c.image = std::move(image);
    c.resources.requests["cpu"] = quantity::parse("100m").value();
    c.resources.requests["memory"] = quantity::parse("64Mi").value();
    t.spec.containers.push_back(std::move(c));
    t.spec.termination_grace_period_seconds = 0;
    return t;
}

model::replica_set replica_set(std::string const& name, std::int32_t replicas)
{
    model::replica_set s;
    s.metadata.name = name;
    s.metadata.namespace_ = "default";
    s.spec.replicas = replicas;
    s.spec.selector.match_labels["app"] = name;
    s.spec.template_ = pod_template(name, "web:1");
    return s;
}

model::deployment deployment(std::string const& name, std::int32_t replicas)
{
    model::deployment d;
    d.metadata.name = name;
    d.metadata.namespace_ = "default";
    d.spec.replicas = replicas;
    d.spec.selector.match_labels["app"] = name;
    d.spec.template_ = pod_template(name, "web:1");
    model::rolling_update_deployment quarter;
    quarter.max_surge = quarter.max_unavailable = int_or_percent::percent(25);
    d.spec.strategy.rolling_update = quarter;
    return d;
}

sim::settings instant()
{
    sim::settings s;
    s.control.node_grace = std::chrono::hours(1000);
    return s;
}

double seconds(duration d)
{
    return std::chrono::duration<double>(d).count();
}

std::size_t heap_bytes()
{
    return mallinfo2().uordblks;
}

void replica_sets(benchmark::State& state)
{
    auto const sets = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        state.PauseTiming();
        auto const before = heap_bytes();
        auto c = std::make_unique<sim::cluster>(instant());
        c->add_nodes(1000);
        c->run_for(1s);
        auto const from = c->now();
        auto const plans = c->plane().stats().plans;
        state.ResumeTiming();
        for (std::size_t i = 0; i < sets; ++i)
            c->put(replica_set("set-" + std::to_string(i), 1000));
        bool const ready = c->run_while_waiting_for(
            [&] {
                for (std::size_t i = 0; i < sets; ++i)
                    if (c->get<model::replica_set>("default", "set-" + std::to_string(i))
                            ->status.ready_replicas != 1000)
                        return false;
                return true;
            },
            1h);
        state.PauseTiming();
        if (!ready)
            state.SkipWithError("not all pods became ready");
        auto const pods = static_cast<double>(sets * 1000);
        c->store().compact(
            c->store().at());  // history is for watchers: the figure is what objects and indices take
        malloc_trim(0);
        state.counters["bytes_per_pod"] = static_cast<double>(heap_bytes() - before) / pods;
        state.counters["virtual_s"] = seconds(c->now() - from);
        state.counters["plans"] = benchmark::Counter(static_cast<double>(c->plane().stats().plans - plans),
            benchmark::Counter::kIsIterationInvariantRate);
        state.counters["pods"] = benchmark::Counter(pods, benchmark::Counter::kIsIterationInvariantRate);
        c.reset();
        state.ResumeTiming();
    }
}
BENCHMARK(replica_sets)->Arg(10)->Arg(100)->Unit(benchmark::kMillisecond)->Iterations(1);

enum phase { create, update, remove };

void one_deployment(benchmark::State& state, phase what)
{
    for (auto _ : state) {
        state.PauseTiming();
        auto s = instant();
        s.control.drain.deadline = 1s;
        sim::cluster c(s);
        c.add_nodes(100);
        c.run_for(1s);
        auto const available = [&] {
            auto const& d = *c.get<model::deployment>("default", "web");
            return d.status.updated_replicas == 1000 && d.status.available_replicas == 1000 &&
                d.status.replicas == 1000 && d.status.observed_generation == d.metadata.generation;
        };
        auto const gone = [&] { return c.view().template count<model::pod>() == 0; };
        auto const timed = [&](phase p, auto change, auto const& done) {
            auto const from = c.now();
            if (p == what)
                state.ResumeTiming();
            change();
            bool const ok = c.run_while_waiting_for(done, 1h);
            if (p == what) {
                state.PauseTiming();
                state.counters["virtual_s"] = seconds(c.now() - from);
            }
            if (!ok)
                state.SkipWithError("it did not come about");
        };
        timed(create, [&] { c.put(deployment("web", 1000)); }, available);
        if (what != create)
            timed(
                update,
                [&] {
                    auto next = *c.get<model::deployment>("default", "web");
                    next.spec.template_.spec.containers.edit()[0].image = "web:2";
                    c.put(next);
                },
                available);
        if (what == remove)
            timed(remove, [&] { c.remove<model::deployment>("default", "web"); }, gone);
        state.ResumeTiming();
    }
}
BENCHMARK_CAPTURE(one_deployment, create, create)->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK_CAPTURE(one_deployment, rolling_update, update)->Unit(benchmark::kMillisecond)->Iterations(5);
BENCHMARK_CAPTURE(one_deployment, remove, remove)->Unit(benchmark::kMillisecond)->Iterations(5);

}  // namespace

BENCHMARK_MAIN();
