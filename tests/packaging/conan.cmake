# conan create, without a remote: what podium needs comes from the system. Included by packaging.cmake.
# Conan itself comes from PyPI, into the build folder.
set(wanted 2.9.3)
set(conan ${BUILD}/conan-${wanted}/bin/conan)
find_program(python NAMES python3)
if(NOT python)
  message(FATAL_ERROR "skipped: Conan needs python3")
endif()
if(NOT EXISTS ${conan})
  foreach(command IN ITEMS "${python};-m;venv;${BUILD}/conan-${wanted}"
      "${BUILD}/conan-${wanted}/bin/pip;install;--quiet;--disable-pip-version-check;conan==${wanted}")
    execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE out)
    if(NOT status EQUAL 0)
      file(REMOVE_RECURSE ${BUILD}/conan-${wanted})
      list(JOIN command " " command)
      message(FATAL_ERROR "skipped: Conan cannot be installed: ${command}\n${out}")
    endif()
  endforeach()
endif()

set(ENV{CONAN_HOME} ${work}/home)
cmake_path(GET COMPILER FILENAME compiler)
execute_process(COMMAND ${COMPILER} -dumpversion OUTPUT_VARIABLE major OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "\\..*" "" major ${major})
if(compiler MATCHES "clang")
  set(compiler clang)
else()
  set(compiler gcc)
endif()
execute_process(COMMAND uname -m OUTPUT_VARIABLE arch OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE aarch64 armv8 arch ${arch})
# The system's libraries stand for what the recipe requires; Conan takes the versions as they are told.
file(WRITE ${work}/profile "[settings]
os=Linux
arch=${arch}
compiler=${compiler}
compiler.version=${major}
compiler.libcxx=libstdc++11
compiler.cppstd=20
build_type=Release
[platform_requires]
boost/1.81.0
nlohmann_json/3.11.2
yaml-cpp/0.7.0
[conf]
tools.build:compiler_executables={'cpp': '${COMPILER}'}
")
run(${conan} remote disable *)

# The consumer is built in a copy: Conan puts its files beside it.
file(COPY ${root}/cmake/conan/test_package DESTINATION ${work})

# All packages that there are after a creation.
function(create out)
  execute_process(COMMAND ${conan} create ${root}/cmake/conan --profile:all ${work}/profile --no-remote ${ARGN}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE log)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "conan create ${ARGN}\n${log}")
  endif()
  execute_process(COMMAND ${conan} list podium/*:* --format compact OUTPUT_VARIABLE listed ERROR_QUIET)
  string(REGEX MATCHALL "%?[0-9.]*#[0-9a-f]+(%[0-9.]+)?:[0-9a-f]+" ids "${listed}")
  set(${out} "${ids}" PARENT_SCOPE)
endfunction()
create(first --test-folder ${work}/test_package)
# Headers are headers: options and settings make no other package.
create(second --options "podium/*:yaml=False" --settings build_type=Debug --test-folder=)
list(LENGTH second count)
if(NOT count EQUAL 1 OR NOT first STREQUAL second)
  message(FATAL_ERROR "there must be one package, whatever the options and settings: ${first}; ${second}")
endif()
