#pragma once
/// The plane: which keys are dirty, whose turn it is, what to commit. The control plane without its I/O.
///
///     changes -> absorb() -> next(now): reconcile the next dirty key -> a transaction to commit
///     the store's answer -> done() -> its changes come back through absorb()
///
/// A shell around it moves transactions and changes: `settle` (below) over a store in memory and in
/// simulation, the coroutines of the `store` room over anything slower. Controllers are the same in both.
///
/// Why there are no expectations and no caches to wait for:
/// - a plan is guarded by what it was computed from, so one computed on a stale view is refused whole;
/// - a key is not reconciled on a view older than its own last commit (or than the conflict it met), so
///   a decision is not taken twice;
/// - who takes from an allowance writes it: a plan that creates or deletes dependents also writes their
///   owner, so two plans of one owner cannot both commit;
/// - all memory of the control plane is in the view, and can be rebuilt from a snapshot.
///
/// Of several planes over one store one leads (lease.hpp): `follow` until elected, `lead` with the guard that
/// all its plans are to carry, the revision of the term. Without either a plane is alone and needs no guard.
///
/// A controller is a value with
/// - `primary` (optional): the kind of its keys; a change of such an object makes its key dirty;
/// - `owns = types<...>` (optional): a change of these makes the key of their owner dirty;
/// - `watches = types<...>` (optional) with `touched(view, transition<K> const&, add)`, which calls
///   `add(key)` for every key that the change of a K may concern; or, for changes of every kind,
///   `touched(view, object_transition const&, add)` and no list;
/// - `plan reconcile(view, key, now) const`: what to write, from the view alone;
/// - `name` (optional): what its figures are called; without one they go by its place in the list.

#include <podium/core/error.hpp>
#include <podium/core/time.hpp>
#include <podium/observe/counter.hpp>
#include <podium/observe/histogram.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/reconcile/queue_figures.hpp>
#include <podium/reconcile/rate_limiter.hpp>
#include <podium/reconcile/store.hpp>
#include <podium/reconcile/view.hpp>
#include <podium/reconcile/work_queue.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// What turns a view into a plan for a key; the parts that are optional stand above.
template<class C, class View>
concept Controller = requires(C const& c, View const& v, key const& which, time_point now) {
    { c.reconcile(v, which, now) } -> std::same_as<plan>;
};

/// What a plane has done so far.
struct plane_stats {
    std::uint64_t reconciles = 0;
    std::uint64_t plans = 0;  ///< reconciles that wanted something written
    std::uint64_t transactions = 0;
    std::uint64_t writes = 0;
    std::uint64_t conflicts = 0;
    std::uint64_t failures = 0;
    std::uint64_t waits = 0;  ///< keys held back until the view caught up
};

/// What one of a plane's controllers has done, and its part of the queue. A reconcile that wanted something
/// written counts when the store has answered.
///
/// Source: controller-runtime pkg/internal/controller/metrics (names, meaning), but that `time` is what
/// finding out takes, without the commit, which `queue.work_duration` has.
struct controller_figures {
    std::string name{};
    observe::counter success{};
    observe::counter requeue_after{};  ///< succeeded, and is to be looked at again at a time
    observe::counter requeue{};        ///< refused, as something had changed meanwhile
    observe::counter error{};
    observe::histogram<15> time{.bounds = bounds};  ///< in seconds; zero without a clock
    queue_figures queue{};

    /// 1 us, 4 us, ... 268 s.
    static constexpr auto bounds = observe::exponential_bounds<15>(1e-6, 4);
};

/// A reconcile or a commit that failed; the key is tried again with back-off.
struct failure {
    std::size_t controller = 0;  ///< its place in the plane's list
    key which{};
    error why{};
};

/// One controller's key.
struct work_item {
    std::size_t controller = 0;
    key which{};
    friend bool operator==(work_item const&, work_item const&) = default;
};

}  // namespace podium::v0::reconcile

template<>
struct std::hash<podium::reconcile::work_item> {
    std::size_t operator()(podium::reconcile::work_item const& i) const noexcept
    {
        return std::hash<podium::reconcile::key>{}(i.which) * 31 + i.controller;
    }
};

