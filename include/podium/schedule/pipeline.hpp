#pragma once
/// The rules of placement as one type: which plugins filter, which score and with what weight.
///
///     using rules = schedule::pipeline<machine, match,
///         schedule::filters<schedule::fit<cores, ram>>,
///         schedule::scores<schedule::weighted<schedule::least_allocated<cores, ram>, 1>>>;
///
/// `decide` and `explain` look at all nodes of a snapshot each time: they say what is right. `scheduler` says
/// the same, faster. Plugins with settings are given to the constructor; the others are made by default. A
/// plugin that is not named costs nothing.
///
/// Source: the order of a cycle (filter, score, normalise, weigh, sum) is kube-scheduler's (v1.35,
/// schedule_one.go), without the sampling of nodes; the text of a failure is its `FitError`.

#include <podium/schedule/decision.hpp>
#include <podium/schedule/plugin.hpp>
#include <podium/schedule/snapshot.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// Nodes that were promised (Kubernetes: status.nominatedNodeName) to pods that are not bound yet, by slot.
template<class Pod>
struct nominations {
    std::optional<std::uint32_t> own{};  ///< the pod's: if it fits there, no other node is looked at
    std::vector<std::pair<std::uint32_t, Pod>>
        others{};  ///< only those that come first: of equal or higher priority
};

template<class Node, class Pod, class Filters, class Scores>
class pipeline;

template<class Node, class Pod, class... Filter, class... Weighted>
class pipeline<Node, Pod, filters<Filter...>, scores<Weighted...>> {
public:
    using node_type = Node;
    using pod_type = Pod;
    using plugins = typename detail::unique<std::tuple<>, Filter..., typename Weighted::plugin...>::type;
    using columns = typename detail::unique_of<std::tuple<>, typename detail::columns_of<Filter>::type...,
        typename detail::columns_of<typename Weighted::plugin>::type...>::type;
    using candidate = schedule::candidate<Node, columns>;
    using nodes = schedule::snapshot<pipeline>;

    static constexpr std::size_t filter_count = sizeof...(Filter);
    static constexpr std::size_t score_count = sizeof...(Weighted);
    static_assert(filter_count < 255, "podium: a pipeline has at most 254 filters");
    static_assert((detail::check_members<Filter, Pod>() && ...) &&
        (detail::check_members<typename Weighted::plugin, Pod>() && ...));
    static_assert((detail::check_filter<Filter, candidate, detail::request_t<Filter, Pod>>() && ...));
    static_assert((detail::check_score<typename Weighted::plugin, candidate,
                       detail::request_t<typename Weighted::plugin, Pod>>() &&
        ...));

    /// What the plugins want to know of a pod. Pods with equal requests are one class: they get the same
    /// answers.
    struct request {
        typename detail::requests<Pod, plugins>::parts parts{};
        typename detail::requests<Pod, plugins>::pod pod{};
        static constexpr bool comparable = detail::requests<Pod, plugins>::comparable;
        friend bool operator==(request const&, request const&) = default;
    };

    pipeline() = default;
    /// `rules{least_allocated<cores, ram>{.weights = {2, 1}}}`: settings for the plugins that have some.
    template<class... Plugin>
    requires(
        sizeof...(Plugin) > 0 && ((detail::index_in<Plugin, plugins> < std::tuple_size_v<plugins>) && ...))
    explicit pipeline(Plugin... configured)
    {
        ((std::get<Plugin>(plugins_) = std::move(configured)), ...);
    }

    [[nodiscard]] request prepare(Pod const& pod) const
    {
        auto const ask = [&]<class P>(P const& plugin) {
            if constexpr (detail::HasPrepare<P, Pod>)
                return plugin.prepare(pod);
            else
                return none;
        };
        auto parts = std::apply(
            [&](auto const&... p) { return typename detail::requests<Pod, plugins>::parts{ask(p)...}; },
            plugins_);
        if constexpr (std::same_as<decltype(request::pod), absent>)
            return {.parts = std::move(parts)};
        else
            return {.parts = std::move(parts), .pod = pod};
    }

