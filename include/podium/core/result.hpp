#pragma once
/// result<T>: a value or an `error`, with std::expected's interface.
///
/// One type of our own whatever the language level, so that units compiled as C++20 and C++23 link.
/// `value()` on an error throws `bad_result`: a promise was broken. Input that is merely wrong is
/// branched on: `if (auto q = quantity::parse(text)) use(*q); else report(q.error());`
///
/// Source: the interface is std::expected's (C++23, [expected.object]), for one error type; what is given to
/// `and_then` and the like is called, so a pointer to a member is not taken (<functional> would cost more
/// than all of this).

#include <podium/core/assert.hpp>
#include <podium/core/error.hpp>

#include <concepts>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

namespace podium::inline v0 {

/// Thrown by `result::value()` when there is none.
class bad_result : public std::exception {
public:
    explicit bad_result(podium::error e) : error_(std::move(e)), what_(error_.text()) {}
    [[nodiscard]] char const* what() const noexcept override { return what_.c_str(); }
    [[nodiscard]] podium::error const& error() const noexcept { return error_; }

private:
    podium::error error_;
    std::string what_;
};

template<class T>
class result;

namespace detail {
template<class T>
inline constexpr bool is_result = false;
template<class T>
inline constexpr bool is_result<result<T>> = true;
}  // namespace detail

/// A value of T, or why there is none.
template<class T>
class [[nodiscard]] result {
public:
    using value_type = T;
    using error_type = podium::error;

    constexpr result()
    requires std::default_initializable<T>
        : held_(std::in_place_index<0>)
    {
    }

    template<class U = T>
    requires(!detail::is_result<std::remove_cvref_t<U>> &&
        !std::same_as<std::remove_cvref_t<U>, podium::error> && std::constructible_from<T, U>)
    constexpr explicit(!std::convertible_to<U, T>) result(U&& value)
        : held_(std::in_place_index<0>, std::forward<U>(value))
    {
    }

    result(podium::error e) : held_(std::in_place_index<1>, std::move(e)) {}

    [[nodiscard]] constexpr bool has_value() const noexcept { return held_.index() == 0; }
    constexpr explicit operator bool() const noexcept { return has_value(); }

    [[nodiscard]] T& value() & { return check(), **this; }
    [[nodiscard]] T const& value() const& { return check(), **this; }
    [[nodiscard]] T&& value() && { return check(), std::move(**this); }

    constexpr T& operator*() & noexcept { return *std::get_if<0>(&held_); }
    constexpr T const& operator*() const& noexcept { return *std::get_if<0>(&held_); }
    constexpr T&& operator*() && noexcept { return std::move(*std::get_if<0>(&held_)); }
    constexpr T* operator->() noexcept { return std::get_if<0>(&held_); }
    constexpr T const* operator->() const noexcept { return std::get_if<0>(&held_); }

    /// Asserted, not undefined, when there is a value.
    [[nodiscard]] podium::error& error() & { return stored_error(); }
    [[nodiscard]] podium::error const& error() const& { return const_cast<result&>(*this).stored_error(); }
    [[nodiscard]] podium::error&& error() && { return std::move(stored_error()); }

    template<class U>
    [[nodiscard]] constexpr T value_or(U&& other) const&
    {
        return has_value() ? **this : static_cast<T>(std::forward<U>(other));
    }
    template<class U>
    [[nodiscard]] constexpr T value_or(U&& other) &&
    {
        return has_value() ? std::move(**this) : static_cast<T>(std::forward<U>(other));
    }

    /// f(value) -> result<U>, or the error.
    template<class F>
    [[nodiscard]] constexpr auto and_then(
        F&& f) const& -> std::remove_cvref_t<std::invoke_result_t<F, T const&>>
    {
        if (has_value())
            return std::forward<F>(f)(**this);
        return error();
    }
    template<class F>
    [[nodiscard]] constexpr auto and_then(F&& f) && -> std::remove_cvref_t<std::invoke_result_t<F, T&&>>
    {
        if (has_value())
            return std::forward<F>(f)(std::move(**this));
        return std::move(*this).error();
    }

    /// f(value) -> U, wrapped, or the error.
    template<class F>
    [[nodiscard]] constexpr auto transform(
        F&& f) const& -> result<std::remove_cvref_t<std::invoke_result_t<F, T const&>>>
    {
        if (!has_value())
            return error();
        if constexpr (std::is_void_v<std::invoke_result_t<F, T const&>>) {
            std::forward<F>(f)(**this);
            return {};
        } else {
            return std::forward<F>(f)(**this);
        }
    }
    template<class F>
    [[nodiscard]] constexpr auto transform(
        F&& f) && -> result<std::remove_cvref_t<std::invoke_result_t<F, T&&>>>
    {
        if (!has_value())
            return std::move(*this).error();
        if constexpr (std::is_void_v<std::invoke_result_t<F, T&&>>) {
            std::forward<F>(f)(std::move(**this));
            return {};
        } else {
            return std::forward<F>(f)(std::move(**this));
        }
    }

    /// The value, or f(error) -> result<T>.
    template<class F>
    [[nodiscard]] constexpr result or_else(F&& f) const&
    {
        return has_value() ? *this : static_cast<result>(std::forward<F>(f)(error()));
    }

    friend constexpr bool operator==(result const&, result const&) = default;
    template<class U>
    requires(!detail::is_result<U> && !std::same_as<U, podium::error>)
    friend constexpr bool operator==(result const& r, U const& value)
    {
        return r.has_value() && *r == value;
    }

private:
    void check() const
    {
        if (!has_value())
            throw bad_result(*std::get_if<1>(&held_));
    }
    podium::error& stored_error()
    {
        PODIUM_ASSERT(!has_value());
        return *std::get_if<1>(&held_);
    }

    std::variant<T, podium::error> held_;
};

/// Done, or why not.
template<>
class [[nodiscard]] result<void> {
public:
    using value_type = void;
    using error_type = podium::error;

    result() = default;
    result(podium::error e) : error_(std::move(e)) {}

    [[nodiscard]] bool has_value() const noexcept { return !error_; }
    explicit operator bool() const noexcept { return has_value(); }
    void value() const
    {
        if (error_)
            throw bad_result(*error_);
    }
    [[nodiscard]] podium::error const& error() const&
    {
        PODIUM_ASSERT(error_.has_value());
        return *error_;
    }
    [[nodiscard]] podium::error&& error() &&
    {
        PODIUM_ASSERT(error_.has_value());
        return std::move(*error_);
    }

    template<class F>
    [[nodiscard]] auto and_then(F&& f) const -> std::remove_cvref_t<std::invoke_result_t<F>>
    {
        if (has_value())
            return std::forward<F>(f)();
        return *error_;
    }
    template<class F>
    [[nodiscard]] auto transform(F&& f) const -> result<std::remove_cvref_t<std::invoke_result_t<F>>>
    {
        if (error_)
            return *error_;
        if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
            std::forward<F>(f)();
            return {};
        } else {
            return std::forward<F>(f)();
        }
    }
    template<class F>
    [[nodiscard]] result or_else(F&& f) const
    {
        return error_ ? static_cast<result>(std::forward<F>(f)(*error_)) : *this;
    }

    friend bool operator==(result const&, result const&) = default;

private:
    std::optional<podium::error> error_{};
};

}  // namespace podium::v0
