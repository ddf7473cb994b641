#pragma once
/// The door of the room `model`: Kubernetes-shaped objects and what reads, writes, completes and checks them.

#include <podium/model/codec.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/kinds.hpp>
#include <podium/model/merge.hpp>
#include <podium/model/scheme.hpp>
#include <podium/model/shipped_codecs.hpp>
#include <podium/model/state.hpp>
#include <podium/model/validate.hpp>
