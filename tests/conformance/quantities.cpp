// quantities.json: exact amounts.

#include "runner.hpp"

#include <podium/core/quantity.hpp>

#include <charconv>

namespace {

using namespace conformance;
using podium::quantity;
using podium::quantity_format;

// Kubernetes has two ways to hold an amount, and the one for long numbers has two defects that podium's
// quantity does not share. They are played here, on podium's exact value, so that these cases still compare
// everything else.
way const exponents{"quantities: an exponent wraps at 32 bits (podium: an error)"};
way const negatives{
    "quantities: negative amounts held as long numbers wrap at 64 bits and round towards zero plus one "
    "(podium: exact, away from zero)"};
way const suffixes{
    "quantities: a decimal amount of whole thousands of E prints without its suffix (podium: 1000E)"};

/// The canonical text as Kubernetes writes it.
std::string text_of(quantity const& q)
{
    auto text = to_string(q);
    if (!text.ends_with("000E"))
        return text;
    text.pop_back();
    while (text.ends_with("000"))
        text.resize(text.size() - 3);
    return text;
}

/// The text with its exponent as Kubernetes reads it.
std::string with_wrapped_exponent(std::string const& text)
{
    auto const e = text.find_first_of("eE");
    if (e == text.npos || e + 1 == text.size())
        return text;
    auto const from = e + 1 + (text[e + 1] == '+' ? 1 : 0);
    std::int64_t exponent = 0;
    auto const [end, failed] = std::from_chars(text.data() + from, text.data() + text.size(), exponent);
    if (failed != std::errc{} || end != text.data() + text.size())
        return text;
    return text.substr(0, e + 1) + std::to_string(static_cast<std::int32_t>(exponent));
}

podium::result<quantity> parsed(json const& text)
{
    return quantity::parse(with_wrapped_exponent(text.get<std::string>()));
}
quantity known(json const& text)
{
    return parsed(text).value();
}

/// Whether Kubernetes' parser leaves its 64-bit path for this text.
bool is_held_long(std::string text)
{
    text = with_wrapped_exponent(text);
    if (text.starts_with('-') || text.starts_with('+'))
        text.erase(0, 1);
    auto const number = text.substr(0, text.find_first_not_of("0123456789."));
    auto const suffix = text.substr(number.size());
    auto const dot = std::min(number.find('.'), number.size());
    auto const zeros = std::min(number.find_first_not_of('0'), dot);
    auto const whole = static_cast<int>(std::max<std::size_t>(dot - zeros, 1));
    auto const fraction = static_cast<int>(number.size() - std::min(dot + 1, number.size()));
    if (auto const i = std::string("KMGTPE").find(suffix.substr(0, 1)); suffix.ends_with('i'))
        return fraction > 0 || 15 - whole - static_cast<int>(i + 1) * 3 - 1 < 0;
    int exponent = 0;
    if (auto const i = std::string("num kMGTPE").find(suffix); !suffix.empty() && i != std::string::npos)
        exponent = static_cast<int>(i) * 3 - 9;
    else if (!suffix.empty())
        exponent = std::stoi(suffix.substr(1));
    return whole + fraction > 18 || exponent - fraction < -9;
}

/// The number in units of 10^scale, as text; null outside of int64.
json scaled(quantity const& q, std::string const& text, int scale)
{
    auto const exact = q.checked_scaled_value(scale);
    if (!exact)
        return nullptr;
    if (q.sign() > 0 || !is_held_long(text))
        return std::to_string(*exact);
    // The digits and their exponent, brought to nano (or to whole numbers, where the amount was capped).
    auto const canonical = to_string(q.in(quantity_format::decimal_exponent));
    auto const e = std::min(canonical.find('e'), canonical.size());
    int exponent = e < canonical.size() ? std::stoi(canonical.substr(e + 1)) : 0;
    bool const capped = q.format() == quantity_format::binary_si && canonical == "-9223372036854775807";
    std::uint64_t unscaled = 0;
    for (char const c : canonical.substr(1, e - 1))
        unscaled = unscaled * 10 + static_cast<std::uint64_t>(c - '0');
    for (int const held = capped ? 0 : -9; exponent > held; --exponent)
        unscaled *= 10;
    auto const wrapped = static_cast<std::int64_t>(0 - unscaled);
    std::int64_t divisor = 1;
    for (int i = exponent; i < scale; ++i)
        divisor *= 10;
    if (exponent >= scale)
        return std::to_string(*exact);
    return std::to_string(wrapped / divisor + (wrapped % divisor != 0));
}

char const* name_of(quantity_format f)
{
    return f == quantity_format::decimal_si ? "DecimalSI"
        : f == quantity_format::binary_si   ? "BinarySI"
                                            : "DecimalExponent";
}
quantity_format format_of(std::string const& name)
{
    return name == "DecimalSI" ? quantity_format::decimal_si
        : name == "BinarySI"   ? quantity_format::binary_si
                               : quantity_format::decimal_exponent;
}

std::optional<mismatch> parse(json const& c)
{
    auto const text = c.at("input").get<std::string>();
    auto const q = parsed(text);
    json expected{{"ok", c.at("ok")}}, got{{"ok", q.has_value()}};
    if (q) {
        for (auto const* field : {"canonical", "format", "value", "milli_value", "sign"})
            expected[field] = c.at(field);
        got["canonical"] = text_of(*q);
        got["format"] = name_of(q->format());
        got["value"] = scaled(*q, text, 0);
        got["milli_value"] = scaled(*q, text, -3);
        got["sign"] = q->sign();
    }
    return unlike(expected, got);
}

std::optional<mismatch> compare(json const& c)
{
    auto const a = known(c.at("a")), b = known(c.at("b"));
    return unlike({{"result", c.at("result")}, {"equal", c.at("equal")}},
        {{"result",
             a < b       ? -1
                 : a > b ? 1
                         : 0},
            {"equal", a == b}});
}

std::optional<mismatch> sum(json const& c, podium::result<quantity> const& s)
{
    return unlike({{"result", c.at("result")}, {"format", c.at("format")}},
        s ? json{{"result", text_of(*s)}, {"format", name_of(s->format())}} : json(s.error().text()));
}
std::optional<mismatch> add(json const& c)
{
    return sum(c, known(c.at("a")).plus(known(c.at("b"))));
}
std::optional<mismatch> subtract(json const& c)
{
    return sum(c, known(c.at("a")).minus(known(c.at("b"))));
}

std::optional<mismatch> round_up(json const& c)
{
    auto const q = known(c.at("input")), r = q.round_up(c.at("scale").get<std::int32_t>());
    return unlike(
        {{"result", c.at("result")}, {"exact", c.at("exact")}}, {{"result", text_of(r)}, {"exact", r == q}});
}

std::optional<mismatch> scaled_value(json const& c)
{
    auto const text = c.at("input").get<std::string>();
    return unlike(c.at("result"), scaled(known(text), text, c.at("scale").get<int>()));
}

std::optional<mismatch> from_integer(json const& c)
{
    auto const q = quantity::from_integer(std::stoll(c.at("number").get<std::string>()),
        c.at("scale").get<std::int32_t>(), format_of(c.at("format").get<std::string>()));
    return unlike(c.at("canonical"), text_of(q));
}

// `fits_int64` is about Kubernetes' own two ways to hold a number, and not an answer.
std::optional<mismatch> multiply(json const& c)
{
    auto const q = known(c.at("input")).times(c.at("by").get<std::int64_t>());
    return unlike(c.at("result"), q ? text_of(*q) : q.error().text());
}

area const quantities{"quantities",
    {{"parse", parse}, {"compare", compare}, {"add", add}, {"subtract", subtract}, {"round_up", round_up},
        {"scaled_value", scaled_value}, {"from_integer", from_integer}, {"multiply", multiply}}};

}  // namespace
