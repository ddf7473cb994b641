#pragma once
/// What exactly to run for a container: its environment, with everything it refers to looked up.
///
/// Variables come in this order, the last of a name wins: POD_IP and HOSTNAME; the services of the pod's
/// namespace that have an address (`DB_SERVICE_HOST`, `DB_SERVICE_PORT`, `DB_SERVICE_PORT_HTTP`); the pods
/// that have a name in a service, which is what db-0.db is where there is no DNS (`DB_0_DB_HOST`); `envFrom`;
/// `env`. In values `$(NAME)` stands for a variable of `env` further up, of a service or POD_IP, in `command`
/// and `args` for any; what is not known stays as it is, `$$` is a dollar sign. Nothing is read but the view,
/// so the same view gives the same container.
///
/// Source: Kubernetes v1.35.4: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/kubelet/envvars,
/// third_party/forked/golang/expansion. Its docker-links variables (DB_PORT_80_TCP, ...) are left out;
/// DB_0_DB_HOST is podium's own.

#include <podium/agent/lifecycle.hpp>
#include <podium/core/error.hpp>
#include <podium/core/result.hpp>
#include <podium/model/config_map.hpp>
#include <podium/model/endpoint_slice.hpp>
#include <podium/model/persistent_volume_claim.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/secret.hpp>
#include <podium/model/service.hpp>
#include <podium/reconcile/object.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::agent {

struct variable {
    std::string name{};
    std::string value{};
    friend bool operator==(variable const&, variable const&) = default;
};

/// A volume of the pod, as one container is to see it.
struct mount {
    enum class source : std::uint8_t {
        claim,    ///< what a claim of the pod's namespace stands for: it outlives the pod
        scratch,  ///< the pod's own: it ends with the pod
        host,     ///< a directory of the machine
        new_host  ///< likewise, made if it is not there
    };
    source from = source::scratch;
    std::string name{};      ///< the claim's, the volume's, or the machine's path
    std::string target{};    ///< absolute, without a slash at its end
    std::string sub_path{};  ///< the folder of it that is meant; empty: all
    bool read_only = false;
    friend bool operator==(mount const&, mount const&) = default;
};

/// A container, ready to be made.
struct container_config {
    std::string name{};
    std::string image{};
    std::vector<std::string> command{};
    std::vector<std::string> args{};
    std::string working_dir{};
    std::vector<variable> env{};    ///< each name once
    std::int64_t memory_bytes = 0;  ///< its limit; 0: none
    std::vector<mount> mounts{};
    friend bool operator==(container_config const&, container_config const&) = default;
};

/// What the node knows of where the pod runs.
struct surroundings {
    std::string_view pod_ip{};
    std::string_view host_ip{};
    model::resource_list const* allocatable = nullptr;  ///< of the node: what a missing limit reads as
};

/// The i-th container of the pod, init containers counted first. Errors name the field and what is not
/// there, never a value: `not_found` may be put right by somebody, `invalid` not without a new pod.
/// `View` needs `get<K>(namespace, name)` and `all<K>(namespace)`.
template<class View>
[[nodiscard]] result<container_config> configure(
    View const& view, reconcile::handle<model::pod> const& pod, std::size_t i, surroundings const& where);

namespace detail {

/// "$(NAME)" for what `look` knows, a pointer to text or null.
template<class Look>
[[nodiscard]] std::string expand(std::string_view text, Look look)
{
    std::string out;
    out.reserve(text.size());
    std::size_t next_close = 0;  // looked for once, however many are never closed
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '$' || at + 1 == text.size()) {
            out += text[at];
            continue;
        }
        if (text[at + 1] == '$') {
            out += '$';
            ++at;
            continue;
        }
        if (text[at + 1] == '(' && next_close < at + 2)
            next_close = text.find(')', at + 2);
        auto const close = text[at + 1] == '(' ? next_close : std::string_view::npos;
        if (close == std::string_view::npos) {
            out += '$';
            continue;
        }
        if (std::string const* value = look(text.substr(at + 2, close - at - 2)))
            out += *value;
        else
            out += text.substr(at, close - at + 1);
        at = close;
    }
    return out;
}

/// "my-db" as in MY_DB_SERVICE_HOST.
[[nodiscard]] inline std::string variable_name(std::string_view name)
{
    std::string out(name);
    for (auto& c : out)
        c = c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

/// Each name once, in the order of its first mention.
class variables {
public:
    void set(std::string name, std::string value)
    {
        auto const [it, fresh] = place_.try_emplace(name, list_.size());
        if (fresh)
            list_.push_back({std::move(name), std::move(value)});
        else
            list_[it->second].value = std::move(value);
    }
    [[nodiscard]] std::string const* find(std::string_view name) const
    {
        auto const it = place_.find(name);
        return it == place_.end() ? nullptr : &list_[it->second].value;
    }
    [[nodiscard]] std::vector<variable> const& list() const noexcept { return list_; }

private:
    std::vector<variable> list_;
    std::map<std::string, std::size_t, std::less<>> place_;
};

[[nodiscard]] inline bool is_variable_name(std::string_view name) noexcept
{
    return !name.empty() && name.find('=') == name.npos &&
        std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; });
}

