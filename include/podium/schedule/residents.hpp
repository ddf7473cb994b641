#pragma once
/// Who lives where: what affinity and spreading need to know of the pods on the nodes.
///
/// Pods that look alike to others (namespace, labels, wishes about their neighbours) are one *kind*; the
/// column counts kinds on nodes, so that a selector is matched once for each kind and not for each pod.

#include <podium/labels/selector.hpp>
#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

using label_map = std::map<std::string, std::string, std::less<>>;

/// Which pods, and how far around them: a domain is all nodes with the same value of the label
/// `topology_key`.
struct affinity_term {
    labels::selector selector{};  ///< of pods; `nothing()` for none
    std::string topology_key{};
    std::vector<std::string> namespaces{};  ///< both empty: the namespace of the pod that wishes
    std::optional<labels::selector>
        namespace_selector{};  ///< by the labels of namespaces; added to the above
    std::int32_t weight = 1;   ///< of a preferred term, 1 to 100
    friend bool operator==(affinity_term const&, affinity_term const&) = default;
};

/// A pod's wishes about its neighbours. Required terms are ignored once it runs.
struct pod_affinity {
    std::vector<affinity_term> required{};        ///< the domain must have a pod of each
    std::vector<affinity_term> required_anti{};   ///< the domain must have no pod of any
    std::vector<affinity_term> preferred{};       ///< better with
    std::vector<affinity_term> preferred_anti{};  ///< better without
    friend bool operator==(pod_affinity const&, pod_affinity const&) = default;
};

/// A pod as its neighbours see it.
struct resident {
    std::string namespace_{};
    label_map labels{};
    pod_affinity affinity{};
    bool terminating = false;  ///< on its way out: spreading does not count it
    friend bool operator==(resident const&, resident const&) = default;
};

/// What a wish does: the place of its list in `pod_affinity`.
enum class affinity_role : std::uint8_t { required, required_anti, preferred, preferred_anti };

/// Column: how many pods of which kind are on each node. `Resident(pod)` gives a `resident`.
///
/// Kinds have small numbers that are used again, and a birth that is not: whoever remembers something of a
/// kind keeps both. The wishes of the kinds there are can be asked for once for all kinds that have them.
template<auto Resident>
class residents {
    static constexpr std::uint32_t none = ~std::uint32_t{0};

public:
    struct count {
        std::uint32_t kind = 0;
        std::uint32_t pods = 0;
        friend bool operator==(count const&, count const&) = default;
    };
    /// One node's pods.
    struct row {
        residents const& all;
        std::vector<count> const& counts;

        /// seen(number of the kind, resident, how many).
        template<class Seen>
        void for_each(Seen&& seen) const
        {
            for (auto const& c : counts)
                seen(c.kind, *all.kinds_[c.kind].what, std::int64_t{c.pods});
        }
    };
    /// A wish that pods of some kinds have.
    struct wish {
        affinity_term term{};
        std::string namespace_{};  ///< of the pods that have it
        affinity_role role = affinity_role::required;
        std::uint64_t birth = 0;
        std::uint32_t kinds = 0;
    };
    /// What a kind's number was for the last pod that was bound with it: the next one like it is found at
    /// once.
    struct hint {
        std::uint32_t kind = none;
        std::uint64_t birth = 0;
    };

    void resize(std::size_t slots) { rows_.resize(slots); }
    void set(std::uint32_t, auto const&) {}
    void unset(std::uint32_t) {}
    void bind(std::uint32_t slot, auto const& pod)
    {
        hint unknown;
        bind(slot, pod, unknown);
    }
    void bind(std::uint32_t slot, auto const& pod, hint& known)
    {
        if (known.kind >= kinds_.size() || kinds_[known.kind].birth != known.birth)
            known.kind = kind_of(std::invoke(Resident, pod));
        auto const k = known.kind;
        known.birth = kinds_[k].birth;
        ++kinds_[k].pods;
        auto& list = rows_[slot];
        auto const at = place(list, k);
        if (at == list.end() || at->kind != k)
            list.insert(at, {.kind = k, .pods = 1});
        else
            ++at->pods;
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        resident const& r = std::invoke(Resident, pod);
        auto const found = find(r);
        if (!found)
            return;
        auto& list = rows_[slot];
        auto const at = place(list, *found);
        if (at == list.end() || at->kind != *found)
            return;
        if (--at->pods == 0)
            list.erase(at);
        if (--kinds_[*found].pods == 0)
            retire(*found);
    }
    [[nodiscard]] row at(std::uint32_t slot) const { return {*this, rows_[slot]}; }
    [[nodiscard]] std::vector<count> const& counts(std::uint32_t slot) const { return rows_[slot]; }
    /// Numbers of kinds are below this.
    [[nodiscard]] std::size_t kinds() const noexcept { return kinds_.size(); }
    [[nodiscard]] resident const& what(std::uint32_t kind) const { return *kinds_[kind].what; }
    [[nodiscard]] std::uint64_t birth(std::uint32_t kind) const { return kinds_[kind].birth; }
    /// All wishes that some kind has, by no order that means something.
    [[nodiscard]] std::vector<wish> const& wishes() const noexcept { return wishes_; }
    /// Counts up with each wish that is new.
    [[nodiscard]] std::uint64_t wish_births() const noexcept { return wish_births_; }
    /// seen(birth of the wish) for each of a kind's; twice for what it has twice.
    template<class Seen>
    void for_each_wish(std::uint32_t kind, Seen&& seen) const
    {
        for (auto const birth : kinds_[kind].wishes)
            seen(birth);
    }

private:
    struct kept_kind {
        std::shared_ptr<resident const> what{};
        std::uint64_t pods = 0;
        std::uint64_t birth = 0;  ///< 0: no kind has this number now
        std::vector<std::uint64_t> wishes{};
    };

