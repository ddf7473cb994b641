#pragma once
/// Evictions: an index of who could make room, so that the next preemption costs what changed.
///
///     evictions<rules> index;
///     index.add(7, {.node = slot, .pod = &match, .priority = 1});   // beside nodes.bind(slot, match)
///     auto const found = index.find(nodes, urgent, {.priority = 9});
///     if (found.best) ...                                           // their ids: found.best->pods
///
/// Preemptors with equal requests and priority form a class. A class remembers of every node who would have
/// to go there, and asks again only about nodes that changed since: whose node or pods changed, or one of
/// whose pods counts for a disruption budget that now allows more or fewer than it has pods there. A tree
/// over the nodes, each parent the better of two, has the best on top. So an answer costs O(log nodes), and
/// for each node that changed O(pods there x plugins).
///
/// The memory is invisible: every answer equals `preempt` on the same nodes with the occupants by rising id
/// (held by a test). Where an answer about a node depends on other nodes (`filters_alone`), it is asked.
///
/// A node's victims are found on a snapshot of that node alone, with its occupants bound to it one by one: so
/// every bound pod should be an occupant; one that nobody may evict has the highest priority there is. On a
/// node with more or fewer occupants than bound pods they are found on a copy of the whole snapshot, which is
/// as right, and takes as long as copying it.

#include <podium/schedule/change_log.hpp>
#include <podium/schedule/preemption.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <list>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// What one preemption would do.
struct eviction {
    std::string_view ineligible{};  ///< why the pod may not preempt; then the rest is empty
    /// The first in node order of the best candidates, and the ids of who must go. None: nobody's going
    /// helps.
    std::optional<victims> best{};
    std::uint32_t equals = 0;      ///< candidates as good as that one, with it
    std::uint32_t candidates = 0;  ///< nodes that would fit without some of their pods
    friend bool operator==(eviction const&, eviction const&) = default;
};

template<class Pipeline>
class evictions {
public:
    using pod_type = typename Pipeline::pod_type;
    using nodes_type = schedule::snapshot<Pipeline>;
    using occupant = schedule::occupant<pod_type>;

    /// `classes` are remembered at most, >= 1, the last used; each takes about 150 bytes a node.
    explicit evictions(Pipeline rules = {}, std::size_t classes = 16)
        : rules_(std::move(rules)),
          most_classes_(std::max<std::size_t>(1, classes))
    {
    }

    /// A pod is bound to a node; `o.pod` stays where it is until `remove`. False, and nothing changes, when
    /// there is one with that id or no pod. Pods of equal importance go by rising id.
    /// O(pods on the node), times the budgets it counts for.
    bool add(std::uint32_t id, occupant o)
    {
        if (o.pod == nullptr || !where_.try_emplace(id, o.node).second)
            return false;
        auto const slot = o.node;
        auto& here = places_[slot].pods;
        bound one{.id = id, .who = std::move(o)};
        auto const at = std::upper_bound(here.begin(), here.end(), one, before);
        recount(slot, here.insert(at, std::move(one))->who.budgets, 1);
        touch(slot);
        return true;
    }

    /// It is gone. False when there is none with that id.
    bool remove(std::uint32_t id)
    {
        auto const found = where_.find(id);
        if (found == where_.end())
            return false;
        auto const slot = found->second;
        auto const there = places_.find(slot);
        auto& here = there->second.pods;
        auto const at = std::find_if(here.begin(), here.end(), [&](bound const& t) { return t.id == id; });
        recount(slot, at->who.budgets, -1);
        here.erase(at);
        where_.erase(found);
        drop_if_empty(there);
        touch(slot);
        return true;
    }

    /// Its end was begun by a preemption: who was promised its node waits for that. False when there is none
    /// with that id.
    bool make_room(std::uint32_t id)
    {
        auto const found = where_.find(id);
        if (found == where_.end())
            return false;
        for (auto& t : places_.find(found->second)->second.pods)
            t.who.making_room = t.who.making_room || t.id == id;
        return true;
    }

    /// So many disruptions the budget allows now, none when negative. One that was never told allows all.
    /// O(nodes that it matters to).
    void allow(std::uint32_t budget, std::int64_t disruptions)
    {
        auto& b = budgets_[budget];
        // A node with no more pods than it allowed and allows cannot break it.
        auto const enough = std::max<std::int64_t>(0, std::min(b.allowed, disruptions));
        bool const allowed_none = std::max(b.allowed, disruptions) <= 0;
        b.allowed = disruptions;
        if (allowed_none || enough >= std::numeric_limits<std::uint32_t>::max())
            return;
        auto at = b.nodes.lower_bound({static_cast<std::uint32_t>(enough) + 1, 0});
        for (; at != b.nodes.end(); ++at)
            touch(at->second);
    }