namespace podium::inline v0::reconcile {

namespace detail {

using plane_queue = work_queue<work_item, fifo, counted_by<&work_item::controller>>;

/// Where a controller's dirty keys go.
struct add_for {
    plane_queue& queue;
    std::size_t controller = 0;
    void operator()(key k) const { queue.add({controller, std::move(k)}); }
};

// What a controller does is compiled once for each view, whatever other controllers there are.
// `reconcile_one` and `touch_one` are not inline, so another unit may have their bodies (see
// <podium/src.hpp>).
template<class C, class View>
[[nodiscard]] plan reconcile_one(C const& controller, View const& view, key const& which, time_point now)
{
    return controller.reconcile(view, which, now);
}

template<class K>
constexpr bool is_namespaced()
{
    if constexpr (requires { K::namespaced; })
        return K::namespaced;
    else
        return true;
}

template<class Primary, class... K>
void touch_owners(object_transition const& x, add_for const& add, types<K...>)
{
    if (!((x.kind() == &kind_of<K>) || ...))
        return;
    struct context {
        add_for const& add;
        std::string_view namespace_;
    };
    auto const visit = [](void* v, std::string_view kind, std::string_view name, std::string_view) {
        if (kind == Primary::kind) {
            auto& c = *static_cast<context*>(v);
            c.add(key_for<Primary>(c.namespace_, name));
        }
    };
    auto const of = [&](object const& o) {
        context c{add, is_namespaced<Primary>() ? o.namespace_() : std::string_view{}};
        o.kind->each_owner(o.data.get(), &c, visit);
    };
    if (x.after)
        of(x.after);
    if (x.before && !(x.after && x.kind()->same_links(x.before.data.get(), x.after.data.get())))
        of(x.before);
}
template<class C, class View, class... K>
void touch_watched(
    C const& controller, View const& view, object_transition const& x, add_for const& add, types<K...>)
{
    (void)((x.kind() == &kind_of<K> ? (controller.touched(view, x.template as<K>(), add), true) : false) ||
        ...);
}
/// The keys that a change makes dirty for this controller.
template<class C, class View>
void touch_one(C const& controller, View const& view, object_transition const& x, add_for const& add)
{
    if constexpr (requires { typename C::primary; })
        if (x.kind() == &kind_of<typename C::primary>)
            add(x.any().which());
    if constexpr (requires { typename C::owns; })
        touch_owners<typename C::primary>(x, add, typename C::owns{});
    if constexpr (requires { typename C::watches; })
        touch_watched(controller, view, x, add, typename C::watches{});
    else if constexpr (requires { controller.touched(view, x, add); })
        controller.touched(view, x, add);
}

}  // namespace detail

/// Unsynchronised: one strand drives it.
template<class View, class... C>
requires(Controller<C, View> && ...)
class plane {
public:
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

    /// `max_writes`: the most operations that the store takes in one transaction.
    explicit plane(C... controllers, std::size_t max_writes = unlimited)
        : controllers_(std::move(controllers)...),
          max_writes_(max_writes)
    {
        std::size_t n = 0;
        ((figures_[n].name = name_of<C>(n), ++n), ...);
    }

    /// How long things take is measured with this; with none they take none of the time that the plane is
    /// told.
    using clock = time_point (*)();
    void measure_with(clock now) noexcept { clock_ = now; }

    struct request {
        std::uint64_t ticket = 0;
        transaction what{};  ///< valid until `done(ticket, ...)`
    };

    [[nodiscard]] View const& view() const noexcept { return view_; }
    [[nodiscard]] plane_stats const& stats() const noexcept { return stats_; }
    /// By controller, in the order of the list, as of the last call that was told the time. O(keys).
    [[nodiscard]] std::vector<controller_figures> figures() const
    {
        std::vector<controller_figures> out(figures_.begin(), figures_.end());
        auto queues = queue_.figures_by_group();
        for (std::size_t i = 0; i < queues.size(); ++i)
            out[i].queue = queues[i];
        return out;
    }
    template<class Which>
    [[nodiscard]] Which& controller() noexcept
    {
        return std::get<Which>(controllers_);
    }

