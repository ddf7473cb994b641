#pragma once
/// Plain HTTP/1.1: a scanner for the messages that nearly all are, and for no others.
///
/// A proxy's hot path has nothing to decide about most messages: one Host, at most one length, no encoding,
/// no upgrade. This finds where they begin and end, and what may be passed on, in one pass and without a
/// copy. It never says that a message is wrong: what is not certainly plain is `other`, and goes to the full
/// parser with its strictness. So whatever is plain must be well formed to that parser too, with the same
/// meaning; a test holds the two together on mutated messages.
///
/// Source: RFC 9110, 5.6.2 (token), 5.5 (field values); RFC 9112, 3 (request line), 4 (status line), 6
/// (length).

#include <podium/traffic/route.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace podium::inline v0::net::plain {

/// One message at the beginning of a text. Views live as long as the text.
struct message {
    std::string_view method{};  ///< of a request
    std::string_view target{};
    unsigned status = 0;  ///< of an answer, 200 to 599, not 204 or 304
    std::string_view reason{};
    std::vector<traffic::header_field> fields{};  ///< all of them
    std::vector<std::string_view> kept{};  ///< runs of whole lines to be passed on: all but those of this hop
    std::string_view forwarded_for{};      ///< the X-Forwarded-For of a request, which is in no run
    std::size_t head_bytes = 0;            ///< with the empty line
    std::size_t body_bytes = 0;            ///< what Content-Length says
    bool measured = false;                 ///< there is a Content-Length, which is in the runs
    bool keep_alive = true;
};

}  // namespace podium::v0::net::plain

namespace podium::inline v0::net::plain::detail {

inline constexpr std::size_t max_fields = 100;

enum : std::uint8_t { token = 1, value = 2, visible = 4 };

inline constexpr auto classes = [] {
    std::array<std::uint8_t, 256> out{};
    for (unsigned c = 0; c < 256; ++c) {
        bool const letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool const other =
            std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
        out[c] = static_cast<std::uint8_t>((letter || (c < 128 && other) ? token : 0) |
            (c == '\t' || (c >= ' ' && c != 127) ? value : 0) | (c > ' ' && c < 127 ? visible : 0));
    }
    return out;
}();

[[nodiscard]] constexpr bool is(char c, std::uint8_t what) noexcept
{
    return (classes[static_cast<unsigned char>(c)] & what) != 0;
}

/// What a field means to a proxy.
enum class role : std::uint8_t { end_to_end, host, length, connection, keep_alive, forwarded_for, not_plain };

[[nodiscard]] constexpr role role_of(std::string_view name) noexcept
{
    using traffic::detail::same_name;
    switch (name.size()) {
    case 2: return same_name(name, "TE") ? role::not_plain : role::end_to_end;
    case 4: return same_name(name, "Host") ? role::host : role::end_to_end;
    case 6: return same_name(name, "Expect") ? role::not_plain : role::end_to_end;
    case 7:
        return same_name(name, "Upgrade") || same_name(name, "Trailer") ? role::not_plain : role::end_to_end;
    case 10:
        return same_name(name, "Connection") ? role::connection
            : same_name(name, "Keep-Alive")  ? role::keep_alive
                                             : role::end_to_end;
    case 14: return same_name(name, "Content-Length") ? role::length : role::end_to_end;
    case 15: return same_name(name, "X-Forwarded-For") ? role::forwarded_for : role::end_to_end;
    case 16: return same_name(name, "Proxy-Connection") ? role::not_plain : role::end_to_end;
    case 17: return same_name(name, "Transfer-Encoding") ? role::not_plain : role::end_to_end;
    default: return role::end_to_end;
    }
}

/// The fields from `at` on; true: they are plain and end in the text.
[[nodiscard]] inline bool scan_fields(std::string_view text, std::size_t at, bool request, message& out)
{
    out.fields.clear();
    out.kept.clear();
    out.forwarded_for = {};
    out.body_bytes = 0;
    out.measured = false;
    out.keep_alive = true;
    int hosts = 0, connections = 0, forwarded = 0;
    std::size_t run = at;
    auto const end_run = [&](std::size_t line, std::size_t next) {
        if (line > run)
            out.kept.push_back(text.substr(run, line - run));
        run = next;
    };
    for (;;) {
        if (at + 1 >= text.size())
            return false;
        if (text[at] == '\r') {
            end_run(at, at);
            out.head_bytes = at + 2;
            return text[at + 1] == '\n' && (!request || hosts == 1);
        }
        auto const line = at;
        while (at < text.size() && is(text[at], token))
            ++at;
        auto const name = text.substr(line, at - line);
        if (name.empty() || at == text.size() || text[at] != ':' || out.fields.size() == max_fields)
            return false;
        ++at;
        auto first = at;
        while (at < text.size() && is(text[at], value))
            ++at;
        if (at + 1 >= text.size() || text[at] != '\r' || text[at + 1] != '\n')
            return false;
        auto last = at;
        while (first < last && (text[first] == ' ' || text[first] == '\t'))
            ++first;
        while (first < last && (text[last - 1] == ' ' || text[last - 1] == '\t'))
            --last;
        auto const said = text.substr(first, last - first);
        at += 2;
        out.fields.push_back({name, said});
        switch (role_of(name)) {
        case role::end_to_end: break;
        case role::host: ++hosts; break;
        case role::length:
            if (out.measured || said.empty() || said.size() > 9)
                return false;
            out.measured = true;
            for (char const c : said) {
                if (c < '0' || c > '9')
                    return false;
                out.body_bytes = out.body_bytes * 10 + static_cast<std::size_t>(c - '0');
            }
            break;
        case role::connection:
            out.keep_alive = !traffic::detail::same_name(said, "close");
            if (++connections > 1 || (out.keep_alive && !traffic::detail::same_name(said, "keep-alive")))
                return false;
            end_run(line, at);
            break;
        case role::keep_alive: end_run(line, at); break;
        case role::forwarded_for:
            if (!request)
                break;
            if (++forwarded > 1)
                return false;
            out.forwarded_for = said;
            end_run(line, at);
            break;
        case role::not_plain: return false;
        }
    }
}

}  // namespace podium::v0::net::plain::detail

