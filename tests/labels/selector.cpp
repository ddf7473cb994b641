#include <podium/labels/selector.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

namespace labels = podium::labels;
using namespace podium::labels::literals;
using podium::labels::selector;
using label_map = std::map<std::string, std::string>;

selector s(std::string_view text)
{
    return selector::parse(text).value();
}

// The least that can be matched: a range of pairs of things that read as text.
struct archetype {
    struct pair {
        char const* first;
        char const* second;
    };
    pair const* from = nullptr;
    pair const* to = nullptr;
    [[nodiscard]] pair const* begin() const { return from; }
    [[nodiscard]] pair const* end() const { return to; }
};
static_assert(labels::LabelSet<archetype>);
static_assert(labels::LabelSet<label_map>);
static_assert(!labels::LabelSet<std::vector<std::string>>);    // no pairs
static_assert(!labels::LabelSet<std::map<std::string, int>>);  // values are no text

std::string random_word(std::mt19937_64& random)
{
    static constexpr char const* words[]{"a", "b", "app", "in", "notin", "x.y/z", "v1.2", "7", "10", "web"};
    return words[random() % 10];
}
labels::expression random_expression(std::mt19937_64& random)
{
    labels::expression e{.key = random_word(random), .operator_ = static_cast<labels::op>(random() % 9)};
    auto const value = [&] {
        auto v = random_word(random);
        return v.find('/') == v.npos ? v : std::string{};
    };
    switch (e.operator_) {
    case labels::op::in:
    case labels::op::not_in:
        for (auto n = 1 + random() % 3; n > 0; --n)
            if (auto v = value(); std::find(e.values.begin(), e.values.end(), v) == e.values.end())
                e.values.push_back(v);
        break;
    case labels::op::exists:
    case labels::op::does_not_exist: break;
    case labels::op::gt:
    case labels::op::lt: e.values = {std::to_string(random() % 12)}; break;
    default: e.values = {value()};
    }
    return e;
}
/// What a requirement means, said once more from the field's definition.
bool is_met(labels::expression const& e, label_map const& set)
{
    auto const has = set.count(e.key) > 0;
    auto const is_one = [&] {
        return has && std::count(e.values.begin(), e.values.end(), set.at(e.key)) > 0;
    };
    auto const number = [](std::string const& text) -> std::optional<long long> {
        if (text.empty() || text.find_first_not_of("0123456789") != text.npos)
            return std::nullopt;
        return std::stoll(text);
    };
    switch (e.operator_) {
    case labels::op::in:
    case labels::op::equals:
    case labels::op::double_equals: return is_one();
    case labels::op::not_in:
    case labels::op::not_equals: return !is_one();
    case labels::op::exists: return has;
    case labels::op::does_not_exist: return !has;
    default: break;
    }
    auto const held = has ? number(set.at(e.key)) : std::nullopt, wanted = number(e.values.at(0));
    return held && (e.operator_ == labels::op::gt ? *held > *wanted : *held < *wanted);
}
label_map random_labels(std::mt19937_64& random)
{
    label_map out;
    for (auto n = random() % 5; n > 0; --n)
        out[random_word(random)] = random_word(random);
    return out;
}

}  // namespace

TEST_CASE("labels: a selector reads its text and prints it canonically")
{
    struct row {
        char const* name;
        char const* text;
        char const* canonical;
    };
    for (auto const& r : {
             row{"empty", "", ""},
             row{"blanks", " \t", ""},
             row{"by key, values sorted", "b in (z, y), a", "a,b in (y,z)"},
             row{"operators are words only where they stand", "in in (in,notin)", "in in (in,notin)"},
             row{"no value is an empty one", "a in ()", "a in ()"},
             row{"between commas too", "a in (b,,c)", "a in (,b,c)"},
             row{"the empty value", "a=,b", "a=,b"},
             row{"spelling of equality is kept", "a==b, c=d", "a==b,c=d"},
             row{"one key stays in order", "a!=2,a>1", "a!=2,a>1"},
             row{"not", "! a", "!a"},
         }) {
        CAPTURE(r.name);
        CHECK(to_string(s(r.text)) == r.canonical);
    }
}

