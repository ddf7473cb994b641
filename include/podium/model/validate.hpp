#pragma once
/// Validation: what is wrong with an object that decoded well, all of it, each with its path.
///
/// `validate` looks at one object after its defaults were set; `validate_update` at what a change must not
/// touch. Pure, linear in the object but for the sorting that finds duplicates.
///
/// Source: pkg/apis/{core,apps,autoscaling,discovery}/validation in kubernetes at v1.35. Stricter in two
/// places: an environment variable must not be given twice (Kubernetes warns), and a plain container has no
/// restart policy of its own.

#include <podium/core/duration.hpp>
#include <podium/core/names.hpp>
#include <podium/model/codec.hpp>
#include <podium/model/config_hash.hpp>
#include <podium/model/kinds.hpp>
#include <podium/rollout/condition.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <string_view>

namespace podium::inline v0::model {

/// Does the selector take these labels? An empty one takes all. O(requirements x log labels).
[[nodiscard]] inline bool matches(
    label_selector const& selector, std::map<std::string, std::string> const& labels)
{
    for (auto const& [key, value] : selector.match_labels) {
        auto const found = labels.find(key);
        if (found == labels.end() || found->second != value)
            return false;
    }
    for (auto const& want : selector.match_expressions) {
        auto const found = labels.find(want.key);
        bool const given = found != labels.end();
        bool const listed =
            given && std::find(want.values.begin(), want.values.end(), found->second) != want.values.end();
        switch (want.operator_) {
        case label_selector_operator::in:
            if (!listed)
                return false;
            break;
        case label_selector_operator::not_in:
            if (listed)
                return false;
            break;
        case label_selector_operator::exists:
            if (!given)
                return false;
            break;
        case label_selector_operator::does_not_exist:
            if (given)
                return false;
            break;
        }
    }
    return true;
}

namespace detail {

/// A field under examination: where it is, and where to report. Sub-fields point to their parent, so name it.
struct field {
    place at;
    findings& found;

    field operator[](std::string_view name) const& { return {{&at, name}, found}; }
    field operator[](std::size_t index) const& { return {{&at, {}, index}, found}; }
    field key(std::string_view name) const& { return {{&at, name, place::no_index, true}, found}; }
    field operator[](std::string_view) const&& = delete;
    field operator[](std::size_t) const&& = delete;
    field key(std::string_view) const&& = delete;

    void fail(std::string message) const { found.fail(at, std::move(message)); }
    void check(bool holds, char const* message) const
    {
        if (!holds)
            fail(message);
    }
    void check(result<void> const& verdict) const
    {
        if (!verdict)
            fail(verdict.error().message);
    }
    void at_least(std::int64_t value, std::int64_t least) const
    {
        if (value < least)
            fail("must be at least " + std::to_string(least));
    }
    void between(std::int64_t value, std::int64_t least, std::int64_t most) const
    {
        if (value < least || value > most)
            fail("must be from " + std::to_string(least) + " to " + std::to_string(most));
    }
};

using name_rule = result<void> (*)(std::string_view);

/// Reports every item that was there before, by what `id` calls it.
class seen_names {
public:
    void add(std::string_view name, field const& at)
    {
        if (!name.empty() && !names_.insert(std::string(name)).second)
            at.fail("must be unique, this one is given twice");
    }
    [[nodiscard]] bool contains(std::string_view name) const { return names_.count(std::string(name)) != 0; }

private:
    std::set<std::string, std::less<>> names_{};
};

inline void check_required_name(std::string const& name, name_rule rule, field const& at)
{
    if (name.empty())
        at.fail("required");
    else
        at.check(rule(name));
}

inline void check_labels(std::map<std::string, std::string> const& labels, field const& at)
{
    for (auto const& [key, value] : labels) {
        field const label = at.key(key);
        label.check(names::label_key(key));
        label.check(names::label_value(value));
    }
}

inline void check_metadata_maps(object_meta const& meta, field const& at)
{
    check_labels(meta.labels, at["labels"]);
    field const annotations = at["annotations"];
    std::size_t bytes = 0;
    for (auto const& [key, value] : meta.annotations) {
        annotations.key(key).check(names::qualified_name(key));
        bytes += key.size() + value.size();
    }
    annotations.check(bytes <= 256 * 1024, "must be no more than 256 KiB in total");
}

inline void check_metadata(object_meta const& meta, bool namespaced, name_rule rule, field const& object)
{
    field const at = object["metadata"];
    if (!meta.name.empty())
        at["name"].check(rule(meta.name));
    else if (meta.generate_name.empty())
        at["name"].fail("required");
    if (!meta.generate_name.empty())  // as a name that something follows
        at["generateName"].check(rule(meta.generate_name + "0"));
    if (namespaced)
        check_required_name(meta.namespace_, names::dns1123_label, at["namespace"]);
    else
        at["namespace"].check(meta.namespace_.empty(), "must be empty, this kind is cluster-wide");
    at["generation"].at_least(meta.generation, 0);
    check_metadata_maps(meta, at);
    field const owners = at["ownerReferences"];
    bool controlled = false;
    for (std::size_t i = 0; i < meta.owner_references.size(); ++i) {
        auto const& owner = meta.owner_references[i];
        field const o = owners[i];
        o["kind"].check(!owner.kind.empty(), "required");
        o["name"].check(!owner.name.empty(), "required");
        o["uid"].check(!owner.uid.empty(), "required");
        if (owner.controller.value_or(false)) {
            o["controller"].check(!controlled, "only one owner may be the controller");
            controlled = true;
        }
    }
    field const finalizers = at["finalizers"];
    for (std::size_t i = 0; i < meta.finalizers.size(); ++i)
        finalizers[i].check(names::qualified_name(meta.finalizers[i]));
}

inline void check_selector(label_selector const& selector, field const& at)
{
    check_labels(selector.match_labels, at["matchLabels"]);
    field const expressions = at["matchExpressions"];
    for (std::size_t i = 0; i < selector.match_expressions.size(); ++i) {
        auto const& want = selector.match_expressions[i];
        field const e = expressions[i];
        e["key"].check(names::label_key(want.key));
        field const values = e["values"];
        if (want.operator_ == label_selector_operator::in ||
            want.operator_ == label_selector_operator::not_in)
            values.check(!want.values.empty(), "required with In and NotIn");
        else
            values.check(want.values.empty(), "must be empty with Exists and DoesNotExist");
        for (std::size_t k = 0; k < want.values.size(); ++k)
            values[k].check(names::label_value(want.values[k]));
    }
}

inline void check_port_number(std::int64_t port, field const& at)
{
    at.between(port, 1, 65535);
}

inline void check_port(int_or_string const& port, field const& at)
{
    if (port.is_number())
        check_port_number(port.number(), at);
    else
        at.check(names::port_name(port.name()));
}

inline void check_resources(resource_list const& amounts, field const& at)
{
    for (auto const& [name, amount] : amounts) {
        field const a = at.key(name);
        a.check(names::qualified_name(name));
        a.check(amount.sign() >= 0, "must not be negative");
    }
}

inline void check_http(http_get_action const& http, field const& at)
{
    check_port(http.port, at["port"]);
    at["path"].check(http.path.empty() || http.path.front() == '/', "must begin with '/'");
    field const headers = at["httpHeaders"];
    for (std::size_t i = 0; i < http.http_headers.size(); ++i) {
        field const header = headers[i];
        auto const& name = http.http_headers[i].name;
        bool const token = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
        });
        header["name"].check(token, "must be an HTTP header name");
        bool const one_line =
            http.http_headers[i].value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos;
        header["value"].check(one_line, "must be one line");
    }
}

inline void check_handlers(std::optional<http_get_action> const& http,
    std::optional<tcp_socket_action> const& tcp, std::optional<exec_action> const& exec, bool other,
    char const* words, field const& at)
{
    at.check(int{http.has_value()} + int{tcp.has_value()} + int{exec.has_value()} + int{other} == 1, words);
    if (http)
        check_http(*http, at["httpGet"]);
    if (tcp) {
        field const socket = at["tcpSocket"];
        check_port(tcp->port, socket["port"]);
    }
    if (exec) {
        field const action = at["exec"];
        action["command"].check(!exec->command.empty(), "required");
    }
}

enum class probe_role { liveness, readiness };  // startup probes obey liveness' rules

inline void check_probe(boxed<probe> const& probe, probe_role role, field const& at)
{
    if (!probe)
        return;
    check_handlers(probe->http_get, probe->tcp_socket, probe->exec, false,
        "expected one of httpGet, tcpSocket, exec", at);
    at["initialDelaySeconds"].at_least(probe->initial_delay_seconds, 0);
    at["timeoutSeconds"].at_least(probe->timeout_seconds, 1);
    at["periodSeconds"].at_least(probe->period_seconds, 1);
    at["successThreshold"].at_least(probe->success_threshold, 1);
    at["failureThreshold"].at_least(probe->failure_threshold, 1);
    if (role == probe_role::liveness)
        at["successThreshold"].check(probe->success_threshold <= 1, "must be 1 for liveness and startup");
    if (probe->termination_grace_period_seconds) {
        if (role == probe_role::readiness)
            at["terminationGracePeriodSeconds"].fail("not for readiness: it stops nothing");
        else
            at["terminationGracePeriodSeconds"].at_least(*probe->termination_grace_period_seconds, 1);
    }
}

