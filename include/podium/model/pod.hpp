#pragma once
/// Pod: containers that run together on one node, and how they are doing.
///
/// Members that most pods share with their template (containers, volumes, tolerations) are `shared_list`s:
/// read them like vectors, change them through `edit()`. Sub-structs that few pods have are `boxed`.
/// Initial values are Kubernetes' defaults wherever these are constants.
///
/// Left out, and so refused as unknown: what podium cannot honour (security contexts, gRPC probes, ephemeral
/// containers, volume types of clusters).
///
/// Source: Pod in kubernetes/api core/v1/types.go at v1.35; `status.drain` is podium's own.

#include <podium/model/meta.hpp>

namespace podium::inline v0::model {

// -- What runs -----------------------------------------------------------------------------------

struct container_port {
    std::string name{};
    std::int32_t container_port_ = 0;  ///< "containerPort"; C++ reserves the type's own name
    std::int32_t host_port = 0;        ///< 0: none
    std::string host_ip{};
    model::protocol protocol = model::protocol::tcp;
    friend bool operator==(container_port const&, container_port const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_port, (), (name, container_port_, host_port, host_ip, protocol))
constexpr bool required(container_port const*, std::string_view member)
{
    return member == "container_port_";
}

/// A field of the pod itself, by path: "metadata.name", "status.podIP", ...
struct object_field_selector {
    std::string api_version{};
    std::string field_path{};
    friend bool operator==(object_field_selector const&, object_field_selector const&) = default;
};
BOOST_DESCRIBE_STRUCT(object_field_selector, (), (api_version, field_path))
constexpr bool required(object_field_selector const*, std::string_view member)
{
    return member == "field_path";
}

/// An amount of one of the pod's own containers: "limits.memory", "requests.cpu".
struct resource_field_selector {
    std::string container_name{};
    std::string resource{};
    std::optional<quantity> divisor{};
    friend bool operator==(resource_field_selector const&, resource_field_selector const&) = default;
};
BOOST_DESCRIBE_STRUCT(resource_field_selector, (), (container_name, resource, divisor))
constexpr bool required(resource_field_selector const*, std::string_view member)
{
    return member == "resource";
}

/// One entry of a ConfigMap or Secret.
struct key_selector {
    std::string name{};
    std::string key{};
    std::optional<bool> optional{};
    friend bool operator==(key_selector const&, key_selector const&) = default;
};
BOOST_DESCRIBE_STRUCT(key_selector, (), (name, key, optional))
constexpr bool required(key_selector const*, std::string_view member)
{
    return member == "key";
}

/// Exactly one of these.
struct env_var_source {
    std::optional<object_field_selector> field_ref{};
    std::optional<resource_field_selector> resource_field_ref{};
    std::optional<key_selector> config_map_key_ref{};
    std::optional<key_selector> secret_key_ref{};
    friend bool operator==(env_var_source const&, env_var_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(env_var_source, (), (field_ref, resource_field_ref, config_map_key_ref, secret_key_ref))

struct env_var {
    std::string name{};
    std::string value{};
    boxed<env_var_source> value_from{};  ///< instead of `value`
    friend bool operator==(env_var const&, env_var const&) = default;
};
BOOST_DESCRIBE_STRUCT(env_var, (), (name, value, value_from))
constexpr bool required(env_var const*, std::string_view member)
{
    return member == "name";
}

/// A whole ConfigMap or Secret.
struct env_source {
    std::string name{};
    std::optional<bool> optional{};
    friend bool operator==(env_source const&, env_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(env_source, (), (name, optional))

struct env_from_source {
    std::string prefix{};
    std::optional<env_source> config_map_ref{};
    std::optional<env_source> secret_ref{};
    friend bool operator==(env_from_source const&, env_from_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(env_from_source, (), (prefix, config_map_ref, secret_ref))

struct resource_requirements {
    resource_list limits{};
    resource_list requests{};
    friend bool operator==(resource_requirements const&, resource_requirements const&) = default;
};
BOOST_DESCRIBE_STRUCT(resource_requirements, (), (limits, requests))

struct volume_mount {
    std::string name{};
    std::string mount_path{};
    std::string sub_path{};
    bool read_only = false;
    friend bool operator==(volume_mount const&, volume_mount const&) = default;
};
BOOST_DESCRIBE_STRUCT(volume_mount, (), (name, mount_path, sub_path, read_only))
constexpr bool required(volume_mount const*, std::string_view member)
{
    return member == "name" || member == "mount_path";
}

enum class uri_scheme : std::uint8_t { http, https };
BOOST_DESCRIBE_ENUM(uri_scheme, http, https)
constexpr std::string_view json_name(uri_scheme s)
{
    return s == uri_scheme::http ? "HTTP" : "HTTPS";
}

struct http_header {
    std::string name{};
    std::string value{};
    friend bool operator==(http_header const&, http_header const&) = default;
};
BOOST_DESCRIBE_STRUCT(http_header, (), (name, value))
constexpr bool required(http_header const*, std::string_view member)
{
    return member == "name" || member == "value";
}

struct http_get_action {
    std::string path{};    ///< default "/"
    int_or_string port{};  ///< a number, or the name of one of the container's ports
    std::string host{};    ///< default: the pod's address
    uri_scheme scheme = uri_scheme::http;
    std::vector<http_header> http_headers{};
    friend bool operator==(http_get_action const&, http_get_action const&) = default;
};
BOOST_DESCRIBE_STRUCT(http_get_action, (), (path, port, host, scheme, http_headers))
constexpr bool required(http_get_action const*, std::string_view member)
{
    return member == "port";
}

struct tcp_socket_action {
    int_or_string port{};
    std::string host{};
    friend bool operator==(tcp_socket_action const&, tcp_socket_action const&) = default;
};
BOOST_DESCRIBE_STRUCT(tcp_socket_action, (), (port, host))
constexpr bool required(tcp_socket_action const*, std::string_view member)
{
    return member == "port";
}

struct exec_action {
    std::vector<std::string> command{};  ///< no shell; exit status 0 is success
    friend bool operator==(exec_action const&, exec_action const&) = default;
};
BOOST_DESCRIBE_STRUCT(exec_action, (), (command))

/// Exactly one of `http_get`, `tcp_socket`, `exec`.
struct probe {
    std::optional<model::http_get_action> http_get{};
    std::optional<model::tcp_socket_action> tcp_socket{};
    std::optional<model::exec_action> exec{};
    std::int32_t initial_delay_seconds = 0;
    std::int32_t timeout_seconds = 1;
    std::int32_t period_seconds = 10;
    std::int32_t success_threshold = 1;
    std::int32_t failure_threshold = 3;
    std::optional<std::int64_t> termination_grace_period_seconds{};  ///< default: the pod's
    friend bool operator==(probe const&, probe const&) = default;
};
BOOST_DESCRIBE_STRUCT(probe, (),
    (http_get, tcp_socket, exec, initial_delay_seconds, timeout_seconds, period_seconds, success_threshold,
        failure_threshold, termination_grace_period_seconds))

struct sleep_action {
    std::int64_t seconds = 0;
    friend bool operator==(sleep_action const&, sleep_action const&) = default;
};
BOOST_DESCRIBE_STRUCT(sleep_action, (), (seconds))
constexpr bool required(sleep_action const*, std::string_view member)
{
    return member == "seconds";
}

/// Exactly one of these.
struct lifecycle_handler {
    std::optional<exec_action> exec{};
    std::optional<http_get_action> http_get{};
    std::optional<sleep_action> sleep{};
    friend bool operator==(lifecycle_handler const&, lifecycle_handler const&) = default;
};
BOOST_DESCRIBE_STRUCT(lifecycle_handler, (), (exec, http_get, sleep))

struct lifecycle {
    boxed<lifecycle_handler> post_start{};
    boxed<lifecycle_handler> pre_stop{};
    friend bool operator==(lifecycle const&, lifecycle const&) = default;
};
BOOST_DESCRIBE_STRUCT(lifecycle, (), (post_start, pre_stop))

enum class restart_policy : std::uint8_t { always, on_failure, never };
BOOST_DESCRIBE_ENUM(restart_policy, always, on_failure, never)

enum class pull_policy : std::uint8_t { if_not_present, always, never };
BOOST_DESCRIBE_ENUM(pull_policy, if_not_present, always, never)

struct container {
    std::string name{};
    std::string image{};
    std::vector<std::string> command{};  ///< instead of the image's entry point
    std::vector<std::string> args{};     ///< instead of the image's arguments
    std::string working_dir{};
    std::vector<container_port> ports{};
    std::vector<env_from_source> env_from{};
    std::vector<env_var> env{};
    resource_requirements resources{};
    std::optional<model::restart_policy> restart_policy{};  ///< init containers: `always` makes a sidecar
    std::vector<volume_mount> volume_mounts{};
    boxed<probe> liveness_probe{};
    boxed<probe> readiness_probe{};
    boxed<probe> startup_probe{};
    boxed<model::lifecycle> lifecycle{};
    std::string termination_message_path{};
    std::optional<pull_policy>
        image_pull_policy{};  ///< default: `always` for the tag "latest", else `if_not_present`
    friend bool operator==(container const&, container const&) = default;
};
BOOST_DESCRIBE_STRUCT(container, (),
    (name, image, command, args, working_dir, ports, env_from, env, resources, restart_policy, volume_mounts,
        liveness_probe, readiness_probe, startup_probe, lifecycle, termination_message_path,
        image_pull_policy))
constexpr bool required(container const*, std::string_view member)
{
    return member == "name";
}

// -- Volumes -------------------------------------------------------------------------------------

struct empty_dir_volume_source {
    std::string medium{};
    std::optional<quantity> size_limit{};
    friend bool operator==(empty_dir_volume_source const&, empty_dir_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(empty_dir_volume_source, (), (medium, size_limit))

struct host_path_volume_source {
    std::string path{};
    std::string type{};
    friend bool operator==(host_path_volume_source const&, host_path_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(host_path_volume_source, (), (path, type))
constexpr bool required(host_path_volume_source const*, std::string_view member)
{
    return member == "path";
}

struct key_to_path {
    std::string key{};
    std::string path{};
    std::optional<std::int32_t> mode{};
    friend bool operator==(key_to_path const&, key_to_path const&) = default;
};
BOOST_DESCRIBE_STRUCT(key_to_path, (), (key, path, mode))
constexpr bool required(key_to_path const*, std::string_view member)
{
    return member == "key" || member == "path";
}

struct config_map_volume_source {
    std::string name{};
    std::vector<key_to_path> items{};
    std::optional<std::int32_t> default_mode{};
    std::optional<bool> optional{};
    friend bool operator==(config_map_volume_source const&, config_map_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(config_map_volume_source, (), (name, items, default_mode, optional))

struct secret_volume_source {
    std::string secret_name{};
    std::vector<key_to_path> items{};
    std::optional<std::int32_t> default_mode{};
    std::optional<bool> optional{};
    friend bool operator==(secret_volume_source const&, secret_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(secret_volume_source, (), (secret_name, items, default_mode, optional))

struct downward_api_volume_file {
    std::string path{};
    std::optional<object_field_selector> field_ref{};
    std::optional<resource_field_selector> resource_field_ref{};
    std::optional<std::int32_t> mode{};
    friend bool operator==(downward_api_volume_file const&, downward_api_volume_file const&) = default;
};
BOOST_DESCRIBE_STRUCT(downward_api_volume_file, (), (path, field_ref, resource_field_ref, mode))
constexpr bool required(downward_api_volume_file const*, std::string_view member)
{
    return member == "path";
}

struct downward_api_volume_source {
    std::vector<downward_api_volume_file> items{};
    std::optional<std::int32_t> default_mode{};
    friend bool operator==(downward_api_volume_source const&, downward_api_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(downward_api_volume_source, (), (items, default_mode))

struct persistent_volume_claim_volume_source {
    std::string claim_name{};  ///< in the pod's namespace
    bool read_only = false;
    friend bool operator==(
        persistent_volume_claim_volume_source const&, persistent_volume_claim_volume_source const&) = default;
};
BOOST_DESCRIBE_STRUCT(persistent_volume_claim_volume_source, (), (claim_name, read_only))
constexpr bool required(persistent_volume_claim_volume_source const*, std::string_view member)
{
    return member == "claim_name";
}

/// A name and exactly one source.
struct volume {
    std::string name{};
    boxed<empty_dir_volume_source> empty_dir{};
    boxed<host_path_volume_source> host_path{};
    boxed<config_map_volume_source> config_map{};
    boxed<secret_volume_source> secret{};
    boxed<downward_api_volume_source> downward_api{};
    boxed<persistent_volume_claim_volume_source> persistent_volume_claim{};
    friend bool operator==(volume const&, volume const&) = default;
};
BOOST_DESCRIBE_STRUCT(
    volume, (), (name, empty_dir, host_path, config_map, secret, downward_api, persistent_volume_claim))
constexpr bool required(volume const*, std::string_view member)
{
    return member == "name";
}

// -- Where it may run ----------------------------------------------------------------------------

enum class node_selector_operator : std::uint8_t { in, not_in, exists, does_not_exist, gt, lt };
BOOST_DESCRIBE_ENUM(node_selector_operator, in, not_in, exists, does_not_exist, gt, lt)

struct node_selector_requirement {
    std::string key{};
    node_selector_operator operator_ = node_selector_operator::in;
    std::vector<std::string> values{};
    friend bool operator==(node_selector_requirement const&, node_selector_requirement const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_selector_requirement, (), (key, operator_, values))
constexpr bool required(node_selector_requirement const*, std::string_view member)
{
    return member == "key" || member == "operator_";
}

/// All of its requirements; an empty term matches nothing.
struct node_selector_term {
    std::vector<node_selector_requirement> match_expressions{};
    std::vector<node_selector_requirement> match_fields{};
    friend bool operator==(node_selector_term const&, node_selector_term const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_selector_term, (), (match_expressions, match_fields))

/// Any of its terms.
struct node_selector {
    std::vector<node_selector_term> node_selector_terms{};
    friend bool operator==(node_selector const&, node_selector const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_selector, (), (node_selector_terms))
constexpr bool required(node_selector const*, std::string_view)
{
    return true;
}

struct preferred_scheduling_term {
    std::int32_t weight = 0;  ///< 1 to 100
    node_selector_term preference{};
    friend bool operator==(preferred_scheduling_term const&, preferred_scheduling_term const&) = default;
};
BOOST_DESCRIBE_STRUCT(preferred_scheduling_term, (), (weight, preference))
constexpr bool required(preferred_scheduling_term const*, std::string_view)
{
    return true;
}

struct node_affinity {
    std::optional<node_selector> required_during_scheduling_ignored_during_execution{};
    std::vector<preferred_scheduling_term> preferred_during_scheduling_ignored_during_execution{};
    friend bool operator==(node_affinity const&, node_affinity const&) = default;
};
BOOST_DESCRIBE_STRUCT(node_affinity, (),
    (required_during_scheduling_ignored_during_execution,
        preferred_during_scheduling_ignored_during_execution))

/// Which pods, and how far around them: all nodes with the same value of the label `topology_key`.
struct pod_affinity_term {
    boxed<model::label_selector> label_selector{};  ///< none: no pod
    std::vector<std::string> namespaces{};          ///< neither this nor the next: the pod's own
    std::string topology_key{};
    boxed<model::label_selector> namespace_selector{};  ///< added to `namespaces`; an empty one: all
    std::vector<std::string> match_label_keys{};        ///< the pod's own values: see `merge_label_keys`
    std::vector<std::string> mismatch_label_keys{};     ///< anything but the pod's own values
    friend bool operator==(pod_affinity_term const&, pod_affinity_term const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_affinity_term, (),
    (label_selector, namespaces, topology_key, namespace_selector, match_label_keys, mismatch_label_keys))
constexpr bool required(pod_affinity_term const*, std::string_view member)
{
    return member == "topology_key";
}

struct weighted_pod_affinity_term {
    std::int32_t weight = 0;  ///< 1 to 100
    model::pod_affinity_term pod_affinity_term{};
    friend bool operator==(weighted_pod_affinity_term const&, weighted_pod_affinity_term const&) = default;
};
BOOST_DESCRIBE_STRUCT(weighted_pod_affinity_term, (), (weight, pod_affinity_term))
constexpr bool required(weighted_pod_affinity_term const*, std::string_view)
{
    return true;
}

/// Wishes about neighbours: near them, or (as `pod_anti_affinity`) away from them.
struct pod_affinity {
    std::vector<pod_affinity_term> required_during_scheduling_ignored_during_execution{};
    std::vector<weighted_pod_affinity_term> preferred_during_scheduling_ignored_during_execution{};
    friend bool operator==(pod_affinity const&, pod_affinity const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_affinity, (),
    (required_during_scheduling_ignored_during_execution,
        preferred_during_scheduling_ignored_during_execution))

struct affinity {
    std::optional<model::node_affinity> node_affinity{};
    boxed<model::pod_affinity> pod_affinity{};
    boxed<model::pod_affinity> pod_anti_affinity{};
    friend bool operator==(affinity const&, affinity const&) = default;
};
BOOST_DESCRIBE_STRUCT(affinity, (), (node_affinity, pod_affinity, pod_anti_affinity))

enum class unsatisfiable_action : std::uint8_t { do_not_schedule, schedule_anyway };
BOOST_DESCRIBE_ENUM(unsatisfiable_action, do_not_schedule, schedule_anyway)

enum class node_inclusion_policy : std::uint8_t { honor, ignore };
BOOST_DESCRIBE_ENUM(node_inclusion_policy, honor, ignore)

/// Like pods evenly over the domains of a topology key.
struct topology_spread_constraint {
    std::int32_t max_skew = 0;  ///< >= 1: how many pods a domain may be ahead of the emptiest
    std::optional<std::int32_t> min_domains{};
    std::string topology_key{};
    unsatisfiable_action when_unsatisfiable = unsatisfiable_action::do_not_schedule;
    boxed<model::label_selector> label_selector{};  ///< of pods in the same namespace; none: no pod
    node_inclusion_policy node_affinity_policy = node_inclusion_policy::honor;
    node_inclusion_policy node_taints_policy = node_inclusion_policy::ignore;
    std::vector<std::string> match_label_keys{};
    friend bool operator==(topology_spread_constraint const&, topology_spread_constraint const&) = default;
};
BOOST_DESCRIBE_STRUCT(topology_spread_constraint, (),
    (max_skew, min_domains, topology_key, when_unsatisfiable, label_selector, node_affinity_policy,
        node_taints_policy, match_label_keys))
constexpr bool required(topology_spread_constraint const*, std::string_view member)
{
    return member == "max_skew" || member == "topology_key" || member == "when_unsatisfiable";
}

/// The pod is not placed before all of these are taken away.
struct pod_scheduling_gate {
    std::string name{};
    friend bool operator==(pod_scheduling_gate const&, pod_scheduling_gate const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_scheduling_gate, (), (name))
constexpr bool required(pod_scheduling_gate const*, std::string_view)
{
    return true;
}

enum class preemption_policy : std::uint8_t { preempt_lower_priority, never };
BOOST_DESCRIBE_ENUM(preemption_policy, preempt_lower_priority, never)

enum class taint_effect : std::uint8_t { no_schedule, prefer_no_schedule, no_execute };
BOOST_DESCRIBE_ENUM(taint_effect, no_schedule, prefer_no_schedule, no_execute)

enum class toleration_operator : std::uint8_t { equal, exists };
BOOST_DESCRIBE_ENUM(toleration_operator, equal, exists)

struct toleration {
    std::string key{};  ///< empty with `exists`: every key
    toleration_operator operator_ = toleration_operator::equal;
    std::string value{};
    std::optional<taint_effect> effect{};              ///< none: every effect
    std::optional<std::int64_t> toleration_seconds{};  ///< for `no_execute`; none: for ever
    friend bool operator==(toleration const&, toleration const&) = default;
};
BOOST_DESCRIBE_STRUCT(toleration, (), (key, operator_, value, effect, toleration_seconds))

enum class dns_policy : std::uint8_t { cluster_first, cluster_first_with_host_net, default_, none };
BOOST_DESCRIBE_ENUM(dns_policy, cluster_first, cluster_first_with_host_net, default_, none)

struct pod_spec {
    shared_list<container> init_containers{};
    shared_list<container> containers{};
    shared_list<volume> volumes{};
    std::string node_name{};  ///< where it is bound; empty: not yet
    std::map<std::string, std::string> node_selector{};
    boxed<model::affinity> affinity{};
    shared_list<toleration> tolerations{};
    shared_list<topology_spread_constraint> topology_spread_constraints{};
    shared_list<pod_scheduling_gate> scheduling_gates{};
    std::string service_account_name{};
    std::string scheduler_name{};  ///< empty: podium's
    std::string priority_class_name{};
    std::optional<std::int32_t> priority{};
    boxed<resource_list> overhead{};  ///< what the pod takes beyond its containers
    std::int64_t termination_grace_period_seconds = 30;
    std::optional<std::int64_t> active_deadline_seconds{};
    std::string hostname{};
    std::string subdomain{};
    model::restart_policy restart_policy = model::restart_policy::always;
    model::preemption_policy preemption_policy = model::preemption_policy::preempt_lower_priority;
    model::dns_policy dns_policy = model::dns_policy::cluster_first;
    bool host_network = false;
    bool host_pid = false;
    bool host_ipc = false;
    bool enable_service_links = true;  ///< DB_SERVICE_HOST and the like in the environment
    std::optional<bool> automount_service_account_token{};
    std::optional<bool> share_process_namespace{};
    friend bool operator==(pod_spec const&, pod_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_spec, (),
    (init_containers, containers, volumes, node_name, node_selector, affinity, tolerations,
        topology_spread_constraints, scheduling_gates, service_account_name, scheduler_name,
        priority_class_name, priority, overhead, termination_grace_period_seconds, active_deadline_seconds,
        hostname, subdomain, restart_policy, preemption_policy, dns_policy, host_network, host_pid, host_ipc,
        enable_service_links, automount_service_account_token, share_process_namespace))
constexpr bool required(pod_spec const*, std::string_view member)
{
    return member == "containers";
}

// -- How it is doing -----------------------------------------------------------------------------

enum class pod_phase : std::uint8_t { pending, running, succeeded, failed, unknown };
BOOST_DESCRIBE_ENUM(pod_phase, pending, running, succeeded, failed, unknown)

struct pod_condition {
    std::string type{};  ///< "PodScheduled", "Initialized", "ContainersReady", "Ready", ...
    condition_status status = condition_status::unknown;
    std::string reason{};
    std::string message{};
    std::optional<time> last_transition_time{};
    std::optional<time> last_probe_time{};
    std::int64_t observed_generation = 0;
    friend bool operator==(pod_condition const&, pod_condition const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_condition, (),
    (type, status, reason, message, last_transition_time, last_probe_time, observed_generation))
constexpr bool required(pod_condition const*, std::string_view member)
{
    return member == "type" || member == "status";
}

struct container_state_waiting {
    std::string reason{};
    std::string message{};
    friend bool operator==(container_state_waiting const&, container_state_waiting const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_state_waiting, (), (reason, message))

struct container_state_running {
    std::optional<time> started_at{};
    friend bool operator==(container_state_running const&, container_state_running const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_state_running, (), (started_at))

struct container_state_terminated {
    std::int32_t exit_code = 0;
    std::int32_t signal = 0;
    std::string reason{};
    std::string message{};
    std::optional<time> started_at{};
    std::optional<time> finished_at{};
    std::string container_id{};
    friend bool operator==(container_state_terminated const&, container_state_terminated const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_state_terminated, (),
    (exit_code, signal, reason, message, started_at, finished_at, container_id))
constexpr bool required(container_state_terminated const*, std::string_view member)
{
    return member == "exit_code";
}
constexpr bool always(container_state_terminated const*, std::string_view member)
{
    return member == "exit_code";
}

/// At most one of these; none reads as waiting.
struct container_state {
    boxed<container_state_waiting> waiting{};
    boxed<container_state_running> running{};
    boxed<container_state_terminated> terminated{};
    friend bool operator==(container_state const&, container_state const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_state, (), (waiting, running, terminated))

struct container_status {
    std::string name{};
    container_state state{};
    container_state last_state{};  ///< how the instance before this one ended
    bool ready = false;
    std::int32_t restart_count = 0;
    std::string image{};
    std::string image_id{};
    std::string container_id{};
    std::optional<bool> started{};  ///< past its startup probe
    friend bool operator==(container_status const&, container_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(container_status, (),
    (name, state, last_state, ready, restart_count, image, image_id, container_id, started))
constexpr bool required(container_status const*, std::string_view member)
{
    return member == "name";
}
constexpr bool always(container_status const*, std::string_view member)
{
    return member == "ready" || member == "restart_count";
}

/// podium's own: this pod is to go in a voluntary change, and no request may be lost for it. Written by the
/// controller that decided; the pod is deleted when every live router has let go of it, or at the deadline.
struct pod_drain {
    time since{};
    time deadline{};
    std::string reason{};
    std::optional<std::int64_t> grace_period_seconds{};  ///< given with the order; else the pod's own
    friend bool operator==(pod_drain const&, pod_drain const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_drain, (), (since, deadline, reason, grace_period_seconds))
constexpr bool required(pod_drain const*, std::string_view member)
{
    return member == "since" || member == "deadline";
}
constexpr bool always(pod_drain const*, std::string_view member)
{
    return member == "since" || member == "deadline";
}

struct pod_ip {
    std::string ip{};
    friend bool operator==(pod_ip const&, pod_ip const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_ip, (), (ip))

struct pod_status {
    pod_phase phase = pod_phase::pending;
    std::vector<pod_condition> conditions{};
    std::string reason{};  ///< "Evicted", "NodeLost", ...
    std::string message{};
    std::string nominated_node_name{};
    std::string host_ip{};
    std::string pod_ip{};
    std::vector<model::pod_ip> pod_ips{};
    std::optional<time> start_time{};
    std::vector<container_status> init_container_statuses{};
    std::vector<container_status> container_statuses{};
    std::string qos_class{};
    std::int64_t observed_generation = 0;
    boxed<pod_drain> drain{};  ///< podium's own
    friend bool operator==(pod_status const&, pod_status const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_status, (),
    (phase, conditions, reason, message, nominated_node_name, host_ip, pod_ip, pod_ips, start_time,
        init_container_statuses, container_statuses, qos_class, observed_generation, drain))
constexpr bool always(pod_status const*, std::string_view member)
{
    return member == "phase";
}

struct pod {
    static constexpr std::string_view kind = "Pod";
    static constexpr std::string_view api_version = "v1";
    static constexpr std::string_view plural = "pods";
    static constexpr std::string_view short_name = "po";
    static constexpr bool namespaced = true;

    object_meta metadata{};
    pod_spec spec{};
    pod_status status{};
    friend bool operator==(pod const&, pod const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod, (), (metadata, spec, status))
constexpr bool required(pod const*, std::string_view member)
{
    return member == "spec";
}

/// The condition "Ready" is true: it may receive requests.
[[nodiscard]] inline bool is_ready(pod const& p) noexcept
{
    auto const* ready = find_condition(p.status.conditions, "Ready");
    return ready && ready->status == condition_status::true_;
}

/// It ended for good: succeeded or failed.
[[nodiscard]] constexpr bool is_terminal(pod_phase phase) noexcept
{
    return phase == pod_phase::succeeded || phase == pod_phase::failed;
}

/// What pods are made from.
struct pod_template_spec {
    object_meta metadata{};
    pod_spec spec{};
    friend bool operator==(pod_template_spec const&, pod_template_spec const&) = default;
};
BOOST_DESCRIBE_STRUCT(pod_template_spec, (), (metadata, spec))

}  // namespace podium::v0::model
