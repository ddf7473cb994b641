#pragma once
/// Scheduler: binds pods that have no node, by kube-scheduler's rules, and tells each that fits nowhere why.
///
/// The controller places a batch of waiting pods in one plan: highest priority first, then the oldest (see
/// `placement`). A bind guards the pod and the node as they were read; usage needs no guard, since every bind
/// goes through here. A pod with scheduling gates is told that it waits for them.
///
/// A pod that fits nowhere may take the room of less important ones. They are sent away as in every voluntary
/// change, through the drain handshake, and the pod is promised their node: `status.nominatedNodeName`, in
/// the same plan, so no two plans make room for one pod. Until it is bound, nobody of its priority or below
/// gets what it needs there; it is bound elsewhere if it fits elsewhere sooner. Victims whose disruption
/// budget allows it go first; where none of them is enough, others go too, as budgets are for voluntary
/// changes and importance is stronger. What is taken from a budget is written into it, so an eviction cannot
/// take it again.
///
/// Source: kube-scheduler v1.35: its default profile without volumes and dynamic resources, its order,
/// reasons and messages. Differences: all nodes are looked at; a node with promised room is weighed without
/// the promise, which is looked at when it would be chosen; preemption is mentioned in the message only when
/// there are less important pods at all, and respects a budget whose selector is empty, too.

#include <podium/controllers/disruption_budgets.hpp>
#include <podium/controllers/events.hpp>
#include <podium/controllers/placement.hpp>
#include <podium/controllers/pods.hpp>
#include <podium/controllers/scheduling_figures.hpp>
#include <podium/reconcile/plan.hpp>
#include <podium/schedule/preemption.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::controllers {

struct scheduler {
    static constexpr std::string_view name = scheduling_figures::profile;
    using watches = reconcile::types<model::node, model::pod, model::namespace_>;

    std::size_t batch = 1024;  ///< the most writes of one plan, but for those that belong together
    drain_policy drain{};      ///< of pods that have to go for more important ones
    std::shared_ptr<scheduling_figures> figures{};  ///< where it counts; null: nowhere

    /// All waiting pods are one key: whatever changes, the queue is looked at from its head.
    [[nodiscard]] static reconcile::key queue() { return {&reconcile::kind_of<model::pod>, "", "*"}; }

    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::node> const& x, Add const& add) const
    {
        if (is_idle(view))
            return;
        if (!x.before || !x.after || placement::differ(*x.before, *x.after))
            add(queue());
    }
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::namespace_> const& x, Add const& add) const
    {
        if (is_idle(view))
            return;
        if (!x.before || !x.after || x.before->metadata.labels != x.after->metadata.labels)
            add(queue());
    }
    template<class View, class Add>
    void touched(View const& view, reconcile::transition<model::pod> const& x, Add const& add) const
    {
        if (is_idle(view))
            return;
        auto const is = [](reconcile::handle<model::pod> const& p, auto what) { return p && what(*p); };
        bool const waited = is(x.before, placement::waits), waits = is(x.after, placement::waits);
        bool const was_bound = is(x.before, placement::takes_room);
        bool const is_bound = is(x.after, placement::takes_room);
        bool const untold = x.after && view.template index<placement>().gated().contains(x.after.which());
        if (waited != waits || untold || (was_bound && !is_bound) ||
            (was_bound && is_bound && placement::differ(*x.before, *x.after)))
            add(queue());
    }

    template<class View>
    reconcile::plan reconcile(View const& view, reconcile::key const&, time_point now) const
    {
        round<View> r(*this, view, now);
        auto const& index = view.template index<placement>();
        bool more = false;
        for (auto const& which : index.gated()) {
            more = !r.has_room();
            if (more)
                break;
            r.gate(view.template get<model::pod>(which));
        }
        std::size_t looked_at = 0;
        for (auto const& turn : index.waiting()) {
            more = !r.has_room() || (++looked_at > 4 * batch && !r.plan().empty());
            if (more)
                break;
            r.place(view.template get<model::pod>(turn.which));
        }
        auto p = std::move(r).take();
        if (more)
            p.wake_at(now);
        return p;
    }

