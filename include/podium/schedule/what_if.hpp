#pragma once
/// What if: changes to a fleet that nobody has made, and which pods would move where, and which would fit
/// nowhere.
///
///     auto const told = schedule::what_if(fleet, there, {schedule::drain_nodes{{"rack-1", "rack-2"}}});
///     for (auto const& f : told->pods) ...   // f.id: f.from -> f.to, or f.summary
///
/// The changes are made in order on a copy. Then every pod that has to be placed is placed by the scheduler
/// itself, by priority and, among equals, in the order of the tenants, added ones last: those whose node was
/// drained, those that a changed node refuses, changed ones that their node refuses, added ones, and those
/// that were waiting. So what it says is what happens when the changes are made and the pods placed in that
/// order.
///
/// A changed node keeps those of its pods that fit, the most important first. Pods whose node was not changed
/// stay, even where a neighbour's leaving would have kept them from being placed there, as in Kubernetes
/// (required during scheduling, ignored during execution). Nobody is preempted; pods that are bound and not
/// among the tenants stay, and are gone with a drained node.

#include <podium/core/result.hpp>
#include <podium/schedule/scheduler.hpp>
#include <podium/schedule/tenant.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace podium::inline v0::schedule {

/// These nodes go, and their pods with them: to other nodes. (To keep a node that takes no new pods, change
/// it into one that refuses them.)
struct drain_nodes {
    std::vector<std::string> names{};
    friend bool operator==(drain_nodes const&, drain_nodes const&) = default;
};

/// `count` nodes like this come: "spare", or "spare-1", "spare-2", ... when there are several.
template<class Node>
struct add_nodes {
    std::string name{};
    std::size_t count = 1;  ///< 1 to `most_added`
    Node node{};
    friend bool operator==(add_nodes const&, add_nodes const&) = default;
};

/// The node becomes this one.
template<class Node>
struct change_node {
    std::string name{};
    Node node{};
    friend bool operator==(change_node const&, change_node const&) = default;
};

/// `count` pods like this come and are placed. Named as nodes are.
template<class Pod>
struct add_pods {
    std::string id{};
    std::size_t count = 1;  ///< 1 to `most_added`
    Pod pod{};
    std::int32_t priority = 0;
    friend bool operator==(add_pods const&, add_pods const&) = default;
};

/// Each of these pods becomes this one (it asks for more, or for less). It stays on its node if that takes
/// it.
template<class Pod>
struct change_pods {
    std::vector<std::string> ids{};
    Pod pod{};
    friend bool operator==(change_pods const&, change_pods const&) = default;
};

struct remove_pods {
    std::vector<std::string> ids{};
    friend bool operator==(remove_pods const&, remove_pods const&) = default;
};

inline constexpr std::size_t most_added = 1'000'000;  ///< by one change

template<class Pipeline>
using change = std::variant<drain_nodes, add_nodes<typename Pipeline::node_type>,
    change_node<typename Pipeline::node_type>, add_pods<typename Pipeline::pod_type>,
    change_pods<typename Pipeline::pod_type>, remove_pods>;

/// Why a pod had to be placed.
enum class displacement : std::uint8_t {
    drained,         ///< its node goes
    no_longer_fits,  ///< its node or the pod itself was changed, and the node refuses it
    added,
    waiting,  ///< it had no node before
};

[[nodiscard]] constexpr std::string_view to_string(displacement d) noexcept
{
    switch (d) {
    case displacement::drained: return "drained";
    case displacement::no_longer_fits: return "no longer fits";
    case displacement::added: return "added";
    case displacement::waiting: return "waiting";
    }
    return {};
}

/// What becomes of one pod that had to be placed.
struct fate {
    std::string id{};
    displacement why = displacement::waiting;
    std::string from{};             ///< its node before; empty: it had none
    std::string refusal{};          ///< the words of that node, when it no longer fits
    std::string to{};               ///< its new node; empty: it fits nowhere
    schedule::decision decision{};  ///< its slots are those of the changed copy
    std::string summary{};          ///< why it fits nowhere, as `pipeline::summary`; empty when it fits
    friend bool operator==(fate const&, fate const&) = default;
};

