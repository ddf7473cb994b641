#pragma once
/// Where to connect or listen: an IP address and port, or the path of a unix domain socket.
///
/// Names are not resolved: pods and services have addresses, and a resolver that hangs has no deadline.

#include <podium/core/error.hpp>
#include <podium/core/result.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace podium::inline v0::net {

namespace asio = boost::asio;

/// An IP literal with a port, or a path.
struct address {
    std::string ip{};
    std::uint16_t port = 0;
    std::string path{};  ///< not empty: a unix domain socket, and ip and port do not matter

    [[nodiscard]] static address tcp(std::string ip, std::uint16_t port) { return {std::move(ip), port, {}}; }
    [[nodiscard]] static address unix_socket(std::string path) { return {{}, 0, std::move(path)}; }

    /// "127.0.0.1:80", "[::1]:80" or "/run/podium.sock".
    [[nodiscard]] std::string text() const
    {
        if (!path.empty())
            return path;
        return (ip.find(':') == ip.npos ? ip : '[' + ip + ']') + ':' + std::to_string(port);
    }

    friend bool operator==(address const&, address const&) = default;
};

/// What `text` writes of an IP address and a port; "localhost" is 127.0.0.1. `invalid` otherwise.
[[nodiscard]] inline result<address> parse_address(std::string_view text)
{
    auto const colon = text.rfind(':');
    auto ip = std::string(text.substr(0, colon == text.npos ? 0 : colon));
    if (ip == "localhost")
        ip = "127.0.0.1";
    bool const bracketed = ip.starts_with('[') && ip.ends_with(']');
    if (bracketed)
        ip = ip.substr(1, ip.size() - 2);
    boost::system::error_code ec;
    auto const literal = asio::ip::make_address(ip, ec);
    auto const digits = text.substr(colon == text.npos ? text.size() : colon + 1);
    std::uint16_t port = 0;
    auto const [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (ec || literal.is_v6() != bracketed || failed != std::errc() || end != digits.data() + digits.size())
        return error{errc::invalid,
            "expected ADDRESS:PORT, as 127.0.0.1:80 or [::1]:80, not \"" + std::string(text) + '"'};
    return address::tcp(std::move(ip), port);
}

/// `invalid` when `ip` is no IP literal or `path` is longer than the system takes.
[[nodiscard]] inline result<asio::generic::stream_protocol::endpoint> endpoint_of(address const& where)
{
    if (!where.path.empty()) {
        if (where.path.size() > 107)
            return error{
                errc::invalid, "the path of a socket must have at most 107 bytes: " + where.path, "path"};
        return asio::generic::stream_protocol::endpoint(asio::local::stream_protocol::endpoint(where.path));
    }
    boost::system::error_code ec;
    auto const ip = asio::ip::make_address(where.ip, ec);
    if (ec)
        return error{errc::invalid, "must be an IP address", "ip"};
    return asio::generic::stream_protocol::endpoint(asio::ip::tcp::endpoint(ip, where.port));
}

}  // namespace podium::v0::net
