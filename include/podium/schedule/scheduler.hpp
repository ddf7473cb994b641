#pragma once
/// The scheduler: a snapshot, a pipeline, and a memory that makes placing the next like pod cheap.
///
/// Pods with equal requests form a class. A class remembers where every node stands and asks again only about
/// nodes that changed since: after a bind, one node and only the plugins that read columns. What plugins know
/// of many nodes at once they keep in ledgers, which classes share. So a decision costs what changed, plus
/// the cells (see equivalence.hpp). A class is remembered from its second pod on; a pod that is like no other
/// is judged by one scan of the nodes, with the same ledgers.
///
/// The memory is invisible: every answer equals `pipeline::decide` on the same snapshot (held by a test).

#include <podium/schedule/equivalence.hpp>
#include <podium/schedule/pipeline.hpp>
#include <podium/schedule/scan.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

struct options {
    /// Which of the best nodes: none: the first in node order. A seed: the first from a position drawn anew
    /// for each decision, always the same for the same seed.
    std::optional<std::uint64_t> ties_seed{};
    std::size_t classes =
        128;  ///< remembered at most, at least 1; each takes 12 bytes a node, and what its ledgers do
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
        how_.classes = std::clamp<std::size_t>(how_.classes, 1, 1 << 16);
    }
    scheduler(scheduler&&) = default;
    scheduler& operator=(scheduler&&) = default;
    ~scheduler();

    [[nodiscard]] nodes_type const& nodes() const noexcept { return nodes_; }
    [[nodiscard]] Pipeline const& rules() const noexcept { return rules_; }

    /// The fold of changes; see `snapshot`.
    std::uint32_t set(std::string_view name, node_type node) { return nodes_.set(name, std::move(node)); }
    void remove(std::string_view name) { nodes_.remove(name); }
    void bind(std::string_view name, pod_type const& pod) { nodes_.bind(name, pod); }
    void unbind(std::string_view name, pod_type const& pod) { nodes_.unbind(name, pod); }

    /// Where the pod would go. Binds nothing. With nominations each node is judged in full, as by
    /// `pipeline::decide`.
    [[nodiscard]] decision decide(pod_type const& pod, nominations<pod_type> const& nominated = {});

    /// The best of some nodes, given as slots in ascending order, by the scores that they have among all:
    /// what packs a group, or asks how good the node is that a pod has. Counts and refusals are of those
    /// nodes. Ties go to the first. O(slots + what was touched).
    template<std::ranges::input_range Slots>
    [[nodiscard]] decision decide_among(pod_type const& pod, Slots&& among)
    {
        if constexpr (remembers)
            if (auto* const c = remembered(pod))
                return c->decide_among(rules_, nodes_, among);
        auto const all = rules_.explain(nodes_, pod);
        decision d{.version = nodes_.version()};
        detail::refusal_counts counts;
        auto row = all.nodes.begin();
        for (std::uint32_t const slot : among) {
            row = std::find_if(row, all.nodes.end(), [&](explained_node const& n) { return n.node >= slot; });
            if (row == all.nodes.end() || row->node != slot)
                continue;
            ++d.nodes;
            if (!row->reasons.empty()) {
                counts.add(*row);
                continue;
            }
            ++d.feasible;
            if (!d.node || row->score > d.score) {
                d.node = slot;
                d.score = row->score;
                d.scores = row->scores;
                d.best = 0;
            }
            d.best += row->score == d.score ? 1u : 0u;
        }
        d.refused = counts.all();
        return d;
    }

    /// Decides and binds.
    decision place(pod_type const& pod, nominations<pod_type> const& nominated = {});

    /// Places `count` pods like this one, each after the one before is bound; stops at the first that fits
    /// nowhere. Should a plugin throw, none of them is placed.
    placed place(pod_type const& pod, std::size_t count);

    /// The whole table; `explain(pod, d.from).decision == d` for what was just decided.
    [[nodiscard]] explanation explain(pod_type const& pod, std::uint32_t from = 0) const;
    [[nodiscard]] std::string summary(decision const& d, pod_type const& pod) const;
    /// The chosen node's name; empty when there is none.
    [[nodiscard]] std::string_view name(decision const& d) const
    {
        return d.node ? std::string_view(nodes_.name(*d.node)) : std::string_view{};
    }

