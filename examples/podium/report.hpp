#pragma once
/// The tour as one HTML file: what was promised, what was kept, plots of everything over one time axis, and
/// of each comparison of two versions and each autoscaler over its own.
///
/// A pure function of what was recorded. The file needs nothing else: no scripts, no fonts, no network; it is
/// well-formed XML but for its first line, and fits light and dark screens and paper.

#include "ledger.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tour {

enum class verdict : std::uint8_t { kept, broken, skipped };

struct fact {
    std::string name{};
    std::string value{};  ///< with its unit
};

struct scene {
    std::string number{};
    std::string name{};
    std::string promise{};
    tour::verdict verdict = tour::verdict::skipped;
    std::string why{};  ///< it was broken
    std::vector<fact> facts{};
    time_point start{};
    time_point end{};
};

/// Replicas of one version at one moment.
struct replicas {
    std::uint32_t ready = 0;
    std::uint32_t total = 0;  ///< >= ready
    friend bool operator==(replicas const&, replicas const&) = default;
};

/// From `at` until the next sample.
struct replica_sample {
    time_point at{};
    std::map<std::string, replicas> by_version{};
};

/// A rate of one version, and the range of what is not refuted; shares from 0 to 1.
struct rate {
    double value = 0;
    double low = 0;
    double high = 1;
    std::uint64_t units = 0;  ///< that it was counted of
};

/// Two versions at one look.
struct rate_sample {
    time_point at{};
    tour::rate canary{};
    tour::rate stable{};
};

/// What was known of two versions, from the first look to the verdict.
struct comparison {
    std::string title{};
    std::string canary{};  ///< versions, as in the traffic
    std::string stable{};
    std::string verdict{};               ///< and why
    std::vector<rate_sample> samples{};  ///< by time, the last one with the verdict
    time_point from{};                   ///< what is shown
    time_point to{};
};

/// How busy the pods are, and how many there are, at one moment.
struct load_sample {
    time_point at{};
    std::optional<double> percent{};  ///< used of what they request; none: not measured
    std::uint32_t ready = 0;
    std::uint32_t wanted = 0;  ///< by the autoscaler
};

/// What an autoscaler did.
struct scaling {
    std::string title{};
    double target = 0;  ///< percent
    std::uint32_t least = 0;
    std::uint32_t most = 0;
    std::vector<load_sample> samples{};  ///< by time
    time_point from{};                   ///< what is shown
    time_point to{};
};

struct recording {
    std::string title = "podium tour";
    std::string subtitle{};
    std::vector<fact> headline{};  ///< shown large, after what the report counts itself
    std::vector<scene> scenes{};   ///< by start
    series traffic{};
    std::vector<replica_sample> replicas{};  ///< by time
    std::vector<comparison> comparisons{};
    std::vector<scaling> scalings{};
};

/// The whole file. O(size of the recording).
[[nodiscard]] std::string html(recording const& of);

namespace detail {

/// Text as it may stand between tags and in attributes; what XML does not allow becomes a question mark.
inline std::string escaped(std::string_view text)
{
    std::string out;
    for (char const c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return out;
}

/// At most `digits` decimals, no trailing zeros, never an exponent, no matter the locale.
inline std::string number(double value, int digits = 1)
{
    if (!std::isfinite(value) || std::abs(value) > 1e15)
        return "?";
    std::array<char, 64> text;
    auto const end =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, digits).ptr;
    std::string out(text.data(), end);
    if (out.find('.') != out.npos) {
        out.erase(out.find_last_not_of('0') + 1);
        if (out.back() == '.')
            out.pop_back();
    }
    return out == "-0" ? "0" : out;
}

/// 1234567 as 1,234,567.
inline std::string grouped(std::uint64_t value)
{
    auto out = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3)
        out.insert(static_cast<std::size_t>(at), 1, ',');
    return out;
}

inline double seconds(duration d)
{
    return std::chrono::duration<double>(d).count();
}

/// "0.8 ms", "12 ms", "1.5 s".
inline std::string latency(double s)
{
    if (s < 0.00095)
        return number(s * 1e6, 0) + " µs";
    return s < 0.01  ? number(s * 1e3, 1) + " ms"
        : s < 0.9995 ? number(s * 1e3, 0) + " ms"
                     : number(s, 1) + " s";
}

/// 1, 2 or 5 times a power of ten, so that `most` takes at most `steps` of them.
inline double nice_step(double most, int steps)
{
    auto const least = std::max(most, 1e-9) / steps;
    auto const power = std::pow(10.0, std::floor(std::log10(least)));
    for (double const factor : {1.0, 2.0, 5.0})
        if (power * factor >= least * (1 - 1e-9))
            return power * factor;
    return power * 10;
}

