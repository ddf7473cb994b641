// The subcommands about nodes: cordon, uncordon, drain.
#include "columns.hpp"
#include "commands.hpp"
#include "session.hpp"

#include <podium/controllers/drain_plan.hpp>
#include <podium/core/duration.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/store/clock.hpp>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <utility>

namespace asio = boost::asio;
namespace api = podium::api;
namespace model = podium::model;
using api::json;
using podium::errc;
using podium::error;
using namespace std::chrono_literals;
using podium::controllers::drain_part;

namespace {

std::string path_of(std::string const& node)
{
    return api::path_of("v1", "nodes", {}, api::percent_encoded(node));
}

// -- cordon, uncordon --------------------------------------------------------------------------------

constexpr char const cordon_usage[] = R"(usage: podium cordon NODE... [--socket PATH]

Nodes get no new pods; those that they have stay.
)";
constexpr char const uncordon_usage[] = R"(usage: podium uncordon NODE... [--socket PATH]

Nodes get new pods again.
)";

asio::awaitable<podium::result<void>> set_unschedulable(session const& s, std::string const& node, bool on)
{
    auto const live = co_await s.ask(request(path_of(node)));
    if (!live)
        co_return live.error();
    std::string const word = on ? "cordoned" : "uncordoned";
    auto const spec = live->value("spec", json::object());
    if (spec.value("unschedulable", false) == on) {
        std::cout << "node/" << node << " already " << word << std::endl;
        co_return podium::result<void>{};
    }
    auto asked = request(path_of(node), api::method::patch, json{{"spec", {{"unschedulable", on}}}}.dump());
    asked.content_type = "application/merge-patch+json";
    auto const done = co_await s.ask(std::move(asked));
    if (!done)
        co_return done.error();
    std::cout << "node/" << node << ' ' << word << std::endl;
    co_return podium::result<void>{};
}

asio::awaitable<int> set_all(session const& s, bool on)
{
    if (s.args.words.empty())
        co_return failed({errc::invalid, "expected NODE...", {}, {}}, 2);
    int code = 0;
    for (auto const& node : s.args.words)
        if (auto const done = co_await set_unschedulable(s, node, on); !done)
            code = failed(done.error());
    co_return code;
}
asio::awaitable<int> do_cordon(session const& s)
{
    return set_all(s, true);
}
asio::awaitable<int> do_uncordon(session const& s)
{
    return set_all(s, false);
}

// -- drain -------------------------------------------------------------------------------------------

constexpr char const drain_usage[] = R"(usage: podium drain NODE... [OPTION...]

Cordons nodes and evicts their pods: each leaves its services first and finishes the requests it has. A pod whose
disruption budget does not allow that now is asked for again every second, until the timeout. Ctrl-C leaves the nodes
cordoned; podium uncordon opens them again.

  --dry-run                only tell which pods will go, which wait for whom, and where there is room for them
  --timeout TIME           give up after this long: 30s, 5m (0: never)
  --force                  pods too that nobody would replace
  --delete-emptydir-data   pods too that lose what they keep in an emptyDir
  --grace-period SECONDS   from SIGTERM to SIGKILL (-1: each pod's own)
  --socket PATH            of the podium that is up
)";

using view = podium::reconcile::view<podium::controllers::placement>;

// What of the cluster a drain depends on.
asio::awaitable<podium::result<void>> look(session const& s, view& to)
{
    for (auto const* const plural :
        {"namespaces", "nodes", "services", "replicasets", "statefulsets", "poddisruptionbudgets", "pods"}) {
        auto const& kind = *s.kinds.find(plural);
        auto const list = co_await s.ask(request(api::path_of(kind.api_version, kind.plural, {})));
        if (!list)
            co_return list.error();
        for (auto const& item : (*list)["items"]) {
            auto o = kind.decode(item);
            if (!o)
                co_return o.error();
            to.apply({{}, {kind.type, *std::move(o), {}, {}, {}}, false}, podium::store::clock::now());
        }
    }
    co_return podium::result<void>{};
}

std::string name_of(model::pod const& p)
{
    return harmless(p.metadata.namespace_ + '/' + p.metadata.name);
}

void print_plan(std::vector<podium::controllers::drain_step> const& steps)
{
    for (auto const& step : steps) {
        std::cout << "pod " << name_of(*step.pod) << ' ';
        switch (step.part) {
        case drain_part::goes: std::cout << "goes"; break;
        case drain_part::waits: std::cout << "waits: " << harmless(step.why); break;
        case drain_part::needs: std::cout << "does not go: " << harmless(step.why); break;
        case drain_part::stays: std::cout << "stays: " << harmless(step.why); break;
        }
        if (!step.to.empty())
            std::cout << "; there is room on " << harmless(step.to);
        if (!step.nowhere.empty())
            std::cout << "; there is no room: " << harmless(step.nowhere);
        std::cout << '\n';
    }
    std::cout << std::flush;
}

