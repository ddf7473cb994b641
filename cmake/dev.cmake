# cmake -S . -B build/dev -C cmake/dev.cmake : daily work. Build one room's tests with
# `cmake --build build/dev --target podium_unit` and run them with `ctest --test-dir build/dev -R '\.<room>\.'`.
find_program(ninja ninja)
if(ninja AND NOT CMAKE_GENERATOR)
  set(CMAKE_GENERATOR Ninja CACHE INTERNAL "")
endif()
set(CMAKE_BUILD_TYPE Debug CACHE STRING "")
set(CMAKE_CXX_FLAGS_DEBUG "-g1" CACHE STRING "")
set(CMAKE_EXPORT_COMPILE_COMMANDS ON CACHE BOOL "")
