#pragma once
/// YAML to JSON, as the field's tools read it, with every limit checked before anything recurses.
///
/// Plain scalars mean what they mean to kubectl (sigs.k8s.io/yaml, its goyaml.v2): null, ~ and nothing at all
/// are null; true, false and YAML 1.1's yes, no, on, off, y, n (capitalised or all capitals too) are
/// booleans; 0x1F, 0o17, 017 and 0b11 are integers; 1.5 and 1e3 are floats. Quoted scalars stay strings, and
/// so does everything else, dates too. Keys are always strings. A text that is one JSON object is read as
/// JSON.
///
/// Refused: a key given twice, tags but the core schema's, non-finite numbers, keys that are lists or maps,
/// an alias within what it names, and documents beyond the limits; what an alias repeats counts again, so ten
/// lines cannot become gigabytes. yaml-cpp is driven by events, so its own recursion ends where the limit on
/// depth says.
///
/// Source: YAML 1.2.2; the resolution in go-yaml v2 resolve.go.

#include <podium/model/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace podium::inline v0::yaml {

using model::json;

/// What a file may cost.
struct limits {
    std::size_t size_bytes = 4 * 1024 * 1024;  ///< the whole file
    std::size_t documents = 10'000;
    std::size_t depth = 64;       ///< lists and maps within each other, in each document
    std::size_t nodes = 100'000;  ///< values of each document, those repeated by aliases counting again
};

/// One document of a file.
struct document {
    json value{};
    std::size_t number = 1;                      ///< in the file, from 1, empty ones counting
    std::size_t line = 1;                        ///< where it begins, from 1
    std::map<std::string, std::size_t> lines{};  ///< path of each value ("spec.ports[0].port") to its line
};

/// Every document that holds something; empty ones are skipped. Errors: `invalid` and `exhausted`, with the
/// line in the words. Linear in the text and in what the aliases repeat.
[[nodiscard]] result<std::vector<document>> parse(std::string_view text, limits const& allowed = {});

/// What a plain scalar means.
[[nodiscard]] inline json resolve(std::string_view text);

}  // namespace podium::v0::yaml

