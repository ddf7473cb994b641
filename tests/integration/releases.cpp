// The shop is released again and again while orders come in, with a ledger on both sides: what the customers
// were told, and what the db has on its disk. CI plays a few releases of each kind, `./tests/run long` ten
// times as many.
#include "../../examples/podium/load.hpp"
#include "../cluster/world.hpp"

#include <podium/yaml.hpp>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>

namespace {

using namespace podium;
using namespace podium::tests::real;

constexpr std::size_t customers = 16;

/// The shop as its manifests declare it. With a strategy its web is a Rollout: it stands where a Deployment
/// would.
struct shop : world {
    std::string data;
    json web{};  ///< as it was declared at first
    int releases = 0;
    std::int64_t generation = 0;  ///< of what was declared last
    std::optional<tour::load_generator> load{};

    explicit shop(json const& strategy, std::string where = temporary())
        : world(3, {}, where),
          data(std::move(where))
    {
        for (std::string const file : {"10-db.yaml", "20-web.yaml"}) {
            std::ifstream in(images() + "/../manifests/" + file);
            std::string const text(std::istreambuf_iterator<char>(in), {});
            auto const read = yaml::read_manifests(text, file, c.kinds());
            REQUIRE_MESSAGE(read, (read ? "" : read.error().text()));
            for (auto const& m : *read) {
                auto object = m.written;
                if (object["kind"] == "Deployment") {
                    if (!strategy.is_null()) {
                        object["apiVersion"] = model::rollout::api_version;
                        object["kind"] = model::rollout::kind;
                        object["spec"]["strategy"] = strategy;
                    }
                    web = object;
                }
                declare(object);
            }
        }
        declare({{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "preview"}}},
            {"spec", {{"selector", {{"app", "web"}}}, {"ports", {{{"name", "http"}, {"port", 8080}}}}}}});
        REQUIRE(until([&] { return ready("db") == 1 && ready("web") == 2; }));
    }
    ~shop()
    {
        last_orders();
        std::filesystem::remove_all(data);
    }

    [[nodiscard]] std::string path_to(json const& object, std::string_view name = {}) const
    {
        auto const& kind = *c.kinds().find(
            object["apiVersion"].get<std::string_view>(), object["kind"].get<std::string_view>());
        return api::path_of(kind.api_version, kind.plural, "default", name);
    }
    void declare(json const& object) { create(path_to(object), object); }
    [[nodiscard]] int ready(std::string const& app) const
    {
        int n = 0;
        for (auto const& p : pods())
            n += p->metadata.labels.at("app") == app && model::is_ready(*p) && controllers::is_active(*p);
        return n;
    }

    // -- Releases ----------------------------------------------------------------------------------

    void patch(json const& change)
    {
        generation = world::patch(path_to(web, "web"), change)["metadata"]["generation"];
    }
    /// A template that was not there before: this version, where so many of the visitors buy.
    void release(std::string const& version, json const& strategy = json::object(), char const* rate = "0.9")
    {
        auto next = web["spec"]["template"];
        next["metadata"]["labels"]["version"] = version;
        auto& container = next["spec"]["containers"][0];
        container["image"] = "shop/web:" + version;
        container["env"].push_back({{"name", "CONVERSION_RATE"}, {"value", rate}});
        container["env"].push_back({{"name", "RELEASE"}, {"value", std::to_string(++releases)}});
        patch({{"spec", {{"template", next}, {"strategy", strategy}}}});
    }
    /// The template that it began with, again.
    void undo() { patch({{"spec", {{"template", web["spec"]["template"]}}}}); }
    void order(char const* what)
    {
        patch({{"metadata", {{"annotations", {{std::string(controllers::order_annotation), what}}}}}});
    }
    /// Waits until the release is there, with what was declared last. The view may be behind that.
    bool comes_to(std::function<bool(model::rollout_status const&)> const& there)
    {
        auto const status = [&] { return c.view().get<model::rollout>("default", "web")->status; };
        bool const came =
            until([&] { return status().observed_generation >= generation && there(status()); });
        std::string const found = status().phase + ": " + status().message;
        CHECK_MESSAGE(came, found);
        return came;
    }
    bool comes_to(rollout::blue_green::stage stage)
    {
        return comes_to([stage](auto const& s) { return s.machine.blue_green->at == stage; });
    }
    bool comes_to(rollout::canary::stage stage)
    {
        return comes_to([stage](auto const& s) { return s.machine.canary->at == stage; });
    }

    // -- Orders ------------------------------------------------------------------------------------

    /// Customers order, each over a connection of his own, and no two orders are the same.
    void open()
    {
        tour::load_options how;
        how.ip = c.view().get<model::service>("default", "web")->spec.cluster_ip;
        how.port = 8080;
        how.target = "/order";
        how.connections = customers;
        how.per_second = 300;
        how.prepare = [](tour::load_request& r, std::uint64_t number) {
            r.method(tour::http::verb::post);
            r.set("X-Order", "o-" + std::to_string(number));
            r.set("X-Visitor", std::to_string(number));
            r.body() = "a lamp";
        };
        load.emplace(io.get_executor(), std::move(how));
        load->start();
    }
    [[nodiscard]] tour::ledger const& book() const { return load->book(); }

    /// Of so many orders, or a few more, the part that each version got. When they begin all others have been
    /// answered, and those to come wait for the end, so nothing is under way at either.
    std::map<std::string, std::size_t> next_orders(std::size_t least)
    {
        auto const& all = book().entries();
        auto const settle = [&] {
            load->hold();
            REQUIRE(until([&] { return book().open() == 0; }));
        };
        settle();
        auto const first = all.size();
        load->resume();
        REQUIRE(until([&] { return all.size() >= first + least; }));
        settle();
        std::map<std::string, std::size_t> out;
        for (auto i = first; i < all.size(); ++i)
            ++out[book().versions()[all[i].version]];
        load->resume();
        return out;
    }
    bool all_go_to(std::string const& version)
    {
        auto const got = next_orders(20);
        return got.size() == 1 && got.contains(version);
    }

    /// Nobody orders any more, and all have their answers.
    bool last_orders()
    {
        bool done = !load;
        if (load)
            asio::co_spawn(io, load->stop(), [&](std::exception_ptr) { done = true; });
        return until([&] { return done; });
    }

    /// Each order that a customer was told of is on the disk, once, and there are no others. None was refused
    /// or lost or arrived twice, and each customer has the connection that he began with.
    void close()
    {
        REQUIRE(last_orders());
        auto const told = tour::summarize(book());
        CHECK(told.errors() == 0);
        CHECK(told.answered == told.sent);
        CHECK(book().reasons() == std::map<std::string, std::uint64_t>{});
        CHECK(load->opened() == customers);
        std::map<std::string, int> acknowledged, stored;
        std::size_t not_created = 0;
        for (std::size_t n = 0; n < told.sent; ++n) {
            auto const& e = book().entries()[n];
            not_created += e.status != 201;  // 200 would be an order that arrived twice
            if (e.outcome == tour::outcome::answered)
                acknowledged["o-" + std::to_string(n)] = 1;
        }
        CHECK(not_created == 0);
        std::ifstream file(data + "/claims/default/data-db-0/orders");
        for (std::string line; std::getline(file, line);)
            ++stored[line.substr(0, line.find(' '))];
        bool const same = stored == acknowledged;
        CHECK_MESSAGE(same, stored.size() << " stored, " << acknowledged.size() << " acknowledged");
        stop();
    }
    /// Says now and then how far a long run is.
    void report(char const* what, int done, int of) const
    {
        if (done % 10 == 0)
            std::cout << what << ": " << done << " of " << of << ", " << book().entries().size() << " orders"
                      << std::endl;
    }
};

