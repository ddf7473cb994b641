#pragma once
/// PODIUM_ASSERT: a broken invariant of podium's own. Bad input never gets here: that is an `error`.
///
/// On in release builds too. The hook aborts after one line on stderr; a test or a host with crash
/// reporting of its own may define `PODIUM_ASSERT_HANDLER(text, file, line)` before the first include.

#include <cstdio>
#include <cstdlib>

namespace podium::inline v0::detail {

[[noreturn]] inline void assertion_failed(char const* text, char const* file, int line)
{
    std::fprintf(stderr, "podium: broken invariant: %s (%s:%d)\n", text, file, line);
    std::abort();
}

}  // namespace podium::v0::detail

#ifndef PODIUM_ASSERT_HANDLER
#define PODIUM_ASSERT_HANDLER(text, file, line) ::podium::detail::assertion_failed(text, file, line)
#endif

#define PODIUM_ASSERT(condition)                                                                             \
    (static_cast<bool>(condition) ? void(0) : PODIUM_ASSERT_HANDLER(#condition, __FILE__, __LINE__))