struct drain_request {
    podium::controllers::drain_options how{};
    podium::duration timeout{};  // 0: none
    std::int64_t grace = -1;
};

podium::result<drain_request> read_request(arguments const& args)
{
    drain_request out;
    out.how.force = args.has("--force");
    out.how.delete_empty_dir_data = args.has("--delete-emptydir-data");
    if (args.has("--timeout")) {
        auto const timeout = podium::parse_duration(args.value("--timeout"));
        if (!timeout)
            return error{errc::invalid, timeout.error().message, "--timeout", {}};
        out.timeout = *timeout;
    }
    if (args.has("--grace-period")) {
        auto const text = args.value("--grace-period");
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out.grace);
        if (failed != std::errc{} || end != text.data() + text.size() || out.grace < -1)
            return error{errc::invalid, "expected a number of seconds, or -1", "--grace-period", {}};
    }
    return out;
}

// Evicts pods until all are gone.
class drainer {
public:
    drainer(session const& s, drain_request how, std::vector<std::string> nodes, asio::any_io_executor on)
        : session_(s),
          how_(how),
          nodes_(std::move(nodes)),
          timer_(on),
          signals_(on, SIGINT, SIGTERM, SIGHUP)
    {
        signals_.async_wait([this](boost::system::error_code ec, int) {
            if (ec)
                return;
            interrupted_ = true;
            timer_.cancel();
        });
    }
    drainer(drainer const&) = delete;
    drainer& operator=(drainer const&) = delete;

