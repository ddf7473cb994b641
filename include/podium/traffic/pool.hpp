#pragma once
/// The pool: one router's endpoints of one service port, who gets the next request, and who still has some.
///
/// An endpoint that is taken out is forgotten only when its last request has ended, and `drained` says when.
/// The order matters for the drain handshake: once `apply` has returned, `acquire` gives nothing new to what
/// the set left out or marked draining, and `in_flight` can only fall for it. So a router may acknowledge the
/// generation right then.
///
/// An endpoint that fails too often is ejected for a while, where the rules say so: by `observe`, back by
/// `advance`. It is in the set all the while, so it is not drained. No version loses its last one that way,
/// so ejections leave the split between versions as it is.
///
/// Pure and unsynchronised: one strand owns it.

#include <podium/core/assert.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/traffic/balance.hpp>
#include <podium/traffic/endpoint.hpp>
#include <podium/traffic/outlier.hpp>
#include <podium/traffic/route.hpp>
#include <podium/traffic/split.hpp>
#include <podium/traffic/sticky.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::traffic {

/// One request under way. Give it back with `release`, exactly once.
struct ticket {
    std::uint32_t slot =
        0;            ///< where the endpoint stays as long as the request lasts: a small number, used again
    choice chosen{};  ///< among the candidates of its version

    friend bool operator==(ticket const&, ticket const&) = default;
};

/// What one endpoint is up to.
struct load {
    std::string id{};
    std::string version{};
    std::uint32_t in_flight = 0;
    bool listed = false;  ///< still in the set; if not, it is kept for its requests only
    admission rule = admission::not_ready;
    std::uint32_t slot = 0;
    std::optional<time_point> ejected_until{};

    friend bool operator==(load const&, load const&) = default;
};

/// Endpoints of one service port under the policy B. Every version has a copy of its own of the policy.
template<Balancer B>
class pool {
public:
    pool() = default;
    explicit pool(B policy) : policy_(std::move(policy)) {}

    [[nodiscard]] std::uint64_t generation() const noexcept { return set_generation_; }
    [[nodiscard]] route_rules const& rules() const noexcept { return rules_; }

    /// Puts a set in force. An older generation than the one in force changes nothing and is a `conflict`;
    /// the same one may come again. Bad weights or rules are `invalid` and change nothing either. Of
    /// endpoints that are equal in id, address and port the first counts. O(n log n).
    [[nodiscard]] result<void> apply(endpoint_set const& set)
    {
        if (set.generation < set_generation_)
            return error{errc::conflict, "a newer generation of endpoints is in force", "generation"};
        if (auto checked = check_weights(set.weights); !checked)
            return checked;
        if (auto checked = check(set.rules, !set.weights.empty()); !checked)
            return error(checked.error()).inside("rules");

        std::map<name, std::uint32_t> old;
        for (std::uint32_t s = 0; s < slots_.size(); ++s)
            if (slots_[s].used)
                old.emplace(name_of(slots_[s].what), s);
        for (auto& s : slots_) {
            s.listed = false;
            s.rule = admission::not_ready;
            s.group = s.position = nowhere;
        }
        std::vector<group> former = std::exchange(groups_, {});

        auto const rules = admit(set.endpoints);
        std::map<std::string, std::uint32_t, std::less<>> group_of;
        if (!set.weights.empty())
            for (auto const& w :
                set.weights)  // the order of the weights, so that equal ones are dealt the same way
                group_for(w.version, w.weight, group_of, former);
        for (auto const& m : set.rules.matches)
            group_for(m.version, 0, group_of, former);
        if (!set.rules.mirror.version.empty())
            group_for(set.rules.mirror.version, 0, group_of, former);
        for (std::size_t i = 0; i < set.endpoints.size(); ++i) {
            auto const& e = set.endpoints[i];
            auto const [at, added] = old.try_emplace(name_of(e), 0);
            if (added)
                at->second = free_slot();
            auto& s = slots_[at->second];
            if (s.listed)
                continue;
            s.what = e;
            s.used = s.listed = true;
            s.rule = rules[i];
            if (s.rule != admission::ready && s.rule != admission::last_resort)
                continue;
            if (set.weights.empty())
                group_for({}, 1, group_of, former);
            auto const g =
                group_of.find(set.weights.empty() ? std::string_view{} : std::string_view(e.version));
            if (g == group_of.end())
                continue;
            s.group = g->second;
            ++groups_[s.group].endpoints;
            if (s.health.ejected)
                ++groups_[s.group].ejected;
            else
                join(at->second);
        }
        for (std::uint32_t s = 0; s < slots_.size(); ++s)
            forget_if_done(s);
        set_generation_ = set.generation;
        if (rules_.mirror != set.rules.mirror)
            copies_ = {};
        rules_ = set.rules;
        readmit_beyond_limit();
        if (!rules_.mirror.version.empty())
            if (auto dealt = copies_.reweight(std::array{rules_.mirror.percent, 100 - rules_.mirror.percent});
                !dealt)
                return dealt;
        return reweight();
    }

