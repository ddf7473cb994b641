# The installed tree is the same on every machine: each component has an export file of its own, and
# podiumConfig.cmake looks for the dependencies of what is asked for.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(podium_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/podium)

foreach(component IN LISTS PODIUM_COMPONENTS)
  get_target_property(target podium::${component} ALIASED_TARGET)
  install(TARGETS ${target} EXPORT podium-${component} FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    FILE_SET doors DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILE_SET bodies DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  install(EXPORT podium-${component} NAMESPACE podium:: FILE podium-${component}.cmake
    DESTINATION ${podium_config_dir})
endforeach()

configure_package_config_file(cmake/podiumConfig.cmake.in podiumConfig.cmake INSTALL_DESTINATION ${podium_config_dir})
write_basic_package_version_file(podiumConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${PROJECT_BINARY_DIR}/podiumConfig.cmake ${PROJECT_BINARY_DIR}/podiumConfigVersion.cmake
  cmake/dependencies.cmake cmake/bodies.cmake DESTINATION ${podium_config_dir})
# For whoever builds without CMake: the primitives, which are all that std alone gives.
configure_file(cmake/podium.pc.in podium.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/podium.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/licenses/podium)
