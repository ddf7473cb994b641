#pragma once
/// Where the work queue and the rate limiters keep what they know of a key: a slot with a number.
///
/// Slots never move, so a key that was handed out stays where it is; a slot that was let go is used again
/// first, and keeps its key's memory for the next one. They are found through a flat table of (hash, slot);
/// up to `few` keys are compared one after the other instead, which costs less than hashing one. Which slot
/// a key gets follows from the calls alone, and nothing is ever decided by the table's order.

#include <podium/core/assert.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace podium::inline v0::reconcile {

/// The hash that keys have by default: `std::hash`, and for what reads as a string a faster one. The same in
/// every run. It spreads well, and does not withstand who picks keys in order to make them collide.
template<class Key>
struct key_hash;

/// What a key must be: movable, equality comparable and hashable; copyable only where copies are asked for.
/// Equal keys must have equal hashes. No order is needed.
template<class K, class Hash = key_hash<K>>
concept WorkKey =
    std::move_constructible<K> && std::equality_comparable<K> && requires(Hash const& hash, K const& k) {
        { hash(k) } -> std::convertible_to<std::size_t>;
    };

namespace detail {

[[nodiscard]] inline std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept
{
    __extension__ typedef unsigned __int128 wide;
    auto const product = wide{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Multiplies 16 bytes at a time; the last 16 may overlap those before, so that no byte is read alone.
[[nodiscard]] inline std::uint64_t hash_of_text(std::string_view text) noexcept
{
    constexpr std::uint64_t one = 0x9e3779b97f4a7c15u, two = 0xbf58476d1ce4e5b9u;
    auto const eight = [](char const* p) {
        std::uint64_t v = 0;
        std::memcpy(&v, p, 8);
        return v;
    };
    auto const four = [](char const* p) {
        std::uint32_t v = 0;
        std::memcpy(&v, p, 4);
        return std::uint64_t{v};
    };
    auto const* p = text.data();
    auto left = text.size();
    std::uint64_t h = text.size() ^ two;
    for (; left > 16; left -= 16, p += 16)
        h = mixed(eight(p) ^ one, eight(p + 8) ^ h);
    if (left >= 8)
        return mixed(eight(p) ^ one, eight(p + left - 8) ^ h);
    if (left >= 4)
        return mixed(four(p) ^ one, four(p + left - 4) ^ h);
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < left; ++i)
        rest = rest << 8 | static_cast<unsigned char>(p[i]);
    return mixed(rest ^ one, h);
}

/// Keys that read as text are compared word by word, here, where a call would cost more than its work.
[[nodiscard]] inline bool same_text(std::string_view a, std::string_view b) noexcept
{
    if (a.size() != b.size())
        return false;
    auto const n = a.size();
    auto const differ = [&](std::size_t at) {
        std::uint64_t x = 0, y = 0;
        std::memcpy(&x, a.data() + at, 8);
        std::memcpy(&y, b.data() + at, 8);
        return x != y;
    };
    if (n < 8 || n > 64)
        return a == b;
    if (differ(n - 8))  // names differ at their ends
        return false;
    for (std::size_t i = 0; i + 8 < n; i += 8)
        if (differ(i))
            return false;
    return true;
}

/// `to` = `from`. One that is as long as what it replaces, as the next key often is, is copied word by word.
inline void assign_text(std::string& to, std::string const& from)
{
    auto const n = from.size();
    if (n != to.size() || n < 8 || n > 64) {
        to = from;
        return;
    }
    auto const word = [&](std::size_t at) { std::memcpy(to.data() + at, from.data() + at, 8); };
    for (std::size_t i = 0; i + 8 < n; i += 8)
        word(i);
    word(n - 8);
}

/// Numbered places that stay where they are. The first chunk holds 16, each further one twice the one before.
template<class T>
class slab {
public:
    slab() = default;
    slab(slab&& other) noexcept
        : chunks_(std::exchange(other.chunks_, {})),
          size_(std::exchange(other.size_, 0))
    {
    }
    slab& operator=(slab&& other) noexcept
    {
        std::swap(chunks_, other.chunks_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~slab()
    {
        for (std::uint32_t i = 0; i < size_; ++i)
            std::destroy_at(&(*this)[i]);
        for (std::size_t c = 0; c < chunks_.size(); ++c)
            if (chunks_[c])
                std::allocator<T>().deallocate(chunks_[c], first << c);
    }

    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    [[nodiscard]] T& operator[](std::uint32_t i) noexcept { return *address(i); }
    [[nodiscard]] T const& operator[](std::uint32_t i) const noexcept { return *address(i); }

    template<class... A>
    void emplace(A&&... a)
    {
        auto const [chunk, offset] = where(size_);
        PODIUM_ASSERT(chunk < chunks_.size());
        if (!chunks_[chunk])
            chunks_[chunk] = std::allocator<T>().allocate(first << chunk);
        std::construct_at(chunks_[chunk] + offset, std::forward<A>(a)...);
        ++size_;
    }

private:
    static constexpr std::size_t first = 16;

    static constexpr std::pair<std::size_t, std::size_t> where(std::uint32_t i) noexcept
    {
        auto const n = i + first;
        auto const chunk = static_cast<std::size_t>(std::bit_width(n)) - 5;
        return {chunk, n - (first << chunk)};
    }
    [[nodiscard]] T* address(std::uint32_t i) const noexcept
    {
        if (i < first)  // a controller that keeps up has few keys
            return chunks_[0] + i;
        auto const [chunk, offset] = where(i);
        return chunks_[chunk] + offset;
    }

    std::array<T*, 28> chunks_{};
    std::uint32_t size_ = 0;
};

/// Keys in slots, each with `Data`; `Data::place` is a 32-bit number that belongs to this class, and
/// `Data::in_use()` says that the slot was not let go.
///
/// Keys often come in the order in which they came before: objects of a list, events of a resync. So the slot
/// after the one found last is looked at first, which saves the hash.
template<class Key, class Data, class Hash>
class key_slots {
public:
    static constexpr std::uint32_t none = ~std::uint32_t{};
    static constexpr std::uint32_t few = 8;

    struct slot {
        Key key;
        Data data{};

        template<class K>
        explicit slot(K&& k) : key(std::forward<K>(k))
        {
        }
    };

    key_slots() = default;
    explicit key_slots(Hash hash) : hash_(std::move(hash)) {}

    [[nodiscard]] slot& operator[](std::uint32_t id) noexcept { return slots_[id]; }
    [[nodiscard]] slot const& operator[](std::uint32_t id) const noexcept { return slots_[id]; }
    /// Keys held.
    [[nodiscard]] std::uint32_t size() const noexcept { return size_; }
    /// Slots made: every number is below.
    [[nodiscard]] std::uint32_t slots() const noexcept { return slots_.size(); }
    [[nodiscard]] static constexpr std::size_t slot_bytes() noexcept { return sizeof(slot); }

    /// The slot of `k`, or `none`. O(1) on average.
    template<class K>
    [[nodiscard]] std::uint32_t find(K const& k) const
    {
        if (!hashed_)
            return among_few(k);
        return among_many(k, hash(k));
    }

    /// The slot of `k`, and whether it was made for it just now, with `Data` as it is by default.
    template<class K>
    std::pair<std::uint32_t, bool> obtain(K&& k)
    {
        std::uint32_t h = 0;
        if (hashed_) {
            auto const next = found_ + 1;
            if (next < slots_.size() && slots_[next].data.in_use() && same(slots_[next].key, k)) {
                found_ = next;
                return {next, false};
            }
            h = hash(k);
            if (auto const id = among_many(k, h); id != none) {
                found_ = id;
                return {id, false};
            }
        } else {
            if (auto const id = among_few(k); id != none)
                return {id, false};
            if (size_ < few) {
                if (cells_.empty())
                    cells_.resize(few);
                auto const id = take(std::forward<K>(k));
                cells_[size_++].id = id;
                return {id, true};
            }
            begin_hashing();
            h = hash(k);
        }
        if ((std::size_t{size_} + 1) * 5 > cells_.size() * 4)
            grow();
        auto const id = take(std::forward<K>(k));
        slots_[id].data.place = h;
        insert({h, id});
        ++size_;
        return {id, true};
    }

    /// This slot will be looked at soon.
    void prefetch([[maybe_unused]] std::uint32_t id) const noexcept
    {
#if defined(__GNUC__)
        __builtin_prefetch(&slots_[id]);
#endif
    }

    /// Lets a slot go. Its key stays readable until the slot is used again.
    void release(std::uint32_t id) noexcept
    {
        if (hashed_)
            erase_hashed(id);
        else
            for (std::uint32_t i = 0; i < size_; ++i)
                if (cells_[i].id == id) {
                    cells_[i].id = cells_[size_ - 1].id;
                    cells_[size_ - 1].id = none;
                    break;
                }
        if (--size_ == 0)
            hashed_ = false;  // the table is empty: it may be used either way
        slots_[id].data = Data{};
        slots_[id].data.place = std::exchange(free_, id);
    }

private:
    struct cell {
        std::uint32_t hash = 0;
        std::uint32_t id = none;
    };

    template<class K>
    [[nodiscard]] static bool same(Key const& held, K const& k)
    {
        if constexpr (std::convertible_to<Key const&, std::string_view> &&
            std::convertible_to<K const&, std::string_view> && std::same_as<Hash, key_hash<Key>>)
            return same_text(held, k);
        else
            return held == k;
    }
    template<class K>
    [[nodiscard]] std::uint32_t hash(K const& k) const
    {
        auto const h = static_cast<std::uint64_t>(hash_(k));
        return static_cast<std::uint32_t>(h ^ (h >> 32));
    }
    template<class K>
    [[nodiscard]] std::uint32_t among_few(K const& k) const
    {
        for (std::uint32_t i = 0; i < size_; ++i)
            if (same(slots_[cells_[i].id].key, k))
                return cells_[i].id;
        return none;
    }
    template<class K>
    [[nodiscard]] std::uint32_t among_many(K const& k, std::uint32_t h) const
    {
        auto const mask = cells_.size() - 1;
        for (std::size_t i = h & mask;; i = (i + 1) & mask) {
            auto const c = cells_[i];
            if (c.id == none || (c.hash == h && same(slots_[c.id].key, k)))
                return c.id;
        }
    }

    /// A slot that holds `k`. The free one at hand is filled before it is taken, since a copy may throw.
    template<class K>
    std::uint32_t take(K&& k)
    {
        if (free_ == none) {
            slots_.emplace(std::forward<K>(k));
            return slots_.size() - 1;
        }
        auto& s = slots_[free_];
        if constexpr (std::same_as<Key, std::string> && std::same_as<K, std::string const&>) {
            assign_text(s.key, k);
        } else if constexpr (std::is_assignable_v<Key&, K&&>) {
            s.key = std::forward<K>(k);
        } else {
            Key made(std::forward<K>(k));
            std::destroy_at(&s.key);
            std::construct_at(&s.key, std::move(made));
        }
        return std::exchange(free_, std::exchange(s.data.place, 0));
    }

    void insert(cell c) noexcept
    {
        auto const mask = cells_.size() - 1;
        auto i = c.hash & mask;
        while (cells_[i].id != none)
            i = (i + 1) & mask;
        cells_[i] = c;
    }
    void begin_hashing()
    {
        std::array<cell, few> old;
        for (std::uint32_t i = 0; i < size_; ++i) {
            old[i] = {hash(slots_[cells_[i].id].key), cells_[i].id};
            slots_[old[i].id].data.place = old[i].hash;
        }
        if (cells_.size() < 4 * few)
            cells_.resize(4 * few);
        for (std::uint32_t i = 0; i < size_; ++i)
            cells_[i] = {};
        for (std::uint32_t i = 0; i < size_; ++i)
            insert(old[i]);
        hashed_ = true;
    }
    void grow()
    {
        std::vector<cell> old(cells_.size() * 2);
        old.swap(cells_);
        for (auto const c : old)
            if (c.id != none)
                insert(c);
    }
    /// Closes the gap, so that no mark of what was deleted is needed.
    void erase_hashed(std::uint32_t id) noexcept
    {
        auto const mask = cells_.size() - 1;
        std::size_t gap = slots_[id].data.place & mask;
        while (cells_[gap].id != id)
            gap = (gap + 1) & mask;
        for (auto i = (gap + 1) & mask; cells_[i].id != none; i = (i + 1) & mask)
            if (((i - cells_[i].hash) & mask) >= ((i - gap) & mask)) {
                cells_[gap] = cells_[i];
                gap = i;
            }
        cells_[gap].id = none;
    }

    slab<slot> slots_{};
    std::vector<cell> cells_{};
    std::uint32_t size_ = 0;
    std::uint32_t free_ = none;
    std::uint32_t found_ = 0;  ///< the slot found last
    bool hashed_ = false;
    [[no_unique_address]] Hash hash_{};
};

}  // namespace detail

template<class Key>
struct key_hash {
    [[nodiscard]] std::size_t operator()(Key const& k) const
    requires requires { std::hash<Key>{}(k); }
    {
        // Many standard hashes of numbers are the number itself.
        return detail::mixed(std::hash<Key>{}(k) ^ 0x94d049bb133111ebu, 0x9e3779b97f4a7c15u);
    }
};

template<class Key>
requires std::convertible_to<Key const&, std::string_view>
struct key_hash<Key> {
    [[nodiscard]] std::size_t operator()(std::string_view k) const noexcept
    {
        return detail::hash_of_text(k);
    }
};

}  // namespace podium::v0::reconcile
