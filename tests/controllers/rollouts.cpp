#include "world.hpp"

#include <doctest/doctest.h>
#include <map>
#include <string>
#include <vector>

using namespace podium;
using namespace std::chrono_literals;

namespace {

using weights = std::map<std::string, std::int32_t>;  ///< by image

/// A world with one router, which acknowledges what it is shown, and a rollout of "web".
struct released : podium::tests::world {
    bool prompt = true;  ///< the router acknowledges at once
    std::string mute{};  ///< a service whose slices it does not acknowledge

    explicit released(model::rollout_strategy how, std::int32_t replicas = 4)
    {
        add_node("n1", "32");
        for (auto const* const name : {"web", "preview"}) {
            auto s = service("web");
            s.metadata.name = name;
            put(s);
        }
        auto const like = deployment("web", replicas);
        model::rollout r;
        r.metadata.name = "web";
        r.metadata.namespace_ = "default";
        r.spec.replicas = replicas;
        r.spec.selector = like.spec.selector;
        r.spec.template_ = like.spec.template_;
        r.spec.strategy = std::move(how);
        put(r);
        go();
    }

    /// Until nothing happens any more, for at most a while.
    void go(duration forward = {})
    {
        auto const end = now + forward;
        for (int i = 0; i < 1000; ++i) {
            run(std::min(end - now, duration(5s)));
            if (prompt)
                acknowledge();
            auto const before = store.snapshot().at;
            run();
            if (store.snapshot().at == before && now >= end)
                return;
        }
        FAIL("it does not come to rest");
    }
    void acknowledge()
    {
        model::router_status next;
        next.metadata.name = "router";
        if (auto const old = store.get<model::router_status>("", "router"))
            next = *old;
        next.status.instance = "router-1";
        next.status.renew_time = model::time{now};
        for (auto const& slice : all<model::endpoint_slice>())
            if (slice->metadata.labels.at(std::string(model::service_name_label)) != mute)
                next.status.acknowledged["default/" + slice->metadata.name] = slice->metadata.generation;
        put(next);
    }
    void release(std::string image)
    {
        edit<model::rollout>(
            "web", [&](model::rollout& r) { r.spec.template_.spec.containers.edit()[0].image = image; });
        go();
    }
    void order(std::string what)
    {
        edit<model::rollout>("web", [&](model::rollout& r) {
            r.metadata.annotations[std::string(controllers::order_annotation)] = what;
        });
        go();
    }
    /// The analysis under way says so.
    void answer(model::analysis_phase phase)
    {
        auto const name = running();
        REQUIRE_FALSE(name.empty());
        edit<model::analysis_run>(name, [&](model::analysis_run& r) { r.status.phase = phase; });
        go();
    }
    std::string running()
    {
        for (auto const& r : all<model::analysis_run>())
            if (!is_over(r->status.phase) && !r->spec.terminate)
                return r->metadata.name;
        return {};
    }
    /// The latest event with this reason.
    std::string said(std::string const& reason)
    {
        std::string out;
        for (auto const& e : all<model::event>())
            if (e->reason == reason)
                out = e->message;
        return out;
    }
    reconcile::handle<model::rollout> web() { return store.get<model::rollout>("default", "web"); }
    std::string image_of(std::string const& hash)
    {
        for (auto const& set : all<model::replica_set>())
            if (set->metadata.labels.at(std::string(controllers::rollout_hash_label)) == hash)
                return set->spec.template_.spec.containers[0].image;
        return "?";
    }
    /// What the slice in force says, by image.
    weights traffic(std::string const& service = "web")
    {
        weights out;
        for (auto const& slice : all<model::endpoint_slice>())
            if (slice->metadata.labels.at(std::string(model::service_name_label)) == service && slice->split)
                for (auto const& [hash, weight] : slice->split->weights)
                    out[image_of(hash)] = weight;
        return out;
    }
    weights sizes()
    {
        weights out;
        for (auto const& set : all<model::replica_set>())
            if (set->spec.replicas > 0)
                out[set->spec.template_.spec.containers[0].image] = set->spec.replicas;
        return out;
    }
    void has_template(std::string name)
    {
        model::analysis_template t;
        t.metadata.name = name;
        t.metadata.namespace_ = "default";
        model::analysis_metric m;
        m.name = "conversion";
        m.provider.podium = model::podium_metric{};
        t.spec.metrics.push_back(m);
        put(t);
    }
};

model::rollout_analysis analysis(std::string name)
{
    return {.templates = {{name}}, .args = {}};
}

model::rollout_strategy canary(std::vector<model::canary_step> steps)
{
    model::canary_strategy c;
    c.stable_service = "web";
    c.canary_service = "preview";
    c.traffic_routing = model::traffic_routing{model::podium_routing{}};
    c.steps = std::move(steps);
    return {{}, c};
}
model::canary_step weight(std::int32_t percent)
{
    model::canary_step s;
    s.set_weight = percent;
    return s;
}
model::canary_step wait_here(model::int_or_string lasts = {})
{
    model::canary_step s;
    s.pause = model::rollout_pause{lasts};
    return s;
}
model::canary_step analyse(std::string name)
{
    model::canary_step s;
    s.analysis = analysis(name);
    return s;
}
model::rollout_strategy blue_green()
{
    model::blue_green_strategy b;
    b.active_service = "web";
    b.preview_service = "preview";
    return {b, {}};
}

}  // namespace

