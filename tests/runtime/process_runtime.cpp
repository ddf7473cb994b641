#include "room.hpp"

#include <podium/runtime/contract.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <iterator>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <vector>

using namespace podium;
using namespace podium::runtime;
using namespace podium::tests;
using namespace std::chrono_literals;

namespace {

/// May this process make PID namespaces? A machine's CI may not; then only the other mode is tested.
bool may_make_namespaces()
{
    static bool const may = [] {
        runtime::detail::unique_fd const self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
        auto init = runtime::detail::start_init(self.get(), true);
        if (!init)
            return false;
        init->socket = {};
        runtime::detail::reap_init(init->process.get());
        return true;
    }();
    return may;
}

std::vector<isolation> modes()
{
    return may_make_namespaces() ? std::vector{isolation::pid_namespace, isolation::process_tree}
                                 : std::vector{isolation::process_tree};
}

std::size_t open_files()
{
    auto const files = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

/// Children of this process, zombies included.
std::size_t children()
{
    std::size_t n = 0;
    runtime::detail::bare_each_child(::getpid(), [&](long) { ++n; });
    return n;
}

/// Waits in real time, for what happens outside of any io_context.
template<class F>
bool eventually(F const& is_so)
{
    for (int i = 0; i < 6000; ++i, ::poll(nullptr, 0, 20))
        if (is_so())
            return true;
    return false;
}

std::string const trap_term = "trap '' TERM; echo ready; while :; do sleep 0.02; done";

/// A grandchild in a session of its own that holds the named pipe $1, below a main process that stays.
std::string daemon_holding(std::string const& fifo)
{
    return "setsid sh -c 'exec 9>" + fifo +
        "; trap \"\" TERM HUP; echo up >&9; exec sleep 1000' & sleep 1000; exit 0";
}

}  // namespace

TEST_CASE("runtime: the process runtime keeps the contract, with and without a PID namespace")
{
    for (auto const mode : modes()) {
        CAPTURE(static_cast<int>(mode));
        room r(mode);
        contract_cases cases{.serves = r.script("exec sleep 1000"),
            .exits = r.script("exit 3"),
            .exit_code = 3,
            .missing_image = r.script("exit 0"),
            .missing_command = r.script("exit 0"),
            .stubborn = r.script(trap_term),
            .prints = r.script("echo one; echo two; printf three"),
            .printed = {"one", "two", "three"}};
        cases.missing_image.image = "box:2";
        cases.missing_command->command = {"no-such-program"};
        for (auto const& broken : wait_for(r.io, check_contract(*r.runtime, cases)))
            FAIL_CHECK(broken);
        CHECK(children() == 0);
    }
}

TEST_CASE("runtime: exit codes and signals are the main process's")
{
    struct {
        char const* name;
        char const* script;
        int code;
        int signal;
    } const rows[] = {
        {"success", "exit 0", 0, 0},
        {"failure", "exit 42", 42, 0},
        {"the highest code", "exit 255", 255, 0},
        {"killed by itself", "kill -KILL $$", 137, SIGKILL},
        {"terminated by default action, though it leads its container", "kill -TERM $$", 143, SIGTERM},
        {"aborted", "kill -ABRT $$", 134, SIGABRT},
        {"a background child does not count", "(exit 9) & wait; exit 1", 1, 0},
        {"a background child does not keep it", "sleep 1000 & exit 2", 2, 0},
    };
    for (auto const mode : modes()) {
        room r(mode);
        for (auto const& row : rows) {
            CAPTURE(row.name);
            auto const s = r.ended(r.run(r.script(row.script)));
            CHECK(s.exit_code == row.code);
            CHECK(s.signal == row.signal);
            CHECK(s.message.empty());
        }
    }
}

TEST_CASE("runtime: stop lets a process that listens finish, and kills one that does not after its grace")
{
    for (auto const mode : modes()) {
        room r(mode);
        auto const polite =
            r.run(r.script("trap 'echo bye; exit 5' TERM; echo ready; while :; do sleep 0.02; done"));
        REQUIRE(r.printed(polite, "ready"));
        CHECK(wait_for(r.io, r.runtime->stop(polite, 2min)));
        CHECK(r.row(polite).exit_code == 5);
        CHECK(r.output(polite) == "ready\nbye\n");

        auto const deaf = r.run(r.script(trap_term));
        REQUIRE(r.printed(deaf, "ready"));
        auto const before = std::chrono::steady_clock::now();
        CHECK(wait_for(r.io, r.runtime->stop(deaf, 200ms)));
        CHECK(std::chrono::steady_clock::now() - before >= 200ms);
        CHECK(r.row(deaf).signal == SIGKILL);
    }
}

TEST_CASE("runtime: a second stop shortens the grace, and a stop nobody waits for still ends")
{
    room r;
    auto const deaf = r.run(r.script(trap_term));
    REQUIRE(r.printed(deaf, "ready"));
    bool first = false;
    boost::asio::co_spawn(r.io, r.runtime->stop(deaf, 1h),
        [&](std::exception_ptr, result<void> ok) { first = ok.has_value(); });
    CHECK(wait_for(r.io, r.runtime->stop(deaf, 0s)));
    CHECK(until(r.io, [&] { return first; }));
    CHECK(r.row(deaf).signal == SIGKILL);

    auto const abandoned = r.run(r.script(trap_term));
    REQUIRE(r.printed(abandoned, "ready"));
    boost::asio::cancellation_signal cancel;
    std::optional<result<void>> answer;
    boost::asio::co_spawn(r.io, r.runtime->stop(abandoned, 300ms),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [&](std::exception_ptr, result<void> ok) { answer = ok; }));
    r.io.restart();
    r.io.poll();
    cancel.emit(boost::asio::cancellation_type::terminal);
    REQUIRE(until(r.io, [&] { return answer.has_value(); }));
    CHECK((!*answer && answer->error().code == errc::cancelled));
    CHECK(r.ended(abandoned).signal == SIGKILL);
}

