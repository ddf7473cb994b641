#pragma once
/// The small init above each container: it runs the container's processes and takes all of them along.
///
/// An init is a clone of podium that never executes another program. Two facts end it: the socket to podium
/// closes, or podium's pidfd says that podium is gone. Either way everything below it is killed first, also
/// what called setsid or daemonised. With the privilege for it, it is PID 1 of a PID namespace and the kernel
/// does the killing, even if init itself is killed. Else it is a child subreaper: what loses its parent
/// becomes its child, and it kills its children until it has none. The main process is a child of init and
/// not PID 1, so that the default actions of signals work. Mounts and networks are not touched.
///
/// podium may have threads, so between clone and exec there are only bare system calls: no allocation, no
/// lock. podium's heap is unmapped in init, otherwise each would keep the pages of its day. What is to be run
/// arrives as a memfd of packed strings. No exit signal is asked for, so that podium's host never sees a
/// SIGCHLD of these and its own wait() calls do not find them.
///
/// Needs Linux 5.9. Source: clone(2), pidfd_open(2), prctl(2), unix(7), pid_namespaces(7).

#include <podium/core/result.hpp>
#include <podium/runtime/image_directory.hpp>
#include <podium/runtime/runtime.hpp>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <string>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime::detail {

/// A file descriptor that closes itself.
class unique_fd {
public:
    unique_fd() = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~unique_fd()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// What podium tells init. `launch` brings three descriptors: the memfd, stdout, stderr.
struct init_command {
    enum kind_type : std::uint32_t {
        launch,    ///< run process `process`; the first one is the main process
        signal,    ///< `signo` to process `process`
        end_exec,  ///< SIGKILL to the process group of process `process`
        teardown,  ///< kill everything
    };
    std::uint32_t kind = launch;
    std::uint32_t process = 0;
    std::int32_t signo = 0;
};

/// What init tells podium. Messages carry the sender's pid as podium sees it (SO_PASSCRED).
struct init_event {
    enum kind_type : std::uint32_t {
        pid,      ///< sent by the process itself, right before exec
        started,  ///< exec succeeded
        failed,   ///< `first` is the step (launch_step) and `second` the errno
        exited,   ///< `first` is the exit code, `second` the signal; of process 0: and nothing else is left
    };
    std::uint32_t kind = pid;
    std::uint32_t process = 0;
    std::int32_t first = 0;
    std::int32_t second = 0;
};

enum class launch_step : std::int32_t {
    fork,
    standard_streams,
    limits,
    working_dir,
    exec,
};

/// The head of the memfd; offsets are from its start, each list ends with offset 0.
struct packed_launch {
    std::uint64_t size = 0;
    std::uint64_t path = 0;
    std::uint64_t working_dir = 0;
    std::uint64_t argv = 0;  ///< of a list of offsets; init turns it into a list of pointers in place
    std::uint64_t env = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t open_files = 0;
};

/// A memfd for init's `launch`.
[[nodiscard]] inline result<unique_fd> pack(launch const& what, container_limits const& limits)
{
    packed_launch head{.memory_bytes = limits.memory_bytes, .open_files = limits.open_files};
    std::vector<std::uint64_t> offsets;
    std::string text;
    auto const lists = sizeof head + (what.argv.size() + what.env.size() + 2) * sizeof(std::uint64_t);
    auto const put = [&](std::string const& s) {
        auto const at = lists + text.size();
        text.append(s.c_str(), s.size() + 1);
        return at;
    };
    head.path = put(what.path);
    head.working_dir = put(what.working_dir);
    head.argv = sizeof head;
    for (auto const& a : what.argv)
        offsets.push_back(put(a));
    offsets.push_back(0);
    head.env = sizeof head + offsets.size() * sizeof(std::uint64_t);
    for (auto const& e : what.env)
        offsets.push_back(put(e));
    offsets.push_back(0);
    head.size = lists + text.size();

    std::string bytes(reinterpret_cast<char const*>(&head), sizeof head);
    bytes.append(reinterpret_cast<char const*>(offsets.data()), offsets.size() * sizeof(std::uint64_t));
    bytes += text;
    unique_fd fd(static_cast<int>(::syscall(SYS_memfd_create, "podium-launch", 1U /* MFD_CLOEXEC */)));
    for (std::size_t done = 0; fd && done < bytes.size();) {
        auto const n = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
        if (n < 0)
            return error{errc::exhausted, "no memory to pass the command on", {}, {}};
        done += static_cast<std::size_t>(n);
    }
    if (!fd)
        return error{errc::exhausted, std::string("memfd_create: ") + std::strerror(errno), {}, {}};
    return fd;
}

/// Sends a command with its descriptors, without blocking; false when init is gone or does not read.
inline bool send_command(int socket, init_command command, std::vector<int> const& descriptors = {})
{
    iovec iov{&command, sizeof command};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 3)] = {};
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
        auto* head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
        std::memcpy(CMSG_DATA(head), descriptors.data(), sizeof(int) * descriptors.size());
    }
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(sizeof command);
}