TEST_CASE("rollout: a canary goes through its steps, by weight, and is promoted")
{
    released w(canary({weight(25), wait_here(), weight(50), wait_here("10s")}));
    CHECK(w.web()->status.phase == "Healthy");
    CHECK(w.traffic() == weights{{"web:1", 100}});

    w.release("web:2");
    CHECK(w.web()->status.phase == "Paused");
    CHECK(w.web()->status.message == "waits to be promoted");
    CHECK(w.web()->status.current_step_index == 1);
    CHECK(w.traffic() == weights{{"web:1", 75}, {"web:2", 25}});
    CHECK(w.traffic("preview") == weights{{"web:2", 1}});
    CHECK(w.sizes() == weights{{"web:1", 4}, {"web:2", 1}});

    w.order("promote");
    CHECK(w.web()->metadata.annotations.empty());
    CHECK(w.traffic() == weights{{"web:1", 50}, {"web:2", 50}});
    CHECK(w.web()->status.message == "pauses for a time");

    w.go(60s);
    CHECK(w.web()->status.phase == "Healthy");
    CHECK(w.traffic() == weights{{"web:2", 100}});
    CHECK(w.sizes() == weights{{"web:2", 4}});
    CHECK(w.web()->status.stable_rs == w.web()->status.current_pod_hash);
}

TEST_CASE("rollout: the weight is not raised, and no pod goes, before the router has acknowledged")
{
    released w(canary({weight(50), wait_here()}));
    w.prompt = false;
    w.release("web:2");
    CHECK(w.web()->status.message == "a router has not acknowledged the route yet");
    CHECK(w.web()->status.current_step_index == 0);
    w.go(5s);  // the router is heard of still
    w.order("abort");
    CHECK(w.sizes() == weights{{"web:1", 4}, {"web:2", 2}});
    w.prompt = true;
    w.go(60s);
    CHECK(w.traffic() == weights{{"web:1", 100}});
    CHECK(w.sizes() == weights{{"web:1", 4}});
    CHECK(w.web()->status.phase == "Degraded");
}

