#pragma once
/// Indexes by label: which objects a selector matches, and the reverse, which selectors match these labels.
///
/// Both are kept up to date object by object. `object_index` has, for each label and each key, the set of
/// objects that carry it, in chunks that are lists where few do and bitmaps where many do: a label that
/// everyone has costs one bit each, and a change costs the same whatever else is in the index. A selector is
/// answered from the rarest label it asks for, or, if it asks for none that is rare, by bitmaps.
/// `selector_index` files each selector under one label that it asks for, so that a label set looks only at
/// selectors that it shares a label with.
///
/// A *partition* (a namespace, a tenant) is not a label: it has no rules of spelling, no selector can name
/// it by mistake, and a selector's look-up in one does not see the others. Objects without one are in "".
///
/// Results come in the order of arrival: a newcomer goes behind all, or into the place that was left last.
/// So equal histories give equal orders, whatever the hash. A visit must not change the index.
/// Unsynchronised; any number of threads may look up while nothing changes.

#include <podium/labels/label_set.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::labels {

/// What the embedder calls objects by: a number, a name, a pointer. Copied into the index, compared and
/// hashed by `Hash`, never ordered.
template<class Id, class Hash = std::hash<Id>>
concept ObjectId =
    std::copyable<Id> && std::equality_comparable<Id> && requires(Hash const hash, Id const& id) {
        { hash(id) } -> std::convertible_to<std::size_t>;
    };

namespace detail {

using slot = std::uint32_t;

/// A set of slots in order, by chunks of 65536: sorted lists while short, else bitmaps.
class slot_set {
public:
    static constexpr std::size_t words = 1024;         // of a bitmap
    static constexpr std::size_t longest_list = 4096;  // as large as a bitmap then
    using bitmap = std::array<std::uint64_t, words>;

    struct chunk {
        std::uint32_t high = 0;
        std::uint32_t count = 0;
        std::vector<std::uint16_t> list{};
        std::unique_ptr<bitmap> bits{};

        [[nodiscard]] bool contains(std::uint16_t low) const
        {
            return bits ? ((*bits)[low / 64] >> (low % 64) & 1) != 0
                        : std::binary_search(list.begin(), list.end(), low);
        }
        /// The next at or after `low`; 65536 if there is none.
        [[nodiscard]] std::uint32_t next(std::uint32_t low) const
        {
            if (!bits) {
                auto const it = std::lower_bound(list.begin(), list.end(), low);
                return it == list.end() ? 65536 : *it;
            }
            auto w = low / 64;
            auto rest = w < words ? (*bits)[w] >> (low % 64) << (low % 64) : 0;
            while (rest == 0)
                if (++w >= words)
                    return 65536;
                else
                    rest = (*bits)[w];
            return w * 64 + static_cast<std::uint32_t>(std::countr_zero(rest));
        }
    };

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::vector<chunk> const& chunks() const noexcept { return chunks_; }
    [[nodiscard]] chunk const* find(std::uint32_t high) const
    {
        auto const it = std::lower_bound(chunks_.begin(), chunks_.end(), high, before);
        return it != chunks_.end() && it->high == high ? &*it : nullptr;
    }

    void insert(slot s)
    {
        auto const high = s >> 16;
        auto const low = static_cast<std::uint16_t>(s);
        auto it = std::lower_bound(chunks_.begin(), chunks_.end(), high, before);
        if (it == chunks_.end() || it->high != high)
            (it = chunks_.emplace(it))->high = high;
        auto& c = *it;
        if (!c.bits && c.count == longest_list) {
            c.bits = std::make_unique<bitmap>();
            for (auto const l : c.list)
                (*c.bits)[l / 64] |= std::uint64_t{1} << (l % 64);
            c.list = {};
        }
        if (c.bits) {
            auto& word = (*c.bits)[low / 64];
            auto const bit = std::uint64_t{1} << (low % 64);
            if ((word & bit) != 0)
                return;
            word |= bit;
        } else {
            auto const at = std::lower_bound(c.list.begin(), c.list.end(), low);
            if (at != c.list.end() && *at == low)
                return;
            c.list.insert(at, low);
        }
        ++c.count;
        ++size_;
    }