/// Consecutive buckets as one column of a plot.
struct column {
    double at = 0;     ///< s since the start
    double width = 0;  ///< s
    std::vector<double> per_second{};
    std::uint64_t errors = 0;
    double p50 = 0;  ///< s, mean of its buckets' by their answers
    double p99 = 0;  ///< s, the worst of its buckets': a peak must not vanish
    [[nodiscard]] double total() const
    {
        double sum = 0;
        for (auto const v : per_second)
            sum += v;
        return sum;
    }
};

/// Of the buckets in [`zero`, `last`).
inline std::vector<column> columns(series const& of, time_point zero, time_point last, std::size_t most)
{
    std::vector<column> out;
    auto const at = [&](time_point t) {
        return static_cast<std::size_t>(
            std::ranges::lower_bound(of.buckets, t, {}, &bucket::at) - of.buckets.begin());
    };
    auto const first = at(zero), behind = std::max(first, at(last));
    auto const each = std::max<std::size_t>(1, (behind - first + most - 1) / most);
    for (auto i = first; i < behind; i += each) {
        auto const end = std::min(i + each, behind);
        column c{.at = seconds(of.buckets[i].at - zero),
            .width = seconds(of.step) * static_cast<double>(end - i),
            .per_second = std::vector<double>(of.versions.size())};
        double answers = 0;
        for (auto k = i; k < end; ++k) {
            auto const& b = of.buckets[k];
            double here = 0;
            for (std::size_t v = 0; v < b.answered.size() && v < c.per_second.size(); ++v) {
                c.per_second[v] += b.answered[v] / c.width;
                here += b.answered[v];
            }
            c.errors += b.errors;
            c.p50 += here * seconds(b.p50);
            c.p99 = std::max(c.p99, seconds(b.p99));
            answers += here;
        }
        if (answers > 0)
            c.p50 /= answers;
        out.push_back(std::move(c));
    }
    return out;
}

/// All plots share one time axis and its scenes.
class plots {
public:
    explicit plots(recording const& of) : of_(of)
    {
        time_point first = podium::never, last = time_point::min();
        auto const include = [&](time_point t) {
            first = std::min(first, t);
            last = std::max(last, t);
        };
        for (auto const& s : of.scenes)
            if (s.end > s.start) {
                include(s.start);
                include(s.end);
            }
        for (auto const* b : {of.traffic.buckets.empty() ? nullptr : &of.traffic.buckets.front(),
                 of.traffic.buckets.empty() ? nullptr : &of.traffic.buckets.back()})
            if (b != nullptr) {
                include(b->at);
                include(b->at + of.traffic.step);
            }
        for (auto const& r : of.replicas)
            include(r.at);
        if (first > last)
            return;
        zero_ = first;
        end_ = last;
        span_ = std::max(seconds(last - first), 0.001);
        columns_ = columns(of.traffic, zero_, podium::never, 360);
        for (auto const& v : of.traffic.versions)
            versions_.push_back(v);
        for (auto const& r : of.replicas)
            for (auto const& [v, n] : r.by_version)
                versions_.push_back(v);
        for (auto const& c : of.comparisons)
            for (auto const& v : {c.canary, c.stable})
                versions_.push_back(v);
        std::sort(versions_.begin(), versions_.end());
        versions_.erase(std::unique(versions_.begin(), versions_.end()), versions_.end());
    }

    [[nodiscard]] bool empty() const { return span_ <= 0; }
    [[nodiscard]] double span() const { return span_; }

    [[nodiscard]] std::string requests()
    {
        double most = 0;
        for (auto const& c : columns_)
            most = std::max(most, c.total());
        begin("Requests answered", "per second, by version", legend_of_versions(false), 210, true);
        scale(most, "");
        for (std::size_t v = 0; v < of_.traffic.versions.size(); ++v) {
            std::string over, under;
            for (auto const& c : columns_) {
                double below = 0;
                for (std::size_t k = 0; k < v; ++k)
                    below += c.per_second[k];
                auto const at = x(c.at + c.width / 2);
                over += point(over.empty() ? 'M' : 'L', at, y(below + c.per_second[v]));
                under.insert(0, point('L', at, y(below)));
            }
            if (!over.empty())
                svg_ += "<path class=\"area v" + hue(of_.traffic.versions[v]) + "\" d=\"" + over + under +
                    "Z\"/>";
        }
        return end(true);
    }

