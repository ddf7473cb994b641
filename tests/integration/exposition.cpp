// What podium exposes, read by Prometheus' own parser; and quantiles and increases beside its own engine's.
#include <podium/observe.hpp>

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fstream>
#include <limits>
#include <random>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace podium;

constexpr char const* promtool = "/usr/bin/promtool";

bool is_here()
{
    if (::access(promtool, X_OK) == 0)
        return true;
    MESSAGE("skipped: there is no promtool on this machine");
    CHECK_FALSE(std::getenv("CI"));
    return false;
}

struct answer {
    int status = -1;
    std::string text{};
};

/// `promtool arguments`, with `input` in a file; "FILE" in the arguments is its name.
answer ask(std::string arguments, std::string const& input)
{
    char name[] = "/tmp/podium-exposition-XXXXXX";
    int const fd = ::mkstemp(name);
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, input.data(), input.size()) == static_cast<ssize_t>(input.size()));
    ::close(fd);
    auto const at = arguments.find("FILE");
    REQUIRE(at != std::string::npos);
    arguments.replace(at, 4, name);
    answer out;
    auto* const pipe = ::popen((std::string(promtool) + ' ' + arguments + " 2>&1").c_str(), "r");
    REQUIRE(pipe);
    for (int c = 0; (c = std::fgetc(pipe)) != EOF;)
        out.text += static_cast<char>(c);
    auto const ended = ::pclose(pipe);
    out.status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    ::unlink(name);
    return out;
}

std::string number(double v)
{
    if (std::isinf(v))
        return v > 0 ? "+Inf" : "-Inf";
    char digits[32];
    return {digits, std::to_chars(digits, digits + sizeof digits, v).ptr};
}

/// What PromQL says is true at that time.
std::string holds(std::string const& expression, std::string const& at)
{
    return "      - expr: '" + expression + "'\n        eval_time: " + at +
        "\n        exp_samples:\n          - labels: '{}'\n            value: 1\n";
}

void all_hold(std::string const& series, std::string const& expressions)
{
    auto const said = ask("test rules FILE",
        "evaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n" + series +
            "    promql_expr_test:\n" + expressions);
    CAPTURE(said.text.substr(0, 3000));
    CHECK(said.status == 0);
}

}  // namespace

TEST_CASE("exposition: Prometheus reads whatever is written, and finds nothing to say")
{
    if (!is_here())
        return;
    observe::exposition out;
    observe::histogram<4> h{.bounds = observe::exponential_bounds<4>(0.001, 10)};
    for (double const v : {0.0005, 0.02, 0.02, 5.0})
        h.observe(v);
    std::string all;
    for (int c = 1; c < 256; ++c)
        all += static_cast<char>(c);
    for (auto const& value : std::vector<std::string>{"plain", "\"quoted\"", "back\\slash", "line\nfeed",
             "Gr\xc3\xbc\xc3\x9f\x65", "\xff\xfe", all, ""}) {
        out.counter("podium_tried_total", "Anything: \\ \" \n \xff", {{"value", value}}, 3);
        out.histogram("podium_took_seconds", "How long it took", {{"value", value}}, h);
        out.gauge("podium_level", "How much", {{"value", value}}, std::nan(""));
    }
    for (double const v : {std::numeric_limits<double>::infinity(), -1e-300, 5e-324, 1e308})
        out.gauge("podium_level", "How much", {{"value", number(v)}}, v);
    REQUIRE_FALSE(out.wrong());
    auto const read = ask("check metrics < FILE", out.text());
    CHECK(read.text == "");
    CHECK(read.status == 0);
    CHECK(ask("check metrics < FILE", "podium_x{a=\"b} 1\n").status != 0);  // it would have said so
}

TEST_CASE("histogram: quantiles are exactly those of histogram_quantile")
{
    if (!is_here())
        return;
    std::mt19937_64 random(1);
    std::string series, asked;
    for (int n = 0; n < 40; ++n) {
        observe::histogram<5> h{.bounds = observe::exponential_bounds<5>(0.3, 3)};
        for (std::uint64_t i = random() % 30; i > 0; --i)
            h.observe(static_cast<double>(random() % 1000) / (random() % 2 == 0 ? 1000.0 : 10.0));
        auto const name = "h" + std::to_string(n);
        for (std::size_t b = 0; b <= 5; ++b)
            series += "      - series: '" + name + "_bucket{le=\"" + (b < 5 ? number(h.bounds[b]) : "+Inf") +
                "\"}'\n        values: '" + std::to_string(h.at_most(b)) + "'\n";
        for (double const q : {-1.0, 0.0, 0.1, 0.5, 0.9, 0.99, 1.0, 2.0}) {
            auto const ours = h.quantile(q);
            auto const theirs = "histogram_quantile(" + number(q) + ", " + name + "_bucket)";
            auto const same =
                std::isnan(ours) ? theirs + " != bool " + theirs : theirs + " == bool " + number(ours);
            asked += holds(same, "0s");
        }
    }
    all_hold(series, asked);
}

TEST_CASE("series: a counter that begins again grows as in Prometheus' increase")
{
    if (!is_here())
        return;
    std::mt19937_64 random(2);
    std::string series, asked;
    for (int n = 0; n < 20; ++n) {
        std::string values;
        observe::series s(11);
        std::uint64_t count = random() % 50;
        for (int i = 0; i <= 10; ++i) {
            if (random() % 4 == 0)
                count = random() % 3;
            count += random() % 20;
            values += std::to_string(count) + ' ';
            s.push(time_point(std::chrono::minutes(i)), static_cast<double>(count));
        }
        auto const name = "c" + std::to_string(n);
        series += "      - series: '" + name + "'\n        values: '" + values + "'\n";
        // The window begins and ends at a sample, so there is nothing to extrapolate.
        asked += holds("increase(" + name + "[10m]) == bool " + number(*observe::increase(s.all())), "10m");
    }
    all_hold(series, asked);
}
