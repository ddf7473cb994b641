#pragma once
/// A number or a name: how ports are referred to ("targetPort: 8080", "targetPort: http").

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace podium::inline v0::model {

struct int_or_string {
    std::variant<std::int32_t, std::string> value{};

    int_or_string() = default;
    int_or_string(std::int32_t number) : value(number) {}
    int_or_string(std::string name) : value(std::move(name)) {}
    int_or_string(char const* name) : value(std::string(name)) {}

    [[nodiscard]] bool is_number() const noexcept { return value.index() == 0; }
    /// Asserts nothing: 0 when it is a name.
    [[nodiscard]] std::int32_t number() const noexcept { return is_number() ? *std::get_if<0>(&value) : 0; }
    /// Empty when it is a number.
    [[nodiscard]] std::string const& name() const noexcept
    {
        static std::string const none;
        return is_number() ? none : *std::get_if<1>(&value);
    }
    /// Neither a number but 0, nor a name: not given.
    [[nodiscard]] bool empty() const noexcept { return number() == 0 && name().empty(); }

    friend bool operator==(int_or_string const&, int_or_string const&) = default;
};

}  // namespace podium::v0::model
