#include <podium/labels/label_set.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace labels = podium::labels;
using labels::selector;

TEST_CASE("labels::label_filter: a hundred thousand requirements are asked of as many labels")
{
    std::map<std::string, std::string> labels;
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        labels.emplace("k" + std::to_string(i), "v");
        text += (i == 0 ? "k" : ",k") + std::to_string(i) + "=v";
    }
    labels::label_pool pool;
    auto const all = pool.pack(labels);
    labels.erase("k99999");
    auto const all_but_one = pool.pack(labels);
    labels::label_filter const filter(pool, selector::parse(text).value());
    CHECK(filter.matches(all));
    CHECK_FALSE(filter.matches(all_but_one));
    CHECK_FALSE(filter.matches({}));
    labels::label_filter const nothing(pool, selector::nothing());
    CHECK_FALSE(nothing.matches(all));
}

TEST_SUITE("property")
{
    TEST_CASE("labels::label_filter: says of a packed set what the selector says of the labels")
    {
        std::vector<std::string> const texts{"", "k0=1", "k0!=1", "!k1", "k1", "k2 in (0,1),k3 notin (2)",
            "k4>1,k4<3", "k0,k1,k2,!k3", "absent", "!absent", "k12=1",
            // more than a filter has a table for
            "k0!=1,!k1,k2 notin (0,1),k3!=3,k4!=0,k4<3,k5!=1,k6!=1,k7!=1,k8!=1,k9!=1,k10!=1,k11!=1,k12!=1,"
            "k13!=1,k14!=1,k15!=1,!absent,k4"};
        std::vector<std::size_t> matched(texts.size());
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            labels::label_pool pool;
            std::vector<std::map<std::string, std::string>> sets;
            std::vector<labels::label_set> packed;
            auto const more = [&] {
                for (int n = 0; n < 20; ++n) {
                    auto& set = sets.emplace_back();
                    for (auto keys = random() % 16; keys > 0; --keys)
                        set["k" + std::to_string(random() % 16)] = std::to_string(random() % 4);
                    packed.push_back(pool.pack(set));
                }
            };
            more();
            std::vector<labels::label_filter> filters;
            for (auto const& text : texts)
                filters.emplace_back(pool, selector::parse(text).value());
            more();  // labels that the filters have not seen
            for (std::size_t i = 0; i < sets.size(); ++i) {
                REQUIRE(packed[i].size() == sets[i].size());
                CHECK(packed[i] == pool.pack(sets[i]));
                std::map<std::string, std::string> back;
                for (auto const& [key, value] : pool.as_text(packed[i]))
                    back.emplace(key, value);
                CHECK(back == sets[i]);
                for (std::size_t f = 0; f < texts.size(); ++f) {
                    CAPTURE(texts[f]);
                    bool const expected = selector::parse(texts[f]).value().matches(sets[i]);
                    CHECK(filters[f].matches(packed[i]) == expected);
                    matched[f] += expected;
                }
            }
        }
        for (std::size_t f = 0; f < texts.size(); ++f) {
            CAPTURE(texts[f]);
            CHECK((matched[f] > 0) == (texts[f] != "absent"));
        }
    }
}
