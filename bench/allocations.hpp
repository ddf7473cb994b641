#pragma once
// Counts what the program that includes this allocates, all of it: to show that something allocates nothing.
#include <cstddef>
#include <cstdlib>
#include <new>

inline std::size_t allocations = 0;

// Not inlined, or gcc 12 sees malloc beside delete and warns.
[[gnu::noinline]] void* operator new(std::size_t n)
{
    ++allocations;
    if (void* const p = std::malloc(n))
        return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept
{
    std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept
{
    std::free(p);
}
