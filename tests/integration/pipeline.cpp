// podium pipeline from outside: real commands, a podium that is up, and customers who ask all the time.
// Program and images are expected where the build puts them: ../examples beside the folder of this test
// program.
#include "../../examples/podium/load.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using nlohmann::json;
namespace asio = boost::asio;

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

// A process and its children write their numbers to a file; whether they are all gone, or will be in a
// moment. One that nobody has asked for its status is gone as well.
bool all_gone(std::string const& pids)
{
    return until([&] {
        std::ifstream file(pids);
        for (pid_t pid = 0; file >> pid;) {
            auto const stat = read("/proc/" + std::to_string(pid) + "/stat");
            if (!stat.empty() && stat.find(") Z ") == stat.npos)
                return false;
        }
        return true;
    });
}

// A folder with a pipeline, and perhaps a podium that is up.
struct world {
    std::string folder;
    std::filesystem::path examples =
        std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "examples";
    pid_t up = -1;

    world()
    {
        char name[] = "/tmp/podium-test-XXXXXX";
        REQUIRE(::mkdtemp(name));
        folder = name;
        std::filesystem::create_directory(folder + "/m");
    }
    ~world()
    {
        if (up > 0) {
            ::kill(up, SIGINT);
            ::waitpid(up, nullptr, 0);
        }
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }

    pid_t spawn(std::vector<std::string> args, std::string const& out) const
    {
        args.insert(args.begin(), (examples / "podium").string());
        std::vector<char*> argv;
        for (auto& a : args)
            argv.push_back(a.data());
        argv.push_back(nullptr);
        auto const child = ::fork();
        if (child == 0) {
            int const to = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
            ::dup2(to, 1);
            ::dup2(to, 2);
            if (::chdir(folder.c_str()) == 0)
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
    answer pipeline(std::vector<std::string> args) const
    {
        args.insert(args.begin(), {"pipeline", "run", "line.yaml"});
        return podium(std::move(args));
    }
    [[nodiscard]] std::string socket() const { return folder + "/s/podium.sock"; }
    [[nodiscard]] std::string log(int run, std::string const& stage) const
    {
        return read(folder + "/.podium-pipeline/shop/" + std::to_string(run) + '/' + stage + ".log");
    }
    void write(std::string const& name, std::string const& text) const
    {
        std::ofstream(folder + "/new", std::ios::binary) << text;
        REQUIRE(std::rename((folder + "/new").c_str(), (folder + '/' + name).c_str()) == 0);
    }
    void start()
    {
        up = spawn({"up", "-f", folder + "/m", "--images", (examples / "images").string(), "--nodes", "2",
                       "--socket", socket(), "--data", folder + "/data"},
            folder + "/up.log");
        REQUIRE(until([&] { return has(read(folder + "/up.log"), "podium is up"); }));
    }
    [[nodiscard]] json get(std::vector<std::string> args) const
    {
        args.insert(args.begin(), "get");
        args.insert(args.end(), {"-o", "json"});
        return json::parse(podium(std::move(args)).text, nullptr, false);
    }
    [[nodiscard]] std::string image() const
    {
        auto const d = get({"deployment", "web"});
        return d["spec"]["template"]["spec"]["containers"][0].value("image", "");
    }
    [[nodiscard]] std::string greeting() const
    {
        return get({"configmap", "web"})["data"].value("greeting", "");
    }
};

constexpr char const manifest[] = R"(apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {greeting: "from ${version}"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}
  progressDeadlineSeconds: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: shop/web:${version}
        env: [{name: FAULT, value: "${fault}"}]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
)";

constexpr char const shop_line[] = R"(name: shop
set: {version: null, fault: none, tests: "true", expected: ""}
stages:
- {name: build, command: [sh, -c, "echo building ${version}; echo $version > built"]}
- {name: test, command: "cat built; eval \"$tests\""}
- {name: publish, command: ["true"]}
- {name: deploy, apply: web.yaml, timeout: 1m}
- {name: verify, web: {url: "http://web/version", contains: "${expected}"}, retries: 1, backoff: 10ms}
)";

// Customers of a service, in a thread of their own.
struct customers {
    asio::io_context io{1};
    tour::load_generator load;
    std::thread thread;

