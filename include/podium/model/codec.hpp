#pragma once
/// The one codec: described structs from JSON and back, strictly.
///
/// `decode` refuses what it does not know (unknown fields, wrong types, numbers out of range, missing
/// required fields) and reports all of it at once, each with its path. `encode` leaves out what has its
/// initial value, so that `decode(encode(x)) == x` for every x, and texts stay as short as people write them.
/// A JSON null reads as absent.
///
/// Types join as `describe.hpp` says. A struct becomes a table of its members, which one plain function
/// walks: a kind costs a compiler little, and decoding a few indirect calls. Recursion follows types, never
/// the depth of the input.

#include <podium/core/int_or_percent.hpp>
#include <podium/core/quantity.hpp>
#include <podium/model/boxed.hpp>
#include <podium/model/describe.hpp>
#include <podium/model/int_or_string.hpp>
#include <podium/model/json.hpp>

#include <array>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>
#include <concepts>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <type_traits>

namespace podium::inline v0::model {

namespace detail {
template<class T>
struct codec_for;
struct json_sink;
struct text_sink;
}  // namespace detail

/// A type that `decode` and `encode` know: a scalar, a described struct or enum, a value with
/// `from_text`/`to_text`, or an optional, boxed, list or map<string, ...> of such.
template<class T>
concept Codable = requires { detail::codec_for<T>::table.decode; };

/// The object that a JSON value describes. Errors: `invalid` for each field, up to 100. O(size).
template<Codable T>
[[nodiscard]] result<T> decode(json const& value);

/// The same from text: `parse_json`, then `decode`.
template<Codable T>
[[nodiscard]] result<T> decode_text(std::string_view text, limits const& allowed = {});

/// Compact JSON text, members in the order of the description; kinds begin with apiVersion and kind. Bytes
/// that are not UTF-8 are written as U+FFFD. O(size).
template<Codable T>
[[nodiscard]] std::string encode(T const& value);

/// The same as a tree.
template<Codable T>
[[nodiscard]] json to_json(T const& value);

namespace detail {

// -- Names ---------------------------------------------------------------------------------------

struct json_key {
    char text[96]{};
    std::size_t size = 0;
    constexpr void put(char c) { text[size++] = c; }
    [[nodiscard]] constexpr std::string_view view() const { return {text, size}; }
};

constexpr char upper(char c) noexcept
{
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

constexpr bool is_acronym(std::string_view part) noexcept
{
    for (std::string_view const known : {"ip", "id", "api", "cidr", "pid", "ipc", "uuid"})
        if (part == known)
            return true;
    return false;
}

/// snake_case to camelCase; `first_upper` for enumerators.
constexpr json_key camel_case(std::string_view name, bool first_upper)
{
    json_key out;
    bool first = true;
    while (!name.empty()) {
        auto const end = std::min(name.find('_'), name.size());
        auto part = name.substr(0, end);
        name.remove_prefix(std::min(end + 1, name.size()));
        bool const plural =
            !first && part.size() > 1 && part.back() == 's' && is_acronym(part.substr(0, part.size() - 1));
        bool const acronym = !first && (plural || is_acronym(part));
        for (std::size_t i = 0; i < part.size(); ++i) {
            bool const capital =
                acronym ? !(plural && i + 1 == part.size()) : i == 0 && (!first || first_upper);
            out.put(capital ? upper(part[i]) : part[i]);
        }
        first = false;
    }
    return out;
}

template<class T>
constexpr json_key member_key(std::string_view member)
{
    if constexpr (requires { json_name(static_cast<T const*>(nullptr), member); }) {
        std::string_view const special = json_name(static_cast<T const*>(nullptr), member);
        if (!special.empty()) {
            json_key out;
            for (char const c : special)
                out.put(c);
            return out;
        }
    }
    return camel_case(member, false);
}

template<class E>
constexpr json_key enumerator_key(E value, std::string_view enumerator)
{
    if constexpr (requires { json_name(value); }) {
        std::string_view const special = json_name(value);
        if (!special.empty()) {
            json_key out;
            for (char const c : special)
                out.put(c);
            return out;
        }
    }
    return camel_case(enumerator, true);
}

// -- Where we are, and what went wrong -------------------------------------------------------------

/// A path is a linked list on the stack: it costs nothing until there is an error.
struct place {
    place const* up = nullptr;
    std::string_view name{};
    std::size_t index = no_index;
    bool map_key = false;

    static constexpr std::size_t no_index = static_cast<std::size_t>(-1);

    [[nodiscard]] std::string path() const
    {
        std::vector<place const*> chain;
        for (auto const* p = this; p; p = p->up)
            chain.push_back(p);
        std::string out;
        for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
            if ((*it)->index != no_index)
                (out += '[') += std::to_string((*it)->index) + ']';
            else if ((*it)->map_key || !(*it)->name.empty())
                put_name(out, (*it)->name);
        }
        return out;
    }
};

struct findings {
    static constexpr std::size_t most_errors = 100;

