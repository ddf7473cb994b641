#include <podium/labels/index.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace labels = podium::labels;
using labels::selector;

namespace {

using label_map = std::map<std::string, std::string>;

/// The least that names an object: equality, a copy and a hash.
struct robot_number {
    explicit robot_number(int n) : value(n) {}
    int value;
    friend bool operator==(robot_number const&, robot_number const&) = default;
};
struct robot_hash {
    std::size_t operator()(robot_number const& r) const { return static_cast<std::size_t>(r.value); }
};
struct without_equality {};
static_assert(labels::ObjectId<robot_number, robot_hash>);
static_assert(!labels::ObjectId<without_equality, robot_hash>);

template<class T>
std::vector<T> sorted(std::vector<T> v)
{
    std::sort(v.begin(), v.end());
    return v;
}

label_map random_labels(std::mt19937_64& random)
{
    label_map out;
    for (auto const* key : {"app", "tier", "zone", "n"})
        if (random() % 3)
            out[key] = std::to_string(random() % 6);
    return out;
}

selector random_selector(std::mt19937_64& random)
{
    if (random() % 20 == 0)
        return selector::nothing();
    std::string out;
    for (auto n = random() % 4; n > 0; --n) {
        std::string const key = std::vector{"app", "tier", "zone", "n", "other"}[random() % 5];
        auto const value = [&] { return std::to_string(random() % 7); };
        out += out.empty() ? "" : ",";
        switch (random() % 8) {
        case 0: out += key; break;
        case 1: out += '!' + key; break;
        case 2: out += key + "!=" + value(); break;
        case 3: out += key + " in (" + value() + ',' + value() + ')'; break;
        case 4: out += key + " notin (" + value() + ',' + value() + ')'; break;
        case 5: out += key + '>' + value(); break;
        case 6: out += key + '<' + value(); break;
        default: out += key + '=' + value(); break;
        }
    }
    return selector::parse(out).value();
}

}  // namespace

TEST_CASE("labels::object_index: objects by label, on one's own ids")
{
    labels::object_index<robot_number, robot_hash> robots;
    CHECK(robots.put(robot_number(7), label_map{{"job", "weld"}, {"hall", "a"}}));
    CHECK(robots.put(robot_number(8), label_map{{"job", "paint"}}));
    auto const welders = selector::parse("job=weld").value();
    CHECK(robots.select(welders) == std::vector{robot_number(7)});
    CHECK(!robots.put(robot_number(7), label_map{{"job", "paint"}}));
    CHECK(robots.select(welders).empty());
    CHECK(robots.select(selector::everything()).size() == 2);
    CHECK(robots.select(selector::nothing()).empty());
    CHECK(robots.erase(robot_number(7)));
    CHECK(!robots.erase(robot_number(7)));
    CHECK(robots.size() == 1);
}

