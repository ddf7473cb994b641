// The subcommands that speak to a podium that is up: apply, get, delete, rollout, top.
#include "columns.hpp"
#include "commands.hpp"
#include "painter.hpp"
#include "progress.hpp"
#include "session.hpp"

#include <podium/controllers/rollouts.hpp>
#include <podium/core/duration.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/store/clock.hpp>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <sys/ioctl.h>
#include <unistd.h>

namespace asio = boost::asio;
namespace api = podium::api;
namespace model = podium::model;
namespace net = podium::net;
using api::json;
using podium::errc;
using podium::error;

namespace {

// The manifests of -f, in order of need; all that is wrong with any of them.
podium::result<std::vector<podium::yaml::manifest>> manifests(session const& s)
{
    auto const files = manifest_files(s.args.values("-f"));
    if (!files)
        return files.error();
    std::vector<podium::yaml::manifest> all;
    std::vector<error> wrong;
    for (auto const& file : *files) {
        auto some = read_file(file, s.kinds, s.namespace_);
        if (!some)
            wrong.push_back(some.error());
        else
            all.insert(all.end(), some->begin(), some->end());
    }
    if (!wrong.empty()) {
        auto first = wrong.front();
        for (std::size_t i = 1; i < wrong.size(); ++i)
            first.add(wrong[i]);
        return first;
    }
    in_order_of_need(all);
    return all;
}

podium::result<model::kind_entry const*> kind_of(session const& s, std::string const& name)
{
    if (auto const* const kind = s.kinds.find(name))
        return kind;
    std::string known;
    for (auto const& k : s.kinds.kinds())
        known += (known.empty() ? "" : ", ") + std::string(k.plural);
    return error{errc::not_found, "no kind \"" + name + "\"; there are " + known, {}, {}};
}

// -- apply -------------------------------------------------------------------------------------------

constexpr char const apply_usage[] = R"(usage: podium apply -f PATH... [-n NAMESPACE] [--socket PATH]

Brings objects to what manifests say: a three-way merge of what was applied last, what is there, and the manifest.
What others have written stays.

  -f PATH          a file, a folder of *.yaml, *.yml and *.json, or - for stdin; may be given several times
  -n NAMESPACE     for objects that name none (default)
  --socket PATH    of the podium that is up
)";

asio::awaitable<int> do_apply(session const& s)
{
    if (!s.args.has("-f") || !s.args.words.empty())
        co_return failed({errc::invalid, "expected -f PATH", {}, {}}, 2);
    auto const all = manifests(s);
    if (!all)
        co_return failed(all.error());
    int code = 0;
    api_call const ask = [&](api::request r) { return s.call(std::move(r)); };
    for (auto const& m : *all) {
        auto const done = co_await apply_one(ask, s.kinds, m);
        if (done) {
            std::cout << short_name(*s.kinds.find(m.object.kind), m.object.name()) << ' '
                      << to_string(done->what) << std::endl;
            continue;
        }
        code = failed(done.error());
        if (done.error().code == errc::unavailable)
            break;
    }
    co_return code;
}

// -- get ---------------------------------------------------------------------------------------------

constexpr char const get_usage[] = R"(usage: podium get KIND [NAME] [OPTION...]
       podium get KIND/NAME [OPTION...]

Shows objects. KIND is pods, deployments, statefulsets, services, nodes, ... or a short form (po, deploy, sts), several
joined by commas, or all.

  -n NAMESPACE      (default)
  -A                of all namespaces
  -l SELECTOR       only those whose labels match: app=web,tier!=db
  -o FORMAT         wide, json, yaml or name
  -w                go on and show what changes
  --socket PATH     of the podium that is up
)";

bool plain(std::string const& text)
{
    auto const fine = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
            c == '.' || c == '-' || c == '_';
    };
    return !text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z')) &&
        std::ranges::all_of(text, fine) && podium::yaml::resolve(text).is_string();
}

