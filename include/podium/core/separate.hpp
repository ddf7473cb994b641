#pragma once
/// What a unit compiles of the bodies that are expensive: all of them, as header-only libraries do, or, with
/// PODIUM_SEPARATE_COMPILATION, none but in the one that includes <podium/src.hpp>.
///
///     #ifdef PODIUM_TEMPLATE
///     PODIUM_TEMPLATE result<pod> decode<pod>(json const&);
///     #endif
///
/// This keeps a template's body out of other units only where it is not inline: a member is defined below
/// its class then, since compilers read the bodies of inline functions to the end even if somebody else
/// has them.

#if defined(PODIUM_SOURCE)
#define PODIUM_TEMPLATE template
#elif defined(PODIUM_SEPARATE_COMPILATION)
#define PODIUM_TEMPLATE extern template
#endif
