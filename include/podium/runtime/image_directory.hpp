#pragma once
/// Images as plain directories: `shop/web:1.2` is DIR/shop/web/1.2/, an executable and what it starts with.
///
///     DIR/shop/web/1.2/web          the executable: named like the image, unless the configuration says more
///     DIR/shop/web/1.2/config.json  optional, as OCI spells an image's configuration:
///         {"config": {"Entrypoint": ["./web"], "Cmd": ["--port", "80"], "Env": ["LEVEL=info"], "WorkingDir":
///         "data"}}
///
/// There is no root file system: absolute paths are the machine's own. A relative path with a slash is
/// relative to the entry; a bare name is looked for in the entry, then in the container's PATH. A working
/// directory is relative to the entry and is the entry unless something else is said.
///
/// So nothing can appear at a mount's path either. Instead the path leads there wherever it is written: in
/// the command, the arguments, the variables and the working directory, of the image and of the container,
/// `/data` and what is below it read as the directory that is mounted at `/data`. A program that has a path
/// built in must be told.
///
/// Source: OCI image-spec v1.1 config.md for the members; "Define a Command and Arguments for a Container" in
/// Kubernetes' documentation for what replaces what.

#include <podium/core/result.hpp>
#include <podium/runtime/runtime.hpp>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime {

/// What an image brings along.
struct image_entry {
    std::string directory{};
    std::vector<std::string> entrypoint{};
    std::vector<std::string> cmd{};
    std::vector<env_var> env{};
    std::string working_dir{};
};

/// A process ready to be executed: an absolute path, its arguments, environment and directory.
struct launch {
    std::string path{};
    std::vector<std::string> argv{};
    std::vector<std::string> env{};  ///< "NAME=value"
    std::string working_dir{};
};

/// The entry of `image` under `directory`: `not_found` (path "image") when there is none, `invalid` when the
/// name is none or its configuration cannot be read. Reads the disk.
[[nodiscard]] result<image_entry> open_image(std::string const& directory, std::string_view image);

/// The text with each path that is at or below a mount's target leading to the mount's source, the longest
/// target winning. A path begins where the text does or behind a character that cannot be part of a path, so
/// `--dir=/data/a` and `a:/data` have one and `/old/data`, `/database` and `http://host/data` have none.
/// O(text x mounts).
[[nodiscard]] std::string redirected(std::string_view text, std::vector<mount> const& mounts);

/// The environment of a container: the image's, then the configuration's, and a PATH if neither has one.
[[nodiscard]] std::vector<std::string> environment(image_entry const& image, container_config const& config);

/// The container's own command. `invalid` with path "command" when there is none or it cannot be executed.
[[nodiscard]] result<launch> resolve(image_entry const& image, container_config const& config);

/// Another command in the same surroundings, for `exec`.
[[nodiscard]] result<launch> resolve(
    image_entry const& image, container_config const& config, std::vector<std::string> argv);

namespace detail {

/// "shop/web:1.2" to "shop/web/1.2"; empty when it is no plain image name.
inline std::string image_path(std::string_view image)
{
    auto const allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            std::string_view("._-/:").find(c) != std::string_view::npos;
    };
    if (image.empty() || image.size() > 1024 || !std::all_of(image.begin(), image.end(), allowed))
        return {};
    auto const slash = image.rfind('/');
    auto const colon = image.rfind(':');
    bool const tagged = colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
    auto path = std::string(image.substr(0, tagged ? colon : image.size())) + '/' +
        (tagged ? std::string(image.substr(colon + 1)) : "latest");
    for (std::size_t at = 0; at <= path.size();) {
        auto const end = std::min(path.find('/', at), path.size());
        auto const part = std::string_view(path).substr(at, end - at);
        if (part.empty() || part == "." || part == "..")
            return {};
        at = end + 1;
    }
    return path;
}

