// podium tour: the shop runs on three nodes, is found, healed, keeps its data, is scaled, rolled and rolled
// back, is released behind a test, by blue/green and by canary, follows its load and is measured, on real
// processes and real requests. Each scene says what it shows, checks it, and reports what it measured.
#include "arguments.hpp"
#include "commands.hpp"
#include "figures.hpp"
#include "load.hpp"
#include "manifests.hpp"
#include "report.hpp"

#include <podium/cluster/cluster.hpp>
#include <podium/cluster/dashboard.hpp>
#include <podium/net/http_client.hpp>
#include <podium/rollout/sample_size.hpp>

#include <boost/asio.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <signal.h>
#include <string>
#include <utility>

namespace {

namespace api = podium::api;
namespace model = podium::model;
namespace net = podium::net;
using namespace std::chrono_literals;
using podium::duration;
using podium::model::json;
using clock_type = podium::store::clock;
using boost::asio::awaitable;

constexpr char const usage[] = R"(usage: podium tour [OPTION...]

Plays thirteen scenes on a local cluster of three nodes. Ends with a table of what was promised; the exit code is not zero
if a promise broke.

   1 declare      a shop from YAML files
   2 discover     it is found through its Services
   3 heal         a killed process, a hung one, an unready one, a lost node
   4 keep         its data outlives its process, pod and node
   5 scale        2 -> 5 -> 2 by declaration
   6 roll         a rolling update, a broken one, and back
   7 recreate     an update with downtime, measured
   8 gate         a failing test stops a release before any user sees it; the mended one goes on
   9 blue/green   previewed, switched to in one go, and back
  10 canary       a good idea: half of the visitors, until it is proven that more of them buy
  11 canary, bad  a bad idea goes back by itself; without visitors nothing is known, and nothing promoted
  12 autoscale    2 -> 3 at 80 % CPU, which makes it some 53 %, and back when the load is gone
  13 measure      what happened, asked of /metrics alone

  --scene N          only this scene (the first is played before it, for there must be something to look at)
  --rate N           requests a second during rolling updates and blue/green switches (1200)
  --visitors N       visitors a second during canaries, each with one request (1500)
  --images DIR       the image directory (beside this program)
  --manifests DIR    the shop's manifests (beside this program)
  --releases DIR     those of scenes 8 to 11 (beside this program)
  --scaling DIR      the autoscaler of scene 12 (beside this program)
  --report FILE      where the report goes (tour.html beside this program)
  --help
)";

std::string fixed(double value, int digits)
{
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}
std::string ms(duration d)
{
    return fixed(std::chrono::duration<double, std::milli>(d).count(), d < 10ms ? 1 : 0) + " ms";
}
std::string secs(duration d)
{
    return fixed(std::chrono::duration<double>(d).count(), 1) + " s";
}

struct promise {
    std::string text{};
    bool kept = false;
};

// A scene as it is played: what it promises, whether that held, what was measured.
struct scene {
    int number = 0;
    std::string name{};
    std::string shows{};  // in one line
    podium::time_point from{};
    podium::time_point to{};
    std::vector<promise> promises{};
    std::vector<tour::fact> figures{};

    bool kept() const { return !promises.empty() && std::ranges::all_of(promises, &promise::kept); }
};

class player {
public:
    struct settings {
        std::string manifests{};
        std::string releases{};
        std::string scaling{};
        double rate = 0;      // requests a second
        double visitors = 0;  // a second
    };
    player(boost::asio::io_context& io, podium::cluster::options how, settings s)
        : io_(io),
          cluster_(io.get_executor(), std::move(how)),
          page_(io.get_executor(), cluster_),
          settings_(std::move(s))
    {
    }

    std::vector<scene> const& scenes() const { return scenes_; }
    tour::ledger const& book() const { return load_->book(); }
    bool has_load() const { return load_.has_value(); }
    std::vector<tour::replica_sample> const& replicas() const { return replicas_; }
    std::vector<tour::comparison> const& comparisons() const { return comparisons_; }
    std::vector<tour::scaling> const& scalings() const { return scalings_; }
    std::optional<std::uint64_t> lost_in_updates() const { return lost_in_updates_; }
    std::optional<std::uint64_t> lost_in_releases() const { return lost_in_releases_; }

    awaitable<bool> play(int only)
    {
        if (auto up = co_await cluster_.start(); !up) {
            (void)failed(up.error());
            co_return false;
        }
        auto const shown_at = page_.listen(net::address::tcp("127.0.0.1", 0));
        if (!shown_at) {
            (void)failed(shown_at.error());
            co_return false;
        }
        page_at_ = *shown_at;
        std::printf("three nodes, addresses %s; to look on: http://%s/\n", cluster_.cidr().c_str(),
            page_at_.text().c_str());
        boost::asio::co_spawn(io_, sample(), boost::asio::detached);
        bool const declared = co_await run(
            1, "declare", "web x2 and db x1 from YAML files, placed on three nodes", &player::declare);
        bool fine = declared;
        struct chapter {
            int number;
            char const* name;
            char const* shows;
            awaitable<void> (player::*play)(scene&);
        };
        chapter const chapters[] = {
            {2, "discover",
                "requests through the Service reach both pods; the web finds the db by its Service",
                &player::discover},
            {3, "heal", "a killed process, a hung one, an unready one, a lost node", &player::heal},
            {4, "keep", "the db's process, its pod and its node end; its orders do not", &player::keep},
            {5, "scale", "2 -> 5 -> 2 by declaration, under load", &player::scale},
            {6, "roll", "v1.0 -> v1.2 under load, a broken v1.3, and back", &player::roll},
            {7, "recreate", "the same update with downtime, and the downtime measured", &player::recreate},
            {8, "gate", "a failing test stops a release before any user sees it; the mended one goes on",
                &player::gate},
            {9, "blue/green", "previewed, switched to in one go under load, and back", &player::blue_green},
            {10, "canary", "a good idea: half of the visitors, until it is proven that more of them buy",
                &player::good_idea},
            {11, "canary, bad",
                "a bad idea goes back by itself; without visitors nothing is known, and nothing promoted",
                &player::bad_idea},
            {12, "autoscale", "2 -> 3 at 80 % CPU, which makes it some 53 %, and back when the load is gone",
                &player::autoscale},
            {13, "measure", "what happened, asked of /metrics alone", &player::measure},
        };
        for (auto const& c : chapters)
            if (declared && (only == 0 || only == c.number)) {
                bool const kept = co_await run(c.number, c.name, c.shows, c.play);
                fine = fine && kept;
            }
        co_await end_load();
        stopped_ = true;
        std::printf("\nstopping\n");
        co_await page_.stop();
        co_await cluster_.stop(10s);
        co_return fine;
    }
    void hurry() { cluster_.hurry(); }

private:
    // -- The stage -------------------------------------------------------------------------------

    awaitable<bool> run(
        int number, char const* name, char const* shows, awaitable<void> (player::*what)(scene&))
    {
        std::printf("\n%d. %s: %s\n", number, name, shows);
        std::fflush(stdout);
        scenes_.push_back({number, name, shows, clock_type::now(), {}, {}, {}});
        auto s = scenes_.back();
        co_await (this->*what)(s);
        s.to = clock_type::now();
        scenes_.back() = s;
        co_return s.kept();
    }
    static void check(scene& s, bool kept, std::string text)
    {
        std::printf("   %s %s\n", kept ? "ok  " : "FAIL", text.c_str());
        std::fflush(stdout);
        s.promises.push_back({std::move(text), kept});
    }
    static void figure(scene& s, std::string name, std::string value)
    {
        std::printf("        %s: %s\n", name.c_str(), value.c_str());
        s.figures.push_back({std::move(name), std::move(value)});
    }

