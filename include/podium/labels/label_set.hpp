#pragma once
/// Label sets by the million: labels as numbers in a pool, a set in 48 bytes, a selector as one table.
///
/// The labels of a fleet are few, its objects are many. A `label_pool` gives each pair of key and value a
/// number; a `label_set` is the numbers of an object's labels, and a `label_filter` is a selector that has
/// been asked about every number beforehand, so that matching a set is one look-up for each label and
/// compares no text. For one object at a time, `selector::matches` on the object's own map needs none of
/// this.
///
/// A pool only grows: it fits where labels come back. An index (labels/index.hpp) forgets them.
/// Sets and filters belong to the pool that made them. Unsynchronised, as all values are: while nothing is
/// packed, any number of threads may match.

#include <podium/labels/selector.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace podium::inline v0::labels::detail {

/// Labels to numbers and back. Numbers begin at 1 and are given out again once released.
class dictionary {
public:
    using id = std::uint32_t;
    static constexpr id none = 0;

    struct label {
        id key = none;
        std::uint32_t at = 0;  ///< where the key's list has it
        std::string value{};
    };
    struct key {
        std::string text{};
        std::vector<id> labels{};  ///< in no order
        std::unordered_map<std::string_view, id> by_value{};
    };

    [[nodiscard]] id find_key(std::string_view text) const
    {
        auto const it = by_key_.find(text);
        return it == by_key_.end() ? none : it->second;
    }
    [[nodiscard]] id find(std::string_view key_text, std::string_view value) const
    {
        auto const k = find_key(key_text);
        if (k == none)
            return none;
        auto const& values = keys_[k].by_value;
        auto const it = values.find(value);
        return it == values.end() ? none : it->second;
    }
    [[nodiscard]] id intern(std::string_view key_text, std::string_view value)
    {
        auto k = find_key(key_text);
        if (k == none) {
            k = fresh(keys_, free_keys_);
            keys_[k].text = key_text;
            by_key_.emplace(keys_[k].text, k);
        }
        auto& of = keys_[k];
        if (auto const it = of.by_value.find(value); it != of.by_value.end())
            return it->second;
        auto const l = fresh(labels_, free_labels_);
        labels_[l].key = k;
        labels_[l].value = value;
        labels_[l].at = static_cast<std::uint32_t>(of.labels.size());
        of.labels.push_back(l);
        of.by_value.emplace(labels_[l].value, l);
        return l;
    }
    /// Forgets a label, and its key with the last of them.
    void release(id l)
    {
        auto const k = labels_[l].key;
        auto& of = keys_[k];
        of.by_value.erase(labels_[l].value);
        labels_[of.labels.back()].at = labels_[l].at;
        of.labels[labels_[l].at] = of.labels.back();
        of.labels.pop_back();
        labels_[l] = {};
        free_labels_.push_back(l);
        if (of.labels.empty()) {
            by_key_.erase(of.text);
            of = {};
            free_keys_.push_back(k);
        }
    }

    [[nodiscard]] label const& operator[](id l) const { return labels_[l]; }
    [[nodiscard]] key const& key_at(id k) const { return keys_[k]; }
    /// One more than the largest number ever given.
    [[nodiscard]] std::size_t label_limit() const noexcept { return labels_.size(); }
    [[nodiscard]] std::size_t key_limit() const noexcept { return keys_.size(); }

private:
    template<class T>
    static id fresh(std::deque<T>& all, std::vector<id>& unused)
    {
        if (unused.empty()) {
            all.emplace_back();
            return static_cast<id>(all.size() - 1);
        }
        auto const out = unused.back();
        unused.pop_back();
        return out;
    }

    // Deques: the maps view the texts, which therefore stay where they are.
    std::deque<key> keys_ = std::deque<key>(1);
    std::deque<label> labels_ = std::deque<label>(1);
    std::unordered_map<std::string_view, id> by_key_{};
    std::vector<id> free_keys_{}, free_labels_{};
};

/// A label of a set that is being taken in: its key, its own number, and where it stood.
struct incoming {
    dictionary::id key = dictionary::none;
    dictionary::id label = dictionary::none;
    std::size_t at = 0;
};

