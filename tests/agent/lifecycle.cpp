#include <podium/agent/lifecycle.hpp>
#include <podium/agent/status.hpp>

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <initializer_list>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace podium;
using namespace std::chrono_literals;
using agent::leaving;
using agent::verb;
using stage = agent::container::stage;

model::container named(std::string name)
{
    model::container c;
    c.name = std::move(name);
    c.image = "shop/web:1";
    return c;
}

model::container sidecar(std::string name)
{
    auto c = named(std::move(name));
    c.restart_policy = model::restart_policy::always;
    return c;
}

model::pod pod_of(std::vector<model::container> inits, std::vector<model::container> mains,
    model::restart_policy restart = model::restart_policy::always)
{
    model::pod p;
    p.metadata.name = "web-1";
    p.metadata.namespace_ = "shop";
    p.spec.node_name = "a";
    p.spec.init_containers = std::move(inits);
    p.spec.containers = std::move(mains);
    p.spec.restart_policy = restart;
    return p;
}

/// One pod driven by hand. Actions are written as text: "run 0.1" is container 0, instance 1.
struct bench {
    model::pod pod;
    agent::policy policy{};
    agent::lifecycle life{};
    time_point now{1h};
    time_point wake_at = never;
    bool gone = false;
    std::vector<agent::action> last{};

    explicit bench(model::pod p) : pod(std::move(p)), life(agent::take_on(pod, time_point{1h}))
    {
        life.address = "127.1.0.1";
    }

    std::string step(std::initializer_list<agent::observation> seen = {})
    {
        last.clear();
        auto const r = agent::step(policy, pod, gone, life, {seen.begin(), seen.size()}, now, last);
        wake_at = r.wake_at;
        std::string out;
        for (auto const& a : last)
            out += (out.empty() ? "" : ", ") + text(a);
        return out;
    }
    std::string at(duration since_start)
    {
        now = time_point{1h} + since_start;
        return step();
    }
    static std::string text(agent::action const& a)
    {
        auto const who = std::to_string(a.container) + '.' + std::to_string(a.instance);
        auto const grace =
            std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(a.grace).count());
        switch (a.what) {
        case verb::run: return "run " + who;
        case verb::stop: return "stop " + who + " " + grace + "ms";
        case verb::remove: return "remove " + who;
        case verb::check: return "check " + who + " " + std::string(to_string(a.check.which));
        case verb::call: return "call " + who + (a.hook == agent::hook::pre_stop ? " preStop" : " postStart");
        }
        return "?";
    }
    agent::observation about(std::uint32_t i, decltype(agent::observation::what) what) const
    {
        return {i, life.containers[i].instance, std::move(what)};
    }
    std::string starts(std::uint32_t i) { return step({about(i, agent::started{"id", now})}); }
    std::string exits(std::uint32_t i, int code) { return step({about(i, agent::exited{code, 0, {}, now})}); }
    std::string refuses(std::uint32_t i, agent::refused::part by)
    {
        return step({about(i, agent::refused{by, "why"})});
    }
    /// The last action's check is answered.
    std::string answers(probe::outcome seen)
    {
        auto const& a = last.back();
        return step({{a.container, a.instance, agent::probed{a.check, seen}}});
    }
    model::pod_status status() const { return agent::status_of(pod, life, "10.0.0.1", now); }
    std::string waiting(std::size_t i = 0) const
    {
        auto const s = status();
        auto const& c = s.container_statuses[i];
        return c.state.waiting ? c.state.waiting->reason : "";
    }
    std::string condition(std::string_view type) const
    {
        auto const s = status();
        auto const* c = model::find_condition(s.conditions, type);
        return !c ? "none" : c->status == model::condition_status::true_ ? "True" : "False " + c->reason;
    }
};

