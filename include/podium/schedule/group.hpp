#pragma once
/// Groups (gang scheduling): pods that are worth nothing without each other are placed all or not at all.
///
///     auto const g = schedule::place_group(fleet, workers, {.min_member = 6}, &host::rack);
///     if (g && g->placed != 0) ...   // g->nodes: all binds of one transaction
///
/// The members are placed one after the other in the order given, each as `scheduler::place` would, seeing
/// those before it; they need not be alike. One that fits nowhere is left out; once fewer than `min_member`
/// can be placed, none is, and the scheduler's answers are what they were. This is a greedy search: give the
/// members that are hardest to place first, since a group may be refused that another order would fit.
///
/// With a topology (what a node says is its rack, zone, switch), the group is packed into one domain of it:
/// the one that takes most members; among these the one with the highest sum of scores; among these the one
/// whose first node comes first. A member's score is what the node has among all nodes that fit the member,
/// in and out of the domain, so that sums of different domains can be compared.
///
/// Source: min_member is PodGroup's minMember of kubernetes-sigs/scheduler-plugins (coscheduling) and of
/// Volcano; required and preferred are Kueue's two kinds of topology request. The search is podium's own.

#include <podium/core/result.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/tenant.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// How much packing into one domain is worth.
enum class packing : std::uint8_t {
    required,   ///< one domain or not at all
    preferred,  ///< one domain where that costs no member: without any, or with fewer than elsewhere,
                ///< anywhere
};

struct group_policy {
    std::optional<std::size_t> min_member{};                  ///< as many or none, >= 1; none: all
    schedule::packing packing = schedule::packing::required;  ///< only read with a topology
    friend bool operator==(group_policy const&, group_policy const&) = default;
};

/// Why one member has no node.
struct member_refusal {
    std::string domain{};           ///< where it was tried; empty: anywhere
    std::size_t member = 0;         ///< position in the group
    std::size_t placed_before = 0;  ///< members that had a node by then
    schedule::decision decision{};  ///< over the nodes of the domain
    std::string summary{};          ///< the same in words, as `pipeline::summary`
    friend bool operator==(member_refusal const&, member_refusal const&) = default;
};

struct group_decision {
    std::vector<std::optional<std::uint32_t>> nodes{};  ///< slot of each member; none: it was left out
    std::size_t placed = 0;                             ///< 0, or at least min_member
    std::int64_t score = 0;                             ///< sum over the placed, each when it was placed
    std::string domain{};                               ///< that they were packed into; empty: into none
    /// Who was left out, and why. Of a group that was not placed: in each domain, in node order, the members
    /// that fit nowhere there until there was no hope; then those that fit nowhere at all.
    std::vector<member_refusal> refused{};
    friend bool operator==(group_decision const&, group_decision const&) = default;
};

namespace detail {

template<class T>
concept DomainName = std::convertible_to<T const&, std::string_view> || requires(T const& name) {
    { name.has_value() } -> std::convertible_to<bool>;
    { *name } -> std::convertible_to<std::string_view>;
};

/// Stands for no topology: one without domains.
struct anywhere {
    template<class Node>
    constexpr std::string_view operator()(Node const&) const noexcept
    {
        return {};
    }
};

/// Binds for a trial; what is not kept is taken back, also when a plugin throws.
template<class Pipeline>
class trial {
public:
    using pod_type = typename Pipeline::pod_type;
    explicit trial(scheduler<Pipeline>& s) : s_(s) {}
    trial(trial const&) = delete;
    trial& operator=(trial const&) = delete;
    ~trial() { undo(); }

    /// `pod` outlives the trial.
    void bind(std::uint32_t slot, pod_type const& pod)
    {
        bound_.emplace_back(slot, &pod);
        try {
            s_.bind(s_.nodes().name(slot), pod);
        } catch (...) {
            bound_.pop_back();
            throw;
        }
    }
    /// Binds as it decides.
    decision place(pod_type const& pod)
    {
        auto d = s_.decide(pod);
        if (d.node)
            bind(*d.node, pod);
        return d;
    }
    void undo()
    {
        for (; !bound_.empty(); bound_.pop_back())
            s_.unbind(s_.nodes().name(bound_.back().first), *bound_.back().second);
    }
    void keep() { bound_.clear(); }

private:
    scheduler<Pipeline>& s_;
    std::vector<std::pair<std::uint32_t, pod_type const*>> bound_{};
};

/// The group by the decisions that `place(member)` makes and binds; gives up when too few can be placed.
template<class Pipeline>
[[nodiscard]] group_decision place_members(scheduler<Pipeline> const& s,
    std::vector<typename Pipeline::pod_type> const& pods, std::size_t min_member, std::string_view domain,
    auto&& place)
{
    group_decision out{.domain = std::string(domain)};
    out.nodes.resize(pods.size());
    for (std::size_t i = 0; i < pods.size(); ++i) {
        auto d = place(i);
        if (d.node) {
            out.nodes[i] = d.node;
            out.score += d.score;
            ++out.placed;
            continue;
        }
        out.refused.push_back({.domain = std::string(domain),
            .member = i,
            .placed_before = out.placed,
            .decision = std::move(d)});
        auto& why = out.refused.back();
        why.summary = s.summary(why.decision, pods[i]);
        if (out.refused.size() > pods.size() - min_member) {
            out.nodes.assign(pods.size(), std::nullopt);
            out.placed = 0;
            out.score = 0;
            out.domain.clear();
            break;
        }
    }
    return out;
}

/// The nodes of each domain, domains by their first node.
struct domains {
    std::vector<std::string> names{};
    std::vector<std::vector<std::uint32_t>> slots{};  ///< of each, in node order
};

template<class Pipeline, class Topology>
[[nodiscard]] domains domains_of(snapshot<Pipeline> const& on, Topology const& topology)
{
    domains out;
    std::unordered_map<std::string, std::size_t> known;
    for (std::uint32_t slot = 0; slot < on.slots(); ++slot) {
        if (!on.has(slot))
            continue;
        auto&& name = std::invoke(topology, on.node(slot));
        std::string domain;
        if constexpr (std::convertible_to<decltype(name), std::string_view>)
            domain = std::string_view(name);
        else if (name.has_value())
            domain = std::string_view(*name);
        if (domain.empty())
            continue;
        auto const [at, is_new] = known.try_emplace(domain, out.names.size());
        if (is_new) {
            out.names.push_back(std::move(domain));
            out.slots.emplace_back();
        }
        out.slots[at->second].push_back(slot);
    }
    return out;
}

}  // namespace detail