inline void check_hook(boxed<lifecycle_handler> const& hook, std::int64_t grace_seconds, field const& at)
{
    if (!hook)
        return;
    check_handlers(hook->http_get, std::nullopt, hook->exec, hook->sleep.has_value(),
        "expected one of exec, httpGet, sleep", at);
    field const sleep = at["sleep"];
    if (hook->sleep && (hook->sleep->seconds < 0 || hook->sleep->seconds > grace_seconds))
        sleep["seconds"].fail("must be from 0 to terminationGracePeriodSeconds");
}

inline bool is_downward_field(std::string_view path)
{
    for (std::string_view const known :
        {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
            "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"})
        if (path == known)
            return true;
    for (std::string_view const map : {"metadata.labels['", "metadata.annotations['"})
        if (path.starts_with(map) && path.ends_with("']") && path.size() >= map.size() + 2)
            return names::qualified_name(path.substr(map.size(), path.size() - map.size() - 2)).has_value();
    return false;
}

inline void check_field_ref(object_field_selector const& ref, bool whole_maps, field const& at)
{
    bool const map = ref.field_path == "metadata.labels" || ref.field_path == "metadata.annotations";
    at["fieldPath"].check((whole_maps && map) || is_downward_field(ref.field_path),
        "expected a field such as metadata.name, metadata.labels['key'], spec.nodeName or status.podIP");
}

inline void check_resource_ref(resource_field_selector const& ref, field const& at)
{
    bool known = false;
    for (std::string_view const name : {"limits.cpu", "limits.memory", "limits.ephemeral-storage",
             "requests.cpu", "requests.memory", "requests.ephemeral-storage"})
        known = known || ref.resource == name;
    at["resource"].check(known, "expected limits or requests of cpu, memory or ephemeral-storage");
    at["divisor"].check(!ref.divisor || ref.divisor->sign() > 0, "must be positive");
}

inline void check_key_ref(key_selector const& ref, field const& at)
{
    check_required_name(ref.name, names::dns1123_subdomain, at["name"]);
    check_required_name(ref.key, names::config_map_key, at["key"]);
}

inline void check_env(container const& c, field const& at)
{
    field const env = at["env"];
    seen_names seen;
    for (std::size_t i = 0; i < c.env.size(); ++i) {
        auto const& variable = c.env[i];
        field const v = env[i];
        check_required_name(variable.name, names::env_var_name, v["name"]);
        seen.add(variable.name, v["name"]);
        if (!variable.value_from)
            continue;
        auto const& from = *variable.value_from;
        field const source = v["valueFrom"];
        source.check(variable.value.empty(), "must not be given beside value");
        source.check(int{from.field_ref.has_value()} + int{from.resource_field_ref.has_value()} +
                    int{from.config_map_key_ref.has_value()} + int{from.secret_key_ref.has_value()} ==
                1,
            "expected one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef");
        if (from.field_ref)
            check_field_ref(*from.field_ref, false, source["fieldRef"]);
        if (from.resource_field_ref)
            check_resource_ref(*from.resource_field_ref, source["resourceFieldRef"]);
        if (from.config_map_key_ref)
            check_key_ref(*from.config_map_key_ref, source["configMapKeyRef"]);
        if (from.secret_key_ref)
            check_key_ref(*from.secret_key_ref, source["secretKeyRef"]);
    }
    field const env_from = at["envFrom"];
    for (std::size_t i = 0; i < c.env_from.size(); ++i) {
        auto const& source = c.env_from[i];
        field const s = env_from[i];
        if (!source.prefix.empty())
            s["prefix"].check(names::env_var_name(source.prefix));
        s.check(source.config_map_ref.has_value() != source.secret_ref.has_value(),
            "expected one of configMapRef, secretRef");
        field const map = s["configMapRef"];
        if (source.config_map_ref)
            check_required_name(source.config_map_ref->name, names::dns1123_subdomain, map["name"]);
        field const secret = s["secretRef"];
        if (source.secret_ref)
            check_required_name(source.secret_ref->name, names::dns1123_subdomain, secret["name"]);
    }
}

/// Inside of the directory it is relative to: not absolute, no "..".
inline bool stays_inside(std::string_view path)
{
    if (path.starts_with('/'))
        return false;
    for (;;) {
        auto const slash = path.find('/');
        if (path.substr(0, slash) == "..")
            return false;
        if (slash == path.npos)
            return true;
        path.remove_prefix(slash + 1);
    }
}

inline void check_ports(std::vector<container_port> const& list, field const& ports)
{
    seen_names seen;
    for (std::size_t i = 0; i < list.size(); ++i) {
        field const port = ports[i];
        if (!list[i].name.empty())
            port["name"].check(names::port_name(list[i].name));
        seen.add(list[i].name, port["name"]);
        check_port_number(list[i].container_port_, port["containerPort"]);
        port["hostPort"].between(list[i].host_port, 0, 65535);
    }
}

inline void check_mounts(
    std::vector<volume_mount> const& list, seen_names const& volumes, field const& mounts)
{
    seen_names paths;
    for (std::size_t i = 0; i < list.size(); ++i) {
        field const mount = mounts[i];
        mount["name"].check(volumes.contains(list[i].name), "no such volume in spec.volumes");
        mount["mountPath"].check(!list[i].mount_path.empty(), "required");
        mount["mountPath"].check(list[i].mount_path.find(':') == std::string::npos, "must not contain ':'");
        paths.add(list[i].mount_path, mount["mountPath"]);
        mount["subPath"].check(stays_inside(list[i].sub_path), "must be a relative path without '..'");
    }
}

enum class container_role { init, main };

inline void check_container(container const& c, container_role role, pod_spec const& spec,
    seen_names const& volumes, seen_names& containers, field const& at)
{
    check_required_name(c.name, names::dns1123_label, at["name"]);
    containers.add(c.name, at["name"]);
    bool const padded = !c.image.empty() && (c.image.front() == ' ' || c.image.back() == ' ');
    at["image"].check(!c.image.empty(), "required");
    at["image"].check(!padded, "must not begin or end with a space");
    check_ports(c.ports, at["ports"]);
    check_env(c, at);
    check_mounts(c.volume_mounts, volumes, at["volumeMounts"]);

    field const resources = at["resources"];
    check_resources(c.resources.limits, resources["limits"]);
    field const requests = resources["requests"];
    check_resources(c.resources.requests, requests);
    for (auto const& [name, limit] : c.resources.limits)
        if (auto const request = c.resources.requests.find(name); request != c.resources.requests.end())
            requests.key(name).check(request->second <= limit, "must not be more than the limit");

    check_probe(c.liveness_probe, probe_role::liveness, at["livenessProbe"]);
    check_probe(c.startup_probe, probe_role::liveness, at["startupProbe"]);
    check_probe(c.readiness_probe, probe_role::readiness, at["readinessProbe"]);
    field const lifecycle = at["lifecycle"];
    if (c.lifecycle) {
        check_hook(c.lifecycle->post_start, spec.termination_grace_period_seconds, lifecycle["postStart"]);
        check_hook(c.lifecycle->pre_stop, spec.termination_grace_period_seconds, lifecycle["preStop"]);
    }
    if (role == container_role::main) {
        at["restartPolicy"].check(!c.restart_policy, "only for init containers");
    } else {
        bool const sidecar = c.restart_policy == restart_policy::always;
        at["restartPolicy"].check(!c.restart_policy || sidecar, "expected \"Always\" (a sidecar) or nothing");
        bool const plain = !c.liveness_probe && !c.readiness_probe && !c.startup_probe && !c.lifecycle;
        at.check(sidecar || plain,
            "an init container has neither probes nor lifecycle, unless restartPolicy is Always");
    }
}

inline void check_mode(std::optional<std::int32_t> const& mode, field const& at)
{
    if (mode)
        at.between(*mode, 0, 0777);
}

inline void check_items(std::vector<key_to_path> const& items, field const& at)
{
    for (std::size_t i = 0; i < items.size(); ++i) {
        field const item = at[i];
        check_required_name(items[i].key, names::config_map_key, item["key"]);
        item["path"].check(
            !items[i].path.empty() && stays_inside(items[i].path), "must be a relative path without '..'");
        check_mode(items[i].mode, item["mode"]);
    }
}

