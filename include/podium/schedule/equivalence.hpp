#pragma once
/// What the scheduler remembers: the parts that `scheduler` puts together. Nothing here is visible in an answer.
///
/// - `kept_ledger`: a plugin's ledger, brought up to date when it is asked.
/// - `fixed_answers`: what the plugins that read the node alone say of each node; pods that are alike to them share it.
/// - `aids`: both for one request.
/// - `equivalence_class`: for pods that are alike to all plugins, where each node stands.

#include <podium/schedule/ledger.hpp>
#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/slot_set.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::detail {

template<class P, class Nodes, class Request>
class kept_ledger {
    using ledger = typename P::template ledger<Nodes>;
    static_assert(Ledger<ledger, P, Nodes, Request>, "podium: a plugin's `ledger` lacks what schedule::Ledger asks for");

public:
    using key = typename ledger::key;

    kept_ledger(P const& plugin, Nodes& on, key k) : key_(std::move(k)), ledger_(plugin, on, key_) {}

    [[nodiscard]] key const& what() const noexcept { return key_; }
    [[nodiscard]] ledger& now() noexcept { return ledger_; }
    [[nodiscard]] ledger const& now() const noexcept { return ledger_; }

    /// O(what was touched since).
    void refresh(P const& plugin, Nodes& on)
    {
        if (version_ == on.version())
            return;
        if (version_ && !ledger_.stale(on) && on.version() - *version_ <= on.slots() && on.touched_since(*version_, [&](auto t) {
                ledger_.touch(plugin, on, t.slot, t.node, moved_);
            })) {
            version_ = on.version();
            if (moved_.size() > 1024 + 2 * std::size_t{on.slots()}) {
                forgotten_ += moved_.size();
                moved_.clear();
            }
            return;
        }
        if (version_)
            ledger_ = ledger(plugin, on, key_);
        for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
            if (on.has(slot))
                ledger_.touch(plugin, on, slot, true, moved_);
        forgotten_ += moved_.size() + 1;
        moved_.clear();
        version_ = on.version();
    }
    /// Counts up with each node that came to another place because of another node.
    [[nodiscard]] std::uint64_t moves() const noexcept { return forgotten_ + moved_.size(); }
    /// seen(slot) for those since; false: too long ago to know, so any may have.
    bool moved_since(std::uint64_t moves, auto&& seen) const
    {
        if (moves < forgotten_)
            return false;
        for (auto i = static_cast<std::size_t>(moves - forgotten_); i < moved_.size(); ++i)
            seen(moved_[i]);
        return true;
    }

private:
    key key_;
    ledger ledger_;
    std::optional<std::uint64_t> version_{};  ///< of the snapshot that it is true for; none: it knows no node
    std::vector<std::uint32_t> moved_{};
    std::uint64_t forgotten_ = 0;
};

/// Answers that each plugin of a list has, where it has a ledger.
template<class Pipeline, class Plugins>
struct ledgers_of;
template<class Pipeline, class... P>
struct ledgers_of<Pipeline, std::tuple<P...>> {
    template<class Plugin>
    static auto one()
    {
        if constexpr (Pipeline::template is_kept<Plugin>)
            return std::type_identity<std::shared_ptr<kept_ledger<Plugin, typename Pipeline::nodes,
                std::remove_cvref_t<decltype(Pipeline::template part_of<Plugin>(
                    std::declval<typename Pipeline::request const&>()))>>>>{};
        else
            return std::type_identity<nothing>{};
    }
    using type = std::tuple<typename decltype(one<P>())::type...>;
    static constexpr std::size_t count = (std::size_t{0} + ... + (Pipeline::template is_kept<P> ? 1u : 0u));
};

template<class Pipeline>
class fixed_answers {
public:
    using refusal = typename Pipeline::refusal;
    using raw_scores = typename Pipeline::raw_scores;
    struct answer {
        refusal no{};
        raw_scores raw{};
        friend bool operator==(answer const&, answer const&) = default;
        friend bool operator<(answer const& a, answer const& b)
        {
            return std::tie(a.no.codes, a.no.plugin, a.no.unresolvable, a.raw) <
                std::tie(b.no.codes, b.no.plugin, b.no.unresolvable, b.raw);
        }
    };

