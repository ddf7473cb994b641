// podium up: a cluster in the foreground that follows the manifests on disk.
#include "arguments.hpp"
#include "columns.hpp"
#include "commands.hpp"
#include "manifests.hpp"
#include "screen.hpp"

#include <podium/api/path.hpp>
#include <podium/api/status.hpp>
#include <podium/cluster/dashboard.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <sys/stat.h>
#include <tuple>

namespace asio = boost::asio;
namespace api = podium::api;
namespace model = podium::model;
namespace net = podium::net;
namespace yaml = podium::yaml;
using namespace std::chrono_literals;
using podium::errc;
using podium::error;

namespace {

constexpr char const usage[] = R"(usage: podium up -f PATH... [OPTION...]

Runs a cluster in the foreground and keeps it at what the manifests say. Saving a manifest applies it; an object that
is taken out of them is deleted if it was created from them. A file that is wrong changes nothing until it is right.
Ctrl-C drains all pods and leaves nothing behind; a second one does not wait.

  -f PATH          a file, or a folder of *.yaml, *.yml and *.json; may be given several times
  -n NAMESPACE     for objects that name none (default)
  --images DIR     the image directory: image shop/web:1.2 is DIR/shop/web/1.2/, an executable `web` there (images)
  --nodes N        how many nodes to have (3)
  --socket PATH    to listen on ($XDG_RUNTIME_DIR/podium.sock, else /run/podium/podium.sock)
  --data DIR       where volumes are kept, a folder for each claim; they outlive podium (podium-data)
  --state DIR      where logs are kept; without it they are deleted at the end
  --dashboard ADDRESS:PORT
                   where to show the dashboard, on loopback only (127.0.0.1:8001, or any port if that is taken);
                   everybody on this machine can open it
  --no-dashboard   without one
  --grace SECONDS  how long pods may take to end after Ctrl-C (30)
  --autoscale-period SECONDS
                   how often usage is measured and autoscalers decide (15)
)";

// The manifests on disk, and what of them is in the cluster.
class following {
public:
    following(podium::cluster::local& c, screen& s, std::vector<std::string> paths, std::string in)
        : cluster_(c),
          screen_(s),
          paths_(std::move(paths)),
          namespace_(std::move(in))
    {
    }

    // One look at the disk. What is still being written is left for the next: it acts on what two looks agree
    // on.
    asio::awaitable<void> look(bool at_once)
    {
        auto const files = manifest_files(paths_);
        if (!files) {
            if (std::exchange(trouble_, files.error().text()) != files.error().text())
                screen_.note(files.error().text(), true);
            co_return;
        }
        trouble_.clear();
        std::map<std::string, stamp> now;
        for (auto const& f : *files)
            now.emplace(f, stamp_of(f));
        bool const settled = at_once || now == seen_;
        seen_ = now;
        if (!settled || now == applied_)
            co_return;
        auto const before = std::exchange(applied_, now);
        std::vector<yaml::manifest> changed;
        for (auto const& [file, at] : now) {
            if (auto const old = before.find(file); old != before.end() && old->second == at)
                continue;
            auto read = read_file(file, cluster_.kinds(), namespace_);
            if (!read) {
                screen_.note(read.error().text(), true);
                continue;  // what it said before holds
            }
            content_[file] = *read;
            changed.insert(changed.end(), read->begin(), read->end());
        }
        std::erase_if(content_, [&](auto const& c) { return !now.contains(c.first); });
        for (auto& m : std::exchange(refused_, {}))
            if (std::ranges::none_of(
                    changed, [&](auto const& c) { return c.object.which() == m.object.which(); }) &&
                is_wanted(m.object.which()))
                changed.push_back(std::move(m));
        in_order_of_need(changed);
        for (auto const& m : changed)
            co_await apply(m);
        co_await prune();
    }

private:
    using stamp = std::tuple<long, long, long, unsigned long>;

