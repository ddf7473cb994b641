#include <podium/schedule/assumed.hpp>
#include <podium/schedule/profiles.hpp>
#include <podium/schedule/resources.hpp>

#include <doctest/doctest.h>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct machine {
    int cores = 0, ram = 0;
};
struct match {
    int cores = 0, ram = 0;
    friend bool operator==(match const&, match const&) = default;
};
using cores = schedule::resource<"cores", &machine::cores, &match::cores>;
using ram = schedule::resource<"ram", &machine::ram, &match::ram>;
using fit = schedule::fit<cores, ram>;

using spreading = schedule::pipeline<machine, match, schedule::filters<fit>,
    schedule::scores<schedule::weighted<schedule::least_allocated<cores, ram>>>>;
using packing = schedule::pipeline<machine, match, schedule::filters<fit>,
    schedule::scores<schedule::weighted<schedule::most_allocated<cores, ram>>>>;
using by_cores_alone =
    schedule::pipeline<machine, match, schedule::filters<schedule::fit<cores>>, schedule::scores<>>;
using fleet = schedule::profiles<spreading, packing, by_cores_alone>;

static_assert(schedule::Binds<fleet, match>);

fleet three()
{
    return fleet({"default"}, {"batch"}, {"careless"});
}

}  // namespace

TEST_CASE("schedule: each pod is placed by the profile that it names, and all see it")
{
    auto f = three();
    for (auto const* name : {"a", "b", "c"})
        f.set(name, {8, 8});
    CHECK(f.name(f.place("default", {2, 2}).value()) == "a");
    CHECK(f.name(f.place("default", {2, 2}).value()) == "b");  // away from the first
    CHECK(f.name(f.place("batch", {4, 4}).value()) == "a");    // to where something is
    CHECK(f.name(f.place("careless", {2, 9}).value()) == "a");

    auto const full = f.place("batch", {7, 1}).value();
    CHECK(f.name(full) == "c");
    auto const none = f.place("batch", {7, 1}).value();
    CHECK_FALSE(none.node);
    CHECK(f.summary("batch", none, {7, 1}).value() ==
        "0/3 nodes are available: 1 Insufficient ram, 3 Insufficient cores.");
    CHECK(f.explain("batch", {7, 1}).value().decision == none);
    CHECK(f.names() == std::vector<std::string>{"default", "batch", "careless"});
}

TEST_CASE("schedule: a name that no profile has is an error that names those there are")
{
    auto f = three();
    f.set("a", {8, 8});
    for (auto const& r : {f.place("batsh", {1, 1}), f.decide("batsh", {1, 1})}) {
        REQUIRE_FALSE(r);
        CHECK(r.error().code == podium::errc::not_found);
        CHECK(r.error().text() == "no profile 'batsh': there are 'default', 'batch', 'careless'");
    }
    CHECK(f.explain("", {}).error().text() == "no profile '': there are 'default', 'batch', 'careless'");
    CHECK_FALSE(f.summary("Default", {}, {}));
    CHECK(f.scheduler_of<0>().nodes().pods(0) == 0);

    schedule::profiles<packing> one({"only"});
    CHECK(one.place("x", {}).error().text() == "no profile 'x': there is 'only'");
}

TEST_CASE("schedule: the same rules in two profiles, with other settings")
{
    schedule::least_allocated<cores, ram> ram_alone;
    ram_alone.weights = {0, 1};
    schedule::profiles<spreading, spreading> f({"both"}, {"ram", spreading(ram_alone)});
    f.set("few cores", {2, 10});
    f.set("many cores", {10, 8});
    CHECK(f.name(f.decide("both", {2, 1}).value()) == "many cores");
    CHECK(f.name(f.decide("ram", {2, 1}).value()) == "few cores");
}

TEST_CASE("schedule: of two profiles of one name the first is found")
{
    schedule::profiles<spreading, packing> f({"x"}, {"x"});
    f.set("a", {8, 8});
    f.set("b", {8, 8});
    f.bind("a", {1, 1});
    CHECK(f.name(f.decide("x", {1, 1}).value()) == "b");
}

TEST_SUITE("property")
{
    TEST_CASE("schedule: profiles decide as schedulers of their own that see the same events")
    {
        for (std::uint64_t seed = 1; seed <= 20; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const below = [&](std::uint64_t n) { return static_cast<int>(random() % n); };
            auto f = three();
            schedule::scheduler<spreading> a;
            schedule::scheduler<packing> b;
            schedule::scheduler<by_cores_alone> c;
            auto const each = [&](auto what) { what(f), what(a), what(b), what(c); };
            std::vector<std::pair<std::string, match>> bound;
            for (int step = 0; step < 300; ++step) {
                std::string const node(1, static_cast<char>('a' + below(7)));
                match const pod{below(4), below(4)};
                switch (below(6)) {
                case 0:
                    each([what = machine{below(12), below(12)}, &node](auto& s) { s.set(node, what); });
                    break;
                case 1: each([&](auto& s) { s.remove(node); }); break;
                case 2:
                    if (!bound.empty()) {
                        each([&](auto& s) { s.unbind(bound.back().first, bound.back().second); });
                        bound.pop_back();
                    }
                    break;
                default: break;
                }
                auto const all = std::vector{a.decide(pod), b.decide(pod), c.decide(pod)};
                for (std::size_t i = 0; i < all.size(); ++i) {
                    REQUIRE(f.decide(f.names()[i], pod) == all[i]);
                    REQUIRE(f.name(all[i]) ==
                        (i == 0          ? a.name(all[i])
                                : i == 1 ? b.name(all[i])
                                         : c.name(all[i])));
                }
                auto const by = random() % 3;
                auto const d = f.place(f.names()[by], pod).value();
                REQUIRE(d == all[by]);
                if (d.node) {
                    bound.emplace_back(f.name(d), pod);
                    a.bind(f.name(d), pod), b.bind(f.name(d), pod), c.bind(f.name(d), pod);
                }
            }
        }
    }
}