    /// The decision by looking at every node. Ties go to the first at or after slot `from`. O(nodes x
    /// plugins).
    /// With `nominations` a node must fit with what is promised to others there as well as without it: each
    /// such node costs a copy of the snapshot.
    [[nodiscard]] decision decide(
        nodes const& on, Pod const& pod, std::uint32_t from = 0, nominations<Pod> const& nominated = {}) const
    {
        return decide_class(on, prepare(pod), from, nominated);
    }
    [[nodiscard]] decision decide_class(nodes const& on, request const& wanted, std::uint32_t from = 0,
        nominations<Pod> const& nominated = {}) const
    {
        tally all;
        auto const known = survey(on, wanted);
        auto const judge = [&](candidate const& at, contests const& c) {
            raw_scores raw{};
            score<part::all>(at, wanted, raw, c);
            all.fit(at.slot, raw);
        };
        std::vector<std::uint32_t> fitting;
        bool const promised = fits_own(on, wanted, known, nominated);
        on.for_each([&](candidate const& at) {
            if (promised && at.slot != *nominated.own)
                return;
            if (auto const no = refused(on, wanted, at.slot, nominated, known); no.plugin != nobody)
                all.refused.add(no, 1);
            else if constexpr (spans)
                fitting.push_back(at.slot);  // scored when all of them are known
            else
                judge(at, {});
        });
        if constexpr (spans) {
            auto const c = survey_fitting(on, fitting, wanted, known);
            for (auto const slot : fitting)
                judge(on.at(slot), c);
        }
        return choose(all, on, from);
    }

    /// Every node by every plugin, and the same decision derived from that table alone.
    [[nodiscard]] explanation explain(
        nodes const& on, Pod const& pod, std::uint32_t from = 0, nominations<Pod> const& nominated = {}) const
    {
        auto const wanted = prepare(pod);
        explanation out{.filters = {Filter::name...}, .scores = {Weighted::plugin::name...}};
        tally all;
        auto const known = survey(on, wanted);
        std::vector<std::uint32_t> fitting;
        bool const promised = fits_own(on, wanted, known, nominated);
        on.for_each([&](candidate const& at) {
            if (promised && at.slot != *nominated.own)
                return;
            auto& row = out.nodes.emplace_back(explained_node{.node = at.slot});
            as_promised(on, at.slot, wanted, known, nominated, [&](auto const& seen, overviews const& k) {
                row.reasons = refusals(seen, wanted, k);
                return !row.reasons.empty();
            });
            if (row.reasons.empty()) {
                fitting.push_back(at.slot);
            } else {
                all.refused.add(row);
            }
        });
        auto const c = survey_fitting(on, fitting, wanted, known);
        for (auto& row : out.nodes)
            if (row.reasons.empty()) {
                raw_scores raw{};
                score<part::all>(on.at(row.node), wanted, raw, c);
                row.raw.assign(raw.begin(), raw.end());
                all.fit(row.node, raw);
            }
        out.decision = choose(all, on, from);
        for (auto& row : out.nodes)
            if (row.reasons.empty()) {
                raw_scores raw{};
                std::copy(row.raw.begin(), row.raw.end(), raw.begin());
                row.scores = weigh(raw, all.feasible);
                for (int s : row.scores)
                    row.score += s;
            }
        return out;
    }

    /// One kind of refusal in the words that kubectl shows: "Insufficient cpu".
    [[nodiscard]] std::string text(std::uint8_t by, std::uint8_t code, request const& wanted) const
    {
        std::string out;
        each_filter([&]<std::size_t I, class P>() {
            if (I == by)
                out = detail::words(plugin<P>(), std::size_t{code}, part_of<P>(wanted));
            return I == by;
        });
        return out;
    }

