#include <podium/labels/label_set.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace labels = podium::labels;
using labels::selector;

TEST_SUITE("property")
{
    TEST_CASE("labels::label_filter: says of a packed set what the selector says of the labels")
    {
        std::vector<std::string> const texts{"", "k0=1", "k0!=1", "!k1", "k1", "k2 in (0,1),k3 notin (2)",
            "k4>1,k4<3", "k0,k1,k2,!k3", "absent", "!absent", "k12=1"};
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
                    CHECK(
                        filters[f].matches(packed[i]) == selector::parse(texts[f]).value().matches(sets[i]));
                }
            }
        }
    }
}
