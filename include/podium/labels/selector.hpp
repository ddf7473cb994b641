#pragma once
/// Selectors: which objects, by their labels. "app in (web, api), !canary"
///
/// A selector is requirements that all must hold. Nothing and everything are two different selectors:
/// one that was not given selects nothing, one that is given and empty selects everything, and mixing
/// them up deletes other people's pods.
///
/// Source: Kubernetes v1.35.4, apimachinery pkg/labels/selector.go (grammar, canonical text) and
/// pkg/apis/meta/v1/helpers.go (the structured form).

#include <podium/labels/requirement.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::labels::detail {

/// One requirement, as views into the text.
struct phrase {
    std::string_view key{};
    op operator_ = op::exists;
    std::string_view value{};                ///< of the operators that take one
    std::vector<std::string_view> values{};  ///< of the two that take a list: sorted, each once
};

struct parsed {
    char const* expected = nullptr;  ///< what should have stood at `at`; null: all is well
    std::size_t at = 0;
};

/// take(phrase const&) for each requirement in the order written.
template<class Take>
constexpr parsed parse(std::string_view text, Take take);

/// A key as a path shows it: one that is far too long is cut.
inline std::string shown(std::string_view key)
{
    constexpr std::size_t most = names::max_subdomain + 1 + names::max_label;
    return key.size() <= most ? std::string(key) : std::string(key.substr(0, most)) + "...";
}

}  // namespace podium::v0::labels::detail

namespace podium::inline v0::labels {

/// The structured form, not checked yet: both parts must hold.
struct label_selector {
    std::map<std::string, std::string> match_labels{};
    std::vector<expression> match_expressions{};
    friend bool operator==(label_selector const&, label_selector const&) = default;
};

/// Valid once it exists; immutable.
class selector {
public:
    /// Selects nothing.
    selector() = default;
    [[nodiscard]] static selector nothing() { return {}; }
    [[nodiscard]] static selector everything() { return selector(std::vector<requirement>{}); }
    /// All of these; none at all is everything.
    explicit selector(std::vector<requirement> all) : given_(true)
    {
        // Requirements on one key stay in the order they were given.
        auto const by_key = [](auto const& a, auto const& b) { return a.key() < b.key(); };
        if (std::is_sorted(all.begin(), all.end(), by_key)) {
            all_ = std::move(all);
            return;
        }
        std::vector<requirement*> order;
        order.reserve(all.size());
        for (auto& r : all)
            order.push_back(&r);
        std::sort(order.begin(), order.end(), [](auto const* a, auto const* b) {
            auto const keys = a->key() <=> b->key();
            return keys != 0 ? keys < 0 : a < b;
        });
        all_.reserve(all.size());
        for (auto* r : order)
            all_.push_back(std::move(*r));
    }

    /// `a`, `!a`, `a=b`, `a==b`, `a!=b`, `a>1`, `a<1`, `a in (b,c)`, `a notin (b)`, joined by commas.
    /// The empty text is everything. An error says at which character something else was expected.
    [[nodiscard]] static result<selector> parse(std::string_view text)
    {
        std::vector<requirement> all;
        auto const p = detail::parse(text, [&](detail::phrase const& one) {
            expression e{std::string(one.key), one.operator_, {}};
            if (one.operator_ == op::in || one.operator_ == op::not_in)
                e.values.assign(one.values.begin(), one.values.end());
            else if (one.operator_ != op::exists && one.operator_ != op::does_not_exist)
                e.values.emplace_back(one.value);
            if (all.empty())
                all.reserve(4);  // most have no more
            all.emplace_back(detail::unchecked{}, std::move(e));
        });
        if (p.expected)
            return error{errc::invalid,
                "expected " + std::string(p.expected) + " at character " + std::to_string(p.at + 1)};
        return selector(std::move(all));
    }

