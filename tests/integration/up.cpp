// The program `podium` from outside: `up` as a child, the other commands beside it. Program and images are
// expected where the build puts them: ../examples beside the folder of this test program.
#include <podium/net/api_server.hpp>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::string examples()
{
    char self[PATH_MAX];
    auto const n = ::readlink("/proc/self/exe", self, sizeof self);
    std::string const path(self, n > 0 ? static_cast<std::size_t>(n) : 0);
    return path.substr(0, path.rfind('/')) + "/../examples";
}

std::string read(std::string const& name)
{
    std::ifstream file(name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool has(std::string const& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

template<class F>
bool until(F const& is_so)
{
    auto const deadline = std::chrono::steady_clock::now() + 2min;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > deadline)
            return false;
        std::this_thread::sleep_for(20ms);
    }
    return true;
}

/// A folder with manifests, and a podium that is up on them.
struct world {
    std::string folder;
    pid_t up = -1;

    world()
    {
        char name[] = "/tmp/podium-test-XXXXXX";
        REQUIRE(::mkdtemp(name));
        folder = name;
        REQUIRE(::mkdir((folder + "/m").c_str(), 0700) == 0);
    }
    ~world()
    {
        if (up > 0) {
            ::kill(up, SIGKILL);
            ::waitpid(up, nullptr, 0);
        }
        for (auto const* const in : {"/m", "/s", ""}) {
            if (auto* const all = ::opendir((folder + in).c_str())) {
                while (auto const* const entry = ::readdir(all))
                    (void)::unlink((folder + in + '/' + entry->d_name).c_str());
                ::closedir(all);
            }
            (void)::rmdir((folder + in).c_str());
        }
    }

    pid_t spawn(std::vector<std::string> args, std::string const& out) const
    {
        args.insert(args.begin(), examples() + "/podium");
        std::vector<char*> argv;
        for (auto& a : args)
            argv.push_back(a.data());
        argv.push_back(nullptr);
        auto const child = ::fork();
        if (child == 0) {
            int const to = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
            ::dup2(to, 1);
            ::dup2(to, 2);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        REQUIRE(child > 0);
        return child;
    }
    static int code(pid_t child)
    {
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    struct answer {
        int code;
        std::string text;
    };
    answer podium(std::vector<std::string> args) const
    {
        args.insert(args.end(), {"--socket", socket()});
        auto const out = folder + "/out";
        auto const c = code(spawn(std::move(args), out));
        return {c, read(out)};
    }
    [[nodiscard]] std::string socket() const { return folder + "/s/podium.sock"; }
    [[nodiscard]] std::string log() const { return read(folder + "/log"); }

    void write(std::string const& name, std::string const& text) const
    {
        std::ofstream(folder + "/new", std::ios::binary) << text;
        REQUIRE(std::rename((folder + "/new").c_str(), (folder + "/m/" + name).c_str()) == 0);
    }
    void start(std::vector<std::string> const& more = {})
    {
        (void)::unlink((folder + "/log").c_str());
        std::vector<std::string> args{"up", "-f", folder + "/m", "--images", examples() + "/images",
            "--nodes", "2", "--socket", socket(), "--data", folder + "/data"};
        args.insert(args.end(), more.begin(), more.end());
        up = spawn(std::move(args), folder + "/log");
        REQUIRE(until([&] { return has(log(), "podium is up"); }));
    }
    [[nodiscard]] bool says(std::string const& part) const
    {
        return until([&] { return has(log(), part); });
    }
    int stop(int signal)
    {
        REQUIRE(::kill(up, signal) == 0);
        return code(std::exchange(up, -1));
    }
    [[nodiscard]] nlohmann::json get(std::vector<std::string> args) const
    {
        args.insert(args.begin(), "get");
        args.insert(args.end(), {"-o", "json"});
        return nlohmann::json::parse(podium(std::move(args)).text, nullptr, false);
    }
};

/// A podium whose answers a test decides, at the socket of a world.
class pretended {
public:
    pretended(world const& w, podium::net::api_handler answer) : server_(io.get_executor(), std::move(answer))
    {
        REQUIRE(server_.listen(podium::net::address::unix_socket(w.socket())));
        thread_ = std::thread([this] { io.run(); });
    }
    ~pretended()
    {
        io.stop();
        thread_.join();
    }
    pretended(pretended const&) = delete;
    pretended& operator=(pretended const&) = delete;

    boost::asio::io_context io{1};

private:
    podium::net::api_server server_;
    std::thread thread_{};
};

podium::api::response list_of(std::vector<nlohmann::json> const& items)
{
    return {200, nlohmann::json{{"metadata", {{"resourceVersion", "1"}}}, {"items", items}}.dump()};
}

/// A pod whose container has begun to run for the `run`th time.
nlohmann::json running_pod(std::string const& name, std::string const& run = "1")
{
    nlohmann::json const status{
        {"name", "main"}, {"containerID", run}, {"state", {{"running", nlohmann::json::object()}}}};
    return {{"apiVersion", "v1"}, {"kind", "Pod"},
        {"metadata", {{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}}},
        {"spec", {{"nodeName", "node-1"}, {"containers", {{{"name", "main"}, {"image", "a"}}}}}},
        {"status", {{"phase", "Running"}, {"containerStatuses", {status}}}}};
}

std::string deployment(std::string const& name, int replicas, std::string const& more = {})
{
    return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name +
        "}\nspec:\n  replicas: " + std::to_string(replicas) + "\n  selector: {matchLabels: {app: " + name +
        "}}\n  template:\n    metadata: {labels: {app: " + name +
        "}}\n    spec:\n      containers:\n      - name: main\n        image: shop/web:1.0\n" + more;
}

constexpr char const service[] = R"(apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
)";

}  // namespace

TEST_CASE("up: a stateful set keeps its data when podium ends and comes back; it is rolled and rolled back")
{
    world w;
    auto const db = [](std::string const& version) {
        return R"(apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, version: ")" +
            version + R"("}}
    spec:
      containers:
      - name: main
        image: shop/db:1.0
        env: [{name: DATA_DIR, value: /data}]
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: 1Gi}}
)";
    };
    w.write("a.yaml", db("1.0"));
    w.start();
    REQUIRE(w.says("statefulset/db: 1/1 ready"));
    auto const files = w.folder + "/data/claims/default/data-db-0";
    CHECK(w.get({"pvc", "data-db-0"})["status"]["phase"] == "Bound");
    CHECK(has(w.podium({"get", "pvc,sts"}).text, "RWO"));
    CHECK(std::filesystem::exists(files + "/orders"));
    std::ofstream(files + "/orders", std::ios::app) << "a1 tea\n";
    CHECK(w.stop(SIGINT) == 0);
    CHECK(read(files + "/orders") == "a1 tea\n");

    w.start();
    REQUIRE(w.says("statefulset/db: 1/1 ready"));
    CHECK(read(files + "/orders") == "a1 tea\n");
    w.write("a.yaml", db("1.1"));
    REQUIRE(w.says("statefulset.apps/db configured"));
    auto const status = w.podium({"rollout", "status", "sts/db"});
    CHECK(status.code == 0);
    CHECK(has(status.text, "statefulset \"db\" successfully rolled out"));
    auto const version = [&] { return w.get({"pod", "db-0"})["metadata"]["labels"]["version"]; };
    CHECK(version() == "1.1");
    auto const history = w.podium({"rollout", "history", "sts/db"});
    CHECK(history.code == 0);
    CHECK(has(history.text, "\n1 "));
    CHECK(has(history.text, "\n2 "));
    CHECK(w.podium({"rollout", "undo", "sts/db", "--to-revision", "7"}).code == 1);
    auto const undone = w.podium({"rollout", "undo", "sts/db", "--to-revision", "1"});
    CHECK(undone.text == "statefulset.apps/db rolled back to revision 1\n");
    CHECK(w.podium({"rollout", "status", "sts/db"}).code == 0);
    CHECK(version() == "1.0");
    CHECK(read(files + "/orders") == "a1 tea\n");
    CHECK(w.stop(SIGTERM) == 0);
}

