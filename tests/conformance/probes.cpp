// probes.json: one worker tick by tick, and all three of a container that starts, exits and is killed.

#include "runner.hpp"

#include <podium/probe.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace {

using namespace conformance;
using podium::duration;
using podium::time_point;
namespace probe = podium::probe;

constexpr auto way_of_counting = probe::counting::kubernetes;
way const counting{"a run of equal answers outlives its container (probe::counting::kubernetes)"};

constexpr std::array kinds{probe::kind::startup, probe::kind::readiness, probe::kind::liveness};

probe::kind kind_of(std::string const& text)
{
    return *std::ranges::find(kinds, text, [](auto k) { return to_string(k); });
}
duration span(json const& seconds)
{
    return duration(std::llround(seconds.get<double>() * 1e9));
}
json in_seconds(duration d)
{
    auto const s = std::chrono::duration<double>(d).count();
    return s == std::floor(s) ? json(static_cast<std::int64_t>(s)) : json(s);
}
probe::policy policy_of(json const& j)
{
    return {.initial_delay = span(j.at("initial_delay_seconds")),
        .period = span(j.at("period_seconds")),
        .success_threshold = j.at("success_threshold"),
        .failure_threshold = j.at("failure_threshold")};
}
// What the prober answers after its retries.
probe::outcome outcome_of(std::string const& text)
{
    return text.ends_with("success") ? probe::outcome::success
        : text.ends_with("failure")  ? probe::outcome::failure
                                     : probe::outcome::error;
}
json text_of(probe::verdict v)
{
    return v == probe::verdict::passing ? "success" : v == probe::verdict::failing ? "failure" : "unknown";
}

std::optional<mismatch> worker(json const& c)
{
    auto const which = kind_of(c.at("probe_type"));
    auto const policy = policy_of(c.at("probe"));
    auto const& restart = c.at("pod_restart_policy");
    probe::worker w;
    auto got = json::array();
    for (auto const& s : c.at("steps")) {
        probe::sight seen;
        if (s.at("container").is_number())
            seen.instance = s.at("container");
        seen.running = s.at("state") == "running";
        seen.started = s.at("started");
        if (s.at("running_for_seconds").is_number())
            seen.running_for = span(s.at("running_for_seconds"));
        if (s.at("exit_code").is_number())
            seen.restarts = restart == "Always" || (restart == "OnFailure" && s.at("exit_code") != 0);
        auto const t = probe::tick(policy, which, way_of_counting, w, seen);
        w = t.next;
        if (t.ask)
            w = probe::answer(policy, which, w, outcome_of(s.at("outcome_if_probed")));
        json answer = s;
        answer["probed"] = t.ask;
        answer["result"] = w.instance == 0 ? json() : text_of(w.memory.current);
        answer["worker_goes_on"] = !w.over;
        got.push_back(std::move(answer));
    }
    return unlike(c.at("steps"), std::move(got));
}

// The container, and what the kubelet makes of the workers' verdicts: both simulated here.
struct kubelet {
    struct prober {
        probe::kind which{};
        probe::policy policy{};
        probe::worker worker{};
        time_point due{};
        std::vector<std::string> outcomes{};
        std::size_t asked = 0;
        std::uint64_t told = 0;  // the instance whose verdict was published, and that
        probe::verdict published{};
    };

    json const& c;
    std::map<std::string, prober> probers{};  // in the order of names, as due ones run
    struct news {
        std::string of{};
        std::uint64_t instance = 0;
        probe::verdict verdict{};
        std::size_t number = 0;
    };
    std::vector<news> fresh{};  // published, not handled yet
    std::uint64_t instance = 0;
    bool running = false, started = false, ready = false;
    time_point now{}, running_since{};
    std::optional<time_point> starts_at{};
    std::vector<time_point> exits{};
    std::map<std::tuple<time_point, std::string, std::size_t>, std::string>
        asked{};  // those of an instant by name
    json events = json::array();

    explicit kubelet(json const& given) : c(given)
    {
        for (auto const kind : kinds) {
            std::string const name(to_string(kind));
            if (c.at(name).is_null())
                continue;
            probers[name] = {.which = kind,
                .policy = policy_of(c.at(name)),
                .outcomes = c.at("outcomes").at(name).get<std::vector<std::string>>()};
        }
        starts_at = time_point(span(c.at("container_starts_at")));
        for (auto const& e : c.at("container_exits_at"))
            exits.emplace_back(span(e));
    }

