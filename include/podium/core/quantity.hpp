#pragma once
/// Amounts of a resource as manifests write them: "500m", "1.5Gi", "12e6". Exact, compared as numbers.
///
/// A quantity is an integer of up to 38 digits times a power of ten, never finer than a billionth
/// (nano). Finer input rounds away from zero: who asks for some gets some. The family of suffix an
/// amount was written in is kept, and printing picks the largest suffix that loses nothing.
/// 24 bytes, trivially copyable; arithmetic allocates nothing.
///
/// Source: Kubernetes v1.35.4, apimachinery pkg/api/resource: grammar, canonical form, rounding, and
/// that amounts with a binary suffix end at 2^63-1. Three defects there are not taken over: negative
/// amounts beyond 18 digits round (and wrap) wrongly, exponents wrap at 32 bits, and whole thousands of
/// E print without their suffix ("1000E").

#include <podium/core/result.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0 {

namespace detail {
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

inline constexpr int max_digits = 38;  // 10^38 < 2^127

/// 10^n, 0 <= n <= 38.
constexpr uint128 power_of_ten(int n) noexcept
{
    uint128 out = 1;
    for (uint128 base = 10; n > 0; n >>= 1, base *= base)
        if (n & 1)
            out *= base;
    return out;
}
inline constexpr uint128 decimal_limit = power_of_ten(max_digits);

constexpr uint128 magnitude(int128 v) noexcept
{
    return v < 0 ? uint128{0} - static_cast<uint128>(v) : static_cast<uint128>(v);
}
constexpr int128 with_sign(uint128 magnitude, bool negative) noexcept
{
    return negative ? -static_cast<int128>(magnitude) : static_cast<int128>(magnitude);
}
constexpr int digits_of(uint128 v) noexcept
{
    int n = 0;
    for (; v > std::numeric_limits<std::uint64_t>::max(); v /= 10)
        ++n;
    for (auto low = static_cast<std::uint64_t>(v); low != 0; low /= 10)
        ++n;
    return n;
}
std::string decimal_text(uint128 v);

/// Powers of 1000, or of 1024, that a suffix begins with; 0 for the sign of an exponent.
inline constexpr std::int8_t no_suffix = 127;
inline constexpr auto thousands_from_64 = [] {
    std::array<std::int8_t, 64> out{};
    out.fill(no_suffix);
    constexpr std::string_view small = "num", large = "kMGTPE";
    for (std::size_t i = 0; i < 3; ++i)
        out[static_cast<std::size_t>(small[i] - 64)] = static_cast<std::int8_t>(static_cast<int>(i) - 3);
    for (std::size_t i = 0; i < 6; ++i)
        out[static_cast<std::size_t>(large[i] - 64)] = static_cast<std::int8_t>(i + 1);
    out['K' - 64] = 1;
    out['e' - 64] = 0;
    return out;
}();
constexpr std::int8_t thousands_of(char c) noexcept
{
    auto const at = static_cast<unsigned char>(c) - 64u;
    return at < thousands_from_64.size() ? thousands_from_64[at] : no_suffix;
}

/// 10^0 to 10^18: what the 64-bit path scales by.
inline constexpr auto short_powers = [] {
    std::array<std::int64_t, 19> out{};
    for (std::int64_t i = 0, p = 1; i < 19; ++i, p *= i < 19 ? 10 : 1)
        out[static_cast<std::size_t>(i)] = p;
    return out;
}();
}  // namespace detail

/// Which family of suffixes an amount is written in.
enum class quantity_format : std::uint8_t {
    decimal_si,        ///< n u m (none) k M G T P E: powers of 1000
    binary_si,         ///< Ki Mi Gi Ti Pi Ei: powers of 1024
    decimal_exponent,  ///< e3, e-6: powers of 1000
};

/// An exact amount; its format says how it is written.
class quantity {
public:
    /// Longer input is refused.
    static constexpr std::size_t max_text = 256;

    constexpr quantity() = default;

    /// `number` x 10^`scale`. What is finer than nano rounds away from zero.
    [[nodiscard]] static constexpr quantity from_integer(std::int64_t number, std::int32_t scale = 0,
        quantity_format format = quantity_format::decimal_si) noexcept
    {
        return *make(detail::magnitude(number), number < 0, scale, false, format);
    }
    /// 1500 is "1500m" and prints so.
    [[nodiscard]] static constexpr quantity from_milli(
        std::int64_t number, quantity_format format = quantity_format::decimal_si) noexcept
    {
        return from_integer(number, -3, format);
    }