    /// Absent is nothing, empty is everything. All errors are reported, with the paths of a manifest:
    /// "matchLabels[app]", "matchExpressions[1].values[0]".
    [[nodiscard]] static result<selector> make(std::optional<label_selector> const& from)
    {
        return from ? make(*from) : result<selector>(nothing());
    }
    [[nodiscard]] static result<selector> make(label_selector const& from)
    {
        std::vector<requirement> all;
        all.reserve(from.match_labels.size() + from.match_expressions.size());
        found_errors wrong;
        auto const add = [&](result<requirement> r, std::string const& where) {
            if (r)
                return all.push_back(*std::move(r));
            wrong.add(std::move(r).error().inside(where));
        };
        auto const say_which = [](error& e) {  // there is one path for both
            e.message = (std::exchange(e.path, {}) == "key" ? "the key " : "the value ") + e.message;
        };
        for (auto const& [key, value] : from.match_labels) {
            auto r = requirement::make({key, op::equals, {value}});
            if (!r) {
                say_which(r.error());
                for (auto& e : r.error().further)
                    say_which(e);
            }
            add(std::move(r), "matchLabels[" + detail::shown(key) + ']');
        }
        std::size_t i = 0;
        for (auto const& e : from.match_expressions) {
            // Only the four operators of sets: the others are for nodes and for text.
            auto set_operator = e;
            if (e.operator_ > op::does_not_exist)
                set_operator.operator_ = op::unknown;
            add(requirement::make(std::move(set_operator)), "matchExpressions[" + std::to_string(i++) + ']');
        }
        if (wrong.all)
            return *std::move(wrong.all);
        return selector(std::move(all));
    }

    [[nodiscard]] bool is_nothing() const noexcept { return !given_; }
    [[nodiscard]] bool is_everything() const noexcept { return given_ && all_.empty(); }
    /// Sorted by key; empty for nothing and for everything.
    [[nodiscard]] std::vector<requirement> const& requirements() const noexcept { return all_; }

    /// One lookup for each requirement, up to the first that does not hold. Allocates nothing.
    template<LabelSet L>
    [[nodiscard]] bool matches(L const& labels) const
    {
        if (!given_)
            return false;
        for (auto const& r : all_)
            if (!r.matches(labels))
                return false;
        return true;
    }

    /// The canonical text: parses to an equal selector, unless a structured one repeated a value. Nothing
    /// and everything are both empty: no text says "nothing".
    friend std::string to_string(selector const& s)
    {
        std::string out;
        for (auto const& r : s.all_)
            out += (out.empty() ? "" : ",") + to_string(r);
        return out;
    }
    friend bool operator==(selector const&, selector const&) = default;

private:
    std::vector<requirement> all_{};
    bool given_ = false;
};

namespace detail {

enum class token : std::uint8_t {
    end,
    word,
    comma,
    open,
    close,
    bang,
    equals,
    double_equals,
    not_equals,
    gt,
    lt
};

struct scanner {
    std::string_view text;
    std::size_t at = 0;    // where the current token begins
    std::size_t past = 0;  // and ends
    token now = token::end;

    constexpr explicit scanner(std::string_view t) : text(t) { next(); }
    [[nodiscard]] constexpr std::string_view word() const { return text.substr(at, past - at); }
    [[nodiscard]] constexpr bool is_word(std::string_view w) const
    {
        return now == token::word && word() == w;
    }

    enum kind : std::uint8_t { other, blank, sign };
    [[nodiscard]] static constexpr kind class_of(char c)
    {
        switch (c) {
        case ' ':
        case '\t':
        case '\r':
        case '\n': return blank;
        case '=':
        case '!':
        case '(':
        case ')':
        case ',':
        case '>':
        case '<': return sign;
        default: return other;
        }
    }