TEST_CASE("up: manifests become processes, saving one changes them, Ctrl-C leaves nothing")
{
    world w;
    w.write("a.yaml", deployment("web", 2) + "---\n" + service);
    w.start();
    REQUIRE(w.says("deployment/web: 2/2 ready"));
    auto const log = w.log();
    CHECK(log.find("service/web created") < log.find("deployment.apps/web created"));  // whatever their order

    auto const pods = w.podium({"get", "pods"});
    CHECK(pods.code == 0);
    CHECK(has(pods.text, "NAME"));
    CHECK(has(pods.text, "1/1     Running"));
    auto const status = w.podium({"rollout", "status", "deployment/web"});
    CHECK(status.code == 0);
    CHECK(has(status.text, "successfully rolled out"));

    w.write("a.yaml", deployment("web", 1) + "---\n" + service);
    REQUIRE(w.says("deployment.apps/web configured"));
    REQUIRE(until([&] { return w.get({"pods"})["items"].size() == 1; }));

    // Whatever others made stays, whatever is in no manifest any more goes.
    w.write("../b.yaml", deployment("other", 1));
    auto const applied = w.podium({"apply", "-f", w.folder + "/b.yaml"});
    CHECK(applied.code == 0);
    CHECK(applied.text == "deployment.apps/other created\n");
    CHECK(w.podium({"apply", "-f", w.folder + "/b.yaml"}).text == "deployment.apps/other unchanged\n");
    w.write("a.yaml", service);
    REQUIRE(w.says("deployment.apps/web deleted"));
    REQUIRE(until([&] { return w.get({"pods", "-l", "app=web"})["items"].empty(); }));
    CHECK(w.get({"deployment/other"})["metadata"]["name"] == "other");

    REQUIRE(until([&] { return w.get({"deployment", "other"})["status"].value("readyReplicas", 0) == 1; }));
    auto const gone = w.podium({"delete", "-f", w.folder + "/b.yaml", "-w"});
    CHECK(gone.text == "deployment.apps/other deleted\n");
    CHECK(w.podium({"get", "deployment", "other"}).code == 1);

    w.write("c.yaml", deployment("last", 1));
    REQUIRE(w.says("deployment/last: 1/1 ready"));
    CHECK(w.stop(SIGINT) == 0);
    CHECK(has(w.log(), "nothing is left"));
    CHECK(::access(w.socket().c_str(), F_OK) != 0);
    auto const late = w.podium({"get", "pods"});
    CHECK(late.code == 1);
    CHECK(has(late.text, "Is podium up?"));
}

