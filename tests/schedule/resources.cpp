#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/resources.hpp>

#include <doctest/doctest.h>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct node {
    std::int64_t cpu_milli = 0, memory_bytes = 0, pods = 0, disk = 0;
    std::map<std::string, std::int64_t> extended{};
};
struct pod {
    std::int64_t cpu_milli = 0, memory_bytes = 0, disk = 0;
    std::map<std::string, std::int64_t> extended{};
};

constexpr std::int64_t mebi = 1 << 20;
std::int64_t assumed_cpu(pod const& p)
{
    return p.cpu_milli == 0 ? 100 : p.cpu_milli;
}
std::int64_t assumed_memory(pod const& p)
{
    return p.memory_bytes == 0 ? 200 * mebi : p.memory_bytes;
}

using cpu = schedule::resource<"cpu", &node::cpu_milli, &pod::cpu_milli, &assumed_cpu>;
using memory = schedule::resource<"memory", &node::memory_bytes, &pod::memory_bytes, &assumed_memory>;
using disk = schedule::resource<"ephemeral-storage", &node::disk, &pod::disk>;
using pods = schedule::pod_slots<&node::pods>;
using others = schedule::extended_resources<&node::extended, &pod::extended>;
using fit = schedule::fit<cpu, memory, pods, disk, others>;
using least = schedule::least_allocated<cpu, memory>;
using most = schedule::most_allocated<cpu, memory>;
using balanced = schedule::balanced_allocation<cpu, memory>;
using balanced_of_three = schedule::balanced_allocation<cpu, memory, disk>;

template<class Score>
using rules =
    schedule::pipeline<node, pod, schedule::filters<fit>, schedule::scores<schedule::weighted<Score>>>;

node const small{.cpu_milli = 1000, .memory_bytes = 1000 * mebi, .pods = 2, .disk = 100};

template<class Score>
int score(node const& n, std::vector<pod> const& bound, pod const& wanted, Score settings = {})
{
    rules<Score> const r{settings};
    schedule::snapshot<rules<Score>> on;
    on.set("a", n);
    for (auto const& p : bound)
        on.bind("a", p);
    return r.decide(on, wanted).score;
}

std::string refusal(node const& n, std::vector<pod> const& bound, pod const& wanted)
{
    rules<least> const r;
    schedule::snapshot<rules<least>> on;
    on.set("a", n);
    for (auto const& p : bound)
        on.bind("a", p);
    return r.summary(r.decide(on, wanted), wanted);
}

}  // namespace

TEST_CASE("schedule: a pod fits when every request is at most what is free")
{
    struct row {
        char const* name;
        node on;
        std::vector<pod> bound;
        pod wanted;
        char const* summary;
    };
    constexpr auto most_there_is = std::numeric_limits<std::int64_t>::max();
    for (auto const& r : {
             row{"equal to free fits", small, {}, {1000, 1000 * mebi, 100}, "1/1 nodes are available."},
             row{"one more does not", small, {}, {1001}, "0/1 nodes are available: 1 Insufficient cpu."},
             row{"use counts", small, {{600}}, {401}, "0/1 nodes are available: 1 Insufficient cpu."},
             row{"no requests take a slot", small, {{}, {}}, {}, "0/1 nodes are available: 1 Too many pods."},
             row{"nothing asked fits where nothing is left", small, {{1000}}, {}, "1/1 nodes are available."},
             row{"nothing asked fits an overfull node", small, {{5000}}, {}, "1/1 nodes are available."},
             row{"each shortage counts", small, {}, {2000, 0, 200},
                 "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient ephemeral-storage."},
             row{"an extended resource", {1000, mebi, 9, 0, {{"x/gpu", 2}}}, {{0, 0, 0, {{"x/gpu", 1}}}},
                 {0, 0, 0, {{"x/gpu", 1}}}, "1/1 nodes are available."},
             row{"an extended resource that is used up", {1000, mebi, 9, 0, {{"x/gpu", 1}}},
                 {{0, 0, 0, {{"x/gpu", 1}}}}, {0, 0, 0, {{"x/gpu", 1}}},
                 "0/1 nodes are available: 1 Insufficient x/gpu."},
             row{"an extended resource that no node has", small, {}, {0, 0, 0, {{"x/gpu", 1}}},
                 "0/1 nodes are available: 1 Insufficient x/gpu."},
             row{"zero of it is not asked", small, {}, {0, 0, 0, {{"x/gpu", 0}}}, "1/1 nodes are available."},
             row{"a node with nothing", {}, {}, {}, "0/1 nodes are available: 1 Too many pods."},
             row{"a negative capacity is none", {-5, mebi, 9}, {}, {1},
                 "0/1 nodes are available: 1 Insufficient cpu."},
             row{"a negative request is none", small, {}, {-5}, "1/1 nodes are available."},
             row{"a sum too big for its type", small, {{most_there_is}, {most_there_is}}, {1},
                 "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods."},
             row{"a request too big for any node", {most_there_is, mebi, 9}, {}, {most_there_is},
                 "0/1 nodes are available: 1 Insufficient cpu."},
         }) {
        CAPTURE(r.name);
        CHECK(refusal(r.on, r.bound, r.wanted) == r.summary);
    }
}

