// A selector literal with a mistake in it must not compile; TEXT is the literal, given by the build.
#include <podium/labels/selector.hpp>

using namespace podium::labels::literals;

bool chosen(std::map<std::string, std::string> const& labels)
{
    return TEXT.matches(labels);
}
