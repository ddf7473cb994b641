#pragma once
/// Who lives where: what affinity and spreading need to know of the pods on the nodes.
///
/// Pods that look alike to others (namespace, labels, wishes about their neighbours) are one *kind*; the
/// column counts kinds on nodes, so that a selector is matched once for each kind and not for each pod.

#include <podium/labels/selector.hpp>
#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

using label_map = std::map<std::string, std::string, std::less<>>;

/// Which pods, and how far around them: a domain is all nodes with the same value of the label
/// `topology_key`.
struct affinity_term {
    labels::selector selector{};  ///< of pods; `nothing()` for none
    std::string topology_key{};
    std::vector<std::string> namespaces{};  ///< both empty: the namespace of the pod that wishes
    std::optional<labels::selector>
        namespace_selector{};  ///< by the labels of namespaces; added to the above
    std::int32_t weight = 1;   ///< of a preferred term, 1 to 100
    friend bool operator==(affinity_term const&, affinity_term const&) = default;
};

/// A pod's wishes about its neighbours. Required terms are ignored once it runs.
struct pod_affinity {
    std::vector<affinity_term> required{};        ///< the domain must have a pod of each
    std::vector<affinity_term> required_anti{};   ///< the domain must have no pod of any
    std::vector<affinity_term> preferred{};       ///< better with
    std::vector<affinity_term> preferred_anti{};  ///< better without
    friend bool operator==(pod_affinity const&, pod_affinity const&) = default;
};

/// A pod as its neighbours see it.
struct resident {
    std::string namespace_{};
    label_map labels{};
    pod_affinity affinity{};
    bool terminating = false;  ///< on its way out: spreading does not count it
    friend bool operator==(resident const&, resident const&) = default;
};

/// Column: how many pods of which kind are on each node. `Resident(pod)` gives a `resident`.
template<auto Resident>
class residents {
public:
    struct count {
        std::uint32_t kind = 0;
        std::uint32_t pods = 0;
        friend bool operator==(count const&, count const&) = default;
    };
    /// One node's pods.
    struct row {
        residents const& all;
        std::vector<count> const& counts;

        /// seen(number of the kind, resident, how many).
        template<class Seen>
        void for_each(Seen&& seen) const
        {
            for (auto const& c : counts)
                seen(c.kind, *all.kinds_[c.kind].what, std::int64_t{c.pods});
        }
    };

    void resize(std::size_t slots) { rows_.resize(slots); }
    void set(std::uint32_t, auto const&) {}
    void unset(std::uint32_t) {}
    void bind(std::uint32_t slot, auto const& pod)
    {
        auto const k = kind_of(std::invoke(Resident, pod));
        ++kinds_[k].pods;
        auto& list = rows_[slot];
        auto const at = place(list, k);
        if (at == list.end() || at->kind != k)
            list.insert(at, {.kind = k, .pods = 1});
        else
            ++at->pods;
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        resident const& r = std::invoke(Resident, pod);
        auto const found = find(r);
        if (!found)
            return;
        auto& list = rows_[slot];
        auto const at = place(list, *found);
        if (at == list.end() || at->kind != *found)
            return;
        if (--at->pods == 0)
            list.erase(at);
        if (auto& k = kinds_[*found]; --k.pods == 0) {
            auto const [first, last] = by_hash_.equal_range(hash(r));
            by_hash_.erase(std::find_if(first, last, [&](auto const& e) { return e.second == *found; }));
            k.what.reset();
            free_.push_back(*found);
        }
    }
    [[nodiscard]] row at(std::uint32_t slot) const { return {*this, rows_[slot]}; }
    /// Numbers of kinds are below this.
    [[nodiscard]] std::size_t kinds() const noexcept { return kinds_.size(); }

private:
    struct kind {
        std::optional<resident> what{};
        std::uint64_t pods = 0;
    };

    static std::size_t hash(resident const& r)
    {
        auto h = std::hash<std::string_view>{}(r.namespace_);
        for (auto const& [key, value] : r.labels)
            for (std::string_view const text : {std::string_view(key), std::string_view(value)})
                h = (h ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15u;
        return h;
    }
    [[nodiscard]] std::optional<std::uint32_t> find(resident const& r) const
    {
        auto const [first, last] = by_hash_.equal_range(hash(r));
        for (auto at = first; at != last; ++at)
            if (*kinds_[at->second].what == r)
                return at->second;
        return std::nullopt;
    }
    std::uint32_t kind_of(resident const& r)
    {
        if (auto const found = find(r))
            return *found;
        auto k = static_cast<std::uint32_t>(kinds_.size());
        if (free_.empty()) {
            kinds_.emplace_back();
        } else {
            k = free_.back();
            free_.pop_back();
        }
        kinds_[k].what = r;
        by_hash_.emplace(hash(r), k);
        return k;
    }
    static typename std::vector<count>::iterator place(std::vector<count>& list, std::uint32_t k)
    {
        return std::lower_bound(list.begin(), list.end(), k,
            [](count const& c, std::uint32_t wanted) { return c.kind < wanted; });
    }

    std::vector<kind> kinds_{};
    std::vector<std::uint32_t> free_{};
    std::unordered_multimap<std::size_t, std::uint32_t> by_hash_{};
    std::vector<std::vector<count>> rows_{};
};

namespace detail {

/// An answer for each kind, found when first asked for.
class memo {
public:
    explicit memo(std::size_t kinds) : known_(kinds, 0) {}
    bool operator()(std::uint32_t kind, auto&& find)
    {
        auto& k = known_[kind];
        if (k == 0)
            k = find() ? 1 : -1;
        return k > 0;
    }
    /// The same without learning.
    bool operator()(std::uint32_t kind, auto&& find) const
    {
        return known_[kind] == 0 ? find() : known_[kind] > 0;
    }

private:
    std::vector<signed char> known_;  // 0: not asked yet
};

/// Numbers by topology key, then by value.
using topology_counts = std::map<std::string, std::map<std::string, std::int64_t, std::less<>>, std::less<>>;

/// The node's own domain of that key; none without the label.
[[nodiscard]] inline std::optional<std::string_view> domain(auto const& node_labels, std::string const& key)
{
    return podium::labels::detail::value_of(node_labels, key);
}

}  // namespace detail
}  // namespace podium::v0::schedule
