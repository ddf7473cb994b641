#pragma once
/// What two selectors have to do with each other, decided without any object.
///
/// Two services that may claim one pod, a budget that covers all of a deployment, a selector that nothing
/// can ever match: mistakes that show only once some object is hit, unless they are found in the selectors.
///
/// Exact and complete over all sets of labels that are valid: any key absent or present, with any label value
/// (at most 63 letters, digits, inner -_. or none at all; names.hpp). "Satisfiable" means that such a set
/// exists, and `witness` shows one. Integers have many spellings (5, 05, 005, ...), at most 63 characters
/// long, none negative: "a>4,a<6,a!=5" is satisfiable, by a=05.
///
/// How: requirements on different keys do not meddle, so each key is decided alone, as the states it may be
/// in: absent, one of a list, or anything within bounds but for a list. Beyond the listed values, all that
/// are no integers are alike, and all spellings of the integers within bounds are; so as many of them as are
/// listed, and one more, decide. O(n log n) in the size of both texts.

#include <podium/labels/selector.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::labels {

/// Labels that prove an answer.
using witness_labels = std::map<std::string, std::string>;

/// Labels that `a` matches; nothing if there are none such.
[[nodiscard]] std::optional<witness_labels> witness(selector const& a);
/// Labels that both match.
[[nodiscard]] std::optional<witness_labels> witness(selector const& a, selector const& b);
/// Labels that `a` matches and `b` does not.
[[nodiscard]] std::optional<witness_labels> counterexample(selector const& a, selector const& b);

/// Whether any labels are matched by it.
[[nodiscard]] inline bool is_satisfiable(selector const& a)
{
    return witness(a).has_value();
}
/// Whether any labels are matched by both.
[[nodiscard]] inline bool overlap(selector const& a, selector const& b)
{
    return witness(a, b).has_value();
}
/// Whether `b` matches all that `a` does. What matches nothing is a subset of everything.
[[nodiscard]] inline bool is_subset(selector const& a, selector const& b)
{
    return !counterexample(a, b).has_value();
}

namespace detail {

/// The states that one key may be in.
class domain {
public:
    /// By all of the requirements, which are on this key.
    explicit domain(std::vector<requirement const*> const& all)
    {
        for (auto const* r : all)
            narrow(*r);
        std::sort(excluded_.begin(), excluded_.end());
    }

    [[nodiscard]] bool may_be_absent() const noexcept { return absent_; }
    [[nodiscard]] bool contains(std::string_view value) const
    {
        if (!present_ || std::binary_search(excluded_.begin(), excluded_.end(), value))
            return false;
        if (listed_ && !std::binary_search(listed_->begin(), listed_->end(), value))
            return false;
        if (!numeric_)
            return true;
        auto const n = integer(value);
        return n && *n >= low_ && *n <= high_;
    }
    /// Some values of it: all, if it has fewer than `most`.
    [[nodiscard]] std::vector<std::string> values(std::size_t most) const
    {
        std::vector<std::string> out;
        if (!present_ || most == 0)
            return out;
        auto const full = [&](std::string value) {
            if (contains(value))
                out.push_back(std::move(value));
            return out.size() == most;
        };
        if (listed_) {
            for (auto const v : *listed_)
                if (full(std::string(v)))
                    break;
        } else if (!numeric_) {
            for (std::size_t i = 0; !full('v' + std::to_string(i));)
                ++i;
        } else {
            for (auto n = low_; n <= high_; ++n) {
                auto const digits = std::to_string(n);
                for (std::size_t zeros = 0; zeros + digits.size() <= names::max_label; ++zeros)
                    if (full(std::string(zeros, '0') + digits))
                        return out;
                if (n == high_)
                    break;  // of int64, maybe
            }
        }
        return out;
    }
    /// A state of this one that the other has not: absent (no text) or a value.
    [[nodiscard]] std::optional<std::optional<std::string>> without(domain const& other) const
    {
        using state = std::optional<std::string>;
        if (absent_ && !other.absent_)
            return state{};
        auto const some = [](std::vector<std::string> const& v) {
            return v.empty() ? std::optional<state>{} : std::optional<state>{state{v.front()}};
        };
        if (!other.present_)
            return some(values(1));
        if (listed_ || other.listed_) {  // one more than the other has is enough to find one that it has not
            for (auto& v : values(listed_ ? listed_->size() : other.listed_->size() + 1))
                if (!other.contains(v))
                    return state{std::move(v)};
            return std::nullopt;
        }
        for (auto const v : other.excluded_)
            if (contains(v))
                return state{std::string(v)};
        if (!other.numeric_ || !present_)
            return std::nullopt;
        if (!numeric_)
            return some(values(1));  // which are no integers
        auto below = *this, above = *this;
        below.high_ = std::min(high_, other.low_ - 1);
        if (auto found = some(below.values(1)))
            return found;
        if (other.high_ == std::numeric_limits<std::int64_t>::max())
            return std::nullopt;
        above.low_ = std::max(low_, other.high_ + 1);
        return some(above.values(1));
    }

private:
    void narrow(requirement const& r)
    {
        auto const& v = r.values();
        absent_ = absent_ && !r.needs_key();
        switch (r.operator_()) {
        case op::in:
        case op::equals:
        case op::double_equals: {
            std::vector<std::string_view> both;
            if (listed_)
                std::set_intersection(
                    listed_->begin(), listed_->end(), v.begin(), v.end(), std::back_inserter(both));
            else
                both.assign(v.begin(), v.end());
            listed_ = std::move(both);
            break;
        }
        case op::not_in:
        case op::not_equals: excluded_.insert(excluded_.end(), v.begin(), v.end()); break;
        case op::gt:
            numeric_ = true;
            if (r.bound() == std::numeric_limits<std::int64_t>::max())
                present_ = false;
            else
                low_ = std::max(low_, r.bound() + 1);
            break;
        case op::lt:
            numeric_ = true;
            high_ = std::min(high_, r.bound() - 1);  // bounds are label values: not below 0
            break;
        case op::does_not_exist: present_ = false; break;
        case op::exists:
        case op::unknown: break;
        }
    }