    /// Sign, digits with at most one dot, suffix. Fails with `errc::invalid` on anything else, on more
    /// than 256 characters, on an exponent outside 32 bits and on more than 38 significant digits.
    /// Kubernetes takes an amount without any digit for 0, and so do we.
    [[nodiscard]] static result<quantity> parse(std::string_view text);

    /// In units of 10^`scale`, rounded away from zero; the nearest int64 when outside of it (see `fits`).
    [[nodiscard]] constexpr std::int64_t scaled_value(std::int32_t scale) const noexcept
    {
        using limits = std::numeric_limits<std::int64_t>;
        if (is_short()) {
            auto const m = short_mantissa();
            auto const by = std::int64_t{exponent_} - scale;
            if (by == 0)
                return m;
            auto const up = [&](std::int64_t divisor) {
                return m / divisor + (m % divisor != 0 ? (m < 0 ? -1 : 1) : 0);
            };
            if (by < 0)
                return by == -3 ? up(1000)
                    : by == -6  ? up(1'000'000)
                    : by < -18  ? sign()
                                : up(short_power(-by));
            std::int64_t out = 0;
            if (m == 0 || (by <= 18 && !__builtin_mul_overflow(m, short_power(by), &out)))
                return out;
            return m < 0 ? limits::min() : limits::max();
        }
        if (auto const v = checked_scaled_value(scale))
            return *v;
        return sign() < 0 ? limits::min() : limits::max();
    }
    /// The same, or nothing when outside of int64.
    [[nodiscard]] constexpr std::optional<std::int64_t> checked_scaled_value(
        std::int32_t scale) const noexcept
    {
        auto const whole = in_units_of(scale);
        if (!whole || *whole < std::numeric_limits<std::int64_t>::min() ||
            *whole > std::numeric_limits<std::int64_t>::max())
            return std::nullopt;
        return static_cast<std::int64_t>(*whole);
    }
    /// The whole number: bytes, pods. "1500m" is 2.
    [[nodiscard]] constexpr std::int64_t value() const noexcept { return scaled_value(0); }
    /// Thousandths: milli-cores. "1.5" is 1500.
    [[nodiscard]] constexpr std::int64_t milli_value() const noexcept { return scaled_value(-3); }
    /// Whether `scaled_value(scale)` did not have to saturate.
    [[nodiscard]] constexpr bool fits(std::int32_t scale) const noexcept
    {
        return checked_scaled_value(scale).has_value();
    }

    /// The next multiple of 10^`scale` away from zero; itself if it is one.
    [[nodiscard]] constexpr quantity round_up(std::int32_t scale) const noexcept
    {
        if (exponent_ >= scale)
            return *this;
        // Below its own exponent the number only gets shorter, so it fits.
        return *make(detail::magnitude(*in_units_of(scale)), sign() < 0, scale, false, format_);
    }

    /// Sums and products are exact; `errc::exhausted` when one would need more than 38 digits. The format
    /// is the left side's, unless that is zero.
    [[nodiscard]] result<quantity> plus(quantity const& other) const
    {
        result<quantity> out(*this);
        if (!out->add_short(other))
            out = plus_long(other);
        return out;
    }
    /// `plus` in place, which is what a sum over many wants; unchanged when it fails.
    [[nodiscard]] result<void> add(quantity const& other)
    {
        if (add_short(other))
            return {};
        auto sum = plus_long(other);
        if (!sum)
            return std::move(sum).error();
        *this = *sum;
        return {};
    }
    [[nodiscard]] result<quantity> minus(quantity const& other) const { return plus(-other); }
    [[nodiscard]] result<quantity> times(std::int64_t factor) const
    {
        auto const a = detail::magnitude(mantissa()), b = detail::magnitude(factor);
        if (b != 0 && a > (std::numeric_limits<detail::uint128>::max() / b))
            return too_long();
        if (auto const q = make(a * b, (sign() < 0) != (factor < 0), exponent_, false, format_))
            return *q;
        return too_long();
    }
    [[nodiscard]] constexpr quantity operator-() const noexcept
    {
        auto out = *this;
        out.set_mantissa(-mantissa());
        return out;
    }