TEST_CASE("labels: an error in a selector says where, and what was expected")
{
    struct row {
        char const* text;
        char const* message;
    };
    for (auto const& r : {
             row{"a,,b", "expected a label key at character 3"},
             row{"a,", "expected a label key at character 3"},
             row{"a b", "expected an operator (in, notin, =, ==, !=, >, <), ',' or the end at character 3"},
             row{"a in b", "expected '(' at character 6"},
             row{"a in (b", "expected a label value, ',' or ')' at character 8"},
             row{"a=b c", "expected ',' or the end at character 5"},
             row{"!a=b", "expected ',' or the end at character 3"},
             row{"a>x", "expected an integer at character 3"},
             row{"a>", "expected an integer at character 3"},
             row{"a=-b", "expected a label value at character 3"},
             row{"-a", "expected a label key at character 1"},
         }) {
        CAPTURE(r.text);
        auto const parsed = selector::parse(r.text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().message == r.message);
    }
}

TEST_CASE("labels: nothing and everything are two selectors")
{
    CHECK_FALSE(selector{}.matches(label_map{}));
    CHECK_FALSE(selector::make(std::nullopt)->matches(label_map{{"a", "b"}}));
    CHECK(selector::everything().matches(label_map{}));
    CHECK(selector::make(labels::label_selector{})->is_everything());
    CHECK(s("").is_everything());
    CHECK(selector::nothing() != selector::everything());
}

TEST_CASE("labels: what is not there is not equal, and no number")
{
    label_map const none, four{{"n", "4"}}, word{{"n", "x"}}, plus{{"n", "+5"}}, empty{{"n", ""}};
    CHECK(s("n!=4").matches(none));
    CHECK(s("n notin (4)").matches(none));
    CHECK_FALSE(s("n!=4").matches(four));
    CHECK_FALSE(s("n>1").matches(none));
    CHECK(s("n>3").matches(four));
    CHECK_FALSE(s("n>4").matches(four));
    CHECK(s("n<5").matches(four));
    CHECK_FALSE(s("n<5").matches(word));
    CHECK(s("n>4").matches(plus));
    CHECK(s("n in ()").matches(empty));
    CHECK_FALSE(s("n in ()").matches(none));
}

TEST_CASE("labels: any range of pairs of text can be matched")
{
    auto const& chosen = "app in (web, api), !canary"_selector;
    archetype::pair const pairs[]{{"tier", "front"}, {"app", "api"}};
    CHECK(chosen.matches(archetype{pairs, pairs + 2}));
    CHECK_FALSE(chosen.matches(archetype{}));
    CHECK(chosen.matches(std::unordered_map<std::string, std::string>{{"app", "web"}}));
    CHECK_FALSE(chosen.matches(
        std::vector<std::pair<std::string_view, std::string_view>>{{"app", "web"}, {"canary", ""}}));
}

TEST_CASE("labels: the structured form reports every error with its path")
{
    labels::label_selector const wrong{.match_labels = {{"-a", "b-"}},
        .match_expressions = {
            {"x", labels::op::in, {}}, {"y", labels::op::exists, {"1"}}, {"z", labels::op::gt, {"1"}}}};
    auto const r = selector::make(wrong);
    REQUIRE_FALSE(r);
    REQUIRE(r.error().further.size() == 4);
    CHECK(r.error().path == "matchLabels[-a]");
    CHECK(r.error().message.starts_with("the key must"));
    CHECK(r.error().further[0].path == "matchLabels[-a]");
    CHECK(r.error().further[0].message.starts_with("the value must"));
    CHECK(r.error().further[1].path == "matchExpressions[0].values");
    CHECK(r.error().further[2].path == "matchExpressions[1].values");
    CHECK(r.error().further[3].path == "matchExpressions[2].operator");
}

TEST_CASE("labels: an index may ask for the one value that a requirement allows")
{
    auto const only = s("a=1,b in (2),c in (2,3),d,e!=1");
    std::vector<std::string> found;
    for (auto const& r : only.requirements())
        if (auto const v = r.sole_value())
            found.push_back(r.key() + ':' + std::string(*v));
    CHECK(found == std::vector<std::string>{"a:1", "b:2"});
}

