#pragma once
/// "3" or "25%": a number of things, or a share of a total, as max_surge and min_available take it.
///
/// A share of a total has to be rounded, and which way is right depends on the field: surge rounds up,
/// unavailable rounds down. So the caller names it; there is no default.
///
/// Source: Kubernetes v1.35.4, apimachinery pkg/util/intstr.

#include <podium/core/result.hpp>

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace podium::inline v0 {

/// Which whole number of things a percentage is; the caller names it, for neither is right everywhere.
enum class rounding : std::uint8_t {
    up,    ///< to the next larger integer
    down,  ///< to the next smaller integer
};

/// A number of things, or hundredths of a total that is known later: "25%".
struct int_or_percent {
    enum class kind : std::uint8_t { number, percent };

    std::int64_t value = 0;  ///< things, or hundredths of the total; negative ones are taken as they are
    kind unit = kind::number;

    constexpr int_or_percent() = default;
    /// Implicit, so that a field reads `.max_surge = 1`.
    constexpr int_or_percent(std::int64_t number) noexcept : value(number) {}
    [[nodiscard]] static constexpr int_or_percent percent(std::int64_t hundredths) noexcept
    {
        int_or_percent out(hundredths);
        out.unit = kind::percent;
        return out;
    }

    /// The text form: only percentages are text ("25%"), a number in quotes is an error as in Kubernetes.
    [[nodiscard]] static result<int_or_percent> parse_percent(std::string_view text)
    {
        auto digits = text;
        if (digits.starts_with('+') && !digits.starts_with("+-"))
            digits.remove_prefix(1);
        std::int64_t hundredths = 0;
        auto const [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), hundredths);
        if (failed != std::errc{} || end + 1 != digits.data() + digits.size() || *end != '%')
            return error{errc::invalid, "expected an integer, or a percentage such as 25%"};
        return percent(hundredths);
    }

    [[nodiscard]] constexpr bool is_percent() const noexcept { return unit == kind::percent; }

    /// The number itself whatever the total, or that share of `total`; saturates at the ends of int64.
    [[nodiscard]] constexpr std::int64_t scaled(std::int64_t total, rounding toward) const noexcept
    {
        if (!is_percent())
            return value;
        __extension__ typedef __int128 wide;
        auto const product = wide{value} * total;
        auto share = product / 100;
        if (auto const rest = product % 100; rest != 0)
            share += toward == rounding::up ? rest > 0 : rest > 0 ? 0 : -1;
        using limits = std::numeric_limits<std::int64_t>;
        if (share > limits::max())
            return limits::max();
        return share < limits::min() ? limits::min() : static_cast<std::int64_t>(share);
    }

    /// "3", "25%".
    friend std::string to_string(int_or_percent const& v)
    {
        return v.is_percent() ? std::to_string(v.value) + '%' : std::to_string(v.value);
    }
    friend constexpr bool operator==(int_or_percent const&, int_or_percent const&) = default;
};

}  // namespace podium::v0