    void erase(slot s)
    {
        auto const low = static_cast<std::uint16_t>(s);
        auto const it = std::lower_bound(chunks_.begin(), chunks_.end(), s >> 16, before);
        if (it == chunks_.end() || it->high != s >> 16 || !it->contains(low))
            return;
        auto& c = *it;
        --size_;
        if (--c.count == 0)
            return void(chunks_.erase(it));
        if (!c.bits)
            return void(c.list.erase(std::lower_bound(c.list.begin(), c.list.end(), low)));
        (*c.bits)[low / 64] &= ~(std::uint64_t{1} << (low % 64));
        if (c.count < longest_list / 2) {  // far below the way up: one object does not convert it each time
            c.list.reserve(c.count);
            for (auto l = c.next(0); l < 65536; l = c.next(l + 1))
                c.list.push_back(static_cast<std::uint16_t>(l));
            c.bits.reset();
        }
    }

private:
    static bool before(chunk const& c, std::uint32_t high) noexcept { return c.high < high; }
    std::vector<chunk> chunks_{};
    std::size_t size_ = 0;
};

/// Adds a chunk's members to a bitmap.
inline void unite(slot_set::bitmap& into, slot_set::chunk const* c)
{
    if (!c)
        return;
    if (c->bits)
        for (std::size_t w = 0; w < into.size(); ++w)
            into[w] |= (*c->bits)[w];
    else
        for (auto const l : c->list)
            into[l / 64] |= std::uint64_t{1} << (l % 64);
}

/// Ids to slots. A slot that is left is taken next.
template<class Id, class Hash>
class slot_table {
public:
    /// The slot of the id, and whether it is new.
    std::pair<slot, bool> enter(Id const& id)
    {
        if (auto const it = slots_.find(id); it != slots_.end())
            return {it->second, false};
        auto s = static_cast<slot>(ids_.size());
        if (unused_.empty()) {
            ids_.emplace_back(id);
        } else {
            s = unused_.back();
            unused_.pop_back();
            ids_[s] = id;
        }
        slots_.emplace(id, s);
        return {s, true};
    }
    std::optional<slot> leave(Id const& id)
    {
        auto const it = slots_.find(id);
        if (it == slots_.end())
            return std::nullopt;
        auto const s = it->second;
        slots_.erase(it);
        ids_[s].reset();
        unused_.push_back(s);
        return s;
    }
    [[nodiscard]] bool contains(Id const& id) const { return slots_.contains(id); }
    [[nodiscard]] Id const& operator[](slot s) const { return *ids_[s]; }
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

private:
    std::unordered_map<Id, slot, Hash> slots_{};
    std::vector<std::optional<Id>> ids_{};
    std::vector<slot> unused_{};
};

}  // namespace detail