/// One event and its sender. `end`: init is gone.
enum class received : std::uint8_t {
    event,
    nothing_yet,
    end,
};
inline received receive_event(int socket, init_event& event, std::int32_t& sender)
{
    iovec iov{&event, sizeof event};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t n = 0;
    do
        n = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return received::nothing_yet;
    if (n != static_cast<ssize_t>(sizeof event))
        return received::end;
    sender = 0;
    for (auto* head = CMSG_FIRSTHDR(&message); head != nullptr; head = CMSG_NXTHDR(&message, head))
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_CREDENTIALS) {
            ucred who{};
            std::memcpy(&who, CMSG_DATA(head), sizeof who);
            sender = who.pid;
        }
    return received::event;
}

// From here on: code that runs in init. ------------------------------------------------------------------

template<class... Args>
inline long bare(long number, Args... args) noexcept
{
    return ::syscall(number, (long)args...);  // NOLINT: pointers and integers alike, as the kernel takes them
}

inline constexpr int init_socket = 3;
inline constexpr int init_podium = 4;

inline void bare_send(init_event event) noexcept
{
    while (bare(SYS_sendto, init_socket, &event, sizeof event, MSG_NOSIGNAL, 0, 0) < 0 && errno == EINTR) {
    }
}

inline std::uint64_t bare_number(char const*& at, char const* end, unsigned base) noexcept
{
    std::uint64_t value = 0;
    for (; at != end; ++at) {
        unsigned const digit = *at >= '0' && *at <= '9' ? static_cast<unsigned>(*at - '0')
            : *at >= 'a' && *at <= 'f'                  ? static_cast<unsigned>(*at - 'a') + 10
                                                        : 99;
        if (digit >= base)
            break;
        value = value * base + digit;
    }
    return value;
}

/// Unmaps podium's heap from init: large private memory without a file behind it, except around this
/// stack and the thread's own block (errno lives there). Small mappings stay, the dynamic linker keeps its
/// tables in them.
inline void drop_host_memory() noexcept
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return;  // their shadow is such memory
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
    return;
