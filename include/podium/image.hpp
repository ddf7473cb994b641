#pragma once
/// The room `image`: references to images, digests, and which platform's image to run. Needs `core`.

#include <podium/image/digest.hpp>
#include <podium/image/platform.hpp>
#include <podium/image/reference.hpp>
