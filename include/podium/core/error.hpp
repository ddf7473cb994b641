#pragma once
/// What goes wrong, as a value: a code to branch on, words for a person, and the path of the field.
///
/// Decoding and validation find all errors of a document, not the first: `further` holds the rest.
/// Words name the field and what was expected; they never echo a value, which may be a secret.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0 {

/// What the caller can do about it.
enum class errc : std::uint8_t {
    invalid = 1,      ///< the input is wrong; retrying cannot help
    not_found,        ///< the key names nothing
    already_exists,   ///< a create met an object of that name
    conflict,         ///< the revision moved under us: read again, compute again
    compacted,        ///< the history asked for is gone: take a snapshot
    exhausted,        ///< a limit was reached (size, count, address range); free some, then retry
    unavailable,      ///< the other side may answer later: retry with back-off
    deadline,         ///< the time allowed has passed
    cancelled,        ///< the caller asked to stop
    unknown_outcome,  ///< it may or may not have happened: read before trying again
    forbidden,        ///< not allowed for this caller
    unsupported,      ///< understood, and not done here
    internal,         ///< a defect of podium's or of a plug-in's
};

/// The code's name, for logs: "not_found".
[[nodiscard]] constexpr std::string_view to_string(errc code) noexcept
{
    switch (code) {
    case errc::invalid: return "invalid";
    case errc::not_found: return "not_found";
    case errc::already_exists: return "already_exists";
    case errc::conflict: return "conflict";
    case errc::compacted: return "compacted";
    case errc::exhausted: return "exhausted";
    case errc::unavailable: return "unavailable";
    case errc::deadline: return "deadline";
    case errc::cancelled: return "cancelled";
    case errc::unknown_outcome: return "unknown_outcome";
    case errc::forbidden: return "forbidden";
    case errc::unsupported: return "unsupported";
    case errc::internal: return "internal";
    }
    return "unknown";
}

/// What went wrong, where, and what else did.
struct error {
    errc code = errc::internal;
    std::string message{};         ///< what was expected, or what happened
    std::string path{};            ///< the field: "spec.template.spec.containers[0].image"; empty: the whole
    std::vector<error> further{};  ///< more errors found on the way, each without `further` of its own

    friend bool operator==(error const&, error const&) = default;

    /// "spec.replicas: must be at least 0", one line for each error.
    [[nodiscard]] std::string text() const
    {
        std::string out = path.empty() ? message : path + ": " + message;
        for (auto const& e : further)
            out += '\n' + e.text();
        return out;
    }

    /// Joins `other` and all that it brought along behind this one.
    void add(error other)
    {
        auto rest = std::move(other.further);
        other.further.clear();
        further.push_back(std::move(other));
        for (auto& e : rest)
            further.push_back(std::move(e));
    }

    /// The same error seen from one field further out: "image" becomes "spec.image".
    [[nodiscard]] error inside(std::string_view outer) &&
    {
        path = path.empty()       ? std::string(outer)
            : path.front() == '[' ? std::string(outer) + path
                                  : std::string(outer) + '.' + path;
        for (auto& e : further)
            e = std::move(e).inside(outer);
        return std::move(*this);
    }
};

/// All that is wrong with one input, as it is found.
struct found_errors {
    std::optional<error> all{};  ///< none: nothing is wrong so far

    void add(error e)
    {
        if (all)
            all->add(std::move(e));
        else
            all = std::move(e);
    }
    friend bool operator==(found_errors const&, found_errors const&) = default;
};

}  // namespace podium::v0