    [[nodiscard]] constexpr bool is_zero() const noexcept { return low_ == 0 && high_ == 0; }
    /// -1, 0 or 1.
    [[nodiscard]] constexpr int sign() const noexcept { return high_ < 0 ? -1 : is_zero() ? 0 : 1; }
    [[nodiscard]] constexpr quantity_format format() const noexcept { return format_; }
    /// The same amount, to be written in another family.
    [[nodiscard]] constexpr quantity in(quantity_format format) const noexcept
    {
        auto out = *this;
        out.format_ = format;
        return out;
    }

    /// By number: "1Ki" equals "1024".
    friend constexpr bool operator==(quantity const& a, quantity const& b) noexcept
    {
        if (a.exponent_ == b.exponent_)
            return a.low_ == b.low_ && a.high_ == b.high_;
        return (a <=> b) == 0;
    }
    friend constexpr std::strong_ordering operator<=>(quantity const& a, quantity const& b) noexcept
    {
        if (a.exponent_ == b.exponent_)
            return a.mantissa() <=> b.mantissa();
        if (a.is_short() && b.is_short()) {
            auto x = a.short_mantissa(), y = b.short_mantissa();
            if (bring_together(x, y, std::int64_t{a.exponent_} - b.exponent_))
                return x <=> y;
        }
        if (a.sign() != b.sign() || a.is_zero())
            return a.sign() <=> b.sign();
        auto const larger = a.magnitude_order(b);
        return a.sign() > 0 ? larger : 0 <=> larger;
    }

    /// The canonical text, which parses to an equal amount (a binary sum beyond 2^63-1 is cut there): no
    /// fraction, no trailing zeros before a larger suffix that fits. A binary amount that is not whole or is
    /// below 1Ki is written in decimal.
    friend std::string to_string(quantity const& q) { return q.text(); }

private:
    [[nodiscard]] constexpr detail::int128 mantissa() const noexcept
    {
        return static_cast<detail::int128>(
            static_cast<detail::uint128>(static_cast<std::uint64_t>(high_)) << 64 | low_);
    }
    constexpr void set_mantissa(detail::int128 m) noexcept
    {
        low_ = static_cast<std::uint64_t>(m);
        high_ = static_cast<std::int64_t>(m >> 64);
    }

    // The 64-bit path: nearly all amounts there are. What does not fit goes the exact way behind it.
    [[nodiscard]] constexpr bool is_short() const noexcept
    {
        return high_ == (static_cast<std::int64_t>(low_) < 0 ? -1 : 0);
    }
    [[nodiscard]] constexpr std::int64_t short_mantissa() const noexcept
    {
        return static_cast<std::int64_t>(low_);
    }
    [[nodiscard]] static constexpr std::int64_t short_power(std::int64_t n) noexcept
    {
        return detail::short_powers[static_cast<std::size_t>(n)];
    }
    /// Gives both the finer exponent, `a` being the coarser by `by` powers of ten; false if that does not
    /// fit.
    [[nodiscard]] static constexpr bool bring_together(
        std::int64_t& a, std::int64_t& b, std::int64_t by) noexcept
    {
        if (by < -18 || by > 18)
            return false;
        return by >= 0 ? !__builtin_mul_overflow(a, short_power(by), &a)
                       : !__builtin_mul_overflow(b, short_power(-by), &b);
    }
    /// m x 10^exponent, with whatever zeros m ends in: sums and what is read keep theirs, so that adding does
    /// not divide. Printing takes them off. Written in place, since to build one and copy it costs as much
    /// again.
    constexpr void set_short(std::int64_t m, std::int64_t exponent, quantity_format format) noexcept
    {
        low_ = static_cast<std::uint64_t>(m);
        high_ = m < 0 ? -1 : 0;
        exponent_ = m == 0 ? 0 : static_cast<std::int32_t>(exponent);
        format_ = format;
    }
    [[nodiscard]] constexpr bool add_short(quantity const& other) noexcept
    {
        if (!is_short() || !other.is_short())
            return false;
        auto a = short_mantissa(), b = other.short_mantissa();
        auto const by = std::int64_t{exponent_} - other.exponent_;
        if (!bring_together(a, b, by) || __builtin_add_overflow(a, b, &a))
            return false;
        set_short(a, by < 0 ? exponent_ : other.exponent_, is_zero() ? other.format_ : format_);
        return true;
    }
    /// What has at most 18 characters and loses nothing; anything else, right or wrong, is not `read`.
    struct short_amount {  // fits two registers
        std::int64_t mantissa = 0;
        std::int32_t exponent = 0;
        quantity_format format = quantity_format::decimal_si;
        bool read = false;
    };
    [[nodiscard]] static constexpr short_amount read_short(std::string_view text) noexcept;
    [[nodiscard, gnu::cold]] static result<quantity> parse_long(std::string_view text);
    [[nodiscard, gnu::cold]] result<quantity> plus_long(quantity const& other) const
    {
        auto const format = is_zero() ? other.format_ : format_;
        if (is_zero() || other.is_zero())
            return (is_zero() ? other : *this).in(format);
        auto const& fine = exponent_ <= other.exponent_ ? *this : other;
        auto const& coarse = exponent_ <= other.exponent_ ? other : *this;
        auto const aligned =
            detail_scaled(coarse.mantissa(), std::int64_t{coarse.exponent_} - fine.exponent_);
        if (!aligned)
            return too_long();
        detail::int128 sum = 0;
        if (__builtin_add_overflow(*aligned, fine.mantissa(), &sum))
            return too_long();
        if (auto const q = make(detail::magnitude(sum), sum < 0, fine.exponent_, false, format))
            return *q;
        return too_long();
    }