#endif
#endif
    char buffer[2048];
    long const maps = bare(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (maps < 0)
        return;
    auto const stack = reinterpret_cast<std::uint64_t>(&buffer[0]);
    auto const thread = reinterpret_cast<std::uint64_t>(&errno);
    std::size_t held = 0;
    for (;;) {
        long const n = bare(SYS_read, maps, buffer + held, sizeof buffer - held);
        if (n <= 0)
            break;
        held += static_cast<std::size_t>(n);
        std::size_t line = 0;
        for (std::size_t i = 0; i < held; ++i) {
            if (buffer[i] != '\n')
                continue;
            // "start-end rw-p offset device inode   path"
            char const* at = buffer + line;
            char const* const end = buffer + i;
            auto const from = bare_number(at, end, 16);
            auto const to = bare_number(++at, end, 16);
            bool const writable =
                end - at > 5 && at[1] == 'r' && at[2] == 'w' && at[3] == '-' && at[4] == 'p';
            for (int spaces = 0; at != end && spaces < 4; ++at)
                spaces += *at == ' ' ? 1 : 0;
            bool const anonymous = bare_number(at, end, 10) == 0;
            while (at != end && *at == ' ')
                ++at;
            bool const heap = at == end || (end - at == 6 && at[1] == 'h' && at[2] == 'e');
            bool const large = to > from && to - from >= 256 * 1024;
            // Piece by piece: the kernel joins neighbours, so the thread's block may be part of a heap.
            std::uint64_t const piece = 1024 * 1024;
            std::uint64_t const margin = 256 * 1024;
            for (auto low = from; writable && anonymous && heap && large && low < to; low += piece) {
                auto const high = to - low < piece ? to : low + piece;
                bool const ours = (low < stack + margin && stack < high + margin) ||
                    (low < thread + margin && thread < high + margin);
                if (!ours)
                    bare(SYS_munmap, low, high - low);
            }
            line = i + 1;
        }
        if (line == 0 && held == sizeof buffer)
            held = 0;  // an endless path: its line is lost, nothing more
        for (std::size_t i = line; i < held; ++i)
            buffer[i - line] = buffer[i];
        held -= line;
    }
    bare(SYS_close, maps);
}