TEST_CASE("rollout: an analysis decides: pass goes on, fail goes back, and what does not know waits")
{
    auto const steps = [] { return canary({weight(50), analyse("conversion")}); };
    {
        released w(steps());
        w.release("web:2");
        CHECK(w.running().empty());  // there is no template: it waits, and says so
        CHECK(w.web()->status.phase == "Progressing");
        w.has_template("conversion");
        w.go();
        CHECK_FALSE(w.running().empty());
        w.answer(model::analysis_phase::successful);
        w.go(60s);
        CHECK(w.traffic() == weights{{"web:2", 100}});
    }
    {
        released w(steps());
        w.has_template("conversion");
        w.release("web:2");
        w.answer(model::analysis_phase::failed);
        CHECK(w.traffic() == weights{{"web:1", 100}});
        CHECK(w.web()->status.phase == "Degraded");
        CHECK(w.web()->status.message == "aborted: the analysis failed");
        w.release("web:3");  // the next one has its own run
        CHECK(w.traffic() == weights{{"web:1", 50}, {"web:3", 50}});
        w.answer(model::analysis_phase::successful);
        CHECK(w.traffic() == weights{{"web:3", 100}});
    }
    {
        released w(steps());
        w.has_template("conversion");
        w.release("web:2");
        w.answer(model::analysis_phase::inconclusive);
        w.go(600s);
        CHECK(w.traffic() == weights{{"web:1", 50}, {"web:2", 50}});
        CHECK(w.web()->status.phase == "Paused");
        w.order("promote");
        CHECK(w.traffic() == weights{{"web:2", 100}});
    }
}

TEST_CASE("rollout: an analysis that is not asked for any more is told to end")
{
    released w(canary({weight(50), analyse("conversion")}));
    w.has_template("conversion");
    w.release("web:2");
    auto const name = w.running();
    REQUIRE_FALSE(name.empty());
    w.order("abort");
    CHECK(w.store.get<model::analysis_run>("default", name)->spec.terminate);
    CHECK(w.traffic() == weights{{"web:1", 100}});
}

TEST_CASE("rollout: blue/green previews, checks, switches at once, and goes back")
{
    auto how = blue_green();
    how.blue_green.edit().pre_promotion_analysis = analysis("smoke");
    released w(how);
    w.has_template("smoke");
    CHECK(w.traffic() == weights{{"web:1", 100}});
    w.release("web:2");
    CHECK(w.traffic("preview") == weights{{"web:2", 1}});
    CHECK(w.traffic() == weights{{"web:1", 100}});
    CHECK(w.sizes() == weights{{"web:1", 4}, {"web:2", 4}});
    w.answer(model::analysis_phase::successful);
    CHECK(w.traffic() == weights{{"web:2", 100}});
    CHECK(w.sizes() == weights{{"web:1", 4}, {"web:2", 4}});  // the old one is kept

    w.release("web:1");  // and is switched back to at once
    CHECK(w.traffic() == weights{{"web:1", 100}});
    w.go(60s);
    CHECK(w.sizes() == weights{{"web:1", 4}});
    CHECK(w.web()->status.phase == "Healthy");
}

TEST_CASE("rollout: a version that never becomes ready gets no traffic")
{
    for (auto const& how : {canary({weight(25)}), blue_green()}) {
        released w(how);
        w.release("web:broken");
        w.go(300s);
        CHECK(w.traffic() == weights{{"web:1", 100}});
        CHECK(w.web()->status.phase == "Progressing");
        w.go(600s);
        CHECK(w.web()->status.phase == "Degraded");
        CHECK(w.web()->status.message == "no progress within the deadline");
        w.release("web:1");
        w.go(60s);
        CHECK(w.web()->status.phase == "Healthy");
        CHECK(w.sizes() == weights{{"web:1", 4}});
    }
}

TEST_CASE("rollout: without a router the pods make the weight")
{
    auto how = canary({weight(50), wait_here()});
    how.canary.edit().traffic_routing.reset();
    released w(how);
    CHECK(w.traffic().empty());
    w.release("web:2");
    CHECK(w.sizes() == weights{{"web:1", 2}, {"web:2", 2}});
    CHECK(w.web()->status.phase == "Paused");
    w.order("promote");
    w.go(60s);
    CHECK(w.sizes() == weights{{"web:2", 4}});
}

TEST_CASE(
    "rollout: what cannot be followed is said: an unknown order, a refused one, a service that is missing")
{
    released w(canary({weight(50), wait_here()}));
    w.order("fly");
    CHECK(w.said("UnknownOrder") == "there is no order \"fly\"");
    w.order("promote");
    CHECK(w.said("OrderRefused") == "promote: no release is under way");
    w.remove<model::service>("preview");
    w.release("web:2");
    CHECK(w.said("RolloutWaits") == "there is no service preview");
}

