#pragma once
// A pipeline's file: its stages, and what each of them does. What is wrong is told with the path of each
// field.
#include "columns.hpp"
#include "session.hpp"

#include <podium/core/duration.hpp>
#include <podium/net/address.hpp>
#include <podium/rollout/pipeline.hpp>
#include <podium/yaml/manifests.hpp>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shipping {

namespace line = podium::rollout::pipeline;
namespace net = podium::net;
namespace yaml = podium::yaml;
using podium::errc;
using podium::error;
using podium::result;
using podium::api::json;

struct web_check {
    std::string host{}, target{};
    std::uint16_t port = 80;
    unsigned expect = 200;
    std::string contains{};
};

// What a stage does: one of command, apply and web.
struct work {
    std::vector<std::string> command{}, rollback{};
    std::map<std::string, std::string> env{};
    std::vector<std::string> apply{};
    std::vector<rolled> wait{};
    bool waits_for_all = true;  // all that the manifests roll out
    std::optional<web_check> web{};
};

struct line_file {
    line::spec spec{};
    std::vector<work> stages{};
    std::map<std::string, std::string> set{};
    std::vector<std::string> watched{};
    std::optional<net::address> webhook{};
    std::string folder{};
};

inline std::string text_of(std::string const& file, std::size_t limit, bool& fine)
{
    std::ifstream in(file, std::ios::binary);
    std::string text;
    char part[16384];
    fine = static_cast<bool>(in);
    while (text.size() <= limit && (in.read(part, sizeof part), in.gcount() > 0))
        text.append(part, static_cast<std::size_t>(in.gcount()));
    return text;
}

// Replaces ${NAME} by its variable; `missing` hears of a name that is none.
inline std::string filled(std::string_view text, std::map<std::string, std::string> const& set,
    std::function<void(std::string const&)> const& missing)
{
    std::string out;
    for (;;) {
        auto const begin = text.find("${");
        auto const end = begin == text.npos ? text.npos : text.find('}', begin);
        if (end == text.npos)
            return out.append(text);
        std::string const name(text.substr(begin + 2, end - begin - 2));
        out.append(text.substr(0, begin));
        if (auto const it = set.find(name); it != set.end()) {
            out += it->second;
        } else {
            missing(name);
            out.append(text.substr(begin, end + 1 - begin));
        }
        text.remove_prefix(end + 1);
    }
}

// http://HOST[:PORT][/TARGET]; names are looked up later.
inline std::optional<web_check> web_of(std::string_view url)
{
    web_check w;
    if (!url.starts_with("http://"))
        return {};
    url.remove_prefix(7);
    auto const end = std::min(url.size(), url.find_first_of("/?"));
    w.target = url.substr(end);
    if (!w.target.starts_with('/'))
        w.target.insert(0, "/");
    auto place = url.substr(0, end);
    if (auto const bracket = place.find(']'); place.starts_with('[') && bracket != place.npos) {
        w.host = place.substr(1, bracket - 1);
        place.remove_prefix(bracket + 1);
    } else {
        w.host = place.substr(0, place.find(':'));
        place.remove_prefix(w.host.size());
    }
    if (!place.empty()) {
        unsigned port = 0;
        auto const [at, failed] = std::from_chars(place.data() + 1, place.data() + place.size(), port);
        if (place[0] != ':' || failed != std::errc{} || at != place.data() + place.size() || port == 0 ||
            port > 65535)
            return {};
        w.port = static_cast<std::uint16_t>(port);
    }
    if (w.host.empty() || w.target.find_first_of(" \t\r\n") != std::string::npos)
        return {};
    return w;
}

