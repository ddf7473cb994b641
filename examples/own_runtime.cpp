// A container runtime of your own, which only pretends: the image's name says how it behaves. The installed
// contract suite counts the promises to the node agent that it breaks.
#include <podium/runtime/contract.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>
#include <iostream>

using namespace podium::runtime;
using boost::asio::awaitable, podium::errc, podium::error, podium::result, std::chrono::system_clock;

struct pretender : bookkeeping {
    awaitable<result<std::string>> create(container_config c)
    {
        if (c.image != "serve" && c.image != "exit")
            co_return error{errc::not_found, "no such image", "image"};
        co_await changed();  // told later, after this
        co_return add(c, system_clock::now()).id;
    }
    awaitable<result<void>> start(std::string id)
    {
        auto* const row = find(id);
        if (row == nullptr || row->state != container_state::created)
            co_return error{row == nullptr ? errc::not_found : errc::conflict, "cannot be started"};
        begin(*row, system_clock::now());
        if (row->image == "exit")
            end(*row, 3, system_clock::now());
        co_await changed();
        co_return result<void>();
    }
    awaitable<result<void>> stop(std::string id, podium::duration grace)
    {
        auto* const row = find(id);
        if (row == nullptr)
            co_return error{errc::not_found, "no such container"};
        if (row->state == container_state::running)
            end(*row, grace.count() > 0 ? 128 + SIGTERM : 128 + SIGKILL, system_clock::now());
        co_await changed();
        co_return result<void>();
    }
    awaitable<result<void>> remove(std::string id)
    {
        if (auto* const row = find(id); row != nullptr && row->state == container_state::running)
            co_return error{errc::conflict, "still runs"};
        forget(id);
        co_await changed();
        co_return result<void>();
    }
};

int main()
{
    boost::asio::io_context io;
    pretender mine;
    contract_cases const cases{.serves = {.image = "serve"}, .exits = {.image = "exit"}, .exit_code = 3};
    co_spawn(io, check_contract(mine, cases),
        [](auto, auto broken) { std::cout << broken.size() << " broken\n"; });
    io.run();
}
