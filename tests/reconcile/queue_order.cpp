#include <podium/reconcile/work_queue.hpp>

#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace reconcile = podium::reconcile;
using podium::time_point;
using reconcile::work_queue;

namespace {

/// A job of a tenant.
struct job {
    std::string tenant{};
    int number = 0;
    friend bool operator==(job const&, job const&) = default;
};
struct job_hash {
    std::size_t operator()(job const& j) const
    {
        return std::hash<std::string>{}(j.tenant) * 31 + static_cast<std::size_t>(j.number);
    }
};
struct by_tenant {
    std::string const& operator()(job const& j) const { return j.tenant; }
};
struct without_equality {};
static_assert(reconcile::WorkKey<job, job_hash>);
static_assert(!reconcile::WorkKey<without_equality, job_hash>);

}  // namespace

TEST_CASE("queue_order: who adds a thousand keys waits for himself")
{
    work_queue<job, reconcile::fair<by_tenant>, reconcile::uncounted, job_hash> q;
    for (int i = 0; i < 1000; ++i)
        q.add({"noisy", i});
    q.add({"quiet", 0});
    auto const* first = q.get();
    REQUIRE(first);
    CHECK(first->tenant == "noisy");
    auto const* second = q.get();
    REQUIRE(second);
    CHECK(second->tenant == "quiet");
}

TEST_CASE("queue_order: a higher priority goes first, and one that waits is raised but never lowered")
{
    work_queue<std::string, reconcile::by_priority> q(reconcile::by_priority{.head_start = 10});
    q.add("low", 0);
    q.add("high", 5);
    q.add("raised", 0);
    q.add("raised", 9);
    q.add("high", 1);
    std::vector<std::string> order;
    while (auto const* k = q.get())
        order.push_back(*k);
    CHECK(order == std::vector<std::string>{"raised", "high", "low"});
}

TEST_CASE("work_queue: shut down, it finishes what is in process and takes nothing new")
{
    work_queue<std::string> q;
    q.add("a");
    q.add("b");
    q.add_after("c", 1s, {});
    REQUIRE(q.get());
    q.shut_down(reconcile::drain::in_process);
    CHECK(!q.add("d"));
    CHECK(!q.get());
    CHECK(!q.drained());
    CHECK(q.done("a"));
    CHECK(q.drained());
    CHECK(q.size() == 0);
}

TEST_CASE("work_queue: figures under the names of client-go")
{
    work_queue<std::string, reconcile::fifo, reconcile::counted> q;
    time_point const start{};
    q.advance(start);
    q.add("a");
    q.add("a");
    q.add("b");
    CHECK(q.figures().depth.value == 2);
    q.advance(start + 2s);
    REQUIRE(q.get());
    q.advance(start + 5s);
    CHECK(q.figures().unfinished_work.value == doctest::Approx(3));
    CHECK(q.figures().longest_running_processor.value == doctest::Approx(3));
    CHECK(q.done("a"));
    CHECK(q.figures().unfinished_work.value == 0);
    CHECK(q.figures().depth.value == 1);
}

TEST_SUITE("property")
{
    TEST_CASE("queue_order: a key is overtaken by no more than its priority's worth of places")
    {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            std::int64_t const head_start = 1 + static_cast<std::int64_t>(random() % 8);
            constexpr std::int32_t highest = 4;
            work_queue<int, reconcile::by_priority> q(
                reconcile::by_priority{.head_start = static_cast<std::uint32_t>(head_start)});
            std::map<int, std::int32_t> waiting;  // a key's number is its place in the line
            std::map<int, std::int64_t> overtaken;
            int next = 0;
            for (int step = 0; step < 2000; ++step) {
                if (waiting.empty() || random() % 2) {
                    auto const p = static_cast<std::int32_t>(random() % (highest + 1));
                    REQUIRE(q.add(next, p));
                    waiting[next++] = p;
                    continue;
                }
                auto const* got = q.get();
                REQUIRE(got);
                int const k = *got;
                REQUIRE(waiting.erase(k) == 1);
                for (auto const& [before, p] : waiting)
                    if (before < k)
                        REQUIRE(++overtaken[before] <= (highest - p) * head_start);
                REQUIRE(q.done(k));
            }
        }
    }

    TEST_CASE("work_queue: what is saved goes on as it would have")
    {
        for (std::uint64_t seed = 0; seed < 300; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            using queue = work_queue<int, reconcile::by_priority>;
            queue q;
            time_point now{};
            for (int step = 0; step < 60; ++step) {
                auto const k = static_cast<int>(random() % 12);
                auto const p = static_cast<std::int32_t>(random() % 3);
                if (random() % 2)
                    q.add(k, p);
                else
                    q.add_after(k, std::chrono::nanoseconds(random() % 20'000'000'000), now, p);
                q.advance(now += std::chrono::seconds(random() % 3));
                if (random() % 3 == 0)
                    if (auto const* got = q.get())
                        REQUIRE(q.done(*got));
            }
            queue other;
            other.restore(q.save());
            CHECK(other.save() == q.save());
            for (; q.size() > 0; now += 1s) {
                q.advance(now);
                other.advance(now);
                auto const *a = q.get(), *b = other.get();
                REQUIRE((a == nullptr) == (b == nullptr));
                if (!a)
                    continue;
                REQUIRE(*a == *b);
                REQUIRE(q.done(*a));
                REQUIRE(other.done(*b));
            }
            CHECK(other.size() == 0);
        }
    }
}
