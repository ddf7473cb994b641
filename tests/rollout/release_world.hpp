#pragma once
/// Every interleaving of a release machine with a small world: pods that start and fail, routers that switch
/// and report late, analyses that say anything, a person who changes his mind, time.
///
/// After every move the machine is asked until its answer stands. Numbers that only grow (generations, runs,
/// commands) and times are moved back after each move, so that states which go on alike are alike; what is
/// left is a finite graph. Each state is checked; then, backwards from where a release may rest, each state
/// must be one from which a fair world, in which nothing more is asked for and nothing fails, leads there.

#include <podium/rollout/release.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::tests {

namespace release = rollout::release;
using release::order;
using release::template_id;
using rollout::verdict;

/// How often what may happen any number of times does happen.
struct budget {
    int templates = 0;
    int replicas = 0;
    int orders = 0;
    int failures = 0;  ///< of pods
    friend bool operator==(budget const&, budget const&) = default;
};

/// What is explored.
struct scope {
    budget what{};
    std::int32_t replicas = 2;
    std::int32_t most_replicas = 2;
    std::size_t routers = 1;
    std::vector<order> orders{order::promote, order::abort};
    std::vector<verdict> verdicts{verdict::pass, verdict::fail, verdict::inconclusive, verdict::no_data};
    template_id templates = 3;            ///< 1 to 3: 1 is stable at the start
    bool from_nothing = false;            ///< there is no stable version at the start
    bool lags = false;                    ///< what is seen of a set lags behind its size
    bool previews = false;                ///< there is a preview, and routers hear late where it leads
    bool late = false;                    ///< the machine is asked when the world likes, not after every move
    std::size_t most_states = 2'000'000;  ///< more of them are a failure of the test
};

inline constexpr time_point noon{std::chrono::hours(12)};
inline constexpr duration horizon = std::chrono::minutes(30);  ///< longer than every delay explored

/// A machine as the world needs it: its types, `step`, and what holds for it alone. `need(replicas, weight)`
/// is how many pods a weight needs.
template<class M>
struct world {
    using spec_type = typename M::spec;
    using state_type = typename M::state;

    struct router {
        std::array<std::int32_t, 4> weights{};  ///< in force, by template
        std::uint8_t at =
            0;  ///< 0: has not heard of the latest route; 1: has it in force; 2: has reported it
        friend auto operator<=>(router const&, router const&) = default;
    };

    template_id wanted = 1;
    std::int32_t replicas = 1;
    state_type s{};
    release::goals todo{};
    std::array<release::set, 4> sets{};  ///< by template
    std::vector<router> routers{};
    std::optional<template_id> previewed{};  ///< where all routers have the preview lead
    std::optional<order> told{};
    template_id about = 0;                         ///< what is wanted when it is told
    std::array<std::optional<verdict>, 2> said{};  ///< of the two runs in force, not looked at yet
    budget left{};
    bool disturbed = false;  ///< pods have failed, or more were asked for
    bool resized = false;    ///< another number of replicas was asked for
    // what has been seen of each template's release, for `may_promote`
    std::array<std::uint8_t, 4> passed{};
    std::array<bool, 4> waived{};

    [[nodiscard]] bool is_acknowledged() const
    {
        return std::all_of(routers.begin(), routers.end(), [](router const& r) { return r.at == 2; });
    }
    [[nodiscard]] std::int32_t available(template_id t) const { return sets[t].available; }
};

/// What may happen.
enum class act : std::uint8_t {
    ask,
    observe,
    pod_up,
    pod_fails,
    want,
    router_switches,
    router_reports,
    preview_follows,
    analysis_says,
    background_says,
    time_passes,
    replicas,
    order_,
};
struct move {
    act what = act::ask;
    std::size_t which = 0;
};