private:
    /// Pods are known when seen again.
    static constexpr bool remembers = Pipeline::request::comparable;
    using request = typename Pipeline::request;
    using aids = detail::aids<Pipeline>;

    struct class_type : detail::equivalence_class<Pipeline> {
        using detail::equivalence_class<Pipeline>::equivalence_class;
        std::optional<pod_type>
            like{};  ///< the last of them, where pods can be compared: its equal need not be prepared
        std::array<std::uint64_t, aids::ledger_count> stamps{};
    };
    struct found {
        class_type* known = nullptr;      ///< brought up to date
        std::optional<request> wanted{};  ///< else
    };

    void place_each(pod_type const& pod, std::size_t count, placed& out)
    {
        out.nodes.reserve(std::min<std::size_t>(count, most_reserved));
        if constexpr (remembers) {
            typename nodes_type::hints hints{};
            auto* c = count > 0 ? remembered(pod) : nullptr;
            for (std::size_t i = 0; c != nullptr && i < count; ++i) {
                auto const from = draw();
                if (i != 0)
                    refresh(*c);
                auto const p = c->pick(rules_, nodes_, from);
                if (!p.slot) {
                    out.refused = c->decide(rules_, nodes_, from);
                    break;
                }
                nodes_.bind(*p.slot, pod, hints);
                out.nodes.push_back(*p.slot);
                if (!rules_.is_local(nodes_, c->wanted))  // its own like made it look at others
                    c = nullptr;
            }
            if (c != nullptr)
                return;
        }
        while (out.nodes.size() < count) {
            auto d = place(pod);
            if (!d.node) {
                out.refused = std::move(d);
                break;
            }
            out.nodes.push_back(*d.node);
        }
    }

    /// Its class, now if not before; null when answers about nodes depend on each other in ways that nobody
    /// keeps.
    class_type* remembered(pod_type const& pod);
    found find(pod_type const& pod)
    {
        if constexpr (std::equality_comparable<pod_type>)
            for (auto c = classes_.begin(); c != classes_.end(); ++c)
                if (c->like && *c->like == pod)
                    return use(c);
        auto wanted = rules_.prepare(pod);
        for (auto c = classes_.begin(); c != classes_.end(); ++c)
            if (c->wanted == wanted) {
                if constexpr (std::equality_comparable<pod_type>)
                    c->like = pod;
                return use(c);
            }
        if (!rules_.is_local(nodes_, wanted) || !seen_before(pod, wanted))
            return {.wanted = std::move(wanted)};
        if (classes_.size() >= how_.classes)
            classes_.pop_back();
        auto with = aids_for(wanted);  // before there is a class, should a plugin throw
        auto& c = classes_.emplace_front(std::move(wanted));
        if constexpr (std::equality_comparable<pod_type>)
            c.like = pod;
        c.with = std::move(with);
        c.stamps = stamps();
        refresh(c);
        return {.known = &c};
    }
    /// Whether it is among the last that were seen once; now it is.
    bool seen_before(pod_type const& pod, request const& wanted)
    {
        auto const& one = [&]() -> auto const& {
            if constexpr (std::equality_comparable<pod_type>)
                return pod;
            else
                return wanted;
        }();
        if (std::find(once_.begin(), once_.end(), one) != once_.end())
            return true;
        if (once_.size() < 2 * how_.classes)
            once_.push_back(one);
        else
            once_[next_once_++ % once_.size()] = one;
        return false;
    }
    /// Moves it to the front, where it is found first and forgotten last.
    found use(typename std::list<class_type>::iterator c)
    {
        classes_.splice(classes_.begin(), classes_, c);
        if (!rules_.is_local(nodes_, c->wanted))
            return {.wanted = c->wanted};
        refresh(*c);
        return {.known = &*c};
    }
    void refresh(class_type& c)
    {
        if constexpr (aids::ledger_count != 0)
            if (auto const now = stamps(); now != c.stamps) {
                auto with = aids_for(c.wanted);
                if (with.kept != c.with.kept)
                    c.start_anew();
                c.with = std::move(with);
                c.stamps = now;
            }
        c.with.refresh(rules_, nodes_);
        c.refresh(rules_, nodes_, scanner_);
    }

    std::array<std::uint64_t, aids::ledger_count> stamps() const
    {
        std::array<std::uint64_t, aids::ledger_count> out{};
        std::size_t i = 0;
        Pipeline::each_plugin([&]<class P>() {
            if constexpr (Pipeline::template is_kept<P>)
                out[i++] = P::template ledger<nodes_type>::stamp(nodes_);
        });
        return out;
    }
    aids aids_for(request const& wanted)
    {
        aids out;
        out.fixed = shared(
            fixed_, [&](auto const& f) { return f.knows(wanted); },
            [&] { return std::make_shared<detail::fixed_answers<Pipeline>>(wanted); });
        Pipeline::each_plugin([&]<class P>() {
            if constexpr (Pipeline::template is_kept<P>) {
                auto const& plugin = rules_.template plugin<P>();
                auto key = P::template ledger<nodes_type>::key_of(
                    plugin, nodes_, Pipeline::template part_of<P>(wanted));
                auto& to = Pipeline::template of_plugin<P>(out.kept);
                using one = typename std::remove_cvref_t<decltype(to)>::element_type;
                to = shared(
                    Pipeline::template of_plugin<P>(ledgers_), [&](auto const& l) { return l.what() == key; },
                    [&] { return std::make_shared<one>(plugin, nodes_, key); });
            }
        });
        return out;
    }
    /// The one that `is` it, moved to the front; else a new one, for which the last goes that no class holds.
    template<class T>
    std::shared_ptr<T> shared(std::list<std::shared_ptr<T>>& all, auto const& is, auto const& make)
    {
        for (auto at = all.begin(); at != all.end(); ++at)
            if (is(**at)) {
                all.splice(all.begin(), all, at);
                return all.front();
            }
        if (all.size() >= how_.classes + most_spare)
            if (auto const last = std::find_if(
                    all.rbegin(), all.rend(), [](auto const& one) { return one.use_count() == 1; });
                last != all.rend())
                all.erase(std::next(last).base());
        all.push_front(make());
        return all.front();
    }

    /// One look at all nodes, for a pod that is like no other.
    decision scan(request const& wanted, std::uint32_t from)
    {
        if constexpr (detail::scanner<Pipeline>::possible)
            if (rules_.is_local(nodes_, wanted)) {
                auto const with = aids_for(wanted);
                with.refresh(rules_, nodes_);
                return scanner_(rules_, nodes_, wanted, with, from);
            }
        return rules_.decide_class(nodes_, wanted, from);
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

    template<class Ledgers>
    struct lists;
    template<class... L>
    struct lists<std::tuple<L...>> {
        template<class One>
        using list = std::conditional_t<std::same_as<One, detail::nothing>, detail::nothing, std::list<One>>;
        using type = std::tuple<list<L>...>;
    };
    static constexpr std::size_t most_spare = 16;
    static constexpr std::size_t most_reserved = 1 << 16;  ///< `count` may be as many as there are to come

    Pipeline rules_;
    schedule::options how_;
    nodes_type nodes_;
    std::list<class_type> classes_{};
    std::vector<std::conditional_t<std::equality_comparable<pod_type>, pod_type, request>>
        once_{};  ///< seen so far, and not again
    std::size_t next_once_ = 0;
    std::list<std::shared_ptr<detail::fixed_answers<Pipeline>>> fixed_{};
    typename lists<typename aids::ledgers::type>::type ledgers_{};
    detail::scanner<Pipeline> scanner_{};
    std::uint64_t drawn_ = 0;
};

