#pragma once
// A podium that is up, from the side of a command: who asks it, and how a rollout is followed to its end.
#include "arguments.hpp"
#include "commands.hpp"
#include "manifests.hpp"

#include <podium/api/path.hpp>
#include <podium/api/status.hpp>
#include <podium/model/scheme.hpp>
#include <podium/net/api_client.hpp>
#include <podium/net/api_server.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct session {
    arguments args;
    podium::model::scheme kinds = podium::model::default_scheme();
    podium::net::api_client client;
    std::string namespace_;

    explicit session(arguments a)
        : args(std::move(a)),
          client(where()),
          namespace_(args.value("-n", "default"))
    {
    }
    podium::net::address where() const
    {
        return podium::net::address::unix_socket(args.value("--socket", podium::net::default_socket()));
    }
    boost::asio::awaitable<podium::result<podium::api::response>> call(podium::api::request r) const
    {
        auto answer = co_await client.call(std::move(r));
        if (!answer && answer.error().code == podium::errc::unavailable) {
            auto e = answer.error();
            e.message += "\nIs podium up? `podium up -f PATH` starts it; --socket says where it listens.";
            co_return e;
        }
        co_return answer;
    }
    // The call's body as JSON, or what went wrong.
    boost::asio::awaitable<podium::result<podium::api::json>> ask(podium::api::request r) const
    {
        auto const answer = co_await call(std::move(r));
        if (!answer)
            co_return answer.error();
        if (answer->code / 100 != 2)
            co_return podium::api::error_of(*answer);
        co_return podium::model::parse_json(
            answer->body, {.size_bytes = 256 * 1024 * 1024, .nodes = 50'000'000});
    }
};

// Runs a command that asks a podium, and returns its exit code.
inline int run(session const& s, boost::asio::awaitable<int> (*what)(session const&))
{
    boost::asio::io_context io(1);
    int code = 1;
    boost::asio::co_spawn(io, what(s), [&](std::exception_ptr thrown, int c) {
        if (thrown)
            std::rethrow_exception(thrown);
        code = c;
        io.stop();  // whatever else was begun
    });
    try {
        io.run();
    } catch (std::exception const& e) {
        return failed({podium::errc::internal, e.what(), {}, {}});
    }
    return code;
}

// The same from its command line.
inline int command(std::vector<std::string> const& args, char const* usage,
    boost::asio::awaitable<int> (*what)(session const&), std::initializer_list<option> known)
{
    auto parsed = parse(args, known);
    if (!parsed)
        return failed(parsed.error(), 2);
    if (parsed->has("--help"))
        return std::fputs(usage, stdout) < 0;
    return run(session(*std::move(parsed)), what);
}

// Which object a rollout is of.
struct rolled {
    podium::model::kind_entry const* kind = nullptr;
    std::string name{};
    std::string namespace_{};

    std::string text() const { return kind->singular() + " \"" + name + '"'; }
    std::string path() const
    {
        return podium::api::path_of(
            kind->api_version, kind->plural, namespace_, podium::api::percent_encoded(name));
    }
};

// Whether objects of a kind are brought to a new template step by step, by its plural.
inline bool is_rolled_out(podium::model::kind_entry const& kind)
{
    return kind.plural == "deployments" || kind.plural == "statefulsets" || kind.plural == "rollouts";
}

// "deployment/web"; `invalid` where it names nothing that is rolled out.
inline podium::result<rolled> rolled_of(session const& s, std::string_view text)
{
    auto const slash = text.find('/');
    auto const* const kind = slash == text.npos ? nullptr : s.kinds.find(std::string(text.substr(0, slash)));
    if (!kind || !is_rolled_out(*kind) || slash + 1 == text.size())
        return podium::error{
            podium::errc::invalid, "expected deployment/NAME, statefulset/NAME or rollout/NAME", {}, {}};
    return rolled{kind, std::string(text.substr(slash + 1)), s.namespace_};
}

// How far an object is on its way to its latest template: done when neither line nor trouble.
struct rollout_sight {
    std::string line{};                      // "1 of 2 updated, 2 available, 1 old"
    std::optional<podium::error> trouble{};  // it will not get there by itself
};

