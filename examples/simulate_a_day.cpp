// A day of a cluster in a moment: two nodes, four replicas, one node dies at noon. Same seed, same day.
#include <podium/sim.hpp>

#include <iostream>

using namespace std::chrono_literals;
using namespace podium;

int main()
{
    sim::cluster cluster({.seed = 7, .start = {1s, 3s}});
    cluster.add_nodes(2);
    model::replica_set web;
    web.metadata.name = "web", web.metadata.namespace_ = "shop";
    web.spec.replicas = 4;
    web.spec.selector.match_labels = {{"app", "web"}};  // also what the scheduler keeps apart
    web.spec.template_.metadata.labels = {{"app", "web"}};
    web.spec.template_.spec.containers = {model::container{.name = "web", .image = "shop/web:1.2"}};
    cluster.put(web);

    auto const tell = [&](char const* when) {
        std::cout << when << ": " << cluster.get<model::replica_set>("shop", "web")->status.ready_replicas
                  << " ready";
        for (auto const node : cluster.view().all<model::node>())
            std::cout << ", " << node->metadata.name << (is_ready(*node) ? "" : " lost");
        std::cout << '\n';
    };
    cluster.run_for(12h);
    tell("noon");
    cluster.fail_node("node-0001");
    cluster.run_for(2min);
    tell("two minutes later");
    cluster.run_for(12h);
    tell("midnight");
}