namespace podium::inline v0::net::plain {

/// True: `text` begins with a whole head of a plain request, and `out` says all about it. False: it is not
/// here yet, or it is not plain; `out` means nothing. O(length of the head).
[[nodiscard]] inline bool scan_request(std::string_view text, message& out)
{
    using namespace detail;
    std::size_t at = 0;
    while (at < text.size() && is(text[at], token))
        ++at;
    out.method = text.substr(0, at);
    bool known = false;
    for (std::string_view const one : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
        known = known || out.method == one;
    if (!known || at == text.size() || text[at] != ' ')
        return false;
    auto const target = ++at;
    while (at < text.size() && is(text[at], visible))
        ++at;
    out.target = text.substr(target, at - target);
    constexpr std::string_view rest = " HTTP/1.1\r\n";
    if (out.target.empty() || text.substr(at, rest.size()) != rest)
        return false;
    return scan_fields(text, at + rest.size(), true, out);
}

/// The same of an answer that has a Content-Length and a body by it: not to HEAD, which the caller knows.
[[nodiscard]] inline bool scan_answer(std::string_view text, message& out)
{
    using namespace detail;
    constexpr std::string_view version = "HTTP/1.1 ";
    constexpr auto reason = version.size() + 4;
    if (text.size() < reason || !text.starts_with(version) || text[reason - 1] != ' ')
        return false;
    out.status = 0;
    for (auto const c : text.substr(version.size(), 3)) {
        if (c < '0' || c > '9')
            return false;
        out.status = out.status * 10 + static_cast<unsigned>(c - '0');
    }
    if (out.status < 200 || out.status > 599 || out.status == 204 || out.status == 304)
        return false;
    auto at = reason;
    while (at < text.size() && is(text[at], value))
        ++at;
    out.reason = text.substr(reason, at - reason);
    if (text.substr(at, 2) != "\r\n")
        return false;
    return scan_fields(text, at + 2, false, out) && out.measured;
}

/// Whether a request with this method may be repeated (RFC 9110, 9.2.2).
[[nodiscard]] constexpr bool idempotent(std::string_view method) noexcept
{
    return method != "POST" && method != "PATCH";
}

/// The request as it is passed on, with `client` behind those who forwarded it before, body included.
inline void append_request(std::string& out, message const& m, std::string_view body, std::string_view client)
{
    out.append(m.method).append(" ").append(m.target).append(" HTTP/1.1\r\n");
    for (auto const run : m.kept)
        out.append(run);
    out.append("X-Forwarded-For: ");
    if (!m.forwarded_for.empty())
        out.append(m.forwarded_for).append(", ");
    out.append(client).append("\r\n\r\n").append(body);
}

/// The answer's head as it is passed on, without the empty line.
inline void append_answer(std::string& out, message const& m)
{
    char const digits[] = {static_cast<char>('0' + m.status / 100),
        static_cast<char>('0' + m.status / 10 % 10), static_cast<char>('0' + m.status % 10)};
    out.append("HTTP/1.1 ").append(digits, 3).append(" ").append(m.reason).append("\r\n");
    for (auto const run : m.kept)
        out.append(run);
}

}  // namespace podium::v0::net::plain
