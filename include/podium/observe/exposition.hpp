#pragma once
/// Exposition: figures as the text that Prometheus and all that speak its format read.
///
///     exposition out;
///     out.counter("podium_proxy_requests_total", "Requests that ended", {{"service", "web"}}, 3);
///     out.text();  // # HELP ..., # TYPE ..., podium_proxy_requests_total{service="web"} 3
///
/// Series may come in any order: those of one name are put together under one HELP and one TYPE, names in
/// the order in which they first came, since the format allows no name to come back later. The first help
/// stays. Numbers are the shortest text that reads back as the same double; integers are written whole.
///
/// What would make the whole page unreadable is left out and remembered in `wrong`: a name that is none, a
/// label that is used twice or reserved, a name that had another type before. Label values and help may hold
/// anything: quotes, backslashes and line feeds are escaped, bytes that are not UTF-8 become U+FFFD. Whoever
/// writes the same series twice finds it there twice.
///
/// Source: Prometheus' "Exposition formats", text format 0.0.4, and "Data model" for names.

#include <podium/core/error.hpp>
#include <podium/observe/counter.hpp>
#include <podium/observe/gauge.hpp>
#include <podium/observe/histogram.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::observe {

struct label {
    std::string_view name{};
    std::string_view value{};
};

/// The labels of one series, in the order in which they are written; for the time of one call.
class label_list {
public:
    label_list(std::initializer_list<label> list) noexcept : list_(list.begin(), list.size()) {}
    label_list(std::span<label const> list) noexcept : list_(list) {}
    [[nodiscard]] auto begin() const noexcept { return list_.begin(); }
    [[nodiscard]] auto end() const noexcept { return list_.end(); }

private:
    std::span<label const> list_;
};

/// What stands in a series' line: a number. Booleans are written as 1 and 0.
template<class V>
concept Figure = std::integral<V> || std::floating_point<V>;

/// A page of figures, as it is written. Costs its text: some 30 ns for a series.
class exposition {
public:
    exposition() = default;
    exposition(exposition const&) = delete;
    exposition& operator=(exposition const&) = delete;

    /// What the HTTP answer says of the text.
    static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

    /// Something that only grows; by custom its name ends in "_total".
    template<Figure V>
    void counter(std::string_view name, std::string_view help, label_list labels, V value)
    {
        write(type::counter, name, help, labels, value);
    }
    void counter(
        std::string_view name, std::string_view help, label_list labels, observe::counter const& value)
    {
        write(type::counter, name, help, labels, value.total);
    }
    template<Figure V>
    void gauge(std::string_view name, std::string_view help, label_list labels, V value)
    {
        write(type::gauge, name, help, labels, value);
    }
    void gauge(std::string_view name, std::string_view help, label_list labels, observe::gauge const& value)
    {
        write(type::gauge, name, help, labels, value.value);
    }
    /// As `_bucket` with the label `le` for each bound and for all, `_sum` and `_count`.
    template<std::size_t N>
    void histogram(
        std::string_view name, std::string_view help, label_list labels, observe::histogram<N> const& value)
    {
        auto* const text = family_of(type::histogram, name, help, labels);
        if (!text)
            return;
        std::uint64_t below = 0;
        for (std::size_t b = 0; b <= N; ++b) {
            below += value.in_bucket[b];
            (*text += name) += "_bucket{";
            for (auto const& l : labels) {
                append(*text, l);
                *text += ',';
            }
            *text += "le=\"";
            if (b < N)
                append(*text, value.bounds[b]);
            else
                *text += "+Inf";
            *text += "\"} ";
            end_line(*text, below);
        }
        line(*text, name, "_sum", labels, value.sum);
        line(*text, name, "_count", labels, below);
    }

    /// All of it. O(its length).
    [[nodiscard]] std::string text() const
    {
        std::size_t size = 0;
        for (auto const* f : order_)
            size += f->second.text.size();
        std::string out;
        out.reserve(size);
        for (auto const* f : order_)
            out += f->second.text;
        return out;
    }

    /// What was left out and why; at most the first hundred.
    [[nodiscard]] std::optional<error> const& wrong() const noexcept { return wrong_.all; }

private:
    enum class type : std::uint8_t { counter, gauge, histogram };
    struct family {
        type what = type::counter;
        std::string text{};
    };
    using entry = std::pair<std::string const, family>;

    static constexpr bool starts_name(char c) noexcept
    {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    }
    /// [a-zA-Z_:][a-zA-Z0-9_:]*, colons for names of series only.
    static constexpr bool is_name(std::string_view s, bool colons) noexcept
    {
        for (std::size_t i = 0; i < s.size(); ++i)
            if (!starts_name(s[i]) && !(colons && s[i] == ':') && !(i > 0 && s[i] >= '0' && s[i] <= '9'))
                return false;
        return !s.empty();
    }