template<class View>
void add_services(View const& view, std::string_view namespace_, variables& out)
{
    for (auto const& service : view.template all<model::service>(namespace_)) {
        auto const& spec = service->spec;
        if (spec.cluster_ip.empty() || spec.cluster_ip == "None" || spec.ports.empty())
            continue;
        auto const prefix = variable_name(service->metadata.name);
        out.set(prefix + "_SERVICE_HOST", spec.cluster_ip);
        out.set(prefix + "_SERVICE_PORT", std::to_string(spec.ports.front().port));
        for (auto const& port : spec.ports)
            if (!port.name.empty())
                out.set(prefix + "_SERVICE_PORT_" + variable_name(port.name), std::to_string(port.port));
    }
}

/// A host name for each pod that has one in a service: the address of db-0.db is DB_0_DB_HOST.
template<class View>
void add_named_pods(View const& view, std::string_view namespace_, variables& out)
{
    for (auto const& slice : view.template all<model::endpoint_slice>(namespace_)) {
        auto const of = slice->metadata.labels.find(std::string(model::service_name_label));
        if (of == slice->metadata.labels.end())
            continue;
        for (auto const& e : slice->endpoints)
            if (!e.hostname.empty() && !e.addresses.empty())
                out.set(variable_name(e.hostname) + '_' + variable_name(of->second) + "_HOST",
                    e.addresses.front());
    }
}

/// Where a mount leads. `unsupported` for what podium has no way to give.
template<class View>
[[nodiscard]] result<mount> mount_of(
    View const& view, reconcile::handle<model::pod> const& pod, model::volume_mount const& wanted)
{
    mount out{.sub_path = wanted.sub_path, .read_only = wanted.read_only};
    out.target = wanted.mount_path.starts_with('/') ? wanted.mount_path : '/' + wanted.mount_path;
    while (out.target.ends_with('/'))
        out.target.pop_back();
    if (out.target.empty())
        return error{errc::unsupported, "nothing can be mounted over everything", "mountPath", {}};
    auto const& volumes = pod->spec.volumes;
    auto const v = std::ranges::find(volumes, wanted.name, &model::volume::name);
    auto const no = [](std::string what, char const* path) {
        return error{errc::unsupported, std::move(what), std::string("volume.") + path, {}};
    };
    if (v == volumes.end())
        return error{errc::invalid, "no such volume in spec.volumes", "name", {}};
    if (v->persistent_volume_claim) {
        auto const& source = *v->persistent_volume_claim;
        if (!view.template get<model::persistent_volume_claim>(pod->metadata.namespace_, source.claim_name))
            return error{errc::not_found, "there is no PersistentVolumeClaim named " + source.claim_name,
                "volume.persistentVolumeClaim.claimName", {}};
        out.from = mount::source::claim;
        out.name = source.claim_name;
        out.read_only = out.read_only || source.read_only;
    } else if (v->empty_dir) {
        if (!v->empty_dir->medium.empty())
            return no("only the default medium, a directory on disk", "emptyDir.medium");
        if (v->empty_dir->size_limit)
            return no("no limit can be kept: leave it out", "emptyDir.sizeLimit");
        out.name = v->name;
    } else if (v->host_path) {
        auto const& type = v->host_path->type;
        if (!v->host_path->path.starts_with('/'))
            return no("expected an absolute path", "hostPath.path");
        if (!type.empty() && type != "Directory" && type != "DirectoryOrCreate")
            return no("expected Directory, DirectoryOrCreate or nothing", "hostPath.type");
        out.from = type == "DirectoryOrCreate" ? mount::source::new_host : mount::source::host;
        out.name = v->host_path->path;
    } else {
        return no("files of ConfigMaps, Secrets and the downward API are not made yet: use env or envFrom",
            v->config_map   ? "configMap"
                : v->secret ? "secret"
                            : "downwardAPI");
    }
    return out;
}

/// "metadata.labels['app']" gives app.
[[nodiscard]] inline std::optional<std::string> subscript(std::string_view path, std::string_view field)
{
    if (!path.starts_with(field) || !path.substr(field.size()).starts_with("['") || !path.ends_with("']"))
        return std::nullopt;
    path.remove_prefix(field.size() + 2);
    if (path.size() < 2)
        return std::nullopt;
    return std::string(path.substr(0, path.size() - 2));
}