TEST_CASE("agent: init containers run one after another, then all main ones at once")
{
    bench b(pod_of({named("i0"), named("i1")}, {named("m0"), named("m1")}));
    CHECK(b.step() == "run 0.1");
    CHECK(b.waiting(0) == "PodInitializing");
    CHECK(b.starts(0) == "");
    CHECK(b.status().phase == model::pod_phase::pending);
    CHECK(b.condition("Initialized") == "False ContainersNotInitialized");
    CHECK(b.exits(0, 0) == "run 1.1");
    CHECK(b.starts(1) == "");
    CHECK(b.exits(1, 0) == "run 2.1, run 3.1");
    CHECK(b.condition("Initialized") == "True");
    CHECK(b.waiting(0) == "ContainerCreating");
    CHECK(b.starts(2) == "");
    CHECK(b.status().phase == model::pod_phase::pending);
    CHECK(b.starts(3) == "");
    CHECK(b.status().phase == model::pod_phase::running);
    CHECK(b.condition("Ready") == "True");
}

TEST_CASE("agent: nothing runs before the pod has an address")
{
    bench b(pod_of({}, {named("m")}));
    b.life.address.clear();
    CHECK(b.step() == "");
    CHECK(b.waiting() == "ContainerCreating");
    b.life.address = "127.1.0.1";
    CHECK(b.step() == "run 0.1");
}

TEST_CASE("agent: a failed init container is tried again unless the policy says never")
{
    bench b(pod_of({named("i")}, {named("m")}, model::restart_policy::on_failure));
    b.step();
    b.starts(0);
    CHECK(b.exits(0, 3) == "run 0.2");

    bench never_again(pod_of({named("i")}, {named("m")}, model::restart_policy::never));
    never_again.step();
    never_again.starts(0);
    CHECK(never_again.exits(0, 3) == "");
    CHECK(never_again.status().phase == model::pod_phase::failed);
}

TEST_CASE("agent: a sidecar holds back the next container until it has started, and then stays")
{
    auto s = sidecar("s");
    model::probe startup;
    startup.tcp_socket = model::tcp_socket_action{.port = 80};
    s.startup_probe = startup;
    bench b(pod_of({s}, {named("m")}, model::restart_policy::never));
    CHECK(b.step() == "run 0.1");
    CHECK(b.starts(0) == "check 0.1 startup");
    CHECK(b.answers(probe::outcome::success) == "run 1.1");
    b.starts(1);
    CHECK(b.status().phase == model::pod_phase::running);
    CHECK(b.exits(0, 1) == "run 0.2");
    CHECK(b.condition("Ready") == "False ContainersNotReady");
    b.starts(0);
    CHECK(b.exits(1, 0) == "stop 0.2 30000ms");
    CHECK(b.status().phase == model::pod_phase::running);
    CHECK(b.exits(0, 143) == "");
    CHECK(b.status().phase == model::pod_phase::succeeded);
    CHECK(b.condition("Ready") == "False PodCompleted");
}

TEST_CASE("agent: restarts are at once, after 10 s, 20 s, ... 5 min, and forgotten after 10 min")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    std::vector<std::int64_t> waits;
    for (int i = 0; i < 8; ++i) {
        b.starts(0);
        auto const before = b.now;
        if (b.exits(0, 1).empty()) {
            CHECK(b.waiting() == "CrashLoopBackOff");
            CHECK(b.status().container_statuses[0].last_state.terminated->exit_code == 1);
            b.now = b.wake_at - 1ns;
            CHECK(b.step() == "");
            b.now = b.wake_at;
            CHECK(!b.step().empty());
        }
        waits.push_back(std::chrono::duration_cast<std::chrono::seconds>(b.now - before).count());
    }
    CHECK(waits == std::vector<std::int64_t>{0, 10, 20, 40, 80, 160, 300, 300});
    CHECK(b.status().container_statuses[0].restart_count == 8);
    b.starts(0);
    b.now += 601s;
    CHECK(b.exits(0, 1) == "remove 0.8, run 0.10");  // the ninth is kept for its logs
}