    [[nodiscard]] std::string errors()
    {
        std::uint64_t most = 0, all = 0;
        double widest = 0;
        for (auto const& c : columns_) {
            most = std::max(most, c.errors);
            all += c.errors;
            widest = std::max(widest, c.width);
        }
        begin("Requests failed", columns_.empty() ? "" : "per " + number(widest, 2) + " s",
            all == 0 ? "<span>none</span>" : "<span>" + grouped(all) + " in all</span>", 90, false);
        scale(static_cast<double>(std::max<std::uint64_t>(most, 1)), "", 2);
        for (auto const& c : columns_)
            if (c.errors != 0) {
                auto const top = y(static_cast<double>(c.errors));
                svg_ +=
                    rect("bad", x(c.at), top, std::max(2.0, x(c.at + c.width) - x(c.at) - 0.5), base() - top);
            }
        return end(true);
    }

    [[nodiscard]] std::string pods()
    {
        std::uint64_t most = 0;
        for (auto const& r : of_.replicas) {
            std::uint64_t sum = 0;
            for (auto const& [v, n] : r.by_version)
                sum += std::max(n.ready, n.total);
            most = std::max(most, sum);
        }
        begin("Replicas", "ready, by version; pale: not ready", legend_of_versions(true), 130, false);
        scale(static_cast<double>(std::max<std::uint64_t>(most, 1)), "", 3, true);
        for (std::size_t i = 0; i < of_.replicas.size(); ++i) {
            auto const& r = of_.replicas[i];
            auto const from = x(seconds(r.at - zero_));
            auto until = i + 1 < of_.replicas.size() ? of_.replicas[i + 1].at : end_;
            if (i + 1 < of_.replicas.size() && of_.replicas[i + 1].by_version == r.by_version)
                until = same_until(i);
            auto const to = x(seconds(until - zero_));
            double below = 0;
            for (auto const& [v, n] : r.by_version) {
                auto const block = [&](char const* how, std::uint32_t many) {
                    if (many == 0 || to <= from)
                        return;
                    auto const top = y(below + many);
                    svg_ += rect((how + hue(v)).c_str(), from, top, to - from, y(below) - top,
                        v + ": " + std::to_string(n.ready) + " ready of " +
                            std::to_string(std::max(n.ready, n.total)));
                    below += many;
                };
                block("block v", n.ready);
                block("block pale v", n.total > n.ready ? n.total - n.ready : 0);
            }
            while (i + 1 < of_.replicas.size() && of_.replicas[i + 1].at < until)
                ++i;
        }
        return end(false);
    }

    [[nodiscard]] std::string latencies()
    {
        double least = 1, most = 0.001;
        for (auto const& c : columns_)
            if (c.p99 > 0) {
                least = std::min(least, std::max(c.p50, 1e-6));
                most = std::max(most, c.p99);
            }
        begin("Latency", "median and 99th percentile, logarithmic",
            "<span><i class=\"line v0\"></i>median</span><span><i class=\"line v3\"></i>p99</span>", 150,
            false);
        logarithmic(std::min(least, most), most);
        line("line v3", [](column const& c) { return c.p99; });
        line("line v0", [](column const& c) { return c.p50; });
        return end(true);
    }

    /// Both rates with their ranges, and below who got which share of the traffic, over their own time.
    [[nodiscard]] std::string rates(comparison const& of)
    {
        zoom(of.from, of.to);
        double least = 100, most = 0;  // what is known at the end, and as much again around it
        if (!of.samples.empty())
            for (auto const& r : {of.samples.back().canary, of.samples.back().stable}) {
                least = std::min(least, r.low * 100);
                most = std::max(most, r.high * 100);
            }
        if (!(least < most)) {
            least = 0;
            most = 100;
        }
        auto const around = (most - least) / 2;
        auto const key = [&](std::string const& v, rate const& r) {
            return "<span><i class=\"line v" + hue(v) + "\"></i>" + escaped(v) + ": " +
                number(r.value * 100) + " %, from " + number(r.low * 100) + " to " + number(r.high * 100) +
                "</span>";
        };
        begin(of.title, of.verdict,
            of.samples.empty()
                ? "<span>never measured</span>"
                : key(of.canary, of.samples.back().canary) + key(of.stable, of.samples.back().stable),
            210, false);
        between(std::max(0.0, least - around), std::min(100.0, most + around), " %");
        band(of.stable, of.samples, &rate_sample::stable);
        band(of.canary, of.samples, &rate_sample::canary);
        if (!of.samples.empty()) {
            auto const at = x(seconds(of.samples.back().at - zero_));
            svg_ += "<path class=\"mark\" d=\"" + point('M', at, top_) + "V" + number(base()) + "\"/>";
            bool const is_late = at > width / 2;
            svg_ += text(is_late ? "said last" : "said", at + (is_late ? -6 : 6), top_ + 12, "verdict");
        }
        auto out = end(false);
        begin("Share of the traffic", "by version", legend_of_versions(columns_), 70, false);
        scale(100, " %", 2);
        for (auto const& c : columns_) {
            double below = 0;
            for (std::size_t v = 0; v < c.per_second.size(); ++v)
                if (c.per_second[v] > 0) {
                    auto const above = below + c.per_second[v];
                    auto const top = y(100 * above / c.total()), bottom = y(100 * below / c.total());
                    svg_ += rect(("block v" + hue(of_.traffic.versions[v])).c_str(), x(c.at), top,
                        x(c.at + c.width) - x(c.at), bottom - top);
                    below = above;
                }
        }
        return out + end(true);
    }

