#include <podium/reconcile/work_queue.hpp>

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

using namespace std::chrono_literals;
namespace reconcile = podium::reconcile;
using podium::duration;
using podium::time_point;

namespace {

struct namespace_of {
    std::string_view operator()(std::string const& k) const
    {
        return std::string_view(k).substr(0, k.find('/'));
    }
};
template<class... More>
using queue_of = reconcile::work_queue<std::string, More...>;

template<class Queue>
std::string drained(Queue& q)
{
    std::string all;
    while (auto const* const k = q.get()) {
        all += (all.empty() ? "" : " ") + *k;
        q.done(*k);
    }
    return all;
}

// The least that a key must be: it moves, it can be told from others, it hashes. No copy, no default, no
// order.
struct least_key {
    explicit least_key(int n) : number(n) {}
    least_key(least_key&&) = default;
    least_key& operator=(least_key&&) = delete;
    bool operator==(least_key const& o) const { return number == o.number; }
    int number;
};
struct least_hash {
    std::size_t operator()(least_key const&) const { return 7; }  // all keys collide
};
static_assert(reconcile::WorkKey<least_key, least_hash>);
static_assert(!reconcile::WorkKey<least_key>);  // nothing hashes it
struct not_comparable {};
struct hash_anything {
    std::size_t operator()(not_comparable const&) const { return 0; }
};
static_assert(!reconcile::WorkKey<not_comparable, hash_anything>);

// What a key costs.
static_assert(queue_of<>::slot_bytes() == sizeof(std::string) + 24);
static_assert(queue_of<reconcile::fifo, reconcile::counted>::slot_bytes() == queue_of<>::slot_bytes() + 16);

}  // namespace

TEST_CASE("work_queue: a key is handed out to one worker at a time")
{
    queue_of<> q;
    CHECK(q.add("a"));
    CHECK(!q.add("a"));
    auto const* a = q.get();
    REQUIRE(a);
    CHECK(*a == "a");
    CHECK(!q.get());
    CHECK(q.add("a"));  // while it is processed: once more afterwards
    CHECK(q.ready() == 0);
    CHECK(q.done("a"));
    CHECK(q.ready() == 1);
    REQUIRE(q.get());
    CHECK(q.done("a"));
    CHECK(q.size() == 0);
}

TEST_CASE("work_queue: done of a key that is not in process does nothing")
{
    queue_of<> q;
    CHECK(!q.done("a"));
    q.add("a");
    q.add_at("b", time_point{1s});
    CHECK(!q.done("a"));
    CHECK(!q.done("b"));
    CHECK(q.ready() == 1);
    auto const* const a = q.get();
    CHECK(q.done(*a));
    CHECK(!q.done(*a));
    CHECK(q.size() == 1);
}

TEST_CASE("work_queue: the earlier of two delays wins")
{
    queue_of<> q;
    time_point const start{};
    q.add_at("a", start + 10s);
    q.add_at("a", start + 20s);
    q.add_at("b", start + 20s);
    q.add_at("b", start + 5s);
    CHECK(q.wake_at() == start + 5s);
    q.advance(start + 5s);
    CHECK(q.ready() == 1);
    q.advance(start + 10s);
    CHECK(q.ready() == 2);
    CHECK(q.wake_at() == std::nullopt);
}

TEST_CASE("work_queue: a delay that is none adds at once, one beyond the end of time ends there")
{
    queue_of<> q;
    time_point const now{1h};
    q.add_after("zero", 0ns, now);
    q.add_after("negative", duration::min(), now);
    q.add_after("huge", duration::max(), now);
    q.add_after("later", 1ns, time_point::max());
    CHECK(q.ready() == 2);
    CHECK(q.delayed() == 2);
    q.advance(podium::never - 1ns);
    CHECK(q.ready() == 2);
    q.advance(podium::never);
    CHECK(drained(q) == "zero negative huge later");
}