inline rollout_sight look_at_rollout(rolled const& of, podium::api::json const& object)
{
    using podium::errc;
    using podium::error;
    using podium::api::json;
    auto const map = [](json const& o, char const* field) {
        auto const it = o.find(field);
        return it != o.end() && it->is_object() ? *it : json::object();
    };
    auto const number = [](json const& o, char const* field) {
        auto const it = o.find(field);
        return it != o.end() && it->is_number() ? it->get<long>() : 0L;
    };
    auto const text = [](json const& o, char const* field) {
        auto const it = o.find(field);
        return it != o.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    auto const spec = map(object, "spec"), status = map(object, "status");
    // What the status says before it has seen this generation is about the one before.
    if (number(status, "observedGeneration") < number(map(object, "metadata"), "generation"))
        return {"not seen yet by its controller", {}};
    if (of.kind->plural == "rollouts") {
        auto const phase = text(status, "phase"), why = text(status, "message");
        if (phase == "Degraded")
            return {{},
                error{errc::deadline, of.text() + " is degraded" + (why.empty() ? "" : ": " + why), {}, {}}};
        return {phase == "Healthy" ? "" : phase + (why.empty() ? "" : ": " + why), {}};
    }
    if (auto const it = status.find("conditions"); it != status.end())
        for (auto const& c : *it)
            if (c.is_object() && text(c, "reason") == "ProgressDeadlineExceeded")
                return {{}, error{errc::deadline, of.text() + " exceeded its progress deadline", {}, {}}};
    auto const all = number(status, "replicas"), updated = number(status, "updatedReplicas"),
               available = number(status, "availableReplicas"), wanted = number(spec, "replicas");
    // Those below a stateful set's partition are to stay as they are.
    auto const partition = number(map(map(spec, "updateStrategy"), "rollingUpdate"), "partition");
    auto const to_update = std::max(0L, wanted - partition);
    if (updated >= to_update && all == wanted && available == wanted)
        return {};
    return {std::to_string(updated) + " of " + std::to_string(to_update) + " updated, " +
            std::to_string(available) + " available, " + std::to_string(all - updated) + " old",
        {}};
}

// Waits until the rollout is done; `say` hears how far it is when that has changed, `see` each state of the
// object. Errors: `not_found`, `unsupported` where pods are only updated as they are deleted, `deadline` when
// it has given up, those of the calls.
inline boost::asio::awaitable<podium::result<void>> follow_rollout(session const& s, rolled of,
    std::function<void(std::string const&)> say, std::function<void(podium::api::json const&)> see = {})
{
    using podium::errc;
    using podium::error;
    using podium::api::json;
    auto const exists = co_await s.ask(request(of.path()));
    if (!exists)
        co_return exists.error();
    if ((*exists)["spec"].value("updateStrategy", json::object()).value("type", "") == "OnDelete")
        co_return error{errc::unsupported,
            of.text() + " is updated as its pods are deleted: nothing to wait for", {}, {}};
    std::string last;
    podium::result<void> end = error{
        errc::unavailable, "podium ended the watch of " + of.text() + " before it was rolled out", {}, {}};
    auto const list = podium::api::path_of(of.kind->api_version, of.kind->plural, of.namespace_);
    auto const over = co_await s.client.watch(
        list + "?watch=1&fieldSelector=metadata.name%3D" + podium::api::percent_encoded(of.name),
        [&](std::string const& text) {
            auto const event = podium::model::parse_json(text);
            if (!event || !event->is_object() || event->value("type", "") == "DELETED") {
                end = error{errc::not_found, of.text() + " is gone", {}, {}};
                return false;
            }
            auto const object = event->value("object", json::object());
            if (see)
                see(object);
            auto seen = look_at_rollout(of, object);
            if (seen.trouble) {
                end = *std::move(seen.trouble);
                return false;
            }
            if (seen.line.empty()) {
                end = {};
                return false;
            }
            if (seen.line != last)
                say(last = seen.line);
            return true;
        });
    if (!over)
        co_return over.error();
    co_return end;
}
