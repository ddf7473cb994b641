#pragma once
/// Durations as manifests spell them: "90s", "5m", "1h30m", "500ms", or plain seconds, "30".
///
/// Source: time.ParseDuration of Go 1.24, without signs; plain seconds as Argo Rollouts takes them.

#include <podium/core/result.hpp>
#include <podium/core/time.hpp>

#include <cstdint>
#include <string_view>

namespace podium::inline v0 {

/// Errors: `invalid` for anything else, and for what does not fit. Fractions of a nanosecond are cut off.
/// O(size).
[[nodiscard]] inline result<duration> parse_duration(std::string_view text)
{
    error const wrong{
        errc::invalid, "expected a duration such as \"90s\", \"5m\" or \"1h30m\", or seconds", {}, {}};
    struct unit {
        std::string_view name;
        std::int64_t ns;
    };
    static constexpr unit units[] = {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000},
        {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.empty())
        return wrong;
    std::int64_t total = 0;
    for (bool first = true; !text.empty(); first = false) {
        std::int64_t whole = 0, fraction = 0, scale = 1;
        std::size_t digits = 0;
        for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), ++digits)
            if (__builtin_mul_overflow(whole, std::int64_t{10}, &whole) ||
                __builtin_add_overflow(whole, std::int64_t{text.front() - '0'}, &whole))
                return wrong;
        if (!text.empty() && text.front() == '.')
            for (text.remove_prefix(1); !text.empty() && is_digit(text.front());
                text.remove_prefix(1), ++digits)
                if (scale < 1'000'000'000)
                    fraction = fraction * 10 + (text.front() - '0'), scale *= 10;
        if (digits == 0)
            return wrong;
        std::int64_t ns = 0;
        if (text.empty() && first) {
            ns = 1'000'000'000;
        } else {
            std::size_t length = 0;
            while (length < text.size() && !is_digit(text[length]) && text[length] != '.')
                ++length;
            for (auto const& u : units)
                if (u.name == text.substr(0, length))
                    ns = u.ns;
            text.remove_prefix(length);
        }
        if (ns == 0 || __builtin_mul_overflow(whole, ns, &whole))
            return wrong;
        // fraction < scale <= 10^9, and ns <= 3.6 * 10^12: the quotient first, so that nothing overflows
        auto const part = ns / scale * fraction + ns % scale * fraction / scale;
        if (__builtin_add_overflow(whole, part, &whole) || __builtin_add_overflow(total, whole, &total))
            return wrong;
    }
    return duration(total);
}

}  // namespace podium::v0
