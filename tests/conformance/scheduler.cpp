// scheduler/<Plugin>.json: one plugin alone, its refusals and scores for each node. The objects are read
// straight from their JSON: the plugins work on any type.

#include "runner.hpp"

#include <podium/core/quantity.hpp>
#include <podium/schedule.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <set>

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
    std::vector<std::pair<std::vector<std::string>, std::int64_t>> images{};
    std::map<std::string, std::int64_t> volume_limits{};
};
struct pod {
    std::string node_name{};
    std::vector<schedule::toleration> tolerations{};
    schedule::node_choice choice{};
    amounts requests{};
    amounts assumed{};
    amounts filtered{};  ///< the extended resources that the filter looks at
    std::vector<schedule::host_port> ports{};
    std::vector<std::string> images{};
    schedule::resident resident{};
    schedule::spread_wish spread{};
    schedule::volume_wish volumes{};
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

labels::selector selector_of_pods(json const& j)
{
    if (j.is_null())
        return labels::selector::nothing();
    labels::label_selector s;
    auto const all = at(j, "/matchLabels");
    for (auto const& [key, value] : all.items())
        s.match_labels[key] = value;
    for (auto const& e : at(j, "/matchExpressions"))
        s.match_expressions.push_back({text(e, "key"), labels::parse_operator(text(e, "operator")),
            e.value("values", std::vector<std::string>())});
    return labels::selector::make(s).value();
}

std::vector<schedule::affinity_term> terms_of(json const& list)
{
    std::vector<schedule::affinity_term> out;
    for (auto const& given : list) {
        auto const& t = given.contains("podAffinityTerm") ? given.at("podAffinityTerm") : given;
        auto& term = out.emplace_back();
        term.selector = selector_of_pods(at(t, "/labelSelector"));
        term.topology_key = text(t, "topologyKey");
        term.namespaces = t.value("namespaces", std::vector<std::string>());
        if (t.contains("namespaceSelector"))
            term.namespace_selector = selector_of_pods(t.at("namespaceSelector"));
        term.weight = given.value("weight", 1);
    }
    return out;
}

schedule::label_map labels_of(json const& j)
{
    auto const given = at(j, "/metadata/labels");
    schedule::label_map out;
    for (auto const& [key, value] : given.items())
        out[key] = value;
    return out;
}

schedule::resident resident_of(json const& j)
{
    auto const terms = [&](std::string const& path) {
        return terms_of(at(j, ("/spec/affinity/" + path + "DuringSchedulingIgnoredDuringExecution").c_str()));
    };
    return {.namespace_ = j.at("metadata").value("namespace", "default"),
        .labels = labels_of(j),
        .affinity = {.required = terms("podAffinity/required"),
            .required_anti = terms("podAntiAffinity/required"),
            .preferred = terms("podAffinity/preferred"),
            .preferred_anti = terms("podAntiAffinity/preferred")},
        .terminating = j.at("metadata").contains("deletionTimestamp")};
}

schedule::spread_constraint constraint_of(json const& j, schedule::label_map const& own)
{
    auto selector = selector_of_pods(at(j, "/labelSelector"));
    if (!selector.is_nothing()) {
        auto all = selector.requirements();
        for (auto const& key : at(j, "/matchLabelKeys"))
            if (auto const found = own.find(key.get<std::string>()); found != own.end())
                all.push_back(
                    labels::requirement::make({found->first, labels::op::in, {found->second}}).value());
        selector = labels::selector(std::move(all));
    }
    return {.max_skew = j.at("maxSkew"),
        .topology_key = text(j, "topologyKey"),
        .selector = selector,
        .hard = text(j, "whenUnsatisfiable") == "DoNotSchedule",
        .min_domains = j.value("minDomains", 1),
        .honor_affinity = j.value("nodeAffinityPolicy", "Honor") == "Honor",
        .honor_taints = j.value("nodeTaintsPolicy", "Ignore") == "Honor"};
}

/// The constraints of a pod that has none of its own: the given ones (or Kubernetes'), for what its services
/// select.
void add_default_constraints(schedule::spread_wish& to, json const& args, json const& services)
{
    std::vector<labels::requirement> selected;
    for (auto const& s : services) {
        auto const wanted = at(s, "/spec/selector");
        bool matches = !wanted.is_null() && s.at("metadata").value("namespace", "default") == to.namespace_;
        for (auto const& [key, value] : wanted.items())
            matches = matches && to.labels.contains(key) && to.labels.at(key) == value.get<std::string>();
        if (matches)
            for (auto const& [key, value] : wanted.items())
                selected.push_back(labels::requirement::make({key, labels::op::in, {value}}).value());
    }
    if (selected.empty())
        return;
    to.require_all_keys = args.value("defaultingType", "System") == "List";
    if (to.require_all_keys)
        for (auto const& c : at(args, "/defaultConstraints"))
            to.constraints.push_back(constraint_of(c, {}));
    else
        to.constraints = {{.max_skew = 3, .topology_key = "kubernetes.io/hostname", .hard = false},
            {.max_skew = 5, .topology_key = "topology.kubernetes.io/zone", .hard = false}};
    for (auto& c : to.constraints)
        c.selector = labels::selector(selected);
}

/// The objects about storage of a case.
schedule::storage storage_of(json const& c)
{
    schedule::storage out;
    auto const bytes = [](json const& q) {
        return q.is_null() ? std::int64_t{0} : podium::quantity::parse(q.get<std::string>()).value().value();
    };
    auto const key = [](json const& ref) {
        return ref.is_null() ? std::string() : ref.value("namespace", "default") + '/' + text(ref, "name");
    };
    for (auto const& j : c.value("persistentVolumeClaims", json::array())) {
        auto const& spec = j.at("spec");
        auto const notes = at(j, "/metadata/annotations");
        schedule::claim one{.class_name = text(spec, "storageClassName"),
            .volume_name = text(spec, "volumeName"),
            .bound = notes.contains("pv.kubernetes.io/bind-completed"),
            .request = bytes(at(spec, "/resources/requests/storage")),
            .access_modes = spec.value("accessModes", std::vector<std::string>())};
        if (spec.contains("selector"))
            one.selector = selector_of_pods(spec.at("selector"));
        if (notes.contains("volume.kubernetes.io/selected-node"))
            one.selected_node = notes.at("volume.kubernetes.io/selected-node");
        out.claims[key(j.at("metadata"))] = one;
    }
    for (auto const& j : c.value("persistentVolumes", json::array())) {
        auto const& spec = j.at("spec");
        auto const name = text(j.at("metadata"), "name");
        schedule::volume one{.name = name,
            .class_name = text(spec, "storageClassName"),
            .capacity = bytes(at(spec, "/capacity/storage")),
            .access_modes = spec.value("accessModes", std::vector<std::string>()),
            .labels = labels_of(j),
            .claimed_by = key(at(spec, "/claimRef")),
            .available = at(j, "/status/phase") == "Available",
            .terminating = j.at("metadata").contains("deletionTimestamp")};
        if (auto const terms = at(spec, "/nodeAffinity/required/nodeSelectorTerms"); !terms.is_null())
            one.affinity = selector_of(terms);
        if (auto const csi = at(spec, "/csi"); !csi.is_null())
            one.attachment = {text(csi, "driver"), text(csi, "volumeHandle")};
        out.volumes[name] = one;
    }
    for (auto const& j : c.value("storageClasses", json::array())) {
        schedule::volume_class one{.provisioner = text(j, "provisioner")};
        if (j.contains("volumeBindingMode"))
            one.wait_for_first_consumer = text(j, "volumeBindingMode") == "WaitForFirstConsumer";
        for (auto const& t : at(j, "/allowedTopologies")) {
            auto& all = one.topologies.emplace_back();
            for (auto const& e : at(t, "/matchLabelExpressions"))
                all.push_back(
                    labels::requirement::make({text(e, "key"), labels::op::in, e.at("values")}).value());
        }
        out.classes[text(j.at("metadata"), "name")] = one;
    }
    return out;
}

schedule::volume_wish volumes_of(json const& pod, schedule::storage const& in)
{
    std::vector<std::string> claims;
    std::vector<schedule::disk> disks;
    for (auto const& v : at(pod, "/spec/volumes")) {
        if (auto const c = at(v, "/persistentVolumeClaim"); !c.is_null())
            claims.push_back(text(c, "claimName"));
        auto const read_only = [](json const& j) { return j.value("readOnly", false); };
        if (auto const d = at(v, "/gcePersistentDisk"); !d.is_null())
            disks.push_back({.id = "gce/" + text(d, "pdName"), .read_only = read_only(d)});
        if (auto const d = at(v, "/awsElasticBlockStore"); !d.is_null())
            disks.push_back({.id = "ebs/" + text(d, "volumeID")});
        if (auto const d = at(v, "/iscsi"); !d.is_null())
            disks.push_back({.id = "iscsi/" + text(d, "iqn"), .read_only = read_only(d)});
        if (auto const d = at(v, "/rbd"); !d.is_null())
            disks.push_back({.id = "rbd/" + text(d, "pool") + '/' + text(d, "image"),
                .monitors = d.at("monitors"),
                .read_only = read_only(d)});
    }
    auto out = schedule::resolve(in, pod.at("metadata").value("namespace", "default"), claims);
    out.disks = std::move(disks);
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
    for (auto const& image : at(j, "/status/images"))
        n.images.emplace_back(image.at("names"), image.value("sizeBytes", std::int64_t{0}));
    return n;
}

pod pod_of(json const& j, json const& args, json const& services = {})
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
    for (char const* const list : {"/containers", "/initContainers"})
        for (auto const& c : at(spec, list)) {
            p.images.push_back(text(c, "image"));
            if (list == std::string_view("/containers") || text(c, "restartPolicy") == "Always")
                for (auto const& port : at(c, "/ports"))
                    p.ports.push_back(
                        {text(port, "hostIP"), text(port, "protocol"), port.value("hostPort", 0)});
        }
    if (p.images.empty())
        p.images.emplace_back();
    p.resident = resident_of(j);
    p.spread = {.namespace_ = p.resident.namespace_,
        .labels = p.resident.labels,
        .choice = p.choice,
        .tolerations = p.tolerations};
    for (auto const& c : at(spec, "/topologySpreadConstraints"))
        p.spread.constraints.push_back(constraint_of(c, p.resident.labels));
    if (p.spread.constraints.empty())
        add_default_constraints(p.spread, args, services);
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
    auto const args = c.value("args", json::object());
    schedule::snapshot<rules> on;
    for (auto const& n : c.at("nodes")) {
        auto one = node_of(n);
        for (auto const& csi : c.value("csiNodes", json::array()))
            if (text(csi.at("metadata"), "name") == one.name)
                for (auto const& d : at(csi, "/spec/drivers"))
                    if (auto const most = at(d, "/allocatable/count"); !most.is_null())
                        one.volume_limits[text(d, "name")] = most;
        on.set(one.name, one);
    }
    auto const storage = storage_of(c);
    auto const pod_with_volumes = [&](json const& p, json const& services) {
        auto out = pod_of(p, args, services);
        out.volumes = volumes_of(p, storage);
        return out;
    };
    for (auto const& p : c.value("pods", json::array()))
        on.bind(text(p.at("spec"), "nodeName"), pod_with_volumes(p, {}));
    auto const wanted = pod_with_volumes(c.at("pod"), c.value("services", json()));
    auto const table = r.explain(on, wanted);

