#pragma once
/// One look at all nodes for a pod that is like no other, with what is known of the nodes already.

#include <podium/schedule/aids.hpp>
#include <podium/schedule/sweep.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::detail {

/// The decision for one request; the aids are up to date. Equals `pipeline::decide_class`.
///
/// Nodes that are alike to the plugins that read the node alone and to those with ledgers are judged
/// together; what is left for each node are the plugins that read columns, which sweep them where they can.
/// O(nodes + kinds of nodes).
template<class Pipeline>
class scanner {
public:
    using nodes = typename Pipeline::nodes;
    using request = typename Pipeline::request;

    /// Not where a score that differs from node to node is normalised.
    static constexpr bool possible = [] {
        bool all = true;
        Pipeline::each_score([&]<std::size_t I, class P, int W>() {
            all = all && !(Pipeline::template is_asked<P, Pipeline::part::moving> && HasNormalize<P>);
        });
        return all;
    }();

    [[nodiscard]] decision operator()(Pipeline const& rules, nodes const& on, request const& wanted,
        aids<Pipeline> const& with, std::uint32_t from)
    {
        all_slots const everyone{on.slots()};
        look(rules, on, wanted, with, everyone);
        typename Pipeline::ranges const feasible = finish(rules, with);
        decision d{.nodes = static_cast<std::uint32_t>(on.size()), .from = from, .version = on.version()};
        refusal_counts counts;
        for (auto const& [no, by] : one_by_one_)
            counts.add(no, by);
        for (auto const& g : groups_) {
            counts.add(g.no, g.refused);
            d.feasible += g.fitting;
        }
        d.refused = counts.all();
        if (d.feasible != 0) {
            sweep_scores(rules, on, wanted, everyone);
            choose(on, d);
            auto raw = groups_[group_of(*d.node)].raw;
            rules.template score<part::moving>(on.at(*d.node), wanted, raw);
            d.scores = rules.weigh(raw, feasible);
        }
        return d;
    }

    /// seen(slot, group, plain score, kin) for each of the slots: the kin are null where there is no node,
    /// and for one that some plugin refuses; else groups of equal numbers have equal kin.
    void each(Pipeline const& rules, nodes const& on, request const& wanted, aids<Pipeline> const& with,
        auto slots, auto&& seen)
    {
        look(rules, on, wanted, with, slots);
        sweep_scores(rules, on, wanted, slots);
        for (std::size_t i = 0; i < slots.size(); ++i) {
            auto const g = group_of(i);
            bool const fits = refused_[i] == 0;
            seen(slots[i], g, fits ? sums_[i] + groups_[g].plain : 0, fits ? &groups_[g] : nullptr);
        }
    }

private:
    using part = typename Pipeline::part;
    using refusal = typename Pipeline::refusal;
    using raw_scores = typename Pipeline::raw_scores;

    /// Nodes of the same fixed answers and places.
    struct kin {
        typename aids<Pipeline>::places places{};
        refusal no{};  ///< by the fixed plugins and the ledgers
        raw_scores raw{};
        int plain = 0;  ///< the sum of the plain scores of the fixed plugins
        std::uint32_t fitting = 0, refused = 0;
    };
    using numbers = std::array<std::uint32_t, aids<Pipeline>::ledger_count + 1>;

    /// A score that must be asked for each node, or swept: the others are equal for a group.
    template<class P>
    static constexpr bool is_each = Pipeline::template is_asked<P, part::moving>;

    template<class P>
    static constexpr bool is_swept_filter =
        requires(P const& p, nodes const& on, request const& r, std::int32_t* out) {
            {
                p.sweep(on.all_columns(), Pipeline::template part_of<P>(r), all_slots{}, out)
            } -> std::same_as<bool>;
        };
    template<class P>
    static constexpr bool is_swept_score =
        requires(P const& p, nodes const& on, request const& r, std::int32_t* out) {
            {
                p.sweep(on.all_columns(), Pipeline::template part_of<P>(r), all_slots{}, 1, out)
            } -> std::same_as<bool>;
        };

