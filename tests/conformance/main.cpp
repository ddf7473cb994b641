/// Runs recorded cases of Kubernetes' own answers: the folder in PODIUM_VECTORS, or tests/vectors.
///
/// Prints `area/kind: passed/total`, or `area/kind: not implemented (n)` for a kind that has no runner, shows
/// the first failures of each kind, and ends with the sum. Fails if a case fails, a file cannot be read, or
/// there is no case at all.

#include "runner.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace {

using conformance::json;
namespace fs = std::filesystem;

constexpr std::size_t shown_failures = 3;  // of each kind
constexpr std::size_t shown_characters = 2000;

struct tally {
    std::size_t passed = 0, failed = 0, not_implemented = 0;
    std::vector<std::string> failures{};
};

std::string shorten(json const& j)
{
    auto text = j.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() > shown_characters) {
        auto const left_out = text.size() - shown_characters;
        text.resize(shown_characters);
        text += "... (" + std::to_string(left_out) + " more characters)";
    }
    return text;
}

void run(std::string const& kind, json const& c, tally& t)
{
    auto const it = conformance::runners().find(kind);
    if (it == conformance::runners().end()) {
        ++t.not_implemented;
        return;
    }
    std::optional<conformance::mismatch> wrong;
    try {
        wrong = it->second(c);
    } catch (std::exception const& e) {
        wrong = conformance::mismatch{"an answer", std::string("exception: ") + e.what()};
    }
    ++(wrong ? t.failed : t.passed);
    if (wrong && t.failures.size() < shown_failures)
        t.failures.push_back("  input:    " + shorten(c) + "\n  expected: " + shorten(wrong->expected) +
            "\n  got:      " + shorten(wrong->got) + '\n');
}

/// What is wrong with the file, or nothing.
std::string run_file(fs::path const& file, fs::path const& folder, std::map<std::string, tally>& tallies)
{
    std::ifstream in(file, std::ios::binary);
    if (!in)
        return "cannot be opened";
    json document;
    try {
        document = json::parse(in);
    } catch (json::exception const& e) {
        return std::string("is not JSON: ") + e.what();
    }
    auto const stem = fs::relative(file, folder).replace_extension().generic_string();
    if (document.is_array()) {
        for (auto const& c : document)
            run(stem, c, tallies[stem]);
        return document.empty() ? "holds no case" : "";
    }
    if (!document.is_object() || !document.contains("cases") || !document["cases"].is_array())
        return "is neither a list of cases nor an object with one named 'cases'";
    for (auto const& c : document["cases"]) {
        if (!c.is_object() || !c.contains("kind") || !c["kind"].is_string())
            return "has a case without a kind";
        auto const kind = stem + '/' + c["kind"].get<std::string>();
        run(kind, c, tallies[kind]);
    }
    return document["cases"].empty() ? "holds no case" : "";
}

std::vector<fs::path> files_of(fs::path const& folder)
{
    std::vector<fs::path> files;
    for (auto const& entry : fs::recursive_directory_iterator(folder))
        if (entry.path().extension() == ".json")
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

int main()
try {
    auto const* const asked = std::getenv("PODIUM_VECTORS");
    fs::path const folder = asked && *asked ? asked : "tests/vectors";  // from where the caller stands
    std::cout << "vectors: " << folder.string() << '\n';
    for (auto const& way : conformance::ways())
        std::cout << "as Kubernetes does: " << way << '\n';

    std::map<std::string, tally> tallies;
    std::size_t unreadable = 0;
    for (auto const& file : files_of(folder)) {
        if (auto const wrong = run_file(file, folder, tallies); !wrong.empty()) {
            std::cout << file.string() << ' ' << wrong << '\n';
            ++unreadable;
        }
    }

    std::size_t passed = 0, failed = 0, unknown = 0;
    for (auto const& [kind, t] : tallies) {
        if (t.not_implemented) {
            std::cout << kind << ": not implemented (" << t.not_implemented << ")\n";
            ++unknown;
        } else
            std::cout << kind << ": " << t.passed << '/' << t.passed + t.failed << '\n';
        for (auto const& failure : t.failures)
            std::cout << failure;
        if (t.failed > t.failures.size())
            std::cout << "  and " << t.failed - t.failures.size() << " more\n";
        passed += t.passed;
        failed += t.failed;
    }
    if (tallies.empty())
        std::cout << "there is no case in " << folder.string() << '\n';
    if (unreadable)
        std::cout << unreadable << " unreadable\n";
    if (unknown)
        std::cout << unknown << " kinds of cases have no runner\n";
    std::cout << passed << " passed, " << failed << " failed\n";
    return passed == 0 || unreadable || unknown || failed ? 1 : 0;
} catch (std::exception const& e) {
    std::cout << e.what() << "\n0 passed, 0 failed\n";
    return 1;
}
