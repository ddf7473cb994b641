#include <podium/labels/overlap.hpp>

#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace labels = podium::labels;
using labels::selector;

namespace {

selector of(std::string_view text)
{
    return selector::parse(text).value();
}

}  // namespace

TEST_CASE("labels::overlap: what two selectors have to do with each other")
{
    struct row {
        char const* a;
        char const* b;
        bool overlap;
        bool subset;
    };
    for (auto const& r : {
             row{"app=web", "tier=front", true, false},
             row{"app=web", "app in (web,api)", true, true},
             row{"app=web", "app!=web", false, false},
             row{"app=web", "app", true, true},
             row{"!app", "app!=web", true, true},
             row{"app", "!app", false, false},
             row{"a>4,a<6", "a in (5,05)", true, false},
             row{"a>4,a<6,a!=5", "a", true, true},
             row{"a>4,a<5", "b=c", false, true},
             row{"a>6", "a>5", true, true},
             row{"a=web,a=api", "b", false, true},
             row{"", "", true, true},
             row{"a", "", true, true},
             row{"", "a", true, false},
         }) {
        CAPTURE(r.a);
        CAPTURE(r.b);
        CHECK(labels::overlap(of(r.a), of(r.b)) == r.overlap);
        CHECK(labels::overlap(of(r.b), of(r.a)) == r.overlap);
        CHECK(labels::is_subset(of(r.a), of(r.b)) == r.subset);
    }
    CHECK(!labels::is_satisfiable(selector::nothing()));
    CHECK(labels::is_satisfiable(selector::everything()));
    CHECK(!labels::is_satisfiable(of("a>9223372036854775807")));
    CHECK(labels::is_subset(selector::nothing(), of("a")));
    CHECK(!labels::is_subset(of("a"), selector::nothing()));
    CHECK(labels::witness(of("a>4,a<6,a!=5")) == labels::witness_labels{{"a", "05"}});
}

TEST_CASE("labels::overlap: a hundred thousand requirements are decided like one")
{
    std::string one_of, none_of, more_than, keys, no_number = "a>0";
    for (int i = 0; i < 100'000; ++i) {
        auto const n = std::to_string(i);
        std::string const comma = i == 0 ? "" : ",";
        one_of += comma + "a in (v,w" + n + ')';
        none_of += comma + "a!=" + n;
        if (i < 20'000)
            more_than += comma + "a>" + n;
        keys += comma + 'k' + n + "=v";
        if (i < 20'000)
            no_number += ",a!=" + n;
    }
    auto const in = of(one_of), out = of(none_of), above = of(more_than), all = of(keys),
               some = of(no_number);
    CHECK(labels::witness(in) == labels::witness_labels{{"a", "v"}});
    CHECK(!labels::overlap(in, of("a=w1")));
    CHECK(labels::is_subset(in, out));
    CHECK(!labels::is_subset(out, in));
    CHECK(labels::witness(above, of("a<20001")) == labels::witness_labels{{"a", "20000"}});
    CHECK(!labels::overlap(above, of("a<20000")));
    CHECK(!labels::is_subset(above, out));
    CHECK(labels::counterexample(above, out) == labels::witness_labels{{"a", "20000"}});
    CHECK(labels::overlap(all, out));
    CHECK(labels::is_subset(all, of("k99999=v")));
    CHECK(!labels::is_subset(of("k99999=v"), all));
    CHECK(labels::witness(some) == labels::witness_labels{{"a", "01"}});
}

TEST_SUITE("property")
{
    // Enough of a universe for what the texts below can tell apart: no text, other texts, and numbers in
    // more spellings than a text names.
    TEST_CASE("labels::overlap: as brute force over all labels that matter")
    {
        std::vector<std::optional<std::string>> const values{std::nullopt, "", "x", "y", "v0", "v1", "v2",
            "v3", "0", "00", "000", "0000", "1", "01", "001", "0001", "2", "02", "002", "0002", "3", "03",
            "003", "0003", "4", "04"};
        std::vector<std::string> const named{"x", "y", "0", "1", "01", "2", "3"};
        std::vector<labels::witness_labels> sets;
        for (auto const& of_a : values)
            for (auto const& of_b : values) {
                auto& set = sets.emplace_back();
                if (of_a)
                    set["a"] = *of_a;
                if (of_b)
                    set["b"] = *of_b;
            }
        std::size_t overlapping = 0, subsets = 0;
        for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const word = [&] { return named[random() % named.size()]; };
            auto const number = [&] { return std::to_string(random() % 4); };
            auto const text = [&] {
                std::string out;
                for (auto n = random() % 4; n > 0; --n) {
                    std::string const key = random() % 3 ? "a" : "b";
                    out += out.empty() ? "" : ",";
                    switch (random() % 8) {
                    case 0: out += key; break;
                    case 1: out += '!' + key; break;
                    case 2: out += key + '=' + word(); break;
                    case 3: out += key + "!=" + word(); break;
                    case 4: out += key + " in (" + word() + ',' + word() + ')'; break;
                    case 5: out += key + " notin (" + word() + ',' + word() + ')'; break;
                    case 6: out += key + '>' + number(); break;
                    default: out += key + '<' + number(); break;
                    }
                }
                return out;
            };
            auto const x = text(), y = text();
            CAPTURE(x);
            CAPTURE(y);
            auto const a = of(x), b = of(y);
            bool both = false, only_a = false, some_a = false;
            for (auto const& set : sets) {
                bool const in_a = a.matches(set), in_b = b.matches(set);
                some_a |= in_a;
                both |= in_a && in_b;
                only_a |= in_a && !in_b;
            }
            CHECK(labels::is_satisfiable(a) == some_a);
            CHECK(labels::overlap(a, b) == both);
            CHECK(labels::is_subset(a, b) == !only_a);
            if (auto const w = labels::witness(a, b))
                CHECK((a.matches(*w) && b.matches(*w)));
            if (auto const w = labels::counterexample(a, b))
                CHECK((a.matches(*w) && !b.matches(*w)));
            overlapping += both;
            subsets += !only_a;
        }
        CHECK(overlapping > 1000);
        CHECK(subsets > 1000);
    }
}
