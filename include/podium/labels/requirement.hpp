#pragma once
/// One condition on a set of labels: "app in (web, api)", "!canary", "cores > 4".
///
/// Matches any range of pairs of strings: a std::map by lookup, a vector of pairs by looking through it.
///
/// Source: Kubernetes v1.35.4, apimachinery pkg/labels/selector.go: Requirement. `!=` and `notin` match
/// what does not have the key; `>` and `<` match only values that are integers.

#include <podium/core/names.hpp>
#include <podium/core/result.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::labels {

/// What a user's own label container must be: a range of pairs of strings.
template<class L>
concept LabelSet = requires(L const& labels) {
    { labels.begin()->first } -> std::convertible_to<std::string_view>;
    { labels.begin()->second } -> std::convertible_to<std::string_view>;
    labels.begin() != labels.end();
};

/// How a requirement compares: Kubernetes' operators, and those of the text form.
enum class op : std::uint8_t {
    in,              ///< has one of the values
    not_in,          ///< has none of the values, or not the key
    exists,          ///< has the key
    does_not_exist,  ///< has not
    equals,          ///< "=", the same as in with one value
    double_equals,   ///< "==", the same again; kept apart only in text
    not_equals,      ///< "!=", the same as not_in with one value
    gt,              ///< the value is an integer larger than this one
    lt,              ///< the value is an integer smaller than this one
    unknown,         ///< none of these: no requirement can be made of it
};

/// "In" and so on, as the fields of manifests spell them; `unknown` for any other text.
[[nodiscard]] constexpr op parse_operator(std::string_view text) noexcept
{
    return text == "In"          ? op::in
        : text == "NotIn"        ? op::not_in
        : text == "Exists"       ? op::exists
        : text == "DoesNotExist" ? op::does_not_exist
        : text == "Gt"           ? op::gt
        : text == "Lt"           ? op::lt
                                 : op::unknown;
}

/// A requirement as data, not checked yet: one of `matchExpressions`.
struct expression {
    std::string key{};
    op operator_ = op::in;
    std::vector<std::string> values{};
    friend bool operator==(expression const&, expression const&) = default;
};

}  // namespace podium::v0::labels

namespace podium::inline v0::labels::detail {

/// Base ten, an optional sign, nothing else.
constexpr std::optional<std::int64_t> integer(std::string_view text) noexcept
{
    bool const negative = text.starts_with('-');
    if (negative || text.starts_with('+'))
        text.remove_prefix(1);
    if (text.empty())
        return std::nullopt;
    std::uint64_t const limit = std::uint64_t{1} << 63;
    std::uint64_t v = 0;
    for (char const c : text) {
        auto const digit = static_cast<std::uint64_t>(c - '0');
        if (c < '0' || c > '9' || v > (limit - digit) / 10)
            return std::nullopt;
        v = v * 10 + digit;
    }
    if (!negative && v == limit)
        return std::nullopt;
    return static_cast<std::int64_t>(negative ? 0 - v : v);
}

/// The value of a key, if it is there: lookup where there is one, else the first in order.
template<LabelSet L>
constexpr std::optional<std::string_view> value_of(L const& labels, std::string const& key)
{
    if constexpr (requires { labels.find(key)->second; }) {
        auto const it = labels.find(key);
        if (it != labels.end())
            return std::string_view(it->second);
    } else {
        for (auto const& [k, v] : labels)
            if (std::string_view(k) == key)
                return std::string_view(v);
    }
    return std::nullopt;
}

struct unchecked {};

}  // namespace podium::v0::labels::detail

namespace podium::inline v0::labels {

/// Valid once it exists.
class requirement {
public:
    /// Fails with every error there is: paths "key", "operator", "values", "values[1]".
    [[nodiscard]] static result<requirement> make(expression e)
    {
        found_errors wrong;
        auto const add = [&](std::string path, std::string message) {
            wrong.add({errc::invalid, std::move(message), std::move(path)});
        };
        if (auto ok = names::label_key(e.key); !ok)
            add("key", ok.error().message);
        switch (e.operator_) {
        case op::in:
        case op::not_in:
            if (e.values.empty())
                add("values", "must have at least one value");
            break;
        case op::exists:
        case op::does_not_exist:
            if (!e.values.empty())
                add("values", "must be empty when only the key counts");
            break;
        case op::gt:
        case op::lt:
            if (e.values.size() == 1 && !detail::integer(e.values[0]))
                add("values[0]", "must be an integer of 64 bits");
            [[fallthrough]];
        case op::equals:
        case op::double_equals:
        case op::not_equals:
            if (e.values.size() != 1)
                add("values", "must have exactly one value");
            break;
        case op::unknown: add("operator", "must be one of In, NotIn, Exists, DoesNotExist, Gt, Lt"); break;
        }
        for (std::size_t i = 0; i < e.values.size(); ++i)
            if (auto ok = names::label_value(e.values[i]); !ok)
                add("values[" + std::to_string(i) + ']', ok.error().message);
        if (wrong.all)
            return *std::move(wrong.all);
        return requirement(detail::unchecked{}, std::move(e));
    }