TEST_CASE("labels: as many labels and selectors as anyone sends are found, each once, in order")
{
    for (auto const n : {31, 32, 33, 200, 20'000}) {
        CAPTURE(n);
        label_map object;
        labels::selector_index<int> selectors;
        std::vector<labels::requirement> all;
        std::vector<int> expected;
        for (int i = 0; i < n; ++i) {
            auto const key = "k" + std::to_string(i);
            object.emplace(key, "v");
            selectors.put(i, selector::parse(key + "=v").value());
            selectors.put(n + i, selector::parse(key).value());
            selectors.put(2 * n + i, selector::parse(key + "=w").value());
            all.push_back(labels::requirement::make({.key = key, .values = {"v"}}).value());
            expected.push_back(i);
        }
        for (int i = 0; i < n; ++i)
            expected.push_back(n + i);
        CHECK(sorted(selectors.match(object)) == expected);
        labels::object_index<int> objects;
        objects.put(7, object);
        object["k0"] = "w";
        objects.put(8, object);
        CHECK(objects.select(selector(all)) == std::vector{7});
    }
}

TEST_CASE("labels: hostile labels are indexed like others; of a key that stands twice the first counts")
{
    std::string const big(10'000'000, 'k'), nul(1, '\0'), not_text("\xc3\x28");
    label_map const hostile{{big, big}, {nul, not_text}, {not_text, nul}, {"", ""}, {"a", "1"}};
    labels::object_index<int> objects;
    CHECK(objects.put(1, hostile, big));
    CHECK(!objects.put(1, hostile, nul));
    CHECK(objects.select(big, selector::everything()).empty());
    CHECK(objects.select(nul, selector::parse("a=1").value()) == std::vector{1});
    labels::selector_index<int> selectors;
    selectors.put(1, selector::parse("a=1,!b").value(), not_text);
    selectors.put(2, selector::parse("a").value(), not_text);
    CHECK(selectors.match(not_text, hostile) == std::vector{1, 2});

    std::vector<std::pair<std::string, std::string>> twice;
    for (int i = 0; i < 20'000; ++i)
        twice.emplace_back("a", std::to_string(i));
    for (auto const* const wanted : {"a=0", "a<1", "a"}) {
        CAPTURE(wanted);
        objects.put(2, twice);
        CHECK(objects.select("", selector::parse(wanted).value()) == std::vector{2});
        CHECK(objects.select("", selector::parse("a=19999").value()).empty());
        std::reverse(twice.begin(), twice.end());
        objects.put(2, twice);
        CHECK(objects.select("", selector::parse("a=19999").value()) == std::vector{2});
        CHECK(objects.select("", selector::parse("a=0").value()).empty());
        std::reverse(twice.begin(), twice.end());
    }
    selectors.put(3, selector::parse("a=0").value());
    selectors.put(4, selector::parse("a=7").value());
    CHECK(selectors.match(twice) == std::vector{3});
}

TEST_SUITE("property")
{
    TEST_CASE("labels::object_index: as looking at every object, after any changes")
    {
        for (std::uint64_t seed = 0; seed < 30; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            labels::object_index<int> index;
            std::map<int, std::pair<label_map, std::string>> all;
            // Beyond some thousands a set of objects changes its form.
            int const ids = seed % 10 == 0 ? 9000 : 40;
            for (int round = 0; round < 40; ++round) {
                for (int n = 0; n < ids; ++n) {
                    int const id = static_cast<int>(random() % static_cast<std::uint64_t>(ids));
                    if (random() % 4 == 0) {
                        REQUIRE(index.erase(id) == (all.erase(id) == 1));
                        continue;
                    }
                    auto const set = random_labels(random);
                    std::string const space = random() % 2 ? "a" : "b";
                    REQUIRE(index.put(id, set, space) == !all.contains(id));
                    all[id] = {set, space};
                }
                REQUIRE(index.size() == all.size());
                auto const s = random_selector(random);
                CAPTURE(to_string(s));
                std::vector<int> everywhere, in_a;
                for (auto const& [id, what] : all)
                    if (s.matches(what.first)) {
                        everywhere.push_back(id);
                        if (what.second == "a")
                            in_a.push_back(id);
                    }
                REQUIRE(sorted(index.select(s)) == everywhere);
                REQUIRE(sorted(index.select("a", s)) == in_a);
                REQUIRE(index.select("c", s).empty());
            }
        }
    }

    TEST_CASE("labels::selector_index: as asking every selector, after any changes")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            labels::selector_index<int> index;
            std::map<int, std::pair<selector, std::string>> all;
            for (int round = 0; round < 200; ++round) {
                int const id = static_cast<int>(random() % 30);
                if (random() % 3 == 0) {
                    REQUIRE(index.erase(id) == (all.erase(id) == 1));
                } else {
                    auto const s = random_selector(random);
                    std::string const space = random() % 2 ? "a" : "b";
                    REQUIRE(index.put(id, s, space) == !all.contains(id));
                    all[id] = {s, space};
                }
                auto const set = random_labels(random);
                std::vector<int> expected;
                for (auto const& [i, what] : all)
                    if (what.second == "a" && what.first.matches(set))
                        expected.push_back(i);
                REQUIRE(sorted(index.match("a", set)) == expected);
            }
        }
    }
}