TEST_CASE("work_queue: a clock that goes back makes nothing ready and undoes nothing")
{
    queue_of<> q;
    q.add_at("a", time_point{10s});
    q.advance(time_point{20s});
    CHECK(q.ready() == 1);
    q.advance(time_point{-5s});
    CHECK(q.ready() == 1);
    q.add_at("b", time_point{1s});  // before what was taken out, and still to come
    q.add_at("c", time_point::min());
    CHECK(q.wake_at() == time_point::min());
    q.advance(time_point{0s});
    CHECK(q.ready() == 2);
    q.advance(time_point{1s});
    CHECK(drained(q) == "a c b");
}

TEST_CASE("work_queue: a higher priority goes first, but only so far")
{
    queue_of<reconcile::by_priority> q(reconcile::by_priority{.head_start = 2});
    q.add("old");
    q.add("one");
    q.add("two", 1);
    q.add("three", 1);
    q.add("four", 1);
    CHECK(
        drained(q) == "old two one three four");  // "two" has gained two places, "three" as much as it needs
    q.add("a");
    q.add("b");
    q.add("c");
    q.add("c", 5);  // asked for again, more urgently
    q.add("c", -5);
    CHECK(drained(q) == "c a b");
}

TEST_CASE("work_queue: a priority that a key in process or in waiting asked for is not lost")
{
    queue_of<reconcile::by_priority> q;
    q.add("a");
    auto const* const a = q.get();
    q.add("b");
    q.add("a", 1);
    q.done(*a);
    q.add_at("c", time_point{2s}, 3);
    q.add_at("c", time_point{1s}, 2);
    q.advance(time_point{1s});
    CHECK(drained(q) == "c a b");
}

TEST_CASE("work_queue: groups take turns")
{
    queue_of<reconcile::fair<namespace_of>> q;
    for (auto const* k : {"noisy/1", "noisy/2", "noisy/3", "noisy/4", "calm/1", "shy/1", "calm/2"})
        q.add(k);
    CHECK(drained(q) == "noisy/1 calm/1 shy/1 noisy/2 calm/2 noisy/3 noisy/4");
}

TEST_CASE("work_queue: priorities count within a group, not between groups")
{
    queue_of<reconcile::fair<namespace_of, reconcile::by_priority>> q;
    for (auto const* k : {"noisy/1", "noisy/2", "calm/1", "calm/2"})
        q.add(k);
    q.add("noisy/3", 100);
    q.add("noisy/2", 101);
    CHECK(drained(q) == "noisy/2 calm/1 noisy/3 calm/2 noisy/1");
}

TEST_CASE("work_queue: shut down, what is ready is finished, or only what is in process")
{
    auto const fill = [](auto& q) {
        q.add("busy");
        (void)q.get();
        q.add("busy");
        q.add("ready");
        q.add_at("later", time_point{1s});
    };
    SUBCASE("all that is ready")
    {
        queue_of<> q;
        fill(q);
        q.shut_down();
        CHECK(q.shutting_down());
        CHECK(!q.add("new"));
        q.add_at("new", time_point{1s});
        q.add_after("new", 0s, time_point{});
        q.advance(time_point{1h});
        CHECK(q.wake_at() == std::nullopt);
        CHECK(q.size() == 2);
        CHECK(!q.drained());
        CHECK(q.done("busy"));
        CHECK(drained(q) == "ready busy");
        CHECK(q.drained());
    }
    SUBCASE("only what is in process")
    {
        queue_of<> q;
        fill(q);
        q.shut_down(reconcile::drain::in_process);
        CHECK(!q.get());
        CHECK(q.size() == 1);
        CHECK(!q.drained());
        CHECK(q.done("busy"));
        CHECK(q.drained());
        CHECK(q.size() == 0);
    }
    SUBCASE("fair groups are dropped as well")
    {
        queue_of<reconcile::fair<namespace_of, reconcile::by_priority>, reconcile::counted> q;
        fill(q);
        q.shut_down();
        q.shut_down(reconcile::drain::in_process);
        CHECK(!q.get());
        CHECK(q.figures().depth.value == 0);
        CHECK(q.done("busy"));
        CHECK(q.drained());
    }
}

