#pragma once
/// The room `autoscale`: how many replicas does this load need?
#include <podium/autoscale/explain.hpp>
#include <podium/autoscale/policy.hpp>
#include <podium/autoscale/predict.hpp>
#include <podium/autoscale/proposal.hpp>
#include <podium/autoscale/replay.hpp>
#include <podium/autoscale/sample.hpp>
#include <podium/autoscale/scaler.hpp>
#include <podium/autoscale/state.hpp>
