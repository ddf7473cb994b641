/// What an agent costs: a pod's way from bound to ready on a node, and a probe's turn of one that runs.
///
/// The first is the tick of a cluster that scales, paid once for each pod; the second that of one at rest,
/// paid for each probe's period.

#include <podium/agent/node.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/view.hpp>

#include <benchmark/benchmark.h>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace podium;

struct counter {
    std::uint32_t next = 0;
    result<std::string> allocate() { return "10.0.0." + std::to_string(++next); }
    void release(std::string_view) {}
};

model::pod pod(std::string name, bool probed)
{
    model::pod p;
    p.metadata.name = std::move(name);
    p.metadata.namespace_ = "shop";
    p.spec.node_name = "a";
    model::container c;
    c.name = "main";
    if (probed)
        c.liveness_probe = model::probe{.tcp_socket = model::tcp_socket_action{.port = 80}};
    p.spec.containers.push_back(c);
    return p;
}

struct machine {
    reconcile::memory_store store{};
    reconcile::view<> view{};
    counter addresses{};
    agent::node<counter> node{{.name = "a", .host_ip = "10.0.0.1"}, {}, addresses};

    machine(std::int64_t pods, bool probed)
    {
        reconcile::plan p;
        for (std::int64_t i = 0; i < pods; ++i)
            p.create(pod("web-" + std::to_string(i), probed));
        (void)store.commit(p.whole());
    }
    /// Until nothing more happens at `now`.
    void settle(time_point now)
    {
        for (;;) {
            auto const news = store.changes(view.at(), 1'000'000);
            for (auto const& c : *news) {
                view.apply(c, now);
                node.observe(c, now);
            }
            auto const work = node.step(view, now);
            if (work.actions.empty() && work.plans.empty() && news->empty())
                return;
            for (auto const& p : work.plans)
                node.done(p.ticket, store.commit(p.what.whole()), now);
            for (auto const& a : work.actions)
                if (a.what == agent::verb::run)
                    node.observe(a.pod, {a.container, a.instance, agent::started{"id", now}});
                else if (a.what == agent::verb::check)
                    node.observe(
                        a.pod, {a.container, a.instance, agent::probed{a.check, probe::outcome::success}});
        }
    }
};

void bound_to_ready(benchmark::State& state)
{
    for (auto _ : state) {
        state.PauseTiming();
        machine m(state.range(0), false);
        state.ResumeTiming();
        m.settle(time_point{std::chrono::hours(1)});
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(bound_to_ready)->Name("agent_bound_to_ready")->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

void probes_turn(benchmark::State& state)
{
    machine m(state.range(0), true);
    time_point now{std::chrono::hours(1)};
    m.settle(now);
    for (auto _ : state) {
        now += std::chrono::seconds(10);
        m.settle(now);
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(probes_turn)->Name("agent_probes_turn")->Arg(100)->Arg(1000)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