    /// magnitude x 10^exponent, `sticky` saying that something nonzero was cut off below it. Normal form: no
    /// trailing zero digit, zero is 0 x 10^0; what is longer than 64 bits is always in it.
    [[nodiscard]] static constexpr std::optional<quantity> make(
        detail::uint128 m, bool negative, std::int64_t exponent, bool sticky, quantity_format format) noexcept
    {
        if (exponent < -9) {
            auto const drop = -9 - exponent;
            auto const by =
                drop > detail::max_digits ? detail::decimal_limit : detail::power_of_ten(int(drop));
            sticky = sticky || (drop > detail::max_digits ? m != 0 : m % by != 0);
            m = drop > detail::max_digits ? 0 : m / by;
            exponent = -9;
        }
        m += sticky;
        quantity out;
        out.format_ = format;
        if (m == 0)
            return out;
        constexpr auto last = std::numeric_limits<std::int32_t>::max();
        while (m > std::numeric_limits<std::uint64_t>::max() && m % 10 == 0 && exponent < last)
            m /= 10, ++exponent;
        if (m <= std::numeric_limits<std::uint64_t>::max()) {
            auto small = static_cast<std::uint64_t>(m);
            while (small % 10 == 0 && exponent < last)
                small /= 10, ++exponent;
            m = small;
        }
        if (m >= detail::decimal_limit || exponent > last)
            return std::nullopt;
        out.set_mantissa(detail::with_sign(m, negative));
        out.exponent_ = static_cast<std::int32_t>(exponent);
        return out;
    }

    /// m x 10^by as 128 bits, by >= 0.
    [[nodiscard]] static constexpr std::optional<detail::int128> detail_scaled(
        detail::int128 m, std::int64_t by) noexcept
    {
        if (m == 0)
            return m;
        if (by >= detail::max_digits)
            return std::nullopt;
        auto const factor = detail::power_of_ten(static_cast<int>(by));
        if (detail::magnitude(m) >= detail::decimal_limit / factor)
            return std::nullopt;
        return m * static_cast<detail::int128>(factor);
    }

    /// Rounded away from zero; nothing beyond 128 bits.
    [[nodiscard]] constexpr std::optional<detail::int128> in_units_of(std::int32_t scale) const noexcept
    {
        auto const by = std::int64_t{exponent_} - scale;
        if (by >= 0)
            return detail_scaled(mantissa(), by);
        auto const m = detail::magnitude(mantissa());
        if (-by >= detail::max_digits)
            return detail::with_sign(m != 0, sign() < 0);
        if (m <= std::numeric_limits<std::uint64_t>::max() && -by < 19) {
            auto const divisor = static_cast<std::uint64_t>(detail::power_of_ten(static_cast<int>(-by)));
            auto const small = static_cast<std::uint64_t>(m);
            return detail::with_sign(small / divisor + (small % divisor != 0), sign() < 0);
        }
        auto const divisor = detail::power_of_ten(static_cast<int>(-by));
        return detail::with_sign(m / divisor + (m % divisor != 0), sign() < 0);
    }