TEST_CASE("logs: several pods are merged in the order of time, and those that come later join in")
{
    world w;
    // Prints a line when the test says so.
    auto const talker = [&](std::string const& name) {
        return "---\napiVersion: v1\nkind: Pod\nmetadata: {name: " + name +
            ", labels: {app: talk}}\nspec:\n  terminationGracePeriodSeconds: 1\n  containers:\n  - name: "
            "main\n"
            "    image: shop/web:1.0\n    command: [/bin/sh, -c, 'for i in 1 2; do while [ ! -e " +
            w.folder + "/go-" + name + "$i ]; do sleep 0.05; done; echo " + name +
            " $i; done; exec sleep 1000']\n";
    };
    w.write("a.yaml", talker("a") + talker("b"));
    w.start();
    REQUIRE(w.says("pod/a: Running"));
    REQUIRE(w.says("pod/b: Running"));
    auto const say = [&](std::string const& name, std::string const& i) {
        std::ofstream(w.folder + "/go-" + name + i) << "go";
        REQUIRE(until([&] { return has(w.podium({"logs", name}).text, name + ' ' + i + '\n'); }));
    };
    say("a", "1");
    auto const first = w.podium({"logs", "a", "--timestamps"}).text;
    CHECK(first.size() == 31 + 4);
    say("b", "1");
    say("b", "2");
    say("a", "2");
    CHECK(w.podium({"logs", "-l", "app=talk"}).text ==
        "[pod/a/main] a 1\n[pod/b/main] b 1\n[pod/b/main] b 2\n[pod/a/main] a 2\n");
    CHECK(w.podium({"logs", "-l", "app=talk", "--tail=1", "--since", "1h"}).text ==
        "[pod/b/main] b 2\n[pod/a/main] a 2\n");
    CHECK(w.podium({"logs", "pod/a", "main", "--tail", "1"}).text == "a 2\n");
    CHECK(w.podium({"logs", "a", "--limit-bytes", "33", "--timestamps"}).text == first.substr(0, 33) + '\n');
    CHECK(w.podium({"logs", "a", "--limit-bytes", "5"}).text == "a 1\na\n");  // the stamps do not count
    // Since a moment: what was printed in it or later.
    auto const last = w.podium({"logs", "a", "--timestamps", "--tail", "1"}).text;
    CHECK(has(last, " a 2\n"));
    CHECK(w.podium({"logs", "a", "--since-time", last.substr(0, last.find(' '))}).text == "a 2\n");
    CHECK(w.podium({"logs", "a", "--since-time", first.substr(0, first.find(' '))}).text == "a 1\na 2\n");

    auto const out = w.folder + "/followed";
    auto const follows = w.spawn({"logs", "-f", "-l", "app=talk", "--socket", w.socket()}, out);
    CHECK(until([&] { return has(read(out), "a 2\n"); }));
    w.write("b.yaml", talker("c"));
    say("c", "1");
    CHECK(until([&] { return has(read(out), "[pod/c/main] c 1\n"); }));
    CHECK(read(out).starts_with("[pod/a/main] a 1\n[pod/b/main] b 1\n"));
    REQUIRE(::kill(follows, SIGTERM) == 0);
    (void)world::code(follows);

    auto const none = w.podium({"logs", "none"});
    CHECK(none.code == 1);
    CHECK(none.text == "error: pods \"none\" not found\n");
    CHECK(has(
        w.podium({"logs", "a", "-p"}).text, "previous terminated container \"main\" in pod \"a\" not found"));
    w.write("d.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: d}\nspec:\n  terminationGracePeriodSeconds: 1\n"
        "  containers:\n  - name: main\n    image: shop/web:1.0\n    command: [/bin/sh, -c, '[ -e " +
            w.folder + "/once ] || { echo > " + w.folder +
            "/once; echo first; exit 1; }; echo second; exec sleep 1000']\n");
    CHECK(until([&] { return w.podium({"logs", "d"}).text == "second\n"; }));
    CHECK(w.podium({"logs", "d", "-p"}).text == "first\n");
    CHECK(until([&] { return w.podium({"logs", "a", "--since", "1s"}).text.empty(); }));
    CHECK(has(w.podium({"logs", "a", "-c", "x"}).text, "container x is not valid for pod a"));
    CHECK(w.podium({"logs"}).code == 2);
    CHECK(w.podium({"logs", "a", "--since", "soon"}).code == 2);
    CHECK(w.stop(SIGTERM) == 0);
}

