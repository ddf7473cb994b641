#pragma once
/// A stamp in an object: RFC 3339 text in JSON, a `time_point` here.
///
/// Kubernetes writes whole seconds (Time) or microseconds (MicroTime); this one reads both and keeps up to
/// nanoseconds, writing only the digits that are needed. An absent stamp is an empty `std::optional<time>`.
///
/// Source: RFC 3339, section 5.6; `Time` and `MicroTime` in kubernetes/apimachinery meta/v1.

#include <podium/core/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace podium::inline v0::model {

struct time {
    time_point at{};

    constexpr time() = default;
    constexpr time(time_point t) noexcept : at(t) {}
    constexpr operator time_point() const noexcept { return at; }

    friend constexpr bool operator==(time const&, time const&) = default;
    friend constexpr auto operator<=>(time const&, time const&) = default;
};

namespace detail {

struct digits {
    std::string_view rest;
    bool ok = true;

    constexpr int take(int count) noexcept
    {
        int value = 0;
        for (; count > 0; --count) {
            if (rest.empty() || rest.front() < '0' || rest.front() > '9') {
                ok = false;
                return 0;
            }
            value = value * 10 + (rest.front() - '0');
            rest.remove_prefix(1);
        }
        return value;
    }
    constexpr void expect(char a, char b) noexcept
    {
        if (rest.empty() || (rest.front() != a && rest.front() != b))
            ok = false;
        else
            rest.remove_prefix(1);
    }
};

inline void put_digits(std::string& out, std::int64_t value, int width)
{
    char text[20];
    for (int i = width; i-- > 0; value /= 10)
        text[i] = static_cast<char>('0' + value % 10);
    out.append(text, static_cast<std::size_t>(width));
}

}  // namespace detail

/// Reads "2026-01-31T09:30:00Z", with up to nine digits of a second and any offset from UTC. False (and `out`
/// untouched) when it is no such text or lies outside of what a `time_point` can hold (1678 to 2261). O(1).
constexpr bool from_text(std::string_view text, time& out) noexcept
{
    using namespace std::chrono;
    detail::digits in{text};
    int const year_number = in.take(4);
    in.expect('-', '-');
    int const month_number = in.take(2);
    in.expect('-', '-');
    int const day_number = in.take(2);
    in.expect('T', 't');
    int const hour = in.take(2);
    in.expect(':', ':');
    int const minute = in.take(2);
    in.expect(':', ':');
    int const second = in.take(2);
    std::int64_t fraction_ns = 0;
    if (in.ok && !in.rest.empty() && in.rest.front() == '.') {
        in.rest.remove_prefix(1);
        int kept = 0;
        while (!in.rest.empty() && in.rest.front() >= '0' && in.rest.front() <= '9' && kept < 9) {
            fraction_ns = fraction_ns * 10 + in.take(1);
            ++kept;
        }
        in.ok = kept > 0;
        for (; kept < 9; ++kept)
            fraction_ns *= 10;
    }
    int offset_minutes = 0;
    if (!in.rest.empty() && (in.rest.front() == '+' || in.rest.front() == '-')) {
        int const sign = in.rest.front() == '+' ? 1 : -1;
        in.rest.remove_prefix(1);
        int const hours_off = in.take(2);
        in.expect(':', ':');
        int const minutes_off = in.take(2);
        in.ok = in.ok && hours_off < 24 && minutes_off < 60;
        offset_minutes = sign * (hours_off * 60 + minutes_off);
    } else {
        in.expect('Z', 'z');
    }
    year_month_day const date{year{year_number}, month{static_cast<unsigned>(month_number)},
        day{static_cast<unsigned>(day_number)}};
    if (!in.ok || !in.rest.empty() || !date.ok() || hour > 23 || minute > 59 || second > 59 ||
        year_number < 1678 || year_number > 2261)
        return false;
    auto const seconds_since = sys_days{date}.time_since_epoch() + hours{hour} +
        std::chrono::minutes{minute - offset_minutes} + std::chrono::seconds{second};
    out.at = time_point{duration{seconds_since} + nanoseconds{fraction_ns}};
    return true;
}

/// UTC, with as many digits of the second as are needed: "2026-01-31T09:30:00Z", "...:00.25Z".
inline std::string to_text(time const& t)
{
    using namespace std::chrono;
    auto const day_point = floor<days>(t.at);
    year_month_day const date{day_point};
    std::int64_t const ns = (t.at - day_point).count();
    std::int64_t const s = ns / 1'000'000'000;
    std::string out;
    detail::put_digits(out, static_cast<int>(date.year()), 4);
    out += '-';
    detail::put_digits(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    detail::put_digits(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    detail::put_digits(out, s / 3600, 2);
    out += ':';
    detail::put_digits(out, s / 60 % 60, 2);
    out += ':';
    detail::put_digits(out, s % 60, 2);
    if (ns % 1'000'000'000 != 0) {
        out += '.';
        detail::put_digits(out, ns % 1'000'000'000, 9);
        while (out.back() == '0')
            out.pop_back();
    }
    return out += 'Z';
}

}  // namespace podium::v0::model