    // True as soon as `done()` is; false when `patience` has passed.
    template<class Done>
    awaitable<bool> until(Done done, duration patience = 20s)
    {
        auto const end = clock_type::now() + patience;
        while (!done()) {
            if (clock_type::now() >= end)
                co_return false;
            co_await cluster_.changed(50ms);
        }
        co_return true;
    }
    awaitable<void> wait(duration d)
    {
        boost::asio::steady_timer timer(
            io_, std::chrono::duration_cast<std::chrono::steady_clock::duration>(d));
        co_await timer.async_wait(boost::asio::use_awaitable);
    }
    // Ten looks a second at who is there: the report's picture of replicas.
    awaitable<void> sample()
    {
        while (!stopped_) {
            tour::replica_sample now{clock_type::now(), {}};
            for (auto const& pod : pods(shown_)) {
                auto const version =
                    pod->metadata.labels.contains("version") ? pod->metadata.labels.at("version") : "";
                auto& n = now.by_version[version];
                ++n.total;
                n.ready += model::is_ready(*pod) && podium::controllers::is_active(*pod);
            }
            replicas_.push_back(std::move(now));
            if (scaling_)
                if (auto const a = autoscaler())
                    scaling_->samples.push_back(
                        {clock_type::now(), used(), static_cast<std::uint32_t>(ready_pods("web").size()),
                            static_cast<std::uint32_t>(a->status.desired_replicas)});
            co_await wait(100ms);
        }
    }

    // -- The cluster -----------------------------------------------------------------------------

    using pod_handle = podium::reconcile::handle<model::pod>;

    std::vector<pod_handle> pods(std::string const& app)
    {
        return cluster_.view().select<model::pod>(
            "default", podium::labels::selector::parse("app=" + app).value());
    }
    std::vector<pod_handle> ready_pods(std::string const& app)
    {
        auto all = pods(app);
        std::erase_if(
            all, [](auto const& p) { return !podium::controllers::is_active(*p) || !model::is_ready(*p); });
        return all;
    }
    // Of the web's pods that are ready: is this the version of all of them?
    bool all_are(std::string const& version)
    {
        return std::ranges::all_of(
            ready_pods("web"), [&](auto const& p) { return p->metadata.labels.at("version") == version; });
    }
    auto deployment(std::string const& name)
    {
        return cluster_.view().get<model::deployment>("default", name);
    }
    podium::reconcile::handle<model::horizontal_pod_autoscaler> autoscaler()
    {
        return cluster_.view().get<model::horizontal_pod_autoscaler>("default", "web");
    }
    // Percent of what the webs request, as the autoscaler last saw it.
    std::optional<double> used()
    {
        auto const a = autoscaler();
        if (!a || a->status.current_metrics.empty() || !a->status.current_metrics.front().resource)
            return {};
        return a->status.current_metrics.front().resource->current.average_utilization;
    }
    template<class Kind = model::deployment>
    bool is_rolled_out(std::string const& name)
    {
        auto const d = cluster_.view().get<Kind>("default", name);
        return d && d->status.observed_generation == d->metadata.generation &&
            d->status.updated_replicas == d->spec.replicas && d->status.replicas == d->spec.replicas &&
            d->status.available_replicas == d->spec.replicas;
    }
    // Of the web's: which the balancer may use.
    int balanced()
    {
        int n = 0;
        for (auto const slice : cluster_.view().all<model::endpoint_slice>("default"))
            if (slice->metadata.name.starts_with("web"))
                for (auto const& e : slice->endpoints)
                    n += e.conditions.ready.value_or(false);
        return n;
    }
    std::string address_of(std::string const& service)
    {
        auto const s = cluster_.view().get<model::service>("default", service);
        return s ? s->spec.cluster_ip : "";
    }
    // Reads an object, changes it, writes it back: what an editor does.
    template<class Kind = model::deployment>
    awaitable<bool> edit(std::string name, std::function<void(json&)> change)
    {
        auto const path = api::path_of(Kind::api_version, Kind::plural, "default", name);
        for (int tries = 0; tries < 20; ++tries) {
            auto const got = co_await cluster_.call(request(path));
            if (got.code != 200)
                co_return false;
            auto d = json::parse(got.body);
            change(d);
            auto const put = co_await cluster_.call(request(path, api::method::put, d.dump()));
            if (put.code ==
                200) {  // the view follows the store: what is asked next must not be of the old one
                auto const wanted = json::parse(put.body)["metadata"].value("generation", std::int64_t{0});
                auto const seen = [&] {
                    auto const now = cluster_.view().get<Kind>("default", name);
                    return now && now->metadata.generation >= wanted;
                };
                co_return co_await until(seen);
            }
            if (put.code != 409) {
                std::fprintf(stderr, "%s\n", put.body.c_str());
                co_return false;
            }
        }
        co_return false;
    }
    awaitable<bool> release(std::string const& version, std::string const& strategy = "RollingUpdate")
    {
        return edit("web", [version, strategy](json& d) {
            if (strategy == "Recreate")
                d["spec"]["strategy"] = {{"type", strategy}};
            auto& t = d["spec"]["template"];
            t["metadata"]["labels"]["version"] = version;
            t["spec"]["containers"][0]["image"] = "shop/web:" + version;
        });
    }
    awaitable<bool> undo()
    {
        return edit("web", [](json& d) {
            d["metadata"]["annotations"][std::string(podium::controllers::rollback_annotation)] = "0";
        });
    }
    awaitable<std::optional<net::http_response>> ask(
        std::string ip, std::uint16_t port, net::http::verb verb, std::string target, std::string body = {})
    {
        net::http_request r(verb, target, 11);
        r.body() = std::move(body);
        net::http_call_options how;
        how.deadline = 3s;
        bool const shop = ip == address_of("web");
        auto got = co_await net::http_call(net::address::tcp(std::move(ip), port), std::move(r), how);
        if (!got)
            co_return std::nullopt;
        asked_ += shop && got->result_int() < 400;
        co_return *std::move(got);
    }
    // SIGKILL to the main process of the pod's first container.
    bool kill_process(pod_handle const& pod)
    {
        auto* const node = cluster_.node(pod->spec.node_name);
        auto const id = node->container_id("default", pod->metadata.name, 0);
        for (auto const& c : node->runtime().list())
            if (c.id == id && c.pid > 0)
                return ::kill(c.pid, SIGKILL) == 0;
        return false;
    }
    awaitable<bool> fault(pod_handle pod, std::string what)
    {
        auto const got =
            co_await ask(pod->status.pod_ip, 8080, net::http::verb::post, "/control?fault=" + what);
        co_return got && got->result_int() == 200;
    }
    void load(double rate)
    {
        if (!load_) {
            tour::load_options o;
            o.ip = address_of("web");
            o.port = 8080;
            o.connections = 32;
            o.per_second = rate;
            // Each request is a visitor of its own, and buys or not whichever pod it comes to.
            o.prepare = [this](tour::load_request& r, std::uint64_t number) {
                r.set("X-Visitor", "visitor-" + std::to_string(number));
                r.target(target_);
            };
            load_.emplace(io_.get_executor(), std::move(o));
        }
        load_->set_rate(rate);
        if (!std::exchange(loading_, true))
            load_->start();
    }
    // The same, to another service.
    void load(std::string const& service, double rate)
    {
        load(rate);
        load_->aim(address_of(service), 8080);
    }
    awaitable<void> end_load()
    {
        if (load_ && std::exchange(loading_, false))
            co_await load_->stop();
    }
    // What became of the requests sent since `from`, once those under way are settled.
    awaitable<tour::figures> since(podium::time_point from)
    {
        auto const to = clock_type::now();
        for (int i = 0; i < 100; ++i) {
            auto const f = tour::summarize(load_->book(), from, to);
            if (f.open == 0)
                co_return f;
            co_await wait(50ms);
        }
        co_return tour::summarize(load_->book(), from, to);
    }
    void lost(scene& s, tour::figures const& f)
    {
        check(s, f.sent > 0 && f.errors() == 0,
            "zero of " + std::to_string(f.sent) + " requests lost" +
                (f.errors() ? ": " + std::to_string(f.errors()) + " were" : ""));
        if (f.errors())
            for (auto const& [why, count] : load_->book().reasons())
                std::printf("        %llu x %s\n", static_cast<unsigned long long>(count), why.c_str());
        figure(s, "latency p50 / p99", ms(f.p50) + " / " + ms(f.p99));
    }

