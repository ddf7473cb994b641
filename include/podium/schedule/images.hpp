#pragma once
/// Images that a node has already: a pod starts sooner there.
///
/// Source: kube-scheduler v1.35, plugins/imagelocality: bytes of the pod's images on the node, each scaled by
/// the share of nodes that have it (so that a rare image does not draw all pods to one node), as 0 to 100
/// between 23 MiB and 1000 MiB for each container.

#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// "registry/web" is "registry/web:latest"; with a tag or a digest a name stays as it is.
[[nodiscard]] inline std::string with_tag(std::string_view image)
{
    auto const colon = image.rfind(':');
    auto const slash = image.rfind('/');
    bool const tagged = colon != image.npos && (slash == image.npos || colon > slash);
    return std::string(image) + (tagged ? "" : ":latest");
}

/// Whose word on an image's size counts.
enum class image_size : std::uint8_t {
    own,         ///< the node's own
    kubernetes,  ///< that of the first node that has it, for all: what kube-scheduler's cache comes to
};

/// `Images(node)`: a range of {names, size in bytes}, a pair or a struct of two; `Wanted(pod)`: the images of
/// its containers, initial ones too, one for each.
template<auto Images, auto Wanted>
struct image_locality {
    static constexpr std::string_view name = "ImageLocality";

    image_size sizes = image_size::own;

    struct request {
        std::vector<std::string> images{};
        friend bool operator==(request const&, request const&) = default;
    };
    struct overview {
        struct one {
            std::int64_t nodes = 0;
            std::int64_t first_size = 0;
        };
        std::int64_t nodes = 0;
        std::map<std::string, one, std::less<>> having{};  ///< of the images that are wanted
    };

    [[nodiscard]] static request prepare(auto const& pod)
    {
        request r;
        for (auto const& image : std::invoke(Wanted, pod))
            r.images.push_back(with_tag(image));
        return r;
    }
    [[nodiscard]] static overview survey(auto const& nodes, request const& wanted)
    {
        overview out;
        for (auto const& image : wanted.images)
            out.having[image] = {};
        nodes.for_each([&](auto const& at) {
            ++out.nodes;
            std::set<std::string_view> seen;  // a node that lists a name twice has it once
            for (auto const& [names, bytes] : std::invoke(Images, at.node))
                for (auto const& n : names)
                    if (auto const found = out.having.find(n); found != out.having.end() &&
                        seen.insert(found->first).second && found->second.nodes++ == 0)
                        found->second.first_size = static_cast<std::int64_t>(bytes);
        });
        return out;
    }
    [[nodiscard]] int score(auto const& at, request const& wanted, overview const& all) const
    {
        constexpr std::int64_t mebibyte = 1024 * 1024;
        std::int64_t sum = 0;
        for (auto const& image : wanted.images) {
            auto const own = size_of(at.node, image);
            if (!own)
                continue;
            auto const& known = all.having.find(image)->second;
            auto const size = sizes == image_size::own ? *own : known.first_size;
            sum += static_cast<std::int64_t>(static_cast<double>(size) *
                (static_cast<double>(known.nodes) / static_cast<double>(all.nodes)));
        }
        auto const least = 23 * mebibyte;
        auto const most =
            std::max(least + 1, 1000 * mebibyte * static_cast<std::int64_t>(wanted.images.size()));
        return static_cast<int>(max_score * (std::clamp(sum, least, most) - least) / (most - least));
    }

private:
    /// Where a node lists a name twice, the last one counts.
    static std::optional<std::int64_t> size_of(auto const& node, std::string const& image)
    {
        std::optional<std::int64_t> out;
        for (auto const& [names, bytes] : std::invoke(Images, node))
            if (std::find(names.begin(), names.end(), image) != names.end())
                out = static_cast<std::int64_t>(bytes);
        return out;
    }
};

}  // namespace podium::v0::schedule