TEST_CASE("schedule: a pod that asks for a hundred extended resources is refused for each")
{
    pod p;
    for (int i = 0; i < 100; ++i)
        p.extended["x/" + std::to_string(1000 + i)] = 1;
    auto const text = refusal(small, {}, p);
    CHECK(text.find("1 Insufficient x/1000,") != text.npos);
    CHECK(text.find("1 Insufficient further resources") != text.npos);
}

TEST_CASE("schedule: an extended resource that is listed twice counts for the sum")
{
    using list = std::vector<std::pair<char const*, int>>;
    struct box {
        list have{};
    };
    using twice = schedule::extended_resources<&box::have, &box::have>;
    CHECK(twice::requests(box{{{"b", 1}, {"a", 2}, {"b", 3}, {"c", -1}}}) ==
        std::vector<std::pair<std::string, std::int64_t>>{{"a", 2}, {"b", 4}, {"c", 0}});
    CHECK(twice::requests(box{}).empty());
}

TEST_CASE("schedule: allocation scores are truncated integers")
{
    CHECK(score<least>(small, {}, {500, 500 * mebi}) == 50);
    CHECK(score<least>(small, {}, {333, 333 * mebi}) == 66);
    CHECK(score<least>(small, {{334}}, {333, 200 * mebi}) ==
        (33 + 60) / 2);                                   // what is bound has 200 MiB assumed
    CHECK(score<least>(small, {}, {}) == (90 + 80) / 2);  // 100m and 200 MiB assumed
    CHECK(score<least>(small, {}, {500, 0}, least{.weights = {3, 1}}) == (3 * 50 + 80) / 4);
    CHECK(score<least>(small, {}, {500, 0}, least{.weights = {1, 0}}) == 50);
    CHECK(score<least>(small, {}, {500, 0}, least{.weights = {0, 0}}) == 0);
    CHECK(score<least>({.cpu_milli = 1000, .pods = 9}, {}, {500}) ==
        50);  // a resource the node lacks is left out
    CHECK(score<most>(small, {}, {333, 333 * mebi}) == 33);
    CHECK(score<most>(small, {{1500}}, {}) == (100 + 40) / 2);
}

TEST_CASE("schedule: balance is Kubernetes' integer")
{
    CHECK(score<balanced>(small, {}, {500, 500 * mebi}) == 100);
    CHECK(score<balanced>(small, {}, {600, 400 * mebi}) == 90);
    CHECK(score<balanced>(small, {}, {1000, 0}) == 50);
    CHECK(score<balanced>(small, {}, {}) == 0);                      // asks for nothing, likes no node better
    CHECK(score<balanced>(small, {{}}, {500, 500 * mebi}) == 100);   // nothing is assumed
    CHECK(score<balanced>(small, {{3000}}, {0, 1 * mebi}) == 50);    // an overfull resource counts as full
    CHECK(score<balanced_of_three>(small, {}, {1000, 0, 0}) == 52);  // 1 - sqrt(2)/3
    CHECK(score<balanced_of_three>({.cpu_milli = 1000, .pods = 9}, {}, {500}) == 100);
}

TEST_CASE("schedule: a shortage that no eviction can end is told apart")
{
    rules<least> const r;
    schedule::snapshot<rules<least>> on;
    on.set("a", small);
    on.bind("a", {600, 0, 0});
    auto const reasons = [&](pod const& p) { return r.explain(on, p).nodes.at(0).reasons; };
    CHECK(reasons({500}) == std::vector{schedule::reason{.amounts = {.wanted = 500, .free = 400}}});
    CHECK(reasons({1500}) ==
        std::vector{schedule::reason{.unresolvable = true, .amounts = {.wanted = 1500, .free = 400}}});
    CHECK(r.text(on, 0, reasons({500}).at(0), {500}) == "Insufficient cpu (wanted 500, free 400)");
}