    constexpr void next()
    {
        for (at = past; at < text.size() && class_of(text[at]) == blank;)
            ++at;
        past = at;
        if (at == text.size())
            return void(now = token::end);
        bool const doubled = at + 1 < text.size() && text[at + 1] == '=';
        switch (text[at]) {
        case '=': now = doubled ? token::double_equals : token::equals; break;
        case '!': now = doubled ? token::not_equals : token::bang; break;
        case '(': now = token::open; break;
        case ')': now = token::close; break;
        case ',': now = token::comma; break;
        case '>': now = token::gt; break;
        case '<': now = token::lt; break;
        default:
            now = token::word;
            while (past < text.size() && class_of(text[past]) == other)
                ++past;
            return;
        }
        past = at + (now == token::double_equals || now == token::not_equals ? 2 : 1);
    }
};

constexpr bool is_label_key(std::string_view text)
{
    auto name = text;
    if (auto const slash = text.find('/'); slash != text.npos) {
        name.remove_prefix(slash + 1);
        if (slash > names::max_subdomain || !names::detail::is_dns_subdomain(text.substr(0, slash)))
            return false;
    }
    return name.size() <= names::max_label && names::detail::is_qualified(name);
}
constexpr bool is_label_value(std::string_view text)
{
    return text.empty() || (text.size() <= names::max_label && names::detail::is_qualified(text));
}

/// The text grammar, usable at compile time. Linear; no recursion.
template<class Take>
constexpr parsed parse(std::string_view text, Take take)
{
    parsed out;
    phrase p;
    scanner s(text);
    auto const fail = [&](char const* expected) {
        out.expected = expected;
        out.at = s.at;
        return out;
    };
    if (s.now == token::end)
        return out;
    for (;; s.next()) {
        p.operator_ = s.now == token::bang ? op::does_not_exist : op::exists;
        if (s.now == token::bang)
            s.next();
        if (s.now != token::word || !is_label_key(s.word()))
            return fail("a label key");
        p.key = s.word();
        s.next();
        bool const over = s.now == token::end || s.now == token::comma;
        if (p.operator_ == op::does_not_exist || over) {
            if (!over)
                return fail("',' or the end");
        } else if (s.is_word("in") || s.is_word("notin")) {
            p.operator_ = s.is_word("in") ? op::in : op::not_in;
            s.next();
            if (s.now != token::open)
                return fail("'('");
            s.next();
            p.values.clear();
            for (;; s.next()) {  // commas separate, so "()" has one value, the empty one
                p.values.push_back(s.now == token::word ? s.word() : std::string_view{});
                if (!is_label_value(p.values.back()))
                    return fail("a label value");
                if (s.now == token::word)
                    s.next();
                if (s.now == token::close)
                    break;
                if (s.now != token::comma)
                    return fail("a label value, ',' or ')'");
            }
            std::sort(p.values.begin(), p.values.end());
            p.values.erase(std::unique(p.values.begin(), p.values.end()), p.values.end());
            s.next();
        } else {
            switch (s.now) {
            case token::equals: p.operator_ = op::equals; break;
            case token::double_equals: p.operator_ = op::double_equals; break;
            case token::not_equals: p.operator_ = op::not_equals; break;
            case token::gt: p.operator_ = op::gt; break;
            case token::lt: p.operator_ = op::lt; break;
            default: return fail("an operator (in, notin, =, ==, !=, >, <), ',' or the end");
            }
            s.next();
            if (s.now != token::word && s.now != token::comma && s.now != token::end)
                return fail("a label value");
            bool const number = p.operator_ == op::gt || p.operator_ == op::lt;
            if (number && (s.now != token::word || !integer(s.word())))
                return fail("an integer");
            p.value = s.now == token::word ? s.word() : std::string_view{};
            if (!is_label_value(p.value))
                return fail("a label value");
            if (s.now == token::word)
                s.next();
        }
        take(std::as_const(p));
        if (s.now == token::end)
            return out;
        if (s.now != token::comma)
            return fail("',' or the end");
    }
}

/// A string literal as a template argument.
template<std::size_t N>
struct literal {
    char text[N]{};
    consteval literal(char const (&t)[N]) { std::copy_n(t, N, text); }
    [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

}  // namespace detail

inline namespace literals {

/// `"app in (web, api), !canary"_selector`: checked when compiled, parsed once.
template<detail::literal Text>
[[nodiscard]] selector const& operator""_selector()
{
    static_assert(
        !detail::parse(Text.view(), [](auto const&) {}).expected, "this text is not a label selector");
    static selector const parsed = selector::parse(Text.view()).value();
    return parsed;
}

}  // namespace literals

}  // namespace podium::v0::labels
