#pragma once
/// The version of podium: CMake and Conan read it here; the vcpkg port and the inline namespace are checked against it.
///
/// Every name lives in `podium::v0`, an inline namespace: two versions of podium linked into one
/// program have different symbols, and user code writes `podium::...` as if it were not there.

#define PODIUM_VERSION_MAJOR 0
#define PODIUM_VERSION_MINOR 1
#define PODIUM_VERSION_PATCH 0
