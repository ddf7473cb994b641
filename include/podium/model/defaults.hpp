#pragma once
/// Defaults that depend on other fields, or that a written 0 means: Kubernetes' defaulting.
///
/// Constant defaults are the structs' initial values; what is here is the rest. Idempotent. Lists that are
/// shared with a template stay shared when nothing in them changes.
///
/// Source: pkg/apis/{core,apps}/v1 and autoscaling/v2 defaults.go in kubernetes at v1.35. Left alone, since
/// podium treats the empty value as its own: scheduler name, service account, termination message path.

#include <podium/model/kinds.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::model {

namespace detail {

/// `always` for the tag "latest", written or not; `if_not_present` for other tags and for digests.
[[nodiscard]] inline pull_policy pull_policy_for(std::string_view image) noexcept
{
    if (image.find('@') != std::string_view::npos)
        return pull_policy::if_not_present;
    auto const slash = image.rfind('/');
    auto const name = slash == std::string_view::npos ? image : image.substr(slash + 1);
    auto const colon = name.rfind(':');
    bool const latest = colon == std::string_view::npos || name.substr(colon + 1) == "latest";
    return latest ? pull_policy::always : pull_policy::if_not_present;
}

inline void set_default(std::int32_t& number, std::int32_t value) noexcept
{
    if (number == 0)
        number = value;
}

inline void set_default(std::string& text, std::string_view value)
{
    if (text.empty())
        text = value;
}

inline void set_defaults(std::optional<http_get_action>& action)
{
    if (action)
        set_default(action->path, "/");
}

inline void set_defaults(boxed<probe>& check)
{
    if (!check)
        return;
    probe p = *check;
    set_defaults(p.http_get);
    set_default(p.timeout_seconds, 1);
    set_default(p.period_seconds, 10);
    set_default(p.success_threshold, 1);
    set_default(p.failure_threshold, 3);
    if (p != *check)
        check = std::move(p);
}

inline void set_defaults(boxed<lifecycle_handler>& handler)
{
    if (handler && handler->http_get && handler->http_get->path.empty())
        set_defaults(handler.edit().http_get);
}

inline void set_defaults(container& c, bool host_network)
{
    if (!c.image_pull_policy)
        c.image_pull_policy = pull_policy_for(c.image);
    for (auto& port : c.ports)
        if (host_network)
            set_default(port.host_port, port.container_port_);
    for (auto& variable : c.env)
        if (variable.value_from && variable.value_from->field_ref &&
            variable.value_from->field_ref->api_version.empty())
            variable.value_from.edit().field_ref->api_version = "v1";
    for (auto const& [name, amount] : c.resources.limits)
        c.resources.requests.try_emplace(name, amount);
    set_defaults(c.liveness_probe);
    set_defaults(c.readiness_probe);
    set_defaults(c.startup_probe);
    bool const hooked = c.lifecycle &&
        ((c.lifecycle->post_start && c.lifecycle->post_start->http_get) ||
            (c.lifecycle->pre_stop && c.lifecycle->pre_stop->http_get));
    if (hooked) {
        auto& hooks = c.lifecycle.edit();
        set_defaults(hooks.post_start);
        set_defaults(hooks.pre_stop);
    }
}

inline void set_defaults(shared_list<container>& list, bool host_network)
{
    auto items = list.items();
    for (auto& c : items)
        set_defaults(c, host_network);
    if (items != list.items())
        list = std::move(items);
}

using label_keys = std::vector<std::string>;

/// {key In/NotIn (the pod's own value)} for each key, unless it is there.
inline void ask_for_own(label_selector& to, label_keys const& keys, label_selector_operator op,
    std::map<std::string, std::string> const& own)
{
    auto& all = to.match_expressions;
    for (auto const& key : keys) {
        auto const found = own.find(key);
        bool const merged = found == own.end() || std::any_of(all.begin(), all.end(), [&](auto const& e) {
            return e.key == key && e.operator_ == op && e.values.size() == 1 &&
                (op == label_selector_operator::in || e.values[0] == found->second);
        });
        if (!merged)
            all.push_back({key, op, {found->second}});
    }
}
inline void ask_for_own(boxed<label_selector>& selector, label_keys const& match, label_keys const& mismatch,
    std::map<std::string, std::string> const& own)
{
    if (!selector || (match.empty() && mismatch.empty()))
        return;
    auto merged = *selector;
    ask_for_own(merged, match, label_selector_operator::in, own);
    ask_for_own(merged, mismatch, label_selector_operator::not_in, own);
    if (merged != *selector)
        selector = std::move(merged);
}
inline void ask_for_own(boxed<pod_affinity>& wishes, std::map<std::string, std::string> const& own)
{
    if (!wishes)
        return;
    auto merged = *wishes;
    auto const merge = [&](pod_affinity_term& t) {
        ask_for_own(t.label_selector, t.match_label_keys, t.mismatch_label_keys, own);
    };
    for (auto& t : merged.required_during_scheduling_ignored_during_execution)
        merge(t);
    for (auto& t : merged.preferred_during_scheduling_ignored_during_execution)
        merge(t.pod_affinity_term);
    if (merged != *wishes)
        wishes = std::move(merged);
}

}  // namespace detail

