#include <podium/schedule/pod_queue.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace schedule = podium::schedule;
using namespace std::chrono_literals;
using podium::duration;
using podium::time_point;
using schedule::pod_place;
using schedule::queue_policy;

namespace {

/// The least that names a pod: a copy, equality and a hash.
struct match_number {
    explicit match_number(int n) : value(n) {}
    int value;
    friend bool operator==(match_number const&, match_number const&) = default;
};
struct match_hash {
    std::size_t operator()(match_number const& m) const { return static_cast<std::size_t>(m.value % 7); }
};
struct without_equality {
    int value;
};
template<class Key, class Hash>
concept QueueKey = requires { typename schedule::pod_queue<Key, Hash>; };
static_assert(QueueKey<match_number, match_hash>);
static_assert(!QueueKey<without_equality, match_hash>);
static_assert(!QueueKey<match_number, int>);  // hashes nothing

using queue = schedule::pod_queue<std::string>;
std::string next(queue& q)
{
    auto const* k = q.pop();
    return k ? *k : "";
}
constexpr auto cpu = schedule::plugin_bit(0), taints = schedule::plugin_bit(1);
constexpr time_point start{1'700'000'000s};

}  // namespace

TEST_CASE("schedule::pod_queue: priority goes first, then who came first, then who was added first")
{
    queue q;
    CHECK(q.pop() == nullptr);
    CHECK(q.add("old", {}, start));
    CHECK(q.add("young", {}, start + 2s));
    CHECK(q.add("middle", {}, start + 1s));
    CHECK(q.add("as old", {}, start));
    CHECK(q.add("urgent", {.priority = 10}, start + 9s));
    CHECK_FALSE(q.add("old", {.priority = 99}, start));  // known: nothing changes
    CHECK(q.set_priority("young", 1));
    CHECK_FALSE(q.set_priority("nobody", 1));
    for (auto const* expected : {"urgent", "young", "old", "as old", "middle", ""})
        CHECK(next(q) == expected);
    CHECK(q.in_flight() == 5);
    CHECK(q.done("urgent"));
    CHECK_FALSE(q.done("urgent"));
    CHECK(q.remove("old"));  // gone while with the caller
    CHECK_FALSE(q.refused("old", cpu, start));
    CHECK(q.size() == 3);
}

TEST_CASE("schedule::pod_queue: who was refused waits for what helps, and then for its back-off")
{
    queue q;
    q.add("a", {}, start);
    CHECK(next(q) == "a");
    CHECK(q.refused("a", cpu, start));
    CHECK(q.where("a") == pod_place::unschedulable);
    CHECK(q.wake_at() == start + 5min + 1ns);
    q.notify(taints, start);
    CHECK(q.where("a") == pod_place::unschedulable);
    q.notify(cpu | taints, start, [](std::string const& k) { return k != "a"; });
    CHECK(q.where("a") == pod_place::unschedulable);
    q.notify(cpu, start);
    CHECK(q.where("a") == pod_place::backing_off);  // refused a moment ago: one second
    CHECK(q.wake_at() == start + 2s);
    q.advance(start + 1999ms);
    CHECK(q.where("a") == pod_place::backing_off);
    q.advance(start + 2s);
    CHECK(q.where("a") == pod_place::ready);
    CHECK(q.attempts("a") == 1);

    CHECK(next(q) == "a");
    q.notify(taints, start + 3s);
    q.notify(cpu, start + 3s);  // while the caller has it
    CHECK(q.refused("a", cpu, start + 3s));
    CHECK(q.where("a") == pod_place::backing_off);
    CHECK(next(q) == "a");  // nothing else to do: not waited for
    CHECK(q.refused("a", taints, start + 4s));
    CHECK(q.where("a") == pod_place::unschedulable);
    q.notify(taints, start + 1min);
    CHECK(q.where("a") == pod_place::ready);  // its back-off is long over
}

TEST_CASE("schedule::pod_queue: who waits for too long is tried anyway, and what is gated never")
{
    queue q;
    q.add("gated", {.priority = 5, .gated = true}, start);
    q.add("a", {}, start);
    q.add("b", {}, start);
    CHECK(next(q) == "a");
    CHECK(next(q) == "b");
    CHECK(q.refused("a", cpu, start));
    q.notify(~schedule::plugin_set{}, start + 1min);
    CHECK(q.where("gated") == pod_place::unschedulable);
    CHECK(next(q) == "a");
    CHECK(q.refused("a", cpu, start + 1min));
    q.advance(start + 6min);
    CHECK(q.where("a") == pod_place::unschedulable);  // exactly five minutes
    q.advance(start + 6min + 1ns);
    CHECK(q.where("a") == pod_place::ready);
    CHECK(q.where("gated") == pod_place::unschedulable);
    CHECK(q.refused("b", taints, start + 6min));  // what woke a might have helped b as well
    CHECK(q.where("b") == pod_place::backing_off);
    CHECK(q.open("gated", start + 6min));
    CHECK_FALSE(q.open("gated", start + 6min));
    CHECK(next(q) == "gated");
}

TEST_CASE("schedule::pod_queue: an error backs off by itself, and is not hurried")
{
    queue q;
    q.add("a", {}, start);
    for (auto const wait : {1s, 2s, 4s, 8s, 10s, 10s}) {
        auto const now = start + 1h;
        q.advance(now - 1h + 30min);
        CHECK(next(q) == "a");
        CHECK(q.failed("a", start));
        CHECK(q.where("a") == pod_place::backing_off);
        CHECK(q.pop() == nullptr);
        CHECK(q.wake_at() == start + wait + 1s);
        q.advance(start + wait + 1s);
    }
    CHECK(next(q) == "a");
    CHECK(q.refused("a", 0, start));  // by nobody: an error
    CHECK(q.where("a") == pod_place::backing_off);
    queue none({.max_backoff = 0s});
    none.add("a", {}, start);
    CHECK(next(none) == "a");
    CHECK(none.failed("a", start));
    CHECK(none.where("a") == pod_place::ready);
}

TEST_CASE("schedule::pod_queue: pods whose back-offs end in one second go by priority")
{
    queue q;
    for (auto const* k : {"low", "high"})
        q.add(k, {.priority = *k == 'h'}, start);
    CHECK(next(q) == "high");
    CHECK(next(q) == "low");
    q.notify(cpu, start);
    CHECK(q.refused("low", cpu, start + 100ms));
    CHECK(q.refused("high", cpu, start + 900ms));
    CHECK(next(q) == "high");
    CHECK(next(q) == "low");
}

TEST_CASE("schedule::pod_queue: clocks at both ends of time, and nonsense for a policy")
{
    for (auto const& p : {queue_policy{}, queue_policy{duration::max(), duration::max(), duration::max()},
             queue_policy{duration::min(), duration::min(), duration::min()},
             queue_policy{duration::min(), duration::max(), 0s}})
        for (auto const at : {time_point::min(), time_point{}, podium::never}) {
            queue q(p);
            q.add("a", {.priority = std::numeric_limits<std::int32_t>::min()}, at);
            for (auto const then : {time_point::min(), podium::never, time_point{}}) {
                if (auto const* k = q.pop())
                    q.refused(*k, cpu, then);
                q.notify(cpu, at);
                q.advance(then);
                if (auto const* k = q.pop())
                    q.failed(*k, at);
                (void)q.wake_at();
                q.advance(at);
            }
            CHECK(q.size() == 1);
        }
    CHECK(schedule::backoff_after({}, ~std::uint32_t{}) == 10s);
    CHECK(schedule::plugin_bit(1000) == schedule::plugin_bit(63));
}

TEST_SUITE("property")
{
    TEST_CASE("schedule::pod_queue: gives what looking through all pods gives, and loses none")
    {
        struct pod {
            int priority = 0;
            time_point since{};
            int number = 0;
        };
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            schedule::pod_queue<match_number, match_hash> q;
            std::map<int, pod> all;  // what is known of each
            time_point now = start;
            for (int i = 0; i < 300; ++i) {
                auto const k = static_cast<int>(random() % 30);
                match_number const key(k);
                auto const before = q.where(key);
                switch (random() % 8) {
                case 0:
                case 1: {
                    auto const priority = static_cast<int>(random() % 3);
                    REQUIRE(q.add(key, {.priority = priority}, now) == !all.contains(k));
                    all.try_emplace(k, pod{priority, now, i});
                    break;
                }
                case 2: REQUIRE(q.remove(key) == (all.erase(k) > 0)); break;
                case 3: {
                    // The first of the ready by the definition of the order.
                    std::optional<int> best;
                    for (auto const& [other, p] : all) {
                        auto const less = [](pod const& a, pod const& b) {
                            return std::tuple(-a.priority, a.since, a.number) <
                                std::tuple(-b.priority, b.since, b.number);
                        };
                        if (q.where(match_number(other)) == pod_place::ready &&
                            (!best || less(p, all[*best])))
                            best = other;
                    }
                    auto const backing_off = q.backing_off();
                    auto const* got = q.pop();
                    if (best) {
                        REQUIRE(got);
                        REQUIRE(got->value == *best);
                    } else if (got) {
                        REQUIRE(backing_off == q.backing_off() + 1);
                    }
                    break;
                }
                case 4:
                    REQUIRE(q.refused(key, random() % 4, now) == (before == pod_place::in_flight));
                    if (before == pod_place::in_flight)
                        all[k].since = now;
                    break;
                case 5: q.notify(1 + random() % 3, now); break;
                case 6:
                    REQUIRE(q.done(key) == (before == pod_place::in_flight));
                    if (before == pod_place::in_flight)
                        all.erase(k);
                    break;
                default: now += std::chrono::milliseconds(random() % 4000); q.advance(now);
                }
                REQUIRE(q.size() == all.size());
                REQUIRE(q.ready() + q.backing_off() + q.unschedulable() + q.in_flight() == all.size());
                for (auto const& [other, p] : all)
                    REQUIRE(q.where(match_number(other)) != pod_place::absent);
            }
            // Nothing is forgotten: all of it comes out in the end.
            std::set<int> seen;
            for (int i = 0; i < 3; ++i) {
                for (auto const& [k, p] : all)
                    if (q.where(match_number(k)) == pod_place::in_flight)
                        q.refused(match_number(k), cpu, now);
                now += 6min;
                q.advance(now);
                while (auto const* k = q.pop())
                    seen.insert(k->value);
            }
            REQUIRE(seen.size() == all.size());
        }
    }
}
