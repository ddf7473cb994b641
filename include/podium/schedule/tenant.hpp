#pragma once
/// A pod as `what_if` and `rebalance` know it: who it is, where it is, what it counts for.
///
/// The snapshot counts what pods use and keeps none of them; whoever asks about single pods brings them
/// along.

#include <podium/core/result.hpp>
#include <podium/schedule/decision.hpp>
#include <podium/schedule/snapshot.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

template<class Pod>
struct tenant {
    std::string id{};                     ///< the caller's word for it, unique, not empty
    Pod const* pod = nullptr;             ///< equal to what was bound; outlives the call
    std::optional<std::uint32_t> node{};  ///< slot; none: it waits for a node
    std::int32_t priority = 0;            ///< higher is placed first
    std::string owner{};                  ///< whose budget of disruptions it counts for; empty: nobody's
    bool pinned = false;                  ///< `rebalance` leaves it where it is
    friend bool operator==(tenant const&, tenant const&) = default;
};

namespace detail {

[[nodiscard]] inline std::string at_index(std::string_view list, std::size_t i)
{
    return std::string(list) + "[" + std::to_string(i) + "]";
}

/// Numbers by id, for ids that live elsewhere: `id_of(number)` gives them. No allocation for each one.
class id_index {
public:
    explicit id_index(std::size_t ids) : table_(std::bit_ceil(2 * ids + 2)) {}

    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view id, auto const& id_of) const
    {
        auto const& e = table_[place(id, id_of)];
        return e.number == none ? std::nullopt : std::optional(e.number);
    }
    /// Whether the id is new; else it has this number from now on. O(1) amortised.
    bool put(std::string_view id, std::uint32_t number, auto const& id_of)
    {
        auto& e = table_[place(id, id_of)];
        bool const is_new = e.number == none;
        e = {.hash = hash_of(id), .number = number};
        if (is_new && 2 * ++size_ >= table_.size())
            grow();
        return is_new;
    }

private:
    static constexpr auto none = static_cast<std::uint32_t>(-1);
    struct entry {
        std::uint32_t hash = 0;
        std::uint32_t number = none;
    };

    static std::uint32_t hash_of(std::string_view id)
    {
        return static_cast<std::uint32_t>(std::hash<std::string_view>{}(id));
    }
    /// Where it is, or would be.
    [[nodiscard]] std::size_t place(std::string_view id, auto const& id_of) const
    {
        auto const h = hash_of(id);
        auto at = h & (table_.size() - 1);
        while (table_[at].number != none && (table_[at].hash != h || id_of(table_[at].number) != id))
            at = (at + 1) & (table_.size() - 1);
        return at;
    }
    void grow()
    {
        std::vector<entry> wider(2 * table_.size());
        for (auto const& e : table_)
            if (e.number != none) {
                auto at = e.hash & (wider.size() - 1);
                while (wider[at].number != none)
                    at = (at + 1) & (wider.size() - 1);
                wider[at] = e;
            }
        table_ = std::move(wider);
    }

    std::vector<entry> table_;  ///< by hash, then by the next that is free; a power of two, half of it free
    std::size_t size_ = 0;
};

/// Ids unique, pods there, nodes there, and no more pods on a node than are bound to it: then the positions
/// of the tenants by id. O(tenants + nodes).
template<class Pipeline>
id_index check_tenants(snapshot<Pipeline> const& on,
    std::vector<tenant<typename Pipeline::pod_type>> const& tenants, found_errors& errors)
{
    id_index ids(tenants.size());
    auto const id_of = [&](std::uint32_t n) -> std::string_view { return tenants[n].id; };
    std::vector<std::uint32_t> here(on.slots());
    for (std::size_t i = 0; i < tenants.size(); ++i) {
        auto const& t = tenants[i];
        auto const path = [&](char const* field) { return at_index("tenants", i) + field; };
        if (t.id.empty())
            errors.add({errc::invalid, "must not be empty", path(".id")});
        else if (!ids.put(t.id, static_cast<std::uint32_t>(i), id_of))
            errors.add({errc::already_exists, "another tenant has this id", path(".id")});
        if (t.pod == nullptr)
            errors.add({errc::invalid, "must point to a pod", path(".pod")});
        if (!t.node)
            continue;
        if (*t.node >= on.slots() || !on.has(*t.node))
            errors.add({errc::not_found, "the snapshot has no node in this slot", path(".node")});
        else if (++here[*t.node] > on.pods(*t.node))
            errors.add({errc::invalid, "must be a node that it is bound to: fewer pods are bound there",
                path(".node")});
    }
    return ids;
}

/// The node refuses the pod, with the words of it: "0/1 nodes are available: 1 Insufficient cpu."; else
/// empty.
template<class Pipeline>
[[nodiscard]] std::string refused_at(Pipeline const& rules, snapshot<Pipeline> const& on,
    typename Pipeline::pod_type const& pod, std::uint32_t slot)
{
    auto const no = rules.refused(on, rules.prepare(pod), slot);
    if (no.plugin == Pipeline::nobody)
        return {};
    decision one{.nodes = 1};
    for (std::uint8_t code = 0; code < 64; ++code)
        if ((no.codes >> code & 1) != 0)
            one.refused.push_back({.plugin = no.plugin, .code = code, .nodes = 1});
    return rules.summary(one, pod);
}

}  // namespace detail
}  // namespace podium::v0::schedule
