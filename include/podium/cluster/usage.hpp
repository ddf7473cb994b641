#pragma once
/// What pods and nodes use: cpu and memory, from two readings of their containers and the time between.
///
/// A container's first reading counts from its start. What was known last is kept for whoever wants to look:
/// `podium top`, a page, and clients of Kubernetes' metrics API.
///
/// Source: metrics.k8s.io/v1beta1 in kubernetes/metrics at v0.35 for the shape of the answers.

#include <podium/api/status.hpp>
#include <podium/core/quantity.hpp>
#include <podium/core/time.hpp>
#include <podium/model/json.hpp>
#include <podium/model/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace podium::inline v0::cluster {

/// A container's counters at one moment.
struct container_reading {
    std::string id{};  ///< of this run
    std::string name{};
    std::string pod_uid{};
    std::string pod_name{};
    std::string namespace_{};
    std::string node{};
    time_point started_at{};
    time_point read_at{};
    std::uint64_t cpu_nanos = 0;  ///< since its start
    std::uint64_t memory_bytes = 0;
};

struct container_load {
    std::string name{};
    std::int64_t cpu_nano_cores = 0;  ///< on average over the window
    std::uint64_t memory_bytes = 0;   ///< resident
    std::uint64_t cpu_nanos = 0;      ///< since its start
    friend bool operator==(container_load const&, container_load const&) = default;
};

struct pod_usage {
    std::string namespace_{};
    std::string name{};
    std::string node{};
    time_point measured_at{};
    duration window{};  ///< before that
    std::vector<container_load> containers{};
    [[nodiscard]] std::int64_t cpu_nano_cores() const noexcept
    {
        std::int64_t sum = 0;
        for (auto const& c : containers)
            sum += c.cpu_nano_cores;
        return sum;
    }
    [[nodiscard]] std::uint64_t memory_bytes() const noexcept
    {
        std::uint64_t sum = 0;
        for (auto const& c : containers)
            sum += c.memory_bytes;
        return sum;
    }
    friend bool operator==(pod_usage const&, pod_usage const&) = default;
};

/// The sum of a node's pods.
struct node_usage {
    std::int64_t cpu_nano_cores = 0;
    std::uint64_t memory_bytes = 0;
    time_point measured_at{};
    duration window{};
    friend bool operator==(node_usage const&, node_usage const&) = default;
};

/// Counters in, usage out; it remembers the counters before.
class usage_meter {
public:
    /// Takes all containers that run now. O(n log n).
    void absorb(std::vector<container_reading> const& all)
    {
        std::map<std::string, before> seen;
        pods_.clear();
        nodes_.clear();
        for (auto const& r : all) {
            auto const it = before_.find(r.id);
            auto const from = it == before_.end() ? before{r.started_at, 0} : it->second;
            seen.emplace(r.id, before{r.read_at, r.cpu_nanos});
            auto const window = r.read_at - from.at;
            if (window <= duration::zero() || r.cpu_nanos < from.cpu_nanos)
                continue;
            auto& pod = pods_[r.pod_uid];
            pod.namespace_ = r.namespace_;
            pod.name = r.pod_name;
            pod.node = r.node;
            pod.measured_at = std::max(pod.measured_at, r.read_at);
            pod.window = std::max(pod.window, window);
            auto const share = static_cast<double>(r.cpu_nanos - from.cpu_nanos) /
                std::chrono::duration<double>(window).count();
            pod.containers.push_back({r.name, static_cast<std::int64_t>(share), r.memory_bytes, r.cpu_nanos});
        }
        before_ = std::move(seen);
        for (auto const& [uid, p] : pods_) {
            auto& n = nodes_[p.node];
            n.cpu_nano_cores += p.cpu_nano_cores();
            n.memory_bytes += p.memory_bytes();
            n.measured_at = std::max(n.measured_at, p.measured_at);
            n.window = std::max(n.window, p.window);
        }
    }
    /// By the pod's uid.
    [[nodiscard]] std::map<std::string, pod_usage> const& pods() const noexcept { return pods_; }
    /// By name.
    [[nodiscard]] std::map<std::string, node_usage> const& nodes() const noexcept { return nodes_; }

private:
    struct before {
        time_point at{};
        std::uint64_t cpu_nanos = 0;
    };
    std::map<std::string, before> before_{};  ///< by the container's id
    std::map<std::string, pod_usage> pods_{};
    std::map<std::string, node_usage> nodes_{};
};

