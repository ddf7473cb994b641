#pragma once
/// Condition: what a measured number is compared with, and its text.
///
/// Source: successCondition of Argo Rollouts v1.8, "result[0] >= 0.95"; of its expression language there are
/// comparisons of the result with a number, joined by "&&".

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::rollout::analysis {

/// What a number is compared with.
struct condition {
    enum class is : std::uint8_t { below, at_most, equal, not_equal, at_least, above };
    is that = is::at_least;
    double value = 0;

    [[nodiscard]] constexpr bool holds(double x) const noexcept
    {
        switch (that) {
        case is::below: return x < value;
        case is::at_most: return x <= value;
        case is::equal: return x >= value && x <= value;
        case is::not_equal: return x < value || x > value;
        case is::at_least: return x >= value;
        case is::above: return x > value;
        }
        return false;
    }
    friend bool operator==(condition const&, condition const&) = default;
};

/// "result >= 0.95 && result[0] < 2". Errors: `invalid`. An empty text has no conditions. O(size).
[[nodiscard]] inline result<std::vector<rollout::analysis::condition>> parse_conditions(std::string_view text)
{
    std::vector<condition> out;
    error const wrong{errc::invalid,
        "expected \"result >= 0.95\", with <, <=, ==, !=, >= or > and a number, joined by \"&&\"", {}, {}};
    auto const skip = [&] {
        while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
            text.remove_prefix(1);
    };
    auto const take = [&](std::string_view word) {
        skip();
        bool const is = text.starts_with(word);
        text.remove_prefix(is ? word.size() : 0);
        return is;
    };
    skip();
    if (text.empty())
        return out;
    static constexpr std::pair<std::string_view, condition::is> signs[] = {{"<=", condition::is::at_most},
        {">=", condition::is::at_least}, {"==", condition::is::equal}, {"!=", condition::is::not_equal},
        {"<", condition::is::below}, {">", condition::is::above}};
    do {
        condition one;
        if (!take("result"))
            return wrong;
        if (take("[") && !(take("0") && take("]")))
            return wrong;
        auto const sign = std::ranges::find_if(signs, [&](auto const& s) { return take(s.first); });
        if (sign == std::end(signs))
            return wrong;
        one.that = sign->second;
        skip();
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), one.value);
        if (failed != std::errc{} || !std::isfinite(one.value))
            return wrong;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        out.push_back(one);
    } while (take("&&"));
    skip();
    if (!text.empty())
        return wrong;
    return out;
}

}  // namespace podium::v0::rollout::analysis
