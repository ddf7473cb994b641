#include <podium/schedule/ports.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

namespace schedule = podium::schedule;
using schedule::host_port;

struct box {};
struct service {
    std::vector<host_port> ports{};
};
using plugin = schedule::node_ports<&service::ports>;
using rules = schedule::pipeline<box, service, schedule::filters<plugin>, schedule::scores<>>;

bool fits_beside(host_port wanted, host_port taken)
{
    schedule::scheduler<rules> s;
    s.set("n", {});
    s.bind("n", {{taken}});
    return s.decide({{wanted}}).node.has_value();
}

}  // namespace

TEST_CASE("schedule: a port of the host is taken once for each protocol and address")
{
    CHECK(!fits_beside({.port = 80}, {.port = 80}));
    CHECK(fits_beside({.port = 80}, {.port = 81}));
    CHECK(fits_beside({.protocol = "UDP", .port = 80}, {.port = 80}));
    CHECK(!fits_beside({.protocol = "TCP", .port = 80}, {.port = 80}));
    CHECK(fits_beside({.ip = "127.0.0.1", .port = 80}, {.ip = "127.0.0.2", .port = 80}));
    CHECK(!fits_beside({.ip = "127.0.0.1", .port = 80}, {.ip = "0.0.0.0", .port = 80}));
    CHECK(!fits_beside({.port = 80}, {.ip = "127.0.0.1", .port = 80}));
    CHECK(fits_beside({.port = 0}, {.port = 0}));    // asks for none
    CHECK(fits_beside({.port = -1}, {.port = -1}));  // neither does this
}

TEST_CASE("schedule: a port is free again when the last pod that has it is gone")
{
    schedule::scheduler<rules> s;
    s.set("n", {});
    service const web{{{.port = 80}}};
    s.bind("n", web);
    s.bind("n", web);
    s.unbind("n", web);
    CHECK(!s.decide(web).node);
    s.unbind("n", web);
    CHECK(s.decide(web).node);
    s.unbind("n", web);  // harmless
    CHECK(s.decide(web).node);
    CHECK(s.summary(s.decide(web), web) == "1/1 nodes are available.");
}
