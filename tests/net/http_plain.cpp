#include <podium/net/http_plain.hpp>
#include <podium/net/http_wire.hpp>

#include <boost/beast/http/empty_body.hpp>
#include <doctest/doctest.h>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace podium;
namespace http = boost::beast::http;
namespace plain = net::plain;

std::string const request = "GET /p?q=1 HTTP/1.1\r\nHost: h\r\nUser-Agent: a b\r\n\r\n";
std::string const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok";

std::string joined(plain::message const& m)
{
    std::string out;
    for (auto const run : m.kept)
        out += run;
    return out;
}

/// What the full parser makes of a head: true when it takes it and what `m` says is the same.
template<bool IsRequest>
bool agrees(std::string const& text, plain::message const& m)
{
    http::parser<IsRequest, http::empty_body> parser;
    parser.header_limit(1 << 20);
    parser.body_limit(boost::none);
    net::error_code ec;
    std::size_t used = 0;
    while (!ec && !parser.is_header_done() && used < text.size())
        used += parser.put(boost::asio::buffer(text.data() + used, text.size() - used), ec);
    if (ec && ec != http::error::unexpected_body)
        return false;
    auto const& head = parser.get();
    if (used != m.head_bytes || head.version() != 11 || parser.chunked() ||
        parser.keep_alive() != m.keep_alive)
        return false;
    if constexpr (IsRequest) {
        if (head.method_string() != boost::beast::string_view(m.method) ||
            head.target() != boost::beast::string_view(m.target) || net::wire::hostile(head, 11))
            return false;
    } else if (head.result_int() != m.status ||
        (!m.reason.empty() && head.reason() != boost::beast::string_view(m.reason))) {
        return false;  // Beast has words of its own where there are none
    }
    if (parser.content_length().value_or(0) != m.body_bytes ||
        parser.content_length().has_value() != m.measured)
        return false;
    // Beast moves fields of one name together; the order within a name is what matters.
    std::map<std::string, std::vector<std::string_view>> theirs, ours;
    auto const lower = [](std::string_view name) {
        std::string out(name);
        for (auto& c : out)
            c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        return out;
    };
    for (auto const& f : head)
        theirs[lower(net::wire::view(f.name_string()))].push_back(net::wire::view(f.value()));
    for (auto const& f : m.fields)
        ours[lower(f.name)].push_back(f.value);
    return theirs == ours;
}

/// A few random changes of bytes, lines and pieces.
std::string mutated(std::string text, std::mt19937_64& random)
{
    static std::vector<std::string> const pieces{"\r\n", "\n", "\r", " ", "\t", ":", "\x7f", "\x80",
        std::string(1, '\0'), "Host: x\r\n", "Content-Length: 2\r\n", "Content-Length: 03\r\n",
        "Content-Length: +1\r\n", "content-length:\t7\t\r\n", "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n", "Connection: keep-alive, x\r\n", "connection:CLOSE\r\n", "Keep-Alive: 1\r\n",
        "X-Forwarded-For: 1\r\n", "Expect: 100-continue\r\n", "Upgrade: h2c\r\n", "TE: x\r\n",
        "Proxy-Connection: close\r\n", " folded\r\n", "X : y\r\n", ": y\r\n", "HTTP/1.0", "HTTP/1.1", "GET ",
        "0", "9"};
    for (auto n = random() % 4; n != 0; --n) {
        auto const at = random() % (text.size() + 1);
        switch (random() % 4) {
        case 0: text.insert(at, pieces[random() % pieces.size()]); break;
        case 1: text.erase(at, 1 + random() % 3); break;
        case 2:
            if (at < text.size())
                text[at] = static_cast<char>(random() % 256);
            break;
        default:  // a whole line more, where lines begin
            if (auto const line = text.find("\r\n", at); line != std::string::npos)
                text.insert(line + 2, pieces[random() % pieces.size()]);
        }
    }
    return text;
}

}  // namespace

TEST_CASE("net: a plain request is taken apart without a copy")
{
    std::string const text =
        "POST /a HTTP/1.1\r\nHost: h\r\nconnection: Keep-Alive\r\nX-One:  1 \t\r\n"
        "x-forwarded-for: 1.2.3.4\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\nX-Two:\r\n\r\nhelloGET";
    plain::message m;
    REQUIRE(plain::scan_request(text, m));
    CHECK(m.method == "POST");
    CHECK(m.target == "/a");
    CHECK(m.fields.size() == 7);
    CHECK(m.fields[2] == traffic::header_field{"X-One", "1"});
    CHECK(m.fields[6] == traffic::header_field{"X-Two", ""});
    CHECK(m.forwarded_for == "1.2.3.4");
    CHECK(m.keep_alive);
    CHECK(m.measured);
    CHECK(m.body_bytes == 5);
    CHECK(text.substr(m.head_bytes) == "helloGET");
    CHECK(joined(m) == "Host: h\r\nX-One:  1 \t\r\nContent-Length: 5\r\nX-Two:\r\n");
    std::string out;
    plain::append_request(out, m, "hello", "9.9.9.9");
    CHECK(out ==
        "POST /a HTTP/1.1\r\nHost: h\r\nX-One:  1 \t\r\nContent-Length: 5\r\nX-Two:\r\n"
        "X-Forwarded-For: 1.2.3.4, 9.9.9.9\r\n\r\nhello");
}