// Below the class, so that kubernetes.hpp can have them compiled once.
template<class Pipeline>
scheduler<Pipeline>::~scheduler() = default;

template<class Pipeline>
decision scheduler<Pipeline>::decide(pod_type const& pod, nominations<pod_type> const& nominated)
{
    auto const from = draw();
    if (nominated.own || !nominated.others.empty())
        return rules_.decide(nodes_, pod, from, nominated);
    if constexpr (remembers) {
        auto const is = find(pod);
        if (is.known != nullptr)
            return is.known->decide(rules_, nodes_, from);
        return scan(*is.wanted, from);
    } else {
        return rules_.decide_class(nodes_, rules_.prepare(pod), from);
    }
}

template<class Pipeline>
decision scheduler<Pipeline>::place(pod_type const& pod, nominations<pod_type> const& nominated)
{
    auto d = decide(pod, nominated);
    if (d.node)
        nodes_.bind(*d.node, pod);
    return d;
}

template<class Pipeline>
placed scheduler<Pipeline>::place(pod_type const& pod, std::size_t count)
{
    placed out;
    try {
        place_each(pod, count, out);
    } catch (...) {
        for (auto const slot : out.nodes)
            nodes_.unbind(slot, pod);
        throw;
    }
    return out;
}

template<class Pipeline>
explanation scheduler<Pipeline>::explain(pod_type const& pod, std::uint32_t from) const
{
    return rules_.explain(nodes_, pod, from);
}

template<class Pipeline>
std::string scheduler<Pipeline>::summary(decision const& d, pod_type const& pod) const
{
    return rules_.summary(d, pod);
}

template<class Pipeline>
auto scheduler<Pipeline>::remembered(pod_type const& pod) -> class_type*
{
    auto* const c = find(pod).known;
    return c != nullptr ? c : find(pod).known;  // seen twice
}

}  // namespace podium::v0::schedule
