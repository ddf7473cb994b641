// images.json: references as distribution/reference and the kubelet read them.

#include "runner.hpp"

#include <podium/image/reference.hpp>

namespace {

using namespace conformance;
namespace image = podium::image;
using image::reference;

json text_or_null(std::string const& text)
{
    return text.empty() ? json() : json(text);
}

json parts(podium::result<reference> const& r)
{
    if (!r)
        return nullptr;
    return {{"string", to_string(*r)}, {"name", r->name()}, {"domain", r->domain}, {"path", r->path},
        {"tag", text_or_null(r->tag)}, {"digest", r->digest ? json(to_string(*r->digest)) : json()}};
}

std::optional<mismatch> one(json const& c)
{
    auto const text = c.at("input").get<std::string>();
    auto const plain = reference::parse(text), normalized = reference::parse_normalized(text);
    json got = {{"plain", parts(plain)}, {"normalized", parts(normalized)}, {"familiar", nullptr},
        {"docker_reference", nullptr}, {"pull", nullptr}};
    if (normalized) {
        auto const pull = with_default_tag(*normalized);
        got["familiar"] = familiar(*normalized);
        got["docker_reference"] = to_string(docker_reference(*normalized));
        got["pull"] = {{"repository", pull.name()}, {"tag", pull.tag},
            {"digest", pull.digest ? to_string(*pull.digest) : ""}};
    }
    json expected;
    for (auto const& [field, value] : got.items())
        expected[field] = c.at(field);
    return unlike(std::move(expected), std::move(got));
}

area const images{"images", {{"image", one}}};

}  // namespace