// As deep as the objects of the scheme are, which is bounded.
void write_yaml(std::string& out, json const& v, std::size_t indent, bool in_list)
{
    auto const scalar = [&](json const& x) {
        return x.is_string() && plain(x.get_ref<std::string const&>()) ? x.get<std::string>() : x.dump();
    };
    bool first = in_list;
    auto const nested = [&](json const& x, std::size_t deeper, bool list_item) {
        if (!x.is_structured() || x.empty()) {
            out += ' ' + (x.is_structured() ? x.dump() : scalar(x)) + '\n';
        } else if (list_item) {
            out += ' ';
            write_yaml(out, x, deeper, true);
        } else {
            out += '\n';
            write_yaml(out, x, deeper, false);
        }
    };
    if (v.is_array())
        for (auto const& item : v) {
            out += (first ? std::string{} : std::string(indent, ' ')) + '-';
            first = false;
            nested(item, indent + 2, true);
        }
    else
        for (auto const& [key, value] : v.items()) {
            out += (first ? std::string{} : std::string(indent, ' ')) +
                (plain(key) ? key : json(key).dump()) + ':';
            first = false;
            nested(value, value.is_array() ? indent : indent + 2, false);
        }
}

struct getting {
    session const& s;
    model::kind_entry const& kind;
    std::string target;  // of the list, with its query
    bool wide, everywhere, titled;
    std::string format;
    std::vector<std::size_t> widths{};