    // -- The scenes ------------------------------------------------------------------------------

    // What `podium apply -f FOLDER` does.
    awaitable<bool> apply(scene& s, std::string folder)
    {
        auto const files = manifest_files({folder});
        if (!files) {
            check(s, false, files.error().text());
            co_return false;
        }
        std::vector<podium::yaml::manifest> all;
        for (auto const& file : *files) {
            auto read = read_file(file, cluster_.kinds(), "default");
            if (!read) {
                check(s, false, read.error().text());
                co_return false;
            }
            all.insert(all.end(), read->begin(), read->end());
        }
        in_order_of_need(all);
        api_call const call = [this](api::request r) -> awaitable<podium::result<api::response>> {
            auto answer = co_await cluster_.call(std::move(r));
            co_return answer;
        };
        bool applied = true;
        for (auto const& m : all)
            if (auto const done = co_await apply_one(call, cluster_.kinds(), m); !done) {
                std::fprintf(stderr, "%s\n", done.error().text().c_str());
                applied = false;
            }
        check(s, applied,
            std::to_string(all.size()) + " objects declared from " + std::to_string(files->size()) +
                " files");
        co_return applied;
    }

    awaitable<void> declare(scene& s)
    {
        auto const from = clock_type::now();
        co_await apply(s, settings_.manifests);
        bool const running = co_await until(
            [&] {
                return is_rolled_out("web") && is_rolled_out<model::stateful_set>("db") && balanced() == 2;
            },
            30s);
        check(s, running, "web x2 and db x1 are available");
        std::set<std::string> nodes;
        for (auto const* const app : {"db", "web"})
            for (auto const& pod : pods(app)) {
                nodes.insert(pod->spec.node_name);
                std::printf("        %s on %s, %s\n", pod->metadata.name.c_str(), pod->spec.node_name.c_str(),
                    pod->status.pod_ip.c_str());
            }
        check(s, nodes.size() > 1, "they are spread over " + std::to_string(nodes.size()) + " nodes");
        if (auto const web = pods("web"); !web.empty()) {  // why there: each node's score for one more web
            auto& scheduler = cluster_.view().index<podium::controllers::placement>().scheduler();
            auto const wanted = podium::controllers::schedulable(cluster_.view(), *web.front());
            auto const table = scheduler.explain(wanted);
            std::string line;
            for (auto const& row : table.nodes) {
                line += (line.empty() ? "" : ", ") + scheduler.nodes().name(row.node) + ' ' +
                    std::to_string(row.score) + " (";
                for (std::size_t i = 0; i < row.scores.size(); ++i)
                    line +=
                        (i ? " + " : "") + std::string(table.scores[i]) + ' ' + std::to_string(row.scores[i]);
                line += ')';
            }
            std::printf("        the next web would score: %s\n", line.c_str());
        }
        figure(s, "declared to available", secs(clock_type::now() - from));
    }

    awaitable<void> discover(scene& s)
    {
        auto const web = address_of("web");
        std::set<std::string> seen;
        int answered = 0;
        for (int i = 0; i < 40; ++i)
            if (auto const got = co_await ask(web, 8080, net::http::verb::get, "/");
                got && got->result_int() == 200) {
                ++answered;
                auto const body = json::parse(got->body(), nullptr, false);
                seen.insert(body.is_object() ? body.value("pod", "") : "");
            }
        check(s, answered == 40 && seen.size() == 2,
            std::to_string(answered) + " of 40 requests answered, by " + std::to_string(seen.size()) +
                " pods");
        auto const order = co_await ask(web, 8080, net::http::verb::post, "/order", "one lamp");
        bool const ordered = order && order->result_int() / 100 == 2;
        if (!ordered)
            std::printf("        the web said: %s\n", order ? order->body().c_str() : "nothing");
        auto const orders = co_await ask(web, 8080, net::http::verb::get, "/orders");
        check(s, ordered && orders && orders->body().find("\"count\":0") == std::string::npos,
            "an order went through the web to the db, found as DB_SERVICE_HOST=" + address_of("db"));
    }

    // Until two are ready again, and the time it took.
    awaitable<bool> healed(scene& s, char const* what, podium::time_point from, duration patience = 25s)
    {
        bool const back = co_await until(
            [&] { return ready_pods("web").size() == 2 && balanced() == 2 && pods("web").size() == 2; },
            patience);
        if (back)
            figure(s, std::string(what) + ": recovered in", secs(clock_type::now() - from));
        co_return back;
    }

    awaitable<void> heal(scene& s)
    {
        load(200);
        co_await wait(500ms);

        auto victim = ready_pods("web").at(0);
        auto from = clock_type::now();
        bool ok = kill_process(victim);
        if (ok)
            ok = co_await until([&] { return ready_pods("web").size() < 2; });
        if (ok)
            ok = co_await healed(s, "kill -9", from);
        auto const after = cluster_.view().get<model::pod>("default", victim->metadata.name);
        check(s, ok && after && after->status.container_statuses.at(0).restart_count == 1,
            "a killed process was started again in its pod");
        auto f = co_await since(from);
        figure(s, "kill -9: requests lost", std::to_string(f.errors()) + " of " + std::to_string(f.sent));

        victim = ready_pods("web").at(1);
        auto const restarts = victim->status.container_statuses.at(0).restart_count;
        from = clock_type::now();
        ok = co_await fault(victim, "hang");
        auto const restarted = [&] {
            auto const p = cluster_.view().get<model::pod>("default", victim->metadata.name);
            return p && p->status.container_statuses.at(0).restart_count > restarts;
        };
        if (ok)
            ok = co_await until(restarted, 25s);
        if (ok)
            ok = co_await healed(s, "hang", from);
        check(s, ok, "a hung process was found by its liveness probe and restarted");
        f = co_await since(from);
        figure(s, "hang: requests lost", std::to_string(f.errors()) + " of " + std::to_string(f.sent));

        victim = ready_pods("web").at(0);
        auto const before = victim->status.container_statuses.at(0).restart_count;
        from = clock_type::now();
        ok = co_await fault(victim, "unready");
        if (ok)
            ok = co_await until([&] { return balanced() == 1; });
        figure(s, "unready: out of the balancer in", secs(clock_type::now() - from));
        co_await wait(1s);
        auto const still = cluster_.view().get<model::pod>("default", victim->metadata.name);
        ok = ok && still && still->status.container_statuses.at(0).restart_count == before;
        if (ok)
            ok = co_await fault(victim, "none");
        if (ok)
            ok = co_await healed(s, "unready", from);
        check(s, ok, "an unready pod left the balancer, was not restarted, and came back");
        f = co_await since(from);
        check(s, f.errors() == 0, "and no request was lost by that");

        // A node without the db: what becomes of that is another scene.
        auto const with_db = pods("db").at(0)->spec.node_name;
        std::string home;
        for (auto const& p : ready_pods("web"))
            if (p->spec.node_name != with_db)
                home = p->spec.node_name;
        from = clock_type::now();
        ok = cluster_.fail_node(home);
        if (ok)
            ok = co_await until(
                [&] {
                    auto const ready = ready_pods("web");
                    return ready.size() == 2 &&
                        std::ranges::none_of(ready, [&](auto const& p) { return p->spec.node_name == home; });
                },
                30s);
        check(s, ok, "node " + home + " was lost, and everything on it runs elsewhere");
        figure(s, "node lost: recovered in", secs(clock_type::now() - from));
        f = co_await since(from);
        figure(s, "node lost: requests lost", std::to_string(f.errors()) + " of " + std::to_string(f.sent));
        cluster_.recover_node(home);
        bool const back = co_await until([&] {
            auto const n = cluster_.view().get<model::node>("", home);
            return n && model::is_ready(*n) && n->spec.taints.empty();
        });
        check(s, back, "and is used again when it comes back");
        co_await until([&] { return pods("web").size() == 2; });
    }