void rolling_updates(int count)
{
    shop s(json{});
    s.open();
    for (int i = 1; i <= count; ++i) {
        auto const version = i % 2 == 0 ? "1.0" : "1.2";
        // Every fourth as the shop declares it, one pod after the other; the others take half as long.
        s.release(version, {{"rollingUpdate", {{"maxSurge", i % 4 == 0 ? 1 : 2}}}});
        int fewest = 2;
        REQUIRE(s.until([&] {
            fewest = std::min(fewest, s.ready("web"));
            int only = 0;
            for (auto const& p : s.pods())
                if (p->metadata.labels.at("app") == "web")
                    only += p->metadata.labels.at("version") == version && model::is_ready(*p) ? 1 : 10;
            return only == 2;
        }));
        CHECK(fewest == 2);
        s.report("rolling updates", i, count);
    }
    s.close();
}

void blue_green_switches(int count)
{
    using enum rollout::blue_green::stage;
    shop s(json{{"blueGreen",
        {{"activeService", "web"}, {"previewService", "preview"}, {"abortScaleDownDelaySeconds", 0}}}});
    s.open();
    for (int i = 1; i <= count; ++i) {
        // Back while the old pods are kept, or when they are gone as soon as may be.
        bool const kept = i % 2 == 0;
        s.release("1.2", {{"blueGreen", {{"scaleDownDelaySeconds", kept ? 60 : 0}}}});
        REQUIRE(s.comes_to(kept ? keeping : settled));
        CHECK(s.all_go_to("1.2"));
        if (kept)
            s.order("abort");
        else
            s.undo();
        REQUIRE(s.comes_to(kept ? aborted : settled));
        CHECK(s.all_go_to("1.0"));
        s.report("blue/green switches and back", i, count);
    }
    s.close();
}

