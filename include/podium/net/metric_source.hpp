#pragma once
/// Metric sources: where a number comes from that podium does not count itself.
///
/// A source has one operation, so a lambda is one:
///
///     o.autoscaling.external = [&](net::metric_query q) -> asio::awaitable<result<double>> {
///         co_return queue.length(q.name);
///     };
///
/// Prometheus' HTTP API is one that is shipped. Its answers may be late, huge or nonsense: each is an error.

#include <podium/api/path.hpp>
#include <podium/core/result.hpp>
#include <podium/core/time.hpp>
#include <podium/model/json.hpp>
#include <podium/net/address.hpp>
#include <podium/net/http_client.hpp>

#include <boost/asio/awaitable.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace podium::inline v0::net {

/// Which number is wanted.
struct metric_query {
    std::string namespace_{};
    std::string name{};
    std::map<std::string, std::string> labels{};  ///< what the selector asks for
    friend bool operator==(metric_query const&, metric_query const&) = default;
};

/// Something that knows numbers: `m(query)` answers one, or why there is none. It ends when it is cancelled.
template<class M>
concept MetricSource = requires(M& m, metric_query q) {
    { m(std::move(q)) } -> std::same_as<asio::awaitable<result<double>>>;
};

/// Any of them; an empty one knows nothing.
using any_metric_source = std::function<asio::awaitable<result<double>>(metric_query)>;
static_assert(MetricSource<any_metric_source>);

/// The number at a path such as "{$.data.rates[0]}" of a JSON text; true is 1. Errors: `invalid`.
[[nodiscard]] inline result<double> number_at(std::string_view body, std::string_view path)
{
    auto const parsed = model::parse_json(body);
    if (!parsed)
        return error(parsed.error()).inside("answer");
    error const lost{errc::invalid, "the answer has nothing at " + std::string(path), {}, {}};
    auto const* at = &*parsed;
    if (path.starts_with('{') && path.ends_with('}'))
        path = path.substr(1, path.size() - 2);
    if (path.starts_with('$'))
        path.remove_prefix(1);
    while (!path.empty()) {
        bool const is_index = path.front() == '[';
        if (!is_index && path.front() != '.')
            return lost;
        path.remove_prefix(1);
        auto const end = std::min(path.find_first_of(is_index ? "]" : ".["), path.size());
        auto const step = path.substr(0, end);
        if (is_index) {
            std::size_t i = 0;
            if (std::from_chars(step.data(), step.data() + step.size(), i).ec != std::errc{} ||
                !at->is_array() || i >= at->size())
                return lost;
            at = &(*at)[i];
            path.remove_prefix(std::min(end + 1, path.size()));
        } else {
            auto const it = at->is_object() ? at->find(std::string(step)) : at->end();
            if (!at->is_object() || it == at->end())
                return lost;
            at = &*it;
            path.remove_prefix(end);
        }
    }
    if (at->is_boolean())
        return at->template get<bool>() ? 1.0 : 0.0;
    if (at->is_number())
        return at->template get<double>();
    if (at->is_string()) {  // as Prometheus writes numbers, "NaN" among them
        auto const& text = at->template get_ref<std::string const&>();
        double value = 0;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (failed == std::errc{} && end == text.data() + text.size())
            return value;
    }
    return error{errc::invalid, "the answer has no number at " + std::string(path), {}, {}};
}

/// Where Prometheus answers a query.
[[nodiscard]] inline std::string prometheus_path(std::string_view query)
{
    return "/api/v1/query?query=" + api::percent_encoded(query);
}

/// The sum of the series in an answer of Prometheus' query API. Errors: `not_found` without a series,
/// `invalid` for what is no such answer or no finite number.
[[nodiscard]] inline result<double> prometheus_sum(std::string_view body)
{
    auto const parsed = model::parse_json(body);
    if (!parsed)
        return error{errc::invalid, "the answer is not JSON", "answer", {}};
    error const wrong{errc::invalid, "the answer is not one of Prometheus", "answer", {}};
    auto const member = [](model::json const& o, char const* key) -> model::json const* {
        auto const it = o.is_object() ? o.find(key) : o.end();
        return o.is_object() && it != o.end() ? &*it : nullptr;
    };
    auto const* const data = member(*parsed, "data");
    auto const* const all = data ? member(*data, "result") : nullptr;
    if (!all || !all->is_array())
        return wrong;
    auto const* const type = member(*data, "resultType");
    auto const number = [&](model::json const& pair) -> result<double> {
        if (!pair.is_array() || pair.size() != 2 || !pair[1].is_string())
            return wrong;
        auto const& text = pair[1].get_ref<std::string const&>();
        double value = 0;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (failed != std::errc{} || end != text.data() + text.size())
            return wrong;
        if (!std::isfinite(value))
            return error{errc::invalid, "the answer is " + text, "answer", {}};
        return value;
    };
    if (type && *type == "scalar")
        return number(*all);
    if (all->empty())
        return error{errc::not_found, "there is no such series", "answer", {}};
    double sum = 0;
    for (auto const& series : *all) {
        auto const* const value = member(series, "value");
        auto const one = value ? number(*value) : result<double>(wrong);
        if (!one)
            return one;
        sum += *one;
    }
    return sum;
}

/// Asks Prometheus at `where`. Errors besides those of `http_call` and `prometheus_sum`: `unavailable` for
/// another status than 200. An answer of more than 1 MiB is `exhausted`.
[[nodiscard]] inline asio::awaitable<result<double>> ask_prometheus(
    address where, std::string path, duration deadline)
{
    auto const answer = co_await http_call(where, http_request(boost::beast::http::verb::get, path, 11),
        {.deadline = deadline, .body_limit_bytes = 1024 * 1024});
    if (!answer)
        co_return answer.error();
    if (answer->result_int() != 200)
        co_return error{
            errc::unavailable, where.text() + " answered " + std::to_string(answer->result_int()), {}, {}};
    co_return prometheus_sum(answer->body());
}

}  // namespace podium::v0::net