    table_row line(json const& o) const
    {
        auto r = cells(kind.plural, o, wide, podium::store::clock::now());
        if (titled)
            r.front() = kind.singular() + '/' + r.front();
        if (everywhere && kind.namespaced)
            r.insert(r.begin(), o["metadata"].value("namespace", ""));
        return r;
    }
    table_row heading() const
    {
        auto r = headings(kind.plural, wide);
        if (everywhere && kind.namespaced)
            r.insert(r.begin(), "NAMESPACE");
        return r;
    }
    void show(std::vector<json> const& objects, bool with_heading)
    {
        if (format == "json" || format == "yaml" || format == "name") {
            for (auto const& o : objects) {
                if (format == "name") {
                    std::cout << short_name(kind, o["metadata"].value("name", "")) << '\n';
                } else if (format == "json") {
                    std::cout << o.dump(4) << '\n';
                } else {
                    std::string out;
                    write_yaml(out, o, 0, false);
                    std::cout << (objects.size() > 1 ? "---\n" : "") << out;
                }
            }
        } else {
            std::vector<table_row> rows;
            if (with_heading && !objects.empty())
                rows.push_back(heading());
            for (auto const& o : objects)
                rows.push_back(line(o));
            std::cout << to_width(::set_table(rows, widths), rows);
        }
        std::cout.flush();
    }
    // What keeps a pod is cut at the terminal's width, so that a row stays a line; all else is left whole.
    std::string to_width(std::string table, std::vector<table_row> const& rows) const
    {
        struct winsize size{};
        auto const usual = heading().size();
        if (std::ranges::none_of(rows, [&](auto const& r) { return r.size() > usual; }) ||
            ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
            return table;
        std::string out;
        std::size_t from = 0;
        for (auto const& r : rows) {
            auto const end = table.find('\n', from);
            auto line = table.substr(from, end - from);
            out += (r.size() > usual ? fitted(std::move(line), size.ws_col) : line) + '\n';
            from = end + 1;
        }
        return out;
    }
};

asio::awaitable<podium::result<void>> get_kind(getting g, std::string const& name, bool follow, bool& any)
{
    bool with_heading = true;
    for (;;) {
        auto const list = co_await g.s.ask(request(g.target));
        if (!list)
            co_return list.error();
        std::vector<json> objects;
        for (auto const& o : (*list)["items"])
            objects.push_back(o);
        if (g.kind.plural == "events")
            std::ranges::sort(objects, {}, [](json const& o) {
                return std::pair(o.value("lastTimestamp", std::string{}), o["metadata"].value("name", ""));
            });
        if (!name.empty() && objects.empty() && !follow)
            co_return error{
                errc::not_found, std::string(g.kind.plural) + " \"" + name + "\" not found", {}, {}};
        any = any || !objects.empty();
        if (g.format == "json" && name.empty() && !follow) {
            std::cout << list->dump(4) << '\n';
            co_return podium::result<void>{};
        }
        g.show(objects, with_heading);
        with_heading = objects.empty();
        if (!follow)
            co_return podium::result<void>{};
        auto const from = (*list)["metadata"].value("resourceVersion", "0");
        bool expired = false;
        auto const over = co_await g.s.client.watch(
            g.target + "&watch=1&resourceVersion=" + from, [&](std::string const& text) {
                auto const event = model::parse_json(text);
                if (!event || !event->is_object() || event->value("type", "") == "ERROR") {
                    expired = true;
                    return false;
                }
                auto object = event->value("object", json::object());
                if (event->value("type", "") == "DELETED" && g.format.empty()) {
                    auto r = g.line(object);
                    r.push_back("(deleted)");
                    std::cout << ::set_table({r}, g.widths) << std::flush;
                    return true;
                }
                g.show({object}, with_heading);
                with_heading = false;
                return true;
            });
        if (!over && over.error().code != errc::compacted)
            co_return over.error();
        if (over && !expired)
            co_return podium::result<void>{};
    }
}

asio::awaitable<int> do_get(session const& s)
{
    auto words = s.args.words;
    if (words.size() == 1)
        if (auto const slash = words[0].find('/'); slash != std::string::npos)
            words = {words[0].substr(0, slash), words[0].substr(slash + 1)};
    if (words.empty() || words.size() > 2)
        co_return failed({errc::invalid, "expected KIND [NAME]", {}, {}}, 2);
    auto const format = s.args.value("-o");
    if (!format.empty() && format != "wide" && format != "json" && format != "yaml" && format != "name")
        co_return failed({errc::invalid, "-o: expected wide, json, yaml or name", {}, {}}, 2);
    std::vector<std::string> names;
    auto const list =
        words[0] == "all" ? std::string("pods,services,deployments,replicasets,statefulsets") : words[0];
    for (std::string_view rest = list; !rest.empty();) {
        names.emplace_back(rest.substr(0, rest.find(',')));
        rest.remove_prefix(std::min(rest.size(), names.back().size() + 1));
    }
    bool const follow = s.args.has("-w"), everywhere = s.args.has("-A");
    if (follow && names.size() > 1)
        co_return failed({errc::invalid, "-w: expected one kind", {}, {}}, 2);
    std::string shape, name;
    if (format != "wide")
        shape = format;
    if (words.size() == 2)
        name = words[1];
    bool any = false, first = true;
    for (auto const& n : names) {
        auto const kind = kind_of(s, n);
        if (!kind)
            co_return failed(kind.error());
        auto target = api::path_of((*kind)->api_version, (*kind)->plural,
            (*kind)->namespaced && !everywhere ? s.namespace_ : std::string{});
        target += "?labelSelector=" + api::percent_encoded(s.args.value("-l"));
        if (words.size() == 2)
            target += "&fieldSelector=metadata.name%3D" + api::percent_encoded(words[1]);
        bool some = false;
        if (!first && any && (format.empty() || format == "wide"))
            std::cout << '\n';
        getting wanted{s, **kind, target, format == "wide", everywhere, names.size() > 1, shape};
        auto const done = co_await get_kind(wanted, name, follow, some);
        if (!done)
            co_return failed(done.error());
        any = any || some;
        first = false;
    }
    if (!any && format.empty())
        std::cerr << "nothing found" << (everywhere ? "" : " in namespace " + s.namespace_) << '\n';
    co_return 0;
}

// -- delete ------------------------------------------------------------------------------------------

constexpr char const delete_usage[] = R"(usage: podium delete KIND NAME... [-n NAMESPACE] [--now] [-w]
       podium delete KIND/NAME [...]
       podium delete -f PATH... [...]

Takes objects away. Pods leave the services first, finish the requests they have, and get SIGTERM then.

