// podium logs: what containers print, of several pods merged in the order of time.
#include "columns.hpp"
#include "commands.hpp"
#include "session.hpp"

#include <podium/core/duration.hpp>
#include <podium/net/http_client.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <unistd.h>
#include <utility>

namespace asio = boost::asio;
namespace api = podium::api;
namespace net = podium::net;
using namespace std::chrono_literals;
using api::json;
using podium::errc;
using podium::error;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr char const usage[] = R"(usage: podium logs POD [CONTAINER] [OPTION...]
       podium logs TYPE/NAME [OPTION...]
       podium logs -l SELECTOR [OPTION...]

Shows what containers print; of several pods line by line in the order of time, with [pod/NAME/CONTAINER] before each.

  -f, --follow          go on with what is printed from now on; with a type or selector also of pods that come later
                        and of containers that are started again, until Ctrl-C
  --since D             only what is younger than that: 5m, 90s, 1h30m
  --since-time T        only what was printed since then: 2026-01-31T09:30:00Z
  --tail N              only the last N lines of each container (all; with a selector 10)
  --limit-bytes N       at most so much of each container, with the stamps if they are asked for
  --timestamps          before each line
  -p, --previous        of the container's run before the latest, after a crash say
  -c, --container NAME  of this container (the only one, else the first)
  --all-containers      of all, those of the start too
  --prefix              [pod/NAME/CONTAINER] also where there is only one
  -n NAMESPACE          (default)
  --socket PATH         of the podium that is up
)";

// One container whose log is read. What was read and not yet printed is bounded: then reading waits.
struct source {
    std::string pod{}, container{}, query{};
    std::size_t number = 0;  // in the order of coming, for its colour
    struct line {
        std::string stamp{}, text{};
        clock_type::time_point came{};
    };
    std::deque<line> waiting{};
    std::size_t bytes = 0;
    clock_type::time_point empty_since{};
    std::string key{}, after{};  // where it goes by runs: of which container, and what was read of it before
    bool open = false;           // there is an answer, so silence means something
    bool ended = false;
    std::optional<error> trouble{};
};

constexpr std::size_t most_waiting = 256 * 1024;
// A line that comes live waits this long for older ones that are still under way from other pods.
constexpr auto patience = 100ms;

struct choice {
    bool follow = false, timestamps = false, prefix = false, all_containers = false;
    bool late = false;  // pods that come later, and new runs of their containers, join in
    std::string container{}, target{}, query{};
    std::size_t limit_bytes = SIZE_MAX;  // where the stamps do not count, which are always asked for
};

// "app=web,tier in (a,b)" of an object that has pods.
podium::result<std::string> selector_of(json const& object)
{
    std::string out;
    auto const add = [&](std::string one) { out += (out.empty() ? "" : ",") + std::move(one); };
    auto const selector = object.value("spec", json::object()).value("selector", json::object());
    bool const plain = !selector.contains("matchLabels") && !selector.contains("matchExpressions");
    auto const equal = plain ? selector : selector.value("matchLabels", json::object());
    for (auto const& [key, value] : equal.items())
        if (value.is_string())
            add(key + '=' + value.get<std::string>());
    if (!plain)
        for (auto const& e : selector.value("matchExpressions", json::array())) {
            auto const key = e.value("key", ""), how = e.value("operator", "");
            std::string values;
            for (auto const& v : e.value("values", json::array()))
                values += (values.empty() ? "" : ",") + v.get<std::string>();
            add(how == "Exists"             ? key
                    : how == "DoesNotExist" ? '!' + key
                                            : key + (how == "In" ? " in (" : " notin (") + values + ')');
        }
    if (out.empty())
        return error{errc::invalid, "it selects no pods", {}, {}};
    return out;
}

// What a terminal would obey is made visible, but for colours.
std::string shown(std::string_view text)
{
    std::string out;
    bool coloured = false;
    while (!text.empty()) {
        auto const end = std::min(text.find_first_of("\x1b\t"), text.size());
        out += harmless(text.substr(0, end));
        text.remove_prefix(end);
        if (text.empty())
            break;
        auto const code = text.find_first_not_of("0123456789;:", 2);
        if (text.starts_with("\x1b[") && code != text.npos && text[code] == 'm') {
            coloured = true;
            out += text.substr(0, code + 1);
            text.remove_prefix(code + 1);
        } else {
            out += text.front() == '\t' ? '\t' : '?';
            text.remove_prefix(1);
        }
    }
    return coloured ? out + "\x1b[0m" : out;
}