    std::vector<error> errors{};

    [[nodiscard]] bool full() const noexcept { return errors.size() >= most_errors; }
    void fail(place const& at, std::string message)
    {
        if (!full())
            errors.push_back({errc::invalid, std::move(message), at.path(), {}});
    }
};

inline std::string_view type_words(json const& value) noexcept
{
    switch (value.type()) {
    case json::value_t::null: return "nothing";
    case json::value_t::object: return "an object";
    case json::value_t::array: return "a list";
    case json::value_t::string: return "a string";
    case json::value_t::boolean: return "a boolean";
    case json::value_t::number_float: return "a fraction";
    case json::value_t::number_integer:
    case json::value_t::number_unsigned: return "an integer";
    default: return "something else";
    }
}

inline void fail_type(findings& d, place const& at, std::string_view wanted, json const& found)
{
    d.fail(at, "expected " + std::string(wanted) + ", found " + std::string(type_words(found)));
}

// -- Writing ---------------------------------------------------------------------------------------

/// Where encoded values go: text or a tree.
struct sink {
    virtual void null() = 0;
    virtual void boolean(bool) = 0;
    virtual void integer(std::int64_t) = 0;
    virtual void natural(std::uint64_t) = 0;
    virtual void fraction(double) = 0;
    virtual void string(std::string_view) = 0;
    virtual void tree(json const&) = 0;
    virtual void begin_object() = 0;
    virtual void key(std::string_view) = 0;
    virtual void end_object() = 0;
    virtual void begin_list() = 0;
    virtual void item() = 0;
    virtual void end_list() = 0;

protected:
    ~sink() = default;
};

/// The length of the UTF-8 sequence that begins here; 0 when there is none.
inline std::size_t utf8_length(std::string_view s) noexcept
{
    auto const byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
    auto const tail = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    unsigned const b = byte(0);
    if (b < 0x80)
        return 1;
    if (b >= 0xC2 && b < 0xE0)
        return tail(1) ? 2 : 0;
    if (b >= 0xE0 && b < 0xF0) {
        bool const fits = !(b == 0xE0 && byte(1) < 0xA0) && !(b == 0xED && byte(1) > 0x9F);
        return fits && tail(1) && tail(2) ? 3 : 0;
    }
    if (b >= 0xF0 && b < 0xF5) {
        bool const fits = !(b == 0xF0 && byte(1) < 0x90) && !(b == 0xF4 && byte(1) > 0x8F);
        return fits && tail(1) && tail(2) && tail(3) ? 4 : 0;
    }
    return 0;
}

inline void put_text(std::string& out, std::string_view s)
{
    static constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    while (!s.empty()) {
        auto const c = static_cast<unsigned char>(s.front());
        std::size_t length = 1;
        if (c == '"' || c == '\\')
            (out += '\\') += s.front();
        else if (c == '\n')
            out += "\\n";
        else if (c == '\r')
            out += "\\r";
        else if (c == '\t')
            out += "\\t";
        else if (c < 0x20)
            ((out += "\\u00") += hex[c >> 4]) += hex[c & 15];
        else if (c < 0x80)
            out += s.front();
        else if (length = utf8_length(s); length != 0)
            out += s.substr(0, length);
        else {
            out += "\xEF\xBF\xBD";
            length = 1;
        }
        s.remove_prefix(length);
    }
    out += '"';
}

struct text_sink final : sink {
    std::string out{};
    bool first = true;