inline constexpr std::string_view metrics_api = "/apis/metrics.k8s.io/v1beta1/";

namespace detail {

inline model::json usage_json(std::int64_t cpu_nano_cores, std::uint64_t memory_bytes)
{
    return {{"cpu", to_string(quantity::from_integer(cpu_nano_cores, -9))},
        {"memory",
            to_string(quantity::from_integer(
                static_cast<std::int64_t>(memory_bytes / 1024 * 1024), 0, quantity_format::binary_si))}};
}
inline model::json pod_metrics(pod_usage const& p)
{
    model::json out{{"kind", "PodMetrics"}, {"apiVersion", "metrics.k8s.io/v1beta1"},
        {"metadata", {{"name", p.name}, {"namespace", p.namespace_}}},
        {"timestamp", to_text(model::time{p.measured_at})},
        {"window", std::to_string(std::chrono::duration<double>(p.window).count()) + 's'},
        {"containers", model::json::array()}};
    for (auto const& c : p.containers)
        out["containers"].push_back(
            {{"name", c.name}, {"usage", usage_json(c.cpu_nano_cores, c.memory_bytes)}});
    return out;
}
inline model::json node_metrics(std::string const& name, node_usage const& n)
{
    return {{"kind", "NodeMetrics"}, {"apiVersion", "metrics.k8s.io/v1beta1"}, {"metadata", {{"name", name}}},
        {"timestamp", to_text(model::time{n.measured_at})},
        {"window", std::to_string(std::chrono::duration<double>(n.window).count()) + 's'},
        {"usage", usage_json(n.cpu_nano_cores, n.memory_bytes)}};
}

}  // namespace detail

/// What Kubernetes' metrics API answers to a GET below `metrics_api`: "nodes", "nodes/NAME", "pods",
/// "namespaces/NS/pods", "namespaces/NS/pods/NAME". The query is not looked at.
[[nodiscard]] inline api::response metrics_answer(usage_meter const& known, std::string_view target)
{
    target = target.substr(0, target.find('?'));
    if (target.starts_with(metrics_api))
        target.remove_prefix(metrics_api.size());
    std::vector<std::string_view> parts;
    while (!target.empty()) {
        parts.push_back(target.substr(0, target.find('/')));
        target.remove_prefix(std::min(parts.back().size() + 1, target.size()));
    }
    std::optional<std::string_view> namespace_;
    if (parts.size() > 2 && parts[0] == "namespaces") {
        namespace_ = parts[1];
        parts.erase(parts.begin(), parts.begin() + 2);
    }
    bool const of_pods = !parts.empty() && parts[0] == "pods";
    bool const of_nodes = !parts.empty() && parts[0] == "nodes" && !namespace_;
    if ((!of_pods && !of_nodes) || parts.size() > 2 || (of_pods && parts.size() == 2 && !namespace_))
        return api::failure({errc::not_found, "there is no such path", {}, {}});
    auto const name = parts.size() == 2 ? std::optional(parts[1]) : std::nullopt;
    auto items = model::json::array();
    if (of_pods) {
        std::map<std::pair<std::string_view, std::string_view>, pod_usage const*> sorted;
        for (auto const& [uid, p] : known.pods())
            if ((!namespace_ || p.namespace_ == *namespace_) && (!name || p.name == *name))
                sorted[{p.namespace_, p.name}] = &p;
        for (auto const& [key, p] : sorted)
            items.push_back(detail::pod_metrics(*p));
    } else {
        for (auto const& [node, n] : known.nodes())
            if (!name || node == *name)
                items.push_back(detail::node_metrics(node, n));
    }
    if (name)
        return items.empty() ? api::failure({errc::not_found, "nothing was measured of it", {}, {}},
                                   {of_pods ? "pods" : "nodes", *name})
                             : api::response{200, items[0].dump()};
    return {200,
        model::json{{"kind", of_pods ? "PodMetricsList" : "NodeMetricsList"},
            {"apiVersion", "metrics.k8s.io/v1beta1"}, {"metadata", model::json::object()},
            {"items", std::move(items)}}
            .dump()};
}

}  // namespace podium::v0::cluster
