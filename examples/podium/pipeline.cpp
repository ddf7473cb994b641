// podium pipeline: from the sources to a version that is verified, or back to the one before. The decisions
// are podium::rollout::pipeline's; this file reads the line, runs its jobs, keeps their logs and shows how it
// goes.
#include "child.hpp"
#include "columns.hpp"
#include "commands.hpp"
#include "pipeline_jobs.hpp"

#include <podium/net/http_server.hpp>
#include <podium/rollout/pipeline.hpp>
#include <podium/store/clock.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace shipping;
using namespace std::chrono_literals;
using wall = podium::store::clock;

namespace {

constexpr char const usage[] =
    R"(usage: podium pipeline run FILE [--set NAME=VALUE]... [--from STAGE | --resume] [OPTION...]
       podium pipeline watch FILE [--set NAME=VALUE]... [OPTION...]

Runs the stages of FILE one after the other. One that fails, its retries included, stops the line; a deploy or verify
that fails takes back what this run deployed. run does it once and its exit code is 0 when all passed; watch does it
at each event: a path that changes, a POST. Ctrl-C cancels the run; a second one does not wait, nor roll back.

  --set NAME=VALUE  a variable that FILE declares: ${NAME} in it and in its manifests, and in its commands' environment
  --from STAGE      begin there; the stages before it are skipped
  --resume          go on with the latest run, which was cut off
  --logs DIR        where states and logs are kept, of the last 20 runs (.podium-pipeline)
  --json            the result as a line of JSON instead of progress for people
  -n NAMESPACE      for objects that name none (default)
  --socket PATH     of the podium that is up

  name: shop
  set: {version: null}                  # null: --set must give it
  watch: {paths: [src, web.yaml], webhook: "127.0.0.1:9000"}
  rollback: {timeout: 5m, retries: 2}
  stages:
  - {name: build, command: [./build.sh, "${version}"], timeout: 5m}   # or a string, for sh
  - {name: test, command: ./test.sh 2>&1, retries: 1}
  - {name: deploy, apply: [web.yaml], wait: deployment/web, timeout: 2m}
  - {name: verify, web: {url: "http://web:8080/", expect: 200, contains: ok}, retries: 3}

Each stage also takes kind (build, test, publish, deploy, verify; else by name, or by what it does), env, onFailure
(stop, rollback), backoff (the first wait between attempts, doubled each time), and for a command of kind deploy
rollback, the command that takes it back. Paths are seen from FILE's folder. An address' name is a Service of the
podium that is up.
)";

// -- what is kept ------------------------------------------------------------------------------------

json json_of(line::event const& e)
{
    return {{"source", e.source}, {"what", e.what}, {"first", e.first}};
}

