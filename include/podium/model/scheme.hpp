#pragma once
/// The scheme: which kinds there are at run time, and what can be done with each without knowing its type.
///
/// Kubernetes' word for it. A server, a client and a manifest reader meet names ("apps/v1", "Deployment",
/// "deploy") and JSON; the scheme turns them into typed objects and back. Kinds of the embedder's own join in
/// one line:
///
///     auto kinds = model::default_scheme();
///     kinds.add<game::fleet>();
///
/// A kind is a described struct (`describe.hpp`) with `object_meta metadata`, and static members `kind`,
/// `api_version`, `plural`, `namespaced` and, if it wants one, `short_name`. Found by argument-dependent
/// lookup, all optional:
///
/// - `void set_defaults(K&)`: fills in what was left out; idempotent.
/// - `field_errors validate(K const&)`: everything that is wrong with it, with paths.
/// - `field_errors validate_update(K const& before, K const& after)`: what must not change, has.

#include <podium/core/assert.hpp>
#include <podium/model/codec.hpp>
#include <podium/model/defaults.hpp>
#include <podium/model/kinds.hpp>
#include <podium/model/shipped_codecs.hpp>
#include <podium/model/validate.hpp>
#include <podium/reconcile/object.hpp>

#include <algorithm>
#include <memory>
#include <span>

namespace podium::inline v0::model {

/// What `scheme::add` asks of a type.
template<class K>
concept SchemeKind = reconcile::Kind<K> && Codable<K> && requires(K k) {
    { k.metadata } -> std::same_as<object_meta&>;
    { K::api_version } -> std::convertible_to<std::string_view>;
    { K::plural } -> std::convertible_to<std::string_view>;
    { K::namespaced } -> std::convertible_to<bool>;
};

/// One kind with its type forgotten. Objects passed in must be of this kind.
struct kind_entry {
    reconcile::kind_type const* type = nullptr;
    std::string_view api_version{};
    std::string_view kind{};
    std::string_view plural{};      ///< as in paths: "deployments"
    std::string_view short_name{};  ///< "deploy"; may be empty
    bool namespaced = true;

    /// Strict, nothing added. Errors: `invalid`, with paths.
    result<std::shared_ptr<void>> (*decode)(json const&) = nullptr;
    std::string (*encode)(void const*) = nullptr;
    json (*to_json)(void const*) = nullptr;
    std::shared_ptr<void> (*copy)(void const*) = nullptr;
    object_meta& (*metadata)(void*) = nullptr;
    void (*set_defaults)(void*) = nullptr;
    field_errors (*validate)(void const*) = nullptr;
    field_errors (*validate_update)(void const* before, void const* after) = nullptr;

    [[nodiscard]] object_meta const& metadata_of(reconcile::object const& o) const
    {
        return metadata(const_cast<void*>(o.data.get()));  // read only
    }

    /// The singular as people type it: "deployment".
    [[nodiscard]] std::string singular() const
    {
        std::string out(kind);
        for (char& c : out)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        return out;
    }
};

namespace detail {

template<SchemeKind K>
struct entry_of {
    static K const& get(void const* p) noexcept { return *static_cast<K const*>(p); }

    static result<std::shared_ptr<void>> decode(json const& value)
    {
        auto decoded = model::decode<K>(value);
        if (!decoded)
            return std::move(decoded).error();
        return std::shared_ptr<void>(std::make_shared<K>(std::move(*decoded)));
    }
    static std::string encode(void const* p) { return model::encode(get(p)); }
    static json to_json(void const* p) { return model::to_json(get(p)); }
    static std::shared_ptr<void> copy(void const* p) { return std::make_shared<K>(get(p)); }
    static object_meta& metadata(void* p) { return static_cast<K*>(p)->metadata; }
    static void defaults([[maybe_unused]] void* p)
    {
        if constexpr (requires(K& k) { set_defaults(k); })
            set_defaults(*static_cast<K*>(p));
    }
    static field_errors check([[maybe_unused]] void const* p)
    {
        if constexpr (requires(K const& k) {
                          { validate(k) } -> std::same_as<field_errors>;
                      })
            return validate(get(p));
        else
            return {};
    }
    static field_errors check_update([[maybe_unused]] void const* before, [[maybe_unused]] void const* after)
    {
        if constexpr (requires(K const& k) {
                          { validate_update(k, k) } -> std::same_as<field_errors>;
                      })
            return validate_update(get(before), get(after));
        else
            return {};
    }
    static constexpr std::string_view short_name()
    {
        if constexpr (requires { K::short_name; })
            return K::short_name;
        else
            return {};
    }
};

}  // namespace detail

class scheme {
public:
    /// Adds a kind; adding it again changes nothing. Another type of that name is a mistake in the program.
    template<SchemeKind K>
    scheme& add()
    {
        using detail::entry_of;
        for (auto const& known : kinds_) {
            if (known.type == &reconcile::kind_of<K>)
                return *this;
            PODIUM_ASSERT(known.kind != std::string_view(K::kind));
        }
        using e = entry_of<K>;
        kinds_.push_back({&reconcile::kind_of<K>, K::api_version, K::kind, K::plural, e::short_name(),
            K::namespaced, &e::decode, &e::encode, &e::to_json, &e::copy, &e::metadata, &e::defaults,
            &e::check, &e::check_update});
        return *this;
    }