/// Objects by their labels.
///
///     object_index<std::string> pods;
///     pods.put("web-1", labels, "default");
///     pods.select("default", selector, [&](std::string const& name) { ... });
template<class Id, class Hash = std::hash<Id>>
requires ObjectId<Id, Hash>
class object_index {
public:
    /// Adds the object, or gives it these labels and this partition instead of the old ones; whether it is
    /// new. Costs the labels that differ, each a hash look-up and a place in two sets.
    template<LabelSet L>
    bool put(Id const& id, L const& labels, std::string_view partition = {})
    {
        auto const [s, is_new] = ids_.enter(id);
        if (s >= records_.size())
            records_.resize(s + 1);
        auto& r = records_[s];
        all_.insert(s);
        detail::intern_all(names_, labels, incoming_);
        if (names_.label_limit() > by_label_.size())
            by_label_.resize(names_.label_limit());
        if (names_.key_limit() > by_key_.size())
            by_key_.resize(names_.key_limit());

        // What is new comes first, so that no label or key is forgotten that is only moved.
        old_.assign(r.labels.begin(), r.labels.end());
        r.labels.clear();
        r.labels.reserve(incoming_.size());
        auto was = old_.begin();
        for (std::size_t i = 0; i < incoming_.size(); ++i) {
            auto const& in = incoming_[i];
            if (i > 0 && detail::same_key(in, incoming_[i - 1])) {
                forget_if_unused(in.label);
                continue;
            }
            while (was != old_.end() && names_[*was].key < in.key)
                ++was;
            bool const had_key = was != old_.end() && names_[*was].key == in.key;
            if (!had_key || *was != in.label)
                by_label_[in.label].insert(s);
            if (!had_key)
                by_key_[in.key].insert(s);
            r.labels.push_back(in.label);
        }
        auto now = r.labels.begin();
        for (auto const l : old_) {
            auto const k = names_[l].key;
            while (now != r.labels.end() && names_[*now].key < k)
                ++now;
            bool const has_key = now != r.labels.end() && names_[*now].key == k;
            if (has_key && *now == l)
                continue;
            if (!has_key)
                by_key_[k].erase(s);
            drop(l, s);
        }

        auto const to = partition_of(partition);
        if (is_new || to != r.partition) {
            partitions_[to].members.insert(s);
            if (!is_new)
                leave_partition(r.partition, s);
            r.partition = to;
        }
        return is_new;
    }

    /// Takes the object out; whether it was there.
    bool erase(Id const& id)
    {
        auto const s = ids_.leave(id);
        if (!s)
            return false;
        auto& r = records_[*s];
        for (auto const l : r.labels) {
            by_key_[names_[l].key].erase(*s);
            drop(l, *s);
        }
        leave_partition(r.partition, *s);
        r = {};
        all_.erase(*s);
        return true;
    }

    [[nodiscard]] bool contains(Id const& id) const { return ids_.contains(id); }
    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

    /// visit(id) for each object that the selector matches, in all partitions. Allocates nothing. Costs the
    /// objects that carry the rarest label asked for; if they are many, one bit for each object and term.
    template<std::invocable<Id const&> Visit>
    void select(selector const& s, Visit&& visit) const
    {
        select_from(s, nullptr, detail::dictionary::none, visit);
    }
    /// The same in one partition.
    template<std::invocable<Id const&> Visit>
    void select(std::string_view partition, selector const& s, Visit&& visit) const
    {
        if (auto const it = partition_ids_.find(partition); it != partition_ids_.end())
            select_from(s, &partitions_[it->second].members, it->second, visit);
    }
    [[nodiscard]] std::vector<Id> select(selector const& s) const
    {
        std::vector<Id> out;
        select(s, [&](Id const& id) { out.push_back(id); });
        return out;
    }
    [[nodiscard]] std::vector<Id> select(std::string_view partition, selector const& s) const
    {
        std::vector<Id> out;
        select(partition, s, [&](Id const& id) { out.push_back(id); });
        return out;
    }

private:
    using slot = detail::slot;
    using slot_set = detail::slot_set;

    struct record {
        std::vector<std::uint32_t> labels{};  // in the order of their keys' numbers
        std::uint32_t partition = 0;
    };
    struct partition_entry {
        std::string name{};
        slot_set members{};
    };

    void drop(std::uint32_t label, slot s)
    {
        by_label_[label].erase(s);
        forget_if_unused(label);
    }
    void forget_if_unused(std::uint32_t label)
    {
        if (names_[label].key != detail::dictionary::none && by_label_[label].empty())
            names_.release(label);
    }

    std::uint32_t partition_of(std::string_view name)
    {
        if (auto const it = partition_ids_.find(name); it != partition_ids_.end())
            return it->second;
        auto at = static_cast<std::uint32_t>(partitions_.size());
        if (unused_partitions_.empty()) {
            partitions_.emplace_back();
        } else {
            at = unused_partitions_.back();
            unused_partitions_.pop_back();
        }
        partitions_[at].name = name;
        partition_ids_.emplace(partitions_[at].name, at);
        return at;
    }
    void leave_partition(std::uint32_t at, slot s)
    {
        auto& p = partitions_[at];
        p.members.erase(s);
        if (!p.members.empty())
            return;
        partition_ids_.erase(p.name);
        p = {};
        unused_partitions_.push_back(at);
    }