struct occupancy {
    std::size_t nodes = 0;
    std::size_t empty_nodes = 0;  ///< no pod is bound to them
    std::size_t placed = 0;       ///< tenants that have a node
    std::size_t unplaced = 0;     ///< tenants that have none
    friend bool operator==(occupancy const&, occupancy const&) = default;
};

struct outlook {
    std::vector<fate> pods{};  ///< in the order in which they were placed
    occupancy before{};
    occupancy after{};
    friend bool operator==(outlook const&, outlook const&) = default;
};

namespace detail {

/// The copy on which one question is answered.
template<class Pipeline>
class supposition {
public:
    using node_type = typename Pipeline::node_type;
    using pod_type = typename Pipeline::pod_type;

    /// `ids` are the tenants', who outlive this.
    supposition(snapshot<Pipeline> copy, Pipeline const& by, schedule::options how,
        std::vector<tenant<pod_type>> const& there, id_index ids, found_errors& found)
        : fleet_(std::move(copy), by, how),
          errors_(found),
          by_id_(std::move(ids)),
          first_on_(fleet_.nodes().slots(), none)
    {
        all_.reserve(there.size());
        for (auto const& t : there)
            all_.push_back({.id = t.id, .pod = t.pod, .node = t.node, .priority = t.priority});
        for (auto p = all_.size(); p-- > 0;)
            if (auto const slot = all_[p].node)
                all_[p].next = std::exchange(first_on_[*slot], static_cast<std::uint32_t>(p));
    }

    [[nodiscard]] occupancy figures() const
    {
        occupancy out{.nodes = fleet_.nodes().size()};
        fleet_.nodes().for_each(
            [&](auto const& at) { out.empty_nodes += fleet_.nodes().pods(at.slot) == 0 ? 1u : 0u; });
        for (auto const& p : all_)
            if (!p.gone)
                ++(p.node ? out.placed : out.unplaced);
        return out;
    }

    /// `path` is where the change stands. The change outlives this.
    void make(drain_nodes const& c, std::string const& path)
    {
        for (std::size_t i = 0; i < c.names.size(); ++i) {
            auto const slot = find_node(c.names[i], at_index(path + ".names", i));
            if (!slot)
                continue;
            each_on(*slot, [&](person& p) {
                leave(p, displacement::drained);
                fleet_.unbind(c.names[i], *p.pod);
            });
            if (*slot < first_on_.size())
                first_on_[*slot] = none;
            fleet_.remove(c.names[i]);
            std::erase(changed_, *slot);
        }
    }
    void make(add_nodes<node_type> const& c, std::string const& path)
    {
        each_name(c.name, c.count, path, ".name", [&](std::string const& name) {
            if (fleet_.nodes().find(name))
                return false;
            (void)fleet_.set(name, c.node);
            return true;
        });
    }
    void make(change_node<node_type> const& c, std::string const& path)
    {
        if (auto const slot = find_node(c.name, path + ".name")) {
            (void)fleet_.set(c.name, c.node);
            if (std::find(changed_.begin(), changed_.end(), *slot) == changed_.end())
                changed_.push_back(*slot);
        }
    }
    void make(add_pods<pod_type> const& c, std::string const& path)
    {
        each_name(c.id, c.count, path, ".id", [&](std::string const& id) {
            if (find_pod(id) != nullptr)
                return false;
            auto const& own = added_.emplace_back(id);
            by_id_.put(own, static_cast<std::uint32_t>(all_.size()), id_of());
            all_.push_back({.id = own, .pod = &c.pod, .priority = c.priority, .why = displacement::added});
            return true;
        });
    }
    void make(change_pods<pod_type> const& c, std::string const& path)
    {
        each_pod(c.ids, path, [&](person& p) {
            if (p.node) {
                fleet_.unbind(fleet_.nodes().name(*p.node), *p.pod);
                fleet_.bind(fleet_.nodes().name(*p.node), c.pod);
            }
            p.pod = &c.pod;
            p.changed = true;
        });
    }
    void make(remove_pods const& c, std::string const& path)
    {
        each_pod(c.ids, path, [&](person& p) {
            if (p.node) {
                auto* to_it = &first_on_[*p.node];
                while (&all_[*to_it] != &p)
                    to_it = &all_[*to_it].next;
                *to_it = p.next;
                fleet_.unbind(std::string(fleet_.nodes().name(*p.node)), *p.pod);
                p.node.reset();
            }
            p.gone = true;
        });
    }

