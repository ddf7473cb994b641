// The bodies of podium, Asio and Beast, compiled once for the whole program.
#include <podium/src.hpp>

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
