#pragma once
/// Objects as a store holds them: immutable, shared, with the revisions that made them.
///
/// `handle<K>` is the typed one that decisions read; `object` is the same with its type forgotten, for
/// code that carries any kind. `key` names an object, `uid_of` tells it from a namesake made later.

#include <podium/core/assert.hpp>
#include <podium/core/hash.hpp>
#include <podium/reconcile/kind.hpp>

#include <compare>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::reconcile {

/// {kind, namespace, name}: what a controller is asked to reconcile. Ordered by the names in it.
struct key {
    kind_type const* kind = nullptr;
    std::string namespace_{};
    std::string name{};

    friend bool operator==(key const&, key const&) = default;
    friend std::strong_ordering operator<=>(key const& a, key const& b)
    {
        auto const name_of = [](key const& k) { return k.kind ? k.kind->name : std::string_view{}; };
        if (auto const c = name_of(a) <=> name_of(b); c != 0)
            return c;
        if (auto const c = a.namespace_ <=> b.namespace_; c != 0)
            return c;
        return a.name <=> b.name;
    }
};

template<Kind K>
[[nodiscard]] key key_for(std::string_view namespace_, std::string_view name)
{
    return {&kind_of<K>, std::string(namespace_), std::string(name)};
}

/// "Pod shop/web-1", "Node a".
[[nodiscard]] inline std::string to_string(key const& k)
{
    std::string out(k.kind ? k.kind->name : "?");
    out += ' ';
    if (!k.namespace_.empty())
        (out += k.namespace_) += '/';
    return out += k.name;
}

/// An object's identity as text in a UUID's shape: its create revision, then a hash of kind, namespace and
/// name, since all objects that one transaction creates share the revision.
[[nodiscard]] inline std::string uid_of(
    kind_type const& kind, std::string_view namespace_, std::string_view name, revision created)
{
    auto h = fnv1a(kind.name);
    h = fnv1a("/", fnv1a(namespace_, fnv1a("/", h)));
    h = fnv1a(name, h);
    std::string out(36, '-');
    auto* to = out.data();
    auto const put = [&](std::uint64_t bits, int digits) {
        for (int i = digits - 1; i >= 0; --i)
            *to++ = "0123456789abcdef"[(bits >> (4 * i)) & 15u];
        ++to;
    };
    put(number(created) >> 32, 8);
    put(number(created) >> 16, 4);
    put(number(created), 4);
    put(h >> 48, 4);
    put(h, 12);
    return out;
}

/// An immutable object of kind K and where it stands in the store; empty when there is none.
template<class K>
struct handle {
    std::shared_ptr<K const> object{};
    revision modified{};  ///< the revision that wrote this version
    revision created{};   ///< the revision that created the object
    time_point seen{};    ///< when this version reached the view it was read from, on the reader's clock

    [[nodiscard]] explicit operator bool() const noexcept { return object != nullptr; }
    [[nodiscard]] K const& operator*() const noexcept { return *object; }
    [[nodiscard]] K const* operator->() const noexcept { return object.get(); }

    [[nodiscard]] key which() const { return key_for<K>(object->metadata.namespace_, object->metadata.name); }
    [[nodiscard]] std::string uid() const
    {
        return uid_of(kind_of<K>, object->metadata.namespace_, object->metadata.name, created);
    }
    /// The same version; when it was seen does not count.
    friend bool operator==(handle const& a, handle const& b)
    {
        return a.object == b.object && a.modified == b.modified && a.created == b.created;
    }
};

/// A handle whose type is known at run time only.
struct object {
    kind_type const* kind = nullptr;
    std::shared_ptr<void const> data{};
    revision modified{};
    revision created{};
    time_point seen{};

    [[nodiscard]] explicit operator bool() const noexcept { return data != nullptr; }
    [[nodiscard]] std::string_view name() const { return kind->object_name(data.get()); }
    [[nodiscard]] std::string_view namespace_() const { return kind->object_namespace(data.get()); }
    [[nodiscard]] key which() const { return {kind, std::string(namespace_()), std::string(name())}; }
    [[nodiscard]] std::string uid() const { return uid_of(*kind, namespace_(), name(), created); }

    /// The typed handle, empty when the object is of another kind.
    template<Kind K>
    [[nodiscard]] handle<K> as() const
    {
        if (kind != &kind_of<K> || !data)
            return {};
        return {std::static_pointer_cast<K const>(data), modified, created, seen};
    }
};

template<Kind K>
[[nodiscard]] object erase_type(handle<K> const& h)
{
    return {&kind_of<K>, h.object, h.modified, h.created, h.seen};
}

/// One object of one committed transaction. All changes of a revision are handed on together.
struct change {
    revision at{};
    reconcile::object object{};  ///< the new version; the last one, when deleted
    bool deleted = false;
};

/// A change as a fold sees it: an empty `before` is a creation, an empty `after` a deletion.
template<class K>
struct transition {
    handle<K> before{};
    handle<K> after{};
    /// Whichever there is: its name, namespace and labels are those of the object.
    [[nodiscard]] handle<K> const& any() const noexcept { return after ? after : before; }
};

/// One object before and after a change, its type forgotten.
struct object_transition {
    object before{};
    object after{};
    [[nodiscard]] object const& any() const noexcept { return after ? after : before; }
    [[nodiscard]] kind_type const* kind() const noexcept { return any().kind; }
    template<class K>
    [[nodiscard]] transition<K> as() const
    {
        return {before.template as<K>(), after.template as<K>()};
    }
};

/// The owner reference that a dependent of `owner` carries.
template<class Reference = owner_reference, Kind K>
[[nodiscard]] Reference owned_by(handle<K> const& owner)
{
    Reference r{};
    r.kind = K::kind;
    r.name = owner->metadata.name;
    r.uid = owner.uid();
    if constexpr (requires { r.api_version; })
        r.api_version = detail::api_version_of<K>();
    if constexpr (requires { r.controller = true; })
        r.controller = true;
    return r;
}

}  // namespace podium::v0::reconcile

template<>
struct std::hash<podium::reconcile::key> {
    std::size_t operator()(podium::reconcile::key const& k) const noexcept
    {
        auto const seed = std::hash<std::string>{}(k.name);
        return seed ^ (std::hash<std::string>{}(k.namespace_) * 0x9e3779b97f4a7c15u) ^
            std::hash<void const*>{}(k.kind);
    }
};
