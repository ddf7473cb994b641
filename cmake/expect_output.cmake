# cmake -DRUN=<program> -DEXPECT=<file> -P expect_output.cmake : the program prints exactly what the file holds.
execute_process(COMMAND ${RUN} OUTPUT_VARIABLE got COMMAND_ERROR_IS_FATAL ANY)
file(READ ${EXPECT} want)
if(NOT got STREQUAL want)
  message(FATAL_ERROR "got:\n${got}\nwant:\n${want}")
endif()
