#pragma once
/// Kubernetes' REST API as pure functions.
#include <podium/api/apply.hpp>
#include <podium/api/handle.hpp>
#include <podium/api/logs.hpp>
#include <podium/api/path.hpp>
#include <podium/api/status.hpp>
#include <podium/api/watch.hpp>