TEST_CASE("runtime: many stops meet many exits, and each container ends exactly once")
{
    for (auto const mode : modes()) {
        room r(mode);
        for (int i = 0; i < 25; ++i) {
            // Exits by itself at about the time that it is stopped, in every order that the machine finds.
            auto const id = r.run(r.script("exit 4"));
            for (int spin = 0; spin < i * 20; ++spin)
                r.row(id);
            auto const stopped =
                wait_for(r.io, r.runtime->stop(id, i % 2 == 0 ? duration(10s) : duration(0)));
            CHECK(stopped);
            auto const s = r.row(id);
            CHECK(s.state == container_state::exited);
            CHECK((s.exit_code == 4 || s.signal == SIGTERM || s.signal == SIGKILL));
            CHECK(wait_for(r.io, r.runtime->remove(id)));
        }
        CHECK(r.runtime->list().empty());
        CHECK(children() == 0);
    }
}

TEST_CASE("runtime: command, args, environment and directory are what image and container say")
{
    room r;
    r.directory.write("images/shop/web/1.2/web", "#!/bin/sh\necho web \"$@\"; echo $LEVEL; pwd\n", 0755);
    r.directory.write("images/shop/web/1.2/config.json",
        R"({"config": {"Entrypoint": ["./web"], "Cmd": ["--port", "80"], "Env": ["LEVEL=info"], "WorkingDir": "data"}})");
    std::filesystem::create_directories(r.directory.path + "/images/shop/web/1.2/data");
    auto const entry = std::filesystem::canonical(r.directory.path + "/images/shop/web/1.2").string();
    struct {
        char const* name;
        std::vector<std::string> command;
        std::vector<std::string> args;
        std::vector<env_var> env;
        std::string working_dir;
        std::string output;
    } const rows[] = {
        {"the image alone", {}, {}, {}, "", "web --port 80\ninfo\n" + entry + "/data\n"},
        {"args replace the image's", {}, {"-v"}, {}, "", "web -v\ninfo\n" + entry + "/data\n"},
        {"command drops the image's args", {"echo"}, {}, {}, "", "\n"},
        {"command and args", {"echo", "a"}, {"b c"}, {}, "", "a b c\n"},
        {"a bare name is found in the entry", {"web"}, {}, {}, "", "web\ninfo\n" + entry + "/data\n"},
        {"variables go over the image's", {}, {}, {{"LEVEL", "debug"}}, "",
            "web --port 80\ndebug\n" + entry + "/data\n"},
        {"the directory goes over the image's", {}, {}, {}, "/", "web --port 80\ninfo\n/\n"},
        {"the environment is exactly that", {"env"}, {}, {{"POD_IP", "127.9.0.1"}}, "",
            "LEVEL=info\nPOD_IP=127.9.0.1\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
            "bin\n"},
        {"standard input is empty", {"cat"}, {}, {}, "", ""},
        {"no descriptor of podium's leaks in", {"/bin/sh", "-c", "ls /proc/self/fd"}, {}, {}, "/",
            "0\n1\n2\n3\n"},
    };
    for (auto const& row : rows) {
        CAPTURE(row.name);
        auto config = r.script("");
        config.image = "shop/web:1.2";
        config.command = row.command;
        config.args = row.args;
        config.env = row.env;
        config.working_dir = row.working_dir;
        auto const id = r.run(config);
        CHECK(r.ended(id).exit_code == 0);
        CHECK(r.output(id) == row.output);
    }
}