private:
    using pod_handle = reconcile::handle<model::pod>;

    template<class View>
    static bool is_idle(View const& view)
    {
        auto const& index = view.template index<placement>();
        return index.waiting().empty() && index.gated().empty();
    }

    /// One plan in the making, and the cluster as it will be after it.
    template<class View>
    class round {
    public:
        round(scheduler const& how, View const& view, time_point now)
            : how_(how),
              view_(view),
              index_(view.template index<placement>()),
              scheduler_(index_.scheduler()),
              now_(now)
        {
            if (how.figures)
                begun_ = how.figures->now();
            for (auto const& [turn, node] : index_.promised())
                if (auto const slot = scheduler_.nodes().find(node))
                    promises_.push_back({turn.priority, *slot, turn.which, {}});
        }
        round(round const&) = delete;
        round& operator=(round const&) = delete;
        ~round()
        {
            for (auto const& [slot, pod] : bound_)
                scheduler_.unbind(scheduler_.nodes().name(slot), *pod);
        }

        [[nodiscard]] reconcile::plan const& plan() const noexcept { return plan_; }
        [[nodiscard]] reconcile::plan take() && { return std::move(plan_); }
        [[nodiscard]] bool has_room() const { return plan_.writes.size() < how_.batch; }

        void gate(pod_handle const& pod)
        {
            auto next = *pod;
            auto c = scheduled(model::condition_status::false_);
            c.reason = "SchedulingGated";
            c.message = "Scheduling is blocked due to non-empty scheduling gates";
            if (!set_condition(next.status.conditions, std::move(c), now_))
                return;
            plan_.update(pod, std::move(next));
            plan_.cut();
        }

        void place(pod_handle const& pod)
        {
            auto const wanted = wanted_of(pod);
            auto const d = decide(pod, *wanted);
            if (!d.node) {
                refuse(pod, wanted, d);
                count(&scheduling_figures::unschedulable);
                return;
            }
            std::erase_if(promises_, [&](promise const& p) { return p.to == pod.which(); });
            std::string const node = scheduler_.nodes().name(*d.node);
            scheduler_.bind(node, *wanted);
            bound_.emplace_back(*d.node, wanted);
            if (guarded_.insert(*d.node).second)
                plan_.require(view_.template get<model::node>("", node));
            auto next = *pod;
            next.spec.node_name = node;
            next.status.nominated_node_name.clear();
            set_condition(next.status.conditions, scheduled(model::condition_status::true_), now_);
            plan_.update(pod, std::move(next));
            plan_.cut();
            count(&scheduling_figures::scheduled);
        }

    private:
        using wanted_pod = schedule::kubernetes::pod;
        using shared_pod = std::shared_ptr<wanted_pod const>;
        using nominations = schedule::nominations<wanted_pod>;

        /// A node's room that a waiting pod was promised.
        struct promise {
            std::int32_t priority = 0;
            std::uint32_t node = 0;
            reconcile::key to{};
            shared_pod wanted{};  ///< made when first asked for
        };
        /// What preemption came to.
        struct way_out {
            std::optional<std::uint32_t> node{};
            std::vector<pod_handle> victims{};
            std::string note{};  ///< why there is none
            bool waits = false;  ///< the promise that the pod has is still good
        };

        /// An attempt is over. It began where the one before it ended, so that one look at the clock does.
        void count(observe::histogram<15> scheduling_figures::* how_it_ended)
        {
            auto* const f = how_.figures.get();
            if (!f)
                return;
            auto const ended = f->now();
            auto const took = std::chrono::duration<double>(elapsed(std::exchange(begun_, ended), ended));
            (f->*how_it_ended).observe(std::max(took.count(), 0.0));
        }

        static std::int32_t priority_of(model::pod const& p) { return p.spec.priority.value_or(0); }
        static model::pod_condition scheduled(model::condition_status status)
        {
            model::pod_condition c;
            c.type = "PodScheduled";
            c.status = status;
            return c;
        }

        /// Pods of one template come one after the other.
        shared_pod wanted_of(pod_handle const& pod)
        {
            auto const owner_of = [](model::pod const& p) {
                auto const* const owner = model::controller_of(p.metadata);
                return owner ? std::string_view(owner->uid) : std::string_view{};
            };
            if (!last_ || last_->metadata.namespace_ != pod->metadata.namespace_ ||
                last_->metadata.labels != pod->metadata.labels || last_->spec != pod->spec ||
                owner_of(*last_) != owner_of(*pod))
                last_wanted_ = std::make_shared<wanted_pod const>(schedulable(view_, *pod));
            last_ = pod;
            return last_wanted_;
        }

        /// What was promised to this pod, and to others that go before it.
        nominations promised_to(pod_handle const& pod)
        {
            nominations out;
            auto const which = pod.which();
            for (auto& p : promises_) {
                if (p.to == which) {
                    out.own = p.node;
                } else if (p.priority >= priority_of(*pod)) {
                    if (!p.wanted)
                        p.wanted = std::make_shared<wanted_pod const>(
                            schedulable(view_, *view_.template get<model::pod>(p.to)));
                    out.others.emplace_back(p.node, *p.wanted);
                }
            }
            return out;
        }

        schedule::decision decide(pod_handle const& pod, wanted_pod const& wanted)
        {
            if (promises_.empty())
                return scheduler_.decide(wanted);
            auto const promised = promised_to(pod);
            std::uint32_t from = 0;
            if (!promised.own) {
                auto const d = scheduler_.decide(wanted);
                if (!d.node ||
                    std::ranges::none_of(promised.others, [&](auto const& n) { return n.first == *d.node; }))
                    return d;
                from = d.from;
            }
            return scheduler_.rules().decide(scheduler_.nodes(), wanted, from, promised);
        }

        void refuse(pod_handle const& pod, shared_pod const& wanted, schedule::decision const& d)
        {
            auto why = scheduler_.summary(d, *wanted);
            auto const way = make_room(pod, *wanted);
            if (!way.note.empty())
                why += " preemption: " + way.note;
            auto next = *pod;
            if (way.node)
                next.status.nominated_node_name = scheduler_.nodes().name(*way.node);
            else if (!way.waits)
                next.status.nominated_node_name.clear();
            auto c = scheduled(model::condition_status::false_);
            c.reason = "Unschedulable";
            c.message = why;
            bool const news = set_condition(next.status.conditions, std::move(c), now_);
            auto const which = pod.which();
            if (!way.waits)
                std::erase_if(promises_, [&](promise const& p) { return p.to == which; });
            plan_.update(pod, std::move(next));
            if (way.node) {
                // Whoever is less important and was promised this node has to look again.
                std::erase_if(promises_,
                    [&](promise const& p) { return p.node == *way.node && p.priority < priority_of(*pod); });
                promises_.push_back({priority_of(*pod), *way.node, which, wanted});
                for (auto const& victim : way.victims)
                    send_away(victim);
            }
            plan_.cut();
            for (auto const& victim : way.victims) {
                record(plan_, view_, victim, event_type::normal, "Preempted",
                    "Preempted by pod " + pod.uid() + " on node " + victim->spec.node_name, name, now_);
                plan_.cut();
            }
            if (news) {
                record(plan_, view_, pod, event_type::warning, "FailedScheduling", why, name, now_);
                plan_.cut();
            }
        }

        // -- Preemption ----------------------------------------------------------------------------

        way_out make_room(pod_handle const& pod, wanted_pod const& wanted)
        {
            way_out out;
            if (how_.figures)
                how_.figures->preemption_attempts.add();
            auto const priority = priority_of(*pod);
            if (!index_.anybody_below(priority))
                return out;
            auto const promised = promised_to(pod);
            auto const& rules = scheduler_.rules();
            auto const& nodes = scheduler_.nodes();
            out.waits = promised.own.has_value();
            if (pod->spec.preemption_policy == model::preemption_policy::never) {
                out.note = "not eligible due to preemptionPolicy=Never.";
                return out;
            }
            if (promised.own && index_.makes_room(nodes.name(*promised.own), priority) &&
                !rules.refused(nodes, rules.prepare(wanted), *promised.own, promised).unresolvable) {
                out.note = "not eligible due to a terminating pod on the nominated node.";
                return out;
            }
            see_occupants(priority);
            auto const found = schedule::preempt(rules, nodes, wanted,
                {.priority = priority, .never = false, .nominated = promised.own}, occupants_, allowed_,
                promised);
            if (!found.ineligible.empty()) {
                out.note = found.ineligible;
                return out;
            }
            out.waits = false;
            if (found.best.empty()) {
                out.note = no_way_out(found, wanted);
                return out;
            }
            out.node = found.best.front();
            auto const& chosen = *std::ranges::find(found.candidates, *out.node, &schedule::victims::node);
            if (how_.figures)
                how_.figures->preemption_victims.observe(static_cast<double>(chosen.pods.size()));
            for (auto const i : chosen.pods) {
                occupants_[i].making_room = true;
                if (!retired_.insert(i).second)
                    continue;
                out.victims.push_back(occupant_handles_[i]);
                for (auto const b : std::exchange(occupants_[i].budgets, {}))
                    take_from(b, *occupant_handles_[i]);
            }
            return out;
        }

        /// "0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not
        /// helpful for scheduling."
        std::string no_way_out(schedule::preemption const& found, wanted_pod const& wanted) const
        {
            auto const& rules = scheduler_.rules();
            auto const request = rules.prepare(wanted);
            auto const all = scheduler_.nodes().size();
            std::map<std::string, std::size_t> counts;
            for (auto const& h : found.hopeless) {
                if (h.codes == 0)
                    ++counts["No preemption victims found for incoming pod"];
                for (std::uint8_t code = 0; code < 64; ++code)
                    if ((h.codes >> code & 1u) != 0)
                        ++counts[rules.text(h.plugin, code, request)];
            }
            if (found.hopeless.size() < all)
                counts["Preemption is not helpful for scheduling"] += all - found.hopeless.size();
            std::vector<std::string> parts;
            for (auto const& [why, count] : counts)
                parts.push_back(std::to_string(count) + ' ' + why);
            std::ranges::sort(parts);
            auto out = "0/" + std::to_string(all) + " nodes are available";
            for (std::size_t i = 0; i < parts.size(); ++i)
                out += (i == 0 ? ": " : ", ") + parts[i];
            return out + '.';
        }

        /// The bound pods below that priority, once for the plan: whoever asks later is no more important.
        void see_occupants(std::int32_t priority)
        {
            if (std::exchange(seen_, true))
                return;
            for (auto const b : view_.template all<model::pod_disruption_budget>()) {
                budgets_.push_back(b);
                allowed_.push_back(b->status.disruptions_allowed);
            }
            for (auto const pod : view_.template all<model::pod>()) {
                if (!placement::takes_room(*pod) || priority_of(*pod) >= priority)
                    continue;
                auto const slot = scheduler_.nodes().find(pod->spec.node_name);
                if (!slot)
                    continue;
                schedule::occupant<wanted_pod> o;
                o.node = *slot;
                o.priority = priority_of(*pod);
                o.started = pod->status.start_time ? pod->status.start_time->at : now_;
                o.making_room = is_making_room(*pod);
                // Whoever is on the way out is no news to a budget.
                for (std::uint32_t i = 0; i < budgets_.size() && !is_leaving(*pod); ++i)
                    if (guards(*budgets_[i], *pod))
                        o.budgets.push_back(i);
                occupants_.push_back(std::move(o));
                occupant_handles_.push_back(pod);
                occupant_pods_.push_back(schedulable(*pod));
            }
            for (std::size_t i = 0; i < occupants_.size(); ++i)
                occupants_[i].pod = &occupant_pods_[i];
        }

        /// Once in the plan for each budget: the first write is changed by the later ones. Where a plan is
        /// cut the budget gives a little early, and is counted again.
        void take_from(std::uint32_t budget, model::pod const& victim)
        {
            --allowed_[budget];
            auto const& b = budgets_[budget];
            auto& written = taken_[budget];
            if (!written) {
                written =
                    std::make_shared<model::pod_disruption_budget>(without(*b, victim.metadata.name, now_));
                plan_.update(reconcile::erase_type(b), written);
            } else {
                *written = without(std::move(*written), victim.metadata.name, now_);
            }
        }

        void send_away(pod_handle const& victim)
        {
            auto next = *victim;
            add_disruption(next, preempted_reason,
                std::string(name) + ": preempting to accommodate a higher priority pod", now_);
            begin_drain(next, "Preempted", how_.drain, now_);
            plan_.update(victim, std::move(next));
        }

        scheduler const& how_;
        View const& view_;
        placement const& index_;
        placement::scheduler_type& scheduler_;
        time_point now_;
        time_point begun_{};  ///< the attempt under way, by the clock of the figures
        reconcile::plan plan_{};
        std::vector<std::pair<std::uint32_t, shared_pod>> bound_{};  ///< by this plan
        std::set<std::uint32_t> guarded_{};
        std::vector<promise> promises_{};  ///< whose node there is
        pod_handle last_{};
        shared_pod last_wanted_{};
        bool seen_ = false;
        std::vector<schedule::occupant<wanted_pod>> occupants_{};
        std::vector<pod_handle> occupant_handles_{};  ///< of the same places
        std::vector<wanted_pod> occupant_pods_{};
        std::vector<reconcile::handle<model::pod_disruption_budget>> budgets_{};
        std::vector<std::int64_t> allowed_{};  ///< by each of them still
        std::map<std::uint32_t, std::shared_ptr<model::pod_disruption_budget>> taken_{};  ///< in this plan
        std::set<std::uint32_t> retired_{};  ///< occupants that this plan sends away
    };
};

}  // namespace podium::v0::controllers
