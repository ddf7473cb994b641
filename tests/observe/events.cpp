#include <podium/observe/events.hpp>

#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>

namespace observe = podium::observe;
using namespace std::chrono_literals;
using podium::time_point;
using action = observe::correlated::action;

namespace {

constexpr time_point begin{std::chrono::hours(1000)};

observe::event said(std::string message, std::string about = "Pod/default/web-1")
{
    return {.source = "agent",
        .about = std::move(about),
        .type = "Warning",
        .reason = "BackOff",
        .message = std::move(message)};
}

}  // namespace

TEST_CASE("events: the same again raises its count")
{
    observe::event_correlator c;
    auto const first = c.correlate(said("no luck"), begin);
    CHECK(first.what == action::create);
    CHECK(first.count == 1);
    CHECK(first.first == begin);
    auto const second = c.correlate(said("no luck"), begin + 1s);
    CHECK(second.what == action::update);
    CHECK(second.key == first.key);
    CHECK(second.count == 2);
    CHECK(second.first == begin);
    CHECK(second.message == "no luck");
    CHECK(c.correlate(said("no luck", "Pod/default/web-2"), begin).what == action::create);
}

TEST_CASE("events: of ten that differ in their message only the tenth and all after it are one")
{
    observe::event_correlator c;
    for (int i = 1; i <= 9; ++i)
        CHECK(c.correlate(said(std::to_string(i)), begin).message == std::to_string(i));
    auto const tenth = c.correlate(said("10"), begin + 1min);
    CHECK(tenth.what == action::create);
    CHECK(tenth.message == "(combined from similar events): 10");
    CHECK(tenth.first == begin + 1min);
    auto const next = c.correlate(said("11"), begin + 9min);
    CHECK(next.what == action::update);
    CHECK(next.key == tenth.key);
    CHECK(next.message == "(combined from similar events): 11");
    CHECK(next.count == 2);
    // One of the nine is still itself.
    CHECK(c.correlate(said("3"), begin + 10min).message == "3");
    // Ten minutes of silence end it; "for more than ten", as there.
    CHECK(c.correlate(said("12"), begin + 20min).message == "(combined from similar events): 12");
    CHECK(c.correlate(said("13"), begin + 30min + 1ns).message == "13");
}

TEST_CASE("events: other reasons, types, sources and objects are not similar")
{
    observe::event_correlator c;
    for (int i = 0; i < 9; ++i)
        (void)c.correlate(said(std::to_string(i)), begin);
    for (auto const member :
        {&observe::event::reason, &observe::event::type, &observe::event::source, &observe::event::about}) {
        auto other = said("10");
        other.*member = "another";
        CHECK(c.correlate(other, begin).message == "10");
    }
    auto part = said("10");
    part.part = "spec.containers{web}";
    CHECK(c.correlate(part, begin).message == "(combined from similar events): 10");
}

TEST_CASE("events: one source may say 25 things of one object, then one in five minutes")
{
    observe::event_correlator c;
    for (int i = 0; i < 25; ++i)
        CHECK(c.correlate(said("no luck"), begin).what != action::drop);
    auto const dropped = c.correlate(said("no luck"), begin + 299s);
    CHECK(dropped.what == action::drop);
    CHECK(dropped.count == 26);
    CHECK(c.correlate(said("no luck", "Pod/default/web-2"), begin + 299s).what == action::create);
    auto const next = c.correlate(said("no luck"), begin + 300s);
    CHECK(next.what == action::update);
    CHECK(next.count == 27);  // the dropped one is told with it
    CHECK(c.correlate(said("no luck"), begin + 300s).what == action::drop);
    CHECK(c.correlate(said("no luck"), begin - 24h).what == action::drop);  // the past refills nothing
    for (int i = 0; i < 25; ++i)
        CHECK(c.correlate(said("no luck"), begin + 24h).what == action::update);  // never more than a burst
    CHECK(c.correlate(said("no luck"), begin + 24h).what == action::drop);
}

TEST_CASE("events: what was dropped at first is created later, not updated")
{
    observe::event_correlator c;
    for (int i = 0; i < 25; ++i)
        (void)c.correlate(said("a"), begin);
    auto const dropped = c.correlate(said("b"), begin);
    CHECK(dropped.what == action::drop);
    auto const created = c.correlate(said("b"), begin + 5min);
    CHECK(created.what == action::create);
    CHECK(created.count == 2);
    CHECK(created.first == begin);
}

TEST_CASE("events: who was heard longest ago is forgotten and begins anew")
{
    observe::event_correlator c({.remembered = 2});
    (void)c.correlate(said("m", "a"), begin);
    (void)c.correlate(said("m", "b"), begin);
    CHECK(c.correlate(said("m", "a"), begin).count == 2);  // b is the oldest now
    (void)c.correlate(said("m", "c"), begin);
    CHECK(c.correlate(said("m", "a"), begin).count == 3);
    CHECK(c.correlate(said("m", "b"), begin).what == action::create);
}

TEST_SUITE("property")
{
    TEST_CASE("events: bounds hold, and what is updated was created under the same key")
    {
        for (std::uint64_t seed = 0; seed < 30; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            observe::event_correlator c;
            std::map<std::string, std::uint64_t> written;  // the count of each
            std::map<std::string, int> in_burst;
            auto now = begin;
            for (int i = 0; i < 600; ++i) {
                now += std::chrono::seconds(random() % 20);
                auto const about = "pod-" + std::to_string(random() % 3);
                auto const copy = c;
                auto const e = said(std::to_string(random() % 30), about);
                auto const got = c.correlate(e, now);
                auto again = copy;
                REQUIRE(again.correlate(e, now) == got);  // a value, without a hidden input
                REQUIRE(again == c);
                if (got.what == action::drop)
                    continue;
                auto const [it, fresh] = written.try_emplace(got.key, 0);
                CHECK(fresh == (got.what == action::create));
                CHECK(got.count > it->second);
                it->second = got.count;
                ++in_burst[about];
            }
            for (auto const& [about, n] : in_burst)
                CHECK(n <= 25 + (now - begin) / 5min);
            // Nine messages and one that stands for all others, for each object.
            CHECK(written.size() <= 3 * 10);
        }
    }
}
