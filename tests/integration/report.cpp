// The tour's ledger, load and report.
#include "../../examples/podium/report.hpp"

#include "../../examples/podium/figures.hpp"
#include "../../examples/podium/ledger.hpp"
#include "../../examples/podium/load.hpp"

#include <podium/observe/exposition.hpp>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tour::duration;
using tour::time_point;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

constexpr time_point zero{std::chrono::seconds(1000)};

/// What is wrong with it as XML after its first line; empty when every tag is closed in order, every
/// attribute quoted and nothing unescaped is between them.
std::string malformed(std::string_view page)
{
    std::vector<std::string> open;
    for (std::size_t at = page.find('\n'); at < page.size();) {
        auto const tag = page.find('<', at);
        auto const text = page.substr(at, tag - at);
        for (auto amp = text.find('&'); amp != text.npos; amp = text.find('&', amp + 1)) {
            auto const end = text.find(';', amp);
            if (end == text.npos || end - amp > 6)
                return "a lone & in " + std::string(text);
        }
        if (tag == page.npos)
            break;
        auto end = tag + 1;
        for (bool quoted = false; end < page.size() && (quoted || page[end] != '>'); ++end) {
            if (page[end] == '<')
                return "a < within a tag";
            quoted = quoted != (page[end] == '"');
        }
        if (end >= page.size())
            return "a tag without an end";
        auto const inside = page.substr(tag + 1, end - tag - 1);
        auto const name = std::string(inside.substr(0, inside.find_first_of(" /", 1)));
        if (inside.front() == '/') {
            if (open.empty() || open.back() != inside.substr(1))
                return "unexpected <" + std::string(inside) + ">";
            open.pop_back();
        } else if (inside.back() != '/') {
            open.push_back(name);
        }
        at = end + 1;
    }
    return open.empty() ? "" : "never closed: " + open.back();
}

tour::recording small()
{
    tour::ledger book;
    for (int i = 0; i < 100; ++i) {
        auto const at = zero + i * 20ms;
        auto const n = book.send(at);
        if (i == 50)
            book.lose(n, "reset", at + 1ms);
        else
            book.answer(n, 200, i < 60 ? "1.0" : "1.2", at + 3ms);
    }
    tour::recording r;
    r.scenes = {
        {"1", "Declare", "two replicas", tour::verdict::kept, "", {{"ready in", "0.8 s"}}, zero, zero + 1s},
        {"2", "Roll", "zero lost", tour::verdict::broken, "one was lost", {}, zero + 1s, zero + 2s},
        {"3", "Scale", "five replicas", tour::verdict::skipped, "", {}, {}, {}}};
    r.traffic = tour::series_of(book);
    r.replicas = {{zero, {{"1.0", {1, 2}}}}, {zero + 1s, {{"1.0", {2, 2}}, {"1.2", {0, 1}}}}};
    return r;
}

/// A server whose whole behaviour is in the test: it answers `answers` requests on a connection, then does as
/// told.
struct little_server {
    enum class then { say_close, drop };
    asio::io_context& io;
    std::size_t answers;
    then how;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    std::multiset<std::string> seen{};

    asio::awaitable<void> accept()
    {
        auto const token = asio::as_tuple(asio::use_awaitable);
        for (;;) {
            auto [ec, socket] = co_await acceptor.async_accept(token);
            if (ec)
                co_return;
            asio::co_spawn(io, serve(beast::tcp_stream(std::move(socket))), asio::detached);
        }
    }
    asio::awaitable<void> serve(beast::tcp_stream stream)
    {
        auto const token = asio::as_tuple(asio::use_awaitable);
        beast::flat_buffer buffer;
        for (std::size_t n = 1;; ++n) {
            http::request<http::string_body> asked;
            if (std::get<0>(co_await http::async_read(stream, buffer, asked, token)))
                co_return;
            auto const id = asked["X-Order"];
            seen.emplace(id.data(), id.size());
            if (how == then::drop && n > answers)
                co_return;
            http::response<http::string_body> answer(
                n % 7 == 0 ? http::status::bad_gateway : http::status::ok, 11);
            answer.set("X-Version", n % 2 == 0 ? "even" : "odd");
            answer.keep_alive(how == then::drop || n < answers);
            answer.prepare_payload();
            if (std::get<0>(co_await http::async_write(stream, answer, token)) || !answer.keep_alive())
                co_return;
        }
    }
};