    [[nodiscard]] std::optional<std::string_view> value_of(record const& r, std::uint32_t key) const
    {
        auto const at = std::partition_point(
            r.labels.begin(), r.labels.end(), [&](std::uint32_t l) { return names_[l].key < key; });
        if (at == r.labels.end() || names_[*at].key != key)
            return std::nullopt;
        return names_[*at].value;
    }

    struct start {
        slot_set const* from = nullptr;     ///< nothing: there can be no match
        requirement const* done = nullptr;  ///< what all of these fulfil
    };
    /// The smallest of the sets that all matches are in.
    [[nodiscard]] start base_of(selector const& s, slot_set const* within) const
    {
        start out{within ? within : &all_};
        for (auto const& r : s.requirements()) {
            if (!r.needs_key())
                continue;
            auto const k = names_.find_key(r.key());
            if (k == detail::dictionary::none)
                return {};
            auto const* candidates = &by_key_[k];
            auto const value = r.sole_value();
            if (value) {
                auto const& values = names_.key_at(k).by_value;
                auto const it = values.find(*value);
                if (it == values.end())
                    return {};
                candidates = &by_label_[it->second];
            }
            if (candidates->size() < out.from->size())
                out = {candidates, value || r.operator_() == op::exists ? &r : nullptr};
        }
        return out;
    }

    template<class Visit>
    void select_from(selector const& s, slot_set const* within, std::uint32_t partition, Visit& visit) const
    {
        if (s.is_nothing())
            return;
        auto const base = base_of(s, within);
        if (!base.from)
            return;
        if (base.from == within)
            within = nullptr;
        for (auto const& c : base.from->chunks()) {
            if (c.count <= (within ? 4 * few : few) ||
                (!within && s.requirements().size() == (base.done ? 1 : 0) && !c.bits))
                visit_one_by_one(c, s, base.done, within, partition, visit);
            else
                visit_bitmap(c, s, base.done, within, visit);
        }
    }
    /// Up to so many candidates are asked one by one: that takes as long as going through the bitmaps. More,
    /// where most fall out for their partition.
    static constexpr std::uint32_t few = 64;

    /// For few candidates: asks each.
    template<class Visit>
    void visit_one_by_one(slot_set::chunk const& c, selector const& s, requirement const* done,
        slot_set const* within, std::uint32_t partition, Visit& visit) const
    {
        if (!c.bits && !within && s.requirements().size() == (done ? 1 : 0)) {
            for (auto const low : c.list)
                visit(ids_[c.high << 16 | low]);
            return;
        }
        auto const matches = [&](record const& r) {
            if (within && r.partition != partition)
                return false;
            for (auto const& one : s.requirements())
                if (&one != done && !one.matches_value(value_of(r, names_.find_key(one.key()))))
                    return false;
            return true;
        };
        for (auto low = c.next(0); low < 65536; low = c.next(low + 1))
            if (auto const at = c.high << 16 | low; matches(records_[at]))
                visit(ids_[at]);
    }