    /// Takes in changes: whole revisions, in order, each once. Those it has seen already are skipped.
    void absorb(std::span<change const> changes, time_point now)
    {
        queue_.advance(now);
        auto const seen = view_.at();
        for (auto const& c : changes) {
            if (c.at <= seen)
                continue;
            notice(c);
            auto const x = view_.apply(c, now);
            touch_all(x, std::index_sequence_for<C...>{});
        }
        open_gates();
    }

    /// Starts over from a snapshot, after history was compacted: what differs counts as changed.
    void resync(state const& s, time_point now)
    {
        queue_.advance(now);
        for (auto const& c : view_.difference(s.objects, s.at)) {
            notice(c);
            auto const x = view_.apply(c, now);
            touch_all(x, std::index_sequence_for<C...>{});
        }
        view_.reached(s.at);
        open_gates();
    }

    /// Commits nothing more until `lead`. Plans under way are still answered; changes are taken in, so that
    /// a later leader begins warm.
    void follow()
    {
        elected_ = true;
        term_.reset();
        for (auto const ticket : std::exchange(more_, {})) {
            auto const it = in_flight_.find(ticket);
            queue_.add(*it->second.item);
            queue_.done(*it->second.item);
            in_flight_.erase(it);
        }
    }
    /// Leads: each plan from now on carries `term`, a `verb::require` of the term's object at the revision
    /// that this leader wrote. Nothing is computed before the view shows that revision.
    void lead(operation term)
    {
        PODIUM_ASSERT(term.what == verb::require);
        follow();
        term_ = std::move(term);
        over_ = unknown_ = false;
    }
    /// An outcome is unknown, so nothing is computed until `lead` comes with a new term: the commit that may
    /// still arrive is refused by then.
    [[nodiscard]] bool needs_term() const noexcept { return term_ && unknown_; }
    /// Whether plans are computed now.
    [[nodiscard]] bool acts() const noexcept
    {
        return !elected_ || (term_ && !over_ && !unknown_ && view_.at() >= term_->guard);
    }

    /// The next transaction to commit, if any key that is ready wants one. Its answer goes to `done`.
    [[nodiscard]] std::optional<request> next(time_point now)
    {
        if (!acts())
            return {};
        if (!more_.empty()) {
            auto const ticket = more_.front();
            more_.erase(more_.begin());
            return group(ticket, now);
        }
        queue_.advance(now);
        auto begun = moment(now);
        queue_.measure(begun);
        while (auto const* const item = queue_.get()) {
            if (auto const it = gates_.find(*item); it != gates_.end() && it->second > view_.at()) {
                ++stats_.waits;
                held_.emplace(it->second, item);
                continue;  // stays in process until the gate opens
            }
            ++stats_.reconciles;
            auto p = reconcile(*item, now);
            auto const ended = moment(now);
            auto& figures = figures_[item->controller];
            figures.time.observe(detail::seconds_between(std::exchange(begun, ended), ended));
            queue_.measure(ended);
            if (!p) {
                fail(*item, std::move(p).error(), now);
                continue;
            }
            if (p->wake)
                queue_.add_at(*item, std::max(*p->wake, now));
            if (p->empty()) {
                (p->wake ? figures.requeue_after : figures.success).add();
                limiter_.forget(*item);
                queue_.done(*item);
                continue;
            }
            ++stats_.plans;
            stamp(*p, now);
            if (term_)
                p->guards.push_back(*term_);
            auto const ticket = ++last_ticket_;
            in_flight_.emplace(ticket, flight{item, *std::move(p)});
            if (auto r = group(ticket, now))
                return r;
        }
        return {};
    }

