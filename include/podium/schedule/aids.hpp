#pragma once
/// What decisions are made with besides the nodes: for one request, what its plugins know of all nodes
/// already.
///
/// - `kept_ledger`: a plugin's ledger, brought up to date when it is asked.
/// - `fixed_answers`: what the plugins that read the node alone say of each node; pods that are alike to
///   them share it.
/// - `aids`: both for one request.

#include <podium/schedule/change_log.hpp>
#include <podium/schedule/ledger.hpp>
#include <podium/schedule/pipeline.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule::detail {

template<class P, class Nodes, class Request>
class kept_ledger {
    using ledger = typename P::template ledger<Nodes>;

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
        auto const since =
            std::exchange(version_, std::nullopt);  // should a plugin throw, all is to be done again
        auto const most = 1024 + 2 * std::size_t{on.slots()};
        auto const touch = [&](auto t) {
            also_.clear();
            ledger_.touch(plugin, on, t.slot, t.node, also_);
            for (auto const slot : also_)
                moved_.add(slot, most);
        };
        if (!since || ledger_.stale(on) || on.version() - *since > on.slots() ||
            !on.touched_since(*since, touch)) {
            ledger_ = ledger(plugin, on, key_);
            for (std::uint32_t slot = 0; slot < on.slots(); ++slot)
                if (on.has(slot)) {
                    also_.clear();
                    ledger_.touch(plugin, on, slot, true, also_);
                }
            moved_.forget();  // all nodes are new to whoever asks
        }
        version_ = on.version();
    }
    /// Counts up with each node that came to another place because of another node.
    [[nodiscard]] std::uint64_t moves() const noexcept { return moved_.version(); }
    /// seen(slot) for those since; false: too long ago to know, so any may have.
    bool moved_since(std::uint64_t moves, auto&& seen) const { return moved_.since(moves, seen); }

private:
    key key_;
    ledger ledger_;
    std::optional<std::uint64_t> version_{};  ///< of the snapshot that it is true for; none: it knows no node
    change_log<std::uint32_t> moved_{};
    std::vector<std::uint32_t> also_{};  // scratch
};

/// Answers that each plugin of a list has, where it has a ledger.
template<class Pipeline, class Plugins>
struct ledgers_of;
template<class Pipeline, class... P>
struct ledgers_of<Pipeline, std::tuple<P...>> {
    template<class Plugin>
    static auto one()
    {
        if constexpr (Pipeline::template is_kept<Plugin>) {
            using nodes = typename Pipeline::nodes;
            using request = std::remove_cvref_t<decltype(Pipeline::template part_of<Plugin>(
                std::declval<typename Pipeline::request const&>()))>;
            static_assert(Ledger<typename Plugin::template ledger<nodes>, Plugin, nodes, request>,
                "podium: a plugin's `ledger` lacks what schedule::Ledger asks for");
            return std::type_identity<std::shared_ptr<kept_ledger<Plugin, nodes, request>>>{};
        } else {
            return std::type_identity<nothing>{};
        }
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
            version_.reset();  // should a plugin throw, all is to be done again
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
                    static_assert(
                        requires {
                            { l.filter(rules.template plugin<P>(), at[0]) } -> std::same_as<verdict>;
                        },
                        "podium: a plugin in filters<> has a `ledger` without `verdict filter(plugin, "
                        "place)`");
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
                static_assert(
                    requires {
                        { l.score(rules.template plugin<P>(), at[0]) } -> std::integral;
                    },
                    "podium: a plugin in scores<> has a `ledger` without `score(plugin, place)` that returns "
                    "an integer");
                raw[I] = l.score(rules.template plugin<P>(), at[number<P>]);
                if constexpr (!HasNormalize<P>)
                    raw[I] = std::clamp<std::int64_t>(raw[I], 0, max_score);
            }
        });
    }
    /// The place in filters<> of the first that has a ledger.
    static constexpr std::size_t first_kept_filter =
        Pipeline::first_filter([]<class P>() { return Pipeline::template is_kept<P>; });
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

}  // namespace podium::v0::schedule::detail