// A map of the file: its fields are taken by name, and what nobody took is unknown.
class fields {
public:
    fields(json const& value, std::string path, podium::found_errors& wrong)
        : path_(std::move(path)),
          wrong_(wrong)
    {
        if (value.is_object())
            value_ = &value;
        else
            complain("", "expected a map");
    }
    void complain(std::string const& field, std::string message) const
    {
        wrong_.add({errc::invalid, std::move(message), at(field), {}});
    }
    std::string at(std::string const& field) const
    {
        return path_.empty() || field.empty() ? path_ + field : path_ + '.' + field;
    }
    json const* take(std::string const& field)
    {
        taken_.insert(field);
        return value_ && value_->contains(field) ? &(*value_)[field] : nullptr;
    }
    std::vector<std::string> names() const
    {
        std::vector<std::string> out;
        if (value_)
            for (auto const& [name, v] : value_->items())
                out.push_back(name);
        return out;
    }
    std::optional<std::string> text(std::string const& field)
    {
        auto const* const v = take(field);
        if (!v)
            return {};
        if (v->is_string() && v->get_ref<std::string const&>().find('\0') == std::string::npos)
            return v->get<std::string>();
        complain(field, "expected a string; quote it");
        return {};
    }
    template<class T>
    void number(std::string const& field, T& to, T least, T most)
    {
        auto const* const v = take(field);
        if (!v)
            return;
        if (v->is_number_integer() && *v >= least && *v <= most)
            to = v->get<T>();
        else
            complain(
                field, "expected a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    void time(std::string const& field, podium::duration& to)
    {
        auto const* const v = take(field);
        if (!v)
            return;
        // Plain seconds may stand without quotes.
        auto const d = podium::parse_duration(v->is_string() ? v->get<std::string>()
                : v->is_number_unsigned()                    ? v->dump()
                                                             : "");
        if (d)
            to = *d;
        else
            complain(field, d.error().message);
    }
    // A list of strings; with `one_too` also a string alone.
    std::vector<std::string> texts(std::string const& field, bool one_too)
    {
        auto const* const v = take(field);
        std::vector<std::string> out;
        if (!v)
            return out;
        if (one_too && v->is_string())
            return {v->get<std::string>()};
        if (!v->is_array() || v->empty()) {
            complain(field, "expected a list of strings");
            return out;
        }
        for (std::size_t i = 0; i < v->size(); ++i)
            if (auto const& item = (*v)[i];
                item.is_string() && item.get_ref<std::string const&>().find('\0') == std::string::npos)
                out.push_back(item.get<std::string>());
            else
                complain(field + '[' + std::to_string(i) + ']', "expected a string; quote it");
        return out;
    }
    void end() const
    {
        if (value_)
            for (auto const& [name, v] : value_->items())
                if (!taken_.contains(name))
                    complain(harmless(name), "unknown field");
    }

private:
    std::string path_;
    podium::found_errors& wrong_;
    json const* value_ = nullptr;
    std::set<std::string> taken_{};
};

// Reads one file. What is wrong is collected, with the path of each field.
class reader {
public:
    // `values_come_later`: a variable that must be given is not missed.
    reader(session const& s, std::map<std::string, std::string> given, bool values_come_later = false)
        : s_(s),
          given_(std::move(given)),
          values_come_later_(values_come_later)
    {
    }

    result<line_file> read(std::string const& file)
    {
        yaml::limits const limits;
        bool fine = false;
        auto const text = text_of(file, limits.size_bytes, fine);
        if (!fine)
            return error{errc::not_found, file + ": " + std::strerror(errno), {}, {}};
        auto documents = yaml::parse(text, limits);
        if (!documents) {
            auto e = std::move(documents).error();
            e.message = file + ", " + e.message;
            return e;
        }
        if (documents->size() != 1)
            return error{errc::invalid, file + ": expected one document", {}, {}};
        auto const& doc = documents->front();
        auto const slash = file.rfind('/');
        out_.folder = slash == file.npos ? "." : file.substr(0, slash + 1);
        top(doc.value);
        if (!wrong_.all)
            check();
        if (wrong_.all)
            return yaml::detail::source{file, doc.number, &doc, {}}.located(*std::move(wrong_.all));
        return std::move(out_);
    }

private:
    void top(json const& value)
    {
        fields f(value, "", wrong_);
        out_.spec.name = f.text("name").value_or("");
        variables(f);
        if (auto const* const w = f.take("watch")) {
            fields watch(*w, "watch", wrong_);
            for (auto const& path : watch.texts("paths", false))
                out_.watched.push_back(seen_from_file(path));
            if (auto const hook = watch.text("webhook"))
                webhook(watch, *hook);
            watch.end();
        }
        if (auto const* const r = f.take("rollback")) {
            fields back(*r, "rollback", wrong_);
            patience(back, out_.spec.rollback);
            back.end();
        }
        f.time("grace", out_.spec.grace);
        auto const* const stages = f.take("stages");
        if (!stages || !stages->is_array()) {
            f.complain("stages", "expected a list of stages");
        } else {
            for (std::size_t i = 0; i < std::min(stages->size(), line::max_stages + 1); ++i)
                stage((*stages)[i], "stages[" + std::to_string(i) + ']');
        }
        f.end();
    }
    void variables(fields& f)
    {
        if (auto const* const set = f.take("set")) {
            fields names(*set, "set", wrong_);
            if (set->is_object())
                for (auto const& [name, value] : set->items()) {
                    if (!is_variable(name))
                        names.complain(harmless(name), "expected a name of letters, digits and underscores");
                    else if (auto const given = given_.find(name); given != given_.end())
                        out_.set[name] = given->second;
                    else if (value.is_string())
                        out_.set[name] = value.get<std::string>();
                    else if (!value.is_null())
                        names.complain(name, "expected a string; quote it");
                    else if (!values_come_later_)
                        names.complain(name, "needs a value: --set " + name + "=...");
                    known_.insert(name);
                }
        }
        for (auto const& [name, value] : given_)
            if (!known_.contains(name))
                f.complain("set", "no variable " + harmless(name) + " is declared, which --set gives");
    }
    static bool is_variable(std::string const& name)
    {
        return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        });
    }
    void webhook(fields const& f, std::string const& text)
    {
        auto const colon = text.rfind(':');
        unsigned port = 65536;
        if (colon != text.npos)
            std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
        auto ip = text.substr(0, colon);
        if (ip.starts_with('[') && ip.ends_with(']'))
            ip = ip.substr(1, ip.size() - 2);
        boost::system::error_code ec;
        auto const parsed = boost::asio::ip::make_address(ip, ec);
        if (ec || port > 65535 || !parsed.is_loopback())
            return f.complain("webhook",
                "expected a loopback address and a port, such as 127.0.0.1:9000: whoever reaches it starts a "
                "run");
        out_.webhook = net::address::tcp(ip, static_cast<std::uint16_t>(port));
    }
    void patience(fields& f, line::patience& to)
    {
        f.time("timeout", to.timeout);
        f.number("retries", to.retries, 0u, line::max_retries);
        f.time("backoff", to.backoff.base);
        to.backoff.cap = std::max(to.backoff.cap, to.backoff.base);
    }
    // ${NAME} in what is taken from `field`.
    std::string fill(fields const& f, std::string const& field, std::string const& text) const
    {
        return filled(text, out_.set, [&](std::string const& name) {
            if (!known_.contains(name))
                f.complain(field, "no variable " + harmless(name) + " is declared in set");
        });
    }
    std::vector<std::string> filled_texts(fields& f, std::string const& field, bool one_too = false)
    {
        auto all = f.texts(field, one_too);
        for (auto& one : all)
            one = fill(f, field, one);
        return all;
    }
    // A string is for a shell, which has the variables in its environment.
    std::vector<std::string> command(fields& f, std::string const& field)
    {
        auto const* const v = f.take(field);
        auto out = v && v->is_string() ? std::vector<std::string>{"/bin/sh", "-c", f.text(field).value_or("")}
                                       : filled_texts(f, field);
        if (v && !out.empty() && (out.front().empty() || (v->is_string() && out.back().empty())))
            f.complain(field, "must name a command");
        return out;
    }
    std::string seen_from_file(std::string const& path) const
    {
        return path.starts_with('/') ? path : (out_.folder == "." ? "./" : out_.folder) + path;
    }
    void stage(json const& value, std::string const& path)
    {
        fields f(value, path, wrong_);
        auto& s = out_.spec.stages.emplace_back();
        auto& w = out_.stages.emplace_back();
        s.name = f.text("name").value_or("");
        w.command = command(f, "command");
        w.rollback = command(f, "rollback");
        for (auto const& p : filled_texts(f, "apply", true))
            w.apply.push_back(seen_from_file(p));
        if (auto const* const wait = f.take("wait"); wait && wait->is_array() && wait->empty()) {
            w.waits_for_all = false;
        } else if (wait) {
            w.waits_for_all = false;
            for (auto const& one : filled_texts(f, "wait", true)) {
                auto of = rolled_of(s_, one);
                if (of)
                    w.wait.push_back(*of);
                else
                    f.complain("wait", of.error().message);
            }
        }
        if (auto const* const web = f.take("web"))
            w.web = checked_web(*web, path + ".web");
        if (auto const* const env = f.take("env")) {
            fields e(*env, path + ".env", wrong_);
            for (auto const& name : e.names()) {
                if (!is_variable(name))
                    e.complain(harmless(name), "expected a name of letters, digits and underscores");
                else if (auto const text = e.text(name))
                    w.env[name] = fill(e, name, *text);
            }
        }
        patience(f, s.allowed);
        if (auto const text = f.text("onFailure")) {
            if (*text == "stop" || *text == "rollback")
                s.on_failure = *text == "stop" ? line::reaction::stop : line::reaction::roll_back;
            else
                f.complain("onFailure", "expected stop or rollback");
        }
        auto const has = [&](char const* field) { return value.is_object() && value.contains(field); };
        if (has("command") + has("apply") + has("web") != 1)
            f.complain("", "expected one of command, apply and web");
        if (has("wait") && !has("apply"))
            f.complain("wait", "only with apply");
        for (auto const* const field : {"env", "rollback"})
            if (has(field) && !has("command"))
                f.complain(field, "only with command");
        s.what = kind_of(f, w, s.name, has("apply"), has("web"));
        deployed_ = deployed_ || s.what == line::kind::deploy;
        f.end();
    }
    line::kind kind_of(fields& f, work const& w, std::string const& name, bool applies, bool asks)
    {
        auto const named = [](std::string_view text) -> std::optional<line::kind> {
            for (auto const k : {line::kind::build, line::kind::test, line::kind::publish, line::kind::deploy,
                     line::kind::verify})
                if (to_string(k) == text)
                    return k;
            return {};
        };
        auto const given = f.text("kind");
        auto k = named(given.value_or(name));
        if (given && !k)
            f.complain("kind", "expected build, test, publish, deploy or verify");
        if (!k)
            k = applies || !w.rollback.empty() ? line::kind::deploy
                : asks || deployed_            ? line::kind::verify
                                               : line::kind::build;
        if (applies && k != line::kind::deploy)
            f.complain(given ? "kind" : "name", "apply is a deploy");
        if (!w.rollback.empty() && k != line::kind::deploy)
            f.complain("rollback", "only for a deploy");
        if (k == line::kind::deploy && !applies && w.rollback.empty())
            f.complain("", "a deploy by a command needs rollback, the command that takes it back");
        return *k;
    }
    std::optional<web_check> checked_web(json const& value, std::string const& path)
    {
        fields f(value, path, wrong_);
        auto const url = f.text("url");
        auto w = url ? web_of(fill(f, "url", *url)) : std::nullopt;
        if (!w)
            f.complain("url", "expected http://HOST[:PORT]/..., HOST being an address or a Service");
        web_check out = w.value_or(web_check{});
        f.number("expect", out.expect, 100u, 599u);
        if (auto const text = f.text("contains"))
            out.contains = fill(f, "contains", *text);
        f.end();
        return out;
    }
    // What the machine says of the whole, in the file's words.
    void check()
    {
        auto const checked = line::check(out_.spec);
        if (checked)
            return;
        auto const rename = [](error& e) {
            for (auto const& [from, to] :
                {std::pair<std::string_view, std::string_view>{"on_failure", "onFailure"},
                    {"backoff.base", "backoff"}, {"backoff.cap", "backoff"}})
                if (auto const i = e.path.find(from); i != std::string::npos)
                    e.path.replace(i, from.size(), to);
        };
        auto e = checked.error();
        rename(e);
        for (auto& one : e.further)
            rename(one);
        wrong_.add(std::move(e));
    }

    session const& s_;
    std::map<std::string, std::string> given_;
    bool values_come_later_;
    podium::found_errors wrong_{};
    line_file out_{};
    std::set<std::string> known_{};
    bool deployed_ = false;
};

}  // namespace shipping
