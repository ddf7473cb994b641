#!/bin/sh
# A compiler launcher: the compiler reads the source and says what is wrong with it, but makes no code, and templates
# that are compiled once for all programs it only reads. Together that is most of the time. What the build waits for is
# an empty file.
"$@" -fsyntax-only -DPODIUM_SEPARATE_COMPILATION -DBOOST_ASIO_SEPARATE_COMPILATION -DBOOST_BEAST_SEPARATE_COMPILATION ||
    exit
while [ $# -gt 1 ]; do
    [ "$1" != -o ] || : >"$2"
    shift
done