TEST_CASE("agent: the restart policy decides what an end means")
{
    struct row {
        char const* name;
        model::restart_policy policy;
        int exit_code;
        bool again;
        model::pod_phase phase;
    };
    using model::pod_phase;
    using model::restart_policy;
    for (auto const& r : {row{"always, 0", restart_policy::always, 0, true, pod_phase::running},
             row{"always, 1", restart_policy::always, 1, true, pod_phase::running},
             row{"on failure, 0", restart_policy::on_failure, 0, false, pod_phase::succeeded},
             row{"on failure, 1", restart_policy::on_failure, 1, true, pod_phase::running},
             row{"never, 0", restart_policy::never, 0, false, pod_phase::succeeded},
             row{"never, 1", restart_policy::never, 1, false, pod_phase::failed}}) {
        CAPTURE(r.name);
        bench b(pod_of({}, {named("m")}, r.policy));
        b.step();
        b.starts(0);
        CHECK(b.exits(0, r.exit_code).empty() == !r.again);
        CHECK(b.status().phase == r.phase);
        auto const s = b.status();
        auto const& how = r.again ? s.container_statuses[0].last_state : s.container_statuses[0].state;
        REQUIRE(how.terminated);
        CHECK(how.terminated->reason == (r.exit_code == 0 ? "Completed" : "Error"));
    }
}

TEST_CASE("agent: what cannot be made is tried again with back-off, and says why")
{
    using part = agent::refused::part;
    struct row {
        part by;
        char const* first;
        char const* later;
    };
    for (auto const& r :
        {row{part::configuration, "CreateContainerConfigError", "CreateContainerConfigError"},
            row{part::image, "ErrImagePull", "ImagePullBackOff"},
            row{part::creation, "CreateContainerError", "CreateContainerError"}}) {
        CAPTURE(r.first);
        bench b(pod_of({}, {named("m")}, model::restart_policy::never));
        b.step();
        CHECK(b.refuses(0, r.by) == "");
        CHECK(b.waiting() == r.first);
        CHECK(b.status().container_statuses[0].restart_count == 0);
        CHECK(b.status().phase == model::pod_phase::pending);
        b.now += 10s;
        CHECK(b.step() == "run 0.2");
        CHECK(b.refuses(0, r.by) == "");
        CHECK(b.waiting() == r.later);
        CHECK(b.wake_at == b.now + 20s);
        b.now += 20s;
        CHECK(b.step() == "run 0.3");
        CHECK(b.starts(0) == "");
        CHECK(b.status().phase == model::pod_phase::running);
    }
}

TEST_CASE("agent: a command that cannot be executed counts as an end with 128")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    CHECK(b.refuses(0, agent::refused::part::start) == "run 0.2");
    CHECK(b.refuses(0, agent::refused::part::start) == "");
    CHECK(b.waiting() == "RunContainerError");
    CHECK(b.status().container_statuses[0].last_state.terminated->reason == "StartError");
    CHECK(b.status().container_statuses[0].restart_count == 1);

    bench once(pod_of({}, {named("m")}, model::restart_policy::never));
    once.step();
    CHECK(once.refuses(0, agent::refused::part::start) == "");
    CHECK(once.status().phase == model::pod_phase::failed);
}

model::probe every(std::int32_t seconds, std::int32_t failures)
{
    model::probe p;
    p.tcp_socket = model::tcp_socket_action{.port = 80};
    p.period_seconds = seconds;
    p.failure_threshold = failures;
    return p;
}

TEST_CASE("agent: readiness makes the pod ready and unready, and never restarts it")
{
    auto c = named("m");
    c.readiness_probe = every(1, 1);
    bench b(pod_of({}, {c}));
    b.step();
    CHECK(b.starts(0) == "check 0.1 readiness");
    CHECK(b.condition("Ready") == "False ContainersNotReady");
    CHECK(b.answers(probe::outcome::success) == "");
    CHECK(b.condition("Ready") == "True");
    b.now += 1s;
    CHECK(b.step() == "check 0.1 readiness");
    CHECK(b.answers(probe::outcome::failure) == "");
    CHECK(b.condition("Ready") == "False ContainersNotReady");
    CHECK(b.status().phase == model::pod_phase::running);
}

