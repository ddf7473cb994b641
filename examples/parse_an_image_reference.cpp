// A fleet of game servers pulls its builds: what people write, what it means, and which build runs on which
// machine.
#include <podium/image.hpp>

#include <iostream>
#include <string>
#include <vector>

namespace image = podium::image;

struct build {
    std::string file;
    image::platform runs_on;
};

int main()
{
    for (auto const* text :
        {"redis", "redis:7", "ghcr.io/studio/arena:1.4", "localhost:5000/arena", "Arena", "arena:"}) {
        auto const r = image::reference::parse_normalized(text);
        std::cout << text << " -> " << (r ? to_string(image::with_default_tag(*r)) : r.error().text())
                  << '\n';
    }

    std::vector<build> const builds{
        {"arena-x86", {"linux", "amd64", ""}}, {"arena-arm", {"linux", "arm64", ""}}};
    for (auto const* machine : {"linux/amd64", "linux/aarch64", "linux/riscv64"}) {
        auto const chosen = image::choose(image::platform::parse(machine).value(), builds, &build::runs_on);
        std::cout << machine << ": " << (chosen ? builds[*chosen].file : chosen.error().text()) << '\n';
    }
}
