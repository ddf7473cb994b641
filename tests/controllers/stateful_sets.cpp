#include "world.hpp"

#include <podium/model/scheme.hpp>

#include <algorithm>
#include <array>
#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace podium;
using podium::tests::world;

namespace {

model::stateful_set stateful_set(std::string name, std::int32_t replicas, std::string image = "db:1")
{
    model::stateful_set s;
    s.metadata.name = name;
    s.metadata.namespace_ = "default";
    s.spec.replicas = replicas;
    s.spec.service_name = name;
    s.spec.selector.match_labels["app"] = name;
    s.spec.template_ = world::deployment(name, 1, std::move(image)).spec.template_;
    model::persistent_volume_claim data;
    data.metadata.name = "data";
    s.spec.volume_claim_templates.push_back(std::move(data));
    s.spec.update_strategy.rolling_update = model::rolling_update_stateful_set_strategy{};
    return s;
}

void set_image(model::stateful_set& s, std::string image)
{
    s.spec.template_.spec.containers.edit()[0].image = std::move(image);
}

// "db-0:db:1 db-1:db:2"
std::string images(world& w)
{
    std::string out;
    for (auto const& p : w.all<model::pod>())
        if (!is_terminal(p->status.phase))
            out += (out.empty() ? "" : " ") + p->metadata.name + '=' +
                p->spec.containers.front().image.substr(3) + (controllers::is_leaving(*p) ? "!" : "");
    return out;
}

model::stateful_set_status status(world& w)
{
    return w.store.get<model::stateful_set>("default", "db")->status;
}

bool told(world& w, std::string_view reason)
{
    for (auto const& e : w.all<model::event>())
        if (e->reason == reason && e->involved_object.kind == "StatefulSet")
            return true;
    return false;
}

}  // namespace

TEST_CASE("controllers: the ordinal at the end of a pod's name")
{
    struct row {
        char const* name;
        std::int32_t expected;
    };
    for (auto const& r : {row{"db-0", 0}, row{"db-12", 12}, row{"a-b-3", 3}, row{"db", -1}, row{"db-", -1},
             row{"db-x", -1}, row{"db-01", -1}, row{"db-1x", -1}, row{"db-+1", -1}, row{"-1", 1},
             row{"db-2147483647", 2147483647}, row{"db-2147483648", -1}, row{"", -1}, row{"db--1", 1}}) {
        CAPTURE(r.name);
        CHECK(controllers::ordinal_of(r.name) == r.expected);
    }
}

TEST_CASE("controllers: a stateful set's pods have names, labels and storage of their own")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 3));
    w.run();
    CHECK(images(w) == "db-0=1 db-1=1 db-2=1");
    auto const p = w.store.get<model::pod>("default", "db-1");
    CHECK(p->metadata.labels.at("app") == "db");
    CHECK(p->metadata.labels.at(std::string(controllers::pod_name_label)) == "db-1");
    CHECK(p->metadata.labels.at(std::string(controllers::pod_index_label)) == "1");
    CHECK(p->spec.hostname == "db-1");
    CHECK(p->spec.subdomain == "db");
    REQUIRE(p->spec.volumes.size() == 1);
    CHECK(p->spec.volumes[0].name == "data");
    CHECK(p->spec.volumes[0].persistent_volume_claim->claim_name == "data-db-1");
    auto const c = w.store.get<model::persistent_volume_claim>("default", "data-db-1");
    REQUIRE(c);
    CHECK(c->metadata.labels.at("app") == "db");
    CHECK(c->metadata.owner_references.empty());

    auto const s = status(w);
    CHECK(s.replicas == 3);
    CHECK(s.ready_replicas == 3);
    CHECK(s.available_replicas == 3);
    CHECK(s.current_replicas == 3);
    CHECK(s.updated_replicas == 3);
    CHECK(s.current_revision == s.update_revision);
    CHECK(p->metadata.labels.at(std::string(controllers::revision_label)) == s.current_revision);
    CHECK(w.store.get<model::controller_revision>("default", s.current_revision)->revision == 1);

    auto const at = w.store.at();
    w.run(30min);
    CHECK(w.store.at() == at);  // quiet: nothing is written when nothing changes
}

