#pragma once
/// Kinds: what podium needs to know of a type before objects of it can be stored, watched and planned.
///
/// A kind is any copyable struct with a name for its kind and `metadata` (the `Kind` concept says it
/// exactly). `kind_of<K>` is its one run-time description, so stores, views and plans need no list of
/// types: podium's own kinds and the embedder's travel the same way, and pure code stays typed through
/// `handle<K>` (`object.hpp`).
///
/// Source: the shape is Kubernetes' ObjectMeta and OwnerReference (meta/v1), cut to what decisions need.

#include <podium/core/time.hpp>

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::reconcile {

/// A store's position: grows by one with every committed transaction. 0 means "before everything".
enum class revision : std::uint64_t {};

[[nodiscard]] constexpr std::uint64_t number(revision r) noexcept
{
    return static_cast<std::uint64_t>(r);
}
[[nodiscard]] constexpr revision next(revision r) noexcept
{
    return revision{number(r) + 1};
}

/// Who an object belongs to. `uid` is the owner's `uid_of(...)`: a namesake made later is somebody else.
struct owner_reference {
    std::string kind{};
    std::string name{};
    std::string uid{};
    friend bool operator==(owner_reference const&, owner_reference const&) = default;
};

/// The least `metadata` for a kind of your own; `model::object_meta` is Kubernetes' whole one.
struct metadata {
    std::string name{};
    std::string namespace_{};
    std::map<std::string, std::string> labels{};
    std::vector<owner_reference> owner_references{};
    friend bool operator==(metadata const&, metadata const&) = default;
};

/// A type whose objects can live in a store.
///
/// - `K::kind`: the kind's name, unique in a store ("Pod").
/// - `k.metadata.name`, `k.metadata.namespace_`: strings; the namespace is empty for cluster-wide kinds.
/// - optional: `metadata.labels` (range of pairs of strings), `metadata.owner_references` (range of
///   {kind, name, uid}), `metadata.generation` beside `spec` (raised when the spec changes),
///   `metadata.creation_timestamp` (constructible from `time_point`; stamped when it is empty).
template<class K>
concept Kind = std::copyable<K> && std::equality_comparable<K> && requires(K const& k) {
    { K::kind } -> std::convertible_to<std::string_view>;
    { k.metadata.name } -> std::convertible_to<std::string_view>;
    { k.metadata.namespace_ } -> std::convertible_to<std::string_view>;
};

/// A list of kinds, for interfaces that speak of several.
template<class... K>
struct types {};

/// What is known of a kind at run time. One object a type: compare by address, order by name.
struct kind_type {
    std::string_view name{};
    std::string_view api_version{};  ///< empty when the type names none

    std::string_view (*object_name)(void const* object) = nullptr;
    std::string_view (*object_namespace)(void const* object) = nullptr;
    bool (*equal)(void const* a, void const* b) = nullptr;
    void (*each_label)(void const* object, void* context,
        void (*visit)(void* context, std::string_view key, std::string_view value)) = nullptr;
    void (*each_owner)(void const* object, void* context,
        void (*visit)(
            void* context, std::string_view kind, std::string_view name, std::string_view uid)) = nullptr;
    bool (*same_links)(void const* a, void const* b) = nullptr;  ///< labels and owners are equal
    void (*stamp)(void* object, time_point now) = nullptr;       ///< sets an empty creation timestamp
};

namespace detail {

template<class K>
concept Labelled = requires(K const& k) { k.metadata.labels; };
template<class K>
concept Owned = requires(K const& k) { k.metadata.owner_references; };
template<class K>
concept Stamped = requires(K& k, time_point now) {
    {
        k.metadata.creation_timestamp == decltype(k.metadata.creation_timestamp){}
    } -> std::convertible_to<bool>;
    k.metadata.creation_timestamp = decltype(k.metadata.creation_timestamp){now};
};

template<class K>
constexpr std::string_view api_version_of() noexcept
{
    if constexpr (requires { K::api_version; })
        return K::api_version;
    else
        return {};
}

template<class K>
struct erased {
    static K const& get(void const* p) noexcept { return *static_cast<K const*>(p); }

    static std::string_view name(void const* p) { return get(p).metadata.name; }
    static std::string_view namespace_(void const* p) { return get(p).metadata.namespace_; }
    static bool equal(void const* a, void const* b) { return get(a) == get(b); }
    static void each_label(
        void const* p, void* context, void (*visit)(void*, std::string_view, std::string_view))
    {
        if constexpr (Labelled<K>)
            for (auto const& [key, value] : get(p).metadata.labels)
                visit(context, key, value);
    }
    static void each_owner(void const* p, void* context,
        void (*visit)(void*, std::string_view, std::string_view, std::string_view))
    {
        if constexpr (Owned<K>)
            for (auto const& o : get(p).metadata.owner_references)
                visit(context, o.kind, o.name, o.uid);
    }
    static bool same_links(void const* a, void const* b)
    {
        bool same = true;
        if constexpr (Labelled<K>)
            same = same && get(a).metadata.labels == get(b).metadata.labels;
        if constexpr (Owned<K>)
            same = same && get(a).metadata.owner_references == get(b).metadata.owner_references;
        return same;
    }
    static void stamp(void* p, time_point now)
    {
        if constexpr (Stamped<K>) {
            auto& at = static_cast<K*>(p)->metadata.creation_timestamp;
            using stamp_type = std::remove_cvref_t<decltype(at)>;
            if (at == stamp_type{})
                at = stamp_type{now};
        }
    }
};

}  // namespace detail

template<Kind K>
inline constexpr kind_type kind_of{
    K::kind,
    detail::api_version_of<K>(),
    &detail::erased<K>::name,
    &detail::erased<K>::namespace_,
    &detail::erased<K>::equal,
    &detail::erased<K>::each_label,
    &detail::erased<K>::each_owner,
    &detail::erased<K>::same_links,
    &detail::erased<K>::stamp,
};

}  // namespace podium::v0::reconcile
