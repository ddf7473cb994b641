#pragma once
/// A class of pods that are alike to all plugins, and what the scheduler remembers for them: where each node
/// stands. Nothing here is visible in an answer.

#include <podium/schedule/aids.hpp>
#include <podium/schedule/scan.hpp>
#include <podium/schedule/slot_set.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::detail {

/// Nodes that are alike to all but the plain scores lie in one cell, and there in one bucket for each sum of
/// these. So a bind moves one node from bucket to bucket, and a decision looks at the cells, of which there
/// are few: a changed maximum or a changed domain moves no node.
template<class Pipeline>
class equivalence_class {
public:
    using nodes = typename Pipeline::nodes;
    using request = typename Pipeline::request;
    using raw_scores = typename Pipeline::raw_scores;
    using ranges = typename Pipeline::ranges;
    using refusal = typename Pipeline::refusal;
    using part = typename Pipeline::part;
    using aids_type = detail::aids<Pipeline>;

    struct picked {
        std::optional<std::uint32_t> slot{};
        int score = 0;
        std::uint32_t best = 0;
        std::uint32_t feasible = 0;
    };

    explicit equivalence_class(request r) : wanted(std::move(r)) {}

    request wanted;
    aids_type with{};

    /// Forgets where the nodes stand, since they are judged by other ledgers now.
    void start_anew() { version_.reset(); }

    /// Brings the rows up to the snapshot; the aids are. O(what was touched since); the first time O(nodes).
    void refresh(Pipeline const& rules, nodes const& on, [[maybe_unused]] scanner<Pipeline>& look)
    {
        if (version_ == on.version() && moves_ == all_moves())
            return;
        if (version_ && on.slots() <= capacity_ && on.version() - *version_ <= on.slots()) {
            rows_.resize(on.slots());
            touched_.clear();
            bool known = on.touched_since(*version_, [&](auto t) { touched_.push_back(t.slot); });
            with.each_ledger([&]<class P>(std::size_t i, auto& l) {
                known =
                    known && l.moved_since(moves_[i], [&](std::uint32_t slot) { touched_.push_back(slot); });
            });
            if (known) {
                update_all(rules, on, look);
                version_ = on.version();
                moves_ = all_moves();
                return;
            }
        }
        version_.reset();  // should a plugin throw, all is to be done again
        capacity_ = std::bit_ceil(std::max<std::uint32_t>(64, on.slots()));
        rows_.assign(on.slots(), {});
        cells_.clear();
        free_cells_.clear();
        live_.clear();
        by_key_.clear();
        sets_.clear();
        free_sets_.clear();
        refusals_.assign(1, {});
        refusal_numbers_.clear();
        sweep(rules, on, look, all_slots{on.slots()});
        version_ = on.version();
        moves_ = all_moves();
    }

    /// The best node, ties by slot from `from` on. O(cells).
    [[nodiscard]] picked pick(Pipeline const& rules, nodes const& on, std::uint32_t from)
    {
        picked p;
        feasible_ = {};
        judged_.clear();
        with.open();
        bool first = true;
        for (auto const c : live_) {
            auto const& k = cells_[c].what;
            auto& j = judged_.emplace_back();
            j.no = with.refused_there(
                rules, k.places, k.refusal == 0 ? Pipeline::filter_count : refusals_[k.refusal].no.plugin);
            if (j.no.plugin == Pipeline::nobody)
                j.no = refusals_[k.refusal].no;
            if (j.no.plugin != Pipeline::nobody)
                continue;
            p.feasible += cells_[c].size;
            with.admit(k.places, cells_[c].size);
        }
        with.close();
        for (std::size_t i = 0; i < live_.size(); ++i) {
            auto& j = judged_[i];
            if (j.no.plugin != Pipeline::nobody)
                continue;
            auto const& k = cells_[live_[i]].what;
            j.raw = raw_of(k);
            with.score(rules, k.places, j.raw);
            Pipeline::widen(feasible_, j.raw, std::exchange(first, false));
        }
        auto const all = on.slots();
        auto const behind = [&](std::uint32_t slot) {
            return slot >= from ? slot - from : slot + all - from;
        };
        for (std::size_t i = 0; i < live_.size(); ++i) {
            auto& j = judged_[i];
            if (j.no.plugin != Pipeline::nobody)
                continue;
            auto const& top = cells_[live_[i]].buckets.back();
            j.rest = rules.template sum<false>(j.raw, feasible_);
            int const score = top.score + j.rest;
            if (p.slot && score < p.score)
                continue;
            auto const& best = sets_[top.set];
            auto const slot = best.first(from);
            if (!p.slot || score > p.score) {
                p.slot = slot;
                p.score = score;
                p.best = best.size();
            } else {
                p.best += best.size();
                p.slot = behind(slot) < behind(*p.slot) ? slot : *p.slot;
            }
        }
        return p;
    }