inline std::string to_text(move const& m)
{
    auto const i = m.which;
    switch (m.what) {
    case act::ask: return "ask";
    case act::observe: return "set " + std::to_string(i) + " is seen";
    case act::pod_up: return "pod of " + std::to_string(i) + " up";
    case act::pod_fails: return "pod of " + std::to_string(i) + " fails";
    case act::want: return "want " + std::to_string(i);
    case act::router_switches: return "router switches";
    case act::router_reports: return "router reports";
    case act::preview_follows: return "preview follows";
    case act::analysis_says: return std::string("analysis: ") + to_string(static_cast<verdict>(i));
    case act::background_says: return std::string("background: ") + to_string(static_cast<verdict>(i));
    case act::time_passes: return "time passes";
    case act::replicas: return std::to_string(i) + " replicas";
    case act::order_: return std::string(to_string(static_cast<order>(i)));
    }
    return "?";
}

/// What a machine hears; one that trusts takes no data for a pass.
inline std::vector<release::answer> heard(std::span<release::answer const> said, bool trusts)
{
    std::vector<release::answer> out(said.begin(), said.end());
    for (auto& a : out)
        if (trusts && a.said == verdict::no_data)
            a.said = verdict::pass;
    return out;
}

/// What a machine sees; one that hopes takes a pod for available as soon as it is wanted.
inline std::vector<release::set> hoped(std::span<release::set const> sets, bool hopes)
{
    std::vector<release::set> out(sets.begin(), sets.end());
    for (auto& x : out)
        if (hopes)
            x.available = x.wanted;
    return out;
}

/// What is asked for, in a line: "stepping 1: 4 + 2, 50%".
template<class State>
std::string brief(State const& s, std::int32_t stable, std::int32_t target, std::int32_t weight)
{
    std::string out(to_string(s.at));
    if constexpr (requires { s.step; })
        out += ' ' + std::to_string(s.step);
    return out + ": " + std::to_string(stable) + " + " + std::to_string(target) + ", " +
        std::to_string(weight) + '%';
}
template<class State, class Stage>
std::string brief(release::plan<Stage> const& plan)
{
    std::string out = "\n";
    for (auto const& line : plan.lines) {
        State s;
        s.at = line.stage;
        if constexpr (requires { s.step; })
            s.step = line.step;
        out += brief(s, line.stable, line.target, line.weight) + '\n';
    }
    return out;
}

struct found {
    std::size_t states = 0;
    std::size_t edges = 0;
    std::uint64_t moves = 0;    ///< a number that another graph does not have
    std::size_t stuck = 0;      ///< states from which no fair world leads to rest
    std::size_t longest = 0;    ///< moves of the fair world to rest, at most
    std::uint32_t stages = 0;   ///< that occurred, as bits
    std::uint32_t reasons = 0;  ///< the same
    std::string violation{};    ///< the first, and how it came about
    std::string stuck_after{};  ///< how the first one that is stuck came about
};

template<class M>
class explorer {
public:
    using spec_type = typename M::spec;
    using state_type = typename M::state;
    using world_type = world<M>;

    explorer(M machine, spec_type spec, scope what)
        : m_(std::move(machine)),
          spec_(std::move(spec)),
          scope_(std::move(what))
    {
    }

    found run()
    {
        auto first = start();
        settle(first);
        add(std::move(first), 0, {});
        while (!todo_.empty() && out_.violation.empty()) {
            auto const [here, w] = std::move(todo_.front());
            todo_.pop_front();
            visit(here, w);
            if (steps_.size() > scope_.most_states)
                complain(here, "more states than the test allows");
        }
        out_.states = steps_.size();
        out_.edges = edges_.size();
        if (out_.violation.empty())
            look_for_stuck();
        return out_;
    }

