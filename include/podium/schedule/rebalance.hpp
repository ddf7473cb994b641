#pragma once
/// Rebalancing: which few moves make the placement better, and by how much.
///
///     auto const plan = schedule::rebalance(fleet, there, {.max_moves = 5, .max_per_owner = 1});
///     for (auto const& m : plan->moves) ...   // m.id goes from m.from to m.to and gains m.gain
///
/// The scheduler places each pod where it is best at that moment; later nodes come, pods go, and better
/// places come to be. A pod's score is what the pipeline gives its node when the pod itself is taken out; a
/// node that would refuse it then scores 0. The total is the sum of that over all tenants.
///
/// Greedy: each step takes the move that gains the pod most (among equals, the first in the order of the
/// tenants, to the first node), out of those that raise the total and leave no other tenant on a node that
/// refuses it. So the moves can be carried out one after the other, each pod taken out before it is bound
/// again: at every step the new node passes all filters, and the total rises. A pod moves once at most. Not
/// the best plan of all: two pods that would have to change places both stay.
///
/// Pods that are bound and not among the tenants stay and are asked nothing.
///
/// Source: podium's own. Kubernetes' descheduler evicts by thresholds and leaves the new place to chance.

#include <podium/core/result.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/tenant.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// How much may be disturbed, and for what.
struct rebalance_policy {
    std::size_t max_moves = 10;
    std::optional<std::size_t> max_per_owner{};  ///< moves of pods of one owner; none: no limit but max_moves
    int least_gain = 1;          ///< of a move, >= 1; a single plugin gives 0 to 100 times its weight
    std::size_t max_tries = 50;  ///< moves that turn out bad for the others, in the whole plan
    friend bool operator==(rebalance_policy const&, rebalance_policy const&) = default;
};

struct pod_move {
    std::string id{};
    std::uint32_t from = 0;  ///< slot
    std::uint32_t to = 0;
    int gain = 0;            ///< its score there minus its score here
    std::int64_t total = 0;  ///< of all tenants after this move
    friend bool operator==(pod_move const&, pod_move const&) = default;
};

/// Why the plan has no further move.
enum class rebalance_end : std::uint8_t {
    balanced,   ///< none gains enough
    max_moves,  ///< the budget is spent
    max_tries,  ///< so many moves were no good that the search was given up
};

[[nodiscard]] constexpr std::string_view to_string(rebalance_end e) noexcept
{
    switch (e) {
    case rebalance_end::balanced: return "balanced";
    case rebalance_end::max_moves: return "max_moves";
    case rebalance_end::max_tries: return "max_tries";
    }
    return {};
}

struct rebalance_plan {
    std::vector<pod_move> moves{};  ///< in the order in which they are to be made
    std::int64_t total_before = 0;
    std::int64_t total_after = 0;
    std::size_t misplaced = 0;  ///< tenants that their node would refuse, before
    std::size_t tried = 0;      ///< moves given up because of the others
    rebalance_end end = rebalance_end::balanced;
    friend bool operator==(rebalance_plan const&, rebalance_plan const&) = default;
};

namespace detail {

/// Where like pods on one node stand.
struct standing {
    bool fits = false;
    int score = 0;
    std::optional<std::uint32_t> better{};  ///< the best node, where that scores more
    int gain = 0;
};

template<class Pipeline>
class rebalancing {
public:
    using pod_type = typename Pipeline::pod_type;

    rebalancing(Pipeline const& by, snapshot<Pipeline> copy, std::vector<tenant<pod_type>> const& there)
        : fleet_(std::move(copy), by),
          tenants_(there)
    {
        at_.reserve(there.size());
        for (auto const& t : there) {
            kinds_.push_back(kind_of(*t.pod));
            at_.push_back(t.node);
        }
        by_kind_.resize(there.size());
        std::iota(by_kind_.begin(), by_kind_.end(), std::size_t{0});
        std::sort(by_kind_.begin(), by_kind_.end(), [&](std::size_t a, std::size_t b) {
            return kinds_[a] != kinds_[b] ? kinds_[a] < kinds_[b] : a < b;
        });
    }

    /// All tenants as they are now.
    struct table {
        std::vector<standing> of{};
        std::int64_t total = 0;
    };
    [[nodiscard]] table look()
    {
        table out;
        out.of.resize(tenants_.size());
        // Like pods one after the other, so that the scheduler looks for their class once.
        std::vector<std::size_t> here(fleet_.nodes().slots(), none);  // the last of them that was looked at
        for (auto const i : by_kind_) {
            if (!at_[i])
                continue;
            auto& last = here[*at_[i]];
            out.of[i] =
                last != none && kinds_[last] == kinds_[i] ? out.of[last] : look_at(*tenants_[i].pod, *at_[i]);
            last = i;
            out.total += out.of[i].score;
        }
        return out;
    }
    /// Tenants of one place are like pods on one node. Only for those that have a node.
    [[nodiscard]] std::pair<std::size_t, std::uint32_t> place(std::size_t i) const
    {
        return {kinds_[i], *at_[i]};
    }
    void move(std::size_t i, std::uint32_t to)
    {
        fleet_.unbind(fleet_.nodes().name(*at_[i]), *tenants_[i].pod);
        fleet_.bind(fleet_.nodes().name(to), *tenants_[i].pod);
        at_[i] = to;
    }

private:
    /// Equal pods have one number, and so do tenants that point to one pod.
    [[nodiscard]] std::size_t kind_of(pod_type const& pod)
    {
        auto const [at, is_new] = by_address_.try_emplace(&pod, examples_.size());
        if (!is_new)
            return at->second;
        if constexpr (std::equality_comparable<pod_type>)
            at->second = static_cast<std::size_t>(
                std::find_if(examples_.begin(), examples_.end(), [&](auto const* e) { return *e == pod; }) -
                examples_.begin());
        if (at->second == examples_.size())
            examples_.push_back(&pod);
        return at->second;
    }
    [[nodiscard]] standing look_at(pod_type const& pod, std::uint32_t slot)
    {
        auto const& name = fleet_.nodes().name(slot);
        fleet_.unbind(name, pod);
        auto const own = fleet_.decide_among(pod, std::span(&slot, 1));
        auto const best = fleet_.decide(pod);
        fleet_.bind(name, pod);
        standing out{.fits = own.node.has_value(), .score = own.score};
        if (best.node && best.score > own.score) {
            out.better = best.node;
            out.gain = best.score - own.score;
        }
        return out;
    }

