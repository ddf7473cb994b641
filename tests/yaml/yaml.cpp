#include <podium/yaml.hpp>

#include <doctest/doctest.h>
#include <string>
#include <string_view>

namespace yaml = podium::yaml;
using podium::errc;
using yaml::json;

namespace {

std::string repeated(std::string_view part, std::size_t bytes)
{
    std::string out;
    out.reserve(bytes + part.size());
    while (out.size() < bytes)
        out += part;
    return out;
}

/// The only document of a text, as JSON text; or the error.
std::string one(std::string_view text)
{
    auto const parsed = yaml::parse(text);
    if (!parsed)
        return parsed.error().text();
    return parsed->size() == 1 ? (*parsed)[0].value.dump() : std::to_string(parsed->size()) + " documents";
}

}  // namespace

TEST_CASE("yaml: scalars mean what they mean to kubectl")
{
    struct row {
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"true", "true"},
             row{"True", "true"},
             row{"yes", "true"},
             row{"on", "true"},
             row{"y", "true"},
             row{"NO", "false"},
             row{"off", "false"},
             row{"n", "false"},
             row{"'yes'", "\"yes\""},
             row{"\"true\"", "\"true\""},
             row{"!!str true", "\"true\""},
             row{"tRue", "\"tRue\""},
             row{"null", "null"},
             row{"~", "null"},
             row{"", "null"},
             row{"\"\"", "\"\""},
             row{"'~'", "\"~\""},
             row{"0", "0"},
             row{"42", "42"},
             row{"-7", "-7"},
             row{"+7", "7"},
             row{"0x1F", "31"},
             row{"017", "15"},
             row{"0o17", "15"},
             row{"0b11", "3"},
             row{"1_000", "1000"},
             row{"08", "8.0"},
             row{"-0", "0"},
             row{"18446744073709551615", "18446744073709551615"},
             row{"-9223372036854775808", "-9223372036854775808"},
             row{"1.5", "1.5"},
             row{".5", "0.5"},
             row{"1e3", "1000.0"},
             row{"-1.5E-1", "-0.15"},
             row{"1.2.3", "\"1.2.3\""},
             row{"127.0.0.1", "\"127.0.0.1\""},
             row{"500m", "\"500m\""},
             row{"1:30", "\"1:30\""},
             row{"2026-01-31", "\"2026-01-31\""},
             row{"+-5", "\"+-5\""},
             row{"-", "error"},
             row{"0x", "\"0x\""},
             row{"1e", "\"1e\""},
             row{"--5", "\"--5\""},
             row{"web", "\"web\""},
         }) {
        CAPTURE(r.text);
        auto const parsed = yaml::parse("a: " + r.text);
        CHECK((parsed ? (*parsed)[0].value["a"].dump() : "error") == r.expected);
    }
}

TEST_CASE("yaml: documents, anchors, aliases and merge keys")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;
    };
    for (auto const& r : {
             row{"block and flow", "a: [1, {b: c}]\nd:\n- e\n", R"({"a":[1,{"b":"c"}],"d":["e"]})"},
             row{"text blocks", "a: |\n  x\n  y\nb: >-\n  x\n  y\n", R"({"a":"x\ny\n","b":"x y"})"},
             row{"an alias is a copy", "a: &x {k: 1}\nb: *x\n", R"({"a":{"k":1},"b":{"k":1}})"},
             row{"an alias of a scalar", "a: &x 1\nb: *x\n", R"({"a":1,"b":1})"},
             row{"merge: own members win", "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n",
                 R"({"a":{"k":1,"l":2},"b":{"k":3,"l":2}})"},
             row{"merge: wherever it stands", "a: &x {k: 1}\nb: {k: 3, <<: *x}\n",
                 R"({"a":{"k":1},"b":{"k":3}})"},
             row{"merge: the first source wins", "a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n",
                 R"({"a":{"k":1},"b":{"k":2,"m":3},"c":{"k":1,"m":3}})"},
             row{"a quoted << is a key", "a: {\"<<\": 1}\n", R"({"a":{"<<":1}})"},
             row{"keys are strings", "1: a\ntrue: b\n\"null\": c\n", R"({"1":"a","null":"c","true":"b"})"},
             row{"an empty value", "a:\nb: 1\n", R"({"a":null,"b":1})"},
             row{"JSON is YAML", "\t{\"a\":\t\"\\ud83d\\ude00\"}", "{\"a\":\"\xF0\x9F\x98\x80\"}"},
             row{"several", "a: 1\n---\nb: 2\n", "2 documents"},
             row{"empty ones do not count", "---\n---\na: 1\n---\n# none\n---\n", R"({"a":1})"},
             row{"nothing", "", "0 documents"},
             row{"comments only", "# nothing\n", "0 documents"},
         }) {
        CAPTURE(r.name);
        CHECK(one(r.text) == r.expected);
    }
}