TEST_CASE("runtime: limits hold for the container's processes")
{
    room r;
    auto config = r.script("ulimit -n; ulimit -d");
    config.limits = {.memory_bytes = 512 * 1024 * 1024, .open_files = 77};
    auto const id = r.run(config);
    CHECK(r.ended(id).exit_code == 0);
    CHECK(r.output(id) == "77\n524288\n");
}

TEST_CASE("runtime: what cannot run says so")
{
    room r;
    r.directory.write("images/bad/format/1/format", "no program\n", 0755);
    r.directory.write("images/bad/mode/1/mode", "#!/bin/sh\n", 0644);
    std::filesystem::create_directories(r.directory.path + "/images/bad/empty/1");
    struct {
        char const* name;
        container_config config;
        errc code;
        char const* path;
    } const rows[] = {
        {"no such bare command", {.image = "box:1", .command = {"no-such"}}, errc::invalid, "command"},
        {"no such absolute command", {.image = "box:1", .command = {"/no/such"}}, errc::invalid, "command"},
        {"no such relative command", {.image = "box:1", .command = {"./such"}}, errc::invalid, "command"},
        {"a directory as a command", {.image = "box:1", .command = {"/tmp"}}, errc::invalid, "command"},
        {"not a program", {.image = "bad/format:1"}, errc::invalid, "command"},
        {"not executable", {.image = "bad/mode:1"}, errc::invalid, "command"},
        {"nothing to run", {.image = "bad/empty:1"}, errc::invalid, "command"},
        {"no such directory", {.image = "box:1", .working_dir = "/no/such"}, errc::invalid, "workingDir"},
        {"a null byte", {.image = "box:1", .args = {std::string("a\0b", 3)}}, errc::invalid, "command"},
    };
    for (auto const& row : rows) {
        CAPTURE(row.name);
        auto config = row.config;
        config.pod_name = "pod";
        config.name = "main";
        auto const id = wait_for(r.io, r.runtime->create(config));
        REQUIRE(id);
        auto const started = wait_for(r.io, r.runtime->start(*id));
        REQUIRE(!started);
        CHECK(started.error().code == row.code);
        CHECK(started.error().path == row.path);
        CHECK(r.row(*id).state == container_state::exited);
        CHECK(r.row(*id).exit_code == 128);
        CHECK(r.row(*id).message == started.error().text());
    }
    CHECK(children() == 0);
}

