#pragma once
// A rollout as a picture: pods, traffic, steps, what its analyses know, and what it waits for.
#include <podium/core/time.hpp>
#include <podium/model/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

// The lines for a deployment, stateful set or rollout as the API shows it. `runs` are the analysis runs that
// are known, by name.
std::vector<std::string> progress_of(std::string_view plural, podium::model::json const& object,
    std::map<std::string, podium::model::json> const& runs, podium::time_point now);
