#pragma once
/// The frame of the conformance runner. An area is one file here; it names the kinds of case that it can run:
///
///     std::optional<mismatch> parse(json const& c) { return unlike(c.at("canonical"),
///     answer(c.at("input"))); } area const labels{"labels", {{"parse", parse}}};
///
/// Cases of `<area>.json` ({"source", "cases"}) carry their kind; a file `<area>/<kind>.json` is an array of
/// cases of one kind. A runner that throws (a field is missing) fails the case.

#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conformance {

using json = nlohmann::json;

/// How a case failed.
struct mismatch {
    json expected;
    json got;
};

/// Runs one case; nothing means that it passed.
using runner = std::optional<mismatch> (*)(json const& c);

/// Equal as JSON, or how not.
inline std::optional<mismatch> unlike(json expected, json got)
{
    if (expected == got)
        return std::nullopt;
    return mismatch{std::move(expected), std::move(got)};
}

/// "area/kind" to its runner.
inline std::map<std::string, runner>& runners()
{
    static std::map<std::string, runner> all;
    return all;
}

/// Registers runners from a namespace-scope object.
struct area {
    area(std::string const& name, std::initializer_list<std::pair<char const*, runner>> kinds)
    {
        for (auto const& [kind, run] : kinds)
            runners().emplace(name + '/' + kind, run);
    }
};

/// Where podium would decide otherwise unless told to do as Kubernetes does: listed before the run.
inline std::vector<std::string>& ways()
{
    static std::vector<std::string> all;
    return all;
}
struct way {
    explicit way(std::string text) { ways().push_back(std::move(text)); }
};

}  // namespace conformance