    /// The node is kept for a pod that is not bound yet: pods of its priority or below must leave it its
    /// room. `promise` is the caller's number for it, apart from the occupants' ids. False, and nothing
    /// changes, when there is one of that number.
    bool keep(std::uint32_t promise, std::uint32_t slot, pod_type pod, std::int32_t priority)
    {
        if (!kept_.try_emplace(promise, slot).second)
            return false;
        auto& here = places_[slot].promises;
        auto const at =
            std::find_if(here.begin(), here.end(), [&](auto const& p) { return p.number > promise; });
        here.insert(at, {.number = promise, .priority = priority, .pod = std::move(pod)});
        touch(slot);
        return true;
    }
    /// It was bound, or gave up. False when there is none of that number.
    bool release(std::uint32_t promise)
    {
        auto const found = kept_.find(promise);
        if (found == kept_.end())
            return false;
        auto const slot = found->second;
        auto const there = places_.find(slot);
        std::erase_if(there->second.promises, [&](auto const& p) { return p.number == promise; });
        kept_.erase(found);
        drop_if_empty(there);
        touch(slot);
        return true;
    }

    [[nodiscard]] std::size_t size() const noexcept { return where_.size(); }  ///< occupants
    [[nodiscard]] Pipeline const& rules() const noexcept { return rules_; }

    /// Whom to end for this pod. `nodes` is always the same snapshot, as it is now. `own` is the number of
    /// the pod's own promise, when it has one: that one does not stand in its way.
    [[nodiscard]] eviction find(nodes_type const& nodes, pod_type const& pod, preemptor const& who,
        std::optional<std::uint32_t> own = {})
    {
        eviction out;
        if (who.never) {
            out.ineligible = detail::never_preempts;
            return out;
        }
        auto* const c = remembered(nodes, pod, who);
        if (c == nullptr)
            return best_of(asked(nodes, pod, who, own));
        auto special = without_own(*c, nodes, own);
        if (special && special->second.spans)
            return best_of(asked(nodes, pod, who, own));
        if (waits(*c, nodes, who, special)) {
            out.ineligible = detail::waits_for_room;
            return out;
        }
        // The one node that looks different to this pod alone takes its place for the moment.
        if (special)
            c->exchange(special->first, special->second);
        auto const top = c->tree[1];
        out.candidates = c->candidates;
        if (special)
            c->exchange(special->first, special->second);
        if (top.equals != 0) {
            auto const& r = special && special->first == top.slot ? special->second : c->rows[top.slot];
            out.best = victims{.node = top.slot, .pods = r.pods, .violations = r.harm.violations};
            out.equals = top.equals;
        }
        return out;
    }

    /// The whole table, equal to `preempt`'s with ids in the place of positions. O(nodes).
    [[nodiscard]] preemption explain(nodes_type const& nodes, pod_type const& pod, preemptor const& who,
        std::optional<std::uint32_t> own = {})
    {
        preemption out;
        if (who.never) {
            out.ineligible = detail::never_preempts;
            return out;
        }
        auto* const c = remembered(nodes, pod, who);
        if (c == nullptr)
            return asked(nodes, pod, who, own);
        auto const special = without_own(*c, nodes, own);
        if (special && special->second.spans)
            return asked(nodes, pod, who, own);
        if (waits(*c, nodes, who, special)) {
            out.ineligible = detail::waits_for_room;
            return out;
        }
        std::optional<detail::harm> least;
        for (std::uint32_t slot = 0; slot < c->rows.size(); ++slot) {
            auto const& r = special && special->first == slot ? special->second : c->rows[slot];
            if (r.is == row::hopeless)
                out.hopeless.push_back({slot, r.no.plugin, r.no.codes, r.no.unresolvable});
            if (r.is != row::candidate)
                continue;
            out.candidates.push_back({.node = slot, .pods = r.pods, .violations = r.harm.violations});
            if (!least || r.harm < *least) {
                least = r.harm;
                out.best.clear();
            }
            if (r.harm == *least)
                out.best.push_back(slot);
        }
        return out;
    }

private:
    using refusal = typename Pipeline::refusal;