inline bool is_directory(std::string const& path)
{
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

inline bool is_executable(std::string const& path)
{
    struct stat s{};
    return ::stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

inline std::string under(std::string const& directory, std::string const& path)
{
    return path.empty() ? directory : path.front() == '/' ? path : directory + '/' + path;
}

/// Fills `out` from an array of strings; false when it is something else.
inline bool read_strings(nlohmann::json const& config, char const* member, std::vector<std::string>& out)
{
    auto const at = config.find(member);
    if (at == config.end() || at->is_null())
        return true;
    if (!at->is_array())
        return false;
    for (auto const& item : *at) {
        if (!item.is_string())
            return false;
        out.push_back(item.get<std::string>());
    }
    return true;
}

inline result<void> read_image_config(std::string const& path, image_entry& entry)
{
    auto const bad = [&](std::string expected) {
        return error{errc::invalid, "its config.json " + std::move(expected), "image", {}};
    };
    std::ifstream file(path, std::ios::binary);
    std::string text;
    char chunk[4096];
    while (text.size() <= 1024 * 1024 && (file.read(chunk, sizeof chunk), file.gcount() > 0))
        text.append(chunk, static_cast<std::size_t>(file.gcount()));
    if (text.size() > 1024 * 1024)
        return bad("must be at most 1 MiB");
    // What nests deeper than anything read here is dropped while parsing: deep documents overflow the stack
    // later.
    auto const shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) { return depth < 8; };
    auto const document = nlohmann::json::parse(text, shallow, false);
    if (!document.is_object() || !document.contains("config") || !document["config"].is_object())
        return bad("must be a JSON object with an object \"config\"");
    auto const& config = document["config"];
    std::vector<std::string> env;
    if (!read_strings(config, "Entrypoint", entry.entrypoint))
        return bad("must have a list of strings as config.Entrypoint");
    if (!read_strings(config, "Cmd", entry.cmd))
        return bad("must have a list of strings as config.Cmd");
    if (!read_strings(config, "Env", env))
        return bad("must have a list of strings as config.Env");
    for (auto const& e : env) {
        auto const equals = e.find('=');
        if (equals == std::string::npos || equals == 0)
            return bad("must have NAME=value in config.Env");
        entry.env.push_back({e.substr(0, equals), e.substr(equals + 1)});
    }
    if (auto const dir = config.find("WorkingDir"); dir != config.end() && !dir->is_null()) {
        if (!dir->is_string())
            return bad("must have a string as config.WorkingDir");
        entry.working_dir = dir->get<std::string>();
    }
    return {};
}

}  // namespace detail

inline result<image_entry> open_image(std::string const& directory, std::string_view image)
{
    auto const path = detail::image_path(image);
    if (path.empty())
        return error{
            errc::invalid, "must be a name like shop/web:1.2 (a digest has no entry here)", "image", {}};
    image_entry entry;
    entry.directory = directory + '/' + path;
    if (char* absolute = ::realpath(entry.directory.c_str(), nullptr)) {
        entry.directory = absolute;
        std::free(absolute);
    }
    if (!detail::is_directory(entry.directory))
        return error{errc::not_found, "no entry " + path + " in the image directory", "image", {}};
    auto const config = entry.directory + "/config.json";
    if (::access(config.c_str(), F_OK) == 0)
        if (auto read = detail::read_image_config(config, entry); !read)
            return std::move(read).error();
    if (entry.entrypoint.empty() && entry.cmd.empty()) {
        auto const name = path.substr(0, path.rfind('/'));
        auto const base = name.substr(name.rfind('/') + 1);  // npos + 1 is 0
        if (detail::is_executable(entry.directory + '/' + base))
            entry.entrypoint = {"./" + base};
    }
    return entry;
}

