#pragma once
/// Containers as plain processes of this machine: no images to pull, no root file system, nothing to install.
///
/// Each container has an init above it (container_init.hpp): whatever the container starts, even what calls
/// setsid, ends with it, and with podium, even if podium is killed by SIGKILL. SIGTERM goes to the main
/// process, as Kubernetes does it; when that ends, all the rest is killed, and only then is the container
/// `exited`, so its ports are free. stdin is /dev/null, the environment exactly image + configuration + PATH,
/// descriptors of podium's do not leak in, output goes to bounded log files. Mounts are told to the
/// container, not made (image_directory.hpp), so a read-only one is refused.
///
/// Linux 5.9 or newer. The isolation is against accidents, not against malice: a container sees the machine's
/// files and network, and without a PID namespace it may kill its own init and thus let go of what had called
/// setsid before. Costs four descriptors and two small processes' worth of kernel memory for each container.

#include <podium/runtime/container_init.hpp>
#include <podium/runtime/container_log.hpp>
#include <podium/runtime/image_directory.hpp>
#include <podium/runtime/process_usage.hpp>
#include <podium/runtime/runtime.hpp>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace podium::inline v0::runtime {

/// What keeps the processes of a container together.
enum class isolation : std::uint8_t {
    automatic,      ///< a PID namespace if this process may make one, else a process tree
    pid_namespace,  ///< the kernel kills all with their init; needs CAP_SYS_ADMIN
    process_tree,   ///< init is a subreaper and kills all that it can find; needs nothing
};

struct process_runtime_options {
    std::string images{};     ///< the image directory, see image_directory.hpp
    std::string state_dir{};  ///< for logs, not shared with another runtime; empty: a temporary one, deleted
                              ///< at the end
    log_limits logs{};        ///< for each container
    isolation keep_together = isolation::automatic;
    std::function<time_point()> clock{};  ///< stamps; empty: a monotonic clock anchored to wall time once
};

namespace detail {

namespace asio = boost::asio;
inline constexpr auto answer = asio::as_tuple(asio::use_awaitable);

/// A command run by `exec`, while it runs.
struct execution {
    explicit execution(asio::any_io_executor const& executor)
        : output(executor),
          ended(executor, asio::steady_timer::time_point::max())
    {
    }
    asio::posix::stream_descriptor output;
    asio::steady_timer ended;  ///< cancelled when `outcome` or `failed` has come
    std::size_t room = 0;
    bool collecting = true;            ///< its output is being read
    std::optional<init_event> over{};  ///< what its init said of its end
    std::optional<exec_result> outcome{};
    std::optional<error> failed{};
    std::string text{};
};

struct container {
    container(asio::any_io_executor const& executor, std::string const& log_path, log_limits limits)
        : log(log_path, limits),
          socket(executor),
          init(executor),
          out(executor),
          err(executor),
          kill_timer(executor),
          moved(executor, asio::steady_timer::time_point::max())
    {
    }
    container_status status{};
    container_config config{};
    image_entry image{};
    container_log log;
    bool starting = false;
    bool term_sent = false;
    std::optional<error> start_failed{};
    std::int32_t init_pid = 0;
    asio::posix::stream_descriptor socket;
    asio::posix::stream_descriptor init;  ///< init's pidfd
    asio::posix::stream_descriptor out;
    asio::posix::stream_descriptor err;
    asio::steady_timer kill_timer;  ///< of a stop in progress
    bool killing = false;           ///< kill_timer is set
    bool over = false;              ///< its init has said so, or is gone: what is left of its output is read
    int pumps = 0;                  ///< streams that are being read
    asio::steady_timer moved;  ///< cancelled whenever `status`, `starting`, `pumps` or the log has changed
    std::uint32_t last_execution = 0;
    std::map<std::uint32_t, std::shared_ptr<execution>> executions{};

    [[nodiscard]] bool alive() const noexcept { return starting || status.state == container_state::running; }
};

}  // namespace detail

