/// The shop's test: does what a visitor does, and exits with 0 if all of it went well.
///
///     GET /         answers 200, and names the version
///     POST /order   answers 201
///     GET /orders   answers 200, and has that order
///
/// From the environment: TARGET, whom it tests, as HOST:PORT with an address for a host. It says what it saw;
/// 1 tells of a test that failed, 2 of one that could not be made.

#include "serve.hpp"

#include <unistd.h>

namespace {

using namespace shop;

/// The answer, within 3 s; throws when there is none.
asio::awaitable<response> ask(tcp::endpoint where, request asked)
{
    beast::tcp_stream stream(co_await asio::this_coro::executor);
    stream.expires_after(3s);
    co_await stream.async_connect(where, asio::use_awaitable);
    asked.set(http::field::host, where.address().to_string());
    asked.keep_alive(false);
    asked.prepare_payload();
    co_await http::async_write(stream, asked, asio::use_awaitable);
    beast::flat_buffer buffer;
    response answer;
    co_await http::async_read(stream, buffer, answer, asio::use_awaitable);
    co_return answer;
}

bool expect(char const* what, response const& got, http::status wanted)
{
    bool const fine = got.result() == wanted;
    std::cout << (fine ? "ok   " : "FAIL ") << what << ": " << got.result_int();
    if (!fine)
        std::cout << ", expected " << static_cast<unsigned>(wanted) << ": " << got.body();
    std::cout << std::endl;
    return fine;
}

asio::awaitable<int> check(tcp::endpoint where)
{
    auto const home = co_await ask(where, request(http::verb::get, "/", 11));
    if (!expect("GET /", home, http::status::ok))
        co_return 1;
    std::cout << "     it is version " << view(home["X-Version"]) << std::endl;
    auto const id = "check-" + std::to_string(::getpid()) + '-' +
        std::to_string(std::chrono::system_clock::now().time_since_epoch().count());
    request order(http::verb::post, "/order", 11);
    order.set("X-Order", id);
    order.body() = "a test";
    auto const ordered = co_await ask(where, std::move(order));
    if (!expect("POST /order", ordered, http::status::created))
        co_return 1;
    auto const all = co_await ask(where, request(http::verb::get, "/orders", 11));
    if (!expect("GET /orders", all, http::status::ok))
        co_return 1;
    if (all.body().find('"' + id + '"') == std::string::npos) {
        std::cout << "FAIL the order is not there" << std::endl;
        co_return 1;
    }
    co_return 0;
}

}  // namespace

int main()
try {
    auto const target = setting("TARGET");
    auto const colon = target.rfind(':');
    std::uint16_t port = 0;
    auto const* const end = target.data() + target.size();
    if (colon == target.npos || std::from_chars(target.data() + colon + 1, end, port).ptr != end || port == 0)
        throw std::invalid_argument("TARGET must be HOST:PORT, not \"" + target + '"');
    tcp::endpoint const where(asio::ip::make_address(target.substr(0, colon)), port);
    asio::io_context io(1);
    int code = 2;
    asio::co_spawn(io, check(where), [&](std::exception_ptr failed, int said) {
        if (failed)
            std::rethrow_exception(failed);
        code = said;
    });
    io.run();
    return code;
} catch (std::exception const& e) {
    std::cerr << "check: " << e.what() << std::endl;
    return 2;
}