    bool refuse(std::string_view name, char const* why)
    {
        if (!wrong_.all || wrong_.all->further.size() < 99)
            wrong_.add({errc::invalid, why, std::string(name), {}});
        return false;
    }
    bool fine(type what, std::string_view name, label_list labels)
    {
        for (auto l = labels.begin(); l != labels.end(); ++l) {
            if (!is_name(l->name, false))
                return refuse(name, "expected label names of letters, digits and underscores");
            if (l->name.starts_with("__") || (what == type::histogram && l->name == "le"))
                return refuse(name, "expected no label with a reserved name (le, or two underscores first)");
            for (auto other = labels.begin(); other != l; ++other)
                if (other->name == l->name)
                    return refuse(name, "expected each label once");
        }
        return true;
    }
    /// Where the lines of that name go; null: nowhere.
    std::string* family_of(type what, std::string_view name, std::string_view help, label_list labels)
    {
        if (!fine(what, name, labels))
            return nullptr;
        if (!last_ || last_->first != name) {
            auto it = families_.find(name);
            if (it == families_.end()) {
                if (!is_name(name, true))
                    return refuse(name, "expected a name of letters, digits, underscores and colons"),
                           nullptr;
                it = families_.emplace(name, family{what, {}}).first;
                order_.push_back(&*it);
                begin(it->second.text, what, name, help);
            }
            last_ = &*it;
        }
        if (last_->second.what != what)
            return refuse(name, "expected the type that the name had before"), nullptr;
        return &last_->second.text;
    }
    static void begin(std::string& text, type what, std::string_view name, std::string_view help)
    {
        ((text += "# HELP ") += name) += ' ';
        append_text(text, help, false);
        ((text += "\n# TYPE ") += name) += what == type::counter ? " counter\n"
            : what == type::gauge                                ? " gauge\n"
                                                                 : " histogram\n";
    }

    template<class V>
    void write(type what, std::string_view name, std::string_view help, label_list labels, V value)
    {
        if (auto* const text = family_of(what, name, help, labels))
            line(*text, name, {}, labels, value);
    }
    template<class V>
    static void line(
        std::string& out, std::string_view name, std::string_view suffix, label_list labels, V value)
    {
        (out += name) += suffix;
        char before = '{';
        for (auto const& l : labels) {
            out += before;
            append(out, l);
            before = ',';
        }
        if (before == ',')
            out += '}';
        out += ' ';
        end_line(out, value);
    }
    template<class V>
    static void end_line(std::string& out, V value)
    {
        append(out, value);
        out += '\n';
    }
    static void append(std::string& out, label const& l)
    {
        (out += l.name) += "=\"";
        append_text(out, l.value, true);
        out += '"';
    }
    template<Figure V>
    static void append(std::string& out, V value)
    {
        if constexpr (std::same_as<V, bool>) {
            out += value ? '1' : '0';
        } else {
            if constexpr (std::floating_point<V>)
                if (!std::isfinite(value)) {
                    out += std::isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
                    return;
                }
            char digits[32];
            out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
        }
    }

    /// How many bytes of UTF-8 begin here; 0: none do (RFC 3629: no surrogates, nothing longer than needed).
    static std::size_t utf8_at(std::string_view s) noexcept
    {
        auto const byte = [&](std::size_t i) {
            return i < s.size() ? static_cast<unsigned char>(s[i]) : static_cast<unsigned char>(0);
        };
        auto const more = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80; };
        auto const a = byte(0), b = byte(1);
        if (a >= 0xc2 && a <= 0xdf)
            return more(1) ? 2 : 0;
        if (a >= 0xe0 && a <= 0xef)
            return more(1) && more(2) && !(a == 0xe0 && b < 0xa0) && !(a == 0xed && b >= 0xa0) ? 3 : 0;
        if (a >= 0xf0 && a <= 0xf4)
            return more(1) && more(2) && more(3) && !(a == 0xf0 && b < 0x90) && !(a == 0xf4 && b >= 0x90) ? 4
                                                                                                          : 0;
        return 0;
    }
    static void append_text(std::string& out, std::string_view s, bool quoted)
    {
        std::size_t kept = 0, i = 0;  // [kept, i) is to be written as it is
        auto const instead = [&](std::string_view what) {
            out += s.substr(kept, i - kept);
            out += what;
            kept = ++i;
        };
        while (i < s.size()) {
            auto const c = static_cast<unsigned char>(s[i]);
            if (c == '\\')
                instead("\\\\");
            else if (c == '\n')
                instead("\\n");
            else if (c == '"' && quoted)
                instead("\\\"");
            else if (c < 0x80)
                ++i;
            else if (auto const n = utf8_at(s.substr(i)); n > 0)
                i += n;
            else
                instead("\xef\xbf\xbd");
        }
        out += s.substr(kept);
    }

    std::map<std::string, family, std::less<>> families_{};
    std::vector<entry*> order_{};  ///< as they first came; a map's entries stay where they are
    entry* last_ = nullptr;
    found_errors wrong_{};
};

}  // namespace podium::v0::observe