    /// How busy the pods were, and below how many there were and were wanted, within the limits.
    [[nodiscard]] std::string load(scaling const& of)
    {
        zoom(of.from, of.to);
        double busiest = of.target;
        for (auto const& s : of.samples)
            busiest = std::max(busiest, s.percent.value_or(0));
        begin(of.title, "CPU, of what is requested",
            "<span><i class=\"line v0\"></i>used</span><span><i class=\"line v1\"></i>target: " +
                number(of.target) + " %</span>",
            170, false);
        scale(busiest * 1.1, " %");
        level("line v1", of.target);
        std::string d;
        bool pen_down = false;
        for (auto const& s : of.samples) {
            if (s.percent)
                d += point(pen_down ? 'L' : 'M', x(seconds(s.at - zero_)), y(*s.percent));
            pen_down = s.percent.has_value();
        }
        if (!d.empty())
            svg_ += "<path class=\"line v0\" d=\"" + d + "h0.1\"/>";
        auto out = end(false);

        begin("Replicas", "ready",
            "<span><i class=\"v0\"></i>ready</span><span><i class=\"line v2\"></i>wanted</span><span><i "
            "class=\"line v1\"></i>from " +
                std::to_string(of.least) + " to " + std::to_string(of.most) + "</span>",
            90, false);
        scale(std::max<double>(of.most, 1), "", 5, true);
        std::string wanted;
        for (std::size_t i = 0; i < of.samples.size();) {
            auto const& first = of.samples[i];
            auto next = i + 1;
            while (next < of.samples.size() && of.samples[next].ready == first.ready &&
                of.samples[next].wanted == first.wanted)
                ++next;
            auto const at = x(seconds(first.at - zero_));
            auto const to = x(seconds((next < of.samples.size() ? of.samples[next].at : of.to) - zero_));
            if (first.ready > 0)
                svg_ += rect("block v0", at, y(first.ready), to - at, base() - y(first.ready));
            wanted += point(wanted.empty() ? 'M' : 'L', at, y(first.wanted)) + "H" + number(to);
            i = next;
        }
        level("line v1", of.least);
        level("line v1", of.most);
        if (!wanted.empty())
            svg_ += "<path class=\"line v2\" d=\"" + wanted + "\"/>";
        return out + end(false);
    }

private:
    static constexpr double left = 64, right = 12, width = 1120;

    [[nodiscard]] double x(double s) const
    {
        return left + (width - left - right) * std::clamp(s / span_, 0.0, 1.0);
    }
    [[nodiscard]] double y(double v) const
    {
        auto const share = log_ ? std::log10(std::max(v, low_) / low_) / std::log10(high_ / low_)
                                : (v - low_) / (high_ - low_);
        return base() - plot_ * std::clamp(share, 0.0, 1.0);
    }
    [[nodiscard]] double base() const { return top_ + plot_; }

    static std::string point(char how, double px, double py) { return how + number(px) + ' ' + number(py); }

    static std::string rect(
        char const* how, double px, double py, double w, double h, std::string const& title = {})
    {
        auto out = "<rect class=\"" + std::string(how) + "\" x=\"" + number(px, 2) + "\" y=\"" +
            number(py, 2) + "\" width=\"" + number(w, 2) + "\" height=\"" + number(h, 2) + '"';
        return out + (title.empty() ? "/>" : "><title>" + escaped(title) + "</title></rect>");
    }

    static std::string text(char const* how, double px, double py, std::string const& words)
    {
        return "<text class=\"" + std::string(how) + "\" x=\"" + number(px) + "\" y=\"" + number(py) + "\">" +
            escaped(words) + "</text>";
    }