    /// When all changes are made: who cannot stay leaves, and who has no node is placed.
    [[nodiscard]] std::vector<fate> settle()
    {
        std::vector<std::uint32_t> suspect = changed_;
        for (auto const& p : all_)
            if (p.changed && p.node && !p.gone)
                suspect.push_back(*p.node);
        std::sort(suspect.begin(), suspect.end());
        suspect.erase(std::unique(suspect.begin(), suspect.end()), suspect.end());
        for (auto const slot : suspect)
            readmit(slot, std::find(changed_.begin(), changed_.end(), slot) != changed_.end());

        std::vector<std::size_t> homeless;
        for (std::size_t p = 0; p < all_.size(); ++p)
            if (!all_[p].node && !all_[p].gone)
                homeless.push_back(p);
        most_important_first(homeless);
        std::vector<fate> out;
        out.reserve(homeless.size());
        for (auto const i : homeless) {
            auto& p = all_[i];
            fate f{.id = std::string(p.id), .why = p.why};
            if (p.left != none) {
                f.from = std::move(left_[p.left].from);
                f.refusal = std::move(left_[p.left].refusal);
            }
            f.decision = fleet_.place(*p.pod);
            p.node = f.decision.node;
            f.to = fleet_.name(f.decision);
            if (!p.node)
                f.summary = fleet_.summary(f.decision, *p.pod);
            out.push_back(std::move(f));
        }
        return out;
    }

private:
    static constexpr auto none = static_cast<std::uint32_t>(-1);

    /// Small, since there is one for each tenant, and few of them go anywhere.
    struct person {
        std::string_view id{};
        pod_type const* pod = nullptr;
        std::optional<std::uint32_t> node{};
        std::int32_t priority = 0;
        std::uint32_t next = none;  ///< after this one on its node
        std::uint32_t left = none;  ///< the number of its departure
        displacement why = displacement::waiting;
        bool changed = false;
        bool gone = false;
    };
    struct departure {
        std::string from{};
        std::string refusal{};
    };

    [[nodiscard]] std::optional<std::uint32_t> find_node(std::string const& name, std::string path)
    {
        auto const slot = fleet_.nodes().find(name);
        if (!slot)
            errors_.add({errc::not_found, "there is no node of this name then", std::move(path)});
        return slot;
    }
    void each_name(
        std::string const& name, std::size_t count, std::string const& path, char const* field, auto&& add)
    {
        if (name.empty())
            errors_.add({errc::invalid, "must not be empty", path + field});
        if (count < 1 || count > most_added)
            errors_.add({errc::invalid, "must be 1 to " + std::to_string(most_added), path + ".count"});
        if (errors_.all)
            return;  // names that there are already show only when everything before was done
        for (std::size_t i = 1; i <= count; ++i)
            if (!add(count == 1 ? name : name + "-" + std::to_string(i))) {
                errors_.add({errc::already_exists, "there is one of this name then", path + field});
                return;
            }
    }
    void each_pod(std::vector<std::string> const& ids, std::string const& path, auto&& with)
    {
        for (std::size_t i = 0; i < ids.size(); ++i)
            if (auto* const p = find_pod(ids[i]))
                with(*p);
            else
                errors_.add({errc::not_found, "there is no pod of this id then", at_index(path + ".ids", i)});
    }

