#pragma once
/// The runtime room: what runs containers. The contract suite is included by itself:
/// podium/runtime/contract.hpp.

#include <podium/runtime/address_pool.hpp>
#include <podium/runtime/container_log.hpp>
#include <podium/runtime/image_directory.hpp>
#include <podium/runtime/process_runtime.hpp>
#include <podium/runtime/process_usage.hpp>
#include <podium/runtime/runtime.hpp>
