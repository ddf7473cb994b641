#pragma once
// Manifests from files and folders, and what bringing a cluster to them takes: one request after another.
#include <podium/api/apply.hpp>
#include <podium/api/handle.hpp>
#include <podium/yaml/manifests.hpp>

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <string>
#include <vector>

// Who answers requests: a cluster in this process, or one behind a socket.
// Made by a function: gcc 12 destroys twice what is braced within a co_await.
inline podium::api::request request(
    std::string target, podium::api::method method = podium::api::method::get, std::string body = {})
{
    return {method, std::move(target), {}, std::move(body)};
}
using api_call =
    std::function<boost::asio::awaitable<podium::result<podium::api::response>>(podium::api::request)>;

// The files that the paths name: files as they are, of folders *.yaml, *.yml and *.json, in the order of
// names.
podium::result<std::vector<std::string>> manifest_files(std::vector<std::string> const& paths);

// The objects of one file. Errors name file, document, line and field, all of them. "-" is stdin.
podium::result<std::vector<podium::yaml::manifest>> read_file(
    std::string const& file, podium::model::scheme const& kinds, std::string const& namespace_if_none);

// Namespaces, then configuration, then services, then what needs them; otherwise as they came.
void in_order_of_need(std::vector<podium::yaml::manifest>& all);

// "deployment.apps/web", "service/web".
std::string short_name(podium::model::kind_entry const& kind, std::string_view name);

struct apply_outcome {
    podium::api::applied what = podium::api::applied::unchanged;
    std::string uid{};
};

// One three-way merge, repeated when somebody else wrote in between.
boost::asio::awaitable<podium::result<apply_outcome>> apply_one(
    api_call const& call, podium::model::scheme const& kinds, podium::yaml::manifest const& m);
