#pragma once
/// The view: what a decision reads. A fold of changes, indexed by name, namespace, owner and label.
///
/// A view only ever shows whole revisions. Whatever else a controller keeps incrementally (the scheduler's
/// columns, say) is an index: a type whose `apply(handle<K> before, handle<K> after)` is called for each
/// transition of the kinds that it takes, and which a reconciler reads as `view.index<I>()`. So all state
/// of the control plane can be rebuilt from a snapshot, and none hides in a controller.
///
/// Costs: a look-up by name O(1); a list O(its length), in the order of names; a change O(log n) in the
/// objects that share its labels, nothing for those where labels and owners stayed as they were.

#include <podium/labels/selector.hpp>
#include <podium/reconcile/object.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <ranges>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

namespace detail {

/// {namespace, name} without copying either.
struct name_ref {
    std::string_view namespace_{};
    std::string_view name{};
    friend bool operator==(name_ref const&, name_ref const&) = default;
    friend auto operator<=>(name_ref const&, name_ref const&) = default;
};

// Neither hash is noexcept: so libstdc++ keeps it in each node, and walking a bucket looks at no other
// object.
struct name_hash {
    using is_transparent = void;
    std::size_t operator()(name_ref const& n) const
    {
        return std::hash<std::string_view>{}(n.name) ^
            (std::hash<std::string_view>{}(n.namespace_) * 0x9e3779b97f4a7c15u);
    }
};

struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
};

/// One object's place in the view: it stays where it is while versions come and go.
struct place {
    object now{};
    [[nodiscard]] name_ref name() const { return {now.namespace_(), now.name()}; }
};

struct by_name {
    using is_transparent = void;
    bool operator()(place const* a, place const* b) const { return a->name() < b->name(); }
    bool operator()(place const* a, name_ref const& b) const { return a->name() < b; }
    bool operator()(name_ref const& a, place const* b) const { return a < b->name(); }
};

/// Orders objects of several kinds; no two are equal, since a kind's name is unique in a store.
inline constexpr auto by_kind_and_name = [](object const& a, object const& b) {
    return std::tuple(std::string_view(a.kind->name), a.namespace_(), a.name()) <
        std::tuple(std::string_view(b.kind->name), b.namespace_(), b.name());
};

using posting = std::set<place const*, by_name>;
using postings = std::unordered_map<std::string, posting, text_hash, std::equal_to<>>;

/// All objects of one kind.
struct table {
    kind_type const* kind = nullptr;
    // The key views the strings of the newest version: re-keyed by node, never copied.
    std::unordered_map<name_ref, std::unique_ptr<place>, name_hash> places{};
    posting all{};
    postings by_owner{};  ///< the owner's uid
    postings by_label{};  ///< "namespace\0key\0value"

    static std::string label_key(std::string_view namespace_, std::string_view key, std::string_view value)
    {
        std::string out;
        out.reserve(namespace_.size() + key.size() + value.size() + 2);
        (((out += namespace_) += '\0') += key) += '\0';
        return out += value;
    }

    /// Enters the place under its labels and owners, or takes it out.
    void link(place const& p, bool in)
    {
        struct context {
            table& home;
            place const& member;
            bool entering;
            void put(postings& lists, std::string key) const
            {
                if (entering) {
                    lists[std::move(key)].insert(&member);
                } else if (auto const it = lists.find(key); it != lists.end()) {
                    it->second.erase(&member);
                    if (it->second.empty())
                        lists.erase(it);
                }
            }
        } c{*this, p, in};
        auto const* const data = p.now.data.get();
        kind->each_label(data, &c, [](void* v, std::string_view key, std::string_view value) {
            auto& x = *static_cast<context*>(v);
            x.put(x.home.by_label, label_key(x.member.now.namespace_(), key, value));
        });
        kind->each_owner(data, &c, [](void* v, std::string_view, std::string_view, std::string_view uid) {
            auto& x = *static_cast<context*>(v);
            x.put(x.home.by_owner, std::string(uid));
        });
    }
};