    /// The colour of a version: by its place among all, so that it is the same in every plot.
    [[nodiscard]] std::string hue(std::string const& version) const
    {
        auto const at = std::lower_bound(versions_.begin(), versions_.end(), version) - versions_.begin();
        return std::to_string(at % 8);
    }

    [[nodiscard]] std::string legend_of_versions(bool of_replicas) const
    {
        std::string out;
        for (auto const& v : versions_) {
            bool const shown = of_replicas ||
                std::find(of_.traffic.versions.begin(), of_.traffic.versions.end(), v) !=
                    of_.traffic.versions.end();
            if (shown)
                out += "<span><i class=\"v" + hue(v) + "\"></i>" + escaped(v.empty() ? "no version" : v) +
                    "</span>";
        }
        return out;
    }

    /// Of those that got any.
    [[nodiscard]] std::string legend_of_versions(std::vector<column> const& shown) const
    {
        std::string out;
        for (std::size_t v = 0; v < of_.traffic.versions.size(); ++v)
            if (std::ranges::any_of(shown, [&](column const& c) { return c.per_second[v] > 0; }))
                out += "<span><i class=\"v" + hue(of_.traffic.versions[v]) + "\"></i>" +
                    escaped(of_.traffic.versions[v]) + "</span>";
        return out.empty() ? "<span>none</span>" : out;
    }

    [[nodiscard]] time_point same_until(std::size_t i) const
    {
        auto const& first = of_.replicas[i].by_version;
        while (i + 1 < of_.replicas.size() && of_.replicas[i + 1].by_version == first)
            ++i;
        return i + 1 < of_.replicas.size() ? of_.replicas[i + 1].at : end_;
    }

    void begin(std::string const& title, std::string const& unit, std::string const& legend, double height,
        bool names)
    {
        plot_ = height;
        top_ = names ? 30 : 8;
        log_ = false;
        low_ = 0;
        svg_ = "<figure><figcaption><b>" + escaped(title) + "</b> <span class=\"unit\">" + escaped(unit) +
            "</span><span class=\"legend\">" + legend +
            "</span></figcaption><div class=\"scroll\"><svg viewBox=\"0 0 " + number(width) + ' ' +
            number(base() + 24) + "\" role=\"img\" aria-label=\"" + escaped(title + ", " + unit) + "\">";
        std::size_t n = 0;
        for (auto const& s : of_.scenes) {
            if (s.end <= s.start || zoomed_)
                continue;
            auto const from = x(seconds(s.start - zero_)), to = x(seconds(s.end - zero_));
            auto const how = std::string("band") +
                (s.verdict == verdict::broken ? " broken"
                        : n % 2 == 1          ? " odd"
                                              : "");
            ++n;
            svg_ +=
                rect(how.c_str(), from, top_, to - from, plot_, s.number + ". " + s.name + ": " + s.promise);
            if (!names)
                continue;
            svg_ += rect(("tab" + how.substr(4)).c_str(), from + 0.5, 2, std::max(to - from - 1, 1.0), 24,
                s.number + ". " + s.name + ": " + s.promise);
            auto const room = static_cast<std::size_t>(std::max(0.0, (to - from - 10) / 6.3));
            auto label = s.number + ' ' + s.name;
            if (label.size() > room)
                label = room >= s.number.size() + 6 ? shortened(label, room - 1) + "…" : s.number;
            if (room >= s.number.size())
                svg_ += text("scene", from + 6, 18, label);
        }
    }

    /// At most `bytes` of it, no character torn.
    static std::string shortened(std::string s, std::size_t bytes)
    {
        while (bytes > 0 && bytes < s.size() && (static_cast<unsigned char>(s[bytes]) & 0xc0U) == 0x80U)
            --bytes;
        s.resize(std::min(bytes, s.size()));
        while (!s.empty() && s.back() == ' ')
            s.pop_back();
        return s;
    }

    /// From here on plots show this time alone.
    void zoom(time_point from, time_point to)
    {
        zoomed_ = true;
        zero_ = from;
        end_ = to;
        span_ = std::max(seconds(to - from), 0.001);
        columns_ = columns(of_.traffic, from, to, 240);
    }

    /// A line from left to right.
    void level(char const* how, double value)
    {
        svg_ += "<path class=\"" + std::string(how) + " level\" d=\"" + point('M', left, y(value)) + "H" +
            number(width - right) + "\"/>";
    }

    void tick(double at, std::string const& label)
    {
        svg_ += "<path class=\"grid\" d=\"" + point('M', left, at) + "H" + number(width - right) + "\"/>" +
            text("y", left - 8, at + 4, label);
    }