    /// Compares magnitudes; both are nonzero.
    [[nodiscard]] constexpr std::strong_ordering magnitude_order(quantity const& b) const noexcept
    {
        auto x = detail::magnitude(mantissa()), y = detail::magnitude(b.mantissa());
        auto const x_order = detail::digits_of(x) + std::int64_t{exponent_};
        auto const y_order = detail::digits_of(y) + std::int64_t{b.exponent_};
        if (x_order != y_order)
            return x_order <=> y_order;
        // Equally many digits before the point: bringing the coarser one to the finer exponent gives it
        // as many digits as the finer has, so it fits.
        if (exponent_ > b.exponent_)
            x *= detail::power_of_ten(exponent_ - b.exponent_);
        else
            y *= detail::power_of_ten(b.exponent_ - exponent_);
        return x <=> y;
    }

    [[nodiscard]] static error too_long()
    {
        return {errc::exhausted, "the quantity would need more than 38 significant digits"};
    }

    [[nodiscard]] std::string text() const;

    std::uint64_t low_ = 0;  // the mantissa in two halves: an __int128 member would align to 16
    std::int64_t high_ = 0;
    std::int32_t exponent_ = 0;
    quantity_format format_ = quantity_format::decimal_si;
};

static_assert(sizeof(quantity) == 24);

inline std::string detail::decimal_text(uint128 v)
{
    char buffer[40];
    if (auto const low = static_cast<std::uint64_t>(v); low == v)
        return {buffer, std::to_chars(buffer, buffer + sizeof buffer, low).ptr};
    auto* at = buffer + sizeof buffer;
    do
        *--at = static_cast<char>('0' + static_cast<int>(v % 10));
    while ((v /= 10) != 0);
    return {at, buffer + sizeof buffer};
}

namespace detail {
struct suffix {
    quantity_format format;
    std::int32_t exponent;  // of ten or, binary_si, of two
};

/// The suffix and its exponent, or nothing if there is no such suffix.
inline std::optional<suffix> parse_suffix(std::string_view s)
{
    constexpr std::string_view si = "num kMGTPE";  // thousands from 10^-9 on, the blank being 10^0
    constexpr std::string_view binary = "KMGTPE";  // 1024s from 2^10 on
    if (s.empty())
        return suffix{quantity_format::decimal_si, 0};
    if (s.size() == 1 && s[0] != ' ' && si.find(s[0]) != s.npos)
        return suffix{quantity_format::decimal_si, static_cast<std::int32_t>(si.find(s[0])) * 3 - 9};
    if (s.size() == 2 && s[1] == 'i' && binary.find(s[0]) != s.npos)
        return suffix{quantity_format::binary_si, static_cast<std::int32_t>(binary.find(s[0])) * 10 + 10};
    if (s[0] != 'e' && s[0] != 'E')
        return std::nullopt;
    s.remove_prefix(1);
    if (s.starts_with('+') && !s.starts_with("+-"))  // from_chars takes no plus
        s.remove_prefix(1);
    std::int32_t exponent = 0;
    auto const [end, failed] = std::from_chars(s.data(), s.data() + s.size(), exponent);
    if (failed != std::errc{} || end != s.data() + s.size())
        return std::nullopt;
    return suffix{quantity_format::decimal_exponent, exponent};
}
}  // namespace detail