    /// Chooses an endpoint for a new request and counts it as in flight; nothing where none may take it.
    /// `tried` holds slots that this request has been refused by and must not go to again.
    [[nodiscard]] std::optional<ticket> acquire(std::span<std::uint32_t const> tried = {})
    {
        return acquire(aim{}, tried);
    }

    /// The same for a request that wants to go somewhere. A request on its second way is `remembered` to the
    /// version that it was dealt, so that it takes nobody's turn.
    [[nodiscard]] std::optional<ticket> acquire(aim const& wish, std::span<std::uint32_t const> tried = {})
    {
        auto const g = group_of(wish);
        if (!g)
            return std::nullopt;
        auto& first = groups_[*g];
        choice c = first.policy.pick(first.candidates);
        if (!std::ranges::count(tried, first.candidates[c.index].slot))
            return take(first, c);
        // Whoever has not been tried, of its own version if that can be.
        std::size_t const reach = wish.how == way::matched ? 1 : groups_.size();
        for (std::size_t i = 0; i < reach; ++i) {
            auto& other = groups_[(*g + i) % groups_.size()];
            auto const n = other.candidates.size();
            for (std::size_t k = 0; (i == 0 || other.weight != 0) && k < n; ++k) {
                auto const at = static_cast<std::uint32_t>((c.index + k) % n);
                if (!std::ranges::count(tried, other.candidates[at].slot))
                    return take(other,
                        {at, other.candidates[at].in_flight, static_cast<std::uint32_t>(n),
                            reason::next_untried});
            }
        }
        return std::nullopt;
    }

    /// Whether the request of `t` is to be copied to the mirror's version. Its turn is taken by asking, so
    /// ask once for each request. Requests to that version itself take no turn.
    [[nodiscard]] bool deal_copy(ticket const& t)
    {
        return !rules_.mirror.version.empty() && slots_[t.slot].what.version != rules_.mirror.version &&
            copies_.pick() == 0;
    }

    /// Tells how a request went that is still in flight. True: the endpoint is ejected by that. O(its
    /// version's endpoints) when it is, else O(1).
    bool observe(ticket const& t, outcome seen, time_point now)
    {
        auto& s = slots_[t.slot];
        if (!rules_.ejection || s.group == nowhere)
            return false;
        auto& g = groups_[s.group];
        auto const stepped = step(*rules_.ejection, s.health, seen, {g.endpoints, g.ejected}, now);
        return put(t.slot, stepped);
    }

    /// Brings back whose time is over; call at `wake_at`. Extra calls are harmless. O(slots) when it is due.
    void advance(time_point now)
    {
        if (now < wake_at_)
            return;
        wake_at_ = never;
        for (std::uint32_t i = 0; rules_.ejection && i < slots_.size(); ++i)
            if (auto& s = slots_[i]; s.group != nowhere && s.health.ejected) {
                auto& g = groups_[s.group];
                put(i, step(*rules_.ejection, s.health, std::nullopt, {g.endpoints, g.ejected}, now));
            }
    }

    /// When `advance` has something to do; `never`: nothing is ejected.
    [[nodiscard]] time_point wake_at() const noexcept { return wake_at_; }

    /// Ends a request. The slot may be given to another endpoint after this.
    void release(ticket const& t)
    {
        PODIUM_ASSERT(t.slot < slots_.size() && slots_[t.slot].in_flight > 0);
        auto& s = slots_[t.slot];
        --s.in_flight;
        if (s.position != nowhere)
            --groups_[s.group].candidates[s.position].in_flight;
        forget_if_done(t.slot);
    }

    /// The endpoint behind a slot, valid until `apply` or `release`.
    [[nodiscard]] endpoint const& at(std::uint32_t slot) const { return slots_[slot].what; }