    void comma()
    {
        if (!first)
            out += ',';
        first = false;
    }
    void null() override { out += "null"; }
    void boolean(bool v) override { out += v ? "true" : "false"; }
    void integer(std::int64_t v) override { out += std::to_string(v); }
    void natural(std::uint64_t v) override { out += std::to_string(v); }
    void fraction(double v) override { out += json(v).dump(); }
    void string(std::string_view v) override { put_text(out, v); }
    void tree(json const& v) override { out += v.dump(-1, ' ', false, json::error_handler_t::replace); }
    void begin_object() override { out += '{', first = true; }
    void key(std::string_view name) override
    {
        comma();
        put_text(out, name);
        out += ':';
    }
    void end_object() override { out += '}', first = false; }
    void begin_list() override { out += '[', first = true; }
    void item() override { comma(); }
    void end_list() override { out += ']', first = false; }
};

struct json_sink final : sink {
    json root{};
    std::vector<json*> open{};
    json* next = &root;

    void null() override { *next = nullptr; }
    void boolean(bool v) override { *next = v; }
    void integer(std::int64_t v) override
    {
        if (v >= 0)  // as the parser does, so that trees from text and from structs are alike
            *next = static_cast<std::uint64_t>(v);
        else
            *next = v;
    }
    void natural(std::uint64_t v) override { *next = v; }
    void fraction(double v) override { *next = v; }
    void string(std::string_view v) override { *next = std::string(v); }
    void tree(json const& v) override { *next = v; }
    void begin_object() override { *next = json::object(), open.push_back(next); }
    void key(std::string_view name) override { next = &(*open.back())[std::string(name)]; }
    void end_object() override { open.pop_back(); }
    void begin_list() override { *next = json::array(), open.push_back(next); }
    void item() override { next = &open.back()->get_ref<json::array_t&>().emplace_back(); }
    void end_list() override { open.pop_back(); }
};

// -- Tables: what the walkers know of a type ------------------------------------------------------

struct value_codec {
    void (*decode)(json const&, void* out, place const&, findings&) = nullptr;
    void (*encode)(void const*, sink&) = nullptr;
    bool (*equal)(void const*, void const*) = nullptr;
};

struct member_codec {
    json_key key{};
    bool required = false;
    bool always = false;
    void* (*get)(void*) = nullptr;
    value_codec const* value = nullptr;
};

struct struct_codec {
    std::span<member_codec const> members{};
    std::string_view api_version{};  ///< of kinds
    std::string_view kind{};
    void const* initial = nullptr;  ///< an object with every initial value
};

/// Changes of one letter, a swap or a letter more or less: is it a slip of the pen? O(n).
inline bool nearly(std::string_view a, std::string_view b) noexcept
{
    auto const lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (a.size() > b.size())
        std::swap(a, b);
    if (b.size() < 3 || b.size() - a.size() > 1)
        return false;
    while (!a.empty() && lower(a.front()) == lower(b.front()))
        a.remove_prefix(1), b.remove_prefix(1);
    while (!a.empty() && lower(a.back()) == lower(b.back()))
        a.remove_suffix(1), b.remove_suffix(1);
    return b.size() <= 1 ||
        (a.size() == 2 && b.size() == 2 && lower(a[0]) == lower(b[1]) && lower(a[1]) == lower(b[0]));
}

inline void fail_unknown(struct_codec const& type, std::string_view key, place const& at, findings& d)
{
    std::string message = "unknown field";
    for (auto const& member : type.members)
        if (nearly(key, member.key.view())) {
            ((message += ", did you mean \"") += member.key.view()) += "\"?";
            break;
        }
    d.fail(place{&at, key}, std::move(message));
}

inline void check_name(
    json const& value, std::string_view key, std::string_view wanted, place const& at, findings& d)
{
    if (!value.is_string() || value.get_ref<std::string const&>() != wanted)
        d.fail(place{&at, key}, "expected \"" + std::string(wanted) + '"');
}

inline void decode_struct(
    struct_codec const& type, json const& value, void* out, place const& at, findings& d)
{
    if (!value.is_object())
        return fail_type(d, at, "an object", value);
    std::size_t known = 0;
    for (auto const& member : type.members) {
        auto const found = value.find(member.key.view());
        bool const given = found != value.end();
        known += given;
        place const here{&at, member.key.view()};
        if (given && !found->is_null())
            member.value->decode(*found, member.get(out), here, d);
        else if (member.required)
            d.fail(here, "required");
    }
    if (!type.kind.empty()) {
        if (auto const found = value.find("apiVersion"); found != value.end())
            check_name(*found, "apiVersion", type.api_version, at, d), ++known;
        if (auto const found = value.find("kind"); found != value.end())
            check_name(*found, "kind", type.kind, at, d), ++known;
    }
    if (known == value.size())
        return;
    for (auto const& item : value.get_ref<json::object_t const&>()) {
        std::string_view const key = item.first;
        bool found = !type.kind.empty() && (key == "apiVersion" || key == "kind");
        for (auto const& member : type.members)
            found = found || member.key.view() == key;
        if (!found && d.full())
            return;
        if (!found)
            fail_unknown(type, key, at, d);
    }
}

inline void encode_struct(struct_codec const& type, void const* value, sink& to)
{
    to.begin_object();
    if (!type.kind.empty()) {
        to.key("apiVersion");
        to.string(type.api_version);
        to.key("kind");
        to.string(type.kind);
    }
    for (auto const& member : type.members) {
        // `get` takes and gives mutable pointers for decoding's sake; nothing is written here.
        void const* const field = member.get(const_cast<void*>(value));
        void const* const initial = member.get(const_cast<void*>(type.initial));
        if (!member.always && member.value->equal(field, initial))
            continue;
        to.key(member.key.view());
        member.value->encode(field, to);
    }
    to.end_object();
}

// -- One codec for each shape of type --------------------------------------------------------------

namespace describe = boost::describe;

template<class T>
concept DescribedStruct = describe::has_describe_members<T>::value && !std::is_union_v<T>;
template<class T>
concept DescribedEnum = describe::has_describe_enumerators<T>::value;
template<class T>
concept Textual = requires(std::string_view text, T& out, T const& in) {
    { from_text(text, out) } -> std::same_as<bool>;
    { to_text(in) } -> std::convertible_to<std::string>;
};

/// `kind` and `api_version` as static members: not an object reference, which has them as fields.
template<class T>
concept NamedKind = requires {
    { &T::kind } -> std::convertible_to<std::string_view const*>;
    { &T::api_version } -> std::convertible_to<std::string_view const*>;
};

template<class T, class Impl>
struct codec_base {
    static void decode(json const& j, void* out, place const& at, findings& d)
    {
        Impl::read(j, *static_cast<T*>(out), at, d);
    }
    static void encode(void const* in, sink& to) { Impl::write(*static_cast<T const*>(in), to); }
    static bool equal(void const* a, void const* b)
    {
        return *static_cast<T const*>(a) == *static_cast<T const*>(b);
    }
    static constexpr value_codec table{&decode, &encode, &equal};
};

template<>
struct codec_for<bool> : codec_base<bool, codec_for<bool>> {
    static void read(json const& j, bool& out, place const& at, findings& d)
    {
        if (!j.is_boolean())
            return fail_type(d, at, "true or false", j);
        out = j.get<bool>();
    }
    static void write(bool v, sink& to) { to.boolean(v); }
};

template<std::integral T>
struct codec_for<T> : codec_base<T, codec_for<T>> {
    static void read(json const& j, T& out, place const& at, findings& d)
    {
        bool fits = false;
        if (j.is_number_unsigned()) {
            auto const v = j.get<std::uint64_t>();
            fits = v <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
            out = fits ? static_cast<T>(v) : out;
        } else if (j.is_number_integer()) {
            auto const v = j.get<std::int64_t>();
            fits = v < 0
                ? std::is_signed_v<T> && v >= static_cast<std::int64_t>(std::numeric_limits<T>::min())
                : static_cast<std::uint64_t>(v) <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
            out = fits ? static_cast<T>(v) : out;
        } else {
            return fail_type(d, at, "an integer", j);
        }
        if (!fits)
            d.fail(at,
                "out of range, must be from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                    std::to_string(std::numeric_limits<T>::max()));
    }
    static void write(T v, sink& to)
    {
        if constexpr (std::is_signed_v<T>)
            to.integer(v);
        else
            to.natural(v);
    }
};

template<>
struct codec_for<double> : codec_base<double, codec_for<double>> {
    static void read(json const& j, double& out, place const& at, findings& d)
    {
        if (!j.is_number())
            return fail_type(d, at, "a number", j);
        out = j.get<double>();
    }
    static void write(double v, sink& to) { to.fraction(v); }
};

template<>
struct codec_for<std::string> : codec_base<std::string, codec_for<std::string>> {
    static void read(json const& j, std::string& out, place const& at, findings& d)
    {
        if (!j.is_string())
            return fail_type(d, at, "a string", j);
        out = j.get_ref<std::string const&>();
    }
    static void write(std::string const& v, sink& to) { to.string(v); }
};

template<>
struct codec_for<json> : codec_base<json, codec_for<json>> {
    static void read(json const& j, json& out, place const&, findings&) { out = j; }
    static void write(json const& v, sink& to) { to.tree(v); }
};

template<>
struct codec_for<int_or_string> : codec_base<int_or_string, codec_for<int_or_string>> {
    static void read(json const& j, int_or_string& out, place const& at, findings& d)
    {
        if (j.is_string()) {
            out = int_or_string(j.get_ref<std::string const&>());
        } else if (j.is_number_integer()) {
            std::int32_t number = 0;
            codec_for<std::int32_t>::read(j, number, at, d);
            out = int_or_string(number);
        } else {
            fail_type(d, at, "an integer or a string", j);
        }
    }
    static void write(int_or_string const& v, sink& to)
    {
        if (v.is_number())
            to.integer(v.number());
        else
            to.string(v.name());
    }
};

template<Textual T>
struct codec_for<T> : codec_base<T, codec_for<T>> {
    static void read(json const& j, T& out, place const& at, findings& d)
    {
        if (!j.is_string())
            return fail_type(d, at, "a string", j);
        if (!from_text(j.get_ref<std::string const&>(), out))
            d.fail(at, "malformed");
    }
    static void write(T const& v, sink& to) { to.string(to_text(v)); }
};

/// An amount may be written as a plain number: `cpu: 2`, `cpu: 0.5`.
template<>
struct codec_for<quantity> : codec_base<quantity, codec_for<quantity>> {
    static void read(json const& j, quantity& out, place const& at, findings& d)
    {
        if (!j.is_string() && !j.is_number())
            return fail_type(d, at, "a number or a string", j);
        auto parsed = quantity::parse(j.is_string() ? j.get_ref<std::string const&>() : j.dump());
        if (parsed)
            out = *parsed;
        else
            d.fail(at, parsed.error().message);
    }
    static void write(quantity const& v, sink& to) { to.string(to_string(v)); }
};

template<>
struct codec_for<int_or_percent> : codec_base<int_or_percent, codec_for<int_or_percent>> {
    static void read(json const& j, int_or_percent& out, place const& at, findings& d)
    {
        if (j.is_string()) {
            auto parsed = int_or_percent::parse_percent(j.get_ref<std::string const&>());
            if (parsed)
                out = *parsed;
            else
                d.fail(at, parsed.error().message);
        } else if (j.is_number_integer()) {
            std::int32_t number = 0;
            codec_for<std::int32_t>::read(j, number, at, d);
            out = int_or_percent(number);
        } else {
            fail_type(d, at, "an integer or a percentage", j);
        }
    }
    static void write(int_or_percent const& v, sink& to)
    {
        if (v.is_percent())
            to.string(to_string(v));
        else
            to.integer(v.value);
    }
};

template<DescribedEnum T>
struct codec_for<T> : codec_base<T, codec_for<T>> {
    struct enumerator {
        T value{};
        json_key key{};
    };
    template<template<class...> class List, class... D>
    static constexpr std::array<enumerator, sizeof...(D)> enumerators_of(List<D...>)
    {
        return {enumerator{D::value, enumerator_key(D::value, D::name)}...};
    }
    static constexpr auto enumerators = enumerators_of(describe::describe_enumerators<T>{});