    static tour::load_options asking(std::string ip)
    {
        tour::load_options how;
        how.ip = std::move(ip);
        how.port = 80;
        how.connections = 4;
        how.per_second = 50;
        return how;
    }
    explicit customers(std::string ip) : load(io.get_executor(), asking(std::move(ip)))
    {
        load.start();
        thread = std::thread([this] { io.run(); });
    }
    ~customers() { settle(); }
    tour::figures settle()
    {
        if (thread.joinable()) {
            asio::post(io, [this] { asio::co_spawn(io, load.stop(), asio::detached); });
            thread.join();
        }
        return tour::summarize(load.book());
    }
};

}  // namespace

TEST_CASE("pipeline: a good line passes, a failing test stops it, a bad deploy and a bad verify go back by "
          "themselves")
{
    world w;
    w.write("line.yaml", shop_line);
    w.write("web.yaml", manifest);
    w.start();
    auto const first = w.pipeline({"--set", "version=1.0"});
    REQUIRE_MESSAGE(first.code == 0, first.text);
    CHECK(has(first.text, "build    passed"));
    CHECK(has(first.text, "shop, run 1 (manual): passed after "));
    CHECK(w.log(1, "build") == "building 1.0\n");
    CHECK(has(w.log(1, "deploy"), "deployment.apps/web created\n"));
    CHECK(has(w.log(1, "deploy"), "successfully rolled out"));
    CHECK(w.image() == "shop/web:1.0");
    auto const ip = w.get({"service", "web"})["spec"].value("clusterIP", "");
    REQUIRE_FALSE(ip.empty());

    {
        customers some(ip);
        auto const second = w.pipeline({"--set", "version=1.2", "--set", "expected=1.2", "--json"});
        REQUIRE_MESSAGE(second.code == 0, second.text);
        auto const told = json::parse(second.text);
        CHECK(told["result"] == "passed");
        CHECK(told["run"] == 2);
        CHECK(told["stages"].size() == 5);
        CHECK(told["stages"][3]["kind"] == "deploy");
        auto const sum = some.settle();
        CHECK(sum.errors() == 0);
        CHECK(sum.by_version.contains("1.0"));
        CHECK(sum.by_version.contains("1.2"));
    }

    // From here on nobody may see anything but 1.2.
    customers some(ip);
    auto const generation = w.get({"deployment", "web"})["metadata"]["generation"];
    auto const stopped = w.pipeline({"--set", "version=1.1", "--set", "tests=echo one is wrong; exit 4"});
    CHECK(stopped.code == 1);
    CHECK(has(stopped.text, "test     failed, "));
    CHECK(has(stopped.text, "deploy   skipped"));
    CHECK(has(stopped.text, "   one is wrong\n"));
    CHECK(has(stopped.text, "shop, run 3 (manual): failed at test after "));
    CHECK(w.get({"deployment", "web"})["metadata"]["generation"] == generation);

    auto const crashing = w.pipeline({"--set", "version=1.1", "--set", "fault=crash"});
    CHECK(crashing.code == 1);
    CHECK_MESSAGE(has(crashing.text, "exceeded its progress deadline"), crashing.text);
    CHECK(has(crashing.text, "failed at deploy after "));
    CHECK(has(crashing.text, "; deploy rolled back"));
    CHECK(has(crashing.text, "verify   skipped"));
    CHECK(w.image() == "shop/web:1.2");
    CHECK(w.greeting() == "from 1.2");
    CHECK(has(w.log(4, "deploy.rollback"), "configmap/web rolled back"));
    auto const kept = some.settle();
    CHECK(kept.sent > 100);
    CHECK(kept.errors() == 0);
    CHECK(kept.by_version.size() == 1);
    CHECK(kept.by_version.contains("1.2"));

    customers others(ip);
    auto const refused = w.pipeline({"--set", "version=1.1", "--set", "expected=9.9"});
    CHECK(refused.code == 1);
    CHECK(has(refused.text, "failed at verify after "));
    CHECK(has(refused.text, "verify   failed after 2 attempts"));
    CHECK(has(refused.text, "; deploy rolled back"));
    CHECK(w.image() == "shop/web:1.2");
    CHECK(others.settle().errors() == 0);

    // What a deploy has made is gone with it.
    auto text = std::string(manifest);
    for (auto at = text.find("name: web}"); at != text.npos; at = text.find("name: web}", at + 1))
        text.replace(at, 10, "name: new}");
    w.write("web.yaml", text);
    auto const created = w.pipeline({"--set", "version=1.0", "--set", "expected=9.9", "--from", "deploy"});
    CHECK(created.code == 1);
    CHECK(has(created.text, "build    skipped"));
    CHECK(has(w.log(6, "deploy.rollback"), "deployment.apps/new deleted"));
    CHECK(until([&] { return w.podium({"get", "deployment", "new"}).code == 1; }));
    CHECK(w.podium({"get", "service", "new"}).code == 1);
    CHECK(w.image() == "shop/web:1.2");
}