void canaries(int count)
{
    using enum rollout::canary::stage;
    json const check = {{"analysis", {{"templates", {{{"templateName", "as-many-buy"}}}}}}};
    shop s(json{{"canary",
        {{"stableService", "web"}, {"canaryService", "preview"}, {"scaleDownDelaySeconds", 0},
            {"abortScaleDownDelaySeconds", 0},
            {"trafficRouting", {{"podium", {{"conversionHeader", "X-Conversion"}}}}},
            {"steps", {{{"setWeight", 20}}, {{"pause", json::object()}}, {{"setWeight", 50}}, check}}}}});
    s.declare({{"apiVersion", "argoproj.io/v1alpha1"}, {"kind", "AnalysisTemplate"},
        {"metadata", {{"name", "as-many-buy"}}},
        {"spec",
            {{"metrics",
                {{{"name", "conversion"}, {"interval", "100ms"},
                    {"provider",
                        {{"podium",
                            {{"measure", "conversions"}, {"margin", 0.3}, {"horizon", 100000}}}}}}}}}}});
    s.open();
    std::string stable = "1.0";
    for (int i = 1; i <= count; ++i) {
        bool const good = i % 2 == 1;
        std::string const version = stable == "1.0" ? "1.2" : "1.0";
        s.release(version, json::object(), good ? "0.9" : "0.1");
        REQUIRE(s.comes_to([](auto const& status) { return status.phase == "Paused"; }));
        auto const divided = s.next_orders(100);
        // Exact: a fifth, rounded up or down.
        auto const canary = divided.at(version), all = canary + divided.at(stable);
        CAPTURE(canary);
        CAPTURE(all);
        CHECK(canary >= all / 5);
        CHECK(canary <= (all + 4) / 5);
        s.order("promote");
        REQUIRE(s.comes_to(good ? settled : aborted));
        if (good)
            stable = version;
        CHECK(s.all_go_to(stable));
        s.report("canary runs", i, count);
    }
    s.close();
}

}  // namespace

TEST_CASE("releases: twenty rolling updates lose no order and no connection")
{
    rolling_updates(20);
}
TEST_CASE("releases: five blue/green switches, and back, lose no order and no connection")
{
    blue_green_switches(5);
}
TEST_CASE("releases: five canaries, good ones and bad ones, lose no order and no connection")
{
    canaries(5);
}

TEST_SUITE("long")
{
    TEST_CASE("releases: 200 rolling updates lose no order and no connection")
    {
        rolling_updates(200);
    }
    TEST_CASE("releases: 50 blue/green switches, and back, lose no order and no connection")
    {
        blue_green_switches(50);
    }
    TEST_CASE("releases: 50 canaries, good ones and bad ones, lose no order and no connection")
    {
        canaries(50);
    }
}