inline void check_volume(volume const& v, field const& at)
{
    at.check(int{v.empty_dir.has_value()} + int{v.host_path.has_value()} + int{v.config_map.has_value()} +
                int{v.secret.has_value()} + int{v.downward_api.has_value()} +
                int{v.persistent_volume_claim.has_value()} ==
            1,
        "expected one of emptyDir, hostPath, configMap, secret, downwardAPI, persistentVolumeClaim");
    if (v.persistent_volume_claim) {
        field const source = at["persistentVolumeClaim"];
        check_required_name(
            v.persistent_volume_claim->claim_name, names::dns1123_subdomain, source["claimName"]);
    }
    if (v.empty_dir) {
        field const source = at["emptyDir"];
        source["sizeLimit"].check(
            !v.empty_dir->size_limit || v.empty_dir->size_limit->sign() >= 0, "must not be negative");
    }
    if (v.host_path) {
        field const source = at["hostPath"];
        auto const& path = v.host_path->path;
        source["path"].check(!path.empty(), "required");
        source["path"].check(stays_inside(std::string_view(path).substr(path.starts_with('/') ? 1 : 0)),
            "must not contain '..'");
    }
    if (v.config_map) {
        field const source = at["configMap"];
        check_required_name(v.config_map->name, names::dns1123_subdomain, source["name"]);
        check_items(v.config_map->items, source["items"]);
        check_mode(v.config_map->default_mode, source["defaultMode"]);
    }
    if (v.secret) {
        field const source = at["secret"];
        check_required_name(v.secret->secret_name, names::dns1123_subdomain, source["secretName"]);
        check_items(v.secret->items, source["items"]);
        check_mode(v.secret->default_mode, source["defaultMode"]);
    }
    if (v.downward_api) {
        field const source = at["downwardAPI"];
        field const items = source["items"];
        check_mode(v.downward_api->default_mode, source["defaultMode"]);
        for (std::size_t i = 0; i < v.downward_api->items.size(); ++i) {
            auto const& file = v.downward_api->items[i];
            field const item = items[i];
            item["path"].check(
                !file.path.empty() && stays_inside(file.path), "must be a relative path without '..'");
            item.check(file.field_ref.has_value() != file.resource_field_ref.has_value(),
                "expected one of fieldRef, resourceFieldRef");
            if (file.field_ref)
                check_field_ref(*file.field_ref, true, item["fieldRef"]);
            if (file.resource_field_ref)
                check_resource_ref(*file.resource_field_ref, item["resourceFieldRef"]);
            check_mode(file.mode, item["mode"]);
        }
    }
}

inline bool is_integer(std::string_view text) noexcept
{
    std::int64_t value = 0;
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc{} && end == text.data() + text.size();
}

inline void check_node_requirements(
    std::vector<node_selector_requirement> const& list, bool of_fields, field const& at)
{
    using op = node_selector_operator;
    for (std::size_t i = 0; i < list.size(); ++i) {
        auto const& want = list[i];
        field const r = at[i];
        field const values = r["values"];
        if (of_fields) {
            r["key"].check(want.key == "metadata.name", "expected \"metadata.name\"");
            r["operator"].check(
                want.operator_ == op::in || want.operator_ == op::not_in, "expected In or NotIn");
            values.check(want.values.size() == 1, "expected one value");
            continue;
        }
        r["key"].check(names::label_key(want.key));
        switch (want.operator_) {
        case op::in:
        case op::not_in: values.check(!want.values.empty(), "required with In and NotIn"); break;
        case op::exists:
        case op::does_not_exist:
            values.check(want.values.empty(), "must be empty with Exists and DoesNotExist");
            break;
        case op::gt:
        case op::lt:
            values.check(want.values.size() == 1 && is_integer(want.values[0]), "expected one integer");
            break;
        }
    }
}

inline void check_node_term(node_selector_term const& term, field const& at)
{
    check_node_requirements(term.match_expressions, false, at["matchExpressions"]);
    check_node_requirements(term.match_fields, true, at["matchFields"]);
}

inline void check_node_affinity(node_affinity const& affinity, field const& at)
{
    field const required = at["requiredDuringSchedulingIgnoredDuringExecution"];
    field const terms = required["nodeSelectorTerms"];
    if (auto const& want = affinity.required_during_scheduling_ignored_during_execution) {
        terms.check(!want->node_selector_terms.empty(), "required");
        for (std::size_t i = 0; i < want->node_selector_terms.size(); ++i)
            check_node_term(want->node_selector_terms[i], terms[i]);
    }
    field const preferred = at["preferredDuringSchedulingIgnoredDuringExecution"];
    auto const& wishes = affinity.preferred_during_scheduling_ignored_during_execution;
    for (std::size_t i = 0; i < wishes.size(); ++i) {
        field const wish = preferred[i];
        wish["weight"].between(wishes[i].weight, 1, 100);
        check_node_term(wishes[i].preference, wish["preference"]);
    }
}

inline void check_topology_key(std::string const& key, field const& at)
{
    check_required_name(key, names::label_key, at);
}

/// A key that is merged into the selector must not be asked for there by other means too.
inline void check_label_keys(std::vector<std::string> const& keys, boxed<label_selector> const& selector,
    bool exclusive, field const& at)
{
    at.check(keys.empty() || selector, "must not be given without labelSelector");
    for (std::size_t i = 0; i < keys.size(); ++i) {
        field const key = at[i];
        key.check(names::label_key(keys[i]));
        if (!exclusive || !selector)
            continue;
        std::size_t asked = selector->match_labels.count(keys[i]);
        for (auto const& e : selector->match_expressions)
            asked += e.key == keys[i] ? 1u : 0u;
        key.check(asked <= 1, "must not be in labelSelector too");  // once: what was merged
    }
}

inline void check_pod_affinity_term(pod_affinity_term const& term, field const& at)
{
    if (term.label_selector)
        check_selector(*term.label_selector, at["labelSelector"]);
    if (term.namespace_selector)
        check_selector(*term.namespace_selector, at["namespaceSelector"]);
    field const namespaces = at["namespaces"];
    for (std::size_t i = 0; i < term.namespaces.size(); ++i)
        namespaces[i].check(names::dns1123_label(term.namespaces[i]));
    check_topology_key(term.topology_key, at["topologyKey"]);
    field const match = at["matchLabelKeys"];
    check_label_keys(term.match_label_keys, term.label_selector, true, match);
    check_label_keys(term.mismatch_label_keys, term.label_selector, false, at["mismatchLabelKeys"]);
    auto const& other = term.mismatch_label_keys;
    for (std::size_t i = 0; i < term.match_label_keys.size(); ++i)
        match[i].check(std::find(other.begin(), other.end(), term.match_label_keys[i]) == other.end(),
            "must not be in mismatchLabelKeys too");
}

inline void check_pod_affinity(boxed<pod_affinity> const& wishes, field const& at)
{
    if (!wishes)
        return;
    field const required = at["requiredDuringSchedulingIgnoredDuringExecution"];
    auto const& terms = wishes->required_during_scheduling_ignored_during_execution;
    for (std::size_t i = 0; i < terms.size(); ++i)
        check_pod_affinity_term(terms[i], required[i]);
    field const preferred = at["preferredDuringSchedulingIgnoredDuringExecution"];
    auto const& weighted = wishes->preferred_during_scheduling_ignored_during_execution;
    for (std::size_t i = 0; i < weighted.size(); ++i) {
        field const wish = preferred[i];
        wish["weight"].between(weighted[i].weight, 1, 100);
        check_pod_affinity_term(weighted[i].pod_affinity_term, wish["podAffinityTerm"]);
    }
}

inline void check_spread(shared_list<topology_spread_constraint> const& constraints, field const& at)
{
    seen_names seen;
    for (std::size_t i = 0; i < constraints.size(); ++i) {
        auto const& c = constraints[i];
        field const one = at[i];
        bool const hard = c.when_unsatisfiable == unsatisfiable_action::do_not_schedule;
        one["maxSkew"].at_least(c.max_skew, 1);
        check_topology_key(c.topology_key, one["topologyKey"]);
        seen.add(c.topology_key + (hard ? "!" : "?"), one);
        if (c.min_domains) {
            one["minDomains"].at_least(*c.min_domains, 1);
            one["minDomains"].check(hard, "only with whenUnsatisfiable DoNotSchedule");
        }
        if (c.label_selector)
            check_selector(*c.label_selector, one["labelSelector"]);
        check_label_keys(c.match_label_keys, c.label_selector, true, one["matchLabelKeys"]);
    }
}

inline void check_gates(shared_list<pod_scheduling_gate> const& gates, field const& at)
{
    seen_names seen;
    for (std::size_t i = 0; i < gates.size(); ++i) {
        field const gate = at[i];
        check_required_name(gates[i].name, names::qualified_name, gate["name"]);
        seen.add(gates[i].name, gate["name"]);
    }
}