  -f PATH          delete what these manifests name
  -n NAMESPACE     (default)
  --now            pods are ended at once, whatever they are doing
  -w               wait until the objects are gone
  --socket PATH    of the podium that is up
)";

asio::awaitable<int> do_delete(session const& s)
{
    struct target {
        model::kind_entry const* kind;
        std::string namespace_, name;
    };
    std::vector<target> all;
    if (s.args.has("-f")) {
        auto const read = manifests(s);
        if (!read)
            co_return failed(read.error());
        for (auto const& m : *read)
            all.push_back({s.kinds.find(m.object.kind), std::string(m.object.namespace_()),
                std::string(m.object.name())});
        std::ranges::reverse(all);
    } else {
        auto words = s.args.words;
        if (words.size() == 1)
            if (auto const slash = words[0].find('/'); slash != std::string::npos)
                words = {words[0].substr(0, slash), words[0].substr(slash + 1)};
        if (words.size() < 2)
            co_return failed({errc::invalid, "expected KIND NAME, or -f PATH", {}, {}}, 2);
        auto const kind = kind_of(s, words[0]);
        if (!kind)
            co_return failed(kind.error());
        for (std::size_t i = 1; i < words.size(); ++i)
            all.push_back({*kind, (*kind)->namespaced ? s.namespace_ : std::string{}, words[i]});
    }
    int code = 0;
    for (auto const& t : all) {
        auto const path =
            api::path_of(t.kind->api_version, t.kind->plural, t.namespace_, api::percent_encoded(t.name));
        auto asked =
            request(path + (s.args.has("--now") ? "?gracePeriodSeconds=0" : ""), api::method::delete_);
        auto const done = co_await s.ask(std::move(asked));
        if (!done) {
            code = failed(done.error());
            continue;
        }
        std::cout << short_name(*t.kind, t.name) << " deleted" << std::endl;
    }
    if (s.args.has("-w"))
        for (auto const& t : all) {
            auto const list = api::path_of(t.kind->api_version, t.kind->plural, t.namespace_) +
                "?fieldSelector=metadata.name%3D" + api::percent_encoded(t.name);
            auto const now = co_await s.ask(request(list));
            if (!now || (*now)["items"].empty())
                continue;
            auto const from = (*now)["metadata"].value("resourceVersion", "0");
            (void)co_await s.client.watch(list + "&watch=1&resourceVersion=" + from,
                [](std::string const& text) { return !text.starts_with(R"({"type":"DELETED")"); });
        }
    co_return code;
}

// -- rollout -----------------------------------------------------------------------------------------

constexpr char const rollout_usage[] =
    R"(usage: podium rollout status KIND/NAME [--watch=false] [--timeout D] [-n NAMESPACE]
       podium rollout history KIND/NAME [-n NAMESPACE]
       podium rollout undo KIND/NAME [--to-revision N] [-n NAMESPACE]
       podium rollout pause|resume KIND/NAME [-n NAMESPACE]
       podium rollout promote [--full] | abort | retry rollout/NAME [-n NAMESPACE]

Of deployments, statefulsets and rollouts. status waits until the rollout is done, and fails when it exceeds its
deadline or is degraded; on a terminal it shows pods, traffic, steps, and what analyses know by now.
history lists the revisions that there are to go back to. undo goes back to the revision before, or to N, as a
rollout of its own.
pause lets it go no further, resume lets it go on. promote goes on from a step that waits, or in spite of an analysis
that does not know; --full skips all that is left but the wait for pods and routers. abort takes all traffic back to
the stable version; retry tries an aborted release, or an analysis that does not know, once more.

  -n NAMESPACE     (default)
  --to-revision N  a number that history shows
  --full           skip the steps that are left
  --watch=false    tell how far it is, and do not wait
  --timeout D      how long to wait: 90s, 5m (0: as long as it takes)
  --socket PATH    of the podium that is up
)";