TEST_CASE("rollout: a change of strategy keeps who is stable, and leaves no division behind")
{
    released w(canary({weight(50), wait_here()}));
    w.edit<model::rollout>("web", [&](model::rollout& r) {
        r.spec.strategy = blue_green();
        r.spec.template_.spec.containers.edit()[0].image = "web:2";
    });
    w.go();
    CHECK(w.traffic() == weights{{"web:2", 100}});
    CHECK(w.sizes() ==
        weights{{"web:1", 4}, {"web:2", 4}});  // the old one is kept, so it was stable all the time
    w.go(60s);
    auto how = canary({weight(50)});
    how.canary.edit().traffic_routing.reset();
    w.edit<model::rollout>("web", [&](model::rollout& r) { r.spec.strategy = how; });
    w.go();
    CHECK(w.traffic().empty());
    CHECK(w.sizes() == weights{{"web:2", 4}});
}

TEST_CASE("rollout: one that is gone leaves no division behind, nor does it touch those of others")
{
    for (auto const& how : {canary({weight(50), wait_here()}), blue_green()}) {
        released w(how);
        auto own = podium::tests::world::service("own");
        auto& split = own.spec.split.edit();
        split.label = controllers::rollout_hash_label;
        split.weights = {{"handmade", 1}};
        w.put(own);
        w.release("web:2");
        CHECK(w.store.get<model::service>("default", "web")->spec.split);
        CHECK(w.store.get<model::service>("default", "preview")->spec.split);
        w.remove<model::rollout>("web");
        w.go();
        for (auto const* const name : {"web", "preview"}) {
            auto const s = w.store.get<model::service>("default", name);
            CHECK_FALSE(s->spec.split);
            CHECK(s->metadata.annotations.empty());
        }
        CHECK(w.traffic().empty());
        CHECK(w.store.get<model::service>("default", "own")->spec.split);
    }
}

TEST_CASE("rollout: the check of a preview begins when every router leads there")
{
    auto how = blue_green();
    how.blue_green.edit().pre_promotion_analysis = analysis("smoke");
    released w(how);
    w.has_template("smoke");
    w.mute = "preview";
    w.release("web:2");
    CHECK(w.sizes() == weights{{"web:1", 4}, {"web:2", 4}});
    CHECK(w.running().empty());
    CHECK(w.web()->status.message == "a router has not acknowledged the route yet");
    w.mute.clear();
    w.go();
    CHECK_FALSE(w.running().empty());

    // One that is silent for too long is not waited for.
    released other(how);
    other.has_template("smoke");
    other.prompt = false;
    other.release("web:2");
    CHECK(other.running().empty());
    other.go(60s);
    CHECK_FALSE(other.running().empty());
}

TEST_CASE(
    "rollout: two updates at once, a promotion of what is not healthy, a gate that hangs: users stay served")
{
    {
        released w(canary({weight(50), wait_here()}));
        w.edit<model::rollout>(
            "web", [](model::rollout& r) { r.spec.template_.spec.containers.edit()[0].image = "web:2"; });
        w.edit<model::rollout>(
            "web", [](model::rollout& r) { r.spec.template_.spec.containers.edit()[0].image = "web:3"; });
        w.go();
        CHECK(w.traffic() == weights{{"web:1", 50}, {"web:3", 50}});
        w.release("web:4");  // in mid-way
        CHECK(w.traffic() == weights{{"web:1", 50}, {"web:4", 50}});
        CHECK(w.sizes() == weights{{"web:1", 4}, {"web:4", 2}});
    }
    for (auto const& how : {canary({weight(50), wait_here()}), blue_green()}) {
        released w(how);
        w.release("web:broken");
        w.order("promote");
        CHECK(w.said("OrderRefused") == "promote: the release does not wait for that");
        w.order("promote-full");
        CHECK(w.traffic() == weights{{"web:1", 100}});
        w.order("abort");
        w.go(60s);
        CHECK(w.sizes() == weights{{"web:1", 4}});
        CHECK(w.web()->status.phase == "Degraded");
    }
    for (auto how : {canary({weight(50), analyse("smoke")}), blue_green()}) {
        if (how.blue_green)
            how.blue_green.edit().pre_promotion_analysis = analysis("smoke");
        released w(how);
        w.has_template("smoke");
        w.release("web:2");
        auto const served = w.traffic();
        CHECK(served.at("web:1") >= 50);
        w.go(1h);  // it never answers
        CHECK(w.traffic() == served);
        CHECK(w.web()->status.message == "the analysis is running");
        w.order("abort");
        CHECK(w.running().empty());
        CHECK(w.traffic() == weights{{"web:1", 100}});
    }
}