struct played {
    tour::figures figures{};
    std::multiset<std::string> seen{};
    tour::series series{};
};

/// Loads the server until it has seen `requests`.
played play(std::size_t answers, little_server::then how, double per_second, std::size_t requests)
{
    asio::io_context io(1);
    little_server server{io, answers, how};
    asio::co_spawn(io, server.accept(), asio::detached);
    tour::load_generator load(io.get_executor(),
        {.ip = "127.0.0.1",
            .port = server.acceptor.local_endpoint().port(),
            .connections = 4,
            .per_second = per_second,
            .timeout = 20s,
            .prepare = [](tour::load_request& r, std::uint64_t n) { r.set("X-Order", std::to_string(n)); }});
    load.start();
    auto const deadline = std::chrono::steady_clock::now() + 60s;
    while (server.seen.size() < requests && std::chrono::steady_clock::now() < deadline)
        io.run_one_for(1s);
    bool stopped = false;
    asio::co_spawn(io, load.stop(), [&](std::exception_ptr) {
        stopped = true;
        server.acceptor.close();
    });
    while (!stopped)
        io.run_one();
    io.run();
    return {tour::summarize(load.book()), server.seen, tour::series_of(load.book())};
}

}  // namespace

TEST_CASE("report: a ledger counts each request once, by what became of it and when it was sent")
{
    tour::ledger book;
    std::vector<std::uint64_t> numbers;
    for (int i = 0; i < 10; ++i)
        numbers.push_back(book.send(zero + i * 100ms));
    for (std::size_t i = 0; i < 6; ++i)
        book.answer(numbers[i], 200, i < 4 ? "b" : "a", zero + static_cast<int>(i) * 100ms + 1ms * (1 << i));
    book.answer(numbers[6], 503, "a", zero + 601ms);
    book.lose(numbers[7], "reset", zero + 700ms);
    book.lose(numbers[8], "reset", zero + 800ms);

    auto const all = tour::summarize(book);
    CHECK(all.sent == 10);
    CHECK(all.answered == 6);
    CHECK(all.refused == 1);
    CHECK(all.lost == 2);
    CHECK(all.open == 1);
    CHECK(all.errors() == 3);
    CHECK(all.p50 == 4ms);
    CHECK(all.p99 == 32ms);
    CHECK(all.worst == 32ms);
    CHECK(all.longest_gap == 900ms - 532ms);
    CHECK(all.by_version == std::map<std::string, std::uint64_t>{{"a", 2}, {"b", 4}});
    CHECK(book.reasons() == std::map<std::string, std::uint64_t>{{"reset", 2}});

    auto const part = tour::summarize(book, zero + 100ms, zero + 300ms);
    CHECK(part.sent == 2);
    CHECK(part.answered == 2);
    CHECK(part.worst == 4ms);
    CHECK(tour::summarize(tour::ledger()) == tour::figures{});

    auto const series = tour::series_of(book);
    CHECK(series.versions == std::vector<std::string>{"a", "b"});
    REQUIRE(series.buckets.size() == 9);
    CHECK(series.buckets[0] == tour::bucket{zero, {0, 1}, 0, 1ms, 1ms});
    CHECK(series.buckets[5] == tour::bucket{zero + 500ms, {1, 0}, 0, 32ms, 32ms});
    CHECK(series.buckets[6] == tour::bucket{zero + 600ms, {0, 0}, 1, 0ms, 0ms});
    CHECK(tour::series_of(tour::ledger()).buckets.empty());
}