[[nodiscard]] inline result<std::string> field_of(
    reconcile::handle<model::pod> const& pod, surroundings const& where, std::string_view path)
{
    auto const in = [](std::map<std::string, std::string> const& all, std::string const& key) {
        auto const it = all.find(key);
        return it == all.end() ? std::string{} : it->second;
    };
    if (auto const key = subscript(path, "metadata.labels"))
        return in(pod->metadata.labels, *key);
    if (auto const key = subscript(path, "metadata.annotations"))
        return in(pod->metadata.annotations, *key);
    if (path == "metadata.name")
        return pod->metadata.name;
    if (path == "metadata.namespace")
        return pod->metadata.namespace_;
    if (path == "metadata.uid")
        return pod.uid();
    if (path == "spec.nodeName")
        return pod->spec.node_name;
    if (path == "spec.serviceAccountName")
        return pod->spec.service_account_name;
    if (path == "status.hostIP" || path == "status.hostIPs")
        return std::string(where.host_ip);
    if (path == "status.podIP" || path == "status.podIPs")
        return std::string(where.pod_ip);
    return error{errc::invalid,
        "expected metadata.{name,namespace,uid,labels['key'],annotations['key']}, "
        "spec.{nodeName,serviceAccountName} or status.{hostIP,podIP}",
        "valueFrom.fieldRef.fieldPath", {}};
}

[[nodiscard]] inline result<std::string> resource_of(model::pod_spec const& spec, std::size_t self,
    surroundings const& where, model::resource_field_selector const& ref)
{
    auto const wrong = [](char const* field, char const* expected) {
        return error{errc::invalid, expected, std::string("valueFrom.resourceFieldRef.") + field, {}};
    };
    auto const* of = &container_at(spec, self);
    if (!ref.container_name.empty()) {
        std::size_t i = 0;
        while (i < container_count(spec) && container_at(spec, i).name != ref.container_name)
            ++i;
        if (i == container_count(spec))
            return wrong("containerName", "expected the name of one of the pod's containers");
        of = &container_at(spec, i);
    }
    auto const dot = ref.resource.find('.');
    auto const kind = ref.resource.substr(0, dot);
    if (dot == std::string::npos || (kind != "limits" && kind != "requests"))
        return wrong("resource", "expected limits.<resource> or requests.<resource>");
    auto const name = ref.resource.substr(dot + 1);
    auto const find = [&](model::resource_list const& list) -> std::optional<quantity> {
        auto const it = list.find(name);
        return it == list.end() ? std::nullopt : std::optional(it->second);
    };
    auto amount = find(kind == "limits" ? of->resources.limits : of->resources.requests);
    if (!amount && kind == "limits" && where.allocatable)
        amount = find(*where.allocatable);
    // CPU divides in thousandths, everything else in whole units; what is left over counts as one more.
    bool const cpu = name == "cpu";
    auto const units = [&](quantity const& q) { return cpu ? q.milli_value() : q.value(); };
    auto const by = ref.divisor && !ref.divisor->is_zero() ? units(*ref.divisor) : cpu ? 1000 : 1;
    if (by <= 0)
        return wrong("divisor", "must be more than zero");
    auto const value = amount ? units(*amount) : 0;
    return std::to_string(value / by + (value % by > 0 ? 1 : 0));
}

template<class Map, class Text>
[[nodiscard]] result<std::optional<std::string>> entry_of(
    Map const* data, model::key_selector const& ref, std::string_view kind, std::string_view field, Text text)
{
    auto const missing = [&](std::string what,
                             std::string_view member) -> result<std::optional<std::string>> {
        if (ref.optional.value_or(false))
            return std::optional<std::string>{};
        return error{errc::not_found, std::move(what),
            "valueFrom." + std::string(field) + '.' + std::string(member), {}};
    };
    if (!data)
        return missing("there is no " + std::string(kind) + " named " + ref.name, "name");
    auto const it = data->find(ref.key);
    if (it == data->end())
        return missing(std::string(kind) + ' ' + ref.name + " has no key " + ref.key, "key");
    return std::optional<std::string>(text(it->second));
}

