#pragma once
/// Arithmetic over a whole column, four nodes at a time, with what the processor has.
///
/// Amounts are doubles here: integers below 2^44 are exact in them, and so are the truncated quotients that
/// scores are made of (a quotient of two such integers that is no integer lies further from the next one than
/// a double rounds).

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace podium::inline v0::schedule::detail {

inline constexpr std::size_t lane_count = 4;
/// Columns that are swept are as long as this: the last step may look beyond the last slot.
[[nodiscard]] constexpr std::size_t swept_size(std::size_t slots) noexcept
{
    return (slots + lane_count - 1) / lane_count * lane_count;
}

#if defined(__GNUC__)

#define PODIUM_SCHEDULE_SWEEPS 1
#define PODIUM_SCHEDULE_IN_SWEEP __attribute__((always_inline))
using lanes = double __attribute__((vector_size(32)));
using lane_choice = std::int64_t __attribute__((vector_size(32)));
using lane_ints = std::int32_t __attribute__((vector_size(16)));

/// Loads are references to what is filled, since a vector that is returned would depend on the target.
PODIUM_SCHEDULE_IN_SWEEP inline void load(lane_ints& to, std::int32_t const* from)
{
    std::memcpy(&to, from, sizeof(to));
}
PODIUM_SCHEDULE_IN_SWEEP inline void store(lane_ints const& from, std::int32_t* to)
{
    std::memcpy(to, &from, sizeof(from));
}

/// Whom a sweep looks at: position i is slot i.
struct all_slots {
    std::size_t count = 0;
    [[nodiscard]] std::size_t size() const noexcept { return count; }
    [[nodiscard]] std::uint32_t operator[](std::size_t i) const noexcept
    {
        return static_cast<std::uint32_t>(i);
    }
    PODIUM_SCHEDULE_IN_SWEEP void load(lanes& to, double const* column, std::size_t i) const
    {
        std::memcpy(&to, column + i, sizeof(to));
    }
};
/// Or some of them; the list is as long as `swept_size` says, with any slot at its end.
struct some_slots {
    std::uint32_t const* slots = nullptr;
    std::size_t count = 0;
    [[nodiscard]] std::size_t size() const noexcept { return count; }
    [[nodiscard]] std::uint32_t operator[](std::size_t i) const noexcept { return slots[i]; }
    PODIUM_SCHEDULE_IN_SWEEP void load(lanes& to, double const* column, std::size_t i) const
    {
        auto const* const s = slots + i;
        to = lanes{column[s[0]], column[s[1]], column[s[2]], column[s[3]]};
    }
};

#if defined(__x86_64__)
template<class Step>
__attribute__((target("avx2"))) void sweep_avx2(std::size_t size, Step step)
{
    for (std::size_t i = 0; i < size; i += lane_count)
        step(i);
}
#endif

/// step(i) for i = 0, 4, 8 ... below `size`; it is inlined into a loop for AVX2 where the processor has that.
/// By value, so that what it holds may stay in registers.
template<class Step>
void sweep(std::size_t size, Step step)
{
#if defined(__x86_64__)
    static bool const has_avx2 = __builtin_cpu_supports("avx2") != 0;
    if (has_avx2)
        return sweep_avx2(size, step);
#endif
    for (std::size_t i = 0; i < size; i += lane_count)
        step(i);
}

#else

struct all_slots {
    std::size_t count = 0;
    [[nodiscard]] std::size_t size() const noexcept { return count; }
    [[nodiscard]] std::uint32_t operator[](std::size_t i) const noexcept
    {
        return static_cast<std::uint32_t>(i);
    }
};
struct some_slots {
    std::uint32_t const* slots = nullptr;
    std::size_t count = 0;
    [[nodiscard]] std::size_t size() const noexcept { return count; }
    [[nodiscard]] std::uint32_t operator[](std::size_t i) const noexcept { return slots[i]; }
};

#endif

}  // namespace podium::v0::schedule::detail