/// The process runtime. Not synchronised: construct it with a strand (or an io_context run by one thread) and
/// call it from there. Its destructor kills what still runs and waits for the end of it, so nothing is left;
/// operations still awaited then complete later, as if the containers had been killed.
class process_runtime {
public:
    process_runtime(boost::asio::any_io_executor executor, process_runtime_options options);
    process_runtime(process_runtime&&) noexcept = default;
    process_runtime& operator=(process_runtime&& other) noexcept
    {
        std::swap(core_, other.core_);
        return *this;
    }
    ~process_runtime();

    boost::asio::awaitable<result<std::string>> create(container_config config);
    boost::asio::awaitable<result<void>> start(std::string id);
    boost::asio::awaitable<result<void>> stop(std::string id, duration grace);
    boost::asio::awaitable<result<void>> remove(std::string id);
    [[nodiscard]] std::vector<container_status> list() const;
    boost::asio::awaitable<result<container_stats>> stats(std::string id);
    boost::asio::awaitable<result<void>> logs(std::string id, log_query query, log_sink sink);
    boost::asio::awaitable<result<exec_result>> exec(std::string id, exec_request request);
    void on_change(std::function<void()> f);

private:
    using container = detail::container;
    using shared = std::shared_ptr<container>;

    struct core {
        explicit core(boost::asio::any_io_executor e) : executor(std::move(e)) {}
        boost::asio::any_io_executor executor;
        process_runtime_options options{};
        bool owns_state_dir = false;
        std::string state_dir_error{};
        detail::unique_fd podium{};
        std::uint64_t last_id = 0;
        std::vector<shared> containers{};
        std::function<void()> listener{};
        bool telling = false;
        std::optional<process_table> table{};
        time_point table_read{};
    };
    using core_ptr = std::shared_ptr<core>;

    static result<shared> find(core& c, std::string const& id);
    static void changed(core_ptr const& c, container& which);
    static result<void> launch(core_ptr const& c, shared const& which);
    static void end(container& which);
    static void ended(core_ptr const& c, container& which, int code, int signal, std::string message);
    static void handle(
        core_ptr const& c, container& which, detail::init_event const& event, std::int32_t sender);
    static boost::asio::awaitable<void> watch(core_ptr c, shared which);
    static boost::asio::awaitable<void> pump(core_ptr c, shared which, log_stream stream);
    static boost::asio::awaitable<void> collect(std::shared_ptr<detail::execution> which);

    core_ptr core_;
};

static_assert(ContainerRuntime<process_runtime>);

namespace detail {

/// Wall time read once, then the monotonic clock.
inline time_point anchored_now()
{
    static auto const anchor = std::chrono::time_point_cast<duration>(std::chrono::system_clock::now());
    static auto const since = std::chrono::steady_clock::now();
    return anchor + (std::chrono::steady_clock::now() - since);
}

inline bool is_label(std::string const& text)
{
    auto const allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_';
    };
    return !text.empty() && text.size() <= 253 && text.front() != '.' &&
        std::all_of(text.begin(), text.end(), allowed);
}

inline error launch_error(init_event const& event)
{
    std::string const why = std::strerror(event.second);
    switch (static_cast<launch_step>(event.first)) {
    case launch_step::fork: return {errc::exhausted, "no process can be made: " + why, {}, {}};
    case launch_step::standard_streams:
        return {errc::exhausted, "its output cannot be connected: " + why, {}, {}};
    case launch_step::limits:
        return {errc::invalid, "its limits cannot be set: " + why, "resources.limits", {}};
    case launch_step::working_dir: return {errc::invalid, "cannot be entered: " + why, "workingDir", {}};
    case launch_step::exec: return {errc::invalid, "cannot be executed: " + why, "command", {}};
    }
    return {errc::internal, "init answered nonsense", {}, {}};
}

/// What a pipe holds now, at most 1 MiB of it: whoever still writes does not hold us up.
inline std::string read_rest(asio::posix::stream_descriptor& from)
{
    std::string rest;
    char chunk[4096];
    while (from.is_open() && rest.size() < 1024 * 1024) {
        auto const n = ::read(from.native_handle(), chunk, sizeof chunk);
        if (n > 0)
            rest.append(chunk, static_cast<std::size_t>(n));
        else if (n == 0 || errno != EINTR)
            break;
    }
    return rest;
}

