#pragma once
/// The coroutine shell of the plane. (Stores that need I/O will live here too.)
#include <podium/store/clock.hpp>
#include <podium/store/drive.hpp>