TEST_CASE("controllers: a stateful set is updated from the highest ordinal, one pod at a time")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 3));
    w.run();
    w.edit<model::stateful_set>("db", [](auto& s) { set_image(s, "db:2"); });
    std::vector<std::string> seen;
    for (int i = 0; i < 200; ++i) {
        reconcile::catch_up(w.plane, w.store, w.now);
        if (auto now = images(w); seen.empty() || seen.back() != now)
            seen.push_back(now);
        int ready = 0;
        for (auto const& p : w.all<model::pod>())
            ready += controllers::is_active(*p) && model::is_ready(*p);
        CHECK(ready >= 2);
        if (auto r = w.plane.next(w.now))
            w.store.commit(r->what, [&](reconcile::committed c) { w.plane.done(r->ticket, c, w.now); });
    }
    CHECK(seen ==
        std::vector<std::string>{"db-0=1 db-1=1 db-2=1", "db-0=1 db-1=1 db-2=1!", "db-0=1 db-1=1",
            "db-0=1 db-1=1 db-2=2", "db-0=1 db-1=1! db-2=2", "db-0=1 db-2=2", "db-0=1 db-1=2 db-2=2",
            "db-0=1! db-1=2 db-2=2", "db-1=2 db-2=2", "db-0=2 db-1=2 db-2=2"});
    CHECK(status(w).current_revision == status(w).update_revision);
    CHECK(w.all<model::controller_revision>().size() == 2);
}

TEST_CASE("controllers: below the partition a stateful set keeps its revision, even when a pod is lost")
{
    world w;
    w.add_node("a");
    auto s = stateful_set("db", 3);
    s.spec.update_strategy.rolling_update->partition = 2;
    w.put(s);
    w.run();
    w.edit<model::stateful_set>("db", [](auto& x) { set_image(x, "db:2"); });
    w.run();
    CHECK(images(w) == "db-0=1 db-1=1 db-2=2");
    CHECK(status(w).current_revision != status(w).update_revision);
    w.remove<model::pod>("db-0");
    w.run();
    CHECK(images(w) == "db-0=1 db-1=1 db-2=2");
    w.edit<model::stateful_set>("db", [](auto& x) { x.spec.update_strategy.rolling_update->partition = 0; });
    w.run();
    CHECK(images(w) == "db-0=2 db-1=2 db-2=2");
}

TEST_CASE("controllers: storage outlives its pod and its set")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 3));
    w.run();
    auto const uid = w.store.get<model::persistent_volume_claim>("default", "data-db-2").uid();
    w.edit<model::stateful_set>("db", [](auto& s) { s.spec.replicas = 1; });
    w.run();
    CHECK(images(w) == "db-0=1");
    CHECK(w.all<model::persistent_volume_claim>().size() == 3);
    w.remove<model::stateful_set>("db");
    w.run();
    CHECK(images(w) == "");
    CHECK(w.all<model::controller_revision>().empty());
    CHECK(w.all<model::persistent_volume_claim>().size() == 3);
    w.put(stateful_set("db", 3));
    w.run();
    CHECK(images(w) == "db-0=1 db-1=1 db-2=1");
    CHECK(w.store.get<model::persistent_volume_claim>("default", "data-db-2").uid() == uid);
}

TEST_CASE("controllers: a broken version stops at one pod, and the rollback needs no hand")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 3));
    w.run();
    w.edit<model::stateful_set>("db", [](auto& s) { set_image(s, "db:broken"); });
    w.run(1min);
    CHECK(images(w) == "db-0=1 db-1=1 db-2=broken");
    CHECK(status(w).available_replicas == 2);
    w.edit<model::stateful_set>(
        "db", [](auto& s) { s.metadata.annotations[std::string(controllers::rollback_annotation)] = "0"; });
    w.run(1min);
    CHECK(images(w) == "db-0=1 db-1=1 db-2=1");
    CHECK(told(w, "StatefulSetRollback"));
    auto const s = status(w);
    CHECK(s.current_revision == s.update_revision);
    CHECK(w.store.get<model::controller_revision>("default", s.current_revision)->revision == 3);

    w.edit<model::stateful_set>(
        "db", [](auto& x) { x.metadata.annotations[std::string(controllers::rollback_annotation)] = "9"; });
    w.run(1min);
    CHECK(images(w) == "db-0=1 db-1=1 db-2=1");
    CHECK(told(w, "StatefulSetRollbackRevisionNotFound"));
}