inline void check_toleration(toleration const& t, field const& at)
{
    if (!t.key.empty())
        at["key"].check(names::label_key(t.key));
    else
        at["operator"].check(
            t.operator_ == toleration_operator::exists, "must be Exists when there is no key");
    if (t.operator_ == toleration_operator::exists)
        at["value"].check(t.value.empty(), "must be empty with Exists");
    else
        at["value"].check(names::label_value(t.value));
    at["effect"].check(!t.toleration_seconds || t.effect == taint_effect::no_execute,
        "must be NoExecute with tolerationSeconds");
}

inline void check_pod_spec(pod_spec const& spec, field const& at)
{
    field const volumes = at["volumes"];
    seen_names volume_names;
    for (std::size_t i = 0; i < spec.volumes.size(); ++i) {
        field const v = volumes[i];
        check_required_name(spec.volumes[i].name, names::dns1123_label, v["name"]);
        volume_names.add(spec.volumes[i].name, v["name"]);
        check_volume(spec.volumes[i], v);
    }
    seen_names container_names;
    field const init = at["initContainers"];
    for (std::size_t i = 0; i < spec.init_containers.size(); ++i)
        check_container(
            spec.init_containers[i], container_role::init, spec, volume_names, container_names, init[i]);
    field const containers = at["containers"];
    containers.check(!spec.containers.empty(), "required");
    for (std::size_t i = 0; i < spec.containers.size(); ++i)
        check_container(
            spec.containers[i], container_role::main, spec, volume_names, container_names, containers[i]);

    check_labels(spec.node_selector, at["nodeSelector"]);
    field const affinity = at["affinity"];
    if (spec.affinity && spec.affinity->node_affinity)
        check_node_affinity(*spec.affinity->node_affinity, affinity["nodeAffinity"]);
    if (spec.affinity) {
        check_pod_affinity(spec.affinity->pod_affinity, affinity["podAffinity"]);
        check_pod_affinity(spec.affinity->pod_anti_affinity, affinity["podAntiAffinity"]);
    }
    check_spread(spec.topology_spread_constraints, at["topologySpreadConstraints"]);
    check_gates(spec.scheduling_gates, at["schedulingGates"]);
    if (spec.overhead)
        check_resources(*spec.overhead, at["overhead"]);
    field const tolerations = at["tolerations"];
    for (std::size_t i = 0; i < spec.tolerations.size(); ++i)
        check_toleration(spec.tolerations[i], tolerations[i]);

    at["terminationGracePeriodSeconds"].at_least(spec.termination_grace_period_seconds, 0);
    if (spec.active_deadline_seconds)
        at["activeDeadlineSeconds"].at_least(*spec.active_deadline_seconds, 1);
    for (auto const& [name, value] :
        {std::pair<std::string_view, std::string const*>{"nodeName", &spec.node_name},
            {"serviceAccountName", &spec.service_account_name},
            {"priorityClassName", &spec.priority_class_name}, {"schedulerName", &spec.scheduler_name}})
        if (!value->empty())
            at[name].check(names::dns1123_subdomain(*value));
    for (auto const& [name, value] :
        {std::pair<std::string_view, std::string const*>{"hostname", &spec.hostname},
            {"subdomain", &spec.subdomain}})
        if (!value->empty())
            at[name].check(names::dns1123_label(*value));
}

/// What ReplicaSets and Deployments have in common.
template<class Spec>
void check_replicated(Spec const& spec, field const& at)
{
    at["replicas"].at_least(spec.replicas, 0);
    at["minReadySeconds"].at_least(spec.min_ready_seconds, 0);
    field const selector = at["selector"];
    check_selector(spec.selector, selector);
    bool const empty = spec.selector.match_labels.empty() && spec.selector.match_expressions.empty();
    selector.check(!empty, "must not be empty, it would select every pod");
    field const pod_template = at["template"];
    field const meta = pod_template["metadata"];
    check_metadata_maps(spec.template_.metadata, meta);
    if (!empty)
        meta["labels"].check(
            matches(spec.selector, spec.template_.metadata.labels), "must be matched by spec.selector");
    field const pods = pod_template["spec"];
    check_pod_spec(spec.template_.spec, pods);
    pods["restartPolicy"].check(
        spec.template_.spec.restart_policy == restart_policy::always, "must be \"Always\" here");
    pods["activeDeadlineSeconds"].check(
        !spec.template_.spec.active_deadline_seconds, "must not be given here");
}

/// A wish that is spelled wrong must not be taken for none.
inline void check_restart(object_meta const& meta, field const& object)
{
    auto const it = meta.annotations.find(std::string(restart_on_config_change_annotation));
    if (it == meta.annotations.end())
        return;
    field const at = object["metadata"];
    field const annotations = at["annotations"];
    annotations.key(it->first).check(
        it->second == "true" || it->second == "false", "must be \"true\" or \"false\"");
}

inline bool is_ipv4(std::string_view text) noexcept
{
    for (int part = 0; part < 4; ++part) {
        auto const end = text.find('.');
        auto const digits = text.substr(0, end);
        unsigned value = 256;
        auto const [stop, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        bool const clean = failed == std::errc{} && stop == digits.data() + digits.size() && value <= 255;
        if (!clean || (digits.size() > 1 && digits.front() == '0') || (end == text.npos) != (part == 3))
            return false;
        if (part < 3)
            text.remove_prefix(end + 1);
    }
    return true;
}

template<class F>
field_errors collect(F&& check)
{
    findings found;
    check(field{place{}, found});
    return std::move(found.errors);
}

/// Both give files to a pod: the same rules for names and size.
template<class Map>
void check_data(Map const& data, std::size_t& bytes, field const& at, auto const& size_of)
{
    for (auto const& [key, value] : data) {
        at.key(key).check(names::config_map_key(key));
        bytes += size_of(value);
    }
}

}  // namespace detail

[[nodiscard]] inline field_errors validate(pod const& p)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(p.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        detail::check_pod_spec(p.spec, spec);
        spec["nodeName"].check(p.spec.node_name.empty() || p.spec.scheduling_gates.empty(),
            "must be empty as long as there are schedulingGates");
    });
}

[[nodiscard]] inline field_errors validate(replica_set const& set)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(set.metadata, true, names::dns1123_subdomain, at);
        detail::check_replicated(set.spec, at["spec"]);
    });
}

[[nodiscard]] inline field_errors validate(deployment const& d)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(d.metadata, true, names::dns1123_subdomain, at);
        detail::check_restart(d.metadata, at);
        detail::field const spec = at["spec"];
        detail::check_replicated(d.spec, spec);
        spec["revisionHistoryLimit"].at_least(d.spec.revision_history_limit, 0);
        spec["progressDeadlineSeconds"].check(
            d.spec.progress_deadline_seconds > d.spec.min_ready_seconds, "must be more than minReadySeconds");
        detail::field const strategy = spec["strategy"];
        detail::field const rolling = strategy["rollingUpdate"];
        if (!d.spec.strategy.rolling_update)
            return;
        if (d.spec.strategy.type == deployment_strategy_type::recreate)
            return rolling.fail("must not be given with type Recreate");
        auto const surge = d.spec.strategy.rolling_update->max_surge.value_or(int_or_percent::percent(25));
        auto const unavailable =
            d.spec.strategy.rolling_update->max_unavailable.value_or(int_or_percent::percent(25));
        rolling["maxSurge"].at_least(surge.value, 0);
        rolling["maxUnavailable"].at_least(unavailable.value, 0);
        rolling["maxUnavailable"].check(
            !unavailable.is_percent() || unavailable.value <= 100, "must be no more than 100%");
        rolling["maxUnavailable"].check(surge.value != 0 || unavailable.value != 0,
            "must not be 0 when maxSurge is 0: nothing could ever change");
    });
}