TEST_CASE("net: a plain answer is taken apart without a copy")
{
    std::string const text =
        "HTTP/1.1 404 Not here\r\nKeep-Alive: 5\r\nContent-Length: 3\r\nConnection: close\r\nA: b\r\n\r\nabc";
    plain::message m;
    REQUIRE(plain::scan_answer(text, m));
    CHECK(m.status == 404);
    CHECK_FALSE(m.keep_alive);
    CHECK(m.body_bytes == 3);
    std::string out;
    plain::append_answer(out, m);
    CHECK(out == "HTTP/1.1 404 Not here\r\nContent-Length: 3\r\nA: b\r\n");
}

TEST_CASE("net: whatever is not certainly plain is left to the full parser")
{
    plain::message m;
    auto const with = [](std::string const& line) { return "GET / HTTP/1.1\r\nHost: h\r\n" + line + "\r\n"; };
    REQUIRE(plain::scan_request(with(""), m));
    for (auto const& text : std::vector<std::string>{"", "GET", "GET /", "GET / HTTP/1.1\r\n",
             "GET / HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r",
             "GET / HTTP/1.0\r\nHost: h\r\n\r\n", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
             "get / HTTP/1.1\r\nHost: h\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n",
             "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1\r\n\r\n",
             with("Host: i\r\n"), with(" folded\r\n"), with("X : y\r\n"), with("X: a\rb\r\n"),
             with("X: a\nb\r\n"), with(std::string("X: a\0b\r\n", 8)), with("X: \x7f\r\n"),
             with("Transfer-Encoding: chunked\r\n"), with("Content-Length: 1\r\nContent-Length: 1\r\n"),
             with("Content-Length: 1, 1\r\n"), with("Content-Length: -1\r\n"), with("Content-Length:\r\n"),
             with("Content-Length: 1234567890\r\n"), with("Connection: close, X\r\n"),
             with("Connection: upgrade\r\n"), with("Connection: close\r\nConnection: close\r\n"),
             with("Expect: 100-continue\r\n"), with("Upgrade: x\r\n"), with("TE: trailers\r\n"),
             with("Trailer: x\r\n"), with("Proxy-Connection: close\r\n"),
             with("X-Forwarded-For: 1\r\nX-Forwarded-For: 2\r\n"), "GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n"}) {
        CAPTURE(text);
        CHECK_FALSE(plain::scan_request(text, m));
    }
    std::string many;
    for (int i = 0; i < 100; ++i)
        many += "X: y\r\n";
    CHECK_FALSE(plain::scan_request(with(many), m));
    auto const status = [](std::string const& line, std::string const& more = {}) {
        return line + "\r\nContent-Length: 0\r\n" + more + "\r\n";
    };
    REQUIRE(plain::scan_answer(status("HTTP/1.1 200 "), m));
    for (auto const& text : std::vector<std::string>{"", "HTTP/1.1", status("HTTP/1.1 200"),
             status("HTTP/1.0 200 OK"), status("HTTP/1.1 20 OK"), status("HTTP/1.1 2000 OK"),
             status("HTTP/1.1 100 Continue"), status("HTTP/1.1 101 Switch"),
             status("HTTP/1.1 204 No Content"), status("HTTP/1.1 304 Not Modified"), status("HTTP/1.1 600 X"),
             status("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n"),
             status("HTTP/1.1 200 OK", "Content-Length: 0\r\n"),
             status("HTTP/1.1 200 OK", "Connection: X\r\n"), "HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
             "SSH-2.0-OpenSSH\r\n\r\n"}) {
        CAPTURE(text);
        CHECK_FALSE(plain::scan_answer(text, m));
    }
}

TEST_CASE("net: what is plain, the full parser takes with the same meaning, however messages are mutated")
{
    int requests = 0, answers = 0;
    for (std::uint64_t seed = 0; seed < 60'000; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        plain::message m;
        auto const one = mutated(request, random), two = mutated(answer, random);
        CAPTURE(one);
        if (plain::scan_request(one, m)) {
            ++requests;
            REQUIRE(agrees<true>(one, m));
        }
        CAPTURE(two);
        if (plain::scan_answer(two, m)) {
            ++answers;
            REQUIRE(agrees<false>(two, m));
        }
    }
    CHECK(requests > 15'000);
    CHECK(requests < 50'000);
    CHECK(answers > 15'000);
    CHECK(answers < 50'000);
}

TEST_CASE("net: a message that is cut off anywhere is not plain yet")
{
    plain::message m;
    for (std::size_t n = 0; n < request.size(); ++n)
        REQUIRE_FALSE(plain::scan_request(request.substr(0, n), m));
    CHECK(plain::scan_request(request, m));
    for (std::size_t n = 0; n < answer.size() - 2; ++n)
        REQUIRE_FALSE(plain::scan_answer(answer.substr(0, n), m));
    CHECK(plain::scan_answer(answer, m));
}