    /// The store's answer to a request.
    void done(std::uint64_t ticket, committed const& answer, time_point now)
    {
        auto const it = in_flight_.find(ticket);
        PODIUM_ASSERT(it != in_flight_.end());
        auto& f = it->second;
        queue_.measure(now);
        if (answer.outcome && f.to < f.what.writes.size()) {
            carry_on(f, *answer.outcome);
            more_.push_back(ticket);
            return;
        }
        auto const& item = *f.item;
        auto& figures = figures_[item.controller];
        if (answer.outcome) {
            (f.what.wake ? figures.requeue_after : figures.success).add();
            limiter_.forget(item);
            gate(item, *answer.outcome);
            queue_.done(item);
        } else if (answer.outcome.error().code == errc::conflict) {
            ++stats_.conflicts;
            figures.requeue.add();
            gate(item, answer.at);
            queue_.add(item);
            queue_.done(item);
        } else {
            unknown_ = unknown_ || answer.outcome.error().code == errc::unknown_outcome;
            fail(item, answer.outcome.error(), now);
        }
        in_flight_.erase(it);
    }

    /// Makes a key dirty from outside: a watchdog, a user's "again".
    template<class Which>
    void poke(key which)
    {
        queue_.add({index_of<Which>(), std::move(which)});
    }

    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_.size(); }
    /// Nothing to do before `wake_at`, unless changes or answers come.
    [[nodiscard]] bool idle() const noexcept
    {
        return queue_.ready() == 0 && more_.empty() && in_flight_.empty() && held_.empty();
    }
    [[nodiscard]] std::optional<time_point> wake_at() const { return queue_.wake_at(); }

    /// The failures since the last call, oldest first; at most `max_failures` are kept.
    [[nodiscard]] std::vector<failure> take_failures() { return std::exchange(failures_, {}); }
    static constexpr std::size_t max_failures = 100;

private:
    struct flight {
        work_item const* item;
        plan what;
        std::size_t from = 0;
        std::size_t to = 0;
    };

    template<class Which>
    static constexpr std::size_t index_of()
    {
        constexpr std::array<bool, sizeof...(C)> same{std::same_as<Which, C>...};
        static_assert((std::same_as<Which, C> || ...), "this controller is not in the plane");
        return static_cast<std::size_t>(std::ranges::find(same, true) - same.begin());
    }

    template<class Which>
    static std::string name_of([[maybe_unused]] std::size_t place)
    {
        if constexpr (requires { std::string(Which::name); })
            return std::string(Which::name);
        else
            return std::to_string(place);
    }
    [[nodiscard]] time_point moment(time_point now) const { return clock_ ? clock_() : now; }

    [[nodiscard]] result<plan> reconcile(work_item const& item, time_point now)
    {
        try {
            return reconcile(item, now, std::index_sequence_for<C...>{});
        } catch (std::exception const& e) {  // an embedder's code may throw; the other keys go on
            return error{
                errc::internal, std::string("reconcile threw: ") + e.what(), to_string(item.which), {}};
        }
    }
    template<std::size_t... I>
    plan reconcile(work_item const& item, time_point now, std::index_sequence<I...>)
    {
        plan p;
        (void)((item.controller == I
                       ? (p = detail::reconcile_one(std::get<I>(controllers_), view_, item.which, now), true)
                       : false) ||
            ...);
        return p;
    }

    /// Has somebody begun another term?
    void notice(change const& c)
    {
        if (term_ && c.object.kind == term_->which.kind && c.object.which() == term_->which)
            over_ = over_ || c.deleted || c.at > term_->guard;
    }

    static void stamp(plan& p, time_point now)
    {
        for (auto& w : p.writes)
            if (w.what == verb::create)
                w.which.kind->stamp(w.data.get(), now);
    }

    /// The next group of a plan: all of it, or up to its last cut that fits.
    std::optional<request> group(std::uint64_t ticket, time_point now)
    {
        auto& f = in_flight_.at(ticket);
        auto const all = std::span<operation const>(f.what.writes);
        auto end = all.size();
        auto const room = max_writes_ > f.what.guards.size() ? max_writes_ - f.what.guards.size() : 0;
        if (end - f.from > room) {
            end = f.from;
            for (auto i = f.from; i < f.from + room; ++i)
                if (all[i].cut_after)
                    end = i + 1;
        }
        if (end == f.from) {
            fail(*f.item,
                {errc::exhausted, "the plan has no cut within what a transaction of this store takes",
                    to_string(f.item->which), {}},
                now);
            in_flight_.erase(ticket);
            return {};
        }
        f.to = end;
        ++stats_.transactions;
        stats_.writes += end - f.from;
        return request{ticket, {f.what.guards, all.subspan(f.from, end - f.from)}};
    }
    /// Guards of what the committed group wrote move on to its revision.
    static void carry_on(flight& f, revision at)
    {
        for (auto& g : f.what.guards)
            for (auto i = f.from; i < f.to; ++i)
                if (f.what.writes[i].which == g.which)
                    g.guard = f.what.writes[i].what == verb::remove ? revision{} : at;
        f.from = f.to;
    }