    void scale(double most, char const* unit, int steps = 4, bool whole = false)
    {
        auto step = nice_step(std::max(most, 1e-6), steps);
        if (whole)
            step = std::max(step, 1.0);
        auto const many = std::max(1.0, std::ceil(most / step - 1e-9));
        high_ = step * many;
        for (double i = 0; i <= many; ++i)
            tick(y(step * i),
                (step * i >= 1000 ? grouped(static_cast<std::uint64_t>(step * i)) : number(step * i, 2)) +
                    unit);
    }

    /// From `least` to `most` > `least`, or somewhat beyond.
    void between(double least, double most, char const* unit)
    {
        auto const step = nice_step(most - least, 5);
        low_ = std::floor(least / step + 1e-9) * step;
        auto const many = std::max(1.0, std::ceil((most - low_) / step - 1e-9));
        high_ = low_ + step * many;
        for (double i = 0; i <= many; ++i)
            tick(y(low_ + step * i), number(low_ + step * i, 2) + unit);
    }

    /// A rate as a line, its range as a band around it.
    void band(std::string const& version, std::vector<rate_sample> const& all, rate rate_sample::* which)
    {
        std::string line, over, under;
        for (auto const& s : all) {
            auto const at = x(seconds(s.at - zero_));
            auto const& r = s.*which;
            line += point(line.empty() ? 'M' : 'L', at, y(r.value * 100));
            over += point(over.empty() ? 'M' : 'L', at, y(r.high * 100));
            under.insert(0, point('L', at, y(r.low * 100)));
        }
        if (line.empty())
            return;
        svg_ += "<path class=\"range v" + hue(version) + "\" d=\"" + over + under + "Z\"/>";
        svg_ += "<path class=\"line v" + hue(version) + "\" d=\"" + line + "h0.1\"/>";
    }

    void logarithmic(double least, double most)
    {
        log_ = true;
        low_ = std::pow(10.0, std::floor(std::log10(least)));
        high_ = std::max(low_ * 10, std::pow(10.0, std::ceil(std::log10(most) - 1e-9)));
        for (double v = low_; v <= high_ * 1.0001; v *= 10)
            tick(y(v), latency(v));
    }

    template<class Value>
    void line(char const* how, Value value)
    {
        std::string d;
        bool pen_down = false;
        for (auto const& c : columns_) {
            auto const v = value(c);
            if (v > 0) {
                auto const at = x(c.at + c.width / 2);
                d += point(pen_down ? 'L' : 'M', at, y(v));
                if (!pen_down)
                    d += "h0.1";  // a lone point is seen as well
            }
            pen_down = v > 0;
        }
        if (!d.empty())
            svg_ += "<path class=\"" + std::string(how) + "\" d=\"" + d + "\"/>";
    }

    std::string end(bool hover)
    {
        auto const step = nice_step(span_, 12);
        for (double s = 0; s <= span_ * 1.0001; s += step)
            svg_ += "<path class=\"tick\" d=\"" + point('M', x(s), base()) + "v4\"/>" +
                text(s + step > span_ && x(s) > width - right - 16 ? "x last" : "x", x(s), base() + 18,
                    number(s, 2) + " s");
        svg_ += "<path class=\"axis\" d=\"" + point('M', left, base()) + "H" + number(width - right) + "\"/>";
        if (hover)
            for (auto const& c : columns_)
                svg_ += rect("hover", x(c.at), top_, x(c.at + c.width) - x(c.at), plot_, about(c));
        return std::exchange(svg_, {}) + "</svg></div></figure>\n";
    }

    [[nodiscard]] std::string about(column const& c) const
    {
        auto out = number(c.at, 1) + " s";
        for (std::size_t v = 0; v < c.per_second.size(); ++v)
            if (c.per_second[v] > 0)
                out += "\n" + of_.traffic.versions[v] + ": " + number(c.per_second[v], 0) + "/s";
        out += "\n" + std::to_string(c.errors) + " failed";
        if (c.p99 > 0)
            out += "\nmedian " + latency(c.p50) + ", p99 " + latency(c.p99);
        return out;
    }

    recording const& of_;
    time_point zero_{}, end_{};
    double span_ = 0;
    std::vector<column> columns_{};
    std::vector<std::string> versions_{};
    std::string svg_{};
    double plot_ = 0, top_ = 0, low_ = 1, high_ = 1;
    bool log_ = false;
    bool zoomed_ = false;  ///< on one comparison
};