inline void keep_output(execution& which, std::string_view bytes)
{
    auto const n = std::min(which.room, bytes.size());
    which.text += bytes.substr(0, n);
    which.room -= n;
}

/// The answer of a command is there when it is over and all its output has been read.
inline void settle(execution& which)
{
    if (!which.over || which.collecting)
        return;
    if (which.over->kind == init_event::failed)
        which.failed = launch_error(*which.over);
    else
        which.outcome = exec_result{which.over->first, which.over->second, std::move(which.text)};
    which.ended.cancel();
}

/// The zombie of an init whose end is near.
inline void reap_init(int pidfd)
{
    siginfo_t info{};
    while (::waitid(static_cast<idtype_t>(3) /* P_PIDFD */, static_cast<id_t>(pidfd), &info,
               WEXITED | __WALL) < 0 &&
        errno == EINTR) {
    }
}

}  // namespace detail

inline process_runtime::process_runtime(
    boost::asio::any_io_executor executor, process_runtime_options options)
    : core_(std::make_shared<core>(std::move(executor)))
{
    auto& c = *core_;
    c.options = std::move(options);
    if (!c.options.clock)
        c.options.clock = detail::anchored_now;
    c.options.logs.files = std::max(c.options.logs.files, 1U);
    c.podium = detail::unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
    if (c.options.state_dir.empty()) {
        auto const* const temp = std::getenv("TMPDIR");
        c.options.state_dir =
            std::string(temp != nullptr && *temp != '\0' ? temp : "/tmp") + "/podium-XXXXXX";
        if (::mkdtemp(c.options.state_dir.data()) == nullptr)
            c.state_dir_error = std::strerror(errno);
        else
            c.owns_state_dir = true;
    } else if (::mkdir(c.options.state_dir.c_str(), 0700) != 0 && errno != EEXIST) {
        c.state_dir_error = std::strerror(errno);
    }
}

inline process_runtime::~process_runtime()
{
    if (!core_)
        return;
    auto& c = *core_;
    c.listener = {};
    for (auto const& which : c.containers)
        if (which->alive()) {
            boost::system::error_code ignored;
            which->socket.close(ignored);  // init takes this for podium's end
        }
    for (auto const& which : c.containers) {
        boost::system::error_code ignored;
        if (which->alive()) {
            detail::reap_init(which->init.native_handle());
            which->starting = false;
            which->status.exit_code = 128 + SIGKILL;
            which->status.signal = SIGKILL;
            which->start_failed = error{errc::cancelled, "the runtime ended", {}, {}};
        }
        which->status.state = container_state::exited;
        which->init.close(ignored);
        which->out.close(ignored);
        which->err.close(ignored);
        which->kill_timer.cancel();
        which->moved.cancel();
        for (auto const& [number, execution] : which->executions) {
            execution->failed = error{errc::cancelled, "the runtime ended", {}, {}};
            execution->output.close(ignored);
            execution->ended.cancel();
        }
        if (c.owns_state_dir)
            which->log.erase();
    }
    if (c.owns_state_dir)
        ::rmdir(c.options.state_dir.c_str());
}

inline result<process_runtime::shared> process_runtime::find(core& c, std::string const& id)
{
    for (auto const& which : c.containers)
        if (which->status.id == id)
            return which;
    return error{errc::not_found, "no such container", "id", {}};
}

inline void process_runtime::changed(core_ptr const& c, container& which)
{
    which.moved.cancel();
    if (!c->listener || std::exchange(c->telling, true))
        return;
    boost::asio::post(c->executor, [weak = std::weak_ptr(c)] {
        auto const alive = weak.lock();
        if (!alive)
            return;
        alive->telling = false;
        if (auto const f = alive->listener)  // a copy: it may replace itself
            f();
    });
}

inline void process_runtime::on_change(std::function<void()> f)
{
    core_->listener = std::move(f);
}

inline std::vector<container_status> process_runtime::list() const
{
    std::vector<container_status> rows;
    rows.reserve(core_->containers.size());
    for (auto const& which : core_->containers)
        rows.push_back(which->status);
    return rows;
}