    static void read(json const& j, T& out, place const& at, findings& d)
    {
        if (!j.is_string())
            return fail_type(d, at, "a string", j);
        for (auto const& e : enumerators)
            if (e.key.view() == j.get_ref<std::string const&>()) {
                out = e.value;
                return;
            }
        std::string message = "expected one of";
        for (auto const& e : enumerators)
            ((message += &e == enumerators.data() ? " \"" : ", \"") += e.key.view()) += '"';
        d.fail(at, std::move(message));
    }
    static constexpr std::string_view text(T v) noexcept
    {
        for (auto const& e : enumerators)
            if (e.value == v)
                return e.key.view();
        return {};
    }
    static void write(T v, sink& to) { to.string(text(v)); }
};

template<class T>
struct codec_for<std::optional<T>> : codec_base<std::optional<T>, codec_for<std::optional<T>>> {
    static void read(json const& j, std::optional<T>& out, place const& at, findings& d)
    {
        if (!j.is_null())
            codec_for<T>::read(j, out.emplace(), at, d);
    }
    static void write(std::optional<T> const& v, sink& to)
    {
        if (v)
            codec_for<T>::write(*v, to);
        else
            to.null();
    }
};

template<class T>
struct codec_for<boxed<T>> : codec_base<boxed<T>, codec_for<boxed<T>>> {
    static void read(json const& j, boxed<T>& out, place const& at, findings& d)
    {
        if (j.is_null())
            return;
        T value{};
        codec_for<T>::read(j, value, at, d);
        out = std::move(value);
    }
    static void write(boxed<T> const& v, sink& to)
    {
        if (v)
            codec_for<T>::write(*v, to);
        else
            to.null();
    }
};

template<class T>
struct codec_for<std::vector<T>> : codec_base<std::vector<T>, codec_for<std::vector<T>>> {
    static void read(json const& j, std::vector<T>& out, place const& at, findings& d)
    {
        if (!j.is_array())
            return fail_type(d, at, "a list", j);
        out.clear();
        out.reserve(j.size());
        for (std::size_t i = 0; i < j.size() && !d.full(); ++i) {
            T value{};
            codec_for<T>::read(j[i], value, place{&at, {}, i}, d);
            out.push_back(std::move(value));
        }
    }
    static void write(std::vector<T> const& v, sink& to)
    {
        to.begin_list();
        for (auto const& item : v) {
            to.item();
            codec_for<T>::write(item, to);
        }
        to.end_list();
    }
};

template<class T>
struct codec_for<shared_list<T>> : codec_base<shared_list<T>, codec_for<shared_list<T>>> {
    static void read(json const& j, shared_list<T>& out, place const& at, findings& d)
    {
        std::vector<T> items;
        codec_for<std::vector<T>>::read(j, items, at, d);
        out = shared_list<T>(std::move(items));
    }
    static void write(shared_list<T> const& v, sink& to) { codec_for<std::vector<T>>::write(v.items(), to); }
};

template<class T>
struct codec_for<std::map<std::string, T>>
    : codec_base<std::map<std::string, T>, codec_for<std::map<std::string, T>>> {
    static void read(json const& j, std::map<std::string, T>& out, place const& at, findings& d)
    {
        if (!j.is_object())
            return fail_type(d, at, "a map", j);
        out.clear();
        for (auto const& item : j.get_ref<json::object_t const&>()) {
            if (d.full())
                return;
            T value{};
            codec_for<T>::read(item.second, value, place{&at, item.first, place::no_index, true}, d);
            out.emplace_hint(out.end(), item.first, std::move(value));
        }
    }
    static void write(std::map<std::string, T> const& v, sink& to)
    {
        to.begin_object();
        for (auto const& [key, value] : v) {
            to.key(key);
            codec_for<T>::write(value, to);
        }
        to.end_object();
    }
};

/// A struct's table; from here everything below the struct is compiled. Not inline, so that another unit may
/// have it, and no member of the codec: g++ 12 calls one that stands elsewhere undefined.
template<class T>
struct_codec const& table_of();

template<DescribedStruct T>
requires(!Textual<T>)
struct codec_for<T> : codec_base<T, codec_for<T>> {
    template<class D>
    static void* member_of(void* object)
    {
        return &(static_cast<T*>(object)->*D::pointer);
    }
    template<class D>
    static constexpr member_codec member_table()
    {
        using value = std::remove_cvref_t<decltype(std::declval<T&>().*D::pointer)>;
        static_assert(Codable<value>,
            "describe this member's type with BOOST_DESCRIBE_STRUCT, or give it from_text/to_text");
        member_codec m{member_key<T>(D::name), false, false, &member_of<D>, &codec_for<value>::table};
        if constexpr (requires { required(static_cast<T const*>(nullptr), std::string_view{}); })
            m.required = required(static_cast<T const*>(nullptr), D::name);
        if constexpr (requires { always(static_cast<T const*>(nullptr), std::string_view{}); })
            m.always = always(static_cast<T const*>(nullptr), D::name);
        m.always = m.always || m.required;
        return m;
    }
    template<template<class...> class List, class... D>
    static constexpr std::array<member_codec, sizeof...(D)> members_of(List<D...>)
    {
        return {member_table<D>()...};
    }

