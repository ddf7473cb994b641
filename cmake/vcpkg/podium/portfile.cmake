# An overlay port of the tree it stands in: vcpkg install podium --overlay-ports=cmake/vcpkg
cmake_path(SET source_path NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../..")
set(VCPKG_BUILD_TYPE release)  # headers only
vcpkg_cmake_configure(SOURCE_PATH "${source_path}"
  OPTIONS -DPODIUM_BUILD_TESTS=OFF -DPODIUM_BUILD_EXAMPLES=OFF -DPODIUM_BUILD_BENCH=OFF -DPODIUM_INSTALL=ON)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/podium)
vcpkg_fixup_pkgconfig()
file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/debug" "${CURRENT_PACKAGES_DIR}/lib")
vcpkg_install_copyright(FILE_LIST "${source_path}/LICENSE")