inline constexpr std::string_view style = R"(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#14181f;--soft:#5c6675;--rule:#e3e7ec;--band:#f1f4f8;
--good:#0a7d43;--good-bg:#e2f5ea;--bad:#c62f2f;--bad-bg:#fdeaea;
--v0:#2a78d6;--v1:#e8963a;--v2:#1a9e74;--v3:#8a5cd6;--v4:#d6558f;--v5:#7b8794;--v6:#1fa3b8;--v7:#a3841b}
@media (prefers-color-scheme:dark){:root{--page:#0f1216;--card:#171b21;--ink:#e9edf2;--soft:#98a3b1;--rule:#2a313a;
--band:#1e242c;--good:#4fce8b;--good-bg:#12301f;--bad:#ff7b72;--bad-bg:#3a1a1a;
--v0:#4c96ee;--v1:#e0923f;--v2:#2fb68a;--v3:#a784ea;--v4:#e3719f;--v5:#8d99a8;--v6:#3cbdd1;--v7:#c2a338}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:36px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0;letter-spacing:-.02em}
h2{font-size:18px;margin:36px 0 12px}
.sub,.unit,.promise,.time{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin:24px 0 12px}
.tile,figure,.scenes{background:var(--card);border:1px solid var(--rule);border-radius:12px}
.tile{padding:14px 18px}.tile b{display:block;font-size:26px;line-height:1.25;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile span{color:var(--soft);font-size:13px}.tile.good b{color:var(--good)}.tile.bad b{color:var(--bad)}
figure{margin:0 0 12px;padding:14px 16px 8px}
figcaption{display:flex;flex-wrap:wrap;align-items:baseline;gap:2px 8px;margin-bottom:6px}
.unit{font-size:13px}.legend{margin-left:auto;display:flex;flex-wrap:wrap;gap:2px 14px;font-size:13px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:6px}
.legend i.line{height:3px;vertical-align:4px}
.scroll{overflow-x:auto}svg{display:block;width:100%;min-width:760px;height:auto}
svg text{font-size:12px;fill:var(--soft);font-variant-numeric:tabular-nums}
text.y{text-anchor:end}text.x{text-anchor:middle}text.last{text-anchor:end}text.scene{fill:var(--ink);font-size:11px;font-weight:600}
.band{fill:transparent}.band.odd{fill:var(--band)}.band.broken{fill:var(--bad-bg)}
.tab{fill:var(--band);rx:5px}.tab.odd{fill:var(--rule)}.tab.broken{fill:var(--bad-bg)}
.grid{stroke:var(--rule)}.axis,.tick{stroke:var(--soft);stroke-opacity:.6}.grid,.axis,.tick{fill:none;shape-rendering:crispEdges}
.area{stroke:var(--card);stroke-width:.6}.block{shape-rendering:crispEdges}.pale{opacity:.32}
svg .line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.bad{fill:var(--bad)}.hover{fill:transparent}.hover:hover{fill:var(--ink);fill-opacity:.12}
i.v0{background:var(--v0)}i.v1{background:var(--v1)}i.v2{background:var(--v2)}i.v3{background:var(--v3)}i.v4{background:var(--v4)}i.v5{background:var(--v5)}i.v6{background:var(--v6)}i.v7{background:var(--v7)}
.v0{fill:var(--v0)}.v1{fill:var(--v1)}.v2{fill:var(--v2)}.v3{fill:var(--v3)}.v4{fill:var(--v4)}.v5{fill:var(--v5)}.v6{fill:var(--v6)}.v7{fill:var(--v7)}
svg .line.v0{stroke:var(--v0)}svg .line.v1{stroke:var(--v1)}svg .line.v2{stroke:var(--v2)}svg .line.v3{stroke:var(--v3)}
svg .line.v4{stroke:var(--v4)}svg .line.v5{stroke:var(--v5)}svg .line.v6{stroke:var(--v6)}svg .line.v7{stroke:var(--v7)}
.level{stroke-dasharray:4 4;opacity:.8}.range{opacity:.2}.mark{stroke:var(--ink);stroke-dasharray:4 3;fill:none}text.said{fill:var(--ink);font-weight:600}
.scenes{overflow-x:auto}table{border-collapse:collapse;width:100%;min-width:640px}
th{font-size:13px;font-weight:600;color:var(--soft);text-align:left}
th,td{padding:11px 14px;border-bottom:1px solid var(--rule);vertical-align:top}tbody tr:last-child td{border-bottom:0}
td.n,.time{font-variant-numeric:tabular-nums;white-space:nowrap}td.n{color:var(--soft)}
.promise{display:block;font-size:14px}.why{display:block;color:var(--bad);font-size:14px}
.pill{display:inline-block;padding:1px 10px;border-radius:99px;font-size:13px;font-weight:600;white-space:nowrap;background:var(--band);color:var(--soft)}
.pill.kept{background:var(--good-bg);color:var(--good)}.pill.broken{background:var(--bad-bg);color:var(--bad)}
dl{display:grid;grid-template-columns:auto auto;justify-content:start;gap:1px 12px;margin:0;font-size:14px}
dt{color:var(--soft)}dd{margin:0;font-variant-numeric:tabular-nums;font-weight:600}
footer{margin-top:24px;color:var(--soft);font-size:13px}
@media print{main{padding:0}figure,.tile,tr{break-inside:avoid}}
)";

}  // namespace detail

inline std::string html(recording const& of)
{
    using detail::escaped;
    std::size_t kept = 0, played = 0;
    for (auto const& s : of.scenes) {
        kept += s.verdict == verdict::kept;
        played += s.verdict != verdict::skipped;
    }
    std::uint64_t answered = 0, failed = 0;
    for (auto const& b : of.traffic.buckets) {
        for (auto const n : b.answered)
            answered += n;
        failed += b.errors;
    }
    detail::plots plots(of);

    std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/><title>";
    out += escaped(of.title) + "</title><style>" + std::string(detail::style) +
        "</style></head>\n<body><main>\n<h1>" + escaped(of.title) + "</h1>\n";
    if (!of.subtitle.empty())
        out += "<div class=\"sub\">" + escaped(of.subtitle) + "</div>\n";

    auto const tile = [&](char const* how, std::string const& value, std::string const& name) {
        out += "<div class=\"tile" + std::string(how) + "\"><b>" + escaped(value) + "</b><span>" +
            escaped(name) + "</span></div>";
    };
    out += "<div class=\"tiles\">";
    tile(played == 0         ? ""
            : kept == played ? " good"
                             : " bad",
        std::to_string(kept) + " of " + std::to_string(played), "promises kept");
    tile("", detail::grouped(answered), "requests answered");
    tile("", detail::grouped(failed), "requests failed");
    for (auto const& f : of.headline)
        tile("", f.value, f.name);
    if (!plots.empty())
        tile("", detail::number(plots.span()) + " s", "from start to end");
    out += "</div>\n";

    if (plots.empty())
        out += "<p class=\"sub\">Nothing was recorded.</p>\n";
    else
        out += plots.requests() + plots.errors() + plots.pods() + plots.latencies();

    if (!of.comparisons.empty()) {
        out += "<h2>The comparisons</h2>\n";
        for (auto const& c : of.comparisons)
            out += plots.rates(c);
    }

    if (!of.scalings.empty()) {
        out += "<h2>The autoscaler</h2>\n";
        for (auto const& c : of.scalings)
            out += plots.load(c);
    }

    if (!of.scenes.empty()) {
        out +=
            "<h2>The scenes</h2>\n<div class=\"scenes\"><table><thead><tr><th></th><th>Scene and promise</th>"
            "<th>Verdict</th><th>Figures</th><th>Took</th></tr></thead><tbody>\n";
        for (auto const& s : of.scenes) {
            auto const* const how = s.verdict == verdict::kept ? "kept"
                : s.verdict == verdict::broken                 ? "broken"
                                                               : "skipped";
            auto const* const word = s.verdict == verdict::kept ? "✓ kept"
                : s.verdict == verdict::broken                  ? "✗ broken"
                                                                : "not played";
            out += "<tr><td class=\"n\">" + escaped(s.number) + "</td><td><b>" + escaped(s.name) +
                "</b><span class=\"promise\">" + escaped(s.promise) + "</span>";
            if (!s.why.empty())
                out += "<span class=\"why\">" + escaped(s.why) + "</span>";
            out += "</td><td><span class=\"pill " + std::string(how) + "\">" + word + "</span></td><td>";
            if (!s.facts.empty()) {
                out += "<dl>";
                for (auto const& f : s.facts)
                    out += "<dt>" + escaped(f.name) + "</dt><dd>" + escaped(f.value) + "</dd>";
                out += "</dl>";
            }
            out += "</td><td class=\"time\">" +
                (s.end > s.start ? detail::number(detail::seconds(s.end - s.start)) + " s" : "") +
                "</td></tr>\n";
        }
        out += "</tbody></table></div>\n";
    }
    out +=
        "<footer>Requests were sent at a steady pace and never repeated by the client. Each column of a "
        "plot sums up several "
        "100 ms buckets; the median is their mean, the 99th percentile the worst of them. A range holds what "
        "is not refuted, however often one has looked.</footer>\n</main></body></html>\n";
    return out;
}

}  // namespace tour
