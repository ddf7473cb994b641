#pragma once
/// URLs as a cluster's own: their hosts may be services.

#include <podium/core/result.hpp>
#include <podium/model/service.hpp>
#include <podium/net/address.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace podium::inline v0::cluster {

/// Host and port of "http://HOST[:PORT][/PATH]", and the rest. A host that is a service of this namespace, or
/// "service.namespace", is that. Errors: `invalid`.
template<class View>
[[nodiscard]] result<std::pair<net::address, std::string>> url_address(
    View const& view, std::string_view url, std::string const& namespace_)
{
    constexpr std::string_view scheme = "http://";
    error const wrong{errc::invalid, "expected http://HOST[:PORT][/PATH]", "url", {}};
    if (!url.starts_with(scheme))
        return wrong;
    url.remove_prefix(scheme.size());
    auto const slash = std::min(url.find('/'), url.size());
    auto host = std::string(url.substr(0, slash));
    std::uint16_t port = 80;
    if (auto const colon = host.rfind(':'); colon != host.npos && host.find(']', colon) == host.npos) {
        auto const* const end = host.data() + host.size();
        auto const [stop, failed] = std::from_chars(host.data() + colon + 1, end, port);
        if (failed != std::errc{} || stop != end)
            return wrong;
        host.resize(colon);
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    auto const dot = host.find('.');
    auto service = view.template get<model::service>(namespace_, host);
    if (!service && dot != host.npos)
        service = view.template get<model::service>(host.substr(dot + 1), host.substr(0, dot));
    if (service)
        host = service->spec.cluster_ip;
    auto path = std::string(url.substr(slash));
    return std::pair{net::address::tcp(std::move(host), port), path.empty() ? "/" : std::move(path)};
}

}  // namespace podium::v0::cluster