TEST_CASE("work_queue: the figures that client-go's queues have")
{
    queue_of<reconcile::fifo, reconcile::counted> q;
    q.advance(time_point{100s});
    q.add("a");
    q.add("a");
    q.add("b");
    q.advance(time_point{102s});
    (void)q.get();
    q.add("a");
    q.add_after("c", 10s, time_point{102s});
    q.advance(time_point{103s});
    (void)q.get();
    q.advance(time_point{105s});
    auto f = q.figures();
    CHECK(f.depth.value == 1);  // "a", in process and added again
    CHECK(f.adds.total == 3);
    CHECK(f.retries.total == 1);
    CHECK(f.queue_duration.count == 2);
    CHECK(f.queue_duration.sum == doctest::Approx(5));
    CHECK(f.unfinished_work.value == doctest::Approx(5));
    CHECK(f.longest_running_processor.value == doctest::Approx(3));
    CHECK(f.work_duration.count == 0);
    q.done("a");
    q.advance(time_point{1s});  // set back
    q.done("b");
    f = q.figures();
    CHECK(f.work_duration.count == 2);
    CHECK(f.work_duration.sum == doctest::Approx(3));
    CHECK(f.unfinished_work.value == 0);
    std::vector<std::string> names;
    f.each([&](std::string_view name, std::string_view help, auto const&) {
        names.emplace_back(name);
        CHECK(!help.empty());
    });
    CHECK(names ==
        std::vector<std::string>{"workqueue_depth", "workqueue_adds_total",
            "workqueue_queue_duration_seconds", "workqueue_work_duration_seconds",
            "workqueue_unfinished_work_seconds", "workqueue_longest_running_processor_seconds",
            "workqueue_retries_total"});
}

TEST_CASE("work_queue: figures by group, and of a time that was measured between two advances")
{
    struct job {
        std::size_t worker = 0;
        int number = 0;
        bool operator==(job const&) const = default;
    };
    struct hash {
        std::size_t operator()(job const& j) const
        {
            return j.worker * 31 + static_cast<std::size_t>(j.number);
        }
    };
    reconcile::work_queue<job, reconcile::fifo, reconcile::counted_by<&job::worker>, hash> q;
    CHECK(q.figures_by_group().empty());
    q.advance(time_point{10s});
    q.add({2, 1});
    q.add({2, 2});
    q.add_at({1, 1}, time_point{30s});
    q.measure(time_point{40s});
    CHECK(q.ready() == 2);  // it makes nothing ready
    auto const* const first = q.get();
    REQUIRE(first);
    q.measure(time_point{41s});
    auto f = q.figures_by_group();
    REQUIRE(f.size() == 3);
    CHECK(f[0] == reconcile::queue_figures{});
    CHECK(f[1].adds.total == 0);
    CHECK(f[1].retries.total == 1);
    CHECK(f[2].adds.total == 2);
    CHECK(f[2].depth.value == 1);
    CHECK(f[2].queue_duration.sum == doctest::Approx(30));
    CHECK(f[2].unfinished_work.value == doctest::Approx(1));
    q.done(*first);
    q.advance(time_point{41s});
    f = q.figures_by_group();
    CHECK(f[2].work_duration.sum == doctest::Approx(1));
    CHECK(f[2].unfinished_work.value == 0);
    CHECK(f[1].depth.value == 1);
    q.shut_down(reconcile::drain::in_process);
    f = q.figures_by_group();
    CHECK(f[1].depth.value == 0);
    CHECK(f[2].depth.value == 0);
}

TEST_CASE("work_queue: keys that only move, and all of them collide")
{
    reconcile::work_queue<least_key, reconcile::fifo, reconcile::uncounted, least_hash> q;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 40; ++i) {
            CHECK(q.add(least_key(i)));
            CHECK(!q.add(least_key(i)));
        }
        for (int i = 0; i < 40; ++i) {
            auto const* const k = q.get();
            REQUIRE(k);
            CHECK(k->number == i);
            if (i % 2)
                CHECK(q.done(*k));
        }
        for (int i = 0; i < 40; i += 2)
            CHECK(q.done(least_key(i)));
        CHECK(q.size() == 0);
    }
}