    /// For a parser that has checked everything that `make` checks.
    requirement(detail::unchecked, expression e) : e_(std::move(e))
    {
        if (!std::is_sorted(e_.values.begin(), e_.values.end()))
            std::sort(e_.values.begin(), e_.values.end());
        if (e_.operator_ == op::gt || e_.operator_ == op::lt)
            bound_ = *detail::integer(e_.values.front());
    }

    [[nodiscard]] std::string const& key() const noexcept { return e_.key; }
    [[nodiscard]] op operator_() const noexcept { return e_.operator_; }
    /// Sorted.
    [[nodiscard]] std::vector<std::string> const& values() const noexcept { return e_.values; }
    /// The number that `gt` and `lt` compare with.
    [[nodiscard]] std::int64_t bound() const noexcept { return bound_; }
    /// Whether only what has the key can match.
    [[nodiscard]] bool needs_key() const noexcept
    {
        return e_.operator_ != op::not_in && e_.operator_ != op::not_equals &&
            e_.operator_ != op::does_not_exist;
    }
    /// Whether the key must have one of `values`.
    [[nodiscard]] bool needs_value() const noexcept
    {
        return e_.operator_ == op::in || e_.operator_ == op::equals || e_.operator_ == op::double_equals;
    }
    /// The only value that the key may have, if there is only one: what an index can look up.
    [[nodiscard]] std::optional<std::string_view> sole_value() const noexcept
    {
        if (needs_value() && e_.values.front() == e_.values.back())
            return e_.values.front();
        return std::nullopt;
    }

    /// One lookup, and the binary logarithm of the number of values.
    template<LabelSet L>
    [[nodiscard]] bool matches(L const& labels) const
    {
        return matches_value(detail::value_of(labels, e_.key));
    }
    /// The same for the key's value, nothing if the key is not there.
    [[nodiscard]] bool matches_value(std::optional<std::string_view> value) const noexcept
    {
        auto const listed = [&] { return std::binary_search(e_.values.begin(), e_.values.end(), *value); };
        auto const number = [&] { return value ? detail::integer(*value) : std::nullopt; };
        switch (e_.operator_) {
        case op::in:
        case op::equals:
        case op::double_equals: return value && listed();
        case op::not_in:
        case op::not_equals: return !value || !listed();
        case op::exists: return value.has_value();
        case op::does_not_exist: return !value;
        case op::gt: {
            auto const n = number();
            return n && *n > bound_;
        }
        case op::lt: {
            auto const n = number();
            return n && *n < bound_;
        }
        case op::unknown: break;
        }
        return false;
    }

    /// As the text grammar has it: "a in (b,c)", "!a", "a>1".
    friend std::string to_string(requirement const& r)
    {
        auto const& e = r.e_;
        auto const one = [&](char const* sign) { return e.key + sign + e.values.front(); };
        auto const many = [&](char const* word) {
            auto out = e.key + word;
            for (std::size_t i = 0; i < e.values.size(); ++i)
                out += (i == 0 ? "" : ",") + e.values[i];
            return out + ')';
        };
        switch (e.operator_) {
        case op::in: return many(" in (");
        case op::not_in: return many(" notin (");
        case op::equals: return one("=");
        case op::double_equals: return one("==");
        case op::not_equals: return one("!=");
        case op::gt: return one(">");
        case op::lt: return one("<");
        case op::does_not_exist: return '!' + e.key;
        case op::exists:
        case op::unknown: break;
        }
        return e.key;
    }
    friend bool operator==(requirement const&, requirement const&) = default;

private:
    expression e_;
    std::int64_t bound_ = 0;  // of gt and lt
};

}  // namespace podium::v0::labels
