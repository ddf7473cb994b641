#pragma once
/// The room of the network: HTTP client and server, probers, and the load-balancing proxy.

#include <podium/net/address.hpp>
#include <podium/net/command.hpp>
#include <podium/net/http_client.hpp>
#include <podium/net/http_plain.hpp>
#include <podium/net/http_server.hpp>
#include <podium/net/http_wire.hpp>
#include <podium/net/metric_source.hpp>
#include <podium/net/prober.hpp>
#include <podium/net/proxy.hpp>
#include <podium/net/router.hpp>