    // The ids of all orders that the shop has; nothing while nobody can tell.
    awaitable<std::optional<std::set<std::string>>> orders()
    {
        auto const got = co_await ask(address_of("web"), 8080, net::http::verb::get, "/orders");
        if (!got || got->result_int() != 200)
            co_return std::nullopt;
        auto const body = json::parse(got->body(), nullptr, false);
        if (!body.is_object() || !body.contains("ids"))
            co_return std::nullopt;
        co_return body["ids"].get<std::set<std::string>>();
    }
    // db-0 is ready again and not the pod `before` (or, of the same, not the run before), and the shop has
    // what it had.
    awaitable<void> same_data(scene& s, char const* what, podium::time_point from,
        std::set<std::string> const& had, std::function<bool(model::pod const&, std::string const&)> fresh)
    {
        bool const back = co_await until(
            [&] {
                auto const p = cluster_.view().get<model::pod>("default", "db-0");
                return p && podium::controllers::is_active(*p) && model::is_ready(*p) && fresh(*p, p.uid());
            },
            30s);
        figure(s, std::string(what) + ": back in", secs(clock_type::now() - from));
        std::optional<std::set<std::string>> has;
        for (int tries = 0; back && !has && tries < 40; ++tries) {
            has = co_await orders();
            if (!has)
                co_await wait(100ms);
        }
        std::size_t lost = had.size();
        if (has)
            lost = static_cast<std::size_t>(
                std::ranges::count_if(had, [&](auto const& id) { return !has->contains(id); }));
        check(s, back && lost == 0,
            std::string(what) + ": " + std::to_string(had.size() - lost) + " of " +
                std::to_string(had.size()) + " orders are there");
    }

    awaitable<void> keep(scene& s)
    {
        auto const web = address_of("web");
        int acknowledged = 0;
        for (int i = 0; i < 20; ++i)
            if (auto const got = co_await ask(web, 8080, net::http::verb::post, "/order", "a lamp");
                got && got->result_int() == 201)
                ++acknowledged;
        auto const had = co_await orders();
        check(s, acknowledged == 20 && had && had->size() >= 20,
            std::to_string(acknowledged) + " of 20 orders were acknowledged");
        if (!had || pods("db").empty())
            co_return;

        auto first = pods("db").front();
        auto const address = first->status.pod_ip;
        auto from = clock_type::now();
        check(s, kill_process(first), "the process of " + first->metadata.name + " is killed");
        auto const runs = first->status.container_statuses.at(0).restart_count;
        co_await same_data(s, "process killed", from, *had, [&](model::pod const& p, std::string const&) {
            return p.status.container_statuses.at(0).restart_count > runs;
        });

        auto const path = api::path_of("v1", "pods", "default", "db-0");
        auto uid = first.uid();
        auto const another = [&](model::pod const&, std::string const& now) { return now != uid; };
        from = clock_type::now();
        auto gone = co_await cluster_.call(request(path, api::method::delete_));
        check(s, gone.code == 200, "the pod db-0 is deleted");
        co_await same_data(s, "pod deleted", from, *had, another);
        auto now = pods("db");
        check(s,
            now.size() == 1 && now.front()->metadata.name == "db-0" && now.front()->status.pod_ip == address,
            "with the name and address that it had: db-0, " + address);
        if (now.size() != 1)
            co_return;

        uid = now.front().uid();
        auto const home = now.front()->spec.node_name;
        cluster_.fail_node(home);
        bool const unready = co_await until([&] { return ready_pods("db").empty(); });
        co_await wait(3s);
        now = pods("db");
        check(s, unready && now.size() == 1 && now.front().uid() == uid,
            "its node " + home + " is lost, and no second db-0 is started: the first might still run");
        from = clock_type::now();
        auto const forced = path + "?gracePeriodSeconds=0";
        gone = co_await cluster_.call(request(forced, api::method::delete_));
        check(s, gone.code == 200, "somebody who knows that the node is gone says so");
        co_await same_data(s, "node lost", from, *had, another);
        cluster_.recover_node(home);
        bool const whole = co_await until([&] {
            auto const n = cluster_.view().get<model::node>("", home);
            return n && model::is_ready(*n) && n->spec.taints.empty() && ready_pods("web").size() == 2 &&
                pods("web").size() == 2 && balanced() == 2;
        });
        check(s, whole, "all is as before when the node is back");
    }

    awaitable<void> scale(scene& s)
    {
        load(300);
        co_await wait(300ms);
        auto const from = clock_type::now();
        auto const to = [&](int n) { return edit("web", [n](json& d) { d["spec"]["replicas"] = n; }); };
        bool ok = co_await to(5);
        if (ok)
            ok = co_await until([&] { return is_rolled_out("web") && balanced() == 5; });
        figure(s, "2 -> 5", secs(clock_type::now() - from));
        check(s, ok, "five serve");
        co_await wait(500ms);
        auto const down = clock_type::now();
        ok = co_await to(2);
        if (ok)
            ok = co_await until([&] { return is_rolled_out("web") && pods("web").size() == 2; });
        figure(s, "5 -> 2", secs(clock_type::now() - down));
        check(s, ok, "two are left");
        auto const all = co_await since(from);
        lost(s, all);
    }

    awaitable<void> roll(scene& s)
    {
        load(settings_.rate);
        co_await wait(1s);
        auto from = clock_type::now();
        std::size_t fewest = 99;
        auto const rolled = [&] {
            fewest = std::min(fewest, ready_pods("web").size());
            return is_rolled_out("web") && pods("web").size() == 2 && all_are("1.2");
        };
        bool ok = co_await release("1.2");
        if (ok)
            ok = co_await until(rolled, 30s);
        figure(s, "v1.0 -> v1.2", secs(clock_type::now() - from));
        check(s, ok && fewest >= 2, "v1.2 took over one by one, never fewer than two ready");
        co_await wait(1s);
        auto f = co_await since(from);
        auto const lasted = std::chrono::duration<double>(clock_type::now() - from).count();
        check(s, static_cast<double>(f.answered) / lasted >= 1000,
            "at " + fixed(static_cast<double>(f.answered) / lasted, 0) + " requests/s");
        lost(s, f);

        from = clock_type::now();
        auto const given_up = [&] {
            auto const* const c = model::find_condition(deployment("web")->status.conditions, "Progressing");
            return c && c->reason == "ProgressDeadlineExceeded";
        };
        ok = co_await release("1.3");
        if (ok)
            ok = co_await until(given_up, 30s);
        check(s, ok && ready_pods("web").size() == 2 && all_are("1.2"),
            "a v1.3 that never gets ready stopped by itself, v1.2 still serves");
        figure(s, "v1.3 given up after", secs(clock_type::now() - from));
        from = clock_type::now();
        ok = co_await undo();
        if (ok)
            ok = co_await until([&] { return is_rolled_out("web") && pods("web").size() == 2; }, 30s);
        check(s, ok && all_are("1.2"), "rolled back");
        figure(s, "roll back", secs(clock_type::now() - from));
        auto const all = co_await since(s.from);
        lost(s, all);
        lost_in_updates_ = all.errors();
    }

    awaitable<void> recreate(scene& s)
    {
        load(300);
        co_await wait(500ms);
        auto const from = clock_type::now();
        auto const image = deployment("web")->spec.template_.spec.containers.front().image;
        std::string const next = image.ends_with(":1.1") ? "1.2" : "1.1";
        bool ok = co_await release(next, "Recreate");
        bool together = false;
        auto const replaced = [&] {
            std::set<std::string> versions;
            for (auto const& p : pods("web"))
                versions.insert(p->metadata.labels.at("version"));
            together = together || versions.size() > 1;
            return is_rolled_out("web") && balanced() == 2 && all_are(next);
        };
        if (ok)
            ok = co_await until(replaced, 30s);
        co_await wait(500ms);
        auto const f = co_await since(from);
        check(s, ok && !together, "v" + next + " started when the last of the others was gone");
        check(s, f.longest_gap > 0s && f.by_version.contains(next),
            "the downtime was measured: " + secs(f.longest_gap));
        figure(s, "downtime", secs(f.longest_gap));
        figure(s, "requests refused or lost", std::to_string(f.errors()) + " of " + std::to_string(f.sent));
    }