    asio::awaitable<int> run()
    {
        auto const begun = std::chrono::steady_clock::now();
        if (auto const done = co_await begin(); !done)
            co_return failed(done.error());
        while (!pods_.empty()) {
            for (auto& p : pods_)
                if (!p.leaves && !interrupted_)
                    if (auto const done = co_await evict(p); !done)
                        co_return left_with(done.error());
            if (auto const done = co_await look_after(); !done)
                co_return left_with(done.error());
            if (pods_.empty())  // but for those that were given to the node before it was cordoned
                if (auto const done = co_await find_more(); !done)
                    co_return left_with(done.error());
            if (pods_.empty())
                break;
            if (interrupted_)
                co_return left_with({errc::cancelled, "interrupted", {}, {}}, 130);
            if (how_.timeout > podium::duration::zero() &&
                std::chrono::steady_clock::now() - begun >= how_.timeout)
                co_return left_with({errc::deadline, "the drain took too long", {}, {}});
            timer_.expires_after(pause);
            (void)co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        for (auto const& n : nodes_)
            std::cout << "node/" << n << " drained" << std::endl;
        co_return 0;
    }
    // The signals must not keep the program.
    void end() { signals_.cancel(); }

private:
    static constexpr auto pause = 1s;

    struct leaving {
        podium::reconcile::handle<model::pod> pod;
        bool leaves = false;
        bool told = false;
        std::string said{};  // why it waits
    };

    // Who has to go. Errors where one of them needs more than was said.
    asio::awaitable<podium::result<void>> begin()
    {
        view v;
        if (auto const done = co_await look(session_, v); !done)
            co_return done.error();
        std::vector<error> wrong;
        for (auto& step : podium::controllers::plan_drain(v, nodes_, how_.how)) {
            if (step.part == drain_part::needs)
                wrong.push_back({errc::invalid, "pod " + name_of(*step.pod) + ": " + step.why, {}, {}});
            else if (step.part == drain_part::stays)
                std::cout << "pod " << name_of(*step.pod) << " stays: " << step.why << std::endl;
            else
                pods_.push_back({std::move(step.pod)});
        }
        all_ = pods_.size();
        if (wrong.empty())
            co_return podium::result<void>{};
        error all{errc::invalid, "the drain does not begin; " + stay_cordoned(), {}, std::move(wrong)};
        co_return all;
    }

    // Who has come since.
    asio::awaitable<podium::result<void>> find_more()
    {
        view v;
        if (auto const done = co_await look(session_, v); !done)
            co_return done.error();
        bool wrong = false;
        for (auto& step : podium::controllers::plan_drain(v, nodes_, how_.how)) {
            if (step.part == drain_part::stays)
                continue;
            bool const needs = step.part == drain_part::needs;
            wrong = wrong || needs;
            pods_.push_back({.pod = std::move(step.pod), .said = needs ? step.why : std::string()});
            ++all_;
        }
        if (wrong)
            co_return error{errc::invalid, "pods came meanwhile that do not go", {}, {}};
        co_return podium::result<void>{};
    }

    asio::awaitable<podium::result<void>> evict(leaving& p)
    {
        auto const& meta = p.pod->metadata;
        json body = {{"apiVersion", "policy/v1"}, {"kind", "Eviction"},
            {"metadata", {{"name", meta.name}, {"namespace", meta.namespace_}}},
            {"deleteOptions", {{"preconditions", {{"uid", meta.uid}}}}}};
        if (how_.grace >= 0)
            body["deleteOptions"]["gracePeriodSeconds"] = how_.grace;
        auto const path = api::path_of("v1", "pods", meta.namespace_, api::percent_encoded(meta.name));
        auto const done = co_await session_.ask(request(path + "/eviction", api::method::post, body.dump()));
        if (done) {
            if (!std::exchange(p.told, true))
                std::cout << "evicting pod " << name_of(*p.pod) << std::endl;
            co_return podium::result<void>{};
        }
        // Gone, or another of its name, or changed by others all the while: the next look tells.
        auto const& e = done.error();
        if (e.code == errc::not_found || e.code == errc::conflict)
            co_return podium::result<void>{};
        if (e.code != errc::exhausted)
            co_return error{e.code, "pod " + name_of(*p.pod) + ": " + e.text(), {}, {}};
        auto const why = e.further.empty() ? e.message : e.further.front().message;
        if (p.said != why)
            std::cout << "pod " << name_of(*p.pod) << " waits: " << harmless(p.said = why) << std::endl;
        co_return podium::result<void>{};
    }

    // Takes those from the list that are on the nodes no more. Of the others only those count as leaving that
    // are seen to, whatever was answered to whom.
    asio::awaitable<podium::result<void>> look_after()
    {
        std::map<std::string, bool> there;  // by uid: whether it leaves
        for (auto const& n : nodes_) {
            auto const list = co_await session_.ask(request(api::path_of("v1", "pods", {}) +
                "?fieldSelector=spec.nodeName%3D" + api::percent_encoded(n)));
            if (!list)
                co_return list.error();
            for (auto const& item : (*list)["items"])
                there[item["metadata"].value("uid", "")] = item["metadata"].contains("deletionTimestamp") ||
                    item.value("status", json::object()).contains("drain");
        }
        std::erase_if(pods_, [&](leaving& p) {
            if (auto const it = there.find(p.pod->metadata.uid); it != there.end()) {
                p.leaves = it->second;
                return false;
            }
            std::cout << "pod " << name_of(*p.pod) << " evicted (" << ++gone_ << " of " << all_ << ')'
                      << std::endl;
            return true;
        });
        co_return podium::result<void>{};
    }

    std::string stay_cordoned() const
    {
        std::string out;
        for (auto const& n : nodes_)
            out += (out.empty() ? "node/" : ", node/") + n;
        return out + (nodes_.size() == 1 ? " stays" : " stay") + " cordoned (podium uncordon opens it again)";
    }
    int left_with(error e, int code = 1)
    {
        e.message += "; " + stay_cordoned() + "; these are left:";
        for (auto const& p : pods_)
            e.further.push_back({e.code,
                "  pod " + name_of(*p.pod) +
                    (p.leaves                ? ", on its way out"
                            : p.said.empty() ? ""
                                             : ": " + p.said),
                {}, {}});
        return failed(e, code);
    }

    session const& session_;
    drain_request how_;
    std::vector<std::string> nodes_;
    asio::steady_timer timer_;
    asio::signal_set signals_;
    std::vector<leaving> pods_{};
    std::size_t all_ = 0, gone_ = 0;
    bool interrupted_ = false;
};

asio::awaitable<int> do_drain(session const& s)
{
    auto nodes = s.args.words;
    std::ranges::sort(nodes);
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    if (nodes.empty())
        co_return failed({errc::invalid, "expected NODE...", {}, {}}, 2);
    auto const how = read_request(s.args);
    if (!how)
        co_return failed(how.error(), 2);
    if (s.args.has("--dry-run")) {
        view v;
        if (auto const done = co_await look(s, v); !done)
            co_return failed(done.error());
        for (auto const& n : nodes)
            if (!v.get<model::node>({}, n))
                co_return failed({errc::not_found, "nodes \"" + n + "\" not found", {}, {}});
        print_plan(podium::controllers::plan_drain(v, nodes, how->how));
        co_return 0;
    }
    for (auto const& n : nodes)
        if (auto const done = co_await set_unschedulable(s, n, true); !done)
            co_return failed(done.error());
    drainer d(s, *how, nodes, co_await asio::this_coro::executor);
    auto const code = co_await d.run();
    d.end();
    co_return code;
}

}  // namespace

int cordon(std::vector<std::string> const& args)
{
    return command(args, cordon_usage, do_cordon, {{"--help -h"}, {"--socket", true}});
}
int uncordon(std::vector<std::string> const& args)
{
    return command(args, uncordon_usage, do_uncordon, {{"--help -h"}, {"--socket", true}});
}
int drain(std::vector<std::string> const& args)
{
    return command(args, drain_usage, do_drain,
        {{"--help -h"}, {"--dry-run"}, {"--timeout", true}, {"--force"}, {"--delete-emptydir-data"},
            {"--grace-period", true}, {"--socket", true}});
}
