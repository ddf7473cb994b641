#include <podium/model.hpp>
#include <podium/reconcile.hpp>

#include <doctest/doctest.h>
#include <string>

namespace model = podium::model;
namespace reconcile = podium::reconcile;
using podium::errc;

namespace game {

/// A kind of an embedder's own.
struct fleet_spec {
    std::int32_t size = 1;
    std::string map_name{};
    friend bool operator==(fleet_spec const&, fleet_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(fleet_spec, (), (size, map_name))

struct fleet {
    static constexpr std::string_view kind = "Fleet";
    static constexpr std::string_view api_version = "game.example/v1";
    static constexpr std::string_view plural = "fleets";
    static constexpr bool namespaced = true;

    model::object_meta metadata{};
    fleet_spec spec{};
    friend bool operator==(fleet const&, fleet const&) = default;
};
BOOST_DESCRIBE_STRUCT(fleet, (), (metadata, spec))

void set_defaults(fleet& f)
{
    if (f.spec.map_name.empty())
        f.spec.map_name = "harbour";
}

model::field_errors validate(fleet const& f)
{
    if (f.spec.size < 0)
        return {{errc::invalid, "must be at least 0", "spec.size", {}}};
    return {};
}

/// Just misses: nobody could ask for "monsters".
struct monster {
    static constexpr std::string_view kind = "Monster";
    static constexpr std::string_view api_version = "game.example/v1";
    static constexpr bool namespaced = true;
    model::object_meta metadata{};
    friend bool operator==(monster const&, monster const&) = default;
};
BOOST_DESCRIBE_STRUCT(monster, (), (metadata))

}  // namespace game

static_assert(model::SchemeKind<game::fleet>);
static_assert(!model::SchemeKind<game::monster>);
static_assert(model::SchemeKind<model::pod> && model::SchemeKind<model::router_status>);

TEST_CASE("model: kinds are found by the names that programs and people use")
{
    auto const kinds = model::default_scheme();
    CHECK(kinds.kinds().size() == 21);
    struct row {
        std::string typed;
        std::string kind;  ///< empty: none
    };
    for (auto const& r : {row{"po", "Pod"}, row{"pod", "Pod"}, row{"pods", "Pod"}, row{"Pod", "Pod"},
             row{"deploy", "Deployment"}, row{"rs", "ReplicaSet"}, row{"svc", "Service"}, row{"no", "Node"},
             row{"ns", "Namespace"}, row{"cm", "ConfigMap"}, row{"endpointslices", "EndpointSlice"},
             row{"slices", "EndpointSlice"}, row{"hpa", "HorizontalPodAutoscaler"}, row{"leases", "Lease"},
             row{"pdb", "PodDisruptionBudget"}, row{"", ""}, row{"fleets", ""}}) {
        CAPTURE(r.typed);
        auto const* found = kinds.find(r.typed);
        CHECK((found ? found->kind : "") == r.kind);
    }
    CHECK(kinds.find("apps/v1", "Deployment")->type == &reconcile::kind_of<model::deployment>);
    CHECK(kinds.find("v1", "Deployment") == nullptr);
    CHECK(kinds.find(&reconcile::kind_of<model::node>)->plural == "nodes");
}

TEST_CASE("model: a kind of one's own joins in one line")
{
    auto kinds = model::default_scheme();
    auto const text =
        R"({"apiVersion":"game.example/v1","kind":"Fleet","metadata":{"name":"north"},"spec":{"size":2}})";
    CHECK(kinds.read(*model::parse_json(text)).error().code == errc::unsupported);
    kinds.add<game::fleet>().add<game::fleet>();
    CHECK(kinds.kinds().size() == 22);

    auto const read = kinds.read(*model::parse_json(text));
    REQUIRE(read);
    auto const fleet = read->as<game::fleet>();
    REQUIRE(fleet);
    CHECK(fleet->spec == game::fleet_spec{2, "harbour"});
    CHECK(fleet->metadata.namespace_ == "default");
    CHECK(kinds.encode(*read) ==
        R"({"apiVersion":"game.example/v1","kind":"Fleet","metadata":{"name":"north","namespace":"default"},)"
        R"("spec":{"size":2,"mapName":"harbour"}})");
    CHECK(
        kinds
            .read(*model::parse_json(R"({"apiVersion":"game.example/v1","kind":"Fleet","spec":{"size":-1}})"))
            .error()
            .text() == "spec.size: must be at least 0");
}

TEST_CASE("model: what cannot be dispatched says why")
{
    auto const kinds = model::default_scheme();
    struct row {
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"[]", "expected an object with apiVersion and kind"},
             row{"{}", "apiVersion: required\nkind: required"},
             row{R"({"apiVersion":1,"kind":null})", "apiVersion: expected a string\nkind: required"},
             row{R"({"apiVersion":"v1","kind":"Deployment"})",
                 "apiVersion: for this kind, expected \"apps/v1\""},
             row{R"({"apiVersion":"v1","kind":"Unicorn"})", "kind: no such kind here"},
             row{R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"a","namespace":"b"}})",
                 "metadata.namespace: must be empty, this kind is cluster-wide"},
         }) {
        CAPTURE(r.text);
        auto const read = kinds.read(*model::parse_json(r.text));
        REQUIRE(!read);
        CHECK(read.error().text() == r.expected);
    }
}

TEST_CASE("model: an object out of a store carries its uid and resourceVersion")
{
    auto const kinds = model::default_scheme();
    auto read =
        kinds.read(*model::parse_json(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}})"));
    REQUIRE(read);
    read->created = reconcile::revision{5};
    read->modified = reconcile::revision{7};
    auto const tree = kinds.to_json(*read);
    CHECK(tree["metadata"]["resourceVersion"] == "7");
    CHECK(tree["metadata"]["uid"] == read->uid());
    CHECK(model::json::parse(kinds.encode(*read)) == tree);
    CHECK(read->as<model::node>()->metadata.uid.empty());
}