    /// The release of template 2 by a world that fails nothing and does one thing at a time, in any order:
    /// what the machine asks for, one after the other. A person promotes where somebody has to.
    template<class Random>
    std::string run_fair(Random& random)
    {
        auto w = start();
        settle(w);
        trace_ = "\n";
        move_ = {act::want, 2};
        w.wanted = 2;
        settle(w);
        std::vector<move> all;
        while (out_.violation.empty()) {
            if (can_rest(w)) {
                if (w.todo.why != release::reason::wants_promotion)
                    break;
                move_ = {act::order_, static_cast<std::size_t>(order::promote)};
                w.told = order::promote;
                w.about = w.wanted;
                settle(w);
                continue;
            }
            all.clear();
            each_move(w, [&](move m, bool fair) {
                if (fair)
                    all.push_back(m);
            });
            if (all.empty())
                break;
            move_ = all[random() % all.size()];
            make(w, move_);
        }
        return *std::exchange(trace_, {}) + out_.violation;
    }

    /// One way through a world too large to explore: `moves` at random, then a fair world until there is
    /// rest. `longest` is how many moves that took; `stuck` is 1 if they were not enough.
    template<class Random>
    found walk(Random& random, std::size_t moves, std::size_t fair_moves)
    {
        auto w = start();
        settle(w);
        std::vector<std::pair<move, bool>> all;
        for (std::size_t i = 0; i < moves + fair_moves && out_.violation.empty(); ++i) {
            bool const is_calm = i >= moves;
            if (is_calm && can_rest(w))
                break;
            bool const is_fair = is_calm || random() % 4 != 0;  // else nothing gets far
            all.clear();
            each_move(w, [&](move m, bool fair) {
                if (fair || !is_fair)
                    all.emplace_back(m, fair);
            });
            out_.longest = is_calm ? i - moves + 1 : 0;
            out_.stuck = is_calm && (all.empty() || i + 1 == moves + fair_moves);
            if (out_.stuck != 0)
                out_.stuck_after = path(from_) + "; " + std::string(to_string(w.s.at)) + ": " +
                    std::string(to_string(w.todo.why)) + " of " + std::to_string(w.replicas) + ", pods" +
                    pods(w);
            if (all.empty() && !is_calm)
                continue;
            if (all.empty())
                break;
            steps_.push_back({from_, move_});
            from_ = static_cast<std::uint32_t>(steps_.size() - 1);
            move_ = all[random() % all.size()].first;
            make(w, move_);
            note(w.s.at, w.todo);
            ++out_.states;
        }
        return out_;
    }

private:
    struct step_taken {
        std::uint32_t from = 0;
        move how{};
    };

    world_type start()
    {
        world_type w;
        w.left = scope_.what;
        w.replicas = scope_.replicas;
        for (template_id t = 0; t < w.sets.size(); ++t)
            w.sets[t].which = t;
        w.routers.resize(spec_.has_router() ? scope_.routers : 0);
        if (scope_.previews)
            w.previewed = 0;
        if (scope_.from_nothing)
            return w;
        w.s.stable = w.s.target = 1;
        w.sets[1].wanted = w.sets[1].existing = w.sets[1].available = w.replicas;
        if (spec_.has_router())
            w.s.traffic = {
                .generation = 2, .acknowledged = 2, .shares = {{.to = 1, .weight = 100, .at_most = 100}}};
        for (auto& r : w.routers)
            r = {.weights = {0, 100, 0, 0}, .at = 2};
        return w;
    }

    // --- moves ------------------------------------------------------------------------------------

