#pragma once
/// CPU and memory of a tree of processes, from /proc.
///
/// CPU is what the tree's living processes used and what their waited-for children had used: since the init
/// at the top collects all that ends, nothing is lost but the children of a process that ignores SIGCHLD.
/// Resolution: one clock tick (10 ms). Memory is the sum of resident sets without the init's; pages that
/// processes share are counted for each.
///
/// Source: proc(5), /proc/[pid]/stat fields 4, 14 to 17 and 24.

#include <podium/core/time.hpp>
#include <podium/runtime/runtime.hpp>

#include <cstdint>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace podium::inline v0::runtime {

/// All processes at one moment. Taking one costs a pass over /proc (some 10 us for each process), so one
/// serves many trees.
class process_table {
public:
    [[nodiscard]] static process_table read();

    /// What `root` and everything below it use; nothing when `root` is gone.
    [[nodiscard]] std::optional<container_stats> usage(std::int32_t root) const;

private:
    struct row {
        std::uint64_t ticks = 0;
        std::uint64_t pages = 0;
        std::vector<std::int32_t> children{};
        bool seen = false;
    };
    std::unordered_map<std::int32_t, row> rows_{};
};

inline process_table process_table::read()
{
    process_table table;
    auto* const proc = ::opendir("/proc");
    if (proc == nullptr)
        return table;
    while (auto const* entry = ::readdir(proc)) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        auto const fd =
            ::openat(::dirfd(proc), (std::string(entry->d_name) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        char text[1024];
        auto const n = ::read(fd, text, sizeof text - 1);
        ::close(fd);
        if (n <= 0)
            continue;
        text[n] = '\0';
        auto const close = std::string_view(text).rfind(')');  // the name may hold anything
        if (close == std::string_view::npos || close + 4 > static_cast<std::size_t>(n))
            continue;
        std::int32_t parent = 0;
        row r;
        char* at = text + close + 3;  // behind the state, field 3
        for (int field = 4; field <= 24; ++field) {
            auto const value = std::strtoll(at, &at, 10);
            if (field == 4)
                parent = static_cast<std::int32_t>(value);
            else if (field >= 14 && field <= 17)
                r.ticks += static_cast<std::uint64_t>(value);
            else if (field == 24)
                r.pages = static_cast<std::uint64_t>(value);
        }
        auto const pid = static_cast<std::int32_t>(std::strtol(entry->d_name, nullptr, 10));
        auto& mine = table.rows_[pid];
        r.children = std::move(mine.children);
        r.seen = true;
        mine = std::move(r);
        table.rows_[parent].children.push_back(pid);
    }
    ::closedir(proc);
    return table;
}

inline std::optional<container_stats> process_table::usage(std::int32_t root) const
{
    auto const top = rows_.find(root);
    if (top == rows_.end() || !top->second.seen)
        return {};
    auto const tick = 1'000'000'000ULL / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    auto const page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    container_stats out{.cpu_nanos = top->second.ticks * tick};
    auto below = top->second.children;
    for (std::size_t visited = 0; !below.empty() && visited <= rows_.size(); ++visited) {
        auto const at = rows_.find(below.back());
        below.pop_back();
        if (at == rows_.end())
            continue;
        out.cpu_nanos += at->second.ticks * tick;
        out.memory_bytes += at->second.pages * page;
        below.insert(below.end(), at->second.children.begin(), at->second.children.end());
    }
    return out;
}

}  // namespace podium::v0::runtime
