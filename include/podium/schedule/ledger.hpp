#pragma once
/// What a plugin that looks at many nodes keeps of them as they change, so that the next like pod costs what
/// changed.
///
/// A plugin with an overview or a contest may have a `ledger<Nodes>`. It gives each node a *place*: nodes of
/// one place get the same answers, whatever the rest of the cluster is like. Where a domain is large (a
/// zone), the place says which domain it is, and a pod that comes there moves no node to another place; where
/// domains are many and small (a node's own name), the place says what is in them.

#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace podium::inline v0::schedule {

/// What a ledger must do; `P` is its plugin. Its answers equal those of the plugin's survey at each moment.
///
/// - `key`: what it depends on of a pod; pods with equal ones (`==`) share a ledger. `key_of(plugin, nodes,
/// request)` finds
///   it, and finds the same again as long as `stamp(nodes)` stays.
/// - `L(plugin, nodes, key)`: a ledger that knows no node yet.
/// - `touch(plugin, nodes, slot, node, also)`: the pods of the slot changed, or (`node`) its node. Appends to
/// `also` the
///   other slots that are in another place because of it. An extra call is harmless.
/// - `stale(nodes)`: it has to be made anew.
/// - `place(slot)` of a node there is; below `places()`.
/// - `filter(plugin, place)`, if the plugin filters: its verdict now.
/// - `open()`, then `admit(place, nodes)` for all nodes that fit, then `close()`; after that
///   `score(plugin, place)`, if the plugin scores.
template<class L, class P, class Nodes, class Request>
concept Ledger = requires(L& l, L const& c, P const& p, Nodes& nodes, Nodes const& some, Request const& r,
    bool node, std::uint32_t slot, std::vector<std::uint32_t>& also) {
    { L::key_of(p, some, r) } -> std::same_as<typename L::key>;
    { L::stamp(some) } -> std::convertible_to<std::uint64_t>;
    requires std::equality_comparable<typename L::key>;
    L(p, nodes, L::key_of(p, some, r));
    l.touch(p, some, slot, node, also);
    { c.stale(some) } -> std::same_as<bool>;
    { c.place(slot) } -> std::same_as<std::uint32_t>;
    { c.places() } -> std::convertible_to<std::size_t>;
    l.open();
    l.admit(slot, slot);
    l.close();
};

namespace detail {

/// Numbers for the combinations of values that slots have. `set` is O(width).
class places {
public:
    explicit places(std::size_t width) : width_(width) {}

    [[nodiscard]] std::uint32_t at(std::uint32_t slot) const { return width_ == 0 ? 0 : at_[slot]; }
    [[nodiscard]] std::size_t size() const noexcept { return width_ == 0 ? 1 : count_; }
    [[nodiscard]] std::span<std::int64_t const> values(std::uint32_t place) const
    {
        return {values_.data() + std::size_t{place} * width_, width_};
    }
    /// There are so many more than nodes that most must be out of use.
    [[nodiscard]] bool crowded(std::size_t slots) const noexcept { return count_ > 4 * slots + 4096; }

    /// Whether the slot is in another place now.
    bool set(std::uint32_t slot, std::span<std::int64_t const> v)
    {
        if (width_ == 0)
            return false;
        if (slot >= at_.size())
            at_.resize(slot + 1, nowhere);
        auto& at = at_[slot];
        if (at != nowhere && std::ranges::equal(values(at), v))
            return false;
        at = number_of(v);
        return true;
    }

private:
    static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

    std::uint32_t number_of(std::span<std::int64_t const> v)
    {
        std::uint64_t h = 0;
        for (auto const x : v)
            h = (h ^ static_cast<std::uint64_t>(x)) * 0x9e3779b97f4a7c15u, h ^= h >> 32;
        auto const [first, last] = numbers_.equal_range(h);
        for (auto i = first; i != last; ++i)
            if (std::ranges::equal(values(i->second), v))
                return i->second;
        auto const n = static_cast<std::uint32_t>(count_++);
        values_.insert(values_.end(), v.begin(), v.end());
        numbers_.emplace(h, n);
        return n;
    }

    std::size_t width_;
    std::size_t count_ = 0;
    std::vector<std::int64_t> values_{};
    std::vector<std::uint32_t> at_{};
    std::unordered_multimap<std::uint64_t, std::uint32_t> numbers_{};
};

/// An answer for each kind of pods, found when it is first asked for.
template<class T>
class by_kind {
public:
    /// find() gives a T for a kind that is not known yet, or whose number means another one now.
    T const& operator()(std::uint32_t kind, std::uint64_t birth, auto&& find)
    {
        if (kind >= known_.size())
            known_.resize(kind + 1);
        auto& k = known_[kind];
        if (k.birth != birth)
            k = {birth, find()};
        return k.what;
    }

private:
    struct one {
        std::uint64_t birth = 0;
        T what{};
    };
    std::vector<one> known_{};
};

}  // namespace detail
}  // namespace podium::v0::schedule