inline posting const no_places{};

/// A posting read as typed handles.
template<class K>
auto typed(posting const& p)
{
    return std::ranges::subrange(p.begin(), p.end()) |
        std::views::transform([](place const* x) { return x->now.template as<K>(); });
}

}  // namespace detail

/// `Index...`: default constructible, with `apply(handle<K> const& before, handle<K> const& after)` for
/// each kind K that it folds.
template<class... Index>
class view {
public:
    /// The revision that it shows.
    [[nodiscard]] revision at() const noexcept { return at_; }

    template<Kind K>
    [[nodiscard]] handle<K> get(std::string_view namespace_, std::string_view name) const
    {
        auto const* const found = find(kind_of<K>, {namespace_, name});
        return found ? found->template as<K>() : handle<K>{};
    }
    template<Kind K>
    [[nodiscard]] handle<K> get(key const& which) const
    {
        return get<K>(which.namespace_, which.name);
    }
    [[nodiscard]] object get(key const& which) const
    {
        auto const* const found = which.kind ? find(*which.kind, {which.namespace_, which.name}) : nullptr;
        return found ? *found : object{};
    }

    /// All of a kind in the order of namespace and name: a range of `handle<K>`, valid until the next change.
    template<Kind K>
    [[nodiscard]] auto all() const
    {
        auto const* const t = table_of(kind_of<K>);
        return detail::typed<K>(t ? t->all : detail::no_places);
    }
    /// How many of a kind there are, O(1).
    template<Kind K>
    [[nodiscard]] std::size_t count() const
    {
        auto const* const t = table_of(kind_of<K>);
        return t ? t->all.size() : 0;
    }
    /// All of a kind in one namespace.
    template<Kind K>
    [[nodiscard]] auto all(std::string_view namespace_) const
    {
        auto const* const t = table_of(kind_of<K>);
        auto const& p = t ? t->all : detail::no_places;
        auto const first = p.lower_bound(detail::name_ref{namespace_, {}});
        auto last = first;
        while (last != p.end() && (*last)->now.namespace_() == namespace_)
            ++last;
        return std::ranges::subrange(first, last) |
            std::views::transform([](detail::place const* x) { return x->now.template as<K>(); });
    }
    /// All of a kind in one namespace whose names begin so. O(log n) and their number.
    template<Kind K>
    [[nodiscard]] auto all(std::string_view namespace_, std::string_view prefix) const
    {
        auto const* const t = table_of(kind_of<K>);
        auto const& p = t ? t->all : detail::no_places;
        auto const first = p.lower_bound(detail::name_ref{namespace_, prefix});
        auto last = first;
        while (last != p.end() && (*last)->now.namespace_() == namespace_ &&
            (*last)->now.name().starts_with(prefix))
            ++last;
        return std::ranges::subrange(first, last) |
            std::views::transform([](detail::place const* x) { return x->now.template as<K>(); });
    }
    /// The dependents of an owner, told by its uid: a namesake's are not among them.
    template<Kind K>
    [[nodiscard]] auto owned_by(std::string_view uid) const
    {
        return detail::typed<K>(owned(kind_of<K>, uid));
    }
    template<Kind K, Kind Owner>
    [[nodiscard]] auto owned_by(handle<Owner> const& owner) const
    {
        return owned_by<K>(owner.uid());
    }
    /// The same, looked at and not held: a range of `K const&`, valid until the next change. A handle shares
    /// its object, which for a thousand of them takes longer than to look at them.
    template<Kind K, Kind Owner>
    [[nodiscard]] auto peek_owned_by(handle<Owner> const& owner) const
    {
        auto const& p = owned(kind_of<K>, owner.uid());
        return std::ranges::subrange(p.begin(), p.end()) |
            std::views::transform(
                [](detail::place const* x) -> K const& { return *static_cast<K const*>(x->now.data.get()); });
    }
    /// The dependents of an owner, of every kind, ordered by kind and name.
    [[nodiscard]] std::vector<object> dependents_of(std::string_view uid) const
    {
        std::vector<object> out;
        for (auto const& [kind, t] : tables_)
            if (auto const it = t->by_owner.find(uid); it != t->by_owner.end())
                for (auto const* p : it->second)
                    out.push_back(p->now);
        std::ranges::sort(out, detail::by_kind_and_name);
        return out;
    }
    /// visit(object) for all of a kind, in one namespace or (empty) in all, in the order of names.
    template<class Visit>
    void each(kind_type const& kind, std::string_view namespace_, Visit const& visit) const
    {
        if (auto const* const t = table_of(kind))
            for (auto it = t->all.lower_bound(detail::name_ref{namespace_, {}});
                it != t->all.end() && (namespace_.empty() || (*it)->now.namespace_() == namespace_); ++it)
                visit((*it)->now);
    }
    /// Everything in a namespace, ordered by kind and name.
    [[nodiscard]] std::vector<object> all_in(std::string_view namespace_) const
    {
        std::vector<object> out;
        for (auto const& [kind, t] : tables_)
            for (auto it = t->all.lower_bound(detail::name_ref{namespace_, {}});
                it != t->all.end() && (*it)->now.namespace_() == namespace_; ++it)
                out.push_back((*it)->now);
        std::ranges::sort(out, detail::by_kind_and_name);
        return out;
    }
    /// The object that a reference names by its kind's name, in that namespace or cluster-wide.
    [[nodiscard]] object get_named(
        std::string_view kind, std::string_view namespace_, std::string_view name) const
    {
        for (auto const& [type, t] : tables_)
            if (type->name == kind)
                for (auto const in : {namespace_, std::string_view{}})
                    if (auto const* const found = find(*type, {in, name}))
                        return *found;
        return {};
    }
    /// How many there are, O(1).
    template<Kind K, Kind Owner>
    [[nodiscard]] std::size_t count_owned_by(handle<Owner> const& owner) const
    {
        return owned(kind_of<K>, owner.uid()).size();
    }