TEST_CASE("logs: a log that is slow to open keeps its place in the order of time")
{
    world w;
    auto const list = list_of({running_pod("a"), running_pod("b")});
    pretended const up(w, [&](podium::api::request r) -> boost::asio::awaitable<podium::net::api_answer> {
        auto const executor = co_await boost::asio::this_coro::executor;
        auto const feed = std::make_shared<podium::net::api_feed>(executor);
        if (has(r.target, "/pods/a/log")) {  // longer than what is live is waited for
            boost::asio::steady_timer timer(executor, 500ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
            feed->push("2026-01-01T00:00:01.000000000Z a 1\n");
        } else if (has(r.target, "/pods/b/log")) {
            feed->push("2026-01-01T00:00:02.000000000Z b 1\n");
        } else if (!has(r.target, "watch=1")) {
            co_return list;
        }
        co_return feed;
    });
    auto const out = w.folder + "/followed";
    auto const follows = w.spawn({"logs", "-f", "-l", "app=web", "--socket", w.socket()}, out);
    CHECK(until([&] { return has(read(out), "a 1") && has(read(out), "b 1"); }));
    CHECK(read(out) == "[pod/a/main] a 1\n[pod/b/main] b 1\n");
    REQUIRE(::kill(follows, SIGTERM) == 0);
    (void)world::code(follows);
}

TEST_CASE("logs: a container that is started again while its log is asked for is shown once")
{
    world w;
    auto const list = list_of({running_pod("a")});
    auto const event = nlohmann::json{{"type", "MODIFIED"}, {"object", running_pod("a", "2")}}.dump() + '\n';
    std::weak_ptr<podium::net::api_feed> watch;
    bool again = false;
    // The pod is seen to run anew before the log of that run ends.
    auto const news = [&](std::shared_ptr<podium::net::api_feed> log) -> boost::asio::awaitable<void> {
        boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
        while (watch.expired()) {
            timer.expires_after(5ms);
            co_await timer.async_wait(boost::asio::use_awaitable);
        }
        watch.lock()->push(event);
        timer.expires_after(300ms);
        co_await timer.async_wait(boost::asio::use_awaitable);
        log->end();
    };
    pretended const up(w, [&](podium::api::request r) -> boost::asio::awaitable<podium::net::api_answer> {
        auto const executor = co_await boost::asio::this_coro::executor;
        auto const feed = std::make_shared<podium::net::api_feed>(executor);
        if (has(r.target, "/pods/a/log")) {  // of the second run already, which the list did not show
            feed->push("2026-01-01T00:00:01.000000000Z a 1\n2026-01-01T00:00:01.000000000Z a 2\n");
            if (std::exchange(again, true))
                feed->push("2026-01-01T00:00:02.000000000Z a 3\n");
            else
                boost::asio::co_spawn(executor, news(feed), boost::asio::detached);
        } else if (has(r.target, "watch=1")) {
            watch = feed;
        } else {
            co_return list;
        }
        co_return feed;
    });
    auto const out = w.folder + "/followed";
    auto const follows = w.spawn({"logs", "-f", "-l", "app=web", "--socket", w.socket()}, out);
    CHECK(until([&] { return has(read(out), "a 3"); }));
    CHECK(read(out) == "[pod/a/main] a 1\n[pod/a/main] a 2\n[pod/a/main] a 3\n");
    REQUIRE(::kill(follows, SIGTERM) == 0);
    (void)world::code(follows);
}

TEST_CASE("drain: who was not evicted is asked for again, and who comes meanwhile goes, too")
{
    world w;
    namespace api = podium::api;
    std::string there = "one";
    std::atomic<int> asked = 0;
    auto const answer = [&](api::request const& r) -> api::response {
        if (has(r.target, "/eviction")) {
            if (++asked == 1)
                return api::failure({podium::errc::conflict, "others changed it all the while", {}, {}});
            there = there == "one" ? "two" : "";  // the second was bound in the meantime
            return {201, R"({"kind":"Status","status":"Success"})"};
        }
        if (has(r.target, "/nodes/node-1"))
            return {200, R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1"}})"};
        if (!has(r.target, "/pods") || there.empty())
            return list_of({});
        auto pod = running_pod(there);
        nlohmann::json const owner{{"apiVersion", "apps/v1"}, {"kind", "ReplicaSet"}, {"name", "web"},
            {"uid", "1"}, {"controller", true}};
        pod["metadata"]["ownerReferences"] = nlohmann::json::array({owner});
        return list_of({pod});
    };
    pretended const up(
        w, [&](api::request r) -> boost::asio::awaitable<podium::net::api_answer> { co_return answer(r); });
    auto const done = w.podium({"drain", "node-1", "--timeout", "90s"});
    CHECK(done.code == 0);
    CHECK(done.text ==
        "node/node-1 cordoned\nevicting pod default/one\npod default/one evicted (1 of 1)\n"
        "evicting pod default/two\npod default/two evicted (2 of 2)\nnode/node-1 drained\n");
    CHECK(asked == 3);
}

TEST_CASE("top, get, plan: what is used, what an autoscaler knows, and whether a release has room")
{
    world w;
    auto const web = deployment(
        "web", 2, "        resources: {requests: {cpu: 250m}}\n        ports: [{containerPort: 8080}]\n");
    w.write("a.yaml", web);
    w.write("b.yaml", read(examples() + "/scaling/web.yaml"));
    w.start({"--autoscale-period", "1"});
    REQUIRE(w.says("deployment/web: 2/2 ready"));

    // NAME CPU(cores) MEMORY(bytes), a line for each pod; a container that runs has memory.
    auto const words_of = [](std::string const& text) {
        std::vector<std::vector<std::string>> out;
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            out.push_back({std::istream_iterator<std::string>(words), {}});
        }
        return out;
    };
    using rows = std::vector<std::vector<std::string>>;
    rows pods;
    REQUIRE(until([&] {
        pods = words_of(w.podium({"top", "pods"}).text);
        return pods.size() == 3;
    }));
    CHECK(pods[0] == rows::value_type{"NAME", "CPU(cores)", "MEMORY(bytes)"});
    auto const amount = [](std::string const& text, std::string const& unit) {
        REQUIRE_MESSAGE(text.ends_with(unit), text);
        return std::stol(text);
    };
    for (std::size_t i = 1; i < pods.size(); ++i) {
        REQUIRE(pods[i].size() == 3);
        CHECK(pods[i][0].starts_with("web-"));
        CHECK(amount(pods[i][1], "m") >= 0);
        CHECK(amount(pods[i][2], "Mi") > 0);
    }
    auto const everywhere = words_of(w.podium({"top", "pods", "-A"}).text);
    REQUIRE(everywhere.size() == 3);
    CHECK(everywhere[1][0] == "default");
    CHECK(w.podium({"top", "pods", "-n", "nowhere"}).text == "nothing was measured yet\n");
    auto const nodes = words_of(w.podium({"top", "nodes"}).text);
    REQUIRE(nodes.size() >= 2);
    CHECK(nodes[0] == rows::value_type{"NAME", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"});
    for (std::size_t i = 1; i < nodes.size(); ++i) {
        REQUIRE(nodes[i].size() == 5);
        CHECK(nodes[i][0].starts_with("node-"));
        CHECK(amount(nodes[i][2], "%") >= 0);
        CHECK(amount(nodes[i][3], "Mi") > 0);
        CHECK(amount(nodes[i][4], "%") >= 0);
    }
    CHECK(w.podium({"top", "services"}).code == 2);

    rows hpa;
    REQUIRE(until([&] {
        auto const got = w.podium({"get", "hpa"});
        CHECK(got.code == 0);
        hpa = words_of(got.text);
        return hpa.size() == 2 && !has(got.text, "<unknown>") && hpa[1].size() >= 7 &&
            hpa[1].end()[-2] == "2";
    }));
    CHECK(
        hpa[0] == rows::value_type{"NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"});
    CHECK(hpa[1][0] == "web");
    CHECK(hpa[1][1] == "Deployment/web");
    CHECK(hpa[1].end()[-4] == "2");
    CHECK(hpa[1].end()[-3] == "5");
    CHECK(std::ranges::any_of(hpa[1], [](auto const& word) { return word.ends_with("%/60%"); }));

    std::ofstream(w.folder + "/release.yaml") << R"(apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  replicas: 4
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: main, image: "shop/web:1.0", resources: {requests: {cpu: 900}}}]}
  strategy: {canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 25}, {pause: {duration: 60}}]}}
)";
    auto const plan = w.podium({"plan", "-f", w.folder + "/release.yaml", "--pod-start", "5s"});
    CHECK(plan.code == 0);
    CHECK_MESSAGE(plan.text.starts_with("rollout shop: "), plan.text);
    CHECK_MESSAGE(has(plan.text, "\nat the worst moment 4 pods serve; at most 5 exist\n"), plan.text);
    CHECK_MESSAGE(has(plan.text, "warning: "), plan.text);  // no node has 900 cores
    auto const roomy = w.podium({"plan", "-f", w.folder + "/release.yaml", "--nodes", "9", "--cpu", "1000"});
    CHECK_MESSAGE(!has(roomy.text, "warning: "), roomy.text);
    CHECK(w.stop(SIGTERM) == 0);
}