    explicit fixed_answers(typename Pipeline::request like) : like_(std::move(like)) {}

    /// Pods with such a request get these answers.
    [[nodiscard]] bool knows(typename Pipeline::request const& r) const
    {
        bool same = true;
        Pipeline::each_plugin([&]<class P>() {
            if constexpr (Pipeline::template is_fixed<P>)
                same = same && Pipeline::template part_of<P>(r) == Pipeline::template part_of<P>(like_);
        });
        return same;
    }
    void refresh(Pipeline const& rules, typename Pipeline::nodes const& on)
    {
        if (version_ == on.version())
            return;
        auto const ask = [&](std::uint32_t slot) {
            if (!on.has(slot))
                return;
            answer a{.no = rules.template first_refusal<Pipeline::part::fixed>(on.at(slot), like_)};
            rules.template score<Pipeline::part::fixed>(on.at(slot), like_, a.raw);
            auto const [at, isnew] = numbers_.try_emplace(a, static_cast<std::uint32_t>(answers_.size()));
            if (isnew)
                answers_.push_back(a);
            at_[slot] = at->second;
        };
        at_.resize(on.slots());
        bool const few = answers_.size() <= 1024 + 4 * std::size_t{on.slots()};
        if (!version_ || !few || !on.touched_since(*version_, [&](auto t) {
                if (t.node)
                    ask(t.slot);
            })) {
            answers_.clear();
            numbers_.clear();
            for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
                ask(slot);
        }
        version_ = on.version();
    }
    [[nodiscard]] answer const& of(std::uint32_t slot) const { return answers_[at_[slot]]; }
    /// Nodes of equal numbers have equal answers.
    [[nodiscard]] std::uint32_t number_of(std::uint32_t slot) const { return at_[slot]; }
    [[nodiscard]] std::vector<answer> const& answers() const noexcept { return answers_; }

private:
    typename Pipeline::request like_;
    std::optional<std::uint64_t> version_{};
    std::vector<std::uint32_t> at_{};  ///< by slot
    std::vector<answer> answers_{};
    std::map<answer, std::uint32_t> numbers_{};
};

/// What a decision is made with: the rules, the nodes, and what is remembered of them for one request.
template<class Pipeline>
struct aids {
    using ledgers = ledgers_of<Pipeline, typename Pipeline::plugins>;
    using nodes = typename Pipeline::nodes;
    using refusal = typename Pipeline::refusal;
    using raw_scores = typename Pipeline::raw_scores;
    static constexpr std::size_t ledger_count = ledgers::count;

    std::shared_ptr<fixed_answers<Pipeline>> fixed{};
    typename ledgers::type kept{};

