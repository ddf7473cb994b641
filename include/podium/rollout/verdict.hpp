#pragma once
/// Verdict: what an analysis of a release says.
///
/// Four answers, because "nothing bad was seen" is not "it is good": who has no data knows nothing, and who has
/// data may still not know. Only `pass` lets a release go on by itself; only `fail` takes it back.

#include <cstdint>

namespace podium::inline v0::rollout {

enum class verdict : std::uint8_t {
    pass,
    fail,
    inconclusive,  ///< there was data and it does not decide the question
    no_data,       ///< nothing, or too little, was measured
};

[[nodiscard]] constexpr char const* to_string(verdict v) noexcept
{
    switch (v) {
    case verdict::pass: return "pass";
    case verdict::fail: return "fail";
    case verdict::inconclusive: return "inconclusive";
    case verdict::no_data: return "no data";
    }
    return "unknown";
}

}  // namespace podium::v0::rollout
