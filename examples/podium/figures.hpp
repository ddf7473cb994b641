#pragma once
/// What a `/metrics` page says, to be asked: the reading half of Prometheus' text format.
///
///     auto const now = tour::figures_page::read(body);
///     now->sum("podium_proxy_requests_total", {{"service", "web"}, {"code", "2xx"}});
///
/// Source: Prometheus' text exposition format 0.0.4. Time stamps are not read.

#include <podium/core/result.hpp>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tour {

struct figure_sample {
    std::string name{};
    std::map<std::string, std::string> labels{};
    double value = 0;
};

class figures_page {
public:
    using labels = std::map<std::string, std::string>;

    /// Errors: `invalid`, with the line as the path.
    [[nodiscard]] static podium::result<figures_page> read(std::string_view text);

    /// Of all series of that name which have these labels, and maybe more. No such series: 0.
    [[nodiscard]] double sum(std::string_view name, labels const& with = {}) const
    {
        double all = 0;
        for (auto const& s : samples_)
            if (s.name == name && has(s, with))
                all += s.value;
        return all;
    }
    /// The bound below which this share of a histogram lies; between two bounds, as if they were spread
    /// evenly. Nothing when it is empty.
    [[nodiscard]] std::optional<double> quantile(
        double share, std::string const& name, labels const& with) const;

    [[nodiscard]] std::size_t size() const { return samples_.size(); }

private:
    static bool has(figure_sample const& s, labels const& with)
    {
        for (auto const& [key, value] : with)
            if (auto const at = s.labels.find(key); at == s.labels.end() || at->second != value)
                return false;
        return true;
    }
    static std::optional<figure_sample> line(std::string_view text);
    static std::optional<double> number(std::string_view text)
    {
        if (text == "+Inf")
            return HUGE_VAL;
        if (text == "-Inf")
            return -HUGE_VAL;
        if (text == "NaN")
            return NAN;
        double value = 0;
        auto const [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (failed != std::errc() || end != text.data() + text.size())
            return {};
        return value;
    }

    std::vector<figure_sample> samples_{};
};

inline std::optional<figure_sample> figures_page::line(std::string_view text)
{
    figure_sample out;
    auto at = text.find_first_of("{ ");
    if (at == text.npos || at == 0)
        return {};
    out.name = text.substr(0, at);
    if (text[at] == '{') {
        ++at;
        while (at < text.size() && text[at] != '}') {
            auto const equal = text.find("=\"", at);
            if (equal == text.npos)
                return {};
            std::string const key(text.substr(at, equal - at));
            std::string value;
            for (at = equal + 2; at < text.size() && text[at] != '"'; ++at) {
                if (text[at] == '\\' && ++at == text.size())
                    return {};
                value += text[at - 1] == '\\' && text[at] == 'n' ? '\n' : text[at];
            }
            if (at == text.size())
                return {};
            out.labels.emplace(key, std::move(value));
            if (++at < text.size() && text[at] == ',')
                ++at;
        }
        if (at == text.size())
            return {};
        ++at;
    }
    auto const begin = text.find_first_not_of(' ', at);
    if (begin == text.npos)
        return {};
    auto const value = number(text.substr(begin));
    if (!value)
        return {};
    out.value = *value;
    return out;
}

inline podium::result<figures_page> figures_page::read(std::string_view text)
{
    figures_page page;
    for (std::size_t n = 1; !text.empty(); ++n) {
        auto const end = text.find('\n');
        auto const here = text.substr(0, end);
        text.remove_prefix(end == text.npos ? text.size() : end + 1);
        if (here.empty() || here.front() == '#')
            continue;
        auto sample = line(here);
        if (!sample)
            return podium::error{
                podium::errc::invalid, "expected NAME{LABELS} VALUE", "line " + std::to_string(n), {}};
        page.samples_.push_back(*std::move(sample));
    }
    return page;
}

inline std::optional<double> figures_page::quantile(
    double share, std::string const& name, labels const& with) const
{
    std::map<double, double> up_to;  // of all that match, by bound
    for (auto const& s : samples_)
        if (s.name == name + "_bucket" && has(s, with) && s.labels.contains("le"))
            if (auto const bound = number(s.labels.at("le")))
                up_to[*bound] += s.value;
    if (up_to.empty() || !(up_to.rbegin()->second > 0))
        return {};
    auto const wanted = share * up_to.rbegin()->second;
    double low = 0, below = 0;
    for (auto const& [bound, n] : up_to) {
        if (n >= wanted)
            return std::isinf(bound) ? low
                                     : low + (bound - low) * (n > below ? (wanted - below) / (n - below) : 1);
        low = bound;
        below = n;
    }
    return low;
}

}  // namespace tour