    static stamp stamp_of(std::string const& file)
    {
        struct stat s{};
        if (::stat(file.c_str(), &s) != 0)
            return {};
        return {s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_size, s.st_ino};
    }
    asio::awaitable<podium::result<api::response>> call(api::request r)
    {
        co_return co_await cluster_.call(std::move(r));
    }
    asio::awaitable<void> apply(yaml::manifest const& m)
    {
        auto const which = m.object.which();
        auto const& kind = *cluster_.kinds().find(m.object.kind);
        api_call const ask = [this](api::request r) { return call(std::move(r)); };
        auto const done = co_await apply_one(ask, cluster_.kinds(), m);
        if (!done) {
            screen_.note(done.error().text(), true);
            refused_.push_back(m);
            co_return;
        }
        if (done->what == api::applied::created)
            ours_[which] = done->uid;
        if (done->what != api::applied::unchanged)
            screen_.note(short_name(kind, which.name) + ' ' + std::string(to_string(done->what)));
    }
    bool is_wanted(podium::reconcile::key const& which) const
    {
        for (auto const& [file, all] : content_)
            for (auto const& m : all)
                if (m.object.which() == which)
                    return true;
        return false;
    }
    asio::awaitable<void> prune()
    {
        std::vector<podium::reconcile::key> gone;
        for (auto const& [which, uid] : ours_)
            if (!is_wanted(which))
                gone.push_back(which);
        for (auto const& which : gone) {
            auto const live = cluster_.store().get(which);
            bool const same = live && live.uid() == ours_[which];
            ours_.erase(which);
            if (!same)
                continue;
            auto const& kind = *cluster_.kinds().find(which.kind);
            auto asked = request(api::path_of(kind.api_version, kind.plural, which.namespace_, which.name),
                api::method::delete_);
            auto const answer = co_await cluster_.call(std::move(asked));
            if (answer.code / 100 == 2)
                screen_.note(short_name(kind, which.name) + " deleted: no manifest has it any more");
            else
                screen_.note(api::error_of(answer).text(), true);
        }
    }

    podium::cluster::local& cluster_;
    screen& screen_;
    std::vector<std::string> paths_;
    std::string namespace_;
    std::string trouble_{};
    std::map<std::string, stamp> seen_{}, applied_{};
    std::map<std::string, std::vector<yaml::manifest>> content_{};
    std::vector<yaml::manifest> refused_{};
    std::map<podium::reconcile::key, std::string> ours_{};  // created from the manifests, with their uids
};

asio::awaitable<int> run(arguments const& args, podium::cluster::options how)
{
    auto const executor = co_await asio::this_coro::executor;
    auto const socket = how.socket;
    auto const pause = [&](podium::duration d) -> asio::awaitable<void> {
        asio::steady_timer timer(executor);
        timer.expires_after(d);
        co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    };
    podium::cluster::local cluster(executor, std::move(how));
    int signals = 0;
    asio::signal_set on_signal(executor, SIGINT, SIGTERM, SIGHUP);
    auto const heard = [&](auto const& again) -> void {
        on_signal.async_wait([&, again](boost::system::error_code ec, int) {
            if (ec)
                return;
            if (++signals == 2)
                cluster.hurry();
            again(again);
        });
    };
    heard(heard);
    if (auto const started = co_await cluster.start(); !started) {
        auto e = started.error();
        if (e.code == errc::unavailable && e.message.find("somebody else") != std::string::npos)
            e.message += "\nAnother podium is up there; --socket takes another path.";
        co_await cluster.stop(podium::duration::zero());
        on_signal.cancel();
        co_return failed(e);
    }

    podium::cluster::dashboard page(executor, cluster);
    std::string page_at;
    if (!args.has("--no-dashboard")) {
        auto const wanted = net::parse_address(args.value("--dashboard", "127.0.0.1:8001"));
        auto listening = page.listen(*wanted);
        if (!listening && !args.has("--dashboard") && listening.error().code == errc::unavailable)
            listening = page.listen(net::address::tcp(wanted->ip, 0));
        if (!listening) {
            auto e = listening.error();
            e.message += "\n--dashboard takes another address and port, --no-dashboard none.";
            co_await cluster.stop(podium::duration::zero());
            on_signal.cancel();
            co_return failed(e);
        }
        page_at = "; the dashboard is at http://" + listening->text() + '/';
    }

    screen shown(cluster);
    shown.note("podium is up, listening on " + socket +
        (socket == net::default_socket() ? "" : " (give --socket to the other commands)") + page_at);
    cluster.on_change([&](std::span<podium::reconcile::change const> c) { shown.changed(c); });
    following disk(cluster, shown, args.values("-f"), args.value("-n", "default"));
    bool first = true;
    for (int turn = 0;; ++turn) {
        if (signals > 0)
            break;
        if (turn % 3 == 0)
            co_await disk.look(std::exchange(first, false));
        shown.draw();
        co_await pause(100ms);
    }
    shown.note("ending all pods; once more Ctrl-C does not wait for them");
    bool stopped = false;
    auto const grace = std::chrono::seconds(std::strtol(args.value("--grace", "30").c_str(), nullptr, 10));
    asio::co_spawn(executor, cluster.stop(grace), [&](std::exception_ptr thrown) {
        stopped = true;
        if (thrown)
            std::rethrow_exception(thrown);
    });
    while (!stopped) {
        shown.draw();
        co_await pause(20ms);
    }
    co_await page.stop();
    shown.draw();
    shown.end();
    shown.note("podium is down, nothing is left");
    on_signal.cancel();
    cluster.on_change({});
    co_return 0;
}

}  // namespace