    /// f(move, whether a fair world makes it without being asked). An analysis that fails is not unfair, but
    /// nothing may depend on it.
    template<class F>
    void each_move(world_type const& w, F&& f) const
    {
        if (scope_.late)
            f(move{act::ask}, true);
        for (template_id t = 1; t < w.sets.size(); ++t) {
            if (!w.sets[t].observed)
                f(move{act::observe, t}, true);
            if (w.sets[t].available < w.sets[t].wanted)
                f(move{act::pod_up, t}, true);
            if (w.sets[t].available > 0 && w.left.failures > 0)
                f(move{act::pod_fails, t}, false);
            if (t <= scope_.templates && t != w.wanted && w.left.templates > 0)
                f(move{act::want, t}, false);
        }
        for (std::size_t r = 0; r < w.routers.size(); ++r)
            if (w.routers[r].at < 2)
                f(move{w.routers[r].at == 0 ? act::router_switches : act::router_reports, r}, true);
        if (w.previewed && w.previewed != w.todo.preview)
            f(move{act::preview_follows}, true);
        for (std::size_t k = 0; k < w.said.size(); ++k)
            if (auto const& run = k == 0 ? w.todo.analysis : w.todo.background;
                run && !run->said && !w.said[k])
                for (auto const v : scope_.verdicts)
                    f(move{k == 0 ? act::analysis_says : act::background_says, static_cast<std::size_t>(v)},
                        v == verdict::pass);
        if (w.todo.wake_at != never)
            f(move{act::time_passes}, true);
        if (w.left.replicas > 0)
            for (std::int32_t n = 0; n <= scope_.most_replicas; ++n)
                if (n != w.replicas)
                    f(move{act::replicas, static_cast<std::size_t>(n)}, false);
        if (w.left.orders > 0 && !w.told)
            for (auto const o : scope_.orders)
                f(move{act::order_, static_cast<std::size_t>(o)}, false);
    }

    void make(world_type& w, move const& m)
    {
        auto const i = m.which;
        switch (m.what) {
        case act::ask: settle(w); break;
        case act::observe: w.sets[i].observed = true; break;
        case act::pod_up: ++w.sets[i].available; break;
        case act::pod_fails:
            --w.sets[i].available;
            --w.left.failures;
            w.disturbed = true;
            break;
        case act::want:
            w.wanted = i;
            --w.left.templates;
            break;
        case act::router_switches:
            w.routers[i].at = 1;
            w.routers[i].weights = weights_of(w.s);
            break;
        case act::router_reports: w.routers[i].at = 2; break;
        case act::preview_follows: w.previewed = w.todo.preview; break;
        case act::analysis_says: w.said[0] = static_cast<verdict>(i); break;
        case act::background_says: w.said[1] = static_cast<verdict>(i); break;
        case act::time_passes: pass(w, w.todo.wake_at - noon); break;
        case act::replicas:
            w.disturbed = w.disturbed || static_cast<std::int32_t>(i) > w.replicas;
            w.replicas = static_cast<std::int32_t>(i);
            w.resized = true;
            --w.left.replicas;
            break;
        case act::order_:
            w.told = static_cast<order>(i);
            w.about = w.wanted;
            --w.left.orders;
            break;
        }
        if (!scope_.late)
            settle(w);
        check(w);
    }

    void visit(std::uint32_t here, world_type const& w)
    {
        each_move(w, [&](move m, bool fair) {
            if (!out_.violation.empty())
                return;
            from_ = here;
            move_ = m;
            auto next = w;
            make(next, m);
            auto const there = add(std::move(next), here, m);
            out_.moves += (std::uint64_t{here} * 0x9e3779b97f4a7c15U ^ there) * 0xff51afd7ed558ccdU;
            if (fair)
                edges_.emplace_back(here, there);
        });
    }

    std::uint32_t add(world_type w, std::uint32_t from, move how)
    {
        std::sort(w.routers.begin(), w.routers.end());
        auto const [it, is_new] = known_.try_emplace(hash(w), static_cast<std::uint32_t>(steps_.size()));
        if (is_new) {
            steps_.push_back({from, how});
            note(w.s.at, w.todo);
            rests_.push_back(can_rest(w));
            todo_.emplace_back(it->second, std::move(w));
        }
        return it->second;
    }

    /// Asks the machine until it has nothing more to say.
    void settle(world_type& w)
    {
        for (int i = 0;; ++i) {
            if (i == 30)
                return complain(from_, "the answer never stands");
            if (!ask(w))
                break;
        }
        if (w.todo.wake_at <= noon)
            complain(from_, "wants to be asked again at once");
    }

