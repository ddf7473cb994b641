// The bodies of podium, and in the adapters' tests of Asio and Beast, compiled once for the program.
#include <podium/src.hpp>

#ifdef BOOST_ASIO_SEPARATE_COMPILATION
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
#endif