// Kept by its coroutines: some may still wait for what nobody wants to know any more.
class merge : public std::enable_shared_from_this<merge> {
public:
    merge(session const& s, choice how, asio::any_io_executor const& executor)
        : s_(s),
          how_(std::move(how)),
          news_(executor, clock_type::time_point::max()),
          room_(executor, clock_type::time_point::max()),
          terminal_(::isatty(STDOUT_FILENO) == 1),
          colours_(terminal_ && std::getenv("NO_COLOR") == nullptr)
    {
    }

    asio::awaitable<int> run()
    {
        auto const list = co_await s_.ask(request(how_.target));
        if (!list)
            co_return failed(list.error());
        auto const& items = list->contains("items") ? (*list)["items"] : json::array({*list});
        if (items.empty() && !how_.late) {
            std::fprintf(stderr, "no pods found in namespace %s\n", s_.namespace_.c_str());
            co_return 0;
        }
        for (auto const& pod : items)
            open(pod, how_.query);
        if (how_.late)
            asio::co_spawn(news_.get_executor(), join((*list)["metadata"].value("resourceVersion", "0")),
                asio::detached);
        int code = 0;
        for (;;) {
            auto const next = print();
            if (std::fflush(stdout) != 0)
                co_return 1;  // nobody reads
            std::erase_if(sources_, [&](source const& one) {
                if (!one.ended || !one.waiting.empty())
                    return false;
                if (one.trouble)
                    code = failed(*one.trouble);
                return true;
            });
            if (over_ || (sources_.empty() && !how_.late))
                break;
            news_.expires_at(next);
            co_await news_.async_wait(asio::as_tuple(asio::use_awaitable));
        }
        co_return over_ ? failed(*over_) : code;
    }

private:
    // The containers of a pod that are asked for and not open yet.
    void open(json const& pod, std::string const& query)
    {
        auto const name = pod["metadata"].value("name", "");
        auto const spec = pod.value("spec", json::object()), status = pod.value("status", json::object());
        std::vector<std::string> names;
        for (auto const* const list : {"initContainers", "containers"})
            for (auto const& c : spec.value(list, json::array()))
                names.push_back(c.value("name", ""));
        if (!how_.container.empty()) {
            names = {how_.container};
        } else if (!how_.all_containers) {
            auto const mains = spec.value("containers", json::array());
            auto const first = mains.empty() ? std::string() : mains[0].value("name", "");
            auto const wanted = pod["metadata"]
                                    .value("annotations", json::object())
                                    .value("kubectl.kubernetes.io/default-container", first);
            if (names.size() > 1 && told_.insert(pod["metadata"].value("uid", "")).second)
                std::fprintf(stderr, "%s: the container is %s; -c takes another, --all-containers all\n",
                    name.c_str(), wanted.c_str());
            names = {wanted};
        }
        for (auto const& c : names) {
            std::string key;
            if (how_.late) {  // which run it is; none: it joins in when there is one
                auto const id = run_of(status, c);
                key = pod["metadata"].value("uid", "") + '/' + c;
                if (id.empty() || !opened_.emplace(key, id).second)
                    continue;
                auto& runs = runs_[key];
                runs.more = runs.open;
                if (runs.more)
                    continue;
            }
            start({.pod = name,
                .container = c,
                .query = query + "&container=" + api::percent_encoded(c),
                .key = std::move(key)});
        }
    }
    void start(source one)
    {
        one.number = count_++;
        if (!one.key.empty()) {
            auto& runs = runs_[one.key];
            runs.open = true;
            one.after = runs.last;
        }
        sources_.push_back(std::move(one));
        asio::co_spawn(news_.get_executor(), read(sources_.back()), asio::detached);
    }
    static std::string run_of(json const& status, std::string const& container)
    {
        for (auto const* const list : {"containerStatuses", "initContainerStatuses"})
            for (auto const& c : status.value(list, json::array())) {
                if (c.value("name", "") != container)
                    continue;
                auto const state = c.value("state", json::object());
                auto const last = c.value("lastState", json::object());
                if (state.contains("running"))
                    return c.value("containerID", "");
                for (auto const* const one : {&state, &last})
                    if (one->contains("terminated"))
                        return (*one)["terminated"].value("containerID", "");
            }
        return {};
    }