    /// One refusal of one node, with what is known beyond those words: "Insufficient cpu (wanted 500, free
    /// 250)", "node(s) had untolerated taint(s) {dedicated: gpu}".
    [[nodiscard]] std::string text(
        nodes const& on, std::uint32_t slot, reason const& why, Pod const& pod) const
    {
        auto const wanted = prepare(pod);
        auto out = text(why.plugin, why.code, wanted);
        auto const at = on.at(slot);
        each_filter([&]<std::size_t I, class P>() {
            if (I != why.plugin)
                return false;
            auto const& r = part_of<P>(wanted);
            if constexpr (requires { plugin<P>().amounts(at, r, std::size_t{}); })
                out += " (wanted " + std::to_string(why.amounts.wanted) + ", free " +
                    std::to_string(why.amounts.free) + ")";
            if constexpr (requires { std::string(plugin<P>().which(at, r)); })
                out += " " + std::string(plugin<P>().which(at, r));
            return true;
        });
        return out;
    }

    /// "0/5 nodes are available: 2 node(s) had untolerated taint(s), 3 Insufficient cpu."
    /// A node short of two resources counts in both; the parts are sorted as text, as in Kubernetes.
    [[nodiscard]] std::string summary(decision const& d, Pod const& pod) const
    {
        if (d.nodes == 0)
            return "no nodes available to schedule pods";
        auto const wanted = prepare(pod);
        std::map<std::string, std::uint64_t> counts;
        for (auto const& r : d.refused)
            counts[text(r.plugin, r.code, wanted)] += r.nodes;
        std::vector<std::string> parts;
        for (auto const& [why, count] : counts)
            parts.push_back(std::to_string(count) + " " + why);
        std::sort(parts.begin(), parts.end());
        auto out = std::to_string(d.feasible) + "/" + std::to_string(d.nodes) + " nodes are available";
        for (std::size_t i = 0; i < parts.size(); ++i)
            out += (i == 0 ? ": " : ", ") + parts[i];
        return out + ".";
    }

    // What `scheduler` builds on: one node at a time, and the plugins that read no columns apart from the
    // others.

    static constexpr std::uint8_t nobody = 255;
    struct refusal {
        std::uint64_t codes = 0;
        std::uint8_t plugin = nobody;
        bool unresolvable = false;
        friend bool operator==(refusal const&, refusal const&) = default;
    };
    using raw_scores = std::array<std::int64_t, score_count>;
    using ranges = std::array<range, score_count>;

    /// Whether a plugin looks at more than one node for its answer about one.
    static constexpr bool spans =
        (detail::spans<Filter> || ...) || (detail::spans<typename Weighted::plugin> || ...);
    /// Whether it keeps a ledger of them.
    template<class P>
    static constexpr bool is_kept = detail::spans<P> && detail::HasLedger<P, nodes>;
    /// Whether, for this pod now, no plugin without a ledger looks at more than one node.
    [[nodiscard]] bool is_local(nodes const& on, request const& wanted) const
    {
        bool local = true;
        each_plugin([&]<class P>() {
            if constexpr (detail::spans<P> && !is_kept<P>)
                local = local && alone<P>(on, wanted);
        });
        return local;
    }
    /// Whether, for this pod now, no filter looks at more than one node: then default overviews will do. It
    /// stays so when pods are taken away, which preemption relies on.
    [[nodiscard]] bool filters_alone(nodes const& on, request const& wanted) const
    {
        return ((!detail::HasOverview<Filter> || alone<Filter>(on, wanted)) && ...);
    }
    /// What such plugins know, by plugin.
    using overviews = typename detail::each_of<plugins>::overviews;
    using contests = typename detail::each_of<plugins>::contests;
    /// What plugins know that need not ask: made once, since it may hold maps.
    template<class T>
    [[nodiscard]] static T const& unasked()
    {
        static T const nothing{};
        return nothing;
    }
    [[nodiscard]] overviews survey(nodes const& on, request const& wanted) const
    {
        overviews out;
        each_plugin([&]<class P>() {
            if constexpr (detail::HasOverview<P>)
                of_plugin<P>(out) = plugin<P>().survey(on, part_of<P>(wanted));
        });
        return out;
    }
    [[nodiscard]] contests survey_fitting(nodes const& on, std::vector<std::uint32_t> const& fitting,
        request const& wanted, overviews const& known) const
    {
        contests out;
        each_plugin([&]<class P>() {
            if constexpr (detail::HasContest<P>)
                of_plugin<P>(out) = plugin<P>().survey_fitting(on, fitting, part_of<P>(wanted));
            else
                of_plugin<P>(out) = of_plugin<P>(known);
        });
        return out;
    }