/// Calls f(pid) for each child of `parent`, zombies included.
template<class F>
inline void bare_each_child(long parent, F const& f) noexcept
{
    long const proc = bare(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (proc < 0)
        return;
    alignas(8) char entries[4096];
    for (;;) {
        long const n = bare(SYS_getdents64, proc, entries, sizeof entries);
        if (n <= 0)
            break;
        for (long at = 0; at < n;) {
            // struct linux_dirent64: 8 bytes inode, 8 bytes offset, 2 bytes length, 1 byte type, name
            unsigned const length = static_cast<unsigned char>(entries[at + 16]) |
                static_cast<unsigned>(static_cast<unsigned char>(entries[at + 17])) << 8;
            char const* const name = entries + at + 19;
            at += static_cast<long>(length);
            char const* digits = name;
            char path[32];
            std::size_t size = 0;
            for (; name[size] >= '0' && name[size] <= '9' && size < 16; ++size)
                path[size] = name[size];
            if (size == 0 || name[size] != '\0')
                continue;
            for (char const c : {'/', 's', 't', 'a', 't', '\0'})
                path[size++] = c;
            auto const pid = static_cast<long>(bare_number(digits, name + 16, 10));
            long const stat = bare(SYS_openat, proc, path, O_RDONLY | O_CLOEXEC, 0);
            if (stat < 0)
                continue;
            char text[256];
            long const got = bare(SYS_read, stat, text, sizeof text);
            bare(SYS_close, stat);
            long close = got - 1;  // the name in parentheses may hold anything; its end is the last ')'
            while (close > 0 && text[close] != ')')
                --close;
            char const* field = text + close + 4;  // ") S "
            if (close > 0 && close + 5 < got &&
                static_cast<long>(bare_number(field, text + got, 10)) == parent)
                f(pid);
        }
    }
    bare(SYS_close, proc);
}

struct init_process {
    long pid = 0;  ///< 0: none
    std::uint32_t process = 0;
    std::int32_t code = 0;
    std::int32_t signal = 0;
};

struct init_state {
    static constexpr std::size_t most = 64;
    init_process processes[most];  ///< [0] is the main process
    bool has_namespace = false;
    bool launched = false;
    bool main_ended = false;
};

/// Collects what has ended; false when there is no child at all.
inline bool bare_reap(init_state& state, bool wait) noexcept
{
    for (;;) {
        siginfo_t info;
        info.si_pid = 0;
        if (bare(SYS_waitid, P_ALL, 0, &info, WEXITED | __WALL | (wait ? 0 : WNOHANG), 0) < 0) {
            if (errno == EINTR)
                continue;
            return false;
        }
        if (info.si_pid == 0)
            return true;
        bool const exited = info.si_code == CLD_EXITED;
        for (std::size_t i = 0; i < init_state::most; ++i) {
            auto& p = state.processes[i];
            if (p.pid != info.si_pid)
                continue;
            p.pid = 0;
            p.code = exited ? info.si_status : 128 + info.si_status;
            p.signal = exited ? 0 : info.si_status;
            if (i == 0)
                state.main_ended = true;  // told when nothing is left
            else
                bare_send({init_event::exited, p.process, p.code, p.signal});
            break;
        }
        if (wait)
            return true;
    }
}

/// Kills everything below init; returns when nothing is left.
inline void bare_kill_all(init_state& state) noexcept
{
    if (state.has_namespace) {
        do
            bare(SYS_kill, -1, SIGKILL);
        while (bare_reap(state, true));
        return;
    }
    long const self = bare(SYS_getpid);
    for (long pause = 1'000'000; bare_reap(state, false); pause = pause < 50'000'000 ? pause * 2 : pause) {
        bare_each_child(self, [](long pid) { bare(SYS_kill, pid, SIGKILL); });
        long const sleep[2] = {0, pause};  // the killed need a moment, and then leave their children to us
        bare(SYS_ppoll, 0, 0, sleep, 0, 8);
    }
}

/// In the new process: never returns.
[[noreturn]] inline void bare_exec(init_state const& state, std::uint32_t process, long parent, char* base,
    int out, int err, int report) noexcept
{
    auto const fail = [&](launch_step step) {
        std::int32_t const why[2] = {static_cast<std::int32_t>(step), errno};
        bare(SYS_write, report, why, sizeof why);
        for (;;)
            bare(SYS_exit_group, 127);
    };
    packed_launch const& head = *reinterpret_cast<packed_launch const*>(base);
    bare(SYS_setsid);  // its own group and no terminal: Ctrl-C on podium is podium's affair
    if (!state.has_namespace) {
        bare(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (bare(SYS_getppid) != parent)
            fail(launch_step::fork);
    }
    if (bare(SYS_dup3, out, 1, 0) < 0 || bare(SYS_dup3, err, 2, 0) < 0)  // 0 is /dev/null already
        fail(launch_step::standard_streams);
    auto const limit = [&](int what, std::uint64_t value) {
        rlimit64 const both{value, value};
        if (value != 0 && bare(SYS_prlimit64, 0, what, &both, 0) < 0)
            fail(launch_step::limits);
    };
    limit(RLIMIT_NOFILE, head.open_files);
    limit(RLIMIT_DATA, head.memory_bytes);
    bare(SYS_umask, 022);
    if (bare(SYS_chdir, base + head.working_dir) < 0)
        fail(launch_step::working_dir);
    bare_send({init_event::pid, process, 0, 0});
    std::uint64_t const none = 0;
    bare(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
    bare(SYS_execve, base + head.path, base + head.argv, base + head.env);
    for (;;)
        fail(launch_step::exec);
}

/// Runs one process and tells how that went.
inline void bare_launch(init_state& state, std::uint32_t process, int const (&fds)[3]) noexcept
{
    std::size_t slot = 0;  // slot 0 is the main process's for good
    for (; state.launched && slot < init_state::most && (slot == 0 || state.processes[slot].pid != 0);)
        ++slot;
    int report[2] = {-1, -1};
    long pid = -1;
    std::int32_t why[2] = {static_cast<std::int32_t>(launch_step::fork), EAGAIN};
    packed_launch head;
    if (slot < init_state::most && bare(SYS_pread64, fds[0], &head, sizeof head, 0) == sizeof head) {
        long const at = bare(SYS_mmap, 0, head.size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fds[0], 0);
        if (at != -1 && bare(SYS_pipe2, report, O_CLOEXEC) == 0) {
            auto* const base = reinterpret_cast<char*>(at);
            for (auto* offset = reinterpret_cast<std::uint64_t*>(base + head.argv); *offset != 0; ++offset)
                *offset += static_cast<std::uint64_t>(at);
            for (auto* offset = reinterpret_cast<std::uint64_t*>(base + head.env); *offset != 0; ++offset)
                *offset += static_cast<std::uint64_t>(at);
            clone_args how;
            for (std::size_t i = 0; i < sizeof how; ++i)
                reinterpret_cast<char volatile*>(&how)[i] = 0;
            how.exit_signal = SIGCHLD;
            long const self = bare(SYS_getpid);
            pid = bare(SYS_clone3, &how, sizeof how);
            if (pid == 0)
                bare_exec(state, process, self, base, fds[1], fds[2], report[1]);
            if (pid < 0)
                why[1] = errno;
        } else {
            why[1] = errno;
        }
        if (at != -1)
            bare(SYS_munmap, at, head.size);
    }
    for (int const fd : {fds[0], fds[1], fds[2], report[1]})
        if (fd >= 0)
            bare(SYS_close, fd);
    state.launched = true;
    bool ran = false;
    if (pid > 0) {
        long n = 0;
        do
            n = bare(SYS_read, report[0], why, sizeof why);
        while (n < 0 && errno == EINTR);
        ran = n == 0;  // exec closed the other end
        siginfo_t info;
        while (!ran && bare(SYS_waitid, P_PID, pid, &info, WEXITED | __WALL, 0) < 0 && errno == EINTR) {
        }
        state.processes[slot].pid = ran ? pid : 0;
        state.processes[slot].process = process;
    }
    if (report[0] >= 0)
        bare(SYS_close, report[0]);
    bare_send(ran ? init_event{init_event::started, process, 0, 0}
                  : init_event{init_event::failed, process, why[0], why[1]});
    if (!ran && slot == 0)
        bare(SYS_exit_group, 1);  // nothing to take along
}

/// Reads one command; false when podium is gone.
inline bool bare_command(init_state& state) noexcept
{
    init_command command;
    iovec iov{&command, sizeof command};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 3)];
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    long const n = bare(SYS_recvmsg, init_socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR)
        return true;
    if (n != sizeof command)
        return false;
    if (command.kind == init_command::launch) {
        int fds[3] = {-1, -1, -1};
        auto const* const head = CMSG_FIRSTHDR(&message);
        if (head == nullptr || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof fds))
            return false;
        for (std::size_t i = 0; i < 3; ++i)
            fds[i] = reinterpret_cast<int const*>(CMSG_DATA(head))[i];
        bare_launch(state, command.process, fds);
        return true;
    }
    if (command.kind == init_command::teardown)
        return bare_kill_all(state), true;
    for (auto const& p : state.processes)  // none of them is reaped elsewhere, so no pid here is another's
        if (p.pid > 0 && p.process == command.process)
            bare(SYS_kill, command.kind == init_command::end_exec ? -p.pid : p.pid,
                command.kind == init_command::end_exec ? SIGKILL : command.signo);
    return true;
}

