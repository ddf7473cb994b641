#include "world.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace std::chrono_literals;
using namespace podium;
using podium::tests::world;

TEST_CASE("controllers: every claim is bound, and shows what was asked for as its capacity")
{
    world w;
    model::persistent_volume_claim c;
    c.metadata.name = "data";
    c.metadata.namespace_ = "default";
    c.spec.access_modes = {model::access_mode::read_write_once};
    c.spec.resources.requests["storage"] = quantity::parse("1Gi").value();
    w.put(c);
    w.run();
    auto const seen = [&] { return w.store.get<model::persistent_volume_claim>("default", "data"); };
    CHECK(seen()->status.phase == model::claim_phase::bound);
    CHECK(seen()->status.access_modes == c.spec.access_modes);
    CHECK(seen()->status.capacity == c.spec.resources.requests);
    auto const at = w.store.at();
    w.run(1h);
    CHECK(w.store.at() == at);

    w.edit<model::persistent_volume_claim>("data",
        [](auto& claim) { claim.spec.resources.requests["storage"] = quantity::parse("2Gi").value(); });
    w.run();
    CHECK(seen()->status.capacity.at("storage") == quantity::parse("2Gi").value());
}

TEST_CASE("controllers: a pod that names a service as its subdomain has its host name in the slice")
{
    world w;
    w.add_node("a");
    for (auto const* const name : {"db", "other"}) {
        model::service s;
        s.metadata.name = name;
        s.metadata.namespace_ = "default";
        s.spec.selector["app"] = "db";
        s.spec.cluster_ip = "None";
        w.put(s);
    }
    auto d = world::deployment("db", 1);
    d.spec.template_.spec.hostname = "db-0";
    d.spec.template_.spec.subdomain = "db";
    w.put(d);
    w.run();
    int slices = 0;
    for (auto const& slice : w.all<model::endpoint_slice>()) {
        ++slices;
        REQUIRE(slice->endpoints.size() == 1);
        CHECK(slice->endpoints[0].hostname == (slice->metadata.name == "db" ? "db-0" : ""));
    }
    CHECK(slices == 2);
}
