#include <podium/schedule/images.hpp>
#include <podium/schedule/scheduler.hpp>

#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace schedule = podium::schedule;

struct box {
    std::vector<std::pair<std::vector<std::string>, std::int64_t>> images{};
};
struct service {
    std::vector<std::string> images{};
};
using plugin = schedule::image_locality<&box::images, &service::images>;
using rules =
    schedule::pipeline<box, service, schedule::filters<>, schedule::scores<schedule::weighted<plugin>>>;

constexpr std::int64_t mebibyte = 1024 * 1024;

}  // namespace

TEST_CASE("schedule: an image without a tag is the latest")
{
    CHECK(schedule::with_tag("web") == "web:latest");
    CHECK(schedule::with_tag("host:5000/web") == "host:5000/web:latest");
    CHECK(schedule::with_tag("host:5000/web:1") == "host:5000/web:1");
    CHECK(schedule::with_tag("web@sha256:ab") == "web@sha256:ab");
    CHECK(schedule::with_tag("") == ":latest");
}

TEST_CASE("schedule: a pod goes where its image is, unless that is rare or small")
{
    schedule::scheduler<rules> s;
    s.set("none", {});
    s.set("has", {{{{"web:latest"}, 1000 * mebibyte}}});
    CHECK(s.name(s.decide({{"web"}})) == "has");
    CHECK(s.decide({{"web"}}).score == 48);  // one of two nodes: half the bytes
    CHECK(s.decide({{"other"}}).score == 0);
    CHECK(s.decide({{}}).score == 0);
    s.set("has", {{{{"web:latest"}, 10 * mebibyte}}});
    CHECK(s.decide({{"web"}}).score == 0);
}

TEST_CASE("schedule: a node's own size of an image counts, or as in Kubernetes that of the first")
{
    auto const score_of = [](schedule::image_size sizes) {
        schedule::scheduler<rules> s(rules(plugin{.sizes = sizes}));
        s.set("a", {{{{"web:1"}, 500 * mebibyte}}});
        s.set("b", {{{{"web:1"}, 1000 * mebibyte}}});
        return s.decide({{"web:1"}}).score;
    };
    CHECK(score_of(schedule::image_size::own) == 100);
    CHECK(score_of(schedule::image_size::kubernetes) == 48);
}