    /// Whether sizes or weights changed.
    bool ask(world_type& w)
    {
        spec_.template_ = w.wanted;
        spec_.replicas = w.replicas;
        std::vector<release::set> sets;
        for (auto const& x : w.sets)
            if (x.wanted > 0)
                sets.push_back(x);
        std::vector<release::answer> answers;
        if (w.said[0])
            answers.push_back({w.s.analysis.number, *w.said[0]});
        if (w.said[1] && w.todo.background)
            answers.push_back({w.todo.background->number, *w.said[1]});
        release::observed seen{.sets = sets,
            .acknowledged = w.is_acknowledged() ? w.s.traffic.generation : w.s.traffic.generation - 1,
            .answers = answers,
            .previewed = w.previewed};
        if (w.s.traffic.generation == 0)
            seen.acknowledged = 0;
        if (w.told)
            seen.told = release::command{w.s.heard + 1, *w.told, w.about};
        auto const before = w.s;
        auto const asked = w.s.traffic.generation;
        auto [next, todo] = m_.step(spec_, before, seen, noon);
        if (auto const again = m_.step(spec_, next, seen, noon); again.next != next || again.todo != todo)
            complain(from_, "an extra step changes something");
        if (w.said[0] && *w.said[0] == verdict::pass && w.todo.analysis)
            w.passed[w.s.target] |= static_cast<std::uint8_t>(1U << w.todo.analysis->which);
        if (w.said[1] && *w.said[1] == verdict::pass && w.todo.background)
            w.passed[w.s.target] |= static_cast<std::uint8_t>(1U << w.todo.background->which);
        bool const waives = w.told == order::promote_full || (w.told == order::promote && is_undecided(w));
        if (M::begins(before, next)) {
            w.passed[next.target] = 0;
            w.waived[next.target] = false;
        }
        if (waives)
            w.waived[w.about] = true;
        w.s = std::move(next);
        w.todo = std::move(todo);
        w.told.reset();
        w.about = 0;
        w.said = {};
        check_step(w, before);
        bool changed = false;
        for (auto const& goal : w.todo.sets) {
            auto& x = w.sets[goal.which];
            changed = changed || x.wanted != goal.replicas;
            x.observed = x.observed && (!scope_.lags || x.wanted == goal.replicas);
            x.wanted = x.existing = goal.replicas;
            x.available = std::min(x.available, x.wanted);
        }
        if (w.s.traffic.generation != asked)
            for (auto& r : w.routers)
                r.at = 0;
        changed = changed || w.s.traffic.generation != asked;
        if (trace_) {
            auto line = brief(w.s, w.sets[1].wanted, w.sets[2].wanted, w.s.traffic.weight(2));
            if (!trace_->ends_with('\n' + line + '\n'))
                *trace_ += line + '\n';
        }
        canonical(w);
        return changed;
    }

    /// Makes states that go on alike the same.
    static void canonical(world_type& w)
    {
        auto& t = w.s.traffic;
        if (t.generation != 0) {
            t.acknowledged = t.is_acknowledged() ? 2 : 1;
            t.generation = 2;
        }
        if (w.todo.traffic)
            *w.todo.traffic = t;
        w.s.heard = 0;
        w.s.refused.reset();
        M::renumber(w.s);
        if (w.todo.analysis)
            w.todo.analysis = w.s.analysis;
        if constexpr (requires { w.s.background; })
            if (w.todo.background)
                w.todo.background = w.s.background;
        w.s.runs = 2;
        each_time(w, [](time_point t0) { return std::max(t0, noon - horizon); });
    }
    void pass(world_type& w, duration d)
    {
        each_time(w, [d](time_point t) { return t - d; });
        w.todo.wake_at = never;
        canonical(w);
    }
    template<class F>
    static void each_time(world_type& w, F&& f)
    {
        for (auto* const t : {&w.s.since, &w.s.progressed, &w.s.kept_until})
            if (*t != time_point{})
                *t = f(*t);
        if constexpr (requires { w.s.switched; })
            if (w.s.switched != time_point{})
                w.s.switched = f(w.s.switched);
    }
    /// Whether somebody who promotes does so knowing that an analysis does not know.
    static bool is_undecided(world_type const& w)
    {
        auto const is = [](std::optional<release::run> const& r, std::optional<verdict> now) {
            return (r && r->is_undecided()) || now == verdict::inconclusive || now == verdict::no_data;
        };
        return is(w.todo.analysis, w.said[0]) || is(w.todo.background, w.said[1]);
    }
    static std::array<std::int32_t, 4> weights_of(state_type const& s)
    {
        std::array<std::int32_t, 4> out{};
        for (auto const& x : s.traffic.shares)
            out[x.to] = x.weight;
        return out;
    }

