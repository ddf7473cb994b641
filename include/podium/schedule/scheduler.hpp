#pragma once
/// The scheduler: a snapshot, a pipeline, and a memory that makes placing the next like pod cheap.
///
/// Pods with equal requests form a class. A class remembers the verdict and scores of every node and asks
/// again only about nodes that changed since: after a bind, one node and only the plugins that read columns.
/// Nodes that fit lie in cells (equal raw scores of the plugins that normalise, so a changed maximum moves
/// nobody) and within a cell in one bucket for each score, a set of bits in node order. So a decision costs
/// what changed, plus the cells.
///
/// The memory is invisible: every answer equals `pipeline::decide` on the same snapshot (held by a test). A
/// class is remembered in full from its second pod on; the least recently used goes when there are too many.

#include <podium/schedule/pipeline.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

struct options {
    /// Which of the best nodes: none: the first in node order. A seed: the first from a position drawn anew
    /// for each decision, always the same for the same seed.
    std::optional<std::uint64_t> ties_seed{};
    std::size_t classes = 64;  ///< remembered at most, >= 1; each takes about 100 bytes a node
};

/// A batch of like pods, placed one after the other.
struct placed {
    std::vector<std::uint32_t> nodes{};  ///< the slot of each, in order
    std::optional<decision> refused{};   ///< why the rest was not: no node fits any more
};

template<class Pipeline>
class scheduler {
public:
    using node_type = typename Pipeline::node_type;
    using pod_type = typename Pipeline::pod_type;
    using nodes_type = schedule::snapshot<Pipeline>;

    explicit scheduler(Pipeline rules = {}, schedule::options how = {})
        : scheduler(nodes_type{}, std::move(rules), how)
    {
    }
    explicit scheduler(nodes_type nodes, Pipeline rules = {}, schedule::options how = {})
        : rules_(std::move(rules)),
          how_(how),
          nodes_(std::move(nodes))
    {
    }
    scheduler(scheduler&&) = default;
    scheduler& operator=(scheduler&&) = default;
    ~scheduler() = default;

    [[nodiscard]] nodes_type const& nodes() const noexcept { return nodes_; }
    [[nodiscard]] Pipeline const& rules() const noexcept { return rules_; }

    /// The fold of changes; see `snapshot`.
    std::uint32_t set(std::string_view name, node_type node) { return nodes_.set(name, std::move(node)); }
    void remove(std::string_view name) { nodes_.remove(name); }
    void bind(std::string_view name, pod_type const& pod) { nodes_.bind(name, pod); }
    void unbind(std::string_view name, pod_type const& pod) { nodes_.unbind(name, pod); }

    /// Where the pod would go. Binds nothing.
    [[nodiscard]] decision decide(pod_type const& pod)
    {
        auto wanted = rules_.prepare(pod);
        auto const from = draw();
        if constexpr (remembers) {
            auto& c = class_of(std::move(wanted));
            if (!std::exchange(c.seen, true))
                return rules_.decide_class(nodes_, c.wanted, from);
            c.refresh(*this);
            return c.decide(*this, from);
        } else {
            return rules_.decide_class(nodes_, wanted, from);
        }
    }

    /// Decides and binds.
    decision place(pod_type const& pod)
    {
        auto d = decide(pod);
        if (d.node)
            nodes_.bind(*d.node, pod);
        return d;
    }

    /// Places `count` pods like this one, each after the one before is bound; stops at the first that fits
    /// nowhere.
    placed place(pod_type const& pod, std::size_t count)
    {
        placed out;
        out.nodes.reserve(count);
        if constexpr (Pipeline::spans) {
            while (out.nodes.size() < count) {
                auto d = place(pod);
                if (!d.node) {
                    out.refused = std::move(d);
                    break;
                }
                out.nodes.push_back(*d.node);
            }
            return out;
        }
        auto alike = class_type(rules_.prepare(pod));
        class_type* c = &alike;
        if constexpr (Pipeline::request::comparable)
            c = &class_of(std::move(alike.wanted));
        c->seen = true;
        for (std::size_t i = 0; i < count; ++i) {
            auto const from = draw();
            c->refresh(*this);
            auto const p = c->pick(*this, from);
            if (!p.slot) {
                out.refused = c->decide(*this, from);
                break;
            }
            nodes_.bind(*p.slot, pod);
            out.nodes.push_back(*p.slot);
        }
        return out;
    }

    /// The whole table; `explain(pod, d.from).decision == d` for what was just decided.
    [[nodiscard]] explanation explain(pod_type const& pod, std::uint32_t from = 0) const
    {
        return rules_.explain(nodes_, pod, from);
    }
    [[nodiscard]] std::string summary(decision const& d, pod_type const& pod) const
    {
        return rules_.summary(d, pod);
    }
    /// The chosen node's name; empty when there is none.
    [[nodiscard]] std::string_view name(decision const& d) const
    {
        return d.node ? std::string_view(nodes_.name(*d.node)) : std::string_view{};
    }

private:
    /// A class can be remembered: its pods are known when seen again, and no answer about a node depends on
    /// the others.
    static constexpr bool remembers = Pipeline::request::comparable && !Pipeline::spans;