TEST_CASE("yaml: what is wrong is told with document and line")
{
    struct row {
        std::string name;
        std::string text;
        std::string expected;
    };
    for (auto const& r :
        {
            row{"a key given twice", "a: 1\nb: 2\na: 3\n", "a: document 1, line 3: this key is given twice"},
            row{"twice, the same text", "\"1\": a\n1: b\n", "1: document 1, line 2: this key is given twice"},
            row{"in the second document", "a: 1\n---\nb: {c: 1, c: 2}\n",
                "b.c: document 2, line 3: this key is given twice"},
            row{"an open bracket", "a: [1, 2\n",
                "document 1, line 2: not YAML: end of sequence flow not found"},
            row{"a tab", "a:\n\tb: 1\n", "document 1, line 2: not YAML: illegal map value"},
            row{"an open quote", "a: \"x\n", "a: document 1, line 1: this quote is not closed"},
            row{"an alias of nothing", "a: *x\n",
                "document 1, line 1: not YAML: the referenced anchor is not defined"},
            row{"an alias within itself", "a: &x [*x]\n",
                "a[0]: document 1, line 1: an alias within what it names"},
            row{"a map as a key", "? {a: b}\n: c\n",
                "document 1, line 1: a key must be a string, not a list or map (is a bracket left open?)"},
            row{"merging a scalar", "a: {<<: 1}\n",
                "a: document 1, line 1: \"<<\" takes a map or a list of maps"},
            row{"a tag of one's own", "a: !secret x\n", "a: document 1, line 1: this tag is not supported"},
            row{"binary", "a: !!binary aGk=\n", "a: document 1, line 1: this tag is not supported"},
            row{"no number", "a: .nan\n", "a: document 1, line 1: expected a finite number"},
            row{"infinite", "- -.inf\n", "[0]: document 1, line 1: expected a finite number"},
        }) {
        CAPTURE(r.name);
        CHECK(one(r.text) == r.expected);
    }
}

TEST_CASE("yaml: ten lines do not become gigabytes")
{
    std::string laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 10; ++i) {
        auto const before = "*a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
        for (int k = 0; k < 9; ++k)
            laughs += ", " + before;
        laughs += "]\n";
    }
    auto const parsed = yaml::parse(laughs);
    REQUIRE(!parsed);
    CHECK(parsed.error().code == errc::exhausted);

    std::string merges = "a0: &a0 {k: 1}\n";
    for (int i = 1; i < 100; ++i)
        merges +=
            "a" + std::to_string(i) + ": &a" + std::to_string(i) + " {b: *a" + std::to_string(i - 1) + "}\n";
    auto const deep = yaml::parse(merges);
    REQUIRE(!deep);
    CHECK(deep.error().message.find("nested too deeply") != std::string::npos);
}

TEST_CASE("yaml: ten megabytes of anything end in an answer")
{
    std::size_t const big = 10'000'000;
    std::string stairs;
    for (std::size_t i = 0; stairs.size() < big; ++i)
        stairs += std::string(i, ' ') + "a:\n";
    struct row {
        std::string name;
        std::string text;
    };
    for (auto const& r : {
             row{"[", repeated("[", big)},
             row{"{", repeated("{", big)},
             row{"[{", repeated("[{a: ", big)},
             row{"- ", repeated("- ", big)},
             row{"? ", repeated("? ", big)},
             row{": ", repeated(": ", big)},
             row{"indentation", std::move(stairs)},
             row{"items", repeated("- a\n", big)},
             row{"documents", repeated("--- a\n", big)},
             row{"an open quote", "\"" + repeated("a", big)},
             row{"anchors", repeated("&a ", big)},
             row{"tags", repeated("! ", big)},
             row{"NUL", std::string(big, '\0')},
         }) {
        CAPTURE(r.name);
        auto const small = yaml::parse(r.text);
        REQUIRE(!small);
        CHECK(small.error().code == errc::exhausted);
        CHECK(!yaml::parse(r.text, {.size_bytes = 2 * big}));
    }
}

TEST_CASE("yaml: limits are exact")
{
    auto const nested = [](std::size_t n) {
        return "- " + std::string(n - 1, '[') + std::string(n - 1, ']');
    };
    CHECK(yaml::parse(nested(64)).has_value());
    CHECK(!yaml::parse(nested(65)));
    CHECK(yaml::parse("- 1\n- 2\n", {.nodes = 3}).has_value());
    CHECK(!yaml::parse("- 1\n- 2\n", {.nodes = 2}));
    CHECK(yaml::parse("a: 1\n---\na: 2\n", {.documents = 2}).has_value());
    CHECK(!yaml::parse("a: 1\n---\na: 2\n", {.documents = 1}));
}
