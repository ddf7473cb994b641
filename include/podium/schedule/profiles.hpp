#pragma once
/// Profiles: several sets of rules over one cluster, of which each pod chooses one by name.
///
///     schedule::profiles<spreading, packing> fleet({"default"}, {"batch"});
///     fleet.set("oslo", {.cores = 8});                // all profiles see all nodes and pods
///     if (auto const d = fleet.place("batsh", job); !d)
///         std::cout << d.error().text();              // no profile 'batsh': there are 'default', 'batch'
///     else if (d->node)
///         std::cout << fleet.name(*d);
///
/// Each profile is a scheduler with columns of its own (what one set of rules never reads costs nothing in
/// it), fed by the same events in the same order. So a slot means the same node in all of them, and a bind
/// costs as often as there are profiles.
///
/// Source: kube-scheduler v1.35, `profiles` of its configuration and pkg/scheduler/profile (there
/// `spec.schedulerName`).

#include <podium/core/result.hpp>
#include <podium/schedule/scheduler.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace podium::inline v0::schedule {

/// One set of rules and its name; of two with the same name the first is found.
template<class Pipeline>
struct profile {
    std::string name{};
    Pipeline rules{};
    schedule::options options{};
};

template<class First, class... Rest>
class profiles {
    static_assert((std::same_as<typename First::node_type, typename Rest::node_type> && ...) &&
            (std::same_as<typename First::pod_type, typename Rest::pod_type> && ...),
        "podium: the pipelines of profiles<> are not over the same node and pod types");

public:
    using node_type = typename First::node_type;
    using pod_type = typename First::pod_type;

    explicit profiles(profile<First> first, profile<Rest>... rest)
        : names_{first.name, rest.name...},
          all_(scheduler<First>(std::move(first.rules), first.options),
              scheduler<Rest>(std::move(rest.rules), rest.options)...)
    {
    }

    /// The fold of changes; see `snapshot`. All profiles see them.
    std::uint32_t set(std::string_view node, node_type const& what)
    {
        return std::apply(
            [&](auto& first, auto&... rest) { return (rest.set(node, what), ..., first.set(node, what)); },
            all_);
    }
    void remove(std::string_view node)
    {
        each([&](auto& s) { s.remove(node); });
    }
    void bind(std::string_view node, pod_type const& pod)
    {
        each([&](auto& s) { s.bind(node, pod); });
    }
    void unbind(std::string_view node, pod_type const& pod)
    {
        each([&](auto& s) { s.unbind(node, pod); });
    }

    /// Where the pod would go by that profile; `errc::not_found` when there is none of that name. Binds
    /// nothing.
    [[nodiscard]] result<decision> decide(
        std::string_view by, pod_type const& pod, nominations<pod_type> const& nominated = {})
    {
        return with<decision>(all_, by, [&](auto& s) { return s.decide(pod, nominated); });
    }
    /// Decides and binds, in all profiles.
    result<decision> place(
        std::string_view by, pod_type const& pod, nominations<pod_type> const& nominated = {})
    {
        auto d = decide(by, pod, nominated);
        if (d && d->node)
            bind(name(*d), pod);
        return d;
    }
    [[nodiscard]] result<explanation> explain(
        std::string_view by, pod_type const& pod, std::uint32_t from = 0) const
    {
        return with<explanation>(all_, by, [&](auto const& s) { return s.explain(pod, from); });
    }
    /// `d` was made by that profile.
    [[nodiscard]] result<std::string> summary(
        std::string_view by, decision const& d, pod_type const& pod) const
    {
        return with<std::string>(all_, by, [&](auto const& s) { return s.summary(d, pod); });
    }
    /// The chosen node's name; empty when there is none.
    [[nodiscard]] std::string_view name(decision const& d) const { return std::get<0>(all_).name(d); }

    [[nodiscard]] std::vector<std::string> const& names() const noexcept { return names_; }
    /// The scheduler of one profile, to look at: nodes, rules.
    template<std::size_t I>
    [[nodiscard]] auto const& scheduler_of() const noexcept
    {
        return std::get<I>(all_);
    }

private:
    void each(auto&& what)
    {
        std::apply([&](auto&... s) { (what(s), ...); }, all_);
    }
    template<class T>
    [[nodiscard]] result<T> with(auto& all, std::string_view by, auto&& what) const
    {
        std::optional<T> out;
        std::apply(
            [&](auto&... s) {
                std::size_t i = 0;
                (void)((names_[i++] == by && (out.emplace(what(s)), true)) || ...);
            },
            all);
        if (out)
            return std::move(*out);
        std::string message = "no profile '" + std::string(by) + "': there ";
        message += names_.size() == 1 ? "is" : "are";
        for (std::size_t i = 0; i < names_.size(); ++i)
            message += (i == 0 ? " '" : ", '") + names_[i] + "'";
        return error{.code = errc::not_found, .message = std::move(message)};
    }

    std::vector<std::string> names_;
    std::tuple<scheduler<First>, scheduler<Rest>...> all_;
};

}  // namespace podium::v0::schedule