TEST_CASE("labels: hostile text is an error that says where, in few words")
{
    std::size_t const many = 10'000'000;
    struct row {
        char const* name;
        std::string text;
        std::size_t at;  // the character that is complained of; 0: it is a selector
    };
    std::string requirements, values = "a in (v";
    for (int i = 0; i < 100'000; ++i) {
        requirements += (i == 0 ? "k" : ",k") + std::to_string(100'000 - i) + (i % 2 ? "=v" : " notin (a,b)");
        values += ",v" + std::to_string(100'000 - i);
    }
    for (auto const& r : {
             row{"one long key", std::string(many, 'a'), 1},
             row{"one long value", "a=" + std::string(many, 'a'), 3},
             row{"one long prefix", std::string(many, 'a') + "/b", 1},
             row{"slashes", std::string(many, '/'), 1},
             row{"digits", "a>" + std::string(many, '9'), 3},
             row{"blanks", std::string(many, ' ') + '-', many + 1},
             row{"open parentheses", "a in " + std::string(many, '('), 7},
             row{"closed ones", "a in (" + std::string(many, ')'), 8},
             row{"nots", std::string(many, '!'), 2},
             row{"commas", std::string(many, ','), 1},
             row{"values that are empty", "a in (" + std::string(many, ',') + ')', 0},
             row{"NUL", std::string("a=b\0", 4), 3},
             row{"NUL before", std::string("\0a", 2), 1},
             row{"invalid UTF-8", "a=\xc3\x28", 3},
             row{"valid UTF-8", "a=\xc3\xa9", 3},
             row{"100,000 requirements", requirements, 0},
             row{"100,000 values", values + ')', 0},
         }) {
        CAPTURE(r.name);
        auto const parsed = selector::parse(r.text);
        REQUIRE(parsed.has_value() == (r.at == 0));
        if (!parsed) {
            CHECK(parsed.error().message.ends_with("at character " + std::to_string(r.at)));
            CHECK(parsed.error().text().size() < 200);
        }
    }
    auto const all = s(requirements);
    REQUIRE(all.requirements().size() == 100'000);
    CHECK_FALSE(all.matches(label_map{{"k7", "v"}}));
    CHECK(s(to_string(all)) == all);
}

TEST_CASE("labels: an error in a structured selector does not repeat a huge key")
{
    auto const r = selector::make(labels::label_selector{
        .match_labels = {{std::string(10'000'000, 'k'), std::string(10'000'000, 'v')}}});
    REQUIRE_FALSE(r);
    CHECK(r.error().text().size() < 1000);
}

TEST_SUITE("property")
{
    TEST_CASE("labels: the canonical text of a selector parses to an equal selector")
    {
        for (std::uint64_t seed = 0; seed < 3000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::vector<labels::requirement> all;
            for (auto n = random() % 6; n > 0; --n)
                all.push_back(labels::requirement::make(random_expression(random)).value());
            selector const one(all);
            CAPTURE(to_string(one));
            REQUIRE(s(to_string(one)) == one);
        }
    }

    TEST_CASE("labels: a selector matches what its requirements mean, in any container")
    {
        std::size_t matched = 0;
        for (std::uint64_t seed = 0; seed < 5000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const set = random_labels(random);
            auto const e = random_expression(random), f = random_expression(random);
            auto const a = labels::requirement::make(e).value(), b = labels::requirement::make(f).value();
            bool const both = selector({a, b}).matches(set);
            matched += both;
            REQUIRE(both == (is_met(e, set) && is_met(f, set)));
            REQUIRE(both ==
                selector({b, a}).matches(
                    std::vector<std::pair<std::string, std::string>>(set.begin(), set.end())));
        }
        REQUIRE(matched > 100);
    }

    TEST_CASE("labels: any bytes are a selector or an error")
    {
        std::mt19937_64 random(20180417);
        static constexpr std::string_view pieces[]{"a", "in", "notin", " ", "(", ")", ",", "!", "=",
            "==", "!=", "<", ">", "1", "-", "\n", "x/y", "\xff"};
        for (int i = 0; i < 30'000; ++i) {
            std::string text;
            for (auto n = random() % 12; n > 0; --n)
                text += pieces[random() % std::size(pieces)];
            CAPTURE(text);
            if (auto const one = selector::parse(text))
                REQUIRE(s(to_string(*one)) == *one);
        }
    }
}
