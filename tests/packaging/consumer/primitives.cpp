// Somebody else's program that takes the primitives and needs std alone. Each of them does a little of its
// work.
#include <podium/podium.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

void must(bool held, char const* what)
{
    if (held)
        return;
    std::fprintf(stderr, "%s\n", what);
    std::exit(1);
}

struct robot {
    double cells = 0;
};
struct errand {
    double cells = 0;
};

}  // namespace

int main()
{
    using namespace podium;

    must(to_string(*quantity::parse("1.5Gi")) == "1536Mi", "core");

    std::map<std::string, std::string> const labels{{"app", "web"}};
    must(labels::selector::parse("app in (web, api), !canary")->matches(labels), "labels");

    observe::counter asked;
    asked.add();
    must(asked.total == 1, "observe");

    probe::policies watched;
    watched.readiness = probe::policy{};
    auto const first = probe::step(watched, probe::start(watched, 1, {}), {}, {});
    must(first.todo.checks[1].has_value(), "probe");

    autoscale::policy scale;
    scale.max_replicas = 9;
    scale.metrics = {{.from = autoscale::source::external, .name = "queue", .target_milli = 1000}};
    autoscale::reading const load{.value_milli = 4000};
    autoscale::workspace lists;
    auto const grown = autoscale::step(scale, {},
        {.size = {.wanted = 2, .existing = 2, .pods = 2, .ready_pods = 2}, .readings = {&load, 1}}, {},
        lists);
    must(grown.todo.scale_to == 4, "autoscale");

    traffic::round_robin turn;
    std::vector<traffic::candidate> const endpoints{{.slot = 7}, {.slot = 8}};
    must(turn.pick(endpoints).index != turn.pick(endpoints).index, "traffic");

    rollout::workspace room;
    std::vector<rollout::replica_set> const none;
    auto const rolled = rollout::step(rollout::deployment{.replicas = 3, .bounds = {.surge = 1}},
        rollout::status{}, std::span<rollout::replica_set const>(none), {}, room);
    must(rolled.todo.size() == 1 && rolled.todo[0].to == 3, "rollout");

    using cells = schedule::resource<"cells", &robot::cells, &errand::cells>;
    schedule::scheduler<schedule::pipeline<robot, errand, schedule::filters<schedule::fit<cells>>,
        schedule::scores<schedule::weighted<schedule::least_allocated<cells>>>>>
        fleet;
    fleet.set("r2", {.cells = 4});
    must(fleet.place({.cells = 1}).node.has_value(), "schedule");

    reconcile::work_queue<std::string> queue;
    queue.add("a");
    queue.add("a");
    must(*queue.get() == "a" && queue.get() == nullptr, "reconcile");

    must(image::reference::parse("nginx").has_value(), "image");

    must(!result<int>(error{errc::not_found, "nobody at home"}), "result");
}