    /// For many: a chunk's worth of objects at once.
    template<class Visit>
    void visit_bitmap(slot_set::chunk const& c, selector const& s, requirement const* done,
        slot_set const* within, Visit& visit) const
    {
        slot_set::bitmap left{}, some;
        detail::unite(left, &c);
        auto const keep = [&](slot_set const& of) {
            auto const* const other = of.find(c.high);
            if (other && other->bits) {
                for (std::size_t w = 0; w < left.size(); ++w)
                    left[w] &= (*other->bits)[w];
                return;
            }
            some.fill(0);
            detail::unite(some, other);
            for (std::size_t w = 0; w < left.size(); ++w)
                left[w] &= some[w];
        };
        auto const remove = [&](slot_set const& of) {
            auto const* const other = of.find(c.high);
            if (other && other->bits)
                for (std::size_t w = 0; w < left.size(); ++w)
                    left[w] &= ~(*other->bits)[w];
            else if (other)
                for (auto const l : other->list)
                    left[l / 64] &= ~(std::uint64_t{1} << (l % 64));
        };
        if (within)
            keep(*within);
        for (auto const& r : s.requirements()) {
            if (&r == done)
                continue;
            auto const k = names_.find_key(r.key());
            if (k == detail::dictionary::none) {
                if (r.needs_key())
                    return;
                continue;
            }
            auto const& key = names_.key_at(k);
            switch (r.operator_()) {
            case op::exists: keep(by_key_[k]); break;
            case op::does_not_exist: remove(by_key_[k]); break;
            case op::not_in:
            case op::not_equals:
                for (auto const& v : r.values())
                    if (auto const it = key.by_value.find(v); it != key.by_value.end())
                        remove(by_label_[it->second]);
                break;
            case op::in:
            case op::equals:
            case op::double_equals:
                some.fill(0);
                for (auto const& v : r.values())
                    if (auto const it = key.by_value.find(v); it != key.by_value.end())
                        detail::unite(some, by_label_[it->second].find(c.high));
                for (std::size_t w = 0; w < left.size(); ++w)
                    left[w] &= some[w];
                break;
            case op::gt:
            case op::lt:
                some.fill(0);
                for (auto const l : key.labels)
                    if (r.matches_value(names_[l].value))
                        detail::unite(some, by_label_[l].find(c.high));
                for (std::size_t w = 0; w < left.size(); ++w)
                    left[w] &= some[w];
                break;
            case op::unknown: return;
            }
        }
        for (std::uint32_t w = 0; w < slot_set::words; ++w)
            for (auto rest = left[w]; rest != 0; rest &= rest - 1)
                visit(ids_[c.high << 16 | (w * 64 + static_cast<std::uint32_t>(std::countr_zero(rest)))]);
    }

    detail::slot_table<Id, Hash> ids_{};
    std::vector<record> records_{};
    slot_set all_{};
    detail::dictionary names_{};
    std::vector<slot_set> by_label_{}, by_key_{};
    std::deque<partition_entry> partitions_ = std::deque<partition_entry>(1);  // [0] is none
    std::unordered_map<std::string_view, std::uint32_t> partition_ids_{};
    std::vector<std::uint32_t> unused_partitions_{};
    std::vector<detail::incoming> incoming_{};  // of `put`, kept for their room
    std::vector<std::uint32_t> old_{};
};

namespace detail {

/// What a selector is filed under: a label, a key (`any`), or nothing but its partition.
struct anchor_ref {
    std::string_view partition{};
    std::string_view key{};
    std::string_view value{};
    bool any = false;
    friend bool operator==(anchor_ref const&, anchor_ref const&) = default;
};
struct anchor {
    std::string partition{};
    std::string key{};
    std::string value{};
    bool any = false;
    [[nodiscard]] anchor_ref ref() const { return {partition, key, value, any}; }
};
struct anchor_hash {
    using is_transparent = void;
    std::size_t operator()(anchor_ref const& a) const noexcept
    {
        constexpr std::hash<std::string_view> hash;
        auto const mix = [](std::size_t h, std::size_t next) { return (h ^ next) * 0x9e3779b97f4a7c15u; };
        return mix(mix(mix(hash(a.value), hash(a.key)), hash(a.partition)), a.any ? 1 : 0);
    }
    std::size_t operator()(anchor const& a) const noexcept { return (*this)(a.ref()); }
};
struct anchor_equal {
    using is_transparent = void;
    bool operator()(anchor const& a, anchor const& b) const noexcept { return a.ref() == b.ref(); }
    bool operator()(anchor_ref const& a, anchor const& b) const noexcept { return a == b.ref(); }
    bool operator()(anchor const& a, anchor_ref const& b) const noexcept { return a.ref() == b; }
};

}  // namespace detail