constexpr quantity::short_amount quantity::read_short(std::string_view text) noexcept
{
    if (text.empty() || text.size() > 18)
        return {};
    auto const* at = text.data();
    auto const* const end = at + text.size();
    bool const negative = *at == '-';
    if (negative || *at == '+')
        ++at;
    std::int64_t m = 0;
    auto const digits = [&] {
        for (; at != end && *at >= '0' && *at <= '9'; ++at)
            m = m * 10 + (*at - '0');
    };
    digits();
    std::int64_t fraction = 0;
    if (at != end && *at == '.') {
        auto const* const from = ++at;
        digits();
        fraction = at - from;
    }

    auto format = quantity_format::decimal_si;
    std::int64_t exponent = 0;
    if (at != end) {
        auto const left = end - at;
        auto const thousands = static_cast<std::int64_t>(detail::thousands_of(*at));
        if (thousands == detail::no_suffix)
            return {};
        if (left == 1 && *at != 'K' && *at != 'e') {
            exponent = thousands * 3;
        } else if (left == 2 && at[1] == 'i' && thousands > 0 && *at != 'k') {
            // Whole numbers of units that lose nothing and stay below 2^63.
            auto const shift = thousands * 10;
            if (fraction > 9 || m > std::numeric_limits<std::int64_t>::max() >> shift)
                return {};
            auto const units = m << shift;
            if (units < short_power(fraction) && units != 0)
                return {};
            return {negative ? -units : units, static_cast<std::int32_t>(-fraction),
                quantity_format::binary_si, true};
        } else if ((*at == 'e' || *at == 'E') && left <= 3) {
            format = quantity_format::decimal_exponent;
            for (auto const* e = at + 1; e != end; ++e) {
                if (*e < '0' || *e > '9')
                    return {};
                exponent = exponent * 10 + (*e - '0');
            }
            if (left == 1)
                return {};
        } else {
            return {};
        }
    }
    exponent -= fraction;
    if (exponent < -9 && m != 0)
        return {};
    return {negative ? -m : m, static_cast<std::int32_t>(exponent), format, true};
}

inline result<quantity> quantity::parse(std::string_view text)
{
    if (auto const amount = read_short(text); amount.read) {
        quantity out;
        out.set_short(amount.mantissa, amount.exponent, amount.format);
        return out;
    }
    return parse_long(text);
}