// A template that it has or had.
struct revision {
    long number = 0;
    json template_{};
};

// All revisions, the latest last: a deployment keeps them as replica sets, a stateful set as controller
// revisions.
asio::awaitable<podium::result<std::vector<revision>>> revisions_of(
    session const& s, rolled const& of, json const& live)
{
    bool const stateful = of.kind->plural == "statefulsets";
    auto const kept = co_await s.ask(
        request(api::path_of("apps/v1", stateful ? "controllerrevisions" : "replicasets", s.namespace_)));
    if (!kept)
        co_return kept.error();
    auto const uid = live["metadata"].value("uid", "-");
    std::vector<revision> out;
    for (auto const& o : (*kept)["items"])
        for (auto const& owner : o["metadata"].value("ownerReferences", json::array())) {
            if (owner.value("uid", "") != uid)
                continue;
            auto const notes = o["metadata"].value("annotations", json::object());
            auto const text = notes.value("deployment.kubernetes.io/revision",
                notes.value(std::string(podium::controllers::rollout_revision_annotation), "0"));
            revision r{std::strtol(text.c_str(), nullptr, 10), {}};
            if (stateful)
                r.number = o.value("revision", 0L);
            r.template_ = stateful ? o["data"]["spec"]["template"] : o["spec"]["template"];
            if (r.template_["metadata"].contains("labels"))
                for (auto const hash :
                    {podium::controllers::template_hash_label, podium::controllers::rollout_hash_label})
                    r.template_["metadata"]["labels"].erase(std::string(hash));
            out.push_back(std::move(r));
        }
    std::ranges::sort(out, {}, &revision::number);
    co_return out;
}

asio::awaitable<podium::result<void>> history(session const& s, rolled const& of)
{
    auto const live = co_await s.ask(request(of.path()));
    if (!live)
        co_return live.error();
    auto const all = co_await revisions_of(s, of, *live);
    if (!all)
        co_return all.error();
    std::vector<table_row> rows{{"REVISION", "IMAGES"}};
    for (auto const& r : *all) {
        std::string images;
        for (auto const& c : r.template_["spec"]["containers"])
            images += (images.empty() ? "" : ",") + c.value("image", "");
        rows.push_back({std::to_string(r.number), harmless(images)});
    }
    std::vector<std::size_t> widths;
    std::cout << ::set_table(rows, widths) << std::flush;
    co_return podium::result<void>{};
}

asio::awaitable<podium::result<void>> undo(session const& s, rolled const& of)
{
    auto const wanted = s.args.value("--to-revision");
    auto const to = std::strtol(wanted.c_str(), nullptr, 10);
    if (!wanted.empty() && (to < 1 || wanted.find_first_not_of("0123456789") != std::string::npos))
        co_return error{errc::invalid, "expected a revision's number", "--to-revision", {}};
    auto const live = co_await s.ask(request(of.path()));
    if (!live)
        co_return live.error();
    auto const all = co_await revisions_of(s, of, *live);
    if (!all)
        co_return all.error();
    auto target = all->end();
    if (!wanted.empty())
        target = std::ranges::find(*all, to, &revision::number);
    else if (all->size() > 1)
        target = all->end() - 2;
    if (target == all->end())
        co_return error{errc::not_found,
            of.text() + (wanted.empty() ? " has no revision to go back to" : " has no revision " + wanted),
            {}, {}};
    auto next = *live;
    auto before = podium::model::decode<podium::model::pod_template_spec>(target->template_);
    auto const present = podium::model::decode<podium::model::pod_template_spec>((*live)["spec"]["template"]);
    if (!before || !present)
        co_return (before ? present : before).error();
    next["spec"]["template"] =
        podium::model::to_json(podium::model::with_config_hash_of(*present, *std::move(before)));
    auto const done = co_await s.ask(request(of.path(), api::method::put, next.dump()));
    if (!done)
        co_return done.error();
    std::cout << short_name(*of.kind, of.name) << " rolled back to revision " << target->number << std::endl;
    co_return podium::result<void>{};
}

