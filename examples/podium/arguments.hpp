#pragma once
// A command line: options with and without values, and what stands between them.
#include <podium/core/result.hpp>

#include <cstddef>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct arguments {
    std::vector<std::string> words{};
    std::map<std::string, std::vector<std::string>> options{};  // "-f" to what followed each

    bool has(std::string const& name) const { return options.contains(name); }
    std::string value(std::string const& name, std::string otherwise = {}) const
    {
        auto const it = options.find(name);
        return it == options.end() ? std::move(otherwise) : it->second.back();
    }
    std::vector<std::string> values(std::string const& name) const
    {
        auto const it = options.find(name);
        return it == options.end() ? std::vector<std::string>{} : it->second;
    }
};

struct option {
    std::string_view names;  // "-n --namespace"; the first is what it is asked by
    bool takes_value = false;
};

inline podium::result<arguments> parse(
    std::vector<std::string> const& args, std::initializer_list<option> known)
{
    auto const find = [&](std::string_view name) -> option const* {
        for (auto const& o : known)
            for (auto rest = o.names; !rest.empty();) {
                auto const one = rest.substr(0, rest.find(' '));
                rest.remove_prefix(std::min(rest.size(), one.size() + 1));
                if (one == name)
                    return &o;
            }
        return nullptr;
    };
    auto const wrong = [](std::string message) {
        return podium::error{
            podium::errc::invalid, std::move(message) + "; --help tells what there is", {}, {}};
    };
    arguments out;
    bool only_words = false;
    for (std::size_t i = 0; i < args.size(); ++i) {
        auto name = args[i];
        if (only_words || name.size() < 2 || name.front() != '-') {
            out.words.push_back(std::move(name));
            continue;
        }
        if (name == "--") {
            only_words = true;
            continue;
        }
        std::string value;
        bool given = false;
        if (auto const equals = name.find('='); equals != name.npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
            given = true;
        } else if (name[1] != '-' && name.size() > 2) {  // -nshop
            value = name.substr(2);
            name.resize(2);
            given = true;
        }
        auto const* const o = find(name);
        if (!o)
            return wrong("unknown option " + name);
        if (o->takes_value && !given) {
            if (++i == args.size())
                return wrong(name + " needs a value");
            value = args[i];
        } else if (!o->takes_value && given) {
            return wrong(name + " takes no value");
        }
        out.options[std::string(o->names.substr(0, o->names.find(' ')))].push_back(std::move(value));
    }
    return out;
}
