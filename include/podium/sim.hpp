#pragma once
/// A whole cluster under a virtual clock.
#include <podium/sim/cluster.hpp>
