#pragma once
// Instructions of this thread in user space, counted by the processor: what does not change when the machine
// is busy. Nothing where the kernel does not permit it (perf_event_paranoid, containers, virtual machines).
#include <cstdint>
#include <cstring>
#include <linux/perf_event.h>
#include <optional>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace bench {

class instructions {
public:
    /// Of this thread, or of the process with one thread that is meant.
    explicit instructions(pid_t of = 0)
    {
        perf_event_attr what;
        std::memset(&what, 0, sizeof what);
        what.size = sizeof what;
        what.type = PERF_TYPE_HARDWARE;
        what.config = PERF_COUNT_HW_INSTRUCTIONS;
        what.exclude_kernel = 1;
        what.exclude_hv = 1;
        fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &what, of, -1, -1, 0));
    }
    instructions(instructions const&) = delete;
    instructions& operator=(instructions const&) = delete;
    ~instructions()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    /// Since it was made.
    [[nodiscard]] std::optional<std::uint64_t> read() const
    {
        std::uint64_t n = 0;
        if (fd_ < 0 || ::read(fd_, &n, sizeof n) != static_cast<ssize_t>(sizeof n))
            return {};
        return n;
    }

private:
    int fd_;
};

}  // namespace bench