namespace detail {

inline void check_analysis(auto const& analysis, field const& at)
{
    if (!analysis)
        return;
    field const templates = at["templates"];
    templates.check(!analysis->templates.empty(), "required");
    for (std::size_t i = 0; i < analysis->templates.size(); ++i) {
        field const one = templates[i];
        check_required_name(
            analysis->templates[i].template_name, names::dns1123_subdomain, one["templateName"]);
    }
}

inline void check_service_name(std::string const& name, bool is_required, field const& at)
{
    if (is_required || !name.empty())
        check_required_name(name, names::dns1035_label, at);
}

inline void check_blue_green(blue_green_strategy const& b, std::int32_t replicas, field const& at)
{
    check_service_name(b.active_service, true, at["activeService"]);
    check_service_name(b.preview_service, false, at["previewService"]);
    at["previewService"].check(
        b.preview_service != b.active_service, "must be another one: it would lead to both colours");
    if (b.preview_replica_count)
        at["previewReplicaCount"].between(*b.preview_replica_count, 0, replicas);
    at["autoPromotionSeconds"].at_least(b.auto_promotion_seconds, 0);
    at["autoPromotionSeconds"].check(b.auto_promotion_enabled || b.auto_promotion_seconds == 0,
        "means nothing when autoPromotionEnabled is false");
    at["scaleDownDelaySeconds"].at_least(b.scale_down_delay_seconds, 0);
    at["abortScaleDownDelaySeconds"].at_least(b.abort_scale_down_delay_seconds, 0);
    check_analysis(b.pre_promotion_analysis, at["prePromotionAnalysis"]);
    check_analysis(b.post_promotion_analysis, at["postPromotionAnalysis"]);
}

inline void check_canary_step(canary_step const& s, std::int32_t& weight, field const& at)
{
    int const given = s.set_weight.has_value() + s.pause.has_value() + s.set_canary_scale.has_value() +
        s.analysis.has_value();
    if (given != 1)
        return at.fail("expected one of setWeight, pause, setCanaryScale and analysis");
    if (s.set_weight) {
        at["setWeight"].between(*s.set_weight, 0, 100);
        at["setWeight"].check(*s.set_weight >= weight,
            "must not be less than in a step before: an abort goes back, steps go on");
        weight = *s.set_weight;
    }
    field const pause = at["pause"];
    if (s.pause && !s.pause->duration.empty()) {
        if (s.pause->duration.is_number())
            pause["duration"].at_least(s.pause->duration.number(), 1);
        else if (auto const d = parse_duration(s.pause->duration.name()); !d)
            pause["duration"].fail(d.error().message);
        else
            pause["duration"].check(*d > duration::zero(), "must be longer than 0");
    }
    field const scale = at["setCanaryScale"];
    if (s.set_canary_scale) {
        auto const& c = *s.set_canary_scale;
        scale.check(c.replicas.has_value() + c.weight.has_value() + c.match_traffic_weight == 1,
            "expected one of replicas, weight and matchTrafficWeight");
        if (c.replicas)
            scale["replicas"].at_least(*c.replicas, 0);
        if (c.weight)
            scale["weight"].between(*c.weight, 0, 100);
    }
    check_analysis(s.analysis, at["analysis"]);
}

inline void check_optional_token(std::string const& name, field const& at)
{
    if (!name.empty())
        at.check(names::http_token(name));
}
inline void check_sticky(std::optional<sticky_sessions> const& sticky, field const& at)
{
    if (!sticky)
        return;
    at.check(sticky->cookie.empty() != sticky->header.empty(), "expected a cookie or a header, and not both");
    check_optional_token(sticky->cookie, at["cookie"]);
    check_optional_token(sticky->header, at["header"]);
}

inline void check_canary(canary_strategy const& c, field const& at)
{
    bool const routed = c.traffic_routing.has_value();
    check_service_name(c.stable_service, routed, at["stableService"]);
    check_service_name(c.canary_service, false, at["canaryService"]);
    at["canaryService"].check(c.canary_service.empty() || c.canary_service != c.stable_service,
        "must be another one: it would lead to both versions");
    at["dynamicStableScale"].check(!c.dynamic_stable_scale || routed, "needs trafficRouting");
    at["scaleDownDelaySeconds"].at_least(c.scale_down_delay_seconds, 0);
    at["abortScaleDownDelaySeconds"].at_least(c.abort_scale_down_delay_seconds, 0);
    auto const surge = c.max_surge.value_or(int_or_percent::percent(25));
    auto const unavailable = c.max_unavailable.value_or(int_or_percent::percent(25));
    at["maxSurge"].at_least(surge.value, 0);
    at["maxUnavailable"].at_least(unavailable.value, 0);
    at["maxUnavailable"].check(surge.value != 0 || unavailable.value != 0,
        "must not be 0 when maxSurge is 0: nothing could ever change");
    field const steps = at["steps"];
    std::int32_t weight = 0;
    for (std::size_t i = 0; i < c.steps.size(); ++i)
        check_canary_step(c.steps[i], weight, steps[i]);
    field const analysis = at["analysis"];
    check_analysis(c.analysis, analysis);
    if (c.analysis && c.analysis->starting_step)
        analysis["startingStep"].between(
            *c.analysis->starting_step, 0, static_cast<std::int64_t>(c.steps.size()));
    field const routing = at["trafficRouting"];
    field const ours = routing["podium"];
    if (routed && c.traffic_routing->podium) {
        check_sticky(c.traffic_routing->podium->sticky, ours["sticky"]);
        check_optional_token(c.traffic_routing->podium->conversion_header, ours["conversionHeader"]);
    }
}

}  // namespace detail

namespace detail {

/// What an argument is still to be put into, "{{args.limit}}", is looked at when the analysis begins.
inline bool is_open(std::string const& text)
{
    return text.find("{{") != std::string::npos;
}
/// `parse_duration` knows no negative ones.
inline void check_duration(std::string const& text, bool may_be_zero, field const& at)
{
    if (text.empty() || is_open(text))
        return;
    if (auto const d = parse_duration(text); !d)
        at.fail(d.error().message);
    else
        at.check(may_be_zero || *d > duration::zero(), "must be longer than 0");
}
inline void check_conditions(std::string const& text, field const& at)
{
    if (is_open(text))
        return;
    if (auto const all = podium::rollout::analysis::parse_conditions(text); !all)
        at.fail(all.error().message);
}

inline void check_provider(metric_provider const& p, field const& at)
{
    if (p.podium.has_value() + p.prometheus.has_value() + p.web.has_value() + p.job.has_value() +
            p.command.has_value() !=
        1)
        return at.fail("expected one of podium, prometheus, web, job and command");
    auto const inside = [](double v, double low, double high) { return v > low && v < high; };  // not for NaN
    if (p.podium) {
        auto const& m = *p.podium;
        field const ours = at["podium"];
        ours["alpha"].check(m.alpha > 0 && m.alpha <= 0.5, "must be more than 0, and at most 0.5");
        ours["margin"].check(inside(m.margin, 0, 1), "must be more than 0 and less than 1");
        if (m.effect)
            ours["effect"].check(
                *m.effect >= 1e-9 && *m.effect < 1, "must be at least 0.000000001 and less than 1");
        else
            ours["effect"].check(
                m.question == release_question::not_worse, "required when the question is better");
        if (m.expected)
            ours["expected"].check(*m.expected >= 0 && *m.expected <= 1, "must be from 0 to 1");
        ours["minimum"].at_least(m.minimum, 0);
        ours["horizon"].check(
            m.horizon >= std::max<std::int64_t>(m.minimum, 1), "must be at least minimum, and 1");
        if (m.slower_than)
            ours["slowerThan"].check(inside(*m.slower_than, 0, 1e6), "expected seconds, more than 0");
        ours["slowerThan"].check((m.measure == traffic_measure::latency) == m.slower_than.has_value(),
            "is needed for latency, and means nothing else");
    }
    field const prometheus = at["prometheus"];
    if (p.prometheus) {
        prometheus["address"].check(!p.prometheus->address.empty(), "required");
        prometheus["query"].check(!p.prometheus->query.empty(), "required");
    }
    field const web = at["web"];
    if (p.web) {
        web["url"].check(p.web->url.starts_with("http://"), "expected a URL that begins with http://");
        web["timeoutSeconds"].at_least(p.web->timeout_seconds, 1);
    }
    field const job = at["job"];
    field const spec = job["spec"];
    field const pod_template = spec["template"];
    field const pod = pod_template["spec"];
    if (p.job)
        spec.check(p.job->spec.has_value(), "required");
    if (p.job && p.job->spec) {
        check_pod_spec(p.job->spec->template_.spec, pod);
        pod["restartPolicy"].check(p.job->spec->template_.spec.restart_policy == restart_policy::never,
            "must be \"Never\" here: backoffLimit says how often it is tried");
        spec["backoffLimit"].at_least(p.job->spec->backoff_limit, 0);
        if (p.job->spec->active_deadline_seconds)
            spec["activeDeadlineSeconds"].at_least(*p.job->spec->active_deadline_seconds, 1);
    }
    field const command = at["command"];
    if (p.command) {
        command["command"].check(!p.command->command.empty(), "required");
        command["timeoutSeconds"].at_least(p.command->timeout_seconds, 1);
    }
}

inline void check_metrics(std::vector<analysis_metric> const& metrics, field const& at)
{
    at.check(!metrics.empty(), "required");
    seen_names seen;
    for (std::size_t i = 0; i < metrics.size(); ++i) {
        auto const& m = metrics[i];
        field const one = at[i];
        one["name"].check(!m.name.empty(), "required");
        seen.add(m.name, one["name"]);
        check_duration(m.interval, false, one["interval"]);
        check_duration(m.initial_delay, true, one["initialDelay"]);
        check_conditions(m.success_condition, one["successCondition"]);
        check_conditions(m.failure_condition, one["failureCondition"]);
        bool const judged_alone = m.success_condition.empty() && m.failure_condition.empty();
        one["successCondition"].check(!m.provider.podium || judged_alone,
            "means nothing for podium, whose question says what is good, nor does a failureCondition");
        one["successCondition"].check(
            !m.provider.prometheus || !judged_alone, "required, or a failureCondition");
        one["count"].at_least(m.count, 0);
        one["interval"].check(m.count <= 1 || !m.interval.empty(), "required when count is more than 1");
        one["failureLimit"].at_least(m.failure_limit, 0);
        one["inconclusiveLimit"].at_least(m.inconclusive_limit, 0);
        one["consecutiveErrorLimit"].at_least(m.consecutive_error_limit, 0);
        check_provider(m.provider, one["provider"]);
    }
}

}  // namespace detail