/// Nothing: leave the variable out.
template<class View>
[[nodiscard]] result<std::optional<std::string>> value_from(View const& view,
    reconcile::handle<model::pod> const& pod, std::size_t self, surroundings const& where,
    model::env_var_source const& from)
{
    auto const& ns = pod->metadata.namespace_;
    auto const some = [](std::string&& s) { return std::optional<std::string>(std::move(s)); };
    if (from.field_ref)
        return field_of(pod, where, from.field_ref->field_path).transform(some);
    if (from.resource_field_ref)
        return resource_of(pod->spec, self, where, *from.resource_field_ref).transform(some);
    if (auto const& ref = from.config_map_key_ref) {
        auto const map = view.template get<model::config_map>(ns, ref->name);
        return entry_of(map ? &map->data : nullptr, *ref, "ConfigMap", "configMapKeyRef",
            [](std::string const& s) { return s; });
    }
    if (auto const& ref = from.secret_key_ref) {
        auto const held = view.template get<model::secret>(ns, ref->name);
        return entry_of(held ? &held->data : nullptr, *ref, "Secret", "secretKeyRef",
            [](model::bytes const& b) { return b.value; });
    }
    return error{errc::invalid, "expected one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef",
        "valueFrom", {}};
}

/// A whole ConfigMap or Secret; keys that are no names of variables are passed over.
template<class Data, class Text>
[[nodiscard]] result<void> add_all(Data const* data, model::env_source const& ref, std::string const& prefix,
    std::string_view kind, std::string_view field, Text text, variables& out)
{
    if (!data) {
        if (ref.optional.value_or(false))
            return {};
        return error{errc::not_found, "there is no " + std::string(kind) + " named " + ref.name,
            std::string(field) + ".name", {}};
    }
    for (auto const& [key, value] : *data)
        if (auto name = prefix + key; is_variable_name(name))
            out.set(std::move(name), text(value));
    return {};
}

}  // namespace detail

template<class View>
result<container_config> configure(
    View const& view, reconcile::handle<model::pod> const& pod, std::size_t i, surroundings const& where)
{
    auto const& c = container_at(pod->spec, i);
    auto const& ns = pod->metadata.namespace_;
    auto const inits = pod->spec.init_containers.size();
    auto const field = i < inits ? "spec.initContainers[" + std::to_string(i) + ']'
                                 : "spec.containers[" + std::to_string(i - inits) + ']';
    auto const at = [&](error e, std::string_view list, std::size_t n) {
        return std::move(e).inside(field + '.' + std::string(list) + '[' + std::to_string(n) + ']');
    };

    detail::variables all, given, declared;
    given.set("POD_IP", std::string(where.pod_ip));
    given.set("HOSTNAME", pod->spec.hostname.empty() ? pod->metadata.name : pod->spec.hostname);
    if (pod->spec.enable_service_links) {
        detail::add_services(view, ns, given);
        detail::add_named_pods(view, ns, given);
    }
    for (auto const& v : given.list())
        all.set(v.name, v.value);

    for (std::size_t n = 0; n < c.env_from.size(); ++n) {
        auto const& from = c.env_from[n];
        result<void> added;
        if (from.config_map_ref) {
            auto const map = view.template get<model::config_map>(ns, from.config_map_ref->name);
            added = detail::add_all(
                map ? &map->data : nullptr, *from.config_map_ref, from.prefix, "ConfigMap", "configMapRef",
                [](std::string const& s) { return s; }, all);
        } else if (from.secret_ref) {
            auto const held = view.template get<model::secret>(ns, from.secret_ref->name);
            added = detail::add_all(
                held ? &held->data : nullptr, *from.secret_ref, from.prefix, "Secret", "secretRef",
                [](model::bytes const& b) { return b.value; }, all);
        }
        if (!added)
            return at(std::move(added).error(), "envFrom", n);
    }
    for (std::size_t n = 0; n < c.env.size(); ++n) {
        auto const& v = c.env[n];
        std::string value;
        if (v.value_from) {
            auto found = detail::value_from(view, pod, i, where, *v.value_from);
            if (!found)
                return at(std::move(found).error(), "env", n);
            if (!*found)
                continue;
            value = **std::move(found);
        } else {
            value = detail::expand(v.value, [&](std::string_view name) {
                auto const* const own = declared.find(name);
                return own ? own : given.find(name);
            });
        }
        declared.set(v.name, value);
        all.set(v.name, std::move(value));
    }

    container_config out{.name = c.name, .image = c.image, .working_dir = c.working_dir, .env = all.list()};
    auto const look = [&](std::string_view name) { return all.find(name); };
    for (auto const& word : c.command)
        out.command.push_back(detail::expand(word, look));
    for (auto const& word : c.args)
        out.args.push_back(detail::expand(word, look));
    if (auto const it = c.resources.limits.find("memory"); it != c.resources.limits.end())
        out.memory_bytes = std::max<std::int64_t>(it->second.value(), 0);
    for (std::size_t n = 0; n < c.volume_mounts.size(); ++n) {
        auto mounted = detail::mount_of(view, pod, c.volume_mounts[n]);
        if (!mounted)
            return at(std::move(mounted).error(), "volumeMounts", n);
        out.mounts.push_back(*std::move(mounted));
    }
    return out;
}

}  // namespace podium::v0::agent