TEST_CASE("agent: a failing liveness stops the container gracefully and starts it again")
{
    auto c = named("m");
    c.liveness_probe = every(1, 2);
    bench b(pod_of({}, {c}));
    b.step();
    CHECK(b.starts(0) == "check 0.1 liveness");
    CHECK(b.answers(probe::outcome::failure) == "");
    b.now += 1s;
    CHECK(b.step() == "check 0.1 liveness");
    CHECK(b.answers(probe::outcome::failure) == "stop 0.1 30000ms");
    CHECK(b.step() == "");
    CHECK(b.exits(0, 143) == "run 0.2");
    CHECK(b.starts(0) == "check 0.2 liveness");
    CHECK(b.status().container_statuses[0].restart_count == 1);
}

TEST_CASE("agent: a guarded container waits for leave to be restarted, and is looked at again without it")
{
    auto c = named("m");
    c.liveness_probe = every(1, 1);
    bench b(pod_of({}, {c}));
    b.policy.guarded = true;
    b.step();
    CHECK(b.starts(0) == "check 0.1 liveness");
    CHECK(b.answers(probe::outcome::failure) == "");
    CHECK(b.life.containers[0].asks);
    CHECK(b.step({{0, 1, agent::permitted{false}}}) == "");
    CHECK_FALSE(b.life.containers[0].asks);
    CHECK(b.step({{0, 1, agent::permitted{true}}}) == "");  // nobody asks
    b.now += 1s;
    CHECK(b.step() == "check 0.1 liveness");
    CHECK(b.answers(probe::outcome::failure) == "");
    CHECK(b.step({{0, 1, agent::permitted{true}}}) == "stop 0.1 30000ms");
    CHECK(b.step({{0, 1, agent::permitted{true}}}) == "");
    CHECK(b.exits(0, 143) == "run 0.2");
    CHECK(b.status().container_statuses[0].last_state.terminated->message == "failed its liveness probe");
}

TEST_CASE("agent: an answer to an earlier instance is nobody's")
{
    auto c = named("m");
    c.liveness_probe = every(1, 1);
    bench b(pod_of({}, {c}));
    b.step();
    b.starts(0);
    auto const old = b.last.back();
    b.exits(0, 1);
    b.starts(0);
    CHECK(b.step({{old.container, old.instance, agent::probed{old.check, probe::outcome::failure}}}) == "");
    CHECK(b.step({{0, 1, agent::exited{1, 0, {}, b.now}}}) == "");
    CHECK(b.life.containers[0].at == stage::running);
}

TEST_CASE("agent: deletion stops all main containers at once, sidecars after them, then nothing is left")
{
    bench b(pod_of({sidecar("s0"), sidecar("s1")}, {named("m0"), named("m1")}));
    b.step();
    b.starts(0);
    b.starts(1);
    b.starts(2);
    b.starts(3);
    b.pod.metadata.deletion_timestamp = b.now;
    b.pod.metadata.deletion_grace_period_seconds = 20;
    CHECK(b.step() == "stop 3.1 20000ms, stop 2.1 20000ms");
    CHECK(b.exits(2, 0) == "");
    b.now += 5s;
    CHECK(b.exits(3, 0) == "stop 1.1 15000ms");
    CHECK(b.exits(1, 0) == "stop 0.1 15000ms");
    CHECK_FALSE(b.life.over());
    CHECK(b.exits(0, 0) == "remove 0.1, remove 1.1, remove 2.1, remove 3.1");
    CHECK(b.life.over());
}