TEST_CASE("report: a load asks each request once, and opens again what was closed with a word")
{
    auto const run = play(3, little_server::then::say_close, 0, 200);
    CHECK(run.figures.sent >= 200);
    CHECK(run.figures.answered == run.figures.sent);
    CHECK(run.seen.size() == run.figures.sent);
    CHECK(std::set<std::string>(run.seen.begin(), run.seen.end()).size() == run.seen.size());
    CHECK(run.series.versions == std::vector<std::string>{"even", "odd"});
}

TEST_CASE("report: a load counts a refusal, and a connection that was closed without a word")
{
    auto const run = play(8, little_server::then::drop, 2000, 90);
    CHECK(run.figures.lost >= 90 / 9 - 4);
    CHECK(run.figures.refused >= run.figures.lost);
    CHECK(run.figures.answered + run.figures.refused + run.figures.lost == run.figures.sent);
    CHECK(run.seen.size() == run.figures.sent);
}

TEST_CASE("report: nobody listening is a loss each time, and no storm")
{
    asio::io_context io(1);
    std::uint16_t port = 0;
    {
        asio::ip::tcp::acceptor once(io, {asio::ip::make_address("127.0.0.1"), 0});
        port = once.local_endpoint().port();
    }
    tour::load_generator load(io.get_executor(), {.ip = "127.0.0.1", .port = port, .connections = 2});
    load.start();
    while (load.book().entries().size() < 10)
        io.run_one();
    asio::co_spawn(io, load.stop(), asio::detached);
    io.run();
    auto const all = tour::summarize(load.book());
    CHECK(all.lost == all.sent);
    CHECK(all.sent <= 12);
}

TEST_CASE("report: the page is well-formed, has every scene, and needs nothing else")
{
    auto const page = tour::html(small());
    CHECK(malformed(page) == "");
    for (std::string const part :
        {"Declare", "zero lost", "one was lost", "0.8 s", "1 of 2", ">99<", "✓ kept", "✗ broken",
            "not played", "1.0: 2 ready of 2", "1.2: 0 ready of 1", "<b>Latency</b>", "1 in all"})
        CHECK_MESSAGE(page.find(part) != page.npos, part);
    for (std::string const part : {"http", "<script", "src=", "url(", "nan", "inf"})
        CHECK_MESSAGE(page.find(part) == page.npos, part);
    CHECK(page == tour::html(small()));
}

TEST_CASE("report: whatever is written in a recording stays text")
{
    auto r = small();
    std::string const evil = "<script>alert(\"1\") & 'x'</script>\x01";
    r.title = r.subtitle = evil;
    r.headline = {{evil, evil}};
    r.scenes[0] = {evil, evil, evil, tour::verdict::broken, evil, {{evil, evil}}, zero, zero + 1s};
    r.comparisons = {{evil, evil, evil, evil, {{zero, {0.1, 0, 1}, {0.1, 0, 1}}}, zero, zero + 1s}};
    r.traffic.versions[0] = evil;
    r.replicas[0].by_version = {{evil, {1, 2}}};
    auto const page = tour::html(r);
    CHECK(malformed(page) == "");
    CHECK(page.find("<script") == page.npos);
    CHECK(page.find('\x01') == page.npos);
}

