// Shows a canary's traffic from 5 % to 50 %: new visitors are dealt out exactly, whoever has a version keeps
// it, a tester's header leads to the preview, and an endpoint that fails is left out while its version keeps
// its share.
#include <podium/traffic.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

using namespace podium;

namespace {

using router = traffic::pool<traffic::round_robin>;

// A request's fields decide where it goes; what the answer tells the visitor is the cookie for next time.
std::string visit(router& r, std::vector<traffic::header_field> const& fields, std::string& cookie)
{
    auto const& rules = r.rules();
    auto const aim = traffic::aim_of(rules, fields);
    auto const ticket = r.acquire(aim);
    if (!ticket)
        return "503";
    std::string const version = r.at(ticket->slot).version;
    if (aim.how != traffic::way::matched)
        if (auto told = traffic::answer_visit(rules.sticky, aim.came_with, version, false); told.new_visitor)
            cookie = told.set_cookie;
    r.release(*ticket);
    return version;
}

}  // namespace

int main()
{
    auto const pod = [](char const* id, char const* version) {
        return traffic::endpoint{
            .id = id, .address = id, .port = 80, .ready = true, .serving = true, .version = version};
    };
    traffic::endpoint_set set{.generation = 1,
        .endpoints = {pod("old-1", "v1"), pod("old-2", "v1"), pod("new-1", "v2"), pod("next-1", "v3")},
        .weights = {{"v1", 95}, {"v2", 5}}};
    set.rules.sticky = {traffic::sticky_by::cookie, "shop"};
    set.rules.matches = {{"X-Preview", traffic::header_match::kind::exact, "yes", "v3"}};
    set.rules.ejection = traffic::outlier_policy{.consecutive_failures = 3, .base = std::chrono::seconds(30)};
    router r;
    if (auto applied = r.apply(set); !applied)
        return std::cout << applied.error().text() << '\n', 1;

    std::map<std::string, int> dealt;
    std::vector<std::pair<std::string, std::string>> known;  // cookie, version
    auto const newcomers = [&](int n) {
        dealt.clear();
        for (int i = 0; i < n; ++i) {
            std::string cookie;
            auto const version = visit(r, {}, cookie);
            ++dealt[version];
            known.emplace_back(cookie.substr(0, cookie.find(';')), version);
        }
        std::cout << n << " new visitors: " << dealt["v1"] << " get v1, " << dealt["v2"] << " get v2\n";
    };
    newcomers(100);
    std::cout << "the first one's cookie: " << known[0].first << '\n';

    set.generation = 2;
    set.weights = {{"v1", 50}, {"v2", 50}};
    if (!r.apply(set))
        return 1;
    int kept = 0;
    for (auto const& [cookie, version] : known) {
        std::string changed;
        kept += visit(r, {{"Cookie", cookie}}, changed) == version && changed.empty() ? 1 : 0;
    }
    std::cout << "at 50 % " << kept << " of them are where they were\n";
    newcomers(100);

    std::string none;
    std::cout << "a tester gets " << visit(r, {{"X-Preview", "yes"}}, none) << '\n';

    time_point const now{std::chrono::hours(1)};
    for (int i = 0; i < 20; ++i) {
        auto const t = r.acquire().value();
        if (r.at(t.slot).id == "old-1" && r.observe(t, traffic::outcome::failure, now))
            std::cout << "old-1 is left out after three failures in a row\n";
        r.release(t);
    }
    newcomers(100);
    auto const back = r.wake_at();
    r.advance(back);
    std::cout << "it is back after " << std::chrono::duration_cast<std::chrono::seconds>(back - now).count()
              << " s: " << std::boolalpha << r.takes_new(0) << '\n';
}
