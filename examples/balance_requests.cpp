// Shows one request after the other finding its endpoint: a canary gets exactly its share, the least busy pod
// is chosen, and a pod that drains is free to go when its last request has ended.
#include <podium/traffic.hpp>

#include <iostream>

int main()
{
    using namespace podium;
    auto const pod = [](char const* id, char const* version) {
        return traffic::endpoint{
            .id = id, .address = id, .port = 80, .ready = true, .serving = true, .version = version};
    };
    traffic::pool<traffic::least_in_flight> pool;
    traffic::endpoint_set set{
        1, {pod("old-1", "v1"), pod("old-2", "v1"), pod("new-1", "v2")}, {{"v1", 3}, {"v2", 1}}};
    if (auto applied = pool.apply(set); !applied)
        return std::cout << applied.error().text() << '\n', 1;

    std::vector<traffic::ticket> open;
    for (int i = 0; i < 8; ++i) {
        open.push_back(pool.acquire().value());
        std::cout << pool.explain(open.back()) << '\n';
    }

    set.generation = 2;
    set.endpoints[0].draining = true;  // old-1 must go: it gets nothing new from here on
    if (!pool.apply(set))
        return 1;
    for (auto const& ticket : open) {
        bool const last = pool.at(ticket.slot).id == "old-1" && pool.in_flight("old-1") == 1;
        pool.release(ticket);
        if (last)
            std::cout << "old-1 drained: " << std::boolalpha << pool.drained("old-1") << '\n';
    }
}
