#pragma once
/// Images that a node has already: a pod starts sooner there.
///
/// Source: kube-scheduler v1.35, plugins/imagelocality: bytes of the pod's images on the node, each scaled by
/// the share of nodes that have it (so that a rare image does not draw all pods to one node), as 0 to 100
/// between 23 MiB and 1000 MiB for each container.

#include <podium/schedule/ledger.hpp>
#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
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

    /// Keeps which nodes have how much of the images.
    template<class Nodes>
    class ledger {
    public:
        using key = request;
        static key key_of(image_locality const&, Nodes const&, request const& r) { return r; }
        static std::uint64_t stamp(Nodes const&) { return 0; }

        ledger(image_locality const&, Nodes&, key k)
            : key_(std::move(k)),
              images_(distinct(key_.images)),
              places_(images_.size())
        {
            for (auto const& image : key_.images)
                all_.having[image] = {};
            having_.resize(images_.size());
        }
        [[nodiscard]] bool stale(Nodes const& nodes) const { return places_.crowded(nodes.slots()); }
        void touch(image_locality const& p, Nodes const& nodes, std::uint32_t slot, bool node,
            std::vector<std::uint32_t>&)
        {
            if (!node || images_.empty())
                return;
            bool const there = nodes.has(slot);
            if (slot >= there_.size())
                there_.resize(slot + 1);
            all_.nodes += (there ? 1 : 0) - (there_[slot] ? 1 : 0);
            there_[slot] = there;
            values_.assign(images_.size(), absent);
            for (std::size_t i = 0; i < images_.size(); ++i) {
                auto& by_slot = having_[i];
                if (slot >= by_slot.size())
                    by_slot.resize(slot + 1, absent);
                auto const size = there ? size_of(nodes.node(slot), images_[i]) : std::nullopt;
                auto const was = std::exchange(by_slot[slot], size.value_or(absent));
                values_[i] = by_slot[slot];
                auto& one = all_.having.find(images_[i])->second;
                one.nodes += (size ? 1 : 0) - (was != absent ? 1 : 0);
                if (p.sizes == image_size::kubernetes && (size || was != absent))
                    one.first_size = first_size(nodes, by_slot, images_[i]);
            }
            if (there)
                places_.set(slot, values_);
        }
        [[nodiscard]] std::uint32_t place(std::uint32_t slot) const { return places_.at(slot); }
        [[nodiscard]] std::size_t places() const { return places_.size(); }
        void open() {}
        void admit(std::uint32_t, std::uint32_t) {}
        void close() {}
        [[nodiscard]] std::int64_t score(image_locality const& p, std::uint32_t place) const
        {
            auto const at = places_.values(place);
            return p.total(key_, all_, [&](std::string const& image) -> std::optional<std::int64_t> {
                auto const i = static_cast<std::size_t>(std::ranges::find(images_, image) - images_.begin());
                return at[i] == absent ? std::nullopt : std::optional(at[i]);
            });
        }

    private:
        static constexpr std::int64_t absent = std::numeric_limits<std::int64_t>::min();

        static std::vector<std::string> distinct(std::vector<std::string> images)
        {
            std::ranges::sort(images);
            images.erase(std::unique(images.begin(), images.end()), images.end());
            return images;
        }
        /// What the first node that has it says first.
        static std::int64_t first_size(
            Nodes const& nodes, std::vector<std::int64_t> const& by_slot, std::string const& image)
        {
            for (std::uint32_t s = 0; s < by_slot.size(); ++s)
                if (by_slot[s] != absent && nodes.has(s))  // one may be gone, and not yet touched
                    for (auto const& [names, bytes] : std::invoke(Images, nodes.node(s)))
                        if (std::find(names.begin(), names.end(), image) != names.end())
                            return bounded(bytes);
            return 0;
        }

        key key_;
        std::vector<std::string> images_;
        overview all_{};
        std::vector<bool> there_{};
        std::vector<std::vector<std::int64_t>> having_{};  ///< by image, then slot: its size there
        detail::places places_;
        std::vector<std::int64_t> values_{};  // scratch
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
                        found->second.first_size = bounded(bytes);
        });
        return out;
    }
    [[nodiscard]] int score(auto const& at, request const& wanted, overview const& all) const
    {
        return total(wanted, all, [&](std::string const& image) { return size_of(at.node, image); });
    }

private:
    /// own(image): its size on the node, if it is there.
    [[nodiscard]] int total(request const& wanted, overview const& all, auto const& own) const
    {
        constexpr std::int64_t mebibyte = 1024 * 1024;
        std::int64_t sum = 0;
        for (auto const& image : wanted.images) {
            auto const here = own(image);
            if (!here)
                continue;
            auto const& known = all.having.find(image)->second;
            auto const size = sizes == image_size::own ? *here : known.first_size;
            sum += static_cast<std::int64_t>(static_cast<double>(size) *
                (static_cast<double>(known.nodes) / static_cast<double>(all.nodes)));
        }
        auto const least = 23 * mebibyte;
        auto const most =
            std::max(least + 1, 1000 * mebibyte * static_cast<std::int64_t>(wanted.images.size()));
        return static_cast<int>(max_score * (std::clamp(sum, least, most) - least) / (most - least));
    }
    /// A size below 0 counts as 0, one above 2^53 as that.
    static std::int64_t bounded(auto bytes)
    {
        return std::clamp<std::int64_t>(static_cast<std::int64_t>(bytes), 0, std::int64_t{1} << 53);
    }
    /// Where a node lists a name twice, the last one counts.
    static std::optional<std::int64_t> size_of(auto const& node, std::string const& image)
    {
        std::optional<std::int64_t> out;
        for (auto const& [names, bytes] : std::invoke(Images, node))
            if (std::find(names.begin(), names.end(), image) != names.end())
                out = bounded(bytes);
        return out;
    }
};

}  // namespace podium::v0::schedule
