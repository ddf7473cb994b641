#pragma once
/// The bodies of `cluster::local` and its dashboard, compiled once: what <podium/src.hpp> is for the system,
/// to be included in exactly one translation unit too, the same one or, since both take their time, another.
/// In CMake `podium_add_bodies(asio)` makes a library of both, and of Asio's and Beast's.

#ifndef PODIUM_SEPARATE_COMPILATION
#define PODIUM_SEPARATE_COMPILATION
#endif
#define PODIUM_CLUSTER_SOURCE

#include <podium/cluster/dashboard.hpp>
