#pragma once
/// podium's bodies, compiled once: include this, before anything else, in exactly one translation unit of a
/// program whose every translation unit is compiled with PODIUM_SEPARATE_COMPILATION. The others then only
/// declare what is expensive to compile: the JSON codec of the shipped kinds, and the scheduler with
/// Kubernetes' default profile.
///
/// Asio and Beast offer the same under names of their own, for the adapters' greater part:
/// BOOST_ASIO_SEPARATE_COMPILATION with <boost/asio/impl/src.hpp>, and BOOST_BEAST_SEPARATE_COMPILATION with
/// <boost/beast/src.hpp>.

#ifndef PODIUM_SEPARATE_COMPILATION
#define PODIUM_SEPARATE_COMPILATION
#endif
#define PODIUM_SOURCE

#include <podium/model.hpp>
#include <podium/schedule/kubernetes.hpp>
