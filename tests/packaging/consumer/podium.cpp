// The one unit that compiles the bodies of podium, Asio and Beast; the others are compiled with declarations only.
#include <podium/src.hpp>

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