inline result<quantity> quantity::parse_long(std::string_view text)
{
    using detail::uint128;
    auto const refuse = [](char const* why) { return error{errc::invalid, why}; };
    constexpr auto expected = "expected a quantity such as 500m, 1.5Gi or 12e6";
    if (text.empty() || text.size() > max_text)
        return refuse(text.empty() ? expected : "a quantity has at most 256 characters");

    bool const negative = text.front() == '-';
    if (negative || text.front() == '+')
        text.remove_prefix(1);
    auto const is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::size_t end = 0;
    while (end < text.size() && is_digit(text[end]))
        ++end;
    auto const whole = text.substr(0, end);
    std::string_view fraction;
    if (end < text.size() && text[end] == '.') {
        auto const from = ++end;
        while (end < text.size() && is_digit(text[end]))
            ++end;
        fraction = text.substr(from, end - from);
    }
    auto const suffix = detail::parse_suffix(text.substr(end));
    if (!suffix)
        return refuse(expected);

    if (suffix->format != quantity_format::binary_si) {
        auto const digit = [&](std::size_t i) {
            return i < whole.size() ? whole[i] : fraction[i - whole.size()];
        };
        auto count = whole.size() + fraction.size();
        auto exponent = std::int64_t{suffix->exponent} - static_cast<std::int64_t>(fraction.size());
        while (count > 0 && digit(count - 1) == '0')
            --count, ++exponent;
        // Digits finer than nano end in a nonzero one, so the last digit kept rounds up.
        bool sticky = false;
        for (; exponent < -9 && count > 0; ++exponent, --count)
            sticky = true;
        if (sticky)
            exponent = -9;
        uint128 m = 0;
        for (std::size_t i = 0; i < count; ++i) {
            if (m >= detail::decimal_limit / 10)
                return refuse("a quantity has at most 38 significant digits");
            m = m * 10 + static_cast<unsigned>(digit(i) - '0');
        }
        if (auto const q = make(m, negative, exponent, sticky, suffix->format))
            return *q;
        return refuse("a quantity has at most 38 significant digits and an exponent of 32 bits");
    }

    // Binary: nano = whole x 2^e x 10^9 + ceil(fraction x 2^e x 10^9), capped at 2^63-1 units.
    constexpr auto cap = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    uint128 units = 0;
    for (char const c : whole)
        if ((units = units * 10 + static_cast<unsigned>(c - '0')) > cap)
            units = uint128{cap} + 1;  // stays above the cap, whatever follows
    auto const unit = uint128{1} << suffix->exponent;
    auto const capped = quantity::from_integer(static_cast<std::int64_t>(cap), 0, quantity_format::binary_si);
    if (units > cap >> suffix->exponent)
        return negative ? -capped : capped;
    // From the last digit to the first, so that any number of digits is exact: floor, and whether that lost.
    auto const nano_unit = unit * 1'000'000'000u;
    uint128 part = 0;
    bool sticky = false;
    for (auto at = fraction.size(); at-- > 0;) {
        part += static_cast<unsigned>(fraction[at] - '0') * nano_unit;
        sticky = sticky || part % 10 != 0;
        part /= 10;
    }
    auto const nano = units * nano_unit + part;
    if (nano + sticky > uint128{cap} * 1'000'000'000u)
        return negative ? -capped : capped;
    auto const out = make(nano, negative, -9, sticky, quantity_format::binary_si);
    // Less than one: Kubernetes goes on in decimal, and so does whatever is added to it.
    return !out->is_zero() && nano + sticky < 1'000'000'000u ? out->in(quantity_format::decimal_si) : *out;
}

inline std::string quantity::text() const
{
    if (is_zero())
        return "0";
    if (is_short()) {
        // Nearly all amounts are a text that a string holds without an allocation: written where it stays,
        // since to copy what was just written costs as much again.
        constexpr std::uint64_t limit = 10'000'000'000;
        auto negative = high_ < 0;
        auto number = negative ? 0 - low_ : low_;
        auto exponent = exponent_;
        auto const written = [&](std::uint64_t digits, char first, char second, int length) {
            std::string out("               ", 15);
            auto* to = out.data();
            *to = '-';
            to = std::to_chars(to + negative, to + 15, digits).ptr;
            to[0] = first;
            to[1] = second;
            out.erase(static_cast<std::size_t>(to + length - out.data()));
            return out;
        };
        bool long_binary = false;
        if (format_ == quantity_format::binary_si) {
            for (; exponent < 0 && number % 10 == 0; number /= 10)
                ++exponent;
            std::uint64_t whole = 0;
            if (exponent >= 0 && exponent <= 18 &&
                !__builtin_mul_overflow(number, static_cast<std::uint64_t>(short_power(exponent)), &whole) &&
                whole >= 1024) {
                auto const step = std::min(std::countr_zero(whole) / 10, 6);
                if (auto const digits = whole >> step * 10; digits < limit)
                    return written(digits, " KMGTPE"[step], 'i', step > 0 ? 2 : 0);
                long_binary = true;
            }
        }
        if (exponent <= 20 && number < limit && !long_binary) {
            auto thousands = static_cast<unsigned>(exponent + 9) / 3;
            number *= static_cast<std::uint64_t>(short_power((exponent + 9) % 3));
            for (; number % 1000 == 0 && thousands < 9; number /= 1000)
                ++thousands;
            if (format_ != quantity_format::decimal_exponent || thousands == 3)
                return written(number, "num kMGTPE"[thousands], ' ', thousands != 3);
            if (thousands > 3 && thousands < 7)
                return written(number, 'e', "369"[thousands - 4], 2);
        }
        for (number = negative ? 0 - low_ : low_, exponent = exponent_;
            number % 10 == 0 && exponent < std::numeric_limits<std::int32_t>::max(); number /= 10)
            ++exponent;
        if (exponent != exponent_) {
            quantity normal;
            normal.set_short(static_cast<std::int64_t>(negative ? 0 - number : number), exponent, format_);
            return normal.text();
        }
    }
    auto m = detail::magnitude(mantissa());
    std::string out = sign() < 0 ? "-" : "";
    if (format_ == quantity_format::binary_si && exponent_ >= 0) {
        if (auto const whole = in_units_of(0); whole && detail::magnitude(*whole) >= 1024) {
            m = detail::magnitude(*whole);
            int step = 0;
            for (; step < 6 && m % 1024 == 0; ++step)
                m /= 1024;
            out += detail::decimal_text(m);
            if (step > 0)
                (out += "KMGTPE"[step - 1]) += 'i';
            return out;
        }
    }
    // An exponent that is a multiple of three; E is the last suffix, what is beyond it gets zeros.
    constexpr std::int32_t last = 18, longest = 36;
    auto const zeros_of = [](std::int32_t exponent) { return (exponent % 3 + 3) % 3; };
    auto exponent = exponent_ - zeros_of(exponent_);
    bool const si = format_ != quantity_format::decimal_exponent && exponent <= longest;
    if (si && exponent > last)
        exponent = last;
    out += detail::decimal_text(m);
    out.append(static_cast<std::size_t>(exponent_ - exponent), '0');
    if (exponent == 0)
        return out;
    return si ? out + "num kMGTPE"[exponent / 3 + 3] : out + 'e' + std::to_string(exponent);
}

}  // namespace podium::v0
