#include "manifests.hpp"

#include <podium/api/path.hpp>
#include <podium/api/status.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sys/stat.h>

namespace api = podium::api;
namespace model = podium::model;
using podium::errc;
using podium::error;

podium::result<std::vector<std::string>> manifest_files(std::vector<std::string> const& paths)
{
    std::vector<std::string> out;
    for (auto const& path : paths) {
        struct stat s{};
        if (path == "-") {
            out.push_back(path);
        } else if (::stat(path.c_str(), &s) != 0) {
            return error{errc::not_found, path + ": " + std::strerror(errno), {}, {}};
        } else if (!S_ISDIR(s.st_mode)) {
            out.push_back(path);
        } else {
            auto* const folder = ::opendir(path.c_str());
            if (!folder)
                return error{errc::unavailable, path + ": " + std::strerror(errno), {}, {}};
            std::vector<std::string> found;
            while (auto const* const entry = ::readdir(folder)) {
                std::string_view const name = entry->d_name;
                if (!name.starts_with('.') &&
                    (name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json")))
                    found.push_back((path.ends_with('/') ? path : path + '/') + std::string(name));
            }
            ::closedir(folder);
            std::ranges::sort(found);
            out.insert(out.end(), found.begin(), found.end());
        }
    }
    return out;
}

podium::result<std::vector<podium::yaml::manifest>> read_file(
    std::string const& file, model::scheme const& kinds, std::string const& namespace_if_none)
{
    podium::yaml::limits const limits;
    std::ifstream opened;
    if (file != "-") {
        opened.open(file, std::ios::binary);
        if (!opened)
            return error{errc::not_found, file + ": " + std::strerror(errno), {}, {}};
    }
    auto& in = file == "-" ? std::cin : static_cast<std::istream&>(opened);
    std::string text;
    char part[16384];
    while (text.size() <= limits.size_bytes && (in.read(part, sizeof part), in.gcount() > 0))
        text.append(part, static_cast<std::size_t>(in.gcount()));
    return podium::yaml::read_manifests(text, file == "-" ? "stdin" : file, kinds, namespace_if_none, limits);
}

void in_order_of_need(std::vector<podium::yaml::manifest>& all)
{
    auto const rank = [](podium::yaml::manifest const& m) {
        auto const kind = m.object.kind->name;
        return kind == "Namespace"                    ? 0
            : kind == "ConfigMap" || kind == "Secret" ? 1
            : kind == "Service"                       ? 2
                                                      : 3;
    };
    std::vector<podium::yaml::manifest> sorted;
    for (int wanted = 0; wanted <= 3; ++wanted)
        for (auto& m : all)
            if (m.object && rank(m) == wanted)
                sorted.push_back(std::move(m));
    all = std::move(sorted);
}

std::string short_name(model::kind_entry const& kind, std::string_view name)
{
    auto out = kind.singular();
    if (auto const slash = kind.api_version.find('/'); slash != std::string_view::npos)
        (out += '.') += kind.api_version.substr(0, slash);
    return (out += '/') += name;
}

boost::asio::awaitable<podium::result<apply_outcome>> apply_one(
    api_call const& call, model::scheme const& kinds, podium::yaml::manifest const& m)
{
    auto const& kind = *kinds.find(m.object.kind);
    auto const namespace_ = std::string(m.object.namespace_());
    auto written = m.written;
    if (!written["metadata"].contains("namespace") && kind.namespaced)
        written["metadata"]["namespace"] = namespace_;
    auto const path = api::path_of(kind.api_version, kind.plural, namespace_, m.object.name());
    auto const located = [&](error e) {
        e.message = m.file + ", document " + std::to_string(m.document) + ", line " + std::to_string(m.line) +
            ": " + e.message;
        return e;
    };
    auto const meta_of = [](std::string const& body) {
        auto const parsed = model::parse_json(body);
        return parsed && parsed->is_object() ? parsed->value("metadata", api::json::object())
                                             : api::json::object();
    };
    for (int tries = 0;; ++tries) {
        auto look = request(path);
        auto const live = co_await call(std::move(look));
        if (!live)
            co_return live.error();
        if (live->code != 200 && live->code != 404)
            co_return located(api::error_of(*live));
        auto before = api::json();
        if (live->code == 200) {
            auto parsed = model::parse_json(live->body);
            if (!parsed)
                co_return parsed.error();
            before = *std::move(parsed);
        }
        auto next = api::apply(before, written);
        if (next.outcome == api::applied::unchanged)
            co_return apply_outcome{next.outcome, before["metadata"].value("uid", "")};
        bool const create = next.outcome == api::applied::created;
        auto const to = api::path_of(
            kind.api_version, kind.plural, namespace_, create ? std::string_view() : m.object.name());
        auto asked = request(to, create ? api::method::post : api::method::put, next.object.dump());
        auto const answer = co_await call(std::move(asked));
        if (!answer)
            co_return answer.error();
        if (answer->code == 409 && tries < 20)
            continue;
        if (answer->code / 100 != 2)
            co_return located(api::error_of(*answer));
        auto const after = meta_of(answer->body);
        if (!create &&
            after.value("resourceVersion", "a") == before["metadata"].value("resourceVersion", "b"))
            next.outcome = api::applied::unchanged;
        co_return apply_outcome{next.outcome, after.value("uid", "")};
    }
}