// Text that may not be UTF-8, as output may not.
std::string dumped(json const& value, int indent = -1)
{
    return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

json json_of(line::state const& s, line::spec const& p, std::map<std::string, std::string> const& set)
{
    json out{{"pipeline", p.name}, {"run", s.run}, {"phase", static_cast<int>(s.phase)},
        {"result", static_cast<int>(s.result)}, {"cause", json_of(s.cause)},
        {"beganAt", s.began_at.time_since_epoch().count()},
        {"endedAt", s.ended_at.time_since_epoch().count()}, {"at", s.at},
        {"doing", static_cast<int>(s.doing)}, {"endingAs", static_cast<int>(s.ending_as)},
        {"until", s.until.time_since_epoch().count()}, {"failures", s.failures},
        {"nextWait", s.backoff.next_wait.count()}, {"retryAt", s.backoff.retry_at.time_since_epoch().count()},
        {"set", set}, {"stages", json::array()}};
    for (std::size_t i = 0; i < s.stages.size(); ++i) {
        auto const& g = s.stages[i];
        out["stages"].push_back(
            {{"name", i < p.stages.size() ? p.stages[i].name : ""}, {"now", static_cast<int>(g.now)},
                {"attempts", g.attempts}, {"beganAt", g.began_at.time_since_epoch().count()},
                {"endedAt", g.ended_at.time_since_epoch().count()}, {"tail", g.tail},
                {"undone", static_cast<int>(g.undone)}, {"undoAttempts", g.undo_attempts},
                {"undoTail", g.undo_tail}});
    }
    return out;
}

// The state of a run of this line. Errors: `invalid` where it is none, `conflict` where it is another line's.
result<line::state> state_of(json const& from, line::spec const& p)
{
    try {
        auto const time = [](json const& v) {
            return podium::time_point(podium::duration(v.get<std::int64_t>()));
        };
        auto const one_of = [](json const& v, auto last) {
            auto const n = v.get<int>();
            if (n < 0 || n > static_cast<int>(last))
                throw std::out_of_range("no such value");
            return static_cast<decltype(last)>(n);
        };
        line::state s;
        s.run = from.at("run").get<std::uint64_t>();
        s.phase = one_of(from.at("phase"), line::phase::over);
        s.result = one_of(from.at("result"), line::outcome::skipped);
        auto const& cause = from.at("cause");
        s.cause = {cause.at("source").get<std::string>(), cause.at("what").get<std::string>(),
            cause.at("first").get<std::size_t>()};
        s.began_at = time(from.at("beganAt"));
        s.ended_at = time(from.at("endedAt"));
        s.at = from.at("at").get<std::size_t>();
        s.doing = one_of(from.at("doing"), line::activity::ending);
        s.ending_as = one_of(from.at("endingAs"), line::outcome::skipped);
        s.until = time(from.at("until"));
        s.failures = from.at("failures").get<std::uint32_t>();
        s.backoff = {podium::duration(from.at("nextWait").get<std::int64_t>()), time(from.at("retryAt"))};
        bool same = from.at("pipeline") == p.name && from.at("stages").size() == p.stages.size();
        for (auto const& v : from.at("stages")) {
            same = same && v.at("name") == p.stages[s.stages.size()].name;
            auto& g = s.stages.emplace_back();
            g.now = one_of(v.at("now"), line::outcome::skipped);
            g.attempts = v.at("attempts").get<std::uint32_t>();
            g.began_at = time(v.at("beganAt"));
            g.ended_at = time(v.at("endedAt"));
            g.tail = v.at("tail").get<std::string>();
            g.undone = one_of(v.at("undone"), line::undo::failed);
            g.undo_attempts = v.at("undoAttempts").get<std::uint32_t>();
            g.undo_tail = v.at("undoTail").get<std::string>();
        }
        if (!same)
            return error{errc::conflict, "the run is of a line with other stages", {}, {}};
        if (auto const fits = line::check(p, s); !fits)
            return fits.error();
        return s;
    } catch (std::exception const&) {
        return error{errc::invalid, "not the state of a run", {}, {}};
    }
}

// A folder of runs by their numbers, of which the latest are kept, and one process at a time.
class archive {
public:
    static constexpr std::size_t kept = 20;

    archive() = default;
    archive(archive&& other) noexcept
        : folder_(std::move(other.folder_)),
          lock_(std::exchange(other.lock_, -1))
    {
    }
    archive& operator=(archive&& other) noexcept
    {
        std::swap(folder_, other.folder_);
        std::swap(lock_, other.lock_);
        return *this;
    }
    ~archive()
    {
        if (lock_ >= 0)
            ::close(lock_);
    }

    static result<archive> open(std::string const& folder, std::string const& name)
    {
        archive a;
        a.folder_ = folder + '/' + name;
        std::error_code ec;
        fs::create_directories(a.folder_, ec);
        if (!ec)
            fs::permissions(a.folder_, fs::perms::owner_all, ec);  // what commands print may be secret
        if (ec)
            return error{errc::unavailable, a.folder_ + ": " + ec.message(), {}, {}};
        a.lock_ = ::open((a.folder_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (a.lock_ < 0)
            return error{errc::unavailable, a.folder_ + "/lock: " + std::strerror(errno), {}, {}};
        if (::flock(a.lock_, LOCK_EX | LOCK_NB) != 0)
            return error{errc::unavailable,
                "another podium runs the pipeline " + name + " (" + a.folder_ + ')', {}, {}};
        return a;
    }

    std::string path(std::uint64_t run) const { return folder_ + '/' + std::to_string(run); }
    std::uint64_t latest() const
    {
        auto const all = runs();
        return all.empty() ? 0 : *all.rbegin();
    }
    // Makes room, and the folder of a run.
    result<void> begin(std::uint64_t run) const
    {
        auto all = runs();
        std::error_code ec;
        for (; all.size() >= kept; all.erase(all.begin()))
            fs::remove_all(path(*all.begin()), ec);
        fs::create_directories(path(run), ec);
        if (ec)
            return error{errc::unavailable, path(run) + ": " + ec.message(), {}, {}};
        return {};
    }

private:
    std::set<std::uint64_t> runs() const
    {
        std::set<std::uint64_t> out;
        std::error_code ec;
        for (auto it = fs::directory_iterator(folder_, ec); !ec && it != fs::directory_iterator();
            it.increment(ec)) {
            auto const name = it->path().filename().string();
            std::uint64_t n = 0;
            auto const [end, failed] = std::from_chars(name.data(), name.data() + name.size(), n);
            if (failed == std::errc{} && end == name.data() + name.size())
                out.insert(n);
        }
        return out;
    }

    std::string folder_{};
    int lock_ = -1;
};

// -- what is shown -----------------------------------------------------------------------------------

class board {
public:
    explicit board(bool silent) : silent_(silent), terminal_(!silent && ::isatty(STDOUT_FILENO) == 1) {}

    bool lives() const { return terminal_; }
    void note(std::string const& text)
    {
        if (silent_)
            return;
        std::printf("%s\n", harmless(text).c_str());
        std::fflush(stdout);
        drawn_ = 0;
    }
    void begin(line::spec const& p, line::state const& s)
    {
        told_.assign(p.stages.size(), {});
        drawn_ = 0;
        note(p.name + ", run " + std::to_string(s.run) + " (" + s.cause.source +
            (s.cause.what.empty() ? "" : ": " + s.cause.what) + ')');
    }
    // Draws the stages over what was drawn before; elsewhere a line for each stage that has changed.
    void show(line::spec const& p, line::state const& s)
    {
        if (silent_)
            return;
        auto const now = wall::now();
        if (terminal_)
            return draw(line::table(p, s, now));
        std::size_t width = 0;
        for (auto const& stage : p.stages)
            width = std::max(width, stage.name.size());
        for (std::size_t i = 0; i < s.stages.size(); ++i) {
            auto const& g = s.stages[i];
            bool const here = s.at == i && line::is_under_way(s);
            auto const seen = std::tuple(
                g.now, g.attempts, g.undone, g.undo_attempts, here ? s.doing : line::activity::waiting);
            if (g.now == line::outcome::pending || std::exchange(told_[i], seen) == seen)
                continue;
            auto text = line::line(s, i, now);
            if (g.now == line::outcome::running && s.doing == line::activity::working)
                text = g.attempts > 1 ? "running, attempt " + std::to_string(g.attempts) : "running";
            std::printf(
                "%-*s  %s\n", static_cast<int>(width), p.stages[i].name.c_str(), harmless(text).c_str());
            std::fflush(stdout);
        }
    }
    // What the failing stage has printed, and the sum of it all.
    void end(line::spec const& p, line::state const& s, std::string const& folder)
    {
        show(p, s);
        drawn_ = 0;
        for (std::size_t i = 0; i < s.stages.size(); ++i) {
            auto const& g = s.stages[i];
            if (g.now == line::outcome::failed || g.now == line::outcome::timed_out)
                print(p.stages[i].name, g.tail, folder + '/' + p.stages[i].name + ".log");
            if (g.undone == line::undo::failed)
                print("the rollback of " + p.stages[i].name, g.undo_tail,
                    folder + '/' + p.stages[i].name + ".rollback.log");
        }
        note(line::summary(p, s, wall::now()));
    }

private:
    void print(std::string const& what, std::string_view tail, std::string const& log)
    {
        if (silent_)
            return;
        std::printf("-- the end of what %s printed; all of it is in %s\n", what.c_str(), log.c_str());
        std::vector<std::string_view> lines;
        while (!tail.empty()) {
            auto const end = std::min(tail.size(), tail.find('\n'));
            lines.push_back(tail.substr(0, end));
            tail.remove_prefix(std::min(tail.size(), end + 1));
        }
        for (auto i = lines.size() - std::min<std::size_t>(lines.size(), 40); i < lines.size(); ++i)
            std::printf("   %s\n", harmless(lines[i]).c_str());
    }
    void draw(std::string const& table)
    {
        struct winsize size{};
        if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
            size.ws_col = 80;
        std::string out = drawn_ > 0 ? "\x1b[" + std::to_string(drawn_) + 'F' : std::string{};
        drawn_ = 0;
        for (std::string_view rest = table; !rest.empty(); ++drawn_) {
            auto const end = rest.find('\n');
            out += fitted(harmless(rest.substr(0, end)), size.ws_col) + "\x1b[K\n";
            rest.remove_prefix(end + 1);
        }
        std::fwrite(out.data(), 1, out.size(), stdout);  // one write: nothing flickers
        std::fflush(stdout);
    }

    using sight = std::tuple<line::outcome, std::uint32_t, line::undo, std::uint32_t, line::activity>;
    bool silent_, terminal_;
    std::size_t drawn_ = 0;
    std::vector<sight> told_{};
};

json report(line::spec const& p, line::state const& s, std::string const& folder)
{
    auto const seconds = [](podium::duration d) {
        return static_cast<double>(std::chrono::round<std::chrono::milliseconds>(d).count()) / 1000;
    };
    auto const now = wall::now();
    json out{{"pipeline", p.name}, {"run", s.run}, {"result", std::string(to_string(s.result))},
        {"event", {{"source", s.cause.source}, {"what", s.cause.what}}},
        {"seconds", seconds(podium::elapsed(s.began_at, s.ended_at))}, {"logs", folder},
        {"stages", json::array()}};
    for (std::size_t i = 0; i < s.stages.size(); ++i) {
        auto const& g = s.stages[i];
        json one{{"name", p.stages[i].name}, {"kind", std::string(to_string(p.stages[i].what))},
            {"outcome", std::string(to_string(g.now))}, {"attempts", g.attempts},
            {"seconds", seconds(line::took(g, now))}};
        if (g.undone != line::undo::none)
            one["rollback"] = std::string(to_string(g.undone));
        if (g.now == line::outcome::failed || g.now == line::outcome::timed_out)
            one["output"] = g.tail;
        out["stages"].push_back(std::move(one));
    }
    return out;
}

// -- running -----------------------------------------------------------------------------------------

// The paths that start a run: what is there, and when it was written last.
class watched {
public:
    explicit watched(std::vector<std::string> paths)
        : paths_(std::move(paths)),
          acted_on_(look()),
          last_(acted_on_)
    {
    }

    // The path that has changed, once two looks agree: what is still being written is left for the next.
    std::optional<std::string> changed()
    {
        auto now = look();
        bool const settled = now == last_;
        last_ = now;
        if (!settled || now == acted_on_)
            return {};
        auto const before = std::exchange(acted_on_, std::move(now));
        for (auto const& [path, at] : acted_on_)
            if (auto const old = before.find(path); old == before.end() || old->second != at)
                return path;
        for (auto const& [path, at] : before)
            if (!acted_on_.contains(path))
                return path + " (gone)";
        return {};
    }

private:
    using stamp = std::tuple<long, long, long, unsigned long>;
    using stamps = std::map<std::string, stamp>;
    static constexpr std::size_t most = 100'000;

    static void add(stamps& to, std::string const& path)
    {
        struct stat s{};
        if (to.size() < most && ::stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode))
            to.emplace(path, stamp{s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_size, s.st_ino});
    }
    stamps look() const
    {
        stamps out;
        for (auto const& path : paths_) {
            add(out, path);
            std::error_code ec;
            for (auto it = fs::recursive_directory_iterator(path, ec);
                !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
                if (it->path().filename().string().starts_with(
                        '.')) {  // an editor's, a repository's, our own
                    it.disable_recursion_pending();
                    continue;
                }
                add(out, it->path().string());
            }
        }
        return out;
    }

    std::vector<std::string> paths_;
    stamps acted_on_, last_;
};

struct line_options {
    std::string file{};
    std::map<std::string, std::string> set{};
    bool watches = false;
    bool json_out = false;
};

// A pipeline at work. One thread; lives until `run` has returned.
class runner {
public:
    runner(asio::any_io_executor on, session const& s, line_options how, line_file f, archive a,
        line::state from)
        : executor_(std::move(on)),
          session_(s),
          how_(std::move(how)),
          file_(std::make_shared<line_file const>(std::move(f))),
          archive_(std::move(a)),
          state_(std::move(from)),
          timer_(executor_),
          board_(how_.json_out)
    {
    }

    void tell(line::observed seen)
    {
        inbox_.push_back(std::move(seen));
        timer_.cancel();
    }

    asio::awaitable<int> run()
    {
        asio::signal_set signals(executor_, SIGINT, SIGTERM, SIGHUP);
        hear(signals);
        std::optional<net::http_server> hook;
        std::optional<watched> disk;
        if (how_.watches) {
            if (!file_->watched.empty())
                disk.emplace(file_->watched);
            if (file_->webhook) {
                hook.emplace(executor_, [this](net::http_request r) { return answer(std::move(r)); });
                auto const at = hook->listen(*file_->webhook);
                if (!at)
                    co_return failed(at.error());
                board_.note("POST http://" + at->text() + "/ starts a run");
            }
            board_.note("waiting for an event; Ctrl-C ends");
        }
        if (line::is_under_way(state_)) {
            board_.begin(file_->spec, state_);
            board_.note("going on where it was cut off");
        } else if (state_.phase == line::phase::over) {
            // It was being cancelled when it was cut off, and that ended it.
            board_.begin(file_->spec, state_);
            auto const kept = save();
            co_return kept ? tell_end() : failed(kept.error());
        }
        auto look_at = wall::now();
        for (int code = 0;;) {
            if (disk && wall::now() >= look_at) {
                look_at = podium::later(wall::now(), 300ms);
                if (auto const path = disk->changed())
                    inbox_.push_back({.event = line::event{"file", *path, 0}});
            }
            line::observed seen;
            if (!inbox_.empty()) {
                seen = std::move(inbox_.front());
                inbox_.pop_front();
            }
            if (how_.watches && (seen.event || state_.next) && !line::is_under_way(state_)) {
                auto again = reader(session_, how_.set).read(how_.file);
                if (again) {  // where it listens stays as it was
                    file_ = std::make_shared<line_file const>(*std::move(again));
                } else {  // no run of a file that is wrong
                    failed(again.error());
                    seen.event.reset();
                    state_.next.reset();
                }
            }
            auto r = line::step(file_->spec, state_, seen, wall::now());
            bool const began = r.next.run != state_.run;
            bool const over = r.next.phase == line::phase::over && (began || line::is_under_way(state_));
            bool const moved = r.next != state_;
            state_ = std::move(r.next);
            if (began) {
                if (auto const made = archive_.begin(state_.run); !made)
                    co_return failed(made.error());
                board_.begin(file_->spec, state_);
            }
            if (moved && state_.run > 0)
                if (auto const kept = save(); !kept)  // what could not be gone on with is not gone into
                    co_return failed(kept.error());
            act(r.todo);
            if (over) {
                code = tell_end();
                if (!how_.watches)
                    co_return code;
            } else if (line::is_under_way(state_)) {
                board_.show(file_->spec, state_);
            }
            if (signals_ > 0 && !line::is_under_way(state_))
                co_return state_.result == line::outcome::cancelled ? 1 : code;
            if (signals_ > 1) {
                kill_all();
                board_.note("left as it is; podium pipeline run --resume goes on with it");
                co_return 1;
            }
            if (!inbox_.empty())
                continue;
            auto wake = r.wake_at;
            if (disk)
                wake = std::min(wake, look_at);
            if (board_.lives() && line::is_under_way(state_))
                wake = std::min(wake, podium::later(wall::now(), 100ms));
            timer_.expires_at(wall::steady(wake));
            co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
    }

private:
    struct at_work {
        line::job of{};
        asio::cancellation_signal signal{};
        child_stop stop{};
    };

    std::string folder() const { return archive_.path(state_.run); }
    result<void> save() const
    {
        return write_file(folder() + "/state.json", dumped(json_of(state_, file_->spec, file_->set)));
    }
    // The exit code.
    int tell_end()
    {
        board_.end(file_->spec, state_, folder());
        if (how_.json_out)
            std::cout << dumped(report(file_->spec, state_, folder())) << std::endl;
        return state_.result == line::outcome::passed ? 0 : 1;
    }
    void hear(asio::signal_set& signals)
    {
        signals.async_wait([this, &signals](boost::system::error_code ec, int) {
            if (ec)
                return;
            ++signals_;
            tell({.cancel = true});
            hear(signals);
        });
    }
    void act(line::action const& todo)
    {
        if (todo.what == line::verb::start)
            start(todo.of);
        if (todo.what == line::verb::end)
            for (auto const& j : jobs_)
                if (j->of == todo.of)
                    return stop(j);
    }
    // A copy is called, for a job that ends takes its own away.
    static void stop(std::shared_ptr<at_work> j)
    {
        auto const how = j->stop;
        how();
    }
    void kill_all()
    {
        for (auto const& j : std::vector(jobs_)) {
            auto const how = j->stop;
            how();
            how();  // at once
        }
    }
    void start(line::job of)
    {
        auto const j = std::make_shared<at_work>();
        j->of = of;
        j->stop = [weak = std::weak_ptr(j)] {
            if (auto const still = weak.lock())
                still->signal.emit(asio::cancellation_type::terminal);
        };
        jobs_.push_back(j);
        auto const& name = file_->spec.stages[of.stage].name;
        bool const back = of.which == line::way::back;
        auto const log = std::make_shared<job_log>(folder() + '/' + name + (back ? ".rollback.log" : ".log"),
            file_->spec.tail_bytes, of.attempt > 1 ? "-- attempt " + std::to_string(of.attempt) + '\n' : "");
        asio::co_spawn(executor_, one(j, log),
            asio::bind_cancellation_slot(
                j->signal.slot(), [this, j, log](std::exception_ptr thrown, bool passed) {
                    if (thrown)
                        try {
                            std::rethrow_exception(thrown);
                        } catch (std::exception const& e) {
                            log->say(std::string("error: ") + e.what());
                        }
                    std::erase(jobs_, j);
                    tell({.end = line::ended{j->of, !thrown && passed, log->tail}});
                }));
    }
    asio::awaitable<bool> one(std::shared_ptr<at_work> j, std::shared_ptr<job_log> log)
    {
        auto const file = file_;  // this job's, also when it outlives its run
        auto const& w = file->stages[j->of.stage];
        auto const& p = file->spec.stages[j->of.stage];
        bool const back = j->of.which == line::way::back;
        auto const before = folder() + '/' + p.name + ".before.json";
        result<void> done;
        if (!w.apply.empty() && back)
            done = co_await roll_back(session_, w, before, *log);
        else if (!w.apply.empty())
            done = co_await deploy(session_, *file, w, before, *log);
        else if (w.web)
            done = co_await verify(session_, *w.web, p.allowed.timeout, *log);
        else
            done = co_await command(j->of, back ? w.rollback : w.command, w.env, log, j->stop);
        if (!done && done.error().code != errc::cancelled)  // how far it was says more
            log->say(done.error().text());
        co_return done.has_value();
    }
    asio::awaitable<result<void>> command(line::job of, std::vector<std::string> argv,
        std::map<std::string, std::string> env, std::shared_ptr<job_log> log, child_stop& stop)
    {
        child_command c;
        c.argv = std::move(argv);
        c.directory = file_->folder;
        c.grace = file_->spec.grace / 2;  // so that it is gone when the line gives it up
        auto all = env;
        for (auto const& [name, value] : file_->set)
            all.emplace(name, value);
        all["PODIUM_PIPELINE"] = file_->spec.name;
        all["PODIUM_RUN"] = std::to_string(of.run);
        all["PODIUM_STAGE"] = file_->spec.stages[of.stage].name;
        all["PODIUM_ATTEMPT"] = std::to_string(of.attempt);
        for (char** e = ::environ; *e; ++e)
            if (std::string_view const one = *e; !all.contains(std::string(one.substr(0, one.find('=')))))
                c.environment.emplace_back(one);
        for (auto const& [name, value] : all)
            c.environment.push_back(name + '=' + value);
        std::function<void(std::string_view)> const printed = [log](std::string_view bytes) {
            log->add(bytes);
        };
        auto const code = co_await run_child(std::move(c), printed, stop);
        if (!code)
            co_return code.error();
        if (*code != 0)
            co_return error{errc::unavailable,
                *code > 128 ? "ended by signal " + std::to_string(*code - 128)
                            : "exit code " + std::to_string(*code),
                {}, {}};
        co_return result<void>{};
    }
    // A browser tells where a request comes from: a page of somebody else's must not start a run.
    asio::awaitable<net::http_answer> answer(net::http_request r)
    {
        if (r.method() != net::http::verb::post)
            co_return net::answer(405, "POST starts a run\n");
        if (r.find(net::http::field::origin) != r.end())
            co_return net::answer(403, "not from a page\n");
        std::string const target(r.target().data(), std::min<std::size_t>(r.target().size(), 200));
        tell({.event = line::event{"webhook", "POST " + target, 0}});
        co_return net::answer(
            202, line::is_under_way(state_) ? "waits for the run under way\n" : "accepted\n");
    }

    asio::any_io_executor executor_;
    session const& session_;
    line_options how_;
    std::shared_ptr<line_file const> file_;
    archive archive_;
    line::state state_;
    asio::steady_timer timer_;
    board board_;
    std::deque<line::observed> inbox_{};
    std::vector<std::shared_ptr<at_work>> jobs_{};
    int signals_ = 0;
};

// The latest run, if it was cut off.
std::optional<json> cut_off(archive const& a)
{
    bool fine = false;
    auto const text = text_of(a.path(a.latest()) + "/state.json", 256 * 1024 * 1024, fine);
    auto parsed = model::parse_json(text, {.size_bytes = 256 * 1024 * 1024, .nodes = 1'000'000});
    if (!fine || !parsed || !parsed->is_object())
        return {};
    auto const phase = parsed->value("phase", json());
    if (phase != static_cast<int>(line::phase::running) &&
        phase != static_cast<int>(line::phase::rolling_back))
        return {};
    return *std::move(parsed);
}

int work_on(arguments args)
{
    line_options how;
    how.watches = args.words[0] == "watch";
    how.file = args.words[1];
    how.json_out = args.has("--json");
    for (auto const& text : args.values("--set")) {
        auto const equals = text.find('=');
        if (equals == text.npos || equals == 0)
            return failed({errc::invalid, "--set: expected NAME=VALUE", {}, {}}, 2);
        how.set[text.substr(0, equals)] = text.substr(equals + 1);
    }
    session const s(args);
    bool const resumes = args.has("--resume");
    auto file = reader(s, how.set, resumes).read(how.file);
    if (!file)
        return failed(file.error());
    line::event why{"manual", "", 0};
    if (args.has("--from")) {
        auto const name = args.value("--from");
        std::string known;
        auto const& stages = file->spec.stages;
        for (auto const& stage : stages)
            known += (known.empty() ? "" : ", ") + stage.name;
        auto const at = std::ranges::find(stages, name, &line::stage::name);
        if (at == stages.end())
            return failed({errc::invalid, "--from: no stage of that name; there are " + known, {}, {}}, 2);
        why.first = static_cast<std::size_t>(at - stages.begin());
        why.what = "from " + name;
    }
    if (how.watches && file->watched.empty() && !file->webhook)
        return failed({errc::invalid, how.file + ": expected watch.paths or watch.webhook", {}, {}});
    auto runs = archive::open(args.value("--logs", ".podium-pipeline"), file->spec.name);
    if (!runs)
        return failed(runs.error());
    line::state from;
    from.run = runs->latest();
    auto const cut = cut_off(*runs);
    if (resumes) {
        if (!cut)
            return failed({errc::not_found, "there is no run that was cut off", {}, {}});
        if (cut->contains("set"))  // as it was begun, unless told otherwise
            for (auto const& [name, value] : (*cut)["set"].items())
                if (value.is_string())
                    how.set.emplace(name, value.get<std::string>());
        file = reader(s, how.set).read(how.file);
        if (!file)
            return failed(file.error());
        auto const kept = state_of(*cut, file->spec);
        if (!kept)
            return failed(kept.error());
        from = line::resume(file->spec, *kept, wall::now());
    } else if (cut) {
        std::fprintf(stderr, "run %llu was cut off; podium pipeline run --resume goes on with it\n",
            static_cast<unsigned long long>(from.run));
    }

    asio::io_context io(1);
    runner r(io.get_executor(), s, how, *std::move(file), *std::move(runs), std::move(from));
    if (!how.watches && !resumes)
        r.tell({.event = why});
    int code = 1;
    asio::co_spawn(io, r.run(), [&](std::exception_ptr thrown, int c) {
        if (thrown)
            std::rethrow_exception(thrown);
        code = c;
        io.stop();  // a job that could not be ended holds nobody up
    });
    try {
        io.run();
    } catch (std::exception const& e) {
        return failed({errc::internal, e.what(), {}, {}});
    }
    return code;
}

}  // namespace

int run_pipeline(std::vector<std::string> const& args)
{
    auto parsed = parse(args,
        {{"--help -h"}, {"--set", true}, {"--from", true}, {"--resume"}, {"--logs", true}, {"--json"},
            {"-n --namespace", true}, {"--socket", true}});
    if (!parsed)
        return failed(parsed.error(), 2);
    if (parsed->has("--help"))
        return std::fputs(usage, stdout) < 0;
    auto const& words = parsed->words;
    if (words.size() != 2 || (words[0] != "run" && words[0] != "watch"))
        return failed({errc::invalid, "expected run FILE or watch FILE; --help tells more", {}, {}}, 2);
    if ((words[0] == "watch" && (parsed->has("--from") || parsed->has("--resume"))) ||
        (parsed->has("--from") && parsed->has("--resume")))
        return failed({errc::invalid, "--from and --resume are for run, and one of them", {}, {}}, 2);
    return work_on(*std::move(parsed));
}