TEST_CASE("up: a version is rolled out by editing the manifest, and undone")
{
    world w;
    w.write("a.yaml", deployment("web", 1));
    w.start();
    REQUIRE(w.says("deployment/web: 1/1 ready"));
    auto next = deployment("web", 1);
    next.replace(next.find("web:1.0"), 7, "web:1.2");
    w.write("a.yaml", next);
    REQUIRE(w.says("deployment.apps/web configured"));
    CHECK(w.podium({"rollout", "status", "deployment/web"}).code == 0);
    auto const image = [&] {
        return w.get({"deployment", "web"})["spec"]["template"]["spec"]["containers"][0]["image"];
    };
    CHECK(image() == "shop/web:1.2");
    auto const undone = w.podium({"rollout", "undo", "deployment/web"});
    CHECK_MESSAGE(undone.code == 0, undone.text);
    CHECK(w.podium({"rollout", "status", "deployment/web", "--timeout", "90s"}).code == 0);
    CHECK(image() == "shop/web:1.0");
    CHECK(w.podium({"rollout", "status", "deployment/web", "--watch=false"}).text ==
        "deployment \"web\" successfully rolled out\n");
    CHECK(w.podium({"rollout", "status", "deployment/web", "--watch=maybe"}).code == 1);
    CHECK(w.stop(SIGTERM) == 0);
}

