# cmake -P cmake/check.cmake : what must be green before a commit, without what installs packages or takes long.
# ./tests/run is the whole of it, with clang and the sanitizers too.
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
foreach(step IN ITEMS
    "${CMAKE_COMMAND};-S;${root};-B;${root}/build/dev;-C;${root}/cmake/dev.cmake"
    "${CMAKE_COMMAND};--build;${root}/build/dev;--parallel;--target;all;all_verify_interface_header_sets"
    "${CMAKE_CTEST_COMMAND};--test-dir;${root}/build/dev;--output-on-failure;--label-exclude;long")
  execute_process(COMMAND ${step} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
