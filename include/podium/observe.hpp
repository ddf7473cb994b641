#pragma once
/// The room `observe`: what a machine has done and is doing, as values.
#include <podium/observe/counter.hpp>
#include <podium/observe/gauge.hpp>
#include <podium/observe/histogram.hpp>