    // --- what must hold ---------------------------------------------------------------------------

    void check_step(world_type const& w, state_type const& before)
    {
        for (auto const& x : w.s.traffic.shares)
            if (x.weight > before.traffic.weight(x.to) && !m_.may_raise(spec_, w, before, x.to, x.weight))
                complain(from_, "traffic is raised for a set that cannot take it");
        if (w.s.stable != before.stable && before.stable != 0 && !m_.may_promote(spec_, w, before))
            complain(from_, "promoted without a pass");
        m_.check_step(spec_, w, before, [&](char const* what) { complain(from_, what); });
    }

    void check(world_type const& w)
    {
        auto const complain_ = [&](char const* what) { complain(from_, what); };
        for (auto const& r : w.routers)
            for (template_id t = 1; t < w.sets.size(); ++t) {
                if (r.weights[t] == 0)
                    continue;
                if (!scope_.late && w.sets[t].wanted < M::need(w.replicas, r.weights[t]))
                    complain_("a set shrinks below what a router sends it");
                if (!w.disturbed && w.sets[t].available < M::least(spec_, w, t, r.weights[t]))
                    complain_("a router sends more than the available pods can take");
            }
        if (!scope_.late)
            m_.check_sets(w, complain_);
        if (!scope_.late && w.routers.empty() && !w.disturbed && !w.resized)
            m_.check_pods(spec_, w, complain_);
        if (!scope_.late && !w.routers.empty() && M::is_at_rest(w.s) &&
            (!w.is_acknowledged() || w.s.traffic.weight(w.s.stable) != 100))
            complain_("at rest, and traffic is not all on stable");
    }

    bool can_rest(world_type w)
    {
        if (scope_.late) {
            auto const before = hash(w);
            settle(w);
            if (hash(w) != before)
                return false;
        }
        if (w.told || w.said[0] || w.said[1])
            return false;
        if (w.todo.phase == release::phase::paused)
            return true;
        if (w.s.at == M::stage::aborted)
            return w.s.target == w.wanted && w.is_acknowledged() &&
                (w.s.why == release::reason::aborted_by_user || w.s.why == release::reason::analysis_failed ||
                    w.s.why == release::reason::aborted_late);
        if (w.s.at != M::stage::settled || w.s.stable != w.wanted || w.s.kept != 0 || !w.is_acknowledged())
            return false;
        for (auto const& x : w.sets)
            if (x.wanted != (x.which == w.s.stable ? w.replicas : 0) || x.available != x.wanted ||
                !x.observed)
                return false;
        return true;
    }

    void complain(std::uint32_t at, std::string what)
    {
        if (out_.violation.empty())
            out_.violation = what + ", after" + path(at) + "; " + to_text(move_);
    }
    std::string path(std::uint32_t at) const
    {
        std::vector<std::string> moves;
        for (; at != 0; at = steps_[at].from)
            moves.push_back(to_text(steps_[at].how));
        std::string out;
        for (auto it = moves.rbegin(); it != moves.rend(); ++it)
            out += "; " + *it;
        return out;
    }

    static std::string pods(world_type const& w)
    {
        std::string out;
        for (template_id t = 1; t < w.sets.size(); ++t)
            out += ' ' + std::to_string(w.sets[t].available) + '/' + std::to_string(w.sets[t].wanted);
        return out;
    }