namespace podium::inline v0::yaml::detail {

inline bool one_of(std::string_view text, std::initializer_list<std::string_view> words) noexcept
{
    for (auto const word : words)
        if (text == word)
            return true;
    return false;
}

/// An integer in any of YAML 1.1's spellings; discarded when it is none, and one of more than 64 bits is a
/// float, as for go-yaml.
inline json integer(std::string_view rest)
{
    bool const negative = rest.starts_with('-');
    if (negative || rest.starts_with('+'))
        rest.remove_prefix(1);
    int base = 10;
    for (auto const& [prefix, b] : {std::pair<std::string_view, int>{"0x", 16}, {"0X", 16}, {"0o", 8},
             {"0O", 8}, {"0b", 2}, {"0B", 2}, {"0", 8}})
        if (rest.size() > prefix.size() && rest.starts_with(prefix)) {
            base = b;
            rest.remove_prefix(prefix.size());
            break;
        }
    std::uint64_t value = 0;
    auto const [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
    if (failed != std::errc{} || end != rest.data() + rest.size())
        return json(json::value_t::discarded);
    if (!negative)
        return value;
    if (value > std::uint64_t{1} << 63)
        return json(json::value_t::discarded);
    return static_cast<std::int64_t>(~value + 1);
}

/// A decimal float: digits with a point or an exponent; discarded when it is none.
inline json fraction(std::string_view text)
{
    bool digit = false;
    for (char const c : text) {
        digit = digit || (c >= '0' && c <= '9');
        if (!(c >= '0' && c <= '9') && std::string_view("+-.eE").find(c) == std::string_view::npos)
            return json(json::value_t::discarded);
    }
    if (!digit)
        return json(json::value_t::discarded);
    if (text.starts_with('+') && !text.starts_with("+-"))
        text.remove_prefix(1);
    double value = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
        return json(json::value_t::discarded);
    return value;
}

/// Stops yaml-cpp, which calls us from within.
struct stop {
    error why;
};

class event_tree final : public YAML::EventHandler {
public:
    event_tree(std::string_view text, limits const& allowed, std::size_t number)
        : text_(text),
          allowed_(allowed),
          number_(number)
    {
    }

    void OnDocumentStart(YAML::Mark const& mark) override
    {
        result_.number = number_;
        result_.line = line_of(mark);
        empty_ = false;
    }
    void OnDocumentEnd() override {}
    void OnNull(YAML::Mark const& mark, YAML::anchor_t anchor) override
    {
        here_ = mark;
        if (at_key())
            fail(errc::invalid, "a key must be a string, not null");
        scalar({}, true, anchor);
    }
    void OnScalar(YAML::Mark const& mark, std::string const& tag, YAML::anchor_t anchor,
        std::string const& text) override
    {
        here_ = mark;
        if (tag == "?")
            return scalar(text, true, anchor);
        check_closed(mark);
        if (tag == "!" || tag == "tag:yaml.org,2002:str")
            return scalar(text, false, anchor);
        if (one_of(tag,
                {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool",
                    "tag:yaml.org,2002:null"}))
            return scalar(text, true, anchor);
        fail(errc::invalid, "this tag is not supported");
    }
    void OnAlias(YAML::Mark const& mark, YAML::anchor_t anchor) override
    {
        here_ = mark;
        auto const found = anchors_.find(anchor);
        if (found == anchors_.end())
            fail(errc::invalid, "an alias within what it names");
        if (at_key())
            fail(errc::invalid, "an alias cannot be a key");
        count(found->second.nodes);
        if (open_.size() + found->second.depth > allowed_.depth)
            too_deep();
        put(json(found->second.value), 0);
        measure(found->second.depth);
    }
    void OnSequenceStart(YAML::Mark const& mark, std::string const& tag, YAML::anchor_t anchor,
        YAML::EmitterStyle::value) override
    {
        here_ = mark;
        container(json::array(), tag, "tag:yaml.org,2002:seq", anchor);
    }
    void OnMapStart(YAML::Mark const& mark, std::string const& tag, YAML::anchor_t anchor,
        YAML::EmitterStyle::value) override
    {
        here_ = mark;
        container(json::object(), tag, "tag:yaml.org,2002:map", anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapEnd() override { close(); }

    [[nodiscard]] bool empty() const noexcept { return empty_ || result_.value.is_null(); }
    [[nodiscard]] document& result() noexcept { return result_; }

    [[noreturn]] void fail(errc code, std::string message) const
    {
        throw stop{{code,
            "document " + std::to_string(number_) + ", line " + std::to_string(line_of(here_)) + ": " +
                std::move(message),
            code == errc::exhausted ? std::string() : path(), {}}};
    }

private:
    struct opened {
        json value;
        std::string path;
        std::string key{};
        bool has_key = false;
        bool merging = false;  ///< the key was "<<"
        YAML::anchor_t anchor = 0;
        std::size_t nodes_before = 0;
        std::size_t deepest = 1;      ///< levels from here down
        json merged = json::array();  ///< what "<<" brought, to be added behind the map's own members
    };
    struct anchored {
        json value;
        std::size_t nodes = 1;
        std::size_t depth = 0;
    };

    static std::size_t line_of(YAML::Mark const& mark) noexcept
    {
        return static_cast<std::size_t>(mark.line < 0 ? 0 : mark.line) + 1;
    }

    /// yaml-cpp takes the end of the file for a closing quote, so a file cut short would pass.
    void check_closed(YAML::Mark const& mark) const
    {
        auto at = static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos);
        if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\''))
            return;
        char const quote = text_[at++];
        for (; at < text_.size(); ++at) {
            bool const escaped = quote == '"' ? text_[at] == '\\' : text_.substr(at, 2) == "''";
            if (!escaped && text_[at] == quote)
                return;
            at += escaped;
        }
        fail(errc::invalid, "this quote is not closed");
    }

    [[nodiscard]] bool at_key() const
    {
        return !open_.empty() && open_.back().value.is_object() && !open_.back().has_key;
    }

    [[nodiscard]] std::string path() const
    {
        if (open_.empty())
            return {};
        auto const& top = open_.back();
        std::string out = top.path;
        if (top.value.is_array())
            (out += '[') += std::to_string(top.value.size()) + ']';
        else if (top.has_key)
            model::detail::put_name(out, top.key);
        return out;
    }

    [[noreturn]] void too_deep() const
    {
        fail(errc::exhausted, "nested too deeply, the limit is " + std::to_string(allowed_.depth));
    }

    void count(std::size_t nodes)
    {
        nodes_ += nodes;
        if (nodes_ > allowed_.nodes)
            fail(errc::exhausted, "too many values, the limit is " + std::to_string(allowed_.nodes));
    }

    /// Lines help people; a file made to need a lot of memory for them does without.
    void note_line(std::string const& where)
    {
        line_bytes_ += where.size() + 64;
        if (line_bytes_ <= 4 * allowed_.size_bytes)
            result_.lines.emplace(where, line_of(here_));
    }

    void measure(std::size_t depth_below)
    {
        if (!open_.empty())
            open_.back().deepest = std::max(open_.back().deepest, depth_below + 1);
    }

    void scalar(std::string_view text, bool plain, YAML::anchor_t anchor)
    {
        count(1);
        if (at_key()) {
            auto& top = open_.back();
            top.key = text;
            top.has_key = true;
            top.merging = plain && text == "<<";
            if (!top.merging && top.value.contains(top.key))
                fail(errc::invalid, "this key is given twice");
            if (anchor)
                anchors_[anchor] = {json(std::string(text)), 1, 0};
            return;
        }
        json value = plain ? resolve(text) : json(std::string(text));
        if (value.is_discarded())
            fail(errc::invalid, "expected a finite number");
        if (anchor)
            anchors_[anchor] = {value, 1, 0};
        put(std::move(value), 0);
    }

    void container(json value, std::string const& tag, std::string_view allowed_tag, YAML::anchor_t anchor)
    {
        if (tag != "?" && tag != "!" && !tag.empty() && tag != allowed_tag)
            fail(errc::invalid, "this tag is not supported");
        if (at_key())
            fail(errc::invalid, "a key must be a string, not a list or map (is a bracket left open?)");
        if (open_.size() >= allowed_.depth)
            too_deep();
        auto const before = nodes_;
        count(1);
        auto here = path();
        note_line(here);
        open_.push_back({std::move(value), std::move(here)});
        open_.back().anchor = anchor;
        open_.back().nodes_before = before;
    }

    void close()
    {
        auto done = std::move(open_.back());
        open_.pop_back();
        for (auto& source : done.merged)  // the map's own members win, then the first source that has one
            done.value.insert(source.begin(), source.end());
        if (done.anchor)
            anchors_[done.anchor] = {done.value, nodes_ - done.nodes_before, done.deepest};
        put(std::move(done.value), done.deepest);
    }

    void put(json value, std::size_t depth)
    {
        measure(depth);
        if (open_.empty()) {
            result_.value = std::move(value);
            return;
        }
        auto& top = open_.back();
        if (depth == 0)
            note_line(path());
        if (top.value.is_array()) {
            top.value.push_back(std::move(value));
            return;
        }
        top.has_key = false;
        if (!top.merging) {
            top.value[top.key] = std::move(value);
            return;
        }
        if (value.is_object())
            value = json::array({std::move(value)});
        if (!value.is_array())
            fail(errc::invalid, "\"<<\" takes a map or a list of maps");
        for (auto& source : value) {
            if (!source.is_object())
                fail(errc::invalid, "\"<<\" takes a map or a list of maps");
            top.merged.push_back(std::move(source));
        }
    }

    std::string_view text_;
    limits allowed_;
    std::size_t number_;
    document result_{};
    bool empty_ = true;
    YAML::Mark here_{};
    std::vector<opened> open_{};
    std::map<YAML::anchor_t, anchored> anchors_{};
    std::size_t nodes_ = 0;
    std::size_t line_bytes_ = 0;
};

}  // namespace podium::v0::yaml::detail