/// A node's domain, by whatever std::invoke can call with the node: a string or an optional one. An empty
/// name is none: such a node takes no part in packing.
template<class T, class Node>
concept Topology = std::invocable<T const&, Node const&> &&
    detail::DomainName<std::remove_cvref_t<std::invoke_result_t<T const&, Node const&>>>;

/// Places the group, or leaves the scheduler's nodes as they were.
///
/// Errors: `invalid` for an empty group and a min_member of 0 or above its size; nothing is bound then. Not
/// fitting is no error but an answer: `placed` is 0, and `refused` says who fits nowhere.
///
/// A repeated call places another group beside the first. Cost: without a topology that of placing the
/// members. With one, that of placing them in each domain that takes those before them, O(nodes of the
/// domain) for each once its like is remembered, and of taking them back. Where the scheduler remembers
/// nothing, it is a table of all nodes each time: at most O(domains x members x nodes x plugins).
template<class Pipeline, class T = detail::anywhere>
requires Topology<T, typename Pipeline::node_type>
[[nodiscard]] result<group_decision> place_group(scheduler<Pipeline>& s,
    std::vector<typename Pipeline::pod_type> const& pods, group_policy const& policy = {},
    T const& topology = {})
{
    found_errors errors;
    if (pods.empty())
        errors.add({errc::invalid, "must have a member at least", "pods"});
    auto const min_member = policy.min_member.value_or(pods.size());
    if (policy.min_member && (min_member < 1 || min_member > pods.size()))
        errors.add({errc::invalid, "must be 1 to the number of pods", "policy.min_member"});
    if (errors.all)
        return *std::move(errors.all);

    detail::trial<Pipeline> binds(s);
    auto const place_anywhere = [&] {
        return detail::place_members(
            s, pods, min_member, {}, [&](std::size_t i) { return binds.place(pods[i]); });
    };
    if constexpr (std::same_as<T, detail::anywhere>) {
        auto out = place_anywhere();
        if (out.placed != 0)
            binds.keep();
        return out;
    } else {
        auto const in = detail::domains_of(s.nodes(), topology);
        group_decision best;
        best.nodes.resize(pods.size());
        std::vector<member_refusal> failed;
        for (std::size_t domain = 0; domain < in.names.size(); ++domain) {
            auto found = detail::place_members(s, pods, min_member, in.names[domain], [&](std::size_t i) {
                auto d = s.decide_among(pods[i], in.slots[domain]);
                if (d.node)
                    binds.bind(*d.node, pods[i]);
                return d;
            });
            binds.undo();
            if (found.placed == 0)
                std::move(found.refused.begin(), found.refused.end(), std::back_inserter(failed));
            else if (std::pair(found.placed, found.score) > std::pair(best.placed, best.score) ||
                best.placed == 0)
                best = std::move(found);
        }
        if (in.names.empty())
            failed.push_back({.decision = {.nodes = static_cast<std::uint32_t>(s.nodes().size())},
                .summary = "0/" + std::to_string(s.nodes().size()) + " nodes are in a domain."});
        if (policy.packing == packing::preferred && best.placed < pods.size()) {
            auto out = place_anywhere();
            if (out.placed > best.placed) {
                binds.keep();
                return out;
            }
            binds.undo();
            if (best.placed == 0)
                std::move(out.refused.begin(), out.refused.end(), std::back_inserter(failed));
        }
        if (best.placed == 0) {
            best.refused = std::move(failed);
            return best;
        }
        for (std::size_t i = 0; i < pods.size(); ++i)
            if (best.nodes[i])
                binds.bind(*best.nodes[i], pods[i]);
        binds.keep();
        return best;
    }
}

/// Where the group would go: the same, and nothing stays bound.
template<class Pipeline, class T = detail::anywhere>
requires Topology<T, typename Pipeline::node_type>
[[nodiscard]] result<group_decision> decide_group(scheduler<Pipeline>& s,
    std::vector<typename Pipeline::pod_type> const& pods, group_policy const& policy = {},
    T const& topology = {})
{
    auto out = schedule::place_group(s, pods, policy, topology);
    if (out)
        for (std::size_t i = 0; i < out->nodes.size(); ++i)
            if (auto const slot = out->nodes[i])
                s.unbind(s.nodes().name(*slot), pods[i]);
    return out;
}

}  // namespace podium::v0::schedule
