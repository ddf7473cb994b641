// scheduler/<Plugin>.json: one plugin alone, its refusals and scores for each node. The objects are read
// straight from their JSON: the plugins work on any type.

#include "runner.hpp"

#include <podium/core/quantity.hpp>
#include <podium/schedule.hpp>

#include <algorithm>
#include <cstdint>

namespace {

using namespace conformance;
namespace schedule = podium::schedule;
namespace labels = podium::labels;
using amounts = std::map<std::string, std::int64_t>;

struct node {
    std::string name{};
    std::map<std::string, std::string> labels{};
    std::vector<schedule::taint> taints{};
    bool unschedulable = false;
    amounts allocatable{};
};
struct pod {
    std::string node_name{};
    std::vector<schedule::toleration> tolerations{};
    schedule::node_choice choice{};
    amounts requests{};
    amounts assumed{};
    amounts filtered{};  ///< the extended resources that the filter looks at
};

json at(json const& j, char const* path)
{
    auto const p = json::json_pointer(path);
    return j.contains(p) ? j.at(p) : json();
}
std::string text(json const& j, char const* key)
{
    return j.value(key, std::string());
}

amounts amounts_of(json const& list)
{
    amounts out;
    for (auto const& [name, value] : list.items()) {
        auto const q = podium::quantity::parse(value.get<std::string>()).value();
        out[name] = name == "cpu" ? q.milli_value() : q.value();
    }
    return out;
}
void add(amounts& to, amounts const& more)
{
    for (auto const& [name, amount] : more)
        to[name] += amount;
}

/// Which of a pod's numbers: kube-scheduler's scores leave a pod's own `resources` out for the pod to be
/// placed only.
enum class level : std::uint8_t { pod, containers };

/// What a pod asks for: containers and sidecars together, or its neediest init container; overhead on top.
amounts requests_of(json const& spec, amounts const& if_absent, level upto = level::pod)
{
    auto const pod_level = upto == level::pod ? amounts_of(at(spec, "/resources/requests")) : amounts{};
    auto const one = [&](json const& container) {
        auto asked = amounts_of(at(container, "/resources/requests"));
        asked.insert(if_absent.begin(), if_absent.end());
        return asked;
    };
    amounts sum;
    auto const containers = at(spec, "/containers");
    for (auto const& c : containers)
        add(sum, one(c));
    if (containers.empty())
        add(sum, if_absent);
    amounts sidecars;
    amounts most;
    for (auto const& c : at(spec, "/initContainers")) {
        auto asked = one(c);
        if (text(c, "restartPolicy") == "Always") {
            add(sidecars, asked);
            asked = sidecars;
        } else {
            add(asked, sidecars);
        }
        for (auto const& [name, amount] : asked)
            most[name] = std::max(most[name], amount);
    }
    add(sum, sidecars);
    for (auto const& [name, amount] : most)
        sum[name] = std::max(sum[name], amount);
    for (auto const& [name, amount] : pod_level)
        sum[name] = amount;
    add(sum, amounts_of(at(spec, "/overhead")));
    return sum;
}

labels::node_selector selector_of(json const& terms)
{
    auto const expressions = [](json const& list) {
        std::vector<labels::expression> out;
        for (auto const& e : list)
            out.push_back({text(e, "key"), labels::parse_operator(text(e, "operator")),
                e.value("values", std::vector<std::string>())});
        return out;
    };
    std::vector<labels::node_selector_term> out;
    for (auto const& t : terms)
        out.push_back({expressions(at(t, "/matchExpressions")), expressions(at(t, "/matchFields"))});
    return labels::node_selector(out);
}

schedule::node_choice choice_of(json const& affinity, json const& node_selector)
{
    schedule::node_choice out;
    for (auto const& [key, value] : node_selector.items())
        out.labels.emplace_back(key, value);
    if (auto const required = at(affinity, "/requiredDuringSchedulingIgnoredDuringExecution");
        !required.is_null())
        out.required = selector_of(at(required, "/nodeSelectorTerms"));
    for (auto const& p : at(affinity, "/preferredDuringSchedulingIgnoredDuringExecution"))
        out.preferred.push_back({p.at("weight"), selector_of(json::array({at(p, "/preference")}))});
    return out;
}

node node_of(json const& j)
{
    node n{.name = text(j.at("metadata"), "name")};
    auto const node_labels = at(j, "/metadata/labels");
    for (auto const& [key, value] : node_labels.items())
        n.labels[key] = value;
    for (auto const& t : at(j, "/spec/taints")) {
        auto const effect = text(t, "effect");
        n.taints.push_back({text(t, "key"), text(t, "value"),
            effect == "NoExecute"        ? schedule::taint_effect::no_execute
                : effect == "NoSchedule" ? schedule::taint_effect::no_schedule
                                         : schedule::taint_effect::prefer_no_schedule});
    }
    n.unschedulable = at(j, "/spec/unschedulable") == true;
    n.allocatable = amounts_of(at(j, "/status/allocatable"));
    return n;
}

pod pod_of(json const& j, json const& args)
{
    auto const spec = j.value("spec", json::object());
    pod p{.node_name = text(spec, "nodeName")};
    for (auto const& t : at(spec, "/tolerations"))
        p.tolerations.push_back({text(t, "key"), text(t, "operator"), text(t, "value"), text(t, "effect")});
    p.choice = choice_of(at(spec, "/affinity/nodeAffinity"), at(spec, "/nodeSelector"));
    p.requests = requests_of(spec, {});
    p.assumed = requests_of(spec, {{"cpu", 100}, {"memory", std::int64_t{200} << 20}},
        p.node_name.empty() ? level::containers : level::pod);
    auto const ignored = at(args, "/ignoredResources");
    auto const groups = at(args, "/ignoredResourceGroups");
    for (auto const& [name, amount] : p.requests) {
        auto const known = name == "cpu" || name == "memory" || name == "pods" || name == "ephemeral-storage";
        auto const group = name.substr(0, name.find('/'));
        if (!known && std::find(ignored.begin(), ignored.end(), name) == ignored.end() &&
            std::find(groups.begin(), groups.end(), group) == groups.end())
            p.filtered[name] = amount;
    }
    return p;
}

template<schedule::name_literal Name, class T, amounts T::* Where>
std::int64_t amount(T const& object)
{
    auto const found = (object.*Where).find(std::string(Name.view()));
    return found == (object.*Where).end() ? 0 : found->second;
}
template<schedule::name_literal Name>
using resource = schedule::resource<Name, &amount<Name, node, &node::allocatable>,
    &amount<Name, pod, &pod::requests>, &amount<Name, pod, &pod::assumed>>;
template<schedule::name_literal Name>
using extended = schedule::extended_resource<Name, &amount<Name, node, &node::allocatable>,
    &amount<Name, pod, &pod::requests>>;

using fit = schedule::fit<resource<"cpu">, resource<"memory">, resource<"ephemeral-storage">,
    schedule::pod_slots<&amount<"pods", node, &node::allocatable>>,
    schedule::extended_resources<&node::allocatable, &pod::filtered>>;
template<template<class...> class Score>
using of_all = Score<resource<"cpu">, resource<"memory">, resource<"ephemeral-storage">,
    extended<"example.com/gpu">, extended<"example.com/nic">, extended<"hugepages-2Mi">>;
using taints = schedule::taint_toleration<&node::taints, &pod::tolerations>;
using affinity = schedule::node_affinity<&node::labels, &node::name, &pod::choice>;

/// Weights by resource as the plugins take them; by default cpu 1, memory 1.
std::array<int, 6> weights_of(json const& list)
{
    if (list.is_null())
        return {1, 1, 0, 0, 0, 0};
    std::array<int, 6> out{};
    std::array<char const*, 6> const names{
        "cpu", "memory", "ephemeral-storage", "example.com/gpu", "example.com/nic", "hugepages-2Mi"};
    for (auto const& r : list) {
        auto const found = std::find(names.begin(), names.end(), r.at("name").get<std::string>());
        out.at(static_cast<std::size_t>(found - names.begin())) = r.at("weight");
    }
    return out;
}

template<class F, class S, class... Plugin>
std::optional<mismatch> run(json const& c, Plugin... settings)
{
    using rules = schedule::pipeline<node, pod, F, S>;
    rules const r{settings...};
    auto const args = c.value("args", json());
    schedule::snapshot<rules> on;
    for (auto const& n : c.at("nodes"))
        on.set(text(n.at("metadata"), "name"), node_of(n));
    for (auto const& p : c.value("pods", json::array()))
        on.bind(text(p.at("spec"), "nodeName"), pod_of(p, args));
    auto const wanted = pod_of(c.at("pod"), args);
    auto const table = r.explain(on, wanted);

    json got = json::object();
    auto fits = json::array();
    for (auto const& row : table.nodes) {
        auto const& name = on.name(row.node);
        if (row.reasons.empty()) {
            fits.push_back(name);
            if (!row.raw.empty())
                got["scores"][name] = {row.raw.at(0), row.scores.at(0)};
            continue;
        }
        std::vector<std::string> reasons;
        bool unresolvable = false;
        for (auto const& why : row.reasons) {
            reasons.push_back(r.text(why.plugin, why.code, r.prepare(wanted)));
            unresolvable = unresolvable || why.unresolvable;
        }
        std::sort(reasons.begin(), reasons.end());
        got["filter"][unresolvable ? "unschedulableAndUnresolvable" : "unschedulable"][name] = reasons;
    }
    if (rules::filter_count != 0)
        got["filter"]["fits"] = fits;

    auto expected = c.at("expect");
    expected.erase("preFilter");  // what a pre-filter says is in the filter's answers
    if (expected.value("/preScore/status"_json_pointer, std::string()) == "Skip") {
        // A plugin that does not score adds nothing: ours must then like all nodes alike.
        expected.erase("preScore");
        bool alike = true;
        if (got.contains("scores"))
            for (auto const& s : got["scores"])
                alike = alike && s == *got["scores"].begin();
        if (alike)
            got.erase("scores");
    }
    if (!expected.contains("filter"))
        got.erase("filter");
    return unlike(expected, got);
}

template<class... Score>
using scores = schedule::scores<schedule::weighted<Score>...>;
template<class... Filter>
using filters = schedule::filters<Filter...>;

std::optional<mismatch> resources_fit(json const& c)
{
    auto const weights = weights_of(at(c, "/args/scoringStrategy/resources"));
    auto const type = at(c, "/args/scoringStrategy/type");
    if (type == "MostAllocated") {
        using most = of_all<schedule::most_allocated>;
        return run<filters<fit>, scores<most>>(c, most{.weights = weights});
    }
    if (type == "RequestedToCapacityRatio") {
        using ratio = of_all<schedule::requested_to_capacity_ratio>;
        ratio r{.shape = {}, .weights = weights};
        for (auto const& p : at(c, "/args/scoringStrategy/requestedToCapacityRatio/shape"))
            r.shape.push_back({p.at("utilization"), p.at("score").get<int>() * 10});
        return run<filters<fit>, scores<ratio>>(c, r);
    }
    using least = of_all<schedule::least_allocated>;
    return run<filters<fit>, scores<least>>(c, least{.weights = weights});
}

/// The plugin's list of resources is a type; the lists that occur are these.
std::optional<mismatch> balanced(json const& c)
{
    auto const weights = weights_of(at(c, "/args/resources"));
    auto const named = [&](std::array<int, 6> const& list) { return weights == list; };
    using schedule::balanced_allocation;
    if (named({1, 1, 0, 0, 0, 0}))
        return run<filters<>, scores<balanced_allocation<resource<"cpu">, resource<"memory">>>>(c);
    if (named({1, 1, 0, 1, 0, 0}))
        return run<filters<>,
            scores<balanced_allocation<resource<"cpu">, resource<"memory">, extended<"example.com/gpu">>>>(c);
    if (named({1, 1, 1, 1, 0, 0}))
        return run<filters<>,
            scores<balanced_allocation<resource<"cpu">, resource<"memory">, resource<"ephemeral-storage">,
                extended<"example.com/gpu">>>>(c);
    return mismatch{"a list of resources that is known here", at(c, "/args/resources")};
}

std::optional<mismatch> node_affinity(json const& c)
{
    return run<filters<affinity>, scores<affinity>>(
        c, affinity{.added = choice_of(at(c, "/args/addedAffinity"), json::object())});
}
std::optional<mismatch> taint_toleration(json const& c)
{
    return run<filters<taints>, scores<taints>>(c);
}
std::optional<mismatch> node_name(json const& c)
{
    return run<filters<schedule::node_name<&node::name, &pod::node_name>>, scores<>>(c);
}
std::optional<mismatch> node_unschedulable(json const& c)
{
    return run<filters<schedule::node_unschedulable<&node::unschedulable, &pod::tolerations>>, scores<>>(c);
}

area const scheduler{"scheduler",
    {{"NodeResourcesFit", resources_fit}, {"NodeResourcesBalancedAllocation", balanced},
        {"NodeAffinity", node_affinity}, {"TaintToleration", taint_toleration}, {"NodeName", node_name},
        {"NodeUnschedulable", node_unschedulable}}};

}  // namespace
