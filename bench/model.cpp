// What the model costs: copying a pod is each status update's, encoding each watched event's, decoding each
// request's.

#include <podium/model.hpp>

#include <benchmark/benchmark.h>

namespace model = podium::model;

namespace {

model::pod sample()
{
    model::container c{.name = "web", .image = "shop/web:1.2"};
    c.ports = {{.name = "http", .container_port_ = 8080}};
    c.env = {{.name = "A", .value = "1"}, {.name = "B", .value = "2"}};
    c.resources.requests = {
        {"cpu", podium::quantity::from_milli(500)}, {"memory", podium::quantity::from_integer(1 << 26)}};
    c.readiness_probe = model::probe{.http_get = model::http_get_action{.path = "/", .port = "http"}};
    model::pod p;
    p.metadata = {.name = "web-0001", .namespace_ = "shop"};
    p.metadata.labels = {{"app", "web"}, {"tier", "front"}};
    p.spec.containers = {c};
    p.spec.node_name = "node-17";
    p.status.phase = model::pod_phase::running;
    p.status.pod_ip = "127.1.2.3";
    p.status.conditions = {{.type = "Ready", .status = model::condition_status::true_}};
    return p;
}

void model_copy_pod(benchmark::State& state)
{
    auto const p = sample();
    for (auto _ : state) {
        auto copy = p;
        benchmark::DoNotOptimize(copy);
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(model_copy_pod);

void model_encode_pod(benchmark::State& state)
{
    auto const p = sample();
    for (auto _ : state)
        benchmark::DoNotOptimize(model::encode(p));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(model_encode_pod);

void model_decode_pod(benchmark::State& state)
{
    auto const text = model::encode(sample());
    for (auto _ : state)
        benchmark::DoNotOptimize(model::decode_text<model::pod>(text));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(model_decode_pod);

void model_validate_pod(benchmark::State& state)
{
    auto const p = sample();
    for (auto _ : state)
        benchmark::DoNotOptimize(validate(p));
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(model_validate_pod);

}  // namespace

BENCHMARK_MAIN();
