#pragma once
/// Validation: what is wrong with an object that decoded well.

#include <podium/model/json.hpp>
#include <podium/model/kinds.hpp>