    // -- Releases --------------------------------------------------------------------------------

    using rollout_handle = podium::reconcile::handle<model::rollout>;

    rollout_handle rollout(std::string const& name)
    {
        return cluster_.view().get<model::rollout>("default", name);
    }
    // By what podium tells the pods of this version from others; "" while nobody has asked for it.
    std::string hash_of(std::string const& name, std::string const& version)
    {
        for (auto const& set : cluster_.view().select<model::replica_set>(
                 "default", podium::labels::selector::parse("app=" + name).value()))
            if (auto const v = set->metadata.labels.find("version");
                v != set->metadata.labels.end() && v->second == version)
                return set->metadata.labels.at(std::string(podium::controllers::rollout_hash_label));
        return {};
    }
    std::string version_of(std::string const& name, std::string const& hash)
    {
        for (auto const& set : cluster_.view().select<model::replica_set>(
                 "default", podium::labels::selector::parse("app=" + name).value()))
            if (set->metadata.labels.at(std::string(podium::controllers::rollout_hash_label)) == hash)
                return set->metadata.labels.at("version");
        return {};
    }
    // The version that an abort would leave users with.
    std::string stable_version(std::string const& name)
    {
        auto const r = rollout(name);
        return version_of(
            name, r->status.blue_green ? r->status.blue_green->active_selector : r->status.stable_rs);
    }
    bool is_in(std::string const& name, std::string const& phase)
    {
        auto const r = rollout(name);
        return r && r->status.observed_generation == r->metadata.generation && r->status.phase == phase;
    }
    // All users see this version, and no release is under way.
    bool is_released(std::string const& name, std::string const& version)
    {
        return is_in(name, "Healthy") && stable_version(name) == version;
    }
    awaitable<bool> release_of(std::string name, std::string version)
    {
        return edit<model::rollout>(name, [version](json& r) { set_version(r, version); });
    }
    static void set_version(json& r, std::string const& version)
    {
        auto& t = r["spec"]["template"];
        t["metadata"]["labels"]["version"] = version;
        t["spec"]["containers"][0]["image"] = "shop/web:" + version;
    }
    // One command to a release; true when it was taken note of.
    awaitable<bool> order(std::string name, std::string what)
    {
        std::string const key(podium::controllers::order_annotation);
        // Named: gcc 12 destroys a closure twice that is made within a co_await.
        std::function<void(json&)> const give = [&](json& r) { r["metadata"]["annotations"][key] = what; };
        bool const given = co_await edit<model::rollout>(name, give);
        if (!given)
            co_return false;
        auto look =
            request(api::path_of(model::rollout::api_version, model::rollout::plural, "default", name));
        co_await cluster_.call(std::move(look));  // then the view shows it
        auto const taken = [&] { return !rollout(name)->metadata.annotations.contains(key); };
        co_return co_await until(taken);
    }
    // The rollout of this name is there, healthy, and what the report shows the pods of.
    awaitable<bool> staged(scene& s, std::string name)
    {
        shown_ = name;
        bool there = static_cast<bool>(rollout(name));
        if (!there)  // gcc 12 takes no co_await behind an &&
            there = co_await apply(s, settings_.releases);
        if (!there)
            co_return false;
        bool const healthy = co_await until([&] { return is_in(name, "Healthy"); }, 30s);
        if (!healthy)
            check(s, false,
                "the rollout " + name +
                    " is not healthy: " + (rollout(name) ? rollout(name)->status.message : "there is none"));
        co_return healthy;
    }
    // Requests that the router has counted of a version.
    std::uint64_t counted(std::string const& service, std::string const& hash)
    {
        auto const all = cluster_.traffic();
        auto const one = all.find("default/" + service + ":http");
        if (one == all.end())
            return 0;
        auto const v = one->second.versions.find(hash);
        return v == one->second.versions.end() ? 0 : v->second.requests;
    }
    // The analysis that the rollout waits for, or waited for last.
    std::string analysis_of(std::string const& name)
    {
        auto const r = rollout(name);
        return r->status.canary    ? r->status.canary->current_step_analysis_run
            : r->status.blue_green ? r->status.blue_green->current_analysis_run
                                   : std::string{};
    }
    auto analysis(std::string const& run) { return cluster_.view().get<model::analysis_run>("default", run); }
    void lost_in_release(scene& s, tour::figures const& f)
    {
        lost(s, f);
        lost_in_releases_ = lost_in_releases_.value_or(0) + f.errors();
    }

    awaitable<void> gate(scene& s)
    {
        bool const ready = co_await staged(s, "shop");
        if (!ready)
            co_return;
        auto const before = stable_version("shop");
        load("shop", 300);
        co_await wait(300ms);
        auto from = clock_type::now();
        std::string test;
        auto const stopped = [&] {
            if (auto run = analysis_of("shop"); !run.empty())
                test = std::move(run);
            return is_in("shop", "Degraded");
        };
        bool ok = co_await release_of("shop", "1.2-rc1");
        if (ok)
            ok = co_await until(stopped, 30s);
        auto const failed = analysis(test);
        check(s, ok && failed && failed->status.phase == model::analysis_phase::failed,
            "v1.2-rc1 refuses orders: its test failed and stopped it, " + rollout("shop")->status.message);
        figure(s, "stopped after", secs(clock_type::now() - from));
        co_await wait(300ms);
        auto f = co_await since(from);
        auto const hash = hash_of("shop", "1.2-rc1");
        auto const tests = counted("shop-preview", hash);
        check(s,
            counted("shop", hash) == 0 && f.by_version.size() == 1 && f.by_version.contains(before) &&
                tests > 0,
            "none of " + std::to_string(f.sent) + " users' requests came to it; the " +
                std::to_string(tests) + " of its test did");

        from = clock_type::now();
        ok = co_await release_of("shop", "1.2");
        if (ok)
            ok = co_await until([&] { return is_released("shop", "1.2"); }, 30s);
        figure(s, "v1.2 tested and on after", secs(clock_type::now() - from));
        co_await wait(300ms);
        f = co_await since(from);
        check(s, ok && f.by_version.contains("1.2") && counted("shop", hash) == 0,
            "v1.2, which takes orders, passed the test and serves");
        auto const all = co_await since(s.from);
        lost_in_release(s, all);
    }

    // How users came from one version to another since `from`.
    void crossed(scene& s, std::string const& what, std::string const& old_version,
        std::string const& new_version, podium::time_point from)
    {
        auto const c = tour::crossing_of(load_->book(), old_version, new_version, from);
        if (c.first_of_new && c.last_of_old)
            figure(s, what + ": first v" + new_version + ", last v" + old_version,
                ms(*c.first_of_new - from) + ", " + ms(*c.last_of_old - from));
    }

