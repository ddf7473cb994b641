#pragma once
/// The door of the room `yaml`: manifests, in YAML or JSON, as people keep them in files.

#include <podium/yaml/manifests.hpp>
#include <podium/yaml/yaml.hpp>