/// Makes of `matchLabelKeys` and `mismatchLabelKeys` requirements of the selectors beside them, with the
/// values that the pod has for those labels: what is done when a pod is made. Idempotent; what is shared with
/// the template stays so when there is nothing to merge.
///
/// Source: applyMatchLabelKeysAndMismatchLabelKeys in pkg/registry/core/pod/strategy.go.
inline void merge_label_keys(pod& p)
{
    auto const& own = p.metadata.labels;
    if (p.spec.affinity) {
        auto merged = *p.spec.affinity;
        detail::ask_for_own(merged.pod_affinity, own);
        detail::ask_for_own(merged.pod_anti_affinity, own);
        if (merged != *p.spec.affinity)
            p.spec.affinity = std::move(merged);
    }
    auto const& spread = p.spec.topology_spread_constraints;
    if (std::none_of(spread.begin(), spread.end(), [](auto const& c) { return !c.match_label_keys.empty(); }))
        return;
    auto merged = spread.items();
    for (auto& c : merged)
        detail::ask_for_own(c.label_selector, c.match_label_keys, {}, own);
    if (merged != spread.items())
        p.spec.topology_spread_constraints = std::move(merged);
}

inline void set_defaults(pod_spec& spec)
{
    detail::set_defaults(spec.init_containers, spec.host_network);
    detail::set_defaults(spec.containers, spec.host_network);
}

inline void set_defaults(pod& p)
{
    set_defaults(p.spec);
    merge_label_keys(p);
}

inline void set_defaults(replica_set& set)
{
    set_defaults(set.spec.template_.spec);
}

inline void set_defaults(deployment& d)
{
    set_defaults(d.spec.template_.spec);
    if (d.spec.strategy.type != deployment_strategy_type::rolling_update)
        return;
    if (!d.spec.strategy.rolling_update)
        d.spec.strategy.rolling_update.emplace();
    auto& rolling = *d.spec.strategy.rolling_update;
    if (!rolling.max_unavailable)
        rolling.max_unavailable = int_or_percent::percent(25);
    if (!rolling.max_surge)
        rolling.max_surge = int_or_percent::percent(25);
}

inline void set_defaults(rollout& r)
{
    set_defaults(r.spec.template_.spec);
}

namespace detail {

inline hpa_scaling_rules with_defaults(
    std::optional<hpa_scaling_rules> const& given, std::vector<hpa_scaling_policy> policies)
{
    auto rules = given.value_or(hpa_scaling_rules{});
    if (!rules.select_policy)
        rules.select_policy = scaling_policy_select::max;
    if (rules.policies.empty())
        rules.policies = std::move(policies);
    return rules;
}

}  // namespace detail

/// A behavior with any part gets the rest of it; without one an autoscaler goes by Kubernetes' older rules.
inline void set_defaults(horizontal_pod_autoscaler& a)
{
    if (a.spec.metrics.empty()) {
        metric_spec cpu;
        cpu.resource =
            resource_metric_source{.name = "cpu", .target = {metric_target_type::utilization, {}, {}, 80}};
        a.spec.metrics.push_back(std::move(cpu));
    }
    if (!a.spec.behavior)
        return;
    auto const percent = hpa_scaling_policy{hpa_scaling_policy_type::percent, 100, 15};
    horizontal_pod_autoscaler_behavior b;
    b.scale_up =
        detail::with_defaults(a.spec.behavior->scale_up, {{hpa_scaling_policy_type::pods, 4, 15}, percent});
    if (!b.scale_up->stabilization_window_seconds)
        b.scale_up->stabilization_window_seconds = 0;
    b.scale_down = detail::with_defaults(a.spec.behavior->scale_down, {percent});
    if (b != *a.spec.behavior)
        a.spec.behavior = std::move(b);
}

inline void set_defaults(stateful_set& set)
{
    set_defaults(set.spec.template_.spec);
    auto& strategy = set.spec.update_strategy;
    if (strategy.type == stateful_set_update_strategy_type::rolling_update && !strategy.rolling_update)
        strategy.rolling_update.emplace();
}

inline void set_defaults(service& s)
{
    for (auto& port : s.spec.ports)
        if (port.target_port.empty())
            port.target_port = port.port;
    if (s.spec.session_affinity == session_affinity::client_ip) {
        if (!s.spec.session_affinity_config)
            s.spec.session_affinity_config.emplace();
        if (!s.spec.session_affinity_config->client_ip)
            s.spec.session_affinity_config->client_ip.emplace();
    }
}

inline void set_defaults(node& n)
{
    if (n.status.allocatable.empty())
        n.status.allocatable = n.status.capacity;
}

inline void set_defaults(namespace_& n)
{
    n.metadata.labels.insert_or_assign("kubernetes.io/metadata.name", n.metadata.name);
}

/// `stringData` is how people write; `data` is what is kept.
inline void set_defaults(secret& s)
{
    for (auto& [key, text] : s.string_data)
        s.data.insert_or_assign(key, bytes{std::move(text)});
    s.string_data.clear();
    detail::set_default(s.type, "Opaque");
}

}  // namespace podium::v0::model