    awaitable<void> blue_green(scene& s)
    {
        bool const ready = co_await staged(s, "shop");
        if (!ready)
            co_return;
        auto const old_version = stable_version("shop");
        std::string const next = "1.4";
        load("shop", settings_.rate);
        co_await wait(500ms);
        auto const connections = load_->opened();
        auto from = clock_type::now();
        std::function<void(json&)> const change = [&](json& r) {
            r["spec"]["strategy"]["blueGreen"]["autoPromotionEnabled"] = false;
            set_version(r, next);
        };
        bool ok = co_await edit<model::rollout>("shop", change);
        if (ok)
            ok = co_await until(
                [&] {
                    return is_in("shop", "Paused") &&
                        rollout("shop")->status.message == "waits to be promoted";
                },
                30s);
        figure(s, "previewed and tested after", secs(clock_type::now() - from));
        auto const preview = co_await ask(address_of("shop-preview"), 8080, net::http::verb::get, "/version");
        auto f = co_await since(from);
        check(s,
            ok && preview && preview->body() == next + '\n' && f.by_version.size() == 1 &&
                f.by_version.contains(old_version),
            "v" + next + " answers at the preview and has passed its test, while users see v" + old_version);
        std::set<std::string> olds;
        for (auto const& p : ready_pods("shop"))
            if (p->metadata.labels.at("version") == old_version)
                olds.insert(p.uid());

        from = clock_type::now();
        ok = co_await order("shop", "promote");
        if (ok)
            ok = co_await until([&] { return is_released("shop", next); });
        auto const switched = clock_type::now();
        figure(s, "promoted to acknowledged", ms(switched - from));
        co_await wait(1s);
        f = co_await since(switched);
        check(s, ok && f.by_version.size() == 1 && f.by_version.contains(next),
            "told to promote, it was switched to: all of " + std::to_string(f.sent) +
                " requests after that see v" + next);
        crossed(s, "switch", old_version, next, from);

        from = clock_type::now();
        ok = co_await order("shop", "abort");
        if (ok)
            ok = co_await until(
                [&] { return is_in("shop", "Degraded") && stable_version("shop") == old_version; });
        auto const back = clock_type::now();
        figure(s, "aborted to acknowledged", ms(back - from));
        std::size_t kept = 0;
        for (auto const& p : ready_pods("shop"))
            kept += olds.contains(p.uid());
        co_await wait(1s);
        f = co_await since(back);
        check(s,
            ok && f.by_version.size() == 1 && f.by_version.contains(old_version) && !olds.empty() &&
                kept == olds.size(),
            "told to abort, v" + old_version + " serves all again, from the " + std::to_string(kept) +
                " pods that were kept");
        crossed(s, "back", next, old_version, from);
        figure(s, "connections opened meanwhile", std::to_string(load_->opened() - connections));
        auto const all = co_await since(s.from);
        lost_in_release(s, all);
    }

    // What the comparison of a run says now.
    static std::optional<tour::rate_sample> look(model::analysis_run const& run)
    {
        for (auto const& m : run.status.metric_results)
            if (m.comparison && m.comparison->canary_units > 0 && m.comparison->stable_units > 0) {
                auto const& c = *m.comparison;
                auto const share = [](std::int64_t of, std::int64_t all) {
                    return static_cast<double>(of) / static_cast<double>(all);
                };
                auto const units = [](std::int64_t n) { return static_cast<std::uint64_t>(n); };
                return tour::rate_sample{clock_type::now(),
                    {share(c.canary_hits, c.canary_units), c.canary.low, c.canary.high,
                        units(c.canary_units)},
                    {share(c.stable_hits, c.stable_units), c.stable.low, c.stable.high,
                        units(c.stable_units)}};
            }
        return {};
    }
    // Follows the release of a canary until it is over or waits for a person: what its analysis knew, and
    // when.
    awaitable<tour::comparison> follow(std::string name, std::string canary)
    {
        tour::comparison seen;
        seen.canary = canary;
        seen.stable = stable_version(name);
        seen.title = "v" + canary + " against v" + seen.stable;
        seen.from = clock_type::now();
        std::string latest;
        bool ended = false;
        auto const done = [&] {
            auto const r = rollout(name);
            if (!r || r->status.observed_generation != r->metadata.generation)
                return false;
            if (auto run = analysis_of(name); !run.empty())
                latest = std::move(run);
            if (auto const run = analysis(latest); run && !ended) {
                ended = is_over(run->status.phase);
                seen.verdict = run->status.message;
                auto const now = look(*run);
                if (now && (ended || seen.samples.empty() || now->at - seen.samples.back().at >= 200ms))
                    seen.samples.push_back(*now);
            }
            return r->status.phase != "Progressing";
        };
        bool const over = co_await until(done, 90s);
        if (!over)
            seen.verdict = "it did not end";
        seen.to = clock_type::now();
        co_return seen;
    }
    // How long such a comparison takes, in nine of ten cases.
    void foretell(scene& s, double stable, double canary)
    {
        namespace judging = podium::rollout::analysis;
        auto const t = cluster_.view().get<model::analysis_template>("default", "more-buy");
        if (!t)
            return check(s, false, "there is no AnalysisTemplate more-buy");
        auto const policy = podium::controllers::policy_of({}, t->spec.metrics);
        auto const* const by =
            policy ? std::get_if<judging::comparison>(&policy->metrics.front().judge.which) : nullptr;
        if (!by)
            return check(s, false, "more-buy does not compare two versions");
        auto const foretold = judging::expect(by->policy,
            {.stable = stable,
                .difference = canary - stable,
                .share = 0.5,
                .units_per_second = settings_.visitors});
        if (foretold && foretold->late && foretold->late->after)
            figure(s, "foretold: nine of ten such tests are decided after", secs(*foretold->late->after));
    }
    void decided(scene& s, tour::comparison seen)
    {
        auto const last = seen.samples.empty() ? tour::rate_sample{} : seen.samples.back();
        auto const all = last.canary.units + last.stable.units;
        auto const share =
            static_cast<double>(last.canary.units) / static_cast<double>(std::max<std::uint64_t>(all, 1));
        check(s, share > 0.49 && share < 0.51,
            "until then it had " + fixed(100 * share, 1) + " % of " + std::to_string(all) + " visitors");
        if (all > 0)
            figure(s, "decided after", secs(last.at - seen.from));
        comparisons_.push_back(std::move(seen));
    }

    awaitable<void> good_idea(scene& s)
    {
        bool const ready = co_await staged(s, "checkout");
        if (!ready)
            co_return;
        foretell(s, 0.25, 0.30);
        load("checkout", settings_.visitors);
        co_await wait(500ms);
        auto const from = clock_type::now();
        bool const asked = co_await release_of("checkout", "1.5");
        auto seen = co_await follow("checkout", "1.5");
        check(s, asked && is_released("checkout", "1.5"), "v1.5 was promoted by itself; " + seen.verdict);
        auto const promoted = clock_type::now();
        figure(s, "declared to promoted", secs(promoted - from));
        co_await wait(1s);
        seen.to = clock_type::now();
        auto const f = co_await since(promoted);
        check(s, f.by_version.size() == 1 && f.by_version.contains("1.5"),
            "all of " + std::to_string(f.sent) + " visitors after that see it");
        decided(s, std::move(seen));
        auto const all = co_await since(s.from);
        lost_in_release(s, all);
    }