/// Selectors by what they ask for: the reverse of `object_index`.
///
///     selector_index<std::string> services;
///     services.put("web", selector, "default");
///     services.match("default", labels, [&](std::string const& name) { ... });
template<class Id, class Hash = std::hash<Id>>
requires ObjectId<Id, Hash>
class selector_index {
public:
    /// Adds the selector, or replaces the one of this id; whether it is new. O(its values).
    bool put(Id const& id, selector s, std::string_view partition = {})
    {
        auto const [at, is_new] = ids_.enter(id);
        if (at >= records_.size())
            records_.resize(at + 1);
        if (!is_new)
            unfile(at);
        records_[at] = {std::move(s), std::string(partition), none};
        records_[at].filed_under = anchor_of(records_[at]);
        by_key_ += is_filed_by_key(records_[at]);
        each_file(records_[at], [&](detail::anchor_ref const& a) {
            auto it = filed_.find(a);
            if (it == filed_.end())
                it = filed_
                         .try_emplace(detail::anchor{
                             std::string(a.partition), std::string(a.key), std::string(a.value), a.any})
                         .first;
            it->second.insert(at);
        });
        return is_new;
    }
    /// Takes the selector out; whether it was there.
    bool erase(Id const& id)
    {
        auto const at = ids_.leave(id);
        if (!at)
            return false;
        unfile(*at);
        records_[*at] = {};
        return true;
    }
    [[nodiscard]] bool contains(Id const& id) const { return ids_.contains(id); }
    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

    /// visit(id) for each selector of the partition that matches the labels. Costs a hash look-up or two for
    /// each label, and a match for each selector filed there; selectors that ask for no label or key (only
    /// `!=`, `notin`, `!`, or everything) are all tried. Allocates nothing unless more than 32 of the labels'
    /// files are not empty.
    template<LabelSet L, std::invocable<Id const&> Visit>
    void match(std::string_view partition, L const& labels, Visit&& visit) const
    {
        cursors files;
        auto const open = [&](detail::anchor_ref const& a) {
            if (auto const it = filed_.find(a); it != filed_.end())
                files.add(it->second);
        };
        open({partition, {}, {}, true});
        for (auto const& [key, value] : labels) {
            open({partition, key, value, false});
            if (by_key_ != 0)
                open({partition, key, {}, true});
        }
        while (auto const at = files.next())
            if (matches(records_[*at], labels))
                visit(ids_[*at]);
    }
    template<LabelSet L, std::invocable<Id const&> Visit>
    void match(L const& labels, Visit&& visit) const
    {
        match(std::string_view{}, labels, visit);
    }
    template<LabelSet L>
    [[nodiscard]] std::vector<Id> match(std::string_view partition, L const& labels) const
    {
        std::vector<Id> out;
        match(partition, labels, [&](Id const& id) { out.push_back(id); });
        return out;
    }
    template<LabelSet L>
    [[nodiscard]] std::vector<Id> match(L const& labels) const
    {
        return match(std::string_view{}, labels);
    }

private:
    using slot = detail::slot;
    using slot_set = detail::slot_set;

    static constexpr auto none = static_cast<std::size_t>(-1);
    struct record {
        selector wanted{};
        std::string partition{};
        std::size_t filed_under = none;  // which of its requirements
    };

    /// Where a key cannot stand twice, what it is filed under holds already.
    template<class L>
    [[nodiscard]] static bool matches(record const& r, L const& labels)
    {
        if constexpr (!requires(std::string const& key) { labels.find(key)->second; })
            return r.wanted.matches(labels);
        auto const& all = r.wanted.requirements();
        for (std::size_t i = 0; i < all.size(); ++i)
            if ((i != r.filed_under || !all[i].needs_value()) && !all[i].matches(labels))
                return false;
        return true;
    }