/// Init's whole life. All signals are blocked and stay so.
[[noreturn, gnu::noinline]] inline void init_main(int socket, int podium, bool has_namespace) noexcept
{
    long const nothing[8] = {};
    for (int signo = 1; signo <= 64; ++signo)  // podium's handlers are not for here, nor is an ignored signal
        bare(SYS_rt_sigaction, signo, nothing, 0, 8);
    bare(SYS_setsid);
    bare(SYS_prctl, PR_SET_NAME, "podium-init", 0, 0, 0);
    if (!has_namespace)
        bare(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    long const s = bare(SYS_fcntl, socket, F_DUPFD, 10);  // out of the way of the numbers wanted
    long const p = bare(SYS_fcntl, podium, F_DUPFD, 10);
    long const null = bare(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    long const high = bare(SYS_fcntl, null, F_DUPFD, 10);
    bool ok = s >= 0 && p >= 0 && high >= 0;
    for (int fd = 0; fd < 3; ++fd)
        ok = ok && bare(SYS_dup3, high, fd, 0) >= 0;
    ok = ok && bare(SYS_dup3, s, init_socket, O_CLOEXEC) >= 0 &&
        bare(SYS_dup3, p, init_podium, O_CLOEXEC) >= 0;
    ok = ok && bare(SYS_close_range, init_podium + 1, ~0U, 0) == 0;
    std::uint64_t const child = 1ULL << (SIGCHLD - 1);
    long const signals = bare(SYS_signalfd4, -1, &child, sizeof child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!ok || signals < 0)
        bare(SYS_exit_group, 1);
    bare(SYS_chdir, "/");  // hold no directory
    drop_host_memory();

    init_state state;
    for (auto& process : state.processes)
        process.pid = 0;
    state.has_namespace = has_namespace;
    for (bool alive = true; alive;) {
        pollfd ready[3] = {
            {init_socket, POLLIN, 0}, {init_podium, POLLIN, 0}, {static_cast<int>(signals), POLLIN, 0}};
        if (bare(SYS_ppoll, ready, 3, 0, 0, 8) < 0)
            continue;
        if (ready[2].revents != 0) {
            char info[sizeof(signalfd_siginfo)];
            while (bare(SYS_read, signals, info, sizeof info) > 0) {
            }
            bare_reap(state, false);
        }
        if (ready[1].revents != 0)
            alive = false;
        else if (ready[0].revents != 0)
            alive = bare_command(state);
        if (state.main_ended) {
            bare_kill_all(state);
            auto const& main = state.processes[0];
            bare_send({init_event::exited, 0, main.code, main.signal});
            bare(SYS_exit_group, 0);
        }
    }
    if (!has_namespace)
        bare_kill_all(state);
    for (;;)
        bare(SYS_exit_group, 0);
}

// podium's side again. -----------------------------------------------------------------------------------

struct init_handle {
    std::int32_t pid = 0;
    unique_fd process{};  ///< its pidfd
    unique_fd socket{};
};

/// Starts an init that waits for its `launch`. `podium` is a pidfd of this process.
/// `forbidden` when a namespace was asked for and this process may not make one.
[[nodiscard]] inline result<init_handle> start_init(int podium, bool with_namespace)
{
    auto const failed = [](char const* what) {
        auto const code = errno == EPERM ? errc::forbidden
            : errno == ENOSYS            ? errc::unsupported
                                         : errc::exhausted;
        return error{code, std::string(what) + ": " + std::strerror(errno), {}, {}};
    };
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return failed("socketpair");
    unique_fd ours(ends[0]);
    unique_fd theirs(ends[1]);
    int const on = 1;
    if (::setsockopt(ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0)
        return failed("setsockopt");

    int pidfd = -1;
    clone_args how{};
    how.flags = static_cast<std::uint64_t>(CLONE_PIDFD) |
        (with_namespace ? static_cast<std::uint64_t>(CLONE_NEWPID) : 0);
    how.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    auto const pid = static_cast<std::int32_t>(bare(SYS_clone3, &how, sizeof how));
    if (pid == 0)
        init_main(theirs.get(), podium, with_namespace);
    auto const why = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    errno = why;
    if (pid < 0)
        return failed("clone3");
    return init_handle{pid, unique_fd(pidfd), std::move(ours)};
}

}  // namespace podium::v0::runtime::detail