TEST_CASE("runtime: output is kept line by line in a fixed space")
{
    room r({}, {.file_bytes = 8 * 1024, .files = 3});
    auto const id =
        r.run(r.script("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; echo last >&2"));
    CHECK(r.ended(id).exit_code == 0);
    auto const lines = wait_for(r.io, runtime::read_logs(*r.runtime, id)).value();
    REQUIRE(lines.size() > 100);
    CHECK(lines.size() < 2001);
    std::uintmax_t bytes = 0;
    std::size_t files = 0;
    for (auto const& file : std::filesystem::directory_iterator(r.directory.path + "/state")) {
        bytes += file.file_size();
        ++files;
    }
    CHECK(files == 3);
    CHECK(bytes <= 3 * (8 + 16) * 1024);
    CHECK(r.output(id, {.tail = 2}).find("line 1999\n") != std::string::npos);
    CHECK(wait_for(r.io, r.runtime->remove(id)));
    CHECK(std::filesystem::is_empty(r.directory.path + "/state"));
}

TEST_CASE("runtime: what is printed last is last, in a log and in the answer of a command")
{
    room r({}, {.file_bytes = 256 * 1024, .files = 3});
    std::string all;
    for (int i = 1; i <= 5000; ++i)
        all += std::to_string(i) + '\n';
    std::vector<std::string> ids;
    for (int i = 0; i < 30; ++i)
        ids.push_back(r.run(r.script("exec seq 1 5000")));
    for (auto const& id : ids) {
        CHECK(r.ended(id).exit_code == 0);
        CHECK(r.output(id) == all);
    }
    auto const id = r.run(r.script("exec sleep 1000"));
    int answers = 0;
    for (int i = 0; i < 30; ++i)
        boost::asio::co_spawn(r.io,
            r.runtime->exec(id, {.command = {"seq", "1", "5000"}, .timeout = 1h, .output_bytes = 64 * 1024}),
            [&](std::exception_ptr, result<exec_result> answer) {
                CHECK(answer == exec_result{0, 0, all});
                ++answers;
            });
    REQUIRE(until(r.io, [&] { return answers == 30; }));
}

TEST_CASE("runtime: what left the process group dies when its container is stopped, or ends by itself")
{
    for (auto const mode : modes()) {
        CAPTURE(static_cast<int>(mode));
        room r(mode);
        witness const one(r.directory.path + "/one"), two(r.directory.path + "/two");
        auto const stopped = r.run(r.script(daemon_holding(r.directory.path + "/one")));
        REQUIRE(one.line() == "up");
        CHECK(wait_for(r.io, r.runtime->stop(stopped, 1min)));
        CHECK(one.ended());

        auto const self = r.run(r.script("setsid sh -c 'exec 9>" + r.directory.path +
            "/two; echo up >&9; exec sleep 1000' & while [ ! -e done ]; do sleep 0.02; done"));
        REQUIRE(two.line() == "up");
        r.directory.write("images/box/1/done", "");
        CHECK(r.ended(self).exit_code == 0);
        CHECK(two.ended());
    }
}

TEST_CASE("runtime: nothing is left when podium is killed, nor when the runtime is destroyed")
{
    for (auto const mode : modes()) {
        for (bool const kill : {true, false}) {
            CAPTURE(static_cast<int>(mode));
            CAPTURE(kill);
            temporary_directory const outside;
            witness const alive(outside.path + "/pipe");
            auto const podium = ::fork();
            if (podium == 0) {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                ::setenv("TMPDIR", outside.path.c_str(), 1);  // the killed do not tidy up
                {
                    room r(mode);
                    auto const id =
                        wait_for(r.io, r.runtime->create(r.script(daemon_holding(outside.path + "/pipe"))));
                    if (!id || !wait_for(r.io, r.runtime->start(*id)))
                        ::_exit(1);
                    while (kill)
                        ::pause();
                    // Destroyed as soon as the container has said that it is there: the parent's file.
                    while (::access((outside.path + "/go").c_str(), F_OK) != 0)
                        ::poll(nullptr, 0, 10);
                }
                ::_exit(0);
            }
            REQUIRE(podium > 0);
            REQUIRE(alive.line() == "up");
            if (kill)
                REQUIRE(::kill(podium, SIGKILL) == 0);
            else
                outside.write("go", "");
            CHECK(alive.ended());
            int status = 0;
            CHECK(::waitpid(podium, &status, 0) == podium);
            CHECK((kill ? WIFSIGNALED(status) : status == 0));
        }
    }
}