    /// Several sets read as one, in order, each slot once.
    class cursors {
    public:
        void add(slot_set const& s)
        {
            cursor c{&s};
            c.load();
            if (count_ < few_.size()) {
                few_[count_++] = c;
            } else {
                many_.push_back(c);
                std::push_heap(many_.begin(), many_.end(), later);
            }
        }
        std::optional<slot> next()
        {
            auto least = many_.empty() ? cursor::over : many_.front().now;
            for (std::size_t i = 0; i < count_; ++i)
                least = std::min(least, few_[i].now);
            if (least == cursor::over)
                return std::nullopt;
            for (std::size_t i = 0; i < count_; ++i)
                if (few_[i].now == least)
                    few_[i].advance();
            while (!many_.empty() && many_.front().now == least) {
                std::pop_heap(many_.begin(), many_.end(), later);
                many_.back().advance();
                std::push_heap(many_.begin(), many_.end(), later);
            }
            return static_cast<slot>(least);
        }

    private:
        struct cursor {
            static constexpr std::uint64_t over = std::uint64_t{1} << 32;
            slot_set const* set = nullptr;
            std::size_t chunk = 0;
            std::uint32_t low = 0;
            std::uint64_t now = over;

            void load()
            {
                for (; chunk < set->chunks().size(); ++chunk, low = 0) {
                    auto const& c = set->chunks()[chunk];
                    if (auto const at = c.next(low); at < 65536) {
                        low = at;
                        now = std::uint64_t{c.high} << 16 | at;
                        return;
                    }
                }
                now = over;
            }
            void advance()
            {
                ++low;
                load();
            }
        };
        static bool later(cursor const& a, cursor const& b) noexcept { return a.now > b.now; }

        std::array<cursor, 32> few_;
        std::size_t count_ = 0;
        std::vector<cursor> many_{};  // the rest, as a heap
    };

    /// The requirement whose values have the fewest selectors so far; else one that asks for a key.
    [[nodiscard]] std::size_t anchor_of(record const& r) const
    {
        auto const& all = r.wanted.requirements();
        auto best = none, least = none;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].needs_key() && best == none)
                best = i;
            if (!all[i].needs_value())
                continue;
            std::size_t n = 0;
            for (auto const& v : all[i].values())
                if (auto const it = filed_.find(detail::anchor_ref{r.partition, all[i].key(), v});
                    it != filed_.end())
                    n += it->second.size();
            if (n < least) {
                least = n;
                best = i;
            }
        }
        return best;
    }
    /// The files that it is in: under each value of that requirement, or under its key, or with those that
    /// are always tried.
    template<class Visit>
    void each_file(record const& r, Visit const& visit) const
    {
        if (r.wanted.is_nothing())
            return;
        if (r.filed_under == none)
            return visit(detail::anchor_ref{r.partition, {}, {}, true});
        auto const& by = r.wanted.requirements()[r.filed_under];
        if (!by.needs_value())
            return visit(detail::anchor_ref{r.partition, by.key(), {}, true});
        for (auto const& v : by.values())
            visit(detail::anchor_ref{r.partition, by.key(), v});
    }
    [[nodiscard]] static bool is_filed_by_key(record const& r)
    {
        return r.filed_under != none && !r.wanted.requirements()[r.filed_under].needs_value();
    }
    void unfile(slot at)
    {
        by_key_ -= is_filed_by_key(records_[at]);
        each_file(records_[at], [&](detail::anchor_ref const& a) {
            auto const it = filed_.find(a);
            if (it == filed_.end())
                return;  // a structured selector may name a value twice
            it->second.erase(at);
            if (it->second.empty())
                filed_.erase(it);
        });
    }

    detail::slot_table<Id, Hash> ids_{};
    std::vector<record> records_{};
    std::unordered_map<detail::anchor, slot_set, detail::anchor_hash, detail::anchor_equal> filed_{};
    std::size_t by_key_ = 0;  // how many are filed under a key
};

}  // namespace podium::v0::labels
