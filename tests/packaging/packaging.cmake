# cmake -DWAY=<way> -DBUILD=<podium's build folder> -DCOMPILER=<c++> -P packaging.cmake : builds and runs the project in
# consumer/, which is not podium's, in one of the ways in which podium can reach it.
cmake_minimum_required(VERSION 3.25)
cmake_path(SET root NORMALIZE ${CMAKE_CURRENT_LIST_DIR}/../..)
set(work ${BUILD}/packaging/${WAY})
file(REMOVE_RECURSE ${work})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${out}")
  endif()
endfunction()

set(common -G ${GENERATOR} -DCMAKE_MAKE_PROGRAM=${MAKE_PROGRAM} -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER})
function(build_consumer)
  run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${work}/consumer ${common} ${ARGN})
  run(${CMAKE_COMMAND} --build ${work}/consumer)
  run(${CMAKE_CTEST_COMMAND} --test-dir ${work}/consumer --output-on-failure --no-tests=error)
endfunction()

# The consumer is refused with words that match `expected`.
function(refuse_consumer expected)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/consumer -B ${work}/refused ${common} ${ARGN}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE err)
  string(REGEX REPLACE "[ \n]+" " " err "${err}")
  if(status EQUAL 0)
    message(FATAL_ERROR "the consumer was configured, it should have been refused: ${expected}")
  elseif(NOT err MATCHES "${expected}")
    message(FATAL_ERROR "expected: ${expected}\ngot: ${err}")
  endif()
endfunction()

set(nothing_found "")
foreach(package IN ITEMS Boost nlohmann_json Threads yaml-cpp doctest benchmark)
  list(APPEND nothing_found -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()

if(WAY STREQUAL "installed")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/prefix)
  build_consumer(-DCMAKE_PREFIX_PATH=${work}/prefix)

elseif(WAY STREQUAL "subdirectory")
  build_consumer(-DPODIUM_SOURCE=${root} -DSEPARATE=ON)

elseif(WAY STREQUAL "without_dependencies")
  # Packaged on a machine with no library at all, the installed tree is the same as here.
  set(found_prefix ${nothing_found})
  set(found_full "")
  foreach(tree IN ITEMS prefix full)
    run(${CMAKE_COMMAND} -S ${root} -B ${work}/podium_${tree} ${common} ${found_${tree}}
      -DPODIUM_BUILD_TESTS=OFF -DPODIUM_BUILD_EXAMPLES=OFF -DPODIUM_BUILD_BENCH=OFF)
    run(${CMAKE_COMMAND} --install ${work}/podium_${tree} --prefix ${work}/${tree})
    file(GLOB_RECURSE files RELATIVE ${work}/${tree} ${work}/${tree}/*)
    list(SORT files)
    set(digests "")
    foreach(file IN LISTS files)
      file(SHA256 ${work}/${tree}/${file} digest)
      list(APPEND digests "${file} ${digest}")
    endforeach()
    set(installed_${tree} "${digests}")
  endforeach()
  if(NOT installed_prefix STREQUAL installed_full)
    set(only_prefix ${installed_prefix})
    list(REMOVE_ITEM only_prefix ${installed_full})
    list(REMOVE_ITEM installed_full ${installed_prefix})
    list(JOIN only_prefix "\n  " without)
    list(JOIN installed_full "\n  " with)
    message(FATAL_ERROR "what is installed depends on what was found\nnothing:\n  ${without}\nall:\n  ${with}")
  endif()
  # Where nothing is found the primitives are, and who asks for more is told what to install.
  build_consumer(-DCMAKE_PREFIX_PATH=${work}/prefix ${nothing_found} -DALL_COMPONENTS=OFF)
  refuse_consumer("podium::system: it needs Boost 1.81 or newer.*libboost1.81-dev"
    -DCMAKE_PREFIX_PATH=${work}/prefix ${nothing_found})

elseif(WAY STREQUAL "old_boost")
  # Debian 12's default Boost, as its CMake package presents itself, and no other.
  set(boost ${work}/boost/lib/cmake/Boost-1.74.0)
  file(WRITE ${boost}/BoostConfig.cmake "add_library(Boost::headers INTERFACE IMPORTED)\n")
  file(WRITE ${boost}/BoostConfigVersion.cmake "set(PACKAGE_VERSION 1.74.0)
if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL 1.74.0)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/prefix)
  refuse_consumer("found: 1.74.0.*libboost1.81-dev" "-DCMAKE_PREFIX_PATH=${work}/prefix\\;${work}/boost"
    -DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF -DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF)

else()
  message(FATAL_ERROR "there is no way '${WAY}'")
endif()