/// The labels in the order of their keys' numbers, each key once: the first counts, as in `value_of`.
template<LabelSet L>
void intern_all(dictionary& names, L const& labels, std::vector<incoming>& out)
{
    out.clear();
    for (auto const& [key, value] : labels) {
        auto const l = names.intern(key, value);
        out.push_back({names[l].key, l, out.size()});
    }
    std::sort(out.begin(), out.end(),
        [](auto const& a, auto const& b) { return a.key != b.key ? a.key < b.key : a.at < b.at; });
}
constexpr bool same_key(incoming const& a, incoming const& b) noexcept
{
    return a.key == b.key;
}

}  // namespace podium::v0::labels::detail

namespace podium::inline v0::labels {

class label_pool;
class label_filter;

/// An object's labels as numbers of a pool, each key once: 48 bytes, and more only beyond ten labels. Equal
/// sets of one pool are equal labels.
class label_set {
public:
    static constexpr std::size_t inline_labels = 10;

    label_set() = default;
    label_set(label_set&&) noexcept = default;
    label_set& operator=(label_set&&) noexcept = default;
    label_set(label_set const& other)
        : few_(other.few_),
          many_(other.many_ ? std::make_unique<ids>(*other.many_) : nullptr)
    {
    }
    label_set& operator=(label_set const& other) { return *this = label_set(other); }
    ~label_set() = default;

    [[nodiscard]] std::size_t size() const noexcept
    {
        return many_ ? many_->size() : static_cast<std::size_t>(few_.end() - first());
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    friend bool operator==(label_set const& a, label_set const& b) noexcept
    {
        return a.few_ == b.few_ && (a.many_ && b.many_ ? *a.many_ == *b.many_ : !a.many_ == !b.many_);
    }

private:
    friend class label_pool;
    friend class label_filter;
    using ids = std::vector<std::uint32_t>;

    [[nodiscard]] std::uint32_t const* first() const noexcept
    {
        return std::find_if(few_.begin(), few_.end(), [](auto id) { return id != 0; });
    }
    [[nodiscard]] std::uint32_t const* begin() const noexcept { return many_ ? many_->data() : first(); }
    [[nodiscard]] std::uint32_t const* end() const noexcept
    {
        return many_ ? many_->data() + many_->size() : few_.data() + few_.size();
    }

    std::array<std::uint32_t, inline_labels> few_{};  // zeros, then the numbers in order
    std::unique_ptr<ids> many_{};                     // all of them, if there are more; then `few_` is zeros
};

static_assert(sizeof(label_set) == 48);

/// The labels that were packed, each once, and their numbers.
class label_pool {
public:
    /// A packed set as text again: a range of pairs, in an order of the pool's. Valid while both are.
    class text {
    public:
        class iterator {
        public:
            using value_type = std::pair<std::string_view, std::string_view>;
            using difference_type = std::ptrdiff_t;
            struct arrow {
                value_type pair;
                value_type const* operator->() const noexcept { return &pair; }
            };
            iterator() = default;
            [[nodiscard]] value_type operator*() const
            {
                auto const& l = (*names_)[*at_];
                return {names_->key_at(l.key).text, l.value};
            }
            [[nodiscard]] arrow operator->() const { return {**this}; }
            iterator& operator++() { return ++at_, *this; }
            iterator operator++(int) { return std::exchange(*this, iterator(names_, at_ + 1)); }
            friend bool operator==(iterator const&, iterator const&) = default;

        private:
            friend class text;
            iterator(detail::dictionary const* names, std::uint32_t const* at) : names_(names), at_(at) {}
            detail::dictionary const* names_ = nullptr;
            std::uint32_t const* at_ = nullptr;
        };
        [[nodiscard]] iterator begin() const { return {names_, from_}; }
        [[nodiscard]] iterator end() const { return {names_, to_}; }

    private:
        friend class label_pool;
        text(detail::dictionary const* names, std::uint32_t const* from, std::uint32_t const* to)
            : names_(names),
              from_(from),
              to_(to)
        {
        }
        detail::dictionary const* names_;
        std::uint32_t const* from_;
        std::uint32_t const* to_;
    };

