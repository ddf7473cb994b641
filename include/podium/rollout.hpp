#pragma once
/// The room `rollout`: from one template to the next, without anyone noticing.
#include <podium/rollout/availability.hpp>
#include <podium/rollout/deployment.hpp>
#include <podium/rollout/fenceposts.hpp>
#include <podium/rollout/history.hpp>
#include <podium/rollout/stateful_set.hpp>
#include <podium/rollout/status.hpp>
#include <podium/rollout/verdict.hpp>
#include <podium/rollout/victims.hpp>
