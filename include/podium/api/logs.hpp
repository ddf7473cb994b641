#pragma once
/// A pod's log as a request for it is read: which container's run is meant, and which of its lines.
///
/// The status says which runs there are, so an answer is as new as the view; the lines are with the node.
///
/// Source: Kubernetes v1.35: registry/core/pod/strategy.go (LogLocation), pkg/kubelet/kubelet_pods.go
/// (validateContainerLogStatus), ValidatePodLogOptions; their words.

#include <podium/api/path.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/model/pod.hpp>
#include <podium/model/time.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace podium::inline v0::api {

/// Lines to be read where the container is.
struct logs {
    std::string node{};          ///< empty: no node has the pod, and nothing was printed
    std::string container_id{};  ///< the runtime's
    bool follow = false;
    bool timestamps = false;                                                ///< before each line
    time_point since{};                                                     ///< no older lines
    std::uint64_t tail = std::numeric_limits<std::uint64_t>::max();         ///< lines at most, the newest
    std::uint64_t limit_bytes = std::numeric_limits<std::uint64_t>::max();  ///< of the whole answer
    friend bool operator==(logs const&, logs const&) = default;
};

namespace detail {

[[nodiscard]] std::string names_of(auto const& containers)
{
    std::string out = "[";
    for (auto const& c : containers)
        out += (out.size() > 1 ? " " : "") + c.name;
    return out + ']';
}

/// A whole number of a query, `least` or more.
[[nodiscard]] inline result<std::optional<std::uint64_t>> number_in(
    path const& where, std::string const& name, std::int64_t least)
{
    auto const text = where.parameter(name);
    std::int64_t n = 0;
    if (text.empty())
        return std::optional<std::uint64_t>{};
    auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (failed != std::errc{} || end != text.data() + text.size())
        return error{errc::invalid, "expected a whole number", name, {}};
    if (n < least)
        return error{errc::invalid,
            least > 0 ? "must be greater than 0" : "must be greater than or equal to 0", name, {}};
    return std::optional(static_cast<std::uint64_t>(n));
}

}  // namespace detail

/// The run of a container whose log is asked for: the one that runs or else ran last, or with `previous` the
/// one before it. No container name is enough where there is one only. Errors: `invalid`.
[[nodiscard]] inline result<logs> logs_of(model::pod const& pod, std::string container, bool previous)
{
    auto const& name = pod.metadata.name;
    auto const wrong = [](std::string text) { return error{errc::invalid, std::move(text), {}, {}}; };
    auto const named = [&](model::container const& c) { return c.name == container; };
    if (container.empty()) {
        if (pod.spec.containers.size() != 1)
            return wrong("a container name must be specified for pod " + name +
                ", choose one of: " + detail::names_of(pod.spec.containers) +
                (pod.spec.init_containers.empty()
                        ? std::string{}
                        : " or one of the init containers: " + detail::names_of(pod.spec.init_containers)));
        container = pod.spec.containers.front().name;
    } else if (std::ranges::none_of(pod.spec.containers, named) &&
        std::ranges::none_of(pod.spec.init_containers, named)) {
        return wrong("container " + container + " is not valid for pod " + name);
    }
    logs out{.node = pod.spec.node_name};
    if (out.node.empty())
        return out;
    auto const about = "container \"" + container + "\" in pod \"" + name + "\" ";
    model::container_status const* status = nullptr;
    for (auto const* const list : {&pod.status.container_statuses, &pod.status.init_container_statuses})
        for (auto const& s : *list)
            if (s.name == container)
                status = &s;
    if (!status)
        return wrong(about + "is not available");
    auto const& last = status->last_state.terminated;
    auto const& ended = status->state.terminated;
    if (previous) {
        if (!last || last->container_id.empty())
            return wrong("previous terminated " + about + "not found");
        out.container_id = last->container_id;
    } else if (status->state.running) {
        out.container_id = status->container_id;
    } else if (ended && !ended->container_id.empty()) {
        out.container_id = ended->container_id;
    } else if (last && !last->container_id.empty()) {
        out.container_id = last->container_id;
    } else if (ended || last) {
        return wrong(about + "is terminated");
    } else {
        auto const reason = status->state.waiting ? status->state.waiting->reason : std::string{};
        return wrong(about + "is waiting to start" +
            (reason.empty()                        ? " - no logs yet"
                    : reason == "ErrImagePull"     ? ": image can't be pulled"
                    : reason == "ImagePullBackOff" ? ": trying and failing to pull image"
                                                   : ": " + reason));
    }
    return out;
}

/// The same with what the query says of lines. Errors: `invalid`, with the parameter as its path where that
/// is wrong.
[[nodiscard]] inline result<logs> logs_of(model::pod const& pod, path const& where, time_point now)
{
    auto const flag = [&](char const* name) {
        auto const it = where.query.find(name);
        return it != where.query.end() && it->second != "0" && it->second != "false";
    };
    auto const tail = detail::number_in(where, "tailLines", 0);
    auto const limit = detail::number_in(where, "limitBytes", 1);
    auto const seconds = detail::number_in(where, "sinceSeconds", 1);
    for (auto const* const n : {&tail, &limit, &seconds})
        if (!*n)
            return n->error();
    model::time since{};
    if (auto const text = where.parameter("sinceTime"); !text.empty()) {
        if (*seconds)
            return error{errc::invalid, "at most one of `sinceTime` or `sinceSeconds` may be specified",
                "sinceTime", {}};
        if (!model::from_text(text, since))
            return error{errc::invalid, "expected a time such as 2026-01-31T09:30:00Z", "sinceTime", {}};
    }
    if (auto const stream = where.parameter("stream"); !stream.empty() && stream != "All")
        return error{errc::invalid, "only All is supported", "stream", {}};
    auto out = logs_of(pod, where.parameter("container"), flag("previous"));
    if (!out)
        return out;
    out->follow = flag("follow");
    out->timestamps = flag("timestamps");
    out->tail = tail->value_or(out->tail);
    out->limit_bytes = limit->value_or(out->limit_bytes);
    if (*seconds) {
        auto const most = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
        out->since = **seconds >= static_cast<std::uint64_t>(std::max<std::int64_t>(most, 0))
            ? time_point{}
            : now - std::chrono::seconds(static_cast<std::int64_t>(**seconds));
    } else {
        out->since = since.at;
    }
    return out;
}

}  // namespace podium::v0::api
