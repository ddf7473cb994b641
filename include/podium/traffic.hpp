#pragma once
/// The room of traffic: which endpoint takes the next request, and when one that must go is empty.

#include <podium/traffic/balance.hpp>
#include <podium/traffic/endpoint.hpp>
#include <podium/traffic/outlier.hpp>
#include <podium/traffic/pool.hpp>
#include <podium/traffic/route.hpp>
#include <podium/traffic/split.hpp>
#include <podium/traffic/sticky.hpp>
