// labels.json: the text grammar, matching, the structured form, node selectors, names.

#include "runner.hpp"

#include <podium/core/names.hpp>
#include <podium/labels.hpp>

namespace {

using namespace conformance;
using namespace podium;
using label_map = std::map<std::string, std::string>;

label_map map_of(json const& j)
{
    return j.is_null() ? label_map{} : j.get<label_map>();
}

char const* name_of(labels::op o)
{
    switch (o) {
    case labels::op::in: return "in";
    case labels::op::not_in: return "notin";
    case labels::op::exists: return "exists";
    case labels::op::does_not_exist: return "!";
    case labels::op::equals: return "=";
    case labels::op::double_equals: return "==";
    case labels::op::not_equals: return "!=";
    case labels::op::gt: return "gt";
    case labels::op::lt: return "lt";
    case labels::op::unknown: break;
    }
    return "?";
}

std::vector<labels::expression> expressions(json const& list)
{
    std::vector<labels::expression> out;
    if (!list.is_null())
        for (auto const& e : list)
            out.push_back(
                {e.at("key").get<std::string>(), labels::parse_operator(e.at("operator").get<std::string>()),
                    e.at("values").is_null() ? std::vector<std::string>{}
                                             : e.at("values").get<std::vector<std::string>>()});
    return out;
}

std::optional<mismatch> parse(json const& c)
{
    auto const s = labels::selector::parse(c.at("selector").get<std::string>());
    json got{{"ok", s.has_value()}, {"canonical", nullptr}, {"requirements", nullptr}};
    if (s) {
        got["canonical"] = to_string(*s);
        got["requirements"] = json::array();
        for (auto const& r : s->requirements())
            got["requirements"].push_back(
                {{"key", r.key()}, {"operator", name_of(r.operator_())}, {"values", r.values()}});
    }
    return unlike(
        {{"ok", c.at("ok")}, {"canonical", c.at("canonical")}, {"requirements", c.at("requirements")}}, got);
}

std::optional<mismatch> match(json const& c)
{
    auto const s = labels::selector::parse(c.at("selector").get<std::string>()).value();
    return unlike(c.at("matches"), s.matches(map_of(c.at("labels"))));
}

std::optional<mismatch> label_selector(json const& c)
{
    std::optional<labels::label_selector> from;
    if (auto const& given = c.at("selector"); !given.is_null())
        from = {map_of(given.at("match_labels")), expressions(given.at("match_expressions"))};
    auto const s = labels::selector::make(from);
    json got{{"ok", s.has_value()}, {"canonical", nullptr}, {"matches_everything", nullptr},
        {"samples", json::array()}};
    if (s) {
        got["canonical"] = to_string(*s);
        got["matches_everything"] = s->is_everything();
        for (auto const& sample : c.at("samples"))
            got["samples"].push_back(
                {{"labels", sample.at("labels")}, {"matches", s->matches(map_of(sample.at("labels")))}});
    }
    return unlike({{"ok", c.at("ok")}, {"canonical", c.at("canonical")},
                      {"matches_everything", c.at("matches_everything")}, {"samples", c.at("samples")}},
        got);
}

std::optional<mismatch> node_selector(json const& c)
{
    std::vector<labels::node_selector_term> terms;
    if (auto const& given = c.at("terms"); !given.is_null())
        for (auto const& t : given)
            terms.push_back({expressions(t.at("match_expressions")), expressions(t.at("match_fields"))});
    labels::node_selector const s(terms);
    auto const& node = c.at("node");
    auto const m = s.matches_node(map_of(node.at("labels")), node.at("name").get<std::string>());
    return unlike({{"valid", c.at("valid")}, {"matches", c.at("matches")},
                      {"match_failed_with_error", c.at("match_failed_with_error")}},
        {{"valid", s.valid().has_value()}, {"matches", m.value_or(false)},
            {"match_failed_with_error", !m.has_value()}});
}

std::optional<mismatch> validate(json const& c)
{
    static std::map<std::string, result<void> (*)(std::string_view)> const rules{
        {"label_key", names::label_key},
        {"label_value", names::label_value},
        {"dns1123_label", names::dns1123_label},
        {"dns1123_subdomain", names::dns1123_subdomain},
        {"dns1035_label", names::dns1035_label},
        {"wildcard_dns1123", names::wildcard_dns1123_subdomain},
        {"config_map_key", names::config_map_key},
        {"env_var_name", names::env_var_name},
        {"percent", names::percent},
        {"port_name", names::port_name},
    };
    auto const rule = rules.at(c.at("rule").get<std::string>());
    return unlike(c.at("valid"), rule(c.at("input").get<std::string>()).has_value());
}

area const labels_area{"labels",
    {{"parse", parse}, {"match", match}, {"label_selector", label_selector}, {"node_selector", node_selector},
        {"validate", validate}}};

}  // namespace