    json got = json::object();
    auto fits = json::array();
    for (auto const& row : table.nodes) {
        auto const& name = on.name(row.node);
        if (row.reasons.empty()) {
            fits.push_back(name);
            if (!row.raw.empty())
                got["scores"][name] = {
                    row.raw.at(0) == schedule::not_scored ? 0 : row.raw.at(0), row.scores.at(0)};
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
    if (auto const why = expected.value("/preFilter/reasons"_json_pointer, json()); !why.is_null()) {
        // Refused before any node was looked at: ours says so for each node.
        expected = {{"filter", {{"fits", json::array()}}}};
        for (auto const& row : table.nodes)
            expected["filter"]["unschedulableAndUnresolvable"][on.name(row.node)] = why;
    }
    expected.erase("preFilter");  // what else a pre-filter says is in the filter's answers
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

std::optional<mismatch> node_ports(json const& c)
{
    return run<filters<schedule::node_ports<&pod::ports>>, scores<>>(c);
}
std::optional<mismatch> image_locality(json const& c)
{
    return run<filters<>, scores<schedule::image_locality<&node::images, &pod::images>>>(c);
}
std::optional<mismatch> volume_restrictions(json const& c)
{
    return run<filters<schedule::volume_restrictions<&pod::volumes>>, scores<>>(c);
}
std::optional<mismatch> volume_zone(json const& c)
{
    return run<filters<schedule::volume_zone<&node::labels, &pod::volumes>>, scores<>>(c);
}
std::optional<mismatch> volume_limits(json const& c)
{
    return run<filters<schedule::node_volume_limits<&node::volume_limits, &pod::volumes>>, scores<>>(c);
}
std::optional<mismatch> volume_binding(json const& c)
{
    return run<filters<schedule::volume_binding<&node::labels, &node::name, &pod::volumes>>, scores<>>(c);
}
std::optional<mismatch> inter_pod_affinity(json const& c)
{
    using plugin = schedule::inter_pod_affinity<&node::labels, &pod::resident>;
    plugin p;
    auto const args = c.value("args", json::object());
    p.hard_weight = args.value("hardPodAffinityWeight", 1);
    p.ignore_preferred_of_existing = args.value("ignorePreferredTermsOfExistingPods", false);
    for (auto const& n : c.value("namespaces", json::array()))
        p.namespaces[text(n.at("metadata"), "name")] = labels_of(n);
    return run<filters<plugin>, scores<plugin>>(c, p);
}
std::optional<mismatch> topology_spread(json const& c)
{
    using plugin =
        schedule::topology_spread<&node::labels, &node::name, &node::taints, &pod::resident, &pod::spread>;
    return run<filters<plugin>, scores<plugin>>(c);
}
// Whole decisions and preemption are those of the shipped default profile.

namespace kubernetes = schedule::kubernetes;

kubernetes::resources resources_of(amounts const& from)
{
    kubernetes::resources out;
    for (auto const& [name, amount] : from)
        if (name == "cpu")
            out.cpu_milli = amount;
        else if (name == "memory")
            out.memory_bytes = amount;
        else if (name == "ephemeral-storage")
            out.storage_bytes = amount;
        else if (name == "pods")
            out.pods = amount;
        else
            out.extended.emplace_back(name, amount);
    return out;
}
kubernetes::node shipped_node_of(json const& j)
{
    auto const n = node_of(j);
    kubernetes::node out{.name = n.name,
        .labels = {n.labels.begin(), n.labels.end()},
        .taints = n.taints,
        .unschedulable = n.unschedulable,
        .allocatable = resources_of(n.allocatable)};
    for (auto const& [names, bytes] : n.images)
        out.images.push_back({names, bytes});
    return out;
}
kubernetes::pod shipped_pod_of(json const& j)
{
    auto const p = pod_of(j, {});
    auto const assumed = [&](char const* resource) {
        auto const found = p.assumed.find(resource);
        return found == p.assumed.end() ? 0 : found->second;
    };
    return {.node_name = p.node_name,
        .requests = resources_of(p.requests),
        .assumed_cpu_milli = assumed("cpu"),
        .assumed_memory_bytes = assumed("memory"),
        .choice = p.choice,
        .tolerations = p.tolerations,
        .ports = p.ports,
        .images = p.images,
        .self = p.resident,
        .spread = p.spread.constraints,
        .spread_needs_all_keys = p.spread.require_all_keys,
        .volumes = p.volumes};
}

/// A case's cluster: the rules, the nodes with their pods, and what is promised to whom.
struct cluster {
    kubernetes::rules rules{};
    schedule::snapshot<kubernetes::rules> on{};
    schedule::nominations<kubernetes::pod> nominated{};
    kubernetes::pod wanted{};
};

int priority(json const& p)
{
    auto const given = at(p, "/spec/priority");
    return given.is_null() ? 0 : given.get<int>();
}

way const sizes{"scheduler: schedule::image_size::kubernetes (podium: own, a node's own word on its image)"};

cluster cluster_of(json const& c)
{
    kubernetes::affinity_to_pods with;
    for (auto const& n : c.value("namespaces", json::array()))
        with.namespaces[text(n.at("metadata"), "name")] = labels_of(n);
    kubernetes::images_there images;
    images.sizes = schedule::image_size::kubernetes;
    cluster out{.rules = kubernetes::rules{with, images}};
    for (auto const& n : c.at("nodes"))
        out.on.set(text(n.at("metadata"), "name"), shipped_node_of(n));
    for (auto const& p : c.value("pods", json::array()))
        out.on.bind(text(p.at("spec"), "nodeName"), shipped_pod_of(p));
    auto const promised = [&](json const& p) {
        return out.on.find(p.value("/status/nominatedNodeName"_json_pointer, std::string()));
    };
    out.nominated.own = promised(c.at("pod"));
    // A nomination of the pod itself is not one of others. Kubernetes tells by uid, and no pod of the cases
    // has one.
    auto const uid = [](json const& p) { return text(p.at("metadata"), "uid"); };
    for (auto const& n : c.value("nominatedPods", json::array()))
        if (priority(n) >= priority(c.at("pod")) && uid(n) != uid(c.at("pod")))
            out.nominated.others.emplace_back(promised(n).value(), shipped_pod_of(n));
    out.wanted = shipped_pod_of(c.at("pod"));
    return out;
}

std::optional<mismatch> decision(json const& c)
{
    auto const [r, on, nominated, wanted] = cluster_of(c);
    auto const table = r.explain(on, wanted, 0, nominated);
    if (table.decision != r.decide(on, wanted, 0, nominated))
        return mismatch{"the decision that follows from the table", "another one"};
    schedule::scheduler<kubernetes::rules> s(on, r);
    for (char const* const what : {"scanned", "remembered", "remembered again"})
        if (s.decide(wanted, nominated) != table.decision)
            return mismatch{"the decision that follows from the table", what};

    auto expected = c.at("expect");
    json got{{"feasible", json::array()}};
    for (auto const& row : table.nodes) {
        auto const& name = on.name(row.node);
        if (row.reasons.empty()) {
            got["feasible"].push_back(name);
            if (bool const by_plugin = c.contains(json::json_pointer("/expect/scores/" + name + "/total"));
                by_plugin)
                got["scores"][name]["total"] = row.score;
            else if (expected.contains("scores"))
                got["scores"][name] = row.score;
            for (std::size_t k = 0; k < row.scores.size(); ++k)
                if (expected.contains(
                        json::json_pointer("/scores/" + name + '/' + std::string(table.scores[k]))))
                    got["scores"][name][std::string(table.scores[k])] = row.scores[k];
            if (row.score == table.decision.score)
                got["top"].push_back(name);
            continue;
        }
        auto& rejected = got["rejected"][name];
        auto const first = row.reasons.front().plugin;
        rejected = {{"code", "Unschedulable"}, {"plugin", table.filters[first]}, {"reasons", json::array()}};
        for (auto const& why : row.reasons)
            if (why.plugin == first) {
                rejected["reasons"].push_back(r.text(first, why.code, r.prepare(wanted)));
                if (why.unresolvable)
                    rejected["code"] = "UnschedulableAndUnresolvable";
            }
        std::sort(rejected["reasons"].begin(), rejected["reasons"].end());
    }
    if (!table.decision.node)
        got["message"] = r.summary(table.decision, wanted);
    if (expected.contains("scores"))
        for (auto& [name, scores] : expected["scores"].items())
            if (scores.is_object())
                scores.erase("DynamicResources");
    for (auto const* part : {"rejected"})
        if (!expected.contains(part))
            got.erase(part);
        else if (!got.contains(part))
            got[part] = json::object();
    return unlike(expected, got);
}

/// "2024-01-01T00:15:00Z".
podium::time_point instant(std::string const& text)
{
    using namespace std::chrono;
    auto const number = [&](std::size_t from, std::size_t n) { return std::stoi(text.substr(from, n)); };
    auto const day = year{number(0, 4)} / number(5, 2) / number(8, 2);
    return sys_days{day} + hours{number(11, 2)} + minutes{number(14, 2)} + seconds{number(17, 2)};
}

std::optional<mismatch> preemption(json const& c)
{
    auto const [r, on, nominated, wanted] = cluster_of(c);
    auto const budgets = c.value("podDisruptionBudgets", json::array());
    std::vector<std::int64_t> allowed;
    for (auto const& b : budgets)
        allowed.push_back(b.value("/status/disruptionsAllowed"_json_pointer, std::int64_t{0}));
    auto const given = c.value("pods", json::array());
    std::vector<kubernetes::pod> bound;
    bound.reserve(given.size());
    std::vector<schedule::occupant<kubernetes::pod>> occupants;
    for (auto const& p : given) {
        auto const started = p.value("/status/startTime"_json_pointer, std::string());
        schedule::occupant<kubernetes::pod> o{.node = on.find(text(p.at("spec"), "nodeName")).value(),
            .pod = &bound.emplace_back(shipped_pod_of(p)),
            .priority = priority(p),
            .started = instant(started)};
        for (std::uint32_t b = 0; b < budgets.size(); ++b) {
            auto const selector = selector_of_pods(at(budgets[b], "/spec/selector"));
            auto const& self = bound.back().self;
            if (budgets[b].at("metadata").value("namespace", "default") == self.namespace_ &&
                !self.labels.empty() && !selector.is_everything() && selector.matches(self.labels) &&
                !at(budgets[b], "/status/disruptedPods").contains(text(p.at("metadata"), "name")))
                o.budgets.push_back(b);
        }
        for (auto const& condition : at(p, "/status/conditions"))
            o.making_room = o.making_room ||
                (p.at("metadata").contains("deletionTimestamp") &&
                    text(condition, "type") == "DisruptionTarget" && text(condition, "status") == "True" &&
                    text(condition, "reason") == "PreemptionByScheduler");
        occupants.push_back(o);
    }
    auto const found = schedule::preempt(r, on, wanted,
        {.priority = priority(c.at("pod")),
            .never = at(c, "/pod/spec/preemptionPolicy") == "Never",
            .nominated = nominated.own},
        occupants, allowed, nominated);
    json got{{"eligible", found.ineligible.empty()}};
    if (!found.ineligible.empty()) {
        got["reason"] = found.ineligible;
        return unlike(c.at("expect"), got);
    }
    std::set<std::uint32_t> potential;
    got["candidates"] = json::object();
    for (auto const& v : found.candidates) {
        auto& out = got["candidates"][on.name(v.node)];
        out = {{"pdbViolations", v.violations}, {"victims", json::array()}};
        for (auto const i : v.pods)
            out["victims"].push_back(given[i].at("metadata").value("namespace", "default") + '/' +
                text(given[i].at("metadata"), "name"));
        potential.insert(v.node);
    }
    for (auto const& h : found.hopeless) {
        auto reasons = json::array();
        for (auto codes = h.codes; codes != 0; codes &= codes - 1)
            reasons.push_back(
                r.text(h.plugin, static_cast<std::uint8_t>(std::countr_zero(codes)), r.prepare(wanted)));
        if (h.codes == 0)
            reasons.push_back("No preemption victims found for incoming pod");
        std::sort(reasons.begin(), reasons.end());
        got["notCandidates"][on.name(h.node)] = {
            {"code", h.unresolvable ? "UnschedulableAndUnresolvable" : "Unschedulable"},
            {"reasons", reasons}};
        potential.insert(h.node);
    }
    got["potentialNodes"] = json::array();
    for (auto const slot : potential)
        got["potentialNodes"].push_back(on.name(slot));
    got["best"] = json::array();
    for (auto const slot : found.best)
        got["best"].push_back(on.name(slot));
    return unlike(c.at("expect"), got);
}

std::optional<mismatch> sampling(json const& c)
{
    return unlike(c.at("expect"),
        {{"nodesToFind", schedule::nodes_to_find(c.at("nodes"), c.value("percentageOfNodesToScore", 0))}});
}

area const scheduler{"scheduler",
    {{"NodeResourcesFit", resources_fit}, {"NodeResourcesBalancedAllocation", balanced},
        {"NodeAffinity", node_affinity}, {"TaintToleration", taint_toleration}, {"NodeName", node_name},
        {"NodeUnschedulable", node_unschedulable}, {"NodePorts", node_ports},
        {"ImageLocality", image_locality}, {"InterPodAffinity", inter_pod_affinity},
        {"PodTopologySpread", topology_spread}, {"decision", decision}, {"decision-large", decision},
        {"preemption", preemption}, {"sampling", sampling}, {"VolumeRestrictions", volume_restrictions},
        {"VolumeZone", volume_zone}, {"NodeVolumeLimits", volume_limits}, {"VolumeBinding", volume_binding}}};

}  // namespace