    /// Objects of one namespace that the selector matches, in the order of names. Starts from the rarest
    /// label that the selector asks for, so it costs what that label costs, not what the namespace does.
    template<Kind K>
    [[nodiscard]] std::vector<handle<K>> select(std::string_view namespace_, labels::selector const& s) const
    {
        std::vector<handle<K>> out;
        auto const* const t = table_of(kind_of<K>);
        if (!t)
            return out;
        detail::posting const* rarest = nullptr;
        for (auto const& r : s.requirements()) {
            auto const value = r.sole_value();
            if (!value)
                continue;
            auto const it = t->by_label.find(detail::table::label_key(namespace_, r.key(), *value));
            if (it == t->by_label.end())
                return out;
            if (!rarest || it->second.size() < rarest->size())
                rarest = &it->second;
        }
        auto const take = [&](handle<K> h) {
            if (s.matches(h->metadata.labels))
                out.push_back(std::move(h));
        };
        if (rarest)
            for (auto const* p : *rarest)
                take(p->now.template as<K>());
        else
            for (auto h : all<K>(namespace_))
                take(std::move(h));
        return out;
    }

    template<class I>
    [[nodiscard]] I const& index() const
    {
        return std::get<I>(index_);
    }

    /// Takes in one change at `now` (it becomes the version's `seen`). The caller hands on whole revisions.
    object_transition apply(change const& c, time_point now);
    /// Nothing else has changed up to `at`: said after the difference to a snapshot was applied.
    void reached(revision at) noexcept { at_ = std::max(at_, at); }