    static constexpr auto none = static_cast<std::size_t>(-1);

    scheduler<Pipeline> fleet_;  // ties go to the first node
    std::vector<tenant<pod_type>> const& tenants_;
    std::unordered_map<pod_type const*, std::size_t> by_address_{};
    std::vector<pod_type const*> examples_{};  ///< one of each kind
    std::vector<std::size_t> kinds_{};         ///< of each tenant
    std::vector<std::size_t> by_kind_{};       ///< tenants, those of one kind together
    std::vector<std::optional<std::uint32_t>> at_{};
};

}  // namespace detail

/// The plan. `nodes` is a copy: nothing is moved. A tenant without a node takes no part.
///
/// Errors, all at once: `invalid` for a least_gain below 1; of the tenants as for `what_if`.
///
/// The same input has the same plan, and what is left after carrying out a plan that ended `balanced` has an
/// empty one, unless budgets or the rule that a pod moves once held something back. Cost: one look,
/// and one for each move that is tried (max_moves and max_tries at most). In a look each kind of pod is taken
/// from each node that has it, a scheduler decides, and it is put back: O(what changed) each; where the
/// scheduler remembers nothing, O(nodes x plugins). Pods of a type without == are of one kind where the
/// tenants point to one pod.
template<class Pipeline>
[[nodiscard]] result<rebalance_plan> rebalance(Pipeline const& rules, snapshot<Pipeline> nodes,
    std::vector<tenant<typename Pipeline::pod_type>> const& tenants, rebalance_policy const& policy = {})
{
    found_errors errors;
    detail::check_tenants(nodes, tenants, errors);
    if (policy.least_gain < 1)
        errors.add({errc::invalid, "must be at least 1", "policy.least_gain"});
    if (errors.all)
        return *std::move(errors.all);

    detail::rebalancing<Pipeline> fleet(rules, std::move(nodes), tenants);
    auto now = fleet.look();
    rebalance_plan plan{.total_before = now.total};
    for (std::size_t i = 0; i < tenants.size(); ++i)
        plan.misplaced += tenants[i].node && !now.of[i].fits ? 1u : 0u;

    std::vector<bool> stays(tenants.size());
    std::unordered_map<std::string_view, std::size_t> spent;  // by owner
    auto const may_move = [&](std::size_t i) {
        auto const& t = tenants[i];
        return now.of[i].better && now.of[i].gain >= policy.least_gain && !t.pinned && !stays[i] &&
            (t.owner.empty() || !policy.max_per_owner || spent[t.owner] < *policy.max_per_owner);
    };
    auto const comes_later = [&](std::size_t a, std::size_t b) {
        return now.of[a].gain != now.of[b].gain ? now.of[a].gain < now.of[b].gain : a > b;
    };
    /// Carries out the first of the candidates that is good for all.
    auto const move_one = [&](std::vector<std::size_t>& candidates) {
        std::set<std::pair<std::size_t, std::uint32_t>> no_good;
        std::make_heap(candidates.begin(), candidates.end(), comes_later);
        for (; !candidates.empty(); candidates.pop_back()) {
            std::pop_heap(candidates.begin(), candidates.end(), comes_later);
            auto const i = candidates.back();
            auto const from = fleet.place(i);
            if (no_good.contains(from))
                continue;
            if (plan.tried == policy.max_tries) {
                plan.end = rebalance_end::max_tries;
                return false;
            }
            auto const [fits, score, to, gain] = now.of[i];
            fleet.move(i, *to);
            auto then = fleet.look();
            bool good = then.total > now.total;
            for (std::size_t k = 0; k < tenants.size() && good; ++k)
                good = then.of[k].fits || !now.of[k].fits;
            if (good) {
                plan.moves.push_back(
                    {.id = tenants[i].id, .from = from.second, .to = *to, .gain = gain, .total = then.total});
                stays[i] = true;
                ++spent[tenants[i].owner];
                now = std::move(then);
                return true;
            }
            fleet.move(i, from.second);
            no_good.insert(from);
            ++plan.tried;
        }
        return false;
    };
    for (bool more = true; more;) {
        std::vector<std::size_t> candidates;
        for (std::size_t i = 0; i < tenants.size(); ++i)
            if (may_move(i))
                candidates.push_back(i);
        more = !candidates.empty() && plan.moves.size() < policy.max_moves;
        if (more)
            more = move_one(candidates);
        else if (!candidates.empty())
            plan.end = rebalance_end::max_moves;
    }
    plan.total_after = now.total;
    return plan;
}

/// The same of a scheduler's nodes by its rules.
template<class Pipeline>
[[nodiscard]] result<rebalance_plan> rebalance(scheduler<Pipeline> const& s,
    std::vector<tenant<typename Pipeline::pod_type>> const& tenants, rebalance_policy const& policy = {})
{
    return schedule::rebalance(s.rules(), s.nodes(), tenants, policy);
}

}  // namespace podium::v0::schedule