// What a terminal shows of a rollout: redrawn when it has moved, and each second.
class live_progress : public std::enable_shared_from_this<live_progress> {
public:
    live_progress(session const& s, rolled const& of, asio::any_io_executor const& executor)
        : s_(s),
          of_(of),
          timer_(executor)
    {
    }
    void start()
    {
        asio::co_spawn(timer_.get_executor(), tick(), asio::detached);
        if (of_.kind->plural == "rollouts")
            asio::co_spawn(timer_.get_executor(), analyses(), asio::detached);
    }
    void end() { over_ = true; }
    void see(json object)
    {
        object_ = std::move(object);
        draw();
    }

private:
    void draw()
    {
        if (!over_ && !object_.is_null())
            painter_.draw(progress_of(of_.kind->plural, object_, runs_, podium::store::clock::now()));
    }
    asio::awaitable<void> tick()
    {
        auto const self = shared_from_this();
        while (!over_) {
            timer_.expires_after(std::chrono::seconds(1));
            co_await timer_.async_wait(asio::use_awaitable);
            draw();
        }
    }
    asio::awaitable<void> analyses()
    {
        auto const self = shared_from_this();
        auto const list = api::path_of("argoproj.io/v1alpha1", "analysisruns", s_.namespace_);
        (void)co_await s_.client.watch(list + "?watch=1", [&](std::string const& text) {
            auto const event = model::parse_json(text);
            if (!event || !event->is_object())
                return false;
            auto const run = event->value("object", json::object());
            auto const name = run.value("metadata", json::object()).value("name", "");
            if (event->value("type", "") == "DELETED")
                runs_.erase(name);
            else
                runs_[name] = run;
            draw();
            return true;
        });
    }

    session const& s_;
    rolled of_;
    asio::steady_timer timer_;
    painter painter_{};
    bool over_ = false;
    json object_{};
    std::map<std::string, json> runs_{};
};

asio::awaitable<podium::result<void>> wait_for_rollout(session const& s, rolled const& of)
{
    struct ending {
        std::shared_ptr<live_progress> live{};
        ~ending()
        {
            if (live)
                live->end();
        }
    } on;
    if (::isatty(STDOUT_FILENO) == 1) {
        on.live = std::make_shared<live_progress>(s, of, co_await asio::this_coro::executor);
        on.live->start();
    }
    std::function<void(std::string const&)> const say = [&on](std::string const& line) {
        if (!on.live)
            std::cout << line << std::endl;
    };
    std::function<void(json const&)> const see = [&on](json const& object) {
        if (on.live)
            on.live->see(object);
    };
    auto const done = co_await follow_rollout(s, of, say, see);
    if (done)
        std::cout << of.text() << " successfully rolled out" << std::endl;
    co_return done;
}

asio::awaitable<podium::result<void>> status(session const& s, rolled const& of)
{
    using namespace asio::experimental::awaitable_operators;
    auto const watch = s.args.value("--watch", "true"), limit = s.args.value("--timeout", "0s");
    if (watch != "true" && watch != "false")
        co_return error{errc::invalid, "expected true or false", "--watch", {}};
    auto const most = podium::parse_duration(limit);
    if (!most)
        co_return podium::error(most.error()).inside("--timeout");
    if (watch == "false") {
        auto const object = co_await s.ask(request(of.path()));
        if (!object)
            co_return object.error();
        auto const seen = look_at_rollout(of, *object);
        if (seen.trouble)
            co_return *seen.trouble;
        std::cout << (seen.line.empty() ? of.text() + " successfully rolled out" : seen.line) << std::endl;
        co_return podium::result<void>{};
    }
    if (*most == podium::duration::zero())
        co_return co_await wait_for_rollout(s, of);
    asio::steady_timer timer(co_await asio::this_coro::executor);
    timer.expires_after(std::min<podium::duration>(*most, std::chrono::hours(24 * 365)));
    auto const first = co_await (wait_for_rollout(s, of) || timer.async_wait(asio::use_awaitable));
    if (first.index() == 1)
        co_return error{errc::deadline, "timed out waiting for the condition", {}, {}};
    co_return std::get<0>(first);
}