TEST_CASE("runtime: an init whose podium dies before the start leaves nothing")
{
    for (auto const mode : modes()) {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        auto const podium = ::fork();
        if (podium == 0) {
            runtime::detail::unique_fd const self(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
            auto const init = runtime::detail::start_init(self.get(), mode == isolation::pid_namespace);
            auto const pid = init ? init->pid : 0;
            (void)!::write(ends[1], &pid, sizeof pid);
            ::kill(::getpid(), SIGKILL);
        }
        std::int32_t pid = 0;
        REQUIRE(::read(ends[0], &pid, sizeof pid) == sizeof pid);
        ::close(ends[0]);
        ::close(ends[1]);
        REQUIRE(::waitpid(podium, nullptr, 0) == podium);
        REQUIRE(pid > 0);
        // It is nobody's child here: gone, or a zombie that waits for the machine's own init.
        CHECK(eventually([&] {
            std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
            std::string text;
            return !std::getline(stat, text) || text.find(") Z ") != std::string::npos;
        }));
    }
}

TEST_CASE("runtime: an init that is killed takes its container along")
{
    for (auto const mode : modes()) {
        room r(mode);
        witness const alive(r.directory.path + "/pipe");
        auto const id = r.run(r.script("exec 9>" + r.directory.path + "/pipe; echo up >&9; exec sleep 1000"));
        REQUIRE(alive.line() == "up");
        std::vector<long> inits;
        runtime::detail::bare_each_child(::getpid(), [&](long pid) { inits.push_back(pid); });
        REQUIRE(inits.size() == 1);
        REQUIRE(::kill(static_cast<pid_t>(inits.front()), SIGKILL) == 0);
        CHECK(alive.ended());
        auto const s = r.ended(id);
        CHECK(s.signal == SIGKILL);
        CHECK(s.message == "its init was killed");
    }
}

TEST_CASE("runtime: status.pid is the main process as podium sees it")
{
    for (auto const mode : modes()) {
        room r(mode);
        auto const id = r.run(r.script("exec sleep 1000"));
        auto const pid = r.row(id).pid;
        REQUIRE(pid > 0);
        REQUIRE(::kill(pid, SIGKILL) == 0);
        CHECK(r.ended(id).signal == SIGKILL);
    }
}

TEST_CASE("runtime: two hundred starts and stops leave no descriptor, no process, no file")
{
    for (auto const mode : modes()) {
        room r(mode);
        auto const once = [&](int i) {
            auto const id = r.run(r.script(i % 2 == 0 ? "exec sleep 1000" : "sleep 1000 & exit 0"));
            if (i % 4 == 0) {
                auto const answer =
                    wait_for(r.io, r.runtime->exec(id, {.command = {"true"}, .timeout = 1min}));
                CHECK((answer && answer->exit_code == 0));
            }
            CHECK(wait_for(r.io, r.runtime->stop(id, 1min)));
            CHECK(wait_for(r.io, r.runtime->remove(id)));
        };
        once(0);  // what the first one makes for good
        r.io.restart();
        r.io.poll();
        auto const files = open_files();
        for (int i = 0; i < 200; ++i)
            once(i);
        r.io.restart();
        r.io.poll();
        CHECK(open_files() == files);
        CHECK(children() == 0);
        CHECK(std::filesystem::is_empty(r.directory.path + "/state"));
    }
}

TEST_CASE("runtime: the host's own children and its SIGCHLD are not disturbed")
{
    static int volatile signals = 0;
    struct sigaction handler{};
    struct sigaction before{};
    handler.sa_handler = [](int) { signals = signals + 1; };
    REQUIRE(::sigaction(SIGCHLD, &handler, &before) == 0);
    {
        room r;
        for (int i = 0; i < 3; ++i)
            r.ended(r.run(r.script("exit 0")));
        CHECK(signals == 0);
        auto const running = r.run(r.script("exec sleep 1000"));
        int status = 0;
        CHECK(::waitpid(-1, &status, WNOHANG) == -1);  // an init is no child that a plain wait finds
        CHECK(errno == ECHILD);
        auto const own = ::fork();
        if (own == 0)
            ::_exit(11);
        while (::waitpid(own, &status, 0) < 0 && errno == EINTR) {
        }
        CHECK(WEXITSTATUS(status) == 11);
        CHECK(signals == 1);
        CHECK(wait_for(r.io, r.runtime->stop(running, 0s)));
    }
    REQUIRE(::sigaction(SIGCHLD, &before, nullptr) == 0);
}

TEST_CASE("runtime: exec runs beside the main process and ends with it")
{
    for (auto const mode : modes()) {
        room r(mode);
        auto const id = r.run(r.script("exec sleep 1000"));
        auto const shell = [&](std::string text, duration timeout = 1min) {
            return wait_for(
                r.io, r.runtime->exec(id, {.command = {"sh", "-c", std::move(text)}, .timeout = timeout}));
        };
        CHECK(shell("echo $FROM; echo no >&2; exit 3") == exec_result{3, 0, "image\nno\n"});
        CHECK(shell("kill -KILL $$") == exec_result{137, SIGKILL, ""});
        CHECK(shell("yes | head -c 100000").value().output.size() == 16 * 1024);
        auto const slow = shell("sleep 1000", 50ms);
        CHECK((!slow && slow.error().code == errc::deadline));
        auto const absent = wait_for(r.io, r.runtime->exec(id, {.command = {"no-such"}}));
        CHECK((!absent && absent.error().path == "command"));

        // More at a time than an init keeps: a clear answer, and the rest goes on.
        std::size_t refused = 0, killed = 0, others = 0;
        for (int i = 0; i < 70; ++i)
            boost::asio::co_spawn(r.io, r.runtime->exec(id, {.command = {"sleep", "1000"}, .timeout = 1h}),
                [&](std::exception_ptr, result<exec_result> answer) {
                    auto const code = answer ? errc::internal : answer.error().code;
                    ++(code == errc::exhausted                 ? refused
                            : code == errc::conflict || answer ? killed
                                                               : others);
                });
        REQUIRE(until(r.io, [&] { return refused > 0; }));
        CHECK(wait_for(r.io, r.runtime->stop(id, 0s)));
        REQUIRE(until(r.io, [&] { return refused + killed + others == 70; }));
        CHECK(others == 0);
        CHECK(children() == 0);
    }
}

TEST_CASE("runtime: usage grows with work, that of children included")
{
    for (auto const mode : modes()) {
        room r(mode);
        auto const busy = r.run(r.script("sh -c 'while :; do :; done' & wait"));
        std::optional<container_stats> seen;
        CHECK(until(r.io, [&] {
            auto const s = wait_for(r.io, r.runtime->stats(busy));
            CHECK(s.value().cpu_nanos >= (seen ? seen->cpu_nanos : 0));
            seen = *s;
            return s->cpu_nanos >= 50'000'000 && s->memory_bytes > 100'000;
        }));
        CHECK(wait_for(r.io, r.runtime->stop(busy, 0s)));
        CHECK(wait_for(r.io, r.runtime->stats(busy)).error().code == errc::conflict);
    }
}

TEST_CASE("runtime: init does not keep podium's memory")
{
#if !defined(__SANITIZE_ADDRESS__)
    std::vector<char> const large(64 * 1024 * 1024, 'x');
    room r;
    auto const id = r.run(r.script("exec sleep 1000"));
    runtime::detail::bare_each_child(::getpid(), [&](long pid) {
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        std::string line;
        while (std::getline(status, line))
            if (line.starts_with("RssAnon:"))
                CHECK(std::stol(line.substr(8)) < 4 * 1024);  // KiB
    });
    CHECK(large.back() == 'x');
#endif
}