    /// Which plugins are asked: `fixed` ones read the node alone, so only a change of the node concerns them;
    /// `moving` are those of the others that keep no ledger.
    enum class part : std::uint8_t { all, fixed, moving };
    template<class P>
    static constexpr bool is_fixed = !detail::HasFacts<P> && !detail::spans<P>;
    template<class P, part Which>
    static constexpr bool is_asked =
        Which == part::all || (Which == part::fixed ? is_fixed<P> : !is_fixed<P> && !is_kept<P>);
    /// Scores that need nothing but the node: without `normalize` and without a ledger.
    template<class P>
    static constexpr bool is_plain = !detail::HasNormalize<P> && !is_kept<P>;
    static constexpr std::array<bool, score_count> plain{is_plain<typename Weighted::plugin>...};
    static constexpr std::array<bool, score_count> kept{is_kept<typename Weighted::plugin>...};

    /// The first plugin that refuses; with `moving`, `known` is what the fixed ones said.
    template<part Which>
    [[nodiscard]] refusal first_refusal(candidate const& at, request const& wanted, refusal known = {},
        overviews const& cluster = unasked<overviews>()) const
    {
        refusal out;
        each_filter([&]<std::size_t I, class P>() {
            if constexpr (Which == part::moving && is_fixed<P>) {
                if (known.plugin == I)
                    out = known;
            } else if constexpr (is_asked<P, Which>) {
                if (auto const v = detail::ask(plugin<P>(), at, part_of<P>(wanted), of_plugin<P>(cluster));
                    !v.fits())
                    out = {.codes = v.codes, .plugin = I, .unresolvable = v.unresolvable};
            }
            return out.plugin != nobody;
        });
        return out;
    }

    /// The first plugin that refuses this node, with nominations. O(plugins), and a survey when one spans.
    [[nodiscard]] refusal refused(nodes const& on, request const& wanted, std::uint32_t slot,
        nominations<Pod> const& nominated = {}) const
    {
        return refused(on, wanted, slot, nominated, survey(on, wanted));
    }
    [[nodiscard]] refusal refused(nodes const& on, request const& wanted, std::uint32_t slot,
        nominations<Pod> const& nominated, overviews const& known) const
    {
        if (nominated.others.empty())
            return first_refusal<part::all>(on.at(slot), wanted, {}, known);
        refusal no;
        as_promised(on, slot, wanted, known, nominated, [&](auto const& seen, overviews const& k) {
            no = first_refusal<part::all>(seen, wanted, {}, k);
            return no.plugin != nobody;
        });
        return no;
    }

    /// Asks the score plugins, leaving the others' places in `raw` as they are. A score without `normalize`
    /// that is not 0 to 100 is brought there.
    template<part Which>
    void score(candidate const& at, request const& wanted, raw_scores& raw,
        contests const& cluster = unasked<contests>()) const
    {
        each_score([&]<std::size_t I, class P, int W>() {
            if constexpr (is_asked<P, Which>) {
                raw[I] = detail::score_with(plugin<P>(), at, part_of<P>(wanted), of_plugin<P>(cluster));
                if constexpr (!detail::HasNormalize<P>)
                    raw[I] = std::clamp<std::int64_t>(raw[I], 0, max_score);
            }
        });
    }

