#pragma once
/// The room `core`: time, errors, quantities, names, back-off, hashes, seeded randomness. Needs std alone.

#include <podium/core/assert.hpp>
#include <podium/core/backoff.hpp>
#include <podium/core/duration.hpp>
#include <podium/core/error.hpp>
#include <podium/core/hash.hpp>
#include <podium/core/int_or_percent.hpp>
#include <podium/core/names.hpp>
#include <podium/core/quantity.hpp>
#include <podium/core/random.hpp>
#include <podium/core/result.hpp>
#include <podium/core/saturating.hpp>
#include <podium/core/separate.hpp>
#include <podium/core/time.hpp>
