#pragma once
// What the stages of a pipeline do besides running commands: deploy to the podium that is up, put back what
// was there, ask whether it serves; and the log that each of them writes.
#include "pipeline_file.hpp"

#include <podium/net/http_client.hpp>

#include <cstdio>
#include <iterator>
#include <unistd.h>

namespace shipping {

namespace api = podium::api;
namespace asio = boost::asio;
namespace model = podium::model;

// A file that is there whole or not at all, whenever we die.
inline result<void> write_file(std::string const& path, std::string const& text)
{
    auto const fresh = path + ".new";
    auto* const file = std::fopen(fresh.c_str(), "we");
    bool fine = file && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    if (file)
        fine = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0 && fine;
    int const why = errno;
    if (file)
        std::fclose(file);
    if (fine && std::rename(fresh.c_str(), path.c_str()) == 0)
        return {};
    return error{errc::unavailable, path + ": " + std::strerror(fine ? errno : why), {}, {}};
}

// What a job prints: to a file, whose size is bounded, and the end of it to the machine.
class job_log {
public:
    static constexpr std::size_t limit_bytes = 16 * 1024 * 1024;

    job_log(std::string const& path, std::size_t tail_bytes, std::string const& title)
        : tail_bytes_(tail_bytes),
          file_(std::fopen(path.c_str(), "ae"))
    {
        put(title);
    }
    job_log(job_log const&) = delete;
    job_log& operator=(job_log const&) = delete;
    ~job_log()
    {
        if (dropped_ > 0) {
            left_ = tail.size() + 64;
            put("\n[" + std::to_string(dropped_) + " bytes are left out here]\n" + tail);
        }
        if (file_)
            std::fclose(file_);
    }
    void add(std::string_view bytes)
    {
        line::append_tail(tail, bytes, tail_bytes_);
        put(bytes);
    }
    void say(std::string const& text) { add(text + '\n'); }

    std::string tail{};

private:
    void put(std::string_view bytes)
    {
        auto const fits = std::min(left_, bytes.size());
        if (file_) {
            std::fwrite(bytes.data(), 1, fits, file_);
            std::fflush(file_);  // people follow it
        }
        left_ -= fits;
        dropped_ += bytes.size() - fits;
    }

