// A kind and a controller of your own beside podium's, in your own io_context: servers in each region.
#include <podium/controllers.hpp>
#include <podium/model/scheme.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/store.hpp>

#include <boost/asio.hpp>
#include <iostream>

using namespace podium;
namespace game {
struct fleet_spec {
    std::vector<std::string> regions{};
    friend bool operator==(fleet_spec const&, fleet_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(fleet_spec, (), (regions))
struct fleet {
    static constexpr std::string_view kind = "Fleet", api_version = "game.example/v1", plural = "fleets";
    static constexpr bool namespaced = true;
    model::object_meta metadata{};
    fleet_spec spec{};
    friend bool operator==(fleet const&, fleet const&) = default;
};
BOOST_DESCRIBE_STRUCT(fleet, (), (metadata, spec))
static_assert(model::SchemeKind<fleet>);
struct fleets {
    using primary = fleet;
    using owns = reconcile::types<model::replica_set>;
    reconcile::plan reconcile(auto const& view, reconcile::key const& which, time_point) const
    {
        reconcile::plan p;
        if (auto const f = view.template get<fleet>(which))
            for (model::replica_set set; auto const& region : f->spec.regions) {
                set.metadata = {.name = which.name + '-' + region, .namespace_ = which.namespace_};
                set.metadata.owner_references = {reconcile::owned_by<model::owner_reference>(f)};
                if (!view.template get<model::replica_set>(which.namespace_, set.metadata.name))
                    p.create(set);
            }
        return p;
    }
};
}  // namespace game

int main()
{
    auto const kinds = model::default_scheme().add<game::fleet>();
    auto const eu = kinds.read(model::json::parse(R"({"apiVersion": "game.example/v1", "kind": "Fleet",
        "metadata": {"name": "eu"}, "spec": {"regions": ["north", "south"]}})"));
    reconcile::memory_store store;
    reconcile::plan wish;
    wish.create(*eu.value().as<game::fleet>());
    (void)store.commit(wish.whole());
    boost::asio::io_context io;
    auto plane = controllers::basic_control_plane<reconcile::types<>, game::fleets>::make({}, {});
    co_spawn(io, store::drive(plane, store), boost::asio::detached);
    while (plane.view().count<model::pod>() < 2 && io.run_one_for(std::chrono::seconds(30)) != 0) {
    }
    for (auto const pod : plane.view().all<model::pod>())
        std::cout << pod->metadata.name << " of " << pod->metadata.owner_references[0].name << '\n';
}