[[nodiscard]] inline field_errors validate(analysis_template const& t)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(t.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        detail::check_metrics(t.spec.metrics, spec["metrics"]);
        detail::check_duration(t.spec.time_limit, false, spec["timeLimit"]);
        detail::field const dry = spec["dryRun"];
        for (std::size_t i = 0; i < t.spec.dry_run.size(); ++i)
            if (std::ranges::find(t.spec.metrics, t.spec.dry_run[i].metric_name, &analysis_metric::name) ==
                t.spec.metrics.end())
                dry[i].fail("there is no metric of this name");
    });
}

[[nodiscard]] inline field_errors validate(analysis_run const& r)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(r.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        detail::check_metrics(r.spec.metrics, spec["metrics"]);
        detail::check_duration(r.spec.time_limit, false, spec["timeLimit"]);
    });
}

[[nodiscard]] inline field_errors validate(rollout const& r)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(r.metadata, true, names::dns1123_subdomain, at);
        detail::check_restart(r.metadata, at);
        detail::field const spec = at["spec"];
        detail::check_replicated(r.spec, spec);
        spec["revisionHistoryLimit"].at_least(r.spec.revision_history_limit, 0);
        spec["progressDeadlineSeconds"].check(
            r.spec.progress_deadline_seconds > r.spec.min_ready_seconds, "must be more than minReadySeconds");
        detail::field const window = spec["rollbackWindow"];
        if (r.spec.rollback_window)
            window["revisions"].at_least(r.spec.rollback_window->revisions, 0);
        detail::field const strategy = spec["strategy"];
        auto const& s = r.spec.strategy;
        if (s.blue_green.has_value() == s.canary.has_value())
            return strategy.fail("expected one of blueGreen and canary");
        if (s.blue_green)
            detail::check_blue_green(*s.blue_green, r.spec.replicas, strategy["blueGreen"]);
        else
            detail::check_canary(*s.canary, strategy["canary"]);
    });
}

namespace detail {

inline void check_reference(cross_version_object_reference const& r, bool grouped, field const& at)
{
    at["kind"].check(!r.kind.empty() && r.kind.find_first_of("/%") == r.kind.npos, "expected a kind's name");
    check_required_name(r.name, names::dns1123_subdomain, at["name"]);
    auto const slashes = std::ranges::count(r.api_version, '/');
    at["apiVersion"].check(grouped ? slashes == 1 && !r.api_version.starts_with('/') : slashes <= 1,
        "expected \"GROUP/VERSION\"");
}

inline void check_identifier(metric_identifier const& m, field const& at)
{
    at["name"].check(
        !m.name.empty() && m.name.find_first_of("/%") == m.name.npos && m.name != "." && m.name != "..",
        "expected a metric's name");
    field const selector = at["selector"];
    if (m.selector)
        check_selector(*m.selector, selector);
}

/// Exactly the one of the three that `type` says, and it is positive.
inline void check_target(
    metric_target const& t, std::initializer_list<metric_target_type> which, field const& at)
{
    auto const type = at["type"];
    if (std::ranges::find(which, t.type) == which.end())
        return type.fail("this kind of metric has no such target");
    struct {
        metric_target_type type;
        bool given;
        bool positive;
        char const* name;
    } const all[] = {
        {metric_target_type::utilization, t.average_utilization.has_value(), t.average_utilization > 0,
            "averageUtilization"},
        {metric_target_type::value, t.value.has_value(), t.value && t.value->milli_value() > 0, "value"},
        {metric_target_type::average_value, t.average_value.has_value(),
            t.average_value && t.average_value->milli_value() > 0, "averageValue"},
    };
    for (auto const& one : all) {
        if (one.type == t.type)
            at[one.name].check(one.given && one.positive, one.given ? "must be more than 0" : "required");
        else
            at[one.name].check(!one.given, "must not be given, it is not the target's type");
    }
}

inline void check_metric(metric_spec const& m, field const& at)
{
    using type = metric_target_type;
    struct {
        metric_source_type type;
        bool given;
        char const* name;
    } const all[] = {{metric_source_type::resource, m.resource.has_value(), "resource"},
        {metric_source_type::container_resource, m.container_resource.has_value(), "containerResource"},
        {metric_source_type::pods, m.pods.has_value(), "pods"},
        {metric_source_type::object, m.object.has_value(), "object"},
        {metric_source_type::external, m.external.has_value(), "external"}};
    for (auto const& one : all)
        at[one.name].check(one.given == (one.type == m.type),
            one.given ? "must not be given, it is not the metric's type" : "required");
    field const resource = at["resource"];
    if (m.resource) {
        resource["name"].check(names::qualified_name(m.resource->name));
        check_target(m.resource->target, {type::utilization, type::average_value}, resource["target"]);
    }
    field const inner = at["containerResource"];
    if (m.container_resource) {
        inner["name"].check(names::qualified_name(m.container_resource->name));
        check_required_name(m.container_resource->container, names::dns1123_label, inner["container"]);
        check_target(m.container_resource->target, {type::utilization, type::average_value}, inner["target"]);
    }
    field const pods = at["pods"];
    if (m.pods) {
        check_identifier(m.pods->metric, pods["metric"]);
        check_target(m.pods->target, {type::average_value}, pods["target"]);
    }
    field const object = at["object"];
    if (m.object) {
        check_reference(m.object->described_object, false, object["describedObject"]);
        check_identifier(m.object->metric, object["metric"]);
        check_target(m.object->target, {type::value, type::average_value}, object["target"]);
    }
    field const external = at["external"];
    if (m.external) {
        check_identifier(m.external->metric, external["metric"]);
        check_target(m.external->target, {type::value, type::average_value}, external["target"]);
        field const prometheus = external["prometheus"];
        if (m.external->prometheus) {
            prometheus["address"].check(
                m.external->prometheus->address.starts_with("http://"), "expected http://HOST:PORT");
            prometheus["query"].check(!m.external->prometheus->query.empty(), "required");
        }
    }
}

inline void check_rules(std::optional<hpa_scaling_rules> const& r, field const& at)
{
    if (!r)
        return;
    if (r->stabilization_window_seconds)
        at["stabilizationWindowSeconds"].between(*r->stabilization_window_seconds, 0, 3600);
    field const policies = at["policies"];
    policies.check(!r->policies.empty(), "required");
    for (std::size_t i = 0; i < r->policies.size(); ++i) {
        field const one = policies[i];
        one["value"].at_least(r->policies[i].value, 1);
        one["periodSeconds"].between(r->policies[i].period_seconds, 1, 1800);
    }
    at["tolerance"].check(!r->tolerance || r->tolerance->sign() >= 0, "must not be negative");
}

}  // namespace detail

[[nodiscard]] inline field_errors validate(horizontal_pod_autoscaler const& a)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(a.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        detail::check_reference(a.spec.scale_target_ref, true, spec["scaleTargetRef"]);
        spec["minReplicas"].at_least(a.spec.min_replicas, 0);
        spec["maxReplicas"].at_least(a.spec.max_replicas, 1);
        spec["maxReplicas"].check(
            a.spec.max_replicas >= a.spec.min_replicas, "must not be less than minReplicas");
        detail::field const metrics = spec["metrics"];
        bool wakes = false;
        for (std::size_t i = 0; i < a.spec.metrics.size(); ++i) {
            detail::check_metric(a.spec.metrics[i], metrics[i]);
            wakes = wakes || a.spec.metrics[i].type == metric_source_type::object ||
                a.spec.metrics[i].type == metric_source_type::external;
        }
        metrics.check(a.spec.min_replicas != 0 || wakes,
            "must have an Object or External metric where minReplicas is 0: nothing else would wake it");
        detail::field const behavior = spec["behavior"];
        if (a.spec.behavior) {
            detail::check_rules(a.spec.behavior->scale_up, behavior["scaleUp"]);
            detail::check_rules(a.spec.behavior->scale_down, behavior["scaleDown"]);
        }
        detail::field const season = spec["season"];
        if (auto const& s = a.spec.season) {
            season["slots"].between(s->slots, 1, 1440);
            season["lengthSeconds"].between(s->length_seconds, 1, 366 * 86'400);
            season["leadSeconds"].between(s->lead_seconds, 0, std::max(s->length_seconds, 0));
            season["maxPercent"].between(s->max_percent, 100, 100'000);
            season["weightPercent"].between(s->weight_percent, 1, 100);
        }
    });
}