inline boost::asio::awaitable<result<std::string>> process_runtime::create(container_config config)
{
    auto const c = core_;
    for (auto const& [path, value] :
        {std::pair("name", &config.name), std::pair("pod_name", &config.pod_name)})
        if (!detail::is_label(*value))
            co_return error{errc::invalid, "must be letters, digits, '-', '.' and '_'", path, {}};
    for (auto const& v : config.env)
        if (v.name.empty() || v.name.find('=') != std::string::npos)
            co_return error{errc::invalid, "a variable's name must not be empty nor contain '='", "env", {}};
    for (auto const& m : config.mounts) {
        if (m.read_only)
            co_return error{errc::unsupported,
                "a process writes where its user may: this runtime cannot keep " + m.target +
                    " from being written",
                "volumeMounts.readOnly", {}};
        if (m.source.empty() || m.source.front() != '/' || m.target.size() < 2 || m.target.front() != '/' ||
            m.target.back() == '/')
            co_return error{errc::invalid, "expected absolute paths, and not / itself", "volumeMounts", {}};
    }
    if (!c->state_dir_error.empty())
        co_return error{errc::unavailable, "no directory for logs: " + c->state_dir_error, "state_dir", {}};
    auto image = open_image(c->options.images, config.image);
    if (!image)
        co_return std::move(image).error();

    auto const id = config.pod_name + '_' + config.name + '_' + std::to_string(++c->last_id);
    auto const which =
        std::make_shared<container>(c->executor, c->options.state_dir + '/' + id + ".log", c->options.logs);
    which->log.erase();  // of an earlier podium's, in a directory used again
    which->image = std::move(*image);
    auto& s = which->status;
    s.id = id;
    s.pod_uid = config.pod_uid;
    s.pod_name = config.pod_name;
    s.namespace_ = config.namespace_;
    s.name = config.name;
    s.image = config.image;
    s.created_at = c->options.clock();
    which->config = std::move(config);
    c->containers.push_back(which);
    changed(c, *which);
    co_return s.id;
}

inline result<void> process_runtime::launch(core_ptr const& c, shared const& which)
{
    auto what = resolve(which->image, which->config);
    if (!what)
        return std::move(what).error();
    auto packed = detail::pack(*what, which->config.limits);
    if (!packed)
        return std::move(packed).error();
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0)
        return error{errc::exhausted, std::string("pipe: ") + std::strerror(errno), {}, {}};
    detail::unique_fd out_read(out[0]), out_write(out[1]);
    if (::pipe2(err, O_CLOEXEC) != 0)
        return error{errc::exhausted, std::string("pipe: ") + std::strerror(errno), {}, {}};
    detail::unique_fd err_read(err[0]), err_write(err[1]);
    if (!c->podium)
        return error{errc::unsupported, "pidfd_open is needed (Linux 5.9 or newer)", {}, {}};

    auto init = detail::start_init(c->podium.get(), c->options.keep_together != isolation::process_tree);
    if (!init && c->options.keep_together == isolation::automatic) {
        c->options.keep_together = isolation::process_tree;  // and not asked again
        init = detail::start_init(c->podium.get(), false);
    }
    if (!init)
        return std::move(init).error();
    // From here on init exists; whatever fails, closing its socket ends it.
    detail::init_command const command{detail::init_command::launch, 0, 0};
    if (!detail::send_command(
            init->socket.get(), command, {packed->get(), out_write.get(), err_write.get()})) {
        init->socket = {};
        detail::reap_init(init->process.get());
        return error{errc::exhausted, "its init does not answer", {}, {}};
    }
    which->init_pid = init->pid;
    which->socket.assign(init->socket.release());
    which->init.assign(init->process.release());
    which->out.assign(out_read.release());
    which->err.assign(err_read.release());
    which->out.non_blocking(true);
    which->err.non_blocking(true);
    which->starting = true;
    which->pumps = 2;
    boost::asio::co_spawn(c->executor, watch(c, which), boost::asio::detached);
    boost::asio::co_spawn(c->executor, pump(c, which, log_stream::out), boost::asio::detached);
    boost::asio::co_spawn(c->executor, pump(c, which, log_stream::err), boost::asio::detached);
    return {};
}

