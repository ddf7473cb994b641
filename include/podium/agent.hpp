#pragma once
/// The node agent without its I/O: the life of a pod, its status, its environment, and a node full of pods.

#include <podium/agent/environment.hpp>
#include <podium/agent/eviction.hpp>
#include <podium/agent/lifecycle.hpp>
#include <podium/agent/node.hpp>
#include <podium/agent/restart.hpp>
#include <podium/agent/status.hpp>