    /// An ordered set of slots in two levels of words.
    class slots {
    public:
        explicit slots(std::size_t capacity)
            : words_((capacity + 63) / 64),
              groups_((words_.size() + 63) / 64)
        {
        }
        void add(std::uint32_t i)
        {
            words_[i >> 6] |= bit(i);
            groups_[i >> 12] |= bit(i >> 6);
            ++size;
        }
        void drop(std::uint32_t i)
        {
            if ((words_[i >> 6] &= ~bit(i)) == 0)
                groups_[i >> 12] &= ~bit(i >> 6);
            --size;
        }
        /// The first at or after `from`, else the first of all. Not empty.
        [[nodiscard]] std::uint32_t first(std::uint32_t from) const
        {
            if (auto const rest = words_[from >> 6] >> (from & 63); rest != 0)
                return from + static_cast<std::uint32_t>(std::countr_zero(rest));
            auto const next = (from >> 6) + 1;
            auto g = std::size_t{next >> 6};
            for (auto mask = ~std::uint64_t{0} << (next & 63); g < groups_.size();
                ++g, mask = ~std::uint64_t{0})
                if (auto const some = groups_[g] & mask; some != 0)
                    return lowest(g, some);
            for (g = 0; groups_[g] == 0;)
                ++g;
            return lowest(g, groups_[g]);
        }
        std::uint32_t size = 0;

    private:
        static constexpr std::uint64_t bit(std::uint32_t i) { return std::uint64_t{1} << (i & 63); }
        [[nodiscard]] std::uint32_t lowest(std::size_t group, std::uint64_t some) const
        {
            auto const w = group * 64 + static_cast<std::size_t>(std::countr_zero(some));
            return static_cast<std::uint32_t>(w * 64 + static_cast<std::size_t>(std::countr_zero(words_[w])));
        }
        std::vector<std::uint64_t> words_;
        std::vector<std::uint64_t> groups_;
    };

    /// Nodes with the same raw scores where those are normalised: they differ in their plain score only.
    struct cell {
        std::uint32_t size = 0;
        std::array<std::uint64_t, static_cast<std::size_t>(Pipeline::most_plain) / 64 + 1> some{};
        std::vector<std::unique_ptr<slots>> buckets =
            std::vector<std::unique_ptr<slots>>(static_cast<std::size_t>(Pipeline::most_plain) + 1);

        [[nodiscard]] int highest() const
        {
            for (auto k = some.size(); k-- > 0;)
                if (some[k] != 0)
                    return static_cast<int>(k * 64 + 63) - std::countl_zero(some[k]);
            return -1;
        }
    };

    struct class_type {
        using raw_scores = typename Pipeline::raw_scores;
        using ranges = typename Pipeline::ranges;
        using refusal = typename Pipeline::refusal;
        using part = typename Pipeline::part;
        using cells_type = std::map<raw_scores, cell>;

        /// What is remembered of a node.
        struct row {
            refusal no{};     ///< why it does not fit
            refusal fixed{};  ///< the same by the plugins that read the node alone
            raw_scores raw{};
            typename cells_type::iterator in{};
            int bucket = -1;  ///< -1: in no cell
        };
        struct picked {
            std::optional<std::uint32_t> slot{};
            int score = 0;
            std::uint32_t best = 0;
            ranges feasible{};
        };

        explicit class_type(typename Pipeline::request r) : wanted(std::move(r)) {}

        typename Pipeline::request wanted;
        bool seen = false;
        std::optional<std::uint64_t>
            version{};  ///< of the snapshot that the rows are true for; none: no rows
        std::size_t capacity = 0;
        std::vector<row> rows{};
        cells_type cells{};
        std::vector<std::unique_ptr<slots>> spare{};
        std::uint32_t feasible = 0;
        std::array<std::array<std::uint32_t, 64>, Pipeline::filter_count> refused{};

        /// Brings the rows up to the snapshot. O(what was touched since).
        void refresh(scheduler const& s)
        {
            auto const& on = s.nodes_;
            if (version && on.slots() <= capacity) {
                rows.resize(on.slots());
                if (on.version() - *version <= on.slots() &&
                    on.touched_since(*version, [&](auto t) { update(s, t.slot, t.node); })) {
                    version = on.version();
                    return;
                }
            }
            capacity = std::bit_ceil(std::max<std::size_t>(64, on.slots()));
            rows.assign(on.slots(), {});
            cells.clear();
            spare.clear();
            feasible = 0;
            refused = {};
            for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
                update(s, slot, true);
            version = on.version();
        }