TEST_CASE("rollout: a terminal shows a canary's pods and steps and what it waits for, and then its end")
{
    world w;
    auto const rollout = [](char const* image) {
        return std::string(R"(apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: ")") +
            image + R"("}]
  strategy: {canary: {steps: [{setWeight: 50}, {pause: {}}]}}
)";
    };
    w.write("a.yaml", rollout("shop/web:1.0"));
    w.start();
    REQUIRE(until([&] { return w.get({"rollout", "web"})["status"].value("phase", "") == "Healthy"; }));
    w.write("a.yaml", rollout("shop/web:1.2"));
    REQUIRE(w.says("rollout.argoproj.io/web configured"));

    int const master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    REQUIRE(master >= 0);
    REQUIRE(::grantpt(master) == 0);
    REQUIRE(::unlockpt(master) == 0);
    auto const child =
        w.spawn({"rollout", "status", "rollout/web", "--socket", w.socket()}, ::ptsname(master));
    std::string text;
    bool open = true;
    auto const shows = [&](std::string const& part) {
        return until([&] {
            char some[4096];
            auto const n = ::read(master, some, sizeof some);
            if (n > 0)
                text.append(some, static_cast<std::size_t>(n));
            open =
                n > 0 || errno != EIO || text.empty();  // before it is opened there is nothing to read, too
            return has(text, part) || !open;
        }) &&
            has(text, part);
    };
    CHECK(shows("> pause until it is told to go on"));
    CHECK(has(text, "+ weight 50 %"));
    CHECK(has(text, "rollout/web: Paused"));
    CHECK(has(text, "####################....................  1 of 2"));
    CHECK(w.podium({"rollout", "promote", "rollout/web"}).code == 0);
    CHECK(shows("rollout \"web\" successfully rolled out"));
    CHECK(world::code(child) == 0);
    ::close(master);
    CHECK(w.stop(SIGTERM) == 0);
}