    /// The version that the endpoint behind a slot serves as; empty where versions do not matter.
    [[nodiscard]] std::string version_of(std::uint32_t slot) const
    {
        auto const& s = slots_[slot];
        return s.group == nowhere ? s.what.version : groups_[s.group].version;
    }

    /// Whether the endpoint behind a slot would be given something new.
    [[nodiscard]] bool takes_new(std::uint32_t slot) const { return slots_[slot].position != nowhere; }

    /// Whether the set in force gives the endpoint behind a slot nothing new. One that is ejected comes back.
    [[nodiscard]] bool leaving(std::uint32_t slot) const { return slots_[slot].group == nowhere; }

    /// Whether anything could be acquired now.
    [[nodiscard]] bool available() const noexcept
    {
        return std::ranges::any_of(
            groups_, [](auto const& g) { return g.weight != 0 && !g.candidates.empty(); });
    }

    /// Requests in flight to pod `id`, whether or not it is in the set still. O(endpoints).
    [[nodiscard]] std::uint32_t in_flight(std::string_view id) const
    {
        std::uint32_t sum = 0;
        for (auto const& s : slots_)
            if (s.used && s.what.id == id)
                sum += s.in_flight;
        return sum;
    }

    /// Nothing is in flight to pod `id` and, under the set in force, nothing new will be. True for one that
    /// is not known. O(endpoints).
    [[nodiscard]] bool drained(std::string_view id) const
    {
        return std::ranges::none_of(slots_, [&](auto const& s) {
            return s.used && s.what.id == id && (s.in_flight != 0 || s.group != nowhere);
        });
    }

    /// All endpoints that are in the set or still have requests, in slot order.
    [[nodiscard]] std::vector<load> loads() const
    {
        std::vector<load> out;
        for (std::uint32_t i = 0; i < slots_.size(); ++i)
            if (auto const& s = slots_[i]; s.used)
                out.push_back({s.what.id, s.what.version, s.in_flight, s.listed, s.rule, i,
                    s.health.ejected ? std::optional(s.health.until) : std::nullopt});
        return out;
    }

    /// "10.0.0.7:80 (v1.2): least in flight, 2 in flight, of 5"; only before the ticket is given back.
    [[nodiscard]] std::string explain(ticket const& t) const
    {
        auto const& e = at(t.slot).address;
        return e + ':' + std::to_string(at(t.slot).port) +
            (at(t.slot).version.empty() ? std::string{} : " (" + at(t.slot).version + ')') + ": " +
            text(t.chosen);
    }

private:
    static constexpr std::uint32_t nowhere = 0xffffffff;
    using name = std::tuple<std::string, std::string, std::uint16_t>;

    struct entry {
        endpoint what{};
        std::uint32_t in_flight = 0;
        std::uint32_t group = nowhere;     ///< nowhere: takes nothing new under this set
        std::uint32_t position = nowhere;  ///< in the group's candidates; nowhere: takes nothing new now
        bool used = false;
        bool listed = false;
        admission rule = admission::not_ready;
        outlier_state health{};
    };
    struct group {
        std::string version{};
        std::uint32_t weight = 0;
        std::vector<candidate> candidates{};
        B policy;
        std::uint32_t endpoints = 0;  ///< candidates, and who would be one but is ejected
        std::uint32_t ejected = 0;
    };

    static name name_of(endpoint const& e) { return {e.id, e.address, e.port}; }

    static result<void> check_weights(std::span<version_weight const> weights)
    {
        std::vector<std::uint32_t> plain;
        for (auto const& w : weights)
            plain.push_back(w.weight);
        if (auto made = weighted_split::make(plain); !made)
            return made.error();
        return {};
    }

    void group_for(std::string const& version, std::uint32_t weight,
        std::map<std::string, std::uint32_t, std::less<>>& index, std::vector<group> const& former)
    {
        if (!index.try_emplace(version, static_cast<std::uint32_t>(groups_.size())).second)
            return;
        auto const was = std::ranges::find(former, version, &group::version);
        groups_.push_back({version, weight, {}, was == former.end() ? policy_ : was->policy});
    }

    /// The group that a wish comes down to now: one with candidates.
    std::optional<std::size_t> group_of(aim const& wish)
    {
        if (wish.how == way::matched || wish.how == way::remembered)
            for (std::size_t g = 0; g < groups_.size(); ++g)
                if (groups_[g].version == wish.version()) {
                    if (wish.how == way::matched)
                        return groups_[g].candidates.empty() ? std::optional<std::size_t>() : g;
                    if (has_weight(g))
                        return g;
                }
        if (wish.how == way::matched)
            return std::nullopt;
        if (wish.how == way::hashed)
            if (auto const g = assign(shares_, wish.name))
                return g;
        return groups_.size() == 1 && has_weight(0) ? std::optional<std::size_t>(0) : split_.pick();
    }