    [[nodiscard]] auto id_of() const
    {
        return [this](std::uint32_t p) { return all_[p].id; };
    }
    [[nodiscard]] person* find_pod(std::string_view id)
    {
        auto const p = by_id_.find(id, id_of());
        return p && !all_[*p].gone ? &all_[*p] : nullptr;
    }
    void each_on(std::uint32_t slot, auto&& with)
    {
        for (auto p = slot < first_on_.size() ? first_on_[slot] : none; p != none; p = all_[p].next)
            with(all_[p]);
    }
    /// It has no node any more; it is still bound there.
    void leave(person& p, displacement why, std::string refusal = {})
    {
        p.left = static_cast<std::uint32_t>(left_.size());
        left_.push_back({.from = fleet_.nodes().name(*p.node), .refusal = std::move(refusal)});
        p.node.reset();
        p.why = why;
    }

    /// The node's pods (all, or only the changed ones) leave, and those that fit come back.
    void readmit(std::uint32_t slot, bool all)
    {
        std::vector<std::size_t> asked;
        each_on(slot, [&](person const& p) {
            if (all || p.changed)
                asked.push_back(static_cast<std::size_t>(&p - all_.data()));
        });
        most_important_first(asked);
        auto const name = fleet_.nodes().name(slot);
        for (auto const i : asked)
            fleet_.unbind(name, *all_[i].pod);
        for (auto const i : asked) {
            auto& p = all_[i];
            auto refusal = refused_at(fleet_.rules(), fleet_.nodes(), *p.pod, slot);
            if (refusal.empty())
                fleet_.bind(name, *p.pod);
            else
                leave(p, displacement::no_longer_fits, std::move(refusal));
        }
    }
    void most_important_first(std::vector<std::size_t>& pods) const
    {
        std::sort(pods.begin(), pods.end(), [&](std::size_t a, std::size_t b) {
            return all_[a].priority != all_[b].priority ? all_[a].priority > all_[b].priority : a < b;
        });
    }

    scheduler<Pipeline> fleet_;
    found_errors& errors_;
    std::vector<person> all_{};
    std::deque<std::string> added_{};  ///< ids that are no tenant's
    std::vector<departure> left_{};
    id_index by_id_;                         ///< of those who are gone too, until another has the id
    std::vector<std::uint32_t> first_on_{};  ///< by slot; the others follow in the order of the tenants
    std::vector<std::uint32_t> changed_{};   ///< slots
};

}  // namespace detail

/// What the changes would do. `nodes` is a copy, and nothing outside of it changes.
///
/// Errors, all of them at once: `not_found` for a node or pod that is not there when its change is made,
/// `already_exists` for one that is, `invalid` for an empty name, a count out of bounds and a tenant without
/// a pod or not bound where it says.
///
/// The same question has the same answer. O(nodes + tenants), and one placement for each pod that has no
/// node.
template<class Pipeline>
[[nodiscard]] result<outlook> what_if(Pipeline const& rules, snapshot<Pipeline> nodes,
    std::vector<tenant<typename Pipeline::pod_type>> const& tenants,
    std::vector<change<Pipeline>> const& changes, schedule::options how = {})
{
    found_errors errors;
    auto ids = detail::check_tenants(nodes, tenants, errors);
    if (errors.all)
        return *std::move(errors.all);

    detail::supposition<Pipeline> then(std::move(nodes), rules, how, tenants, std::move(ids), errors);
    outlook out{.before = then.figures()};
    for (std::size_t i = 0; i < changes.size(); ++i)
        std::visit([&](auto const& c) { then.make(c, detail::at_index("changes", i)); }, changes[i]);
    if (errors.all)
        return *std::move(errors.all);
    out.pods = then.settle();
    out.after = then.figures();
    return out;
}

/// The same of a scheduler's nodes by its rules; ties go to the first node.
template<class Pipeline>
[[nodiscard]] result<outlook> what_if(scheduler<Pipeline> const& s,
    std::vector<tenant<typename Pipeline::pod_type>> const& tenants,
    std::vector<change<Pipeline>> const& changes)
{
    return schedule::what_if(s.rules(), s.nodes(), tenants, changes);
}

}  // namespace podium::v0::schedule