    /// what.operator()<Plugin>(i, kept_ledger&) for each ledger, numbered.
    void each_ledger(auto&& what) const
    {
        std::size_t i = 0;
        Pipeline::each_plugin([&]<class P>() {
            if constexpr (Pipeline::template is_kept<P>)
                what.template operator()<P>(i++, *Pipeline::template of_plugin<P>(kept));
        });
    }
    void refresh(Pipeline const& rules, nodes& on) const
    {
        fixed->refresh(rules, on);
        each_ledger([&]<class P>(std::size_t, auto& l) { l.refresh(rules.template plugin<P>(), on); });
    }
    using places = std::array<std::uint32_t, ledger_count>;
    [[nodiscard]] places places_of(std::uint32_t slot) const
    {
        places out{};
        each_ledger([&]<class P>(std::size_t i, auto& l) { out[i] = l.now().place(slot); });
        return out;
    }
    /// The first filter with a ledger that refuses a node there, of those before `end`.
    [[nodiscard]] refusal refused_there(Pipeline const& rules, places const& at, std::size_t end) const
    {
        refusal out;
        Pipeline::each_filter([&]<std::size_t I, class P>() {
            if constexpr (Pipeline::template is_kept<P>)
                if (I < end) {
                    auto const& l = Pipeline::template of_plugin<P>(kept)->now();
                    if (auto const v = l.filter(rules.template plugin<P>(), at[number<P>]); !v.fits())
                        out = {.codes = v.codes, .plugin = I, .unresolvable = v.unresolvable};
                }
            return out.plugin != Pipeline::nobody || I >= end;
        });
        return out;
    }
    void open() const
    {
        each_ledger([&]<class P>(std::size_t, auto& l) { l.now().open(); });
    }
    void admit(places const& at, std::uint32_t count) const
    {
        each_ledger([&]<class P>(std::size_t i, auto& l) { l.now().admit(at[i], count); });
    }
    void close() const
    {
        each_ledger([&]<class P>(std::size_t, auto& l) { l.now().close(); });
    }
    /// Fills in the scores that have a ledger.
    void score(Pipeline const& rules, places const& at, raw_scores& raw) const
    {
        Pipeline::each_score([&]<std::size_t I, class P, int W>() {
            if constexpr (Pipeline::template is_kept<P>) {
                auto const& l = Pipeline::template of_plugin<P>(kept)->now();
                raw[I] = l.score(rules.template plugin<P>(), at[number<P>]);
                if constexpr (!HasNormalize<P>)
                    raw[I] = std::clamp<std::int64_t>(raw[I], 0, max_score);
            }
        });
    }
    /// The place in filters<> of the first that has a ledger.
    static constexpr std::size_t first_kept_filter = [] {
        std::size_t at = Pipeline::filter_count;
        Pipeline::each_filter([&]<std::size_t I, class P>() {
            if (Pipeline::template is_kept<P> && at == Pipeline::filter_count)
                at = I;
            return false;
        });
        return at;
    }();
    /// A ledger's number.
    template<class P>
    static constexpr std::size_t number = [] {
        std::size_t n = 0;
        bool before = true;
        Pipeline::each_plugin([&]<class Q>() {
            before = before && !std::same_as<P, Q>;
            n += before && Pipeline::template is_kept<Q> ? 1u : 0u;
        });
        return n;
    }();
};