    void look_for_stuck()
    {
        auto const n = steps_.size();
        std::vector<std::uint32_t> first(n + 1), into(edges_.size());
        for (auto const& e : edges_)
            ++first[e.second + 1];
        for (std::size_t i = 0; i < n; ++i)
            first[i + 1] += first[i];
        auto at = first;
        for (auto const& e : edges_)
            into[at[e.second]++] = e.first;
        std::vector<std::uint32_t> far(n, ~0U), queue;
        for (std::uint32_t i = 0; i < n; ++i)
            if (rests_[i]) {
                far[i] = 0;
                queue.push_back(i);
            }
        for (std::size_t i = 0; i < queue.size(); ++i)
            for (auto e = first[queue[i]]; e < first[queue[i] + 1]; ++e)
                if (far[into[e]] == ~0U) {
                    far[into[e]] = far[queue[i]] + 1;
                    queue.push_back(into[e]);
                }
        for (std::uint32_t i = 0; i < n; ++i) {
            if (far[i] != ~0U) {
                out_.longest = std::max<std::size_t>(out_.longest, far[i]);
            } else if (out_.stuck++ == 0) {
                out_.stuck_after = path(i);
            }
        }
    }

    void note(typename M::stage at, release::goals const& todo)
    {
        out_.stages |= 1U << static_cast<unsigned>(at);
        out_.reasons |= 1U << static_cast<unsigned>(todo.why);
    }

    // --- states -----------------------------------------------------------------------------------

    static std::uint64_t hash(world_type const& w)
    {
        std::uint64_t h = 0x9e3779b97f4a7c15U;
        auto const add = [&h](auto x) {
            h ^= static_cast<std::uint64_t>(x) + 0x9e3779b97f4a7c15U + (h << 6) + (h >> 2);
            h *= 0xff51afd7ed558ccdU;
            h ^= h >> 32;
        };
        auto const add_time = [&](time_point t) { add(t.time_since_epoch().count()); };
        auto const add_run = [&](release::run const& r) {
            add(r.number);
            add(r.which);
            add(r.said ? static_cast<int>(*r.said) + 1 : 0);
        };
        add(w.wanted);
        add(w.replicas);
        for (auto const& x : w.sets) {
            add(x.wanted);
            add(x.available);
            add(x.observed);
        }
        for (auto const& r : w.routers) {
            add(r.at);
            for (auto const x : r.weights)
                add(x);
        }
        add(w.previewed.value_or(0));
        add(w.told ? static_cast<int>(*w.told) + 1 : 0);
        add(w.about);
        for (auto const& v : w.said)
            add(v ? static_cast<int>(*v) + 1 : 0);
        for (auto const n : {w.left.templates, w.left.replicas, w.left.orders, w.left.failures})
            add(n);
        add(w.disturbed);
        add(w.resized);
        for (std::size_t t = 0; t < w.passed.size(); ++t)
            add(w.passed[t] * 2 + (w.waived[t] ? 1 : 0));
        add_time(w.todo.wake_at);
        add(w.todo.phase);
        auto const& s = w.s;
        add(s.at);
        add(s.stable);
        add(s.target);
        add(s.traffic.generation);
        add(s.traffic.acknowledged);
        add(s.traffic.shares.size());
        for (auto const& x : s.traffic.shares) {
            add(x.to);
            add(x.weight);
            add(x.at_most);
        }
        for (auto const t : {s.since, s.progressed, s.kept_until})
            add_time(t);
        add(s.best);
        add(s.why);
        add(s.fast);
        add(s.paused);
        add_run(s.analysis);
        add(s.kept);
        for (auto const t : s.proven)
            add(t);
        add(s.proven.size());
        if constexpr (requires { s.switched; })
            add_time(s.switched);
        if constexpr (requires { s.background; }) {
            add(s.step);
            add_run(s.background);
            add(s.waived);
        }
        return h;
    }

    std::optional<std::string> trace_{};
    M m_;
    spec_type spec_;
    scope scope_;
    found out_{};
    std::uint32_t from_ = 0;
    move move_{};
    std::unordered_map<std::uint64_t, std::uint32_t> known_{};
    std::vector<step_taken> steps_{};
    std::vector<bool> rests_{};
    std::vector<std::pair<std::uint32_t, std::uint32_t>> edges_{};
    std::deque<std::pair<std::uint32_t, world_type>> todo_{};
};