TEST_CASE("agent: sidecars are killed when the grace period is over")
{
    bench b(pod_of({sidecar("s")}, {named("m")}));
    b.step();
    b.starts(0);
    b.starts(1);
    b.pod.metadata.deletion_timestamp = b.now;
    CHECK(b.step() == "stop 1.1 30000ms");
    CHECK(b.wake_at == b.now + 30s);
    b.now += 30s;
    CHECK(b.step() == "stop 0.1 0ms");
}

TEST_CASE("agent: a preStop hook runs inside the grace period, and leaves two seconds")
{
    auto c = named("m");
    model::lifecycle l;
    l.pre_stop = model::lifecycle_handler{.exec = model::exec_action{{"sync"}}};
    c.lifecycle = l;
    SUBCASE("it ends in time")
    {
        bench b(pod_of({}, {c}));
        b.step();
        b.starts(0);
        b.pod.metadata.deletion_timestamp = b.now;
        CHECK(b.step() == "call 0.1 preStop");
        CHECK(b.step() == "");
        b.now += 10s;
        CHECK(b.step({b.about(0, agent::hooked{agent::hook::pre_stop, true})}) == "stop 0.1 20000ms");
    }
    SUBCASE("it fails: no matter")
    {
        bench b(pod_of({}, {c}));
        b.step();
        b.starts(0);
        b.pod.metadata.deletion_timestamp = b.now;
        b.step();
        CHECK(b.step({b.about(0, agent::hooked{agent::hook::pre_stop, false})}) == "stop 0.1 30000ms");
    }
    SUBCASE("it does not end")
    {
        bench b(pod_of({}, {c}));
        b.step();
        b.starts(0);
        b.pod.metadata.deletion_timestamp = b.now;
        b.step();
        CHECK(b.wake_at == b.now + 30s);
        b.now += 30s;
        CHECK(b.step() == "stop 0.1 2000ms");
        CHECK(b.step() == "");
    }
    SUBCASE("without grace there is no time for it")
    {
        bench b(pod_of({}, {c}));
        b.step();
        b.starts(0);
        b.pod.metadata.deletion_timestamp = b.now;
        b.pod.metadata.deletion_grace_period_seconds = 0;
        CHECK(b.step() == "stop 0.1 0ms");
    }
}

TEST_CASE("agent: a second deletion may shorten the grace period, never lengthen it")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    b.starts(0);
    b.pod.metadata.deletion_timestamp = b.now;
    CHECK(b.step() == "stop 0.1 30000ms");
    b.pod.metadata.deletion_grace_period_seconds = 60;
    CHECK(b.step() == "");
    b.pod.metadata.deletion_grace_period_seconds = 1;
    CHECK(b.step() == "stop 0.1 1000ms");
    CHECK(b.step() == "");
}

TEST_CASE("agent: a failing postStart hook stops the container")
{
    auto c = named("m");
    model::lifecycle l;
    l.post_start = model::lifecycle_handler{.exec = model::exec_action{{"warm-up"}}};
    c.lifecycle = l;
    bench b(pod_of({}, {c}));
    b.step();
    CHECK(b.starts(0) == "call 0.1 postStart");
    CHECK(b.step({b.about(0, agent::hooked{agent::hook::post_start, false})}) == "stop 0.1 30000ms");
}

TEST_CASE("agent: a stop that the runtime could not take is asked again")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    b.starts(0);
    b.pod.metadata.deletion_timestamp = b.now;
    b.step();
    CHECK(b.step({b.about(0, agent::stop_failed{})}) == "");
    CHECK(b.wake_at == b.now + 1s);
    b.now += 1s;
    CHECK(b.step() == "stop 0.1 29000ms");
}

TEST_CASE("agent: a pod that was deleted while a container starts stops it as soon as it runs")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    b.pod.metadata.deletion_timestamp = b.now;
    CHECK(b.step() == "");
    CHECK_FALSE(b.life.over());
    CHECK(b.starts(0) == "stop 0.1 30000ms");
    CHECK(b.exits(0, 143) == "remove 0.1");
}