    /// Each plugin's part of the sum: normalised over the feasible nodes, and weighted.
    [[nodiscard]] std::vector<int> weigh(raw_scores const& raw, ranges const& feasible) const
    {
        std::vector<int> out;
        out.reserve(score_count);
        each_score(
            [&]<std::size_t I, class P, int W>() { out.push_back(weigh_one<I, P, W>(raw, feasible)); });
        return out;
    }
    /// The sum of the plain ones (or of the others).
    template<bool Plain>
    [[nodiscard]] int sum(raw_scores const& raw, ranges const& feasible) const
    {
        int out = 0;
        each_score([&]<std::size_t I, class P, int W>() {
            if constexpr (is_plain<P> == Plain)
                out += weigh_one<I, P, W>(raw, feasible);
        });
        return out;
    }
    static void widen(ranges& feasible, raw_scores const& raw, bool first)
    {
        for (std::size_t k = 0; k < score_count; ++k) {
            if (first)
                feasible[k] = {std::numeric_limits<std::int64_t>::max(), not_scored};
            if (raw[k] != not_scored)
                feasible[k] = {std::min(feasible[k].least, raw[k]), std::max(feasible[k].most, raw[k])};
        }
    }

    template<class P>
    [[nodiscard]] P const& plugin() const
    {
        return std::get<P>(plugins_);
    }
    /// What that plugin wants to know of the pod.
    template<class P>
    [[nodiscard]] static auto const& part_of(request const& r)
    {
        if constexpr (detail::HasPrepare<P, Pod>)
            return std::get<detail::index_in<P, plugins>>(r.parts);
        else
            return r.pod;
    }
    /// A plugin's place in a tuple that has one for each.
    template<class P>
    [[nodiscard]] static constexpr auto& of_plugin(auto& all)
    {
        return std::get<detail::index_in<P, plugins>>(all);
    }
    /// what.operator()<Plugin>() for each different one.
    static constexpr void each_plugin(auto&& what)
    {
        [&]<class... P>(std::type_identity<std::tuple<P...>>) { (what.template operator()<P>(), ...); }(
            std::type_identity<plugins>{});
    }
    /// what.operator()<I, Plugin>() for each filter in order until one returns true.
    static constexpr void each_filter(auto&& what)
    {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (void)(what.template operator()<I, Filter>() || ...);
        }(std::index_sequence_for<Filter...>{});
    }
    /// The place of the first filter of which is.operator()<Plugin>() is true; `filter_count` without one.
    [[nodiscard]] static constexpr std::size_t first_filter(auto is)
    {
        std::size_t at = filter_count;
        each_filter([&]<std::size_t I, class P>() {
            if (is.template operator()<P>())
                at = I;
            return at != filter_count;
        });
        return at;
    }
    /// what.operator()<I, Plugin, Weight>() for each score in order.
    static constexpr void each_score(auto&& what)
    {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (what.template operator()<I, typename Weighted::plugin, Weighted::weight>(), ...);
        }(std::index_sequence_for<Weighted...>{});
    }