inline boost::asio::awaitable<result<void>> process_runtime::start(std::string id)
{
    auto const c = core_;
    auto const found = find(*c, id);
    if (!found)
        co_return found.error();
    auto const which = *found;
    if (which->alive() || which->status.state != container_state::created)
        co_return error{errc::conflict, "the container was started before", "id", {}};
    if (auto launched = launch(c, which); !launched) {
        which->start_failed = launched.error();
        ended(c, *which, 128, 0, launched.error().text());
    }
    while (which->starting) {
        co_await which->moved.async_wait(detail::answer);
        if ((co_await boost::asio::this_coro::cancellation_state).cancelled() !=
            boost::asio::cancellation_type::none)
            co_return error{errc::cancelled, "no longer waited for", {}, {}};
    }
    if (which->start_failed)
        co_return *which->start_failed;
    co_return result<void>();
}

/// Everything of it gets SIGKILL.
inline void process_runtime::end(container& which)
{
    if (!detail::send_command(which.socket.native_handle(), {detail::init_command::teardown, 0, 0}))
        ::shutdown(
            which.socket.native_handle(), SHUT_WR);  // behind what it did not read yet, the end does the same
}

inline boost::asio::awaitable<result<void>> process_runtime::stop(std::string id, duration grace)
{
    auto const c = core_;
    auto const found = find(*c, id);
    if (!found)
        co_return found.error();
    auto const which = *found;
    if (!which->alive())
        co_return result<void>();
    if (grace <= duration::zero()) {
        end(*which);
    } else {
        if (!std::exchange(which->term_sent, true))
            detail::send_command(which->socket.native_handle(), {detail::init_command::signal, 0, SIGTERM});
        // Not this coroutine's timer: SIGKILL comes in time even if nobody waits here any more.
        auto const at =
            std::chrono::steady_clock::now() + std::min<duration>(grace, std::chrono::hours(24 * 365));
        if (!which->killing || at < which->kill_timer.expiry()) {
            which->killing = true;
            which->kill_timer.expires_at(at);
            which->kill_timer.async_wait([weak = std::weak_ptr(which)](boost::system::error_code ec) {
                auto const alive = weak.lock();
                if (!ec && alive && alive->alive())
                    end(*alive);
            });
        }
    }
    while (which->alive()) {
        co_await which->moved.async_wait(detail::answer);
        if ((co_await boost::asio::this_coro::cancellation_state).cancelled() !=
            boost::asio::cancellation_type::none)
            co_return error{errc::cancelled, "no longer waited for", {}, {}};
    }
    co_return result<void>();
}

inline boost::asio::awaitable<result<void>> process_runtime::remove(std::string id)
{
    auto const c = core_;
    auto const at = std::find_if(c->containers.begin(), c->containers.end(),
        [&](shared const& which) { return which->status.id == id; });
    if (at == c->containers.end())
        co_return result<void>();
    auto const which = *at;
    if (which->alive())
        co_return error{errc::conflict, "the container runs", "id", {}};
    which->log.erase();
    which->status.state = container_state::exited;  // for whoever waits for it to print
    c->containers.erase(at);
    changed(c, *which);
    co_return result<void>();
}

inline boost::asio::awaitable<result<container_stats>> process_runtime::stats(std::string id)
{
    auto const c = core_;
    auto const found = find(*c, id);
    if (!found)
        co_return found.error();
    if ((*found)->status.state != container_state::running)
        co_return error{errc::conflict, "the container does not run", "id", {}};
    auto const now = c->options.clock();
    if (!c->table || now - c->table_read > std::chrono::milliseconds(100) ||
        !c->table->usage((*found)->init_pid)) {
        c->table = process_table::read();  // one for all containers asked about in a row
        c->table_read = now;
    }
    auto const usage = c->table->usage((*found)->init_pid);
    if (!usage)
        co_return error{errc::unavailable, "its processes are not to be seen in /proc", {}, {}};
    co_return *usage;
}

