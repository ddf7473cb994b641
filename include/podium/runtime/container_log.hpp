#pragma once
/// What a container printed: one bounded set of files in the format of Kubernetes' nodes.
///
///     2026-01-31T12:00:00.000000000Z stdout F listening on :8080
///
/// `F` ends a line, `P` is a part of one that was longer than 16 KiB. When a file is full it becomes
/// `<path>.1` and so on; the oldest is dropped, so a container that floods its output costs a fixed space.
/// If the disk is full, what does not fit is lost and the container goes on.
///
/// Source: kubernetes/design-proposals-archive node/kubelet-cri-logging.md.

#include <podium/core/time.hpp>
#include <podium/runtime/runtime.hpp>

#include <array>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace podium::inline v0::runtime {

struct log_limits {
    std::uint64_t file_bytes = 4 * 1024 * 1024;  ///< a file is turned over before it grows beyond this
    unsigned files = 3;                          ///< kept in all, >= 1
};

class container_log {
public:
    container_log() = default;
    container_log(std::string path, log_limits limits) : path_(std::move(path)), limits_(limits) {}
    container_log(container_log const&) = delete;
    container_log& operator=(container_log const&) = delete;
    ~container_log() { close(); }

    /// Takes what a stream said; whole lines are written, the rest waits. One write, O(bytes).
    void append(log_stream stream, std::string_view bytes, time_point now);

    /// Writes what waits for its newline, and closes the file.
    void finish(time_point now);

    /// The lines that `query` asks for, oldest first. Reads every file that is left.
    [[nodiscard]] std::vector<log_line> read(log_query const& query) const;

    /// Deletes the files.
    void erase();

private:
    static constexpr std::size_t longest_line = 16 * 1024;

    void write(std::string const& text);
    void close();
    [[nodiscard]] std::string file(unsigned age) const
    {
        return age == 0 ? path_ : path_ + '.' + std::to_string(age);
    }

    std::string path_{};
    log_limits limits_{};
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::array<std::string, 2> waiting_{};
};

namespace detail {

/// RFC 3339 in UTC with nine digits, always 30 characters: "2026-01-31T12:00:00.000000000Z".
inline std::string timestamp(time_point t)
{
    auto const day = std::chrono::floor<std::chrono::days>(t);
    std::chrono::year_month_day const date(day);
    auto const rest = t - day;
    auto const seconds = std::chrono::floor<std::chrono::seconds>(rest);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%09dZ", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(seconds.count() / 3600), static_cast<int>(seconds.count() / 60 % 60),
        static_cast<int>(seconds.count() % 60), static_cast<int>((rest - seconds).count()));
    return text;
}

inline std::optional<time_point> parse_timestamp(std::string_view text)
{
    if (text.size() != 30 || text[10] != 'T' || text[29] != 'Z')
        return {};
    auto const number = [&](std::size_t at, std::size_t digits) {
        std::int64_t value = 0;
        for (auto const c : text.substr(at, digits))
            value = c >= '0' && c <= '9' && value >= 0 ? value * 10 + (c - '0') : -1;
        return value;
    };
    auto const y = number(0, 4), m = number(5, 2), d = number(8, 2), h = number(11, 2), min = number(14, 2),
               s = number(17, 2), ns = number(20, 9);
    if (y < 0 || m < 1 || d < 1 || h < 0 || min < 0 || s < 0 || ns < 0)
        return {};
    std::chrono::year_month_day const date(std::chrono::year(static_cast<int>(y)),
        std::chrono::month(static_cast<unsigned>(m)), std::chrono::day(static_cast<unsigned>(d)));
    if (!date.ok())
        return {};
    return std::chrono::sys_days(date) + std::chrono::hours(h) + std::chrono::minutes(min) +
        std::chrono::seconds(s) + std::chrono::nanoseconds(ns);
}

}  // namespace detail

inline void container_log::append(log_stream stream, std::string_view bytes, time_point now)
{
    auto& waiting = waiting_[static_cast<std::size_t>(stream)];
    auto const head = detail::timestamp(now) + (stream == log_stream::out ? " stdout " : " stderr ");
    std::string text;
    while (!bytes.empty()) {
        auto const newline = bytes.find('\n');
        auto const room = longest_line - waiting.size();
        auto const take = std::min({newline, bytes.size(), room});
        waiting += bytes.substr(0, take);
        bytes.remove_prefix(take);
        bool const whole = !bytes.empty() && bytes.front() == '\n';
        if (whole)
            bytes.remove_prefix(1);
        if (!whole && waiting.size() < longest_line)
            break;
        text += head + (whole ? "F " : "P ") + waiting + '\n';
        waiting.clear();
        if (text.size() >= limits_.file_bytes / 4) {
            write(text);
            text.clear();
        }
    }
    if (!text.empty())
        write(text);
}

inline void container_log::finish(time_point now)
{
    for (auto const stream : {log_stream::out, log_stream::err})
        if (!waiting_[static_cast<std::size_t>(stream)].empty())
            append(stream, "\n", now);
    close();
}

inline void container_log::write(std::string const& text)
{
    if (fd_ >= 0 && size_ + text.size() > limits_.file_bytes && size_ > 0) {
        close();
        for (unsigned age = limits_.files - 1; age > 0; --age)
            (void)std::rename(file(age - 1).c_str(), file(age).c_str());
        (void)::unlink(path_.c_str());  // the only one, when one file is all that is kept
    }
    if (fd_ < 0) {
        fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        struct stat s{};
        size_ = fd_ >= 0 && ::fstat(fd_, &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
    }
    if (fd_ < 0)
        return;
    auto const n = ::write(fd_, text.data(), text.size());
    if (n == static_cast<ssize_t>(text.size()))
        size_ += text.size();
    else if (n >= 0)
        (void)!::ftruncate(fd_, static_cast<off_t>(size_));  // no half lines
}

inline void container_log::close()
{
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
    size_ = 0;
}

inline std::vector<log_line> container_log::read(log_query const& query) const
{
    std::deque<log_line> lines;
    std::array<std::string, 2> parts;
    std::string text;
    for (unsigned age = limits_.files; age-- > 0;) {
        std::ifstream in(file(age), std::ios::binary);
        while (std::getline(in, text)) {
            auto const time = detail::parse_timestamp(std::string_view(text).substr(0, 30));
            if (!time || text.size() < 40 || *time < query.since)
                continue;
            auto const stream = text.compare(31, 6, "stdout") == 0 ? log_stream::out : log_stream::err;
            auto& part = parts[static_cast<std::size_t>(stream)];
            part.append(text, 40);
            if (text[38] == 'P')
                continue;
            lines.push_back({*time, stream, std::exchange(part, {})});
            if (lines.size() > query.tail)
                lines.pop_front();
        }
    }
    return {std::make_move_iterator(lines.begin()), std::make_move_iterator(lines.end())};
}

inline void container_log::erase()
{
    close();
    for (unsigned age = 0; age < limits_.files; ++age)
        (void)::unlink(file(age).c_str());
}

}  // namespace podium::v0::runtime