    /// The labels as a set. Where a key stands twice, the first counts, as it does for `selector::matches`.
    /// O(n log n) in the number of labels; allocates for labels that are new and beyond ten.
    template<LabelSet L>
    [[nodiscard]] label_set pack(L const& labels)
    {
        detail::intern_all(names_, labels, packing_);
        packing_.erase(std::unique(packing_.begin(), packing_.end(), detail::same_key), packing_.end());
        label_set out;
        if (packing_.size() > out.few_.size())
            out.many_ = std::make_unique<label_set::ids>(packing_.size());
        auto* const to =
            out.many_ ? out.many_->data() : out.few_.data() + (out.few_.size() - packing_.size());
        auto const end =
            std::transform(packing_.begin(), packing_.end(), to, [](auto const& p) { return p.label; });
        std::sort(to, end);
        return out;
    }

    /// Iterate it, match it, print it.
    [[nodiscard]] text as_text(label_set const& s) const { return {&names_, s.begin(), s.end()}; }

    /// The number of different labels seen.
    [[nodiscard]] std::size_t size() const noexcept { return names_.label_limit() - 1; }

private:
    friend class label_filter;
    detail::dictionary names_{};
    std::vector<detail::incoming> packing_{};
};

/// A selector for many sets of one pool, which it must not outlive. Two bytes for each label in the pool;
/// making one costs that and one comparison for each label whose key the selector names.
class label_filter {
public:
    label_filter(label_pool const& pool, selector s) : names_(&pool), selector_(std::move(s))
    {
        auto const& all = selector_.requirements();
        for (auto const& r : all)
            needed_ += r.needs_key();
        if (selector_.is_nothing() || all.size() > 16)
            return;  // no table: compares text each time
        effect_.resize(pool.names_.label_limit());
        for (std::size_t i = 0; i < all.size(); ++i) {
            auto const bit = static_cast<std::uint16_t>(1u << i);
            bool const positive = all[i].needs_key();
            if (positive)
                wanted_ = static_cast<std::uint16_t>(wanted_ | bit);
            auto const k = pool.names_.find_key(all[i].key());
            if (k == detail::dictionary::none)
                continue;
            for (auto const l : pool.names_.key_at(k).labels)
                if (all[i].matches_value(pool.names_[l].value) == positive)
                    effect_[l] = static_cast<std::uint16_t>(effect_[l] | bit);
        }
    }

    /// What the selector says of these labels. One look-up for each label; allocates nothing. Labels that
    /// came into the pool later, and all of them if the selector has more than 16 requirements, are compared
    /// as text.
    [[nodiscard]] bool matches(label_set const& s) const
    {
        // The largest number is the last. A set of more than ten says 0 here, which is in every table.
        if (s.many_ || s.few_.back() >= effect_.size())
            return matches_slowly(s);
        unsigned seen = 0;
        for (auto const l : s.few_)
            seen |= effect_[l];
        return seen == wanted_;
    }

private:
    [[nodiscard]] bool matches_slowly(label_set const& s) const
    {
        if (!s.many_ || s.many_->back() >= effect_.size())
            return matches_text(s);
        unsigned seen = 0;
        for (auto const l : *s.many_)
            seen |= effect_[l];
        return seen == wanted_;
    }
    /// Label by label, for a set has no look-up by key: O(m log n) for m labels and n requirements.
    [[nodiscard]] bool matches_text(label_set const& s) const
    {
        if (selector_.is_nothing())
            return false;
        struct by_key {
            bool operator()(requirement const& r, std::string_view key) const { return r.key() < key; }
            bool operator()(std::string_view key, requirement const& r) const { return key < r.key(); }
        };
        auto const& all = selector_.requirements();
        std::size_t met = 0;
        for (auto const& [key, value] : names_->as_text(s)) {
            auto const [first, last] = std::equal_range(all.begin(), all.end(), key, by_key{});
            for (auto r = first; r != last; ++r) {
                if (!r->matches_value(value))
                    return false;
                met += r->needs_key();
            }
        }
        return met == needed_;
    }

    label_pool const* names_;
    selector selector_;
    // For each label, which requirements it fulfils (those that want a label) or breaks (the others);
    // fulfilled and unbroken must come out as `wanted_`.
    std::vector<std::uint16_t> effect_{};
    std::uint16_t wanted_ = 0;
    std::size_t needed_ = 0;  // requirements that want a label
};

static_assert(LabelSet<label_pool::text>);

}  // namespace podium::v0::labels