TEST_CASE("up: a node is drained as fast as the budget allows, and never faster")
{
    world w;
    auto const budget = [](int must_stay) {
        return "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: "
               "{minAvailable: " +
            std::to_string(must_stay) + ", selector: {matchLabels: {app: web}}}\n";
    };
    auto const web = deployment("web", 3,
        "        env: [{name: START_DELAY_MS, value: \"300\"}]\n"
        "        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}\n");
    w.write("a.yaml", web + budget(2));
    w.start();
    REQUIRE(w.says("deployment/web: 3/3 ready"));
    auto const on = [&](std::string const& node) {
        int n = 0;
        auto const list = w.get({"pods"});
        for (auto const& p : list["items"])
            n += p["spec"].value("nodeName", "") == node;
        return n;
    };
    std::string const full = on("node-1") == 2 ? "node-1" : "node-2";
    REQUIRE(on(full) == 2);
    REQUIRE(until(
        [&] { return has(w.podium({"get", "pdb"}).text, "web    2               N/A               1 "); }));

    auto const plan = w.podium({"drain", full, "--dry-run"});
    CHECK(plan.code == 0);
    CHECK_MESSAGE(has(plan.text, " goes; there is room on node-"), plan.text);
    CHECK(has(
        plan.text, " waits: the disruption budget web needs 2 healthy pods of 3 and has 3; there is room"));
    CHECK(!has(w.podium({"get", "nodes"}).text, "SchedulingDisabled"));

    auto const out = w.folder + "/drain";
    auto const child = w.spawn({"drain", full, "--socket", w.socket()}, out);
    int least = 3;
    REQUIRE(until([&] {
        least = std::min(least, w.get({"deployment/web"})["status"].value("readyReplicas", 0));
        return has(read(out), "drained");
    }));
    CHECK(world::code(child) == 0);
    auto const told = read(out);
    CHECK_MESSAGE(told.starts_with("node/" + full + " cordoned\nevicting pod default/web-"), told);
    CHECK(has(told, " waits: The disruption budget web needs 2 healthy pods and has 2 currently\n"));
    CHECK(has(told, " evicted (2 of 2)\nnode/" + full + " drained\n"));
    CHECK(least >= 2);
    CHECK(on(full) == 0);
    CHECK(has(w.podium({"get", "nodes"}).text, "Ready,SchedulingDisabled"));
    CHECK(w.podium({"cordon", full}).text == "node/" + full + " already cordoned\n");
    CHECK(w.podium({"uncordon", full}).text == "node/" + full + " uncordoned\n");
    CHECK(!has(w.podium({"get", "nodes"}).text, "SchedulingDisabled"));

    // A budget that allows none is waited for until somebody has enough of it.
    w.write("a.yaml", web + budget(3));
    REQUIRE(w.says("poddisruptionbudget.policy/web configured"));
    REQUIRE(w.says("deployment/web: 3/3 ready"));
    std::string const other = full == "node-1" ? "node-2" : "node-1";
    auto const late = w.podium({"drain", other, "--timeout", "1s"});
    CHECK(late.code == 1);
    CHECK_MESSAGE(has(late.text, "the drain took too long; node/" + other + " stays cordoned"), late.text);
    CHECK(has(late.text, ": The disruption budget web needs 3 healthy pods and has 3 currently"));
    auto const again = w.folder + "/drain-again";
    auto const stopped = w.spawn({"drain", other, "--socket", w.socket()}, again);
    REQUIRE(until([&] { return has(read(again), "waits: "); }));
    REQUIRE(::kill(stopped, SIGINT) == 0);
    CHECK(world::code(stopped) == 130);
    CHECK_MESSAGE(has(read(again), "interrupted; node/" + other + " stays cordoned"), read(again));

    w.write("b.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone}\nspec: {nodeName: " + full +
            ", containers: [{name: main, image: \"shop/web:1.0\"}]}\n");
    REQUIRE(until([&] { return has(w.podium({"get", "pod", "alone"}).text, "Running"); }));
    auto const refused = w.podium({"drain", full});
    CHECK(refused.code == 1);
    CHECK_MESSAGE(has(refused.text, "pod default/alone: nobody would replace it (use --force to override)"),
        refused.text);
    auto const forced = w.podium({"drain", full, "--force", "--grace-period", "1"});
    CHECK_MESSAGE(forced.code == 0, forced.text);
    CHECK(w.podium({"drain", "nowhere"}).code == 1);
    CHECK(w.stop(SIGINT) == 0);
}

