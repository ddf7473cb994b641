#pragma once
/// A plan: everything that one decision wants written, committed whole or refused whole.
///
/// Each write is guarded by the revision that it was computed from (a create by absence), and `require`
/// guards what was only read. So a decision made on a stale view cannot be committed, and one that was
/// committed twice by mistake takes effect once. The rules that make plans safe are in `plane.hpp`.

#include <podium/core/time.hpp>
#include <podium/reconcile/object.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// What an operation does to its object.
enum class verb : std::uint8_t {
    require,  ///< nothing: only its guard counts
    create,
    update,
    remove,
};

/// One guarded operation.
struct operation {
    key which{};
    verb what = verb::require;
    bool cut_after = false;        ///< a plan too big for one transaction may be cut behind this one
    revision guard{};              ///< the object must still be at it; `revision{}`: there must be none
    std::shared_ptr<void> data{};  ///< the new version; empty unless created or updated
};

/// What a store commits atomically. The spans are the plan's: they live until the commit has answered.
struct transaction {
    std::span<operation const> guards{};
    std::span<operation const> writes{};
};

/// What a reconcile wants: writes that take place together or not at all, and when to look again.
class plan {
public:
    std::vector<operation> guards{};
    std::vector<operation> writes{};
    std::optional<time_point> wake{};  ///< reconcile this key again then, whatever happens

    /// Nothing to write. A guard or a wake-up alone is no reason for a transaction.
    [[nodiscard]] bool empty() const noexcept { return writes.empty(); }

    /// A new object; refused with a conflict when there is one of its name.
    template<Kind K>
    void create(K object)
    {
        if constexpr (requires { object.spec, object.metadata.generation; })
            object.metadata.generation = 1;
        write(verb::create, {}, std::move(object));
    }

    /// `to` in the place of the version that was read. A version equal to it is not written: writes that
    /// change nothing would wake everyone who watches.
    template<Kind K>
    void update(handle<K> const& from, K to)
    {
        if constexpr (requires { to.spec == from->spec, to.metadata.generation; })
            if (!(to.spec == from->spec))
                to.metadata.generation = from->metadata.generation + 1;
        if (to == *from)
            return;
        write(verb::update, from.modified, std::move(to));
    }

    template<Kind K>
    void remove(handle<K> const& from)
    {
        writes.push_back({from.which(), verb::remove, false, from.modified, {}});
    }

    /// The same for objects whose type is known at run time only; generations are the caller's business.
    void create(kind_type const& kind, std::shared_ptr<void> data)
    {
        auto which = key{
            &kind, std::string(kind.object_namespace(data.get())), std::string(kind.object_name(data.get()))};
        writes.push_back({std::move(which), verb::create, false, {}, std::move(data)});
    }
    void update(object const& from, std::shared_ptr<void> to)
    {
        if (!from.kind->equal(from.data.get(), to.get()))
            writes.push_back({from.which(), verb::update, false, from.modified, std::move(to)});
    }
    void remove(object const& from)
    {
        writes.push_back({from.which(), verb::remove, false, from.modified, {}});
    }

    /// The decision rests on this version, though it does not write it.
    template<Kind K>
    void require(handle<K> const& read)
    {
        guards.push_back({read.which(), verb::require, false, read.modified, {}});
    }
    void require(object const& read)
    {
        guards.push_back({read.which(), verb::require, false, read.modified, {}});
    }
    /// The decision rests on there being no such object.
    void require_absent(key which) { guards.push_back({std::move(which), verb::require, false, {}, {}}); }

    /// Everything up to here is a state that the reconciler can go on from.
    void cut()
    {
        if (!writes.empty())
            writes.back().cut_after = true;
    }

    /// The earliest of all wishes counts.
    void wake_at(time_point when) { wake = wake ? std::min(*wake, when) : when; }

    [[nodiscard]] transaction whole() const { return {guards, writes}; }

private:
    template<Kind K>
    void write(verb what, revision guard, K&& object)
    {
        auto which = key_for<K>(object.metadata.namespace_, object.metadata.name);
        writes.push_back({std::move(which), what, false, guard, std::make_shared<K>(std::move(object))});
    }
};

}  // namespace podium::v0::reconcile