TEST_CASE("controllers: history keeps its limit")
{
    world w;
    w.add_node("a");
    auto s = stateful_set("db", 1);
    s.spec.revision_history_limit = 2;
    w.put(s);
    for (int i = 1; i <= 5; ++i) {
        w.edit<model::stateful_set>("db", [&](auto& x) { set_image(x, "db:" + std::to_string(i)); });
        w.run(1min);
    }
    CHECK(images(w) == "db-0=5");
    std::set<std::int64_t> kept;
    for (auto const& r : w.all<model::controller_revision>())
        kept.insert(r->revision);
    CHECK(kept == std::set<std::int64_t>{3, 4, 5});
}

TEST_CASE("controllers: on delete nothing is replaced that nobody deletes")
{
    world w;
    w.add_node("a");
    auto s = stateful_set("db", 2);
    s.spec.update_strategy = {};
    s.spec.update_strategy.type = model::stateful_set_update_strategy_type::on_delete;
    w.put(s);
    w.run();
    w.edit<model::stateful_set>("db", [](auto& x) { set_image(x, "db:2"); });
    w.run(1min);
    CHECK(images(w) == "db-0=1 db-1=1");
    w.remove<model::pod>("db-0");
    w.run(1min);
    CHECK(images(w) == "db-0=2 db-1=1");
}

TEST_CASE("controllers: parallel pods do not wait for each other, ordered ones do")
{
    for (bool const parallel : {false, true}) {
        world w;
        w.add_node("a");
        auto s = stateful_set("db", 3, "db:broken");
        if (parallel)
            s.spec.pod_management_policy = model::pod_management_policy_type::parallel;
        w.put(s);
        w.run(1min);
        CHECK(images(w) == (parallel ? "db-0=broken db-1=broken db-2=broken" : "db-0=broken"));
        w.edit<model::stateful_set>("db", [](auto& x) { set_image(x, "db:2"); });
        w.run(1min);
        CHECK(images(w) == "db-0=2 db-1=2 db-2=2");
    }
}

TEST_CASE("controllers: a pod that has ended is replaced under its name, with its storage")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 2));
    w.run();
    auto const before = w.store.get<model::pod>("default", "db-0");
    w.edit<model::pod>("db-0", [](auto& p) { p.status.phase = model::pod_phase::failed; });
    // The stand-in for the agents leaves a pod alone that has ended; a real one removes it when told to.
    (void)reconcile::settle(w.plane, w.store, w.now);
    auto const ended = w.store.get<model::pod>("default", "db-0");
    REQUIRE(ended);
    CHECK(ended->metadata.deletion_timestamp);
    CHECK(ended.created == before.created);  // not replaced while it is there
    w.remove<model::pod>("db-0");
    w.run();
    auto const after = w.store.get<model::pod>("default", "db-0");
    CHECK(after.created != before.created);
    CHECK(model::is_ready(*after));
}

TEST_CASE("controllers: somebody else's pod of that name is waited for")
{
    world w;
    w.add_node("a");
    auto const stranger = [] {
        model::pod p;
        p.metadata.name = "db-1";
        p.metadata.namespace_ = "default";
        p.spec = world::deployment("x", 1, "x:9").spec.template_.spec;
        return p;
    }();
    w.put(stranger);
    w.put(stateful_set("db", 2));
    w.run(1min);
    CHECK(w.store.get<model::pod>("default", "db-1")->metadata.owner_references.empty());
    CHECK(told(w, "FailedCreate"));
    w.remove<model::pod>("db-1");
    w.run();
    CHECK(images(w) == "db-0=1 db-1=1");
}

TEST_CASE("controllers: a revision's name that is taken is passed by")
{
    world w;
    w.add_node("a");
    auto const s = stateful_set("db", 1);
    model::controller_revision r;
    r.metadata.name = "db-" + controllers::template_hash(s.spec.template_, 0);
    r.metadata.namespace_ = "default";
    w.put(r);
    w.put(s);
    w.run();
    CHECK(images(w) == "db-0=1");
    CHECK(status(w).collision_count == 1);
    CHECK(status(w).current_revision != r.metadata.name);
}

TEST_CASE("controllers: an ordinal that is not the set's own is left alone")
{
    world w;
    w.add_node("a");
    w.put(stateful_set("db", 1));
    w.run();
    auto const set = w.store.get<model::stateful_set>("default", "db");
    model::pod p;
    p.metadata.name = "db-x";
    p.metadata.namespace_ = "default";
    p.metadata.owner_references.push_back(reconcile::owned_by<model::owner_reference>(set));
    p.spec = set->spec.template_.spec;
    w.put(p);
    w.run();
    CHECK(images(w) == "db-0=1 db-x=1");
    CHECK(status(w).replicas == 1);
}