    struct bound {
        std::uint32_t id = 0;
        occupant who{};
    };
    struct promised {
        std::uint32_t number = 0;
        std::int32_t priority = 0;
        pod_type pod{};
    };
    /// What there is on one node.
    struct place {
        std::vector<bound> pods{};         ///< the most important first
        std::vector<promised> promises{};  ///< by number
    };
    struct allowance {
        std::int64_t allowed = std::numeric_limits<std::int64_t>::max();
        std::set<std::pair<std::uint32_t, std::uint32_t>>
            nodes{};  ///< {how often its pods count for it, slot}
    };

    /// What a class remembers of a node.
    struct row {
        enum state : std::uint8_t {
            other,      ///< not there, fits as it is, or pods are not what it lacks
            hopeless,   ///< would not fit even without all less important pods
            candidate,  ///< would fit without some
        };
        state is = other;
        bool unresolvable = false;  ///< it is refused now, and not for its pods
        bool spans = false;  ///< a promised pod makes its answer depend on other nodes: nothing is known
        refusal no{};        ///< of a hopeless one
        detail::harm harm{};
        std::vector<std::uint32_t> pods{};  ///< of a candidate, the most important first
    };

    struct class_type {
        /// The best of some nodes and how many are as good; `equals == 0`: there is no candidate.
        struct winner {
            std::uint32_t slot = 0;
            std::uint32_t equals = 0;
        };

        class_type(typename Pipeline::request r, std::int32_t p) : wanted(std::move(r)), priority(p) {}

        typename Pipeline::request wanted;
        std::int32_t priority;
        bool known = false;         ///< the rows are true for these:
        std::uint64_t version = 0;  ///< of the snapshot
        std::uint64_t events = 0;   ///< of the index
        std::vector<row> rows{};
        std::vector<winner> tree = std::vector<winner>(2);  ///< children of i: 2i, 2i + 1; then the slots
        std::uint32_t candidates = 0;
        std::uint32_t spanning = 0;

        void put(std::uint32_t slot, row r) { exchange(slot, r); }
        void exchange(std::uint32_t slot, row& r) noexcept
        {
            candidates -= rows[slot].is == row::candidate ? 1u : 0u;
            spanning -= rows[slot].spans ? 1u : 0u;
            std::swap(rows[slot], r);
            candidates += rows[slot].is == row::candidate ? 1u : 0u;
            spanning += rows[slot].spans ? 1u : 0u;
            leaf(slot);
            for (auto at = (tree.size() / 2 + slot) / 2; at != 0; at /= 2)
                tree[at] = better(tree[2 * at], tree[2 * at + 1]);
        }
        /// The tree for all rows.
        void grow()
        {
            auto const leaves = std::bit_ceil(std::max<std::size_t>(1, rows.size()));
            tree.assign(2 * leaves, {});
            for (std::uint32_t slot = 0; slot < rows.size(); ++slot)
                leaf(slot);
            for (auto at = leaves; --at != 0;)
                tree[at] = better(tree[2 * at], tree[2 * at + 1]);
        }

    private:
        void leaf(std::uint32_t slot) noexcept
        {
            tree[tree.size() / 2 + slot] = {
                .slot = slot, .equals = rows[slot].is == row::candidate ? 1u : 0u};
        }
        [[nodiscard]] winner better(winner a, winner b) const noexcept
        {
            if (a.equals == 0 || b.equals == 0)
                return a.equals == 0 ? b : a;
            auto const& x = rows[a.slot].harm;
            auto const& y = rows[b.slot].harm;
            if (x == y)
                return {.slot = a.slot, .equals = a.equals + b.equals};
            return x < y ? a : b;
        }
    };

    static bool before(bound const& a, bound const& b)
    {
        if (detail::more_important(a.who, b.who))
            return true;
        return !detail::more_important(b.who, a.who) && a.id < b.id;
    }