    static void read(json const& j, T& out, place const& at, findings& d)
    {
        decode_struct(table_of<T>(), j, &out, at, d);
    }
    static void write(T const& v, sink& to) { encode_struct(table_of<T>(), &v, to); }
};

template<class T>
struct_codec const& table_of()
{
    static constexpr auto members = codec_for<T>::members_of(
        describe::describe_members < T, describe::mod_public | describe::mod_inherited > {});
    static T const initial{};
    static struct_codec const it = [] {
        struct_codec s{members, {}, {}, &initial};
        if constexpr (NamedKind<T>) {
            s.kind = T::kind;
            s.api_version = T::api_version;
        }
        return s;
    }();
    return it;
}

}  // namespace detail

template<Codable T>
result<T> decode(json const& value)
{
    T out{};
    detail::findings d;
    detail::codec_for<T>::read(value, out, detail::place{}, d);
    if (!d.errors.empty())
        return joined(std::move(d.errors));
    return out;
}

template<Codable T>
result<T> decode_text(std::string_view text, limits const& allowed)
{
    return parse_json(text, allowed).and_then([](json const& value) { return decode<T>(value); });
}

template<Codable T>
std::string encode(T const& value)
{
    detail::text_sink to;
    detail::codec_for<T>::write(value, to);
    return std::move(to.out);
}

template<Codable T>
json to_json(T const& value)
{
    detail::json_sink to;
    detail::codec_for<T>::write(value, to);
    return std::move(to.root);
}

/// An enumerator as JSON spells it: text_of(restart_policy::on_failure) is "OnFailure".
template<detail::DescribedEnum E>
[[nodiscard]] constexpr std::string_view text_of(E value) noexcept
{
    return detail::codec_for<E>::text(value);
}

}  // namespace podium::v0::model
