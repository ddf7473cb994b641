#pragma once
/// What a scheduling plugin is: a small value that filters nodes, scores them, or both.
///
/// The least plugin is one function of the embedder's own node and pod:
///
///     struct near_players {
///         static constexpr std::string_view name = "near_players";
///         static int score(machine const& m, match const& p) { return 100 - distance(m.region, p.region); }
///     };
///
/// It has a `name`, and `filter`, `score` or both; functions may be static, const or templates. Most need no
/// more than this:
/// - `filter(node, pod)`: whether the node will do: `bool`, with `reason` as the text of a refusal; or a
///   `verdict` with codes, with `text(code, pod)`.
/// - `score(node, pod)`: an integer of 0 to 100, more is better; what is beyond counts as the nearer end.
/// - `normalize(raw, range)`: with it `score` gives any integer, and this makes it 0 to 100, knowing the
///   least and the most among the nodes that fit. A raw score of `not_scored` says that the node takes no
///   part: it gets 0 and moves no range.
/// - `prepare(pod)`: what the plugin wants to know of a pod, found once for a decision. All the others then
///   get this *request* in place of the pod. Pods whose requests are equal (`==`) for all plugins are alike:
///   what is remembered serves all of them, so a request holds no more than the plugin reads. (Where one has
///   no `==`, nothing is remembered: exact, and slower.)
/// - `using facts = schedule::facts<usage<cores>, ...>`: columns that the snapshot keeps of the pods that are
///   bound. The node is then a `candidate`: take it as `auto const& at`, read `at.node` and
///   `at.template get<usage<cores>>()`. A plugin without facts sees no pod but the one that is placed, so a
///   bind cannot change its answer, and it is not asked again.
///
/// For plugins whose answer about one node depends on others:
/// - `using overview = T` with `T survey(nodes, request)`: what it must know of all nodes, found once for a
///   decision (`nodes.for_each(seen)` shows each as a candidate). The last argument of `filter` and `score`.
/// - `using contest = T` with `T survey_fitting(nodes, slots, request)`: the same, once it is known which
///   nodes fit. It takes the overview's place in `score`.
/// - `template<class Nodes> class ledger`: keeps what these two would find as the nodes change (see
///   ledger.hpp). Without it each pod costs a look at all nodes, unless there is
/// - `alone(nodes, request)`: true when for this pod now its answers (with a ledger: its filter's) are those
///   with a default overview and contest.
///
/// For speed and for words; these change no answer:
/// - `indifferent(request)`: true for a pod for which it refuses no node. Its filter is not asked.
/// - `sweep(columns, request, slots, refused)` as a filter, `sweep(columns, request, slots, weight, sums)` as
///   a score: for many nodes at once (see resources.hpp); false, and nothing written, where each has to be
///   asked.
/// - `amounts(node, request, code)`: the numbers of a refusal; `which(node, request)`: what on the node is to
///   blame, as text. Only asked when somebody reads them.
///
/// Answers depend on the arguments alone, and a plugin holds nothing that changes. Should one throw, that
/// call ends with the exception and has placed nothing; later ones are as if it had not been made.
///
/// A plugin that falls short does not compile, and the error names the member.
///
/// Source: the extension points are those of kube-scheduler's framework (v1.35, pkg/scheduler/framework).

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace podium::inline v0::schedule {

inline constexpr int max_score = 100;
inline constexpr std::int64_t not_scored = std::numeric_limits<std::int64_t>::min();

/// A filter's answer: the set of codes of why not, empty when the node fits. A code is 0 to 63 and the
/// plugin's own; one code has one text for all nodes.
struct verdict {
    std::uint64_t codes = 0;
    bool unresolvable = false;  ///< removing pods from the node cannot help

    [[nodiscard]] constexpr bool fits() const noexcept { return codes == 0; }
    /// Adds a code; those above 63 count as 63.
    constexpr void refuse(std::size_t code, bool hopeless) noexcept
    {
        codes |= std::uint64_t{1} << (code < 63 ? code : 63);
        unresolvable = unresolvable || hopeless;
    }
    friend bool operator==(verdict const&, verdict const&) = default;
};

/// The numbers behind one code, in the resource's own unit.
struct amounts {
    std::int64_t wanted = 0;
    std::int64_t free = 0;
    friend bool operator==(amounts const&, amounts const&) = default;
};

/// Least and most raw score among the nodes that fit.
struct range {
    std::int64_t least = 0;
    std::int64_t most = 0;
    friend bool operator==(range const&, range const&) = default;
};

/// Scales by the largest: the best node gets 100; nothing anywhere stays 0. Raw scores below 0 count as 0.
/// Source: DefaultNormalizeScore, pkg/scheduler/framework/plugins/helper/normalize_score.go.
[[nodiscard]] constexpr int by_most(std::int64_t raw, range feasible) noexcept
{
    if (feasible.most <= 0 || raw <= 0)
        return 0;
    constexpr auto exact =
        std::numeric_limits<std::int64_t>::max() / max_score;  // beyond, the product would overflow
    return static_cast<int>(
        feasible.most <= exact ? max_score * raw / feasible.most : raw / (feasible.most / max_score));
}

/// The same for what is to be avoided: nothing anywhere is 100 for all.
[[nodiscard]] constexpr int by_most_reversed(std::int64_t raw, range feasible) noexcept
{
    return max_score - by_most(raw, feasible);
}

/// The columns that a plugin reads. Equal types are kept once, whoever names them.
template<class... Facts>
struct facts {
    using columns = std::tuple<Facts...>;
};

/// One node as a plugin sees it. Converts to the node, so a plugin without facts just takes `Node const&`.
template<class Node, class Columns>
struct candidate {
    Node const& node;
    Columns const& columns;
    std::uint32_t slot = 0;

    constexpr operator Node const&() const noexcept { return node; }
    template<class Fact>
    [[nodiscard]] constexpr decltype(auto) get() const
    {
        return std::get<Fact>(columns).at(slot);
    }
};

/// A filter is asked about every node; the first in the list that refuses gives the reason.
template<class... Plugins>
struct filters {};

/// A score and its weight in the sum.
template<class Plugin, int Weight = 1>
struct weighted {
    static_assert(
        Weight >= 1 && Weight <= 1000, "podium: weighted<Plugin, Weight>: the weight must be 1 to 1000");
    using plugin = Plugin;
    static constexpr int weight = Weight;
};

template<class... Weighted>
struct scores {};

/// A property of a node or pod: whatever std::invoke can call with it, `&machine::cores` or a function.
template<auto Property, class T>
concept PropertyOf = std::invocable<decltype(Property), T const&>;

/// Stands for a property that the embedder's type does not have.
struct absent {
    friend bool operator==(absent, absent) = default;
};
inline constexpr absent none{};

/// A name as a template argument: `resource<"cores", ...>`.
template<std::size_t N>
struct name_literal {
    char chars[N]{};
    consteval name_literal(char const (&text)[N])
    {
        for (std::size_t i = 0; i < N; ++i)
            chars[i] = text[i];
    }
    [[nodiscard]] constexpr std::string_view view() const noexcept { return {chars, N - 1}; }
};

namespace detail {

template<class P>
concept HasFacts = requires { typename P::facts; };
template<class P, class Pod>
concept HasPrepare = requires(P const& p, Pod const& pod) { p.prepare(pod); };

template<class P, class Pod>
struct request {
    using type = Pod;
};
template<class P, class Pod>
requires HasPrepare<P, Pod>
struct request<P, Pod> {
    using type = std::remove_cvref_t<decltype(std::declval<P const&>().prepare(std::declval<Pod const&>()))>;
};
template<class P, class Pod>
using request_t = typename request<P, Pod>::type;

/// Stands for what a plugin does not ask for.
struct nothing {
    friend bool operator==(nothing, nothing) = default;
};
template<class P>
concept HasOverview = requires { typename P::overview; };
template<class P>
concept HasContest = requires { typename P::contest; };
template<class P>
struct overview {
    using type = nothing;
};
template<HasOverview P>
struct overview<P> {
    using type = typename P::overview;
};
template<class P>
using overview_t = typename overview<P>::type;
template<class P>
struct contest : overview<P> {};
template<HasContest P>
struct contest<P> {
    using type = typename P::contest;
};
template<class P>
inline constexpr bool spans = HasOverview<P> || HasContest<P>;
template<class P, class Nodes>
concept HasLedger = requires { typename P::template ledger<Nodes>; };
/// What `score` gets: the contest, else the overview.
template<class P>
using contest_t = typename contest<P>::type;

template<class P, class At, class Request>
constexpr auto filter_with(P const& p, At const& at, Request const& r, nothing const&)
    -> decltype(p.filter(at, r))
{
    return p.filter(at, r);
}
template<HasOverview P, class At, class Request>
constexpr auto filter_with(P const& p, At const& at, Request const& r, typename P::overview const& known)
    -> decltype(p.filter(at, r, known))
{
    return p.filter(at, r, known);
}
template<class P, class At, class Request>
constexpr auto score_with(P const& p, At const& at, Request const& r, nothing const&)
    -> decltype(p.score(at, r))
{
    return p.score(at, r);
}
template<class P, class At, class Request, class Known>
constexpr auto score_with(P const& p, At const& at, Request const& r, Known const& known)
    -> decltype(p.score(at, r, known))
{
    return p.score(at, r, known);
}

template<class P, class At, class Request>
concept HasFilter = requires(P const& p, At const& at, Request const& r, overview_t<P> const& known) {
    detail::filter_with(p, at, r, known);
};
template<class P, class At, class Request>
concept HasScore = requires(P const& p, At const& at, Request const& r, contest_t<P> const& known) {
    { detail::score_with(p, at, r, known) } -> std::integral;
};
template<class P>
concept HasNormalize = requires(P const& p, std::int64_t raw, range r) {
    { p.normalize(raw, r) } -> std::integral;
};
template<class P, class Request>
concept HasIndifferent = requires(P const& p, Request const& r) {
    { p.indifferent(r) } -> std::same_as<bool>;
};
template<class P, class Nodes, class Request>
concept HasAlone = requires(P const& p, Nodes const& nodes, Request const& r) {
    { p.alone(nodes, r) } -> std::same_as<bool>;
};

/// Whether P has a member of that name, whatever it is: then the name is ambiguous in what derives from it
/// and from one that has it too. So a member that is optional and wrong is told from one that is not there.
struct has_prepare {
    int prepare;
};
struct has_normalize {
    int normalize;
};
struct has_indifferent {
    int indifferent;
};
struct has_alone {
    int alone;
};
struct has_survey {
    int survey;
};
struct has_survey_fitting {
    int survey_fitting;
};
struct has_ledger {
    int ledger;
};
template<class P, class Other>
struct both : P, Other {};
template<class P>
concept Open = !std::is_final_v<P>;
template<class P>
concept NamesPrepare = Open<P> && !requires { &both<P, has_prepare>::prepare; };
template<class P>
concept NamesNormalize = Open<P> && !requires { &both<P, has_normalize>::normalize; };
template<class P>
concept NamesIndifferent = Open<P> && !requires { &both<P, has_indifferent>::indifferent; };
template<class P>
concept NamesAlone = Open<P> && !requires { &both<P, has_alone>::alone; };
template<class P>
concept NamesSurvey = !Open<P> || !requires { &both<P, has_survey>::survey; };
template<class P>
concept NamesSurveyFitting = !Open<P> || !requires { &both<P, has_survey_fitting>::survey_fitting; };
template<class P>
concept NamesLedger = Open<P> && !requires { &both<P, has_ledger>::ledger; };
template<class P>
concept HasName = requires {
    { P::name } -> std::convertible_to<std::string_view>;
};

template<class P, class Request>
constexpr bool is_indifferent(P const& plugin, Request const& request)
{
    if constexpr (HasIndifferent<P, Request>)
        return plugin.indifferent(request);
    else
        return false;
}
template<class P, class At, class Request>
constexpr verdict ask(P const& plugin, At const& at, Request const& request, overview_t<P> const& known = {})
{
    if (is_indifferent(plugin, request))
        return {};
    using answer = decltype(detail::filter_with(plugin, at, request, known));
    if constexpr (std::same_as<answer, bool>)
        return detail::filter_with(plugin, at, request, known)
            ? verdict{}
            : verdict{.codes = 1, .unresolvable = !HasFacts<P>};
    else
        return detail::filter_with(plugin, at, request, known);
}

template<class P, class Request>
std::string words(P const& plugin, std::size_t code, Request const& request)
{
    if constexpr (requires { plugin.text(code, request); })
        return plugin.text(code, request);
    else
        return std::string(P::reason);
}

// Each fails with the name of what is missing; the compiler's note shows which plugin.

/// What may be left out, and is wrong where it is not.
template<class P, class Pod>
consteval bool check_members()
{
    static_assert(HasName<P>, "podium: a plugin has no `static constexpr std::string_view name`");
    static_assert(
        HasPrepare<P, Pod> || !NamesPrepare<P>, "podium: a plugin's `prepare` does not take the pod");
    static_assert(HasNormalize<P> || !NamesNormalize<P>,
        "podium: a plugin's `normalize(std::int64_t raw, schedule::range)` takes something else, or returns "
        "no integer");
    static_assert(HasIndifferent<P, request_t<P, Pod>> || !NamesIndifferent<P>,
        "podium: a plugin's `indifferent(request)` takes something else, or does not return bool");
    static_assert(!HasOverview<P> || NamesSurvey<P>,
        "podium: a plugin has an `overview` and no `survey(nodes, request)`");
    static_assert(!HasContest<P> || NamesSurveyFitting<P>,
        "podium: a plugin has a `contest` and no `survey_fitting(nodes, slots, request)`");
    static_assert(spans<P> || !NamesLedger<P>,
        "podium: a plugin has a `ledger`, and no `overview` or `contest` that it would keep");
    static_assert(spans<P> || !NamesAlone<P>,
        "podium: a plugin has `alone`, and no `overview` or `contest` to do without");
    return true;
}
/// The same of what depends on the nodes.
template<class P, class Nodes, class Request>
consteval bool check_members_of_nodes()
{
    static_assert(HasLedger<P, Nodes> || !NamesLedger<P>,
        "podium: a plugin's `ledger` is no `template<class Nodes> class`");
    static_assert(HasAlone<P, Nodes, Request> || !NamesAlone<P>,
        "podium: a plugin's `alone(nodes, request)` takes something else, or does not return bool");
    return true;
}

template<class P, class At, class Request>
consteval bool check_filter()
{
    static_assert(HasFilter<P, At, Request>,
        "podium: a plugin in filters<> has no `filter(node, pod)` (with `prepare`: `filter(node, prepare's "
        "result)`)");
    if constexpr (HasFilter<P, At, Request>) {
        using answer = decltype(detail::filter_with(std::declval<P const&>(), std::declval<At const&>(),
            std::declval<Request const&>(), std::declval<overview_t<P> const&>()));
        static_assert(std::same_as<answer, bool> || std::same_as<answer, verdict>,
            "podium: a plugin's `filter` returns neither bool nor schedule::verdict");
        static_assert(
            requires { std::string(P::reason); } ||
                requires(P const& p, Request const& r) { std::string(p.text(std::size_t{}, r)); },
            "podium: a plugin in filters<> has no `static constexpr std::string_view reason` (or `text(code, "
            "request)`)");
    }
    return true;
}

template<class P, class At, class Request>
consteval bool check_score()
{
    static_assert(HasScore<P, At, Request>,
        "podium: a plugin in scores<> has no `score(node, pod)` that returns an integer (with `prepare`: "
        "`score(node, "
        "prepare's result)`)");
    return true;
}

template<class T, class List>
inline constexpr std::size_t index_in = 0;
template<class T, class... Ts>
inline constexpr std::size_t index_in<T, std::tuple<Ts...>> = [] {
    std::size_t at = 0;
    (void)((std::same_as<T, Ts> || (++at, false)) || ...);
    return at;
}();

/// The tuple of the different types among In, in order.
template<class Out, class... In>
struct unique {
    using type = Out;
};
template<class... Out, class T, class... In>
struct unique<std::tuple<Out...>, T, In...>
    : unique<std::conditional_t<(std::same_as<T, Out> || ...), std::tuple<Out...>, std::tuple<Out..., T>>,
          In...> {};

template<class... Tuples>
struct unique_of;
template<>
struct unique_of<> {
    using type = std::tuple<>;
};
template<class... Ts>
struct unique_of<std::tuple<Ts...>> : unique<std::tuple<>, Ts...> {};
template<class... A, class... B, class... Rest>
struct unique_of<std::tuple<A...>, std::tuple<B...>, Rest...> : unique_of<std::tuple<A..., B...>, Rest...> {};

/// The overviews and contests of a list of plugins.
template<class Plugins>
struct each_of;
template<class... P>
struct each_of<std::tuple<P...>> {
    using overviews = std::tuple<overview_t<P>...>;
    using contests = std::tuple<contest_t<P>...>;
};

/// What a class of pods keeps for each plugin: what it prepared, and the pod itself only where one reads
/// that.
template<class Pod, class Plugins>
struct requests;
template<class Pod, class... P>
struct requests<Pod, std::tuple<P...>> {
    template<class Plugin>
    using part = typename std::conditional_t<HasPrepare<Plugin, Pod>, request<Plugin, Pod>,
        std::type_identity<absent>>::type;
    using parts = std::tuple<part<P>...>;
    using pod = std::conditional_t<(HasPrepare<P, Pod> && ...), absent, Pod>;
    static constexpr bool comparable =
        (std::equality_comparable<part<P>> && ...) && std::equality_comparable<pod>;
};

template<class P>
struct columns_of {
    using type = std::tuple<>;
};
template<HasFacts P>
struct columns_of<P> {
    using type = typename P::facts::columns;
};

/// Text of a name that may be a string, an optional string or an enum with `to_string`.
template<class T>
constexpr std::string_view view_of(T const& name)
{
    if constexpr (std::convertible_to<T const&, std::string_view>)
        return name;
    else if constexpr (requires { name.has_value(); })
        return name.has_value() ? view_of(*name) : std::string_view{};
    else
        return to_string(name);
}

}  // namespace detail
}  // namespace podium::v0::schedule
