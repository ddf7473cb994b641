#pragma once
/// Manifests: files of objects, in YAML or JSON, several in a file, Lists opened.
///
/// What is wrong is told all at once, and where: file, document, line, field, expectation.

#include <podium/model/scheme.hpp>
#include <podium/yaml/yaml.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::yaml {

/// One object of a file: decoded, completed and valid; and as its author wrote it, which is what `apply`
/// compares.
struct manifest {
    reconcile::object object{};
    json written{};
    std::string file{};
    std::size_t document = 1;  ///< which of the file's, from 1
    std::size_t line = 1;      ///< where it begins
};

namespace detail {

/// The line of a path, or of the nearest field around it that is written.
inline std::size_t line_near(document const& doc, std::string path)
{
    for (;;) {
        if (auto const found = doc.lines.find(path); found != doc.lines.end())
            return found->second;
        auto const cut = path.find_last_of(".[");
        if (path.empty())
            return doc.line;
        path.resize(cut == std::string::npos ? 0 : cut);
    }
}

struct source {
    std::string_view file;
    std::size_t number = 1;
    document const* doc = nullptr;
    std::string prefix{};  ///< of the object within the document: "items[3]" in a List

    /// The same error with file, document and line before its words.
    [[nodiscard]] error located(error e) const
    {
        auto const place = [&](error& one) {
            std::string full = prefix;
            if (!full.empty() && !one.path.empty() && one.path.front() != '[')
                full += '.';
            full += one.path;
            one.message = std::string(file) + ", document " + std::to_string(number) + ", line " +
                std::to_string(line_near(*doc, full)) + ": " + (full.empty() ? "" : full + ": ") +
                one.message;
            one.path.clear();
        };
        place(e);
        for (auto& one : e.further)
            place(one);
        return e;
    }
};

}  // namespace detail

/// Every object of a file. JSON is read as YAML, which it is, so the same rules hold. Errors, all of them:
/// `invalid`, `exhausted`, `unsupported` for a kind that is not in the scheme; `message` has it all, `path`
/// is empty.
[[nodiscard]] inline result<std::vector<manifest>> read_manifests(std::string_view text,
    std::string_view file_name, model::scheme const& kinds, std::string_view namespace_if_none = "default",
    limits const& allowed = {})
{
    auto documents = parse(text, allowed);
    if (!documents) {
        auto e = std::move(documents).error();
        e.message = std::string(file_name) + ", " + e.message;
        if (!e.path.empty())
            e.message += " (" + std::exchange(e.path, {}) + ')';
        return e;
    }
    std::vector<manifest> found;
    model::field_errors wrong;
    auto const read = [&](json const& value, detail::source const& from) {
        auto object = kinds.read(value, namespace_if_none);
        if (object)
            found.push_back({std::move(*object), value, std::string(file_name), from.number,
                detail::line_near(*from.doc, from.prefix)});
        else
            wrong.push_back(from.located(std::move(object).error()));
    };
    for (auto const& doc : *documents) {
        detail::source const here{file_name, doc.number, &doc, {}};
        auto const& value = doc.value;
        auto const is = [&](char const* key, char const* text_wanted) {
            return value.is_object() && value.contains(key) && value[key] == text_wanted;
        };
        if (!is("kind", "List") || !is("apiVersion", "v1")) {
            read(value, here);
            continue;
        }
        for (auto const& [key, member] : value.items())
            if (key != "apiVersion" && key != "kind" && key != "metadata" && key != "items")
                wrong.push_back(here.located({errc::invalid, "unknown field", key, {}}));
        if (!value.contains("items") || !value["items"].is_array()) {
            wrong.push_back(here.located({errc::invalid, "expected a list", "items", {}}));
            continue;
        }
        for (std::size_t k = 0; k < value["items"].size(); ++k)
            read(value["items"][k], {file_name, doc.number, &doc, "items[" + std::to_string(k) + ']'});
    }
    if (!wrong.empty())
        return model::joined(std::move(wrong));
    return found;
}

}  // namespace podium::v0::yaml