TEST_CASE("rollout: a service that picks one colour by itself is said")
{
    released w(blue_green());
    w.edit<model::service>("web", [](model::service& s) {
        s.spec.selector[std::string(controllers::rollout_hash_label)] = "bbbbbbbbbb";
    });
    w.release("web:2");
    CHECK(w.said("RolloutWaits") == "the service web does not select the pods of this template");
}

TEST_CASE("rollout: one that is paused goes no further until it is not")
{
    released w(canary({weight(25), weight(50)}));
    w.edit<model::rollout>("web", [](model::rollout& r) { r.spec.paused = true; });
    w.release("web:2");
    CHECK(w.web()->status.phase == "Paused");
    CHECK(w.traffic() == weights{{"web:1", 100}});
    w.order("resume");
    CHECK_FALSE(w.web()->spec.paused);
    w.go(60s);
    CHECK(w.traffic() == weights{{"web:2", 100}});
}

TEST_CASE("rollout: a background analysis without an end is ended with the steps, another one is refused")
{
    auto how = canary({weight(50)});
    how.canary.edit().analysis = model::background_analysis{{{"errors"}}, {}, {}};
    released w(how);
    model::analysis_template t;
    t.metadata.name = "errors";
    t.metadata.namespace_ = "default";
    model::analysis_metric m;
    m.name = "errors";
    m.interval = "5s";
    m.provider.command = model::command_metric{{"true"}};
    t.spec.metrics.push_back(m);
    w.put(t);
    w.release("web:2");
    auto const name = w.running();
    REQUIRE_FALSE(name.empty());
    w.edit<model::analysis_run>(name, [](model::analysis_run& r) {
        r.status.phase = model::analysis_phase::running;
        r.status.metric_results = {{.name = "errors", .phase = model::analysis_phase::running, .count = 1}};
    });
    w.go();
    CHECK(w.store.get<model::analysis_run>("default", name)->spec.terminate);
    CHECK(w.traffic() == weights{{"web:1", 50}, {"web:2", 50}});  // what it says in the end still counts
    w.edit<model::analysis_run>(
        name, [](model::analysis_run& r) { r.status.phase = model::analysis_phase::successful; });
    w.go();
    CHECK(w.traffic() == weights{{"web:2", 100}});

    w.edit<model::rollout>(
        "web", [&](model::rollout& r) { r.spec.strategy = canary({weight(50), analyse("errors")}); });
    w.release("web:3");
    CHECK(w.running().empty());
    CHECK(w.traffic() == weights{{"web:2", 50}, {"web:3", 50}});
}

TEST_CASE("rollout: a service belongs to the older of two rollouts")
{
    released w(canary({weight(50)}));
    auto const first = w.traffic();
    auto other = *w.web();
    other.metadata.name = "copy";
    other.metadata.annotations.clear();
    other.status = {};
    other.spec.template_.spec.containers.edit()[0].image = "web:9";
    w.put(other);
    w.go();
    CHECK(w.traffic() == first);
}

TEST_CASE("rollout: names of templates and their numbers are one")
{
    for (std::string const hash : {"bbbbbbbbbb", "9999999999", "cdfghjklmn"}) {
        auto const id = controllers::template_id_of(hash);
        CHECK(id != 0);
        CHECK(controllers::hash_of(id) == hash);
    }
    CHECK(controllers::template_id_of("short") == 0);
    CHECK(controllers::template_id_of("aaaaaaaaaa") == 0);
}