    bool absent_ = true, present_ = true, numeric_ = false;
    std::int64_t low_ = 0, high_ = std::numeric_limits<std::int64_t>::max();  // if numeric
    std::optional<std::vector<std::string_view>> listed_{};                   // sorted: only these
    std::vector<std::string_view> excluded_{};                                // sorted: not these
};

/// visit(key, a's requirements on it, b's) for each key of either, in order, until it says false.
template<class Visit>
bool each_key(selector const& a, selector const& b, Visit const& visit)
{
    auto const &x = a.requirements(), &y = b.requirements();
    std::vector<requirement const*> of_a, of_b;
    for (std::size_t i = 0, j = 0; i < x.size() || j < y.size();) {
        auto const& key =
            j == y.size() || (i < x.size() && x[i].key() < y[j].key()) ? x[i].key() : y[j].key();
        of_a.clear();
        of_b.clear();
        for (; i < x.size() && x[i].key() == key; ++i)
            of_a.push_back(&x[i]);
        for (; j < y.size() && y[j].key() == key; ++j)
            of_b.push_back(&y[j]);
        if (!visit(key, of_a, of_b))
            return false;
    }
    return true;
}

}  // namespace detail

inline std::optional<witness_labels> witness(selector const& a, selector const& b)
{
    if (a.is_nothing() || b.is_nothing())
        return std::nullopt;
    witness_labels out;
    bool const all = detail::each_key(a, b, [&](std::string const& key, auto of_a, auto const& of_b) {
        of_a.insert(of_a.end(), of_b.begin(), of_b.end());
        detail::domain const d(of_a);
        if (d.may_be_absent())
            return true;
        auto v = d.values(1);
        if (v.empty())
            return false;
        out.emplace(key, std::move(v.front()));
        return true;
    });
    return all ? std::optional(std::move(out)) : std::nullopt;
}

inline std::optional<witness_labels> witness(selector const& a)
{
    return witness(a, selector::everything());
}

inline std::optional<witness_labels> counterexample(selector const& a, selector const& b)
{
    auto out = witness(a);
    if (!out || b.is_nothing())
        return out;
    // Labels that b does not match break some one key of it.
    bool const subset =
        detail::each_key(a, b, [&](std::string const& key, auto const& of_a, auto const& of_b) {
            if (of_b.empty())
                return true;
            auto const broken = detail::domain(of_a).without(detail::domain(of_b));
            if (!broken)
                return true;
            if (*broken)
                (*out)[key] = **broken;
            else
                out->erase(key);
            return false;
        });
    return subset ? std::nullopt : std::move(out);
}

}  // namespace podium::v0::labels
