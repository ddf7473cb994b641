#pragma once
/// boxed<T> and shared_list<T>: big, rarely changed parts of an object, shared by all of its copies.
///
/// A hundred thousand pods live in memory, made from a few templates and copied on each change of status.
/// Their containers, volumes and probes never differ, so copies share one immutable value, and changing one
/// means `edit()`, which first makes it our own. One pointer in size; a copy is one atomic increment.
///
/// `boxed<T>` reads like `std::optional<T const>`, `shared_list<T>` like `std::vector<T> const`. Different
/// copies may be used from different threads; one copy is as unsynchronised as any value.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <utility>
#include <vector>

namespace podium::inline v0::model {

/// None or one T, shared by copies until `edit()`.
template<class T>
class boxed {
public:
    using value_type = T;

    constexpr boxed() noexcept = default;
    boxed(T value) : held_(new node(std::move(value))) {}
    boxed(boxed const& other) noexcept : held_(other.held_)
    {
        if (held_)
            held_->users.fetch_add(1, std::memory_order_relaxed);
    }
    boxed(boxed&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
    boxed& operator=(boxed other) noexcept
    {
        std::swap(held_, other.held_);
        return *this;
    }
    ~boxed() { drop(); }

    [[nodiscard]] bool has_value() const noexcept { return held_ != nullptr; }
    explicit operator bool() const noexcept { return has_value(); }
    T const& operator*() const noexcept { return held_->value; }
    T const* operator->() const noexcept { return &held_->value; }

    /// The value to change: made when there is none, copied when others share it. Ask again after
    /// copying this box: the reference is to a value that the copy now shares.
    [[nodiscard]] T& edit()
    {
        if (!held_)
            held_ = new node(T{});
        else if (held_->users.load(std::memory_order_acquire) != 1)
            *this = boxed(held_->value);
        return held_->value;
    }

    void reset() noexcept
    {
        drop();
        held_ = nullptr;
    }

    /// The same value, not just an equal one: a quick way to see that nothing changed.
    [[nodiscard]] bool same_as(boxed const& other) const noexcept { return held_ == other.held_; }

    friend bool operator==(boxed const& a, boxed const& b)
    {
        return a.held_ == b.held_ || (a.held_ && b.held_ && a.held_->value == b.held_->value);
    }

private:
    struct node {
        explicit node(T v) : value(std::move(v)) {}
        std::atomic<std::uint32_t> users{1};
        T value;
    };

    void drop() noexcept
    {
        if (held_ && held_->users.fetch_sub(1, std::memory_order_acq_rel) == 1)
            delete held_;
    }

    node* held_ = nullptr;
};

/// A list, shared by copies until `edit()`. Reading never copies: iterators are const.
template<class T>
class shared_list {
public:
    using value_type = T;
    using const_iterator = typename std::vector<T>::const_iterator;
    using iterator = const_iterator;
    using size_type = std::size_t;

    shared_list() noexcept = default;
    shared_list(std::vector<T> items)
    {
        if (!items.empty())
            items_ = boxed<std::vector<T>>(std::move(items));
    }
    shared_list(std::initializer_list<T> items) : shared_list(std::vector<T>(items)) {}

    [[nodiscard]] std::vector<T> const& items() const noexcept
    {
        static std::vector<T> const none;
        return items_ ? *items_ : none;
    }
    [[nodiscard]] const_iterator begin() const noexcept { return items().begin(); }
    [[nodiscard]] const_iterator end() const noexcept { return items().end(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_ ? items_->size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    T const& operator[](std::size_t i) const noexcept { return (*items_)[i]; }
    [[nodiscard]] T const& front() const noexcept { return (*this)[0]; }
    [[nodiscard]] T const& back() const noexcept { return (*this)[size() - 1]; }

    /// The list to change; copied first when others share it (see `boxed::edit`).
    [[nodiscard]] std::vector<T>& edit() { return items_.edit(); }
    void push_back(T item) { edit().push_back(std::move(item)); }
    void clear() noexcept { items_.reset(); }

    [[nodiscard]] bool same_as(shared_list const& other) const noexcept
    {
        return items_.same_as(other.items_);
    }

    friend bool operator==(shared_list const& a, shared_list const& b)
    {
        return a.items_.same_as(b.items_) || a.items() == b.items();
    }

private:
    boxed<std::vector<T>> items_{};
};

}  // namespace podium::v0::model
