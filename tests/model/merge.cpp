#include <podium/model/merge.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>

namespace model = podium::model;
using model::json;

TEST_CASE("model: merge patches are RFC 7396's")
{
    // The RFC's own test cases (appendix A).
    struct row {
        std::string target;
        std::string patch;
        std::string expected;
    };
    for (auto const& r : {
             row{R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
             row{R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
             row{R"({"a":"b"})", R"({"a":null})", R"({})"},
             row{R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
             row{R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
             row{R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
             row{R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
             row{R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
             row{R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
             row{R"({"a":"b"})", R"(["c"])", R"(["c"])"},
             row{R"({"a":"foo"})", R"(null)", R"(null)"},
             row{R"({"a":"foo"})", R"("bar")", R"("bar")"},
             row{R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
             row{R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
             row{R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
         }) {
        CAPTURE(r.target);
        CAPTURE(r.patch);
        CHECK(model::merge_patch(json::parse(r.target), json::parse(r.patch)) == json::parse(r.expected));
    }
}

TEST_CASE("model: apply keeps what others wrote and takes back what its author took out")
{
    struct row {
        std::string name;
        std::string last;
        std::string live;
        std::string now;
        std::string expected;
    };
    for (auto const& r :
        {
            row{"a scaler's replicas stay", R"({"spec":{"a":1}})", R"({"spec":{"a":1,"replicas":7}})",
                R"({"spec":{"a":2}})", R"({"spec":{"a":2,"replicas":7}})"},
            row{"said again, they are the author's", R"({"spec":{}})", R"({"spec":{"replicas":7}})",
                R"({"spec":{"replicas":2}})", R"({"spec":{"replicas":2}})"},
            row{"taken out, it goes", R"({"spec":{"a":1,"b":1}})", R"({"spec":{"a":1,"b":2}})",
                R"({"spec":{"a":1}})", R"({"spec":{"a":1}})"},
            row{"null is not said", R"({"a":1})", R"({"a":1,"b":2})", R"({"a":null,"b":null})", R"({"b":2})"},
            row{"taken out whole, with what was defaulted in it", R"({"s":{"probe":{"x":1}}})",
                R"({"s":{"probe":{"x":1,"path":"/"},"b":1}})", R"({"s":{}})", R"({"s":{"b":1}})"},
            row{"of labels only the author's own go", R"({"metadata":{"labels":{"a":"1"}}})",
                R"({"metadata":{"labels":{"a":"1","b":"2"}}})", R"({"metadata":{}})",
                R"({"metadata":{"labels":{"b":"2"}}})"},
            row{"containers go by name", R"({"containers":[{"name":"a","image":"1"},{"name":"b"}]})",
                R"({"containers":[{"name":"side","image":"s"},{"name":"b"},{"name":"a","image":"1","policy":"P"}]})",
                R"({"containers":[{"name":"a","image":"2"}]})",
                R"({"containers":[{"name":"a","image":"2","policy":"P"},{"name":"side","image":"s"}]})"},
            row{"a container's ports go by number and protocol",
                R"({"containers":[{"name":"a","ports":[{"containerPort":1},{"containerPort":2}]}]})",
                R"({"containers":[{"name":"a","ports":[{"containerPort":1,"protocol":"TCP"},{"containerPort":2},{"containerPort":3}]}]})",
                R"({"containers":[{"name":"a","ports":[{"containerPort":1,"name":"x"},{"containerPort":1,"protocol":"UDP"}]}]})",
                R"({"containers":[{"name":"a","ports":[{"containerPort":1,"protocol":"TCP","name":"x"},{"containerPort":1,"protocol":"UDP"},{"containerPort":3}]}]})"},
            row{"a service's ports go by port", R"({"spec":{"ports":[{"port":1}]}})",
                R"({"spec":{"ports":[{"port":1,"nodePort":30000}]}})",
                R"({"spec":{"ports":[{"port":1,"name":"a"}]}})",
                R"({"spec":{"ports":[{"port":1,"name":"a","nodePort":30000}]}})"},
            row{"other lists are one value", R"({"args":["a"]})", R"({"args":["a","b"]})",
                R"({"args":["c"]})", R"({"args":["c"]})"},
            row{"a list without names is replaced", R"({"env":[{"value":"1"}]})", R"({"env":[{"name":"x"}]})",
                R"({"env":[{"value":"2"}]})", R"({"env":[{"value":"2"}]})"},
            row{"a value becomes a reference", R"({"env":[{"name":"A","value":"1"}]})",
                R"({"env":[{"name":"A","value":"1"}]})", R"({"env":[{"name":"A","valueFrom":{}}]})",
                R"({"env":[{"name":"A","valueFrom":{}}]})"},
            row{"a strategy's defaults go with its type", R"({"spec":{}})",
                R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"25%"}}}})",
                R"({"spec":{"strategy":{"type":"Recreate"}}})",
                R"({"spec":{"strategy":{"type":"Recreate"}}})"},
            row{"a volume changes its source", R"({"volumes":[{"name":"v","emptyDir":{}}]})",
                R"({"volumes":[{"name":"v","emptyDir":{"medium":"x"}}]})",
                R"({"volumes":[{"name":"v","configMap":{"name":"c"}}]})",
                R"({"volumes":[{"name":"v","configMap":{"name":"c"}}]})"},
            row{"nothing was applied before", "null", R"({"a":1,"b":2})", R"({"a":3})", R"({"a":3,"b":2})"},
            row{"nothing is live", "null", "null", R"({"a":{"b":[1]}})", R"({"a":{"b":[1]}})"},
        }) {
        CAPTURE(r.name);
        auto const last = json::parse(r.last);
        auto const now = json::parse(r.now);
        auto const merged = model::three_way_merge(last, json::parse(r.live), now);
        CHECK(merged == json::parse(r.expected));
        CHECK(model::three_way_merge(now, merged, now) == merged);
    }
}

namespace {

json random_tree(std::mt19937_64& random, int depth)
{
    static constexpr char const* keys[] = {
        "name", "containers", "env", "labels", "strategy", "volumes", "ports", "spec"};
    switch (random() % (depth > 0 ? 6 : 3)) {
    case 0: return static_cast<int>(random() % 3);
    case 1: return random() % 2 ? "a" : "b";
    case 2: return random() % 4 ? json(true) : json();
    case 3: {
        json out = json::array();
        for (auto n = random() % 4; n > 0; --n)
            out.push_back(random_tree(random, depth - 1));
        return out;
    }
    default: {
        json out = json::object();
        for (auto n = random() % 5; n > 0; --n)
            out[keys[random() % std::size(keys)]] = random_tree(random, depth - 1);
        return out;
    }
    }
}

}  // namespace

TEST_SUITE("property")
{
    TEST_CASE("model: applying twice is applying once, whatever the trees")
    {
        for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const last = random_tree(random, 4);
            auto const live = random_tree(random, 4);
            auto const now = random_tree(random, 4);
            auto const once = model::three_way_merge(last, live, now);
            REQUIRE(model::three_way_merge(now, once, now) == once);
            auto const patched = model::merge_patch(live, now);
            REQUIRE(model::merge_patch(patched, now) == patched);
        }
    }
}