TEST_CASE("pipeline: a canary is followed to its end, and one that is degraded goes back")
{
    world w;
    w.write("line.yaml", R"(name: shop
set: {version: null, fault: none}
stages: [{name: deploy, apply: [web.yaml], wait: rollout/web, timeout: 1m}]
)");
    w.write("web.yaml", R"(apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 2
  progressDeadlineSeconds: 4
  progressDeadlineAbort: true
  selector: {matchLabels: {app: web}}
  strategy: {canary: {maxSurge: 1, maxUnavailable: 0, steps: [{setWeight: 50}, {pause: {duration: 1s}}]}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: main
        image: shop/web:${version}
        env: [{name: FAULT, value: "${fault}"}]
        readinessProbe: {httpGet: {path: /readyz, port: 8080}, periodSeconds: 1}
)");
    w.start();
    auto const image = [&] {
        auto const r = w.get({"rollout", "web"});
        return r["spec"]["template"]["spec"]["containers"][0].value("image", "");
    };
    auto const phase = [&] { return w.get({"rollout", "web"})["status"].value("phase", ""); };
    REQUIRE(w.pipeline({"--set", "version=1.0"}).code == 0);
    auto const good = w.pipeline({"--set", "version=1.2"});
    REQUIRE_MESSAGE(good.code == 0, good.text);
    CHECK_MESSAGE(has(w.log(2, "deploy"), "rollout \"web\": Progressing"), w.log(2, "deploy"));
    CHECK(image() == "shop/web:1.2");
    CHECK(phase() == "Healthy");
    auto const bad = w.pipeline({"--set", "version=1.1", "--set", "fault=crash"});
    CHECK(bad.code == 1);
    CHECK_MESSAGE(has(bad.text, "rollout \"web\" is degraded"), bad.text);
    CHECK(has(bad.text, "; deploy rolled back"));
    CHECK(image() == "shop/web:1.2");
    CHECK(phase() == "Healthy");
    CHECK(w.podium({"rollout", "status", "rollout/web"}).text == "rollout \"web\" successfully rolled out\n");
}

TEST_CASE("pipeline: a run that was cut off is gone on with, and rolls back what it had deployed")
{
    world w;
    w.write("line.yaml", R"(name: shop
set: {version: null, fault: none}
stages:
- {name: deploy, apply: [web.yaml]}
- {name: verify, command: "echo $$ > pid; test -e quick || exec sleep 600; test $version = 1.0"}
)");
    w.write("web.yaml", manifest);
    w.write("quick", "");
    w.start();
    REQUIRE(w.pipeline({"--set", "version=1.0"}).code == 0);
    CHECK(has(w.pipeline({}).text, "set.version: needs a value"));
    auto const none = w.pipeline({"--resume"});
    CHECK(none.code == 1);
    CHECK(has(none.text, "there is no run that was cut off"));

    std::filesystem::remove(w.folder + "/quick");
    std::filesystem::remove(w.folder + "/pid");
    auto const child = w.spawn(
        {"pipeline", "run", "line.yaml", "--set", "version=1.2", "--socket", w.socket()}, w.folder + "/cut");
    REQUIRE(until([&] { return !read(w.folder + "/pid").empty(); }));
    auto const second = w.pipeline({"--set", "version=1.1"});
    CHECK(second.code == 1);
    CHECK(has(second.text, "another podium runs the pipeline shop"));
    REQUIRE(::kill(child, SIGKILL) == 0);
    CHECK(world::code(child) == 128 + SIGKILL);
    ::kill(static_cast<pid_t>(std::atol(read(w.folder + "/pid").c_str())), SIGKILL);  // outlived us
    CHECK(w.image() == "shop/web:1.2");

    w.write("quick", "");
    auto const resumed = w.pipeline({"--resume"});
    CHECK(resumed.code == 1);
    CHECK(has(resumed.text, "going on where it was cut off"));
    CHECK_MESSAGE(has(resumed.text, "verify  failed after 2 attempts"), resumed.text);
    CHECK(has(resumed.text, "; deploy rolled back"));
    CHECK(w.image() == "shop/web:1.0");
}

TEST_CASE("pipeline: a stage that hangs is ended at its time-out, and Ctrl-C ends what runs; nothing is left")
{
    world w;
    w.write("line.yaml", R"(name: shop
stages:
- {name: build, command: "echo $$ >> pids; sleep 600 & echo $! >> pids; echo at it; wait", timeout: 300ms, retries: 1, backoff: 1ms}
- {name: test, command: ["true"]}
)");
    auto const hung = w.pipeline({});
    CHECK(hung.code == 1);
    CHECK_MESSAGE(has(hung.text, "build  timed out after 2 attempts"), hung.text);
    CHECK(has(hung.text, "   at it\n"));
    CHECK(has(hung.text, "test   skipped"));
    CHECK(read(w.folder + "/pids").size() > 8);
    CHECK(all_gone(w.folder + "/pids"));

    // One that does not hear SIGTERM is killed.
    w.write("line.yaml", R"(name: shop
grace: 200ms
stages: [{name: build, command: "trap '' TERM; echo $$ >> pids; while true; do sleep 0.1; done", timeout: 300ms}]
)");
    auto const deaf = w.pipeline({});
    CHECK(deaf.code == 1);
    CHECK(has(deaf.text, "failed at build"));
    CHECK(all_gone(w.folder + "/pids"));

    std::filesystem::remove(w.folder + "/pids");
    w.write("line.yaml", R"(name: shop
stages:
- {name: build, command: "echo $$ >> pids; sleep 600 & echo $! >> pids; wait"}
- {name: test, command: ["true"]}
)");
    auto const child = w.spawn({"pipeline", "run", "line.yaml"}, w.folder + "/cut");
    REQUIRE(until([&] { return std::ranges::count(read(w.folder + "/pids"), '\n') == 2; }));
    REQUIRE(::kill(child, SIGINT) == 0);
    CHECK(world::code(child) == 1);
    auto const text = read(w.folder + "/cut");
    CHECK_MESSAGE(has(text, "shop, run 3 (manual): cancelled in build after "), text);
    CHECK(has(text, "test   skipped"));
    CHECK(all_gone(w.folder + "/pids"));

    // The second Ctrl-C does not wait for one that does not hear.
    std::filesystem::remove(w.folder + "/pids");
    w.write("line.yaml", R"(name: shop
grace: 1h
stages: [{name: build, command: "trap '' TERM; echo $$ >> pids; while true; do sleep 0.1; done"}]
)");
    auto const stubborn = w.spawn({"pipeline", "run", "line.yaml"}, w.folder + "/cut");
    REQUIRE(until([&] { return has(read(w.folder + "/pids"), "\n"); }));
    REQUIRE(::kill(stubborn, SIGINT) == 0);
    REQUIRE(until([&] { return has(read(w.folder + "/cut"), "being cancelled"); }));
    REQUIRE(::kill(stubborn, SIGINT) == 0);
    CHECK(world::code(stubborn) == 1);
    CHECK(has(read(w.folder + "/cut"), "left as it is"));
    CHECK(all_gone(w.folder + "/pids"));
    auto const after = w.pipeline({"--resume"});
    CHECK(after.code == 1);
    CHECK_MESSAGE(has(after.text, "shop, run 4 (manual): cancelled in build after "), after.text);
    CHECK(has(w.pipeline({"--resume"}).text, "there is no run that was cut off"));
}

TEST_CASE("pipeline: what a stage prints is kept within bounds, its end above all")
{
    world w;
    w.write("line.yaml", R"(name: shop
stages: [{name: build, command: "yes podium | head -c 20000000; echo the end; exit 1"}]
)");
    auto const r = w.pipeline({});
    CHECK(r.code == 1);
    auto const log = w.log(1, "build");
    CHECK(log.size() < 17'000'000);
    CHECK(log.ends_with("the end\nexit code 1\n"));
    CHECK(has(log, "bytes are left out here]"));
    CHECK(r.text.size() < 3'000);
}

TEST_CASE("pipeline: a path that changes or a POST starts a run, a page of somebody else's does not")
{
    world w;
    w.write("line.yaml", R"(name: shop
watch: {paths: [src], webhook: "127.0.0.1:0"}
stages: [{name: build, command: "cat src/a; echo built >> done"}]
)");
    std::filesystem::create_directory(w.folder + "/src");
    w.write("src/a", "one\n");
    auto const child = w.spawn({"pipeline", "watch", "line.yaml"}, w.folder + "/log");
    auto const says = [&](std::string_view part) {
        return until([&] { return has(read(w.folder + "/log"), part); });
    };
    REQUIRE(says("waiting for an event"));
    CHECK_FALSE(has(read(w.folder + "/log"), "run 1"));
    w.write("src/a", "two\n");
    REQUIRE(says("shop, run 1 (file: ./src/a): passed"));

    auto const log = read(w.folder + "/log");
    auto const colon = log.find("127.0.0.1:");
    REQUIRE(colon != log.npos);
    auto const port = static_cast<std::uint16_t>(std::atoi(log.c_str() + colon + 10));
    auto const post = [&](bool from_a_page) {
        tour::load_options how;
        how.ip = "127.0.0.1";
        how.port = port;
        how.target = "/push";
        how.connections = 1;
        how.prepare = [&](tour::load_request& r, std::uint64_t) {
            r.method(tour::http::verb::post);
            if (from_a_page)
                r.set("Origin", "http://example.com");
        };
        asio::io_context io(1);
        tour::load_generator one(io.get_executor(), how);
        one.start();
        asio::co_spawn(io, one.stop(), asio::detached);
        io.run();
        return one.book().entries().empty() ? 0u : one.book().entries().front().status;
    };
    CHECK(post(true) == 403);
    CHECK(post(false) == 202);
    REQUIRE(says("shop, run 2 (webhook: POST /push): passed"));

    // A file that is wrong starts nothing until it is right.
    w.write("line.yaml", "name: shop\nstages: []\n");
    w.write("src/a", "three\n");
    REQUIRE(says("stages: must have 1 to 100 stages"));
    CHECK_FALSE(has(read(w.folder + "/log"), "run 3"));
    CHECK(::kill(child, SIGTERM) == 0);
    CHECK(world::code(child) == 0);
    CHECK(read(w.folder + "/done") == "built\nbuilt\n");
}

TEST_CASE("pipeline: a file that is wrong is told by its fields, and nothing runs")
{
    world w;
    struct row {
        char const* name;
        char const* text;
        char const* wanted;
    };
    for (auto const& r : {
             row{"not YAML", "a: [", "not YAML"},
             row{"empty", "", "expected one document"},
             row{"a list", "- a", "expected a map"},
             row{"no stages", "name: shop", "stages: expected a list"},
             row{"no name", "stages: [{name: a, command: [x]}]", "name: "},
             row{"a field that is not known", "name: shop\nstagess: []\nstages: [{name: a, command: [x]}]",
                 "line 2: stagess: unknown field"},
             row{"a stage's", "name: shop\nstages:\n- {name: a, command: [x], timout: 1s}",
                 "line 3: stages[0].timout: unknown field"},
             row{"nothing to do", "name: shop\nstages: [{name: a}]",
                 "stages[0]: expected one of command, apply and web"},
             row{"two things to do", "name: shop\nstages: [{name: a, command: [x], apply: [y]}]",
                 "stages[0]: expected one of command, apply and web"},
             row{"a number in a command", "name: shop\nstages: [{name: a, command: [sleep, 5]}]",
                 "stages[0].command[1]: expected a string"},
             row{"no command", "name: shop\nstages: [{name: a, command: []}]",
                 "stages[0].command: expected a list"},
             row{"an empty one", "name: shop\nstages: [{name: a, command: ''}]",
                 "stages[0].command: must name a command"},
             row{"a time that is none", "name: shop\nstages: [{name: a, command: [x], timeout: soon}]",
                 "stages[0].timeout: expected a duration"},
             row{"no time", "name: shop\nstages: [{name: a, command: [x], timeout: 0}]",
                 "stages[0].timeout: must be above 0"},
             row{"retries below 0", "name: shop\nstages: [{name: a, command: [x], retries: -1}]",
                 "stages[0].retries: expected a number"},
             row{"half a retry", "name: shop\nstages: [{name: a, command: [x], retries: 0.5}]",
                 "stages[0].retries: expected a number"},
             row{"another reaction", "name: shop\nstages: [{name: a, command: [x], onFailure: panic}]",
                 "stages[0].onFailure: expected stop or rollback"},
             row{"nothing to roll back", "name: shop\nstages: [{name: a, command: [x], onFailure: rollback}]",
                 "stages[0].onFailure: nothing is deployed"},
             row{"a deploy that cannot be taken back", "name: shop\nstages: [{name: deploy, command: [x]}]",
                 "stages[0]: a deploy by a command needs rollback"},
             row{"a name twice", "name: shop\nstages: [{name: a, command: [x]}, {name: a, command: [x]}]",
                 "stages[1].name: must not be"},
             row{"a name that is a path", "name: shop\nstages: [{name: ../a, command: [x]}]",
                 "stages[0].name: "},
             row{"not for waiting", "name: shop\nstages: [{name: a, apply: [x], wait: service/web}]",
                 "stages[0].wait: expected deployment/NAME, statefulset/NAME or rollout/NAME"},
             row{"not HTTP", "name: shop\nstages: [{name: a, web: {url: 'ftp://x'}}]",
                 "stages[0].web.url: expected http://"},
             row{"no such port", "name: shop\nstages: [{name: a, web: {url: 'http://x:70000/'}}]",
                 "stages[0].web.url: expected http://"},
             row{"a variable that is not declared", "name: shop\nstages: [{name: a, command: [x, '${v}']}]",
                 "stages[0].command: no variable v is declared"},
             row{"a variable that must be given",
                 "name: shop\nset: {v: null}\nstages: [{name: a, command: [x]}]",
                 "set.v: needs a value: --set v="},
             row{"a webhook for all the world",
                 "name: shop\nwatch: {webhook: '0.0.0.0:80'}\nstages: [{name: a, command: [x]}]",
                 "watch.webhook: expected a loopback address"},
             row{"several things at once", "name: shop\nstages: [{name: A, command: [x], retries: x}]",
                 "stages[0].retries: expected"},
         }) {
        CAPTURE(r.name);
        w.write("line.yaml", r.text);
        auto const refused = w.pipeline({});
        CHECK(refused.code == 1);
        CHECK(has(refused.text, "line.yaml"));
        CHECK_MESSAGE(has(refused.text, r.wanted), refused.text);
        CHECK_FALSE(std::filesystem::exists(w.folder + "/.podium-pipeline"));
    }
    w.write("line.yaml", "name: shop\nstages: [{name: a, command: [/no/such/program]}]");
    struct line {
        std::vector<std::string> args;
        int code;
        char const* wanted;
    };
    for (auto const& l : {
             line{{"pipeline", "--help"}, 0, "usage: podium pipeline"},
             line{{"pipeline"}, 2, "expected run FILE"},
             line{{"pipeline", "walk", "line.yaml"}, 2, "expected run FILE"},
             line{{"pipeline", "run", "/no/such"}, 1, "/no/such: No such file"},
             line{{"pipeline", "run", "line.yaml", "--from", "b"}, 2, "no stage of that name; there are a"},
             line{{"pipeline", "run", "line.yaml", "--set", "a"}, 2, "--set: expected NAME=VALUE"},
             line{{"pipeline", "run", "line.yaml", "--set", "a=b"}, 1, "no variable a is declared"},
             line{{"pipeline", "watch", "line.yaml"}, 1, "expected watch.paths or watch.webhook"},
             line{{"pipeline", "watch", "line.yaml", "--resume"}, 2, "are for run"},
             line{{"pipeline", "run", "line.yaml"}, 1, "cannot execute /no/such/program: No such file"},
         }) {
        auto const code = world::code(w.spawn(l.args, w.folder + "/out"));
        auto const text = read(w.folder + "/out");
        CAPTURE(l.args.back());
        CHECK_MESSAGE(code == l.code, text);
        CHECK_MESSAGE(has(text, l.wanted), text);
    }
}
