#pragma once
/// The room `probe`: is this container started, ready, alive?
#include <podium/probe/check.hpp>
#include <podium/probe/guard.hpp>
#include <podium/probe/monitor.hpp>
#include <podium/probe/policy.hpp>
#include <podium/probe/worker.hpp>