    awaitable<void> bad_idea(scene& s)
    {
        bool const ready = co_await staged(s, "checkout");
        if (!ready)
            co_return;
        load("checkout", settings_.visitors);
        co_await wait(500ms);
        auto from = clock_type::now();
        bool ok = true;
        if (auto const now = stable_version("checkout"); now != "1.4") {
            ok = co_await release_of("checkout", "1.4");
            if (ok)
                ok = co_await until([&] { return is_released("checkout", "1.4"); }, 30s);
            auto const hash = hash_of("checkout", "1.4");
            bool judged = false;
            for (auto const run : cluster_.view().all<model::analysis_run>("default"))
                judged = judged || run->spec.canary_version == hash;
            check(s, ok && !judged,
                "v1.4 was stable lately, so from v" + now + " back to it no step is needed");
            figure(s, "v" + now + " -> v1.4", secs(clock_type::now() - from));
            co_await wait(500ms);
        }

        from = clock_type::now();
        ok = co_await release_of("checkout", "1.6");
        auto seen = co_await follow("checkout", "1.6");
        auto const back = clock_type::now();
        check(s,
            ok && is_in("checkout", "Degraded") && stable_version("checkout") == "1.4" &&
                rollout("checkout")->status.message == "aborted: the analysis failed",
            "v1.6 went back by itself; " + seen.verdict);
        figure(s, "declared to gone back", secs(back - from));
        co_await wait(1s);
        seen.to = clock_type::now();
        auto const f = co_await since(back);
        check(s, f.by_version.size() == 1 && f.by_version.contains("1.4"),
            "all of " + std::to_string(f.sent) + " visitors after that see v1.4");
        decided(s, std::move(seen));
        auto const all = co_await since(s.from);
        lost_in_release(s, all);

        co_await end_load();
        std::function<void(json&)> const shorter = [](json& t) { t["spec"]["timeLimit"] = "3s"; };
        ok = co_await edit<model::analysis_template>("more-buy", shorter);
        if (ok)
            ok = co_await order("checkout", "retry");
        from = clock_type::now();
        seen = co_await follow("checkout", "1.6");
        figure(s, "without visitors: given up after", secs(clock_type::now() - from));
        co_await wait(2s);  // and it stays so
        auto const weight = [&] {
            auto const& c = rollout("checkout")->status.canary;
            return c && c->weights ? c->weights->canary.weight : -1;
        };
        check(s,
            ok && is_in("checkout", "Paused") && stable_version("checkout") == "1.4" && weight() == 50 &&
                rollout("checkout")->status.message == "the analysis has no data",
            "the same without a visitor: it waits at " + std::to_string(weight()) + " %, not promoted; " +
                rollout("checkout")->status.message);
        ok = co_await order("checkout", "abort");
        if (ok)
            ok = co_await until([&] { return is_in("checkout", "Degraded") && weight() == 0; });
        check(
            s, ok && stable_version("checkout") == "1.4", "told to abort, v1.4 has all of the traffic again");
    }

    // -- Load --------------------------------------------------------------------------------------

    // The mean of what was used in the last samples.
    std::optional<double> used_lately(duration time) const
    {
        double sum = 0, n = 0;
        for (auto const& x : scaling_->samples)
            if (x.percent && clock_type::now() - x.at <= time)
                sum += *x.percent, ++n;
        return n > 0 ? std::optional(sum / n) : std::nullopt;
    }
    std::optional<double> most_used(podium::time_point since) const
    {
        std::optional<double> most;
        for (auto const& x : scaling_->samples)
            if (x.at >= since && x.percent)
                most = std::max(most.value_or(0), *x.percent);
        return most;
    }
    static std::string percent(std::optional<double> p) { return p ? fixed(*p, 0) + " %" : "? %"; }

    // A request takes 5 ms of CPU and a web requests 200 of the 1,000 that a second has, so 32 requests a
    // second make one web busy at 80 %.
    awaitable<void> autoscale(scene& s)
    {
        shown_ = "web";
        auto const busy = [](double share) { return share * 2 * 200 / 5; };
        scaling_.emplace();
        scaling_->from = clock_type::now();
        bool ok = co_await apply(s, settings_.scaling);
        if (ok)
            ok = co_await until([&] { return used().has_value() && ready_pods("web").size() == 2; });
        check(s, ok, "the autoscaler sees what the two webs use: " + percent(used()) + " of their requests");
        auto const a = autoscaler();
        if (!ok || !a)
            co_return scaling_.reset();
        scaling_->title = "Deployment/web";
        scaling_->target = a->spec.metrics.front().resource->target.average_utilization.value_or(0);
        scaling_->least = static_cast<std::uint32_t>(a->spec.min_replicas);
        scaling_->most = static_cast<std::uint32_t>(a->spec.max_replicas);
        auto const wanted = [&] { return deployment("web")->spec.replicas; };

        target_ = "/search?ms=5";
        load("web", busy(0.4));
        co_await wait(8s);
        auto lately = used_lately(3s);
        check(s, lately && *lately > 30 && *lately < 55 && wanted() == 2,
            "at " + percent(lately) + " two are enough");

        auto from = clock_type::now();
        load("web", busy(0.8));
        ok = co_await until([&] { return wanted() == 3; });
        auto const peak = std::max(most_used(from), used());
        check(s, ok && peak && *peak > 66 && *peak < 95,
            "at " + percent(peak) + ", above the target of " + fixed(scaling_->target, 0) +
                " %, a third is asked for");
        if (ok)
            ok = co_await until([&] { return is_rolled_out("web") && balanced() == 3; });
        figure(s, "80 % to three that serve", secs(clock_type::now() - from));
        co_await wait(8s);
        lately = used_lately(3s);
        check(s, ok && lately && *lately > 45 && *lately < 62 && wanted() == 3,
            "three take the same load at " + percent(lately) + ", and so it stays");

        from = clock_type::now();
        co_await end_load();
        auto const window =
            std::chrono::seconds(a->spec.behavior->scale_down->stabilization_window_seconds.value_or(0));
        ok = co_await until([&] { return wanted() == 2; }, 30s);
        auto const after = clock_type::now() - from;
        // It counts from the last look that wanted three, which is at most a period before the load ended.
        check(s, ok && after + cluster_.how().autoscaling.period >= window,
            "without load it goes back to two, and not before the window of " + secs(window));
        figure(s, "load gone to two", secs(after));
        if (ok)
            ok = co_await until([&] { return is_rolled_out("web") && pods("web").size() == 2; });
        auto const all = co_await since(s.from);
        lost(s, all);
        target_ = "/";
        scaling_->to = clock_type::now();
        scalings_.push_back(*std::exchange(scaling_, std::nullopt));
    }

    // -- Measure ---------------------------------------------------------------------------------

    awaitable<std::optional<tour::figures_page>> scrape(scene& s)
    {
        net::http_request r(net::http::verb::get, "/metrics", 11);
        r.set(net::http::field::host, page_at_.text());
        auto const got = co_await net::http_call(page_at_, std::move(r), {});
        if (!got || got->result_int() != 200) {
            check(s, false, "/metrics answers: " + (got ? got->body() : got.error().text()));
            co_return std::nullopt;
        }
        auto page = tour::figures_page::read(got->body());
        if (!page) {
            check(s, false, page.error().text());
            co_return std::nullopt;
        }
        figure(s, "series", std::to_string(page->size()));
        co_return *std::move(page);
    }