namespace {

// Machines with what really runs on them, beside the store that is only told about it. A machine may lose its
// connection and go on running, or its power. Everybody's commits may be refused, or take effect while the
// answer is lost, or take effect much later.
struct rooms {
    struct machine {
        std::string name{};
        bool connected = true;
        std::map<std::string, std::string> running{};  // uid to name
        std::set<std::string> failed{};                // uids that the store does not know to have failed
    };
    using assembly = controllers::basic_control_plane<reconcile::types<>>;

    std::mt19937_64 random;
    bool faulty = true;
    reconcile::memory_store store{};
    std::unique_ptr<assembly::plane> plane{};
    time_point now{1h};
    std::vector<machine> machines{};
    std::vector<std::vector<reconcile::operation>> late{};  // transactions that are still on their way
    std::size_t starts = 0;

    explicit rooms(std::uint64_t seed, int count) : random(seed)
    {
        boot();
        for (int i = 0; i < count; ++i) {
            machines.push_back({.name = "node-" + std::to_string(i)});
            model::node n;
            n.metadata.name = machines.back().name;
            n.status.allocatable["cpu"] = quantity::parse("4").value();
            n.status.allocatable["memory"] = quantity::parse("16Gi").value();
            n.status.allocatable["pods"] = quantity::parse("3").value();
            model::node_condition ready;
            ready.type = "Ready";
            ready.status = model::condition_status::true_;
            n.status.conditions.push_back(ready);
            put(std::move(n));
        }
    }
    std::uint64_t below(std::uint64_t n) { return random() % n; }

    // The control plane starts from what the store holds, written down and read back, as it does after a
    // crash.
    void boot()
    {
        controllers::settings s;
        s.node_grace = 40s;
        s.default_toleration = 30s;
        plane = std::make_unique<assembly::plane>(assembly::make(s));
        static auto const kinds = model::default_scheme();
        auto all = store.snapshot();
        for (auto& o : all.objects) {
            auto const* const entry = kinds.find(o.kind);
            REQUIRE(entry);
            auto const back = entry->decode(nlohmann::json::parse(entry->encode(o.data.get())));
            REQUIRE(back);
            REQUIRE(o.kind->equal(o.data.get(), back->get()));
            o.data = *back;
        }
        plane->resync(all, now);
    }
    template<class K>
    void put(K object)
    {
        reconcile::plan p;
        if (auto const old = store.get<K>(object.metadata.namespace_, object.metadata.name))
            p.update(old, std::move(object));
        else
            p.create(std::move(object));
        if (!p.empty())
            (void)store.commit(p.whole());
    }
    template<class F>
    void edit(F change)
    {
        auto const old = store.get<model::stateful_set>("default", "db");
        auto next = *old;
        change(next);
        reconcile::plan p;
        p.update(old, std::move(next));
        if (!p.empty())
            (void)store.commit(p.whole());
    }