    [[nodiscard]] std::span<kind_entry const> kinds() const noexcept { return kinds_; }

    /// Null when there is none. O(kinds), as the others.
    [[nodiscard]] kind_entry const* find(std::string_view api_version, std::string_view kind) const noexcept
    {
        for (auto const& k : kinds_)
            if (k.api_version == api_version && k.kind == kind)
                return &k;
        return nullptr;
    }

    /// By what people type: "pods", "pod", "po", "Pod".
    [[nodiscard]] kind_entry const* find(std::string_view name) const
    {
        for (auto const& k : kinds_)
            if (!name.empty() &&
                (k.plural == name || k.short_name == name || k.kind == name || k.singular() == name))
                return &k;
        return nullptr;
    }

    [[nodiscard]] kind_entry const* find(reconcile::kind_type const* type) const noexcept
    {
        for (auto const& k : kinds_)
            if (k.type == type)
                return &k;
        return nullptr;
    }

    /// The entry for a JSON object's apiVersion and kind. Errors: `invalid` with the path, `unsupported` for
    /// a kind unknown.
    [[nodiscard]] result<kind_entry const*> entry_for(json const& value) const
    {
        if (!value.is_object())
            return error{errc::invalid, "expected an object with apiVersion and kind", {}, {}};
        std::vector<error> wrong;
        std::string_view names[2];
        std::string_view const keys[2] = {"apiVersion", "kind"};
        for (std::size_t i = 0; i < 2; ++i) {
            auto const found = value.find(keys[i]);
            if (found == value.end() || found->is_null())
                wrong.push_back({errc::invalid, "required", std::string(keys[i]), {}});
            else if (!found->is_string())
                wrong.push_back({errc::invalid, "expected a string", std::string(keys[i]), {}});
            else
                names[i] = found->get_ref<std::string const&>();
        }
        if (!wrong.empty())
            return joined(std::move(wrong));
        if (auto const* entry = find(names[0], names[1]))
            return entry;
        for (auto const& k : kinds_)
            if (k.kind == names[1])
                return error{errc::unsupported,
                    "for this kind, expected \"" + std::string(k.api_version) + '"', "apiVersion", {}};
        return error{errc::unsupported, "no such kind here", "kind", {}};
    }

    /// An object as its author meant it: decoded, put into `namespace_if_none` when its kind has namespaces
    /// and it names none, completed and validated. All errors at once; validation only when decoding
    /// succeeded.
    [[nodiscard]] result<reconcile::object> read(
        json const& value, std::string_view namespace_if_none = "default") const
    {
        auto const found = entry_for(value);
        if (!found)
            return found.error();
        auto const& entry = **found;
        auto decoded = entry.decode(value);
        if (!decoded)
            return std::move(decoded).error();
        auto& meta = entry.metadata(decoded->get());
        if (entry.namespaced && meta.namespace_.empty())
            meta.namespace_ = namespace_if_none;
        entry.set_defaults(decoded->get());
        auto wrong = entry.validate(decoded->get());
        bool const told = std::any_of(
            wrong.begin(), wrong.end(), [](error const& e) { return e.path == "metadata.namespace"; });
        if (!entry.namespaced && !meta.namespace_.empty() && !told)
            wrong.push_back(
                {errc::invalid, "must be empty, this kind is cluster-wide", "metadata.namespace", {}});
        if (!wrong.empty())
            return joined(std::move(wrong));
        return reconcile::object{entry.type, std::move(*decoded), {}, {}};
    }

    /// JSON text of an object of a known kind. One that comes from a store gets its uid and resourceVersion.
    [[nodiscard]] std::string encode(reconcile::object const& o) const
    {
        auto const& entry = known(o);
        return entry.encode(stamped(entry, o).get());
    }
    [[nodiscard]] json to_json(reconcile::object const& o) const
    {
        auto const& entry = known(o);
        return entry.to_json(stamped(entry, o).get());
    }

private:
    kind_entry const& known(reconcile::object const& o) const
    {
        auto const* entry = find(o.kind);
        PODIUM_ASSERT(entry && o.data);
        return *entry;
    }

    static std::shared_ptr<void const> stamped(kind_entry const& entry, reconcile::object const& o)
    {
        if (number(o.created) == 0 && number(o.modified) == 0)
            return o.data;
        auto copy = entry.copy(o.data.get());
        auto& meta = entry.metadata(copy.get());
        meta.uid = o.uid();
        meta.resource_version = std::to_string(number(o.modified));
        return copy;
    }

    std::vector<kind_entry> kinds_{};
};

#ifdef PODIUM_SEPARATE_COMPILATION
#define PODIUM_MODEL_DECL
#else
#define PODIUM_MODEL_DECL inline
#endif

/// A scheme of all kinds that podium ships, which instantiates every shipped codec. With
/// PODIUM_SEPARATE_COMPILATION that happens in one translation unit only: the one that defines PODIUM_SOURCE,
/// as <podium/src.hpp> does.
[[nodiscard]] PODIUM_MODEL_DECL scheme default_scheme();

#if !defined(PODIUM_SEPARATE_COMPILATION) || defined(PODIUM_SOURCE)
PODIUM_MODEL_DECL scheme default_scheme()
{
    return []<class... K>(kind_list<K...>) {
        scheme s;
        (s.add<K>(), ...);
        return s;
    }(shipped_kinds{});
}
#endif

}  // namespace podium::v0::model