TEST_CASE(
    "report: an autoscaler has its own time, with what is used, the target, the replicas and the limits")
{
    auto r = small();
    tour::scaling c;
    c.title = "Deployment/web";
    c.target = 60;
    c.least = 2;
    c.most = 5;
    c.from = zero;
    c.to = zero + 10s;
    for (int i = 0; i < 10; ++i)
        c.samples.push_back({zero + i * 1s, i == 3 ? std::nullopt : std::optional<double>(i < 6 ? 80 : 53),
            i < 7 ? 2U : 3U, i < 6 ? 2U : 3U});
    r.scalings = {c, {}};
    auto const page = tour::html(r);
    CHECK(malformed(page) == "");
    auto const at = page.find("The autoscaler");
    REQUIRE(at != page.npos);
    auto const part = page.substr(at, page.find("<figure>", page.find("Replicas", at)) - at);
    for (std::string const words : {"Deployment/web", "target: 60 %", "from 2 to 5", "wanted"})
        CHECK_MESSAGE(part.find(words) != part.npos, words);
    auto const many = [&](std::string_view what) {
        std::size_t n = 0;
        for (auto i = part.find(what); i != part.npos; i = part.find(what, i + 1))
            ++n;
        return n;
    };
    CHECK(many(" level\"") == 3);              // the target, the least and the most
    CHECK(many("class=\"block v0\"") == 3);    // a change of what is wanted ends one, too
    CHECK(many("class=\"line v0\" d=") == 1);  // with a gap where nothing was measured
}

TEST_CASE("report: a comparison has its own time, with the rates, their ranges, the verdict and who got what")
{
    auto r = small();
    tour::comparison c;
    c.title = "v1.2 against v1.0";
    c.canary = "1.2";
    c.stable = "1.0";
    c.verdict = "better by at least 1 point";
    c.from = zero + 1s;
    c.to = zero + 2s;
    for (int i = 0; i < 5; ++i) {
        auto const wide = 0.4 / (i + 1);
        c.samples.push_back({zero + 1s + i * 200ms, {0.3, 0.3 - wide / 2, 0.3 + wide / 2},
            {0.25, std::max(0.0, 0.25 - wide), 0.25 + wide}});
    }
    r.comparisons = {c};
    auto const page = tour::html(r);
    CHECK(malformed(page) == "");
    auto const at = page.find("The comparisons");
    REQUIRE(at != page.npos);
    auto const part = page.substr(at, page.find("The scenes") - at);
    for (std::string const words :
        {"v1.2 against v1.0", "better by at least 1 point", "1.2: 30 %, from 26 to 34", "verdict",
            "1.0: 25 %, from 17 to 33", "Share of the traffic", ">100 %<"})
        CHECK_MESSAGE(part.find(words) != part.npos, words);
    auto const many = [&](std::string_view what) {
        std::size_t n = 0;
        for (auto i = part.find(what); i != part.npos; i = part.find(what, i + 1))
            ++n;
        return n;
    };
    CHECK(many("class=\"range v") == 2);
    CHECK(many("class=\"line v") == 4);    // and twice in the legend
    CHECK(many("class=\"block v") == 10);  // a column of 100 ms each
    CHECK(many("class=\"band") == 0);      // the scenes are on another axis

    r.comparisons[0].samples.clear();
    r.comparisons.push_back({});
    r.traffic = {};
    CHECK(malformed(tour::html(r)) == "");
    CHECK(tour::html(r).find("never measured") != page.npos);
}

TEST_CASE("report: of a switch the first answer of the new version and the last of the old are known")
{
    tour::ledger book;
    auto const ask = [&](duration at, std::string_view version, duration takes) {
        book.answer(book.send(zero + at), 200, version, zero + at + takes);
    };
    ask(0ms, "old", 900ms);  // before it
    ask(10ms, "old", 1ms);
    ask(20ms, "new", 5ms);
    ask(21ms, "old", 30ms);
    ask(22ms, "new", 1ms);
    ask(23ms, "other", 1ms);
    CHECK(tour::crossing_of(book, "old", "new", zero + 5ms) == tour::crossing{zero + 23ms, zero + 51ms});
    CHECK(tour::crossing_of(book, "old", "new", zero + 22ms) == tour::crossing{zero + 23ms, std::nullopt});
    CHECK(tour::crossing_of(book, "old", "new", zero + 1s) == tour::crossing{});
}

