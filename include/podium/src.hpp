#pragma once
/// podium's bodies, compiled once: include this, before anything else, in exactly one translation unit of a
/// program whose every translation unit is compiled with PODIUM_SEPARATE_COMPILATION. The others then only
/// declare what is expensive to compile: the JSON codecs of the shipped kinds, the shipped controllers over
/// the default view, the scheduler with Kubernetes' default profile, and `sim::cluster`. In CMake
/// `podium_add_bodies(system)` makes a library of it.
///
/// <podium/cluster/src.hpp> does the same for the adapters. Asio and Beast offer it under names of their own,
/// BOOST_ASIO_SEPARATE_COMPILATION with <boost/asio/impl/src.hpp>, and BOOST_BEAST_SEPARATE_COMPILATION with
/// <boost/beast/src.hpp>; `podium_add_bodies(asio)` makes a library of all of them.

#ifndef PODIUM_SEPARATE_COMPILATION
#define PODIUM_SEPARATE_COMPILATION
#endif
#define PODIUM_SOURCE

#include <podium/controllers/control_plane.hpp>
#include <podium/model.hpp>
#include <podium/schedule/kubernetes.hpp>
#include <podium/sim/cluster.hpp>