TEST_CASE("up: what is wrong with a manifest is told, and the rest keeps running")
{
    world w;
    w.write("a.yaml", deployment("web", 1));
    w.start();
    REQUIRE(w.says("deployment/web: 1/1 ready"));
    struct row {
        char const* name;
        std::string text;
        char const* wanted;
    };
    auto const replaced = [](std::string text, std::string_view what, std::string_view with) {
        return text.replace(text.find(what), what.size(), with);
    };
    auto const bad = deployment("bad", 1);
    for (auto const& r : {
             row{"not YAML", "a: [b\nc: d\n", "line"},
             row{"unknown field", replaced(bad, "replicas", "replicass"),
                 "document 1, line 5: spec.replicass: unknown field"},
             row{"wrong type", replaced(bad, "replicas: 1", "replicas: one"), "spec.replicas: expected"},
             row{"negative replicas", replaced(bad, "replicas: 1", "replicas: -1"), "spec.replicas: must be"},
             row{"bad quantity", deployment("bad", 1, "        resources: {requests: {cpu: 1x}}\n"),
                 "spec.template.spec.containers[0].resources.requests"},
             row{"bad name", replaced(bad, "name: bad", "name: Bad_"), "metadata.name: "},
             row{"bad label",
                 replaced(bad, "metadata: {labels: {app: bad}}", "metadata: {labels: {app: \"b d\"}}"),
                 "spec.template.metadata.labels"},
             row{"selector that does not match",
                 replaced(bad, "matchLabels: {app: bad}", "matchLabels: {app: b}"),
                 "spec.template.metadata.labels: "},
             row{"duplicate key", "a: 1\na: 2\n", "line 2"},
             row{"unknown kind", "apiVersion: v1\nkind: Podd\nmetadata: {name: a}\n", "kind: no such kind"},
             row{"second document", deployment("fine", 0) + "---\n" + replaced(bad, "replicas", "replicass"),
                 "document 2, line"},
             row{"10 MB of nesting", std::string(10'000'000, '['), "bytes"},
             row{"3 MB of nesting", "a: " + std::string(3'000'000, '['), "line 1"},
         }) {
        CAPTURE(r.name);
        std::ofstream(w.folder + "/bad.yaml", std::ios::binary) << r.text;
        auto const refused = w.podium({"apply", "-f", w.folder + "/bad.yaml"});
        CHECK(refused.code == 1);
        CHECK(has(refused.text, "error: " + w.folder + "/bad.yaml"));
        CHECK_MESSAGE(has(refused.text, r.wanted), refused.text.substr(0, 400));
    }
    // The same from disk: what the file said before holds.
    w.write("a.yaml", replaced(deployment("web", 0), "replicas", "replicass"));
    REQUIRE(w.says("m/a.yaml, document 1, line 5: spec.replicass: unknown field"));
    CHECK(w.get({"deployment", "web"})["status"].value("readyReplicas", 0) == 1);

    // Not wrong in itself, but it cannot run.
    w.write("pods.yaml", R"(apiVersion: v1
kind: Pod
metadata: {name: no-command}
spec: {containers: [{name: main, image: "shop/web:1.0", command: [/no/such/program]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-image}
spec: {containers: [{name: main, image: "shop/nothing:1.0"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-room}
spec: {containers: [{name: main, image: "shop/web:1.0", resources: {requests: {cpu: 999}}}]}
)");
    CHECK(w.says("Pod/no-command RunContainerError: main: "));
    CHECK(w.says("Pod/no-image ErrImagePull: main: "));
    CHECK(w.says("Pod/no-room FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu."));
    CHECK(has(w.podium({"get", "events"}).text, "FailedScheduling"));
    CHECK(w.get({"deployment", "web"})["status"].value("readyReplicas", 0) == 1);
    CHECK(w.stop(SIGINT) == 0);
}

TEST_CASE("podium: a command line that makes no sense is told, and each command explains itself")
{
    world w;
    struct row {
        std::vector<std::string> args;
        int code;
        char const* wanted;
    };
    for (auto const& r : {
             row{{"--help"}, 0, "usage: podium COMMAND"},
             row{{"--version"}, 0, "podium "},
             row{{"up", "--help"}, 0, "--images"},
             row{{"apply", "--help"}, 0, "usage: podium apply"},
             row{{"get", "--help"}, 0, "usage: podium get"},
             row{{"logs", "--help"}, 0, "usage: podium logs"},
             row{{"delete", "--help"}, 0, "usage: podium delete"},
             row{{"rollout", "--help"}, 0, "usage: podium rollout"},
             row{{"drain", "--help"}, 0, "--dry-run"},
             row{{"cordon", "--help"}, 0, "usage: podium cordon"},
             row{{"drain"}, 2, "expected NODE..."},
             row{{"drain", "a", "--timeout", "soon"}, 2, "--timeout: expected a duration"},
             row{{"drain", "a", "--grace-period", "1s"}, 2, "--grace-period: expected a number"},
             row{{"uncordon"}, 2, "expected NODE..."},
             row{{"fly"}, 2, "unknown command \"fly\""},
             row{{"up"}, 2, "expected -f PATH"},
             row{{"up", "-f", "/no/such"}, 1, "/no/such: No such file"},
             row{{"up", "-f", ".", "--nodes", "none"}, 2, "--nodes: expected a number"},
             row{{"get", "--what"}, 2, "unknown option --what"},
             row{{"get", "pods", "-o", "xml"}, 2, "-o: expected wide"},
             row{{"get", "things"}, 1, "no kind \"things\""},
             row{{"get", "pods", "-n"}, 2, "-n needs a value"},
             row{{"delete", "pod"}, 2, "expected KIND NAME"},
         }) {
        auto const out = w.folder + "/out";
        auto const code = world::code(w.spawn(r.args, out));
        auto const text = read(out);
        CAPTURE(r.args[0]);
        CHECK_MESSAGE(code == r.code, text);
        CHECK_MESSAGE(has(text, r.wanted), text);
    }
}

TEST_CASE("up: a second one at the same socket is refused, the place of a dead one is taken")
{
    world w;
    w.write("a.yaml", service);
    w.start();
    auto const second = w.podium({"up", "-f", w.folder + "/m"});
    CHECK(second.code == 1);
    CHECK(has(second.text, "Another podium is up there"));
    CHECK(w.stop(SIGKILL) == 128 + SIGKILL);
    CHECK(::access(w.socket().c_str(), F_OK) == 0);
    w.start();
    CHECK(w.stop(SIGINT) == 0);
}
