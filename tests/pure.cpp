// The primitives need std alone. tests/includes.cmake asks the compiler for all they include; this fails in an editor.
#include <podium/podium.hpp>

#if defined(BOOST_VERSION) || defined(NLOHMANN_JSON_VERSION_MAJOR) || defined(YAML_CPP_API)
#error "a primitive includes a library"
#endif