private:
    template<class P>
    [[nodiscard]] bool alone(nodes const& on, request const& wanted) const
    {
        using request_type = detail::request_t<P, Pod>;
        static_assert(detail::check_members_of_nodes<P, nodes, request_type>());
        if constexpr (detail::HasAlone<P, nodes, request_type>)
            return plugin<P>().alone(on, part_of<P>(wanted));
        else
            return false;
    }
    /// What a scan of all nodes collects.
    struct tally {
        std::vector<std::pair<std::uint32_t, raw_scores>> fits{};
        ranges feasible{};
        detail::refusal_counts refused{};

        void fit(std::uint32_t slot, raw_scores const& raw)
        {
            widen(feasible, raw, fits.empty());
            fits.emplace_back(slot, raw);
        }
    };

    /// Every refusal of one node by every plugin, with its numbers.
    [[nodiscard]] std::vector<reason> refusals(
        candidate const& at, request const& wanted, overviews const& known) const
    {
        std::vector<reason> out;
        each_filter([&]<std::size_t I, class P>() {
            auto const& r = part_of<P>(wanted);
            auto const v = detail::ask(plugin<P>(), at, r, of_plugin<P>(known));
            for (auto codes = v.codes; codes != 0; codes &= codes - 1) {
                auto const code = static_cast<std::uint8_t>(std::countr_zero(codes));
                reason why{.plugin = I, .code = code, .unresolvable = v.unresolvable};
                if constexpr (requires { plugin<P>().amounts(at, r, std::size_t{code}); })
                    why.amounts = plugin<P>().amounts(at, r, std::size_t{code});
                out.push_back(why);
            }
            return false;
        });
        return out;
    }

    /// refuses(candidate, overviews) for the node with what is promised there, then for the node as it is.
    void as_promised(nodes const& on, std::uint32_t slot, request const& wanted, overviews const& known,
        nominations<Pod> const& nominated, auto&& refuses) const
    {
        auto const here = [&](auto const& n) { return n.first == slot; };
        if (std::any_of(nominated.others.begin(), nominated.others.end(), here)) {
            auto with = on;
            for (auto const& n : nominated.others)
                if (here(n))
                    with.bind(slot, n.second);
            if (refuses(with.at(slot), survey(with, wanted)))
                return;
        }
        refuses(on.at(slot), known);
    }
    /// Whether the pod can have the node that it was promised.
    [[nodiscard]] bool fits_own(nodes const& on, request const& wanted, overviews const& known,
        nominations<Pod> const& nominated) const
    {
        if (!nominated.own || *nominated.own >= on.slots() || !on.has(*nominated.own))
            return false;
        bool fits = false;
        as_promised(on, *nominated.own, wanted, known, nominated, [&](auto const& seen, overviews const& k) {
            fits = first_refusal<part::all>(seen, wanted, {}, k).plugin == nobody;
            return !fits;
        });
        return fits;
    }

    [[nodiscard]] decision choose(tally const& all, nodes const& on, std::uint32_t from) const
    {
        decision d{.nodes = static_cast<std::uint32_t>(on.size()),
            .feasible = static_cast<std::uint32_t>(all.fits.size()),
            .from = from,
            .version = on.version()};
        auto const behind = [&](std::uint32_t slot) {
            return slot >= from ? slot - from : slot + on.slots() - from;
        };
        raw_scores const* chosen = nullptr;
        for (auto const& [slot, raw] : all.fits) {
            int const s = sum<true>(raw, all.feasible) + sum<false>(raw, all.feasible);
            d.best = chosen == nullptr || s > d.score ? 1 : d.best + (s == d.score ? 1 : 0);
            if (chosen == nullptr || s > d.score || (s == d.score && behind(slot) < behind(*d.node))) {
                d.node = slot;
                d.score = s;
                chosen = &raw;
            }
        }
        if (chosen != nullptr)
            d.scores = weigh(*chosen, all.feasible);
        d.refused = all.refused.all();
        return d;
    }

    template<std::size_t I, class P, int W>
    [[nodiscard]] int weigh_one(raw_scores const& raw, ranges const& feasible) const
    {
        if constexpr (detail::HasNormalize<P>)
            return raw[I] == not_scored ? 0
                                        : W *
                    static_cast<int>(
                        std::clamp<std::int64_t>(plugin<P>().normalize(raw[I], feasible[I]), 0, max_score));
        else
            return W * static_cast<int>(raw[I]);
    }

    [[no_unique_address]] plugins plugins_{};
};

}  // namespace podium::v0::schedule
