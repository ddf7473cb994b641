#pragma once
/// The nodes as the scheduler sees them: the embedder's own, and columns of what the pods bound to them use.
///
/// A fold of changes: `set` and `remove` nodes, `bind` and `unbind` pods, each O(what changed), so it can be
/// kept as an index of a view. Changes may come in any order: pods of a node that is not there (yet, or any
/// more) are counted under its name. Should a property of the embedder's throw, that call has changed
/// nothing. A value: copy it to ask what if.
///
/// Each node has a slot, a small number that stays its own until the node and all its pods are gone. Node
/// order is slot order.

#include <podium/core/assert.hpp>
#include <podium/schedule/change_log.hpp>
#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

namespace detail {

template<class Column>
concept HasHint = requires { typename Column::hint; };
template<class Column>
struct hint_of {
    using type = nothing;
};
template<HasHint Column>
struct hint_of<Column> {
    using type = typename Column::hint;
};
template<class Columns>
struct hints_of;
template<class... Column>
struct hints_of<std::tuple<Column...>> {
    using type = std::tuple<typename hint_of<Column>::type...>;
};
template<class Column>
void bind(Column& column, std::uint32_t slot, auto const& pod, auto& known)
{
    if constexpr (HasHint<Column>)
        column.bind(slot, pod, known);
    else
        column.bind(slot, pod);
}

}  // namespace detail

template<class Pipeline>
class snapshot {
public:
    using node_type = typename Pipeline::node_type;
    using pod_type = typename Pipeline::pod_type;
    using columns = typename Pipeline::columns;
    using candidate = schedule::candidate<node_type, columns>;

    /// What happened to a slot, for whoever keeps answers.
    struct touched {
        std::uint32_t slot = 0;
        bool node = false;  ///< the node itself came, went or changed; else only pods did
    };

    /// Adds the node, or replaces it. Returns its slot.
    std::uint32_t set(std::string_view name, node_type node);

    /// Takes the node away; pods bound to it stay counted. Harmless when there is none.
    void remove(std::string_view name);

    /// Counts the pod on that node, whether or not it fits.
    void bind(std::string_view name, pod_type const& pod) { add(slot_of(name), pod); }
    void bind(std::uint32_t slot, pod_type const& pod)
    {
        PODIUM_ASSERT(slot < slots_.size() && slots_[slot].used());
        add(slot, pod);
    }
    /// What columns found out about a pod, so that binding the next equal one is cheap.
    using hints = typename detail::hints_of<columns>::type;
    void bind(std::uint32_t slot, pod_type const& pod, hints& known);

    /// Takes back a `bind` of an equal pod. Harmless when nothing is bound there.
    void unbind(std::string_view name, pod_type const& pod)
    {
        if (auto const found = by_name_.find(name); found != by_name_.end())
            unbind(found->second, pod);
    }
    void unbind(std::uint32_t slot, pod_type const& pod);

    [[nodiscard]] std::size_t size() const noexcept { return present_; }  ///< nodes there are
    [[nodiscard]] std::uint32_t slots() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
    [[nodiscard]] bool has(std::uint32_t slot) const { return there_[slot] != 0; }
    [[nodiscard]] node_type const& node(std::uint32_t slot) const { return *slots_[slot].node; }
    [[nodiscard]] std::string const& name(std::uint32_t slot) const { return slots_[slot].name; }
    [[nodiscard]] std::uint32_t pods(std::uint32_t slot) const { return slots_[slot].pods; }
    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const
    {
        auto const found = by_name_.find(name);
        return found == by_name_.end() || !has(found->second) ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] candidate at(std::uint32_t slot) const { return {*slots_[slot].node, columns_, slot}; }

    [[nodiscard]] columns const& all_columns() const noexcept { return columns_; }
    template<class Fact>
    [[nodiscard]] Fact const& column() const
    {
        return std::get<Fact>(columns_);
    }
    /// For whoever keeps a ledger: a column may be asked to keep more (`topology::track`).
    template<class Fact>
    [[nodiscard]] Fact& column()
    {
        return std::get<Fact>(columns_);
    }
    /// seen(candidate) for each node there is, in slot order.
    template<class Seen>
    void for_each(Seen&& seen) const
    {
        for (std::uint32_t slot = 0; slot < slots(); ++slot)
            if (has(slot))
                seen(at(slot));
    }

    /// Counts up with each change. What was touched since a version, oldest first, goes to `seen`; false: too
    /// long ago to know, so anything may have been.
    [[nodiscard]] std::uint64_t version() const noexcept { return log_.version(); }
    template<class Seen>
    bool touched_since(std::uint64_t version, Seen&& seen) const
    {
        return log_.since(version, seen);
    }

private:
    struct entry {
        std::string name{};
        std::optional<node_type> node{};
        std::uint32_t pods = 0;
        [[nodiscard]] bool used() const { return node.has_value() || pods != 0; }
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const { return std::hash<std::string_view>{}(name); }
    };