    asio::awaitable<void> read(source& from)
    {
        auto const self = shared_from_this();
        auto const done = co_await fetch(from);
        from.ended = true;
        if (!done)
            from.trouble = done.error();
        if (auto const it = runs_.find(from.key); it != runs_.end()) {
            it->second.open = false;
            if (std::exchange(it->second.more, false))
                start({.pod = from.pod,
                    .container = from.container,
                    .query = "&follow=true&container=" + api::percent_encoded(from.container),
                    .key = from.key});
        }
        news_.cancel();
    }
    asio::awaitable<podium::result<void>> fetch(source& from)
    {
        net::http_request asked(boost::beast::http::verb::get,
            api::path_of("v1", "pods", s_.namespace_, api::percent_encoded(from.pod)) +
                "/log?timestamps=true" + from.query,
            11);
        auto lines = co_await net::http_lines::open(s_.where(), std::move(asked));
        if (!lines)
            co_return lines.error();
        api::response refused{static_cast<int>(lines->status()), {}};
        from.open = true;
        from.empty_since = clock_type::now();
        news_.cancel();
        auto left = how_.limit_bytes;
        for (;;) {
            auto line = co_await lines->next();
            if (!line)
                co_return line.error();
            if (!*line)
                break;
            if (refused.code != 200) {
                refused.body += **line;
                continue;
            }
            while (from.bytes > most_waiting)
                co_await room_.async_wait(asio::as_tuple(asio::use_awaitable));
            auto const blank = (*line)->find(' ');
            bool const cut = blank == std::string::npos;  // by --limit-bytes, in the stamp
            auto stamp = (*line)->substr(0, blank);
            if (!from.after.empty() && stamp <= from.after)
                continue;  // of a run that was read already: it had begun before the last one was asked for
            if (!from.key.empty())
                runs_[from.key].last = stamp;
            auto text = cut ? std::string() : (*line)->substr(blank + 1, left);
            left -= std::min(left, text.size() + 1);
            from.bytes += stamp.size() + text.size() + 65;
            from.waiting.push_back({std::move(stamp), std::move(text), clock_type::now()});
            news_.cancel();
            if (left == 0)
                break;
        }
        if (refused.code != 200)
            co_return api::error_of(refused);
        co_return podium::result<void>{};
    }
    asio::awaitable<void> join(std::string from)
    {
        auto const self = shared_from_this();
        auto const over = co_await s_.client.watch(
            how_.target + "&watch=1&resourceVersion=" + from, [&](std::string const& text) {
                auto const event = podium::model::parse_json(text);
                if (!event || !event->is_object() || event->value("type", "") == "ERROR")
                    return false;
                if (event->value("type", "") != "DELETED")
                    open((*event)["object"], "&follow=true");
                news_.cancel();
                return true;
            });
        over_ = over ? error{errc::unavailable, "podium ended the watch of pods", {}, {}} : over.error();
        news_.cancel();
    }

    // Prints what is sure to be next: nothing older can come from a source that has a line waiting, and one
    // that has been silent for a while is not waited for. Answers when to look again.
    clock_type::time_point print()
    {
        auto const now = clock_type::now();
        for (;;) {
            source* next = nullptr;
            auto settled = clock_type::time_point::min();
            bool all = true, opening = false;
            for (auto& one : sources_) {
                if (!one.waiting.empty()) {
                    if (!next || one.waiting.front().stamp < next->waiting.front().stamp)
                        next = &one;
                } else if (!one.ended) {
                    all = false;
                    settled = std::max(settled, one.empty_since);
                    opening = opening || !one.open;
                }
            }
            if (!next)
                return clock_type::time_point::max();
            if (!all) {
                auto const until = std::max(settled, next->waiting.front().came) + patience;
                if (!how_.follow || opening)
                    return clock_type::time_point::max();
                if (now < until)
                    return until;
            }
            auto const line = std::move(next->waiting.front());
            next->waiting.pop_front();
            next->bytes -= std::min(next->bytes, line.stamp.size() + line.text.size() + 65);
            if (next->waiting.empty())
                next->empty_since = now;
            room_.cancel();
            print(*next, line);
        }
    }
    void print(source const& of, source::line const& line) const
    {
        std::string out;
        if (how_.prefix || count_ > 1 || how_.late) {
            auto const prefix = "[pod/" + of.pod + '/' + of.container + "] ";
            static constexpr char const* palette[] = {"36", "33", "32", "35", "34", "91"};
            out +=
                colours_ ? "\x1b[" + std::string(palette[of.number % 6]) + 'm' + prefix + "\x1b[0m" : prefix;
        }
        if (how_.timestamps)
            (out += line.stamp) += ' ';
        out += terminal_ ? shown(line.text) : line.text;
        out += '\n';
        std::fwrite(out.data(), 1, out.size(), stdout);
    }

    session const& s_;
    choice how_;
    asio::steady_timer news_, room_;
    bool terminal_, colours_;
    std::list<source> sources_{};
    std::size_t count_ = 0;
    std::set<std::pair<std::string, std::string>> opened_{};  // pod and container, and the run's id
    // A run is named by the pod's status, and its log is that of whichever is the latest when it is asked
    // for. So one is read after the other, and what came with the one before is left out.
    struct container_runs {
        bool open = false, more = false;
        std::string last{};  // the latest stamp that was read
    };
    std::map<std::string, container_runs> runs_{};  // by pod and container
    std::set<std::string> told_{};
    std::optional<error> over_{};
};