[[nodiscard]] inline field_errors validate(metric_readings const& r)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(r.metadata, true, names::dns1123_subdomain, at);
        detail::field const metrics = at["metrics"];
        for (std::size_t i = 0; i < r.metrics.size(); ++i) {
            detail::field const one = metrics[i];
            detail::field const pods = one["pods"];
            for (std::size_t k = 0; k < r.metrics[i].pods.size(); ++k) {
                detail::field const pod = pods[k];
                pod["pod"].check(!r.metrics[i].pods[k].pod.empty(), "required");
                pod["pod"].check(k == 0 || r.metrics[i].pods[k - 1].pod < r.metrics[i].pods[k].pod,
                    "must be behind the name before: they are in order, each once");
                pod["window"].at_least(r.metrics[i].pods[k].window.count(), 0);
            }
        }
    });
}

/// The volumes that the claim templates give to each pod count as volumes of the template.
namespace detail {

/// What a directory can be: a claim that asks for more is told so.
inline void check_claim(persistent_volume_claim_spec const& spec, field const& at)
{
    field const modes = at["accessModes"];
    modes.check(!spec.access_modes.empty(), "required");
    for (std::size_t i = 0; i < spec.access_modes.size(); ++i)
        modes[i].check(spec.access_modes[i] != access_mode::read_write_once_pod,
            "nobody keeps other pods away here: ReadWriteOnce, of one node, is what can be had");
    at["volumeMode"].check(
        spec.volume_mode != volume_mode::block, "must be \"Filesystem\", it is a directory");
    at["volumeName"].check(spec.volume_name.empty(), "there are no PersistentVolumes to choose from");
    field const resources = at["resources"];
    field const requests = resources["requests"];
    check_resources(spec.resources.requests, requests);
    auto const storage = spec.resources.requests.find("storage");
    if (storage == spec.resources.requests.end())
        requests["storage"].fail("required");
    else
        requests["storage"].check(storage->second.sign() > 0, "must be more than zero");
    resources["limits"].check(spec.resources.limits.empty(), "nothing is measured or limited: leave it out");
}

}  // namespace detail

[[nodiscard]] inline field_errors validate(stateful_set const& set)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(set.metadata, true, names::dns1123_label, at);
        detail::check_restart(set.metadata, at);
        detail::field const spec = at["spec"];
        auto whole = set.spec;
        detail::field const claims = spec["volumeClaimTemplates"];
        detail::seen_names claims_seen;
        for (std::size_t i = 0; i < set.spec.volume_claim_templates.size(); ++i) {
            auto const& name = set.spec.volume_claim_templates[i].metadata.name;
            detail::field const claim = claims[i];
            detail::field const meta = claim["metadata"];
            detail::check_required_name(name, names::dns1123_label, meta["name"]);
            claims_seen.add(name, meta["name"]);
            detail::check_metadata_maps(set.spec.volume_claim_templates[i].metadata, meta);
            detail::check_claim(set.spec.volume_claim_templates[i].spec, claim["spec"]);
            auto& volumes = whole.template_.spec.volumes.edit();
            std::erase_if(volumes, [&](volume const& v) { return v.name == name; });
            volume v;
            v.name = name;
            v.persistent_volume_claim.edit().claim_name = "x";
            volumes.push_back(std::move(v));
        }
        detail::check_replicated(whole, spec);
        spec["revisionHistoryLimit"].at_least(set.spec.revision_history_limit, 0);
        if (!set.spec.service_name.empty())
            spec["serviceName"].check(names::dns1123_label(set.spec.service_name));
        detail::field const retention = spec["persistentVolumeClaimRetentionPolicy"];
        if (auto const& policy = set.spec.persistent_volume_claim_retention_policy) {
            constexpr auto const* kept = "must be \"Retain\": claims are deleted by people here";
            retention["whenDeleted"].check(policy->when_deleted == claim_retention::retain, kept);
            retention["whenScaled"].check(policy->when_scaled == claim_retention::retain, kept);
        }
        detail::field const ordinals = spec["ordinals"];
        if (set.spec.ordinals)
            ordinals["start"].at_least(set.spec.ordinals->start, 0);
        detail::field const strategy = spec["updateStrategy"];
        detail::field const rolling = strategy["rollingUpdate"];
        if (!set.spec.update_strategy.rolling_update)
            return;
        if (set.spec.update_strategy.type == stateful_set_update_strategy_type::on_delete)
            return rolling.fail("must not be given with type OnDelete");
        rolling["partition"].at_least(set.spec.update_strategy.rolling_update->partition, 0);
        if (auto const& most = set.spec.update_strategy.rolling_update->max_unavailable)
            rolling["maxUnavailable"].at_least(most->value, 1);
    });
}

[[nodiscard]] inline field_errors validate(pod_disruption_budget const& b)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(b.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        spec.check(!b.spec.min_available || !b.spec.max_unavailable,
            "minAvailable and maxUnavailable cannot be both set");
        auto const check = [](std::optional<int_or_percent> const& v, detail::field const& f) {
            if (!v)
                return;
            f.at_least(v->value, 0);
            f.check(!v->is_percent() || v->value <= 100, "must be no more than 100%");
        };
        check(b.spec.min_available, spec["minAvailable"]);
        check(b.spec.max_unavailable, spec["maxUnavailable"]);
        if (b.spec.selector)
            detail::check_selector(*b.spec.selector, spec["selector"]);
    });
}

[[nodiscard]] inline field_errors validate(persistent_volume_claim const& claim)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(claim.metadata, true, names::dns1123_subdomain, at);
        detail::check_claim(claim.spec, at["spec"]);
    });
}

namespace detail {

inline void check_split(traffic_split const& split, field const& at)
{
    field const label = at["label"];
    label.check(names::qualified_name(split.label));
    field const weights = at["weights"];
    std::int64_t sum = 0;
    for (auto const& [version, weight] : split.weights) {
        field const w = weights.key(version);
        w.check(names::label_value(version));
        w.between(weight, 0, 1'000'000);
        sum += std::max(weight, 0);
    }
    weights.check(sum > 0, "must not all be 0: nobody would be served");
    check_sticky(split.sticky, at["sticky"]);
    check_optional_token(split.conversion_header, at["conversionHeader"]);
    field const matches = at["matches"];
    for (std::size_t i = 0; i < split.matches.size(); ++i) {
        field const m = matches[i];
        check_required_name(split.matches[i].header, names::http_token, m["header"]);
        m["version"].check(!split.matches[i].version.empty(), "required");
    }
    field const mirror = at["mirror"];
    if (split.mirror)
        mirror["percent"].between(split.mirror->percent, 1, 100);
}

}  // namespace detail

[[nodiscard]] inline field_errors validate(service const& s)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(s.metadata, true, names::dns1035_label, at);
        detail::field const spec = at["spec"];
        detail::field const ports = spec["ports"];
        bool const headless = s.spec.cluster_ip == "None";
        bool const external = s.spec.type == service_type::external_name;
        ports.check(!s.spec.ports.empty() || headless || external, "required");
        detail::seen_names names_seen;
        detail::seen_names numbers_seen;
        for (std::size_t i = 0; i < s.spec.ports.size(); ++i) {
            auto const& port = s.spec.ports[i];
            detail::field const p = ports[i];
            if (!port.name.empty())
                p["name"].check(names::dns1123_label(port.name));
            else
                p["name"].check(s.spec.ports.size() == 1, "required when there are several ports");
            names_seen.add(port.name, p["name"]);
            detail::check_port_number(port.port, p["port"]);
            numbers_seen.add(std::string(text_of(port.protocol)) + std::to_string(port.port), p["port"]);
            if (!port.target_port.empty())
                detail::check_port(port.target_port, p["targetPort"]);
            p["nodePort"].between(port.node_port, 0, 65535);
        }
        detail::check_labels(s.spec.selector, spec["selector"]);
        detail::field const split = spec["split"];
        if (s.spec.split)
            detail::check_split(*s.spec.split, split);
        spec["clusterIP"].check(s.spec.cluster_ip.empty() || headless || detail::is_ipv4(s.spec.cluster_ip),
            "expected an IPv4 address or \"None\"");
        if (external)
            detail::check_required_name(s.spec.external_name, names::dns1123_subdomain, spec["externalName"]);
        detail::field const config = spec["sessionAffinityConfig"];
        detail::field const client = config["clientIP"];
        if (s.spec.session_affinity_config && s.spec.session_affinity_config->client_ip)
            client["timeoutSeconds"].between(
                s.spec.session_affinity_config->client_ip->timeout_seconds, 1, 86400);
    });
}