// Tells a rollout what to do; a deployment can be paused and resumed.
asio::awaitable<podium::result<void>> tell(session const& s, rolled const& of, std::string order)
{
    json change;
    if (of.kind->plural == "rollouts")
        change["metadata"]["annotations"][std::string(podium::controllers::order_annotation)] = order;
    else if (of.kind->plural == "deployments" && (order == "pause" || order == "resume"))
        change["spec"]["paused"] = order == "pause";
    else
        co_return error{errc::invalid, of.text() + " knows no " + order, {}, {}};
    auto asked = request(of.path(), api::method::patch, change.dump());
    asked.content_type = "application/merge-patch+json";
    auto const done = co_await s.ask(std::move(asked));
    if (!done)
        co_return done.error();
    std::cout << short_name(*of.kind, of.name) << " was told to " << order << std::endl;
    co_return podium::result<void>{};
}

asio::awaitable<int> do_rollout(session const& s)
{
    auto const& words = s.args.words;
    auto const of = rolled_of(s, words.size() == 2 ? words[1] : std::string());
    auto const what = words.empty() ? std::string() : words[0];
    bool const asks = what == "status" || what == "history" || what == "undo";
    bool const orders = podium::controllers::order_of(what).has_value() && what != "promote-full";
    if (!of || !(asks || orders))
        co_return failed({errc::invalid,
                             "expected status, history, undo, pause, resume, promote, abort or retry, and "
                             "deployment/NAME, statefulset/NAME or rollout/NAME",
                             {}, {}},
            2);
    if (orders) {
        // Not within the co_await: gcc 12 destroys such a temporary twice.
        auto const order = what == "promote" && s.args.has("--full") ? "promote-full" : what;
        auto const told = co_await tell(s, *of, order);
        co_return told ? 0 : failed(told.error());
    }
    auto done = podium::result<void>{};
    if (words[0] == "status")
        done = co_await status(s, *of);
    else if (words[0] == "undo")
        done = co_await undo(s, *of);
    else
        done = co_await history(s, *of);
    co_return done ? 0 : failed(done.error());
}

// -- top ---------------------------------------------------------------------------------------------

constexpr char const top_usage[] = R"(usage: podium top pods|nodes [OPTION...]

Shows the cpu and memory that pods or nodes used when it was last measured.

  -n NAMESPACE     (default)
  -A               of all namespaces
  --socket PATH    of the podium that is up
)";

podium::quantity amount(json const& o, char const* resource)
{
    auto const text = o.contains(resource) && o[resource].is_string() ? o[resource].get<std::string>() : "0";
    return podium::quantity::parse(text).value_or(podium::quantity{});
}
// "250m", "12Mi", as kubectl top prints them.
std::string cores(json const& usage)
{
    return std::to_string(amount(usage, "cpu").milli_value()) + 'm';
}
std::string mebibytes(json const& usage)
{
    return std::to_string(amount(usage, "memory").value() / (1024 * 1024)) + "Mi";
}
std::string share(podium::quantity const& used, podium::quantity const& of)
{
    return of.milli_value() <= 0 ? "<unknown>"
                                 : std::to_string(used.milli_value() * 100 / of.milli_value()) + '%';
}