// What the command line asks for, or why it is nonsense.
podium::result<choice> chosen(session const& s)
{
    auto const& a = s.args;
    auto const wrong = [](std::string text) { return error{errc::invalid, std::move(text), {}, {}}; };
    choice out{.follow = a.has("-f"),
        .timestamps = a.has("--timestamps"),
        .prefix = a.has("--prefix"),
        .all_containers = a.has("--all-containers"),
        .container = a.value("-c")};
    bool const selected = a.has("-l");
    if (selected ? !a.words.empty() : a.words.empty() || a.words.size() > 2)
        return wrong("expected POD, TYPE/NAME or -l SELECTOR; --help tells more");
    if (a.words.size() == 2 && !std::exchange(out.container, a.words[1]).empty())
        return wrong("-c: the container is named already");
    if (out.all_containers && !out.container.empty())
        return wrong("--all-containers: a container is named already");
    auto const number = [&](char const* option, long least,
                            std::string const& parameter) -> podium::result<long> {
        if (!a.has(option))
            return -1;
        auto const text = a.value(option);
        char* end = nullptr;
        auto const n = std::strtol(text.c_str(), &end, 10);
        if (text.empty() || *end != '\0' || n < least)
            return wrong(std::string(option) + ": expected a number, " + std::to_string(least) + " or more");
        if (n >= 0 && !parameter.empty())
            out.query += '&' + parameter + '=' + std::to_string(n);
        return n;
    };
    auto const limit = number("--limit-bytes", 1, out.timestamps ? "limitBytes" : "");
    if (!limit)
        return limit.error();
    if (*limit > 0 && !out.timestamps)
        out.limit_bytes = static_cast<std::size_t>(*limit);
    if (auto const fine = number("--tail", -1, "tailLines"); !fine)
        return fine.error();
    if (selected && !a.has("--tail"))
        out.query += "&tailLines=10";
    if (a.has("--since")) {
        auto const d = podium::parse_duration(a.value("--since"));
        auto const seconds = d ? std::chrono::ceil<std::chrono::seconds>(*d).count() : 0;
        if (seconds < 1)
            return wrong("--since: expected a duration such as 5m, 90s or 1h30m");
        if (a.has("--since-time"))
            return wrong("at most one of --since and --since-time");
        out.query += "&sinceSeconds=" + std::to_string(seconds);
    }
    if (a.has("--since-time"))
        out.query += "&sinceTime=" + api::percent_encoded(a.value("--since-time"));
    if (a.has("-p") && out.follow)
        return wrong("-p: that run is over, there is nothing to follow");
    if (a.has("-p"))
        out.query += "&previous=true";
    if (out.follow)
        out.query += "&follow=true";
    return out;
}

asio::awaitable<int> do_logs(session const& s)
{
    auto how = chosen(s);
    if (!how)
        co_return failed(how.error(), 2);
    auto const pods = api::path_of("v1", "pods", s.namespace_);
    auto selector = s.args.value("-l");
    auto name = s.args.words.empty() ? std::string() : s.args.words[0];
    if (auto const slash = name.find('/'); slash != name.npos) {
        auto const* const kind = s.kinds.find(name.substr(0, slash));
        if (!kind)
            co_return failed({errc::not_found, "no kind \"" + name.substr(0, slash) + '"', {}, {}}, 2);
        name.erase(0, slash + 1);
        if (kind->plural != "pods") {
            auto const object = co_await s.ask(request(
                api::path_of(kind->api_version, kind->plural, s.namespace_, api::percent_encoded(name))));
            if (!object)
                co_return failed(object.error());
            auto const of = selector_of(*object);
            if (!of)
                co_return failed(of.error());
            selector = *of;
            name.clear();
        }
    }
    how->late = how->follow && name.empty();
    how->target = name.empty() ? pods + "?labelSelector=" + api::percent_encoded(selector)
                               : pods + '/' + api::percent_encoded(name);
    auto const executor = co_await asio::this_coro::executor;
    auto const all = std::make_shared<merge>(s, *std::move(how), executor);
    co_return co_await all->run();
}

}  // namespace

int logs(std::vector<std::string> const& args)
{
    return command(args, usage, do_logs,
        {{"--help -h"}, {"-f --follow"}, {"--since", true}, {"--since-time", true}, {"--tail", true},
            {"--limit-bytes", true}, {"--timestamps"}, {"-p --previous"}, {"-c --container", true},
            {"--all-containers"}, {"--prefix"}, {"-l --selector", true}, {"-n --namespace", true},
            {"--socket", true}});
}