    void touch(std::uint32_t slot) { log_.add(slot, 1024 + 2 * places_.size()); }
    void drop_if_empty(typename std::unordered_map<std::uint32_t, place>::iterator there)
    {
        if (there->second.pods.empty() && there->second.promises.empty())
            places_.erase(there);
    }
    /// A pod that counts for these budgets has come to the slot's pods (1), or goes (-1).
    void recount(std::uint32_t slot, std::vector<std::uint32_t> const& which, int change)
    {
        for (std::size_t i = 0; i < which.size(); ++i) {
            auto const b = which[i];
            if (std::find(which.begin(), which.begin() + static_cast<std::ptrdiff_t>(i), b) !=
                which.begin() + static_cast<std::ptrdiff_t>(i))
                continue;  // named twice: seen
            std::uint32_t count = 0;
            for (auto const& t : places_[slot].pods)
                count +=
                    static_cast<std::uint32_t>(std::count(t.who.budgets.begin(), t.who.budgets.end(), b));
            auto const its = static_cast<std::uint32_t>(std::count(which.begin(), which.end(), b));
            auto const found = budgets_.try_emplace(b).first;
            auto& nodes = found->second.nodes;
            nodes.erase({change > 0 ? count - its : count, slot});
            if (auto const now = change > 0 ? count : count - its; now != 0)
                nodes.emplace(now, slot);
            if (nodes.empty() && found->second.allowed == std::numeric_limits<std::int64_t>::max())
                budgets_.erase(found);
        }
    }

    /// The class of such preemptors, brought up to date; null: ask `preempt`.
    [[nodiscard]] class_type* remembered(nodes_type const& nodes, pod_type const& pod, preemptor const& who)
    {
        if constexpr (!Pipeline::request::comparable) {
            return nullptr;
        } else {
            auto wanted = rules_.prepare(pod);
            if (!rules_.filters_alone(nodes, wanted))
                return nullptr;
            auto& c = class_of(std::move(wanted), who.priority);
            refresh(c, nodes);
            return c.spanning == 0 ? &c : nullptr;
        }
    }

    /// The class, moved to the front; a new one pushes the last out.
    class_type& class_of(typename Pipeline::request wanted, std::int32_t priority)
    {
        for (auto c = classes_.begin(); c != classes_.end(); ++c)
            if (c->priority == priority && c->wanted == wanted) {
                classes_.splice(classes_.begin(), classes_, c);
                return classes_.front();
            }
        if (classes_.size() >= most_classes_)
            classes_.pop_back();
        return classes_.emplace_front(std::move(wanted), priority);
    }

    void refresh(class_type& c, nodes_type const& nodes)
    {
        dirty_.clear();
        bool const known = c.known && c.rows.size() <= nodes.slots() && c.version <= nodes.version() &&
            nodes.touched_since(c.version, [&](auto const& t) { dirty_.push_back(t.slot); }) &&
            log_.since(c.events, [&](std::uint32_t slot) { dirty_.push_back(slot); });
        if (!known) {
            c.known = false;
            c.rows.clear();
            c.candidates = 0;
            c.spanning = 0;
            c.rows.resize(nodes.slots());
            for (std::uint32_t slot = 0; slot < nodes.slots(); ++slot) {
                c.rows[slot] = evaluate(c, nodes, slot);
                c.candidates += c.rows[slot].is == row::candidate ? 1u : 0u;
                c.spanning += c.rows[slot].spans ? 1u : 0u;
            }
            c.grow();
        } else {
            std::sort(dirty_.begin(), dirty_.end());
            dirty_.erase(std::unique(dirty_.begin(), dirty_.end()), dirty_.end());
            if (c.rows.size() < nodes.slots()) {
                c.rows.resize(nodes.slots());
                if (c.rows.size() > c.tree.size() / 2)
                    c.grow();
            }
            for (auto const slot : dirty_)
                if (slot < nodes.slots())
                    c.put(slot, evaluate(c, nodes, slot));
        }
        copy_.reset();
        c.version = nodes.version();
        c.events = log_.version();
        c.known = true;
    }

