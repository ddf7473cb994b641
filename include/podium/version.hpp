#pragma once
/// The version of podium: the one place that CMake, Conan, vcpkg and the inline namespace read.
///
/// Every name lives in `podium::v0`, an inline namespace: two versions of podium linked into one
/// program have different symbols, and user code writes `podium::...` as if it were not there.

#define PODIUM_VERSION_MAJOR 0
#define PODIUM_VERSION_MINOR 1
#define PODIUM_VERSION_PATCH 0