    /// Which nodes fit, and the groups.
    void look(
        Pipeline const& rules, nodes const& on, request const& wanted, aids<Pipeline> const& with, auto slots)
    {
        refused_.assign(swept_size(slots.size()), 1);
        for (std::size_t i = 0; i < slots.size(); ++i)
            refused_[i] = on.has(slots[i]) ? 0 : 1;
        sums_.assign(swept_size(slots.size()), 0);
        sweep_filters(rules, on, wanted, slots);
        group(rules, on, wanted, with, slots);
    }
    void sweep_filters(Pipeline const& rules, nodes const& on, request const& wanted, auto slots)
    {
        Pipeline::each_filter([&]<std::size_t I, class P>() {
            if constexpr (is_each<P>) {
                auto const& plugin = rules.template plugin<P>();
                auto const& r = Pipeline::template part_of<P>(wanted);
                if (is_indifferent(plugin, r))
                    return false;
                if constexpr (is_swept_filter<P>)
                    if (plugin.sweep(on.all_columns(), r, slots, refused_.data()))
                        return false;
                for (std::size_t i = 0; i < slots.size(); ++i)
                    if (on.has(slots[i]) && !ask(plugin, on.at(slots[i]), r).fits())
                        refused_[i] = 1;
            }
            return false;
        });
    }
    void group(
        Pipeline const& rules, nodes const& on, request const& wanted, aids<Pipeline> const& with, auto slots)
    {
        groups_.clear();
        one_by_one_.clear();
        group_.resize(slots.size(), 0);
        // A group's number is found from those of its parts: in a table where that is small.
        std::array<std::size_t, aids<Pipeline>::ledger_count + 1> sizes{};
        sizes[0] = with.fixed->answers().size();
        with.each_ledger([&]<class P>(std::size_t i, auto& l) { sizes[i + 1] = l.now().places(); });
        one_group_ = std::ranges::all_of(sizes, [](std::size_t n) { return n <= 1; });
        std::size_t product = 1;
        for (auto const n : sizes)
            product = std::min<std::size_t>(product * std::max<std::size_t>(n, 1), most_in_table + 1);
        table_.assign(product <= most_in_table ? product : 0, none);
        sparse_.clear();
        numbers at_parts{};
        auto const make = [&](std::uint32_t slot) {
            auto const& fixed = with.fixed->of(slot);
            auto& g =
                groups_.emplace_back(kin{.places = with.places_of(slot), .no = fixed.no, .raw = fixed.raw});
            auto const end =
                g.no.plugin == Pipeline::nobody ? Pipeline::filter_count : std::size_t{g.no.plugin};
            if (auto const there = with.refused_there(rules, g.places, end); there.plugin != Pipeline::nobody)
                g.no = there;
            g.plain = rules.template sum<true>(g.raw, {});
            return static_cast<std::uint32_t>(groups_.size() - 1);
        };
        for (std::size_t i = 0; i < slots.size(); ++i) {
            auto const slot = slots[i];
            if (!on.has(slot)) {
                group_[i] = 0;
                continue;
            }
            if (one_group_) {
                if (groups_.empty())
                    make(slot);
            } else {
                std::size_t number = 0;
                at_parts[0] = with.fixed->number_of(slot);
                with.each_ledger(
                    [&]<class P>(std::size_t n, auto& l) { at_parts[n + 1] = l.now().place(slot); });
                for (std::size_t n = 0; n < at_parts.size() && !table_.empty(); ++n)
                    number = number * sizes[n] + at_parts[n];
                auto& at =
                    table_.empty() ? sparse_.try_emplace(at_parts, none).first->second : table_[number];
                if (at == none)
                    at = make(slot);
                group_[i] = at;
            }
            auto& g = groups_[group_of(i)];
            if (refused_[i] != 0 && !(g.no.plugin != Pipeline::nobody && g.no.plugin < first_each)) {
                // Which of the two comes first?
                auto no =
                    rules.template first_refusal<part::moving>(on.at(slot), wanted, with.fixed->of(slot).no);
                if (g.no.plugin < no.plugin)
                    no = g.no;
                note(no);
            } else if (g.no.plugin != Pipeline::nobody) {
                refused_[i] = 1;
                ++g.refused;
            } else {
                ++g.fitting;
            }
        }
    }
    /// Scores the groups.
    typename Pipeline::ranges finish(Pipeline const& rules, aids<Pipeline> const& with)
    {
        with.open();
        for (auto const& g : groups_)
            if (g.fitting != 0)
                with.admit(g.places, g.fitting);
        with.close();
        typename Pipeline::ranges feasible{};
        bool first = true;
        for (auto& g : groups_)
            if (g.fitting != 0) {
                with.score(rules, g.places, g.raw);
                Pipeline::widen(feasible, g.raw, std::exchange(first, false));
            }
        extra_.assign(groups_.size(), 0);
        for (std::size_t i = 0; i < groups_.size(); ++i)
            if (groups_[i].fitting != 0) {
                auto const parts = rules.weigh(groups_[i].raw, feasible);
                Pipeline::each_score(
                    [&]<std::size_t I, class P, int W>() { extra_[i] += is_each<P> ? 0 : parts[I]; });
            }
        return feasible;
    }
    void sweep_scores(Pipeline const& rules, nodes const& on, request const& wanted, auto slots)
    {
        Pipeline::each_score([&]<std::size_t I, class P, int W>() {
            if constexpr (is_each<P>) {
                auto const& plugin = rules.template plugin<P>();
                auto const& r = Pipeline::template part_of<P>(wanted);
                if constexpr (is_swept_score<P>)
                    if (plugin.sweep(on.all_columns(), r, slots, W, sums_.data()))
                        return;
                for (std::size_t i = 0; i < slots.size(); ++i)
                    if (refused_[i] == 0)
                        sums_[i] += W *
                            static_cast<std::int32_t>(std::clamp<std::int64_t>(
                                score_with(plugin, on.at(slots[i]), r, contest_t<P>{}), 0, max_score));
            }
        });
    }
    /// Ends with the whole score of each node in `sums_`; of those that do not fit, the least there is.
    void choose(nodes const& on, decision& d)
    {
        constexpr auto never = std::numeric_limits<std::int32_t>::min();
        if (!one_group_)
            for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
                sums_[slot] += extra_[group_[slot]];
        std::int32_t most = never;
#if defined(PODIUM_SCHEDULE_SWEEPS)
        lane_ints best = lane_ints{} + never;
        for (std::size_t i = 0; i < sums_.size(); i += lane_count) {
            lane_ints s, no;
            load(s, &sums_[i]), load(no, &refused_[i]);
            s = no != 0 ? lane_ints{} + never : s;
            best = s > best ? s : best;
            store(s, &sums_[i]);
        }
        for (std::size_t i = 0; i < lane_count; ++i)
            most = std::max(most, best[i]);
#else
        for (std::size_t i = 0; i < sums_.size(); ++i) {
            sums_[i] = refused_[i] != 0 ? never : sums_[i];
            most = std::max(most, sums_[i]);
        }
#endif
        for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
            if (sums_[slot] == most) {
                ++d.best;
                if (!d.node || (*d.node < d.from && slot >= d.from))
                    d.node = slot;
            }
        d.score = most + (one_group_ ? extra_.front() : 0);
    }
    [[nodiscard]] std::uint32_t group_of(std::size_t at) const { return one_group_ ? 0 : group_[at]; }
    void note(refusal const& no)
    {
        for (auto& [known, by] : one_by_one_)
            if (known == no) {
                ++by;
                return;
            }
        one_by_one_.emplace_back(no, 1u);
    }

    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t most_in_table = 4096;
    /// The place in filters<> of the first that is asked for each node.
    static constexpr std::size_t first_each = Pipeline::first_filter([]<class P>() { return is_each<P>; });

    // Scratch, kept for the next scan.
    // By position of the slot among those that are looked at.
    std::vector<std::int32_t> refused_{};  ///< by a plugin that is asked for each node, then: at all
    std::vector<std::int32_t> sums_{};     ///< the scores that are asked for each node
    std::vector<std::uint32_t> group_{};
    std::vector<kin> groups_{};
    bool one_group_ = false;
    std::vector<std::uint32_t> table_{};
    std::map<numbers, std::uint32_t> sparse_{};
    std::vector<int> extra_{};  ///< by group: its score
    std::vector<std::pair<refusal, std::uint32_t>> one_by_one_{};
};

}  // namespace podium::v0::schedule::detail