    /// The changes that lead from what it shows to `to`: what a watcher whose history was dropped applies.
    [[nodiscard]] std::vector<change> difference(std::span<object const> to, revision at) const
    {
        std::vector<change> out;
        std::unordered_map<key, object const*> wanted;
        for (auto const& o : to)
            wanted.emplace(o.which(), &o);
        for (auto const& [kind, t] : tables_)
            for (auto const* p : t->all)
                if (auto const it = wanted.find(p->now.which());
                    it == wanted.end() || it->second->created != p->now.created)
                    out.push_back({at, p->now, true});
        for (auto const& o : to)
            if (auto const mine = get(o.which()); mine.modified != o.modified || mine.created != o.created)
                out.push_back({at, o, false});
        return out;
    }

private:
    [[nodiscard]] detail::table const* table_of(kind_type const& k) const
    {
        for (auto const& [kind, t] : tables_)
            if (kind == &k)
                return t.get();
        return nullptr;
    }
    detail::table& table_for(kind_type const& k)
    {
        for (auto const& [kind, t] : tables_)
            if (kind == &k)
                return *t;
        tables_.emplace_back(&k, std::make_unique<detail::table>());
        tables_.back().second->kind = &k;
        return *tables_.back().second;
    }
    [[nodiscard]] object const* find(kind_type const& k, detail::name_ref const& name) const
    {
        auto const* const t = table_of(k);
        if (!t)
            return nullptr;
        auto const it = t->places.find(name);
        return it == t->places.end() ? nullptr : &it->second->now;
    }
    [[nodiscard]] detail::posting const& owned(kind_type const& k, std::string_view uid) const
    {
        auto const* const t = table_of(k);
        if (!t)
            return detail::no_places;
        auto const it = t->by_owner.find(uid);
        return it == t->by_owner.end() ? detail::no_places : it->second;
    }
    template<class I>
    static void fold(I& index, object_transition const& x)
    {
        if constexpr (requires { typename I::folds; })
            fold_each(index, x, typename I::folds{});
    }
    template<class I, class... K>
    static void fold_each(I& index, object_transition const& x, types<K...>)
    {
        (void)((x.kind() == &kind_of<K>
                       ? (index.apply(x.before.template as<K>(), x.after.template as<K>()), true)
                       : false) ||
            ...);
    }

    std::vector<std::pair<kind_type const*, std::unique_ptr<detail::table>>> tables_;  ///< few kinds: scanned
    std::tuple<Index...> index_;
    revision at_{};
};

// Not inline: with it another unit may have what the indices do with a change (see <podium/src.hpp>).
template<class... Index>
object_transition view<Index...>::apply(change const& c, time_point now)
{
    auto& t = table_for(*c.object.kind);
    object_transition out;
    auto const name = detail::name_ref{c.object.namespace_(), c.object.name()};
    auto it = t.places.find(name);
    if (it != t.places.end())
        out.before = it->second->now;
    if (c.deleted) {
        if (it != t.places.end()) {
            t.link(*it->second, false);
            t.all.erase(it->second.get());
            t.places.erase(it);
        }
    } else if (it == t.places.end()) {
        auto p = std::make_unique<detail::place>(detail::place{c.object});
        p->now.seen = now;
        t.all.insert(p.get());
        t.link(*p, true);
        t.places.emplace(name, std::move(p));
    } else {
        auto& p = *it->second;
        bool const same = t.kind->same_links(p.now.data.get(), c.object.data.get());
        if (!same)
            t.link(p, false);
        auto node = t.places.extract(it);
        node.key() = name;  // views the new version from now on
        p.now = c.object;
        p.now.seen = now;
        if (!same)
            t.link(p, true);
        t.places.insert(std::move(node));
    }
    if (!c.deleted) {
        out.after = c.object;
        out.after.seen = now;
    }
    at_ = c.at;
    std::apply([&](auto&... i) { (fold(i, out), ...); }, index_);
    return out;
}

}  // namespace podium::v0::reconcile