TEST_CASE("agent: a pod that never ran is over as soon as it is deleted")
{
    bench b(pod_of({}, {named("m")}));
    b.life.address.clear();
    b.step();
    b.gone = true;
    CHECK(b.step() == "");
    CHECK(b.life.over());
}

TEST_CASE("agent: an evicted pod is stopped, starts nothing and keeps its phase")
{
    bench b(pod_of({}, {named("m")}));
    b.step();
    b.starts(0);
    b.pod.status.phase = model::pod_phase::failed;
    b.pod.status.reason = "Evicted";
    CHECK(b.step() == "stop 0.1 30000ms");
    CHECK(b.exits(0, 0) == "");
    CHECK(b.status().phase == model::pod_phase::failed);
    CHECK(b.status().reason == "Evicted");
}

TEST_CASE("agent: the active deadline fails the pod")
{
    auto p = pod_of({}, {named("m")});
    p.spec.active_deadline_seconds = 60;
    bench b(p);
    b.step();
    b.starts(0);
    CHECK(b.wake_at == b.now + 60s);
    b.now += 60s;
    CHECK(b.step() == "stop 0.1 30000ms");
    CHECK(b.status().reason == "DeadlineExceeded");
    CHECK(b.exits(0, 0) == "");
    CHECK(b.status().phase == model::pod_phase::failed);
}

TEST_CASE("agent: a new agent goes on counting restarts, and counts what ran before as ended")
{
    bench before(pod_of({}, {named("m")}));
    before.step();
    before.starts(0);
    before.exits(0, 1);
    before.starts(0);
    auto p = before.pod;
    p.status = before.status();
    CHECK(p.status.container_statuses[0].restart_count == 1);
    bench after(p);
    CHECK(after.step() == "run 0.1");
    after.starts(0);
    CHECK(after.status().container_statuses[0].restart_count == 2);
    CHECK(after.status().container_statuses[0].last_state.terminated->reason == "ContainerStatusUnknown");

    p.spec.restart_policy = model::restart_policy::never;
    bench once(p);
    CHECK(once.step() == "");
    CHECK(once.status().phase == model::pod_phase::failed);
}

TEST_CASE(
    "agent: pods that a new agent starts again together do not check together; a fresh one waits for nobody")
{
    auto main = named("m");
    main.readiness_probe = model::probe{};  // every 10 s
    auto fresh = pod_of({}, {main});
    auto const first_check = [](model::pod const& p) {
        bench b(p);
        CHECK(b.step() == "run 0.1");
        if (b.starts(0) == "check 0.1 readiness")
            return b.now;
        b.now = b.wake_at;
        CHECK(b.step() == "check 0.1 readiness");
        return b.now;
    };
    CHECK(first_check(fresh) == time_point{1h});
    std::vector<time_point> checks;
    for (int i = 0; i < 8; ++i) {
        bench before(fresh);
        before.step();
        before.starts(0);
        auto again = fresh;
        again.metadata.name = "web-" + std::to_string(i);
        again.status = before.status();
        checks.push_back(first_check(again));
        CHECK(checks.back() == first_check(again));
        CHECK(checks.back() >= time_point{1h});
        CHECK(checks.back() < time_point{1h + 10s});
    }
    std::sort(checks.begin(), checks.end());
    CHECK(std::adjacent_find(checks.begin(), checks.end()) == checks.end());
}

