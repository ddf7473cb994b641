#include "world.hpp"

#include <doctest/doctest.h>
#include <map>
#include <string>

using namespace podium;
using podium::tests::world;

TEST_CASE("a slice carries its service's split, and each endpoint the version that it goes by")
{
    world w;
    w.add_node("n1");
    for (auto const* const version : {"1", "2"}) {
        auto d = world::deployment(std::string("web-") + version, 2);
        for (auto* const labels : {&d.spec.selector.match_labels, &d.spec.template_.metadata.labels})
            *labels = {{"app", "web"}, {"track", version}};
        w.put(d);
    }
    w.put(world::service("web"));
    w.run();
    REQUIRE(w.all<model::endpoint_slice>().size() == 1);
    auto const before = w.all<model::endpoint_slice>().at(0);
    CHECK(before->endpoints.size() == 4);
    CHECK_FALSE(before->split);
    CHECK(before->endpoints.front().version.empty());

    auto const divide = [&](std::map<std::string, std::int32_t> weights) {
        w.edit<model::service>("web", [&](model::service& s) {
            s.spec.split = model::traffic_split{.label = "track", .weights = weights};
        });
        w.run();
        return w.all<model::endpoint_slice>().at(0);
    };
    auto const first = divide({{"1", 90}, {"2", 10}});
    CHECK(first->metadata.generation > before->metadata.generation);
    REQUIRE(first->split);
    CHECK(first->split->weights == std::map<std::string, std::int32_t>{{"1", 90}, {"2", 10}});
    std::map<std::string, int> versions;
    for (auto const& e : first->endpoints)
        ++versions[e.version];
    CHECK(versions == std::map<std::string, int>{{"1", 2}, {"2", 2}});

    // Weights alone are a change that routers must acknowledge.
    auto const second = divide({{"2", 1}});
    CHECK(second->metadata.generation == first->metadata.generation + 1);
    CHECK(second->endpoints == first->endpoints);
}
