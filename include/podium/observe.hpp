#pragma once
/// The room `observe`: what a machine has done and is doing, as values.
#include <podium/observe/cell.hpp>
#include <podium/observe/counter.hpp>
#include <podium/observe/decisions.hpp>
#include <podium/observe/events.hpp>
#include <podium/observe/exposition.hpp>
#include <podium/observe/gauge.hpp>
#include <podium/observe/histogram.hpp>
#include <podium/observe/series.hpp>