TEST_CASE("report: a load that is aimed elsewhere opens connections of its own there, and keeps them when it "
          "is held")
{
    asio::io_context io(1);
    little_server first{io, 1000, little_server::then::drop}, second{io, 1000, little_server::then::drop};
    asio::co_spawn(io, first.accept(), asio::detached);
    asio::co_spawn(io, second.accept(), asio::detached);
    auto const port = [](little_server& s) { return s.acceptor.local_endpoint().port(); };
    tour::load_generator load(io.get_executor(),
        {.ip = "127.0.0.1",
            .port = port(first),
            .connections = 3,
            .timeout = 20s,
            .prepare = [](tour::load_request& r, std::uint64_t n) { r.set("X-Order", std::to_string(n)); }});
    auto const deadline = std::chrono::steady_clock::now() + 60s;
    auto const until_seen = [&](little_server& s, std::size_t many) {
        while (s.seen.size() < many && std::chrono::steady_clock::now() < deadline)
            io.run_one_for(1s);
    };
    load.start();
    until_seen(first, 30);
    load.aim("127.0.0.1", port(second));
    until_seen(second, 30);
    load.hold();
    while (load.book().open() != 0 && std::chrono::steady_clock::now() < deadline)
        io.run_one_for(1s);
    auto const sent = load.book().entries().size();
    io.poll();
    CHECK(load.book().open() == 0);
    CHECK(load.book().entries().size() == sent);
    CHECK(first.seen.size() + second.seen.size() == sent);
    load.resume();
    until_seen(second, second.seen.size() + 30);
    CHECK(load.book().entries().size() > sent);
    CHECK(load.opened() == 6);
    bool stopped = false;
    asio::co_spawn(io, load.stop(), [&](std::exception_ptr) {
        stopped = true;
        first.acceptor.close();
        second.acceptor.close();
    });
    while (!stopped)
        io.run_one();
    io.run();
    auto const all = tour::summarize(load.book());
    CHECK(all.lost == 0);
    CHECK(first.seen.size() + second.seen.size() == all.sent);
    CHECK(second.seen.size() >= 30);
}

TEST_CASE("report: an empty recording, and lop-sided ones, are pages too")
{
    auto const page = tour::html({});
    CHECK(malformed(page) == "");
    CHECK(page.find("Nothing was recorded") != page.npos);

    std::vector<tour::recording> odd(5, small());
    odd[0].traffic = {};
    odd[1].replicas.clear();
    odd[2].scenes.clear();
    odd[3].traffic.buckets.resize(1);
    odd[3].scenes.clear();
    odd[3].replicas.clear();
    odd[4].scenes.clear();
    odd[4].traffic = {};
    odd[4].replicas = {{zero, {}}};
    for (auto const& r : odd)
        CHECK(malformed(tour::html(r)) == "");
}