inline boost::asio::awaitable<result<void>> process_runtime::logs(
    std::string id, log_query query, log_sink sink)
{
    auto const c = core_;
    auto const found = find(*c, id);
    if (!found)
        co_return found.error();
    auto const which = *found;
    auto const cancellation = co_await boost::asio::this_coro::cancellation_state;
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    auto at = which->log.start(query);
    while (cancellation.cancelled() == boost::asio::cancellation_type::none) {
        std::vector<log_line> lines;
        if (which->log.read(at, lines)) {
            if (lines.empty()) {
                co_await boost::asio::post(c->executor, detail::answer);  // others' turn in a long search
                continue;
            }
            bool const more = co_await sink(std::move(lines));
            if (more)
                continue;
            co_return result<void>();
        }
        if (!query.follow || which->status.state == container_state::exited)
            co_return result<void>();
        co_await which->moved.async_wait(detail::answer);
    }
    co_return error{errc::cancelled, "no longer waited for", {}, {}};
}

inline boost::asio::awaitable<result<exec_result>> process_runtime::exec(std::string id, exec_request request)
{
    auto const c = core_;
    auto const found = find(*c, id);
    if (!found)
        co_return found.error();
    auto const which = *found;
    if (which->status.state != container_state::running)
        co_return error{errc::conflict, "the container does not run", "id", {}};
    auto const what = resolve(which->image, which->config, request.command);
    if (!what)
        co_return what.error();
    auto const packed = detail::pack(*what, which->config.limits);
    if (!packed)
        co_return packed.error();
    int output[2];
    if (::pipe2(output, O_CLOEXEC) != 0)
        co_return error{errc::exhausted, std::string("pipe: ") + std::strerror(errno), {}, {}};
    detail::unique_fd read_end(output[0]), write_end(output[1]);

    auto const run = std::make_shared<detail::execution>(c->executor);
    auto const number = ++which->last_execution;
    run->room = request.output_bytes;
    detail::init_command const command{detail::init_command::launch, number, 0};
    if (!detail::send_command(
            which->socket.native_handle(), command, {packed->get(), write_end.get(), write_end.get()}))
        co_return error{errc::exhausted, "its init does not take more commands", {}, {}};
    write_end = {};
    run->output.assign(read_end.release());
    run->output.non_blocking(true);
    which->executions.emplace(number, run);
    boost::asio::co_spawn(c->executor, collect(run), boost::asio::detached);

    run->ended.expires_after(
        std::clamp<duration>(request.timeout, duration::zero(), std::chrono::hours(24 * 365)));
    if (!run->outcome && !run->failed)
        co_await run->ended.async_wait(detail::answer);
    if (run->failed)
        co_return *run->failed;
    if (run->outcome)
        co_return std::move(*run->outcome);
    if (which->alive())
        detail::send_command(which->socket.native_handle(), {detail::init_command::end_exec, number, 0});
    if ((co_await boost::asio::this_coro::cancellation_state).cancelled() !=
        boost::asio::cancellation_type::none)
        co_return error{errc::cancelled, "no longer waited for", {}, {}};
    co_return error{errc::deadline, "the command did not end in the time allowed", "timeout", {}};
}

inline boost::asio::awaitable<void> process_runtime::pump(core_ptr c, shared which, log_stream stream)
{
    auto& from = stream == log_stream::out ? which->out : which->err;
    auto const clock = c->options.clock;
    c.reset();
    std::vector<char> buffer(16 * 1024);
    while (!which->over) {
        auto const [failed, n] = co_await from.async_read_some(boost::asio::buffer(buffer), detail::answer);
        if (n > 0) {
            which->log.append(stream, {buffer.data(), n}, clock());
            which->moved.cancel();
        }
        if (failed)
            break;
    }
    // Only here, behind the read that may have been under way when the container ended: all in order.
    if (auto const rest = detail::read_rest(from); !rest.empty())
        which->log.append(stream, rest, clock());
    boost::system::error_code ignored;
    from.close(ignored);
    --which->pumps;
    which->moved.cancel();
}