namespace podium::inline v0::yaml {

inline json resolve(std::string_view text)
{
    using detail::one_of;
    if (text.empty() || one_of(text, {"~", "null", "Null", "NULL"}))
        return nullptr;
    if (text.size() <= 5) {
        if (one_of(text, {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}))
            return true;
        if (one_of(text, {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"}))
            return false;
    }
    // Not JSON's to say: the caller refuses it.
    if (one_of(text,
            {".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf",
                "-.INF"}))
        return json(json::value_t::discarded);
    char const first = text.front();
    if ((first >= '0' && first <= '9') || first == '-' || first == '+' || first == '.') {
        std::string digits;  // without the underscores that YAML 1.1 allows between them
        std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != '_'; });
        if (auto number = detail::integer(digits); !number.is_discarded())
            return number;
        if (auto number = detail::fraction(digits); !number.is_discarded())
            return number;
    }
    return std::string(text);
}

inline result<std::vector<document>> parse(std::string_view text, limits const& allowed)
{
    if (text.size() > allowed.size_bytes)
        return error{errc::exhausted,
            "file of " + std::to_string(text.size()) + " bytes, the limit is " +
                std::to_string(allowed.size_bytes),
            {}, {}};
    if (text.starts_with("\xEF\xBB\xBF"))  // a byte order mark
        text.remove_prefix(3);
    if (auto const first = text.find_first_not_of(" \t\r\n"); first != text.npos && text[first] == '{') {
        // JSON's tabs and surrogate pairs are beyond yaml-cpp. What is no JSON may still be YAML.
        if (auto value = model::parse_json(text, {allowed.depth, allowed.size_bytes, allowed.nodes}))
            return std::vector<document>{{std::move(*value)}};
    }
    std::vector<document> documents;
    std::size_t number = 0;
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        for (;;) {
            detail::event_tree tree(text, allowed, ++number);
            if (!parser.HandleNextDocument(tree))
                return documents;
            if (number > allowed.documents)
                tree.fail(
                    errc::exhausted, "too many documents, the limit is " + std::to_string(allowed.documents));
            if (!tree.empty())
                documents.push_back(std::move(tree.result()));
        }
    } catch (detail::stop& s) {
        return std::move(s.why);
    } catch (YAML::Exception const& e) {
        auto const line = std::to_string(e.mark.line < 0 ? 1 : e.mark.line + 1);
        std::string words = e.msg;  // may quote one character, so what a terminal would obey is taken out
        std::replace_if(
            words.begin(), words.end(), [](unsigned char c) { return c < 0x20 || c > 0x7E; }, '?');
        return error{errc::invalid,
            "document " + std::to_string(number) + ", line " + line + ": not YAML: " + words, {}, {}};
    }
}

}  // namespace podium::v0::yaml
