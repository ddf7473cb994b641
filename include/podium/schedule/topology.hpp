#pragma once
/// Domains: which nodes have the same value of a label, such as a zone, a rack or the node's own name.

#include <podium/labels/selector.hpp>
#include <podium/schedule/plugin.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// Column: the domain of each node, for the label keys that somebody asked for (`track`). `Labels(node)` is a
/// map.
///
/// Domains have small numbers that are used again when a domain is empty; the value "" is domain 0 of each
/// key. A change of a node costs O(keys); memory is 12 bytes a slot and key.
template<auto Labels>
class topology {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t most_coarse = 64;  ///< domains of a key that is not fine

    void resize(std::size_t slots)
    {
        slots_ = slots;
        for (auto& k : keys_)
            k.resize(slots);
    }
    void set(std::uint32_t slot, auto const& node)
    {
        if (keys_.empty())
            return;
        auto&& labels = std::invoke(Labels, node);
        for (auto& k : keys_)
            k.move(slot, k.domain_of(labels));
    }
    void unset(std::uint32_t slot)
    {
        for (auto& k : keys_)
            k.move(slot, none);
    }
    void bind(std::uint32_t, auto const&) {}
    void unbind(std::uint32_t, auto const&) {}
    [[nodiscard]] std::uint32_t at(std::uint32_t slot) const { return slot; }

    /// The number of the key, which is kept from now on. O(nodes) the first time.
    std::size_t track(std::string_view key, auto const& nodes)
    {
        for (std::size_t i = 0; i < keys_.size(); ++i)
            if (keys_[i].name == key)
                return i;
        tracked k;  // apart, so that a property that throws leaves nothing half tracked
        k.name = key;
        k.add("");
        k.resize(slots_);
        nodes.for_each([&](auto const& at) { k.move(at.slot, k.domain_of(std::invoke(Labels, at.node))); });
        keys_.push_back(std::move(k));
        return keys_.size() - 1;
    }
    /// The node's domain of that key; `none` without the label.
    [[nodiscard]] std::uint32_t domain(std::size_t key, std::uint32_t slot) const
    {
        return keys_[key].domain[slot];
    }
    /// Numbers of domains are below this.
    [[nodiscard]] std::size_t numbers(std::size_t key) const { return keys_[key].domains.size(); }
    /// Whether so many domains have nodes that a ledger's place says what is in one, and not which one it is.
    [[nodiscard]] bool is_fine(std::size_t key) const { return keys_[key].inhabited > most_coarse; }
    /// seen(slot) for each node of the domain.
    template<class Seen>
    void for_each(std::size_t key, std::uint32_t domain, Seen&& seen) const
    {
        auto const& k = keys_[key];
        for (auto s = k.domains[domain].head; s != none; s = k.links[s].next)
            seen(s);
    }

private:
    struct link {
        std::uint32_t next = none, before = none;
    };
    struct one {
        std::string value{};
        std::uint32_t head = none;
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
    };
    struct tracked {
        std::string name{};
        std::unordered_map<std::string, std::uint32_t, hash, std::equal_to<>> by_value{};
        std::vector<one> domains{};
        std::vector<std::uint32_t> free{};
        std::vector<std::uint32_t> domain{};  ///< by slot
        std::vector<link> links{};            ///< by slot: the others of its domain
        std::size_t inhabited = 0;

        void resize(std::size_t slots)
        {
            domain.resize(slots, none);
            links.resize(slots);
        }
        std::uint32_t add(std::string_view value)
        {
            auto n = static_cast<std::uint32_t>(domains.size());
            if (free.empty()) {
                domains.emplace_back();
            } else {
                n = free.back();
                free.pop_back();
            }
            domains[n].value = value;
            by_value.emplace(std::string(value), n);
            return n;
        }
        std::uint32_t domain_of(auto const& labels)
        {
            auto const value = podium::labels::detail::value_of(labels, name);
            if (!value)
                return none;
            auto const found = by_value.find(std::string_view(*value));
            return found == by_value.end() ? add(*value) : found->second;
        }
        void move(std::uint32_t slot, std::uint32_t to)
        {
            auto& d = domain[slot];
            if (d == to)
                return;
            auto& l = links[slot];
            if (d != none) {
                auto& left = domains[d];
                (l.before == none ? left.head : links[l.before].next) = l.next;
                if (l.next != none)
                    links[l.next].before = l.before;
                if (left.head == none) {
                    --inhabited;
                    if (d != 0) {
                        by_value.erase(left.value);
                        free.push_back(d);
                    }
                }
            }
            l = {};
            if (to != none) {
                auto& joined = domains[to];
                inhabited += joined.head == none ? 1 : 0;
                l.next = joined.head;
                if (l.next != none)
                    links[l.next].before = slot;
                joined.head = slot;
            }
            d = to;
        }
    };

    std::vector<tracked> keys_{};
    std::size_t slots_ = 0;
};

}  // namespace podium::v0::schedule