    void join(std::uint32_t slot)
    {
        auto& s = slots_[slot];
        auto& candidates = groups_[s.group].candidates;
        s.position = static_cast<std::uint32_t>(candidates.size());
        candidates.push_back({slot, s.in_flight});
    }
    void part(std::uint32_t slot)
    {
        auto& s = slots_[slot];
        auto& candidates = groups_[s.group].candidates;
        candidates.erase(candidates.begin() + s.position);
        for (auto at = std::exchange(s.position, nowhere); at < candidates.size(); ++at)
            slots_[candidates[at].slot].position = at;
    }

    /// What an outlier's step says. True: it is ejected. No version is emptied, so the split stays as it is.
    bool put(std::uint32_t slot, outlier_stepped const& stepped)
    {
        auto& s = slots_[slot];
        s.health = stepped.next;
        if (stepped.todo.readmit) {
            --groups_[s.group].ejected;
            join(slot);
        }
        if (stepped.todo.eject) {
            ++groups_[s.group].ejected;
            part(slot);
        }
        wake_at_ = std::min(wake_at_, stepped.todo.wake_at);
        return stepped.todo.eject;
    }

    /// After a change: those who would be back first are back now, where too many are out for those who are
    /// left.
    void readmit_beyond_limit()
    {
        wake_at_ = never;
        for (std::uint32_t index = 0; index < groups_.size(); ++index) {
            auto& g = groups_[index];
            auto const limit = rules_.ejection ? most_ejected(*rules_.ejection, g.endpoints) : 0;
            while (g.ejected > limit) {
                auto first = nowhere;
                for (std::uint32_t i = 0; i < slots_.size(); ++i)
                    if (slots_[i].group == index && slots_[i].health.ejected &&
                        (first == nowhere || slots_[i].health.until < slots_[first].health.until))
                        first = i;
                auto& health = slots_[first].health;
                health.ejected = false;
                --g.ejected;
                join(first);
            }
        }
        for (auto const& s : slots_)
            if (s.group != nowhere && s.health.ejected)
                wake_at_ = std::min(wake_at_, s.health.until);
    }

    /// A version without candidates gets no share: the others divide it.
    result<void> reweight()
    {
        std::vector<std::uint32_t> weights;
        shares_.clear();
        for (std::size_t g = 0; g < groups_.size(); ++g) {
            weights.push_back(has_weight(g) ? groups_[g].weight : 0);
            shares_.push_back({groups_[g].version, weights.back()});
        }
        std::vector<std::string> names;
        for (auto const& g : groups_)
            names.push_back(g.version);
        if (names != split_names_)
            split_ = {};
        split_names_ = std::move(names);
        return split_.reweight(weights);
    }

    [[nodiscard]] bool has_weight(std::size_t g) const
    {
        return groups_[g].weight != 0 && !groups_[g].candidates.empty();
    }

    ticket take(group& from, choice const& c)
    {
        auto& chosen = from.candidates[c.index];
        ++chosen.in_flight;
        ++slots_[chosen.slot].in_flight;
        return {chosen.slot, c};
    }

    std::uint32_t free_slot()
    {
        if (!free_.empty()) {
            auto const s = free_.back();
            free_.pop_back();
            return s;
        }
        slots_.emplace_back();
        return static_cast<std::uint32_t>(slots_.size() - 1);
    }

    void forget_if_done(std::uint32_t index)
    {
        auto& s = slots_[index];
        if (!s.used || s.listed || s.in_flight != 0)
            return;
        s = {};
        free_.push_back(index);
    }

    B policy_{};
    std::uint64_t set_generation_ = 0;
    std::vector<entry> slots_{};
    std::vector<std::uint32_t> free_{};
    std::vector<group> groups_{};
    weighted_split split_{};
    std::vector<std::string> split_names_{};
    std::vector<version_weight> shares_{};  ///< by group; 0 where it has nobody
    route_rules rules_{};
    weighted_split copies_{};  ///< 0: to be mirrored
    time_point wake_at_ = never;
};

}  // namespace podium::v0::traffic