    void each(auto what)
    {
        std::apply([&](auto&... column) { (what(column), ...); }, columns_);
    }

    /// what(column) for each; should one throw, undo(column) for those before it.
    template<std::size_t I = 0>
    void each_or_none(std::uint32_t slot, auto const& what, auto const& undo)
    {
        if constexpr (I < std::tuple_size_v<columns>) {
            try {
                what(std::get<I>(columns_));
            } catch (...) {
                undo_before<I>(undo);
                release_if_empty(slot);
                throw;
            }
            each_or_none<I + 1>(slot, what, undo);
        }
    }
    template<std::size_t I>
    [[gnu::noinline, gnu::cold]] void undo_before(auto const& undo)
    {
        [&]<std::size_t... Before>(std::index_sequence<Before...>) {
            (undo(std::get<Before>(columns_)), ...);
        }(std::make_index_sequence<I>{});
    }

    std::uint32_t slot_of(std::string_view name)
    {
        if (auto const found = by_name_.find(name); found != by_name_.end())
            return found->second;
        std::uint32_t at = slots();
        if (free_.empty()) {
            slots_.emplace_back();
            there_.push_back(0);
            each([&](auto& column) { column.resize(slots_.size()); });
        } else {
            std::pop_heap(free_.begin(), free_.end(), std::greater<>{});
            at = free_.back();
            free_.pop_back();
        }
        slots_[at] = {.name = std::string(name)};
        by_name_.emplace(std::string(name), at);
        return at;
    }

    void add(std::uint32_t slot, pod_type const& pod);
    void add(std::uint32_t slot, pod_type const& pod, auto const& bind)
    {
        each_or_none(slot, bind, [&](auto& column) { column.unbind(slot, pod); });
        ++slots_[slot].pods;
        touch({.slot = slot});
    }

    void release_if_empty(std::uint32_t at)
    {
        if (slots_[at].used())
            return;
        by_name_.erase(by_name_.find(slots_[at].name));
        slots_[at] = {};
        free_.push_back(at);
        std::push_heap(free_.begin(), free_.end(), std::greater<>{});
    }

    void touch(touched t)
    {
        log_.add(t, 1024 + 2 * slots_.size());  // whoever is that far behind does better to start afresh
    }

    std::vector<entry> slots_{};
    std::vector<std::uint8_t>
        there_{};  ///< by slot: whether it has a node; apart, since it is asked for often
    std::vector<std::uint32_t> free_{};  ///< heap, least slot first
    std::unordered_map<std::string, std::uint32_t, hash, std::equal_to<>> by_name_{};
    columns columns_{};
    std::size_t present_ = 0;
    detail::change_log<touched> log_{};
};

// Below the class, so that kubernetes.hpp can have them compiled once.
template<class Pipeline>
std::uint32_t snapshot<Pipeline>::set(std::string_view name, node_type node)
{
    auto const slot = slot_of(name);
    auto& s = slots_[slot];
    each_or_none(
        slot, [&](auto& column) { column.set(slot, node); },
        [&](auto& column) { s.node ? column.set(slot, *s.node) : column.unset(slot); });
    present_ += s.node ? 0u : 1u;
    s.node.emplace(std::move(node));
    there_[slot] = 1;
    touch({.slot = slot, .node = true});
    return slot;
}

template<class Pipeline>
void snapshot<Pipeline>::remove(std::string_view name)
{
    auto const found = by_name_.find(name);
    if (found == by_name_.end() || !slots_[found->second].node)
        return;
    auto const slot = found->second;
    slots_[slot].node.reset();
    there_[slot] = 0;
    --present_;
    each([&](auto& column) { column.unset(slot); });
    touch({.slot = slot, .node = true});
    release_if_empty(slot);
}

template<class Pipeline>
void snapshot<Pipeline>::bind(std::uint32_t slot, pod_type const& pod, hints& known)
{
    PODIUM_ASSERT(slot < slots_.size() && slots_[slot].used());
    add(slot, pod, [&](auto& column) {
        using column_type = std::remove_reference_t<decltype(column)>;
        detail::bind(column, slot, pod, std::get<detail::index_in<column_type, columns>>(known));
    });
}

template<class Pipeline>
void snapshot<Pipeline>::unbind(std::uint32_t slot, pod_type const& pod)
{
    PODIUM_ASSERT(slot < slots_.size());
    if (slots_[slot].pods == 0)
        return;
    each_or_none(
        slot, [&](auto& column) { column.unbind(slot, pod); }, [&](auto& column) { column.bind(slot, pod); });
    --slots_[slot].pods;
    touch({.slot = slot});
    release_if_empty(slot);
}

template<class Pipeline>
void snapshot<Pipeline>::add(std::uint32_t slot, pod_type const& pod)
{
    add(slot, pod, [&](auto& column) { column.bind(slot, pod); });
}

}  // namespace podium::v0::schedule