TEST_CASE("work_queue: a key that was handed out stays where it is")
{
    queue_of<> q;
    q.add("first");
    auto const* const first = q.get();
    for (int i = 0; i < 10'000; ++i)
        q.add(std::to_string(i));
    auto moved = std::move(q);
    CHECK(*first == "first");
    CHECK(moved.done(*first));
    CHECK(moved.ready() == 10'000);
}

TEST_CASE("work_queue: hostile keys are keys like others")
{
    queue_of<reconcile::fair<namespace_of>> q;
    std::vector<std::string> const keys{"", std::string(1, '\0'), std::string(2, '\0'), "\xff\xfe",
        std::string(10'000'000, 'x'), std::string(10'000'000, 'x') + 'y', "12345678", "1234567", "/", "//"};
    for (int i = 0; i < 2; ++i)
        for (auto const& k : keys)
            CHECK(q.add(k) == (i == 0));
    CHECK(q.ready() == keys.size());
    std::set<std::string> seen;
    while (auto const* const k = q.get())
        CHECK(seen.insert(*k).second);
    CHECK(seen.size() == keys.size());
}

TEST_CASE("work_queue: a later time that is replaced again and again takes no more memory")
{
    reconcile::detail::delays d;
    std::map<std::uint32_t, std::uint32_t> since;
    auto const holds = [&](auto const& e) { return since.at(e.id) == e.since; };
    for (int i = 0; i < 100'000; ++i) {
        auto const id = static_cast<std::uint32_t>(i % 3);
        since[id] = d.push(std::int64_t{1} << 50, id);
        d.tidy(since.size(), holds);
        REQUIRE(d.size() <= 2 * since.size() + 64);
    }
    CHECK(d.list(holds).size() == 3);
}

// -- Against a naive model -------------------------------------------------------------------------------

namespace {

// The queue's promises, each in the plainest way: lists that are searched.
struct model {
    bool by_priority = false;
    bool fair = false;
    std::int64_t head_start = 0;

    struct entry {
        std::string key;
        std::int64_t arrival;
        std::int64_t since;
    };
    struct delay {
        time_point when;
        std::int64_t since;
        std::int32_t priority;
    };
    std::vector<std::pair<std::string, std::vector<entry>>>
        groups{};                                 // those with ready keys, next turn first
    std::map<std::string, std::int32_t> dirty{};  // with their priority
    std::set<std::string> processing{};
    std::map<std::string, delay> delays{};
    std::int64_t counter = 0;
    bool shut = false;

    [[nodiscard]] std::size_t ready() const
    {
        std::size_t n = 0;
        for (auto const& g : groups)
            n += g.second.size();
        return n;
    }
    void enqueue(std::string const& k)
    {
        auto const name = fair ? std::string(namespace_of{}(k)) : std::string();
        auto it = std::find_if(groups.begin(), groups.end(), [&](auto const& g) { return g.first == name; });
        if (it == groups.end())
            it = groups.insert(groups.end(), {name, {}});
        // Arrivals are counted where they are compared.
        std::int64_t const arrival = arrivals[name]++;
        it->second.push_back({k, arrival, counter++});
    }
    bool add(std::string const& k, std::int32_t priority)
    {
        if (shut)
            return false;
        if (auto const it = dirty.find(k); it != dirty.end()) {
            if (by_priority && priority > it->second) {
                it->second = priority;
                for (auto& g : groups)
                    for (auto& e : g.second)
                        if (e.key == k)
                            e.since = counter++;
            }
            return false;
        }
        dirty[k] = priority;
        if (!processing.contains(k))
            enqueue(k);
        return true;
    }
    void add_at(std::string const& k, time_point when, std::int32_t priority)
    {
        if (shut)
            return;
        auto const it = delays.find(k);
        if (it == delays.end()) {
            delays[k] = {when, counter++, priority};
            return;
        }
        it->second.priority = std::max(it->second.priority, priority);
        if (when < it->second.when) {
            it->second.when = when;
            it->second.since = counter++;
        }
    }
    void advance(time_point now)
    {
        for (;;) {
            auto least = delays.end();
            for (auto it = delays.begin(); it != delays.end(); ++it)
                if (least == delays.end() ||
                    std::tie(it->second.when, it->second.since) <
                        std::tie(least->second.when, least->second.since))
                    least = it;
            if (least == delays.end() || least->second.when > now)
                return;
            auto const [k, d] = *least;
            delays.erase(least);
            add(k, d.priority);
        }
    }
    std::optional<std::string> get()
    {
        if (groups.empty())
            return std::nullopt;
        auto g = groups.front();
        groups.erase(groups.begin());
        auto const rank = [&](entry const& e) {
            return std::pair(by_priority ? e.arrival - dirty.at(e.key) * head_start : 0, e.since);
        };
        auto const first = std::min_element(g.second.begin(), g.second.end(),
            [&](auto const& a, auto const& b) { return rank(a) < rank(b); });
        auto const k = first->key;
        g.second.erase(first);
        if (!g.second.empty())
            groups.push_back(g);
        dirty.erase(k);
        processing.insert(k);
        return k;
    }
    bool done(std::string const& k)
    {
        if (processing.erase(k) == 0)
            return false;
        if (dirty.contains(k))
            enqueue(k);
        return true;
    }
    void shut_down(bool all)
    {
        shut = true;
        delays.clear();
        if (!all) {
            dirty.clear();
            groups.clear();
        }
    }
    std::map<std::string, std::int64_t> arrivals{};
};

struct bad_hash {
    std::size_t operator()(std::string const& k) const { return k.size() % 2; }
};

template<class Order, class Figures = reconcile::uncounted, class Hash = reconcile::key_hash<std::string>>
void against_the_model(Order const& order, model const& how)
{
    using queue = reconcile::work_queue<std::string, Order, Figures, Hash>;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        queue q(order);
        model m = how;
        time_point now{1h};
        auto const keys = 1 + random() % (seed % 2 ? 8 : 60), groups = 1 + random() % 5;
        auto const key = [&] {
            auto const n = random() % keys;
            return "group-" + std::to_string(n % groups) + "/" + std::to_string(n);
        };
        auto const time = [&]() -> duration {
            switch (random() % 12) {
            case 0: return duration::max();
            case 1: return -std::chrono::milliseconds(random() % 50);
            case 2: return std::chrono::hours(random() % 1000);
            default: return std::chrono::milliseconds(random() % 50);  // many at the same time
            }
        };
        auto const urgency = [&] { return static_cast<std::int32_t>(random() % 4) - 1; };
        auto const add = [&](std::string const& k) {
            auto const p = urgency();
            if constexpr (Order::has_priority)
                REQUIRE(q.add(k, p) == m.add(k, p));
            else
                REQUIRE(q.add(k) == m.add(k, p));
        };
        std::size_t handed_out = 0;
        for (int i = 0; i < 600; ++i) {
            switch (random() % 16) {
            case 0:
            case 1:
            case 2:
            case 3: add(key()); break;
            case 4:
            case 5: {
                auto const k = key();
                auto const d = time();
                auto const p = urgency();
                if constexpr (Order::has_priority)
                    q.add_after(k, d, now, p);
                else
                    q.add_after(k, d, now);
                if (d <= 0ns)
                    m.add(k, p);
                else
                    m.add_at(k, d > podium::never - now ? podium::never : now + d, p);
                break;
            }
            case 6: {
                auto const k = key();
                auto const when = time_point(time());
                q.add_at(k, when);
                m.add_at(k, when, 0);
                break;
            }
            case 7:
            case 8: {
                auto const d = time();
                now = random() % 4 == 0 || d == duration::max()
                    ? now - std::chrono::milliseconds(random() % 90)
                    : now + d;
                q.advance(now);
                m.advance(now);
                break;
            }
            case 9:
            case 10:
            case 11:
            case 12: {
                auto const* const k = q.get();
                auto const expected = m.get();
                REQUIRE(static_cast<bool>(k) == expected.has_value());
                if (!k)
                    break;
                REQUIRE(*k == *expected);
                ++handed_out;
                if (random() % 2)
                    REQUIRE(q.done(*k) == m.done(*expected));  // by the reference
                break;
            }
            case 13: {
                auto const k = key();
                REQUIRE(q.done(k) == m.done(k));
                break;
            }
            case 14:
                if (m.processing.empty() && !m.shut) {
                    auto const saved = q.save();
                    queue again(order);
                    again.restore(saved);
                    REQUIRE(again.save() == saved);
                    q = std::move(again);
                }
                break;
            default:
                if (random() % 60 == 0) {
                    bool const all = random() % 2;
                    q.shut_down(all ? reconcile::drain::ready : reconcile::drain::in_process);
                    m.shut_down(all);
                }
            }
            REQUIRE(q.ready() == m.ready());
            REQUIRE(q.delayed() == m.delays.size());
            REQUIRE(q.processing() == m.processing.size());
            std::set<std::string> all = m.processing;
            for (auto const& [k, p] : m.dirty)
                all.insert(k);
            auto earliest = podium::never;
            for (auto const& [k, d] : m.delays) {
                all.insert(k);
                earliest = std::min(earliest, d.when);
            }
            REQUIRE(q.size() == all.size());
            REQUIRE(q.wake_at().has_value() == !m.delays.empty());
            if (q.wake_at())
                REQUIRE(*q.wake_at() <= earliest);
            REQUIRE(q.drained() == (m.shut && m.ready() == 0 && m.processing.empty()));
        }
        // None is lost: all that needs work is handed out in the end.
        for (auto const& k : std::set(m.processing))
            REQUIRE(q.done(k) == m.done(k));
        while (auto const* const k = q.get()) {
            REQUIRE(*k == m.get());
            REQUIRE(q.done(*k) == m.done(*k));
        }
        REQUIRE(m.dirty.empty());
        REQUIRE(handed_out > 0);
    }
}

}  // namespace

TEST_SUITE("property")
{
    TEST_CASE(
        "work_queue: in each order, a naive model hands out the same keys; none twice at once, none lost")
    {
        using namespace reconcile;
        SUBCASE("first in, first out")
        {
            against_the_model(fifo{}, {});
        }
        SUBCASE("with figures")
        {
            against_the_model<fifo, counted>(fifo{}, {});
        }
        SUBCASE("keys that collide")
        {
            against_the_model<fifo, uncounted, bad_hash>(fifo{}, {});
        }
        SUBCASE("by priority")
        {
            against_the_model(by_priority{.head_start = 5}, {.by_priority = true, .head_start = 5});
        }
        SUBCASE("fair")
        {
            against_the_model(fair<namespace_of>{}, {.fair = true});
        }
        SUBCASE("fair, by priority within")
        {
            against_the_model<fair<namespace_of, by_priority>, counted>(
                {.within = {.head_start = 3}}, {.by_priority = true, .fair = true, .head_start = 3});
        }
    }

    TEST_CASE("work_queue: without priorities and groups every order is Kubernetes'")
    {
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            queue_of<> plain;
            queue_of<reconcile::by_priority> none_given;
            queue_of<reconcile::by_priority> worth_nothing(reconcile::by_priority{.head_start = 0});
            queue_of<reconcile::fair<namespace_of>> one_group;
            for (int i = 0; i < 300; ++i) {
                auto const k = "all/" + std::to_string(random() % 20);
                switch (random() % 3) {
                case 0:
                    plain.add(k), none_given.add(k), one_group.add(k);
                    worth_nothing.add(k, static_cast<std::int32_t>(random() % 100) - 50);
                    break;
                case 1: {
                    auto const *const a = plain.get(), *const b = none_given.get(),
                                      *const c = one_group.get();
                    REQUIRE(static_cast<bool>(a) == (b && c));
                    if (a) {
                        REQUIRE(*a == *b);
                        REQUIRE(*a == *c);
                    }
                    (void)worth_nothing.get();
                    break;
                }
                default: plain.done(k), none_given.done(k), one_group.done(k), worth_nothing.done(k);
                }
            }
        }
    }

    TEST_CASE("work_queue: with aging, no key waits for longer than its bound")
    {
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const head_start = 1 + random() % 20;
            queue_of<reconcile::by_priority> q(
                reconcile::by_priority{.head_start = static_cast<std::uint32_t>(head_start)});
            constexpr std::int32_t highest = 3;
            std::map<std::string, std::size_t> bound;  // hand-outs that may still come before it
            for (int i = 0; i < 2000; ++i) {
                // More comes in than goes out, and most of it is urgent.
                auto const k = std::to_string(random() % 200);
                auto const p = random() % 8 ? highest : static_cast<std::int32_t>(random() % 4);
                auto const before = q.ready();
                if (q.add(k, p))
                    bound[k] = before + static_cast<std::size_t>(highest - p) * head_start;
                if (random() % 3 == 0)
                    continue;
                auto const* const got = q.get();
                REQUIRE(got);
                bound.erase(*got);
                q.done(*got);
                for (auto& [key, left] : bound) {
                    CAPTURE(key);
                    REQUIRE(left-- > 0);
                }
            }
        }
    }

    TEST_CASE("work_queue: a noisy group makes no other wait for longer than its bound")
    {
        for (std::uint64_t seed = 0; seed < 60; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const groups = 1 + random() % 6;
            queue_of<reconcile::fair<namespace_of>> q;
            std::map<std::string, std::size_t> bound;
            std::map<std::string, std::size_t> in_group;
            for (int i = 0; i < 2000; ++i) {
                auto const g = random() % 4 ? 0 : random() % groups;
                auto const group = std::to_string(g);
                auto const k = group + '/' + std::to_string(random() % 100);
                if (q.add(k)) {
                    auto const n = in_group[group]++;
                    bound[k] = (n + 1) * (groups - 1) + n;
                }
                if (random() % 3 == 0)
                    continue;
                auto const* const got = q.get();
                if (!got)
                    continue;
                bound.erase(*got);
                --in_group[std::string(namespace_of{}(*got))];
                q.done(*got);
                for (auto& [key, left] : bound) {
                    CAPTURE(key);
                    REQUIRE(left-- > 0);
                }
            }
        }
    }

    TEST_CASE(
        "work_queue: delays come out in order of time, whatever the distances and whenever they are added")
    {
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            reconcile::detail::delays d;
            std::set<std::tuple<std::int64_t, std::uint32_t, std::uint32_t>> naive;  // time, since, id
            std::int64_t now = 0;
            auto const wide = [&] {
                auto const bits = random() % 64;
                auto const v = static_cast<std::int64_t>(random() >> bits);
                return random() % 2 ? v : -v;
            };
            for (std::uint32_t i = 0; i < 500; ++i) {
                auto const near = now > 0 && now < (std::int64_t{1} << 62) && random() % 2;
                auto const when = near ? now + static_cast<std::int64_t>(random() % 100'000'000) : wide();
                naive.emplace(when, d.push(when, i), i);
                if (random() % 4 == 0)
                    now = wide();
                while (auto const e = d.pop(now, [](std::uint32_t) {})) {
                    REQUIRE(std::tuple(e->rank, e->since, e->id) == *naive.begin());
                    naive.erase(naive.begin());
                }
                REQUIRE((naive.empty() || std::get<0>(*naive.begin()) > now));
                REQUIRE(d.size() == naive.size());
                if (auto const least = d.least())
                    REQUIRE(*least == std::get<0>(*naive.begin()));
            }
        }
    }
}
