// Which robots may do a job, and which jobs a robot may do: an index of labels both ways, kept up to date
// while robots come, change and go. Prints what each question finds.
#include <podium/labels.hpp>

#include <iostream>
#include <map>
#include <string>

using namespace podium::labels::literals;
namespace labels = podium::labels;
using label_map = std::map<std::string, std::string>;

int main()
{
    labels::object_index<int> robots;  // numbers of the embedder's own
    robots.put(1, label_map{{"kind", "lifter"}, {"load-kg", "500"}}, "hall-a");
    robots.put(2, label_map{{"kind", "lifter"}, {"load-kg", "80"}}, "hall-a");
    robots.put(3, label_map{{"kind", "sweeper"}}, "hall-a");
    robots.put(4, label_map{{"kind", "lifter"}, {"load-kg", "900"}}, "hall-b");

    auto const& strong = "kind=lifter, load-kg > 100, !charging"_selector;
    auto const ask = [&](char const* when) {
        std::cout << when << ":";
        robots.select("hall-a", strong, [](int id) { std::cout << " robot " << id; });
        std::cout << '\n';
    };
    ask("can lift in hall a");
    robots.put(1, label_map{{"kind", "lifter"}, {"load-kg", "500"}, {"charging", ""}}, "hall-a");
    ask("while robot 1 charges");
    robots.put(4, label_map{{"kind", "lifter"}, {"load-kg", "900"}}, "hall-a");
    ask("robot 4 has moved in");

    labels::selector_index<std::string> jobs;
    jobs.put("move the press", strong);
    jobs.put("clean", "kind in (sweeper, vacuum)"_selector);
    jobs.put("patrol", "!charging"_selector);
    std::cout << "a sweeper may:";
    jobs.match(
        label_map{{"kind", "sweeper"}}, [](std::string const& job) { std::cout << ' ' << job << ';'; });
    std::cout << '\n';

    // Without any robot: would two jobs ever want the same one?
    auto const both = labels::witness("kind=lifter, load-kg > 100"_selector, "load-kg < 102"_selector);
    std::cout << "both want a lifter of " << both->at("load-kg") << " kg\n";
}