inline boost::asio::awaitable<void> process_runtime::collect(std::shared_ptr<detail::execution> which)
{
    std::vector<char> buffer(4 * 1024);
    while (!which->over) {
        auto const [failed, n] =
            co_await which->output.async_read_some(boost::asio::buffer(buffer), detail::answer);
        if (n > 0)
            detail::keep_output(*which, {buffer.data(), n});
        if (failed)
            break;
    }
    detail::keep_output(*which, detail::read_rest(which->output));
    boost::system::error_code ignored;
    which->output.close(ignored);
    which->collecting = false;
    detail::settle(*which);
}

/// The container is over, and all its output has been read.
inline void process_runtime::ended(
    core_ptr const& c, container& which, int code, int signal, std::string message)
{
    auto const now = c->options.clock();
    boost::system::error_code ignored;
    which.log.finish(now);
    which.socket.close(ignored);
    if (which.init.is_open())
        detail::reap_init(which.init.native_handle());
    which.init.close(ignored);
    which.kill_timer.cancel();
    for (auto const& [number, run] : which.executions) {
        run->failed = error{errc::conflict, "the container ended", {}, {}};
        run->output.close(ignored);
        run->ended.cancel();
    }
    which.executions.clear();
    which.starting = false;
    auto& s = which.status;
    s.state = container_state::exited;
    s.exit_code = code;
    s.signal = signal;
    s.message = std::move(message);
    s.pid = 0;
    s.finished_at = now;
    changed(c, which);
}

/// What init tells of a command, and of the main process until its end.
inline void process_runtime::handle(
    core_ptr const& c, container& which, detail::init_event const& event, std::int32_t sender)
{
    if (event.process != 0) {
        auto const at = which.executions.find(event.process);
        if (at == which.executions.end() || event.kind == detail::init_event::pid ||
            event.kind == detail::init_event::started)
            return;
        auto const run = at->second;
        which.executions.erase(at);
        run->over = event;
        boost::system::error_code ignored;
        run->output.cancel(ignored);  // what is left, `collect` reads
        detail::settle(*run);
    } else if (event.kind == detail::init_event::pid) {
        which.status.pid = sender;
    } else {
        which.starting = false;
        which.status.state = container_state::running;
        which.status.started_at = c->options.clock();
        changed(c, which);
    }
}

inline boost::asio::awaitable<void> process_runtime::watch(core_ptr c, shared which)
{
    auto const weak = std::weak_ptr(c);
    c.reset();  // a runtime that is gone is not kept by what it watched
    detail::init_event event;
    auto got = detail::received::nothing_yet;
    auto const last = [&] {
        return got == detail::received::end ||
            (got == detail::received::event && event.process == 0 && event.kind != detail::init_event::pid &&
                event.kind != detail::init_event::started);
    };
    while (!last()) {
        if (got == detail::received::nothing_yet) {
            auto const [failed] = co_await which->socket.async_wait(
                boost::asio::posix::stream_descriptor::wait_read, detail::answer);
            if (failed)
                co_return;
        }
        auto const alive = weak.lock();
        if (!alive || !which->alive())
            co_return;
        std::int32_t sender = 0;
        got = detail::receive_event(which->socket.native_handle(), event, sender);
        if (got == detail::received::event && !last())
            handle(alive, *which, event, sender);
    }
    which->over = true;
    boost::system::error_code ignored;
    which->out.cancel(ignored);
    which->err.cancel(ignored);
    while (which->pumps > 0)
        co_await which->moved.async_wait(detail::answer);
    auto const alive = weak.lock();
    if (!alive || !which->alive())
        co_return;
    if (got == detail::received::end) {
        if (which->starting)
            which->start_failed = error{errc::unavailable, "its init ended", {}, {}};
        ended(alive, *which, 128 + SIGKILL, SIGKILL, "its init was killed");
    } else if (event.kind == detail::init_event::failed) {
        which->start_failed = detail::launch_error(event);
        ended(alive, *which, 128, 0, which->start_failed->text());
    } else {
        ended(alive, *which, event.first, event.second, {});
    }
}

}  // namespace podium::v0::runtime