inline std::string redirected(std::string_view text, std::vector<mount> const& mounts)
{
    if (mounts.empty())
        return std::string(text);
    auto const in_path = [](char c) {  // a quote, a separator or a bracket that opens may stand before one
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            static_cast<unsigned char>(c) >= 0x80 ||
            std::string_view("_-./%~+})").find(c) != std::string_view::npos;
    };
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        mount const* best = nullptr;
        if (text[at] == '/' && (at == 0 || !in_path(text[at - 1])))
            for (auto const& m : mounts) {
                auto const end = at + m.target.size();
                bool const here = text.substr(at).starts_with(m.target) &&
                    (end == text.size() || text[end] == '/' || text[end] == ')' || text[end] == '}' ||
                        !in_path(text[end]));
                if (here && (best == nullptr || m.target.size() > best->target.size()))
                    best = &m;
            }
        if (best == nullptr) {
            out += text[at++];
        } else {
            out += best->source;
            at += best->target.size();
        }
    }
    return out;
}

inline std::vector<std::string> environment(image_entry const& image, container_config const& config)
{
    std::vector<std::string> env;
    auto const put = [&](env_var const& v) {
        auto const prefix = v.name + '=';
        auto const same =
            std::find_if(env.begin(), env.end(), [&](auto const& e) { return e.starts_with(prefix); });
        auto text = prefix + redirected(v.value, config.mounts);
        if (same != env.end())
            *same = std::move(text);
        else
            env.push_back(std::move(text));
    };
    for (auto const& v : image.env)
        put(v);
    for (auto const& v : config.env)
        put(v);
    if (std::none_of(env.begin(), env.end(), [](auto const& e) { return e.starts_with("PATH="); }))
        env.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    return env;
}

inline result<launch> resolve(image_entry const& image, container_config const& config)
{
    auto argv = config.command.empty() ? image.entrypoint : config.command;
    auto const& rest = !config.args.empty() || !config.command.empty() ? config.args : image.cmd;
    argv.insert(argv.end(), rest.begin(), rest.end());
    return resolve(image, config, std::move(argv));
}

inline result<launch> resolve(
    image_entry const& image, container_config const& config, std::vector<std::string> argv)
{
    if (argv.empty() || argv.front().empty())
        return error{errc::invalid, "neither the container nor its image says what to run", "command", {}};
    auto const has_null = [](std::string const& s) { return s.find('\0') != std::string::npos; };
    launch out;
    out.env = environment(image, config);
    if (std::any_of(argv.begin(), argv.end(), has_null) ||
        std::any_of(out.env.begin(), out.env.end(), has_null))
        return error{errc::invalid, "arguments and variables must not contain a null byte", "command", {}};
    for (auto& word : argv)
        word = redirected(word, config.mounts);
    out.working_dir = detail::under(image.directory,
        redirected(config.working_dir.empty() ? image.working_dir : config.working_dir, config.mounts));

    auto const& name = argv.front();
    if (name.find('/') != std::string::npos) {
        out.path = detail::under(image.directory, name);
    } else {
        auto const found = std::find_if(
            out.env.begin(), out.env.end(), [](auto const& e) { return e.starts_with("PATH="); });
        auto const search = image.directory + ':' + found->substr(5);
        for (std::size_t at = 0; at <= search.size() && out.path.empty();) {
            auto const end = std::min(search.find(':', at), search.size());
            auto candidate = search.substr(at, end - at) + '/' + name;
            if (candidate.front() == '/' && end > at && detail::is_executable(candidate))
                out.path = std::move(candidate);
            at = end + 1;
        }
    }
    if (out.path.empty() || !detail::is_executable(out.path))
        return error{errc::invalid,
            "no executable file " + name + " in the image's entry" +
                (name.find('/') == std::string::npos ? " or PATH"
                        : name.front() == '/'        ? " or on this machine"
                                                     : ""),
            "command", {}};
    if (!detail::is_directory(out.working_dir))
        return error{errc::invalid, "must be a directory that exists", "workingDir", {}};
    out.argv = std::move(argv);
    return out;
}

}  // namespace podium::v0::runtime