int up(std::vector<std::string> const& args)
{
    auto const parsed = parse(args,
        {{"--help -h"}, {"-f --filename", true}, {"-n --namespace", true}, {"--images", true},
            {"--nodes", true}, {"--data", true}, {"--socket", true}, {"--state", true}, {"--grace", true},
            {"--autoscale-period", true}, {"--dashboard", true}, {"--no-dashboard"}});
    if (!parsed)
        return failed(parsed.error(), 2);
    if (parsed->has("--help"))
        return std::fputs(usage, stdout) < 0;
    if (!parsed->has("-f") || !parsed->words.empty())
        return failed({errc::invalid, "expected -f PATH; --help tells more", {}, {}}, 2);
    char* end = nullptr;
    auto const text = parsed->value("--nodes", "3");
    auto const nodes = std::strtol(text.c_str(), &end, 10);
    if (*end != '\0' || nodes < 1 || nodes > 250)
        return failed({errc::invalid, "--nodes: expected a number from 1 to 250", {}, {}}, 2);
    auto const grace_text = parsed->value("--grace", "30");
    auto const grace = std::strtol(grace_text.c_str(), &end, 10);
    if (grace_text.empty() || *end != '\0' || grace < 0 || grace > 86400)
        return failed({errc::invalid, "--grace: expected seconds, at most 86400", {}, {}}, 2);
    auto const period_text = parsed->value("--autoscale-period", "15");
    auto const period = std::strtod(period_text.c_str(), &end);
    if (period_text.empty() || *end != '\0' || !(period >= 0.1) || !(period <= 3600))
        return failed({errc::invalid, "--autoscale-period: expected seconds, from 0.1 to 3600", {}, {}}, 2);
    if (auto const at = net::parse_address(parsed->value("--dashboard", "127.0.0.1:8001")); !at)
        return failed({errc::invalid, "--dashboard: " + at.error().message, {}, {}}, 2);
    if (auto const files = manifest_files(parsed->values("-f")); !files)
        return failed(files.error());

    podium::cluster::options how;
    how.images = parsed->value("--images", "images");
    how.data_dir = parsed->value("--data", "podium-data");
    how.state_dir = parsed->value("--state");
    how.socket = parsed->value("--socket", net::default_socket());
    how.autoscaling.period = std::chrono::milliseconds(static_cast<long>(period * 1000));
    how.nodes.clear();
    for (long i = 1; i <= nodes; ++i)
        how.nodes.push_back({.name = "node-" + std::to_string(i)});

    asio::io_context io(1);
    int code = 1;
    asio::co_spawn(io, run(*parsed, std::move(how)), [&](std::exception_ptr thrown, int c) {
        if (thrown)
            std::rethrow_exception(thrown);
        code = c;
    });
    try {
        io.run();
    } catch (std::exception const& e) {
        return failed({errc::internal, e.what(), {}, {}});
    }
    return code;
}
