// Four workers count without a lock, each in cells of its own; whoever is asked adds them up. The page is
// what Prometheus reads, and the quantile what it would draw. Last, the second half of a minute by itself.
#include <podium/observe.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <thread>
#include <vector>

namespace observe = podium::observe;

namespace {

constexpr auto bounds = observe::exponential_bounds<5>(0.001, 4);  // 1 ms, 4 ms, ... 256 ms

struct alignas(64) worker {
    observe::cell<observe::counter> orders{};
    observe::cell<observe::histogram<5>> took{bounds};

    void serve(int n)
    {
        for (int i = 0; i < n; ++i) {
            orders.add();
            took.observe(i % 10 == 9 ? 0.125 : 1.0 / 512);
        }
    }
};

}  // namespace

int main()
{
    std::array<worker, 4> workers;
    std::vector<std::thread> threads;
    for (auto& w : workers)
        threads.emplace_back([&w] { w.serve(10'000); });
    for (auto& t : threads)
        t.join();

    observe::counter orders;
    observe::histogram<5> took{.bounds = bounds};
    for (auto const& w : workers) {
        orders.add(w.orders.read());
        if (auto added = took.add(w.took.read()); !added)
            std::cout << added.error().text() << '\n';
    }
    observe::exposition page;
    page.counter("shop_orders_total", "Orders that were served", {{"shop", "Oslo"}}, orders);
    page.histogram("shop_order_duration_seconds", "How long an order took", {{"shop", "Oslo"}}, took);
    std::cout << page.text() << "nine of ten within " << took.quantile(0.9) * 1000 << " ms\n";

    observe::series last(60);
    for (int second = 0; second <= 60; ++second)
        last.push(podium::time_point(std::chrono::seconds(second)), second < 30 ? second : second * 5 - 120);
    auto const half = last.since(podium::time_point(std::chrono::seconds(30)));
    std::cout << "then " << *observe::rate(half) << " orders a second\n";
}
