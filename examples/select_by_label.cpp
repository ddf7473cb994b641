// Which game servers get tonight's event: label selectors on types of the embedder's own. Prints the servers
// that match, and what a selector with a mistake in it says.
#include <podium/labels.hpp>

#include <iostream>
#include <string>
#include <vector>

using namespace podium::labels::literals;

struct game_server {
    std::string name{};
    std::vector<std::pair<std::string, std::string>> labels{};  // any range of pairs of text
};

int main()
{
    std::vector<game_server> const fleet{
        {"fra-1", {{"region", "eu"}, {"cores", "16"}}},
        {"fra-2", {{"region", "eu"}, {"cores", "16"}, {"maintenance", "today"}}},
        {"ams-1", {{"region", "eu"}, {"cores", "4"}}},
        {"nyc-1", {{"region", "us"}, {"cores", "32"}}},
        {"tyo-1", {{"region", "ap"}, {"cores", "32"}}},
    };

    auto const& chosen = "region in (eu, us), cores > 8, !maintenance"_selector;  // checked when compiled
    std::cout << to_string(chosen) << ":\n";
    for (auto const& server : fleet)
        if (chosen.matches(server.labels))
            std::cout << "  " << server.name << '\n';

    auto const typed = podium::labels::selector::parse("region in (eu, us, cores > 8");
    std::cout << typed.error().text() << '\n';
}