    /// The same with reasons.
    [[nodiscard]] decision decide(Pipeline const& rules, nodes const& on, std::uint32_t from)
    {
        auto const p = pick(rules, on, from);
        decision d{.node = p.slot,
            .score = p.score,
            .nodes = static_cast<std::uint32_t>(on.size()),
            .feasible = p.feasible,
            .best = p.best,
            .from = from};
        refusal_counts counts;
        for (auto const& r : refusals_)
            counts.add(r.no, r.nodes);
        for (std::size_t i = 0; i < live_.size(); ++i)
            counts.add(judged_[i].no, cells_[live_[i]].size);
        complete(d, rules, on, counts);
        return d;
    }

    /// The decision over some of the nodes, in ascending order of slots; their scores are those among all.
    /// O(cells + slots).
    template<class Slots>
    [[nodiscard]] decision decide_among(Pipeline const& rules, nodes const& on, Slots const& among)
    {
        (void)pick(rules, on, 0);
        decision d;
        refusal_counts counts;
        for (std::uint32_t const slot : among) {
            if (slot >= on.slots() || !on.has(slot))
                continue;
            ++d.nodes;
            auto const& r = rows_[slot];
            if (r.cell == none) {
                counts.add(refusals_[r.refusal].no, 1);
                continue;
            }
            auto const& j = judged_[cells_[r.cell].live_at];
            if (j.no.plugin != Pipeline::nobody) {
                counts.add(j.no, 1);
                continue;
            }
            ++d.feasible;
            int const score = r.bucket + j.rest;
            if (!d.node || score > d.score) {
                d.node = slot;
                d.score = score;
                d.best = 0;
            }
            d.best += score == d.score ? 1u : 0u;
        }
        complete(d, rules, on, counts);
        return d;
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    static constexpr std::size_t few_touched = 12;
    static constexpr std::size_t most_spare_sets = 16;

    /// The scores that are neither plain nor have a ledger.
    static constexpr std::size_t compared_count = [] {
        std::size_t n = 0;
        for (std::size_t i = 0; i < Pipeline::score_count; ++i)
            n += Pipeline::plain[i] || Pipeline::kept[i] ? 0u : 1u;
        return n;
    }();
    static constexpr auto compared = [] {
        std::array<std::size_t, compared_count> out{};
        for (std::size_t i = 0, next = 0; i < Pipeline::score_count; ++i)
            if (!Pipeline::plain[i] && !Pipeline::kept[i])
                out[next++] = i;
        return out;
    }();
    /// What the nodes of a cell have in common. A refusal is one that a filter with a ledger may come before.
    struct kinship {
        typename aids_type::places places{};
        std::uint32_t refusal = 0;
        std::array<std::int64_t, compared_count> raw{};  ///< the compared scores
        friend bool operator==(kinship const& a, kinship const& b)
        {
            bool same =
                a.refusal == b.refusal;  // loops, since they are short and std::array would call memcmp
            for (std::size_t i = 0; i < a.places.size(); ++i)
                same = same && a.places[i] == b.places[i];
            for (std::size_t i = 0; i < a.raw.size(); ++i)
                same = same && a.raw[i] == b.raw[i];
            return same;
        }
    };
    [[nodiscard]] static kinship kinship_of(
        typename aids_type::places const& places, std::uint32_t refusal, raw_scores const& raw)
    {
        kinship out{.places = places, .refusal = refusal};
        for (std::size_t i = 0; i < compared_count; ++i)
            out.raw[i] = raw[compared[i]];
        return out;
    }
    [[nodiscard]] static raw_scores raw_of(kinship const& k)
    {
        raw_scores out{};
        for (std::size_t i = 0; i < compared_count; ++i)
            out[compared[i]] = k.raw[i];
        return out;
    }
    struct hash {
        std::size_t operator()(kinship const& k) const
        {
            std::uint64_t h = k.refusal;
            auto const mix = [&](std::uint64_t x) { h = (h ^ x) * 0x9e3779b97f4a7c15u, h ^= h >> 29; };
            for (auto const p : k.places)
                mix(p);
            for (auto const r : k.raw)
                mix(static_cast<std::uint64_t>(r));
            return h;
        }
    };
    struct bucket {
        int score = 0;
        std::uint32_t set = 0;
    };
    struct cell {
        kinship what{};
        std::uint32_t size = 0;
        std::size_t live_at = 0;
        std::vector<bucket> buckets{};  ///< by score
    };
    struct row {
        std::uint32_t cell = none;
        std::uint32_t refusal = 0;  ///< where it is in no cell; 0: there is no node
        int bucket = 0;
    };
    struct counted {
        refusal no{};
        std::uint32_t nodes = 0;  ///< in no cell
    };
    struct judgement {
        refusal no{};
        raw_scores raw{};
        int rest = 0;  ///< the score but for the plain ones
    };
    using moves = std::array<std::uint64_t, aids_type::ledger_count>;

    [[nodiscard]] moves all_moves() const
    {
        moves out{};
        with.each_ledger([&]<class P>(std::size_t i, auto& l) { out[i] = l.moves(); });
        return out;
    }

    /// Those in `touched_`: many at once, few one by one.
    void update_all(Pipeline const& rules, nodes const& on, [[maybe_unused]] scanner<Pipeline>& look)
    {
        auto const count = touched_.size();
        if (count < few_touched) {
            for (auto const slot : touched_)
                update(rules, on, slot);
            return;
        }
        touched_.resize(swept_size(count), touched_.back());
        sweep(rules, on, look, some_slots{touched_.data(), count});
    }
    void sweep(Pipeline const& rules, nodes const& on, [[maybe_unused]] scanner<Pipeline>& look, auto slots)
    {
        if constexpr (scanner<Pipeline>::possible) {
            cell_of_group_.clear();
            look.each(rules, on, wanted, with, slots,
                [&](std::uint32_t slot, std::uint32_t group, int plain, auto const* kin) {
                    if (kin == nullptr)
                        return update(rules, on, slot);
                    if (group >= cell_of_group_.size())
                        cell_of_group_.resize(group + 1, none);
                    auto& c = cell_of_group_[group];
                    auto const k = kinship_of(kin->places, 0, kin->raw);
                    if (c == none || cells_[c].size == 0 ||
                        !(cells_[c].what == k))  // it may have been given up on the way
                        c = cell_of(k);
                    move(slot, c, plain);
                });
        } else {
            for (std::size_t i = 0; i < slots.size(); ++i)
                update(rules, on, slots[i]);
        }
    }
    /// The slot's node is in that cell now.
    void move(std::uint32_t slot, std::uint32_t c, int plain)
    {
        auto& r = rows_[slot];
        if (r.cell == c && r.bucket == plain)
            return;
        enter(slot, c, plain);  // first, so that a cell that it only moves within lives on
        leave(slot, r);
        r = {.cell = c, .bucket = plain};
    }
    void complete(decision& d, Pipeline const& rules, nodes const& on, refusal_counts const& counts) const
    {
        d.version = on.version();
        d.refused = counts.all();
        if (!d.node)
            return;
        auto raw = with.fixed->of(*d.node).raw;
        rules.template score<part::moving>(on.at(*d.node), wanted, raw);
        with.score(rules, with.places_of(*d.node), raw);
        d.scores = rules.weigh(raw, feasible_);
    }
    void update(Pipeline const& rules, nodes const& on, std::uint32_t slot)
    {
        row& r = rows_[slot];
        if (!on.has(slot)) {
            leave(slot, r);
            r = {};
            return;
        }
        auto const at = on.at(slot);
        auto const& fixed = with.fixed->of(slot);
        auto const no = rules.template first_refusal<part::moving>(at, wanted, fixed.no);
        if (no.plugin != Pipeline::nobody && no.plugin < aids_type::first_kept_filter) {
            if (r.cell == none && refusals_[r.refusal].no == no)
                return;
            leave(slot, r);
            r = {.refusal = number_of(no)};
            ++refusals_[r.refusal].nodes;
            return;
        }
        bool const fits = no.plugin == Pipeline::nobody;
        auto raw = fits ? fixed.raw : raw_scores{};
        if (fits)
            rules.template score<part::moving>(at, wanted, raw);
        int const plain = fits ? rules.template sum<true>(raw, {}) : 0;
        auto const to = kinship_of(with.places_of(slot), fits ? 0 : number_of(no), raw);
        move(slot, r.cell != none && cells_[r.cell].what == to ? r.cell : cell_of(to), plain);
    }
    void enter(std::uint32_t slot, std::uint32_t c, int score)
    {
        auto& to = cells_[c];
        ++to.size;
        auto at = bucket_of(to, score);
        if (at == to.buckets.end() || at->score != score) {
            auto set = static_cast<std::uint32_t>(sets_.size());
            if (free_sets_.empty()) {
                sets_.emplace_back();
            } else {
                set = free_sets_.back();
                free_sets_.pop_back();
            }
            at = to.buckets.insert(at, {score, set});
        }
        sets_[at->set].add(slot, capacity_);
    }
    void leave(std::uint32_t slot, row const& r)
    {
        if (r.cell == none) {
            if (r.refusal != 0)
                --refusals_[r.refusal].nodes;
            return;
        }
        auto& from = cells_[r.cell];
        auto const at = bucket_of(from, r.bucket);
        sets_[at->set].drop(slot);
        if (sets_[at->set].size() == 0) {
            if (free_sets_.size() >= most_spare_sets)  // one that held many keeps room for as many
                sets_[at->set] = {};
            free_sets_.push_back(at->set);
            from.buckets.erase(at);
        }
        if (--from.size == 0) {
            by_key_.erase(from.what);
            cells_[live_.back()].live_at = from.live_at;
            live_[from.live_at] = live_.back();
            live_.pop_back();
            free_cells_.push_back(r.cell);
        }
    }
    static auto bucket_of(cell& c, int score)
    {
        return std::lower_bound(c.buckets.begin(), c.buckets.end(), score,
            [](bucket const& b, int wanted) { return b.score < wanted; });
    }
    std::uint32_t cell_of(kinship const& k)
    {
        if (auto const found = by_key_.find(k); found != by_key_.end())
            return found->second;
        auto c = static_cast<std::uint32_t>(cells_.size());
        if (free_cells_.empty()) {
            cells_.emplace_back();
        } else {
            c = free_cells_.back();
            free_cells_.pop_back();
        }
        cells_[c].what = k;
        cells_[c].live_at = live_.size();
        live_.push_back(c);
        by_key_.emplace(k, c);
        return c;
    }
    std::uint32_t number_of(refusal const& no)
    {
        auto const [at, isnew] = refusal_numbers_.try_emplace(
            std::tuple(no.plugin, no.codes, no.unresolvable), static_cast<std::uint32_t>(refusals_.size()));
        if (isnew)
            refusals_.push_back({.no = no});
        return at->second;
    }

    std::optional<std::uint64_t> version_{};  ///< of the snapshot that the rows are true for; none: no rows
    moves moves_{};                           ///< of the ledgers, the same
    std::uint32_t capacity_ = 0;
    std::vector<row> rows_{};
    std::vector<cell> cells_{};
    std::vector<std::uint32_t> free_cells_{};
    std::vector<std::uint32_t> live_{};  ///< cells that have nodes
    std::unordered_map<kinship, std::uint32_t, hash> by_key_{};
    std::vector<slot_set> sets_{};
    std::vector<std::uint32_t> free_sets_{};
    std::vector<counted> refusals_{};  ///< the first one is none
    std::map<std::tuple<std::uint8_t, std::uint64_t, bool>, std::uint32_t> refusal_numbers_{};
    std::vector<judgement> judged_{};  // scratch, by live cell
    std::vector<std::uint32_t> touched_{};
    std::vector<std::uint32_t> cell_of_group_{};
    ranges feasible_{};
};

}  // namespace podium::v0::schedule::detail