TEST_CASE("report: a long recording gives a page of bounded size, and every failure stays in it")
{
    auto r = small();
    auto const one = r.traffic.buckets[0];
    r.traffic.buckets.clear();
    for (int i = 0; i < 36'000; ++i) {
        r.traffic.buckets.push_back(one);
        r.traffic.buckets.back().at = zero + i * 100ms;
    }
    r.traffic.buckets[17'000].errors = 1;
    auto const page = tour::html(r);
    CHECK(page.size() < 400'000);
    CHECK(malformed(page) == "");
    CHECK(page.find("class=\"bad\"") != page.npos);
}

TEST_CASE("figures: what an exposition writes is read back, and a line that is none is named")
{
    podium::observe::exposition out;
    out.counter("orders_total", "Orders", {{"shop", "a \"b\" \\ c\nd"}, {"code", "2xx"}}, 41);
    out.counter("orders_total", "Orders", {{"shop", "other"}, {"code", "2xx"}}, 1);
    podium::observe::histogram<3> h{.bounds = {0.1, 0.2, 0.4}};
    for (double const v : {0.05, 0.15, 0.15, 0.15, 0.3, 9.0})
        h.observe(v);
    out.histogram("wait_seconds", "Waits", {{"shop", "other"}}, h);
    auto const page = tour::figures_page::read(out.text());
    REQUIRE(page);
    CHECK(page->sum("orders_total") == 42);
    CHECK(page->sum("orders_total", {{"shop", "a \"b\" \\ c\nd"}}) == 41);
    CHECK(page->sum("orders_total", {{"shop", "nobody"}}) == 0);
    CHECK(page->sum("orders") == 0);
    CHECK(page->sum("wait_seconds_count") == 6);
    auto const median = page->quantile(0.5, "wait_seconds", {});
    REQUIRE(median);
    CHECK(*median == doctest::Approx(0.1 + 0.1 * 2 / 3));
    CHECK(*page->quantile(1, "wait_seconds", {}) == 0.4);  // all that is known of what is above
    CHECK_FALSE(page->quantile(0.5, "orders_total", {}));

    for (std::string const wrong : {"a", "a{", "a{b=\"c\"", "a{b=\"c", "a{b} 1", "a x", " 1", "a{b=\"\\"}) {
        auto const none = tour::figures_page::read("# HELP a\na 1\n" + wrong);
        REQUIRE_FALSE_MESSAGE(none, wrong);
        CHECK(none.error().path == "line 3");
    }
}

TEST_CASE("report: numbers are for people")
{
    using namespace tour::detail;
    CHECK(number(1.0) == "1");
    CHECK(number(0.05, 2) == "0.05");
    CHECK(number(-0.001) == "0");
    CHECK(number(1e30) == "?");
    CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "?");
    CHECK(grouped(0) == "0");
    CHECK(grouped(999) == "999");
    CHECK(grouped(1000) == "1,000");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(latency(0.0001) == "100 µs");
    CHECK(latency(0.0025) == "2.5 ms");
    CHECK(latency(0.25) == "250 ms");
    CHECK(latency(1.5) == "1.5 s");
}

TEST_SUITE("property")
{
    TEST_CASE("report: an axis has few steps of a round size, and covers everything")
    {
        for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            auto const most =
                static_cast<double>(random() % 1'000'000 + 1) / static_cast<double>(random() % 10'000 + 1);
            auto const steps = static_cast<int>(random() % 10 + 1);
            auto const step = tour::detail::nice_step(most, steps);
            REQUIRE(step * steps >= most * (1 - 1e-6));
            REQUIRE(step <= 10.0001 * most / steps);
        }
    }
    TEST_CASE("report: a series holds what its ledger holds")
    {
        for (std::uint64_t seed = 1; seed <= 100; ++seed) {
            CAPTURE(seed);
            std::mt19937_64 random(seed);
            tour::ledger book;
            for (auto left = random() % 300; left != 0; --left) {
                auto const at = zero + std::chrono::milliseconds(random() % 5000);
                auto const n = book.send(at);
                auto const later = at + std::chrono::milliseconds(random() % 2000);
                if (auto const how = random() % 8; how == 0)
                    book.lose(n, "x", later);
                else if (how < 7)
                    book.answer(n, random() % 10 == 0 ? 500 : 200, random() % 2 == 0 ? "a" : "b", later);
            }
            auto const all = tour::summarize(book);
            auto const series = tour::series_of(book, std::chrono::milliseconds(random() % 500 + 1));
            std::uint64_t answered = 0, errors = 0;
            for (std::size_t i = 0; i < series.buckets.size(); ++i) {
                auto const& b = series.buckets[i];
                REQUIRE(b.p50 <= b.p99);
                if (i > 0)
                    REQUIRE(b.at - series.buckets[i - 1].at == series.step);
                for (auto const n : b.answered)
                    answered += n;
                errors += b.errors;
            }
            REQUIRE(answered == all.answered);
            REQUIRE(errors == all.errors());
            REQUIRE(all.sent == all.answered + all.refused + all.lost + all.open);
            REQUIRE(all.p50 <= all.p99);
            REQUIRE(all.p99 <= all.worst);
        }
    }
}
