#include "harness.hpp"

#include <string>
#include <vector>

using namespace podium_net_tests;

TEST_CASE("net: what Prometheus answers is one number, or says why it is none")
{
    struct row {
        std::string body;
        std::string expected;  ///< the number, or the message
    };
    auto const vector_of = [](std::string const& series) {
        return R"({"status":"success","data":{"resultType":"vector","result":[)" + series + "]}}";
    };
    for (auto const& r : {
             row{vector_of(R"({"metric":{},"value":[1.5,"2.5"]})"), "2.500000"},
             row{vector_of(R"({"metric":{"a":"1"},"value":[1,"2"]},{"metric":{"a":"2"},"value":[1,"-3"]})"),
                 "-1.000000"},
             row{R"({"status":"success","data":{"resultType":"scalar","result":[1.5,"7"]}})", "7.000000"},
             row{vector_of(""), "there is no such series"},
             row{vector_of(R"({"metric":{},"value":[1.5,"NaN"]})"), "the answer is NaN"},
             row{vector_of(R"({"metric":{},"value":[1.5,"+Inf"]})"), "the answer is not one of Prometheus"},
             row{vector_of(R"({"metric":{},"value":[1.5]})"), "the answer is not one of Prometheus"},
             row{vector_of(R"({"metric":{}})"), "the answer is not one of Prometheus"},
             row{vector_of("7"), "the answer is not one of Prometheus"},
             row{R"({"data":{"result":{}}})", "the answer is not one of Prometheus"},
             row{"[]", "the answer is not one of Prometheus"},
             row{"<html>", "the answer is not JSON"},
             row{"", "the answer is not JSON"},
         }) {
        CAPTURE(r.body);
        auto const sum = net::prometheus_sum(r.body);
        CHECK((sum ? std::to_string(*sum) : sum.error().message) == r.expected);
    }
}

TEST_CASE("net: a Prometheus that hangs, answers too much or fails is an error in time")
{
    struct row {
        std::string name, answer;
        errc code;
        duration deadline = 1min;
    };
    for (auto const& r : std::vector<row>{
             {"hangs", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc|", errc::deadline, 200ms},
             {"100 MB", "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nabc|", errc::exhausted},
             {"garbage", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", errc::invalid},
             {"is ill", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", errc::unavailable},
         }) {
        CAPTURE(r.name);
        asio::io_context io;
        scripted server(io, [&](tcp::socket& s, int) -> asio::awaitable<void> {
            co_await scripted::header(s);
            bool const hang = r.answer.ends_with('|');
            (void)co_await net::wire::write(
                s, std::string_view(r.answer).substr(0, r.answer.size() - (hang ? 1 : 0)));
            if (hang)
                co_await pause_for(60s);
        });
        run(io, [&]() -> asio::awaitable<void> {
            auto const got = co_await net::ask_prometheus(
                net::address::tcp("127.0.0.1", server.port()), net::prometheus_path("up"), r.deadline);
            REQUIRE_FALSE(got);
            CHECK(got.error().code == r.code);
        }());
    }
}