        void update(scheduler const& s, std::uint32_t slot, bool node)
        {
            row& r = rows[slot];
            refusal no{};
            typename cells_type::iterator to{};
            int bucket = -1;
            if (s.nodes_.has(slot)) {
                auto const at = s.nodes_.at(slot);
                if (node) {
                    r.fixed = s.rules_.template first_refusal<part::fixed>(at, wanted);
                    s.rules_.template score<part::fixed>(at, wanted, r.raw);
                }
                no = s.rules_.template first_refusal<part::moving>(at, wanted, r.fixed);
                if (no.plugin == Pipeline::nobody) {
                    s.rules_.template score<part::moving>(at, wanted, r.raw);
                    bucket = s.rules_.template sum<false>(r.raw, {});
                    auto const key = coordinates(r.raw);
                    to = r.bucket >= 0 && r.in->first == key ? r.in : cells.try_emplace(key).first;
                }
            }
            if (r.no != no) {
                count(r.no, -1);
                count(no, 1);
                r.no = no;
            }
            if (bucket == r.bucket && (bucket < 0 || to == r.in))
                return;
            auto const left = r.in;
            bool const leaves = r.bucket >= 0;
            if (leaves)
                drop(slot, left->second, static_cast<std::size_t>(r.bucket));
            if (bucket >= 0)
                add(slot, to->second, static_cast<std::size_t>(bucket));
            if (leaves && left->second.size == 0)
                cells.erase(left);
            r.in = to;
            r.bucket = bucket;
        }

        [[nodiscard]] picked pick(scheduler const& s, std::uint32_t from) const
        {
            picked p;
            for (bool first = true; auto const& [raw, c] : cells)
                Pipeline::widen(p.feasible, raw, std::exchange(first, false));
            auto const all = s.nodes_.slots();
            auto const behind = [&](std::uint32_t slot) {
                return slot >= from ? slot - from : slot + all - from;
            };
            for (auto const& [raw, c] : cells) {
                int const bucket = c.highest();
                int const score = bucket + s.rules_.template sum<true>(raw, p.feasible);
                auto const& best = *c.buckets[static_cast<std::size_t>(bucket)];
                if (p.slot && score < p.score)
                    continue;
                auto const slot = best.first(from);
                if (!p.slot || score > p.score)
                    p = {.slot = slot, .score = score, .best = best.size, .feasible = p.feasible};
                else {
                    p.best += best.size;
                    p.slot = behind(slot) < behind(*p.slot) ? slot : *p.slot;
                }
            }
            return p;
        }

        [[nodiscard]] decision decide(scheduler const& s, std::uint32_t from) const
        {
            auto const p = pick(s, from);
            decision d{.node = p.slot,
                .score = p.score,
                .nodes = static_cast<std::uint32_t>(s.nodes_.size()),
                .feasible = feasible,
                .best = p.best,
                .from = from};
            if (p.slot)
                d.scores = s.rules_.weigh(rows[*p.slot].raw, p.feasible);
            for (std::uint8_t plugin = 0; plugin < Pipeline::filter_count; ++plugin)
                for (std::uint8_t code = 0; code < 64; ++code)
                    if (refused[plugin][code] != 0)
                        d.refused.push_back({.plugin = plugin, .code = code, .nodes = refused[plugin][code]});
            return d;
        }

    private:
        static raw_scores coordinates(raw_scores raw)
        {
            for (std::size_t k = 0; k < raw.size(); ++k)
                raw[k] = Pipeline::normalised[k] ? raw[k] : 0;
            return raw;
        }
        void count(refusal const& no, int sign)
        {
            for (auto codes = no.codes; codes != 0; codes &= codes - 1)
                refused[no.plugin][static_cast<std::size_t>(std::countr_zero(codes))] +=
                    static_cast<std::uint32_t>(sign);
        }
        void add(std::uint32_t slot, cell& c, std::size_t bucket)
        {
            auto& set = c.buckets[bucket];
            if (!set && !spare.empty()) {
                set = std::move(spare.back());
                spare.pop_back();
            } else if (!set) {
                set = std::make_unique<slots>(capacity);
            }
            set->add(slot);
            c.some[bucket / 64] |= std::uint64_t{1} << (bucket % 64);
            ++c.size;
            ++feasible;
        }
        void drop(std::uint32_t slot, cell& c, std::size_t bucket)
        {
            auto& set = c.buckets[bucket];
            set->drop(slot);
            if (set->size == 0) {
                spare.push_back(std::move(set));
                c.some[bucket / 64] &= ~(std::uint64_t{1} << (bucket % 64));
            }
            --c.size;
            --feasible;
        }
    };

    /// The class of these requests, moved to the front; a new one pushes the last out.
    class_type& class_of(typename Pipeline::request wanted)
    {
        for (auto c = classes_.begin(); c != classes_.end(); ++c)
            if (c->wanted == wanted) {
                classes_.splice(classes_.begin(), classes_, c);
                return classes_.front();
            }
        if (classes_.size() >= std::max<std::size_t>(1, how_.classes))
            classes_.pop_back();
        return classes_.emplace_front(std::move(wanted));
    }

    std::uint32_t draw()
    {
        if (!how_.ties_seed || nodes_.slots() == 0)
            return 0;
        auto x = *how_.ties_seed + 0x9e3779b97f4a7c15u * ++drawn_;  // splitmix64: Steele, Lea and Flood, 2014
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        return static_cast<std::uint32_t>((x ^ (x >> 31)) % nodes_.slots());
    }

    Pipeline rules_;
    schedule::options how_;
    nodes_type nodes_;
    std::list<class_type> classes_{};
    std::uint64_t drawn_ = 0;
};

}  // namespace podium::v0::schedule
