#pragma once
/// What the scheduler answers: a decision with its reasons as numbers, and the whole table on request.
///
/// A decision is small and comparable; words are made from it by the pipeline (`summary`), which has the
/// plugins' texts.

#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// How many nodes a plugin refused with one code. A node may be refused with several codes of one plugin.
struct refused {
    std::uint8_t plugin = 0;  ///< position in filters<>
    std::uint8_t code = 0;    ///< the plugin's own
    std::uint32_t nodes = 0;
    friend bool operator==(refused const&, refused const&) = default;
};

struct decision {
    std::optional<std::uint32_t> node{};  ///< slot in the snapshot; none: the pod fits nowhere
    int score = 0;                        ///< the chosen node's, all plugins together
    std::vector<int> scores{};            ///< the same by plugin, weighted, in the order of scores<>
    std::uint32_t nodes = 0;              ///< looked at: all there are
    std::uint32_t feasible = 0;           ///< passed all filters
    std::uint32_t best = 0;               ///< have the highest score
    std::uint32_t from = 0;  ///< ties went to the first of them at or after this slot, cyclically
    std::vector<schedule::refused> refused{};  ///< by plugin, then code
    std::uint64_t version = 0;                 ///< of the snapshot that it was made on

    /// The same answer, whatever it was made on.
    friend bool operator==(decision const& a, decision const& b)
    {
        return a.node == b.node && a.score == b.score && a.scores == b.scores && a.nodes == b.nodes &&
            a.feasible == b.feasible && a.best == b.best && a.from == b.from && a.refused == b.refused;
    }
};

/// One refusal of one node with its numbers.
struct reason {
    std::uint8_t plugin = 0;      ///< position in filters<>
    std::uint8_t code = 0;        ///< the plugin's own
    bool unresolvable = false;    ///< removing pods from the node cannot help
    schedule::amounts amounts{};  ///< zero where the plugin counts nothing
    friend bool operator==(reason const&, reason const&) = default;
};

/// One node's row of the table.
struct explained_node {
    std::uint32_t node = 0;           ///< slot in the snapshot
    std::vector<reason> reasons{};    ///< of every plugin that refuses it, not only the first; empty: it fits
    std::vector<std::int64_t> raw{};  ///< what each score plugin said; empty when the node does not fit
    std::vector<int> scores{};        ///< normalised and weighted
    int score = 0;                    ///< their sum
    friend bool operator==(explained_node const&, explained_node const&) = default;
};

/// All nodes by all plugins, and the decision that follows from them.
struct explanation {
    schedule::decision decision{};
    std::vector<std::string_view> filters{};  ///< names, by position
    std::vector<std::string_view> scores{};
    std::vector<explained_node> nodes{};
    friend bool operator==(explanation const&, explanation const&) = default;
};

namespace detail {

/// Adds up refusals by plugin and code.
class refusal_counts {
public:
    /// `no` has a plugin and its codes.
    void add(auto const& no, std::uint32_t nodes)
    {
        for (auto codes = no.codes; nodes != 0 && codes != 0; codes &= codes - 1) {
            auto const code = static_cast<std::uint8_t>(std::countr_zero(codes));
            auto const at = std::lower_bound(all_.begin(), all_.end(), std::pair(no.plugin, code),
                [](refused const& r, auto const& which) { return std::pair(r.plugin, r.code) < which; });
            if (at != all_.end() && at->plugin == no.plugin && at->code == code)
                at->nodes += nodes;
            else
                all_.insert(at, {.plugin = no.plugin, .code = code, .nodes = nodes});
        }
    }
    /// A row of the table: the plugin that comes first gives the reasons.
    void add(explained_node const& row)
    {
        struct {
            std::uint8_t plugin;
            std::uint64_t codes = 0;
        } first{.plugin = row.reasons.empty() ? std::uint8_t{} : row.reasons.front().plugin};
        for (auto const& why : row.reasons)
            first.codes |= why.plugin == first.plugin ? std::uint64_t{1} << why.code : 0;
        add(first, 1);
    }
    [[nodiscard]] std::vector<refused> const& all() const noexcept { return all_; }

private:
    std::vector<refused> all_{};
};

}  // namespace detail

}  // namespace podium::v0::schedule
