#include <podium/labels/node_selector.hpp>

#include <doctest/doctest.h>
#include <map>
#include <string>
#include <vector>

namespace {

using namespace podium::labels;
std::map<std::string, std::string> const ssd{{"disk", "ssd"}, {"cores", "8"}};

bool matches(std::vector<node_selector_term> const& terms)
{
    return node_selector(terms).matches_node(ssd, "node-1").value();
}

}  // namespace

TEST_CASE("labels: one of a node selector's terms must match, all of the term")
{
    expression const fast{"disk", op::in, {"ssd"}}, slow{"disk", op::in, {"hdd"}},
        big{"cores", op::gt, {"4"}};
    CHECK(matches({{.match_expressions = {fast, big}}}));
    CHECK_FALSE(matches({{.match_expressions = {fast, slow}}}));
    CHECK(matches({{.match_expressions = {slow}}, {.match_expressions = {fast}}}));
}

TEST_CASE("labels: no term and an empty term select no node")
{
    CHECK_FALSE(matches({}));
    CHECK_FALSE(matches({{}}));
}

TEST_CASE("labels: a node selector's fields take one name, or all but one")
{
    CHECK(matches({{.match_fields = {{"metadata.name", op::in, {"node-1"}}}}}));
    CHECK_FALSE(matches({{.match_fields = {{"metadata.name", op::not_in, {"node-1"}}}}}));
    CHECK(matches({{.match_fields = {{"metadata.other", op::not_in, {"node-1"}}}}}));
    node_selector const two(
        std::vector<node_selector_term>{{.match_fields = {{"metadata.name", op::in, {"a", "b"}}}}});
    CHECK(two.valid().error().path == "nodeSelectorTerms[0].matchFields[0].values");
}

TEST_CASE("labels: a wrong term matters only if no other term matches")
{
    expression const fast{"disk", op::in, {"ssd"}}, slow{"disk", op::in, {"hdd"}},
        wrong{"disk", op::unknown, {"ssd"}};
    node_selector const saved(
        std::vector<node_selector_term>{{.match_expressions = {wrong}}, {.match_expressions = {fast}}});
    CHECK(saved.matches_node(ssd, "node-1") == true);
    CHECK(saved.valid().error().path == "nodeSelectorTerms[0].matchExpressions[0].operator");
    node_selector const lost(
        std::vector<node_selector_term>{{.match_expressions = {slow}}, {.match_expressions = {wrong}}});
    CHECK_FALSE(lost.matches_node(ssd, "node-1").has_value());
}

TEST_CASE("labels: a hostile node selector says what is wrong, and matches nothing by it")
{
    auto const long_text = std::string(10'000'000, 'a');
    for (auto const& text :
        {long_text, std::string("a\0", 2), std::string("\xc3\x28"), std::string("((((")}) {
        node_selector const s(
            std::vector<node_selector_term>{{.match_expressions = {{text, op::in, {"a"}},
                                                 {"disk", op::in, {text}}, {"cores", op::gt, {text}}}}});
        auto const all = s.valid();
        REQUIRE_FALSE(all);
        CHECK(all.error().path == "nodeSelectorTerms[0].matchExpressions[0].key");
        CHECK(all.error().text().size() < 3000);
        CHECK_FALSE(s.matches_node(ssd, "node-1").has_value());
        CHECK(matches({{.match_fields = {{"metadata.name", op::not_in, {text}}}}}));
    }
    std::vector<node_selector_term> many(100'000);
    for (auto& term : many)
        term.match_expressions = {{"disk", op::in, {"hdd"}}};
    CHECK_FALSE(matches(many));
    many.back().match_expressions[0].values = {"ssd"};
    CHECK(matches(many));
}