TEST_CASE("agent: the status tells the pod's whole story in Kubernetes' words")
{
    auto p = pod_of({}, {named("m")});
    p.metadata.generation = 3;
    p.status.drain = model::pod_drain{.reason = "rollout"};
    p.status.conditions.push_back({.type = "shop/gate", .status = model::condition_status::true_});
    bench b(p);
    b.step();
    auto s = b.status();
    CHECK(s.drain->reason == "rollout");
    CHECK(s.conditions.front().type == "shop/gate");
    CHECK(s.host_ip == "10.0.0.1");
    CHECK(s.pod_ip == "127.1.0.1");
    CHECK(s.pod_ips.at(0).ip == "127.1.0.1");
    CHECK(s.start_time == model::time{b.now});
    CHECK(s.qos_class == "BestEffort");
    CHECK(s.observed_generation == 3);
    CHECK(b.condition("PodScheduled") == "True");
    auto const since = b.now;
    b.pod.status = s;
    b.now += 5s;
    b.starts(0);
    s = b.status();
    CHECK(s.container_statuses[0].state.running->started_at == model::time{b.now});
    CHECK(s.container_statuses[0].container_id == "id");
    CHECK(s.container_statuses[0].started == true);
    CHECK(model::find_condition(s.conditions, "Ready")->last_transition_time == model::time{b.now});
    CHECK(model::find_condition(s.conditions, "PodScheduled")->last_transition_time == model::time{since});
}