std::vector<table_row> pod_rows(json const& list, bool with_namespace)
{
    std::vector<table_row> rows{{"NAME", "CPU(cores)", "MEMORY(bytes)"}};
    if (with_namespace)
        rows[0].insert(rows[0].begin(), "NAMESPACE");
    for (auto const& pod : list["items"]) {
        podium::quantity cpu, memory;
        for (auto const& c : pod["containers"]) {
            (void)cpu.add(amount(c["usage"], "cpu"));
            (void)memory.add(amount(c["usage"], "memory"));
        }
        json const sum{{"cpu", to_string(cpu)}, {"memory", to_string(memory)}};
        table_row r{pod["metadata"]["name"].get<std::string>(), cores(sum), mebibytes(sum)};
        if (with_namespace)
            r.insert(r.begin(), pod["metadata"]["namespace"].get<std::string>());
        rows.push_back(std::move(r));
    }
    return rows;
}

std::vector<table_row> node_rows(json const& list, json const& nodes)
{
    std::vector<table_row> rows{{"NAME", "CPU(cores)", "CPU%", "MEMORY(bytes)", "MEMORY%"}};
    for (auto const& m : list["items"]) {
        json has = json::object();
        for (auto const& n : nodes["items"])
            if (n["metadata"]["name"] == m["metadata"]["name"])
                has = n.value(json::json_pointer("/status/allocatable"), json::object());
        auto const& usage = m["usage"];
        rows.push_back({m["metadata"]["name"].get<std::string>(), cores(usage),
            share(amount(usage, "cpu"), amount(has, "cpu")), mebibytes(usage),
            share(amount(usage, "memory"), amount(has, "memory"))});
    }
    return rows;
}

asio::awaitable<int> do_top(session const& s)
{
    auto const& words = s.args.words;
    auto const* const kind = words.size() == 1 ? s.kinds.find(words[0]) : nullptr;
    bool const of_pods = kind && kind->plural == "pods";
    if (!of_pods && !(kind && kind->plural == "nodes"))
        co_return failed({errc::invalid, "expected pods or nodes", {}, {}}, 2);
    bool const everywhere = s.args.has("-A");
    std::string path = "/apis/metrics.k8s.io/v1beta1/";
    if (of_pods && !everywhere)
        path += "namespaces/" + api::percent_encoded(s.namespace_) + '/';
    path += kind->plural;
    auto const list = co_await s.ask(request(path));
    if (!list)
        co_return failed(list.error());
    std::vector<table_row> rows;
    if (of_pods) {
        rows = pod_rows(*list, everywhere);
    } else {
        auto const nodes = co_await s.ask(request("/api/v1/nodes"));
        if (!nodes)
            co_return failed(nodes.error());
        rows = node_rows(*list, *nodes);
    }
    if (rows.size() == 1) {
        std::cerr << "nothing was measured yet\n";
        co_return 0;
    }
    for (auto& r : rows)
        for (auto& cell : r)
            cell = harmless(cell);
    std::vector<std::size_t> widths;
    std::cout << set_table(rows, widths) << std::flush;
    co_return 0;
}

}  // namespace

int apply(std::vector<std::string> const& args)
{
    return command(args, apply_usage, do_apply,
        {{"--help -h"}, {"-f --filename", true}, {"-n --namespace", true}, {"--socket", true}});
}
int get(std::vector<std::string> const& args)
{
    return command(args, get_usage, do_get,
        {{"--help -h"}, {"-n --namespace", true}, {"-A --all-namespaces"}, {"-l --selector", true},
            {"-o --output", true}, {"-w --watch"}, {"--socket", true}});
}
int delete_(std::vector<std::string> const& args)
{
    return command(args, delete_usage, do_delete,
        {{"--help -h"}, {"-f --filename", true}, {"-n --namespace", true}, {"--now"}, {"-w --wait"},
            {"--socket", true}});
}
int rollout(std::vector<std::string> const& args)
{
    return command(args, rollout_usage, do_rollout,
        {{"--help -h"}, {"-n --namespace", true}, {"--to-revision", true}, {"--full"}, {"--watch", true},
            {"--timeout", true}, {"--socket", true}});
}
int top(std::vector<std::string> const& args)
{
    return command(args, top_usage, do_top,
        {{"--help -h"}, {"-n --namespace", true}, {"-A --all-namespaces"}, {"--socket", true}});
}
