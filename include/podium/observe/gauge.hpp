#pragma once
/// Gauge: how much of something there is now. It goes both ways.

namespace podium::inline v0::observe {

struct gauge {
    double value = 0;

    constexpr void set(double to) noexcept { value = to; }
    constexpr void add(double more) noexcept { value += more; }
    constexpr void add(gauge const& other) noexcept { add(other.value); }

    friend constexpr bool operator==(gauge const&, gauge const&) = default;
};

}  // namespace podium::v0::observe
