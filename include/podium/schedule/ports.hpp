#pragma once
/// Ports of the host: two pods that want the same one cannot share a node.
///
/// Source: kube-scheduler v1.35, plugins/nodeports. Addresses are compared as text; an empty one and
/// "0.0.0.0" are every address.

#include <podium/schedule/plugin.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace podium::inline v0::schedule {

struct host_port {
    std::string ip{};        ///< empty: every address
    std::string protocol{};  ///< empty: TCP
    std::int32_t port = 0;   ///< below 1: none
    friend bool operator==(host_port const&, host_port const&) = default;
    friend auto operator<=>(host_port const&, host_port const&) = default;

    /// Both on one node would not do.
    [[nodiscard]] bool collides(host_port const& other) const noexcept
    {
        return port == other.port && protocol == other.protocol &&
            (ip == other.ip || ip.empty() || other.ip.empty());
    }
};

namespace detail {

/// The ports there are, each in one spelling, sorted.
[[nodiscard]] inline std::vector<host_port> in_one_spelling(auto const& given)
{
    std::vector<host_port> out;
    for (auto const& p : given)
        if (p.port > 0)
            out.push_back({.ip = p.ip == "0.0.0.0" ? std::string{} : std::string(p.ip),
                .protocol = p.protocol == "TCP" ? std::string{} : std::string(p.protocol),
                .port = p.port});
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace detail

/// Column: the ports in use on each node. `Ports(pod)` is a range with the fields of `host_port`.
template<auto Ports>
class used_ports {
public:
    struct entry {
        host_port port{};
        std::uint32_t pods = 0;
        friend bool operator==(entry const&, entry const&) = default;
    };
    using row = std::vector<entry>;

    void resize(std::size_t slots) { rows_.resize(slots); }
    void set(std::uint32_t, auto const&) {}
    void unset(std::uint32_t) {}
    void bind(std::uint32_t slot, auto const& pod)
    {
        for (auto& p : detail::in_one_spelling(std::invoke(Ports, pod))) {
            auto& list = rows_[slot];
            auto at = place(list, p);
            if (at == list.end() || at->port != p)
                at = list.insert(at, {.port = std::move(p)});
            ++at->pods;
        }
    }
    void unbind(std::uint32_t slot, auto const& pod)
    {
        for (auto const& p : detail::in_one_spelling(std::invoke(Ports, pod))) {
            auto& list = rows_[slot];
            if (auto const at = place(list, p); at != list.end() && at->port == p && --at->pods == 0)
                list.erase(at);
        }
    }
    [[nodiscard]] row const& at(std::uint32_t slot) const { return rows_[slot]; }
    friend bool operator==(used_ports const&, used_ports const&) = default;

private:
    static typename row::iterator place(row& list, host_port const& p)
    {
        return std::lower_bound(
            list.begin(), list.end(), p, [](entry const& e, host_port const& q) { return e.port < q; });
    }
    std::vector<row> rows_{};
};

/// Refuses nodes where a port that the pod wants is taken. O(ports wanted x ports in use on the node).
template<auto Ports>
struct node_ports {
    static constexpr std::string_view name = "NodePorts";
    static constexpr std::string_view reason = "node(s) didn't have free ports for the requested pod ports";
    using facts = schedule::facts<used_ports<Ports>>;

    [[nodiscard]] static std::vector<host_port> prepare(auto const& pod)
    {
        return detail::in_one_spelling(std::invoke(Ports, pod));
    }
    [[nodiscard]] static bool indifferent(std::vector<host_port> const& wanted) { return wanted.empty(); }
    [[nodiscard]] static bool filter(auto const& at, std::vector<host_port> const& wanted)
    {
        for (auto const& taken : at.template get<used_ports<Ports>>())
            for (auto const& p : wanted)
                if (p.collides(taken.port))
                    return false;
        return true;
    }
};

}  // namespace podium::v0::schedule