/// A release driven by hand. The first template of the spec is stable unless `from_nothing`.
template<class Spec, class State>
struct rig {
    Spec what{};
    State s{};
    release::goals todo{};
    std::vector<release::set> sets{};
    std::uint64_t acknowledged = 0;
    std::vector<release::answer> answers{};
    std::optional<release::command> told{};
    std::optional<template_id> previewed{};
    time_point now = noon;

    explicit rig(Spec spec, bool from_nothing = false) : what(std::move(spec))
    {
        ask();
        if (from_nothing)
            return;
        up();
        acknowledge();
        pass(horizon);
    }
    /// Asks until the answer stands, and gives the sets the sizes asked for.
    void ask()
    {
        for (bool changed = true; changed;) {
            auto [next, goals] =
                step(what, s, release::observed{sets, acknowledged, answers, told, previewed}, now);
            changed = next != s;
            s = std::move(next);
            todo = std::move(goals);
            for (auto const& goal : todo.sets) {
                auto* x = find(goal.which);
                if (x == nullptr)
                    x = &sets.emplace_back(
                        release::set{.which = goal.which, .revision = static_cast<std::int64_t>(goal.which)});
                changed = changed || x->wanted != goal.replicas;
                x->wanted = x->existing = goal.replicas;
                x->available = std::min(x->available, x->wanted);
            }
        }
    }
    release::set* find(template_id which)
    {
        for (auto& x : sets)
            if (x.which == which)
                return &x;
        return nullptr;
    }
    std::int32_t size(template_id which) { return find(which) == nullptr ? 0 : find(which)->wanted; }
    void want(template_id which)
    {
        what.template_ = which;
        ask();
    }
    /// All pods are available.
    void up()
    {
        for (auto& x : sets)
            x.available = x.wanted;
        ask();
    }
    void fail(template_id which)
    {
        find(which)->available = 0;
        ask();
    }
    void acknowledge()
    {
        acknowledged = s.traffic.generation;
        ask();
    }
    void say(verdict v)
    {
        answers.push_back({.run = todo.analysis->number, .said = v});
        ask();
    }
    void tell(order o)
    {
        told = release::command{.number = s.heard + 1, .what = o};
        ask();
    }
    void pass(duration d)
    {
        now += d;
        ask();
    }
};

// -- What the tests of both machines have in common -------------------------------------------------

inline std::vector<order> const all_orders{
    order::promote, order::promote_full, order::abort, order::retry, order::pause, order::resume};

template<class M>
found explore(typename M::spec const& s, scope const& what, M m = {})
{
    return explorer<M>(std::move(m), s, what).run();
}

template<class M>
struct row {
    char const* name;
    typename M::spec what;
    scope where;
};
/// Nothing must be wrong with it.
template<class M>
found explore(row<M> const& r)
{
    CAPTURE(r.name);
    REQUIRE(check(r.what));
    auto out = explore<M>(r.what, r.where);
    CHECK(out.violation == "");
    CHECK(out.stuck_after == "");
    CHECK(out.stuck == 0);
    CHECK(out.longest < 40);
    return out;
}

/// The size that the machine asks for.
template<class Stepped>
std::int32_t& wish(Stepped& out, template_id which)
{
    static std::int32_t none = 0;
    for (auto& x : out.todo.sets)
        if (x.which == which)
            return x.replicas;
    return none;
}

/// A machine with one more row, which is asked first.
template<class M>
M with_first(typename decltype(M::rows)::value_type r)
{
    M m;
    m.rows.insert(m.rows.begin(), r);
    return m;
}
template<class M>
M without(std::size_t i)
{
    M m;
    m.rows.erase(m.rows.begin() + static_cast<std::ptrdiff_t>(i));
    return m;
}

}  // namespace podium::tests