    void fail(work_item const& item, error why, time_point now)
    {
        ++stats_.failures;
        figures_[item.controller].error.add();
        if (failures_.size() < max_failures)
            failures_.push_back({item.controller, item.which, std::move(why)});
        queue_.add_at(item, later(now, limiter_.when(item, now)));
        queue_.done(item);
    }

    void gate(work_item const& item, revision at)
    {
        if (at <= view_.at())
            return;
        auto const [it, fresh] = gates_.try_emplace(item, at);
        if (!fresh && it->second >= at)
            return;
        it->second = at;
        openings_.emplace(at, &it->first);
    }
    void open_gates()
    {
        while (!held_.empty() && held_.begin()->first <= view_.at()) {
            auto const* const item = held_.begin()->second;
            held_.erase(held_.begin());
            queue_.add(*item);
            queue_.done(*item);
        }
        while (!openings_.empty() && openings_.begin()->first <= view_.at()) {
            auto const* const item = openings_.begin()->second;
            auto const at = openings_.begin()->first;
            openings_.erase(openings_.begin());
            if (auto const it = gates_.find(*item); it->second == at)
                gates_.erase(it);
        }
    }

    template<std::size_t... I>
    void touch_all(object_transition const& x, std::index_sequence<I...>)
    {
        (detail::touch_one(std::get<I>(controllers_), view_, x, {queue_, I}), ...);
    }

    View view_;
    std::tuple<C...> controllers_;
    std::size_t max_writes_;
    detail::plane_queue queue_{};
    exponential_limiter<work_item> limiter_;
    std::unordered_map<work_item, revision> gates_;       ///< not before the view shows this
    std::multimap<revision, work_item const*> openings_;  ///< gates in the order in which they open
    std::multimap<revision, work_item const*> held_;      ///< handed out, waiting for their gate
    std::map<std::uint64_t, flight> in_flight_;
    std::vector<std::uint64_t> more_;  ///< tickets with a group still to commit
    std::uint64_t last_ticket_ = 0;
    bool elected_ = false;           ///< one of several planes
    std::optional<operation> term_;  ///< what a leader's plans require
    bool over_ = false;              ///< the view shows another term
    bool unknown_ = false;           ///< a commit of this term may still arrive
    plane_stats stats_;
    std::array<controller_figures, sizeof...(C)> figures_{};
    clock clock_ = nullptr;
    std::vector<failure> failures_;
};

/// Brings the plane up to the store's revision, by the changes or, where they are gone, by a snapshot.
/// For stores that answer at once. True when anything was new.
template<class Plane, Store S>
bool catch_up(Plane& p, S& store, time_point now)
{
    bool any = false;
    for (;;) {
        auto const news = store.changes(p.view().at(), 10'000);
        if (news && news->empty())
            return any;
        any = true;
        if (news)
            p.absorb(*news, now);
        else
            store.snapshot([&](result<state> s) {
                if (s)
                    p.resync(*s, now);
            });
    }
}

/// The synchronous shell: commits and absorbs until nothing more happens at `now`. Answers when to come
/// back. Only for stores that answer at once: memory, simulations, tests.
template<class Plane, Store S>
std::optional<time_point> settle(Plane& p, S& store, time_point now)
{
    for (bool busy = true; busy;) {
        busy = catch_up(p, store, now);
        while (auto r = p.next(now)) {
            busy = true;
            store.commit(r->what, [&](committed c) { p.done(r->ticket, c, now); });
        }
    }
    return p.wake_at();
}

}  // namespace podium::v0::reconcile