    reconcile::committed commit(reconcile::transaction const& t)
    {
        auto const lost = [&] {
            return reconcile::committed{error{errc::unknown_outcome, "lost", {}, {}}, store.at()};
        };
        switch (faulty ? below(12) : 99) {
        case 0: return {error{errc::unavailable, "refused", {}, {}}, store.at()};
        case 1: (void)store.commit(t); return lost();
        case 2: {
            auto& all = late.emplace_back(t.guards.begin(), t.guards.end());
            all.insert(all.end(), t.writes.begin(), t.writes.end());
            return lost();
        }
        default: return store.commit(t);
        }
    }
    void deliver_late()
    {
        if (late.empty())
            return;
        auto const i = below(late.size());
        auto const all = late[i];
        late.erase(late.begin() + static_cast<std::ptrdiff_t>(i));
        auto const writes = std::find_if(
            all.begin(), all.end(), [](auto const& o) { return o.what != reconcile::verb::require; });
        (void)store.commit({std::span(all.begin(), writes), std::span(writes, all.end())});
    }
    void step_plane(int most)
    {
        reconcile::catch_up(*plane, store, now);
        for (int i = 0; i < most; ++i) {
            auto const r = plane->next(now);
            if (!r)
                break;
            plane->done(r->ticket, commit(r->what), now);
            if (below(2) == 0)
                reconcile::catch_up(*plane, store, now);
            check();
        }
    }
    // A machine's agent looks at the store once; each of its writes may fail.
    void step(machine& m)
    {
        if (!m.connected)
            return;
        model::lease lease;
        lease.metadata.name = m.name;
        lease.metadata.namespace_ = std::string(controllers::node_lease_namespace);
        lease.spec.renew_time = model::time{now};
        put(std::move(lease));
        auto self = *store.get<model::node>("", m.name);
        model::node_condition well;
        well.type = "Ready";
        well.status = model::condition_status::true_;
        controllers::set_condition(self.status.conditions, std::move(well), now);
        put(std::move(self));
        std::set<std::string> here;
        for (auto const& o : store.snapshot().objects) {
            auto const pod = o.as<model::pod>();
            if (!pod || pod->spec.node_name != m.name)
                continue;
            auto const uid = pod.uid();
            here.insert(uid);
            reconcile::plan p;
            if (pod->metadata.deletion_timestamp) {
                if (m.running.erase(uid) == 0)  // it was stopped in an earlier step
                    p.remove(pod);
            } else if (m.failed.contains(uid)) {
                auto next = *pod;
                next.status.phase = model::pod_phase::failed;
                p.update(pod, std::move(next));
            } else if (!is_terminal(pod->status.phase)) {
                starts += m.running.emplace(uid, pod->metadata.name).second;
                check();
                auto next = *pod;
                next.status.phase = model::pod_phase::running;
                model::pod_condition ready;
                ready.type = "Ready";
                ready.status = model::condition_status::true_;
                controllers::set_condition(next.status.conditions, std::move(ready), now);
                p.update(pod, std::move(next));
            }
            if (!p.empty())
                (void)commit(p.whole());
        }
        std::erase_if(m.running, [&](auto const& one) { return !here.contains(one.first); });
        std::erase_if(m.failed, [&](auto const& uid) { return !here.contains(uid); });
    }
    void crash_a_pod(machine& m)
    {
        if (m.running.empty())
            return;
        auto const it = std::next(m.running.begin(), static_cast<std::ptrdiff_t>(below(m.running.size())));
        m.failed.insert(it->first);
        m.running.erase(it);
    }
    void lose_power(machine& m)
    {
        m.running.clear();
        m.connected = false;
    }

    // Of each name at most one runs, wherever; and the store has at most one object of it by itself.
    void check() const
    {
        std::set<std::string> names;
        for (auto const& m : machines)
            for (auto const& [uid, pod] : m.running)
                REQUIRE(names.insert(pod).second);
    }
};

}  // namespace

TEST_CASE("controllers: the pod of a lost node is replaced when it is gone for certain, and not before")
{
    rooms r(1, 2);
    r.faulty = false;
    r.put(stateful_set("db", 2));
    auto const run = [&](duration d) {
        for (auto const end = r.now + d; r.now < end; r.now += 1s) {
            r.step_plane(1000);
            for (auto& m : r.machines)
                r.step(m);
        }
    };
    run(20s);
    auto const lost = r.store.get<model::pod>("default", "db-0");
    auto& machine = r.machines[lost->spec.node_name == "node-0" ? 0 : 1];
    REQUIRE(machine.running.contains(lost.uid()));
    machine.connected = false;  // and it goes on running
    run(10min);
    auto const still = r.store.get<model::pod>("default", "db-0");
    REQUIRE(still);
    CHECK(still.created == lost.created);
    CHECK(still->metadata.deletion_timestamp);
    CHECK(machine.running.contains(lost.uid()));
    machine.connected = true;
    run(1min);
    auto const next = r.store.get<model::pod>("default", "db-0");
    REQUIRE(next);
    CHECK(next.created != lost.created);
    CHECK(model::is_ready(*next));
}