/// Nodes that are alike to all but the plain scores lie in one cell, and there in one bucket for each sum of these. So a bind
/// moves one node from bucket to bucket, and a decision looks at the cells, of which there are few: a changed maximum
/// or a changed domain moves no node.
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
    typename nodes::hints hints{};

    /// Forgets where the nodes stand, since they are judged by other ledgers now.
    void start_anew() { version_.reset(); }

    /// Brings the rows up to the snapshot; the aids are. O(what was touched since).
    void refresh(Pipeline const& rules, nodes const& on)
    {
        if (version_ == on.version() && moves_ == all_moves())
            return;
        if (version_ && on.slots() <= capacity_ && on.version() - *version_ <= on.slots()) {
            rows_.resize(on.slots());
            on.touched_since(*version_, [&](auto t) { prefetch(t.slot); });
            bool known = on.touched_since(*version_, [&](auto t) { update(rules, on, t.slot); });
            with.each_ledger([&]<class P>(std::size_t i, auto& l) {
                known = known && l.moved_since(moves_[i], [&](std::uint32_t slot) { update(rules, on, slot); });
            });
            if (known) {
                version_ = on.version();
                moves_ = all_moves();
                return;
            }
        }
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
        for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
            update(rules, on, slot);
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
            j.no = with.refused_there(rules, k.places, k.refusal == 0 ? Pipeline::filter_count : refusals_[k.refusal].no.plugin);
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
        auto const behind = [&](std::uint32_t slot) { return slot >= from ? slot - from : slot + all - from; };
        for (std::size_t i = 0; i < live_.size(); ++i) {
            auto const& j = judged_[i];
            if (j.no.plugin != Pipeline::nobody)
                continue;
            auto const& top = cells_[live_[i]].buckets.back();
            int const score = top.score + rules.template sum<false>(j.raw, feasible_);
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
        if (p.slot) {
            auto raw = with.fixed->of(*p.slot).raw;
            rules.template score<part::moving>(on.at(*p.slot), wanted, raw);
            with.score(rules, with.places_of(*p.slot), raw);
            d.scores = rules.weigh(raw, feasible_);
        }
        std::map<std::pair<std::uint8_t, std::uint8_t>, std::uint32_t> counts;
        auto const count = [&](refusal const& no, std::uint32_t by) {
            if (by != 0)
                for (auto codes = no.codes; codes != 0; codes &= codes - 1)
                    counts[{no.plugin, static_cast<std::uint8_t>(std::countr_zero(codes))}] += by;
        };
        for (auto const& r : refusals_)
            count(r.no, r.nodes);
        for (std::size_t i = 0; i < live_.size(); ++i)
            count(judged_[i].no, cells_[live_[i]].size);
        for (auto const& [which, n] : counts)
            d.refused.push_back({.plugin = which.first, .code = which.second, .nodes = n});
        return d;
    }

private:
    static constexpr std::uint32_t none = ~std::uint32_t{0};

    static constexpr std::size_t compared_count = [] {
        std::size_t n = 0;
        for (std::size_t i = 0; i < Pipeline::score_count; ++i)
            n += Pipeline::plain[i] || Pipeline::kept[i] ? 0u : 1u;
        return n;
    }();
    /// What the nodes of a cell have in common. A refusal is one that a filter with a ledger may come before.
    struct kinship {
        typename aids_type::places places{};
        std::uint32_t refusal = 0;
        std::array<std::int64_t, compared_count> raw{};  ///< the scores that are neither plain nor have a ledger
        friend bool operator==(kinship const& a, kinship const& b)
        {
            bool same = a.refusal == b.refusal;  // loops, since they are short and std::array would call memcmp
            for (std::size_t i = 0; i < a.places.size(); ++i)
                same = same && a.places[i] == b.places[i];
            for (std::size_t i = 0; i < a.raw.size(); ++i)
                same = same && a.raw[i] == b.raw[i];
            return same;
        }
    };
    static constexpr bool is_compared(std::size_t score) { return !Pipeline::plain[score] && !Pipeline::kept[score]; }
    [[nodiscard]] static raw_scores raw_of(kinship const& k)
    {
        raw_scores out{};
        for (std::size_t i = 0, from = 0; i < Pipeline::score_count; ++i)
            if (is_compared(i))
                out[i] = k.raw[from++];
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
    };
    using moves = std::array<std::uint64_t, aids_type::ledger_count>;

    [[nodiscard]] moves all_moves() const
    {
        moves out{};
        with.each_ledger([&]<class P>(std::size_t i, auto& l) { out[i] = l.moves(); });
        return out;
    }

    /// With many classes a row is seldom in a cache.
    void prefetch([[maybe_unused]] std::uint32_t slot) const
    {
#if defined(__GNUC__)
        __builtin_prefetch(&rows_[slot]);
#endif
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
        kinship to{.places = with.places_of(slot)};
        int plain = 0;
        if (no.plugin != Pipeline::nobody) {
            to.refusal = number_of(no);
        } else {
            auto raw = fixed.raw;
            rules.template score<part::moving>(at, wanted, raw);
            plain = rules.template sum<true>(raw, {});
            for (std::size_t i = 0, next = 0; i < Pipeline::score_count; ++i)
                if (is_compared(i))
                    to.raw[next++] = raw[i];
        }
        bool const stays = r.cell != none && cells_[r.cell].what == to;
        if (stays && r.bucket == plain)
            return;
        auto const c = stays ? r.cell : cell_of(to);
        enter(slot, c, plain);  // first, so that a cell that it only moves within lives on
        leave(slot, r);
        r = {.cell = c, .bucket = plain};
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
        return std::lower_bound(
            c.buckets.begin(), c.buckets.end(), score, [](bucket const& b, int wanted) { return b.score < wanted; });
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
    ranges feasible_{};
};

}  // namespace podium::v0::schedule::detail
