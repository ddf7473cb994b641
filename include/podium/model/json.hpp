#pragma once
/// Reading JSON from strangers: every limit is checked before a value is built.
///
/// A tree of a hundred thousand levels parses well and then crashes whoever copies, writes or frees it; a
/// number too big for 64 bits silently becomes a double; of two members with one name the last wins. So the
/// text goes through an event parser (which does not recurse) that refuses all of these, and what comes out
/// is safe to handle recursively.

#include <podium/core/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::model {

using json = nlohmann::json;

/// What a document may cost.
struct limits {
    std::size_t depth = 64;  ///< lists and objects within each other
    std::size_t size_bytes = 3 * 1024 * 1024 / 2;
    std::size_t nodes = 100'000;  ///< values, each member and item counting
};

namespace detail {

/// A name out of a document as part of a path, short enough for a person.
inline void put_name(std::string& path, std::string_view name)
{
    constexpr std::size_t longest = 80;
    bool const plain = !name.empty() && name.find_first_of(".[]\"/ ") == std::string_view::npos;
    if (plain && !path.empty())
        path += '.';
    if (!plain)
        path += '[';
    path += name.substr(0, longest);
    if (name.size() > longest)
        path += "...";
    if (!plain)
        path += ']';
}

/// Builds a json tree from events: the SAX interface of nlohmann::json, also fed by other readers.
class tree_builder {
public:
    explicit tree_builder(limits const& allowed) : allowed_(allowed) {}

    bool null() { return put(nullptr); }
    bool boolean(bool value) { return put(value); }
    bool number_integer(std::int64_t value) { return put(value); }
    bool number_unsigned(std::uint64_t value) { return put(value); }
    bool number_float(double value, std::string const& text)
    {
        if (text.find_first_of(".eE") == std::string::npos)
            return fail(errc::invalid, "number out of range", true);
        return put(value);
    }
    bool string(std::string& value) { return put(std::move(value)); }
    bool binary(json::binary_t&) { return fail(errc::invalid, "binary values are not JSON", false); }

    bool start_object(std::size_t) { return open(json::object()); }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(json::array()); }
    bool end_array() { return close(); }

    bool key(std::string& name)
    {
        auto& top = open_.back();
        top.member = std::move(name);
        top.repeated = top.value->contains(top.member);
        if (top.repeated)
            errors_.push_back({errc::invalid, "given twice in one object", path(), {}});
        return errors_.size() < most_errors;
    }

    bool parse_error(std::size_t position, std::string const&, nlohmann::detail::exception const&)
    {
        position_ = position;
        errors_.push_back({errc::invalid, {}, {}, {}});
        malformed_ = true;
        return false;
    }

    bool fail(errc code, std::string message, bool go_on)
    {
        errors_.push_back({code, std::move(message), code == errc::exhausted ? std::string() : path(), {}});
        return go_on && put(nullptr);
    }

    /// Where the value stands that is being read.
    [[nodiscard]] std::string path() const
    {
        std::string out;
        for (auto const& level : open_) {
            bool const innermost = &level == &open_.back();
            if (level.value->is_object())
                put_name(out, level.member);
            else
                (out += '[') += std::to_string(level.value->size() - (innermost ? 0 : 1)) + ']';
        }
        return out;
    }

    [[nodiscard]] std::size_t depth() const noexcept { return open_.size(); }
    [[nodiscard]] std::vector<error>& errors() noexcept { return errors_; }
    [[nodiscard]] bool malformed() const noexcept { return malformed_; }
    [[nodiscard]] std::size_t position() const noexcept { return position_; }
    [[nodiscard]] json& root() noexcept { return root_; }

private:
    static constexpr std::size_t most_errors = 32;

    struct opened {
        json* value;
        std::string member{};
        bool repeated = false;
    };

    /// Where the next value goes; a repeated member's goes nowhere.
    json* place(json&& value)
    {
        if (open_.empty())
            return &(root_ = std::move(value));
        auto& top = open_.back();
        if (top.value->is_array())
            return &top.value->get_ref<json::array_t&>().emplace_back(std::move(value));
        if (top.repeated) {
            ignored_.push_back(std::make_unique<json>(std::move(value)));
            return ignored_.back().get();
        }
        return &(top.value->get_ref<json::object_t&>()[top.member] = std::move(value));
    }

    bool count()
    {
        if (++nodes_ <= allowed_.nodes)
            return true;
        return fail(
            errc::exhausted, "too many values, the limit is " + std::to_string(allowed_.nodes), false);
    }

    bool put(json value)
    {
        if (!count())
            return false;
        place(std::move(value));
        return true;
    }

    bool open(json value)
    {
        if (!count())
            return false;
        if (open_.size() >= allowed_.depth)
            return fail(
                errc::exhausted, "nested too deeply, the limit is " + std::to_string(allowed_.depth), false);
        json* const at = place(std::move(value));
        open_.push_back({at});
        return true;
    }

    bool close()
    {
        open_.pop_back();
        return true;
    }

    limits allowed_;
    json root_{};
    std::vector<opened> open_{};
    std::vector<std::unique_ptr<json>> ignored_{};
    std::vector<error> errors_{};
    std::size_t nodes_ = 0;
    std::size_t position_ = 0;
    bool malformed_ = false;
};

/// "line 3, column 7" of a position in a text.
inline std::string line_and_column(std::string_view text, std::size_t position)
{
    auto const before = text.substr(0, std::min(position, text.size()));
    auto const line = 1 + std::count(before.begin(), before.end(), '\n');
    auto const start = before.rfind('\n');
    auto const column = start == std::string_view::npos ? before.size() : before.size() - start - 1;
    return "line " + std::to_string(line) + ", column " + std::to_string(std::max<std::size_t>(1, column));
}

}  // namespace detail

/// Everything that is wrong with an object, each with its path.
using field_errors = std::vector<error>;

/// One error out of several: the first, with the others behind it. None of them must not happen.
[[nodiscard]] inline error joined(field_errors errors)
{
    error out = std::move(errors.front());
    for (std::size_t i = 1; i < errors.size(); ++i)
        out.add(std::move(errors[i]));
    return out;
}

/// One JSON value and nothing behind it. Errors: `invalid` (not JSON, with line and column; members given
/// twice; integers of more than 64 bits, with their path), `exhausted` (a limit). Linear, no recursion.
[[nodiscard]] inline result<json> parse_json(std::string_view text, limits const& allowed = {})
{
    if (text.size() > allowed.size_bytes)
        return error{errc::exhausted,
            "document of " + std::to_string(text.size()) + " bytes, the limit is " +
                std::to_string(allowed.size_bytes),
            {}, {}};
    detail::tree_builder builder(allowed);
    bool const complete = json::sax_parse(text.begin(), text.end(), &builder);
    if (builder.malformed()) {
        // The parser's own words may quote the text, which may be secret.
        auto& last = builder.errors().back();
        last.message = "not JSON: " + detail::line_and_column(text, builder.position());
        last.path = builder.path();
    }
    if (!complete || !builder.errors().empty())
        return joined(std::move(builder.errors()));
    return std::move(builder.root());
}

}  // namespace podium::v0::model