    /// Who would have to go from this node. `except` is a promise that is not counted.
    [[nodiscard]] row evaluate(class_type const& c, nodes_type const& nodes, std::uint32_t slot,
        std::optional<std::uint32_t> except = {})
    {
        static constexpr auto all = Pipeline::part::all;
        row out;
        if (!nodes.has(slot))
            return out;
        auto const found = places_.find(slot);
        static place const empty{};
        auto const& here = found == places_.end() ? empty : found->second;
        bool const kept = std::any_of(here.promises.begin(), here.promises.end(),
            [&](promised const& p) { return counts(p, c, except); });
        if (!kept) {
            auto const now = rules_.template first_refusal<all>(nodes.at(slot), c.wanted);
            out.unresolvable = now.unresolvable;
            if (now.plugin == Pipeline::nobody || now.unresolvable)
                return out;
        }

        auto const& pods = here.pods;
        auto const first = static_cast<std::size_t>(
            std::distance(pods.begin(), std::partition_point(pods.begin(), pods.end(), [&](bound const& t) {
                return t.who.priority >= c.priority;
            })));
        auto const nobody_goes = [&] {
            out.is = row::hopeless;
            out.no = {.codes = 0, .plugin = 0, .unresolvable = true};
            return out;
        };
        if (!kept && first == pods.size())
            return nobody_goes();
        bool const whole = pods.size() == nodes.pods(slot);
        if (kept && !whole) {
            out.spans = true;
            return out;
        }

        // Pods come and go on a snapshot of this node, else on a copy of all; and on one of this node with
        // what is promised there.
        if (std::exchange(busy_, true)) {  // a plugin threw
            alone_ = {};
            with_ = {};
            copy_.reset();
        }
        auto& as_is = whole ? alone_ : copy_of(nodes);
        auto const at = whole ? 0u : slot;
        bound_.assign(pods.size(), !whole);
        auto const stay = [&](std::size_t k) {
            as_is.bind(at, *pods[k].who.pod);
            if (kept)
                with_.bind(0u, *pods[k].who.pod);
            bound_[k] = true;
        };
        auto const leave = [&](std::size_t k) {
            as_is.unbind(at, *pods[k].who.pod);
            if (kept)
                with_.unbind(0u, *pods[k].who.pod);
            bound_[k] = false;
        };
        auto const refused = [&] {
            if (kept)
                if (auto no = rules_.template first_refusal<all>(with_.at(0), c.wanted);
                    no.plugin != Pipeline::nobody)
                    return no;
            return rules_.template first_refusal<all>(as_is.at(at), c.wanted);
        };
        auto const judge = [&] {
            if (kept) {
                for (std::size_t k = first; k < pods.size(); ++k)
                    stay(k);
                if (!rules_.filters_alone(with_, c.wanted)) {
                    out.spans = true;
                    return;
                }
                auto const now = refused();
                out.unresolvable = now.unresolvable;
                if (now.plugin == Pipeline::nobody || now.unresolvable)
                    return;
                if (first == pods.size()) {
                    nobody_goes();
                    return;
                }
            }
            if (kept || !whole)
                for (std::size_t k = first; k < pods.size(); ++k)
                    leave(k);
            if (out.no = refused(); out.no.plugin != Pipeline::nobody) {
                out.is = row::hopeless;
                return;
            }
            auto const violations = detail::choose_victims(
                static_cast<std::uint32_t>(pods.size() - first),
                [&](std::uint32_t k) -> auto const& { return pods[first + k].who; },
                [&](std::uint32_t b) {
                    auto const known = budgets_.find(b);
                    return known == budgets_.end() ? nullptr : &known->second.allowed;
                },
                [&](std::uint32_t k) {
                    stay(first + k);
                    return refused().plugin == Pipeline::nobody;
                },
                [&](std::uint32_t k) { leave(first + k); },
                [&](std::uint32_t k) {
                    out.pods.push_back(pods[first + k].id);
                    out.harm.add(pods[first + k].who);
                });
            out.harm.violations = violations;
            out.is = out.pods.empty() ? row::other : row::candidate;
        };

        if (whole)
            as_is.set({}, nodes.node(slot));
        if (kept) {
            with_.set({}, nodes.node(slot));
            for (auto const& p : here.promises)
                if (counts(p, c, except))
                    with_.bind(0u, p.pod);
        }
        if (whole)
            for (std::size_t k = 0; k < first; ++k)
                stay(k);
        judge();
        for (std::size_t k = 0; k < pods.size(); ++k)
            if (bound_[k] && whole)
                leave(k);
            else if (!bound_[k] && !whole)
                stay(k);
        if (kept)
            for (auto const& p : here.promises)
                if (counts(p, c, except))
                    with_.unbind(0u, p.pod);
        busy_ = false;
        return out;
    }
    [[nodiscard]] static bool counts(
        promised const& p, class_type const& c, std::optional<std::uint32_t> except)
    {
        return p.priority >= c.priority && except != p.number;
    }
    nodes_type& copy_of(nodes_type const& nodes)
    {
        if (!copy_)
            copy_ = nodes;
        return *copy_;
    }

