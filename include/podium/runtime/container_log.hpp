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

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime {

/// RFC 3339 in UTC with nine digits, always 30 characters: "2026-01-31T12:00:00.000000000Z".
[[nodiscard]] inline std::string timestamp(time_point t)
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

struct log_limits {
    std::uint64_t file_bytes = 4 * 1024 * 1024;  ///< a file is turned over before it grows beyond this
    unsigned files = 3;                          ///< kept in all, >= 1
};

class container_log {
public:
    /// How far somebody has read. Survives the turning over of files; a value, the log knows of none.
    struct place {
        std::uint64_t at = 0;                ///< in all the bytes that were ever written
        time_point since{};                  ///< no older lines
        std::array<std::string, 2> parts{};  ///< of lines whose end was not read yet
    };

    container_log() = default;
    container_log(std::string path, log_limits limits) : path_(std::move(path)), limits_(limits) {}
    container_log(container_log const&) = delete;
    container_log& operator=(container_log const&) = delete;
    ~container_log() { close(); }

    /// Takes what a stream said; whole lines are written, the rest waits. One write, O(bytes).
    void append(log_stream stream, std::string_view bytes, time_point now);

    /// Writes what waits for its newline, and closes the file.
    void finish(time_point now);

    /// Where to begin to read what `query` asks for. O(bytes of the tail).
    [[nodiscard]] place start(log_query const& query) const;

    /// Adds the lines from there on, of at most 64 KiB, and moves `from` behind them; they may be none of
    /// those that are asked for. False: there is no more now. What was dropped meanwhile is skipped. A line
    /// of more than 1 MiB comes in pieces of that. O(1) in the size of the log.
    [[nodiscard]] bool read(place& from, std::vector<log_line>& lines) const;

    /// Deletes the files.
    void erase();

private:
    static constexpr std::size_t longest_line = 16 * 1024;
    static constexpr std::size_t head_size = 40;  ///< before a line's text: time, stream, F or P
    static constexpr std::size_t piece = 64 * 1024;

    /// What a file holds from there on; empty when it cannot be read.
    [[nodiscard]] static std::string bytes_of(std::string const& file, std::uint64_t from, std::size_t most);
    [[nodiscard]] static std::uint64_t size_of(std::string const& file)
    {
        struct stat s{};
        return ::stat(file.c_str(), &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
    }
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
    std::uint64_t dropped_ = 0;  ///< bytes of the files that are gone
    std::array<std::string, 2> waiting_{};
};

namespace detail {

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
    auto const head = timestamp(now) + (stream == log_stream::out ? " stdout " : " stderr ");
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
        dropped_ += size_of(file(limits_.files - 1));
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

inline std::string container_log::bytes_of(std::string const& file, std::uint64_t from, std::size_t most)
{
    std::string text(most, '\0');
    int const fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    auto const n = fd < 0 ? 0 : ::pread(fd, text.data(), most, static_cast<off_t>(from));
    if (fd >= 0)
        ::close(fd);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

inline container_log::place container_log::start(log_query const& query) const
{
    place out{.at = dropped_, .since = query.since};
    if (query.tail == log_query{}.tail)
        return out;
    std::uint64_t end = dropped_;  // of the file that is looked at
    for (unsigned age = 0; age < limits_.files; ++age)
        end += size_of(file(age));
    std::size_t lines = 0;  // seen in younger files
    for (unsigned age = 0; age < limits_.files; ++age) {
        auto const size = size_of(file(age));
        for (std::uint64_t look = piece;; look *= 4) {
            auto const from = look < size ? size - look : 0;
            auto const text = bytes_of(file(age), from, static_cast<std::size_t>(size - from));
            auto seen = lines;
            for (auto after = text.size(); after > 0;) {  // behind a record
                auto const newline = after < 2 ? text.npos : text.rfind('\n', after - 2);
                if (newline == text.npos && from > 0)
                    break;
                auto const begins = newline == text.npos ? 0 : newline + 1;
                bool const whole = after - begins > 38 && text[begins + 38] == 'F';
                if (whole && seen++ == query.tail) {
                    out.at = end - size + from + after;
                    return out;
                }
                after = begins;
            }
            if (from == 0) {
                lines = seen;
                break;
            }
        }
        end -= size;
    }
    return out;
}

inline bool container_log::read(place& from, std::vector<log_line>& lines) const
{
    std::uint64_t begins = dropped_;
    for (unsigned age = limits_.files; age-- > 0;) {
        auto const size = size_of(file(age));
        if (from.at < begins)
            from = {.at = begins, .since = from.since};
        if (from.at >= begins + size) {
            begins += size;
            continue;
        }
        auto const text = bytes_of(file(age), from.at - begins, piece);
        if (text.empty())
            return false;  // no descriptor left, say: another time
        auto const end = text.rfind('\n');
        if (end == text.npos) {  // not of our writing
            from.at = begins + size;
            return true;
        }
        from.at += end + 1;
        for (std::string_view rest(text.data(), end + 1); !rest.empty();) {
            auto const record = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(record.size() + 1);
            auto const time = detail::parse_timestamp(record.substr(0, 30));
            if (!time || record.size() < head_size)
                continue;
            auto const stream = record.substr(31, 6) == "stdout" ? log_stream::out : log_stream::err;
            auto& part = from.parts[static_cast<std::size_t>(stream)];
            part += record.substr(head_size);
            if (record[38] == 'P' && part.size() < 1024 * 1024)
                continue;
            if (*time >= from.since)
                lines.push_back({*time, stream, std::move(part)});
            part.clear();
        }
        return true;
    }
    return false;
}

inline void container_log::erase()
{
    close();
    for (unsigned age = 0; age < limits_.files; ++age)
        (void)::unlink(file(age).c_str());
}

}  // namespace podium::v0::runtime