    std::size_t tail_bytes_;
    std::FILE* file_;
    std::size_t left_ = limit_bytes;
    std::size_t dropped_ = 0;
};

// -- deploys -----------------------------------------------------------------------------------------

// The manifests of a stage with its variables filled in. Values that could become more YAML than a value are
// refused.
inline result<std::vector<yaml::manifest>> manifests_of(
    session const& s, line_file const& file, work const& w)
{
    auto const files = manifest_files(w.apply);
    if (!files)
        return files.error();
    std::vector<yaml::manifest> all;
    podium::found_errors wrong;
    yaml::limits const limits;
    for (auto const& path : *files) {
        bool fine = false;
        auto text = text_of(path, limits.size_bytes, fine);
        if (!fine) {
            wrong.add({errc::not_found, path + ": " + std::strerror(errno), {}, {}});
            continue;
        }
        for (auto const& [name, value] : file.set)
            if (text.find("${" + name + '}') != std::string::npos &&
                value.find_first_not_of(
                    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-") !=
                    std::string::npos)
                wrong.add({errc::invalid,
                    path + ": ${" + name + "} may have letters, digits and ._:/@+- only in a manifest", {},
                    {}});
        text = filled(text, file.set, [](std::string const&) {});
        auto some = yaml::read_manifests(text, path, s.kinds, s.namespace_, limits);
        if (some)
            all.insert(all.end(), some->begin(), some->end());
        else
            wrong.add(some.error());
    }
    if (wrong.all)
        return *std::move(wrong.all);
    in_order_of_need(all);
    return all;
}

inline std::string path_of(session const& s, yaml::manifest const& m)
{
    auto const& kind = *s.kinds.find(m.object.kind);
    return api::path_of(kind.api_version, kind.plural, std::string(m.object.namespace_()), m.object.name());
}

// Which rollouts to wait for, of the objects of a deploy.
inline std::vector<rolled> rollouts_of(
    session const& s, work const& w, std::vector<yaml::manifest> const& all)
{
    if (!w.waits_for_all)
        return w.wait;
    std::vector<rolled> out;
    for (auto const& m : all) {
        auto const* const kind = s.kinds.find(m.object.kind);
        bool const by_hand = m.written.value("spec", json::object())
                                 .value("updateStrategy", json::object())
                                 .value("type", "") == "OnDelete";
        if (is_rolled_out(*kind) && !by_hand)
            out.push_back({kind, std::string(m.object.name()), std::string(m.object.namespace_())});
    }
    return out;
}

inline asio::awaitable<result<void>> wait_for(session const& s, std::vector<rolled> of, job_log& log)
{
    for (auto const& one : of) {
        std::function<void(std::string const&)> const say = [&](std::string const& text) {
            log.say(one.text() + ": " + text);
        };
        auto const done = co_await follow_rollout(s, one, say);
        if (!done)
            co_return done.error();
        log.say(one.text() + " successfully rolled out");
    }
    co_return result<void>{};
}

// What the objects were before the first attempt of this run's deploy is written down before any is touched:
// it is what a rollback goes back to, however often either is done.
inline asio::awaitable<result<void>> remember(
    session const& s, std::vector<yaml::manifest> const& all, std::string const& path)
{
    if (::access(path.c_str(), F_OK) == 0)
        co_return result<void>{};
    json before = json::array();
    for (auto const& m : all) {
        auto const live = co_await s.call(request(path_of(s, m)));
        if (!live)
            co_return live.error();
        if (live->code != 200 && live->code != 404)
            co_return api::error_of(*live);
        auto object = json();
        if (live->code == 200) {
            auto parsed = model::parse_json(live->body);
            if (!parsed)
                co_return parsed.error();
            object = *std::move(parsed);
        }
        auto const& kind = *s.kinds.find(m.object.kind);
        before.push_back(
            {{"kind", std::string(kind.plural)}, {"namespace", std::string(m.object.namespace_())},
                {"name", std::string(m.object.name())}, {"object", std::move(object)}});
    }
    co_return write_file(path, before.dump());
}

inline asio::awaitable<result<void>> deploy(
    session const& s, line_file const& file, work const& w, std::string const& before, job_log& log)
{
    auto const all = manifests_of(s, file, w);
    if (!all)
        co_return all.error();
    auto const remembered = co_await remember(s, *all, before);
    if (!remembered)
        co_return remembered.error();
    api_call const ask = [&](api::request r) { return s.call(std::move(r)); };
    for (auto const& m : *all) {
        auto const done = co_await apply_one(ask, s.kinds, m);
        if (!done)
            co_return done.error();
        log.say(short_name(*s.kinds.find(m.object.kind), m.object.name()) + ' ' +
            std::string(to_string(done->what)));
    }
    co_return co_await wait_for(s, rollouts_of(s, w, *all), log);
}

inline bool is_of_controllers(std::string_view annotation)
{
    return annotation == "deployment.kubernetes.io/revision" ||
        annotation == "rollout.argoproj.io/revision" || annotation == "podium.dev/order";
}

// `live` with all that people and controllers ask for as it was in `before`.
inline json put_back(json live, json const& before)
{
    auto const ours = [](std::string const& field) {
        return field != "status" && field != "metadata" && field != "apiVersion" && field != "kind";
    };
    for (auto it = live.begin(); it != live.end();)
        it = ours(it.key()) && !before.contains(it.key()) ? live.erase(it) : std::next(it);
    for (auto const& [field, value] : before.items())
        if (ours(field))
            live[field] = value;
    auto const old = before.value("metadata", json::object());
    auto& meta = live["metadata"];
    if (old.contains("labels"))
        meta["labels"] = old["labels"];
    else
        meta.erase("labels");
    // Some are the controllers': a revision only goes up, and an order was given once.
    auto const none = json::object();
    auto const then = old.value("annotations", none), now = meta.value("annotations", none);
    auto& annotations = meta["annotations"] = none;
    for (auto const& [name, value] : then.items())
        if (!is_of_controllers(name))
            annotations[name] = value;
    for (auto const& [name, value] : now.items())
        if (is_of_controllers(name))
            annotations[name] = value;
    if (annotations.empty())
        meta.erase("annotations");
    return live;
}

// One object back to what it was: "rolled back", "deleted", "unchanged".
inline asio::awaitable<result<std::string>> restore(session const& s, model::kind_entry const& kind,
    std::string namespace_, std::string name, json const& before)
{
    auto const path = api::path_of(kind.api_version, kind.plural, namespace_, api::percent_encoded(name));
    for (int tries = 0;; ++tries) {
        auto const live = co_await s.call(request(path));
        if (!live)
            co_return live.error();
        if (live->code != 200 && live->code != 404)
            co_return api::error_of(*live);
        api::request asked;
        std::string what = "rolled back";
        if (live->code == 404) {
            if (before.is_null())
                co_return std::string("unchanged");
            auto again = before;
            for (auto const* const field : {"uid", "resourceVersion", "generation", "creationTimestamp"})
                again["metadata"].erase(field);
            asked = request(
                api::path_of(kind.api_version, kind.plural, namespace_), api::method::post, again.dump());
        } else if (before.is_null()) {
            what = "deleted";
            asked = request(path, api::method::delete_);
        } else {
            auto const now = model::parse_json(live->body);
            if (!now)
                co_return now.error();
            auto const next = put_back(*now, before);
            if (next == *now)
                co_return std::string("unchanged");
            asked = request(path, api::method::put, next.dump());
        }
        auto const answer = co_await s.call(std::move(asked));
        if (!answer)
            co_return answer.error();
        if (answer->code / 100 == 2)
            co_return what;
        if (answer->code != 409 || tries >= 20)
            co_return api::error_of(*answer);
    }
}

// All objects of a deploy back to what they were, the last one first, and waits for the rollouts of those
// that were there.
inline asio::awaitable<result<void>> roll_back(
    session const& s, work const& w, std::string const& path, job_log& log)
{
    bool fine = false;
    auto const text = text_of(path, 256 * 1024 * 1024, fine);
    if (!fine) {
        log.say("nothing had been applied");
        co_return result<void>{};
    }
    auto const before = model::parse_json(text, {.size_bytes = 256 * 1024 * 1024, .nodes = 50'000'000});
    if (!before || !before->is_array())
        co_return error{errc::invalid, path + ": not what was written there", {}, {}};
    podium::found_errors wrong;
    std::vector<rolled> to_wait_for;
    for (std::size_t i = before->size(); i-- > 0;) {
        auto const& b = (*before)[i];
        auto const* const kind = s.kinds.find(b.value("kind", ""));
        if (!kind || !b.contains("object"))
            co_return error{errc::invalid, path + ": not what was written there", {}, {}};
        auto const name = b.value("name", ""), namespace_ = b.value("namespace", "");
        auto const done = co_await restore(s, *kind, namespace_, name, b["object"]);
        if (!done) {
            wrong.add({done.error().code, short_name(*kind, name) + ": " + done.error().text(), {}, {}});
            continue;  // the others are put back all the same
        }
        log.say(short_name(*kind, name) + ' ' + *done);
        bool const waited_for =
            w.waits_for_all ? is_rolled_out(*kind) : std::ranges::any_of(w.wait, [&](rolled const& r) {
                return r.kind == kind && r.name == name && r.namespace_ == namespace_;
            });
        auto const spec = b["object"].is_null() ? json::object() : b["object"].value("spec", json::object());
        if (waited_for && !b["object"].is_null() &&
            spec.value("updateStrategy", json::object()).value("type", "") != "OnDelete")
            to_wait_for.push_back({kind, name, namespace_});
    }
    if (wrong.all)
        co_return *std::move(wrong.all);
    co_return co_await wait_for(s, std::move(to_wait_for), log);
}

// -- verifying ---------------------------------------------------------------------------------------

// The address of a host: itself, or the Service's of that name, "web" or "web.shop".
inline asio::awaitable<result<std::string>> address_of(session const& s, std::string host)
{
    boost::system::error_code ec;
    (void)asio::ip::make_address(host, ec);
    if (!ec)
        co_return host;
    if (host == "localhost")
        co_return std::string("127.0.0.1");
    auto const dot = host.find('.');
    auto const path = api::path_of("v1", "services",
        dot == host.npos ? s.namespace_ : api::percent_encoded(host.substr(dot + 1)),
        api::percent_encoded(host.substr(0, dot)));
    auto const service = co_await s.ask(request(path));
    if (!service)
        co_return service.error();
    auto const ip = (*service)["spec"].value("clusterIP", "");
    (void)asio::ip::make_address(ip, ec);
    if (ec)
        co_return error{errc::not_found, "the service " + host + " has no address", {}, {}};
    co_return ip;
}

inline asio::awaitable<result<void>> verify(
    session const& s, web_check w, podium::duration timeout, job_log& log)
{
    auto const ip = co_await address_of(s, w.host);
    if (!ip)
        co_return ip.error();
    net::http_request asked;
    asked.version(11);
    asked.method(net::http::verb::get);
    asked.target(w.target);
    asked.set(net::http::field::host, w.host);
    net::http_call_options how;
    how.deadline = timeout;
    log.say("GET " + net::address::tcp(*ip, w.port).text() + w.target);
    auto const answer = co_await net::http_call(net::address::tcp(*ip, w.port), std::move(asked), how);
    if (!answer)
        co_return answer.error();
    log.add(answer->body().substr(0, 64 * 1024));
    log.say("");
    if (answer->result_int() != w.expect)
        co_return error{errc::unavailable,
            "expected " + std::to_string(w.expect) + ", got " + std::to_string(answer->result_int()), {}, {}};
    if (answer->body().find(w.contains) == std::string::npos)
        co_return error{errc::unavailable, "the answer does not contain what is expected", {}, {}};
    co_return result<void>{};
}

}  // namespace shipping