    static std::size_t hash(resident const& r)
    {
        auto h = std::hash<std::string_view>{}(r.namespace_);
        for (auto const& [key, value] : r.labels)
            for (std::string_view const text : {std::string_view(key), std::string_view(value)})
                h = (h ^ std::hash<std::string_view>{}(text)) * 0x9e3779b97f4a7c15u;
        return h;
    }
    [[nodiscard]] std::optional<std::uint32_t> find(resident const& r) const
    {
        auto const [first, last] = by_hash_.equal_range(hash(r));
        for (auto at = first; at != last; ++at)
            if (*kinds_[at->second].what == r)
                return at->second;
        return std::nullopt;
    }
    std::uint32_t kind_of(resident const& r)
    {
        if (auto const found = find(r))
            return *found;
        auto n = static_cast<std::uint32_t>(kinds_.size());
        if (free_.empty()) {
            kinds_.emplace_back();
        } else {
            n = free_.back();
            free_.pop_back();
        }
        auto& k = kinds_[n];
        k.what = std::make_shared<resident const>(r);
        k.birth = ++births_;
        by_hash_.emplace(hash(r), n);
        each_term(*k.what,
            [&](affinity_term const& t, affinity_role role) { k.wishes.push_back(have(t, *k.what, role)); });
        return n;
    }
    void retire(std::uint32_t n)
    {
        auto& k = kinds_[n];
        auto const gone = std::move(k.what);
        auto const [first, last] = by_hash_.equal_range(hash(*gone));
        by_hash_.erase(std::find_if(first, last, [&](auto const& e) { return e.second == n; }));
        for (auto const birth : k.wishes)
            drop(birth);
        k = {};
        free_.push_back(n);
    }
    static void each_term(resident const& r, auto&& seen)
    {
        for (auto const& t : r.affinity.required)
            seen(t, affinity_role::required);
        for (auto const& t : r.affinity.required_anti)
            seen(t, affinity_role::required_anti);
        for (auto const& t : r.affinity.preferred)
            seen(t, affinity_role::preferred);
        for (auto const& t : r.affinity.preferred_anti)
            seen(t, affinity_role::preferred_anti);
    }
    std::uint64_t have(affinity_term const& t, resident const& owner, affinity_role role)
    {
        for (auto& w : wishes_)
            if (w.role == role && w.namespace_ == owner.namespace_ && w.term == t) {
                ++w.kinds;
                return w.birth;
            }
        wishes_.push_back(
            {.term = t, .namespace_ = owner.namespace_, .role = role, .birth = ++wish_births_, .kinds = 1});
        return wish_births_;
    }
    void drop(std::uint64_t birth)
    {
        auto const w =
            std::find_if(wishes_.begin(), wishes_.end(), [&](wish const& one) { return one.birth == birth; });
        if (--w->kinds != 0)
            return;
        std::swap(*w, wishes_.back());
        wishes_.pop_back();
    }
    static typename std::vector<count>::iterator place(std::vector<count>& list, std::uint32_t k)
    {
        return std::lower_bound(list.begin(), list.end(), k,
            [](count const& c, std::uint32_t wanted) { return c.kind < wanted; });
    }

    std::vector<kept_kind> kinds_{};
    std::vector<std::uint32_t> free_{};
    std::unordered_multimap<std::size_t, std::uint32_t> by_hash_{};
    std::vector<std::vector<count>> rows_{};
    std::uint64_t births_ = 0;
    std::vector<wish> wishes_{};
    std::uint64_t wish_births_ = 0;
};

namespace detail {

/// An answer for each kind, found when first asked for.
class memo {
public:
    explicit memo(std::size_t kinds) : known_(kinds, 0) {}
    bool operator()(std::uint32_t kind, auto&& find)
    {
        auto& k = known_[kind];
        if (k == 0)
            k = find() ? 1 : -1;
        return k > 0;
    }
    /// The same without learning.
    bool operator()(std::uint32_t kind, auto&& find) const
    {
        return known_[kind] == 0 ? find() : known_[kind] > 0;
    }

private:
    std::vector<signed char> known_;  // 0: not asked yet
};

/// Numbers by topology key, then by value.
using topology_counts = std::map<std::string, std::map<std::string, std::int64_t, std::less<>>, std::less<>>;

/// The node's own domain of that key; none without the label.
[[nodiscard]] inline std::optional<std::string_view> domain(auto const& node_labels, std::string const& key)
{
    return podium::labels::detail::value_of(node_labels, key);
}

}  // namespace detail
}  // namespace podium::v0::schedule