TEST_SUITE("property")
{
    /// A pod with a bit of everything.
    model::pod any_pod(std::mt19937_64 & random)
    {
        auto const pick = [&](std::uint64_t n) { return random() % n; };
        auto const decorate = [&](model::container& c) {
            if (pick(3) == 0)
                c.readiness_probe = every(1, 1 + static_cast<int>(pick(2)));
            if (pick(3) == 0)
                c.liveness_probe = every(2, 1 + static_cast<int>(pick(2)));
            if (pick(4) == 0)
                c.startup_probe = every(1, 3);
            if (pick(3) == 0) {
                model::lifecycle l;
                l.pre_stop = model::lifecycle_handler{.sleep = model::sleep_action{1}};
                if (pick(2) == 0)
                    l.post_start = model::lifecycle_handler{.sleep = model::sleep_action{1}};
                c.lifecycle = l;
            }
        };
        std::vector<model::container> inits, mains;
        for (std::uint64_t i = 0, n = pick(3); i < n; ++i) {
            inits.push_back(pick(2) == 0 ? sidecar("i" + std::to_string(i)) : named("i" + std::to_string(i)));
            decorate(inits.back());
        }
        for (std::uint64_t i = 0, n = 1 + pick(2); i < n; ++i) {
            mains.push_back(named("m" + std::to_string(i)));
            decorate(mains.back());
        }
        return pod_of(inits, mains, static_cast<model::restart_policy>(pick(3)));
    }

    TEST_CASE("agent: whatever happens, no container lives twice, phases go forward, the end is the end")
    {
        for (std::uint64_t seed = 1; seed <= 400; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            bench b(any_pod(random));
            std::vector<agent::action> open;  // asked and not answered
            std::set<std::pair<std::uint32_t, std::uint32_t>> alive;
            auto phase = b.pod.status.phase;
            auto const forget = [&](std::uint32_t c, std::uint32_t n) {
                alive.erase({c, n});
                std::erase_if(open, [&](auto const& a) {
                    return a.container == c && a.instance == n &&
                        (a.what == verb::stop || a.what == verb::call);
                });
            };
            bool deleted = false;
            for (int round = 0; round < 150; ++round) {
                std::vector<agent::observation> seen;
                auto const die = [&](std::uint32_t c, std::uint32_t n, int code) {
                    if (alive.contains({c, n})) {
                        seen.push_back({c, n, agent::exited{code, 0, {}, b.now}});
                        forget(c, n);
                    }
                };
                if (!open.empty() && random() % 3 != 0) {
                    auto const at = static_cast<std::ptrdiff_t>(random() % open.size());
                    auto const a = open[static_cast<std::size_t>(at)];
                    open.erase(open.begin() + at);
                    bool const fails = random() % 4 == 0;
                    switch (a.what) {
                    case verb::run:
                        if (fails) {
                            seen.push_back({a.container, a.instance,
                                agent::refused{static_cast<agent::refused::part>(random() % 4), "no"}});
                        } else {
                            REQUIRE(alive.insert({a.container, a.instance}).second);
                            seen.push_back({a.container, a.instance, agent::started{"x", b.now}});
                        }
                        break;
                    case verb::stop:
                        if (fails)
                            seen.push_back({a.container, a.instance, agent::stop_failed{}});
                        else
                            die(a.container, a.instance, 143);
                        break;
                    case verb::check:
                        seen.push_back({a.container, a.instance,
                            agent::probed{a.check, static_cast<probe::outcome>(random() % 3)}});
                        break;
                    case verb::call:
                        seen.push_back({a.container, a.instance, agent::hooked{a.hook, !fails}});
                        break;
                    case verb::remove: break;
                    }
                } else if (!alive.empty() && random() % 4 == 0) {
                    auto const which =
                        *std::next(alive.begin(), static_cast<std::ptrdiff_t>(random() % alive.size()));
                    die(which.first, which.second, static_cast<int>(random() % 2));
                }
                if (round > 75 && random() % 20 == 0 && !deleted) {
                    deleted = true;
                    b.pod.metadata.deletion_timestamp = b.now;
                }
                b.now += std::chrono::milliseconds(random() % 3000);
                b.last.clear();
                bool const left = b.life.why != leaving::no;
                auto const wake = agent::step(b.policy, b.pod, false, b.life, seen, b.now, b.last).wake_at;
                for (auto const& a : b.last) {
                    CAPTURE(bench::text(a));
                    if (a.what == verb::run) {
                        REQUIRE_FALSE(left);
                        REQUIRE(std::ranges::none_of(
                            alive, [&](auto const& l) { return l.first == a.container; }));
                        REQUIRE(std::ranges::none_of(open, [&](auto const& o) {
                            return o.what == verb::run && o.container == a.container;
                        }));
                    } else if (a.what == verb::remove) {
                        REQUIRE_FALSE(alive.contains({a.container, a.instance}));
                        continue;
                    } else {
                        REQUIRE(alive.contains({a.container, a.instance}));
                    }
                    open.push_back(a);
                }
                // Once more: nothing new.
                auto const before = b.life;
                std::vector<agent::action> again;
                auto const r = agent::step(b.policy, b.pod, false, b.life, {}, b.now, again);
                REQUIRE(again.empty());
                REQUIRE(b.life == before);
                REQUIRE_FALSE(r.news);
                REQUIRE(r.wake_at == wake);
                REQUIRE(r.wake_at > b.now);
                // What the status says.
                b.pod.status = b.status();
                REQUIRE(b.status() == b.pod.status);
                if (model::is_terminal(phase))
                    REQUIRE(b.pod.status.phase == phase);
                if (phase == model::pod_phase::running)
                    REQUIRE(b.pod.status.phase != model::pod_phase::pending);
                phase = b.pod.status.phase;
                REQUIRE(b.pod.status.container_statuses.size() == b.pod.spec.containers.size());
            }
            // The world answers everything: a deleted pod ends.
            b.pod.metadata.deletion_timestamp = b.now;
            for (int round = 0; round < 200 && !b.life.over(); ++round) {
                std::vector<agent::observation> seen;
                for (auto const& a : std::exchange(open, {}))
                    if (a.what == verb::run) {
                        alive.insert({a.container, a.instance});
                        seen.push_back({a.container, a.instance, agent::started{"x", b.now}});
                    } else if (a.what == verb::stop && alive.erase({a.container, a.instance}) > 0) {
                        seen.push_back({a.container, a.instance, agent::exited{143, 15, {}, b.now}});
                    }
                b.last.clear();
                b.wake_at = agent::step(b.policy, b.pod, false, b.life, seen, b.now, b.last).wake_at;
                open = b.last;
                if (open.empty() && b.wake_at != never)
                    b.now = std::max(b.now, b.wake_at);
            }
            REQUIRE(b.life.over());
            REQUIRE(alive.empty());
        }
    }
}

}  // namespace