    // Whatever the tour knows from its own ledger and view, a stranger can find out from /metrics alone.
    awaitable<void> measure(scene& s)
    {
        if (!load_) {
            load(300);
            co_await wait(2s);
        }
        co_await end_load();
        auto const now = co_await scrape(s);
        if (!now)
            co_return;
        constexpr auto requests = "podium_proxy_requests_total";
        auto const whole = [](double n) { return std::to_string(static_cast<std::uint64_t>(n)); };

        double answered = 0;
        for (auto const* const service : {"web", "shop", "checkout"})
            for (auto const* const code : {"2xx", "3xx"})
                answered += now->sum(requests, {{"service", service}, {"sent", "dealt"}, {"code", code}});
        auto const book = tour::summarize(load_->book());
        auto const known = static_cast<double>(book.answered + asked_);
        check(s, answered == known,
            "how many requests were answered? " + whole(answered) + "; the clients counted " + whole(known));

        auto const up = now->sum("kube_deployment_status_replicas_available", {{"deployment", "web"}}) +
            now->sum("kube_statefulset_status_replicas_available", {{"statefulset", "db"}});
        check(s, up == 3, "how many pods of web and db are available? " + whole(up));
        auto const ready =
            now->sum("kube_node_status_condition", {{"condition", "Ready"}, {"status", "true"}});
        check(s, ready == 3, "how many nodes are ready? " + whole(ready));

        double restarts = 0;
        for (auto const& p : cluster_.view().all<model::pod>("default"))
            for (auto const& c : p->status.container_statuses)
                restarts += c.restart_count;
        auto const told = now->sum("kube_pod_container_status_restarts_total");
        check(s, told == restarts, "how often were their containers started again? " + whole(told));

        auto const p99 = now->quantile(0.99, "podium_proxy_request_duration_seconds", {{"service", "web"}});
        check(s, p99 && *p99 > 0 && *p99 < 1,
            "how long do 99 of 100 requests to the web wait for it? At most " +
                (p99 ? fixed(*p99 * 1e3, 1) : "?") + " ms");

        if (auto const a = autoscaler()) {
            auto const wanted = now->sum(
                "kube_horizontalpodautoscaler_status_desired_replicas", {{"horizontalpodautoscaler", "web"}});
            check(s, wanted == a->status.desired_replicas,
                "how many webs does its autoscaler want? " + whole(wanted));
        }
        for (auto const& c : comparisons_) {
            if (c.samples.empty())
                continue;
            std::string said;
            bool near = true;
            for (auto const& [version, of] :
                {std::pair(c.canary, &tour::rate_sample::canary), {c.stable, &tour::rate_sample::stable}}) {
                auto const of_version = tour::figures_page::labels{
                    {"service", "checkout"}, {"version", hash_of("checkout", version)}};
                auto dealt = of_version;
                dealt.insert({{"sent", "dealt"}, {"code", "2xx"}});
                auto const rate =
                    now->sum("podium_proxy_conversions_total", of_version) / now->sum(requests, dealt);
                near = near && std::abs(rate - (c.samples.back().*of).value) < 0.03;
                said += (said.empty() ? "v" : ", v") + version + ' ' + fixed(100 * rate, 1) + " %";
            }
            check(s, near, "which share of visitors bought, of those who saw each? " + said);
        }
        double failed = 0;
        for (auto const* const service : {"shop", "checkout"}) {
            for (auto const* const code : {"none", "4xx", "5xx"})
                failed += now->sum(requests, {{"service", service}, {"sent", "dealt"}, {"code", code}});
            failed += now->sum("podium_proxy_refused_total", {{"service", service}});
        }
        check(s, failed == 0, "how many requests failed during releases? " + whole(failed));
        figure(s, "this process, processor time",
            secs(std::chrono::nanoseconds(
                static_cast<std::int64_t>(1e9 * now->sum("process_cpu_seconds_total")))));
        figure(s, "memory of this process",
            fixed(now->sum("process_resident_memory_bytes") / 1048576, 0) + " MiB");
        figure(s, "transactions committed", whole(now->sum("podium_plane_transactions_total")));
    }

    boost::asio::io_context& io_;
    podium::cluster::local cluster_;
    podium::cluster::dashboard page_;
    net::address page_at_{};
    settings settings_;
    std::optional<tour::load_generator> load_{};
    std::vector<scene> scenes_{};
    std::vector<tour::replica_sample> replicas_{};
    std::vector<tour::comparison> comparisons_{};
    std::vector<tour::scaling> scalings_{};
    std::optional<std::uint64_t> lost_in_updates_{};
    std::optional<std::uint64_t> lost_in_releases_{};
    std::optional<tour::scaling> scaling_{};  // while the autoscaler is watched
    std::string target_ = "/";                // what the load asks for
    std::string shown_ = "web";               // whose pods the report shows
    std::uint64_t asked_ = 0;                 // of the web, beside the load, and answered
    bool loading_ = false;
    bool stopped_ = false;
};

// Beside this program, where the build lays them out.
std::filesystem::path beside(char const* name)
{
    std::error_code ec;
    return std::filesystem::read_symlink("/proc/self/exe", ec).parent_path() / name;
}

}  // namespace

int play_tour(std::vector<std::string> const& args)
{
    auto const a = parse(args,
        {{"--help -h"}, {"--scene", true}, {"--rate", true}, {"--visitors", true}, {"--images", true},
            {"--manifests", true}, {"--releases", true}, {"--scaling", true}, {"--report", true}});
    if (!a)
        return failed(a.error(), 2);
    if (a->has("--help"))
        return std::fputs(usage, stdout) < 0;
    auto const number = [&](char const* name, int otherwise, int most) -> podium::result<int> {
        auto const text = a->value(name, std::to_string(otherwise));
        if (text.empty() || text.size() > 6 || text.find_first_not_of("0123456789") != text.npos ||
            std::stoi(text) < 1 || std::stoi(text) > most)
            return podium::error{
                podium::errc::invalid, "expected a number from 1 to " + std::to_string(most), name, {}};
        return std::stoi(text);
    };
    auto const only = a->has("--scene") ? number("--scene", 1, 13) : podium::result<int>(0);
    auto const rate = number("--rate", 1200, 100'000);
    auto const visitors = number("--visitors", 1500, 100'000);
    if (!only || !rate || !visitors || !a->words.empty())
        return failed(!only ? only.error()
                : !rate     ? rate.error()
                : !visitors ? visitors.error()
                            : podium::error{podium::errc::invalid, "expected no further words", {}, {}},
            2);

    podium::cluster::options how;
    how.images = a->value("--images", beside("images").string());
    how.nodes = {{.name = "node-1"}, {.name = "node-2"}, {.name = "node-3"}};
    how.control.node_grace = 2s;
    how.control.default_toleration = 2s;
    how.control.drain.deadline = 5s;
    how.agent.lease_renewal = 500ms;
    how.autoscaling.period = 3s;

    boost::asio::io_context io(1);
    player p(io, how,
        {.manifests = a->value("--manifests", beside("manifests").string()),
            .releases = a->value("--releases", beside("releases").string()),
            .scaling = a->value("--scaling", beside("scaling").string()),
            .rate = static_cast<double>(*rate),
            .visitors = static_cast<double>(*visitors)});
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code ec, int) {
        if (!ec)
            p.hurry(), io.stop();
    });
    auto const began = clock_type::now();
    std::optional<bool> fine;
    std::exception_ptr thrown;
    boost::asio::co_spawn(io, p.play(*only), [&](std::exception_ptr e, bool kept) {
        thrown = e;
        fine = !e && kept;
        signals.cancel();
    });
    io.run();
    if (thrown)
        std::rethrow_exception(thrown);
    if (!fine)
        return 130;

    std::printf("\n%-3s %-11s %-9s %8s  %s\n", "", "scene", "", "took", "promises kept");
    int broken = 0;
    for (auto const& s : p.scenes()) {
        int kept = 0;
        for (auto const& x : s.promises)
            kept += x.kept;
        broken += !s.kept();
        std::printf("%-3d %-11s %-9s %8s  %d of %zu\n", s.number, s.name.c_str(), s.kept() ? "ok" : "BROKEN",
            secs(s.to - s.from).c_str(), kept, s.promises.size());
    }
    std::printf("\n%s in %s\n", broken == 0 ? "all promises kept" : "promises were broken",
        secs(clock_type::now() - began).c_str());
    tour::recording recorded;
    recorded.subtitle = "a shop on three nodes of one machine: real processes, real sockets, real requests";
    for (auto const& s : p.scenes()) {
        std::string why;
        for (auto const& x : s.promises)
            why += x.kept ? "" : (why.empty() ? "" : "; ") + x.text;
        recorded.scenes.push_back({std::to_string(s.number), s.name, s.shows,
            s.kept() ? tour::verdict::kept : tour::verdict::broken, why, s.figures, s.from, s.to});
    }
    if (p.has_load())
        recorded.traffic = tour::series_of(p.book());
    recorded.replicas = p.replicas();
    recorded.comparisons = p.comparisons();
    recorded.scalings = p.scalings();
    if (p.lost_in_updates())
        recorded.headline.push_back({"lost in rolling updates", std::to_string(*p.lost_in_updates())});
    if (p.lost_in_releases())
        recorded.headline.push_back({"lost in releases", std::to_string(*p.lost_in_releases())});
    auto const file = a->value("--report", beside("tour.html").string());
    if (!(std::ofstream(file) << tour::html(recorded)))
        return failed({podium::errc::unavailable, "cannot be written", file, {}});
    std::printf("report: %s\n", file.c_str());
    return broken == 0 && *fine ? 0 : 1;
}