    void event(json what)
    {
        what["at"] = in_seconds(now.time_since_epoch());
        events.push_back(std::move(what));
    }
    void publish(std::string const& name, prober& p, probe::verdict v)
    {
        if (p.told == p.worker.instance && p.published == v)
            return;
        p.told = p.worker.instance;
        p.published = v;
        fresh.push_back({name, p.told, v, fresh.size()});
    }
    void tick(std::string const& name, prober& p)
    {
        p.due = now + p.policy.period;
        auto const before = p.worker;
        auto const t = probe::tick(p.policy, p.which, way_of_counting, p.worker,
            {.instance = instance,
                .running = running,
                .restarts = c.at("pod_restart_policy") != "Never",
                .started = started,
                .running_for = now - running_since});
        p.worker = t.next;
        if (p.worker.instance == 0)
            return;
        if (p.worker.instance != before.instance)
            publish(name, p, probe::initial(p.which));
        if (t.ask) {
            auto const& outcome = p.outcomes[std::min(p.asked++, p.outcomes.size() - 1)];
            asked[{now, name, asked.size()}] = outcome;
            p.worker = probe::answer(p.policy, p.which, p.worker, outcome_of(outcome));
        }
        publish(name, p, p.worker.memory.current);
    }
    // The verdict on this instance, if there is one.
    std::optional<probe::verdict> verdict(char const* name)
    {
        auto const it = probers.find(name);
        if (it == probers.end() || it->second.told != instance)
            return {};
        return it->second.published;
    }
    bool has(char const* name) { return probers.contains(name) && !probers[name].worker.over; }

    // Recomputes the status.
    void sync()
    {
        auto const set = [&](bool& what, char const* name, bool value) {
            if (std::exchange(what, value) != value)
                event({{"event", name}, {"value", value}});
        };
        auto const up = verdict("startup");
        bool const is_started = running && (up ? *up == probe::verdict::passing : !has("startup"));
        set(started, "started", is_started);
        bool const serves = verdict("readiness") == probe::verdict::passing;
        bool const is_ready = started && (serves || !has("readiness"));
        set(ready, "ready", is_ready);
        if (started && !serves && has("readiness") && c.at("readiness_runs_on_status_sync") == true)
            tick("readiness", probers["readiness"]);
    }
    void handle_results()
    {
        while (!fresh.empty()) {
            auto all = std::exchange(fresh, {});
            std::ranges::sort(all, {}, [](news const& n) { return std::pair(n.of, n.number); });
            for (auto const& n : all) {
                event({{"event", "result"}, {"probe", n.of}, {"value", text_of(n.verdict)}});
                if (n.of != "readiness" && running && n.instance == instance &&
                    n.verdict == probe::verdict::failing) {
                    event({{"event", "killed"}, {"because_of", n.of}});
                    end();
                }
            }
            sync();
        }
    }
    void end()
    {
        running = false;
        if (c.at("pod_restart_policy") != "Never")
            starts_at = now + span(c.at("restart_delay_seconds"));
    }
    void look_at_container()
    {
        if (!running && starts_at && *starts_at <= now) {
            starts_at.reset();
            running = true;
            running_since = now;
            ++instance;
            event({{"event", "container_started"}, {"container", instance}});
            sync();
        }
        if (running && !exits.empty() && exits.front() <= now) {
            exits.erase(exits.begin());
            event({{"event", "exited"}});
            end();
            sync();
        }
    }
    void run()
    {
        for (auto const until = time_point(span(c.at("ends_at"))); now <= until;
            now += std::chrono::milliseconds(500)) {
            for (auto& [name, p] : probers)
                if (p.due <= now && !p.worker.over)
                    tick(name, p);
            handle_results();
            look_at_container();
            handle_results();
        }
    }
};

std::optional<mismatch> timeline(json const& c)
{
    kubelet k(c);
    k.run();
    auto asked = json::array();
    for (auto const& [at, outcome] : k.asked)
        asked.push_back({{"at", in_seconds(std::get<0>(at).time_since_epoch())}, {"probe", std::get<1>(at)},
            {"outcome", outcome}});
    return unlike(
        {{"probes", c.at("probes")}, {"events", c.at("events")}}, {{"probes", asked}, {"events", k.events}});
}

area const probes{"probes", {{"worker", worker}, {"timeline", timeline}}};

}  // namespace
