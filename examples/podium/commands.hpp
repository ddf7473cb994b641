#pragma once
// The subcommands. Each takes what follows its name, and returns the exit code: 0, 1 for a failure, 2 for a
// command line that says nothing sensible.
#include <podium/core/error.hpp>

#include <string>
#include <vector>

int up(std::vector<std::string> const& args);
int apply(std::vector<std::string> const& args);
int get(std::vector<std::string> const& args);
int delete_(std::vector<std::string> const& args);
int logs(std::vector<std::string> const& args);
int rollout(std::vector<std::string> const& args);
int top(std::vector<std::string> const& args);
int cordon(std::vector<std::string> const& args);
int uncordon(std::vector<std::string> const& args);
int drain(std::vector<std::string> const& args);
int plan(std::vector<std::string> const& args);
int run_pipeline(std::vector<std::string> const& args);
int play_tour(std::vector<std::string> const& args);

// Prints "error: ..." on stderr and returns the code.
int failed(podium::error const& e, int code = 1);