[[nodiscard]] inline field_errors validate(endpoint_slice const& slice)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(slice.metadata, true, names::dns1123_subdomain, at);
        detail::field const endpoints = at["endpoints"];
        endpoints.check(slice.endpoints.size() <= 1000, "must be no more than 1000");
        for (std::size_t i = 0; i < slice.endpoints.size(); ++i) {
            detail::field const e = endpoints[i];
            detail::field const addresses = e["addresses"];
            addresses.check(!slice.endpoints[i].addresses.empty(), "required");
            for (std::size_t k = 0; k < slice.endpoints[i].addresses.size(); ++k)
                addresses[k].check(slice.address_type != address_type::ipv4 ||
                        detail::is_ipv4(slice.endpoints[i].addresses[k]),
                    "expected an IPv4 address");
        }
        detail::field const ports = at["ports"];
        detail::seen_names seen;
        for (std::size_t i = 0; i < slice.ports.size(); ++i) {
            detail::field const p = ports[i];
            seen.add(slice.ports[i].name, p["name"]);
            if (slice.ports[i].port)
                detail::check_port_number(*slice.ports[i].port, p["port"]);
        }
    });
}

[[nodiscard]] inline field_errors validate(config_map const& map)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(map.metadata, true, names::dns1123_subdomain, at);
        std::size_t bytes = 0;
        auto const size_of = [](std::string const& s) { return s.size(); };
        detail::check_data(map.data, bytes, at["data"], size_of);
        detail::field const binary = at["binaryData"];
        detail::check_data(map.binary_data, bytes, binary, size_of);
        for (auto const& [key, value] : map.binary_data)
            binary.key(key).check(!map.data.contains(key), "must not be in data too");
        at["data"].check(bytes <= 1024 * 1024, "must be no more than 1 MiB in total");
    });
}

[[nodiscard]] inline field_errors validate(secret const& s)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(s.metadata, true, names::dns1123_subdomain, at);
        std::size_t bytes = 0;
        detail::check_data(s.data, bytes, at["data"], [](model::bytes const& b) { return b.value.size(); });
        at["data"].check(bytes <= 1024 * 1024, "must be no more than 1 MiB in total");
    });
}

[[nodiscard]] inline field_errors validate(namespace_ const& n)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(n.metadata, false, names::dns1123_label, at);
    });
}

[[nodiscard]] inline field_errors validate(node const& n)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(n.metadata, false, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        detail::field const taints = spec["taints"];
        detail::seen_names seen;
        for (std::size_t i = 0; i < n.spec.taints.size(); ++i) {
            auto const& t = n.spec.taints[i];
            detail::field const taint = taints[i];
            detail::check_required_name(t.key, names::qualified_name, taint["key"]);
            taint["value"].check(names::label_value(t.value));
            seen.add(t.key + ':' + std::string(text_of(t.effect)), taint);
        }
        detail::field const status = at["status"];
        detail::check_resources(n.status.capacity, status["capacity"]);
        detail::check_resources(n.status.allocatable, status["allocatable"]);
    });
}

[[nodiscard]] inline field_errors validate(event const& e)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(e.metadata, true, names::dns1123_subdomain, at);
    });
}

[[nodiscard]] inline field_errors validate(lease const& l)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(l.metadata, true, names::dns1123_subdomain, at);
        detail::field const spec = at["spec"];
        spec["leaseDurationSeconds"].at_least(l.spec.lease_duration_seconds, 0);
        spec["leaseTransitions"].at_least(l.spec.lease_transitions, 0);
    });
}

[[nodiscard]] inline field_errors validate(router_status const& r)
{
    return detail::collect([&](detail::field const& at) {
        detail::check_metadata(r.metadata, false, names::dns1123_subdomain, at);
    });
}

// -- Changes -------------------------------------------------------------------------------------

/// A pod's spec stays, but for images, its deadline, further tolerations, the node it is bound to, once, and
/// scheduling gates, which may be taken away; as long as there are some, it may ask for more labels of its
/// node.
[[nodiscard]] inline field_errors validate_update(pod const& before, pod const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        spec["nodeName"].check(before.spec.node_name.empty() || before.spec.node_name == after.spec.node_name,
            "cannot be changed once the pod is bound");
        auto const& old_tolerations = before.spec.tolerations;
        auto const& new_tolerations = after.spec.tolerations;
        bool const kept =
            std::all_of(old_tolerations.begin(), old_tolerations.end(), [&](toleration const& t) {
                return std::find(new_tolerations.begin(), new_tolerations.end(), t) != new_tolerations.end();
            });
        spec["tolerations"].check(kept, "can be added to only");

        auto const& gates = before.spec.scheduling_gates;
        auto const& left = after.spec.scheduling_gates;
        bool const fewer = std::all_of(left.begin(), left.end(), [&](pod_scheduling_gate const& g) {
            return std::find(gates.begin(), gates.end(), g) != gates.end();
        });
        spec["schedulingGates"].check(fewer, "can be taken away only");
        auto const& old_labels = before.spec.node_selector;
        bool const narrower =
            !gates.empty() && std::all_of(old_labels.begin(), old_labels.end(), [&](auto const& l) {
                auto const found = after.spec.node_selector.find(l.first);
                return found != after.spec.node_selector.end() && found->second == l.second;
            });

        auto allowed = before.spec;
        allowed.node_name = after.spec.node_name;
        allowed.scheduling_gates = after.spec.scheduling_gates;
        if (narrower)
            allowed.node_selector = after.spec.node_selector;
        allowed.tolerations = after.spec.tolerations;
        allowed.active_deadline_seconds = after.spec.active_deadline_seconds;
        auto const take_images = [](shared_list<container>& to, shared_list<container> const& from) {
            if (to == from || to.size() != from.size())
                return;
            auto& list = to.edit();
            for (std::size_t i = 0; i < list.size(); ++i)
                list[i].image = from[i].image;
        };
        take_images(allowed.containers, after.spec.containers);
        take_images(allowed.init_containers, after.spec.init_containers);
        spec.check(allowed == after.spec,
            "cannot be changed, but for images, activeDeadlineSeconds and further tolerations");
    });
}

[[nodiscard]] inline field_errors validate_update(replica_set const& before, replica_set const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        spec["selector"].check(before.spec.selector == after.spec.selector, "cannot be changed");
    });
}

[[nodiscard]] inline field_errors validate_update(deployment const& before, deployment const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        spec["selector"].check(before.spec.selector == after.spec.selector, "cannot be changed");
    });
}

[[nodiscard]] inline field_errors validate_update(stateful_set const& before, stateful_set const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        auto const& a = before.spec;
        auto const& b = after.spec;
        spec["selector"].check(a.selector == b.selector, "cannot be changed");
        spec["serviceName"].check(a.service_name == b.service_name, "cannot be changed");
        spec["podManagementPolicy"].check(
            a.pod_management_policy == b.pod_management_policy, "cannot be changed");
        spec["volumeClaimTemplates"].check(
            a.volume_claim_templates == b.volume_claim_templates, "cannot be changed");
    });
}

/// What was asked for stays, but for a larger size.
[[nodiscard]] inline field_errors validate_update(
    persistent_volume_claim const& before, persistent_volume_claim const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        spec["accessModes"].check(before.spec.access_modes == after.spec.access_modes, "cannot be changed");
        spec["storageClassName"].check(
            before.spec.storage_class_name == after.spec.storage_class_name, "cannot be changed");
        detail::field const resources = spec["resources"];
        detail::field const requests = resources["requests"];
        auto const& is = before.spec.resources.requests;
        auto const& wanted = after.spec.resources.requests;
        auto const a = is.find("storage");
        auto const b = wanted.find("storage");
        requests["storage"].check(
            a == is.end() || b == wanted.end() || !(b->second < a->second), "cannot become smaller");
    });
}

[[nodiscard]] inline field_errors validate_update(service const& before, service const& after)
{
    return detail::collect([&](detail::field const& at) {
        detail::field const spec = at["spec"];
        bool const free = before.spec.cluster_ip.empty() || before.spec.type != after.spec.type;
        spec["clusterIP"].check(free || before.spec.cluster_ip == after.spec.cluster_ip, "cannot be changed");
    });
}

[[nodiscard]] inline field_errors validate_update(endpoint_slice const& before, endpoint_slice const& after)
{
    return detail::collect([&](detail::field const& at) {
        at["addressType"].check(before.address_type == after.address_type, "cannot be changed");
    });
}

[[nodiscard]] inline field_errors validate_update(config_map const& before, config_map const& after)
{
    return detail::collect([&](detail::field const& at) {
        if (!before.immutable.value_or(false))
            return;
        at["immutable"].check(after.immutable.value_or(false), "cannot be taken back");
        at["data"].check(before.data == after.data, "cannot be changed, the object is immutable");
        at["binaryData"].check(
            before.binary_data == after.binary_data, "cannot be changed, the object is immutable");
    });
}

[[nodiscard]] inline field_errors validate_update(secret const& before, secret const& after)
{
    return detail::collect([&](detail::field const& at) {
        at["type"].check(before.type == after.type, "cannot be changed");
        if (!before.immutable.value_or(false))
            return;
        at["immutable"].check(after.immutable.value_or(false), "cannot be taken back");
        at["data"].check(before.data == after.data, "cannot be changed, the object is immutable");
    });
}

}  // namespace podium::v0::model