    /// The node of the pod's own promise, as it is without that.
    using special_row = std::optional<std::pair<std::uint32_t, row>>;
    [[nodiscard]] special_row without_own(
        class_type const& c, nodes_type const& nodes, std::optional<std::uint32_t> own)
    {
        auto const found = own ? kept_.find(*own) : kept_.end();
        if (found == kept_.end() || found->second >= nodes.slots())
            return std::nullopt;
        special_row out(std::in_place, found->second, evaluate(c, nodes, found->second, own));
        copy_.reset();
        return out;
    }
    /// Whether the node that the pod was promised is being cleared for it.
    [[nodiscard]] bool waits(
        class_type const& c, nodes_type const& nodes, preemptor const& who, special_row const& special) const
    {
        if (!who.nominated || *who.nominated >= nodes.slots() || !nodes.has(*who.nominated))
            return false;
        auto const slot = *who.nominated;
        auto const there = places_.find(slot);
        if (there == places_.end() ||
            (special && special->first == slot ? special->second : c.rows[slot]).unresolvable)
            return false;
        auto const& pods = there->second.pods;
        return std::any_of(pods.begin(), pods.end(),
            [&](bound const& t) { return t.who.making_room && t.who.priority < who.priority; });
    }

    /// `preempt`'s answer, with ids.
    [[nodiscard]] preemption asked(nodes_type const& nodes, pod_type const& pod, preemptor const& who,
        std::optional<std::uint32_t> own) const
    {
        std::vector<bound const*> all;
        all.reserve(where_.size());
        std::vector<promised const*> promises;
        std::vector<std::pair<std::uint32_t, std::int64_t>> budgets;  // by number
        schedule::nominations<pod_type> nominated;
        for (auto const& [slot, here] : places_)
            for (auto const& t : here.pods)
                all.push_back(&t);
        std::sort(all.begin(), all.end(), [](auto const* a, auto const* b) { return a->id < b->id; });
        std::vector<std::pair<std::uint32_t, std::uint32_t>> kept(kept_.begin(), kept_.end());
        std::sort(kept.begin(), kept.end());
        for (auto const& [number, slot] : kept)
            for (auto const& p : places_.find(slot)->second.promises)
                if (p.number == number && own != number && p.priority >= who.priority)
                    nominated.others.emplace_back(slot, p.pod);
        for (auto const& [b, known] : budgets_)
            budgets.emplace_back(b, known.allowed);
        std::sort(budgets.begin(), budgets.end());

        std::vector<std::int64_t> allowed;
        for (auto const& b : budgets)
            allowed.push_back(b.second);
        std::vector<occupant> occupants;
        occupants.reserve(all.size());
        for (auto const* t : all)
            for (auto& b : occupants.emplace_back(t->who).budgets)  // numbers become positions
                b = static_cast<std::uint32_t>(std::distance(budgets.begin(),
                    std::lower_bound(budgets.begin(), budgets.end(),
                        std::pair(b, std::numeric_limits<std::int64_t>::min()))));
        auto out = preempt(rules_, nodes, pod, who, occupants, allowed, nominated);
        for (auto& c : out.candidates)
            for (auto& i : c.pods)
                i = all[i]->id;
        return out;
    }
    [[nodiscard]] static eviction best_of(preemption found)
    {
        eviction out{.ineligible = found.ineligible};
        out.candidates = static_cast<std::uint32_t>(found.candidates.size());
        out.equals = static_cast<std::uint32_t>(found.best.size());
        for (auto& c : found.candidates)
            if (!found.best.empty() && c.node == found.best.front())
                out.best = std::move(c);
        return out;
    }

    Pipeline rules_;
    std::size_t most_classes_;
    std::unordered_map<std::uint32_t, std::uint32_t> where_{};  ///< id to slot
    std::unordered_map<std::uint32_t, std::uint32_t> kept_{};   ///< promise to slot
    std::unordered_map<std::uint32_t, place> places_{};         ///< by slot
    std::unordered_map<std::uint32_t, allowance> budgets_{};
    detail::change_log<std::uint32_t> log_{};  ///< slots that changed here
    std::list<class_type> classes_{};

    nodes_type alone_{}, with_{};       ///< one node, nothing bound between calls
    std::optional<nodes_type> copy_{};  ///< of all of them, while one call lasts
    bool busy_ = false;
    std::vector<std::uint32_t> dirty_{};
    std::vector<bool> bound_{};
};

}  // namespace podium::v0::schedule