TEST_CASE("controllers: a control plane that crashes after every step ends its rollouts all the same")
{
    struct ending {
        model::stateful_set_status set;
        std::int32_t updated = 0;
        std::string revision;
        std::vector<std::string> reasons;
    };
    auto const story = [](bool crashes) {
        rooms r(1, 3);
        r.faulty = false;
        auto const run = [&] {
            for (int i = 0; i < 240; ++i) {
                r.step_plane(crashes ? 1 : 1000);
                if (crashes)
                    r.boot();
                r.step(r.machines[static_cast<std::size_t>(i) % 3]);
                r.now += 100ms;
            }
        };
        r.put(stateful_set("db", 3));
        r.put(world::deployment("web", 3));
        run();
        r.edit([](auto& s) { set_image(s, "db:2"); });
        auto web = *r.store.get<model::deployment>("default", "web");
        web.spec.template_.spec.containers.edit()[0].image = "web:2";
        r.put(std::move(web));
        run();
        ending out;
        out.set = r.store.get<model::stateful_set>("default", "db")->status;
        auto const d = r.store.get<model::deployment>("default", "web");
        out.updated = d->status.updated_replicas;
        out.revision = d->metadata.annotations.at(std::string(controllers::revision_annotation));
        for (auto const& c : d->status.conditions)
            out.reasons.push_back(c.type + '=' + c.reason);
        return out;
    };
    auto const quiet = story(false);
    CHECK(quiet.set.available_replicas == 3);
    CHECK(quiet.set.current_revision == quiet.set.update_revision);
    CHECK(quiet.updated == 3);
    CHECK(quiet.revision == "2");
    auto const crashed = story(true);
    CHECK(crashed.set == quiet.set);
    CHECK(crashed.updated == quiet.updated);
    CHECK(crashed.revision == quiet.revision);
    CHECK(crashed.reasons == quiet.reasons);
}

TEST_SUITE("property")
{
    TEST_CASE("controllers: two pods of one ordinal never run, whatever is lost, late, refused or cut off")
    {
        std::size_t starts = 0;
        for (std::uint64_t seed = 0; seed < 80; ++seed) {
            CAPTURE(seed);
            rooms r(seed, 3);
            auto first = stateful_set("db", static_cast<std::int32_t>(r.below(4)));
            bool const parallel = r.below(2) == 0;
            if (parallel)
                first.spec.pod_management_policy = model::pod_management_policy_type::parallel;
            r.put(first);
            for (int i = 0; i < 300; ++i) {
                auto& m = r.machines[r.below(r.machines.size())];
                switch (r.below(23)) {
                case 0: m.connected = false; break;
                case 1: r.lose_power(m); break;
                case 2:
                case 3:
                case 10:
                    for (auto& each : r.machines)
                        each.connected = each.connected || r.below(2) == 0;
                    break;
                case 4: r.crash_a_pod(m); break;
                case 5: r.edit([&](auto& s) { set_image(s, "db:" + std::to_string(r.below(3))); }); break;
                case 6:
                    r.edit([&](auto& s) { s.spec.replicas = static_cast<std::int32_t>(r.below(5)); });
                    break;
                case 7: r.boot(); break;
                case 8: r.deliver_late(); break;
                case 9: r.now += std::chrono::seconds(r.below(60)); break;
                case 11:
                    if (r.below(8) == 0) {  // the set itself goes, and another one of its name comes
                        reconcile::plan p;
                        auto const old = r.store.get<model::stateful_set>("default", "db");
                        p.remove(old);
                        (void)r.store.commit(p.whole());
                        r.put(first);
                    }
                    break;
                case 12:
                case 13:
                case 14:
                case 15: r.step(m); break;
                default: r.step_plane(static_cast<int>(1 + r.below(20))); break;
                }
                r.now += std::chrono::milliseconds(r.below(500));
                r.check();
            }
            starts += r.starts;

            // When all is well again the wanted state comes.
            r.faulty = false;
            for (auto& m : r.machines)
                m.connected = true;
            r.edit([&](auto& s) { s.spec.replicas = 3; });
            bool done = false;
            for (int i = 0; i < 3000 && !done; ++i) {
                r.deliver_late();
                r.step_plane(1000);
                for (auto& m : r.machines)
                    r.step(m);
                r.check();
                r.now += 1s;
                auto const s = r.store.get<model::stateful_set>("default", "db");
                std::size_t running = 0;
                for (auto const& m : r.machines)
                    running += m.running.size();
                done = running == 3 && s->status.available_replicas == 3 && s->status.updated_replicas == 3 &&
                    s->status.observed_generation == s->metadata.generation && s->status.replicas == 3 &&
                    s->status.current_revision == s->status.update_revision;
            }
            REQUIRE(done);
        }
        CHECK(starts > 300);
    }
}
