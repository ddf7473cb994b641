// Events as controllers write them: what becomes one, what is too much, all of it read from the events there
// are.
#include <podium/controllers/events.hpp>
#include <podium/model/pod.hpp>
#include <podium/observe/events.hpp>
#include <podium/reconcile/memory_store.hpp>
#include <podium/reconcile/view.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using controllers::event_type;

/// A store with two pods, and a view that follows it.
struct told {
    reconcile::memory_store store{};
    reconcile::view<> view{};
    time_point now{std::chrono::hours(1000)};

    told()
    {
        reconcile::plan p;
        for (auto const* const name : {"web", "web.1"}) {
            model::pod pod;
            pod.metadata.namespace_ = "default";
            pod.metadata.name = name;
            pod.spec.containers = {{.name = "app"}};
            p.create(pod);
        }
        commit(p);
    }
    void commit(reconcile::plan const& p)
    {
        if (p.empty())
            return;
        auto const from = view.at();
        REQUIRE(store.commit(p.whole()).outcome);
        auto const changes = store.changes(from, 100'000);
        for (auto const& c : *changes)
            view.apply(c, now);
    }
    /// True: it was written.
    bool say(std::string const& message, std::string const& reason = "BackOff", char const* about = "web",
        char const* component = "agent")
    {
        reconcile::plan p;
        controllers::record(p, view, view.get<model::pod>("default", about), event_type::warning, reason,
            message, component, now);
        CHECK(p.writes.size() <= 1);
        commit(p);
        return !p.empty();
    }
    [[nodiscard]] std::vector<model::event> all(std::string const& text) const
    {
        std::vector<model::event> out;
        for (auto const e : view.all<model::event>())
            if (e->message.find(text) != std::string::npos)
                out.push_back(*e);
        return out;
    }
};

}  // namespace

TEST_CASE("events: the same again raises a count, and not more than once in a second")
{
    told w;
    CHECK(w.say("no luck"));
    w.now += 500ms;
    CHECK_FALSE(w.say("no luck"));
    w.now += 500ms;
    CHECK(w.say("no luck"));
    REQUIRE(w.all("").size() == 1);
    CHECK(w.all("")[0].count == 2);
    CHECK(w.all("")[0].last_timestamp->at - w.all("")[0].first_timestamp->at == 1s);
}

TEST_CASE("events: from the tenth message on they are one, until ten minutes of silence")
{
    told w;
    for (int i = 1; i <= 12; ++i, w.now += 1s)
        CHECK(w.say("no. " + std::to_string(i)));
    CHECK(w.all("").size() == 10);
    auto const combined = w.all("(combined from similar events): ");
    REQUIRE(combined.size() == 1);
    CHECK(combined[0].message == "(combined from similar events): no. 12");
    CHECK(combined[0].count == 3);
    CHECK(w.say("no. 4"));  // still itself
    CHECK(w.all("no. 4")[0].count == 2);
    CHECK(w.say("another reason", "Killing"));
    CHECK(w.all("another reason").size() == 1);
    w.now += 9min;
    CHECK(w.say("no. 13"));
    CHECK(w.all("combined")[0].message == "(combined from similar events): no. 13");
    w.now += 10min + 1s;
    CHECK(w.say("no. 14"));
    CHECK(w.all("no. 14")[0].message == "no. 14");
}

TEST_CASE("events: those of one plan count as well")
{
    told w;
    reconcile::plan p;
    for (int i = 1; i <= 40; ++i)
        controllers::record(p, w.view, w.view.get<model::pod>("default", "web"), event_type::normal,
            "Created", "pod " + std::to_string(i), "controller", w.now);
    CHECK(p.writes.size() == 10);
    w.commit(p);
    CHECK(w.all("combined").size() == 1);
}

TEST_CASE("events: 25 of one component about one object, then one in five minutes")
{
    told w;
    int written = 0;
    for (int i = 0; i < 60; ++i, w.now += 2s)
        written += w.say("no luck");
    CHECK(written == 25);
    CHECK(w.say("no luck", "BackOff", "web.1"));  // its events' names begin with the other's name
    CHECK(w.say("no luck", "BackOff", "web", "scheduler"));
    CHECK_FALSE(w.say("out of luck", "Killing"));
    w.now += 3min;
    CHECK(w.say("no luck"));
    CHECK(std::ranges::any_of(w.all("no luck"), [](auto const& e) { return e.count == 26; }));
    w.now += 2s;
    CHECK_FALSE(w.say("no luck"));
}

TEST_SUITE("property")
{
    // Where nothing has been forgotten yet, both say of each message whether it stands alone. The machine
    // drops more at times: its bucket never holds more than a burst.
    TEST_CASE("events: read from what is there they are what the machine with a memory says")
    {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            told w;
            observe::event_correlator c({.burst = 1e9});
            std::map<std::string, std::string> shown;  // of the machine: the message by its key
            for (int i = 0; i < 24; ++i) {
                w.now += std::chrono::seconds(1 + random() % 20);
                auto const message = std::to_string(random() % 16);
                auto const theirs = c.correlate({"agent", "web", "", "Warning", "BackOff", message}, w.now);
                REQUIRE(w.say(message));
                CHECK(w.all(theirs.message).size() >= 1);
                shown[theirs.key] = theirs.message;
            }
            std::map<std::string, int> ours;
            for (auto const& e : w.all(""))
                ++ours[e.message];
            std::map<std::string, int> wanted;
            for (auto const& [key, message] : shown)
                ++wanted[message];
            CHECK(ours == wanted);
        }
    }
}
